//! What Firecrawl's answers mean.

use automarket_core::{
    Error, ErrorKind, Result, Retry,
    chrono::{DateTime, Utc},
    http::{Reply, classify},
    source,
};
use serde_json::Value;

use crate::{
    PLATFORM,
    wire::{Data, Scraped},
};

/// The code of a page that has no branding to read.
pub(crate) const NO_BRANDING: &str = "SCRAPE_BRANDING_NOT_SUPPORTED";

/// How the codes begin of what is the matter with the page, whatever the status is; but for these of Firecrawl's own.
const OF_PAGE: &str = "SCRAPE_";
const ITS_OWN: [&str; 6] = [
    "SCRAPE_DOCUMENT_FETCH_PROXY_ERROR",
    "SCRAPE_JOB_CANCELLED",
    "SCRAPE_PDF_FETCH_PROXY_ERROR",
    "SCRAPE_PROXY_SELECTION_ERROR",
    "SCRAPE_RETRY_LIMIT",
    "SCRAPE_X_TWITTER_CONFIGURATION_ERROR",
];

/// Reads the answer to a scrape.
pub(crate) fn scraped(reply: &Reply, now: DateTime<Utc>) -> Result<Data> {
    let body: Option<Scraped> = reply.json().ok();
    let code = body.as_ref().and_then(|body| body.code.as_deref());
    let code = code.map(|code| reply.code(code));
    if let Some(kind) = code.as_deref().and_then(final_kind) {
        let why = body.and_then(|body| body.error).unwrap_or_default();
        let why = format!("Firecrawl cannot read the page: {why}");
        return Err(named(reply.error(kind, why), code));
    }
    if !reply.ok() {
        return Err(named(classify(reply, now), code));
    }
    match body {
        Some(Scraped {
            success: true,
            data: Some(data),
            ..
        }) => page_status(data, reply),
        Some(Scraped {
            success: false,
            error,
            ..
        }) => {
            let why = error.unwrap_or_else(|| "no reason given".into());
            Err(named(
                reply.unexpected(format!("Firecrawl could not read the page: {why}")),
                code,
            ))
        }
        _ => Err(named(reply.unexpected("the answer holds no page"), code)),
    }
}

/// What no second look changes.
fn final_kind(code: &str) -> Option<ErrorKind> {
    match code {
        "SCRAPE_DNS_RESOLUTION_ERROR" => Some(ErrorKind::NotFound),
        "SCRAPE_SSL_ERROR"
        | "SCRAPE_UNSUPPORTED_FILE_ERROR"
        | "SCRAPE_PDF_INSUFFICIENT_TIME_ERROR"
        | NO_BRANDING => Some(ErrorKind::Unsupported),
        _ => None,
    }
}

fn named(error: Error, code: Option<String>) -> Error {
    let error = error.with_platform(&PLATFORM);
    match code {
        Some(code) if code.starts_with(OF_PAGE) && !ITS_OWN.contains(&code.as_str()) => {
            error.with_platform_code(code).with_elsewhere()
        }
        Some(code) => error.with_platform_code(code),
        None => error,
    }
}

/// A scrape that worked may still have read an error page.
fn page_status(data: Data, reply: &Reply) -> Result<Data> {
    let status = data
        .metadata
        .get("statusCode")
        .and_then(Value::as_u64)
        .unwrap_or(200);
    let said = data.metadata.get("error").and_then(Value::as_str);
    let said = said.filter(|said| !said.trim().is_empty());
    let nothing = data
        .markdown
        .as_deref()
        .unwrap_or_default()
        .trim()
        .is_empty();
    if status > 399 {
        let error = source::answered(u16::try_from(status).unwrap_or(u16::MAX));
        return Err(error
            .with_platform(&PLATFORM)
            .with_operation(reply.operation()));
    }
    match said.filter(|_| nothing) {
        None => Ok(data),
        Some(said) => {
            let message = format!("Firecrawl could not read the page: {said}");
            let error = reply.error(ErrorKind::Unavailable, message);
            Err(error
                .with_platform(&PLATFORM)
                .with_retry(Retry::After(None)))
        }
    }
}
