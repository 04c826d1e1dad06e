//! What the page says of itself in JSON-LD, read leniently and within bounds.

use serde_json::Value;

use super::text::{one_line, seen};

/// Objects looked at, over all scripts of a page.
const MAX_OBJECTS: usize = 2000;
const MAX_DEPTH: usize = 8;

/// The facts found, first come first kept.
#[derive(Default)]
pub(super) struct Linked {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) author: Option<String>,
    pub(super) site: Option<String>,
    pub(super) published: Option<String>,
    pub(super) image: Option<String>,
    seen: usize,
}

/// Reads one script. What is no JSON says nothing.
pub(super) fn read(script: &str, found: &mut Linked) {
    let script = script.trim();
    let script = script.strip_prefix("<!--").unwrap_or(script);
    let script = script.strip_suffix("-->").unwrap_or(script);
    let script = script
        .trim()
        .trim_start_matches("//")
        .trim_start_matches("<![CDATA[");
    let script = script
        .trim_end_matches(';')
        .trim_end()
        .trim_end_matches("]]>")
        .trim_end_matches("//");
    // Raw line breaks inside strings are common, and no JSON; between values a space does as well.
    let script: String = script
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if let Ok(value) = serde_json::from_str::<Value>(script.trim()) {
        walk(&value, found, 0);
    }
}

fn walk(value: &Value, found: &mut Linked, depth: usize) {
    found.seen += 1;
    if depth > MAX_DEPTH || found.seen > MAX_OBJECTS {
        return;
    }
    match value {
        Value::Array(values) => {
            for value in values {
                walk(value, found, depth + 1);
            }
        }
        Value::Object(object) => {
            thing(value, found);
            for key in ["@graph", "mainEntity", "mainEntityOfPage", "hasPart"] {
                if let Some(inner) = object.get(key) {
                    walk(inner, found, depth + 1);
                }
            }
        }
        _ => {}
    }
}

fn thing(thing: &Value, found: &mut Linked) {
    let is = |wanted: fn(&str) -> bool| match thing.get("@type") {
        Some(Value::String(kind)) => wanted(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).any(wanted),
        _ => false,
    };
    let article = |kind: &str| {
        kind.ends_with("Article")
            || matches!(
                kind,
                "BlogPosting"
                    | "LiveBlogPosting"
                    | "SocialMediaPosting"
                    | "Report"
                    | "Product"
                    | "SoftwareApplication"
                    | "Event"
                    | "Recipe"
                    | "VideoObject"
            )
    };
    if is(article) {
        let is_product = is(|kind| {
            matches!(
                kind,
                "Product" | "SoftwareApplication" | "Event" | "Recipe" | "VideoObject"
            )
        });
        keep(
            &mut found.title,
            thing
                .get("headline")
                .or(thing.get("name").filter(|_| is_product)),
        );
        keep(&mut found.description, thing.get("description"));
        keep(&mut found.published, thing.get("datePublished"));
        if found.author.is_none() {
            found.author = names(thing.get("author"));
        }
        if found.image.is_none() {
            found.image = address(thing.get("image"), 0);
        }
        keep(
            &mut found.site,
            thing
                .get("publisher")
                .and_then(|publisher| publisher.get("name")),
        );
    } else if is(|kind| {
        matches!(
            kind,
            "WebSite" | "Organization" | "Corporation" | "NewsMediaOrganization"
        )
    }) {
        keep(&mut found.site, thing.get("name"));
    } else if is(|kind| kind.ends_with("WebPage") || kind.ends_with("Page")) {
        keep(&mut found.description, thing.get("description"));
        keep(&mut found.published, thing.get("datePublished"));
    }
}

fn keep(place: &mut Option<String>, value: Option<&Value>) {
    if place.is_none() {
        *place = value.and_then(Value::as_str).and_then(text);
    }
}

fn text(text: &str) -> Option<String> {
    let line = one_line(&seen(text));
    (!line.is_empty() && line.len() <= 2000).then_some(line)
}

/// One name, or several joined by commas.
fn names(value: Option<&Value>) -> Option<String> {
    let name = |value: &Value| match value {
        Value::String(name) => text(name),
        _ => value.get("name").and_then(Value::as_str).and_then(text),
    };
    match value? {
        Value::Array(values) => {
            let names: Vec<String> = values.iter().take(8).filter_map(name).collect();
            (!names.is_empty()).then(|| names.join(", "))
        }
        value => name(value),
    }
}

/// An address, the `url` of an object, or the first of several.
fn address(value: Option<&Value>, depth: usize) -> Option<String> {
    match value? {
        Value::String(address) => Some(address.clone()),
        Value::Array(values) if depth < 3 => address(values.first(), depth + 1),
        value @ Value::Object(_) if depth < 3 => address(value.get("url"), depth + 1),
        _ => None,
    }
}
