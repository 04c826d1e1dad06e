use std::{fmt, path::PathBuf};

use crate::scenarios::{self, Scenario};

pub(crate) struct Arguments {
    pub(crate) store: StoreKind,
    pub(crate) scenario: &'static Scenario,
    pub(crate) jobs: Option<usize>,
    pub(crate) workers: Option<usize>,
    pub(crate) kills: Option<usize>,
    pub(crate) seconds: Option<u64>,
    pub(crate) lease: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Sqlite,
    Postgres,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// How large a scenario is played.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) jobs: usize,
    pub(crate) workers: usize,
    pub(crate) kills: usize,
    /// Seconds that an outage, a hold or a phase lasts; what exactly is the scenario's to say.
    pub(crate) seconds: u64,
    /// In seconds.
    pub(crate) lease: u64,
}

impl Size {
    pub(crate) const USUAL: Self = Self {
        jobs: 200,
        workers: 2,
        kills: 0,
        seconds: 5,
        lease: 2,
    };
}

impl Arguments {
    /// `None` asks for help.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut store, mut scenario) = (None, None);
        let mut rest = Self {
            store: StoreKind::Sqlite,
            scenario: &scenarios::ALL[0],
            jobs: None,
            workers: None,
            kills: None,
            seconds: None,
            lease: None,
            seed: fastrand::u64(..1 << 32),
            keep: None,
        };
        while let Some(word) = words.next() {
            if matches!(word.as_str(), "--help" | "-h") {
                return Ok(None);
            }
            let value = words
                .next()
                .ok_or_else(|| format!("{word} needs a value"))?;
            let number = || {
                let wrong = |_| format!("{word} takes a number, not {value}");
                value.parse::<u64>().map_err(wrong)
            };
            let count = || number().map(|n| Some(usize::try_from(n).unwrap_or(usize::MAX)));
            match word.as_str() {
                "--store" => {
                    store = Some(match value.as_str() {
                        "sqlite" => StoreKind::Sqlite,
                        "postgres" => StoreKind::Postgres,
                        other => return Err(format!("there is no store {other}")),
                    });
                }
                "--scenario" => {
                    let unknown = || format!("there is no scenario {value}");
                    scenario = Some(scenarios::find(&value).ok_or_else(unknown)?);
                }
                "--jobs" => rest.jobs = count()?,
                "--workers" => rest.workers = count()?,
                "--kills" => rest.kills = count()?,
                "--seconds" => rest.seconds = Some(number()?),
                "--lease" => rest.lease = Some(number()?.max(1)),
                "--seed" => rest.seed = number()?,
                "--keep" => rest.keep = Some(value.into()),
                _ => return Err(format!("{word} is not known")),
            }
        }
        rest.store = store.ok_or("--store is needed")?;
        rest.scenario = scenario.ok_or("--scenario is needed")?;
        Ok(Some(rest))
    }

    /// The scenario's own size, where nothing else was asked for.
    pub(crate) fn size(&self, own: Size) -> Size {
        Size {
            jobs: self.jobs.unwrap_or(own.jobs),
            workers: self.workers.unwrap_or(own.workers).max(1),
            kills: self.kills.unwrap_or(own.kills),
            seconds: self.seconds.unwrap_or(own.seconds),
            lease: self.lease.unwrap_or(own.lease),
        }
    }
}

pub(crate) fn help() -> String {
    let mut text = "\
chaos --store sqlite|postgres --scenario NAME [--jobs N] [--workers N] [--kills N] [--seed N] [--seconds N]
      [--lease SECONDS] [--keep DIR]

  --keep   leave logs, and the SQLite file, in a folder of this run in this directory
  Exit: 0 held, 1 broken, 3 void (too few hits), 2 wrong arguments. One JSON line on stdout.

Scenarios:
"
    .to_owned();
    for scenario in scenarios::ALL {
        text.push_str(&format!("  {:13} {}\n", scenario.name, scenario.about));
    }
    text
}
