//! A13: the database crashes and comes back, and loses connections, again and again, under load.

use std::time::Duration;

use super::Scenario;
use crate::{
    Result, arguments::Size, fake::FakeConfig, findings::Findings, rows, worker::Work, world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "db-restart",
    about: "the database crashes and is started again (--kills times) under load; between, connections are cut at random",
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
    let (jobs, times) = (world.size.jobs, world.size.kills);
    let lasting = Duration::from_millis(1500) * (times as u32 + 1);
    let (concurrency, hold) = world.pace(lasting, 5000);
    let mut workers = world.workers(&fake, |config| config.concurrency = concurrency)?;
    let work = |_| Work {
        hold,
        ..Work::default()
    };
    let acks = world.put(jobs, work).await?;
    let mut cut = 0;
    for time in 1..=times {
        // Spread over the work where there is enough of it.
        let spread = if jobs < 4 * times { 0 } else { jobs };
        let wanted = |halves: usize| halves * spread / (2 * (times + 1));
        world
            .until(&mut fake, "effects", wanted(2 * time - 1))
            .await?;
        cut += world.cut().await?;
        world.until(&mut fake, "effects", wanted(2 * time)).await?;
        let live = rows::live(&world.place).await?;
        world.away(Duration::from_millis(500)).await?;
        findings.kills += 1;
        findings.hits += u64::from(live > 0);
        world.say(format!(
            "away and back, {} effects",
            fake.log.count("effects")
        ));
    }
    findings.note(format!("{cut} connections were cut"));
    world.rest(&mut fake).await?;
    for worker in &mut workers {
        findings.must(worker.alive(), "a worker died of it");
    }
    world.dismiss(&mut workers, findings).await?;
    let rows = rows::jobs(&world.place).await?;
    findings.jobs_done_once(&acks, &rows, &fake.entries());
    Ok(())
}
