//! How many jobs go in and come out in a second, ours and the floors in turns.

use std::sync::Arc;

use crate::{
    Result,
    args::Args,
    place::Place,
    report::{Case, Rounds},
    shapes::{self, Queue},
};

pub(crate) async fn enqueue(place: &Place, args: &Args) -> Result<()> {
    for (case, producers, batch) in [
        ("1 producer, single", 1, 1),
        ("8 producers, single", 8, 1),
        ("64 producers, single", 64, 1),
        ("1 producer, batches of 100", 1, 100),
        ("8 producers, batches of 100", 8, 100),
    ] {
        if !case.contains(&args.case) {
            continue;
        }
        // A lone producer waits for each commit.
        let jobs = match (producers, batch) {
            (1, 1) => args.jobs / 10,
            (_, 1) => args.jobs,
            _ => args.jobs * 5,
        };
        let mut rounds = Rounds::new(Case::new("enqueue", case, place.kind().name()));
        for _ in 0..args.rounds {
            for side in args.sides() {
                let fresh = place.fresh(side, producers).await?;
                let sample = shapes::enqueue(fresh.queue.clone(), producers, batch, jobs).await?;
                rounds.add(side, sample);
                fresh.remove().await?;
            }
        }
        rounds.finish();
    }
    Ok(())
}

pub(crate) async fn drain(place: &Place, args: &Args) -> Result<()> {
    for (case, consumers, batch, jobs) in [
        ("16 in flight, single", 16, 1, args.jobs / 4),
        ("16 in flight, batches of 100", 16, 100, args.jobs * 2),
        ("4 in flight, batches of 500", 4, 500, args.jobs * 2),
        ("1 in flight, batches of 100", 1, 100, args.jobs),
    ] {
        if !case.contains(&args.case) {
            continue;
        }
        let mut rounds = Rounds::new(Case::new("drain", case, place.kind().name()));
        for _ in 0..args.rounds {
            for side in args.sides() {
                let fresh = place.fresh(side, consumers).await?;
                fill(fresh.queue.clone(), jobs).await?;
                place.settle_down().await?;
                let sample = shapes::drain(fresh.queue.clone(), consumers, batch).await?;
                if sample.jobs < jobs {
                    return Err(format!("{side}: {} of {jobs} came out", sample.jobs).into());
                }
                rounds.add(side, sample);
                fresh.remove().await?;
            }
        }
        rounds.finish();
    }
    Ok(())
}

async fn fill(queue: Arc<dyn Queue>, jobs: usize) -> Result<()> {
    shapes::enqueue(queue, 1, 1_000.min(jobs), jobs)
        .await
        .map(drop)
}
