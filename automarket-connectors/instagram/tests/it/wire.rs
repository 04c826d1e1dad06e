//! The requests as they leave, and both sides held against Meta's own description.

use std::sync::Arc;

use automarket_connector_graph::testing::{Asked, Nodes};
use automarket_connector_instagram::{
    Instagram, InstagramConfig, InstagramOptions, Login, UserTag, testing,
};
use automarket_core::{
    Bytes, Context, Credential, ErrorKind, Intent, Media, Post, Publisher,
    content::MediaKind,
    http_types::Response,
    testing::{Fault, Recorder, Script},
};
use serde_json::json;

use crate::world::{World, done, film, hello, photo, story, with_options};

const STATUS: &str = r#"{"status_code":"FINISHED","status":"Finished: Media has been uploaded and it is ready to be published.","id":"17889455560051444"}"#;

#[tokio::test]
async fn an_image_is_these_requests() {
    let base = "https://graph.instagram.com/v26.0";
    let wire = Script::new()
        .expect("GET", "https://ex.com/a.jpg")
        .reply(206, &b"\xFF\xD8\xFF\xE0"[..])
        .reply_header("content-range", "bytes 0-3/4")
        .expect(
            "GET",
            &format!("{base}/me/content_publishing_limit?fields=quota_usage%2Cconfig"),
        )
        .reply(
            200,
            r#"{"data":[{"quota_usage":2,"config":{"quota_total":100,"quota_duration":86400}}]}"#,
        )
        .expect("POST", &format!("{base}/me/media"))
        .header("authorization", "Bearer t")
        .json(
            json!({"image_url": "https://ex.com/a.jpg", "caption": "Hi #rust", "alt_text": "crab"}),
        )
        .reply(200, r#"{"id":"17889455560051444"}"#)
        .expect(
            "GET",
            &format!("{base}/17889455560051444?fields=id%2Cstatus_code%2Cstatus"),
        )
        .reply(200, STATUS)
        .expect("POST", &format!("{base}/me/media_publish"))
        .json(json!({"creation_id": "17889455560051444"}))
        .reply(200, r#"{"id":"17920238422030506"}"#)
        .expect(
            "GET",
            &format!("{base}/17920238422030506?fields=id%2Cpermalink"),
        )
        .reply(
            200,
            r#"{"permalink":"https://www.instagram.com/p/Cxyz/","id":"17920238422030506"}"#,
        );
    let cx = wire.context().with_credential(Credential::token("t"));
    let instagram = Instagram::new(InstagramConfig::default());
    let image = Media::address(MediaKind::Image, "https://ex.com/a.jpg".parse().unwrap());
    let post = Post::text("Hi #rust").media(image.alt("crab"));
    let receipt = done(instagram.publish(&cx, &post).await.unwrap());
    assert_eq!(receipt.remote_id, "17920238422030506");
    assert_eq!(
        receipt.url.as_deref(),
        Some("https://www.instagram.com/p/Cxyz/")
    );
    wire.finished();
}

#[tokio::test]
async fn a_refusal_is_this_answer() {
    let wire = Script::new()
        .expect("DELETE", "https://graph.example/v25.0/7")
        .reply(
            400,
            r#"{"error":{"message":"Application does not have permission for this action","type":"OAuthException","code":10,"error_subcode":2207050,"is_transient":false,"fbtrace_id":"A1b"}}"#,
        );
    let instagram = Instagram::new(InstagramConfig {
        login: Login::Facebook,
        base_url: Some("https://graph.example".into()),
        version: "v25.0".into(),
    });
    let cx = wire.context();
    let account = World::of_login(Login::Facebook)
        .cx()
        .account()
        .unwrap()
        .clone();
    let receipt = automarket_core::Receipt::new("7");
    let error = instagram
        .delete(&cx.with_account(account), &receipt)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.platform_code()),
        (ErrorKind::Forbidden, Some("10/2207050"))
    );
    assert_eq!(error.operation(), Some("media.delete"));
}

/// Which node a path means, and which edge of it. The two logins have nodes of their own.
fn node<'a>(asked: &'a Asked, reply: &Response<Bytes>) -> Option<(String, Option<&'a str>)> {
    let own = asked.host == "graph.instagram.com";
    let named = |name: &str| format!("{name}{}", if own { "ForIGOnlyAPI" } else { "" });
    let edge = asked.path.get(1).map(String::as_str);
    let container = String::from_utf8_lossy(reply.body()).contains("status_code");
    Some(match edge {
        // Pages and their list are Facebook's.
        Some("accounts") => return None,
        None if asked.path[0] == "me" && !own => return None,
        None if ["me", testing::ACCOUNT].contains(&&*asked.path[0]) => (named("IGUser"), None),
        None if container => ("ShadowIGMediaBuilder".to_owned(), None),
        None => (named("IGMedia"), None),
        Some(edge @ ("insights" | "comments")) => (named("IGMedia"), Some(edge)),
        // So it is spelled there; the documentation has the other.
        Some("media_publish") if own => (named("IGUser"), Some("mediapublish")),
        Some(edge) => (named("IGUser"), Some(edge)),
    })
}

#[tokio::test(start_paused = true)]
async fn every_request_follows_the_description() {
    for login in [Login::Instagram, Login::Facebook] {
        every_request(login).await;
    }
}

async fn every_request(login: Login) {
    let world = World::of_login(login);
    let wire = Recorder::new(world.sandbox.clone());
    let cx = || {
        let own = world.cx();
        Context::new(wire.clone())
            .with_clock(Arc::new(world.clock.clone()))
            .with_credential(own.credential().clone())
            .with_account(own.account().unwrap().clone())
            .with_media_host(Arc::new(world.host.clone()))
    };
    world.instagram.identify(&cx()).await.unwrap();
    world.sandbox.fault("/comments", Fault::CutAfter);
    if login == Login::Facebook {
        let user = cx().with_credential(Credential::token(testing::USER_TOKEN));
        world.instagram.identify(&user).await.unwrap();
    }
    let image = InstagramOptions {
        collaborators: vec!["globex".into()],
        location: Some("110".into()),
        user_tags: vec![UserTag::at("acme", 0.5, 0.5)],
        ..InstagramOptions::default()
    };
    let reel = InstagramOptions {
        share_to_feed: Some(true),
        cover: Some("https://media.example/cover".parse().unwrap()),
        cover_at: Some(10),
        audio_name: Some("Ours".into()),
        ..InstagramOptions::default()
    };
    let mut commented = hello();
    commented.base.first_comment = Some("First".into());
    let posts = [
        with_options(commented, &image),
        with_options(Post::text("Reel").media(film()), &reel),
        Post::text("Carousel").media(photo()).media(film()),
        with_options(Post::text("").media(photo()), &story()),
    ];
    for post in posts {
        let (cx, at) = (cx(), world.cx().now());
        let outcome = match world.instagram.publish(&cx, &post).await {
            // The comment, whose answer was lost.
            Err(_) => world.instagram.publish(&cx, &post).await.unwrap(),
            Ok(outcome) => outcome,
        };
        let receipt = done(outcome);
        let key = "key".into();
        world
            .instagram
            .find(&cx, &Intent { key, post, at })
            .await
            .unwrap();
        world.instagram.measure(&cx, &receipt).await.unwrap();
        if login == Login::Facebook {
            world.instagram.delete(&cx, &receipt).await.unwrap();
            world.instagram.measure(&cx, &receipt).await.unwrap_err();
        }
    }
    let nodes = Nodes::load("instagram");
    let mut edges: Vec<String> = Vec::new();
    for (request, reply) in &wire.exchanges() {
        let asked = Asked::of(request);
        if asked.host == "media.example" {
            continue;
        }
        assert_eq!(asked.version, "v26.0");
        assert!(!request.uri().to_string().contains("access_token="));
        edges.extend(asked.path.last().cloned());
        if let (Some(nodes), Some((node, edge))) = (&nodes, node(&asked, reply)) {
            assert_eq!(nodes.request_faults(&node, edge, &asked, &[]), [""; 0]);
        }
    }
    for edge in [
        "me",
        "content_publishing_limit",
        "media",
        "media_publish",
        "comments",
        "insights",
    ] {
        assert!(edges.iter().any(|seen| seen == edge), "{edge}");
    }
}
