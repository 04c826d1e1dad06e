//! What may be out already: it outlives retries, old jobs, lost leases and bad answers.

use std::sync::{Mutex, PoisonError};

use automarket::{
    core::{
        Context, Handle, Identity, Intent, Metrics, Profile, Publisher, async_trait,
        publisher::NOT_SENT,
    },
    testing::{FaultStore, StoreFault, StoreRule},
};

use super::*;

/// A publisher of threads: its first part goes out, the second is told what to answer. `lost` is what becomes
/// of a lease while it publishes.
#[derive(Clone)]
struct Thread {
    second: RecordingPublisher,
    parts: Arc<Mutex<Vec<&'static str>>>,
}

impl Thread {
    fn on(world: &World) -> (Self, Tenant) {
        let thread = Self {
            second: world.publisher.clone(),
            parts: Arc::default(),
        };
        let market = market(world.market().store().clone(), &world.clock, thread.clone());
        let tenant = market.tenant("acme").unwrap();
        (thread, tenant)
    }

    fn push(&self, part: &'static str) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.push(part);
    }

    fn parts(&self) -> Vec<&'static str> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.clone()
    }
}

#[async_trait]
impl Publisher for Thread {
    fn profile(&self) -> &Profile {
        self.second.profile()
    }
    async fn identify(&self, cx: &Context) -> automarket::Result<Vec<Identity>> {
        self.second.identify(cx).await
    }
    async fn publish(&self, cx: &Context, post: &Post) -> automarket::Result<Outcome> {
        let first = cx.once(
            "thread.0",
            || async { Ok(None) },
            || async {
                self.push("first");
                Ok(1)
            },
        );
        first.await?;
        self.push("second");
        self.second.publish(cx, post).await
    }
    async fn poll(&self, cx: &Context, handle: &Handle) -> automarket::Result<Outcome> {
        self.second.poll(cx, handle).await
    }
    async fn find(&self, cx: &Context, intent: &Intent) -> automarket::Result<Lookup> {
        self.second.find(cx, intent).await
    }
    async fn measure(&self, cx: &Context, receipt: &Receipt) -> automarket::Result<Metrics> {
        self.second.measure(cx, receipt).await
    }
    async fn delete(&self, cx: &Context, receipt: &Receipt) -> automarket::Result<()> {
        self.second.delete(cx, receipt).await
    }
}

fn refusal() -> Error {
    Error::new(ErrorKind::ContentRefused, "no")
}

async fn forget_old_jobs(world: &World) {
    let store = world.market().store();
    let before = store.now().await.unwrap() - chrono::Duration::days(30);
    store.remove_ended(before, 1000).await.unwrap();
}

#[tokio::test]
async fn what_is_out_of_a_thread_is_remembered_longer_than_the_jobs_that_sent_it() {
    for world in worlds().await {
        let (thread, tenant) = Thread::on(&world);
        let post = world.publish(When::Now).await;
        let turn = async || {
            let job = world.only(post).await.job;
            tenant.work_on(job, LEASE).await.unwrap();
            world.only(post).await.state
        };
        for _ in 0..2 {
            thread.second.answer(Err(refusal()));
            assert_eq!(turn().await, PublicationState::Unknown);
            world.clock.advance(chrono::Duration::days(20));
            forget_old_jobs(&world).await;
            let id = world.only(post).await.id;
            tenant.resend_unknown(id, "the rest of it").await.unwrap();
        }
        // What is out is also known to the calls that ask for it.
        let edited = tenant.edit(post, Post::text("Other words")).await;
        assert_eq!(edited.unwrap_err().kind(), ErrorKind::TooLate);
        assert_eq!(turn().await, PublicationState::Published);
        assert_eq!(thread.parts(), ["first", "second", "second", "second"]);
    }
}

#[tokio::test]
async fn a_thread_of_which_nobody_knows_any_more_what_is_out_is_not_begun_anew() {
    for taken in [false, true] {
        for world in worlds().await {
            let (thread, tenant) = Thread::on(&world);
            let post = world.publish(When::Now).await;
            let job = world.only(post).await.job;
            if taken {
                world.takes();
                world.publisher.poll_answer(Err(refusal()));
                tenant.work_on(job, LEASE).await.unwrap();
                world.clock.advance(chrono::Duration::hours(7));
            } else {
                thread.second.answer(Err(refusal()));
            }
            tenant.work_on(job, LEASE).await.unwrap();
            let unknown = world.only(post).await;
            assert_eq!(unknown.state, PublicationState::Unknown);
            world.clock.advance(chrono::Duration::days(31));
            forget_old_jobs(&world).await;
            let resent = tenant.resend_unknown(unknown.id, "the rest of it").await;
            let refused = resent.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Conflict);
            assert_eq!(refused.rule(), Some("publication.forgotten"));
            assert_eq!(thread.parts(), ["first", "second"]);
        }
    }
}

/// A look did not find it; it may appear yet.
#[tokio::test]
async fn what_was_missed_and_may_be_out_is_not_begun_anew_when_its_job_is_forgotten() {
    for world in worlds().await {
        let begun = serde_json::json!("begun");
        let post = late::gone(&world, "recording.publish", begun).await;
        late::found_gone(&world, post).await;
        world.publisher.find_answer(Ok(Lookup::Absent));
        assert_eq!(world.turn(post).await.0.state, PublicationState::Missed);
        world.clock.advance(chrono::Duration::days(31));
        forget_old_jobs(&world).await;
        let edited = world.tenant.edit(post, Post::text("Other words")).await;
        assert_eq!(edited.unwrap_err().kind(), ErrorKind::TooLate);
        let refused = world.tenant.retry(post).await.unwrap_err();
        assert_eq!(refused.rule(), Some("publication.forgotten"));
    }
}

#[tokio::test]
async fn what_went_out_after_a_refusal_is_known_though_its_verdict_was_not_written() {
    for world in worlds().await {
        let (thread, tenant) = Thread::on(&world);
        thread.second.answer(Err(refusal()));
        let post = world.publish(When::Now).await;
        let refused = world.only(post).await;
        tenant.work_on(refused.job, LEASE).await.unwrap();
        let resent = tenant.resend_unknown(refused.id, "the rest of it").await;
        let job = resent.unwrap().job;
        // The intent is written, and then nothing any more.
        let store = FaultStore::new(world.market().store().clone());
        let refuse = StoreFault::Refuse(ErrorKind::Config);
        let verdict = StoreRule::on("change_publishing", refuse).after(1);
        store.faults().add(verdict.times(u32::MAX));
        let gone = market(Arc::new(store), &world.clock, thread.clone());
        let gone = gone.tenant("acme").unwrap();
        gone.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.only(post).await.state, PublicationState::Publishing);
        assert_eq!(world.publisher.texts().len(), 2);
        world.clock.advance(chrono::Duration::minutes(30));
        tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.only(post).await.state, PublicationState::Published);
        assert_eq!(world.publisher.texts().len(), 2);
    }
}

#[tokio::test]
async fn what_is_out_of_a_thread_is_not_sent_again_though_the_rest_was_taken_and_failed() {
    for world in worlds().await {
        let (thread, tenant) = Thread::on(&world);
        world.takes();
        let post = world.publish(When::Now).await;
        let turn = async || {
            let job = world.only(post).await.job;
            tenant.work_on(job, LEASE).await.unwrap();
            world.only(post).await
        };
        assert_eq!(turn().await.state, PublicationState::Accepted);
        world.publisher.poll_answer(Err(refusal()));
        world.clock.advance(chrono::Duration::hours(7));
        let failed = turn().await;
        assert_eq!(failed.state, PublicationState::Unknown);
        assert!(tenant.retry(post).await.unwrap().is_empty());
        let other = tenant.edit(post, Post::text("Other words")).await;
        assert_eq!(other.unwrap_err().kind(), ErrorKind::TooLate);
        tenant.resend_unknown(failed.id, "the rest").await.unwrap();
        turn().await;
        let firsts = thread.parts().into_iter().filter(|part| *part == "first");
        assert_eq!(firsts.count(), 1);
    }
}

#[tokio::test]
async fn a_thread_that_is_given_up_half_way_is_not_said_to_be_nowhere() {
    for world in worlds().await {
        let (thread, tenant) = Thread::on(&world);
        let post = world.publish(When::Now).await;
        while !world.only(post).await.state.is_terminal() {
            let away = Error::new(ErrorKind::Unavailable, "away");
            let away = away.with_receipt(Receipt::new("first"));
            thread.second.answer(Err(away));
            let job = world.only(post).await.job;
            tenant.work_on(job, LEASE).await.unwrap();
            world.clock.advance(chrono::Duration::days(1));
        }
        let unknown = world.only(post).await;
        assert_eq!(unknown.state, PublicationState::Unknown);
        assert_eq!(remote_id(&unknown), Some("first"));
    }
}

#[tokio::test]
async fn what_was_put_off_for_long_goes_on_where_it_stopped() {
    for world in worlds().await {
        let (thread, tenant) = Thread::on(&world);
        let revoked = Error::new(ErrorKind::Unauthorized, "revoked");
        thread.second.answer(Err(revoked));
        let post = world.publish(When::Now).await;
        let job = world.only(post).await.job;
        tenant.work_on(job, LEASE).await.unwrap();
        let credential = Credential::token("new");
        let account = world.account.clone();
        tenant.add_account(account, credential).await.unwrap();
        let moved = tenant.reschedule(post, at("2027-03-11T09:00:00Z")).await;
        moved.unwrap();
        world.clock.advance(chrono::Duration::days(59));
        forget_old_jobs(&world).await;
        let job = world.only(post).await.job;
        tenant.work_on(job, LEASE).await.unwrap();
        assert_eq!(world.only(post).await.state, PublicationState::Published);
        assert_eq!(thread.parts(), ["first", "second", "second"]);
    }
}

#[tokio::test]
async fn a_refused_second_sending_says_nothing_of_the_first() {
    for world in worlds().await {
        let lost = world.lost().await;
        let post = lost.post;
        world.publisher.answer(Err(refusal()));
        world
            .tenant
            .resend_unknown(lost.id, "why not")
            .await
            .unwrap();
        let (refused, _) = world.turn(post).await;
        assert_eq!(refused.state, PublicationState::Unknown);
        assert_eq!(refused.error.unwrap().kind, ErrorKind::ContentRefused);
        assert!(world.tenant.retry(post).await.unwrap().is_empty());
        let edited = world.tenant.edit(post, Post::text("Other words")).await;
        assert_eq!(edited.unwrap_err().kind(), ErrorKind::TooLate);
    }
}

#[tokio::test]
async fn nor_does_one_that_is_cut_short() {
    for world in worlds().await {
        let lost = world.lost().await;
        let post = lost.post;
        let twice = Error::new(ErrorKind::Duplicate, "said already").with_platform(&Platform::X);
        let short = Receipt::new("first").cut_short(twice).unwrap();
        world.publisher.answer(Ok(Outcome::Done(short)));
        let resent = world.tenant.resend_unknown(lost.id, "why not");
        resent.await.unwrap();
        let (short, _) = world.turn(post).await;
        assert_eq!(short.state, PublicationState::Unknown);
        assert_eq!(remote_id(&short), Some("first"));
    }
}

/// What is surely out of something unknown is known by its receipt: it can be gone on with, and taken down.
#[tokio::test]
async fn what_ends_unknown_keeps_the_receipt_of_what_is_out() {
    for world in worlds().await {
        for kind in [ErrorKind::QuotaExhausted, ErrorKind::CannotTell] {
            let (thread, tenant) = Thread::on(&world);
            let turn = async |post| {
                let job = world.only(post).await.job;
                tenant.work_on(job, LEASE).await.unwrap();
                world.only(post).await
            };
            let stopped = || {
                let error = Error::new(kind, "no more of it").with_platform(&Platform::X);
                Receipt::new("first").cut_short(error).unwrap_err()
            };
            thread.second.answer(Err(stopped()));
            let post = world.publish(When::Now).await;
            let unknown = turn(post).await;
            assert_eq!(unknown.state, PublicationState::Unknown);
            assert_eq!(unknown.error.as_ref().unwrap().kind, kind);
            assert_eq!(remote_id(&unknown), Some("first"));
            let resent = tenant.resend_unknown(unknown.id, "there are credits");
            resent.await.unwrap();
            thread.second.answer(Err(stopped()));
            let unknown = turn(post).await;
            assert_eq!(unknown.state, PublicationState::Unknown);
            assert_eq!(thread.parts(), ["first", "second", "second"]);
            let job = tenant.delete(unknown.id).await.unwrap();
            tenant.work_on(job, LEASE).await.unwrap();
            assert_eq!(world.only(post).await.state, PublicationState::Deleted);
        }
    }
}

#[tokio::test]
async fn a_resending_that_waits_for_its_account_never_goes_the_other_way() {
    for world in worlds().await {
        let second = world.another_account("2").await;
        let set = world.tenant.set_fallback(world.account.id, Some(second.id));
        set.await.unwrap();
        world.publisher.answer(Err(unknown()));
        let post = world.publish(When::Now).await;
        world.turn(post).await;
        world.clock.advance(chrono::Duration::minutes(30));
        let (lost, _) = world.turn(post).await;
        let no = Error::new(ErrorKind::Forbidden, "not yours");
        world.publisher.answer(Err(no));
        world
            .tenant
            .resend_unknown(lost.id, "why not")
            .await
            .unwrap();
        let (refused, _) = world.turn(post).await;
        assert_eq!(
            (refused.state, refused.via),
            (PublicationState::Unknown, None)
        );
    }
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_writes_no_verdict() {
    for world in worlds().await {
        let lost = Error::new(ErrorKind::LeaseLost, "the lease has passed on");
        world.publisher.answer(Err(lost));
        let post = world.publish(When::Now).await;
        let job = world.only(post).await.job;
        let short = Duration::from_secs(1);
        // Nobody settles the job: its lease has to run out.
        let worker = {
            let tenant = world.tenant.clone();
            tokio::spawn(async move { tenant.work_on(job, short).await })
        };
        while world.publisher.texts().is_empty() {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.only(post).await.state, PublicationState::Publishing);
        worker.abort();
    }
}

#[tokio::test]
async fn an_answer_without_sense_rejects_nothing_that_was_accepted() {
    for world in worlds().await {
        for kind in [
            ErrorKind::UnexpectedReply,
            ErrorKind::Config,
            ErrorKind::Internal,
            ErrorKind::Forbidden,
        ] {
            let post = world.accepted().await;
            world.publisher.poll_answer(Err(Error::new(kind, "odd")));
            world.clock.advance(chrono::Duration::hours(7));
            assert_eq!(world.turn(post).await.0.state, PublicationState::Accepted);
            world.clock.advance(chrono::Duration::hours(7));
            assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
        }
        // It goes on for a while, not for ever; then nobody knows.
        let post = world.accepted().await;
        for _ in 0..30 {
            let odd = Error::new(ErrorKind::UnexpectedReply, "odd");
            world.publisher.poll_answer(Err(odd));
            world.clock.advance(chrono::Duration::hours(7));
            world.turn(post).await;
        }
        assert_eq!(world.only(post).await.state, PublicationState::Unknown);
    }
}

#[tokio::test]
async fn the_platforms_word_on_what_it_accepted_is_final() {
    for world in worlds().await {
        for kind in [
            ErrorKind::ContentRefused,
            ErrorKind::InvalidInput,
            ErrorKind::NotFound,
        ] {
            let post = world.accepted().await;
            world.publisher.poll_answer(Err(Error::new(kind, "no")));
            world.clock.advance(chrono::Duration::hours(7));
            assert_eq!(world.turn(post).await.0.state, PublicationState::Rejected);
        }
        // Of others it is where the platform says for sure that it did not go out.
        for kind in [ErrorKind::Unauthorized, ErrorKind::RateLimited] {
            let post = world.accepted().await;
            let lost = Error::new(kind, "lost").with_elsewhere();
            let lost = lost.with_retry(Retry::Never).with_rule(NOT_SENT);
            let state = world.polled(post, lost).await;
            assert_eq!(state, PublicationState::Rejected, "{kind:?}");
            // As after every such word the host may send it again.
            world.tenant.retry(post).await.unwrap();
        }
    }
}

/// A workspace that was deleted, or an instance in whose place pages answer.
#[tokio::test]
async fn what_nobody_mends_at_the_platform_is_unknown_at_last() {
    let moved = || Error::new(ErrorKind::Config, "moved").with_platform(&Platform::X);
    for mended in [true, false] {
        for world in worlds().await {
            let taken = world.accepted().await;
            world.publisher.answer(Err(unknown()));
            let lost = world.publish(When::Now).await;
            world.turn(lost).await;
            let wrong = async || {
                let mut states = [PublicationState::Draft; 2];
                world.clock.advance(chrono::Duration::hours(2));
                for (post, state) in [taken, lost].into_iter().zip(&mut states) {
                    let before = world.only(post).await.state;
                    match before {
                        PublicationState::Accepted => world.publisher.poll_answer(Err(moved())),
                        PublicationState::Publishing => world.publisher.find_answer(Err(moved())),
                        _ => {}
                    }
                    *state = world.turn(post).await.0.state;
                }
                states
            };
            // Whoever has to mend it is given days.
            for _ in 0..140 {
                let waits = [PublicationState::Accepted, PublicationState::Publishing];
                assert_eq!(wrong().await, waits);
            }
            if mended {
                let found = Lookup::Found(Outcome::Done(Receipt::new("found")));
                world.publisher.find_answer(Ok(found));
                world.clock.advance(chrono::Duration::hours(7));
                for post in [taken, lost] {
                    assert_eq!(world.turn(post).await.0.state, PublicationState::Published);
                }
            } else {
                for _ in 0..40 {
                    wrong().await;
                }
                assert_eq!(wrong().await, [PublicationState::Unknown; 2]);
                // What was taken is asked for once more when it is mended after that.
                let id = world.only(taken).await.id;
                world.tenant.resend_unknown(id, "mended").await.unwrap();
                world.turn(taken).await;
                world.clock.advance(chrono::Duration::hours(7));
                let (end, _) = world.turn(taken).await;
                assert_eq!(end.state, PublicationState::Published);
            }
            assert_eq!(world.publisher.texts().len(), 2);
        }
    }
}
