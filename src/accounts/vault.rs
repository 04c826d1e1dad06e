//! Seals and opens the rows of the store.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use automarket_core::{
    Credential, Error, ErrorKind, KeyProvider, Keyring, Result, Retry, Store,
    store::{Account, KeyUse, NewCredential, SealedCredential},
    vault::{Place, Zeroizing, credential_from_bytes, credential_to_bytes},
};
use tokio::time::{Instant, timeout};

use crate::trouble::waits;

/// The field that is sealed.
const FIELD: &str = "credential";
/// How often a key provider is asked again because a row names a key that is not there.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// A process that only seals meets no row that names a newer key: it asks when what it knows is older than this,
const SEALS_FOR: Duration = Duration::from_secs(60);
/// and seals as before when there is no answer within this. Nobody waits longer for one.
const ANSWER: Duration = Duration::from_secs(5);
/// What cannot be opened now, for want of a key, is tried again after this.
const KEY_WAIT: Duration = Duration::from_secs(60);
/// A key of which so many credentials do not open is a wrong one, whatever the rest is.
const TRIES: usize = 100;
/// After so many sealings what other processes have sealed is counted in.
const COUNT_EVERY: u64 = 4096;

pub(super) struct Vault {
    keys: Option<Arc<dyn KeyProvider>>,
    store: Arc<dyn Store>,
    /// Filled once the keys were tried on what is stored.
    ring: RwLock<Option<Keyring>>,
    /// When it was last asked because a row names a key that is not there, and what came of it.
    asked: tokio::sync::Mutex<Option<(Instant, Option<Keyring>)>>,
    /// When it was last asked which key is the current one.
    heard: Mutex<Option<Instant>>,
}

impl Vault {
    pub(super) fn new(keys: Option<Arc<dyn KeyProvider>>, store: Arc<dyn Store>) -> Self {
        Self {
            keys,
            store,
            ring: RwLock::new(None),
            asked: tokio::sync::Mutex::new(None),
            heard: Mutex::new(None),
        }
    }

    /// Whether the host gave keys at all.
    pub(super) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// The keyring, tried on what is stored before its first use.
    pub(super) async fn ring(&self) -> Result<Keyring> {
        let known = self.known();
        match known {
            Some(ring) => Ok(ring),
            None => self.load().await,
        }
    }

    /// The keyring to seal with. Whatever goes wrong with asking, what is to be sealed is not given up for it.
    pub(super) async fn sealing(&self) -> Result<Keyring> {
        let known = self.ring().await?;
        if !due(&self.heard, SEALS_FOR) {
            return Ok(known);
        }
        let newer = async {
            let ring = self.ask().await?;
            // The known one has counted.
            match ring.ids().eq(known.ids()) {
                true => Ok(known.clone()),
                false => self.tried(ring).await,
            }
        };
        let trouble = match timeout(ANSWER, newer).await {
            Ok(Ok(ring)) => return Ok(ring),
            Ok(Err(error)) => error.report(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(error = %trouble, "the keys could not be asked for anew");
        Ok(known)
    }

    /// The keys as they are now, for a rotation: those that are missing fail with their rows.
    pub(super) async fn refreshed(&self) -> Result<Keyring> {
        self.tried(self.ask().await?).await
    }

    /// The ring, whose current key opens what is under it, from now on.
    async fn tried(&self, ring: Keyring) -> Result<Keyring> {
        let uses = self.store.key_uses().await?;
        let current = uses.iter().find(|key| key.key_id == ring.current_id());
        if let Some(key) = current.filter(|key| key.credentials > 0)
            && !self.fits(&ring, key).await?
        {
            return Err(does_not_fit(&[key]));
        }
        count(&ring, &uses);
        if self.known().is_some() {
            self.set(ring.clone());
        }
        Ok(ring)
    }

    /// Asks for the keys, and tries each on what is stored under it. They are refused when they are wrong for the
    /// most part, or the current one is: single credentials that do not open hold up nobody else.
    pub(super) async fn load(&self) -> Result<Keyring> {
        let ring = self.ask().await?;
        let uses = self.store.key_uses().await.map_err(waits)?;
        let (mut wrong, mut opened) = (Vec::new(), 0);
        for key in uses.iter().filter(|key| key.credentials > 0) {
            match self.fits(&ring, key).await? {
                true => opened += key.credentials,
                false => wrong.push(key),
            }
        }
        if !wrong.is_empty() {
            let error = does_not_fit(&wrong);
            let current = wrong.iter().any(|key| key.key_id == ring.current_id());
            if current || credentials(&wrong) > opened {
                return Err(error);
            }
            tracing::warn!(error = %error.report(), "some credentials do not open");
        }
        count(&ring, &uses);
        self.set(ring.clone());
        Ok(ring)
    }

    pub(super) async fn seal(
        &self,
        account: &Account,
        credential: &Credential,
    ) -> Result<NewCredential> {
        let ring = self.sealing().await?;
        let plain = credential_to_bytes(credential)?;
        let id = account.id.to_string();
        let place = place(account.tenant.as_str(), &id);
        let (expires_at, refresh_expires_at) = match credential {
            Credential::OAuth(tokens) => (tokens.expires_at, tokens.refresh_expires_at),
            _ => (None, None),
        };
        let sealed = ring.seal(place, &plain)?;
        if ring.seals().is_multiple_of(COUNT_EVERY) {
            // What is being sealed may be held by nobody else: it is not given up for a count.
            match self.store.key_uses().await {
                Ok(uses) => count(&ring, &uses),
                Err(error) => {
                    tracing::warn!(error = %error.report(), "the uses of the keys could not be counted");
                }
            }
        }
        Ok(NewCredential {
            tenant: account.tenant.clone(),
            account: account.id,
            key_id: ring.current_id().to_owned(),
            sealed,
            expires_at,
            refresh_expires_at,
        })
    }

    pub(super) async fn open(&self, row: &SealedCredential) -> Result<Credential> {
        let id = row.account.to_string();
        let plain = self.unseal(place(row.tenant.as_str(), &id), &row.sealed);
        credential_from_bytes(&plain.await?).map_err(later)
    }

    /// What is sealed for this place.
    pub(super) async fn unseal(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let ring = self.ring().await?;
        let mut opened = ring.open(place, sealed);
        if let Err(error) = &opened
            && error.rule() == Some("vault.missing_key")
        {
            // Another process may seal under a newer key already.
            let (newer, asked) = self.newer().await.map_err(later)?;
            if let Some(ring) = newer {
                opened = ring.open(place, sealed);
                // What opens with it is good, and what is sealed from now on has to open elsewhere.
                if asked && let Err(error) = self.tried(ring).await {
                    tracing::warn!(error = %error.report(), "the new keys are not taken into use");
                }
            }
        }
        opened.map_err(later)
    }

    /// What the provider gives now, or gave a moment ago, and whether it was asked just now. One asks for all: who comes
    /// meanwhile waits for that answer.
    async fn newer(&self) -> Result<(Option<Keyring>, bool)> {
        let mut asked = self.asked.lock().await;
        if let Some((at, ring)) = &*asked
            && at.elapsed() < ASK_AGAIN
        {
            return Ok((ring.clone(), false));
        }
        let answer = self.ask().await;
        *asked = Some((Instant::now(), answer.as_ref().ok().cloned()));
        Ok((Some(answer?), true))
    }

    /// The same content under the current key of this ring.
    pub(super) fn reseal(&self, ring: &Keyring, row: &SealedCredential) -> Result<Vec<u8>> {
        let id = row.account.to_string();
        let place = place(row.tenant.as_str(), &id);
        ring.seal(place, &ring.open(place, &row.sealed)?)
    }

    /// What keeps the provider from giving the keys is trouble of ours, whatever it calls it: no platform's word on what
    /// was to be done with them.
    async fn ask(&self) -> Result<Keyring> {
        let keys = self.keys.as_ref().ok_or_else(no_keys)?;
        let error = match timeout(ANSWER, keys.keyring()).await {
            Ok(Ok(ring)) => return Ok(ring),
            Ok(Err(error)) => error,
            Err(_) => Error::new(ErrorKind::Timeout, "no answer in time"),
        };
        let retry = match error.retry() {
            // Asking changes nothing that would have to be looked up.
            Retry::Reconcile => Retry::After(None),
            retry => retry,
        };
        let message = "the encryption keys could not be had";
        Err(Error::new(ErrorKind::Config, message)
            .with_rule("vault.keys")
            .with_retry(retry)
            .with_source(error))
    }

    /// Whether a key opens anything of what is under it.
    async fn fits(&self, ring: &Keyring, key: &KeyUse) -> Result<bool> {
        if !ring.ids().any(|id| id == key.key_id) {
            return Ok(false);
        }
        let rows = self.store.credentials_under(&key.key_id, TRIES);
        let rows = rows.await.map_err(waits)?;
        Ok(rows.is_empty() || rows.iter().any(|row| unseal(ring, row).is_ok()))
    }

    fn known(&self) -> Option<Keyring> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.clone()
    }

    fn set(&self, ring: Keyring) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Some(ring);
    }
}

/// Whether it was so long ago, for one who does it now.
fn due(last: &Mutex<Option<Instant>>, after: Duration) -> bool {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let due = last.is_none_or(|last| last.elapsed() >= after);
    if due {
        *last = Some(Instant::now());
    }
    due
}

fn place<'a>(tenant: &'a str, account: &'a str) -> Place<'a> {
    Place {
        tenant,
        account,
        field: FIELD,
    }
}

fn unseal(ring: &Keyring, row: &SealedCredential) -> Result<Zeroizing<Vec<u8>>> {
    let id = row.account.to_string();
    ring.open(place(row.tenant.as_str(), &id), &row.sealed)
}

/// Another process may have what is missing here.
fn later(error: Error) -> Error {
    error.with_retry(Retry::After(Some(KEY_WAIT)))
}

fn credentials(keys: &[&KeyUse]) -> u64 {
    keys.iter().map(|key| key.credentials).sum()
}

fn count(ring: &Keyring, uses: &[KeyUse]) {
    for key in uses {
        ring.count_from(&key.key_id, key.seals);
    }
}

fn no_keys() -> Error {
    Error::new(
        ErrorKind::Config,
        "no encryption key is configured, so no credential can be stored or opened",
    )
    .with_rule("vault.no_key")
    .with_remedy(
        "give the builder Keyring::from_base64 of a key made by `openssl rand -base64 32`, the same at every start",
    )
}

fn does_not_fit(wrong: &[&KeyUse]) -> Error {
    let rows = credentials(wrong);
    let keys: Vec<String> = wrong
        .iter()
        .map(|key| format!("{} ({})", key.key_id, key.credentials))
        .collect();
    Error::new(
        ErrorKind::Config,
        format!(
            "{rows} stored credentials do not open with the keys given; nothing was changed. Missing or wrong: {}",
            keys.join(", ")
        ),
    )
    .with_rule("vault.wrong_key")
    .with_remedy("put these keys on the keyring, behind the current one if they are old")
}
