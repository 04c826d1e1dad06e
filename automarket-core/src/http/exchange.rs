use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Call, Reply,
    mask::Mask,
    reply::{EXCERPT, head},
};
use crate::{Credential, Result};

/// One request and its answer as they are kept: bounded, with secrets masked as in errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The operation, as the connector calls it.
    pub operation: String,
    /// The method.
    pub method: String,
    /// The address without its query.
    pub url: String,
    /// The beginning of what was sent, at most 512 characters; of what is no text only its size.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sent: String,
    /// The status of the answer; none when none came.
    pub status: Option<u16>,
    /// The beginning of the answer, at most 512 characters, or why there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub received: String,
}

impl Exchange {
    /// So many of the first exchanges are kept when there are too many.
    pub const FIRST: usize = 4;
    /// And so many of the last.
    pub const LAST: usize = 28;
}

/// Collects the exchanges of the calls of one [`Context`](crate::Context). Clones share their memory.
#[derive(Clone, Debug, Default)]
pub struct Exchanges(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    first: Vec<Exchange>,
    last: VecDeque<Exchange>,
    left_out: u32,
}

impl Exchanges {
    fn add(&self, exchange: Exchange) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.first.len() < Exchange::FIRST {
            kept.first.push(exchange);
            return;
        }
        if kept.last.len() == Exchange::LAST {
            kept.last.pop_front();
            kept.left_out += 1;
        }
        kept.last.push_back(exchange);
    }

    /// What was collected, in order, and how many were left out in the middle.
    #[must_use]
    pub fn take(&self) -> (Vec<Exchange>, u32) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = std::mem::take(&mut *kept);
        let all = kept.first.into_iter().chain(kept.last);
        (all.collect(), kept.left_out)
    }
}

/// A request on its way, to become an [`Exchange`].
pub(crate) struct Recording {
    exchanges: Exchanges,
    exchange: Exchange,
    mask: Mask,
}

impl Exchanges {
    /// Begins with a call; what is secret about it and its credential is masked throughout.
    pub(crate) fn begin(&self, call: &Call, credential: &Credential) -> Recording {
        let mask = Mask::of(call.secrets.iter().chain(credential.secrets()));
        let (method, uri) = (call.request.method(), call.request.uri());
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let url = format!(
            "{}://{authority}{}",
            uri.scheme_str().unwrap_or_default(),
            uri.path()
        );
        let exchange = Exchange {
            operation: call.operation.to_owned(),
            method: method.to_string(),
            url: mask.apply(&url, EXCERPT),
            sent: mask.apply(&shown(call.request.body()), EXCERPT),
            status: None,
            received: String::new(),
        };
        Recording {
            exchanges: self.clone(),
            exchange,
            mask,
        }
    }
}

impl Recording {
    /// Ends with the answer, or with why there was none.
    pub(crate) fn end(mut self, result: &Result<Reply>) {
        let received = match result {
            Ok(reply) => {
                self.exchange.status = Some(reply.status.as_u16());
                shown(&reply.body)
            }
            Err(error) => error.to_string(),
        };
        self.exchange.received = self.mask.apply(&received, EXCERPT);
        self.exchanges.add(self.exchange);
    }
}

/// What is shown of a body: the beginning of its text, or its size.
fn shown(body: &Bytes) -> String {
    let head = head(body);
    match std::str::from_utf8(head) {
        Ok(text) => text.to_owned(),
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(&head[..error.valid_up_to()]).into_owned()
        }
        Err(_) => format!("{} bytes", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, testing::Script};

    #[tokio::test]
    async fn the_wire_is_kept_without_queries_and_secrets() {
        let wire = Script::new()
            .expect("POST", "https://api.example.com/bott0ken/send?key=t0ken")
            .reply(500, "you said t0ken");
        let exchanges = Exchanges::default();
        let cx = Context::new(wire)
            .with_credential(Credential::token("t0ken"))
            .with_exchanges(exchanges.clone());
        let call = Call::post("send", "https://api.example.com/bott0ken/send?key=t0ken")
            .unwrap()
            .json(&serde_json::json!({"text": "hi", "token": "t0ken"}))
            .unwrap();
        cx.call(call).await.unwrap();
        let (kept, left_out) = exchanges.take();
        assert_eq!((kept.len(), left_out), (1, 0));
        let wanted = Exchange {
            operation: "send".into(),
            method: "POST".into(),
            url: "https://api.example.com/bot[REDACTED]/send".into(),
            sent: r#"{"text":"hi","token":"[REDACTED]"}"#.into(),
            status: Some(500),
            received: "you said [REDACTED]".into(),
        };
        assert_eq!(kept[0], wanted);
    }

    #[test]
    fn many_exchanges_are_kept_at_both_ends() {
        let exchanges = Exchanges::default();
        let call = Call::get("x", "https://example.com/").unwrap();
        for n in 0..100 {
            let mut recording = exchanges.begin(&call, &Credential::None);
            recording.exchange.operation = n.to_string();
            exchanges.add(recording.exchange);
        }
        let (kept, left_out) = exchanges.take();
        assert_eq!((kept.len(), left_out), (32, 68));
        assert_eq!((&*kept[3].operation, &*kept[4].operation), ("3", "72"));
    }
}
