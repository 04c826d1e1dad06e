//! What waits for an account that is removed.

use super::*;

#[tokio::test]
async fn a_publication_whose_account_is_gone_leaves_health_well() {
    for world in worlds().await {
        let waits = world.publish(When::Now).await;
        let out = world.publish(When::Now).await;
        world.turn(out).await;
        let out = world.only(out).await;
        let job = world.tenant.delete(out.id).await.unwrap();
        // By another process, in the moment in which it was put in.
        let store = world.market().store();
        let removed = store.remove_account(world.tenant.id(), world.account.id);
        assert!(removed.await.unwrap());
        let (publication, _) = world.turn(waits).await;
        assert_eq!(publication.state, PublicationState::Rejected);
        world.tenant.work_on(job, LEASE).await.unwrap();
        let problems = world.market().health().await.problems;
        assert_eq!(problems, ["no worker is known"]);
    }
}
