//! What waits, sealed, while the user is at the platform or chooses among accounts.

use std::collections::BTreeSet;

use automarket_core::{
    AccountId, Error, ErrorKind, Identity, Keyring, Platform, Result, Secret, TenantId,
    chrono::{DateTime, TimeDelta, Utc},
    hash::sha256,
    oauth::rule,
    store::Flow,
    vault::{Place, key_id_of},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Accounts;
use crate::Tenant;

/// How long a user has.
const LIFE: TimeDelta = TimeDelta::minutes(10);
/// The field that is sealed.
const FIELD: &str = "flow";
/// So many are re-sealed between two looks at the store.
const PAGE: usize = 100;

/// What waits, for whom.
#[derive(Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) platform: Platform,
    /// A hash of the host's session.
    session: String,
    pub(super) stage: Stage,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// The user is at the platform.
    Begun(Request),
    /// The user chooses.
    Offered(Vec<Candidate>),
}

/// What was asked of the platform.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) app: String,
    pub(super) redirect_uri: String,
    #[serde(with = "plain")]
    pub(super) verifier: Secret,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) again: Option<AccountId>,
}

/// An account on offer, with its credential as it will be sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) identity: Identity,
    /// The account that is connected again: a host may have given it an id of its own.
    #[serde(default)]
    pub(super) again: Option<AccountId>,
    #[serde(with = "plain")]
    pub(super) credential: Secret,
    /// Whether others on offer have the same credential, and it is one that renews itself for one holder only.
    pub(super) for_one_only: bool,
    /// Once it was picked: the version of the account's credential before that, over which alone it is put again.
    #[serde(default)]
    pub(super) over: Option<i64>,
}

/// A secret on its way into or out of the envelope, and nowhere else.
mod plain {
    use super::{Deserialize as _, Deserializer, Secret, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

impl Waiting {
    pub(super) fn new(platform: &Platform, session: &str, stage: Stage) -> Result<Self> {
        if session.is_empty() {
            let message = "a connection is bound to a session, and an empty one binds nothing";
            return Err(Error::invalid("session", message));
        }
        Ok(Self {
            platform: platform.clone(),
            session: sha256(session),
            stage,
        })
    }
}

impl Tenant {
    /// Lets it wait under the hash of a secret that the browser brings back.
    pub(super) async fn let_wait(
        &self,
        waiting: &Waiting,
        secret: &Secret,
    ) -> Result<DateTime<Utc>> {
        let expires_at = self.engine().store.now().await? + LIFE;
        self.wait_until(waiting, secret, expires_at).await?;
        Ok(expires_at)
    }

    /// As [`let_wait`](Self::let_wait), for what has waited before: it gets no more time.
    pub(super) async fn wait_until(
        &self,
        waiting: &Waiting,
        secret: &Secret,
        expires_at: DateTime<Utc>,
    ) -> Result<()> {
        let id = sha256(secret.expose());
        let sealed = self.engine().accounts.seal_flow(self, &id, waiting).await?;
        let flow = Flow {
            tenant: self.id.clone(),
            id,
            sealed,
            expires_at,
        };
        self.engine().store.put_flow(&flow).await
    }

    /// Takes out what waits under this secret: once, within ten minutes, for this tenant, platform and session. What
    /// this process lacks the key for waits on. Until when it would have waited is said, too.
    pub(super) async fn take_waiting(
        &self,
        platform: &Platform,
        session: &str,
        secret: &Secret,
    ) -> Result<(Waiting, DateTime<Utc>)> {
        let id = sha256(secret.expose());
        let store = &self.engine().store;
        let flow = store.take_flow(&self.id, &id).await?;
        let flow = flow.ok_or_else(|| {
            Error::new(
                ErrorKind::Forbidden,
                "this connection was finished already, begun more than ten minutes ago, or not begun here",
            )
            .with_rule(rule::EXPIRED)
            .with_platform(platform)
            .with_remedy("let the user begin again")
        })?;
        let waiting = match self.engine().accounts.open_flow(&flow).await {
            Ok(waiting) => waiting,
            Err(error) => {
                store.put_flow(&flow).await?;
                return Err(error);
            }
        };
        let its_own = automarket_core::oauth::same(&waiting.session, &sha256(session));
        if !its_own || waiting.platform != *platform {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "this connection was begun in another session or for another platform",
            )
            .with_rule(rule::STATE)
            .with_platform(platform)
            .with_remedy("let the user begin again"));
        }
        Ok((waiting, flow.expires_at))
    }
}

impl Accounts {
    async fn seal_flow(&self, tenant: &Tenant, id: &str, waiting: &Waiting) -> Result<Vec<u8>> {
        let ring = self.vault.sealing().await?;
        let plain = serde_json::to_string(waiting)
            .map(Secret::new)
            .map_err(|_| Error::new(ErrorKind::Internal, "a flow cannot be written as JSON"))?;
        ring.seal(place(tenant.id(), id), plain.expose().as_bytes())
    }

    /// Seals what waits under the current key of this ring; other keys under which something waits on.
    pub(super) async fn reseal_flows(&self, ring: &Keyring) -> Result<BTreeSet<String>> {
        let mut left = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.store.flows(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(left);
            };
            after = Some((last.tenant.clone(), last.id.clone()));
            for flow in &page {
                // It can no longer be read under any key.
                let Ok(key) = key_id_of(&flow.sealed) else {
                    continue;
                };
                if key == ring.current_id() {
                    continue;
                }
                let place = place(&flow.tenant, &flow.id);
                let resealed = ring.open(place, &flow.sealed);
                match resealed.and_then(|plain| ring.seal(place, &plain)) {
                    // Otherwise the browser came back meanwhile.
                    Ok(sealed) => drop(self.store.reseal_flow(flow, &sealed).await?),
                    Err(_) => drop(left.insert(key.to_owned())),
                }
            }
        }
    }

    async fn open_flow(&self, flow: &Flow) -> Result<Waiting> {
        let place = place(&flow.tenant, &flow.id);
        let plain = self.vault.unseal(place, &flow.sealed).await?;
        // The cause could quote what it stumbled on: it is left out.
        serde_json::from_slice(&plain)
            .map_err(|_| Error::new(ErrorKind::Internal, "a flow cannot be read"))
    }
}

fn place<'a>(tenant: &'a TenantId, id: &'a str) -> Place<'a> {
    Place {
        tenant: tenant.as_str(),
        account: id,
        field: FIELD,
    }
}
