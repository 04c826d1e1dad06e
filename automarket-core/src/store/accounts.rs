use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{AccountId, Error, ErrorKind, Platform, Result, TenantId};

/// One tenant's connection to one platform. Its credential is not part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Our id.
    pub id: AccountId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which connector reaches it.
    pub platform: Platform,
    /// The network it speaks on: the platform itself, or one behind a scheduler.
    pub network: Platform,
    /// The platform's id.
    pub remote_id: String,
    /// Its name for people.
    pub name: String,
    /// What else the connector needs, laid over its configuration (see
    /// [`Context::config`](crate::Context::config)). Never a secret.
    #[serde(default)]
    pub settings: Value,
    /// When it was connected.
    pub created_at: DateTime<Utc>,
}

impl Account {
    /// An account on `platform` that speaks on the network of the same name. Its id follows from tenant,
    /// platform and remote id, so that connecting the same account again finds the same row.
    #[must_use]
    pub fn new(tenant: TenantId, platform: Platform, remote_id: impl Into<String>) -> Self {
        let remote_id = remote_id.into();
        let id = AccountId::derived(&serde_json::json!([tenant, platform, remote_id]).to_string());
        Self {
            id,
            tenant,
            network: platform.clone(),
            platform,
            name: remote_id.clone(),
            remote_id,
            settings: Value::Null,
            created_at: DateTime::<Utc>::UNIX_EPOCH,
        }
    }

    /// Sets the network it speaks on.
    #[must_use]
    pub fn on_network(mut self, network: Platform) -> Self {
        self.network = network;
        self
    }

    /// Sets the settings of its connector.
    #[must_use]
    pub fn with_settings(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }

    /// A connector's configuration with the settings laid over it, as [`Context::config`](crate::Context::config)
    /// makes it for calls.
    ///
    /// # Errors
    /// `Config` when the settings are not of the connector's shape.
    pub fn config<C: Serialize + DeserializeOwned>(&self, base: &C) -> Result<C> {
        configured(base, Some(&self.settings))
    }
}

/// A connector's configuration with an account's settings laid over it.
pub(crate) fn configured<C: Serialize + DeserializeOwned>(
    base: &C,
    settings: Option<&Value>,
) -> Result<C> {
    let wrong = |error: serde_json::Error| {
        Error::new(
            ErrorKind::Config,
            "the account's settings are not this connector's",
        )
        .with_source(error)
    };
    let mut config = serde_json::to_value(base).map_err(wrong)?;
    if let (Value::Object(config), Some(Value::Object(settings))) = (&mut config, settings) {
        config.extend(settings.clone());
    }
    serde_json::from_value(config).map_err(wrong)
}

/// Accounts.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Creates the account, or replaces everything but `created_at`, which the store sets on creation.
    async fn put_account(&self, account: &Account) -> Result<Account>;
    /// The account with this id.
    async fn account(&self, tenant: &TenantId, id: AccountId) -> Result<Option<Account>>;
    /// All accounts of the tenant, by platform, network and name.
    async fn accounts(&self, tenant: &TenantId) -> Result<Vec<Account>>;
    /// Removes the account; `false` when there was none.
    async fn remove_account(&self, tenant: &TenantId, id: AccountId) -> Result<bool>;
}
