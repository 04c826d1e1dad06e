//! Firecrawl's JSON, as it spells it.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
pub(crate) struct Scraped {
    #[serde(default)]
    pub(crate) success: bool,
    pub(crate) error: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) data: Option<Data>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Data {
    pub(crate) markdown: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) branding: Option<Branding>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Branding {
    pub(crate) colors: Map<String, Value>,
    pub(crate) images: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CreditUsage {
    pub(crate) data: Credits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credits {
    pub(crate) remaining_credits: f64,
}
