//! Whose token it is: the member, and the organisations for which the member may post.

use automarket_core::{Context, ErrorKind, Identity, Result};
use serde_json::Value;

use crate::{
    PLATFORM,
    api::{Api, PAGE},
    author::{organization, person},
    error::{ask, ask_if_allowed},
    wire::{Acl, Batch, Me, Organization, Page, UserInfo},
};

/// Roles that may post for a page.
const ROLES: [&str; 4] = [
    "ADMINISTRATOR",
    "CONTENT_ADMINISTRATOR",
    "CONTENT_ADMIN",
    "DIRECT_SPONSORED_CONTENT_POSTER",
];
/// Pages of roles that are read at the most.
const PAGES: usize = 10;

/// The member first, where the token may ask, then the organisations.
pub(crate) async fn identities(cx: &Context, api: &Api<'_>) -> Result<Vec<Identity>> {
    let member = member(cx, api).await;
    // An app may have nothing but its organisations.
    if member
        .as_ref()
        .is_err_and(|error| error.kind() != ErrorKind::Forbidden)
    {
        return member.map(|member| vec![member]);
    }
    let organizations = organizations(cx, api).await?;
    match member {
        Err(error) if organizations.is_empty() => Err(error),
        member => Ok(member.into_iter().chain(organizations).collect()),
    }
}

/// The member whose token it is: by OpenID, or for apps without it by the basic profile.
pub(crate) async fn member(cx: &Context, api: &Api<'_>) -> Result<Identity> {
    if let Some(user) = ask_if_allowed::<UserInfo>(cx, api.userinfo()?).await? {
        return Ok(named(person(&user.sub), user.name, None));
    }
    let me: Me = ask(cx, api.me()?).await?;
    let name = format!("{} {}", me.localized_first_name, me.localized_last_name);
    Ok(named(person(&me.id), name, me.vanity_name))
}

async fn organizations(cx: &Context, api: &Api<'_>) -> Result<Vec<Identity>> {
    let mut ids: Vec<String> = Vec::new();
    for page in 0..PAGES {
        let call = api.roles(page * PAGE)?;
        let Some(roles) = ask_if_allowed::<Page<Acl>>(cx, call).await? else {
            return Ok(Vec::new());
        };
        let last = roles.is_last();
        for acl in roles.elements {
            let able = ROLES.contains(&acl.role.as_str()) && acl.state == "APPROVED";
            let urn = acl.organization.or(acl.organization_target);
            let id = urn.as_deref().and_then(organization).map(str::to_owned);
            ids.extend(id.filter(|id| able && !ids.contains(id)));
        }
        if last {
            break;
        }
    }
    let mut found = Vec::new();
    for some in ids.chunks(50) {
        let named_ones: Option<Batch<Value>> = ask_if_allowed(cx, api.organizations(some)?).await?;
        let mut results = named_ones.map(|batch| batch.results).unwrap_or_default();
        for id in some {
            let known = results.remove(id);
            let known: Option<Organization> = known.and_then(|v| serde_json::from_value(v).ok());
            let (name, handle) = known.map_or((String::new(), None), |organization| {
                (organization.localized_name, organization.vanity_name)
            });
            found.push(named(format!("urn:li:organization:{id}"), name, handle));
        }
    }
    Ok(found)
}

/// An identity; one whose name cannot be read is called by its id.
fn named(urn: String, name: String, handle: Option<String>) -> Identity {
    let name = match name.trim() {
        "" => urn.clone(),
        name => name.to_owned(),
    };
    Identity {
        handle,
        ..Identity::new(urn, PLATFORM, name)
    }
}
