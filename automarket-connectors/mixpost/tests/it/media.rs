//! Media on its way into the library.

use automarket_connector_mixpost::testing;
use automarket_core::{
    Bytes, ErrorKind, Media, Publisher, Retry, Url,
    content::{MediaKind, MediaSource},
    http::Guard,
    testing::{Fake as _, Fault, FaultRule},
};
use serde_json::json;

use crate::world::{World, hello, mixpost};

const MIB: usize = 1024 * 1024;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

pub(crate) fn video(bytes: usize) -> Media {
    let source = MediaSource::Bytes(Bytes::from(vec![7; bytes]));
    let mut media = Media::new(MediaKind::Video, source);
    media.mime = Some("video/mp4".into());
    media
}

#[tokio::test]
async fn bytes_files_and_addresses_end_in_the_post_in_order() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.png");
    std::fs::write(&path, b"png").unwrap();
    let mut file = Media::new(MediaKind::Image, MediaSource::File(path)).alt("Two");
    file.mime = Some("image/png".into());
    let post = hello()
        .media(Media::image(&b"jpg"[..], "image/jpeg").alt("One \"quoted\""))
        .media(file)
        .media(Media::address(
            MediaKind::Image,
            url("https://acme.dev/three.jpg"),
        ));
    let cx = world.x("k");
    world.mixpost.publish(&cx, &post).await.unwrap();
    let library = world.mixpost.media(&cx, 1).await.unwrap();
    let mut names: Vec<_> = library.items.iter().map(|m| m.name.as_str()).collect();
    names.reverse();
    assert_eq!(names, ["media.jpg", "two.png", "three.jpg"]);
    let alts: Vec<_> = library
        .items
        .iter()
        .rev()
        .map(|m| m.alt_text.as_deref())
        .collect();
    assert_eq!(alts, [Some("One \"quoted\""), Some("Two"), None]);
    let ids: Vec<u64> = library.items.iter().rev().map(|m| m.id).collect();
    assert_eq!(world.the_effect()["media"], json!(ids));
}

#[tokio::test]
async fn large_files_go_in_chunks_and_keep_their_alternative_text() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, vec![7; 21 * MIB]).unwrap();
    let mut file = Media::new(MediaKind::Video, MediaSource::File(path)).alt("A film");
    file.mime = Some("video/mp4".into());
    let cx = world.x("k");
    // The middle chunk is lost once: the attempt ends, nothing is posted, the next one does it.
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/upload", Fault::CutBefore).after(1));
    let post = hello().media(file);
    let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
    assert!(world.effects().is_empty());
    world.mixpost.publish(&cx, &post).await.unwrap();
    let library = world.mixpost.media(&cx, 1).await.unwrap();
    assert_eq!(library.items.len(), 1);
    assert_eq!(library.items[0].name, "film.mp4");
    assert_eq!(library.items[0].alt_text.as_deref(), Some("A film"));
    assert_eq!(world.the_effect()["media"], json!([library.items[0].id]));
}

#[tokio::test(start_paused = true)]
async fn large_addresses_are_waited_for_and_not_fetched_twice() {
    let world = World::new();
    let film = "https://acme.dev/film.mp4";
    world.fake.put_remote(film, "video/mp4", 50 * MIB as u64);
    let cx = world.x("k");
    let post = hello().media(Media::address(MediaKind::Video, url(film)));
    // While waiting, the instance goes away once: the next attempt asks for the same download.
    world.sandbox.fault("/status", Fault::StatusBefore(503));
    let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
    world.mixpost.publish(&cx, &post).await.unwrap();
    let library = world.mixpost.media(&cx, 1).await.unwrap();
    assert_eq!(library.items.len(), 1);
    assert_eq!(world.the_effect()["media"], json!([library.items[0].id]));
}

#[tokio::test(start_paused = true)]
async fn a_download_that_mixpost_forgot_is_begun_anew() {
    let film = "https://acme.dev/film.mp4";
    let post = hello().media(Media::address(MediaKind::Video, url(film)));
    type Lose = fn(&World);
    let cache: Lose = |world| world.fake.forget_downloads();
    // Mixpost tells the end once: if that is lost, it knows of none.
    let answer: Lose = |world| {
        let fault = FaultRule::on("/status", Fault::CutAfter);
        world.sandbox.faults().add(fault.after(1));
    };
    for lose in [cache, answer] {
        let world = World::new();
        world.fake.put_remote(film, "video/mp4", 50 * MIB as u64);
        let cx = world.x("k");
        let away = FaultRule::on("/status", Fault::StatusBefore(503));
        world.sandbox.faults().add(away);
        world.mixpost.publish(&cx, &post).await.unwrap_err();
        lose(&world);
        if let Err(error) = world.mixpost.publish(&cx, &post).await {
            assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
            world.mixpost.publish(&cx, &post).await.unwrap();
        }
        let newest = world.mixpost.media(&cx, 1).await.unwrap().items[0].id;
        assert_eq!(world.the_effect()["media"], json!([newest]));
    }
    // An instance that never knows what it fetches is asked three times.
    let world = World::new();
    world.fake.put_remote(film, "video/mp4", 50 * MIB as u64);
    let nothing = Fault::Reply(404, r#"{"status":"failed","error":"not found"}"#);
    let always = FaultRule::on("/status", nothing).times(u32::MAX);
    world.sandbox.faults().add(always);
    let cx = world.x("k");
    for _ in 0..2 {
        let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field(), error.retry()),
            (ErrorKind::InvalidInput, Some("media"), Retry::Never)
        );
    }
    let begun = world.fake.save()["downloads"].as_array().unwrap().len();
    assert_eq!((begun, world.effects().len()), (3, 0));
}

/// What the media's host or the line to it did says nothing of the file: the next try may bring it.
#[tokio::test(start_paused = true)]
async fn a_download_that_fails_is_tried_again() {
    let failed = r#"{"status":"failed","error":"cURL error 28: Operation timed out after 10001 milliseconds for https://acme.dev/large/type.mp4"}"#;
    let film = "https://acme.dev/film.mp4";
    let post = hello().media(Media::address(MediaKind::Video, url(film)));
    for (size, path) in [(MIB, "/initiate"), (50 * MIB, "/status")] {
        let world = World::new();
        world.fake.put_remote(film, "video/mp4", size as u64);
        world.sandbox.fault(path, Fault::Reply(200, failed));
        let cx = world.x("k");
        let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
        let told = (ErrorKind::Unavailable, Retry::After(None));
        assert_eq!((error.kind(), error.retry()), told, "{path}: {error:?}");
        assert!(error.message().contains("timed out"), "{error}");
        assert!(world.effects().is_empty());
        world.mixpost.publish(&cx, &post).await.unwrap();
        let newest = world.mixpost.media(&cx, 1).await.unwrap().items[0].id;
        assert_eq!(world.the_effect()["media"], json!([newest]));
    }
    // Mixpost may tell the same end for an hour: a file that it could not fetch is begun anew, three times in all.
    let world = World::new();
    world.fake.put_remote(film, "video/mp4", 50 * MIB as u64);
    let always = FaultRule::on("/status", Fault::Reply(200, failed)).times(u32::MAX);
    world.sandbox.faults().add(always);
    let cx = world.x("k");
    let mut kinds = Vec::new();
    for _ in 0..5 {
        let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
        kinds.push(error.kind());
    }
    assert_eq!(kinds[..3], [ErrorKind::Unavailable; 3]);
    assert_eq!(kinds[3..], [ErrorKind::InvalidInput; 2]);
    let begun = world.fake.save()["downloads"].as_array().unwrap().len();
    assert_eq!((begun, world.effects().len()), (3, 0));
}

#[tokio::test]
async fn refused_media_posts_nothing() {
    let large = |bytes: usize| {
        let source = MediaSource::Bytes(Bytes::from(vec![7; bytes]));
        Media::new(MediaKind::Image, source)
    };
    // Of unknown size: only the instance notices.
    let unmeasured = Media {
        bytes: None,
        ..large(5 * MIB + 1)
    };
    let missing = MediaSource::File("/nowhere/at.all".into());
    let document = MediaSource::Bytes(Bytes::from_static(b"%PDF"));
    for (media, field) in [
        (unmeasured, "file"),
        (large(5 * MIB + 1), "media"),
        (Media::image(&b"x"[..], "image/tiff"), "media"),
        (
            Media::address(MediaKind::Image, url("https://acme.dev/page")),
            "media",
        ),
        (Media::new(MediaKind::Image, missing), "media"),
        (Media::new(MediaKind::Document, document), "media"),
        (
            Media::image(&b"x"[..], "image/png").alt("é".repeat(256)),
            "media",
        ),
    ] {
        let world = World::new();
        let post = hello().media(media.clone());
        let error = world
            .mixpost
            .publish(&world.x("k"), &post)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field(), error.retry()),
            (ErrorKind::InvalidInput, Some(field), Retry::Never),
            "{media:?}: {error:?}"
        );
        assert!(world.effects().is_empty());
    }
}

#[tokio::test]
async fn older_instances_take_small_files_only() {
    let world = World::new();
    world.fake.set_old(true);
    for media in [
        video(11 * MIB),
        Media::address(MediaKind::Image, url("https://acme.dev/a.jpg")),
    ] {
        let post = hello().media(media);
        let error = world
            .mixpost
            .publish(&world.x("k"), &post)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    }
    let cx = world.x("small");
    world
        .mixpost
        .publish(&cx, &hello().media(video(3)))
        .await
        .unwrap();
    assert_eq!(world.the_effect()["accounts"], json!([testing::X_ACCOUNT]));
}

#[tokio::test]
async fn a_lost_answer_to_an_upload_is_sent_again() {
    let world = World::new();
    let cx = world.x("k");
    let post = hello().media(Media::image(&b"jpg"[..], "image/jpeg"));
    world.sandbox.fault("/media", Fault::CutAfter);
    let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
    world.mixpost.publish(&cx, &post).await.unwrap();
    world.the_effect();
}

#[tokio::test]
async fn what_only_our_network_reaches_is_not_handed_over() {
    let world = World::new();
    let any = FaultRule::on("", Fault::NotSent).times(u32::MAX);
    world.sandbox.faults().add(any);
    let post = |address: &str| {
        let media = Media::address(MediaKind::Image, address.parse().unwrap());
        hello().media(media.alt("A map"))
    };
    for address in [
        "http://169.254.169.254/latest/a.png",
        "https://10.0.0.7/a.png",
        "https://localhost/a.png",
    ] {
        let refused = world.mixpost.publish(&world.x("k"), &post(address)).await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{address}: {error:?}");
        assert_eq!(error.retry(), Retry::Never);
    }
    assert!(world.sandbox.faults().hits().is_empty(), "a request left");
    // The host says what else may be fetched.
    let guard = Guard::default().allow("10.0.0.0/8".parse().unwrap());
    let open = mixpost().with_guard(guard);
    let sent = open
        .publish(&world.x("k"), &post("https://10.0.0.7/a.png"))
        .await;
    sent.unwrap_err();
    assert_eq!(world.sandbox.faults().hits().len(), 1);
}
