//! A host's own job that uses the library.

use automarket::{
    Builder, Credential, Keyring, Platform, Post, PostId, When,
    core::pipeline::Run,
    publishing::PostState,
    store::Account,
    testing::{RecordingPublisher, Script},
};

use super::*;

fn publishing(
    store: Arc<MemoryStore>,
    clock: &ManualClock,
    publisher: &RecordingPublisher,
) -> Builder {
    Automarket::shared(store)
        .clock(Arc::new(clock.clone()))
        .keyring(Keyring::random())
        .transport(Script::new())
        .publisher(publisher.clone())
}

#[tokio::test]
async fn a_job_publishes_for_its_tenant_and_the_store_closes_with_the_last_handle() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let publisher = RecordingPublisher::new(Platform::X);
    let market = publishing(store.clone(), &clock, &publisher)
        .job_with(
            "announce",
            |text: String, run: Run, tenant: Tenant| async move {
                let mut post = Post::text(text);
                post.id = PostId::derived(&format!("announce {}", run.id));
                let accounts = tenant.accounts().await?;
                let accounts = accounts.iter().map(|account| account.id);
                let post = tenant.publish(post, accounts, When::Now).await?;
                match run.attempt {
                    1 => Err(Error::new(ErrorKind::Unavailable, "once more")
                        .with_retry(Retry::After(Some(Duration::ZERO)))),
                    _ => Ok(post),
                }
            },
        )
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    for (tenant, name) in [(&tenant, "1"), (&market.tenant("other").unwrap(), "2")] {
        let account = Account::new(tenant.id().clone(), Platform::X, name);
        let token = Credential::token("t");
        tenant.add_account(account, token).await.unwrap();
    }
    let id = put(&tenant, "announce", json!("We shipped!")).await;
    let waits = tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!(waits.state, JobState::Waiting);
    clock.advance(chrono::Duration::minutes(1));
    let done = tenant.work_on(id, LEASE).await.unwrap();
    assert_eq!((done.state, done.attempts), (JobState::Completed, 2));
    let post: PostId = serde_json::from_value(done.result.unwrap()).unwrap();
    let publications = tenant.publications(post).await.unwrap();
    for publication in publications {
        tenant.work_on(publication.job, LEASE).await.unwrap();
    }
    let state = tenant.post_state(post).await.unwrap();
    assert_eq!(state, PostState::Published);
    assert_eq!(
        publisher.texts(),
        ["We shipped!"],
        "the tenant's account, once"
    );

    drop((tenant, market));
    assert_eq!(Arc::strong_count(&store), 1, "nothing holds it any more");
}

/// An hour is named when the job is put in, and the job may come late.
#[tokio::test]
async fn what_a_late_job_publishes_for_a_time_that_is_past_is_missed_and_may_be_sent_after_all() {
    let clock = ManualClock::parse("2027-01-11T06:00:00Z");
    let nine = When::at("2027-01-11T09:00", "UTC").unwrap();
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let publisher = RecordingPublisher::new(Platform::X);
    let market = publishing(store, &clock, &publisher)
        .job_with(
            "announce",
            move |text: String, run: Run, tenant: Tenant| async move {
                let mut post = Post::text(text);
                post.id = PostId::derived(&format!("announce {}", run.id));
                let accounts = tenant.accounts().await?;
                let accounts = accounts.iter().map(|account| account.id);
                tenant.publish(post, accounts, nine).await
            },
        )
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    let account = Account::new(tenant.id().clone(), Platform::X, "1");
    tenant
        .add_account(account, Credential::token("t"))
        .await
        .unwrap();
    let id = put(&tenant, "announce", json!("We shipped!")).await;
    clock.advance(chrono::Duration::hours(5));
    let done = tenant.work_on(id, LEASE).await.unwrap();
    let post: PostId = serde_json::from_value(done.result.unwrap()).unwrap();
    let settled = async |wanted| {
        for publication in tenant.publications(post).await.unwrap() {
            tenant.work_on(publication.job, LEASE).await.unwrap();
        }
        assert_eq!(tenant.post_state(post).await.unwrap(), wanted);
    };
    settled(PostState::Missed).await;
    tenant.retry(post).await.unwrap();
    settled(PostState::Published).await;
    assert_eq!(publisher.texts(), ["We shipped!"]);
}
