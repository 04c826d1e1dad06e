//! After a lost answer: exactly our post, on every version of the instance.

use automarket_connector_mixpost::testing::TagFilter;
use automarket_core::{
    Context, Credential, ErrorKind, Intent, Lookup, Outcome, Publisher, Retry,
    http_types::Method,
    testing::{Fake, Fault, FaultRule},
};
use serde_json::json;

use crate::world::{World, hello};

fn intent(key: &str, cx: &Context) -> Intent {
    Intent {
        key: key.to_owned(),
        post: hello(),
        at: cx.now(),
    }
}

/// Publishes and loses the answer.
async fn lose(world: &World, cx: &Context) {
    let fault = FaultRule::on("/posts", Fault::CutAfter).method("POST".parse().unwrap());
    world.sandbox.faults().add(fault);
    let error = world.mixpost.publish(cx, &hello()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Reconcile, "{error:?}");
}

/// Makes the tag and loses the post.
async fn drop_before(world: &World, cx: &Context) {
    let fault = FaultRule::on("/posts", Fault::CutBefore).method("POST".parse().unwrap());
    world.sandbox.faults().add(fault);
    let error = world.mixpost.publish(cx, &hello()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Reconcile, "{error:?}");
}

#[tokio::test]
async fn every_way_of_filtering_finds_it_and_absent_is_sure() {
    for filter in [TagFilter::Names, TagFilter::Ids, TagFilter::Ignored] {
        let world = World::new();
        world.fake.set_tag_filter(filter);
        // Sixty more of the same text: the second page exists.
        for n in 0..60 {
            let cx = world.x(&format!("other-{n}"));
            world.mixpost.publish(&cx, &hello()).await.unwrap();
        }
        let cx = world.x("ours");
        let before = world.mixpost.find(&cx, &intent("ours", &cx)).await.unwrap();
        assert_eq!(before, Lookup::Absent, "{filter:?}");
        lose(&world, &cx).await;
        for n in 60..120 {
            let cx = world.x(&format!("other-{n}"));
            world.mixpost.publish(&cx, &hello()).await.unwrap();
        }
        let Lookup::Found(found) = world.mixpost.find(&cx, &intent("ours", &cx)).await.unwrap()
        else {
            panic!("{filter:?}: not found")
        };
        assert_eq!(world.effects()[60]["uuid"], found.remote_id(), "{filter:?}");
        let again = world.mixpost.publish(&cx, &hello()).await.unwrap();
        assert_eq!(again.remote_id(), found.remote_id());
        assert_eq!(world.effects().len(), 121, "{filter:?}");
        // The tag is there, its post is not: still sure.
        let never = world.x("never");
        drop_before(&world, &never).await;
        let tags = world.mixpost.tags(&never).await.unwrap();
        assert_eq!(tags.len(), 122);
        let lookup = world
            .mixpost
            .find(&never, &intent("never", &never))
            .await
            .unwrap();
        assert_eq!(lookup, Lookup::Absent, "{filter:?}");
    }
}

/// Lite has no rule against a second tag of one name.
#[tokio::test]
async fn a_post_with_the_second_tag_of_its_name_is_found() {
    for filter in [TagFilter::Names, TagFilter::Ids, TagFilter::Ignored] {
        let world = World::new();
        world.fake.set_tag_filter(filter);
        world.fake.set_doubles(true);
        let cx = world.x("ours");
        let fault = FaultRule::on("/tags", Fault::CutAfter).method("POST".parse().unwrap());
        world.sandbox.faults().add(fault);
        world.mixpost.publish(&cx, &hello()).await.unwrap_err();
        lose(&world, &cx).await;
        assert_eq!(world.mixpost.tags(&cx).await.unwrap().len(), 2);
        let lookup = world.mixpost.find(&cx, &intent("ours", &cx)).await.unwrap();
        let Lookup::Found(found) = lookup else {
            panic!("{filter:?}: {lookup:?}")
        };
        assert_eq!(world.the_effect()["uuid"], found.remote_id());
    }
}

#[tokio::test]
async fn too_many_posts_without_a_filter_cannot_be_told() {
    let world = World::new();
    world.fake.set_tag_filter(TagFilter::Ignored);
    let cx = world.x("ours");
    drop_before(&world, &cx).await;
    world
        .mixpost
        .publish(&world.x("other"), &hello())
        .await
        .unwrap();
    let mut saved = world.fake.save();
    let other = saved["posts"][0].clone();
    for n in 1..=1000 {
        let mut post = other.clone();
        post["id"] = json!(1000 + n);
        saved["posts"].as_array_mut().unwrap().push(post);
    }
    world.fake.load(saved).unwrap();
    let lookup = world.mixpost.find(&cx, &intent("ours", &cx)).await.unwrap();
    assert!(matches!(lookup, Lookup::CannotTell(_)), "{lookup:?}");
    let error = world.mixpost.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert_eq!(world.effects().len(), 1001, "nothing was sent again");
}

#[tokio::test]
async fn tags_without_end_are_not_read_for_ever() {
    let endless = r#"{"data":[{"id":1,"uuid":"u","name":"a"}],"meta":{"current_page":1,"last_page":4000000000}}"#;
    let rule = |method, reply| {
        let status = if method == Method::GET { 200 } else { 422 };
        FaultRule::on("/tags", Fault::Reply(status, reply)).method(method)
    };
    let world = World::new();
    let faults = world.sandbox.faults();
    faults.add(rule(Method::GET, endless).times(650));
    faults.add(rule(Method::POST, r#"{"message":"taken"}"#));
    let cx = world.x("ours");
    let error = world.mixpost.tags(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    let lookup = world.mixpost.find(&cx, &intent("ours", &cx)).await.unwrap();
    assert!(matches!(lookup, Lookup::CannotTell(_)), "{lookup:?}");
    // Nothing is in doubt where nothing was sent.
    let error = world.mixpost.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedReply);
    assert_eq!(error.retry(), Retry::After(None));
    assert_eq!(faults.hits().len(), 601);
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn what_somebody_threw_away_did_go_through() {
    let world = World::new();
    let cx = world.x("ours");
    lose(&world, &cx).await;
    let uuid = world.the_effect()["uuid"].as_str().unwrap().to_owned();
    let mode = automarket_connector_mixpost::DeleteMode::AppOnly;
    world
        .mixpost
        .delete_post(&cx, &uuid, true, mode)
        .await
        .unwrap();
    let Lookup::Found(found) = world.mixpost.find(&cx, &intent("ours", &cx)).await.unwrap() else {
        panic!("not found in the trash")
    };
    assert_eq!(found.remote_id(), uuid);
    // What lies there is Mixpost's record: the post stays on the network.
    assert!(matches!(found, Outcome::Done(_)), "{found:?}");
    let outcome = world.mixpost.publish(&cx, &hello()).await.unwrap();
    assert_eq!(outcome, found);
    world.the_effect();
}

#[tokio::test]
async fn without_a_key_a_lost_answer_stays_unknown() {
    let world = World::new();
    let keyless = Context::new(world.sandbox.clone())
        .with_clock(std::sync::Arc::new(world.clock.clone()))
        .with_credential(Credential::token(world.token))
        .with_account(crate::world::account_on(1, automarket_core::Platform::X));
    lose(&world, &keyless).await;
    let error = world.mixpost.publish(&keyless, &hello()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::CannotTell, Retry::Reconcile)
    );
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn a_look_up_that_fails_leaves_the_end_unknown() {
    let world = World::new();
    let cx = world.x("ours");
    lose(&world, &cx).await;
    for fault in [
        Fault::Unauthorized,
        Fault::NotSent,
        Fault::StatusBefore(503),
    ] {
        let rule = FaultRule::on("/posts", fault.clone()).method("GET".parse().unwrap());
        world.sandbox.faults().add(rule);
        let error = world.mixpost.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{fault:?}: {error:?}");
    }
    world.mixpost.publish(&cx, &hello()).await.unwrap();
    world.the_effect();
}

/// Mixpost's copies keep the tags, the marker among them.
#[tokio::test]
async fn a_copy_is_not_taken_for_the_post() {
    for filter in [TagFilter::Names, TagFilter::Ids, TagFilter::Ignored] {
        let world = World::new();
        world.fake.set_tag_filter(filter);
        let cx = world.x("ours");
        lose(&world, &cx).await;
        let uuid = world.the_effect()["uuid"].as_str().unwrap().to_owned();
        let tag = world.mixpost.tags(&cx).await.unwrap()[0].id;
        let mut saved = world.fake.save();
        let mut copy = saved["posts"][0].clone();
        assert_eq!(copy["tags"], json!([tag]));
        copy["id"] = json!(1000);
        copy["status"] = json!("draft");
        saved["posts"].as_array_mut().unwrap().push(copy);
        // More than a page of others between.
        for n in 0..60 {
            let mut other = saved["posts"][0].clone();
            (other["id"], other["tags"]) = (json!(2000 + n), json!([]));
            saved["posts"].as_array_mut().unwrap().insert(1, other);
        }
        world.fake.load(saved).unwrap();
        let lookup = world.mixpost.find(&cx, &intent("ours", &cx)).await.unwrap();
        let Lookup::Found(found) = lookup else {
            panic!("{filter:?}: {lookup:?}")
        };
        assert_eq!(found.remote_id(), uuid, "{filter:?}");
    }
}
