//! What is public: media and comments.

use automarket_connector_graph::testing::{Asked, Refusal, page};
use automarket_core::{
    Bytes,
    chrono::{DateTime, TimeDelta, Utc},
    http_types::Response,
    testing::json_reply,
};
use serde_json::{Value, json};

use super::{
    Answer, invalid, missing, names,
    state::{Comment, Kind, Media, State},
};

fn own<'a>(state: &'a State, account: &str, id: &str) -> Result<&'a Media, Refusal> {
    let mut all = state.media.iter();
    let media = all.find(|media| media.id == id && media.account == account);
    media.ok_or_else(|| missing(id))
}

/// The fields that are asked for; empty captions are left out.
fn view(media: &Media, asked: &Asked) -> Value {
    let product = match media.kind {
        Kind::Reel => "REELS",
        Kind::Story => "STORY",
        _ => "FEED",
    };
    let path = if media.kind == Kind::Reel {
        "reel"
    } else {
        "p"
    };
    let mut view = json!({"id": media.id});
    let all = [
        (
            "caption",
            (!media.caption.is_empty()).then(|| json!(media.caption)),
        ),
        (
            "timestamp",
            Some(json!(media.at.format("%Y-%m-%dT%H:%M:%S+0000").to_string())),
        ),
        (
            "permalink",
            Some(json!(format!(
                "https://www.instagram.com/{path}/C{}/",
                media.id
            ))),
        ),
        ("media_product_type", Some(json!(product))),
        ("like_count", Some(json!(11))),
        ("comments_count", Some(json!(2))),
    ];
    for (name, value) in all {
        if let Some(value) = value.filter(|_| asked.wants(name)) {
            view[name] = value;
        }
    }
    view
}

pub(super) fn get(state: &State, asked: &Asked, account: &str, id: &str) -> Answer {
    let media = own(state, account, id)?;
    Ok(json_reply(200, &view(media, asked)))
}

/// Stories are on an edge of their own, for a day.
pub(super) fn list(
    state: &State,
    asked: &Asked,
    account: &str,
    stories: bool,
    now: DateTime<Utc>,
) -> Response<Bytes> {
    // Of stories Meta describes no such parameters, and what it does not know it passes over.
    let said = |name: &str| asked.param(name).filter(|_| !stories)?.parse::<i64>().ok();
    let (since, until) = (said("since"), said("until"));
    let within =
        |at: i64| since.is_none_or(|since| at >= since) && until.is_none_or(|until| at <= until);
    let listed = |media: &Media| (now - media.at).num_seconds() >= state.unlisted;
    let newest = state.media.iter().rev().filter(|media| {
        let own = media.account == account && (media.kind == Kind::Story) == stories;
        let over = stories && now - media.at >= TimeDelta::hours(24);
        own && !over && within(media.at.timestamp()) && listed(media)
    });
    let all: Vec<Value> = newest.map(|media| view(media, asked)).collect();
    page(asked, &all)
}

pub(super) fn insights(state: &State, asked: &Asked, account: &str, id: &str) -> Answer {
    let media = own(state, account, id)?;
    let mut data = Vec::new();
    for metric in asked.param("metric").unwrap_or_default().split(',') {
        let retired = state.retired.iter().any(|name| name == metric);
        let value = match (metric, media.kind) {
            _ if retired => None,
            ("views", _) => Some(500),
            ("reach", _) => Some(320),
            ("total_interactions", _) => Some(30),
            ("shares", _) => Some(3),
            ("saved", Kind::Image | Kind::Carousel | Kind::Reel) => Some(4),
            ("follows" | "profile_visits", Kind::Image | Kind::Carousel) => Some(5),
            ("ig_reels_avg_watch_time" | "ig_reels_video_view_total_time", Kind::Reel) => {
                Some(3100)
            }
            ("replies" | "navigation", Kind::Story) => Some(2),
            _ => None,
        };
        let Some(value) = value else {
            return Err(invalid(&format!(
                "The Media Insights API does not support the {metric} metric for this media product type."
            )));
        };
        data.push(
            json!({"id": format!("{id}/insights/{metric}/lifetime"), "name": metric,
            "period": "lifetime", "title": metric, "description": metric,
            "values": [{"value": value}]}),
        );
    }
    Ok(json_reply(200, &json!({"data": data})))
}

pub(super) fn comment(state: &mut State, asked: &Asked, account: &str, id: &str) -> Answer {
    own(state, account, id)?;
    let text = asked.param("message").unwrap_or_default();
    let comment = add_comment(state, account, id, text);
    Ok(json_reply(200, &json!({"id": comment})))
}

pub(super) fn add_comment(state: &mut State, account: &str, id: &str, text: &str) -> String {
    let comment = state.id();
    state.comments.push(Comment {
        id: comment.clone(),
        account: account.to_owned(),
        parent: id.to_owned(),
        text: text.to_owned(),
    });
    comment
}

pub(super) fn comments(state: &State, asked: &Asked, account: &str, id: &str) -> Answer {
    own(state, account, id)?;
    let of_media = state.comments.iter().filter(|comment| comment.parent == id);
    let all: Vec<Value> = of_media
        .map(|comment| {
            let mut view = json!({"id": comment.id});
            for (name, value) in [
                ("text", json!(comment.text)),
                ("username", json!(names(&comment.account).0)),
            ] {
                if asked.wants(name) {
                    view[name] = value;
                }
            }
            view
        })
        .collect();
    Ok(page(asked, &all))
}

pub(super) fn delete(state: &mut State, account: &str, id: &str) -> Answer {
    own(state, account, id)?;
    state.media.retain(|media| media.id != id);
    state.comments.retain(|comment| comment.parent != id);
    Ok(json_reply(200, &json!({"success": true})))
}
