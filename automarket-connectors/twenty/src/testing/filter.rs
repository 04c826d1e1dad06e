//! Filters, order and pages.

use std::cmp::Ordering;

use automarket_core::chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Record, Refusal, iso, schema::Object};

/// Servers take no more per page.
const MAX_PAGE: usize = 200;

#[derive(Debug)]
pub(super) enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Test(Test),
}

#[derive(Debug)]
pub(super) struct Test {
    path: String,
    comparator: String,
    value: Value,
}

impl Filter {
    /// `field[eq]:"value",and(..)`.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let parts = split(text)?;
        parts
            .into_iter()
            .map(Self::part)
            .collect::<Result<_, _>>()
            .map(Self::And)
    }

    fn part(text: &str) -> Result<Self, Refusal> {
        for (word, all) in [("and(", true), ("or(", false)] {
            if let Some(inner) = text
                .strip_prefix(word)
                .and_then(|rest| rest.strip_suffix(')'))
            {
                let parts = split(inner)?
                    .into_iter()
                    .map(Self::part)
                    .collect::<Result<_, _>>()?;
                return Ok(if all {
                    Self::And(parts)
                } else {
                    Self::Or(parts)
                });
            }
        }
        if let Some(inner) = text
            .strip_prefix("not(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            return Ok(Self::Not(Box::new(Self::parse(inner)?)));
        }
        let bad = || Refusal::bad(format!("Invalid filter '{text}'. eg: price[gte]:10"));
        let (path, rest) = text.split_once('[').ok_or_else(bad)?;
        let (comparator, value) = rest.split_once("]:").ok_or_else(bad)?;
        let value = match value.as_bytes().first() {
            Some(b'"' | b'[') => serde_json::from_str(value).map_err(|_| bad())?,
            Some(_) => json!(value),
            None => return Err(bad()),
        };
        Self::test(path, comparator, value)
    }

    /// `{emails: {primaryEmail: {in: [..]}}}`.
    pub(super) fn from_graphql(value: &Value) -> Result<Self, Refusal> {
        let mut parts = Vec::new();
        collect(value, "", &mut parts)?;
        Ok(Self::And(parts))
    }

    fn test(path: &str, comparator: &str, value: Value) -> Result<Self, Refusal> {
        let known = [
            "eq",
            "neq",
            "in",
            "gt",
            "gte",
            "lt",
            "lte",
            "is",
            "startsWith",
            "like",
        ];
        if !known.contains(&comparator) {
            return Err(Refusal::bad(format!(
                "comparator {comparator} not supported"
            )));
        }
        Ok(Self::Test(Test {
            path: path.to_owned(),
            comparator: comparator.to_owned(),
            value: instant(value),
        }))
    }

    /// Whether it speaks of this field; refuses fields that the object lacks.
    pub(super) fn names(&self, object: &Object, field: &str) -> Result<bool, Refusal> {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                let mut named = false;
                for part in parts {
                    named |= part.names(object, field)?;
                }
                Ok(named)
            }
            Self::Not(part) => part.names(object, field),
            Self::Test(test) => {
                let head = test.path.split('.').next().unwrap_or_default();
                if object.fields.iter().any(|field| field.column() == head) {
                    Ok(head == field)
                } else {
                    Err(Refusal::bad(format!(
                        "field '{head}' does not exist in '{}' object",
                        object.singular
                    )))
                }
            }
        }
    }

    /// Whether it asks more of a JSON value than whether it is there.
    fn compares_json(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::compares_json),
            Self::Not(part) => part.compares_json(),
            Self::Test(test) => {
                let json = ["additionalEmails", "additionalPhones", "secondaryLinks"];
                let part = test.path.rsplit('.').next().unwrap_or_default();
                json.contains(&part) && test.comparator != "is"
            }
        }
    }

    pub(super) fn holds(&self, record: &Record, old: bool) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(record, old)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(record, old)),
            Self::Not(part) => !part.holds(record, old),
            Self::Test(test) => test.holds(record, old),
        }
    }
}

impl Test {
    fn holds(&self, record: &Record, old: bool) -> bool {
        let by_millisecond = !old && ["eq", "neq", "gt", "lte"].contains(&&*self.comparator);
        let value = match at(record, &self.path) {
            value if by_millisecond => millisecond(value),
            value => instant(value.clone()),
        };
        let order = || compare(&value, &self.value);
        match self.comparator.as_str() {
            "eq" => value == self.value,
            "neq" => value != self.value,
            "in" => self
                .value
                .as_array()
                .is_some_and(|list| list.contains(&value)),
            "is" => value.is_null() == (self.value == "NULL"),
            "like" => {
                // Values that are no texts are compared as Postgres writes them.
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                let pattern: Vec<char> = self.value.as_str().unwrap_or_default().chars().collect();
                let text: Vec<char> = text.chars().collect();
                !value.is_null() && like(&pattern, &text)
            }
            "startsWith" => {
                let start = self.value.as_str().unwrap_or_default();
                value.as_str().is_some_and(|text| text.starts_with(start))
            }
            _ if value.is_null() => false,
            "gt" => order().is_gt(),
            "gte" => order().is_ge(),
            "lt" => order().is_lt(),
            _ => order().is_le(),
        }
    }
}

/// `LIKE` of SQL.
fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|from| like(rest, &text[from..])),
        ['\\', mark, rest @ ..] => text.first() == Some(mark) && like(rest, &text[1..]),
        ['_', rest @ ..] => !text.is_empty() && like(rest, &text[1..]),
        [own, rest @ ..] => text.first() == Some(own) && like(rest, &text[1..]),
    }
}

fn collect(value: &Value, path: &str, parts: &mut Vec<Filter>) -> Result<(), Refusal> {
    let Value::Object(map) = value else {
        return Err(Refusal::bad("a filter is an object"));
    };
    for (name, inner) in map {
        if let (true, "and" | "or", Value::Array(items)) = (path.is_empty(), &**name, inner) {
            let inner = items
                .iter()
                .map(Filter::from_graphql)
                .collect::<Result<_, _>>()?;
            parts.push(match &**name {
                "and" => Filter::And(inner),
                _ => Filter::Or(inner),
            });
        } else if inner.is_object() {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            collect(inner, &path, parts)?;
        } else {
            parts.push(Filter::test(path, name, inner.clone())?);
        }
    }
    Ok(())
}

/// Splits at commas outside quotes, brackets and parentheses.
fn split(text: &str) -> Result<Vec<&str>, Refusal> {
    let (mut quoted, mut depth, mut start) = (false, 0_i32, 0);
    let mut parts = Vec::new();
    for (place, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    if quoted || depth != 0 {
        return Err(Refusal::bad(format!("Invalid filter '{text}': unbalanced")));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

/// Times compare as the database has them: by the microsecond.
fn instant(value: Value) -> Value {
    time(&value).map_or(value, iso)
}

/// The beginning of a time's millisecond, by which current servers compare.
fn millisecond(value: &Value) -> Value {
    time(value).map_or_else(|| value.clone(), |at| iso(at.trunc_subsecs(3)))
}

/// A record as it is answered: a time of JavaScript has milliseconds only.
pub(super) fn answer(record: &Record) -> Value {
    let times = ["createdAt", "updatedAt", "deletedAt"];
    let shown = |(name, value): (&String, &Value)| {
        let at = time(value).filter(|_| times.contains(&&**name));
        (name.clone(), at.map_or_else(|| value.clone(), short))
    };
    record.iter().map(shown).collect::<Record>().into()
}

fn short(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn at<'a>(record: &'a Record, path: &str) -> &'a Value {
    let mut parts = path.split('.');
    let first = parts
        .next()
        .and_then(|name| record.get(name))
        .unwrap_or(&Value::Null);
    parts.fold(first, |value, part| value.get(part).unwrap_or(&Value::Null))
}

fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => left
            .as_f64()
            .partial_cmp(&right.as_f64())
            .unwrap_or(Ordering::Equal),
        // Nulls come first, as AscNullsFirst says.
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => left.to_string().cmp(&right.to_string()),
    }
}

/// One page of what the filter lets through.
pub(super) struct Query<'a> {
    pub(super) filter: Option<Filter>,
    pub(super) order_by: &'a str,
    pub(super) limit: usize,
    pub(super) after: Option<&'a str>,
    /// Whether the server compares times to the microsecond.
    pub(super) old: bool,
    /// Whether JSON values are compared by `is` alone.
    pub(super) without_like: bool,
}

/// Records, cursors in step with them, whether there is more, and how many in all.
pub(super) struct Page {
    pub(super) records: Vec<Value>,
    pub(super) cursors: Vec<String>,
    pub(super) more: bool,
    pub(super) total: usize,
}

impl Page {
    pub(super) fn info(&self) -> Value {
        json!({
            "hasNextPage": self.more,
            "startCursor": self.cursors.first(),
            "endCursor": self.cursors.last(),
        })
    }
}

pub(super) fn page(object: &Object, records: &[Record], query: Query<'_>) -> Result<Page, Refusal> {
    if query.limit == 0 || query.limit > MAX_PAGE {
        return Err(Refusal::bad(format!(
            "limit must be between 1 and {MAX_PAGE}"
        )));
    }
    let deleted_too = match &query.filter {
        Some(filter) => filter.names(object, "deletedAt")?,
        None => false,
    };
    let filter = query.filter.as_ref();
    if query.without_like && filter.is_some_and(Filter::compares_json) {
        let message = "Field \"like\" is not defined by type \"RawJsonFilter\".";
        return Err(Refusal::bad(message));
    }
    let order = order(query.order_by)?;
    let sort_key = |record: &Record| -> Vec<Value> {
        order
            .iter()
            .map(|(path, _)| at(record, path).clone())
            .collect()
    };
    let mut seen: Vec<(Vec<Value>, &Record)> = records
        .iter()
        .filter(|record| deleted_too || record["deletedAt"].is_null())
        .filter(|record| {
            query
                .filter
                .as_ref()
                .is_none_or(|filter| filter.holds(record, query.old))
        })
        .map(|record| (sort_key(record), record))
        .collect();
    let by = |left: &[Value], right: &[Value]| {
        let mut turns = order.iter().zip(left.iter().zip(right));
        let decide = turns.find_map(|((_, down), (left, right))| {
            let turn = compare(left, right);
            let turn = if *down { turn.reverse() } else { turn };
            turn.is_ne().then_some(turn)
        });
        decide.unwrap_or(Ordering::Equal)
    };
    let total = seen.len();
    if let Some(after) = query.after {
        let bytes = STANDARD.decode(after).unwrap_or_default();
        let last: Vec<Value> = serde_json::from_slice(&bytes)
            .map_err(|_| Refusal::bad(format!("Invalid cursor: {after}")))?;
        if last.len() != order.len() {
            return Err(Refusal::bad("Invalid cursor: it is of another order"));
        }
        let last: Vec<Value> = last.into_iter().map(instant).collect();
        // The cursor holds milliseconds, as every answer does: old servers ask for what is later than
        // that, to the microsecond; current ones for a later millisecond, or the same and a higher id. The
        // order is by the microsecond all the same.
        seen.retain(|(key, _)| {
            let key = key.iter().map(|value| match query.old {
                true => value.clone(),
                false => millisecond(value),
            });
            by(&key.collect::<Vec<_>>(), &last).is_gt()
        });
    }
    seen.sort_by(|(left, _), (right, _)| by(left, right));
    let more = seen.len() > query.limit;
    seen.truncate(query.limit);
    let cursor = |(key, _): &(Vec<Value>, _)| {
        let key = key
            .iter()
            .map(|value| time(value).map_or_else(|| value.clone(), short));
        STANDARD.encode(Value::from_iter(key).to_string())
    };
    Ok(Page {
        cursors: seen.iter().map(cursor).collect(),
        records: seen.into_iter().map(|(_, record)| answer(record)).collect(),
        more,
        total,
    })
}

/// `updatedAt[AscNullsFirst],name.lastName[DescNullsLast]`, and the id to decide; `true` is downwards.
fn order(text: &str) -> Result<Vec<(String, bool)>, Refusal> {
    let mut order = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let bad = || Refusal::bad(format!("Invalid order_by '{part}'"));
        let (path, way) = part
            .strip_suffix(']')
            .and_then(|part| part.split_once('['))
            .ok_or_else(bad)?;
        let down = match way {
            "AscNullsFirst" | "AscNullsLast" => false,
            "DescNullsFirst" | "DescNullsLast" => true,
            _ => return Err(bad()),
        };
        order.push((path.to_owned(), down));
    }
    if order.iter().all(|(path, _)| path != "id") {
        order.push(("id".to_owned(), false));
    }
    Ok(order)
}
