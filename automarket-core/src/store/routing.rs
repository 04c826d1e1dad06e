use serde::{Deserialize, Serialize};

use crate::{AccountId, Result, Timetable};

/// How an account publishes: when its queue runs, and which way is taken when its own surely failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routing {
    /// Its posting slots.
    pub slots: Vec<Slots>,
    /// The account that is used instead, when this one surely could not.
    pub fallback: Option<AccountId>,
}

/// One half of a [`Routing`], which is put without touching the other. Its JSON is that half's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoutingPart {
    /// Its posting slots.
    Slots(Vec<Slots>),
    /// The account that is used instead, if any.
    Fallback(Option<AccountId>),
}

/// Posting slots that recur: a cron rule on the clocks of a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// Such as `0 9 * * MON-FRI`; see [`Timetable`].
    pub rule: String,
    /// An IANA zone.
    pub zone: String,
}

impl Slots {
    /// Slots by a rule in a zone; see [`Timetable::parse`].
    ///
    /// # Errors
    /// `InvalidInput` naming `rule` or `zone`.
    pub fn new(rule: impl Into<String>, zone: impl Into<String>) -> Result<Self> {
        let slots = Self {
            rule: rule.into(),
            zone: zone.into(),
        };
        slots.timetable()?;
        Ok(slots)
    }

    /// When they are.
    ///
    /// # Errors
    /// As [`Slots::new`].
    pub fn timetable(&self) -> Result<Timetable> {
        Timetable::parse(&self.rule, &self.zone)
    }
}
