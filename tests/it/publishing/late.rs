//! What an outage met half-way: surely not out, it is missed; out in part, or perhaps, it is not.

use automarket::{
    store::PublishingChange,
    testing::{FaultStore, StoreFault, StoreRule},
};
use serde_json::{Value, json};

use super::*;

/// A process that committed the intent in time, remembered this step, and was gone.
pub(super) async fn gone(world: &World, step: &str, value: Value) -> PostId {
    let store = world.market().store();
    let due = store.now().await.unwrap() + chrono::Duration::hours(1);
    let post = world.publish(When::At(due)).await;
    world.clock.advance(chrono::Duration::hours(1));
    begun(world, post, [(step, value)]).await;
    post
}

/// The same of a publication that is due, with these steps.
async fn begun<const N: usize>(world: &World, post: PostId, steps: [(&str, Value); N]) {
    let store = world.market().store();
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
    for (step, value) in steps {
        store.put_step(lease.token, step, &value).await.unwrap();
    }
}

/// Hours later a worker finds that the process is gone, and waits until what it sent can be looked for.
pub(super) async fn found_gone(world: &World, post: PostId) {
    world.clock.advance(chrono::Duration::hours(10));
    let (in_doubt, _) = world.turn(post).await;
    assert_eq!(in_doubt.state, PublicationState::Publishing);
    world.clock.advance(chrono::Duration::seconds(61));
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
async fn a_time_that_is_past_is_refused_where_it_is_named() {
    for world in worlds().await {
        let (tenant, past) = (&world.tenant, at("2026-01-11T10:00:00Z"));
        let refused = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert_eq!(
                (error.field(), error.rule()),
                (Some("when"), Some("when.past"))
            );
        };
        let (post, accounts) = (Post::text("We shipped!"), [world.account.id]);
        let options = PublishOptions::new();
        refused(
            tenant
                .publish(post.clone(), accounts, past)
                .await
                .unwrap_err(),
        );
        refused(
            tenant
                .prepare(post.clone(), accounts, past)
                .await
                .unwrap_err(),
        );
        assert_eq!(world.kinds().await, [""; 0], "nothing is stored");
        let draft = tenant.save_draft(post.clone(), accounts).await.unwrap();
        refused(
            tenant
                .publish_draft(draft, past, options)
                .await
                .unwrap_err(),
        );
        refused(tenant.reschedule(draft, past).await.unwrap_err());

        // As late as it may be it is taken, and so is what may be sent however late it is.
        let late = world.publish(at("2027-01-11T08:30:00Z")).await;
        assert_eq!(world.turn(late).await.0.state, PublicationState::Published);
        let late = world.publish_with(past, options.however_late()).await;
        assert_eq!(world.only(late).await.state, PublicationState::Scheduled);
        // A repeated call changes nothing, however late it comes.
        let ten = at("2027-01-11T10:00:00Z");
        tenant.publish_draft(draft, ten, options).await.unwrap();
        world.clock.advance(chrono::Duration::days(1));
        tenant.publish(post, accounts, ten).await.unwrap();
        // What is for now has no time that could be past.
        let draft = tenant
            .save_draft(Post::text("Now"), accounts)
            .await
            .unwrap();
        world.clock.advance(chrono::Duration::days(1));
        let options = options.needs_approval();
        let waits = tenant.publish_draft(draft, When::Now, options).await;
        assert_eq!(waits.unwrap()[0].state, PublicationState::AwaitingApproval);
        tenant.approve(draft, "ada", None).await.unwrap();
        assert_eq!(world.turn(draft).await.0.state, PublicationState::Published);
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

#[tokio::test]
async fn what_a_look_says_is_not_out_is_missed_when_its_time_is_over() {
    for world in worlds().await {
        let post = gone(&world, "recording.publish", json!("begun")).await;
        found_gone(&world, post).await;
        // While nobody can tell, it may be out.
        let away = Error::new(ErrorKind::Unavailable, "away");
        world.publisher.find_answer(Err(away));
        let (lost, _) = world.turn(post).await;
        assert_eq!(lost.state, PublicationState::Publishing);
        world.clock.advance(chrono::Duration::hours(1));
        world.publisher.find_answer(Ok(Lookup::Absent));
        let (late, job) = world.turn(post).await;
        assert_eq!(late.state, PublicationState::Missed);
        assert_eq!(job, JobState::Completed);
        assert!(world.publisher.texts().is_empty());
        let why = world.tenant.why(late.id).await.unwrap().to_string();
        assert!(why.contains("[missed]"), "{why}");
        let error = late.error.unwrap();
        let (over, before) = error.message.split_once("; before that: ").unwrap();
        assert!(over.contains("too late"), "{over}");
        assert!(before.ends_with("away"), "{before}");
        // It may appear yet: whoever wants it all the same has it looked for again.
        world.tenant.retry(post).await.unwrap();
        world.publisher.find_answer(Ok(Lookup::Absent));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

/// That the one write is not there says nothing of another one.
#[tokio::test]
async fn what_a_look_does_not_find_is_not_missed_where_more_may_be_out() {
    let doubtful = || ("recording.publish", json!("begun"));
    for world in worlds().await {
        for first in [json!({ "done": 1 }), json!("begun")] {
            let post = world.publish(When::Now).await;
            begun(&world, post, [doubtful(), ("thread.0", first)]).await;
            found_gone(&world, post).await;
            world.publisher.find_answer(Ok(Lookup::Absent));
            assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        }
        // Nor of the sending before, of something that was sent again all the same.
        let lost = world.lost().await;
        let resent = world.tenant.resend_unknown(lost.id, "why not");
        resent.await.unwrap();
        begun(&world, lost.post, [doubtful()]).await;
        found_gone(&world, lost.post).await;
        world.publisher.find_answer(Ok(Lookup::Absent));
        let (sent, _) = world.turn(lost.post).await;
        assert_eq!(sent.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_a_look_finds_is_published_however_late() {
    for world in worlds().await {
        let post = gone(&world, "recording.publish", json!("begun")).await;
        found_gone(&world, post).await;
        let found = Lookup::Found(Outcome::Done(Receipt::new("found")));
        world.publisher.find_answer(Ok(found));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

/// An answer that asks to be left alone for so long.
fn limited(seconds: u64) -> automarket::Result<Outcome> {
    let wait = Retry::After(Some(Duration::from_secs(seconds)));
    Err(Error::new(ErrorKind::RateLimited, "slow").with_retry(wait))
}

#[tokio::test]
async fn a_wait_that_leads_out_of_the_calendar_is_a_day_for_all_of_the_account() {
    for world in worlds().await {
        let start = world.market().store().now().await.unwrap();
        let patient = || PublishOptions::new().however_late();
        world.publisher.answer(limited(8_300_000_000_000));
        for _ in 0..2 {
            let post = world.publish_with(When::Now, patient()).await;
            let (waits, job) = world.turn(post).await;
            assert_eq!(waits.state, PublicationState::Scheduled);
            assert_eq!(job, JobState::Waiting);
            let over = again_at(&world, post).await - start;
            assert_eq!(over.num_hours(), 24);
        }
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn the_last_instant_of_the_calendar_is_an_instant_like_any_other() {
    let last = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    for world in worlds().await {
        let strict = PublishOptions::new().publish_if_within(Duration::ZERO);
        let strict = strict.needs_approval();
        let post = world.publish_with(When::At(last), strict).await;
        let waits = world.only(post).await;
        assert_eq!(waits.state, PublicationState::AwaitingApproval);

        world.publisher.answer(Ok(Outcome::Accepted(Handle {
            remote_id: "c1".into(),
            due: Some(last),
            data: Value::Null,
        })));
        let post = world.publish(When::Now).await;
        let (accepted, job) = world.turn(post).await;
        assert_eq!(accepted.state, PublicationState::Accepted);
        assert_eq!(job, JobState::Waiting);
    }
}

/// When the publication's job is to run again.
async fn again_at(world: &World, post: PostId) -> chrono::DateTime<chrono::Utc> {
    let (store, job) = (world.market().store(), world.only(post).await.job);
    let job = store.job(world.tenant.id(), job).await.unwrap();
    job.unwrap().run_at
}

#[tokio::test]
async fn what_waits_until_it_is_too_late_is_missed_as_soon_as_it_is() {
    for world in worlds().await {
        let start = world.market().store().now().await.unwrap();
        world.publisher.answer(limited(6 * 3600));
        let asked = world.publish(When::Now).await;
        world.turn(asked).await;
        // This one finds its account left alone.
        let held = world.publish(When::Now).await;
        let (waits, _) = world.turn(held).await;
        assert_eq!(
            (waits.state, waits.sent_at),
            (PublicationState::Scheduled, None)
        );
        for post in [asked, held] {
            let over = again_at(&world, post).await - start;
            assert_eq!(over.num_seconds(), 3600);
        }
        world.clock.advance(chrono::Duration::seconds(3601));
        for post in [asked, held] {
            assert_eq!(world.turn(post).await.0.state, PublicationState::Missed);
        }
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn what_can_wait_waits_and_uses_up_nothing() {
    for world in worlds().await {
        let start = world.market().store().now().await.unwrap();
        world.publisher.answer(limited(600));
        let asked = world.publish(When::Now).await;
        world.turn(asked).await;
        let held = world.publish(When::Now).await;
        let (waits, _) = world.turn(held).await;
        assert_eq!(waits.revision, 1, "nothing is written down");
        let over = again_at(&world, held).await - start;
        assert!((600..605).contains(&over.num_seconds()), "{over}");
        world.clock.advance(chrono::Duration::seconds(660));
        for post in [asked, held] {
            assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        }
    }
}

#[tokio::test]
async fn what_is_out_in_part_is_given_the_time_that_the_platform_asks_for() {
    for world in worlds().await {
        let post = gone(&world, "thread.0", json!({ "done": 1 })).await;
        let start = world.market().store().now().await.unwrap();
        world.publisher.answer(limited(6 * 3600));
        world.clock.advance(chrono::Duration::minutes(1));
        world.turn(post).await;
        let over = again_at(&world, post).await - start;
        assert!(over.num_seconds() >= 6 * 3600, "{over}");
    }
}

/// A post that the platform itself makes public at this instant.
async fn at_platform(world: &World, at: &str, options: PublishOptions) -> PostId {
    let post = Post::text("We shipped!").delivery(Delivery::At(at.parse().unwrap()));
    let accounts = [world.account.id];
    let published = world
        .tenant
        .publish_with(post, accounts, When::Now, options);
    published.await.unwrap()
}

#[tokio::test]
async fn what_the_platform_makes_public_may_be_handed_over_until_then() {
    for world in worlds().await {
        let tomorrow = "2027-01-12T09:00:00Z";
        world.publisher.answer(limited(7200));
        let post = at_platform(&world, tomorrow, PublishOptions::new()).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Scheduled);
        world.clock.advance(chrono::Duration::hours(3));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        // Nobody was there at all.
        let post = at_platform(&world, tomorrow, PublishOptions::new()).await;
        world.clock.advance(chrono::Duration::hours(20));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_the_platform_was_to_make_public_is_missed_once_that_is_past() {
    for world in worlds().await {
        let soon = "2027-01-11T09:10:00Z";
        let late = at_platform(&world, soon, PublishOptions::new()).await;
        let patient = PublishOptions::new().however_late();
        let patient = at_platform(&world, soon, patient).await;
        let asked = PublishOptions::new().needs_approval();
        let asked = at_platform(&world, soon, asked).await;
        world.clock.advance(chrono::Duration::minutes(10));
        for post in [late, patient, asked] {
            assert_eq!(world.turn(post).await.0.state, PublicationState::Missed);
        }
        assert!(world.publisher.texts().is_empty());
    }
}

#[tokio::test]
async fn an_edit_may_change_until_when_it_may_be_handed_over() {
    for world in worlds().await {
        let (one, two) = (at("2027-01-11T09:05:00Z"), "2027-01-12T09:00:00Z");
        let ours = world.publish(one).await;
        let theirs = at_platform(&world, two, PublishOptions::new()).await;
        let text = || Post::text("We shipped it!");
        let delivery = Delivery::At(two.parse().unwrap());
        let edit = world.tenant.edit(ours, text().delivery(delivery));
        edit.await.unwrap();
        world.tenant.edit(theirs, text()).await.unwrap();
        world.clock.advance(chrono::Duration::hours(2));
        assert_eq!(world.turn(theirs).await.0.state, PublicationState::Missed);
        assert_eq!(world.turn(ours).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_is_out_in_part_is_given_up_and_not_called_off() {
    for world in worlds().await {
        let id = gone(&world, "thread.0", json!({ "done": 1 })).await;
        world.publisher.answer(limited(600));
        world.clock.advance(chrono::Duration::minutes(1));
        assert_eq!(world.turn(id).await.0.state, PublicationState::Scheduled);
        let given_up = world.tenant.cancel(id).await.unwrap().remove(0);
        assert_eq!(given_up.state, PublicationState::Unknown);
        assert_eq!(world.kinds().await.last().unwrap(), "unknown");
        assert!(world.tenant.edit(id, Post::text("New")).await.is_err());

        // So nothing goes there once more because it cannot go elsewhere.
        let other = world.another_account("2").await;
        let set = world.tenant.set_fallback(other.id, Some(world.account.id));
        set.await.unwrap();
        let post = world.market().store().post(world.tenant.id(), id).await;
        let post = post.unwrap().unwrap();
        let more = world.tenant.publish(post, [other.id], When::Now);
        more.await.unwrap();
        let forbidden = Error::new(ErrorKind::Forbidden, "no");
        world.publisher.answer(Err(forbidden));
        for publication in world.tenant.publications(id).await.unwrap() {
            world.tenant.work_on(publication.job, LEASE).await.unwrap();
        }
        let all = world.tenant.publications(id).await.unwrap();
        assert!(all.iter().all(|p| p.via.is_none()), "{all:?}");
        assert_eq!(world.publisher.texts().len(), 2);
    }
}

#[tokio::test]
async fn drafts_are_no_part_of_what_an_outage_held_up() {
    for world in worlds().await {
        for _ in 0..200 {
            let draft = world
                .tenant
                .save_draft(Post::text("Perhaps"), [world.account.id]);
            draft.await.unwrap();
        }
        // They stand before all that comes later.
        world.clock.advance(chrono::Duration::minutes(1));
        let mut posts = Vec::new();
        for _ in 0..3 {
            posts.push(world.publish(When::Now).await);
        }
        world.clock.advance(chrono::Duration::minutes(20));
        let mut out = 0;
        for post in posts {
            let (publication, _) = world.turn(post).await;
            out += usize::from(publication.state == PublicationState::Published);
        }
        assert!(out < 3, "all of them at once");
    }
}

#[tokio::test]
async fn a_store_that_fails_before_the_intent_keeps_nobody_from_the_probe() {
    for world in worlds().await {
        world.publisher.answer(limited(600));
        let first = world.publish(When::Now).await;
        world.turn(first).await;
        let second = world.publish(When::Now).await;
        world.clock.advance(chrono::Duration::minutes(11));
        let store = FaultStore::new(world.market().store().clone());
        store
            .faults()
            .add(StoreRule::on("post", StoreFault::FailBefore));
        let market = market(Arc::new(store), &world.clock, world.publisher.clone());
        let tenant = market.tenant("acme").unwrap();
        let job = world.only(first).await.job;
        tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.publisher.texts().len(), 1);
        assert_eq!(
            world.turn(second).await.0.state,
            PublicationState::Published
        );
    }
}

#[tokio::test]
async fn a_probe_that_comes_to_no_call_leaves_it_to_the_next() {
    for is_sound in [true, false] {
        for world in worlds().await {
            world.publisher.answer(limited(600));
            let first = world.publish(When::Now).await;
            let (mut waits, _) = world.turn(first).await;
            let second = world.publish(When::Now).await;
            world.clock.advance(chrono::Duration::minutes(11));
            let store = FaultStore::new(world.market().store().clone());
            if is_sound {
                // Its intent cannot be written.
                let fails = StoreRule::on("change_publishing", StoreFault::FailBefore);
                store.faults().add(fails);
            } else {
                // It does not pass its checks.
                waits.content_hash = "other words".into();
                let change = PublishingChange {
                    publications: vec![waits.clone()],
                    ..PublishingChange::new(world.tenant.id().clone())
                };
                let store = world.market().store();
                store.change_publishing(&change).await.unwrap();
            }
            let market = market(Arc::new(store), &world.clock, world.publisher.clone());
            let tenant = market.tenant("acme").unwrap();
            tenant.work_on(waits.job, LEASE).await.unwrap();
            assert_eq!(world.publisher.texts().len(), 1);
            let (sent, _) = world.turn(second).await;
            assert_eq!(sent.state, PublicationState::Published);
        }
    }
}
