//! Another encryption key, while everything runs.

use automarket::{
    store::{CredentialStore as _, FlowStore as _, KeyUse},
    testing::{FaultStore, StoreFault, StoreRule},
};

use super::{
    provider::{Kms, reader},
    *,
};

const ACCOUNTS: u64 = 250;

/// Many accounts under the old key, and the same store with the new key in front.
async fn many() -> (Arc<MemoryStore>, Tenant, Vec<Account>) {
    let store = Arc::new(MemoryStore::new());
    let tenant = on(store.clone(), OLD);
    let mut accounts = Vec::new();
    for n in 0..ACCOUNTS {
        let account = Account::new(tenant.id().clone(), PLATFORM, n.to_string());
        let credential = Credential::token(format!("token {n}"));
        accounts.push(tenant.add_account(account, credential).await.unwrap());
    }
    (store, tenant, accounts)
}

fn on(store: Arc<dyn Store>, keys: &str) -> Tenant {
    let market = market(store, Issuer::new()).keyring(keyring(keys));
    market.build().unwrap().tenant("acme").unwrap()
}

fn uses(old: u64, new: u64, uses: &[KeyUse]) {
    let of = |id| {
        uses.iter()
            .find(|key| key.key_id == id)
            .map_or(0, |key| key.credentials)
    };
    assert_eq!((of("old"), of("new")), (old, new));
}

#[tokio::test]
async fn rotation_reseals_everything_and_says_when_the_old_key_may_go() {
    let (store, _, accounts) = many().await;
    let tenant = on(store.clone(), &format!("{NEW},{OLD}"));
    let mut seen = Vec::new();
    let report = tenant.market().rotate(|r| seen.push(r.resealed)).await;
    let report = report.unwrap();
    assert_eq!(
        (report.total, report.resealed, report.failed),
        (ACCOUNTS, ACCOUNTS, 0)
    );
    assert_eq!(report.retired, ["old"]);
    assert_eq!(seen, [100, 200, 250, 250]);
    uses(0, ACCOUNTS, &store.key_uses().await.unwrap());
    let trail = tenant.audit(0, 1000).await.unwrap();
    let noted = trail
        .iter()
        .filter(|row| row.entry.action == AuditAction::Rotate && row.entry.outcome == "done");
    assert_eq!(noted.count() as u64, ACCOUNTS);
    // The new key alone opens everything.
    let later = on(store.clone(), NEW);
    for (n, account) in accounts.iter().enumerate() {
        let context = later.context(account.id).await.unwrap();
        assert_eq!(token_of(context.credential()), format!("token {n}"));
    }
    let again = tenant.market().rotate(|_| {}).await.unwrap();
    assert_eq!((again.total, again.resealed), (0, 0));
}

#[tokio::test]
async fn connections_under_way_and_tenants_apps_outlive_the_old_key() {
    let store = Arc::new(MemoryStore::new());
    let tenant = on(store.clone(), OLD);
    let query = begun(&tenant).await;
    let app = App::new("theirs", "secret").named("ours");
    tenant.put_app(&PLATFORM, &app).await.unwrap();

    let both = on(store.clone(), &format!("{NEW},{OLD}"));
    let report = both.market().rotate(|_| {}).await.unwrap();
    assert_eq!((report.resealed, report.failed), (1, 0));
    assert_eq!(report.retired, ["old"]);
    let later = on(store, NEW);
    assert_eq!(later.apps().await.unwrap()[0].name, "ours");
    // It gets as far as the platform, which knows no such code.
    let end = later.connect(PLATFORM).complete(&query, "session").await;
    assert_eq!(
        end.unwrap_err().rule(),
        Some(automarket::oauth::rule::INVALID_GRANT)
    );
}

/// The query with which the browser comes back, of a connection that is begun there.
async fn begun(tenant: &Tenant) -> String {
    let connect = tenant.connect(PLATFORM);
    let begun = connect.begin("https://acme.dev/callback", "session").await;
    let url = begun.unwrap().authorize_url;
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    format!("code=c&state={}", state.1)
}

#[tokio::test]
async fn a_connection_that_meets_a_process_with_older_keys_is_not_lost() {
    let store = Arc::new(MemoryStore::new());
    let both = format!("{NEW},{OLD}");
    let new = on(store.clone(), &both);
    let complete = async |tenant: &Tenant, query: &str| {
        let end = tenant.connect(PLATFORM).complete(query, "session").await;
        end.unwrap_err()
    };
    // It gets as far as the platform, which knows no such code.
    let reached = Some(automarket::oauth::rule::INVALID_GRANT);
    let query = begun(&new).await;
    let lacking = complete(&on(store.clone(), OLD), &query).await;
    assert_eq!(lacking.rule(), Some("vault.missing_key"));
    assert!(matches!(lacking.retry(), automarket::Retry::After(Some(_))));
    assert_eq!(complete(&new, &query).await.rule(), reached);
    let again = complete(&new, &query).await;
    assert_eq!(again.rule(), Some(automarket::oauth::rule::EXPIRED));

    // A KMS is asked for the key.
    let kms = Kms::new(OLD);
    let reader = market(store.clone(), Issuer::new()).keyring(kms.clone());
    let reader = reader.build().unwrap().tenant("acme").unwrap();
    reader.market().check_keyring().await.unwrap();
    kms.gives(&both);
    let query = begun(&new).await;
    assert_eq!(complete(&reader, &query).await.rule(), reached);
}

#[tokio::test]
async fn a_key_that_has_sealed_nothing_yet_is_not_retired() {
    let (store, ..) = many().await;
    let both = on(store, &format!("{OLD},{NEW}"));
    let report = both.market().rotate(|_| {}).await.unwrap();
    assert_eq!((report.total, report.resealed), (0, 0));
    assert_eq!(report.retired, [""; 0]);
}

#[tokio::test]
async fn a_connection_that_is_damaged_holds_up_no_rotation() {
    use automarket::store::Flow;
    let (store, tenant, _) = many().await;
    let flow = Flow {
        tenant: tenant.id().clone(),
        id: "damaged".to_owned(),
        sealed: vec![0xff],
        expires_at: automarket::core::chrono::Utc::now()
            + automarket::core::chrono::TimeDelta::minutes(5),
    };
    store.put_flow(&flow).await.unwrap();
    let both = on(store, &format!("{NEW},{OLD}"));
    let report = both.market().rotate(|_| {}).await.unwrap();
    assert_eq!(report.retired, ["old"]);
}

#[tokio::test]
async fn a_key_under_which_somebody_is_connecting_is_not_retired() {
    let store = Arc::new(MemoryStore::new());
    begun(&on(store.clone(), OLD)).await;
    // The same id for another key: what waits does not open.
    let wrong = "old:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let both = on(store, &format!("{NEW},{wrong}"));
    let report = both.market().rotate(|_| {}).await.unwrap();
    assert_eq!(report.retired, [""; 0]);
}

#[tokio::test]
async fn a_key_under_which_a_credential_is_left_is_not_retired() {
    let (store, _, _) = many().await;
    // The same id for another key: nothing under it opens.
    let wrong = "old:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let both = on(store.clone(), &format!("{NEW},{wrong}"));
    let report = both.market().rotate(|_| {}).await.unwrap();
    assert_eq!((report.resealed, report.failed), (0, ACCOUNTS));
    assert_eq!(report.retired, [""; 0]);
    uses(ACCOUNTS, 0, &store.key_uses().await.unwrap());
}

#[tokio::test]
async fn a_rotation_that_was_stopped_goes_on_where_it_was() {
    let (store, _, _) = many().await;
    let faulty = Arc::new(FaultStore::new(store.clone()));
    let fault = StoreRule::on("reseal_credential", StoreFault::FailBefore);
    faulty.faults().add(fault.after(120));
    let tenant = on(faulty, &format!("{NEW},{OLD}"));
    tenant.market().rotate(|_| {}).await.unwrap_err();
    uses(ACCOUNTS - 120, 120, &store.key_uses().await.unwrap());
    let report = tenant.market().rotate(|_| {}).await.unwrap();
    assert_eq!(
        (report.total, report.resealed),
        (ACCOUNTS - 120, ACCOUNTS - 120)
    );
}

#[tokio::test]
async fn a_missing_key_is_named_and_keeps_only_its_own_rows_back() {
    let (store, _, accounts) = many().await;
    let third = "third:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=";
    let both = on(store.clone(), &format!("{third},{OLD}"));
    let lost = accounts[7].clone();
    both.add_account(lost.clone(), Credential::token("t"))
        .await
        .unwrap();
    let tenant = on(store.clone(), &format!("{NEW},{OLD}"));
    let report = tenant.market().rotate(|_| {}).await.unwrap();
    assert_eq!((report.resealed, report.failed), (ACCOUNTS - 1, 1));
    let failure = report.failure.unwrap();
    assert!(failure.message.contains("third"), "{}", failure.message);
    assert_eq!(report.retired, ["old"]);
    let rows = store.credentials(tenant.id()).await.unwrap();
    let row = rows.iter().find(|row| row.account == lost.id).unwrap();
    assert_eq!(row.key_id, "third");
    // It is named, holds up nobody else from now on, and can be disconnected.
    assert_eq!(report.left, [(tenant.id().clone(), lost.id)]);
    let later = on(store, NEW);
    later.market().worker().run_until(async {}).await.unwrap();
    assert!(later.context(accounts[1].id).await.is_ok());
    let refused = later.context(lost.id).await.unwrap_err();
    assert_eq!(refused.rule(), Some("vault.missing_key"));
    later.disconnect(lost.id).await.unwrap();
}

#[tokio::test]
async fn a_credential_that_is_damaged_holds_up_nobody_else() {
    let (store, tenant, _) = many().await;
    let id = tenant.id();
    let rows = store.credentials(id).await.unwrap();
    // The first that keys are tried on.
    let mut sealed = rows[0].sealed.clone();
    *sealed.last_mut().unwrap() ^= 1;
    let damaged = rows[0].account;
    let damage = store.reseal_credential(id, damaged, rows[0].version, "old", &sealed);
    assert!(damage.await.unwrap());
    for keys in [OLD.to_owned(), format!("{NEW},{OLD}")] {
        let tenant = on(store.clone(), &keys);
        tenant.market().check_keyring().await.unwrap();
        let report = tenant.market().rotate(|_| {}).await.unwrap();
        // Under the current key nothing is looked at.
        assert_eq!(report.failed, u64::from(report.total > 0));
        let refused = tenant.context(damaged).await.unwrap_err();
        assert_eq!(refused.rule(), Some("vault.damaged"));
        assert!(tenant.context(rows[1].account).await.is_ok());
    }
    // It is the last one under the old key now.
    on(store, &format!("{NEW},{OLD}"))
        .market()
        .check_keyring()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_old_key_under_which_most_is_may_not_be_left_out() {
    let (store, _, accounts) = many().await;
    on(store.clone(), &format!("{NEW},{OLD}"))
        .add_account(accounts[0].clone(), Credential::token("t"))
        .await
        .unwrap();
    let error = on(store, NEW).market().check_keyring().await.unwrap_err();
    assert_eq!(error.rule(), Some("vault.wrong_key"));
    assert!(error.to_string().contains("old (249)"), "{error}");
}

#[tokio::test]
async fn a_wrong_key_under_the_current_id_reseals_nothing() {
    let (store, tenant, accounts) = many().await;
    let new = on(store.clone(), &format!("{NEW},{OLD}"));
    new.add_account(accounts[0].clone(), Credential::token("t"))
        .await
        .unwrap();
    let wrong = "new:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let error = on(store.clone(), &format!("{wrong},{OLD}"))
        .market()
        .rotate(|_| {})
        .await
        .unwrap_err();
    assert_eq!(error.rule(), Some("vault.wrong_key"));
    uses(ACCOUNTS - 1, 1, &store.key_uses().await.unwrap());
    assert!(tenant.context(accounts[1].id).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_under_load_loses_no_renewal() {
    let world = World::new().await;
    let keys = format!("{NEW},{OLD}");
    let rotating = market(world.store.clone(), world.issuer.clone())
        .clock(Arc::new(world.clock.clone()))
        .keyring(keyring(&keys))
        .build()
        .unwrap();
    for round in 2..12 {
        world.pass(3600);
        let (rotated, token) = tokio::join!(rotating.rotate(|_| {}), async {
            let tenant = rotating.tenant("acme").unwrap();
            let context = tenant.context(world.account.id).await.unwrap();
            token_of(context.credential()).to_owned()
        });
        rotated.unwrap();
        assert_eq!(token, format!("access-{round}"));
        assert_eq!(world.issuer.invalid_grants(), 0);
    }
}

#[tokio::test]
async fn a_key_that_came_later_is_asked_for() {
    let world = World::new().await;
    let (kms, reader) = reader(&world).await;
    // Another process rotates and connects anew; this one has never heard of the key.
    let both = format!("{NEW},{OLD}");
    let other = on(world.store.clone(), &both);
    kms.gives(&both);
    let account = world.account.clone();
    other
        .add_account(account, Credential::token("t"))
        .await
        .unwrap();
    world.pass(3600);
    let context = reader.context(world.account.id).await.unwrap();
    assert_eq!(token_of(context.credential()), "t");
}

#[tokio::test]
async fn all_who_meet_a_key_that_came_later_wait_for_the_one_who_asks() {
    let world = World::new().await;
    let (kms, reader) = reader(&world).await;
    let both = format!("{NEW},{OLD}");
    let other = on(world.store.clone(), &both);
    let mut accounts = Vec::new();
    for n in 2..12 {
        let account = Account::new(other.id().clone(), PLATFORM, n.to_string());
        let added = other.add_account(account, Credential::token("t")).await;
        accounts.push(added.unwrap().id);
    }
    kms.gives_late(&both);
    let opened = accounts.iter().map(|account| reader.context(*account));
    for context in futures_util::future::join_all(opened).await {
        assert_eq!(token_of(context.unwrap().credential()), "t");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_only_connects_seals_under_the_new_key_before_the_old_one_goes() {
    let both = format!("{NEW},{OLD}");
    let kms = Kms::new(OLD);
    let store = Arc::new(MemoryStore::new());
    let reader = market(store.clone(), Issuer::new()).keyring(kms.clone());
    let reader = reader.build().unwrap().tenant("acme").unwrap();
    let connected = async |id: &str| {
        let account = Account::new(reader.id().clone(), PLATFORM, id);
        let added = reader.add_account(account, Credential::token(id)).await;
        let account = added.unwrap().id;
        let row = store.credential(reader.id(), account).await.unwrap();
        row.unwrap().key_id
    };
    assert_eq!(connected("1").await, "old");

    kms.gives(&both);
    tokio::time::advance(std::time::Duration::from_secs(120)).await;
    let rotated = on(store.clone(), &both).market().rotate(|_| {}).await;
    assert_eq!(rotated.unwrap().retired, ["old"]);
    assert_eq!(connected("2").await, "new");
    begun(&reader).await;
    let flows = store.flows(None, 10).await.unwrap();
    let key = automarket::core::vault::key_id_of(&flows[0].sealed).unwrap();
    assert_eq!(key, "new");

    // A wrong key is not taken, and nobody is turned away for it.
    let wrong = "new:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    kms.gives(wrong);
    tokio::time::advance(std::time::Duration::from_secs(120)).await;
    assert_eq!(connected("3").await, "new");
    let later = on(store.clone(), NEW);
    later.market().check_keyring().await.unwrap();
    for row in store.credentials(later.id()).await.unwrap() {
        assert!(later.context(row.account).await.is_ok());
    }
}
