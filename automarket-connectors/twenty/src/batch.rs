//! Batches: all-or-nothing on Twenty's side, one result per record on ours.

use std::collections::{HashMap, VecDeque};

use automarket_core::{Context, Error, ErrorKind, ErrorRecord, Result, Retry, crm::Upserted};
use serde_json::{Map, Value, json};

use crate::{
    PLATFORM,
    api::{MAX_BATCH, Site},
    error,
    wire::{self, garbled},
};

/// One record to write, for one or more records of the caller (the same key twice is one record).
#[derive(Debug)]
pub(crate) struct Row {
    /// The caller's positions.
    pub(crate) at: Vec<usize>,
    /// The natural key, by which the answer is matched.
    pub(crate) key: String,
    /// The id, where the record is known or its id is derived.
    pub(crate) id: Option<String>,
    /// Whether it was there before.
    pub(crate) known: bool,
    /// What is sent.
    pub(crate) body: Map<String, Value>,
    /// The part of it that a known record has already: its address or link.
    pub(crate) held: Option<&'static str>,
}

/// Reads the natural key out of an answered record.
pub(crate) type KeyOf = fn(&Value) -> Option<String>;

/// One result per record of the caller, filled as they come.
pub(crate) struct Results(Vec<Option<Result<Upserted>>>);

impl Results {
    pub(crate) fn new(len: usize) -> Self {
        Self((0..len).map(|_| None).collect())
    }

    /// Sets the results at these positions.
    pub(crate) fn set(&mut self, at: &[usize], result: Result<Upserted>) {
        let Some((last, others)) = at.split_last() else {
            return;
        };
        for index in others {
            let copy = match &result {
                Ok(upserted) => Ok(upserted.clone()),
                Err(error) => Err(copy(error)),
            };
            self.put(*index, copy);
        }
        self.put(*last, result);
    }

    fn put(&mut self, index: usize, result: Result<Upserted>) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(result);
        }
    }

    /// All results. `stop` is why not every record was reached: when none was written it is the answer to
    /// the whole call, else those not reached carry it.
    pub(crate) fn finish(self, stop: Option<Error>) -> Result<Vec<Result<Upserted>>> {
        let written = self.0.iter().any(|slot| matches!(slot, Some(Ok(_))));
        let stop = match stop {
            Some(error) if !written => return Err(error),
            Some(error) => error,
            None => {
                Error::new(ErrorKind::Internal, "a record was left out").with_platform(&PLATFORM)
            }
        };
        let fill = |slot: Option<Result<Upserted>>| slot.unwrap_or_else(|| Err(copy(&stop)));
        Ok(self.0.into_iter().map(fill).collect())
    }
}

/// Rows with the same key become one: what the later says lays over the earlier.
pub(crate) fn merged(rows: Vec<Row>) -> Vec<Row> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let known = places.get(&row.key).and_then(|at| merged.get_mut(*at));
        if let Some(earlier) = known {
            earlier.body.extend(row.body);
            earlier.at.extend(row.at);
        } else {
            places.insert(row.key.clone(), merged.len());
            merged.push(row);
        }
    }
    merged
}

fn copy(error: &Error) -> Error {
    ErrorRecord::from(error).into()
}

/// Writes the rows. A batch that is refused is halved until one bad record stands alone; the others go
/// on together. So each bad record costs about log2(60) + 2 calls. An error that is not of a record
/// (limits, network, credential) ends it.
pub(crate) async fn write(
    cx: &Context,
    site: &Site,
    plural: &str,
    rows: &[Row],
    key_of: KeyOf,
    results: &mut Results,
) -> Result<()> {
    let mut waiting: VecDeque<&Row> = rows.iter().collect();
    while !waiting.is_empty() {
        let mut suspects: Vec<&Row> = waiting.drain(..waiting.len().min(MAX_BATCH)).collect();
        let mut error = match send(cx, site, plural, &suspects, key_of, results).await {
            Ok(()) => continue,
            Err(error) if error::refuses_the_record(&error) => error,
            Err(error) => return Err(error),
        };
        // Whether the suspects, as they are, were refused.
        let mut sent = true;
        while suspects.len() > 1 {
            let others = suspects.split_off(suspects.len() / 2);
            match send(cx, site, plural, &suspects, key_of, results).await {
                // This half is good, so the bad one is among the others.
                Ok(()) => (suspects, sent) = (others, false),
                Err(own) if error::refuses_the_record(&own) => {
                    (error, sent) = (own, true);
                    others
                        .into_iter()
                        .rev()
                        .for_each(|row| waiting.push_front(row));
                }
                Err(error) => return Err(error),
            }
        }
        // The batch may have been too large, or in a race that is over: then nobody is bad.
        if !sent {
            match send(cx, site, plural, &suspects, key_of, results).await {
                Err(own) if error::refuses_the_record(&own) => error = own,
                end => {
                    end?;
                    continue;
                }
            }
        }
        for row in suspects {
            results.set(&row.at, Err(copy(&error)));
        }
    }
    Ok(())
}

async fn send(
    cx: &Context,
    site: &Site,
    plural: &str,
    rows: &[&Row],
    key_of: KeyOf,
    results: &mut Results,
) -> Result<()> {
    let bodies = rows.iter().map(|row| row.body.clone().into()).collect();
    let call = site.upsert_batch(plural, &Value::Array(bodies))?;
    let reply = match (site.send_upsert(cx, call).await, rows) {
        // As Twenty writes it now, its address is another record's, too: the id says which is meant.
        (Err(error), [row]) if error.kind() == ErrorKind::Conflict && row.held.is_some() => {
            let mut body = row.body.clone();
            body.retain(|name, _| Some(&**name) != row.held);
            let call = site.upsert_batch(plural, &json!([body]))?;
            site.send_upsert(cx, call).await?
        }
        (reply, _) => reply?,
    };
    let records = wire::page(&reply)?.records;
    if records.len() > rows.len() {
        return Err(garbled(&reply, "more results than records"));
    }
    for row in rows {
        // The order of the answer is not promised, so records are known by id or key.
        let ours = |record: &&Value| match &row.id {
            Some(id) => record["id"] == id.as_str(),
            None => key_of(record).as_deref() == Some(&row.key),
        };
        let result = match records.iter().find(ours) {
            Some(record) => upserted(record, row.known),
            None => {
                Err(garbled(&reply, "no result for this record").with_retry(Retry::After(None)))
            }
        };
        results.set(&row.at, result);
    }
    Ok(())
}

/// The end of one upsert. Twenty does not say whether it created: a new record was never updated.
pub(crate) fn upserted(record: &Value, known: bool) -> Result<Upserted> {
    let (created, updated) = (record["createdAt"].as_str(), record["updatedAt"].as_str());
    let created = match (known, created, updated) {
        (true, ..) => Some(false),
        (false, Some(created), Some(updated)) => Some(created == updated),
        _ => None,
    };
    Ok(Upserted {
        id: wire::id(record)?,
        created,
    })
}
