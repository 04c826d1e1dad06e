//! What changes between a call's look and its write.

use automarket::{
    AccountId, Result,
    core::Variant,
    store::Slots,
    testing::{FaultStore, StoreFault, StoreRule},
};

use tokio::sync::Notify;

use super::*;

/// A second process, whose next call of one method is held up.
struct Slow {
    store: FaultStore,
    tenant: Tenant,
    held: Arc<Notify>,
}

impl Slow {
    fn on(world: &World, method: &'static str) -> Self {
        Self::after(world, method, 0)
    }

    /// Lets so many such calls pass first.
    fn after(world: &World, method: &'static str, calls: u32) -> Self {
        let store = FaultStore::new(world.market().store().clone());
        let held = Arc::<Notify>::default();
        let until = StoreFault::Held(held.clone());
        let rule = StoreRule::on(method, until).after(calls);
        store.faults().add(rule);
        let market = market(
            Arc::new(store.clone()),
            &world.clock,
            world.publisher.clone(),
        );
        let tenant = market.tenant("acme").unwrap();
        Self {
            store,
            tenant,
            held,
        }
    }

    /// Works between its look, which ends in so many calls of this method, and its write.
    async fn between<T>(&self, look: (&str, usize), work: impl Future<Output = T>) -> T {
        self.store.faults().until(look.0, look.1).await;
        let done = work.await;
        self.held.notify_one();
        done
    }
}

fn words(post: &Post, account: &Account, text: &str) -> Post {
    let mut post = post.clone();
    let variant = Variant::text(text);
    post.accounts.insert(account.id, variant);
    post
}

#[tokio::test]
async fn two_edits_at_once_are_one_after_the_other() {
    for world in worlds().await {
        let other = world.another_account("2").await;
        let post = Post::text("Ours");
        let accounts = [world.account.id, other.id];
        let ten = at("2027-01-11T10:00:00Z");
        let published = world.tenant.publish(post.clone(), accounts, ten);
        let id = published.await.unwrap();
        let slow = Slow::on(&world, "change_publishing");
        let (second, first) = tokio::join!(slow.tenant.edit(id, words(&post, &other, "Yours")), {
            let first = words(&post, &world.account, "Mine");
            slow.between(("publications", 1), world.tenant.edit(id, first))
        });
        first.unwrap();
        second.unwrap();
        world.clock.advance(chrono::Duration::minutes(61));
        for publication in world.tenant.publications(id).await.unwrap() {
            world.tenant.work_on(publication.job, LEASE).await.unwrap();
        }
        let state = world.tenant.post_state(id).await.unwrap();
        assert_eq!(state, PostState::Published);
        let mut texts = world.publisher.texts();
        texts.sort();
        assert_eq!(texts, ["Ours", "Yours"], "the second said so of both");
    }
}

#[tokio::test]
async fn a_yes_is_for_the_words_that_stood_when_it_was_said() {
    for world in worlds().await {
        let asked = PublishOptions::new().needs_approval();
        let ten = at("2027-01-11T10:00:00Z");
        let post = world.publish_with(ten, asked).await;
        let slow = Slow::on(&world, "change_publishing");
        let (yes, edited) = tokio::join!(slow.tenant.approve(post, "ada", None), {
            let other = Post::text("Something else");
            slow.between(("publications", 1), world.tenant.edit(post, other))
        });
        edited.unwrap();
        let refused = yes.unwrap_err();
        assert_eq!(refused.rule(), Some("publication.changed"));
        let waiting = world.only(post).await;
        assert_eq!(waiting.state, PublicationState::AwaitingApproval);
    }
}

#[tokio::test]
async fn what_was_edited_while_it_was_moved_goes_on_from_nothing() {
    for world in worlds().await {
        let no = Error::new(ErrorKind::Unauthorized, "revoked");
        world.publisher.answer(Err(no));
        let post = world.publish(When::Now).await;
        let (blocked, _) = world.turn(post).await;
        assert_eq!(blocked.state, PublicationState::Blocked);
        let slow = Slow::on(&world, "change_publishing");
        let ten = at("2027-01-11T10:00:00Z");
        let (moved, edited) = tokio::join!(slow.tenant.reschedule(post, ten), {
            let other = Post::text("Other words");
            slow.between(("steps", 1), world.tenant.edit(post, other))
        });
        moved.unwrap();
        edited.unwrap();
        let job = world.only(post).await.job;
        let job = world.market().store().job(world.tenant.id(), job).await;
        let carried = job.unwrap().unwrap().payload;
        assert_eq!(carried.get("steps"), None);
        assert_eq!(carried.get("earlier"), None);
    }
}

#[tokio::test]
async fn a_yes_to_what_was_read_is_a_yes_to_nothing_else() {
    for world in worlds().await {
        let asked = PublishOptions::new().needs_approval();
        let ten = at("2027-01-11T10:00:00Z");
        let post = world.publish_with(ten, asked).await;
        let read = world.only(post).await;
        let edited = world.tenant.edit(post, Post::text("Something else")).await;
        edited.unwrap();
        let refused = world.tenant.approve(&read, "ada", None).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Conflict, Some("publication.changed"))
        );
        let read = world.only(post).await;
        let approved = world.tenant.approve(&read, "ada", None).await.unwrap();
        assert_eq!(approved[0].state, PublicationState::Scheduled);
    }
}

fn told(rule: &str) -> Option<String> {
    Some(rule.to_owned())
}

/// Hands both over, the second while the first is about to write; how each ended.
async fn both<A, B>(
    slow: &Slow,
    looks: (&str, usize),
    late: impl Future<Output = Result<A>>,
    first: impl Future<Output = Result<B>>,
) -> [Option<String>; 2] {
    let (late, first) = tokio::join!(late, slow.between(looks, first));
    let rule = |error: Error| error.rule().unwrap_or("none").to_owned();
    [late.err().map(rule), first.err().map(rule)]
}

#[tokio::test]
async fn of_two_who_say_different_things_of_a_new_post_one_is_told() {
    for world in worlds().await {
        let other = world.another_account("2").await;
        for accounts in [vec![world.account.id], vec![world.account.id, other.id]] {
            let (ours, ten) = (Post::text("Ours"), at("2027-01-11T10:00:00Z"));
            let mut theirs = Post::text("Theirs");
            theirs.id = ours.id;
            let slow = Slow::on(&world, "put_publishing");
            let late = slow.tenant.publish(ours.clone(), accounts, ten);
            let first = world
                .tenant
                .publish(theirs.clone(), [world.account.id], ten);
            let ends = both(&slow, ("now", 1), late, first).await;
            assert_eq!(ends, [told("post.changed"), None]);
            let stands = world.only(ours.id).await;
            assert_eq!(stands.state, PublicationState::Scheduled);
        }
        // Once as a draft, once to be sent.
        let post = Post::text("Ours");
        let slow = Slow::on(&world, "put_publishing");
        let late = slow
            .tenant
            .publish(post.clone(), [world.account.id], When::Now);
        let first = world.tenant.save_draft(post.clone(), [world.account.id]);
        let ends = both(&slow, ("now", 1), late, first).await;
        assert_eq!(ends, [told("post.draft"), None]);
    }
}

#[tokio::test]
async fn who_brings_more_accounts_and_who_brings_fewer_tell_of_each_once() {
    for world in worlds().await {
        let other = world.another_account("2").await;
        let (post, ten) = (Post::text("Ours"), at("2027-01-11T10:00:00Z"));
        let slow = Slow::on(&world, "put_publishing");
        let both_of_them = [world.account.id, other.id];
        let eleven = at("2027-01-11T11:00:00Z");
        let late = slow.tenant.publish(post.clone(), both_of_them, eleven);
        let first = world.tenant.publish(post.clone(), [world.account.id], ten);
        assert_eq!(both(&slow, ("now", 1), late, first).await, [None, None]);
        assert_eq!(world.kinds().await, ["scheduled", "scheduled"]);
        let all = world.tenant.publications(post.id).await.unwrap();
        let due = |account: AccountId| {
            all.iter()
                .find(|p| p.target.account == account)
                .unwrap()
                .due
        };
        assert!(due(world.account.id) < due(other.id));
    }
}

#[tokio::test]
async fn an_edit_and_another_account_at_once_leave_nothing_that_says_what_the_post_does_not() {
    for world in worlds().await {
        let other = world.another_account("2").await;
        for late_edit in [true, false] {
            let (post, now) = (Post::text("Ours"), When::Now);
            let published = world.tenant.publish(post.clone(), [world.account.id], now);
            let id = published.await.unwrap();
            let edited = Post::text("Edited");
            let both_of_them = [world.account.id, other.id];
            let ends = if late_edit {
                let slow = Slow::on(&world, "change_publishing");
                let late = slow.tenant.edit(id, edited);
                let first = world.tenant.publish(post, both_of_them, now);
                both(&slow, ("publications", 1), late, first).await
            } else {
                let slow = Slow::on(&world, "put_publishing");
                let late = slow.tenant.publish(post, both_of_them, now);
                let first = world.tenant.edit(id, edited);
                both(&slow, ("publications", 1), late, first).await
            };
            let (other_words, all) = match late_edit {
                true => (None, 2),
                false => (told("post.changed"), 1),
            };
            assert_eq!(ends, [other_words, None]);
            let stand = world.tenant.publications(id).await.unwrap();
            assert_eq!(stand.len(), all);
            for publication in stand {
                world.tenant.work_on(publication.job, LEASE).await.unwrap();
            }
            let state = world.tenant.post_state(id).await.unwrap();
            assert_eq!(state, PostState::Published);
            let texts = world.publisher.texts();
            assert!(texts.iter().all(|text| text == "Edited"), "{texts:?}");
        }
    }
}

/// A post on two accounts, both of which may not and have the third for a fallback; their jobs, and the third.
async fn two_that_may_not(world: &World) -> (Post, [automarket::JobId; 2], Account) {
    let other = world.another_account("2").await;
    let fallback = world.another_account("3").await;
    let accounts = [world.account.id, other.id];
    for account in accounts {
        let set = world.tenant.set_fallback(account, Some(fallback.id));
        set.await.unwrap();
        let no = Error::new(ErrorKind::Forbidden, "not yours");
        world.publisher.answer(Err(no));
    }
    let post = Post::text("We shipped!");
    let published = world.tenant.publish(post.clone(), accounts, When::Now);
    published.await.unwrap();
    let all = world.tenant.publications(post.id).await.unwrap();
    (post, [all[0].job, all[1].job], fallback)
}

async fn by_the_second_way(world: &World, post: &Post) -> usize {
    let all = world.tenant.publications(post.id).await.unwrap();
    all.iter().filter(|p| p.via.is_some()).count()
}

#[tokio::test]
async fn of_two_that_fail_at_once_one_goes_by_the_fallback_of_both() {
    for world in worlds().await {
        let (post, [one, two], _) = two_that_may_not(&world).await;
        // The second is made anew, and asks once more.
        let no = Error::new(ErrorKind::Forbidden, "not yours");
        world.publisher.answer(Err(no));
        let slow = Slow::after(&world, "change_publishing", 1);
        let late = slow.tenant.work_on(one, LEASE);
        let first = world.tenant.work_on(two, LEASE);
        assert_eq!(
            both(&slow, ("publications", 1), late, first).await,
            [None, None]
        );
        assert_eq!(by_the_second_way(&world, &post).await, 1);
        let all = world.tenant.publications(post.id).await.unwrap();
        let refused = all.iter().find(|p| p.via.is_none()).unwrap();
        assert_eq!(refused.state, PublicationState::Rejected);
    }
}

#[tokio::test]
async fn a_second_way_and_its_account_at_once_are_not_both_taken() {
    for world in worlds().await {
        for late_account in [true, false] {
            let (post, [one, _], fallback) = two_that_may_not(&world).await;
            let with_it = [world.account.id, fallback.id];
            let ends = if late_account {
                let slow = Slow::on(&world, "put_publishing");
                let late = slow.tenant.publish(post.clone(), with_it, When::Now);
                let first = world.tenant.work_on(one, LEASE);
                both(&slow, ("publications", 1), late, first).await
            } else {
                let slow = Slow::after(&world, "change_publishing", 1);
                let late = slow.tenant.work_on(one, LEASE);
                let first = world.tenant.publish(post.clone(), with_it, When::Now);
                both(&slow, ("publications", 1), late, first).await
            };
            let (refused, vias) = match late_account {
                true => (told("post.rerouted"), 1),
                false => (None, 0),
            };
            assert_eq!(ends, [refused, None]);
            assert_eq!(by_the_second_way(&world, &post).await, vias);
        }
    }
}

#[tokio::test]
async fn slots_and_a_fallback_that_are_set_at_once_are_both_kept() {
    for world in worlds().await {
        let other = world.another_account("2").await;
        let slots = vec![Slots::new("0 9 * * *", "Europe/Berlin").unwrap()];
        let slow = Slow::on(&world, "put_routing");
        let late = slow.tenant.set_fallback(world.account.id, Some(other.id));
        let first = world.tenant.set_slots(world.account.id, slots.clone());
        let ends = both(&slow, ("account", 2), late, first).await;
        assert_eq!(ends, [None, None]);
        let routing = world.tenant.routing(world.account.id).await.unwrap();
        assert_eq!(routing.slots, slots);
        assert_eq!(routing.fallback, Some(other.id));
    }
}

#[tokio::test]
async fn every_call_may_be_spawned() {
    fn spawns<T: Send>(_: T) {}
    let world = worlds().await.remove(0);
    let (tenant, post, account) = (&world.tenant, PostId::new(), world.account.id);
    let body = || Post::text("x");
    let options = PublishOptions::new;
    spawns(tenant.publish(body(), [account], When::Queue));
    spawns(tenant.prepare(body(), [account], When::Now));
    spawns(tenant.save_draft(body(), [account]));
    spawns(tenant.publish_draft(post, When::Now, options()));
    spawns(tenant.edit(post, body()));
    spawns(tenant.reschedule(post, When::Queue));
    spawns(tenant.approve(post, "ada", None));
    spawns(tenant.retry(post));
    spawns(tenant.cancel(post));
}
