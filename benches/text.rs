//! Counting text for X, against X's own JavaScript in one run: `cargo bench --bench text`.
//!
//! The reference is npm `twitter-text` 3.1.0. It is taken from the directory that `TWITTER_TEXT_JS` names
//! (one with a `node_modules/twitter-text`), else installed once into `target/twitter-text`. Both sides count
//! the same generated texts; each answer is compared before a number is shown.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use automarket::core::profile::TextUnit;
use automarket::core::text::{Entity, count, entities};
use serde_json::{Value, json};

/// Every text differs, so nobody counts from memory.
const TEXTS: usize = 4000;
/// How long each side counts each class, at least.
const AT_LEAST: Duration = Duration::from_millis(400);
const VERSION: &str = "3.1.0";

const REFERENCE: &str = r#"
const T = require('twitter-text');
const { classes, least } = JSON.parse(require('fs').readFileSync(process.argv[1], 'utf8'));
const points = (s, end) => Array.from(s.slice(0, end)).length;
const found = (s) => {
  const all = T.extractEntitiesWithIndices(s).filter((e) => !e.listSlug);
  return ['url', 'hashtag', 'screenName', 'cashtag'].map((key) =>
    all.filter((e) => key in e).map((e) => [e[key], points(s, e.indices[0]), points(s, e.indices[1])]));
};
const length = (s) => T.parseTweet(s).weightedLength;
console.log(JSON.stringify(classes.map((texts) => {
  const answers = texts.map((s) => [length(s), ...found(s)]);
  const start = process.hrtime.bigint();
  let rounds = 0, seconds = 0, sum = 0;
  while (seconds < least) {
    for (const s of texts) sum += length(s);
    rounds += 1;
    seconds = Number(process.hrtime.bigint() - start) / 1e9;
  }
  return { answers, seconds: seconds / rounds, sum };
})));
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let classes = ["ascii", "mixed", "cjk", "emoji", "addresses", "decomposed"]
        .map(|name| (name, texts(name)));
    let reference = match reference(&classes) {
        Ok(reference) => Some(reference),
        Err(why) => {
            println!("No reference, so no ratios: {why}");
            None
        }
    };
    println!(
        "{:<12}{:>10}{:>12}{:>14}{:>8}",
        "class", "MB", "ours MB/s", "twitter-text", "ratio"
    );
    for (at, (name, texts)) in classes.iter().enumerate() {
        let megabytes = texts.iter().map(String::len).sum::<usize>() as f64 / 1e6;
        let ours = megabytes / seconds(texts);
        let theirs = reference.as_ref().and_then(|all| all.get(at));
        let (theirs, ratio) = match theirs {
            Some(class) => {
                same_answers(name, texts, &class["answers"])?;
                let theirs = megabytes / class["seconds"].as_f64().unwrap_or(f64::NAN);
                (format!("{theirs:.1}"), format!("{:.1}x", ours / theirs))
            }
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!("{name:<12}{megabytes:>10.2}{ours:>12.1}{theirs:>14}{ratio:>8}");
    }
    if reference.is_some() {
        println!(
            "Same weighted lengths and entities on all {} texts.",
            TEXTS * classes.len()
        );
    }
    Ok(())
}

/// The seconds that counting all texts once takes.
fn seconds(texts: &[String]) -> f64 {
    let start = Instant::now();
    let mut rounds = 0.0;
    while start.elapsed() < AT_LEAST {
        for text in texts {
            black_box(count(black_box(text), TextUnit::Weighted, Some(23)));
        }
        rounds += 1.0;
    }
    start.elapsed().as_secs_f64() / rounds
}

/// What the reference answers, and how fast.
fn reference(classes: &[(&str, Vec<String>)]) -> Result<Vec<Value>, Box<dyn Error>> {
    let home = module()?;
    let corpus = home.join("automarket-bench.json");
    let texts: Vec<&Vec<String>> = classes.iter().map(|(_, texts)| texts).collect();
    fs::write(
        &corpus,
        json!({ "classes": texts, "least": AT_LEAST.as_secs_f64() }).to_string(),
    )?;
    let output = Command::new("node")
        .current_dir(&home)
        .args(["-e", REFERENCE])
        .arg(&corpus)
        .output()?;
    fs::remove_file(&corpus)?;
    if !output.status.success() {
        return Err(format!("node failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The directory with the reference in its `node_modules`.
fn module() -> Result<PathBuf, Box<dyn Error>> {
    Command::new("node")
        .arg("--version")
        .output()
        .map_err(|e| format!("node does not run: {e}"))?;
    if let Some(home) = std::env::var_os("TWITTER_TEXT_JS").filter(|home| !home.is_empty()) {
        let home = PathBuf::from(home);
        return match home.join("node_modules/twitter-text").is_dir() {
            true => Ok(home),
            false => {
                Err("TWITTER_TEXT_JS names a directory without node_modules/twitter-text".into())
            }
        };
    }
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/twitter-text");
    if !home.join("node_modules/twitter-text").is_dir() {
        println!("Installing twitter-text {VERSION} into {}", home.display());
        fs::create_dir_all(&home)?;
        let package = format!("twitter-text@{VERSION}");
        let npm = Command::new("npm")
            .args(["install", "--no-save", "--ignore-scripts", "--prefix", "."])
            .arg(package)
            .current_dir(&home)
            .output()
            .map_err(|e| format!("npm does not run: {e}"))?;
        if !npm.status.success() {
            return Err(format!(
                "npm install failed: {}",
                String::from_utf8_lossy(&npm.stderr)
            )
            .into());
        }
    }
    Ok(home)
}

/// Fails on the first text that the reference counts or reads in another way.
fn same_answers(class: &str, texts: &[String], theirs: &Value) -> Result<(), Box<dyn Error>> {
    let list = |all: &[Entity]| {
        all.iter()
            .map(|e| json!([e.text, e.start, e.end]))
            .collect::<Vec<_>>()
    };
    for (at, text) in texts.iter().enumerate() {
        let found = entities(text);
        let ours = json!([
            count(text, TextUnit::Weighted, Some(23)),
            list(&found.urls),
            list(&found.hashtags),
            list(&found.mentions),
            list(&found.cashtags),
        ]);
        if ours != theirs[at] {
            return Err(format!(
                "{class}: {text:?}: we say {ours}, twitter-text says {}",
                theirs[at]
            )
            .into());
        }
    }
    Ok(())
}

/// The texts of a class, always the same.
fn texts(class: &str) -> Vec<String> {
    let mut dice = Dice(class.bytes().fold(7, |seed, b| seed * 31 + u64::from(b)));
    let latin = "the launch of our new version brings faster reports simple prices and friendly help to every team";
    let accents = "größer déjà señor über façade Zürich naïve Привет мир запуск версии Καλημέρα";
    let kanji =
        "新しい製品を発表しました東京開発者向け機能改善価格中文社区发布한국어안녕하세요カタカナ";
    let faces = "🚀 👩🏽‍💻 👨‍👩‍👧‍👦 🇩🇪 1️⃣ ❤️ 🏳️‍🌈 😀 ✌🏽 🏃‍♀️ ⚡ ©️ 🥱";
    let addresses = "https://example.com/a/b?c=d#e example.org/path http://t.co/abc123 sub.domain.co.uk www.例え.jp \
                     https://ja.wikipedia.org/wiki/(foo) no.such.zzz mail@example.com";
    let tags = "#launch #Ünïcode @automarket $ACME #日本語 @team/list";
    let split = "e\u{301}te\u{301} u\u{308}ber man\u{303}ana か\u{3099}く 각 한국";
    let pick = |dice: &mut Dice, words: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        words[dice.below(words.len())].to_owned()
    };
    let make = |dice: &mut Dice| {
        let mut text = String::new();
        for word in 0..8 + dice.below(60) {
            let roll = dice.below(100);
            let next = match (class, roll) {
                (_, 0..=1) => pick(dice, tags),
                (_, 2..=3) => pick(dice, addresses),
                ("emoji", 4..=79) | ("mixed", 4..=9) => pick(dice, faces),
                ("mixed", 10..=39) => pick(dice, accents),
                ("mixed", 40..=49) | ("cjk", 4..=94) => {
                    let letters: Vec<char> = kanji.chars().collect();
                    (0..2 + dice.below(10))
                        .map(|_| letters[dice.below(letters.len())])
                        .collect()
                }
                ("addresses", 4..=59) => pick(dice, addresses),
                ("decomposed", 4..=59) => pick(dice, split),
                _ => pick(dice, latin),
            };
            let ascii = class == "ascii" && !next.is_ascii();
            text.push_str(if ascii { "plain" } else { &next });
            text.push_str(match (class, dice.below(10)) {
                ("cjk", 0..=6) => "",
                ("cjk", 7..=8) => "。",
                (_, 0) if word > 0 => ". ",
                (_, 1) => ", ",
                _ => " ",
            });
        }
        text
    };
    (0..TEXTS).map(|_| make(&mut dice)).collect()
}

/// A small seeded generator (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}
