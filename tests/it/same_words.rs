//! Posts of one account that say the same: a lost one is never taken for another.

use std::{sync::Arc, time::Duration};

use automarket::{
    Automarket, Clock as _, Delivery, ErrorKind, Keyring, Post, PostId, When,
    connectors::facebook::{self, Facebook, FacebookConfig},
    core::{Receipt, chrono::TimeDelta, http_types::Method},
    publishing::PublishOptions,
    store::{
        Account, MemoryStore, Publication, PublicationState, PublicationStore as _,
        PublishingChange,
    },
    testing::{Fault, FaultRule, ManualClock, Sandbox, StoreFault, StoreRule},
};

use crate::{
    connectors::{ALL, Connector},
    faults::World,
};

fn of_facebook() -> &'static Connector {
    let mut all = ALL.iter();
    all.find(|one| one.name == "facebook").unwrap()
}

/// Two publications are two posts.
fn are_two(world: &World, all: [&Publication; 2], comments: usize) {
    for one in all {
        assert_eq!(one.state, PublicationState::Published, "{one:?}");
    }
    let ids = all.map(|one| one.receipt.as_ref().map(|one| &one.remote_id));
    assert_ne!(ids[0], ids[1], "{all:?}");
    assert_eq!(world.posts(), 2 + comments);
}

#[tokio::test(start_paused = true)]
async fn what_never_arrived_is_sent_and_its_deletion_leaves_the_other() {
    for connector in ALL {
        for path in ["1", "2"] {
            let world = World::new(connector).await;
            let name = (connector.name, path);
            let post = |path: &str| {
                let link = format!("https://acme.example/blog/{path}");
                (connector.post)("New on the blog").link(&link).unwrap()
            };
            let plan = world.tenant.plan(&post("1"), [world.account()]).await;
            if plan.unwrap().blockers().next().is_some() {
                continue;
            }
            let first = world.publish(post("1")).await;
            let first = world.end(first, &name).await;
            assert_eq!(first.state, PublicationState::Published, "{name:?}");
            world.clock.advance(TimeDelta::seconds(10));
            world.fault(Fault::CutBefore, 0);
            let second = world.publish(post(path)).await;
            let end = ended(&world, second).await;
            let ids = [&first, &end].map(|one| one.receipt.as_ref().map(|one| &one.remote_id));
            assert_ne!(ids[0], ids[1], "{name:?}");
            if end.state != PublicationState::Published {
                // These take no text twice.
                assert!(["x", "linkedin"].contains(&connector.name), "{end:?}");
                assert_eq!(path, "1", "{end:?}");
                assert_eq!(world.posts(), 1, "{name:?}");
                continue;
            }
            assert_eq!(world.posts(), 2, "{name:?}: {end:?}");
            if ["facebook", "linkedin"].contains(&connector.name) {
                let job = world.tenant.delete(end.id).await.unwrap();
                let lease = Duration::from_secs(60);
                world.tenant.work_on(job, lease).await.unwrap();
                assert_eq!(world.posts(), 1, "{name:?}");
                let kept = first.receipt.as_ref().unwrap();
                assert!(world.shows(&kept.remote_id), "{name:?}");
            }
        }
    }
}

/// The platform published it long after it was sent.
#[tokio::test(start_paused = true)]
async fn what_became_public_at_its_time_is_not_taken_for_a_lost_one() {
    let world = World::new(of_facebook()).await;
    let due = Delivery::At(world.clock.now() + TimeDelta::days(3));
    let first = world.publish(Post::text("We open").delivery(due)).await;
    let kept = world.turn(first).await;
    assert_eq!(kept.state, PublicationState::Accepted, "{kept:?}");
    world.clock.advance(TimeDelta::days(3));
    let public = world.end(first, &"at its time").await;
    world.fault(Fault::CutBefore, 0);
    let second = world.publish(Post::text("We open")).await;
    let end = ended(&world, second).await;
    are_two(&world, [&public, &end], 0);
}

/// Meta does not know the post yet that it took.
const NOT_YET: &str = r#"{"error":{"message":"Unsupported post request. Object with ID '1' does not exist","type":"GraphMethodException","code":100,"error_subcode":33}}"#;

/// What is out and waits for its comment has no receipt yet.
#[tokio::test(start_paused = true)]
async fn what_waits_for_its_comment_is_not_taken_for_a_lost_one() {
    let world = World::new(of_facebook()).await;
    let mut commented = Post::text("We open");
    commented.base.first_comment = Some("More soon".to_owned());
    world.fault_at("/comments", Fault::Reply(400, NOT_YET), 3);
    let first = world.publish(commented).await;
    let waits = world.turn(first).await;
    assert_eq!(waits.state, PublicationState::Scheduled, "{waits:?}");
    assert_eq!((&waits.receipt, world.posts()), (&None, 1));
    world.clock.advance(TimeDelta::seconds(10));
    world.fault(Fault::CutBefore, 0);
    let second = world.publish(Post::text("We open")).await;
    world.turn(second).await;
    world.clock.advance(TimeDelta::minutes(2));
    world.turn(second).await;
    let first = ended(&world, first).await;
    let second = ended(&world, second).await;
    are_two(&world, [&first, &second], 1);
}

/// The later of two is being sent as the earlier one looks.
#[tokio::test(start_paused = true)]
async fn what_is_being_sent_is_not_taken_for_a_lost_one() {
    let world = World::new(of_facebook()).await;
    world.fault(Fault::CutBefore, 0);
    let first = world.publish(Post::text("We open")).await;
    world.turn(first).await;
    world.clock.advance(TimeDelta::minutes(2));
    world.fault(Fault::Slow(Duration::from_secs(9)), 0);
    let second = world.publish(Post::text("We open")).await;
    let looks = async {
        while world.posts() == 0 {
            tokio::task::yield_now().await;
        }
        world.turn(first).await
    };
    let (looked, sent) = tokio::join!(looks, world.turn(second));
    assert_eq!(looked.receipt, None, "{looked:?}");
    assert_eq!(sent.state, PublicationState::Published, "{sent:?}");
    let first = ended(&world, first).await;
    are_two(&world, [&first, &sent], 0);
}

/// Both wait for the other: the one that was sent first goes on.
#[tokio::test(start_paused = true)]
async fn of_two_lost_ones_the_later_waits_for_the_first() {
    let world = World::new(of_facebook()).await;
    let lose = async |fault| {
        world.fault(fault, 0);
        let post = world.publish(Post::text("We open")).await;
        world.turn(post).await;
        world.clock.advance(TimeDelta::seconds(10));
        post
    };
    let (first, second) = (lose(Fault::CutAfter).await, lose(Fault::CutBefore).await);
    world.clock.advance(TimeDelta::minutes(2));
    let waits = world.turn(second).await;
    assert_eq!(waits.state, PublicationState::Publishing, "{waits:?}");
    let looked = world.turn(first).await;
    assert_eq!(looked.state, PublicationState::Published, "{looked:?}");
    let second = ended(&world, second).await;
    are_two(&world, [&looked, &second], 0);
}

/// Its step holds the id, and nobody could write the receipt.
#[tokio::test(start_paused = true)]
async fn what_a_step_knows_and_no_receipt_is_its_own() {
    let world = World::new(of_facebook()).await;
    world.fault(Fault::CutBefore, 0);
    let lost = world.publish(Post::text("We open")).await;
    world.turn(lost).await;
    world.clock.advance(TimeDelta::minutes(2));
    let sent = world.publish(Post::text("We open")).await;
    let refuse = StoreFault::Refuse(ErrorKind::Config);
    let verdict = StoreRule::on("change_publishing", refuse).after(1);
    world.store.faults().add(verdict.times(u32::MAX));
    let unwritten = world.turn(sent).await;
    assert_eq!(unwritten.state, PublicationState::Publishing);
    assert_eq!(world.posts(), 1);
    world.store.faults().clear();
    let looked = world.turn(lost).await;
    assert_eq!(looked.receipt, None, "{looked:?}");
    let sent = ended(&world, sent).await;
    let lost = ended(&world, lost).await;
    are_two(&world, [&sent, &lost], 0);
}

/// Another publication was given its id, as versions of before did: that takes nothing from what its own step knows.
#[tokio::test(start_paused = true)]
async fn what_a_step_knows_is_its_own_whoever_else_has_it() {
    let world = World::new(of_facebook()).await;
    let other = world.publish(Post::text("We open")).await;
    world.turn(other).await;
    world.clock.advance(TimeDelta::minutes(2));
    let sent = world.publish(Post::text("We open")).await;
    let refuse = StoreFault::Refuse(ErrorKind::Config);
    let verdict = StoreRule::on("change_publishing", refuse).after(1);
    world.store.faults().add(verdict.times(u32::MAX));
    world.turn(sent).await;
    world.store.faults().clear();
    let fake = &world.sandbox.fakes()[0];
    let id = fake.effects()[1]["id"].as_str().unwrap().to_owned();
    let mut taker = world.tenant.publications(other).await.unwrap().remove(0);
    taker.receipt = Some(Receipt::new(id.clone()));
    let mut change = PublishingChange::new(world.tenant.id().clone());
    change.publications = vec![taker];
    world.store.change_publishing(&change).await.unwrap();
    let sent = ended(&world, sent).await;
    assert_eq!(sent.state, PublicationState::Published, "{sent:?}");
    assert_eq!(sent.receipt.unwrap().remote_id, id);
}

/// It is public, and its platform could not tell which post it is: the one that is listed may be this.
#[tokio::test(start_paused = true)]
async fn what_is_public_and_has_no_id_is_not_taken_for_a_lost_one() {
    let world = World::new(of_facebook()).await;
    let other = world.publish(Post::text("We open")).await;
    let mut taker = world.turn(other).await;
    taker.receipt = Some(Receipt::new("container").unlisted());
    let mut change = PublishingChange::new(world.tenant.id().clone());
    change.publications = vec![taker];
    world.store.change_publishing(&change).await.unwrap();
    world.clock.advance(TimeDelta::minutes(2));
    world.fault(Fault::CutBefore, 0);
    let lost = world.publish(Post::text("We open")).await;
    world.turn(lost).await;
    world.clock.advance(TimeDelta::minutes(2));
    let looked = world.turn(lost).await;
    assert_eq!(looked.receipt, None, "{looked:?}");
    assert_eq!(looked.state, PublicationState::Unknown);
}

/// It is out, and the answer to its comment is lost: that is in doubt, the post is not.
#[tokio::test(start_paused = true)]
async fn what_has_a_comment_in_doubt_is_not_taken_for_a_lost_one() {
    let world = World::new(of_facebook()).await;
    world.fault(Fault::CutBefore, 0);
    let lost = world.publish(Post::text("We open")).await;
    world.turn(lost).await;
    world.clock.advance(TimeDelta::minutes(2));
    world.fault_at("/comments", Fault::CutAfter, 1);
    let mut post = Post::text("We open");
    post.base.first_comment = Some("Come in".into());
    let sent = world.publish(post).await;
    let unsaid = world.turn(sent).await;
    assert_eq!(unsaid.receipt, None, "{unsaid:?}");
    let looked = world.turn(lost).await;
    assert_eq!(looked.receipt, None, "{looked:?}");
    let sent = ended(&world, sent).await;
    let lost = ended(&world, lost).await;
    are_two(&world, [&sent, &lost], 1);
}

/// As `World::end`, with the jobs that measure the first post left alone.
async fn ended(world: &World, post: PostId) -> Publication {
    for turn in 1..60 {
        let publication = world.tenant.publications(post).await.unwrap().remove(0);
        if publication.state.is_terminal() {
            return publication;
        }
        let lease = Duration::from_secs(60);
        world.tenant.work_on(publication.job, lease).await.unwrap();
        world.clock.advance(TimeDelta::minutes(2 * turn));
    }
    panic!("{post} comes to no end")
}

/// The store's clock is an hour ahead when a post is lost, and is set right then; Facebook's is right all the time.
#[tokio::test(start_paused = true)]
async fn what_was_lost_before_the_clock_was_set_back_is_not_sent_again() {
    let start = "2027-01-11T09:00:00Z";
    let (clock, right) = (ManualClock::parse(start), ManualClock::parse(start));
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    let fake = Arc::new(facebook::testing::FakeFacebook::new());
    let sandbox = Sandbox::new()
        .with(fake)
        .with_clock(Arc::new(right.clone()));
    let market = Automarket::builder(store)
        .clock(Arc::new(clock.clone()))
        .keyring(Keyring::random())
        .transport(sandbox.clone())
        .publisher(Facebook::new(FacebookConfig::default()))
        .build()
        .unwrap();
    let tenant = market.tenant("acme").unwrap();
    let page = facebook::testing::PAGE;
    let account = Account::new(tenant.id().clone(), facebook::PLATFORM, page);
    let credential = automarket::Credential::token(facebook::testing::TOKEN);
    let account = tenant.add_account(account, credential).await.unwrap();
    let lost = FaultRule::on("/feed", Fault::CutAfter).method(Method::POST);
    sandbox.faults().add(lost);

    clock.advance(TimeDelta::hours(1));
    let options = PublishOptions::new().however_late();
    let post = Post::text("We shipped!");
    let post = tenant.publish_with(post, [account.id], When::Now, options);
    let post = post.await.unwrap();
    let turn = async || {
        let [now] = tenant.publications(post).await.unwrap().try_into().unwrap();
        tenant
            .work_on(now.job, Duration::from_secs(60))
            .await
            .unwrap();
        let [now] = tenant.publications(post).await.unwrap().try_into().unwrap();
        now
    };
    assert_eq!(turn().await.state, PublicationState::Publishing);
    clock.advance(TimeDelta::minutes(-59));
    right.advance(TimeDelta::minutes(1));
    for _ in 0..10 {
        turn().await;
        for clock in [&clock, &right] {
            clock.advance(TimeDelta::minutes(62));
        }
    }
    let end = turn().await;
    assert!(end.state.is_terminal(), "{end:?}");
    let effects = sandbox.effects(&facebook::PLATFORM);
    assert_eq!(effects.len(), 1, "{effects:?}");
}
