//! Asking the queue for jobs.

use std::{collections::HashSet, sync::Arc, time::Duration};

use automarket_core::{
    Error, ErrorKind, JobId, Result,
    store::{Claim, Lease, WorkerRecord},
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    AGAIN, SharedEngine,
    held::{HandBack, Held},
    in_time,
};
use crate::report::metrics;

/// A worker that was not heard of for so long has gone: three of its beats.
const HEARD_OF: Duration = Duration::from_secs(30);

/// What to ask the queue for.
pub(super) struct Order {
    pub(super) first: Claim,
    /// What to fill up with when the first gave all that was asked for.
    pub(super) then: Option<Claim>,
    pub(super) poll: Duration,
}

/// What the queue gave.
pub(super) struct Taken {
    pub(super) leases: Vec<Lease>,
    /// What is not known here, but to another worker, to be given back.
    pub(super) others: Vec<Lease>,
    /// The job that it was asked for by id.
    pub(super) only: Option<JobId>,
    /// When it was asked.
    pub(super) since: Instant,
    pub(super) next: Next,
}

/// When to look again.
pub(super) enum Next {
    /// There may be more.
    Now,
    /// There is nothing until then.
    At(Instant),
    /// The store gave no answer; then again.
    Again(Instant),
}

impl Order {
    pub(super) async fn take(self, engine: SharedEngine, held: Arc<Held>) -> Taken {
        let since = Instant::now();
        let mut taken = Taken {
            leases: Vec::new(),
            others: Vec::new(),
            only: self.first.job,
            since,
            next: Next::Now,
        };
        let (kinds, lease_third) = (self.first.kinds.clone(), self.first.lease / 3);
        for claim in [Some(self.first), self.then].into_iter().flatten() {
            // What was taken before is not kept from its first heartbeat.
            let patience = match taken.leases.is_empty() {
                true => claim.lease,
                false => lease_third,
            };
            match claim_in_time(&engine, &claim, patience).await {
                Ok(leases) => {
                    let all = leases.len() < claim.limit;
                    taken.leases.extend(leases);
                    held.polled_at(since);
                    if all && !claim.kinds.is_empty() && claim.kinds != kinds {
                        // Those to fill up with ran out; the first kinds may have more.
                        break;
                    }
                    if all {
                        // What came is not held up by asking for more, and one job says nothing of the rest.
                        if taken.leases.is_empty() && taken.only.is_none() {
                            taken.next = until_next(&engine, &kinds, claim.lease, self.poll).await;
                        }
                        break;
                    }
                }
                Err(error) => {
                    metrics::store_error("claim", &error);
                    taken.next = again(self.poll);
                    break;
                }
            }
        }
        let mut strangers = taken.leases.iter();
        if strangers.any(|lease| !engine.knows(&lease.job.kind)) {
            let known = known_elsewhere(&engine, lease_third).await;
            let of_others = |lease: &mut Lease| {
                let kind = &lease.job.kind;
                !engine.knows(kind) && known.as_ref().is_none_or(|known| known.contains(kind))
            };
            taken.others = taken.leases.extract_if(.., of_others).collect();
        }
        taken
    }
}

/// The kinds that workers know who live; `None` when the store does not say.
async fn known_elsewhere(engine: &SharedEngine, patience: Duration) -> Option<HashSet<String>> {
    let store = &engine.store;
    let asked = async { Ok((store.workers().await?, store.now().await?)) };
    let (workers, now) = in_time(patience, asked).await.ok()?;
    let lives = |worker: &WorkerRecord| {
        let silent = (now - worker.seen_at).to_std().unwrap_or_default();
        silent < HEARD_OF
    };
    let living = workers.into_iter().filter(lives);
    Some(living.flat_map(|worker| worker.kinds).collect())
}

/// Claims. An answer that takes longer than this, a lease at the most, is not waited for; what it brings all the same is
/// given back, since its jobs would each count a crash.
pub(super) async fn claim_in_time(
    engine: &SharedEngine,
    claim: &Claim,
    patience: Duration,
) -> Result<Vec<Lease>> {
    let store = engine.store.clone();
    let claim = claim.clone();
    let (answer, leases) = oneshot::channel();
    tokio::spawn(async move {
        let claimed = store.claim(&claim).await;
        let tokens = claimed.iter().flatten().map(|lease| lease.token).collect();
        let back = HandBack { store, tokens };
        // Nobody may be there, or go before it looks.
        let _ = answer.send((claimed, back));
    });
    in_time(patience, async move {
        let gone = |_| Error::new(ErrorKind::Internal, "a claim has ended without an answer");
        let (claimed, mut back) = leases.await.map_err(gone)?;
        back.tokens.clear();
        claimed
    })
    .await
}

/// When something may be ready.
async fn until_next(
    engine: &SharedEngine,
    kinds: &[String],
    patience: Duration,
    poll: Duration,
) -> Next {
    let store = &engine.store;
    let asked = async { Ok((store.next_ready(kinds).await?, store.now().await?)) };
    let wait = match in_time(patience, asked).await {
        Ok((Some(next), now)) => (next - now)
            .to_std()
            .unwrap_or_default()
            .clamp(Duration::from_millis(1).min(poll), poll),
        Ok((None, _)) => poll,
        Err(error) => {
            metrics::store_error("next_ready", &error);
            return again(poll);
        }
    };
    Next::At(Instant::now() + wait)
}

/// Soon, since nobody knows what is there.
fn again(poll: Duration) -> Next {
    Next::Again(Instant::now() + poll.min(AGAIN))
}
