//! B1: a process ends at every point of publishing, around each call to the store, around each request, and at
//! each named point; whoever comes after leaves exactly one effect.

use std::{
    collections::VecDeque, os::unix::process::ExitStatusExt as _, process::ExitStatus,
    time::Duration,
};

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
    wait::Stuck,
    worker::{Crash, WorkerConfig},
    world::{Fake, World, mark, said},
};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "crash-points",
    about: "each connector's publishing is aborted at every point until a run has none left (at --kills of them, where given)",
    size: Size::USUAL,
    // Each connector says for itself whether it was hit enough.
    least: |_| connectors::ALL.len() as u64,
    run: |world, findings| Box::pin(run(world, findings)),
    equip: None,
    process: None,
};

/// How far apart the posts are.
const PACE: Duration = Duration::from_secs(900);
/// How far time is moved again and again for what is put off.
const STEP: Duration = Duration::from_secs(30);
/// The signal by which a process ends itself.
const SIGABRT: i32 = 6;

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Pictures, and what else it takes.
    Rich,
    /// A film, or a document.
    Film,
    /// As little as the platform takes.
    Plain,
}

async fn run(world: &mut World, findings: &mut Findings) -> Result<()> {
    world.size.workers = 1;
    world.size.jobs = 0;
    for connector in connectors::ALL {
        let mut fake = world.fake(FakeConfig {
            connector: Some(connector.name.into()),
            ..FakeConfig::default()
        })?;
        let mut play = Play {
            tenant: world.publisher(connector, &fake).await?,
            base: fake.base.clone(),
            connector,
            marks: Vec::new(),
            seconds: Vec::new(),
        };
        for kind in [Kind::Rich, Kind::Film, Kind::Plain] {
            play.points(world, &mut fake, findings, kind).await?;
        }
        let rows = rows::publications(&world.place).await?;
        let entries = fake.entries();
        findings.published_once(&play.marks, &rows, &entries);
        // What else a post takes is there once, where its platform shows it apart from the post.
        for mark in &play.seconds {
            let shown = entries.iter().filter(|e| e.id == *mark).count();
            findings.must(
                shown == connector.apart,
                format!("{}: {shown} times {mark}", connector.name),
            );
        }
    }
    Ok(())
}

/// One connector, and what was published with it.
struct Play {
    connector: &'static Connector,
    base: String,
    tenant: Tenant,
    marks: Vec<String>,
    /// The marks of what else the rich ones take.
    seconds: Vec<String>,
}

impl Play {
    /// Ends a worker at every point of publishing this kind of post, and has another go on.
    async fn points(
        &mut self,
        world: &mut World,
        fake: &mut Fake,
        findings: &mut Findings,
        kind: Kind,
    ) -> Result<()> {
        let name = self.connector.name;
        let mut points = self.count_points(world, kind).await?;
        // What it has in common with the others lies around the calls to the store.
        if kind == Kind::Plain {
            points.retain(|point| !matches!(point, Crash::Store { .. }));
        }
        let (all, kills) = (points.len(), world.size.kills);
        world.say(format!("{name}, {kind:?}: {all} points"));
        if kills > 0 {
            world.random.shuffle(&mut points);
        }
        let mut points = VecDeque::from(points);
        let (mut hits, mut missed) = (0, Vec::new());
        while let Some(crash) = points.pop_front() {
            if kills > 0 && hits == kills {
                break;
            }
            world.say(format!("{crash:?}"));
            // Platforms have limits of their own.
            world.advance(PACE).await?;
            let (mark, job) = self.publish(world, kind).await?;
            let mut config = self.config(world, job);
            config.crash = Some(crash.clone());
            let mut worker = world.worker(&config)?;
            let status = finish(world, &mut worker, &mark).await?;
            if status.success() {
                // Work that is dropped at the wrong moment passes it by once; a point that is none, always.
                if reached(&crash, calls(&mut worker)?) {
                    match missed.contains(&crash) {
                        true => findings.void(format!("{name}, {kind:?}: {crash:?} does not hit")),
                        false => {
                            points.push_front(crash.clone());
                            missed.push(crash);
                        }
                    }
                }
                continue;
            }
            findings.must(
                status.signal() == Some(SIGABRT),
                format!("{name}, {kind:?}: at {crash:?} it ended with {status}"),
            );
            // One run is not as long as the next: only one that passes was beyond the last point.
            if kills == 0
                && let Some(further) = crash.next()
                && !points.contains(&further)
            {
                points.push_back(further);
            }
            hits += 1;
            findings.kills += 1;
            // Its lease passes, and another takes over.
            world
                .advance(world.lease() + Duration::from_secs(1))
                .await?;
            config.crash = None;
            let mut next = world.worker(&config)?;
            let status = finish(world, &mut next, &mark).await?;
            findings.must(
                status.success(),
                format!("{crash:?}: who came after ended with {status}"),
            );
            let effects = fake
                .log
                .entries()
                .iter()
                .filter(|e| e.list == "effects" && e.id == mark)
                .count();
            findings.must(
                effects == 1,
                format!("{name}, {kind:?}: {effects} effects after {crash:?}"),
            );
        }
        findings.hits += hits as u64;
        let least = if kills == 0 { all } else { all.min(kills) };
        findings.enough(&format!("{name}, {kind:?}:"), hits as u64, least as u64 / 2);
        Ok(())
    }

    async fn publish(&mut self, world: &mut World, kind: Kind) -> Result<(String, JobId)> {
        world.size.jobs += 1;
        let (first, second) = (world.size.jobs, world.size.jobs + 1_000_000);
        let (mark, second) = (mark(first), mark(second));
        let text = said(&mark);
        let post = match kind {
            Kind::Film => (self.connector.film)(&text),
            Kind::Plain => (self.connector.post)(&text),
            Kind::Rich => {
                let post = (self.connector.rich)(&text, &said(&second));
                self.seconds.push(second);
                post
            }
        };
        self.marks.push(mark.clone());
        let late = PublishOptions::new().however_late();
        let job = world.publish_post(&self.tenant, post, When::Now, late);
        Ok((mark, job.await?))
    }

    fn config(&self, world: &World, job: JobId) -> WorkerConfig {
        let mut config = world.bare_worker_config("points", &self.base);
        config.connector = Some(self.connector.name.to_owned());
        config.until = Some(job);
        config
    }

    /// Every point, as counted in one run without a crash.
    async fn count_points(&mut self, world: &mut World, kind: Kind) -> Result<Vec<Crash>> {
        let (mark, job) = self.publish(world, kind).await?;
        let mut worker = world.worker(&self.config(world, job))?;
        if !finish(world, &mut worker, &mark).await?.success() {
            return Err(Stuck("a run without a crash did not end well".into()).into());
        }
        let (store, requests) = calls(&mut worker)?;
        let mut points = Vec::new();
        for after in [false, true] {
            points.extend((1..=store).map(|nth| Crash::Store { nth, after }));
            points.extend((1..=requests).map(|nth| Crash::Request { nth, after }));
        }
        let mut names = rows::step_names(&world.place, job).await?;
        names.extend(["publish.intent", "publish.verdict"].map(str::to_owned));
        for name in names {
            points.extend(["before", "after"].map(|stage| Crash::Point(format!("{name}:{stage}"))));
        }
        Ok(points)
    }
}

/// How many calls to the store and how many requests a worker made that ended well.
fn calls(worker: &mut Child) -> Result<(u32, u32)> {
    let calls = worker.line()?;
    let mut calls = calls.split(' ').map(str::parse::<u32>);
    match (calls.next(), calls.next()) {
        (Some(Ok(store)), Some(Ok(requests))) => Ok((store, requests)),
        _ => Err("the worker did not say its calls".into()),
    }
}

/// Whether a run of so many calls to the store and requests came by this point. A named one lies on every way.
fn reached(crash: &Crash, (store, requests): (u32, u32)) -> bool {
    match *crash {
        Crash::Store { nth, .. } => nth <= store,
        Crash::Request { nth, .. } => nth <= requests,
        Crash::Point(_) => true,
    }
}

/// Waits for the end of a worker, moving time while its post waits for something. How it ended.
async fn finish(world: &mut World, worker: &mut Child, mark: &str) -> Result<ExitStatus> {
    let mut wait = world.wait();
    loop {
        if let Some(status) = worker.ended(Duration::from_millis(50)).await? {
            return Ok(status);
        }
        let leases = "SELECT count(*) FROM @queue WHERE leased";
        if rows::count(&world.place, leases).await? == 0 {
            world.advance(STEP).await?;
        }
        let rows = rows::publications(&world.place).await?;
        let state = rows.into_iter().find(|row| row.mark == mark);
        wait.at(state.map(|row| row.state), || {
            format!("{mark} did not come to its end")
        })?;
    }
}
