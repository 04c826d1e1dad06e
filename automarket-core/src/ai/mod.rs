//! Writing text with or without a model: the traits and their words.

mod extract;
mod grounding;
mod model;
mod prompt;
mod sentences;
mod template;
mod writer;

pub use grounding::{GroundingSource, Ungrounded, UngroundedKind, source_text, ungrounded};
pub use model::{
    Completion, LanguageModel, ModelRequest, StopReason, TextPiece, TextStream, Usage,
};
pub use prompt::{PAGE_CHARS, prompt};
pub use template::TemplateGenerator;
pub use writer::write_with;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Context, Platform, Result, content::Voice, profile::Profile, source::Page};

/// Writes one text per network about a page.
#[async_trait]
pub trait Generator: Send + Sync {
    /// What writes: shown in reports (`template`, `claude`).
    fn name(&self) -> &str;

    /// Whether it writes for an account alone, whose credential pays: so that one asked without is refused before anything
    /// is read.
    fn needs_account(&self) -> bool {
        false
    }

    /// Writes a text for every target of the brief, each within its network's limits, from nothing but
    /// the page. May cost money: call it inside a step.
    ///
    /// # Errors
    /// `ContentRefused` when a model declines, `Truncated` when it stopped early, `UnexpectedReply` when
    /// its answer could not be repaired, and the transport's kinds.
    async fn generate(&self, cx: &Context, brief: &Brief) -> Result<Drafts>;
}

const _: Option<&dyn Generator> = None;

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Brief {
    /// The page it is about: data, never instructions.
    pub page: Page,
    /// How the brand speaks.
    pub voice: Voice,
    /// The networks to write for.
    pub targets: Vec<Profile>,
    /// How many units to leave free for the link, per target of the same index.
    pub reserve: Vec<usize>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drafts {
    /// The campaign's name.
    pub name: String,
    /// What it is about, in one or two sentences.
    pub description: String,
    /// One text per target, in order.
    pub texts: Vec<Draft>,
    /// What wrote it.
    pub generator: String,
    /// The model, where one was asked.
    pub model: Option<String>,
    /// SHA-256 of the prompt, in hex, where a model was asked.
    pub prompt_hash: Option<String>,
    /// What it cost.
    pub usage: Usage,
    /// How often the answer had to be repaired.
    pub repairs: u32,
}

/// A text for one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// For which network.
    pub network: Platform,
    /// The text, without the link.
    pub text: String,
}
