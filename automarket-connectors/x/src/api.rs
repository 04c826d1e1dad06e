//! One function per endpoint: input to call. No I/O.

use std::time::Duration;

use automarket_core::{
    Result, Secret,
    chrono::{DateTime, SecondsFormat, Utc},
    http::{Call, Multipart, Upload, segment},
    http_types::Method,
};
use serde_json::{Value, json};

use crate::{
    XConfig,
    options::{Replies, XOptions},
};

/// A chunk at least: larger ones were refused with 431 for some.
const CHUNK: u64 = 1024 * 1024;
/// X takes that many chunks.
const SEGMENTS: u64 = 1000;
/// For an upload on a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// What a listing says of each post.
const LISTED: &str = "attachments,created_at,entities,note_tweet,referenced_tweets";

/// The operation that makes a post, and so its bucket.
pub(crate) const CREATE: &str = "posts.create";

/// The API as one account sees it.
pub(crate) struct Api<'a> {
    pub(crate) config: &'a XConfig,
    pub(crate) token: &'a Secret,
}

/// One part of a thread, as it is sent.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) text: &'a str,
    pub(crate) reply_to: Option<&'a str>,
    pub(crate) media: &'a [String],
    /// The options of the first part.
    pub(crate) options: Option<&'a XOptions>,
    pub(crate) replies: Option<Replies>,
}

impl Api<'_> {
    /// X counts each endpoint apart.
    fn call(&self, operation: &'static str, method: Method, path: &str) -> Result<Call> {
        let url = format!("{}{path}", self.config.base_url.trim_end_matches('/'));
        let call = Call::new(operation, method, &url)?.bearer(self.token);
        Ok(call.bucket(operation))
    }

    pub(crate) fn me(&self) -> Result<Call> {
        let fields = "id,name,username,subscription_type,verified_type";
        self.call(
            "users.me",
            Method::GET,
            &format!("/2/users/me?user.fields={fields}"),
        )
    }

    pub(crate) fn create(&self, part: &Part<'_>) -> Result<Call> {
        let mut body = json!({"text": part.text});
        let defaults = XOptions::default();
        let options = part.options.unwrap_or(&defaults);
        if let Some(id) = part.reply_to {
            body["reply"] = json!({"in_reply_to_tweet_id": id});
            if !options.exclude_reply_users.is_empty() {
                body["reply"]["exclude_reply_user_ids"] = json!(options.exclude_reply_users);
            }
        }
        if !part.media.is_empty() {
            body["media"] = json!({"media_ids": part.media});
        }
        if let Some(poll) = &options.poll {
            let answers: Vec<&str> = poll.options.iter().map(|answer| answer.trim()).collect();
            body["poll"] = json!({"options": answers, "duration_minutes": poll.minutes});
        }
        let settings: [(&str, Option<Value>); 5] = [
            ("reply_settings", part.replies.map(|r| r.as_str().into())),
            ("quote_tweet_id", options.quote.clone().map(Value::from)),
            ("community_id", options.community.clone().map(Value::from)),
            ("made_with_ai", options.made_with_ai.then_some(true.into())),
            (
                "paid_partnership",
                options.paid_partnership.then_some(true.into()),
            ),
        ];
        for (name, value) in settings {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        self.call(CREATE, Method::POST, "/2/tweets")?.json(&body)
    }

    pub(crate) fn delete(&self, id: &str) -> Result<Call> {
        let path = format!("/2/tweets/{}", segment(id)?);
        self.call("posts.delete", Method::DELETE, &path)
    }

    /// One post with its numbers; those that only the author sees have to be asked for.
    pub(crate) fn post(&self, id: &str, non_public: bool) -> Result<Call> {
        let more = if non_public {
            ",non_public_metrics"
        } else {
            ""
        };
        let path = format!(
            "/2/tweets?ids={}&tweet.fields=public_metrics{more}\
             &expansions=attachments.media_keys&media.fields=public_metrics",
            segment(id)?
        );
        self.call("posts.get", Method::GET, &path)
    }

    /// A page of the account's own posts since an instant, the newest first.
    pub(crate) fn timeline(
        &self,
        user: &str,
        since: DateTime<Utc>,
        page: Option<&str>,
    ) -> Result<Call> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut path = format!(
            "/2/users/{}/tweets?max_results=100&start_time={since}&tweet.fields={LISTED}",
            segment(user)?
        );
        if let Some(page) = page {
            path.push_str("&pagination_token=");
            path.push_str(&segment(page)?);
        }
        self.call("users.posts", Method::GET, &path)
    }

    /// An image, whole. An upload that is never attached is seen by nobody and goes after a day, so all of
    /// these may be repeated.
    pub(crate) fn upload(&self, name: &str, mime: &str, file: Upload) -> Result<Call> {
        let form = Multipart::new()
            .text("media_category", "tweet_image")
            .stream("media", name, mime, file);
        Ok(self
            .call("media.upload", Method::POST, "/2/media/upload")?
            .multipart(form)
            .repeatable()
            .timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn initialize(&self, mime: &str, size: u64, category: &str) -> Result<Call> {
        let body = json!({"media_type": mime, "total_bytes": size, "media_category": category});
        Ok(self
            .call(
                "media.initialize",
                Method::POST,
                "/2/media/upload/initialize",
            )?
            .json(&body)?
            .repeatable())
    }

    pub(crate) fn append(&self, id: &str, index: u64, chunk: Upload) -> Result<Call> {
        let form = Multipart::new()
            .text("segment_index", &index.to_string())
            .stream("media", "chunk", "application/octet-stream", chunk);
        let path = format!("/2/media/upload/{}/append", segment(id)?);
        Ok(self
            .call("media.append", Method::POST, &path)?
            .multipart(form)
            .repeatable()
            .timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn finalize(&self, id: &str) -> Result<Call> {
        let path = format!("/2/media/upload/{}/finalize", segment(id)?);
        // The description knows no body, yet X refuses the call without a JSON object.
        Ok(self
            .call("media.finalize", Method::POST, &path)?
            .json(&json!({}))?
            .repeatable())
    }

    pub(crate) fn status(&self, id: &str) -> Result<Call> {
        let path = format!("/2/media/upload?command=STATUS&media_id={}", segment(id)?);
        self.call("media.status", Method::GET, &path)
    }

    pub(crate) fn describe(&self, id: &str, alt: &str) -> Result<Call> {
        let body = json!({"id": id, "metadata": {"alt_text": {"text": alt}}});
        Ok(self
            .call("media.metadata", Method::POST, "/2/media/metadata")?
            .json(&body)?
            .repeatable())
    }
}

/// How large the chunks of a file are.
pub(crate) fn chunk_size(size: u64) -> u64 {
    CHUNK.max(size.div_ceil(SEGMENTS))
}
