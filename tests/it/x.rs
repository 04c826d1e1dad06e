//! X through the whole library: what plans say, and a thread that a worker sends.

use std::{sync::Arc, time::Duration};

use automarket::{
    Automarket, Credential, Keyring, Platform, Post, Tenant, Variant, When,
    connectors::x::{PLATFORM, Poll, X, XConfig, XOptions, testing},
    core::chrono::TimeDelta,
    store::{Account, MemoryStore, PublicationState},
    testing::{Fault, FaultRule, ManualClock, Sandbox},
};
use serde_json::{Value, json};

async fn world(settings: Value) -> (Tenant, Account, Sandbox, ManualClock) {
    world_of(Arc::new(testing::FakeX::new()), settings).await
}

async fn world_of(
    fake: Arc<testing::FakeX>,
    settings: Value,
) -> (Tenant, Account, Sandbox, ManualClock) {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let sandbox = Sandbox::new()
        .with(fake)
        .with_clock(Arc::new(clock.clone()));
    let market = Automarket::builder(MemoryStore::with_clock(Arc::new(clock.clone())))
        .clock(Arc::new(clock.clone()))
        .transport(sandbox.clone())
        .publisher(X::new(XConfig::default()))
        .keyring(Keyring::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap())
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    let account = Account::new(tenant.id().clone(), PLATFORM, testing::USER);
    let account = account.with_settings(settings);
    let credential = Credential::token(testing::TOKEN);
    let account = tenant.add_account(account, credential).await.unwrap();
    (tenant, account, sandbox, clock)
}

#[tokio::test]
async fn a_plan_says_what_only_the_connector_knows() {
    let rules = async |post: &Post, settings: Value| {
        let (tenant, account, ..) = world(settings).await;
        let plan = tenant.plan(post, [account.id]).await.unwrap();
        let findings = &plan.targets[0].report.findings;
        let rules = findings.iter().map(|finding| finding.rule.clone());
        rules.collect::<Vec<_>>()
    };
    let options = XOptions {
        poll: Some(Poll::new(["only one"], 60)),
        reply_to: Some("12".into()),
        ..XOptions::default()
    };
    let variant = Variant::text("See acme.dev")
        .with_options(&options)
        .unwrap();
    let post = Post::text("").variant(Platform::X, variant);
    assert_eq!(
        rules(&post, Value::Null).await,
        ["x.poll_options", "x.reply_restricted", "cost.link"]
    );
    let long = Post::text("No more than this. ".repeat(20));
    assert_eq!(
        rules(&long, json!({"long_posts": false})).await,
        ["text.too_long"]
    );
    assert_eq!(
        rules(&long, json!({"long_posts": true})).await,
        ["text.fold"]
    );
}

#[tokio::test]
async fn a_thread_whose_answers_get_lost_is_sent_once() {
    let (tenant, account, sandbox, clock) = world(json!({"username": "acme"})).await;
    let mut post = Post::text("One");
    post.base.thread = Some(vec!["Two".into(), "Three".into()]);
    for part in 0..3 {
        let rule = FaultRule::on("/2/tweets", Fault::CutAfter).method("POST".parse().unwrap());
        sandbox.faults().add(rule.after(part));
    }
    let id = tenant.publish(post, [account.id], When::Now).await.unwrap();
    let mut publication = None;
    for _ in 0..10 {
        let [now] = tenant.publications(id).await.unwrap().try_into().unwrap();
        let job = now.job;
        publication = Some(now);
        tenant.work_on(job, Duration::from_secs(30)).await.unwrap();
        clock.advance(TimeDelta::minutes(10));
    }
    let publication = publication.unwrap();
    assert_eq!(
        publication.state,
        PublicationState::Published,
        "{publication:?}"
    );
    let receipt = publication.receipt.unwrap();
    let effects = sandbox.effects(&PLATFORM);
    assert_eq!(effects.len(), 3, "{effects:?}");
    assert_eq!(effects[2]["reply_to"], effects[1]["id"]);
    let url = format!("https://x.com/acme/status/{}", receipt.remote_id);
    assert_eq!(receipt.url, Some(url));
}

#[tokio::test]
async fn what_is_edited_after_a_sending_that_failed_says_the_new_words() {
    let (tenant, account, sandbox, clock) = world(json!({"username": "acme"})).await;
    sandbox.fault("/2/tweets", Fault::StatusBefore(429));
    let id = tenant.publish(Post::text("One"), [account.id], When::Now);
    let id = id.await.unwrap();
    let work = async || {
        let [now] = tenant.publications(id).await.unwrap().try_into().unwrap();
        let work = tenant.work_on(now.job, Duration::from_secs(30));
        work.await.unwrap();
        clock.advance(TimeDelta::minutes(20));
        let [now] = tenant.publications(id).await.unwrap().try_into().unwrap();
        now.state
    };
    assert_eq!(work().await, PublicationState::Scheduled);
    tenant.edit(id, Post::text("Two")).await.unwrap();
    assert_eq!(work().await, PublicationState::Published);
    let effects = sandbox.effects(&PLATFORM);
    assert_eq!((effects.len(), &effects[0]["text"]), (1, &json!("Two")));
}

/// X refuses the second sending as a repeat and lists nothing: what is over then is unknown, not missed, and only
/// somebody who says so sends it once more.
#[tokio::test(start_paused = true)]
async fn what_x_said_that_it_has_is_not_missed() {
    let fake = Arc::new(testing::FakeX::new());
    let (tenant, account, sandbox, clock) = world_of(fake.clone(), Value::Null).await;
    let rule = FaultRule::on("/2/tweets", Fault::CutAfter).method("POST".parse().unwrap());
    sandbox.faults().add(rule);
    fake.delay_listing(u32::MAX);
    let post = Post::text("One");
    let id = tenant.publish(post, [account.id], When::Now).await.unwrap();
    let work = async |minutes| {
        let [now] = tenant.publications(id).await.unwrap().try_into().unwrap();
        tenant
            .work_on(now.job, Duration::from_secs(90))
            .await
            .unwrap();
        clock.advance(TimeDelta::minutes(minutes));
        let [now] = tenant.publications(id).await.unwrap().try_into().unwrap();
        now
    };
    for minutes in [5, 5, 51] {
        let publication = work(minutes).await;
        assert_eq!(
            publication.state,
            PublicationState::Publishing,
            "{publication:?}"
        );
    }
    let publication = work(1).await;
    assert_eq!(
        publication.state,
        PublicationState::Unknown,
        "{publication:?}"
    );
    // By now X has forgotten it.
    fake.set_takes_repeats(true);
    assert!(tenant.retry(id).await.unwrap().is_empty());
    work(1).await;
    assert_eq!(sandbox.effects(&PLATFORM).len(), 1);
    let looked = "it is not there";
    tenant.resend_unknown(publication.id, looked).await.unwrap();
    let publication = work(1).await;
    assert_eq!(
        publication.state,
        PublicationState::Published,
        "{publication:?}"
    );
    assert_eq!(sandbox.effects(&PLATFORM).len(), 2);
}
