//! A process that was deployed without the app of its tokens: it renews none, and takes none for dead.

use std::time::Duration;

use automarket::{
    ErrorKind, JobId, Post, Retry, When,
    store::{Claim, JobState, JobStore as _, PublicationState},
};

use super::*;

const LEASE: Duration = Duration::from_secs(30);

/// The same backend, of which the host has forgotten `Builder::oauth`.
fn without_app(world: &World) -> Tenant {
    let market = Automarket::shared(world.store.clone())
        .transport(world.issuer.clone())
        .publisher(Wall::new())
        .keyring(keyring(OLD))
        .clock(Arc::new(world.clock.clone()))
        .build()
        .unwrap();
    market.tenant("acme").unwrap()
}

#[tokio::test]
async fn a_refusal_there_disconnects_nobody() {
    let world = World::new().await;
    world.pass(3600);
    world.issuer.forget_access();
    let post = Post::text("a");
    let post = world.tenant.publish(post, [world.account.id], When::Now);
    let post = post.await.unwrap();
    let publication = async || world.tenant.publications(post).await.unwrap().remove(0);
    let poor = without_app(&world);
    let job = publication().await.job;
    poor.work_on(job, LEASE).await.unwrap();
    assert_eq!(world.issuer.refusals(), 1);
    let told = publication().await.error.unwrap();
    assert_eq!(told.kind, ErrorKind::Config);
    assert_eq!(told.retry, Retry::After(Some(Duration::from_secs(60))));
    assert!(told.remedy.unwrap().contains("Builder::oauth"));
    assert!(!world.needs_reauth().await);
    assert_eq!(world.events_of("account.needs_reauth").await, 0);
    // Whoever has the app does it.
    world.pass(61);
    world.tenant.work_on(job, LEASE).await.unwrap();
    assert_eq!(publication().await.state, PublicationState::Published);
    assert_eq!(world.issuer.posts(), 1);
}

#[tokio::test]
async fn a_token_is_used_there_for_as_long_as_the_platform_takes_it() {
    let world = World::new().await;
    world.pass(3600);
    let poor = without_app(&world);
    let context = poor.context(world.account.id).await.unwrap();
    assert_eq!(token_of(context.credential()), "access-1");
}

#[tokio::test]
async fn what_cannot_be_renewed_by_any_app_is_still_given_up() {
    let world = World::new().await;
    let mut tokens = TokenSet::new(Secret::new("dead"));
    tokens.expires_at = Some(issuer::later(&world.clock, 3600));
    let account = world.account.clone();
    let credential = Credential::oauth(tokens);
    world.tenant.add_account(account, credential).await.unwrap();
    let poor = without_app(&world);
    let post = Post::text("a");
    let post = poor.publish(post, [world.account.id], When::Now);
    let post = post.await.unwrap();
    let job = poor.publications(post).await.unwrap()[0].job;
    poor.work_on(job, LEASE).await.unwrap();
    assert!(world.needs_reauth().await);
}

/// Connects the account with a token of 90 days, of which 61 pass; the job that keeps it alive.
pub(super) async fn keep_alive(world: &World, by: &Tenant) -> JobId {
    let (access, refresh) = world.issuer.grant();
    let mut tokens = TokenSet::new(Secret::new(access));
    tokens.refresh_token = Some(Secret::new(refresh));
    tokens.refresh_expires_at = Some(issuer::later(&world.clock, 90 * 86_400));
    let account = world.account.clone();
    let credential = Credential::oauth(tokens);
    by.add_account(account, credential).await.unwrap();
    let key = world.account.id.to_string();
    let kind = "credential-keep-alive";
    let job = world.store.job_by_key(world.tenant.id(), kind, &key).await;
    let job = job.unwrap().expect("there is a job").id;
    world.pass(61 * 86_400);
    job
}

#[tokio::test]
async fn an_idle_token_waits_for_whoever_has_the_app() {
    let world = World::new().await;
    let job = keep_alive(&world, &world.tenant).await;
    let waits = without_app(&world).work_on(job, LEASE).await.unwrap();
    assert_eq!(waits.state, JobState::Waiting);
    assert_eq!(world.issuer.token_requests(), 0);
    world.pass(86_400);
    world.tenant.work_on(job, LEASE).await.unwrap();
    assert_eq!(world.issuer.token_requests(), 1);
}

#[tokio::test]
async fn an_idle_token_outlives_our_own_trouble_and_workers_that_are_gone() {
    let world = World::new().await;
    let job = keep_alive(&world, &world.tenant).await;
    // A process without the keys.
    let bare = Automarket::shared(world.store.clone()).clock(Arc::new(world.clock.clone()));
    let bare = bare.build().unwrap().tenant("acme").unwrap();
    for _ in 0..25 {
        let waits = bare.work_on(job, LEASE).await.unwrap();
        assert_eq!(waits.state, JobState::Waiting);
        world.pass(2 * 3600);
    }
    for _ in 0..5 {
        let claim = Claim::new("gone", 1).only(job);
        let leases = world.store.claim(&claim.lease(LEASE)).await.unwrap();
        assert_eq!(leases.len(), 1);
        world.pass(60);
    }
    let rests = world.tenant.work_on(job, LEASE).await.unwrap();
    assert_eq!((rests.state, rests.crashes), (JobState::Waiting, 5));
    assert_eq!(world.issuer.token_requests(), 0, "it rests for an hour");
    world.pass(3600);
    world.tenant.work_on(job, LEASE).await.unwrap();
    assert_eq!(world.issuer.token_requests(), 1);
}
