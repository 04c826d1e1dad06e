//! The sandbox: a Twenty workspace in memory, at `https://twenty.example`.
//!
//! Written from the platform's documentation, not from the connector, with its real limits: batches are
//! all or none and hold 60 records, unknown fields and objects are refused, addresses are kept in lower case
//! and as people read them, links with their origin in ASCII, phone numbers apart from their calling codes, parts that are left out as
//! Twenty leaves or drops them, upserts match unique values as they are kept
//! and bring soft-deleted records back, times are kept and ordered by the microsecond and
//! answered by the millisecond, UUIDs of version 7 are refused, permission and limit errors come as HTTP
//! 400, a `DELETE` without `soft_delete=true` destroys.

mod filter;
mod graphql;
mod kept;
mod records;
mod rest;
mod schema;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use automarket_core::{
    Bytes, Error, Platform, Result,
    chrono::{DateTime, Duration, SecondsFormat, Utc},
    http_types::{Request, Response},
    testing::{Fake, json_reply},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::PLATFORM;

/// A record as it is kept.
type Record = Map<String, Value>;

/// Status and message of a refusal.
#[derive(Debug)]
struct Refusal(u16, String);

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self(400, message.into())
    }

    /// A reference to what is not there: current servers answer it with 400, in Postgres' words as older ones.
    fn reference(column: &str, old: bool) -> Self {
        let message = format!("insert or update violates foreign key constraint on \"{column}\"");
        Self(if old { 500 } else { 400 }, message)
    }

    /// What Postgres says of a value that it cannot take. Current servers say the same of a database that
    /// takes no writes at all.
    fn value(message: &str, old: bool) -> Self {
        if old {
            Self(500, message.to_owned())
        } else {
            Self::bad("Data validation error.")
        }
    }
}

/// A Twenty workspace.
///
/// ```
/// use std::sync::Arc;
/// use automarket_connector_twenty::testing::FakeTwenty;
/// use automarket_core::testing::Sandbox;
/// let world = Sandbox::new().with(Arc::new(FakeTwenty::new()));
/// assert!(world.effects(&automarket_connector_twenty::PLATFORM).is_empty());
/// ```
#[derive(Debug)]
pub struct FakeTwenty(Mutex<State>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    /// See [`FakeTwenty::old`].
    #[serde(default)]
    old: bool,
    /// See [`FakeTwenty::revoke`].
    #[serde(default)]
    revoked: bool,
    /// See [`FakeTwenty::without_like`].
    #[serde(default)]
    without_like: bool,
    objects: Vec<schema::Object>,
    records: BTreeMap<String, Vec<Record>>,
    /// The time of the last write: a transaction has one, and each is later than the one before, mostly in
    /// the same millisecond.
    stamp: Option<DateTime<Utc>>,
    /// How many ids were given.
    ids: u64,
    per_minute: Option<usize>,
    minute: Vec<DateTime<Utc>>,
    requests: usize,
}

impl FakeTwenty {
    /// Where it is.
    pub const BASE_URL: &'static str = "https://twenty.example";
    /// The API key it takes; its workspace is [`WORKSPACE`](Self::WORKSPACE).
    pub const TOKEN: &'static str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIzYjhlNjQ1OC01ZmMxLTRlNjMtODU2My0wMDhjY2RkYWE2ZGIiLCJ0eXBlIjoiQVBJX0tFWSIsIndvcmtzcGFjZUlkIjoiM2I4ZTY0NTgtNWZjMS00ZTYzLTg1NjMtMDA4Y2NkZGFhNmRiIn0.c2FuZGJveC1zaWduYXR1cmU";
    /// The workspace's id.
    pub const WORKSPACE: &'static str = "3b8e6458-5fc1-4e63-8563-008ccddaa6db";

    /// A fresh workspace of a current server, without a request limit.
    #[must_use]
    pub fn new() -> Self {
        Self::with(false)
    }

    /// A server from before `bodyV2`, `targetPersonId` and upserts by REST: it creates only. It compares
    /// times by the microsecond.
    #[must_use]
    pub fn old() -> Self {
        Self::with(true)
    }

    /// A server whose filters of JSON values know only `is`.
    #[must_use]
    pub fn without_like(self) -> Self {
        self.lock().without_like = true;
        self
    }

    /// Answers that many requests a minute and refuses the others, as Twenty does: by HTTP 400.
    #[must_use]
    pub fn limited(self, per_minute: usize) -> Self {
        self.lock().per_minute = Some(per_minute);
        self
    }

    fn with(old: bool) -> Self {
        Self(Mutex::new(State {
            old,
            revoked: false,
            without_like: false,
            objects: schema::standard(old),
            records: BTreeMap::new(),
            stamp: None,
            ids: 0,
            per_minute: None,
            minute: Vec::new(),
            requests: 0,
        }))
    }

    /// Puts records there as an import in the database would, all with this time.
    ///
    /// # Panics
    /// When the workspace would not take one.
    pub fn import(&self, object: &str, records: Vec<Value>, at: DateTime<Utc>) {
        let bodies = records.into_iter().filter_map(|record| match record {
            Value::Object(record) => Some(record),
            _ => None,
        });
        let result = self.lock().write(object, bodies.collect(), true, at);
        if let Err(Refusal(status, message)) = result {
            panic!("{status}: {message}");
        }
    }

    /// Revokes the API key.
    pub fn revoke(&self) {
        self.lock().revoked = true;
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.lock().requests
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeTwenty {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake for FakeTwenty {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        vec!["twenty.example".to_owned()]
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut state = self.lock();
        state.requests += 1;
        if request.uri().path() == "/healthz" {
            return json_reply(200, &json!({"status": "ok"}));
        }
        let key = request.headers().get("authorization");
        let right = format!("Bearer {}", Self::TOKEN);
        if key.is_none_or(|key| key.as_bytes() != right.as_bytes()) {
            return refuse(&Refusal(401, "Token invalid.".into()));
        }
        if state.revoked {
            return revoked(request.uri().path());
        }
        if let Err(refusal) = state.spend(now) {
            return refuse(&refusal);
        }
        state
            .route(request, now)
            .unwrap_or_else(|refusal| refuse(&refusal))
    }

    /// One entry per record that can be seen: object, id and fields.
    fn effects(&self) -> Vec<Value> {
        let state = self.lock();
        let mut seen: Vec<(&str, &Record)> = state
            .records
            .iter()
            .flat_map(|(object, records)| records.iter().map(move |record| (&**object, record)))
            .filter(|(_, record)| record["deletedAt"].is_null())
            .collect();
        seen.sort_by_key(|(_, record)| record["createdAt"].as_str().map(str::to_owned));
        let entry = |(object, record): (&str, &Record)| {
            let mut entry = Map::new();
            entry.insert("object".into(), json!(object));
            let times = ["createdAt", "updatedAt", "deletedAt"];
            entry.extend(
                record
                    .iter()
                    .filter(|(name, value)| !times.contains(&name.as_str()) && !value.is_null())
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
            entry.into()
        };
        seen.into_iter().map(entry).collect()
    }

    fn save(&self) -> Value {
        serde_json::to_value(&*self.lock()).unwrap_or_default()
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state).map_err(|error| {
            Error::invalid("sandbox", "not a saved workspace").with_source(error)
        })?;
        Ok(())
    }
}

impl State {
    /// Takes a token out of the bucket.
    fn spend(&mut self, now: DateTime<Utc>) -> Result<(), Refusal> {
        let Some(limit) = self.per_minute else {
            return Ok(());
        };
        self.minute.retain(|at| now - *at < Duration::seconds(60));
        if self.minute.len() >= limit {
            let message = format!("Limit reached ({limit} tokens per 60000 ms)");
            return Err(Refusal::bad(message));
        }
        self.minute.push(now);
        Ok(())
    }

    /// The time of a transaction that begins now.
    fn stamp(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let at = match self.stamp {
            Some(last) => now.max(last + Duration::microseconds(100)),
            None => now,
        };
        self.stamp = Some(at);
        at
    }
}

/// A time as the database keeps it.
fn iso(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Not the 401 of a wrong key.
fn revoked(path: &str) -> Response<Bytes> {
    let message = "This API Key is revoked";
    match path {
        "/graphql" => json_reply(
            200,
            &json!({"errors": [{"message": message, "extensions": {"code": "FORBIDDEN"}}]}),
        ),
        _ => json_reply(
            403,
            &json!({"statusCode": 403, "error": "FORBIDDEN_EXCEPTION", "messages": [message]}),
        ),
    }
}

fn refuse(Refusal(status, message): &Refusal) -> Response<Bytes> {
    let error = match status {
        401 => "UnauthorizedException",
        403 => "ForbiddenException",
        404 => "NotFoundException",
        409 => "ConflictException",
        500 => "InternalServerErrorException",
        _ => "BadRequestException",
    };
    json_reply(
        *status,
        &json!({"statusCode": status, "error": error, "messages": [message]}),
    )
}
