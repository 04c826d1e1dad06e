//! The fault acceptance: each fault at the post and at its comment ends right, with exactly the right number of
//! both.

use std::{sync::Arc, time::Duration};

use automarket_connector_linkedin::{LinkedInConfig, PLATFORM, testing};
use automarket_core::{
    Credential, Delivery, Error, ErrorKind, Intent, Lookup, Outcome, Post, Publisher, Retry,
    check::Severity,
    chrono::TimeDelta,
    http_types::Method,
    testing::{
        Fault, FaultRule, ManualClock,
        conformance::publisher::{self, PublisherUnderTest},
    },
};
use serde_json::{Value, json};

use crate::conformance::fresh;
use crate::world::{COMMENT, LITTLE, TEXT, World, commented, done, hello};

fn one_of_each(effects: &[Value], name: &str) {
    assert_eq!(effects.len(), 1, "{name}: {effects:?}");
    assert_eq!(effects[0]["text"], TEXT, "{name}");
    let comments = effects[0]["comments"].as_array().unwrap();
    assert_eq!(comments.len(), 1, "{name}: {effects:?}");
    assert_eq!(comments[0]["text"], COMMENT, "{name}");
}

#[tokio::test(start_paused = true)]
async fn any_fault_at_either_write_leaves_one_post_with_one_comment() {
    let of = || PublisherUnderTest {
        post: commented(),
        ..fresh()
    };
    let more = [
        Fault::StatusAfter(504),
        Fault::Reply(
            429,
            r#"{"status":429,"serviceErrorCode":101,"message":"Resource level throttle APPLICATION DAY limit for calls to this resource is reached."}"#,
        ),
        Fault::Reply(
            500,
            r#"{"status":500,"message":"Unable to obtain activity"}"#,
        ),
    ];
    let writes = [("/rest/posts", 0), ("/comments", 0)];
    publisher::any_fault_at_any_write(of, &writes, &more, |effects, receipt, name| {
        one_of_each(effects, name);
        assert_eq!(effects[0]["id"], receipt.remote_id, "{name}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_anywhere_goes_on_where_it_stopped() {
    for path in ["/rest/posts", "/comments"] {
        let world = World::new();
        let rule = FaultRule::on(path, Fault::HangAfter).method(Method::POST);
        world.sandbox.faults().add(rule);
        let cx = world.cx();
        let post = commented();
        let attempt = world.linkedin.publish(&cx, &post);
        let dying = tokio::time::timeout(Duration::from_secs(5), attempt);
        assert!(dying.await.is_err());
        done(world.linkedin.publish(&cx, &post).await.unwrap());
        one_of_each(&world.effects(), path);
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_without_its_comment_is_not_the_whole_of_it() {
    let world = World::new();
    let cx = world.cx();
    let intent = Intent {
        key: "key".into(),
        post: commented(),
        at: cx.now(),
    };
    let before = world.linkedin.find(&cx, &intent).await.unwrap();
    assert_eq!(before, Lookup::Absent);
    world.sandbox.fault("/comments", Fault::NotSent);
    world.linkedin.publish(&cx, &commented()).await.unwrap_err();
    let half = world.linkedin.find(&cx, &intent).await.unwrap();
    assert!(matches!(half, Lookup::CannotTell(_)), "{half:?}");
    let receipt = done(world.linkedin.publish(&cx, &commented()).await.unwrap());
    // Two looks do not show it.
    let empty = FaultRule::on("/rest/posts", Fault::Reply(200, r#"{"elements":[]}"#));
    world.sandbox.faults().add(empty.times(2));
    let whole = world.linkedin.find(&cx, &intent).await.unwrap();
    assert_eq!(whole, Lookup::Found(Outcome::Done(receipt)));
}

#[tokio::test]
async fn an_expired_token_stops_it_and_the_new_one_goes_on() {
    let world = World::new();
    world.sandbox.fault("/comments", Fault::StatusBefore(429));
    let cx = world.cx();
    let error = world.linkedin.publish(&cx, &commented()).await.unwrap_err();
    assert!(
        error.message().contains("which is public"),
        "{error}: {:?}",
        world.effects()
    );
    world.fake.renew_token("renewed-token");
    let error = world.linkedin.publish(&cx, &commented()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unauthorized, Retry::Never)
    );
    let renewed = cx.with_credential(Credential::token("renewed-token"));
    done(
        world
            .linkedin
            .publish(&renewed, &commented())
            .await
            .unwrap(),
    );
    one_of_each(&world.effects(), "renewed");
}

async fn refused(world: &World, post: &Post) -> Error {
    let error = world.linkedin.publish(&world.cx(), post).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Never, "{error:?}");
    error
}

#[tokio::test]
async fn a_retired_version_says_so_and_the_host_can_name_another() {
    let world = World::new();
    world.fake.set_versions(&["202701"]);
    let error = refused(&world, &hello()).await;
    assert_eq!(error.kind(), ErrorKind::ApiVersionRetired);
    assert_eq!(error.platform_code(), Some("NONEXISTENT_VERSION"));
    assert!(error.remedy().unwrap().contains("LinkedInConfig::version"));
    assert!(world.effects().is_empty());

    let newer = World::with(LinkedInConfig {
        version: "202701".to_owned(),
        ..LinkedInConfig::default()
    });
    newer.fake.set_versions(&["202701"]);
    done(newer.linkedin.publish(&newer.cx(), &hello()).await.unwrap());
    assert_eq!(newer.effects().len(), 1);

    let wrong = World::with(LinkedInConfig {
        version: "2026-10".to_owned(),
        ..LinkedInConfig::default()
    });
    assert_eq!(refused(&wrong, &hello()).await.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn the_same_text_twice_is_a_duplicate_that_names_the_first() {
    let world = World::new();
    let receipt = done(world.linkedin.publish(&world.cx(), &hello()).await.unwrap());
    // Of another intent: the first one's post is not taken for its own.
    let error = refused(&world, &hello()).await;
    assert_eq!(error.kind(), ErrorKind::Duplicate);
    assert_eq!(error.platform_code(), Some("DUPLICATE_POST"));
    assert!(error.message().contains(&receipt.remote_id), "{error}");
    assert!(error.remedy().is_some());
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_that_the_list_does_not_show_is_found_by_the_refusal_of_its_repeat() {
    let world = World::new();
    let cx = world.cx();
    world.sandbox.fault("/rest/posts", Fault::CutAfter);
    world.fake.hide_posts(3);
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    let receipt = done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
}

#[tokio::test(start_paused = true)]
async fn a_post_that_linkedin_only_remembers_is_not_taken_for_ours() {
    let world = World::new();
    let receipt = done(world.linkedin.publish(&world.cx(), &hello()).await.unwrap());
    let deleting = world.linkedin.delete(&world.cx(), &receipt).await;
    deleting.unwrap();
    let cx = world.cx();
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/rest/posts", Fault::CutBefore).method(Method::POST));
    for _ in 0..2 {
        let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        assert!(world.effects().is_empty());
    }
    // A day later it is forgotten.
    world.clock.advance(TimeDelta::hours(30));
    done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn the_daily_limit_is_waited_for_until_midnight() {
    let world = World::new();
    for n in 0..150 {
        let post = Post::text(format!("Post {n}"));
        done(world.linkedin.publish(&world.cx(), &post).await.unwrap());
    }
    let cx = world.cx();
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let hours = Duration::from_secs(15 * 3600);
    assert_eq!(error.retry(), Retry::After(Some(hours)));
    world.clock.advance(TimeDelta::hours(15));
    done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 151);
}

#[tokio::test]
async fn more_posts_than_are_searched_stay_unknown() {
    let world = World::new();
    let cx = world.cx();
    world
        .sandbox
        .faults()
        .add(FaultRule::on("/rest/posts", Fault::CutBefore).method(Method::POST));
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown());
    for n in 0..501 {
        let text = format!("Busy {n}");
        world.fake.seed(testing::ORGANIZATION, &text, cx.now());
    }
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.is_unknown());
    assert_eq!(world.effects().len(), 501);
}

#[tokio::test(start_paused = true)]
async fn an_old_post_of_the_same_text_is_not_taken_for_ours() {
    let world = World::new();
    let long_ago = world.cx().now() - TimeDelta::days(2);
    let old = world.fake.seed(testing::ORGANIZATION, LITTLE, long_ago);
    let rule = FaultRule::on("/rest/posts", Fault::CutBefore).method(Method::POST);
    world.sandbox.faults().add(rule);
    let cx = world.cx();
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown());
    let receipt = done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    assert_ne!(receipt.remote_id, old);
    assert_eq!(world.effects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_post_of_before_that_a_lost_one_repeats_is_not_taken_for_it() {
    let world = World::new();
    // Within the time in which LinkedIn takes no text twice.
    let before = world.cx().now() - TimeDelta::hours(5);
    world.fake.seed(testing::ORGANIZATION, LITTLE, before);
    let lost = || FaultRule::on("/rest/posts", Fault::CutBefore).method(Method::POST);
    world.sandbox.faults().add(lost());
    let cx = world.cx();
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    let refused = (ErrorKind::Duplicate, Retry::Never);
    assert_eq!((error.kind(), error.retry()), refused, "{error:?}");

    // A member's post cannot be read: nobody can tell.
    let world = World::with(LinkedInConfig {
        trust_duplicates: true,
        ..LinkedInConfig::default()
    });
    world.fake.seed(testing::MEMBER, LITTLE, before);
    world.sandbox.faults().add(lost());
    let cx = world.anna();
    world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell, "{error:?}");
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test]
async fn a_list_that_begins_with_the_oldest_is_read_on() {
    let world = World::new();
    let cx = world.cx();
    let receipt = done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    for n in 0..100 {
        world
            .fake
            .seed(testing::ORGANIZATION, &format!("{n}"), cx.now());
    }
    let old = |n| json!({"id": "urn:li:share:1", "commentary": "Old", "createdAt": n});
    let page = json!({"elements": (0..100).map(old).collect::<Vec<_>>()});
    let page = Fault::Reply(200, page.to_string().leak());
    world.sandbox.fault("/rest/posts", page);
    let intent = Intent {
        key: "key".into(),
        post: hello(),
        at: cx.now(),
    };
    let found = world.linkedin.find(&cx, &intent).await.unwrap();
    let Lookup::Found(found) = found else {
        panic!("{found:?}")
    };
    assert_eq!(found.remote_id(), receipt.remote_id);
    assert_eq!(world.sandbox.faults().hits().len(), 1);
}

/// LinkedIn cuts a page first, and leaves out of it then what the token may not see.
#[tokio::test(start_paused = true)]
async fn a_page_with_gaps_is_not_the_last_one() {
    let world = World::new();
    world.fake.set_gaps(true);
    world.fake.set_takes_repeats(true);
    world.fake.set_other_roles(120);
    let cx = world.cx();
    world.sandbox.fault("/rest/posts", Fault::CutAfter);
    world.linkedin.publish(&cx, &commented()).await.unwrap_err();
    for n in 0..120 {
        let text = format!("Busy {n}");
        world.fake.seed(testing::ORGANIZATION, &text, cx.now());
    }
    world.sandbox.fault("/comments", Fault::CutAfter);
    world.linkedin.publish(&cx, &commented()).await.unwrap_err();
    let urn = world.effects()[0]["id"].as_str().unwrap().to_owned();
    for n in 0..120 {
        world.fake.comment_of_other(&urn, &format!("Nice {n}"));
    }
    let receipt = done(world.linkedin.publish(&cx, &commented()).await.unwrap());
    assert_eq!(receipt.remote_id, urn);
    assert_eq!(world.effects().len(), 121);
    let comments = world.effects()[0]["comments"].as_array().unwrap().len();
    assert_eq!(comments, 121);

    let identities = world.linkedin.identify(&cx).await.unwrap();
    assert_eq!(identities.len(), 2, "{identities:?}");
}

#[tokio::test(start_paused = true)]
async fn a_post_that_comments_do_not_see_yet_is_waited_for() {
    let world = World::new();
    world.fake.hide_from_comments(2);
    let outcome = world.linkedin.publish(&world.cx(), &commented()).await;
    done(outcome.unwrap());
    one_of_each(&world.effects(), "hidden twice");
    // Longer than an attempt lasts, of an organisation and of a member.
    for member in [false, true] {
        let world = World::new();
        let cx = if member { world.anna() } else { world.cx() };
        world.fake.hide_from_comments(4);
        let error = world.linkedin.publish(&cx, &commented()).await.unwrap_err();
        let later = Retry::After(Some(Duration::from_secs(30)));
        assert_eq!((error.kind(), error.retry()), (ErrorKind::NotFound, later));
        let outcome = world.linkedin.publish(&cx, &commented()).await;
        assert_eq!(done(outcome.unwrap()).comment_error(), None);
        one_of_each(&world.effects(), "hidden four times");
    }
    // Not for ever.
    let world = World::new();
    world.fake.hide_from_comments(9);
    let cx = world.cx();
    world.linkedin.publish(&cx, &commented()).await.unwrap_err();
    world.clock.advance(TimeDelta::minutes(11));
    let outcome = world.linkedin.publish(&cx, &commented()).await;
    let why = done(outcome.unwrap()).comment_error().unwrap();
    assert_eq!(why.kind, ErrorKind::NotFound);
    assert_eq!(world.effects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_that_is_listed_late_stands_once() {
    let world = World::ticking();
    world.fake.list_after(65);
    world.fake.set_takes_repeats(true);
    let rule = FaultRule::on("/rest/posts", Fault::CutAfter).method(Method::POST);
    world.sandbox.faults().add(rule);
    let cx = world.cx();
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    // So long the engine waits.
    tokio::time::advance(Duration::from_secs(60)).await;
    let receipt = done(world.linkedin.publish(&cx, &hello()).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
}

/// As macOS writes it, and as it may be listed.
#[tokio::test(start_paused = true)]
async fn a_lost_post_or_comment_that_is_listed_in_another_normal_form_is_the_one() {
    let world = World::new();
    let mut post = Post::text("Cafe\u{301}");
    post.base.first_comment = Some("Cre\u{300}me".to_owned());
    let cx = world.cx();
    world.sandbox.fault("/rest/posts", Fault::CutBefore);
    world.linkedin.publish(&cx, &post).await.unwrap_err();
    let urn = world
        .fake
        .seed(testing::ORGANIZATION, "Caf\u{e9}", cx.now());
    world.sandbox.fault("/comments", Fault::CutBefore);
    world.linkedin.publish(&cx, &post).await.unwrap_err();
    let comment =
        json!({"id": "7", "actor": testing::ORGANIZATION, "message": {"text": "Cr\u{e8}me"}});
    let page = json!({"elements": [comment], "paging": {"links": [{"rel": "prev"}]}});
    let page = Fault::Reply(200, page.to_string().leak());
    let rule = FaultRule::on("/comments", page).method(Method::GET);
    world.sandbox.faults().add(rule);
    let receipt = done(world.linkedin.publish(&cx, &post).await.unwrap());
    assert_eq!((receipt.remote_id, world.effects().len()), (urn, 1));
    assert_eq!(world.effects()[0]["comments"], json!([]));
}

#[tokio::test]
async fn a_lost_comment_is_found_among_many_or_not_sent_again() {
    for (others, told) in [(150, true), (600, false)] {
        let world = World::new();
        world.sandbox.fault("/comments", Fault::CutAfter);
        let cx = world.cx();
        let error = world.linkedin.publish(&cx, &commented()).await.unwrap_err();
        assert!(error.is_unknown(), "{error:?}");
        let urn = world.effects()[0]["id"].as_str().unwrap().to_owned();
        for n in 0..others {
            world.fake.comment_of_other(&urn, &format!("Nice {n}"));
        }
        let outcome = world.linkedin.publish(&cx, &commented()).await;
        match outcome {
            Ok(outcome) => assert_eq!((done(outcome).comment_error(), told), (None, true)),
            Err(error) => assert_eq!((error.kind(), told), (ErrorKind::CannotTell, false)),
        }
        let comments = world.effects()[0]["comments"].as_array().unwrap().len();
        assert_eq!(comments, others + 1);
    }
}

/// Of a link that LinkedIn shortened nobody sees where it leads.
#[tokio::test(start_paused = true)]
async fn of_several_that_only_differ_in_links_none_is_taken_for_the_lost_one() {
    let world = World::new();
    let rule = FaultRule::on("/rest/posts", Fault::CutBefore).method(Method::POST);
    world.sandbox.faults().add(rule);
    let cx = world.cx();
    world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    for title in ["another", "a-third"] {
        let text = LITTLE.replace(r"a\_long", title);
        world.fake.seed(testing::ORGANIZATION, &text, cx.now());
    }
    for other in ["Good bye", "https://acme.dev/other/long/title"] {
        world.fake.seed(testing::ORGANIZATION, other, cx.now());
    }
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert!(error.is_unknown());
    assert_eq!(world.effects().len(), 4);

    // Nor the only one, where it may be of before.
    let world = World::new();
    let rule = FaultRule::on("/rest/posts", Fault::CutBefore).method(Method::POST);
    world.sandbox.faults().add(rule);
    let cx = world.cx();
    let text = LITTLE.replace("title", "story");
    let before = cx.now() - TimeDelta::minutes(2);
    world.fake.seed(testing::ORGANIZATION, &text, before);
    world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    let error = world.linkedin.publish(&cx, &hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert_eq!(world.effects().len(), 1);

    let world = World::new();
    world.sandbox.fault("/comments", Fault::CutBefore);
    let cx = world.cx();
    world.linkedin.publish(&cx, &commented()).await.unwrap_err();
    let comment = |id: &str| {
        let text = format!("More (soon): https://lnkd.in/{id}, and acme.dev");
        json!({"id": id, "actor": testing::ORGANIZATION, "message": {"text": text}})
    };
    let page = json!({"elements": [comment("d1"), comment("d2")]});
    let page = Fault::Reply(200, page.to_string().leak());
    let rule = FaultRule::on("/comments", page).method(Method::GET);
    world.sandbox.faults().add(rule);
    let error = world.linkedin.publish(&cx, &commented()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CannotTell);
    assert_eq!(world.effects()[0]["comments"], json!([]));
}

#[tokio::test]
async fn a_first_comment_that_is_refused_leaves_the_post_published() {
    // A token of the scopes that every app can have may share and not comment.
    let world = World::new();
    world.fake.set_community(false);
    let cx = world.anna();
    let receipt = done(world.linkedin.publish(&cx, &commented()).await.unwrap());
    let why = receipt.comment_error().unwrap();
    assert_eq!(why.kind, ErrorKind::Forbidden);
    assert!(why.message.contains("the first comment"), "{}", why.message);
    assert!(why.remedy.is_some());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(world.effects()[0]["comments"], json!([]));
    world.linkedin.delete(&cx, &receipt).await.unwrap();
    assert!(world.effects().is_empty());
    // Plans say so before.
    let content = commented().content_for(&PLATFORM, None);
    let said = world.linkedin.check(&content, Delivery::Now, None);
    let rules: Vec<&str> = said.iter().map(|finding| &*finding.rule).collect();
    assert_eq!(rules, ["linkedin.comment_scope"]);
    assert_eq!(said[0].severity, Severity::Advice);
}

#[tokio::test(start_paused = true)]
async fn a_lost_post_is_found_though_our_clock_was_set_back() {
    let world = World::new();
    world.fake.set_takes_repeats(true);
    let rule = FaultRule::on("/rest/posts", Fault::CutAfter).method(Method::POST);
    world.sandbox.faults().add(rule);
    let cx = world.cx().with_taken(Arc::new(Vec::new()));
    let post = Post::text("Hello from Acme");
    let ahead = ManualClock::at(cx.now() + TimeDelta::hours(1));
    let ahead = cx.clone().with_clock(Arc::new(ahead));
    let error = world.linkedin.publish(&ahead, &post).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    world.clock.advance(TimeDelta::seconds(60));
    let receipt = done(world.linkedin.publish(&cx, &post).await.unwrap());
    assert_eq!(world.effects().len(), 1);
    assert_eq!(receipt.remote_id, world.effects()[0]["id"]);
}

/// How LinkedIn lists the link of a card it does not promise: with another one it may be ours all the same.
#[tokio::test(start_paused = true)]
async fn a_lost_post_whose_card_is_listed_with_another_link_is_not_sent_again() {
    const LISTED: &str = r#"{"elements":[{"id":"urn:li:share:7","author":"urn:li:organization:5515715",
        "commentary":"New on the blog","lifecycleState":"PUBLISHED","createdAt":1795165200000,
        "content":{"article":{"source":"https://acme.dev/a?trk=1","title":"A"}}}],"paging":{}}"#;
    let world = World::new();
    world.fake.set_takes_repeats(true);
    let post = Post::text("New on the blog");
    let post = post.link("https://acme.dev/a").unwrap();
    let cx = world.cx();
    let lost = FaultRule::on("/rest/posts", Fault::CutAfter).method(Method::POST);
    world.sandbox.faults().add(lost);
    world.linkedin.publish(&cx, &post).await.unwrap_err();
    let changed = FaultRule::on("/rest/posts", Fault::Reply(200, LISTED));
    world
        .sandbox
        .faults()
        .add(changed.method(Method::GET).times(9));
    let again = world.linkedin.publish(&cx, &post).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::CannotTell);
    assert_eq!(world.effects().len(), 1);
}
