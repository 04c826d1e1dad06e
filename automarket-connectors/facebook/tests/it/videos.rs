//! What becomes of a video's finish.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use automarket_connector_facebook::FacebookOptions;
use automarket_core::{
    ErrorKind, Publisher, Result, async_trait,
    chrono::TimeDelta,
    http_types::Method,
    steps::{MemorySteps, OVER, Steps},
    testing::{Fault, FaultRule},
};
use serde_json::Value;

use crate::{
    media::{film, reel},
    world::{World, hello, with_options},
};

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
