//! Erasure and retention: what is about an account is gone from every table that is not about what was published.

use automarket::{
    ErrorKind, Post, When,
    accounts::Revoked,
    store::{CredentialStore as _, Flow, FlowStore as _, JobStore as _, sqlite::SqliteStore},
    testing::{FaultStore, RecordingPublisher, Script, StoreFault, StoreRule},
    worker::Retention,
};

use super::*;

const CANARY: &str = "canary-7c1e";

/// An account with traces everywhere, erased.
async fn live_and_erase(store: Arc<dyn Store>) {
    let market = Automarket::shared(store.clone())
        .transport(Script::new())
        .publisher(RecordingPublisher::new(PLATFORM))
        .keyring(keyring(OLD));
    let market = market.build().unwrap();
    let tenant = market.tenant("acme").unwrap().by(CANARY);
    let mut account = Account::new(tenant.id().clone(), PLATFORM, "1");
    account.name = CANARY.to_owned();
    let token = Credential::token(CANARY);
    let account = tenant.add_account(account, token).await.unwrap();
    tenant.reveal_credential(account.id, CANARY).await.unwrap();
    let post = tenant.publish(Post::text("We shipped!"), [account.id], When::Now);
    let post = post.await.unwrap();
    let publication = tenant.publications(post).await.unwrap().remove(0);
    let lease = std::time::Duration::from_secs(10);
    tenant.work_on(publication.job, lease).await.unwrap();
    let attempts = async || store.attempts(tenant.id(), publication.id).await.unwrap();
    assert_eq!(attempts().await.len(), 1);
    assert!(tenant.audit(0, 100).await.unwrap().len() > 1);

    assert!(tenant.erase_account(account.id).await.unwrap());
    assert!(!tenant.erase_account(account.id).await.unwrap());
    assert!(attempts().await.is_empty());
    assert!(tenant.audit(0, 100).await.unwrap().is_empty());
    assert_eq!(tenant.publications(post).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_erased_account_leaves_no_row_and_no_byte_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("erased.db");
    let store = SqliteStore::open(&path).await.unwrap();
    live_and_erase(Arc::new(store.clone())).await;
    // While it is open, so with the write-ahead log.
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes());
        assert!(!found, "{file:?}");
    }
    let db = rusqlite::Connection::open(&path).unwrap();
    let names = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let mut names = db.prepare(names).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut rows = 0;
    for name in names.map(Result::unwrap) {
        let mut all = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = all.column_count();
        let mut all = all.query([]).unwrap();
        while let Some(row) = all.next().unwrap() {
            rows += 1;
            let values: Vec<rusqlite::types::Value> =
                (0..columns).map(|n| row.get(n).unwrap()).collect();
            let text = format!("{values:?}");
            assert!(!text.contains(CANARY), "{name}: {text}");
        }
    }
    assert!(rows > 5, "there was nothing to search");
}

#[tokio::test]
async fn an_erased_account_leaves_no_row_in_postgres() {
    let Some(cluster) = crate::cluster().await else {
        return;
    };
    let test = cluster.store().await.unwrap();
    live_and_erase(Arc::new(test.store.clone())).await;
    let connected = tokio_postgres::connect(cluster.url(), tokio_postgres::NoTls);
    let (client, connection) = connected.await.unwrap();
    tokio::spawn(connection);
    let names = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1";
    let mut rows = 0;
    for name in client.query(names, &[&test.schema()]).await.unwrap() {
        let name: String = name.get(0);
        let all = format!("SELECT t::text FROM {}.{name} t", test.schema());
        for row in client.query(&all, &[]).await.unwrap() {
            rows += 1;
            let text: String = row.get(0);
            assert!(!text.contains(CANARY), "{name}: {text}");
        }
    }
    assert!(rows > 5, "there was nothing to search");
    test.remove().await.unwrap();
}

#[tokio::test]
async fn an_erasure_that_failed_goes_on_where_it_stopped() {
    let store = Arc::new(FaultStore::new(Arc::new(MemoryStore::new())));
    let market = Automarket::shared(store.clone()).keyring(keyring(OLD));
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    for stopped in ["erase_attempts_of", "erase_audit_of"] {
        let account = Account::new(tenant.id().clone(), PLATFORM, stopped);
        let token = Credential::token("t");
        let account = tenant.add_account(account, token).await.unwrap();
        let fault = StoreRule::on(stopped, StoreFault::FailBefore);
        store.faults().add(fault);
        tenant.erase_account(account.id).await.unwrap_err();
        assert!(tenant.accounts().await.unwrap().is_empty());
        assert!(!tenant.audit(0, 9).await.unwrap().is_empty());
        assert!(tenant.erase_account(account.id).await.unwrap(), "{stopped}");
        assert!(tenant.audit(0, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_audit_trail_goes_when_retention_says() {
    let clock = ManualClock::parse("2027-01-11T09:00:00Z");
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    let store = Arc::new(FaultStore::new(Arc::new(store)));
    let usual = Retention::default();
    let hour = usual.audit(Some(std::time::Duration::from_secs(3600)));
    for (kept, left) in [(usual, 2), (hour, 1)] {
        let market = Automarket::shared(store.clone())
            .keyring(keyring(OLD))
            .retention(kept)
            .build()
            .unwrap();
        let tenant = market.tenant(&format!("left-{left}")).unwrap();
        let connect = async |name| {
            let account = Account::new(tenant.id().clone(), PLATFORM, name);
            let token = Credential::token("t");
            tenant.add_account(account, token).await.unwrap()
        };
        connect("old").await;
        clock.advance(automarket::core::chrono::Duration::days(3_650));
        let young = connect("young").await;
        clock.advance(automarket::core::chrono::Duration::minutes(30));
        // In memory a cleaning that has begun is done at once.
        let looks = store.faults().answered("remove_ended").len() + 1;
        let cleaned = store.faults().until("remove_ended", looks);
        market.worker().run_until(cleaned).await.unwrap();
        let trail = tenant.audit(0, 9).await.unwrap();
        assert_eq!(trail.len(), left, "{kept:?}");
        assert_eq!(trail.last().unwrap().entry.account, young.id);
    }
}

#[tokio::test]
async fn what_was_offered_and_never_picked_goes_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let store = Arc::new(FaultStore::new(Arc::new(store)));
    let market = Automarket::shared(store.clone()).build().unwrap();
    let minute = automarket::core::chrono::Duration::minutes(1);
    let now = store.now().await.unwrap();
    for (id, expires_at) in [("waits", now + minute), ("over", now - minute)] {
        let flow = Flow {
            tenant: market.tenant("acme").unwrap().id().clone(),
            id: id.to_owned(),
            sealed: CANARY.into(),
            expires_at,
        };
        store.put_flow(&flow).await.unwrap();
    }
    let cleaned = store.faults().until("remove_flows", 1);
    market.worker().run_until(cleaned).await.unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let left = "SELECT group_concat(id) FROM automarket_flows";
    let left: String = db.query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, "waits");
}

#[tokio::test(start_paused = true)]
async fn a_login_goes_with_the_last_of_its_accounts_also_when_they_go_at_once() {
    let world = World::new().await;
    let slow = Arc::new(FaultStore::new(world.store.clone()));
    let delay = StoreFault::Delay(std::time::Duration::from_secs(1));
    // Each looks before the other is erased.
    let late = StoreRule::on("remove_credential", delay).times(2);
    slow.faults().add(late);
    let market = market(slow, world.issuer.clone()).clock(Arc::new(world.clock.clone()));
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    let other = Account::new(tenant.id().clone(), PLATFORM, "2");
    let end = issuer::later(&world.clock, 3600);
    let same = tokens("access-1", "refresh-1", end);
    let other = tenant.add_account(other, same).await.unwrap();
    let gone = tokio::join!(
        tenant.disconnect(world.account.id),
        tenant.disconnect(other.id)
    );
    assert!(!world.issuer.revoked().is_empty(), "{gone:?}");
}

#[tokio::test]
async fn what_is_erased_is_used_no_more_though_it_was_read_meanwhile() {
    let world = World::new().await;
    let slow = Arc::new(FaultStore::new(world.store.clone()));
    let go_on = Arc::new(tokio::sync::Notify::new());
    let held = StoreFault::Held(go_on.clone());
    slow.faults().add(StoreRule::on("remove_credential", held));
    let market = market(slow, world.issuer.clone()).clock(Arc::new(world.clock.clone()));
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    let id = world.account.id;
    let read = async {
        tenant.context(id).await.unwrap();
        go_on.notify_one();
    };
    let (gone, ()) = tokio::join!(tenant.disconnect(id), read);
    gone.unwrap();
    assert!(tenant.context(id).await.is_err());
}

#[tokio::test]
async fn who_reads_while_it_is_erased_keeps_nothing_and_notes_no_use() {
    let world = World::new().await;
    let slow = Arc::new(FaultStore::new(world.store.clone()));
    let go_on = Arc::new(tokio::sync::Notify::new());
    // Asked by who has read the credential, for how long it lives.
    let held = StoreFault::Held(go_on.clone());
    slow.faults().add(StoreRule::on("now", held));
    let market = market(slow.clone(), world.issuer.clone()).clock(Arc::new(world.clock.clone()));
    let tenant = market.build().unwrap().tenant("acme").unwrap();
    let id = world.account.id;
    let erased = async {
        slow.faults().until("credential", 1).await;
        let gone = tenant.disconnect(id).await;
        go_on.notify_one();
        gone.unwrap()
    };
    let (_, gone) = tokio::join!(tenant.context(id), erased);
    assert_eq!(slow.faults().hits(), 1);
    assert!(matches!(gone, Revoked::AtPlatform), "{gone:?}");
    let late = tenant.context(id).await.unwrap_err();
    assert_eq!(late.rule(), Some("account.no_credential"));
    let used = world.trail().await.into_iter();
    assert_eq!(used.filter(|row| row.0 == AuditAction::Use).count(), 0);
}

/// A process whose store does this late, by a second.
fn late_process(world: &World, method: &'static str) -> (Tenant, Arc<FaultStore>) {
    let slow = Arc::new(FaultStore::new(world.store.clone()));
    let delay = StoreFault::Delay(std::time::Duration::from_secs(1));
    slow.faults().add(StoreRule::on(method, delay));
    let market = market(slow.clone(), world.issuer.clone()).clock(Arc::new(world.clock.clone()));
    (market.build().unwrap().tenant("acme").unwrap(), slow)
}

#[tokio::test(start_paused = true)]
async fn what_a_renewal_under_way_brings_is_withdrawn_too() {
    let world = World::new().await;
    world.pass(3600);
    // It has the new tokens, and nobody else knows them yet.
    let (renewing, slow) = late_process(&world, "put_credential");
    let id = world.account.id;
    let renewal = tokio::spawn(async move { renewing.context(id).await });
    while slow.faults().hits() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.issuer.renewed(), 1);
    let gone = world.tenant.disconnect(id).await.unwrap();
    assert_eq!(world.issuer.revoked(), ["refresh-2"], "{gone:?}");
    assert!(matches!(gone, Revoked::AtPlatform), "{gone:?}");
    renewal.await.unwrap().unwrap();
    assert!(world.tenant.credentials().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_renewed_while_it_is_withdrawn() {
    let world = World::new().await;
    world.pass(3600);
    let id = world.account.id;
    let (leaving, slow) = late_process(&world, "now");
    let read = slow.faults().until("credential", 1);
    let use_it = async {
        read.await;
        world.tenant.context(id).await
    };
    let (gone, used) = tokio::join!(leaving.disconnect(id), use_it);
    assert_eq!(slow.faults().hits(), 1);
    assert!(matches!(gone, Ok(Revoked::AtPlatform)), "{gone:?}");
    let newest = format!("refresh-{}", 1 + world.issuer.renewed());
    assert_eq!(world.issuer.revoked(), [newest]);
    assert!(used.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_was_connected_while_it_was_withdrawn_is_not_said_to_be_withdrawn() {
    let world = World::new().await;
    let id = world.account.id;
    let (leaving, slow) = late_process(&world, "remove_credential");
    let (access, refresh) = world.issuer.grant();
    let end = issuer::later(&world.clock, 3600);
    let new = tokens(&access, &refresh, end);
    let again = async {
        while slow.faults().hits() == 0 {
            tokio::task::yield_now().await;
        }
        world.tenant.add_account(world.account.clone(), new).await
    };
    let (gone, again) = tokio::join!(leaving.disconnect(id), again);
    again.unwrap();
    let Ok(Revoked::Failed(error)) = gone else {
        panic!("{gone:?}")
    };
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(world.trail().await.pop().unwrap().1, "conflict");
    assert!(world.tenant.credentials().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_to_disconnect_what_is_not_renewed_for_a_while() {
    let world = World::new().await;
    world.pass(3600);
    world.issuer.next(issuer::Next::Limited(600));
    world.token().await.unwrap_err();
    let began = tokio::time::Instant::now();
    let gone = world.tenant.disconnect(world.account.id).await.unwrap();
    assert!(matches!(gone, Revoked::AtPlatform), "{gone:?}");
    assert_eq!(began.elapsed(), std::time::Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_erased_while_it_is_connected_leaves_no_credential() {
    for dies in [false, true] {
        let world = World::new().await;
        let (connecting, slow) = late_process(&world, "put_credential");
        if dies {
            // After the put it comes to nothing else.
            let fault = StoreRule::on("account", StoreFault::FailBefore);
            slow.faults().add(fault);
        }
        let account = Account::new(world.tenant.id().clone(), PLATFORM, "2");
        let id = account.id;
        let added = connecting.add_account(account, Credential::token("t"));
        let erased = async {
            slow.faults().until("put_account", 1).await;
            world.tenant.erase_account(id).await.unwrap()
        };
        let (added, erased) = tokio::join!(added, erased);
        assert!(erased);
        let kind = match dies {
            false => ErrorKind::NotFound,
            true => ErrorKind::Storage,
        };
        assert_eq!(added.unwrap_err().kind(), kind);
        // It is no app of the tenant's own either.
        assert_eq!(world.tenant.apps().await.unwrap(), []);
        assert_eq!(world.tenant.erase_account(id).await.unwrap(), dies);
        let rows = world.store.credentials(world.tenant.id()).await.unwrap();
        assert!(rows.iter().all(|row| row.account != id), "{rows:?}");
        assert!(world.token().await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_erased_while_connecting_removes_nothing_that_another_brought() {
    let world = World::new().await;
    let (connecting, slow) = late_process(&world, "put_credential");
    let delay = StoreFault::Delay(std::time::Duration::from_secs(1));
    slow.faults().add(StoreRule::on("remove_credential", delay));
    let account = Account::new(world.tenant.id().clone(), PLATFORM, "2");
    let id = account.id;
    let first = connecting.add_account(account.clone(), Credential::token("first"));
    let second = async {
        slow.faults().until("put_account", 1).await;
        world.tenant.erase_account(id).await.unwrap();
        // The first one has seen that the account is gone.
        slow.faults().until("account", 1).await;
        let second = Credential::token("second");
        world.tenant.add_account(account, second).await.unwrap();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.unwrap_err().kind(), ErrorKind::NotFound);
    let kept = world.tenant.export_credential(id, "to see it").await;
    assert!(matches!(kept, Ok(Credential::Token(token)) if token.expose() == "second"));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_connected_while_it_is_erased_leaves_no_credential() {
    let world = World::new().await;
    let (erasing, slow) = late_process(&world, "remove_account");
    let account = Account::new(world.tenant.id().clone(), PLATFORM, "2");
    let id = account.id;
    let added = async {
        while slow.faults().hits() == 0 {
            tokio::task::yield_now().await;
        }
        let token = Credential::token("t");
        world.tenant.add_account(account, token).await
    };
    let (erased, added) = tokio::join!(erasing.erase_account(id), added);
    added.unwrap();
    assert!(erased.unwrap());
    let rows = world.store.credentials(world.tenant.id()).await.unwrap();
    assert!(rows.iter().all(|row| row.account != id), "{rows:?}");
}
