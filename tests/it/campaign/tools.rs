//! The tools of a campaign: what they remember, what they cost, what they need.

use automarket::{
    Retry,
    ai::{Brief, Drafts, Generator},
    core::{Context, async_trait, source::Page},
    store::{Claim, Verdict},
};

use super::*;

/// Names its steps as the campaign names its own, and keeps what it was told first as the campaign's name.
pub(super) struct Steps;

pub(super) const STEPS: Platform = Platform::from_static("steps");

#[async_trait]
impl Generator for Steps {
    fn name(&self) -> &str {
        "steps"
    }

    async fn generate(&self, cx: &Context, brief: &Brief) -> automarket::Result<Drafts> {
        let mut drafts = texts::WORDS.generate(cx, brief).await?;
        drafts.name = cx.step("told", || async { Ok("now".to_owned()) }).await?;
        if drafts.name == "now" {
            for name in ["read", "check", "compose", "schedule", "keep", "crm"] {
                cx.step(name, || async { Ok("moderated".to_owned()) })
                    .await?;
            }
        }
        Ok(drafts)
    }
}

#[tokio::test]
async fn what_a_tool_calls_its_steps_is_its_own_business() {
    let mut world = World::new().await;
    world.request.generator = Tool::of(STEPS);
    let report = world.campaign().await.unwrap();
    assert!(report.notified && matches!(report.crm, Part::Done { .. }));
    assert_eq!(world.stored().await[0].name, "now");
}

/// What a version before has remembered, it remembered beside the campaign's own steps.
#[tokio::test]
async fn a_campaign_that_is_under_way_when_the_program_is_updated_finds_its_old_steps() {
    let mut world = World::new().await;
    world.request.generator = Tool::of(STEPS);
    let job = world.start().await;
    let claim = Claim::new("the version before", 1).only(job).lease(LEASE);
    let lease = world.store().claim(&claim).await.unwrap().remove(0);
    let page = Page {
        title: Some("Acme Cloud".into()),
        text: "Acme Cloud deploys in seconds.".into(),
        image: "https://acme.example/cloud.png".parse().ok(),
        ..Page::default()
    };
    for (name, value) in [("read", json!(page)), ("told", json!("before"))] {
        let kept = json!({ "kept": value });
        let put = world.store().put_step(lease.token, name, &kept);
        put.await.unwrap();
    }
    let verdict = [(lease.token, Verdict::Release)];
    world.store().settle(&verdict).await.unwrap();
    world.campaign().await.unwrap();
    assert_eq!(world.stored().await[0].name, "before");
    assert_eq!(
        world.counts(),
        [0, 4, 5, 1],
        "the page without address has no tracked links"
    );
}

/// A world whose texts a model writes.
async fn with_claude() -> World {
    let mut world = World::new().await;
    let model = Account::new(world.tenant.id().clone(), claude::PLATFORM, "key");
    let key = Credential::token(claude::testing::FakeClaude::KEY);
    let model = world.tenant.add_account(model, key).await.unwrap();
    world.request.generator = Tool::with(claude::PLATFORM, model.id);
    world
}

/// Runs the campaign until it dies, an hour between its attempts.
async fn dies(world: &World) -> automarket::Error {
    for _ in 0..30 {
        let error = world.campaign().await.unwrap_err();
        if error.retry() == Retry::Never {
            return error;
        }
        world.clock.advance(chrono::Duration::hours(1));
    }
    panic!("it does not end");
}

#[tokio::test]
async fn a_model_whose_answers_are_lost_is_paid_three_times_and_then_people_say_whether_once_more()
{
    for fault in [
        Fault::GarbageAfter,
        Fault::HalfAfter,
        Fault::CutAfter,
        Fault::StatusAfter(502),
    ] {
        let world = with_claude().await;
        let rule = FaultRule::on("/v1/messages", fault.clone()).times(4);
        world.sandbox.faults().add(rule);
        for paid in [3, 4] {
            let error = dies(&world).await;
            assert_eq!(error.rule(), Some("generation.lost"), "{fault:?}");
            assert!(error.remedy().unwrap().contains("redrive"));
            assert_eq!(world.count(&claude::PLATFORM), paid, "{fault:?}");
            world.clock.advance(chrono::Duration::hours(1));
        }
        world.campaign().await.unwrap();
        assert_eq!(world.count(&claude::PLATFORM), 5, "{fault:?}");
        assert_eq!(world.counts(), [1, 4, 9, 1], "{fault:?}");
    }
}

#[tokio::test]
async fn a_report_says_which_model_wrote_and_what_it_was_asked() {
    let mut world = with_claude().await;
    world.request.page = LONG.into();
    let report = world.campaign().await.unwrap();
    assert_eq!(report.model, Some(ClaudeConfig::default().model));
    assert_eq!(report.prompt_hash.unwrap().len(), 64);
    assert_eq!(report.repairs, 0);
    let mut found = report.findings.iter();
    assert!(found.any(|found| found.finding.rule == "page.truncated"));
}

/// A bare context has no credential, whatever process it is in.
#[tokio::test]
async fn a_tool_without_the_account_that_it_needs_is_not_tried_for_hours() {
    let mut world = World::new().await;
    world.request.generator = Tool::of(claude::PLATFORM);
    let refused = world.tenant.start_campaign(&world.request).await;
    let refused = refused.unwrap_err();
    let wrong = (ErrorKind::InvalidInput, Some("generator"));
    assert_eq!((refused.kind(), refused.field()), wrong);
    assert_eq!(world.counts(), [0; 4]);

    // One that does not say so.
    let mut world = World::new().await;
    world.request.source = Tool::of(input::REASONS);
    world.request.page = "keyless".into();
    let died = world.campaign().await.unwrap_err();
    let wrong = (ErrorKind::InvalidInput, Some("source"));
    assert_eq!((died.kind(), died.field()), wrong);
    assert!(died.report().contains("needs a token"), "{}", died.report());
    assert_eq!(died.retry(), Retry::Never);
}

/// What surely cost nothing is asked for as often as before.
#[tokio::test]
async fn a_model_that_is_away_is_waited_for() {
    let world = with_claude().await;
    let away = FaultRule::on("/v1/messages", Fault::StatusBefore(529)).times(6);
    world.sandbox.faults().add(away);
    for _ in 0..25 {
        if world.campaign().await.is_ok() {
            break;
        }
        world.clock.advance(chrono::Duration::hours(1));
    }
    assert_eq!(world.count(&claude::PLATFORM), 1);
    assert_eq!(world.counts(), [1, 4, 9, 1]);
}
