use std::collections::BTreeSet;

use chrono::TimeDelta;
use http::Method;

use super::{CrmUnderTest, contact, err, id_of, ok, records::campaign};
use crate::{
    Credential, ErrorKind,
    testing::{Fault, FaultRule},
};

/// So many people go in at once. No page ends where the first lots do, so what shares an instant stands on two pages;
/// the last is larger than a page, where the CRM takes so many at once.
const LOTS: [usize; 4] = [47, 47, 47, 250];

/// A reader of changes sees creations, updates and deletions, over many pages and sweeps.
///
/// # Panics
/// When one is missed, told twice in a sweep, or the reader stands still.
pub async fn changes_miss_nothing(test: &CrmUnderTest) {
    if !test.crm.profile().changes {
        return;
    }
    let people: Vec<_> = (0..LOTS.iter().sum())
        .map(|n| contact(&format!("c{n}@example.com")))
        .collect();
    let mut ids = Vec::new();
    for lot in LOTS {
        let lot = &people[ids.len()..][..lot];
        ids.extend(test.upsert_all(lot).await.iter().map(id_of));
    }
    let (first, cursor) = test.sweep(None).await;
    let told: Vec<_> = first
        .records
        .iter()
        .map(|record| record.id.clone())
        .collect();
    let distinct: BTreeSet<_> = told.iter().cloned().collect();
    assert_eq!(told.len(), distinct.len(), "told twice in one sweep");
    assert_eq!(
        distinct,
        ids.iter().cloned().collect(),
        "creations were missed"
    );
    let times: Vec<_> = first
        .records
        .iter()
        .map(|record| record.updated_at)
        .collect();
    assert!(times.is_sorted(), "not oldest first");

    let (idle, cursor) = test.sweep(Some(cursor)).await;
    assert!(
        idle.records.is_empty() && idle.deleted.is_empty(),
        "nothing changed, but: {idle:?}"
    );

    for (wait, n) in [(1, 3), (3_600, 77)] {
        test.clock.advance(TimeDelta::seconds(wait));
        let mut person = people[n].clone();
        person.job_title = Some("Promoted".into());
        test.upsert(&person).await;
    }
    ok(
        test.crm
            .archive(&test.context, test.contacts, &ids[5])
            .await,
        "archive",
    );
    let fresh = test.upsert(&contact("late@example.com")).await;
    let (next, cursor) = test.sweep(Some(cursor)).await;
    let told: BTreeSet<_> = next.records.iter().map(|record| &*record.id).collect();
    let expected: BTreeSet<_> = [&*ids[3], &*ids[77], &*fresh.id].into();
    assert_eq!(told, expected, "the wrong changes");
    assert_eq!(next.deleted, [ids[5].clone()], "the wrong deletions");

    test.clock.advance(TimeDelta::days(1));
    let (idle, _) = test.sweep(Some(cursor)).await;
    assert!(
        idle.records.is_empty() && idle.deleted.is_empty(),
        "nothing changed, but: {idle:?}"
    );

    let odd = test
        .crm
        .changes_since(&test.context, test.contacts, Some("not a cursor"))
        .await;
    assert_eq!(
        odd.map_err(|error| error.kind()).err(),
        Some(ErrorKind::InvalidInput)
    );
}

/// What is archived cannot be found, archiving it again is fine, and an upsert brings no second one.
///
/// # Panics
/// When it is not so.
pub async fn archiving_twice_is_fine(test: &CrmUnderTest) {
    let ann = test.upsert(&contact("ann@example.com")).await;
    for _ in 0..2 {
        ok(
            test.crm
                .archive(&test.context, test.contacts, &ann.id)
                .await,
            "archive",
        );
        let gone = ok(
            test.crm
                .find_contact(&test.context, "ann@example.com")
                .await,
            "find",
        );
        assert_eq!(gone, None, "archived, but found");
    }
    test.later();
    test.upsert(&contact("ann@example.com")).await;
    test.expect_holding("ann@example.com", 1);
    for bad in ["", "..", "a\nb"] {
        let error = test.crm.archive(&test.context, test.contacts, bad).await;
        let kind = error.map_err(|error| error.kind()).err();
        assert_eq!(kind, Some(ErrorKind::InvalidInput), "archive of {bad:?}");
    }
}

/// `raw` reaches the API and nothing beside it.
///
/// # Panics
/// When it does not, or leaves the base.
pub async fn raw_stays_below_the_base(test: &CrmUnderTest) {
    let raw = |method, path| test.crm.raw(&test.context, method, path, None);
    let answer = ok(raw(Method::GET, test.raw).await, "raw");
    assert!(!answer.is_null(), "an empty answer");
    let outside = [
        "https://elsewhere.example/x",
        "//elsewhere.example/x",
        "/\\elsewhere.example/x",
        "../x",
        "a/../../x",
        "a/%2e%2e/x",
        "a/.%2E/x",
        "a/%252e%252e/x",
        "a//x",
        "a/./x",
        "",
        "@elsewhere.example/x#y",
        "a\r\nb",
        "a/..%2f..%2fx",
        "a/..;/x\\..\\y",
    ];
    let faults = test.sandbox.faults();
    let before = faults.hits().len();
    // Any request that leaves is hit by this.
    faults.add(FaultRule::on("", Fault::Reply(418, "left")).times(u32::MAX));
    for path in outside {
        let kind = raw(Method::GET, path)
            .await
            .map_err(|error| error.kind())
            .err();
        assert_eq!(kind, Some(ErrorKind::InvalidInput), "raw of {path:?}");
    }
    let kind = raw(Method::TRACE, test.raw)
        .await
        .map_err(|error| error.kind())
        .err();
    assert_eq!(kind, Some(ErrorKind::InvalidInput), "raw with TRACE");
    assert_eq!(
        faults.hits().len(),
        before,
        "a refused path was requested: {:?}",
        faults.hits()
    );
}

/// A wrong credential is `Unauthorized`, whatever the call, and stands in no error.
///
/// # Panics
/// When it is not, or does.
pub async fn a_bad_credential_is_unauthorized(test: &CrmUnderTest) {
    let canary = "canary-7f3e-secret";
    let cx = test
        .context
        .clone()
        .with_credential(Credential::token(canary));
    let errors = [
        err(test.crm.identify(&cx).await),
        err(test.crm.find_contact(&cx, "ann@example.com").await),
        err(test
            .crm
            .upsert_contacts(&cx, &[contact("ann@example.com")])
            .await),
        err(test.crm.fields(&cx, test.contacts).await),
        err(test.crm.raw(&cx, Method::GET, test.raw, None).await),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
        let shown = format!("{error:?} {error} {}", error.report());
        assert!(!shown.contains(canary), "the credential is in {shown}");
    }
    assert!(
        !format!("{cx:?}").contains(canary),
        "the credential is in the context's Debug"
    );
    assert!(test.effects().is_empty(), "something was written");
}

/// What the profile does not declare answers `Unsupported`.
///
/// # Panics
/// When it does something else.
pub async fn what_is_not_declared_is_unsupported(test: &CrmUnderTest) {
    let (profile, cx) = (test.crm.profile(), &test.context);
    let mut kinds = Vec::new();
    if !profile.campaigns {
        kinds.push(err(test.crm.record_campaign(cx, &campaign()).await).kind());
    }
    if !profile.provisioning {
        kinds.push(err(test.crm.ensure_fields(cx, test.custom, &[]).await).kind());
    }
    if !profile.changes {
        kinds.push(err(test.crm.changes_since(cx, test.contacts, None).await).kind());
    }
    assert!(
        kinds.iter().all(|kind| *kind == ErrorKind::Unsupported),
        "{kinds:?}"
    );
}
