use std::{collections::BTreeSet, time::Duration};

use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{TEXT, attempt, error, event, job, publishing, retry, tenant},
};
use crate::{
    AccountId, JobId,
    store::{
        Enqueued, JobState, Lateness, NewJob, PublicationState, PublishingChange, QueueRates,
        Verdict, WorkerBeat, rules::WORKERS_KEPT,
    },
    testing::unattended,
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("a worker is known from its first word to its last", |s| {
            Box::pin(workers(s))
        }),
        StoreCase::new("a worker not heard of for a day is forgotten", |s| {
            Box::pin(forgotten(s))
        }),
        StoreCase::new("what is ready for longest is named, after its grace", |s| {
            Box::pin(overdue(s))
        }),
        StoreCase::new("what is ready for longest is named page by page", |s| {
            Box::pin(overdue_in_pages(s))
        }),
        StoreCase::new("one looks back as far as the calendar goes", |s| {
            Box::pin(looks_back(s))
        }),
        StoreCase::new("a lease that ran out is overdue from its end on", |s| {
            Box::pin(overdue_lease(s))
        }),
        StoreCase::new("a publication that no job is for is found", |s| {
            Box::pin(unattended_publication(s))
        }),
        StoreCase::new("rates count the last minute", |s| Box::pin(rates(s))),
        StoreCase::new(
            "what ended before is removed with all of it, oldest first",
            |s| Box::pin(ended_removed(s)),
        ),
        StoreCase::new("removal spares live and dead jobs", |s| {
            Box::pin(live_and_dead_stay(s))
        }),
        StoreCase::new("old events are removed, and numbers not given again", |s| {
            Box::pin(events_removed(s))
        }),
        StoreCase::new("old attempts are removed, the oldest first", |s| {
            Box::pin(attempts_removed(s))
        }),
        StoreCase::new("a removed job's failures are nobody else's", |s| {
            Box::pin(failures_removed(s))
        }),
        StoreCase::new("dead jobs are removed by call, of one kind or all", |s| {
            Box::pin(dead_removed(s))
        }),
        StoreCase::new("dead jobs are redriven together, each key once", |s| {
            Box::pin(redriven_together(s))
        }),
        StoreCase::new("dead jobs are redriven up to the limit", |s| {
            Box::pin(redriven_to_the_limit(s))
        }),
    ]
}

fn beat(name: &str, in_flight: u32) -> WorkerBeat {
    WorkerBeat {
        name: name.to_owned(),
        kinds: vec!["one".to_owned(), TEXT.to_owned()],
        in_flight,
        polled: Duration::from_secs(2),
    }
}

async fn workers(s: &StoreUnderTest) {
    let began = s.now().await;
    s.store.put_worker(&beat("w", 1)).await.unwrap();
    s.wait(60).await;
    let other = WorkerBeat {
        kinds: vec!["two".to_owned()],
        ..beat("w", 7)
    };
    s.store.put_worker(&other).await.unwrap();
    s.store.put_worker(&beat(TEXT, 0)).await.unwrap();
    let workers = s.store.workers().await.unwrap();
    assert_eq!((workers.len(), workers[1].name.as_str()), (2, "w"));
    let w = &workers[1];
    assert_eq!((w.in_flight, &w.kinds), (7, &other.kinds));
    assert_eq!(workers[0].kinds, beat(TEXT, 0).kinds);
    assert!((w.started_at - began).num_seconds() < 2);
    assert!((60..62).contains(&(w.seen_at - began).num_seconds()));
    assert_eq!((w.seen_at - w.polled_at).num_seconds(), 2);
    assert!(s.store.remove_worker("w").await.unwrap());
    assert!(!s.store.remove_worker("w").await.unwrap());
    assert_eq!(s.store.workers().await.unwrap().len(), 1);
}

async fn forgotten(s: &StoreUnderTest) {
    s.store.put_worker(&beat("old", 1)).await.unwrap();
    let kept = i64::try_from(WORKERS_KEPT.as_secs()).unwrap();
    s.wait(kept + 1).await;
    s.store.put_worker(&beat("new", 1)).await.unwrap();
    let workers = s.store.workers().await.unwrap();
    assert_eq!(workers.len(), 1);
    assert_eq!(workers[0].name, "new");
}

async fn overdue(s: &StoreUnderTest) {
    let grace = Duration::from_secs(60);
    let (late, later) = (s.in_seconds(-90).await, s.in_seconds(-80).await);
    s.put(job("b").run_at(later)).await;
    assert_eq!(s.store.overdue(grace, None, 9).await.unwrap().len(), 1);
    let id = s
        .put(
            NewJob {
                priority: -9,
                ..job("a")
            }
            .run_at(late),
        )
        .await;
    s.put(job("c").run_at(s.in_seconds(600).await)).await;
    let found = s.store.overdue(grace, None, 9).await.unwrap();
    assert_eq!((found.len(), found[1].since), (2, later));
    assert_eq!(s.store.overdue(grace, None, 1).await.unwrap(), found[..1]);
    let behind = s.store.overdue(grace, Some(&found[0]), 9).await;
    assert_eq!(behind.unwrap(), found[1..]);
    let behind = s.store.overdue(grace, Some(&found[1]), 9).await;
    assert_eq!(behind.unwrap(), []);
    let found = &found[0];
    assert_eq!((found.job, found.since, found.leased), (id, late, false));
    assert_eq!((&found.tenant, found.kind.as_str()), (&tenant("a"), "work"));
    assert_eq!(s.store.overdue(grace * 2, None, 9).await.unwrap(), []);
    s.claim(10).await;
    assert_eq!(s.store.overdue(grace, None, 9).await.unwrap(), []);
}

async fn overdue_in_pages(s: &StoreUnderTest) {
    let late = s.in_seconds(-90).await;
    let mut put = BTreeSet::new();
    for _ in 0..7 {
        put.insert(s.put(job("a").run_at(late)).await);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let grace = Duration::from_secs(60);
        let page = s.store.overdue(grace, after.as_ref(), 3).await.unwrap();
        seen.extend(page.iter().map(|overdue| overdue.job));
        match page.last() {
            Some(last) => after = Some(last.clone()),
            None => break,
        }
    }
    assert_eq!((seen.len(), seen.into_iter().collect()), (7, put));
}

async fn looks_back(s: &StoreUnderTest) {
    s.put(job("acme")).await;
    let overdue = s.store.overdue(Duration::MAX, None, 9).await.unwrap();
    assert_eq!(overdue, []);
    let beat = WorkerBeat {
        name: "w".to_owned(),
        kinds: Vec::new(),
        in_flight: 0,
        polled: Duration::MAX,
    };
    s.store.put_worker(&beat).await.unwrap();
    assert_eq!(s.store.workers().await.unwrap().len(), 1);
}

async fn overdue_lease(s: &StoreUnderTest) {
    let id = s.put(job("a").run_at(s.in_seconds(-900).await)).await;
    let lease = s.claim_one().await;
    s.wait(100).await;
    let found = s
        .store
        .overdue(Duration::from_secs(60), None, 9)
        .await
        .unwrap();
    let found = &found[0];
    assert_eq!((found.job, found.since), (id, lease.expires_at));
    assert!(found.leased);
}

async fn unattended_publication(s: &StoreUnderTest) {
    let a = tenant("a");
    let mut new = publishing("a", s.now().await);
    let id = new.publications[0].id;
    new.jobs[0].payload = json!({ "publication": id });
    s.store.put_publishing(&new).await.unwrap();
    let found = async || {
        let grace = Duration::from_secs(60);
        unattended(&*s.store, &a, grace).await.unwrap()
    };
    assert_eq!(found().await, [""; 0]);
    let lease = s.claim_one().await;
    assert_eq!(found().await, [""; 0]);
    s.settle(lease.token, Verdict::Complete(json!({}))).await;
    let left = found().await;
    assert!(
        left.len() == 1 && left[0].contains(&id.to_string()),
        "{left:?}"
    );
    s.put(job("b").run_at(s.in_seconds(-90).await)).await;
    assert_eq!(found().await.len(), 2);
    // Without a job somebody's yes is waited for only where that is never too late.
    let mut waiting = new.publications[0].clone();
    for (late, due, rests) in [
        (Lateness::default(), waiting.created_at, true),
        (Lateness::default(), s.in_seconds(60).await, false),
        (Lateness::Always, s.in_seconds(60).await, true),
    ] {
        waiting.state = PublicationState::AwaitingApproval;
        (waiting.lateness, waiting.due) = (late, due);
        let change = PublishingChange {
            publications: vec![waiting],
            ..PublishingChange::new(a.clone())
        };
        waiting = s.store.change_publishing(&change).await.unwrap().remove(0);
        assert_eq!(found().await.len(), 2 - usize::from(rests), "{late:?}");
    }
}

async fn dead(s: &StoreUnderTest, new: NewJob) -> JobId {
    let id = s.put(new).await;
    let lease = s.claim_one().await;
    assert_eq!(lease.job.id, id);
    s.store
        .put_step(lease.token, "one", &json!(1))
        .await
        .unwrap();
    s.settle(lease.token, Verdict::Bury(error("no"))).await;
    id
}

async fn completed(s: &StoreUnderTest) -> JobId {
    let id = s.put(job("a")).await;
    let lease = s.claim_one().await;
    s.store
        .put_step(lease.token, "one", &json!(1))
        .await
        .unwrap();
    s.settle(lease.token, Verdict::Complete(json!(2))).await;
    id
}

async fn rates(s: &StoreUnderTest) {
    completed(s).await;
    dead(s, job("a")).await;
    s.wait(61).await;
    assert_eq!(s.store.queue_rates().await.unwrap(), QueueRates::default());
    completed(s).await;
    completed(s).await;
    dead(s, job("b")).await;
    let id = s.put(job("a")).await;
    assert!(s.store.cancel_job(&tenant("a"), id).await.unwrap());
    s.put(job("a")).await;
    let wanted = QueueRates {
        enqueued: 5,
        completed: 2,
        dead: 1,
        cancelled: 1,
    };
    assert_eq!(s.store.queue_rates().await.unwrap(), wanted);
}

async fn ended_removed(s: &StoreUnderTest) {
    let a = tenant("a");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(completed(s).await);
        s.wait(10).await;
    }
    let cancelled = NewJob::new(tenant("b"), "work", json!({})).unique("key");
    let last = s.put(cancelled.clone()).await;
    s.store.cancel_job(&tenant("b"), last).await.unwrap();
    s.wait(10).await;
    let now = s.now().await;
    assert_eq!(s.store.remove_ended(now, 2).await.unwrap(), 2);
    for (id, there) in [(ids[0], false), (ids[1], false), (ids[2], true)] {
        assert_eq!(s.store.job(&a, id).await.unwrap().is_some(), there);
        assert_eq!(!s.store.steps(&a, id).await.unwrap().is_empty(), there);
    }
    assert_eq!(s.store.remove_ended(now, 9).await.unwrap(), 2);
    assert_eq!(s.store.remove_ended(now, 9).await.unwrap(), 0);
    let keyed = s.store.job_by_key(&tenant("b"), "work", "key").await;
    assert_eq!(keyed.unwrap(), None);
    let again = s.store.enqueue(&[cancelled]).await.unwrap();
    assert_eq!(again, [Enqueued::New(last)]);
}

async fn live_and_dead_stay(s: &StoreUnderTest) {
    dead(s, job("a")).await;
    s.put(job("a")).await;
    s.claim_one().await;
    s.put(job("a")).await;
    let ended = completed_later(s).await;
    let far = s.in_seconds(1).await;
    assert_eq!(
        s.store
            .remove_ended(s.in_seconds(-5).await, 9)
            .await
            .unwrap(),
        0
    );
    s.wait(2).await;
    assert_eq!(s.store.remove_ended(far, 9).await.unwrap(), 1);
    assert_eq!(s.store.job(&tenant("a"), ended).await.unwrap(), None);
    for state in [JobState::Dead, JobState::Leased, JobState::Waiting] {
        let left = s.store.jobs(&tenant("a"), state, 9).await.unwrap();
        assert_eq!(left.len(), 1, "{state:?}");
    }
}

/// Completes the newest job, whatever else waits.
async fn completed_later(s: &StoreUnderTest) -> JobId {
    let id = s
        .put(NewJob {
            priority: 9,
            ..job("a")
        })
        .await;
    let lease = s.claim_one().await;
    s.settle(lease.token, Verdict::Complete(json!(2))).await;
    id
}

async fn events_removed(s: &StoreUnderTest) {
    let a = tenant("a");
    let told = [event("a", "one", "x"), event("b", "two", "x")];
    s.store.append_events(&told).await.unwrap();
    let last = s.store.events(&tenant("b"), 0, 9).await.unwrap()[0].sequence;
    s.wait(10).await;
    let cut = s.now().await;
    assert_eq!(s.store.remove_events(cut, 1).await.unwrap(), 1);
    assert_eq!(s.store.events(&a, 0, 9).await.unwrap(), []);
    assert_eq!(s.store.remove_events(cut, 9).await.unwrap(), 1);
    s.wait(10).await;
    s.store.append_events(&told[..1]).await.unwrap();
    assert_eq!(s.store.remove_events(cut, 9).await.unwrap(), 0);
    let left = s.store.events(&a, last, 9).await.unwrap();
    assert_eq!(left.len(), 1, "it comes after all that was read");
}

async fn attempts_removed(s: &StoreUnderTest) {
    let new = publishing("a", s.now().await);
    s.store.put_publishing(&new).await.unwrap();
    let publication = &new.publications[0];
    let (a, start) = (tenant("a"), s.now().await);
    let at = |second| attempt(publication, start + TimeDelta::seconds(second), 5);
    let change = PublishingChange {
        attempts: vec![at(20), at(0), at(10)],
        ..PublishingChange::new(a.clone())
    };
    s.store.change_publishing(&change).await.unwrap();
    let left = async || {
        let left = s.store.attempts(&a, publication.id).await.unwrap();
        left.iter()
            .map(|l| (l.began - start).num_seconds())
            .collect::<Vec<_>>()
    };
    let cut = start + TimeDelta::seconds(15);
    assert_eq!(s.store.remove_attempts(cut, 1).await.unwrap(), 1);
    assert_eq!(left().await, [20, 10], "the oldest is gone");
    assert_eq!(s.store.remove_attempts(cut, 9).await.unwrap(), 1);
    assert_eq!(s.store.remove_attempts(cut, 9).await.unwrap(), 0);
    assert_eq!(left().await, [20]);
    let route = publication.route().account;
    let erased = async |tenant_name, account| {
        let tenant = tenant(tenant_name);
        let erased = s.store.erase_attempts_of(&tenant, account).await;
        erased.unwrap()
    };
    assert_eq!(erased("b", route).await, 0);
    assert_eq!(erased("a", AccountId::derived("another")).await, 0);
    assert_eq!(left().await, [20]);
    assert_eq!(erased("a", route).await, 1);
    assert_eq!(left().await, [0_i64; 0]);
}

async fn failures_removed(s: &StoreUnderTest) {
    let new = job("a");
    dead(s, new.clone()).await;
    let removed = s.store.remove_dead(&tenant("a"), None, 9).await;
    assert_eq!(removed.unwrap(), 1);
    let id = s.put(new).await;
    let again = retry(s.now().await);
    s.settle(s.claim_one().await.token, again).await;
    assert_eq!(s.job(id).await.failures.len(), 1);
    assert_eq!(s.claim_one().await.job.failures.len(), 1);
}

async fn dead_removed(s: &StoreUnderTest) {
    let a = tenant("a");
    let of = |kind: &str| NewJob::new(tenant("a"), kind, json!({}));
    let one = dead(s, of("one")).await;
    dead(s, of("one")).await;
    dead(s, of("two")).await;
    dead(s, job("b")).await;
    assert_eq!(s.store.remove_dead(&a, Some("none"), 9).await.unwrap(), 0);
    assert_eq!(s.store.remove_dead(&a, Some("one"), 1).await.unwrap(), 1);
    assert_eq!(s.store.job(&a, one).await.unwrap(), None, "the oldest");
    assert_eq!(s.store.steps(&a, one).await.unwrap(), []);
    assert_eq!(s.store.remove_dead(&a, None, 9).await.unwrap(), 2);
    let others = s.store.jobs(&tenant("b"), JobState::Dead, 9).await.unwrap();
    assert_eq!((others.len(), others[0].failures.len()), (1, 1));
}

async fn redriven_to_the_limit(s: &StoreUnderTest) {
    let a = tenant("a");
    let one = || NewJob::new(tenant("a"), "one", json!({}));
    for job in [one().unique("key"), one().unique("key"), one()] {
        dead(s, job).await;
    }
    let redrive = async |limit| s.store.redrive_dead(&a, None, limit).await.unwrap();
    assert_eq!(redrive(2).await, 2, "who runs into a key takes no place");
    assert_eq!(redrive(2).await, 0);
}

async fn redriven_together(s: &StoreUnderTest) {
    let a = tenant("a");
    let keyed = |kind: &str| NewJob::new(tenant("a"), kind, json!({})).unique("key");
    for kind in ["one", "one", "two", "free"] {
        dead(s, keyed(kind)).await;
    }
    let plain = dead(s, NewJob::new(a.clone(), "one", json!({}))).await;
    dead(s, job("b")).await;
    let far = Utc::now() + TimeDelta::days(36_500);
    s.put(keyed("free").run_at(far)).await;
    let redrive = async |kind, limit| s.store.redrive_dead(&a, kind, limit).await.unwrap();
    assert_eq!(redrive(Some("none"), 9).await, 0);
    assert_eq!(
        redrive(Some("free"), 9).await,
        0,
        "a live job holds its key"
    );
    assert_eq!(redrive(Some("one"), 1).await, 1);
    assert_eq!(redrive(None, 9).await, 2, "the plain one, and two");
    assert_eq!(redrive(None, 9).await, 0);
    let back = s.job(plain).await;
    assert_eq!((back.state, back.attempts), (JobState::Waiting, 0));
    assert_eq!(back.failures.len(), 1);
    assert_eq!(s.store.steps(&a, plain).await.unwrap().len(), 1);
    assert_eq!(s.store.jobs(&a, JobState::Dead, 9).await.unwrap().len(), 2);
}
