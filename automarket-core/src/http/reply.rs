use std::{fmt, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Effect,
    mask::masked,
    retry_after::{retry_after, retry_after_any, wait},
};
use crate::{Error, ErrorKind, Result, Retry, Secret};

/// How much of an answer is kept in errors, in characters.
pub(super) const EXCERPT: usize = 512;

/// How much of a platform's code is kept in errors, in characters.
const CODE: usize = 80;

/// As much of a body as is looked at for it: masked secrets take up less than they did.
pub(super) fn head(body: &[u8]) -> &[u8] {
    &body[..body.len().min(16 * 1024)]
}

/// A platform's whole answer, of whatever status.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The decoded body. Of an answer that is no success it may be only the beginning.
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

    /// An answer that no call produced: recorded, or built by a test.
    #[must_use]
    pub fn recorded(
        operation: &'static str,
        effect: Effect,
        status: StatusCode,
        headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            status,
            headers,
            body: body.into(),
            operation,
            effect,
            secrets: Vec::new(),
        }
    }

    /// Masks this value in everything that is kept of the answer.
    #[must_use]
    pub fn masking(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
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

    /// How long the platform asks to wait: by its headers (see [`retry_after`]), or else, of a 429, by
    /// `retry_after` seconds in a JSON body, at the top (Discord) or under `parameters` (Telegram). A rate
    /// limit's reset counts only for a 429 or where nothing remains.
    #[must_use]
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        if self.status != StatusCode::TOO_MANY_REQUESTS {
            return retry_after_any(&self.headers, now);
        }
        retry_after(&self.headers, now).or_else(|| {
            let body: Value = serde_json::from_slice(&self.body).ok()?;
            ["/retry_after", "/parameters/retry_after"]
                .iter()
                .find_map(|place| wait(body.pointer(place)?.as_f64()?))
        })
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// `UnexpectedReply`; after a write its retry is `Reconcile`, since the platform did answer success.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| self.unread(&error))
    }

    /// Reads a part of the body, as [`json`](Self::json) does the whole.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub fn part<T: DeserializeOwned>(&self, part: Value) -> Result<T> {
        serde_json::from_value(part).map_err(|error| self.unread(&error))
    }

    /// The cause quotes what it stumbled on, in full: it is kept as a text, masked and cut.
    fn unread(&self, cause: &serde_json::Error) -> Error {
        self.unexpected("the answer is not what the platform documents")
            .with_source(self.masked(&cause.to_string(), EXCERPT))
    }

    /// The error for an answer that certainly says no, whatever its status: what may be done next follows
    /// from the kind, also after a write. The message may hold the platform's words: it is masked, and cut
    /// after 512 characters.
    #[must_use]
    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.masked(&message.into(), EXCERPT))
            .with_operation(self.operation)
            .with_status(self.status.as_u16())
            .with_body(self.excerpt())
    }

    /// The error for an answer that makes no sense: after a write it may have taken effect, unless its
    /// status is 4xx.
    #[must_use]
    pub fn unexpected(&self, message: impl Into<String>) -> Error {
        let retry = match self.effect {
            Effect::Write if !self.status.is_client_error() => Retry::Reconcile,
            _ => Retry::Never,
        };
        self.error(ErrorKind::UnexpectedReply, message)
            .with_retry(retry)
    }

    /// A code of the platform's as it may stand in an error: masked, and cut after 80 characters.
    #[must_use]
    pub fn code(&self, code: &str) -> String {
        self.masked(code, CODE)
    }

    /// The beginning of the body as text, at most 512 characters, with the call's secrets masked (and parts of
    /// them that are 8 characters or longer) and control characters replaced.
    #[must_use]
    pub fn excerpt(&self) -> String {
        self.masked(&String::from_utf8_lossy(head(&self.body)), EXCERPT)
    }

    /// At most `limit` characters of the text, with the call's secrets masked and control characters
    /// replaced.
    pub(crate) fn masked(&self, text: &str, limit: usize) -> String {
        masked(text, &self.secrets, limit)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("operation", &self.operation)
            .field("status", &self.status)
            .field("body", &self.excerpt())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_kept_masked_and_bounded() {
        let said = format!("\"Bearer s3cret-token {}\"", "x".repeat(1 << 20));
        let value: Value = serde_json::from_str(&said).unwrap();
        let (effect, status) = (Effect::Write, StatusCode::OK);
        let reply = Reply::recorded("x.post", effect, status, HeaderMap::new(), said);
        let reply = reply.masking(&Secret::new("s3cret-token"));
        let read = [reply.json::<Vec<u8>>(), reply.part(value)];
        for error in read.map(Result::unwrap_err) {
            let told = format!("{} {error:?}", error.report());
            assert!(told.contains("invalid type"), "{told}");
            assert!(!told.contains("s3cret"), "{told}");
            assert!(told.len() < 4096, "{} bytes", told.len());
            assert!(error.is_unknown());
        }
        let code = reply.code(&"s3cret-token ".repeat(99));
        assert!(!code.contains("s3cret") && code.len() <= 80, "{code}");
    }
}
