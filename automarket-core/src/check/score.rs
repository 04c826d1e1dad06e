//! The completeness score, as the table on [`Report`](super::Report) says.

use super::Finding;
use crate::{
    content::{Content, MediaKind},
    profile::{LinkPlace, MediaRules, Profile},
    text::Entities,
};

/// The most that something with a blocker is worth.
pub(super) const BLOCKED: u8 = 40;

/// That of what nothing stands against.
pub(super) fn score(
    content: &Content,
    profile: &Profile,
    entities: &Entities,
    length: usize,
    limit: Option<usize>,
    findings: &[Finding],
) -> u8 {
    let none = |prefix: &str| {
        !findings
            .iter()
            .any(|finding| finding.rule.starts_with(prefix))
    };
    let if_so = |holds: bool, points: usize| if holds { points } else { 0 };
    let enough = limit.map_or(100, |limit| (limit / 10).min(100));
    let linked = content.link.is_some()
        || !entities.urls.is_empty()
        || profile.text.link == LinkPlace::NotClickable;
    let sum = if_so(!content.text.trim().is_empty(), 30)
        + if_so(length > 0 && length >= enough, 10)
        + if_so(linked, 15)
        + if_so(!content.media.is_empty() || takes_none(&profile.media), 15)
        + alt(content, profile)
        + if_so(!entities.hashtags.is_empty() && none("text.hashtags"), 10)
        + if_so(none("voice."), 10);
    u8::try_from(sum.min(100)).unwrap_or(100)
}

/// Up to 10 points, for the share of images that say what they show.
fn alt(content: &Content, profile: &Profile) -> usize {
    let is_image = |kind| matches!(kind, MediaKind::Image | MediaKind::Gif);
    let images = content.media.iter().filter(|media| is_image(media.kind));
    let told = images.clone().filter(|media| {
        let alt = media.alt.as_deref().unwrap_or_default();
        !alt.trim().is_empty()
    });
    match images.count() {
        0 => 10,
        _ if profile.media.alt_limit.is_none() => 10,
        images => 10 * told.count() / images,
    }
}

fn takes_none(rules: &MediaRules) -> bool {
    rules.image.is_none()
        && rules.gif.is_none()
        && rules.video.is_none()
        && rules.document.is_none()
}
