use std::sync::Arc;

use automarket_core::{
    crm::Contact,
    http_types::Method,
    testing::conformance::crm::{self, CrmUnderTest},
};
use serde_json::json;

use crate::World;

fn under_test(poison: fn(&mut Contact)) -> CrmUnderTest {
    let world = World::new();
    CrmUnderTest {
        crm: Arc::new(world.twenty),
        sandbox: world.sandbox,
        clock: world.clock,
        context: world.cx,
        poison,
        contacts: "person",
        custom: "touchpoint",
        write: (Method::POST, "/rest/batch/people"),
        raw: "rest/people?limit=1",
    }
}

/// A field that the workspace does not have: HTTP 400.
#[tokio::test]
async fn twenty_keeps_the_contract_of_a_crm() {
    let unknown_field = |contact: &mut Contact| {
        contact.fields.insert("shoeSize".into(), json!(44));
    };
    crm::all(|| under_test(unknown_field)).await;
}

/// A value that Postgres refuses, of which current servers do not say so.
#[tokio::test]
async fn a_value_that_the_database_refuses_fails_alone() {
    let nul = |contact: &mut Contact| contact.job_title = Some("a\0b".into());
    crm::bad_records_fail_alone(&under_test(nul)).await;
}
