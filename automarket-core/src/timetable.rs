//! Recurring local times: a cron rule in an IANA zone.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use croner::Cron;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeStruct as _};

use crate::{Error, Result, Zone, zone::Clocks};

/// A cron rule that is read on the clocks of one zone.
///
/// Five fields (minute, hour, day of month, month, day of week), or six with seconds first; `L`, `W`, `#` and
/// nicknames such as `@daily` too. When day of month and day of week are both set, either is enough.
///
/// A local time that the clock jumps over runs at the first valid instant after the gap; one that exists
/// twice runs the first time only. So a daily rule runs once on every local day, and one that runs every few
/// minutes pauses while an hour is repeated.
///
/// ```
/// use automarket_core::Timetable;
/// let daily = Timetable::parse("30 2 * * *", "Europe/Berlin")?;
/// let at = daily.after("2027-03-27T12:00:00Z".parse().unwrap()).unwrap();
/// assert_eq!(at.to_rfc3339(), "2027-03-28T01:00:00+00:00"); // 02:30 is skipped by summer time
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Timetable {
    rule: Cron,
    written: String,
    zone: Zone,
    clocks: Clocks,
}

impl Timetable {
    /// Reads a rule and the name of its zone.
    ///
    /// # Errors
    /// `InvalidInput` naming `rule` or `zone`.
    pub fn parse(rule: &str, zone: &str) -> Result<Self> {
        let zone: Zone = zone.parse()?;
        // The reader skips what is empty; a field with nothing in it would never match.
        if rule
            .split_whitespace()
            .any(|field| field.split(',').any(str::is_empty))
        {
            return Err(Error::invalid("rule", "a list has an empty place"));
        }
        let written = rule.to_owned();
        let rule = Cron::from_str(rule).map_err(|error| {
            Error::invalid("rule", "not a cron rule such as 0 9 * * MON-FRI").with_source(error)
        })?;
        Ok(Self {
            rule,
            written,
            zone,
            clocks: Clocks::of(zone),
        })
    }

    /// The rule as it was written.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.written
    }

    /// The name of the zone.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// The first run after an instant; `None` when there is none (30 February).
    #[must_use]
    pub fn after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // The rule is matched on plain wall-clock time; what the zone makes of that is decided in one place.
        let mut wall = self.clocks.wall(instant).and_utc();
        loop {
            wall = self.rule.find_next_occurrence(&wall, false).ok()?;
            let (run, _) = self.clocks.resolve(wall.naive_utc())?;
            // Not so in the second half of a repeated hour: those times were the first half's.
            if run > instant {
                return Some(run);
            }
        }
    }
}

/// The same rule, as written, in the same zone.
impl PartialEq for Timetable {
    fn eq(&self, other: &Self) -> bool {
        (self.rule(), self.zone()) == (other.rule(), other.zone())
    }
}

impl Serialize for Timetable {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut written = serializer.serialize_struct("Timetable", 2)?;
        written.serialize_field("rule", self.rule())?;
        written.serialize_field("zone", self.zone())?;
        written.end()
    }
}

impl<'de> Deserialize<'de> for Timetable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            rule: String,
            zone: String,
        }
        let Written { rule, zone } = Written::deserialize(deserializer)?;
        Self::parse(&rule, &zone).map_err(serde::de::Error::custom)
    }
}
