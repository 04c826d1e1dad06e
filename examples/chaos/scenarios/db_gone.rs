//! A13, A14: the database is away for long; no worker dies, no completion is lost, and work resumes within 5 s.
//! PostgreSQL is stopped as by a crash. The SQLite file is first locked by another process's transaction, then
//! its disk is full.

use std::time::Duration;

use automarket::core::chrono::Utc;

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    child::Child,
    fake::FakeConfig,
    findings::Findings,
    rows,
    worker::Work,
    world::{Fake, World},
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "db-gone",
    about: "the database is away for --seconds in the middle of the work",
    size: Size {
        jobs: 600,
        seconds: 20,
        lease: 5,
        ..Size::USUAL
    },
    least: |_| 1,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let mut workers = world.workers(&fake, |config| config.max_crashes = 1000)?;
    let acks = world
        .put(world.size.jobs, |_| Work {
            hold: 50,
            ..Work::default()
        })
        .await?;
    let time = Duration::from_secs(world.size.seconds);
    let quarter = world.size.jobs / 4;
    world.until(&mut fake, "effects", quarter).await?;
    world.away(time).await?;
    resumed(world, &mut fake, findings, "it was back").await?;
    if world.is_sqlite() {
        world.until(&mut fake, "effects", 2 * quarter).await?;
        full(world, &workers, time, findings).await?;
        resumed(world, &mut fake, findings, "its disk had room again").await?;
    }
    world.rest(&mut fake).await?;
    for worker in &mut workers {
        findings.must(worker.alive(), "a worker died of it");
    }
    world.dismiss(&mut workers, findings).await?;
    findings.jobs_done_once(&acks, &rows::jobs(&world.place).await?, &fake.entries());
    Ok(())
}

/// No worker can write on in its files for a while.
async fn full(
    world: &World,
    workers: &[Child],
    time: Duration,
    findings: &mut Findings,
) -> Result<()> {
    world.say("the disk is full");
    for worker in workers {
        worker.limit_files(Some(4096))?;
    }
    // What was written up to now may still be seen a little later.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = rows::live(&world.place).await?;
    tokio::time::sleep(time).await;
    let after = rows::live(&world.place).await?;
    findings.must(
        before == after,
        "jobs ended although nothing could be written",
    );
    for worker in workers {
        worker.limit_files(None)?;
    }
    Ok(())
}

/// Work goes on soon.
async fn resumed(
    world: &World,
    fake: &mut Fake,
    findings: &mut Findings,
    since: &str,
) -> Result<()> {
    let back = Utc::now().timestamp_millis();
    let before = fake.log.count("effects");
    if rows::live(&world.place).await? == 0 {
        findings.note(format!("nothing was left to do when {since}"));
        return Ok(());
    }
    world.until(fake, "effects", before + 1).await?;
    let wait = Utc::now().timestamp_millis() - back;
    findings.hits += 1;
    findings.note(format!("work resumed {wait} ms after {since}"));
    findings.must(
        wait < 5000,
        format!("work did not resume within 5 s after {since}"),
    );
    Ok(())
}
