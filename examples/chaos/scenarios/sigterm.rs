//! A18: told to stop, five times over, a worker takes nothing new, lets jobs end, and hands the rest back.

use std::{collections::HashSet, time::Duration};

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

/// Much longer than jobs take: also on a machine under load, what has begun can end within it.
const GRACE: Duration = Duration::from_secs(4);
/// Milliseconds.
const HOLD: u64 = 1000;

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    // Each worker is to have a job that lasts longer than its grace.
    world.size.workers = world.size.workers.min(world.size.jobs).max(1);
    let (jobs, count) = (world.size.jobs, world.size.workers);
    let concurrency = jobs.div_ceil(count).clamp(1, 16);
    let mut workers = world.workers(&fake, |config| {
        config.grace = GRACE;
        config.concurrency = concurrency;
    })?;
    let work = |_| Work {
        told: true,
        hold: HOLD,
        long: 3_600_000,
        ..Work::default()
    };
    let acks = world.put(jobs, work).await?;
    let mut wait = world.wait();
    loop {
        let entries = fake.entries();
        let at_work: HashSet<_> = entries.iter().map(|entry| &entry.by).collect();
        let starts = fake.log.count("starts");
        if starts >= jobs || starts >= jobs / 4 && at_work.len() == count {
            break;
        }
        wait.at(starts, || format!("{starts} jobs were started"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
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
        match worker.ended(Duration::from_secs(60)).await? {
            Some(status) => {
                findings.must(status.success(), format!("a worker ended with {status}"))
            }
            None => findings.broken("a worker did not end"),
        }
    }
    // What was claimed when the signal came may start yet; who goes on claiming starts many times that.
    let late = fake
        .entries()
        .iter()
        .filter(|e| e.list == "starts" && e.at > told)
        .count();
    findings.must(
        late <= count * concurrency,
        format!("{late} jobs were started after the signal"),
    );
    // What had begun got its time: only each worker's long job was cut short.
    let entries = fake.entries();
    let of = |list| {
        let those = entries.iter().filter(move |e| e.list == list);
        those.map(|e| (&e.id, &e.by)).collect::<HashSet<_>>()
    };
    let cut = of("starts").difference(&of("effects")).count();
    findings.must(
        cut <= count,
        format!("{cut} jobs were cut short, {count} had to be"),
    );
    let rows = rows::jobs(&world.place).await?;
    let back = rows
        .iter()
        .filter(|row| row.state == "waiting" && row.fence > 0)
        .count();
    findings.note(format!(
        "{back} jobs were handed back, {cut} of them at work"
    ));
    findings.enough("jobs handed back:", back as u64, count as u64);
    for row in rows.iter().filter(|row| !row.ended()) {
        findings.must(
            row.state == "waiting" && row.attempts == 0 && row.crashes == 0,
            format!(
                "job {} is {} with {} attempts and {} crashes",
                row.id, row.state, row.attempts, row.crashes
            ),
        );
    }
    let mut config = world.worker_config("next", &fake);
    config.concurrency = 32;
    let mut next = world.worker(&config)?;
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
