//! A small site in a box.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use automarket_core::{
    Bytes, Error, Platform, Result, Url,
    chrono::{DateTime, Utc},
    http_types::{HeaderValue, Request, Response, StatusCode, header},
    testing::{Fake, text_reply},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::PLATFORM;

/// The fake: serves the pages it was given, redirects where it was told to, and answers 404 elsewhere.
/// Reading has no effects, so it has none.
#[derive(Debug, Default)]
pub struct FakeSite {
    answers: Mutex<BTreeMap<String, Answer>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    status: u16,
    content_type: String,
    location: Option<String>,
    body: Vec<u8>,
}

impl FakeSite {
    /// A site without pages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves this at the address, as `text/html; charset=utf-8`.
    #[must_use]
    pub fn with_page(self, url: &str, html: &str) -> Self {
        self.with_file(url, "text/html; charset=utf-8", html.as_bytes())
    }

    /// Serves these bytes at the address under a media type.
    #[must_use]
    pub fn with_file(self, url: &str, content_type: &str, body: &[u8]) -> Self {
        self.answer(url, 200, content_type, None, body)
    }

    /// Redirects from one address to another.
    #[must_use]
    pub fn with_redirect(self, from: &str, to: &str) -> Self {
        self.answer(from, 302, "text/html", Some(to), b"")
    }

    fn answer(
        self,
        url: &str,
        status: u16,
        content_type: &str,
        location: Option<&str>,
        body: &[u8],
    ) -> Self {
        let answer = Answer {
            status,
            content_type: content_type.to_owned(),
            location: location.map(str::to_owned),
            body: body.to_owned(),
        };
        self.lock().insert(key(url), answer);
        self
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address in its one spelling.
fn key(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), String::from)
}

impl Fake for FakeSite {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        self.lock()
            .keys()
            .filter_map(|url| Some(Url::parse(url).ok()?.host_str()?.to_owned()))
            .collect()
    }

    fn handle(&self, request: &Request<Bytes>, _now: DateTime<Utc>) -> Response<Bytes> {
        let Some(answer) = self.lock().get(&key(&request.uri().to_string())).cloned() else {
            return text_reply(404, "<html><body><h1>Not Found</h1></body></html>");
        };
        let mut reply = Response::new(Bytes::from(answer.body));
        *reply.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
        let headers = [
            (header::CONTENT_TYPE, Some(answer.content_type)),
            (header::LOCATION, answer.location),
        ];
        for (name, value) in headers {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                reply.headers_mut().insert(name, value);
            }
        }
        reply
    }

    fn effects(&self) -> Vec<Value> {
        Vec::new()
    }

    fn save(&self) -> Value {
        json!(*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state)
            .map_err(|error| Error::invalid("sandbox", "not a saved site").with_source(error))?;
        Ok(())
    }
}
