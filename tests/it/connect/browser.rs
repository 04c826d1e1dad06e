//! Out to the platform and back: once, in one session, within ten minutes.

use super::{ledger::Ledger, *};

#[tokio::test]
async fn a_user_agrees_and_picks_and_calls_are_made_for_the_account() {
    let world = World::usual();
    let offered = world.offered().await;
    let names: Vec<&str> = offered.accounts.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["Acme", "Careers"]);
    assert!(
        world.acme.accounts().await.unwrap().is_empty(),
        "nothing yet"
    );

    let accounts = world.pick(&offered, &["2"]).await.unwrap();
    assert_eq!(accounts, world.acme.accounts().await.unwrap());
    assert_eq!(
        (&*accounts[0].remote_id, &*accounts[0].name),
        ("2", "Careers")
    );
    assert_eq!(world.token(&accounts[0]).await, "at-0-1");
    // An hour later it is renewed, through the same app.
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(world.token(&accounts[0]).await, "at-0-2");
    assert!(world.other.accounts().await.unwrap().is_empty());
    // And the next login says that it is there already.
    let connected: Vec<bool> = world
        .offered()
        .await
        .accounts
        .iter()
        .map(|a| a.connected)
        .collect();
    assert_eq!(connected, [false, true]);
}

#[tokio::test]
async fn a_callback_is_good_once_in_its_own_session_for_its_own_tenant_and_ten_minutes() {
    let world = World::usual();
    let complete = |tenant: &Tenant, query: &str, session: &'static str| {
        let (connect, query) = (tenant.connect(PLATFORM), query.to_owned());
        async move { connect.complete(&query, session).await }
    };
    let expired = (rule::EXPIRED.to_owned(), Cause::User);
    let another = (rule::STATE.to_owned(), Cause::User);

    let query = world.go().await;
    assert_eq!(
        rule_of(complete(&world.other, &query, "session").await),
        expired
    );
    assert!(complete(&world.acme, &query, "session").await.is_ok());
    assert_eq!(
        rule_of(complete(&world.acme, &query, "session").await),
        expired
    );

    let query = world.go().await;
    assert_eq!(
        rule_of(complete(&world.acme, &query, "thief").await),
        another
    );
    // It is burnt: whoever tried that is given no second try.
    assert_eq!(
        rule_of(complete(&world.acme, &query, "session").await),
        expired
    );

    let query = world.go().await;
    let elsewhere = world
        .acme
        .connect(Platform::X)
        .complete(&query, "session")
        .await;
    assert_eq!(rule_of(elsewhere), another);

    let query = world.go().await;
    world.clock.advance(TimeDelta::seconds(601));
    assert_eq!(
        rule_of(complete(&world.acme, &query, "session").await),
        expired
    );

    for forged in [
        "",
        "code=code-1",
        "code=code-1&state=",
        "code=code-1&state=AAAA",
    ] {
        assert_eq!(
            rule_of(complete(&world.acme, forged, "session").await),
            expired
        );
    }
    // No code was exchanged but the one that was answered in its place.
    assert_eq!(world.server.effects().len(), 1);
}

#[tokio::test]
async fn what_the_user_did_is_told_from_what_is_set_up_wrongly() {
    let world = World::usual();
    let connect = world.acme.connect(PLATFORM);
    world.server.user(UserSays::No);
    let denied = connect.complete(&world.go().await, "session").await;
    assert_eq!(rule_of(denied), (rule::DENIED.to_owned(), Cause::User));

    world.server.user(UserSays::Only(vec!["read".into()]));
    let less = connect.complete(&world.go().await, "session").await;
    assert!(less.as_ref().unwrap_err().message().contains("write"));
    assert_eq!(
        rule_of(less),
        (rule::MISSING_SCOPES.to_owned(), Cause::User)
    );

    let unbound = connect.begin(CALLBACK, "").await.unwrap_err();
    assert_eq!(unbound.field(), Some("session"));
    let wrong = connect
        .begin("https://acme.dev/callback#x", "session")
        .await;
    let redirect = (rule::REDIRECT_URI.to_owned(), Cause::Configuration);
    assert_eq!(rule_of(wrong), redirect);

    let world = World::new(rules(), |market| {
        market
            .keyring(Keyring::random())
            .oauth(provider(), App::new("app", "another-secret"))
    });
    let connect = world.acme.connect(PLATFORM);
    let refused = connect.complete(&world.go().await, "session").await;
    assert_eq!(
        rule_of(refused),
        (rule::CLIENT.to_owned(), Cause::Configuration)
    );
    let nobody = World::of(AuthRules {
        accounts: Vec::new(),
        ..rules()
    });
    let nobody = nobody
        .acme
        .connect(PLATFORM)
        .complete(&nobody.go().await, "session")
        .await;
    assert_eq!(rule_of(nobody), (rule::NO_ACCOUNT.to_owned(), Cause::User));
}

#[tokio::test]
async fn a_state_is_long_and_new_each_time_and_is_not_what_is_stored() {
    let world = World::usual();
    let mut states = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let begun = world
            .acme
            .connect(PLATFORM)
            .begin(CALLBACK, "session")
            .await;
        let begun = begun.unwrap();
        let printed = format!("{begun:?}");
        let url = begun.authorize_url;
        let pairs: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs["code_challenge_method"], "S256");
        assert_eq!(pairs["state"].len(), 43, "256 bits");
        assert!(!printed.contains(&pairs["state"]));
        states.insert(pairs["state"].clone());
    }
    assert_eq!(states.len(), 50);
    let store = world.acme.market().store();
    let state = states.first().unwrap();
    assert!(
        store
            .take_flow(world.acme.id(), state)
            .await
            .unwrap()
            .is_none()
    );
    let secret = Secret::new(state.clone());
    assert_eq!(format!("{secret:?}"), "[REDACTED]");
}

#[tokio::test]
async fn nobody_connects_to_a_closed_platform_or_without_a_key() {
    const WHY: &str = "the platform gives no new access since 2023";
    let api = ApiVersion::new("v1", "https://pages.example/docs");
    let mut profile = Profile::new(PLATFORM, "Pages", api);
    profile.status = Status::Closed(WHY);
    let world = World::new(rules(), |market| {
        market
            .keyring(Keyring::random())
            .notifier(Pages(profile))
            .oauth(provider(), App::new("app", "app-secret"))
    });
    let closed = world
        .acme
        .connect(PLATFORM)
        .begin(CALLBACK, "session")
        .await;
    let closed = closed.unwrap_err();
    assert_eq!(
        (closed.kind(), closed.message()),
        (ErrorKind::Disabled, WHY)
    );
    assert_eq!(closed.rule(), Some("platform.closed"));
    let account = Account::new(world.acme.id().clone(), PLATFORM, "1");
    let by_hand = world
        .acme
        .add_account(account, Credential::token("t"))
        .await;
    assert_eq!(rule_of(by_hand).0, "platform.closed");
    assert!(world.acme.accounts().await.unwrap().is_empty());

    let world = World::new(rules(), |market| {
        market.oauth(provider(), App::new("app", "app-secret"))
    });
    let keyless = world
        .acme
        .connect(PLATFORM)
        .begin(CALLBACK, "session")
        .await;
    assert_eq!(rule_of(keyless).0, "vault.no_key");
}

#[tokio::test]
async fn the_secret_goes_to_the_issuer_and_place_that_are_believed_and_to_no_other() {
    const EU: &str = "https://eu.pages.example";
    let provider = || Provider {
        issuer: Some("https://pages.example"),
        places: &[Place {
            name: "instance",
            default: Some("https://pages.example"),
            callback: Some(("server", &[EU])),
        }],
        ..provider()
    };
    let world = |callback: &'static [(&'static str, &'static str)]| {
        let rules = AuthRules {
            hosts: vec!["pages.example".into(), "eu.pages.example".into()],
            callback,
            ..rules()
        };
        World::new(rules, |market| {
            market
                .keyring(Keyring::random())
                .oauth(provider(), App::new("app", "app-secret"))
        })
    };
    for (callback, wanted) in [
        (&[("iss", "https://evil.example")][..], rule::ISSUER),
        (&[("server", EU)], rule::ISSUER),
        (
            &[
                ("iss", "https://pages.example"),
                ("server", "https://evil.example"),
            ],
            rule::PLACE,
        ),
    ] {
        let world = world(callback);
        let connect = world.acme.connect(PLATFORM);
        let refused = connect.complete(&world.go().await, "session").await;
        assert_eq!(rule_of(refused).0, wanted, "{callback:?}");
        assert!(world.server.effects().is_empty(), "no code was exchanged");
    }
    // The account remembers where it lives, and is renewed there.
    let world = world(&[("iss", "https://pages.example"), ("server", EU)]);
    let offered = world.offered().await;
    let account = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(world.token(&account).await, "at-0-2");
    let held = world.acme.reveal_credential(account.id, "a look").await;
    let Credential::OAuth(tokens) = held.unwrap() else {
        panic!("tokens")
    };
    assert_eq!(tokens.extra["places"]["instance"], EU);
}

#[tokio::test]
async fn an_account_remembers_the_instance_of_its_app() {
    let world = World::usual();
    let places = async |account: &Account| {
        let held = world.acme.reveal_credential(account.id, "a look").await;
        let Credential::OAuth(tokens) = held.unwrap() else {
            panic!("tokens")
        };
        tokens.extra["places"].clone()
    };
    let instance = serde_json::json!({"instance": "https://pages.example"});
    let by_browser = world.pick(&world.offered().await, &["1"]).await.unwrap();
    assert_eq!(places(&by_browser[0]).await, instance);
    let connect = world.acme.connect(PLATFORM);
    let offered = connect.directly(Grant::ClientCredentials, "session").await;
    let directly = world.pick(&offered.unwrap(), &["2"]).await.unwrap();
    assert_eq!(places(&directly[0]).await, instance);
}

#[tokio::test]
async fn nobody_connects_to_a_closed_crm_or_mailer() {
    const WHY: &str = "new customers are no longer taken";
    let platform = Platform::from_static("ledger");
    let ways = Provider {
        platform: platform.clone(),
        ..provider()
    };
    let closed = |set: fn(Builder, Platform) -> Builder| {
        let (ways, platform) = (ways.clone(), platform.clone());
        World::new(rules(), move |market| {
            let market = market.keyring(Keyring::random());
            set(market.oauth(ways, App::new("app", "app-secret")), platform)
        })
    };
    let crm = closed(|market, platform| market.crm(Ledger::closed(platform, WHY)));
    let mailer = closed(|market, platform| market.email(RecordingEmail::new(platform).closed(WHY)));
    for world in [crm, mailer] {
        let connect = world.acme.connect(platform.clone());
        let begun = connect.begin(CALLBACK, "session").await.unwrap_err();
        let directly = connect.directly(Grant::ClientCredentials, "session").await;
        let account = Account::new(world.acme.id().clone(), platform.clone(), "1");
        let by_hand = world
            .acme
            .add_account(account, Credential::token("t"))
            .await;
        for refused in [begun, directly.unwrap_err(), by_hand.unwrap_err()] {
            assert_eq!(refused.rule(), Some("platform.closed"));
            assert_eq!(refused.message(), WHY);
        }
        assert!(world.server.effects().is_empty());
    }
}
