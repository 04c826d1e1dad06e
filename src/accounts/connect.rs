//! Connecting an account: the user agrees at the platform, and the host is offered the accounts that come of
//! it.

use std::fmt;

use automarket_core::{
    AccountId, Context, Credential, Error, ErrorKind, Identity, Platform, Result, Secret, Url,
    chrono::{DateTime, Utc},
    http::Call,
    oauth::{
        App, Grant, Provider, Refresh, TokenSet, authorize_url, client_credentials_call,
        exchange_call, jwt_bearer_call, long_lived_call, missing_scopes, not_granted, random,
        read_callback, read_registration, read_token_reply, register_call, requested_scopes, rule,
        state_of,
    },
    store::Account,
    vault::{credential_from_bytes, credential_to_bytes},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    apps,
    flow::{Candidate, Request, Stage, Waiting},
};
use crate::Tenant;

/// A connection that is made; see [`Tenant::connect`].
#[derive(Clone, Debug)]
pub struct Connect {
    tenant: Tenant,
    platform: Platform,
    app: String,
    scopes: Option<Vec<String>>,
    again: Option<AccountId>,
}

/// A connection that has begun: send the browser there.
#[derive(Clone)]
pub struct Begun {
    /// Where the browser goes. It holds the state, which is a secret until the browser is back: do not log it.
    pub authorize_url: Url,
    /// Until when the browser has to be back.
    pub expires_at: DateTime<Utc>,
}

/// Without the query of the address.
impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun")
            .field("host", &self.authorize_url.host_str())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The accounts that a login speaks for. Nothing is connected until some are picked.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Goes into [`Connect::pick`], once. Keep it in the host's session: it is a secret.
    pub handle: Secret,
    /// What can be picked.
    pub accounts: Vec<Offer>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// An account on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The platform's id.
    pub remote_id: String,
    /// The network it speaks on.
    pub network: Platform,
    /// Its name for people.
    pub name: String,
    /// Its handle, where it has one.
    pub handle: Option<String>,
    /// Whether the tenant has connected it already: picking it gives it the new credential.
    pub connected: bool,
    /// Whether the platform says that this login will not do for it: who logged in may not post there, say.
    pub needs_reauth: bool,
}

impl Tenant {
    /// Connects an account of a platform whose connector is registered, through the host's app
    /// ([`Builder::oauth`](crate::Builder::oauth)).
    ///
    /// `session` in all of it is a value that only this browser's session has (its id, say); it is kept as a
    /// hash. What is begun in one session ends in no other.
    #[must_use]
    pub fn connect(&self, platform: Platform) -> Connect {
        Connect {
            tenant: self.clone(),
            platform,
            app: String::new(),
            scopes: None,
            again: None,
        }
    }
}

impl Connect {
    /// Goes through the host's app of this name.
    #[must_use]
    pub fn app(mut self, name: &str) -> Self {
        name.clone_into(&mut self.app);
        self
    }

    /// Goes through the tenant's own app of this name ([`Tenant::put_app`]).
    #[must_use]
    pub fn own_app(mut self, name: &str) -> Self {
        self.app = apps::own(name);
        self
    }

    /// Asks for these scopes rather than the connector's. All of them have to be granted.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Connects this account again: another one is refused.
    #[must_use]
    pub fn again(mut self, account: AccountId) -> Self {
        self.again = Some(account);
        self
    }

    /// Registers an app of the tenant's own at an instance, where the platform does that by call (Mastodon),
    /// and keeps it under the template's name. The template brings the place; users see `title`.
    ///
    /// # Errors
    /// `Unsupported` where apps are made by hand; those of the instance, the network and the store.
    pub async fn register(&self, template: &App, title: &str, redirect_uri: &str) -> Result<()> {
        let accounts = &self.tenant.engine().accounts;
        let provider = accounts
            .apps
            .provider(&self.platform, &apps::own(&template.name))
            .ok_or_else(|| unknown_app(&self.platform, &template.name))?;
        let call = register_call(provider, template, title, redirect_uri)?;
        let cx = accounts.bare_context().await?;
        let reply = cx.call(call).await?;
        let app = read_registration(template, redirect_uri, &reply, cx.now())?;
        self.tenant.put_app(&self.platform, &app).await
    }

    /// Begins: says where the browser goes. The platform sends it back to `redirect_uri`, with a query that
    /// goes into [`complete`](Self::complete) within ten minutes.
    ///
    /// # Errors
    /// `Disabled` (rule `platform.closed`) with the reason where nobody can connect any more; `Config` for a
    /// platform without connector or app, and without an encryption key; `InvalidInput` (`redirect_uri`, or an
    /// empty `session`);
    /// `NotFound` when the account to be connected again is not there; those of the store.
    pub async fn begin(&self, redirect_uri: &str, session: &str) -> Result<Begun> {
        let (provider, app) = self.ways().await?;
        if let Some(account) = self.again {
            self.known(account).await?;
        }
        let (state, verifier) = (random()?, random()?);
        let scopes = self.scopes.as_deref();
        let authorize_url = authorize_url(&provider, &app, redirect_uri, scopes, &state, &verifier)
            .map_err(|error| error.with_platform(&self.platform))?;
        let request = Request {
            app: self.app.clone(),
            redirect_uri: redirect_uri.to_owned(),
            verifier,
            scopes: self.scopes.clone(),
            again: self.again,
        };
        let waiting = Waiting::new(&self.platform, session, Stage::Begun(request))?;
        let expires_at = self.tenant.let_wait(&waiting, &state).await?;
        Ok(Begun {
            authorize_url,
            expires_at,
        })
    }

    /// The browser is back: checks that it answers what was begun, exchanges its code and asks who it is.
    /// A query is good once, whatever comes of it. App, scopes and account are those of the beginning.
    ///
    /// # Errors
    /// By [`Cause`](automarket_core::oauth::Cause): the user's (denied, late, used twice, another session, another account,
    /// missing scopes), the configuration's, or the platform's. After any of them the user begins again.
    pub async fn complete(&self, query: &str, session: &str) -> Result<Offered> {
        let state = state_of(query);
        let waiting = self.tenant.take_waiting(&self.platform, session, &state);
        let Stage::Begun(request) = waiting.await?.0.stage else {
            return Err(not_waiting(&self.platform));
        };
        let begun = Self {
            app: request.app,
            scopes: request.scopes,
            again: request.again,
            ..self.clone()
        };
        let (provider, app) = begun.ways().await?;
        let callback = read_callback(query, state.expose(), provider.issuer)
            .map_err(|error| error.with_platform(&self.platform))?;
        let places = callback.places(&provider, &app)?;
        let cx = self.tenant.engine().accounts.bare_context().await?;
        let call = exchange_call(
            &provider,
            &app,
            &places,
            &callback.code,
            &request.redirect_uri,
            &request.verifier,
            cx.now(),
        )?;
        let mut tokens = begun.tokens(&cx, &provider, call).await?;
        if !places.is_null() {
            tokens = tokens.at_places(places);
        }
        let asked = requested_scopes(&provider, &app, begun.scopes.as_deref())?;
        let missing = missing_scopes(&provider, &asked, tokens.scopes.as_deref());
        if !missing.is_empty() {
            return Err(not_granted(&missing).with_platform(&self.platform));
        }
        // Left out, they are those that were asked for. Facebook leaves them out always: there `identify` asks.
        tokens.scopes.get_or_insert(asked);
        if let Some(call) = long_lived_call(&provider, &app, &tokens)? {
            let long = begun.tokens(&cx, &provider, call).await?;
            tokens = tokens.renewed(long);
        }
        begun.offer(&provider, tokens, session).await
    }

    /// Connects without a browser: as the app itself (`Grant::ClientCredentials`), or as a user who agreed
    /// beforehand (`Grant::JwtBearer`).
    ///
    /// # Errors
    /// As [`begin`](Self::begin) and [`complete`](Self::complete); `InvalidInput` (`grant`) for `Grant::Code`.
    pub async fn directly(&self, grant: Grant, session: &str) -> Result<Offered> {
        let (provider, app) = self.ways().await?;
        let cx = self.tenant.engine().accounts.bare_context().await?;
        let call = match &grant {
            Grant::ClientCredentials => client_credentials_call(&provider, &app, cx.now())?,
            Grant::JwtBearer { subject } => jwt_bearer_call(&provider, &app, subject, cx.now())?,
            Grant::Code => return Err(Error::invalid("grant", "a code comes by a browser")),
            Grant::Derived => {
                return Err(Error::invalid("grant", "it comes of another login"));
            }
        };
        let mut tokens = TokenSet {
            grant,
            ..self.tokens(&cx, &provider, call).await?
        };
        let places = app.places(&provider);
        if !places.is_null() {
            tokens = tokens.at_places(places);
        }
        self.offer(&provider, tokens, session).await
    }

    /// Connects accounts that were offered, by the platform's ids. One that is connected already gets the new
    /// credential, and what waits for it goes on; its settings stay, but for those that the platform says anew.
    ///
    /// # Errors
    /// `InvalidInput` (`accounts`) for none, for one that was not offered, and for several where the login's
    /// tokens serve one only (they may be picked again then); `Forbidden` ([`rule::EXPIRED`], [`rule::STATE`]);
    /// those of [`Tenant::add_account`], after which the handle is still good for the same accounts.
    pub async fn pick<S: AsRef<str>>(
        &self,
        handle: &Secret,
        session: &str,
        accounts: impl IntoIterator<Item = S>,
    ) -> Result<Vec<Account>> {
        let wanted: Vec<String> = accounts
            .into_iter()
            .map(|id| id.as_ref().to_owned())
            .collect();
        let waiting = self.tenant.take_waiting(&self.platform, session, handle);
        let (mut waiting, expires_at) = waiting.await?;
        let Stage::Offered(candidates) = &mut waiting.stage else {
            return Err(not_waiting(&self.platform));
        };
        let picked = match chosen(candidates, &wanted) {
            Ok(chosen) => {
                let added = self.add(candidates, &chosen).await;
                if added.is_err() {
                    // Tokens for one only may be stored already: nobody else gets them.
                    candidates
                        .retain(|c| !c.for_one_only || wanted.contains(&c.identity.remote_id));
                }
                added
            }
            Err(error) => Err(error),
        };
        if picked.is_err()
            && let Err(error) = self.tenant.wait_until(&waiting, handle, expires_at).await
        {
            tracing::warn!(error = %error.report(), "what was offered is lost");
        }
        picked
    }

    async fn add(&self, offered: &mut [Candidate], chosen: &[usize]) -> Result<Vec<Account>> {
        let held = self.tenant.accounts().await?;
        let store = &self.tenant.engine().store;
        let mut accounts = Vec::new();
        for candidate in chosen {
            let Some(candidate) = offered.get_mut(*candidate) else {
                continue;
            };
            let credential = credential_from_bytes(candidate.credential.expose().as_bytes())?;
            let mut account = self.account(&candidate.identity, candidate.again, &held);
            if let Some(known) = held.iter().find(|held| held.id == account.id) {
                account.settings = laid_over(known.settings.clone(), account.settings);
            }
            // A pick before this one may have stored it, and what it renews itself by may have been used since.
            let over = candidate.over;
            if over.is_none() {
                let there = store.credential(&account.tenant, account.id).await?;
                candidate.over = Some(there.map_or(0, |there| there.version));
            }
            accounts.push(self.tenant.put_account(account, credential, over).await?);
        }
        Ok(accounts)
    }

    /// The account for an identity: the one that is connected again, else the one that is held for it, whose id the host
    /// may have chosen, else a new one.
    fn account(&self, identity: &Identity, again: Option<AccountId>, held: &[Account]) -> Account {
        let tenant = self.tenant.id().clone();
        let new = Account::new(tenant, self.platform.clone(), &*identity.remote_id);
        let mut account = Account {
            name: identity.name.clone(),
            ..new
        }
        .on_network(identity.network.clone())
        .with_settings(identity.settings.clone());
        let is_it = |held: &&Account| {
            held.platform == account.platform
                && held.remote_id == account.remote_id
                && held.network == account.network
        };
        // Under its usual id before any other.
        let known = held.iter().filter(is_it).map(|held| held.id);
        let known = known.min_by_key(|id| *id != account.id);
        account.id = again.or(known).unwrap_or(account.id);
        account
    }

    /// Asks whom the tokens speak for, and lets the answer wait to be picked from.
    async fn offer(
        &self,
        provider: &Provider,
        mut tokens: TokenSet,
        session: &str,
    ) -> Result<Offered> {
        let engine = self.tenant.engine();
        tokens.app.clone_from(&self.app);
        let rotates = tokens.grant == Grant::Code
            && tokens.refresh_token.is_some()
            && provider.refresh == (Refresh::Token { rotates: true });
        let shared = Credential::oauth(tokens);
        let secret = engine
            .accounts
            .app_secret(self.tenant.id(), &self.platform, &self.app);
        let cx = engine.accounts.bare_context().await?;
        let cx = cx
            .with_credential(shared.clone())
            .with_app_secret(secret.await?);
        let mut identities = engine.identify(&self.platform, &cx).await?;
        if let Some(account) = self.again {
            let account = self.known(account).await?;
            identities.retain(|identity| identity.remote_id == account.remote_id);
            if identities.is_empty() {
                let message = format!(
                    "the user logged in to another account than {}",
                    account.name
                );
                return Err(Error::new(ErrorKind::Forbidden, message)
                    .with_rule(rule::WRONG_ACCOUNT)
                    .with_platform(&self.platform)
                    .with_remedy("log in to that account at the platform, then begin again"));
            }
        }
        if identities.is_empty() {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "the login speaks for no account that can be connected",
            )
            .with_rule(rule::NO_ACCOUNT)
            .with_platform(&self.platform)
            .with_remedy("let the user begin again and select an account at the platform"));
        }
        let held = self.tenant.accounts().await?;
        let mut offers = Vec::new();
        let mut candidates = Vec::new();
        for mut identity in identities {
            let own = identity.credential.take();
            let for_one_only = own.is_none() && rotates;
            let bytes = credential_to_bytes(own.as_ref().unwrap_or(&shared))?;
            let id = self.account(&identity, self.again, &held).id;
            offers.push(Offer {
                remote_id: identity.remote_id.clone(),
                network: identity.network.clone(),
                name: identity.name.clone(),
                handle: identity.handle.clone(),
                connected: held.iter().any(|account| account.id == id),
                needs_reauth: identity.needs_reauth,
            });
            candidates.push(Candidate {
                over: None,
                identity,
                again: self.again,
                credential: Secret::new(String::from_utf8_lossy(&bytes)),
                for_one_only,
            });
        }
        let handle = random()?;
        let waiting = Waiting::new(&self.platform, session, Stage::Offered(candidates))?;
        let expires_at = self.tenant.let_wait(&waiting, &handle).await?;
        Ok(Offered {
            handle,
            accounts: offers,
            expires_at,
        })
    }

    /// The platform's ways and the app, if anybody can connect at all.
    async fn ways(&self) -> Result<(Provider, App)> {
        let engine = self.tenant.engine();
        engine.check_connector(&self.platform)?;
        engine.check_open(&self.platform)?;
        let app = engine
            .accounts
            .app(self.tenant.id(), &self.platform, &self.app);
        app.await?
            .ok_or_else(|| unknown_app(&self.platform, &self.app))
    }

    async fn tokens(&self, cx: &Context, provider: &Provider, call: Call) -> Result<TokenSet> {
        let reply = cx.call(call).await;
        let reply = reply.map_err(|error| error.with_platform(&self.platform))?;
        read_token_reply(provider, &reply, cx.now())
    }

    async fn known(&self, account: AccountId) -> Result<Account> {
        let account = self.tenant.engine().account(self.tenant.id(), account);
        let account = account.await?;
        if account.platform == self.platform {
            return Ok(account);
        }
        let message = format!("{} is no account of {}", account.name, self.platform);
        Err(Error::invalid("account", message))
    }
}

/// The candidates that are wanted, if they can be had together.
fn chosen(candidates: &[Candidate], wanted: &[String]) -> Result<Vec<usize>> {
    let mut chosen = Vec::new();
    for id in wanted {
        let found = candidates.iter().position(|c| c.identity.remote_id == *id);
        let found = found.ok_or_else(|| {
            Error::invalid("accounts", "an account was picked that was not offered")
                .with_rule(rule::NOT_OFFERED)
        })?;
        chosen.push(found);
    }
    if chosen.is_empty() {
        return Err(
            Error::invalid("accounts", "no account was picked").with_rule(rule::NONE_PICKED)
        );
    }
    let for_one_only = |at: &&usize| candidates.get(**at).is_some_and(|c| c.for_one_only);
    if chosen.iter().filter(for_one_only).count() > 1 {
        return Err(Error::invalid(
            "accounts",
            "the tokens of this login renew themselves for one account only",
        )
        .with_rule(rule::ONE_ONLY)
        .with_remedy("pick one, and connect the others each with a login of its own"));
    }
    Ok(chosen)
}

/// What a host has set of an account, with what the platform says over it.
fn laid_over(set: Value, said: Value) -> Value {
    match (set, said) {
        (Value::Object(mut set), Value::Object(said)) => {
            set.extend(said);
            Value::Object(set)
        }
        (set, Value::Null) => set,
        (_, said) => said,
    }
}

/// The rule of [`unknown_app`].
pub(super) const NO_APP: &str = "oauth.no_app";

pub(super) fn unknown_app(platform: &Platform, name: &str) -> Error {
    let which = if name.is_empty() { "no" } else { name };
    Error::new(
        ErrorKind::Config,
        format!("{which} OAuth app is registered"),
    )
    .with_rule(NO_APP)
    .with_platform(platform)
    .with_remedy("register it with Builder::oauth, or the tenant's own with Tenant::put_app")
}

fn not_waiting(platform: &Platform) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "this is not the step that is waited for",
    )
    .with_rule(rule::STATE)
    .with_platform(platform)
}
