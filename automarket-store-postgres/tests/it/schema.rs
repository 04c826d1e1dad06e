//! The schema: ours alone, made once, never older than the binary's.

use std::time::Duration;

use automarket_core::{
    ErrorKind, Result, Retry, Timetable,
    chrono::DateTime,
    store::{Claim, Enqueued, JobState, JobStore, Schedule, ScheduleStore, UpkeepStore},
};
use automarket_store_postgres::PostgresStore;
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::{acme, client, cluster, job};

async fn open(url: &str, schema: &str) -> Result<PostgresStore> {
    PostgresStore::builder(url)
        .schema(schema)
        .pool_size(2)
        .build()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_openers_at_once_make_one_schema() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let openers = (0..8).map(|_| {
        tokio::spawn(async move {
            let store = open(cluster.url(), "opened_by_many").await.unwrap();
            store.enqueue(&[job()]).await.unwrap();
        })
    });
    for opener in openers.collect::<Vec<_>>() {
        opener.await.unwrap();
    }
    let again = open(cluster.url(), "opened_by_many").await.unwrap();
    assert_eq!(again.queue_stats().await.unwrap().ready, 8);
    let host = client(cluster.url()).await;
    let sql = "SELECT count(*) FROM opened_by_many.migrations";
    let ran: i64 = host.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(ran, i64::from(again.schema_version().await.unwrap()));
    host.batch_execute("DROP SCHEMA opened_by_many CASCADE")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_trail_is_never_changed() {
    let Some(cluster) = cluster().await else {
        return;
    };
    open(cluster.url(), "audited").await.unwrap();
    let host = client(cluster.url()).await;
    let refused = host.execute("UPDATE audited.audit SET who = 'eve'", &[]);
    let refused = refused.await.unwrap_err();
    let said = refused.as_db_error().unwrap().message();
    assert_eq!(said, "the audit trail is never changed");
    host.batch_execute("DROP SCHEMA audited CASCADE")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_cannot_be_read_keeps_no_other_from_running() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let store = open(cluster.url(), "damaged_schedule").await.unwrap();
    for name in ["damaged", "whole"] {
        let new = Schedule {
            tenant: acme(),
            name: name.to_owned(),
            timetable: Timetable::parse("30 2 * * *", "Europe/Berlin").unwrap(),
            job: job(),
            paused: false,
            next_at: Some(DateTime::UNIX_EPOCH),
            last_at: None,
            revision: 0,
        };
        store.put_schedule(&new).await.unwrap();
    }
    let host = client(cluster.url()).await;
    let damage = "UPDATE damaged_schedule.schedules SET zone = 'Mars/Base' WHERE name = 'damaged'";
    assert_eq!(host.execute(damage, &[]).await.unwrap(), 1);
    let next = store.next_schedules(9).await.unwrap();
    let (read, failed): (Vec<_>, Vec<_>) = next.into_iter().partition(Result::is_ok);
    assert_eq!((read.len(), failed.len()), (1, 1));
    let whole = read[0].as_ref().unwrap();
    assert_eq!(whole.name, "whole");

    // One that is made anew takes its place, and stays paused.
    host.execute("UPDATE damaged_schedule.schedules SET paused = true", &[])
        .await
        .unwrap();
    let (name, revision) = ("damaged".to_owned(), 0);
    let new = Schedule {
        name,
        revision,
        ..whole.clone()
    };
    let unread = store.schedule(&new.tenant, &new.name).await.unwrap_err();
    assert_eq!(unread.kind(), ErrorKind::Internal);
    let put = store.put_schedule(&new).await.unwrap();
    assert_eq!((put.paused, put.next_at), (true, None));
    let again = store.put_schedule(&new).await.unwrap_err();
    assert_eq!(again.rule(), Some("schedule.revision"));
    let all = store.schedules(&acme()).await.unwrap();
    assert!(all.len() == 2 && all.iter().all(Result::is_ok), "{all:?}");
    host.batch_execute("DROP SCHEMA damaged_schedule CASCADE")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_postgresql_keeps_for_itself_is_refused() {
    let Some(cluster) = cluster().await else {
        return;
    };
    for name in ["user", "order", "pg_ours"] {
        let refused = open(cluster.url(), name).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config, "{name}");
        assert_eq!(refused.rule(), Some("postgres.schema"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_tables_are_left_alone_and_schemas_do_not_meet() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let host = client(cluster.url()).await;
    host.batch_execute(
        "CREATE SCHEMA host; CREATE TABLE host.jobs (id int); CREATE TABLE host.migrations (version text);
         INSERT INTO host.jobs VALUES (1); INSERT INTO host.migrations VALUES ('host')",
    )
    .await
    .unwrap();
    let (one, two) = (
        cluster.store().await.unwrap(),
        cluster.store().await.unwrap(),
    );
    one.store.enqueue(&[job()]).await.unwrap();
    assert_eq!(one.store.queue_stats().await.unwrap().ready, 1);
    assert_eq!(two.store.queue_stats().await.unwrap().ready, 0);
    let sql = "SELECT (SELECT count(*) FROM host.jobs) + (SELECT count(*) FROM host.migrations),
        (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)";
    let row = host.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 0));
    host.batch_execute("DROP SCHEMA host CASCADE")
        .await
        .unwrap();
    one.remove().await.unwrap();
    two.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_and_a_changed_migration_are_refused() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let schema = test.schema().to_owned();
    test.run("INSERT INTO automarket.migrations VALUES (99, 'x')")
        .await
        .unwrap();
    let refused = open(cluster.url(), &schema).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.rule()),
        (ErrorKind::Config, Some("postgres.newer_schema"))
    );
    assert!(refused.message().contains("99"), "{refused}");
    test.run("DELETE FROM automarket.migrations WHERE number = 99")
        .await
        .unwrap();
    open(cluster.url(), &schema).await.unwrap();
    test.run("UPDATE automarket.migrations SET checksum = 'x' WHERE number = 1")
        .await
        .unwrap();
    let refused = open(cluster.url(), &schema).await.unwrap_err();
    assert_eq!(refused.rule(), Some("postgres.changed_migration"));
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_cut_in_the_middle_leaves_nothing_half_done() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let host = client(cluster.url()).await;
    // A name of ours is taken, so the second file fails after the first one ran.
    host.batch_execute(
        "CREATE SCHEMA half; CREATE FUNCTION half.clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    )
    .await
    .unwrap();
    let taken = open(cluster.url(), "half").await.unwrap_err();
    assert_eq!(
        (taken.kind(), taken.rule()),
        (ErrorKind::Config, Some("postgres.schema"))
    );
    assert!(taken.message().contains("\"clock\""), "{taken}");
    let sql = "SELECT count(*) FROM pg_class WHERE relnamespace = 'half'::regnamespace";
    assert_eq!(host.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    host.batch_execute("DROP FUNCTION half.clock()")
        .await
        .unwrap();
    open(cluster.url(), "half")
        .await
        .unwrap()
        .enqueue(&[job()])
        .await
        .unwrap();
    host.batch_execute("DROP SCHEMA half CASCADE")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_with_tables_of_the_hosts_that_have_our_names_is_refused() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let host = client(cluster.url()).await;
    for table in [
        "events (id int)",
        "migrations (version text)",
        "migrations (number bigint, checksum text); INSERT INTO taken.migrations VALUES (1, 'host')",
        "migrations (number int, checksum text); INSERT INTO taken.migrations VALUES (1, NULL)",
    ] {
        let make = format!("CREATE SCHEMA taken; CREATE TABLE taken.{table}");
        host.batch_execute(&make).await.unwrap();
        let taken = open(cluster.url(), "taken").await.unwrap_err();
        assert_eq!(
            (taken.kind(), taken.rule()),
            (ErrorKind::Config, Some("postgres.schema")),
            "{table}: {}",
            taken.report()
        );
        host.batch_execute("DROP SCHEMA taken CASCADE")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_wrong_name_or_login_is_a_configuration_error() {
    let Some(cluster) = cluster().await else {
        return;
    };
    for schema in ["", "1a", "a-b", "A", "a.b", "a\"b", &"a".repeat(64)] {
        let refused = open(cluster.url(), schema).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config, "{schema}");
    }
    let no_database = cluster.url().replace("/postgres", "/nowhere");
    if no_database != cluster.url() {
        let refused = open(&no_database, "a").await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Config, Some("postgres.login"))
        );
    }
}

/// Every migration, in order.
const MIGRATIONS: [&str; 24] = [
    include_str!("../../migrations/0001_tables.sql"),
    include_str!("../../migrations/0002_functions.sql"),
    include_str!("../../migrations/0003_one_row.sql"),
    include_str!("../../migrations/0004_operations.sql"),
    include_str!("../../migrations/0005_publishing.sql"),
    include_str!("../../migrations/0006_credentials.sql"),
    include_str!("../../migrations/0007_flows.sql"),
    include_str!("../../migrations/0008_speed.sql"),
    include_str!("../../migrations/0009_measurements.sql"),
    include_str!("../../migrations/0010_less_work.sql"),
    include_str!("../../migrations/0011_mended.sql"),
    include_str!("../../migrations/0012_one_job.sql"),
    include_str!("../../migrations/0013_numbers.sql"),
    include_str!("../../migrations/0014_one_number.sql"),
    include_str!("../../migrations/0015_isolation.sql"),
    include_str!("../../migrations/0016_posts.sql"),
    include_str!("../../migrations/0017_locked.sql"),
    include_str!("../../migrations/0018_one_way.sql"),
    include_str!("../../migrations/0019_keys.sql"),
    include_str!("../../migrations/0020_bounds.sql"),
    include_str!("../../migrations/0021_places.sql"),
    include_str!("../../migrations/0022_claim_looks.sql"),
    include_str!("../../migrations/0023_reserved.sql"),
    include_str!("../../migrations/0024_in_company.sql"),
];

/// A schema as these migrations left it, with their ledger.
async fn old(host: &Client, schema: &str, migrations: &[&str]) {
    host.batch_execute(&format!(
        "CREATE SCHEMA {schema}; CREATE TABLE {schema}.migrations
            (number integer PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
    ))
    .await
    .unwrap();
    for (number, sql) in (1_i32..).zip(migrations) {
        let ours = sql.replace("automarket.", &format!("{schema}."));
        host.batch_execute(&ours).await.unwrap();
        let record = format!(
            "INSERT INTO {schema}.migrations VALUES ($1, encode(sha256(convert_to($2, 'UTF8')), 'hex'))"
        );
        host.execute(&record, &[&number, sql]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_stood_in_line_by_names_stand_there_by_numbers() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let host = client(cluster.url()).await;
    old(&host, "by_names", &MIGRATIONS[..12]).await;
    // One held, one whose worker is gone, one for later; the others by priority and in turn.
    host.batch_execute(
        "SELECT by_names.enqueue('acme', 'held', '0'), by_names.enqueue('acme', 'lost', '0');
         SELECT by_names.claim(ARRAY['held'], NULL, 1, 3600000000, '{}', '{}'),
            by_names.claim(ARRAY['lost'], NULL, 1, 0, '{}', '{}');
         SELECT by_names.enqueue('acme', 'work', '5', priority => -2::smallint),
            by_names.enqueue('acme', 'work', '9', run_at => now() + interval '1 hour', priority => 7::smallint);
         SELECT by_names.enqueue('acme', 'work', '3'), by_names.enqueue('other', 'work', '3');
         SELECT by_names.enqueue('acme', 'work', '4', unique_key => 'k'), by_names.enqueue('other', 'work', '4');
         SELECT by_names.enqueue('acme', 'work', '1', priority => 7::smallint),
            by_names.enqueue('acme', 'mail', '2', priority => 6::smallint)",
    )
    .await
    .unwrap();
    let store = open(cluster.url(), "by_names").await.unwrap();
    let claim = async |kind: Option<&str>, limit| {
        let mut claim = Claim::new("worker", limit);
        claim.kinds.extend(kind.map(str::to_owned));
        let leases = store.claim(&claim).await.unwrap();
        let numbers = leases.iter().map(|lease| lease.job.payload.as_i64());
        numbers.collect::<Option<Vec<_>>>().unwrap()
    };
    let again = store.enqueue(&[job().unique("k")]).await.unwrap();
    assert!(matches!(again[..], [Enqueued::Existing(_)]));
    // As a process of the version before would.
    let old = "SELECT by_names.claim(NULL, NULL, 1, 1::bigint, '{}'::smallint[], '{}'::bigint[], NULL, NULL, NULL)";
    let refused = host.batch_execute(old).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42883", "{refused:?}");
    assert_eq!(claim(Some("lost"), 9).await, [0]);
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.extend(claim(None, 1).await);
    }
    assert_eq!(seen, [1, 2, 3, 3, 4, 4, 5]);
    assert!(claim(None, 9).await.is_empty(), "held, or for later");
    host.batch_execute(
        "CREATE OR REPLACE FUNCTION by_names.clock() RETURNS timestamptz LANGUAGE sql STABLE
            AS 'SELECT now() + interval ''1 hour'''",
    )
    .await
    .unwrap();
    assert!(claim(Some("work"), 9).await.contains(&9));
    host.batch_execute("DROP SCHEMA by_names CASCADE")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_the_first_release_are_there_after_the_upgrade() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let host = client(cluster.url()).await;
    old(&host, "upgraded", &MIGRATIONS[..2]).await;
    // One that waits, one that is leased, one that is done.
    host.batch_execute(
        "SELECT upgraded.enqueue('acme', 'work', '1'), upgraded.enqueue('acme', 'done', '2'),
            upgraded.enqueue('acme', 'held', '3', unique_key => 'k');
         SELECT upgraded.complete(array_agg(id), array_agg(fence), array_agg('7'::text))
            FROM upgraded.claim(ARRAY['done'], NULL, 1, 1000000, '{}', '{}');
         SELECT upgraded.claim(ARRAY['held'], NULL, 1, 1, '{}', '{}')",
    )
    .await
    .unwrap();
    let store = open(cluster.url(), "upgraded").await.unwrap();
    let claim = Claim::new("worker", 10);
    let leases = store.claim(&claim).await.unwrap();
    let mut payloads: Vec<i64> = leases
        .iter()
        .filter_map(|lease| lease.job.payload.as_i64())
        .collect();
    payloads.sort_unstable();
    assert_eq!(payloads, [1, 3]);
    let done = store.jobs(&acme(), JobState::Completed, 10).await;
    let done = done.unwrap().pop().unwrap();
    assert_eq!((done.payload, done.result), (2.into(), Some(7.into())));
    host.batch_execute("DROP SCHEMA upgraded CASCADE")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_every_version_stand_in_line_after_the_upgrade() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let host = client(cluster.url()).await;
    for migrations in 2..MIGRATIONS.len() {
        let schema = format!("as_of_{migrations}");
        old(&host, &schema, &MIGRATIONS[..migrations]).await;
        host.batch_execute(&format!(
            "SELECT {schema}.enqueue('acme', 'work', '2'), {schema}.enqueue('acme', 'work', '3', unique_key => 'k'),
                {schema}.enqueue('acme', 'work', '1', priority => 7::smallint),
                {schema}.enqueue('acme', 'work', '4', run_at => now() + interval '1 hour')",
        ))
        .await
        .unwrap();
        let store = open(cluster.url(), &schema).await.unwrap();
        let newest = usize::try_from(store.schema_version().await.unwrap());
        assert_eq!(newest, Ok(MIGRATIONS.len()), "each is listed above");
        let again = store.enqueue(&[job().unique("k")]).await.unwrap();
        assert!(matches!(again[..], [Enqueued::Existing(_)]), "{schema}");
        let leases = store.claim(&Claim::new("worker", 9)).await.unwrap();
        let numbers = leases.iter().map(|lease| lease.job.payload.as_i64());
        let numbers: Vec<_> = numbers.flatten().collect();
        assert_eq!(numbers, [1, 2, 3], "{schema}");
        assert_eq!(store.queue_stats().await.unwrap().later, 1, "{schema}");
        let drop = format!("DROP SCHEMA {schema} CASCADE");
        host.batch_execute(&drop).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_a_host_keeps_waiting_is_given_up_and_keeps_nobody_waiting() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let mut host = client(cluster.url()).await;
    old(&host, "held_up", &MIGRATIONS[..10]).await;
    let tx = host.transaction().await.unwrap();
    tx.batch_execute("SELECT FROM held_up.jobs, held_up.ended")
        .await
        .unwrap();
    // The deadline only ends a test that fails.
    let opened = timeout(Duration::from_secs(60), open(cluster.url(), "held_up")).await;
    let refused = opened.expect("an end").unwrap_err();
    assert_eq!(
        (refused.kind(), refused.retry(), refused.rule()),
        (
            ErrorKind::Storage,
            Retry::After(None),
            Some("postgres.timeout")
        ),
        "{}",
        refused.report()
    );
    tx.rollback().await.unwrap();
    open(cluster.url(), "held_up").await.unwrap();
    host.batch_execute("DROP SCHEMA held_up CASCADE")
        .await
        .unwrap();
}
