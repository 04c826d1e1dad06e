//! LinkedIn in a box: members, organisations, posts, comments, uploads and daily limits.
//!
//! Written from the platform's sheet (paths, bodies, limits, error texts), not from the connector.

mod little;
mod login;
mod media;
mod numbers;
mod people;
mod posts;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use automarket_core::{
    Bytes, Error, Platform, Result, Url,
    chrono::{DateTime, Utc},
    http_types::{Method, Request, Response, StatusCode},
    testing::{Fake, json_reply},
};
use serde_json::{Value, json};

use crate::PLATFORM;
pub use login::auth_rules;
use state::State;

/// The host of the API.
pub const HOST: &str = "api.linkedin.com";
/// The host that takes files.
pub const UPLOAD_HOST: &str = "www.linkedin.com";
/// A token of [`MEMBER`], who administers [`ORGANIZATION`].
pub const TOKEN: &str = "li-sbx-token";
/// A token of [`OTHER_MEMBER`], who administers [`OTHER_ORGANIZATION`].
pub const OTHER_TOKEN: &str = "li-sbx-other-token";
/// Anna.
pub const MEMBER: &str = "urn:li:person:AnNa-1";
/// Acme.
pub const ORGANIZATION: &str = "urn:li:organization:5515715";
/// Bob.
pub const OTHER_MEMBER: &str = "urn:li:person:BoB-2";
/// Globex.
pub const OTHER_ORGANIZATION: &str = "urn:li:organization:2414183";

/// The fake. Its posts are its effects: `{id, author, text, commentary, visibility, content, state, comments}`, where
/// `text` is what readers see; they see what is `PUBLISHED`.
#[derive(Debug, Default)]
pub struct FakeLinkedIn {
    state: Mutex<State>,
}

impl FakeLinkedIn {
    /// A world with two members, an organisation of each, and no posts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the first member's token is this one; the old one has expired.
    pub fn renew_token(&self, token: &str) {
        token.clone_into(&mut self.lock().token);
    }

    /// The versions that are served.
    pub fn set_versions(&self, versions: &[&str]) {
        self.lock().versions = versions.iter().map(|&version| version.to_owned()).collect();
    }

    /// Whether the app was admitted to the Community Management API, and so the token holds its scopes, those of
    /// comments among them; it was unless said otherwise.
    pub fn set_community(&self, admitted: bool) {
        self.lock().community = admitted;
    }

    /// Whether the app has OpenID; it has unless said otherwise.
    pub fn set_openid(&self, openid: bool) {
        self.lock().openid = openid;
    }

    /// Whether the token holds `r_member_social`; it does not unless said otherwise.
    pub fn set_members_read(&self, allowed: bool) {
        self.lock().members_read = allowed;
    }

    /// Whether the token holds `r_member_postAnalytics`; it does not unless said otherwise.
    pub fn set_analytics(&self, allowed: bool) {
        self.lock().analytics = allowed;
    }

    /// How many uploads from now on fail in processing, with this reason.
    pub fn fail_processing(&self, times: u32, reason: &str) {
        self.lock().failing = (times, reason.to_owned());
    }

    /// How many questions processing takes; 1 unless said otherwise.
    pub fn set_processing(&self, questions: u32) {
        self.lock().questions = questions;
    }

    /// How many lists of posts from now on do not show what is there.
    pub fn hide_posts(&self, times: u32) {
        self.lock().hidden = times;
    }

    /// For how many seconds a post is in no list after it was made.
    pub fn list_after(&self, seconds: i64) {
        self.lock().unlisted = seconds;
    }

    /// Whether each full page of posts, comments and roles lacks its first, as one that the token may not see; `links`
    /// never name a next page.
    pub fn set_gaps(&self, gaps: bool) {
        self.lock().gaps = gaps;
    }

    /// How many pages the member has no say in stand before those of the member's.
    pub fn set_other_roles(&self, roles: usize) {
        self.lock().other_roles = roles;
    }

    /// Whether it takes a post that it has already, as LinkedIn does not.
    pub fn set_takes_repeats(&self, takes: bool) {
        self.lock().takes_repeats = takes;
    }

    /// How many posts with files are refused from now on because their files are too new.
    pub fn forbid_new_files(&self, times: u32) {
        self.lock().too_new = times;
    }

    /// How many comments are refused from now on because their post does not show yet.
    pub fn hide_from_comments(&self, times: u32) {
        self.lock().uncommentable = times;
    }

    /// How many questions find posts with files, and drafts that somebody publishes, still in processing from now on,
    /// and whether they fail after that.
    pub fn publish_late(&self, questions: u32, fails: bool) {
        self.lock().late = (questions, fails);
    }

    /// Another member comments on a post.
    pub fn comment_of_other(&self, urn: &str, text: &str) {
        let mut state = self.lock();
        let id = format!("urn:li:comment:({urn},{})", state.number());
        let mut posts = state.posts.iter_mut();
        if let Some(post) = posts.find(|post| post.id == urn) {
            post.comments.push(state::Comment {
                id,
                actor: OTHER_MEMBER.to_owned(),
                text: text.to_owned(),
            });
        }
    }

    /// Somebody makes a draft public. `false` when there is no such draft.
    pub fn publish_draft(&self, urn: &str) -> bool {
        self.lock().publish_draft(urn)
    }

    /// A post that the organisation or member made elsewhere.
    pub fn seed(&self, author: &str, commentary: &str, now: DateTime<Utc>) -> String {
        self.lock().seed(author, commentary, now)
    }

    /// What it knows of an uploaded file: `{owner, bytes, parts}`.
    #[must_use]
    pub fn upload(&self, urn: &str) -> Option<Value> {
        self.lock().uploads.get(urn).map(state::Upload::view)
    }

    /// How many uploads were begun.
    #[must_use]
    pub fn uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake for FakeLinkedIn {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        vec![HOST.to_owned(), UPLOAD_HOST.to_owned()]
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut state = self.lock();
        let url = Url::parse(&request.uri().to_string());
        let query = url
            .as_ref()
            .map(|url| url.query_pairs().into_owned().collect());
        let token = text_of(request, "authorization").strip_prefix("Bearer ");
        let member = token.and_then(|token| state.member(token));
        let decoded: Vec<String> = request
            .uri()
            .path()
            .split('/')
            .skip(1)
            .map(decode)
            .collect();
        let path: Vec<&str> = decoded.iter().map(String::as_str).collect();
        if let (["dms-uploads", upload, part], &Method::PUT) = (&*path, request.method()) {
            return media::put(&mut state, member, upload, part, request.body(), now);
        }
        let Some(member) = member else {
            return problem(
                401,
                65601,
                "REVOKED_ACCESS_TOKEN",
                "The token used in the request has been revoked by the user",
            );
        };
        if let Some(refusal) = headers(&state, request, path.first().copied()) {
            return refusal;
        }
        let served_at = text_of(request, "host");
        let call = Incoming {
            member,
            uploads: if served_at.is_empty() {
                format!("https://{UPLOAD_HOST}")
            } else {
                format!("http://{served_at}")
            },
            query: query.unwrap_or_default(),
            method: text_of(request, "x-restli-method"),
            body: request.body(),
            now,
        };
        route(&mut state, &call, request.method(), &path)
    }

    fn effects(&self) -> Vec<Value> {
        self.lock().posts.iter().map(state::Post::view).collect()
    }

    fn save(&self) -> Value {
        json!(&*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state).map_err(|error| {
            Error::invalid("sandbox", "not a saved LinkedIn").with_source(error)
        })?;
        Ok(())
    }
}

/// A request whose member is known.
struct Incoming<'a> {
    member: &'static str,
    /// Where files go: to the fake itself, also where it is served on a socket.
    uploads: String,
    query: Vec<(String, String)>,
    /// `X-RestLi-Method`.
    method: &'a str,
    body: &'a Bytes,
    now: DateTime<Utc>,
}

impl Incoming<'_> {
    fn one(&self, name: &str) -> &str {
        let named = self.query.iter().find(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The values of `List(a,b)`.
    fn list(&self, name: &str) -> Vec<&str> {
        let list = self.one(name).strip_prefix("List(");
        let inner = list.and_then(|list| list.strip_suffix(')'));
        inner
            .map(|inner| inner.split(',').collect())
            .unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    /// Start and size of the page that is asked for.
    fn page(&self) -> (usize, usize) {
        let number = |name, default| self.one(name).parse().unwrap_or(default);
        (number("start", 0), number("count", 10))
    }
}

/// What is wrong with the headers or the spelling of the address.
fn headers(state: &State, request: &Request<Bytes>, api: Option<&str>) -> Option<Response<Bytes>> {
    let version = text_of(request, "linkedin-version");
    let bare = request
        .uri()
        .query()
        .unwrap_or_default()
        .contains("urn:li:")
        || request.uri().path().contains("urn:li:");
    if bare {
        return Some(problem(
            400,
            100,
            "ILLEGAL_ARGUMENT",
            "Invalid query parameters passed to request",
        ));
    }
    if api == Some("v2") {
        let unexpected = !version.is_empty();
        return unexpected.then(|| {
            problem(
                403,
                100,
                "ACCESS_DENIED",
                "Not enough permissions to access a versioned resource here",
            )
        });
    }
    if version.is_empty() {
        return Some(problem(
            400,
            0,
            "VERSION_MISSING",
            "A version must be present. Please specify a version by adding the LinkedIn-Version header.",
        ));
    }
    if !state.versions.iter().any(|served| served == version) {
        let message = format!("Requested version {version}01 is not active");
        return Some(problem(426, 0, "NONEXISTENT_VERSION", &message));
    }
    if text_of(request, "x-restli-protocol-version") != "2.0.0" {
        return Some(problem(
            400,
            100,
            "ILLEGAL_ARGUMENT",
            "X-RestLi-Protocol-Version is not 2.0.0",
        ));
    }
    None
}

fn route(
    state: &mut State,
    call: &Incoming<'_>,
    method: &Method,
    path: &[&str],
) -> Response<Bytes> {
    let get = method == Method::GET;
    let post = method == Method::POST;
    match *path {
        ["v2", "userinfo"] if get => people::userinfo(state, call),
        ["v2", "me"] if get => people::me(state, call),
        ["rest", "organizationAcls"] if get => people::roles(state, call),
        ["rest", "organizations"] if get => people::organizations(state, call),
        ["rest", "posts"] if post => posts::create(state, call),
        ["rest", "posts"] if get => posts::list(state, call),
        ["rest", "posts", urn] if get => posts::get(state, call, urn),
        ["rest", "posts", urn] if method == Method::DELETE => posts::delete(state, call, urn),
        ["rest", "socialActions", urn, "comments"] if post => posts::comment(state, call, urn),
        ["rest", "socialActions", urn, "comments"] if get => posts::comments(state, call, urn),
        ["rest", "socialMetadata", urn] if get => numbers::metadata(state, call, urn),
        ["rest", "organizationalEntityShareStatistics"] if get => numbers::statistics(state, call),
        ["rest", "memberCreatorPostAnalytics"] if get => numbers::analytics(state, call),
        ["rest", kind @ ("images" | "documents" | "videos")] if post => {
            media::act(state, call, kind)
        }
        ["rest", kind @ ("images" | "documents" | "videos"), urn] if get => {
            media::status(state, call, kind, urn)
        }
        _ => problem(404, 0, "RESOURCE_NOT_FOUND", "No virtual resource found"),
    }
}

fn text_of<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// A segment of a path without its percent signs.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((&byte, left)) = rest.split_first() {
        let hex = left.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(escaped) if byte == b'%' => {
                bytes.push(escaped);
                rest = &left[2..];
            }
            _ => {
                bytes.push(byte);
                rest = left;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn problem(status: u16, service: u32, code: &str, message: &str) -> Response<Bytes> {
    let mut body = json!({"status": status, "code": code, "message": message});
    if service > 0 {
        body["serviceErrorCode"] = json!(service);
    }
    json_reply(status, &body)
}

fn forbidden(what: &str) -> Response<Bytes> {
    let message = format!("Not enough permissions to access: {what}");
    problem(403, 100, "ACCESS_DENIED", &message)
}

/// A refusal of a field.
fn invalid(status: u16, code: &str, message: &str) -> Response<Bytes> {
    json_reply(
        status,
        &json!({
            "errorDetailType": "com.linkedin.common.error.BadRequest",
            "message": format!("com.linkedin.content.common.exception.BadRequestResponseException: {message}"),
            "errorDetails": {"inputErrors": [{"description": message, "input": {}, "code": code}]},
            "status": status,
        }),
    )
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = status;
    reply
}
