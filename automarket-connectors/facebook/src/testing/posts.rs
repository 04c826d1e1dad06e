//! Posts, photos and comments.

use automarket_connector_graph::testing::{Asked, Refusal, page as paged, refusal};
use automarket_core::{
    chrono::{DateTime, TimeDelta, Utc},
    testing::json_reply,
};
use serde_json::{Value, json};

use super::{
    Answer, invalid, missing,
    state::{Comment, Photo, Post, State, draft, scheduled},
    videos,
};

/// What a message may have.
const MESSAGE: usize = 63_206;
/// The metrics that live.
const METRICS: [&str; 4] = [
    "post_media_view",
    "post_total_media_view_unique",
    "post_clicks",
    "post_reactions_by_type_total",
];

pub(super) fn feed(state: &mut State, asked: &Asked, page: &str, now: DateTime<Utc>) -> Answer {
    let message = asked.param("message").unwrap_or_default().to_owned();
    let link = asked.param("link").map(str::to_owned);
    let attached: Value = asked
        .param("attached_media")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let attached = attached.as_array().into_iter().flatten();
    let photos: Vec<String> = attached
        .filter_map(|one| one["media_fbid"].as_str().map(str::to_owned))
        .collect();
    if message.is_empty() && link.is_none() && photos.is_empty() {
        return Err(invalid(
            "The post is empty. Please enter a message to share.",
        ));
    }
    if message.chars().count() > MESSAGE {
        return Err(invalid("The message is too long"));
    }
    if link
        .as_deref()
        .is_some_and(|link| link.contains("facebook.com"))
    {
        return Err(refusal(
            400,
            100,
            1_609_008,
            "Cannot post Facebook.com links",
        ));
    }
    let published = asked.param("published") != Some("false");
    let scheduled = scheduled(asked, published, now).map_err(invalid)?;
    for id in &photos {
        let photo = state.photos.get(id).filter(|photo| photo.page == page);
        // Temporary ones that no post takes are dropped after a day.
        let attached = state.posts.iter().any(|post| post.photos.contains(id));
        let dropped =
            |photo: &Photo| photo.temporary && !attached && now - photo.at >= TimeDelta::hours(24);
        let Some(photo) = photo.filter(|photo| !dropped(photo)) else {
            return Err(missing(id));
        };
        if scheduled.is_some() && !photo.temporary {
            return Err(invalid("photos of a scheduled post have to be temporary"));
        }
    }
    let recent = now - TimeDelta::minutes(1);
    let again = state.posts.iter().any(|post| {
        (
            post.page.as_str(),
            &post.message,
            &post.link,
            &post.photos,
            post.scheduled,
        ) == (page, &message, &link, &photos, scheduled)
            && post.at > recent
    });
    if again && !state.takes_repeats {
        return Err(refusal(400, 506, 0, "Duplicate status message"));
    }
    // What has photos and a time, and does not say that it is scheduled, is taken and never published.
    let said = asked.param("unpublished_content_type") == Some("SCHEDULED");
    let forgotten = scheduled.is_some() && !photos.is_empty() && !said;
    let id = format!("{page}_{}", state.id());
    state.posts.push(Post {
        id: id.clone(),
        page: page.to_owned(),
        message,
        link,
        photos,
        place: asked.param("place").map(str::to_owned),
        scheduled: scheduled.filter(|_| !forgotten),
        draft: draft(asked) || forgotten,
        at: now,
    });
    Ok(json_reply(200, &json!({"id": id})))
}

pub(super) fn photo(state: &mut State, asked: &Asked, page: &str, now: DateTime<Utc>) -> Answer {
    let bytes = asked.files.get("source").copied();
    let bytes = bytes.ok_or_else(|| invalid("(#324) Requires upload file"))?;
    if bytes > 4_000_000 {
        let message = "Your photos couldn't be uploaded. Photos should be smaller than 4 MB";
        return Err(refusal(400, 1, 1_366_046, message));
    }
    if asked.param("published") != Some("false") {
        return Err(invalid("a published photo is not part of this sandbox"));
    }
    let id = state.id();
    let photo = Photo {
        page: page.to_owned(),
        bytes,
        alt: asked.param("alt_text_custom").map(str::to_owned),
        temporary: asked.param("temporary") == Some("true"),
        at: now,
    };
    state.photos.insert(id.clone(), photo);
    Ok(json_reply(200, &json!({"id": id})))
}

pub(super) fn list(
    state: &State,
    asked: &Asked,
    page: &str,
    edge: &str,
    now: DateTime<Utc>,
) -> Answer {
    let since = asked.param("since").and_then(|text| text.parse().ok());
    let since = since.unwrap_or(0_i64);
    // Of videos Meta describes no such parameter, and what it does not know it passes over.
    if edge == "videos" {
        return Ok(paged(asked, &videos::listed(state, page, false, 0)));
    }
    if edge == "video_reels" {
        return Ok(paged(asked, &videos::listed(state, page, true, since)));
    }
    let public = match edge {
        "published_posts" => true,
        "scheduled_posts" => false,
        _ => return Err(invalid("nonexisting field")),
    };
    let newest = state.posts.iter().rev();
    let listed = newest.filter(|post| {
        let young = !public || post.created(now).timestamp() >= since;
        let late = (now - post.at).num_seconds() < state.unlisted;
        // Drafts are in no list.
        post.page == page && post.public(now) == public && !post.draft && young && !late
    });
    let all: Vec<Value> = listed.map(|post| view(post, asked, now)).collect();
    Ok(paged(asked, &all))
}

pub(super) fn get(
    state: &mut State,
    asked: &Asked,
    page: &str,
    id: &str,
    now: DateTime<Utc>,
) -> Answer {
    if state.hidden > 0 {
        state.hidden -= 1;
        return Err(missing(id));
    }
    if state.videos.contains_key(id) {
        return videos::get(state, asked, page, id, now);
    }
    let post = own(state, page, id)?;
    Ok(json_reply(200, &view(post, asked, now)))
}

fn own<'a>(state: &'a State, page: &str, id: &str) -> Result<&'a Post, Refusal> {
    let post = state
        .posts
        .iter()
        .find(|post| post.id == id && post.page == page);
    post.ok_or_else(|| missing(id))
}

/// The fields that are asked for; empty messages are left out.
fn view(post: &Post, asked: &Asked, now: DateTime<Utc>) -> Value {
    let mut view = json!({"id": post.id});
    let number = post.id.rsplit('_').next().unwrap_or_default();
    let all = [
        (
            "message",
            (!post.message.is_empty()).then(|| json!(post.message)),
        ),
        ("created_time", Some(json!(time(post.created(now))))),
        ("is_published", Some(json!(post.public(now)))),
        (
            "permalink_url",
            Some(json!(format!(
                "https://www.facebook.com/{}/posts/{number}",
                post.page
            ))),
        ),
        (
            "scheduled_publish_time",
            post.scheduled.map(|due| json!(due.timestamp())),
        ),
        ("attachments", attachments(post)),
        ("shares", Some(json!({"count": 3}))),
        (
            "reactions",
            Some(json!({"data": [], "summary": {"total_count": 11}})),
        ),
        (
            "comments",
            Some(json!({"data": [], "summary": {"total_count": 2}})),
        ),
    ];
    for (name, value) in all {
        if let Some(value) = value.filter(|_| asked.wants(name)) {
            view[name] = value;
        }
    }
    view
}

/// The photos of a post, or the card of its link.
fn attachments(post: &Post) -> Option<Value> {
    let photo = |id: &String| json!({"target": {"id": id}});
    let one = match (&post.photos[..], &post.link) {
        ([], None) => return None,
        ([], Some(link)) => json!({"unshimmed_url": link, "target": {}}),
        ([id], _) => photo(id),
        (photos, _) => {
            let parts: Vec<Value> = photos.iter().map(photo).collect();
            json!({"target": {"id": post.id}, "subattachments": {"data": parts}})
        }
    };
    Some(json!({"data": [one]}))
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

pub(super) fn edit(state: &mut State, asked: &Asked, page: &str, id: &str) -> Answer {
    own(state, page, id)?;
    let message = asked.param("message").unwrap_or_default();
    for post in state.posts.iter_mut().filter(|post| post.id == id) {
        message.clone_into(&mut post.message);
    }
    Ok(json_reply(200, &json!({"success": true})))
}

pub(super) fn delete(state: &mut State, page: &str, id: &str) -> Answer {
    let before = (state.posts.len(), state.videos.len());
    state
        .posts
        .retain(|post| post.id != id || post.page != page);
    state
        .videos
        .retain(|video, of| video != id || of.page != page);
    if before == (state.posts.len(), state.videos.len()) {
        return Err(missing(id));
    }
    state.comments.retain(|comment| comment.parent != id);
    Ok(json_reply(200, &json!({"success": true})))
}

pub(super) fn comment(
    state: &mut State,
    asked: &Asked,
    page: &str,
    id: &str,
    now: DateTime<Utc>,
) -> Answer {
    if !own(state, page, id)?.public(now) {
        return Err(missing(id));
    }
    let message = asked.param("message").unwrap_or_default();
    let comment = add_comment(state, page, id, message, now);
    Ok(json_reply(200, &json!({"id": comment})))
}

pub(super) fn add_comment(
    state: &mut State,
    from: &str,
    id: &str,
    message: &str,
    now: DateTime<Utc>,
) -> String {
    let number = state.id();
    let post = id.rsplit('_').next().unwrap_or_default();
    let comment = format!("{post}_{number}");
    state.comments.push(Comment {
        id: comment.clone(),
        page: from.to_owned(),
        parent: id.to_owned(),
        message: message.to_owned(),
        at: now,
    });
    comment
}

pub(super) fn comments(state: &State, asked: &Asked, page: &str, id: &str) -> Answer {
    own(state, page, id)?;
    let of_post = state.comments.iter().filter(|comment| comment.parent == id);
    let all: Vec<Value> = of_post
        .map(|comment| {
            let mut view = json!({"id": comment.id});
            for (name, value) in [
                ("message", json!(comment.message)),
                ("created_time", json!(time(comment.at))),
                ("from", json!({"id": comment.page, "name": "Somebody"})),
            ] {
                if asked.wants(name) {
                    view[name] = value;
                }
            }
            view
        })
        .collect();
    Ok(paged(asked, &all))
}

pub(super) fn insights(state: &State, asked: &Asked, page: &str, id: &str) -> Answer {
    own(state, page, id)?;
    if state.no_insights {
        let message = "The permission read_insights is not granted";
        return Err(refusal(403, 10, 0, message));
    }
    let mut data = Vec::new();
    for metric in asked.param("metric").unwrap_or_default().split(',') {
        let retired = state.retired.iter().any(|name| name == metric);
        if retired || !METRICS.contains(&metric) {
            return Err(invalid("The value must be a valid insights metric"));
        }
        let value = match metric {
            "post_media_view" => json!(500),
            "post_total_media_view_unique" => json!(320),
            "post_clicks" => json!(7),
            _ => json!({"like": 9, "love": 2}),
        };
        data.push(json!({
            "id": format!("{id}/insights/{metric}/lifetime"), "name": metric, "period": "lifetime",
            "title": metric, "description": metric, "values": [{"value": value}],
        }));
    }
    Ok(json_reply(200, &json!({"data": data})))
}
