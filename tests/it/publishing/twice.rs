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
