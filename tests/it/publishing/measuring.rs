//! What comes of what was published, point by point.

use automarket::{
    JobId, PublicationId,
    core::{Metrics, chrono::TimeDelta},
    store::Job,
    testing::{FaultStore, StoreFault, StoreRule},
};
use serde_json::json;

use super::*;

impl World {
    /// The same world with a publisher that measures.
    async fn measured() -> Vec<Self> {
        let mut worlds = worlds().await;
        for world in &mut worlds {
            let market = market(
                world.market().store().clone(),
                &world.clock,
                world.publisher.clone().measuring(),
            );
            world.tenant = market.tenant("acme").unwrap();
        }
        worlds
    }

    /// Runs the publication's measuring, if its time has come.
    async fn measure(&self, publication: PublicationId) -> Job {
        let job = JobId::derived(&format!("measure {publication}"));
        self.tenant.work_on(job, LEASE).await.unwrap()
    }

    /// Waits until the publication is to be measured.
    async fn until_due(&self, publication: PublicationId) {
        let waiting = self.measure(publication).await;
        assert_eq!(waiting.state, JobState::Waiting);
        let now = self.market().store().now().await.unwrap();
        self.clock.advance(waiting.run_at - now);
    }

    /// The hours after publishing at which there are points, and their likes.
    async fn series(&self, publication: &Publication) -> Vec<(i64, Option<u64>)> {
        let series = self.tenant.measurements(publication.id).await.unwrap();
        let since = publication.updated_at;
        let point =
            |m: &automarket::store::Measurement| ((m.as_of - since).num_hours(), m.metrics.likes);
        series.iter().map(point).collect()
    }
}

fn likes(likes: u64) -> Metrics {
    Metrics {
        likes: Some(likes),
        raw: [("favorite_count".to_owned(), json!(likes))].into(),
        ..Metrics::default()
    }
}

#[tokio::test]
async fn a_published_post_is_measured_at_each_of_its_times_and_no_more() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        for (hours, count) in [(1, 5), (24, 7), (168, 11), (720, 13)] {
            world.until_due(publication.id).await;
            world.publisher.measure_answer(Ok(likes(count)));
            world.measure(publication.id).await;
            let newest = world.series(&publication).await.pop();
            assert_eq!(newest, Some((hours, Some(count))));
        }
        assert_eq!(
            world.measure(publication.id).await.state,
            JobState::Completed
        );
        let all = world.tenant.measurements(publication.id).await.unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].source, Platform::X);
        assert_eq!(all[0].metrics.raw["favorite_count"], 5);
        assert_eq!(all[0].metrics.views, None, "missing is not zero");
        let since = all[1].as_of;
        let read = world.tenant.measurements_since(since, 2).await.unwrap();
        assert_eq!(read, all[1..3]);
    }
}

#[tokio::test]
async fn an_outage_ends_in_one_measurement() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        world.clock.advance(TimeDelta::days(3));
        for _ in 0..2 {
            world.measure(publication.id).await;
        }
        assert_eq!(world.series(&publication).await, [(72, None)]);
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_ever_more_rarely_and_the_next_point_comes_all_the_same() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        world.until_due(publication.id).await;
        let mut tries = 0;
        let next = publication.updated_at + TimeDelta::hours(24);
        loop {
            let down = Error::new(ErrorKind::Unavailable, "down");
            world.publisher.measure_answer(Err(down));
            let job = world.measure(publication.id).await;
            assert_eq!((job.state, job.failures.len()), (JobState::Waiting, 0));
            tries += 1;
            world
                .clock
                .advance(job.run_at - world.market().store().now().await.unwrap());
            if job.run_at >= next {
                break;
            }
        }
        assert!((5..20).contains(&tries), "{tries}");
        assert_eq!(world.series(&publication).await, []);
        world.publisher.measure_answer(Ok(likes(1)));
        world.measure(publication.id).await;
        assert_eq!(world.series(&publication).await, [(24, Some(1))]);
    }
}

#[tokio::test]
async fn a_short_wait_is_no_reason_to_ask_without_end() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        world.until_due(publication.id).await;
        let wait = Retry::After(Some(Duration::from_secs(5)));
        let down = Error::new(ErrorKind::Unavailable, "down").with_retry(wait);
        world.publisher.measure_answer(Err(down));
        let job = world.measure(publication.id).await;
        let pause = job.run_at - world.market().store().now().await.unwrap();
        assert!(pause > TimeDelta::minutes(4), "{pause}");
    }
}

#[tokio::test]
async fn a_wait_that_leads_out_of_the_calendar_ends_at_the_next_point() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        world.until_due(publication.id).await;
        let wait = Retry::After(Some(Duration::from_secs(8_300_000_000_000)));
        let down = Error::new(ErrorKind::Unavailable, "down").with_retry(wait);
        world.publisher.measure_answer(Err(down));
        let job = world.measure(publication.id).await;
        assert_eq!((job.state, job.failures.len()), (JobState::Waiting, 0));
        let after = job.run_at - publication.updated_at;
        assert_eq!(after.num_hours(), 24);
    }
}

#[tokio::test]
async fn a_post_that_is_gone_or_deleted_ends_its_series() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let gone = world.turn(post).await.0;
        let post = world.publish(When::Now).await;
        let deleted = world.turn(post).await.0;
        let job = world.tenant.delete(deleted.id).await.unwrap();
        world.tenant.work_on(job, LEASE).await.unwrap();
        world.until_due(gone.id).await;
        world.clock.advance(TimeDelta::minutes(1));
        let answer = Error::new(ErrorKind::NotFound, "no such post");
        world.publisher.measure_answer(Err(answer));
        for publication in [gone.id, deleted.id] {
            let job = world.measure(publication).await;
            assert_eq!(job.state, JobState::Completed);
            assert_eq!(world.tenant.measurements(publication).await.unwrap(), []);
        }
        let refused = world.tenant.measure_now(deleted.id).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn an_odd_answer_is_asked_about_again_and_an_end_at_the_last_point_says_why() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        for kind in [
            ErrorKind::UnexpectedReply,
            ErrorKind::QuotaExhausted,
            ErrorKind::TooLarge,
        ] {
            world.until_due(publication.id).await;
            world.publisher.measure_answer(Err(Error::new(kind, "odd")));
            world.measure(publication.id).await;
            let again = world.measure(publication.id).await;
            let now = world.market().store().now().await.unwrap();
            assert_eq!(again.run_at - now, TimeDelta::minutes(5), "{kind:?}");
        }
        world.until_due(publication.id).await;
        world.measure(publication.id).await;
        assert_eq!(world.series(&publication).await.len(), 1);

        world.clock.advance(TimeDelta::days(30));
        let refused = Error::new(ErrorKind::Forbidden, "no rights to its numbers");
        world.publisher.measure_answer(Err(refused));
        let job = world.measure(publication.id).await;
        assert_eq!(job.state, JobState::Completed);
        let why = job.result.unwrap()["ended"].to_string();
        assert!(why.contains("no rights to its numbers"), "{why}");
    }
}

#[tokio::test]
async fn a_post_is_the_sum_of_its_accounts() {
    for world in World::measured().await {
        let other = world.another_account("2").await;
        let silent = world.another_account("3").await;
        let accounts = [world.account.id, other.id, silent.id];
        let post = Post::text("everywhere");
        let post = world
            .tenant
            .publish(post, accounts, When::Now)
            .await
            .unwrap();
        let publications = world.tenant.publications(post).await.unwrap();
        for (publication, answers) in publications.iter().zip([&[1, 2][..], &[40], &[]]) {
            world.tenant.work_on(publication.job, LEASE).await.unwrap();
            for count in answers {
                world.publisher.measure_answer(Ok(likes(*count)));
                world.clock.advance(TimeDelta::minutes(1));
                world.tenant.measure_now(publication.id).await.unwrap();
            }
        }
        let metrics = world.tenant.post_metrics(post).await.unwrap();
        assert_eq!((metrics.sum.likes, metrics.sum.views), (Some(42), None));
        assert_eq!(metrics.newest.len(), 2);
        let now = world.market().store().now().await.unwrap() + TimeDelta::seconds(1);
        let removed = world.market().store().remove_measurements(now, 9).await;
        assert_eq!(removed.unwrap(), 3);
    }
}

#[tokio::test]
async fn nothing_is_measured_where_nobody_can_or_wants_to() {
    for world in worlds().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        let job = JobId::derived(&format!("measure {}", publication.id));
        let job = world.market().store().job(world.tenant.id(), job).await;
        assert_eq!(job.unwrap(), None);
        let refused = world.tenant.measure_now(publication.id).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn a_store_that_refuses_ends_no_series_and_three_crashes_do() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        world.until_due(publication.id).await;
        let store = FaultStore::new(world.market().store().clone());
        let refused = StoreRule::on("measurements", StoreFault::FailBefore);
        store.faults().add(refused.times(u32::MAX));
        let market = market(
            Arc::new(store),
            &world.clock,
            world.publisher.clone().measuring(),
        );
        let tenant = market.tenant("acme").unwrap();
        let job = JobId::derived(&format!("measure {}", publication.id));
        for _ in 0..25 {
            let waits = tenant.work_on(job, LEASE).await.unwrap();
            assert_eq!(waits.state, JobState::Waiting);
            world.clock.advance(TimeDelta::minutes(50));
        }
        world.clock.advance(TimeDelta::hours(2));
        world.measure(publication.id).await;
        assert_eq!(world.series(&publication).await.len(), 1);

        world.until_due(publication.id).await;
        for _ in 0..3 {
            let claim = Claim::new("gone", 1).only(job);
            let store = world.market().store();
            let leases = store.claim(&claim.lease(LEASE)).await.unwrap();
            assert_eq!(leases.len(), 1);
            world.clock.advance(TimeDelta::minutes(1));
        }
        assert_eq!(world.measure(publication.id).await.state, JobState::Dead);
    }
}

#[tokio::test]
async fn an_account_that_is_connected_again_is_measured_on() {
    for world in World::measured().await {
        let post = world.publish(When::Now).await;
        let publication = world.turn(post).await.0;
        world.until_due(publication.id).await;
        let account = world.account.clone();
        assert!(world.tenant.remove_account(account.id).await.unwrap());
        assert_eq!(world.measure(publication.id).await.state, JobState::Waiting);
        let back = world.tenant.add_account(account, Credential::token("t"));
        back.await.unwrap();
        world.until_due(publication.id).await;
        world.publisher.measure_answer(Ok(likes(5)));
        world.measure(publication.id).await;
        assert_eq!(world.series(&publication).await.len(), 1);
    }
}
