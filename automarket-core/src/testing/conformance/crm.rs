//! What every [`CrmProvider`] keeps, as plain functions over a small harness.
//!
//! A connector's test builds a fresh world per case and runs them all:
//!
//! ```no_run
//! # fn fresh() -> automarket_core::testing::conformance::crm::CrmUnderTest { todo!() }
//! use automarket_core::testing::conformance::crm;
//!
//! # async fn doc() {
//! crm::all(fresh).await;
//! # }
//! ```

use std::{collections::BTreeSet, fmt::Debug, sync::Arc};

use chrono::{TimeDelta, Utc};
use http::Method;
use serde_json::Value;

use crate::{
    Context, Credential, CrmProvider, ErrorKind, Platform, Result, Retry,
    content::{CampaignStatus, Utm},
    crm::{
        Activity, CampaignPost, CampaignRecord, CampaignUtm, Changes, Company, Contact, Field,
        FieldKind, Lead, Record,
    },
    testing::{Fault, FaultRule, ManualClock, Sandbox},
};

/// Pages that a reader of changes may ask for before the suite calls it a loop.
const MAX_PAGES: usize = 1_000;

/// A CRM in its world. Each case wants a fresh one.
pub struct CrmUnderTest {
    /// The connector.
    pub crm: Arc<dyn CrmProvider>,
    /// The world with the CRM's fake in it; what the fake's `effects` list is what is counted.
    pub sandbox: Sandbox,
    /// The clock of the sandbox and of the context.
    pub clock: ManualClock,
    /// A context on the sandbox with a good credential.
    pub context: Context,
    /// Makes a contact one that the CRM refuses and the connector cannot know to be bad.
    pub poison: fn(&mut Contact),
    /// The object that contacts are, as activities and changes name it.
    pub contacts: &'static str,
    /// An object whose fields can be created.
    pub custom: &'static str,
    /// The request that writes contacts: its method and a part of its path.
    pub write: (Method, &'static str),
    /// A path that `raw` can get.
    pub raw: &'static str,
}

/// Runs every case, each in a fresh world.
///
/// # Panics
/// When a promise is not kept.
pub async fn all(fresh: impl Fn() -> CrmUnderTest) {
    the_profile_is_sane(&fresh());
    identify_says_who(&fresh()).await;
    upsert_creates_then_updates(&fresh()).await;
    unicode_comes_back_as_it_went(&fresh()).await;
    an_address_is_compared_in_lower_case(&fresh()).await;
    one_address_twice_in_a_batch_is_one_record(&fresh()).await;
    bad_records_fail_alone(&fresh()).await;
    a_cut_answer_and_a_repeat_leave_one_record(&fresh()).await;
    an_update_keeps_what_it_does_not_speak_of(&fresh()).await;
    leads_and_companies_are_upserted(&fresh()).await;
    an_activity_repeated_is_one(&fresh()).await;
    a_campaign_repeated_changes_nothing(&fresh()).await;
    fields_are_ensured_once(&fresh()).await;
    changes_miss_nothing(&fresh()).await;
    archiving_twice_is_fine(&fresh()).await;
    raw_stays_below_the_base(&fresh()).await;
    a_bad_credential_is_unauthorized(&fresh()).await;
    what_is_not_declared_is_unsupported(&fresh()).await;
}

/// The profile names its version and source and takes at least one record at a time.
///
/// # Panics
/// When it does not.
pub fn the_profile_is_sane(test: &CrmUnderTest) {
    let profile = test.crm.profile();
    assert!(!profile.name.is_empty(), "the profile has no name");
    assert!(
        !profile.api.version.is_empty(),
        "the API version is not pinned"
    );
    assert!(
        profile.api.source.starts_with("https://"),
        "the source of the version is missing"
    );
    assert!(profile.max_batch > 0, "a batch of nothing");
}

/// The credential is somebody's.
///
/// # Panics
/// When it is not.
pub async fn identify_says_who(test: &CrmUnderTest) {
    let identities = ok(test.crm.identify(&test.context).await, "identify");
    assert!(!identities.is_empty(), "nobody");
    for identity in identities {
        assert!(!identity.remote_id.is_empty() && !identity.name.is_empty());
        assert_eq!(identity.network, test.platform());
    }
}

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

/// A lead is one sale by its key, with its person; a company is one record by its domain.
///
/// # Panics
/// When a repeat makes another.
pub async fn leads_and_companies_are_upserted(test: &CrmUnderTest) {
    let lead = Lead {
        key: "lead-1".into(),
        contact: contact("ann@example.com"),
        name: "Ten seats for Ann".into(),
        amount: Some((1_200_000_000, "EUR".into())),
        ..Lead::default()
    };
    let company = Company {
        domain: "Example.COM".into(),
        name: "Example Trumpets".into(),
        ..Company::default()
    };
    let same = Company {
        domain: "https://example.com/".into(),
        ..company.clone()
    };
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let cx = &test.context;
        let leads = ok(
            test.crm
                .upsert_leads(cx, &[lead.clone(), lead.clone()])
                .await,
            "leads",
        );
        let companies = [company.clone(), same.clone()];
        let companies = ok(test.crm.upsert_companies(cx, &companies).await, "companies");
        assert_eq!(
            (leads.len(), companies.len()),
            (2, 2),
            "not one result per record"
        );
        seen.insert((id_of(&leads[0]), id_of(&leads[1])));
        seen.insert((id_of(&companies[0]), id_of(&companies[1])));
        test.later();
    }
    assert_eq!(seen.len(), 2, "a repeat met other records");
    assert!(
        seen.iter().all(|(one, two)| one == two),
        "one key, two records"
    );
    test.expect_holding("Ten seats for Ann", 1);
    test.expect_holding("Example Trumpets", 1);
    test.expect_holding("ann@example.com", 1);
}

/// The same activity twice is one where the profile says so; other keys are other activities.
///
/// # Panics
/// When it is not.
pub async fn an_activity_repeated_is_one(test: &CrmUnderTest) {
    let ann = test.upsert(&contact("ann@example.com")).await;
    let mut activity = Activity {
        key: "reply-1".into(),
        object: test.contacts.into(),
        record_id: ann.id,
        title: "Asked for a demo".into(),
        body: "By **LinkedIn** reply.".into(),
        at: Utc::now(),
    };
    let first = ok(
        test.crm.record_activity(&test.context, &activity).await,
        "activity",
    );
    let once = test.effects().len();
    if test.crm.profile().idempotent {
        test.later();
        let again = ok(
            test.crm.record_activity(&test.context, &activity).await,
            "activity",
        );
        assert_eq!(first.id, again.id, "one key, two activities");
        assert_eq!(test.effects().len(), once, "the repeat left something");
    }
    test.expect_holding("Asked for a demo", 1);
    activity.key = "reply-2".into();
    let other = ok(
        test.crm.record_activity(&test.context, &activity).await,
        "activity",
    );
    assert_ne!(first.id, other.id, "two keys, one activity");
    test.expect_holding("Asked for a demo", 2);
}

/// A campaign recorded twice has the same ids and leaves nothing new, and its changes arrive.
///
/// # Panics
/// When it does not.
pub async fn a_campaign_repeated_changes_nothing(test: &CrmUnderTest) {
    if !test.crm.profile().campaigns {
        return;
    }
    let mut campaign = campaign();
    let first = ok(
        test.crm.record_campaign(&test.context, &campaign).await,
        "campaign",
    );
    assert_eq!(
        (first.posts.len(), first.utms.len()),
        (2, 1),
        "not one id per record"
    );
    let once = test.effects();
    test.later();
    let again = ok(
        test.crm.record_campaign(&test.context, &campaign).await,
        "campaign",
    );
    assert_eq!(first, again, "the same campaign, other records");
    assert_eq!(once, test.effects(), "the repeat changed something");
    campaign.posts[0].text = "We shipped twice!".into();
    let changed = ok(
        test.crm.record_campaign(&test.context, &campaign).await,
        "campaign",
    );
    assert_eq!(first, changed, "the changed campaign is another");
    test.expect_holding("We shipped twice!", 1);
    assert_eq!(
        once.len(),
        test.effects().len(),
        "the change left a new record"
    );
}

/// Fields are created once, and are then there to be read.
///
/// # Panics
/// When they are not.
pub async fn fields_are_ensured_once(test: &CrmUnderTest) {
    if !test.crm.profile().provisioning {
        return;
    }
    let field = |name: &str, kind| Field {
        name: name.into(),
        label: format!("The {name}"),
        kind,
        unique: false,
    };
    let levels = FieldKind::Select(vec!["LOW".into(), "HIGH".into()]);
    let wanted = [
        field("channel", FieldKind::Text),
        field("heat", FieldKind::Number),
        field("happenedAt", FieldKind::DateTime),
        field("level", levels),
    ];
    let cx = &test.context;
    let created = ok(
        test.crm.ensure_fields(cx, test.custom, &wanted).await,
        "ensure_fields",
    );
    assert_eq!(
        created,
        ["channel", "heat", "happenedAt", "level"],
        "not all were created"
    );
    let again = ok(
        test.crm.ensure_fields(cx, test.custom, &wanted).await,
        "ensure_fields",
    );
    assert!(again.is_empty(), "created twice: {again:?}");
    let fields = ok(test.crm.fields(cx, test.custom).await, "fields");
    for field in wanted {
        let there = fields.iter().find(|there| there.name == field.name);
        let kind = there.map(|there| &there.kind);
        assert_eq!(
            kind,
            Some(&field.kind),
            "{} is not as it was created",
            field.name
        );
    }
}

/// A reader of changes sees creations, updates and deletions, over many pages and sweeps.
///
/// # Panics
/// When one is missed, told twice in a sweep, or the reader stands still.
pub async fn changes_miss_nothing(test: &CrmUnderTest) {
    if !test.crm.profile().changes {
        return;
    }
    let people: Vec<_> = (0..150)
        .map(|n| contact(&format!("c{n}@example.com")))
        .collect();
    let ids: Vec<String> = test.upsert_all(&people).await.iter().map(id_of).collect();
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

impl CrmUnderTest {
    fn platform(&self) -> Platform {
        self.crm.profile().platform.clone()
    }

    fn effects(&self) -> Vec<Value> {
        self.sandbox.effects(&self.platform())
    }

    fn later(&self) {
        self.clock.advance(TimeDelta::seconds(1));
    }

    async fn upsert(&self, contact: &Contact) -> crate::crm::Upserted {
        let mut results = self.upsert_all(std::slice::from_ref(contact)).await;
        ok(results.remove(0), "upsert of one contact")
    }

    async fn upsert_all(&self, contacts: &[Contact]) -> Vec<Result<crate::crm::Upserted>> {
        let results = self.crm.upsert_contacts(&self.context, contacts).await;
        let results = ok(results, "upsert_contacts");
        assert_eq!(results.len(), contacts.len(), "not one result per record");
        results
    }

    async fn find(&self, email: &str) -> Record {
        let found = self.crm.find_contact(&self.context, email).await;
        match ok(found, "find_contact") {
            Some(record) => record,
            None => panic!("{email} is not found"),
        }
    }

    /// How many effects hold this text in one of their values.
    fn expect_holding(&self, text: &str, count: usize) {
        let effects = self.effects();
        let holding = effects
            .iter()
            .filter(|effect| holds(effect, &|value| value.contains(text)));
        assert_eq!(holding.count(), count, "effects that hold {text:?}");
    }

    /// Reads changes to their end.
    async fn sweep(&self, cursor: Option<String>) -> (Changes, String) {
        let mut all = Changes::default();
        let mut cursor = cursor;
        for _ in 0..MAX_PAGES {
            let page = self
                .crm
                .changes_since(&self.context, self.contacts, cursor.as_deref())
                .await;
            let page = ok(page, "changes_since");
            assert!(
                !page.more || page.cursor != cursor,
                "there is more, but the cursor stands still"
            );
            all.records.extend(page.records);
            all.deleted.extend(page.deleted);
            cursor = page.cursor;
            if !page.more {
                let Some(cursor) = cursor else {
                    panic!("no cursor to go on from")
                };
                return (all, cursor);
            }
        }
        panic!("no end after {MAX_PAGES} pages")
    }
}

fn contact(email: &str) -> Contact {
    Contact {
        email: email.to_owned(),
        first_name: Some("Ann".into()),
        last_name: Some("Lee".into()),
        ..Contact::default()
    }
}

fn campaign() -> CampaignRecord {
    let href = "https://acme.example/?utm_source=x&utm_medium=social&utm_campaign=launch";
    let post = |key: &str, network: &'static str| CampaignPost {
        key: key.to_owned(),
        network: Platform::from_static(network),
        text: format!("We shipped on {network}! 🚀"),
        length: 22,
        scheduled_at: Some(Utc::now()),
        remote_id: Some(format!("{network}-17")),
    };
    CampaignRecord {
        key: "campaign-1".into(),
        name: "Launch of the trumpet".into(),
        description: "All about \"it\"".into(),
        status: CampaignStatus::Scheduled,
        kind: "website".into(),
        source: "https://acme.example/".parse().ok(),
        posts: vec![post("post-x", "x"), post("post-linkedin", "linkedin")],
        utms: href
            .parse()
            .map(|href| CampaignUtm {
                key: "utm-1".into(),
                utm: Utm::campaign("launch").with_source("x"),
                href,
                networks: vec![Platform::X, Platform::LINKEDIN],
            })
            .into_iter()
            .collect(),
    }
}

/// Whether one of the texts in a value is such.
fn holds(value: &Value, such: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => such(text),
        Value::Array(items) => items.iter().any(|item| holds(item, such)),
        Value::Object(map) => map.values().any(|item| holds(item, such)),
        _ => false,
    }
}

fn id_of(result: &Result<crate::crm::Upserted>) -> String {
    match result {
        Ok(upserted) => upserted.id.clone(),
        Err(error) => panic!("a record failed: {}", error.report()),
    }
}

fn ok<T>(result: Result<T>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {} ({error:?})", error.report()))
}

fn err<T: Debug>(result: Result<T>) -> crate::Error {
    match result {
        Ok(value) => panic!("expected an error, got {value:?}"),
        Err(error) => error,
    }
}
