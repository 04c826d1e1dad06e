//! Names of things: the host's tenant, and the UUIDs that we give.

use std::{fmt, marker::PhantomData, str::FromStr, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{Error, Result};

/// The host's customer. Every stored row and every query carries it.
///
/// A clone shares the name: everything carries one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The host's own name for its customer: 1 to 200 bytes, no control characters.
    ///
    /// # Errors
    /// `InvalidInput` when it breaks that rule.
    pub fn new(id: impl Into<String>) -> Result<Self> {
        let id = id.into();
        if id.is_empty() || id.len() > 200 || id.chars().any(char::is_control) {
            return Err(Error::invalid(
                "tenant",
                "a tenant id is 1 to 200 bytes without control characters",
            ));
        }
        Ok(Self(id.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for TenantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A UUID of one sort of thing, so that a post's id cannot be handed in for an account's.
///
/// New ones are version 7, so they sort by time of making.
pub struct Id<T> {
    uuid: Uuid,
    of: PhantomData<fn() -> T>,
}

/// Id of an [`Account`](crate::store::Account).
pub type AccountId = Id<crate::store::Account>;
/// Id of a [`Campaign`](crate::content::Campaign).
pub type CampaignId = Id<crate::content::Campaign>;
/// Id of an [`Event`](crate::store::Event).
pub type EventId = Id<crate::store::Event>;
/// Id of a [`Job`](crate::store::Job).
pub type JobId = Id<crate::store::Job>;
/// Id of a [`Post`](crate::content::Post).
pub type PostId = Id<crate::content::Post>;
/// Id of a [`Publication`](crate::store::Publication).
pub type PublicationId = Id<crate::store::Publication>;

impl<T> Id<T> {
    /// A new id (UUID version 7).
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default id would be a different one each time"
    )]
    pub fn new() -> Self {
        Uuid::now_v7().into()
    }

    /// An id that follows from `name` (UUID version 5), so that the same name gives the same id: with any tenant. A
    /// job's id is one in the store, so name the tenant too (`"acme nightly 2027-01-11"`): a second tenant's job with
    /// the same id is refused with `Conflict`. Other ids are one in their tenant alone.
    #[must_use]
    pub fn derived(name: &str) -> Self {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).into()
    }

    /// An id that follows from `name` and `at`, and sorts by `at` among new ones, to the millisecond (UUID version 7,
    /// the name's hash in place of the random part).
    ///
    /// ```
    /// use automarket_core::{CampaignId, chrono::DateTime};
    /// let at = DateTime::UNIX_EPOCH;
    /// assert_eq!(CampaignId::derived_at("a", at), CampaignId::derived_at("a", at));
    /// assert!(CampaignId::derived_at("a", at) < CampaignId::new());
    /// ```
    #[must_use]
    pub fn derived_at(name: &str, at: DateTime<Utc>) -> Self {
        let [hash @ .., _, _, _, _, _, _] = Self::derived(name).uuid.into_bytes();
        let millis = at.timestamp_millis().try_into().unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &hash);
        id.into_uuid().into()
    }

    /// The UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<T> From<Uuid> for Id<T> {
    fn from(uuid: Uuid) -> Self {
        Self {
            uuid,
            of: PhantomData,
        }
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<T> std::hash::Hash for Id<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<T> FromStr for Id<T> {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Uuid::parse_str(text)
            .map(Self::from)
            .map_err(|error| Error::invalid("id", "not a UUID").with_source(error))
    }
}
impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}
impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from)
    }
}
