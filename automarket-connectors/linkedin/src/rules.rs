//! What LinkedIn takes: the network's rules with what is known of this connector, and the rules of its options.

use automarket_core::{
    Content, Delivery, Media, Profile, Result,
    check::{Finding, check},
    content::{MediaKind, Voice},
    networks,
    profile::{Abilities, ApiVersion, TextUnit},
    store::Account,
    text::count,
};

use crate::{LinkedInOptions, PLATFORM, Visibility, api::CREATE, author::is_member};

/// Pixels of an image have to be fewer.
const PIXELS: u64 = 36_152_320;
/// What a video has at the least.
const VIDEO_BYTES: u64 = 75 * 1024;

pub(crate) fn profile() -> Profile {
    let mut profile = networks::profile(&PLATFORM).unwrap_or_else(|| {
        let api = ApiVersion::new("202610", "https://learn.microsoft.com/linkedin");
        Profile::new(PLATFORM, "LinkedIn", api)
    });
    let mut abilities = Abilities::default();
    abilities.publish = true;
    abilities.first_comment = true;
    abilities.draft = true;
    abilities.find = true;
    abilities.measure = true;
    abilities.delete = true;
    profile.abilities = abilities;
    profile.bucket = Some(CREATE);
    profile
}

/// Whether the content keeps all rules: the profile's and those of its options.
pub(crate) fn require(content: &Content, profile: &Profile) -> Result<()> {
    let mut report = check(content, profile, &Voice::default());
    report.add(findings(content, Delivery::Now, None));
    report.require()
}

/// What is to be said of the options, of media as far as it is known, and of the way it is to go out. Without account
/// it is a member's.
pub(crate) fn findings(
    content: &Content,
    delivery: Delivery,
    account: Option<&Account>,
) -> Vec<Finding> {
    let options: LinkedInOptions = match content.options() {
        Ok(options) => options,
        Err(error) => {
            return vec![Finding::blocker(
                "linkedin.options",
                error.message(),
                "Use LinkedInOptions",
            )];
        }
    };
    let mut found = Vec::new();
    let card = content.link.is_some() && content.media.is_empty();
    let attached: Vec<&str> = [
        ("media", !content.media.is_empty()),
        ("a link's card", card),
        ("a poll", options.poll.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, there)| there.then_some(name))
    .collect();
    if options.poll.is_some() && attached.len() > 1 {
        found.push(Finding::blocker(
            "linkedin.exclusive",
            format!("LinkedIn takes no {} in one post", attached.join(" and ")),
            "Keep one of them; a link can stand in the text",
        ));
    }
    if card && options.title.is_none() {
        found.push(Finding::advice(
            "linkedin.card_title",
            "LinkedIn reads nothing from the page, so the card shows the link's host alone",
            "Set LinkedInOptions::title, and a thumbnail",
        ));
    }
    for media in content.media.iter().chain(&options.thumbnail) {
        check_media(media, &options, &mut found);
    }
    poll(&options, &mut found);
    let organisation = account.is_some_and(|account| !is_member(&account.remote_id));
    if organisation && options.visibility == Visibility::Connections {
        found.push(Finding::blocker(
            "linkedin.visibility",
            "an organisation has no connections to show a post to",
            "Make it public, or post as a member",
        ));
    }
    if delivery == Delivery::Draft && content.first_comment.is_some() {
        found.push(Finding::blocker(
            "linkedin.draft_comment",
            "there is no comment under a draft",
            "Take it out, or comment once it is public",
        ));
    }
    if content.first_comment.is_some() {
        found.push(Finding::advice(
            "linkedin.comment_scope",
            "LinkedIn takes comments with w_member_social_feed or w_organization_social_feed alone, which oauth() \
             does not ask for; without it the post stands without its comment",
            "Ask for the scope, with an app of the Community Management API, or say it in the text",
        ));
    }
    found
}

fn check_media(media: &Media, options: &LinkedInOptions, found: &mut Vec<Finding>) {
    let pixels = media
        .width
        .zip(media.height)
        .map(|(width, height)| u64::from(width) * u64::from(height));
    let image = matches!(media.kind, MediaKind::Image | MediaKind::Gif);
    if image && pixels.is_some_and(|pixels| pixels >= PIXELS) {
        found.push(Finding::blocker(
            "linkedin.pixels",
            format!("an image of LinkedIn has fewer than {PIXELS} pixels"),
            "Scale it down",
        ));
    }
    if media.kind == MediaKind::Video && media.bytes.is_some_and(|bytes| bytes < VIDEO_BYTES) {
        found.push(Finding::blocker(
            "linkedin.video_small",
            format!("a video of LinkedIn has {VIDEO_BYTES} bytes at the least"),
            "Bring it in a better quality",
        ));
    }
    if media.kind == MediaKind::Document && title(media, options).is_none() {
        found.push(Finding::blocker(
            "linkedin.document_title",
            "a document of LinkedIn has a title",
            "Set LinkedInOptions::title, or the media's name",
        ));
    }
}

/// The title of a document, image or video.
pub(crate) fn title<'a>(media: &'a Media, options: &'a LinkedInOptions) -> Option<&'a str> {
    let name = (media.kind == MediaKind::Document).then_some(media.name.as_deref());
    let titles = [options.title.as_deref(), name.flatten()];
    let mut titles = titles.into_iter().flatten();
    titles.find(|title| !title.trim().is_empty())
}

fn poll(options: &LinkedInOptions, found: &mut Vec<Finding>) {
    let Some(poll) = &options.poll else {
        return;
    };
    if !(1..=140).contains(&length(&poll.question)) {
        found.push(Finding::blocker(
            "linkedin.poll_question",
            "a poll of LinkedIn asks in 1 to 140 characters",
            "Say it shorter",
        ));
    }
    if !(2..=4).contains(&poll.options.len()) {
        found.push(Finding::blocker(
            "linkedin.poll_options",
            format!(
                "a poll of LinkedIn has 2 to 4 answers, this has {}",
                poll.options.len()
            ),
            "Add or take out answers",
        ));
    }
    let long = |answer: &&String| !(1..=30).contains(&length(answer));
    if let Some(answer) = poll.options.iter().find(long) {
        found.push(Finding::blocker(
            "linkedin.poll_answer",
            format!(
                "an answer of LinkedIn's polls has 1 to 30 characters, not as many as \"{answer}\""
            ),
            "Say it shorter",
        ));
    }
}

fn length(text: &str) -> usize {
    count(text.trim(), TextUnit::Utf16, None)
}
