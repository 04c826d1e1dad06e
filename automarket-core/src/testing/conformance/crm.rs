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

mod access;
mod contacts;
mod records;

use std::{fmt::Debug, sync::Arc};

use chrono::TimeDelta;
use http::Method;
use serde_json::Value;

pub use access::{
    a_bad_credential_is_unauthorized, archiving_twice_is_fine, changes_miss_nothing,
    raw_stays_below_the_base, what_is_not_declared_is_unsupported,
};
pub use contacts::{
    a_cut_answer_and_a_repeat_leave_one_record, an_address_is_compared_in_lower_case,
    an_update_keeps_what_it_does_not_speak_of, bad_records_fail_alone,
    one_address_twice_in_a_batch_is_one_record, unicode_comes_back_as_it_went,
    upsert_creates_then_updates,
};
pub use records::{
    a_campaign_repeated_changes_nothing, an_activity_repeated_is_one, fields_are_ensured_once,
    leads_and_companies_are_upserted,
};

use crate::{
    Context, CrmProvider, Platform, Result,
    crm::{Changes, Contact, Record, Upserted},
    testing::{ManualClock, Sandbox, outcome::ok},
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

    async fn upsert(&self, contact: &Contact) -> Upserted {
        let mut results = self.upsert_all(std::slice::from_ref(contact)).await;
        ok(results.remove(0), "upsert of one contact")
    }

    async fn upsert_all(&self, contacts: &[Contact]) -> Vec<Result<Upserted>> {
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

/// Whether one of the texts in a value is such.
fn holds(value: &Value, such: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => such(text),
        Value::Array(items) => items.iter().any(|item| holds(item, such)),
        Value::Object(map) => map.values().any(|item| holds(item, such)),
        _ => false,
    }
}

fn id_of(result: &Result<Upserted>) -> String {
    match result {
        Ok(upserted) => upserted.id.clone(),
        Err(error) => panic!("a record failed: {}", error.report()),
    }
}

fn err<T: Debug>(result: Result<T>) -> crate::Error {
    match result {
        Ok(value) => panic!("expected an error, got {value:?}"),
        Err(error) => error,
    }
}
