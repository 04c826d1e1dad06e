//! Transactions whose snapshot is older than what happened meanwhile.

use automarket_core::{
    AccountId, ErrorKind, PublicationId,
    store::{
        Claim, Enqueued, JobState, JobStore, PublicationStore, PublishingChange, REVISION, Verdict,
    },
    testing::sample_publishing,
};
use automarket_store_postgres::{
    PostgresStore,
    with_tokio_postgres::{enqueue_in, publish_in},
};
use tokio_postgres::IsolationLevel::{self, ReadCommitted, RepeatableRead, Serializable};

use crate::{acme, client, cluster, job};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_in_a_transaction_older_than_the_end_of_its_job_does_not_revive_it() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let host = client(cluster.url()).await;
    let begin = |level: IsolationLevel| format!("BEGIN ISOLATION LEVEL {}", name(level));
    for level in [ReadCommitted, RepeatableRead, Serializable] {
        let new = job();
        test.store
            .enqueue(std::slice::from_ref(&new))
            .await
            .unwrap();
        host.batch_execute(&begin(level)).await.unwrap();
        host.batch_execute("SELECT FROM pg_class").await.unwrap();
        let leases = test.store.claim(&Claim::new("worker", 1)).await.unwrap();
        let done = (leases[0].token, Verdict::Complete(1.into()));
        test.store.settle(&[done]).await.unwrap();
        let repeat = enqueue_in(&test.store, &host, &new).await;
        host.batch_execute("COMMIT").await.unwrap();
        match level {
            ReadCommitted => assert_eq!(repeat.unwrap(), Enqueued::Existing(new.id)),
            _ => assert_eq!(repeat.unwrap_err().rule(), Some("postgres.conflict")),
        }
        let stands = test.store.job(&acme(), new.id).await.unwrap().unwrap();
        assert_eq!(stands.state, JobState::Completed);
        assert_eq!(test.store.queue_stats().await.unwrap().ready, 0);
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_of_a_batch_is_answered_for_itself() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut host = client(cluster.url()).await;
    let sql = format!("SELECT * FROM {}.put_jobs($1::text::json)", test.schema());
    for level in [ReadCommitted, RepeatableRead, Serializable] {
        let ended = [job(), job().unique("ended")];
        test.store.enqueue(&ended).await.unwrap();
        for lease in test.store.claim(&Claim::new("worker", 9)).await.unwrap() {
            let done = (lease.token, Verdict::Complete(1.into()));
            test.store.settle(&[done]).await.unwrap();
        }
        let live = [job(), job().unique("live")];
        test.store.enqueue(&live).await.unwrap();
        let new = [job(), job().unique("z"), job().unique("a"), job()];
        let batch = [
            (&new[0], new[0].id, true),
            (&ended[0], ended[0].id, false),
            (&new[1], new[1].id, true),
            (&job().unique("z"), new[1].id, false),
            (&live[0], live[0].id, false),
            (&new[2], new[2].id, true),
            (&job().unique("live"), live[1].id, false),
            (&ended[1], ended[1].id, false),
            (&new[3], new[3].id, true),
            (&new[3], new[3].id, false),
        ];
        let jobs: Vec<_> = batch.iter().map(|(job, ..)| job).collect();
        let tx = host.build_transaction().isolation_level(level);
        let tx = tx.start().await.unwrap();
        let jobs = serde_json::to_string(&jobs).unwrap();
        let answers = tx.query(&sql, &[&jobs]).await.unwrap();
        assert_eq!(answers.len(), batch.len());
        for answer in answers {
            let place = usize::try_from(answer.get::<_, i64>("n")).unwrap() - 1;
            let given = (answer.get("job"), answer.get("is_new"));
            assert_eq!(given, (batch[place].1.uuid(), batch[place].2), "{place}");
        }
        tx.commit().await.unwrap();
        let leases = test.store.claim(&Claim::new("worker", 99)).await.unwrap();
        assert_eq!(leases.len(), live.len() + new.len());
        for lease in leases {
            let done = (lease.token, Verdict::Complete(1.into()));
            test.store.settle(&[done]).await.unwrap();
        }
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_of_one_moment_puts_new_jobs_in_as_all_do() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut host = client(cluster.url()).await;
    for level in [RepeatableRead, Serializable] {
        let (new, once) = (job(), job().unique(name(level)));
        let tx = host.build_transaction().isolation_level(level);
        let tx = tx.start().await.unwrap();
        for (job, answer) in [
            (&new, Enqueued::New(new.id)),
            (&new, Enqueued::Existing(new.id)),
            (&once, Enqueued::New(once.id)),
            (&job().unique(name(level)), Enqueued::Existing(once.id)),
        ] {
            assert_eq!(enqueue_in(&test.store, &tx, job).await.unwrap(), answer);
        }
        tx.commit().await.unwrap();
        let leases = test.store.claim(&Claim::new("worker", 9)).await.unwrap();
        assert_eq!(leases.len(), 2);
        for lease in leases {
            let done = (lease.token, Verdict::Complete(1.into()));
            test.store.settle(&[done]).await.unwrap();
            let found = test.store.job(&acme(), lease.job.id).await.unwrap();
            assert_eq!(found.unwrap().result, Some(1.into()));
        }
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_older_than_a_second_way_does_not_add_its_account() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let mut host = client(cluster.url()).await;
    for level in [ReadCommitted, RepeatableRead, Serializable] {
        let mut new = sample_publishing("acme", test.store.now().await.unwrap());
        let via = new.publications[0].via.take();
        new.publications[0].target.account = AccountId::new();
        test.store.put_publishing(&new).await.unwrap();
        let mut rerouted = PublishingChange::new(acme());
        rerouted.publications = new.publications.clone();
        rerouted.publications[0].via = via.clone();
        let mut more = new.clone();
        more.jobs.clear();
        more.publications[0].id = PublicationId::new();
        more.publications[0].target = via.unwrap();
        let tx = host.build_transaction().isolation_level(level);
        let tx = tx.start().await.unwrap();
        tx.batch_execute("SELECT FROM pg_class").await.unwrap();
        test.store.change_publishing(&rerouted).await.unwrap();
        let refused = publish_in(&test.store, &tx, &more).await.unwrap_err();
        tx.rollback().await.unwrap();
        let rule = match level {
            ReadCommitted => REVISION,
            _ => "postgres.conflict",
        };
        assert_eq!(refused.rule(), Some(rule));
    }
    test.remove().await.unwrap();
}

fn name(level: IsolationLevel) -> &'static str {
    match level {
        RepeatableRead => "REPEATABLE READ",
        Serializable => "SERIALIZABLE",
        _ => "READ COMMITTED",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_own_transactions_would_read_of_one_moment_does_not_open() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let with = |level: &str| {
        let join = if cluster.url().contains('?') {
            '&'
        } else {
            '?'
        };
        let set = format!("-c default_transaction_isolation={level}");
        let set = set.replace(' ', "%20").replace('\\', "%5C");
        let url = format!("{}{join}options={set}", cluster.url());
        PostgresStore::builder(url).schema("isolated").build()
    };
    for level in ["serializable", "repeatable\\ read"] {
        let refused = with(level).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert_eq!(refused.rule(), Some("postgres.isolation"));
    }
    with("read\\ committed").await.unwrap();
    let host = client(cluster.url()).await;
    host.batch_execute("DROP SCHEMA isolated CASCADE")
        .await
        .unwrap();
}
