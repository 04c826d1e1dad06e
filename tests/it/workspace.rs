//! The walls of the house, held against what cargo says.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--offline")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn packages() -> Vec<Value> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Our own crates that a package needs outside its tests.
fn ours(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .filter(|name| name.starts_with("automarket"))
        .collect()
}

/// What the connectors of Meta's platforms share is a crate of its own beside them, and no connector.
const SHARED: (&str, [&str; 2]) = ("graph", ["facebook", "instagram"]);

pub(crate) fn connector_folders() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("automarket-connectors"))
        .unwrap()
        .map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().join("Cargo.toml").is_file());
    folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|folder| folder != SHARED.0)
        .collect()
}

fn features(package: &str) -> BTreeSet<String> {
    let packages = packages();
    let found = packages.iter().find(|p| p["name"] == package).unwrap();
    found["features"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The library's own code: no tests, examples, benches or test kits.
fn library_sources() -> Vec<PathBuf> {
    let mut all = Vec::new();
    sources(root(), &mut all);
    let outside = [
        "/tests/",
        "/examples/",
        "/benches/",
        "/testing/",
        "testing.rs",
        "/target",
    ];
    all.retain(|path| {
        let path = path
            .strip_prefix(root())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        !outside.iter().any(|part| format!("/{path}").contains(part))
    });
    assert!(all.len() > 30, "the sources were not found");
    all
}

#[test]
fn connectors_and_stores_see_core_and_nothing_else_of_ours() {
    let core = BTreeSet::from(["automarket-core".to_owned()]);
    let mut seen = 0;
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        if name.starts_with("automarket-connector-") || name.starts_with("automarket-store-") {
            let mut allowed = core.clone();
            let connector = name.trim_start_matches("automarket-connector-");
            if SHARED.1.contains(&connector) {
                allowed.insert(format!("automarket-connector-{}", SHARED.0));
            }
            assert_eq!(ours(&package), allowed, "{name}");
            seen += 1;
        }
    }
    assert_eq!(
        seen,
        connector_folders().len() + 3,
        "every connector, what two of them share, and two stores"
    );
}

#[test]
fn core_alone_has_no_database_and_no_http_client() {
    let tree = cargo(&[
        "tree",
        "-p",
        "automarket-core",
        "-e",
        "normal",
        "--no-default-features",
        "--prefix",
        "none",
    ]);
    for unwanted in [
        "reqwest",
        "hyper",
        "rustls",
        "rusqlite",
        "sqlx",
        "tokio-postgres",
        "automarket-",
    ] {
        let found = tree.lines().skip(1).find(|line| line.starts_with(unwanted));
        assert_eq!(found, None, "core must not need {unwanted}");
    }
}

#[test]
fn a_build_with_one_connector_holds_nothing_of_the_others() {
    let tree = cargo(&[
        "tree",
        "-p",
        "automarket",
        "-e",
        "normal",
        "--features",
        "slack",
        "--prefix",
        "none",
    ]);
    assert!(tree.contains("automarket-connector-slack"));
    let mut others = connector_folders();
    others.insert(SHARED.0.to_owned());
    for other in others.iter().filter(|name| *name != "slack") {
        assert!(
            !tree.contains(&format!("automarket-connector-{other}")),
            "{other} came along"
        );
    }
    assert!(
        !["rusqlite", "tokio-postgres", "reqwest"]
            .iter()
            .any(|unasked| tree.contains(unasked)),
        "no store and no client was asked for"
    );
}

#[test]
fn folders_features_and_the_readme_table_name_the_same_connectors() {
    let folders = connector_folders();
    let mut umbrella = features("automarket-connectors");
    umbrella.remove("default");
    umbrella.remove("testing");
    assert_eq!(umbrella, folders, "the umbrella's features");

    let mut facade = features("automarket");
    for other in [
        "default",
        "postgres",
        "postgres-sqlx",
        "postgres-testing",
        "sqlite",
        "sqlite-sqlx",
        "reqwest",
        "testing",
    ] {
        assert!(facade.remove(other), "the facade has no feature {other}");
    }
    assert_eq!(facade, folders, "the facade's features");

    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme
        .split("<!-- connectors -->")
        .nth(1)
        .expect("README.md has a connector table between markers");
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(
        rows.map(str::to_owned).collect::<BTreeSet<_>>(),
        folders,
        "the README's table"
    );

    let packages = packages();
    let umbrella = packages
        .iter()
        .find(|p| p["name"] == "automarket-connectors");
    let testing = umbrella.unwrap()["features"]["testing"].as_array().unwrap();
    for folder in &folders {
        let package = format!("automarket-connector-{folder}");
        for part in [folder.clone(), format!("{package}/testing")] {
            assert!(testing.contains(&part.as_str().into()), "testing: {part}");
        }
        assert!(
            packages.iter().any(|p| p["name"] == package.as_str()),
            "{package} is no member"
        );
    }
}

#[test]
fn no_manifest_has_weak_features() {
    let mut manifests = vec![root().join("Cargo.toml")];
    let members = packages();
    manifests.extend(
        members
            .iter()
            .map(|p| PathBuf::from(p["manifest_path"].as_str().unwrap())),
    );
    for manifest in manifests {
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(
            !text.contains("?/"),
            "{} has a weak feature",
            manifest.display()
        );
    }
}

#[test]
fn defaults_are_empty_and_every_crate_keeps_the_workspace_lints() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert_eq!(
            package["features"]["default"]
                .as_array()
                .map_or(0, Vec::len),
            0,
            "{name} has default features"
        );
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} does not inherit the lints"
        );
    }
}

#[test]
fn there_is_one_door_to_the_network_and_none_to_the_environment() {
    let door = Path::new("automarket-core/src/http");
    for path in library_sources() {
        let text = fs::read_to_string(&path).unwrap();
        let relative = path.strip_prefix(root()).unwrap();
        for other_door in [
            "TcpStream",
            "UdpSocket",
            "lookup_host",
            "ToSocketAddrs",
            "reqwest::Client",
        ] {
            assert!(
                relative.starts_with(door) || !text.contains(other_door),
                "{} uses {other_door}",
                relative.display()
            );
        }
        assert!(
            !text.contains("std::env::var"),
            "{} reads the environment",
            relative.display()
        );
    }
}
