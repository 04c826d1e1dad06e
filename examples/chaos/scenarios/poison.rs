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
        lease: 1,
        ..Size::USUAL
    },
    least: |size| 3 * size.kills as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let (jobs, poisons) = (world.size.jobs, world.size.kills.max(1));
    let every = (jobs / poisons).max(1);
    let is_poison = |n: usize| n % every == every / 2 && n / every < poisons;
    let work = |n| Work {
        abort: is_poison(n),
        hold: 20,
        ..Work::default()
    };
    let acks = world.put(jobs, work).await?;
    let configs: Vec<_> = (0..world.size.workers)
        .map(|n| world.worker_config(&format!("w{n}"), &fake))
        .collect();
    let mut workers = configs
        .iter()
        .map(|c| world.worker(c))
        .collect::<Result<Vec<_>>>()?;
    let mut quiet = 0;
    while rows::live(&world.place).await? > 0 {
        for (worker, config) in workers.iter_mut().zip(&configs) {
            if !worker.alive() {
                findings.kills += 1;
                findings.hits += 1;
                *worker = world.worker(config)?;
            }
        }
        quiet += 1;
        if quiet > 1200 {
            return Err("the queue is stuck".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.dismiss(&mut workers, findings).await?;
    let rows = rows::jobs(&world.place).await?;
    let mut collateral = 0;
    for row in &rows {
        let poison = row.payload["abort"] == true;
        if poison {
            findings.must(
                row.state == "dead" && row.crashes == 3,
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
