use std::sync::Arc;

use automarket_connector_mixpost::testing;
use automarket_core::{
    Credential, Delivery, Platform,
    chrono::TimeDelta,
    http_types::Method,
    testing::conformance::publisher::{self, PublisherUnderTest},
};

use crate::world::{World, hello};

fn fresh() -> PublisherUnderTest {
    of(World::new())
}

fn of(world: World) -> PublisherUnderTest {
    PublisherUnderTest {
        context: world.x("unused"),
        other: Some(world.context(testing::MASTODON_ACCOUNT, Platform::MASTODON, "unused")),
        publisher: Arc::new(world.mixpost),
        sandbox: world.sandbox,
        clock: world.clock,
        bad_credential: Credential::token("wrong-token-canary"),
        secrets: vec![testing::TOKEN.to_owned(), "wrong-token-canary".to_owned()],
        post: hello(),
        write: (Method::POST, "/posts"),
    }
}

#[tokio::test(start_paused = true)]
async fn mixpost_keeps_the_publisher_contract() {
    publisher::all(fresh).await;
}

#[tokio::test]
async fn what_mixpost_failed_is_told_so() {
    type Fail = fn(&testing::FakeMixpost);
    let refused: Fail = |fake| fake.refuse_on(testing::X_ACCOUNT, Some("Status is a duplicate."));
    let cut_off: Fail = |fake| fake.set_authorized(testing::X_ACCOUNT, false);
    for fail in [refused, cut_off] {
        let world = World::new();
        let fake = world.fake.clone();
        let mut test = of(world);
        let due = test.context.now() + TimeDelta::minutes(5);
        test.post = hello().delivery(Delivery::At(due));
        publisher::what_failed_for_good_is_told_so(&test, || fail(&fake)).await;
    }
}
