//! One function per endpoint: input to call. No I/O.

use automarket_connector_graph::Graph;
use automarket_core::{Media, Result, Url, content::MediaKind, http::Call};
use serde_json::{Value, json};

use crate::{InstagramOptions, Login};

/// The API as one account sees it.
pub(crate) struct Api<'a> {
    pub(crate) graph: Graph<'a>,
    pub(crate) login: Login,
    /// The account's id.
    pub(crate) account: &'a str,
}

/// What a container becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Single,
    Story,
    Item,
}

impl Api<'_> {
    /// A container of one image or video, which Instagram fetches from the address. Containers are seen by
    /// nobody and go after a day, so making another is harmless.
    pub(crate) fn container(
        &self,
        part: Part,
        media: &Media,
        url: &Url,
        caption: &str,
        options: &InstagramOptions,
    ) -> Result<Call> {
        let video = media.kind == MediaKind::Video;
        let source = if video { "video_url" } else { "image_url" };
        let mut body = json!({source: url.as_str()});
        match (part, video) {
            (Part::Story, _) => body["media_type"] = "STORIES".into(),
            (Part::Single, true) => body["media_type"] = "REELS".into(),
            (Part::Single, false) => {}
            (Part::Item, _) => {
                body["is_carousel_item"] = true.into();
                if video {
                    body["media_type"] = "VIDEO".into();
                }
            }
        }
        let alt = media.alt.as_deref().filter(|alt| !alt.trim().is_empty());
        if let Some(alt) = alt.filter(|_| !video && part != Part::Story) {
            body["alt_text"] = alt.into();
        }
        if part == Part::Single {
            said(&mut body, caption, options);
            if !options.user_tags.is_empty() {
                body["user_tags"] = json!(options.user_tags);
            }
        }
        if part == Part::Single && video {
            reel(&mut body, options);
        }
        self.create("media.create", body)
    }

    /// The container of a carousel. Unlike the others it names things of a moment ago.
    pub(crate) fn carousel(
        &self,
        children: &[String],
        caption: &str,
        options: &InstagramOptions,
    ) -> Result<Call> {
        let mut body = json!({"media_type": "CAROUSEL", "children": children.join(",")});
        said(&mut body, caption, options);
        self.create("media.carousel", body)
    }

    fn create(&self, operation: &'static str, body: Value) -> Result<Call> {
        let path = [self.account, "media"];
        Ok(self.graph.post(operation, &path, body)?.repeatable())
    }

    pub(crate) fn status(&self, container: &str) -> Result<Call> {
        let query = [("fields", "id,status_code,status")];
        self.graph.get("media.status", &[container], &query)
    }

    pub(crate) fn publish(&self, container: &str) -> Result<Call> {
        let path = [self.account, "media_publish"];
        let body = json!({"creation_id": container});
        self.graph.post("media.publish", &path, body)
    }

    pub(crate) fn quota(&self) -> Result<Call> {
        let path = [self.account, "content_publishing_limit"];
        let query = [("fields", "quota_usage,config")];
        self.graph.get("media.quota", &path, &query)
    }

    /// The account's own name.
    pub(crate) fn name(&self) -> Result<Call> {
        let query = [("fields", "username")];
        self.graph.get("accounts.get", &[self.account], &query)
    }

    pub(crate) fn permalink(&self, id: &str) -> Result<Call> {
        let query = [("fields", "id,permalink")];
        self.graph.get("media.get", &[id], &query)
    }

    pub(crate) fn counts(&self, id: &str) -> Result<Call> {
        let query = [("fields", "id,like_count,comments_count,media_product_type")];
        self.graph.get("media.get", &[id], &query)
    }

    pub(crate) fn comment(&self, id: &str, text: &str) -> Result<Call> {
        let body = json!({"message": text});
        self.graph.post("comments.create", &[id, "comments"], body)
    }
}

/// What images, reels and carousels say.
fn said(body: &mut Value, caption: &str, options: &InstagramOptions) {
    if !caption.is_empty() {
        body["caption"] = caption.into();
    }
    if let Some(location) = &options.location {
        body["location_id"] = location.as_str().into();
    }
    if !options.collaborators.is_empty() {
        body["collaborators"] = json!(options.collaborators);
    }
}

fn reel(body: &mut Value, options: &InstagramOptions) {
    let settings: [(&str, Option<Value>); 4] = [
        ("share_to_feed", options.share_to_feed.map(Value::from)),
        (
            "cover_url",
            options.cover.as_ref().map(|url| url.as_str().into()),
        ),
        (
            "thumb_offset",
            options.cover_at.map(|at| at.to_string().into()),
        ),
        ("audio_name", options.audio_name.clone().map(Value::from)),
    ];
    for (name, value) in settings {
        if let Some(value) = value {
            body[name] = value;
        }
    }
}
