//! Somebody has to say yes.

use super::*;

fn asked() -> PublishOptions {
    PublishOptions::new().needs_approval()
}

fn state_of(error: &Error) -> Option<PublicationState> {
    TooLate::of(error).map(|late| late.state)
}

#[tokio::test]
async fn nothing_is_sent_before_somebody_says_yes() {
    for world in all_worlds().await {
        let post = world.publish_with(When::Now, asked()).await;
        let waiting = world.only(post).await;
        assert_eq!(waiting.state, PublicationState::AwaitingApproval);
        world.advance(chrono::Duration::days(3)).await;
        let job = world.market().store().job(world.tenant.id(), waiting.job);
        assert_eq!(
            job.await.unwrap(),
            None,
            "what is for now is never too late"
        );
        let approved = world.tenant.approve(post, "ada", Some("fine")).await;
        assert_eq!(approved.unwrap()[0].state, PublicationState::Scheduled);
        let (published, _) = world.turn(post).await;
        assert_eq!(published.state, PublicationState::Published);
        let events = world.tenant.events(0, 100).await.unwrap();
        let yes = events
            .iter()
            .find(|e| e.event.kind == "publication.approved");
        let data = &yes.unwrap().event.data;
        assert_eq!(
            (&data["by"], &data["note"]),
            (&"ada".into(), &"fine".into())
        );
    }
}

#[tokio::test]
async fn what_nobody_approves_in_time_is_missed() {
    for world in all_worlds().await {
        let post = world
            .publish_with(at("2027-01-11T10:00:00Z"), asked())
            .await;
        assert_eq!(
            world.turn(post).await.0.state,
            PublicationState::AwaitingApproval
        );
        world.advance(chrono::Duration::minutes(121)).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Missed);
        let refused = world.tenant.approve(post, "ada", None).await.unwrap_err();
        assert_eq!(state_of(&refused), Some(PublicationState::Missed));

        // Also when the yes comes before a worker does.
        let post = world
            .publish_with(at("2027-01-11T12:00:00Z"), asked())
            .await;
        world.advance(chrono::Duration::minutes(121)).await;
        let late = world.tenant.approve(post, "ada", None).await.unwrap();
        assert_eq!(late[0].state, PublicationState::Missed);
        assert!(world.publisher.texts().is_empty());
    }
}

#[tokio::test]
async fn of_two_who_say_yes_one_is_told_that_it_was_said() {
    for world in all_worlds().await {
        let post = world.publish_with(When::Now, asked()).await;
        let elsewhere = world.elsewhere().await;
        let (one, two) = tokio::join!(
            world.tenant.approve(post, "ada", None),
            elsewhere.approve(post, "bob", None)
        );
        assert_eq!(one.is_ok() as u8 + two.is_ok() as u8, 1);
        let refused = one.err().or(two.err()).unwrap();
        assert_eq!(refused.kind(), ErrorKind::TooLate);
        assert_eq!(state_of(&refused), Some(PublicationState::Scheduled));
        world.turn(post).await;
        assert_eq!(world.publisher.texts().len(), 1);
        let yes = world.kinds().await;
        assert_eq!(yes.iter().filter(|kind| *kind == "approved").count(), 1);
    }
}

#[tokio::test]
async fn a_no_is_final_and_its_reason_is_kept() {
    for world in all_worlds().await {
        let post = world.publish_with(When::Now, asked()).await;
        let refused = world
            .tenant
            .reject_approval(post, "ada", Some("too loud"))
            .await
            .unwrap();
        assert_eq!(refused[0].state, PublicationState::Cancelled);
        assert!(world.tenant.retry(post).await.unwrap().is_empty());
        let why = world.tenant.why(refused[0].id).await.unwrap().to_string();
        assert!(why.contains("too loud") && why.contains("ada"), "{why}");
    }
}

#[tokio::test]
async fn what_is_edited_after_the_yes_needs_another() {
    for world in all_worlds().await {
        let post = world
            .publish_with(at("2027-01-11T10:00:00Z"), asked())
            .await;
        world.tenant.approve(post, "ada", None).await.unwrap();
        let edited = world.tenant.edit(post, Post::text("Something else")).await;
        assert_eq!(edited.unwrap()[0].state, PublicationState::AwaitingApproval);
        world.advance(chrono::Duration::minutes(61)).await;
        world.turn(post).await;
        assert!(world.publisher.texts().is_empty());
        world.tenant.approve(post, "ada", None).await.unwrap();
        world.turn(post).await;
        assert_eq!(world.publisher.texts(), ["Something else"]);
    }
}

#[tokio::test]
async fn what_is_moved_to_now_or_tried_again_waits_for_its_yes_as_long_as_it_takes() {
    for world in all_worlds().await {
        let ten = at("2027-01-11T10:00:00Z");
        let moved = world.publish_with(ten, asked()).await;
        world.tenant.reschedule(moved, When::Now).await.unwrap();
        let again = world.publish_with(ten, asked()).await;
        world.advance(chrono::Duration::minutes(121)).await;
        world.turn(again).await;
        let retried = world.tenant.retry(again).await.unwrap();
        assert_eq!(retried[0].state, PublicationState::AwaitingApproval);
        world.advance(chrono::Duration::days(3)).await;
        for post in [moved, again] {
            let job = world.only(post).await.job;
            let job = world.market().store().job(world.tenant.id(), job).await;
            assert_eq!(job.unwrap(), None, "it is never too late");
            world.tenant.approve(post, "ada", None).await.unwrap();
            assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        }
    }
}
