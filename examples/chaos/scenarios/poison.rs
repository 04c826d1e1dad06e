//! A6: a job that ends its process is dead after three crashes, and the others go on.

use std::time::Duration;

use super::Scenario;
use crate::{
    Result, arguments::Size, fake::FakeConfig, findings::Findings, rows, worker::Work, world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "poison",
    about: "some jobs (--kills) abort their process; they die after 3 crashes, the others go on",
    size: Size {
        jobs: 150,
        kills: 2,
        ..Size::USUAL
    },
    least: |size| u64::from(CRASHES) * size.kills.min(size.jobs) as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

/// So many a job may be in.
const CRASHES: u32 = 3;

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let (jobs, poisons) = (world.size.jobs, world.size.kills);
    let every = (jobs / poisons.max(1)).max(1);
    let is_poison = |n: usize| n % every == every / 2 && n / every < poisons;
    let work = |n| Work {
        abort: is_poison(n),
        hold: 20,
        ..Work::default()
    };
    let acks = world.put(jobs, work).await?;
    let configs: Vec<_> = (0..world.size.workers)
        .map(|n| {
            let mut config = world.worker_config(&format!("w{n}"), &fake);
            config.max_crashes = CRASHES;
            config
        })
        .collect();
    let mut workers = configs
        .iter()
        .map(|c| world.worker(c))
        .collect::<Result<Vec<_>>>()?;
    let mut wait = world.wait();
    loop {
        let live = rows::live(&world.place).await?;
        if live == 0 {
            break;
        }
        let crashes = rows::count(
            &world.place,
            "SELECT CAST(coalesce(sum(crashes), 0) AS bigint) FROM @queue",
        )
        .await?;
        wait.at((live, crashes), || {
            format!("the queue is stuck: {live} jobs are live")
        })?;
        for (worker, config) in workers.iter_mut().zip(&configs) {
            if !worker.alive() {
                findings.kills += 1;
                *worker = world.worker(config)?;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.dismiss(&mut workers, findings).await?;
    let rows = rows::jobs(&world.place).await?;
    let mut collateral = 0;
    for row in &rows {
        let poison = row.payload["abort"] == true;
        if poison {
            findings.hits += row.crashes.unsigned_abs();
            findings.must(
                row.state == "dead" && row.crashes == i64::from(CRASHES),
                format!(
                    "poison {} is {} after {} crashes",
                    row.id, row.state, row.crashes
                ),
            );
        }
        collateral += usize::from(!poison && row.crashes > 0);
        findings.must(
            poison || row.state == "completed",
            format!(
                "{} is no poison, and {} after {} crashes",
                row.id, row.state, row.crashes
            ),
        );
    }
    findings.note(format!(
        "{collateral} innocent jobs were in a process that died"
    ));
    findings.done_once(&acks, &rows, &fake.entries(), |row| {
        row.payload["abort"] == true
    });
    Ok(())
}
