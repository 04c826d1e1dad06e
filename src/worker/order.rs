//! Asking the queue for jobs.

use std::{sync::Arc, time::Duration};

use automarket_core::{
    Error, ErrorKind, JobId, Result,
    store::{Claim, Lease, Verdict},
};
use tokio::{sync::oneshot, time::Instant};

use super::{SharedEngine, held::Held, in_time};
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
                    taken.next = Next::At(Instant::now() + self.poll);
                    break;
                }
            }
        }
        let strange = |lease: &mut Lease| !engine.knows(&lease.job.kind);
        let strangers: Vec<Lease> = taken.leases.extract_if(.., strange).collect();
        for lease in strangers {
            let place = match is_known_elsewhere(&engine, &lease, lease_third).await {
                true => &mut taken.others,
                false => &mut taken.leases,
            };
            place.push(lease);
        }
        taken
    }
}

/// Whether a worker that lives knows what is not known here, or may, since the store does not say.
async fn is_known_elsewhere(engine: &SharedEngine, lease: &Lease, patience: Duration) -> bool {
    let store = &engine.store;
    let asked = async { Ok((store.workers().await?, store.now().await?)) };
    let Ok((workers, now)) = in_time(patience, asked).await else {
        return true;
    };
    workers.iter().any(|worker| {
        let silent = (now - worker.seen_at).to_std().unwrap_or_default();
        silent < HEARD_OF && worker.kinds.contains(&lease.job.kind)
    })
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
    let (late, leases) = oneshot::channel();
    tokio::spawn(async move {
        let claimed = store.claim(&claim).await;
        if let Err(Ok(leases)) = late.send(claimed) {
            let back: Vec<_> = leases
                .iter()
                .map(|lease| (lease.token, Verdict::Release))
                .collect();
            metrics::store_result("settle", store.settle(&back).await.map(drop));
        }
    });
    in_time(patience, async move {
        let gone = |_| Error::new(ErrorKind::Internal, "a claim has ended without an answer");
        leases.await.map_err(gone)?
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
        _ => poll,
    };
    Next::At(Instant::now() + wait)
}
