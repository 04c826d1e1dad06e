//! Each connector's own login, through its data, to accounts that are offered, picked and used.

mod twenty;

use std::time::Duration;

use automarket::{
    AccountId, Media, Post, When,
    accounts::{Connect, Revoked},
    connectors::{
        facebook::{self, Facebook, FacebookConfig},
        instagram::{self, Instagram, InstagramConfig, Login},
        linkedin::{self, LinkedIn, LinkedInConfig},
        slack::{self, Slack},
        x::{self, X, XConfig},
    },
    oauth::Method,
    store::PublicationState,
    testing::{Fake, LocalMediaHost, WithLogin},
};

use super::*;

const LEASE: Duration = Duration::from_secs(30);
const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF";

/// A backend with this platform.
struct Backend {
    platform: Platform,
    whole: Arc<WithLogin>,
    sandbox: Sandbox,
    clock: ManualClock,
    tenant: Tenant,
}

impl Backend {
    fn new(
        provider: Provider,
        rules: AuthRules,
        (api, token): (Arc<dyn Fake>, &'static str),
        set: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let platform = provider.platform.clone();
        let whole = Arc::new(WithLogin::new(AuthServer::new(rules), api, token));
        let clock = ManualClock::parse("2026-11-25T12:00:00Z");
        let sandbox = Sandbox::new()
            .with(whole.clone())
            .with_clock(Arc::new(clock.clone()));
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let market = Automarket::builder(store)
            .transport(sandbox.clone())
            .clock(Arc::new(clock.clone()))
            .keyring(Keyring::random())
            .oauth(provider, App::new("app", "app-secret"));
        let tenant = set(market).build().unwrap().tenant("acme").unwrap();
        Self {
            platform,
            whole,
            sandbox,
            clock,
            tenant,
        }
    }

    async fn offered(&self) -> Offered {
        self.offered_by(&self.tenant.connect(self.platform.clone()))
            .await
    }

    async fn offered_by(&self, connect: &Connect) -> Offered {
        self.log_in(connect).await.unwrap()
    }

    /// Through the browser and back.
    async fn log_in(&self, connect: &Connect) -> Result<Offered> {
        let begun = connect.begin(CALLBACK, "session").await.unwrap();
        let browser = Context::new(self.sandbox.clone()).with_clock(Arc::new(self.clock.clone()));
        let page = Call::get("browser", begun.authorize_url.as_str()).unwrap();
        let reply = browser.call(page).await.unwrap();
        let back = reply.header("location").expect("the way back");
        let query = back.split_once('?').unwrap().1;
        connect.complete(query, "session").await
    }

    /// Logs in, is offered exactly these, and picks some of them by their places in the list.
    async fn connect(&self, wanted: &[(&str, &str)], picks: &[usize]) -> Vec<AccountId> {
        let offered = self.offered().await;
        let named =
            |offer: &automarket::accounts::Offer| (offer.remote_id.clone(), offer.name.clone());
        let found: Vec<_> = offered.accounts.iter().map(named).collect();
        let wanted = wanted
            .iter()
            .map(|(id, name)| (id.to_string(), name.to_string()));
        assert_eq!(found, wanted.collect::<Vec<_>>());
        let picks = picks.iter().map(|n| &found[*n].0);
        let connect = self.tenant.connect(self.platform.clone());
        let accounts = connect.pick(&offered.handle, "session", picks).await;
        accounts
            .unwrap()
            .into_iter()
            .map(|account| account.id)
            .collect()
    }

    async fn publish(&self, account: AccountId, post: Post) -> PublicationState {
        let id = self
            .tenant
            .publish(post, [account], When::Now)
            .await
            .unwrap();
        let only = async || self.tenant.publications(id).await.unwrap().remove(0);
        // An accepted one is asked for until it is out.
        for _ in 0..5 {
            let job = only().await.job;
            self.tenant.work_on(job, LEASE).await.unwrap();
            if only().await.state != PublicationState::Accepted {
                break;
            }
            self.clock.advance(TimeDelta::minutes(5));
        }
        only().await.state
    }

    fn effects(&self) -> Vec<Value> {
        self.whole.effects()
    }
}

#[tokio::test]
async fn a_linkedin_member_offers_the_organisations_too() {
    let rules = AuthRules {
        refresh_token: false,
        ..linkedin::testing::auth_rules()
    };
    let fake = Arc::new(linkedin::testing::FakeLinkedIn::new());
    let fake = (fake as Arc<dyn Fake>, linkedin::testing::TOKEN);
    let backend = Backend::new(linkedin::oauth(), rules, fake, |market| {
        market.publisher(LinkedIn::new(LinkedInConfig::default()))
    });
    let (anna, acme) = (linkedin::testing::MEMBER, linkedin::testing::ORGANIZATION);
    let both = [(anna, "Anna Acker"), (acme, "Acme")];
    let ids = backend.connect(&both, &[0, 1]).await;
    for id in &ids {
        let state = backend.publish(*id, Post::text("We shipped!")).await;
        assert_eq!(state, PublicationState::Published);
    }
    let effects = backend.effects();
    let authors: Vec<_> = effects.iter().map(|post| &post["author"]).collect();
    assert_eq!(authors, [anna, acme]);

    // They live by one token: it is withdrawn with the last of them.
    let first = backend.tenant.disconnect(ids[0]).await.unwrap();
    assert!(matches!(first, Revoked::StillNeeded), "{first:?}");
    let state = backend.publish(ids[1], Post::text("Still here")).await;
    assert_eq!(state, PublicationState::Published);
    let last = backend.tenant.disconnect(ids[1]).await.unwrap();
    assert!(matches!(last, Revoked::AtPlatform), "{last:?}");
    let now = automarket::Clock::now(&backend.clock);
    assert!(!backend.whole.auth().works("at-0-1", now));
}

/// Facebook Login, for pages and for the Instagram accounts that are linked to them.
fn facebook_rules(platform: Platform) -> AuthRules {
    AuthRules {
        platform,
        ..facebook::testing::auth_rules()
    }
}

#[tokio::test]
async fn a_facebook_user_offers_pages_each_with_its_own_token() {
    let fake = Arc::new(facebook::testing::FakeFacebook::new());
    let fake = (fake as Arc<dyn Fake>, facebook::testing::USER_TOKEN);
    let rules = facebook_rules(facebook::PLATFORM);
    let backend = Backend::new(facebook::oauth(), rules, fake, |market| {
        market.publisher(Facebook::new(FacebookConfig::default()))
    });
    // Of the second page the user may read the numbers only.
    let enough: Vec<bool> = backend
        .offered()
        .await
        .accounts
        .iter()
        .map(|o| !o.needs_reauth)
        .collect();
    assert_eq!(enough, [true, false]);
    let pages = [
        (facebook::testing::PAGE, "Acme"),
        (facebook::testing::OTHER_PAGE, "Globex"),
    ];
    let ids = backend.connect(&pages, &[0]).await;
    let state = backend.publish(ids[0], Post::text("We shipped!")).await;
    assert_eq!(state, PublicationState::Published);
    let cx = backend.tenant.context(ids[0]).await.unwrap();
    assert_eq!(cx.token().unwrap().expose(), facebook::testing::TOKEN);
    // A year later it still is good: a page's token has no end.
    backend.clock.advance(TimeDelta::days(365));
    let state = backend.publish(ids[0], Post::text("And again")).await;
    assert_eq!(state, PublicationState::Published);
    assert_eq!(backend.effects().len(), 2);
}

#[tokio::test]
async fn what_a_user_refuses_at_facebooks_dialog_is_told() {
    let facebook = Arc::new(facebook::testing::FakeFacebook::new());
    facebook.decline("pages_manage_posts");
    let fake = (facebook as Arc<dyn Fake>, facebook::testing::USER_TOKEN);
    let rules = facebook_rules(facebook::PLATFORM);
    let pages = Backend::new(facebook::oauth(), rules, fake, |market| {
        market.publisher(Facebook::new(FacebookConfig::default()))
    });
    let instagram = instagram::testing::FakeInstagram::new(Login::Facebook);
    instagram.decline("instagram_content_publish");
    let fake: Arc<dyn Fake> = Arc::new(instagram);
    let fake = (fake, instagram::testing::USER_TOKEN);
    let rules = facebook_rules(instagram::PLATFORM);
    let linked = Backend::new(instagram::oauth_facebook(), rules, fake, |market| {
        market.publisher(Instagram::new(InstagramConfig::of(Login::Facebook)))
    });
    for (backend, refused) in [
        (pages, "pages_manage_posts"),
        (linked, "instagram_content_publish"),
    ] {
        let connect = backend.tenant.connect(backend.platform.clone());
        let error = backend.log_in(&connect).await.unwrap_err();
        assert_eq!(error.rule(), Some(rule::MISSING_SCOPES), "{error:?}");
        assert_eq!(Cause::of(&error), Cause::User);
        assert!(error.message().contains(refused), "{error}");
        // Facebook does not ask again for what was refused, unless it is told to.
        let begun = connect.begin(CALLBACK, "session").await.unwrap();
        let asks_again = |(name, value): (_, _)| name == "auth_type" && value == "rerequest";
        assert!(begun.authorize_url.query_pairs().any(asks_again));
        // Who does not ask for it can do without.
        let less = connect.scopes(["pages_show_list", "pages_read_engagement"]);
        let offered = backend.log_in(&less).await.unwrap();
        assert_eq!(offered.accounts.len(), 2);
    }
}

fn picture() -> Post {
    Post::text("We shipped!").media(Media::image(JPEG, "image/jpeg").alt("A crab"))
}

/// The fake Instagram, and where it fetches media.
fn fake_instagram(login: Login) -> (Arc<dyn Fake>, LocalMediaHost) {
    let host = LocalMediaHost::new();
    let fake = instagram::testing::FakeInstagram::new(login).fetching(host.clone());
    (Arc::new(fake), host)
}

#[tokio::test]
async fn instagrams_own_login_is_one_account_whose_token_is_traded_on_and_on() {
    let (fake, host) = fake_instagram(Login::Instagram);
    let fake = (fake, instagram::testing::TOKEN);
    let rules = instagram::testing::auth_rules();
    let backend = Backend::new(instagram::oauth(), rules, fake, |market| {
        let instagram = Instagram::new(InstagramConfig::of(Login::Instagram));
        market.publisher(instagram).media_host(host)
    });
    let ids = backend
        .connect(&[(instagram::testing::ACCOUNT, "Acme")], &[0])
        .await;
    assert_eq!(
        backend.publish(ids[0], picture()).await,
        PublicationState::Published
    );
    // Nobody uses it for 50 days, and it lives: 20 days before its end it was traded for its successor.
    let key = ids[0].to_string();
    let store = backend.tenant.market().store();
    let job = store
        .job_by_key(backend.tenant.id(), "credential-keep-alive", &key)
        .await;
    let job = job.unwrap().expect("an idle token is kept alive");
    for _ in 0..2 {
        backend.clock.advance(TimeDelta::days(41));
        backend.tenant.work_on(job.id, LEASE).await.unwrap();
    }
    assert_eq!(
        backend.publish(ids[0], picture()).await,
        PublicationState::Published
    );
    assert_eq!(backend.effects().len(), 2);
}

#[tokio::test]
async fn instagram_accounts_that_are_linked_to_pages_come_by_facebooks_login() {
    let (fake, host) = fake_instagram(Login::Facebook);
    let fake = (fake, instagram::testing::USER_TOKEN);
    let rules = facebook_rules(instagram::PLATFORM);
    let backend = Backend::new(instagram::oauth_facebook(), rules, fake, |market| {
        let instagram = Instagram::new(InstagramConfig::of(Login::Facebook));
        market.publisher(instagram).media_host(host)
    });
    let accounts = [
        (instagram::testing::ACCOUNT, "Acme"),
        (instagram::testing::OTHER_ACCOUNT, "Globex"),
    ];
    let ids = backend.connect(&accounts, &[0, 1]).await;
    for id in &ids {
        assert_eq!(
            backend.publish(*id, picture()).await,
            PublicationState::Published
        );
    }
    assert_eq!(backend.effects().len(), 2);
}

#[tokio::test]
async fn a_slack_workspace_offers_its_channels() {
    let rules = AuthRules {
        access_seconds: 0,
        refresh_token: false,
        ..slack::testing::auth_rules()
    };
    let fake = Arc::new(slack::testing::FakeSlack::new());
    let fake = (fake as Arc<dyn Fake>, slack::testing::TOKEN);
    let backend = Backend::new(slack::oauth(), rules, fake, |market| {
        market.notifier(Slack::new())
    });
    let channels = [
        (slack::testing::CHANNEL, "#general in Sandbox"),
        (slack::testing::FOREIGN_CHANNEL, "#random in Sandbox"),
        (slack::testing::PRIVATE_CHANNEL, "#marketing in Sandbox"),
    ];
    let ids = backend.connect(&channels, &[1, 2]).await;
    let tell = async |id: AccountId| {
        let cx = backend
            .tenant
            .context(id)
            .await
            .unwrap()
            .with_key(&id.to_string());
        Slack::new()
            .notify(&cx, &Notice::new("We shipped!", ""))
            .await
    };
    for id in &ids {
        tell(*id).await.unwrap();
    }
    let effects = backend.effects();
    let told: Vec<_> = effects.iter().map(|message| &message["channel"]).collect();
    assert_eq!(told, [channels[1].0, channels[2].0]);

    // One bot speaks in both: it is turned off with the last.
    let first = backend.tenant.disconnect(ids[0]).await.unwrap();
    assert!(matches!(first, Revoked::StillNeeded), "{first:?}");
    tell(ids[1]).await.unwrap();
    let last = backend.tenant.disconnect(ids[1]).await.unwrap();
    assert!(matches!(last, Revoked::AtPlatform), "{last:?}");
}

#[tokio::test]
async fn an_x_login_is_one_account_that_renews_itself() {
    let fake = Arc::new(x::testing::FakeX::new());
    let fake = (fake as Arc<dyn Fake>, x::testing::TOKEN);
    let backend = Backend::new(x::oauth(), x::testing::auth_rules(), fake, |market| {
        market.publisher(X::new(XConfig::default()))
    });
    let offered = backend.offered().await;
    let [only] = &offered.accounts[..] else {
        panic!("one account: {offered:?}")
    };
    let connect = backend.tenant.connect(x::PLATFORM);
    let accounts = connect
        .pick(&offered.handle, "session", [&only.remote_id])
        .await;
    let id = accounts.unwrap()[0].id;
    let store = backend.tenant.market().store();
    let kept = store
        .job_by_key(
            backend.tenant.id(),
            "credential-keep-alive",
            &id.to_string(),
        )
        .await;
    assert!(kept.unwrap().is_some(), "X gives up idle logins, too");
    for text in ["We shipped!", "And again", "And again and again"] {
        assert_eq!(
            backend.publish(id, Post::text(text)).await,
            PublicationState::Published
        );
        backend.clock.advance(TimeDelta::hours(3));
    }
    assert_eq!(backend.effects().len(), 3);
    // Once the user has removed the app there the account has to be connected again; what is due waits for that.
    backend.whole.auth().revoke_all();
    let state = backend.publish(id, Post::text("Too late")).await;
    assert_eq!(state, PublicationState::Blocked);
    assert!(backend.tenant.credentials().await.unwrap()[0].needs_reauth);
    // What is dead there already is as good as withdrawn.
    let gone = backend.tenant.disconnect(id).await.unwrap();
    assert!(matches!(gone, Revoked::AtPlatform), "{gone:?}");
}
