use serde_json::json;

use super::{
    StoreCase, StoreUnderTest,
    samples::{account, tenant},
};
use crate::{Platform, store::Account};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("an account comes back with every field", |s| {
            Box::pin(comes_back_whole(s))
        }),
        StoreCase::new("an account put again keeps when it was made", |s| {
            Box::pin(put_again(s))
        }),
        StoreCase::new("accounts are listed by platform, network and name", |s| {
            Box::pin(listed_in_order(s))
        }),
        StoreCase::new("an account is removed once", |s| Box::pin(removed_once(s))),
    ]
}

async fn comes_back_whole(s: &StoreUnderTest) {
    let stored = s.store.put_account(&account("a", "r1")).await.unwrap();
    let created_at = s.now().await;
    assert_eq!(
        stored,
        Account {
            created_at: stored.created_at,
            ..account("a", "r1")
        }
    );
    assert!((created_at - stored.created_at).num_seconds() < 1);
    let read = s.store.account(&tenant("a"), stored.id).await.unwrap();
    assert_eq!(read, Some(stored));
}

async fn put_again(s: &StoreUnderTest) {
    let first = s.store.put_account(&account("a", "r1")).await.unwrap();
    s.wait(60).await;
    let changed = Account {
        name: "new name".to_owned(),
        created_at: first.created_at,
        ..account("a", "r1")
    };
    let changed = changed
        .on_network(Platform::SLACK)
        .with_settings(json!({"new": 1}));
    let second = s.store.put_account(&changed).await.unwrap();
    assert_eq!(second, changed);
    assert_eq!(s.store.accounts(&tenant("a")).await.unwrap(), [second]);
}

async fn listed_in_order(s: &StoreUnderTest) {
    let on = |platform: Platform, network: Platform, name: &str| {
        let mut account = Account::new(tenant("a"), platform, name);
        account.name = name.to_owned();
        account.on_network(network)
    };
    let wanted = [
        on(Platform::SLACK, Platform::SLACK, "b"),
        on(Platform::SLACK, Platform::X, "a"),
        on(Platform::X, Platform::X, "a"),
        on(Platform::X, Platform::X, "c"),
    ];
    for account in wanted.iter().rev() {
        s.store.put_account(account).await.unwrap();
    }
    let listed = s.store.accounts(&tenant("a")).await.unwrap();
    let ids = |accounts: &[Account]| accounts.iter().map(|a| a.id).collect::<Vec<_>>();
    assert_eq!(ids(&listed), ids(&wanted));
}

async fn removed_once(s: &StoreUnderTest) {
    let stored = s.store.put_account(&account("a", "r1")).await.unwrap();
    let a = tenant("a");
    assert!(s.store.remove_account(&a, stored.id).await.unwrap());
    assert!(!s.store.remove_account(&a, stored.id).await.unwrap());
    assert_eq!(s.store.account(&a, stored.id).await.unwrap(), None);
}
