use serde::{Deserialize, Serialize};
use url::Url;

/// Who speaks: what a page or a host says of a brand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brand {
    /// Its name or the page's title.
    pub title: String,
    /// One or two sentences.
    pub description: String,
    /// Its language (BCP 47), as the page declares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Its site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// Its picture for sharing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Url>,
    /// Its small icon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<Url>,
    /// Its colours, as `#rrggbb`, the main one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub colors: Vec<String>,
    /// How it speaks.
    pub voice: Voice,
}

/// How a brand speaks: rules that the checks hold every text to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Voice {
    /// The tone, in words for a generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tone: Option<String>,
    /// Words and phrases never used; compared without regard to case, on word borders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub banned: Vec<String>,
    /// A disclosure that every text must hold, such as `#ad`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<String>,
}
