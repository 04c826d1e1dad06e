//! From scheduled to its end.

use super::*;

#[tokio::test]
async fn what_the_platform_keeps_for_long_is_given_up_for_failures_in_a_row_alone() {
    for world in worlds().await {
        let post = world.accepted().await;
        let away = || Error::new(ErrorKind::Unavailable, "away");
        for _ in 0..25 {
            let state = world.polled(post, away()).await;
            assert_eq!(state, PublicationState::Accepted);
            let handle = world.only(post).await.handle.unwrap();
            world.publisher.poll_answer(Ok(Outcome::Accepted(handle)));
            world.clock.advance(chrono::Duration::hours(7));
            let (kept, _) = world.turn(post).await;
            assert_eq!(kept.state, PublicationState::Accepted);
        }
        for _ in 0..19 {
            let state = world.polled(post, away()).await;
            assert_eq!(state, PublicationState::Accepted);
        }
        let state = world.polled(post, away()).await;
        assert_eq!(state, PublicationState::Unknown);
    }
}

#[tokio::test]
async fn a_post_is_sent_once_and_its_receipt_is_kept() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        let (publication, job) = world.turn(post).await;
        assert_eq!(
            (publication.state, job),
            (PublicationState::Published, JobState::Completed)
        );
        assert_eq!(remote_id(&publication), Some("recorded-1"));
        world.turn(post).await;
        assert_eq!(world.publisher.texts(), ["We shipped!"]);
        let kinds: Vec<String> = world
            .tenant
            .events(0, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|e| e.event.kind)
            .collect();
        assert_eq!(
            kinds,
            [
                "publication.scheduled",
                "publication.publishing",
                "publication.published"
            ]
        );
    }
}

#[tokio::test]
async fn publishing_the_same_post_again_changes_nothing() {
    for world in worlds().await {
        let post = Post::text("once");
        for _ in 0..2 {
            world
                .tenant
                .publish(post.clone(), [world.account.id], When::Now)
                .await
                .unwrap();
        }
        world.turn(post.id).await;
        world
            .tenant
            .publish(post.clone(), [world.account.id], When::Now)
            .await
            .unwrap();
        world.turn(post.id).await;
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_sent_before_its_time_and_nothing_long_after_it() {
    for world in worlds().await {
        let at = When::at("2027-01-11T11:00", "Europe/Berlin").unwrap(); // 10:00 UTC
        let post = world.publish(at).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Scheduled);
        world.clock.advance(chrono::Duration::minutes(61));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);

        let late = world
            .publish(When::At("2027-01-11T12:00:00Z".parse().unwrap()))
            .await;
        world.clock.advance(chrono::Duration::days(60));
        assert_eq!(world.turn(late).await.0.state, PublicationState::Missed);
        assert_eq!(
            world.publisher.texts().len(),
            1,
            "an outage never ends in a flood"
        );
    }
}

#[tokio::test]
async fn an_unknown_end_is_looked_up_before_anything_is_sent_again() {
    for world in worlds().await {
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Publishing);

        world.publisher.find_answer(Err(Error::new(
            ErrorKind::Unavailable,
            "the search is away",
        )));
        world.clock.advance(chrono::Duration::hours(2));
        assert_eq!(
            world.turn(post).await.0.error.unwrap().kind,
            ErrorKind::Unavailable
        );

        world
            .publisher
            .find_answer(Ok(Lookup::Found(Outcome::Done(Receipt::new("found")))));
        world.clock.advance(chrono::Duration::hours(2));
        let (publication, _) = world.turn(post).await;
        assert_eq!(
            (publication.state, remote_id(&publication)),
            (PublicationState::Published, Some("found"))
        );
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn what_is_surely_absent_is_sent_again_with_the_same_key() {
    for world in worlds().await {
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        world.publisher.find_answer(Ok(Lookup::Absent));
        world.clock.advance(chrono::Duration::minutes(30));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        let keys = world.publisher.keys();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0], keys[1]);
    }
}

#[tokio::test]
async fn what_cannot_be_told_stays_unknown_and_says_so() {
    for world in worlds().await {
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        world
            .publisher
            .find_answer(Ok(Lookup::CannotTell("no search".into())));
        world.clock.advance(chrono::Duration::hours(2));
        let (publication, job) = world.turn(post).await;
        assert_eq!(
            (publication.state, job),
            (PublicationState::Unknown, JobState::Completed)
        );
        assert_eq!(
            world.publisher.texts().len(),
            1,
            "nothing is ever re-sent blindly"
        );
    }
}

#[tokio::test]
async fn something_accepted_is_polled_to_its_end_and_never_published_again() {
    for world in worlds().await {
        let handle = || Handle {
            remote_id: "c1".into(),
            due: None,
            data: serde_json::Value::Null,
        };
        world.publisher.answer(Ok(Outcome::Accepted(handle())));
        let post = world.publish(When::Now).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Accepted);
        for _ in 0..100 {
            world.publisher.poll_answer(Ok(Outcome::Accepted(handle())));
        }
        for _ in 0..101 {
            world.clock.advance(chrono::Duration::hours(7));
            world.turn(post).await;
        }
        let (publication, _) = world.turn(post).await;
        assert_eq!(publication.state, PublicationState::Published);
        assert_eq!(
            (world.publisher.polls(), world.publisher.texts().len()),
            (101, 1)
        );
    }
}

#[tokio::test]
async fn refusals_by_kind_reject_wait_or_block() {
    for world in worlds().await {
        world
            .publisher
            .answer(Err(Error::new(ErrorKind::ContentRefused, "no")));
        let post = world.publish(When::Now).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Rejected);

        let wait = Retry::After(Some(Duration::from_secs(60)));
        world.publisher.answer(Err(
            Error::new(ErrorKind::RateLimited, "slow").with_retry(wait)
        ));
        let post = world.publish(When::Now).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Scheduled);
        // An attempt takes as long as it takes.
        world.clock.advance(chrono::Duration::minutes(2));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);

        world
            .publisher
            .answer(Err(Error::new(ErrorKind::Unauthorized, "revoked")));
        let post = world.publish(When::Now).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Blocked);
        let (account, again) = (world.account.clone(), Credential::token("another"));
        world.tenant.add_account(account, again).await.unwrap();
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn a_blocker_stores_nothing() {
    for world in worlds().await {
        let empty = world
            .tenant
            .publish(Post::text("  "), [world.account.id], When::Now)
            .await
            .unwrap_err();
        assert_eq!(
            (empty.kind(), empty.field()),
            (ErrorKind::InvalidInput, Some("post"))
        );
        assert!(world.tenant.events(0, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn another_tenants_account_is_not_found() {
    for world in worlds().await {
        let other = world.account.tenant.as_str().to_owned() + "-rival";
        let rival = Automarket::shared(world.market().store().clone())
            .build()
            .unwrap()
            .tenant(&other)
            .unwrap();
        let error = rival
            .plan(&Post::text("x"), [world.account.id])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_worker_sends_what_is_due_and_stops_when_told() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        let tenant = world.tenant.clone();
        let done = async move {
            while !tenant
                .publications(post)
                .await
                .unwrap()
                .iter()
                .all(|p| p.state.is_terminal())
            {
                tokio::task::yield_now().await;
            }
        };
        world.market().worker().run_until(done).await.unwrap();
        assert_eq!(world.publisher.texts().len(), 1);
    }
}
