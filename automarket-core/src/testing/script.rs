use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::{
    Context, Credential, ErrorKind,
    http::{Body, Transport, TransportError},
};

/// A wire whose every request and answer is written down beforehand. A request that was not expected next
/// fails the test with both sides named.
///
/// ```
/// use automarket_core::testing::Script;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let wire = Script::new().expect("GET", "https://api.example.com/ping").reply(200, "pong");
/// let call = automarket_core::http::Call::get("ping", "https://api.example.com/ping").unwrap();
/// assert_eq!(wire.context().call(call).await.unwrap().body, "pong");
/// wire.finished();
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    exchanges: VecDeque<(Expectation, Option<ScriptedReply>)>,
    seen: Vec<Request<Bytes>>,
}

/// What the next request has to be.
#[derive(Clone, Debug)]
pub struct Expectation {
    method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    json: Option<serde_json::Value>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum ScriptedReply {
    /// A whole answer.
    Reply(StatusCode, Vec<(&'static str, String)>, Bytes),
    /// No answer; `true` when the request may have left.
    Cut(bool),
}

impl Script {
    /// An empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next request has this method and address.
    ///
    /// # Panics
    /// When the method is none.
    #[must_use]
    pub fn expect(self, method: &str, url: &str) -> Self {
        let Ok(method) = Method::from_bytes(method.as_bytes()) else {
            panic!("{method} is no method")
        };
        let expectation = Expectation {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            json: None,
        };
        self.lock().exchanges.push_back((expectation, None));
        self
    }

    /// ... and this header.
    #[must_use]
    pub fn header(self, name: &'static str, value: impl Into<String>) -> Self {
        self.last(|(expectation, _)| expectation.headers.push((name, value.into())))
    }

    /// ... and this JSON body.
    #[must_use]
    pub fn json(self, body: serde_json::Value) -> Self {
        self.last(|(expectation, _)| expectation.json = Some(body))
    }

    /// It is answered with this.
    ///
    /// # Panics
    /// When the status is none.
    #[must_use]
    pub fn reply(self, status: u16, body: impl Into<Bytes>) -> Self {
        let Ok(status) = StatusCode::from_u16(status) else {
            panic!("{status} is no status")
        };
        self.last(|(_, reply)| *reply = Some(ScriptedReply::Reply(status, Vec::new(), body.into())))
    }

    /// ... with this header in the answer.
    #[must_use]
    pub fn reply_header(self, name: &'static str, value: impl Into<String>) -> Self {
        self.last(|(_, reply)| {
            if let Some(ScriptedReply::Reply(_, headers, _)) = reply {
                headers.push((name, value.into()));
            }
        })
    }

    /// It is not answered; `sent` says whether it may have left.
    #[must_use]
    pub fn cut(self, sent: bool) -> Self {
        self.last(|(_, reply)| *reply = Some(ScriptedReply::Cut(sent)))
    }

    /// A context on this wire, with a token `test-token`.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(self.clone()).with_credential(Credential::token("test-token"))
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.lock().seen.clone()
    }

    /// Checks that everything expected came.
    ///
    /// # Panics
    /// When something did not.
    pub fn finished(&self) {
        let state = self.lock();
        assert!(
            state.exchanges.is_empty(),
            "never requested: {:?}",
            state.exchanges
        );
    }

    fn last(self, change: impl FnOnce(&mut (Expectation, Option<ScriptedReply>))) -> Self {
        match self.lock().exchanges.back_mut() {
            Some(exchange) => change(exchange),
            None => panic!("expect() comes first"),
        }
        self
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expectation {
    fn check(&self, request: &Request<Bytes>) {
        let got = format!("{} {}", request.method(), request.uri());
        assert_eq!(
            got,
            format!("{} {}", self.method, self.url),
            "an unexpected request"
        );
        for (name, value) in &self.headers {
            let header = request.headers().get(*name).map(HeaderValue::as_bytes);
            assert_eq!(header, Some(value.as_bytes()), "header {name} of {got}");
        }
        if let Some(json) = &self.json {
            let body = serde_json::from_slice::<serde_json::Value>(request.body());
            assert_eq!(body.ok().as_ref(), Some(json), "body of {got}");
        }
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let next = self.lock().exchanges.pop_front();
        let Some((expectation, reply)) = next else {
            panic!(
                "nothing was expected, but came: {} {}",
                request.method(),
                request.uri()
            )
        };
        expectation.check(&request);
        self.lock().seen.push(request);
        match reply.unwrap_or(ScriptedReply::Reply(
            StatusCode::OK,
            Vec::new(),
            Bytes::new(),
        )) {
            ScriptedReply::Cut(sent) => Err(TransportError::new(
                ErrorKind::Network,
                sent,
                "the connection broke",
            )),
            ScriptedReply::Reply(status, headers, body) => {
                let mut response = Response::new(Body::Full(body));
                *response.status_mut() = status;
                for (name, value) in headers {
                    if let Ok(value) = HeaderValue::try_from(value) {
                        response
                            .headers_mut()
                            .insert(HeaderName::from_static(name), value);
                    }
                }
                Ok(response)
            }
        }
    }
}
