//! The scenarios. A new one is a file here, and its two lines below.

mod ambiguous;
mod crash_points;
mod db_gone;
mod db_restart;
mod fairness;
mod limits;
mod long_job;
mod outage;
mod poison;
mod refresh;
mod rescue_race;
mod rotate;
mod sigterm;
mod storm;
mod tx;
mod unique;
mod zombie;

use std::{future::Future, pin::Pin};

use automarket::Builder;

use crate::{Result, arguments::Size, findings::Findings, worker::Outside, world::World};

pub(crate) const ALL: &[Scenario] = &[
    storm::SCENARIO,
    crash_points::SCENARIO,
    ambiguous::SCENARIO,
    zombie::SCENARIO,
    poison::SCENARIO,
    rescue_race::SCENARIO,
    tx::SCENARIO,
    unique::SCENARIO,
    long_job::SCENARIO,
    sigterm::SCENARIO,
    db_restart::SCENARIO,
    db_gone::SCENARIO,
    limits::SCENARIO,
    fairness::SCENARIO,
    outage::SCENARIO,
    refresh::SCENARIO,
    rotate::SCENARIO,
];

/// A way to break a world.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Its size unless told otherwise.
    pub(crate) size: Size,
    /// With fewer hits the run is void.
    pub(crate) least: fn(&Size) -> u64,
    pub(crate) run: for<'a> fn(&'a mut World, &'a mut Findings) -> Task<'a>,
    /// What its workers need beside the kind of jobs that all have.
    pub(crate) equip: Option<fn(Builder, &Outside) -> Builder>,
    /// The life of a process of its own, started with `World::process`.
    pub(crate) process: Option<fn(String) -> Task<'static>>,
}

pub(crate) type Task<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}
