use super::{Brief, Drafts, Generator};
use crate::{Context, Error, Result, async_trait};

/// Writes texts from the page's own words by fixed rules: no key, no network, the same page gives the same
/// texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct TemplateGenerator;

#[async_trait]
impl Generator for TemplateGenerator {
    fn name(&self) -> &str {
        "template"
    }

    async fn generate(&self, _cx: &Context, _brief: &Brief) -> Result<Drafts> {
        Err(Error::unsupported("not yet"))
    }
}
