//! C4: a platform that limits is asked once per window, by all processes together; all is done later, once.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use automarket::{When, publishing::PublishOptions};

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    connectors,
    fake::{FakeConfig, Limit},
    findings::Findings,
    rows,
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "limits",
    about: "the platform takes few posts and then answers 429 for --seconds, again and again",
    size: Size {
        jobs: 30,
        seconds: 3,
        lease: 30,
        ..Size::USUAL
    },
    least: |_| 2,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

/// How many posts a window takes.
const POSTS: usize = 10;
/// So long after the first refusal, in milliseconds, all processes know of it.
const ON_THEIR_WAY: i64 = 750;

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    for (index, connector) in connectors::ALL.iter().enumerate() {
        let limit = Limit {
            posts: POSTS,
            seconds: world.size.seconds,
        };
        let mut fake = world.fake(FakeConfig {
            connector: Some(connector.name.into()),
            limit: Some(limit),
            ..FakeConfig::default()
        })?;
        let tenant = world.publisher(connector, &fake).await?;
        let mut marks = Vec::new();
        for n in 0..world.size.jobs {
            let number = index * world.size.jobs + n;
            let late = PublishOptions::new().however_late();
            marks.push(world.publish(&tenant, number, When::Now, late).await?.0);
        }
        let mut workers =
            world.workers(&fake, |c| c.connector = Some(connector.name.to_owned()))?;
        world.until(&mut fake, "effects", world.size.jobs).await?;
        // What is accepted is asked for minutes later; that is not what is looked at here.
        world.dismiss(&mut workers, findings).await?;
        let entries = fake.entries();
        // A window of refusals begins with the last post that was taken before it.
        let posts: Vec<i64> = entries
            .iter()
            .filter(|e| e.list == "effects")
            .map(|e| e.at)
            .collect();
        let mut windows = BTreeMap::<usize, Vec<i64>>::new();
        for refused in entries.iter().filter(|e| e.list == "refused") {
            findings.hits += 1;
            windows
                .entry(posts.partition_point(|at| *at <= refused.at))
                .or_default()
                .push(refused.at);
        }
        for refused in windows.values() {
            // What was on its way when the first was refused is nobody's fault.
            let known = refused.first().map_or(0, |first| first + ON_THEIR_WAY);
            let probes = refused.iter().filter(|at| **at > known).count();
            findings.note(format!(
                "{}: {} refused, {probes} probes",
                connector.name,
                refused.len()
            ));
            findings.must(
                probes <= 1,
                format!("{}: {probes} probes in one window", connector.name),
            );
        }
        finish(world, connector.name, &fake.base.clone(), &marks).await?;
        findings.published_once(
            &marks,
            &rows::publications(&world.place).await?,
            &fake.entries(),
        );
    }
    Ok(())
}

/// Lets time pass until all is asked for and public.
async fn finish(world: &mut World, connector: &str, base: &str, marks: &[String]) -> Result<()> {
    let mut config = world.bare_worker_config("last", base);
    config.connector = Some(connector.to_owned());
    config.lease = Duration::from_secs(86_400);
    let worker = world.worker(&config)?;
    let give_up = Instant::now() + Duration::from_secs(90);
    loop {
        world.advance(Duration::from_secs(120)).await?;
        let rows = rows::publications(&world.place).await?;
        let open = rows
            .iter()
            .filter(|row| marks.contains(&row.mark) && !row.ended())
            .count();
        if open == 0 {
            drop(worker);
            return Ok(());
        }
        if Instant::now() > give_up {
            return Err(format!("{open} publications came to no end").into());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
