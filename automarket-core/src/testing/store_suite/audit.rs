use super::{
    StoreCase, StoreUnderTest,
    samples::{TEXT, tenant},
};
use crate::{
    AccountId,
    store::{Audit, AuditAction, NewAudit},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("the audit trail is read in the order it was written", |s| {
            Box::pin(in_order(s))
        }),
        StoreCase::new("the audit trail is its tenant's alone", |s| {
            Box::pin(of_tenant(s))
        }),
        StoreCase::new(
            "the audit trail ends where retention and erasure say",
            |s| Box::pin(taken_out(s)),
        ),
    ]
}

fn entry(tenant_name: &str, account: &str, action: AuditAction) -> NewAudit {
    NewAudit {
        tenant: tenant(tenant_name),
        account: AccountId::derived(account),
        action,
        who: TEXT.to_owned(),
        why: TEXT.to_owned(),
        outcome: "done".to_owned(),
    }
}

impl StoreUnderTest {
    async fn trail(&self, tenant_name: &str) -> Vec<Audit> {
        self.store
            .audit(&tenant(tenant_name), 0, 100)
            .await
            .unwrap()
    }
}

async fn in_order(s: &StoreUnderTest) {
    let entries = AuditAction::ALL.map(|action| entry("a", "1", action));
    s.store.append_audit(&entries[..3]).await.unwrap();
    s.store.append_audit(&entries[3..]).await.unwrap();
    s.store.append_audit(&[]).await.unwrap();
    let trail = s.trail("a").await;
    let read: Vec<NewAudit> = trail.iter().map(|row| row.entry.clone()).collect();
    assert_eq!(read, entries);
    assert!((s.now().await - trail[0].at).num_seconds() < 1);
    let rest = s.store.audit(&tenant("a"), trail[1].sequence, 2).await;
    assert_eq!(rest.unwrap(), trail[2..4]);
}

async fn of_tenant(s: &StoreUnderTest) {
    let entries = ["a", "b"].map(|name| entry(name, "1", AuditAction::Connect));
    s.store.append_audit(&entries).await.unwrap();
    assert_eq!(s.trail("b").await.len(), 1);
    let b = tenant("b");
    let one = AccountId::derived("1");
    assert_eq!(s.store.erase_audit_of(&b, one).await.unwrap(), 1);
    assert_eq!(s.store.erase_audit_of(&b, one).await.unwrap(), 0);
    assert_eq!(s.trail("a").await.len(), 1);
}

async fn taken_out(s: &StoreUnderTest) {
    let a = tenant("a");
    let old = ["a", "b"].map(|name| entry(name, "1", AuditAction::Connect));
    s.store.append_audit(&old).await.unwrap();
    s.wait(60).await;
    let between = s.now().await;
    s.wait(60).await;
    let new = ["1", "2"].map(|account| entry("a", account, AuditAction::Use));
    s.store.append_audit(&new).await.unwrap();
    let removed = async |limit| s.store.remove_audit(between, limit).await.unwrap();
    assert_eq!(removed(1).await, 1);
    assert_eq!(removed(9).await, 1);
    assert_eq!(removed(9).await, 0);
    assert_eq!(s.trail("a").await.len(), 2);
    let one = AccountId::derived("1");
    assert_eq!(s.store.erase_audit_of(&a, one).await.unwrap(), 1);
    let left = s.trail("a").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].entry, new[1]);
}
