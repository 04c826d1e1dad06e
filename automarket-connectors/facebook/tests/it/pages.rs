//! Pages, their tokens, the proof and the version.

use std::time::Duration;

use automarket_connector_facebook::{Facebook, FacebookConfig, oauth, testing};
use automarket_core::{
    Credential, ErrorKind, Handle, Publisher, Retry, Secret,
    oauth::{App, Refresh, TokenSet, refresh_call, revoke_call},
    testing::{Fault, Script},
};
use serde_json::json;

use crate::world::{World, done, hello};

#[tokio::test]
async fn a_user_has_pages_each_with_its_own_token() {
    let world = World::new();
    let cx = world
        .cx()
        .with_credential(Credential::token(testing::USER_TOKEN));
    let [acme, globex] = world
        .facebook
        .identify(&cx)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(
        (acme.remote_id.as_str(), acme.needs_reauth),
        (testing::PAGE, false)
    );
    assert_eq!(
        (acme.name.as_str(), acme.handle.as_deref()),
        ("Acme", Some("acme"))
    );
    // Where the user may not make posts there.
    assert!(globex.needs_reauth);
    let shown = format!("{acme:?} {}", serde_json::to_string(&acme).unwrap());
    assert!(!shown.contains(testing::TOKEN));
    // The page's token is what publishes.
    let page = world.cx().with_credential(acme.credential.unwrap());
    done(world.facebook.publish(&page, &hello()).await.unwrap());
    let error = world.facebook.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn each_task_that_publishes_will_do() {
    for (tasks, will_do) in [
        (json!(["ANALYZE", "CREATE_CONTENT"]), true),
        (json!(["MANAGE"]), true),
        (json!(["PROFILE_PLUS_CREATE_CONTENT"]), true),
        (json!(["PROFILE_PLUS_FULL_CONTROL"]), true),
        (json!(["MODERATE", "PROFILE_PLUS_MESSAGING"]), false),
    ] {
        let page = json!({"id": "7", "name": "Acme", "access_token": "page-token", "tasks": tasks});
        let pages = json!({"data": [page]}).to_string();
        let wire = Script::new()
            .expect("GET", "https://graph.facebook.com/v26.0/me?fields=id")
            .reply(200, r#"{"id":"1"}"#)
            .expect("GET", "https://graph.facebook.com/v26.0/me/accounts?fields=id%2Cname%2Cusername%2Caccess_token%2Ctasks&limit=100")
            .reply(200, pages);
        let facebook = Facebook::new(FacebookConfig::default());
        let found = facebook.identify(&wire.context()).await.unwrap();
        assert_eq!(found[0].needs_reauth, !will_do, "{tasks}");
        wire.finished();
    }
}

#[tokio::test]
async fn the_token_of_a_page_is_of_the_app_of_the_login_and_lives_without_it() {
    let world = World::new();
    let mut login = TokenSet::new(Secret::new(testing::USER_TOKEN));
    login.app = "eu".to_owned();
    login.scopes = Some(vec!["pages_manage_posts".to_owned()]);
    let cx = world.cx().with_credential(Credential::oauth(login));
    let pages = world.facebook.identify(&cx).await.unwrap();
    let Some(Credential::OAuth(page)) = &pages[0].credential else {
        panic!("{:?}", pages[0].credential)
    };
    assert_eq!(page.access_token.expose(), testing::TOKEN);
    assert_eq!(page.app, "eu");
    assert_eq!(page.scopes.as_ref().unwrap(), &["pages_manage_posts"]);
    // It is neither renewed nor withdrawn in the place of the login, which other pages live on.
    let (ways, app, now) = (oauth(), App::new("id", "secret"), cx.now());
    assert!(refresh_call(&ways, &app, page, now).unwrap().is_none());
    assert!(revoke_call(&ways, &app, page, now).unwrap().is_none());
}

#[tokio::test]
async fn no_error_holds_the_list_of_tokens() {
    let world = World::new();
    let cx = world
        .cx()
        .with_credential(Credential::token(testing::USER_TOKEN));
    for fault in [
        Fault::HalfAfter,
        Fault::GarbageAfter,
        Fault::StatusAfter(502),
    ] {
        world.sandbox.fault("/me/accounts", fault);
        let error = world.facebook.identify(&cx).await.unwrap_err();
        let shown = format!("{error} {error:?} {} {:?}", error.report(), error.body());
        for secret in [testing::TOKEN, testing::OTHER_TOKEN, testing::USER_TOKEN] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn an_app_can_demand_the_proof_of_every_call() {
    let world = World::new();
    let of = |secret| Facebook::new(FacebookConfig::default()).with_app_secret(Secret::new(secret));
    let before = done(world.facebook.publish(&world.cx(), &hello()).await.unwrap());
    world.fake.require_proof("app-secret-canary");
    let cx = world.cx();
    // A process that lacks the secret, or has the one of before, waits: nothing is wrong with the post.
    for facebook in [world.facebook.clone(), of("old")] {
        let look = Handle {
            remote_id: before.remote_id.clone(),
            due: None,
            data: json!({}),
        };
        for error in [
            facebook.identify(&cx).await.unwrap_err(),
            facebook.publish(&world.cx(), &hello()).await.unwrap_err(),
            facebook.poll(&cx, &look).await.unwrap_err(),
            facebook.measure(&cx, &before).await.unwrap_err(),
            facebook.delete(&cx, &before).await.unwrap_err(),
        ] {
            let wait = Retry::After(Some(Duration::from_secs(60)));
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Config, wait));
            assert!(error.remedy().unwrap().contains("Builder::oauth"));
        }
    }
    assert_eq!(world.effects().len(), 1);
    let facebook = of("app-secret-canary");
    facebook.delete(&cx, &before).await.unwrap();
    assert!(!format!("{facebook:?}").contains("canary"));
    facebook.identify(&cx).await.unwrap();
    let photo = automarket_core::Media::image(&b"\xFF\xD8\xFF\xE0"[..], "image/jpeg").alt("A dot");
    let mut post = hello().media(photo);
    post.base.first_comment = Some("First".into());
    let receipt = done(facebook.publish(&cx, &post).await.unwrap());
    facebook.measure(&cx, &receipt).await.unwrap();
    facebook.edit(&cx, &receipt, "Changed").await.unwrap();
    facebook.delete(&cx, &receipt).await.unwrap();
}

#[tokio::test]
async fn a_version_that_expired_shows_in_the_health_check_alone() {
    let world = World::new();
    world.fake.serve_version("v28.0");
    let error = world.facebook.identify(&world.cx()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ApiVersionRetired);
    assert!(error.remedy().unwrap().contains("version"));
    // What went out is never made a failure of it.
    done(world.facebook.publish(&world.cx(), &hello()).await.unwrap());
}

#[test]
fn the_login_is_traded_for_a_long_one() {
    let login = oauth();
    assert!(matches!(&login.refresh, Refresh::Trade(trade) if trade.grant == "fb_exchange_token"));
    assert_eq!(login.long_lived.unwrap().grant, "fb_exchange_token");
    assert!(login.scopes.contains(&"pages_manage_posts"));
    assert_eq!(login.scope_separator, ",");
}
