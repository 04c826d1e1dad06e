//! Whole worlds of processes, broken on purpose and judged from outside:
//! `cargo run --release --example chaos -- --store sqlite --scenario storm`.
//!
//! A scenario starts what it needs (a database, a fake platform as a process of its own, workers that are this
//! program again), breaks things, and counts what came of it in the fake's own log and in the database's rows.
//! Progress goes to stderr, one JSON line to stdout. The exit code is 0 when the promise held, 1 when it was
//! broken, 3 when too little was hit to say. `--help` lists the scenarios. To add one: a file in `scenarios/`
//! and its line in `scenarios/mod.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test program that cannot go on says so by panicking"
)]

mod arguments;
mod child;
mod connectors;
mod fake;
mod findings;
mod host;
mod log;
mod place;
mod rows;
mod scenarios;
mod time;
mod wait;
mod worker;
mod world;

use std::{
    panic::AssertUnwindSafe,
    process::ExitCode,
    time::{Duration, Instant},
};

use arguments::Arguments;
use findings::Findings;
use futures_util::FutureExt as _;
use scenarios::Scenario;
use wait::Stuck;
use world::World;

/// What may go wrong with the program itself.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [role, config] = words.as_slice()
        && let Some(role) = role.strip_prefix("role:")
    {
        return play(role, config).await;
    }
    let arguments = match Arguments::parse(words.into_iter()) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{}", arguments::help());
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", arguments::help());
            return ExitCode::from(2);
        }
    };
    run(arguments.scenario, arguments).await
}

/// The life of one of the processes that a scenario starts.
async fn play(role: &str, config: &str) -> ExitCode {
    child::end_with_parent();
    let done = match role {
        "fake" => fake::main(config).await,
        "worker" => worker::main(config).await,
        other => match scenarios::find(other).and_then(|scenario| scenario.process) {
            Some(process) => process(config.to_owned()).await,
            None => Err(format!("there is no role {other}").into()),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Longer than any world takes: a call that never comes back shall not keep the line of JSON from coming.
const FOR_EVER: Duration = Duration::from_secs(6 * 3600);

async fn run(scenario: &'static Scenario, arguments: Arguments) -> ExitCode {
    let begun = Instant::now();
    let mut findings = Findings::default();
    let size = arguments.size(scenario.size);
    let mut world = match World::new(&arguments, size).await {
        Ok(world) => world,
        Err(error) => {
            findings.void(format!("the world cannot be built: {error}"));
            return findings.report(&arguments, size, begun);
        }
    };
    world.say(format!(
        "{} on {}, seed {}",
        scenario.name, arguments.store, world.seed
    ));
    let played = AssertUnwindSafe((scenario.run)(&mut world, &mut findings)).catch_unwind();
    match tokio::time::timeout(FOR_EVER, played).await {
        Ok(Ok(Ok(()))) => {
            let least = (scenario.least)(&world.size);
            findings.enough("in all", findings.hits, least);
            world.attended(&mut findings).await;
        }
        // What the library does not do for us, and what comes to no end, is a promise broken; all else is ours.
        Ok(Ok(Err(error))) if error.is::<Stuck>() || error.is::<automarket::Error>() => {
            findings.broken(error.to_string());
        }
        Ok(Ok(Err(error))) => findings.void(format!("chaos cannot go on: {error}")),
        Ok(Err(_)) => findings.void("chaos itself panicked; see stderr"),
        Err(_) => findings.void(format!("it did not end within {} s", FOR_EVER.as_secs())),
    }
    world.end(&mut findings).await;
    findings.report(&arguments, world.size, begun)
}
