//! What posts cost, where the platform bills each.

use super::Finding;
use crate::{
    content::Content,
    profile::Profile,
    text::{Entities, entities},
};

/// `first` is what is clickable in the text of the first part.
pub(super) fn check(
    content: &Content,
    first: &Entities,
    profile: &Profile,
    findings: &mut Vec<Finding>,
) {
    let Some(prices) = profile.prices else {
        return;
    };
    let comment = content.first_comment.iter();
    let replies = content.thread.iter().chain(comment);
    let linked: Vec<bool> = std::iter::once(!first.urls.is_empty())
        .chain(replies.map(|text| !entities(text).urls.is_empty()))
        .collect();
    let with_link = linked.iter().filter(|linked| **linked).count();
    if with_link == 0 {
        return;
    }
    let price = |linked: &bool| {
        if *linked {
            prices.post_with_link
        } else {
            prices.post
        }
    };
    let total: f64 = linked.iter().map(price).sum();
    findings.push(Finding::advice(
        "cost.link",
        format!(
            "this costs about {total:.3} {} on {}: a post with a link is {}, one without {}",
            prices.currency, profile.name, prices.post_with_link, prices.post
        ),
        "Leave the link out where it is not needed",
    ));
}
