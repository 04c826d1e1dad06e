//! What a request gives wrongly: whoever made the slip is told, and no operator is called.

use automarket::{
    ErrorKind, PageSource, Retry,
    core::{Context, async_trait, source::Page},
};

use super::*;

/// Reads nothing, for the reason that the address names.
pub(super) struct Reasons;

pub(super) const REASONS: Platform = Platform::from_static("reasons");

#[async_trait]
impl PageSource for Reasons {
    async fn read(&self, cx: &Context, address: &str) -> automarket::Result<Page> {
        if address == "keyless" {
            cx.token()?;
        }
        Err(match address {
            "gone" => automarket::Error::new(ErrorKind::NotFound, "no such page"),
            "walled" => automarket::core::source::answered(403),
            "odd" => automarket::Error::invalid("page", "an odd page").with_rule("page.odd"),
            _ => automarket::Error::new(ErrorKind::Internal, "broken"),
        })
    }
}

#[tokio::test]
async fn an_address_that_its_source_does_not_read_is_refused_at_once() {
    let mut world = World::new().await;
    for (page, kind) in [
        ("not an address", ErrorKind::InvalidInput),
        ("ftp://acme.example/", ErrorKind::InvalidInput),
        ("http://127.0.0.1/", ErrorKind::Refused),
    ] {
        world.request.page = page.into();
        let refused = world.tenant.start_campaign(&world.request).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind(), refused.field()), (kind, Some("page")));
        assert!(
            refused.report().contains("firecrawl"),
            "{}",
            refused.report()
        );
    }
    assert_eq!(
        world.store().queue_stats().await.unwrap(),
        Default::default()
    );
}

#[tokio::test]
async fn what_died_of_its_page_says_so_and_is_no_problem_of_health() {
    let mut world = World::new().await;
    world.request.source = Tool::of(REASONS);
    let problems = async |world: &World| {
        let health = world.tenant.market().health().await;
        let dead = health.problems.into_iter();
        dead.filter(|problem| problem.contains("dead"))
            .collect::<Vec<_>>()
    };
    for (page, kind, rule) in [
        ("gone", ErrorKind::NotFound, None),
        ("walled", ErrorKind::Forbidden, None),
        ("odd", ErrorKind::InvalidInput, Some("page.odd")),
    ] {
        world.request.page = page.into();
        let died = world.campaign().await.unwrap_err();
        assert_eq!((died.kind(), died.retry()), (kind, Retry::Never));
        assert_eq!((died.field(), died.rule()), (Some("page"), rule));
        assert_eq!(
            died.to_string().matches("[field page]").count(),
            1,
            "{died}"
        );
    }
    assert_eq!(problems(&world).await, [""; 0]);

    world.request.page = "broken".into();
    let died = world.campaign().await.unwrap_err();
    assert_eq!((died.field(), died.rule()), (None, None));
    assert_eq!(problems(&world).await, ["1 jobs are dead"]);
}

#[tokio::test]
async fn bad_requests_name_their_field() {
    async fn refused(spoil: impl FnOnce(&mut CampaignRequest)) -> (ErrorKind, String) {
        let mut world = World::new().await;
        spoil(&mut world.request);
        let error = world.campaign().await.unwrap_err();
        assert!(
            world
                .store()
                .jobs(world.tenant.id(), JobState::Dead, 1)
                .await
                .unwrap()
                .is_empty()
        );
        let credentials = world.tenant.credentials().await.unwrap();
        assert!(credentials.iter().all(|held| !held.needs_reauth));
        (error.kind(), error.field().unwrap_or_default().to_owned())
    }
    let is = |kind, field: &str| (kind, field.to_owned());
    let (unknown, nobody) = (|| Platform::from_static("nobody"), AccountId::new);
    use ErrorKind::{Config, InvalidInput, NotFound};

    let twice = refused(|r| r.targets.push(r.targets[0].clone())).await;
    assert_eq!(twice, is(InvalidInput, "targets"));
    let none = refused(|r| r.targets.clear()).await;
    assert_eq!(none, is(InvalidInput, "targets"));
    let missing = refused(|r| r.targets[2].route = Route::Account(nobody())).await;
    assert_eq!(missing, is(NotFound, "targets"));
    let network = refused(|r| {
        r.targets[2].network = unknown();
        r.targets[2].route = Route::Disabled("off".into());
    });
    assert_eq!(network.await, is(InvalidInput, "targets"));
    let another = refused(|r| r.targets[2].route = r.targets[3].route.clone()).await;
    assert_eq!(another, is(InvalidInput, "targets"));
    let no_publisher = refused(|r| {
        r.targets[2].network = twenty::PLATFORM;
        r.targets[2].route = r.crm.clone();
    })
    .await;
    assert_eq!(no_publisher, is(Config, "targets"));

    let no_room = refused(|r| r.voice.disclosure = Some("Capital at risk. ".repeat(27)));
    assert_eq!(no_room.await, is(InvalidInput, "voice.disclosure"));

    let source = refused(|r| r.source.platform = unknown()).await;
    assert_eq!(source, is(Config, "source"));
    let source = refused(|r| r.source.account = Some(nobody())).await;
    assert_eq!(source, is(NotFound, "source"));
    // A credential goes to its own platform alone.
    let source = refused(|r| r.source.account = Some(account(&r.crm))).await;
    assert_eq!(source, is(InvalidInput, "source"));
    let generator = refused(|r| r.generator = Tool::of(unknown())).await;
    assert_eq!(generator, is(Config, "generator"));
    let generator = refused(|r| r.generator.account = Some(nobody())).await;
    assert_eq!(generator, is(NotFound, "generator"));
    let generator = refused(|r| {
        r.generator.account = Some(account(&r.targets[0].route));
    });
    assert_eq!(generator.await, is(InvalidInput, "generator"));
    let crm = refused(|r| r.crm = Route::Account(nobody())).await;
    assert_eq!(crm, is(NotFound, "crm"));
    let no_crm = refused(|r| r.crm = r.notify.clone()).await;
    assert_eq!(no_crm, is(Config, "crm"));
    let notify = refused(|r| r.notify = Route::Account(nobody())).await;
    assert_eq!(notify, is(NotFound, "notify"));
    let no_notifier = refused(|r| r.notify = r.crm.clone()).await;
    assert_eq!(no_notifier, is(Config, "notify"));
}

#[tokio::test]
async fn a_disclosure_is_measured_where_something_is_to_be_published() {
    let mut world = World::new().await;
    let long = "Capital at risk. ".repeat(27);
    world.request.voice.disclosure = Some(long);
    for target in &mut world.request.targets {
        if target.network == Platform::X {
            target.route = Route::Disabled("off".into());
        }
    }
    world.tenant.start_campaign(&world.request).await.unwrap();
}
