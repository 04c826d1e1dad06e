//! The second way of an account.

use automarket::core::content::Variant;

use super::*;

async fn with_fallback(world: &World) -> Account {
    let second = world.another_account("2").await;
    let set = world.tenant.set_fallback(world.account.id, Some(second.id));
    set.await.unwrap();
    second
}

fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "away").with_retry(Retry::After(None))
}

#[tokio::test]
async fn an_account_that_may_not_goes_the_other_way_and_says_so() {
    for world in worlds().await {
        let second = with_fallback(&world).await;
        world
            .publisher
            .answer(Err(Error::new(ErrorKind::Unauthorized, "revoked")));
        let post = world.publish(When::Now).await;
        let (rerouted, _) = world.turn(post).await;
        assert_eq!(rerouted.state, PublicationState::Scheduled);
        assert_eq!(rerouted.route().account, second.id);
        let (published, _) = world.turn(post).await;
        assert_eq!(published.state, PublicationState::Published);
        let keys = world.publisher.keys();
        assert_eq!(keys.len(), 2, "one refused, one done");
        assert_ne!(keys[0], keys[1]);
        let store = world.market().store();
        let attempts = store.attempts(world.tenant.id(), published.id).await;
        let routes: Vec<_> = attempts.unwrap().iter().map(|a| a.route.account).collect();
        assert_eq!(routes, [world.account.id, second.id]);
        let why = world.tenant.why(published.id).await.unwrap().to_string();
        assert!(
            why.contains("[fallback]") && why.contains("rerouted"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn a_platform_that_goes_on_failing_is_left_after_five_attempts() {
    for world in worlds().await {
        let second = with_fallback(&world).await;
        let post = world.publish(When::Now).await;
        for attempt in 1..=5 {
            assert_eq!(world.only(post).await.via, None, "attempt {attempt}");
            world.publisher.answer(Err(away()));
            world.turn(post).await;
            world.clock.advance(chrono::Duration::minutes(1));
        }
        let rerouted = world.only(post).await;
        assert_eq!(rerouted.route().account, second.id);
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
    }
}

#[tokio::test]
async fn what_may_have_happened_never_goes_the_other_way() {
    for world in worlds().await {
        with_fallback(&world).await;
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        for _ in 0..8 {
            let revoked = Error::new(ErrorKind::Unauthorized, "revoked");
            world.publisher.find_answer(Err(revoked));
            world.clock.advance(chrono::Duration::minutes(30));
            let (publication, _) = world.turn(post).await;
            assert_eq!(publication.state, PublicationState::Publishing);
            assert_eq!(publication.via, None);
        }
        world.clock.advance(chrono::Duration::minutes(30));
        let (publication, _) = world.turn(post).await;
        assert_eq!(publication.state, PublicationState::Unknown);
        assert_eq!(publication.via, None);
        assert_eq!(world.publisher.texts().len(), 1);
    }
}

#[tokio::test]
async fn what_this_process_lacks_sends_nothing_the_other_way() {
    for world in worlds().await {
        with_fallback(&world).await;
        let wait = Retry::After(Some(Duration::from_secs(6 * 3600)));
        let lacks = Error::new(ErrorKind::Config, "no place for media");
        world.publisher.answer(Err(lacks.with_retry(wait)));
        let post = world.publish(When::Now).await;
        let (waits, _) = world.turn(post).await;
        assert_eq!(
            (waits.state, waits.via),
            (PublicationState::Scheduled, None)
        );
    }
}

#[tokio::test]
async fn a_refused_content_is_refused_and_a_second_failure_is_final() {
    for world in worlds().await {
        with_fallback(&world).await;
        world
            .publisher
            .answer(Err(Error::new(ErrorKind::ContentRefused, "no")));
        let post = world.publish(When::Now).await;
        let (refused, _) = world.turn(post).await;
        assert_eq!(
            (refused.state, refused.via),
            (PublicationState::Rejected, None)
        );

        for _ in 0..2 {
            let no = Error::new(ErrorKind::Forbidden, "not yours");
            world.publisher.answer(Err(no));
        }
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        assert_eq!(world.turn(post).await.0.state, PublicationState::Rejected);
        assert_eq!(world.publisher.texts().len(), 3);
        let own = world
            .tenant
            .set_fallback(world.account.id, Some(world.account.id));
        assert_eq!(own.await.unwrap_err().field(), Some("fallback"));
    }
}

#[tokio::test]
async fn a_post_is_not_said_twice_on_the_account_that_it_goes_to_anyway() {
    for world in worlds().await {
        let second = with_fallback(&world).await;
        let third = world.another_account("3").await;
        let set = world.tenant.set_fallback(third.id, Some(second.id));
        set.await.unwrap();
        let publish = async |accounts: Vec<automarket::AccountId>| {
            let post = Post::text("We shipped!");
            let published = world.tenant.publish(post, accounts, When::Now).await;
            published.unwrap()
        };
        let work = async |post: PostId, account: automarket::AccountId| {
            let all = world.tenant.publications(post).await.unwrap();
            let one = all.into_iter().find(|p| p.target.account == account);
            let one = one.unwrap();
            world.tenant.work_on(one.job, LEASE).await.unwrap();
            let store = world.market().store();
            let now = store.publication(world.tenant.id(), one.id).await;
            now.unwrap().unwrap()
        };
        let revoked = || Err(Error::new(ErrorKind::Forbidden, "not yours"));

        let both = publish(vec![world.account.id, second.id]).await;
        world.publisher.answer(revoked());
        let refused = work(both, world.account.id).await;
        assert_eq!(
            (refused.state, refused.via),
            (PublicationState::Rejected, None)
        );

        // Nor by two other ways.
        let others = publish(vec![world.account.id, third.id]).await;
        world.publisher.answer(revoked());
        assert!(work(others, world.account.id).await.via.is_some());
        world.publisher.answer(revoked());
        assert_eq!(work(others, third.id).await.via, None);
    }
}

#[tokio::test]
async fn what_went_by_the_second_account_does_not_go_there_once_more_when_that_is_added() {
    for world in worlds().await {
        let second = with_fallback(&world).await;
        let no = Error::new(ErrorKind::Forbidden, "not yours");
        world.publisher.answer(Err(no));
        let post = Post::text("We shipped!");
        let published = world
            .tenant
            .publish(post.clone(), [world.account.id], When::Now);
        let id = published.await.unwrap();
        world.turn(id).await;
        let (published, _) = world.turn(id).await;
        assert_eq!(published.state, PublicationState::Published);
        assert_eq!(published.route().account, second.id);

        let accounts = [world.account.id, second.id];
        let more = world.tenant.publish(post.clone(), accounts, When::Now);
        let refused = more.await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.rule()),
            (ErrorKind::Conflict, Some("post.rerouted"))
        );
        assert!(refused.message().contains(&published.id.to_string()));
        let prepared = world.tenant.prepare(post.clone(), accounts, When::Now);
        let refused = prepared.await.unwrap_err();
        assert_eq!(refused.rule(), Some("post.rerouted"));
        // A draft is kept for the accounts that it does not go to yet.
        world.tenant.save_draft(post, accounts).await.unwrap();
        assert_eq!(world.only(id).await, published);
        assert_eq!(world.publisher.texts().len(), 2, "one refused, one done");
    }
}

#[tokio::test]
async fn what_meets_an_account_that_is_left_alone_for_too_long_goes_the_other_way_too() {
    for world in worlds().await {
        let second = with_fallback(&world).await;
        let six_hours = Retry::After(Some(Duration::from_secs(6 * 3600)));
        let limited = Error::new(ErrorKind::RateLimited, "slow").with_retry(six_hours);
        world.publisher.answer(Err(limited));
        let first = world.publish(When::Now).await;
        let (first, _) = world.turn(first).await;
        assert_eq!(first.route().account, second.id);

        // Ten minutes later the account is not even asked.
        let post = world.publish(at("2027-01-11T09:10:00Z")).await;
        world.clock.advance(chrono::Duration::minutes(10));
        let (rerouted, _) = world.turn(post).await;
        assert_eq!(rerouted.state, PublicationState::Scheduled);
        assert_eq!(rerouted.route().account, second.id);
        assert_eq!(world.publisher.texts().len(), 1);
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        let why = world.tenant.why(rerouted.id).await.unwrap().to_string();
        assert!(
            why.contains("[fallback]") && why.contains("left alone"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn a_yes_goes_along_with_its_words_and_with_no_others() {
    for world in worlds().await {
        let second = with_fallback(&world).await;
        let (tenant, publisher) = (&world.tenant, &world.publisher);
        let refuse = || publisher.answer(Err(Error::new(ErrorKind::Forbidden, "not yours")));
        let asked = PublishOptions::new().needs_approval();
        let same = world.publish_with(When::Now, asked).await;
        tenant.approve(same, "ada", None).await.unwrap();
        refuse();
        let (rerouted, _) = world.turn(same).await;
        assert_eq!(rerouted.state, PublicationState::Scheduled);
        assert_eq!(rerouted.route().account, second.id);
        assert_eq!(world.turn(same).await.0.state, PublicationState::Published);

        // Words for the second account alone, which nobody was asked about.
        let mut post = Post::text("We shipped!");
        let accounts = [world.account.id];
        let published = tenant.publish_with(post.clone(), accounts, When::Now, asked);
        let id = published.await.unwrap();
        world.clock.advance(chrono::Duration::minutes(30));
        tenant
            .approve(&world.only(id).await, "ada", None)
            .await
            .unwrap();
        let own = Variant::text("50 % off everything");
        post.accounts.insert(second.id, own);
        tenant.edit(id, post).await.unwrap();
        assert_eq!(world.only(id).await.state, PublicationState::Scheduled);
        refuse();
        let (waits, _) = world.turn(id).await;
        assert_eq!(waits.state, PublicationState::AwaitingApproval);
        assert_eq!(waits.route().account, second.id);
        let events = tenant.events(0, 1000).await.unwrap();
        let told = events
            .iter()
            .rfind(|e| e.event.subject == waits.id.to_string());
        assert_eq!(told.unwrap().event.kind, "publication.rerouted");
        assert_eq!(told.unwrap().event.data["state"], "awaiting_approval");
        assert_eq!(publisher.texts(), ["We shipped!"; 3]);
        // It is to go out at once, whenever somebody says yes.
        world.clock.advance(chrono::Duration::hours(12));
        tenant.approve(&waits, "ada", None).await.unwrap();
        assert_eq!(world.turn(id).await.0.state, PublicationState::Published);
        assert_eq!(publisher.texts().last().unwrap(), "50 % off everything");
    }
}

#[tokio::test]
async fn an_edit_is_checked_for_the_account_that_it_goes_by() {
    for world in worlds().await {
        // A network with fewer characters.
        let second = Account::new(world.tenant.id().clone(), Platform::X, "2");
        let second = second.on_network(Platform::BLUESKY);
        let second = world.tenant.add_account(second, Credential::token("t"));
        let second = second.await.unwrap().id;
        let set = world.tenant.set_fallback(world.account.id, Some(second));
        set.await.unwrap();
        let revoked = Error::new(ErrorKind::Unauthorized, "revoked");
        world.publisher.answer(Err(revoked));
        let post = world.publish(When::Now).await;
        assert_eq!(world.turn(post).await.0.route().account, second);

        let too_long = world.tenant.edit(post, Post::text("a".repeat(400)));
        let error = too_long.await.unwrap_err();
        assert_eq!(error.rule(), Some("text.too_long"), "{error:?}");
        // Its own words go the other way too.
        let mut own = Post::text("We shipped!");
        let words = Variant {
            text: Some("a".repeat(400)),
            ..Variant::default()
        };
        own.accounts.insert(world.account.id, words);
        let error = world.tenant.edit(post, own).await.unwrap_err();
        assert_eq!(error.rule(), Some("text.too_long"), "{error:?}");
        // The first account is no matter any more.
        assert!(world.tenant.remove_account(world.account.id).await.unwrap());
        let edited = world.tenant.edit(post, Post::text("We shipped it!"));
        edited.await.unwrap();
        assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        let texts = world.publisher.texts();
        assert_eq!(texts.last().map(String::as_str), Some("We shipped it!"));
    }
}
