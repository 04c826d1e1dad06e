//! Answers as they are written: server-sent events, bounded in time and size.

use std::collections::VecDeque;

use automarket_core::{
    Error, ErrorKind, Result, Retry, Secret,
    ai::{Completion, TextPiece, TextStream},
    http::{ByteStream, Effect, Reply},
    http_types::{HeaderMap, StatusCode},
};
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use crate::{
    PLATFORM,
    api::{self, CREATE},
    error, wire,
};

/// Bytes of one event at the most.
const EVENT: usize = 1024 * 1024;

/// Bytes of a whole stream at the most.
const WHOLE: usize = 16 * 1024 * 1024;

/// Reads an answer as it arrives, until `ends_at`. After an error or the end nothing follows.
pub(crate) fn read(body: ByteStream, ends_at: Instant, key: &Secret) -> TextStream {
    let reader = Reader {
        body,
        ends_at,
        events: Events::default(),
        answer: Answer::new(key.clone()),
        ready: VecDeque::new(),
    };
    Box::pin(stream::unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        let item = reader.next().await;
        let goes_on = matches!(item, Ok(TextPiece::Text(_)));
        let item = item.map_err(|error| error.with_platform(&PLATFORM).with_operation(CREATE));
        Some((item, goes_on.then_some(reader)))
    }))
}

struct Reader {
    body: ByteStream,
    ends_at: Instant,
    events: Events,
    answer: Answer,
    ready: VecDeque<Result<TextPiece>>,
}

impl Reader {
    async fn next(&mut self) -> Result<TextPiece> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return piece;
            }
            let bytes = match timeout_at(self.ends_at, self.body.next()).await {
                Ok(Some(bytes)) => bytes.map_err(|error| error.into_error(Effect::Write))?,
                Ok(None) => return Err(cut(ErrorKind::Network, "the answer broke off")),
                Err(_) => {
                    return Err(cut(
                        ErrorKind::Timeout,
                        "no whole answer within the time allowed",
                    ));
                }
            };
            for data in self.events.push(&bytes)? {
                self.ready.extend(self.answer.take(&data).transpose());
            }
        }
    }
}

/// What was written so far may have been paid for.
fn cut(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, message).with_retry(Retry::Reconcile)
}

/// Finds the data of events in bytes that come in any pieces.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    data: String,
    any: bool,
    after_return: bool,
    total: usize,
}

impl Events {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.total = self.total.saturating_add(bytes.len());
        for &byte in bytes {
            let second = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if second => {}
                b'\n' | b'\r' => found.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > EVENT || self.total > WHOLE {
                return Err(cut(
                    ErrorKind::TooLarge,
                    "the answer is larger than a text can be",
                ));
            }
        }
        Ok(found)
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return std::mem::take(&mut self.any).then(|| std::mem::take(&mut self.data));
        }
        let line = String::from_utf8_lossy(&line);
        if let Some(data) = line.strip_prefix("data:") {
            if self.any {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            self.any = true;
        }
        None
    }
}

/// The answer as far as it came.
struct Answer {
    text: String,
    model: String,
    stop: Option<(String, Option<wire::StopDetails>)>,
    usage: wire::Usage,
    started: bool,
    key: Secret,
}

impl Answer {
    fn new(key: Secret) -> Self {
        Self {
            text: String::new(),
            model: String::new(),
            stop: None,
            usage: wire::Usage::default(),
            started: false,
            key,
        }
    }

    /// Takes an event in, and gives what the caller gets of it.
    fn take(&mut self, data: &str) -> Result<Option<TextPiece>> {
        // The cause quotes what it stumbled on: it is left out.
        let event = serde_json::from_str(data).map_err(|_| {
            self.failed(
                data,
                ErrorKind::UnexpectedReply,
                "an event is not what the platform documents",
            )
        })?;
        match event {
            wire::Event::MessageStart { message } => {
                self.started = true;
                self.model = message.model;
                self.count(message.usage);
                Ok(None)
            }
            wire::Event::ContentBlockDelta {
                delta: wire::Delta::TextDelta { text },
            } => {
                self.text.push_str(&text);
                Ok(Some(TextPiece::Text(text)))
            }
            wire::Event::MessageDelta { delta, usage } => {
                self.count(usage);
                if let Some(reason) = delta.stop_reason {
                    self.stop = Some((reason, delta.stop_details));
                }
                Ok(None)
            }
            wire::Event::MessageStop => self.end().map(Some),
            wire::Event::Error { error } => {
                let kind = error::kind(&error).unwrap_or(ErrorKind::UnexpectedReply);
                let failed = self.failed(data, kind, "the platform broke off its answer");
                Err(failed.with_platform_code(self.reply(data).code(&error.kind)))
            }
            wire::Event::ContentBlockDelta { .. } | wire::Event::Other => Ok(None),
        }
    }

    /// Counts are of the whole answer so far; what an event leaves out stays.
    fn count(&mut self, usage: wire::Usage) {
        let known = &mut self.usage;
        known.input_tokens = usage.input_tokens.or(known.input_tokens);
        known.output_tokens = usage.output_tokens.or(known.output_tokens);
        known.cache_read_input_tokens = usage
            .cache_read_input_tokens
            .or(known.cache_read_input_tokens);
        known.cache_creation_input_tokens = usage
            .cache_creation_input_tokens
            .or(known.cache_creation_input_tokens);
    }

    fn end(&mut self) -> Result<TextPiece> {
        let (reason, details) = self.stop.take().unwrap_or_default();
        let stop = api::stop(&reason, details.as_ref())
            .ok_or_else(|| api::odd_stop(&self.reply(""), &reason))?;
        Ok(TextPiece::End(Completion {
            text: std::mem::take(&mut self.text),
            stop,
            model: std::mem::take(&mut self.model),
            usage: api::usage(self.usage),
        }))
    }

    /// An event as an answer of its own.
    fn reply(&self, data: &str) -> Reply {
        let headers = HeaderMap::new();
        let body = data.to_owned();
        Reply::recorded(CREATE, Effect::Write, StatusCode::OK, headers, body).masking(&self.key)
    }

    /// An error inside a 200. Before the message began nothing is billed.
    fn failed(&self, data: &str, kind: ErrorKind, message: &str) -> Error {
        let error = self.reply(data).error(kind, message);
        if self.started || kind == ErrorKind::UnexpectedReply {
            error.with_retry(Retry::Reconcile)
        } else {
            error
        }
    }
}
