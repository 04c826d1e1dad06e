//! From sending to the end, with what can come between.

use automarket_connector_mixpost::{
    DeleteMode, MixpostConfig,
    options::{MixpostOptions, PinterestOptions, YouTubeOptions},
    testing,
};
use automarket_core::{
    Context, Credential, Delivery, ErrorKind, Media, Outcome, Platform, Post, Publisher, Receipt,
    check::Severity,
    chrono::TimeDelta,
    content::{MediaKind, MediaSource, Variant},
    store::Account,
    testing::{Fake, Fault, FaultRule},
};
use serde_json::json;

use crate::world::{World, account_on, at, hello, mixpost};

#[tokio::test]
async fn now_becomes_public_with_a_link() {
    let world = World::new();
    let cx = world.x("k");
    let outcome = world.mixpost.publish(&cx, &hello()).await.unwrap();
    let Outcome::Accepted(handle) = outcome else {
        panic!("the server's queue does it: {outcome:?}")
    };
    world.clock.advance(TimeDelta::seconds(5));
    let Outcome::Done(receipt) = world.mixpost.poll(&cx, &handle).await.unwrap() else {
        panic!("not public")
    };
    assert!(
        receipt
            .url
            .unwrap()
            .starts_with("https://x.example/acme/status/")
    );
    let effect = world.the_effect();
    assert_eq!(effect["text"], "Hello from Acme & friends");
    assert_eq!(effect["network"], "x");
    assert_eq!(effect["state"], "published");
}

#[tokio::test]
async fn a_past_time_is_refused_before_any_request_but_a_resumed_one_is_looked_up() {
    let world = World::new();
    for past in ["2026-11-20T09:00:00Z", "2020-01-01T00:00:00Z"] {
        let post = hello().delivery(Delivery::At(at(past)));
        let all = FaultRule::on("", Fault::NotSent);
        world.sandbox.faults().add(all);
        let error = world
            .mixpost
            .publish(&world.x("k"), &post)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some("delivery"))
        );
        assert!(world.sandbox.faults().hits().is_empty());
    }
    // Sent in time, its answer lost, asked again when its time is past: it did go through.
    let world = World::new();
    let cx = world.x("k");
    let post = hello().delivery(Delivery::At(at("2026-11-20T09:30:00Z")));
    let lost = FaultRule::on("/posts", Fault::CutAfter).method("POST".parse().unwrap());
    world.sandbox.faults().add(lost);
    world.mixpost.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(2));
    let outcome = world.mixpost.publish(&cx, &post).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    world.the_effect();
    // Never arrived, and its time is past: Mixpost refuses it for sure.
    let world = World::new();
    let cx = world.x("k");
    let lost = FaultRule::on("/posts", Fault::CutBefore).method("POST".parse().unwrap());
    world.sandbox.faults().add(lost);
    world.mixpost.publish(&cx, &post).await.unwrap_err();
    world.clock.advance(TimeDelta::hours(2));
    let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.platform_code(), Some("cannot_scheduled"));
    assert!(!error.is_unknown());
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn a_lost_connection_of_the_account_is_noticed_before_sending() {
    let world = World::new();
    world.fake.set_authorized(testing::X_ACCOUNT, false);
    let cx = world.x("k");
    let error = world.mixpost.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.remedy().unwrap().contains("reconnect"));
    assert!(error.is_elsewhere(), "the token is well");
    assert!(world.effects().is_empty());
    let identities = world.mixpost.identify(&cx).await.unwrap();
    let needy: Vec<_> = identities.iter().filter(|i| i.needs_reauth).collect();
    assert_eq!(needy.len(), 1);
    // Connected again, the same steps go on.
    world.fake.set_authorized(testing::X_ACCOUNT, true);
    world.mixpost.publish(&cx, &hello()).await.unwrap();
    world.the_effect();
}

#[tokio::test]
async fn a_refusal_of_the_network_is_told_by_poll_and_can_be_retried() {
    let world = World::new();
    world
        .fake
        .refuse_on(testing::X_ACCOUNT, Some("Status is a duplicate."));
    let cx = world.x("k");
    let Outcome::Accepted(handle) = world.mixpost.publish(&cx, &hello()).await.unwrap() else {
        panic!("accepted")
    };
    let error = world.mixpost.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentRefused);
    assert!(error.message().contains("Status is a duplicate."));
    world.fake.refuse_on(testing::X_ACCOUNT, None);
    let accounts = world.mixpost.accounts(&cx).await.unwrap();
    world
        .mixpost
        .retry(&cx, &handle.remote_id, &accounts[0].uuid)
        .await
        .unwrap();
    assert!(matches!(
        world.mixpost.poll(&cx, &handle).await.unwrap(),
        Outcome::Done(_)
    ));
    world.the_effect();
}

#[tokio::test]
async fn what_mixpost_would_lose_is_refused_before_any_request() {
    let world = World::new();
    let mut thread = hello();
    thread.base.thread = Some(vec!["two".into()]);
    let mut comment = hello();
    comment.base.first_comment = Some("first!".into());
    let long = Post::text("é".repeat(5001));
    let facebook = (testing::FACEBOOK_ACCOUNT, Platform::FACEBOOK);
    for (post, kind, field) in [
        (thread, ErrorKind::InvalidInput, Some("thread")),
        (comment, ErrorKind::Unsupported, None),
        (long, ErrorKind::InvalidInput, Some("text")),
        (
            Post::text("we <3 you"),
            ErrorKind::InvalidInput,
            Some("text"),
        ),
    ] {
        let cx = world.context(facebook.0, facebook.1.clone(), "k");
        world.sandbox.fault("", Fault::NotSent);
        let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (kind, field), "{error:?}");
        assert!(world.sandbox.faults().hits().is_empty(), "{error:?}");
    }
}

#[test]
fn what_the_link_makes_too_long_is_told_when_it_is_written() {
    let mut long = Post::text("é".repeat(4940));
    let rule = |post: &Post, account: Option<&Account>| {
        let content = post.content_for(&Platform::FACEBOOK, None);
        let mixpost = World::new().mixpost;
        let findings = mixpost.check(&content, Delivery::Now, account);
        findings.into_iter().map(|finding| finding.rule).next()
    };
    assert_eq!(rule(&long, None), None);
    long.base.link = "https://acme.example/blog/cloud-2/news".parse().ok();
    assert_eq!(rule(&long, None).as_deref(), Some("mixpost.body_length"));
    // Facebook shows it beside the text; another network may not.
    let facebook = account_on(1, Platform::FACEBOOK);
    assert_eq!(rule(&long, Some(&facebook)), None);
    let mastodon = account_on(1, Platform::MASTODON);
    let found = rule(&long, Some(&mastodon));
    assert_eq!(found.as_deref(), Some("mixpost.body_length"));
}

#[tokio::test]
async fn what_a_network_wants_of_its_options_is_told_before_it_is_due() {
    let world = World::new();
    let found = |network: &Platform, options: &MixpostOptions, delivery| {
        let film = Media::new(MediaKind::Video, MediaSource::Bytes(vec![7].into()));
        let mut post = Post::text("Demo").media(film).delivery(delivery);
        let options = Variant::default().with_options(options).unwrap().options;
        post.base.options = options;
        let account = account_on(1, network.clone());
        let content = post.content_for(network, None);
        let findings = world.mixpost.check(&content, delivery, Some(&account));
        let found = findings.into_iter().map(|one| (one.severity, one.rule));
        (found.collect::<Vec<_>>(), post)
    };
    let titled = |title: &str| MixpostOptions {
        youtube: Some(YouTubeOptions {
            title: title.into(),
            ..YouTubeOptions::default()
        }),
        ..MixpostOptions::default()
    };
    let long = "é".repeat(101);
    let (youtube, rule) = (Platform::YOUTUBE, "mixpost.youtube_title");
    for title in ["", " ", "a <b>", &long] {
        let (findings, post) = found(&youtube, &titled(title), Delivery::Now);
        assert_eq!(findings, [(Severity::Blocker, rule.to_owned())], "{title}");
        let any = FaultRule::on("", Fault::NotSent);
        world.sandbox.faults().add(any);
        let cx = world.context(1, youtube.clone(), "k");
        let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
        assert_eq!(
            (error.rule(), error.field()),
            (Some(rule), Some("options")),
            "{error:?}"
        );
        assert!(world.sandbox.faults().hits().is_empty());
    }
    let none = MixpostOptions::default();
    let (findings, _) = found(&youtube, &none, Delivery::Now);
    assert_eq!(findings, [(Severity::Blocker, rule.to_owned())]);
    // Whoever finishes a draft may give it one.
    let (findings, _) = found(&youtube, &none, Delivery::Draft);
    assert_eq!(findings, [(Severity::Advice, rule.to_owned())]);
    let (findings, _) = found(&youtube, &titled(&long[2..]), Delivery::Now);
    assert_eq!(findings, []);
    // Not known to be refused always.
    let pinterest = Platform::from_static("pinterest");
    let (findings, _) = found(&pinterest, &none, Delivery::Now);
    let rule = "mixpost.pinterest_board".to_owned();
    assert_eq!(findings, [(Severity::Advice, rule)]);
    let board = PinterestOptions {
        board: Some("9".into()),
        ..PinterestOptions::default()
    };
    let on_a_board = MixpostOptions {
        pinterest: Some(board),
        ..MixpostOptions::default()
    };
    let (findings, _) = found(&pinterest, &on_a_board, Delivery::Now);
    assert_eq!(findings, []);
}

#[tokio::test]
async fn what_youtube_takes_in_no_description_is_told_before_it_is_due() {
    let world = World::new();
    let rule = "mixpost.youtube_description";
    let told = |text: &str, network: Platform, delivery| {
        let film = Media::new(MediaKind::Video, MediaSource::Bytes(vec![7].into()));
        let mut post = Post::text(text).media(film).delivery(delivery);
        let options = MixpostOptions {
            youtube: Some(YouTubeOptions {
                title: "Demo".into(),
                ..YouTubeOptions::default()
            }),
            ..MixpostOptions::default()
        };
        post.base.options = Variant::default().with_options(&options).unwrap().options;
        let account = account_on(1, network.clone());
        let content = post.content_for(&network, None);
        let findings = world.mixpost.check(&content, delivery, Some(&account));
        let found = findings.into_iter().map(|one| (one.severity, one.rule));
        (found.collect::<Vec<_>>(), post)
    };
    for text in ["Go to Settings > Account", "A -> B", "1 < 2"] {
        let (findings, post) = told(text, Platform::YOUTUBE, Delivery::Now);
        assert_eq!(findings, [(Severity::Blocker, rule.to_owned())], "{text}");
        let any = FaultRule::on("", Fault::NotSent);
        world.sandbox.faults().add(any);
        let cx = world.context(1, Platform::YOUTUBE, "k");
        let error = world.mixpost.publish(&cx, &post).await.unwrap_err();
        assert_eq!((error.rule(), error.field()), (Some(rule), Some("text")));
        assert!(world.sandbox.faults().hits().is_empty());
        let (findings, _) = told(text, Platform::YOUTUBE, Delivery::Draft);
        assert_eq!(findings, [(Severity::Advice, rule.to_owned())], "{text}");
        assert_eq!(told(text, Platform::FACEBOOK, Delivery::Now).0, []);
    }
    assert_eq!(told("A to B", Platform::YOUTUBE, Delivery::Now).0, []);
}

#[tokio::test]
async fn accounts_are_numbers_of_this_workspace() {
    let world = World::new();
    let error = world
        .mixpost
        .publish(&world.context(99, Platform::X, "k"), &hello())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let mut account = account_on(1, Platform::X);
    account.remote_id = "acme".into();
    let cx = world.x("k").with_account(account);
    let error = world.mixpost.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.field(), Some("remote_id"));
    let nobody =
        Context::new(world.sandbox.clone()).with_credential(Credential::token(world.token));
    let error = world.mixpost.publish(&nobody, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_wrong_address_says_what_to_mend() {
    let world = World::new();
    for (base, workspace) in [
        ("https://mixpost.example", testing::WORKSPACE),
        ("https://mixpost.example/os", testing::WORKSPACE),
        (testing::BASE_URL, "another-workspace"),
    ] {
        let settings = json!(MixpostConfig::new(base, workspace));
        let account = account_on(1, Platform::X).with_settings(settings);
        let cx = world.x("k").with_account(account);
        let error = mixpost().identify(&cx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{base}: {error:?}");
        assert!(error.remedy().is_some());
        // A wrong address is never taken for "already gone".
        let waiting = Receipt {
            data: json!({"account": 1, "due": "2030-01-01T00:00:00Z"}),
            ..Receipt::new("u")
        };
        let error = mixpost().delete(&cx, &waiting).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{base}: {error:?}");
    }
}

#[tokio::test]
async fn settings_of_the_account_win_and_may_hold_more() {
    let world = World::new();
    let settings = json!({"workspace": testing::WORKSPACE, "uuid": "a1"});
    let account = account_on(1, Platform::X).with_settings(settings);
    let elsewhere = MixpostConfig::new(testing::BASE_URL, "not-this-one");
    let mixpost = automarket_connector_mixpost::Mixpost::new(elsewhere).unwrap();
    mixpost
        .identify(&world.x("k").with_account(account))
        .await
        .unwrap();
}

#[tokio::test]
async fn older_instances_say_what_they_lack() {
    let world = World::new();
    let cx = world.x("k");
    let Outcome::Accepted(handle) = world.mixpost.publish(&cx, &hello()).await.unwrap() else {
        panic!("accepted")
    };
    world.fake.set_old(true);
    let Outcome::Done(receipt) = world.mixpost.poll(&cx, &handle).await.unwrap() else {
        panic!("not public")
    };
    let error = world.mixpost.measure(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let error = world.mixpost.workspaces(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let gone = Receipt::new("00000000-0000-4000-8004-00000000ffff");
    let error = world.mixpost.measure(&cx, &gone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_world_saved_and_loaded_goes_on() {
    let world = World::new();
    let cx = world.x("k");
    let later = hello().delivery(Delivery::At(at("2026-11-20T10:00:00Z")));
    let Outcome::Accepted(handle) = world.mixpost.publish(&cx, &later).await.unwrap() else {
        panic!("accepted")
    };
    let saved = world.fake.save().to_string();
    let next = World::new();
    next.fake
        .load(serde_json::from_str(&saved).unwrap())
        .unwrap();
    next.clock.advance(TimeDelta::hours(3));
    assert!(matches!(
        next.mixpost.poll(&next.x("k"), &handle).await.unwrap(),
        Outcome::Done(_)
    ));
    assert_eq!(next.effects().len(), 1);
    assert!(next.fake.load(json!({"posts": 1})).is_err());
}

#[tokio::test]
async fn a_record_in_the_trash_says_nothing_of_a_post_that_is_out() {
    let world = World::new();
    let cx = world.x("k");
    let Outcome::Accepted(public) = world.mixpost.publish(&cx, &hello()).await.unwrap() else {
        panic!("accepted")
    };
    let later = hello().delivery(Delivery::At(at("2026-11-20T10:00:00Z")));
    let cx_later = world.x("later");
    let Outcome::Accepted(waiting) = world.mixpost.publish(&cx_later, &later).await.unwrap() else {
        panic!("accepted")
    };
    world.clock.advance(TimeDelta::seconds(5));
    for handle in [&public, &waiting] {
        let mode = DeleteMode::AppOnly;
        let trashed = world
            .mixpost
            .delete_post(&cx, &handle.remote_id, true, mode);
        trashed.await.unwrap();
    }
    // Before its time and after.
    for _ in 0..2 {
        let outcome = world.mixpost.poll(&cx, &public).await.unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        let error = world.mixpost.poll(&cx, &waiting).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        world.clock.advance(TimeDelta::hours(2));
    }
    // What Mixpost is at goes out all the same.
    let cx = world.x("begun");
    let Outcome::Accepted(begun) = world.mixpost.publish(&cx, &hello()).await.unwrap() else {
        panic!("accepted")
    };
    world.fake.set_worker(false);
    let (uuid, mode) = (&begun.remote_id, DeleteMode::AppOnly);
    let trashed = world.mixpost.delete_post(&cx, uuid, true, mode).await;
    trashed.unwrap();
    let outcome = world.mixpost.poll(&cx, &begun).await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    world.fake.set_worker(true);
    let outcome = world.mixpost.poll(&cx, &begun).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_record_that_is_gone_says_that_nothing_is_out_only_before_its_time() {
    for (past, kind) in [(false, ErrorKind::NotFound), (true, ErrorKind::CannotTell)] {
        let world = World::new();
        let cx = world.x("k");
        let ten = hello().delivery(Delivery::At(at("2026-11-20T10:00:00Z")));
        let Outcome::Accepted(handle) = world.mixpost.publish(&cx, &ten).await.unwrap() else {
            panic!("accepted")
        };
        if past {
            world.clock.advance(TimeDelta::minutes(61));
        }
        let (uuid, mode) = (&handle.remote_id, DeleteMode::AppOnly);
        let gone = world.mixpost.delete_post(&cx, uuid, false, mode).await;
        gone.unwrap();
        let error = world.mixpost.poll(&cx, &handle).await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
    // Nor of what was to be out at once.
    let world = World::new();
    let cx = world.x("k");
    let Outcome::Accepted(handle) = world.mixpost.publish(&cx, &hello()).await.unwrap() else {
        panic!("accepted")
    };
    world.clock.advance(TimeDelta::seconds(5));
    let (uuid, mode) = (&handle.remote_id, DeleteMode::AppOnly);
    let gone = world.mixpost.delete_post(&cx, uuid, false, mode).await;
    gone.unwrap();
    let error = world.mixpost.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
}

#[tokio::test]
async fn of_a_thread_that_failed_parts_may_be_out() {
    let world = World::new();
    let refused = Some("Status is a duplicate.");
    world.fake.refuse_on(testing::X_ACCOUNT, refused);
    let cx = world.x("k");
    let mut thread = hello();
    thread.base.thread = Some(vec!["And more".into()]);
    let Outcome::Accepted(handle) = world.mixpost.publish(&cx, &thread).await.unwrap() else {
        panic!("accepted")
    };
    world.clock.advance(TimeDelta::seconds(5));
    let error = world.mixpost.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.message().contains("duplicate"), "{error:?}");
}

/// An exception in Mixpost's job leaves no error and no link, and a post that is called published.
#[tokio::test]
async fn what_mixpost_calls_published_and_knows_no_post_of_is_not_known_to_be_out() {
    let world = World::new();
    world.fake.set_breaks(testing::X_ACCOUNT, true);
    let cx = world.x("k");
    let lost = FaultRule::on("/posts", Fault::CutAfter).method("POST".parse().unwrap());
    world.sandbox.faults().add(lost);
    world.mixpost.publish(&cx, &hello()).await.unwrap_err();
    world.clock.advance(TimeDelta::seconds(5));
    // Nor when it is found again.
    let Outcome::Accepted(handle) = world.mixpost.publish(&cx, &hello()).await.unwrap() else {
        panic!("not known to be out")
    };
    let error = world.mixpost.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.remedy().is_some());
    // Mixpost cannot take away what it does not know.
    let receipt = Receipt {
        data: handle.data.clone(),
        ..Receipt::new(&handle.remote_id)
    };
    let error = world.mixpost.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    world.the_effect();

    // Older instances say nothing of links, and TikTok gives no id of what only its owner sees.
    for account in [
        json!({"id": testing::X_ACCOUNT, "provider": "twitter", "errors": []}),
        json!({"id": testing::X_ACCOUNT, "provider": "tiktok", "external_url": null, "errors": []}),
    ] {
        let body = json!({"data": {"uuid": handle.remote_id, "status": "published", "accounts": [account]}});
        let body = Box::leak(body.to_string().into_boxed_str());
        let read = FaultRule::on(handle.remote_id.clone(), Fault::Reply(200, body));
        world.sandbox.faults().add(read);
        let outcome = world.mixpost.poll(&cx, &handle).await.unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_stopped_worker_is_no_failure() {
    let world = World::new();
    world.fake.set_worker(false);
    let cx = world.x("k");
    let Outcome::Accepted(handle) = world.mixpost.publish(&cx, &hello()).await.unwrap() else {
        panic!("accepted")
    };
    world.clock.advance(TimeDelta::hours(5));
    let outcome = world.mixpost.poll(&cx, &handle).await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted(_)));
    let error = world.mixpost.publish_now(&cx, &handle.remote_id).await;
    assert_eq!(error.unwrap_err().platform_code(), Some("publishing"));
}

#[tokio::test]
async fn the_rules_of_the_network_count_before_sending() {
    let long = Post::text("a".repeat(281));
    for (account, network, post, rule) in [
        (
            testing::X_ACCOUNT,
            Platform::X,
            long.clone(),
            Some("text.too_long"),
        ),
        (testing::LINKEDIN_ACCOUNT, Platform::LINKEDIN, long, None),
        (
            testing::INSTAGRAM_ACCOUNT,
            Platform::INSTAGRAM,
            hello(),
            Some("media.required"),
        ),
    ] {
        let world = World::new();
        let cx = world.context(account, network.clone(), "k");
        let result = world.mixpost.publish(&cx, &post).await;
        let broken = result.as_ref().err().and_then(|error| error.rule());
        assert_eq!(broken, rule, "{network}: {result:?}");
        assert_eq!(
            world.effects().len(),
            usize::from(rule.is_none()),
            "{network}"
        );
    }
}

#[tokio::test]
async fn a_link_stands_in_one_place() {
    let link = "https://acme.dev/blog/1";
    for (account, network) in [
        (testing::X_ACCOUNT, Platform::X),
        (testing::LINKEDIN_ACCOUNT, Platform::LINKEDIN),
        (testing::FACEBOOK_ACCOUNT, Platform::FACEBOOK),
        (testing::MASTODON_ACCOUNT, Platform::MASTODON),
    ] {
        for text in ["Read this", "Read https://acme.dev/blog/1 now"] {
            let world = World::new();
            let cx = world.context(account, network.clone(), "k");
            let post = Post::text(text).link(link).unwrap();
            world.mixpost.publish(&cx, &post).await.unwrap();
            let effect = world.the_effect();
            let in_text = effect["text"].as_str().unwrap().matches(link).count();
            let beside = usize::from(effect["link"] == link);
            assert_eq!(in_text + beside, 1, "{network}: {effect}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    /// Whatever is taken arrives as it was said.
    #[test]
    fn text_arrives_as_it_was_said(text in "[a-zé日👍&<>;#\"' \n]{1,60}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = World::new();
        let cx = world.x("k");
        match runtime.block_on(world.mixpost.publish(&cx, &Post::text(&text))) {
            Ok(_) => assert_eq!(world.the_effect()["text"], text.trim_end()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}"),
        }
    }
}
