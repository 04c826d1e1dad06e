use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request, Response, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{Fake, text_reply};
use crate::{
    Context, Error, ErrorKind, Media, Platform, Result, TenantId,
    hash::sha256,
    media::{MediaFile, MediaHost},
};

/// Where addresses of [`LocalMediaHost`] point.
const HOST: &str = "media.example";
/// What it takes of one file.
const LARGEST: usize = 64 * 1024 * 1024;

/// A [`MediaHost`] in memory, and the server behind its addresses: as a [`Fake`] it answers for
/// `media.example` until an address has expired. Clones share what they keep.
#[derive(Clone, Debug, Default)]
pub struct LocalMediaHost {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    kept: BTreeMap<(TenantId, String), Bytes>,
    served: BTreeMap<String, Served>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Served {
    mime: String,
    /// In base64.
    bytes: String,
    until: DateTime<Utc>,
}

impl LocalMediaHost {
    /// One that keeps nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps bytes of a tenant under a key.
    pub fn put(&self, tenant: &TenantId, key: &str, bytes: impl Into<Bytes>) {
        let key = (tenant.clone(), key.to_owned());
        self.lock().kept.insert(key, bytes.into());
    }

    /// What is served at an address at this instant: for fakes of platforms that fetch.
    #[must_use]
    pub fn serves(&self, address: &str, now: DateTime<Utc>) -> Option<Bytes> {
        let id = address.strip_prefix("https://")?.strip_prefix(HOST)?;
        let state = self.lock();
        let served = state.served.get(id.trim_start_matches('/'))?;
        (now < served.until).then_some(())?;
        STANDARD.decode(&served.bytes).ok().map(Bytes::from)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MediaHost for LocalMediaHost {
    async fn open(&self, cx: &Context, key: &str) -> Result<MediaFile> {
        let bytes = cx.account().and_then(|account| {
            let key = (account.tenant.clone(), key.to_owned());
            self.lock().kept.get(&key).cloned()
        });
        bytes
            .map(MediaFile::memory)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "the host keeps nothing under the key"))
    }

    async fn address(&self, cx: &Context, media: &Media, until: DateTime<Utc>) -> Result<Url> {
        let bytes = media.open(cx).await?.all(LARGEST).await?;
        let id = sha256(&bytes)[..16].to_owned();
        let mime = media.mime.clone();
        let served = Served {
            mime: mime.unwrap_or_else(|| "application/octet-stream".to_owned()),
            bytes: STANDARD.encode(&bytes),
            until,
        };
        self.lock().served.insert(id.clone(), served);
        Url::parse(&format!("https://{HOST}/{id}"))
            .map_err(|error| Error::invalid("url", "not an address").with_source(error))
    }
}

impl Fake for LocalMediaHost {
    fn platform(&self) -> Platform {
        const { Platform::from_static("media") }
    }

    fn hosts(&self) -> Vec<String> {
        vec![HOST.to_owned()]
    }

    fn handle(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let mut reply = self.reply(request, now);
        let id = request.uri().path().trim_start_matches('/');
        let mime = self.lock().served.get(id).map(|served| served.mime.parse());
        if let (true, Some(Ok(mime))) = (reply.status().is_success(), mime) {
            reply.headers_mut().insert(header::CONTENT_TYPE, mime);
        }
        reply
    }

    fn effects(&self) -> Vec<Value> {
        let state = self.lock();
        state.served.keys().cloned().map(Value::from).collect()
    }

    fn save(&self) -> Value {
        serde_json::json!(self.lock().served)
    }

    fn load(&self, state: Value) -> Result<()> {
        let served = serde_json::from_value(state);
        self.lock().served = served
            .map_err(|error| Error::invalid("sandbox", "not of this fake").with_source(error))?;
        Ok(())
    }
}

impl LocalMediaHost {
    fn reply(&self, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
        let Some(bytes) = self.serves(&format!("https://{HOST}{}", request.uri().path()), now)
        else {
            return text_reply(404, "not here, or no longer");
        };
        if request.method() != Method::GET {
            return text_reply(405, "only GET");
        }
        let range = request.headers().get(header::RANGE);
        let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
        match range.and_then(|range| range.split_once('-')) {
            None => text_reply(200, bytes),
            Some((from, to)) => {
                let size = bytes.len();
                let from: usize = from.parse().unwrap_or(size);
                if from >= size {
                    return text_reply(416, "out of range");
                }
                let to: usize = to.parse().unwrap_or(size).min(size - 1).max(from);
                let mut reply = text_reply(206, bytes.slice(from..=to));
                if let Ok(value) = format!("bytes {from}-{to}/{size}").parse() {
                    reply.headers_mut().insert(header::CONTENT_RANGE, value);
                }
                reply
            }
        }
    }
}
