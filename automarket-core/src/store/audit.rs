use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rows::damaged;
use crate::{AccountId, Error, Result, TenantId};

/// What was done to an account or its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditAction {
    /// It was connected, or its credential replaced by hand.
    Connect,
    /// Its credential was opened for use; sampled.
    Use,
    /// Its credential was renewed.
    Refresh,
    /// Its credential was sealed under another key.
    Rotate,
    /// Its credential was shown to somebody.
    Reveal,
    /// Its credential was withdrawn at the platform.
    Revoke,
    /// Its credential was handed out to be taken elsewhere.
    Export,
    /// Its credential was erased here.
    Forget,
}

impl AuditAction {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Use,
        Self::Refresh,
        Self::Rotate,
        Self::Reveal,
        Self::Revoke,
        Self::Export,
        Self::Forget,
    ];

    /// The stable spelling used in rows and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Use => "use",
            Self::Refresh => "refresh",
            Self::Rotate => "rotate",
            Self::Reveal => "reveal",
            Self::Revoke => "revoke",
            Self::Export => "export",
            Self::Forget => "forget",
        }
    }
}

impl FromStr for AuditAction {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == text);
        found.ok_or_else(|| damaged("an action of the audit trail"))
    }
}

/// Something to be written into the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAudit {
    /// Whose it is.
    pub tenant: TenantId,
    /// About which account.
    pub account: AccountId,
    /// What was done.
    pub action: AuditAction,
    /// By whom: a name the host gave, or `automarket` for what the library does by itself.
    pub who: String,
    /// Why.
    pub why: String,
    /// What came of it: `done`, or an error's kind. Never a secret.
    pub outcome: String,
}

/// Something in the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// What it says.
    #[serde(flatten)]
    pub entry: NewAudit,
    /// Its place: grows, with gaps.
    pub sequence: i64,
    /// When, by the store's clock.
    pub at: DateTime<Utc>,
}

/// The audit trail: appended, never changed. Only retention and erasure take rows out.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Appends entries, in order, all or none.
    async fn append_audit(&self, entries: &[NewAudit]) -> Result<()>;
    /// The tenant's entries after a place, oldest first, at most `limit`.
    async fn audit(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Audit>>;
    /// Takes out entries of all tenants from before this instant: of the oldest `limit` those that are so; how
    /// many. Entries of a time to come, by a clock that was set back since, are passed by.
    async fn remove_audit(&self, before: DateTime<Utc>, limit: usize) -> Result<usize>;
    /// Takes out the tenant's entries about one account; how many.
    async fn erase_audit_of(&self, tenant: &TenantId, account: AccountId) -> Result<u64>;
}
