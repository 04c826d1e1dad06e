//! A1: no acknowledged job is lost when processes are killed at random, and none has its effect twice.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    child::{Acks, Child, append},
    fake::FakeConfig,
    findings::Findings,
    place::Place,
    rows,
    worker::{TENANT, WORK, Work},
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "storm",
    about: "producer and workers are killed at random: nothing is lost, nothing done twice",
    size: Size {
        jobs: 1500,
        workers: 3,
        kills: 12,
        ..Size::USUAL
    },
    least: |size| size.kills as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: Some(|config| Box::pin(produce(config))),
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let (jobs, kills) = (world.size.jobs, world.size.kills);
    let mut fake = world.fake(FakeConfig::default())?;
    // A job may be hit by many kills here; what poison is, is another scenario's question.
    let config = |world: &World, name: &str| {
        let mut config = world.worker_config(name, &fake);
        config.max_crashes = 1000;
        config
    };
    let configs: Vec<_> = (0..world.size.workers)
        .map(|n| config(world, &format!("w{n}")))
        .collect();
    let mut workers = configs
        .iter()
        .map(|c| world.worker(c))
        .collect::<Result<Vec<Child>>>()?;
    let produce = Produce {
        place: world.place.clone(),
        jobs,
        acks: world.path("acks"),
    };
    let acks = Acks::at(produce.acks.clone());
    let mut producer = world.process("producer", &produce)?;
    for kill in 1..=kills {
        // Spread over the work, so that each kill finds some.
        let wanted = (kill * jobs / (kills + 1)).max(1);
        let give_up = Instant::now() + Duration::from_secs(60) + 4 * world.lease();
        while fake.log.count("effects") < wanted {
            if Instant::now() > give_up {
                return Err(format!("stuck at {} effects", fake.log.count("effects")).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(world.random.u64(..50))).await;
        findings.kills += 1;
        if producer.alive() && world.random.u8(..4) == 0 {
            findings.hits += u64::from(producer.kill());
            producer = world.process("producer", &produce)?;
        } else {
            let victim = world.random.usize(..workers.len());
            findings.hits += u64::from(workers[victim].kill());
            workers[victim] = world.worker(&configs[victim])?;
        }
        if kill % (kills / 10).max(1) == 0 {
            world.say(format!(
                "{kill} kills, {} effects",
                fake.log.count("effects")
            ));
        }
    }
    if producer
        .ended(Duration::from_secs(120))
        .await?
        .is_none_or(|status| !status.success())
    {
        return Err("the producer did not come to its end".into());
    }
    world.rest(&mut fake).await?;
    world.dismiss(&mut workers, findings).await?;
    let acks: Vec<_> = acks
        .read()
        .iter()
        .filter_map(|id| id.parse().ok())
        .collect();
    findings.must(
        acks.len() >= jobs,
        format!("{} of {jobs} jobs were acknowledged", acks.len()),
    );
    findings.jobs_done_once(&acks, &rows::jobs(&world.place).await?, &fake.entries());
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Produce {
    place: Place,
    jobs: usize,
    acks: PathBuf,
}

/// Puts jobs in until so many are acknowledged, also by those before it.
async fn produce(config: String) -> Result<()> {
    let config: Produce = serde_json::from_str(&config)?;
    let store = config.place.open().await?;
    let tenant = automarket::Automarket::shared(store.clone())
        .build()?
        .tenant(TENANT)?;
    let acks = Acks::at(config.acks.clone());
    let mut left = config.jobs.saturating_sub(acks.read().len());
    while left > 0 {
        let count = left.min(20);
        let jobs: Result<Vec<_>> = (0..count)
            .map(|_| {
                let mut job = tenant.new_job(WORK, &Work::default())?;
                job.max_attempts = 1000;
                Ok(job)
            })
            .collect();
        let put = store.enqueue(&jobs?).await?;
        let ids: Vec<String> = put.into_iter().map(|job| job.id().to_string()).collect();
        append(&config.acks, &ids)?;
        left -= count;
    }
    Ok(())
}
