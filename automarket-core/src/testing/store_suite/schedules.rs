use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{TEXT, json_of_all_sorts, tenant},
};
use crate::{
    ErrorKind, Result, Timetable,
    store::{JobState, NewJob, Schedule},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("a schedule comes back with every field", |s| {
            Box::pin(comes_back_whole(s))
        }),
        StoreCase::new("a schedule put again is replaced and counted", |s| {
            Box::pin(replaced(s))
        }),
        StoreCase::new(
            "a schedule is put against the revision it was read at",
            |s| Box::pin(against_revision(s)),
        ),
        StoreCase::new("a run is put in once and moves the schedule on", |s| {
            Box::pin(run_once(s))
        }),
        StoreCase::new("many schedulers put one run in", |s| {
            Box::pin(many_schedulers(s))
        }),
        StoreCase::new(
            "a schedule changed or removed meanwhile does not run",
            |s| Box::pin(changed_meanwhile(s)),
        ),
        StoreCase::new("a schedule that is made anew is another one", |s| {
            Box::pin(made_anew(s))
        }),
        StoreCase::new("a run whose unique key is held is passed over", |s| {
            Box::pin(key_held(s))
        }),
        StoreCase::new("the next schedules of all tenants come first", |s| {
            Box::pin(next_first(s))
        }),
        StoreCase::new("a tenant does not see another's schedules", |s| {
            Box::pin(own_tenant(s))
        }),
    ]
}

fn schedule(tenant_name: &str, name: &str, next_at: Option<DateTime<Utc>>) -> Schedule {
    let tenant = tenant(tenant_name);
    Schedule {
        name: name.to_owned(),
        timetable: Timetable::parse("30 2 * * *", "Europe/Berlin").unwrap(),
        job: NewJob {
            priority: -3,
            max_attempts: 7,
            ..NewJob::new(tenant.clone(), "work", json_of_all_sorts())
        },
        tenant,
        paused: false,
        next_at,
        last_at: None,
        revision: 0,
    }
}

impl StoreUnderTest {
    async fn schedules(&self, tenant_name: &str) -> Vec<Schedule> {
        let read = self.store.schedules(&tenant(tenant_name)).await.unwrap();
        read.into_iter().map(Result::unwrap).collect()
    }
}

async fn comes_back_whole(s: &StoreUnderTest) {
    for (name, paused) in [(TEXT, false), ("b", true)] {
        let new = Schedule {
            paused,
            ..schedule("a", name, Some(s.now().await))
        };
        let put = s.store.put_schedule(&new).await.unwrap();
        let revision = put.revision;
        assert_eq!(put, Schedule { revision, ..new });
        let read = s.store.schedule(&tenant("a"), name).await.unwrap();
        assert_eq!(read, Some(put));
    }
    let names = s.schedules("a").await;
    let names: Vec<&str> = names.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, [TEXT, "b"]);
    assert_eq!(s.store.schedule(&tenant("a"), "c").await.unwrap(), None);
}

async fn replaced(s: &StoreUnderTest) {
    let at = s.now().await;
    let put = schedule("a", "x", Some(at));
    let put = s.store.put_schedule(&put).await.unwrap();
    assert!(s.store.run_schedule(&put, Some(at)).await.unwrap());
    let new = Schedule {
        timetable: Timetable::parse("@daily", "UTC").unwrap(),
        job: NewJob::new(tenant("a"), "other", json!(1)),
        paused: true,
        next_at: None,
        // As the run left it.
        revision: put.revision + 1,
        ..put
    };
    let new = s.store.put_schedule(&new).await.unwrap();
    assert_eq!((new.revision, new.last_at), (put.revision + 2, Some(at)));
    assert_eq!(new.timetable.rule(), "@daily");
    assert_eq!(s.schedules("a").await, [new]);
    assert!(s.store.next_schedules(9).await.unwrap().is_empty());
}

async fn against_revision(s: &StoreUnderTest) {
    let at = Some(s.now().await);
    let refused = async |made: &Schedule| {
        let refused = s.store.put_schedule(made).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused:?}");
        assert_eq!(refused.rule(), Some("schedule.revision"));
    };
    let new = schedule("a", "x", at);
    let one = s.store.put_schedule(&new).await.unwrap();
    // Somebody else made it meanwhile, or changed it, or it ran.
    refused(&new).await;
    let paused = Schedule {
        paused: true,
        next_at: None,
        ..one.clone()
    };
    let two = s.store.put_schedule(&paused).await.unwrap();
    assert_eq!(two.revision, one.revision + 1);
    refused(&one).await;
    let read = s.store.schedule(&one.tenant, "x").await.unwrap();
    assert_eq!(read, Some(two.clone()), "it stays paused");
    // Somebody took it away.
    assert!(s.store.remove_schedule(&one.tenant, "x").await.unwrap());
    refused(&two).await;
    assert_eq!(s.store.schedule(&one.tenant, "x").await.unwrap(), None);
    // Of many who make it at once, one does.
    let tasks = (0..8).map(|_| {
        let (store, new) = (s.store.clone(), new.clone());
        tokio::spawn(async move { store.put_schedule(&new).await.is_ok() })
    });
    let mut made = 0;
    for task in tasks.collect::<Vec<_>>() {
        made += usize::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
}

async fn run_once(s: &StoreUnderTest) {
    let (at, next) = (s.in_seconds(-60).await, s.in_seconds(60).await);
    let due = schedule("a", "x", Some(at));
    let due = s.store.put_schedule(&due).await.unwrap();
    assert!(s.store.run_schedule(&due, Some(next)).await.unwrap());
    assert!(!s.store.run_schedule(&due, Some(next)).await.unwrap());
    let job = due.due_job().unwrap();
    let leases = s.claim(10).await;
    assert_eq!(leases.len(), 1);
    let put = &leases[0].job;
    assert_eq!(
        (put.id, put.run_at, &put.payload),
        (job.id, at, &job.payload)
    );
    assert_eq!((put.priority, put.max_attempts), (-3, 7));
    let moved = s.store.schedule(&tenant("a"), "x").await.unwrap().unwrap();
    assert_eq!((moved.last_at, moved.next_at), (Some(at), Some(next)));
    assert_ne!(moved.due_job().unwrap().id, job.id, "another run");
    assert!(s.store.run_schedule(&moved, None).await.unwrap());
    let last = s.store.schedule(&tenant("a"), "x").await.unwrap().unwrap();
    assert!(!s.store.run_schedule(&last, None).await.unwrap(), "no more");
}

async fn many_schedulers(s: &StoreUnderTest) {
    let due = schedule("a", "x", Some(s.now().await));
    let due = Arc::new(s.store.put_schedule(&due).await.unwrap());
    let next = s.in_seconds(60).await;
    let tasks = (0..16).map(|_| {
        let (store, due) = (s.store.clone(), due.clone());
        tokio::spawn(async move { store.run_schedule(&due, Some(next)).await.unwrap() })
    });
    let mut ran = 0;
    for task in tasks.collect::<Vec<_>>() {
        ran += usize::from(task.await.unwrap());
    }
    assert_eq!((ran, s.claim(10).await.len()), (1, 1));
}

async fn changed_meanwhile(s: &StoreUnderTest) {
    let due = schedule("a", "x", Some(s.now().await));
    let read = s.store.put_schedule(&due).await.unwrap();
    s.store.put_schedule(&read).await.unwrap();
    assert!(!s.store.run_schedule(&read, None).await.unwrap());
    assert!(s.store.remove_schedule(&read.tenant, "x").await.unwrap());
    assert!(!s.store.remove_schedule(&read.tenant, "x").await.unwrap());
    assert!(!s.store.run_schedule(&read, None).await.unwrap());
    assert_eq!(s.claim(10).await, []);
}

async fn made_anew(s: &StoreUnderTest) {
    let (now, later) = (s.now().await, s.in_seconds(60).await);
    let old = schedule("a", "x", Some(now));
    let old = s.store.put_schedule(&old).await.unwrap();
    assert!(s.store.remove_schedule(&old.tenant, "x").await.unwrap());
    s.wait(1).await;
    let new = Schedule {
        timetable: Timetable::parse("@daily", "UTC").unwrap(),
        job: NewJob::new(tenant("a"), "other", json!(1)),
        ..schedule("a", "x", Some(later))
    };
    let new = s.store.put_schedule(&new).await.unwrap();
    // Whoever still runs or changes what was removed comes too late.
    assert!(!s.store.run_schedule(&old, None).await.unwrap());
    let late = s.store.put_schedule(&old).await.unwrap_err();
    assert_eq!(late.rule(), Some("schedule.revision"));
    let read = s.store.schedule(&tenant("a"), "x").await.unwrap();
    assert_eq!(read, Some(new));
    assert_eq!(s.claim(10).await, []);
}

async fn key_held(s: &StoreUnderTest) {
    let (at, next) = (s.in_seconds(-60).await, s.now().await);
    let mut due = schedule("a", "x", Some(at));
    due.job.unique_key = Some("one at a time".into());
    let due = s.store.put_schedule(&due).await.unwrap();
    assert!(s.store.run_schedule(&due, Some(next)).await.unwrap());
    let moved = s.store.schedule(&tenant("a"), "x").await.unwrap().unwrap();
    assert!(s.store.run_schedule(&moved, None).await.unwrap());
    let waiting = s.store.jobs(&tenant("a"), JobState::Waiting, 9).await;
    assert_eq!(waiting.unwrap().len(), 1);
}

async fn next_first(s: &StoreUnderTest) {
    for (tenant_name, name, next_at) in [
        ("a", "later", Some(s.in_seconds(90).await)),
        ("b", "due", Some(s.in_seconds(-90).await)),
        ("a", "soon", Some(s.in_seconds(30).await)),
        ("b", "never", None),
    ] {
        let new = schedule(tenant_name, name, next_at);
        s.store.put_schedule(&new).await.unwrap();
    }
    let next = s.store.next_schedules(2).await.unwrap();
    let name = |next: Result<Schedule>| next.unwrap().name;
    let names: Vec<String> = next.into_iter().map(name).collect();
    assert_eq!(names, ["due", "soon"]);
    assert_eq!(s.store.next_schedules(9).await.unwrap().len(), 3);
}

async fn own_tenant(s: &StoreUnderTest) {
    let at = Some(s.now().await);
    let a = s.store.put_schedule(&schedule("a", "x", at)).await.unwrap();
    let b = s.store.put_schedule(&schedule("b", "x", at)).await.unwrap();
    assert_ne!(a.due_job().unwrap().id, b.due_job().unwrap().id);
    for other in [tenant("A"), tenant("a ")] {
        assert_eq!(s.schedules(other.as_str()).await, []);
        assert_eq!(s.store.schedule(&other, "x").await.unwrap(), None);
        assert!(!s.store.remove_schedule(&other, "x").await.unwrap());
    }
    assert!(s.store.remove_schedule(&tenant("b"), "x").await.unwrap());
    assert_eq!(s.schedules("a").await, [a]);
}
