//! Records: checking, creating, upserting, deleting.

use std::collections::HashMap;

use automarket_core::chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Record, Refusal, State,
    filter::answer,
    iso,
    kept::{kept, lay},
    schema::{Field, Object, parts},
};

/// The server's limit of one batch.
const MAX_BATCH: usize = 60;

impl State {
    /// Creates (or upserts) records in one transaction: all or none. Imports may be of any size.
    pub(super) fn write(
        &mut self,
        singular: &str,
        bodies: Vec<Record>,
        upsert: bool,
        at: DateTime<Utc>,
    ) -> Result<Vec<Value>, Refusal> {
        let object = self.by_singular(singular)?;
        for body in &bodies {
            self.check(&object, body)?;
        }
        let paths: Vec<&str> = object
            .fields
            .iter()
            .filter_map(|field| field.unique.as_deref())
            .collect();
        let mut records = self.records.get(singular).cloned().unwrap_or_default();
        let before = records.len();
        let mut touched = Vec::new();
        for body in bodies {
            let body = kept(&object, body, self.old)?;
            let known = records.get(..before).unwrap_or_default();
            let place = if upsert {
                matching(known, &paths, &body)?
            } else {
                None
            };
            let place = place.unwrap_or(records.len());
            if place == records.len() {
                self.ids += 1;
                let id = Uuid::new_v5(
                    &Uuid::NAMESPACE_OID,
                    format!("{singular} {}", self.ids).as_bytes(),
                );
                let mut fresh = Record::new();
                fresh.insert("id".into(), json!(id));
                fresh.insert("createdAt".into(), iso(at));
                records.push(fresh);
            }
            if let Some(record) = records.get_mut(place) {
                // The record keeps its id when it was met by another unique value.
                let id = record.get("id").filter(|_| place < before).cloned();
                lay(&object, record, body);
                record.extend(id.map(|id| ("id".to_owned(), id)));
                record.insert("updatedAt".into(), iso(at));
                record.insert("deletedAt".into(), Value::Null);
            }
            touched.push(place);
        }
        let known = |place: &usize| {
            let id = records.get(*place).map(|record| &record["id"]);
            let known = records.get(..before).unwrap_or_default();
            known.iter().any(|record| Some(&record["id"]) == id)
        };
        if self.old && !upsert && touched.iter().any(known) {
            return Err(Refusal::bad("Record already exists"));
        }
        unique(&records, &paths, &touched)?;
        let answer = |place: &usize| records.get(*place).map(answer);
        // In no order to rely on.
        let answers = touched.iter().rev().filter_map(answer).collect();
        self.records.insert(singular.to_owned(), records);
        Ok(answers)
    }

    /// A batch by the API.
    pub(super) fn batch(
        &mut self,
        object: &Object,
        body: Value,
        upsert: bool,
        at: DateTime<Utc>,
    ) -> Result<Vec<Value>, Refusal> {
        let Value::Array(items) = body else {
            return Err(Refusal::bad("Body is not an array"));
        };
        if items.is_empty() || items.len() > MAX_BATCH {
            return Err(Refusal::bad(format!(
                "Batch must hold 1 to {MAX_BATCH} records"
            )));
        }
        let bodies = items.into_iter().map(fields).collect::<Result<_, _>>()?;
        self.write(&object.singular, bodies, upsert, at)
    }

    pub(super) fn update(
        &mut self,
        object: &Object,
        id: &str,
        body: Value,
        at: DateTime<Utc>,
    ) -> Result<Value, Refusal> {
        let body = fields(body)?;
        self.check(object, &body)?;
        let body = kept(object, body, self.old)?;
        let paths: Vec<&str> = object
            .fields
            .iter()
            .filter_map(|field| field.unique.as_deref())
            .collect();
        let mut records = self
            .records
            .get(&object.singular)
            .cloned()
            .unwrap_or_default();
        let place = live(&records, id)?;
        if let Some(record) = records.get_mut(place) {
            lay(object, record, body);
            record.insert("updatedAt".into(), iso(at));
        }
        unique(&records, &paths, &[place])?;
        let answer = records.get(place).map(answer);
        self.records.insert(object.singular.clone(), records);
        Ok(answer.unwrap_or_default())
    }

    /// Soft delete; without `soft` the record is gone for good.
    pub(super) fn delete(
        &mut self,
        object: &Object,
        id: &str,
        soft: bool,
        at: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let records = self.records.entry(object.singular.clone()).or_default();
        let place = live(records, id)?;
        if soft {
            if let Some(record) = records.get_mut(place) {
                record.insert("updatedAt".into(), iso(at));
                record.insert("deletedAt".into(), iso(at));
            }
        } else {
            records.remove(place);
        }
        Ok(())
    }

    pub(super) fn get(&self, object: &Object, id: &str) -> Result<Value, Refusal> {
        let none = Vec::new();
        let records = self.records.get(&object.singular).unwrap_or(&none);
        let place = live(records, id)?;
        Ok(records.get(place).map(answer).unwrap_or_default())
    }

    fn check(&self, object: &Object, body: &Record) -> Result<(), Refusal> {
        for (name, value) in body {
            let field = object
                .fields
                .iter()
                .filter(|field| {
                    !["createdAt", "updatedAt", "deletedAt"].contains(&field.name.as_str())
                })
                .find(|field| !field.reverse && field.column() == *name);
            let Some(field) = field else {
                let message = format!(
                    "Object {} doesn't have any \"{name}\" field.",
                    object.singular
                );
                return Err(Refusal::bad(message));
            };
            self.check_value(field, value)?;
        }
        Ok(())
    }

    fn check_value(&self, field: &Field, value: &Value) -> Result<(), Refusal> {
        if value.is_null() {
            return Ok(());
        }
        let wrong = || Refusal::bad(format!("Invalid value for field \"{}\"", field.name));
        if let Some(parts) = parts(&field.kind) {
            let composite = value.as_object().ok_or_else(wrong)?;
            let odd = composite.keys().find(|key| !parts.contains(&key.as_str()));
            if let Some(odd) = odd {
                return Err(Refusal::bad(format!(
                    "Field \"{}\" doesn't have any \"{odd}\" subfield.",
                    field.name
                )));
            }
            return composite
                .values()
                .try_for_each(|value| text(value, self.old));
        }
        text(value, self.old)?;
        if value
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_err())
        {
            return Err(Refusal::value("integer out of range", self.old));
        }
        let known = match field.kind.as_str() {
            "NUMBER" | "NUMERIC" => value.is_number(),
            "BOOLEAN" => value.is_boolean(),
            "TEXT" => value.is_string(),
            "ARRAY" => value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string)),
            "DATE_TIME" => value
                .as_str()
                .is_some_and(|at| DateTime::parse_from_rfc3339(at).is_ok()),
            "SELECT" => value
                .as_str()
                .is_some_and(|word| field.words().contains(&word)),
            "MULTI_SELECT" => value.as_array().is_some_and(|items| {
                items.iter().all(|item| {
                    item.as_str()
                        .is_some_and(|word| field.words().contains(&word))
                })
            }),
            "UUID" => return id(value.as_str().unwrap_or_default()),
            "RELATION" => return self.check_relation(field, value.as_str().unwrap_or_default()),
            _ => true,
        };
        if known { Ok(()) } else { Err(wrong()) }
    }

    fn check_relation(&self, field: &Field, to: &str) -> Result<(), Refusal> {
        id(to)?;
        let records = field
            .target
            .as_ref()
            .and_then(|target| self.records.get(target));
        let there = records.is_some_and(|records| records.iter().any(|record| record["id"] == to));
        if there {
            return Ok(());
        }
        Err(Refusal::reference(&field.column(), self.old))
    }
}

/// Postgres takes no NUL.
fn text(value: &Value, old: bool) -> Result<(), Refusal> {
    match value {
        Value::String(text) if text.contains('\0') => Err(Refusal::value(
            "invalid byte sequence for encoding \"UTF8\": 0x00",
            old,
        )),
        _ => Ok(()),
    }
}

/// A UUID of version 1 to 5.
pub(super) fn id(text: &str) -> Result<(), Refusal> {
    let version = Uuid::parse_str(text).map(|uuid| uuid.get_version_num());
    match version {
        Ok(1..=5) => Ok(()),
        _ => Err(Refusal::bad(format!("'{text}' is not a valid UUID"))),
    }
}

pub(super) fn fields(body: Value) -> Result<Record, Refusal> {
    match body {
        Value::Object(fields) => Ok(fields),
        _ => Err(Refusal::bad("Body is not an object")),
    }
}

/// A value that counts for uniqueness.
fn value_at<'a>(record: &'a Record, path: &str) -> Option<&'a Value> {
    let (field, part) = path.split_once('.').unwrap_or((path, ""));
    let value = record.get(field)?;
    let value = if part.is_empty() {
        value
    } else {
        value.get(part)?
    };
    Some(value).filter(|value| !value.is_null() && **value != "")
}

/// The one record that shares a unique value with the input, soft-deleted ones included.
fn matching(records: &[Record], paths: &[&str], body: &Record) -> Result<Option<usize>, Refusal> {
    let mut found: Option<usize> = None;
    for path in paths {
        let Some(wanted) = value_at(body, path) else {
            continue;
        };
        let place = records
            .iter()
            .position(|record| value_at(record, path) == Some(wanted));
        match (found, place) {
            (Some(one), Some(other)) if one != other => {
                return Err(Refusal::bad(format!(
                    "Multiple records found with the same unique field values for {path} ({wanted}). Cannot determine which record to update."
                )));
            }
            (_, Some(place)) => found = Some(place),
            _ => {}
        }
    }
    Ok(found)
}

fn unique(records: &[Record], paths: &[&str], touched: &[usize]) -> Result<(), Refusal> {
    for path in paths {
        let mut count: HashMap<String, usize> = HashMap::new();
        let values = records.iter().filter_map(|record| value_at(record, path));
        for value in values {
            *count.entry(value.to_string()).or_default() += 1;
        }
        let mut mine = touched
            .iter()
            .filter_map(|place| value_at(records.get(*place)?, path));
        if mine.any(|value| {
            count
                .get(&value.to_string())
                .is_some_and(|count| *count > 1)
        }) {
            return Err(Refusal::bad("A duplicate entry was detected"));
        }
    }
    Ok(())
}

fn live(records: &[Record], wanted: &str) -> Result<usize, Refusal> {
    id(wanted)?;
    records
        .iter()
        .position(|record| record["id"] == wanted && record["deletedAt"].is_null())
        .ok_or_else(|| Refusal(404, "Record not found".into()))
}
