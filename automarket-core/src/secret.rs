//! Secrets as types: no `Display`, no `Serialize`, no `PartialEq`, memory wiped on drop.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::oauth::TokenSet;

/// A token, key, password or secret address. [`Secret::expose`] is the only way out.
///
/// ```
/// let key = automarket_core::Secret::new("xoxb-1");
/// assert_eq!(format!("{key:?}"), "[REDACTED]");
/// ```
///
/// It cannot be printed, serialised or compared by accident; none of these compiles:
///
/// ```compile_fail
/// println!("{}", automarket_core::Secret::new("xoxb-1"));
/// ```
/// ```compile_fail
/// let _ = serde_json::to_string(&automarket_core::Secret::new("xoxb-1"));
/// ```
/// ```compile_fail
/// let _ = serde_json::to_string(&automarket_core::Credential::token("xoxb-1"));
/// ```
/// ```compile_fail
/// let _ = automarket_core::Secret::new("a") == automarket_core::Secret::new("b");
/// ```
/// ```compile_fail
/// let _: &str = &automarket_core::Secret::new("xoxb-1");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the value in.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value, for the one line that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Proof of who we are to a platform, already opened for use.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Credential {
    /// The platform asks for none.
    #[default]
    None,
    /// A bearer token or API key.
    Token(Secret),
    /// User name and password (HTTP Basic).
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An address that is itself the secret (incoming webhooks).
    Address(Secret),
    /// Tokens that live and are renewed.
    OAuth(Box<TokenSet>),
}

impl Credential {
    /// A bearer token or API key.
    #[must_use]
    pub fn token(value: impl Into<String>) -> Self {
        Self::Token(Secret::new(value))
    }

    /// A secret address.
    #[must_use]
    pub fn address(value: impl Into<String>) -> Self {
        Self::Address(Secret::new(value))
    }

    /// What of it is secret.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let (one, other) = match self {
            Self::None => (None, None),
            Self::Token(secret) | Self::Address(secret) => (Some(secret), None),
            Self::Basic { password, .. } => (Some(password), None),
            Self::OAuth(tokens) => (Some(&tokens.access_token), tokens.refresh_token.as_ref()),
        };
        one.into_iter().chain(other)
    }

    /// Tokens that live and are renewed.
    #[must_use]
    pub fn oauth(tokens: TokenSet) -> Self {
        Self::OAuth(Box::new(tokens))
    }
}
