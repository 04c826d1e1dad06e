use super::{Brief, Drafts, LanguageModel, ModelRequest};
use crate::{Context, Error, Result};

/// The question that a brief puts to a model.
#[must_use]
pub fn prompt(_brief: &Brief) -> ModelRequest {
    ModelRequest::default()
}

/// Asks a model for the texts of a brief, and at most twice to repair an answer that cannot be read.
///
/// # Errors
/// See [`Generator::generate`](super::Generator::generate).
pub async fn write_with(
    _model: &dyn LanguageModel,
    _name: &str,
    _cx: &Context,
    _brief: &Brief,
) -> Result<Drafts> {
    Err(Error::unsupported("not yet"))
}
