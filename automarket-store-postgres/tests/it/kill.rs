//! A process that writes is killed, for real, again and again: what it acknowledged is there.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use automarket_core::{
    JobId,
    store::{Claim, JobState, JobStore, NewJob, Verdict},
};
use automarket_store_postgres::PostgresStore;

use crate::{acme, cluster, job};

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
                Some(("put", Ok(id))) => drop(self.put.insert(id)),
                Some(("done", Ok(id))) => heard += usize::from(self.done.insert(id)),
                _ => {}
            }
            line.clear();
        }
        heard
    }
}

fn start(url: &str, schema: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::writer_process", "--nocapture"])
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
        let (mut child, mut out) = start(cluster.url(), test.schema());
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
