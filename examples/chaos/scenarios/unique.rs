//! A9: of one unique key there are never two live jobs, and never none of what was acknowledged.

use std::{
    collections::HashSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use automarket::store::{Enqueued, NewJob};
use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    child::{Acks, append},
    fake::FakeConfig,
    findings::Findings,
    host::{Host, SignUp},
    place::Place,
    rows,
    wait::persist,
    worker::{TENANT, WORK, Work},
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "unique",
    about: "64 tasks in each of 2 processes put in jobs of few unique keys, half in transactions that roll back",
    size: Size {
        jobs: 20,
        seconds: 4,
        ..Size::USUAL
    },
    least: |_| 50,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: Some(|config| Box::pin(put(config))),
};

/// In each process.
const TASKS: usize = 64;

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let mut workers = world.workers(&fake, |_| {})?;
    Host::connect(&world.place).await?.create().await?;
    let mut processes = Vec::new();
    for n in 0..2 {
        let config = Config {
            place: world.place.clone(),
            acks: world.path(&format!("acks-{n}")),
            seed: world.random.u64(..),
            keys: world.size.jobs.max(1),
            seconds: world.size.seconds,
        };
        processes.push((
            world.process(&format!("put{n}"), &config)?,
            Acks::at(config.acks),
        ));
    }
    let mut wait = world.wait();
    while processes.iter_mut().any(|(process, _)| process.alive()) {
        let twice = rows::keys_held_twice(&world.place).await?;
        findings.must(twice == 0, format!("{twice} keys were held twice"));
        let said: usize = processes.iter().map(|(_, acks)| acks.read().len()).sum();
        wait.at(said, || "the processes do not end".to_owned())?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.rest(&mut fake).await?;
    world.dismiss(&mut workers, findings).await?;
    let mut acks = HashSet::new();
    for (process, said) in &mut processes {
        let status = process.ended(Duration::ZERO).await?;
        findings.must(
            status.is_some_and(|s| s.success()),
            "a process failed; see its log",
        );
        for line in said.read() {
            match line.split_once(' ') {
                Some(("existing", id)) => {
                    findings.hits += 1;
                    acks.insert(id.parse()?);
                }
                Some(("new", id)) => {
                    acks.insert(id.parse()?);
                }
                // Rolled back.
                _ => findings.hits += 1,
            }
        }
    }
    let rows = rows::jobs(&world.place).await?;
    let keys: HashSet<_> = rows.iter().filter_map(|row| row.key.as_ref()).collect();
    findings.must(
        keys.len() == world.size.jobs.max(1),
        "a key was never taken",
    );
    let acks: Vec<_> = acks.into_iter().collect();
    findings.jobs_done_once(&acks, &rows, &fake.entries());
    Ok(())
}

#[derive(Clone, Serialize, Deserialize)]
struct Config {
    place: Place,
    acks: PathBuf,
    seed: u64,
    keys: usize,
    seconds: u64,
}

async fn put(config: String) -> Result<()> {
    let config: Config = serde_json::from_str(&config)?;
    let store = config.place.open().await?;
    let tenant = automarket::TenantId::new(TENANT)?;
    let end = Instant::now() + Duration::from_secs(config.seconds);
    let tasks = (0..TASKS).map(|task| {
        let (config, store, tenant) = (config.clone(), store.clone(), tenant.clone());
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(config.seed.wrapping_add(task as u64));
            let mut host = Host::connect(&config.place).await?;
            // Each key is taken once, then they are drawn.
            let mut walk = (task..config.keys).step_by(TASKS);
            loop {
                let walked = walk.next();
                if walked.is_none() && Instant::now() > end {
                    break;
                }
                let key = walked.unwrap_or_else(|| random.usize(..config.keys));
                let key = format!("key-{key}");
                let line = if walked.is_some() || random.bool() {
                    let work = serde_json::to_value(Work::default())?;
                    let mut job = NewJob::new(tenant.clone(), WORK, work).unique(&key);
                    job.max_attempts = 1000;
                    match persist(|| store.enqueue(std::slice::from_ref(&job))).await?[0] {
                        Enqueued::New(id) => format!("new {id}"),
                        Enqueued::Existing(id) => format!("existing {id}"),
                    }
                } else {
                    let new = SignUp {
                        user: &key,
                        key: Some(&key),
                        commit: random.bool(),
                    };
                    match host.sign_up(&new).await? {
                        Some(id) => format!("new {id}"),
                        None => "rolled-back".to_owned(),
                    }
                };
                append(&config.acks, &[line])?;
                tokio::time::sleep(Duration::from_millis(random.u64(..20))).await;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(())
}
