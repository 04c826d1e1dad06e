//! The other end of a connection is gone, and nobody says so: what is sent is lost, and nothing comes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use automarket_core::{
    ErrorKind,
    store::{Claim, JobStore},
};
use automarket_store_postgres::{PostgresStore, testing::Cluster};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    time::timeout,
};
use tokio_postgres::config::Host;

use crate::{client, cluster, job};

/// Stands between a store and the server, and swallows what comes over a connection from this word on.
struct Wire {
    word: &'static [u8],
    silent: AtomicBool,
}

impl Wire {
    fn new(word: &'static str, silent: bool) -> Arc<Self> {
        Arc::new(Self {
            word: word.as_bytes(),
            silent: silent.into(),
        })
    }

    /// The server's URL over it.
    async fn lay(self: Arc<Self>, cluster: &Cluster) -> String {
        let config: tokio_postgres::Config = cluster.url().parse().unwrap();
        let [Host::Unix(home)] = config.get_hosts() else {
            panic!("the test server listens on a socket");
        };
        let socket = home.join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                let spoken = Arc::<AtomicBool>::default();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(self.clone().carry(from_client, to_server, spoken.clone()));
                tokio::spawn(self.clone().carry(from_server, to_client, spoken));
            }
        });
        format!("postgres://automarket@127.0.0.1:{port}/postgres")
    }

    async fn carry(
        self: Arc<Self>,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        spoken: Arc<AtomicBool>,
    ) {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            let said = &bytes[..read];
            let mut words = said.windows(self.word.len());
            if words.any(|word| word == self.word) {
                spoken.store(true, Ordering::SeqCst);
            }
            if spoken.load(Ordering::SeqCst) && self.silent.load(Ordering::SeqCst) {
                continue;
            }
            if to.write_all(said).await.is_err() {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_is_swallowed_goes_another_way_the_next_time() {
    if std::env::var("DATABASE_URL").is_ok() {
        return; // The way to somebody else's server is not known here.
    }
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let wire = Wire::new(".prolong", false);
    let url = wire.clone().lay(cluster).await;
    let store = PostgresStore::builder(url).schema(test.schema());
    let store = store.build().await.unwrap();
    store.enqueue(&[job()]).await.unwrap();
    let leases = store.claim(&Claim::new("worker", 1)).await.unwrap();
    let token = [leases[0].token];
    // The deadline only ends a test that fails.
    let beat = || async {
        let beat = store.heartbeat(&token, Duration::from_secs(3));
        timeout(Duration::from_secs(60), beat)
            .await
            .expect("an end")
    };
    assert_eq!(beat().await.unwrap(), []);
    wire.silent.store(true, Ordering::SeqCst);
    let swallowed = beat().await.unwrap_err();
    assert_eq!(
        (swallowed.kind(), swallowed.rule()),
        (ErrorKind::Storage, Some("postgres.timeout"))
    );
    wire.silent.store(false, Ordering::SeqCst);
    assert_eq!(beat().await.unwrap(), [], "over a connection that is new");
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_a_store_and_falls_silent_keeps_nobody_from_opening_it() {
    if std::env::var("DATABASE_URL").is_ok() {
        return; // The way to somebody else's server is not known here.
    }
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let url = Wire::new("to_regnamespace", true).lay(cluster).await;
    let silent = PostgresStore::builder(url).schema(test.schema()).build();
    let silent = tokio::spawn(silent);
    let admin = client(cluster.url()).await;
    let held = "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted AND a.state = 'idle in transaction'";
    while admin.query(held, &[]).await.unwrap().is_empty() {}
    // The deadline only ends a test that fails.
    let other = PostgresStore::builder(cluster.url()).schema(test.schema());
    let opened = timeout(Duration::from_secs(60), other.build()).await;
    opened.expect("an end").unwrap();
    silent.abort();
    test.remove().await.unwrap();
}
