//! The media library, with the limits a fresh installation has.

use automarket_core::{
    Bytes,
    http_types::{Method, Response},
    testing::{form_parts, json_reply},
};
use serde_json::{Value, json};

use super::{
    Incoming, invalid, message, missing, no_route, paged,
    state::{Download, Media, Session, State, uuid},
};

const MB: u64 = 1024 * 1024;
const CHUNK: u64 = 10 * MB;

pub(super) fn route(state: &mut State, call: &Incoming<'_>, path: &[&str]) -> Response<Bytes> {
    match (call.method, path) {
        (&Method::GET, []) => {
            let views: Vec<Value> = state.media.iter().rev().map(Media::view).collect();
            let query = call.query;
            paged(&views, query.number("page", 1), query.number("limit", 20))
        }
        (&Method::POST, []) => upload(state, call),
        (&Method::DELETE, []) => {
            let body = call.json();
            let items = body["items"].as_array().cloned().unwrap_or_default();
            state
                .media
                .retain(|media| !items.contains(&json!(media.id)));
            message(200, "deleted")
        }
        (&Method::POST, ["remote", "initiate"]) if !state.old => fetch(state, &call.json()),
        (&Method::GET, ["remote", id, "status"]) if !state.old => fetched(state, id),
        (&Method::POST, ["chunked", "initiate"]) if !state.old => open(state, &call.json()),
        (&Method::POST, ["chunked", id, "upload"]) if !state.old => chunk(state, call, id),
        (&Method::POST, ["chunked", id, "complete"]) if !state.old => complete(state, id),
        (&Method::DELETE, ["chunked", id]) if !state.old => {
            state.sessions.retain(|session| session.uuid != *id);
            message(200, "aborted")
        }
        (method, [id]) => {
            let Some(media) = state.media.iter_mut().find(|media| media.uuid() == *id) else {
                return missing("Media");
            };
            if *method == Method::PUT {
                let body = call.json();
                if let Some(alt) = body["alt_text"].as_str() {
                    media.alt = Some(alt.to_owned());
                }
                if let Some(name) = body["name"].as_str() {
                    media.name = name.to_owned();
                }
            }
            json_reply(200, &media.view())
        }
        _ => no_route(&format!("media/{}", path.join("/"))),
    }
}

/// The rules of the library: 422 with `errors.file`.
fn refusal(mime: &str, size: u64) -> Option<Response<Bytes>> {
    let most = match mime {
        "image/jpeg" | "image/png" => 5 * MB,
        "image/gif" => 15 * MB,
        "video/mp4" | "video/x-m4v" => 200 * MB,
        _ => {
            let text = "The file must be a file of type: jpg, jpeg, gif, png, mp4, x-m4v.";
            return Some(invalid("file", text));
        }
    };
    (size > most).then(|| {
        let text = format!(
            "The file must not be greater than {} kilobytes.",
            most / 1024
        );
        invalid("file", &text)
    })
}

fn keep(state: &mut State, name: &str, mime: &str, size: u64, alt: Option<String>) -> Media {
    let media = Media {
        id: state.next_id(),
        name: name.to_owned(),
        mime: mime.to_owned(),
        size,
        alt,
    };
    state.media.push(media.clone());
    media
}

fn upload(state: &mut State, call: &Incoming<'_>) -> Response<Bytes> {
    let content_type = String::from_utf8_lossy(call.content_type);
    let parts = form_parts(&content_type, call.body).unwrap_or_default();
    let Some(file) = parts.iter().find(|part| part.name == "file") else {
        return invalid("file", "The file field is required.");
    };
    let size = file.bytes.len() as u64;
    if let Some(refusal) = refusal(&file.mime, size) {
        return refusal;
    }
    let alt = parts.iter().find(|part| part.name == "alt_text");
    let alt = alt.map(|part| String::from_utf8_lossy(part.bytes).into_owned());
    let name = file.file_name.clone().unwrap_or_default();
    let media = keep(state, &name, &file.mime, size, alt);
    json_reply(201, &media.view())
}

fn fetch(state: &mut State, body: &Value) -> Response<Bytes> {
    let url = body["url"].as_str().unwrap_or_default();
    if !url.starts_with("http") {
        return invalid("url", "The url field must be a valid URL.");
    }
    let alt = body["alt_text"].as_str().map(str::to_owned);
    let guess = |url: &str| {
        let mime = match url.rsplit('.').next()? {
            "jpg" | "jpeg" => "image/jpeg",
            "png" => "image/png",
            "gif" => "image/gif",
            "mp4" => "video/mp4",
            _ => "text/html",
        };
        Some((mime.to_owned(), 1000))
    };
    let remote = state.remote.get(url).cloned().or_else(|| guess(url));
    let (mime, size) = remote.unwrap_or_default();
    if refusal(&mime, size).is_some() {
        let error = "The file type or size is not allowed.";
        return json_reply(200, &json!({"status": "failed", "error": error}));
    }
    let name = url.rsplit('/').next().unwrap_or_default().to_owned();
    if size < 10 * MB {
        let media = keep(state, &name, &mime, size, alt);
        return json_reply(200, &json!({"status": "completed", "media": media.view()}));
    }
    let media = Media {
        id: state.next_id(),
        name,
        mime,
        size,
        alt,
    };
    let id = uuid("download", media.id);
    state.downloads.push(Download {
        id: id.clone(),
        questions: 2,
        media,
    });
    json_reply(200, &json!({"status": "pending", "download_id": id}))
}

/// The end is told once, and then forgotten.
fn fetched(state: &mut State, id: &str) -> Response<Bytes> {
    let Some(index) = state.downloads.iter().position(|d| d.id == id) else {
        let body = json!({"status": "failed", "error": "The download was not found."});
        return json_reply(404, &body);
    };
    let download = &mut state.downloads[index];
    if download.questions > 0 {
        download.questions -= 1;
        return json_reply(200, &json!({"status": "pending", "download_id": id}));
    }
    let media = state.downloads.remove(index).media;
    state.media.push(media.clone());
    json_reply(200, &json!({"status": "completed", "media": media.view()}))
}

fn open(state: &mut State, body: &Value) -> Response<Bytes> {
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let (name, mime) = (text("filename"), text("mime_type"));
    let Some(size) = body["total_size"].as_u64() else {
        return invalid("total_size", "The total size field is required.");
    };
    if let Some(refusal) = refusal(&mime, size) {
        return refusal;
    }
    let id = uuid("session", state.next_id());
    state.sessions.push(Session {
        uuid: id.clone(),
        name,
        mime,
        size,
        chunks: Default::default(),
    });
    json_reply(
        201,
        &json!({"upload_uuid": id, "chunk_size": CHUNK, "total_chunks": size.div_ceil(CHUNK)}),
    )
}

fn chunk(state: &mut State, call: &Incoming<'_>, id: &str) -> Response<Bytes> {
    let Some(session) = state.sessions.iter_mut().find(|s| s.uuid == id) else {
        return missing("UploadSession");
    };
    let content_type = String::from_utf8_lossy(call.content_type);
    let parts = form_parts(&content_type, call.body).unwrap_or_default();
    let part = |name: &str| parts.iter().find(|part| part.name == name);
    let text = |name: &str| part(name).map(|p| String::from_utf8_lossy(p.bytes).into_owned());
    if text("upload_session").as_deref() != Some(id) {
        return invalid("upload_session", "The upload session is invalid.");
    }
    let index = text("chunk_index").and_then(|text| text.parse::<u64>().ok());
    let (Some(index), Some(chunk)) = (index, part("chunk")) else {
        return invalid("chunk", "The chunk field is required.");
    };
    let size = chunk.bytes.len() as u64;
    if index >= session.size.div_ceil(CHUNK) || size > CHUNK {
        return invalid("chunk_index", "The chunk index is invalid.");
    }
    session.chunks.insert(index, size);
    json_reply(200, &json!({"chunk_index": index, "size": size}))
}

fn complete(state: &mut State, id: &str) -> Response<Bytes> {
    let Some(index) = state.sessions.iter().position(|s| s.uuid == id) else {
        return missing("UploadSession");
    };
    let session = &state.sessions[index];
    if session.chunks.values().sum::<u64>() != session.size {
        return invalid("upload_session", "Not all chunks were uploaded.");
    }
    let session = state.sessions.remove(index);
    let media = keep(state, &session.name, &session.mime, session.size, None);
    json_reply(201, &media.view())
}
