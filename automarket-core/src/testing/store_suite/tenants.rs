use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{account, campaign, error, event, job, publishing, tenant},
};
use crate::{
    ErrorKind, TenantId,
    store::{
        Account, JobState, NewPublishing, Publication, PublicationState, PublishingChange, Verdict,
    },
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new(
            "a tenant does not see another's accounts and campaigns",
            |s| Box::pin(accounts_and_campaigns(s)),
        ),
        StoreCase::new(
            "a tenant does not see another's posts and publications",
            |s| Box::pin(publications(s)),
        ),
        StoreCase::new("a tenant does not see another's events", |s| {
            Box::pin(events(s))
        }),
        StoreCase::new(
            "a tenant does not see or touch another's jobs and steps",
            |s| Box::pin(jobs(s)),
        ),
        StoreCase::new("two tenants use the same ids without meeting", |s| {
            Box::pin(same_ids(s))
        }),
    ]
}

/// Names that a sloppy comparison takes for `a`.
fn others() -> [TenantId; 4] {
    [tenant("b"), tenant("A"), tenant("a "), tenant("a%")]
}

async fn accounts_and_campaigns(s: &StoreUnderTest) {
    let a = tenant("a");
    let account = s.store.put_account(&account("a", "r")).await.unwrap();
    let campaign = campaign("c", s.now().await);
    s.store.put_campaign(&a, &campaign).await.unwrap();
    for other in others() {
        assert_eq!(s.store.account(&other, account.id).await.unwrap(), None);
        assert_eq!(s.store.accounts(&other).await.unwrap(), []);
        assert!(!s.store.remove_account(&other, account.id).await.unwrap());
        assert_eq!(s.store.campaign(&other, campaign.id).await.unwrap(), None);
        assert_eq!(s.store.campaigns(&other, 10).await.unwrap(), []);
    }
    assert_eq!(s.store.accounts(&a).await.unwrap(), [account]);
}

async fn publications(s: &StoreUnderTest) {
    let new = publishing("a", s.now().await);
    s.store.put_publishing(&new).await.unwrap();
    let publication = &new.publications[0];
    for other in others() {
        let id = publication.id;
        assert_eq!(s.store.post(&other, new.post.id).await.unwrap(), None);
        assert_eq!(s.store.publication(&other, id).await.unwrap(), None);
        assert_eq!(s.store.publications(&other, new.post.id).await.unwrap(), []);
        let stolen = Publication {
            tenant: other.clone(),
            ..publication.clone()
        };
        let change = PublishingChange {
            publications: vec![stolen],
            ..PublishingChange::new(other.clone())
        };
        let refused = s.store.change_publishing(&change).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound);
        let change = PublishingChange {
            post: Some(new.post.clone()),
            ..PublishingChange::new(other.clone())
        };
        let refused = s.store.change_publishing(&change).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound);
        let account = publication.route().account;
        let live = s.store.live_publications(&other, account, &[], 10).await;
        assert_eq!(live.unwrap(), []);
        assert_eq!(s.store.attempts(&other, id).await.unwrap(), []);
    }
    let mine = s
        .store
        .publication(&tenant("a"), publication.id)
        .await
        .unwrap();
    assert_eq!(mine.as_ref(), Some(publication));
}

async fn events(s: &StoreUnderTest) {
    let new = [
        event("b", "theirs", "x"),
        event("a", "mine", "x"),
        event("b", "theirs", "x"),
    ];
    s.store.append_events(&new).await.unwrap();
    let a = tenant("a");
    let mine = s.store.events(&a, 0, 1).await.unwrap();
    assert_eq!(mine.iter().map(|e| &e.event).collect::<Vec<_>>(), [&new[1]]);
    assert_eq!(s.store.events_about(&a, "x").await.unwrap(), mine);
    assert_eq!(s.store.last_event(&a).await.unwrap(), mine[0].sequence);
    assert_eq!(s.store.last_event(&tenant("A")).await.unwrap(), 0);
    assert_eq!(s.store.events(&tenant("A"), 0, 10).await.unwrap(), []);
    assert_eq!(s.store.events_about(&tenant("c"), "x").await.unwrap(), []);
}

async fn jobs(s: &StoreUnderTest) {
    let a = tenant("a");
    let waiting = s
        .put(job("a").unique("k").run_at(s.in_seconds(60).await))
        .await;
    let dead = s.put(job("a")).await;
    let token = s.claim_one().await.token;
    s.store.put_step(token, "one", &json!(1)).await.unwrap();
    s.settle(token, Verdict::Bury(error("no"))).await;
    for other in others() {
        for id in [waiting, dead] {
            assert_eq!(s.store.job(&other, id).await.unwrap(), None);
            assert!(!s.store.cancel_job(&other, id).await.unwrap());
            assert!(!s.store.redrive(&other, id).await.unwrap());
            let now = s.now().await;
            assert!(!s.store.reschedule_job(&other, id, now).await.unwrap());
        }
        assert_eq!(s.store.job_by_key(&other, "work", "k").await.unwrap(), None);
        for state in [JobState::Waiting, JobState::Dead] {
            assert_eq!(s.store.jobs(&other, state, 10).await.unwrap(), []);
        }
        assert_eq!(s.store.step(&other, dead, "one").await.unwrap(), None);
        assert_eq!(s.store.steps(&other, dead).await.unwrap(), []);
    }
    assert_eq!(s.job(waiting).await.state, JobState::Waiting);
    assert_eq!(s.job(dead).await.state, JobState::Dead);
    assert_eq!(s.store.steps(&a, dead).await.unwrap().len(), 1);
}

async fn same_ids(s: &StoreUnderTest) {
    let (a, b, now) = (tenant("a"), tenant("b"), s.now().await);
    let mine = s.store.put_account(&account("a", "r")).await.unwrap();
    let theirs = Account {
        name: "theirs".to_owned(),
        tenant: b.clone(),
        ..mine.clone()
    };
    let theirs = s.store.put_account(&theirs).await.unwrap();
    assert_eq!(
        s.store.account(&a, mine.id).await.unwrap(),
        Some(mine.clone())
    );
    assert_eq!(s.store.account(&b, mine.id).await.unwrap(), Some(theirs));

    let (mine, mut theirs) = (campaign("mine", now), campaign("theirs", now));
    theirs.id = mine.id;
    s.store.put_campaign(&a, &mine).await.unwrap();
    s.store.put_campaign(&b, &theirs).await.unwrap();
    assert_eq!(s.store.campaign(&a, mine.id).await.unwrap(), Some(mine));

    let mine = publishing("a", now);
    let mut theirs = publishing("b", now);
    theirs.post.id = mine.post.id;
    theirs.publications[0].id = mine.publications[0].id;
    theirs.publications[0].post = mine.post.id;
    theirs.publications[0].state = PublicationState::Draft;
    s.store.put_publishing(&mine).await.unwrap();
    s.store.put_publishing(&theirs).await.unwrap();
    let read = |NewPublishing { tenant, post, .. }: NewPublishing| async move {
        s.store.publications(&tenant, post.id).await.unwrap()
    };
    assert_eq!(read(mine.clone()).await, mine.publications);
    assert_eq!(read(theirs.clone()).await, theirs.publications);
}
