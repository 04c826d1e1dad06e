//! Tokens are renewed in time, once, and an account is declared lost only when the platform says so.

use std::time::Duration;

use automarket::{
    ErrorKind, Post, Retry, When,
    core::http_types::StatusCode,
    store::{Job, JobState, JobStore as _},
    testing::{FaultStore, RecordingPublisher, StoreFault, StoreRule, TokioClock},
};
use tokio::time::sleep;

use super::{issuer::Next, *};

const LEASE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_living_token_is_used_as_it_is() {
    let world = World::new().await;
    world.pass(3600 - 61);
    assert_eq!(world.token().await.unwrap(), "access-1");
    assert_eq!(world.issuer.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_need_a_dying_token_share_one_renewal() {
    let world = World::new().await;
    world.pass(3600 - 59);
    let processes = [world.tenant.clone(), world.other_process()];
    let users = (0..200).map(|n| {
        let (tenant, id) = (processes[n % 2].clone(), world.account.id);
        tokio::spawn(async move { tenant.context(id).await.unwrap() })
    });
    for user in users.collect::<Vec<_>>() {
        let context = user.await.unwrap();
        assert_eq!(token_of(context.credential()), "access-2");
    }
    assert_eq!(world.issuer.token_requests(), 1);
    assert_eq!(world.issuer.invalid_grants(), 0);
    let trail = world.trail().await;
    let refreshes = trail.iter().filter(|(a, _)| *a == AuditAction::Refresh);
    assert_eq!(refreshes.count(), 1);
}

#[tokio::test]
async fn a_reply_without_refresh_token_keeps_the_old_one() {
    let world = World::new().await;
    world.issuer.next(Next::NoRefreshToken);
    world.pass(3600);
    assert_eq!(world.token().await.unwrap(), "access-2");
    world.pass(3600);
    assert_eq!(world.token().await.unwrap(), "access-3");
    assert_eq!(world.issuer.invalid_grants(), 0);
}

#[tokio::test]
async fn trouble_on_the_way_disconnects_nobody() {
    let html = "<html>Bad gateway</html>".to_owned();
    for next in [
        Next::NotSent,
        Next::Reply(StatusCode::TOO_MANY_REQUESTS.as_u16(), "{}".into()),
        Next::Reply(503, html),
        // What a status says comes before what its body says.
        Next::Reply(503, "{\"error\":\"invalid_grant\"}".into()),
        Next::Reply(429, "{\"error\":\"invalid_grant\"}".into()),
        Next::Reply(200, "{\"access_tok".into()),
        Next::Reply(401, "{\"error\":\"invalid_client\"}".into()),
    ] {
        let world = World::new().await;
        world.pass(3600);
        world.issuer.next(next);
        let error = world.token().await.unwrap_err();
        assert!(
            matches!(error.retry(), Retry::After(Some(_))),
            "{error:?} is to be waited out"
        );
        assert!(!world.needs_reauth().await);
        assert_eq!(world.events_of("account.needs_reauth").await, 0);
        let last = world.trail().await.pop();
        let why = (AuditAction::Refresh, error.kind().as_str().to_owned());
        assert_eq!(last, Some(why));
        // Nobody hammers the platform meanwhile.
        assert_eq!(world.issuer.token_requests(), 1);
        world.pass(61);
        assert_eq!(world.token().await.unwrap(), "access-2");
    }
}

#[tokio::test]
async fn a_token_that_could_not_be_renewed_early_is_used_to_its_end() {
    let world = World::new().await;
    world.pass(3600 - 30);
    world.issuer.next(Next::Reply(503, "{}".into()));
    for _ in 0..3 {
        assert_eq!(world.token().await.unwrap(), "access-1");
    }
    assert_eq!(world.issuer.token_requests(), 1);
    world.pass(29);
    world.issuer.next(Next::Reply(503, "{}".into()));
    assert_eq!(world.token().await.unwrap(), "access-1");
    world.pass(1);
    assert_eq!(
        world.token().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert!(!world.needs_reauth().await);
    // One that is over is not used, however long it lives.
    let world = World::new().await;
    world.pass(3600 - 30);
    world
        .issuer
        .next(Next::Reply(400, "{\"error\":\"invalid_grant\"}".into()));
    assert_eq!(
        world.token().await.unwrap_err().kind(),
        ErrorKind::Unauthorized
    );
    assert!(world.needs_reauth().await);
}

#[tokio::test]
async fn a_renewal_that_panics_is_tried_again() {
    tokio::time::pause();
    let world = World::new().await;
    world.pass(3600);
    world.issuer.next(Next::Panic);
    let error = world.token().await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(Some(_))), "{error:?}");
    // The lease that it held is over.
    world.pass(61);
    assert_eq!(world.token().await.unwrap(), "access-2");
}

/// How long the error says to wait; nobody waited for it.
async fn at_once(tenant: &Tenant, account: automarket::AccountId) -> u64 {
    let began = tokio::time::Instant::now();
    let error = tenant.context(account).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO, "{error:?}");
    match error.retry() {
        Retry::After(Some(wait)) => wait.as_secs(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_stands_and_waits_while_the_platform_asks_for_patience() {
    tokio::time::pause();
    let world = World::new().await;
    world.pass(3600);
    world.issuer.next(Next::Limited(600));
    let id = world.account.id;
    assert_eq!(at_once(&world.tenant, id).await, 600);
    world.pass(60);
    for tenant in [&world.tenant, &world.other_process()] {
        let wait = at_once(tenant, id).await;
        assert!((540..=542).contains(&wait), "{wait} s");
    }
    assert_eq!(world.issuer.token_requests(), 1);
    world.pass(541);
    assert_eq!(world.token().await.unwrap(), "access-2");
}

#[tokio::test]
async fn an_address_that_fails_again_and_again_is_left_alone_for_longer_and_longer() {
    tokio::time::pause();
    let world = World::new().await;
    world.pass(3600);
    let mut waits = Vec::new();
    for _ in 0..12 {
        world.issuer.next(Next::Reply(503, String::new()));
        at_once(&world.tenant, world.account.id).await;
        let wait = at_once(&world.other_process(), world.account.id).await;
        waits.push(wait);
        world.pass(wait as i64);
    }
    assert_eq!(world.issuer.token_requests(), 12);
    assert!(waits[0] <= 7 && waits[11] >= 600, "{waits:?}");
    world.pass(3);
    assert_eq!(world.token().await.unwrap(), "access-2");
    // All is well again.
    world.pass(3600);
    assert_eq!(world.token().await.unwrap(), "access-3");
}

#[tokio::test]
async fn one_account_that_fails_again_and_again_holds_back_no_other_of_its_app() {
    tokio::time::pause();
    let world = World::new().await;
    world.pass(3600);
    let mut wait = 0;
    for _ in 0..7 {
        world.pass(wait as i64);
        world.issuer.next(Next::Reply(500, String::new()));
        at_once(&world.tenant, world.account.id).await;
        wait = at_once(&world.other_process(), world.account.id).await;
    }
    assert_eq!(world.issuer.token_requests(), 7);
    let (access, refresh) = world.issuer.grant();
    let other = Account::new(world.tenant.id().clone(), PLATFORM, "other");
    let dying = tokens(&access, &refresh, super::issuer::later(&world.clock, 0));
    let other = world.tenant.add_account(other, dying).await.unwrap();
    world.tenant.context(other.id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_address_that_hangs_takes_the_worker_from_nobody() {
    let clock = Arc::new(TokioClock::from("2027-01-11T09:00:00Z".parse().unwrap()));
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let (issuer, quick) = (Issuer::new(), RecordingPublisher::new(Platform::LINKEDIN));
    let market = market(store.clone(), issuer.clone())
        .clock(clock.clone())
        .publisher(quick.clone())
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    let dead = automarket::Clock::now(&*clock);
    for n in 0..20 {
        let account = Account::new(tenant.id().clone(), PLATFORM, n.to_string());
        let added = tenant.add_account(account, tokens("access", "refresh", dead));
        let account = added.await.unwrap();
        let post = Post::text(format!("post {n}"));
        tenant.publish(post, [account.id], When::Now).await.unwrap();
    }
    issuer.hang();
    let worker = market.worker().concurrency(2);
    let began = tokio::time::Instant::now();
    let other = async {
        // Five renewals, two at a time, are what it takes to see it.
        sleep(Duration::from_secs(61)).await;
        let account = Account::new(tenant.id().clone(), Platform::LINKEDIN, "1");
        let account = tenant.add_account(account, Credential::token("t"));
        let account = account.await.unwrap();
        for n in 0..20 {
            let post = Post::text(format!("other {n}"));
            tenant.publish(post, [account.id], When::Now).await.unwrap();
            while quick.texts().len() <= n {
                sleep(Duration::from_millis(100)).await;
            }
            sleep(Duration::from_secs(20)).await;
        }
    };
    worker.run_until(other).await.unwrap();
    let late = began.elapsed() - Duration::from_secs(61 + 20 * 20);
    assert!(late < Duration::from_secs(60), "{late:?}");
    let asked = issuer.token_requests();
    assert!((5..=16).contains(&asked), "{asked} renewals");
}

#[tokio::test]
async fn a_renewal_whose_answer_is_lost_ends_usable_or_says_so() {
    let world = World::new().await;
    world.pass(3600);
    world.issuer.next(Next::CutAfter);
    let error = world.token().await.unwrap_err();
    assert!(!error.is_unknown());
    assert!(!world.needs_reauth().await);
    // The platform had used the refresh token up: it says so, and only then the account is lost.
    world.pass(61);
    let error = world.token().await.unwrap_err();
    assert_eq!(error.rule(), Some("account.needs_reauth"));
    assert_eq!(world.events_of("account.needs_reauth").await, 1);
    let last = world.trail().await.pop();
    let why = (AuditAction::Refresh, "needs_reauth".to_owned());
    assert_eq!(last, Some(why));
}

/// While this process waits in the store, somebody else puts another credential in; what this one gets.
async fn meanwhile_somebody_else(world: &World, call: &'static str, after: u32) -> String {
    world.pass(3600);
    let faulty = Arc::new(FaultStore::new(world.store.clone()));
    let delay = StoreFault::Delay(Duration::from_secs(1));
    faulty.faults().add(StoreRule::on(call, delay).after(after));
    let market = market(faulty.clone(), world.issuer.clone())
        .clock(Arc::new(world.clock.clone()))
        .build()
        .unwrap();
    let (tenant, id) = (market.tenant("acme").unwrap(), world.account.id);
    let asking = tokio::spawn(async move { tenant.context(id).await });
    while faulty.faults().hits() == 0 {
        tokio::task::yield_now().await;
    }
    let (access, refresh) = world.issuer.grant();
    let end = issuer::later(&world.clock, 3600);
    let other = world.other_process();
    let newer = tokens(&access, &refresh, end);
    other
        .add_account(world.account.clone(), newer)
        .await
        .unwrap();
    let context = asking.await.unwrap().unwrap();
    assert_eq!(world.events_of("account.needs_reauth").await, 0);
    assert!(!world.needs_reauth().await);
    assert_eq!(world.token().await.unwrap(), access);
    token_of(context.credential()).to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_refused_renewal_is_believed_only_when_nobody_has_renewed_meanwhile() {
    let world = World::new().await;
    // It has the lease, and has not asked yet.
    assert_eq!(meanwhile_somebody_else(&world, "now", 2).await, "access-2");
    assert_eq!(world.issuer.invalid_grants(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_ends_late_writes_over_nothing() {
    let world = World::new().await;
    // It has new tokens, and has not stored them yet.
    let got = meanwhile_somebody_else(&world, "put_credential", 0).await;
    assert_eq!(got, "access-3");
    assert_eq!(
        (world.issuer.renewed(), world.issuer.invalid_grants()),
        (1, 0)
    );
}

#[tokio::test]
async fn new_tokens_are_durable_before_they_are_used() {
    let world = World::new().await;
    world.pass(3600);
    let faulty = FaultStore::new(world.store.clone());
    // The answer of the commit is lost, then the database is away for a moment.
    for fault in [
        StoreFault::FailBefore,
        StoreFault::Refuse(ErrorKind::Config),
        StoreFault::FailAfter,
    ] {
        faulty.faults().add(StoreRule::on("put_credential", fault));
    }
    let market = market(Arc::new(faulty), world.issuer.clone())
        .clock(Arc::new(world.clock.clone()))
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    let context = tenant.context(world.account.id).await.unwrap();
    assert_eq!(token_of(context.credential()), "access-2");
    assert_eq!(world.issuer.token_requests(), 1);
    // Another process finds them in the store.
    let other = world
        .other_process()
        .context(world.account.id)
        .await
        .unwrap();
    assert_eq!(token_of(other.credential()), "access-2");
}

/// A store that is slow at the moment at which a renewal has its lease and not asked yet.
fn slow_store(world: &World, seconds: u64) -> (Tenant, Arc<FaultStore>) {
    let slow = Arc::new(FaultStore::new(world.store.clone()));
    let delay = StoreFault::Delay(Duration::from_secs(seconds));
    slow.faults().add(StoreRule::on("now", delay).after(2));
    let market = market(slow.clone(), world.issuer.clone())
        .clock(Arc::new(world.clock.clone()))
        .build()
        .unwrap();
    (market.tenant("acme").unwrap(), slow)
}

#[tokio::test]
async fn a_renewal_is_over_before_its_lease_is() {
    tokio::time::pause();
    let world = World::new().await;
    world.pass(3600);
    world.issuer.next(Next::Hang);
    let (tenant, slow) = slow_store(&world, 15);
    let begun = tokio::time::Instant::now();
    let late = tenant.context(world.account.id).await.unwrap_err();
    assert_eq!((late.kind(), slow.faults().hits()), (ErrorKind::Timeout, 1));
    assert_eq!(world.issuer.token_requests(), 1);
    // By the clock of the test, which nothing but waiting moves. The rest of the lease is for storing.
    let lease = RefreshPolicy::default().lease;
    assert_eq!(begun.elapsed().as_secs(), (lease * 2 / 3).as_secs());
}

#[tokio::test]
async fn a_renewal_that_is_late_before_it_asks_does_not_ask() {
    tokio::time::pause();
    let world = World::new().await;
    world.pass(3600);
    let (tenant, slow) = slow_store(&world, 25);
    let late = tenant.context(world.account.id).await.unwrap_err();
    assert!(matches!(late.retry(), Retry::After(Some(_))), "{late:?}");
    assert_eq!(
        (world.issuer.token_requests(), slow.faults().hits()),
        (0, 1)
    );
    assert!(!world.needs_reauth().await);
}

#[tokio::test]
async fn a_context_with_a_fresh_credential_costs_no_call_to_the_store() {
    let world = World::new().await;
    let counting = Arc::new(FaultStore::new(world.store.clone()));
    let market = market(counting.clone(), world.issuer.clone())
        .clock(Arc::new(world.clock.clone()))
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    tenant.context(world.account.id).await.unwrap();
    let before = counting.faults().calls();
    assert!(before > 0, "the first look is at the store");
    for _ in 0..100 {
        tenant.context(world.account.id).await.unwrap();
    }
    assert_eq!(counting.faults().calls(), before);
    world.pass(3600);
    let renewed = tenant.context(world.account.id).await.unwrap();
    assert_eq!(token_of(renewed.credential()), "access-2");
    assert!(counting.faults().calls() > before);
}

#[tokio::test]
async fn a_caller_who_goes_away_loses_nothing() {
    let world = World::new().await;
    world.pass(3600);
    {
        let mut asking = std::pin::pin!(world.token());
        // Polled once: the renewal is on its way. Then dropped.
        assert!(futures_poll(asking.as_mut()).await.is_none());
    }
    assert_eq!(world.token().await.unwrap(), "access-2");
    assert_eq!(world.issuer.token_requests(), 1);
}

async fn futures_poll<F: Future + Unpin>(future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn a_token_that_is_brought_for_ever_opens_by_a_clock_that_is_ahead() {
    let world = World::new().await;
    let ahead = ManualClock::at(issuer::later(&world.clock, 1));
    let market = market(world.store.clone(), world.issuer.clone()).clock(Arc::new(ahead));
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    let for_ever = tokens("access", "refresh", DateTime::<Utc>::MAX_UTC);
    let account = world.account.clone();
    tenant.add_account(account, for_ever).await.unwrap();
    let context = tenant.context(world.account.id).await.unwrap();
    assert_eq!(token_of(context.credential()), "access");
}

#[tokio::test]
async fn an_end_before_all_time_is_over_and_a_lease_for_ever_is_bounded() {
    let world = World::new().await;
    for hours in [0, -1] {
        let clock = ManualClock::at(issuer::later(&world.clock, hours * 3600));
        let market = market(world.store.clone(), world.issuer.clone()).clock(Arc::new(clock));
        let market = market.refresh(RefreshPolicy {
            lease: std::time::Duration::MAX,
            ..RefreshPolicy::default()
        });
        let tenant = market.build().unwrap().tenant("acme").unwrap();
        let (access, refresh) = world.issuer.grant();
        let over = tokens(&access, &refresh, DateTime::<Utc>::MIN_UTC);
        let account = world.account.clone();
        tenant.add_account(account, over).await.unwrap();
        let context = tenant.context(world.account.id).await.unwrap();
        assert_ne!(token_of(context.credential()), access);
    }
}

#[tokio::test]
async fn a_workers_clock_that_is_wrong_renews_nothing_too_often() {
    let world = World::new().await;
    for (round, hours) in [-2, 2].into_iter().enumerate() {
        let clock = ManualClock::at(issuer::later(&world.clock, hours * 3600));
        let market = market(world.store.clone(), world.issuer.clone())
            .clock(Arc::new(clock.clone()))
            .build()
            .unwrap();
        let tenant = market.tenant("acme").unwrap();
        for _ in 0..3 {
            tenant.context(world.account.id).await.unwrap();
        }
        assert_eq!(world.issuer.token_requests(), round);
        let hour = automarket::core::chrono::Duration::hours(1);
        clock.advance(hour);
        world.clock.advance(hour);
        for _ in 0..3 {
            tenant.context(world.account.id).await.unwrap();
        }
        assert_eq!(world.issuer.token_requests(), round + 1);
    }
}

/// A process that knows how long the platform's refresh tokens live, though no reply says so.
fn knowing(world: &World) -> Tenant {
    let provider = Provider {
        refresh_token_seconds: Some(60 * 86_400),
        ..provider()
    };
    let market = market(world.store.clone(), world.issuer.clone())
        .oauth(provider, App::new("client", "client-secret"))
        .clock(Arc::new(world.clock.clone()))
        .build()
        .unwrap();
    market.tenant("acme").unwrap()
}

async fn keep_alive_job(world: &World) -> Option<Job> {
    let id = world.account.id.to_string();
    let job = world
        .store
        .job_by_key(world.tenant.id(), "credential-keep-alive", &id);
    job.await.unwrap()
}

#[tokio::test]
async fn tokens_that_a_host_brings_are_kept_alive_as_long_as_the_platforms_are() {
    let world = World::new().await;
    let tenant = knowing(&world);
    let (access, refresh) = world.issuer.grant();
    let end = issuer::later(&world.clock, 3600);
    let account = world.account.clone();
    let brought = tenant.add_account(account, tokens(&access, &refresh, end));
    brought.await.unwrap();
    let job = keep_alive_job(&world).await.expect("there is a job");
    for (days, requests) in [(39, 0), (2, 1), (38, 1), (3, 2)] {
        world.pass(days * 86_400);
        tenant.work_on(job.id, LEASE).await.unwrap();
        assert_eq!(world.issuer.token_requests(), requests, "after {days} d");
    }
}

#[tokio::test]
async fn an_account_from_before_the_life_was_known_is_kept_alive_from_its_next_renewal_on() {
    let world = World::new().await;
    assert!(keep_alive_job(&world).await.is_none());
    world.pass(3600);
    let tenant = knowing(&world);
    tenant.context(world.account.id).await.unwrap();
    assert_eq!(world.issuer.token_requests(), 1);
    let job = keep_alive_job(&world).await.expect("there is a job");
    for (days, requests) in [(39, 1), (2, 2), (41, 3)] {
        world.pass(days * 86_400);
        tenant.work_on(job.id, LEASE).await.unwrap();
        assert_eq!(world.issuer.token_requests(), requests, "after {days} d");
    }
}

#[tokio::test]
async fn an_idle_token_is_kept_alive() {
    let world = World::new().await;
    let (access, refresh) = world.issuer.grant();
    let mut tokens = TokenSet::new(Secret::new(access));
    tokens.refresh_token = Some(Secret::new(refresh));
    tokens.expires_at = Some(issuer::later(&world.clock, 3600));
    tokens.refresh_expires_at = Some(issuer::later(&world.clock, 90 * 86_400));
    let account = world.account.clone();
    let credential = Credential::oauth(tokens);
    world.tenant.add_account(account, credential).await.unwrap();
    let id = world.account.id.to_string();
    let job = world
        .store
        .job_by_key(world.tenant.id(), "credential-keep-alive", &id)
        .await
        .unwrap()
        .expect("there is a job");
    world.pass(59 * 86_400);
    let waits = world.tenant.work_on(job.id, LEASE).await.unwrap();
    assert_eq!(waits.state, JobState::Waiting);
    assert_eq!(world.issuer.token_requests(), 0);
    world.pass(2 * 86_400);
    world.tenant.work_on(job.id, LEASE).await.unwrap();
    assert_eq!(world.issuer.token_requests(), 1);
    assert_eq!(world.token().await.unwrap(), "access-3");
}
