//! What every [`Publisher`](crate::Publisher) promises, as plain functions over a small harness.
//!
//! A connector's test builds a fresh world per case and runs them all:
//!
//! ```no_run
//! # fn fresh() -> automarket_core::testing::conformance::publisher::PublisherUnderTest { todo!() }
//! use automarket_core::testing::conformance::publisher;
//!
//! // #[tokio::test(start_paused = true)]: hanging answers then cost no time.
//! # async fn doc() {
//! publisher::all(fresh).await;
//! # }
//! ```

mod faults;
mod harness;
mod kept_words;
mod same_words;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Delivery, ErrorKind, Intent, Lookup, Outcome, Post,
    content::{Media, MediaKind, Variant, Voice},
    publisher::{ends_post, judge},
    steps,
    testing::{
        Fault, FaultRule,
        outcome::{err, ok},
    },
};

pub use faults::{
    a_crash_at_any_request_leaves_one_effect, a_crash_at_any_request_of_a_deletion_leaves_nothing,
    a_lost_answer_is_settled_a_day_later, any_fault_at_any_write, faults_end_as_they_should,
};
pub use harness::PublisherUnderTest;
pub use kept_words::what_was_sent_is_what_is_looked_for;
pub use same_words::a_lost_post_is_no_other_of_the_same_words;

/// Runs every case that needs nothing but the world, each in a fresh one.
///
/// Two more stand beside it: [`any_fault_at_any_write`], and [`what_failed_for_good_is_told_so`] for platforms that take
/// a post and may fail it later. What no suite can know is for the connector's own tests: the platform's error codes
/// and rate-limit headers, its moderation, lists that show a post late, and the wire itself.
///
/// # Panics
/// When a promise is not kept.
pub async fn all(fresh: impl Fn() -> PublisherUnderTest) {
    the_profile_is_sane(&fresh());
    identify_says_who(&fresh()).await;
    publishing_leaves_one_effect(&fresh()).await;
    the_same_steps_publish_once(&fresh()).await;
    the_same_key_publishes_once(&fresh()).await;
    a_context_is_for_one_post(&fresh()).await;
    a_bad_credential_is_unauthorized(&fresh()).await;
    an_empty_post_is_refused_before_any_request(&fresh()).await;
    what_is_refused_is_what_the_checks_block(&fresh).await;
    declared_deliveries_work_and_others_are_unsupported(&fresh).await;
    faults_end_as_they_should(&fresh).await;
    a_crash_at_any_request_leaves_one_effect(&fresh).await;
    a_crash_at_any_request_of_a_deletion_leaves_nothing(&fresh).await;
    a_lost_answer_is_settled_a_day_later(&fresh).await;
    what_was_sent_is_what_is_looked_for(&fresh).await;
    a_lost_post_is_no_other_of_the_same_words(&fresh).await;
    polling_never_publishes(&fresh()).await;
    a_scheduled_post_becomes_public(&fresh()).await;
    find_picks_the_right_one(&fresh()).await;
    measuring_works_or_is_unsupported(&fresh()).await;
    deleting_twice_is_fine(&fresh()).await;
}

/// The profile names its version and source, and its promises do not contradict each other.
///
/// # Panics
/// When they do.
pub fn the_profile_is_sane(test: &PublisherUnderTest) {
    let profile = test.publisher.profile();
    assert!(!profile.name.is_empty(), "the profile has no name");
    assert!(
        !profile.api.version.is_empty(),
        "the API version is not pinned"
    );
    assert!(
        !profile.api.source.is_empty(),
        "the source of the version is missing"
    );
    assert_ne!(profile.text.limit, Some(0), "a limit of nothing");
    let able = profile.abilities;
    assert!(
        able.publish || !(able.schedule || able.draft || able.queue || able.thread),
        "a way of publishing is declared, publishing is not"
    );
}

/// The credential's accounts are listed, the connected one among them.
///
/// # Panics
/// When it is not.
pub async fn identify_says_who(test: &PublisherUnderTest) {
    let identities = ok(test.publisher.identify(&test.context).await, "identify");
    assert!(
        identities
            .iter()
            .all(|i| !i.remote_id.is_empty() && !i.name.is_empty()),
        "an identity without id or name: {identities:?}"
    );
    if let Some(account) = test.context.account() {
        assert!(
            identities
                .iter()
                .any(|i| i.remote_id == account.remote_id && i.network == account.network),
            "the connected account is not among {identities:?}"
        );
    }
}

/// One call, one effect.
///
/// # Panics
/// When there is another number.
pub async fn publishing_leaves_one_effect(test: &PublisherUnderTest) {
    let outcome = ok(
        test.publisher
            .publish(&test.attempt("key-1"), &test.post)
            .await,
        "publish",
    );
    assert!(!outcome.remote_id().is_empty(), "no remote id: {outcome:?}");
    test.expect_effects(1, "after one publish");
}

/// A second call with the same steps answers the same and sends nothing twice.
///
/// # Panics
/// When it does.
pub async fn the_same_steps_publish_once(test: &PublisherUnderTest) {
    let cx = test.attempt("key-1");
    let first = ok(test.publisher.publish(&cx, &test.post).await, "publish");
    let second = ok(
        test.publisher.publish(&cx, &test.post).await,
        "publish again",
    );
    assert_eq!(
        first.remote_id(),
        second.remote_id(),
        "another remote id the second time: what was sent once has to be answered from the steps; \
         put the write into `Context::once`"
    );
    test.expect_effects(1, "after two calls with the same steps");
}

/// Where the profile declares a key against repeats, a sending with it that knows nothing of an earlier one has no
/// second effect.
///
/// # Panics
/// When it has.
pub async fn the_same_key_publishes_once(test: &PublisherUnderTest) {
    if !test.publisher.profile().abilities.idempotency_key {
        return;
    }
    for what in ["publish", "publish with the same key"] {
        let cx = test.attempt("key-1");
        ok(test.publisher.publish(&cx, &test.post).await, what);
        test.expect_effects(1, what);
    }
}

/// Another post by the same context is refused, not answered with the first one's end; a fresh one publishes it.
///
/// # Panics
/// When it is not.
pub async fn a_context_is_for_one_post(test: &PublisherUnderTest) {
    let (cx, other) = (test.attempt("key-1"), test.similar(1));
    let first = ok(test.publisher.publish(&cx, &test.post).await, "publish");
    let error = err(test.publisher.publish(&cx, &other).await, "another post");
    assert_eq!(error.rule(), Some(steps::OTHER), "{error:?}");
    test.expect_effects(1, "after another post by the same context");
    let cx = cx.fresh().with_key("key-2");
    let second = ok(test.publisher.publish(&cx, &other).await, "a fresh context");
    assert_ne!(first.remote_id(), second.remote_id());
    test.expect_effects(2, "after another post by a fresh context");
}

/// A refused credential is `Unauthorized`, has no effect and is never shown.
///
/// # Panics
/// When it is otherwise.
pub async fn a_bad_credential_is_unauthorized(test: &PublisherUnderTest) {
    let cx = test
        .attempt("key-1")
        .with_credential(test.bad_credential.clone());
    let error = err(test.publisher.identify(&cx).await, "identify");
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "identify: {error:?}");
    test.expect_no_secret(&error);
    let error = err(
        test.publisher.publish(&cx, &test.post).await,
        "publish with a bad credential",
    );
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "publish: {error:?}");
    assert!(
        !error.is_unknown(),
        "401 did not happen for sure: {error:?}"
    );
    test.expect_no_secret(&error);
    test.expect_effects(0, "with a bad credential");
}

/// Nothing to say is `InvalidInput` naming the field, and no request leaves.
///
/// # Panics
/// When it is otherwise.
pub async fn an_empty_post_is_refused_before_any_request(test: &PublisherUnderTest) {
    let faults = test.sandbox.faults();
    faults.add(FaultRule::on("", Fault::NotSent).times(u32::MAX));
    let error = err(
        test.publisher
            .publish(&test.attempt("key-1"), &Post::text(""))
            .await,
        "an empty post",
    );
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(error.field().is_some(), "no field is named: {error:?}");
    assert_eq!(faults.hits(), Vec::<String>::new(), "a request left");
}

/// What is refused before any request is what the checks (`profile_for`, `check`) block, and the other way round: so
/// plans say it when the post is written, and not when its time has come.
///
/// # Panics
/// When one says yes and the other no.
pub async fn what_is_refused_is_what_the_checks_block(fresh: &impl Fn() -> PublisherUnderTest) {
    type Change = fn(&mut Variant);
    let cases: [(&str, Change); 13] = [
        ("nothing", |_| ()),
        ("a comment", |base| {
            base.first_comment = Some("And more.".to_owned());
        }),
        ("no text", |base| base.text = Some(String::new())),
        ("a link alone", |base| {
            base.text = Some(String::new());
            base.link = "https://acme.example/blog".parse().ok();
        }),
        ("a long text", |base| base.text = Some("é".repeat(70_000))),
        ("a control character", |base| {
            base.text = Some("bell\u{7}".to_owned());
        }),
        ("angle brackets", |base| {
            base.text = Some("we <3 <b>you</b>".to_owned());
        }),
        ("much to escape", |base| {
            base.text = Some("&<\n".repeat(990));
        }),
        ("an empty part", |base| {
            base.thread = Some(vec![" ".to_owned()])
        }),
        ("angle brackets in a part", |base| {
            base.thread = Some(vec!["we <3 you".to_owned()]);
        }),
        ("an empty comment", |base| {
            base.first_comment = Some(" ".to_owned());
        }),
        ("a control character in a comment", |base| {
            base.first_comment = Some("bell\u{7}".to_owned());
        }),
        ("a document", |base| {
            let url = "https://acme.example/a.pdf".parse();
            let media = url.map(|url| Media::address(MediaKind::Document, url));
            base.media = Some(media.into_iter().collect());
        }),
    ];
    let test = fresh();
    let able = test.own_rules().abilities;
    let at = Delivery::At(test.now() + TimeDelta::hours(1));
    let deliveries = [
        (able.publish, Delivery::Now),
        (able.schedule, at),
        (able.draft, Delivery::Draft),
    ];
    let deliveries = deliveries.into_iter().filter(|(able, _)| *able);
    for ((name, change), (_, delivery)) in cases
        .into_iter()
        .flat_map(|case| deliveries.clone().map(move |delivery| (case, delivery)))
    {
        let test = fresh();
        let mut post = test.post.clone().delivery(delivery);
        change(&mut post.base);
        let (account, rules) = (test.context.account(), test.own_rules());
        let network = account.map_or(&rules.platform, |account| &account.network);
        let content = post.content_for(network, account.map(|account| account.id));
        let (own, voice) = (Some(&*test.publisher), Voice::default());
        let report = judge(&content, delivery, &rules, &voice, own, account);
        let faults = test.sandbox.faults();
        faults.add(FaultRule::on("", Fault::NotSent).times(u32::MAX));
        let result = test.publisher.publish(&test.attempt("key-1"), &post).await;
        let error = err(result, name);
        let refused = matches!(
            error.kind(),
            ErrorKind::InvalidInput | ErrorKind::Unsupported
        ) && faults.hits().is_empty();
        assert_eq!(
            !report.passes(),
            refused,
            "{name}, {delivery:?}: the checks find {:?}, and publishing ends in {error:?}",
            report.findings
        );
    }
}

/// What the profile declares of schedule, draft, queue, thread and first comment is done: what is to wait is not public
/// at once, a draft not later either, and the words of a thread and of a comment are among the effects. What it does not
/// declare is `Unsupported` and has no effect.
///
/// # Panics
/// When it is otherwise.
pub async fn declared_deliveries_work_and_others_are_unsupported(
    fresh: &impl Fn() -> PublisherUnderTest,
) {
    type Change = fn(Post, DateTime<Utc>) -> Post;
    let able = fresh().publisher.profile().abilities;
    let hour = TimeDelta::hours(1);
    let cases: [(&str, bool, Change); 5] = [
        ("schedule", able.schedule, |post, at| {
            post.delivery(Delivery::At(at))
        }),
        ("draft", able.draft, |post, _| {
            post.delivery(Delivery::Draft)
        }),
        ("queue", able.queue, |post, _| {
            post.delivery(Delivery::Queue)
        }),
        ("thread", able.thread, |mut post, _| {
            post.base.thread = Some(vec![words("thread")]);
            post
        }),
        ("first comment", able.first_comment, |mut post, _| {
            post.base.first_comment = Some(words("first comment"));
            post
        }),
    ];
    for (name, declared, change) in cases {
        let test = fresh();
        let post = change(test.post.clone(), test.now() + hour);
        let cx = test.attempt("key-1");
        let result = test.publisher.publish(&cx, &post).await;
        if declared {
            let outcome = ok(result, name);
            let effects = test.effects();
            assert!(!effects.is_empty(), "{name} left no effect");
            if post.delivery == Delivery::Now {
                let said = serde_json::to_string(&effects).unwrap_or_default();
                assert!(said.contains(&words(name)), "the {name} is not in {said}");
                continue;
            }
            let Outcome::Accepted(handle) = outcome else {
                panic!("the {name} is public at once: {outcome:?}")
            };
            if post.delivery == Delivery::Draft {
                test.clock.advance(hour * 2);
                let later = ok(test.publisher.poll(&cx, &handle).await, "poll a draft");
                assert!(
                    matches!(later, Outcome::Accepted(_)),
                    "the {name} became public: {later:?}"
                );
            }
        } else {
            assert_eq!(
                err(result, name).kind(),
                ErrorKind::Unsupported,
                "{name} is not declared"
            );
            test.expect_effects(0, name);
        }
    }
}

/// What a part or a comment says in the case above: words that no platform writes otherwise.
fn words(of: &str) -> String {
    format!("The words of the {of}")
}

/// A hundred questions publish nothing.
///
/// # Panics
/// When they do.
pub async fn polling_never_publishes(test: &PublisherUnderTest) {
    let cx = test.attempt("key-1");
    let outcome = ok(
        test.publisher.publish(&cx, &test.waiting_post()).await,
        "publish",
    );
    let Outcome::Accepted(handle) = outcome else {
        return;
    };
    for _ in 0..100 {
        ok(test.publisher.poll(&cx, &handle).await, "poll");
    }
    test.expect_effects(1, "after a hundred polls");
}

/// A post that the platform itself schedules is `Accepted` until its time, and `Done` after it.
///
/// # Panics
/// When it is not.
pub async fn a_scheduled_post_becomes_public(test: &PublisherUnderTest) {
    if !test.publisher.profile().abilities.schedule {
        return;
    }
    let cx = test.attempt("key-1");
    let outcome = ok(
        test.publisher.publish(&cx, &test.waiting_post()).await,
        "schedule",
    );
    let Outcome::Accepted(handle) = outcome else {
        panic!("public before its time: {outcome:?}")
    };
    assert!(
        handle.due.is_some_and(|due| due > test.now()),
        "a scheduled post says when it is due: {handle:?}"
    );
    let before = ok(test.publisher.poll(&cx, &handle).await, "poll before");
    assert!(
        matches!(before, Outcome::Accepted(_)),
        "public before its time: {before:?}"
    );
    test.clock.advance(TimeDelta::hours(2));
    let receipt = test.wait_for(&cx, Outcome::Accepted(handle)).await;
    assert!(!receipt.remote_id.is_empty());
    test.expect_effects(1, "after its time");
}

/// `find` tells the asked-for intent from similar, older and foreign ones, however long ago it was, and says
/// `Absent` of one that never left.
///
/// # Panics
/// When it does not.
pub async fn find_picks_the_right_one(test: &PublisherUnderTest) {
    let publisher = &test.publisher;
    if !publisher.profile().abilities.find {
        let error = err(
            publisher
                .find(&test.context, &test.intent("key-1", &test.post))
                .await,
            "find",
        );
        assert_eq!(error.kind(), ErrorKind::Unsupported, "find is not declared");
        return;
    }
    let lookup = |key: &'static str, post: Post, at| async move {
        let intent = Intent {
            key: key.to_owned(),
            post,
            at,
        };
        ok(publisher.find(&test.attempt(key), &intent).await, "find")
    };
    let absent = lookup("key-0", test.similar(0), test.now()).await;
    assert_eq!(absent, Lookup::Absent, "nothing was ever published");
    let mut sent = Vec::new();
    for (n, key) in ["key-1", "key-2", "key-3"].into_iter().enumerate() {
        let (post, at) = (test.similar(n + 1), test.now());
        let outcome = ok(
            publisher.publish(&test.attempt(key), &post).await,
            "publish a similar post",
        );
        sent.push((key, post, at, outcome.remote_id().to_owned()));
        test.clock.advance(TimeDelta::minutes(5));
    }
    if let Some(other) = &test.other {
        let cx = other.fresh().with_key("key-foreign");
        ok(
            publisher.publish(&cx, &test.similar(4)).await,
            "publish on the other account",
        );
    }
    let begun = test.now();
    for later in [TimeDelta::zero(), TimeDelta::days(1)] {
        test.clock.advance(later);
        let when = if later.is_zero() { "" } else { "a day later " };
        for (key, post, at, remote_id) in &sent {
            match lookup(key, post.clone(), *at).await {
                Lookup::Found(outcome) => {
                    assert_eq!(outcome.remote_id(), remote_id, "{when}of {key}");
                }
                other => {
                    panic!("{key} was published as {remote_id}, but {when}find says {other:?}")
                }
            }
        }
        let absent = lookup("key-4", test.similar(4), begun).await;
        assert_eq!(absent, Lookup::Absent, "key-4 never left this account");
    }
    let again = test.similar(5);
    let publish = publisher.publish(&test.attempt("key-5"), &again).await;
    ok(publish, "publish what will be said again");
    test.clock.advance(TimeDelta::days(2));
    let absent = lookup("key-6", again, test.now()).await;
    let why = "key-6 never left, though the same words once did";
    assert_eq!(absent, Lookup::Absent, "{why}");
}

/// Metrics of a published post can be read where that is declared.
///
/// # Panics
/// When they cannot.
pub async fn measuring_works_or_is_unsupported(test: &PublisherUnderTest) {
    let cx = test.attempt("key-1");
    let outcome = ok(test.publisher.publish(&cx, &test.post).await, "publish");
    let receipt = test.wait_for(&cx, outcome).await;
    let result = test.publisher.measure(&cx, &receipt).await;
    if test.publisher.profile().abilities.measure {
        ok(result, "measure");
    } else {
        assert_eq!(err(result, "measure").kind(), ErrorKind::Unsupported);
    }
}

/// Deleting takes the effect away; doing it again is fine.
///
/// # Panics
/// When it is not.
pub async fn deleting_twice_is_fine(test: &PublisherUnderTest) {
    let cx = test.attempt("key-1");
    let outcome = ok(test.publisher.publish(&cx, &test.post).await, "publish");
    let receipt = test.wait_for(&cx, outcome).await;
    let result = test.publisher.delete(&cx, &receipt).await;
    if !test.publisher.profile().abilities.delete {
        assert_eq!(err(result, "delete").kind(), ErrorKind::Unsupported);
        return;
    }
    ok(result, "delete");
    test.expect_effects(0, "after deleting");
    ok(
        test.publisher.delete(&cx, &receipt).await,
        "delete what is gone",
    );
}

/// What the platform took and then fails for good ends so when it is asked for: the error is the platform's
/// last word ([`ends_post`]). `fail` has the fake fail what it holds; which ways there are, only the connector
/// knows, so its test calls this for each.
///
/// # Panics
/// When it is asked for on and on, or is said to be public.
pub async fn what_failed_for_good_is_told_so(test: &PublisherUnderTest, fail: impl FnOnce()) {
    let cx = test.attempt("key-1");
    let mut outcome = ok(test.publisher.publish(&cx, &test.post).await, "publish");
    fail();
    for _ in 0..20 {
        let Outcome::Accepted(handle) = outcome else {
            panic!("public, though it failed: {outcome:?}")
        };
        test.clock.advance(TimeDelta::minutes(1));
        match test.publisher.poll(&cx, &handle).await {
            Err(error) => {
                let ends = ends_post(error.kind(), error.rule());
                assert!(ends, "asked for again: {error:?}");
                return;
            }
            Ok(still) => outcome = still,
        }
    }
    panic!("no end is told")
}
