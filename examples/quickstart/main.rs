//! The main job: a website becomes a published campaign, offline, in one command.
//!
//! `cargo run --example quickstart` reads a bundled page, writes posts for LinkedIn, X, Instagram and
//! Facebook, checks them, stores the campaign in a SQLite file, schedules it through Mixpost, records it in
//! Twenty and tells Slack. The platforms are the sandbox's fakes, the code path is the real connectors'.
//! `--help` says what else it can do, and what `--live` needs.

mod arguments;
mod print;
mod world;

use std::{process::ExitCode, sync::Arc, time::Duration};

use automarket::{Error, Result, Tenant, pipelines::campaign::CampaignReport};

use arguments::Arguments;
use world::World;

/// How long a run belongs to a process that is heard of no more: a killed quickstart is taken over after
/// this.
const LEASE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", arguments::HELP);
            return ExitCode::from(2);
        }
    };
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::failure(&error, arguments.json);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let quiet = arguments.json;
    let world = World::build(
        arguments,
        Arc::new(move |step: &str| print::progress(step, quiet)),
    )
    .await?;
    for missing in &world.disabled {
        eprintln!("disabled: {missing}");
    }
    let report = campaign(&world.tenant, &world).await?;
    if arguments.json {
        let json = serde_json::to_string(&report);
        println!(
            "{}",
            json.map_err(|error| Error::invalid("report", "not JSON").with_source(error))?
        );
    } else {
        print::report(&report, &world, arguments);
    }
    Ok(())
}

/// Makes the campaign, or goes on with one that was cut off.
async fn campaign(tenant: &Tenant, world: &World) -> Result<CampaignReport> {
    tenant.campaign(&world.request, LEASE).await
}
