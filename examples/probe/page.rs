use automarket::{
    Error, Result,
    core::{Url, chrono::Datelike as _, html},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Reply, bytes, input, reply};

pub(crate) fn extract(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        html_b64: String,
        url: Option<String>,
        content_type: Option<String>,
    }
    let input: Input = input(request)?;
    let url = input.url.as_deref().map(Url::parse).transpose();
    let url = url.map_err(|error| Error::invalid("url", "not an address").with_source(error))?;
    let page = html::extract(
        &bytes(&input.html_b64)?,
        url.as_ref(),
        input.content_type.as_deref(),
    )?;
    // At the ends of RFC 3339's calendar, as it was written.
    let published = page.published.map(|at| match at.to_utc() {
        utc if (0..=9999).contains(&utc.year()) => json!(utc),
        _ => json!(at),
    });
    reply(json!({
        "title": page.title, "byline": page.byline, "lang": page.language, "dir": page.direction,
        "site_name": page.site_name, "excerpt": page.excerpt, "published": published,
        "text": page.text, "markdown": page.markdown,
    }))
}

pub(crate) fn sanitize(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        html: String,
    }
    let input: Input = input(request)?;
    reply(json!({"output": html::sanitize(&input.html)}))
}
