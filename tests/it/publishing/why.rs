//! Why something stands where it stands.

use serde_json::json;

use super::{late::gone, *};
use automarket::{
    core::{
        Context, ErrorRecord, Handle as CoreHandle, Intent, Metrics, Profile, Publisher,
        async_trait,
    },
    http::Call,
    publishing::Link,
    store::{AttemptOutcome, Operation, Signal},
};

/// A publisher that speaks to a wire.
struct Wired(RecordingPublisher);

#[async_trait]
impl Publisher for Wired {
    fn profile(&self) -> &Profile {
        self.0.profile()
    }
    async fn identify(&self, cx: &Context) -> automarket::Result<Vec<automarket::Identity>> {
        self.0.identify(cx).await
    }
    async fn publish(&self, cx: &Context, post: &Post) -> automarket::Result<Outcome> {
        let text = post.content_for(&Platform::X, None).text;
        let call = Call::post("posts.create", "https://api.example.com/posts?x=1")?
            .bearer(cx.token()?)
            .json(&serde_json::json!({ "text": text, "echo": cx.token()?.expose() }))?;
        let reply = cx.call(call).await?;
        if reply.status == 429 {
            let wait = Retry::After(Some(Duration::from_secs(60)));
            return Err(reply
                .error(ErrorKind::RateLimited, "slow down")
                .with_retry(wait));
        }
        Ok(Outcome::Done(Receipt::new("42")))
    }
    async fn poll(&self, cx: &Context, handle: &CoreHandle) -> automarket::Result<Outcome> {
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
async fn the_whole_chain_is_told_in_order_without_secrets() {
    for world in worlds().await {
        let wire = Script::new()
            .expect("POST", "https://api.example.com/posts?x=1")
            .reply(429, "hold on, s3cr3t-token")
            .expect("POST", "https://api.example.com/posts?x=1")
            .reply(201, r#"{"id":"42"}"#);
        let market = Automarket::shared(world.market().store().clone())
            .clock(Arc::new(world.clock.clone()))
            .transport(wire)
            .publisher(Wired(world.publisher.clone()))
            .keyring(keyring())
            .build()
            .unwrap();
        let tenant = market.tenant("acme").unwrap();
        let credential = Credential::token("s3cr3t-token");
        tenant
            .add_account(world.account.clone(), credential)
            .await
            .unwrap();
        let options = PublishOptions::new().needs_approval();
        let accounts = [world.account.id];
        let post = Post::text("We shipped!");
        let id = tenant
            .publish_with(post, accounts, at("2027-01-11T10:00:00Z"), options)
            .await
            .unwrap();
        let publication = world.only(id).await.id;
        let rule = async || {
            let why = tenant.why(publication).await.unwrap();
            why.waits.map(|waits| waits.rule)
        };
        assert_eq!(rule().await.as_deref(), Some("approval"));
        tenant.edit(id, Post::text("We shipped it!")).await.unwrap();
        tenant.approve(id, "ada", Some("go")).await.unwrap();
        assert_eq!(rule().await.as_deref(), Some("due"));
        world.clock.advance(chrono::Duration::minutes(61));
        let job = async || world.only(id).await.job;
        tenant.work_on(job().await, LEASE).await.unwrap();
        assert_eq!(rule().await.as_deref(), Some("gate.closed"));
        world.clock.advance(chrono::Duration::seconds(61));
        tenant.work_on(job().await, LEASE).await.unwrap();

        let why = tenant.why(publication).await.unwrap();
        assert_eq!(why.waits, None);
        let chain = why.chain.iter().map(|link| match link {
            Link::Event(event) => event.event.kind.replace("publication.", ""),
            Link::Attempt(attempt) => format!("attempt {}", attempt.decision.rule),
            _ => "failure".to_owned(),
        });
        assert_eq!(
            chain.collect::<Vec<_>>(),
            [
                "awaiting_approval",
                "edited",
                "approved",
                "publishing",
                "attempt platform.wait",
                "scheduled",
                "publishing",
                "attempt done",
                "published"
            ]
        );
        let text = why.to_string();
        for told in [
            "checks=",
            "by=\"ada\"",
            "posts.create: POST https://api.example.com/posts -> 429",
            "We shipped it!",
            "hold on, [REDACTED]",
            "[platform.wait] until 2027-01-11T10:02:00",
        ] {
            assert!(text.contains(told), "{told} is not in\n{text}");
        }
        let json = serde_json::to_string(&why).unwrap();
        assert!(!text.contains("s3cr3t") && !json.contains("s3cr3t"));

        let stats = market.stats().await.unwrap();
        let on_x = &stats.platforms[&Platform::X];
        assert_eq!((on_x.attempts, on_x.done, on_x.rejected), (2, 1, 1));
        assert!((on_x.success_rate - 0.5).abs() < 1e-9 && on_x.p95_ms >= on_x.median_ms);
        world.clock.advance(chrono::Duration::hours(2));
        assert!(
            market.stats().await.unwrap().platforms.is_empty(),
            "the last hour"
        );

        let store = market.store();
        let since = "2027-01-01T00:00:00Z".parse().unwrap();
        let stats = store.attempt_stats(None, since).await.unwrap();
        let counted = stats.iter().map(|s| (s.operation, s.outcome, s.count));
        assert_eq!(
            counted.collect::<Vec<_>>(),
            [
                (Operation::Publish, AttemptOutcome::Done, 1),
                (Operation::Publish, AttemptOutcome::Rejected, 1)
            ]
        );
    }
}

#[tokio::test]
async fn what_goes_on_waiting_as_before_is_told_once() {
    for world in worlds().await {
        let handle = || CoreHandle {
            remote_id: "c1".into(),
            due: None,
            data: serde_json::Value::Null,
        };
        world.publisher.answer(Ok(Outcome::Accepted(handle())));
        let other = world.another_account("2").await;
        let taken = Post::text("We shipped!");
        let taken = world.tenant.publish(taken, [other.id], When::Now).await;
        let taken = taken.unwrap();
        world.turn(taken).await;
        let late = PublishOptions::new().however_late();
        let revoked = Error::new(ErrorKind::Unauthorized, "revoked");
        world.publisher.answer(Err(revoked));
        let blocked = world.publish_with(When::Now, late).await;
        world.turn(blocked).await;
        // Why it goes on waiting may be worth a line of its own, once.
        world.clock.advance(chrono::Duration::hours(1));
        world.turn(blocked).await;
        let told = world.kinds().await.len();
        let tried = async || {
            let store = world.market().store();
            let mut all = 0;
            for post in [taken, blocked] {
                let id = world.only(post).await.id;
                all += store.attempts(world.tenant.id(), id).await.unwrap().len();
            }
            all
        };
        let attempts = tried().await;
        for _ in 0..5 {
            world.clock.advance(chrono::Duration::minutes(16));
            world.turn(blocked).await;
            world.publisher.poll_answer(Ok(Outcome::Accepted(handle())));
            world.clock.advance(chrono::Duration::hours(7));
            world.turn(taken).await;
        }
        assert_eq!(world.publisher.polls(), 5);
        assert_eq!((world.kinds().await.len(), tried().await), (told, attempts));
        assert_eq!(world.only(blocked).await.state, PublicationState::Blocked);
    }
}

/// What a publication waits for, by its rule.
async fn rule(world: &World, post: PostId) -> Option<String> {
    let id = world.only(post).await.id;
    let why = world.tenant.why(id).await.unwrap();
    why.waits.map(|waits| waits.rule)
}

/// Closes a gate of the world's account for so long.
async fn close(world: &World, gate: &str, hours: u64) {
    let wait = Signal::Limited(Duration::from_secs(hours * 3600));
    let store = world.market().store();
    let told = store.tell_gate(world.tenant.id(), world.account.id, gate, wait, false);
    told.await.unwrap();
}

#[tokio::test]
async fn what_a_closed_gate_holds_back_says_so_and_so_does_what_is_missed_by_it() {
    for world in worlds().await {
        close(&world, "rate", 2).await;
        let posts = [
            world.publish(When::Now).await,
            world.publish(When::Now).await,
        ];
        for post in posts {
            world.turn(post).await;
            assert_eq!(rule(&world, post).await.as_deref(), Some("gate.closed"));
        }
        world.clock.advance(chrono::Duration::minutes(30));
        assert_eq!(rule(&world, posts[0]).await.as_deref(), Some("gate.closed"));
        for (post, minutes) in posts.into_iter().zip([31, 90]) {
            // Whoever comes when the gate's time is over says the same.
            world.clock.advance(chrono::Duration::minutes(minutes));
            assert_eq!(rule(&world, post).await.as_deref(), Some("worker"));
            let (missed, _) = world.turn(post).await;
            assert_eq!(missed.state, PublicationState::Missed);
            let why = world.tenant.why(missed.id).await.unwrap();
            assert!(why.to_string().contains(r#""name":"rate""#), "{why}");
            let Some(Link::Event(told)) = why.chain.last() else {
                panic!("{why}");
            };
            let gates = &told.event.data["gates"];
            assert_eq!(gates[0]["name"], "rate");
            assert_eq!(gates.as_array().unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn what_nobody_took_in_time_was_missed_by_no_gate() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        // The gate of other calls holds no post back, and one that closed since did not.
        close(&world, "rate:metrics", 6).await;
        world.clock.advance(chrono::Duration::hours(2));
        close(&world, "rate", 2).await;
        let (missed, _) = world.turn(post).await;
        assert_eq!(missed.state, PublicationState::Missed);
        let why = world.tenant.why(missed.id).await.unwrap().to_string();
        assert!(!why.contains("gates"), "{why}");
    }
}

#[tokio::test]
async fn what_an_outage_held_up_waits_its_turn_whatever_other_calls_may_not() {
    for world in worlds().await {
        let first = world.publish(When::Now).await;
        let second = world.publish(When::Now).await;
        close(&world, "rate:metrics", 6).await;
        world.clock.advance(chrono::Duration::minutes(20));
        for post in [first, second] {
            assert_eq!(rule(&world, post).await.as_deref(), Some("worker"));
            world.turn(post).await;
            assert_eq!(rule(&world, post).await.as_deref(), Some("outage.paced"));
        }
        close(&world, "rate", 6).await;
        assert_eq!(rule(&world, first).await.as_deref(), Some("gate.closed"));
    }
}

#[tokio::test]
async fn what_met_the_limit_itself_is_held_back_by_it_too() {
    for world in worlds().await {
        let wait = Retry::After(Some(Duration::from_secs(60)));
        let limited = Error::new(ErrorKind::RateLimited, "slow").with_retry(wait);
        world.publisher.answer(Err(limited));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        close(&world, "rate", 2).await;
        world.clock.advance(chrono::Duration::minutes(2));
        world.turn(post).await;
        assert_eq!(rule(&world, post).await.as_deref(), Some("gate.closed"));
    }
}

#[tokio::test]
async fn what_waits_for_a_newer_program_needs_no_other_account() {
    for world in worlds().await {
        let retired = || Error::new(ErrorKind::ApiVersionRetired, "v1 is gone");
        world.publisher.answer(Err(retired()));
        let late = PublishOptions::new().however_late();
        let blocked = world.publish_with(When::Now, late).await;
        assert_eq!(world.turn(blocked).await.0.state, PublicationState::Blocked);
        let begun = world.publish_with(When::Now, PublishOptions::new().however_late());
        let begun = begun.await;
        world.publisher.answer(Err(unknown()));
        world.turn(begun).await;
        world.publisher.find_answer(Err(retired()));
        world.clock.advance(chrono::Duration::minutes(2));
        assert_eq!(
            world.turn(begun).await.0.state,
            PublicationState::Publishing
        );
        for post in [blocked, begun] {
            assert_eq!(rule(&world, post).await.as_deref(), Some("api.retired"));
            let store = world.market().store();
            let id = world.only(post).await.id;
            let attempts = store.attempts(world.tenant.id(), id).await.unwrap();
            assert_eq!(attempts.last().unwrap().decision.rule, "api.retired");
        }
        // So does what the platform has: it cannot be asked.
        world.takes();
        let taken = world.publish(When::Now).await;
        world.turn(taken).await;
        assert_eq!(rule(&world, taken).await.as_deref(), Some("accepted.poll"));
        for (kind, waits) in [
            (ErrorKind::ApiVersionRetired, "api.retired"),
            (ErrorKind::Unauthorized, "account.blocked"),
        ] {
            world.polled(taken, Error::new(kind, "no")).await;
            assert_eq!(rule(&world, taken).await.as_deref(), Some(waits));
        }
    }
}

#[tokio::test]
async fn what_may_go_on_waits_for_a_worker_alone_whatever_it_waited_for() {
    for world in worlds().await {
        let late = || PublishOptions::new().however_late();
        for (answer, waits) in [
            (
                Error::new(ErrorKind::ApiVersionRetired, "no"),
                "api.retired",
            ),
            (
                Error::new(ErrorKind::Unavailable, "away")
                    .with_retry(Retry::After(Some(Duration::from_secs(60)))),
                "retry",
            ),
            (unknown(), "retry.reconcile"),
            (Error::new(ErrorKind::Unauthorized, "no"), "account.blocked"),
        ] {
            world.publisher.answer(Err(answer));
            let post = world.publish_with(When::Now, late()).await;
            assert_eq!(rule(&world, post).await.as_deref(), Some("worker"));
            world.turn(post).await;
            assert_eq!(rule(&world, post).await.as_deref(), Some(waits));
            world.clock.advance(chrono::Duration::hours(2));
            let why = world.tenant.why(world.only(post).await.id).await.unwrap();
            let waits = why.waits.unwrap();
            assert_eq!((waits.rule.as_str(), waits.until), ("worker", None));
        }
    }
}

#[tokio::test]
async fn what_waits_its_turn_on_an_account_that_is_connected_again_needs_no_connecting() {
    for world in worlds().await {
        let late = || PublishOptions::new().however_late();
        let mut posts = Vec::new();
        for _ in 0..3 {
            let revoked = Error::new(ErrorKind::Unauthorized, "revoked");
            world.publisher.answer(Err(revoked));
            let post = world.publish_with(When::Now, late()).await;
            assert_eq!(world.turn(post).await.0.state, PublicationState::Blocked);
            assert_eq!(rule(&world, post).await.as_deref(), Some("account.blocked"));
            posts.push(post);
        }
        let (account, again) = (world.account.clone(), Credential::token("another"));
        world.tenant.add_account(account, again).await.unwrap();
        let mut rules = Vec::new();
        for post in posts {
            rules.extend(rule(&world, post).await);
        }
        rules.sort();
        let turn = "account.connected";
        assert_eq!(rules, [turn, turn, "worker"]);
    }
}

#[tokio::test]
async fn what_trouble_of_our_own_put_off_is_no_outage_that_is_paced() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        let store = world.market().store();
        let mut at = store.now().await.unwrap();
        for minutes in [1, 10, 10] {
            let claim = Claim::new("ours", 1).only(world.only(post).await.job);
            let lease = store.claim(&claim.lease(LEASE)).await.unwrap().remove(0);
            at += chrono::Duration::minutes(minutes);
            let error = ErrorRecord::from(&Error::new(ErrorKind::Storage, "away"));
            let verdict = Verdict::Retry { at, error };
            store.settle(&[(lease.token, verdict)]).await.unwrap();
            assert_eq!(rule(&world, post).await.as_deref(), Some("retry"));
            world.clock.advance(chrono::Duration::minutes(minutes));
        }
    }
}

#[tokio::test]
async fn what_was_begun_and_is_surely_not_out_is_not_looked_up() {
    for world in worlds().await {
        let post = gone(&world, "media", json!({ "kept": "m1" })).await;
        world.clock.advance(chrono::Duration::minutes(6));
        close(&world, "rate", 2).await;
        let (begun, _) = world.turn(post).await;
        assert_eq!(begun.state, PublicationState::Publishing);
        assert_eq!(rule(&world, post).await.as_deref(), Some("gate.closed"));
    }
}

#[tokio::test]
async fn what_is_to_be_taken_down_waits_for_that() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        let (published, _) = world.turn(post).await;
        assert_eq!(rule(&world, post).await, None);
        let job = world.tenant.delete(published.id).await.unwrap();
        assert_eq!(rule(&world, post).await.as_deref(), Some("worker"));
        let away = Error::new(ErrorKind::Unavailable, "away").with_retry(Retry::After(None));
        world.publisher.delete_answer(Err(away));
        world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(rule(&world, post).await.as_deref(), Some("delete"));
        world.clock.advance(chrono::Duration::hours(2));
        let no = Error::new(ErrorKind::Forbidden, "no");
        world.publisher.delete_answer(Err(no));
        world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(rule(&world, post).await, None);
        world.tenant.delete(published.id).await.unwrap();
        assert_eq!(rule(&world, post).await.as_deref(), Some("worker"));
    }
}
