//! Whole runs on a very small model and self-made text.

use rewardanything_engine::LoadOptions;
use rewardanything_train::watch::{Ended, RunNote};
use rewardanything_train::{TrainError, sft};
use std::fs;
use std::path::{Path, PathBuf};

const RECIPE: &str = r#"
seed = 3
output = "OUT"

[model.scratch]
architectures = ["Qwen3ForCausalLM"]
model_type = "qwen3"
vocab_size = 600
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 1
head_dim = 16
max_position_embeddings = 1024
rms_norm_eps = 1e-6
rope_theta = 10000.0
tie_word_embeddings = true

[profile]
name = "tiny"
system = ""

[[examples.stages]]
until = 1.0
measure = 0.5
name = 0.1
responses = [2, 3]
max_words = [14]
prompt_words = [8]

[optim]
lr = 5e-3
warmup = 4

[run]
steps = 16
batch_tokens = 800
max_tokens = 700
checkpoint_every = 4
threads = 2
context_weight = 0.05
context_share = 0.5
"#;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn metric(folder: &Path, step: usize, key: &str) -> f64 {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().nth(step).unwrap()).unwrap();
    assert_eq!(line["step"], step);
    line[key].as_f64().unwrap()
}

#[test]
fn a_run_learns_and_resumes_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let whole = write(folder.path(), "whole.toml", &RECIPE.replace("OUT", "whole"));
    let finished = sft::run(&whole, false).unwrap();
    assert_eq!(finished.steps, 16);
    let (first, last) = (
        metric(&finished.folder, 0, "loss"),
        metric(&finished.folder, 15, "loss"),
    );
    assert!(last < first - 1.0, "loss {first} -> {last}");

    // Stop after eight steps by a recipe that is the same but for where it stops.
    let part = write(folder.path(), "part.toml", &RECIPE.replace("OUT", "part"));
    sft::run_until(&part, false, Some(8)).unwrap();
    let note = |folder: &str| RunNote::read(&finished.folder.with_file_name(folder)).unwrap();
    assert_eq!(
        (note("part").steps, note("part").ended),
        (8, Some(Ended::Stopped))
    );
    assert!(
        matches!(sft::run(&part, false), Err(TrainError::File { .. })),
        "an old run is not overwritten"
    );
    let resumed = sft::run(&part, true).unwrap();
    assert_eq!(note("part"), note("whole"), "the run's end, once it is reached");
    assert_eq!(note("part").ended, Some(Ended::Finished));
    for file in [
        "model.safetensors",
        "checkpoint.safetensors",
        "tokenizer.json",
        "config.json",
    ] {
        let bytes = |f: &Path| fs::read(f.join(file)).unwrap();
        assert!(
            bytes(&finished.folder) == bytes(&resumed.folder),
            "{file} differs after a resume"
        );
    }
    assert_eq!(
        fs::read_to_string(resumed.folder.join("metrics.jsonl"))
            .unwrap()
            .lines()
            .count(),
        16
    );

    // The folder is a model that the engine loads, and a checkpoint that training starts from.
    rewardanything_engine::LocalModel::from_folder(&finished.folder, &LoadOptions::default()).unwrap();
    let start = RECIPE.find("[model.scratch]").unwrap();
    let end = RECIPE.find("[profile]").unwrap();
    let further = format!(
        "{}[model]\nfrom = \"whole\"\n\n{}",
        &RECIPE[..start],
        &RECIPE[end..]
    );
    let further = write(
        folder.path(),
        "further.toml",
        &further
            .replace("OUT", "further")
            .replace("warmup = 4", "warmup = 0"),
    );
    let continued = sft::run_until(&further, false, Some(1)).unwrap();
    assert!(
        metric(&continued.folder, 0, "loss") < first - 0.8,
        "it starts from the trained weights"
    );
}

#[test]
fn both_backends_take_the_same_steps() {
    let folder = tempfile::tempdir().unwrap();
    let fused = RECIPE
        .replace("OUT", "fused")
        .replace("threads = 2", "threads = 2\ncompute = \"exact\"");
    let fused = write(folder.path(), "fused.toml", &fused);
    let candle = RECIPE
        .replace("OUT", "candle")
        .replace("threads = 2", "backend = \"candle\"");
    let candle = write(folder.path(), "candle.toml", &candle);
    let fused = sft::run_until(&fused, false, Some(3)).unwrap().folder;
    let candle = sft::run_until(&candle, false, Some(3)).unwrap().folder;
    for step in 0..3 {
        let (a, b) = (metric(&fused, step, "loss"), metric(&candle, step, "loss"));
        assert!((a - b).abs() < 2e-4, "step {step}: {a} {b}");
    }
}

#[test]
fn recipes_say_in_which_numbers_they_compute() {
    use rewardanything_train::fused::Compute;
    use rewardanything_train::recipe::Recipe;
    let folder = tempfile::tempdir().unwrap();
    let read = |extra: &str| {
        let text = RECIPE.replace("threads = 2", &format!("threads = 2\n{extra}"));
        Recipe::read(&write(folder.path(), "r.toml", &text)).map(|r| r.run.compute)
    };
    assert_eq!(read("").unwrap(), Compute::Native);
    assert_eq!(read("compute = \"exact\"").unwrap(), Compute::Exact);
    let message = read("compute = \"half\"").unwrap_err().to_string();
    assert!(
        message.contains("native") && message.contains("exact"),
        "{message}"
    );
    // The recipes that come with the program.
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let mut count = 0;
    let files =
        ["first", "nano", "nano/ablations", "qwen3-8b"].map(|folder| fs::read_dir(own.join(folder)).unwrap());
    for entry in files.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let compute = if fs::read_to_string(&path).unwrap().contains("[rollout]") {
            let recipe = rewardanything_train::grpo::GrplRecipe::read(&path).unwrap();
            recipe.run.compute
        } else {
            Recipe::read(&path).unwrap().run.compute
        };
        assert_eq!(compute, Compute::Native, "{}", path.display());
        count += 1;
    }
    assert!(count >= 14, "{count} recipes");
}

#[test]
fn bad_recipes_say_what_is_wrong() {
    #[track_caller]
    fn check(from: &str, to: &str, expect: &str) {
        let folder = tempfile::tempdir().unwrap();
        assert!(RECIPE.contains(from), "{from}");
        let path = write(
            folder.path(),
            "r.toml",
            &RECIPE.replace("OUT", "out").replace(from, to),
        );
        let message = sft::run(&path, false).unwrap_err().to_string();
        assert!(message.contains(expect), "expected {expect:?} in {message:?}");
    }
    check("steps = 16", "steps = 0", "run.steps: expected at least 1, got 0");
    check("batch_tokens = 800", "batch_tokens = 1", "run.batch_tokens");
    check(
        "responses = [2, 3]",
        "responses = [3, 2]",
        "examples.stages.responses: stage 0: expected 1 <= least <= most",
    );
    check(
        "threads = 2",
        "device = \"cuda\"",
        "run.device: the fused passes know the CPU alone",
    );
    if !cfg!(feature = "cuda") {
        let on_cuda = "device = \"cuda\"\nbackend = \"candle\"";
        check("threads = 2", on_cuda, "built without CUDA");
    }
    check("threads = 2", "thread = 2", "unknown field `thread`");
    check(
        "max_tokens = 700",
        "max_tokens = 10",
        "run.max_tokens: no example fits 10 tokens",
    );
    check(
        "num_key_value_heads = 1",
        "num_key_value_heads = 3",
        "num_key_value_heads",
    );
    check(
        "[[examples.stages]]",
        "[pool]\nfiles = [\"absent.jsonl\"]\n[[examples.stages]]",
        "absent.jsonl",
    );
}
