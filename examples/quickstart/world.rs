//! What the campaign talks to: the sandbox, or the real services that the environment names.

use std::{path::Path, sync::Arc};

use automarket::{
    Automarket, Builder, Credential, Error, Keyring, Platform, Result, Tenant,
    connectors::{
        claude::{self, Claude},
        firecrawl::{self, Firecrawl},
        mixpost::{self, Mixpost, MixpostConfig},
        slack::{self, Slack},
        twenty::{self, Twenty, TwentyConfig},
        web::{self, FilePages, Web},
    },
    core::{Bytes, async_trait, http_types},
    http::{Body, Guard, ReqwestTransport, Transport, TransportError},
    pipeline::Progress,
    pipelines::campaign::{CampaignRequest, CampaignTarget, Route, Tool},
    store::{Account, sqlite::SqliteStore},
    testing::Sandbox,
};
use serde_json::{Value, json};

use crate::arguments::Arguments;

/// The page that stands in for a real one.
const BUNDLED: &str = include_str!("../pages/acme.html");
const BUNDLED_URL: &str = "https://acme.example/blog/acme-cloud-2";

const KEY_VARIABLE: &str = "PUBLISHING_ENCRYPTION_KEY";
const SANDBOX_KEY: &str = "sandbox:c2FuZGJveCBrZXksIG9mIG5vIHVzZSBhbnl3aGVyZSE=";

/// The networks of the campaign, and the fake's account on each.
const NETWORKS: [(Platform, u64); 4] = [
    (Platform::LINKEDIN, mixpost::testing::LINKEDIN_ACCOUNT),
    (Platform::X, mixpost::testing::X_ACCOUNT),
    (Platform::INSTAGRAM, mixpost::testing::INSTAGRAM_ACCOUNT),
    (Platform::FACEBOOK, mixpost::testing::FACEBOOK_ACCOUNT),
];

pub(crate) struct World {
    pub(crate) tenant: Tenant,
    pub(crate) request: CampaignRequest,
    /// Steps that are switched off, each with what is missing.
    pub(crate) disabled: Vec<String>,
    sandbox: Option<Sandbox>,
}

impl World {
    pub(crate) async fn build(
        arguments: &Arguments,
        say: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Result<Self> {
        let store = SqliteStore::open(&arguments.db).await?;
        let watch = move |_: &_, progress: Progress<'_>| match progress {
            Progress::Begins(step) => say(&format!("{step} ...")),
            Progress::Ended(step) => say(&format!("{step} done")),
            Progress::Failed(step) => say(&format!("{step} FAILED")),
        };
        let builder = Automarket::builder(store)
            .watch(Arc::new(watch))
            .publisher(Mixpost::new(MixpostConfig::new(
                mixpost::testing::BASE_URL,
                mixpost::testing::WORKSPACE,
            ))?)
            .crm(Twenty::new(TwentyConfig::default()))
            .notifier(Slack::new())
            .generator(claude::PLATFORM, Claude::default())
            .page_source(firecrawl::PLATFORM, Firecrawl::new());
        let builder = match keyring(arguments)? {
            Some(keyring) => builder.keyring(keyring),
            None => builder,
        };
        let (builder, page, source) = page(builder, arguments)?;
        let real = transport(arguments)?;
        let mut world = if arguments.live {
            live(builder.transport(real).build()?, page, source).await?
        } else {
            let sandbox = sandbox(&arguments.db)?;
            let transport = SandboxFirst {
                sandbox: sandbox.clone(),
                real,
            };
            boxed(builder.transport(transport).build()?, sandbox, page, source).await?
        };
        world.request.mode = arguments.mode;
        world.request.again = arguments.again;
        Ok(world)
    }

    /// What each platform of the sandbox now holds.
    pub(crate) fn holdings(&self) -> Vec<(Platform, Vec<Value>)> {
        let fakes = self.sandbox.iter().flat_map(|sandbox| sandbox.fakes());
        fakes
            .map(|fake| (fake.platform(), fake.effects()))
            .filter(|(_, effects)| !effects.is_empty())
            .collect()
    }
}

/// The keys under which credentials are sealed in the file. The sandbox's are no secrets, so its key need be
/// none; live, without a key, nothing is stored.
fn keyring(arguments: &Arguments) -> Result<Option<Keyring>> {
    match std::env::var(KEY_VARIABLE) {
        Ok(keys) => Keyring::from_base64(&keys).map(Some),
        Err(_) if arguments.live => Ok(None),
        Err(_) => Keyring::from_base64(SANDBOX_KEY).map(Some),
    }
}

/// Which page, and who reads it.
fn page(builder: Builder, arguments: &Arguments) -> Result<(Builder, String, Tool)> {
    let builder = builder.page_source(web::PLATFORM, Web::new());
    let tool = Tool::of(web::PLATFORM);
    match &arguments.page {
        None => Ok((builder, BUNDLED_URL.to_owned(), tool)),
        Some(page) if page.starts_with("http://") || page.starts_with("https://") => {
            Ok((builder, page.clone(), tool))
        }
        Some(file) => {
            let unreadable =
                |error| Error::invalid("page", format!("{file} cannot be read")).with_source(error);
            let path = std::fs::canonicalize(file).map_err(unreadable)?;
            // A file is read only because this program's own user named it: no tenant's address gets here.
            let files = Platform::from_static("file");
            let address = path.to_string_lossy().into_owned();
            Ok((
                builder.page_source(files.clone(), FilePages::new()),
                address,
                Tool::of(files),
            ))
        }
    }
}

fn transport(arguments: &Arguments) -> Result<ReqwestTransport> {
    let mut guard = Guard::default();
    for network in &arguments.allow_network {
        let network = network.parse().map_err(|error| {
            Error::invalid(
                "allow-network",
                format!("{network} is no network such as 10.0.0.0/8"),
            )
            .with_source(error)
        })?;
        guard = guard.allow(network).allow_http(true);
    }
    ReqwestTransport::builder().guard(guard).build()
}

// ---- offline -------------------------------------------------------------------------------------------

fn sandbox(db: &Path) -> Result<Sandbox> {
    let mut file = db.as_os_str().to_owned();
    file.push(".sandbox.json");
    Sandbox::new()
        .with(Arc::new(mixpost::testing::FakeMixpost::new()))
        .with(Arc::new(twenty::testing::FakeTwenty::new()))
        .with(Arc::new(slack::testing::FakeSlack::new()))
        .with(Arc::new(
            web::testing::FakeSite::new().with_page(BUNDLED_URL, BUNDLED),
        ))
        .kept_at(Path::new(&file))
}

async fn boxed(market: Automarket, sandbox: Sandbox, page: String, source: Tool) -> Result<World> {
    let tenant = market.tenant("quickstart")?;
    let mut targets = Vec::new();
    for (network, id) in NETWORKS {
        let account =
            account(&tenant, mixpost::PLATFORM, &id.to_string()).on_network(network.clone());
        let account = tenant
            .add_account(account, Credential::token(mixpost::testing::TOKEN))
            .await?;
        targets.push(CampaignTarget {
            network,
            route: Route::Account(account.id),
        });
    }
    let crm = account(&tenant, twenty::PLATFORM, "workspace")
        .with_settings(json!({"base_url": twenty::testing::FakeTwenty::BASE_URL}));
    let crm = tenant
        .add_account(crm, Credential::token(twenty::testing::FakeTwenty::TOKEN))
        .await?;
    let chat = account(&tenant, slack::PLATFORM, "webhook");
    let chat = tenant
        .add_account(chat, Credential::address(slack::testing::WEBHOOK))
        .await?;
    let mut request = CampaignRequest::new(page, source, targets);
    request.crm = Route::Account(crm.id);
    request.notify = Route::Account(chat.id);
    Ok(World {
        tenant,
        request,
        disabled: Vec::new(),
        sandbox: Some(sandbox),
    })
}

/// The sandbox's hosts are played in process; everything else (a page of the user's) is the real network.
struct SandboxFirst {
    sandbox: Sandbox,
    real: ReqwestTransport,
}

#[async_trait]
impl Transport for SandboxFirst {
    async fn send(
        &self,
        request: http_types::Request<Bytes>,
    ) -> Result<http_types::Response<Body>, TransportError> {
        let host = request.uri().host().unwrap_or_default();
        let boxed = self
            .sandbox
            .fakes()
            .iter()
            .any(|fake| fake.hosts().iter().any(|name| name == host));
        if boxed {
            self.sandbox.send(request).await
        } else {
            self.real.send(request).await
        }
    }
}

// ---- live ----------------------------------------------------------------------------------------------

async fn live(market: Automarket, page: String, source: Tool) -> Result<World> {
    let tenant = market.tenant("quickstart")?;
    let mut disabled = Vec::new();
    let mut targets = Vec::new();
    for (network, _) in NETWORKS {
        let name = format!("MIXPOST_{}_ACCOUNT_ID", network.as_str().to_uppercase());
        let route = match variables([
            "MIXPOST_API_URL",
            "MIXPOST_API_KEY",
            "MIXPOST_WORKSPACE_ID",
            &name,
        ]) {
            Err(missing) => Route::Disabled(missing),
            Ok([url, key, workspace, id]) => {
                let settings = json!({"base_url": url, "workspace": workspace});
                let account = account(&tenant, mixpost::PLATFORM, &id)
                    .on_network(network.clone())
                    .with_settings(settings);
                Route::Account(
                    tenant
                        .add_account(account, Credential::token(key))
                        .await?
                        .id,
                )
            }
        };
        note(&mut disabled, network.as_str(), &route);
        targets.push(CampaignTarget { network, route });
    }
    let mut request = CampaignRequest::new(page, source, targets);
    request.crm = match variables(["TWENTY_CRM_URL", "TWENTY_CRM_TOKEN"]) {
        Err(missing) => Route::Disabled(missing),
        Ok([url, token]) => {
            let account = account(&tenant, twenty::PLATFORM, "workspace")
                .with_settings(json!({"base_url": url}));
            Route::Account(
                tenant
                    .add_account(account, Credential::token(token))
                    .await?
                    .id,
            )
        }
    };
    note(&mut disabled, "CRM", &request.crm);
    request.notify = live_slack(&tenant).await?;
    note(&mut disabled, "notice", &request.notify);
    match variables(["ANTHROPIC_API_KEY"]) {
        Err(missing) => disabled.push(format!("claude: {missing}; the template writes")),
        Ok([key]) => request.generator = tool(&tenant, claude::PLATFORM, key).await?,
    }
    match variables(["FIRECRAWL_API_KEY"]) {
        Err(missing) => disabled.push(format!("firecrawl: {missing}; pages are read here")),
        Ok([key]) if request.source.platform == web::PLATFORM => {
            request.source = tool(&tenant, firecrawl::PLATFORM, key).await?;
        }
        Ok(_) => {}
    }
    Ok(World {
        tenant,
        request,
        disabled,
        sandbox: None,
    })
}

async fn live_slack(tenant: &Tenant) -> Result<Route> {
    let (account, credential) = match variables(["SLACK_WEBHOOK_URL"]) {
        Ok([url]) => (
            account(tenant, slack::PLATFORM, "webhook"),
            Credential::address(url),
        ),
        Err(no_webhook) => match variables(["SLACK_BOT_TOKEN", "SLACK_CHANNEL"]) {
            Ok([token, channel]) => (
                account(tenant, slack::PLATFORM, &channel),
                Credential::token(token),
            ),
            Err(no_bot) => return Ok(Route::Disabled(format!("{no_webhook}, and {no_bot}"))),
        },
    };
    Ok(Route::Account(
        tenant.add_account(account, credential).await?.id,
    ))
}

async fn tool(tenant: &Tenant, platform: Platform, key: String) -> Result<Tool> {
    let account = account(tenant, platform.clone(), "key");
    let account = tenant.add_account(account, Credential::token(key)).await?;
    Ok(Tool::with(platform, account.id))
}

fn account(tenant: &Tenant, platform: Platform, remote_id: &str) -> Account {
    Account::new(tenant.id().clone(), platform, remote_id)
}

fn note(disabled: &mut Vec<String>, step: &str, route: &Route) {
    if let Route::Disabled(missing) = route {
        disabled.push(format!("{step}: {missing}"));
    }
}

/// All of these variables, or which are not set.
fn variables<const N: usize>(names: [&str; N]) -> Result<[String; N], String> {
    let values = names.map(|name| {
        std::env::var(name)
            .ok()
            .filter(|value| !value.trim().is_empty())
    });
    let missing: Vec<&str> = names
        .iter()
        .zip(&values)
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        Ok(values.map(Option::unwrap_or_default))
    } else {
        Err(format!("{} is not set", missing.join(", ")))
    }
}
