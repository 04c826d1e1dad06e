//! What posts become on X.

use automarket_connector_x::{Poll, Replies, X, XConfig, XOptions, testing};
use automarket_core::{
    Content, Delivery, ErrorKind, Intent, Lookup, Outcome, Post, Publisher, Receipt,
    check::{Severity, check},
    chrono::TimeDelta,
    content::Voice,
    store::Account,
    testing::Fault,
};
use serde_json::json;

use crate::world::{World, done, hello, thread, with_options};

#[tokio::test]
async fn a_thread_is_a_chain_and_its_comment_answers_its_beginning() {
    let world = World::new();
    let mut post = thread();
    post.base.first_comment = Some("The link: https://acme.dev/blog".into());
    let receipt = done(world.x.publish(&world.cx(), &post).await.unwrap());
    let effects = world.effects();
    assert_eq!(effects.len(), 4);
    let parents: Vec<_> = effects.iter().map(|post| &post["reply_to"]).collect();
    let (first, second) = (&effects[0]["id"], &effects[1]["id"]);
    assert_eq!(parents, [&json!(null), first, second, first]);
    assert_eq!(receipt.remote_id, effects[0]["id"].as_str().unwrap());
    let url = format!("https://x.com/acme/status/{}", receipt.remote_id);
    assert_eq!(receipt.url, Some(url));
    // Deleting takes all of it away.
    world.x.delete(&world.cx(), &receipt).await.unwrap();
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn a_long_thread_is_deleted_over_the_limit_of_deletions() {
    let world = World::new();
    let mut post = Post::text("Part 0");
    post.base.thread = Some((1..60).map(|n| format!("Part {n}")).collect());
    let receipt = done(world.x.publish(&world.cx(), &post).await.unwrap());
    assert_eq!(world.effects().len(), 60);
    // 50 in 15 minutes, and what is gone counts as well.
    let cx = world.cx();
    let error = world.x.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(world.effects().len(), 10);
    world.clock.advance(TimeDelta::minutes(15));
    world.x.delete(&cx, &receipt).await.unwrap();
    assert!(world.effects().is_empty());
}

#[tokio::test]
async fn an_account_of_another_app_is_judged_by_its_own_settings() {
    let account = |settings| {
        let tenant = automarket_core::TenantId::new("acme").unwrap();
        Account::new(tenant, automarket_connector_x::PLATFORM, testing::USER)
            .with_settings(settings)
    };
    let options = XOptions {
        quote: Some("1".into()),
        ..XOptions::default()
    };
    let quote = with_options("So true", &options);
    let quote = quote.content_for(&automarket_connector_x::PLATFORM, None);
    for self_serve in [true, false] {
        let x = X::new(XConfig {
            self_serve,
            ..XConfig::default()
        });
        for (settings, refused) in [
            (json!(null), self_serve),
            (json!({"username": "acme"}), self_serve),
            (json!({"self_serve": true}), true),
            (json!({"self_serve": false}), false),
        ] {
            let account = account(settings);
            let found = x.check(&quote, Delivery::Now, Some(&account));
            let rules: Vec<_> = found.iter().map(|finding| &*finding.rule).collect();
            let wanted: &[&str] = if refused {
                &["x.quote_restricted"]
            } else {
                &[]
            };
            assert_eq!(rules, wanted, "{account:?}");
            let cashtags = x.profile_for(&account).text.max_cashtags;
            assert_eq!(cashtags.is_some(), refused, "{account:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn find_knows_whole_threads_and_says_when_a_part_is_missing() {
    let world = World::new();
    let mut post = thread();
    post.base.link = Some("https://acme.dev/a?b=1&c=2".parse().unwrap());
    let intent = Intent {
        key: "key".into(),
        post: post.clone(),
        at: world.cx().now(),
    };
    let cx = world.cx();
    assert_eq!(world.x.find(&cx, &intent).await.unwrap(), Lookup::Absent);
    let sent = done(world.x.publish(&cx, &post).await.unwrap());
    let Lookup::Found(Outcome::Done(found)) = world.x.find(&cx, &intent).await.unwrap() else {
        panic!("not found")
    };
    assert_eq!(found, sent);
    let last = Receipt::new(sent.data["ids"][2].as_str().unwrap());
    world.x.delete(&cx, &last).await.unwrap();
    let partial = world.x.find(&cx, &intent).await.unwrap();
    assert!(matches!(partial, Lookup::CannotTell(_)), "{partial:?}");
}

#[tokio::test]
async fn answers_quotes_polls_and_reply_settings_arrive() {
    let world = World::with(XConfig {
        self_serve: false,
        ..XConfig::default()
    });
    let now = world.cx().now();
    let asked = world.fake.post_of_other("What does @acme say?", now);
    let answer = XOptions {
        reply_to: Some(asked.clone()),
        replies: Some(Replies::Mentioned),
        ..XOptions::default()
    };
    let quote = XOptions {
        quote: Some(asked.clone()),
        ..XOptions::default()
    };
    let poll = XOptions {
        poll: Some(Poll::new(["Tabs", "Spaces"], 60)),
        replies: Some(Replies::Verified),
        ..XOptions::default()
    };
    for (text, options) in [("Well", &answer), ("So true", &quote), ("Which?", &poll)] {
        let post = with_options(text, options);
        let cx = world.cx();
        let receipt = done(world.x.publish(&cx, &post).await.unwrap());
        let intent = Intent {
            key: "key".into(),
            post,
            at: now,
        };
        let found = world.x.find(&cx, &intent).await.unwrap();
        assert_eq!(found, Lookup::Found(Outcome::Done(receipt)), "{text}");
    }
    let effects = world.effects();
    assert_eq!(effects[1]["reply_to"], json!(asked));
    assert_eq!(effects[1]["reply_settings"], "mentionedUsers");
    assert_eq!(effects[2]["quote"], json!(asked));
    assert_eq!(
        effects[3]["poll"],
        json!({"options": ["Tabs", "Spaces"], "duration_minutes": 60})
    );
}

#[tokio::test]
async fn what_is_counted_trimmed_is_sent_trimmed() {
    let world = World::new();
    let answer = "a".repeat(25);
    let options = XOptions {
        poll: Some(Poll::new(
            [format!(" {answer} "), "Spaces\n".to_owned()],
            60,
        )),
        ..XOptions::default()
    };
    let mut post = with_options("Which?", &options);
    post.base.first_comment = Some(" Tell us.\n".to_owned());
    done(world.x.publish(&world.cx(), &post).await.unwrap());
    let effects = world.effects();
    assert_eq!(effects[0]["poll"]["options"], json!([answer, "Spaces"]));
    assert_eq!(effects[1]["text"], "Tell us.");
}

#[tokio::test]
async fn options_are_checked_before_anything_is_sent() {
    let world = World::new();
    let id = || Some("1".to_owned());
    let poll = |options: &[&str], minutes| XOptions {
        poll: Some(Poll::new(options.iter().copied(), minutes)),
        ..XOptions::default()
    };
    let cases = [
        (poll(&["one"], 60), "x.poll_options"),
        (poll(&["one", ""], 60), "x.poll_answer"),
        (
            poll(&["one", "an answer that is much too long"], 60),
            "x.poll_answer",
        ),
        (poll(&["a", "b"], 4), "x.poll_minutes"),
        (
            XOptions {
                quote: id(),
                ..poll(&["a", "b"], 60)
            },
            "x.exclusive",
        ),
        (
            XOptions {
                quote: id(),
                ..XOptions::default()
            },
            "x.quote_restricted",
        ),
        (
            XOptions {
                reply_to: Some("https://x.com/1".into()),
                ..XOptions::default()
            },
            "x.id",
        ),
    ];
    for (options, rule) in cases {
        let post = with_options("Hello", &options);
        let error = world.x.publish(&world.cx(), &post).await.unwrap_err();
        assert_eq!(error.rule(), Some(rule));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.remedy().is_some());
    }
    assert!(world.effects().is_empty());
    // What may be refused is advice.
    let answer = XOptions {
        reply_to: id(),
        ..XOptions::default()
    };
    let content =
        with_options("Hello", &answer).content_for(&automarket_connector_x::PLATFORM, None);
    let findings = world.x.check(&content, Delivery::Now, None);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].rule, "x.reply_restricted");
    assert_eq!(findings[0].severity, Severity::Advice);
}

#[tokio::test]
async fn strangers_cannot_be_answered_and_the_error_says_why() {
    let world = World::new();
    let stranger = world.fake.post_of_other("Good morning", world.cx().now());
    let options = XOptions {
        reply_to: Some(stranger),
        ..XOptions::default()
    };
    let post = with_options("Good morning!", &options);
    let error = world.x.publish(&world.cx(), &post).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(error.rule(), Some("x.reply_restricted"));
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn accounts_that_pay_may_write_long_posts() {
    let world = World::new();
    world.fake.set_premium(true);
    let cx = world.cx();
    let [identity] = world.x.identify(&cx).await.unwrap().try_into().unwrap();
    assert_eq!(identity.remote_id, testing::USER);
    assert_eq!(identity.handle.as_deref(), Some("acme"));
    assert_eq!(
        identity.settings,
        json!({"username": "acme", "long_posts": true})
    );

    let mut long = Post::text("Long & true. ".repeat(100));
    long.base.first_comment = Some("Longer than a short post. ".repeat(20));
    let error = world.x.publish(&cx, &long).await.unwrap_err();
    assert_eq!(error.rule(), Some("text.too_long"));
    let account = Account::new(
        cx.account().unwrap().tenant.clone(),
        automarket_connector_x::PLATFORM,
        testing::USER,
    )
    .with_settings(identity.settings);
    assert_eq!(world.x.profile_for(&account).text.limit, Some(25_000));
    let cx = cx.with_account(account);
    let receipt = done(world.x.publish(&cx, &long).await.unwrap());
    let intent = Intent {
        key: "key".into(),
        post: long,
        at: cx.now(),
    };
    let found = world.x.find(&cx, &intent).await.unwrap();
    assert_eq!(found, Lookup::Found(Outcome::Done(receipt)));
}

#[tokio::test]
async fn a_first_comment_keeps_the_rules_of_a_post() {
    let world = World::new();
    for (comment, rule) in [
        ("a".repeat(281), "comment.too_long"),
        (" ".to_owned(), "comment.empty"),
        ("$TSLA and $AAPL".to_owned(), "text.cashtags"),
    ] {
        world.sandbox.fault("", Fault::NotSent);
        let mut post = hello();
        post.base.first_comment = Some(comment);
        let error = world.x.publish(&world.cx(), &post).await.unwrap_err();
        assert_eq!(error.rule(), Some(rule));
        assert!(world.sandbox.faults().hits().is_empty(), "{rule}");
    }
}

#[tokio::test]
async fn numbers_are_read_and_those_for_the_author_where_allowed() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.x.publish(&cx, &hello()).await.unwrap());
    let metrics = world.x.measure(&cx, &receipt).await.unwrap();
    assert_eq!(metrics.likes, Some(11));
    assert_eq!(metrics.shares, Some(4));
    assert_eq!(metrics.comments, Some(2));
    assert_eq!(metrics.saves, Some(4));
    assert_eq!(metrics.impressions, Some(500));
    assert_eq!(metrics.clicks, Some(7));
    assert_eq!((metrics.reach, metrics.views), (None, None));
    assert_eq!(metrics.raw["non_public.engagements"], json!(30));
    world.fake.set_non_public(false);
    let metrics = world.x.measure(&cx, &receipt).await.unwrap();
    assert_eq!((metrics.likes, metrics.clicks), (Some(11), None));
    world.x.delete(&cx, &receipt).await.unwrap();
    let error = world.x.measure(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_link_is_dear_and_the_plan_says_so() {
    let world = World::new();
    let advice = |content: &Content| {
        let report = check(content, world.x.profile(), &Voice::default());
        let cost = report.findings.into_iter().find(|f| f.rule == "cost.link");
        cost.map(|finding| (finding.severity, finding.message))
    };
    assert_eq!(advice(&Content::text("No link")), None);
    let mut content = Content::text("One");
    content.thread = vec!["Two: acme.dev".into()];
    let (severity, message) = advice(&content).unwrap();
    assert_eq!(severity, Severity::Advice);
    assert!(message.contains("about 0.215 USD on X"), "{message}");
    content.link = Some("https://acme.dev".parse().unwrap());
    assert!(advice(&content).unwrap().1.contains("0.400"));
}
