//! What an account can do, where its connector's accounts differ.

use automarket::core::{Context, Identity, Intent, Metrics, Profile, Publisher, async_trait};

use super::*;
use automarket::connectors::slack::{self, Slack};

#[tokio::test]
async fn an_account_that_cannot_publish_is_the_users_slip() {
    for world in worlds().await {
        let market = Automarket::shared(world.market().store().clone())
            .clock(Arc::new(world.clock.clone()))
            .transport(Script::new())
            .keyring(keyring())
            .publisher(world.publisher.clone())
            .notifier(Slack::new())
            .build()
            .unwrap();
        let tenant = market.tenant("acme").unwrap();
        let chat = Account::new(tenant.id().clone(), slack::PLATFORM, "C1");
        let chat = tenant.add_account(chat, Credential::token("t")).await;
        let chat = chat.unwrap();
        let accounts = [world.account.id, chat.id];
        let post = Post::text("We shipped!");
        let refused = tenant.publish(post.clone(), accounts, When::Now).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert_eq!(refused.field(), Some("accounts"));
        assert_eq!(refused.rule(), Some("account.no_publisher"));
        // A connector that is missing is the host's.
        let refused = world.tenant.publish(post, accounts, When::Now).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
        let rules = tenant.rules(world.account.id).await.unwrap();
        assert_eq!(rules.unwrap().platform, Platform::X);
        assert!(tenant.rules(chat.id).await.unwrap().is_none());
    }
}

/// A publisher of whose accounts none can delete and measure though it can, or all though it cannot.
struct Otherwise {
    publisher: RecordingPublisher,
    profile: Profile,
}

#[async_trait]
impl Publisher for Otherwise {
    fn profile(&self) -> &Profile {
        &self.profile
    }
    fn profile_for(&self, _account: &Account) -> Profile {
        let mut profile = self.profile.clone();
        profile.abilities.delete = !profile.abilities.delete;
        profile.abilities.measure = !profile.abilities.measure;
        profile
    }
    async fn identify(&self, cx: &Context) -> automarket::Result<Vec<Identity>> {
        self.publisher.identify(cx).await
    }
    async fn publish(&self, cx: &Context, post: &Post) -> automarket::Result<Outcome> {
        self.publisher.publish(cx, post).await
    }
    async fn poll(&self, cx: &Context, handle: &Handle) -> automarket::Result<Outcome> {
        self.publisher.poll(cx, handle).await
    }
    async fn find(&self, cx: &Context, intent: &Intent) -> automarket::Result<Lookup> {
        self.publisher.find(cx, intent).await
    }
    async fn measure(&self, cx: &Context, receipt: &Receipt) -> automarket::Result<Metrics> {
        self.publisher.measure(cx, receipt).await
    }
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> automarket::Result<()> {
        self.publisher.delete(cx, receipt).await
    }
}

#[tokio::test]
async fn an_account_is_asked_what_it_can_do_not_its_connector() {
    for world in worlds().await {
        for of_accounts in [true, false] {
            let mut profile = world.publisher.profile().clone();
            profile.abilities.delete = !of_accounts;
            profile.abilities.measure = !of_accounts;
            let store = world.market().store();
            let market = market(
                store.clone(),
                &world.clock,
                Otherwise {
                    publisher: world.publisher.clone(),
                    profile,
                },
            );
            let tenant = market.tenant("acme").unwrap();
            let post = world.publish(When::Now).await;
            let job = world.only(post).await.job;
            tenant.work_on(job, LEASE).await.unwrap();
            let published = world.only(post).await;
            assert_eq!(published.state, PublicationState::Published);
            let measured = JobId::derived(&format!("measure {}", published.id));
            let measured = store.job(tenant.id(), measured).await.unwrap();
            assert_eq!(measured.is_some(), of_accounts);

            let deleted = tenant.delete(published.id).await;
            if of_accounts {
                tenant.work_on(deleted.unwrap(), LEASE).await.unwrap();
                let deleted = world.only(post).await;
                assert_eq!(deleted.state, PublicationState::Deleted);
            } else {
                assert_eq!(deleted.unwrap_err().kind(), ErrorKind::Unsupported);
                assert_eq!(world.only(post).await, published);
            }
        }
    }
}
