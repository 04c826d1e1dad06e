//! OAuth apps: the host's, and those that tenants bring themselves.

use std::collections::BTreeMap;

use automarket_core::{
    AccountId, Credential, Error, ErrorKind, Platform, Result, Secret, TenantId,
    chrono::{DateTime, Utc},
    oauth::{App, Provider},
    store::{Account, AuditAction, SealedCredential},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Accounts;
use crate::Tenant;

/// Before the name of a tenant's own app in what its tokens say of their app, so that it is never taken for
/// one of the host's.
const OWN: &str = "own/";

/// The host's, by platform and the app's name. Where tenants bring all apps, the provider stands alone.
#[derive(Debug, Default)]
pub(crate) struct Apps(BTreeMap<(Platform, String), (Provider, Option<App>)>);

impl Apps {
    pub(crate) fn add(&mut self, provider: Provider, app: App) {
        let key = (provider.platform.clone(), app.name.clone());
        self.0.insert(key, (provider, Some(app)));
    }

    pub(crate) fn add_provider(&mut self, provider: Provider) {
        let key = (provider.platform.clone(), String::new());
        self.0.entry(key).or_insert((provider, None));
    }

    /// The ways of the platform for an app of this name; for a tenant's own, those of the host's app of that
    /// name, or else of its first.
    pub(super) fn provider(&self, platform: &Platform, name: &str) -> Option<&Provider> {
        let of = |name: &str| self.0.get(&(platform.clone(), name.to_owned()));
        let found = match name.strip_prefix(OWN) {
            None => of(name),
            Some(own) => of(own).or_else(|| {
                let mut all = self.0.iter();
                all.find_map(|((known, _), entry)| (known == platform).then_some(entry))
            }),
        };
        found.map(|(provider, _)| provider)
    }

    fn app(&self, platform: &Platform, name: &str) -> Option<&App> {
        let entry = self.0.get(&(platform.clone(), name.to_owned()))?;
        entry.1.as_ref()
    }
}

/// Whether tokens of an app of this name belong to a tenant's own.
pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with(OWN)
}

/// The name by which the tokens of a tenant's own app know it.
pub(super) fn own(name: &str) -> String {
    format!("{OWN}{name}")
}

/// A tenant's app as it is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    platform: Platform,
    name: String,
    client_id: String,
    client_secret: Option<String>,
    key: Option<String>,
    redirect_uris: Vec<String>,
    extra: Value,
}

impl Accounts {
    /// The app that tokens belong to, with its platform's ways.
    pub(super) async fn app(
        &self,
        tenant: &TenantId,
        platform: &Platform,
        name: &str,
    ) -> Result<Option<(Provider, App)>> {
        let Some(provider) = self.apps.provider(platform, name) else {
            return Ok(None);
        };
        let app = match name.strip_prefix(OWN) {
            None => self.apps.app(platform, name).cloned(),
            Some(own) => self.own_app(tenant, platform, own).await?,
        };
        Ok(app.map(|app| (provider.clone(), app)))
    }

    /// The secret of the app that tokens belong to, where it is known.
    pub(crate) async fn app_secret(
        &self,
        tenant: &TenantId,
        platform: &Platform,
        name: &str,
    ) -> Result<Option<Secret>> {
        let app = self.app(tenant, platform, name).await?;
        Ok(app.and_then(|(_, app)| app.client_secret))
    }

    async fn own_app(
        &self,
        tenant: &TenantId,
        platform: &Platform,
        name: &str,
    ) -> Result<Option<App>> {
        let id = place_of(tenant, platform, name).id;
        let Some(row) = self.store.credential(tenant, id).await? else {
            return Ok(None);
        };
        let kept = self.kept(&row).await?;
        let kept =
            kept.ok_or_else(|| Error::new(ErrorKind::Internal, "a tenant's app cannot be read"))?;
        Ok(Some(App {
            name: kept.name,
            client_id: kept.client_id,
            client_secret: kept.client_secret.map(Secret::new),
            key: kept.key.map(Secret::new),
            redirect_uris: kept.redirect_uris,
            extra: kept.extra,
        }))
    }

    /// `None` when it is no app.
    async fn kept(&self, row: &SealedCredential) -> Result<Option<Kept>> {
        let Credential::Token(text) = self.vault.open(row).await? else {
            return Ok(None);
        };
        // What is wrong could quote what it stumbled on: it is left out.
        Ok(serde_json::from_str(text.expose()).ok())
    }
}

/// What may be seen of a tenant's own app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OwnApp {
    /// Of which platform.
    pub platform: Platform,
    /// Its name, for [`Connect::own_app`](super::Connect::own_app).
    pub name: String,
    /// Its id there.
    pub client_id: String,
    /// The redirect addresses that it is registered with.
    pub redirect_uris: Vec<String>,
    /// When it was put.
    pub updated_at: DateTime<Utc>,
}

/// An app is sealed and re-sealed among the credentials, in the place of an account that there is not.
fn place_of(tenant: &TenantId, platform: &Platform, name: &str) -> Account {
    let key = serde_json::json!(["app", tenant, platform, name]).to_string();
    Account {
        id: AccountId::derived(&key),
        ..Account::new(tenant.clone(), platform.clone(), name)
    }
}

impl Tenant {
    /// Keeps an OAuth app of the tenant's own, sealed, under its name; one of that name is replaced. Connect
    /// through it with [`Connect::own_app`](super::Connect::own_app). The host has to have named the platform's
    /// ways, with an app of its own or with [`Builder::provider`](crate::Builder::provider).
    ///
    /// # Errors
    /// `Config` when nothing is known of the platform's OAuth, or without an encryption key; those of the
    /// store.
    pub async fn put_app(&self, platform: &Platform, app: &App) -> Result<()> {
        let accounts = &self.engine().accounts;
        if accounts.apps.provider(platform, &own(&app.name)).is_none() {
            return Err(super::connect::unknown_app(platform, &app.name));
        }
        let text = |secret: &Option<Secret>| secret.as_ref().map(|s| s.expose().to_owned());
        let kept = Kept {
            platform: platform.clone(),
            name: app.name.clone(),
            client_id: app.client_id.clone(),
            client_secret: text(&app.client_secret),
            key: text(&app.key),
            redirect_uris: app.redirect_uris.clone(),
            extra: app.extra.clone(),
        };
        let kept = serde_json::to_string(&kept)
            .map_err(|error| Error::invalid("app", "not JSON").with_source(error))?;
        let place = place_of(&self.id, platform, &app.name);
        let sealed = accounts
            .vault
            .seal(&place, &Credential::token(kept))
            .await?;
        self.engine().store.put_credential(&sealed, None).await?;
        let why = format!("an app of its own: {:?} on {platform}", app.name);
        self.note(place.id, AuditAction::Connect, &why, "done")
            .await
    }

    /// Its own OAuth apps, without what is secret about them.
    ///
    /// # Errors
    /// `Config` without the keys that open them; those of the store.
    pub async fn apps(&self) -> Result<Vec<OwnApp>> {
        let (_, rows) = self.sealed().await?;
        let mut apps = Vec::new();
        for row in rows {
            // What is left of an account whose connecting broke off while it was erased is none.
            let Some(kept) = self.engine().accounts.kept(&row).await? else {
                continue;
            };
            apps.push(OwnApp {
                platform: kept.platform,
                name: kept.name,
                client_id: kept.client_id,
                redirect_uris: kept.redirect_uris,
                updated_at: row.updated_at,
            });
        }
        apps.sort_by(|a, b| (&a.platform, &a.name).cmp(&(&b.platform, &b.name)));
        Ok(apps)
    }

    /// Forgets an app of the tenant's own: tokens that belong to it are no longer renewed. `false` when there
    /// was none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn remove_app(&self, platform: &Platform, name: &str) -> Result<bool> {
        let place = place_of(&self.id, platform, name);
        let store = &self.engine().store;
        let removed = store.remove_credential(&self.id, place.id, None).await?;
        if removed.is_some() {
            let why = format!("an app of its own: {name:?} on {platform}");
            self.note(place.id, AuditAction::Forget, &why, "done")
                .await?;
        }
        Ok(removed.is_some())
    }
}
