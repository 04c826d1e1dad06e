use automarket_core::oauth::{
    ClientAuth, Meaning, Method, Provider, Refresh, Revocation, RevokeBy,
};

/// LinkedIn's words for a dead token or code, beside `invalid_grant`. The code alone is what it says of wrong
/// requests as well.
const CODES: &[(&str, Meaning)] = &[
    (
        "invalid_request: The provided authorization grant or refresh token is invalid",
        Meaning::GrantDead,
    ),
    (
        "invalid_request: Unable to retrieve access token: authorization code not found",
        Meaning::GrantDead,
    ),
];

/// LinkedIn's OAuth 2.0: authorization code of a confidential app, without PKCE.
///
/// The scopes are those that every app can have: the member's own posts, without comments, which are
/// `w_member_social_feed`. For organisations ask for
/// `w_organization_social r_organization_social rw_organization_admin r_basicprofile` instead, with an app that
/// LinkedIn admitted to the Community Management API. An access token lives 60 days. Only apps that LinkedIn
/// chose get a refresh token, which lives a year from the first consent; without one the account is connected
/// again.
#[must_use]
pub fn oauth() -> Provider {
    Provider {
        revoke: Some(Revocation {
            url: "https://www.linkedin.com/oauth/v2/revoke",
            method: Method::Post,
            by: RevokeBy::Client,
            refresh_token: false,
        }),
        scopes: &["openid", "profile", "w_member_social"],
        client: ClientAuth::Body,
        refresh: Refresh::Token { rotates: false },
        codes: CODES,
        ..Provider::new(
            crate::PLATFORM,
            "https://www.linkedin.com/oauth/v2/authorization",
            "https://www.linkedin.com/oauth/v2/accessToken",
        )
    }
}
