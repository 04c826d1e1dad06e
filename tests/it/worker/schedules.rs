//! Jobs by timetables, over changes of the clocks, outages and several schedulers.

use std::collections::{BTreeMap, BTreeSet};

use automarket::{
    Zone,
    core::{
        Timetable,
        chrono::{DateTime, NaiveDate, TimeDelta, Utc},
    },
    store::{NewJob, Schedule, ScheduleStore as _},
    testing::{StoreClock, ZONES},
    worker::Retention,
};

use super::*;

/// A market on a clock of its own, whose jobs `tick` do nothing.
fn ticking(start: &str) -> (Tenant, ManualClock, Arc<FaultStore>) {
    let clock = ManualClock::parse(start);
    let store = watched(Arc::new(clock.clone()));
    let tenant = on(store.clone(), |b| {
        b.job("tick", |_: Value, _| async { Ok(()) })
    });
    (tenant, clock, store)
}

async fn schedule(tenant: &Tenant, rule: &str, zone: &str) {
    let timetable = Timetable::parse(rule, zone).unwrap();
    let job = tenant.new_job("tick", &Value::Null).unwrap();
    tenant.schedule(rule, timetable, job).await.unwrap();
}

/// Lets workers look at the schedules often enough to have put in all that is due.
async fn looked(store: &FaultStore) {
    let before = store.faults().answered("next_schedules").len();
    store.faults().until("next_schedules", before + 2).await;
}

/// The instants that runs were put in for, in order.
async fn runs(tenant: &Tenant) -> Vec<DateTime<Utc>> {
    let store = tenant.market().store();
    let mut at = Vec::new();
    // Where the clock jumps while a job is leased, that counts as a crash.
    let (done, dead) = (JobState::Completed, JobState::Dead);
    for state in [JobState::Waiting, JobState::Leased, done, dead] {
        let jobs = store.jobs(tenant.id(), state, usize::MAX).await.unwrap();
        at.extend(jobs.iter().map(|job| job.run_at));
    }
    at.sort_unstable();
    at
}

#[tokio::test]
async fn every_local_day_has_one_run_over_changes_of_the_clocks() {
    // Summer time begins, ends, by half an hour, at midnight; two workers look all the time.
    for (zone, start, days) in [
        ("Europe/Berlin", "2027-03-26T00:00:00Z", 5),
        ("Europe/Berlin", "2027-10-29T00:00:00Z", 5),
        ("Australia/Lord_Howe", "2027-04-02T00:00:00Z", 5),
        ("Africa/Cairo", "2027-04-28T00:00:00Z", 5),
    ] {
        for rule in ["30 2 * * *", "15 0 * * *"] {
            let (tenant, clock, store) = ticking(start);
            schedule(&tenant, rule, zone).await;
            let worker = || tenant.market().worker().poll(Duration::from_millis(1));
            let (other, stop) = (worker(), Notify::new());
            let walk = async {
                for _ in 0..days * 24 {
                    clock.advance(TimeDelta::hours(1));
                    looked(&store).await;
                }
                stop.notify_one();
            };
            let both =
                async { tokio::join!(worker().run_until(walk), other.run_until(stop.notified())) };
            let (a, b) = both.await;
            a.and(b).unwrap();
            let zone: Zone = zone.parse().unwrap();
            let runs = runs(&tenant).await;
            let local: Vec<NaiveDate> = runs.iter().map(|at| zone.wall(*at).date()).collect();
            let mut once = local.clone();
            once.dedup();
            assert_eq!(local, once, "{rule} {zone}");
            let span = (local[local.len() - 1] - local[0]).num_days() + 1;
            assert_eq!(i64::try_from(local.len()).unwrap(), span, "{rule} {zone}");
            assert!(local.len() >= 5, "{rule} {zone}: {local:?}");
        }
    }
}

/// What a zone does is no matter of the store: a few, for those that take their time.
const SOME: [&str; 3] = ["Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"];

/// Two processes schedule on one store, over the changes of spring and of autumn.
async fn one_run_a_day(store: Arc<dyn Store>, clock: &dyn StoreClock, zones: &[&str]) {
    let process = || {
        on(store.clone(), |b| {
            b.job("tick", |_: String, _| async { Ok(()) })
                .retention(Retention::default().ended(None))
        })
    };
    let (tenant, other) = (process(), process());
    let day = |text: &str| -> NaiveDate { text.parse().unwrap() };
    let weeks = [day("2030-03-28"), day("2030-10-24")];
    let start = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
    let to = async |at: DateTime<Utc>| clock.advance(at - store.now().await.unwrap()).await;
    to(start(weeks[0])).await;
    for zone in zones {
        for rule in ["30 2 * * *", "15 0 * * *"] {
            let name = format!("{rule} {zone}");
            let job = tenant.new_job("tick", &name).unwrap();
            let timetable = Timetable::parse(rule, zone).unwrap();
            tenant.schedule(&name, timetable, job).await.unwrap();
        }
    }
    let stop = Notify::new();
    let walk = async {
        for week in weeks {
            for step in 0..12 * 4 {
                to(start(week) + TimeDelta::hours(step * 6)).await;
                // Until both may rest: the earliest is in the future.
                loop {
                    let next = store.next_schedules(1).await.unwrap().remove(0);
                    if next.unwrap().next_at.unwrap() > store.now().await.unwrap() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
        }
        stop.notify_one();
    };
    let worker = |tenant: &Tenant| tenant.market().worker().poll(Duration::from_millis(5));
    let (a, b) = tokio::join!(
        worker(&tenant).run_until(walk),
        worker(&other).run_until(stop.notified())
    );
    a.and(b).unwrap();

    let mut days = BTreeMap::<(String, NaiveDate), usize>::new();
    // Leases end as time is moved: some jobs die of that, and their runs were put in all the same.
    let (waiting, ended) = (
        [JobState::Waiting, JobState::Leased],
        [JobState::Completed, JobState::Dead],
    );
    for state in waiting.into_iter().chain(ended) {
        for job in store.jobs(tenant.id(), state, usize::MAX).await.unwrap() {
            let name = job.payload.as_str().unwrap().to_owned();
            let zone: Zone = name.rsplit(' ').next().unwrap().parse().unwrap();
            let day = zone.wall(job.run_at).date();
            *days.entry((name, day)).or_default() += 1;
        }
    }
    let names: BTreeSet<String> = days.keys().map(|(name, _)| name.clone()).collect();
    assert_eq!(names.len(), zones.len() * 2);
    for name in names {
        for week in weeks {
            // The first and the last days are only half seen.
            for n in 2..10 {
                let day = week + TimeDelta::days(n);
                let runs = days.get(&(name.clone(), day));
                assert_eq!(runs, Some(&1), "{name} on {day}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_make_one_run_a_day_in_memory() {
    let clock = ManualClock::parse("2030-01-01T00:00:00Z");
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    one_run_a_day(Arc::new(store), &clock, &ZONES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_make_one_run_a_day_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::parse("2030-01-01T00:00:00Z");
    let store = automarket::store::sqlite::SqliteStore::builder(dir.path().join("market.db"))
        .clock(Arc::new(clock.clone()))
        .build();
    one_run_a_day(Arc::new(store.await.unwrap()), &clock, &SOME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_make_one_run_a_day_on_postgresql() {
    let Some(cluster) = crate::cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    one_run_a_day(Arc::new(test.store.clone()), &test.clock(), &SOME).await;
}

#[tokio::test]
async fn an_outage_ends_in_one_run() {
    let (tenant, clock, store) = ticking("2027-01-11T09:00:30Z");
    schedule(&tenant, "*/5 * * * *", "UTC").await;
    clock.advance(TimeDelta::hours(3));
    let worker = tenant.market().worker().poll(Duration::from_millis(1));
    worker.run_until(looked(&store)).await.unwrap();
    let first: DateTime<Utc> = "2027-01-11T09:05:00Z".parse().unwrap();
    assert_eq!(runs(&tenant).await, [first]);
    let next = tenant.schedules().await.unwrap()[0].next_at;
    assert_eq!(next, Some("2027-01-11T12:05:00Z".parse().unwrap()));
}

#[tokio::test]
async fn declaring_it_again_at_a_start_misses_nothing_and_doubles_nothing() {
    let (tenant, clock, store) = ticking("2027-01-11T08:59:00Z");
    schedule(&tenant, "0 9 * * *", "UTC").await;
    clock.advance(TimeDelta::hours(1));
    let worker = || tenant.market().worker().poll(Duration::from_millis(1));
    for _ in 0..3 {
        schedule(&tenant, "0 9 * * *", "UTC").await;
        worker().run_until(looked(&store)).await.unwrap();
    }
    assert_eq!(runs(&tenant).await.len(), 1);
}

#[tokio::test]
async fn a_clock_that_ran_ahead_stops_no_schedule_that_is_declared_again() {
    let (tenant, clock, store) = ticking("2027-01-11T08:59:00Z");
    schedule(&tenant, "0 9 * * *", "UTC").await;
    let worker = || tenant.market().worker().poll(Duration::from_millis(1));
    clock.advance(TimeDelta::days(3650));
    worker().run_until(looked(&store)).await.unwrap();
    clock.advance(TimeDelta::days(-3650) + TimeDelta::minutes(2));
    for all in 2..4 {
        schedule(&tenant, "0 9 * * *", "UTC").await;
        clock.advance(TimeDelta::days(1));
        worker().run_until(looked(&store)).await.unwrap();
        assert_eq!(runs(&tenant).await.len(), all);
    }
}

#[tokio::test]
async fn a_day_has_one_run_though_its_zone_has_other_rules_than_when_that_was_reckoned() {
    let local = |zone, reckoned: &'static str, start, wanted: &'static [&'static str]| async move {
        let (tenant, clock, store) = ticking(start);
        let timetable = Timetable::parse("0 9 * * *", zone).unwrap();
        let job = tenant.new_job("tick", &Value::Null).unwrap();
        let made = tenant.schedule("daily", timetable, job).await.unwrap();
        let next_at = Some(reckoned.parse().unwrap());
        let stored = Schedule { next_at, ..made };
        store.put_schedule(&stored).await.unwrap();
        for minutes in [1, 60] {
            clock.advance(TimeDelta::minutes(minutes));
            let worker = tenant.market().worker().poll(Duration::from_millis(1));
            worker.run_until(looked(&store)).await.unwrap();
        }
        let wanted: Vec<DateTime<Utc>> = wanted.iter().map(|at| at.parse().unwrap()).collect();
        assert_eq!(runs(&tenant).await, wanted, "{start}");
    };
    // Since September 2026 this is no hour ahead of UTC; it was reckoned when it was thought to be.
    let (zone, at) = ("Africa/Casablanca", "2026-12-01T08:00:00Z");
    local(zone, at, at, &["2026-12-01T09:00:00Z"]).await;
    local(zone, at, "2026-12-01T07:58:00Z", &[]).await;
    // After an outage there is still one for what was missed.
    let both = &["2026-12-01T09:00:00Z", "2026-12-02T09:00:00Z"];
    local(zone, at, "2026-12-02T08:00:00Z", both).await;
    // Where it should have been an hour before, its day is not lost.
    let (zone, at) = ("Europe/Berlin", "2026-12-01T09:00:00Z");
    local(zone, at, at, &["2026-12-01T09:00:00Z"]).await;
}

#[tokio::test]
async fn declared_again_after_its_zone_got_other_rules_a_day_that_had_its_run_has_no_other() {
    let (tenant, clock, store) = ticking("2026-12-01T07:58:00Z");
    let (rule, zone) = ("0 9 * * *", "Africa/Casablanca");
    schedule(&tenant, rule, zone).await;
    let made = tenant.schedules().await.unwrap().remove(0);
    // As it ran where the zone was still thought to be an hour ahead of UTC.
    let day = |day| format!("2026-12-0{day}T08:00:00Z").parse().unwrap();
    let next_at = Some(day(1));
    let stored = Schedule { next_at, ..made };
    let stored = store.put_schedule(&stored).await.unwrap();
    clock.advance(TimeDelta::minutes(2));
    assert!(store.run_schedule(&stored, Some(day(2))).await.unwrap());
    let worker = || tenant.market().worker().poll(Duration::from_millis(1));
    for _ in 0..2 {
        clock.advance(TimeDelta::minutes(30));
        schedule(&tenant, rule, zone).await;
        worker().run_until(looked(&store)).await.unwrap();
        assert_eq!(runs(&tenant).await, [day(1)]);
    }
    // The next one has its own, at the right time.
    clock.advance(TimeDelta::days(1));
    for _ in 0..2 {
        worker().run_until(looked(&store)).await.unwrap();
    }
    let right = "2026-12-02T09:00:00Z".parse().unwrap();
    assert_eq!(runs(&tenant).await, [day(1), right]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_one_tenants_runs_back_keeps_no_other_tenants_waiting() {
    let Some(cluster) = crate::cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    let store = Arc::new(FaultStore::new(Arc::new(test.store.clone())));
    let tenant = on(store.clone(), |b| {
        b.job("tick", |_: Value, _| async { Ok(()) })
    });
    let other = tenant.market().tenant("other").unwrap();
    let now: DateTime<Utc> = "2027-03-01T08:00:00Z".parse().unwrap();
    test.clock().advance(now - Utc::now()).await;
    let past = |minutes| Some(now - TimeDelta::minutes(minutes));
    // More than are looked at in one go, all of them due before the other's.
    for n in 0..120 {
        let name = format!("{n}");
        let timetable = Timetable::parse("* * * * *", "UTC").unwrap();
        let job = tenant.new_job("tick", &Value::Null).unwrap().unique("one");
        let made = tenant.schedule(&name, timetable, job).await.unwrap();
        let next_at = past(600 - n);
        let due = Schedule { next_at, ..made };
        store.put_schedule(&due).await.unwrap();
    }
    schedule(&other, "* * * * *", "UTC").await;
    let made = other.schedules().await.unwrap().remove(0);
    let next_at = past(60);
    let due = Schedule { next_at, ..made };
    store.put_schedule(&due).await.unwrap();
    // And one of the tenant's own that nothing holds.
    let timetable = Timetable::parse("* * * * *", "UTC").unwrap();
    let job = tenant.new_job("tick", &Value::Null).unwrap();
    let made = tenant.schedule("free", timetable, job).await.unwrap();
    let next_at = past(30);
    let due = Schedule { next_at, ..made };
    store.put_schedule(&due).await.unwrap();
    let connected = tokio_postgres::connect(cluster.url(), tokio_postgres::NoTls);
    let (mut host, connection) = connected.await.unwrap();
    tokio::spawn(connection);
    let held = host.transaction().await.unwrap();
    let put = format!(
        "SELECT {}.enqueue('acme', 'tick', 'null', unique_key => 'one')",
        test.schema()
    );
    held.query_one(&put, &[]).await.unwrap();

    // One that is held, and then those that are not.
    let tried = store.faults().until("run_schedule", 3);
    tenant.market().worker().run_until(tried).await.unwrap();
    assert!(!runs(&other).await.is_empty());
    assert!(!runs(&tenant).await.is_empty());
    held.rollback().await.unwrap();
    test.remove().await.unwrap();
}

#[tokio::test]
async fn a_paused_schedule_rests_and_a_removed_one_is_gone() {
    let (tenant, clock, store) = ticking("2027-01-11T08:59:00Z");
    let rule = "0 * * * *";
    schedule(&tenant, rule, "UTC").await;
    assert!(tenant.pause_schedule(rule, true).await.unwrap());
    assert!(!tenant.pause_schedule("none", true).await.unwrap());
    schedule(&tenant, rule, "UTC").await;
    clock.advance(TimeDelta::hours(2));
    let worker = || tenant.market().worker().poll(Duration::from_millis(1));
    worker().run_until(looked(&store)).await.unwrap();
    assert_eq!(runs(&tenant).await.len(), 0);
    assert!(tenant.pause_schedule(rule, false).await.unwrap());
    worker().run_until(looked(&store)).await.unwrap();
    let missed = runs(&tenant).await;
    assert_eq!(missed.len(), 0, "what was missed while it rested");
    clock.advance(TimeDelta::hours(1));
    worker().run_until(looked(&store)).await.unwrap();
    assert_eq!(runs(&tenant).await.len(), 1);
    assert!(tenant.remove_schedule(rule).await.unwrap());
    clock.advance(TimeDelta::hours(5));
    worker().run_until(looked(&store)).await.unwrap();
    assert_eq!(runs(&tenant).await.len(), 1);
}

#[tokio::test]
async fn what_is_no_schedule_is_refused() {
    let (tenant, ..) = ticking("2027-01-11T08:59:00Z");
    let daily = || Timetable::parse("@daily", "UTC").unwrap();
    let never = Timetable::parse("0 0 30 2 *", "UTC").unwrap();
    let job = |kind| NewJob::new(tenant.id().clone(), kind, Value::Null);
    for (field, refused) in [
        ("name", tenant.schedule("", daily(), job("tick")).await),
        ("timetable", tenant.schedule("x", never, job("tick")).await),
        ("kind", tenant.schedule("x", daily(), job("publish")).await),
    ] {
        assert_eq!(refused.unwrap_err().field(), Some(field));
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_paused_while_a_host_starts_stays_paused() {
    let (tenant, _, store) = ticking("2027-01-11T09:00:00Z");
    schedule(&tenant, "@daily", "UTC").await;
    let slow = StoreFault::Delay(Duration::from_secs(1));
    store.faults().add(StoreRule::on("put_schedule", slow));
    let (_, paused) = tokio::join!(
        schedule(&tenant, "@daily", "UTC"),
        tenant.pause_schedule("@daily", true)
    );
    assert!(paused.unwrap());
    let read = tenant.schedules().await.unwrap().remove(0);
    assert!(read.paused && read.next_at.is_none(), "{read:?}");

    // And the other way round, it pauses what is there then.
    tenant.pause_schedule("@daily", false).await.unwrap();
    let slow = StoreFault::Delay(Duration::from_secs(1));
    store.faults().add(StoreRule::on("put_schedule", slow));
    let (paused, ()) = tokio::join!(tenant.pause_schedule("@daily", true), async {
        let timetable = Timetable::parse("@hourly", "UTC").unwrap();
        let job = tenant.new_job("tick", &Value::Null).unwrap();
        tenant.schedule("@daily", timetable, job).await.unwrap();
    });
    assert!(paused.unwrap());
    let read = tenant.schedules().await.unwrap().remove(0);
    assert!(read.paused && read.next_at.is_none(), "{read:?}");
    assert_eq!(read.timetable.rule(), "@hourly");
}

#[tokio::test]
async fn schedules_that_cannot_be_read_or_run_keep_no_other_from_running() {
    for (zone, job) in [
        ("'Mars/Base'", "job"),
        // Refused at every run: no unique key is that long.
        ("zone", "json_set(job, '$.unique_key', hex(zeroblob(1000)))"),
    ] {
        behind_those_that_stay(zone, job).await;
    }
}

async fn behind_those_that_stay(zone: &str, job: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.db");
    let clock = ManualClock::parse("2027-03-01T08:00:00Z");
    let store = automarket::store::sqlite::SqliteStore::builder(&path)
        .clock(Arc::new(clock.clone()))
        .build();
    let ran = Arc::new(Notify::new());
    let tell = ran.clone();
    let tenant = on(Arc::new(store.await.unwrap()), |b| {
        b.job("tick", move |_: Value, _| {
            let tell = tell.clone();
            async move {
                tell.notify_one();
                Ok(())
            }
        })
    });
    schedule(&tenant, "0 9 * * *", "UTC").await;
    let db = rusqlite::Connection::open(&path).unwrap();
    // More than are looked at in one go, and all due before it.
    let copies = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 250)
        INSERT INTO automarket_schedules (tenant, name, rule, zone, job, paused, next_at, last_at, revision)
        SELECT tenant, name || n, rule, {zone}, {job}, paused, next_at - n, last_at, revision
        FROM automarket_schedules, n"
    );
    assert_eq!(db.execute(&copies, []).unwrap(), 250);
    clock.advance(TimeDelta::hours(1));
    let worker = tenant.market().worker().poll(Duration::from_millis(1));
    let ran = tokio::time::timeout(Duration::from_secs(30), ran.notified());
    let until = async { ran.await.expect("it ran") };
    worker.run_until(until).await.unwrap();
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_replaced_when_it_is_declared_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.db");
    let store = automarket::store::sqlite::SqliteStore::builder(&path)
        .clock(Arc::new(ManualClock::parse("2027-03-01T08:00:00Z")))
        .build();
    let tenant = on(Arc::new(store.await.unwrap()), |b| {
        b.job("tick", |_: Value, _| async { Ok(()) })
    });
    for rule in ["0 1 * * *", "0 2 * * *", "0 3 * * *"] {
        schedule(&tenant, rule, "UTC").await;
    }
    assert!(tenant.pause_schedule("0 2 * * *", true).await.unwrap());
    let whole = tenant.schedules().await.unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let damage = "UPDATE automarket_schedules SET zone = 'Mars/Base' WHERE name <> '0 3 * * *'";
    assert_eq!(db.execute(damage, []).unwrap(), 2);
    // The others are seen all the same, and it is the row that is wrong, not what the caller gives.
    assert_eq!(tenant.schedules().await.unwrap(), whole[2..]);
    let unread = tenant.pause_schedule("0 1 * * *", true).await.unwrap_err();
    assert_eq!(unread.kind(), ErrorKind::Internal, "{unread:?}");
    assert!(unread.to_string().contains("0 1 * * *"), "{unread}");

    for rule in ["0 1 * * *", "0 2 * * *"] {
        schedule(&tenant, rule, "UTC").await;
    }
    let told = |all: Vec<Schedule>| -> Vec<_> {
        let told = |one: Schedule| (one.name, one.timetable, one.paused, one.next_at);
        all.into_iter().map(told).collect()
    };
    let again = tenant.schedules().await.unwrap();
    assert_eq!(told(again), told(whole), "one that is paused stays so");
}
