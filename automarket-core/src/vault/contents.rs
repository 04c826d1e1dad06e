//! A credential as the bytes that are sealed.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use url::Url;

use super::envelope::damaged;
use crate::{
    Credential, Error, ErrorKind, Result, Secret,
    oauth::{Grant, TokenSet},
};

/// More than any credential has, so that the buffer never grows and leaves a copy behind.
const ROOM: usize = 16 * 1024;

/// The bytes of a credential, to be sealed.
///
/// # Errors
/// `Internal` when it cannot be written.
pub fn credential_to_bytes(credential: &Credential) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *bytes, &Contents::of(credential)).map_err(|_| {
        Error::new(
            ErrorKind::Internal,
            "the credential cannot be written as JSON",
        )
    })?;
    Ok(bytes)
}

/// The credential in bytes that were sealed.
///
/// # Errors
/// `Internal` (rule `vault.damaged`) when they are none, or of a newer version of the library.
pub fn credential_from_bytes(bytes: &[u8]) -> Result<Credential> {
    // The cause could quote what it stumbled on: it is left out.
    let contents: Contents<'_> =
        serde_json::from_slice(bytes).map_err(|_| damaged("it holds no credential"))?;
    Ok(contents.into_credential())
}

/// A secret on its way into or out of the envelope, and nowhere else.
struct Plain<'a>(Cow<'a, Secret>);

impl<'a> Plain<'a> {
    fn of(secret: &'a Secret) -> Self {
        Self(Cow::Borrowed(secret))
    }

    fn secret(self) -> Secret {
        self.0.into_owned()
    }
}

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Plain<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(Cow::Owned(Secret::new(text))))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Contents<'a> {
    None,
    Token(Plain<'a>),
    Basic {
        user: Cow<'a, str>,
        password: Plain<'a>,
    },
    Address(Plain<'a>),
    Oauth(Box<Tokens<'a>>),
}

#[derive(Serialize, Deserialize)]
struct Tokens<'a> {
    access_token: Plain<'a>,
    refresh_token: Option<Plain<'a>>,
    expires_at: Option<DateTime<Utc>>,
    refresh_expires_at: Option<DateTime<Utc>>,
    scopes: Option<Vec<String>>,
    token_type: Option<String>,
    base_url: Option<Url>,
    grant: Grant,
    app: String,
    extra: Value,
}

impl<'a> Contents<'a> {
    fn of(credential: &'a Credential) -> Self {
        match credential {
            Credential::None => Self::None,
            Credential::Token(token) => Self::Token(Plain::of(token)),
            Credential::Basic { user, password } => Self::Basic {
                user: Cow::Borrowed(user),
                password: Plain::of(password),
            },
            Credential::Address(address) => Self::Address(Plain::of(address)),
            Credential::OAuth(tokens) => Self::Oauth(Box::new(Tokens {
                access_token: Plain::of(&tokens.access_token),
                refresh_token: tokens.refresh_token.as_ref().map(Plain::of),
                expires_at: tokens.expires_at,
                refresh_expires_at: tokens.refresh_expires_at,
                scopes: tokens.scopes.clone(),
                token_type: tokens.token_type.clone(),
                base_url: tokens.base_url.clone(),
                grant: tokens.grant.clone(),
                app: tokens.app.clone(),
                extra: tokens.extra.clone(),
            })),
        }
    }

    fn into_credential(self) -> Credential {
        match self {
            Self::None => Credential::None,
            Self::Token(token) => Credential::Token(token.secret()),
            Self::Basic { user, password } => Credential::Basic {
                user: user.into_owned(),
                password: password.secret(),
            },
            Self::Address(address) => Credential::Address(address.secret()),
            Self::Oauth(tokens) => Credential::oauth(TokenSet {
                access_token: tokens.access_token.secret(),
                refresh_token: tokens.refresh_token.map(Plain::secret),
                expires_at: tokens.expires_at,
                refresh_expires_at: tokens.refresh_expires_at,
                scopes: tokens.scopes,
                token_type: tokens.token_type,
                base_url: tokens.base_url,
                grant: tokens.grant,
                app: tokens.app,
                extra: tokens.extra,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_of_credential_comes_back_whole() {
        let mut tokens = TokenSet::new(Secret::new("access \"1\""));
        tokens.refresh_token = Some(Secret::new("refresh"));
        tokens.expires_at = Some(DateTime::<Utc>::UNIX_EPOCH);
        tokens.scopes = Some(vec!["a".into()]);
        tokens.base_url = Some("https://acme.my.salesforce.com".parse().unwrap());
        tokens.grant = Grant::JwtBearer {
            subject: "ada".into(),
        };
        tokens.app = "second".into();
        tokens.extra = serde_json::json!({"places": {"login": "eu"}});
        let basic = Credential::Basic {
            user: "ada".into(),
            password: Secret::new("p\u{0}\u{1f600}"),
        };
        let all = [
            Credential::None,
            Credential::token("t"),
            basic,
            Credential::address("https://hooks.example/s3cr3t"),
            Credential::oauth(tokens),
        ];
        for credential in &all {
            let bytes = credential_to_bytes(credential).unwrap();
            let back = credential_from_bytes(&bytes).unwrap();
            assert_eq!(*credential_to_bytes(&back).unwrap(), *bytes);
            assert_eq!(format!("{back:?}"), format!("{credential:?}"));
        }
    }

    #[test]
    fn what_is_no_credential_is_refused_without_being_quoted() {
        for bytes in [
            &b"{\"token\":7,\"hunter2\":1}"[..],
            b"\"hunter2\"",
            b"",
            b"\xff",
        ] {
            let error = credential_from_bytes(bytes).unwrap_err();
            assert!(!format!("{error:?} {}", error.report()).contains("hunter2"));
        }
    }
}
