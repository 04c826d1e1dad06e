//! B1: a process ends at every point of publishing, around each call to the store, around each request, and at
//! each named point; whoever comes after leaves exactly one effect.

use std::{collections::VecDeque, time::Duration};

use automarket::{JobId, Tenant, When, publishing::PublishOptions};

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    child::Child,
    connectors::{self, Connector},
    fake::FakeConfig,
    findings::Findings,
    rows,
    worker::{Crash, WorkerConfig},
    world::{Fake, World},
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "crash-points",
    about: "each connector's publishing is aborted at every point until a run has none left (at --kills of them, where given)",
    size: Size {
        patience: 1200,
        ..Size::USUAL
    },
    least: |size| {
        if size.kills == 0 {
            40
        } else {
            size.kills as u64 / 2
        }
    },
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

/// How far time is moved so that what was accepted is asked for.
const LATER: Duration = Duration::from_secs(600);

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let mut number = 0;
    for connector in connectors::ALL {
        let mut fake = world.fake(FakeConfig {
            connector: Some(connector.name.into()),
            ..FakeConfig::default()
        })?;
        let tenant = world.publisher(connector, &fake).await?;
        let mut marks = Vec::new();
        let points = points(world, connector, &fake, &tenant, &mut marks).await?;
        number += marks.len();
        world.say(format!("{}: {} points", connector.name, points.len()));
        let mut points = VecDeque::from(points);
        while let Some(crash) = points.pop_front() {
            number += 1;
            world.say(format!("{crash:?}"));
            let (mark, job) = world
                .publish(&tenant, number, When::Now, PublishOptions::new())
                .await?;
            marks.push(mark.clone());
            let mut config = config(world, connector, &fake, job);
            config.crash = Some(crash.clone());
            let mut worker = world.worker(&config)?;
            let clean = finish(world, &mut worker, &mark).await?;
            if clean {
                continue;
            }
            // One run is not as long as the next: only one that passes was beyond the last point.
            if world.size.kills == 0
                && let Some(further) = crash.next()
                && !points.contains(&further)
            {
                points.push_back(further);
            }
            findings.hits += 1;
            findings.kills += 1;
            // Its lease passes, and another takes over.
            world
                .advance(world.lease() + Duration::from_secs(1))
                .await?;
            config.crash = None;
            let mut next = world.worker(&config)?;
            if !finish(world, &mut next, &mark).await? {
                findings.broken(format!("{crash:?}: who came after crashed too"));
            }
            let effects = fake
                .log
                .entries()
                .iter()
                .filter(|e| e.list == "effects" && e.id == mark)
                .count();
            findings.must(
                effects == 1,
                format!("{}: {effects} effects after {crash:?}", connector.name),
            );
        }
        let rows = rows::publications(&world.place).await?;
        findings.published_once(&marks, &rows, &fake.entries());
        findings.must(
            findings.unknown == 0,
            "a platform that can be searched left something unknown",
        );
    }
    Ok(())
}

fn config(world: &World, connector: &Connector, fake: &Fake, job: JobId) -> WorkerConfig {
    let mut config = world.worker_config("points", fake);
    config.connector = Some(connector.name.to_owned());
    config.until = Some(job);
    config
}

/// Every point, as counted in one run without a crash.
async fn points(
    world: &mut World,
    connector: &Connector,
    fake: &Fake,
    tenant: &Tenant,
    marks: &mut Vec<String>,
) -> Result<Vec<Crash>> {
    let (mark, job) = world
        .publish(tenant, 0, When::Now, PublishOptions::new())
        .await?;
    let mut worker = world.worker(&config(world, connector, fake, job))?;
    if !finish(world, &mut worker, &mark).await? {
        return Err("a run without a crash did not end well".into());
    }
    marks.push(mark);
    let calls = worker.line()?;
    let (store, requests) = calls
        .split_once(' ')
        .ok_or("the worker did not say its calls")?;
    let mut points = Vec::new();
    for after in [false, true] {
        points.extend((1..=store.parse()?).map(|nth| Crash::Store { nth, after }));
        points.extend((1..=requests.parse()?).map(|nth| Crash::Request { nth, after }));
    }
    let mut names = rows::step_names(&world.place).await?;
    names.extend(["publish.intent", "publish.verdict"].map(str::to_owned));
    for name in names {
        points.extend(["before", "after"].map(|stage| Crash::Point(format!("{name}:{stage}"))));
    }
    if world.size.kills > 0 {
        world.random.shuffle(&mut points);
        points.truncate(world.size.kills);
    }
    Ok(points)
}

/// Waits for the end of a worker, moving time once its post was accepted. Whether it ended well.
async fn finish(world: &mut World, worker: &mut Child, mark: &str) -> Result<bool> {
    let mut moved = false;
    for _ in 0..600 {
        if let Some(status) = worker.ended(Duration::from_millis(50)).await? {
            return Ok(status.success());
        }
        if !moved {
            let rows = rows::publications(&world.place).await?;
            if rows
                .iter()
                .any(|row| row.mark == mark && row.state == "accepted")
            {
                moved = true;
                world.advance(LATER).await?;
            }
        }
    }
    Err(format!("{mark} did not come to its end").into())
}
