//! What posts say, and what comes of them.

use automarket_connector_linkedin::{LinkedInOptions, PLATFORM, Poll, PollDays, Visibility};
use automarket_core::{
    Context, Delivery, ErrorKind, Outcome, Post, Publisher, Receipt, check::Severity,
    chrono::TimeDelta, content::Variant, publisher::is_last_word, testing::Fault,
};
use serde_json::json;

use crate::world::{COMMENT, World, accepted, commented, done, hello, with_options};

fn poll(question: &str, answers: &[&str]) -> LinkedInOptions {
    LinkedInOptions {
        poll: Some(Poll::new(
            question,
            answers.iter().copied(),
            PollDays::Seven,
        )),
        ..LinkedInOptions::default()
    }
}

#[tokio::test]
async fn readers_see_the_text_as_it_was_written() {
    let world = World::new();
    for text in [
        "50% (or more) off! *Really* <now>",
        "C:\\temp | {braces} [brackets] ~tilde~ snake_case @nobody",
        "Tags #rust #snake_case and not#one #1",
        "Line\n\ntwo → ✅ 漢字",
        "\\(already\\) escaped",
    ] {
        let post = Post::text(text);
        done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
        assert_eq!(world.effects().last().unwrap()["text"], text);
    }
    let post = Post::text("With @[Acme Labs](urn:li:organization:7) (and others)");
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    let effects = world.effects();
    let last = effects.last().unwrap();
    assert_eq!(last["text"], "With Acme Labs (and others)");
    let commentary = last["commentary"].as_str().unwrap();
    assert!(commentary.contains("@[Acme Labs](urn:li:organization:7)"));
}

#[tokio::test]
async fn a_first_comment_and_the_fields_of_cards_are_plain() {
    let world = World::new();
    done(
        world
            .linkedin
            .publish(&world.cx(), &commented())
            .await
            .unwrap(),
    );
    assert_eq!(world.effects()[0]["comments"][0]["text"], COMMENT);
    let options = LinkedInOptions {
        title: Some("Launch (finally) #1".into()),
        description: Some("What_is new?".into()),
        no_reshare: true,
        ..LinkedInOptions::default()
    };
    let mut variant = Variant::text("Read (this)").with_options(&options).unwrap();
    variant.link = Some("https://acme.dev/blog/1?a=(b)".parse().unwrap());
    let post = Post::text("x").variant(PLATFORM, variant);
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    let effects = world.effects();
    assert_eq!(effects[1]["text"], "Read (this)");
    assert_eq!(effects[1]["no_reshare"], true);
    assert_eq!(
        effects[1]["content"],
        json!({"article": {
            "source": "https://acme.dev/blog/1?a=(b)",
            "title": "Launch (finally) #1",
            "description": "What_is new?",
        }})
    );
}

#[tokio::test]
async fn a_link_without_a_title_shows_its_host_and_the_plan_advises() {
    let world = World::new();
    let post = Post::text("Read").link("https://acme.dev/blog/1").unwrap();
    let findings = world
        .linkedin
        .check(&post.content_for(&PLATFORM, None), Delivery::Now, None);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].rule, "linkedin.card_title");
    assert_eq!(findings[0].severity, Severity::Advice);
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    let article = &world.effects()[0]["content"]["article"];
    assert_eq!(article["title"], "acme.dev");
}

#[tokio::test]
async fn what_is_counted_trimmed_is_sent_trimmed() {
    let world = World::new();
    let (question, answer) = ("q".repeat(140), "a".repeat(30));
    let padded = poll(
        &format!(" {question}\n"),
        &[&format!(" {answer} "), "Spaces\n"],
    );
    let mut post = with_options("Which?", &padded);
    post.base.first_comment = Some(format!("\n{} ", "c".repeat(1250)));
    let receipt = done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    assert_eq!(receipt.comment_error(), None);
    let effects = world.effects();
    let poll = &effects[0]["content"]["poll"];
    assert_eq!(poll["question"], json!(question));
    assert_eq!(
        poll["options"],
        json!([{"text": answer}, {"text": "Spaces"}])
    );
    assert_eq!(effects[0]["comments"][0]["text"], json!("c".repeat(1250)));
}

#[tokio::test]
async fn polls_are_asked() {
    let world = World::new();
    let post = with_options(
        "Please vote (twice)",
        &poll("Tabs (or spaces)?", &["Tabs", "Spaces"]),
    );
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    let effects = world.effects();
    assert_eq!(
        effects[0]["content"],
        json!({"poll": {
            "question": "Tabs (or spaces)?",
            "options": [{"text": "Tabs"}, {"text": "Spaces"}],
            "settings": {"duration": "SEVEN_DAYS"},
        }})
    );
}

#[tokio::test]
async fn who_sees_it_is_said() {
    let world = World::new();
    let closed = |visibility| LinkedInOptions {
        visibility,
        ..LinkedInOptions::default()
    };
    let connections = with_options("For us", &closed(Visibility::Connections));
    let error = world
        .linkedin
        .publish(&world.cx(), &connections)
        .await
        .unwrap_err();
    assert_eq!(error.rule(), Some("linkedin.visibility"));
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // Plans say so, too.
    let blocked = |cx: &Context| {
        let content = connections.content_for(&PLATFORM, None);
        let found = world.linkedin.check(&content, Delivery::Now, cx.account());
        let mut rules = found.into_iter().map(|finding| finding.rule);
        rules.any(|rule| rule == "linkedin.visibility")
    };
    assert!(blocked(&world.cx()) && !blocked(&world.anna()));
    done(
        world
            .linkedin
            .publish(&world.anna(), &connections)
            .await
            .unwrap(),
    );
    let members = with_options("For members", &closed(Visibility::LoggedIn));
    done(world.linkedin.publish(&world.cx(), &members).await.unwrap());
    let effects = world.effects();
    assert_eq!(effects[0]["visibility"], "CONNECTIONS");
    assert_eq!(effects[1]["visibility"], "LOGGED_IN");
}

#[tokio::test]
async fn options_have_rules_that_hold_before_anything_is_sent() {
    let world = World::new();
    let long = "x".repeat(141);
    let mut with_link = with_options("x", &poll("Which?", &["a", "b"]));
    with_link.base.link = Some("https://acme.dev".parse().unwrap());
    let mut long_comment = hello();
    long_comment.base.first_comment = Some("y".repeat(1251));
    let mut odd = hello();
    odd.base
        .options
        .insert(PLATFORM, json!({"visibility": "friends"}));
    let cases = [
        (with_link, "linkedin.exclusive"),
        (
            with_options("x", &poll(&long, &["a", "b"])),
            "linkedin.poll_question",
        ),
        (
            with_options("x", &poll("Which?", &["a"])),
            "linkedin.poll_options",
        ),
        (
            with_options("x", &poll("Which?", &["a", &"b".repeat(31)])),
            "linkedin.poll_answer",
        ),
        (long_comment, "comment.too_long"),
        (odd, "linkedin.options"),
        (Post::text("x".repeat(3001)), "text.too_long"),
    ];
    for (post, rule) in cases {
        let error = world
            .linkedin
            .publish(&world.cx(), &post)
            .await
            .unwrap_err();
        assert_eq!(error.rule(), Some(rule), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.remedy().is_some());
    }
    assert!(world.effects().is_empty());
    // Counted as it is read, not as it is escaped.
    let post = Post::text("(".repeat(3000));
    done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
}

#[tokio::test]
async fn an_organisations_numbers_are_read_and_what_is_missing_is_no_zero() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.linkedin.publish(&cx, &commented()).await.unwrap());
    let fresh = world.linkedin.measure(&cx, &receipt).await.unwrap();
    assert_eq!((fresh.impressions, fresh.shares), (None, None));
    assert_eq!((fresh.likes, fresh.comments), (Some(11), Some(1)));
    world.clock.advance(TimeDelta::hours(1));
    let metrics = world.linkedin.measure(&cx, &receipt).await.unwrap();
    assert_eq!(metrics.impressions, Some(500));
    assert_eq!(metrics.reach, Some(320));
    assert_eq!(metrics.clicks, Some(17));
    assert_eq!(metrics.likes, Some(11));
    assert_eq!(metrics.comments, Some(3));
    assert_eq!(metrics.shares, Some(4));
    assert_eq!((metrics.views, metrics.saves), (None, None));
    assert_eq!(metrics.raw["statistics.engagement"], json!(0.07));
    assert_eq!(metrics.raw["social.PRAISE"], json!(2));
    world.linkedin.delete(&cx, &receipt).await.unwrap();
    let error = world.linkedin.measure(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_receipt_says_where_it_can_be_seen_and_what_is_gone_can_be_deleted() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.linkedin.publish(&cx, &commented()).await.unwrap());
    let url = format!(
        "https://www.linkedin.com/feed/update/{}/",
        receipt.remote_id
    );
    assert_eq!(receipt.url, Some(url));
    let comment = receipt.data["comment"].as_str().unwrap();
    assert!(comment.starts_with("urn:li:comment:("), "{comment}");
    for _ in 0..2 {
        world.linkedin.delete(&cx, &receipt).await.unwrap();
        assert!(world.effects().is_empty());
    }
    let never = Receipt::new("urn:li:share:1");
    world.linkedin.delete(&cx, &never).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_draft_waits_on_the_page_until_somebody_publishes_it() {
    let world = World::new();
    let cx = world.cx();
    let draft = hello().delivery(Delivery::Draft);
    let outcome = world.linkedin.publish(&cx, &draft).await.unwrap();
    let handle = accepted(outcome);
    assert_eq!(world.effects()[0]["draft"], true);
    let still = world.linkedin.poll(&cx, &handle).await.unwrap();
    assert_eq!(still, Outcome::Accepted(handle.clone()));
    assert!(world.fake.publish_draft(&handle.remote_id));
    let receipt = done(world.linkedin.poll(&cx, &handle).await.unwrap());
    assert_eq!(receipt.remote_id, handle.remote_id);
    assert_eq!(world.effects().len(), 1);

    // A lost one that is listed is the one; members have none that could be asked for; nothing stands under one.
    let world = World::new();
    let cx = world.cx();
    world.sandbox.fault("/rest/posts", Fault::CutAfter);
    world.linkedin.publish(&cx, &draft).await.unwrap_err();
    let handle = accepted(world.linkedin.publish(&cx, &draft).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(handle.remote_id, world.effects()[0]["id"]);
    let error = world.linkedin.publish(&world.anna(), &draft).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    let commented = commented().delivery(Delivery::Draft);
    let error = world.linkedin.publish(&world.cx(), &commented).await;
    let rule = error.unwrap_err().rule().map(str::to_owned);
    assert_eq!(rule.as_deref(), Some("linkedin.draft_comment"));
}

/// Authors are listed both, and whoever looks for one wants that.
#[tokio::test(start_paused = true)]
async fn a_lost_draft_and_a_lost_post_of_the_same_words_are_not_taken_for_each_other() {
    for (there, lost) in [
        (Delivery::Draft, Delivery::Now),
        (Delivery::Now, Delivery::Draft),
    ] {
        let world = World::new();
        world.fake.set_takes_repeats(true);
        let other = hello().delivery(there);
        world.linkedin.publish(&world.cx(), &other).await.unwrap();
        let other = world.effects()[0]["id"].clone();

        let cx = world.cx();
        let post = hello().delivery(lost);
        world.sandbox.fault("/rest/posts", Fault::CutBefore);
        world.linkedin.publish(&cx, &post).await.unwrap_err();
        match world.linkedin.publish(&cx, &post).await {
            Ok(outcome) => {
                assert_ne!(done(outcome).remote_id, other);
                assert_eq!(world.effects()[1]["state"], "PUBLISHED");
            }
            // That LinkedIn lists every draft is not known.
            Err(error) => {
                assert_eq!(
                    (error.kind(), &lost),
                    (ErrorKind::CannotTell, &Delivery::Draft)
                );
            }
        }

        // Nor where LinkedIn names the other one when it refuses.
        let world = World::new();
        let cx = world.cx();
        world.sandbox.fault("/rest/posts", Fault::CutBefore);
        world.linkedin.publish(&cx, &post).await.unwrap_err();
        let other = hello().delivery(there);
        world.linkedin.publish(&world.cx(), &other).await.unwrap();
        let error = world.linkedin.publish(&cx, &post).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CannotTell, "{error:?}");
        assert_eq!(world.effects().len(), 1);
    }
}

/// An address that leads nowhere any more says 404 to everything.
#[tokio::test]
async fn a_404_that_is_not_of_the_post_says_nothing_of_it() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    let moved = json!({"base_url": "https://api.linkedin.com/x"});
    let account = cx.account().unwrap().clone().with_settings(moved);
    let elsewhere = world.cx().with_account(account);
    let error = world.linkedin.delete(&elsewhere, &receipt).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.remedy().is_some());
    world
        .sandbox
        .fault("/rest/posts/", Fault::Reply(404, "<html>Not Found</html>"));
    world.linkedin.delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(world.effects().len(), 1);
    // Nor does it end a series of numbers.
    let error = world.linkedin.measure(&elsewhere, &receipt).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::UnexpectedReply);

    // Nor is that the last word on a draft.
    let draft = Post::text("A draft").delivery(Delivery::Draft);
    let outcome = world.linkedin.publish(&world.cx(), &draft).await.unwrap();
    let handle = accepted(outcome);
    let error = world.linkedin.poll(&elsewhere, &handle).await.unwrap_err();
    assert!(!is_last_word(error.kind()), "{error:?}");
    let gone = Receipt::new(&*handle.remote_id);
    world.linkedin.delete(&cx, &gone).await.unwrap();
    let error = world.linkedin.poll(&cx, &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
