//! A9: of one unique key there are never two live jobs, and never none of what was acknowledged.

use std::{
    collections::HashSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use automarket::store::NewJob;
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
    let give_up = Instant::now() + Duration::from_secs(world.size.seconds + 60);
    while processes.iter_mut().any(|(process, _)| process.alive()) {
        let twice = rows::keys_held_twice(&world.place).await?;
        findings.must(twice == 0, format!("{twice} keys were held twice"));
        findings.must(Instant::now() < give_up, "the processes do not end");
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
    let tasks = (0..64).map(|task| {
        let (config, store, tenant) = (config.clone(), store.clone(), tenant.clone());
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(config.seed.wrapping_add(task));
            while Instant::now() < end {
                let key = format!("key-{}", random.usize(..config.keys));
                let line = if random.bool() {
                    let work = serde_json::to_value(Work::default())?;
                    let mut job = NewJob::new(tenant.clone(), WORK, work).unique(&key);
                    job.max_attempts = 1000;
                    match store.enqueue(&[job]).await?[0] {
                        automarket::store::Enqueued::New(id) => format!("new {id}"),
                        automarket::store::Enqueued::Existing(id) => format!("existing {id}"),
                    }
                } else {
                    let new = SignUp {
                        user: &key,
                        key: Some(&key),
                        commit: random.bool(),
                    };
                    // SQLite's lock is waited for without the runtime; so does each on a thread of its own.
                    let mut host = Host::connect(&config.place).await?;
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
