//! Who speaks: the URN of a member or an organisation.

use automarket_core::{Context, Error, ErrorKind, Result};

use crate::{PLATFORM, api::Api, identify::member};

const MEMBER: &str = "urn:li:person:";
const ORGANIZATION: &str = "urn:li:organization:";

/// The author of posts, by its URN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author(String);

impl Author {
    /// The context's account, or without one the member whose token it is.
    pub(crate) async fn of(cx: &Context, api: &Api<'_>) -> Result<Self> {
        match cx.account() {
            Some(account) => Self::read(&account.remote_id),
            None => Ok(Self(member(cx, api).await?.remote_id)),
        }
    }

    pub(crate) fn read(urn: &str) -> Result<Self> {
        let id = urn
            .strip_prefix(MEMBER)
            .or_else(|| urn.strip_prefix(ORGANIZATION));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_some_and(|id| !id.is_empty() && id.chars().all(plain)) {
            return Ok(Self(urn.to_owned()));
        }
        Err(Error::new(
            ErrorKind::Config,
            "the account's id is no URN of a LinkedIn member or organisation",
        )
        .with_platform(&PLATFORM)
        .with_remedy("connect the account with a remote_id that identify gives, such as urn:li:organization:5515715"))
    }

    pub(crate) fn urn(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_member(&self) -> bool {
        is_member(&self.0)
    }
}

/// Whether this is the URN of a member.
pub(crate) fn is_member(urn: &str) -> bool {
    urn.starts_with(MEMBER)
}

/// The URN of a member.
pub(crate) fn person(id: &str) -> String {
    format!("{MEMBER}{id}")
}

/// The number of an organisation.
pub(crate) fn organization(urn: &str) -> Option<&str> {
    let id = urn.strip_prefix(ORGANIZATION)?;
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}
