//! Runs one ignored test of this program in a process of its own, for what a process has only one of: its
//! environment and its memory.

use std::process::Command;

/// Runs the test of this name with these variables set, and fails where it fails.
pub(crate) async fn run(test: &str, variables: &[(&str, &str)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--ignored", "--exact", test])
        .envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || child.output());
    let output = output.await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
