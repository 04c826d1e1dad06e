//! Taking down: never said of what is public, or still to be.

use automarket_connector_mixpost::{DeleteMode, MixpostPostInput, MixpostStatus, testing};
use automarket_core::{
    Context, Delivery, ErrorKind, Handle, Outcome, Platform, Publisher, Receipt, Retry,
    chrono::TimeDelta,
    testing::{Fault, FaultRule},
};
use serde_json::json;

use crate::world::{World, account_on, at, hello};

/// What the engine deletes by, of something accepted.
async fn accepted(world: &World, cx: &Context, delivery: Delivery) -> Receipt {
    let post = hello().delivery(delivery);
    let Outcome::Accepted(handle) = world.mixpost.publish(cx, &post).await.unwrap() else {
        panic!("accepted")
    };
    Receipt {
        data: handle.data,
        ..Receipt::new(handle.remote_id)
    }
}

async fn published(world: &World, cx: &Context) -> Receipt {
    let taken = accepted(world, cx, Delivery::Now).await;
    world.clock.advance(TimeDelta::seconds(5));
    let post = world.mixpost.get_post(cx, &taken.remote_id).await.unwrap();
    assert_eq!(post.status, MixpostStatus::Published);
    taken
}

const LATER: Retry = Retry::After(None);

#[tokio::test]
async fn what_is_being_published_is_deleted_when_that_has_ended() {
    let ten = Delivery::At(at("2026-11-20T10:00:00Z"));
    // Just before its time, and when the worker is at it.
    for (wait, status) in [
        (TimeDelta::seconds(3570), MixpostStatus::Scheduled),
        (TimeDelta::seconds(3610), MixpostStatus::Publishing),
    ] {
        let world = World::new();
        let cx = world.x("k");
        let receipt = accepted(&world, &cx, ten).await;
        world.fake.set_worker(false);
        world.clock.advance(wait);
        let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
        assert_eq!(error.retry(), LATER, "{error:?}");
        let post = world.mixpost.get_post(&cx, &receipt.remote_id).await;
        assert_eq!(post.unwrap().status, status);
        world.fake.set_worker(true);
        world.clock.advance(TimeDelta::minutes(1));
        world.mixpost.delete(&cx, &receipt).await.unwrap();
        assert!(world.effects().is_empty());
    }
    // Long before it there is only the record to take away.
    let world = World::new();
    let cx = world.x("k");
    let receipt = accepted(&world, &cx, ten).await;
    world.mixpost.delete(&cx, &receipt).await.unwrap();
    world.clock.advance(TimeDelta::hours(2));
    assert!(world.effects().is_empty());
    // The thin call does what Mixpost does: what is under way goes out all the same.
    let receipt = accepted(&world, &world.x("other"), Delivery::Now).await;
    world.fake.set_worker(false);
    let (uuid, mode) = (&receipt.remote_id, DeleteMode::AppOnly);
    let deleted = world.mixpost.delete_post(&cx, uuid, false, mode).await;
    deleted.unwrap();
    world.fake.set_worker(true);
    world.mixpost.ping(&cx).await.unwrap();
    assert_eq!(world.the_effect()["state"], "published");
}

#[tokio::test]
async fn a_queued_deletion_is_done_when_the_link_is_gone() {
    let world = World::new();
    let cx = world.x("k");
    let receipt = published(&world, &cx).await;
    world.fake.set_worker(false);
    for _ in 0..3 {
        let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
        assert_eq!(error.retry(), LATER, "{error:?}");
        assert!(error.remedy().unwrap().contains("by hand"));
        world.the_effect();
    }
    world.fake.set_worker(true);
    for _ in 0..2 {
        world.mixpost.delete(&cx, &receipt).await.unwrap();
    }
    assert!(world.effects().is_empty());
    let error = world.mixpost.get_post(&cx, &receipt.remote_id).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    // So it is where somebody in Mixpost took off the network what was seen there.
    let cx = world.x("other");
    let taken = published(&world, &cx).await;
    let handle = Handle {
        remote_id: taken.remote_id.clone(),
        due: None,
        data: taken.data,
    };
    let Outcome::Done(receipt) = world.mixpost.poll(&cx, &handle).await.unwrap() else {
        panic!("published")
    };
    let (uuid, mode) = (&receipt.remote_id, DeleteMode::SocialOnly);
    let deleted = world.mixpost.delete_post(&cx, uuid, false, mode).await;
    deleted.unwrap();
    world.mixpost.delete(&cx, &receipt).await.unwrap();
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn what_the_network_keeps_is_not_deleted() {
    let world = World::new();
    world.fake.set_keeps(testing::X_ACCOUNT, true);
    let cx = world.x("k");
    let receipt = published(&world, &cx).await;
    for _ in 0..3 {
        let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
        assert_eq!(error.retry(), LATER, "{error:?}");
        world.the_effect();
    }
    // Deleted anew, it is asked for anew.
    world.fake.set_keeps(testing::X_ACCOUNT, false);
    let anew = world.x("k");
    world.mixpost.delete(&anew, &receipt).await.unwrap();
    assert!(world.effects().is_empty());
    // What takes the record away at once may leave the post for good.
    let receipt = published(&world, &world.x("other")).await;
    let (uuid, mode) = (&receipt.remote_id, DeleteMode::AppAndSocial);
    let deleted = world.mixpost.delete_post(&cx, uuid, false, mode).await;
    deleted.unwrap();
    world.mixpost.ping(&cx).await.unwrap();
    world.the_effect();
}

#[tokio::test]
async fn an_account_that_is_cut_off_deletes_nothing() {
    let world = World::new();
    let cx = world.x("k");
    let receipt = published(&world, &cx).await;
    world.fake.set_authorized(testing::X_ACCOUNT, false);
    let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.remedy().unwrap().contains("reconnect"));
    world.the_effect();
    world.fake.set_authorized(testing::X_ACCOUNT, true);
    world.mixpost.delete(&cx, &receipt).await.unwrap();
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn tiktok_has_no_deleting() {
    let world = World::new();
    let tiktok = account_on(9, Platform::TIKTOK);
    assert!(!world.mixpost.profile_for(&tiktok).abilities.delete);
    let x = account_on(testing::X_ACCOUNT, Platform::X);
    assert!(world.mixpost.profile_for(&x).abilities.delete);
    let all = FaultRule::on("", Fault::NotSent);
    world.sandbox.faults().add(all);
    let cx = world.x("k").with_account(tiktok);
    let receipt = Receipt::new("u");
    let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert!(world.sandbox.faults().hits().is_empty());
}

#[tokio::test]
async fn what_lies_in_the_trash_is_deleted_as_well() {
    let world = World::new();
    let cx = world.x("k");
    let public = published(&world, &cx).await;
    let ten = Delivery::At(at("2026-11-20T10:00:00Z"));
    let waiting = accepted(&world, &world.x("later"), ten).await;
    for receipt in [&public, &waiting] {
        let (uuid, mode) = (&receipt.remote_id, DeleteMode::AppOnly);
        let trashed = world.mixpost.delete_post(&cx, uuid, true, mode).await;
        trashed.unwrap();
    }
    world.the_effect();
    for receipt in [&public, &waiting] {
        world.mixpost.delete(&cx, receipt).await.unwrap();
    }
    world.clock.advance(TimeDelta::hours(2));
    assert!(world.effects().is_empty());
    // What Mixpost is at goes out, in the trash or not.
    world.fake.set_worker(false);
    let cx = world.x("begun");
    let begun = accepted(&world, &cx, Delivery::Now).await;
    let (uuid, mode) = (&begun.remote_id, DeleteMode::AppOnly);
    world.mixpost.get_post(&cx, uuid).await.unwrap();
    let trashed = world.mixpost.delete_post(&cx, uuid, true, mode).await;
    trashed.unwrap();
    let error = world.mixpost.delete(&cx, &begun).await.unwrap_err();
    assert_eq!(error.retry(), LATER, "{error:?}");
    world.fake.set_worker(true);
    world.mixpost.delete(&cx, &begun).await.unwrap();
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn a_record_that_somebody_took_away_says_nothing_of_the_post() {
    let world = World::new();
    let cx = world.x("k");
    let take = async |receipt: &Receipt| {
        let (uuid, mode) = (&receipt.remote_id, DeleteMode::AppOnly);
        let taken = world.mixpost.delete_post(&cx, uuid, false, mode).await;
        taken.unwrap();
    };
    let out = published(&world, &cx).await;
    take(&out).await;
    let error = world.mixpost.delete(&cx, &out).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::NotFound, Retry::Never)
    );
    assert!(error.remedy().unwrap().contains("by hand"));
    world.the_effect();
    // Only before its time it says that nothing is out, nor will be.
    let ten = Delivery::At(at("2026-11-20T10:00:00Z"));
    for (wait, gone) in [(0, true), (2, false)] {
        let cx = world.x(&format!("{wait}"));
        let waiting = accepted(&world, &cx, ten).await;
        world.clock.advance(TimeDelta::hours(wait));
        world.mixpost.ping(&cx).await.unwrap();
        take(&waiting).await;
        let deleted = world.mixpost.delete(&cx, &waiting).await;
        assert_eq!(deleted.is_ok(), gone, "{deleted:?}");
    }
}

#[tokio::test]
async fn a_delete_that_is_not_there_deletes_nothing() {
    let missing = r#"{"message":"No query results for model [Post]."}"#;
    let no_route = r#"{"message":"The route mixpost/api/w/posts/u could not be found."}"#;
    for (body, kind) in [
        (missing, ErrorKind::NotFound),
        (no_route, ErrorKind::Config),
    ] {
        let world = World::new();
        let cx = world.x("k");
        let ten = Delivery::At(at("2026-11-20T10:00:00Z"));
        let waiting = accepted(&world, &cx, ten).await;
        let rule = FaultRule::on(waiting.remote_id.clone(), Fault::Reply(404, body));
        let rule = rule.method("DELETE".parse().unwrap());
        world.sandbox.faults().add(rule);
        let error = world.mixpost.delete(&cx, &waiting).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        world.the_effect();
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_delete_is_looked_up() {
    for nth in [0, 1] {
        for fault in [Fault::CutBefore, Fault::CutAfter] {
            let world = World::new();
            let cx = world.x("k");
            let receipt = published(&world, &cx).await;
            let lost = FaultRule::on(receipt.remote_id.clone(), fault.clone());
            let lost = lost.after(nth).method("DELETE".parse().unwrap());
            world.sandbox.faults().add(lost);
            let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
            assert!(error.is_unknown(), "{error:?}");
            for _ in 0..2 {
                world.mixpost.delete(&cx, &receipt).await.unwrap();
            }
            assert!(world.effects().is_empty(), "{nth} {fault:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_said_to_be_deleted() {
    let world = World::new();
    let cx = world.x("k");
    let receipt = published(&world, &cx).await;
    let show = |status: &str, account: serde_json::Value| {
        let body = json!({"data": {"uuid": receipt.remote_id, "status": status,
            "versions": [{"account_id": 0, "content": [{}]}], "accounts": [account]}});
        let body = Box::leak(body.to_string().into_boxed_str());
        let read = FaultRule::on(receipt.remote_id.clone(), Fault::Reply(200, body));
        read.times(9).method("GET".parse().unwrap())
    };
    for (status, account) in [
        // Called published, and known nowhere; of TikTok that is usual.
        ("published", json!({"id": 1, "external_url": null})),
        (
            "published",
            json!({"id": 1, "external_url": null, "provider": "tiktok"}),
        ),
        // The network may have taken it.
        (
            "failed",
            json!({"id": 1, "external_url": null, "errors": []}),
        ),
        // Links are not shown.
        ("published", json!({"id": 1})),
    ] {
        let world = World::new();
        let cx = world.x("k");
        published(&world, &cx).await;
        world.sandbox.faults().add(show(status, account.clone()));
        for _ in 0..2 {
            let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.retry()),
                (ErrorKind::CannotTell, Retry::Never),
                "{status} {account}: {error:?}"
            );
            assert!(error.remedy().unwrap().contains("by hand"));
        }
    }
    // Whether a thread's later parts are gone as well.
    let cx = world.x("thread");
    let mut thread = hello();
    thread.base.thread = Some(vec!["And more".into()]);
    let outcome = world.mixpost.publish(&cx, &thread).await.unwrap();
    let out = Receipt::new(outcome.remote_id());
    for _ in 0..2 {
        let error = world.mixpost.delete(&cx, &out).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::CannotTell, Retry::Never)
        );
    }
    // What was refused for sure is nowhere.
    world
        .fake
        .refuse_on(testing::X_ACCOUNT, Some("Status is a duplicate."));
    let cx = world.x("refused");
    let refused = accepted(&world, &cx, Delivery::Now).await;
    world.mixpost.delete(&cx, &refused).await.unwrap();
    let record = world.mixpost.get_post(&cx, &refused.remote_id).await;
    assert_eq!(record.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn older_instances_leave_the_post_on_the_network() {
    let world = World::new();
    let cx = world.x("k");
    let receipt = published(&world, &cx).await;
    world.fake.set_old(true);
    // It forgets the post and leaves it on the network: no silent success.
    let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.remedy().unwrap().contains("by hand"));
    world.the_effect();
    // So where it failed on some other account only.
    let world = World::new();
    let cx = world.x("k");
    let receipt = published(&world, &cx).await;
    world.fake.set_old(true);
    let body = json!({"data": {"uuid": receipt.remote_id, "status": "failed", "accounts": [
        {"id": testing::X_ACCOUNT, "external_url": "https://x.example/acme/status/3"}]}});
    let failed = Fault::Reply(200, Box::leak(body.to_string().into_boxed_str()));
    let read = FaultRule::on(receipt.remote_id.clone(), failed);
    world
        .sandbox
        .faults()
        .add(read.method("GET".parse().unwrap()));
    let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

/// Mixpost lets people exchange the accounts of what is scheduled.
#[tokio::test]
async fn what_went_out_on_another_account_is_not_ours() {
    let world = World::new();
    let cx = world.x("k");
    let ten = at("2026-11-20T10:00:00Z");
    let receipt = accepted(&world, &cx, Delivery::At(ten)).await;
    let uuid = &receipt.remote_id;
    let exchanged = MixpostPostInput {
        accounts: vec![testing::LINKEDIN_ACCOUNT],
        versions: world.mixpost.get_post(&cx, uuid).await.unwrap().versions,
        tags: Vec::new(),
        at: Some(ten),
    };
    let exchanged = world.mixpost.update_post(&cx, uuid, &exchanged).await;
    exchanged.unwrap();
    let not_ours = async || {
        let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
        let told = (error.kind(), error.retry());
        assert_eq!(told, (ErrorKind::CannotTell, Retry::Never));
        assert!(error.message().contains("the account"), "{error:?}");
        assert_eq!(world.the_effect()["network"], "linkedin");
    };
    not_ours().await;
    world.clock.advance(TimeDelta::hours(2));
    let handle = Handle {
        remote_id: uuid.clone(),
        due: Some(ten),
        data: receipt.data.clone(),
    };
    // An account that is removed in Mixpost leaves its posts, too, also after they went out.
    let error = world.mixpost.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.message().contains("the account"), "{error:?}");
    not_ours().await;
    assert_eq!(world.the_effect()["state"], "published");
}
