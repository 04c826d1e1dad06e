//! Posts: creating, replacing, scheduling, listing, deleting.

use automarket_core::{
    Bytes, ZonedTime,
    chrono::{DateTime, Utc},
    http_types::{Method, Response},
    testing::json_reply,
};
use serde_json::{Value, json};

use super::{
    Incoming, invalid, message, missing, no_route, paged,
    state::{Post, State, Status, TagFilter},
};

const PAST: &str = "This post cannot be scheduled!\nThe date is in the past.";

pub(super) fn route(state: &mut State, call: &Incoming<'_>, path: &[&str]) -> Response<Bytes> {
    match (call.method, path) {
        (&Method::GET, []) => list(state, call),
        (&Method::POST, []) => create(state, call),
        (&Method::DELETE, []) => delete_many(state, call),
        (&Method::POST, ["schedule", uuid]) => with_post(state, uuid, |state, index| {
            let body = call.json();
            match body["postNow"].as_bool() {
                None => invalid("postNow", "The post now field is required."),
                Some(now) => schedule(state, index, now, &body, call.now),
            }
        }),
        (&Method::POST, ["add-to-queue", uuid]) => with_post(state, uuid, |state, index| {
            let slot = state.next_slot(call.now);
            start(state, index, slot, call.now)
        }),
        (&Method::POST, ["approve", uuid]) => with_post(state, uuid, |state, index| {
            let at = state.posts[index].scheduled_at;
            if state.posts[index].status == Status::NeedsApproval {
                state.posts[index].status = Status::Draft;
            }
            start_approved(state, index, at, call.now)
        }),
        (&Method::POST, ["retry", uuid, account]) if !state.old => {
            with_post(state, uuid, |state, index| {
                let known = state.accounts.iter().find(|a| a.uuid() == *account);
                let Some(id) = known.map(|account| account.id) else {
                    return missing("Account");
                };
                let post = &mut state.posts[index];
                if post.errors.remove(&id).is_none() {
                    return invalid("account", "This account has not failed.");
                }
                post.status = Status::Scheduled;
                post.scheduled_at = Some(call.now);
                json_reply(200, &json!({"success": true}))
            })
        }
        (&Method::GET, [uuid, "analytics"]) if !state.old => {
            with_post(state, uuid, |state, index| {
                let post = &state.posts[index];
                let views = u64::from(post.status == Status::Published) * 10;
                let of = |id: &u64| json!({"account_id": id, "metrics": {"impressions": views}});
                let accounts: Vec<Value> = post.accounts.iter().map(of).collect();
                json_reply(200, &json!({"accounts": accounts}))
            })
        }
        (&Method::GET, [uuid]) => with_post(state, uuid, |state, index| {
            json_reply(200, &state.view(&state.posts[index]))
        }),
        (&Method::PUT, [uuid]) => with_post(state, uuid, |state, index| {
            if let Some(refusal) = in_history(&state.posts[index]) {
                return refusal;
            }
            let body = call.json();
            match checked(state, &body) {
                Err(broken) => broken.reply(),
                Ok(input) => {
                    let post = &mut state.posts[index];
                    post.accounts = input.accounts;
                    post.versions = input.versions;
                    post.tags = input.tags;
                    post.scheduled_at = input.at;
                    if input.at.is_none() {
                        post.status = Status::Draft;
                    }
                    json_reply(200, &json!({"success": true}))
                }
            }
        }),
        (&Method::DELETE, [uuid]) => {
            let old = state.old;
            match record(state, uuid) {
                Some(post) => delete(post, &call.json(), old),
                None => missing("Post"),
            }
        }
        _ => no_route("posts"),
    }
}

/// What lies in the trash only the list shows.
fn with_post(
    state: &mut State,
    uuid: &str,
    then: impl FnOnce(&mut State, usize) -> Response<Bytes>,
) -> Response<Bytes> {
    let shown = |post: &Post| post.uuid() == uuid && !post.trashed && !post.removed;
    match state.posts.iter().position(shown) {
        Some(index) => then(state, index),
        None => missing("Post"),
    }
}

/// A field and what is wrong with it.
struct Broken(String, String);

impl Broken {
    fn reply(&self) -> Response<Bytes> {
        invalid(&self.0, &self.1)
    }
}

fn broken(field: &str, text: &str) -> Broken {
    Broken(field.to_owned(), text.to_owned())
}

/// The parts of a create or replace that passed Laravel's rules.
struct Input {
    accounts: Vec<u64>,
    tags: Vec<u64>,
    versions: Vec<Value>,
    at: Option<DateTime<Utc>>,
}

fn checked(state: &State, body: &Value) -> Result<Input, Broken> {
    let versions = body["versions"].as_array().cloned().unwrap_or_default();
    let Some(original) = versions.first() else {
        return Err(broken("versions", "The versions field is required."));
    };
    if original["account_id"] != json!(0) || original["is_original"] != json!(true) {
        let text = "The first version must be the original.";
        return Err(broken("versions.0.account_id", text));
    }
    for (v, version) in versions.iter().enumerate() {
        for (c, content) in version["content"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let body = content["body"].as_str().unwrap_or_default();
            if body.chars().count() > 5000 {
                let field = format!("versions.{v}.content.{c}.body");
                let text = format!("The {field} field must not be greater than 5000 characters.");
                return Err(broken(&field, &text));
            }
            for media in content["media"].as_array().into_iter().flatten() {
                let known = state.media.iter().any(|m| media.as_u64() == Some(m.id));
                if !known {
                    let field = format!("versions.{v}.content.{c}.media");
                    return Err(broken(&field, "The selected media is invalid."));
                }
            }
        }
    }
    let known_account = |id: u64| state.account(id).is_some();
    let known_tag = |id: u64| state.tags.iter().any(|tag| tag.id == id);
    Ok(Input {
        accounts: numbers(body, "accounts", known_account)?,
        tags: numbers(body, "tags", known_tag)?,
        versions,
        at: instant(body)?,
    })
}

fn numbers(body: &Value, field: &str, known: impl Fn(u64) -> bool) -> Result<Vec<u64>, Broken> {
    let values = body[field].as_array().into_iter().flatten().enumerate();
    values
        .map(|(index, value)| {
            let field = format!("{field}.{index}");
            match value.as_u64() {
                None => Err(broken(
                    &field,
                    &format!("The {field} field must be an integer."),
                )),
                Some(id) if known(id) => Ok(id),
                Some(_) => Err(broken(&field, &format!("The selected {field} is invalid."))),
            }
        })
        .collect()
}

/// `date`, `time` and `timezone` (UTC is the zone of the token's owner here).
fn instant(body: &Value) -> Result<Option<DateTime<Utc>>, Broken> {
    let (Some(date), Some(time)) = (body["date"].as_str(), body["time"].as_str()) else {
        return Ok(None);
    };
    if date.len() != 10 {
        return Err(broken(
            "date",
            "The date field must match the format Y-m-d.",
        ));
    }
    if time.len() != 5 {
        return Err(broken("time", "The time field must match the format H:i."));
    }
    let zone = body["timezone"].as_str().unwrap_or("UTC");
    match ZonedTime::parse(&format!("{date}T{time}"), zone) {
        Ok(at) => Ok(Some(at.instant)),
        Err(error) if error.field() == Some("zone") => Err(broken(
            "timezone",
            "The timezone field must be a valid timezone.",
        )),
        Err(_) => Err(broken(
            "date",
            "The date field must match the format Y-m-d.",
        )),
    }
}

fn create(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let body = call.json();
    let input = match checked(state, &body) {
        Ok(input) => input,
        Err(broken) => return broken.reply(),
    };
    let wants = |field: &str| body[field] == json!(true);
    let ways = ["schedule", "schedule_now", "queue"];
    if ways.iter().filter(|way| wants(way)).count() > 1 {
        return invalid("schedule", "Choose one way of scheduling.");
    }
    let planned = ways.iter().any(|way| wants(way));
    if planned && input.accounts.is_empty() {
        return invalid("cannot_scheduled", "This post has no accounts.");
    }
    let at = if wants("schedule") {
        match input.at {
            None => return invalid("date", "The date field is required."),
            Some(at) if at <= call.now => return invalid("cannot_scheduled", PAST),
            at => at,
        }
    } else if wants("queue") {
        state.next_slot(call.now)
    } else if wants("schedule_now") {
        Some(call.now)
    } else {
        input.at
    };
    let status = match (planned, state.needs_approval) {
        (false, _) => Status::Draft,
        (true, true) => Status::NeedsApproval,
        (true, false) => Status::Scheduled,
    };
    let post = Post {
        id: state.next_id(),
        status,
        accounts: input.accounts,
        versions: input.versions,
        tags: input.tags,
        scheduled_at: at,
        published_at: None,
        created_at: call.now,
        trashed: false,
        removed: false,
        deleting: false,
        errors: Default::default(),
        urls: Default::default(),
    };
    let view = state.view(&post);
    state.posts.push(post);
    json_reply(201, &view)
}

/// Newer versions take a time here; older ones confirm the stored one.
fn schedule(
    state: &mut State,
    index: usize,
    at_once: bool,
    body: &Value,
    now: DateTime<Utc>,
) -> Response<Bytes> {
    if at_once {
        return start(state, index, Some(now), now);
    }
    let given = match instant(body) {
        Ok(at) if !state.old => at,
        Ok(_) => None,
        Err(broken) => return broken.reply(),
    };
    let at = given.or(state.posts[index].scheduled_at);
    if at.is_none_or(|at| at <= now) {
        return in_history(&state.posts[index])
            .unwrap_or_else(|| invalid("cannot_scheduled", PAST));
    }
    start(state, index, at, now)
}

fn start(
    state: &mut State,
    index: usize,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Response<Bytes> {
    if state.needs_approval {
        let post = &mut state.posts[index];
        post.status = Status::NeedsApproval;
        post.scheduled_at = at;
        return json_reply(200, &json!({"success": true, "scheduled_at": at}));
    }
    start_approved(state, index, at, now)
}

fn start_approved(
    state: &mut State,
    index: usize,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Response<Bytes> {
    let post = &mut state.posts[index];
    if let Some(refusal) = in_history(post) {
        return refusal;
    }
    if post.accounts.is_empty() {
        return invalid("cannot_scheduled", "This post has no accounts.");
    }
    post.status = Status::Scheduled;
    post.scheduled_at = at.or(Some(now));
    json_reply(
        200,
        &json!({"success": true, "scheduled_at": post.scheduled_at}),
    )
}

fn in_history(post: &Post) -> Option<Response<Bytes>> {
    match post.status {
        Status::Published | Status::Failed => Some(invalid("in_history", "in_history")),
        Status::Publishing => Some(invalid("publishing", "publishing")),
        _ => None,
    }
}

fn list(state: &State, call: &Incoming<'_>) -> Response<Bytes> {
    let query = call.query;
    let status = query.one("status");
    let names = query.all("tags[]");
    let wanted_tags: Vec<u64> = match state.tag_filter {
        TagFilter::Ids => names.iter().filter_map(|n| n.parse().ok()).collect(),
        _ => {
            let tags = state.tags.iter().filter(|tag| names.contains(&tag.name));
            tags.map(|tag| tag.id).collect()
        }
    };
    let filter_tags = !names.is_empty() && state.tag_filter != TagFilter::Ignored;
    let accounts: Vec<u64> = query
        .all("accounts[]")
        .iter()
        .filter_map(|id| id.parse().ok())
        .collect();
    let keyword = query.one("keyword").unwrap_or_default();
    let fits = |post: &&Post| {
        let in_status = !post.removed
            && match status {
                Some("trash") => post.trashed,
                Some(status) => !post.trashed && json!(post.status) == json!(status),
                None => !post.trashed,
            };
        in_status
            && (!filter_tags || post.tags.iter().any(|id| wanted_tags.contains(id)))
            && (accounts.is_empty() || post.accounts.iter().any(|id| accounts.contains(id)))
            && (keyword.is_empty() || json!(post.versions).to_string().contains(keyword))
    };
    let posts = state.posts.iter().rev().filter(fits);
    let views: Vec<Value> = posts.map(|post| state.view(post)).collect();
    paged(&views, query.number("page", 1), query.number("limit", 50))
}

/// Neither being published nor being out hinders it.
fn delete(post: &mut Post, body: &Value, old: bool) -> Response<Bytes> {
    let mode = body["delete_mode"].as_str().filter(|_| !old);
    let mut reply = match body["trash"] == json!(true) {
        true => json!({"to_trash": true}),
        false => json!({"deleted": true}),
    };
    if matches!(mode, Some("social_only" | "app_and_social")) {
        post.deleting = true;
        reply["deleting_from_social_platforms"] = json!("in_queue");
    }
    if mode != Some("social_only") {
        match body["trash"] == json!(true) {
            true => post.trashed = true,
            false => post.removed = true,
        }
        reply["deleted_from_app"] = json!(true);
    }
    json_reply(200, &reply)
}

/// The record, which may lie in the trash.
fn record<'a>(state: &'a mut State, uuid: &str) -> Option<&'a mut Post> {
    let kept = |post: &&mut Post| post.uuid() == uuid && !post.removed;
    state.posts.iter_mut().find(kept)
}

fn delete_many(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let body = call.json();
    let uuids: Vec<&str> = body["posts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if uuids.is_empty() {
        return invalid("posts", "The posts field is required.");
    }
    let old = state.old;
    for uuid in uuids {
        if let Some(post) = record(state, uuid) {
            delete(post, &body, old);
        }
    }
    message(200, "deleted")
}
