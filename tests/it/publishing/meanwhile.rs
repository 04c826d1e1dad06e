//! What changes between a call's look and its write.

use automarket::{
    core::Variant,
    testing::{FaultStore, StoreFault, StoreRule},
};

use super::*;

/// A second process, whose next change of publications takes its time after it looked.
struct Slow {
    store: FaultStore,
    tenant: Tenant,
}

impl Slow {
    fn on(world: &World) -> Self {
        let store = FaultStore::new(world.market().store().clone());
        let delay = StoreFault::Delay(Duration::from_millis(300));
        store
            .faults()
            .add(StoreRule::on("change_publishing", delay));
        let market = Automarket::shared(Arc::new(store.clone()))
            .clock(Arc::new(world.clock.clone()))
            .transport(Script::new())
            .keyring(keyring())
            .publisher(world.publisher.clone())
            .build()
            .unwrap();
        let tenant = market.tenant("acme").unwrap();
        Self { store, tenant }
    }

    /// Until it has looked, and is about to write.
    async fn looked(&self, method: &str, calls: usize) {
        self.store.faults().until(method, calls).await;
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
        let slow = Slow::on(&world);
        let (second, first) =
            tokio::join!(slow.tenant.edit(id, words(&post, &other, "Yours")), async {
                slow.looked("publications", 1).await;
                let first = words(&post, &world.account, "Mine");
                world.tenant.edit(id, first).await
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
        let slow = Slow::on(&world);
        let (yes, edited) = tokio::join!(slow.tenant.approve(post, "ada", None), async {
            slow.looked("publications", 1).await;
            let other = Post::text("Something else");
            world.tenant.edit(post, other).await
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
        let slow = Slow::on(&world);
        let ten = at("2027-01-11T10:00:00Z");
        let (moved, edited) = tokio::join!(slow.tenant.reschedule(post, ten), async {
            slow.looked("steps", 1).await;
            world.tenant.edit(post, Post::text("Other words")).await
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
