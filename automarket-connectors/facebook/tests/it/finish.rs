//! The call that makes what was brought public.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use automarket_connector_facebook::FacebookOptions;
use automarket_core::{
    ErrorKind, Publisher, Result, Retry, async_trait,
    chrono::TimeDelta,
    http::Exchanges,
    http_types::Method,
    steps::{MemorySteps, OVER, Steps},
    testing::{Fault, FaultRule},
};
use serde_json::Value;

use crate::{
    media::{film, photo, reel},
    world::{World, accepted, hello, with_options},
};

const UNSEEN: &str = r#"{"error":{"message":"Unsupported post request. Object with ID '1' does not exist, cannot be loaded due to missing permissions","code":100,"error_subcode":33}}"#;

/// The edge of these options, and how many writes there come before the finish.
fn finish_of(options: &FacebookOptions) -> (&'static str, u32) {
    match options.reel {
        true => ("/video_reels", 1),
        false => ("/videos", 2),
    }
}

/// Steps that may be over.
#[derive(Default)]
struct Late(MemorySteps, AtomicBool);

#[async_trait]
impl Steps for Late {
    async fn get(&self, name: &str) -> Result<Option<Value>> {
        self.0.get(name).await
    }
    async fn put(&self, name: &str, value: &Value) -> Result<()> {
        self.0.put(name, value).await
    }
    fn is_over(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_brought_a_moment_ago_and_is_not_seen_yet_is_waited_for() {
    let plain = FacebookOptions::default();
    let (_file, video) = film(2048);
    let finish = finish_of(&plain);
    let reel_finish = finish_of(&reel());
    for (media, options, (edge, before)) in [
        (photo("A dot"), &plain, ("/feed", 0)),
        (video.clone(), &plain, finish),
        (video.clone(), &reel(), reel_finish),
    ] {
        // A moment, longer than an attempt, and for good.
        for times in [1, 4, 99] {
            let world = World::new();
            let post = with_options(hello().media(media.clone()), options);
            let rule = FaultRule::on(edge, Fault::Reply(400, UNSEEN)).method(Method::POST);
            world.sandbox.faults().add(rule.after(before).times(times));
            let cx = world.cx();
            let mut end = world.facebook.publish(&cx, &post).await;
            if times > 1 {
                let later = end.unwrap_err().retry();
                assert!(matches!(later, Retry::After(Some(_))), "{edge} {later:?}");
                world.clock.advance(TimeDelta::minutes(11));
                end = world.facebook.publish(&cx, &post).await;
            }
            if times > 4 {
                let error = end.unwrap_err();
                let expected = (ErrorKind::NotFound, Retry::Never);
                assert_eq!((error.kind(), error.retry()), expected);
                continue;
            }
            world.public(&cx, end.unwrap()).await;
            assert_eq!(world.effects().len(), 1, "{edge}");
        }
    }
}

/// Of a page that the token may not see any more Meta says the same.
#[tokio::test(start_paused = true)]
async fn a_page_that_is_not_to_be_seen_is_to_be_connected_again() {
    let (_file, video) = film(2048);
    let reel = with_options(hello().media(video.clone()), &reel());
    for (post, edge) in [
        (hello(), "/feed"),
        (hello().media(photo("A dot")), "/photos"),
        (hello().media(video), "/videos"),
        (reel, "/video_reels"),
    ] {
        let world = World::new();
        world.sandbox.fault(edge, Fault::Reply(400, UNSEEN));
        let end = world.facebook.publish(&world.cx(), &post).await;
        let error = end.unwrap_err();
        let expected = (ErrorKind::Unauthorized, Retry::Never);
        assert_eq!((error.kind(), error.retry()), expected, "{edge}");
        assert_eq!(error.remedy(), Some("connect the account again"));
    }
    // It may be the place that is not there.
    let world = World::new();
    let place = FacebookOptions {
        place: Some("42".into()),
        ..FacebookOptions::default()
    };
    world.sandbox.fault("/feed", Fault::Reply(400, UNSEEN));
    let post = with_options(hello(), &place);
    let end = world.facebook.publish(&world.cx(), &post).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_finish_that_does_not_show_yet_when_it_is_too_late_is_not_said_to_be_missed() {
    let early = r#"{"id":"1","status":{"video_status":"processing","processing_phase":{"status":"in_progress"},"publishing_phase":{"status":"not_started"}}}"#;
    for options in [reel(), FacebookOptions::default()] {
        for fault in [Fault::CutAfter, Fault::CutBefore] {
            let arrived = matches!(fault, Fault::CutAfter);
            let world = World::new();
            let (_file, media) = film(2048);
            let post = with_options(hello().media(media), &options);
            let (edge, before) = finish_of(&options);
            let rule = FaultRule::on(edge, fault).method(Method::POST);
            world.sandbox.faults().add(rule.after(before));
            let steps = Arc::new(Late::default());
            let cx = world.cx().with_steps(steps.clone());
            let error = world.facebook.publish(&cx, &post).await.unwrap_err();
            assert!(error.is_unknown(), "{error:?}");
            steps.1.store(true, Ordering::Relaxed);
            if arrived {
                let early = FaultRule::on("/v26.0/", Fault::Reply(200, early));
                world.sandbox.faults().add(early.method(Method::GET));
            }
            let error = world.facebook.publish(&cx, &post).await.unwrap_err();
            assert!(error.is_unknown(), "{error:?}");
            world.clock.advance(TimeDelta::minutes(11));
            let end = world.facebook.publish(&cx, &post).await;
            if arrived {
                world.public(&cx, end.unwrap()).await;
            } else {
                // The upload lies there as it was.
                let error = end.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TooLate);
                assert_eq!(error.rule(), Some(OVER));
            }
            assert_eq!(world.effects().len(), usize::from(arrived));
        }
    }
}

/// Facebook drops what was uploaded and is not finished.
#[tokio::test(start_paused = true)]
async fn a_video_that_waits_for_days_is_brought_again_and_one_that_may_be_out_is_not() {
    let expired = r#"{"error":{"message":"Session has expired","code":190}}"#;
    for options in [reel(), FacebookOptions::default()] {
        for (fault, days, uploads) in [
            (Fault::Reply(400, expired), 0, 1),
            (Fault::Reply(400, expired), 5, 2),
            (Fault::CutBefore, 5, 2),
            (Fault::CutAfter, 5, 1),
        ] {
            let world = World::new();
            let exchanges = Exchanges::default();
            let cx = world.cx().with_exchanges(exchanges.clone());
            let (_file, media) = film(2048);
            let post = with_options(hello().media(media), &options);
            let (edge, before) = finish_of(&options);
            let rule = FaultRule::on(edge, fault).method(Method::POST);
            world.sandbox.faults().add(rule.after(before));
            world.facebook.publish(&cx, &post).await.unwrap_err();
            // Connected again.
            world.clock.advance(TimeDelta::days(days));
            let end = world.facebook.publish(&cx, &post).await.unwrap();
            // What is done is not done again, however old it is then.
            world.clock.advance(TimeDelta::days(5));
            assert_eq!(world.facebook.publish(&cx, &post).await.unwrap(), end);
            world.public(&cx, end).await;
            assert_eq!(world.effects().len(), 1);
            let (asked, _) = exchanges.take();
            let starts = asked.iter().filter(|one| one.operation.ends_with(".start"));
            assert_eq!(starts.count(), uploads);
        }
    }
}

/// A finish of a moment ago does not show yet, and the upload looks as if nobody had touched it.
#[tokio::test(start_paused = true)]
async fn a_finish_shortly_before_its_upload_is_too_old_is_given_time_to_show() {
    let untouched = r#"{"id":"1","status":{"video_status":"upload_complete"}}"#;
    for options in [reel(), FacebookOptions::default()] {
        let world = World::new();
        let exchanges = Exchanges::default();
        let cx = world.cx().with_exchanges(exchanges.clone());
        let (_file, media) = film(2048);
        let post = with_options(hello().media(media), &options);
        let (edge, before) = finish_of(&options);
        for (fault, before, minutes) in [
            (Fault::RateLimited(None), before, 22 * 60 + 59),
            (Fault::CutAfter, 0, 2),
        ] {
            let rule = FaultRule::on(edge, fault).method(Method::POST);
            world.sandbox.faults().add(rule.after(before));
            world.facebook.publish(&cx, &post).await.unwrap_err();
            world.clock.advance(TimeDelta::minutes(minutes));
        }
        let early = FaultRule::on("/v26.0/", Fault::Reply(200, untouched));
        world.sandbox.faults().add(early.method(Method::GET));
        let error = world.facebook.publish(&cx, &post).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        let end = world.facebook.publish(&cx, &post).await.unwrap();
        world.public(&cx, end).await;
        assert_eq!(world.effects().len(), 1);
        let (asked, _) = exchanges.take();
        let starts = asked.iter().filter(|one| one.operation.ends_with(".start"));
        assert_eq!(starts.count(), 1);
    }
}

/// The version before did not say when a video was uploaded.
#[tokio::test(start_paused = true)]
async fn an_upload_of_the_version_before_is_finished() {
    for (hours, uploads) in [(1, 1), (30, 2)] {
        let world = World::new();
        let (steps, exchanges) = (Arc::new(Late::default()), Exchanges::default());
        let cx = world.cx().with_steps(steps.clone());
        let cx = cx.with_exchanges(exchanges.clone());
        let (_file, media) = film(2048);
        let post = hello().media(media);
        let (edge, before) = finish_of(&FacebookOptions::default());
        let rule = FaultRule::on(edge, Fault::RateLimited(None)).method(Method::POST);
        world.sandbox.faults().add(rule.after(before));
        world.facebook.publish(&cx, &post).await.unwrap_err();
        let mut row = steps.get("facebook.video").await.unwrap().unwrap();
        row["kept"].as_object_mut().unwrap().remove("at").unwrap();
        steps.put("facebook.video", &row).await.unwrap();
        world.clock.advance(TimeDelta::hours(hours));
        world.facebook.publish(&cx, &post).await.unwrap();
        assert_eq!(world.effects().len(), 1);
        let (asked, _) = exchanges.take();
        let starts = asked.iter().filter(|one| one.operation == "videos.start");
        assert_eq!(starts.count(), uploads);
    }
}

#[tokio::test]
async fn what_facebook_has_dropped_is_not_said_to_be_of_the_wrong_format() {
    let world = World::new();
    let (_file, media) = film(2048);
    let cx = world.cx();
    let outcome = world.facebook.publish(&cx, &hello().media(media)).await;
    let handle = accepted(outcome.unwrap());
    let dropped = r#"{"id":"1","status":{"video_status":"expired"}}"#;
    let dropped = FaultRule::on("/v26.0/", Fault::Reply(200, dropped));
    world.sandbox.faults().add(dropped.method(Method::GET));
    let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.remedy().unwrap().contains("post it again"));
}
