use automarket_core::oauth::{
    ClientAuth, Meaning, Method, Provider, Refresh, Revocation, RevokeBy,
};

/// Slack's words for what went wrong with a code or a token.
const CODES: &[(&str, Meaning)] = &[
    ("invalid_code", Meaning::GrantDead),
    ("code_already_used", Meaning::GrantDead),
    ("invalid_refresh_token", Meaning::GrantDead),
    ("token_revoked", Meaning::GrantDead),
    ("token_expired", Meaning::GrantDead),
    ("account_inactive", Meaning::GrantDead),
    ("bad_client_secret", Meaning::Client),
    ("invalid_team_for_non_distributed_app", Meaning::Client),
    ("bad_redirect_uri", Meaning::RedirectUri),
    ("oauth_authorization_url_mismatch", Meaning::Request),
    ("invalid_grant_type", Meaning::Request),
    ("internal_error", Meaning::Failing),
    ("fatal_error", Meaning::Failing),
    ("service_unavailable", Meaning::Failing),
    ("request_timeout", Meaning::Failing),
];

/// Slack's OAuth 2.0 for a bot: the app is installed in a workspace, and its bot tells people there.
///
/// A bot's token has no end, unless the app has token rotation on: then it lives for 12 hours, and each
/// renewal brings a new refresh token. Revoking a token without end turns the bot off in all of its channels; with
/// rotation the refresh token that is revoked goes alone, and its access token ends within those hours.
#[must_use]
pub fn oauth() -> Provider {
    Provider {
        client: ClientAuth::Basic,
        scopes: &[
            "chat:write",
            "chat:write.public",
            "channels:read",
            "groups:read",
            "channels:history",
            "groups:history",
            "files:write",
            "files:read",
        ],
        scope_separator: ",",
        refresh: Refresh::Token { rotates: true },
        revoke: Some(Revocation {
            url: "https://slack.com/api/auth.revoke",
            method: Method::Post,
            by: RevokeBy::Bearer,
            refresh_token: true,
        }),
        keep: &["team", "bot_user_id"],
        codes: CODES,
        ..Provider::new(
            crate::PLATFORM,
            "https://slack.com/oauth/v2/authorize",
            "https://slack.com/api/oauth.v2.access",
        )
    }
}

/// The same for a person: what is told is told in their name.
#[must_use]
pub fn oauth_user() -> Provider {
    Provider {
        scopes: &[
            "chat:write",
            "channels:read",
            "groups:read",
            "channels:history",
            "groups:history",
            "files:write",
            "files:read",
        ],
        scope_param: Some("user_scope"),
        reply_at: "/authed_user",
        keep: &["team"],
        ..oauth()
    }
}
