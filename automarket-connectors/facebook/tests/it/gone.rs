//! What is gone, and how that is known.

use automarket_core::{
    Delivery, ErrorKind, Intent, Lookup, Outcome, Publisher, Receipt,
    chrono::TimeDelta,
    http_types::Method,
    testing::{Fault, FaultRule},
};

use crate::media::{film, reel};
use crate::world::{World, accepted, done, hello, with_options};

/// Why it cannot be deleted.
async fn refusal(world: &World, receipt: &Receipt) -> ErrorKind {
    let deleted = world.facebook.delete(&world.cx(), receipt).await;
    deleted.unwrap_err().kind()
}

/// Of a page that has made more posts than are searched only those since are looked through.
#[tokio::test]
async fn what_is_gone_is_known_however_many_posts_there_are() {
    let world = World::new();
    for n in 0..600 {
        let at = world.cx().now();
        world.fake.seed(&format!("Busy {n}"), at);
    }
    for _ in 0..600 {
        world.fake.seed_video(true, world.cx().now());
    }
    world.clock.advance(TimeDelta::days(30));
    let due = world.cx().now() + TimeDelta::hours(4);
    let (_file, film) = film(1000);
    for post in [
        hello(),
        hello().delivery(Delivery::At(due)),
        with_options(hello().media(film), &reel()),
    ] {
        let cx = world.cx();
        let outcome = world.facebook.publish(&cx, &post).await.unwrap();
        world.clock.advance(TimeDelta::hours(1));
        let handle = match &outcome {
            Outcome::Accepted(handle) if handle.due.is_some() => Some(handle.clone()),
            _ => None,
        };
        let receipt = match &handle {
            // As the engine deletes what was accepted.
            Some(handle) => Receipt {
                data: handle.data.clone(),
                ..Receipt::new(handle.remote_id.clone())
            },
            None => world.public(&cx, outcome).await,
        };
        // It is there, and only the lists say so.
        world.fake.hide_objects(true);
        assert_eq!(refusal(&world, &receipt).await, ErrorKind::Forbidden);
        // It is gone.
        world.fake.hide_objects(false);
        world.fake.delete_by_hand(&receipt.remote_id);
        world.facebook.delete(&world.cx(), &receipt).await.unwrap();
        let error = world.facebook.measure(&cx, &receipt).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        if let Some(handle) = handle {
            let error = world.facebook.poll(&cx, &handle).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        // The version before did not say when it was made.
        let mut before = receipt.clone();
        before.data.as_object_mut().unwrap().remove("since");
        assert_eq!(refusal(&world, &before).await, ErrorKind::CannotTell);
    }
}

#[tokio::test]
async fn what_was_lost_is_looked_for_from_when_it_was_sent() {
    let world = World::new();
    let cx = world.cx();
    world.sandbox.fault("/feed", Fault::CutAfter);
    world.facebook.publish(&cx, &hello()).await.unwrap_err();
    world.clock.advance(TimeDelta::days(3));
    let receipt = done(world.facebook.publish(&cx, &hello()).await.unwrap());
    world.fake.hide_objects(true);
    assert_eq!(refusal(&world, &receipt).await, ErrorKind::Forbidden);
    let intent = Intent {
        key: "key".into(),
        post: hello(),
        at: cx.now() - TimeDelta::days(3),
    };
    let Lookup::Found(Outcome::Done(receipt)) = world.facebook.find(&cx, &intent).await.unwrap()
    else {
        panic!("it is there")
    };
    assert_eq!(refusal(&world, &receipt).await, ErrorKind::Forbidden);
}

/// Drafts are in no list: only our own deletion tells.
#[tokio::test]
async fn a_deletion_of_ours_whose_answer_is_lost_is_one() {
    let deletion = |fault| FaultRule::on("/v26.0/", fault).method(Method::DELETE);
    let draft = async |world: &World| {
        let post = hello().delivery(Delivery::Draft);
        let outcome = world.facebook.publish(&world.cx(), &post).await.unwrap();
        let handle = accepted(outcome);
        Receipt {
            data: handle.data.clone(),
            ..Receipt::new(handle.remote_id)
        }
    };
    let world = World::new();
    let receipt = draft(&world).await;
    let cx = world.cx();
    world.sandbox.faults().add(deletion(Fault::CutAfter));
    world.facebook.delete(&cx, &receipt).await.unwrap_err();
    assert!(world.effects().is_empty());
    world.facebook.delete(&cx, &receipt).await.unwrap();

    // Lost before it got there, it is done again.
    let world = World::new();
    let receipt = draft(&world).await;
    let cx = world.cx();
    world
        .sandbox
        .faults()
        .add(deletion(Fault::StatusBefore(503)));
    world.facebook.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(world.effects().len(), 1);
    world.facebook.delete(&cx, &receipt).await.unwrap();
    assert!(world.effects().is_empty());

    // What was refused is not ours.
    let refusal = r##"{"error":{"message":"(#200) Permissions error","code":200}}"##;
    let world = World::new();
    let receipt = draft(&world).await;
    let cx = world.cx();
    let refused = deletion(Fault::Reply(403, refusal));
    world.sandbox.faults().add(refused);
    world.facebook.delete(&cx, &receipt).await.unwrap_err();
    world.fake.delete_by_hand(&receipt.remote_id);
    let error = world.facebook.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);

    // What was seen to be there still, and refused then, is not ours either.
    let world = World::new();
    let receipt = draft(&world).await;
    let cx = world.cx();
    for fault in [Fault::StatusBefore(503), Fault::Reply(403, refusal)] {
        world.sandbox.faults().add(deletion(fault));
        world.facebook.delete(&cx, &receipt).await.unwrap_err();
    }
    world.fake.hide_objects(true);
    for _ in 0..2 {
        let error = world.facebook.delete(&cx, &receipt).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CannotTell);
        assert_eq!(world.effects().len(), 1);
    }
    world.fake.hide_objects(false);
    world.facebook.delete(&cx, &receipt).await.unwrap();
    assert!(world.effects().is_empty());

    // What a list holds is there, whatever was lost.
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.facebook.publish(&cx, &hello()).await.unwrap());
    world
        .sandbox
        .faults()
        .add(deletion(Fault::StatusBefore(503)));
    world.facebook.delete(&cx, &receipt).await.unwrap_err();
    world.fake.hide_objects(true);
    let error = world.facebook.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(world.effects().len(), 1);
    world.fake.hide_objects(false);
    world.facebook.delete(&cx, &receipt).await.unwrap();
    assert!(world.effects().is_empty());
}
