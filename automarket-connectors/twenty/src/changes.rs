//! Reading changes: live records by time of change, then the soft-deleted ones, one page per call.
//!
//! Twenty orders by the microsecond, but its answers and its own cursor hold milliseconds, so that cursor
//! loses records or stands still. We go on from the last millisecond instead, leave out what we have told of
//! it, and read a millisecond that fills a page by id.
//!
//! Records that a slow transaction shows late are found since each sweep reads again what is younger than
//! [`LOOK_BACK`] before the last one began; what it has told already it does not tell twice.

use automarket_core::{
    Context, Error, ErrorKind, Result, Retry,
    chrono::{DateTime, Duration, SecondsFormat, SubsecRound as _, Utc},
    crm::{Changes, Record},
    http::{Call, Reply},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{PLATFORM, api::Site, rows::invalid, wire};

/// How long a change may stay invisible: the longest transaction we allow for.
const LOOK_BACK: Duration = Duration::seconds(60);

/// Changes remembered at the most, to tell them once. Beyond, some of the last minute are told again.
const REMEMBERED: usize = 2_000;

/// Where a reader stands. Opaque to hosts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The sweep tells what changed at or after this instant.
    from: Option<DateTime<Utc>>,
    /// When the sweep began, by the server's clock.
    began: Option<DateTime<Utc>>,
    /// The youngest change told.
    youngest: Option<DateTime<Utc>>,
    /// Whether the live records are through and the deleted ones are on.
    deleted: bool,
    /// The millisecond that the pass has come to.
    #[serde(default)]
    at: Option<DateTime<Utc>>,
    /// What was told of that millisecond.
    #[serde(default)]
    seen: Vec<u64>,
    /// Whether that millisecond alone is read, by id.
    #[serde(default)]
    whole: bool,
    /// Twenty's own cursor within that millisecond.
    #[serde(default)]
    after_id: Option<String>,
    /// What the sweep before told of the time that is read again.
    before: Vec<u64>,
    /// What this sweep told of the time that will be read again.
    told: Vec<u64>,
}

impl Cursor {
    pub(crate) fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else {
            return Ok(Self::default());
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        serde_json::from_slice(&bytes)
            .map_err(|error| invalid("cursor", "not a cursor of this connector").with_source(error))
    }

    fn text(&self) -> Result<String> {
        let bytes = serde_json::to_vec(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "the cursor cannot be written").with_source(error)
        })?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn call(&self, site: &Site, plural: &str) -> Result<Call> {
        let mut filter = Vec::new();
        let iso = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        if let Some(from) = self.at.or(self.from) {
            filter.push(format!("updatedAt[gte]:\"{}\"", iso(from)));
            if self.whole {
                let end = from + Duration::milliseconds(1);
                filter.push(format!("updatedAt[lt]:\"{}\"", iso(end)));
            }
        }
        if self.deleted {
            // Deleted records are left out unless the filter names the field; deleting counts as a change.
            filter.push("deletedAt[is]:NOT_NULL".to_owned());
        }
        let filter = filter.join(",");
        let order = match self.whole {
            true => "id[AscNullsFirst]",
            false => "updatedAt[AscNullsFirst],id[AscNullsFirst]",
        };
        let mut query = vec![("order_by", order), ("limit", "60")];
        if !filter.is_empty() {
            query.push(("filter", &filter));
        }
        query.extend(
            self.after_id
                .as_deref()
                .map(|after| ("starting_after", after)),
        );
        site.list(plural, &query)
    }

    /// Takes up a page and says what changed.
    pub(crate) fn take(mut self, cx: &Context, reply: &Reply) -> Result<Changes> {
        let page = wire::page(reply)?;
        let began = *self.began.get_or_insert_with(|| server_time(cx, reply));
        let records = page
            .records
            .into_iter()
            .map(record)
            .collect::<Result<Vec<_>>>()?;
        let (first, last) = (records.first().and_then(ms), records.last().and_then(ms));
        let moves = match (&page.next, self.whole) {
            (None, _) => true,
            (next, true) => *next != self.after_id,
            (_, false) => last > self.at || last.is_some() && last == self.at && first == last,
        };
        if !moves {
            let error = wire::garbled(reply, "the pages do not get on");
            return Err(error.with_retry(Retry::Never));
        }
        let mut changes = Changes::default();
        let mut seen = Vec::new();
        for record in records {
            let mark = mark(&record, self.deleted);
            if ms(&record) == last {
                seen.push(mark);
            }
            if self.seen.contains(&mark) {
                continue;
            }
            if let Some(at) = record.updated_at {
                self.youngest = self.youngest.max(Some(at));
                if at >= began - LOOK_BACK && self.told.len() < REMEMBERED {
                    self.told.push(mark);
                }
            }
            if self.before.contains(&mark) {
                continue;
            }
            if self.deleted {
                changes.deleted.push(record.id);
            } else {
                changes.records.push(record);
            }
        }
        changes.more = page.next.is_some() || self.whole || !self.deleted;
        let next = match (page.next, self.whole) {
            (next @ Some(_), true) => Self {
                after_id: next,
                ..self
            },
            (None, true) => Self {
                at: self.at.map(|at| at + Duration::milliseconds(1)),
                seen: Vec::new(),
                whole: false,
                after_id: None,
                ..self
            },
            (Some(_), false) => Self {
                at: last,
                seen,
                whole: first == last,
                ..self
            },
            (None, false) if self.deleted => self.next_sweep(began),
            (None, false) => Self {
                deleted: true,
                at: None,
                seen: Vec::new(),
                ..self
            },
        };
        changes.cursor = Some(next.text()?);
        Ok(changes)
    }

    /// What is older than the look-back cannot grow any more, so it need not be read again, however many
    /// records share its last instant.
    fn next_sweep(self, began: DateTime<Utc>) -> Self {
        let settled = began - LOOK_BACK;
        let from = match self.youngest {
            Some(youngest) if youngest <= settled => Some(youngest + Duration::milliseconds(1)),
            Some(_) => Some(settled),
            None => self.from,
        };
        Self {
            from: from.max(self.from),
            youngest: self.youngest,
            before: self.told,
            ..Self::default()
        }
    }
}

fn server_time(cx: &Context, reply: &Reply) -> DateTime<Utc> {
    reply
        .header("date")
        .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
        .map_or_else(|| cx.now(), |date| date.to_utc())
        .trunc_subsecs(3)
}

/// When it changed, as Twenty's answers say it.
fn ms(record: &Record) -> Option<DateTime<Utc>> {
    record.updated_at.map(|at| at.trunc_subsecs(3))
}

/// A number for this state of this record.
fn mark(record: &Record, deleted: bool) -> u64 {
    let at = record.updated_at.map(|at| at.timestamp_micros());
    let name = format!("{} {at:?} {deleted}", record.id);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
        .as_u64_pair()
        .0
}

/// A record as it stands in an answer.
pub(crate) fn record(value: Value) -> Result<Record> {
    let id = wire::id(&value).map_err(|error| error.with_platform(&PLATFORM))?;
    let updated_at = value["updatedAt"].as_str().and_then(|at| at.parse().ok());
    Ok(Record {
        id,
        fields: value,
        updated_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_our_own_or_of_the_version_before() {
        let parse = |text: &str| Cursor::parse(Some(&URL_SAFE_NO_PAD.encode(text)));
        assert!(parse(r#"{"x":1}"#).is_err());
        let before = r#"{"from":null,"began":null,"youngest":null,"deleted":true,"after":"x","before":[],"told":[]}"#;
        assert!(parse(before).is_ok_and(|cursor| cursor.deleted));
    }
}
