use std::collections::BTreeSet;

use chrono::Utc;

use super::{CrmUnderTest, contact, id_of, ok};
use crate::{
    Platform,
    content::{CampaignStatus, Utm},
    crm::{Activity, CampaignPost, CampaignRecord, CampaignUtm, Company, Field, FieldKind, Lead},
};

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

pub(super) fn campaign() -> CampaignRecord {
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
