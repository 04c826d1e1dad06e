//! The quickstart as a process: killed after each line it prints and run again, it does everything once.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;

pub(crate) fn quickstart(db: &Path) -> Command {
    let mut command = example("quickstart");
    command.arg("--db").arg(db);
    command
}

/// Examples are built by `cargo test` and stand beside the tests.
pub(crate) fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples")
        .join(name);
    assert!(
        program.is_file(),
        "{} is not built: run cargo test --workspace",
        program.display()
    );
    Command::new(program)
}

/// What the platforms hold, read from the sandbox's own file.
fn world(db: &Path) -> Value {
    let mut file = db.as_os_str().to_owned();
    file.push(".sandbox.json");
    serde_json::from_slice(&std::fs::read(PathBuf::from(file)).unwrap()).unwrap()
}

fn held(world: &Value, platform: &str, list: &str) -> usize {
    let list = &world[platform][list];
    list.as_array()
        .map(Vec::len)
        .or_else(|| list.as_object().map(serde_json::Map::len))
        .unwrap_or_default()
}

/// Kills the process as soon as it has said so many lines; `false` when it ended before.
fn killed_after(lines: usize, db: &Path) -> bool {
    let mut child = quickstart(db)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .take(lines)
        .count();
    child.kill().unwrap();
    let status = child.wait().unwrap();
    said == lines && !status.success()
}

fn finish(db: &Path) -> Value {
    let output = quickstart(db).arg("--json").output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn killed_after_any_line_and_run_again_it_does_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let lines = 20;
    let kills: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let folder = folder.path();
                scope.spawn(move || {
                    let turns = (1..=lines).filter(|line| line % 4 == worker);
                    turns
                        .filter(|line| once_each(*line, &folder.join(format!("{line}.db"))))
                        .count()
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    assert!(
        kills >= lines / 2,
        "only {kills} of {lines} runs were hit: that proves nothing"
    );
}

fn once_each(line: usize, db: &Path) -> bool {
    let hit = killed_after(line, db);
    let report = finish(db);
    let world = world(db);
    for target in report["targets"].as_array().unwrap() {
        assert_eq!(
            target["status"], "accepted",
            "killed after line {line}: {target}"
        );
    }
    assert_eq!(
        held(&world, "mixpost", "posts"),
        4,
        "killed after line {line}"
    );
    assert_eq!(report["crm"]["status"], "done", "killed after line {line}");
    let records = world["twenty"]["records"].as_object().unwrap();
    let records: usize = records
        .keys()
        .map(|object| held(&world["twenty"], "records", object))
        .sum();
    assert_eq!(
        records, 9,
        "a campaign, four posts, four links; killed after line {line}"
    );
    // A webhook cannot be asked what it delivered: cut off while telling, nobody is told twice.
    assert!(
        held(&world, "slack", "messages") <= 1,
        "killed after line {line}"
    );

    let before = serde_json::to_string(&world).unwrap();
    assert_eq!(finish(db)["repeated"], true, "killed after line {line}");
    assert_eq!(
        serde_json::to_string(&self::world(db)).unwrap(),
        before,
        "the second run changed the world"
    );
    hit
}
