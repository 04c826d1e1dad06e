//! A19: the flood of one tenant delays another's few jobs by less than 5 s.

use std::time::Duration;

use automarket::core::chrono::Utc;

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    fake::FakeConfig,
    findings::Findings,
    rows,
    worker::{TENANT, Work},
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "fairness",
    about: "a tenant with --jobs jobs waiting, and another with 10",
    size: Size {
        jobs: 20_000,
        lease: 30,
        ..Size::USUAL
    },
    least: |_| 1,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

const FEW: usize = 10;

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    // The flood lasts longer than the few may wait, though no job of it does.
    let (jobs, workers) = (world.size.jobs.max(1), world.size.workers);
    let concurrency = (jobs / (80 * workers)).clamp(1, 16);
    let hold = (8000 * workers * concurrency / jobs).min(50) as u64;
    let mut workers = world.workers(&fake, |config| config.concurrency = concurrency)?;
    let work = |_| Work {
        hold,
        ..Work::default()
    };
    // And may itself wait for as long as it takes.
    world.grace = Duration::from_secs(86_400);
    world.put_for(TENANT, world.size.jobs, work).await?;
    let some = world.size.jobs.min(20);
    world.until(&mut fake, "effects", some).await?;
    world.say("the flood is in");
    let put = Utc::now().timestamp_millis();
    let few = world.put_for("small", FEW, work).await?;
    let ids: Vec<String> = few.iter().map(ToString::to_string).collect();
    let mine = |fake: &mut crate::world::Fake| {
        let entries = fake.entries();
        entries
            .into_iter()
            .filter(|e| ids.contains(&e.id))
            .collect::<Vec<_>>()
    };
    let mut wait = world.wait();
    while mine(&mut fake).len() < FEW {
        let effects = fake.log.count("effects");
        wait.at(effects, || "nothing is done any more".to_owned())?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.dismiss(&mut workers, findings).await?;
    let done = mine(&mut fake);
    let slowest = done.iter().map(|e| e.at - put).max().unwrap_or(i64::MAX);
    findings.note(format!("the last of the few was done after {slowest} ms"));
    findings.must(slowest < 5000, "the few waited for 5 s or longer");
    let rows = rows::jobs(&world.place).await?;
    let waiting = rows.iter().filter(|row| !row.ended()).count();
    // Only while the flood waits does it say anything.
    findings.hits = u64::from(waiting > 0);
    findings.note(format!("{waiting} of the flood were left when it was over"));
    findings.jobs_done_once(&few, &rows, &done);
    Ok(())
}
