use super::{Brief, Drafts, LanguageModel};
use crate::{Context, Error, Result};

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
