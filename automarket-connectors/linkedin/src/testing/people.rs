//! Members and the organisations that they administer.

use automarket_core::{Bytes, http_types::Response, testing::json_reply};
use serde_json::{Value, json};

use super::{
    Incoming, MEMBER, ORGANIZATION, OTHER_ORGANIZATION, forbidden, problem,
    state::{State, administered},
};

fn name(member: &str) -> (&'static str, &'static str) {
    if member == MEMBER {
        ("Anna", "Acker")
    } else {
        ("Bob", "Baker")
    }
}

fn id(urn: &str) -> &str {
    urn.rsplit(':').next().unwrap_or_default()
}

pub(super) fn userinfo(state: &State, call: &Incoming<'_>) -> Response<Bytes> {
    if !state.openid {
        return forbidden("userInfo.GET.NO_VERSION");
    }
    let (first, last) = name(call.member);
    json_reply(
        200,
        &json!({
            "sub": id(call.member), "name": format!("{first} {last}"), "given_name": first,
            "family_name": last, "locale": {"country": "US", "language": "en"},
        }),
    )
}

pub(super) fn me(state: &State, call: &Incoming<'_>) -> Response<Bytes> {
    if !state.community {
        return forbidden("me.GET.NO_VERSION");
    }
    let (first, last) = name(call.member);
    json_reply(
        200,
        &json!({
            "id": id(call.member), "localizedFirstName": first, "localizedLastName": last,
            "vanityName": first.to_lowercase(),
        }),
    )
}

pub(super) fn roles(state: &State, call: &Incoming<'_>) -> Response<Bytes> {
    if !state.community {
        return forbidden("organizationAcls.FINDER-roleAssignee.20261001");
    }
    if call.one("q") != "roleAssignee" {
        return problem(400, 100, "ILLEGAL_ARGUMENT", "q is not roleAssignee");
    }
    let role = |organization: &str, role: &str| {
        json!({
            "organization": organization, "role": role, "state": "APPROVED",
            "roleAssignee": call.member,
        })
    };
    let own = administered(call.member);
    let others =
        (0..state.other_roles).map(|n| role(&format!("urn:li:organization:1{n}"), "ANALYST"));
    let all = others.chain([
        role(own, "ADMINISTRATOR"),
        role("urn:li:organization:99", "ANALYST"),
        role(own, "DIRECT_SPONSORED_CONTENT_POSTER"),
    ]);
    let (start, count) = call.page();
    let page: Vec<Value> = state.page(all, start, count);
    let paging = json!({"start": start, "count": count, "links": []});
    json_reply(200, &json!({"elements": page, "paging": paging}))
}

pub(super) fn organizations(state: &State, call: &Incoming<'_>) -> Response<Bytes> {
    if !state.community || call.method != "BATCH_GET" {
        return forbidden("organizations.BATCH_GET.20261001");
    }
    let mut results = json!({});
    for id in call.list("ids") {
        let urn = format!("urn:li:organization:{id}");
        let (name, vanity) = match urn.as_str() {
            ORGANIZATION => ("Acme", "acme"),
            OTHER_ORGANIZATION => ("Globex", "globex"),
            _ => continue,
        };
        results[id] =
            json!({"id": id.parse::<u64>().ok(), "localizedName": name, "vanityName": vanity});
    }
    json_reply(
        200,
        &json!({"results": results, "statuses": {}, "errors": {}}),
    )
}
