//! LinkedIn through the whole library: members, whose posts cannot be listed.

use std::{sync::Arc, time::Duration};

use automarket::{
    AccountId, Automarket, Credential, Keyring, Media, Post, PostId, Tenant, When,
    connectors::{
        facebook, instagram,
        linkedin::{LinkedIn, LinkedInConfig, PLATFORM, testing},
    },
    core::chrono::TimeDelta,
    store::{Account, MemoryStore, Publication, PublicationState},
    testing::{Fault, FaultRule, ManualClock, Sandbox},
};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";

/// A tenant with a sandbox of LinkedIn's.
struct World {
    fake: Arc<testing::FakeLinkedIn>,
    sandbox: Sandbox,
    clock: ManualClock,
    tenant: Tenant,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let fake = Arc::new(testing::FakeLinkedIn::new());
        let sandbox = Sandbox::new()
            .with(fake.clone())
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
        Self {
            fake,
            sandbox,
            clock,
            tenant,
        }
    }

    async fn add(&self, author: &str) -> AccountId {
        let account = Account::new(self.tenant.id().clone(), PLATFORM, author);
        let token = Credential::token(testing::TOKEN);
        self.tenant.add_account(account, token).await.unwrap().id
    }

    /// Works on the post's one publication for some hours, and returns it as it stands then.
    async fn worked(&self, id: PostId) -> Publication {
        for _ in 0..20 {
            let job = self.only(id).await.job;
            let worked = self.tenant.work_on(job, Duration::from_secs(90));
            worked.await.unwrap();
            self.clock.advance(TimeDelta::minutes(15));
        }
        self.only(id).await
    }

    async fn only(&self, id: PostId) -> Publication {
        let all = self.tenant.publications(id).await.unwrap();
        let [one] = all.try_into().unwrap();
        one
    }
}

/// LinkedIn takes a member's post and the answer gets lost; then each sending is answered like this. Returns how the
/// post ends, and how often it stands there.
async fn lost_and_then(fault: Fault) -> (Publication, usize) {
    let world = World::new();
    let anna = world.add(testing::MEMBER).await;
    let acme = world.add(testing::ORGANIZATION).await;
    let tenant = &world.tenant;
    tenant.set_fallback(anna, Some(acme)).await.unwrap();
    let posting = |fault| FaultRule::on("/rest/posts", fault).method("POST".parse().unwrap());
    world.sandbox.faults().add(posting(Fault::CutAfter));
    world.sandbox.faults().add(posting(fault).times(99));
    let post = Post::text("Hello");
    let id = tenant.publish(post, [anna], When::Now).await.unwrap();
    let last = world.worked(id).await;
    (last, world.sandbox.effects(&PLATFORM).len())
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

/// What LinkedIn took and could not publish is on no page, so it may be sent again.
#[tokio::test(start_paused = true)]
async fn what_linkedin_fails_after_it_took_it_is_rejected_and_can_be_retried() {
    for comment in [None, Some("More")] {
        let world = World::new();
        let acme = world.add(testing::ORGANIZATION).await;
        world.fake.publish_late(2, true);
        world.fake.set_takes_repeats(true);
        let mut post = Post::text("Hello").media(Media::image(PNG, "image/png"));
        post.base.first_comment = comment.map(str::to_owned);
        let id = world.tenant.publish(post, [acme], When::Now).await.unwrap();
        let last = world.worked(id).await;
        assert_eq!(last.state, PublicationState::Rejected, "{last:?}");
        let why = last.error.unwrap();
        assert_eq!(why.rule.as_deref(), Some("linkedin.publish_failed"));
        world.fake.publish_late(1, false);
        let again = world.tenant.retry(id).await.unwrap();
        assert_eq!(again.len(), 1);
        let last = world.worked(id).await;
        assert_eq!(last.state, PublicationState::Published, "{last:?}");
        let posts = world.sandbox.effects(&PLATFORM);
        let states: Vec<_> = posts.iter().map(|post| &post["state"]).collect();
        assert_eq!(states, ["PUBLISH_FAILED", "PUBLISHED"]);
        assert_eq!(posts[1]["id"], last.receipt.unwrap().remote_id);
        let comments = posts[1]["comments"].as_array().unwrap().len();
        assert_eq!(comments, usize::from(comment.is_some()));
    }
}

/// Of a secret every part is masked, so what is kept of the wire would not show the platform's own name.
#[test]
fn no_token_of_a_sandbox_holds_its_platforms_name() {
    for (token, platform) in [
        (testing::TOKEN, PLATFORM),
        (testing::OTHER_TOKEN, PLATFORM),
        (facebook::testing::TOKEN, facebook::PLATFORM),
        (facebook::testing::OTHER_TOKEN, facebook::PLATFORM),
        (facebook::testing::USER_TOKEN, facebook::PLATFORM),
        (instagram::testing::TOKEN, instagram::PLATFORM),
        (instagram::testing::OTHER_TOKEN, instagram::PLATFORM),
        (instagram::testing::USER_TOKEN, instagram::PLATFORM),
    ] {
        assert!(!token.contains(platform.as_str()), "{token}");
    }
}
