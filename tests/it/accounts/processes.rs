//! Many processes on one database: one renewal for all of them, whatever happens to the one that makes it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use automarket::{
    AccountId,
    http::{Guard, ReqwestTransport},
    oauth::{App, Provider, Refresh},
    store::{postgres::PostgresStore, sqlite::SqliteStore},
    testing::{FAULT_POINT, Server},
};

use super::*;

const DATABASE: &str = "AUTOMARKET_ACCOUNTS_DATABASE";
const SCHEMA: &str = "AUTOMARKET_ACCOUNTS_SCHEMA";
const ISSUER: &str = "AUTOMARKET_ACCOUNTS_ISSUER";
const PROCESSES: usize = 4;
const USERS: usize = 50;

/// A database that several processes share.
#[derive(Clone)]
struct Shared {
    database: String,
    schema: String,
}

impl Shared {
    async fn open(&self) -> Arc<dyn Store> {
        if self.database.starts_with("postgres") {
            let store = PostgresStore::builder(&self.database).schema(&self.schema);
            Arc::new(store.build().await.unwrap())
        } else {
            Arc::new(SqliteStore::open(&self.database).await.unwrap())
        }
    }

    async fn tenant(&self, issuer: &str) -> Tenant {
        let guard = Guard::default()
            .allow("127.0.0.0/8".parse().unwrap())
            .allow_http(true);
        let transport = ReqwestTransport::builder().guard(guard).build().unwrap();
        let provider = Provider {
            refresh: Refresh::Token { rotates: true },
            ..Provider::new(
                PLATFORM,
                format!("{issuer}/authorize"),
                format!("{issuer}/token"),
            )
        };
        let market = Automarket::shared(self.open().await)
            .transport(transport)
            .oauth(provider, App::new("client", "client-secret"))
            .keyring(keyring(OLD))
            .refresh(RefreshPolicy {
                // Long enough for a busy machine, short enough to wait for.
                lease: Duration::from_secs(12),
                ..RefreshPolicy::default()
            })
            .build()
            .unwrap();
        market.tenant("acme").unwrap()
    }
}

/// The life of one of the processes: many users of one credential, all at once. Does nothing unless a test
/// below starts it.
#[tokio::test(flavor = "multi_thread")]
async fn user_process() {
    let Ok(database) = std::env::var(DATABASE) else {
        return;
    };
    let shared = Shared {
        database,
        schema: std::env::var(SCHEMA).unwrap(),
    };
    let tenant = shared.tenant(&std::env::var(ISSUER).unwrap()).await;
    let account = tenant.accounts().await.unwrap()[0].id;
    println!("\nready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let users = (0..USERS).map(|_| tokio::spawn(use_it(tenant.clone(), account)));
    for user in users.collect::<Vec<_>>() {
        println!("\ngot {}", user.await.unwrap());
    }
}

async fn use_it(tenant: Tenant, account: AccountId) -> String {
    match tenant.context(account).await {
        Ok(context) => token_of(context.credential()).to_owned(),
        Err(error) => error.rule().unwrap_or("no rule").to_owned(),
    }
}

struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Process {
    fn start(shared: &Shared, issuer: &str, fault_point: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "accounts::processes::user_process",
                "--exact",
                "--nocapture",
            ])
            .env(DATABASE, &shared.database)
            .env(SCHEMA, &shared.schema)
            .env(ISSUER, issuer)
            .env_remove(FAULT_POINT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(point) = fault_point {
            command.env(FAULT_POINT, point);
        }
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { child, out };
        process.lines(|line| line == "ready");
        process
    }

    fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// What it says until a line is the last.
    fn lines(&mut self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        while self.out.read_line(&mut line).unwrap() > 0 {
            let said = line.trim().to_owned();
            line.clear();
            let end = last(&said);
            lines.push(said);
            if end {
                break;
            }
        }
        lines
    }

    /// What its users got, and whether it ended well.
    fn end(mut self) -> (Vec<String>, bool) {
        let lines = self.lines(|_| false);
        let got = lines.iter().filter_map(|line| line.strip_prefix("got "));
        let got = got.map(str::to_owned).collect();
        (got, self.child.wait().unwrap().success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A world with one expired credential; what a test does in it.
struct Stage {
    shared: Shared,
    issuer: Issuer,
    server: Server,
    tenant: Tenant,
}

impl Stage {
    async fn new(shared: Shared) -> Self {
        let issuer = Issuer::new();
        let server = Server::start(Arc::new(issuer.clone()), "wall.example");
        let server = server.await.unwrap();
        let tenant = shared.tenant(&server.base_url()).await;
        let account = Account::new(tenant.id().clone(), PLATFORM, "1");
        let (access, refresh) = issuer.grant();
        let expired = tokens(&access, &refresh, Utc::now());
        tenant.add_account(account, expired).await.unwrap();
        Self {
            shared,
            issuer,
            server,
            tenant,
        }
    }

    fn process(&self, fault_point: Option<&str>) -> Process {
        Process::start(&self.shared, &self.server.base_url(), fault_point)
    }

    /// All processes at once; what all of their users got.
    async fn everybody(&self) -> Vec<String> {
        let mut processes: Vec<Process> = (0..PROCESSES).map(|_| self.process(None)).collect();
        processes.iter_mut().for_each(Process::go);
        let ends =
            tokio::task::spawn_blocking(|| processes.into_iter().map(Process::end).collect());
        let ends: Vec<(Vec<String>, bool)> = ends.await.unwrap();
        assert!(ends.iter().all(|(_, well)| *well));
        ends.into_iter().flat_map(|(got, _)| got).collect()
    }

    /// A process that dies at this point of its renewal.
    async fn dies(&self, point: &str) {
        let mut process = self.process(Some(point));
        process.go();
        let (got, well) = tokio::task::spawn_blocking(|| process.end()).await.unwrap();
        assert!(!well && got.is_empty(), "it did not die: {well} {got:?}");
    }

    async fn needs_reauth(&self) -> (bool, usize) {
        let events = self.tenant.events(0, 1000).await.unwrap();
        let told = events
            .iter()
            .filter(|e| e.event.kind == "account.needs_reauth");
        let credentials = self.tenant.credentials().await.unwrap();
        (credentials[0].needs_reauth, told.count())
    }
}

async fn one_renewal_for_all(shared: Shared) {
    let stage = Stage::new(shared).await;
    let got = stage.everybody().await;
    assert_eq!(got.len(), PROCESSES * USERS);
    assert!(got.iter().all(|token| token == "access-2"), "{got:?}");
    assert_eq!(stage.issuer.token_requests(), 1);
    assert_eq!(stage.issuer.invalid_grants(), 0);
    assert_eq!(stage.needs_reauth().await, (false, 0));
}

async fn killed_before_the_new_tokens_are_stored(shared: Shared) {
    let stage = Stage::new(shared).await;
    stage.dies("credential.renewed:before").await;
    assert_eq!(stage.issuer.renewed(), 1);
    // The platform has used the refresh token up, and nobody has the new one: it is said, once.
    let got = stage.everybody().await;
    assert!(
        got.iter().all(|rule| rule == "account.needs_reauth"),
        "{got:?}"
    );
    assert_eq!(stage.issuer.token_requests(), 2);
    assert_eq!(stage.needs_reauth().await, (true, 1));
}

async fn killed_after_the_new_tokens_are_stored(shared: Shared) {
    let stage = Stage::new(shared).await;
    stage.dies("credential.renewed:after").await;
    let got = stage.everybody().await;
    assert!(got.iter().all(|token| token == "access-2"), "{got:?}");
    assert_eq!(stage.issuer.token_requests(), 1);
    assert_eq!(stage.needs_reauth().await, (false, 0));
}

fn file(folder: &tempfile::TempDir) -> Shared {
    let path = folder.path().join("accounts.db");
    Shared {
        database: path.to_string_lossy().into_owned(),
        schema: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_one_sqlite_file() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    // Side by side: one of them waits for the lease of the dead.
    tokio::join!(
        one_renewal_for_all(file(&folders[0])),
        killed_before_the_new_tokens_are_stored(file(&folders[1])),
        killed_after_the_new_tokens_are_stored(file(&folders[2])),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_one_postgres() {
    let Some(cluster) = crate::cluster().await else {
        return;
    };
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(cluster.store().await.unwrap());
    }
    let shared = |n: usize| Shared {
        database: cluster.url().to_owned(),
        schema: stores[n].schema().to_owned(),
    };
    tokio::join!(
        one_renewal_for_all(shared(0)),
        killed_before_the_new_tokens_are_stored(shared(1)),
        killed_after_the_new_tokens_are_stored(shared(2)),
    );
    for store in stores {
        store.remove().await.unwrap();
    }
}
