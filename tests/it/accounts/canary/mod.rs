//! Marked secrets are planted everywhere, everything is run at TRACE with failures, and then every log line,
//! error, Debug output, event, row, metric, attempt with its wire, panic message and database byte is searched for
//! them, in every spelling and for their beginning alone. Webhooks to hosts are to be searched here too once there
//! are some.

mod connectors;
mod said;
mod search;

use std::{path::Path, time::Duration};

use automarket::{
    Context, Post, When,
    core::chrono,
    http::{Guard, ReqwestTransport},
    oauth::{App, Provider, Refresh},
    pipeline::Run,
    store::sqlite::SqliteStore,
    testing::Server,
};
use said::{heard, listen, said, show, shown};
use search::{marked, no_secret_in};

use super::{issuer::Next, *};

const LEASE: Duration = Duration::from_secs(30);

struct Plot {
    issuer: Issuer,
    _server: Server,
    base: String,
    store: Arc<dyn Store>,
    clock: ManualClock,
    secret: String,
}

impl Plot {
    async fn new(store: Arc<dyn Store>, clock: ManualClock) -> Self {
        let issuer = Issuer::marked(&marked("t"));
        let server = Server::start(Arc::new(issuer.clone()), "wall.example");
        let server = server.await.unwrap();
        Self {
            base: server.base_url(),
            issuer,
            _server: server,
            store,
            clock,
            secret: marked("client"),
        }
    }

    /// On real sockets, so that the client's own logs are heard.
    fn tenant(&self, keys: &str) -> Tenant {
        let guard = Guard::default()
            .allow("127.0.0.0/8".parse().unwrap())
            .allow_http(true);
        let transport = ReqwestTransport::builder().guard(guard).build().unwrap();
        let base = &self.base;
        let provider = Provider {
            refresh: Refresh::Token { rotates: true },
            ..Provider::new(
                PLATFORM,
                format!("{base}/authorize"),
                format!("{base}/token"),
            )
        };
        let builder = Automarket::shared(self.store.clone())
            .transport(transport)
            .clock(Arc::new(self.clock.clone()))
            .publisher(Wall::at(base))
            .oauth(provider, App::new("client", &self.secret))
            .keyring(keyring(keys))
            .job("panics", |context: String, _: Run| async move {
                let credential = Credential::token(marked("held"));
                show(&credential);
                assert!(context.is_empty(), "panicked with {credential:?}");
                Ok(())
            });
        show(&builder);
        let market = builder.build().unwrap();
        show(&market);
        market.tenant("acme").unwrap()
    }

    async fn all(&self) {
        let tenant = self.tenant(OLD);
        let account = |id: &str| Account::new(tenant.id().clone(), PLATFORM, id);
        let basic = Credential::Basic {
            user: "ada".into(),
            password: Secret::new(marked("password")),
        };
        for (id, credential) in [
            ("token", Credential::token(marked("token"))),
            ("basic", basic),
            (
                "address",
                Credential::address(marked("https://hooks.example/")),
            ),
        ] {
            show(&credential);
            let put = tenant.add_account(account(id), credential).await;
            let account = shown(put).unwrap();
            show(&shown(tenant.context(account.id).await));
            publish(&tenant, account.id, id).await;
        }
        let oauth = self.connect(&tenant).await;
        publish(&tenant, oauth.id, "published").await;
        self.issuer.forget_access();
        publish(&tenant, oauth.id, "renewed after a 401").await;

        // Renewals that fail in every way, with answers that quote what they were asked with.
        let quoted = marked("t");
        for next in [
            Next::NotSent,
            Next::Quote(503),
            Next::Quote(400),
            Next::Reply(200, format!("{{\"access_token\": \"{quoted}")),
            Next::Reply(
                400,
                format!(
                    "{{\"error\":\"invalid_client\",\"error_description\":{:?}}}",
                    self.secret
                ),
            ),
            Next::Quote(429),
        ] {
            self.issuer.next(next);
            self.clock.advance(chrono::Duration::hours(2));
            shown(tenant.context(oauth.id).await.map(drop));
        }
        self.clock.advance(chrono::Duration::hours(2));
        let context: Context = shown(tenant.context(oauth.id).await).unwrap();
        show(context.credential());
        let seen = shown(tenant.reveal_credential(oauth.id, "a look").await).unwrap();
        show(&seen);
        shown(tenant.export_credential(oauth.id, "elsewhere").await);

        // Keys that are missing or wrong, a rotation, a panic.
        let other = self.tenant(NEW);
        shown(other.context(oauth.id).await.map(drop));
        shown(other.market().rotate(|progress| show(progress)).await);
        let both = self.tenant(&format!("{NEW},{OLD}"));
        shown(both.market().rotate(|progress| show(progress)).await);
        let job = both.new_job("panics", &"now").unwrap();
        let id = both.enqueue(job).await.unwrap().id();
        show(&both.work_on(id, LEASE).await);

        // The platform does not renew any more.
        self.issuer.withdraw();
        self.clock.advance(chrono::Duration::hours(2));
        publish(&both, oauth.id, "blocked").await;
        shown(both.context(oauth.id).await.map(drop));
        let again = self.connect(&both).await;
        show(&both.disconnect(again.id).await);
        self.connect(&both).await;
        self.rows(&both).await;
    }

    async fn connect(&self, tenant: &Tenant) -> Account {
        let (access, refresh) = self.issuer.grant();
        let end = issuer::later(&self.clock, 3600);
        let credential = tokens(&access, &refresh, end);
        show(&credential);
        let account = Account::new(tenant.id().clone(), PLATFORM, "oauth");
        shown(tenant.add_account(account, credential).await).unwrap()
    }

    /// What a host can read.
    async fn rows(&self, tenant: &Tenant) {
        for event in tenant.events(0, 10_000).await.unwrap() {
            said(&serde_json::to_string(&event).unwrap());
        }
        for entry in tenant.audit(0, 10_000).await.unwrap() {
            said(&serde_json::to_string(&entry).unwrap());
        }
        show(&tenant.credentials().await);
        show(&self.store.credentials(tenant.id()).await);
        show(&tenant.accounts().await);
    }
}

async fn publish(tenant: &Tenant, account: automarket::AccountId, text: &str) {
    let id = tenant.publish(Post::text(text), [account], When::Now).await;
    let id = shown(id).unwrap();
    let publication = tenant.publications(id).await.unwrap().remove(0);
    let job = publication.job;
    show(&tenant.work_on(job, LEASE).await);
    let publications = tenant.publications(id).await.unwrap();
    said(&serde_json::to_string(&publications).unwrap());
    let why = shown(tenant.why(publication.id).await).unwrap();
    said(&format!("{why} {}", serde_json::to_string(&why).unwrap()));
}

/// Otherwise the search would find nothing because there is nothing.
fn something_was_heard(heard: &str) {
    for wanted in [
        "a token could not be renewed now",
        "[REDACTED]",
        "account.needs_reauth",
        "hyper_util",
        "vault.wrong_key",
        "panicked with",
        "metric Key(automarket_calls_total",
        "it begins with [REDACTED]... and ends in [REDACTED]",
    ] {
        assert!(heard.contains(wanted), "{wanted} was not heard");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_said_or_stored_with_sqlite() {
    listen();
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = SqliteStore::builder(folder.path().join("canary.db"))
        .clock(Arc::new(clock.clone()))
        .build()
        .await
        .unwrap();
    Plot::new(Arc::new(store), clock).await.all().await;
    search_folder(folder.path());
    let heard = heard();
    something_was_heard(&heard);
    no_secret_in("what was said", heard.as_bytes());
}

fn search_folder(folder: &Path) {
    let mut searched = 0;
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let bytes = std::fs::read(file.path()).unwrap();
        searched += bytes.len();
        no_secret_in(&file.path().display().to_string(), &bytes);
    }
    assert!(searched > 10_000, "there was nothing to search");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_said_or_stored_with_postgres() {
    listen();
    let Some(cluster) = crate::cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    // Its time cannot be moved by hand like this one: what it says is searched, not what it renews.
    let clock = ManualClock::at(Utc::now());
    let run = Plot::new(Arc::new(test.store.clone()), clock).await;
    let tenant = run.tenant(OLD);
    let account = run.connect(&tenant).await;
    run.issuer.forget_access();
    publish(&tenant, account.id, "renewed after a 401").await;
    run.issuer.withdraw();
    publish(&tenant, account.id, "blocked").await;
    run.rows(&tenant).await;

    let (client, connection) = tokio_postgres::connect(cluster.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let sql = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1";
    let mut dumped = 0;
    for table in client.query(sql, &[&test.schema()]).await.unwrap() {
        let table: String = table.get(0);
        let sql = format!("SELECT t::text FROM {}.{table} t", test.schema());
        for row in client.query(&sql, &[]).await.unwrap() {
            let row: String = row.get(0);
            dumped += 1;
            no_secret_in(&table, row.as_bytes());
            // bytea shows as hex, in which base64 would hide.
            for hex in row
                .split(|c: char| !c.is_ascii_hexdigit())
                .filter(|h| h.len() > 40)
            {
                let half = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
                let raw: Vec<u8> = (0..hex.len() - 1).step_by(2).map(half).collect();
                no_secret_in(&table, &raw);
            }
        }
    }
    assert!(dumped > 20, "there was nothing to search");
    no_secret_in("what was said", heard().as_bytes());
    test.remove().await.unwrap();
}
