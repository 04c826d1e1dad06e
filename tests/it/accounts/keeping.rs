//! Credentials at rest: sealed, refused without a key, erased, written down.

use super::*;
use automarket::accounts::Revoked;

#[tokio::test]
async fn without_a_key_nothing_is_stored() {
    let store = Arc::new(MemoryStore::new());
    let market = Automarket::shared(store.clone()).build().unwrap();
    let tenant = market.tenant("acme").unwrap();
    let account = Account::new(tenant.id().clone(), PLATFORM, "1");
    let refused = tenant.add_account(account, Credential::token("t")).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.rule(), Some("vault.no_key"));
    assert!(
        refused
            .remedy()
            .unwrap()
            .contains("openssl rand -base64 32")
    );
    assert!(tenant.accounts().await.unwrap().is_empty());
    assert!(tenant.credentials().await.unwrap().is_empty());
    // A worker without keys has other work to do.
    market.worker().run_until(async {}).await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_a_count_and_changes_nothing() {
    let world = World::new().await;
    let before = automarket::store::CredentialStore::credentials(&*world.store, world.tenant.id());
    let before = before.await.unwrap();
    // Another key, and another key under the same id.
    for wrong in [NEW, "old:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="] {
        let market = market(world.store.clone(), world.issuer.clone())
            .keyring(keyring(wrong))
            .build()
            .unwrap();
        let tenant = market.tenant("acme").unwrap();
        let worker = market.worker().run_until(async {}).await.unwrap_err();
        let check = market.check_keyring().await.unwrap_err();
        let account = world.account.clone();
        let put = tenant.add_account(account, Credential::token("t")).await;
        let used = tenant.context(world.account.id).await;
        for error in [worker, check, put.unwrap_err(), used.unwrap_err()] {
            let text = error.to_string();
            assert_eq!(error.rule(), Some("vault.wrong_key"), "{text}");
            assert!(text.contains("1 stored credential"), "{text}");
            assert!(text.contains("old (1)"), "{text}");
        }
    }
    let after = automarket::store::CredentialStore::credentials(&*world.store, world.tenant.id());
    assert_eq!(after.await.unwrap(), before);
    assert!(world.token().await.is_ok());
}

#[tokio::test]
async fn a_credential_in_another_row_does_not_open() {
    use automarket::store::{CredentialStore as _, NewCredential};
    let world = World::new().await;
    let rows = world.store.credentials(world.tenant.id()).await.unwrap();
    let rival = automarket::TenantId::new("rival").unwrap();
    let other = Account::new(world.tenant.id().clone(), PLATFORM, "2");
    for (tenant, account) in [
        (rival.clone(), world.account.id),
        (world.tenant.id().clone(), other.id),
    ] {
        let stolen = NewCredential {
            tenant: tenant.clone(),
            account,
            key_id: rows[0].key_id.clone(),
            sealed: rows[0].sealed.clone(),
            expires_at: None,
            refresh_expires_at: None,
        };
        world.store.put_credential(&stolen, None).await.unwrap();
        let row = Account {
            tenant,
            id: account,
            ..other.clone()
        };
        automarket::store::AccountStore::put_account(&*world.store, &row)
            .await
            .unwrap();
        let market = world.tenant.market();
        let thief = market.tenant(row.tenant.as_str()).unwrap();
        let refused = thief.context(account).await.unwrap_err();
        assert_eq!(refused.rule(), Some("vault.damaged"));
    }
    assert!(world.token().await.is_ok());
}

#[tokio::test]
async fn everything_done_to_a_credential_is_written_down_with_who_and_why() {
    let world = World::new().await;
    let ada = world.tenant.by("ada@acme.example");
    world.token().await.unwrap();
    world.token().await.unwrap();
    let id = world.account.id;
    let shown = ada.reveal_credential(id, "support case 7").await.unwrap();
    assert_eq!(token_of(&shown), "access-1");
    ada.export_credential(id, "moving away").await.unwrap();
    ada.disconnect(id).await.unwrap();
    let actions: Vec<AuditAction> = world.trail().await.into_iter().map(|(a, _)| a).collect();
    use AuditAction::{Connect, Export, Forget, Reveal, Revoke, Use};
    assert_eq!(actions, [Connect, Use, Reveal, Export, Forget, Revoke]);
    let trail = world.tenant.audit(0, 100).await.unwrap();
    let entry = &trail[2].entry;
    assert_eq!(
        (
            entry.who.as_str(),
            entry.why.as_str(),
            entry.outcome.as_str()
        ),
        ("ada@acme.example", "support case 7", "done")
    );
    assert_eq!(trail[0].entry.who, "host");
    assert_eq!(trail[1].entry.who, "automarket");
}

#[tokio::test]
async fn disconnecting_revokes_at_the_platform_and_erases_here_in_any_case() {
    let world = World::new().await;
    let id = world.account.id;
    world.token().await.unwrap();
    let revoked = world.tenant.disconnect(id).await.unwrap();
    assert!(matches!(revoked, Revoked::AtPlatform));
    assert_eq!(world.issuer.revoked(), ["refresh-1"]);
    assert!(world.tenant.credentials().await.unwrap().is_empty());
    let gone = world.token().await.unwrap_err();
    assert_eq!(gone.rule(), Some("account.no_credential"));
    assert_eq!(world.tenant.accounts().await.unwrap().len(), 1);

    // A platform that cannot be reached keeps nothing from being erased.
    let down = Issuer::new();
    down.go_down();
    let market = market(world.store.clone(), down).build().unwrap();
    let tenant = market.tenant("acme").unwrap();
    let end = issuer::later(&world.clock, 3600);
    let account = world.account.clone();
    tenant
        .add_account(account, tokens("a", "r", end))
        .await
        .unwrap();
    let revoked = tenant.disconnect(id).await.unwrap();
    assert!(matches!(revoked, Revoked::Failed(_)), "{revoked:?}");
    assert!(tenant.credentials().await.unwrap().is_empty());

    // A key has nothing to be revoked by.
    let account = world.account.clone();
    tenant
        .add_account(account, Credential::token("t"))
        .await
        .unwrap();
    let revoked = tenant.disconnect(id).await.unwrap();
    assert!(matches!(revoked, Revoked::NotOffered));
    assert!(tenant.credentials().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_account_that_is_connected_anew_does_not_get_its_old_credential() {
    let world = World::new().await;
    let other = world.other_process();
    let id = world.account.id;
    other.context(id).await.unwrap();
    assert!(world.tenant.remove_account(id).await.unwrap());
    world.pass(1);
    let account = world.account.clone();
    let new = Credential::token("new");
    world.tenant.add_account(account, new).await.unwrap();
    // It may use the one that it holds for as long as that lives, or for 30 s. The row has the same version.
    world.pass(3600);
    let context = other.context(id).await.unwrap();
    assert_eq!(token_of(context.credential()), "new");
}

#[tokio::test(start_paused = true)]
async fn a_use_is_written_down_once_an_hour_however_often_it_is_read() {
    let world = World::new().await;
    let uses = async || {
        let trail = world.trail().await.into_iter();
        trail
            .filter(|(action, _)| *action == AuditAction::Use)
            .count()
    };
    for (minutes, noted) in [(0, 1), (1, 1), (58, 1), (2, 2)] {
        tokio::time::advance(std::time::Duration::from_secs(minutes * 60)).await;
        world.token().await.unwrap();
        assert_eq!(uses().await, noted, "after {minutes} min");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_puts_is_seen_after_30_seconds() {
    let world = World::new().await;
    assert_eq!(world.token().await.unwrap(), "access-1");
    let new = Credential::token("new");
    let account = world.account.clone();
    world
        .other_process()
        .add_account(account, new)
        .await
        .unwrap();
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    assert_eq!(world.token().await.unwrap(), "new");
}
