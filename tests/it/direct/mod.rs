//! X, LinkedIn, Facebook and Instagram through the whole library, on SQLite: a post whose answer gets lost is
//! found, measured and taken down; and what only some of them do.

mod doubt;
mod limits;

use std::{sync::Arc, time::Duration};

use automarket::{
    Automarket, Credential, Delivery, ErrorKind, Keyring, Platform, Post, PostId, Secret, Tenant,
    When,
    connectors::{
        facebook::{self, Facebook, FacebookConfig, FacebookOptions},
        instagram::{self, Instagram, InstagramConfig, Login},
        linkedin,
    },
    content::Variant,
    core::{Clock as _, chrono::TimeDelta},
    oauth::{App, TokenSet},
    store::{Account, Publication, PublicationState, sqlite::SqliteStore},
    testing::{Fake, Fault, FaultRule, LocalMediaHost, ManualClock, Sandbox},
};
use serde_json::json;

use crate::connectors::{self, Connector};

const LEASE: Duration = Duration::from_secs(30);

struct World {
    connector: &'static Connector,
    sandbox: Sandbox,
    clock: ManualClock,
    tenant: Tenant,
    account: Account,
    _dir: tempfile::TempDir,
}

async fn store(clock: &ManualClock) -> (SqliteStore, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::builder(dir.path().join("market.db"));
    let store = store.clock(Arc::new(clock.clone())).build().await.unwrap();
    (store, dir)
}

impl World {
    async fn new(name: &str) -> Self {
        let connector = connectors::find(name).unwrap();
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let sandbox = Sandbox::new()
            .with((connector.fake)())
            .with_clock(Arc::new(clock.clone()));
        let (store, dir) = store(&clock).await;
        let builder = Automarket::builder(store)
            .clock(Arc::new(clock.clone()))
            .keyring(Keyring::random())
            .transport(sandbox.clone());
        let base = format!("https://{}", connector.host);
        let market = (connector.register)(builder, &base).unwrap().build();
        let tenant = market.unwrap().tenant("acme").unwrap();
        let account = (connector.account)(tenant.id().clone());
        let account = tenant.add_account(account, (connector.credential)());
        Self {
            connector,
            sandbox,
            clock,
            account: account.await.unwrap(),
            tenant,
            _dir: dir,
        }
    }

    fn effects(&self) -> usize {
        self.sandbox.fakes()[0].effects().len()
    }

    async fn publish(&self, post: Post) -> PostId {
        let accounts = [self.account.id];
        let published = self.tenant.publish(post, accounts, When::Now);
        published.await.unwrap()
    }

    async fn turn(&self, post: PostId) -> Publication {
        let job = self.tenant.publications(post).await.unwrap()[0].job;
        self.tenant.work_on(job, LEASE).await.unwrap();
        self.tenant.publications(post).await.unwrap().remove(0)
    }

    async fn end(&self, post: PostId) -> Publication {
        for _ in 0..20 {
            let publication = self.turn(post).await;
            if publication.state.is_terminal() {
                return publication;
            }
            self.clock.advance(TimeDelta::minutes(2));
        }
        panic!("{} comes to no end", self.connector.name)
    }

    async fn delete(&self, publication: &Publication) -> Publication {
        let job = self.tenant.delete(publication.id).await.unwrap();
        self.tenant.work_on(job, LEASE).await.unwrap();
        let all = self.tenant.publications(publication.post).await;
        all.unwrap().remove(0)
    }
}

#[tokio::test]
async fn a_lost_post_is_found_measured_and_taken_down() {
    for name in ["x", "linkedin", "facebook", "instagram"] {
        let world = World::new(name).await;
        let (method, path) = world.connector.write.clone();
        let lost = FaultRule::on(path, Fault::CutAfter).method(method);
        world.sandbox.faults().add(lost);
        let post = (world.connector.post)("We shipped & <tell>");
        let post = world.publish(post).await;
        let met = world.turn(post).await;
        assert_eq!(met.state, PublicationState::Publishing, "{name}: {met:?}");
        assert_eq!(world.effects(), 1, "{name}");

        let end = world.end(post).await;
        assert_eq!(end.state, PublicationState::Published, "{name}: {end:?}");
        assert_eq!(world.effects(), 1, "{name}: it was found, not sent again");
        let receipt = end.receipt.as_ref().unwrap();
        let url = receipt.url.as_deref().unwrap_or_default();
        assert!(url.starts_with("https://"), "{name}: {receipt:?}");
        let why = world.tenant.why(end.id).await.unwrap().to_string();
        assert!(why.contains("retry.reconcile"), "{name}: {why}");

        let measured = world.tenant.measure_now(end.id).await.unwrap();
        assert_eq!(measured.source, world.account.platform);
        assert!(measured.metrics.likes.is_some(), "{name}: {measured:?}");
        let sum = world.tenant.post_metrics(post).await.unwrap().sum;
        assert_eq!(sum.likes, measured.metrics.likes, "{name}");

        if name == "instagram" {
            // Only with Facebook's login, see below.
            let refused = world.tenant.delete(end.id).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unsupported);
            continue;
        }
        let gone = world.delete(&end).await;
        assert_eq!(gone.state, PublicationState::Deleted, "{name}: {gone:?}");
        assert_eq!(world.effects(), 0, "{name}");
    }
}

#[tokio::test]
async fn linkedin_publishes_for_members_and_never_sends_theirs_twice() {
    let world = World::new("linkedin").await;
    let member = Account::new(
        world.tenant.id().clone(),
        linkedin::PLATFORM,
        linkedin::testing::MEMBER,
    );
    let token = Credential::token(linkedin::testing::TOKEN);
    let member = world.tenant.add_account(member, token).await.unwrap();
    for (fault, out) in [
        (None, 1),
        (Some(Fault::CutAfter), 2),
        (Some(Fault::CutBefore), 2),
    ] {
        let lost = fault.is_some();
        if let Some(fault) = fault {
            let rule = FaultRule::on("/rest/posts", fault).method("POST".parse().unwrap());
            world.sandbox.faults().add(rule);
        }
        let post = Post::text(format!("For {out} {lost}"));
        let post = world.tenant.publish(post, [member.id], When::Now);
        let end = world.end(post.await.unwrap()).await;
        let wanted = match lost {
            // A member's posts cannot be listed.
            true => PublicationState::Unknown,
            false => PublicationState::Published,
        };
        assert_eq!(end.state, wanted, "{end:?}");
        assert_eq!(world.effects(), out);
    }
}

#[tokio::test]
async fn facebook_keeps_a_post_until_its_time_and_a_comment_follows_one_that_is_out() {
    let world = World::new("facebook").await;
    let due = world.clock.now() + TimeDelta::hours(2);
    let post = Post::text("Later").delivery(Delivery::At(due));
    let post = world.publish(post).await;
    let accepted = world.turn(post).await;
    assert_eq!(accepted.state, PublicationState::Accepted, "{accepted:?}");
    assert_eq!(world.effects(), 1);
    world.clock.advance(TimeDelta::minutes(125));
    let end = world.end(post).await;
    assert_eq!(end.state, PublicationState::Published, "{end:?}");
    assert_eq!(world.effects(), 1);

    let mut post = Post::text("Now");
    post.base.first_comment = Some("And more".into());
    let variant = Variant::default().with_options(&FacebookOptions::default());
    let post = post.variant(facebook::PLATFORM, variant.unwrap());
    let post = world.publish(post).await;
    assert_eq!(world.end(post).await.state, PublicationState::Published);
    let effects = world.sandbox.effects(&facebook::PLATFORM);
    assert_eq!(effects[2]["parent"], effects[1]["id"], "{effects:?}");
}

#[tokio::test]
async fn a_first_comment_that_is_refused_is_told_and_its_post_can_be_taken_down() {
    let world = World::new("facebook").await;
    let refusal = r##"{"error":{"message":"(#200) Permissions error","code":200}}"##;
    let rule = FaultRule::on("/comments", Fault::Reply(403, refusal));
    world.sandbox.faults().add(rule);
    let mut post = Post::text("Now");
    post.base.first_comment = Some("And more".into());
    let end = world.end(world.publish(post).await).await;
    assert_eq!(end.state, PublicationState::Published, "{end:?}");
    let why = end.receipt.as_ref().unwrap().comment_error().unwrap();
    assert_eq!(why.kind, ErrorKind::Forbidden);
    let events = world.tenant.events(0, 100).await.unwrap();
    let told = events
        .iter()
        .find(|told| told.event.kind == "publication.published")
        .unwrap();
    assert_eq!(
        told.event.data["comment_error"]["kind"], "forbidden",
        "{told:?}"
    );
    assert!(told.event.data["error"].is_null());
    let gone = world.delete(&end).await;
    assert_eq!(gone.state, PublicationState::Deleted, "{gone:?}");
    assert_eq!(world.effects(), 0);
}

/// Meta's world: a page and the Instagram account that is linked to it, both at `graph.facebook.com`.
struct Meta {
    tenant: Tenant,
    sandbox: Sandbox,
    page: Arc<facebook::testing::FakeFacebook>,
    clock: ManualClock,
    _dir: tempfile::TempDir,
}

impl Meta {
    async fn new() -> Self {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let page = Arc::new(facebook::testing::FakeFacebook::new());
        let host = LocalMediaHost::new();
        let linked = instagram::testing::FakeInstagram::new(Login::Facebook);
        let sandbox = Sandbox::new()
            .with(page.clone())
            .with(Arc::new(linked.fetching(host.clone())))
            .with_clock(Arc::new(clock.clone()));
        let (store, dir) = store(&clock).await;
        let named = |name: &str| App::new("id", format!("{name}-secret")).named(name);
        let market = Automarket::builder(store)
            .clock(Arc::new(clock.clone()))
            .keyring(Keyring::random())
            .transport(sandbox.clone())
            .media_host(host)
            .oauth(facebook::oauth(), named("eu"))
            .oauth(facebook::oauth(), named("us"))
            .publisher(Facebook::new(FacebookConfig::default()))
            .publisher(Instagram::new(InstagramConfig::of(Login::Facebook)))
            .build();
        Self {
            tenant: market.unwrap().tenant("acme").unwrap(),
            sandbox,
            page,
            clock,
            _dir: dir,
        }
    }

    async fn account(&self, platform: Platform, id: &str, credential: Credential) -> Account {
        let account = Account::new(self.tenant.id().clone(), platform, id);
        let account = account.with_settings(json!({"login": "facebook"}));
        self.tenant.add_account(account, credential).await.unwrap()
    }

    async fn work(&self, post: PostId) -> Vec<Publication> {
        for publication in self.tenant.publications(post).await.unwrap() {
            self.tenant.work_on(publication.job, LEASE).await.unwrap();
        }
        self.tenant.publications(post).await.unwrap()
    }
}

#[tokio::test]
async fn a_page_and_its_instagram_share_a_host_and_both_are_taken_down() {
    let world = Meta::new().await;
    let token = Credential::token(facebook::testing::TOKEN);
    let page = world.account(facebook::PLATFORM, facebook::testing::PAGE, token);
    let token = Credential::token(instagram::testing::TOKEN);
    let linked = world.account(instagram::PLATFORM, instagram::testing::ACCOUNT, token);
    let accounts = [page.await.id, linked.await.id];
    let post = (connectors::find("instagram").unwrap().post)("On both");
    let post = world.tenant.publish(post, accounts, When::Now);
    let post = post.await.unwrap();
    for publication in world.work(post).await {
        let state = publication.state;
        assert_eq!(state, PublicationState::Published, "{publication:?}");
        let job = world.tenant.delete(publication.id).await.unwrap();
        world.tenant.work_on(job, LEASE).await.unwrap();
    }
    let states = world.tenant.publications(post).await.unwrap();
    let deleted = |p: &Publication| p.state == PublicationState::Deleted;
    assert!(states.iter().all(deleted), "{states:?}");
    for fake in world.sandbox.fakes() {
        assert!(fake.effects().is_empty(), "{}", fake.platform());
    }
}

#[tokio::test]
async fn calls_are_proven_with_the_secret_of_the_app_that_the_tokens_are_of() {
    let world = Meta::new().await;
    let own = App::new("own-id", "own-secret").named("mine");
    let put = world.tenant.put_app(&facebook::PLATFORM, &own).await;
    put.unwrap();
    for (app, secret) in [
        ("eu", "eu-secret"),
        ("us", "us-secret"),
        ("own/mine", "own-secret"),
    ] {
        world.page.require_proof(secret);
        let mut tokens = TokenSet::new(Secret::new(facebook::testing::TOKEN));
        tokens.app = app.to_owned();
        let credential = Credential::oauth(tokens);
        let page = world.account(facebook::PLATFORM, facebook::testing::PAGE, credential);
        let post = Post::text(format!("By {app}"));
        let post = world.tenant.publish(post, [page.await.id], When::Now);
        let post = post.await.unwrap();
        let [publication] = world.work(post).await.try_into().unwrap();
        let state = publication.state;
        assert_eq!(state, PublicationState::Published, "{app}: {publication:?}");
        world.clock.advance(TimeDelta::minutes(2));
    }
    assert_eq!(world.page.effects().len(), 3);
}

#[tokio::test]
async fn what_is_due_while_a_secret_is_changed_waits_for_who_has_the_new_one() {
    let world = Meta::new().await;
    let mut tokens = TokenSet::new(Secret::new(facebook::testing::TOKEN));
    tokens.app = "own/mine".to_owned();
    let credential = Credential::oauth(tokens);
    let page = world.account(facebook::PLATFORM, facebook::testing::PAGE, credential);
    let post = Post::text("Whose secret?");
    let post = world.tenant.publish(post, [page.await.id], When::Now);
    let post = post.await.unwrap();
    world.page.require_proof("new-secret");
    // No secret, then that of before, then the new one.
    for app in [None, Some("old-secret"), Some("new-secret")] {
        if let Some(secret) = app {
            let app = App::new("own-id", secret).named("mine");
            let put = world.tenant.put_app(&facebook::PLATFORM, &app).await;
            put.unwrap();
        }
        let [due] = world.work(post).await.try_into().unwrap();
        if app == Some("new-secret") {
            assert_eq!(due.state, PublicationState::Published, "{due:?}");
        } else {
            assert_eq!(due.state, PublicationState::Scheduled, "{due:?}");
            assert_eq!(due.error.unwrap().kind, ErrorKind::Config);
            assert!(world.page.effects().is_empty());
        }
        world.clock.advance(TimeDelta::minutes(2));
    }
    assert_eq!(world.page.effects().len(), 1);
}

#[tokio::test]
async fn a_deletion_of_a_draft_whose_answer_gets_lost_is_one() {
    let world = Meta::new().await;
    let token = Credential::token(facebook::testing::TOKEN);
    let page = world.account(facebook::PLATFORM, facebook::testing::PAGE, token);
    let post = Post::text("Not this one").delivery(Delivery::Draft);
    let post = world.tenant.publish(post, [page.await.id], When::Now);
    let post = post.await.unwrap();
    let [draft] = world.work(post).await.try_into().unwrap();
    let rule = FaultRule::on("/v26.0/", Fault::CutAfter).method("DELETE".parse().unwrap());
    world.sandbox.faults().add(rule);
    let job = world.tenant.delete(draft.id).await.unwrap();
    for state in [PublicationState::Accepted, PublicationState::Deleted] {
        world.tenant.work_on(job, LEASE).await.unwrap();
        let [now] = world
            .tenant
            .publications(post)
            .await
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(now.state, state, "{now:?}");
        world.clock.advance(TimeDelta::hours(1));
    }
    assert!(world.page.effects().is_empty());
}

#[tokio::test]
async fn a_draft_at_the_platform_is_public_once_somebody_publishes_it_there() {
    let world = Meta::new().await;
    let token = Credential::token(facebook::testing::TOKEN);
    let page = world.account(facebook::PLATFORM, facebook::testing::PAGE, token);
    let post = Post::text("Have a look first").delivery(Delivery::Draft);
    let post = world.tenant.publish(post, [page.await.id], When::Now);
    let post = post.await.unwrap();
    for _ in 0..3 {
        let [draft] = world.work(post).await.try_into().unwrap();
        assert_eq!(draft.state, PublicationState::Accepted, "{draft:?}");
        world.clock.advance(TimeDelta::hours(7));
    }
    let id = world.page.effects()[0]["id"].as_str().unwrap().to_owned();
    assert!(world.page.publish_draft(&id, world.clock.now()));
    let [end] = world.work(post).await.try_into().unwrap();
    assert_eq!(end.state, PublicationState::Published, "{end:?}");
    assert_eq!(world.page.effects().len(), 1);
}
