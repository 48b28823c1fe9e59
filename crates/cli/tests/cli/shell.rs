//! What the command says of the machine, to shells and in manuals.

use std::collections::BTreeSet;
use std::fs;

use crate::common::run;

#[test]
fn the_doctor_looks_at_this_machine() {
    let shown = run(&["doctor", "--json"]);
    let report = &shown.json()[0];
    let wrong = report["wrong"].as_array().expect("a list").len();
    // Little memory is the machine's own affair; the judge inside has to judge.
    assert_eq!(shown.code, i32::from(wrong > 0), "{report}");
    assert!(report["judge_ms"].as_u64().is_some(), "{report}");
    assert!(report["threads"].as_u64() >= Some(1));
    let sets = report["instruction_sets"].as_array().expect("a list");
    assert!(sets.contains(&report["instruction_set"]), "{report}");
    let text = run(&["doctor"]).stdout;
    for name in ["processor", "instructions", "memory", "judge inside"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn shells_learn_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]).expect(0).stdout;
        for word in ["judge", "principle", "--permutations", "doctor"] {
            let plain = word.trim_start_matches('-');
            assert!(script.contains(plain), "{shell} does not know {word}");
        }
    }
    run(&["completions", "tcsh"]).expect(2);
}

#[test]
fn every_command_has_a_page() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().join("man1");
    run(&["man", folder.to_str().expect("UTF-8")]).expect(0);
    let pages: BTreeSet<String> = fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    for page in [
        "",
        "-judge",
        "-serve",
        "-principle-lint",
        "-train-sft",
        "-model-info",
    ] {
        assert!(
            pages.contains(&format!("rewardanything{page}.1")),
            "{page}: {pages:?}"
        );
    }
    let page = fs::read_to_string(folder.join("rewardanything-judge.1")).expect("a page");
    assert!(
        page.starts_with(".ie") || page.contains(".TH"),
        "a page is in roff"
    );
    assert!(
        page.contains("permutations") && page.contains("rewardanything"),
        "{page}"
    );
}
