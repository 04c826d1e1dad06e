//! B2: the platform does it, and the answer is cut, hangs, is a 502, half a body or garbage: one effect.

use std::time::Duration;

use automarket::{When, publishing::PublishOptions};

use super::Scenario;
use crate::{
    Result,
    arguments::Size,
    connectors,
    fake::{AMBIGUOUS, FakeConfig},
    findings::Findings,
    rows,
    world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "ambiguous",
    about: "the platform does it, and then cuts, hangs, answers 502, half or garbage",
    size: Size {
        jobs: 25,
        ..Size::USUAL
    },
    least: |size| size.jobs as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    for (index, connector) in connectors::ALL.iter().enumerate() {
        let faults = (0..world.size.jobs).map(|n| AMBIGUOUS[n % AMBIGUOUS.len()].to_owned());
        let mut fake = world.fake(FakeConfig {
            connector: Some(connector.name.into()),
            faults: faults.collect(),
            ..FakeConfig::default()
        })?;
        let tenant = world.publisher(connector, &fake).await?;
        let mut marks = Vec::new();
        for n in 0..world.size.jobs {
            let number = index * world.size.jobs + n;
            // They fail often enough for that to last for more than an hour of the world.
            let late = PublishOptions::new().however_late();
            marks.push(world.publish(&tenant, number, When::Now, late).await?.0);
        }
        // Time is moved by minutes and days below; no lease may run out by that.
        let mut workers = world.workers(&fake, |config| {
            config.connector = Some(connector.name.to_owned());
            config.lease = Duration::from_secs(30 * 86_400);
        })?;
        // So many failures open the account's circuit: time passes, so that it closes again.
        let (count, step) = (world.size.jobs, Duration::from_secs(10));
        world.until_posted(&mut fake, count, step).await?;
        world.say("all are done, and nobody was told");
        world.until_ended(&marks, Duration::from_secs(120)).await?;
        world.dismiss(&mut workers, findings).await?;
        let rows = rows::publications(&world.place).await?;
        let hits = fake.log.count("faults") as u64;
        findings.hits += hits;
        findings.enough(connector.name, hits, world.size.jobs as u64);
        findings.published_once(&marks, &rows, &fake.entries());
    }
    Ok(())
}
