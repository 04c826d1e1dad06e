//! Worlds of fakes.

use std::sync::{Arc, Mutex, PoisonError};

use automarket_core::{
    Bytes, Context, Credential, ErrorKind, Platform, Result, Retry,
    chrono::{DateTime, Utc},
    http::Call,
    http_types::{Request, Response},
    testing::{AuthRules, AuthServer, Fake, ManualClock, Sandbox, WithLogin, json_reply},
};
use serde_json::{Value, json};

const BOARD: Platform = Platform::from_static("board");
const OWN: &str = "constant-token";

/// An API that knows one user, by a constant token, and keeps what is posted.
#[derive(Default)]
struct Board(Mutex<Vec<Value>>);

impl Fake for Board {
    fn platform(&self) -> Platform {
        BOARD
    }

    fn hosts(&self) -> Vec<String> {
        vec!["api.board.example".into()]
    }

    fn handle(&self, request: &Request<Bytes>, _: DateTime<Utc>) -> Response<Bytes> {
        let bearer = request.headers().get("authorization");
        if bearer.is_none_or(|value| value != &format!("Bearer {OWN}")) {
            return json_reply(401, &json!({"message": "bad token"}));
        }
        if request.uri().path() == "/me" {
            return json_reply(200, &json!({"id": "the board's own"}));
        }
        let mut posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posts.push(json!(request.uri().path()));
        json_reply(201, &json!({}))
    }

    fn effects(&self) -> Vec<Value> {
        let posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posts.clone()
    }

    fn save(&self) -> Value {
        json!(self.effects())
    }

    fn load(&self, state: Value) -> Result<()> {
        let mut posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *posts = state.as_array().cloned().unwrap_or_default();
        Ok(())
    }
}

fn login() -> AuthServer {
    AuthServer::new(AuthRules::new(BOARD, "board.example"))
}

fn whole() -> Arc<WithLogin> {
    Arc::new(WithLogin::new(login(), Arc::<Board>::default(), OWN))
}

#[test]
#[should_panic(expected = "has a fake of board already")]
fn two_fakes_of_one_platform_are_refused_at_once() {
    let _ = Sandbox::new()
        .with(Arc::new(login()))
        .with(Arc::<Board>::default());
}

#[test]
fn a_world_shows_who_is_in_it() {
    let world = Sandbox::new().with(Arc::<Board>::default());
    let shown = format!("{world:?}");
    assert!(shown.contains("board"), "{shown}");
}

#[tokio::test]
async fn a_host_that_nobody_plays_is_refused_for_good() {
    let cx = Context::new(Sandbox::new().with(Arc::<Board>::default()));
    let call = Call::post("posts", "https://elsewhere.example/posts").unwrap();
    let error = cx.call(call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.retry(), Retry::Never);
    assert!(error.message().contains("elsewhere.example"), "{error}");
}

/// Through the page to a token.
async fn logged_in(cx: &Context) -> String {
    // The challenge is that of the verifier in RFC 7636, appendix B.
    let page = "https://board.example/authorize?response_type=code&client_id=app&state=s\
        &redirect_uri=https%3A%2F%2Facme.dev%2Fcallback&code_challenge_method=S256\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let reply = cx.call(Call::get("page", page).unwrap()).await.unwrap();
    let back = reply.header("location").expect("the way back").to_owned();
    let code = back.split(['?', '&']).find_map(|p| p.strip_prefix("code="));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.expect("a code")),
        ("redirect_uri", "https://acme.dev/callback"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
    ];
    let call = Call::post("token", "https://board.example/token").unwrap();
    let reply: Value = cx.call(call.form(form)).await.unwrap().json().unwrap();
    reply["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_login_gives_tokens_that_the_api_takes_while_they_work() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("world.json");
    let clock = Arc::new(ManualClock::parse("2026-11-20T18:00:00Z"));
    let world = |whole: Arc<WithLogin>| {
        let world = Sandbox::new().with(whole).with_clock(clock.clone());
        let cx = Context::new(world.kept_at(&file).unwrap());
        cx.with_clock(clock.clone())
    };
    let fake = whole();
    let cx = world(fake.clone());
    let token = logged_in(&cx).await;
    let call = async |cx: &Context, token: &str, path: &str| {
        let url = format!("https://api.board.example{path}");
        let cx = cx.clone().with_credential(Credential::token(token));
        let call = match path {
            "/me" => Call::get("me", &url).unwrap(),
            _ => Call::post("posts", &url).unwrap(),
        };
        let call = call.bearer(cx.token().unwrap());
        cx.call(call).await.unwrap().status.as_u16()
    };
    assert_eq!(call(&cx, &token, "/first").await, 201);
    assert_eq!(call(&cx, "at-9-9", "/never").await, 401);
    assert_eq!(call(&cx, &token, "/me").await, 200, "it is the API's");
    assert_eq!(fake.effects(), [json!("/first")]);

    // What both remember outlives the process.
    let later = whole();
    let cx = world(later.clone());
    assert_eq!(call(&cx, &token, "/second").await, 201);
    assert_eq!(later.effects(), [json!("/first"), json!("/second")]);
    later.auth().revoke_all();
    assert_eq!(call(&cx, &token, "/third").await, 401);
}
