//! Checks a post before anyone sends it: `cargo run --example check_post -- --platform x post.txt`.
//!
//! Reads the text from a file, or from standard input without one. Prints counted length, limit, findings
//! and how a thread would be split; `--json` prints one JSON object. Exit code 1 on blockers, 2 on wrong use.

use std::{io::Read as _, process::ExitCode};

use automarket::{
    Platform, Post,
    check::{Severity, check},
    content::Voice,
    networks, text,
};

const USAGE: &str = "check_post [--platform NETWORK] [--json] [FILE]";

struct Arguments {
    platform: Platform,
    json: bool,
    file: Option<String>,
}

/// Nothing where help is asked for.
fn arguments() -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments {
        platform: Platform::X,
        json: false,
        file: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => arguments.json = true,
            "--platform" => {
                let name = words.next().ok_or("--platform needs a network")?;
                arguments.platform = networks::from_alias(&name)
                    .ok_or_else(|| format!("nothing is known of the network {name}"))?;
            }
            word if word.starts_with("--") => return Err(format!("{word} is not known")),
            _ => arguments.file = Some(word),
        }
    }
    Ok(Some(arguments))
}

fn read(file: Option<&str>) -> std::io::Result<String> {
    match file {
        Some(path) => std::fs::read_to_string(path),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            Ok(text)
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let Some(arguments) = arguments()? else {
        println!("{USAGE}");
        return Ok(true);
    };
    let network = &arguments.platform;
    let profile = networks::profile(network)
        .ok_or_else(|| format!("nothing is known of the network {network}"))?;
    let text = read(arguments.file.as_deref())
        .map_err(|error| format!("the text cannot be read: {error}"))?;

    let content = Post::text(text.trim_end()).content_for(network, None);
    let report = check(&content, &profile, &Voice::default());
    let parts = text::split(&report.text, &profile.text, true);
    if arguments.json {
        let reply = serde_json::json!({
            "platform": network, "length": report.length, "limit": report.limit, "unit": report.unit,
            "score": report.score, "findings": report.findings, "thread": parts,
        });
        println!("{reply}");
        return Ok(report.passes());
    }
    let limit = report
        .limit
        .map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
    println!(
        "{}: {} of {limit} ({:?}), score {}",
        profile.name, report.length, report.unit, report.score
    );
    for finding in &report.findings {
        let mark = if finding.severity == Severity::Blocker {
            "BLOCKER"
        } else {
            "advice "
        };
        println!(
            "{mark} {}: {} ({})",
            finding.rule, finding.message, finding.remedy
        );
    }
    if parts.len() > 1 {
        println!("as a thread:");
        for part in &parts {
            println!("[{}] {}", part.length, part.text);
        }
    }
    Ok(report.passes())
}
