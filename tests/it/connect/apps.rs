//! Through whose app: the host's, a tenant's own, one that an instance gives; and without a browser.

use super::*;

#[tokio::test]
async fn a_tenant_brings_its_own_app_and_its_tokens_live_by_it() {
    let world = World::new(rules(), |market| {
        market.keyring(Keyring::random()).provider(provider())
    });
    let connect = world.acme.connect(PLATFORM);
    let none = connect.begin(CALLBACK, "session").await;
    let wanted = ("oauth.no_app".to_owned(), Cause::Configuration);
    assert_eq!(rule_of(none), wanted);

    let app = App::new("app", "app-secret").named("ours");
    world.acme.put_app(&PLATFORM, &app).await.unwrap();
    let connect = connect.own_app("ours");
    let begun = connect.begin(CALLBACK, "session").await.unwrap();
    let query = world.agree(begun.authorize_url.as_str()).await;
    let offered = connect.complete(&query, "session").await.unwrap();
    let account = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(world.token(&account).await, "at-0-2");

    let apps = world.acme.apps().await.unwrap();
    let seen: Vec<_> = apps
        .iter()
        .map(|app| (&*app.name, &*app.client_id))
        .collect();
    assert_eq!(seen, [("ours", "app")]);
    let credentials = world.acme.credentials().await.unwrap();
    let of: Vec<_> = credentials
        .iter()
        .map(|credential| credential.account)
        .collect();
    assert_eq!(of, [account.id], "an app is no account");

    // Another tenant does not have it.
    assert!(world.other.apps().await.unwrap().is_empty());
    let theirs = world.other.connect(PLATFORM).own_app("ours");
    assert_eq!(
        rule_of(theirs.begin(CALLBACK, "session").await).0,
        "oauth.no_app"
    );
    assert!(!world.other.remove_app(&PLATFORM, "ours").await.unwrap());
    assert!(
        world
            .acme
            .by("ada")
            .remove_app(&PLATFORM, "ours")
            .await
            .unwrap()
    );
    let trail = world.acme.audit(0, 100).await.unwrap();
    let of_app = trail
        .iter()
        .filter(|row| row.entry.why.contains("\"ours\" on pages"));
    let of_app: Vec<_> = of_app
        .map(|row| (row.entry.action, &*row.entry.who))
        .collect();
    assert_eq!(
        of_app,
        [(AuditAction::Connect, "host"), (AuditAction::Forget, "ada")]
    );
    assert_eq!(
        rule_of(connect.begin(CALLBACK, "session").await).0,
        "oauth.no_app"
    );
}

#[tokio::test]
async fn an_instance_gives_an_app_by_call() {
    let world = World::new(rules(), |market| {
        market.keyring(Keyring::random()).provider(provider())
    });
    let template = App::public("")
        .named("pages.example")
        .place("instance", "https://pages.example");
    let connect = world.acme.connect(PLATFORM).own_app("pages.example");
    connect.register(&template, "Acme", CALLBACK).await.unwrap();
    let begun = connect.begin(CALLBACK, "session").await.unwrap();
    assert!(begun.authorize_url.as_str().contains("client_id=app-1"));
    let query = world.agree(begun.authorize_url.as_str()).await;
    assert_eq!(
        connect
            .complete(&query, "session")
            .await
            .unwrap()
            .accounts
            .len(),
        2
    );
    // It was registered with one address to come back to.
    let other = connect.begin("https://acme.dev/other", "session").await;
    assert_eq!(rule_of(other).0, rule::REDIRECT_URI);
}

#[tokio::test]
async fn an_app_connects_as_itself_without_a_browser() {
    let world = World::usual();
    let connect = world.acme.connect(PLATFORM);
    let offered = connect
        .directly(Grant::ClientCredentials, "session")
        .await
        .unwrap();
    // Each account asks anew for its own tokens: nothing is shared.
    let accounts = world.pick(&offered, &["1", "2"]).await.unwrap();
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(world.token(&accounts[0]).await, "at-1-1");
    assert_eq!(world.token(&accounts[1]).await, "at-2-1");
    assert!(connect.directly(Grant::Code, "session").await.is_err());
}

#[tokio::test]
async fn an_e_mail_provider_is_connected_like_any_other() {
    let platform = Platform::from_static("post");
    let provider = Provider {
        platform: platform.clone(),
        ..provider()
    };
    let world = World::new(rules(), |market| {
        market
            .keyring(Keyring::random())
            .oauth(provider, App::new("app", "app-secret"))
            .email(RecordingEmail::new(platform.clone()))
    });
    let connect = world.acme.connect(platform);
    // The recording one has no senders: it was asked, and that is what it said.
    let asked = connect.directly(Grant::ClientCredentials, "session").await;
    assert_eq!(rule_of(asked).0, rule::NO_ACCOUNT);
}
