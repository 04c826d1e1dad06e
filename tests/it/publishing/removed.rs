//! What waits for an account that is removed.

use super::*;

#[tokio::test]
async fn what_waits_on_an_account_is_called_off_with_it_and_goes_out_on_no_later_one() {
    for world in worlds().await {
        let (tenant, id) = (&world.tenant, world.account.id);
        let other = world.another_account("2").await;
        let far = at("2027-02-11T09:00:00Z");
        let scheduled = tenant.publish(Post::text("Far"), [id, other.id], far).await;
        let scheduled = scheduled.unwrap();
        let awaited = PublishOptions::new().needs_approval();
        let awaited = world.publish_with(far, awaited).await;
        let draft = tenant.save_draft(Post::text("Draft"), [id]).await.unwrap();
        let out = world.publish(When::Now).await;
        world.turn(out).await;

        assert!(tenant.remove_account(id).await.unwrap());
        for publication in tenant.publications(scheduled).await.unwrap() {
            let state = match publication.target.account == id {
                true => PublicationState::Cancelled,
                false => PublicationState::Scheduled,
            };
            assert_eq!(publication.state, state);
        }
        for (post, state) in [
            (awaited, PublicationState::Cancelled),
            (draft, PublicationState::Draft),
            (out, PublicationState::Published),
        ] {
            assert_eq!(world.only(post).await.state, state);
        }
        let events = tenant.events(0, 100).await.unwrap();
        let events = events.iter().map(|event| &event.event);
        let cancelled = events.filter(|event| event.kind == "publication.cancelled");
        let rules: Vec<_> = cancelled.map(|event| &event.data["rule"]).collect();
        assert_eq!(rules, ["account.removed"; 2]);
        assert!(
            !tenant.remove_account(id).await.unwrap(),
            "there is nothing"
        );

        // Connected again it is the same account.
        let credential = Credential::token("t");
        let again = tenant.add_account(world.account.clone(), credential).await;
        assert_eq!(again.unwrap().id, id);
        world.clock.advance(chrono::Duration::days(31));
        for post in [scheduled, awaited] {
            for publication in tenant.publications(post).await.unwrap() {
                tenant.work_on(publication.job, LEASE).await.unwrap();
            }
        }
        let texts = world.publisher.texts();
        assert_eq!(texts, ["We shipped!", "Far"], "the other account's");
    }
}

#[tokio::test]
async fn many_that_wait_on_a_removed_account_are_all_called_off() {
    let world = worlds().await.remove(0);
    for _ in 0..101 {
        world.publish(at("2027-02-11T09:00:00Z")).await;
    }
    world.tenant.remove_account(world.account.id).await.unwrap();
    let stats = world.market().store().queue_stats().await.unwrap();
    assert_eq!((stats.later, stats.ready), (0, 0));
}

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
