//! One function per endpoint: input to call. No I/O.
//!
//! Paths and bodies: docs.mixpost.app/api, the official n8n node, and the PostBoost SDK for what those leave
//! open.

use std::time::Duration;

use automarket_core::{
    Delivery, Result, Secret, Url,
    chrono::{DateTime, Utc},
    http::{Call, Multipart, Upload, segment},
    http_types::Method,
    media::MediaFile,
};
use serde_json::json;

use crate::{
    DeleteMode, MixpostConfig, MixpostPostInput, PostFilter,
    wire::{PostBody, WallClock},
};

/// How long one upload request may take.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(180);
/// Posts and media on one page.
pub(crate) const PAGE: u32 = 50;

/// The addresses and the token of one workspace.
pub(crate) struct Api {
    root: String,
    workspace: String,
    token: Secret,
}

impl Api {
    pub(crate) fn new(config: &MixpostConfig, token: &Secret) -> Result<Self> {
        config.validate()?;
        let root = config.root()?;
        Ok(Self {
            workspace: format!("{root}/{}", segment(config.workspace.trim())?),
            root,
            token: token.clone(),
        })
    }

    /// Without `Accept` Laravel answers errors with HTML or a redirect to its login page.
    fn call(&self, operation: &'static str, method: Method, url: &str) -> Result<Call> {
        Call::new(operation, method, url)?
            .bearer(&self.token)
            .header("accept", "application/json")
    }

    fn get(&self, operation: &'static str, path: &str) -> Result<Call> {
        self.call(operation, Method::GET, &format!("{}{path}", self.workspace))
    }

    fn post(&self, operation: &'static str, path: &str) -> Result<Call> {
        self.call(
            operation,
            Method::POST,
            &format!("{}{path}", self.workspace),
        )
    }

    fn put(&self, operation: &'static str, path: &str) -> Result<Call> {
        self.call(operation, Method::PUT, &format!("{}{path}", self.workspace))
    }

    fn delete(&self, operation: &'static str, path: &str) -> Result<Call> {
        self.call(
            operation,
            Method::DELETE,
            &format!("{}{path}", self.workspace),
        )
    }

    pub(crate) fn ping(&self) -> Result<Call> {
        self.call("ping", Method::GET, &format!("{}/ping", self.root))
    }

    pub(crate) fn workspaces(&self) -> Result<Call> {
        let url = format!("{}/workspaces", self.root);
        self.call("workspaces.list", Method::GET, &url)
    }

    pub(crate) fn accounts(&self) -> Result<Call> {
        self.get("accounts.list", "/accounts")
    }

    pub(crate) fn create_post(&self, input: &MixpostPostInput, delivery: Delivery) -> Result<Call> {
        self.post("posts.create", "/posts")?
            .json(&PostBody::create(input, delivery))
    }

    pub(crate) fn posts(&self, filter: &PostFilter, page: u32) -> Result<Call> {
        let mut pairs = vec![("page", page.to_string()), ("limit", PAGE.to_string())];
        pairs.extend(
            filter
                .status
                .iter()
                .map(|status| ("status", status.clone())),
        );
        pairs.extend(filter.keyword.iter().map(|word| ("keyword", word.clone())));
        pairs.extend(
            filter
                .accounts
                .iter()
                .map(|id| ("accounts[]", id.to_string())),
        );
        pairs.extend(filter.tags.iter().map(|tag| ("tags[]", tag.clone())));
        self.listing("posts.list", "/posts", &pairs)
    }

    pub(crate) fn post_of(&self, uuid: &str) -> Result<Call> {
        self.get("posts.get", &format!("/posts/{}", segment(uuid)?))
    }

    pub(crate) fn replace_post(&self, uuid: &str, input: &MixpostPostInput) -> Result<Call> {
        self.put("posts.update", &format!("/posts/{}", segment(uuid)?))?
            .json(&PostBody::replace(input))
    }

    /// `at` is only understood by newer versions; older ones confirm the time stored in the post.
    pub(crate) fn schedule(
        &self,
        uuid: &str,
        now: bool,
        at: Option<DateTime<Utc>>,
    ) -> Result<Call> {
        let mut body = json!(at.map(WallClock::utc));
        if !body.is_object() {
            body = json!({});
        }
        body["postNow"] = json!(now);
        self.post(
            "posts.schedule",
            &format!("/posts/schedule/{}", segment(uuid)?),
        )?
        .json(&body)
    }

    pub(crate) fn add_to_queue(&self, uuid: &str) -> Result<Call> {
        self.post(
            "posts.queue",
            &format!("/posts/add-to-queue/{}", segment(uuid)?),
        )
    }

    pub(crate) fn approve(&self, uuid: &str) -> Result<Call> {
        self.post(
            "posts.approve",
            &format!("/posts/approve/{}", segment(uuid)?),
        )
    }

    pub(crate) fn retry(&self, uuid: &str, account_uuid: &str) -> Result<Call> {
        let path = format!("/posts/retry/{}/{}", segment(uuid)?, segment(account_uuid)?);
        self.post("posts.retry", &path)
    }

    /// A second one does not say any more whether the first reached the network's post.
    pub(crate) fn delete_post(&self, uuid: &str, trash: bool, mode: DeleteMode) -> Result<Call> {
        self.delete("posts.delete", &format!("/posts/{}", segment(uuid)?))?
            .unrepeatable()
            .json(&json!({"trash": trash, "delete_mode": mode}))
    }

    pub(crate) fn analytics(&self, uuid: &str) -> Result<Call> {
        let path = format!("/posts/{}/analytics", segment(uuid)?);
        self.get("posts.analytics", &path)
    }

    pub(crate) fn media(&self, page: u32) -> Result<Call> {
        let pairs = [("page", page.to_string()), ("limit", PAGE.to_string())];
        self.listing("media.list", "/media", &pairs)
    }

    /// Uploading twice leaves an unused file in the library and nothing in public: repeatable.
    pub(crate) fn upload(
        &self,
        name: &str,
        mime: &str,
        file: MediaFile,
        alt: Option<&str>,
    ) -> Result<Call> {
        let mut form = Multipart::new();
        if let Some(alt) = alt {
            form = form.text("alt_text", alt);
        }
        let form = form.stream("file", name, mime, Upload::file(file));
        Ok(self
            .post("media.upload", "/media")?
            .multipart(form)
            .repeatable()
            .timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn update_media(
        &self,
        uuid: &str,
        alt: Option<&str>,
        name: Option<&str>,
    ) -> Result<Call> {
        let mut body = json!({});
        for (key, value) in [("alt_text", alt), ("name", name)] {
            if let Some(value) = value {
                body[key] = json!(value);
            }
        }
        self.put("media.update", &format!("/media/{}", segment(uuid)?))?
            .json(&body)
    }

    pub(crate) fn delete_media(&self, ids: &[u64]) -> Result<Call> {
        self.delete("media.delete", "/media")?
            .json(&json!({"items": ids}))
    }

    pub(crate) fn fetch(&self, url: &Url, alt: Option<&str>) -> Result<Call> {
        let mut body = json!({"url": url});
        if let Some(alt) = alt {
            body["alt_text"] = json!(alt);
        }
        Ok(self
            .post("media.fetch", "/media/remote/initiate")?
            .json(&body)?
            .repeatable()
            .timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn fetch_status(&self, download: &str) -> Result<Call> {
        let path = format!("/media/remote/{}/status", segment(download)?);
        self.get("media.fetch_status", &path)
    }

    pub(crate) fn open_upload(&self, name: &str, mime: &str, size: u64) -> Result<Call> {
        Ok(self
            .post("media.chunked.open", "/media/chunked/initiate")?
            .json(&json!({"filename": name, "mime_type": mime, "total_size": size}))?
            .repeatable())
    }

    pub(crate) fn upload_chunk(&self, session: &str, index: u32, chunk: Upload) -> Result<Call> {
        let form = Multipart::new()
            .text("upload_session", session)
            .text("chunk_index", &index.to_string())
            .stream("chunk", "chunk", "application/octet-stream", chunk);
        let path = format!("/media/chunked/{}/upload", segment(session)?);
        Ok(self
            .post("media.chunked.chunk", &path)?
            .multipart(form)
            .repeatable()
            .timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn complete_upload(&self, session: &str) -> Result<Call> {
        let path = format!("/media/chunked/{}/complete", segment(session)?);
        Ok(self.post("media.chunked.complete", &path)?.repeatable())
    }

    pub(crate) fn abort_upload(&self, session: &str) -> Result<Call> {
        let path = format!("/media/chunked/{}", segment(session)?);
        self.delete("media.chunked.abort", &path)
    }

    pub(crate) fn tags(&self, page: u32) -> Result<Call> {
        // Not paged in the versions we know; asking for a page does no harm where it is not.
        let pairs = [("page", page.to_string())];
        self.listing("tags.list", "/tags", &pairs)
    }

    /// A second tag of one name is refused, or the one that the post gets: repeatable.
    pub(crate) fn create_tag(&self, name: &str, colour: &str) -> Result<Call> {
        Ok(self
            .post("tags.create", "/tags")?
            .json(&json!({"name": name, "hex_color": colour}))?
            .repeatable())
    }

    pub(crate) fn update_tag(&self, uuid: &str, name: &str, colour: &str) -> Result<Call> {
        self.put("tags.update", &format!("/tags/{}", segment(uuid)?))?
            .json(&json!({"name": name, "hex_color": colour}))
    }

    pub(crate) fn delete_tag(&self, uuid: &str) -> Result<Call> {
        self.delete("tags.delete", &format!("/tags/{}", segment(uuid)?))
    }

    fn listing(
        &self,
        operation: &'static str,
        path: &str,
        pairs: &[(&str, String)],
    ) -> Result<Call> {
        let mut url = format!("{}{path}?", self.workspace);
        for (index, (name, value)) in pairs.iter().enumerate() {
            if index > 0 {
                url.push('&');
            }
            url.push_str(name);
            url.push('=');
            url.push_str(&segment_or_empty(value));
        }
        self.call(operation, Method::GET, &url)
    }
}

/// A query value; the escapes of a path segment are right for it too.
fn segment_or_empty(value: &str) -> String {
    segment(value).unwrap_or_default()
}
