use std::sync::Arc;

use automarket_core::{
    Bytes, Context, Credential, ErrorKind, JobId, Platform, Post, Publisher as _, Retry, Secret,
    SystemClock, TenantId, async_trait,
    chrono::TimeDelta,
    http::{Body, Call, Transport, TransportError},
    http_types::{Request, Response},
    pipeline::Run,
    steps::{MemorySteps, OTHER},
    store::Account,
    testing::{ManualClock, RecordingPublisher, Script},
};

/// Answers with a body that breaks off after `pieces`.
struct BreakingOff {
    status: u16,
    pieces: Vec<&'static str>,
}

#[async_trait]
impl Transport for BreakingOff {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let broken = TransportError::new(ErrorKind::Network, true, "the connection broke");
        let pieces = self.pieces.iter().map(|piece| Ok(Bytes::from(*piece)));
        let pieces: Vec<_> = pieces.chain([Err(broken)]).collect();
        let body = Body::Stream(Box::pin(futures_util::stream::iter(pieces)));
        Ok(Response::builder().status(self.status).body(body).unwrap())
    }
}

fn get(path: &str) -> Call {
    Call::get("page.read", &format!("https://a.example.com{path}")).unwrap()
}

fn post() -> Call {
    Call::post("posts.create", "https://a.example.com/posts").unwrap()
}

#[tokio::test]
async fn a_broken_answer_is_unknown_for_a_write_only() {
    let cx = Context::new(BreakingOff {
        status: 200,
        pieces: vec!["{\"id\":"],
    });
    let error = cx.call(post()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Network, Retry::Reconcile)
    );
    assert_eq!(error.operation(), Some("posts.create"));
    let error = cx.call(get("/")).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(None));
}

#[tokio::test]
async fn an_error_status_counts_though_its_body_breaks_off() {
    let cx = Context::new(BreakingOff {
        status: 422,
        pieces: vec!["too ", "long"],
    });
    let reply = cx.call(post()).await.unwrap();
    assert_eq!(
        (reply.status.as_u16(), &reply.body[..]),
        (422, &b"too long"[..])
    );
    let reply = cx.call(post().max_body(6)).await.unwrap();
    assert_eq!(reply.body, "too lo");
}

#[tokio::test]
async fn too_large_is_counted_to_the_byte() {
    let wire = || {
        Script::new()
            .expect("GET", "https://a.example.com/")
            .reply(200, "12345678")
    };
    let reply = wire().context().call(get("/").max_body(8)).await.unwrap();
    assert_eq!(reply.body, "12345678");
    let error = wire()
        .context()
        .call(get("/").max_body(7))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::TooLarge, Retry::Never)
    );
    // In pieces as well; here the break after the last piece is never met.
    let cx = Context::new(BreakingOff {
        status: 200,
        pieces: vec!["1234", "5678"],
    });
    let error = cx.call(get("/").max_body(7)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let clock = ManualClock::parse("2026-01-01T00:00:00Z");
    let wire = Script::new();
    let cx = wire
        .context()
        .with_deadline("2026-01-01T00:00:10Z".parse().unwrap())
        .with_clock(Arc::new(clock.clone()));
    clock.advance(TimeDelta::seconds(10));
    let error = cx.call(post()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Timeout, Retry::After(None))
    );
    assert!(wire.requests().is_empty());
}

#[tokio::test]
async fn redirects_are_followed_when_asked_for() {
    let wire = Script::new()
        .expect("GET", "https://a.example.com/")
        .reply(302, "")
        .reply_header("location", "/über?q=1#part")
        .expect("GET", "https://a.example.com/%C3%BCber?q=1")
        .reply(308, "")
        .reply_header("location", "//b.example.com/end")
        .expect("GET", "https://b.example.com/end")
        .reply(404, "gone");
    let (url, reply) = wire.context().get_following(get("/"), 5).await.unwrap();
    wire.finished();
    assert_eq!(url.as_str(), "https://b.example.com/end");
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let wire = Script::new()
        .expect("GET", "https://a.example.com/")
        .reply(302, "")
        .reply_header("location", "/same")
        .expect("GET", "https://a.example.com/same")
        .header("authorization", "Bearer t")
        .header("x-key", "k")
        .reply(302, "")
        .reply_header("location", "https://a.example.com:8443/other")
        .expect("GET", "https://a.example.com:8443/other")
        .reply(302, "")
        .reply_header("location", "https://a.example.com/back")
        .expect("GET", "https://a.example.com/back")
        .reply(200, "");
    let call = get("/")
        .bearer(&Secret::new("t"))
        .secret("x-key", &Secret::new("k"))
        .header("cookie", "session=1")
        .unwrap()
        .header("accept-language", "de")
        .unwrap();
    wire.context().get_following(call, 5).await.unwrap();
    let requests = wire.requests();
    for request in &requests[2..] {
        let names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["accept-language"]);
    }
}

#[tokio::test]
async fn redirects_have_an_end_and_go_to_the_web_only() {
    let wire = (0..3).fold(Script::new(), |wire, _| {
        wire.expect("GET", "https://a.example.com/")
            .reply(302, "")
            .reply_header("location", "/")
    });
    let error = wire.context().get_following(get("/"), 2).await.unwrap_err();
    wire.finished();
    assert_eq!(error.kind(), ErrorKind::UnexpectedReply);

    for location in [
        "file:///etc/passwd",
        "ftp://a.example.com/",
        "https://user:pw@b.example.com/",
        "https://[",
        "javascript:0",
    ] {
        let wire = Script::new()
            .expect("GET", "https://a.example.com/")
            .reply(302, "")
            .reply_header("location", location);
        let error = wire.context().get_following(get("/"), 2).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::UnexpectedReply, Retry::Never),
            "{location}"
        );
    }
    let error = Script::new()
        .context()
        .get_following(post(), 2)
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("method"));
}

#[tokio::test]
async fn a_redirect_of_a_call_is_an_answer() {
    let wire = Script::new()
        .expect("POST", "https://a.example.com/posts")
        .reply(307, "")
        .reply_header("location", "https://b.example.com/posts");
    let reply = wire.context().call(post()).await.unwrap();
    assert_eq!(reply.status, 307);
}

#[test]
fn a_call_shows_no_secret() {
    let call = Call::post("notice.send", "https://hooks.example.com/s3cret?key=s3cret")
        .unwrap()
        .bearer(&Secret::new("s3cret"))
        .body("text/plain", "s3cret");
    assert!(!format!("{call:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_context_is_for_one_account_and_one_key() {
    let publisher = RecordingPublisher::new(Platform::X);
    let account = |id: &str| Account::new(TenantId::new("t").unwrap(), Platform::X, id);
    let cx = Context::new(Script::new()).with_account(account("a"));
    let post = Post::text("We shipped");
    publisher.publish(&cx, &post).await.unwrap();
    // What was made anew says the same.
    publisher
        .publish(&cx, &Post::text("We shipped"))
        .await
        .unwrap();
    let others = [
        cx.clone().with_account(account("b")),
        cx.clone().with_key("another"),
        cx.clone()
            .with_credential(Credential::address("https://hooks.example.com/b")),
    ];
    for other in others {
        let error = publisher.publish(&other, &post).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.rule()),
            (ErrorKind::Conflict, Some(OTHER))
        );
        publisher.publish(&other.fresh(), &post).await.unwrap();
    }
    assert_eq!(publisher.texts().len(), 4);
    // A look by the key would find the first.
    assert_eq!(cx.with_key("the first").fresh().key(), None);
}

#[tokio::test]
async fn the_calls_of_a_job_have_steps_of_their_own() {
    let publisher = RecordingPublisher::new(Platform::X);
    let tenant = TenantId::new("t").unwrap();
    let steps = Arc::new(MemorySteps::default());
    for attempt in 1..=2 {
        let clock = Arc::new(SystemClock);
        let run = Run::new(JobId::new(), tenant.clone(), steps.clone(), clock).attempt(attempt);
        for call in ["one", "two"] {
            let cx = Context::new(Script::new()).with_steps(run.steps_of(call));
            publisher.publish(&cx, &Post::text(call)).await.unwrap();
        }
    }
    assert_eq!(publisher.texts(), ["one", "two"]);
}
