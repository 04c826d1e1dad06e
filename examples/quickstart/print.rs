use automarket::{
    Error,
    check::Severity,
    pipelines::campaign::{CampaignReport, Part, TargetReport},
};

use crate::{arguments::Arguments, world::World};

pub(crate) fn progress(step: &str, quiet: bool) {
    if !quiet {
        eprintln!("  {step}");
    }
}

pub(crate) fn failure(error: &Error, json: bool) {
    if json {
        let record = automarket::core::ErrorRecord::from(error);
        println!("{}", serde_json::json!({"error": record}));
    }
    eprintln!("error: {}", error.report());
    if let Some(remedy) = error.remedy() {
        eprintln!("remedy: {remedy}");
    }
}

pub(crate) fn report(report: &CampaignReport, world: &World, arguments: &Arguments) {
    if report.repeated {
        println!(
            "This page was made into a campaign within the last 24 hours: nothing new was done (--again does it anew).\n"
        );
    }
    println!("{}\n{}\n", report.brand.title, report.brand.description);
    println!(
        "Plan (written by {}, score {} of 100)",
        report.generator, report.score
    );
    for target in &report.targets {
        self::target(target, report);
    }
    println!("\nStatus");
    for target in &report.targets {
        let id = target.remote_id.as_deref().unwrap_or("-");
        let reason = target
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        println!(
            "  {:<10} {} {id}{reason}",
            target.platform.as_str(),
            target.status
        );
    }
    match &report.crm {
        Part::Done { result } => {
            let (posts, utms) = (result.posts.len(), result.utms.len());
            println!(
                "  {:<10} campaign {} with {posts} posts and {utms} UTM records",
                "CRM", result.campaign
            );
        }
        Part::Disabled { reason } => println!("  {:<10} disabled: {reason}", "CRM"),
        Part::Failed { error } => println!("  {:<10} failed: {}", "CRM", error.message),
    }
    match &report.notice {
        Part::Done { .. } => println!("  {:<10} told", "notice"),
        Part::Disabled { reason } => println!("  {:<10} disabled: {reason}", "notice"),
        Part::Failed { error } => println!("  {:<10} failed: {}", "notice", error.message),
    }
    for (platform, effects) in world.holdings() {
        println!("\n{platform} now holds {} records", effects.len());
        for effect in effects.iter().rev().take(12).rev() {
            let line = effect.to_string();
            println!("  {}", line.chars().take(160).collect::<String>());
        }
    }
    println!("\nThe database is {}.", arguments.db.display());
    if !arguments.live {
        println!(
            "Everything above happened in a sandbox. To go live: -- --live, with the variables that --help names."
        );
    }
}

fn target(target: &TargetReport, report: &CampaignReport) {
    let limit = target
        .limit
        .map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
    println!("\n[{}] {} of {limit}", target.platform, target.length);
    for line in target.text.lines() {
        println!("  {line}");
    }
    if let Some(link) = target
        .link
        .as_ref()
        .filter(|link| !target.text.contains(link.as_str()))
    {
        println!("  (link) {link}");
    }
    for found in report
        .findings
        .iter()
        .filter(|found| found.platform == target.platform)
    {
        let mark = if found.finding.severity == Severity::Blocker {
            "BLOCKER"
        } else {
            "advice"
        };
        println!(
            "  {mark} {}: {} ({})",
            found.finding.rule, found.finding.message, found.finding.remedy
        );
    }
}
