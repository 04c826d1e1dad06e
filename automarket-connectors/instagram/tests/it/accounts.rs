//! Accounts of both logins, the proof and the version.

use std::time::Duration;

use automarket_connector_instagram::{
    Instagram, InstagramConfig, Login, PLATFORM, oauth, oauth_facebook, testing,
};
use automarket_core::{
    Context, Credential, ErrorKind, Publisher, Receipt, Retry, Secret, TenantId, oauth::Refresh,
    store::Account,
};
use serde_json::json;

use crate::world::{World, done, hello};

#[tokio::test]
async fn instagrams_own_login_is_one_account_by_its_real_id() {
    let world = World::new();
    let found = world.instagram.identify(&world.cx()).await.unwrap();
    let [acme] = found.try_into().unwrap();
    assert_eq!(acme.remote_id, testing::ACCOUNT);
    assert_eq!(
        (acme.name.as_str(), acme.handle.as_deref()),
        ("Acme", Some("acme"))
    );
    assert_eq!(acme.settings, json!({"login": "instagram"}));
    assert!(acme.credential.is_none());
}

#[tokio::test]
async fn facebooks_login_lists_linked_accounts_with_their_pages_tokens() {
    let world = World::of_login(Login::Facebook);
    let user = world
        .cx()
        .with_credential(Credential::token(testing::USER_TOKEN));
    let found = world.instagram.identify(&user).await.unwrap();
    let [acme, globex] = found.try_into().unwrap();
    assert_eq!(acme.remote_id, testing::ACCOUNT);
    assert_eq!(globex.remote_id, testing::OTHER_ACCOUNT);
    assert_eq!(acme.settings, json!({"login": "facebook"}));
    assert!(!format!("{acme:?}").contains(testing::TOKEN));
    let page = world.cx().with_credential(acme.credential.unwrap());
    let own = world.instagram.identify(&page).await.unwrap();
    assert_eq!(own[0].remote_id, testing::ACCOUNT);
    done(publish(&world, &page).await);
}

async fn publish(world: &World, cx: &Context) -> automarket_core::Outcome {
    world.fake.set_processing(0);
    world.instagram.publish(cx, &hello()).await.unwrap()
}

#[tokio::test]
async fn the_settings_of_an_account_say_its_login() {
    // The connector is of the other login.
    let world = World::of_login(Login::Facebook);
    let instagram = Instagram::new(InstagramConfig::of(Login::Instagram));
    world.fake.set_processing(0);
    let receipt = done(instagram.publish(&world.cx(), &hello()).await.unwrap());
    let account = world.cx().account().unwrap().clone();
    assert!(instagram.profile_for(&account).abilities.delete);
    assert!(!instagram.profile().abilities.delete);
    instagram.delete(&world.cx(), &receipt).await.unwrap();
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn what_cannot_be_deleted_is_said_so() {
    let world = World::new();
    let receipt = Receipt::new("1");
    let error = world
        .instagram
        .delete(&world.cx(), &receipt)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // With Facebook's login `me` would be the page.
    let instagram = Instagram::new(InstagramConfig::of(Login::Facebook));
    let nobody = Context::new(world.sandbox.clone()).with_credential(Credential::token("t"));
    let error = instagram.delete(&nobody, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn an_account_that_the_token_may_not_see_any_more_has_to_be_connected() {
    for login in [Login::Instagram, Login::Facebook] {
        let world = World::of_login(login);
        let cx = world.of(testing::OTHER_ACCOUNT, testing::TOKEN);
        let error = world.instagram.publish(&cx, &hello()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Unauthorized, Retry::Never)
        );
        assert!(error.remedy().is_some());
        assert!(world.effects().is_empty());
    }
}

#[tokio::test]
async fn an_app_can_demand_the_proof_of_every_call() {
    for login in [Login::Instagram, Login::Facebook] {
        let world = World::of_login(login);
        world.fake.set_processing(0);
        world.fake.require_proof("app-secret-canary");
        let of = |secret| {
            Instagram::new(InstagramConfig::of(login)).with_app_secret(Secret::new(secret))
        };
        let cx = world.cx();
        // A process that lacks the secret, or has the one of before, waits: nothing is wrong with the post.
        for instagram in [world.instagram.clone(), of("old")] {
            for error in [
                instagram.identify(&cx).await.unwrap_err(),
                instagram.publish(&cx, &hello()).await.unwrap_err(),
            ] {
                let wait = Retry::After(Some(Duration::from_secs(60)));
                assert_eq!((error.kind(), error.retry()), (ErrorKind::Config, wait));
                assert!(error.remedy().unwrap().contains("Builder::oauth"));
            }
        }
        let instagram = of("app-secret-canary");
        assert!(!format!("{instagram:?}").contains("canary"));
        let cx = world.cx();
        instagram.identify(&cx).await.unwrap();
        let mut post = hello();
        post.base.first_comment = Some("First".into());
        let receipt = done(instagram.publish(&cx, &post).await.unwrap());
        instagram.measure(&cx, &receipt).await.unwrap();
    }
}

#[tokio::test]
async fn a_version_that_expired_shows_in_the_health_check_alone() {
    for login in [Login::Instagram, Login::Facebook] {
        let world = World::of_login(login);
        world.fake.serve_version("v28.0");
        let error = world.instagram.identify(&world.cx()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ApiVersionRetired);
        done(publish(&world, &world.cx()).await);
    }
}

#[test]
fn both_logins_are_traded_for_long_ones() {
    let own = oauth();
    assert_eq!(own.long_lived.unwrap().grant, "ig_exchange_token");
    let Refresh::Trade(renewal) = own.refresh else {
        panic!("a token is its own successor")
    };
    assert_eq!(renewal.grant, "ig_refresh_token");
    let facebook = oauth_facebook();
    assert_eq!(facebook.long_lived.unwrap().grant, "fb_exchange_token");
    assert!(facebook.scopes.contains(&"instagram_manage_contents"));
    let tenant = TenantId::new("acme").unwrap();
    let bare = Account::new(tenant, PLATFORM, "1");
    let instagram = Instagram::new(InstagramConfig::of(Login::Facebook));
    assert!(instagram.profile_for(&bare).abilities.delete);
}
