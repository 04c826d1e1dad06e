//! A3: heartbeats keep a long job from a second start, also when the runtime stalls for a third of the lease.

use std::time::Duration;

use super::Scenario;
use crate::{
    Result, arguments::Size, fake::FakeConfig, findings::Findings, rows, worker::Work, world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "long-job",
    about: "jobs take three leases, and each worker's runtime stands still for 0.3 of one; none starts twice",
    size: Size {
        jobs: 12,
        lease: 3,
        ..Size::USUAL
    },
    least: |size| (size.jobs + size.workers) as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let lease = world.size.lease * 1000;
    // Each worker is to have a job.
    world.size.workers = world.size.workers.min(world.size.jobs).max(1);
    let share = world.size.jobs.div_ceil(world.size.workers);
    let mut workers = world.workers(&fake, |config| {
        config.concurrency = share.clamp(1, 16);
        // A stall of the runtime costs no call of another job its answer.
        config.answer_within = Duration::from_millis(3 * lease);
    })?;
    let work = |_| Work {
        told: true,
        block: lease * 3 / 10,
        hold: lease * 3,
        ..Work::default()
    };
    let acks = world.put(world.size.jobs, work).await?;
    world.rest(&mut fake).await?;
    world.dismiss(&mut workers, findings).await?;
    for worker in &mut workers {
        let said = worker.line()?;
        let standstill = said.split(' ').nth(2).ok_or("it did not say how it was")?;
        findings.hits += u64::from(standstill.parse::<u64>()? >= lease / 5);
        findings.note(format!("a runtime stood still for {standstill} ms"));
    }
    let rows = rows::jobs(&world.place).await?;
    for row in &rows {
        findings.must(
            row.attempts == 1 && row.crashes == 0,
            format!(
                "job {} had {} attempts and {} crashes",
                row.id, row.attempts, row.crashes
            ),
        );
    }
    let starts = fake.log.count("starts");
    findings.must(
        starts == acks.len(),
        format!("{starts} starts of {} jobs", acks.len()),
    );
    findings.hits += rows.len() as u64;
    findings.jobs_done_once(&acks, &rows, &fake.entries());
    Ok(())
}
