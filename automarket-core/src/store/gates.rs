//! What holds calls for an account back for a while: rate limits and circuit breakers, shared by all processes.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::rules::lease_end;
use crate::{AccountId, Result, TenantId, wait_end};

/// The gate of an account's rate limit. That of a bucket bears its name behind a colon: `rate:tweets`.
pub const RATE: &str = "rate";
/// How long one call has to show that a gate whose time is over may be opened; then another may try.
pub const PROBE: Duration = Duration::from_secs(60);
/// How soon others ask again while a probe is under way.
const RECHECK: TimeDelta = TimeDelta::seconds(5);
/// So many failures in a row close a gate.
pub const TRIPS: u32 = 5;
/// How long the first trip closes it; each further failure doubles that, up to the second.
const TRIPPED: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15 * 60));

/// Something that calls for an account have to pass: its rate budget, that of a bucket of calls, or the
/// circuit breaker of a host.
///
/// It is open while `closed_until` is `None`. Once that instant has come, one call may pass, the probe, and
/// the gate stays closed for the others until it is known how that one ended, or for [`PROBE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Whose it is.
    pub tenant: TenantId,
    /// The account.
    pub account: AccountId,
    /// Which one: `rate`, `rate:` and a bucket, or `host:` and a host.
    pub name: String,
    /// Until when nobody passes.
    pub closed_until: Option<DateTime<Utc>>,
    /// Whether one call is on its way to find out.
    pub probing: bool,
    /// Failures in a row.
    pub failures: u32,
    /// What the platform said is left of its limit, when it last did.
    pub budget: Option<Budget>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a platform said of its rate limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Calls in a window.
    pub limit: Option<u64>,
    /// Calls that are left.
    pub remaining: Option<u64>,
    /// How long until the window begins anew.
    pub resets_in: Option<Duration>,
}

/// What a call showed of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The platform answered, and may have said what is left. Closes the gate when nothing is.
    Answered(Option<Budget>),
    /// The platform wants nothing more for this long.
    Limited(Duration),
    /// No sensible answer came. [`TRIPS`] in a row close the gate.
    Failed,
    /// What was let through to find out made no call: another may, at once.
    Unused,
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Yes, and nothing is amiss.
    Open,
    /// Yes, and how it ends is to be told: there were failures.
    Watched,
    /// Yes, and how it ends is to be told: it is the probe.
    Probe,
    /// Not before this instant; then ask again.
    Closed(DateTime<Utc>),
}

impl Gate {
    /// A gate that nothing is known of.
    #[must_use]
    pub fn new(tenant: TenantId, account: AccountId, name: &str, now: DateTime<Utc>) -> Self {
        Self {
            tenant,
            account,
            name: name.to_owned(),
            closed_until: None,
            probing: false,
            failures: 0,
            budget: None,
            updated_at: now,
        }
    }

    /// The name of a rate gate.
    #[must_use]
    pub fn rate(bucket: Option<&str>) -> String {
        bucket.map_or_else(|| RATE.to_owned(), |bucket| format!("{RATE}:{bucket}"))
    }

    /// The bucket whose gate it is.
    #[must_use]
    pub fn bucket(&self) -> Option<&str> {
        Self::bucket_of(&self.name)
    }

    /// The bucket whose gate bears this name.
    #[must_use]
    pub fn bucket_of(name: &str) -> Option<&str> {
        name.strip_prefix(RATE)?.strip_prefix(':')
    }

    /// Whether a call passes all these gates of an account, which become the probe's where it is one; stores
    /// call this, and write what changed.
    pub fn pass(gates: &mut [Self], now: DateTime<Utc>) -> Pass {
        let closed = gates.iter().filter_map(|gate| gate.closed_until).max();
        match closed {
            Some(until) if until > now => {
                let probing = gates.iter().any(|gate| gate.probing);
                let soon = now + RECHECK;
                return Pass::Closed(if probing { until.min(soon) } else { until });
            }
            Some(_) => {}
            None if gates.iter().all(|gate| gate.failures == 0) => return Pass::Open,
            None => return Pass::Watched,
        }
        for gate in gates.iter_mut().filter(|gate| gate.closed_until.is_some()) {
            gate.probing = true;
            gate.closed_until = Some(lease_end(now, PROBE));
            gate.updated_at = now;
        }
        Pass::Probe
    }

    /// What a signal, of its probe or of others, makes of it; stores call this. A gate that is closed is opened by its
    /// probe alone, and its failure alone closes it for longer: what was under way when it closed says nothing, but that the
    /// limit is used up.
    pub fn heed(&mut self, signal: Signal, of_probe: bool, now: DateTime<Utc>) {
        self.updated_at = now;
        let counts = self.closed_until.is_none() || self.probing && of_probe;
        match signal {
            Signal::Answered(budget) => {
                self.budget = budget.or(self.budget);
                if counts {
                    self.failures = 0;
                    self.probing = false;
                    self.closed_until = budget
                        .filter(|budget| budget.remaining == Some(0))
                        .and_then(|budget| Some(lease_end(now, budget.resets_in?)));
                }
            }
            Signal::Limited(wait) => {
                if self.probing && of_probe {
                    // That was its own time, and nobody's word.
                    self.closed_until = None;
                }
                self.close(wait, now);
            }
            Signal::Unused => {
                if self.probing && of_probe {
                    self.probing = false;
                    self.closed_until = Some(now);
                }
            }
            Signal::Failed if !counts => {}
            Signal::Failed => {
                self.failures = self.failures.saturating_add(1);
                if let Some(further) = self.failures.checked_sub(TRIPS) {
                    let (first, longest) = TRIPPED;
                    self.close((first * 2_u32.pow(further.min(10))).min(longest), now);
                }
            }
        }
    }

    /// Never for less long than it is.
    fn close(&mut self, wait: Duration, now: DateTime<Utc>) {
        let until = wait_end(now, wait).trunc_subsecs(6);
        self.closed_until = Some(self.closed_until.map_or(until, |at| at.max(until)));
        self.probing = false;
    }
}

/// Gates.
#[async_trait]
pub trait GateStore: Send + Sync {
    /// Whether work for this account may begin now: one question for all of its gates but those of buckets;
    /// or whether a call of this bucket may be made.
    async fn pass_gates(
        &self,
        tenant: &TenantId,
        account: AccountId,
        bucket: Option<&str>,
    ) -> Result<Pass>;
    /// Tells a gate what a call showed, and whether that was let through as its probe ([`Pass::Probe`]); returns it as
    /// it stands then.
    async fn tell_gate(
        &self,
        tenant: &TenantId,
        account: AccountId,
        name: &str,
        signal: Signal,
        of_probe: bool,
    ) -> Result<Gate>;
    /// The tenant's gates that were ever told anything, by account and name.
    async fn gates(&self, tenant: &TenantId) -> Result<Vec<Gate>>;
    /// The gates of all tenants that are closed now, those that are so for longest to come first, at most `limit`.
    async fn closed_gates(&self, limit: usize) -> Result<Vec<Gate>>;
}
