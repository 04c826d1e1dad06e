use chrono::TimeDelta;
use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{TEXT, error, job, json_of_all_sorts, retry, tenant},
};
use crate::{
    ErrorKind, JobId,
    store::{Enqueued, Job, JobState, NewJob, Verdict},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a payload that cannot be read keeps no other job from being claimed",
            |s| Box::pin(unreadable(s)),
        ),
        StoreCase::new("a job comes back with every field", |s| {
            Box::pin(comes_back_whole(s))
        }),
        StoreCase::new("jobs are put in with one answer each, in order", |s| {
            Box::pin(one_answer_each(s))
        }),
        StoreCase::new(
            "each job of a batch, or of many calls at once, keeps what is its own",
            |s| Box::pin(each_its_own(s)),
        ),
        StoreCase::new("an id that is there is not put in twice", |s| {
            Box::pin(same_id(s))
        }),
        StoreCase::new(
            "an id that has ended stays taken, alone and in a batch",
            |s| Box::pin(ended_id(s)),
        ),
        StoreCase::new(
            "an id that has ended answers for itself while another job holds its key",
            |s| Box::pin(ended_id_of_a_key(s)),
        ),
        StoreCase::new("kinds and unique keys have an end", |s| Box::pin(bounds(s))),
        StoreCase::new("ids that are there keep no other of a batch out", |s| {
            Box::pin(known_ids_in_a_batch(s))
        }),
        StoreCase::new("an id of another tenant's job puts nothing in", |s| {
            Box::pin(foreign_id(s))
        }),
        StoreCase::new("a unique key is taken once, also within one call", |s| {
            Box::pin(unique_key(s))
        }),
        StoreCase::new("a unique key is of one tenant and kind", |s| {
            Box::pin(unique_key_scope(s))
        }),
        StoreCase::new(
            "a unique key is held by a leased job and freed by its end",
            |s| Box::pin(unique_key_freed(s)),
        ),
        StoreCase::new(
            "of many jobs with one unique key exactly one is put in",
            |s| Box::pin(unique_key_race(s)),
        ),
        StoreCase::new(
            "a job is found by its key, ended or not, the newest first",
            |s| Box::pin(found_by_key(s)),
        ),
        StoreCase::new(
            "jobs are listed by state, newest first, up to the limit",
            |s| Box::pin(listed(s)),
        ),
        StoreCase::new("a waiting job is cancelled once, any other not", |s| {
            Box::pin(cancelled(s))
        }),
        StoreCase::new("a dead job is redriven with its history", |s| {
            Box::pin(redriven(s))
        }),
        StoreCase::new("a dead job is not redriven while its key is taken", |s| {
            Box::pin(redrive_with_key_taken(s))
        }),
    ]
}

/// Stores that keep text give it as it is; a store that keeps values has nothing to read.
async fn unreadable(s: &StoreUnderTest) {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let text = deep.to_string();
    let id = s.put(NewJob::new(tenant("a"), "work", deep.clone())).await;
    let other = s.put(job("a")).await;
    let leases = s.claim(10).await;
    assert_eq!(
        leases.iter().map(|l| l.job.id).collect::<Vec<_>>(),
        [id, other]
    );
    let payload = &leases[0].job.payload;
    assert!(*payload == deep || *payload == json!(text), "{payload}");
    assert_eq!(s.job(id).await.payload, *payload);
}

async fn comes_back_whole(s: &StoreUnderTest) {
    let run_at = s.in_seconds(3600).await + TimeDelta::microseconds(1);
    let new = NewJob {
        payload: json_of_all_sorts(),
        priority: i16::MIN,
        max_attempts: u32::MAX,
        kind: TEXT.to_owned(),
        ..job("a").run_at(run_at).unique(TEXT)
    };
    s.put(new.clone()).await;
    let stored = s.job(new.id).await;
    assert!((s.now().await - stored.created_at).num_seconds() < 1);
    let wanted = Job {
        id: new.id,
        tenant: new.tenant,
        kind: new.kind,
        payload: new.payload,
        state: JobState::Waiting,
        run_at,
        priority: i16::MIN,
        attempts: 0,
        crashes: 0,
        max_attempts: u32::MAX,
        unique_key: new.unique_key,
        fence: 0,
        result: None,
        failures: Vec::new(),
        created_at: stored.created_at,
        finished_at: None,
    };
    assert_eq!(stored, wanted);
    s.wait(3601).await;
    let lease = s.claim_one().await;
    let leased = Job {
        state: JobState::Leased,
        attempts: 1,
        fence: lease.token.fence,
        ..wanted
    };
    assert_eq!(lease.job, leased);
    assert_eq!(s.job(new.id).await, leased);
    s.settle(lease.token, Verdict::Complete(json_of_all_sorts()))
        .await;
    let ended = s.job(new.id).await;
    assert!(ended.finished_at.is_some_and(|at| at > run_at));
    let finished_at = ended.finished_at;
    let completed = Job {
        state: JobState::Completed,
        result: Some(json_of_all_sorts()),
        finished_at,
        ..leased
    };
    assert_eq!(ended, completed);
}

async fn one_answer_each(s: &StoreUnderTest) {
    let new: Vec<NewJob> = (0..200).map(|_| job("a")).collect();
    let wanted: Vec<Enqueued> = new.iter().map(|job| Enqueued::New(job.id)).collect();
    assert_eq!(s.store.enqueue(&new).await.unwrap(), wanted);
    assert_eq!(s.store.enqueue(&[]).await.unwrap(), []);
    assert_eq!(s.claim(300).await.len(), 200);
}

async fn each_its_own(s: &StoreUnderTest) {
    let at = s.in_seconds(3600).await;
    let alike = || job("a");
    // Differs from those that are alike in one thing.
    let differing = |place: usize| {
        [
            NewJob {
                kind: "mail".into(),
                ..alike()
            },
            NewJob {
                tenant: tenant("b"),
                ..alike()
            },
            alike().run_at(at),
            NewJob {
                priority: 7,
                ..alike()
            },
            NewJob {
                max_attempts: 7,
                ..alike()
            },
            NewJob {
                payload: json!(7),
                ..alike()
            },
            alike().unique(format!("key {place}")),
        ]
    };
    for place in [0, 5, 10] {
        for odd in differing(place) {
            let mut batch: Vec<NewJob> = (0..10).map(|_| alike()).collect();
            batch.insert(place, odd);
            s.store.enqueue(&batch).await.unwrap();
            for new in &batch {
                is_its_own(s, new).await;
            }
        }
    }
    let single = differing(11).into_iter().map(|odd| vec![odd]);
    let batches = (0..8).map(|_| (0..20).map(|_| alike()).collect());
    let calls = single.chain(batches).map(|batch: Vec<NewJob>| {
        let store = s.store.clone();
        tokio::spawn(async move {
            store.enqueue(&batch).await.unwrap();
            batch
        })
    });
    for call in calls.collect::<Vec<_>>() {
        for new in call.await.unwrap() {
            is_its_own(s, &new).await;
        }
    }
}

async fn is_its_own(s: &StoreUnderTest, new: &NewJob) {
    let found = s.store.job(&new.tenant, new.id).await.unwrap();
    let found = found.expect("it is its tenant's");
    let stored = NewJob {
        id: found.id,
        tenant: found.tenant,
        kind: found.kind,
        payload: found.payload,
        run_at: new.run_at.and(Some(found.run_at)),
        priority: found.priority,
        max_attempts: found.max_attempts,
        unique_key: found.unique_key,
    };
    assert_eq!(stored, *new);
    assert_eq!(found.run_at > s.now().await, new.run_at.is_some());
}

async fn same_id(s: &StoreUnderTest) {
    let new = job("a");
    let twice = [new.clone(), new.clone()];
    let (first, again) = (Enqueued::New(new.id), Enqueued::Existing(new.id));
    assert_eq!(s.store.enqueue(&twice).await.unwrap(), [first, again]);
    assert_eq!(s.store.enqueue(&twice).await.unwrap(), [again, again]);
    let token = s.claim_one().await.token;
    s.settle(token, Verdict::Complete(json!(1))).await;
    assert_eq!(s.store.enqueue(&twice).await.unwrap(), [again, again]);
    assert_eq!(s.claim(10).await, []);
}

async fn ended_id(s: &StoreUnderTest) {
    let ended = job("a");
    s.put(ended.clone()).await;
    let token = s.claim_one().await.token;
    s.settle(token, Verdict::Complete(json!(1))).await;
    let later = ended.clone().run_at(s.in_seconds(60).await);
    for repeat in [ended.clone(), later] {
        let answer = s.store.enqueue(&[repeat]).await.unwrap();
        assert_eq!(answer, [Enqueued::Existing(ended.id)]);
    }
    for at in [0, 9, 19] {
        let mut batch: Vec<NewJob> = (0..20).map(|_| job("a")).collect();
        batch[at] = ended.clone();
        let answers = s.store.enqueue(&batch).await.unwrap();
        assert_eq!(answers[at], Enqueued::Existing(ended.id));
        assert_eq!(s.claim(30).await.len(), 19);
    }
}

async fn ended_id_of_a_key(s: &StoreUnderTest) {
    let ended = job("a").unique("k");
    s.put(ended.clone()).await;
    let token = s.claim_one().await.token;
    s.settle(token, Verdict::Complete(json!(1))).await;
    let holder = s.put(job("a").unique("k")).await;
    assert_ne!(holder, ended.id);
    assert_eq!(s.put(ended.clone()).await, ended.id);
    assert_eq!(s.claimed_ids(10).await, [holder]);
}

async fn bounds(s: &StoreUnderTest) {
    let with = |kind: String, key: String| NewJob {
        kind,
        ..job("a").unique(key)
    };
    let (a, k) = (|length| "a".repeat(length), |length| "k".repeat(length));
    for (bad, field) in [
        (with(a(200), k(1_001)), "unique_key"),
        (with(a(201), k(1_000)), "kind"),
        (with("\0".into(), k(1)), "kind"),
        (with(a(1), "\0".into()), "unique_key"),
    ] {
        let refused = s.store.enqueue(&[job("a"), bad]).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.field()),
            (ErrorKind::InvalidInput, Some(field))
        );
    }
    s.put(with(a(200), k(1_000))).await;
    let token = s.claim_one().await.token;
    s.settle(token, Verdict::Complete(json!(1))).await;
    assert_eq!(s.claim(10).await, []);
}

async fn known_ids_in_a_batch(s: &StoreUnderTest) {
    let known = s.put(job("a")).await;
    let mut new: Vec<NewJob> = (0..250).map(|_| job("a")).collect();
    new[7].id = known;
    new[160].id = new[159].id;
    let mut wanted: Vec<Enqueued> = new.iter().map(|job| Enqueued::New(job.id)).collect();
    for at in [7, 160] {
        wanted[at] = Enqueued::Existing(new[at].id);
    }
    assert_eq!(s.store.enqueue(&new).await.unwrap(), wanted);
    assert_eq!(s.claim(300).await.len(), 249);
}

async fn foreign_id(s: &StoreUnderTest) {
    let taken = s.put(job("b")).await;
    let good = job("a").unique("k");
    let bad = NewJob {
        id: taken,
        ..job("a")
    };
    let refused = s.store.enqueue(&[good.clone(), bad]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(s.store.job(&tenant("a"), good.id).await.unwrap(), None);
    assert_eq!(s.claimed_ids(10).await, [taken]);
    let free = s.store.enqueue(std::slice::from_ref(&good)).await.unwrap();
    assert_eq!(free, [Enqueued::New(good.id)]);
}

async fn unique_key(s: &StoreUnderTest) {
    let (first, second, third) = (
        job("a").unique("k"),
        job("a").unique("k"),
        job("a").unique("k"),
    );
    let answers = s.store.enqueue(&[first.clone(), second]).await.unwrap();
    assert_eq!(
        answers,
        [Enqueued::New(first.id), Enqueued::Existing(first.id)]
    );
    let answers = s.store.enqueue(&[third.clone(), job("a")]).await.unwrap();
    assert_eq!(answers[0], Enqueued::Existing(first.id));
    assert_eq!(s.store.job(&tenant("a"), third.id).await.unwrap(), None);
    assert_eq!(s.claim(10).await.len(), 2);
}

async fn unique_key_scope(s: &StoreUnderTest) {
    let other_kind = NewJob::new(tenant("a"), "other", json!({})).unique("k");
    let new = [job("a").unique("k"), job("b").unique("k"), other_kind];
    let answers = s.store.enqueue(&new).await.unwrap();
    assert_eq!(
        answers,
        [&new[0], &new[1], &new[2]].map(|job| Enqueued::New(job.id))
    );
}

async fn unique_key_freed(s: &StoreUnderTest) {
    let now = s.now().await;
    let ends = [
        Verdict::Complete(json!(1)),
        Verdict::Bury(error("no")),
        retry(now), // of a job with one attempt: dead
    ];
    for end in ends {
        let once = NewJob {
            max_attempts: 1,
            ..job("a").unique("k")
        };
        let id = s.put(once.clone()).await;
        assert_eq!(id, once.id);
        let token = s.claim_one().await.token;
        assert_eq!(
            s.put(job("a").unique("k")).await,
            id,
            "a leased job holds its key"
        );
        s.wait(31).await;
        assert_eq!(
            s.put(job("a").unique("k")).await,
            id,
            "so does one whose lease ran out"
        );
        s.settle(token, end).await;
    }
    let id = s.put(job("a").unique("k")).await;
    assert!(s.store.cancel_job(&tenant("a"), id).await.unwrap());
    assert_ne!(s.put(job("a").unique("k")).await, id);
}

async fn unique_key_race(s: &StoreUnderTest) {
    let tries = (0..32).map(|_| {
        let store = s.store.clone();
        tokio::spawn(async move { store.enqueue(&[job("a").unique("k")]).await.unwrap()[0] })
    });
    let mut new = Vec::new();
    let mut named = Vec::new();
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Enqueued::New(id) => new.push(id),
            Enqueued::Existing(id) => named.push(id),
        }
    }
    assert_eq!(new.len(), 1);
    assert!(named.iter().all(|id| *id == new[0]));
    assert_eq!(s.claimed_ids(10).await, new);
}

async fn found_by_key(s: &StoreUnderTest) {
    let a = tenant("a");
    let found = || async {
        let job = s.store.job_by_key(&a, "work", "k").await.unwrap();
        job.map(|job| (job.id, job.state))
    };
    assert_eq!(found().await, None);
    let first = s.put(job("a").unique("k")).await;
    s.put(job("a").unique("other")).await;
    assert_eq!(found().await, Some((first, JobState::Waiting)));
    let token = s.claim_one().await.token;
    assert_eq!(found().await, Some((first, JobState::Leased)));
    s.settle(token, Verdict::Complete(json!(7))).await;
    assert_eq!(found().await, Some((first, JobState::Completed)));
    let result = s.store.job_by_key(&a, "work", "k").await.unwrap();
    assert_eq!(result.and_then(|job| job.result), Some(json!(7)));
    let second = s.put(job("a").unique("k")).await;
    assert_eq!(found().await, Some((second, JobState::Waiting)));
    assert_eq!(s.store.job_by_key(&a, "other", "k").await.unwrap(), None);
}

async fn listed(s: &StoreUnderTest) {
    let mut ids = Vec::new();
    for seconds in [0, 0, 0, 3600] {
        let at = s.in_seconds(seconds).await;
        ids.push(s.put(job("a").run_at(at)).await);
    }
    let list = |state, limit| async move {
        let jobs = s.store.jobs(&tenant("a"), state, limit).await.unwrap();
        assert!(jobs.iter().all(|job| job.state == state));
        jobs.iter().map(|job| job.id).collect::<Vec<JobId>>()
    };
    assert_eq!(
        list(JobState::Waiting, 10).await,
        [ids[3], ids[2], ids[1], ids[0]]
    );
    assert_eq!(list(JobState::Waiting, 2).await, [ids[3], ids[2]]);
    let leases = s.claim(2).await;
    assert_eq!(list(JobState::Leased, 10).await, [ids[1], ids[0]]);
    s.wait(31).await;
    assert_eq!(
        list(JobState::Leased, 10).await,
        [ids[1], ids[0]],
        "nobody took them"
    );
    s.settle(leases[0].token, Verdict::Complete(json!(1))).await;
    s.settle(leases[1].token, Verdict::Bury(error("no"))).await;
    s.store.cancel_job(&tenant("a"), ids[3]).await.unwrap();
    assert_eq!(list(JobState::Completed, 10).await, [ids[0]]);
    assert_eq!(list(JobState::Dead, 10).await, [ids[1]]);
    assert_eq!(list(JobState::Cancelled, 10).await, [ids[3]]);
    assert_eq!(list(JobState::Waiting, 10).await, [ids[2]]);
    assert_eq!(list(JobState::Leased, 10).await, []);
}

async fn cancelled(s: &StoreUnderTest) {
    let cancel = |id| async move { s.store.cancel_job(&tenant("a"), id).await.unwrap() };
    let later = s.put(job("a").run_at(s.in_seconds(60).await)).await;
    let due = s.put(job("a")).await;
    for id in [later, due] {
        assert!(cancel(id).await);
        assert!(!cancel(id).await);
        assert_eq!(s.job(id).await.state, JobState::Cancelled);
        assert!(s.job(id).await.finished_at.is_some());
    }
    s.wait(120).await;
    assert_eq!(s.claim(10).await, []);
    let held = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    assert!(!cancel(held).await);
    s.wait(31).await;
    assert!(!cancel(held).await, "its worker may still settle it");
    s.settle(token, Verdict::Complete(json!(1))).await;
    assert!(!cancel(held).await);
    assert!(!cancel(JobId::new()).await);
}

async fn redriven(s: &StoreUnderTest) {
    let redrive = |id| async move { s.store.redrive(&tenant("a"), id).await.unwrap() };
    let id = s.put(job("a").unique("k")).await;
    assert!(!redrive(id).await, "it waits");
    let first = s.claim_one().await.token;
    assert!(!redrive(id).await, "it is leased");
    s.settle(first, Verdict::Bury(error("no"))).await;
    let dead = s.job(id).await;
    s.wait(60).await;
    assert!(redrive(id).await);
    assert!(!redrive(id).await);
    let back = s.job(id).await;
    assert_eq!(
        back,
        Job {
            state: JobState::Waiting,
            attempts: 0,
            crashes: 0,
            finished_at: None,
            run_at: back.run_at,
            ..dead.clone()
        }
    );
    assert!(back.run_at > dead.run_at && back.run_at <= s.now().await);
    assert_eq!(back.failures.len(), 1);
    assert_eq!(
        s.put(job("a").unique("k")).await,
        id,
        "its key is taken again"
    );
    let second = s.claim_one().await;
    assert!(second.token.fence > first.fence);
    assert_eq!((second.job.attempts, second.job.failures.len()), (1, 1));
    s.settle(second.token, Verdict::Complete(json!(1))).await;
    assert!(!redrive(id).await, "it is completed");
    assert!(!redrive(JobId::new()).await);
}

async fn redrive_with_key_taken(s: &StoreUnderTest) {
    let dead = s.put(job("a").unique("k")).await;
    let token = s.claim_one().await.token;
    s.settle(token, Verdict::Bury(error("no"))).await;
    let live = s.put(job("a").unique("k")).await;
    assert_ne!(live, dead);
    assert!(!s.store.redrive(&tenant("a"), dead).await.unwrap());
    assert_eq!(s.job(dead).await.state, JobState::Dead);
    let token = s.claim_one().await.token;
    s.settle(token, Verdict::Complete(json!(1))).await;
    assert!(s.store.redrive(&tenant("a"), dead).await.unwrap());
}
