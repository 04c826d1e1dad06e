use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result, Retry, Secret, http::Effect};

/// How much of an answer is kept in errors, in characters.
const EXCERPT: usize = 512;

/// A platform's whole answer, of whatever status.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The decoded body.
    pub body: Bytes,
    operation: &'static str,
    effect: Effect,
    secrets: Vec<Secret>,
}

impl Reply {
    pub(crate) fn new(
        parts: http::response::Parts,
        body: Bytes,
        operation: &'static str,
        effect: Effect,
        secrets: Vec<Secret>,
    ) -> Self {
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            operation,
            effect,
            secrets,
        }
    }

    /// Whether the status is 2xx. A 200 may still hold an error: the connector knows.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.status.is_success()
    }

    /// The operation that was called.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What repeating the call would do.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// `UnexpectedReply`; after a write its retry is `Reconcile`, since the platform did answer success.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            self.unexpected("the answer is not what the platform documents")
                .with_source(error)
        })
    }

    /// The error for an answer that makes no sense: after a write it may have taken effect.
    #[must_use]
    pub fn unexpected(&self, message: impl Into<String>) -> Error {
        let retry = match self.effect {
            Effect::Write if self.ok() || self.status.is_server_error() => Retry::Reconcile,
            _ => Retry::Never,
        };
        Error::new(ErrorKind::UnexpectedReply, message)
            .with_retry(retry)
            .with_operation(self.operation)
            .with_status(self.status.as_u16())
            .with_body(self.excerpt())
    }

    /// The beginning of the body as text, at most 512 characters, with the call's secrets masked and
    /// control characters replaced.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let head = &self.body[..self.body.len().min(EXCERPT * 8)];
        let mut text = String::from_utf8_lossy(head).into_owned();
        for secret in &self.secrets {
            for form in spellings(secret.expose()) {
                text = text.replace(&form, "[REDACTED]");
            }
        }
        text.chars()
            .take(EXCERPT)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()
    }
}

/// How a secret may stand in a body: as it is, JSON-escaped, percent-encoded.
fn spellings(secret: &str) -> Vec<String> {
    if secret.is_empty() {
        return Vec::new();
    }
    let json = serde_json::to_string(secret).unwrap_or_default();
    let escaped = json.trim_matches('"').replace('/', "\\/");
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    vec![
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        escaped,
        percent,
    ]
}
