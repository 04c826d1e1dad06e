use automarket_core::{
    Context, Credential, Error, ErrorKind, Platform, Result, Secret,
    oauth::{Meaning, Method, Provider, Refresh, Revocation, RevokeBy, Trade, TradeClient},
};
use serde::de::DeserializeOwned;

use crate::Graph;

/// Where the Graph API is for accounts that logged in with Facebook.
pub const FACEBOOK_URL: &str = "https://graph.facebook.com";

/// What Meta's codes mean at its logins.
pub const LOGIN_CODES: &[(&str, Meaning)] = &[
    ("36007", Meaning::GrantDead),
    ("36009", Meaning::GrantDead),
    ("190", Meaning::GrantDead),
    ("102", Meaning::GrantDead),
    ("101", Meaning::Client),
    ("191", Meaning::RedirectUri),
    ("4", Meaning::Wait),
    ("1", Meaning::Failing),
    ("2", Meaning::Failing),
];

/// A user's token for one of about 60 days.
const TRADE: Trade = Trade {
    url: "https://graph.facebook.com/v26.0/oauth/access_token",
    grant: "fb_exchange_token",
    token_param: "fb_exchange_token",
    client: TradeClient::IdAndSecret,
};

/// Facebook Login: a code becomes a user's token of an hour or two, which is traded at once for one of about
/// 60 days, and that one for its successor while it lives. Tokens of pages that come of it have no end.
#[must_use]
pub fn facebook_login(platform: Platform, scopes: &'static [&'static str]) -> Provider {
    Provider {
        exchange: Method::Get,
        scopes,
        scope_separator: ",",
        long_lived: Some(TRADE),
        refresh: Refresh::Trade(TRADE),
        codes: LOGIN_CODES,
        revoke: Some(Revocation {
            url: "https://graph.facebook.com/v26.0/me/permissions",
            method: Method::Delete,
            by: RevokeBy::Bearer,
            refresh_token: false,
        }),
        ..Provider::new(
            platform,
            "https://www.facebook.com/v26.0/dialog/oauth",
            "https://graph.facebook.com/v26.0/oauth/access_token",
        )
    }
}

/// The credential of a page: its own token, of the same app as the login that lists it.
#[must_use]
pub fn page_credential(cx: &Context, token: String) -> Credential {
    match cx.tokens() {
        Some(login) => Credential::oauth(login.derived(Secret::new(token))),
        None => Credential::token(token),
    }
}

impl Graph<'_> {
    /// The pages that a user's token can speak for, or the page that a page's own token belongs to.
    ///
    /// # Errors
    /// `ApiVersionRetired` when another version answers; those of [`list`](Self::list). None of them holds
    /// the answer, in which tokens stand.
    pub async fn pages<T: DeserializeOwned>(
        &self,
        cx: &Context,
        fields: &str,
        own_fields: &str,
    ) -> Result<Vec<T>> {
        let me = self.get("me", &["me"], &[("fields", "id")])?;
        self.require_version(&self.send(cx, me).await?)?;
        let query = [("fields", fields)];
        let listed = self.list(cx, "me.accounts", &["me", "accounts"], &query);
        let pages = match listed.await {
            // Only users have accounts.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                let page = self.get("me", &["me"], &[("fields", own_fields)])?;
                self.ask(cx, page).await.map(|page| vec![page])
            }
            listed => listed,
        };
        pages.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedReply => Error::new(
                ErrorKind::UnexpectedReply,
                "the pages are not listed as Meta documents it",
            )
            .with_platform(&self.platform)
            .with_operation("me.accounts"),
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VERSION;

    #[test]
    fn the_addresses_name_the_version() {
        let login = facebook_login(Platform::FACEBOOK, &[]);
        let trade = login.long_lived.unwrap().url;
        let revoke = login.revoke.unwrap().url;
        for url in [&login.authorize_url, &login.token_url, trade, revoke] {
            assert!(url.contains(&format!("/{VERSION}/")), "{url}");
        }
    }
}
