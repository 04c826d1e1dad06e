//! What to measure, as told on the command line.

use crate::{Result, place::SIDES};

const HELP: &str = "cargo bench --bench queue -- [options]
  --store sqlite|postgres|both                     (both)
  --what  enqueue,drain,worker,latency,idle,publish,claim,memory,all   (all but claim and memory, which are long)
  --case TEXT   only rates whose name has this
  --side NAME   only this side: ours, floor, floor_kept
  --jobs N      jobs per sample (50000)
  --waiting N   rows of claim and memory (1000000)
  --rounds N    samples of each side, taken in turns (5)
  --seconds N   how long latency and idle are watched (10)
  --seed N      order of the mixed rows (1)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Enqueue,
    Drain,
    Worker,
    Latency,
    Idle,
    Publish,
    Claim,
    Memory,
}

const WHATS: [(&str, What); 8] = [
    ("enqueue", What::Enqueue),
    ("drain", What::Drain),
    ("worker", What::Worker),
    ("latency", What::Latency),
    ("idle", What::Idle),
    ("publish", What::Publish),
    ("claim", What::Claim),
    ("memory", What::Memory),
];

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) stores: Vec<Kind>,
    pub(crate) whats: Vec<What>,
    pub(crate) case: String,
    pub(crate) side: Option<String>,
    pub(crate) jobs: usize,
    pub(crate) waiting: usize,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    /// Set in the process that `memory` starts: the database to work on.
    pub(crate) memory_of: Option<String>,
}

impl Args {
    pub(crate) fn read() -> Result<Self> {
        let mut args = Self {
            stores: vec![Kind::Sqlite, Kind::Postgres],
            whats: WHATS.iter().map(|(_, what)| *what).take(6).collect(),
            case: String::new(),
            side: None,
            jobs: 50_000,
            waiting: 1_000_000,
            rounds: 5,
            seconds: 10,
            seed: 1,
            memory_of: None,
        };
        let mut given = std::env::args().skip(1);
        while let Some(option) = given.next() {
            if option == "--bench" {
                continue; // From cargo.
            }
            if option == "--help" {
                println!("{HELP}");
                std::process::exit(0);
            }
            let value = given.next().ok_or(HELP)?;
            match option.as_str() {
                "--store" => args.stores = stores(&value)?,
                "--what" => args.whats = whats(&value)?,
                "--case" => args.case = value,
                "--side" => args.side = Some(value),
                "--jobs" => args.jobs = value.parse()?,
                "--waiting" => args.waiting = value.parse()?,
                "--rounds" => args.rounds = value.parse::<usize>()?.max(1),
                "--seconds" => args.seconds = value.parse()?,
                "--seed" => args.seed = value.parse()?,
                "--memory-of" => args.memory_of = Some(value),
                _ => return Err(HELP.into()),
            }
        }
        Ok(args)
    }
}

impl Args {
    /// Which sides are to be measured.
    pub(crate) fn sides(&self) -> impl Iterator<Item = &'static str> {
        let wanted = |side: &&'static str| self.side.as_deref().is_none_or(|only| only == *side);
        SIDES.iter().copied().filter(wanted)
    }
}

fn stores(value: &str) -> Result<Vec<Kind>> {
    match value {
        "sqlite" => Ok(vec![Kind::Sqlite]),
        "postgres" => Ok(vec![Kind::Postgres]),
        "both" => Ok(vec![Kind::Sqlite, Kind::Postgres]),
        _ => Err(HELP.into()),
    }
}

fn whats(value: &str) -> Result<Vec<What>> {
    if value == "all" {
        return Ok(WHATS.iter().map(|(_, what)| *what).collect());
    }
    let one = |name: &str| {
        let found = WHATS.iter().find(|(known, _)| *known == name);
        found.map(|(_, what)| *what).ok_or_else(|| HELP.into())
    };
    value.split(',').map(one).collect()
}
