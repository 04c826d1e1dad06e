//! The next free posting slot.

use std::collections::BTreeSet;

use super::*;
use automarket::{
    publishing::PlanOptions,
    store::{RoutingPart, Slots},
};

async fn slots(world: &World, rule: &str) {
    let slots = vec![Slots::new(rule, "Europe/Berlin").unwrap()];
    let set = world.tenant.set_slots(world.account.id, slots);
    set.await.unwrap();
}

async fn due(world: &World, post: PostId) -> String {
    let due = world.only(post).await.due;
    due.format("%Y-%m-%dT%H:%MZ").to_string()
}

#[tokio::test]
async fn posts_take_one_slot_after_the_other() {
    for world in worlds().await {
        let none = world
            .tenant
            .publish(Post::text("x"), [world.account.id], When::Queue)
            .await;
        // The user's choice, and no matter of the configuration.
        let none = none.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            (none.field(), none.rule()),
            (Some("when"), Some("slots.none"))
        );
        assert!(none.message().starts_with(&world.account.name), "{none}");
        slots(&world, "0 12,18 * * *").await;
        let mut posts = Vec::new();
        for _ in 0..3 {
            posts.push(world.publish(When::Queue).await);
        }
        let wanted = [
            "2027-01-11T11:00Z",
            "2027-01-11T17:00Z",
            "2027-01-12T11:00Z",
        ];
        for (post, wanted) in posts.iter().zip(wanted) {
            assert_eq!(due(&world, *post).await, wanted);
        }
        // A slot that is given up is free for the next.
        world.tenant.cancel(posts[1]).await.unwrap();
        let next = world.publish(When::Queue).await;
        assert_eq!(due(&world, next).await, wanted[1]);
        let moved = world.tenant.reschedule(posts[0], When::Queue).await;
        assert_eq!(
            moved.unwrap()[0].slot.map(|s| s.to_rfc3339()).as_deref(),
            Some("2027-01-12T17:00:00+00:00")
        );
        let first = world.publish(When::Queue).await;
        assert_eq!(due(&world, first).await, wanted[0]);
        world.clock.advance(chrono::Duration::hours(2));
        assert_eq!(world.turn(first).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn slots_follow_the_clocks_of_their_zone() {
    for world in worlds().await {
        slots(&world, "30 2 28 3 *").await;
        let post = world.publish(When::Queue).await;
        // 02:30 is skipped by summer time.
        assert_eq!(due(&world, post).await, "2027-03-28T01:00Z");
        slots(&world, "30 2 31 10 *").await;
        let post = world.publish(When::Queue).await;
        // 02:30 exists twice: the first.
        assert_eq!(due(&world, post).await, "2027-10-31T00:30Z");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_no_two_take_one_slot() {
    for world in worlds().await {
        slots(&world, "0 * * * *").await;
        let tries = (0..12).map(|_| {
            let (tenant, account) = (world.tenant.clone(), world.account.id);
            let post = Post::text("We shipped!");
            tokio::spawn(async move { tenant.publish(post, [account], When::Queue).await })
        });
        let mut taken = Vec::new();
        for post in tries.collect::<Vec<_>>() {
            let post = post.await.unwrap().unwrap();
            taken.push(world.only(post).await.slot.unwrap());
        }
        taken.sort();
        taken.dedup();
        assert_eq!(taken.len(), 12);
        assert_eq!(
            *taken.last().unwrap() - taken[0],
            chrono::Duration::hours(11)
        );
    }
}

/// As a content plan that is imported, by two processes.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_posts_takes_one_slot_after_the_other_without_a_gap() {
    for world in all_worlds().await {
        slots(&world, "0 * * * *").await;
        let (tenants, account) = (
            [world.tenant.clone(), world.elsewhere().await],
            world.account.id,
        );
        let tries = (0..400).map(|n| {
            let tenant = tenants[usize::from(n % 8 == 0)].clone();
            let post = Post::text("We shipped!");
            tokio::spawn(async move { tenant.publish(post, [account], When::Queue).await })
        });
        for post in tries.collect::<Vec<_>>() {
            post.await.unwrap().unwrap();
        }
        let store = world.market().store();
        let live = store.live_publications(world.tenant.id(), account, &[], 1000);
        let live = live.await.unwrap();
        let taken: BTreeSet<_> = live.iter().filter_map(|p| p.slot).collect();
        assert_eq!((live.len(), taken.len()), (400, 400));
        let (first, last) = (taken.first().unwrap(), taken.last().unwrap());
        assert_eq!(*last - *first, chrono::Duration::hours(399));
    }
}

#[tokio::test]
async fn a_plan_shows_the_slot_that_a_publish_takes_and_holds_it_from_nobody() {
    for world in worlds().await {
        slots(&world, "0 12 * * *").await;
        let options = PlanOptions::new().when(When::Queue);
        for _ in 0..2 {
            let post = Post::text("We shipped!");
            let plan = world.tenant.plan_with(&post, [world.account.id], &options);
            let due = plan.await.unwrap().targets[0].due.clone().unwrap();
            assert_eq!(due.at.to_rfc3339(), "2027-01-11T11:00:00+00:00");
        }
        let post = world.publish(When::Queue).await;
        assert_eq!(due(&world, post).await, "2027-01-11T11:00Z");
    }
}

#[tokio::test]
async fn a_rule_without_a_time_is_refused_and_one_from_before_keeps_nobody_from_the_others() {
    for world in worlds().await {
        let (tenant, account) = (&world.tenant, world.account.id);
        let of = |rule| Slots::new(rule, "Europe/Berlin").unwrap();
        let mixed = vec![of("0 12 * * *"), of("0 0 30 2 *")];
        let refused = tenant.set_slots(account, mixed.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert_eq!(refused.field(), Some("rule"));
        assert!(tenant.routing(account).await.unwrap().slots.is_empty());

        let before = RoutingPart::Slots(mixed);
        let store = world.market().store();
        store
            .put_routing(tenant.id(), account, &before)
            .await
            .unwrap();
        for wanted in ["2027-01-11T11:00Z", "2027-01-12T11:00Z"] {
            let post = world.publish(When::Queue).await;
            assert_eq!(due(&world, post).await, wanted);
        }
        let before = RoutingPart::Slots(vec![of("0 0 30 2 *")]);
        store
            .put_routing(tenant.id(), account, &before)
            .await
            .unwrap();
        let none = tenant
            .publish(Post::text("x"), [account], When::Queue)
            .await;
        assert_eq!(none.unwrap_err().rule(), Some("slots.full"));
    }
}

#[tokio::test]
async fn what_goes_another_way_keeps_no_slot_from_others() {
    for world in worlds().await {
        slots(&world, "0 12 * * *").await;
        let second = world.another_account("2").await;
        let set = world.tenant.set_fallback(world.account.id, Some(second.id));
        set.await.unwrap();
        let revoked = Error::new(ErrorKind::Unauthorized, "revoked");
        world.publisher.answer(Err(revoked));
        let rerouted = world.publish(When::Now).await;
        assert!(world.turn(rerouted).await.0.via.is_some());
        let moved = world.tenant.reschedule(rerouted, When::Queue).await;
        moved.unwrap();
        assert_eq!(due(&world, rerouted).await, "2027-01-11T11:00Z");
        let next = world.publish(When::Queue).await;
        assert_eq!(due(&world, next).await, "2027-01-11T11:00Z");
    }
}

#[tokio::test]
async fn what_is_prepared_holds_no_slot_and_says_what_to_do() {
    for world in worlds().await {
        slots(&world, "0 12 * * *").await;
        let (tenant, accounts) = (&world.tenant, [world.account.id]);
        let store = world.market().store();
        let asked = PublishOptions::new().needs_approval();
        let (one, two) = (Post::text("One"), Post::text("Two"));
        let first = tenant.prepare_with(one, accounts, When::Queue, asked).await;
        let second = tenant.prepare(two.clone(), accounts, When::Queue).await;
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(store.put_publishing(&first).await.unwrap());
        let waits = tenant.publication(first.publications[0].id).await.unwrap();
        assert_eq!(waits.state, PublicationState::AwaitingApproval);
        let taken = store.put_publishing(&second).await.unwrap_err();
        assert_eq!(taken.rule(), Some("publication.slot"));
        assert!(taken.remedy().unwrap().contains("again"));
        let again = tenant.prepare(two, accounts, When::Queue).await.unwrap();
        assert!(store.put_publishing(&again).await.unwrap());
        assert_eq!(due(&world, again.post.id).await, "2027-01-12T11:00Z");
    }
}
