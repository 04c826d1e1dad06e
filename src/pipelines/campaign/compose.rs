//! From drafts to a campaign that passes its checks: pure, so that a resumption comes to the same.

use automarket_core::{
    CampaignId, Delivery, JobId, Media, Platform, Post, PostId, Profile, Url, Variant,
    ai::{Brief, Drafts, GroundingSource, PAGE_CHARS, Ungrounded, UngroundedKind, source_text},
    check::{Finding, Report, Severity},
    chrono::{DateTime, Utc},
    content::{Campaign, CampaignStatus, MediaKind, Utm},
    profile::{LinkPlace, TextRules},
    source::Page,
    text,
};
use serde::{Deserialize, Serialize};

use super::{CampaignRequest, Mode, REVIEW_TIME, Route, lanes::Lane};

/// A campaign and its texts as they were checked. The run goes by this from then on, whatever becomes of accounts
/// and rules.
#[derive(Serialize, Deserialize)]
pub(super) struct Composed {
    pub(super) campaign: Campaign,
    /// In the order of the request.
    pub(super) texts: Vec<Text>,
}

/// What one network says.
#[derive(Serialize, Deserialize)]
pub(super) struct Text {
    pub(super) network: Platform,
    pub(super) route: Route,
    pub(super) report: Report,
    pub(super) link: Option<Url>,
    /// Whether it is a draft for a platform that has none.
    pub(super) kept_here: bool,
}

/// The post of a run: one for each.
pub(super) fn post_id(run: JobId) -> PostId {
    PostId::derived(&format!("campaign post {run}"))
}

/// The post of those of its texts that are kept here as drafts: its delivery is another.
pub(super) fn kept_id(run: JobId) -> PostId {
    PostId::derived(&format!("campaign drafts {run}"))
}

/// What the generator is asked.
pub(super) fn brief(request: &CampaignRequest, page: &Page, lanes: &[Lane]) -> Brief {
    let utm = utm(page);
    Brief {
        page: page.clone(),
        voice: request.voice.clone(),
        targets: lanes.iter().map(|lane| lane.rules.clone()).collect(),
        reserve: lanes
            .iter()
            .map(|lane| reserve(lane, link(page, &utm, lane).as_ref(), request))
            .collect(),
    }
}

/// Units that the link and the brand's disclosure will take.
fn reserve(lane: &Lane, link: Option<&Url>, request: &CampaignRequest) -> usize {
    let in_text = lane.rules.text.link == LinkPlace::Text;
    let link = link.filter(|_| in_text).map_or(0, |link| {
        text::length(&format!("\n\n{link}"), &lane.rules.text)
    });
    link + text::length(&disclosure_tail(request), &lane.rules.text)
}

/// Whether the brand's disclosure leaves room for a text at all.
pub(super) fn leaves_room(request: &CampaignRequest, lane: &Lane) -> bool {
    let (tail, rules) = (disclosure_tail(request), &lane.rules.text);
    rules
        .limit
        .is_none_or(|limit| text::length(&tail, rules) < limit)
        && rules
            .also
            .is_none_or(|(unit, limit)| text::count(&tail, unit, None) < limit)
}

/// Puts the campaign together as of `at`.
pub(super) fn compose(
    request: &CampaignRequest,
    run: JobId,
    at: DateTime<Utc>,
    page: &Page,
    drafts: &Drafts,
    lanes: &[Lane],
) -> Composed {
    let mut brand = page.brand();
    brand.voice = request.voice.clone();
    let utm = utm(page);
    let native = |able: fn(&Profile) -> bool| {
        lanes
            .iter()
            .filter(|l| l.route.account().is_some())
            .all(|l| able(&l.rules))
    };
    let delivery = match request.mode {
        // For now: the hour follows when the posts are handed over.
        Mode::Review if native(|profile| profile.abilities.schedule) => {
            Delivery::At(at + REVIEW_TIME)
        }
        Mode::Draft => Delivery::Draft,
        Mode::Review | Mode::Immediate => Delivery::Now,
    };
    let mut post = Post::text("").delivery(delivery);
    post.id = post_id(run);
    let id = CampaignId::derived_at(&format!("campaign {run}"), at);
    post.campaign = Some(id);
    // What the brand says of itself need not stand on the page.
    let source = format!("{}{}", source_text(page), disclosure_tail(request));
    let source = GroundingSource::new(&source);
    let mut texts = Vec::new();
    // A model is shown less of it than is read.
    let unseen = drafts.model.is_some() && page.text.chars().nth(PAGE_CHARS).is_some();
    let cut = page.truncated || unseen;
    for (lane, draft) in lanes.iter().zip(&drafts.texts) {
        let (variant, mut report) = write(lane, &draft.text, page, &source, &utm, request);
        report.add(cut.then(|| {
            Finding::advice(
                "page.truncated",
                "the texts were written from a part of the page",
                "see whether what matters is in it",
            )
        }));
        texts.push(Text {
            network: lane.network.clone(),
            route: lane.route.clone(),
            report,
            link: variant.link.clone(),
            kept_here: request.mode == Mode::Draft && !lane.rules.abilities.draft,
        });
        post = post.variant(lane.network.clone(), variant);
    }
    let campaign = Campaign {
        id,
        name: drafts.name.clone(),
        description: drafts.description.clone(),
        source: page.url.clone(),
        brand,
        post,
        utm,
        status: CampaignStatus::Draft,
        created_at: at,
    };
    Composed { campaign, texts }
}

/// What one network says: the draft with disclosure, link and picture, shortened where it must be. The disclosure is
/// never what is cut off.
fn write(
    lane: &Lane,
    draft: &str,
    page: &Page,
    source: &GroundingSource,
    utm: &Utm,
    request: &CampaignRequest,
) -> (Variant, Report) {
    let (draft, rules) = (draft.trim(), &lane.rules.text);
    let tail = disclosure_tail(request);
    let image = page.image.clone().filter(|_| lane.rules.media.required);
    let title = storable(page.title.as_deref().unwrap_or_default());
    let alt = text::fit(&title, &TextRules::default(), lane.rules.media.alt_limit).text;
    let beside = Variant {
        link: link(page, utm, lane),
        media: image.map(|url| vec![Media::address(MediaKind::Image, url).alt(alt)]),
        ..Variant::default()
    };
    let judge = |variant: &Variant| lane.judge(variant, &request.voice);
    let disclosed = |draft: &str| {
        let says = |text| Variant {
            text: Some(text),
            ..beside.clone()
        };
        let alone = says(draft.to_owned());
        let lacks = |finding: &Finding| finding.rule == "voice.disclosure";
        let held = !judge(&alone).findings.iter().any(lacks);
        match held && is_labelled(draft, tail.trim()) {
            true => alone,
            false => says(format!("{draft}{tail}")),
        }
    };
    let mut variant = disclosed(draft);
    let mut report = judge(&variant);
    let over = |finding: &Finding| matches!(&*finding.rule, "text.too_long" | "text.also_too_long");
    if report.findings.iter().any(over) {
        let said = variant.text.as_deref().unwrap_or_default();
        // What stands there beside the draft: the link, and the disclosure.
        let beside = |length: &dyn Fn(&str) -> usize| {
            length(&report.text).saturating_sub(length(said)) + length(&tail)
        };
        let link = beside(&|text| text::length(text, rules));
        let room = report.limit.map(|limit| limit.saturating_sub(link));
        let also = rules.also.map(|(unit, limit)| {
            let link = beside(&|text| text::count(text, unit, None));
            (unit, limit.saturating_sub(link))
        });
        let mut left = rules.clone();
        left.also = also;
        let cut = shortened(draft, &left, room);
        variant = disclosed(&cut);
        report = judge(&variant);
        // The link and the disclosure alone are no post.
        report.add([match cut.trim_end_matches('…').trim() {
            "" => Finding::blocker(
                "text.shortened",
                "the generated text was too long and nothing of it fits",
                "write a shorter one",
            ),
            _ => Finding::advice(
                "text.shortened",
                "the generated text was too long and was cut",
                "read it again before it goes out",
            ),
        }]);
    }
    let said = variant.text.unwrap_or_default();
    report.add(unsupported(source, &said));
    variant.text = Some(storable(&said));
    (variant, report)
}

/// The draft cut to its room, where need be before a figure that it has not as such: `$3.5` of `$3.5 million`.
fn shortened(draft: &str, rules: &TextRules, room: Option<usize>) -> String {
    let whole = GroundingSource::new(draft);
    let mut cut = text::fit(draft, rules, room);
    let is_figure = |claim: &Ungrounded| claim.kind == UngroundedKind::Figure;
    while let Some(figure) = whole.ungrounded(&cut.text).into_iter().find(is_figure) {
        let head = cut.text.rfind(&figure.text);
        let room = match head.and_then(|at| cut.text.get(..at)) {
            Some(head) => text::length(head, rules),
            // Of `５０００` the claim is `5000`, which is not to be found: it is the last one.
            None => {
                let head = cut.text.trim_end_matches(|c: char| !c.is_numeric());
                let head = head.trim_end_matches(char::is_numeric);
                text::length(&format!("{head}…"), rules)
            }
        };
        // Less each time.
        let less = cut.length.saturating_sub(1);
        cut = text::fit(draft, rules, Some(room.min(less)));
    }
    cut.text
}

/// No store holds a post with U+0000. A text with it is refused, yet stands in the post of the others.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// What stands under a text for the brand's disclosure; nothing without one.
fn disclosure_tail(request: &CampaignRequest) -> String {
    match request.voice.disclosure.as_deref().map(str::trim) {
        None | Some("") => String::new(),
        Some(words) => format!("\n\n{words}"),
    }
}

/// Whether a draft that holds the disclosure has it as a tag or as lines of its own. Within a sentence it may say the
/// opposite (`without any advertising`); a second label does no harm.
fn is_labelled(draft: &str, words: &str) -> bool {
    let lines = |text: &str| format!("\n{text}\n");
    words.is_empty() || words.starts_with('#') || lines(draft).contains(&lines(words))
}

/// Claims that the page does not make. Figures and addresses stop a text; a name may be a false alarm.
fn unsupported(source: &GroundingSource, text: &str) -> Vec<Finding> {
    let finding = |claim: Ungrounded| {
        let (severity, rule, what) = match claim.kind {
            UngroundedKind::Figure => (Severity::Blocker, "grounding.figure", "figure"),
            UngroundedKind::Url => (Severity::Blocker, "grounding.url", "address"),
            UngroundedKind::Name => (Severity::Advice, "grounding.name", "name"),
        };
        Finding {
            severity,
            rule: rule.into(),
            message: format!("the page does not contain the {what} \"{}\"", claim.text),
            remedy: "take it out, or say it on the page".into(),
        }
    };
    source.ungrounded(text).into_iter().map(finding).collect()
}

fn utm(page: &Page) -> Utm {
    let name = page
        .title
        .as_deref()
        .or(page.site_name.as_deref())
        .unwrap_or("campaign");
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug: String = slug.chars().take(60).collect();
    Utm::campaign(slug.trim_end_matches('-'))
}

/// The page's address, tagged for the network.
fn link(page: &Page, utm: &Utm, lane: &Lane) -> Option<Url> {
    page.url
        .as_ref()
        .map(|url| utm.with_source(lane.network.as_str()).tag(url))
}
