//! The tools of a campaign: what they remember, what they cost, what they need.

use automarket::{
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
