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
