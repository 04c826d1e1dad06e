//! The requests as they leave, and both sides held against Meta's own description.

use std::sync::Arc;

use automarket_connector_facebook::{Facebook, FacebookConfig, FacebookOptions};
use automarket_connector_graph::testing::{Asked, Nodes};
use automarket_core::{
    Context, Credential, Delivery, ErrorKind, Intent, Post, Publisher,
    chrono::TimeDelta,
    testing::{Fault, Recorder, Script},
};
use serde_json::json;

use crate::{
    media::{film, photo, reel},
    world::{World, done, hello, with_options},
};

#[tokio::test]
async fn a_post_is_this_request() {
    let wire = Script::new()
        .expect("POST", "https://graph.facebook.com/v26.0/me/feed")
        .header("authorization", "Bearer t")
        .header("content-type", "application/json")
        .json(
            json!({"message": "We open today", "link": "https://example.com/", "published": true}),
        )
        .reply(200, r#"{"id":"1353269864728879_612345678901234"}"#);
    let cx = wire.context().with_credential(Credential::token("t"));
    let facebook = Facebook::new(FacebookConfig::default());
    let post = Post::text("We open today")
        .link("https://example.com")
        .unwrap();
    let receipt = done(facebook.publish(&cx, &post).await.unwrap());
    assert_eq!(receipt.remote_id, "1353269864728879_612345678901234");
    wire.finished();
}

#[tokio::test]
async fn a_refusal_is_this_answer() {
    let wire = Script::new()
        .expect("POST", "https://graph.facebook.com/v26.0/me/feed")
        .reply(
            400,
            r#"{"error":{"message":"(#100) The specified scheduled publish time is invalid.","type":"OAuthException","code":100,"error_subcode":1366046,"is_transient":false,"error_user_title":"t","error_user_msg":"m","fbtrace_id":"A1b"}}"#,
        );
    let facebook = Facebook::new(FacebookConfig::default());
    let error = facebook
        .publish(&wire.context(), &hello())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.platform_code(), Some("100/1366046"));
    assert_eq!(error.operation(), Some("feed.create"));
    assert!(
        error.message().contains("scheduled publish time"),
        "{error}"
    );
}

#[tokio::test]
async fn another_host_and_version_can_be_named() {
    let wire = Script::new()
        .expect("DELETE", "https://graph.example/v25.0/1_2")
        .reply(200, r#"{"success":true}"#);
    let facebook = Facebook::new(FacebookConfig {
        base_url: "https://graph.example/".into(),
        version: "v25.0".into(),
        ..FacebookConfig::default()
    });
    let receipt = automarket_core::Receipt::new("1_2");
    facebook.delete(&wire.context(), &receipt).await.unwrap();
    wire.finished();
}

/// Which node a path means, and which edge of it.
fn node(path: &[String]) -> Option<(&'static str, Option<&str>)> {
    let first = path.first()?.as_str();
    let post = first.contains('_');
    Some(match path.get(1).map(String::as_str) {
        None if first == "me" => ("Page", None),
        None => (if post { "PagePost" } else { "AdVideo" }, None),
        // The user's own node is not described.
        Some("accounts") => return None,
        Some(edge @ ("insights" | "comments")) => ("PagePost", Some(edge)),
        Some(edge @ "video_insights") => ("AdVideo", Some(edge)),
        Some(edge) => ("Page", Some(edge)),
    })
}

#[tokio::test(start_paused = true)]
async fn every_request_follows_the_description() {
    let world = World::new();
    let wire = Recorder::new(world.sandbox.clone());
    let cx = || {
        let own = world.cx();
        Context::new(wire.clone())
            .with_clock(Arc::new(world.clock.clone()))
            .with_credential(own.credential().clone())
            .with_account(own.account().unwrap().clone())
    };
    world.facebook.identify(&cx()).await.unwrap();
    world.sandbox.fault("/comments", Fault::CutAfter);
    let due = world.cx().now() + TimeDelta::hours(3);
    let mut commented = hello().link("https://acme.dev").unwrap();
    commented.base.first_comment = Some("First".into());
    let (_one, one) = film(2 * 1024 * 1024);
    let (_two, two) = film(2048);
    let place = FacebookOptions {
        place: Some("110".into()),
        ..FacebookOptions::default()
    };
    let posts = [
        commented,
        with_options(Post::text("Photos").media(photo("A dot")), &place),
        Post::text("Later")
            .media(photo("A dot"))
            .delivery(Delivery::At(due)),
        Post::text("Draft").delivery(Delivery::Draft),
        Post::text("Film").media(one.clone()),
        Post::text("Film draft")
            .media(one)
            .delivery(Delivery::Draft),
        with_options(Post::text("Reel").media(two.clone()), &reel()),
        with_options(Post::text("Reel draft").media(two), &reel()).delivery(Delivery::Draft),
    ];
    for post in posts {
        let (cx, at) = (cx(), world.cx().now());
        let outcome = match world.facebook.publish(&cx, &post).await {
            // The comment, whose answer was lost.
            Err(_) => world.facebook.publish(&cx, &post).await.unwrap(),
            Ok(outcome) => outcome,
        };
        let (key, draft) = ("key".into(), post.delivery == Delivery::Draft);
        world
            .facebook
            .find(&cx, &Intent { key, post, at })
            .await
            .unwrap();
        world.clock.advance(TimeDelta::hours(1));
        let published = world.fake.publish_draft(outcome.remote_id(), at);
        assert_eq!(published, draft);
        let receipt = world.public(&cx, outcome).await;
        world.facebook.measure(&cx, &receipt).await.unwrap();
        let _ = world.facebook.edit(&cx, &receipt, "Changed").await;
        world.facebook.delete(&cx, &receipt).await.unwrap();
        world.facebook.measure(&cx, &receipt).await.unwrap_err();
    }
    let nodes = Nodes::load("facebook");
    let mut edges: Vec<String> = Vec::new();
    for (request, reply) in &wire.exchanges() {
        if request.uri().host() == Some("rupload.facebook.com") {
            continue;
        }
        let asked = Asked::of(request);
        assert_eq!(asked.version, "v26.0");
        assert!(!request.uri().to_string().contains("access_token="));
        assert!(reply.headers().contains_key("x-app-usage"));
        edges.extend(asked.path.last().cloned());
        if let (Some(nodes), Some((node, edge))) = (&nodes, node(&asked.path)) {
            // The file of a photo is documented, and not described.
            let faults = nodes.request_faults(node, edge, &asked, &["source"]);
            assert_eq!(faults, [""; 0]);
        }
    }
    for edge in [
        "accounts",
        "feed",
        "photos",
        "videos",
        "video_reels",
        "published_posts",
        "scheduled_posts",
        "comments",
        "insights",
        "video_insights",
    ] {
        assert!(edges.iter().any(|seen| seen == edge), "{edge}");
    }
}
