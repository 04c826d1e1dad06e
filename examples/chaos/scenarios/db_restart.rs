//! A13: the database crashes and comes back, again and again, under load.

use std::time::Duration;

use super::Scenario;
use crate::{
    Result, arguments::Size, fake::FakeConfig, findings::Findings, rows, worker::Work, world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "db-restart",
    about: "the database crashes and is started again (--kills times) under load",
    size: Size {
        jobs: 900,
        kills: 4,
        ..Size::USUAL
    },
    least: |size| size.kills as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    if world.is_sqlite() {
        findings.note(
            "SQLite has no server: the file is locked by another process for half a second instead",
        );
    }
    let mut fake = world.fake(FakeConfig::default())?;
    let mut workers = world.workers(&fake, |config| config.max_crashes = 1000)?;
    let (jobs, times) = (world.size.jobs, world.size.kills);
    let acks = world
        .put(jobs, |_| Work {
            hold: 20,
            ..Work::default()
        })
        .await?;
    for time in 1..=times {
        world
            .until(&mut fake, "effects", time * jobs / (times + 1))
            .await?;
        world.away(Duration::from_millis(500)).await?;
        findings.hits += 1;
        world.say(format!(
            "away and back, {} effects",
            fake.log.count("effects")
        ));
    }
    world.rest(&mut fake).await?;
    for worker in &mut workers {
        findings.must(worker.alive(), "a worker died of it");
    }
    world.dismiss(&mut workers, findings).await?;
    let rows = rows::jobs(&world.place).await?;
    findings.jobs_done_once(&acks, &rows, &fake.entries());
    Ok(())
}
