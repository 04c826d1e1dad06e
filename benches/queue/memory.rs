//! How much memory a worker takes with a million jobs waiting.

use std::{process::Stdio, time::Duration};

use automarket::{Automarket, core::chrono, pipeline::Run, store::NewJob};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    Result,
    args::Args,
    place::{self, Place, acme},
    process,
    report::{self, Case},
    shapes,
};

/// Fills a database and lets a process of its own work on it.
pub(crate) async fn memory(place: &Place, args: &Args) -> Result<()> {
    let fresh = place.store(4).await?;
    let later = fresh.store.now().await? + chrono::Duration::days(1);
    for first in (0..args.waiting).step_by(1_000) {
        // Half of them are ready.
        let batch = (first..first + 1_000).map(|number| {
            let job = NewJob::new(acme(), "work", shapes::payload(number));
            if number % 2 == 0 {
                job.run_at(later)
            } else {
                job
            }
        });
        fresh.store.enqueue(&batch.collect::<Vec<_>>()).await?;
    }
    let child = Command::new(std::env::current_exe()?)
        .args([
            "--memory-of",
            &place.address(&fresh.name),
            "--seconds",
            &args.seconds.to_string(),
        ])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.wait_with_output().await?;
    let measured: Value = serde_json::from_slice(&output.stdout)?;
    Case::new(
        "memory",
        format!("one worker, {} waiting", args.waiting),
        place.kind().name(),
    )
    .line(measured);
    fresh.remove().await
}

/// The process that works: its memory before the worker, and at the most while it drains.
pub(crate) async fn child(address: &str, seconds: u64) -> Result<()> {
    let empty = process::resident();
    let market = Automarket::shared(place::open(address).await?)
        .job("work", |_: Value, _: Run| async { Ok(()) })
        .build()?;
    let before = process::resident();
    let mut most = before;
    let watch = async {
        for _ in 0..seconds * 20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            most = most.max(process::resident());
        }
    };
    market.worker().concurrency(100).run_until(watch).await?;
    let mebibytes = |bytes: u64| report::round(bytes as f64 / 1048576.0);
    report::line(&json!({
        "process_mib": mebibytes(empty), "with_store_mib": mebibytes(before), "most_mib": mebibytes(most),
        "grew_mib": mebibytes(most - before),
    }));
    Ok(())
}
