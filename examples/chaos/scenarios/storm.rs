//! A1: no acknowledged job is lost when processes are killed at random, and none has its effect twice.

use std::{path::PathBuf, time::Duration};

use automarket::JobId;
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
    wait::persist,
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
    // Work for about as long as the kills take.
    let (concurrency, hold) = world.pace(Duration::from_millis(600) * (kills as u32 + 1), 5000);
    let configs: Vec<_> = (0..world.size.workers)
        .map(|n| {
            let mut config = world.worker_config(&format!("w{n}"), &fake);
            config.concurrency = concurrency;
            config
        })
        .collect();
    let mut workers = configs
        .iter()
        .map(|c| world.worker(c))
        .collect::<Result<Vec<Child>>>()?;
    let produce = Produce {
        place: world.place.clone(),
        seed: world.seed,
        jobs,
        hold,
        acks: world.path("acks"),
    };
    let acks = Acks::at(produce.acks.clone());
    let mut producer = world.process("producer", &produce)?;
    for kill in 1..=kills {
        // Spread over the work where there is enough of it, so that each kill finds some.
        let wanted = if jobs < 4 * kills {
            0
        } else {
            kill * jobs / (kills + 1)
        };
        world.until(&mut fake, "effects", wanted).await?;
        tokio::time::sleep(Duration::from_millis(world.random.u64(..50))).await;
        let mut wait = world.wait();
        let (mut producing, mut live) = (true, 0);
        while producing && live == 0 {
            producing = producer.alive();
            live = rows::live(&world.place).await?;
            let put = acks.read().len();
            wait.at(put, || {
                format!("the producer has put in {put} of {jobs} jobs")
            })?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if live == 0 {
            findings.note(format!("after {} kills all was done", kill - 1));
            break;
        }
        findings.kills += 1;
        if world.random.u8(..4) == 0 && producer.alive() {
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
    let mut wait = world.wait();
    let produced = loop {
        if let Some(status) = producer.ended(Duration::from_millis(100)).await? {
            break status;
        }
        let put = acks.read().len();
        wait.at(put, || {
            format!("the producer has put in {put} of {jobs} jobs")
        })?;
    };
    findings.must(produced.success(), "the producer failed; see its log");
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
    seed: u64,
    jobs: usize,
    hold: u64,
    acks: PathBuf,
}

/// Puts jobs in until so many are acknowledged. Their ids follow from their numbers: what those before it put in
/// and could not write down any more is put in again, and is there already.
async fn produce(config: String) -> Result<()> {
    let config: Produce = serde_json::from_str(&config)?;
    let store = config.place.open().await?;
    let tenant = automarket::Automarket::shared(store.clone())
        .build()?
        .tenant(TENANT)?;
    let work = Work {
        hold: config.hold,
        ..Work::default()
    };
    let done = Acks::at(config.acks.clone()).read().len();
    for first in (done..config.jobs).step_by(20) {
        let numbers = first..config.jobs.min(first + 20);
        let jobs = numbers.map(|n| {
            let mut job = tenant.new_job(WORK, &work)?;
            job.id = JobId::derived(&format!("{} {n}", config.seed));
            job.max_attempts = 1000;
            Ok(job)
        });
        let jobs = jobs.collect::<Result<Vec<_>>>()?;
        let put = persist(|| store.enqueue(&jobs)).await?;
        let ids: Vec<String> = put.iter().map(|job| job.id().to_string()).collect();
        append(&config.acks, &ids)?;
    }
    Ok(())
}
