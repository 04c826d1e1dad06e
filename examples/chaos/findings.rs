//! What a run found, and its one line of JSON.

use std::{
    collections::{BTreeMap, HashSet},
    process::ExitCode,
    time::Instant,
};

use automarket::JobId;
use serde_json::json;

use crate::{
    arguments::{Arguments, Size},
    log::Entry,
    rows::{JobRow, PublicationRow},
};

#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) kills: usize,
    /// Faults that took place.
    pub(crate) hits: u64,
    pub(crate) acknowledged: usize,
    pub(crate) terminal: usize,
    pub(crate) effects: usize,
    pub(crate) lost: usize,
    pub(crate) duplicates: usize,
    pub(crate) unknown: usize,
    broken: Vec<String>,
    void: Vec<String>,
    notes: Vec<String>,
}

impl Findings {
    /// Something that whoever reads the report should know.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A promise that was not kept.
    pub(crate) fn broken(&mut self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("BROKEN: {what}");
        self.broken.push(what);
    }

    /// Why nothing can be said.
    pub(crate) fn void(&mut self, why: impl Into<String>) {
        self.void.push(why.into());
    }

    /// Fewer hits than these say nothing; none never say anything.
    pub(crate) fn enough(&mut self, of: &str, hits: u64, least: u64) {
        let least = least.max(1);
        if hits < least {
            self.void(format!("{of} {hits} hits, {least} are the least"));
        }
    }

    /// A promise.
    pub(crate) fn must(&mut self, kept: bool, otherwise: impl Into<String>) {
        if !kept {
            self.broken(otherwise);
        }
    }

    /// Every acknowledged job has ended well, and had its effect once.
    pub(crate) fn jobs_done_once(&mut self, acks: &[JobId], rows: &[JobRow], log: &[Entry]) {
        self.done_once(acks, rows, log, |_| false);
    }

    /// The same, but those of which `may_die` says so may be dead, and then have no effect or one.
    pub(crate) fn done_once(
        &mut self,
        acks: &[JobId],
        rows: &[JobRow],
        log: &[Entry],
        may_die: impl Fn(&JobRow) -> bool,
    ) {
        let mut times = BTreeMap::<&str, usize>::new();
        for entry in log.iter().filter(|entry| entry.list == "effects") {
            *times.entry(&entry.id).or_default() += 1;
        }
        let rows: BTreeMap<&str, &JobRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
        self.acknowledged += acks.len();
        for id in acks.iter().map(ToString::to_string).collect::<HashSet<_>>() {
            let row = rows.get(id.as_str());
            let dead = row.is_some_and(|row| row.state == "dead" && may_die(row));
            let completed = row.is_some_and(|row| row.state == "completed");
            self.terminal += usize::from(row.is_some_and(|row| row.ended()));
            let effects = times.get(id.as_str()).copied().unwrap_or_default();
            if !dead && (!completed || effects == 0) {
                self.lost += 1;
                let state = row.map_or("in no row", |row| row.state.as_str());
                eprintln!("lost: job {id} is {state} and had {effects} effects");
            }
        }
        self.count(times.values());
        let late = log.iter().filter(|entry| entry.list == "late").count();
        if late > 0 {
            self.note(format!(
                "{late} effects came after another run had looked, and were refused"
            ));
        }
        for id in times.keys() {
            self.must(
                rows.contains_key(id),
                format!("job {id} had an effect and is in no row"),
            );
        }
        for row in rows.values() {
            self.must(
                row.places == 1,
                format!("job {} stands in {} places", row.id, row.places),
            );
        }
    }

    /// Every publication of these marks is public, and was published once. What is `unknown` had at most one
    /// effect, and breaks the promise too: every platform here can be searched.
    pub(crate) fn published_once(
        &mut self,
        marks: &[String],
        rows: &[PublicationRow],
        log: &[Entry],
    ) {
        let mut times = BTreeMap::<&str, usize>::new();
        for entry in log.iter().filter(|entry| entry.list == "effects") {
            *times.entry(&entry.id).or_default() += 1;
        }
        self.acknowledged += marks.len();
        let rows: BTreeMap<&str, &PublicationRow> =
            rows.iter().map(|row| (row.mark.as_str(), row)).collect();
        for mark in marks {
            let row = rows.get(mark.as_str());
            let state = row.map_or("in no row", |row| row.state.as_str());
            let effects = times.get(mark.as_str()).copied().unwrap_or_default();
            self.terminal += usize::from(row.is_some_and(|row| row.ended()));
            self.unknown += usize::from(state == "unknown");
            if state != "unknown" && (state != "published" || effects == 0) {
                self.lost += 1;
                eprintln!("lost: {mark} is {state} and had {effects} effects");
            }
        }
        self.count(times.values());
    }

    fn count<'a>(&mut self, times: impl Iterator<Item = &'a usize>) {
        for times in times {
            self.effects += times;
            self.duplicates += times - 1;
        }
    }

    pub(crate) fn report(mut self, arguments: &Arguments, size: Size, begun: Instant) -> ExitCode {
        if self.lost > 0 {
            let lost = format!("{} lost", self.lost);
            self.broken.push(lost);
        }
        if self.duplicates > 0 {
            let twice = format!("{} done twice", self.duplicates);
            self.broken.push(twice);
        }
        if self.unknown > 0 {
            let unknown = format!(
                "{} unknown, of platforms that can be searched",
                self.unknown
            );
            self.broken.push(unknown);
        }
        let (verdict, code) = if !self.broken.is_empty() {
            ("broken", 1)
        } else if !self.void.is_empty() {
            ("void", 3)
        } else {
            ("held", 0)
        };
        let more = self.broken.len().saturating_sub(10);
        self.broken.truncate(10);
        if more > 0 {
            self.broken.push(format!("and {more} more"));
        }
        let notes = [self.broken, self.void, self.notes].concat();
        println!(
            "{}",
            json!({
                "scenario": arguments.scenario.name, "store": arguments.store.to_string(),
                "seed": arguments.seed, "jobs": size.jobs, "workers": size.workers, "kills": self.kills,
                "hits": self.hits, "acknowledged": self.acknowledged, "terminal": self.terminal,
                "effects": self.effects, "lost": self.lost, "duplicates": self.duplicates,
                "unknown": self.unknown, "seconds": begun.elapsed().as_secs_f64(),
                "verdict": verdict, "notes": notes.join("; "),
            })
        );
        ExitCode::from(code)
    }
}
