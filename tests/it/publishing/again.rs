//! Tried again: what failed, what is unknown, what was late, what was blocked.

use std::sync::atomic::{AtomicUsize, Ordering};

use automarket::core::{Context, Identity, Intent, Metrics, Profile, Publisher, async_trait};

use super::*;

fn refusal() -> Error {
    Error::new(ErrorKind::ContentRefused, "no")
}

#[tokio::test]
async fn only_what_surely_failed_is_tried_again() {
    for world in all_worlds().await {
        let id = world.publish_to_two(When::Now).await;
        world.publisher.answer(Err(refusal()));
        for publication in world.tenant.publications(id).await.unwrap() {
            world.tenant.work_on(publication.job, LEASE).await.unwrap();
        }
        assert_eq!(
            world.tenant.post_state(id).await.unwrap(),
            PostState::Partial
        );
        let elsewhere = world.elsewhere().await;
        let (one, two) = tokio::join!(world.tenant.retry(id), elsewhere.retry(id));
        let again = [one.unwrap(), two.unwrap()].concat();
        assert_eq!(again.len(), 1, "tried again once by two who ask");
        world.tenant.work_on(again[0].job, LEASE).await.unwrap();
        let state = world.tenant.post_state(id).await.unwrap();
        assert_eq!(state, PostState::Published);
        assert_eq!(world.publisher.texts().len(), 3);
        assert!(world.tenant.retry(id).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_is_unknown_is_sent_again_only_by_an_explicit_word() {
    for world in all_worlds().await {
        let lost = world.lost().await;
        let post = lost.post;
        assert!(world.tenant.retry(post).await.unwrap().is_empty());
        let bare = world.tenant.resend_unknown(lost.id, " ").await.unwrap_err();
        assert_eq!(bare.field(), Some("reason"));
        let resent = world
            .tenant
            .resend_unknown(lost.id, "I looked: it is not there")
            .await
            .unwrap();
        assert_eq!(resent.state, PublicationState::Scheduled);
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        let keys = world.publisher.keys();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0], keys[1], "the same intent");
        let why = world.tenant.why(lost.id).await.unwrap().to_string();
        assert!(why.contains("I looked"), "{why}");
        let late = world.tenant.resend_unknown(lost.id, "again").await;
        let late = TooLate::of(&late.unwrap_err()).unwrap();
        assert_eq!(late.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_was_taken_and_then_failed_is_sent_anew_each_time() {
    for world in worlds().await {
        let post = world.accepted().await;
        for _ in 0..2 {
            let state = world.polled(post, refusal()).await;
            assert_eq!(state, PublicationState::Rejected);
            world.takes();
            world.tenant.retry(post).await.unwrap();
            assert_eq!(world.turn(post).await.0.state, PublicationState::Accepted);
        }
        world.advance(chrono::Duration::hours(7)).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        let mut keys = world.publisher.keys();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 3, "each is an intent of its own");
    }
}

#[tokio::test]
async fn what_was_taken_and_then_failed_can_be_said_otherwise() {
    for world in worlds().await {
        let post = world.accepted().await;
        world.polled(post, refusal()).await;
        let edited = world.tenant.edit(post, Post::text("Kinder words")).await;
        assert_eq!(edited.unwrap()[0].state, PublicationState::Rejected);
        world.tenant.retry(post).await.unwrap();
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        assert_eq!(world.publisher.texts(), ["We shipped!", "Kinder words"]);
    }
}

#[tokio::test]
async fn what_was_taken_and_cannot_be_told_is_sent_anew_only_by_an_explicit_word() {
    for world in worlds().await {
        let post = world.accepted().await;
        let gone = Error::new(ErrorKind::CannotTell, "its record is gone");
        let state = world.polled(post, gone).await;
        assert_eq!(state, PublicationState::Unknown);
        assert!(world.tenant.retry(post).await.unwrap().is_empty());
        for sendings in 2..4 {
            world.takes();
            let id = world.only(post).await.id;
            world.tenant.resend_unknown(id, "I looked").await.unwrap();
            // The first may be out: it is neither said differently now, nor missed.
            let edited = world.tenant.edit(post, Post::text("Other words")).await;
            assert!(TooLate::of(&edited.unwrap_err()).is_some());
            world.advance(chrono::Duration::hours(2)).await;
            assert_eq!(world.turn(post).await.0.state, PublicationState::Accepted);
            assert_eq!(world.publisher.texts().len(), sendings);
            // That the second failed says nothing of the first.
            let state = world.polled(post, refusal()).await;
            assert_eq!(state, PublicationState::Unknown);
        }
        let keys = world.publisher.keys();
        assert!(keys[0] != keys[1] && keys[1] != keys[2]);
    }
}

#[tokio::test]
async fn what_was_taken_and_could_not_be_asked_for_is_asked_for_again() {
    for world in worlds().await {
        let post = world.accepted().await;
        while world.only(post).await.state == PublicationState::Accepted {
            let away = Error::new(ErrorKind::Unavailable, "away");
            world.polled(post, away).await;
        }
        let id = world.only(post).await.id;
        world.tenant.resend_unknown(id, "it is back").await.unwrap();
        world.turn(post).await;
        world.advance(chrono::Duration::hours(7)).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn an_account_that_was_away_is_no_word_of_the_platform() {
    for world in worlds().await {
        let post = world.accepted().await;
        let account = world.account.clone();
        assert!(world.tenant.remove_account(account.id).await.unwrap());
        world.advance(chrono::Duration::hours(7)).await;
        let (lost, _) = world.turn(post).await;
        assert_eq!(lost.state, PublicationState::Unknown);
        let back = world
            .tenant
            .add_account(account, Credential::token("t"))
            .await;
        back.unwrap();
        let resent = world.tenant.resend_unknown(lost.id, "it is back").await;
        resent.unwrap();
        world.turn(post).await;
        world.advance(chrono::Duration::hours(7)).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

/// A publisher that brings media first.
#[derive(Clone)]
struct Bringing {
    publisher: RecordingPublisher,
    brought: Arc<AtomicUsize>,
}

#[async_trait]
impl Publisher for Bringing {
    fn profile(&self) -> &Profile {
        self.publisher.profile()
    }
    async fn identify(&self, cx: &Context) -> automarket::Result<Vec<Identity>> {
        self.publisher.identify(cx).await
    }
    async fn publish(&self, cx: &Context, post: &Post) -> automarket::Result<Outcome> {
        let bring = || async { Ok(self.brought.fetch_add(1, Ordering::SeqCst)) };
        cx.step("media", bring).await?;
        self.publisher.publish(cx, post).await
    }
    async fn poll(&self, cx: &Context, handle: &Handle) -> automarket::Result<Outcome> {
        self.publisher.poll(cx, handle).await
    }
    async fn find(&self, cx: &Context, intent: &Intent) -> automarket::Result<Lookup> {
        self.publisher.find(cx, intent).await
    }
    async fn measure(&self, cx: &Context, receipt: &Receipt) -> automarket::Result<Metrics> {
        self.publisher.measure(cx, receipt).await
    }
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> automarket::Result<()> {
        self.publisher.delete(cx, receipt).await
    }
}

#[tokio::test]
async fn what_only_led_up_to_it_is_done_anew_unless_it_may_be_out() {
    for world in worlds().await {
        let publisher = Bringing {
            publisher: world.publisher.clone(),
            brought: Arc::default(),
        };
        let brought = publisher.brought.clone();
        let market = market(world.market().store().clone(), &world.clock, publisher);
        let tenant = market.tenant("acme").unwrap();
        let post = world.publish(When::Now).await;
        let turn = async || {
            let job = world.only(post).await.job;
            tenant.work_on(job, LEASE).await.unwrap();
            world.only(post).await.state
        };
        world.publisher.answer(Err(refusal()));
        assert_eq!(turn().await, PublicationState::Rejected);
        tenant.retry(post).await.unwrap();
        world.publisher.answer(Err(unknown()));
        assert_eq!(turn().await, PublicationState::Publishing);
        assert_eq!(brought.load(Ordering::SeqCst), 2);
        // Lost, not there, and too late: the steps say what is looked for.
        world.publisher.find_answer(Ok(Lookup::Absent));
        world.advance(chrono::Duration::hours(2)).await;
        assert_eq!(turn().await, PublicationState::Missed);
        tenant.retry(post).await.unwrap();
        let found = Lookup::Found(Outcome::Done(Receipt::new("late")));
        world.publisher.find_answer(Ok(found));
        assert_eq!(turn().await, PublicationState::Published);
        assert_eq!(brought.load(Ordering::SeqCst), 2);
        assert_eq!(world.publisher.texts().len(), 2);
        let keys = world.publisher.keys();
        assert_eq!(keys[0], keys[1], "the same intent");
    }
}

#[tokio::test]
async fn what_was_missed_can_be_sent_all_the_same() {
    for world in worlds().await {
        let post = world.publish(at("2027-01-11T10:00:00Z")).await;
        world.advance(chrono::Duration::days(3)).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Missed);
        world.tenant.retry(post).await.unwrap();
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_was_edited_after_a_refusal_is_tried_with_its_new_words() {
    for world in worlds().await {
        world.publisher.answer(Err(refusal()));
        let post = world.publish(When::Now).await;
        let (refused, _) = world.turn(post).await;
        assert_eq!(refused.state, PublicationState::Rejected);
        let edited = world.tenant.edit(post, Post::text("Kinder words")).await;
        assert_eq!(edited.unwrap()[0].state, PublicationState::Rejected);
        world.tenant.retry(post).await.unwrap();
        world.turn(post).await;
        assert_eq!(world.publisher.texts(), ["We shipped!", "Kinder words"]);
        let keys = world.publisher.keys();
        assert_ne!(keys[0], keys[1]);
    }
}

#[tokio::test]
async fn lateness_is_told_per_post() {
    for world in worlds().await {
        let ten = at("2027-01-11T10:00:00Z");
        let strict = PublishOptions::new().publish_if_within(Duration::from_secs(60));
        let strict = world.publish_with(ten, strict).await;
        let patient = world
            .publish_with(ten, PublishOptions::new().however_late())
            .await;
        world.advance(chrono::Duration::minutes(62)).await;
        assert_eq!(world.turn(strict).await.0.state, PublicationState::Missed);
        world.advance(chrono::Duration::days(3)).await;
        let (patient, _) = world.turn(patient).await;
        assert_eq!(patient.state, PublicationState::Published);
    }
}

/// Lets time pass, and each job run when it is due, until all posts are out; how long that takes. No more than
/// so many go out within ten seconds.
async fn all_out(world: &World, posts: &[PostId], most: usize) -> chrono::Duration {
    let store = world.market().store().clone();
    let began = store.now().await.unwrap();
    let mut waiting = Vec::new();
    for post in posts {
        waiting.push(world.only(*post).await.job);
    }
    while !waiting.is_empty() {
        let now = store.now().await.unwrap();
        let sent = world.publisher.texts().len();
        let mut next = Vec::new();
        for job in waiting {
            let known = store.job(world.tenant.id(), job).await.unwrap().unwrap();
            if known.run_at > now {
                next.push(job);
                continue;
            }
            let ended = world.tenant.work_on(job, LEASE).await.unwrap();
            if ended.state == JobState::Waiting {
                next.push(job);
            }
        }
        let sent = world.publisher.texts().len() - sent;
        assert!(sent <= most, "{sent} at once, {} left", next.len());
        waiting = next;
        world.advance(chrono::Duration::seconds(10)).await;
    }
    store.now().await.unwrap() - began
}

#[tokio::test]
async fn five_hundred_that_an_outage_held_up_go_out_one_after_the_other() {
    // One store is enough: it is about the order of turns.
    let world = worlds().await.remove(0);
    let mut posts = Vec::new();
    for _ in 0..500 {
        let patient = PublishOptions::new().however_late();
        let post = world.publish_with(at("2027-01-11T10:00:00Z"), patient);
        posts.push(post.await);
    }
    world.advance(chrono::Duration::hours(10)).await;
    // Those who count while others go may come to the same turn: a few, never hundreds.
    let took = all_out(&world, &posts, 10).await;
    assert_eq!(world.publisher.texts().len(), 500);
    assert!(took < chrono::Duration::seconds(2 * 500 * 10), "{took}");
}

#[tokio::test]
async fn an_outage_ends_in_no_flood() {
    for world in worlds().await {
        let mut posts = Vec::new();
        for _ in 0..30 {
            let patient = PublishOptions::new().publish_if_within(Duration::from_secs(9000));
            let post = world.publish_with(at("2027-01-11T10:00:00Z"), patient);
            posts.push(post.await);
        }
        world.advance(chrono::Duration::minutes(90)).await;
        let store = world.market().store().clone();
        let mut times = Vec::new();
        for post in &posts {
            let (publication, _) = world.turn(*post).await;
            assert_eq!(publication.state, PublicationState::Scheduled);
            let job = store.job(world.tenant.id(), publication.job).await;
            times.push(job.unwrap().unwrap().run_at);
        }
        assert!(world.publisher.texts().is_empty());
        times.sort();
        let apart = times.windows(2).map(|two| (two[1] - two[0]).num_seconds());
        assert!(apart.min().unwrap() >= 10, "one by one");
        // Nor does a second one, before all of them had their turn.
        world.advance(chrono::Duration::minutes(20)).await;
        assert!(all_out(&world, &posts, 1).await < chrono::Duration::minutes(10));
        assert_eq!(world.publisher.texts().len(), 30);

        world.publish(at("2027-01-12T10:00:00Z")).await;
        let late = world.publish(at("2027-01-12T10:00:00Z")).await;
        world.advance(chrono::Duration::days(60)).await;
        assert_eq!(world.turn(late).await.0.state, PublicationState::Missed);
        assert_eq!(world.publisher.texts().len(), 30);
    }
}

#[tokio::test]
async fn what_is_blocked_goes_on_when_the_account_is_back_and_is_missed_when_it_is_not() {
    for world in worlds().await {
        let revoked = || Err(Error::new(ErrorKind::Unauthorized, "revoked"));
        world.publisher.answer(revoked());
        let post = world.publish(When::Now).await;
        let (blocked, _) = world.turn(post).await;
        assert_eq!(blocked.state, PublicationState::Blocked);
        let account = world.account.clone();
        let credential = Credential::token("new");
        world.tenant.add_account(account, credential).await.unwrap();
        assert_eq!(
            world.turn(post).await.0.state,
            PublicationState::Published,
            "at once"
        );

        world.publisher.answer(revoked());
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        for _ in 0..5 {
            world.publisher.answer(revoked());
            world.advance(chrono::Duration::minutes(16)).await;
            world.turn(post).await;
        }
        assert_eq!(world.only(post).await.state, PublicationState::Missed);
    }
}

#[tokio::test]
async fn what_keeps_a_process_from_looking_says_nothing_of_the_sending_before() {
    for world in worlds().await {
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        world.advance(chrono::Duration::minutes(30)).await;
        // A process that has no key for the account's credential.
        let bare = Automarket::shared(world.market().store().clone())
            .clock(Arc::new(world.clock.clone()))
            .transport(Script::new())
            .publisher(world.publisher.clone())
            .build()
            .unwrap();
        let tenant = bare.tenant("acme").unwrap();
        let job = world.only(post).await.job;
        tenant.work_on(job, LEASE).await.unwrap();
        let lost = world.only(post).await;
        assert_eq!(lost.state, PublicationState::Publishing);
        assert_eq!(lost.error.unwrap().kind, ErrorKind::Config);
        let late = world.tenant.cancel(post).await.unwrap_err();
        let late = TooLate::of(&late).unwrap();
        assert_eq!(late.state, PublicationState::Publishing);
        // One that has it comes later, and looks.
        world.advance(chrono::Duration::hours(2)).await;
        let found = Lookup::Found(Outcome::Done(Receipt::new("found")));
        world.publisher.find_answer(Ok(found));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}
