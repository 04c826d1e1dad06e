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
    /// Puts and uses; what was acknowledged is written down.
    Load { place: Place, acks: PathBuf },
}

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let size = world.size;
    let before = tenant(&world.place, OLD).await?;
    for n in 0..size.jobs {
        put(&before, n, 0).await?;
    }
    findings.acknowledged = size.jobs;
    let acks = Acks::at(world.path("acks"));
    let load = Config::Load {
        place: world.place.clone(),
        acks: world.path("acks"),
    };
    let mut load = world.process("load", &load)?;
    let rotator = Config::Rotator(world.place.clone());
    let mut rotators = (0..size.workers)
        .map(|n| world.process(&format!("rotator{n}"), &rotator))
        .collect::<Result<Vec<_>>>()?;
    let under = |key: &str| format!("SELECT count(*) FROM @credentials WHERE key_id = '{key}'");
    for kill in 1..=size.kills {
        // Spread over the work. All of them at once, so that nobody ends it while the others start again.
        let wanted = i64::try_from(kill * size.jobs / (size.kills + 1))?;
        while rows::count(&world.place, &under("new")).await? < wanted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        findings.kills += 1;
        let killed = rotators.iter_mut().filter_map(|r| r.kill().then_some(()));
        let killed = killed.count();
        let left = rows::count(&world.place, &under("old")).await?;
        findings.hits += u64::from(killed > 0 && left > 0);
        for (n, process) in rotators.iter_mut().enumerate() {
            *process = world.process(&format!("rotator{n}"), &rotator)?;
        }
    }
    while rows::count(&world.place, &under("old")).await? > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    load.kill();
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
    findings.note(format!("{} puts meanwhile", acks.read().len()));
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
    tenant.add_account(account(tenant, n), credential).await?;
    Ok(())
}

/// Which generation of its token an account holds.
async fn held(tenant: &Tenant, n: usize) -> Result<u64> {
    let context = tenant.context(account(tenant, n).id).await?;
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
                tenant.market().rotate(|_| {}).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Config::Load { place, acks } => {
            // Written under the old key by one who does not know yet that it is old, then under the new one.
            let writers = [
                tenant(&place, &format!("{OLD},{NEW}")).await?,
                tenant(&place, &format!("{NEW},{OLD}")).await?,
            ];
            for generation in 1.. {
                let writer = &writers[usize::from(generation > 5)];
                for n in 0..BUSY {
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
