//! Cancelled, moved, edited, drafted, taken down.

use super::*;
use automarket::core::Variant;

const TEN: &str = "2027-01-11T10:00:00Z";

#[tokio::test]
async fn what_waits_is_called_off_and_its_job_with_it() {
    for world in worlds().await {
        let post = world.publish(at(TEN)).await;
        let cancelled = world.tenant.cancel(post).await.unwrap();
        assert_eq!(cancelled[0].state, PublicationState::Cancelled);
        let stats = world.market().store().queue_stats().await.unwrap();
        assert_eq!((stats.later, stats.ready), (0, 0));
        world.clock.advance(chrono::Duration::hours(1));
        world.turn(post).await;
        assert!(world.publisher.texts().is_empty());
        let again = world.tenant.cancel(post).await.unwrap_err();
        let late = TooLate::of(&again).unwrap();
        assert_eq!(late.state, PublicationState::Cancelled);
        assert_eq!(
            world.tenant.post_state(post).await.unwrap(),
            PostState::Cancelled
        );
    }
}

#[tokio::test]
async fn what_comes_too_late_is_told_why_and_what_works() {
    for world in worlds().await {
        let tenant = &world.tenant;
        let says = |error: Error, why: &str, what: &str| {
            assert_eq!(error.kind(), ErrorKind::TooLate);
            assert!(error.message().starts_with(why), "{error}");
            assert!(error.remedy().unwrap().contains(what), "{error:?}");
        };
        let id = world.publish(at(TEN)).await;
        let waits = world.only(id).await.id;
        let again = tenant.publish_draft(id, at(TEN), PublishOptions::new());
        let again = again.await.unwrap_err();
        says(
            again,
            "it is no draft any more: it is scheduled",
            "`cancel`",
        );
        let none = "nothing of it awaits approval: it is scheduled";
        let twice = tenant.approve(id, "ada", None).await.unwrap_err();
        says(twice, none, "`reschedule`");
        let no = tenant.reject_approval(id, "ada", None).await.unwrap_err();
        says(no, none, "`cancel`");
        let down = tenant.delete(waits).await.unwrap_err();
        says(
            down,
            "it is not known to be out: it is scheduled",
            "`cancel`",
        );
        let resent = tenant.resend_unknown(waits, "why not").await.unwrap_err();
        says(resent, "it is not unknown", "`cancel`");
        tenant.cancel(id).await.unwrap();
        let gone = tenant.reschedule(id, When::Now).await.unwrap_err();
        says(gone, "it cannot be given another time", "new post");
    }
}

#[tokio::test]
async fn an_edit_names_the_account_on_which_it_is_out() {
    for world in worlds().await {
        let id = world.publish_to_two(When::Now).await;
        let out = world.tenant.publications(id).await.unwrap().remove(0);
        world.tenant.work_on(out.job, LEASE).await.unwrap();
        let late = world.tenant.edit(id, Post::text("All new")).await;
        let late = late.unwrap_err();
        assert_eq!(late.rule(), Some("publication.published"));
        let account = out.target.account.to_string();
        assert!(late.message().contains(&account), "{late}");
        assert!(
            late.remedy().unwrap().contains("`account_variant`"),
            "{late:?}"
        );
    }
}

#[tokio::test]
async fn a_post_that_is_called_off_everywhere_is_not_edited() {
    for world in worlds().await {
        let id = world.publish_to_two(at(TEN)).await;
        let first = world.tenant.publications(id).await.unwrap().remove(0);
        world.tenant.cancel(first.id).await.unwrap();
        let words = || Post::text("Other words");
        world.tenant.edit(id, words()).await.unwrap();
        world.tenant.cancel(id).await.unwrap();
        let late = world.tenant.edit(id, Post::text("We shipped!")).await;
        let late = TooLate::of(&late.unwrap_err()).unwrap();
        assert_eq!(late.state, PublicationState::Cancelled);
        let kept = world.tenant.post(id).await.unwrap();
        assert_eq!(kept.base.text, words().base.text);
    }
}

#[tokio::test]
async fn an_edit_leaves_no_job_behind() {
    for world in worlds().await {
        let post = world.publish(at(TEN)).await;
        let before = world.only(post).await.job;
        let other = Post::text("Other words");
        world.tenant.edit(post, other).await.unwrap();
        let (store, tenant) = (world.market().store(), world.tenant.id());
        let old = store.job(tenant, before).await.unwrap().unwrap();
        assert_eq!(old.state, JobState::Cancelled);
        assert_eq!(store.queue_stats().await.unwrap().later, 1);
    }
}

#[tokio::test]
async fn of_a_post_only_what_waits_is_called_off() {
    for world in worlds().await {
        let id = world.publish_to_two(When::Now).await;
        let all = world.tenant.publications(id).await.unwrap();
        world.tenant.work_on(all[0].job, LEASE).await.unwrap();
        let mut states: Vec<_> = world.tenant.cancel(id).await.unwrap();
        states.sort_by_key(|p| p.state.as_str());
        assert_eq!(states[0].state, PublicationState::Cancelled);
        assert_eq!(states[1].state, PublicationState::Published);
        let one = world.tenant.cancel(states[1].id).await.unwrap_err();
        assert_eq!(one.kind(), ErrorKind::TooLate);
        let state = world.tenant.post_state(id).await.unwrap();
        assert_eq!(state, PostState::Published);
    }
}

#[tokio::test]
async fn another_time_is_the_time_it_is_sent() {
    for world in worlds().await {
        let post = world.publish(at(TEN)).await;
        let sooner = world.tenant.reschedule(post, When::Now).await.unwrap();
        world.turn(post).await;
        assert_eq!(world.publisher.texts().len(), 1);
        assert_eq!(sooner[0].state, PublicationState::Scheduled);
        let late = world.tenant.reschedule(post, When::Now).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TooLate);
        assert_eq!(late.rule(), Some("publication.published"));
        assert!(late.message().contains("is published"), "{late}");

        let post = world.publish(at(TEN)).await;
        let old = world.only(post).await.job;
        let later = at("2027-01-12T10:00:00Z");
        world.tenant.reschedule(post, later).await.unwrap();
        world.clock.advance(chrono::Duration::hours(2));
        world.tenant.work_on(old, LEASE).await.unwrap();
        assert_eq!(world.publisher.texts().len(), 1, "the old job has no power");
        world.clock.advance(chrono::Duration::hours(23));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn an_edit_is_checked_and_is_an_intent_of_its_own() {
    for world in worlds().await {
        let post = world.publish(at(TEN)).await;
        let before = world.only(post).await;
        let empty = world.tenant.edit(post, Post::text(" ")).await.unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::InvalidInput);
        let same = world.tenant.edit(post, Post::text("We shipped!")).await;
        let same = same.unwrap().remove(0);
        assert_eq!((same.job, &same.key), (before.job, &before.key));
        assert_eq!(world.kinds().await, ["scheduled"], "nothing else is said");
        // Of what is stored only the words are others.
        let mut stored = world.tenant.post(post).await.unwrap();
        stored.base.text = Some("New words".into());
        let after = world.tenant.edit(post, stored).await;
        let after = after.unwrap().remove(0);
        assert_ne!(before.key, after.key);
        assert_ne!(before.content_hash, after.content_hash);
        world.clock.advance(chrono::Duration::hours(1));
        world.tenant.work_on(before.job, LEASE).await.unwrap();
        world.turn(post).await;
        assert_eq!(world.publisher.texts(), ["New words"]);
        assert_eq!(world.publisher.keys(), [after.key]);
        let late = world.tenant.edit(post, Post::text("Newer")).await;
        let late = TooLate::of(&late.unwrap_err()).unwrap();
        assert_eq!(late.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_is_out_keeps_its_words_while_others_change_theirs() {
    for world in worlds().await {
        let other = world.another_account("2").await;
        let accounts = [world.account.id, other.id];
        let post = Post::text("We shipped!");
        let id = post.id;
        let published = world.tenant.publish(post.clone(), accounts, When::Now);
        published.await.unwrap();
        let all = world.tenant.publications(id).await.unwrap();
        let (first, second) = (&all[0], &all[1]);
        world.tenant.work_on(first.job, LEASE).await.unwrap();
        let late = world.tenant.edit(id, Post::text("All new")).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::TooLate);
        let own = Variant::text("Only here");
        let edited = post.account_variant(second.target.account, own);
        world.tenant.edit(id, edited).await.unwrap();
        let job = world.tenant.publications(id).await.unwrap()[1].job;
        world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.publisher.texts(), ["We shipped!", "Only here"]);
    }
}

#[tokio::test]
async fn a_draft_waits_to_be_handed_over() {
    for world in worlds().await {
        let post = Post::text("  ");
        let id = post.id;
        let accounts = [world.account.id];
        world.tenant.save_draft(post, accounts).await.unwrap();
        let stats = world.market().store().queue_stats().await.unwrap();
        assert_eq!(stats.ready + stats.later, 0);
        let options = PublishOptions::new();
        let empty = world.tenant.publish_draft(id, When::Now, options).await;
        assert_eq!(empty.unwrap_err().kind(), ErrorKind::InvalidInput);
        world.tenant.edit(id, Post::text("Ready")).await.unwrap();
        world.clock.advance(chrono::Duration::days(2));
        let state = world.tenant.post_state(id).await.unwrap();
        assert_eq!(state, PostState::Draft);
        let handed = world.tenant.publish_draft(id, When::Now, options).await;
        assert_eq!(handed.unwrap()[0].state, PublicationState::Scheduled);
        assert_eq!(world.turn(id).await.0.state, PublicationState::Published);
        let twice = world.tenant.publish_draft(id, When::Now, options).await;
        assert_eq!(twice.unwrap_err().kind(), ErrorKind::TooLate);
    }
}

#[tokio::test]
async fn a_draft_for_now_may_await_its_approval() {
    for world in worlds().await {
        let post = Post::text("Ready");
        let id = post.id;
        let accounts = [world.account.id];
        world.tenant.save_draft(post, accounts).await.unwrap();
        world.clock.advance(chrono::Duration::days(2));
        let options = PublishOptions::new().needs_approval();
        let asked = world.tenant.publish_draft(id, When::Now, options).await;
        assert_eq!(asked.unwrap()[0].state, PublicationState::AwaitingApproval);
        world.clock.advance(chrono::Duration::days(2));
        world.tenant.approve(id, "ada", None).await.unwrap();
        assert_eq!(world.turn(id).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_is_out_is_taken_down_and_stays_published_until_it_is() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        let early = world.only(post).await;
        let early = world.tenant.delete(early.id).await.unwrap_err();
        assert_eq!(early.kind(), ErrorKind::TooLate);
        let (published, _) = world.turn(post).await;
        let job = world.tenant.delete(published.id).await.unwrap();
        assert_eq!(world.only(post).await.state, PublicationState::Published);
        let away = Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile);
        world.publisher.delete_answer(Err(away));
        world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.only(post).await.state, PublicationState::Published);
        world.clock.advance(chrono::Duration::hours(2));
        world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.only(post).await.state, PublicationState::Deleted);
        assert_eq!(world.publisher.deleted(), ["recorded-1", "recorded-1"]);

        let post = world.publish(When::Now).await;
        let (published, _) = world.turn(post).await;
        let no = Error::new(ErrorKind::Forbidden, "not yours");
        world.publisher.delete_answer(Err(no));
        let job = world.tenant.delete(published.id).await.unwrap();
        let ended = world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(ended.state, JobState::Dead);
        assert_eq!(world.only(post).await.state, PublicationState::Published);
        assert_eq!(world.kinds().await.last().unwrap(), "delete_failed");
    }
}

/// Who asks what became of a thing finds what is being taken down gone, or cannot tell.
#[tokio::test]
async fn what_ended_meanwhile_is_taken_down_all_the_same() {
    for kind in [ErrorKind::NotFound, ErrorKind::CannotTell] {
        for world in worlds().await {
            let post = world.accepted().await;
            let id = world.only(post).await.id;
            let job = world.tenant.delete(id).await.unwrap();
            let late = Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile);
            world.publisher.delete_answer(Err(late));
            world.tenant.work_on(job, LEASE).await.unwrap();
            let ended = world.polled(post, Error::new(kind, "gone")).await;
            assert!(ended.is_terminal(), "{ended:?}");
            world.tenant.work_on(job, LEASE).await.unwrap();
            assert_eq!(world.publisher.deleted(), ["c1", "c1"]);
            assert_eq!(world.only(post).await.state, PublicationState::Deleted);
        }
    }
    for world in worlds().await {
        // Nobody takes down what is on its way again, and says so.
        let post = world.accepted().await;
        let id = world.only(post).await.id;
        let job = world.tenant.delete(id).await.unwrap();
        let gone = Error::new(ErrorKind::NotFound, "gone");
        assert_eq!(world.polled(post, gone).await, PublicationState::Rejected);
        world.tenant.retry(post).await.unwrap();
        world.turn(post).await;
        world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.publisher.deleted().len(), 0);
        assert_eq!(world.only(post).await.state, PublicationState::Published);
        assert_eq!(world.kinds().await.last().unwrap(), "delete_failed");
    }
}

#[tokio::test]
async fn a_deletion_waits_until_its_account_is_usable_again() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        let (published, _) = world.turn(post).await;
        let revoked = Error::new(ErrorKind::Unauthorized, "revoked");
        world.publisher.delete_answer(Err(revoked));
        let job = world.tenant.delete(published.id).await.unwrap();
        // Longer than it would be tried.
        for _ in 0..25 {
            let waits = world.tenant.work_on(job, LEASE).await.unwrap();
            assert_eq!((waits.state, waits.attempts), (JobState::Waiting, 0));
            world.clock.advance(chrono::Duration::minutes(16));
        }
        assert_eq!(world.only(post).await.state, PublicationState::Published);
        assert_eq!(
            world.publisher.deleted().len(),
            1,
            "it is not asked in vain"
        );
        let (account, again) = (world.account.clone(), Credential::token("another"));
        world.tenant.add_account(account, again).await.unwrap();
        world.tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.only(post).await.state, PublicationState::Deleted);
    }
}

#[tokio::test]
async fn another_tenant_changes_nothing() {
    for world in worlds().await {
        let post = world.publish(at(TEN)).await;
        let id = world.only(post).await.id;
        let rival = world.market().tenant("rival").unwrap();
        let refused = [
            rival.cancel(post).await.map(drop),
            rival.cancel(id).await.map(drop),
            rival.reschedule(id, When::Now).await.map(drop),
            rival.approve(id, "x", None).await.map(drop),
            rival.edit(post, Post::text("x")).await.map(drop),
            rival.retry(post).await.map(drop),
            rival.resend_unknown(id, "x").await.map(drop),
            rival.delete(id).await.map(drop),
            rival.why(id).await.map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(world.only(post).await.revision, 1);
    }
}
