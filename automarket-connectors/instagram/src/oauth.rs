use automarket_connector_graph::{LOGIN_CODES, facebook_login};
use automarket_core::oauth::{Provider, Refresh, Trade, TradeClient};

use crate::PLATFORM;

/// Instagram Login: a code becomes a token of an hour, which is traded at once for one of 60 days. That one is
/// traded for its successor while it lives, from its second day on; there is no refresh token.
///
/// The redirect address is https; the code comes with `#_` behind it, which is no part of it.
#[must_use]
pub fn oauth() -> Provider {
    Provider {
        scopes: &[
            "instagram_business_basic",
            "instagram_business_content_publish",
            "instagram_business_manage_comments",
            "instagram_business_manage_insights",
        ],
        scope_separator: ",",
        authorize_params: &[("enable_fb_login", "0")],
        long_lived: Some(Trade {
            url: "https://graph.instagram.com/access_token",
            grant: "ig_exchange_token",
            token_param: "access_token",
            client: TradeClient::Secret,
        }),
        refresh: Refresh::Trade(Trade {
            url: "https://graph.instagram.com/refresh_access_token",
            grant: "ig_refresh_token",
            token_param: "access_token",
            client: TradeClient::None,
        }),
        keep: &["user_id"],
        codes: LOGIN_CODES,
        ..Provider::new(
            PLATFORM,
            "https://www.instagram.com/oauth/authorize",
            "https://api.instagram.com/oauth/access_token",
        )
    }
}

/// Facebook Login, for accounts that are linked to a page. The token that comes of it is a user's;
/// [`identify`](automarket_core::Publisher::identify) gives each account its page's, which has no end.
#[must_use]
pub fn oauth_facebook() -> Provider {
    facebook_login(
        PLATFORM,
        &[
            "instagram_basic",
            "instagram_content_publish",
            "instagram_manage_comments",
            "instagram_manage_insights",
            "instagram_manage_contents",
            "pages_show_list",
            "pages_read_engagement",
            "business_management",
        ],
    )
}
