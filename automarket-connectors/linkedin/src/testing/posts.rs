//! Posts and the comments under them.

use automarket_core::{
    Bytes,
    chrono::TimeDelta,
    http_types::{HeaderValue, Response, StatusCode},
    testing::json_reply,
};
use serde_json::{Value, json};

use super::{
    Incoming, empty, forbidden, invalid,
    little::{shortened, shown},
    problem,
    state::{Comment, Post, Stage, State},
};

/// Posts of a member in a day.
const DAILY: u32 = 150;

pub(super) fn create(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let body = call.json();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let author = text("author").unwrap_or_default();
    if !state.speaks(call.member, &author) {
        return forbidden("partnerApiPostsExternal.CREATE.20261001");
    }
    if let Some(refusal) = faulty(state, &body, &author) {
        return refusal;
    }
    let commentary = text("commentary").unwrap_or_default();
    let content = body.get("content").cloned();
    if content.is_some() && state.too_new > 0 {
        state.too_new -= 1;
        let message = "Accessing this image resource is forbidden. Please check your permissions for this resource";
        return json_reply(403, &json!({"message": message, "status": 403}));
    }
    if !state.takes_repeats
        && let Some(refusal) = repeated(state, call, &author, &commentary, content.as_ref())
    {
        return refusal;
    }
    let day = format!("{} {}", call.member, call.now.date_naive());
    let count = state.days.entry(day).or_default();
    if *count >= DAILY {
        let message =
            "Resource level throttle MEMBER DAY limit for calls to this resource is reached.";
        return problem(429, 101, "TOO_MANY_REQUESTS", message);
    }
    *count += 1;
    let media = body["content"]["media"]["id"].as_str().unwrap_or_default();
    let kind = if media.starts_with("urn:li:image:") || media.is_empty() {
        "share"
    } else {
        "ugcPost"
    };
    let id = format!("urn:li:{kind}:{}", state.number_at(call.now));
    let with_files = matches!(
        &content,
        Some(content) if content.get("media").or(content.get("multiImage")).is_some()
    );
    let late = if with_files { state.late } else { (0, false) };
    state.posts.push(Post {
        id: id.clone(),
        author,
        commentary,
        visibility: text("visibility").unwrap_or_default(),
        content,
        no_reshare: body["isReshareDisabledByAuthor"] == true,
        draft: body["lifecycleState"] == "DRAFT",
        late,
        comments: Vec::new(),
        at: call.now,
    });
    let mut reply = empty(StatusCode::CREATED);
    if let Ok(id) = HeaderValue::from_str(&id) {
        reply.headers_mut().insert("x-restli-id", id.clone());
        reply.headers_mut().insert("x-linkedin-id", id);
    }
    reply
}

/// What is wrong with a post.
fn faulty(state: &State, body: &Value, author: &str) -> Option<Response<Bytes>> {
    let Some(commentary) = body["commentary"].as_str() else {
        return Some(invalid(
            422,
            "MISSING_FIELD",
            "/commentary :: field is required",
        ));
    };
    let member = author.starts_with("urn:li:person:");
    let seen = match body["visibility"].as_str() {
        Some("PUBLIC" | "LOGGED_IN") => true,
        Some("CONNECTIONS") => member,
        _ => false,
    };
    let fed = body["distribution"]["feedDistribution"] == "MAIN_FEED";
    let stage = &body["lifecycleState"];
    let known = stage == "PUBLISHED" || stage == "DRAFT" && !member;
    if !seen || !fed || !known {
        return Some(invalid(
            422,
            "INVALID_VALUE",
            "visibility, distribution or lifecycleState is wrong",
        ));
    }
    if shown(commentary).encode_utf16().count() > 3000 {
        return Some(invalid(
            400,
            "FIELD_LENGTH_TOO_LONG",
            "Commentary length exceeded the maximum length allowed",
        ));
    }
    let content = body.get("content")?;
    let variants: Vec<&String> = content.as_object()?.keys().collect();
    let [variant] = &*variants else {
        return Some(invalid(400, "INVALID_CONTENT", "content has one variant"));
    };
    let value = &content[variant.as_str()];
    let good = match variant.as_str() {
        "media" => {
            let id = value["id"].as_str().unwrap_or_default();
            let titled = value["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty());
            usable(state, id, author, "") && (titled || !id.starts_with("urn:li:document:"))
        }
        "multiImage" => {
            let images = value["images"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let all = images.iter().all(|image| {
                usable(
                    state,
                    image["id"].as_str().unwrap_or_default(),
                    author,
                    "images",
                )
            });
            (2..=20).contains(&images.len()) && all
        }
        "article" => {
            let thumbnail = value["thumbnail"].as_str();
            value["source"]
                .as_str()
                .is_some_and(|source| source.starts_with("http"))
                && value["title"].is_string()
                && thumbnail.is_none_or(|urn| usable(state, urn, author, "images"))
        }
        "poll" => poll(value),
        _ => false,
    };
    (!good).then(|| invalid(400, "INVALID_CONTENT", "content is not valid"))
}

fn poll(poll: &Value) -> bool {
    let length = |text: &Value, most| {
        let length = text.as_str().unwrap_or_default().chars().count();
        (1..=most).contains(&length)
    };
    let options = poll["options"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let durations = ["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"];
    length(&poll["question"], 140)
        && (2..=4).contains(&options.len())
        && options.iter().all(|option| length(&option["text"], 30))
        && durations
            .iter()
            .any(|one| poll["settings"]["duration"] == *one)
}

/// Whether a file can be attached: only once it is available. Members may not ask for that but of videos, and wait for a
/// time that this does not measure.
fn usable(state: &State, urn: &str, author: &str, kind: &str) -> bool {
    state.uploads.get(urn).is_some_and(|upload| {
        let there = match upload.stage {
            Stage::Available => true,
            Stage::Processing(_) => author.starts_with("urn:li:person:") && upload.kind != "videos",
            _ => false,
        };
        there && upload.owner == author && (kind.is_empty() || upload.kind == kind)
    })
}

/// LinkedIn takes no text twice within a day. Of deleted ones it names posts that are not there.
fn repeated(
    state: &mut State,
    call: &Incoming<'_>,
    author: &str,
    commentary: &str,
    content: Option<&Value>,
) -> Option<Response<Bytes>> {
    let same = |post: &&Post| {
        let recent = call.now - post.at < TimeDelta::hours(24);
        recent
            && post.author == author
            && post.commentary == commentary
            && post.content.as_ref() == content
    };
    let there = state.posts.iter().find(same).map(|post| post.id.clone());
    let gone = state.deleted.iter().any(|post| same(&post));
    let urn = match there {
        Some(urn) => urn,
        None if gone => format!("urn:li:share:{}", state.number()),
        None => return None,
    };
    let mut reply = invalid(422, "DUPLICATE_POST", "Duplicate post is detected");
    let message = format!(
        "com.linkedin.content.common.exception.BadRequestResponseException: Content is a duplicate of {urn}"
    );
    let mut body: Value = serde_json::from_slice(reply.body()).unwrap_or_default();
    body["message"] = json!(message);
    *reply.body_mut() = body.to_string().into();
    Some(reply)
}

pub(super) fn list(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let author = call.one("author");
    if !state.reads(call.member, author) {
        return forbidden("partnerApiPostsExternal.FINDER-author.20261001");
    }
    let (start, count) = call.page();
    if call.one("q") != "author" || call.method != "FINDER" || count > 100 {
        return problem(
            400,
            100,
            "ILLEGAL_ARGUMENT",
            "q, count or X-RestLi-Method is wrong",
        );
    }
    let hidden = state.hidden > 0;
    state.hidden = state.hidden.saturating_sub(1);
    let own = state.posts.iter().rev();
    let listed_by = |post: &Post| (call.now - post.at).num_seconds() >= state.unlisted;
    // Readers, as whom it lists where nobody says otherwise, see what is public; authors all of theirs.
    let as_author = call.one("viewContext") == "AUTHOR";
    let shown = |post: &Post| as_author || post.lifecycle() == "PUBLISHED";
    let own = own.filter(|post| post.author == author && !hidden && listed_by(post) && shown(post));
    let page = state.page(own.map(listed), start, count);
    let paging = json!({"start": start, "count": count, "links": []});
    json_reply(200, &json!({"elements": page, "paging": paging}))
}

fn listed(post: &Post) -> Value {
    let at = post.at.timestamp_millis();
    let mut view = json!({
        "id": post.id, "author": post.author, "commentary": shortened(&post.commentary, &post.id),
        "visibility": post.visibility,
        "lifecycleState": post.lifecycle(),
        "createdAt": at, "publishedAt": at, "lastModifiedAt": at,
        "isReshareDisabledByAuthor": post.no_reshare,
    });
    if let Some(content) = &post.content {
        view["content"] = content.clone();
    }
    view
}

pub(super) fn get(state: &mut State, call: &Incoming<'_>, urn: &str) -> Response<Bytes> {
    match state.post(urn) {
        // Whether a post is there is nobody's to know who may not read it.
        None if state.community => problem(404, 0, "NOT_FOUND", "Could not find entity"),
        Some(post) if state.reads(call.member, &post.author) => {
            let reply = json_reply(200, &listed(post));
            let asked = state.posts.iter_mut().find(|post| post.id == urn);
            if let Some(post) = asked.filter(|post| !post.draft) {
                post.late.0 = post.late.0.saturating_sub(1);
            }
            reply
        }
        _ => forbidden("partnerApiPostsExternal.GET.20261001"),
    }
}

pub(super) fn delete(state: &mut State, call: &Incoming<'_>, urn: &str) -> Response<Bytes> {
    if call.method != "DELETE" {
        return problem(
            400,
            100,
            "ILLEGAL_ARGUMENT",
            "X-RestLi-Method is not DELETE",
        );
    }
    let at = state.posts.iter().position(|post| post.id == urn);
    if let Some(at) = at {
        if !state.speaks(call.member, &state.posts[at].author) {
            return forbidden("partnerApiPostsExternal.DELETE.20261001");
        }
        let post = state.posts.remove(at);
        state.deleted.push(post);
    }
    empty(StatusCode::NO_CONTENT)
}

pub(super) fn comment(state: &mut State, call: &Incoming<'_>, urn: &str) -> Response<Bytes> {
    let body = call.json();
    let actor = body["actor"].as_str().unwrap_or_default().to_owned();
    let text = body["message"]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    // Sharing for members is `w_member_social`; comments ask for `w_member_social_feed` and its like.
    if !state.community || !state.speaks(call.member, &actor) {
        return forbidden("socialActions.comments.CREATE.20261001");
    }
    if text.is_empty() || text.encode_utf16().count() > 1250 || body["object"] != urn {
        return invalid(400, "INVALID_COMMENT", "message or object is wrong");
    }
    let number = state.number();
    let unseen = state.uncommentable > 0;
    state.uncommentable = state.uncommentable.saturating_sub(1);
    let Some(post) = state
        .posts
        .iter_mut()
        .find(|post| post.id == urn && !unseen && post.lifecycle() == "PUBLISHED")
    else {
        return problem(404, 0, "NOT_FOUND", "The activity could not be found");
    };
    let id = format!("urn:li:comment:({urn},{number})");
    post.comments.push(Comment {
        id: id.clone(),
        actor: actor.clone(),
        text: text.clone(),
    });
    let body = json!({
        "id": number.to_string(), "commentUrn": id, "actor": actor, "object": urn, "message": {"text": text},
    });
    let mut reply = json_reply(201, &body);
    reply.headers_mut().insert("x-restli-id", number.into());
    reply
}

pub(super) fn comments(state: &State, call: &Incoming<'_>, urn: &str) -> Response<Bytes> {
    let Some(post) = state.post(urn) else {
        return problem(404, 0, "NOT_FOUND", "The activity could not be found");
    };
    if !state.reads(call.member, &post.author) {
        return forbidden("socialActions.comments.GET_ALL.20261001");
    }
    let (start, count) = call.page();
    if count > 100 {
        return problem(400, 100, "ILLEGAL_ARGUMENT", "count is wrong");
    }
    // In which order is not promised: the newest first is what asks most of who searches.
    let elements = post.comments.iter().rev().map(|comment| {
        json!({
            "id": comment.id.rsplit([',', ')']).nth(1), "commentUrn": comment.id,
            "actor": comment.actor, "object": urn,
            "message": {"text": shortened(&comment.text, &comment.id)},
        })
    });
    let elements = state.page(elements, start, count);
    json_reply(
        200,
        &json!({"elements": elements, "paging": {"start": start, "count": count, "links": []}}),
    )
}
