//! What is offered, and what is picked of it.

use automarket::store::AccountStore as _;

use super::*;

#[tokio::test]
async fn what_is_offered_is_picked_once_in_its_own_session() {
    let world = World::usual();
    let offered = world.offered().await;
    let stolen = world.other.connect(PLATFORM);
    let stolen = stolen.pick(&offered.handle, "session", ["1"]).await;
    assert_eq!(rule_of(stolen).0, rule::EXPIRED);
    let unknown = world.pick(&offered, &["3"]).await.unwrap_err();
    assert_eq!(unknown.field(), Some("accounts"));
    assert!(world.pick(&offered, &[]).await.is_err());
    // Those were slips: it can still be picked.
    assert_eq!(world.pick(&offered, &["1"]).await.unwrap().len(), 1);
    assert_eq!(rule_of(world.pick(&offered, &["1"]).await).0, rule::EXPIRED);

    let offered = world.offered().await;
    let thief = world.acme.connect(PLATFORM);
    let thief = thief.pick(&offered.handle, "thief", ["1"]).await;
    assert_eq!(rule_of(thief).0, rule::STATE);
    // What waits for a pick is no callback, and the other way round.
    let query = format!("code=c&state={}", world.offered().await.handle.expose());
    let mixed = world
        .acme
        .connect(PLATFORM)
        .complete(&query, "session")
        .await;
    assert_eq!(rule_of(mixed).0, rule::STATE);
}

#[tokio::test]
async fn accounts_with_tokens_of_their_own_get_them_and_they_print_nowhere() {
    let world = World::of(AuthRules {
        account_tokens: true,
        ..rules()
    });
    let offered = world.offered().await;
    let printed = format!(
        "{offered:?} {}",
        serde_json::to_string(&offered.accounts).unwrap()
    );
    assert!(!printed.contains("account-token") && !printed.contains(offered.handle.expose()));
    let accounts = world.pick(&offered, &["1", "2"]).await.unwrap();
    assert_eq!(world.token(&accounts[0]).await, "account-token-0-1");
    assert_eq!(world.token(&accounts[1]).await, "account-token-0-2");
}

#[tokio::test]
async fn tokens_that_renew_themselves_for_one_holder_go_to_one_account() {
    let world = World::usual();
    let offered = world.offered().await;
    let both = world.pick(&offered, &["1", "2"]).await;
    assert_eq!(rule_of(both), ("accounts.one_only".into(), Cause::User));
    let none = world.pick(&offered, &[]).await;
    assert_eq!(rule_of(none), ("accounts.none".into(), Cause::User));
    let other = world.pick(&offered, &["9"]).await;
    assert_eq!(rule_of(other), ("accounts.not_offered".into(), Cause::User));
    assert!(world.acme.accounts().await.unwrap().is_empty());
    assert_eq!(world.pick(&offered, &["1"]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn tokens_for_one_holder_go_to_no_other_after_a_pick_that_failed_half_way() {
    let world = World::usual();
    let offered = world.offered().await;
    let broken = StoreRule::on("append_audit", StoreFault::FailBefore).times(1);
    world.store.faults().add(broken);
    assert!(world.pick(&offered, &["1"]).await.is_err());
    let other = world.pick(&offered, &["2"]).await;
    assert_eq!(rule_of(other).0, "accounts.not_offered");
    assert_eq!(world.pick(&offered, &["1"]).await.unwrap().len(), 1);
    assert_eq!(world.acme.credentials().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_is_connected_again_as_itself_or_not_at_all() {
    let world = World::of(AuthRules {
        accounts: vec![("1".into(), "Acme".into())],
        ..rules()
    });
    let offered = world.offered().await;
    let account = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    let again = world.acme.connect(PLATFORM).again(account.id);
    let query = async || {
        let begun = again.begin(CALLBACK, "session").await.unwrap();
        world.agree(begun.authorize_url.as_str()).await
    };
    // Which account was meant is remembered from the beginning.
    let plain = world.acme.connect(PLATFORM);
    let offered = plain.complete(&query().await, "session").await.unwrap();
    assert!(offered.accounts[0].connected);
    let same = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    assert_eq!(same.id, account.id);
    assert_eq!(world.token(&same).await, "at-1-1");

    let stranger = Account::new(world.acme.id().clone(), PLATFORM, "9");
    let stranger = world
        .acme
        .add_account(stranger, Credential::token("t"))
        .await
        .unwrap();
    let again = world.acme.connect(PLATFORM).again(stranger.id);
    let begun = again.begin(CALLBACK, "session").await.unwrap();
    let query = world.agree(begun.authorize_url.as_str()).await;
    let wrong = again.complete(&query, "session").await;
    assert_eq!(
        rule_of(wrong),
        (rule::WRONG_ACCOUNT.to_owned(), Cause::User)
    );
    assert_eq!(world.token(&stranger).await, "t", "nothing changed");

    let theirs = world.other.connect(PLATFORM).again(account.id);
    let theirs = theirs.begin(CALLBACK, "session").await.unwrap_err();
    assert_eq!(theirs.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_account_with_an_id_of_the_hosts_own_is_connected_again_under_it() {
    let world = World::usual();
    let account = Account {
        id: AccountId::derived("the host's"),
        ..Account::new(world.acme.id().clone(), PLATFORM, "1")
    };
    let account = world.acme.add_account(account, Credential::token("t"));
    let account = account.await.unwrap();
    let again = world.acme.connect(PLATFORM).again(account.id);
    let begun = again.begin(CALLBACK, "session").await.unwrap();
    let query = world.agree(begun.authorize_url.as_str()).await;
    let plain = world.acme.connect(PLATFORM);
    let offered = plain.complete(&query, "session").await.unwrap();
    assert!(offered.accounts[0].connected);
    let same = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    assert_eq!(same.id, account.id);
    assert_eq!(world.token(&account).await, "at-0-1");
    assert_eq!(world.acme.accounts().await.unwrap(), [same]);
}

#[tokio::test]
async fn an_account_with_an_id_of_the_hosts_own_is_found_by_a_plain_login_too() {
    // Added before the login, and while the user chooses.
    for before in [true, false] {
        let world = World::usual();
        let account = Account {
            id: AccountId::derived("the host's"),
            ..Account::new(world.acme.id().clone(), PLATFORM, "1")
        };
        let add = || {
            world
                .acme
                .add_account(account.clone(), Credential::token("t"))
        };
        let early = if before { Some(add().await) } else { None };
        let offered = world.offered().await;
        let said: Vec<bool> = offered.accounts.iter().map(|a| a.connected).collect();
        assert_eq!(said, [before, false]);
        match early {
            Some(added) => added.unwrap(),
            None => add().await.unwrap(),
        };
        let same = world.pick(&offered, &["1"]).await.unwrap().remove(0);
        assert_eq!(same.id, account.id);
        assert_eq!(world.token(&account).await, "at-0-1");
        assert_eq!(world.acme.accounts().await.unwrap(), [same]);
    }
}

#[tokio::test]
async fn a_slip_gives_no_more_time() {
    let world = World::usual();
    let offered = world.offered().await;
    world.clock.advance(TimeDelta::minutes(9));
    assert!(world.pick(&offered, &["3"]).await.is_err());
    world.clock.advance(TimeDelta::minutes(2));
    assert_eq!(rule_of(world.pick(&offered, &["1"]).await).0, rule::EXPIRED);
}

#[tokio::test]
async fn a_pick_that_is_repeated_puts_nothing_over_what_was_renewed_meanwhile() {
    for renewed in [true, false] {
        let world = World::usual();
        let offered = world.offered().await;
        // All of it is stored, and the pick fails all the same.
        let broken = StoreRule::on("append_audit", StoreFault::FailBefore).times(1);
        world.store.faults().add(broken);
        assert!(world.pick(&offered, &["1"]).await.is_err());
        let account = world.acme.accounts().await.unwrap().remove(0);
        if renewed {
            let newer = Credential::token("newer");
            world
                .acme
                .add_account(account.clone(), newer)
                .await
                .unwrap();
        }
        let same = world.pick(&offered, &["1"]).await.unwrap().remove(0);
        assert_eq!(same.id, account.id);
        let token = if renewed { "newer" } else { "at-0-1" };
        assert_eq!(world.token(&account).await, token);
    }
}

#[tokio::test]
async fn an_account_that_is_connected_again_keeps_its_settings_but_for_what_the_platform_says() {
    let world = World::usual();
    let offered = world.offered().await;
    let account = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    assert_eq!(account.settings, json!({"page": "1"}));
    let set = json!({"version": "202611", "page": "old"});
    let account = account.with_settings(set);
    world.store.put_account(&account).await.unwrap();
    let offered = world.offered().await;
    let again = world.pick(&offered, &["1"]).await.unwrap().remove(0);
    assert_eq!(again.settings, json!({"version": "202611", "page": "1"}));
    assert_eq!(world.acme.accounts().await.unwrap(), [again]);
}

#[tokio::test]
async fn tokens_end_by_the_stores_time_however_wrong_this_processes_clock_is() {
    let mut ends = Vec::new();
    for hours in [0, -2, 2] {
        let world = World::new(rules(), |market| {
            let wrong = ManualClock::parse("2026-11-25T12:00:00Z");
            wrong.advance(TimeDelta::hours(hours));
            market
                .keyring(Keyring::random())
                .oauth(provider(), App::new("app", "app-secret"))
                .clock(Arc::new(wrong))
        });
        let offered = world.offered().await;
        let account = world.pick(&offered, &["1"]).await.unwrap().remove(0);
        let cx = world.acme.context(account.id).await.unwrap();
        ends.push(cx.tokens().unwrap().expires_at.unwrap());
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
}
