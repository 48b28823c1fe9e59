//! The walls of ARCHITECTURE.md, read off the manifests and the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the crates are: ours, and those that are for another language.
const FOLDERS: [&str; 2] = ["crates", "bindings"];

/// Folder name and manifest of every crate of the workspace.
fn crates() -> BTreeMap<String, Table> {
    let crates: BTreeMap<String, Table> = FOLDERS
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).expect("the workspace has crates"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .map(|folder| {
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
            let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
            (name, manifest.parse().expect("a manifest is TOML"))
        })
        .collect();
    assert!(
        crates.len() >= 5 && crates.contains_key("python"),
        "the crates were found"
    );
    crates
}

/// What a crate depends on, outside of its tests.
fn dependencies(manifest: &Table) -> Vec<&str> {
    assert!(
        manifest.get("target").is_none(),
        "dependencies by target would have to be read here too"
    );
    ["dependencies", "build-dependencies"]
        .iter()
        .filter_map(|table| manifest.get(*table)?.as_table())
        .flat_map(|table| table.keys().map(String::as_str))
        .collect()
}

/// Every Rust source of a crate outside of its tests, with its text. Unit tests that have a file of their own call it
/// `tests.rs`.
/// Sources of a crate in Rust, but for files of unit tests.
fn sources(name: &str) -> Vec<(PathBuf, String)> {
    let mut found = files(name, &["rs"]);
    found.retain(|(path, _)| path.file_name().is_none_or(|name| name != "tests.rs"));
    assert!(!found.is_empty(), "{name} has sources");
    found
}

/// Files of a crate's sources that end so.
fn files(name: &str, extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS
        .iter()
        .map(|folder| root().join(folder).join(name).join("src"))
        .filter(|folder| folder.is_dir())
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a crate has sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(extension) = path.extension()
                && extensions.iter().any(|wanted| extension == *wanted)
            {
                let text = fs::read_to_string(&path).expect("a source is text");
                found.push((path, text));
            }
        }
    }
    found
}

/// The code of a source: no comments, and nothing from its unit tests on, which stand last.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.starts_with("//"))
}

#[track_caller]
fn only(dependency: &str, allowed: &[&str]) {
    for (name, manifest) in crates() {
        let uses = dependencies(&manifest)
            .iter()
            .any(|found| found.starts_with(dependency));
        assert!(
            !uses || allowed.contains(&name.as_str()),
            "{name} depends on {dependency}, only {allowed:?} may"
        );
    }
}

#[test]
fn tensors_stay_in_engine_and_train() {
    only("candle", &["engine", "train"]);
}

#[test]
fn http_and_downloads_stay_in_remote() {
    for client in ["ureq", "reqwest", "hyper", "hf-hub", "rustls"] {
        only(client, &["remote"]);
    }
}

#[test]
fn traces_are_made_in_serve_and_sent_by_remote() {
    only("opentelemetry", &["remote", "serve"]);
    for sender in ["opentelemetry_sdk", "opentelemetry-otlp", "opentelemetry-http"] {
        only(sender, &["remote"]);
    }
}

#[test]
fn hashes_are_where_contents_have_addresses() {
    only("ring", &["remote", "serve"]);
}

#[test]
fn the_store_stays_in_serve() {
    only("redb", &["serve"]);
}

#[test]
fn the_server_and_its_runtime_stay_in_serve() {
    only("axum", &["serve"]);
    only("futures", &["serve"]);
    // The command starts the runtime and waits for signals.
    only("tokio", &["serve", "cli"]);
}

#[test]
fn the_command_alone_reports_errors_loosely() {
    only("anyhow", &["cli"]);
    only("clap", &["cli"]);
}

#[test]
fn python_is_spoken_by_the_bindings_alone() {
    only("pyo3", &["python"]);
    // Whoever builds the workspace as it comes needs no Python: the package is no part of it by default.
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let workspace: Table = workspace.parse().expect("a manifest is TOML");
    let default: Vec<&str> = workspace["workspace"]["default-members"]
        .as_array()
        .expect("a list of folders")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(default, ["crates/*"]);
    let library = &crates()["python"]["lib"];
    for kind in ["test", "doctest"] {
        let built = library.get(kind).and_then(Value::as_bool);
        assert_eq!(built, Some(false), "{kind}: would link an interpreter");
    }
}

#[test]
fn core_principles_and_evals_are_pure() {
    let pure = ["core", "principles", "evals"];
    let banned = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::time",
        "std::io::std",
        "println!",
        "print!",
    ];
    for name in pure {
        for (path, text) in sources(name) {
            for (line, code) in code(&text) {
                let found = banned.iter().find(|word| code.contains(*word));
                assert!(
                    found.is_none(),
                    "{}:{line} uses {found:?}, and {name} is pure",
                    path.display()
                );
            }
        }
    }
    for (name, manifest) in crates().iter().filter(|(name, _)| pure.contains(&name.as_str())) {
        for runtime in [
            "tokio",
            "candle-core",
            "candle-nn",
            "indicatif",
            "tokenizers",
            "rayon",
            "flate2",
            "ureq",
        ] {
            assert!(
                !dependencies(manifest).contains(&runtime),
                "{name} depends on {runtime}"
            );
        }
    }
}

#[test]
fn arrows_point_down() {
    let check = |name: &str, allowed: &[&str]| {
        let crates = crates();
        for found in dependencies(&crates[name]) {
            if let Some(ours) = found.strip_prefix("rewardanything-") {
                assert!(
                    allowed.contains(&ours),
                    "{name} depends on {ours}, it may on {allowed:?}"
                );
            }
        }
    };
    check("core", &[]);
    check("kernels", &[]);
    check("principles", &["core"]);
    check("evals", &["core"]);
    check("remote", &["core"]);
    check("engine", &["core", "kernels"]);
    check("serve", &["core", "evals", "principles"]);
    check("models", &["core", "engine", "remote"]);
    check("python", &["core", "engine", "evals", "models", "remote"]);
    check("train", &["core", "kernels", "principles", "evals", "engine"]);
}

#[test]
fn unsafe_code_lives_in_kernels() {
    for (name, manifest) in crates() {
        let inherits = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"))
            .is_some_and(|workspace| workspace.as_bool() == Some(true));
        assert!(
            inherits || name == "kernels",
            "{name} does not inherit the lints of the workspace"
        );
        if name == "kernels" {
            continue;
        }
        for (path, text) in sources(&name) {
            for (line, code) in code(&text) {
                let found = code
                    .split(|next: char| !next.is_alphanumeric() && next != '_')
                    .any(|word| word == "unsafe");
                assert!(!found, "{}:{line} has unsafe code", path.display());
            }
        }
    }
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let workspace: Table = workspace.parse().expect("a manifest is TOML");
    assert_eq!(
        workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(),
        Some("deny")
    );
}

#[test]
fn libraries_print_nothing() {
    for name in crates().keys().filter(|name| *name != "cli") {
        for (path, text) in sources(name) {
            for (line, code) in code(&text) {
                let prints = ["println!", "eprintln!", "print!(", "eprint!(", "dbg!"]
                    .iter()
                    .any(|word| code.contains(word));
                assert!(!prints, "{}:{line} prints", path.display());
            }
        }
    }
}

#[test]
fn every_dependency_is_in_the_one_table() {
    for (name, manifest) in crates() {
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(entries) = manifest.get(table).and_then(Value::as_table) else {
                continue;
            };
            for (dependency, value) in entries {
                let shared = value.get("workspace").and_then(Value::as_bool) == Some(true);
                assert!(shared, "{name} names its own version of {dependency}");
            }
        }
    }
}

#[test]
fn the_house_rules_hold() {
    for name in crates().keys() {
        for (path, text) in files(name, &["rs", "js", "css", "html"]) {
            assert!(
                text.lines().count() <= 600,
                "{} is longer than 600 lines",
                path.display()
            );
        }
        for (path, text) in sources(name) {
            let place = path.display();
            assert!(text.starts_with("//!"), "{place} does not say what it is for");
            for (line, code) in code(&text) {
                assert!(!code.contains(".unwrap()"), "{place}:{line} unwraps");
                assert!(
                    !code.contains("#[allow("),
                    "{place}:{line} allows where it could expect, with a reason"
                );
            }
        }
    }
}
