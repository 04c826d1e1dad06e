use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{LEASE, error, job, retry, tenant},
};
use crate::{
    ErrorKind, JobId, Retry,
    store::{Claim, Job, JobState, LeaseToken, NewJob, Settled, Verdict},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a lease that ran out is claimed again and counts a crash",
            |s| Box::pin(crash_counted(s)),
        ),
        StoreCase::new(
            "a job whose worker was gone too often is dead by queue.crashes",
            |s| Box::pin(dead_by_crashes(s)),
        ),
        StoreCase::new(
            "a job with one crash left is lent to who works among others",
            |s| Box::pin(lent(s)),
        ),
        StoreCase::new(
            "a crash with the attempts used up is dead by queue.attempts",
            |s| Box::pin(dead_by_attempts(s)),
        ),
        StoreCase::new("a job found dead does not use up a claim's limit", |s| {
            Box::pin(dead_leaves_room(s))
        }),
        StoreCase::new("a heartbeat prolongs a lease", |s| Box::pin(prolonged(s))),
        StoreCase::new("a heartbeat tells which leases are lost", |s| {
            Box::pin(told_lost(s))
        }),
        StoreCase::new(
            "a lease that ran out still counts until somebody takes it",
            |s| Box::pin(still_counts(s)),
        ),
        StoreCase::new(
            "a lease that was prolonged after it had run out runs out again",
            |s| Box::pin(out_again(s)),
        ),
        StoreCase::new(
            "whatever a late verdict says of a job that is in the line again, it stands in one place",
            |s| Box::pin(late_verdicts(s)),
        ),
        StoreCase::new("an old fence changes nothing", |s| Box::pin(fenced(s))),
        StoreCase::new(
            "an id that is put in again has no fence of the job that was removed",
            |s| Box::pin(put_in_again(s)),
        ),
        StoreCase::new("a late claim racing a late verdict has one winner", |s| {
            Box::pin(rescue_race(s))
        }),
        StoreCase::new("an unending job outlives its crashes", |s| {
            Box::pin(unending(s))
        }),
    ]
}

async fn crash_counted(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let first = s.claim_one().await;
    s.wait(29).await;
    assert_eq!(s.claim(10).await, []);
    s.wait(2).await;
    let second = s.claim_one().await;
    assert_eq!(second.job.id, id);
    assert!(second.token.fence > first.token.fence);
    assert_eq!((second.job.attempts, second.job.crashes), (2, 1));
    let [failure] = second.job.failures.as_slice() else {
        panic!("one failure")
    };
    assert_eq!(
        (failure.attempt, failure.error.kind),
        (1, ErrorKind::LeaseLost)
    );
    assert_eq!(
        failure.error.retry,
        Retry::Reconcile,
        "nobody knows how far it came"
    );
    assert_eq!(failure.error.rule, None);
    assert_eq!(s.job(id).await, second.job);
}

async fn dead_by_crashes(s: &StoreUnderTest) {
    let id = s.put(job("a").unique("k")).await;
    for _ in 0..3 {
        assert_eq!(s.claim(10).await.len(), 1);
        s.wait(31).await;
    }
    assert_eq!(s.claim(10).await, []);
    let dead = s.job(id).await;
    assert_eq!(
        (dead.state, dead.crashes, dead.attempts),
        (JobState::Dead, 3, 3)
    );
    let rules: Vec<_> = dead
        .failures
        .iter()
        .map(|f| f.error.rule.as_deref())
        .collect();
    assert_eq!(rules, [None, None, Some("queue.crashes")]);
    assert!(dead.finished_at.is_some());
    assert_ne!(s.put(job("a").unique("k")).await, id, "its key is free");
}

async fn lent(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    for _ in 0..2 {
        assert!(!s.claim_one().await.in_trust);
        s.wait(31).await;
    }
    let among = Claim {
        among_others: true,
        ..Claim::new("worker", 10).lease(LEASE)
    };
    let lend = async || s.store.claim(&among).await.unwrap().remove(0);
    let counts = |job: &Job| (job.crashes, job.attempts, job.failures.len());
    for _ in 0..3 {
        let lease = lend().await;
        assert!(lease.in_trust);
        assert_eq!(counts(&lease.job), (2, 3, 2));
        s.wait(31).await;
    }
    let lease = lend().await;
    s.settle(lease.token, Verdict::Release).await;
    assert_eq!(counts(&s.job(id).await), (2, 2, 2));
    // As one that waits it is lent too.
    let lease = lend().await;
    assert!(lease.in_trust);
    assert_eq!(counts(&lease.job), (2, 3, 2));
    s.settle(lease.token, Verdict::Release).await;
    let last = s.claim_one().await;
    assert!(!last.in_trust);
    assert_eq!(counts(&last.job), (2, 3, 2));
    s.wait(31).await;
    assert_eq!(s.claim(10).await, []);
    assert_eq!(s.job(id).await.state, JobState::Dead);
}

async fn dead_by_attempts(s: &StoreUnderTest) {
    let once = NewJob {
        max_attempts: 1,
        ..job("a")
    };
    let id = s.put(once).await;
    s.claim_one().await;
    s.wait(31).await;
    assert_eq!(s.claim(10).await, []);
    let dead = s.job(id).await;
    assert_eq!((dead.state, dead.crashes), (JobState::Dead, 1));
    let rule = dead.failures.last().and_then(|f| f.error.rule.clone());
    assert_eq!(rule.as_deref(), Some("queue.attempts"));
}

async fn dead_leaves_room(s: &StoreUnderTest) {
    let poison = s.put(job("a")).await;
    s.claim_one().await;
    s.wait(31).await;
    let good = s.put(job("a")).await;
    let mut claim = Claim::new("worker", 1).lease(LEASE);
    claim.max_crashes = 1;
    let leases = s.store.claim(&claim).await.unwrap();
    assert_eq!(leases.iter().map(|l| l.job.id).collect::<Vec<_>>(), [good]);
    assert_eq!(s.job(poison).await.state, JobState::Dead);
}

async fn prolonged(s: &StoreUnderTest) {
    s.put(job("a")).await;
    let token = s.claim_one().await.token;
    for _ in 0..3 {
        s.wait(20).await;
        assert_eq!(s.store.heartbeat(&[token], LEASE).await.unwrap(), []);
    }
    s.wait(29).await;
    assert_eq!(s.claim(10).await, []);
    let long = LEASE * 4;
    assert_eq!(s.store.heartbeat(&[token], long).await.unwrap(), []);
    s.wait(100).await;
    assert_eq!(s.claim(10).await, []);
    s.wait(21).await;
    assert_eq!(s.claim(10).await.len(), 1);
}

async fn told_lost(s: &StoreUnderTest) {
    for _ in 0..3 {
        s.put(job("a")).await;
    }
    let leases = s.claim(3).await;
    let [held, ended, passed_on] = [0, 1, 2].map(|n| leases[n].token);
    s.settle(ended, Verdict::Complete(json!(1))).await;
    s.settle(passed_on, Verdict::Release).await;
    let taken = s.claim_one().await.token;
    let unknown = LeaseToken {
        job: JobId::new(),
        fence: 1,
    };
    let beat = [ended, held, unknown, passed_on, taken];
    let lost = s.store.heartbeat(&beat, LEASE).await.unwrap();
    assert_eq!(lost, [ended, unknown, passed_on]);
    assert_eq!(s.store.heartbeat(&[], LEASE).await.unwrap(), []);
}

async fn still_counts(s: &StoreUnderTest) {
    let (one, two) = (s.put(job("a")).await, s.put(job("a")).await);
    let leases = s.claim(2).await;
    s.wait(60).await;
    assert_eq!(
        s.store.heartbeat(&[leases[0].token], LEASE).await.unwrap(),
        []
    );
    let settled = s.settle(leases[1].token, Verdict::Complete(json!(1))).await;
    assert_eq!(settled, Settled::Now(JobState::Completed));
    assert_eq!(s.job(two).await.crashes, 0);
    assert_eq!(s.claim(10).await, [], "the other one was prolonged");
    assert_eq!(s.job(one).await.crashes, 0);
    // Also when a claim came by that was too small to take it.
    s.wait(60).await;
    let urgent = NewJob {
        priority: 9,
        ..job("a")
    };
    let urgent = s.put(urgent).await;
    assert_eq!(s.claimed_ids(1).await, [urgent]);
    assert_eq!(
        s.store.heartbeat(&[leases[0].token], LEASE).await.unwrap(),
        []
    );
    assert_eq!(s.claim(10).await, []);
    let settled = s.settle(leases[0].token, Verdict::Complete(json!(1))).await;
    assert_eq!(settled, Settled::Now(JobState::Completed));
}

async fn out_again(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    s.wait(31).await;
    // Too small to take it, this claim lets it into the line all the same.
    let urgent = NewJob {
        priority: 9,
        ..job("a")
    };
    let urgent = s.put(urgent).await;
    let other = s.claim_one().await;
    assert_eq!(other.job.id, urgent);
    s.settle(other.token, Verdict::Complete(json!(0))).await;
    assert_eq!(s.store.heartbeat(&[token], LEASE).await.unwrap(), []);
    s.wait(31).await;
    let again = s.claim_one().await;
    assert_eq!((again.job.id, again.job.crashes), (id, 1));
}

async fn late_verdicts(s: &StoreUnderTest) {
    let now = s.now().await;
    let verdicts = [
        (Verdict::Complete(json!(1)), JobState::Completed),
        (Verdict::Bury(error("no")), JobState::Dead),
        (retry(now), JobState::Waiting),
        (Verdict::Snooze { at: now }, JobState::Waiting),
        (Verdict::Release, JobState::Waiting),
    ];
    for (verdict, state) in verdicts {
        let id = s.put(job("a").unique("k")).await;
        let token = s.claim_one().await.token;
        s.wait(60).await;
        // Too small to take it, this claim lets it into the line all the same.
        let urgent = NewJob {
            priority: 9,
            ..job("a")
        };
        let urgent = s.put(urgent).await;
        let other = s.claim_one().await;
        assert_eq!(other.job.id, urgent);
        s.settle(other.token, Verdict::Complete(json!(0))).await;
        let leased = (tenant("a"), id);
        assert!(!s.store.cancel_job(&leased.0, leased.1).await.unwrap());
        let later = s.in_seconds(5).await;
        let moved = s.store.reschedule_job(&leased.0, leased.1, later);
        assert!(!moved.await.unwrap());

        assert_eq!(s.settle(token, verdict).await, Settled::Now(state));
        assert_eq!(s.job(id).await.state, state);
        assert_eq!(s.job(id).await.crashes, 0);
        let stats = s.store.queue_stats().await.unwrap();
        let waiting = u64::from(state == JobState::Waiting);
        assert_eq!((stats.ready, stats.leased), (waiting, 0), "{state:?}");
        let leases = s.claim(10).await;
        assert_eq!(leases.len(), usize::from(state == JobState::Waiting));
        for lease in leases {
            assert_eq!((lease.job.id, lease.token.fence), (id, token.fence + 1));
            s.settle(lease.token, Verdict::Complete(json!(1))).await;
        }
    }
}

async fn fenced(s: &StoreUnderTest) {
    let now = s.now().await;
    let id = s.put(job("a")).await;
    let old = s.claim_one().await.token;
    s.wait(31).await;
    let new = s.claim_one().await.token;
    let held = s.job(id).await;
    let verdicts = [
        Verdict::Complete(json!("zombie")),
        retry(now),
        Verdict::Snooze { at: now },
        Verdict::Release,
        Verdict::Bury(error("zombie")),
    ];
    for verdict in verdicts.clone() {
        assert_eq!(s.settle(old, verdict).await, Settled::LeaseLost);
    }
    assert_eq!(s.store.heartbeat(&[old], LEASE * 9).await.unwrap(), [old]);
    let not_yet = LeaseToken {
        fence: new.fence + 1,
        ..new
    };
    assert_eq!(
        s.settle(not_yet, Verdict::Release).await,
        Settled::LeaseLost
    );
    assert_eq!(s.job(id).await, held);
    s.settle(new, Verdict::Complete(json!("done"))).await;
    for verdict in verdicts {
        assert_eq!(s.settle(old, verdict.clone()).await, Settled::LeaseLost);
        assert_eq!(s.settle(new, verdict).await, Settled::LeaseLost);
    }
    let ended = s.store.job(&tenant("a"), id).await.unwrap();
    assert_eq!(ended.and_then(|job| job.result), Some(json!("done")));
}

async fn put_in_again(s: &StoreUnderTest) {
    let new = job("a");
    s.put(new.clone()).await;
    let first = s.claim_one().await.token;
    s.wait(31).await;
    let second = s.claim_one().await.token;
    s.settle(second, Verdict::Complete(json!("old"))).await;
    s.wait(1).await;
    let removed = s.store.remove_ended(s.now().await, 10).await.unwrap();
    assert_eq!((removed, s.put(new.clone()).await), (1, new.id));
    let held = s.claim_one().await;
    assert!(held.token.fence > second.fence);
    for old in [first, second] {
        assert_eq!(s.store.heartbeat(&[old], LEASE).await.unwrap(), [old]);
        let step = s.store.put_step(old, "sent", &json!(1)).await;
        assert_eq!(step.unwrap_err().kind(), ErrorKind::LeaseLost);
        let verdicts = [
            Verdict::Complete(json!("zombie")),
            Verdict::Release,
            Verdict::Bury(error("zombie")),
        ];
        for verdict in verdicts {
            assert_eq!(s.settle(old, verdict).await, Settled::LeaseLost);
        }
    }
    assert_eq!(s.job(new.id).await, held.job);
    assert_eq!(s.store.steps(&tenant("a"), new.id).await.unwrap(), []);
}

async fn rescue_race(s: &StoreUnderTest) {
    for _ in 0..20 {
        let id = s.put(job("a")).await;
        let token = s.claim_one().await.token;
        s.wait(31).await;
        let (store, other) = (s.store.clone(), s.store.clone());
        let settle = tokio::spawn(async move {
            let done = (token, Verdict::Complete(json!("first")));
            store.settle(&[done]).await.unwrap()[0]
        });
        let rescue =
            tokio::spawn(async move { other.claim(&Claim::new("rescuer", 1)).await.unwrap() });
        let (settled, rescued) = (settle.await.unwrap(), rescue.await.unwrap());
        match (settled, rescued.as_slice()) {
            (Settled::Now(JobState::Completed), []) => {}
            (Settled::LeaseLost, [lease]) => {
                s.settle(lease.token, Verdict::Complete(json!("second")))
                    .await;
            }
            other => panic!("two winners or none: {other:?}"),
        }
        assert_eq!(s.job(id).await.state, JobState::Completed);
    }
}

async fn unending(s: &StoreUnderTest) {
    let id = s.put(job("a").unending()).await;
    for crash in 0..25 {
        let lease = s.claim_one().await;
        assert_eq!((lease.job.id, lease.job.crashes), (id, crash));
        s.wait(31).await;
    }
}
