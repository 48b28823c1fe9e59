//! Alignments of a very small model by judges whose taste is known.

use rewardanything_core::{
    Completion, FinishReason, Generate, GenerateError, Mask, Profile, Repeats, Scripted, Verdict, render,
};
use rewardanything_engine::LocalModel;
use rewardanything_train::align::{self, AlignRecipe, Judges, Referee};
use rewardanything_train::grpo::trainer::{Finished, Span};
use rewardanything_train::watch::RunNote;
use rewardanything_train::{TrainError, sft};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RECIPE: &str = r#"
seed = 5
policy = "MODEL"
principle = "The fewer characters, the better."
prompts = "prompts.jsonl"
output = "OUT"
[rollout]
group = 6
cases = 8
max_new_tokens = 6
[loss]
beta = 0.0
[optim]
lr = 1e-2
warmup = 2
weight_decay = 0.0
[run]
steps = 24
checkpoint_every = 8
samples_every = 8
threads = 2
compute = "exact"
[held_out]
prompts = 8
every = 8
[watch]
measures = ["words"]
"#;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A judge that scores every response by its text alone, shows what it thinks of all scores, and writes nothing of use
/// where `score` has none.
fn judge(score: impl Fn(&str) -> Option<f64> + Send + Sync + 'static) -> Judges {
    let model = Scripted::from_fn(move |job| {
        let text = &job.messages.last().unwrap().content;
        let shown: Value = serde_json::from_str(text).map_err(|e| GenerateError::Backend(e.to_string()))?;
        let shown = shown["responses"].as_object().unwrap();
        let scores: Option<Vec<f64>> = shown.values().map(|text| score(text.as_str().unwrap())).collect();
        let text = scores.map_or("Nothing comes to mind.".to_owned(), |scores| {
            let order: Vec<usize> = (0..scores.len()).collect();
            let verdict = Verdict::from_scores("So it is.", &scores, &order).unwrap();
            render(&verdict, &Mask::identity(scores.len()))
        });
        Ok(Completion {
            text,
            prompt_tokens: 1,
            completion_tokens: 1,
            finish: FinishReason::Stop,
            distributions: Vec::new(),
        })
    });
    Judges {
        judge: referee(model),
        second: None,
    }
}

fn referee(model: Scripted) -> Referee {
    Referee {
        model: Arc::new(model) as Arc<dyn Generate>,
        profile: Profile::rewardanything(),
        repeats: Repeats::ONCE,
    }
}

/// 5 for no character, and 1 from 16 on.
fn short(text: &str) -> Option<f64> {
    Some(5.0 - (text.chars().count() as f64 / 4.0).min(4.0))
}

fn recipe(folder: &Path, changes: &[(&str, &str)]) -> AlignRecipe {
    let prompts: String = (0..40)
        .map(|i| format!("{{\"prompt\": \"Say {i}.\"}}\n"))
        .collect();
    fs::write(folder.join("prompts.jsonl"), prompts).unwrap();
    let mut text = RECIPE.replace("MODEL", &root("fixtures/tiny-tied").to_string_lossy());
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    toml::from_str(&text).unwrap()
}

fn run(folder: &Path, changes: &[(&str, &str)], judges: &Judges, span: Span) -> Result<Finished, TrainError> {
    align::run(&recipe(folder, changes), folder, judges, span)
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

#[test]
fn a_policy_finds_what_a_judge_likes_best() {
    let folder = tempfile::tempdir().unwrap();
    let finished = run(folder.path(), &[], &judge(short), Span::default()).unwrap();
    let metrics = lines(&finished.folder, "metrics.jsonl");
    let seconds = &metrics[0]["seconds"];
    assert!(
        0.0 < number(seconds, "grading") && number(seconds, "grading") < number(seconds, "rollout"),
        "the judge's time is a part of sampling's: {seconds}"
    );
    let (first, last) = (&metrics[0], &metrics[metrics.len() - 1]);
    assert!(number(first, "reward") < 0.6, "{first}");
    assert!(number(last, "reward") > 0.9, "the shortest reply earns 1: {last}");
    // What is watched goes along, and the start's replies to held-out prompts are there to compare with.
    assert!(
        number(&last["parts"], "words") < 0.5 * number(&first["parts"], "words"),
        "{last}"
    );
    assert_eq!(number(&first["start"], "win_rate"), 0.5, "{first}");
    assert!(number(&last["validation"], "win_rate") > 0.8, "{last}");
    assert_eq!(lines(&finished.folder, "start.jsonl").len(), 8);
    // It grew shorter than any bound allows, and that is said.
    assert!(number(&last["alarms"], "length_ratio") < 0.25, "{last}");
    assert!(
        finished
            .alarms
            .iter()
            .any(|(_, alarm)| alarm.name == "length_ratio")
    );
    assert_eq!(RunNote::read(&finished.folder).unwrap().kind, "align");
    LocalModel::from_folder(&finished.folder.join("best"), &Default::default()).unwrap();
}

/// A second judge of the opposite taste is heard on held-out prompts alone, and its dissent is an alarm.
#[test]
fn a_second_judge_watches_and_is_never_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let mut judges = judge(short);
    judges.second = Some(judge(|text| short(text).map(|score| 6.0 - score)).judge);
    let finished = run(folder.path(), &[], &judges, Span::default()).unwrap();
    let metrics = lines(&finished.folder, "metrics.jsonl");
    let last = &metrics[metrics.len() - 1];
    let (first, second) = (
        number(&last["validation"], "win_rate"),
        number(&last["validation"], "second_win_rate"),
    );
    assert!(first > 0.8 && second < 0.2, "{first} {second}");
    assert!(number(&last["alarms"], "disagreement") > 0.2, "{last}");
    // Whether it watches or not, the same is learned.
    let alone = run(folder.path(), &[("OUT", "alone")], &judge(short), Span::default()).unwrap();
    let bytes = |run: &Finished| fs::read(run.folder.join("model.safetensors")).unwrap();
    assert!(
        bytes(&finished) == bytes(&alone),
        "the second judge changed what was learned"
    );
}

/// Of each group, the best against the worst: fewer replies are learned from, and the same is found.
#[test]
fn preferences_lead_there_too() {
    let folder = tempfile::tempdir().unwrap();
    let changes = [
        ("[loss]\nbeta = 0.0", "[dpo]\nbeta = 0.2"),
        ("lr = 1e-2", "lr = 5e-3"),
    ];
    let finished = run(folder.path(), &changes, &judge(short), Span::default()).unwrap();
    let metrics = lines(&finished.folder, "metrics.jsonl");
    let (first, last) = (&metrics[0], &metrics[metrics.len() - 1]);
    assert!(
        number(last, "reward") > number(first, "reward") + 0.25,
        "{first} {last}"
    );
    assert_eq!(number(&first["dpo"], "pairs"), 8.0);
    let start = number(first, "loss");
    assert!(
        (start - 2f64.ln()).abs() < 1e-3,
        "nothing is preferred at the start: {start}"
    );
    let margins: f64 = metrics[8..16]
        .iter()
        .map(|line| number(&line["dpo"], "margin"))
        .sum();
    assert!(margins > 0.0, "{margins}");
    // In several updates a step, pairs stay together.
    let changes = [
        &changes[..],
        &[
            ("OUT", "parts"),
            ("[run]", "[run]\nepochs = 2\nmini_batches = 3\naccumulation = 2"),
        ],
    ]
    .concat();
    let parts = run(folder.path(), &changes, &judge(short), Span::default()).unwrap();
    let parts = lines(&parts.folder, "metrics.jsonl");
    assert_eq!(
        (number(&parts[0], "updates"), number(&parts[0]["dpo"], "pairs")),
        (6.0, 8.0)
    );
    assert!(
        number(&parts[0]["dpo"], "margin") > 0.0,
        "later updates of a step see what earlier ones did: {}",
        parts[0]
    );
    assert!(
        number(&parts[23], "reward") > number(first, "reward") + 0.25,
        "{}",
        parts[23]
    );
}

#[test]
fn a_resumed_alignment_is_the_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let changes = |out: &'static str| {
        [
            ("OUT", out),
            (
                "steps = 24\ncheckpoint_every = 8\nsamples_every = 8",
                "steps = 4\ncheckpoint_every = 1\nsamples_every = 1",
            ),
            ("every = 8\n[watch]", "every = 2\n[watch]"),
        ]
    };
    let span = |resume, until| Span { resume, until };
    let judges = judge(short);
    let whole = run(folder.path(), &changes("whole"), &judges, span(false, None)).unwrap();
    run(folder.path(), &changes("part"), &judges, span(false, Some(1))).unwrap();
    run(folder.path(), &changes("part"), &judges, span(true, Some(3))).unwrap();
    let part = run(folder.path(), &changes("part"), &judges, span(true, None)).unwrap();
    for file in [
        "checkpoint.safetensors",
        "model.safetensors",
        "best/model.safetensors",
        "samples.jsonl",
        "start.jsonl",
    ] {
        let bytes = |run: &Finished| fs::read(run.folder.join(file)).unwrap();
        assert!(bytes(&whole) == bytes(&part), "{file} differs");
    }
    let metrics = |run: &Finished| -> Vec<Value> {
        let mut lines = lines(&run.folder, "metrics.jsonl");
        for line in &mut lines {
            for key in [
                "seconds",
                "rollout_tokens_per_second",
                "training_tokens_per_second",
            ] {
                line.as_object_mut().unwrap().remove(key).unwrap();
            }
        }
        lines
    };
    assert_eq!(metrics(&whole), metrics(&part));
    let other = [&changes("part")[..], &[("The fewer", "The more")]].concat();
    let refused = run(folder.path(), &other, &judges, span(true, None))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("began with the principle"), "{refused}");
}

#[test]
fn a_group_without_a_verdict_is_counted_and_earns_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Every verdict there is gives 5, so a zero in their place would be seen in the mean.
    let some = judge(|text| (text.len() % 5 != 0).then_some(5.0));
    let changes = [
        ("OUT", "some"),
        ("steps = 24", "steps = 1"),
        ("group = 6", "group = 2"),
    ];
    let finished = run(folder.path(), &changes, &some, Span::default()).unwrap();
    let line = &lines(&finished.folder, "metrics.jsonl")[0];
    let (failed, judged) = (number(line, "ungraded_groups"), number(line, "groups"));
    assert!(failed > 0.0 && judged > 0.0 && failed + judged == 8.0, "{line}");
    assert_eq!(number(line, "reward"), 1.0, "{line}");
    assert!(
        line["ungraded"]
            .as_object()
            .is_some_and(|kinds| !kinds.is_empty()),
        "{line}"
    );
    assert!(number(&line["alarms"], "ungraded") > 0.1, "{line}");

    let none = judge(|_| None);
    let error = run(folder.path(), &[("OUT", "none")], &none, Span::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("step 0: the judge gave no verdict on any of 8 groups"),
        "{error}"
    );
}

#[test]
fn a_plain_language_model_reads_the_prompt_and_a_line_break() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(root("fixtures/tiny-tied").join(file), plain.join(file)).unwrap();
    }
    fs::write(
        plain.join("tokenizer_config.json"),
        r#"{"eos_token": "<|im_end|>"}"#,
    )
    .unwrap();
    let aligned = |out: &str, template: &str| {
        let mut recipe = recipe(folder.path(), &[("OUT", out), ("steps = 24", "steps = 1")]);
        recipe.policy = plain.clone();
        recipe.template = (!template.is_empty()).then(|| template.to_owned());
        let finished = align::run(&recipe, folder.path(), &judge(short), Span::default())?;
        let model = LocalModel::from_folder(&finished.folder, &Default::default())?;
        let message = rewardanything_core::Message {
            role: rewardanything_core::Role::User,
            content: "Say \"7\".".to_owned(),
        };
        Ok::<_, TrainError>(model.chat().template().render(&[message], true, false)?)
    };
    assert_eq!(aligned("a", "").unwrap(), "Say \"7\".\n");
    assert_eq!(aligned("b", "Q: {prompt}\nA:").unwrap(), "Q: Say \"7\".\nA:");
    let error = aligned("c", "no place").unwrap_err().to_string();
    assert!(error.contains("model.template"), "{error}");
}

#[test]
fn what_cannot_be_is_said_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let check = |from: &str, to: &str, expect: &str| {
        let error = run(folder.path(), &[(from, to)], &judge(short), Span::default());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expect), "expected {expect:?} in {error:?}");
    };
    let model = root("fixtures/tiny-tied");
    check(
        &model.to_string_lossy(),
        "nowhere",
        "nowhere: is no model: expected a folder",
    );
    check(
        "group = 6",
        "group = 65",
        "rollout.group: the judge's profile rewardanything takes at most 64",
    );
    check(
        "\"words\"",
        "\"wisdom\"",
        "watch.measures: no quality is called \"wisdom\"",
    );
    check(
        "[held_out]",
        "[held_out]\nstop_by = \"luck\"",
        "held_out.stop_by: expected",
    );
    check("steps = 24", "steps = 0", "run.steps: expected at least 1");
    check(
        "[loss]",
        "[dpo]\nbeta = 0.0\n[loss]",
        "dpo.beta: expected more than 0",
    );
    check(
        "The fewer characters, the better.",
        " ",
        "principle: expected something",
    );
    check(
        "[held_out]",
        "[held_out]\nstop_by = \"watch-judge\"",
        "there is no second judge",
    );
}

/// A language model is made of plain text, and is a policy at once.
#[test]
fn plain_text_makes_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let record = |i: usize| {
        format!(
            "{{\"id\": \"t/{i}\", \"prompt\": \"Thing {i}?\", \"responses\": [{{\"text\": \"The thing number {i} is \
             red and round. It rolls down the hill. Nobody knows where it went after that day.\"}}]}}\n"
        )
    };
    fs::write(
        folder.path().join("text.jsonl"),
        (0..60).map(record).collect::<String>(),
    )
    .unwrap();
    let text = r#"
seed = 3
output = "policy"
[text]
files = ["text.jsonl"]
form = "continuations"
part = "train"
max_words = 30
[model.scratch]
architectures = ["Qwen3ForCausalLM"]
model_type = "qwen3"
vocab_size = 700
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 1
head_dim = 16
max_position_embeddings = 256
rms_norm_eps = 1e-6
rope_theta = 10000.0
tie_word_embeddings = true
[optim]
lr = 5e-3
warmup = 4
[run]
steps = 30
batch_tokens = 600
max_tokens = 200
checkpoint_every = 10
threads = 2
"#;
    fs::write(folder.path().join("policy.toml"), text).unwrap();
    let finished = sft::run(&folder.path().join("policy.toml"), false).unwrap();
    let metrics = lines(&finished.folder, "metrics.jsonl");
    assert!(
        finished.loss < 0.6 * number(&metrics[0], "loss"),
        "{}",
        finished.loss
    );
    assert!(!finished.folder.join("judge.toml").exists(), "it is no judge");
    let model = LocalModel::from_folder(&finished.folder, &Default::default()).unwrap();
    let pairs = rewardanything_train::texts::read(
        &toml::from_str("files = [\"text.jsonl\"]\nform = \"continuations\"\nmax_words = 30").unwrap(),
        folder.path(),
    )
    .unwrap();
    let loss = align::text_loss(&model, false, &pairs).unwrap();
    assert!(
        (loss - finished.loss).abs() < 0.7,
        "{loss} against {}",
        finished.loss
    );
}
