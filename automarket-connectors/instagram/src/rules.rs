//! What Instagram takes: the network's rules, and those of stories, reels and the options.

use automarket_connector_graph::VERSION;
use automarket_core::{
    Content, Profile, Result,
    check::{Finding, check},
    content::{Media, MediaKind, Voice},
    networks,
    profile::{Abilities, ApiVersion},
};

use crate::{InstagramOptions, Login, PLATFORM};

/// Width divided by height of an image that is no story.
const ASPECT: (f64, f64) = (0.8, 1.91);
/// How long a story's video is, in seconds, and how large.
const STORY: (f64, f64) = (3.0, 60.0);
const STORY_BYTES: u64 = 100_000_000;
const COLLABORATORS: usize = 3;

pub(crate) fn profile(login: Login) -> Profile {
    let source = "https://developers.facebook.com/docs/instagram-platform";
    let mut profile = networks::profile(&PLATFORM)
        .unwrap_or_else(|| Profile::new(PLATFORM, "Instagram", ApiVersion::new(VERSION, source)));
    // Stories have any; the others are held to it below.
    if let Some(image) = &mut profile.media.image {
        image.aspect = None;
    }
    let mut abilities = Abilities::default();
    abilities.publish = true;
    abilities.first_comment = true;
    abilities.find = true;
    abilities.measure = true;
    abilities.delete = login == Login::Facebook;
    profile.abilities = abilities;
    profile
}

/// Whether the content keeps all rules.
pub(crate) fn require(content: &Content, profile: &Profile) -> Result<()> {
    let mut report = check(content, profile, &Voice::default());
    report.add(findings(content));
    report.require()
}

/// Whether it is one video.
pub(crate) fn is_reel(content: &Content) -> bool {
    let mut media = content.media.iter();
    content.media.len() == 1 && media.all(|media| media.kind == MediaKind::Video)
}

/// What is to be said of the options, and of media that they make something else of.
pub(crate) fn findings(content: &Content) -> Vec<Finding> {
    let options: InstagramOptions = match content.options() {
        Ok(options) => options,
        Err(error) => {
            return vec![Finding::blocker(
                "instagram.options",
                error.message(),
                "Use InstagramOptions",
            )];
        }
    };
    let mut found = Vec::new();
    if options.story {
        story(content, &options, &mut found);
    } else {
        content
            .media
            .iter()
            .filter_map(aspect)
            .for_each(|one| found.push(one));
    }
    let reel = is_reel(content) && !options.story;
    let of_reels = options.share_to_feed.is_some()
        || options.cover.is_some()
        || options.cover_at.is_some()
        || options.audio_name.is_some();
    if of_reels && !reel {
        found.push(Finding::blocker(
            "instagram.reel",
            "a cover, a sound's name and a place in the feed are for reels",
            "Take them out, or post one video",
        ));
    }
    if options
        .cover
        .as_ref()
        .is_some_and(|cover| cover.scheme() != "https")
    {
        found.push(Finding::blocker(
            "instagram.cover",
            "a cover is fetched by https",
            "Give it an https address",
        ));
    }
    if options.collaborators.len() > COLLABORATORS {
        let count = options.collaborators.len();
        found.push(Finding::blocker(
            "instagram.collaborators",
            format!("Instagram takes 3 collaborators, these are {count}"),
            "Leave some out",
        ));
    }
    tags(content, &options, reel, &mut found);
    let digits = |id: &&String| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(place) = options.location.as_ref().filter(digits) {
        found.push(Finding::blocker(
            "instagram.location",
            format!("{place:?} is no id of a page"),
            "Name the page of the place by its number",
        ));
    }
    found
}

fn story(content: &Content, options: &InstagramOptions, found: &mut Vec<Finding>) {
    let mut block = |message: &str, remedy: &str| {
        found.push(Finding::blocker("instagram.story", message, remedy));
    };
    if content.media.len() != 1 {
        block(
            "a story is one image or video",
            "Make a story of each, or post them as a carousel",
        );
    }
    if content.first_comment.is_some() || !options.collaborators.is_empty() {
        block(
            "a story has no comments and no collaborators",
            "Take them out",
        );
    }
    for media in content
        .media
        .iter()
        .filter(|media| media.kind == MediaKind::Video)
    {
        let long = |seconds: f64| !(STORY.0..=STORY.1).contains(&seconds);
        if media.seconds.is_some_and(long) || media.bytes.is_some_and(|size| size > STORY_BYTES) {
            block(
                "a story's video has 3 to 60 seconds and 100 MB at the most",
                "Cut it, or post it as a reel",
            );
        }
    }
    if !content.text.trim().is_empty() {
        found.push(Finding::advice(
            "instagram.story_text",
            "Instagram does not show a story's text",
            "Put the words into the image",
        ));
    }
}

fn aspect(media: &Media) -> Option<Finding> {
    let (width, height) = (f64::from(media.width?), f64::from(media.height?));
    // As in core, the last pixel is forgiven.
    let fits = (width + 1.0) / height >= ASPECT.0 && width / (height + 1.0) <= ASPECT.1;
    let image = media.kind == MediaKind::Image && height > 0.0;
    (image && !fits).then(|| {
        Finding::blocker(
            "media.aspect",
            "an image on Instagram is between 4:5 and 1.91:1",
            "Crop it, or make it a story",
        )
    })
}

fn tags(content: &Content, options: &InstagramOptions, reel: bool, found: &mut Vec<Finding>) {
    if options.user_tags.is_empty() {
        return;
    }
    let within = |place: Option<f64>| place.is_some_and(|place| (0.0..=1.0).contains(&place));
    let placed = options
        .user_tags
        .iter()
        .all(|tag| within(tag.x) && within(tag.y));
    let bare = options
        .user_tags
        .iter()
        .all(|tag| tag.x.is_none() && tag.y.is_none());
    let fits = if reel { bare } else { placed };
    if !fits || content.media.len() != 1 || options.story {
        found.push(Finding::blocker(
            "instagram.user_tags",
            "people are tagged in one image, at places from 0 to 1, or in a reel, without places",
            "Use UserTag::at for an image and UserTag::new for a reel",
        ));
    }
}
