//! Worlds of fakes.

use std::sync::{Arc, Mutex, PoisonError};

use automarket_core::{
    Bytes, Platform, Result,
    chrono::{DateTime, Utc},
    http_types::{Request, Response},
    testing::{AuthRules, AuthServer, Fake, Sandbox, json_reply},
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
