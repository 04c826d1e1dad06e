//! X in a box: users, posts, uploads and rate limits.
//!
//! Written from the platform's sheet (paths, bodies, limits, error texts), not from the connector.

mod login;
mod media;
mod posts;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use automarket_core::{
    Bytes, Error, Platform, Result, Url,
    chrono::{DateTime, Utc},
    http_types::{Method, Request, Response, header},
    testing::{Fake, json_reply},
};
use serde_json::{Value, json};

use crate::PLATFORM;
pub use login::auth_rules;
use state::State;

/// The host that the fake answers for.
pub const HOST: &str = "api.x.com";
/// A token of the first user, [`USER`].
pub const TOKEN: &str = "x-sandbox-token";
/// A token of the second user, [`OTHER_USER`].
pub const OTHER_TOKEN: &str = "x-sandbox-other-token";
/// The id of `acme`.
pub const USER: &str = "1500000000000000001";
/// The id of `globex`.
pub const OTHER_USER: &str = "1500000000000000002";

/// The fake. Its posts are its effects: `{id, user, text, reply_to, quote, media, poll, reply_settings}`.
#[derive(Debug, Default)]
pub struct FakeX {
    state: Mutex<State>,
}

impl FakeX {
    /// A world with two users and no posts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the first user's token is this one; the old one has expired.
    pub fn renew_token(&self, token: &str) {
        token.clone_into(&mut self.lock().token);
    }

    /// Whether the users pay for longer posts.
    pub fn set_premium(&self, premium: bool) {
        self.lock().premium = premium;
    }

    /// How many uploads from now on fail in processing, with this text.
    pub fn fail_processing(&self, times: u32, text: &str) {
        self.lock().failing = (times, text.to_owned());
    }

    /// How many questions processing takes; 2 unless said otherwise.
    pub fn set_processing(&self, questions: u32) {
        self.lock().questions = questions;
    }

    /// How many answers are refused because the post that they answer does not show yet.
    pub fn hide_parents(&self, times: u32) {
        self.lock().hidden = times;
    }

    /// How many lists from now on leave out the newest post.
    pub fn delay_listing(&self, times: u32) {
        self.lock().unlisted = times;
    }

    /// Whether it takes a text that it has already, as X does not.
    pub fn set_takes_repeats(&self, takes: bool) {
        self.lock().takes_repeats = takes;
    }

    /// Whether the author's own numbers can be read.
    pub fn set_non_public(&self, readable: bool) {
        self.lock().no_private_numbers = !readable;
    }

    /// A post that is there already, of the other user.
    pub fn post_of_other(&self, text: &str, now: DateTime<Utc>) -> String {
        self.lock().seed(OTHER_USER, text, now)
    }

    /// A post that the first user made elsewhere.
    pub fn seed_own(&self, text: &str, now: DateTime<Utc>) -> String {
        self.lock().seed(USER, text, now)
    }

    /// What it knows of an uploaded file: `{bytes, category, alt, segments}`.
    #[must_use]
    pub fn upload(&self, id: &str) -> Option<Value> {
        self.lock().uploads.get(id).map(state::Upload::view)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake for FakeX {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        vec![HOST.to_owned()]
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut state = self.lock();
        let Some(user) = user(&state, request) else {
            return problem(401, "Unauthorized", "Unauthorized", None);
        };
        let query = Url::parse(&request.uri().to_string());
        let query: Vec<(String, String)> = query.map_or_else(
            |_| Vec::new(),
            |url| url.query_pairs().into_owned().collect(),
        );
        let call = Incoming {
            user,
            query: &query,
            content_type: text_of(request, header::CONTENT_TYPE.as_str()),
            body: request.body(),
            now,
        };
        let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
        let (method, path) = (request.method(), path.as_slice());
        let (bucket, limit) = limit(method, path);
        let left = state.take(&call.user, bucket, limit, now);
        let mut reply = match left {
            None => problem(429, "Too Many Requests", "Too Many Requests", None),
            Some(_) => route(&mut state, &call, method, path),
        };
        let window = state.window(&call.user, bucket);
        for (name, value) in [
            ("x-rate-limit-limit", limit.to_string()),
            ("x-rate-limit-remaining", left.unwrap_or(0).to_string()),
            ("x-rate-limit-reset", window.to_string()),
        ] {
            if let Ok(value) = value.parse() {
                reply.headers_mut().insert(name, value);
            }
        }
        reply
    }

    fn effects(&self) -> Vec<Value> {
        self.lock().posts.iter().map(state::Post::view).collect()
    }

    fn save(&self) -> Value {
        json!(&*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state)
            .map_err(|error| Error::invalid("sandbox", "not a saved X").with_source(error))?;
        Ok(())
    }
}

/// A request whose user is known.
struct Incoming<'a> {
    user: String,
    query: &'a [(String, String)],
    content_type: &'a str,
    body: &'a Bytes,
    now: DateTime<Utc>,
}

impl Incoming<'_> {
    fn one(&self, name: &str) -> Option<&str> {
        let named = self.query.iter().find(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.one(name)
            .is_some_and(|list| list.split(',').any(|one| one == value))
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body)
            .ok()
            .filter(Value::is_object)
    }
}

fn user(state: &State, request: &Request<Bytes>) -> Option<String> {
    let token = text_of(request, header::AUTHORIZATION.as_str()).strip_prefix("Bearer ")?;
    match token {
        token if token == state.token => Some(USER.to_owned()),
        OTHER_TOKEN => Some(OTHER_USER.to_owned()),
        _ => None,
    }
}

fn text_of<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Requests in 15 minutes of one user.
fn limit(method: &Method, path: &[&str]) -> (&'static str, u32) {
    match (method, path) {
        (&Method::POST, ["2", "tweets"]) => ("posts.create", 100),
        (&Method::DELETE, ["2", "tweets", _]) => ("posts.delete", 50),
        (&Method::GET, ["2", "tweets"]) => ("posts.get", 5000),
        (&Method::GET, ["2", "users", "me"]) => ("users.me", 75),
        (&Method::GET, ["2", "users", _, "tweets"]) => ("users.posts", 900),
        (&Method::POST, ["2", "media", "upload"]) => ("media.upload", 500),
        (&Method::GET, ["2", "media", "upload"]) => ("media.status", 1000),
        _ => ("media.chunks", 1875),
    }
}

fn route(
    state: &mut State,
    call: &Incoming<'_>,
    method: &Method,
    path: &[&str],
) -> Response<Bytes> {
    match (method, path) {
        (&Method::POST, ["2", "tweets"]) => posts::create(state, call),
        (&Method::GET, ["2", "tweets"]) => posts::lookup(state, call),
        (&Method::DELETE, ["2", "tweets", id]) => posts::delete(state, call, id),
        (&Method::GET, ["2", "users", "me"]) => json_reply(200, &me(state, call)),
        (&Method::GET, ["2", "users", id, "tweets"]) => posts::timeline(state, call, id),
        (&Method::POST, ["2", "media", "upload"]) => media::whole(state, call),
        (&Method::GET, ["2", "media", "upload"]) => media::status(state, call),
        (&Method::POST, ["2", "media", "upload", "initialize"]) => media::initialize(state, call),
        (&Method::POST, ["2", "media", "upload", id, "append"]) => media::append(state, call, id),
        (&Method::POST, ["2", "media", "upload", id, "finalize"]) => {
            media::finalize(state, call, id)
        }
        (&Method::POST, ["2", "media", "metadata"]) => media::metadata(state, call),
        _ => problem(404, "Not Found", "Not Found", None),
    }
}

fn me(state: &State, call: &Incoming<'_>) -> Value {
    let (name, username) = names(&call.user);
    let mut data = json!({"id": call.user, "name": name, "username": username});
    if call.has("user.fields", "subscription_type") {
        let plan = if state.premium { "Premium" } else { "None" };
        data["subscription_type"] = json!(plan);
    }
    if call.has("user.fields", "verified_type") {
        data["verified_type"] = json!(if state.premium { "blue" } else { "none" });
    }
    json!({"data": data})
}

fn names(user: &str) -> (&'static str, &'static str) {
    if user == USER {
        ("Acme", "acme")
    } else {
        ("Globex", "globex")
    }
}

/// X's error: problem+json.
fn problem(status: u16, title: &str, detail: &str, kind: Option<&str>) -> Response<Bytes> {
    let kind = kind.map_or_else(
        || "about:blank".to_owned(),
        |slug| format!("https://api.x.com/2/problems/{slug}"),
    );
    let body = json!({"title": title, "detail": detail, "type": kind, "status": status});
    json_reply(status, &body)
}

fn forbidden(detail: &str) -> Response<Bytes> {
    problem(403, "Forbidden", detail, None)
}

/// A request whose shape is wrong.
fn invalid(message: &str) -> Response<Bytes> {
    json_reply(
        400,
        &json!({
            "errors": [{"message": message, "parameters": {}}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": "https://api.x.com/2/problems/invalid-request",
        }),
    )
}
