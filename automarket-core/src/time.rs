//! Instants, and local times that name their zone. There is no type for a time without a zone.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Zone, zone::Clocks};

/// How a local time met its zone's clock changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalKind {
    /// It exists once.
    Unique,
    /// The clock jumped over it: the first valid instant after the gap is taken.
    Gap,
    /// It exists twice: the first is taken.
    Fold,
}

/// An instant with the zone it was meant in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZonedTime {
    /// The instant.
    pub instant: DateTime<Utc>,
    /// The IANA zone it was given in.
    pub zone: Zone,
    /// How the local time met the zone's clock changes.
    pub kind: LocalKind,
}

impl ZonedTime {
    /// A wall-clock time (`2027-01-11T09:00`, seconds optional, a blank may stand for the `T`) in an
    /// IANA zone.
    ///
    /// ```
    /// use automarket_core::ZonedTime;
    /// let t = ZonedTime::parse("2027-03-28T02:30", "Europe/Berlin")?; // skipped by summer time
    /// assert_eq!(t.instant.to_rfc3339(), "2027-03-28T01:00:00+00:00");
    /// # Ok::<(), automarket_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` naming `local` or `zone`.
    pub fn parse(local: &str, zone: &str) -> Result<Self> {
        let zone: Zone = zone.parse()?;
        let text = local.replace(' ', "T");
        let naive = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
            .filter(|_| is_written_out(&text))
            .ok_or_else(|| Error::invalid("local", "a local time is written 2027-01-11T09:00"))?;
        let (instant, kind) = Clocks::of(zone)
            .resolve(naive)
            .ok_or_else(|| Error::invalid("local", "outside the calendar"))?;
        Ok(Self {
            instant,
            zone,
            kind,
        })
    }
}

/// When a wait that begins now is over. One that leads out of the calendar was not meant: what waits is asked for
/// after a day, as after the longest that a platform is given. One of nothing lasts a second, or whoever is refused
/// would ask on and on.
#[must_use]
pub fn wait_end(now: DateTime<Utc>, wait: std::time::Duration) -> DateTime<Utc> {
    let end = |wait| now.checked_add_signed(wait);
    let wait = wait.max(std::time::Duration::from_secs(1));
    let meant = Duration::from_std(wait).ok().and_then(end);
    meant.or_else(|| end(Duration::days(1))).unwrap_or(now)
}

/// Whether each digit stands in its place, and no leap second: there is no telling when that would be.
fn is_written_out(local: &str) -> bool {
    let (whole, fraction) = local.split_at(local.find('.').unwrap_or(local.len()));
    let mut placed = whole.bytes().zip("0000-00-00T00:00:00".bytes());
    placed.all(|(given, place)| match place {
        b'0' => given.is_ascii_digit(),
        mark => given == mark,
    }) && (whole.len() == 19 && !whole.ends_with(":60") || whole.len() == 16)
        && fraction.bytes().skip(1).all(|digit| digit.is_ascii_digit())
}

/// When something is to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// As soon as a worker takes it.
    Now,
    /// At an instant.
    At(DateTime<Utc>),
    /// At a local time of a zone.
    Local(ZonedTime),
    /// At the next free posting slot of each account (see [`Routing`](crate::store::Routing)).
    Queue,
}

impl When {
    /// At a local time of an IANA zone; see [`ZonedTime::parse`].
    ///
    /// # Errors
    /// `InvalidInput` naming `local` or `zone`.
    pub fn at(local: &str, zone: &str) -> Result<Self> {
        ZonedTime::parse(local, zone).map(Self::Local)
    }

    /// The instant, given what now is; `None` when it hangs on the account's slots.
    #[must_use]
    pub fn instant(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Now => Some(now),
            Self::At(at) => Some(at),
            Self::Local(zoned) => Some(zoned.instant),
            Self::Queue => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(local: &str, zone: &str) -> (String, LocalKind) {
        let time = ZonedTime::parse(local, zone).unwrap();
        (
            time.instant.format("%Y-%m-%dT%H:%M:%S").to_string(),
            time.kind,
        )
    }

    #[test]
    fn gaps_go_forward_and_folds_take_the_first() {
        assert_eq!(
            utc("2027-01-11T09:00", "Europe/Berlin"),
            ("2027-01-11T08:00:00".into(), LocalKind::Unique)
        );
        assert_eq!(
            utc("2027-03-28 02:30:59.5", "Europe/Berlin"),
            ("2027-03-28T01:00:00".into(), LocalKind::Gap)
        );
        assert_eq!(
            utc("2027-10-31T02:30", "Europe/Berlin"),
            ("2027-10-31T00:30:00".into(), LocalKind::Fold)
        );
        // Samoa skipped 30 December 2011 whole.
        assert_eq!(
            utc("2011-12-30T12:00", "Pacific/Apia"),
            ("2011-12-30T10:00:00".into(), LocalKind::Gap)
        );
        // Another zone and summer time at once: from 02:00 CST to 04:00 EDT.
        for (local, instant, kind) in [
            ("2007-03-11T01:30", "2007-03-11T07:30:00", LocalKind::Unique),
            ("2007-03-11T02:30", "2007-03-11T08:00:00", LocalKind::Gap),
            (
                "2007-03-11T03:59:59.5",
                "2007-03-11T08:00:00",
                LocalKind::Gap,
            ),
            ("2007-03-11T04:00", "2007-03-11T08:00:00", LocalKind::Unique),
        ] {
            let winamac = utc(local, "America/Indiana/Winamac");
            assert_eq!(winamac, (instant.into(), kind), "{local}");
        }
    }

    #[test]
    fn a_wait_ends_within_the_calendar() {
        let now = DateTime::UNIX_EPOCH;
        let waits = [0, 60, 8_200_000_000_000, 9_000_000_000_000_000, u64::MAX];
        for (wait, end) in waits
            .into_iter()
            .zip([1, 60, 8_200_000_000_000, 86_400, 86_400])
        {
            let over = wait_end(now, std::time::Duration::from_secs(wait)) - now;
            assert_eq!(over.num_seconds(), end, "{wait}");
        }
        let last = DateTime::<Utc>::MAX_UTC;
        assert_eq!(wait_end(last, std::time::Duration::from_secs(1)), last);
    }

    #[test]
    fn a_local_time_is_written_out() {
        for local in [
            "2027-01-11T09:00",
            "2027-01-11 09:00:59",
            "2027-01-11T09:00:00.25",
        ] {
            assert!(ZonedTime::parse(local, "UTC").is_ok(), "{local}");
        }
        for local in [
            "2027-1-11T09:00",
            "2027-01-11T9:0",
            "2027-01-11T09:00:5",
            "2027-01- 1T09:00",
            "2027-01-11T09: 0",
            " 2027-01-11T09:00",
            "2027-01-11T09:00 ",
            "+2027-01-11T09:00",
            "12027-01-11T09:00",
            "2027-01-11T23:59:60",
            "2027-01-11T23:59:60.5",
            "2027-01-11T09:00.5",
            "2027-01-11T09:00:00.",
            "2027-01-11T09:00:00.5Z",
            "2027-01-11T09:00Z",
            "2027-01-11",
            "",
        ] {
            let error = ZonedTime::parse(local, "UTC").unwrap_err();
            assert_eq!(error.field(), Some("local"), "{local}");
        }
    }

    #[test]
    fn nonsense_names_its_field() {
        assert_eq!(
            ZonedTime::parse("2027-13-01T09:00", "UTC")
                .unwrap_err()
                .field(),
            Some("local")
        );
        assert_eq!(
            ZonedTime::parse("2027-01-01T09:00", "Mars/Base")
                .unwrap_err()
                .field(),
            Some("zone")
        );
    }
}
