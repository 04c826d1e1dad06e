//! Sides that run in programs of their own: they link another SQLite than the peers here.

use std::{process::Command, time::Duration};

use serde_json::Value;

use crate::{Result, report::Sample};

/// One sample of our queue, from the program of `benches/queue`.
pub fn run(program: &str, url: &str, store: &str, what: &str, case: &str, jobs: usize) -> Result<Sample> {
    // It makes some samples larger by itself.
    let scale = match (what, case.contains("batches")) {
        ("enqueue", true) => 5,
        ("drain" | "worker", _) => 2,
        _ => 1,
    };
    let mut command = Command::new(program);
    command.args(["--rounds", "1", "--side", "ours", "--store", store, "--what", what, "--case", case]);
    command.args(["--jobs", &(jobs / scale).to_string()]);
    if store == "postgres" {
        command.env("DATABASE_URL", url);
    }
    sample(&mut command)
}

pub fn effectum(program: &str, producers: usize, batch: usize, jobs: usize) -> Result<Sample> {
    sample(Command::new(program).args([producers, batch, jobs].map(|n| n.to_string())))
}

/// The first line that is about a side.
fn sample(command: &mut Command) -> Result<Sample> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let lines = lines.collect::<std::result::Result<Vec<_>, _>>()?;
    let line = lines.iter().find(|line| line["side"].is_string()).ok_or("no sample")?;
    let number = |name: &str| line[name].as_f64().ok_or_else(|| format!("no {name} in {line}"));
    let jobs = number("jobs")?;
    Ok(Sample {
        jobs: jobs as usize,
        time: Duration::from_secs_f64(number("seconds")?),
        cpu: number("cpu_us_per_job")? * jobs / 1e6,
    })
}
