//! Posts: making, listing, deleting.

use automarket_core::{
    Bytes,
    chrono::{DateTime, SecondsFormat, Utc},
    http_types::Response,
    profile::TextUnit,
    testing::json_reply,
    text::{count, entities},
};
use serde_json::{Value, json};

use super::{
    Incoming, forbidden, invalid, names, problem,
    state::{Post, Stage, State},
};

/// The fields that the description knows.
const FIELDS: [&str; 16] = [
    "card_uri",
    "community_id",
    "direct_message_deep_link",
    "edit_options",
    "for_super_followers_only",
    "geo",
    "made_with_ai",
    "media",
    "nullcast",
    "paid_partnership",
    "poll",
    "quote_tweet_id",
    "reply",
    "reply_settings",
    "share_with_followers",
    "text",
];

pub(super) fn create(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let Some(body) = call.json() else {
        return invalid("not JSON");
    };
    let unknown = body
        .as_object()
        .and_then(|fields| fields.keys().find(|name| !FIELDS.contains(&name.as_str())));
    if let Some(name) = unknown {
        return invalid(&format!("{name} is unknown"));
    }
    let text = body["text"].as_str().unwrap_or_default().to_owned();
    let media: Vec<String> = ids(&body["media"]["media_ids"]);
    if let Some(refusal) = refused(state, call, &body, &text, &media) {
        return refusal;
    }
    let text_of = |value: &Value| value.as_str().map(str::to_owned);
    let id = state.id();
    state.posts.push(Post {
        id: id.clone(),
        user: call.user.clone(),
        sent: text.clone(),
        reply_to: text_of(&body["reply"]["in_reply_to_tweet_id"]),
        quote: text_of(&body["quote_tweet_id"]),
        media,
        poll: body.get("poll").cloned(),
        reply_settings: text_of(&body["reply_settings"]),
        at: call.now,
    });
    json_reply(
        201,
        &json!({"data": {"id": id, "text": text, "edit_history_tweet_ids": [id]}}),
    )
}

/// Why X takes no such post.
fn refused(
    state: &mut State,
    call: &Incoming<'_>,
    body: &Value,
    text: &str,
    media: &[String],
) -> Option<Response<Bytes>> {
    let limit = if state.premium { 25_000 } else { 280 };
    if text.is_empty() && media.is_empty() {
        return Some(invalid("text or media is required"));
    }
    if count(text, TextUnit::Weighted, Some(23)) > limit {
        return Some(forbidden("You are not permitted to perform this action."));
    }
    let given = ["media", "poll", "quote_tweet_id", "card_uri"];
    if given
        .iter()
        .filter(|name| body.get(**name).is_some())
        .count()
        > 1
    {
        return Some(invalid("media, poll, quote and card exclude each other"));
    }
    if entities(text).cashtags.len() > 1 {
        return Some(forbidden("Posts are limited to a maximum of one cashtag."));
    }
    let settings = ["following", "mentionedUsers", "subscribers", "verified"];
    let who = &body["reply_settings"];
    if !who.is_null() && !settings.iter().any(|one| who == one) {
        return Some(invalid("reply_settings is none of the allowed"));
    }
    if let Some(poll) = body.get("poll") {
        let options = poll["options"].as_array().map_or(0, Vec::len);
        let minutes = poll["duration_minutes"].as_u64().unwrap_or_default();
        let long = poll["options"].as_array().into_iter().flatten().any(|one| {
            let length = one.as_str().unwrap_or_default().chars().count();
            !(1..=25).contains(&length)
        });
        if !(2..=4).contains(&options) || long || !(5..=10_080).contains(&minutes) {
            return Some(invalid("poll is not valid"));
        }
    }
    if media.len() > 4 {
        return Some(invalid("maximum of 4 items"));
    }
    for id in media {
        let usable = state.uploads.get(id).is_some_and(|upload| {
            upload.user == call.user && upload.stage == Stage::Ready && call.now < upload.until
        });
        if !usable {
            return Some(invalid("Your media IDs are invalid."));
        }
    }
    if let Some(parent) = body["reply"]["in_reply_to_tweet_id"].as_str()
        && let Some(refusal) = unanswerable(state, call, parent)
    {
        return Some(refusal);
    }
    let again = !state.takes_repeats
        && state
            .posts
            .iter()
            .any(|post| post.user == call.user && post.sent == text && post.media == media);
    again.then(|| forbidden("You are not allowed to create a Tweet with duplicate content."))
}

fn unanswerable(state: &mut State, call: &Incoming<'_>, parent: &str) -> Option<Response<Bytes>> {
    let (_, name) = names(&call.user);
    let known = state.post(parent).map(|post| {
        let mentions = entities(&post.sent).mentions;
        post.user == call.user || mentions.iter().any(|mention| mention.text == name)
    });
    let hidden = known.is_some() && state.hidden > 0;
    if hidden {
        state.hidden -= 1;
    }
    match known {
        Some(true) if !hidden => None,
        Some(false) if !hidden => Some(forbidden(
            "Reply to this conversation is not allowed because you have not been mentioned or otherwise \
             engaged by the author of the post you are replying to.",
        )),
        _ => Some(json_reply(
            403,
            &json!({"errors": [{"code": 385, "message":
                "You attempted to reply to a Tweet that is deleted or not visible to you."}]}),
        )),
    }
}

pub(super) fn delete(state: &mut State, call: &Incoming<'_>, id: &str) -> Response<Bytes> {
    match state.posts.iter().position(|post| post.id == id) {
        None => problem(
            404,
            "Not Found Error",
            "Could not find tweet.",
            Some("resource-not-found"),
        ),
        Some(at) if state.posts[at].user != call.user => {
            forbidden("You are not permitted to perform this action.")
        }
        Some(at) => {
            state.posts.remove(at);
            json_reply(200, &json!({"data": {"deleted": true}}))
        }
    }
}

pub(super) fn timeline(state: &mut State, call: &Incoming<'_>, user: &str) -> Response<Bytes> {
    let start = call.one("start_time").map(str::parse::<DateTime<Utc>>);
    let Ok(start) = start.transpose() else {
        return invalid("start_time is not a time");
    };
    let size: usize = call
        .one("max_results")
        .and_then(|size| size.parse().ok())
        .unwrap_or(10);
    if !(5..=100).contains(&size) {
        return invalid("max_results is not between 5 and 100");
    }
    let skip: usize = call
        .one("pagination_token")
        .and_then(|token| token.strip_prefix("p")?.parse().ok())
        .unwrap_or(0);
    let late = usize::from(state.unlisted > 0);
    state.unlisted = state.unlisted.saturating_sub(1);
    let newest = state
        .posts
        .iter()
        .rev()
        .skip(late)
        .filter(|post| post.user == user && start.is_none_or(|start| post.at >= start));
    let all: Vec<&Post> = newest.collect();
    let page: Vec<Value> = all
        .iter()
        .skip(skip)
        .take(size)
        .map(|post| listed(state, call, post))
        .collect();
    let mut meta = json!({"result_count": page.len()});
    if skip + page.len() < all.len() {
        meta["next_token"] = json!(format!("p{}", skip + page.len()));
    }
    let mut answer = json!({"meta": meta});
    if !page.is_empty() {
        answer["data"] = json!(page);
    }
    json_reply(200, &answer)
}

pub(super) fn lookup(state: &State, call: &Incoming<'_>) -> Response<Bytes> {
    let mut data = Vec::new();
    let mut errors = Vec::new();
    let mut media = Vec::new();
    for id in call.one("ids").unwrap_or_default().split(',') {
        let Some(post) = state.post(id) else {
            errors.push(json!({
                "value": id, "detail": format!("Could not find tweet with ids: [{id}]."),
                "title": "Not Found Error", "resource_type": "tweet", "parameter": "ids",
                "resource_id": id, "type": "https://api.x.com/2/problems/resource-not-found",
            }));
            continue;
        };
        let private = call.has("tweet.fields", "non_public_metrics");
        if private && (state.no_private_numbers || post.user != call.user) {
            errors.push(json!({
                "detail": "Sorry, you are not authorized to access 'non_public_metrics' on the Tweet",
                "title": "Field Authorization Error", "section": "data", "field": "non_public_metrics",
                "resource_type": "tweet", "resource_id": id,
                "type": "https://api.x.com/2/problems/not-authorized-for-field",
            }));
            continue;
        }
        let mut one = listed(state, call, post);
        if call.has("tweet.fields", "public_metrics") {
            one["public_metrics"] = json!({
                "retweet_count": 3, "reply_count": 2, "like_count": 11, "quote_count": 1,
                "bookmark_count": 4, "impression_count": 500,
            });
        }
        if private {
            one["non_public_metrics"] = json!({
                "impression_count": 500, "url_link_clicks": 7, "user_profile_clicks": 5, "engagements": 30,
            });
        }
        let films = post.media.iter().filter(|id| {
            let upload = state.uploads.get(*id);
            upload.is_some_and(|upload| upload.category == "tweet_video")
        });
        for id in films {
            media.push(json!({
                "media_key": format!("13_{id}"), "type": "video", "public_metrics": {"view_count": 42},
            }));
        }
        data.push(one);
    }
    let mut answer = json!({});
    for (name, list) in [("data", data), ("errors", errors)] {
        if !list.is_empty() {
            answer[name] = json!(list);
        }
    }
    if !media.is_empty() {
        answer["includes"] = json!({"media": media});
    }
    json_reply(200, &answer)
}

/// A post as X lists it: addresses shortened, media and quotes as addresses behind the text, escaped.
fn listed(state: &State, call: &Incoming<'_>, post: &Post) -> Value {
    let (name, links) = (names(&post.user).1, entities(&post.sent).urls);
    let mut text = post.sent.clone();
    let mut urls = Vec::new();
    for (n, link) in links.iter().enumerate() {
        let short = format!("https://t.co/{}{n}", &post.id[10..]);
        text = text.replacen(&link.text, &short, 1);
        let scheme = if link.text.contains("://") {
            ""
        } else {
            "http://"
        };
        urls.push(json!({"url": short, "expanded_url": format!("{scheme}{}", link.text)}));
    }
    let mut add = |tail: &str, expanded: String, key: Option<String>| {
        let short = format!("https://t.co/{}{tail}", &post.id[10..]);
        text = format!("{text} {short}").trim().to_owned();
        let mut url = json!({"url": short, "expanded_url": expanded});
        if let Some(key) = key {
            url["media_key"] = json!(key);
        }
        urls.push(url);
    };
    if let Some(media) = post.media.first() {
        let address = format!("https://x.com/{name}/status/{}/photo/1", post.id);
        add("m", address, Some(format!("3_{media}")));
    }
    if let Some(quote) = &post.quote {
        add("q", format!("https://twitter.com/i/status/{quote}"), None);
    }
    if let Some(parent) = post.reply_to.as_deref().and_then(|id| state.post(id))
        && parent.user != post.user
    {
        text = format!("@{} {text}", names(&parent.user).1);
    }
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    for url in &mut urls {
        let short = url["url"].as_str().unwrap_or_default().to_owned();
        let at = escaped.find(&short).unwrap_or_default();
        let start = escaped[..at].chars().count();
        url["start"] = json!(start);
        url["end"] = json!(start + short.chars().count());
    }
    let mut view = json!({"id": post.id, "text": escaped, "edit_history_tweet_ids": [post.id]});
    if state.premium && post.sent.chars().count() > 280 {
        let head: String = escaped.chars().take(270).collect();
        view["text"] = json!(format!("{head}… https://t.co/more"));
        view["note_tweet"] = json!({"text": escaped, "entities": {"urls": urls}});
    }
    if call.has("tweet.fields", "attachments") && !post.media.is_empty() {
        let keys = post.media.iter().map(|id| format!("3_{id}"));
        view["attachments"] = json!({"media_keys": keys.collect::<Vec<_>>()});
    }
    if call.has("tweet.fields", "created_at") {
        view["created_at"] = json!(post.at.to_rfc3339_opts(SecondsFormat::Millis, true));
    }
    if call.has("tweet.fields", "entities") && !urls.is_empty() {
        view["entities"] = json!({"urls": urls});
    }
    if call.has("tweet.fields", "referenced_tweets") {
        let replied = post
            .reply_to
            .iter()
            .map(|id| json!({"type": "replied_to", "id": id}));
        let quoted = post
            .quote
            .iter()
            .map(|id| json!({"type": "quoted", "id": id}));
        let references: Vec<Value> = replied.chain(quoted).collect();
        if !references.is_empty() {
            view["referenced_tweets"] = json!(references);
        }
    }
    view
}

fn ids(list: &Value) -> Vec<String> {
    let ids = list.as_array().into_iter().flatten();
    ids.filter_map(|id| id.as_str().map(str::to_owned))
        .collect()
}
