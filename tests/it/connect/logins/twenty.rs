//! The login of Twenty: each instance gives an app.

use automarket::connectors::twenty::{self, Twenty, TwentyConfig, testing::FakeTwenty};

use super::*;

/// Twenty at this host, where both its pages and its API are. From its source: consent is a page of the front end,
/// apps that are registered by call are public, a refresh token lives for 60 days and no reply says so.
fn twenty_at(host: &str) -> Backend {
    let rules = AuthRules {
        authorize: "/authorize",
        token: "/oauth/token",
        revoke: Some((Method::Post, "/oauth/revoke")),
        register: Some("/oauth/register"),
        registers_public: true,
        access_seconds: 1800,
        refresh_seconds: 60 * 86_400,
        rotates: true,
        ..AuthRules::new(twenty::PLATFORM, host)
    };
    let fake = Arc::new(FakeTwenty::new());
    let fake = (fake as Arc<dyn Fake>, FakeTwenty::TOKEN);
    Backend::new(twenty::oauth(), rules, fake, |market| {
        market.crm(Twenty::new(TwentyConfig::default()))
    })
}

/// By an app that this instance gives.
async fn connect_twenty(backend: &Backend, template: App) -> Account {
    let connect = backend.tenant.connect(twenty::PLATFORM).own_app("acme");
    let template = template.named("acme");
    connect.register(&template, "Acme", CALLBACK).await.unwrap();
    let offered = backend.offered_by(&connect).await;
    let [only] = &offered.accounts[..] else {
        panic!("one workspace: {offered:?}")
    };
    let picks = [&only.remote_id];
    let account = connect.pick(&offered.handle, "session", picks).await;
    account.unwrap().remove(0)
}

async fn ask_twenty(backend: &Backend, account: &Account) {
    use automarket::core::CrmProvider as _;
    let cx = backend.tenant.context(account.id).await.unwrap();
    let twenty = Twenty::new(TwentyConfig::default());
    let found = twenty.find_contact(&cx, "ann@acme.dev").await.unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn a_twenty_instance_gives_an_app_and_its_accounts_live_there() {
    let own = App::public("").place("instance", FakeTwenty::BASE_URL);
    for (host, template) in [
        ("twenty.example", own),
        // The cloud, unless said otherwise.
        ("app.twenty.com", App::public("")),
    ] {
        let backend = twenty_at(host);
        let account = connect_twenty(&backend, template).await;
        assert_eq!(account.name, host);
        assert_eq!(account.settings["base_url"], format!("https://{host}"));
        // Renewed there as well, by the app that was registered.
        backend.clock.advance(TimeDelta::hours(2));
        ask_twenty(&backend, &account).await;
        let gone = backend.tenant.disconnect(account.id).await.unwrap();
        assert!(matches!(gone, Revoked::AtPlatform), "{gone:?}");
        let now = automarket::Clock::now(&backend.clock);
        assert!(!backend.whole.auth().works("at-0-2", now));
    }
}

#[tokio::test]
async fn an_idle_twenty_login_does_not_die() {
    let backend = twenty_at("app.twenty.com");
    let account = connect_twenty(&backend, App::public("")).await;
    let key = account.id.to_string();
    let store = backend.tenant.market().store();
    let job = store
        .job_by_key(backend.tenant.id(), "credential-keep-alive", &key)
        .await;
    let job = job.unwrap().expect("an idle token is kept alive");
    for _ in 0..2 {
        backend.clock.advance(TimeDelta::days(41));
        backend.tenant.work_on(job.id, LEASE).await.unwrap();
    }
    ask_twenty(&backend, &account).await;
}
