//! Containers: making, asking for and publishing them.

use automarket_connector_graph::testing::{Asked, Refusal, refusal};
use automarket_core::{
    chrono::{DateTime, Utc},
    testing::{LocalMediaHost, json_reply},
};
use serde_json::{Value, json};

use super::{
    Answer, invalid, missing,
    state::{Container, Kind, Media, State},
};

const CAPTION: usize = 2200;
const MB: usize = 1_000_000;

pub(super) fn create(
    state: &mut State,
    host: Option<&LocalMediaHost>,
    asked: &Asked,
    account: &str,
    now: DateTime<Utc>,
) -> Answer {
    let caption = asked.param("caption").unwrap_or_default().to_owned();
    let kind = match (asked.param("media_type"), asked.param("is_carousel_item")) {
        (Some("VIDEO") | None, Some("true")) => Kind::Item,
        (None, _) => Kind::Image,
        (Some("REELS"), None) => Kind::Reel,
        (Some("STORIES"), None) => Kind::Story,
        (Some("CAROUSEL"), None) => Kind::Carousel,
        _ => return Err(refusal(400, 100, 2_207_023, "The media type is unknown")),
    };
    if caption.encode_utf16().count() > CAPTION {
        return Err(refusal(400, 100, 2_207_010, "The caption is too long"));
    }
    if caption.matches('#').count() > 30 || caption.matches('@').count() > 20 {
        return Err(refusal(400, 100, 2_207_040, "Too many tags"));
    }
    if kind == Kind::Item && !caption.is_empty() {
        return Err(invalid("an item of a carousel has no caption"));
    }
    let list = |name: &str| {
        let text = asked.param(name)?;
        serde_json::from_str::<Value>(text).ok()
    };
    let many =
        list("collaborators").is_some_and(|all| all.as_array().is_none_or(|all| all.len() > 3));
    if many {
        return Err(invalid("collaborators are up to three"));
    }
    let mut said = json!({});
    if kind == Kind::Carousel {
        let children = asked.param("children").unwrap_or_default();
        let children: Vec<&str> = children.split(',').collect();
        if !(2..=10).contains(&children.len()) {
            return Err(refusal(400, 100, 2_207_028, "A carousel has 2 to 10 items"));
        }
        for id in &children {
            let child = state.containers.get(*id);
            let child = child.filter(|one| one.kind == Kind::Item && one.account == account);
            let child = child.ok_or_else(|| missing(id))?;
            if child.expired(now) {
                return Err(refusal(400, 24, 2_207_008, "The container has expired"));
            }
            if child.left > 0 || child.failed.is_some() {
                return Err(refusal(400, 9007, 2_207_027, "Media ID is not available"));
            }
        }
        let items = children.iter().filter_map(|id| state.containers.get(*id));
        said["items"] = items.map(|item| item.said.clone()).collect();
    } else {
        fetched(host, asked, kind, now)?;
        said["media"] = json!(asked.param("image_url").or(asked.param("video_url")));
        said["alt"] = json!(asked.param("alt_text"));
    }
    said["location"] = json!(asked.param("location_id"));
    said["collaborators"] = list("collaborators").unwrap_or_default();
    said["tags"] = list("user_tags").unwrap_or_default();
    said["share_to_feed"] = json!(asked.param("share_to_feed"));
    let failed = (state.failing.0 > 0).then(|| {
        state.failing.0 -= 1;
        state.failing.1
    });
    let id = state.id();
    let container = Container {
        account: account.to_owned(),
        kind,
        caption,
        said,
        at: now,
        left: state.questions,
        failed,
        published: None,
    };
    state.containers.insert(id.clone(), container);
    Ok(json_reply(200, &json!({"id": id})))
}

/// Fetches as Instagram does: https, there, and of a type that is taken.
fn fetched(
    host: Option<&LocalMediaHost>,
    asked: &Asked,
    kind: Kind,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let (image, video) = (asked.param("image_url"), asked.param("video_url"));
    let url = match (image, video) {
        (Some(url), None) if kind != Kind::Reel => url,
        (None, Some(url)) if kind != Kind::Image => url,
        _ => {
            return Err(refusal(
                400,
                100,
                2_207_023,
                "One image_url or video_url is needed",
            ));
        }
    };
    if image.is_none() && asked.param("alt_text").is_some() {
        return Err(invalid("alt_text is for images"));
    }
    if !url.starts_with("https://") {
        return Err(refusal(
            400,
            9004,
            2_207_052,
            "The media could not be fetched",
        ));
    }
    let Some(host) = host else {
        return Ok(());
    };
    let bytes = host.serves(url, now);
    let bytes = bytes.ok_or_else(|| refusal(400, 9004, 2_207_052, "Could not be fetched"))?;
    let limit = if image.is_some() { 8 } else { 300 };
    if bytes.len() > limit * MB {
        return Err(refusal(400, 100, 2_207_004, "The media is too large"));
    }
    if image.is_some() && !bytes.starts_with(b"\xFF\xD8\xFF") {
        return Err(refusal(
            400,
            100,
            2_207_005,
            "The image format is not supported",
        ));
    }
    Ok(())
}

pub(super) fn status(state: &mut State, account: &str, id: &str, now: DateTime<Utc>) -> Answer {
    let container = state.containers.get_mut(id);
    let container = container.filter(|one| one.account == account);
    let container = container.ok_or_else(|| missing(id))?;
    let busy = container.busy(state.in_flight, now);
    let (code, status) = if container.published.is_some() && !busy {
        (
            "PUBLISHED",
            "Published: Media has been successfully published.".to_owned(),
        )
    } else if container.expired(now) {
        (
            "EXPIRED",
            "Expired: Media was not published in time.".to_owned(),
        )
    } else if container.left > 0 {
        container.left -= 1;
        (
            "IN_PROGRESS",
            "In Progress: Media is still being processed.".to_owned(),
        )
    } else if let Some(subcode) = container.failed {
        (
            "ERROR",
            format!("Error: Media upload has failed with error code {subcode}"),
        )
    } else {
        (
            "FINISHED",
            "Finished: Media has been uploaded and it is ready to be published.".to_owned(),
        )
    };
    let view = json!({"id": id, "status_code": code, "status": status});
    Ok(json_reply(200, &view))
}

pub(super) fn publish(
    state: &mut State,
    asked: &Asked,
    account: &str,
    now: DateTime<Utc>,
) -> Answer {
    let id = asked.param("creation_id").unwrap_or_default().to_owned();
    if state.used(account, now) >= state.quota {
        return Err(refusal(
            403,
            9,
            2_207_042,
            "The user has reached the maximum of posts",
        ));
    }
    let (delayed, in_flight) = (state.delayed > 0, state.in_flight);
    let container = state.containers.get_mut(&id);
    let container = container.filter(|one| one.account == account && one.kind != Kind::Item);
    let container = container.ok_or_else(|| missing(&id))?;
    let busy = container.busy(in_flight, now);
    if container.published.is_some() && !busy || container.expired(now) {
        return Err(refusal(400, 24, 2_207_006, "The media cannot be found"));
    }
    if container.left > 0 || container.failed.is_some() || delayed || busy {
        state.delayed = state.delayed.saturating_sub(1);
        return Err(refusal(400, 9007, 2_207_027, "Media ID is not available"));
    }
    container.published = Some(now);
    let container = container.clone();
    let id = state.id();
    let story = container.kind == Kind::Story;
    state.media.push(Media {
        id: id.clone(),
        account: account.to_owned(),
        kind: container.kind,
        caption: if story {
            String::new()
        } else {
            container.caption
        },
        said: container.said,
        at: now,
    });
    Ok(json_reply(200, &json!({"id": id})))
}
