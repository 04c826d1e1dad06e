//! Claims that meet what is odd: rows that cannot be read, rescues that fail.

use std::time::Duration;

use automarket_core::{
    TenantId,
    chrono::TimeDelta,
    store::{
        Claim, DeadReason, Job, JobState, JobStore, NewJob, UpkeepStore as _, rules::next_fence,
    },
    testing::StoreClock as _,
};
use automarket_store_postgres::testing::TestStore;
use serde_json::{Value, json};

use crate::{client, cluster, job};

fn of(tenant: &str) -> NewJob {
    NewJob::new(TenantId::new(tenant).unwrap(), "work", "x".into())
}

async fn claim(test: &TestStore, limit: usize) -> Vec<Job> {
    let claim = Claim::new("worker", limit);
    let leases = test.store.claim(&claim).await.unwrap();
    leases.into_iter().map(|lease| lease.job).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_library_could_not_read_is_refused_at_the_hosts_door() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let host = client(cluster.url()).await;
    let sql = format!(
        "SELECT count(*) FROM {}.put_jobs($1::text::json)",
        test.schema()
    );
    for (field, bad) in [
        ("max_attempts", json!(-1)),
        ("max_attempts", json!(4_294_967_296_i64)),
        ("max_attempts", Value::Null),
        ("priority", Value::Null),
        ("kind", Value::Null),
        ("run_at", json!("-infinity")),
        ("run_at", json!("infinity")),
        ("tenant", json!("")),
        ("tenant", json!("a\u{7f}")),
        ("tenant", json!("a\u{85}")),
    ] {
        let mut one = serde_json::to_value(job()).unwrap();
        one[field] = bad.clone();
        let refused = host.query_one(&sql, &[&json!([one]).to_string()]).await;
        let refused = refused.expect_err(field);
        assert_eq!(refused.code().unwrap().code(), "22023", "{field}: {bad}");
    }
    let fine = json!([of("Ünïcödé À \u{a0}"), job().unending()]).to_string();
    let put: i64 = host.query_one(&sql, &[&fine]).await.unwrap().get(0);
    assert_eq!(put, 2);
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_ends_dead_and_holds_nobody_up() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let clock = test.clock();
    // Whether it is found waiting, or after its worker was gone.
    for was_leased in [false, true] {
        for (column, bad) in [
            ("max_attempts", "-1"),
            ("max_attempts", "4294967296"),
            ("run_at", "'-infinity'"),
            ("tenant", "''"),
        ] {
            let odd = of("odd");
            test.store
                .enqueue(std::slice::from_ref(&odd))
                .await
                .unwrap();
            if was_leased {
                assert_eq!(claim(&test, 10).await.len(), 1);
            }
            let (good, id) = (of("good"), odd.id.uuid());
            test.store
                .enqueue(std::slice::from_ref(&good))
                .await
                .unwrap();
            let damage = format!("UPDATE automarket.queue SET {column} = {bad} WHERE id = '{id}'");
            test.run(&damage).await.unwrap();
            clock.advance(TimeDelta::seconds(31)).await;
            // It takes nobody's place among the overdue either.
            let most = if column == "max_attempts" { 2 } else { 1 };
            let overdue = test.store.overdue(Duration::ZERO, None, most).await;
            let mut told = overdue.unwrap().into_iter().map(|late| late.job);
            assert!(told.any(|job| job == good.id), "{column}");
            let claimed: Vec<_> = claim(&test, 10).await.iter().map(|job| job.id).collect();
            assert_eq!(claimed, [good.id], "{column} {was_leased}");
            if column != "tenant" {
                let found = test.store.job(&odd.tenant, odd.id).await.unwrap().unwrap();
                assert_eq!(
                    (found.state, found.crashes > 0),
                    (JobState::Dead, was_leased)
                );
                let why = &found.failures.last().unwrap().error;
                assert_eq!(why.rule.as_deref(), Some(DeadReason::Buried.rule()));
                assert!(why.message.contains(column), "{}", why.message);
            }
            // And the good one's crash is its own.
            clock.advance(TimeDelta::seconds(31)).await;
            let again = claim(&test, 10).await;
            assert_eq!((again.len(), again[0].crashes), (1, 1));
            test.run("DELETE FROM automarket.queue").await.unwrap();
        }
    }
    let tenant = TenantId::new("odd").unwrap();
    let dead = test.store.jobs(&tenant, JobState::Dead, 10).await;
    assert_eq!(dead.unwrap().len(), 6);
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rescue_that_fails_takes_no_lease_from_the_others() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let clock = test.clock();
    test.store.enqueue(&[job()]).await.unwrap();
    let gone = claim(&test, 1).await[0].id;
    clock.advance(TimeDelta::seconds(31)).await;
    let fresh: Vec<NewJob> = (0..9).map(|_| job()).collect();
    test.store.enqueue(&fresh).await.unwrap();
    test.run(&format!(
        "CREATE FUNCTION automarket.fail() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'deadlock_detected'; END$$;
         CREATE TRIGGER fail BEFORE UPDATE OR DELETE ON automarket.queue FOR EACH ROW
            WHEN (OLD.leased_until IS NOT NULL AND OLD.id = '{gone}') EXECUTE FUNCTION automarket.fail()"
    ))
    .await
    .unwrap();
    assert_eq!(claim(&test, 10).await.len(), 9);
    let alone = test.store.claim(&Claim::new("worker", 10)).await;
    assert_eq!(alone.unwrap_err().rule(), Some("postgres.conflict"));
    test.run("DROP TRIGGER fail ON automarket.queue")
        .await
        .unwrap();
    let rescued = claim(&test, 10).await;
    assert_eq!((rescued[0].id, rescued[0].crashes), (gone, 1));
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_finds_room_for_all_rows_on_their_pages_and_so_writes_no_index() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let host = client(cluster.url()).await;
    let schema = test.schema();
    // Short rows, of which a page has many, and long ones.
    for (put, letters) in [100, 500].into_iter().enumerate() {
        let payload = Value::from("x".repeat(letters));
        let jobs: Vec<NewJob> = (0..500)
            .map(|_| NewJob {
                payload: payload.clone(),
                ..job()
            })
            .collect();
        test.store.enqueue(&jobs).await.unwrap();
        let pages = format!("SELECT id, (ctid::text::point)[0] AS page FROM {schema}.queue");
        let before = format!("CREATE TABLE {schema}.before_{put} AS {pages}");
        host.batch_execute(&before).await.unwrap();
        assert_eq!(claim(&test, 500).await.len(), 500);
        let moved = format!(
            "SELECT count(*) FROM ({pages}) q JOIN {schema}.before_{put} b USING (id) WHERE q.page <> b.page"
        );
        let moved: i64 = host.query_one(&moved, &[]).await.unwrap().get(0);
        assert_eq!(moved, 0, "of rows with {letters} letters");
    }
    test.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fences_follow_each_other_as_the_library_says() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let host = client(cluster.url()).await;
    let sql = format!("SELECT {}.next_fence($1, $2)", test.schema());
    for (last, now) in [
        (0_i64, 1_000_i64),
        (1_000, 1_000),
        (1_000, 1_001),
        (1_000, 9_000),
        (9_000, 1_000),
    ] {
        let told: i64 = host.query_one(&sql, &[&last, &now]).await.unwrap().get(0);
        assert_eq!(told, next_fence(last, now), "after {last} at {now}");
    }
    test.remove().await.unwrap();
}

/// What keeps a claim as fast with a million waiting as with a thousand.
#[tokio::test(flavor = "multi_thread")]
async fn claims_touch_few_rows_however_many_wait() {
    const WAITING: i64 = 20_000;
    let Some(cluster) = cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let schema = test.schema();
    // Of a hundred tenants, three kinds, three priorities; every tenth for later.
    test.run(&format!(
        "SELECT count(automarket.enqueue('tenant-' || n % 100, (ARRAY['work', 'rest', 'play'])[1 + n % 3], '1',
            run_at => CASE WHEN n % 10 = 0 THEN now() + interval '1 day' END, priority => (n % 7 % 3)::smallint))
         FROM generate_series(1, {WAITING}) n"
    ))
    .await
    .unwrap();
    test.run("ANALYZE automarket.queue").await.unwrap();
    // As the store asks: of the kinds that it names, and of all.
    let some = format!(
        "ARRAY(SELECT k FROM unnest('{{work,rest,play,other}}'::text[]) k
            WHERE {schema}.kind_number(k) IN (SELECT {schema}.live_numbers()))"
    );
    for kinds in [some.as_str(), "NULL"] {
        // Counted within one transaction, since what is counted beyond is told late.
        let mut host = client(cluster.url()).await;
        let tx = host.transaction().await.unwrap();
        for _ in 0..20 {
            let claim = format!(
                "SELECT id FROM {schema}.claim({kinds}, NULL, 10, 30000000, '{{}}', '{{}}')"
            );
            assert_eq!(tx.query(&claim, &[]).await.unwrap().len(), 10);
        }
        let touched = "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables
            WHERE schemaname = $1 AND relname = 'queue'";
        let touched = tx.query_one(touched, &[&schema]).await.unwrap();
        let touched: (i64, i64) = (touched.get(0), touched.get(1));
        assert!(
            touched.0 == 0 && touched.1 < WAITING,
            "{kinds}: {touched:?}"
        );
        tx.rollback().await.unwrap();
    }
    test.remove().await.unwrap();
}
