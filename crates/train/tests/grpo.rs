//! Whole runs: a toy task whose best policy is known, and a judge.

use rewardanything_train::TrainError;
use rewardanything_train::grpo::environment::{Answered, Environment, Grade, Grades, Task, each};
use rewardanything_train::grpo::trainer::{Finished, Span, run_in};
use rewardanything_train::grpo::{self, GrplRecipe};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Half of the vocabulary, and how the prompts that ask for the lower and for the upper half end.
const HALF: u32 = 192;
const ASKS: [u32; 2] = [40, 300];

/// Write tokens of the half that the prompt asks for. A policy that reads the prompt earns 1, one that does not 0.5.
struct Halves;

impl Environment for Halves {
    type Case = bool;

    fn task(&self, step: usize, index: usize, _: f64) -> Result<Task<bool>, TrainError> {
        let upper = index % 2 == 1;
        let noise = u32::try_from((step * 7 + index * 3) % 100).unwrap();
        Ok(Task {
            id: format!("{step}-{index}"),
            prompt: vec![noise, 100 + noise, ASKS[usize::from(upper)]],
            case: upper,
        })
    }

    fn grades(&self, _: usize, answered: &[Answered<'_, bool>]) -> Result<Vec<Grades>, TrainError> {
        Ok(each(answered, |&upper, reply| {
            let wanted = reply.tokens.iter().filter(|t| (**t >= HALF) == upper).count();
            Grade {
                total: wanted as f64 / reply.tokens.len().max(1) as f64,
                in_format: !reply.tokens.is_empty(),
                parts: vec![("wanted", wanted as f64)],
            }
        }))
    }
}

const TOY: &str = r#"
seed = 7
output = "OUT"
[model]
from = "MODEL"
[cases.made]
[rollout]
group = 8
cases = 12
max_new_tokens = 6
[loss]
beta = 0.0
[optim]
lr = 8e-3
warmup = 2
final_lr = 0.5
weight_decay = 0.0
[run]
steps = 100
checkpoint_every = 20
threads = 2
compute = "exact"
"#;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A recipe with some of its lines replaced.
fn recipe(text: &str, changes: &[(&str, &str)]) -> GrplRecipe {
    let mut text = text.replace("MODEL", &root("fixtures/tiny-tied").to_string_lossy());
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    toml::from_str(&text).unwrap()
}

fn toy(folder: &Path, changes: &[(&str, &str)], span: Span) -> Finished {
    run_in(&recipe(TOY, changes), folder, span, |_, _| Ok(Halves)).unwrap()
}

fn lines(folder: &Path, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn number(line: &Value, key: &str) -> f64 {
    line[key].as_f64().unwrap_or_else(|| panic!("no {key} in {line}"))
}

/// What does not depend on the clock.
fn timeless(mut line: Value) -> Value {
    let object = line.as_object_mut().unwrap();
    for key in [
        "seconds",
        "rollout_tokens_per_second",
        "training_tokens_per_second",
    ] {
        object.remove(key).unwrap();
    }
    line
}

#[test]
fn a_toy_task_is_solved() {
    let folder = tempfile::tempdir().unwrap();
    let finished = toy(folder.path(), &[("OUT", "run")], Span::default());
    let metrics = lines(&finished.folder, "metrics.jsonl");
    assert_eq!(metrics.len(), 100);
    let mean = |part: &[Value]| part.iter().map(|m| number(m, "reward")).sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&metrics[..3]), mean(&metrics[95..]));
    assert!((0.3..0.7).contains(&first), "it begins at chance: {first}");
    assert!(last > 0.95, "the best policy earns 1, this one {last}");
    // Once every reply to every prompt earns 1, nothing is left to learn, and a step has no update.
    let taught: Vec<&Value> = metrics.iter().filter(|m| !m["mismatch"].is_null()).collect();
    assert!(taught.len() > 30, "{}", taught.len());
    for line in &taught {
        let mismatch = number(&line["mismatch"], "mean");
        assert!(
            mismatch < 0.05,
            "the engine and the trainer are one policy: {line}"
        );
    }
    assert!(number(taught[taught.len() - 1], "kl") > number(taught[0], "kl") + 0.1);
    assert!(number(taught[0], "kl").abs() < 1e-6, "the start is the reference");
}

#[test]
fn several_updates_a_step_solve_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let changes = [
        ("OUT", "run"),
        ("steps = 100", "steps = 40\nepochs = 2\nmini_batches = 2"),
        (
            "beta = 0.0",
            "beta = 0.001\nclip_high = 0.3\nnormalise = \"token\"",
        ),
        ("compute = \"exact\"", "compute = \"native\""),
    ];
    let finished = toy(folder.path(), &changes, Span::default());
    let metrics = lines(&finished.folder, "metrics.jsonl");
    assert!(metrics.iter().all(|m| m["updates"] == 4));
    assert!(finished.reward > 0.9, "{}", finished.reward);
    assert!(
        metrics.iter().any(|m| number(m, "clip_share") > 0.0),
        "later updates of a step meet the clip"
    );
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let changes = |out: &'static str| {
        [
            ("OUT", out),
            (
                "steps = 100",
                "steps = 6\nepochs = 2\nmini_batches = 2\nsamples_every = 2",
            ),
            ("checkpoint_every = 20", "checkpoint_every = 2"),
        ]
    };
    let whole = toy(folder.path(), &changes("whole"), Span::default());
    let until = |until, resume| Span {
        resume,
        until: Some(until),
    };
    toy(folder.path(), &changes("part"), until(3, false));
    let part = toy(folder.path(), &changes("part"), until(5, true));
    assert_eq!(part.steps, 5);
    let part = toy(folder.path(), &changes("part"), until(9, true));
    assert_eq!((whole.steps, part.steps), (6, 6));
    for file in ["checkpoint.safetensors", "model.safetensors", "samples.jsonl"] {
        let bytes = |run: &Finished| fs::read(run.folder.join(file)).unwrap();
        assert!(bytes(&whole) == bytes(&part), "{file} differs");
    }
    let metrics = |run: &Finished| -> Vec<Value> {
        let lines = lines(&run.folder, "metrics.jsonl");
        lines.into_iter().map(timeless).collect()
    };
    assert_eq!(metrics(&whole), metrics(&part));
    assert_eq!(lines(&whole.folder, "samples.jsonl").len(), 3 * 2 * 8);
    let refused = run_in(
        &recipe(TOY, &changes("part")),
        folder.path(),
        Span::default(),
        |_, _| Ok(Halves),
    );
    assert!(refused.unwrap_err().to_string().contains("--resume"));
}

/// How a gradient is summed changes nothing but its last bits.
#[test]
fn equivalent_settings_take_the_same_steps() {
    let folder = tempfile::tempdir().unwrap();
    let run = |out: &'static str, run: &'static str, compute: &'static str| -> Vec<Value> {
        let changes = [
            ("OUT", out),
            ("steps = 100", run),
            ("compute = \"exact\"", compute),
        ];
        let finished = toy(folder.path(), &changes, Span::default());
        lines(&finished.folder, "metrics.jsonl")
    };
    let exact = "compute = \"exact\"";
    let whole = run("a", "steps = 3", exact);
    for other in [
        run("b", "steps = 3\naccumulation = 4", exact),
        run("c", "steps = 3\naccumulation = 7", exact),
        run("d", "steps = 3", "backend = \"candle\""),
    ] {
        for (a, b) in whole.iter().zip(&other) {
            for key in ["reward", "loss", "gradient_norm", "entropy", "kl"] {
                let (x, y) = (number(a, key), number(b, key));
                assert!((x - y).abs() < 1e-4 * x.abs().max(0.1), "{key}: {x} {y}");
            }
        }
    }
}

/// Everyone earns the same for writing anything at all.
struct Flat;

impl Environment for Flat {
    type Case = usize;

    fn task(&self, _: usize, index: usize, _: f64) -> Result<Task<usize>, TrainError> {
        Ok(Task {
            id: index.to_string(),
            prompt: vec![1, 2, 3 + u32::try_from(index).unwrap()],
            case: index,
        })
    }

    fn grades(&self, _: usize, answered: &[Answered<'_, usize>]) -> Result<Vec<Grades>, TrainError> {
        Ok(each(answered, |&index, reply| Grade {
            // The third case alone tells replies apart.
            total: if index == 2 {
                f64::from(reply.tokens.first().copied().unwrap_or(0))
            } else {
                0.5
            },
            ..Grade::default()
        }))
    }
}

#[test]
fn flat_groups_are_dropped_and_others_sampled_up_to_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let run = |out: &'static str, cases: &'static str| -> Value {
        let changes = [("OUT", out), ("cases = 12", cases), ("steps = 100", "steps = 1")];
        let finished = run_in(&recipe(TOY, &changes), folder.path(), Span::default(), |_, _| {
            Ok(Flat)
        });
        lines(&finished.unwrap().folder, "metrics.jsonl").remove(0)
    };
    let check = |line: &Value, groups: u64, flat: u64, updates: u64| {
        let got = ["groups", "flat_groups", "updates"].map(|key| line[key].as_u64().unwrap());
        assert_eq!(got, [groups, flat, updates], "{line}");
    };
    check(&run("a", "cases = 2"), 2, 2, 0);
    check(&run("b", "cases = 1\nmax_cases = 9"), 3, 2, 1);
    check(&run("c", "cases = 2\nmax_cases = 5"), 5, 4, 1);
}

const JUDGE: &str = r#"
seed = 11
output = "OUT"
[model]
from = "MODEL"
[cases]
file = "items.jsonl"
[rollout]
group = 4
cases = 2
max_new_tokens = 160
[reward]
length = { weight = 0.1, from = 80 }
[optim]
lr = 1e-5
[run]
steps = 2
checkpoint_every = 1
samples_every = 1
threads = 2
[validation]
file = "items.jsonl"
items = 2
every = 1
"#;

fn items() -> String {
    let item = |id: usize, short: &str, long: &str| {
        serde_json::json!({
            "id": id, "principle": "The fewer words, the better.", "prompt": "Where does the river end?",
            "responses": {"a": long, "b": short},
            "gold": {"scores": {"a": 1, "b": 5}, "ranking": ["b", "a"]}, "measure": "words",
        })
        .to_string()
    };
    [
        item(
            1,
            "In the sea.",
            "It flows down from the hills and ends, after many turns, in the sea.",
        ),
        item(
            2,
            "A lake.",
            "Some rivers end in a lake, and this one is among them, as far as we know.",
        ),
        item(
            3,
            "Nobody knows.",
            "I am not sure about this one, but I would guess that it ends in a bay.",
        ),
    ]
    .join("\n")
}

fn judge(
    folder: &Path,
    changes: &[(&str, &str)],
    resume: bool,
    until: Option<usize>,
) -> Result<Finished, TrainError> {
    fs::write(folder.join("items.jsonl"), items()).unwrap();
    let mut text = JUDGE.replace("MODEL", &root("models/nano").to_string_lossy());
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let path = folder.join("grpl.toml");
    fs::write(&path, text).unwrap();
    grpo::run_until(&path, resume, until)
}

/// The judge inside this project, its own replies, real rewards, and what the metrics say of them.
#[test]
fn a_judge_learns_from_items_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let whole = judge(folder.path(), &[("OUT", "whole")], false, None).unwrap();
    let metrics = lines(&whole.folder, "metrics.jsonl");
    let first = &metrics[0];
    assert!(
        number(first, "format_share") > 0.5 && number(&first["parts"], "parsed") > 0.5,
        "{first}"
    );
    let parts = &first["parts"];
    let accuracy = 0.4 * number(parts, "accuracy.pairs")
        + 0.2
            * (number(parts, "accuracy.distribution")
                + number(parts, "accuracy.near")
                + number(parts, "accuracy.rank"));
    let reward = 0.15 * number(parts, "format") + 0.85 * accuracy - number(parts, "length_penalty");
    assert!(
        (reward - number(first, "reward")).abs() < 1e-9,
        "the parts make up the reward: {first}"
    );
    assert!(number(&first["mismatch"], "mean") < 0.05, "{first}");
    assert!(
        first["start"]["items"] == 2 && first["validation"]["items"] == 2,
        "{first}"
    );
    let best = whole.best.unwrap();
    assert_eq!(best.1, number(&first["start"], "accuracy").max(best.1));
    rewardanything_engine::LocalModel::from_folder(&whole.folder.join("best"), &Default::default()).unwrap();
    let sample = &lines(&whole.folder, "samples.jsonl")[0];
    assert!(sample["text"].as_str().unwrap().contains("</think>"), "{sample}");

    judge(folder.path(), &[("OUT", "part")], false, Some(1)).unwrap();
    let part = judge(folder.path(), &[("OUT", "part")], true, None).unwrap();
    for file in [
        "checkpoint.safetensors",
        "samples.jsonl",
        "best/model.safetensors",
    ] {
        let bytes = |run: &Finished| fs::read(run.folder.join(file)).unwrap();
        assert!(bytes(&whole) == bytes(&part), "{file} differs");
    }
}

#[test]
fn bad_recipes_say_what_is_wrong() {
    #[track_caller]
    fn check(from: &str, to: &str, expect: &str) {
        let folder = tempfile::tempdir().unwrap();
        let message = judge(folder.path(), &[("OUT", "out"), (from, to)], false, None);
        let message = message.unwrap_err().to_string();
        assert!(message.contains(expect), "expected {expect:?} in {message:?}");
    }
    check("steps = 2", "steps = 0", "run.steps: expected at least 1, got 0");
    check(
        "group = 4",
        "group = 1",
        "rollout.group: expected at least 2, got 1",
    );
    check(
        "cases = 2",
        "cases = 2\nmax_cases = 1",
        "rollout.max_cases: expected at least 2, got 1",
    );
    check(
        "steps = 2",
        "steps = 2\nmini_batches = 9",
        "run.mini_batches: 9 times",
    );
    check("threads = 2", "thread = 2", "unknown field `thread`");
    check(
        "[optim]",
        "[loss]\nclip_low = 1.5\n[optim]",
        "loss.clip_low: expected 0 to 1, got 1.5",
    );
    check(
        "[optim]",
        "[loss]\nbeta = -1.0\n[optim]",
        "loss.beta: expected 0 or more, got -1",
    );
    check(
        "[reward]",
        "[reward]\nweights = { format = 0.0, accuracy = 0.0 }",
        "reward.weights",
    );
    check(
        "from = 80",
        "from = 160",
        "reward.length.from: expected less than rollout.max_new_tokens, 160",
    );
    check(
        "max_new_tokens = 160",
        "max_new_tokens = 9000",
        "less than the model's context of 8192, got 9000",
    );
    check(
        "max_new_tokens = 160",
        "max_new_tokens = 160\nmax_prompt_tokens = 5",
        "1000 prompts of a step",
    );
    check(
        "file = \"items.jsonl\"\n[rollout]",
        "file = \"none.jsonl\"\n[rollout]",
        "none.jsonl",
    );
    check(
        "\nevery = 1\n",
        "\nevery = 0\n",
        "validation.every: expected at least 1",
    );
    check(
        "seed = 11",
        "seed = 11\nadvantage = \"rank\"",
        "unknown variant `rank`",
    );
    check(
        "[cases]\nfile = \"items.jsonl\"",
        "[cases.made.examples]\nstages = []",
        "cases.made.examples.stages",
    );
    check("models/nano", "models/none", "config.json");
}
