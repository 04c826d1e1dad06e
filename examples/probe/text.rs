use automarket::{
    Delivery, Media, Platform, Post, Publisher, Result,
    connectors::{
        facebook::{Facebook, FacebookConfig},
        instagram::{Instagram, InstagramConfig},
        linkedin::{LinkedIn, LinkedInConfig},
        x::{X, XConfig},
    },
    content::{Content, MediaKind, Voice},
    core::Url,
    profile::Markup,
    publisher::judge,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Reply, input, profile, reply};

#[derive(Deserialize)]
struct OnPlatform {
    platform: String,
    text: String,
    limit: Option<usize>,
    numbered: Option<bool>,
    #[serde(default)]
    media: Vec<MediaInput>,
    options: Option<Value>,
}

#[derive(Deserialize)]
struct MediaInput {
    kind: Option<MediaKind>,
    mime: Option<String>,
    bytes: Option<u64>,
    width: Option<u32>,
    height: Option<u32>,
    seconds: Option<f64>,
    alt: Option<String>,
}

pub(crate) fn length(request: &Value) -> Result<Reply> {
    let input: OnPlatform = input(request)?;
    let profile = profile(&input.platform)?;
    let length = automarket::text::length(&input.text, &profile.text);
    // What is only white space is sent as nothing.
    let valid =
        automarket::text::valid(&input.text, &profile.text) && !input.text.trim().is_empty();
    reply(
        json!({"length": length, "limit": profile.text.limit, "unit": profile.text.unit, "valid": valid}),
    )
}

pub(crate) fn fit(request: &Value) -> Result<Reply> {
    let input: OnPlatform = input(request)?;
    let fitted = automarket::text::fit(&input.text, &profile(&input.platform)?.text, input.limit);
    reply(json!(fitted))
}

pub(crate) fn split(request: &Value) -> Result<Reply> {
    let input: OnPlatform = input(request)?;
    let parts = automarket::text::split(
        &input.text,
        &profile(&input.platform)?.text,
        input.numbered.unwrap_or(false),
    );
    reply(json!({"parts": parts}))
}

pub(crate) fn check(request: &Value) -> Result<Reply> {
    let input: OnPlatform = input(request)?;
    let profile = profile(&input.platform)?;
    let mut content: Content = Post::text(&input.text).content_for(&profile.platform, None);
    let address = Url::parse("https://media.invalid/file");
    let address = address.map_err(|error| {
        automarket::Error::invalid("media", "not an address").with_source(error)
    })?;
    content.media = input
        .media
        .into_iter()
        .map(|input| media(input, &address))
        .collect();
    if let Some(options) = input.options {
        content.options.insert(profile.platform.clone(), options);
    }
    let publisher = publisher(&profile.platform);
    let report = judge(
        &content,
        Delivery::Now,
        &profile,
        &Voice::default(),
        publisher.as_deref(),
        None,
    );
    reply(json!({"findings": report.findings, "score": report.score}))
}

/// Whose own rules count beside the network's.
fn publisher(platform: &Platform) -> Option<Box<dyn Publisher>> {
    Some(match platform.as_str() {
        "facebook" => Box::new(Facebook::new(FacebookConfig::default())),
        "instagram" => Box::new(Instagram::new(InstagramConfig::default())),
        "linkedin" => Box::new(LinkedIn::new(LinkedInConfig::default())),
        "x" => Box::new(X::new(XConfig::default())),
        _ => return None,
    })
}

fn media(input: MediaInput, address: &Url) -> Media {
    let mime = input.mime.as_deref().unwrap_or_default();
    let guessed = match mime.split('/').next() {
        Some("video") => MediaKind::Video,
        Some("image") if mime == "image/gif" => MediaKind::Gif,
        Some("application") => MediaKind::Document,
        _ => MediaKind::Image,
    };
    // A request describes media and brings none: some networks want an address, all take one for a check.
    let mut media = Media::address(input.kind.unwrap_or(guessed), address.clone());
    media.bytes = input.bytes;
    media.mime = input.mime;
    media.width = input.width;
    media.height = input.height;
    media.seconds = input.seconds;
    media.alt = input.alt;
    media
}

pub(crate) fn entities(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        text: String,
    }
    let input: Input = input(request)?;
    reply(json!(automarket::text::entities(&input.text)))
}

pub(crate) fn markdown(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        text: String,
        target: Option<String>,
    }
    let input: Input = input(request)?;
    let markup = match input.target.as_deref().unwrap_or("html") {
        "html" => Markup::Html,
        "markdown" => Markup::Markdown,
        "plain" => Markup::Plain,
        network => profile(network)?.text.markup,
    };
    reply(json!({"output": automarket::text::render(&input.text, markup)}))
}

pub(crate) fn quote(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        dialect: String,
        value: String,
    }
    let input: Input = input(request)?;
    let quoted = match input.dialect.as_str() {
        "graphql" => automarket::quote::graphql(&input.value),
        "path-segment" => automarket::http::segment(&input.value)?,
        other => {
            let error =
                automarket::Error::invalid("dialect", format!("there is no dialect {other} yet"));
            return Err(error.with_rule("unsupported_dialect"));
        }
    };
    reply(json!({"quoted": quoted}))
}

pub(crate) fn grounding(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        source: String,
        text: String,
    }
    let input: Input = input(request)?;
    reply(json!({"unsupported": automarket::ai::ungrounded(&input.source, &input.text)}))
}
