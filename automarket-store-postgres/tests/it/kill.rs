//! A process that writes is killed, for real, again and again: what it acknowledged is there.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use automarket_core::{
    JobId,
    chrono::DateTime,
    store::{Claim, JobState, JobStore, NewJob, PublicationStore, Verdict},
    testing::sample_publishing,
};
use automarket_store_postgres::{PostgresStore, with_tokio_postgres};
use uuid::Uuid;

use crate::{acme, client, cluster, job};

const DATABASE: &str = "AUTOMARKET_KILL_TEST_URL";
const SCHEMA: &str = "AUTOMARKET_KILL_TEST_SCHEMA";
const SEED: u64 = 20_270_101;
const KILLS: usize = 8;

/// The life of the process that is killed: puts jobs in and completes some, and says so once it is told.
/// Does nothing unless the test below starts it.
#[tokio::test(flavor = "multi_thread")]
async fn writer_process() {
    let (Ok(url), Ok(schema)) = (std::env::var(DATABASE), std::env::var(SCHEMA)) else {
        return;
    };
    let store = PostgresStore::builder(url)
        .schema(schema)
        .build()
        .await
        .unwrap();
    for producer in 0..4 {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                let jobs: Vec<NewJob> = (0..=producer * 9).map(|_| job()).collect();
                for answer in store.enqueue(&jobs).await.unwrap() {
                    say("put", answer.id());
                }
            }
        });
    }
    loop {
        for lease in store.claim(&Claim::new("worker", 5)).await.unwrap() {
            let done = (lease.token, Verdict::Complete("done".into()));
            store.settle(&[done]).await.unwrap();
            say("done", lease.job.id);
        }
    }
}

fn say(word: &str, id: JobId) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{word} {id}").unwrap();
    out.flush().unwrap();
}

/// What the process acknowledged.
#[derive(Default)]
struct Acknowledged {
    put: HashSet<JobId>,
    done: HashSet<JobId>,
}

impl Acknowledged {
    /// Reads until so many completions were acknowledged, or the process has ended.
    fn listen(&mut self, out: &mut BufReader<ChildStdout>, most: usize) -> usize {
        let (mut line, mut heard) = (String::new(), 0);
        while heard < most && out.read_line(&mut line).unwrap() > 0 {
            let said = line
                .strip_suffix('\n')
                .and_then(|line| line.split_once(' '));
            match said.map(|(word, id)| (word, id.parse())) {
                Some(("put", Ok(id))) => {
                    self.put.insert(id);
                }
                Some(("done", Ok(id))) => heard += usize::from(self.done.insert(id)),
                _ => {}
            }
            line.clear();
        }
        heard
    }
}

fn start(process: &str, url: &str, schema: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", process, "--nocapture"])
        .env(DATABASE, url)
        .env(SCHEMA, schema)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut known = Acknowledged::default();
    let mut random = fastrand::Rng::with_seed(SEED);
    for _ in 0..KILLS {
        let (mut child, mut out) = start("kill::writer_process", cluster.url(), test.schema());
        let wanted = random.usize(2..30);
        assert_eq!(
            known.listen(&mut out, wanted),
            wanted,
            "the process ended by itself"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        known.listen(&mut out, usize::MAX);
    }
    for id in &known.put {
        let job = test.store.job(&acme(), *id).await.unwrap();
        let state = job.expect("an acknowledged job is there").state;
        assert!(!known.done.contains(id) || state == JobState::Completed);
    }
    assert!(
        known.put.len() > KILLS * 20 && known.done.len() > KILLS,
        "too little happened"
    );
    let twice =
        "SELECT 1 / (count(*) = 0)::int FROM automarket.queue JOIN automarket.ended USING (id)";
    test.run(twice).await.unwrap();
    test.remove().await.unwrap();
}

/// The life of a host that is killed: its user, our job and our publication in one transaction, again and again.
/// Does nothing unless the test below starts it.
#[tokio::test(flavor = "multi_thread")]
async fn host_process() {
    let (Ok(url), Ok(schema)) = (std::env::var(DATABASE), std::env::var(SCHEMA)) else {
        return;
    };
    let store = PostgresStore::builder(&url).schema(&schema);
    let store = store.build().await.unwrap();
    let mut host = client(&url).await;
    let insert = format!("INSERT INTO {schema}.users VALUES ($1, $2)");
    loop {
        let (welcome, publishing) = (job(), sample_publishing("acme", DateTime::UNIX_EPOCH));
        let tx = host.transaction().await.unwrap();
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&welcome.id.uuid(), &publishing.post.id.uuid()];
        tx.execute(&insert, &row).await.unwrap();
        with_tokio_postgres::enqueue_in(&store, &tx, &welcome)
            .await
            .unwrap();
        with_tokio_postgres::publish_in(&store, &tx, &publishing)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        say("done", welcome.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_in_its_transaction_leaves_all_of_it_or_nothing() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    test.run("CREATE TABLE automarket.users (job uuid, post uuid)")
        .await
        .unwrap();
    let mut known = Acknowledged::default();
    let mut random = fastrand::Rng::with_seed(SEED);
    for _ in 0..KILLS {
        let (mut child, mut out) = start("kill::host_process", cluster.url(), test.schema());
        let wanted = random.usize(1..20);
        assert_eq!(
            known.listen(&mut out, wanted),
            wanted,
            "the process ended by itself"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        known.listen(&mut out, usize::MAX);
    }
    let admin = client(cluster.url()).await;
    let sql = format!("SELECT job, post FROM {}.users", test.schema());
    let users = admin.query(&sql, &[]).await.unwrap();
    for user in &users {
        let (welcome, post): (Uuid, Uuid) = (user.get(0), user.get(1));
        known.done.remove(&welcome.into());
        assert!(
            test.store
                .job(&acme(), welcome.into())
                .await
                .unwrap()
                .is_some()
        );
        let publications = test.store.publications(&acme(), post.into()).await.unwrap();
        assert_eq!(publications.len(), 1);
    }
    assert_eq!(known.done.len(), 0, "what was committed is there");
    let stats = test.store.queue_stats().await.unwrap();
    assert_eq!(
        stats.ready,
        2 * users.len() as u64,
        "and nothing without its user"
    );
    test.remove().await.unwrap();
}

/// A process that opens the store. Does nothing unless the test below starts it.
#[tokio::test(flavor = "multi_thread")]
async fn opener_process() {
    let (Ok(url), Ok(schema)) = (std::env::var(DATABASE), std::env::var(SCHEMA)) else {
        return;
    };
    PostgresStore::builder(url)
        .schema(schema)
        .build()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_migrate_at_once_and_are_killed_in_the_middle() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let admin = client(cluster.url()).await;
    let mut cut = 0;
    for round in 0..4 {
        let schema = format!("killed_{round}");
        // What they say is held open: a test that cannot speak ends before it begins.
        let start = || start("kill::opener_process", cluster.url(), &schema);
        let mut children = [start(), start()];
        // One of them is at it, and a little further in each round.
        let lock = format!("automarket migrations {schema}");
        let held = async || {
            let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
                AND (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)";
            let row = admin.query_one(sql, &[&lock]).await.unwrap();
            row.get::<_, i64>(0) > 0
        };
        let mut met = held().await;
        while !met && children[0].0.try_wait().unwrap().is_none() {
            met = held().await;
        }
        for _ in 0..round * 20 {
            held().await;
        }
        for (child, _out) in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // The server, too, has seen that they are gone.
        while held().await {}
        let nothing = "SELECT to_regnamespace($1) IS NULL";
        let nothing: bool = admin.query_one(nothing, &[&schema]).await.unwrap().get(0);
        cut += i32::from(met && nothing);
        let store = PostgresStore::builder(cluster.url()).schema(&schema);
        let store = store.build().await.unwrap();
        store.enqueue(&[job()]).await.unwrap();
        assert_eq!(store.queue_stats().await.unwrap().ready, 1);
        let drop = format!("DROP SCHEMA {schema} CASCADE");
        admin.batch_execute(&drop).await.unwrap();
    }
    assert!(cut > 0, "no kill met the migration");
}
