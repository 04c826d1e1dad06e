//! The CRM and the notice: what fails there fails alone.

use super::*;

fn account(route: &Route) -> AccountId {
    match route {
        Route::Account(id) => *id,
        Route::Disabled(why) => panic!("{why}"),
    }
}

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
