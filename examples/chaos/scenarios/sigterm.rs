//! A18: told to stop, five times over, a worker takes nothing new, lets jobs end, and hands the rest back.

use std::time::Duration;

use automarket::core::chrono::Utc;

use super::Scenario;
use crate::{
    Result, arguments::Size, fake::FakeConfig, findings::Findings, rows, worker::Work, world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "sigterm",
    about: "workers get five SIGTERMs while they work",
    size: Size {
        jobs: 200,
        lease: 30,
        ..Size::USUAL
    },
    least: |size| 5 * size.workers as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let mut workers = world.workers(&fake, |config| config.grace = Duration::from_secs(1))?;
    let count = workers.len();
    // A few last longer than the grace, where they start first.
    let work = |n: usize| Work {
        told: true,
        hold: if n.is_multiple_of(10) { 60_000 } else { 150 },
        only_on: n.is_multiple_of(10).then(|| format!("w{}", n / 10 % count)),
        ..Work::default()
    };
    let acks = world.put(world.size.jobs, work).await?;
    world
        .until(&mut fake, "starts", world.size.jobs / 4)
        .await?;
    let told = Utc::now().timestamp_millis();
    for round in 0..5 {
        for worker in &mut workers {
            findings.hits += u64::from(worker.alive());
            if worker.alive() {
                worker.signal("TERM")?;
            }
        }
        tokio::time::sleep(Duration::from_millis(20 + 30 * round)).await;
    }
    for worker in &mut workers {
        match worker.ended(Duration::from_secs(15)).await? {
            Some(status) => {
                findings.must(status.success(), format!("a worker ended with {status}"))
            }
            None => findings.broken("a worker did not end"),
        }
    }
    let late = fake
        .entries()
        .iter()
        .filter(|e| e.list == "starts" && e.at > told + 700)
        .count();
    findings.must(
        late == 0,
        format!("{late} jobs were started after the signal"),
    );
    let rows = rows::jobs(&world.place).await?;
    let back = rows
        .iter()
        .filter(|row| row.state == "waiting" && row.fence > 0)
        .count();
    findings.note(format!("{back} jobs were handed back"));
    findings.must(
        back > 0,
        "none was handed back: nothing was running longer than the grace",
    );
    for row in rows.iter().filter(|row| !row.ended()) {
        findings.must(
            row.state == "waiting" && row.attempts == 0 && row.crashes == 0,
            format!(
                "job {} is {} with {} attempts and {} crashes",
                row.id, row.state, row.attempts, row.crashes
            ),
        );
    }
    let mut next = world.worker(&world.worker_config("next", &fake))?;
    world.rest(&mut fake).await?;
    world
        .dismiss(std::slice::from_mut(&mut next), findings)
        .await?;
    let rows = rows::jobs(&world.place).await?;
    for row in &rows {
        findings.must(
            row.attempts == 1,
            format!("job {} used {} attempts", row.id, row.attempts),
        );
    }
    findings.jobs_done_once(&acks, &rows, &fake.entries());
    Ok(())
}
