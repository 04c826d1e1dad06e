//! PgBouncer between a store and its server, where the machine has one.

use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use automarket_core::{ErrorKind, Retry, store::JobStore};
use automarket_store_postgres::{PostgresStore, testing::Cluster};
use tokio_postgres::{NoTls, config::Host};

use crate::{cluster, job};

/// Ends when it is dropped.
struct Pooler {
    process: Child,
    settings: PathBuf,
    url: String,
}

impl Pooler {
    /// `None` where there is no PgBouncer, or the way to the server is not known.
    async fn start(cluster: &Cluster, mode: &str) -> Option<Self> {
        let config: tokio_postgres::Config = cluster.url().parse().unwrap();
        let [Host::Unix(home)] = config.get_hosts() else {
            return None;
        };
        // Free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let port = port.unwrap().port();
        let settings = env::temp_dir().join(format!("automarket-pooler-{port}.ini"));
        let said = format!(
            "[databases]
* = host={} user=automarket
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
",
            home.display()
        );
        fs::write(&settings, said).unwrap();
        let mut command = Command::new("pgbouncer");
        command.arg(&settings);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if env::var("USER").as_deref() == Ok("root") || fs::read("/etc/shadow").is_ok() {
            // It refuses to run as root.
            command.args(["-u", "postgres"]);
        }
        let Ok(process) = command.spawn() else {
            eprintln!("skipped: no pgbouncer");
            fs::remove_file(&settings).unwrap();
            return None;
        };
        let pooler = Self {
            process,
            settings,
            url: format!("postgres://automarket@127.0.0.1:{port}/postgres"),
        };
        let give_up = Instant::now() + Duration::from_secs(60);
        while tokio_postgres::connect(&pooler.url, NoTls).await.is_err() {
            assert!(Instant::now() < give_up, "the pooler does not answer");
            tokio::task::yield_now().await;
        }
        Some(pooler)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.settings);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_mixes_up_prepared_statements_is_refused() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let Some(pooler) = Pooler::start(cluster, "transaction").await else {
        return;
    };
    let refused = PostgresStore::builder(&pooler.url).schema(test.schema());
    let refused = refused.build().await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.retry(), refused.rule()),
        (ErrorKind::Config, Retry::Never, Some("postgres.prepared")),
        "{}",
        refused.report()
    );
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_of_sessions_will_do_but_takes_no_options() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let Some(pooler) = Pooler::start(cluster, "session").await else {
        return;
    };
    let open = |url: String| PostgresStore::builder(url).schema(test.schema()).build();
    let store = open(pooler.url.clone()).await.unwrap();
    store.enqueue(&[job()]).await.unwrap();
    let options = "?options=-c%20default_transaction_isolation=read%5C%20committed";
    let refused = open(format!("{}{options}", pooler.url)).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.retry(), refused.rule()),
        (ErrorKind::Config, Retry::Never, Some("postgres.url")),
        "{}",
        refused.report()
    );
    drop(store);
    test.remove().await.unwrap();
}
