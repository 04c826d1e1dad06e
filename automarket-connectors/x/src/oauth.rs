use automarket_core::oauth::{
    ClientAuth, Meaning, Method, Pkce, Provider, Refresh, Revocation, RevokeBy,
};

/// X's words for a dead token or code. The code alone is what it says of wrong requests as well.
const CODES: &[(&str, Meaning)] = &[
    (
        "invalid_request: Value passed for the token was invalid",
        Meaning::GrantDead,
    ),
    (
        "invalid_request: Value passed for the authorization code was invalid",
        Meaning::GrantDead,
    ),
];

/// X's OAuth 2.0: authorization code with PKCE. The code lives 30 s, an access token 2 hours; refresh tokens
/// are good once.
///
/// A confidential app (web, automated) proves itself with its secret; a public one only names itself.
#[must_use]
pub fn oauth() -> Provider {
    Provider {
        revoke: Some(Revocation {
            url: "https://api.x.com/2/oauth2/revoke",
            method: Method::Post,
            by: RevokeBy::Client,
            refresh_token: true,
        }),
        pkce: Pkce::S256,
        scopes: &[
            "tweet.read",
            "tweet.write",
            "users.read",
            "media.write",
            "offline.access",
        ],
        client: ClientAuth::Basic,
        refresh: Refresh::Token { rotates: true },
        // Half a year, as is said; X documents none. To renew too early harms nothing.
        refresh_token_seconds: Some(180 * 86_400),
        codes: CODES,
        ..Provider::new(
            crate::PLATFORM,
            "https://x.com/i/oauth2/authorize",
            "https://api.x.com/2/oauth2/token",
        )
    }
}
