//! What X takes: the network's rules with what is known of this connector, and the rules of its options.

use automarket_core::{
    Content, Profile,
    check::Finding,
    networks,
    profile::{Abilities, ApiVersion, Prices},
    text::count,
};

use crate::{PLATFORM, XConfig, api::CREATE, connector::texts, options::XOptions};

/// What a longer post may have.
const LONG: usize = 25_000;
/// The rule of ids.
const ID: &str = "x.id";

pub(crate) fn profile(config: &XConfig) -> Profile {
    let mut profile = networks::profile(&PLATFORM)
        .unwrap_or_else(|| Profile::new(PLATFORM, "X", ApiVersion::new("2", "https://docs.x.com")));
    if config.long_posts {
        (profile.text.limit, profile.text.comment_limit) = (Some(LONG), Some(LONG));
        profile.text.fold = Some(280);
    }
    if !config.self_serve {
        profile.text.max_cashtags = None;
    }
    let mut abilities = Abilities::default();
    abilities.publish = true;
    abilities.first_comment = true;
    abilities.thread = true;
    abilities.find = true;
    abilities.measure = true;
    abilities.delete = true;
    profile.abilities = abilities;
    profile.bucket = Some(CREATE);
    // docs.x.com, pricing, 2026-08-22.
    profile.prices = Some(Prices {
        currency: "USD",
        post: 0.015,
        post_with_link: 0.2,
    });
    profile
}

/// What is to be said of the options.
pub(crate) fn findings(content: &Content, config: &XConfig) -> Vec<Finding> {
    let options: XOptions = match content.options() {
        Ok(options) => options,
        Err(error) => {
            return vec![Finding::blocker(
                "x.options",
                error.message(),
                "Use XOptions",
            )];
        }
    };
    let mut found = Vec::new();
    let attached = [
        ("media", !content.media.is_empty()),
        ("a poll", options.poll.is_some()),
        ("a quote", options.quote.is_some()),
    ];
    let attached: Vec<&str> = attached
        .iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| *name)
        .collect();
    if attached.len() > 1 {
        found.push(Finding::blocker(
            "x.exclusive",
            format!("X takes no {} in one post", attached.join(" and ")),
            "Keep one of them",
        ));
    }
    poll(&options, &mut found);
    let texts = texts(content, &profile(config));
    let again = |(at, text): (usize, &String)| !text.is_empty() && texts[..at].contains(text);
    if texts.iter().enumerate().any(again) {
        found.push(Finding::blocker(
            "x.repeated_part",
            "X takes no text twice: the thread would end before the part that repeats another",
            "Say it in other words",
        ));
    }
    let ids = [&options.reply_to, &options.quote, &options.community];
    let ids = ids.into_iter().flatten();
    for id in ids.chain(&options.exclude_reply_users) {
        if id.is_empty() || id.len() > 19 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            found.push(Finding::blocker(
                ID,
                "an id of X is 1 to 19 digits",
                "Take the number at the end of the post's address",
            ));
        }
    }
    if config.self_serve && options.reply_to.is_some() {
        found.push(Finding::advice(
            "x.reply_restricted",
            "X lets self-serve apps answer only where the author mentioned or quoted the account",
            "Answer by hand where that is not so",
        ));
    }
    if config.self_serve && options.quote.is_some() {
        found.push(Finding::blocker(
            "x.quote_restricted",
            "X lets self-serve apps quote nobody since 2026-04-20",
            "Put the post's address into the text, or set self_serve to false for an Enterprise app",
        ));
    }
    found
}

fn poll(options: &XOptions, found: &mut Vec<Finding>) {
    let Some(poll) = &options.poll else {
        return;
    };
    if !(2..=4).contains(&poll.options.len()) {
        found.push(Finding::blocker(
            "x.poll_options",
            format!(
                "a poll of X has 2 to 4 answers, this has {}",
                poll.options.len()
            ),
            "Add or take out answers",
        ));
    }
    let unit = automarket_core::profile::TextUnit::CodePoints;
    let long = |answer: &&String| !(1..=25).contains(&count(answer.trim(), unit, None));
    if let Some(answer) = poll.options.iter().find(long) {
        found.push(Finding::blocker(
            "x.poll_answer",
            format!("an answer of X's polls has 1 to 25 characters, not as many as \"{answer}\""),
            "Say it shorter",
        ));
    }
    if !(5..=10_080).contains(&poll.minutes) {
        found.push(Finding::blocker(
            "x.poll_minutes",
            format!(
                "X's polls are open 5 to 10080 minutes, not {}",
                poll.minutes
            ),
            "Choose a time within a week",
        ));
    }
}
