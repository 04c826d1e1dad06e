use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::Value;

use super::{Fault, FaultPlan, FaultRule};
use crate::{
    Clock, Error, ErrorKind, Platform, Result, SystemClock,
    http::{Body, Transport, TransportError},
};

/// A platform in a box: a function from request to reply that remembers, with the platform's real limits
/// and error bodies. Written from the platform's sheet, not from the connector.
pub trait Fake: Send + Sync {
    /// Which platform.
    fn platform(&self) -> Platform;
    /// The host names it answers for.
    fn hosts(&self) -> Vec<String>;
    /// Whether a request to one of its hosts is for it, where several fakes share a host (Meta's): the first that
    /// says so answers, or else the first of the host.
    fn takes(&self, _request: &Request<Bytes>) -> bool {
        true
    }
    /// Answers a request at this instant.
    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes>;
    /// What it now holds that the world could see, one entry per effect, oldest first. Counts of effects
    /// are read from here.
    fn effects(&self) -> Vec<Value>;
    /// Everything it remembers.
    fn save(&self) -> Value;
    /// Remembers again what was saved.
    ///
    /// # Errors
    /// `InvalidInput` when it is of another shape.
    fn load(&self, state: Value) -> Result<()>;
}

const _: Option<&dyn Fake> = None;

/// A small world of fakes, played in process as a [`Transport`]. Where a file is named, what the fakes
/// remember is on disk before they answer, so that the world outlives a killed process.
#[derive(Clone)]
pub struct Sandbox {
    fakes: Vec<Arc<dyn Fake>>,
    faults: Arc<FaultPlan>,
    clock: Arc<dyn Clock>,
    file: Option<Arc<PathBuf>>,
    turn: Arc<Mutex<()>>,
}

impl Sandbox {
    /// An empty world on the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self {
            fakes: Vec::new(),
            faults: Arc::default(),
            clock: Arc::new(SystemClock),
            file: None,
            turn: Arc::default(),
        }
    }

    /// Adds a platform.
    ///
    /// # Panics
    /// When it has that platform: effects and what is saved are told apart by it. A login and its API are one fake,
    /// [`WithLogin`](super::WithLogin).
    #[must_use]
    pub fn with(mut self, fake: Arc<dyn Fake>) -> Self {
        let platform = fake.platform();
        assert!(
            self.fakes.iter().all(|other| other.platform() != platform),
            "the sandbox has a fake of {platform} already; a login and its API are one fake: WithLogin"
        );
        self.fakes.push(fake);
        self
    }

    /// Sets where "now" comes from.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps what the fakes remember in this file, and takes up what is there.
    ///
    /// # Errors
    /// `InvalidInput` when the file is there and is no saved world; `Storage` when it cannot be read.
    pub fn kept_at(mut self, path: &Path) -> Result<Self> {
        if path.exists() {
            let storage = |error: std::io::Error| {
                Error::new(ErrorKind::Storage, "the sandbox file cannot be read").with_source(error)
            };
            let text = std::fs::read(path).map_err(storage)?;
            let mut saved: BTreeMap<Platform, Value> =
                serde_json::from_slice(&text).map_err(|error| {
                    Error::invalid("sandbox", "not a saved sandbox").with_source(error)
                })?;
            for fake in &self.fakes {
                if let Some(state) = saved.remove(&fake.platform()) {
                    fake.load(state)?;
                }
            }
        }
        self.file = Some(Arc::new(path.to_owned()));
        Ok(self)
    }

    /// The faults to come.
    #[must_use]
    pub fn faults(&self) -> &FaultPlan {
        &self.faults
    }

    /// Lets a fault hit the next request whose path holds this text.
    pub fn fault(&self, path_contains: &str, fault: Fault) {
        self.faults.add(FaultRule::on(path_contains, fault));
    }

    /// The fakes.
    #[must_use]
    pub fn fakes(&self) -> &[Arc<dyn Fake>] {
        &self.fakes
    }

    /// What a platform now holds.
    #[must_use]
    pub fn effects(&self, platform: &Platform) -> Vec<Value> {
        self.fakes
            .iter()
            .filter(|fake| fake.platform() == *platform)
            .flat_map(|fake| fake.effects())
            .collect()
    }

    /// Lets the fake answer, and saves the world before the answer is given.
    fn answer(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let host = request.uri().host().unwrap_or_default();
        let of_host = |fake: &&Arc<dyn Fake>| fake.hosts().iter().any(|name| name == host);
        let mut of_host = self.fakes.iter().filter(of_host);
        let first = of_host.clone().next();
        let Some(fake) = of_host.find(|fake| fake.takes(request)).or(first) else {
            // For good: to be tried again, it would hide that a fake is missing.
            return Err(TransportError::new(
                ErrorKind::Refused,
                false,
                format!("the sandbox has no {host}"),
            ));
        };
        let reply = fake.handle(request, self.clock.now());
        if let Some(path) = &self.file {
            let world: BTreeMap<Platform, Value> = self
                .fakes
                .iter()
                .map(|fake| (fake.platform(), fake.save()))
                .collect();
            save(path, &world).map_err(|error| {
                TransportError::new(
                    ErrorKind::Network,
                    true,
                    format!("the sandbox cannot be saved: {error}"),
                )
            })?;
        }
        Ok(reply)
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fakes = self.fakes.iter().map(|fake| fake.platform());
        f.debug_struct("Sandbox")
            .field("fakes", &fakes.collect::<Vec<_>>())
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Transport for Sandbox {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let answer = async { Ok(self.answer(&request)?.map(Body::Full)) };
        self.faults
            .through(request.method(), request.uri().path(), answer)
            .await
    }
}

/// Writes beside and renames, so that a killed process leaves the old or the new world.
fn save(path: &Path, world: &BTreeMap<Platform, Value>) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, serde_json::to_vec(world)?)?;
    std::fs::rename(&beside, path)
}

/// A JSON answer, for fakes.
#[must_use]
pub fn json_reply(status: u16, body: &Value) -> Response<Bytes> {
    let mut reply = text_reply(status, body.to_string());
    reply.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    reply
}

/// A text answer, for fakes.
#[must_use]
pub fn text_reply(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    reply
}
