//! Answers as they are written.

use automarket_connector_claude::{
    Claude,
    testing::{FakeClaude, Mood},
};
use automarket_core::{
    Bytes, Context, Credential, Error, ErrorKind, Retry,
    ai::{Completion, LanguageModel as _, StopReason, TextPiece},
    async_trait,
    http::{Body, Transport, TransportError},
    http_types::{Request, Response},
    testing::{Fault, Sandbox, Script, conformance::generator::question},
};
use futures_util::StreamExt as _;
use proptest::prelude::*;
use serde_json::json;

/// A wire that answers every request with these pieces, and then breaks or ends.
struct Pieces(Vec<Bytes>, bool);

#[async_trait]
impl Transport for Pieces {
    async fn send(&self, _request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let broken = self
            .1
            .then(|| Err(TransportError::new(ErrorKind::Network, true, "cut")));
        let pieces: Vec<_> = self.0.iter().cloned().map(Ok).chain(broken).collect();
        Ok(Response::new(Body::Stream(Box::pin(
            futures_util::stream::iter(pieces),
        ))))
    }
}

async fn read(pieces: Vec<Bytes>, broken: bool) -> (String, Result<Completion, Error>) {
    let cx = Context::new(Pieces(pieces, broken)).with_credential(Credential::token("k"));
    let mut stream = Claude::default().stream(&cx, &question()).await.unwrap();
    let mut text = String::new();
    let mut end = None;
    while let Some(piece) = stream.next().await {
        assert!(end.is_none(), "nothing follows the end or an error");
        match piece {
            Ok(TextPiece::Text(more)) => text.push_str(&more),
            Ok(TextPiece::End(completion)) => end = Some(Ok(completion)),
            Err(error) => end = Some(Err(error)),
        }
    }
    (text, end.expect("an end"))
}

fn event(data: serde_json::Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap()
    )
}

fn recorded() -> String {
    let start = json!({
        "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": [],
        "stop_reason": null, "usage": { "input_tokens": 20, "cache_read_input_tokens": 5, "output_tokens": 1 },
    });
    [
        json!({ "type": "message_start", "message": start }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": "hm" } }),
        json!({ "type": "ping" }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": "Hällo " } }),
        json!({ "type": "some_new_event", "x": [] }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "some_new_delta" } }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": "👩‍🚀" } }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": { "output_tokens": 15 } }),
        json!({ "type": "message_stop" }),
    ]
    .into_iter()
    .map(event)
    .collect()
}

#[tokio::test]
async fn a_stream_gives_its_text_and_then_the_whole() {
    let (text, end) = read(vec![Bytes::from(recorded())], true).await;
    let end = end.unwrap();
    assert_eq!((text.as_str(), end.text.as_str()), ("Hällo 👩‍🚀", "Hällo 👩‍🚀"));
    assert_eq!((end.usage.input_tokens, end.usage.output_tokens), (25, 15));
    assert_eq!(
        (end.stop, end.model.as_str()),
        (StopReason::Done, "claude-sonnet-5-5")
    );
}

#[tokio::test]
async fn a_stream_that_breaks_off_may_have_been_paid_for() {
    let all = recorded();
    let half = Bytes::from(all[..all.find("some_new_event").unwrap()].to_owned());
    for broken in [true, false] {
        let (text, end) = read(vec![half.clone()], broken).await;
        let error = end.unwrap_err();
        assert_eq!(text, "Hällo ");
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Network, Retry::Reconcile)
        );
        assert_eq!(error.platform().unwrap().as_str(), "claude");
    }
}

#[tokio::test]
async fn an_error_event_ends_the_stream() {
    let error = event(
        json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }),
    );
    let start = recorded()
        .split_inclusive("\n\n")
        .next()
        .unwrap()
        .to_owned();
    for (body, retry) in [
        (error.clone(), Retry::After(None)),
        (format!("{start}{error}"), Retry::Reconcile),
    ] {
        let (_, end) = read(vec![Bytes::from(body)], false).await;
        let error = end.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Unavailable, retry)
        );
        assert_eq!(error.platform_code(), Some("overloaded_error"));
    }
    let (_, end) = read(vec![Bytes::from_static(b"data: {not json\n\n")], false).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::UnexpectedReply);
}

#[tokio::test]
async fn a_stream_without_end_is_cut_by_size() {
    let line = Bytes::from(vec![b'a'; 600 * 1024]);
    let (_, end) = read(vec![line.clone(), line], false).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::TooLarge, "one event");
    let ping = event(json!({ "type": "ping" })).repeat(30_000);
    let (_, end) = read(vec![Bytes::from(ping); 20], false).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::TooLarge, "many events");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_hangs_is_cut_by_time() {
    struct Hangs;
    #[async_trait]
    impl Transport for Hangs {
        async fn send(&self, _request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
            Ok(Response::new(Body::Stream(Box::pin(
                futures_util::stream::pending(),
            ))))
        }
    }
    let cx = Context::new(Hangs).with_credential(Credential::token("k"));
    let mut stream = Claude::default().stream(&cx, &question()).await.unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Timeout, Retry::Reconcile)
    );
}

#[tokio::test]
async fn a_refused_request_is_classified_before_any_piece() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#;
    let wire = Script::new()
        .expect("POST", "https://api.anthropic.com/v1/messages")
        .reply(429, body)
        .reply_header("retry-after", "7");
    let error = Claude::default()
        .stream(&wire.context(), &question())
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(
        error.retry(),
        Retry::After(Some(std::time::Duration::from_secs(7)))
    );
}

#[tokio::test]
async fn the_fake_streams_refusals_and_half_answers() {
    let fake = std::sync::Arc::new(FakeClaude::new());
    let sandbox = Sandbox::new().with(fake.clone());
    sandbox.fault("/v1/messages", Fault::HalfAfter);
    let cx = Context::new(sandbox).with_credential(Credential::token(FakeClaude::KEY));
    let last = async || {
        let mut stream = Claude::default().stream(&cx, &question()).await.unwrap();
        let mut last = None;
        while let Some(piece) = stream.next().await {
            last = Some(piece);
        }
        last.unwrap()
    };
    assert!(last().await.unwrap_err().is_unknown());
    fake.next(Mood::Refuse);
    let TextPiece::End(end) = last().await.unwrap() else {
        panic!("an end")
    };
    assert!(matches!(end.stop, StopReason::Refused(Some(_))));
}

proptest! {
    #[test]
    fn pieces_of_any_size_and_line_ends_of_any_kind_read_the_same(
        size in 1_usize..40, ends in prop::sample::select(vec!["\n", "\r\n", "\r"])
    ) {
        let body = recorded().replace('\n', ends);
        let pieces = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (text, end) = runtime.block_on(read(pieces, false));
        prop_assert_eq!(&text, "Hällo 👩‍🚀");
        prop_assert_eq!(end.unwrap().usage.output_tokens, 15);
    }
}
