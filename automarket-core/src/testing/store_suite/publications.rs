use chrono::TimeDelta;
use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    changes::{in_state, three},
    samples::{attempt, error, event, job, publishing, tenant},
};
use crate::{
    ErrorKind, Handle, Platform, PublicationId, Receipt, Result,
    content::Post,
    store::{
        JobState, NewEvent, NewJob, NewPublishing, Publication, PublicationState, PublishingChange,
        REVISION,
    },
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a publishing comes back whole, with its jobs and events",
            |s| Box::pin(comes_back_whole(s)),
        ),
        StoreCase::new(
            "what was sent of an account since an instant, whatever became of it",
            |s| Box::pin(sent(s)),
        ),
        StoreCase::new("the same publishing twice is written once", |s| {
            Box::pin(written_once(s))
        }),
        StoreCase::new("a publishing with a new target leaves what is there", |s| {
            Box::pin(new_target(s))
        }),
        StoreCase::new("numbers in a post come back as they went", |s| {
            Box::pin(numbers(s))
        }),
        StoreCase::new(
            "a post with U+0000 is refused, whatever field has it",
            |s| Box::pin(post_with_nul(s)),
        ),
        StoreCase::new("a verdict is written with whatever a platform said", |s| {
            Box::pin(verdict_with_nul(s))
        }),
        StoreCase::new("a publishing is written wholly or not at all", |s| {
            Box::pin(all_or_nothing(s))
        }),
        StoreCase::new(
            "publications of a post come in the order of their ids",
            |s| Box::pin(in_order(s)),
        ),
        StoreCase::new(
            "an update counts the revision up and tells its events",
            |s| Box::pin(updated(s)),
        ),
        StoreCase::new(
            "an update against an old revision changes and tells nothing",
            |s| Box::pin(stale_update(s)),
        ),
        StoreCase::new("of many updates of one revision exactly one wins", |s| {
            Box::pin(one_update_wins(s))
        }),
        StoreCase::new(
            "an update of a publication that is not there is NotFound",
            |s| Box::pin(update_of_nothing(s)),
        ),
    ]
}

async fn put(s: &StoreUnderTest) -> (NewPublishing, Publication) {
    let new = publishing("a", s.now().await);
    assert!(s.store.put_publishing(&new).await.unwrap());
    let publication = new.publications[0].clone();
    (new, publication)
}

fn of(publication: &Publication, events: &[NewEvent]) -> PublishingChange {
    PublishingChange {
        publications: vec![publication.clone()],
        events: events.to_vec(),
        ..PublishingChange::new(publication.tenant.clone())
    }
}

/// Changes one publication.
async fn change(
    s: &StoreUnderTest,
    publication: &Publication,
    events: &[NewEvent],
) -> Result<Publication> {
    let mut changed = s.store.change_publishing(&of(publication, events)).await?;
    assert_eq!(changed.len(), 1);
    Ok(changed.remove(0))
}

async fn stored(s: &StoreUnderTest, id: PublicationId) -> Publication {
    let found = s.store.publication(&tenant("a"), id).await.unwrap();
    found.expect("the publication is there")
}

async fn count(s: &StoreUnderTest) -> (usize, usize) {
    let a = tenant("a");
    let jobs = s.store.jobs(&a, JobState::Waiting, 100).await.unwrap();
    let events = s.store.events(&a, 0, 100).await.unwrap();
    (jobs.len(), events.len())
}

async fn comes_back_whole(s: &StoreUnderTest) {
    let a = tenant("a");
    let (new, publication) = put(s).await;
    assert_eq!(stored(s, publication.id).await, publication);
    assert_eq!(s.store.post(&a, new.post.id).await.unwrap(), Some(new.post));
    let events = s
        .store
        .events_about(&a, &publication.id.to_string())
        .await
        .unwrap();
    assert_eq!(events[0].event, new.events[0]);
    let lease = s.claim_one().await;
    assert_eq!(
        (lease.job.id, lease.job.kind.as_str()),
        (new.jobs[0].id, "publish")
    );
}

async fn written_once(s: &StoreUnderTest) {
    let (new, publication) = put(s).await;
    let token = s.claim_one().await.token;
    s.settle(token, crate::store::Verdict::Complete(1.into()))
        .await;
    let changed = Publication {
        state: PublicationState::Published,
        ..publication
    };
    let changed = change(s, &changed, &[]).await.unwrap();
    let mut again = new.clone();
    again.jobs[0] = NewJob {
        id: crate::JobId::new(),
        ..again.jobs[0].clone()
    };
    again.post.base.text = Some("other".to_owned());
    assert!(!s.store.put_publishing(&again).await.unwrap());
    assert_eq!(stored(s, changed.id).await, changed);
    let post = s.store.post(&tenant("a"), new.post.id).await.unwrap();
    assert_eq!(post, Some(new.post));
    assert_eq!(count(s).await, (0, 1));
}

async fn new_target(s: &StoreUnderTest) {
    let (mut new, old) = put(s).await;
    let mut added = Publication {
        id: PublicationId::new(),
        via: None,
        ..old.clone()
    };
    added.target.account = crate::AccountId::new();
    new.publications = vec![added.clone()];
    new.jobs = vec![job("a")];
    new.events = vec![event("a", "publication.scheduled", &added.id.to_string())];
    let mut other_words = new.clone();
    other_words.post.base.text = Some("other".to_owned());
    let mut some_there = new.clone();
    some_there.publications.push(old.clone());
    for moved in [&other_words, &some_there] {
        let refused = s.store.put_publishing(moved).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Conflict, Some(REVISION))
        );
        let all = s.store.publications(&tenant("a"), new.post.id).await;
        assert_eq!(all.unwrap(), std::slice::from_ref(&old));
        assert_eq!(count(s).await, (1, 1));
    }
    assert!(s.store.put_publishing(&new).await.unwrap());
    assert_eq!(stored(s, old.id).await, old);
    assert_eq!(stored(s, added.id).await, added);
    let post = s.store.post(&tenant("a"), new.post.id).await.unwrap();
    assert_eq!(post, Some(new.post));
    assert_eq!(count(s).await, (2, 2));
}

async fn numbers(s: &StoreUnderTest) {
    let mut new = publishing("a", s.now().await);
    let film = |seconds: f64| {
        let source = crate::content::MediaSource::Host("film.mp4".to_owned());
        let mut film = crate::Media::new(crate::content::MediaKind::Video, source);
        film.seconds = Some(seconds);
        film
    };
    let thirds = (1..=600).map(|n| film(f64::from(n) / 600.0));
    new.post.base.media = Some(thirds.collect());
    let places = (1..=90).map(|n| serde_json::json!({ "x": f64::from(n) / 1080.0, "y": 1e-7 }));
    let options = serde_json::Value::from_iter(places);
    new.post.base.options.insert(crate::Platform::X, options);
    s.store.put_publishing(&new).await.unwrap();
    let post = s.store.post(&tenant("a"), new.post.id).await.unwrap();
    assert_eq!(post, Some(new.post));
}

async fn post_with_nul(s: &StoreUnderTest) {
    let a = tenant("a");
    let mut good = publishing("a", s.now().await);
    // Written out it looks alike, and has none.
    good.post.base.text = Some("a\\u0000b".to_owned());
    assert!(s.store.put_publishing(&good).await.unwrap());
    let edit = PublishingChange {
        post: Some(good.post.clone()),
        accounts: 1,
        ..PublishingChange::new(a.clone())
    };
    let mut text = good.post.clone();
    text.base.text = Some("a\0b".to_owned());
    let mut option = good.post.clone();
    let title = json!({ "title\0": 1 });
    option.base.options.insert(Platform::LINKEDIN, title);
    let mut media = good.post.clone();
    media.networks.entry(Platform::X).and_modify(|variant| {
        variant.media.as_mut().unwrap()[0].name = Some("\0.png".to_owned());
    });
    for bad in [text, option, media] {
        let mut edit = edit.clone();
        edit.post = Some(bad.clone());
        let mut new = publishing("a", s.now().await);
        new.post = Post {
            id: new.post.id,
            ..bad
        };
        let edited = s.store.change_publishing(&edit).await.unwrap_err();
        let put = s.store.put_publishing(&new).await.unwrap_err();
        for refused in [edited, put] {
            assert_eq!(
                (refused.kind(), refused.field(), refused.rule()),
                (ErrorKind::InvalidInput, Some("post"), Some("text.control"))
            );
        }
        assert_eq!(s.store.post(&a, new.post.id).await.unwrap(), None);
    }
    let stored = s.store.post(&a, good.post.id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&good.post));
    s.store.change_publishing(&edit).await.unwrap();
}

async fn verdict_with_nul(s: &StoreUnderTest) {
    let (_, publication) = put(s).await;
    let said = "a\0b\\u0000";
    let receipt = Receipt {
        url: Some(said.to_owned()),
        data: json!({ "raw": [said], "k\0": "\0\0" }),
        ..Receipt::new(said)
    };
    let new = Publication {
        state: PublicationState::Published,
        receipt: Some(receipt.clone()),
        handle: Some(Handle {
            remote_id: said.to_owned(),
            due: None,
            data: json!(said),
        }),
        error: Some(error(said)),
        ..publication.clone()
    };
    let mut tried = attempt(&publication, s.now().await, 1);
    tried.error = Some(error(said));
    let told = NewEvent {
        data: json!({ "error": error(said) }),
        ..event("a", "publication.published", &publication.id.to_string())
    };
    let published = PublishingChange {
        attempts: vec![tried],
        ..of(&new, &[told])
    };
    let mut changed = s.store.change_publishing(&published).await.unwrap();
    let changed = changed.remove(0);
    assert_eq!(stored(s, publication.id).await, changed);
    assert_eq!(changed.state, PublicationState::Published);
    // In whose place another character may stand; nothing else is touched.
    let as_said = |text: &str| text.replace('\u{FFFD}', "\0");
    let kept = changed.receipt.unwrap();
    assert_eq!(as_said(&kept.remote_id), said);
    assert_eq!(as_said(kept.data["raw"][0].as_str().unwrap()), said);
    assert_eq!(as_said(&changed.error.unwrap().message), said);
    let attempts = s.store.attempts(&tenant("a"), publication.id).await;
    let why = attempts.unwrap()[0].error.clone().unwrap();
    assert_eq!(as_said(&why.message), said);
    assert_eq!(count(s).await.1, 2);
    // What was written is read by later changes.
    let removed = Publication {
        state: PublicationState::Deleted,
        ..stored(s, publication.id).await
    };
    change(s, &removed, &[]).await.unwrap();
}

async fn all_or_nothing(s: &StoreUnderTest) {
    let a = tenant("a");
    let taken = s.put(job("b")).await;
    let mut bad_job = publishing("a", s.now().await);
    bad_job.jobs.push(NewJob {
        id: taken,
        ..job("a")
    });
    let mut foreign_event = publishing("a", s.now().await);
    foreign_event.events.push(event("b", "x", "x"));
    let mut foreign_publication = publishing("a", s.now().await);
    foreign_publication.publications.push(Publication {
        tenant: tenant("b"),
        id: PublicationId::new(),
        ..foreign_publication.publications[0].clone()
    });
    let mut foreign_post = publishing("a", s.now().await);
    foreign_post.publications[0].post = crate::PostId::new();
    for (new, kind) in [
        (foreign_post, ErrorKind::InvalidInput),
        (bad_job, ErrorKind::Conflict),
        (foreign_event, ErrorKind::InvalidInput),
        (foreign_publication, ErrorKind::InvalidInput),
    ] {
        let refused = s.store.put_publishing(&new).await.unwrap_err();
        assert_eq!(refused.kind(), kind);
        assert_eq!(s.store.post(&a, new.post.id).await.unwrap(), None);
        assert_eq!(s.store.publications(&a, new.post.id).await.unwrap(), []);
        assert_eq!(count(s).await, (0, 0));
    }
}

async fn in_order(s: &StoreUnderTest) {
    let mut new = publishing("a", s.now().await);
    let of = |name: &str| Publication {
        id: PublicationId::derived(name),
        ..new.publications[0].clone()
    };
    new.publications = ["one", "two", "three", "four"].map(of).into();
    s.store.put_publishing(&new).await.unwrap();
    let (_, _other_post) = put(s).await;
    let listed = s
        .store
        .publications(&tenant("a"), new.post.id)
        .await
        .unwrap();
    new.publications.sort_by_key(|p| p.id);
    assert_eq!(listed, new.publications);
}

async fn updated(s: &StoreUnderTest) {
    let (_, publication) = put(s).await;
    s.wait(60).await;
    let new = Publication {
        state: PublicationState::Publishing,
        receipt: None,
        post: crate::PostId::new(),
        created_at: publication.created_at + TimeDelta::days(1),
        ..publication.clone()
    };
    let told = event("a", "publication.publishing", &publication.id.to_string());
    let returned = change(s, &new, &[told]).await.unwrap();
    assert_eq!(
        returned,
        Publication {
            revision: 2,
            post: publication.post,
            created_at: publication.created_at,
            updated_at: returned.updated_at,
            ..new
        }
    );
    assert!((returned.updated_at - publication.updated_at).num_seconds() >= 60);
    assert_eq!(stored(s, publication.id).await, returned);
    assert_eq!(count(s).await.1, 2);
}

async fn stale_update(s: &StoreUnderTest) {
    let (_, publication) = put(s).await;
    let current = change(s, &publication, &[]).await.unwrap();
    let told = [event("a", "x", "x")];
    for revision in [1, 3] {
        let stale = Publication {
            state: PublicationState::Published,
            revision,
            ..publication.clone()
        };
        let refused = change(s, &stale, &told).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Conflict, Some(REVISION))
        );
        assert!(refused.message().contains(&publication.id.to_string()));
    }
    let foreign = [event("b", "x", "x")];
    let refused = change(s, &current, &foreign).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert_eq!(stored(s, publication.id).await, current);
    assert_eq!(count(s).await.1, 1);
}

async fn one_update_wins(s: &StoreUnderTest) {
    let (_, publication) = put(s).await;
    let tries = (0..16).map(|_| {
        let (store, publication) = (s.store.clone(), publication.clone());
        tokio::spawn(async move {
            let told = [event("a", "won", "x")];
            let change = of(&publication, &told);
            store.change_publishing(&change).await.is_ok()
        })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        won += usize::from(attempt.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(stored(s, publication.id).await.revision, 2);
    assert_eq!(count(s).await.1, 2);
}

async fn update_of_nothing(s: &StoreUnderTest) {
    let new = publishing("a", s.now().await);
    let told = [event("a", "x", "x")];
    let refused = change(s, &new.publications[0], &told).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(count(s).await, (0, 0));
}

async fn sent(s: &StoreUnderTest) {
    let a = tenant("a");
    let new = three(s).await;
    let now = s.now().await;
    let [first, second, third] = &new.publications[..] else {
        panic!("three")
    };
    let via = first.route().account;
    // What begins is long before what becomes public, and that is not always written.
    let long_ago = now - TimeDelta::days(4);
    let sent = |publication: &Publication, state| Publication {
        sent_at: Some(long_ago),
        ..in_state(publication, state)
    };
    let change = PublishingChange {
        publications: vec![
            sent(first, PublicationState::Published),
            sent(second, PublicationState::Accepted),
            Publication {
                sent_at: None,
                ..third.clone()
            },
        ],
        ..PublishingChange::new(a.clone())
    };
    let changed = s.store.change_publishing(&change).await.unwrap();
    let read = async |tenant, account, since| {
        let sent = s.store.sent_publications(&tenant, account, since).await;
        let mut ids: Vec<_> = sent.unwrap().into_iter().map(|p| p.id).collect();
        ids.sort_unstable();
        ids
    };
    let mut both = [first.id, second.id];
    both.sort_unstable();
    let at = changed[0].updated_at;
    assert_eq!(read(a.clone(), via, long_ago).await, both);
    assert_eq!(read(a.clone(), via, at).await, both);
    let later = at + TimeDelta::microseconds(1);
    assert_eq!(read(a.clone(), via, later).await, [second.id]);
    assert_eq!(read(a, first.target.account, long_ago).await, []);
    assert_eq!(read(tenant("b"), via, long_ago).await, []);
}
