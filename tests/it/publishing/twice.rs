//! The same post handed over twice: the same thing, more accounts, or other words.

use super::*;

#[tokio::test]
async fn a_post_of_the_same_id_with_other_words_is_refused() {
    for world in worlds().await {
        let other = world.another_account("2").await;
        let ten = at("2027-01-11T10:00:00Z");
        let post = world.publish(ten).await;
        let mut changed = Post::text("Other words");
        changed.id = post;
        for accounts in [
            vec![world.account.id],
            vec![world.account.id, other.id],
            vec![other.id],
        ] {
            let refused = world.tenant.publish(changed.clone(), accounts.clone(), ten);
            let refused = refused.await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Conflict);
            assert_eq!(refused.rule(), Some("post.changed"));
            assert!(refused.remedy().is_some());
            let prepared = world.tenant.prepare(changed.clone(), accounts.clone(), ten);
            assert_eq!(prepared.await.unwrap_err().rule(), Some("post.changed"));
            let draft = world.tenant.save_draft(changed.clone(), accounts).await;
            assert_eq!(draft.unwrap_err().rule(), Some("post.changed"));
        }
        assert_eq!(world.only(post).await.state, PublicationState::Scheduled);
        assert_eq!(world.kinds().await, ["scheduled"]);
    }
}

#[tokio::test]
async fn a_draft_is_handed_over_by_its_own_call() {
    for world in worlds().await {
        let post = Post::text("We shipped!");
        let accounts = [world.account.id];
        world
            .tenant
            .save_draft(post.clone(), accounts)
            .await
            .unwrap();
        let refused = world
            .tenant
            .publish(post.clone(), accounts, When::Now)
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.rule(), Some("post.draft"));
        let released = world
            .tenant
            .publish_draft(post.id, When::Now, PublishOptions::new());
        released.await.unwrap();
        // Now it is the same call again.
        world
            .tenant
            .publish(post.clone(), accounts, When::Now)
            .await
            .unwrap();
        world.turn(post.id).await;
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn what_was_cancelled_is_not_said_to_be_published() {
    for world in worlds().await {
        let post = Post::text("We shipped!");
        let (accounts, ten) = ([world.account.id], at("2027-01-11T10:00:00Z"));
        let publish = || world.tenant.publish(post.clone(), accounts, ten);
        publish().await.unwrap();
        world.tenant.cancel(post.id).await.unwrap();
        let refused = publish().await.unwrap_err();
        assert_eq!(refused.rule(), Some("post.cancelled"));
        assert!(refused.remedy().is_some());
    }
}

#[tokio::test]
async fn an_account_that_is_named_twice_is_told_of_once() {
    for world in worlds().await {
        let twice = [world.account.id, world.account.id];
        let post = Post::text("We shipped!");
        world.tenant.publish(post, twice, When::Now).await.unwrap();
        assert_eq!(world.kinds().await, ["scheduled"]);
    }
}

#[tokio::test]
async fn a_post_with_a_fraction_in_it_is_the_same_at_its_time() {
    for world in worlds().await {
        let mut post = Post::text("We shipped!");
        let options = serde_json::json!({ "place": { "x": 5.0 / 24.0 } });
        post.base.options.insert(Platform::X, options);
        for _ in 0..2 {
            let accounts = [world.account.id];
            let published = world.tenant.publish(post.clone(), accounts, When::Now);
            published.await.unwrap();
        }
        let (publication, _) = world.turn(post.id).await;
        assert_eq!(publication.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn more_accounts_are_told_of_alone() {
    for world in worlds().await {
        let other = world.another_account("2").await;
        let post = Post::text("We shipped!");
        let first = [world.account.id];
        let ten = at("2027-01-11T10:00:00Z");
        world
            .tenant
            .publish(post.clone(), first, ten)
            .await
            .unwrap();
        let both = [world.account.id, other.id];
        for _ in 0..2 {
            world.tenant.publish(post.clone(), both, ten).await.unwrap();
        }
        assert_eq!(world.kinds().await, ["scheduled", "scheduled"]);
        world.clock.advance(chrono::Duration::minutes(61));
        for publication in world.tenant.publications(post.id).await.unwrap() {
            world.tenant.work_on(publication.job, LEASE).await.unwrap();
        }
        assert_eq!(world.publisher.texts().len(), 2);
    }
}

#[tokio::test]
async fn what_was_handed_over_is_so_whatever_became_of_its_account() {
    for world in worlds().await {
        let (tenant, now) = (&world.tenant, When::Now);
        let other = world.another_account("2").await;
        let (accounts, both) = ([world.account.id], [world.account.id, other.id]);
        let post = Post::text("We shipped!");
        tenant.publish(post.clone(), accounts, now).await.unwrap();
        let (published, _) = world.turn(post.id).await;
        assert_eq!(published.state, PublicationState::Published);
        assert!(tenant.remove_account(world.account.id).await.unwrap());

        tenant.publish(post.clone(), accounts, now).await.unwrap();
        let prepared = tenant.prepare(post.clone(), accounts, now).await;
        assert_eq!(prepared.unwrap().publications, []);
        tenant.save_draft(post.clone(), accounts).await.unwrap();
        assert_eq!(world.only(post.id).await, published);
        // Other words are other words.
        let mut changed = post.clone();
        changed.base.text = Some("Other words".into());
        let publish = tenant.publish(changed.clone(), both, now).await;
        let prepare = tenant.prepare(changed.clone(), accounts, now).await.err();
        let draft = tenant.save_draft(changed, accounts).await.err();
        for refused in [publish.err(), prepare, draft] {
            assert_eq!(refused.unwrap().rule(), Some("post.changed"));
        }
        // One more account is told of alone.
        tenant.publish(post.clone(), both, now).await.unwrap();
        let there = tenant.publications(post.id).await.unwrap();
        assert_eq!(there.len(), 2);
        assert!(there.contains(&published));
    }
}

#[tokio::test]
async fn a_draft_and_what_was_cancelled_are_looked_into_each_time() {
    for world in worlds().await {
        let (tenant, accounts) = (&world.tenant, [world.account.id]);
        let mut post = Post::text("");
        let publish = async |post: &Post| {
            let published = tenant.publish(post.clone(), accounts, When::Now);
            published.await.unwrap_err()
        };
        tenant.save_draft(post.clone(), accounts).await.unwrap();
        assert_eq!(publish(&post).await.kind(), ErrorKind::InvalidInput);
        tenant.cancel(post.id).await.unwrap();
        assert_eq!(publish(&post).await.kind(), ErrorKind::InvalidInput);
        post.base.text = Some("We shipped!".into());
        assert_eq!(publish(&post).await.rule(), Some("post.changed"));
    }
}

#[tokio::test]
async fn a_post_for_no_account_is_refused_and_leaves_its_id_free() {
    for world in worlds().await {
        let (tenant, post) = (&world.tenant, Post::text("We shipped!"));
        let published = tenant.publish(post.clone(), [], When::Now).await.err();
        let prepared = tenant.prepare(post.clone(), [], When::Now).await.err();
        let drafted = tenant.save_draft(post.clone(), []).await.err();
        for refused in [published, prepared, drafted] {
            let refused = refused.expect("a refusal");
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
            assert_eq!(refused.field(), Some("accounts"));
        }
        let stored = world.market().store().post(tenant.id(), post.id).await;
        assert_eq!(stored.unwrap(), None);
        assert!(tenant.plan(&post, []).await.unwrap().targets.is_empty());
    }
}
