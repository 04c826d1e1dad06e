//! Facebook in a box: pages, posts, photos, videos, reels, comments and limits.
//!
//! Written from the platform's sheet (paths, bodies, limits, error codes), not from the connector.

mod login;
mod posts;
mod state;
mod videos;

use std::sync::{Mutex, MutexGuard, PoisonError};

use automarket_connector_graph::testing::{
    Answer, Asked, Refusal, invalid, missing, page, permissions, proven, refusal, signed, token,
};
use automarket_core::{
    Bytes, Error, Platform, Result,
    chrono::{DateTime, Utc},
    http_types::{Method, Request, Response},
    testing::{Fake, json_reply},
};
use serde_json::{Value, json};

use crate::{PLATFORM, oauth};
pub use login::auth_rules;
use state::State;

/// The hosts that the fake answers for: the API, the one for chunks of videos, the one for reels.
pub const HOSTS: [&str; 3] = [
    "graph.facebook.com",
    "graph-video.facebook.com",
    "rupload.facebook.com",
];
/// A token of the user who manages both pages.
pub const USER_TOKEN: &str = "fb-sbx-user-token";
/// The token of the first page, [`PAGE`].
pub const TOKEN: &str = "fb-sbx-page-token";
/// The token of the second page, [`OTHER_PAGE`].
pub const OTHER_TOKEN: &str = "fb-sbx-other-page-token";
/// The id of the page `Acme`.
pub const PAGE: &str = "1353269864728879";
/// The id of the page `Globex`.
pub const OTHER_PAGE: &str = "1353269864728880";
/// Somebody who is no page.
const VISITOR: &str = "24000000000000001";

/// The fake. Posts, videos and comments that somebody could see, or will at their time, and drafts are its effects:
/// `{id, page, kind, message, link, photos, scheduled, draft, parent}`.
#[derive(Debug, Default)]
pub struct FakeFacebook {
    state: Mutex<State>,
}

impl FakeFacebook {
    /// A world with two pages and no posts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the first page's token is this one; the old one has expired.
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

    /// What is used of the page's limit, in percent, and for how many minutes calls are refused from 100 on.
    pub fn set_usage(&self, percent: u32, minutes: u32) {
        self.lock().usage = (percent, minutes);
    }

    /// The next so many writes are refused with this code and subcode.
    pub fn refuse_writes(&self, times: u32, code: i64, subcode: i64) {
        self.lock().refusing = (times, code, subcode);
    }

    /// A metric is retired: every question that names it is refused.
    pub fn retire_metric(&self, name: &str) {
        self.lock().retired.push(name.to_owned());
    }

    /// Whether insights can be read.
    pub fn set_insights(&self, readable: bool) {
        self.lock().no_insights = !readable;
    }

    /// How many videos from now on fail in processing, with this text.
    pub fn fail_processing(&self, times: u32, text: &str) {
        self.lock().failing = (times, text.to_owned());
    }

    /// How many questions processing takes; 2 unless said otherwise.
    pub fn set_processing(&self, questions: u32) {
        self.lock().questions = questions;
    }

    /// How many answers to a question for one thing say that it is not there, right after it was made.
    pub fn hide(&self, times: u32) {
        self.lock().hidden = times;
    }

    /// Whether single things are said not to be there (100/33), while lists and what is the page's own work, as
    /// Meta's were for days.
    pub fn hide_objects(&self, hidden: bool) {
        self.lock().blind = hidden;
    }

    /// Somebody deletes a post of the first page.
    pub fn delete_by_hand(&self, id: &str) {
        let _ = posts::delete(&mut self.lock(), PAGE, id);
    }

    /// For how many seconds a post is in no list after it was made.
    pub fn list_after(&self, seconds: i64) {
        self.lock().unlisted = seconds;
    }

    /// Whether it takes a post that it has just taken, as Facebook mostly does not.
    pub fn set_takes_repeats(&self, takes: bool) {
        self.lock().takes_repeats = takes;
    }

    /// Somebody comments on a post of the first page.
    pub fn comment_of_other(&self, post: &str, message: &str, now: DateTime<Utc>) {
        posts::add_comment(&mut self.lock(), VISITOR, post, message, now);
    }

    /// Somebody makes a draft public. `false` when there is no such draft.
    pub fn publish_draft(&self, id: &str, now: DateTime<Utc>) -> bool {
        self.lock().publish_draft(id, now)
    }

    /// A post that the first page made elsewhere.
    pub fn seed(&self, message: &str, now: DateTime<Utc>) -> String {
        self.lock().seed(PAGE, message, now)
    }

    /// A video, or reel, that the first page made elsewhere.
    pub fn seed_video(&self, reel: bool, now: DateTime<Utc>) -> String {
        videos::seed(&mut self.lock(), PAGE, reel, now)
    }

    /// What it knows of a photo or video: `{bytes, alt, temporary, chunks}`.
    #[must_use]
    pub fn media(&self, id: &str) -> Option<Value> {
        self.lock().media(id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake for FakeFacebook {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        HOSTS.map(str::to_owned).to_vec()
    }

    /// What comes with one of its tokens.
    fn takes(&self, request: &Request<Bytes>) -> bool {
        let token = token(request);
        [USER_TOKEN, OTHER_TOKEN].contains(&token) || token == self.lock().token
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut state = self.lock();
        if request.uri().host() == Some(HOSTS[2]) {
            return videos::reel_bytes(&mut state, request);
        }
        let asked = Asked::of(request);
        let answer = answered(&mut state, &asked, now);
        let reply = answer.unwrap_or_else(|refusal| refusal.reply());
        let version = state.version.clone();
        let (percent, minutes) = state.usage;
        let app = json!({"call_count": 3, "total_time": 2, "total_cputime": 1}).to_string();
        let mut reply = signed(reply, version.as_deref().unwrap_or(&asked.version), &app);
        let regain = if percent < 100 { 0 } else { minutes };
        let business = json!({PAGE: [{"type": "pages", "call_count": percent, "total_cputime": 1,
            "total_time": 1, "estimated_time_to_regain_access": regain}]});
        if let Ok(value) = business.to_string().parse() {
            reply
                .headers_mut()
                .insert("x-business-use-case-usage", value);
        }
        reply
    }

    fn effects(&self) -> Vec<Value> {
        self.lock().effects()
    }

    fn save(&self) -> Value {
        json!(&*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state).map_err(|error| {
            Error::invalid("sandbox", "not a saved Facebook").with_source(error)
        })?;
        Ok(())
    }
}

fn answered(state: &mut State, asked: &Asked, now: DateTime<Utc>) -> Answer {
    let page = match asked.token.as_str() {
        USER_TOKEN => None,
        OTHER_TOKEN => Some(OTHER_PAGE),
        token if token == state.token => Some(PAGE),
        _ => {
            return Err(refusal(
                400,
                190,
                463,
                "Error validating access token: Session has expired",
            ));
        }
    };
    proven(asked, state.app_secret.as_deref())?;
    if state.usage.0 >= 100 {
        return Err(refusal(
            400,
            80_001,
            2_446_079,
            "There have been too many calls to this Page account",
        ));
    }
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let Some(page) = page else {
        return users(state, asked, &path);
    };
    let of_page = |id: &str| id == "me" || id == page;
    match (&asked.method, path.as_slice()) {
        (&Method::GET, ["me"]) => Ok(json_reply(200, &view_page(page, false))),
        (&Method::GET, ["me", "accounts"]) => Err(invalid(
            "Tried accessing nonexisting field (accounts) on node type (Page)",
        )),
        (&Method::POST, [id, edge]) if of_page(id) => {
            refused(state)?;
            match *edge {
                "feed" => posts::feed(state, asked, page, now),
                "photos" => posts::photo(state, asked, page, now),
                "videos" => videos::videos(state, asked, page, now),
                "video_reels" => videos::reels(state, asked, page, now),
                _ => Err(invalid("Unsupported post request")),
            }
        }
        (&Method::GET, [id, edge]) if of_page(id) => posts::list(state, asked, page, edge, now),
        (_, [id, ..]) if state.blind => Err(missing(id)),
        (&Method::GET, [id]) => posts::get(state, asked, page, id, now),
        (&Method::GET, [id, "insights"]) => posts::insights(state, asked, page, id),
        (&Method::GET, [id, "video_insights"]) => videos::insights(state, page, id),
        (&Method::GET, [id, "comments"]) => posts::comments(state, asked, page, id),
        (&Method::POST, [id, "comments"]) => {
            refused(state)?;
            posts::comment(state, asked, page, id, now)
        }
        (&Method::POST, [id]) => {
            refused(state)?;
            posts::edit(state, asked, page, id)
        }
        (&Method::DELETE, [id]) => posts::delete(state, page, id),
        _ => Err(refusal(400, 2500, 0, "Unknown path components")),
    }
}

/// What a user's token sees: the pages, whose own tokens do the rest.
fn users(state: &State, asked: &Asked, path: &[&str]) -> Answer {
    match (&asked.method, path) {
        (&Method::GET, ["me"]) if asked.wants("username") => Err(refusal(
            400,
            12,
            0,
            "username field is deprecated for versions v2.0 and higher",
        )),
        (&Method::GET, ["me"]) => Ok(json_reply(200, &json!({"id": "10158000000000001"}))),
        (&Method::GET, ["me", "permissions"]) => {
            Ok(permissions(asked, oauth().scopes, &state.declined))
        }
        (&Method::GET, ["me", "accounts"]) => {
            let pages = [(PAGE, state.token.as_str()), (OTHER_PAGE, OTHER_TOKEN)];
            let pages = pages.map(|(id, token)| {
                let mut view = view_page(id, asked.wants("tasks"));
                if asked.wants("access_token") {
                    view["access_token"] = json!(token);
                }
                view
            });
            Ok(page(asked, &pages))
        }
        _ => Err(refusal(
            403,
            200,
            0,
            "If posting to a page, requires both pages_read_engagement and pages_manage_posts as an admin",
        )),
    }
}

fn view_page(id: &str, tasks: bool) -> Value {
    let mut view = if id == PAGE {
        json!({"id": id, "name": "Acme", "username": "acme"})
    } else {
        json!({"id": id, "name": "Globex"})
    };
    if tasks {
        // As all pages of the New Pages Experience name them.
        view["tasks"] = match id {
            PAGE => json!(["PROFILE_PLUS_ANALYZE", "PROFILE_PLUS_CREATE_CONTENT"]),
            _ => json!(["PROFILE_PLUS_ANALYZE"]),
        };
    }
    view
}

/// The refusals that were asked for.
fn refused(state: &mut State) -> std::result::Result<(), Refusal> {
    let (times, code, subcode) = state.refusing;
    if times == 0 {
        return Ok(());
    }
    state.refusing.0 -= 1;
    Err(refusal(400, code, subcode, "refused"))
}
