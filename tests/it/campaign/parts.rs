//! The CRM and the notice: what fails there fails alone.

use automarket::{
    When,
    content::CampaignStatus,
    core::{Clock as _, http_types::Method},
};
use serde_json::Value;

use super::*;

fn failed<T: std::fmt::Debug>(part: &Part<T>) -> ErrorKind {
    match part {
        Part::Failed { error } => error.kind,
        part => panic!("{part:?}"),
    }
}

#[tokio::test]
async fn an_account_that_has_to_be_connected_again_fails_alone() {
    let world = World::new().await;
    let crm = account(&world.request.crm);
    world.tenant.disconnect(crm).await.unwrap();
    let report = world.campaign().await.unwrap();
    assert_eq!(failed(&report.crm), ErrorKind::Unauthorized);
    assert!(report.notified);
    assert_eq!(world.count(&mixpost::PLATFORM), 4);

    let world = World::new().await;
    let chat = account(&world.request.notify);
    world.tenant.disconnect(chat).await.unwrap();
    let report = world.campaign().await.unwrap();
    assert_eq!(failed(&report.notice), ErrorKind::Unauthorized);
    assert!(!report.notified);
    assert!(matches!(report.crm, Part::Done { .. }));
}

#[tokio::test]
async fn an_account_that_was_erased_while_the_campaign_waited_fails_alone() {
    let world = World::new().await;
    let start = world.tenant.start_campaign(&world.request).await.unwrap();
    let crm = account(&world.request.crm);
    assert!(world.tenant.remove_account(crm).await.unwrap());
    world.tenant.work_on(start.job, LEASE).await.unwrap();
    let report = world.tenant.campaign_report(start.job).await.unwrap();
    assert_eq!(failed(&report.crm), ErrorKind::NotFound);
    assert!(report.notified);
}

#[tokio::test]
async fn a_crm_that_is_away_holds_up_no_notice_and_is_told_later() {
    let world = World::new().await;
    let away = FaultRule::on("/metadata", Fault::StatusBefore(503));
    world.sandbox.faults().add(away);
    let error = world.campaign().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.counts()[1..], [4, 0, 1]);
    world.clock.advance(chrono::Duration::hours(1));
    let report = world.campaign().await.unwrap();
    assert!(matches!(report.crm, Part::Done { .. }));
    assert!(report.notified);
    assert_eq!(world.counts()[1..], [4, 9, 1]);
}

#[tokio::test]
async fn the_stored_campaign_stands_as_the_crm_is_told() {
    let mut world = World::new().await;
    world.request.mode = Mode::Immediate;
    let away = FaultRule::on("/metadata", Fault::StatusBefore(503));
    world.sandbox.faults().add(away);
    let busy = FaultRule::on("/posts", Fault::StatusBefore(503)).method(Method::POST);
    world.sandbox.faults().add(busy.times(4));
    world.campaign().await.unwrap_err();
    assert_eq!(world.stored().await[0].status, CampaignStatus::Scheduled);
    // The workers publish; the CRM is told of it in the next run.
    world.clock.advance(chrono::Duration::hours(1));
    finish_publications(&world).await;
    world.clock.advance(chrono::Duration::hours(1));
    world.campaign().await.unwrap();
    assert_eq!(recorded(&world).0, "ACTIVE");
    assert_eq!(world.stored().await[0].status, CampaignStatus::Active);
}

/// The campaign's status, and its posts with their times, as the CRM has them.
fn recorded(world: &World) -> (Value, Vec<(Value, Value)>) {
    let records = world.sandbox.effects(&twenty::PLATFORM);
    let campaign = records.iter().find(|r| r["campaignType"].is_string());
    let posts = records.iter().filter(|r| r["characterCount"].is_number());
    let posts = posts.map(|r| (r["platform"].clone(), r["scheduledAt"].clone()));
    (campaign.unwrap()["campaignStatus"].clone(), posts.collect())
}

#[tokio::test]
async fn crm_and_notice_are_told_of_what_is_out_or_to_come() {
    let mut world = World::new().await;
    world.request.targets[1].route = Route::Disabled("not now".into());
    let refused = FaultRule::on("/posts", Fault::Reply(422, "{}"));
    world.sandbox.faults().add(refused.method(Method::POST));
    let report = world.campaign().await.unwrap();
    let of = |target: &TargetReport| (target.status.clone(), target.scheduled_at.is_some());
    let told: Vec<_> = report.targets.iter().map(of).collect();
    let is = |status: &str, told| (status.to_owned(), told);
    let (off, on) = (
        [is("rejected", false), is("disabled", false)],
        is("accepted", true),
    );
    assert_eq!(told, [&off[..], &[on.clone(), on]].concat());
    let (status, posts) = recorded(&world);
    assert_eq!(status, "SCHEDULED");
    let networks: Vec<_> = posts.iter().map(|(network, _)| network).collect();
    assert_eq!(networks, ["instagram", "facebook"]);
    assert_eq!(world.count(&twenty::PLATFORM), 5);
    assert_eq!(world.stored().await[0].status, CampaignStatus::Scheduled);

    let mut world = World::new().await;
    world.request.generator = Tool::of(texts::WORDY);
    world.request.voice.banned = vec!["Acme".into()];
    let report = world.campaign().await.unwrap();
    assert!(report.targets.iter().all(|t| of(t) == is("refused", false)));
    assert_eq!(recorded(&world), ("DRAFT".into(), Vec::new()));
    assert_eq!(world.stored().await[0].status, CampaignStatus::Draft);
    let notice = world.sandbox.effects(&slack::PLATFORM)[0].to_string();
    assert!(
        notice.contains("refused") && !notice.contains("goes out"),
        "{notice}"
    );

    let mut world = World::new().await;
    world.request.mode = Mode::Immediate;
    world.campaign().await.unwrap();
    let (status, posts) = recorded(&world);
    assert_eq!((status, posts.len()), ("ACTIVE".into(), 4));
    let notice = world.sandbox.effects(&slack::PLATFORM)[0].to_string();
    assert!(notice.contains("goes out"), "{notice}");
}

/// What was handed over is what the campaign goes by from then on.
#[tokio::test]
async fn a_target_whose_account_changes_after_its_post_is_out_stands_as_it_was_sent() {
    let world = World::new().await;
    let away = FaultRule::on("/metadata", Fault::StatusBefore(503));
    world.sandbox.faults().add(away);
    let start = world.tenant.start_campaign(&world.request).await.unwrap();
    let job = world.tenant.work_on(start.job, LEASE).await.unwrap();
    assert_eq!(job.state, JobState::Waiting);
    let [linkedin, x, ..] = &world.request.targets[..] else {
        panic!("four targets")
    };
    let erased = world.tenant.remove_account(account(&linkedin.route));
    assert!(erased.await.unwrap());
    let id = account(&x.route);
    let other = world
        .store()
        .account(world.tenant.id(), id)
        .await
        .unwrap()
        .unwrap();
    let other = other.on_network(Platform::FACEBOOK);
    world.store().put_account(&other).await.unwrap();
    world.clock.advance(chrono::Duration::hours(1));
    world.tenant.work_on(start.job, LEASE).await.unwrap();
    let report = world.tenant.campaign_report(start.job).await.unwrap();
    for target in &report.targets {
        assert_eq!(target.status, "accepted", "{}", target.platform);
        assert!(target.publication.is_some());
    }
    assert_eq!(world.counts()[1..], [4, 9, 1]);
}

/// A world in which all posts wait here, as X keeps no timetable.
pub(super) async fn without_a_timetable() -> World {
    let mut world = World::new().await;
    let tenant = world.tenant.id().clone();
    let x = Account::new(tenant, Platform::X, "1");
    let x = world.tenant.add_account(x, Credential::token("t"));
    world.request.targets[1].route = Route::Account(x.await.unwrap().id);
    world
}

#[tokio::test]
async fn what_is_moved_and_edited_is_told_of_as_it_stands() {
    for away in [false, true] {
        let world = without_a_timetable().await;
        if away {
            let away = FaultRule::on("/metadata", Fault::StatusBefore(503));
            world.sandbox.faults().add(away);
        }
        let job = world.start().await;
        world.tenant.work_on(job, LEASE).await.unwrap();
        let [campaign] = world.stored().await.try_into().unwrap();
        let (id, mut edited) = (campaign.post.id, campaign.post);
        for variant in edited.networks.values_mut() {
            variant.text = Some("Acme Cloud 2 is out.".into());
            variant.link = "https://acme.example/other".parse().ok();
        }
        let next_week = world.clock.now() + chrono::Duration::days(7);
        world.tenant.edit(id, edited).await.unwrap();
        let moved = world.tenant.reschedule(id, When::At(next_week));
        assert_eq!(moved.await.unwrap().len(), 4);

        world.clock.advance(chrono::Duration::hours(1));
        world.tenant.work_on(job, LEASE).await.unwrap();
        let report = world.tenant.campaign_report(job).await.unwrap();
        for target in &report.targets {
            assert_eq!(target.status, "scheduled", "{target:?}");
            assert_eq!(target.scheduled_at, Some(next_week));
            assert!(
                target.text.starts_with("Acme Cloud 2 is out."),
                "{target:?}"
            );
            assert_eq!(target.length, target.text.len());
        }
        let other = "https://acme.example/other";
        let link = |target: &TargetReport| target.link.as_ref().map(ToString::to_string);
        assert!(report.targets.iter().all(|t| link(t).unwrap() == other));
        let x = &report.targets[1];
        assert_eq!(x.text, format!("Acme Cloud 2 is out.\n\n{other}"));
        if away {
            let records = world.sandbox.effects(&twenty::PLATFORM);
            let posts = records.iter().filter(|r| r["characterCount"].is_number());
            for (post, target) in posts.zip(&report.targets) {
                assert_eq!(post["content"], target.text);
                assert_eq!(post["characterCount"], target.length);
            }
            let mut links = records.iter().filter(|r| r["href"].is_string());
            assert!(links.all(|r| r["href"] == other), "{records:?}");
            let (_, posts) = recorded(&world);
            assert_eq!(posts.len(), 4);
            let hour = json!(next_week);
            assert!(posts.iter().all(|(_, at)| *at == hour), "{posts:?}");
        }
    }
}

#[tokio::test]
async fn what_was_missed_and_is_tried_again_has_an_hour_again() {
    let world = without_a_timetable().await;
    let report = world.campaign().await.unwrap();
    world.clock.advance(chrono::Duration::days(9));
    finish_publications(&world).await;
    let later = world.tenant.campaign_report(report.run_id).await.unwrap();
    let missed = |t: &TargetReport| t.status == "missed" && t.scheduled_at.is_none();
    assert!(later.targets.iter().all(missed), "{:?}", later.targets);
    let post = world.stored().await[0].post.id;
    world.tenant.retry(post).await.unwrap();
    let later = world.tenant.campaign_report(report.run_id).await.unwrap();
    let now = Some(world.clock.now());
    assert!(
        later.targets.iter().all(|t| t.scheduled_at == now),
        "{:?}",
        later.targets
    );
}

/// A world whose notices a bot tells: it can look for what it lost.
async fn with_a_bot() -> World {
    let mut world = World::new().await;
    let tenant = world.tenant.id().clone();
    let bot = Account::new(tenant, slack::PLATFORM, slack::testing::CHANNEL);
    let token = Credential::token(slack::testing::TOKEN);
    let bot = world.tenant.add_account(bot, token).await.unwrap();
    world.request.notify = Route::Account(bot.id);
    world
}

/// Runs the campaign until it ends, an hour between its attempts.
async fn at_last(world: &World) -> CampaignReport {
    for _ in 0..25 {
        if let Ok(report) = world.campaign().await {
            return report;
        }
        world.clock.advance(chrono::Duration::hours(1));
    }
    panic!("it does not end");
}

#[tokio::test]
async fn a_notice_whose_answer_is_lost_is_looked_for() {
    for fault in [
        Fault::CutAfter,
        Fault::StatusAfter(502),
        Fault::CutBefore,
        Fault::StatusBefore(502),
    ] {
        let world = with_a_bot().await;
        let rule = FaultRule::on("chat.postMessage", fault.clone());
        world.sandbox.faults().add(rule);
        let error = world.campaign().await.unwrap_err();
        assert!(error.report().contains("slack"), "{}", error.report());
        let report = at_last(&world).await;
        assert!(report.notified, "{fault:?}: {:?}", report.notice);
        assert_eq!(world.counts()[1..], [4, 9, 1], "{fault:?}");
    }
}

#[tokio::test]
async fn a_notice_of_which_nobody_can_tell_fails_alone() {
    // A webhook cannot be asked.
    let world = World::new().await;
    let lost = FaultRule::on("/services/", Fault::CutAfter);
    world.sandbox.faults().add(lost);
    let report = at_last(&world).await;
    assert_eq!(failed(&report.notice), ErrorKind::CannotTell);
    assert_eq!(world.counts()[1..], [4, 9, 1]);

    // The look fails, for as long as the campaign is tried.
    let world = with_a_bot().await;
    let faults = world.sandbox.faults();
    faults.add(FaultRule::on("chat.postMessage", Fault::CutAfter));
    faults.add(FaultRule::on("conversations.history", Fault::StatusBefore(503)).times(1_000));
    let report = at_last(&world).await;
    assert_eq!(failed(&report.notice), ErrorKind::Unavailable);
    assert_eq!(world.counts()[1..], [4, 9, 1]);
    assert_eq!(faults.hits().len(), 20);
}
