//! How fast the queue is, beside the least that its database must do for the same: JSON lines on stdout.
//!
//! `cargo bench --bench queue -- --store both --what all`; what is measured and how is said in `benches/README.md`.

mod args;
mod claim;
mod floor_postgres;
mod floor_sqlite;
mod memory;
mod place;
mod process;
mod publish;
mod rates;
mod report;
mod shapes;
mod worker;

use args::{Args, What};
use automarket::core::async_trait;
use place::Place;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::read()?;
    if let Some(path) = &args.memory_of {
        return memory::child(path, args.seconds).await;
    }
    for store in &args.stores {
        let place = Place::new(*store).await?;
        report::line(&place.header(&args).await?);
        for what in &args.whats {
            match what {
                What::Enqueue => rates::enqueue(&place, &args).await?,
                What::Drain => rates::drain(&place, &args).await?,
                What::Worker => worker::drain(&place, &args).await?,
                What::Latency => worker::latency(&place, &args).await?,
                What::Idle => worker::idle(&place, &args).await?,
                What::Publish => publish::publish(&place, &args).await?,
                What::Claim => claim::claim(&place, &args).await?,
                What::Memory => memory::memory(&place, &args).await?,
            }
        }
    }
    Ok(())
}
