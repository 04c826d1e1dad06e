//! From our words to Mixpost's: what one account says, as a post of one version.

use automarket_core::{
    Content, Delivery, Error, Platform, Profile, Result,
    check::{Finding, Severity, check},
    chrono::{DateTime, DurationRound as _, TimeDelta, Utc},
    content::Voice,
    networks,
    profile::LinkPlace,
    store::Account,
};

use crate::{MixpostContent, MixpostOptions, MixpostPostInput, MixpostVersion};

/// The most characters in one body (rule of Mixpost Lite 2.6).
pub(crate) const BODY_LIMIT: usize = 5000;
/// The most characters of a video's title (YouTube Data API, `snippet.title`).
const YOUTUBE_TITLE: usize = 100;
/// Of a text that YouTube takes as no description.
const DESCRIPTION: &str = "mixpost.youtube_description";
/// Of a link without words or media.
const LINK_ALONE: &str = "mixpost.link_alone";
/// The most characters of an alternative text (docs.mixpost.app, remote upload).
const ALT_LIMIT: usize = 255;

/// The rules of the network behind an account, as far as Mixpost's own are not narrower.
pub(crate) fn rules(mixpost: &Profile, network: &Platform) -> Profile {
    let known = networks::profile(network);
    let mut rules = known.unwrap_or_else(|| mixpost.clone());
    rules.platform = network.clone();
    let within = |limit: Option<usize>, most| limit.map_or(most, |limit| limit.min(most));
    rules.text.limit = Some(within(rules.text.limit, BODY_LIMIT));
    rules.text.limit_with_media = rules.text.limit_with_media.map(|most| most.min(BODY_LIMIT));
    rules.media.document = None;
    rules.media.alt_limit = Some(within(rules.media.alt_limit, ALT_LIMIT));
    rules.abilities = mixpost.abilities;
    // It has no such call.
    rules.abilities.delete &= *network != Platform::TIKTOK;
    // Elsewhere it publishes the first part alone.
    rules.abilities.thread = matches!(network.as_str(), "x" | "mastodon" | "threads" | "bluesky");
    rules
}

/// What Mixpost would lose of a content, by the rules of its account ([`rules`]): if that is not known, as where the
/// link stands in the text.
pub(crate) fn findings(
    content: &Content,
    delivery: Delivery,
    mixpost: &Profile,
    account: Option<&Profile>,
) -> Vec<Finding> {
    let mut longest = mixpost.clone();
    longest.text.link = LinkPlace::Text;
    let text = content.final_text(account.unwrap_or(&longest));
    let options = content.options::<MixpostOptions>().err();
    let options = options
        .map(|error| Finding::blocker("mixpost.options", error.message(), "Use MixpostOptions"));
    let thread = content
        .thread
        .iter()
        .map(|part| html("thread", part.trim_end()));
    let parts = std::iter::once(html("text", &text)).chain(thread);
    let lost = parts.filter_map(Result::err).map(|error| Finding {
        severity: Severity::Blocker,
        rule: error.rule().unwrap_or_default().to_owned(),
        message: error.message().to_owned(),
        remedy: error.remedy().unwrap_or_default().to_owned(),
    });
    let refused = account.map(|rules| refused_when_due(content, &text, delivery, rules));
    let refused = refused.into_iter().flatten();
    options.into_iter().chain(refused).chain(lost).collect()
}

/// What a network refuses of options and text once they are due. A draft may still be mended by whoever finishes it in
/// Mixpost.
fn refused_when_due(
    content: &Content,
    text: &str,
    delivery: Delivery,
    rules: &Profile,
) -> Vec<Finding> {
    let Ok(options) = content.options::<MixpostOptions>() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    // That Mixpost publishes its link field without a text is not known: Lite sends no link beside the text at all.
    if text.is_empty() && content.media.is_empty() && content.link.is_some() {
        findings.push(Finding::blocker(
            LINK_ALONE,
            "Mixpost takes no link alone",
            "say something beside it",
        ));
    }
    match rules.platform.as_str() {
        "youtube" => {
            let finding = match delivery {
                Delivery::Draft => Finding::advice,
                _ => Finding::blocker,
            };
            let angle = ['<', '>'];
            // Mixpost sends an empty title where there is none; YouTube refuses it (invalidTitle).
            let title = options.youtube.unwrap_or_default().title;
            let count = title.chars().count();
            if title.trim().is_empty() || count > YOUTUBE_TITLE || title.contains(angle) {
                findings.push(finding(
                    "mixpost.youtube_title",
                    "a video needs a title of 1 to 100 characters without `<` and `>`",
                    "set YouTubeOptions::title",
                ));
            }
            // invalidDescription.
            if text.contains(angle) {
                findings.push(finding(
                    DESCRIPTION,
                    "a video's description has no `<` and `>`",
                    "say them in words",
                ));
            }
        }
        // Mixpost sends no board then; that Pinterest refuses it always is not known.
        "pinterest" => {
            let board = options.pinterest.unwrap_or_default().board;
            if board.is_none_or(|board| board.trim().is_empty()) {
                findings.push(Finding::advice(
                    "mixpost.pinterest_board",
                    "a pin without a board may be refused once it is due",
                    "set PinterestOptions::board",
                ));
            }
        }
        _ => {}
    }
    findings
}

/// The post without its media and tag, or what is wrong with it. `rules` are those of its account ([`rules`]).
pub(crate) fn compose(
    content: &Content,
    account: u64,
    rules: &Profile,
    delivery: Delivery,
) -> Result<MixpostPostInput> {
    let text = content.final_text(rules);
    if content.first_comment.is_some() {
        return Err(Error::unsupported("Mixpost places no first comments"));
    }
    refuse_what_the_network_will(content, &text, rules, delivery)?;
    // A link that the network shows beside the text goes where Mixpost attaches links, once.
    let attached = content
        .link
        .as_ref()
        .filter(|link| rules.text.link == LinkPlace::Attachment && !text.contains(link.as_str()));
    let mut parts = vec![MixpostContent {
        body: html("text", &text)?,
        media: Vec::new(),
        url: attached.map(ToString::to_string),
    }];
    for part in &content.thread {
        parts.push(MixpostContent {
            body: html("thread", part.trim_end())?,
            ..MixpostContent::default()
        });
    }
    let at = match delivery {
        Delivery::At(at) => Some(whole_minute(at)?),
        Delivery::Now | Delivery::Draft | Delivery::Queue => None,
    };
    Ok(MixpostPostInput {
        accounts: vec![account],
        tags: Vec::new(),
        at,
        versions: vec![MixpostVersion {
            account_id: 0,
            is_original: true,
            content: parts,
            options: content.options::<MixpostOptions>()?.for_account(account),
        }],
    })
}

/// Mixpost's number of the account.
pub(crate) fn account_number(account: &Account) -> Result<u64> {
    account.remote_id.parse().map_err(|_| {
        Error::invalid(
            "remote_id",
            "the id of a Mixpost account is its number, as identify() lists it",
        )
    })
}

/// Mixpost looks at the network's rules only when it publishes, which may be days later.
fn refuse_what_the_network_will(
    content: &Content,
    text: &str,
    rules: &Profile,
    delivery: Delivery,
) -> Result<()> {
    let report = check(content, rules, &Voice::default());
    let blocker = report
        .findings
        .into_iter()
        .chain(refused_when_due(content, text, delivery, rules))
        .find(|finding| finding.severity == Severity::Blocker);
    match blocker {
        None => Ok(()),
        Some(finding) => {
            let field = match finding.rule.split('.').next() {
                _ if [DESCRIPTION, LINK_ALONE].contains(&&*finding.rule) => "text".to_owned(),
                // Our others are of the options.
                Some("mixpost") | None => "options".to_owned(),
                Some(field) => field.to_owned(),
            };
            Err(Error::invalid(field, finding.message)
                .with_rule(finding.rule)
                .with_remedy(finding.remedy))
        }
    }
}

/// Text as Mixpost's editor writes it: one `<div>` per line.
fn html(field: &str, text: &str) -> Result<String> {
    if opens_a_tag(text) {
        return Err(Error::invalid(
            field,
            "Mixpost drops what follows a `<` that is not followed by a space",
        )
        .with_rule("mixpost.angle_bracket")
        .with_remedy("put a space after `<`, or say it in words"));
    }
    let mut out = String::with_capacity(text.len() + 32);
    if text.is_empty() {
        return Ok(out);
    }
    for line in text.split('\n') {
        out.push_str("<div>");
        for c in line.trim_end_matches('\r').chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                c => out.push(c),
            }
        }
        out.push_str("</div>");
    }
    if out.chars().count() > BODY_LIMIT {
        return Err(Error::invalid(
            field,
            format!("one part has at most {BODY_LIMIT} characters, markup included"),
        )
        .with_rule("mixpost.body_length")
        .with_remedy("say it shorter, with fewer lines and signs that are escaped"));
    }
    Ok(out)
}

/// Mixpost decodes entities first and strips tags after (PostContentParser of Lite 2.6), so escaping does
/// not save a `<`; PHP's strip_tags leaves it alone only before white space, which the end of the text is not.
fn opens_a_tag(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        text[at + 1..]
            .chars()
            .next()
            .is_none_or(|next| !next.is_ascii_whitespace())
    })
}

/// Mixpost schedules by the minute: never earlier than asked.
fn whole_minute(at: DateTime<Utc>) -> Result<DateTime<Utc>> {
    at.duration_round_up(TimeDelta::minutes(1))
        .map_err(|error| Error::invalid("delivery", "outside the calendar").with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_divs_and_markup_is_escaped() {
        assert_eq!(
            html("text", "a & b\r\n\nc > d < e").unwrap(),
            "<div>a &amp; b</div><div></div><div>c &gt; d &lt; e</div>"
        );
        assert_eq!(html("text", "").unwrap(), "");
    }

    #[test]
    fn what_would_be_dropped_is_refused() {
        for text in ["I <3 you", "<b>bold</b>", "a <\u{a0}b", "1 < 2, <"] {
            let error = html("text", text).unwrap_err();
            assert_eq!(error.rule(), Some("mixpost.angle_bracket"), "{text}");
        }
        assert!(html("text", "1 < 2, <\n3").is_ok());
    }

    #[test]
    fn times_round_up_to_the_minute() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (given, taken) in [
            ("2026-12-01T14:00:00Z", "2026-12-01T14:00:00Z"),
            ("2026-12-01T14:00:00.001Z", "2026-12-01T14:01:00Z"),
            ("2026-12-31T23:59:30Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(whole_minute(at(given)).unwrap(), at(taken));
        }
    }
}
