use automarket_core::oauth::{Pkce, Place, Provider, Refresh, Registration};

/// Twenty's OAuth 2.0: authorization code with PKCE, and client credentials. Each instance gives apps by call
/// (`Connect::register`); which instance it is says [`App::place`](automarket_core::oauth::App::place)
/// `("instance", ..)`, the cloud unless said otherwise. An access token lives for an hour.
#[must_use]
pub fn oauth() -> Provider {
    Provider {
        pkce: Pkce::S256,
        scopes: &["api"],
        service_scopes: &["api"],
        places: &[Place {
            name: "instance",
            default: Some("https://api.twenty.com"),
            callback: None,
        }],
        registration: Some(Registration {
            url: "{instance}/oauth/register",
            json: true,
            scope_field: "scope",
        }),
        // It does not say whether the old one stays good.
        refresh: Refresh::Token { rotates: true },
        ..Provider::new(
            crate::PLATFORM,
            "{instance}/oauth/authorize",
            "{instance}/oauth/token",
        )
    }
}
