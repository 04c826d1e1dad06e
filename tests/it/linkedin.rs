//! LinkedIn through the whole library: members, whose posts cannot be listed.

use std::{sync::Arc, time::Duration};

use automarket::{
    Automarket, Credential, Keyring, Post, When,
    connectors::linkedin::{LinkedIn, LinkedInConfig, PLATFORM, testing},
    core::chrono::TimeDelta,
    store::{Account, MemoryStore, Publication, PublicationState},
    testing::{Fault, FaultRule, ManualClock, Sandbox},
};

/// LinkedIn takes a member's post and the answer gets lost; then each sending is answered like this. Returns how the
/// post ends, and how often it stands there.
async fn lost_and_then(fault: Fault) -> (Publication, usize) {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let sandbox = Sandbox::new()
        .with(Arc::new(testing::FakeLinkedIn::new()))
        .with_clock(Arc::new(clock.clone()));
    let config = LinkedInConfig {
        trust_duplicates: true,
        ..LinkedInConfig::default()
    };
    let market = Automarket::builder(MemoryStore::with_clock(Arc::new(clock.clone())))
        .clock(Arc::new(clock.clone()))
        .transport(sandbox.clone())
        .publisher(LinkedIn::new(config))
        .keyring(Keyring::random())
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    let add = async |author: &str| {
        let account = Account::new(tenant.id().clone(), PLATFORM, author);
        let token = Credential::token(testing::TOKEN);
        tenant.add_account(account, token).await.unwrap().id
    };
    let (anna, acme) = (add(testing::MEMBER).await, add(testing::ORGANIZATION).await);
    tenant.set_fallback(anna, Some(acme)).await.unwrap();
    let posting = |fault| FaultRule::on("/rest/posts", fault).method("POST".parse().unwrap());
    sandbox.faults().add(posting(Fault::CutAfter));
    sandbox.faults().add(posting(fault).times(99));
    let post = Post::text("Hello");
    let id = tenant.publish(post, [anna], When::Now).await.unwrap();
    let mut last = None;
    for _ in 0..20 {
        let [now] = tenant.publications(id).await.unwrap().try_into().unwrap();
        let job = now.job;
        last = Some(now);
        tenant.work_on(job, Duration::from_secs(90)).await.unwrap();
        clock.advance(TimeDelta::minutes(15));
    }
    (last.unwrap(), sandbox.effects(&PLATFORM).len())
}

/// What was trusted, the refusal of the repeat, is never said: so it is not known whether the first went out.
#[tokio::test(start_paused = true)]
async fn what_only_trust_says_is_not_out_takes_no_other_way_and_is_not_missed() {
    for fault in [403, 400, 503] {
        let (last, there) = lost_and_then(Fault::StatusBefore(fault)).await;
        assert_eq!(last.state, PublicationState::Unknown, "{fault}: {last:?}");
        assert_eq!((there, last.via), (1, None), "{fault}");
    }
}
