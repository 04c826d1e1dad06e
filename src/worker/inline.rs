use std::time::Duration;

use automarket_core::{
    JobId, Result,
    store::{Claim, Job, JobState},
};
use tokio::time::Instant;

use super::{
    LONGEST, SHORTEST, SharedEngine,
    held::{HandBack, Held},
    order::claim_in_time,
    run,
    settle::{Ended, settle},
    write::cannot_be_written,
};
use crate::{Tenant, report::metrics};

/// How long until a verdict that the store did not take is put again.
const AGAIN: Duration = Duration::from_millis(100);
/// How soon a job that somebody has is looked at again.
const SOON: Duration = Duration::from_millis(20);

impl Tenant {
    /// Runs one job here, now, without a worker: until it has ended, or waits for a later time. A job that
    /// another process holds is waited for until it is free or ended. When the returned future is dropped, its work is
    /// dropped with it, and the job handed back uncounted. The lease is 1 s at the least and a year at the most.
    ///
    /// What is answered is the job as it stands then. That it failed is no error of this call: a job that is dead or
    /// waits for its next attempt says why in its `failures`.
    ///
    /// # Errors
    /// `NotFound`; those of the store.
    pub async fn work_on(&self, job: JobId, lease: Duration) -> Result<Job> {
        let engine = &self.market.engine;
        let lease = lease.clamp(SHORTEST, LONGEST);
        // Before it is claimed: a claim by id asks for no tenant.
        self.job(job).await?;
        let claim = Claim::new("inline", 1).only(job).lease(lease);
        let held = Held::new(lease);
        loop {
            let since = Instant::now();
            let claimed = claim_in_time(engine, &claim, lease).await?;
            let is_free = !claimed.is_empty();
            for claimed in claimed {
                let token = claimed.token;
                let mut back = HandBack {
                    store: engine.store.clone(),
                    tokens: vec![token],
                };
                let stop = held.hold(&claimed, since);
                let worked = async {
                    let ended = run::run(engine, claimed, lease, stop).await;
                    judge(engine, &[ended], lease).await
                };
                let judged = tokio::select! {
                    judged = worked => judged,
                    never = held.beat(&*engine.store) => match never {},
                };
                held.let_go([token]);
                back.tokens.clear();
                judged?;
                engine.wake.notify_waiters();
            }
            let found = self.job(job).await?;
            match found.state {
                JobState::Waiting if found.run_at <= engine.store.now().await? => {
                    // Somebody's transaction has its row.
                    if !is_free {
                        tokio::time::sleep(SOON).await;
                    }
                }
                // Another process holds it: look again soon.
                JobState::Leased => tokio::time::sleep((lease / 10).max(SOON)).await,
                _ => return Ok(found),
            }
        }
    }
}

/// Writes verdicts, for as long as a lease again and again when the store does not take them: a lease that is left
/// behind would count as a crash.
async fn judge(engine: &SharedEngine, ended: &[Ended], lease: Duration) -> Result<()> {
    let since = Instant::now();
    loop {
        match settle(engine, ended).await {
            Err(error) if !cannot_be_written(&error) && since.elapsed() < lease => {
                metrics::store_error("settle", &error);
                tokio::time::sleep(AGAIN).await;
            }
            end => return end,
        }
    }
}
