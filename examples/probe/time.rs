use automarket::{
    Error, Result,
    core::{Timetable, ZonedTime, chrono::SecondsFormat},
    worker,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Reply, input, reply, web};

pub(crate) fn instant(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        local: String,
        zone: String,
    }
    let input: Input = input(request)?;
    let time = ZonedTime::parse(&input.local, &input.zone)?;
    let utc = time.instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    reply(json!({"utc": utc, "kind": time.kind}))
}

/// The runs after `from`, never one at it.
pub(crate) fn timetable(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        rule: String,
        zone: String,
        from: Value,
        count: usize,
    }
    let input: Input = input(request)?;
    if input.count > 100_000 {
        return Err(Error::invalid("count", "at most 100000"));
    }
    let table = Timetable::parse(&input.rule, &input.zone)?;
    let first = table.after(web::instant("from", &input.from)?);
    let runs = std::iter::successors(first, |last| table.after(*last)).take(input.count);
    let instants: Vec<String> = runs
        .map(|run| run.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        .collect();
    reply(json!({"instants": instants}))
}

pub(crate) fn backoff(request: &Value) -> Result<Reply> {
    #[derive(Deserialize)]
    struct Input {
        attempt: u64,
        seed: Option<u64>,
    }
    let input: Input = input(request)?;
    let random = match input.seed {
        Some(seed) => fastrand::Rng::with_seed(seed).f64(),
        None => fastrand::f64(),
    };
    let attempt = u32::try_from(input.attempt).unwrap_or(u32::MAX);
    reply(json!({"seconds": worker::backoff(attempt, random).as_secs_f64()}))
}
