//! Tokens that a platform has just given are not lost for want of a store.

use automarket::{
    ErrorKind, Retry,
    core::vault::Place,
    testing::{FaultStore, StoreFault, StoreRule},
};

use super::*;

/// A process whose store can be troubled.
fn troubled(world: &World) -> (Tenant, Arc<FaultStore>, Keyring) {
    let store = Arc::new(FaultStore::new(world.store.clone()));
    let ring = keyring(OLD);
    let market = market(store.clone(), world.issuer.clone())
        .keyring(ring.clone())
        .clock(Arc::new(world.clock.clone()))
        .build()
        .unwrap();
    (market.tenant("acme").unwrap(), store, ring)
}

#[tokio::test]
async fn a_store_that_cannot_count_the_sealings_costs_no_tokens() {
    let world = World::new().await;
    let (tenant, store, ring) = troubled(&world);
    tenant.context(world.account.id).await.unwrap();
    let place = Place {
        tenant: "t",
        account: "a",
        field: "f",
    };
    // Until the very next one is when what others have sealed is counted in.
    while !(ring.seals() + 1).is_multiple_of(4096) {
        ring.seal(place, b"x").unwrap();
    }
    world.pass(3600);
    let away = StoreRule::on("key_uses", StoreFault::FailBefore);
    store.faults().add(away);
    let context = tenant.context(world.account.id).await.unwrap();
    assert_eq!(token_of(context.credential()), "access-2");
    assert_eq!(store.faults().hits(), 1);
}

#[tokio::test]
async fn a_store_that_is_away_for_longer_than_the_lease_gets_the_tokens_when_it_is_back() {
    tokio::time::pause();
    let world = World::new().await;
    let (tenant, store, _) = troubled(&world);
    world.pass(3600);
    // Ten times a second: for 50 s.
    let away = StoreRule::on("put_credential", StoreFault::FailBefore);
    store.faults().add(away.times(500));
    let context = tenant.context(world.account.id).await.unwrap();
    assert_eq!(token_of(context.credential()), "access-2");
    assert_eq!(store.faults().hits(), 500);
    let other = world.other_process().context(world.account.id).await;
    assert_eq!(token_of(other.unwrap().credential()), "access-2");
    assert_eq!(world.issuer.token_requests(), 1);
}

#[tokio::test]
async fn nobody_waits_for_ever_for_a_store_that_is_away() {
    tokio::time::pause();
    let world = World::new().await;
    let (tenant, store, _) = troubled(&world);
    world.pass(3600);
    let away = StoreRule::on("put_credential", StoreFault::FailBefore);
    store.faults().add(away.times(1000));
    let error = tenant.context(world.account.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(matches!(error.retry(), Retry::After(Some(_))), "{error:?}");
    assert!(store.faults().hits() < 1000, "it is still away");
    // The tokens are held here meanwhile, and nobody asks for others.
    let context = tenant.context(world.account.id).await.unwrap();
    assert_eq!(token_of(context.credential()), "access-2");
    assert_eq!(world.issuer.token_requests(), 1);
    assert!(!world.needs_reauth().await);
}
