use std::collections::BTreeSet;

use super::{CrmUnderTest, contact, holds, id_of, ok};
use crate::{
    Retry,
    crm::Contact,
    testing::{Fault, FaultRule},
};

/// The first upsert creates, the second changes the same record, and both can be found.
///
/// # Panics
/// When there are two, or the values are not there.
pub async fn upsert_creates_then_updates(test: &CrmUnderTest) {
    let none = ok(
        test.crm
            .find_contact(&test.context, "ann@example.com")
            .await,
        "find",
    );
    assert_eq!(none, None, "found before it was created");
    let mut ann = contact("ann@example.com");
    let first = test.upsert(&ann).await;
    assert_ne!(first.created, Some(false), "the first upsert creates");
    test.later();
    ann.job_title = Some("Head of Trumpets".into());
    let second = test.upsert(&ann).await;
    assert_eq!(first.id, second.id, "one address, two records");
    assert_ne!(second.created, Some(true), "the second upsert updates");
    test.expect_holding("ann@example.com", 1);
    test.expect_holding("Head of Trumpets", 1);
    let found = test.find("ann@example.com").await;
    assert_eq!(found.id, first.id, "found another record");
}

/// Text of any script comes back unchanged.
///
/// # Panics
/// When it does not.
pub async fn unicode_comes_back_as_it_went(test: &CrmUnderTest) {
    let name = "Zoë \"Ж\" 龍 👩‍🚀 \u{202e}a\\b'";
    let mut person = contact("zoe@example.com");
    person.last_name = Some(name.into());
    test.upsert(&person).await;
    let found = test.find("zoe@example.com").await;
    assert!(
        holds(&found.fields, &|text| text == name),
        "{name} is not in {}",
        found.fields
    );
}

/// Blanks and capitals around an address make no second person.
///
/// # Panics
/// When they do.
pub async fn an_address_is_compared_in_lower_case(test: &CrmUnderTest) {
    let first = test.upsert(&contact("ann@example.com")).await;
    let second = test.upsert(&contact("  ANN@Example.com ")).await;
    assert_eq!(first.id, second.id, "capitals made a second person");
    let found = test.find(" Ann@Example.COM").await;
    assert_eq!(found.id, first.id);
    test.expect_holding("ann@example.com", 1);
}

/// One person twice in one batch is one record with two results.
///
/// # Panics
/// When it is not.
pub async fn one_address_twice_in_a_batch_is_one_record(test: &CrmUnderTest) {
    let mut later = contact("Ann@example.com");
    later.job_title = Some("CTO".into());
    let batch = [
        contact("ann@example.com"),
        contact("bob@example.com"),
        later,
    ];
    let results = test.upsert_all(&batch).await;
    let ids: Vec<_> = results.iter().map(id_of).collect();
    assert_eq!(ids[0], ids[2], "one address, two records");
    assert_ne!(ids[0], ids[1], "two addresses, one record");
    test.expect_holding("ann@example.com", 1);
    test.expect_holding("CTO", 1);
}

/// Of 1,000 contacts, 7 that the CRM refuses: 993 are written, 7 are errors, each in its place.
///
/// # Panics
/// When it is otherwise.
pub async fn bad_records_fail_alone(test: &CrmUnderTest) {
    let bad: BTreeSet<usize> = [0, 59, 60, 123, 124, 700, 999].into();
    let mut batch: Vec<_> = (0..1_000)
        .map(|n| contact(&format!("person-{n}@example.com")))
        .collect();
    for at in &bad {
        (test.poison)(&mut batch[*at]);
    }
    let results = test.upsert_all(&batch).await;
    let failed: BTreeSet<usize> = results
        .iter()
        .enumerate()
        .filter(|(_, result)| result.is_err())
        .map(|(at, _)| at)
        .collect();
    assert_eq!(failed, bad, "the wrong records failed");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(
            error.retry(),
            Retry::Never,
            "a bad record is not to be repeated: {error:?}"
        );
    }
    test.expect_holding("@example.com", 993);
    for at in [1, 61, 998] {
        let found = test.find(&batch[at].email).await;
        assert_eq!(
            found.id,
            id_of(&results[at]),
            "the result of another record"
        );
    }
}

/// The CRM writes, the answer is lost, the caller repeats: one record.
///
/// # Panics
/// When there are more.
pub async fn a_cut_answer_and_a_repeat_leave_one_record(test: &CrmUnderTest) {
    let faults = [
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::NotSent,
        Fault::StatusAfter(502),
        Fault::StatusBefore(503),
        Fault::HalfAfter,
        Fault::GarbageAfter,
        Fault::RateLimited(Some("7")),
        Fault::RateLimited(None),
    ];
    let (method, path) = &test.write;
    for (n, fault) in faults.into_iter().enumerate() {
        let email = format!("cut-{n}@example.com");
        let person = [contact(&email)];
        let hits = test.sandbox.faults().hits().len();
        let rule = FaultRule::on(*path, fault.clone()).method(method.clone());
        test.sandbox.faults().add(rule);
        let first = test.crm.upsert_contacts(&test.context, &person).await;
        assert_eq!(
            test.sandbox.faults().hits().len(),
            hits + 1,
            "{fault:?} hit nothing: the harness names the wrong request"
        );
        let error = match first.map(|results| results.into_iter().next()) {
            Err(error) | Ok(Some(Err(error))) => error,
            Ok(other) => panic!("{fault:?} ended in {other:?}"),
        };
        assert_ne!(
            error.retry(),
            Retry::Never,
            "{fault:?} is no final answer: {error:?}"
        );
        test.later();
        test.upsert(&person[0]).await;
        test.expect_holding(&email, 1);
    }
}

/// What a contact does not speak of stays as the CRM has it.
///
/// # Panics
/// When it is wiped.
pub async fn an_update_keeps_what_it_does_not_speak_of(test: &CrmUnderTest) {
    let mut ann = contact("ann@example.com");
    ann.city = Some("Aachen-Sued".into());
    ann.phone = Some("+4915123456789".into());
    test.upsert(&ann).await;
    test.later();
    let update = Contact {
        email: ann.email.clone(),
        first_name: Some("Annette".into()),
        ..Contact::default()
    };
    test.upsert(&update).await;
    let found = test.find("ann@example.com").await.fields;
    for kept in ["Lee", "Aachen-Sued", "Annette"] {
        assert!(
            holds(&found, &|text| text == kept),
            "{kept} is not in {found}"
        );
    }
    assert!(
        holds(&found, &|text| text.contains("15123456789")),
        "the phone is gone"
    );
}
