//! Instagram in a box: accounts, containers, media, comments and limits, for either login.
//!
//! Written from the platform's sheet (paths, bodies, limits, error codes), not from the connector.

mod containers;
mod login;
mod media;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use automarket_connector_graph::testing::{
    Answer, Asked, Refusal, invalid, missing, page, permissions, proven, refusal, signed, token,
};
use automarket_core::{
    Bytes, Error, Platform, Result,
    chrono::{DateTime, Utc},
    http_types::{Method, Request, Response},
    testing::{Fake, LocalMediaHost, json_reply},
};
use serde_json::{Value, json};

use crate::{Login, PLATFORM, oauth_facebook};
pub use login::auth_rules;
use state::State;

/// The host that the fake answers for with Instagram's login; with Facebook's it is `graph.facebook.com`.
pub const HOST: &str = "graph.instagram.com";
/// A token of the first account, [`ACCOUNT`].
pub const TOKEN: &str = "ig-sbx-token";
/// A token of the second account, [`OTHER_ACCOUNT`].
pub const OTHER_TOKEN: &str = "ig-sbx-other-token";
/// A token of the user whose pages both accounts are linked to; with Facebook's login alone.
pub const USER_TOKEN: &str = "ig-sbx-user-token";
/// The id of `acme`.
pub const ACCOUNT: &str = "17841400000000001";
/// The id of `globex`.
pub const OTHER_ACCOUNT: &str = "17841400000000002";

/// The fake. Media and comments are its effects: `{id, account, kind, caption, media, alt, collaborators, location,
/// tags, parent}`.
#[derive(Debug)]
pub struct FakeInstagram {
    login: Login,
    host: Option<LocalMediaHost>,
    state: Mutex<State>,
}

impl FakeInstagram {
    /// A world with two accounts and no posts. With Instagram's login it answers for `graph.instagram.com`,
    /// with Facebook's for `graph.facebook.com`.
    #[must_use]
    pub fn new(login: Login) -> Self {
        Self {
            login,
            host: None,
            state: Mutex::default(),
        }
    }

    /// Fetches media from this host: what it does not serve, or is no JPEG where that is needed, is refused.
    #[must_use]
    pub fn fetching(mut self, host: LocalMediaHost) -> Self {
        self.host = Some(host);
        self
    }

    /// From now on the first account's token is this one; the old one has expired.
    pub fn renew_token(&self, token: &str) {
        token.clone_into(&mut self.lock().token);
    }

    /// From now on calls without the proof of this app's secret are refused.
    pub fn require_proof(&self, app_secret: &str) {
        self.lock().app_secret = Some(app_secret.to_owned());
    }

    /// The user refuses this permission at the login's dialog; all of them are granted unless said otherwise.
    pub fn decline(&self, permission: &str) {
        self.lock().declined.push(permission.to_owned());
    }

    /// The version that answers whatever is asked for; the asked one unless said otherwise.
    pub fn serve_version(&self, version: &str) {
        self.lock().version = Some(version.to_owned());
    }

    /// How many posts of an account are taken in 24 hours; 100 unless said otherwise.
    pub fn set_quota(&self, total: usize) {
        self.lock().quota = total;
    }

    /// How many questions processing takes; 1 unless said otherwise.
    pub fn set_processing(&self, questions: u32) {
        self.lock().questions = questions;
    }

    /// How many containers from now on end with this subcode instead of being ready.
    pub fn fail_processing(&self, times: u32, subcode: i64) {
        self.lock().failing = (times, subcode);
    }

    /// Containers that are ready end with this subcode after all.
    pub fn fail_ready(&self, subcode: i64) {
        let mut state = self.lock();
        let waiting = state.containers.values_mut();
        for container in waiting.filter(|one| one.published.is_none()) {
            container.failed = Some(subcode);
        }
    }

    /// How many times a container that is ready is said not to be when it is published.
    pub fn delay_publishing(&self, times: u32) {
        self.lock().delayed = times;
    }

    /// For how many seconds a container that was published says that it can be, and is busy for who tries.
    pub fn finish_late(&self, seconds: i64) {
        self.lock().in_flight = seconds;
    }

    /// Somebody comments on a post of the first account.
    pub fn comment_of_other(&self, media: &str, text: &str) {
        media::add_comment(&mut self.lock(), OTHER_ACCOUNT, media, text);
    }

    /// The next so many writes are refused with this code and subcode.
    pub fn refuse_writes(&self, times: u32, code: i64, subcode: i64) {
        self.lock().refusing = (times, code, subcode);
    }

    /// The next so many publishings are refused with this code and subcode, and done all the same.
    pub fn refuse_published(&self, times: u32, code: i64, subcode: i64) {
        self.lock().belying = (times, code, subcode);
    }

    /// How many questions for one thing are answered that it is not there, right after it was made.
    pub fn hide(&self, times: u32) {
        self.lock().hidden = times;
    }

    /// Whether single things are said not to be there (100/33), while lists and what is the account's own work, as
    /// Meta's were for days.
    pub fn hide_objects(&self, hidden: bool) {
        self.lock().blind = hidden;
    }

    /// For how many seconds a post is in no list after it was made.
    pub fn list_after(&self, seconds: i64) {
        self.lock().unlisted = seconds;
    }

    /// A metric is retired: every question that names it is refused.
    pub fn retire_metric(&self, name: &str) {
        self.lock().retired.push(name.to_owned());
    }

    /// A post that the first account made elsewhere.
    pub fn seed(&self, caption: &str, now: DateTime<Utc>) -> String {
        self.lock().seed(ACCOUNT, caption, now)
    }

    /// How many containers were made.
    #[must_use]
    pub fn containers(&self) -> usize {
        self.lock().containers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake for FakeInstagram {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        let host = match self.login {
            Login::Instagram => HOST,
            Login::Facebook => "graph.facebook.com",
        };
        vec![host.to_owned()]
    }

    /// What comes with one of its tokens.
    fn takes(&self, request: &Request<Bytes>) -> bool {
        let token = token(request);
        [USER_TOKEN, OTHER_TOKEN].contains(&token) || token == self.lock().token
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut state = self.lock();
        let asked = Asked::of(request);
        let answer = self.answered(&mut state, &asked, now);
        let reply = answer.unwrap_or_else(|refusal| refusal.reply());
        let version = state.version.as_deref().unwrap_or(&asked.version);
        let usage = json!({"call_count": 3, "total_time": 2, "total_cputime": 1}).to_string();
        signed(reply, version, &usage)
    }

    fn effects(&self) -> Vec<Value> {
        self.lock().effects()
    }

    fn save(&self) -> Value {
        json!(&*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state).map_err(|error| {
            Error::invalid("sandbox", "not a saved Instagram").with_source(error)
        })?;
        Ok(())
    }
}

impl FakeInstagram {
    fn answered(&self, state: &mut State, asked: &Asked, now: DateTime<Utc>) -> Answer {
        let facebook = self.login == Login::Facebook;
        let account = match asked.token.as_str() {
            USER_TOKEN if facebook => None,
            OTHER_TOKEN => Some(OTHER_ACCOUNT),
            token if token == state.token => Some(ACCOUNT),
            _ => {
                let message = "Error validating access token: Session has expired";
                return Err(refusal(400, 190, 463, message));
            }
        };
        proven(asked, state.app_secret.as_deref())?;
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let Some(account) = account else {
            return users(state, asked, &path);
        };
        let own = |id: &str| id == account || (id == "me" && !facebook);
        match (&asked.method, path.as_slice()) {
            (&Method::GET, ["me"]) if facebook => {
                let mut view = linked(account);
                view["id"] = json!(format!("9{account}"));
                Ok(json_reply(200, &view))
            }
            (&Method::GET, ["me", "accounts"]) => Err(invalid(
                "Tried accessing nonexisting field (accounts) on node type (Page)",
            )),
            (&Method::GET, ["me"]) => Ok(json_reply(200, &me(account))),
            (&Method::GET, [id]) if own(id) => Ok(json_reply(200, &me(account))),
            (&Method::GET, [id, "content_publishing_limit"]) if own(id) => {
                let used = state.used(account, now);
                let config = json!({"quota_total": state.quota, "quota_duration": 86_400});
                let data = json!([{"quota_usage": used, "config": config}]);
                Ok(json_reply(200, &json!({"data": data})))
            }
            (&Method::POST, [id, "media"]) if own(id) => {
                refused(state)?;
                containers::create(state, self.host.as_ref(), asked, account, now)
            }
            (&Method::POST, [id, "media_publish"]) if own(id) => {
                refused(state)?;
                let answer = containers::publish(state, asked, account, now)?;
                belied(state)?;
                Ok(answer)
            }
            (&Method::GET, [id, edge @ ("media" | "stories")]) if own(id) => {
                Ok(media::list(state, asked, account, *edge == "stories", now))
            }
            // An account that is not the token's.
            (
                _,
                [
                    id,
                    "media" | "media_publish" | "stories" | "content_publishing_limit",
                ],
            ) => Err(missing(id)),
            (_, [id, ..]) if state.blind => Err(missing(id)),
            (&Method::GET, [id]) => {
                if state.hidden > 0 {
                    state.hidden -= 1;
                    return Err(missing(id));
                }
                if state.containers.contains_key(*id) {
                    containers::status(state, account, id, now)
                } else {
                    media::get(state, asked, account, id)
                }
            }
            (&Method::GET, [id, "insights"]) => media::insights(state, asked, account, id),
            (&Method::GET, [id, "comments"]) => media::comments(state, asked, account, id),
            (&Method::POST, [id, "comments"]) => {
                refused(state)?;
                media::comment(state, asked, account, id)
            }
            (&Method::DELETE, [id]) if facebook => media::delete(state, account, id),
            _ => Err(refusal(400, 2500, 0, "Unknown path components")),
        }
    }
}

/// What a user's token sees: pages, and the accounts that are linked to them.
fn users(state: &State, asked: &Asked, path: &[&str]) -> Answer {
    match (&asked.method, path) {
        (&Method::GET, ["me"]) => Ok(json_reply(200, &json!({"id": "10158000000000001"}))),
        (&Method::GET, ["me", "permissions"]) => {
            Ok(permissions(asked, oauth_facebook().scopes, &state.declined))
        }
        (&Method::GET, ["me", "accounts"]) => {
            let tokens = [
                (ACCOUNT, state.token.as_str()),
                (OTHER_ACCOUNT, OTHER_TOKEN),
            ];
            let mut pages: Vec<Value> = tokens
                .iter()
                .map(|(account, token)| {
                    let mut view = linked(account);
                    view["access_token"] = json!(token);
                    view
                })
                .collect();
            pages.push(json!({"id": "93", "name": "No Instagram", "access_token": "third-canary"}));
            Ok(page(asked, &pages))
        }
        _ => Err(refusal(403, 200, 0, "Permissions error")),
    }
}

fn names(account: &str) -> (&'static str, &'static str) {
    if account == ACCOUNT {
        ("acme", "Acme")
    } else {
        ("globex", "Globex")
    }
}

fn me(account: &str) -> Value {
    let (username, name) = names(account);
    // The app's own id of the user is another one.
    json!({"id": format!("7{account}"), "user_id": account, "username": username, "name": name,
        "account_type": "BUSINESS"})
}

fn linked(account: &str) -> Value {
    let (username, name) = names(account);
    let instagram = json!({"id": account, "username": username, "name": name});
    json!({"id": format!("9{account}"), "name": format!("{name} Page"),
        "instagram_business_account": instagram})
}

/// The refusals that were asked for.
fn refused(state: &mut State) -> std::result::Result<(), Refusal> {
    next(&mut state.refusing)
}

/// Those of what was done.
fn belied(state: &mut State) -> std::result::Result<(), Refusal> {
    next(&mut state.belying)
}

fn next(left: &mut (u32, i64, i64)) -> std::result::Result<(), Refusal> {
    let (times, code, subcode) = *left;
    if times == 0 {
        return Ok(());
    }
    left.0 -= 1;
    Err(refusal(400, code, subcode, "refused"))
}
