//! Media on its way to LinkedIn.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use automarket_connector_linkedin::{LinkedInOptions, PLATFORM, testing};
use automarket_core::{
    ErrorKind, Media, Post, Publisher, Retry, TenantId,
    chrono::TimeDelta,
    content::{MediaKind, MediaSource, Variant},
    http_types::Method,
    testing::{Fault, FaultRule, LocalMediaHost},
};
use serde_json::{Value, json};

use crate::world::{World, done, hello};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";

fn photo(alt: &str) -> Media {
    Media::image(PNG, "image/png").alt(alt)
}

/// A file that begins as a film and is as large as is said.
pub(crate) fn film(bytes: u64) -> (tempfile::NamedTempFile, Media) {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"\0\0\0\x14ftypisom\0\0\x02\0isom\0\0\0\0mdat")
        .unwrap();
    file.as_file().set_len(bytes).unwrap();
    let media = Media::file(MediaKind::Video, file.path());
    (file, media)
}

fn pdf() -> Media {
    let source = MediaSource::Bytes("%PDF-1.4 a carousel".into());
    Media::new(MediaKind::Document, source)
}

/// What the fake knows of the file of the only post.
fn upload(world: &World) -> Value {
    let [post] = world.effects().try_into().unwrap();
    let urn = post["content"]["media"]["id"].as_str().unwrap().to_owned();
    world.fake.upload(&urn).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_image_or_several_are_shown_with_their_words() {
    let world = World::new();
    let one = hello().media(photo("A (small) dot"));
    done(world.linkedin.publish(&world.cx(), &one).await.unwrap());
    assert_eq!(upload(&world)["bytes"], PNG.len());
    assert_eq!(upload(&world)["owner"], testing::ORGANIZATION);
    let media = &world.effects()[0]["content"]["media"];
    assert_eq!(media["altText"], "A (small) dot");
    assert_eq!(media.get("title"), None);

    let mut three = Post::text("Three");
    for alt in ["One", "", "Three"] {
        three = three.media(photo(alt));
    }
    let three = three.link("https://acme.dev/3").unwrap();
    done(world.linkedin.publish(&world.cx(), &three).await.unwrap());
    let effects = world.effects();
    // Beside images a link stands in the text.
    assert_eq!(effects[1]["text"], "Three\n\nhttps://acme.dev/3");
    let images = effects[1]["content"]["multiImage"]["images"].as_array();
    let images = images.unwrap();
    assert_eq!(images.len(), 3);
    assert_eq!(images[0]["altText"], "One");
    assert_eq!(images[1].get("altText"), None);
    assert_ne!(images[0]["id"], images[2]["id"]);
}

#[tokio::test(start_paused = true)]
async fn a_card_shows_its_thumbnail() {
    let world = World::new();
    let options = LinkedInOptions {
        title: Some("Launch".into()),
        thumbnail: Some(photo("The rocket")),
        ..LinkedInOptions::default()
    };
    let mut variant = Variant::text("Read").with_options(&options).unwrap();
    variant.link = Some("https://acme.dev/blog/1".parse().unwrap());
    let post = Post::text("x").variant(PLATFORM, variant.clone());
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    let article = world.effects()[0]["content"]["article"].clone();
    let thumbnail = article["thumbnail"].as_str().unwrap();
    assert_eq!(world.fake.upload(thumbnail).unwrap()["bytes"], PNG.len());
    assert_eq!(article["thumbnailAltText"], "The rocket");

    let options = LinkedInOptions {
        thumbnail: Some(pdf()),
        ..options
    };
    let variant = variant.with_options(&options).unwrap();
    let post = Post::text("x").variant(PLATFORM, variant);
    let error = world
        .linkedin
        .publish(&world.cx(), &post)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn documents_have_a_title() {
    let world = World::new();
    let untitled = Post::text("Slides").media(pdf());
    let error = world
        .linkedin
        .publish(&world.cx(), &untitled)
        .await
        .unwrap_err();
    assert_eq!(error.rule(), Some("linkedin.document_title"));
    let mut named = pdf();
    named.name = Some("Slides (1).pdf".into());
    let post = Post::text("Slides").media(named.clone());
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    let options = LinkedInOptions {
        title: Some("Our slides".into()),
        ..LinkedInOptions::default()
    };
    let variant = Variant::text("Better slides")
        .with_options(&options)
        .unwrap();
    let post = Post::text("x").media(named).variant(PLATFORM, variant);
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    let effects = world.effects();
    assert_eq!(effects[0]["content"]["media"]["title"], "Slides (1).pdf");
    assert_eq!(effects[1]["content"]["media"]["title"], "Our slides");
}

#[tokio::test(start_paused = true)]
async fn films_go_in_the_parts_that_are_asked_for_and_are_waited_for() {
    let world = World::new();
    world.fake.set_processing(4);
    let (_file, media) = film(9 * 1024 * 1024 + 5);
    let post = Post::text("A film").media(media);
    done(world.linkedin.publish(&world.anna(), &post).await.unwrap());
    let upload = upload(&world);
    assert_eq!(upload["bytes"], 9 * 1024 * 1024 + 5);
    assert_eq!(upload["parts"], 3);
    assert_eq!(upload["owner"], testing::MEMBER);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_breaks_goes_on_at_the_part_that_is_missing() {
    let (_file, media) = film(9 * 1024 * 1024);
    let post = Post::text("A film").media(media);
    // The fault, the request it hits, and how many parts are left to send after it.
    let faults = [
        (
            Method::POST,
            "/rest/videos",
            0,
            Fault::RateLimited(Some("7")),
            3,
        ),
        (Method::PUT, "/dms-uploads", 1, Fault::CutAfter, 2),
        (Method::PUT, "/dms-uploads", 2, Fault::StatusBefore(503), 1),
        // The finalizing: done, and its answer lost.
        (Method::POST, "/rest/videos", 1, Fault::CutAfter, 0),
        (Method::POST, "/rest/videos", 1, Fault::StatusBefore(502), 0),
        (Method::GET, "/rest/videos", 0, Fault::StatusBefore(500), 0),
    ];
    for (method, path, after, fault, left) in faults {
        let world = World::new();
        let name = format!("{fault:?} at {path}, {after}");
        let rule = FaultRule::on(path, fault).method(method).after(after);
        world.sandbox.faults().add(rule);
        let cx = world.cx();
        let error = world.linkedin.publish(&cx, &post).await.unwrap_err();
        assert!(
            matches!(error.retry(), Retry::After(_)),
            "{name}: {error:?}"
        );
        assert!(world.effects().is_empty(), "{name}");
        let one_more = FaultRule::on("/dms-uploads", Fault::NotSent).after(left);
        world.sandbox.faults().add(one_more);
        done(world.linkedin.publish(&cx, &post).await.unwrap());
        assert_eq!(world.effects().len(), 1, "{name}");
        assert_eq!(upload(&world)["parts"], 3, "{name}");
        let hits = world.sandbox.faults().hits();
        assert_eq!(hits.len(), 1, "{name}: a part was sent again");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_file_was_replaced_is_begun_anew() {
    const MIB: u64 = 1024 * 1024;
    // What breaks, after how many requests: the second part, the finalizing, the waiting.
    let breaks = [
        (Method::PUT, "/dms-uploads", 1),
        (Method::POST, "/rest/videos", 1),
        (Method::GET, "/rest/videos", 0),
    ];
    for (method, path, after) in breaks {
        for bytes in [12 * MIB, 6 * MIB, 9 * MIB] {
            let world = World::new();
            let (file, media) = film(9 * MIB);
            let post = Post::text("A film").media(media);
            let rule = FaultRule::on(path, Fault::StatusBefore(503)).method(method.clone());
            world.sandbox.faults().add(rule.after(after));
            let cx = world.cx();
            let error = world.linkedin.publish(&cx, &post).await.unwrap_err();
            assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
            file.as_file().set_len(bytes).unwrap();
            let later = SystemTime::now() + Duration::from_secs(1);
            file.as_file().set_modified(later).unwrap();
            done(world.linkedin.publish(&cx, &post).await.unwrap());
            let upload = upload(&world);
            assert_eq!(upload["bytes"], bytes, "{path}");
            assert_eq!(upload["parts"], bytes.div_ceil(4 * MIB), "{path}");
            assert_eq!(world.fake.uploads(), 2, "{path}: one for each file");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_film_that_became_a_picture_goes_as_one() {
    let world = World::new();
    let (file, media) = film(80 * 1024);
    let post = Post::text("Look").media(media);
    let rule = FaultRule::on("/rest/videos", Fault::StatusBefore(503)).method(Method::GET);
    world.sandbox.faults().add(rule);
    let cx = world.cx();
    world.linkedin.publish(&cx, &post).await.unwrap_err();
    std::fs::write(file.path(), PNG).unwrap();
    done(world.linkedin.publish(&cx, &post).await.unwrap());
    assert_eq!(upload(&world)["bytes"], PNG.len());
}

#[tokio::test(start_paused = true)]
async fn addresses_that_ran_out_are_asked_for_again() {
    let world = World::new();
    let (_file, media) = film(5 * 1024 * 1024);
    let post = Post::text("A film").media(media);
    let cx = world.cx();
    let rule = FaultRule::on("/dms-uploads", Fault::NotSent).after(1);
    world.sandbox.faults().add(rule);
    world.linkedin.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(2));
    done(world.linkedin.publish(&cx, &post).await.unwrap());
    assert_eq!(upload(&world)["parts"], 2);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_refused_is_asked_for_again_and_not_for_ever() {
    let world = World::new();
    let (_file, media) = film(5 * 1024 * 1024);
    let post = Post::text("A film").media(media);
    let refusal = |times| {
        let rule = FaultRule::on("/dms-uploads", Fault::StatusBefore(401));
        world.sandbox.faults().add(rule.after(1).times(times));
    };
    refusal(1);
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    assert_eq!(upload(&world)["parts"], 2);
    // Nothing is out then, so a later attempt goes on.
    refusal(5);
    let post = Post::text("Another film").media(post.base.media.unwrap().remove(0));
    let cx = world.cx();
    let error = world.linkedin.publish(&cx, &post).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::UnexpectedReply, Retry::After(None))
    );
    assert!(error.message().contains("401"), "{error}");
    assert_eq!(world.effects().len(), 1);
    done(world.linkedin.publish(&cx, &post).await.unwrap());
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_film_that_linkedin_does_not_put_together_is_refused() {
    let world = World::new();
    let (_file, media) = film(80 * 1024);
    let post = Post::text("A film").media(media);
    let refusal = Fault::Reply(
        400,
        r#"{"status":400,"message":"The upload is not complete"}"#,
    );
    let rule = FaultRule::on("/rest/videos", refusal).method(Method::POST);
    world.sandbox.faults().add(rule.after(1));
    let error = world
        .linkedin
        .publish(&world.cx(), &post)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry(), error.operation()),
        (
            ErrorKind::InvalidInput,
            Retry::Never,
            Some("media.finalize")
        )
    );
    assert!(world.effects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_linkedin_cannot_process_is_refused_and_posts_nothing() {
    let (_file, media) = film(80 * 1024);
    for media in [media, photo("A dot")] {
        let world = World::new();
        world.fake.fail_processing(1, "UNSUPPORTED\nCODEC");
        let post = Post::text("Look").media(media);
        let error = world
            .linkedin
            .publish(&world.cx(), &post)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::InvalidInput, Retry::Never)
        );
        assert_eq!(error.rule(), Some("linkedin.media_processing"));
        assert!(error.message().contains("UNSUPPORTED CODEC"), "{error}");
        assert!(world.effects().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn long_processing_ends_the_attempt_and_the_next_goes_on() {
    let world = World::new();
    world.fake.set_processing(50);
    let (_file, media) = film(80 * 1024);
    let post = Post::text("A film").media(media);
    let cx = world.cx();
    let mut attempts = 1;
    while let Err(error) = world.linkedin.publish(&cx, &post).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(matches!(error.retry(), Retry::After(Some(_))), "{error:?}");
        attempts += 1;
        assert!(attempts < 10);
    }
    assert!(attempts > 1);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_member_who_may_not_ask_waits_a_while() {
    let world = World::new();
    let before = tokio::time::Instant::now();
    let post = hello().media(photo("A dot"));
    done(world.linkedin.publish(&world.anna(), &post).await.unwrap());
    assert_eq!(before.elapsed().as_secs(), 20);
    assert_eq!(upload(&world)["owner"], testing::MEMBER);
}

#[tokio::test(start_paused = true)]
async fn files_that_are_too_new_are_tried_again_for_a_while() {
    let world = World::new();
    world.fake.forbid_new_files(2);
    let post = hello().media(photo("A dot"));
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    world.fake.forbid_new_files(9);
    let post = Post::text("Another").media(photo("A dot"));
    let error = world
        .linkedin
        .publish(&world.cx(), &post)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Forbidden, Retry::Never)
    );
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_with_media_is_found_by_its_text_and_never_trusted_to_a_repeat() {
    let world = World::new();
    let cx = world.cx();
    world.sandbox.fault("/rest/posts", Fault::CutAfter);
    let post = hello().media(photo("A dot"));
    assert!(
        world
            .linkedin
            .publish(&cx, &post)
            .await
            .unwrap_err()
            .is_unknown()
    );
    done(world.linkedin.publish(&cx, &post).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    // Without a text it is known by its files alone.
    let silent = || Post::text("").media(photo("A dot"));
    for (fault, listed) in [
        (Fault::CutAfter, true),
        (Fault::CutAfter, false),
        (Fault::CutBefore, true),
    ] {
        let world = World::new();
        world.fake.set_takes_repeats(true);
        let cx = world.cx();
        let lost = FaultRule::on("/rest/posts", fault.clone()).method(Method::POST);
        world.sandbox.faults().add(lost);
        let first = world.linkedin.publish(&cx, &silent()).await;
        assert!(first.unwrap_err().is_unknown());
        let other = world.linkedin.publish(&world.cx(), &silent()).await;
        let other = done(other.unwrap()).remote_id;
        world.fake.hide_posts(if listed { 2 } else { 9 });
        match world.linkedin.publish(&cx, &silent()).await {
            Ok(outcome) => {
                assert_eq!((&fault, listed), (&Fault::CutAfter, true));
                assert_ne!(done(outcome).remote_id, other);
                assert_eq!(world.effects().len(), 2);
            }
            Err(error) => {
                assert_ne!((&fault, listed), (&Fault::CutAfter, true), "{error:?}");
                assert_eq!(error.kind(), ErrorKind::CannotTell, "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn media_has_rules_that_hold_before_anything_is_uploaded() {
    let world = World::new();
    world
        .sandbox
        .faults()
        .add(FaultRule::on("", Fault::NotSent).times(u32::MAX));
    let (_small, small) = film(1024);
    let (_huge, huge) = film(500_000_001);
    // 10,000 by 4,000.
    let wide = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x27\x10\0\0\x0f\xa0\x08\x06\0\0\0";
    let cases = [
        (vec![small], "linkedin.video_small"),
        (vec![huge], "media.bytes"),
        (
            vec![Media::image(&wide[..], "image/png")],
            "linkedin.pixels",
        ),
        (
            vec![Media::image(&b"II*\0"[..], "image/tiff")],
            "media.mime",
        ),
        (vec![photo("x"), pdf_named()], "media.mixed"),
        (vec![photo("x"); 21], "media.count"),
    ];
    for (media, rule) in cases {
        let post = media.into_iter().fold(Post::text("x"), Post::media);
        let error = world
            .linkedin
            .publish(&world.cx(), &post)
            .await
            .unwrap_err();
        assert_eq!(error.rule(), Some(rule), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert!(world.sandbox.faults().hits().is_empty());
}

fn pdf_named() -> Media {
    Media {
        name: Some("a.pdf".into()),
        ..pdf()
    }
}

#[tokio::test(start_paused = true)]
async fn media_of_the_host_is_read_where_it_is() {
    let world = World::new();
    let host = LocalMediaHost::new();
    host.put(&TenantId::new("acme").unwrap(), "photo", PNG);
    let cx = world.cx().with_media_host(Arc::new(host));
    let post = hello().media(Media::host(MediaKind::Image, "photo").alt("A dot"));
    done(world.linkedin.publish(&cx, &post).await.unwrap());
    assert_eq!(upload(&world)["bytes"], json!(PNG.len()));
}
