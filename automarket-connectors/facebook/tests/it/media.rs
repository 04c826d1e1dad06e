//! Photos, videos and reels.

use std::io::Write as _;

use automarket_connector_facebook::FacebookOptions;
use automarket_core::{
    Delivery, ErrorKind, Intent, Lookup, Media, Outcome, Publisher, Retry,
    chrono::TimeDelta,
    content::MediaKind,
    http_types::Method,
    testing::{Fault, FaultRule},
};
use serde_json::Value;

use crate::world::{World, accepted, done, hello, with_options};

const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF";
const MIB: u64 = 1024 * 1024;

pub(crate) fn photo(alt: &str) -> Media {
    Media::image(JPEG, "image/jpeg").alt(alt)
}

/// A file that begins as a film and is as large as is said.
pub(crate) fn film(bytes: u64) -> (tempfile::NamedTempFile, Media) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"\0\0\0\x14ftypisom\0\0\x02\0isom\0\0\0\0mdat")
        .unwrap();
    file.as_file().set_len(bytes).unwrap();
    let media = Media::file(MediaKind::Video, file.path()).alt("A film");
    (file, media)
}

pub(crate) fn reel() -> FacebookOptions {
    FacebookOptions {
        reel: true,
        title: Some("Behind the scenes".into()),
        ..FacebookOptions::default()
    }
}

fn photos(world: &World) -> Vec<Value> {
    let effects = world.effects();
    let ids = effects[0]["photos"].as_array().unwrap();
    ids.iter()
        .map(|id| world.fake.media(id.as_str().unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn photos_are_one_post_with_their_words() {
    let world = World::new();
    let post = hello().media(photo("A dot")).media(photo("Another"));
    done(world.facebook.publish(&world.cx(), &post).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    let photos = photos(&world);
    let words: Vec<&Value> = photos.iter().map(|photo| &photo["alt"]).collect();
    assert_eq!(words, ["A dot", "Another"]);
    assert_eq!(
        (&photos[0]["bytes"], &photos[0]["temporary"]),
        (&JPEG.len().into(), &false.into())
    );

    let world = World::new();
    let due = world.cx().now() + TimeDelta::hours(1);
    let later = hello().media(photo("A dot")).delivery(Delivery::At(due));
    world.facebook.publish(&world.cx(), &later).await.unwrap();
    assert_eq!(photos_of(&world)["temporary"], true);
}

/// A post with photos has to say that it is scheduled: without that it is a draft for ever.
#[tokio::test]
async fn photos_have_their_time_at_facebook() {
    let world = World::new();
    let cx = world.cx();
    let due = cx.now() + TimeDelta::hours(2);
    let post = hello().media(photo("A dot")).delivery(Delivery::At(due));
    world.sandbox.fault("/feed", Fault::CutAfter);
    world.facebook.publish(&cx, &post).await.unwrap_err();
    let outcome = world.facebook.publish(&cx, &post).await;
    assert_eq!(world.effects().len(), 1, "what was lost is listed");
    let handle = accepted(outcome.unwrap());
    world.clock.advance(TimeDelta::hours(2));
    done(world.facebook.poll(&cx, &handle).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_is_looked_for_though_its_photos_are_old_and_gone() {
    for (fault, out) in [(Fault::CutAfter, true), (Fault::CutBefore, false)] {
        let world = World::new();
        let cx = world.cx();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(JPEG).unwrap();
        let media = Media::file(MediaKind::Image, file.path()).alt("A dot");
        let post = hello().media(media);
        world.sandbox.fault("/feed", fault);
        world.facebook.publish(&cx, &post).await.unwrap_err();
        world.clock.advance(TimeDelta::hours(25));
        drop(file);
        match world.facebook.publish(&cx, &post).await {
            Ok(found) if out => drop(done(found)),
            Err(error) if !out => assert!(error.is_unknown(), "{error:?}"),
            end => panic!("{end:?}"),
        }
        assert_eq!(world.effects().len(), usize::from(out));
    }
}

#[tokio::test]
async fn photos_that_facebook_drops_are_brought_again() {
    let world = World::new();
    let cx = world.cx();
    let due = cx.now() + TimeDelta::days(5);
    let post = hello().media(photo("A dot")).media(photo("Another"));
    let post = post.delivery(Delivery::At(due));
    let expired = r#"{"error":{"message":"Session has expired","code":190}}"#;
    world.sandbox.fault("/feed", Fault::Reply(400, expired));
    // Connected again two days later, after an upload that broke half-way.
    let error = world.facebook.publish(&cx, &post).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    world.clock.advance(TimeDelta::days(1));
    let second = FaultRule::on("/photos", Fault::StatusBefore(503)).after(1);
    world.sandbox.faults().add(second);
    world.facebook.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::days(1));
    let outcome = world.facebook.publish(&cx, &post).await.unwrap();
    assert_eq!(world.effects().len(), 1);
    let words: Vec<Value> = photos(&world)
        .iter()
        .map(|one| one["alt"].clone())
        .collect();
    assert_eq!(words, ["A dot", "Another"]);
    // Those of a post are kept, and not brought again.
    world.clock.advance(TimeDelta::days(2));
    world.sandbox.fault("/photos", Fault::StatusBefore(503));
    assert_eq!(world.facebook.publish(&cx, &post).await.unwrap(), outcome);
    assert!(world.sandbox.faults().hits().len() < 3);
}

fn photos_of(world: &World) -> Value {
    photos(world).remove(0)
}

#[tokio::test]
async fn photos_that_are_up_are_not_sent_again() {
    let world = World::new();
    let post = hello().media(photo("One")).media(photo("Two"));
    let cx = world.cx();
    let second = FaultRule::on("/photos", Fault::StatusBefore(503)).after(1);
    world.sandbox.faults().add(second);
    let error = world.facebook.publish(&cx, &post).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
    world.sandbox.fault("/feed", Fault::StatusBefore(429));
    world.facebook.publish(&cx, &post).await.unwrap_err();
    // Nothing of it is uploaded any more.
    world.sandbox.fault("/photos", Fault::Unauthorized);
    done(world.facebook.publish(&cx, &post).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(photos(&world).len(), 2);
}

#[tokio::test]
async fn videos_go_in_chunks_and_are_public_once_processed() {
    let world = World::new();
    let (_file, media) = film(20 * MIB + 5);
    let post = hello().media(media);
    let cx = world.cx();
    let outcome = world.facebook.publish(&cx, &post).await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    let receipt = world.public(&cx, outcome).await;
    let [effect] = world.effects().try_into().unwrap();
    assert_eq!(
        (&effect["kind"], &effect["message"]),
        (&"video".into(), &"Hello from Acme & friends".into())
    );
    let video = world.fake.media(&receipt.remote_id).unwrap();
    assert_eq!(
        (&video["bytes"], &video["chunks"]),
        (&(20 * MIB + 5).into(), &21.into())
    );
    let url = format!("https://www.facebook.com/videos/{}/", receipt.remote_id);
    assert_eq!(receipt.url, Some(url));
    let metrics = world.facebook.measure(&cx, &receipt).await.unwrap();
    assert_eq!(
        (metrics.views, metrics.reach, metrics.likes),
        (Some(42), Some(30), Some(11))
    );
    let error = world.facebook.edit(&cx, &receipt, "No").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    world.facebook.delete(&cx, &receipt).await.unwrap();
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn reels_go_whole_and_are_found_again() {
    let world = World::new();
    let (_file, media) = film(3 * MIB);
    let mut options = reel();
    options.place = Some("110".into());
    let post = with_options(hello().media(media), &options);
    let cx = world.cx();
    let at = cx.now();
    let outcome = world.facebook.publish(&cx, &post).await.unwrap();
    let key = "key".to_owned();
    let intent = Intent { key, post, at };
    let found = world.facebook.find(&cx, &intent).await.unwrap();
    assert_eq!(found, Lookup::Found(outcome.clone()));
    let receipt = world.public(&cx, outcome).await;
    let video = world.fake.media(&receipt.remote_id).unwrap();
    assert_eq!(
        (&video["bytes"], &video["title"]),
        (&(3 * MIB).into(), &"Behind the scenes".into())
    );
    let effect = &world.effects()[0];
    let expected = (&"reel".into(), &"110".into());
    assert_eq!((&effect["kind"], &effect["place"]), expected);
    let metrics = world.facebook.measure(&cx, &receipt).await.unwrap();
    assert_eq!((metrics.views, metrics.reach), (Some(42), Some(30)));
}

#[tokio::test]
async fn a_video_has_its_time_at_facebook_too() {
    for options in [reel(), FacebookOptions::default()] {
        let world = World::new();
        let (_file, media) = film(2048);
        let due = world.cx().now() + TimeDelta::hours(1);
        let post = hello().media(media).delivery(Delivery::At(due));
        let cx = world.cx();
        let post = with_options(post, &options);
        let Outcome::Accepted(handle) = world.facebook.publish(&cx, &post).await.unwrap() else {
            panic!("public before its time")
        };
        assert_eq!(handle.due, Some(due));
        for _ in 0..100 {
            let outcome = world.facebook.poll(&cx, &handle).await.unwrap();
            assert!(matches!(outcome, Outcome::Accepted(_)));
        }
        world.clock.advance(TimeDelta::hours(1));
        done(world.facebook.poll(&cx, &handle).await.unwrap());
        assert_eq!(world.effects().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_breaks_goes_on_where_facebook_wants_it() {
    for fault in [
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::StatusAfter(502),
        Fault::StatusBefore(503),
        Fault::HangAfter,
    ] {
        let world = World::new();
        let (_file, media) = film(3 * MIB);
        // Begin, first chunk, second chunk.
        let rule = FaultRule::on("/videos", fault.clone()).after(2);
        world.sandbox.faults().add(rule);
        let cx = world.cx();
        let outcome = world.facebook.publish(&cx, &hello().media(media)).await;
        let receipt = world.public(&cx, outcome.unwrap()).await;
        assert_eq!(world.sandbox.faults().hits().len(), 1, "{fault:?}");
        let video = world.fake.media(&receipt.remote_id).unwrap();
        assert_eq!(
            (&video["bytes"], &video["chunks"]),
            (&(3 * MIB).into(), &3.into())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_does_not_go_on_is_begun_anew() {
    let world = World::new();
    let (_file, media) = film(2 * MIB);
    let post = hello().media(media);
    let rule = FaultRule::on("/videos", Fault::StatusBefore(503))
        .after(1)
        .times(3);
    world.sandbox.faults().add(rule);
    let cx = world.cx();
    let error = world.facebook.publish(&cx, &post).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
    assert!(world.effects().is_empty());
    let outcome = world.facebook.publish(&cx, &post).await.unwrap();
    world.public(&cx, outcome).await;
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn making_a_video_public_is_asked_for_once() {
    for options in [reel(), FacebookOptions::default()] {
        let edge = if options.reel {
            "/video_reels"
        } else {
            "/videos"
        };
        // Begin and finish; the chunk of a video is between them.
        let before = if options.reel { 1 } else { 2 };
        for fault in [
            Fault::CutAfter,
            Fault::CutBefore,
            Fault::HangAfter,
            Fault::StatusAfter(500),
            Fault::StatusBefore(500),
            Fault::GarbageAfter,
            Fault::HalfAfter,
        ] {
            let world = World::new();
            let (_file, media) = film(2048);
            let post = with_options(hello().media(media), &options);
            let rule = FaultRule::on(edge, fault.clone());
            let rule = rule.method(Method::POST).after(before);
            world.sandbox.faults().add(rule);
            let cx = world.cx();
            let error = world.facebook.publish(&cx, &post).await.unwrap_err();
            assert!(error.is_unknown(), "{fault:?}: {error:?}");
            let outcome = world.facebook.publish(&cx, &post).await.unwrap();
            world.public(&cx, outcome).await;
            assert_eq!(world.effects().len(), 1, "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_video_that_is_refused_after_a_lost_answer_is_looked_for_again() {
    // How often its status does not show yet that it is going out.
    for unseen in [1, 2] {
        let world = World::new();
        let (_file, media) = film(2048);
        let post = hello().media(media);
        let finish = |fault| FaultRule::on("/videos", fault).method(Method::POST);
        world.sandbox.faults().add(finish(Fault::CutAfter).after(2));
        let cx = world.cx();
        let error = world.facebook.publish(&cx, &post).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        let early = r#"{"id":"1","status":{"video_status":"processing","publishing_phase":{"status":"not_started"}}}"#;
        let early = FaultRule::on("/v26.0/", Fault::Reply(200, early)).method(Method::GET);
        world.sandbox.faults().add(early.times(unseen));
        let over =
            r#"{"error":{"message":"Invalid upload session","code":100,"error_subcode":1363031}}"#;
        world.sandbox.faults().add(finish(Fault::Reply(400, over)));
        let mut sent = world.facebook.publish(&cx, &post).await;
        if unseen == 2 {
            let error = sent.unwrap_err();
            assert!(error.is_unknown(), "{error:?}");
            sent = world.facebook.publish(&cx, &post).await;
        }
        world.public(&cx, sent.unwrap()).await;
        assert_eq!(world.effects().len(), 1);
    }
}

#[tokio::test]
async fn what_cannot_be_processed_is_refused_with_its_reason() {
    let world = World::new();
    world.fake.fail_processing(1, "codec\nunknown");
    let (_file, media) = film(2048);
    let cx = world.cx();
    let outcome = world.facebook.publish(&cx, &hello().media(media)).await;
    let handle = accepted(outcome.unwrap());
    let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::InvalidInput, Retry::Never)
    );
    assert_eq!(error.rule(), Some("facebook.media_processing"));
    assert!(error.message().contains("codec unknown"), "{error}");
}

#[tokio::test]
async fn what_was_just_made_may_not_show_yet() {
    let world = World::new();
    let (_file, media) = film(2048);
    let cx = world.cx();
    let outcome = world.facebook.publish(&cx, &hello().media(media)).await;
    let handle = accepted(outcome.unwrap());
    world.fake.hide(2);
    let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // Later it is an answer.
    world.clock.advance(TimeDelta::minutes(6));
    world.fake.hide_objects(true);
    let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // Whether each video is listed before it is public, nobody knows.
    world.fake.delete_by_hand(&handle.remote_id);
    let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
}

#[tokio::test]
async fn a_video_that_is_waited_for_shows() {
    let world = World::new();
    let (_file, media) = film(2048);
    let cx = world.cx();
    let outcome = world.facebook.publish(&cx, &hello().media(media)).await;
    let handle = accepted(outcome.unwrap());
    world.fake.hide(1);
    world.facebook.poll(&cx, &handle).await.unwrap_err();
    world.facebook.poll(&cx, &handle).await.unwrap();
}

#[tokio::test]
async fn media_that_breaks_a_rule_is_refused_before_any_upload() {
    let world = World::new();
    let large = [JPEG, &vec![0; 4_000_000]].concat();
    let (_file, huge) = film(1_100_000_000);
    let (_short, film) = film(2048);
    let long = Media {
        seconds: Some(91.0),
        ..film.clone()
    };
    let liar = Media {
        kind: MediaKind::Image,
        ..film.clone()
    };
    let mut commented = hello().media(film);
    commented.base.first_comment = Some("First".into());
    for (post, rule) in [
        (
            hello().media(Media::image(large, "image/jpeg")),
            "media.bytes",
        ),
        (hello().media(huge), "media.bytes"),
        (
            hello().media(Media::image(&b"%PDF-1.4"[..], "image/png")),
            "media.kind",
        ),
        (
            with_options(hello().media(long), &reel()),
            "facebook.reel_seconds",
        ),
        (commented, "facebook.first_comment"),
        (hello().media(liar), "media.kind"),
    ] {
        let error = world
            .facebook
            .publish(&world.cx(), &post)
            .await
            .unwrap_err();
        assert_eq!(error.rule(), Some(rule), "{error:?}");
    }
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn the_token_goes_to_the_upload_host_alone() {
    let world = World::new();
    let (_file, media) = film(2048);
    let post = with_options(hello().media(media), &reel());
    for url in [
        "https://rupload.facebook.com.evil.example/video-upload/1",
        "http://rupload.facebook.com/1",
        "https://evil.example/1",
    ] {
        let reply = format!("{{\"video_id\":\"1\",\"upload_url\":\"{url}\"}}");
        let reply: &'static str = Box::leak(reply.into_boxed_str());
        world
            .sandbox
            .fault("/video_reels", Fault::Reply(200, reply));
        let error = world
            .facebook
            .publish(&world.cx(), &post)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedReply, "{url}");
    }
}

/// Its photos are uploaded anew by then, and it shows those that it was sent with.
#[tokio::test(start_paused = true)]
async fn a_lost_post_with_photos_is_found_a_day_later() {
    let world = World::new();
    let post = hello().media(photo("A dot"));
    let cx = world.cx();
    world.sandbox.fault("/feed", Fault::CutAfter);
    world.facebook.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(24));
    done(world.facebook.publish(&cx, &post).await.unwrap());
    assert_eq!(world.effects().len(), 1);
}
