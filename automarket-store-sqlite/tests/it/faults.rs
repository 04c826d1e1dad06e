//! What the database cannot do now is `Storage`, to be tried again; what it will never do is not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use automarket_core::{
    Clock, ErrorKind, Retry, TenantId,
    chrono::{DateTime, Utc},
    store::{Claim, Enqueued, JobStore, NewJob},
};
use automarket_store_sqlite::SqliteStore;
use rusqlite::Connection;

fn job(tenant: &str) -> NewJob {
    NewJob::new(TenantId::new(tenant).unwrap(), "work", 1.into())
}

#[tokio::test]
async fn a_locked_database_is_tried_again_and_work_resumes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::builder(&path)
        .busy_timeout(Duration::from_millis(20))
        .build()
        .await
        .unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.enqueue(&[job("a")]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Storage);
    assert_eq!(refused.retry(), Retry::After(None));
    assert_eq!(refused.rule(), Some("sqlite.locked"));
    assert_eq!(
        store.claim(&Claim::new("w", 1)).await.unwrap_err().kind(),
        ErrorKind::Storage
    );
    assert_eq!(store.queue_stats().await.unwrap().ready, 0, "reads go on");
    let second = SqliteStore::builder(&path).busy_timeout(Duration::from_millis(20));
    let second = second.build().await.unwrap(); // There is nothing to bring up to date.
    let refused = second.enqueue(&[job("a")]).await.unwrap_err();
    assert_eq!(refused.rule(), Some("sqlite.locked"));
    other.execute_batch("COMMIT").unwrap();
    store.enqueue(&[job("a")]).await.unwrap();
    assert_eq!(store.claim(&Claim::new("w", 9)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_database_is_not_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    std::fs::write(&path, "no database ".repeat(1000)).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.retry()),
        (ErrorKind::Internal, Retry::Never)
    );
    assert_eq!(refused.rule(), Some("sqlite.corrupt"));
    let untouched = std::fs::read_to_string(&path).unwrap();
    assert!(untouched.starts_with("no database no database"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_takes_no_other_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("a.db"))
        .await
        .unwrap();
    let taken = job("b");
    store.enqueue(std::slice::from_ref(&taken)).await.unwrap();
    let calls = (0..60).map(|number| {
        let (store, taken) = (store.clone(), taken.id);
        tokio::spawn(async move {
            let good = job("a");
            if number % 3 == 0 {
                let bad = NewJob {
                    id: taken,
                    ..job("a")
                };
                let refused = store.enqueue(&[good.clone(), bad]).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Conflict);
                return 0;
            }
            let answer = store.enqueue(std::slice::from_ref(&good)).await.unwrap();
            assert_eq!(answer, [Enqueued::New(good.id)]);
            1
        })
    });
    let mut put_in = 1;
    for call in calls.collect::<Vec<_>>() {
        put_in += call.await.unwrap();
    }
    assert_eq!(store.queue_stats().await.unwrap().ready, put_in);
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_is_whole_or_absent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let jobs: Vec<NewJob> = (0..500).map(|_| job("a")).collect();
    {
        let call = store.enqueue(&jobs);
        tokio::select! {
            biased;
            () = std::future::ready(()) => {}
            _ = call => panic!("the other branch is ready first"),
        }
    }
    let call = tokio::time::timeout(Duration::ZERO, store.enqueue(&jobs)).await;
    drop((call, store));
    let store = SqliteStore::open(&path).await.unwrap();
    let ready = store.queue_stats().await.unwrap().ready;
    assert!(ready == 0 || ready == 500, "{ready}");
}

#[test]
fn who_writes_gets_its_turn_beside_a_busy_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = SqliteStore::builder(&path).busy_timeout(Duration::from_secs(10));
    let store = runtime.block_on(store.build()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        // It holds the lock all the time but for a tenth of a millisecond.
        threads.spawn(|| {
            let other = Connection::open(&path).unwrap();
            other.busy_timeout(Duration::from_secs(60)).unwrap();
            while !done.load(Ordering::Relaxed) {
                other.execute_batch("BEGIN IMMEDIATE").unwrap();
                thread::sleep(Duration::from_millis(50));
                other.execute_batch("COMMIT").unwrap();
                let free = Instant::now();
                while free.elapsed() < Duration::from_micros(100) {}
            }
        });
        let puts = async {
            let mut refused = 0;
            for _ in 0..5 {
                refused += usize::from(store.enqueue(&[job("a")]).await.is_err());
            }
            refused
        };
        let refused = runtime.block_on(puts);
        done.store(true, Ordering::Relaxed);
        assert_eq!(refused, 0);
    });
}

#[derive(Debug)]
struct PanicsWhenTold(AtomicBool);

impl Clock for PanicsWhenTold {
    fn now(&self) -> DateTime<Utc> {
        assert!(!self.0.load(Ordering::Relaxed), "told to panic");
        Utc::now()
    }
}

#[tokio::test]
async fn a_panic_while_writing_is_answered_and_work_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(PanicsWhenTold(false.into()));
    let store = SqliteStore::builder(directory.path().join("a.db")).clock(clock.clone());
    let store = store.build().await.unwrap();
    clock.0.store(true, Ordering::Relaxed);
    let refused = store.enqueue(&[job("a")]).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.retry()),
        (ErrorKind::Storage, Retry::After(None))
    );
    assert_eq!(refused.rule(), Some("sqlite.panicked"));
    assert!(refused.remedy().unwrap().contains("clock"));
    clock.0.store(false, Ordering::Relaxed);
    store.enqueue(&[job("a")]).await.unwrap();
    assert_eq!(store.queue_stats().await.unwrap().ready, 1);
}
