//! A13, A14: the database is away for long; no worker dies, no completion is lost, and work resumes within 5 s.

use std::time::Duration;

use automarket::core::chrono::Utc;

use super::Scenario;
use crate::{
    Result, arguments::Size, fake::FakeConfig, findings::Findings, rows, worker::Work, world::World,
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
    if world.is_sqlite() {
        findings.note("the SQLite file is locked exclusively by another process");
    }
    let mut fake = world.fake(FakeConfig::default())?;
    let mut workers = world.workers(&fake, |config| config.max_crashes = 1000)?;
    let acks = world
        .put(world.size.jobs, |_| Work {
            hold: 50,
            ..Work::default()
        })
        .await?;
    world
        .until(&mut fake, "effects", world.size.jobs / 4)
        .await?;
    world.away(Duration::from_secs(world.size.seconds)).await?;
    let back = Utc::now().timestamp_millis();
    world.say("the database is back");
    world.rest(&mut fake).await?;
    for worker in &mut workers {
        findings.must(worker.alive(), "a worker died of it");
    }
    world.dismiss(&mut workers, findings).await?;
    let entries = fake.entries();
    let next = entries
        .iter()
        .filter(|e| e.list == "effects" && e.at >= back)
        .map(|e| e.at - back)
        .min();
    match next {
        Some(wait) => {
            findings.hits = 1;
            findings.note(format!(
                "work resumed {wait} ms after the database was back"
            ));
            findings.must(wait < 5000, "work did not resume within 5 s");
        }
        None => findings.note("nothing was left to do when the database was back"),
    }
    findings.jobs_done_once(&acks, &rows::jobs(&world.place).await?, &entries);
    Ok(())
}
