use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    StoreCase, StoreUnderTest,
    samples::{event, tenant},
};
use crate::{
    AccountId, TenantId,
    store::{KeyUse, NewCredential, SealedCredential},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("a sealed credential comes back with every field", |s| {
            Box::pin(comes_back_whole(s))
        }),
        StoreCase::new(
            "a credential is put over the version that was read, or not at all",
            |s| Box::pin(compare_and_swap(s)),
        ),
        StoreCase::new("of many puts over one version one wins", |s| {
            Box::pin(one_of_many_puts(s))
        }),
        StoreCase::new("a credential is leased by one at a time", |s| {
            Box::pin(leased_once(s))
        }),
        StoreCase::new("a lease ends by itself, by release and by a put", |s| {
            Box::pin(leases_end(s))
        }),
        StoreCase::new("a lease is released by nobody but its holder", |s| {
            Box::pin(released_by_its_holder(s))
        }),
        StoreCase::new(
            "a credential needs reauthorisation once, with one event",
            |s| Box::pin(needs_reauth_once(s)),
        ),
        StoreCase::new("re-sealing changes the envelope and nothing else", |s| {
            Box::pin(resealed(s))
        }),
        StoreCase::new("credentials under other keys are listed in pages", |s| {
            Box::pin(listed_by_key(s))
        }),
        StoreCase::new("the uses of a key are counted", |s| Box::pin(key_uses(s))),
        StoreCase::new("a credential is its tenant's alone", |s| {
            Box::pin(of_tenant(s))
        }),
        StoreCase::new("a removed credential is gone, and so is its version", |s| {
            Box::pin(removed(s))
        }),
    ]
}

fn id(name: &str) -> AccountId {
    AccountId::derived(name)
}

fn new(tenant_name: &str, account: &str, key_id: &str) -> NewCredential {
    NewCredential {
        tenant: tenant(tenant_name),
        account: id(account),
        key_id: key_id.to_owned(),
        sealed: vec![1, 0, 255, b'\''],
        expires_at: None,
        refresh_expires_at: None,
    }
}

impl StoreUnderTest {
    async fn put_credential(&self, new: &NewCredential) -> SealedCredential {
        self.store.put_credential(new, None).await.unwrap()
    }

    async fn credential_of(&self, tenant_name: &str, account: &str) -> SealedCredential {
        let read = self
            .store
            .credential(&tenant(tenant_name), id(account))
            .await;
        read.unwrap().expect("the credential is there")
    }

    async fn lease_for(&self, version: i64, seconds: u64) -> Option<DateTime<Utc>> {
        let lease = Duration::from_secs(seconds);
        let a = tenant("a");
        let leased = self.store.lease_credential(&a, id("1"), version, lease);
        leased.await.unwrap()
    }

    async fn leases(&self, version: i64) -> bool {
        self.lease_for(version, 30).await.is_some()
    }

    async fn release(&self, version: i64, leased_until: DateTime<Utc>, seconds: u64) {
        let (a, wait) = (tenant("a"), Duration::from_secs(seconds));
        let store = &self.store;
        let released = store.release_credential(&a, id("1"), version, leased_until, wait);
        released.await.unwrap();
    }
}

async fn comes_back_whole(s: &StoreUnderTest) {
    let mut new = new("a", "1", "k1");
    new.expires_at = Some(s.in_seconds(60).await);
    new.refresh_expires_at = Some(s.in_seconds(600).await);
    let put = s.put_credential(&new).await;
    assert!((s.now().await - put.updated_at).num_seconds() < 1);
    let wanted = SealedCredential {
        tenant: new.tenant,
        account: new.account,
        version: put.version,
        key_id: new.key_id,
        sealed: new.sealed,
        expires_at: new.expires_at,
        refresh_expires_at: new.refresh_expires_at,
        needs_reauth: false,
        leased_until: None,
        used_at: None,
        updated_at: put.updated_at,
    };
    assert_eq!(put, wanted);
    assert_eq!(s.credential_of("a", "1").await, wanted);
    s.store
        .credential_used(&tenant("a"), id("1"))
        .await
        .unwrap();
    assert!(s.credential_of("a", "1").await.used_at.is_some());
}

async fn compare_and_swap(s: &StoreUnderTest) {
    let rule = |error: crate::Error| error.rule().map(str::to_owned);
    let changed = Some("credential.changed".to_owned());
    let new = new("a", "1", "k1");
    let over_nothing = s.store.put_credential(&new, Some(3)).await.unwrap_err();
    assert_eq!(rule(over_nothing), changed);
    let first = s.store.put_credential(&new, Some(0)).await.unwrap();
    let again = s.store.put_credential(&new, Some(0)).await.unwrap_err();
    assert_eq!(rule(again), changed);
    let over = Some(first.version);
    let other = NewCredential {
        key_id: "k2".to_owned(),
        sealed: vec![9, 9],
        expires_at: Some(s.in_seconds(60).await),
        refresh_expires_at: Some(s.in_seconds(600).await),
        ..new.clone()
    };
    let second = s.store.put_credential(&other, over).await.unwrap();
    assert_eq!(second.version, first.version + 1);
    assert_eq!(content(&second), other);
    let late = s.store.put_credential(&new, over).await.unwrap_err();
    assert_eq!(rule(late), changed);
    assert_eq!(s.credential_of("a", "1").await, second);
    assert_eq!(s.put_credential(&new).await.version, second.version + 1);
    assert_eq!(content(&s.credential_of("a", "1").await), new);
}

/// What was given when it was put.
fn content(row: &SealedCredential) -> NewCredential {
    NewCredential {
        tenant: row.tenant.clone(),
        account: row.account,
        key_id: row.key_id.clone(),
        sealed: row.sealed.clone(),
        expires_at: row.expires_at,
        refresh_expires_at: row.refresh_expires_at,
    }
}

async fn one_of_many_puts(s: &StoreUnderTest) {
    let mut over = 0;
    for _ in 0..3 {
        let puts = (0..8).map(|n| {
            let store = s.store.clone();
            let mut new = new("a", "1", "k1");
            new.sealed = vec![n];
            tokio::spawn(async move { store.put_credential(&new, Some(over)).await })
        });
        let mut won = 0;
        for put in puts.collect::<Vec<_>>() {
            won += usize::from(put.await.unwrap().is_ok());
        }
        assert_eq!(won, 1);
        let version = s.credential_of("a", "1").await.version;
        assert!(over == 0 || version == over + 1);
        over = version;
    }
}

async fn leased_once(s: &StoreUnderTest) {
    let version = s.put_credential(&new("a", "1", "k1")).await.version;
    let leases = (0..8).map(|_| {
        let store = s.store.clone();
        tokio::spawn(async move {
            let lease = Duration::from_secs(30);
            store
                .lease_credential(&tenant("a"), id("1"), version, lease)
                .await
        })
    });
    let mut leased = 0;
    for lease in leases.collect::<Vec<_>>() {
        leased += usize::from(lease.await.unwrap().unwrap().is_some());
    }
    assert_eq!(leased, 1);
    assert!(!s.leases(version + 1).await, "another version");
}

async fn leases_end(s: &StoreUnderTest) {
    let version = s.put_credential(&new("a", "1", "k1")).await.version;
    let first = s.lease_for(version, 30).await.expect("it is free");
    s.wait(31).await;
    let second = s.lease_for(version, 30).await.expect("it ran out");
    s.release(version + 1, second, 0).await;
    assert!(!s.leases(version).await, "another version was released");
    s.release(version, second, 10).await;
    assert!(!s.leases(version).await, "nobody tries again so soon");
    s.wait(11).await;
    let third = s.lease_for(version, 30).await.expect("the wait is over");
    s.release(version, third, 0).await;
    assert!(s.leases(version).await, "released");
    s.put_credential(&new("a", "1", "k1")).await;
    assert!(s.leases(version + 1).await, "a put ends it");
    assert!(first < second && second < third);
}

async fn released_by_its_holder(s: &StoreUnderTest) {
    let version = s.put_credential(&new("a", "1", "k1")).await.version;
    let paused = s.lease_for(version, 30).await.expect("it is free");
    s.wait(31).await;
    let held = s.lease_for(version, 30).await.expect("it ran out");
    assert_eq!(s.credential_of("a", "1").await.leased_until, Some(held));
    // Whoever had it before comes to life again.
    s.release(version, paused, 0).await;
    assert_eq!(s.credential_of("a", "1").await.leased_until, Some(held));
    assert!(!s.leases(version).await);
    s.release(version, held, 0).await;
    assert!(s.leases(version).await);
}

async fn needs_reauth_once(s: &StoreUnderTest) {
    let version = s.put_credential(&new("a", "1", "k1")).await.version;
    assert!(s.leases(version).await);
    let told = event("a", "account.needs_reauth", "1");
    let mark = |version| {
        let store = &s.store;
        let told = &told;
        async move {
            let a = tenant("a");
            let marked = store.credential_needs_reauth(&a, id("1"), version, told);
            marked.await.unwrap()
        }
    };
    assert!(!mark(version + 1).await, "another version");
    assert!(mark(version).await);
    assert!(!mark(version).await, "said already");
    let row = s.credential_of("a", "1").await;
    assert!(row.needs_reauth && row.leased_until.is_none());
    // Whoever read it just before does not ask with a dead token once more.
    let tenant = tenant("a");
    let late = s
        .store
        .lease_credential(&tenant, id("1"), version, Duration::from_secs(1));
    assert_eq!(late.await.unwrap(), None);
    let events = s.store.events(&tenant, 0, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event, told);
    s.put_credential(&new("a", "1", "k1")).await;
    assert!(!s.credential_of("a", "1").await.needs_reauth);
}

async fn resealed(s: &StoreUnderTest) {
    let version = s.put_credential(&new("a", "1", "k1")).await.version;
    assert!(s.leases(version).await);
    let before = s.credential_of("a", "1").await;
    let reseal = |version| {
        let store = &s.store;
        async move {
            let a = tenant("a");
            let resealed = store.reseal_credential(&a, id("1"), version, "k2", &[7, 7]);
            resealed.await.unwrap()
        }
    };
    assert!(!reseal(version + 1).await, "another version");
    assert!(reseal(version).await);
    let wanted = SealedCredential {
        key_id: "k2".to_owned(),
        sealed: vec![7, 7],
        ..before
    };
    assert_eq!(s.credential_of("a", "1").await, wanted);
}

async fn listed_by_key(s: &StoreUnderTest) {
    let mut wanted: Vec<(TenantId, AccountId)> = Vec::new();
    for name in ["a", "b"] {
        for account in 0..5 {
            s.put_credential(&new(name, &account.to_string(), "k1"))
                .await;
            wanted.push((tenant(name), id(&account.to_string())));
        }
        s.put_credential(&new(name, "new", "k2")).await;
    }
    wanted.sort();
    let mut listed = Vec::new();
    loop {
        let after = listed.last();
        let page = s.store.credentials_not_under("k2", after, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|row| (row.tenant, row.account)));
    }
    assert_eq!(listed, wanted);
    let some = s.store.credentials_under("k1", 3).await.unwrap();
    let keys: Vec<_> = some.iter().map(|row| row.key_id.as_str()).collect();
    assert_eq!(keys, ["k1"; 3]);
    assert_eq!(s.store.credentials_under("k2", 3).await.unwrap().len(), 2);
    assert_eq!(s.store.credentials_under("k3", 3).await.unwrap(), []);
}

async fn key_uses(s: &StoreUnderTest) {
    assert_eq!(s.store.key_uses().await.unwrap(), []);
    let version = s.put_credential(&new("a", "1", "k1")).await.version;
    s.put_credential(&new("b", "1", "k1")).await;
    s.put_credential(&new("b", "1", "k2")).await;
    let lost = s.store.put_credential(&new("b", "1", "k2"), Some(9)).await;
    assert!(lost.is_err());
    let a = tenant("a");
    let resealed = s.store.reseal_credential(&a, id("1"), version, "k2", &[7]);
    assert!(resealed.await.unwrap());
    let uses = |key_id: &str, credentials, seals| KeyUse {
        key_id: key_id.to_owned(),
        credentials,
        seals,
    };
    let wanted = [uses("k1", 0, 2), uses("k2", 2, 2)];
    assert_eq!(s.store.key_uses().await.unwrap(), wanted);
}

async fn of_tenant(s: &StoreUnderTest) {
    let version = s.put_credential(&new("a", "1", "k1")).await.version;
    let (a, b) = (tenant("a"), tenant("b"));
    let lease = Duration::from_secs(30);
    assert_eq!(s.store.credential(&b, id("1")).await.unwrap(), None);
    assert_eq!(s.store.credentials(&b).await.unwrap(), []);
    let leased = s.store.lease_credential(&b, id("1"), version, lease);
    assert_eq!(leased.await.unwrap(), None);
    let event = event("b", "account.needs_reauth", "1");
    let marked = s
        .store
        .credential_needs_reauth(&b, id("1"), version, &event);
    assert!(!marked.await.unwrap());
    let resealed = s.store.reseal_credential(&b, id("1"), version, "k2", &[7]);
    assert!(!resealed.await.unwrap());
    s.store.credential_used(&b, id("1")).await.unwrap();
    let removed = s.store.remove_credential(&b, id("1"), None);
    assert_eq!(removed.await.unwrap(), None);
    let row = s.credential_of("a", "1").await;
    assert_eq!((row.used_at, row.key_id.as_str()), (None, "k1"));
    assert_eq!(s.store.credentials(&a).await.unwrap(), [row]);
}

async fn removed(s: &StoreUnderTest) {
    let before = s.put_credential(&new("a", "1", "k1")).await.version;
    let a = tenant("a");
    let removed = async |version| {
        let removed = s.store.remove_credential(&a, id("1"), version);
        removed.await.unwrap()
    };
    // Who removes one version leaves what another put in its place.
    let over = s.put_credential(&new("a", "1", "k1")).await;
    assert_eq!(removed(Some(before)).await, None);
    assert_eq!(s.credential_of("a", "1").await, over);
    assert_eq!(removed(Some(over.version)).await, Some(over.version));
    let before = s.put_credential(&new("a", "1", "k1")).await.version;
    assert_eq!(removed(None).await, Some(before));
    assert_eq!(removed(None).await, None);
    assert_eq!(s.store.credential(&a, id("1")).await.unwrap(), None);
    s.wait(1).await;
    let after = s.put_credential(&new("a", "1", "k1")).await;
    // Whoever still renews or re-seals what was removed comes too late.
    let renewed = new("a", "1", "k2");
    let late = s.store.put_credential(&renewed, Some(before));
    assert_eq!(late.await.unwrap_err().rule(), Some("credential.changed"));
    let late = s
        .store
        .reseal_credential(&a, id("1"), before, "k2", &[7, 7]);
    assert!(!late.await.unwrap());
    assert!(!s.leases(before).await);
    assert_eq!(s.credential_of("a", "1").await, after);
}
