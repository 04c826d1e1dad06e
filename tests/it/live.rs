//! `quickstart --live`: the real transport on real sockets, the fakes behind them.

use std::{process::Output, sync::Arc};

use automarket::{
    connectors::{mixpost, slack, twenty},
    testing::{Sandbox, Server},
};
use serde_json::Value;

use crate::quickstart::quickstart;

const PAGE: &str = r#"<html lang="en"><title>Acme Cloud 2</title><link rel="canonical" href="https://acme.example/cloud">
<main><h1>Acme Cloud 2</h1><p>Acme Cloud 2 deploys in 40 seconds. Teams in Berlin tested it for a year.</p></main></html>"#;

async fn run(
    db: &std::path::Path,
    page: &std::path::Path,
    environment: Vec<(&'static str, String)>,
) -> Output {
    let mut command = quickstart(db);
    command
        .args([
            "--json",
            "--live",
            "--allow-network",
            "127.0.0.0/8",
            "--page",
        ])
        .arg(page);
    for name in [
        "MIXPOST_API_URL",
        "TWENTY_CRM_URL",
        "SLACK_WEBHOOK_URL",
        "SLACK_BOT_TOKEN",
        "ANTHROPIC_API_KEY",
        "FIRECRAWL_API_KEY",
        "PUBLISHING_ENCRYPTION_KEY",
    ] {
        command.env_remove(name);
    }
    command.envs(environment);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn report(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn named_services_are_used_and_missing_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    std::fs::write(&page, PAGE).unwrap();
    let sandbox = Sandbox::new()
        .with(Arc::new(mixpost::testing::FakeMixpost::new()))
        .with(Arc::new(twenty::testing::FakeTwenty::new()))
        .with(Arc::new(slack::testing::FakeSlack::new()));
    let serve = async |host: &str| {
        Server::start(Arc::new(sandbox.clone()), host)
            .await
            .unwrap()
    };
    let (planner, crm, chat) = (
        serve(mixpost::testing::HOST).await,
        serve("twenty.example").await,
        serve("hooks.slack.com").await,
    );
    let hook = slack::testing::WEBHOOK
        .split_once("hooks.slack.com")
        .unwrap()
        .1;
    let environment = vec![
        ("MIXPOST_API_URL", format!("{}/mixpost", planner.base_url())),
        ("MIXPOST_API_KEY", mixpost::testing::TOKEN.into()),
        (
            "PUBLISHING_ENCRYPTION_KEY",
            "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=".into(),
        ),
        ("MIXPOST_WORKSPACE_ID", mixpost::testing::WORKSPACE.into()),
        (
            "MIXPOST_X_ACCOUNT_ID",
            mixpost::testing::X_ACCOUNT.to_string(),
        ),
        ("TWENTY_CRM_URL", crm.base_url().to_owned()),
        (
            "TWENTY_CRM_TOKEN",
            twenty::testing::FakeTwenty::TOKEN.into(),
        ),
        ("SLACK_WEBHOOK_URL", format!("{}{hook}", chat.base_url())),
    ];
    let report = report(&run(&folder.path().join("live.db"), &page, environment).await);
    let target = |network: &str| {
        let targets = report["targets"].as_array().unwrap();
        targets
            .iter()
            .find(|target| target["platform"] == network)
            .unwrap()
            .clone()
    };
    assert_eq!(target("x")["status"], "accepted", "{report:#}");
    assert_eq!(target("linkedin")["status"], "disabled");
    assert_eq!(
        target("linkedin")["reason"],
        "MIXPOST_LINKEDIN_ACCOUNT_ID is not set"
    );
    assert_eq!(
        (&report["crm"]["status"], &report["notified"]),
        (&Value::from("done"), &Value::from(true)),
        "{report:#}"
    );
    assert_eq!(sandbox.effects(&mixpost::PLATFORM).len(), 1);
    assert_eq!(sandbox.effects(&slack::PLATFORM).len(), 1);
}

#[tokio::test]
async fn without_any_service_everything_is_disabled_and_nothing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    std::fs::write(&page, PAGE).unwrap();
    let output = run(&folder.path().join("bare.db"), &page, Vec::new()).await;
    let report = report(&output);
    assert!(
        report["targets"]
            .as_array()
            .unwrap()
            .iter()
            .all(|target| target["status"] == "disabled")
    );
    assert_eq!(
        report["crm"]["reason"],
        "TWENTY_CRM_URL, TWENTY_CRM_TOKEN is not set"
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for name in [
        "MIXPOST_API_KEY",
        "SLACK_WEBHOOK_URL",
        "ANTHROPIC_API_KEY",
        "FIRECRAWL_API_KEY",
    ] {
        assert!(said.contains(name), "{name} is not named: {said}");
    }
}
