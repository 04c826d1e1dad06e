//! Checks before anything is sent: pure, without I/O or account.
//!
//! | rule | severity | says |
//! | --- | --- | --- |
//! | `platform.closed`, `platform.legacy` | blocker, advice | the platform cannot be used, or not for long |
//! | `text.empty` | blocker | nothing to say, or media where a text is needed |
//! | `text.too_long`, `text.also_too_long` | blocker | over the limit, or over the second one |
//! | `text.hashtags`, `text.mentions`, `text.cashtags`, `text.links` | blocker | more than are taken |
//! | `text.hashtags_many` | advice | more than do good |
//! | `text.control` | blocker | a control character or one that is no character |
//! | `text.invisible` | advice | a character that nobody sees, or that turns the direction of the text |
//! | `text.fold` | advice | how much shows before "see more" |
//! | `thread.unsupported` | blocker | further parts where the connector takes none |
//! | `thread.part_empty`, `thread.part_too_long` | blocker | a part that cannot be sent |
//! | `comment.unsupported` | blocker | a first comment where the connector places none |
//! | `comment.empty`, `comment.too_long` | blocker | a first comment that cannot be sent |
//! | `link.not_clickable` | advice | a link where links are only letters |
//! | `media.required`, `media.count`, `media.mixed` | blocker | none, too many, or kinds that cannot stand together |
//! | `media.kind`, `media.mime`, `media.bytes`, `media.empty`, `media.seconds`, `media.aspect`, `media.pixels`, `media.pixels_few`, `media.pages` | blocker | one that is not taken; what is unknown of it is not checked |
//! | `media.unrecognised` | blocker, advice where the platform takes any image, or fetches it from its address itself | bytes that were looked into and are surely not of the type that they are said to be |
//! | `media.address` | advice | bytes where the platform fetches media from an address |
//! | `media.alt_missing`, `media.alt_too_long` | advice, blocker | an image without words, or with too many |
//! | `cost.link` | advice | a link that makes the post dearer, where the platform bills each |
//! | `voice.banned`, `voice.disclosure` | blocker | what the brand never says, or must say |

mod cost;
pub(crate) mod media;
mod score;
mod text;
mod voice;

use serde::{Deserialize, Serialize};

use crate::{
    content::{Content, Voice},
    profile::{Profile, Status, TextUnit},
    text::entities,
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The platform would refuse it, or we do.
    Blocker,
    /// It would go out, and could be better.
    Advice,
}

/// One thing a check has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable id, such as `text.too_long`.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// Something that stands against sending it.
    #[must_use]
    pub fn blocker(
        rule: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Blocker,
            rule: rule.into(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// Something that could be better.
    #[must_use]
    pub fn advice(
        rule: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Advice,
            ..Self::blocker(rule, message, remedy)
        }
    }
}

/// What the checks say of one content on one platform.
///
/// The score is the sum of these parts. With a blocker it is at most 40: what cannot go out is not complete.
///
/// | part | points | for |
/// | --- | --- | --- |
/// | text | 30 | there is a text |
/// | length | 10 | it is as long as a tenth of the limit, or 100 where that is less |
/// | link | 15 | a link, or a network where links are only letters |
/// | media | 15 | an image, video or document, or a network that takes none |
/// | alt | 10 | the share of images with alternative text; all without images |
/// | hashtags | 10 | at least one and not too many |
/// | voice | 10 | the brand's rules are kept |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The text as it would be sent.
    pub text: String,
    /// Its length as the platform counts it.
    pub length: usize,
    /// The platform's limit.
    pub limit: Option<usize>,
    /// In which unit.
    pub unit: TextUnit,
    /// Blockers first.
    pub findings: Vec<Finding>,
    /// Completeness, 0 to 100.
    pub score: u8,
}

impl Report {
    /// Whether nothing stands against sending it.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.severity != Severity::Blocker)
    }

    /// Adds what others found, each in its place: before what was found of the same severity.
    pub fn add(&mut self, found: impl IntoIterator<Item = Finding>) {
        self.findings.splice(0..0, found);
        // Stable: within a severity they stay in the order of the rules.
        self.findings.sort_by_key(|finding| finding.severity);
        if !self.passes() {
            self.score = self.score.min(score::BLOCKED);
        }
    }

    /// The first blocker as an error.
    ///
    /// # Errors
    /// `InvalidInput` (`post`) with its rule and remedy.
    pub fn require(&self) -> crate::Result<()> {
        let blocker = self
            .findings
            .iter()
            .find(|finding| finding.severity == Severity::Blocker);
        match blocker {
            None => Ok(()),
            Some(blocker) => Err(crate::Error::invalid("post", blocker.message.clone())
                .with_rule(blocker.rule.clone())
                .with_remedy(blocker.remedy.clone())),
        }
    }
}

/// Checks what one account will say against its platform and the brand's voice.
///
/// ```
/// use automarket_core::{Platform, check::check, content::{Content, Media, MediaKind, Voice}, networks};
/// let photo = Media {
///     mime: Some("image/png".into()),
///     bytes: Some(9_000_000),
///     ..Media::address(MediaKind::Image, "https://acme.dev/photo.png".parse().unwrap())
/// };
/// let content = Content { media: vec![photo], ..Content::text("We shipped!") };
/// let report = check(&content, &networks::profile(&Platform::X).unwrap(), &Voice::default());
/// assert!(!report.passes());
/// assert_eq!(report.findings[0].rule, "media.bytes");
/// ```
#[must_use]
pub fn check(content: &Content, profile: &Profile, voice: &Voice) -> Report {
    let text = content.final_text(profile);
    let entities = entities(&text);
    let length = crate::text::length(&text, &profile.text);
    let limit = match profile.text.limit_with_media {
        Some(limit) if !content.media.is_empty() => Some(limit),
        _ => profile.text.limit,
    };
    let mut findings = Vec::new();
    status(profile, &mut findings);
    text::check(content, &text, length, limit, profile, &mut findings);
    text::check_entities(&entities, "the text", profile, &mut findings);
    text::check_link(content, &entities, profile, &mut findings);
    text::check_thread(content, profile, &mut findings);
    text::check_comment(content, profile, &mut findings);
    media::check(content, profile, &mut findings);
    cost::check(content, &entities, profile, &mut findings);
    voice::check(content, &text, voice, &mut findings);
    let mut report = Report {
        score: score::score(content, profile, &entities, length, limit, &findings),
        text,
        length,
        limit,
        unit: profile.text.unit,
        findings: Vec::new(),
    };
    report.add(findings);
    report
}

fn status(profile: &Profile, findings: &mut Vec<Finding>) {
    let name = profile.name;
    match profile.status {
        Status::Live => {}
        Status::Legacy(why) => findings.push(Finding::advice(
            "platform.legacy",
            format!("{name} still works: {why}"),
            "Plan for another platform",
        )),
        Status::Closed(why) => findings.push(Finding::blocker(
            "platform.closed",
            format!("{name} cannot be used: {why}"),
            "Take it out of the targets",
        )),
    }
}
