//! Calls that come at the same time go together, and each gets its own answer.

use std::collections::BTreeMap;

use automarket_core::{
    AccountId, ErrorKind, Post, Result,
    chrono::TimeDelta,
    store::{
        Claim, EventStore, GateStore, JobStore, PublicationStore, PublishingChange, REVISION,
        Settled, Signal, Verdict,
    },
    testing::sample_publishing,
};
use automarket_store_postgres::PostgresStore;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{acme, cluster, job, other};

/// Far more than go together in one group.
const MANY: usize = 150;

/// Makes the calls at the same time, by both stores in turns; their answers in order.
async fn at_once<A, F>(
    stores: [&PostgresStore; 2],
    calls: usize,
    call: impl Fn(PostgresStore, usize) -> F,
) -> Vec<A>
where
    A: Send + 'static,
    F: Future<Output = A> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for n in 0..calls {
        let made = call(stores[n % 2].clone(), n);
        tasks.spawn(async move { (n, made.await) });
    }
    let answers: BTreeMap<usize, A> = tasks.join_all().await.into_iter().collect();
    answers.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_written_under_its_own_lease() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let two = other(cluster, &test).await;
    let jobs: Vec<_> = (0..MANY).map(|_| job()).collect();
    test.store.enqueue(&jobs).await.unwrap();
    let leases = test.store.claim(&Claim::new("worker", MANY)).await.unwrap();
    let tokens: Vec<_> = leases.iter().map(|lease| lease.token).collect();
    let is_lost = |n: usize| n % 7 == 3;
    let given_back = (0..MANY).filter(|n| is_lost(*n));
    let given_back: Vec<_> = given_back.map(|n| (tokens[n], Verdict::Release)).collect();
    let settled = test.store.settle(&given_back).await.unwrap();
    assert!(!settled.contains(&Settled::LeaseLost));

    // Twice the same step of each job, in one group where it happens so.
    let puts = at_once([&test.store, &two], 2 * MANY, |store, n| {
        let token = tokens[n % MANY];
        async move { store.put_step(token, "step", &json!(n % MANY)).await }
    });
    for (n, put) in puts.await.into_iter().enumerate() {
        let lost = put.map_err(|error| error.kind()) == Err(ErrorKind::LeaseLost);
        assert_eq!(lost, is_lost(n % MANY), "{n}");
    }
    for (n, token) in tokens.iter().enumerate() {
        let step = test.store.step(&acme(), token.job, "step").await.unwrap();
        assert_eq!(step, (!is_lost(n)).then(|| json!(n)));
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_of_a_gate_counts() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let two = other(cluster, &test).await;
    // Fewer than close a gate.
    let (accounts, times): (Vec<_>, usize) = ((0..MANY / 4).map(|_| AccountId::new()).collect(), 4);
    let calls = accounts.len() * times;
    let told = at_once([&test.store, &two], calls, |store, n| {
        let account = accounts[n / times];
        async move {
            let tenant = acme();
            let told = store.tell_gate(&tenant, account, "host:a", Signal::Failed, false);
            let gate = told.await.unwrap();
            assert_eq!((gate.account, &*gate.name), (account, "host:a"));
            gate.failures
        }
    });
    for failures in told.await.chunks(times) {
        let mut failures = failures.to_vec();
        failures.sort_unstable();
        assert_eq!(failures, [1, 2, 3, 4]);
    }
    let gates = test.store.gates(&acme()).await.unwrap();
    assert_eq!(gates.len(), accounts.len());
    assert!(gates.iter().all(|gate| gate.failures == 4), "{gates:?}");
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_post_is_put_in_and_each_publication_changed_once() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let two = other(cluster, &test).await;
    let at = test.store.now().await.unwrap();
    let post = |_| {
        // Finer than PostgreSQL's time.
        let mut new = sample_publishing("acme", at + TimeDelta::nanoseconds(789));
        let id = new.post.id;
        new.post = Post::text("We shipped!");
        new.post.id = id;
        let publication = &mut new.publications[0];
        (publication.receipt, publication.handle, publication.error) = (None, None, None);
        new.events[0].data = 1.into();
        new
    };
    let posts: Vec<_> = (0..MANY).map(post).collect();
    let put = at_once([&test.store, &two], 2 * MANY, |store, n| {
        let post = posts[n / 2].clone();
        async move { store.put_publishing(&post).await }
    });
    let put: Result<Vec<bool>> = put.await.into_iter().collect();
    for (n, twice) in put.unwrap().chunks(2).enumerate() {
        assert_ne!(twice[0], twice[1], "post {n} is new once");
    }
    let events: usize = posts.iter().map(|post| post.events.len()).sum();
    let told = async || {
        test.store
            .events(&acme(), 0, 10 * MANY)
            .await
            .unwrap()
            .len()
    };
    assert_eq!(told().await, events);
    for post in &posts {
        let [publication] = &post.publications[..] else {
            panic!("one each");
        };
        let stored = test
            .store
            .publication(&acme(), publication.id)
            .await
            .unwrap();
        assert_eq!(stored.as_ref(), Some(publication));
        for job in &post.jobs {
            assert!(test.store.job(&acme(), job.id).await.unwrap().is_some());
        }
    }

    // Each is changed twice, against the same revision.
    let changed = at_once([&test.store, &two], 2 * MANY, |store, n| {
        let mut change = PublishingChange::new(acme());
        change.publications = posts[n / 2].publications.clone();
        change.publications[0].key = n.to_string();
        change.events = posts[n / 2].events.clone();
        async move { store.change_publishing(&change).await }
    });
    for (n, twice) in changed.await.chunks(2).enumerate() {
        let (done, refused) = match twice {
            [Ok(done), Err(refused)] | [Err(refused), Ok(done)] => (done, refused),
            both => panic!("{both:?}"),
        };
        assert_eq!(refused.rule(), Some(REVISION));
        let id = posts[n].publications[0].id;
        let stored = test.store.publication(&acme(), id).await.unwrap();
        assert_eq!(stored.as_ref(), done.first(), "as it was answered");
        assert_eq!(done[0].revision, 2);
    }
    assert_eq!(told().await, 2 * events);
    test.remove().await.unwrap();
}
