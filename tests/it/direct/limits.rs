//! Limits: each pauses what it is the limit of, in the store, for all who share it; and what is left shows in
//! plans.

use automarket::publishing::PlanOptions;

use super::*;

#[tokio::test]
async fn what_headers_say_is_left_shows_in_plans() {
    // X counts each endpoint, Meta the page's percent.
    for (name, gate) in [("x", "rate:posts.create"), ("facebook", "rate")] {
        let world = World::new(name).await;
        let post = world.publish(Post::text("One")).await;
        world.end(post).await;
        let next = Post::text("Two");
        let plan = world.tenant.plan(&next, [world.account.id]).await.unwrap();
        let budgets = &plan.targets[0].budgets;
        let left = budgets.iter().find(|left| left.name == gate);
        let left = left.unwrap_or_else(|| panic!("{name}: {budgets:?}"));
        assert_eq!(
            (left.limit, left.remaining),
            (Some(100), Some(99)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_open_breaker_shows_in_plans_and_in_health() {
    let world = World::new("x").await;
    let (method, path) = world.connector.write.clone();
    let down = FaultRule::on(path, Fault::StatusBefore(503)).method(method);
    world.sandbox.faults().add(down.times(u32::MAX));
    let health = async || world.tenant.market().health().await.store.unwrap();
    assert_eq!(health().await.closed_gates, []);
    for n in 0..5 {
        let post = world.publish(Post::text(format!("Post {n}"))).await;
        world.turn(post).await;
    }
    let next = Post::text("Another");
    let plan = world.tenant.plan(&next, [world.account.id]).await.unwrap();
    let budgets = &plan.targets[0].budgets;
    let open = budgets.iter().find(|gate| gate.closed_until.is_some());
    let open = open.unwrap_or_else(|| panic!("{budgets:?}"));
    assert_eq!(open.name, format!("host:{}", world.connector.host));
    let closed = health().await.closed_gates;
    assert_eq!(closed.len(), 1);
    let closed = (&closed[0].name, closed[0].closed_until);
    assert_eq!(closed, (&open.name, open.closed_until));
    world.clock.advance(TimeDelta::days(1));
    assert_eq!(health().await.closed_gates, []);
}

#[tokio::test]
async fn a_limit_of_posting_pauses_posting_alone() {
    for name in ["x", "linkedin"] {
        let world = World::new(name).await;
        let first = world.publish(Post::text("One")).await;
        let first = world.end(first).await;
        let (method, path) = world.connector.write.clone();
        let limited = FaultRule::on(path, Fault::RateLimited(Some("600")));
        world.sandbox.faults().add(limited.method(method));
        let second = world.publish(Post::text("Two")).await;
        let met = world.turn(second).await;
        assert_eq!(met.state, PublicationState::Scheduled, "{name}: {met:?}");

        // Reading goes on; what else is to be posted is not begun.
        world.tenant.measure_now(first.id).await.unwrap();
        let third = world.publish(Post::text("Three")).await;
        let met = world.turn(third).await;
        assert_eq!(met.state, PublicationState::Scheduled, "{name}");
        assert!(met.sent_at.is_none(), "{name}: nothing was begun");
        assert_eq!(world.effects(), 1, "{name}");

        world.clock.advance(TimeDelta::minutes(11));
        for post in [second, third] {
            let end = world.end(post).await;
            assert_eq!(end.state, PublicationState::Published, "{name}: {end:?}");
        }
        assert_eq!(world.effects(), 3, "{name}");
    }
}

#[tokio::test]
async fn a_limit_of_metas_app_pauses_all_its_tenants_and_one_of_a_page_that_page_alone() {
    for (code, of_app) in [(4, true), (32, false), (80_001, false)] {
        let world = Meta::new().await;
        let other = world.tenant.market().tenant("globex").unwrap();
        let credential = |token: &str| {
            let mut tokens = TokenSet::new(Secret::new(token));
            tokens.app = "eu".to_owned();
            Credential::oauth(tokens)
        };
        let own = credential(facebook::testing::TOKEN);
        let own = world.account(facebook::PLATFORM, facebook::testing::PAGE, own);
        let account = Account::new(
            other.id().clone(),
            facebook::PLATFORM,
            facebook::testing::OTHER_PAGE,
        );
        let theirs = other.add_account(account, credential(facebook::testing::OTHER_TOKEN));
        let (own, theirs) = (own.await.id, theirs.await.unwrap().id);

        world.page.refuse_writes(1, code, 0);
        let refused = world.tenant.publish(Post::text("One"), [own], When::Now);
        let refused = refused.await.unwrap();
        let met = world.work(refused).await.remove(0);
        assert_eq!(met.state, PublicationState::Scheduled, "{code}: {met:?}");
        let next = other.publish(Post::text("Two"), [theirs], When::Now);
        let next = next.await.unwrap();
        let job = other.publications(next).await.unwrap()[0].job;
        other.work_on(job, LEASE).await.unwrap();
        let state = other.publications(next).await.unwrap()[0].state;
        let wanted = match of_app {
            true => PublicationState::Scheduled,
            false => PublicationState::Published,
        };
        assert_eq!(state, wanted, "{code}");

        // Its time over, all of it goes out, once.
        world.clock.advance(TimeDelta::minutes(2));
        let _ = world.work(refused).await;
        world.clock.advance(TimeDelta::minutes(2));
        let end = world.work(refused).await.remove(0);
        assert_eq!(end.state, PublicationState::Published, "{code}: {end:?}");
        other.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.page.effects().len(), 2, "{code}");
    }
}

#[tokio::test]
async fn one_plan_speaks_of_all_networks_and_asks_none() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let (store, _dir) = store(&clock).await;
    let mut builder = Automarket::builder(store)
        .clock(Arc::new(clock.clone()))
        .keyring(Keyring::random())
        // Any request fails the test.
        .transport(automarket::testing::Script::new());
    let names = ["x", "linkedin", "facebook", "instagram"];
    for name in names {
        let connector = connectors::find(name).unwrap();
        let base = format!("https://{}", connector.host);
        builder = (connector.register)(builder, &base).unwrap();
    }
    let tenant = builder.build().unwrap().tenant("acme").unwrap();
    let mut accounts = Vec::new();
    for name in names {
        let connector = connectors::find(name).unwrap();
        let account = (connector.account)(tenant.id().clone());
        let account = tenant.add_account(account, (connector.credential)());
        accounts.push(account.await.unwrap().id);
    }
    let post = Post::text("We shipped (finally)").link("https://acme.dev/blog/1");
    let options = PlanOptions::new().when(When::Now).zone("Europe/Berlin");
    let (post, options) = (post.unwrap(), options.unwrap());
    let plan = tenant.plan_with(&post, accounts, &options).await.unwrap();
    let [x, linkedin, facebook, instagram] = &plan.targets[..] else {
        panic!("{plan}")
    };
    for target in &plan.targets {
        let due = target.due.as_ref().unwrap();
        assert_eq!(due.local, "2027-01-11 10:00 CET");
        assert!(target.looked.is_none());
    }
    // An address counts 23 on X, and makes the post dear; elsewhere it is a card.
    assert_eq!(x.report.length, "We shipped (finally)".len() + 2 + 23);
    assert_eq!(x.costs().next().unwrap().rule, "cost.link");
    for target in [linkedin, facebook] {
        assert_eq!(target.report.text, "We shipped (finally)");
        assert_eq!(target.costs().count(), 0);
    }
    // Instagram takes no post without a picture.
    let blockers: Vec<_> = plan.blockers().collect();
    let [(target, finding)] = &blockers[..] else {
        panic!("{plan}")
    };
    assert_eq!(target.account.id, instagram.account.id);
    assert!(finding.rule.starts_with("media."), "{finding:?}");
}
