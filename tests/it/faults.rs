//! Every connector that publishes, through the engine, in the worst moments: each fault ends in the state that is
//! true, with exactly the right number of posts on the fake. A new connector joins with its entry in
//! `examples/chaos/connectors.rs`.

use std::{fmt, sync::Arc, time::Duration};

use automarket::{
    Automarket, Clock, ErrorKind, Keyring, Media, Post, PostId, Tenant, When,
    connectors::{facebook, instagram, linkedin, x},
    content::MediaKind,
    core::chrono::{DateTime, TimeDelta, Utc},
    publishing::PublishOptions,
    store::{Account, MemoryStore, Publication, PublicationState},
    testing::{
        Fake, Fault, FaultRule, FaultStore, ManualClock, Sandbox, StoreFault, StoreRule, unattended,
    },
};

use crate::connectors::{self, ALL, Connector};

/// More than any of these faults needs.
const TURNS: usize = 40;

/// A clock that is wrong by so much.
struct Wrong(ManualClock, TimeDelta);

impl Clock for Wrong {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }
}

pub(crate) struct World {
    connector: &'static Connector,
    /// What the faults of `store` do not hit.
    rows: Arc<MemoryStore>,
    pub(crate) store: FaultStore,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: ManualClock,
    pub(crate) tenant: Tenant,
    account: Account,
}

impl World {
    pub(crate) async fn new(connector: &'static Connector) -> Self {
        Self::with(connector, (connector.fake)()).await
    }

    async fn with(connector: &'static Connector, fake: Arc<dyn Fake>) -> Self {
        Self::on(connector, fake, TimeDelta::zero()).await
    }

    /// In a process whose clock is wrong by that much; the store's and the platform's are right.
    async fn on(connector: &'static Connector, fake: Arc<dyn Fake>, wrong: TimeDelta) -> Self {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let sandbox = Sandbox::new()
            .with(fake)
            .with_clock(Arc::new(clock.clone()));
        let rows = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
        let store = FaultStore::new(rows.clone());
        let builder = Automarket::builder(store.clone())
            .clock(Arc::new(Wrong(clock.clone(), wrong)))
            .keyring(Keyring::random())
            .transport(sandbox.clone());
        let base = format!("https://{}", connector.host);
        let market = (connector.register)(builder, &base).unwrap().build();
        let tenant = market.unwrap().tenant("acme").unwrap();
        let account = (connector.account)(tenant.id().clone());
        let account = tenant.add_account(account, (connector.credential)());
        Self {
            connector,
            rows,
            store,
            sandbox,
            clock,
            account: account.await.unwrap(),
            tenant,
        }
    }

    /// Has the fault hit the publishing request after so many of them.
    pub(crate) fn fault(&self, fault: Fault, after: u32) {
        let (method, path) = self.connector.write.clone();
        let rule = FaultRule::on(path, fault).method(method).after(after);
        self.sandbox.faults().add(rule);
    }

    /// Has the fault hit that many requests of this path.
    pub(crate) fn fault_at(&self, path: &str, fault: Fault, times: u32) {
        let rule = FaultRule::on(path, fault).times(times);
        self.sandbox.faults().add(rule);
    }

    pub(crate) fn account(&self) -> automarket::AccountId {
        self.account.id
    }

    pub(crate) async fn publish(&self, post: Post) -> PostId {
        let accounts = [self.account.id];
        let options = PublishOptions::new().however_late();
        let published = self.tenant.publish_with(post, accounts, When::Now, options);
        published.await.unwrap()
    }

    /// Works until the publication has ended, whatever the store makes of that.
    async fn end_in_spite(&self, post: PostId, name: &impl fmt::Debug) -> Publication {
        for _ in 0..TURNS {
            let Ok(mut found) = self.tenant.publications(post).await else {
                continue;
            };
            let publication = found.remove(0);
            if publication.state.is_terminal() {
                return publication;
            }
            let lease = Duration::from_secs(60);
            let _ = self.tenant.work_on(publication.job, lease).await;
            self.is_attended(name).await;
            self.clock.advance(TimeDelta::minutes(2));
        }
        panic!("{}: {name:?} comes to no end", self.connector.name)
    }

    pub(crate) async fn turn(&self, post: PostId) -> Publication {
        let job = self.tenant.publications(post).await.unwrap()[0].job;
        let lease = Duration::from_secs(60);
        self.tenant.work_on(job, lease).await.unwrap();
        self.is_attended(&self.connector.name).await;
        self.tenant.publications(post).await.unwrap().remove(0)
    }

    /// Works until the publication has ended, or waits for somebody.
    pub(crate) async fn end(&self, post: PostId, name: &impl fmt::Debug) -> Publication {
        for _ in 0..TURNS {
            let publication = self.turn(post).await;
            if publication.state.is_terminal() || publication.state == PublicationState::Blocked {
                return publication;
            }
            self.clock.advance(TimeDelta::minutes(2));
        }
        panic!("{}: {name:?} comes to no end", self.connector.name)
    }

    /// Nothing is left that nobody comes back to (A22), at its end and on its way there.
    async fn is_attended(&self, name: &impl fmt::Debug) {
        let grace = Duration::from_secs(300);
        let left = unattended(&*self.rows, self.tenant.id(), grace).await;
        assert_eq!(left.unwrap(), [""; 0], "{name:?}");
    }

    pub(crate) fn shows(&self, id: &str) -> bool {
        let mut fakes = self.sandbox.fakes().iter();
        fakes.any(|fake| fake.effects().iter().any(|effect| effect["id"] == id))
    }

    pub(crate) fn posts(&self) -> usize {
        let fakes = self.sandbox.fakes().iter();
        fakes.map(|fake| fake.effects().len()).sum()
    }

    async fn reconnect(&self) {
        let credential = (self.connector.credential)();
        let account = self.account.clone();
        self.tenant.add_account(account, credential).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_in_what_is_true_with_one_post() {
    use PublicationState::{Accepted, Blocked, Published, Publishing, Scheduled};
    let slow = Duration::from_secs(20);
    // The fault, how it stands after the attempt that met it, and how many posts there are then.
    for (fault, states, posts) in [
        (Fault::RateLimited(Some("120")), &[Scheduled][..], 0),
        (Fault::RateLimited(None), &[Scheduled], 0),
        (Fault::StatusBefore(503), &[Scheduled, Publishing], 0),
        (Fault::StatusBefore(500), &[Scheduled, Publishing], 0),
        (Fault::StatusAfter(500), &[Publishing], 1),
        (Fault::StatusAfter(502), &[Publishing], 1),
        (Fault::NotSent, &[Scheduled], 0),
        (Fault::CutBefore, &[Publishing], 0),
        (Fault::CutAfter, &[Publishing], 1),
        (Fault::HangAfter, &[Publishing], 1),
        (Fault::HalfAfter, &[Publishing], 1),
        (Fault::GarbageAfter, &[Publishing], 1),
        (Fault::Reply(200, "<html>Welcome</html>"), &[Publishing], 0),
        (Fault::Slow(slow), &[Accepted, Published], 1),
        (Fault::Unauthorized, &[Blocked], 0),
    ] {
        for connector in ALL {
            let world = World::new(connector).await;
            let name = (connector.name, &fault);
            world.fault(fault.clone(), 0);
            let post = world.publish((connector.post)("We shipped!")).await;
            let met = world.turn(post).await;
            assert_eq!(
                world.sandbox.faults().hits().len(),
                1,
                "{name:?} did not hit"
            );
            assert!(states.contains(&met.state), "{name:?}: {met:?}");
            assert_eq!(world.posts(), posts, "{name:?}, at once");
            if met.state == Blocked {
                world.reconnect().await;
            }
            let end = world.end(post, &name).await;
            assert_eq!(end.state, Published, "{name:?}: {end:?}");
            assert_eq!(world.posts(), 1, "{name:?}, in the end");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_whose_clock_is_wrong_sends_what_is_not_out_and_finds_what_is() {
    for wrong in [-2, 2].map(TimeDelta::hours) {
        for connector in ALL {
            let world = World::on(connector, (connector.fake)(), wrong).await;
            let name = format!("{} by {wrong}", connector.name);
            // These take the same words again.
            let second = match connector.name {
                "facebook" | "mixpost" => "We shipped!",
                _ => "And again",
            };
            for (posts, lost, text) in [
                (1, Fault::CutAfter, "We shipped!"),
                (2, Fault::CutBefore, second),
            ] {
                world.fault(lost, 0);
                let post = world.publish((connector.post)(text)).await;
                let end = world.end(post, &name).await;
                assert_eq!(end.state, PublicationState::Published, "{name}: {end:?}");
                assert_eq!(world.posts(), posts, "{name}: {end:?}");
                world.clock.advance(TimeDelta::minutes(30));
            }
            assert_eq!(world.sandbox.faults().hits().len(), 2, "{name}");
            let cx = world.tenant.context(world.account.id).await.unwrap();
            assert_eq!(cx.now(), world.clock.now(), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_any_one_call_ends_nothing_and_sends_nothing_twice() {
    use StoreFault::{FailAfter, FailBefore, Refuse};
    // The last is one that is read-only for now, or knows our password no more.
    for fault in [FailBefore, FailAfter, Refuse(ErrorKind::Config)] {
        for connector in ALL {
            for nth in 0.. {
                let world = World::new(connector).await;
                let name = (connector.name, &fault, nth);
                let post = world.publish((connector.post)("We shipped!")).await;
                let rule = StoreRule::new(fault.clone()).after(nth);
                world.store.faults().add(rule);
                let end = world.end_in_spite(post, &name).await;
                assert_eq!(end.state, PublicationState::Published, "{name:?}: {end:?}");
                assert_eq!(world.posts(), 1, "{name:?}");
                if world.store.faults().hits() == 0 {
                    assert!(nth > 10, "{name:?}: so few calls");
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_for_days_ends_nothing() {
    for (lost, method) in [(None, "post"), (Some(Fault::CutAfter), "pass_gates")] {
        for kind in [ErrorKind::Storage, ErrorKind::Config] {
            let world = World::new(connectors::find("x").unwrap()).await;
            let post = world.publish(Post::text("We shipped!")).await;
            if let Some(lost) = lost.clone() {
                world.fault(lost, 0);
                let met = world.turn(post).await;
                assert_eq!(met.state, PublicationState::Publishing);
            }
            let refused = StoreRule::on(method, StoreFault::Refuse(kind));
            world.store.faults().add(refused.times(u32::MAX));
            for _ in 0..50 {
                let met = world.turn(post).await;
                assert!(!met.state.is_terminal(), "{method} {kind}: {met:?}");
                world.clock.advance(TimeDelta::hours(2));
            }
            let hits = world.store.faults().hits();
            assert!(hits >= 40, "{method} {kind}: {hits}");
            world.store.faults().clear();
            let end = world.end(post, &method).await;
            assert_eq!(end.state, PublicationState::Published, "{end:?}");
            assert_eq!(world.posts(), 1, "{method} {kind}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_dies_within_a_thread_leaves_no_part_out_and_none_twice() {
    for connector in ALL {
        for part in 0..3 {
            let world = World::new(connector).await;
            let mut post = (connector.post)("One");
            post.base.thread = Some(vec!["Two".into(), "Three".into()]);
            let plan = world.tenant.plan(&post, [world.account.id]).await.unwrap();
            if plan.blockers().next().is_some() {
                // It takes no threads.
                continue;
            }
            world.fault(Fault::Unauthorized, part);
            let post = world.publish(post).await;
            let name = format!("{} part {part}", connector.name);
            let met = world.turn(post).await;
            if world.sandbox.faults().hits().is_empty() {
                // It sends a thread in one request.
                assert!(met.error.is_none(), "{name}: {met:?}");
                continue;
            }
            assert_eq!(met.state, PublicationState::Blocked, "{name}: {met:?}");
            assert_eq!(world.posts(), part as usize, "{name}");
            world.reconnect().await;
            let end = world.end(post, &name).await;
            assert_eq!(end.state, PublicationState::Published, "{name}: {end:?}");
            let whole = if connector.name == "x" { 3 } else { 1 };
            assert_eq!(world.posts(), whole, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_words_again_are_a_duplicate_or_a_second_post_and_never_unknown() {
    for connector in ALL {
        let world = World::new(connector).await;
        let mut posts = 0;
        for _ in 0..2 {
            let post = world.publish((connector.post)("The very same")).await;
            let end = world.end(post, &connector.name).await;
            match end.state {
                PublicationState::Published => posts += 1,
                state => assert_eq!(state, PublicationState::Rejected, "{end:?}"),
            }
            assert_eq!(world.posts(), posts, "{}", connector.name);
            world.clock.advance(TimeDelta::seconds(30));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retired_version_blocks_until_another_is_spoken() {
    let gone =
        r#"{"error":{"message":"(#2635) You are calling a deprecated version","code":2635}}"#;
    for (name, status, body) in [
        ("x", 410, "<html>gone</html>"),
        (
            "linkedin",
            426,
            r#"{"status":426,"code":"NONEXISTENT_VERSION","message":"Requested version 20250401 is not active"}"#,
        ),
        ("facebook", 400, gone),
        ("instagram", 400, gone),
    ] {
        let connector = connectors::find(name).unwrap();
        let world = World::new(connector).await;
        world.fault(Fault::Reply(status, body), 0);
        let post = world.publish((connector.post)("We shipped!")).await;
        let met = world.turn(post).await;
        assert_eq!(met.state, PublicationState::Blocked, "{name}: {met:?}");
        let error = met.error.unwrap();
        assert_eq!(error.kind, ErrorKind::ApiVersionRetired, "{name}");
        assert!(error.remedy.is_some(), "{name}");
        assert_eq!(world.posts(), 0, "{name}");
        // A host that names another, or another automarket, finds it waiting.
        world.clock.advance(TimeDelta::minutes(16));
        let end = world.end(post, &name).await;
        assert_eq!(end.state, PublicationState::Published, "{name}: {end:?}");
        assert_eq!(world.posts(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn media_that_cannot_be_processed_is_refused_and_nothing_is_out() {
    let film = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    std::fs::write(film.path(), b"\0\0\0\x14ftypisom\0\0\x02\0isom\0\0\0\0mdat").unwrap();
    film.as_file().set_len(100_000).unwrap();
    let on_x = x::testing::FakeX::new();
    on_x.fail_processing(1, "no codec");
    let on_linkedin = linkedin::testing::FakeLinkedIn::new();
    on_linkedin.fail_processing(1, "no codec");
    let on_facebook = facebook::testing::FakeFacebook::new();
    on_facebook.fail_processing(1, "no codec");
    let on_instagram = instagram::testing::FakeInstagram::new(instagram::Login::Instagram);
    on_instagram.fail_processing(1, 2_207_026);
    let fakes: [(&str, Arc<dyn Fake>); 4] = [
        ("x", Arc::new(on_x)),
        ("linkedin", Arc::new(on_linkedin)),
        ("facebook", Arc::new(on_facebook)),
        ("instagram", Arc::new(on_instagram)),
    ];
    for (name, fake) in fakes {
        let world = World::with(connectors::find(name).unwrap(), fake).await;
        let film = Media::file(MediaKind::Video, film.path()).alt("A film");
        let post = world.publish(Post::text("A film").media(film)).await;
        let end = world.end(post, &name).await;
        assert_eq!(end.state, PublicationState::Rejected, "{name}: {end:?}");
        let rule = end.error.unwrap().rule.unwrap();
        assert_eq!(rule, format!("{name}.media_processing"));
        assert_eq!(world.posts(), 0, "{name}");
    }
}
