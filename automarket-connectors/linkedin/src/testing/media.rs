//! Images, documents and videos on their way in.

use automarket_core::{
    Bytes,
    chrono::{DateTime, TimeDelta, Utc},
    http_types::{HeaderValue, Response, StatusCode},
    testing::json_reply,
};
use serde_json::{Value, json};

use super::{
    Incoming, empty, forbidden, invalid, problem,
    state::{Stage, State, Upload},
};

const PART: u64 = 4 * 1024 * 1024;

pub(super) fn act(state: &mut State, call: &Incoming<'_>, kind: &str) -> Response<Bytes> {
    match (call.one("action"), kind) {
        ("initializeUpload", _) => initialize(state, call, kind),
        ("finalizeUpload", "videos") => finalize(state, call),
        _ => problem(400, 100, "ILLEGAL_ARGUMENT", "there is no such action"),
    }
}

fn initialize(state: &mut State, call: &Incoming<'_>, kind: &str) -> Response<Bytes> {
    let body = call.json();
    let request = &body["initializeUploadRequest"];
    let owner = request["owner"].as_str().unwrap_or_default();
    if !state.speaks(call.member, owner) {
        return forbidden(&format!("partnerApi{kind}.ACTION-initializeUpload"));
    }
    let one = &kind[..kind.len() - 1];
    let number = state.number();
    let urn = format!("urn:li:{one}:D4E{number}");
    let address = |part: usize| format!("{}/dms-uploads/D4E{number}/{part}", call.uploads);
    let until = call.now + TimeDelta::hours(1);
    let mut value = json!({one: urn});
    let expected = if kind == "videos" {
        let size = request["fileSizeBytes"].as_u64().unwrap_or_default();
        if !(75 * 1024..=500_000_000).contains(&size) {
            return invalid(400, "INVALID_FILE_SIZE", "fileSizeBytes is out of bounds");
        }
        let parts: Vec<Option<u64>> = (0..size.div_ceil(PART))
            .map(|part| Some(PART.min(size - part * PART)))
            .collect();
        let instructions = parts.iter().flatten().enumerate().map(|(part, bytes)| {
            let first = part as u64 * PART;
            json!({"uploadUrl": address(part), "firstByte": first, "lastByte": first + bytes - 1})
        });
        value["uploadInstructions"] = instructions.collect::<Value>();
        value["uploadToken"] = json!("");
        value["uploadUrlsExpireAt"] = json!(until.timestamp_millis());
        parts
    } else {
        value["uploadUrl"] = json!(address(0));
        value["uploadUrlExpiresAt"] = json!(until.timestamp_millis());
        vec![None]
    };
    let upload = Upload {
        owner: owner.to_owned(),
        kind: kind.to_owned(),
        expected,
        parts: std::collections::BTreeMap::new(),
        stage: Stage::Waiting,
        until,
    };
    state.uploads.insert(urn, upload);
    json_reply(200, &json!({"value": value}))
}

pub(super) fn put(
    state: &mut State,
    member: Option<&'static str>,
    number: &str,
    part: &str,
    bytes: &Bytes,
    now: DateTime<Utc>,
) -> Response<Bytes> {
    let (questions, failing) = (state.questions, state.failing.clone());
    let named = format!(":{number}");
    let found = state
        .uploads
        .iter_mut()
        .find(|(urn, _)| urn.ends_with(&named));
    let (Some((_, upload)), Ok(part)) = (found, part.parse::<usize>()) else {
        return empty(StatusCode::NOT_FOUND);
    };
    // A video's address is permission enough.
    if now >= upload.until || member.is_none() && upload.kind != "videos" {
        return empty(StatusCode::UNAUTHORIZED);
    }
    let size = bytes.len() as u64;
    match upload.expected.get(part) {
        Some(expected) if expected.is_none_or(|bytes| bytes == size) => {}
        _ => return empty(StatusCode::BAD_REQUEST),
    }
    let tag = format!("/ambry-video/signedId/{number}-{part}");
    upload.parts.insert(part, (size, tag.clone()));
    if upload.kind == "videos" {
        let mut reply = empty(StatusCode::OK);
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            reply.headers_mut().insert("etag", tag);
        }
        return reply;
    }
    upload.stage = after(questions, &failing);
    state.failing.0 = failing.0.saturating_sub(1);
    empty(StatusCode::CREATED)
}

fn after(questions: u32, failing: &(u32, String)) -> Stage {
    if failing.0 > 0 {
        Stage::Failed(failing.1.clone())
    } else {
        Stage::Processing(questions)
    }
}

fn finalize(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let (questions, failing) = (state.questions, state.failing.clone());
    let body = call.json();
    let request = &body["finalizeUploadRequest"];
    let urn = request["video"].as_str().unwrap_or_default();
    let member = call.member;
    let owner = state.uploads.get(urn).map(|upload| upload.owner.clone());
    if !owner.is_some_and(|owner| state.speaks(member, &owner)) {
        return forbidden("partnerApiVideos.ACTION-finalizeUpload");
    }
    let Some(upload) = state.uploads.get_mut(urn) else {
        return problem(404, 0, "NOT_FOUND", "no such video");
    };
    let tags: Vec<&str> = upload.parts.values().map(|(_, tag)| tag.as_str()).collect();
    let whole = tags.len() == upload.expected.len() && request["uploadedPartIds"] == json!(tags);
    if upload.stage != Stage::Waiting || !whole || !request["uploadToken"].is_string() {
        return invalid(
            400,
            "INVALID_UPLOAD",
            "The upload is not complete, or was finalized before",
        );
    }
    upload.stage = after(questions, &failing);
    state.failing.0 = failing.0.saturating_sub(1);
    empty(StatusCode::OK)
}

pub(super) fn status(
    state: &mut State,
    call: &Incoming<'_>,
    kind: &str,
    urn: &str,
) -> Response<Bytes> {
    let Some(owner) = state.uploads.get(urn).map(|upload| upload.owner.clone()) else {
        return problem(404, 0, "NOT_FOUND", "no such file");
    };
    let readable = kind == "videos" || state.reads(call.member, &owner);
    if !state.speaks(call.member, &owner) || !readable {
        let one = &kind[..kind.len() - 1];
        let message = format!(
            "Accessing this {one} resource is forbidden. Please check your permissions for this resource"
        );
        return json_reply(403, &json!({"message": message, "status": 403}));
    }
    let Some(upload) = state.uploads.get_mut(urn) else {
        return problem(404, 0, "NOT_FOUND", "no such file");
    };
    let mut body = json!({"id": urn, "owner": owner});
    body["status"] = match &upload.stage {
        Stage::Waiting => json!("WAITING_UPLOAD"),
        Stage::Processing(left) if *left > 0 => {
            upload.stage = Stage::Processing(left - 1);
            json!("PROCESSING")
        }
        Stage::Processing(_) | Stage::Available => {
            upload.stage = Stage::Available;
            json!("AVAILABLE")
        }
        Stage::Failed(reason) => {
            body["processingFailureReason"] = json!(reason);
            json!("PROCESSING_FAILED")
        }
    };
    json_reply(200, &body)
}
