//! What is in doubt, dead or out in part, as the platforms' own ways make it.

use automarket::publishing::PublishOptions;

use super::*;

#[tokio::test]
async fn a_container_that_ran_out_while_nobody_was_there_is_missed() {
    let world = World::new("instagram").await;
    let lost = FaultRule::on("/media_publish", Fault::CutBefore);
    world.sandbox.faults().add(lost);
    let post = world.publish((world.connector.post)("We shipped")).await;
    assert_eq!(world.turn(post).await.state, PublicationState::Publishing);
    world.clock.advance(TimeDelta::hours(30));
    let late = world.turn(post).await;
    assert_eq!(late.state, PublicationState::Missed, "{late:?}");
    assert_eq!(world.effects(), 0);
}

#[tokio::test]
async fn a_container_that_ran_out_is_no_post_that_is_out() {
    let world = World::new("instagram").await;
    let lost = FaultRule::on("/media_publish", Fault::CutBefore);
    world.sandbox.faults().add(lost);
    let (post, accounts) = ((world.connector.post)("We shipped"), [world.account.id]);
    let patient = PublishOptions::new().publish_if_within(Duration::from_secs(40 * 3600));
    let post = world
        .tenant
        .publish_with(post, accounts, When::Now, patient);
    let post = post.await.unwrap();
    world.turn(post).await;
    // There is time for another container, and its publishing is put off.
    world.clock.advance(TimeDelta::hours(30));
    let slow = FaultRule::on("/media_publish", Fault::RateLimited(Some("72000")));
    world.sandbox.faults().add(slow);
    let waits = world.turn(post).await;
    assert_eq!(waits.state, PublicationState::Scheduled, "{waits:?}");
    world.clock.advance(TimeDelta::hours(20));
    let late = world.turn(post).await;
    assert_eq!(late.state, PublicationState::Missed, "{late:?}");
    assert_eq!(world.effects(), 0);
}
