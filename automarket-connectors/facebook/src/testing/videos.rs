//! Videos in chunks, and reels.

use automarket_connector_graph::testing::{Asked, Refusal, refusal};
use automarket_core::{
    Bytes,
    chrono::{DateTime, Utc},
    http_types::{Request, Response},
    testing::json_reply,
};
use serde_json::{Value, json};

use super::{
    Answer, invalid, missing,
    posts::time,
    state::{State, Video, draft, scheduled},
};

/// What is wanted at a time.
const CHUNK: u64 = 1_048_576;
const GB: u64 = 1_000_000_000;

fn begun(page: &str, reel: bool, size: u64, session: String) -> Video {
    Video {
        page: page.to_owned(),
        reel,
        session,
        size,
        bytes: 0,
        chunks: 0,
        description: String::new(),
        title: String::new(),
        place: None,
        finished: None,
        scheduled: None,
        draft: false,
        left: 0,
        failed: None,
    }
}

/// The offsets that are wanted, as texts.
fn wanted(video: &Video) -> Value {
    let end = video.size.min(video.bytes + CHUNK);
    json!({"start_offset": video.bytes.to_string(), "end_offset": end.to_string()})
}

pub(super) fn videos(state: &mut State, asked: &Asked, page: &str, now: DateTime<Utc>) -> Answer {
    match asked.param("upload_phase") {
        Some("start") => {
            let size = asked.param("file_size").and_then(|text| text.parse().ok());
            let size: u64 = size.ok_or_else(|| invalid("file_size is missing"))?;
            if size > 10 * GB {
                return Err(refusal(400, 351, 1_363_019, "The video is too large"));
            }
            let (id, session) = (state.id(), state.id());
            let video = begun(page, false, size, session.clone());
            let mut answer = wanted(&video);
            answer["video_id"] = json!(id);
            answer["upload_session_id"] = json!(session);
            state.videos.insert(id, video);
            Ok(json_reply(200, &answer))
        }
        Some("transfer") => {
            let video = of_session(state, asked, page)?;
            let start = asked
                .param("start_offset")
                .and_then(|text| text.parse().ok());
            let bytes = asked.files.get("video_file_chunk").copied();
            let bytes = bytes.ok_or_else(|| invalid("video_file_chunk is missing"))? as u64;
            if start != Some(video.bytes) || video.bytes + bytes > video.size {
                let mut body = json!({"error": {
                    "message": "(#100) Invalid offset", "type": "OAuthException", "code": 100,
                    "error_subcode": 1_363_037, "is_transient": false, "fbtrace_id": "AsandboxTrace",
                }});
                body["error"]["error_data"] = wanted(video);
                return Err(Refusal { status: 400, body });
            }
            video.bytes += bytes;
            video.chunks += 1;
            Ok(json_reply(200, &wanted(video)))
        }
        Some("finish") => {
            let published = asked.param("published") != Some("false");
            let due = scheduled(asked, published, now).map_err(invalid)?;
            let failing = failing(state);
            let questions = state.questions;
            let video = of_session(state, asked, page)?;
            if video.bytes != video.size {
                return Err(refusal(400, 100, 1_363_033, "The upload is not complete"));
            }
            finish(video, asked, due, now, questions, failing);
            Ok(json_reply(200, &json!({"success": true})))
        }
        _ => Err(invalid("a video in one piece is not part of this sandbox")),
    }
}

fn of_session<'a>(
    state: &'a mut State,
    asked: &Asked,
    page: &str,
) -> Result<&'a mut Video, Refusal> {
    let session = asked.param("upload_session_id").unwrap_or_default();
    let mut all = state.videos.values_mut();
    let video = all.find(|video| video.session == session && video.page == page && !video.reel);
    video.ok_or_else(|| refusal(400, 100, 1_363_031, "Invalid upload session"))
}

fn failing(state: &mut State) -> Option<String> {
    (state.failing.0 > 0).then(|| {
        state.failing.0 -= 1;
        state.failing.1.clone()
    })
}

/// A second time changes nothing: one upload is one video.
fn finish(
    video: &mut Video,
    asked: &Asked,
    due: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    questions: u32,
    failed: Option<String>,
) {
    if video.finished.is_some() {
        return;
    }
    video.finished = Some(now);
    video.scheduled = due;
    video.draft = draft(asked);
    video.left = questions;
    video.failed = failed;
    let said = |name: &str| asked.param(name).unwrap_or_default().to_owned();
    video.description = said("description");
    video.title = said("title");
    let place = asked.param("place").filter(|_| video.reel);
    video.place = place.map(str::to_owned);
}

pub(super) fn reels(state: &mut State, asked: &Asked, page: &str, now: DateTime<Utc>) -> Answer {
    match asked.param("upload_phase") {
        Some("start") => {
            let id = state.id();
            state
                .videos
                .insert(id.clone(), begun(page, true, 0, String::new()));
            let url = format!(
                "https://rupload.facebook.com/video-upload/{}/{id}",
                asked.version
            );
            Ok(json_reply(200, &json!({"video_id": id, "upload_url": url})))
        }
        Some("finish") => {
            let published = match asked.param("video_state") {
                Some("PUBLISHED") => true,
                Some("SCHEDULED" | "DRAFT") => false,
                _ => return Err(invalid("video_state is none of the allowed")),
            };
            let due = scheduled(asked, published, now).map_err(invalid)?;
            let failing = failing(state);
            let questions = state.questions;
            let id = asked.param("video_id").unwrap_or_default();
            let video = state.videos.get_mut(id);
            let video = video.filter(|video| video.page == page && video.reel);
            let video = video.ok_or_else(|| missing(id))?;
            if video.bytes == 0 {
                return Err(refusal(400, 6000, 1_363_130, "The video is not uploaded"));
            }
            finish(video, asked, due, now, questions, failing);
            Ok(json_reply(200, &json!({"success": true, "post_id": id})))
        }
        _ => Err(invalid("upload_phase is none of the allowed")),
    }
}

/// `rupload.facebook.com`: the bytes of a reel, whole.
pub(super) fn reel_bytes(state: &mut State, request: &Request<Bytes>) -> Response<Bytes> {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let token = header("authorization").strip_prefix("OAuth ");
    if token != Some(state.token.as_str()) && token != Some(super::OTHER_TOKEN) {
        return refusal(400, 190, 463, "Error validating access token").reply();
    }
    let size = header("file_size").parse().ok();
    let bytes = request.body().len() as u64;
    if header("offset") != "0" || size != Some(bytes) {
        return json_reply(
            400,
            &json!({"debug_info": {"retriable": false,
            "type": "PartialRequestError", "message": "Partial request (did not match length of file)"}}),
        );
    }
    let id = request.uri().path().rsplit('/').next().unwrap_or_default();
    let Some(video) = state.videos.get_mut(id).filter(|video| video.reel) else {
        return json_reply(404, &json!({"debug_info": {"message": "no such video"}}));
    };
    (video.bytes, video.size, video.chunks) = (bytes, bytes, 1);
    json_reply(200, &json!({"success": true}))
}

pub(super) fn get(
    state: &mut State,
    asked: &Asked,
    page: &str,
    id: &str,
    now: DateTime<Utc>,
) -> Answer {
    let video = state.videos.get_mut(id).filter(|video| video.page == page);
    let video = video.ok_or_else(|| missing(id))?;
    let mut view = json!({"id": id});
    if asked.wants("status") {
        view["status"] = status(video, now);
        video.left = video.left.saturating_sub(1);
    }
    let path = if video.reel { "reel" } else { "videos" };
    let all = [
        ("published", json!(video.public(now))),
        ("permalink_url", json!(format!("/{path}/{id}/"))),
        ("likes", json!({"data": [], "summary": {"total_count": 11}})),
        (
            "comments",
            json!({"data": [], "summary": {"total_count": 2}}),
        ),
    ];
    for (name, value) in all {
        if asked.wants(name) {
            view[name] = value;
        }
    }
    Ok(json_reply(200, &view))
}

fn status(video: &Video, now: DateTime<Utc>) -> Value {
    let uploaded = video.size > 0 && video.bytes == video.size;
    let whole = if uploaded { "complete" } else { "in_progress" };
    let mut status = json!({
        "video_status": if uploaded { "upload_complete" } else { "processing" },
        "uploading_phase": {"status": whole},
        "processing_phase": {"status": "not_started"},
        "publishing_phase": {"status": "not_started"},
    });
    if video.finished.is_none() {
        return status;
    }
    if let Some(reason) = &video.failed {
        status["video_status"] = json!("error");
        let errors = json!([{"code": 1_363_042, "message": reason}]);
        status["processing_phase"] = json!({"status": "error", "errors": errors});
    } else if video.left > 0 {
        status["video_status"] = json!("processing");
        status["processing_phase"] = json!({"status": "in_progress"});
        status["publishing_phase"] = json!({"status": "in_progress"});
    } else {
        let publish = match (video.public(now), video.draft) {
            (true, _) => "published",
            (false, true) => "draft",
            (false, false) => "scheduled",
        };
        status["video_status"] = json!("ready");
        status["processing_phase"] = json!({"status": "complete"});
        status["publishing_phase"] = json!({"status": "complete", "publish_status": publish});
    }
    status
}

pub(super) fn seed(state: &mut State, page: &str, reel: bool, now: DateTime<Utc>) -> String {
    let id = state.id();
    let mut video = begun(page, reel, 1, String::new());
    (video.bytes, video.finished) = (1, Some(now));
    state.videos.insert(id.clone(), video);
    id
}

pub(super) fn listed(state: &State, page: &str, reels: bool, since: i64) -> Vec<Value> {
    let all = state.videos.iter().rev().filter_map(|(id, video)| {
        let at = video.finished?;
        let fits = video.page == page && video.reel == reels && at.timestamp() >= since;
        fits.then(|| json!({"id": id, "description": video.description, "created_time": time(at)}))
    });
    all.collect()
}

pub(super) fn insights(state: &State, page: &str, id: &str) -> Answer {
    let video = state.videos.get(id).filter(|video| video.page == page);
    let video = video.ok_or_else(|| missing(id))?;
    let one = |name: &str, value: u64| {
        json!({"id": format!("{id}/video_insights/{name}/lifetime"), "name": name,
            "period": "lifetime", "values": [{"value": value}]})
    };
    // Each kind has a count of its own.
    let views = match video.reel {
        true => "blue_reels_play_count",
        false => "total_video_views",
    };
    let data = [
        one(views, 42),
        one("post_impressions_unique", 30),
        one("post_video_avg_time_watched", 3100),
    ];
    Ok(json_reply(200, &json!({"data": data})))
}
