//! One function per endpoint.

use automarket_core::{Credential, Result, Url, http::Call};
use serde_json::json;

use crate::config::FirecrawlConfig;

/// A scrape only reads, so it may be repeated; each costs credits.
pub(crate) fn scrape(
    config: &FirecrawlConfig,
    credential: &Credential,
    url: &Url,
    branding: bool,
) -> Result<Call> {
    let mut formats = vec![json!({"type": "markdown"})];
    if branding {
        formats.push(json!({"type": "branding"}));
    }
    let body = json!({
        "url": url,
        "formats": formats,
        "onlyMainContent": true,
        "maxAge": config.max_age_ms,
        "timeout": config.timeout_ms,
        "skipTlsVerification": false,
    });
    let call = Call::post("scrape", &config.endpoint("scrape")?)?
        .repeatable()
        .timeout(config.patience());
    authorized(call, credential).json(&body)
}

pub(crate) fn credit_usage(config: &FirecrawlConfig, credential: &Credential) -> Result<Call> {
    Ok(authorized(
        Call::get("credit-usage", &config.endpoint("team/credit-usage")?)?,
        credential,
    ))
}

/// A self-hosted instance may ask for no key.
fn authorized(call: Call, credential: &Credential) -> Call {
    match credential {
        Credential::Token(token) => call.bearer(token),
        _ => call,
    }
}
