//! What is in doubt, dead or out in part, as the platforms' own ways make it.

use automarket::{Media, content::MediaKind, publishing::PublishOptions};

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

#[tokio::test]
async fn a_thread_that_is_refused_in_part_is_published_and_can_be_taken_down() {
    let world = World::new("x").await;
    let mut post = Post::text("One");
    post.base.thread = Some(vec!["Two".into(), "Three".into()]);
    let (method, path) = world.connector.write.clone();
    // As of what somebody said by hand before.
    let said = r#"{"detail":"You are not allowed to create a Tweet with duplicate content."}"#;
    let twice = FaultRule::on(path, Fault::Reply(403, said));
    world.sandbox.faults().add(twice.after(2).method(method));
    let end = world.end(world.publish(post).await).await;
    assert_eq!(end.state, PublicationState::Published, "{end:?}");
    let why = end.receipt.as_ref().unwrap().thread_error().unwrap();
    assert_eq!(why.kind, ErrorKind::Duplicate);
    let events = world.tenant.events(0, 100).await.unwrap();
    let told = events.last().unwrap();
    assert_eq!(told.event.kind, "publication.published");
    assert_eq!(told.event.data["thread_error"]["kind"], "duplicate");
    let gone = world.delete(&end).await;
    assert_eq!(gone.state, PublicationState::Deleted, "{gone:?}");
    assert_eq!(world.effects(), 0);
}

#[tokio::test]
async fn a_thread_goes_on_without_the_media_of_what_is_out() {
    let world = World::new("x").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crab.png");
    std::fs::write(&file, b"\x89PNG\r\n\x1a\n").unwrap();
    let crab = Media::file(MediaKind::Image, &file).alt("A crab");
    let mut post = Post::text("One").media(crab);
    post.base.thread = Some(vec!["Two".into()]);
    let (method, path) = world.connector.write.clone();
    let limit = FaultRule::on(path, Fault::RateLimited(Some("86400")));
    world.sandbox.faults().add(limit.after(1).method(method));
    let post = world.publish(post).await;
    assert_eq!(world.turn(post).await.state, PublicationState::Scheduled);
    std::fs::remove_file(&file).unwrap();
    world.clock.advance(TimeDelta::hours(25));
    let end = world.end(post).await;
    assert_eq!(end.state, PublicationState::Published, "{end:?}");
    assert_eq!(end.receipt.unwrap().thread_error(), None);
    assert_eq!(world.effects(), 2);
}

#[tokio::test]
async fn a_deletion_whose_answer_gets_lost_is_told_from_a_record_that_is_gone() {
    for (fault, end) in [
        (Fault::CutAfter, PublicationState::Deleted),
        // Somebody took the record away: the network's post may stand.
        (Fault::Reply(404, "{}"), PublicationState::Published),
    ] {
        let world = World::new("mixpost").await;
        let published = world.end(world.publish(Post::text("Hello")).await).await;
        assert_eq!(published.state, PublicationState::Published);
        let rule = FaultRule::on("/posts/", fault).method("DELETE".parse().unwrap());
        world.sandbox.faults().add(rule);
        let job = world.tenant.delete(published.id).await.unwrap();
        let mut states = Vec::new();
        for _ in 0..2 {
            world.tenant.work_on(job, LEASE).await.unwrap();
            let all = world.tenant.publications(published.post).await;
            states.push(all.unwrap()[0].state);
            world.clock.advance(TimeDelta::hours(1));
        }
        assert_eq!(states, [PublicationState::Published, end]);
    }
}

#[tokio::test]
async fn a_deletion_that_a_queue_swallowed_ends_as_a_failure() {
    let world = World::new("mixpost").await;
    let published = world.end(world.publish(Post::text("Hello")).await).await;
    let queued = Fault::Reply(200, r#"{"deleting_from_social_platforms":"in_queue"}"#);
    let queued = FaultRule::on("/posts/", queued).method("DELETE".parse().unwrap());
    world.sandbox.faults().add(queued);
    let job = world.tenant.delete(published.id).await.unwrap();
    for _ in 0..30 {
        world.tenant.work_on(job, LEASE).await.unwrap();
        world.clock.advance(TimeDelta::hours(1));
    }
    let all = world.tenant.publications(published.post).await;
    assert_eq!(all.unwrap()[0].state, PublicationState::Published);
    let events = world.tenant.events(0, 100).await.unwrap();
    let told = events.last().unwrap();
    assert_eq!(told.event.kind, "publication.delete_failed");
    let remedy = told.event.data["error"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("by hand"), "{remedy}");
    assert_eq!(world.effects(), 1);
}

#[tokio::test]
async fn a_thread_that_credits_ended_goes_on_once_there_are_more() {
    let world = World::new("x").await;
    let mut post = Post::text("One");
    post.base.thread = Some(vec!["Two".into(), "Three".into()]);
    let broke = Fault::Reply(402, r#"{"title":"CreditsDepleted","status":402}"#);
    let broke = FaultRule::on("/2/tweets", broke);
    world.sandbox.faults().add(broke.after(1));
    let end = world.end(world.publish(post).await).await;
    assert_eq!(end.state, PublicationState::Unknown, "{end:?}");
    assert_eq!(end.error.as_ref().unwrap().kind, ErrorKind::QuotaExhausted);
    let resent = world.tenant.resend_unknown(end.id, "credits were bought");
    let end = world.end(resent.await.unwrap().post).await;
    assert_eq!(end.state, PublicationState::Published, "{end:?}");
    assert_eq!(end.receipt.unwrap().thread_error(), None);
    assert_eq!(world.effects(), 3);
}
