use std::{collections::BTreeMap, net::IpAddr};

use automarket::{
    Error, Result,
    content::{Utm, untag},
    core::{
        Url, chrono,
        http_types::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    },
    http::{Effect, Guard, Purpose, Reply as HttpReply, Verdict},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Reply, bytes, input, reply};

pub(crate) fn url(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        url: String,
        base: Option<String>,
        utm: Option<Utm>,
        #[serde(default, rename = "untag")]
        without: bool,
    }
    let input: Input = input(request)?;
    let wrong = |error| Error::invalid("url", "not an address").with_source(error);
    let mut url = match &input.base {
        Some(base) => Url::parse(base)
            .and_then(|base| base.join(&input.url))
            .map_err(wrong)?,
        None => Url::parse(&input.url).map_err(wrong)?,
    };
    if input.without {
        url = untag(&url);
    }
    if let Some(utm) = &input.utm {
        url = utm.tag(&url);
    }
    reply(json!({"href": url}))
}

fn verdict(verdict: Verdict) -> Result<Reply> {
    reply(json!({"allowed": verdict.allowed, "reason": verdict.reason}))
}

pub(crate) fn ip(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        ip: String,
    }
    let input: Input = input(request)?;
    // A spelling that is no address is not connected to. In a URL, an address of IPv6 alone stands in brackets.
    let bare = input.ip.strip_prefix('[').and_then(|s| s.strip_suffix(']'));
    let parsed = match bare {
        Some(bare) => bare.parse().map(IpAddr::V6),
        None => input.ip.parse(),
    };
    match parsed {
        Ok(ip) => verdict(Guard::default().ip(ip)),
        Err(_) => reply(json!({"allowed": false, "reason": "not an IP address"})),
    }
}

pub(crate) fn target(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        url: String,
        resolves: Option<Vec<String>>,
        purpose: Option<String>,
    }
    let input: Input = input(request)?;
    let purpose = match input.purpose.as_deref() {
        None | Some("fetch") => Purpose::Fetch,
        Some("webhook") => Purpose::Send,
        Some(other) => {
            return Err(Error::invalid(
                "purpose",
                format!("{other} is neither webhook nor fetch"),
            ));
        }
    };
    let Ok(url) = Url::parse(&input.url) else {
        return reply(json!({"allowed": false, "reason": "not an address"}));
    };
    let guard = Guard::default();
    let Some(resolves) = input.resolves else {
        return verdict(guard.url(&url, purpose));
    };
    match resolves
        .iter()
        .map(|ip| ip.parse::<IpAddr>())
        .collect::<Result<Vec<_>, _>>()
    {
        Ok(addresses) => verdict(guard.target(&url, &addresses, purpose)),
        Err(_) => {
            reply(json!({"allowed": false, "reason": "it resolves to what is no IP address"}))
        }
    }
}

pub(crate) fn retry_after(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        #[serde(default)]
        headers: BTreeMap<String, String>,
        now: Value,
        status: Option<u16>,
        body_b64: Option<String>,
    }
    let input: Input = input(request)?;
    let mut headers = HeaderMap::new();
    for (name, value) in &input.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    let status = StatusCode::from_u16(input.status.unwrap_or(429))
        .map_err(|error| Error::invalid("status", "not an HTTP status").with_source(error))?;
    let body = input
        .body_b64
        .as_deref()
        .map(bytes)
        .transpose()?
        .unwrap_or_default();
    let answer = HttpReply::recorded("probe", Effect::Read, status, headers, body);
    let wait = answer.retry_after(instant("now", &input.now)?);
    reply(json!({"seconds": wait.map(|wait| wait.as_secs())}))
}

/// Unix seconds or RFC 3339.
pub(crate) fn instant(field: &'static str, value: &Value) -> Result<chrono::DateTime<chrono::Utc>> {
    let parsed = match value {
        Value::Number(seconds) => seconds
            .as_f64()
            .and_then(|s| chrono::DateTime::from_timestamp_millis((s * 1000.0) as i64)),
        Value::String(text) => chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| at.to_utc()),
        _ => None,
    };
    parsed.ok_or_else(|| Error::invalid(field, "Unix seconds or RFC 3339 with an offset"))
}
