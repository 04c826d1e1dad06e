//! F6: another encryption key, while credentials are put and used, and the processes that rotate are killed.

use std::{path::PathBuf, time::Duration};

use automarket::{Automarket, Credential, Keyring, Platform, Tenant, store::Account};
use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    child::{Acks, append},
    findings::Findings,
    place::Place,
    rows,
    wait::persist,
    worker::TENANT,
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "rotate",
    about: "--workers processes re-seal --jobs credentials and are killed; others are put and used meanwhile",
    size: Size {
        jobs: 1000,
        workers: 2,
        kills: 8,
        ..Size::USUAL
    },
    least: |size| size.kills as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: Some(|config| Box::pin(main(config))),
};

const PLATFORM: Platform = Platform::from_static("chaos");
const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// So many of the credentials are put anew all the time.
const BUSY: usize = 20;

#[derive(Serialize, Deserialize)]
enum Config {
    /// Re-seals, again and again.
    Rotator(Place),
    /// Puts and uses so many; what was acknowledged is written down.
    Load {
        place: Place,
        acks: PathBuf,
        busy: usize,
    },
}

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let size = world.size;
    if size.jobs == 0 {
        findings.void("there are no credentials");
        return Ok(());
    }
    let before = tenant(&world.place, OLD).await?;
    for n in 0..size.jobs {
        put(&before, n, 0).await?;
    }
    findings.acknowledged = size.jobs;
    let acks = Acks::at(world.path("acks"));
    let load = Config::Load {
        place: world.place.clone(),
        acks: world.path("acks"),
        busy: size.jobs.min(BUSY),
    };
    let mut load = world.process("load", &load)?;
    let rotator = Config::Rotator(world.place.clone());
    let mut rotators = (0..size.workers)
        .map(|n| world.process(&format!("rotator{n}"), &rotator))
        .collect::<Result<Vec<_>>>()?;
    let under = |key: &str| format!("SELECT count(*) FROM @credentials WHERE key_id = '{key}'");
    let mut wait = world.wait();
    for kill in 1..=size.kills {
        // Spread over the work. All of them at once, so that nobody ends it while the others start again.
        let wanted = i64::try_from(kill * size.jobs / (size.kills + 1))?;
        loop {
            let done = rows::count(&world.place, &under("new")).await?;
            let left = rows::count(&world.place, &under("old")).await?;
            if done >= wanted && left > 0 {
                break;
            }
            wait.at((kill, done, acks.read().len()), || {
                format!("{done} credentials are under the new key")
            })?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        findings.kills += 1;
        let killed = rotators.iter_mut().filter_map(|r| r.kill().then_some(()));
        findings.hits += u64::from(killed.count() > 0);
        for (n, process) in rotators.iter_mut().enumerate() {
            *process = world.process(&format!("rotator{n}"), &rotator)?;
        }
    }
    findings.must(load.kill(), "who put and used them failed; see its log");
    let mut wait = world.wait();
    loop {
        let left = rows::count(&world.place, &under("old")).await?;
        if left == 0 {
            break;
        }
        wait.at(left, || format!("{left} credentials are under the old key"))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    rotators.iter_mut().for_each(|rotator| {
        rotator.kill();
    });

    // The new key alone opens everything, and nothing older than what was acknowledged.
    let after = tenant(&world.place, NEW).await?;
    after.market().check_keyring().await?;
    let mut newest = vec![0_u64; size.jobs];
    for line in acks.read() {
        let (n, generation) = line.split_once(' ').ok_or("an ack of two numbers")?;
        newest[n.parse::<usize>()?] = generation.parse()?;
    }
    let puts = acks.read().len();
    findings.enough("puts meanwhile:", puts as u64, 1);
    findings.note(format!("{puts} puts meanwhile"));
    for (n, acknowledged) in newest.into_iter().enumerate() {
        match held(&after, n).await {
            // One that was put and not acknowledged may be there as well.
            Ok(generation) if generation >= acknowledged => findings.terminal += 1,
            Ok(generation) => {
                findings.lost += 1;
                findings.broken(format!("{n} holds {generation} and not {acknowledged}"));
            }
            Err(error) => {
                findings.lost += 1;
                findings.broken(format!("{n} does not open: {error}"));
            }
        }
    }
    Ok(())
}

async fn tenant(place: &Place, keys: &str) -> Result<Tenant> {
    let market = Automarket::shared(place.open().await?)
        .transport(automarket::testing::Script::new())
        .clock(place.clock())
        .keyring(Keyring::from_base64(keys)?)
        .build()?;
    Ok(market.tenant(TENANT)?)
}

fn account(tenant: &Tenant, n: usize) -> Account {
    Account::new(tenant.id().clone(), PLATFORM, n.to_string())
}

async fn put(tenant: &Tenant, n: usize, generation: u64) -> Result<()> {
    let credential = Credential::token(format!("{n} {generation}"));
    let put = || tenant.add_account(account(tenant, n), credential.clone());
    persist(put).await?;
    Ok(())
}

/// Which generation of its token an account holds.
async fn held(tenant: &Tenant, n: usize) -> Result<u64> {
    let context = persist(|| tenant.context(account(tenant, n).id)).await?;
    let (id, generation) = context
        .token()?
        .expose()
        .split_once(' ')
        .ok_or("no token")?;
    if id != n.to_string() {
        return Err(format!("it is the token of {id}").into());
    }
    Ok(generation.parse()?)
}

async fn main(config: String) -> Result<()> {
    match serde_json::from_str(&config)? {
        Config::Rotator(place) => {
            let tenant = tenant(&place, &format!("{NEW},{OLD}")).await?;
            loop {
                persist(|| tenant.market().rotate(|_| {})).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Config::Load { place, acks, busy } => {
            // Half of the hosts do not know yet that the old key is old, so that there is always something left.
            let writers = [
                tenant(&place, &format!("{OLD},{NEW}")).await?,
                tenant(&place, &format!("{NEW},{OLD}")).await?,
            ];
            for generation in 1.. {
                let writer = &writers[usize::from(generation % 2 == 0)];
                for n in 0..busy {
                    put(writer, n, generation).await?;
                    append(&acks, &[format!("{n} {generation}")])?;
                    if held(writer, n).await? != generation {
                        return Err(format!("{n} did not keep what was put").into());
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        }
    }
}
