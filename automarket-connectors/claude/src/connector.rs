use automarket_core::{
    Context, Identity, Result, Secret,
    ai::{
        Brief, Completion, Drafts, Generator, LanguageModel, ModelRequest, TextStream, write_with,
    },
    async_trait,
    http::{Effect, Reply},
    profile::ApiVersion,
};
use tokio::time::{Instant, timeout_at};

use crate::{PLATFORM, api, config::ClaudeConfig, error, sse};

const API: ApiVersion = ApiVersion::new(
    api::VERSION,
    "https://platform.claude.com/docs/en/api/versioning",
);

/// The generator's name in reports.
const NAME: &str = "claude";

/// Bytes that are read of an error.
const ERROR_BODY: usize = 64 * 1024;

/// Claude over the Messages API: a [`LanguageModel`], and a [`Generator`] of campaign texts. The context
/// brings the API key as [`Credential::Token`](automarket_core::Credential::Token).
///
/// Answers come as JSON of the request's schema by structured output. Ten minutes and 8 MiB are the most an answer
/// may take. The API knows no idempotency key: an answer that is cut off is `Reconcile`, for it may have
/// been billed; asking again has no other effect.
#[derive(Clone, Debug, Default)]
pub struct Claude {
    config: ClaudeConfig,
}

impl Claude {
    /// A connector with this configuration; it is checked at each call, with the account's settings over it.
    #[must_use]
    pub fn new(config: ClaudeConfig) -> Self {
        Self { config }
    }

    fn setup<'a>(&self, cx: &'a Context) -> Result<(ClaudeConfig, &'a Secret)> {
        let config = cx
            .config(&self.config)
            .map_err(|error| error.with_platform(&PLATFORM))?;
        config.validate()?;
        let key = cx.token().map_err(|error| error.with_platform(&PLATFORM))?;
        Ok((config, key))
    }

    async fn ask(&self, cx: &Context, call: automarket_core::http::Call) -> Result<Reply> {
        let reply = cx
            .call(call)
            .await
            .map_err(|error| error.with_platform(&PLATFORM))?;
        if reply.ok() {
            Ok(reply)
        } else {
            Err(error::classify(&reply, cx.now()))
        }
    }
}

#[async_trait]
impl LanguageModel for Claude {
    fn api(&self) -> &ApiVersion {
        &API
    }

    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let (config, key) = self.setup(cx)?;
        let reply = self.ask(cx, api::models(&config, key)?).await?;
        api::identities(&reply).map_err(|error| error.with_platform(&PLATFORM))
    }

    async fn complete(&self, cx: &Context, request: &ModelRequest) -> Result<Completion> {
        let (config, key) = self.setup(cx)?;
        let reply = self
            .ask(cx, api::create(&config, key, request, false)?)
            .await?;
        api::message(&reply).map_err(|error| error.with_platform(&PLATFORM))
    }

    async fn stream(&self, cx: &Context, request: &ModelRequest) -> Result<TextStream> {
        let (config, key) = self.setup(cx)?;
        let call = api::create(&config, key, request, true)?;
        let time = cx.deadline().map_or(api::TIME, |deadline| {
            api::TIME.min((deadline - cx.now()).to_std().unwrap_or_default())
        });
        let ends_at = Instant::now() + time;
        let response = cx
            .open(call)
            .await
            .map_err(|error| error.with_platform(&PLATFORM))?;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(sse::read(body.into_stream(), ends_at, key));
        }
        // The status counts also when its body does not come.
        let body = timeout_at(ends_at, body.collect(ERROR_BODY)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let reply = Reply::recorded(
            api::CREATE,
            Effect::Write,
            parts.status,
            parts.headers,
            body,
        );
        Err(error::classify(&reply.masking(key), cx.now()))
    }
}

#[async_trait]
impl Generator for Claude {
    fn name(&self) -> &str {
        NAME
    }

    fn needs_account(&self) -> bool {
        true
    }

    async fn generate(&self, cx: &Context, brief: &Brief) -> Result<Drafts> {
        write_with(self, NAME, cx, brief).await
    }
}
