//! Versions of APIs that are about to end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use automarket::{
    Automarket, Platform,
    connectors::linkedin::{LinkedIn, LinkedInConfig},
    store::MemoryStore,
    testing::ManualClock,
};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Counts warnings.
#[derive(Default)]
struct Warnings(Arc<AtomicUsize>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn market(at: &str, config: LinkedInConfig) -> (Automarket, usize) {
    let warned = Arc::<AtomicUsize>::default();
    let market = tracing::subscriber::with_default(Warnings(warned.clone()), || {
        Automarket::builder(MemoryStore::new())
            .clock(Arc::new(ManualClock::parse(at)))
            .publisher(LinkedIn::new(config))
            .build()
    });
    (market.unwrap(), warned.load(Ordering::SeqCst))
}

#[test]
fn a_version_that_ends_within_90_days_is_told_of_and_warned_of_at_the_start() {
    let (quiet, warned) = market("2027-07-16T12:00:00Z", LinkedInConfig::default());
    assert_eq!((quiet.doctor().len(), warned), (0, 0));
    for at in ["2027-07-17T12:00:00Z", "2028-01-01T00:00:00Z"] {
        let (near, warned) = market(at, LinkedInConfig::default());
        let ends = near.doctor();
        assert_eq!((ends.len(), warned), (1, 1));
        assert_eq!(ends[0].platform, Platform::LINKEDIN);
        let said = ends[0].to_string();
        let config = LinkedInConfig::default();
        assert!(
            said.contains(&config.version) && said.contains("2027-10-15"),
            "{said}"
        );
    }
    // The host speaks another one.
    let newer = LinkedInConfig {
        version: "202709".to_owned(),
        ..LinkedInConfig::default()
    };
    let (moved, warned) = market("2027-10-01T12:00:00Z", newer);
    assert_eq!((moved.doctor().len(), warned), (0, 0));
}
