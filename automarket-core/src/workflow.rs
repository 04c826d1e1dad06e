//! Starting workflows elsewhere (n8n, Make, Zapier, Windmill) and checking what they send back.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use http::HeaderMap;
use serde_json::Value;

use crate::{Context, Outcome, Result, Secret};

/// Starts a workflow on another system.
#[async_trait]
pub trait WorkflowTrigger: Send + Sync {
    /// Sends `payload` to the workflow that [`Context::account`] names. `Accepted` when it runs on, `Done`
    /// when it answered; the receipt's `data` is its answer. Errors as for
    /// [`Publisher::publish`](crate::Publisher::publish).
    async fn trigger(&self, cx: &Context, payload: &Value) -> Result<Outcome>;
}

const _: Option<&dyn WorkflowTrigger> = None;

/// Checks that a webhook was sent by who it says. Pure; works on the raw bytes, before any parsing.
pub trait WebhookVerifier: Send + Sync {
    /// The scheme's name, such as `standard-webhooks`.
    fn scheme(&self) -> &'static str;

    /// Verifies in constant time against every secret in rotation; `tolerance` holds both ways where the
    /// scheme signs a time.
    ///
    /// # Errors
    /// `Unauthorized` when no secret fits or the time is out; `Config` when a secret is empty.
    fn verify(
        &self,
        webhook: &RawWebhook<'_>,
        secrets: &[Secret],
        now: DateTime<Utc>,
        tolerance: Duration,
    ) -> Result<()>;
}

const _: Option<&dyn WebhookVerifier> = None;

/// A webhook as it arrived.
#[derive(Clone, Debug)]
pub struct RawWebhook<'a> {
    /// The method.
    pub method: &'a http::Method,
    /// The full address, which some schemes sign.
    pub url: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, untouched.
    pub body: &'a Bytes,
}
