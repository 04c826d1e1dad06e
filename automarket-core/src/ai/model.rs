use std::pin::Pin;

use async_trait::async_trait;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Context, Identity, Result, profile::ApiVersion};

/// A language model behind an API.
#[async_trait]
pub trait LanguageModel: Send + Sync {
    /// The pinned API version.
    fn api(&self) -> &ApiVersion;

    /// Checks the credential; the identities are the models it may use.
    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>>;

    /// Asks once. No repair, no repetition: that is [`write_with`](super::write_with)'s.
    ///
    /// # Errors
    /// A refusal or an early stop is not an error here: see [`Completion::stop`]. `InvalidInput`,
    /// `Unauthorized`, `RateLimited`, `QuotaExhausted`, `Unavailable`; a cut answer is `Reconcile`, since
    /// it may have been paid for.
    async fn complete(&self, cx: &Context, request: &ModelRequest) -> Result<Completion>;

    /// Asks once and yields the text as it is written.
    async fn stream(&self, cx: &Context, request: &ModelRequest) -> Result<TextStream>;
}

const _: Option<&dyn LanguageModel> = None;

/// Pieces of text as they are written; the last item is the whole completion.
pub type TextStream = Pin<Box<dyn Stream<Item = Result<TextPiece>> + Send>>;

/// One item of a [`TextStream`].
#[derive(Clone, Debug, PartialEq)]
pub enum TextPiece {
    /// More text.
    Text(String),
    /// The end.
    End(Completion),
}

/// One question to a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModelRequest {
    /// Standing instructions.
    pub system: String,
    /// The turns so far, user first, in turn.
    pub turns: Vec<String>,
    /// A JSON schema that the answer must follow: closed objects, all keys required, no numeric or length
    /// keywords (what the strictest provider takes).
    pub schema: Option<Value>,
    /// Tokens to write at the most; `None` leaves it to how the model is set up.
    pub max_tokens: Option<u32>,
}

/// A model's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The text, JSON when a schema was asked for.
    pub text: String,
    /// Why it ended.
    pub stop: StopReason,
    /// Which model answered.
    pub model: String,
    /// What it cost.
    pub usage: Usage,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    Done,
    /// The token limit or the context window was reached.
    Truncated,
    /// It declined; the text says why, where it said.
    Refused(Option<String>),
}

/// Tokens used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Read.
    pub input_tokens: u64,
    /// Written.
    pub output_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
    }
}
