//! A5: who takes over races with who completes; nothing finished is revived, nothing is lost.

use std::{collections::HashMap, time::Duration};

use super::Scenario;
use crate::{
    Result, arguments::Size, fake::FakeConfig, findings::Findings, rows, worker::Work, world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "rescue-race",
    about: "no heartbeat gets through, and jobs take as long as their lease",
    size: Size {
        jobs: 200,
        workers: 3,
        lease: 1,
        ..Size::USUAL
    },
    least: |size| (size.jobs as u64 / 10).min(10),
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let mut workers = world.workers(&fake, |config| {
        config.no_heartbeats = true;
    })?;
    let lease = world.size.lease * 1000;
    let seed = world.seed;
    // From well within the lease to a little beyond it; not each time, or the latter never end.
    let work = |n: usize| {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(n as u64));
        Work {
            hold: lease * 19 / 20 + random.u64(..lease / 5),
            sometimes: true,
            ..Work::default()
        }
    };
    let acks = world.put(world.size.jobs, work).await?;
    let mut ended = HashMap::<String, (String, i64, Option<String>)>::new();
    let mut wait = world.wait();
    loop {
        let rows = rows::jobs(&world.place).await?;
        for row in &rows {
            let now = (row.state.clone(), row.fence, row.result.clone());
            if let Some(before) = ended.get(&row.id) {
                findings.must(
                    *before == now,
                    format!("{} had ended as {before:?} and is {now:?}", row.id),
                );
            } else if row.ended() {
                ended.insert(row.id.clone(), now);
            }
        }
        if ended.len() == rows.len() && rows.len() >= acks.len() {
            break;
        }
        let over = ended.len();
        wait.at(over, || format!("{over} of {} jobs have ended", rows.len()))?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.dismiss(&mut workers, findings).await?;
    let rows = rows::jobs(&world.place).await?;
    for row in &rows {
        let by = row.result.as_deref().unwrap_or_default();
        findings.must(
            by.ends_with(&format!(" {}\"", row.attempts)),
            format!(
                "job {} was in attempt {}, and its result is {by}",
                row.id, row.attempts
            ),
        );
    }
    findings.hits = rows.iter().map(|row| row.crashes.unsigned_abs()).sum();
    findings.jobs_done_once(&acks, &rows, &fake.entries());
    Ok(())
}
