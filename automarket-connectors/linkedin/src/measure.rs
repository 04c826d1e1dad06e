//! What came of a post: share statistics of organisations, analytics of members, and the social counts of both.

use std::collections::BTreeMap;

use automarket_core::{Context, Error, ErrorKind, Metrics, Result};
use serde_json::{Value, json};

use crate::{
    PLATFORM,
    api::Api,
    author::Author,
    error::ask_if_allowed,
    wire::{Analytics, Page, ShareStatistics, SocialMetadata},
};

/// What is asked of a member's post, one call each.
const ANALYTICS: [&str; 5] = [
    "IMPRESSION",
    "MEMBERS_REACHED",
    "RESHARE",
    "REACTION",
    "COMMENT",
];

/// The numbers that the token may read.
///
/// # Errors
/// `Forbidden` when it may read none of them.
pub(crate) async fn metrics(
    cx: &Context,
    api: &Api<'_>,
    author: &Author,
    post: &str,
) -> Result<Metrics> {
    let social: Option<SocialMetadata> = ask_if_allowed(cx, api.social_metadata(post)?).await?;
    let numbers = if author.is_member() {
        of_member(cx, api, post).await?
    } else {
        of_organization(cx, api, author, post).await?
    };
    if social.is_none() && numbers.is_none() {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "the token may not read what came of the post",
        )
        .with_platform(&PLATFORM)
        .with_operation("posts.measure")
        .with_remedy("numbers need the Community Management API: r_organization_social for an organisation, r_member_postAnalytics for a member"));
    }
    let mut metrics = numbers.unwrap_or_default();
    if let Some(social) = social {
        add(&mut metrics, &social);
    }
    Ok(metrics)
}

async fn of_organization(
    cx: &Context,
    api: &Api<'_>,
    author: &Author,
    post: &str,
) -> Result<Option<Metrics>> {
    let call = api.share_statistics(author, post)?;
    let Some(mut page) = ask_if_allowed::<Page<ShareStatistics>>(cx, call).await? else {
        return Ok(None);
    };
    // A post without activity may be missing.
    let Some(statistics) = page.elements.pop() else {
        return Ok(Some(Metrics::default()));
    };
    let total = statistics.total_share_statistics;
    let number = |name: &str| total.get(name).and_then(Value::as_u64);
    Ok(Some(Metrics {
        impressions: number("impressionCount"),
        reach: number("uniqueImpressionsCount"),
        likes: number("likeCount"),
        comments: number("commentCount"),
        shares: number("shareCount"),
        clicks: number("clickCount"),
        raw: prefixed("statistics", total),
        ..Metrics::default()
    }))
}

async fn of_member(cx: &Context, api: &Api<'_>, post: &str) -> Result<Option<Metrics>> {
    let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
    for name in ANALYTICS {
        let call = api.post_analytics(post, name)?;
        let Some(page) = ask_if_allowed::<Page<Analytics>>(cx, call).await? else {
            return Ok(None);
        };
        let first = page.elements.first();
        if let Some(number) = first.and_then(|one| one.count.or(one.value)) {
            numbers.insert(name, number);
        }
    }
    let number = |name: &str| numbers.get(name).copied();
    let raw = numbers
        .iter()
        .map(|(name, n)| ((*name).to_owned(), json!(n)));
    Ok(Some(Metrics {
        impressions: number("IMPRESSION"),
        reach: number("MEMBERS_REACHED"),
        shares: number("RESHARE"),
        likes: number("REACTION"),
        comments: number("COMMENT"),
        raw: prefixed("analytics", raw.collect()),
        ..Metrics::default()
    }))
}

/// The social counts fill what the numbers do not say.
fn add(metrics: &mut Metrics, social: &SocialMetadata) {
    let reactions = &social.reaction_summaries;
    let counts: Vec<u64> = reactions.values().filter_map(|one| one.count).collect();
    let comments = social.comment_summary.as_ref().and_then(|one| one.count);
    metrics.likes = metrics.likes.or(Some(counts.iter().sum()));
    metrics.comments = metrics.comments.or(comments);
    let named = reactions
        .iter()
        .map(|(name, one)| (name.clone(), one.count));
    let all = named.chain([("comments".to_owned(), comments)]);
    let known = all.filter_map(|(name, count)| Some((name, json!(count?))));
    metrics.raw.extend(prefixed("social", known.collect()));
}

fn prefixed(group: &str, values: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let named = values.into_iter();
    named
        .map(|(name, value)| (format!("{group}.{name}"), value))
        .collect()
}
