//! Renewals pass gates of their own, so that nobody stands and waits for a token address in trouble: the account's,
//! closed for as long as nobody shall try again, and the app's, closed when one renewal after the other fails,
//! whosever they are. Other calls of the account are asked nothing of them.

use automarket_core::{
    Error, ErrorKind, Result, Retry,
    store::{Account, Gate, Pass, Signal},
};

use super::Accounts;
use crate::{
    report::metrics,
    worker::{CLOSED, Owner, spread},
};

/// The bucket of renewals.
pub(crate) const RENEWALS: &str = "oauth.token";

impl Accounts {
    /// Lets a renewal pass, and says how; closed is an error.
    ///
    /// # Errors
    /// `Unavailable` (rule `gate.closed`) while they are held back; those of the store.
    pub(super) async fn may_renew(&self, account: &Account, owner: &Owner) -> Result<Pass> {
        let pass = self
            .store
            .pass_gates(&owner.tenant, owner.account, Some(RENEWALS));
        let until = match pass.await? {
            Pass::Closed(until) => until,
            pass => return Ok(pass),
        };
        let wait = spread((until - self.store.now().await?).to_std());
        let message = format!(
            "the token of the account {} is not renewed for {} s",
            account.name,
            wait.as_secs()
        );
        Err(Error::new(ErrorKind::Unavailable, message)
            .with_platform(&account.platform)
            .with_rule(CLOSED)
            .with_retry(Retry::After(Some(wait))))
    }

    /// How many failures in a row it counts then; `None` where the store does not say.
    pub(super) async fn tell_renewals(
        &self,
        owner: &Owner,
        signal: Signal,
        of_probe: bool,
    ) -> Option<u32> {
        let gate = Gate::rate(Some(RENEWALS));
        let told = self
            .store
            .tell_gate(&owner.tenant, owner.account, &gate, signal, of_probe);
        match told.await {
            Ok(gate) => Some(gate.failures),
            Err(error) => {
                metrics::store_error("tell_gate", &error);
                None
            }
        }
    }
}

/// Whether no sensible answer came.
pub(super) fn failed(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Network
            | ErrorKind::Timeout
            | ErrorKind::Unavailable
            | ErrorKind::UnexpectedReply
    )
}
