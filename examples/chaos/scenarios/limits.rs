//! C4: a platform that limits is asked once per window, by all processes together; all is done later, once.

use std::{collections::BTreeMap, time::Duration};

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
    least: |_| connectors::ALL.len() as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

/// More posts would meet limits that the fakes have as their platforms do: X takes 100 in 15 minutes.
const MOST: usize = 90;

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    if world.size.jobs > MOST {
        findings.note(format!("{MOST} posts each and not {}", world.size.jobs));
        world.size.jobs = MOST;
    }
    let jobs = world.size.jobs;
    // About three windows. Fewer are at work at once than wait for the next one: these have to be held back.
    let posts = (jobs / 3).max(1);
    let concurrency = (posts / world.size.workers).clamp(1, 4);
    let at_once = concurrency * world.size.workers;
    for (index, connector) in connectors::ALL.iter().enumerate() {
        let mut fake = world.fake(FakeConfig {
            connector: Some(connector.name.into()),
            limit: Some(Limit {
                posts,
                seconds: world.size.seconds,
            }),
            ..FakeConfig::default()
        })?;
        let tenant = world.publisher(connector, &fake).await?;
        let mut marks = Vec::new();
        for n in 0..jobs {
            let late = PublishOptions::new().however_late();
            let published = world.publish(&tenant, index * jobs + n, When::Now, late);
            marks.push(published.await?.0);
        }
        let mut workers = world.workers(&fake, |config| {
            config.connector = Some(connector.name.to_owned());
            config.concurrency = concurrency;
        })?;
        world.until(&mut fake, "effects", jobs).await?;
        // What is accepted is asked for minutes later; that is not what is looked at here.
        world.dismiss(&mut workers, findings).await?;
        let mut windows = BTreeMap::<String, (usize, usize)>::new();
        for entry in fake.entries() {
            if entry.list == "refused" {
                let (all, questions) = windows.entry(entry.id).or_default();
                *all += 1;
                *questions += usize::from(entry.by == "GET");
            }
        }
        let refused: Vec<usize> = windows.values().map(|(all, _)| *all).collect();
        findings.note(format!("{}: {refused:?} refused", connector.name));
        for (all, questions) in windows.into_values() {
            // Of what was under way when the window closed each writes once in vain, and asks once what became of what it
            // wrote before; then one asks.
            findings.must(
                all - questions <= at_once + 1 && all <= 2 * at_once + 1,
                format!(
                    "{}: {all} refused in one window, {questions} of them questions, with {at_once} at work at once",
                    connector.name
                ),
            );
        }
        let hits = refused.iter().sum::<usize>() as u64;
        findings.hits += hits;
        findings.enough(connector.name, hits, 1);
        let mut config = world.worker_config("last", &fake);
        config.connector = Some(connector.name.to_owned());
        config.lease = Duration::from_secs(30 * 86_400);
        let mut last = world.worker(&config)?;
        world.until_ended(&marks, Duration::from_secs(120)).await?;
        world
            .dismiss(std::slice::from_mut(&mut last), findings)
            .await?;
        let rows = rows::publications(&world.place).await?;
        findings.published_once(&marks, &rows, &fake.entries());
    }
    Ok(())
}
