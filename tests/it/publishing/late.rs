//! What an outage met half-way: surely not out, it is missed; out in part, or perhaps, it is not.

use automarket::store::PublishingChange;
use serde_json::{Value, json};

use super::*;

/// A process that committed the intent in time, remembered this step, and was gone.
async fn gone(world: &World, step: &str, value: Value) -> PostId {
    let store = world.market().store();
    let due = store.now().await.unwrap() + chrono::Duration::hours(1);
    let post = world.publish(When::At(due)).await;
    world.clock.advance(chrono::Duration::hours(1));
    let mut begun = world.only(post).await;
    let claim = Claim::new("gone", 1).only(begun.job).lease(LEASE);
    let lease = store.claim(&claim).await.unwrap().remove(0);
    begun.state = PublicationState::Publishing;
    begun.sent_at = Some(begun.due);
    let change = PublishingChange {
        publications: vec![begun],
        ..PublishingChange::new(world.tenant.id().clone())
    };
    store.change_publishing(&change).await.unwrap();
    store.put_step(lease.token, step, &value).await.unwrap();
    post
}

#[tokio::test]
async fn what_was_begun_and_is_surely_not_out_is_missed_like_any_other() {
    for world in worlds().await {
        let post = gone(&world, "media", json!({ "kept": "m1" })).await;
        world.clock.advance(chrono::Duration::minutes(59));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);

        let post = gone(&world, "media", json!({ "kept": "m1" })).await;
        world.clock.advance(chrono::Duration::hours(10));
        let (late, job) = world.turn(post).await;
        assert_eq!(late.state, PublicationState::Missed);
        assert_eq!(job, JobState::Completed);
        assert_eq!(world.publisher.texts().len(), 1);
        // Somebody wants it all the same.
        world.tenant.retry(post).await.unwrap();
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_is_out_in_part_goes_on_however_late() {
    for world in worlds().await {
        let post = gone(&world, "thread.0", json!({ "done": 1 })).await;
        world.clock.advance(chrono::Duration::hours(10));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}
