use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use http::{HeaderValue, Request, Response, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{AuthRules, Issued, TradeRule, UserSays, assertion};
use crate::{
    Error, Platform, Result,
    hash::sha256,
    oauth::{ClientAuth, Method, Pkce, challenge},
    testing::{Fake, json_reply, text_reply},
};

/// An authorization server in a box: it checks what it is sent as the platform does, gives codes and tokens,
/// and answers in the platform's own ways ([`AuthRules`]). A user always stands by and does as
/// [`user`](Self::user) says. Beside the fake of an API of the same platform it is one fake with it:
/// [`WithLogin`](super::WithLogin).
///
/// ```
/// use std::sync::Arc;
/// use automarket_core::{Platform, testing::{AuthRules, AuthServer, Sandbox}};
/// let rules = AuthRules { rotates: true, ..AuthRules::new(Platform::X, "x.example") };
/// let server = Arc::new(AuthServer::new(rules));
/// let world = Sandbox::new().with(server.clone());
/// # let _ = (world, server);
/// ```
pub struct AuthServer {
    pub(super) rules: AuthRules,
    world: Mutex<World>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct World {
    user: UserSays,
    codes: BTreeMap<String, Code>,
    families: Vec<Family>,
    /// Apps that were registered by call: id, secret (empty for a public one) and redirect address.
    apps: Vec<(String, String, String)>,
    log: Vec<Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    scopes: Vec<String>,
    dies: DateTime<Utc>,
    family: Option<usize>,
}

/// All tokens that come from one agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Family {
    scopes: Vec<String>,
    access: Vec<(String, Option<DateTime<Utc>>)>,
    refresh: Option<String>,
    /// When the refresh token was given.
    #[serde(default)]
    refresh_given: Option<DateTime<Utc>>,
    used: Vec<String>,
    revoked: bool,
    given: usize,
}

type Params = BTreeMap<String, String>;

impl AuthServer {
    /// A server of these rules.
    #[must_use]
    pub fn new(rules: AuthRules) -> Self {
        Self {
            rules,
            world: Mutex::default(),
        }
    }

    /// What the user does from now on.
    pub fn user(&self, says: UserSays) {
        self.world().user = says;
    }

    /// Revokes everything, as a user does in the platform's settings.
    pub fn revoke_all(&self) {
        for family in &mut self.world().families {
            family.revoked = true;
        }
    }

    /// Whether this access token works at this instant.
    #[must_use]
    pub fn works(&self, access_token: &str, now: DateTime<Utc>) -> bool {
        self.world().alive(access_token, now).is_some()
    }

    /// The answer, where the request is one of a login.
    pub(super) fn login(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Option<Response<Bytes>> {
        let rules = &self.rules;
        let world = &mut *self.world();
        let params = params(request);
        let path = request.uri().path();
        let trade = rules.trades.iter().find(|rule| {
            rule.path == path
                && params
                    .get("grant_type")
                    .is_some_and(|grant| grant == rule.grant)
        });
        let method = request.method().as_str();
        if let (Some(rule), "GET") = (trade, method) {
            return Some(self.trade(world, rule, &params, now));
        }
        if method == "GET" && path == rules.authorize {
            return Some(self.authorize(world, &params, now));
        }
        if path == rules.token && method == name(rules.token_method) {
            return Some(self.token(world, request, &params, now));
        }
        if let Some((revoke, place)) = rules.revoke
            && path == place
            && method == name(revoke)
        {
            let params = match revoke {
                Method::PostQuery => pairs(request.uri().query().unwrap_or_default().as_bytes()),
                _ => params,
            };
            return Some(self.revoke(world, request, &params, now));
        }
        if method == "POST" && Some(path) == rules.register {
            return Some(self.register(world, request));
        }
        None
    }

    /// Whether this access token is one of its own, dead or alive.
    pub(super) fn gave(&self, access_token: &str) -> bool {
        let world = self.world();
        let mut given = world.families.iter().flat_map(|family| &family.access);
        given.any(|(token, _)| token == access_token)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, code: &str) -> Response<Bytes> {
        (self.rules.error)(code)
    }

    /// The page: the user decides at once.
    fn authorize(&self, world: &mut World, params: &Params, now: DateTime<Utc>) -> Response<Bytes> {
        let rules = &self.rules;
        let get = |name: &str| params.get(name).map_or("", String::as_str);
        let redirect_uri = get("redirect_uri");
        let Some((_, _, registered)) = self.app(world, get(rules.client_id_param)) else {
            return text_reply(400, "unknown app");
        };
        // An unregistered redirect address is never redirected to.
        let (true, Ok(mut back)) = (
            registered.iter().any(|r| r == redirect_uri),
            Url::parse(redirect_uri),
        ) else {
            return text_reply(400, "the redirect address is not registered");
        };
        let challenge = params.get("code_challenge").cloned();
        let proof = match rules.pkce {
            Pkce::None => challenge.is_none(),
            _ => challenge.is_some() && get("code_challenge_method") == "S256",
        };
        let asked = get("scope").split(rules.separator);
        let asked: Vec<String> = asked.filter(|s| !s.is_empty()).map(str::to_owned).collect();
        let answer = if get("response_type") != "code" || !proof {
            Err("invalid_request")
        } else {
            match &world.user {
                UserSays::No => Err("access_denied"),
                UserSays::Yes => Ok(asked),
                UserSays::Only(scopes) => Ok(scopes.clone()),
            }
        };
        {
            let mut query = back.query_pairs_mut();
            match answer {
                Err(error) => query.append_pair("error", error),
                Ok(scopes) => {
                    let code = format!("code-{}", world.codes.len() + 1);
                    let dies = now + Duration::seconds(rules.code_seconds);
                    let given = Code {
                        redirect_uri: redirect_uri.to_owned(),
                        challenge,
                        scopes,
                        dies,
                        family: None,
                    };
                    world.codes.insert(code.clone(), given);
                    query.append_pair("code", &code)
                }
            };
            query.append_pair("state", get("state"));
            for (name, value) in rules.callback {
                query.append_pair(name, value);
            }
        }
        let mut reply = text_reply(302, "");
        if let Ok(value) = HeaderValue::from_str(back.as_str()) {
            reply.headers_mut().insert(header::LOCATION, value);
        }
        reply
    }

    /// Id, secret and redirect addresses of an app.
    fn app(&self, world: &World, id: &str) -> Option<(String, String, Vec<String>)> {
        let rules = &self.rules;
        if id == rules.client_id {
            let secret = rules.client_secret.clone();
            return Some((id.to_owned(), secret, rules.redirect_uris.clone()));
        }
        let app = world.apps.iter().find(|(known, ..)| known == id)?;
        Some((app.0.clone(), app.1.clone(), vec![app.2.clone()]))
    }

    /// Whether the app proved who it is, in the way that is asked of it and no other.
    fn proven(
        &self,
        world: &World,
        request: &Request<Bytes>,
        params: &Params,
        now: DateTime<Utc>,
    ) -> bool {
        let rules = &self.rules;
        let basic = request.headers().get(header::AUTHORIZATION);
        let basic = basic.and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
        let param = |name: &str| params.get(name).map(String::as_str);
        let in_body = || {
            let app = param(rules.client_id_param).and_then(|id| self.app(world, id));
            // A public app has none.
            let given = param("client_secret").unwrap_or_default();
            app.is_some_and(|(_, secret, _)| given == secret)
        };
        let in_header = || {
            let pair = format!("{}:{}", rules.client_id, rules.client_secret);
            basic == Some(&STANDARD.encode(pair))
        };
        match rules.client {
            ClientAuth::Body => basic.is_none() && in_body(),
            ClientAuth::Basic => in_header() && param("client_secret").is_none(),
            ClientAuth::BasicAndBody => in_header() && in_body(),
            ClientAuth::PrivateKeyJwt => param("client_assertion").is_some_and(|jwt| {
                let subject = assertion::subject(rules, jwt, now);
                subject.as_deref() == Some(&rules.client_id)
            }),
        }
    }

    fn token(
        &self,
        world: &mut World,
        request: &Request<Bytes>,
        params: &Params,
        now: DateTime<Utc>,
    ) -> Response<Bytes> {
        let get = |name: &str| params.get(name).map_or("", String::as_str);
        // Facebook's exchange of a code names no grant.
        let grant = match get("grant_type") {
            "" if self.rules.token_method == Method::Get => "authorization_code",
            grant => grant,
        };
        let given = self.grant(world, request, params, grant, now);
        let call = json!({"call": grant, "error": given.as_ref().err()});
        world.log.push(call);
        match given {
            Ok(issued) => (self.rules.reply)(&issued),
            Err(code) => self.error(code),
        }
    }

    fn grant(
        &self,
        world: &mut World,
        request: &Request<Bytes>,
        params: &Params,
        grant: &str,
        now: DateTime<Utc>,
    ) -> std::result::Result<Issued, &'static str> {
        let rules = &self.rules;
        let get = |name: &str| params.get(name).map_or("", String::as_str);
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            let subject = assertion::subject(rules, get("assertion"), now);
            subject.ok_or("invalid_grant")?;
            let family = world.family(Vec::new());
            return Ok(world.issue(family, rules.access_seconds, None, now));
        }
        if !self.proven(world, request, params, now) {
            return Err("invalid_client");
        }
        match grant {
            "authorization_code" => {
                let code = world
                    .codes
                    .get(get("code"))
                    .cloned()
                    .ok_or("invalid_grant")?;
                if let Some(family) = code.family {
                    // A code used twice: somebody else has it.
                    world.families[family].revoked = true;
                    return Err("invalid_grant");
                }
                let proof = match (&code.challenge, rules.pkce) {
                    (None, _) => true,
                    (Some(wanted), Pkce::S256Hex) => *wanted == sha256(get("code_verifier")),
                    (Some(wanted), _) => {
                        challenge(get("code_verifier")).is_ok_and(|given| given == *wanted)
                    }
                };
                if now > code.dies || code.redirect_uri != get("redirect_uri") || !proof {
                    return Err("invalid_grant");
                }
                let family = world.family(code.scopes.clone());
                if let Some(code) = world.codes.get_mut(get("code")) {
                    code.family = Some(family);
                }
                let refresh = rules.refresh_token.then(|| format!("rt-{family}-1"));
                Ok(world.issue(family, rules.access_seconds, refresh, now))
            }
            "refresh_token" => {
                let token = get("refresh_token").to_owned();
                let reused = world.families.iter_mut().find(|f| f.used.contains(&token));
                if let Some(family) = reused {
                    family.revoked = true;
                    return Err("invalid_grant");
                }
                let life = Duration::seconds(rules.refresh_seconds);
                let lives = |given| rules.refresh_seconds == 0 || now < given + life;
                let by_token = |f: &Family| {
                    !f.revoked
                        && f.refresh.as_ref() == Some(&token)
                        && f.refresh_given.is_none_or(lives)
                };
                let family = world.families.iter().position(by_token);
                let family = family.ok_or("invalid_grant")?;
                let refresh = rules.rotates.then(|| {
                    world.families[family].used.push(token);
                    format!("rt-{family}-{}", world.families[family].given + 1)
                });
                Ok(world.issue(family, rules.access_seconds, refresh, now))
            }
            "client_credentials" => {
                let scopes = get("scope").split(rules.separator);
                let family = world.family(scopes.map(str::to_owned).collect());
                Ok(world.issue(family, rules.access_seconds, None, now))
            }
            _ => Err("unsupported_grant_type"),
        }
    }

    fn trade(
        &self,
        world: &mut World,
        rule: &TradeRule,
        params: &Params,
        now: DateTime<Utc>,
    ) -> Response<Bytes> {
        let get = |name: &str| params.get(name).map_or("", String::as_str);
        let rules = &self.rules;
        let client = (!rule.secret || get("client_secret") == rules.client_secret)
            && (!rule.id || get("client_id") == rules.client_id);
        let family = world.alive(get(rule.token_param), now);
        let answer = match family {
            _ if get("grant_type") != rule.grant => Err("unsupported_grant_type"),
            _ if !client => Err("invalid_client"),
            None => Err("invalid_grant"),
            Some(family) => Ok(world.issue(family, rule.seconds, None, now)),
        };
        world
            .log
            .push(json!({"call": rule.grant, "error": answer.as_ref().err()}));
        match answer {
            Ok(issued) => (rules.reply)(&issued),
            Err(code) => self.error(code),
        }
    }

    fn revoke(
        &self,
        world: &mut World,
        request: &Request<Bytes>,
        params: &Params,
        now: DateTime<Utc>,
    ) -> Response<Bytes> {
        let named = params.get("token").map(String::as_str);
        let token = named.or_else(|| bearer(request)).unwrap_or_default();
        // Who names the app has to prove to be it.
        let names_app = request
            .headers()
            .get(header::AUTHORIZATION)
            .is_some_and(|value| value.to_str().is_ok_and(|text| text.starts_with("Basic ")))
            || params.contains_key(self.rules.client_id_param);
        if names_app && !self.proven(world, request, params, now) {
            return self.error("invalid_client");
        }
        let owns = |f: &&mut Family| {
            f.refresh.as_deref() == Some(token)
                || f.access.iter().any(|(access, _)| access == token)
        };
        let Some(family) = world.families.iter_mut().find(owns) else {
            return self.error("invalid_request");
        };
        family.revoked = true;
        world.log.push(json!({"call": "revoke", "error": null}));
        json_reply(200, &json!({"ok": true, "success": true}))
    }

    fn register(&self, world: &mut World, request: &Request<Bytes>) -> Response<Bytes> {
        let json: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let form = params(request);
        let redirect_uri = json["redirect_uris"][0].as_str().map(str::to_owned);
        let redirect_uri = redirect_uri.or_else(|| form.get("redirect_uris").cloned());
        let Some(redirect_uri) = redirect_uri else {
            return self.error("invalid_redirect_uri");
        };
        let n = world.apps.len() + 1;
        let id = format!("app-{n}");
        let mut reply = json!({"client_id": id, "redirect_uris": [redirect_uri]});
        let secret = match self.rules.registers_public {
            true => String::new(),
            false => format!("app-secret-{n}"),
        };
        if secret.is_empty() {
            reply["token_endpoint_auth_method"] = "none".into();
        } else {
            reply["client_secret"] = secret.clone().into();
            reply["client_secret_expires_at"] = 0.into();
        }
        world.apps.push((id, secret, redirect_uri));
        json_reply(201, &reply)
    }

    /// Who the token speaks for.
    fn me(&self, world: &World, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let family = bearer(request).and_then(|token| world.alive(token, now));
        let Some(family) = family else {
            return json_reply(401, &json!({"error": "invalid_token"}));
        };
        let accounts = self.rules.accounts.iter().map(|(id, name)| {
            let mut account = json!({"id": id, "name": name});
            if self.rules.account_tokens {
                account["access_token"] = format!("account-token-{family}-{id}").into();
            }
            account
        });
        json_reply(200, &json!({"data": accounts.collect::<Vec<_>>()}))
    }
}

impl World {
    fn family(&mut self, scopes: Vec<String>) -> usize {
        self.families.push(Family {
            scopes,
            access: Vec::new(),
            refresh: None,
            refresh_given: None,
            used: Vec::new(),
            revoked: false,
            given: 0,
        });
        self.families.len() - 1
    }

    fn issue(
        &mut self,
        family: usize,
        seconds: i64,
        refresh_token: Option<String>,
        now: DateTime<Utc>,
    ) -> Issued {
        let index = family;
        let family = &mut self.families[family];
        family.given += 1;
        let access_token = format!("at-{index}-{}", family.given);
        let dies = (seconds > 0).then(|| now + Duration::seconds(seconds));
        family.access.push((access_token.clone(), dies));
        if refresh_token.is_some() {
            family.refresh.clone_from(&refresh_token);
            family.refresh_given = Some(now);
        }
        Issued {
            access_token,
            refresh_token,
            seconds,
            scopes: family.scopes.clone(),
        }
    }

    /// The family of an access token that works.
    fn alive(&self, token: &str, now: DateTime<Utc>) -> Option<usize> {
        self.families.iter().position(|family| {
            let works = |(access, dies): &(String, Option<DateTime<Utc>>)| {
                access == token && dies.is_none_or(|dies| now < dies)
            };
            !family.revoked && family.access.iter().any(works)
        })
    }
}

impl Fake for AuthServer {
    fn platform(&self) -> Platform {
        self.rules.platform.clone()
    }

    fn hosts(&self) -> Vec<String> {
        self.rules.hosts.clone()
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        if let Some(reply) = self.login(request, now) {
            return reply;
        }
        if request.method().as_str() == "GET" && request.uri().path() == "/me" {
            return self.me(&self.world(), request, now);
        }
        text_reply(404, "no such page")
    }

    fn effects(&self) -> Vec<Value> {
        self.world().log.clone()
    }

    fn save(&self) -> Value {
        serde_json::to_value(&*self.world()).unwrap_or_default()
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.world() = serde_json::from_value(state)
            .map_err(|error| Error::invalid("state", "not a saved server").with_source(error))?;
        Ok(())
    }
}

impl fmt::Debug for AuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServer")
            .field("platform", &self.rules.platform)
            .finish_non_exhaustive()
    }
}

/// What stands in query and form.
fn params(request: &Request<Bytes>) -> Params {
    let query = request.uri().query().unwrap_or_default();
    let mut all = pairs(query.as_bytes());
    all.extend(pairs(request.body()));
    all
}

fn pairs(text: &[u8]) -> Params {
    form_urlencoded::parse(text).into_owned().collect()
}

pub(super) fn bearer(request: &Request<Bytes>) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?;
    value.to_str().ok()?.strip_prefix("Bearer ")
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post | Method::PostQuery => "POST",
        Method::Delete => "DELETE",
    }
}
