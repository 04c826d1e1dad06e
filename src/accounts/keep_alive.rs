//! Tokens that die when nobody renews them are renewed though nobody uses them.
//!
//! Each such account has one job, which sleeps until two thirds of the token's life are over, renews it, and
//! sleeps again. It ends with the credential, and with nothing else: over the years any number of failures and of workers
//! that are gone come together.

use std::sync::Arc;

use automarket_core::{
    AccountId, Credential, Error, Result, Retry,
    chrono::{DateTime, TimeDelta, Utc},
    oauth::{Grant, Refresh},
    store::{Account, Job, NewJob, SealedCredential},
};
use serde::{Deserialize, Serialize};

use super::Accounts;
use crate::{trouble::is_ours, worker::End};

/// The kind of the jobs that keep idle tokens alive.
pub(crate) const KEEP_ALIVE_JOB: &str = "credential-keep-alive";
/// How soon it is tried again when it could not be renewed.
const AGAIN: TimeDelta = TimeDelta::hours(1);

#[derive(Serialize, Deserialize)]
struct Payload {
    account: AccountId,
}

impl Accounts {
    /// The job that keeps a credential put at this instant alive; `None` where none would die unused.
    pub(super) fn keep_alive_job(
        &self,
        account: &Account,
        credential: &Credential,
        put: DateTime<Utc>,
    ) -> Result<Option<NewJob>> {
        let Some(end) = self.dies_unused(account, credential, put) else {
            return Ok(None);
        };
        let payload = serde_json::to_value(Payload {
            account: account.id,
        })
        .map_err(|error| Error::invalid("account", "not JSON").with_source(error))?;
        let job = NewJob::new(account.tenant.clone(), KEEP_ALIVE_JOB, payload);
        let job = job.run_at(due(put, end)).unique(account.id.to_string());
        Ok(Some(job.unending()))
    }

    /// Renews what is due, and says when it is wanted again.
    pub(crate) async fn keep_alive(self: &Arc<Self>, job: &Job) -> Result<End> {
        let payload: Payload = serde_json::from_value(job.payload.clone()).map_err(|error| {
            Error::invalid("payload", "not what these jobs carry").with_source(error)
        })?;
        let account = self.store.account(&job.tenant, payload.account).await?;
        let row = self.store.credential(&job.tenant, payload.account).await?;
        let (Some(account), Some(row)) = (account, row) else {
            return Ok(End::done());
        };
        let now = self.store.now().await?;
        // If it is what ends its workers, not one after the other.
        let rested = job.failures.last().map(|failure| failure.at + AGAIN);
        if let Some(rested) = rested.filter(|rested| now < *rested) {
            return Ok(End::Snooze(rested));
        }
        let Some(next) = self.next(&account, &row).await? else {
            return Ok(End::done());
        };
        if now < next {
            return Ok(End::Snooze(next));
        }
        match self.renew(&account, row.version).await {
            Ok(None) => Ok(End::done()),
            Ok(Some(_)) => {
                let row = self.store.credential(&job.tenant, account.id).await?;
                let next = match row {
                    Some(row) => self.next(&account, &row).await?,
                    None => None,
                };
                Ok(next.map_or_else(End::done, |next| End::Snooze(next.max(now + AGAIN))))
            }
            Err(error) if error.retry() == Retry::Never && !is_ours(error.kind()) => {
                Ok(End::done())
            }
            Err(error) => {
                tracing::warn!(account = %account.id, error = %error.report(), "an idle token could not be renewed");
                Ok(End::Snooze(now + AGAIN))
            }
        }
    }

    /// When a stored credential wants to be renewed though nobody uses it.
    async fn next(
        &self,
        account: &Account,
        row: &SealedCredential,
    ) -> Result<Option<DateTime<Utc>>> {
        if row.needs_reauth {
            return Ok(None);
        }
        let credential = self.vault.open(row).await?;
        if let Credential::OAuth(tokens) = &credential
            && self.provider(&account.platform, &tokens.app).is_none()
        {
            // The host has not registered the app here. That is no reason to let the token die.
            return Ok(Some(self.store.now().await? + AGAIN));
        }
        let end = self.dies_unused(account, &credential, row.updated_at);
        Ok(end.map(|end| due(row.updated_at, end)))
    }

    /// When what was put at this instant can no longer be renewed, if that is known and renewing helps: an access
    /// token that is traded for its successor while it lives (Threads, Instagram), a refresh token with an end, which
    /// the reply said (LinkedIn) or the platform's data say (X, Twenty).
    fn dies_unused(
        &self,
        account: &Account,
        credential: &Credential,
        put: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let Credential::OAuth(tokens) = credential else {
            return None;
        };
        let provider = self.apps.provider(&account.platform, &tokens.app)?;
        match (&tokens.grant, &provider.refresh) {
            (Grant::Code, Refresh::Trade(_)) => tokens.expires_at,
            (Grant::Code, Refresh::Token { .. }) => {
                // Tokens from before the life was known here, or that a host brought, do not say it.
                let life = || {
                    let life = TimeDelta::try_seconds(provider.refresh_token_seconds?)?;
                    put.checked_add_signed(life)
                };
                tokens.refresh_token.as_ref()?;
                tokens.refresh_expires_at.or_else(life)
            }
            _ => None,
        }
    }
}

/// Two thirds of the way.
fn due(put: DateTime<Utc>, end: DateTime<Utc>) -> DateTime<Utc> {
    put + (end - put).max(TimeDelta::zero()) / 3 * 2
}
