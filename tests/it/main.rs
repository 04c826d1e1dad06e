//! The package's one integration-test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

#[path = "../../examples/chaos/connectors.rs"]
#[allow(dead_code, reason = "chaos wants more of each")]
mod connectors;

use automarket::store::postgres::testing::Cluster;
use tokio::sync::OnceCell;

mod accounts;
mod campaign;
mod connect;
mod direct;
mod doctor;
mod everywhere;
mod faults;
mod linkedin;
mod live;
mod loopback;
mod media;
mod media_host;
mod probe;
mod publishing;
mod quickstart;
mod same_words;
mod telemetry;
mod tenants;
mod worker;
mod workspace;
mod x;

/// The one PostgreSQL of these tests; `None` when there is none to be had.
async fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceCell<Option<Cluster>> = OnceCell::const_new();
    let start = || async { Cluster::start().await.unwrap() };
    CLUSTER.get_or_init(start).await.as_ref()
}
