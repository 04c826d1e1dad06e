//! The pass-through: any path of the API, and nothing else.

use automarket_core::{
    Result, Url,
    http::{Call, Reply},
    http_types::Method,
};
use serde_json::Value;

use crate::{PLATFORM, api::Site, error, rows::invalid, wire};

/// The call, provided that it stays below the base address.
pub(crate) fn call(site: &Site, method: Method, path: &str, body: Option<&Value>) -> Result<Call> {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    if !known.contains(&method) {
        return Err(invalid("method", "GET, POST, PUT, PATCH or DELETE"));
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    if !stays(path) {
        return Err(invalid(
            "path",
            "a path is relative to the base, such as rest/people?limit=1, without empty and dot segments",
        ));
    }
    let full = format!("/{path}");
    let call = site.call("raw", method, &full, &[])?;
    // The address parser has the last word on where the request goes.
    let went = Url::parse(&call.request().uri().to_string()).ok();
    let base = Url::parse(&site.base).ok();
    let inside = match (&went, &base) {
        (Some(went), Some(base)) => {
            let root = format!("{}/", base.path().trim_end_matches('/'));
            went.origin() == base.origin() && went.path().starts_with(&root)
        }
        _ => false,
    };
    if !inside {
        return Err(invalid("path", "the path leaves the base address"));
    }
    match body {
        Some(body) => call
            .json(body)
            .map_err(|error| error.with_platform(&PLATFORM)),
        None => Ok(call),
    }
}

/// The answer's JSON; `null` for an empty body. GraphQL says its errors with status 200.
pub(crate) fn decode(reply: &Reply) -> Result<Value> {
    if reply.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    let body = wire::json(reply)?;
    match error::graphql(reply, &body) {
        Some(error) => Err(error),
        None => Ok(body),
    }
}

fn stays(path: &str) -> bool {
    let odd = |c: char| c.is_control() || c == '\\' || c == '#';
    let only = path.split('?').next().unwrap_or_default();
    !path.chars().any(odd) && only.split('/').all(plain_segment)
}

/// Neither empty nor a dot segment, and without slashes of its own, also when escaped once or more.
fn plain_segment(segment: &str) -> bool {
    let mut text = segment.to_ascii_lowercase();
    while text.contains("%25") {
        text = text.replace("%25", "%");
    }
    let text = text.replace("%2e", ".");
    !matches!(&*text, "" | "." | "..") && !text.contains("%2f") && !text.contains("%5c")
}
