//! The same page once more.

use automarket::{
    Retry,
    core::hash::sha256,
    pipelines::campaign::{CAMPAIGN_JOB, REVIEW_TIME},
    store::{Claim, NewJob, Verdict},
};
use tokio::sync::Notify;

use super::*;

#[tokio::test]
async fn the_same_page_within_a_day_is_recognised_and_again_overrides() {
    let mut world = World::new().await;
    let first = world.campaign().await.unwrap();
    let before = world.counts();
    world.request.page = format!("{PAGE}?utm_source=mail#top");
    let second = world.campaign().await.unwrap();
    assert!(second.repeated);
    assert_eq!(second.run_id, first.run_id);
    assert_eq!(
        world.counts(),
        before,
        "nothing was read, published, recorded or told"
    );

    world.request.page = PAGE.into();
    world.request.again = true;
    let third = world.campaign().await.unwrap();
    assert!(!third.repeated);
    assert_eq!(world.count(&mixpost::PLATFORM), 8);

    world.request.again = false;
    world.clock.advance(chrono::Duration::hours(25));
    let next_day = world.campaign().await.unwrap();
    assert!(!next_day.repeated);
    assert_eq!(world.count(&mixpost::PLATFORM), 12);
}

#[tokio::test]
async fn a_page_whose_earlier_campaigns_are_forgotten_gets_another() {
    let world = World::new().await;
    for campaigns in 1..=4 {
        let report = world.campaign().await.unwrap();
        assert!(!report.repeated);
        assert!(report.targets.iter().all(|t| t.status == "accepted"));
        assert_eq!(world.count(&mixpost::PLATFORM), 4 * campaigns);
        let stored = world.stored().await;
        assert_eq!(stored.len(), campaigns);
        assert_eq!(stored[0].id, report.campaign_id, "newest first");
        world.clock.advance(chrono::Duration::days(31));
        let now = world.store().now().await.unwrap();
        world.store().remove_ended(now, 1000).await.unwrap();
        let gone = world.tenant.campaign_report(report.run_id).await;
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn the_same_page_asked_otherwise_within_a_day_is_refused() {
    let mut world = World::new().await;
    world.request.mode = Mode::Draft;
    world.start().await;
    for finished in [false, true] {
        world.request.mode = Mode::Immediate;
        // `again` is for one that has ended: the one under way is not what was asked for.
        world.request.again = !finished;
        let refused = world.campaign().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{finished}");
        assert_eq!(refused.rule(), Some("campaign.asked_otherwise"));
        (world.request.mode, world.request.again) = (Mode::Draft, false);
        world.request.targets.reverse();
        assert_eq!(world.campaign().await.unwrap().repeated, finished);
    }
    assert_eq!(world.count(&mixpost::PLATFORM), 4);
    world.request.mode = Mode::Immediate;
    world.request.again = true;
    let report = world.campaign().await.unwrap();
    assert!(!report.repeated);
    assert_eq!(world.count(&mixpost::PLATFORM), 8);
    let stored = world.tenant.stored_campaign(report.campaign_id).await;
    assert_eq!(stored.unwrap().post.id, report.targets[0].post.unwrap());
}

#[tokio::test]
async fn two_starts_at_once_are_one_campaign() {
    let world = World::new().await;
    let (one, two) = tokio::join!(
        world.tenant.start_campaign(&world.request),
        world.tenant.start_campaign(&world.request)
    );
    assert_eq!(one.unwrap().job, two.unwrap().job);
}

async fn dead(world: &World) -> Vec<JobId> {
    let dead = world.tenant.dead_jobs(9).await.unwrap();
    dead.into_iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn what_died_before_anything_was_handed_over_is_made_anew_when_asked_otherwise() {
    let mut world = World::new().await;
    let reader = world.request.source.account.unwrap();
    world.tenant.disconnect(reader).await.unwrap();
    for _ in 0..2 {
        let error = world.campaign().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert_eq!(dead(&world).await.len(), 1, "asked the same, it goes on");
    }
    let another = Account::new(world.tenant.id().clone(), firecrawl::PLATFORM, "another");
    let key = Credential::token(firecrawl::testing::KEY);
    let another = world.tenant.add_account(another, key).await.unwrap();
    world.request.source.account = Some(another.id);
    let report = world.campaign().await.unwrap();
    assert!(!dead(&world).await.contains(&report.run_id));
    assert_eq!(world.counts(), [1, 4, 9, 1]);
    assert!(world.campaign().await.unwrap().repeated);
}

#[tokio::test]
async fn what_died_with_its_posts_handed_over_is_not_made_twice() {
    let mut world = World::new().await;
    let away = FaultRule::on("/metadata", Fault::StatusBefore(503)).times(20);
    world.sandbox.faults().add(away);
    while dead(&world).await.is_empty() {
        assert!(world.campaign().await.is_err());
        world.clock.advance(chrono::Duration::hours(1));
    }
    let before = world.counts();
    let asked = world.request.clone();
    world.request.crm = Route::Disabled("it is down".into());
    let refused = world.campaign().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(refused.rule(), Some("campaign.handed_over"));
    let job = dead(&world).await[0];
    assert!(refused.remedy().unwrap().contains(&job.to_string()));
    assert_eq!(world.counts(), before);

    world.request = asked;
    let report = world.campaign().await.unwrap();
    assert_eq!(report.run_id, job);
    assert_eq!(world.counts(), [1, 4, 9, 1]);
}

#[tokio::test]
async fn what_was_called_off_with_its_posts_handed_over_is_not_made_twice() {
    let mut world = World::new().await;
    let away = FaultRule::on("/metadata", Fault::StatusBefore(503));
    world.sandbox.faults().add(away);
    world.campaign().await.unwrap_err();
    let job = world.start().await;
    let off = world.store().cancel_job(world.tenant.id(), job);
    assert!(off.await.unwrap());
    let before = world.counts();
    let refused = world.campaign().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(refused.rule(), Some("campaign.handed_over"));
    assert_eq!(world.counts(), before);

    world.request.again = true;
    assert!(!world.campaign().await.unwrap().repeated);
    assert_eq!(world.counts(), [2, 8, 9, 2]);
}

#[tokio::test]
async fn what_was_called_off_before_anything_was_handed_over_is_made_anew() {
    let world = World::new().await;
    let start = world.tenant.start_campaign(&world.request).await.unwrap();
    let off = world.store().cancel_job(world.tenant.id(), start.job);
    assert!(off.await.unwrap());
    let report = world.campaign().await.unwrap();
    assert_ne!(report.run_id, start.job);
    assert_eq!(world.counts(), [1, 4, 9, 1]);
}

/// "At once" is when it is handed over, however long the campaign was held up before.
#[tokio::test]
async fn an_immediate_campaign_that_was_held_up_for_hours_goes_out_when_it_goes_on() {
    let mut world = World::new().await;
    world.request.mode = Mode::Immediate;
    let away = StoreRule::on("put_campaign", StoreFault::FailBefore);
    world.store.faults().add(away);
    world.campaign().await.unwrap_err();
    world.clock.advance(chrono::Duration::hours(2));
    // Nor is it moved by what happens after.
    let lost = StoreRule::on("put_publishing", StoreFault::FailAfter);
    world.store.faults().add(lost);
    world.campaign().await.unwrap_err();
    world.clock.advance(chrono::Duration::minutes(5));
    let report = world.campaign().await.unwrap();
    for target in &report.targets {
        assert_eq!(target.status, "accepted", "{target:?}");
        let due = target.scheduled_at.unwrap().to_rfc3339();
        assert!(due.starts_with("2027-01-11T11:00:0"), "{due}");
    }
    assert_eq!(world.counts(), [1, 4, 9, 1]);
}

/// People have 24 hours to look, by the network's timetable or ours, however long the campaign was held up before.
#[tokio::test]
async fn a_campaign_for_review_that_was_held_up_leaves_24_hours_when_it_goes_on() {
    for (ours, lost) in [(false, "put_campaign"), (false, "put_publishing")]
        .into_iter()
        .chain([(true, "put_campaign"), (true, "put_publishing")])
    {
        let mut world = World::new().await;
        if ours {
            world = parts::without_a_timetable().await;
        }
        world
            .store
            .faults()
            .add(StoreRule::on(lost, StoreFault::FailBefore));
        world.campaign().await.unwrap_err();
        world.clock.advance(chrono::Duration::hours(26));
        let hour = world.store().now().await.unwrap() + REVIEW_TIME;
        // Nor is it moved by what happens after.
        let rule = StoreRule::on("put_publishing", StoreFault::FailAfter);
        world.store.faults().add(rule);
        world.campaign().await.unwrap_err();
        let [stored] = world.stored().await.try_into().unwrap();
        world.clock.advance(chrono::Duration::minutes(5));
        let report = world.campaign().await.unwrap();
        let status = if ours { "scheduled" } else { "accepted" };
        for target in &report.targets {
            assert_eq!(target.status, status, "{lost}: {target:?}");
            assert_eq!(target.scheduled_at, Some(hour), "{lost}");
        }
        let told = world.stored().await[0].post.delivery;
        let post = world.store().post(world.tenant.id(), stored.post.id);
        let handed = post.await.unwrap().unwrap().delivery;
        assert_eq!([told, stored.post.delivery], [handed; 2]);
        assert_eq!(handed.at(), (!ours).then_some(hour));
        if !ours {
            assert_eq!(world.counts(), [1, 4, 9, 1]);
        }
    }
}

#[tokio::test]
async fn two_who_go_on_with_what_died_go_on_with_one_campaign() {
    let world = World::new().await;
    let away = FaultRule::on("/metadata", Fault::StatusBefore(503)).times(20);
    world.sandbox.faults().add(away);
    while dead(&world).await.is_empty() {
        assert!(world.campaign().await.is_err());
        world.clock.advance(chrono::Duration::hours(1));
    }
    let held = Arc::new(Notify::new());
    let hold = StoreRule::on("redrive", StoreFault::Held(held.clone()));
    world.store.faults().add(hold);
    let slower = world.tenant.start_campaign(&world.request);
    let faster = async {
        while world.store.faults().hits() == 0 {
            tokio::task::yield_now().await;
        }
        let report = world.campaign().await.unwrap();
        held.notify_one();
        report
    };
    let (slower, faster) = tokio::join!(slower, faster);
    let slower = slower.unwrap();
    assert_eq!((slower.job, slower.repeated), (faster.run_id, true));
    assert_eq!(world.counts(), [1, 4, 9, 1]);
}

#[tokio::test]
async fn a_report_that_is_not_there_yet_says_when_to_ask_again() {
    let world = World::new().await;
    let id = world.tenant.id();
    let wait = async |job| {
        let error = world.tenant.campaign_report(job).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        error.retry()
    };
    let job = world.start().await;
    let second = Retry::After(Some(Duration::from_secs(1)));
    assert_eq!(wait(job).await, second);

    let limited = FaultRule::on("/metadata", Fault::RateLimited(Some("600")));
    world.sandbox.faults().add(limited);
    world.tenant.work_on(job, LEASE).await.unwrap();
    let Retry::After(Some(asked)) = wait(job).await else {
        panic!("no wait")
    };
    assert!((600..605).contains(&asked.as_secs()), "{asked:?}");

    world.clock.advance(chrono::Duration::minutes(11));
    let claim = Claim::new("another", 1).only(job).lease(LEASE);
    let lease = world.store().claim(&claim).await.unwrap().remove(0);
    assert_eq!(wait(job).await, second);
    world
        .store()
        .settle(&[(lease.token, Verdict::Release)])
        .await
        .unwrap();
    assert!(world.store().cancel_job(id, job).await.unwrap());
    let off = world.tenant.campaign_report(job).await.unwrap_err();
    assert_eq!(off.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn each_view_of_an_app_is_a_page_of_its_own() {
    let mut world = World::new().await;
    for (at, view) in VIEWS.into_iter().enumerate() {
        world.request.page = view.into();
        assert!(!world.campaign().await.unwrap().repeated);
        assert_eq!(world.count(&mixpost::PLATFORM), 4 * (at + 1));
        assert!(world.campaign().await.unwrap().repeated);
    }
    world.request.page = PAGE.into();
    world.campaign().await.unwrap();
    world.request.page = format!("{PAGE}#/");
    assert!(world.campaign().await.unwrap().repeated);
}

/// A version before knew all of them by the address without its fragment.
#[tokio::test]
async fn a_view_whose_campaign_a_version_before_began_is_recognised() {
    let mut world = World::new().await;
    world.request.page = VIEWS[0].into();
    let key = sha256("https://app.example/")[..32].to_owned();
    let job = NewJob::new(
        world.tenant.id().clone(),
        CAMPAIGN_JOB,
        json!(world.request),
    );
    let job = job.unique(key);
    let before = job.id;
    world.store().enqueue(&[job]).await.unwrap();
    assert_eq!(world.start().await, before);
    world.request.page = VIEWS[1].into();
    assert_ne!(world.start().await, before);
}
