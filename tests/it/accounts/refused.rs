//! What a platform's refusal of a credential leads to: one renewal, or a word that the account has to be connected again.

use automarket::{
    Post, When,
    store::{JobState, JobStore as _, PublicationState},
    testing::{FaultStore, StoreFault, StoreRule},
};

use super::*;

const LEASE: std::time::Duration = std::time::Duration::from_secs(30);

#[tokio::test]
async fn a_401_is_answered_by_one_renewal_and_one_repeat() {
    let world = World::new().await;
    world.issuer.forget_access();
    let post = publish(&world, "a").await;
    assert_eq!(state(&world, post).await, PublicationState::Published);
    assert_eq!(
        (world.issuer.refusals(), world.issuer.token_requests()),
        (1, 1)
    );
    assert_eq!(world.issuer.posts(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_right_after_its_renewal_stops_the_account() {
    let world = World::new().await;
    world.issuer.refuse_all();
    let post = publish(&world, "a").await;
    assert_eq!(state(&world, post).await, PublicationState::Blocked);
    assert_eq!(
        (world.issuer.refusals(), world.issuer.token_requests()),
        (2, 1)
    );
    assert!(world.needs_reauth().await);
    assert_eq!(world.events_of("account.needs_reauth").await, 1);
}

#[tokio::test]
async fn a_refused_credential_is_used_no_more_though_it_was_read_before_that_was_noted() {
    let world = World::new().await;
    let slow = Arc::new(FaultStore::new(world.store.clone()));
    let go_on = Arc::new(tokio::sync::Notify::new());
    let held = StoreFault::Held(go_on.clone());
    let method = "credential_needs_reauth";
    slow.faults().add(StoreRule::on(method, held));
    let market = market(slow.clone(), world.issuer.clone()).clock(Arc::new(world.clock.clone()));
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    world.issuer.withdraw();
    let id = world.account.id;
    let post = tenant.publish(Post::text("a"), [id], When::Now);
    let publications = tenant.publications(post.await.unwrap());
    let job = publications.await.unwrap()[0].job;
    let read = async {
        while slow.faults().hits() == 0 {
            tokio::task::yield_now().await;
        }
        tenant.context(id).await.unwrap();
        go_on.notify_one();
    };
    let (worked, ()) = tokio::join!(tenant.work_on(job, LEASE), read);
    worked.unwrap();
    let late = tenant.context(id).await.unwrap_err();
    assert_eq!(late.rule(), Some("account.needs_reauth"));
}

#[tokio::test]
async fn a_renewed_token_that_has_run_out_meanwhile_is_renewed_once_more() {
    let world = World::new().await;
    let slow = Arc::new(FaultStore::new(world.store.clone()));
    let market = market(slow.clone(), world.issuer.clone()).clock(Arc::new(world.clock.clone()));
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    let id = world.account.id;
    let post = tenant.publish(Post::text("a"), [id], When::Now);
    let post = post.await.unwrap();
    let job = world.tenant.publications(post).await.unwrap()[0].job;
    let go_on = Arc::new(tokio::sync::Notify::new());
    let held = StoreFault::Held(go_on.clone());
    // The intent: the token was read before.
    slow.faults().add(StoreRule::on("change_publishing", held));
    let meanwhile = async {
        while slow.faults().hits() == 0 {
            tokio::task::yield_now().await;
        }
        world.pass(3600);
        world.other_process().context(id).await.unwrap();
        world.pass(7200);
        world.issuer.forget_access();
        go_on.notify_one();
    };
    let (worked, ()) = tokio::join!(tenant.work_on(job, LEASE), meanwhile);
    worked.unwrap();
    assert_eq!(state(&world, post).await, PublicationState::Published);
    assert_eq!(world.issuer.token_requests(), 2);
    assert_eq!(world.events_of("account.needs_reauth").await, 0);
}

#[tokio::test]
async fn a_thousand_jobs_of_a_revoked_credential_make_one_token_request_and_one_event() {
    let world = World::new().await;
    world.issuer.withdraw();
    let mut jobs = Vec::new();
    for n in 0..1000 {
        let post = Post::text(format!("post {n}"));
        let id = world.tenant.publish(post, [world.account.id], When::Now);
        let id = id.await.unwrap();
        let publication = &world.tenant.publications(id).await.unwrap()[0];
        jobs.push(publication.job);
    }
    let (told, rest) = tokio::sync::oneshot::channel::<()>();
    let worker = world.tenant.market().worker().run_until(async {
        rest.await.ok();
    });
    let worker = tokio::spawn(worker);
    let store = world.store.clone();
    let due = || async { store.queue_stats().await.unwrap() };
    while due().await.ready + due().await.leased > 0 {
        tokio::task::yield_now().await;
    }
    told.send(()).unwrap();
    worker.await.unwrap().unwrap();
    assert_eq!(world.issuer.token_requests(), 1);
    assert_eq!(world.events_of("account.needs_reauth").await, 1);
    assert!(world.issuer.refusals() <= 16, "only what ran at once");
    for job in jobs {
        let job = world
            .store
            .job(world.tenant.id(), job)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((job.state, job.attempts), (JobState::Waiting, 0));
    }
    assert_eq!(world.events_of("publication.blocked").await, 1000);
}

#[tokio::test]
async fn reconnecting_lets_what_waited_go_on() {
    let world = World::new().await;
    world.issuer.withdraw();
    let post = publish(&world, "a").await;
    assert_eq!(state(&world, post).await, PublicationState::Blocked);
    let (access, refresh) = world.issuer.grant();
    let end = issuer::later(&world.clock, 3600);
    let again = tokens(&access, &refresh, end);
    let account = world.account.clone();
    world.tenant.add_account(account, again).await.unwrap();
    assert!(!world.needs_reauth().await);
    // At once.
    run(&world, post).await;
    assert_eq!(state(&world, post).await, PublicationState::Published);
}

#[tokio::test]
async fn another_account_that_is_connected_lets_nothing_of_this_one_go_on() {
    let world = World::new().await;
    world.issuer.withdraw();
    let post = publish(&world, "a").await;
    let due = async || {
        let job = world.tenant.publications(post).await.unwrap()[0].job;
        let job = world.store.job(world.tenant.id(), job).await.unwrap();
        job.unwrap().run_at
    };
    let waits_until = due().await;
    let (access, refresh) = world.issuer.grant();
    let end = issuer::later(&world.clock, 3600);
    let other = Account::new(world.tenant.id().clone(), PLATFORM, "2");
    let other = world
        .tenant
        .add_account(other, tokens(&access, &refresh, end));
    other.await.unwrap();
    assert_eq!(due().await, waits_until);
    world.pass(3600);
    run(&world, post).await;
    assert_eq!(state(&world, post).await, PublicationState::Blocked);
    assert_eq!(world.issuer.posts(), 0);
    assert!(world.needs_reauth().await);
}

#[tokio::test]
async fn a_key_that_is_refused_is_asked_for_once() {
    let world = World::new().await;
    let account = world.account.clone();
    let key = Credential::token("a key");
    world.tenant.add_account(account, key).await.unwrap();
    for text in ["a", "b"] {
        let post = publish(&world, text).await;
        assert_eq!(state(&world, post).await, PublicationState::Blocked);
    }
    assert_eq!(
        (world.issuer.refusals(), world.issuer.token_requests()),
        (1, 0)
    );
    assert_eq!(world.events_of("account.needs_reauth").await, 1);
}

async fn publish(world: &World, text: &str) -> automarket::PostId {
    let post = Post::text(text);
    let id = world.tenant.publish(post, [world.account.id], When::Now);
    let id = id.await.unwrap();
    run(world, id).await;
    id
}

async fn run(world: &World, post: automarket::PostId) {
    let publication = &world.tenant.publications(post).await.unwrap()[0];
    let job = publication.job;
    world.tenant.work_on(job, LEASE).await.unwrap();
}

async fn state(world: &World, post: automarket::PostId) -> PublicationState {
    let publications = world.tenant.publications(post).await.unwrap();
    publications[0].state
}
