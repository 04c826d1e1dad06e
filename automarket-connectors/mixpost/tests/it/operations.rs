//! The thin calls against the fake.

use automarket_connector_mixpost::{
    DeleteMode, MixpostContent, MixpostPostInput, MixpostStatus, MixpostVersion, PostFilter,
    testing,
};
use automarket_core::{Delivery, ErrorKind, Outcome, Publisher, chrono::TimeDelta};
use serde_json::{Value, json};

use crate::world::{World, at, hello};

async fn draft(world: &World) -> String {
    let post = hello().delivery(Delivery::Draft);
    let outcome = world
        .mixpost
        .publish(&world.x("draft"), &post)
        .await
        .unwrap();
    outcome.remote_id().to_owned()
}

#[tokio::test]
async fn a_draft_is_edited_scheduled_and_moved_to_the_queue() {
    let world = World::new();
    let (cx, mixpost) = (world.x("other"), &world.mixpost);
    let uuid = draft(&world).await;
    assert_eq!(world.the_effect()["state"], "draft");
    // A draft without a time cannot be scheduled by older ways.
    let error = mixpost.schedule(&cx, &uuid, None).await.unwrap_err();
    assert_eq!(error.platform_code(), Some("cannot_scheduled"));
    let input = MixpostPostInput {
        accounts: vec![testing::LINKEDIN_ACCOUNT],
        versions: vec![MixpostVersion {
            account_id: 0,
            is_original: true,
            content: vec![MixpostContent {
                body: "<div>Edited</div>".into(),
                ..MixpostContent::default()
            }],
            options: Value::Null,
        }],
        tags: Vec::new(),
        at: Some(at("2026-11-21T10:00:00Z")),
    };
    mixpost.update_post(&cx, &uuid, &input).await.unwrap();
    mixpost.schedule(&cx, &uuid, None).await.unwrap();
    let effect = world.the_effect();
    assert_eq!(effect["state"], "scheduled");
    assert_eq!(effect["text"], "Edited");
    assert_eq!(effect["network"], "linkedin");
    assert_eq!(effect["tags"], json!([]), "what is left out is removed");
    mixpost.add_to_queue(&cx, &uuid).await.unwrap();
    let post = mixpost.get_post(&cx, &uuid).await.unwrap();
    assert_eq!(post.scheduled_at, Some(at("2026-11-20T17:00:00Z")));
    world.clock.advance(TimeDelta::days(1));
    assert_eq!(
        mixpost.get_post(&cx, &uuid).await.unwrap().status,
        MixpostStatus::Published
    );
    for refused in [
        mixpost.update_post(&cx, &uuid, &input).await,
        mixpost.publish_now(&cx, &uuid).await,
        mixpost.add_to_queue(&cx, &uuid).await,
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.platform_code(), Some("in_history"));
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn approval_holds_a_post_back_until_it_is_given() {
    let world = World::new();
    world.fake.set_needs_approval(true);
    let (cx, mixpost) = (world.x("k"), &world.mixpost);
    let Outcome::Accepted(handle) = mixpost.publish(&cx, &hello()).await.unwrap() else {
        panic!("accepted")
    };
    world.clock.advance(TimeDelta::hours(1));
    assert!(matches!(
        mixpost.poll(&cx, &handle).await.unwrap(),
        Outcome::Accepted(_)
    ));
    assert_eq!(world.the_effect()["state"], "needs_approval");
    mixpost.approve(&cx, &handle.remote_id).await.unwrap();
    assert!(matches!(
        mixpost.poll(&cx, &handle).await.unwrap(),
        Outcome::Done(_)
    ));
}

#[tokio::test]
async fn queued_posts_take_one_slot_each() {
    let world = World::new();
    let mut due = Vec::new();
    for key in ["a", "b", "c"] {
        let post = hello().delivery(Delivery::Queue);
        let outcome = world.mixpost.publish(&world.x(key), &post).await.unwrap();
        let Outcome::Accepted(handle) = outcome else {
            panic!("{outcome:?}")
        };
        due.push(handle.due.unwrap().to_rfc3339());
    }
    assert_eq!(
        due,
        [
            "2026-11-20T17:00:00+00:00",
            "2026-11-21T09:00:00+00:00",
            "2026-11-21T17:00:00+00:00"
        ]
    );
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::new();
    let (cx, mixpost) = (world.x("k"), &world.mixpost);
    for n in 0..51 {
        let post = automarket_core::Post::text(format!("Number {n}")).delivery(Delivery::Draft);
        mixpost
            .publish(&world.x(&n.to_string()), &post)
            .await
            .unwrap();
    }
    let all = PostFilter::default();
    let first = mixpost.posts(&cx, &all, 1).await.unwrap();
    assert_eq!(
        (first.items.len(), first.total, first.is_last()),
        (50, Some(51), false)
    );
    assert!(mixpost.posts(&cx, &all, 2).await.unwrap().is_last());
    let one = PostFilter {
        keyword: Some("Number 17".into()),
        accounts: vec![testing::X_ACCOUNT],
        status: Some("draft".into()),
        ..PostFilter::default()
    };
    let found = mixpost.posts(&cx, &one, 1).await.unwrap();
    assert_eq!(found.items.len(), 1);
    let uuid = &found.items[0].uuid;
    mixpost
        .delete_post(&cx, uuid, true, DeleteMode::AppOnly)
        .await
        .unwrap();
    assert!(mixpost.posts(&cx, &one, 1).await.unwrap().items.is_empty());
    let trash = PostFilter {
        status: Some("trash".into()),
        ..PostFilter::default()
    };
    assert!(mixpost.posts(&cx, &trash, 1).await.unwrap().items[0].trashed);
}

#[tokio::test]
async fn tags_and_media_can_be_managed() {
    let world = World::new();
    let (cx, mixpost) = (world.x("k"), &world.mixpost);
    mixpost.ping(&cx).await.unwrap();
    assert_eq!(
        mixpost.workspaces(&cx).await.unwrap()[0].uuid,
        testing::WORKSPACE
    );
    let tag = mixpost.create_tag(&cx, "news", "#112233").await.unwrap();
    let error = mixpost
        .create_tag(&cx, "news", "#112233")
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("name"));
    mixpost
        .update_tag(&cx, &tag.uuid, "old news", "#445566")
        .await
        .unwrap();
    assert_eq!(mixpost.tags(&cx).await.unwrap()[0].name, "old news");
    mixpost.delete_tag(&cx, &tag.uuid).await.unwrap();
    assert!(mixpost.tags(&cx).await.unwrap().is_empty());
    let photo = automarket_core::Media::image(&b"x"[..], "image/png");
    mixpost.publish(&cx, &hello().media(photo)).await.unwrap();
    let file = mixpost.media(&cx, 1).await.unwrap().items.remove(0);
    mixpost
        .update_media(&cx, &file.uuid, Some("A photo"), Some("b.png"))
        .await
        .unwrap();
    let file = mixpost.media(&cx, 1).await.unwrap().items.remove(0);
    assert_eq!(
        (file.name.as_str(), file.alt_text.as_deref()),
        ("b.png", Some("A photo"))
    );
    mixpost.delete_media(&cx, &[file.id]).await.unwrap();
    assert!(mixpost.media(&cx, 1).await.unwrap().items.is_empty());
}
