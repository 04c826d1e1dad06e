//! A8: the host's row and our job commit together or not at all, also when the host is killed.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

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
        let wanted = jobs * (kill + 1) / (kills + 1);
        let give_up = Instant::now() + Duration::from_secs(60);
        while acks.read().len() < wanted {
            if Instant::now() > give_up || !process.alive() {
                return Err("the host process does not get on; see process-host.log".into());
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
    for (name, job) in &users {
        findings.must(
            rows.iter().any(|row| row.id == *job),
            format!("{name} is there without its job"),
        );
    }
    let undone = users
        .iter()
        .filter(|(name, _)| name.ends_with(UNDONE))
        .count();
    findings.must(
        undone == 0,
        format!("{undone} users are there that were rolled back"),
    );
    for row in &rows {
        let with = users.iter().any(|(_, job)| *job == row.id);
        findings.must(with, format!("job {} is there without its user", row.id));
    }
    findings.note(format!("{} users, {} jobs", users.len(), rows.len()));
    let acks: Vec<_> = acks
        .read()
        .iter()
        .filter_map(|id| id.parse().ok())
        .collect();
    findings.jobs_done_once(&acks, &rows, &fake.entries());
    Ok(())
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
