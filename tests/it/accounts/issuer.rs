//! An authorization server and a platform that believes its tokens. A refresh token is good once; when a
//! used one comes back everything it ever led to is revoked.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use automarket::{
    Context, Error, ErrorKind, Identity, Outcome, Post, Profile, Publisher, Result,
    core::{
        Bytes, Handle, Intent, Lookup, Metrics, Receipt, async_trait,
        chrono::{DateTime, Duration, Utc},
        http_types::{Request, Response, StatusCode},
    },
    http::{Body, Call, Transport, TransportError},
    profile::ApiVersion,
    testing::ManualClock,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::PLATFORM;

pub(super) fn later(clock: &ManualClock, seconds: i64) -> DateTime<Utc> {
    automarket::Clock::now(clock) + Duration::seconds(seconds)
}

/// What the token address answers next, instead of its own way.
pub(super) enum Next {
    Reply(u16, String),
    /// Too many, for so many seconds.
    Limited(u64),
    /// This status, and the refresh token that came.
    Quote(u16),
    /// It renews, and the connection is cut.
    CutAfter,
    /// Nothing leaves.
    NotSent,
    /// No answer ever comes.
    Hang,
    /// What the host has made of the transport fails.
    Panic,
    /// Its own way, without a new refresh token.
    NoRefreshToken,
}

/// No statuses of HTTP's.
const HANG: u16 = 0;
const PANIC: u16 = 1;

#[derive(Clone, Default)]
pub(super) struct Issuer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    made: u64,
    access: HashSet<String>,
    refresh: Option<String>,
    used: HashSet<String>,
    next: VecDeque<Next>,
    token_requests: usize,
    renewed: usize,
    invalid_grants: usize,
    posts: usize,
    refusals: usize,
    revoked: Vec<String>,
    prefix: String,
    refuses_all: bool,
    down: bool,
    hangs: bool,
    wait: Option<u64>,
}

impl Issuer {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Whose tokens begin so.
    pub(super) fn marked(prefix: &str) -> Self {
        let issuer = Self::default();
        issuer.lock().prefix = prefix.to_owned();
        issuer
    }

    /// A new family: access and refresh token.
    pub(super) fn grant(&self) -> (String, String) {
        self.lock().pair()
    }

    pub(super) fn next(&self, next: Next) {
        self.lock().next.push_back(next);
    }

    /// The user has withdrawn what was granted.
    pub(super) fn withdraw(&self) {
        self.lock().revoke_family();
    }

    /// The platform refuses all access tokens, the fresh ones too.
    pub(super) fn refuse_all(&self) {
        self.lock().refuses_all = true;
    }

    /// It cannot be reached any more.
    pub(super) fn go_down(&self) {
        self.lock().down = true;
    }

    /// From now on the token address gives no answer.
    pub(super) fn hang(&self) {
        self.lock().hangs = true;
    }

    /// The platform forgets the access tokens; the refresh token lives.
    pub(super) fn forget_access(&self) {
        self.lock().access.clear();
    }

    pub(super) fn token_requests(&self) -> usize {
        self.lock().token_requests
    }

    pub(super) fn renewed(&self) -> usize {
        self.lock().renewed
    }

    pub(super) fn invalid_grants(&self) -> usize {
        self.lock().invalid_grants
    }

    pub(super) fn posts(&self) -> usize {
        self.lock().posts
    }

    pub(super) fn refusals(&self) -> usize {
        self.lock().refusals
    }

    pub(super) fn revoked(&self) -> Vec<String> {
        self.lock().revoked.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pair(&mut self) -> (String, String) {
        self.made += 1;
        let access = format!("{}access-{}", self.prefix, self.made);
        let refresh = format!("{}refresh-{}", self.prefix, self.made);
        self.access.insert(access.clone());
        if let Some(old) = self.refresh.replace(refresh.clone()) {
            self.used.insert(old);
        }
        (access, refresh)
    }

    fn revoke_family(&mut self) {
        self.access.clear();
        self.used.extend(self.refresh.take());
    }

    fn token(&mut self, form: &[(String, String)]) -> (u16, String) {
        let field = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let given = field("refresh_token").unwrap_or_default();
        if self.refresh.as_ref() != Some(&given) {
            self.invalid_grants += 1;
            if self.used.contains(&given) {
                self.revoke_family();
            }
            // Some servers quote what they were given.
            let quoted = serde_json::json!({"error": "invalid_grant", "error_description": given});
            return (400, quoted.to_string());
        }
        let (access, refresh) = self.pair();
        self.renewed += 1;
        let reply = serde_json::json!({
            "access_token": access, "refresh_token": refresh, "expires_in": 3600, "token_type": "bearer",
        });
        (200, reply.to_string())
    }

    fn answer(&mut self, request: &Request<Bytes>) -> Result<(u16, String), TransportError> {
        if self.down {
            return Err(TransportError::new(ErrorKind::Network, false, "down"));
        }
        let form: Vec<(String, String)> = automarket::core::Url::parse(&format!(
            "x:?{}",
            String::from_utf8_lossy(request.body())
        ))
        .map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default();
        match request.uri().path() {
            "/token" => {
                self.token_requests += 1;
                if self.hangs {
                    return Ok((HANG, String::new()));
                }
                match self.next.pop_front() {
                    None => Ok(self.token(&form)),
                    Some(Next::Reply(status, body)) => Ok((status, body)),
                    Some(Next::Limited(seconds)) => {
                        self.wait = Some(seconds);
                        Ok((429, String::new()))
                    }
                    Some(Next::Quote(status)) => {
                        let given = form.into_iter().find(|(n, _)| n == "refresh_token");
                        Ok((status, format!("<p>{}</p>", given.unwrap_or_default().1)))
                    }
                    Some(Next::NotSent) => {
                        Err(TransportError::new(ErrorKind::Network, false, "refused"))
                    }
                    Some(Next::Hang) => Ok((HANG, String::new())),
                    Some(Next::Panic) => Ok((PANIC, String::new())),
                    Some(Next::CutAfter) => {
                        self.token(&form);
                        Err(TransportError::new(ErrorKind::Network, true, "cut"))
                    }
                    Some(Next::NoRefreshToken) => {
                        let (status, body) = self.token(&form);
                        // The old one stays good.
                        self.refresh = form
                            .into_iter()
                            .find(|(n, _)| n == "refresh_token")
                            .map(|(_, v)| v);
                        let mut body: serde_json::Value = serde_json::from_str(&body).unwrap();
                        body.as_object_mut().unwrap().remove("refresh_token");
                        Ok((status, body.to_string()))
                    }
                }
            }
            "/revoke" => {
                self.revoked
                    .extend(form.into_iter().find(|(n, _)| n == "token").map(|(_, v)| v));
                self.revoke_family();
                Ok((200, String::new()))
            }
            "/posts" => {
                let header = request.headers().get("authorization");
                let bearer = header.and_then(|h| h.to_str().ok()?.strip_prefix("Bearer "));
                if self.refuses_all || !bearer.is_some_and(|token| self.access.contains(token)) {
                    self.refusals += 1;
                    return Ok((401, quoted(bearer.unwrap_or_default())));
                }
                self.posts += 1;
                Ok((200, format!("{{\"id\":\"post-{}\"}}", self.posts)))
            }
            _ => Ok((404, String::new())),
        }
    }
}

/// Some platforms repeat what they refuse: whole, in part, in other spellings.
fn quoted(token: &str) -> String {
    let half = token.len() / 2;
    let encoded = STANDARD.encode(format!("x{token}"));
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    serde_json::json!({
        "error": format!("bad token {token}"),
        "hint": format!("it begins with {}... and ends in {}", &token[..half], &token[half..]),
        "raw": [encoded, hex[..hex.len() / 2].to_owned()],
    })
    .to_string()
}

#[async_trait]
impl Transport for Issuer {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let ((status, body), wait) = {
            let mut state = self.lock();
            (state.answer(&request)?, state.wait.take())
        };
        if status == HANG {
            return std::future::pending().await;
        }
        assert_ne!(status, PANIC, "a panic of the transport");
        let mut response = Response::new(Body::Full(body.into()));
        if let Some(seconds) = wait {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        Ok(response)
    }
}

/// The connector of that platform.
pub(super) struct Wall {
    profile: Profile,
    base: String,
}

impl Wall {
    pub(super) fn new() -> Self {
        Self::at("https://wall.example")
    }

    pub(super) fn at(base: &str) -> Self {
        let version = ApiVersion::new("1", "https://wall.example/");
        let mut profile = Profile::new(PLATFORM, "Wall", version);
        profile.abilities.publish = true;
        Self {
            profile,
            base: base.to_owned(),
        }
    }
}

#[async_trait]
impl Publisher for Wall {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    async fn identify(&self, _: &Context) -> Result<Vec<Identity>> {
        Ok(Vec::new())
    }

    async fn publish(&self, cx: &Context, _: &Post) -> Result<Outcome> {
        let call = Call::post("posts.create", &format!("{}/posts", self.base))?.bearer(cx.token()?);
        let reply = cx.call(call).await?;
        match reply.status.as_u16() {
            200 => Ok(Outcome::Done(Receipt::new("1"))),
            401 => Err(Error::new(ErrorKind::Unauthorized, "the token is refused")
                .with_body(reply.excerpt())),
            _ => Err(reply.unexpected("an unknown answer")),
        }
    }

    async fn poll(&self, _: &Context, _: &Handle) -> Result<Outcome> {
        Err(Error::unsupported("poll"))
    }

    async fn find(&self, _: &Context, _: &Intent) -> Result<Lookup> {
        Err(Error::unsupported("find"))
    }

    async fn measure(&self, _: &Context, _: &Receipt) -> Result<Metrics> {
        Err(Error::unsupported("measure"))
    }

    async fn delete(&self, _: &Context, _: &Receipt) -> Result<()> {
        Err(Error::unsupported("delete"))
    }
}
