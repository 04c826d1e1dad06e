//! Members, whose posts cannot be listed.

use automarket_connector_linkedin::{LinkedInConfig, PLATFORM, testing};
use automarket_core::{
    Credential, ErrorKind, Intent, Lookup, Media, Outcome, Post, Publisher, Retry,
    chrono::TimeDelta,
    http_types::Method,
    store::Account,
    testing::{Fault, FaultRule},
};

use crate::world::{World, commented, done, hello};

#[tokio::test]
async fn a_token_names_its_member_and_the_organisations_it_may_post_for() {
    let world = World::new();
    let found = world.linkedin.identify(&world.cx()).await.unwrap();
    let names = |found: &[automarket_core::Identity]| -> Vec<(String, String)> {
        let named = found.iter();
        named
            .map(|one| (one.remote_id.clone(), one.name.clone()))
            .collect()
    };
    let anna = (testing::MEMBER.to_owned(), "Anna Acker".to_owned());
    let acme = (testing::ORGANIZATION.to_owned(), "Acme".to_owned());
    assert_eq!(names(&found), [anna.clone(), acme.clone()]);
    assert_eq!(found[1].handle.as_deref(), Some("acme"));
    // Without OpenID, as apps of the Community Management API are.
    world.fake.set_openid(false);
    let found = world.linkedin.identify(&world.cx()).await.unwrap();
    assert_eq!(names(&found), [anna.clone(), acme]);
    // An app that shares for members only.
    world.fake.set_openid(true);
    world.fake.set_community(false);
    let found = world.linkedin.identify(&world.cx()).await.unwrap();
    assert_eq!(names(&found), [anna]);
    // And one that may nothing.
    world.fake.set_openid(false);
    let error = world.linkedin.identify(&world.cx()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_of_a_member_stays_unknown_and_is_never_sent_again() {
    for fault in [Fault::CutBefore, Fault::CutAfter, Fault::StatusAfter(502)] {
        let world = World::new();
        let rule = FaultRule::on("/rest/posts", fault).method(Method::POST);
        world.sandbox.faults().add(rule);
        let cx = world.anna();
        let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        let there = world.effects().len();
        for _ in 0..3 {
            let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CannotTell);
            assert!(error.is_unknown(), "{error:?}");
        }
        assert_eq!(world.effects().len(), there);
        let intent = Intent {
            key: "key".into(),
            post: hello(),
            at: cx.now(),
        };
        let looked = world.linkedin.find(&cx, &intent).await.unwrap();
        assert!(matches!(looked, Lookup::CannotTell(_)), "{looked:?}");
        // Where LinkedIn granted it, it can be told.
        world.fake.set_members_read(true);
        done(world.linkedin.publish(&cx, &hello()).await.unwrap());
        assert_eq!(world.effects().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_repeats_can_be_trusted_for_members() {
    let trusting = || {
        World::with(LinkedInConfig {
            trust_duplicates: true,
            ..LinkedInConfig::default()
        })
    };
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        let world = trusting();
        let rule = FaultRule::on("/rest/posts", fault).method(Method::POST);
        world.sandbox.faults().add(rule);
        let cx = world.anna();
        let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown());
        let receipt = done(world.linkedin.publish(&cx, &hello()).await.unwrap());
        assert_eq!(world.effects().len(), 1);
        assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
    }
    // Not with files: LinkedIn takes them for another post.
    let world = trusting();
    world.sandbox.fault("/rest/posts", Fault::CutAfter);
    let (cx, pictured) = (
        world.anna(),
        hello().media(Media::image(&b"\x89PNG\r\n\x1a\n"[..], "image/png")),
    );
    world.linkedin.publish(&cx, &pictured).await.unwrap_err();
    let error = world.linkedin.publish(&cx, &pictured).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    // Not a day later: LinkedIn may have forgotten the text.
    let world = trusting();
    world.sandbox.fault("/rest/posts", Fault::CutAfter);
    let cx = world.anna();
    world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(25));
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_not_of_the_repeat_settles_nothing_of_what_was_only_trusted() {
    let world = World::with(LinkedInConfig {
        trust_duplicates: true,
        ..LinkedInConfig::default()
    });
    let posting = |fault| FaultRule::on("/rest/posts", fault).method(Method::POST);
    world.sandbox.faults().add(posting(Fault::CutAfter));
    let cx = world.anna();
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    for status in [403, 403, 404, 400] {
        let refused = posting(Fault::StatusBefore(status));
        world.sandbox.faults().add(refused);
        let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{status}: {error:?}");
    }
    // What the credential is refused is said as ever: it may be renewed.
    world
        .sandbox
        .faults()
        .add(posting(Fault::StatusBefore(401)));
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    let refused = (ErrorKind::Unauthorized, Retry::Never);
    assert_eq!((error.kind(), error.retry()), refused);
    let receipt = done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
}

#[tokio::test]
async fn a_lost_comment_of_a_member_stays_unknown() {
    let world = World::new();
    world.sandbox.fault("/comments", Fault::CutAfter);
    let cx = world.anna();
    for _ in 0..2 {
        let error = world.linkedin.publish(&cx, &commented()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
    }
    let effects = world.effects();
    assert_eq!(effects.len(), 1);
    assert_eq!(effects[0]["comments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_profile_of_an_account_says_whether_it_can_be_searched() {
    let world = World::new();
    let find = |urn: &str| {
        let tenant = automarket_core::TenantId::new("acme").unwrap();
        let account = Account::new(tenant, PLATFORM, urn);
        world.linkedin.profile_for(&account).abilities.find
    };
    assert!(find(testing::ORGANIZATION));
    assert!(!find(testing::MEMBER));
}

#[tokio::test]
async fn without_an_account_the_member_posts() {
    let world = World::new();
    let cx = automarket_core::Context::new(world.sandbox.clone())
        .with_credential(Credential::token(testing::TOKEN));
    let outcome = world.linkedin.publish(&cx, &hello()).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)));
    assert_eq!(world.effects()[0]["author"], testing::MEMBER);
}

#[tokio::test]
async fn an_account_that_is_no_author_and_an_author_of_others_are_refused() {
    let world = World::new();
    for (author, kind) in [
        ("5515715", ErrorKind::Config),
        ("urn:li:person:a/../b", ErrorKind::Config),
        (testing::OTHER_ORGANIZATION, ErrorKind::Forbidden),
    ] {
        let cx = world.of(author, testing::TOKEN);
        let error = world
            .linkedin
            .publish(&cx, &Post::text("x"))
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, Retry::Never));
        assert!(error.remedy().is_some());
    }
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn a_members_numbers_are_read_where_the_token_may() {
    let world = World::new();
    let cx = world.anna();
    let receipt = done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    let error = world.linkedin.measure(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.remedy().unwrap().contains("r_member_postAnalytics"));
    world.fake.set_analytics(true);
    let metrics = world.linkedin.measure(&cx, &receipt).await.unwrap();
    assert_eq!(metrics.impressions, Some(210));
    assert_eq!(metrics.reach, Some(150));
    assert_eq!(metrics.shares, Some(2));
    assert_eq!(metrics.likes, Some(8));
    assert_eq!(metrics.comments, Some(1));
    assert_eq!((metrics.clicks, metrics.saves), (None, None));
}
