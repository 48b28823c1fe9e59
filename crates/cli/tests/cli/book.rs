//! The book: its pages are all in its summary, its links lead somewhere, and its commands work as they stand.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::root;

fn docs() -> PathBuf {
    root().join("docs")
}

/// All pages below a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What links of a page lead to, as they stand there.
fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains("://"))
        .collect()
}

/// Fenced blocks in a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("\n```{language}\n");
    text.split(open.as_str())
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("a block ends"))
        .collect()
}

#[test]
fn every_page_is_in_the_summary_and_no_link_is_dead() {
    let summary = docs().join("SUMMARY.md");
    let listed: Vec<PathBuf> = links(&fs::read_to_string(&summary).expect("a summary"))
        .iter()
        .map(|link| docs().join(link))
        .collect();
    for page in pages(&docs()) {
        assert!(
            page == summary || listed.contains(&page),
            "{} is in no chapter of docs/SUMMARY.md",
            page.display()
        );
        let text = fs::read_to_string(&page).expect("a page");
        for link in links(&text) {
            let target = page.parent().expect("a page is in a folder").join(link);
            assert!(
                target.exists(),
                "{} links to {link}, which is not there",
                page.display()
            );
        }
    }
}

/// Runs the commands of one page in a folder of its own, one after the other, as a reader does.
fn follow(page: &str) -> usize {
    let text = fs::read_to_string(docs().join(page)).expect("a page");
    let commands = blocks(&text, "sh");
    // Where somebody listens already, the reader takes another port; so does the test.
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("its number")
        .port();
    let script = format!(
        "set -euo pipefail\nPATH=$HERE:$PATH\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{}\n",
        commands.join("\n")
    )
    .replace("8000", &free.to_string());
    let folder = tempfile::tempdir().expect("a scratch folder");
    let program = Path::new(env!("CARGO_BIN_EXE_rewardanything"));
    let here = program.parent().expect("a program is in a folder");
    let ran = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("HERE", here)
        .env_remove("REWARDANYTHING_SERVER_TOKEN")
        .output()
        .expect("there is bash");
    assert!(
        ran.status.success(),
        "{page}:\n{}\n{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    commands.len()
}

#[cfg(unix)]
#[test]
fn its_commands_work_as_they_stand() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl here, which the pages use");
        return;
    }
    for (page, least) in [
        ("tutorial.md", 6),
        ("how-to/principles.md", 2),
        ("how-to/data.md", 1),
        ("reference.md", 1),
    ] {
        assert!(follow(page) >= least, "the commands of {page} were found");
    }
    // Whatever else has commands is to be followed too.
    for page in pages(&docs().join("how-to")) {
        let name = page.file_name().expect("a page has a name").to_string_lossy();
        let followed = ["principles.md", "data.md"].contains(&name.as_ref());
        let text = fs::read_to_string(&page).expect("a page");
        assert!(
            followed || blocks(&text, "sh").is_empty(),
            "nobody follows how-to/{name}"
        );
    }
}
