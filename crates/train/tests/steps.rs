//! A judge that reads apart, trained by reward step by step.

use rewardanything_train::grpo::{self, GrplRecipe};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const RECIPE: &str = r#"
seed = 3
output = "run"
[model]
from = "MODEL"
[cases.made]
[cases.made.examples]
synthetic = 1.0
[[cases.made.examples.stages]]
until = 1.0
measure = 0.0
responses = [2, 3]
max_words = [20]
prompt_words = [6]
[steps]
conclude = 0.5
[rollout]
group = 4
cases = 6
max_cases = 12
max_new_tokens = 300
[optim]
lr = 1e-6
[run]
steps = 2
checkpoint_every = 1
samples_every = 1
samples_cases = 12
threads = 2
"#;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn recipe(model: &str, changes: &[(&str, &str)]) -> String {
    let mut text = RECIPE.replace("MODEL", &root(model).to_string_lossy());
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

fn lines(folder: &Path, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn nano_earns_by_both_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.toml");
    fs::write(&path, recipe("models/nano", &[])).unwrap();
    let finished = grpo::run(&path, false).unwrap();
    let metrics = lines(&finished.folder, "metrics.jsonl");
    assert_eq!(metrics.len(), 2);
    for line in &metrics {
        let part = |name: &str| {
            line["parts"][name]
                .as_f64()
                .unwrap_or_else(|| panic!("{name}: {line}"))
        };
        // It has learned to name, and to conclude from notes: unheld, it keeps to the form and beats chance by far.
        assert!(part("named") > 0.9, "{line}");
        assert!(part("format") > 0.9 && part("parsed") > 0.9, "{line}");
        assert!(part("accuracy") > 0.7, "{line}");
        let mismatch = line["mismatch"]["mean"].as_f64();
        assert!(
            mismatch.is_none_or(|m| m < 0.05),
            "the engine and the trainer are one policy: {line}"
        );
    }
    let ids: Vec<String> = lines(&finished.folder, "samples.jsonl")
        .iter()
        .map(|sample| sample["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.iter().any(|id| id.ends_with("-name")), "{ids:?}");
    assert!(ids.iter().any(|id| id.ends_with("-conclude")), "{ids:?}");
}

#[test]
fn who_takes_no_steps_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: String, field: &str| {
        let path = folder.path().join("recipe.toml");
        fs::write(&path, text).unwrap();
        let error = grpo::run(&path, false).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    };
    let short = ("max_new_tokens = 300", "max_new_tokens = 100");
    check(recipe("fixtures/tiny-tied", &[short]), "steps: expected a judge");
    check(
        recipe("models/nano", &[("conclude = 0.5", "conclude = 1.5")]),
        "steps.conclude",
    );
    let file = ("[cases.made]\n", "[cases]\nfile = \"items.jsonl\"\n");
    let text = recipe("models/nano", &[file]);
    let (before, rest) = text.split_once("[cases.made.examples]").unwrap();
    let (_, after) = rest.split_once("[steps]").unwrap();
    check(format!("{before}[steps]{after}"), "steps.conclude");
    let blank = ("[cases.made]\n", "[cases.made]\nprinciple = \" \"\n");
    check(recipe("models/nano", &[blank]), "cases.made.principle");
    assert!(toml::from_str::<GrplRecipe>(&recipe("models/nano", &[])).is_ok());
}
