//! Verdicts of which one takes the store long, or is not taken.

use super::*;

/// How many verdicts each call wrote: those of jobs that end with results of these sizes while the first call, of another
/// job, goes on.
async fn written(sizes: &[usize], faults: &[StoreRule]) -> Vec<usize> {
    let store = watched(Arc::new(SystemClock));
    let tenant = on(store.clone(), |b| {
        b.job("give", |size: usize, _: Run| async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok("x".repeat(size))
        })
        .job("first", |_: Value, _| async { Ok(()) })
    });
    let mut jobs = vec![put(&tenant, "first", Value::Null).await];
    for size in sizes {
        jobs.push(put(&tenant, "give", json!(size)).await);
    }
    let slow = StoreRule::on("settle", StoreFault::Delay(Duration::from_secs(1)));
    store.faults().add(slow);
    for rule in faults {
        store.faults().add(rule.clone());
    }
    let ended = async {
        for id in &jobs {
            while job(&tenant, *id).await.state != JobState::Completed {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let worker = tenant.market().worker();
    worker.run_until(ended).await.unwrap();
    for id in jobs {
        let done = job(&tenant, id).await;
        assert_eq!((done.attempts, done.crashes), (1, 0));
    }
    store.faults().answered("settle")
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_written_by_itself_behind_the_others() {
    assert_eq!(written(&[3 << 20, 7, 7, 7], &[]).await, [1, 3, 1]);
    assert_eq!(written(&[7, 7, 7, 7], &[]).await, [1, 4]);
}

#[tokio::test(start_paused = true)]
async fn verdicts_that_were_not_taken_together_are_written_in_halves() {
    let refused = StoreRule::on("settle", StoreFault::FailBefore);
    assert_eq!(written(&[7, 7, 7, 7], &[refused]).await, [1, 4, 2, 2]);
    // (What gets no answer is not counted.)
    let hangs = StoreRule::on("settle", StoreFault::Hang).times(2);
    assert_eq!(written(&[7, 7, 7, 7], &[hangs]).await, [1, 2, 1, 1]);
}

#[tokio::test]
async fn a_job_with_too_large_a_result_is_dead_and_one_with_too_large_a_payload_is_refused() {
    let tenant = on(Arc::new(MemoryStore::new()), |b| {
        b.job(
            "give",
            |size: usize, _: Run| async move { Ok("x".repeat(size)) },
        )
    });
    for (size, state) in [
        ((16 << 20) - 2, JobState::Completed),
        ((16 << 20) - 1, JobState::Dead),
    ] {
        let id = put(&tenant, "give", json!(size)).await;
        let ended = tenant.work_on(id, LEASE).await.unwrap();
        assert_eq!((ended.state, ended.attempts), (state, 1));
        let field = ended.failures.first().map(|f| f.error.field.as_deref());
        assert_eq!(field, (state == JobState::Dead).then_some(Some("result")));
    }
    let large = "x".repeat(16 << 20);
    let refused = tenant.new_job("give", &large).unwrap_err();
    assert_eq!(refused.field(), Some("payload"));
    let mut job = tenant.new_job("give", &7).unwrap();
    job.payload = large.into();
    let refused = tenant.enqueue(job).await.unwrap_err();
    assert_eq!(refused.field(), Some("payload"));
}
