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

/// So many milliseconds after a window's first refusal nothing is under way any more from before it.
const UNDER_WAY: i64 = 1000;

/// What one window refused.
#[derive(Default)]
struct Refused {
    /// When the first, in milliseconds since 1970.
    closed: Option<i64>,
    all: usize,
    writes: usize,
    /// Writes of those who could have known.
    late: usize,
}

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    if world.size.jobs > MOST {
        findings.note(format!("{MOST} posts each and not {}", world.size.jobs));
        world.size.jobs = MOST;
    }
    let jobs = world.size.jobs;
    // About three windows. Fewer are at work at once than wait for the next one: these are to be held back.
    let posts = (jobs / 3).max(1);
    let concurrency = (posts / world.size.workers).clamp(1, 4);
    let at_once = concurrency * world.size.workers;
    if jobs - posts.min(jobs) <= at_once + 1 {
        findings.void(format!(
            "{at_once} are at work at once: of {jobs} posts nobody is left to be held back"
        ));
    }
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
        let mut windows = BTreeMap::<String, Refused>::new();
        for entry in fake.entries() {
            if entry.list == "refused" {
                let window = windows.entry(entry.id).or_default();
                let closed = *window.closed.get_or_insert(entry.at);
                window.all += 1;
                if entry.by != "GET" {
                    window.writes += 1;
                    window.late += usize::from(entry.at - closed > UNDER_WAY);
                }
            }
        }
        let refused: Vec<usize> = windows.values().map(|window| window.all).collect();
        findings.note(format!("{}: {refused:?} refused", connector.name));
        for Refused {
            all, writes, late, ..
        } in windows.into_values()
        {
            // Of what was under way when the window closed each writes once in vain, and asks once what became of what it
            // wrote before; then one asks.
            findings.must(
                writes <= at_once + 1 && all <= 2 * at_once + 1,
                format!(
                    "{}: {all} refused in one window, {writes} of them writes, with {at_once} at work at once",
                    connector.name
                ),
            );
            findings.must(
                late <= 1,
                format!(
                    "{}: {late} writes were refused when the window was long known to be closed",
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
