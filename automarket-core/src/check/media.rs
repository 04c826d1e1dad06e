//! What a platform says of media. What is not known of a file is not checked.

use super::{Finding, Severity};
use crate::{
    content::{Content, Media, MediaKind, MediaSource},
    media::UNRECOGNISED,
    profile::{MediaLimit, MediaRules, MediaTransfer, Profile},
};

pub(super) fn check(content: &Content, profile: &Profile, findings: &mut Vec<Finding>) {
    let (name, rules, media) = (profile.name, &profile.media, &content.media);
    if media.is_empty() {
        if rules.required {
            findings.push(Finding::blocker(
                "media.required",
                format!("{name} takes no post without media"),
                "Add an image or a video",
            ));
        }
        return;
    }
    check_numbers(media, profile, findings);
    for (number, one) in (1..).zip(media) {
        check_one(one, &format!("media {number}"), profile, findings);
    }
    let elsewhere = media
        .iter()
        .filter(|one| !matches!(one.source, MediaSource::Address(_)));
    let elsewhere = elsewhere.count();
    if rules.transfer == MediaTransfer::Address && elsewhere > 0 {
        findings.push(Finding::advice(
            "media.address",
            format!(
                "{name} fetches media from public addresses, {elsewhere} of {} have none",
                media.len()
            ),
            "Give their addresses, or give automarket a MediaHost that does",
        ));
    }
}

fn check_numbers(media: &[Media], profile: &Profile, findings: &mut Vec<Finding>) {
    let (name, rules) = (profile.name, &profile.media);
    let mut kinds: Vec<(MediaKind, usize)> = Vec::new();
    for one in media {
        let kind = kind(one, rules);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, number)) => *number += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let mut too_many = false;
    for (kind, number) in &kinds {
        let most = limit(*kind, rules).map(|limit| limit.max_count);
        if let Some(most) = most
            && *number > most
        {
            too_many = true;
            findings.push(Finding::blocker(
                "media.count",
                format!("{number} {}, {name} takes {most}", plural(*kind)),
                format!("Remove {}", number - most),
            ));
        }
    }
    let taken = kinds.iter().any(|(kind, _)| limit(*kind, rules).is_some());
    if taken && !too_many && media.len() > rules.max_count {
        findings.push(Finding::blocker(
            "media.count",
            format!("{} media, {name} takes {}", media.len(), rules.max_count),
            format!("Remove {}", media.len().saturating_sub(rules.max_count)),
        ));
    }
    if kinds.len() > 1 && !rules.mixed {
        let names: Vec<&str> = kinds.iter().map(|(kind, _)| plural(*kind)).collect();
        findings.push(Finding::blocker(
            "media.mixed",
            format!("{name} takes no {} in one post", names.join(" and ")),
            "Keep one kind",
        ));
    }
}

fn check_one(media: &Media, what: &str, profile: &Profile, findings: &mut Vec<Finding>) {
    let (name, rules) = (profile.name, &profile.media);
    let kind = kind(media, rules);
    let Some(limit) = limit(kind, rules) else {
        findings.push(Finding::blocker(
            "media.kind",
            format!("{what}: {name} takes no {}", plural(kind)),
            "Take it out, or bring it in another kind",
        ));
        return;
    };
    if let Some(mime) = mime(media)
        && !limit.mime.iter().any(|taken| matches(&mime, taken))
    {
        let taken = limit.mime.join(", ");
        // Who takes whole families may take it all the same; a platform may be shown more at an address than we are.
        let may_pass = limit.mime.iter().any(|taken| taken.ends_with('*'))
            || rules.transfer == MediaTransfer::Address
                && matches!(media.source, MediaSource::Address(_));
        findings.push(match media.mime.as_deref() {
            // As `Media::inspect` says of what it was told wrongly.
            Some(UNRECOGNISED) => Finding {
                severity: match may_pass {
                    true => Severity::Advice,
                    false => Severity::Blocker,
                },
                ..Finding::blocker(
                    "media.unrecognised",
                    format!("{what} is not what it is said to be, {name} takes {taken}"),
                    "Bring the file again: it is damaged, or of another type",
                )
            },
            _ => Finding::blocker(
                "media.mime",
                format!("{what} is {mime}, {name} takes {taken}"),
                "Convert it",
            ),
        });
    }
    if let Some(bytes) = media.bytes
        && bytes > limit.max_bytes
    {
        findings.push(Finding::blocker(
            "media.bytes",
            format!("{what} has {bytes} bytes, {name} takes {}", limit.max_bytes),
            "Make it smaller",
        ));
    }
    if let Some(((shortest, longest), seconds)) = limit.seconds.zip(media.seconds)
        && !(shortest..=longest).contains(&seconds)
    {
        findings.push(Finding::blocker(
            "media.seconds",
            format!("{what} lasts {seconds} s, {name} takes {shortest} to {longest} s"),
            "Cut it to length",
        ));
    }
    if media.bytes == Some(0) {
        findings.push(Finding::blocker(
            "media.empty",
            format!("{what} has no bytes"),
            "Bring the file again",
        ));
    }
    if let Some((most, pages)) = limit.max_pages.zip(media.pages)
        && pages > most
    {
        findings.push(Finding::blocker(
            "media.pages",
            format!("{what} has {pages} pages, {name} takes {most}"),
            "Take pages out",
        ));
    }
    check_size(media, limit, what, name, findings);
    check_alt(media, kind, what, profile, findings);
}

fn check_size(
    media: &Media,
    limit: &MediaLimit,
    what: &str,
    name: &str,
    findings: &mut Vec<Finding>,
) {
    let Some((width, height)) = media.width.zip(media.height) else {
        return;
    };
    // A hundredth is lost when a picture is scaled to whole pixels.
    let aspect = f64::from(width) / f64::from(height);
    if let Some((narrowest, widest)) = limit.aspect
        && !(narrowest * 0.99..=widest * 1.01).contains(&aspect)
    {
        findings.push(Finding::blocker(
            "media.aspect",
            format!(
                "{what} is {width}x{height} ({aspect:.2} to 1), {name} takes {narrowest:.2} to {widest:.2}"
            ),
            "Crop it",
        ));
    }
    if let Some((long, short)) = limit.max_pixels
        && (width.max(height) > long || width.min(height) > short)
    {
        findings.push(Finding::blocker(
            "media.pixels",
            format!("{what} is {width}x{height}, {name} takes {long}x{short}"),
            "Scale it down",
        ));
    }
    if let Some((long, short)) = limit.min_pixels
        && (width.max(height) < long || width.min(height) < short)
    {
        findings.push(Finding::blocker(
            "media.pixels_few",
            format!("{what} is {width}x{height}, {name} takes {long}x{short} at the least"),
            "Bring it in a larger size",
        ));
    }
}

fn check_alt(
    media: &Media,
    kind: MediaKind,
    what: &str,
    profile: &Profile,
    findings: &mut Vec<Finding>,
) {
    let Some(most) = profile.media.alt_limit else {
        return;
    };
    let alt = media.alt.as_deref().unwrap_or_default().trim();
    let length = alt.chars().count();
    if length > most {
        findings.push(Finding::blocker(
            "media.alt_too_long",
            format!(
                "the alternative text of {what} has {length} characters, {} takes {most}",
                profile.name
            ),
            format!("Cut {}", length - most),
        ));
    }
    if alt.is_empty() && matches!(kind, MediaKind::Image | MediaKind::Gif) {
        findings.push(Finding::advice(
            "media.alt_missing",
            format!("{what} has no alternative text"),
            "Say in a sentence what it shows",
        ));
    }
}

/// The kind that its limits are found under: a GIF is an image where GIFs have no limits of their own, and
/// an image that is a GIF is one where they have.
fn kind(media: &Media, rules: &MediaRules) -> MediaKind {
    let gif = mime(media).is_some_and(|mime| mime == "image/gif");
    match media.kind {
        MediaKind::Gif if rules.gif.is_none() => MediaKind::Image,
        MediaKind::Image if gif && rules.gif.is_some() => {
            let image = rules.image.as_ref();
            let still =
                image.is_some_and(|limit| limit.mime.iter().any(|m| matches("image/gif", m)));
            if still {
                MediaKind::Image
            } else {
                MediaKind::Gif
            }
        }
        kind => kind,
    }
}

fn limit(kind: MediaKind, rules: &MediaRules) -> Option<&MediaLimit> {
    match kind {
        MediaKind::Image => rules.image.as_ref(),
        MediaKind::Gif => rules.gif.as_ref(),
        MediaKind::Video => rules.video.as_ref(),
        MediaKind::Document => rules.document.as_ref(),
    }
}

/// Its MIME type without parameters, in the registered spelling.
pub(crate) fn mime(media: &Media) -> Option<String> {
    let given = media.mime.as_deref().unwrap_or_default();
    let mime = given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match (mime.as_str(), media.kind) {
        ("", MediaKind::Gif) => Some("image/gif".to_owned()),
        ("", _) => None,
        ("image/jpg" | "image/pjpeg", _) => Some("image/jpeg".to_owned()),
        _ => Some(mime),
    }
}

fn matches(mime: &str, taken: &str) -> bool {
    match taken.strip_suffix('*') {
        Some("*/") => true,
        Some(kind) => mime.starts_with(kind),
        None => mime == taken,
    }
}

fn plural(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "images",
        MediaKind::Gif => "animated GIFs",
        MediaKind::Video => "videos",
        MediaKind::Document => "documents",
    }
}
