//! A13, A14: the database is away for long; no worker dies, no completion is lost, and work resumes within 5 s.
//! PostgreSQL is stopped as by a crash. The SQLite file is first locked by another process's transaction, then
//! its disk is full.

use std::time::{Duration, Instant};

use super::Scenario;
use crate::{
    Result, arguments::Size, child::Child, fake::FakeConfig, findings::Findings, rows,
    worker::Work, world::World,
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
    // Each phase says for itself whether it hit.
    least: |_| 1,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    // Nothing takes so long that nobody can see whether work goes on.
    let (concurrency, hold) = world.pace(Duration::from_secs(6), 1000);
    let mut workers = world.workers(&fake, |config| {
        config.concurrency = concurrency;
        // What resumes does so within a poll that hosts do not shorten.
        config.poll = None;
    })?;
    let work = |_| Work {
        hold,
        ..Work::default()
    };
    let acks = world.put(world.size.jobs, work).await?;
    let time = Duration::from_secs(world.size.seconds);
    let quarter = world.size.jobs / 4;
    world.until(&mut fake, "effects", quarter).await?;
    world.away(time).await?;
    resumed(world, findings, "it was back").await?;
    if world.is_sqlite() {
        world.until(&mut fake, "effects", 2 * quarter).await?;
        full(world, &workers, time, findings).await?;
        resumed(world, findings, "its disk had room again").await?;
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
    tokio::time::sleep(Duration::from_secs(2)).await;
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

/// New work is taken soon, as the rows say: verdicts that were kept, and effects, are no sign of that.
pub(super) async fn resumed(world: &World, findings: &mut Findings, since: &str) -> Result<()> {
    let back = Instant::now();
    let before = last_taken(world).await?;
    let waiting = "SELECT count(*) FROM @queue WHERE NOT leased";
    let left = rows::count(&world.place, waiting).await?;
    findings.enough(&format!("jobs left when {since}:"), left.unsigned_abs(), 1);
    if left == 0 {
        return Ok(());
    }
    let mut wait = world.wait();
    while last_taken(world).await? <= before {
        wait.at((), || format!("nothing was taken since {since}"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let waited = back.elapsed().as_millis();
    findings.hits += 1;
    findings.note(format!("work resumed {waited} ms after {since}"));
    findings.must(
        waited < 5000,
        format!("work did not resume within 5 s after {since}"),
    );
    Ok(())
}

/// The highest fence there was: a job's first is the time of its claim.
async fn last_taken(world: &World) -> Result<i64> {
    let highest = "SELECT CAST(coalesce(max(fence), 0) AS bigint) FROM (
            SELECT fence FROM @queue UNION ALL SELECT fence FROM @ended) AS taken";
    rows::count(&world.place, highest).await
}
