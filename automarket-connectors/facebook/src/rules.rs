//! What Facebook takes: the network's rules, and those of the options and of scheduling.

use automarket_connector_graph::VERSION;
use automarket_core::{
    Content, Delivery, Error, Profile, Result,
    check::{Finding, check},
    chrono::{DateTime, TimeDelta, Utc},
    content::{MediaKind, Voice},
    networks,
    profile::{Abilities, ApiVersion},
};

use crate::{FacebookOptions, PLATFORM};

/// How far ahead Facebook itself publishes.
const SCHEDULE: (TimeDelta, TimeDelta) = (TimeDelta::minutes(10), TimeDelta::days(30));
/// How long a reel is, in seconds.
const REEL: (f64, f64) = (3.0, 90.0);

pub(crate) fn profile() -> Profile {
    let source = "https://developers.facebook.com/docs/graph-api/changelog";
    let mut profile = networks::profile(&PLATFORM).unwrap_or_else(|| {
        Profile::new(PLATFORM, "Facebook Pages", ApiVersion::new(VERSION, source))
    });
    let mut abilities = Abilities::default();
    abilities.publish = true;
    abilities.first_comment = true;
    abilities.schedule = true;
    abilities.draft = true;
    abilities.find = true;
    abilities.measure = true;
    abilities.delete = true;
    profile.abilities = abilities;
    profile
}

/// Whether the content keeps all rules.
pub(crate) fn require(content: &Content, profile: &Profile, delivery: Delivery) -> Result<()> {
    let mut report = check(content, profile, &Voice::default());
    report.add(findings(content, delivery));
    report.require()
}

/// Whether Facebook would publish at this time.
pub(crate) fn require_time(due: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let ahead = due - now;
    if ahead >= SCHEDULE.0 && ahead <= SCHEDULE.1 {
        return Ok(());
    }
    Err(
        Error::invalid("delivery", "Facebook schedules 10 minutes to 30 days ahead")
            .with_platform(&PLATFORM)
            .with_rule("facebook.schedule")
            .with_remedy("schedule it with automarket, or choose another time"),
    )
}

/// The options of a content.
pub(crate) fn options(content: &Content) -> Result<FacebookOptions> {
    content.options()
}

/// Whether it is a video.
pub(crate) fn is_video(content: &Content) -> bool {
    let first = content.media.first();
    first.is_some_and(|media| media.kind == MediaKind::Video)
}

/// What is to be said of the options, and of the way it is to go out.
pub(crate) fn findings(content: &Content, delivery: Delivery) -> Vec<Finding> {
    let options = match options(content) {
        Ok(options) => options,
        Err(error) => {
            return vec![Finding::blocker(
                "facebook.options",
                error.message(),
                "Use FacebookOptions",
            )];
        }
    };
    let mut found = Vec::new();
    if options.reel && !is_video(content) {
        found.push(Finding::blocker(
            "facebook.reel",
            "a reel is a video",
            "Add a video, or set reel to false",
        ));
    }
    let seconds = content.media.first().and_then(|media| media.seconds);
    if let Some(seconds) = seconds.filter(|long| options.reel && !(REEL.0..=REEL.1).contains(long))
    {
        found.push(Finding::blocker(
            "facebook.reel_seconds",
            format!("a reel has 3 to 90 seconds, this has {seconds:.0}"),
            "Cut it, or post it as a video",
        ));
    }
    if is_video(content) && content.first_comment.is_some() {
        found.push(comment("a video, which Facebook makes public later"));
    }
    if delivery != Delivery::Now && content.first_comment.is_some() {
        found.push(comment("a post that is scheduled or a draft there"));
    }
    if options.title.is_some() && !is_video(content) {
        found.push(Finding::blocker(
            "facebook.title",
            "a title is for videos and reels",
            "Take it out, or say it in the text",
        ));
    }
    if options.place.is_some() && is_video(content) && !options.reel {
        found.push(Finding::blocker(
            "facebook.place",
            "Facebook takes no place for a video",
            "Take it out, or make it a reel",
        ));
    }
    let id = options.place.iter();
    for place in id.filter(|id| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        found.push(Finding::blocker(
            "facebook.place",
            format!("{place:?} is no id of a page"),
            "Name the page of the place by its number",
        ));
    }
    found
}

fn comment(of: &str) -> Finding {
    Finding::blocker(
        "facebook.first_comment",
        format!("there is no first comment under {of}"),
        "Take it out, or comment once it is public",
    )
}
