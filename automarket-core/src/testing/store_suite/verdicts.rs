use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{error, job, json_of_all_sorts, retry},
};
use crate::{
    JobId,
    store::{Job, JobState, LeaseToken, NewJob, Settled, Verdict},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a completed job keeps its result and is not claimed again",
            |s| Box::pin(completed(s)),
        ),
        StoreCase::new(
            "a retried job waits for its time, its attempt and failure kept",
            |s| Box::pin(retried(s)),
        ),
        StoreCase::new(
            "a job whose attempts are used up is dead by queue.attempts",
            |s| Box::pin(attempts_used_up(s)),
        ),
        StoreCase::new(
            "a snoozed job waits for its time, its attempt not counted",
            |s| Box::pin(snoozed(s)),
        ),
        StoreCase::new(
            "a released job is ready in its old place, its attempt not counted",
            |s| Box::pin(released(s)),
        ),
        StoreCase::new(
            "a buried job is dead by its own rule, or by queue.buried",
            |s| Box::pin(buried(s)),
        ),
        StoreCase::new("a job keeps its newest 20 failures", |s| {
            Box::pin(history_bounded(s))
        }),
        StoreCase::new(
            "verdicts are answered one each, in order, lost ones between",
            |s| Box::pin(answered_in_order(s)),
        ),
    ]
}

async fn completed(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    let settled = s
        .settle(token, Verdict::Complete(json_of_all_sorts()))
        .await;
    assert_eq!(settled, Settled::Now(JobState::Completed));
    let done = s.job(id).await;
    assert_eq!((done.state, done.attempts), (JobState::Completed, 1));
    assert_eq!(done.result, Some(json_of_all_sorts()));
    s.wait(3600).await;
    assert_eq!(s.claim(10).await, []);
}

async fn retried(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    let at = s.in_seconds(60).await;
    assert_eq!(
        s.settle(token, retry(at)).await,
        Settled::Now(JobState::Waiting)
    );
    let waiting = s.job(id).await;
    assert_eq!(
        (waiting.state, waiting.run_at, waiting.attempts),
        (JobState::Waiting, at, 1)
    );
    assert_eq!((waiting.failures.len(), waiting.finished_at), (1, None));
    assert_eq!(waiting.failures[0].attempt, 1);
    assert_eq!(waiting.failures[0].error, error("no answer"));
    assert!((s.now().await - waiting.failures[0].at).num_seconds() < 1);
    assert_eq!(s.claim(10).await, []);
    s.wait(61).await;
    let again = s.claim_one().await;
    assert_eq!((again.job.attempts, again.job.crashes), (2, 0));
    assert_eq!(again.job.failures, waiting.failures);
}

async fn attempts_used_up(s: &StoreUnderTest) {
    let now = s.now().await;
    let twice = NewJob {
        max_attempts: 2,
        ..job("a")
    };
    let id = s.put(twice).await;
    let first = s.claim_one().await.token;
    assert_eq!(
        s.settle(first, retry(now)).await,
        Settled::Now(JobState::Waiting)
    );
    let second = s.claim_one().await.token;
    let mut error = error("no answer");
    error.rule = None;
    let bare = Verdict::Retry { at: now, error };
    assert_eq!(s.settle(second, bare).await, Settled::Now(JobState::Dead));
    let dead = s.job(id).await;
    assert_eq!(
        (dead.state, dead.attempts, dead.failures.len()),
        (JobState::Dead, 2, 2)
    );
    assert_eq!(dead.failures[0].error.rule.as_deref(), Some("remote.down"));
    assert_eq!(
        dead.failures[1].error.rule.as_deref(),
        Some("queue.attempts")
    );
    assert!(dead.finished_at.is_some());
    assert_eq!(s.claim(10).await, []);
}

async fn snoozed(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    for _ in 0..50 {
        let lease = s.claim_one().await;
        assert_eq!(lease.job.attempts, 1);
        let at = s.in_seconds(10).await;
        let settled = s.settle(lease.token, Verdict::Snooze { at }).await;
        assert_eq!(settled, Settled::Now(JobState::Waiting));
        assert_eq!(s.claim(10).await, []);
        s.wait(11).await;
    }
    let job = s.job(id).await;
    assert_eq!((job.attempts, job.crashes, job.failures.len()), (0, 0, 0));
}

async fn released(s: &StoreUnderTest) {
    let early = s.in_seconds(-10).await;
    let first = s.put(job("a").run_at(early)).await;
    let second = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    assert_eq!(
        s.settle(token, Verdict::Release).await,
        Settled::Now(JobState::Waiting)
    );
    let back = s.job(first).await;
    assert_eq!(
        (back.attempts, back.run_at, back.failures.len()),
        (0, early, 0)
    );
    assert_eq!(s.claimed_ids(10).await, [first, second]);
}

async fn buried(s: &StoreUnderTest) {
    let id = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    let settled = s.settle(token, Verdict::Bury(error("gone"))).await;
    assert_eq!(settled, Settled::Now(JobState::Dead));
    let dead = s.job(id).await;
    let last = &dead.failures.last().expect("a failure").error;
    assert_eq!(last.rule.as_deref(), Some("remote.down"));
    assert_eq!(last.message, error("gone").message);
    assert_eq!(
        (last.kind, last.retry),
        (error("gone").kind, error("gone").retry)
    );
    assert_eq!(
        (last.remedy.clone(), last.body.clone()),
        (error("").remedy, error("").body)
    );
    let id = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    let mut bare = error("gone");
    bare.rule = None;
    s.settle(token, Verdict::Bury(bare)).await;
    let dead = s.job(id).await;
    let last = &dead.failures.last().expect("a failure").error;
    assert_eq!(last.rule.as_deref(), Some("queue.buried"));
}

async fn history_bounded(s: &StoreUnderTest) {
    let now = s.now().await;
    let stubborn = NewJob {
        max_attempts: 100,
        ..job("a")
    };
    let id = s.put(stubborn).await;
    for attempt in 1..=25 {
        let token = s.claim_one().await.token;
        let error = error(&format!("failure {attempt}"));
        s.settle(token, Verdict::Retry { at: now, error }).await;
    }
    let attempts: Vec<u32> = s.job(id).await.failures.iter().map(|f| f.attempt).collect();
    assert_eq!(attempts, (6..=25).collect::<Vec<u32>>());
    let leased: Job = s.claim_one().await.job;
    assert_eq!(leased.failures.len(), 20);
    assert!(leased.failures[19].error.message.contains("failure 25"));
}

async fn answered_in_order(s: &StoreUnderTest) {
    let now = s.now().await;
    for _ in 0..5 {
        s.put(job("a")).await;
    }
    let leases = s.claim(5).await;
    let unknown = LeaseToken {
        job: JobId::new(),
        fence: 1,
    };
    let done = || Verdict::Complete(json!(1));
    let verdicts = [
        (leases[0].token, done()),
        (unknown, done()),
        (leases[1].token, retry(now)),
        (leases[0].token, Verdict::Bury(error("twice in one call"))),
        (leases[2].token, Verdict::Bury(error("no"))),
        (leases[3].token, Verdict::Release),
        (leases[4].token, Verdict::Snooze { at: now }),
    ];
    use JobState::{Completed, Dead, Waiting};
    use Settled::{LeaseLost, Now};
    let wanted = [
        Now(Completed),
        LeaseLost,
        Now(Waiting),
        LeaseLost,
        Now(Dead),
        Now(Waiting),
        Now(Waiting),
    ];
    assert_eq!(s.store.settle(&verdicts).await.unwrap(), wanted);
    assert_eq!(s.store.settle(&[]).await.unwrap(), []);
    assert_eq!(s.job(leases[0].job.id).await.state, Completed);
    assert_eq!(s.claim(10).await.len(), 3);
}
