//! `data build`, `data decontaminate` and `data agreement` as a user meets them.

use std::fs;

use crate::common::{Scratch, parse, root, run, timeless};
use serde_json::{Value, json};

/// Prompts with answers of several lengths.
fn responses(count: usize) -> String {
    (0..count)
        .map(|prompt| {
            let texts: Vec<Value> = (0..4)
                .map(|author| {
                    let text = format!("Well {prompt}. {}", "It is so, perhaps. ".repeat(author * 2));
                    json!({"text": text.trim(), "model": format!("author-{author}")})
                })
                .collect();
            let domain = if prompt % 2 == 0 { "chat" } else { "code" };
            json!({"prompt": format!("Question number {prompt}?"), "domain": domain, "responses": texts})
                .to_string()
                + "\n"
        })
        .collect()
}

#[test]
fn a_build_goes_on_where_it_was_and_leaves_every_stage() {
    let scratch = Scratch::new();
    let answers = scratch.write("answers.jsonl", responses(8));
    let benchmark = scratch.write(
        "benchmark.jsonl",
        r#"{"id": 1, "prompt": "Question number 3?", "chosen": "a", "rejected": "b", "subset": "hep-go"}"#,
    );
    let output = scratch.path("build");
    let same = root().join("models/nano").to_string_lossy().into_owned();
    let build = |more: &[&str]| {
        let mut args = vec!["data", "build", "--responses", &answers, "--output", &output];
        args.extend([
            "--draft",
            "12",
            "--per-item",
            "3",
            "--judge",
            "nano",
            "--judge",
            &same,
            "--seed",
            "3",
        ]);
        args.extend(more);
        run(&args)
    };
    build(&["--until", "drafts"]).expect(0);
    let drafts = scratch.read("build/drafts.jsonl");
    assert_eq!(parse(&drafts).len(), 12);
    assert!(!scratch.names().contains(&"verdicts".to_owned()));
    build(&["--until", "verdicts"]).expect(0);
    let verdicts = scratch.read("build/verdicts/nano.jsonl");
    assert_eq!(parse(&verdicts).len(), 12);

    let whole = build(&[
        "--against",
        &benchmark,
        "--agree",
        "0",
        "--keep",
        "4",
        "--validate",
        "3",
    ])
    .expect(0);
    assert_eq!(scratch.read("build/drafts.jsonl"), drafts, "not drafted again");
    assert_eq!(
        scratch.read("build/verdicts/nano.jsonl"),
        verdicts,
        "not judged again"
    );
    // Two judges that are one agree throughout, where there is an order to agree on.
    let consensus = parse(&scratch.read("build/consensus.jsonl"));
    assert_eq!(consensus.len(), 12);
    for item in &consensus {
        // Of scores that are all tied, nobody can agree with an order.
        let agreeing = item["agreement"]["agreeing"].as_u64().expect("a count");
        assert!(agreeing == 2 || agreeing == 0, "{item}");
    }
    // People see the texts of three pairs, and nowhere what is preferred.
    let page = scratch.read("build/validation.html");
    assert_eq!(page.matches("\"principle\":").count(), 3);
    assert!(!page.contains("is_better") && !page.contains("author-"));
    let removed = scratch.read("build/removed.jsonl");
    let items = parse(&scratch.read("build/items.jsonl"));
    assert!(
        removed.contains("run of words") || !drafts.contains("number 3?"),
        "{removed}"
    );
    assert!(items.iter().all(|item| item["prompt"] != "Question number 3?"));
    assert!(items.len() <= 4 && !items.is_empty(), "{}", whole.stdout);
    assert!(
        whole.stdout.contains("| judges that must agree | items |"),
        "{}",
        whole.stdout
    );
    // What was built is what the other commands read.
    let run_folder = scratch.path("run");
    let items = scratch.path("build/items.jsonl");
    let args = [
        "bench",
        "rabench",
        "--data",
        &items,
        "--output",
        &run_folder,
        // In the orders in which it judged before.
        "--seed",
        "3",
    ];
    run(&args).expect(0);
    let report: Value = serde_json::from_str(&scratch.read("run/report.json")).expect("a report");
    assert_eq!(
        report["runs"][0]["figures"][0]["value"], 1.0,
        "its own judge is right throughout"
    );

    let other = build(&["--per-prompt", "2"]).expect(2);
    assert!(
        other.stderr.contains("per_prompt was 4 and would be 2"),
        "{}",
        other.stderr
    );
    // Cut and taken up again, or not: the same.
    let at_once = scratch.path("at-once");
    let mut args = vec!["data", "build", "--responses", &answers, "--output", &at_once];
    args.extend([
        "--draft",
        "12",
        "--per-item",
        "3",
        "--judge",
        "nano",
        "--judge",
        &same,
        "--seed",
        "3",
    ]);
    args.extend([
        "--against",
        &benchmark,
        "--agree",
        "0",
        "--keep",
        "4",
        "--validate",
        "3",
    ]);
    run(&args).expect(0);
    assert_eq!(
        scratch.read("at-once/items.jsonl"),
        scratch.read("build/items.jsonl")
    );
    assert_eq!(
        timeless(&scratch.read("at-once/verdicts/nano.jsonl")),
        timeless(&verdicts)
    );
}

#[test]
fn responses_are_sampled_once() {
    let scratch = Scratch::new();
    let prompts = scratch.write(
        "prompts.jsonl",
        "{\"prompt\": \"Say something.\"}\n{\"prompt\": \"Say more.\"}\n",
    );
    let output = scratch.path("build");
    let args = [
        "data",
        "build",
        "--responses",
        &prompts,
        "--sample-from",
        "nano",
        "--max-new-tokens",
        "12",
        "--until",
        "sampled",
        "--output",
        &output,
    ];
    run(&args).expect(0);
    let sampled = scratch.read("build/sampled/nano.jsonl");
    assert_eq!(parse(&sampled).len(), 2);
    // A torn line is sampled again, and comes out as it was.
    fs::write(
        scratch.path("build/sampled/nano.jsonl"),
        &sampled[..sampled.len() - 9],
    )
    .expect("it can be written");
    run(&args).expect(0);
    assert_eq!(scratch.read("build/sampled/nano.jsonl"), sampled);
}

#[test]
fn benchmark_texts_are_taken_out() {
    let scratch = Scratch::new();
    let items = scratch.write("items.jsonl", responses(4));
    let jb = root()
        .join("fixtures/layouts/judgebench.jsonl")
        .to_string_lossy()
        .into_owned();
    let (kept, removed) = (scratch.path("kept.jsonl"), scratch.path("removed.jsonl"));
    let own = scratch.write("own.jsonl", "{\"prompt\": \"question NUMBER 2\"}\n");
    run(&[
        "data",
        "decontaminate",
        &items,
        "--against",
        &jb,
        &own,
        "--output",
        &kept,
        "--removed",
        &removed,
    ])
    .expect(0);
    assert_eq!(parse(&scratch.read("kept.jsonl")).len(), 3);
    let removed = parse(&scratch.read("removed.jsonl"));
    assert_eq!(
        (&removed[0]["line"], &removed[0]["why"]["line"]),
        (&json!(3), &json!(1))
    );
}

#[test]
fn people_and_gold_are_compared() {
    let scratch = Scratch::new();
    let key = scratch.write("key.csv", "id,preferred\nx,a\ny,b\nz,a\nw,b\n");
    let first = scratch.write(
        "first.csv",
        "id,principle,preferred\nx,p,a\ny,p,b\nz,p,b\nw,p,b\n",
    );
    let second = scratch.write("second.csv", "id;preferred\nx;A\ny;b\nz;tie\nw;\n");
    let found = run(&["data", "agreement", "--key", &key, &first, &second, "--json"])
        .expect(0)
        .json()
        .remove(0);
    let pairs = found["pairs"].as_array().expect("pairs");
    assert_eq!(pairs.len(), 3);
    assert_eq!(
        (&pairs[0]["agreement"], &pairs[0]["kappa"]),
        (&json!(0.75), &json!(0.5))
    );
    // By scikit-learn and the krippendorff package.
    for (pair, agreement, kappa) in [(1, 2.0 / 3.0, 0.5), (2, 2.0 / 3.0, 0.5)] {
        let close = |key: &str, expect: f64| {
            let found = pairs[pair][key].as_f64().expect("a number");
            assert!((found - expect).abs() < 1e-12, "{key} {pair}: {found}");
        };
        close("agreement", agreement);
        close("kappa", kappa);
    }
    let alpha = found["alpha"].as_f64().expect("a number");
    assert!((alpha - 0.545_454_545_454_545_4).abs() < 1e-12, "{alpha}");
    assert_eq!(found["ratings"], 7);
    // What the page gives, and ids that a table has to mark.
    let key = scratch.write("marked-key.csv", "id,preferred\n'-1,a\n=2,b\n");
    let page = scratch.write(
        "page.json",
        r#"{"set": "s", "rater": null, "ratings": [{"id": "-1", "preferred": "a"}, {"id": "=2", "preferred": null}]}"#,
    );
    let marked = run(&["data", "agreement", "--key", &key, &page, "--json"])
        .expect(0)
        .json();
    assert_eq!(
        (&marked[0]["pairs"][0]["agreement"], &marked[0]["ratings"]),
        (&json!(1.0), &json!(1))
    );
    let stranger = scratch.write("stranger.csv", "id,preferred\nv,a\n");
    assert!(
        run(&["data", "agreement", "--key", &key, &stranger])
            .expect(2)
            .stderr
            .contains("not in the key")
    );
    let wrong = scratch.write("wrong.csv", "id,preferred\nx,left\n");
    assert!(
        run(&["data", "agreement", "--key", &key, &wrong])
            .expect(2)
            .stderr
            .contains("row 2")
    );
}
