use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::Secret;

/// The tokens of one account, with what is known of their lives. Never serialised as it is: it is sealed.
#[derive(Clone, Debug)]
pub struct TokenSet {
    /// What calls carry.
    pub access_token: Secret,
    /// What buys the next access token, where the platform gives one.
    pub refresh_token: Option<Secret>,
    /// When the access token dies; `None` is unknown or never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the refresh token dies; `None` is unknown or never.
    pub refresh_expires_at: Option<DateTime<Utc>>,
    /// What was granted; `None` where the platform does not say.
    pub scopes: Option<Vec<String>>,
    /// As the platform spells it (`bearer`, `Bearer`, `bot`).
    pub token_type: Option<String>,
    /// The address at which this account's API lives, where the platform says so (Salesforce, Zoho,
    /// Pipedrive).
    pub base_url: Option<Url>,
    /// How the tokens were had, and so how they are renewed.
    pub grant: Grant,
    /// The name of the [`App`](super::App) that they belong to.
    pub app: String,
    /// What the connector keeps of the platform's reply (see [`Provider::keep`](super::Provider::keep)), and
    /// the [`places`](super::Provider::places) of this account under `places`. Never a secret.
    pub extra: Value,
}

/// How tokens are had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A user agreed in the browser.
    #[default]
    Code,
    /// The app for itself; renewed by asking again.
    ClientCredentials,
    /// The app for this user, by a signed assertion; renewed by asking again.
    JwtBearer {
        /// The user's name on the platform.
        subject: String,
    },
    /// The platform gave it to this account beside the user's own (a Facebook page's token). It is neither
    /// renewed nor withdrawn by itself: the user's login is.
    Derived,
}

impl TokenSet {
    /// An access token of which nothing else is known: how a token that the host has already comes in.
    #[must_use]
    pub fn new(access_token: Secret) -> Self {
        Self {
            access_token,
            refresh_token: None,
            expires_at: None,
            refresh_expires_at: None,
            scopes: None,
            token_type: None,
            base_url: None,
            grant: Grant::Code,
            app: String::new(),
            extra: Value::Null,
        }
    }

    /// The token that the platform gives one account of this login ([`Grant::Derived`]): of the same app, with
    /// the same scopes.
    #[must_use]
    pub fn derived(&self, access_token: Secret) -> Self {
        Self {
            scopes: self.scopes.clone(),
            grant: Grant::Derived,
            app: self.app.clone(),
            ..Self::new(access_token)
        }
    }

    /// Notes where the account lives (see [`Callback::places`](super::Callback::places)).
    #[must_use]
    pub fn at_places(mut self, places: Value) -> Self {
        if !self.extra.is_object() {
            self.extra = Value::Object(serde_json::Map::new());
        }
        self.extra["places"] = places;
        self
    }

    /// These tokens after a renewal: what the reply leaves out stays, above all the refresh token.
    #[must_use]
    pub fn renewed(self, new: Self) -> Self {
        let kept_refresh = new.refresh_token.is_none();
        let extra = match (self.extra, new.extra) {
            (Value::Object(mut old), Value::Object(new)) => {
                old.extend(new);
                Value::Object(old)
            }
            (old, Value::Null) => old,
            (_, new) => new,
        };
        Self {
            access_token: new.access_token,
            refresh_token: new.refresh_token.or(self.refresh_token),
            expires_at: new.expires_at,
            refresh_expires_at: match new.refresh_expires_at {
                None if kept_refresh => self.refresh_expires_at,
                end => end,
            },
            scopes: new.scopes.or(self.scopes),
            token_type: new.token_type.or(self.token_type),
            base_url: new.base_url.or(self.base_url),
            grant: self.grant,
            app: self.app,
            extra,
        }
    }
}
