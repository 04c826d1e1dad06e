//! Changes of several publications at once, slots, routings, attempts.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    StoreCase, StoreUnderTest,
    samples::{TEXT, attempt, event, job, publishing, tenant},
};
use crate::{
    AccountId, ErrorKind, JobId, Platform, PostId, PublicationId,
    content::Post,
    store::{
        AttemptOutcome, JobState, NewPublishing, Operation, Publication, PublicationState,
        PublishingChange, REVISION, Routing, RoutingPart, SLOT, Slots, Target,
    },
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a change writes post, publications, jobs, events and attempts",
            |s| Box::pin(written_together(s)),
        ),
        StoreCase::new("a change is written wholly or not at all", |s| {
            Box::pin(all_or_nothing(s))
        }),
        StoreCase::new(
            "a post gets other words only while its accounts are those that were read",
            |s| Box::pin(other_words(s)),
        ),
        StoreCase::new("of other words and another account at once one wins", |s| {
            Box::pin(words_or_account(s))
        }),
        StoreCase::new("of crossing changes one wins and none hangs", |s| {
            Box::pin(crossing(s))
        }),
        StoreCase::new(
            "live publications of an account come by due, by their route",
            |s| Box::pin(live(s)),
        ),
        StoreCase::new("a slot is held once, until its holder ends", |s| {
            Box::pin(slots(s))
        }),
        StoreCase::new("of many who want one slot exactly one gets it", |s| {
            Box::pin(slot_race(s))
        }),
        StoreCase::new("a post goes to an account by one way at a time", |s| {
            Box::pin(one_way(s))
        }),
        StoreCase::new("of two that take one second way at once one gets it", |s| {
            Box::pin(one_way_race(s))
        }),
        StoreCase::new("a routing comes back whole, of whichever halves", |s| {
            Box::pin(routing(s))
        }),
        StoreCase::new("attempts are counted by sort, time and tenant", |s| {
            Box::pin(counted(s))
        }),
    ]
}

/// A post with three publications, which go the same way.
pub(super) async fn three(s: &StoreUnderTest) -> NewPublishing {
    let mut new = publishing("a", s.now().await);
    let one = new.publications[0].clone();
    let of = |n: i64| Publication {
        id: PublicationId::new(),
        job: JobId::new(),
        target: Target {
            account: AccountId::new(),
            ..one.target.clone()
        },
        due: one.due + TimeDelta::seconds(n),
        ..one.clone()
    };
    new.publications = vec![of(2), of(1), of(0)];
    s.store.put_publishing(&new).await.unwrap();
    new
}

/// The post with other words.
fn edited(new: &NewPublishing, accounts: usize) -> PublishingChange {
    let mut post = new.post.clone();
    post.base.text = Some("edited".to_owned());
    PublishingChange {
        post: Some(post),
        accounts,
        ..PublishingChange::new(new.tenant.clone())
    }
}

/// The same post on another account.
fn elsewhere(new: &NewPublishing) -> NewPublishing {
    let one = &new.publications[0];
    let account = Publication {
        id: PublicationId::new(),
        job: JobId::new(),
        target: Target {
            account: AccountId::new(),
            ..one.target.clone()
        },
        via: None,
        ..one.clone()
    };
    NewPublishing {
        jobs: Vec::new(),
        publications: vec![account],
        ..new.clone()
    }
}

async fn other_words(s: &StoreUnderTest) {
    let new = three(s).await;
    for accounts in [0, 2, 4] {
        let change = PublishingChange {
            publications: vec![in_state(&new.publications[0], PublicationState::Missed)],
            ..edited(&new, accounts)
        };
        let refused = s.store.change_publishing(&change).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Conflict, Some(REVISION))
        );
        let post = s.store.post(&new.tenant, new.post.id).await.unwrap();
        assert_eq!(post.as_ref(), Some(&new.post));
        let first = new.publications[0].id;
        let first = s.store.publication(&new.tenant, first).await.unwrap();
        assert_eq!(first.as_ref(), Some(&new.publications[0]));
    }
    let change = edited(&new, 3);
    s.store.change_publishing(&change).await.unwrap();
    let post = s.store.post(&new.tenant, new.post.id).await.unwrap();
    assert_eq!(post, change.post);
}

async fn words_or_account(s: &StoreUnderTest) {
    for _ in 0..20 {
        let new = three(s).await;
        let (edit, more) = (edited(&new, 3), elsewhere(&new));
        let [first, second] = [s.store.clone(), s.store.clone()];
        let edit = tokio::spawn(async move { first.change_publishing(&edit).await.map(drop) });
        let more = tokio::spawn(async move { second.put_publishing(&more).await.map(drop) });
        let ends = [edit.await.unwrap(), more.await.unwrap()];
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1, "{ends:?}");
        for refused in ends.into_iter().filter_map(Result::err) {
            assert_eq!(refused.rule(), Some(REVISION));
        }
    }
}

/// A publishing whose publication holds the slot at an instant.
fn at_slot(tenant_name: &str, at: DateTime<Utc>) -> NewPublishing {
    let mut new = publishing(tenant_name, at);
    new.publications[0].slot = Some(at + TimeDelta::microseconds(1));
    new
}

pub(super) fn in_state(publication: &Publication, state: PublicationState) -> Publication {
    Publication {
        state,
        ..publication.clone()
    }
}

fn whole(new: &NewPublishing, job_id: JobId) -> PublishingChange {
    let mut post = new.post.clone();
    post.base.text = Some("edited".to_owned());
    let [first, second, _] = &new.publications[..] else {
        panic!("three")
    };
    PublishingChange {
        post: Some(post),
        accounts: 3,
        publications: vec![
            in_state(second, PublicationState::Cancelled),
            in_state(first, PublicationState::Missed),
        ],
        jobs: vec![crate::store::NewJob {
            id: job_id,
            ..job("a")
        }],
        events: vec![event("a", "publication.edited", TEXT)],
        attempts: vec![attempt(first, first.due, 5), attempt(second, second.due, 6)],
        ..PublishingChange::new(tenant("a"))
    }
}

async fn written_together(s: &StoreUnderTest) {
    let a = tenant("a");
    let new = three(s).await;
    let change = whole(&new, JobId::new());
    let changed = s.store.change_publishing(&change).await.unwrap();
    let ids = |all: &[Publication]| all.iter().map(|p| p.id).collect::<Vec<_>>();
    assert_eq!(ids(&changed), ids(&change.publications), "the order given");
    for publication in &changed {
        assert_eq!(publication.revision, 2);
        let stored = s.store.publication(&a, publication.id).await.unwrap();
        assert_eq!(stored.as_ref(), Some(publication));
    }
    let post = s.store.post(&a, new.post.id).await.unwrap();
    assert_eq!(post, change.post);
    assert_eq!(s.job(change.jobs[0].id).await.state, JobState::Waiting);
    assert_eq!(s.store.events_about(&a, TEXT).await.unwrap().len(), 1);
    for attempt in &change.attempts {
        let stored = s.store.attempts(&a, attempt.publication).await.unwrap();
        assert_eq!(stored, std::slice::from_ref(attempt));
    }
    let untouched = &new.publications[2];
    let stored = s.store.publication(&a, untouched.id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(untouched));
}

async fn all_or_nothing(s: &StoreUnderTest) {
    let a = tenant("a");
    let new = three(s).await;
    let foreign_job = s.put(job("b")).await;
    let good = || whole(&new, JobId::new());
    let mut stale = good();
    stale.publications[1].revision = 7;
    let mut missing = good();
    missing.publications[1].id = PublicationId::new();
    let mut no_post = good();
    no_post.post = Some(Post {
        id: PostId::new(),
        ..new.post.clone()
    });
    let mut twice = good();
    twice.publications[1] = twice.publications[0].clone();
    let mut foreign = good();
    foreign.attempts[1].tenant = tenant("b");
    for (change, kind, rule) in [
        (stale, ErrorKind::Conflict, Some(REVISION)),
        (missing, ErrorKind::NotFound, None),
        (no_post, ErrorKind::NotFound, None),
        (twice, ErrorKind::InvalidInput, None),
        (foreign, ErrorKind::InvalidInput, None),
        (
            whole(&new, foreign_job),
            ErrorKind::Conflict,
            Some("job.id"),
        ),
    ] {
        let refused = s.store.change_publishing(&change).await.unwrap_err();
        assert_eq!((refused.kind(), refused.rule()), (kind, rule));
        let mut wanted = new.publications.clone();
        wanted.sort_by_key(|p| p.id);
        let stored = s.store.publications(&a, new.post.id).await.unwrap();
        assert_eq!(stored, wanted);
        let post = s.store.post(&a, new.post.id).await.unwrap();
        assert_eq!(post.as_ref(), Some(&new.post));
        assert_eq!(s.store.events_about(&a, TEXT).await.unwrap(), []);
        let attempts = s.store.attempts(&a, new.publications[0].id).await;
        assert_eq!(attempts.unwrap(), []);
        let jobs = s.store.jobs(&a, JobState::Waiting, 10).await.unwrap();
        assert_eq!(jobs.len(), 1);
    }
}

async fn crossing(s: &StoreUnderTest) {
    let new = three(s).await;
    let tries = (0..16).map(|n| {
        let (store, mut change) = (s.store.clone(), whole(&new, JobId::new()));
        if n % 2 == 0 {
            change.publications.reverse();
        }
        tokio::spawn(async move { store.change_publishing(&change).await })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
    }
    assert_eq!(won, 1);
    let events = s.store.events_about(&tenant("a"), TEXT).await.unwrap();
    assert_eq!(events.len(), 1);
}

async fn live(s: &StoreUnderTest) {
    let a = tenant("a");
    let new = three(s).await;
    let [first, second, third] = &new.publications[..] else {
        panic!("three")
    };
    let via = first.route().account;
    let read = async |account, limit| {
        let live = s.store.live_publications(&a, account, &[], limit);
        live.await
            .unwrap()
            .into_iter()
            .map(|p| p.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(read(via, 10).await, [third.id, second.id, first.id]);
    assert_eq!(read(via, 2).await, [third.id, second.id]);
    assert_eq!(read(first.target.account, 10).await, [], "it goes via");
    let change = PublishingChange {
        publications: vec![
            in_state(third, PublicationState::Published),
            Publication {
                via: None,
                state: PublicationState::Blocked,
                due: third.due - TimeDelta::days(1),
                ..first.clone()
            },
        ],
        ..PublishingChange::new(a.clone())
    };
    s.store.change_publishing(&change).await.unwrap();
    assert_eq!(read(via, 10).await, [second.id]);
    assert_eq!(read(first.target.account, 10).await, [first.id]);
    let waits = s.store.publication(&a, second.id).await.unwrap().unwrap();
    let other = match waits.state {
        PublicationState::Draft => PublicationState::Scheduled,
        _ => PublicationState::Draft,
    };
    for (states, count) in [(vec![other], 0), (vec![other, waits.state], 1)] {
        let live = s.store.live_publications(&a, via, &states, 10).await;
        assert_eq!(live.unwrap().len(), count, "{states:?}");
    }
}

async fn slots(s: &StoreUnderTest) {
    let a = tenant("a");
    let first = at_slot("a", s.now().await);
    s.store.put_publishing(&first).await.unwrap();
    let holder = &first.publications[0];
    let stored = s.store.publication(&a, holder.id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(holder));
    let mut second = publishing("a", s.now().await);
    second.publications[0].slot = holder.slot;
    let refused = s.store.put_publishing(&second).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.rule()),
        (ErrorKind::Conflict, Some(SLOT))
    );
    let nothing = s.store.post(&a, second.post.id).await.unwrap();
    assert_eq!(nothing, None);
    // Another tenant, another account, or none at all.
    let mut other = publishing("b", s.now().await);
    other.publications[0].slot = holder.slot;
    other.publications[0].target.account = holder.target.account;
    s.store.put_publishing(&other).await.unwrap();
    let mut other = publishing("a", s.now().await);
    other.publications[0].slot = holder.slot;
    other.publications[0].target.account = AccountId::new();
    s.store.put_publishing(&other).await.unwrap();
    second.publications[0].slot = None;
    s.store.put_publishing(&second).await.unwrap();
    let wanted = Publication {
        slot: holder.slot,
        ..second.publications[0].clone()
    };
    let change = PublishingChange {
        publications: vec![wanted],
        ..PublishingChange::new(a.clone())
    };
    let refused = s.store.change_publishing(&change).await.unwrap_err();
    assert_eq!(refused.rule(), Some(SLOT));
    let ended = PublishingChange {
        publications: vec![in_state(holder, PublicationState::Cancelled)],
        ..PublishingChange::new(a)
    };
    s.store.change_publishing(&ended).await.unwrap();
    s.store.change_publishing(&change).await.unwrap();
}

async fn slot_race(s: &StoreUnderTest) {
    let now = s.now().await;
    let tries = (0..16).map(|_| {
        let (store, new) = (s.store.clone(), at_slot("a", now));
        tokio::spawn(async move { store.put_publishing(&new).await })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(new) => won += u32::from(new),
            Err(error) => assert_eq!(error.rule(), Some(SLOT)),
        }
    }
    assert_eq!(won, 1);
}

/// A post on two accounts, each with a way of its own.
async fn two_ways(s: &StoreUnderTest) -> NewPublishing {
    let mut new = elsewhere(&publishing("a", s.now().await));
    new.publications.push(new.publications[0].clone());
    for publication in &mut new.publications {
        publication.id = PublicationId::new();
        publication.target.account = AccountId::new();
        publication.via = None;
    }
    s.store.put_publishing(&new).await.unwrap();
    new
}

/// The publication sent by another account.
fn rerouted(publication: &Publication, account: AccountId) -> PublishingChange {
    let via = Some(Target {
        account,
        ..publication.target.clone()
    });
    PublishingChange {
        publications: vec![Publication {
            via,
            ..publication.clone()
        }],
        events: vec![event("a", "publication.rerouted", TEXT)],
        ..PublishingChange::new(publication.tenant.clone())
    }
}

async fn one_way(s: &StoreUnderTest) {
    let (new, account) = (two_ways(s).await, AccountId::new());
    let [first, second] = &new.publications[..] else {
        panic!("two")
    };
    let refused = async |publication: &Publication, account| {
        let change = rerouted(publication, account);
        let refused = s.store.change_publishing(&change).await.map(drop);
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Conflict, Some(REVISION))
        );
        let stored = s.store.publication(&new.tenant, publication.id).await;
        assert_eq!(stored.unwrap().as_ref(), Some(publication));
    };
    refused(second, first.target.account).await;
    let change = rerouted(first, account);
    let mut first = s.store.change_publishing(&change).await.unwrap().remove(0);
    refused(second, account).await;
    refused(second, first.target.account).await;
    let told = s.store.events_about(&new.tenant, TEXT).await.unwrap();
    assert_eq!(told.len(), 1);
    // The account itself is told the same.
    let mut more = elsewhere(&new);
    more.publications[0].target.account = account;
    let moved = s.store.put_publishing(&more).await.unwrap_err();
    assert_eq!(
        (moved.kind(), moved.rule()),
        (ErrorKind::Conflict, Some(REVISION))
    );
    let all = s.store.publications(&new.tenant, new.post.id).await;
    assert_eq!(all.unwrap().len(), 2);
    // What goes there goes on; another post goes there, too.
    first.state = PublicationState::Publishing;
    let change = PublishingChange {
        publications: vec![first],
        ..PublishingChange::new(new.tenant.clone())
    };
    let mut first = s.store.change_publishing(&change).await.unwrap().remove(0);
    let other = two_ways(s).await;
    let change = rerouted(&other.publications[0], account);
    s.store.change_publishing(&change).await.unwrap();
    // What was called off is in nobody's way.
    first.state = PublicationState::Cancelled;
    let change = PublishingChange {
        publications: vec![first],
        ..PublishingChange::new(new.tenant.clone())
    };
    s.store.change_publishing(&change).await.unwrap();
    let change = rerouted(second, account);
    s.store.change_publishing(&change).await.unwrap();
}

async fn one_way_race(s: &StoreUnderTest) {
    for _ in 0..20 {
        let (new, account) = (two_ways(s).await, AccountId::new());
        let mut more = elsewhere(&new);
        more.publications[0].target.account = account;
        let changes = new.publications.iter().map(|p| rerouted(p, account));
        let changes = changes.map(|change| {
            let store = s.store.clone();
            tokio::spawn(async move { store.change_publishing(&change).await.map(drop) })
        });
        let mut calls: Vec<_> = changes.collect();
        let store = s.store.clone();
        let more = async move { store.put_publishing(&more).await.map(drop) };
        calls.push(tokio::spawn(more));
        let mut won = 0;
        for call in calls {
            match call.await.unwrap() {
                Ok(()) => won += 1,
                Err(error) => assert_eq!(error.rule(), Some(REVISION)),
            }
        }
        assert_eq!(won, 1);
    }
}

async fn routing(s: &StoreUnderTest) {
    let (a, account) = (tenant("a"), AccountId::new());
    let none = s.store.routing(&a, account).await.unwrap();
    assert_eq!(none, Routing::default());
    let mut routing = Routing::default();
    let slots = |rules: &[&str]| {
        let rules = rules
            .iter()
            .map(|rule| Slots::new(*rule, "Europe/Berlin").unwrap());
        RoutingPart::Slots(rules.collect())
    };
    for part in [
        RoutingPart::Fallback(None),
        slots(&["0 9 * * MON-FRI", "0 17 * * *"]),
        RoutingPart::Fallback(Some(AccountId::new())),
        slots(&["0 9 * * MON-FRI"]),
        RoutingPart::Fallback(Some(AccountId::new())),
        slots(&[]),
        RoutingPart::Fallback(None),
    ] {
        s.store.put_routing(&a, account, &part).await.unwrap();
        match part {
            RoutingPart::Slots(slots) => routing.slots = slots,
            RoutingPart::Fallback(fallback) => routing.fallback = fallback,
        }
        assert_eq!(s.store.routing(&a, account).await.unwrap(), routing);
    }
    let other = s.store.routing(&tenant("b"), account).await.unwrap();
    assert_eq!(other, Routing::default());
}

async fn counted(s: &StoreUnderTest) {
    let (a, now) = (tenant("a"), s.now().await);
    let new = three(s).await;
    let publication = &new.publications[0];
    let at =
        |seconds: i64, millis: i64| attempt(publication, now + TimeDelta::seconds(seconds), millis);
    let mut done = at(10, 100);
    done.outcome = AttemptOutcome::Done;
    let mut polled = at(10, 1);
    polled.operation = Operation::Poll;
    let mut slack = at(10, 1);
    slack.route.platform = Platform::SLACK;
    let change = PublishingChange {
        attempts: vec![at(0, 3), done, at(10, 40), at(11, 60_000), polled, slack],
        ..PublishingChange::new(a.clone())
    };
    s.store.change_publishing(&change).await.unwrap();
    let read = s.store.attempts(&a, publication.id).await.unwrap();
    assert_eq!(read, change.attempts, "in the order written");
    let since = now + TimeDelta::seconds(9);
    let stats = s.store.attempt_stats(Some(&a), since).await.unwrap();
    let sorts = stats.iter().map(|stat| {
        (
            stat.platform.as_str(),
            stat.operation,
            stat.outcome,
            stat.count,
        )
    });
    assert_eq!(
        sorts.collect::<Vec<_>>(),
        [
            ("slack", Operation::Publish, AttemptOutcome::Rejected, 1),
            ("x", Operation::Publish, AttemptOutcome::Done, 1),
            ("x", Operation::Publish, AttemptOutcome::Rejected, 2),
            ("x", Operation::Poll, AttemptOutcome::Rejected, 1),
        ]
    );
    let slowest = stats[2].latency.at_most(1.0).unwrap();
    assert!((60..75).contains(&slowest.as_secs()), "{slowest:?}");
    let median = stats[2].latency.at_most(0.5).unwrap();
    assert!(median < Duration::from_millis(50), "{median:?}");
    let all = s.store.attempt_stats(None, since).await.unwrap();
    assert_eq!(all, stats);
    let other = s.store.attempt_stats(Some(&tenant("b")), since).await;
    assert_eq!(other.unwrap(), []);
}
