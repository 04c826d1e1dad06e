use automarket_core::{
    Context, Credential, Error, ErrorKind, Platform, Result, Secret,
    oauth::{
        Meaning, Method, Provider, Refresh, Revocation, RevokeBy, Trade, TradeClient, not_granted,
    },
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::Graph;

/// Where the Graph API is for accounts that logged in with Facebook.
pub const FACEBOOK_URL: &str = "https://graph.facebook.com";

/// What Meta's codes mean at its logins.
pub const LOGIN_CODES: &[(&str, Meaning)] = &[
    ("36007", Meaning::GrantDead),
    ("36008", Meaning::RedirectUri),
    ("36009", Meaning::GrantDead),
    ("190", Meaning::GrantDead),
    ("102", Meaning::GrantDead),
    ("101", Meaning::Client),
    ("191", Meaning::RedirectUri),
    ("4", Meaning::Wait),
    // It has the code of what passes.
    ("1: Error validating client secret", Meaning::Client),
    ("1", Meaning::Failing),
    ("2", Meaning::Failing),
    // Instagram's own login says it so.
    ("400: Invalid Client", Meaning::Client),
    ("400: Invalid platform app", Meaning::Client),
    ("400: This authorization code", Meaning::GrantDead),
    ("400: Matching code was not found", Meaning::GrantDead),
    ("400: No matching code found", Meaning::GrantDead),
    ("400: Invalid authorization code", Meaning::GrantDead),
    (
        "400: Error validating verification code",
        Meaning::RedirectUri,
    ),
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
        // What a user has once refused is not asked again without it.
        authorize_params: &[("auth_type", "rerequest")],
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
    /// `Forbidden` ([`rule::MISSING_SCOPES`](automarket_core::oauth::rule::MISSING_SCOPES)) when the user has
    /// refused one of the token's scopes; `ApiVersionRetired` when another version answers; those of
    /// [`list`](Self::list). None of them holds the answer, in which tokens stand.
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
            listed => {
                self.require_scopes(cx).await?;
                listed
            }
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

    /// The login's reply names no scopes, and Facebook lets its users refuse some of those that were asked for.
    async fn require_scopes(&self, cx: &Context) -> Result<()> {
        let asked = cx.tokens().and_then(|tokens| tokens.scopes.as_deref());
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
            return Ok(());
        };
        let path = ["me", "permissions"];
        let listed: Vec<Permission> = self.list(cx, "me.permissions", &path, &[]).await?;
        let refused = listed
            .into_iter()
            .filter(|one| one.status != "granted" && asked.contains(&one.permission));
        let refused: Vec<String> = refused.map(|one| one.permission).collect();
        if refused.is_empty() {
            return Ok(());
        }
        Err(not_granted(&refused)
            .with_platform(&self.platform)
            .with_operation("me.permissions"))
    }
}

/// What a user said to a scope: `granted`, `declined` or `expired`.
#[derive(Deserialize)]
struct Permission {
    permission: String,
    status: String,
}

#[cfg(test)]
mod tests {
    use automarket_core::{
        chrono::Utc,
        http::{Effect, Reply},
        http_types::{HeaderMap, StatusCode},
        oauth::{read_token_reply, rule},
    };

    use super::*;
    use crate::VERSION;

    fn own(said: &str) -> String {
        format!(r#"{{"error_type":"OAuthException","code":400,"error_message":"{said}"}}"#)
    }

    fn assert_rules(cases: &[(String, &str)]) {
        let login = facebook_login(Platform::FACEBOOK, &[]);
        for (body, expected) in cases {
            let (status, headers) = (StatusCode::BAD_REQUEST, HeaderMap::new());
            let body = body.clone();
            let reply = Reply::recorded("oauth.exchange", Effect::Write, status, headers, body);
            let error = read_token_reply(&login, &reply, Utc::now()).unwrap_err();
            assert_eq!(error.rule(), Some(*expected), "{error:?}");
        }
    }

    #[test]
    fn a_wrong_secret_is_no_outage() {
        let secret = r#"{"error":{"message":"Error validating client secret.","type":"OAuthException","code":1}}"#;
        let failing =
            r#"{"error":{"message":"An unknown error occurred","type":"OAuthException","code":1}}"#;
        assert_rules(&[
            (secret.to_owned(), rule::CLIENT),
            (failing.to_owned(), rule::FAILING),
            (own("Invalid Client Secret"), rule::CLIENT),
            (own("Invalid platform app"), rule::CLIENT),
            (own("Something else"), rule::REFUSED),
        ]);
    }

    // As they were reported of both logins.
    #[test]
    fn a_dead_code_and_another_redirect_address_are_told_apart() {
        let facebook = |subcode: u32, said: &str| {
            format!(
                r#"{{"error":{{"message":"{said}","type":"OAuthException","code":100,"error_subcode":{subcode}}}}}"#
            )
        };
        let redirect = "Error validating verification code. Please make sure your redirect_uri is identical \
            to the one you used in the OAuth dialog request";
        let used = "This authorization code has been used.";
        assert_rules(&[
            (facebook(36008, redirect), rule::REDIRECT_URI),
            (facebook(36009, used), rule::INVALID_GRANT),
            (own(redirect), rule::REDIRECT_URI),
            (
                own("This authorization code has been used"),
                rule::INVALID_GRANT,
            ),
            (
                own("This authorization code has expired"),
                rule::INVALID_GRANT,
            ),
            (
                own("Matching code was not found or was already used."),
                rule::INVALID_GRANT,
            ),
            (own("No matching code found."), rule::INVALID_GRANT),
            (own("Invalid authorization code"), rule::INVALID_GRANT),
        ]);
    }

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
