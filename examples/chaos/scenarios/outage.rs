//! B7: after a long outage nothing late is published; what is due still is, one by one.

use std::time::Duration;

use automarket::{When, core::chrono::TimeDelta, publishing::PublishOptions};

use super::Scenario;
use crate::{
    Result, arguments::Size, connectors, fake::FakeConfig, findings::Findings, rows, world::World,
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "outage",
    about: "no worker for 60 days with --jobs posts due in them: all are missed, none is published",
    size: Size {
        jobs: 200,
        ..Size::USUAL
    },
    least: |size| size.jobs as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

const DAYS: i64 = 60;
/// Posts that are due, and not yet late, when the workers are back.
const IN_TIME: usize = 12;
/// How many seconds apart these go out.
const PACE: i64 = 10;

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    let connector = &connectors::ALL[0];
    let config = FakeConfig {
        connector: Some(connector.name.into()),
        ..FakeConfig::default()
    };
    let mut fake = world.fake(config)?;
    let tenant = world.publisher(connector, &fake).await?;
    let (begin, jobs) = (world.place.clock().now(), world.size.jobs);
    let outage = TimeDelta::days(DAYS);
    for n in 0..jobs {
        let due = begin + outage * i32::try_from(n)? / i32::try_from(jobs)?;
        world
            .publish(&tenant, n, When::At(due), PublishOptions::new())
            .await?;
    }
    let mut marks = Vec::new();
    for n in 0..IN_TIME {
        let due = begin + outage + TimeDelta::minutes(100);
        marks.push(
            world
                .publish(&tenant, jobs + n, When::At(due), PublishOptions::new())
                .await?
                .0,
        );
    }
    world.say(format!("{jobs} posts are due within {DAYS} days"));
    world
        .advance((outage + TimeDelta::hours(2)).to_std()?)
        .await?;
    let back = world.place.clock().now();
    let mut workers = world.workers(&fake, |c| {
        c.connector = Some(connector.name.to_owned());
        c.lease = Duration::from_secs(86_400);
    })?;
    let missed =
        |rows: &[rows::PublicationRow]| rows.iter().filter(|row| row.state == "missed").count();
    world.say("the workers are back");
    let (mut wait, mut crowd) = (world.wait(), None);
    loop {
        let rows = rows::publications(&world.place).await?;
        let open = rows.iter().filter(|row| !row.ended()).count();
        if open == 0 {
            break;
        }
        let effects = fake.log.count("effects");
        let turns = 1 + (world.place.clock().now() - back).num_seconds() / PACE;
        if crowd.is_none() && i64::try_from(effects)? > turns {
            crowd = Some(format!("{effects} posts went out in {turns} turns"));
        }
        wait.at((open, effects), || {
            format!("{open} publications came to no end")
        })?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        // What was in time goes out paced, so time moves in small steps; then it is asked for minutes later.
        if missed(&rows) >= jobs {
            let step = if effects >= IN_TIME { 300 } else { 15 };
            world.advance(Duration::from_secs(step)).await?;
        }
    }
    if let Some(crowd) = crowd {
        findings.broken(crowd);
    }
    world.dismiss(&mut workers, findings).await?;
    let rows = rows::publications(&world.place).await?;
    let late = missed(&rows);
    findings.hits = late as u64;
    findings.must(late == jobs, format!("{late} of {jobs} posts were missed"));
    let told = rows::events(&world.place, "publication.missed").await?;
    findings.must(
        told == i64::try_from(jobs)?,
        format!("{told} events of missed posts"),
    );
    findings.published_once(&marks, &rows, &fake.entries());
    let effects = findings.effects;
    findings.must(
        effects == IN_TIME,
        format!("{effects} posts were published, {IN_TIME} were in time"),
    );
    Ok(())
}
