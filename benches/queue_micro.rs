//! Single calls of the queue on the stores that need no server, for a look while one changes them:
//! `cargo bench --bench queue_micro`. Rates, floors and everything else are measured by `queue`.

use std::sync::Arc;

use automarket::{
    TenantId,
    store::{Claim, Lease, MemoryStore, NewJob, Store, Verdict, sqlite::SqliteStore},
};
use divan::{Bencher, counter::ItemsCount};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Memory,
    Sqlite,
}

const KINDS: [Kind; 2] = [Kind::Memory, Kind::Sqlite];
const BATCH: usize = 100;

#[divan::bench(args = KINDS)]
fn enqueue_1(bencher: Bencher<'_, '_>, kind: Kind) {
    let queue = Queue::open(kind);
    bencher
        .with_inputs(|| queue.new_jobs(1))
        .bench_local_refs(|jobs| queue.put(jobs));
}

#[divan::bench(args = KINDS)]
fn enqueue_100(bencher: Bencher<'_, '_>, kind: Kind) {
    let queue = Queue::open(kind);
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| queue.new_jobs(BATCH))
        .bench_local_refs(|jobs| queue.put(jobs));
}

#[divan::bench(args = KINDS)]
fn claim_100(bencher: Bencher<'_, '_>, kind: Kind) {
    let queue = Queue::open(kind);
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| queue.put(&queue.new_jobs(BATCH)))
        .bench_local_values(|()| queue.claim());
}

#[divan::bench(args = KINDS)]
fn complete_100(bencher: Bencher<'_, '_>, kind: Kind) {
    let queue = Queue::open(kind);
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| {
            queue.put(&queue.new_jobs(BATCH));
            queue.claim()
        })
        .bench_local_refs(|leases| queue.complete(leases));
}

struct Queue {
    tenant: TenantId,
    runtime: Runtime,
    store: Arc<dyn Store>,
    _home: TempDir,
}

/// What fails here ends the run.
#[expect(clippy::expect_used, reason = "a benchmark has nobody to tell")]
impl Queue {
    fn open(kind: Kind) -> Self {
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let runtime = Runtime::new().expect("a runtime");
        let store: Arc<dyn Store> = match kind {
            Kind::Memory => Arc::new(MemoryStore::new()),
            Kind::Sqlite => {
                let open = SqliteStore::open(home.path().join("queue.db"));
                Arc::new(runtime.block_on(open).expect("a store"))
            }
        };
        Self {
            tenant: TenantId::new("acme").expect("a good name"),
            runtime,
            store,
            _home: home,
        }
    }

    fn new_jobs(&self, count: usize) -> Vec<NewJob> {
        let job = |number| {
            let payload = json!({"number": number, "note": "x".repeat(80)});
            NewJob::new(self.tenant.clone(), "work", payload)
        };
        (0..count).map(job).collect()
    }

    fn put(&self, jobs: &[NewJob]) {
        let put = self.runtime.block_on(self.store.enqueue(jobs));
        put.expect("jobs go in");
    }

    fn claim(&self) -> Vec<Lease> {
        let claim = Claim::new("bench", BATCH);
        let leases = self.runtime.block_on(self.store.claim(&claim));
        let leases = leases.expect("jobs come out");
        assert_eq!(leases.len(), BATCH);
        leases
    }

    fn complete(&self, leases: &[Lease]) {
        let verdict = |lease: &Lease| (lease.token, Verdict::Complete(Value::Null));
        let verdicts: Vec<_> = leases.iter().map(verdict).collect();
        let settled = self.runtime.block_on(self.store.settle(&verdicts));
        settled.expect("jobs end");
    }
}
