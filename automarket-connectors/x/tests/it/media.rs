//! Media on its way to X.

use automarket_core::{
    Context, ErrorKind, Media, Post, Publisher, Retry, TenantId,
    chrono::TimeDelta,
    content::MediaKind,
    http_types::Method,
    store::Account,
    testing::{Fault, FaultRule, LocalMediaHost},
};
use std::sync::Arc;

use crate::world::{World, done};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";

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

fn uploads(world: &World) -> Vec<serde_json::Value> {
    let effects = world.effects();
    let ids = effects[0]["media"].as_array().unwrap();
    ids.iter()
        .map(|id| world.fake.upload(id.as_str().unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn images_go_whole_with_their_words() {
    let world = World::new();
    let post = Post::text("Two pictures")
        .media(Media::image(PNG, "image/png").alt("A dot"))
        .media(Media::image(PNG, "image/png").alt("Another"));
    done(world.x.publish(&world.cx(), &post).await.unwrap());
    let uploads = uploads(&world);
    assert_eq!(uploads.len(), 2);
    assert_eq!(uploads[0]["category"], "tweet_image");
    assert_eq!(uploads[0]["bytes"], PNG.len());
    assert_eq!(
        (&uploads[0]["alt"], &uploads[1]["alt"]),
        (&"A dot".into(), &"Another".into())
    );
}

#[tokio::test(start_paused = true)]
async fn films_go_in_chunks_and_are_waited_for() {
    let world = World::new();
    let (_file, media) = film(20 * 1024 * 1024 + 5);
    let post = Post::text("A film").media(media.alt("A film"));
    done(world.x.publish(&world.cx(), &post).await.unwrap());
    let [upload] = uploads(&world).try_into().unwrap();
    assert_eq!(upload["bytes"], 20 * 1024 * 1024 + 5);
    assert_eq!(upload["segments"], 21);
    assert_eq!(upload["category"], "tweet_video");
    assert_eq!(upload["alt"], "A film");
    let receipt_views = {
        let effects = world.effects();
        let receipt = automarket_core::Receipt::new(effects[0]["id"].as_str().unwrap());
        world.x.measure(&world.cx(), &receipt).await.unwrap().views
    };
    assert_eq!(receipt_views, Some(42));
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_breaks_is_begun_anew_and_one_that_is_done_is_not() {
    let world = World::new();
    let (_file, media) = film(3 * 1024 * 1024);
    let post = Post::text("Mixed up").media(media);
    for (path, fault) in [
        ("/append", Fault::CutAfter),
        ("/append", Fault::StatusBefore(503)),
        ("/finalize", Fault::CutBefore),
        ("/initialize", Fault::RateLimited(Some("7"))),
    ] {
        let cx = world.cx();
        let rule = FaultRule::on(path, fault).after(u32::from(path == "/append"));
        world.sandbox.faults().add(rule);
        let error = world.x.publish(&cx, &post).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(_)), "{error:?}");
        assert!(world.effects().is_empty(), "{path}");
        // Done now, and lost before it is posted.
        world.sandbox.fault("/2/tweets", Fault::StatusBefore(429));
        world.x.publish(&cx, &post).await.unwrap_err();
        world.sandbox.fault("/2/media", Fault::NotSent);
        done(world.x.publish(&cx, &post).await.unwrap());
        let [upload] = uploads(&world).try_into().unwrap();
        assert_eq!(upload["segments"], 3);
        let id = world.effects()[0]["id"].as_str().unwrap().to_owned();
        world
            .x
            .delete(&cx, &automarket_core::Receipt::new(id))
            .await
            .unwrap();
        // The fault that nothing met would hit the next round.
        let gone = world.x.publish(&world.cx(), &post).await;
        assert!(gone.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn what_x_cannot_process_is_refused_and_posts_nothing() {
    let world = World::new();
    world.fake.fail_processing(1, "file is currupt\n");
    let (_file, media) = film(2048);
    let post = Post::text("A film").media(media);
    let error = world.x.publish(&world.cx(), &post).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::InvalidInput, Retry::Never)
    );
    assert_eq!(error.rule(), Some("x.media_processing"));
    assert!(error.message().contains("file is currupt"), "{error}");
    assert!(world.effects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn long_processing_ends_the_attempt_and_the_next_goes_on() {
    let world = World::new();
    world.fake.set_processing(40);
    let (_file, media) = film(2048);
    let post = Post::text("A film").media(media);
    let cx = world.cx();
    let mut attempts = 0;
    let receipt = loop {
        attempts += 1;
        assert!(attempts < 10);
        match world.x.publish(&cx, &post).await {
            Ok(outcome) => break done(outcome),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                assert!(matches!(error.retry(), Retry::After(Some(_))), "{error:?}");
            }
        }
    };
    assert!(attempts > 1);
    assert_eq!(world.effects().len(), 1);
    assert!(!receipt.remote_id.is_empty());
}

#[tokio::test]
async fn uploads_that_ran_out_are_made_again() {
    let world = World::new();
    let post = Post::text("A picture").media(Media::image(PNG, "image/png").alt("A dot"));
    let cx = world.cx();
    world.sandbox.fault("/2/tweets", Fault::RateLimited(None));
    world.x.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(30));
    done(world.x.publish(&cx, &post).await.unwrap());
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn uploads_that_ran_out_before_they_were_ready_are_made_again() {
    let world = World::new();
    let (_file, film) = film(2048);
    let picture = Media::image(PNG, "image/png").alt("A dot");
    world
        .sandbox
        .fault("/2/media/metadata", Fault::StatusBefore(401));
    world.fake.set_processing(40);
    for (text, media, kind) in [
        ("A picture", picture, ErrorKind::Unauthorized),
        ("A film", film, ErrorKind::Unavailable),
    ] {
        let post = Post::text(text).media(media);
        let cx = world.cx();
        let error = world.x.publish(&cx, &post).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        // The account is connected again; the workers are back.
        world.clock.advance(TimeDelta::hours(30));
        world.fake.set_processing(2);
        done(world.x.publish(&cx, &post).await.unwrap());
        world.fake.set_processing(40);
    }
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn media_of_a_part_that_is_out_is_not_brought_again() {
    let world = World::new();
    let (file, media) = film(2048);
    let mut post = Post::text("A film").media(media);
    post.base.thread = Some(vec!["And more".into()]);
    let cx = world.cx();
    let limit = FaultRule::on("/2/tweets", Fault::RateLimited(Some("86400"))).after(1);
    world.sandbox.faults().add(limit);
    world.x.publish(&cx, &post).await.unwrap_err();
    assert_eq!(world.effects().len(), 1);
    // By then the upload has run out, and the file is gone.
    world.clock.advance(TimeDelta::hours(30));
    drop(file);
    done(world.x.publish(&cx, &post).await.unwrap());
    assert_eq!(world.chain(), ["A film", "And more"]);
}

/// What was attached is ours, however long ago, and whatever became of the file since.
#[tokio::test(start_paused = true)]
async fn a_lost_post_is_known_by_media_that_ran_out() {
    for text in ["A film", ""] {
        let world = World::new();
        world.fake.set_takes_repeats(true);
        let (file, media) = film(2048);
        let post = Post::text(text).media(media);
        let cx = world.cx();
        let lost = FaultRule::on("/2/tweets", Fault::CutAfter).method(Method::POST);
        world.sandbox.faults().add(lost);
        world.x.publish(&cx, &post).await.unwrap_err();
        world.clock.advance(TimeDelta::hours(25));
        drop(file);
        let receipt = done(world.x.publish(&cx, &post).await.unwrap());
        assert_eq!(world.effects().len(), 1);
        assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
    }
}

/// Only what is to be sent once more has its media brought again.
#[tokio::test(start_paused = true)]
async fn a_post_that_is_not_there_is_sent_with_media_that_are_not_over() {
    let world = World::new();
    let (file, media) = film(2048);
    let post = Post::text("A film").media(media.clone());
    let cx = world.cx();
    let lost = FaultRule::on("/2/tweets", Fault::CutBefore).method(Method::POST);
    world.sandbox.faults().add(lost);
    world.x.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(25));
    let later = FaultRule::on("/initialize", Fault::StatusBefore(503));
    world.sandbox.faults().add(later);
    let error = world.x.publish(&cx, &post).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    done(world.x.publish(&cx, &post).await.unwrap());
    let [upload] = uploads(&world).try_into().unwrap();
    assert_eq!(upload["bytes"], 2048);

    // It may be out all the same: that the file is gone is no proof.
    let cx = world.cx();
    let post = Post::text("Again").media(media);
    let lost = FaultRule::on("/2/tweets", Fault::CutBefore).method(Method::POST);
    world.sandbox.faults().add(lost);
    world.x.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(25));
    drop(file);
    let error = world.x.publish(&cx, &post).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    assert_eq!(world.effects().len(), 1);
}

/// An answer of success may hold an error.
#[tokio::test(start_paused = true)]
async fn errors_in_answers_about_media_are_no_success() {
    let busy = r#"{"errors":[{"detail":"over capacity","status":503}]}"#;
    let (_file, film) = film(2048);
    for path in ["/2/media/metadata", "/append", "/initialize", "/finalize"] {
        let world = World::new();
        world.sandbox.fault(path, Fault::Reply(200, busy));
        let post = Post::text("A film").media(film.clone().alt("A film"));
        let cx = world.cx();
        let error = world.x.publish(&cx, &post).await.unwrap_err();
        assert_eq!(error.retry(), Retry::After(None), "{error:?}");
        assert!(error.message().contains("over capacity"), "{error:?}");
        assert!(world.effects().is_empty());
        done(world.x.publish(&cx, &post).await.unwrap());
        assert_eq!(uploads(&world)[0]["alt"], "A film");
    }
    // Where nothing went wrong nothing need be said.
    let world = World::new();
    let silent = Fault::Reply(200, "");
    world.sandbox.fault("/2/media/metadata", silent);
    let post = Post::text("A film").media(film.alt("A film"));
    done(world.x.publish(&world.cx(), &post).await.unwrap());
}

#[tokio::test]
async fn media_is_judged_by_what_it_is_before_it_is_uploaded() {
    let world = World::new();
    world
        .sandbox
        .faults()
        .add(FaultRule::on("", Fault::NotSent).times(u32::MAX));
    let large = [PNG, &vec![0; 5_000_000]].concat();
    let (_file, huge) = film(600_000_000);
    for (media, rule) in [
        (Media::image(large, "image/png"), "media.bytes"),
        (huge, "media.bytes"),
        (Media::image(&b"II*\0"[..], "image/png"), "media.mime"),
        (Media::image(&b"%PDF-1.4"[..], "image/png"), "media.kind"),
        (
            Media::image(&b"GIF89a\x20\x0f\x58\x02"[..], "image/png"),
            "media.pixels",
        ),
    ] {
        let post = Post::text("x").media(media);
        let error = world.x.publish(&world.cx(), &post).await.unwrap_err();
        assert_eq!(error.rule(), Some(rule), "{error:?}");
    }
    assert!(world.sandbox.faults().hits().is_empty());
}

#[tokio::test]
async fn media_of_the_host_is_read_where_it_is() {
    let world = World::new();
    let host = LocalMediaHost::new();
    host.put(&TenantId::new("acme").unwrap(), "photo", PNG);
    let cx: Context = world.cx().with_media_host(Arc::new(host));
    let _: &Account = cx.account().unwrap();
    let post = Post::text("x").media(Media::host(MediaKind::Image, "photo").alt("A dot"));
    done(world.x.publish(&cx, &post).await.unwrap());
    assert_eq!(uploads(&world)[0]["bytes"], PNG.len());
}
