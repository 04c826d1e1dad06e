//! The fake platform: a process of its own on a loopback socket, whose log is on disk before it answers.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use automarket::{
    ErrorKind,
    core::{
        Bytes, async_trait,
        http_types::{Method, Request, Response},
    },
    http::{Body, Transport, TransportError},
    testing::{Fault, FaultPlan, FaultRule, FaultTransport, Sandbox, Server, text_reply},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

use crate::{Result, connectors, log::Log, place::Place};

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct FakeConfig {
    pub(crate) log: PathBuf,
    /// Where the time comes from.
    pub(crate) place: Option<Place>,
    /// Which connector's platform; without one a ledger, which keeps what jobs tell it.
    pub(crate) connector: Option<String>,
    /// What happens to the posts, in turn; see [`AMBIGUOUS`].
    pub(crate) faults: Vec<String>,
    pub(crate) limit: Option<Limit>,
}

/// So many posts are taken, then all requests are refused for a while, again and again.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Limit {
    pub(crate) posts: usize,
    pub(crate) seconds: u64,
}

/// The faults that leave open whether anything happened: the platform does it, and then this.
pub(crate) const AMBIGUOUS: [&str; 5] = ["cut", "hang", "502", "half", "garbage"];

fn fault(name: &str) -> Result<Fault> {
    Ok(match name {
        "cut" => Fault::CutAfter,
        "hang" => Fault::HangAfter,
        "502" => Fault::StatusAfter(502),
        "half" => Fault::HalfAfter,
        "garbage" => Fault::GarbageAfter,
        other => return Err(format!("there is no fault {other}").into()),
    })
}

/// The mark in a text, by which a post is known wherever it turns up.
pub(crate) fn mark(text: &str) -> Option<String> {
    let start = text.find("chaos-")?;
    let digits = text[start + 6..]
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    (digits > 0).then(|| text[start..start + 6 + digits].to_owned())
}

pub(crate) async fn main(config: &str) -> Result<()> {
    let config: FakeConfig = serde_json::from_str(config)?;
    let log = Arc::new(Log::create(&config.log)?);
    let (transport, host): (Arc<dyn Transport>, _) = match &config.connector {
        None => {
            let effects = std::sync::Mutex::default();
            (Arc::new(Ledger { log, effects }), "ledger.example")
        }
        Some(name) => {
            let connector = connectors::find(name)?;
            let place = config
                .place
                .as_ref()
                .ok_or("a fake has the time of its world")?;
            let sandbox = Sandbox::new().with_clock(place.clock());
            let platform = Published {
                sandbox: sandbox.with((connector.fake)()),
                logged: Mutex::default(),
                log: log.clone(),
            };
            let mut transport: Arc<dyn Transport> = Arc::new(platform);
            let plan = Arc::new(FaultPlan::new());
            for name in &config.faults {
                let (method, path) = connector.write.clone();
                plan.add(FaultRule::on(path, fault(name)?).method(method));
            }
            transport = Arc::new(Faulty {
                inner: FaultTransport::new(transport, plan.clone()),
                plan,
                logged: Mutex::new(0),
                log: log.clone(),
            });
            if let Some(limit) = config.limit {
                transport = Arc::new(Limited {
                    inner: transport,
                    write: connector.write.clone(),
                    limit,
                    window: Mutex::default(),
                    log,
                });
            }
            (transport, connector.host)
        }
    };
    let server = Server::start(Arc::new(ToTheEnd(transport)), host).await?;
    println!("{}", server.base_url());
    std::future::pending().await
}

/// What a platform was asked it does, also when nobody waits for the answer any more.
struct ToTheEnd(Arc<dyn Transport>);

#[async_trait]
impl Transport for ToTheEnd {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let inner = self.0.clone();
        let done = tokio::spawn(async move { inner.send(request).await }).await;
        done.unwrap_or_else(|_| {
            Err(TransportError::new(
                ErrorKind::Network,
                true,
                "the fake panicked",
            ))
        })
    }
}

/// `POST /<list>/<id>/<by>/<run>` is written down. `GET /effects/<id>/<run>` says whether it was; if not, nobody but
/// who asked can have that effect any more: what others sent before may be on its way yet.
struct Ledger {
    log: Arc<Log>,
    effects: std::sync::Mutex<HashMap<String, Known>>,
}

enum Known {
    Had,
    /// Left to this run alone.
    LeftTo(String),
}

impl Ledger {
    /// Whether this run may have the effect: it has it.
    fn take(&self, id: &str, run: &str) -> bool {
        let mut effects = self.effects.lock().unwrap();
        let late = matches!(effects.get(id), Some(Known::LeftTo(other)) if other != run);
        if !late {
            effects.insert(id.to_owned(), Known::Had);
        }
        !late
    }

    fn find(&self, id: &str, run: &str) -> bool {
        let mut effects = self.effects.lock().unwrap();
        let had = matches!(effects.get(id), Some(Known::Had));
        if !had {
            effects.insert(id.to_owned(), Known::LeftTo(run.to_owned()));
        }
        had
    }
}

#[async_trait]
impl Transport for Ledger {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let path = request.uri().path().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let status = match (request.method(), parts.as_slice()) {
            (&Method::POST, ["effects", id, by, run]) if !self.take(id, run) => {
                self.log.write("late", id, by).await;
                409
            }
            (&Method::POST, [list, id, by, _]) => {
                self.log.write(list, id, by).await;
                201
            }
            (&Method::GET, ["effects", id, run]) if self.find(id, run) => 200,
            _ => 404,
        };
        Ok(text_reply(status, "{}").map(Body::Full))
    }
}

/// A connector's fake; what is new among its effects is written down before it answers.
struct Published {
    sandbox: Sandbox,
    logged: Mutex<HashSet<String>>,
    log: Arc<Log>,
}

#[async_trait]
impl Transport for Published {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let mut logged = self.logged.lock().await;
        let answer = self.sandbox.send(request).await;
        for fake in self.sandbox.fakes() {
            for (id, text) in fake.effects().iter().flat_map(effects) {
                if logged.insert(id) {
                    let mark = mark(&text).unwrap_or(text);
                    self.log
                        .write("effects", &mark, fake.platform().as_str())
                        .await;
                }
            }
        }
        answer
    }
}

/// An effect, and the comments that it shows as parts of it: what tells each from the others, and its words.
fn effects(effect: &Value) -> Vec<(String, String)> {
    let mut effect = effect.clone();
    let comments = effect.as_object_mut().and_then(|e| e.remove("comments"));
    let id = ["id", "uuid", "urn"]
        .iter()
        .find_map(|name| effect[name].as_str())
        .map_or_else(|| effect.to_string(), str::to_owned);
    let comments = comments.as_ref().and_then(Value::as_array).into_iter();
    let comments = comments.flatten().enumerate();
    let comments = comments.map(|(n, said)| (format!("{id} {n}"), said.to_string()));
    let comments = comments.collect::<Vec<_>>();
    [vec![(id, effect.to_string())], comments].concat()
}

/// Writes down, in the list `faults`, each fault that hit; one that hangs when the next request comes.
struct Faulty {
    inner: FaultTransport,
    plan: Arc<FaultPlan>,
    logged: Mutex<usize>,
    log: Arc<Log>,
}

#[async_trait]
impl Transport for Faulty {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let answer = self.inner.send(request).await;
        let mut logged = self.logged.lock().await;
        let hits = self.plan.hits();
        for hit in &hits[*logged..] {
            self.log.write("faults", hit, "fake").await;
        }
        *logged = hits.len();
        answer
    }
}

/// See [`Limit`]. Each refused request is written down in the list `refused`, with the number of its window.
struct Limited {
    inner: Arc<dyn Transport>,
    write: (Method, &'static str),
    limit: Limit,
    window: Mutex<Window>,
    log: Arc<Log>,
}

#[derive(Default)]
struct Window {
    number: usize,
    /// Posts that it took.
    taken: usize,
    /// Until when everything is refused.
    closed: Option<Instant>,
}

#[async_trait]
impl Transport for Limited {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let mut window = self.window.lock().await;
        if let Some(until) = window.closed {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let number = window.number.to_string();
                drop(window);
                self.log
                    .write("refused", &number, request.method().as_str())
                    .await;
                let mut reply = text_reply(429, "{\"message\":\"Too Many Attempts.\"}");
                let wait = (left.as_millis().div_ceil(1000)).to_string();
                let headers = reply.headers_mut();
                headers.insert("retry-after", wait.parse().expect("digits are a header"));
                return Ok(reply.map(Body::Full));
            }
            *window = Window {
                number: window.number + 1,
                ..Window::default()
            };
        }
        let (method, path) = &self.write;
        if request.method() == method && request.uri().path().ends_with(path) {
            window.taken += 1;
            if window.taken >= self.limit.posts {
                window.closed = Some(Instant::now() + Duration::from_secs(self.limit.seconds));
            }
        }
        drop(window);
        self.inner.send(request).await
    }
}
