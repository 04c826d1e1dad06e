use automarket_core::oauth::{
    Method, Pkce, Place, Provider, Refresh, Registration, Revocation, RevokeBy,
};

/// Twenty's OAuth 2.0: authorization code with PKCE, and client credentials for apps with a secret. Each instance
/// gives apps by call (`Connect::register`); which instance it is says
/// [`App::place`](automarket_core::oauth::App::place) `("instance", ..)`, the cloud unless said otherwise: the
/// address at which people use it, for the page where they agree is the front end's.
#[must_use]
pub fn oauth() -> Provider {
    Provider {
        revoke: Some(Revocation {
            url: "{instance}/oauth/revoke",
            method: Method::Post,
            by: RevokeBy::Client,
            // An access token lives to its end whatever is said of it.
            refresh_token: true,
        }),
        pkce: Pkce::S256,
        scopes: &["api"],
        service_scopes: &["api"],
        places: &[Place {
            name: "instance",
            // Pages and API are both there. At `api.twenty.com` there are no pages.
            default: Some("https://app.twenty.com"),
            callback: None,
        }],
        registration: Some(Registration {
            url: "{instance}/oauth/register",
            json: true,
            scope_field: "scope",
        }),
        // It does not say whether the old one stays good.
        refresh: Refresh::Token { rotates: true },
        // `APPLICATION_REFRESH_TOKEN_EXPIRES_IN`, unless an instance sets another.
        refresh_token_seconds: Some(60 * 86_400),
        ..Provider::new(
            crate::PLATFORM,
            "{instance}/authorize",
            "{instance}/oauth/token",
        )
    }
}
