//! Firecrawl in a box: a key, some pages, a number of credits.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use automarket_core::{
    Bytes, Error, Platform, Result, Url,
    chrono::{DateTime, Utc},
    http_types::{Method, Request, Response},
    testing::{Fake, json_reply},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::PLATFORM;

/// The key.
pub const KEY: &str = "fc-sandbox-1";

/// The fake. Scrapes that cost credits are its effects.
#[derive(Debug, Default)]
pub struct FakeFirecrawl {
    state: Mutex<State>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    pages: BTreeMap<String, FakePage>,
    /// The codes of those that it cannot read.
    #[serde(default)]
    unreadable: BTreeMap<String, String>,
    scrapes: Vec<Value>,
    spent: u64,
    plan: u64,
}

/// A page that the fake can read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FakePage {
    /// Its main text.
    pub markdown: String,
    /// Its meta data, in Firecrawl's names.
    pub metadata: Value,
    /// Its branding; none is refused as unsupported.
    pub branding: Option<Value>,
    /// What the page itself answers; 0 is 200.
    pub status: u16,
}

impl FakeFirecrawl {
    /// A team with 500 credits (the free plan) that knows no page.
    #[must_use]
    pub fn new() -> Self {
        let fake = Self::default();
        fake.lock().plan = 500;
        fake
    }

    /// Adds a page.
    #[must_use]
    pub fn with_page(self, url: &str, page: FakePage) -> Self {
        self.lock().pages.insert(url.to_owned(), page);
        self
    }

    /// Adds a page that it cannot read, for the reason of this code (`SCRAPE_SSL_ERROR`).
    #[must_use]
    pub fn with_unreadable(self, url: &str, code: &str) -> Self {
        let page = (url.to_owned(), code.to_owned());
        self.lock().unreadable.extend([page]);
        self
    }

    /// Uses up all credits.
    pub fn use_up_credits(&self) {
        let mut state = self.lock();
        state.spent = state.plan;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake for FakeFirecrawl {
    fn platform(&self) -> Platform {
        PLATFORM
    }

    fn hosts(&self) -> Vec<String> {
        vec!["api.firecrawl.dev".into()]
    }

    fn handle(&self, request: &Request<Bytes>, _now: DateTime<Utc>) -> Response<Bytes> {
        let bearer = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if bearer != Some(&format!("Bearer {KEY}")) {
            return refused(401, "Unauthorized: Invalid token", None);
        }
        let mut state = self.lock();
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/v2/team/credit-usage") => json_reply(
                200,
                &json!({"success": true, "data": {"remainingCredits": state.plan - state.spent, "planCredits": state.plan,
                        "billingPeriodStart": null, "billingPeriodEnd": null}}),
            ),
            (&Method::POST, "/v2/scrape") => match serde_json::from_slice(request.body()) {
                Ok(body) => state.scrape(&body),
                Err(_) => refused(400, "Invalid JSON", Some("BAD_REQUEST_INVALID_JSON")),
            },
            _ => refused(404, "Not found", None),
        }
    }

    fn effects(&self) -> Vec<Value> {
        self.lock().scrapes.clone()
    }

    fn save(&self) -> Value {
        json!(*self.lock())
    }

    fn load(&self, state: Value) -> Result<()> {
        *self.lock() = serde_json::from_value(state).map_err(|error| {
            Error::invalid("sandbox", "not a saved Firecrawl").with_source(error)
        })?;
        Ok(())
    }
}

impl State {
    fn scrape(&mut self, body: &Value) -> Response<Bytes> {
        if self.spent >= self.plan {
            return refused(402, "Insufficient credits to perform this request.", None);
        }
        let url = body["url"].as_str().unwrap_or_default();
        if Url::parse(url).is_err()
            || !(1_000..=300_000).contains(&body["timeout"].as_u64().unwrap_or(60_000))
        {
            return refused(400, "Invalid URL or timeout", Some("BAD_REQUEST"));
        }
        let code = self.unreadable.get(url).map(String::as_str);
        let page = match (self.pages.get(url), code) {
            (Some(page), None) => page,
            (_, code) => return unreadable(code.unwrap_or("SCRAPE_DNS_RESOLUTION_ERROR")),
        };
        let branding = body["formats"]
            .as_array()
            .is_some_and(|f| f.iter().any(|f| f["type"] == "branding"));
        if branding && page.branding.is_none() {
            return unreadable("SCRAPE_BRANDING_NOT_SUPPORTED");
        }
        let mut metadata = page.metadata.clone();
        metadata["sourceURL"] = json!(url);
        metadata["statusCode"] = json!(if page.status == 0 { 200 } else { page.status });
        metadata["creditsUsed"] = json!(1);
        let mut data = json!({"markdown": page.markdown, "metadata": metadata});
        if branding {
            data["branding"] = json!(page.branding);
        }
        self.spent += 1;
        self.scrapes.push(json!({"url": url, "branding": branding}));
        json_reply(200, &json!({"success": true, "data": data}))
    }
}

/// As Firecrawl's server says it: of what has no status of its own, 500.
fn unreadable(code: &str) -> Response<Bytes> {
    let status = match code {
        "SCRAPE_DNS_RESOLUTION_ERROR" => 200,
        "SCRAPE_TIMEOUT" => 408,
        _ => 500,
    };
    refused(status, "the page cannot be read", Some(code))
}

fn refused(status: u16, error: &str, code: Option<&str>) -> Response<Bytes> {
    json_reply(
        status,
        &json!({"success": false, "error": error, "code": code}),
    )
}
