use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::Method;

/// What goes wrong with a request on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Nothing leaves: connection refused.
    NotSent,
    /// The platform does it, and the answer never comes: connection cut.
    CutAfter,
    /// The platform does not do it, and the connection is cut.
    CutBefore,
    /// The platform does it, and the answer never comes: no end.
    HangAfter,
    /// The platform does it and answers this status with an HTML page.
    StatusAfter(u16),
    /// The platform does not do it and answers this status with an HTML page.
    StatusBefore(u16),
    /// 429 without doing it, with this `Retry-After` where given.
    RateLimited(Option<&'static str>),
    /// The platform does it and answers with half of its body; an answer without one loses its headers.
    HalfAfter,
    /// The platform does it and answers 200 with garbage.
    GarbageAfter,
    /// The platform does it and answers after this time.
    Slow(Duration),
    /// 401 without doing it.
    Unauthorized,
    /// Any answer of these: status and body, without doing it.
    Reply(u16, &'static str),
    /// This process ends, hard, before anything leaves.
    AbortBefore,
    /// The platform does it, and this process ends, hard, before it hears of it.
    AbortAfter,
}

/// How many calls that fit pass before a fault hits, and how many it then hits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    pub(super) skip: u32,
    pub(super) times: u32,
}

impl Turns {
    pub(super) const NEXT: Self = Self { skip: 0, times: 1 };

    /// Counts a call that fits; whether it is hit.
    pub(super) fn hit(&mut self) -> bool {
        if self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// Which requests a fault hits.
#[derive(Clone, Debug)]
pub struct FaultRule {
    method: Option<Method>,
    path_contains: String,
    turns: Turns,
    fault: Fault,
}

impl FaultRule {
    /// Hits the next request whose path holds this text.
    #[must_use]
    pub fn on(path_contains: impl Into<String>, fault: Fault) -> Self {
        Self {
            method: None,
            path_contains: path_contains.into(),
            turns: Turns::NEXT,
            fault,
        }
    }

    /// Only requests of this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Lets that many matching requests pass first.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.turns.skip = skip;
        self
    }

    /// Hits that many.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.turns.times = times;
        self
    }
}

/// The faults of one run, each used up as it hits.
#[derive(Debug, Default)]
pub struct FaultPlan {
    rules: Mutex<Vec<FaultRule>>,
    hits: Mutex<Vec<String>>,
}

impl FaultPlan {
    /// No faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault.
    pub fn add(&self, rule: FaultRule) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(rule);
    }

    /// The fault for this request, if one hits.
    #[must_use]
    pub fn take(&self, method: &Method, path: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules.iter_mut() {
            let fits = path.contains(&rule.path_contains)
                && rule.method.as_ref().is_none_or(|wanted| wanted == method);
            if !fits || !rule.turns.hit() {
                continue;
            }
            self.hits
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(format!("{method} {path}: {:?}", rule.fault));
            return Some(rule.fault.clone());
        }
        None
    }

    /// What was hit so far: a test whose plan hit nothing proves nothing.
    #[must_use]
    pub fn hits(&self) -> Vec<String> {
        self.hits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
