//! The worst moments: lost answers, refusals, ends of processes.

use std::{future::Future, pin::pin, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::harness::PublisherUnderTest;
use crate::{
    Context, Error, ErrorKind, Intent, Lookup, Outcome, Post, Receipt, Result, Retry,
    testing::{
        Fault, FaultRule,
        outcome::{err, ok},
    },
};

/// Each fault on the publishing request ends in the state that is true (DESIGN, section 5), and the next
/// attempt leaves exactly one effect.
///
/// # Panics
/// When it is otherwise.
pub async fn faults_end_as_they_should(fresh: &impl Fn() -> PublisherUnderTest) {
    use End::{NotDone, NotRefused, RateLimited, Refused, Unknown};
    let seven = Duration::from_secs(7);
    for (fault, effects, end) in [
        (Fault::NotSent, 0, NotDone),
        (Fault::CutBefore, 0, Unknown),
        (Fault::CutAfter, 1, Unknown),
        (Fault::HangAfter, 1, Unknown),
        (Fault::StatusAfter(500), 1, Unknown),
        (Fault::StatusAfter(502), 1, Unknown),
        (Fault::StatusBefore(500), 0, NotRefused),
        (Fault::StatusBefore(503), 0, NotRefused),
        (Fault::RateLimited(Some("7")), 0, RateLimited(Some(seven))),
        (Fault::RateLimited(None), 0, RateLimited(None)),
        (Fault::HalfAfter, 1, Unknown),
        (Fault::GarbageAfter, 1, Unknown),
        (Fault::Unauthorized, 0, Refused(ErrorKind::Unauthorized)),
    ] {
        let test = fresh();
        let name = format!("{fault:?}");
        let (method, path) = test.write.clone();
        test.sandbox
            .faults()
            .add(FaultRule::on(path, fault).method(method));
        let at = test.now();
        let cx = test.attempt("key-1");
        let short = cx.clone().with_deadline(at + TimeDelta::seconds(1));
        let error = err(test.publisher.publish(&short, &test.post).await, &name);
        assert_eq!(
            test.sandbox.faults().hits().len(),
            1,
            "{name} did not hit: the request of `write` is another"
        );
        end.expect(&name, &error);
        test.expect_no_secret(&error);
        test.expect_effects(effects, &name);
        test.expect_recovery(&cx, at, &error, &name).await;
    }
}

/// A process that ends at any request of publishing, or loses its answer, leaves one effect once another
/// goes on with the same steps; where nothing can be looked up, at most one. What the platform is to make public later
/// does so too. For each sort of media that goes another way, a connector calls this with a `post` of it.
///
/// # Panics
/// When there is another number.
pub async fn a_crash_at_any_request_leaves_one_effect(fresh: &impl Fn() -> PublisherUnderTest) {
    let schedules = fresh().publisher.profile().abilities.schedule;
    let ways = [false, true].into_iter().take(1 + usize::from(schedules));
    for (later, fault) in ways.flat_map(|later| CRASHES.map(|fault| (later, fault))) {
        for request in 0.. {
            let mut test = fresh();
            if later {
                test.post = test.waiting_post();
            }
            let name = format!("{fault:?} at request {request}, later: {later}");
            let cx = test.attempt("key-1");
            if !test
                .crashes(request, &fault, test.publisher.publish(&cx, &test.post))
                .await
            {
                assert!(request > 0, "publishing made no request");
                break;
            }
            test.expect_resumption(&cx, &test.post, 1, &name).await;
        }
    }
}

/// A process that ends at any request of a deletion, or loses its answer, leaves nothing of the post once another goes
/// on with the same steps, and takes no other post with it.
///
/// # Panics
/// When something is left, or another is gone.
pub async fn a_crash_at_any_request_of_a_deletion_leaves_nothing(
    fresh: &impl Fn() -> PublisherUnderTest,
) {
    if !fresh().publisher.profile().abilities.delete {
        return;
    }
    for fault in CRASHES {
        for request in 0.. {
            let test = fresh();
            let name = format!("{fault:?} at request {request} of a deletion");
            let mut receipts = Vec::new();
            for (n, key) in ["key-1", "key-2"].into_iter().enumerate() {
                let cx = test.attempt(key);
                let sent = test.publisher.publish(&cx, &test.similar(n)).await;
                receipts.push(test.wait_for(&cx, ok(sent, "publish")).await);
            }
            let cx = test.attempt("key-3");
            let deletion = async || test.publisher.delete(&cx, &receipts[0]).await;
            if !test.crashes(request, &fault, deletion()).await {
                assert!(request > 0, "a deletion made no request");
                break;
            }
            let mut ended = deletion().await;
            for _ in 0..2 {
                let Err(error) = ended else { break };
                assert_ne!(error.retry(), Retry::Never, "{name}: {error:?}");
                ended = deletion().await;
            }
            ok(ended, &name);
            test.expect_effects(1, &format!("after {name} and going on"));
            ok(
                test.publisher.delete(&cx.fresh(), &receipts[1]).await,
                "delete the other",
            );
            test.expect_effects(0, &format!("after {name}, and the other deleted"));
        }
    }
}

/// A lost answer that nobody asks after before the next day is found then, and one whose request did nothing is not
/// taken for an older post of the same words: so `publish` looks since the sending, and neither less nor more.
///
/// # Panics
/// When the post goes out twice, or never.
pub async fn a_lost_answer_is_settled_a_day_later(fresh: &impl Fn() -> PublisherUnderTest) {
    if !fresh().publisher.profile().abilities.find {
        return;
    }
    for (fault, repeated) in [(Fault::CutAfter, false), (Fault::CutBefore, true)] {
        let test = fresh();
        let name = format!("{fault:?}");
        let publish = async |cx: &Context| test.publisher.publish(cx, &test.post).await;
        let mut older = None;
        if repeated {
            older = Some(ok(publish(&test.attempt("key-0")).await, "an older post"));
            test.clock.advance(TimeDelta::days(2));
        }
        let (method, path) = test.write.clone();
        let rule = FaultRule::on(path, fault).method(method);
        test.sandbox.faults().add(rule);
        let cx = test.attempt("key-1");
        let error = err(publish(&cx).await, &name);
        assert!(error.is_unknown(), "{name} ended in {error:?}");
        test.clock.advance(TimeDelta::days(1));
        match (publish(&cx).await, older) {
            (Ok(outcome), Some(older)) => {
                let taken = outcome.remote_id() == older.remote_id();
                assert!(!taken, "{name} was answered with an older post");
                test.expect_effects(2, &format!("after {name}, gone on with a day later"));
            }
            // The platform takes no text twice.
            (Err(error), Some(_)) => {
                assert_eq!(error.kind(), ErrorKind::Duplicate, "{name}: {error:?}");
            }
            (end, None) => {
                ok(end, &name);
                test.expect_effects(1, &format!("after {name}, gone on with a day later"));
            }
        }
    }
}

/// Each fault that any platform knows, and each of `more`, at each of these writes (a part of the path, and how
/// many such requests pass before): nothing is given up, and going on with the same steps, as the engine does,
/// ends well. `whole` says whether what the fake then holds is all of the post, once.
///
/// ```
/// # use automarket_core::testing::{Fault, conformance::publisher::{self, PublisherUnderTest}};
/// # async fn test(fresh: impl Fn() -> PublisherUnderTest) {
/// let writes = [("/pins", 0), ("/pins", 1)]; // a thread of two
/// let more = [Fault::Reply(200, r#"{"error":"busy"}"#)];
/// publisher::any_fault_at_any_write(fresh, &writes, &more, |effects, receipt, name| {
///     assert_eq!(effects.len(), 2, "{name}");
///     assert_eq!(effects[0]["id"], receipt.remote_id, "{name}");
/// })
/// .await;
/// # }
/// ```
///
/// # Panics
/// When it is otherwise.
pub async fn any_fault_at_any_write(
    fresh: impl Fn() -> PublisherUnderTest,
    writes: &[(&'static str, u32)],
    more: &[Fault],
    whole: impl Fn(&[Value], &Receipt, &str),
) {
    let any = [
        Fault::NotSent,
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::HangAfter,
        Fault::StatusBefore(500),
        Fault::StatusBefore(503),
        Fault::StatusAfter(500),
        Fault::StatusAfter(503),
        // A page that says success.
        Fault::StatusAfter(200),
        Fault::HalfAfter,
        Fault::GarbageAfter,
        Fault::Slow(Duration::from_secs(90)),
        Fault::RateLimited(Some("7")),
        Fault::RateLimited(None),
    ];
    for fault in any.iter().chain(more) {
        for (path, after) in writes {
            let test = fresh();
            let name = format!("{fault:?} at {path}, after {after}");
            let rule = FaultRule::on(*path, fault.clone()).after(*after);
            let rule = rule.method(test.write.0.clone());
            test.sandbox.faults().add(rule);
            let cx = test.attempt("key-1");
            let mut outcome = test.publisher.publish(&cx, &test.post).await;
            assert_eq!(test.sandbox.faults().hits().len(), 1, "{name} did not hit");
            for _ in 0..3 {
                let Err(error) = outcome else { break };
                assert_ne!(error.retry(), Retry::Never, "{name}: {error:?}");
                test.clock.advance(TimeDelta::seconds(20));
                outcome = test.publisher.publish(&cx, &test.post).await;
            }
            match ok(outcome, &name) {
                Outcome::Done(receipt) => whole(&test.effects(), &receipt, &name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

/// The ends of a process in a request, and what looks like one.
const CRASHES: [Fault; 3] = [Fault::HangAfter, Fault::CutBefore, Fault::StatusAfter(502)];

/// What a faulty publishing request ends in.
#[derive(Clone, Copy)]
enum End {
    /// It surely did not happen: again, later.
    NotDone,
    /// It may have happened.
    Unknown,
    /// Either of the two above: a 5xx that did nothing cannot be told from one that did.
    NotRefused,
    /// Too many requests, with this wait where one was named.
    RateLimited(Option<Duration>),
    /// The platform said no.
    Refused(ErrorKind),
}

impl End {
    fn expect(self, name: &str, error: &Error) {
        let fits = match self {
            Self::NotDone => matches!(error.retry(), Retry::After(_)),
            Self::Unknown => error.is_unknown(),
            Self::NotRefused => error.retry() != Retry::Never,
            Self::RateLimited(None) => {
                error.kind() == ErrorKind::RateLimited && matches!(error.retry(), Retry::After(_))
            }
            Self::RateLimited(wait) => {
                error.kind() == ErrorKind::RateLimited && error.retry() == Retry::After(wait)
            }
            Self::Refused(kind) => error.kind() == kind && !error.is_unknown(),
        };
        assert!(fits, "{name} ended in {error:?}");
    }
}

impl PublisherUnderTest {
    /// Lets the fault hit so many requests later; `false` when the work has ended without it. A future that is dropped is a
    /// process that ends: what it remembered is in its steps.
    async fn crashes<T>(
        &self,
        request: u32,
        fault: &Fault,
        work: impl Future<Output = Result<T>>,
    ) -> bool {
        let rule = FaultRule::on("", fault.clone()).after(request);
        self.sandbox.faults().add(rule);
        let hit = || !self.sandbox.faults().hits().is_empty();
        let mut work = pin!(work);
        for _ in 0..100 {
            let ended = tokio::time::timeout(Duration::from_secs(5), work.as_mut()).await;
            if ended.is_ok() || hit() {
                return hit();
            }
        }
        panic!("it comes to no end without a fault")
    }

    /// Goes on after a fault as the engine does, and ends with one effect wherever that can be known.
    async fn expect_recovery(&self, cx: &Context, at: DateTime<Utc>, error: &Error, name: &str) {
        let happened = !self.effects().is_empty();
        let able = self.publisher.profile().abilities;
        if error.is_unknown() && able.find {
            let intent = Intent {
                at,
                ..self.intent("key-1", &self.post)
            };
            match ok(self.publisher.find(cx, &intent).await, name) {
                Lookup::Found(_) => assert!(happened, "{name}: found what is not there"),
                Lookup::Absent => assert!(!happened, "{name}: what is there was not found"),
                Lookup::CannotTell(why) => panic!("{name}: find is declared, but: {why}"),
            }
        }
        let again = self.publisher.publish(cx, &self.post).await;
        if error.is_unknown() && !able.find && !able.idempotency_key {
            assert!(err(again, name).is_unknown(), "{name}: sent again blindly");
            self.expect_effects(usize::from(happened), name);
        } else {
            ok(again, name);
            self.expect_effects(1, &format!("after {name} and a second attempt"));
        }
    }

    /// Goes on with the same steps until there is an end, and so many effects.
    pub(super) async fn expect_resumption(
        &self,
        cx: &Context,
        post: &Post,
        effects: usize,
        name: &str,
    ) {
        let able = self.publisher.profile().abilities;
        let searchable = able.find || able.idempotency_key;
        for _ in 0..3 {
            match self.publisher.publish(cx, post).await {
                Ok(outcome) => {
                    self.wait_for(cx, outcome).await;
                    return self.expect_effects(effects, &format!("after {name} and going on"));
                }
                Err(error) if error.is_unknown() && !searchable => {
                    let held = self.effects();
                    assert!(
                        held.len() <= effects,
                        "after {name}, the platform has {held:?}"
                    );
                    return;
                }
                Err(error) => assert_ne!(error.retry(), Retry::Never, "{name}: {error:?}"),
            }
        }
        panic!("{name}: going on comes to no end")
    }
}
