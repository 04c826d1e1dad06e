//! A4: a worker that is paused past its leases and resumed changes nothing.

use std::time::Duration;

use super::Scenario;
use crate::{
    Result, arguments::Size, fake::FakeConfig, findings::Findings, rows, worker::Work, world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "zombie",
    about: "a worker is stopped past its leases, others take its jobs, and it goes on",
    size: Size {
        jobs: 48,
        kills: 3,
        ..Size::USUAL
    },
    least: |size| (size.jobs * size.kills / 2) as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let jobs = world.size.jobs;
    world.size.workers = 2;
    // Until all have begun none is done.
    let hold = 800 + 10 * jobs as u64;
    let mut acks = Vec::new();
    for round in 0..world.size.kills {
        let configs = ["zombie", "other"].map(|name| {
            let mut config = world.worker_config(&format!("{name}{round}"), &fake);
            config.concurrency = jobs.max(1);
            config
        });
        let mut zombie = world.worker(&configs[0])?;
        let starts = fake.log.count("starts");
        let work = |_| Work {
            told: true,
            hold,
            ..Work::default()
        };
        acks.extend(world.put(jobs, work).await?);
        world.until(&mut fake, "starts", starts + jobs).await?;
        zombie.signal("STOP")?;
        let mut other = world.worker(&configs[1])?;
        taken_over(world).await?;
        // In one round the others are at work when it wakes, in the next they are done.
        if round % 2 == 1 {
            world.until(&mut fake, "effects", acks.len()).await?;
        }
        zombie.signal("CONT")?;
        world.rest(&mut fake).await?;
        // What the zombie still does, it does now.
        tokio::time::sleep(world.lease() / 2 + Duration::from_millis(hold)).await;
        findings.must(zombie.alive(), "the zombie died of it");
        world
            .dismiss(std::slice::from_mut(&mut zombie), findings)
            .await?;
        world
            .dismiss(std::slice::from_mut(&mut other), findings)
            .await?;
        world.say(format!(
            "round {round}: {} effects",
            fake.log.count("effects")
        ));
    }
    let rows = rows::jobs(&world.place).await?;
    findings.hits = rows.iter().filter(|row| row.crashes > 0).count() as u64;
    for row in &rows {
        let by = row.result.as_deref().unwrap_or_default();
        findings.must(
            row.crashes == 0 || by.contains("other"),
            format!("job {} was taken over, and its result is {by}", row.id),
        );
        findings.must(
            row.attempts == row.crashes + 1,
            format!(
                "job {} has {} crashes and {} attempts",
                row.id, row.crashes, row.attempts
            ),
        );
    }
    let entries = fake.entries();
    let of_zombie = |list| {
        let those = entries.iter().filter(|e| e.list == list);
        those.filter(|e| e.by.contains("zombie")).count()
    };
    let (early, late) = (of_zombie("effects"), of_zombie("late"));
    findings.note(format!(
        "{early} effects were the zombie's, before it was stopped"
    ));
    findings.must(
        late == 0,
        format!("the zombie asked for {late} effects of jobs that others had"),
    );
    findings.jobs_done_once(&acks, &rows, &entries);
    Ok(())
}

/// Waits until nobody but the zombie's successor has a job.
async fn taken_over(world: &World) -> Result<()> {
    let mut wait = world.wait();
    loop {
        let left = rows::count(
            &world.place,
            "SELECT count(*) FROM @queue WHERE crashes = 0",
        )
        .await?;
        if left == 0 {
            return Ok(());
        }
        wait.at(left, || format!("{left} jobs were not taken over"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
