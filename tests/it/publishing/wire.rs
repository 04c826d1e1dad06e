//! A real connector against its fake: what the library says of its calls is what the fake saw.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use automarket::{
    connectors::mixpost::{self, Mixpost, MixpostConfig, testing},
    core::{
        Bytes, Media, async_trait,
        content::MediaKind,
        http::{Body, Transport, TransportError},
        http_types::{Method, Request, Response},
    },
    publishing::Link,
    store::Operation,
    testing::{Fault, FaultRule, Sandbox},
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use super::*;

/// The world of the fakes, with a log of what came of each request, by the words of the metrics.
#[derive(Clone)]
struct Logged {
    sandbox: Sandbox,
    log: Arc<Mutex<BTreeMap<String, u64>>>,
}

#[async_trait]
impl Transport for Logged {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let answer = self.sandbox.send(request).await;
        let outcome = match &answer {
            Ok(answer) => match answer.status().as_u16() {
                429 => "limited",
                ..=399 => "answered",
                400..=499 => "refused",
                _ => "failed",
            },
            Err(error) => error.kind.as_str(),
        };
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        *log.entry(outcome.to_owned()).or_default() += 1;
        answer
    }
}

struct Wired {
    fake: Arc<testing::FakeMixpost>,
    wire: Logged,
    clock: ManualClock,
    tenant: Tenant,
    account: Account,
}

impl Wired {
    async fn new() -> Self {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let fake = Arc::new(testing::FakeMixpost::new());
        let sandbox = Sandbox::new().with(fake.clone());
        let wire = Logged {
            sandbox: sandbox.with_clock(Arc::new(clock.clone())),
            log: Arc::default(),
        };
        let config = MixpostConfig::new(testing::BASE_URL, testing::WORKSPACE);
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let market = Automarket::builder(store)
            .clock(Arc::new(clock.clone()))
            .transport(wire.clone())
            .publisher(Mixpost::new(config).unwrap())
            .keyring(keyring())
            .build()
            .unwrap();
        let tenant = market.tenant("acme").unwrap();
        let number = testing::X_ACCOUNT.to_string();
        let account = Account::new(tenant.id().clone(), mixpost::PLATFORM, number);
        let token = Credential::token(testing::TOKEN);
        let account = account.on_network(Platform::X);
        let account = tenant.add_account(account, token).await.unwrap();
        Self {
            fake,
            wire,
            clock,
            tenant,
            account,
        }
    }

    fn fault(&self, fault: Fault) {
        let rule = FaultRule::on("/posts", fault).method(Method::POST);
        self.wire.sandbox.faults().add(rule);
    }

    async fn publish(&self, text: &str) -> Publication {
        let options = PublishOptions::new().however_late();
        let accounts = [self.account.id];
        let post = Post::text(text);
        let post = self.tenant.publish_with(post, accounts, When::Now, options);
        let mut all = self.tenant.publications(post.await.unwrap()).await.unwrap();
        all.remove(0)
    }

    /// Until it is at its end.
    async fn finish(&self, publication: &Publication) -> Publication {
        for _ in 0..50 {
            self.tenant.work_on(publication.job, LEASE).await.unwrap();
            let now = self.tenant.publications(publication.post).await.unwrap();
            if now[0].state.is_terminal() {
                return now[0].clone();
            }
            self.clock.advance(chrono::Duration::hours(7));
        }
        panic!("{publication:?} does not end");
    }
}

#[tokio::test]
async fn counters_equal_the_log_of_the_fake() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _local = metrics::set_default_local_recorder(&recorder);
    let world = Wired::new().await;
    let faults = [
        Fault::RateLimited(Some("60")),
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::NotSent,
        Fault::StatusAfter(502),
        Fault::StatusBefore(503),
        Fault::HalfAfter,
        Fault::GarbageAfter,
    ];
    let rounds = faults.len() as u64 + 1;
    for (n, fault) in faults.into_iter().enumerate() {
        world.fault(fault);
        let publication = world.publish(&format!("Post {n}")).await;
        let ended = world.finish(&publication).await;
        assert_eq!(ended.state, PublicationState::Published, "{n}: {ended:?}");
    }
    world.fault(Fault::Reply(
        422,
        r#"{"message":"The content is refused."}"#,
    ));
    let refused = world.publish("Never").await;
    let refused = world.finish(&refused).await;
    assert_eq!(refused.state, PublicationState::Rejected);
    assert_eq!(world.wire.sandbox.faults().hits().len() as u64, rounds);

    let mut calls = BTreeMap::new();
    let mut publications = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let DebugValue::Counter(count) = value else {
            continue;
        };
        let outcome = key.key().labels().find(|label| label.key() == "outcome");
        let counted = match key.key().name() {
            "automarket_calls_total" => &mut calls,
            "automarket_publications_total" => &mut publications,
            _ => continue,
        };
        *counted
            .entry(outcome.unwrap().value().to_owned())
            .or_insert(0) += count;
    }
    let log = world.wire.log.lock().unwrap().clone();
    assert_eq!(calls, log, "calls");
    for kind in ["answered", "limited", "refused", "failed", "network"] {
        assert!(log.contains_key(kind), "void: no call was {kind}: {log:?}");
    }
    let effects = world.wire.sandbox.effects(&mixpost::PLATFORM).len() as u64;
    assert_eq!(effects, rounds - 1);
    let wanted = [
        ("published".to_owned(), effects),
        ("rejected".to_owned(), 1),
    ];
    assert_eq!(publications, wanted.into(), "publications");
}

#[tokio::test]
async fn why_tells_of_a_limit_a_cut_and_the_look_that_found_it() {
    let world = Wired::new().await;
    world.fault(Fault::RateLimited(Some("60")));
    world.fault(Fault::CutAfter);
    let publication = world.publish("We shipped!").await;
    let ended = world.finish(&publication).await;
    assert_eq!(ended.state, PublicationState::Published);
    assert_eq!(world.wire.sandbox.effects(&mixpost::PLATFORM).len(), 1);

    let why = world.tenant.why(publication.id).await.unwrap();
    let attempts: Vec<_> = why
        .chain
        .iter()
        .filter_map(|link| match link {
            Link::Attempt(attempt) => Some(attempt),
            _ => None,
        })
        .collect();
    let told = attempts.iter().map(|a| (a.operation, &*a.decision.rule));
    assert_eq!(
        told.take(3).collect::<Vec<_>>(),
        [
            (Operation::Publish, "platform.wait"),
            (Operation::Publish, "retry.reconcile"),
            (Operation::Reconcile, "done"),
        ]
    );
    // What went over the wire is there: the text that was sent, the status, the missing answer, the look-up.
    let wire = |n: usize| &attempts[n].exchanges;
    assert!(wire(0).iter().any(|e| e.status == Some(429)));
    let cut = wire(1).iter().find(|e| e.status.is_none()).unwrap();
    assert!(cut.sent.contains("We shipped!"), "{cut:?}");
    let looks = wire(2);
    assert!(
        !looks.is_empty() && looks.iter().all(|e| e.method == "GET"),
        "{looks:?}"
    );
    let text = why.to_string();
    for told in ["-> 429", "-> no answer", "We shipped!", "[retry.reconcile]"] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
    let json = serde_json::to_string(&why).unwrap();
    assert!(!text.contains(testing::TOKEN) && !json.contains(testing::TOKEN));
}

#[tokio::test]
async fn a_deletion_that_is_refused_or_waits_counts_nothing_as_published() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _local = metrics::set_default_local_recorder(&recorder);
    let world = worlds().await.remove(0);
    let post = world.publish(When::Now).await;
    let (published, _) = world.turn(post).await;
    for answer in [
        Err(Error::new(ErrorKind::Unavailable, "away")),
        Err(Error::new(ErrorKind::Forbidden, "not yours")),
        Ok(()),
    ] {
        world.publisher.delete_answer(answer);
    }
    for _ in 0..2 {
        let job = world.tenant.delete(published.id).await.unwrap();
        for _ in 0..2 {
            world.tenant.work_on(job, LEASE).await.unwrap();
            world.clock.advance(chrono::Duration::hours(1));
        }
    }
    assert_eq!(world.only(post).await.state, PublicationState::Deleted);
    let mut counted = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let DebugValue::Counter(count) = value else {
            continue;
        };
        if key.key().name() == "automarket_publications_total" {
            let outcome = key.key().labels().find(|label| label.key() == "outcome");
            counted.insert(outcome.unwrap().value().to_owned(), count);
        }
    }
    let wanted = [("deleted".to_owned(), 1), ("published".to_owned(), 1)];
    assert_eq!(counted, BTreeMap::from(wanted));
}

#[tokio::test]
async fn what_mixpost_failed_is_a_record_of_its_own_when_it_is_tried_again() {
    let world = Wired::new().await;
    let refuse = |why| world.fake.refuse_on(testing::X_ACCOUNT, why);
    refuse(Some("The token is dead."));
    let publication = world.publish("Hello").await;
    let failed = world.finish(&publication).await;
    assert_eq!(failed.state, PublicationState::Rejected);
    refuse(None);
    // Nor is the failed record found instead of the one whose answer is lost.
    world.fault(Fault::CutBefore);
    let again = world.tenant.retry(publication.id).await.unwrap().remove(0);
    let done = world.finish(&again).await;
    assert_eq!(done.state, PublicationState::Published);
    assert_ne!(remote_id(&done), remote_id(&failed));
    let out = world.wire.sandbox.effects(&mixpost::PLATFORM);
    assert_eq!(out.len(), 2, "{out:?}");
}

#[tokio::test]
async fn what_mixpost_is_bound_to_refuse_is_said_by_the_plan() {
    let world = Wired::new().await;
    let facebook = testing::FACEBOOK_ACCOUNT.to_string();
    let page = Account::new(world.tenant.id().clone(), mixpost::PLATFORM, facebook);
    let page = page.on_network(Platform::FACEBOOK);
    let token = Credential::token(testing::TOKEN);
    let page = world.tenant.add_account(page, token).await.unwrap();
    let mut thread = Post::text("one");
    thread.base.thread = Some(vec!["two".into()]);
    let mut comment = Post::text("one");
    comment.base.first_comment = Some("and more".into());
    let url = || "https://acme.example/a.png".parse().unwrap();
    let mut photo = Media::address(MediaKind::Image, url());
    photo.alt = Some("a".repeat(256));
    let document = Media::address(MediaKind::Document, url());
    for (post, rule) in [
        (Post::text("we <3 you"), "mixpost.angle_bracket"),
        (Post::text("a".repeat(5001)), "text.too_long"),
        (Post::text("&".repeat(1001)), "mixpost.body_length"),
        (thread, "thread.unsupported"),
        (comment, "comment.unsupported"),
        (Post::text("one").media(photo), "media.alt_too_long"),
        (Post::text("one").media(document), "media.kind"),
    ] {
        let plan = world.tenant.plan(&post, [page.id]).await.unwrap();
        let found = plan.targets[0].report.findings.iter();
        let rules: Vec<_> = found.map(|finding| finding.rule.as_str()).collect();
        assert!(rules.contains(&rule), "{rule}: {rules:?}");
        let error = world.tenant.publish(post, [page.id], When::Now).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput, "{rule}");
    }
}

#[tokio::test]
async fn a_network_that_mixpost_lost_is_waited_for_and_its_token_is_not_to_blame() {
    let world = Wired::new().await;
    let authorized = |is| world.fake.set_authorized(testing::X_ACCOUNT, is);
    let turn = async |publication: &Publication| {
        let job = world.tenant.work_on(publication.job, LEASE).await;
        job.unwrap();
        let mut all = world.tenant.publications(publication.post).await.unwrap();
        all.remove(0)
    };
    let taken = turn(&world.publish("Taken before").await).await;
    assert_eq!(taken.state, PublicationState::Accepted);
    let out = world.finish(&world.publish("Out before").await).await;
    assert_eq!(out.state, PublicationState::Published);

    authorized(false);
    let blocked = turn(&world.publish("We shipped!").await).await;
    assert_eq!(blocked.state, PublicationState::Blocked);
    let said = blocked.error.clone().unwrap();
    assert!(said.message.contains("lost its connection"), "{said:?}");
    let why = world.tenant.why(blocked.id).await.unwrap();
    assert_eq!(why.waits.unwrap().rule, "account.blocked");
    let deletion = world.tenant.delete(out.id).await.unwrap();
    world.tenant.work_on(deletion, LEASE).await.unwrap();
    // Whose token it is may not read posts for a while.
    let forbidden = Fault::Reply(403, r#"{"message":"Access forbidden."}"#);
    let role = FaultRule::on("/posts", forbidden).method(Method::GET);
    world.wire.sandbox.faults().add(role);
    world.clock.advance(chrono::Duration::hours(7));
    let asked = turn(&taken).await;
    assert_eq!(asked.state, PublicationState::Accepted);
    assert_eq!(asked.error.unwrap().kind, ErrorKind::Unauthorized);
    // Else Mixpost itself goes on answering.
    world.clock.advance(chrono::Duration::hours(7));
    assert_eq!(turn(&taken).await.state, PublicationState::Published);
    world.tenant.measure_now(out.id).await.unwrap();
    assert_eq!(turn(&blocked).await.state, PublicationState::Blocked);
    world.tenant.work_on(deletion, LEASE).await.unwrap();

    authorized(true);
    world.clock.advance(chrono::Duration::minutes(16));
    assert_eq!(turn(&blocked).await.state, PublicationState::Accepted);
    for _ in 0..3 {
        world.tenant.work_on(deletion, LEASE).await.unwrap();
        world.clock.advance(chrono::Duration::hours(1));
    }
    let left = world.tenant.publications(out.post).await.unwrap();
    assert_eq!(left[0].state, PublicationState::Deleted);
    let events = world.tenant.events(0, 1000).await.unwrap();
    let told = events.iter().map(|event| event.event.kind.as_str());
    assert_eq!(
        told.filter(|kind| *kind == "account.needs_reauth").count(),
        0
    );
}
