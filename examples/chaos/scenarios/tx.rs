//! A8: the host's row and our job commit together or not at all, also when the host is killed.

use std::{collections::HashSet, path::PathBuf, time::Duration};

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
    wait::Stuck,
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "tx",
    about: "the host enqueues inside its own transactions, rolls back, and is killed",
    size: Size {
        jobs: 400,
        kills: 8,
        ..Size::USUAL
    },
    least: |size| size.kills as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: Some(|config| Box::pin(host(config))),
};

/// The end of the names whose transactions are rolled back.
const UNDONE: &str = "-undone";

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut fake = world.fake(FakeConfig::default())?;
    let mut workers = world.workers(&fake, |_| {})?;
    let connection = Host::connect(&world.place).await?;
    connection.create().await?;
    let (jobs, kills) = (world.size.jobs, world.size.kills);
    let acks = Acks::at(world.path("acks"));
    for kill in 0..=kills {
        let config = Config {
            place: world.place.clone(),
            acks: world.path("acks"),
            seed: world.random.u64(..),
        };
        let mut process = world.process("host", &config)?;
        // Nobody is killed before there was anything to kill.
        let wanted = (jobs * (kill + 1) / (kills + 1)).max(acks.read().len() + 1);
        let mut wait = world.wait();
        loop {
            let done = acks.read().len();
            if done >= wanted {
                break;
            }
            wait.at(done, || format!("{done} of {wanted} users signed up"))?;
            if !process.alive() {
                return Err(Stuck("the host failed; see process-host.log".into()).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(world.random.u64(..20))).await;
        findings.kills += 1;
        findings.hits += u64::from(process.kill());
    }
    world.rest(&mut fake).await?;
    world.dismiss(&mut workers, findings).await?;
    let (rows, users) = (rows::jobs(&world.place).await?, connection.users().await?);
    let (jobs, with_user) = (ids(&rows, |row| &row.id), ids(&users, |(_, job)| job));
    for (name, job) in &users {
        findings.must(
            jobs.contains(job.as_str()),
            format!("{name} is there without its job"),
        );
        findings.must(
            !name.ends_with(UNDONE),
            format!("{name} is there, and was rolled back"),
        );
    }
    for row in &rows {
        let with = with_user.contains(row.id.as_str());
        findings.must(with, format!("job {} is there without its user", row.id));
    }
    for job in acks.read() {
        findings.must(
            with_user.contains(job.as_str()),
            format!("{job} was acknowledged, and its user is not there"),
        );
    }
    // What committed is acknowledged, also where a kill kept the host from writing that down.
    let committed: Vec<_> = with_user.iter().filter_map(|id| id.parse().ok()).collect();
    findings.jobs_done_once(&committed, &rows, &fake.entries());
    Ok(())
}

fn ids<T>(all: &[T], id: impl Fn(&T) -> &String) -> HashSet<&str> {
    all.iter().map(|one| id(one).as_str()).collect()
}

#[derive(Serialize, Deserialize)]
struct Config {
    place: Place,
    acks: PathBuf,
    seed: u64,
}

/// Signs users up until it is killed; a third of the transactions are rolled back.
async fn host(config: String) -> Result<()> {
    let config: Config = serde_json::from_str(&config)?;
    let mut random = fastrand::Rng::with_seed(config.seed);
    let mut host = Host::connect(&config.place).await?;
    for n in 0.. {
        let commit = random.u8(..3) > 0;
        let user = format!("{}-{n}{}", config.seed, if commit { "" } else { UNDONE });
        let new = SignUp {
            user: &user,
            key: None,
            commit,
        };
        if let Some(job) = host.sign_up(&new).await? {
            append(&config.acks, &[job])?;
        }
    }
    Ok(())
}
