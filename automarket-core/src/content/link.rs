//! Tracked links: UTM parameters, set so that doing it twice changes nothing.

use serde::{Deserialize, Serialize};
use url::Url;

/// The UTM parameters of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Utm {
    /// Where the click comes from: the network.
    pub source: String,
    /// The kind of channel, such as `social`.
    pub medium: String,
    /// The campaign's name.
    pub campaign: String,
    /// The paid search term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// Which of several links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Utm {
    /// The parameters that a campaign of this name uses on every network.
    #[must_use]
    pub fn campaign(name: impl Into<String>) -> Self {
        Self {
            medium: "social".into(),
            campaign: name.into(),
            ..Self::default()
        }
    }

    /// The same with the network as its source.
    #[must_use]
    pub fn with_source(&self, source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            ..self.clone()
        }
    }

    /// Sets the parameters on `url`, at the end of its query: those it had are taken out, every other byte of
    /// the address (order, escapes, fragment) stays. Empty values are not written. Only http and https are touched.
    ///
    /// ```
    /// use automarket_core::content::Utm;
    /// let utm = Utm::campaign("launch").with_source("x");
    /// let once = utm.tag(&"https://acme.dev/p?ref=1#top".parse().unwrap());
    /// assert_eq!(once.as_str(), "https://acme.dev/p?ref=1&utm_source=x&utm_medium=social&utm_campaign=launch#top");
    /// assert_eq!(utm.tag(&once), once);
    /// ```
    #[must_use]
    pub fn tag(&self, url: &Url) -> Url {
        if !matches!(url.scheme(), "http" | "https") {
            return url.clone();
        }
        let mut url = untag(url);
        let tags = [
            ("utm_source", Some(&self.source)),
            ("utm_medium", Some(&self.medium)),
            ("utm_campaign", Some(&self.campaign)),
            ("utm_term", self.term.as_ref()),
            ("utm_content", self.content.as_ref()),
        ];
        let mut query = url.query().unwrap_or_default().to_owned();
        for (name, value) in tags {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                continue;
            };
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            query.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
        }
        url.set_query((!query.is_empty()).then_some(&query));
        url
    }
}

/// The address without its UTM parameters; every other byte stays.
#[must_use]
pub fn untag(url: &Url) -> Url {
    let Some(query) = url.query() else {
        return url.clone();
    };
    let others = |pair: &&str| {
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        let name = decoded.map(|(name, _)| name.to_ascii_lowercase());
        !matches!(
            name.as_deref(),
            Some("utm_source" | "utm_medium" | "utm_campaign" | "utm_term" | "utm_content")
        )
    };
    let kept: Vec<&str> = query.split('&').filter(others).collect();
    if kept.len() == query.split('&').count() {
        return url.clone();
    }
    let mut url = url.clone();
    let kept = kept.join("&");
    url.set_query((!kept.is_empty()).then_some(&kept));
    url
}
