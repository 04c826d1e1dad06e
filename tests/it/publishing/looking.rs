//! When what may be out is looked for, and what a sending after a look says of the one before.

use super::*;

#[tokio::test]
async fn nobody_looks_while_the_platform_may_still_be_at_work() {
    for world in worlds().await {
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        // The look would find nothing yet, and the post would go out again.
        world.publisher.find_answer(Ok(Lookup::Absent));
        for _ in 0..5 {
            world.clock.advance(chrono::Duration::seconds(10));
            let (waiting, job) = world.turn(post).await;
            assert_eq!(waiting.state, PublicationState::Publishing);
            assert_eq!(job, JobState::Waiting);
        }
        assert_eq!(world.publisher.texts().len(), 1);
        world.clock.advance(chrono::Duration::seconds(20));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

/// A process that begins to send, is so long at what comes before the public write, begins that too, and then is gone
/// or stops.
async fn cut_off(world: &World, before: chrono::Duration, step: &str, dies: bool) -> PostId {
    let post = world.publish(When::Now).await;
    let store = world.market().store();
    let job = world.only(post).await.job;
    let claim = automarket::store::Claim::new("gone", 1).only(job);
    let lease = match dies {
        true => LEASE,
        false => Duration::from_secs(3600),
    };
    let lease = store.claim(&claim.lease(lease)).await.unwrap().remove(0);
    let mut begun = world.only(post).await;
    begun.state = PublicationState::Publishing;
    begun.sent_at = Some(begun.due);
    let change = automarket::store::PublishingChange {
        publications: vec![begun],
        ..automarket::store::PublishingChange::new(world.tenant.id().clone())
    };
    store.change_publishing(&change).await.unwrap();
    world.clock.advance(before);
    let step = match step {
        "begun" => serde_json::json!(step),
        step => serde_json::json!({ step: store.now().await.unwrap() }),
    };
    let put = store.put_step(lease.token, "recording.publish", &step);
    put.await.unwrap();
    if dies {
        world.clock.advance(chrono::Duration::seconds(11));
    } else {
        let stops = (lease.token, Verdict::Release);
        store.settle(&[stops]).await.unwrap();
    }
    world.publisher.find_answer(Ok(Lookup::Absent));
    post
}

#[tokio::test]
async fn nobody_looks_at_once_after_a_crash_either() {
    for world in worlds().await {
        let post = cut_off(&world, chrono::Duration::zero(), "begun", true).await;
        world.turn(post).await;
        assert!(world.publisher.texts().is_empty());
        world.clock.advance(chrono::Duration::seconds(61));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_ahead_makes_no_minute_of_a_moment() {
    for world in worlds().await {
        let post = cut_off(&world, chrono::Duration::zero(), "begun_at", true).await;
        world.clock.advance(chrono::Duration::minutes(10));
        world.turn(post).await;
        assert!(
            world.publisher.texts().is_empty(),
            "it was looked for at once"
        );
        world.clock.advance(chrono::Duration::seconds(61));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn nor_after_one_in_a_sending_that_took_long_before_its_public_write() {
    for world in worlds().await {
        let upload = chrono::Duration::minutes(10);
        let post = cut_off(&world, upload, "begun_at", false).await;
        for _ in 0..2 {
            let (waiting, job) = world.turn(post).await;
            assert_eq!(waiting.state, PublicationState::Publishing);
            assert_eq!(job, JobState::Waiting);
            assert!(world.publisher.texts().is_empty(), "it may be out by now");
            world.clock.advance(chrono::Duration::seconds(30));
        }
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

/// That the write began is noted with its instant.
#[tokio::test]
async fn a_sending_remembers_when_its_public_write_began() {
    for world in worlds().await {
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        let (lost, _) = world.turn(post).await;
        let store = world.market().store();
        let steps = store.steps(world.tenant.id(), lost.job).await.unwrap();
        let began = serde_json::json!({ "begun_at": lost.due });
        assert_eq!(steps, [("recording.publish".to_owned(), began)]);
    }
}

#[tokio::test]
async fn a_look_that_is_told_to_wait_waits_as_long() {
    for world in worlds().await {
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        world.clock.advance(chrono::Duration::seconds(60));
        let wait = Duration::from_secs(15 * 3600);
        let day = Error::new(ErrorKind::RateLimited, "so many a day");
        let day = day.with_retry(Retry::After(Some(wait)));
        world.publisher.find_answer(Err(day));
        let (waiting, _) = world.turn(post).await;
        assert_eq!(waiting.state, PublicationState::Publishing);
        let store = world.market().store();
        let until = store.now().await.unwrap() + wait;
        let job = store.job(world.tenant.id(), waiting.job).await.unwrap();
        assert!(job.unwrap().run_at >= until);
        // So does whatever else is to be asked of the account.
        let gates = store.gates(world.tenant.id()).await.unwrap();
        assert!(gates.iter().any(|gate| gate.closed_until >= Some(until)));
        world.clock.advance(chrono::Duration::hours(15));
        let found = Lookup::Found(Outcome::Done(Receipt::new("first")));
        world.publisher.find_answer(Ok(found));
        let (published, _) = world.turn(post).await;
        assert_eq!(published.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

/// An answer that was lost, a look that finds nothing yet, and a second sending that is refused by this.
async fn refused_after_a_look(world: &World, kind: ErrorKind) -> PostId {
    world.publisher.answer(Err(unknown()));
    let post = world.publish(When::Now).await;
    world.turn(post).await;
    world.publisher.find_answer(Ok(Lookup::Absent));
    world.publisher.answer(Err(Error::new(kind, "no")));
    world.clock.advance(chrono::Duration::minutes(1));
    let (doubtful, _) = world.turn(post).await;
    assert_eq!(doubtful.via, None, "{kind}");
    assert_eq!(doubtful.state, PublicationState::Publishing, "{kind}");
    assert_eq!(world.publisher.texts().len(), 2);
    post
}

#[tokio::test]
async fn a_refusal_of_the_second_sending_settles_nothing_of_the_first() {
    for kind in [
        ErrorKind::Unauthorized,
        ErrorKind::ApiVersionRetired,
        ErrorKind::QuotaExhausted,
        ErrorKind::Forbidden,
    ] {
        for world in worlds().await {
            let second = world.another_account("2").await;
            let set = world.tenant.set_fallback(world.account.id, Some(second.id));
            set.await.unwrap();
            let post = refused_after_a_look(&world, kind).await;
            // It shows late.
            let found = Lookup::Found(Outcome::Done(Receipt::new("first")));
            world.publisher.find_answer(Ok(found));
            let (account, credential) = (world.account.clone(), Credential::token("new"));
            let renewed = world.tenant.add_account(account, credential).await;
            renewed.unwrap();
            world.clock.advance(chrono::Duration::minutes(16));
            let (found, _) = world.turn(post).await;
            assert_eq!(found.state, PublicationState::Published, "{kind}");
            assert_eq!(world.publisher.texts().len(), 2, "{kind}");
        }
    }
}

#[tokio::test]
async fn what_a_second_look_does_not_find_either_is_settled_by_its_refusal() {
    for world in worlds().await {
        let post = refused_after_a_look(&world, ErrorKind::Forbidden).await;
        world.publisher.find_answer(Ok(Lookup::Absent));
        let no = Error::new(ErrorKind::Forbidden, "no");
        world.publisher.answer(Err(no));
        world.clock.advance(chrono::Duration::minutes(16));
        let (refused, _) = world.turn(post).await;
        assert_eq!(refused.state, PublicationState::Rejected);
    }
}

/// Its connector does not ask what the others have.
#[tokio::test]
async fn what_is_found_of_another_publication_is_not_taken_for_its_own() {
    for world in worlds().await {
        let other = world.publish(When::Now).await;
        let (other, _) = world.turn(other).await;
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        world.clock.advance(chrono::Duration::seconds(61));
        let theirs = Outcome::Done(other.receipt.unwrap());
        world.publisher.find_answer(Ok(Lookup::Found(theirs)));
        let (lost, _) = world.turn(post).await;
        assert_eq!(lost.state, PublicationState::Unknown);
        assert_eq!(lost.receipt, None);
        assert_eq!(lost.error.unwrap().kind, ErrorKind::CannotTell);
        let store = world.market().store();
        let attempts = store.attempts(world.tenant.id(), lost.id).await.unwrap();
        let rule = &attempts.last().unwrap().decision.rule;
        assert_eq!(rule, "platform.cannot_tell");
    }
}
