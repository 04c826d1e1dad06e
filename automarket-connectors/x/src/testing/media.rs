//! Uploads: images whole, everything else in chunks, with processing.

use automarket_core::{
    Bytes,
    chrono::TimeDelta,
    http_types::Response,
    testing::{FormPart, form_parts, json_reply},
};
use serde_json::json;

use super::{
    Incoming, forbidden, invalid, problem,
    state::{Stage, State, Upload},
};

const MB: u64 = 1_000_000;
const DAY: i64 = 86_400;

/// What a category takes at the most.
fn largest(category: &str) -> Option<u64> {
    match category {
        "tweet_image" => Some(5 * MB),
        "tweet_gif" => Some(15 * MB),
        "tweet_video" => Some(512 * MB),
        _ => None,
    }
}

fn begun(call: &Incoming<'_>, category: &str, expected: u64) -> Upload {
    Upload {
        user: call.user.clone(),
        category: category.to_owned(),
        expected,
        bytes: 0,
        segments: Vec::new(),
        stage: Stage::Arriving,
        alt: None,
        until: call.now + TimeDelta::seconds(DAY),
    }
}

pub(super) fn whole(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let form = form(call);
    let category = String::from_utf8_lossy(part(&form, "media_category").unwrap_or_default());
    let Some(media) = part(&form, "media") else {
        return invalid("media is missing");
    };
    let size = media.len() as u64;
    match largest(&category) {
        Some(most) if size <= most => {}
        _ => return invalid("media is too large, or its category is wrong"),
    }
    let id = state.id();
    let mut upload = begun(call, &category, size);
    upload.bytes = size;
    upload.stage = Stage::Ready;
    state.uploads.insert(id.clone(), upload);
    let data =
        json!({"id": id, "media_key": format!("3_{id}"), "size": size, "expires_after_secs": DAY});
    json_reply(200, &json!({"data": data}))
}

pub(super) fn initialize(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let body = call.json().unwrap_or_default();
    let category = body["media_category"].as_str().unwrap_or_default();
    let expected = body["total_bytes"].as_u64().unwrap_or_default();
    let kind = body["media_type"].as_str().unwrap_or_default();
    let typed = matches!(
        (category, kind),
        ("tweet_video", "video/mp4" | "video/quicktime")
            | ("tweet_gif", "image/gif")
            | ("tweet_image", "image/jpeg" | "image/png" | "image/webp")
    );
    if !typed || largest(category).is_none_or(|most| expected > most) {
        return invalid("media_type, media_category or total_bytes is wrong");
    }
    let id = state.id();
    state
        .uploads
        .insert(id.clone(), begun(call, category, expected));
    let data = json!({"id": id, "media_key": format!("13_{id}"), "expires_after_secs": DAY});
    json_reply(200, &json!({"data": data}))
}

pub(super) fn append(state: &mut State, call: &Incoming<'_>, id: &str) -> Response<Bytes> {
    let form = form(call);
    let index = part(&form, "segment_index").and_then(|text| std::str::from_utf8(text).ok());
    let index: Option<u64> = index.and_then(|text| text.parse().ok());
    let (Some(index), Some(media)) = (index, part(&form, "media")) else {
        return invalid("segment_index or media is missing");
    };
    // What some saw of large chunks.
    if media.len() > 5 * 1024 * 1024 {
        return problem(431, "Request Header Fields Too Large", "too large", None);
    }
    let Some(upload) = own(state, call, id) else {
        return missing();
    };
    if upload.stage != Stage::Arriving || index > 999 || index != upload.segments.len() as u64 {
        return invalid("segments come in their order, from 0 to 999");
    }
    upload.segments.push(media.len() as u64);
    upload.bytes += media.len() as u64;
    let expires = (call.now + TimeDelta::seconds(DAY)).timestamp();
    json_reply(200, &json!({"data": {"expires_at": expires}}))
}

pub(super) fn finalize(state: &mut State, call: &Incoming<'_>, id: &str) -> Response<Bytes> {
    // The description knows no body here; several clients met this refusal.
    if call.json().is_none() {
        return invalid("Request body must be a JSON object.");
    }
    let questions = state.questions;
    let failing = state.failing.0 > 0;
    let reason = state.failing.1.clone();
    let Some(upload) = own(state, call, id) else {
        return missing();
    };
    if upload.stage != Stage::Arriving || upload.bytes != upload.expected {
        return invalid("Segments do not add up to provided total file size.");
    }
    let mut data = json!({"id": id, "size": upload.bytes, "expires_after_secs": DAY});
    if upload.category == "tweet_image" {
        upload.stage = Stage::Ready;
    } else {
        upload.stage = if failing {
            Stage::Failed(reason)
        } else {
            Stage::Processing(questions)
        };
        data["processing_info"] = json!({"state": "pending", "check_after_secs": 1});
        if failing {
            state.failing.0 -= 1;
        }
    }
    json_reply(200, &json!({"data": data}))
}

pub(super) fn status(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let id = call.one("media_id").unwrap_or_default().to_owned();
    if call.one("command") != Some("STATUS") {
        return invalid("command is not STATUS");
    }
    let Some(upload) = own(state, call, &id) else {
        return missing();
    };
    let mut data = json!({"id": id, "expires_after_secs": DAY});
    match &upload.stage {
        Stage::Arriving => return invalid("the upload is not finalized"),
        Stage::Ready => {
            data["processing_info"] = json!({"state": "succeeded", "progress_percent": 100})
        }
        Stage::Failed(reason) => {
            let error = json!({"code": 1, "name": "InvalidMedia", "message": reason});
            data["processing_info"] = json!({"state": "failed", "error": error});
        }
        Stage::Processing(0 | 1) => {
            upload.stage = Stage::Ready;
            data["processing_info"] = json!({"state": "succeeded", "progress_percent": 100});
        }
        Stage::Processing(left) => {
            upload.stage = Stage::Processing(left - 1);
            data["processing_info"] =
                json!({"state": "in_progress", "check_after_secs": 5, "progress_percent": 50});
        }
    }
    json_reply(200, &json!({"data": data}))
}

pub(super) fn metadata(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let body = call.json().unwrap_or_default();
    let id = body["id"].as_str().unwrap_or_default().to_owned();
    let alt = body["metadata"]["alt_text"]["text"].as_str();
    let Some(alt) = alt.filter(|alt| alt.chars().count() <= 1000) else {
        return invalid("alt_text has more than 1000 characters");
    };
    let Some(upload) = own(state, call, &id) else {
        return missing();
    };
    upload.alt = Some(alt.to_owned());
    json_reply(200, &json!({"data": {"id": id}}))
}

fn own<'a>(state: &'a mut State, call: &Incoming<'_>, id: &str) -> Option<&'a mut Upload> {
    let upload = state.uploads.get_mut(id)?;
    (upload.user == call.user && call.now < upload.until).then_some(upload)
}

fn missing() -> Response<Bytes> {
    forbidden("The media does not exist or is not yours.")
}

fn form<'a>(call: &Incoming<'a>) -> Vec<FormPart<'a>> {
    form_parts(call.content_type, call.body).unwrap_or_default()
}

fn part<'a>(form: &[FormPart<'a>], name: &str) -> Option<&'a [u8]> {
    let named = form.iter().find(|part| part.name == name);
    named.map(|part| part.bytes)
}
