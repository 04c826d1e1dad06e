//! Another encryption key, while everything runs.

use automarket_core::{
    AccountId, Error, ErrorRecord, Result, TenantId,
    store::{AuditAction, NewAudit, SealedCredential},
};
use serde::Serialize;

use super::OURSELVES;
use crate::Automarket;

/// So many credentials are re-sealed between two looks at the store.
const PAGE: usize = 100;

/// How far a rotation is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rotation {
    /// How many credentials were under other keys when it began.
    pub total: u64,
    /// How many it has re-sealed under the current key.
    pub resealed: u64,
    /// How many could not be opened, of those looked at.
    pub failed: u64,
    /// The first of these failures; it names the missing key.
    pub failure: Option<ErrorRecord>,
    /// Whose they are, the first hundred: each account can be connected anew, or disconnected. A tenant's own app
    /// has an id that is no account's, and can be put anew.
    pub left: Vec<(TenantId, AccountId)>,
    /// Set at the end: old keys on the keyring that have sealed credentials, and on which nothing hangs any more. They
    /// may go. A key that has sealed none yet is not named: it may be the next one.
    pub retired: Vec<String>,
}

impl Automarket {
    /// Tries the encryption keys on what is stored. The worker does it when it starts, and every use of a
    /// credential before the first.
    ///
    /// A key that opens any of its credentials is a right one; those of it that do not open fail by themselves.
    /// Where keys are missing or wrong for the lesser part of the credentials that is a warning in the log.
    ///
    /// # Errors
    /// `Config`: without keys (rule `vault.no_key`); when the key provider does not give them (`vault.keys`); when the
    /// current key is wrong, or keys are missing or wrong for the most part of what is stored, with a count of
    /// credentials by key (`vault.wrong_key`). Nothing is changed. Those of the store.
    pub async fn check_keyring(&self) -> Result<()> {
        self.engine.accounts.vault.load().await.map(drop)
    }

    /// Seals every credential that is under an older key under the current one, while everything goes on;
    /// tenants' own apps and connections that wait for a browser too.
    /// `progress` is called after each hundred. Killed anywhere, it goes on where it was when it is called
    /// again; several processes may do it at once. A credential that cannot be opened is counted and stays as
    /// it is.
    ///
    /// # Errors
    /// As [`check_keyring`](Self::check_keyring), but that old keys which are missing or wrong stop nothing else.
    pub async fn rotate(&self, mut progress: impl FnMut(&Rotation)) -> Result<Rotation> {
        let accounts = &self.engine.accounts;
        let (store, vault) = (&accounts.store, &accounts.vault);
        let ring = vault.refreshed().await?;
        let current = ring.current_id();
        let others = |uses: Vec<automarket_core::store::KeyUse>| {
            let others = uses.into_iter().filter(|key| key.key_id != current);
            others.map(|key| key.credentials).sum()
        };
        let mut rotation = Rotation {
            total: others(store.key_uses().await?),
            ..Rotation::default()
        };
        let mut after = None;
        loop {
            let page = store
                .credentials_not_under(current, after.as_ref(), PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            after = Some((last.tenant.clone(), last.account));
            let mut notes = Vec::new();
            for row in &page {
                let resealed = match vault.reseal(&ring, row) {
                    Ok(sealed) => {
                        let (tenant, account) = (&row.tenant, row.account);
                        store
                            .reseal_credential(tenant, account, row.version, current, &sealed)
                            .await?
                    }
                    Err(error) => {
                        rotation.failed += 1;
                        if rotation.left.len() < PAGE {
                            rotation.left.push((row.tenant.clone(), row.account));
                        }
                        notes.push(note(row, error.kind().as_str()));
                        rotation.failure.get_or_insert_with(|| failure(row, &error));
                        continue;
                    }
                };
                // Otherwise it was put anew meanwhile, under the key of whoever did.
                if resealed {
                    rotation.resealed += 1;
                    notes.push(note(row, "done"));
                }
            }
            store.append_audit(&notes).await?;
            progress(&rotation);
        }
        let waiting = accounts.reseal_flows(&ring).await?;
        let uses = store.key_uses().await?;
        let is_done = |id: &str| {
            let mut empty = uses.iter().filter(|key| key.credentials == 0);
            !waiting.contains(id) && empty.any(|key| key.key_id == id)
        };
        let old = ring.ids().filter(|id| *id != current && is_done(id));
        rotation.retired = old.map(str::to_owned).collect();
        progress(&rotation);
        Ok(rotation)
    }
}

fn note(row: &SealedCredential, outcome: &str) -> NewAudit {
    NewAudit {
        tenant: row.tenant.clone(),
        account: row.account,
        action: AuditAction::Rotate,
        who: OURSELVES.to_owned(),
        why: "rotation of the encryption key".to_owned(),
        outcome: outcome.to_owned(),
    }
}

fn failure(row: &SealedCredential, error: &Error) -> ErrorRecord {
    tracing::warn!(account = %row.account, error = %error.report(), "a credential was not re-sealed");
    ErrorRecord::from(error)
}
