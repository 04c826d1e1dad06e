//! The requests as they leave, and both sides held against X's own description.

use std::sync::Arc;

use automarket_connector_x::{Poll, Replies, XConfig, XOptions};
use automarket_core::{
    Bytes, Context, Credential, Intent, Media, Post, Publisher,
    content::{MediaKind, Variant},
    http_types::Request,
    testing::{Description, Recorder, Script},
};
use serde_json::json;

use crate::world::{World, done, hello, thread, with_options};

#[tokio::test]
async fn a_post_is_this_request() {
    let options = XOptions {
        reply_to: Some("1234567890".into()),
        exclude_reply_users: vec!["5".into()],
        replies: Some(Replies::Following),
        poll: Some(Poll::new(["Yes", "No"], 5)),
        community: Some("77".into()),
        made_with_ai: true,
        paid_partnership: true,
        ..XOptions::default()
    };
    let wire = Script::new()
        .expect("POST", "https://api.x.com/2/tweets")
        .header("authorization", "Bearer t")
        .header("content-type", "application/json")
        .json(json!({
            "text": "Hello",
            "reply": {"in_reply_to_tweet_id": "1234567890", "exclude_reply_user_ids": ["5"]},
            "poll": {"options": ["Yes", "No"], "duration_minutes": 5},
            "reply_settings": "following",
            "community_id": "77",
            "made_with_ai": true,
            "paid_partnership": true,
        }))
        .reply(201, r#"{"data":{"id":"1445880548472328192","text":"Hello","edit_history_tweet_ids":["1445880548472328192"]}}"#);
    let cx = wire.context().with_credential(Credential::token("t"));
    let x = automarket_connector_x::X::new(XConfig::default());
    let receipt = done(
        x.publish(&cx, &with_options("Hello", &options))
            .await
            .unwrap(),
    );
    assert_eq!(receipt.remote_id, "1445880548472328192");
    assert_eq!(
        receipt.url.as_deref(),
        Some("https://x.com/i/web/status/1445880548472328192")
    );
    wire.finished();
}

/// The description of August 2026 has new names for what documentation and clients still send.
fn renamed(request: &Request<Bytes>) -> Request<Bytes> {
    let mut request = request.clone();
    let uri = request.uri().to_string();
    *request.uri_mut() = uri
        .replace("tweet.fields=", "post.fields=")
        .parse()
        .unwrap();
    request
}

#[tokio::test(start_paused = true)]
async fn every_request_and_answer_follows_the_description() {
    let world = World::with(XConfig {
        self_serve: false,
        ..XConfig::default()
    });
    let wire = Recorder::new(world.sandbox.clone());
    let account = world.cx().account().unwrap().clone();
    let cx = || {
        Context::new(wire.clone())
            .with_clock(Arc::new(world.clock.clone()))
            .with_credential(world.cx().credential().clone())
            .with_account(account.clone())
    };
    world.x.identify(&cx()).await.unwrap();
    let quoted = world
        .fake
        .post_of_other("What does @acme say?", world.cx().now());
    let options = |change: fn(&mut XOptions, String)| {
        let mut options = XOptions {
            replies: Some(Replies::Subscribers),
            ..XOptions::default()
        };
        change(&mut options, quoted.clone());
        options
    };
    let png = Media::image(&b"\x89PNG\r\n\x1a\n"[..], "image/png").alt("A dot");
    let film = Media::new(
        MediaKind::Video,
        automarket_core::content::MediaSource::Bytes("\0\0\0\u{10}ftypisom........".into()),
    );
    let posts = [
        thread(),
        hello().media(png),
        Post::text("A film").media(film.alt("A film")),
        with_options(
            "Answer",
            &options(|options, id| options.reply_to = Some(id)),
        ),
        with_options("Quote", &options(|options, id| options.quote = Some(id))),
        with_options(
            "Poll",
            &options(|options, _| options.poll = Some(Poll::new(["a", "b"], 5))),
        ),
        Post::text("x").variant(automarket_connector_x::PLATFORM, Variant::text("Own words")),
    ];
    for post in posts {
        let receipt = done(world.x.publish(&cx(), &post).await.unwrap());
        let intent = Intent {
            key: "key".into(),
            post,
            at: world.cx().now(),
        };
        world.x.find(&cx(), &intent).await.unwrap();
        world.x.measure(&cx(), &receipt).await.unwrap();
        world.x.delete(&cx(), &receipt).await.unwrap();
        world.x.measure(&cx(), &receipt).await.unwrap_err();
    }
    let seen = wire.exchanges();
    let mut operations: Vec<&str> = Vec::new();
    let description = Description::load("x", "");
    for (request, reply) in &seen {
        operations.push(request.uri().path());
        assert!(reply.headers().contains_key("x-rate-limit-remaining"));
        let Some(description) = &description else {
            continue;
        };
        let request = renamed(request);
        let name = format!("{} {}", request.method(), request.uri());
        assert_eq!(description.request_faults(&request), [""; 0], "{name}");
        let text = String::from_utf8_lossy(reply.body()).replace("retweet_count", "repost_count");
        let reply = reply.clone().map(|_| Bytes::from(text.clone()));
        let faults = description.reply_faults(&request, &reply);
        assert_eq!(faults, [""; 0], "{name}: {text}");
    }
    for part in [
        "/append",
        "/finalize",
        "/initialize",
        "/metadata",
        "/upload",
        "/me",
    ] {
        assert!(operations.iter().any(|path| path.ends_with(part)), "{part}");
    }
}

#[tokio::test]
async fn the_new_names_of_the_description_are_read_too() {
    let wire = Script::new()
        .expect(
            "GET",
            "https://api.x.com/2/tweets?ids=7&tweet.fields=public_metrics,non_public_metrics\
             &expansions=attachments.media_keys&media.fields=public_metrics",
        )
        .reply(200, r#"{"data":[{"id":"7","text":"x","public_metrics":{"repost_count":2,"quote_count":1}}]}"#);
    let x = automarket_connector_x::X::new(XConfig::default());
    let receipt = automarket_core::Receipt::new("7");
    let metrics = x.measure(&wire.context(), &receipt).await.unwrap();
    assert_eq!((metrics.shares, metrics.likes), (Some(3), None));
    assert_eq!(metrics.raw["public.repost_count"], json!(2));
}
