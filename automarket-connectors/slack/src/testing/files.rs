//! Uploads in three calls.

use automarket_core::{
    Bytes,
    chrono::{DateTime, TimeDelta, Utc},
    http_types::Response,
    testing::{json_reply, text_reply},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{State, refused};

pub(super) const UPLOADS: &str = "https://files.slack.com/upload/v1/";
/// Slack says yes at once, and shares the files so many seconds later.
const SHARING: u32 = 5;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct File {
    id: String,
    name: String,
    length: usize,
    received: Option<usize>,
    /// Whether it was announced with an alternative text.
    described: bool,
    shared: Option<(String, DateTime<Utc>)>,
}

impl File {
    /// With an alternative text Slack says yes to a file that is no image, and shares it never (python-slack-sdk#1818).
    fn is_lost(&self) -> bool {
        let image = |ending| matches!(ending, "png" | "jpg" | "jpeg" | "gif" | "webp");
        let ending = self.name.rsplit_once('.').map(|(_, ending)| ending);
        self.described && !ending.is_none_or(image)
    }
}

impl State {
    pub(super) fn upload_address(&mut self, form: &Value) -> Response<Bytes> {
        if let Some(refusal) = self.lacks("files:write") {
            return refusal;
        }
        let name = form["filename"].as_str().unwrap_or_default().to_owned();
        let length: usize = form["length"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        if name.is_empty()
            || length == 0
            || form["alt_txt"]
                .as_str()
                .is_some_and(|alt| alt.chars().count() > 1000)
        {
            return refused("invalid_arguments");
        }
        let id = format!("F{:08}", self.files.len() + 1);
        self.files.push(File {
            id: id.clone(),
            name,
            length,
            received: None,
            described: form["alt_txt"].is_string(),
            shared: None,
        });
        json_reply(
            200,
            &json!({"ok": true, "upload_url": format!("{UPLOADS}{id}"), "file_id": id}),
        )
    }

    pub(super) fn receive(&mut self, id: &str, length: usize) -> Response<Bytes> {
        match self.files.iter_mut().find(|file| file.id == id) {
            Some(file) if file.length == length => {
                file.received = Some(length);
                text_reply(200, format!("OK - {length}"))
            }
            Some(_) => text_reply(400, "length mismatch"),
            None => text_reply(404, "not found"),
        }
    }

    pub(super) fn complete(&mut self, body: &Value, now: DateTime<Utc>) -> Response<Bytes> {
        let ids: Vec<String> = body["files"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|file| file["id"].as_str().map(str::to_owned))
            .collect();
        let known = |id: &String| {
            self.files
                .iter()
                .any(|file| file.id == *id && file.received.is_some())
        };
        if ids.is_empty() || !ids.iter().all(known) {
            return refused("file_not_found");
        }
        let channel = body["channel_id"].as_str().unwrap_or_default();
        if let Some(refusal) = self.is_no_member(channel) {
            return refusal;
        }
        let at = now + TimeDelta::seconds(self.shares_after.unwrap_or(SHARING).into());
        let mut shared = Vec::new();
        for file in self.files.iter_mut().filter(|file| ids.contains(&file.id)) {
            if !self.drops_files && !file.is_lost() {
                file.shared = Some((channel.to_owned(), at));
                shared.push(file.id.clone());
            }
        }
        if !shared.is_empty() {
            let body = json!({"text": "", "thread_ts": body["thread_ts"]});
            self.add(channel, &body, Value::Null, now);
            if let Some(last) = self.messages.last_mut() {
                last.files = shared;
            }
        }
        json_reply(
            200,
            &json!({"ok": true, "files": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()}),
        )
    }

    pub(super) fn info(&self, form: &Value, now: DateTime<Utc>) -> Response<Bytes> {
        if let Some(refusal) = self.lacks("files:read") {
            return refusal;
        }
        match self
            .files
            .iter()
            .find(|file| form["file"] == file.id.as_str())
        {
            Some(file) => {
                let shared = file.shared.as_ref().filter(|(_, at)| *at <= now);
                let shares =
                    shared.map_or(json!({}), |(channel, _)| json!({"public": {channel: []}}));
                json_reply(
                    200,
                    &json!({"ok": true, "file": {"id": file.id, "name": file.name, "shares": shares}}),
                )
            }
            None => refused("file_not_found"),
        }
    }
}
