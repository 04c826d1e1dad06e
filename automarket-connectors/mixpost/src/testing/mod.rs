//! Mixpost in a box: an instance with one workspace, its media library, tags, timetable and worker.
//!
//! Written from the platform's sheet (paths, bodies, limits, error texts), not from the connector. The
//! worker runs whenever a request comes in: whatever is due by then is published, or fails.

mod media;
mod posts;
mod state;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use automarket_core::{
    Bytes, Error, Platform, Result, Url,
    chrono::{DateTime, Utc},
    http_types::{HeaderValue, Method, Request, Response, header},
    testing::{Fake, json_reply, text_reply},
};
use serde_json::{Value, json};

pub use state::TagFilter;

use state::State;

use crate::PLATFORM;

/// The host that the fake answers for.
pub const HOST: &str = "mixpost.example";
/// The instance with its core path: what `MixpostConfig` wants.
pub const BASE_URL: &str = "https://mixpost.example/mixpost";
/// The UUID of its workspace.
pub const WORKSPACE: &str = "1e0c6e6a-2f55-4f5c-9a41-6a1f6b6f0001";
/// The access token that it takes.
pub const TOKEN: &str = "mixpost-sandbox-token";
/// The number of its X account.
pub const X_ACCOUNT: u64 = 1;
/// The number of its LinkedIn account.
pub const LINKEDIN_ACCOUNT: u64 = 2;
/// The number of its Instagram account.
pub const INSTAGRAM_ACCOUNT: u64 = 3;
/// The number of its Facebook Page.
pub const FACEBOOK_ACCOUNT: u64 = 4;
/// The number of its Mastodon account.
pub const MASTODON_ACCOUNT: u64 = 5;

/// The fake. Its effects are the posts that it holds outside the trash, and those that are public on a network or about
/// to be, whatever became of their records: `{uuid, accounts, network, text, state, scheduled_at, tags, media}`.
#[derive(Debug, Default)]
pub struct FakeMixpost {
    state: Mutex<State>,
}

impl FakeMixpost {
    /// A new instance with the accounts named by the constants of this module.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the network still takes this account's posts.
    pub fn set_authorized(&self, account: u64, authorized: bool) {
        if let Some(account) = self.lock().account_mut(account) {
            account.authorized = authorized;
        }
    }

    /// From now on the network refuses this account's posts with this text; `None` ends that.
    pub fn refuse_on(&self, account: u64, text: Option<&str>) {
        if let Some(account) = self.lock().account_mut(account) {
            account.refuses = text.map(str::to_owned);
        }
    }

    /// Whether the instance's jobs for this account break: the post is called published, with neither an error nor a
    /// link.
    pub fn set_breaks(&self, account: u64, breaks: bool) {
        if let Some(account) = self.lock().account_mut(account) {
            account.breaks = breaks;
        }
    }

    /// Whether the network keeps this account's posts when the instance is to take them off: it refuses, or has no such
    /// call. The instance answers `in_queue` all the same, and only logs it.
    pub fn set_keeps(&self, account: u64, keeps: bool) {
        if let Some(account) = self.lock().account_mut(account) {
            account.keeps = keeps;
        }
    }

    /// Whether posts wait for somebody's approval.
    pub fn set_needs_approval(&self, needed: bool) {
        self.lock().needs_approval = needed;
    }

    /// Whether the instance's worker runs; without it, due posts stay in `publishing`, and what is to leave the networks
    /// stays there.
    pub fn set_worker(&self, running: bool) {
        self.lock().worker_stopped = !running;
    }

    /// How the list of posts understands `tags[]`: versions differ.
    pub fn set_tag_filter(&self, filter: TagFilter) {
        self.lock().tag_filter = filter;
    }

    /// Whether it makes a second tag of the same name, which it refuses otherwise: versions differ.
    pub fn set_doubles(&self, doubles: bool) {
        self.lock().doubles = doubles;
    }

    /// Makes it an older version: no workspaces, analytics, retry, media by address or in chunks, and no
    /// deleting on the networks.
    pub fn set_old(&self, old: bool) {
        self.lock().old = old;
    }

    /// What is found at an address that media is fetched from. Without this an address ending in a known
    /// extension gives a small file.
    pub fn put_remote(&self, url: &str, mime: &str, size: u64) {
        let file = (mime.to_owned(), size);
        self.lock().remote.insert(url.to_owned(), file);
    }

    /// Makes it forget the files that it is fetching, as it does when its cache is emptied, and an hour after it last
    /// heard of them.
    pub fn forget_downloads(&self) {
        self.lock().downloads.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake for FakeMixpost {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        vec![HOST.to_owned()]
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut state = self.lock();
        state.work(now);
        let path = request.uri().path();
        let Some(path) = path.strip_prefix("/mixpost/api/") else {
            return page(404, "Not Found");
        };
        let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
        let json_wanted =
            header(header::ACCEPT).is_some_and(|v| v.starts_with(b"application/json"));
        let token = format!("Bearer {TOKEN}");
        if header(header::AUTHORIZATION) != Some(token.as_bytes()) {
            return if json_wanted {
                message(401, "Unauthenticated.")
            } else {
                to_login()
            };
        }
        if !json_wanted {
            return to_login();
        }
        let query = Query::of(request);
        let call = Incoming {
            method: request.method(),
            query: &query,
            content_type: header(header::CONTENT_TYPE).unwrap_or_default(),
            body: request.body(),
            now,
        };
        let segments: Vec<&str> = path.split('/').collect();
        match (call.method, segments.as_slice()) {
            (&Method::GET, ["ping"]) => json_reply(200, &json!({"message": "pong"})),
            (&Method::GET, ["workspaces"]) if !state.old => json_reply(
                200,
                &json!({"data": [{"uuid": WORKSPACE, "name": "Sandbox"}]}),
            ),
            (_, [WORKSPACE, rest @ ..]) => in_workspace(&mut state, &call, rest),
            (_, [_, _, ..]) => message(404, "Workspace not found."),
            _ => no_route(path),
        }
    }

    fn effects(&self) -> Vec<Value> {
        self.lock().effects()
    }

    fn save(&self) -> Value {
        json!(&*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state)
            .map_err(|error| Error::invalid("sandbox", "not a saved Mixpost").with_source(error))?;
        Ok(())
    }
}

/// A request that got as far as the router.
struct Incoming<'a> {
    method: &'a Method,
    query: &'a Query,
    content_type: &'a [u8],
    body: &'a Bytes,
    now: DateTime<Utc>,
}

impl Incoming<'_> {
    fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }
}

/// The query, names as they are and values in order.
struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    fn of(request: &Request<Bytes>) -> Self {
        let mut values = BTreeMap::<String, Vec<String>>::new();
        if let Ok(url) = Url::parse(&request.uri().to_string()) {
            for (name, value) in url.query_pairs() {
                values
                    .entry(name.into_owned())
                    .or_default()
                    .push(value.into_owned());
            }
        }
        Self(values)
    }

    fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    fn number(&self, name: &str, absent: usize) -> usize {
        self.one(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(absent)
    }
}

fn in_workspace(state: &mut State, call: &Incoming<'_>, path: &[&str]) -> Response<Bytes> {
    match path {
        ["accounts"] if call.method == Method::GET => {
            let accounts: Vec<Value> = state.accounts.iter().map(state::Account::view).collect();
            json_reply(200, &json!({"data": accounts}))
        }
        ["accounts", uuid] if call.method == Method::GET => {
            match state
                .accounts
                .iter()
                .find(|account| account.uuid() == *uuid)
            {
                Some(account) => json_reply(200, &account.view()),
                None => missing("Account"),
            }
        }
        ["tags", rest @ ..] => tags(state, call, rest),
        ["media", rest @ ..] => media::route(state, call, rest),
        ["posts", rest @ ..] => posts::route(state, call, rest),
        _ => no_route(&path.join("/")),
    }
}

fn tags(state: &mut State, call: &Incoming<'_>, path: &[&str]) -> Response<Bytes> {
    let body = call.json();
    let name = body["name"].as_str().unwrap_or_default().to_owned();
    let colour = body["hex_color"].as_str().unwrap_or_default().to_owned();
    let named_by = |uuid: &str| state.tags.iter().position(|tag| tag.uuid() == uuid);
    match (call.method, path) {
        (&Method::GET, []) => {
            let tags: Vec<Value> = state.tags.iter().map(state::Tag::view).collect();
            json_reply(200, &json!({"data": tags}))
        }
        (&Method::POST, []) => {
            if name.is_empty() || name.chars().count() > 255 {
                return invalid("name", "The name field is required.");
            }
            if !state.doubles && state.tags.iter().any(|tag| tag.name == name) {
                return invalid("name", "The name has already been taken.");
            }
            if !colour.starts_with('#') {
                return invalid("hex_color", "The hex color field is required.");
            }
            let tag = state::Tag {
                id: state.next_id(),
                name,
                hex_color: colour,
            };
            state.tags.push(tag.clone());
            json_reply(201, &tag.view())
        }
        (method, [uuid]) => {
            let Some(index) = named_by(uuid) else {
                return missing("Tag");
            };
            match *method {
                Method::GET => json_reply(200, &state.tags[index].view()),
                Method::PUT => {
                    let tag = &mut state.tags[index];
                    if !name.is_empty() {
                        tag.name = name;
                    }
                    if !colour.is_empty() {
                        tag.hex_color = colour;
                    }
                    json_reply(200, &tag.view())
                }
                Method::DELETE => {
                    let tag = state.tags.remove(index);
                    for post in &mut state.posts {
                        post.tags.retain(|id| *id != tag.id);
                    }
                    json_reply(200, &json!({"success": true}))
                }
                _ => message(405, "Method not allowed."),
            }
        }
        _ => no_route("tags"),
    }
}

fn message(status: u16, text: &str) -> Response<Bytes> {
    json_reply(status, &json!({"message": text}))
}

/// Laravel's answer to input that breaks a rule.
fn invalid(field: &str, text: &str) -> Response<Bytes> {
    json_reply(422, &json!({"message": text, "errors": {field: [text]}}))
}

fn missing(model: &str) -> Response<Bytes> {
    let text = format!("No query results for model [Inovector\\Mixpost\\Models\\{model}].");
    message(404, &text)
}

fn no_route(path: &str) -> Response<Bytes> {
    message(
        404,
        &format!("The route mixpost/api/{path} could not be found."),
    )
}

/// What a browser is shown.
fn page(status: u16, text: &str) -> Response<Bytes> {
    let mut reply = text_reply(
        status,
        format!("<!DOCTYPE html><html><body>{text}</body></html>"),
    );
    reply.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=UTF-8"),
    );
    reply
}

fn to_login() -> Response<Bytes> {
    let mut reply = page(302, "Redirecting");
    reply.headers_mut().insert(
        header::LOCATION,
        HeaderValue::from_static("https://mixpost.example/mixpost/login"),
    );
    reply
}

/// One page of a list as Laravel gives it.
fn paged(items: &[Value], number: usize, per_page: usize) -> Response<Bytes> {
    let (number, per_page) = (number.max(1), per_page.clamp(1, 100));
    let last = items.len().div_ceil(per_page).max(1);
    let data: Vec<&Value> = items
        .iter()
        .skip((number - 1) * per_page)
        .take(per_page)
        .collect();
    json_reply(
        200,
        &json!({
            "data": data,
            "links": {"first": null, "last": null, "prev": null, "next": null},
            "meta": {"current_page": number, "last_page": last, "per_page": per_page, "total": items.len()},
        }),
    )
}
