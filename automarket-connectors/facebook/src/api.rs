//! One function per endpoint: input to call. No I/O.

use std::time::Duration;

use automarket_connector_graph::Graph;
use automarket_core::{
    Delivery, Error, ErrorKind, Result, Secret,
    http::{Call, Multipart, Upload},
    http_types::Method,
};
use serde_json::{Value, json};

use crate::{FacebookConfig, FacebookOptions};

/// For an upload on a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The API as one page sees it.
pub(crate) struct Api<'a> {
    pub(crate) graph: Graph<'a>,
    pub(crate) config: &'a FacebookConfig,
    /// The page's id; `me` when only its token is known.
    pub(crate) page: &'a str,
}

impl Api<'_> {
    /// A post of text, link or photos that were uploaded.
    pub(crate) fn feed(
        &self,
        message: &str,
        link: Option<&str>,
        photos: &[String],
        options: &FacebookOptions,
        delivery: Delivery,
    ) -> Result<Call> {
        let mut body = json!({"published": delivery == Delivery::Now});
        if !message.is_empty() {
            body["message"] = message.into();
        }
        if let Some(link) = link {
            body["link"] = link.into();
        }
        if !photos.is_empty() {
            let attached: Vec<Value> = photos.iter().map(|id| json!({"media_fbid": id})).collect();
            body["attached_media"] = attached.into();
        }
        if let Some(place) = &options.place {
            body["place"] = place.as_str().into();
        }
        kept(&mut body, delivery);
        // Meta's reference demands it of a post with photos; others report that without it the post is never published.
        if matches!(delivery, Delivery::At(_)) && !photos.is_empty() {
            body["unpublished_content_type"] = "SCHEDULED".into();
        }
        self.graph.post("feed.create", &[self.page, "feed"], body)
    }

    /// A photo that nobody sees until a post attaches it.
    pub(crate) fn photo(
        &self,
        file: Upload,
        name: &str,
        mime: &str,
        alt: Option<&str>,
        temporary: bool,
    ) -> Result<Call> {
        let mut form = Multipart::new().text("published", "false");
        if temporary {
            form = form.text("temporary", "true");
        }
        if let Some(alt) = alt {
            form = form.text("alt_text_custom", alt);
        }
        let form = form.stream("source", name, mime, file);
        let call = self
            .graph
            .form("photos.create", &[self.page, "photos"], form)?;
        Ok(call.repeatable().timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn video_start(&self, size: u64) -> Result<Call> {
        let body = json!({"upload_phase": "start", "file_size": size});
        let graph = self.graph.at(&self.config.video_url);
        let call = graph.post("videos.start", &[self.page, "videos"], body)?;
        Ok(call.repeatable())
    }

    /// Some bytes of a video. The same again are refused with the offset that is wanted.
    pub(crate) fn video_transfer(&self, session: &str, start: u64, bytes: Upload) -> Result<Call> {
        let form = Multipart::new()
            .text("upload_phase", "transfer")
            .text("upload_session_id", session)
            .text("start_offset", &start.to_string())
            .stream(
                "video_file_chunk",
                "chunk",
                "application/octet-stream",
                bytes,
            );
        let graph = self.graph.at(&self.config.video_url);
        let call = graph.form("videos.transfer", &[self.page, "videos"], form)?;
        Ok(call.repeatable().timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn video_finish(
        &self,
        session: &str,
        description: &str,
        options: &FacebookOptions,
        delivery: Delivery,
    ) -> Result<Call> {
        let mut body = json!({
            "upload_phase": "finish",
            "upload_session_id": session,
            "published": delivery == Delivery::Now,
        });
        described(&mut body, description, options);
        kept(&mut body, delivery);
        let graph = self.graph.at(&self.config.video_url);
        graph.post("videos.finish", &[self.page, "videos"], body)
    }

    pub(crate) fn reel_start(&self) -> Result<Call> {
        let body = json!({"upload_phase": "start"});
        let call = self
            .graph
            .post("reels.start", &[self.page, "video_reels"], body)?;
        Ok(call.repeatable())
    }

    /// The bytes of a reel, to where Facebook wants them; elsewhere than on its upload host the token is not
    /// sent.
    pub(crate) fn reel_bytes(&self, url: &str, file: Upload) -> Result<Call> {
        let place = self.config.upload_url.trim_end_matches('/');
        let there = url.strip_prefix(place);
        if !there.is_some_and(|path| path.starts_with('/')) {
            return Err(Error::new(
                ErrorKind::UnexpectedReply,
                "the reel shall be uploaded elsewhere than to Facebook's upload host",
            )
            .with_operation("reels.upload"));
        }
        let token = Secret::new(format!("OAuth {}", self.graph.token.expose()));
        Ok(Call::new("reels.upload", Method::POST, url)?
            .secret("authorization", &token)
            .masking(self.graph.token)
            .header("offset", "0")?
            .header("file_size", &file.size().to_string())?
            .upload("application/octet-stream", file)
            .repeatable()
            .timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn reel_finish(
        &self,
        video: &str,
        description: &str,
        options: &FacebookOptions,
        delivery: Delivery,
    ) -> Result<Call> {
        let state = match delivery {
            Delivery::Now => "PUBLISHED",
            Delivery::Draft => "DRAFT",
            _ => "SCHEDULED",
        };
        let mut body = json!({"upload_phase": "finish", "video_id": video, "video_state": state});
        described(&mut body, description, options);
        if let Some(place) = &options.place {
            body["place"] = place.as_str().into();
        }
        if let Delivery::At(due) = delivery {
            body["scheduled_publish_time"] = due.timestamp().into();
        }
        self.graph
            .post("reels.finish", &[self.page, "video_reels"], body)
    }

    pub(crate) fn video(&self, id: &str) -> Result<Call> {
        let query = [("fields", "id,published,permalink_url,status")];
        self.graph.get("videos.get", &[id], &query)
    }

    pub(crate) fn post(&self, id: &str) -> Result<Call> {
        let query = [("fields", "id,is_published,permalink_url")];
        self.graph.get("posts.get", &[id], &query)
    }

    pub(crate) fn edit(&self, id: &str, message: &str) -> Result<Call> {
        let call = self
            .graph
            .post("posts.edit", &[id], json!({"message": message}))?;
        Ok(call.repeatable())
    }

    pub(crate) fn comment(&self, id: &str, message: &str) -> Result<Call> {
        self.graph.post(
            "comments.create",
            &[id, "comments"],
            json!({"message": message}),
        )
    }

    pub(crate) fn counts(&self, id: &str, video: bool) -> Result<Call> {
        let fields = if video {
            "likes.summary(total_count).limit(0),comments.summary(total_count).limit(0)"
        } else {
            "shares,reactions.summary(total_count).limit(0),comments.summary(total_count).limit(0)"
        };
        self.graph.get("posts.counts", &[id], &[("fields", fields)])
    }
}

/// What videos and reels say.
fn described(body: &mut Value, description: &str, options: &FacebookOptions) {
    if !description.is_empty() {
        body["description"] = description.into();
    }
    if let Some(title) = &options.title {
        body["title"] = title.as_str().into();
    }
}

/// What is not public at once: until its time, or as a draft.
fn kept(body: &mut Value, delivery: Delivery) {
    match delivery {
        Delivery::At(due) => body["scheduled_publish_time"] = due.timestamp().into(),
        Delivery::Draft => body["unpublished_content_type"] = "DRAFT".into(),
        _ => {}
    }
}
