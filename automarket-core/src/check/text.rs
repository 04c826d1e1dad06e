//! What a platform says of text: length, letters, tags, links, threads, the first comment.

use std::collections::BTreeSet;

use super::Finding;
use crate::{
    content::Content,
    profile::{Abilities, LinkPlace, Profile, TextUnit},
    text::{Entities, Entity, count, entities, length},
};

pub(super) fn check(
    content: &Content,
    text: &str,
    length: usize,
    limit: Option<usize>,
    profile: &Profile,
    findings: &mut Vec<Finding>,
) {
    let (name, rules) = (profile.name, &profile.text);
    let link_alone = content.link.is_some() && rules.link == LinkPlace::Attachment;
    if text.trim().is_empty() && !link_alone {
        if content.media.is_empty() {
            findings.push(Finding::blocker(
                "text.empty",
                "there is neither text nor media",
                "Write a text",
            ));
        } else if rules.required {
            findings.push(Finding::blocker(
                "text.empty",
                format!("{name} wants a text with media"),
                "Write a text",
            ));
        }
    }
    if let Some(limit) = limit
        && length > limit
    {
        findings.push(too_long(
            "text.too_long",
            "the text",
            length,
            limit,
            rules.unit,
            name,
        ));
    }
    also_too_long("the text", text, profile, findings);
    check_letters(text, "the text", findings);
    if let Some(fold) = rules.fold
        && length > fold
    {
        findings.push(Finding::advice(
            "text.fold",
            format!("{name} shows about {fold} of {length} characters before \"see more\""),
            "Say the point in the first lines",
        ));
    }
}

/// The letters of a text: whatever it is for.
pub(super) fn check_letters(text: &str, what: &str, findings: &mut Vec<Finding>) {
    let control: Vec<char> = text.chars().filter(|c| is_control(*c)).collect();
    if let Some(first) = control.first() {
        findings.push(Finding::blocker(
            "text.control",
            format!(
                "{what} holds {} control characters, first U+{:04X}",
                control.len(),
                u32::from(*first)
            ),
            "Remove them",
        ));
    }
    let invisible = invisible(text);
    if let Some(first) = invisible.first() {
        findings.push(Finding::advice(
            "text.invisible",
            format!(
                "{what} holds {} characters that nobody sees, first U+{:04X}",
                invisible.len(),
                u32::from(*first)
            ),
            "Remove them unless they are meant",
        ));
    }
}

/// Tags, mentions and addresses of a text.
pub(super) fn check_entities(
    found: &Entities,
    what: &str,
    profile: &Profile,
    findings: &mut Vec<Finding>,
) {
    let (name, rules) = (profile.name, &profile.text);
    let links: BTreeSet<&str> = found.urls.iter().map(|url| url.text.as_str()).collect();
    for (rule, kind, number, most) in [
        (
            "text.hashtags",
            "hashtags",
            found.hashtags.len(),
            rules.max_hashtags,
        ),
        (
            "text.mentions",
            "mentions",
            found.mentions.len(),
            rules.max_mentions,
        ),
        (
            "text.cashtags",
            "cashtags",
            found.cashtags.len(),
            rules.max_cashtags,
        ),
        (
            "text.links",
            "different links",
            links.len(),
            rules.max_links,
        ),
    ] {
        if let Some(most) = most
            && number > most
        {
            findings.push(Finding::blocker(
                rule,
                format!("{what} holds {number} {kind}, {name} takes {most}"),
                format!("Remove {}", number - most),
            ));
        }
    }
    let number = found.hashtags.len();
    if let Some(advised) = rules.advised_hashtags
        && number > advised
        && rules.max_hashtags.is_none_or(|most| number <= most)
    {
        findings.push(Finding::advice(
            "text.hashtags_many",
            format!("{what} holds {number} hashtags, on {name} {advised} are enough"),
            format!("Keep the best {advised}"),
        ));
    }
}

/// A link that nobody can click.
pub(super) fn check_link(
    content: &Content,
    found: &Entities,
    profile: &Profile,
    findings: &mut Vec<Finding>,
) {
    if profile.text.link != LinkPlace::NotClickable {
        return;
    }
    let address = content.link.as_ref().map(|link| link.as_str());
    if let Some(address) = address.or(found.urls.first().map(|url: &Entity| url.text.as_str())) {
        findings.push(Finding::advice(
            "link.not_clickable",
            format!("{} makes no link clickable: {address}", profile.name),
            "Put it into the account's profile and say so in the text",
        ));
    }
}

/// The further parts of a thread.
pub(super) fn check_thread(content: &Content, profile: &Profile, findings: &mut Vec<Finding>) {
    if content.thread.is_empty() {
        return;
    }
    let (name, rules) = (profile.name, &profile.text);
    if cannot(profile, |abilities| abilities.thread) {
        findings.push(Finding::blocker(
            "thread.unsupported",
            format!(
                "{} further parts, and {name} takes no thread",
                content.thread.len()
            ),
            "Say it in one text",
        ));
    }
    for (part, text) in (2..).zip(&content.thread) {
        let what = format!("part {part}");
        if text.trim().is_empty() {
            findings.push(Finding::blocker(
                "thread.part_empty",
                format!("{what} of the thread is empty"),
                "Take it out",
            ));
        }
        let length = length(text, rules);
        if let Some(limit) = rules.limit
            && length > limit
        {
            let rule = "thread.part_too_long";
            findings.push(too_long(rule, &what, length, limit, rules.unit, name));
        }
        also_too_long(&what, text, profile, findings);
        check_letters(text, &what, findings);
        check_entities(&entities(text), &what, profile, findings);
    }
}

/// The first comment.
pub(super) fn check_comment(content: &Content, profile: &Profile, findings: &mut Vec<Finding>) {
    let Some(comment) = &content.first_comment else {
        return;
    };
    let (name, rules, what) = (profile.name, &profile.text, "the first comment");
    if cannot(profile, |abilities| abilities.first_comment) {
        findings.push(Finding::blocker(
            "comment.unsupported",
            format!("{name} places no first comment"),
            "Say it in the text",
        ));
    }
    if comment.trim().is_empty() {
        findings.push(Finding::blocker(
            "comment.empty",
            "the first comment is empty",
            "Take it out",
        ));
    }
    let length = length(comment.trim(), rules);
    if let Some(limit) = rules.comment_limit
        && length > limit
    {
        let rule = "comment.too_long";
        findings.push(too_long(rule, what, length, limit, rules.unit, name));
    }
    check_letters(comment, what, findings);
    check_entities(&entities(comment), what, profile, findings);
}

/// Whether the connector says that it has not this ability. A profile that promises nothing is a network's: what can
/// be done there is a connector's word.
fn cannot(profile: &Profile, able: impl Fn(&Abilities) -> bool) -> bool {
    profile.abilities != Abilities::default() && !able(&profile.abilities)
}

fn too_long(
    rule: &str,
    what: &str,
    length: usize,
    limit: usize,
    unit: TextUnit,
    name: &str,
) -> Finding {
    let unit = unit_name(unit);
    Finding::blocker(
        rule,
        format!("{what} is {length} {unit} long, {name} takes {limit}"),
        format!("Cut {} {unit}", length.saturating_sub(limit)),
    )
}

fn also_too_long(what: &str, text: &str, profile: &Profile, findings: &mut Vec<Finding>) {
    if let Some((unit, limit)) = profile.text.also {
        let length = count(text, unit, None);
        if length > limit {
            let rule = "text.also_too_long";
            findings.push(too_long(rule, what, length, limit, unit, profile.name));
        }
    }
}

fn unit_name(unit: TextUnit) -> &'static str {
    match unit {
        TextUnit::Weighted => "weighted characters",
        TextUnit::Graphemes | TextUnit::CodePoints => "characters",
        TextUnit::Utf16 => "UTF-16 units",
        TextUnit::Bytes => "bytes",
        TextUnit::EmojiBytes => "characters (of emoji their bytes)",
    }
}

/// Control characters but tab and line ends, and code points that are no characters.
fn is_control(c: char) -> bool {
    let code = u32::from(c);
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        || c == '\u{FEFF}'
        || (0xFDD0..=0xFDEF).contains(&code)
        || code & 0xFFFE == 0xFFFE
}

/// Characters without a shape. Joiners and direction marks belong to emoji and to scripts, tags to flags.
fn invisible(text: &str) -> Vec<char> {
    let mut found = Vec::new();
    let mut in_flag = false;
    for c in text.chars() {
        let tag = ('\u{E0020}'..='\u{E007F}').contains(&c);
        in_flag = c == '\u{1F3F4}' || (in_flag && tag);
        let hidden = matches!(
            c,
            '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180E}'
                | '\u{200B}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
                | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0001}'
        );
        if hidden || (tag && !in_flag) {
            found.push(c);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Platform, networks};

    fn some(number: usize) -> Vec<Entity> {
        let entity = |n: usize| Entity {
            text: format!("https://acme.dev/{n}"),
            start: n,
            end: n + 1,
        };
        (0..number).map(entity).collect()
    }

    fn rules(found: &Entities, network: &Platform) -> Vec<String> {
        let mut findings = Vec::new();
        let profile = networks::profile(network).unwrap();
        check_entities(found, "the text", &profile, &mut findings);
        findings.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn tags_and_links_are_counted() {
        let tags = |hashtags| Entities {
            hashtags: some(hashtags),
            ..Entities::default()
        };
        let instagram = Platform::INSTAGRAM;
        assert!(rules(&tags(5), &instagram).is_empty());
        assert_eq!(rules(&tags(6), &instagram), ["text.hashtags_many"]);
        assert_eq!(rules(&tags(30), &instagram), ["text.hashtags_many"]);
        assert_eq!(rules(&tags(31), &instagram), ["text.hashtags"]);
        let mentions = Entities {
            mentions: some(21),
            ..Entities::default()
        };
        assert_eq!(rules(&mentions, &instagram), ["text.mentions"]);
        let cashtags = Entities {
            cashtags: some(2),
            ..Entities::default()
        };
        assert_eq!(rules(&cashtags, &Platform::X), ["text.cashtags"]);
        let mut links = Entities {
            urls: some(5),
            ..Entities::default()
        };
        links.urls.extend(some(3));
        assert!(
            rules(&links, &Platform::THREADS).is_empty(),
            "repeated links are one"
        );
        links.urls = some(6);
        assert_eq!(rules(&links, &Platform::THREADS), ["text.links"]);
    }

    #[test]
    fn letters() {
        let found = |text: &str| {
            let mut findings = Vec::new();
            check_letters(text, "the text", &mut findings);
            let rules = findings.into_iter().map(|finding| finding.rule);
            rules.collect::<Vec<_>>()
        };
        for fine in [
            "line\n\tline\r\n",
            "family 👨‍👩‍👧‍👦",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿 flag",
            "نرم‌افزار",
            "a\u{200F}b",
        ] {
            assert!(found(fine).is_empty(), "{fine:?}");
        }
        for bad in [
            "nul\0",
            "bell\u{7}",
            "del\u{7F}",
            "c1\u{85}",
            "\u{FFFE}",
            "\u{FEFF}a",
            "\u{1FFFF}",
        ] {
            assert_eq!(found(bad), ["text.control"], "{bad:?}");
        }
        for hidden in [
            "a\u{202E}b",
            "a\u{200B}b",
            "a\u{2066}b",
            "hi\u{E0041}\u{E0042}",
            "\u{3164}",
        ] {
            assert_eq!(found(hidden), ["text.invisible"], "{hidden:?}");
        }
    }
}
