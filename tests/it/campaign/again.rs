//! The same page once more.

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
    for campaigns in 1..=3 {
        let report = world.campaign().await.unwrap();
        assert!(!report.repeated);
        assert!(report.targets.iter().all(|t| t.status == "accepted"));
        assert_eq!(world.count(&mixpost::PLATFORM), 4 * campaigns);
        assert_eq!(world.stored().await.len(), campaigns);
        world.clock.advance(chrono::Duration::days(31));
        let now = world.store().now().await.unwrap();
        world.store().remove_ended(now, 1000).await.unwrap();
        let gone = world.tenant.campaign_report(report.run_id).await;
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
    }
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
