//! Trouble of our own, for longer than a publication is tried: it uses up none of its tries.

use automarket::{
    Media,
    content::{MediaKind, MediaSource},
    core::{Bytes, Context, Identity, Intent, Metrics, Profile, Publisher, async_trait},
    testing::LocalMediaHost,
};

use super::*;

/// More runs than a publication is tried.
const RUNS: usize = 30;

fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "away").with_retry(Retry::After(None))
}

/// Has a process that has no connector run the job, again and again.
async fn bear(world: &World, job: JobId) {
    let bare = Automarket::shared(world.market().store().clone())
        .clock(Arc::new(world.clock.clone()))
        .transport(Script::new())
        .keyring(keyring())
        .build()
        .unwrap();
    let tenant = bare.tenant("acme").unwrap();
    for _ in 0..RUNS {
        tenant.work_on(job, LEASE).await.unwrap();
        world.clock.advance(chrono::Duration::hours(2));
    }
}

async fn after_trouble(world: &World) -> PostId {
    let late = PublishOptions::new().however_late();
    let post = world.publish_with(When::Now, late).await;
    let waits = world.only(post).await;
    bear(world, waits.job).await;
    let waits = world.only(post).await;
    assert_eq!(waits.state, PublicationState::Scheduled);
    assert_eq!(waits.error.unwrap().kind, ErrorKind::Config);
    post
}

#[tokio::test]
async fn a_failure_after_it_is_the_first_of_twenty() {
    for world in worlds().await {
        let post = after_trouble(&world).await;
        for n in 1..=20 {
            assert!(!world.only(post).await.state.is_terminal(), "failure {n}");
            world.publisher.answer(Err(away()));
            world.turn(post).await;
            world.clock.advance(chrono::Duration::hours(2));
        }
        let (end, job) = world.turn(post).await;
        assert_eq!(end.state, PublicationState::Rejected);
        assert_eq!(job, JobState::Dead);
    }
}

#[tokio::test]
async fn what_is_lost_after_it_is_looked_up() {
    for world in worlds().await {
        let post = after_trouble(&world).await;
        world.publisher.answer(Err(unknown()));
        let (lost, _) = world.turn(post).await;
        assert_eq!(lost.state, PublicationState::Publishing);
        world.clock.advance(chrono::Duration::hours(2));
        let found = Lookup::Found(Outcome::Done(Receipt::new("found")));
        world.publisher.find_answer(Ok(found));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn a_crash_after_it_is_the_first_of_three() {
    for world in worlds().await {
        let post = after_trouble(&world).await;
        let store = world.market().store();
        for _ in 0..2 {
            let claim = Claim::new("gone", 1).only(world.only(post).await.job);
            let leases = store.claim(&claim.lease(LEASE)).await.unwrap();
            assert_eq!(leases.len(), 1);
            world.clock.advance(chrono::Duration::hours(2));
        }
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn five_failures_after_it_send_it_another_way() {
    for world in worlds().await {
        let second = world.another_account("2").await.id;
        let set = world.tenant.set_fallback(world.account.id, Some(second));
        set.await.unwrap();
        let post = after_trouble(&world).await;
        for n in 1..=5 {
            assert_eq!(world.only(post).await.via, None, "failure {n}");
            world.publisher.answer(Err(away()));
            world.turn(post).await;
            world.clock.advance(chrono::Duration::hours(2));
        }
        assert_eq!(world.only(post).await.route().account, second);
    }
}

#[tokio::test]
async fn a_deletion_is_tried_as_often_after_it() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        let (published, _) = world.turn(post).await;
        let job = world.tenant.delete(published.id).await.unwrap();
        bear(&world, job).await;
        for n in 1..20 {
            world.publisher.delete_answer(Err(away()));
            let waits = world.tenant.work_on(job, LEASE).await.unwrap();
            assert_eq!(waits.state, JobState::Waiting, "failure {n}");
            world.clock.advance(chrono::Duration::hours(2));
        }
        world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.only(post).await.state, PublicationState::Deleted);
    }
}

/// A publisher of a platform that fetches media.
struct Fetching(RecordingPublisher);

#[async_trait]
impl Publisher for Fetching {
    fn profile(&self) -> &Profile {
        self.0.profile()
    }
    async fn identify(&self, cx: &Context) -> automarket::Result<Vec<Identity>> {
        self.0.identify(cx).await
    }
    async fn publish(&self, cx: &Context, post: &Post) -> automarket::Result<Outcome> {
        for media in post.base.media.iter().flatten() {
            let address = cx.public_address(media).await;
            address.map_err(|error| error.with_platform(&Platform::X))?;
        }
        self.0.publish(cx, post).await
    }
    async fn poll(&self, cx: &Context, handle: &Handle) -> automarket::Result<Outcome> {
        self.0.poll(cx, handle).await
    }
    async fn find(&self, cx: &Context, intent: &Intent) -> automarket::Result<Lookup> {
        self.0.find(cx, intent).await
    }
    async fn measure(&self, cx: &Context, receipt: &Receipt) -> automarket::Result<Metrics> {
        self.0.measure(cx, receipt).await
    }
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> automarket::Result<()> {
        self.0.delete(cx, receipt).await
    }
}

#[tokio::test]
async fn media_waits_for_a_worker_that_has_a_place_for_it() {
    let image = &b"\xFF\xD8\xFF\xE0\0\x10JFIF"[..];
    for source in [
        MediaSource::Host("crab".into()),
        MediaSource::Bytes(Bytes::from_static(image)),
    ] {
        for world in worlds().await {
            let process = || {
                Automarket::shared(world.market().store().clone())
                    .clock(Arc::new(world.clock.clone()))
                    .transport(Script::new())
                    .keyring(keyring())
                    .publisher(Fetching(world.publisher.clone()))
            };
            let bare = process().build().unwrap();
            let host = LocalMediaHost::new();
            let web = process().media_host(host.clone()).build().unwrap();
            let tenant = web.tenant("acme").unwrap();
            host.put(tenant.id(), "crab", image);
            let account = Account::new(tenant.id().clone(), Platform::X, "2");
            // The rules of a network that takes images.
            let account = account.on_network(Platform::LINKEDIN);
            let account = tenant.add_account(account, Credential::token("t")).await;
            let crab = Media::new(MediaKind::Image, source.clone());
            let post = Post::text("A crab").media(crab.alt("A crab"));
            let post = tenant.publish(post, [account.unwrap().id], When::Now);
            let post = post.await.unwrap();
            let job = world.only(post).await.job;
            let elsewhere = bare.tenant("acme").unwrap();
            let job = elsewhere.work_on(job, LEASE).await.unwrap();
            let waits = world.only(post).await;
            assert_eq!(waits.state, PublicationState::Scheduled, "{waits:?}");
            assert_eq!(waits.error.unwrap().kind, ErrorKind::Config);
            assert_eq!(job.state, JobState::Waiting);
            world.clock.advance(chrono::Duration::minutes(10));
            tenant.work_on(waits.job, LEASE).await.unwrap();
            assert_eq!(world.only(post).await.state, PublicationState::Published);
        }
    }
}

#[tokio::test]
async fn what_a_platform_calls_wrong_is_no_trouble_of_ours() {
    for world in worlds().await {
        let wrong = Error::new(ErrorKind::Config, "that token is the app's own");
        world
            .publisher
            .answer(Err(wrong.with_platform(&Platform::X)));
        let post = world.publish(When::Now).await;
        let (end, _) = world.turn(post).await;
        assert_eq!(end.state, PublicationState::Rejected);
    }
}

/// Those of a platform's `Config` are days of trouble in a row: an answer in between begins them anew.
#[tokio::test]
async fn an_answer_begins_the_days_of_grace_anew() {
    let moved = || Error::new(ErrorKind::Config, "moved").with_platform(&Platform::X);
    for world in worlds().await {
        let post = world.accepted().await;
        for _ in 0..2 {
            for _ in 0..140 {
                let state = world.polled(post, moved()).await;
                assert_eq!(state, PublicationState::Accepted);
            }
            let handle = world.only(post).await.handle.unwrap();
            let answer = Outcome::Accepted(handle);
            world.publisher.poll_answer(Ok(answer));
            world.clock.advance(chrono::Duration::hours(7));
            assert_eq!(world.turn(post).await.0.state, PublicationState::Accepted);
        }
    }
}

/// Its back-off is an hour at the most, as long as it may be late: what waits for that is missed in time all the same.
#[tokio::test]
async fn what_fails_until_it_is_too_late_is_missed_as_soon_as_it_is() {
    for world in worlds().await {
        let store = world.market().store().clone();
        let bare = Automarket::shared(store.clone())
            .clock(Arc::new(world.clock.clone()))
            .keyring(keyring())
            .publisher(world.publisher.clone())
            .build()
            .unwrap();
        let (bare, id) = (bare.tenant("acme").unwrap(), world.tenant.id());
        for (tenant, kind) in [
            (&bare, ErrorKind::Config),
            (&world.tenant, ErrorKind::Unavailable),
        ] {
            for _ in 0..25 {
                world.publisher.answer(Err(away()));
            }
            let post = world.publish(When::Now).await;
            let over = world.only(post).await.expiry().unwrap();
            while !world.only(post).await.state.is_terminal() {
                let job = world.only(post).await.job;
                let job = store.job(id, job).await.unwrap().unwrap();
                assert!(job.run_at <= over, "{} is after {over}", job.run_at);
                let wait = job.run_at - store.now().await.unwrap();
                world.clock.advance(wait.max(chrono::Duration::zero()));
                tenant.work_on(job.id, LEASE).await.unwrap();
            }
            let missed = world.only(post).await;
            assert_eq!(missed.state, PublicationState::Missed);
            assert_eq!(missed.error.unwrap().kind, kind);
        }
    }
}
