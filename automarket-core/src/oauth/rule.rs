//! The rules that errors of the flow name, and whose doing each is.

use crate::{Error, ErrorKind};

/// The user said no, or left.
pub const DENIED: &str = "oauth.denied";
/// There is no such flow: it is over, older than ten minutes, or was never begun here.
pub const EXPIRED: &str = "oauth.expired";
/// Another account than the one that was to be reconnected.
pub const WRONG_ACCOUNT: &str = "oauth.wrong_account";
/// The user granted less than is needed.
pub const MISSING_SCOPES: &str = "oauth.missing_scopes";
/// The login speaks for no account.
pub const NO_ACCOUNT: &str = "oauth.no_account";
/// Code or refresh token are expired, used or revoked. Of a refresh it is the definite answer that the
/// account has to be connected again.
pub const INVALID_GRANT: &str = "oauth.invalid_grant";
/// The callback is not the answer to the request: another state, session or tenant. An attack, or two tabs.
pub const STATE: &str = "oauth.state";
/// The callback names another issuer, or none where there has to be one (RFC 9207).
pub const ISSUER: &str = "oauth.issuer";
/// The callback makes no sense: an address that was cut, mangled or made up.
pub const CALLBACK: &str = "oauth.callback";
/// A code verifier that is none (RFC 7636, 4.1).
pub const VERIFIER: &str = "oauth.verifier";
/// The app's id, secret or key are wrong, or it may not do this.
pub const CLIENT: &str = "oauth.client";
/// The redirect address is not one, or not the registered one.
pub const REDIRECT_URI: &str = "oauth.redirect_uri";
/// A scope that the app may not ask for.
pub const SCOPE: &str = "oauth.scope";
/// The platform does not understand the request.
pub const REQUEST: &str = "oauth.request";
/// A place of the provider's addresses has no value, or one that is not believed.
pub const PLACE: &str = "oauth.place";
/// The platform asks for fewer requests.
pub const WAIT: &str = "oauth.wait";
/// The platform is failing.
pub const FAILING: &str = "oauth.failing";
/// The token address refused for a reason of its own.
pub const REFUSED: &str = "oauth.refused";
/// The token reply makes no sense.
pub const REPLY: &str = "oauth.reply";

/// No account was picked of those that were offered.
pub const NONE_PICKED: &str = "accounts.none";
/// An account was picked that was not offered.
pub const NOT_OFFERED: &str = "accounts.not_offered";
/// Several accounts were picked of a login that is for one.
pub const ONE_ONLY: &str = "accounts.one_only";

/// Whose doing an error of the flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The user's: tell them, and let them begin again.
    User,
    /// The host's: its app or its configuration have to be mended.
    Configuration,
    /// The platform's, the network's, or not known.
    Platform,
}

impl Cause {
    /// Whose doing this is, by its rule, else by its kind.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.rule() {
            Some(
                DENIED | EXPIRED | WRONG_ACCOUNT | MISSING_SCOPES | NO_ACCOUNT | INVALID_GRANT
                | STATE | CALLBACK | NONE_PICKED | NOT_OFFERED | ONE_ONLY,
            ) => Self::User,
            Some(CLIENT | REDIRECT_URI | SCOPE | REQUEST | PLACE | VERIFIER | ISSUER) => {
                Self::Configuration
            }
            _ if error.kind() == ErrorKind::Config => Self::Configuration,
            _ => Self::Platform,
        }
    }
}
