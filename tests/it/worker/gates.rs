//! A platform that says "too many" is left alone by everybody, and nobody else is slowed.

use automarket::{
    Credential, Platform, Post, When,
    store::{Account, JobStore as _},
    testing::{RecordingPublisher, Script},
};

use super::*;

const POSTS: usize = 30;
const WINDOWS: usize = 5;

fn limited() -> Error {
    let wait = Retry::After(Some(Duration::from_secs(60)));
    Error::new(ErrorKind::RateLimited, "slow down").with_retry(wait)
}

/// Until nothing is running and nothing is due.
async fn rest(tenant: &Tenant) {
    let store = tenant.market().store();
    loop {
        tokio::task::yield_now().await;
        let stats = store.queue_stats().await.unwrap();
        if stats.ready + stats.leased == 0 {
            return;
        }
    }
}

/// The same in every process on a store.
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

#[tokio::test]
async fn a_storm_of_429_is_one_probe_per_window_and_all_is_done_once() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
    let (slow, quick) = (
        RecordingPublisher::new(Platform::X),
        RecordingPublisher::new(Platform::LINKEDIN),
    );
    // Two processes on one store.
    let process = || {
        on(store.clone(), |b| {
            b.clock(Arc::new(clock.clone()))
                .transport(Script::new())
                .keyring(automarket::Keyring::from_base64(KEY).unwrap())
                .publisher(slow.clone())
                .publisher(quick.clone())
        })
    };
    let (tenant, other) = (process(), process());
    let account = |platform| Account::new(tenant.id().clone(), platform, "1");
    let (on_slow, on_quick) = (account(Platform::X), account(Platform::LINKEDIN));
    for tenant in [&tenant, &other] {
        for account in [&on_slow, &on_quick] {
            let token = Credential::token("t");
            tenant.add_account(account.clone(), token).await.unwrap();
        }
    }
    let worker = |tenant: &Tenant| {
        let worker = tenant.market().worker().concurrency(2);
        worker.poll(Duration::from_millis(1))
    };
    for _ in 0..WINDOWS + 4 {
        slow.answer(Err(limited()));
    }
    for n in 0..POSTS {
        let accounts = [on_slow.id, on_quick.id];
        let post = Post::text(format!("Post {n}"));
        tenant.publish(post, accounts, When::Now).await.unwrap();
    }
    let stop = Notify::new();
    let storm = async {
        rest(&tenant).await;
        assert_eq!(quick.texts().len(), POSTS, "others are not slowed");
        let mut sent = slow.texts().len();
        assert!(
            (1..=4).contains(&sent),
            "at most what was under way: {sent}"
        );
        while sent < WINDOWS + 4 {
            clock.advance(chrono::Duration::seconds(65));
            rest(&tenant).await;
            assert_eq!(slow.texts().len(), sent + 1, "one probe per window");
            sent += 1;
        }
        // The platform takes posts again.
        for _ in 0..3 {
            clock.advance(chrono::Duration::seconds(65));
            rest(&tenant).await;
        }
        stop.notify_one();
    };
    let (a, b) = tokio::join!(
        worker(&tenant).run_until(storm),
        worker(&other).run_until(stop.notified())
    );
    a.and(b).unwrap();
    let keys = slow.keys();
    let done: std::collections::BTreeSet<&String> = keys[WINDOWS + 4..].iter().collect();
    assert_eq!((done.len(), keys.len()), (POSTS, POSTS + WINDOWS + 4));
    let ended = store
        .jobs(tenant.id(), JobState::Completed, usize::MAX)
        .await;
    let ended = ended.unwrap();
    assert_eq!(ended.len(), POSTS * 2);
    assert!(
        ended
            .iter()
            .all(|job| job.attempts == 1 && job.failures.is_empty())
    );
}
