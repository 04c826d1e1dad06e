//! JSON lines, and what several rounds say together.

use std::time::Duration;

use serde_json::{Value, json};

pub(crate) fn line(value: &Value) {
    println!("{value}");
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) case: String,
    pub(crate) store: &'static str,
}

impl Case {
    pub(crate) fn new(what: &'static str, case: impl Into<String>, store: &'static str) -> Self {
        Self {
            what,
            case: case.into(),
            store,
        }
    }

    /// A line about this case.
    pub(crate) fn line(&self, more: Value) {
        let mut whole = json!({"what": self.what, "case": self.case, "store": self.store});
        if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
            whole.extend(more);
        }
        line(&whole);
    }
}

/// How long so many jobs took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) jobs: usize,
    pub(crate) time: Duration,
    /// CPU seconds of this process meanwhile.
    pub(crate) cpu: f64,
}

impl Sample {
    pub(crate) fn per_second(&self) -> f64 {
        self.jobs as f64 / self.time.as_secs_f64()
    }
}

/// Samples of several sides, taken in turns. The first side is ours; the others are what it is held against.
pub(crate) struct Rounds {
    case: Case,
    sides: Vec<(&'static str, Vec<f64>)>,
}

impl Rounds {
    pub(crate) fn new(case: Case) -> Self {
        Self {
            case,
            sides: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, side: &'static str, sample: Sample) {
        let rate = sample.per_second();
        let rates = match self.sides.iter_mut().position(|(name, _)| *name == side) {
            Some(at) => &mut self.sides[at].1,
            None => {
                self.sides.push((side, Vec::new()));
                let last = self.sides.len() - 1;
                &mut self.sides[last].1
            }
        };
        rates.push(rate);
        self.case.line(json!({
            "side": side, "round": rates.len(), "jobs": sample.jobs,
            "seconds": round(sample.time.as_secs_f64()), "per_second": rate.round(),
            "cpu_us_per_job": round(sample.cpu * 1e6 / sample.jobs as f64),
        }));
    }

    /// The medians, and ours against each other side, round by round, so that what slowed the machine for a
    /// while slowed both.
    pub(crate) fn finish(self) {
        let Some((_, ours)) = self.sides.first() else {
            return;
        };
        let mut rates = serde_json::Map::new();
        let mut ratios = serde_json::Map::new();
        for (side, theirs) in &self.sides {
            rates.insert((*side).to_owned(), spread(theirs.clone(), 0));
            if theirs.as_ptr() != ours.as_ptr() {
                let pairs = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
                ratios.insert((*side).to_owned(), spread(pairs, 3));
            }
        }
        self.case
            .line(json!({"summary": true, "per_second": rates, "ours_to": ratios}));
    }
}

/// Median, least and most.
fn spread(mut values: Vec<f64>, digits: i32) -> Value {
    values.sort_by(f64::total_cmp);
    let to = |value: Option<f64>| {
        let scale = 10_f64.powi(digits);
        value.map(|v| (v * scale).round() / scale)
    };
    // The mean of the two in the middle; of an odd number of values both are the same one.
    let count = values.len();
    let lower = values.get(count.saturating_sub(1) / 2);
    let median = lower.zip(values.get(count / 2)).map(|(a, b)| (a + b) / 2.0);
    json!({"median": to(median), "least": to(values.first().copied()), "most": to(values.last().copied())})
}

/// This share of the values lies below the answer, in milliseconds.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    round(sorted.get(at).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3))
}

pub(crate) fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
