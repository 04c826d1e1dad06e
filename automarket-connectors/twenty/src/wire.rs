//! Twenty's JSON as it spells it. Wrappers differ between server versions, so lists and records are looked
//! for instead of being taken from one place.

use automarket_core::{Error, ErrorKind, Result, Retry, http::Effect, http::Reply};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Pages of a list that are read.
pub(crate) const PAGES: usize = 200;

/// A page of records.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<Value>,
    pub(crate) next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

/// An object of the schema.
#[derive(Clone, Debug)]
pub(crate) struct ObjectMeta {
    pub(crate) id: String,
    pub(crate) singular: String,
    pub(crate) plural: String,
    pub(crate) fields: Vec<Value>,
}

impl ObjectMeta {
    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|known| known["name"] == field)
    }
}

/// An answer that is not what Twenty documents. All our calls but the pass-through repeat without a second
/// effect, so it may be asked again.
pub(crate) fn garbled(reply: &Reply, message: &str) -> Error {
    let error = reply.unexpected(message).with_platform(&crate::PLATFORM);
    if reply.effect() == Effect::Read {
        error.with_retry(Retry::After(None))
    } else {
        error
    }
}

/// A list that has more pages than are read.
pub(crate) fn endless() -> Error {
    Error::new(ErrorKind::UnexpectedReply, "a list does not end")
        .with_platform(&crate::PLATFORM)
        .with_retry(Retry::After(None))
}

pub(crate) fn json(reply: &Reply) -> Result<Value> {
    reply
        .json()
        .map_err(|error| garbled(reply, "the answer is not JSON").with_source(error))
}

/// A page of a list: `{"data":{"people":[..]},"pageInfo":{..}}`, `{"data":[..]}` or `[..]`; the items
/// themselves or GraphQL edges.
pub(crate) fn page(reply: &Reply) -> Result<Page> {
    let body = json(reply)?;
    let data = body.get("data").unwrap_or(&body);
    let holder = match data {
        Value::Object(map) => map.values().find(|v| list(v).is_some()),
        other => Some(other),
    };
    let Some(records) = holder.and_then(list) else {
        return Err(garbled(reply, "the answer holds no list"));
    };
    let info = [Some(&body), Some(data), holder]
        .into_iter()
        .flatten()
        .find_map(|place| place.get("pageInfo"));
    let info: PageInfo = info
        .and_then(|info| serde_json::from_value(info.clone()).ok())
        .unwrap_or_default();
    Ok(Page {
        records,
        next: info.end_cursor.filter(|_| info.has_next_page),
    })
}

/// The record of a single write: `{"data":{"createPerson":{"id":..}}}`, or bare.
pub(crate) fn record(reply: &Reply) -> Result<Value> {
    let body = json(reply)?;
    find_record(&body)
        .cloned()
        .ok_or_else(|| garbled(reply, "the answer holds no record with an id"))
}

fn find_record(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(map) if map.get("id").is_some_and(Value::is_string) => Some(value),
        Value::Object(map) => map.values().find_map(find_record),
        Value::Array(items) => items.first().and_then(find_record),
        _ => None,
    }
}

/// The objects of the schema, on one page of it.
pub(crate) fn objects(reply: &Reply) -> Result<(Vec<ObjectMeta>, Option<String>)> {
    let page = page(reply)?;
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let objects = page
        .records
        .iter()
        .map(|item| ObjectMeta {
            id: text(item, "id"),
            singular: text(item, "nameSingular"),
            plural: text(item, "namePlural"),
            fields: item.get("fields").and_then(list).unwrap_or_default(),
        })
        .collect();
    Ok((objects, page.next))
}

/// The items of a list, or the nodes of a GraphQL connection.
fn list(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items.clone()),
        Value::Object(map) => map.get("edges")?.as_array().map(|edges| {
            edges
                .iter()
                .map(|edge| edge.get("node").unwrap_or(edge).clone())
                .collect()
        }),
        _ => None,
    }
}

/// A JSON object of these pairs.
pub(crate) fn object<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The id of a record.
pub(crate) fn id(record: &Value) -> Result<String> {
    record["id"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::new(ErrorKind::UnexpectedReply, "a record without an id"))
}
