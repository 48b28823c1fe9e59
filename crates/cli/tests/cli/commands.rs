//! The other commands as a user meets them, and arguments that cannot be used.

use std::io::Write as _;

use crate::common::{Scratch, parse, root, run};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

#[test]
fn unusable_arguments_are_exit_code_two() {
    let model = root().join("fixtures/tiny-tied");
    let model = model.to_str().expect("UTF-8");
    let request = |more: &[&str]| {
        let mut args = vec!["judge", "--model", model];
        args.extend(more);
        run(&args).expect(2).stderr
    };
    let check = |more: &[&str], expect: &str| {
        let stderr = request(more);
        assert!(stderr.contains(expect), "{more:?}: {stderr}");
    };
    check(&[], "--principle");
    check(&["--principle", "p", "--prompt", "q"], "--response");
    check(
        &["--principle", "p", "--prompt", "q", "--response", "a"],
        "NAME=TEXT",
    );
    check(
        &["--principle", " ", "--prompt", "q", "--response", "a=x"],
        "principle",
    );
    check(
        &["--principle", "p", "--prompt", "", "--response", "a=x"],
        "prompt",
    );
    check(&["--principle", "p", "--prompt", "q", "--response", "=x"], "name");
    check(
        &[
            "--principle",
            "p",
            "--prompt",
            "q",
            "--response",
            "a=x",
            "--response",
            "a=y",
        ],
        "a",
    );
    check(
        &[
            "--principle",
            "@/no/such/file",
            "--prompt",
            "q",
            "--response",
            "a=x",
        ],
        "cannot read /no/such/file",
    );
    let good = ["--principle", "p", "--prompt", "q", "--response", "a=x"];
    check(
        &[&good[..], &["--profile", "published"]].concat(),
        "--system-prompt-file",
    );
    check(
        &[&good[..], &["--profile", "unheard-of"]].concat(),
        "no profile is called",
    );
    check(
        &[&good[..], &["--model", "nowhere"]].concat(),
        "cannot be used multiple times",
    );
    assert!(run(&["judge", "--help"]).expect(0).stdout.contains("Examples:"));
}

#[test]
fn principles_are_listed_and_shown() {
    let all = run(&["principle", "list", "--json"]).expect(0).json();
    assert_eq!(all.len(), 200);
    let style = run(&["principle", "list", "--category", "style", "--json"])
        .expect(0)
        .json();
    assert!(!style.is_empty() && style.len() < all.len());
    for principle in &style {
        assert_eq!(principle["category"], "style");
        let id = principle["id"].as_str().expect("an id");
        let shown = run(&["principle", "show", id, "--json"]).expect(0).json();
        assert_eq!(&shown[0], principle);
    }
    let listed = run(&["principle", "list"]).expect(0).stdout;
    assert!(
        listed.contains(style[0]["id"].as_str().expect("an id")),
        "{listed}"
    );
    assert!(!listed.contains('\u{1b}'), "no colours in a pipe");
    assert!(
        run(&["principle", "list", "--category", "taste"])
            .expect(2)
            .stderr
            .contains("content, structure")
    );
    assert!(
        run(&["principle", "show", "none"])
            .expect(2)
            .stderr
            .contains("no principle is called")
    );
}

#[test]
fn a_model_is_described() {
    let folder = root().join("fixtures/tiny-tied");
    let shown = run(&["model", "info", folder.to_str().expect("UTF-8")])
        .expect(0)
        .stdout;
    for expect in ["tiny-tied", "Qwen3ForCausalLM", "160 tokens", "output tied"] {
        assert!(shown.contains(expect), "{shown}");
    }
    assert!(
        run(&["model", "info", "nowhere"])
            .expect(2)
            .stderr
            .contains("no model is called")
    );
}

#[test]
fn a_folder_becomes_one_file_that_judges() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let file = scratch.path().join("small.gguf");
    let file = file.to_str().expect("UTF-8");
    let told = run(&["model", "convert", "nano", file]).expect(0).stderr;
    assert!(told.contains("small.gguf: "), "{told}");
    let shown = run(&["model", "info", file, "--json"]).expect(0).stdout;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(
        (&shown["name"], &shown["profile"]),
        (&json!("small"), &json!("nano"))
    );
    assert!(shown["weights"]["Q8_0"].as_u64() > Some(20), "{shown}");
    let judged = |model: &str| {
        let words = ["a=One two three four five six.", "b=One."];
        let mut arguments = vec!["judge", "--model", model, "--json"];
        arguments.extend([
            "--principle",
            "The shorter the answer, the better.",
            "--prompt",
            "Why?",
        ]);
        arguments.extend(words.iter().flat_map(|word| ["--response", word]));
        let record: Value = serde_json::from_str(&run(&arguments).expect(0).stdout).expect("JSON");
        record["ranking"].clone()
    };
    assert_eq!(judged(file), judged("nano"));
    let again = run(&["model", "convert", "nano", file]).expect(2).stderr;
    assert!(again.contains("exists already"), "{again}");
    assert_eq!(
        std::fs::read_dir(scratch.path()).expect("a folder").count(),
        1,
        "no leftovers"
    );
}

#[test]
fn a_recipe_that_is_not_there_is_named() {
    for trainer in ["sft", "grpl"] {
        let ran = run(&["train", trainer, "--config", "no-such-recipe.toml"]).expect(2);
        assert!(ran.stderr.contains("no-such-recipe.toml"), "{}", ran.stderr);
    }
}

/// Prompts with responses that differ in many ways.
fn responses() -> String {
    let openings = [
        "Yes.",
        "No, never!",
        "Why do you ask?",
        "Well, I think so.",
        "First, see (a); then, see (b).",
    ];
    (0..40)
        .map(|prompt| {
            let texts: Vec<Value> = (0..5)
                .map(|author| {
                    let opening = openings[(prompt + author) % openings.len()];
                    let text = format!(
                        "{opening} {}",
                        "It is a thing, perhaps, of note. ".repeat(author * 2)
                    );
                    json!({"text": text, "model": format!("author-{author}")})
                })
                .collect();
            json!({"id": prompt, "prompt": format!("Question {prompt}?"), "responses": texts}).to_string()
                + "\n"
        })
        .collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).expect("memory can be written");
    packed.finish().expect("memory can be written")
}

#[test]
fn items_are_built_and_scored() {
    let scratch = Scratch::new();
    let plain = scratch.write("answers.jsonl", responses());
    let packed = scratch.write("answers.jsonl.gz", gzip(&responses()));
    let build = |source: &str, name: &str, more: &[&str]| {
        let output = scratch.path(name);
        let mut args = vec![
            "data",
            "verifiable",
            "--responses",
            source,
            "--items",
            "20",
            "--output",
            &output,
        ];
        args.extend(more);
        run(&args).expect(0);
        scratch.read(name)
    };
    let items = build(&plain, "items.jsonl", &["--seed", "3"]);
    assert_eq!(
        build(&packed, "packed.jsonl", &["--seed", "3"]),
        items,
        "packed or not"
    );
    assert_ne!(
        build(&plain, "other.jsonl", &["--seed", "4"]),
        items,
        "the seed decides"
    );
    let blank = build(&plain, "blank.jsonl", &["--seed", "3", "--blank-principle"]);
    for (item, blank) in parse(&items).iter().zip(parse(&blank)) {
        let keys: Vec<&str> = item
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            [
                "id",
                "principle",
                "prompt",
                "responses",
                "gold",
                "measure",
                "direction",
                "difficulty"
            ]
        );
        assert_eq!(item["responses"].as_object().map(|texts| texts.len()), Some(4));
        assert_eq!(blank["principle"], "Judge the responses.");
        assert_eq!(blank["gold"], item["gold"]);
        assert_eq!(blank["difficulty"], item["difficulty"]);
    }
    let taken = run(&["data", "verifiable", "--responses", &plain, "--output", &plain]).expect(2);
    assert!(taken.stderr.contains("cannot create"), "{}", taken.stderr);

    // A judge that says what the gold says is right throughout; one that fails once is not.
    let perfect: Vec<Value> = parse(&items)
        .iter()
        .map(|item| {
            json!({"id": item["id"], "scores": item["gold"]["scores"], "ranking": item["gold"]["ranking"],
                "reasoning": "", "error": null, "repairs": [], "model": "oracle",
                "usage": {"prompt_tokens": 1, "completion_tokens": 1}, "seconds": 0.0})
        })
        .collect();
    let write = |name: &str, records: &[Value]| {
        scratch.write(
            name,
            records
                .iter()
                .map(|record| record.to_string() + "\n")
                .collect::<String>(),
        )
    };
    let items = scratch.path("items.jsonl");
    let score = |verdicts: &str, more: &[&str]| {
        let mut args = vec!["score", "--items", &items, "--verdicts", verdicts];
        args.extend(more);
        run(&args)
    };
    let verdicts = write("perfect.jsonl", &perfect);
    let report = score(&verdicts, &["--baselines", "--json"])
        .expect(0)
        .json()
        .remove(0);
    assert_eq!(report["judge"]["pairwise_accuracy"]["value"], 1.0);
    assert_eq!(report["judge"]["ndcg"]["value"], 1.0);
    assert_eq!(report["judge"]["unparsed"], 0);
    let value = |judge: &str| {
        report[judge]["pairwise_accuracy"]["value"]
            .as_f64()
            .expect("a figure")
    };
    assert!(
        (value("longest first") + value("shortest first") - 1.0).abs() < 1e-9,
        "one mirrors the other"
    );
    assert!(value("random") > 0.2 && value("random") < 0.8);

    let mut failing = perfect.clone();
    failing[0]["scores"] = json!({});
    failing[0]["error"] = json!({"kind": "parse", "message": "no"});
    let verdicts = write("failing.jsonl", &failing);
    let shown = score(&verdicts, &["--baselines"]).expect(0).stdout;
    assert!(
        shown.contains("1 without a verdict, counted as wrong (without them 100.0%)"),
        "{shown}"
    );
    assert!(shown.contains("shortest first"), "{shown}");

    let verdicts = write("short.jsonl", &perfect[1..]);
    assert!(score(&verdicts, &[]).expect(2).stderr.contains("has no record"));
}
