//! What came of posts.

use automarket_core::{Bytes, http_types::Response, testing::json_reply};
use serde_json::json;

use super::{Incoming, forbidden, problem, state::State};

pub(super) fn metadata(state: &State, call: &Incoming<'_>, urn: &str) -> Response<Bytes> {
    let Some(post) = state.post(urn) else {
        return problem(
            404,
            0,
            "NOT_FOUND",
            "The social metadata could not be found",
        );
    };
    if !state.reads(call.member, &post.author) {
        return forbidden("socialMetadata.GET.20261001");
    }
    let comments = post.comments.len();
    json_reply(
        200,
        &json!({
            "entity": urn, "id": urn, "commentsState": "OPEN",
            "reactionSummaries": {
                "LIKE": {"reactionType": "LIKE", "count": 9},
                "PRAISE": {"reactionType": "PRAISE", "count": 2},
            },
            "commentSummary": {"count": comments, "topLevelCount": comments},
        }),
    )
}

pub(super) fn statistics(state: &State, call: &Incoming<'_>) -> Response<Bytes> {
    let organization = call.one("organizationalEntity");
    if !state.reads(call.member, organization) || organization == call.member {
        return forbidden(
            "organizationalEntityShareStatistics.FINDER-organizationalEntity.20261001",
        );
    }
    let mut elements = Vec::new();
    for (list, field, kind) in [
        ("shares", "share", "urn:li:share:"),
        ("ugcPosts", "ugcPost", "urn:li:ugcPost:"),
    ] {
        for urn in call.list(list) {
            if !urn.starts_with(kind) {
                return problem(400, 100, "ILLEGAL_ARGUMENT", "not a URN of this list");
            }
            // What nobody saw yet is left out.
            if state.post(urn).is_some_and(|post| post.at < call.now) {
                elements.push(json!({
                    field: urn, "organizationalEntity": organization,
                    "totalShareStatistics": {
                        "impressionCount": 500, "uniqueImpressionsCount": 320, "clickCount": 17,
                        "likeCount": 11, "commentCount": 3, "shareCount": 4, "engagement": 0.07,
                    },
                }));
            }
        }
    }
    json_reply(
        200,
        &json!({"elements": elements, "paging": {"start": 0, "count": 10, "links": []}}),
    )
}

pub(super) fn analytics(state: &State, call: &Incoming<'_>) -> Response<Bytes> {
    if !state.analytics {
        return forbidden("memberCreatorPostAnalytics.FINDER-entity.20261001");
    }
    let entity = call
        .one("entity")
        .trim_start_matches('(')
        .trim_end_matches(')');
    let urn = entity
        .split_once(':')
        .map(|(_, urn)| urn)
        .unwrap_or_default();
    let Some(_) = state.post(urn).filter(|post| post.author == call.member) else {
        return problem(404, 0, "NOT_FOUND", "no such post");
    };
    let number = call.one("queryType");
    let count = match number {
        "IMPRESSION" => json!({"count": 210}),
        "MEMBERS_REACHED" => json!({"value": 150}),
        "RESHARE" => json!({"count": 2}),
        "REACTION" => json!({"count": 8}),
        "COMMENT" => json!({"count": 1}),
        _ => return problem(400, 100, "ILLEGAL_ARGUMENT", "queryType is unknown"),
    };
    let mut element = count;
    element["metricType"] = json!(number);
    json_reply(
        200,
        &json!({"elements": [element], "paging": {"start": 0, "count": 10, "links": []}}),
    )
}
