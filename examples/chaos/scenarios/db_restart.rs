//! A13: the database crashes and comes back, and loses connections, again and again, under load; no verdict is lost.

use std::{collections::BTreeMap, time::Duration};

use super::{Scenario, db_gone::resumed};
use crate::{
    Result,
    arguments::Size,
    fake::FakeConfig,
    findings::Findings,
    log::Entry,
    rows::{self, JobRow},
    worker::Work,
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "db-restart",
    about: "the database crashes and is started again (--kills times) under load; between, connections are cut at random",
    size: Size {
        jobs: 900,
        kills: 4,
        // Longer than it is ever away: nothing runs out.
        lease: 30,
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
    let mut workers = world.workers(&fake, |config| {
        config.concurrency = concurrency;
        config.poll = None;
    })?;
    let work = |_| Work {
        hold,
        told: true,
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
        world.away(Duration::from_millis(500)).await?;
        findings.kills += 1;
        resumed(world, findings, "it was back").await?;
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
    verdicts_kept(findings, &rows, fake.log.entries());
    Ok(())
}

/// No job that had begun was taken from a worker that lives: its verdict was kept until it was written. (A claim whose
/// answer was lost counts a crash, and begins nothing.)
fn verdicts_kept(findings: &mut Findings, rows: &[JobRow], log: &[Entry]) {
    let mut begun = BTreeMap::<&str, usize>::new();
    for entry in log.iter().filter(|entry| entry.list == "starts") {
        *begun.entry(&entry.id).or_default() += 1;
    }
    for row in rows.iter().filter(|row| row.crashes > 0) {
        let times = begun.get(row.id.as_str()).copied().unwrap_or_default();
        findings.must(
            times <= 1,
            format!("job {} begun {times} times: a verdict was lost", row.id),
        );
    }
}
