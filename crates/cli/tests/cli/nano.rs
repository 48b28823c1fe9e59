//! The model inside the program judges, from the command line and from a file.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{Scratch, parse, program, run, timeless};
use serde_json::{Value, json};

const REQUEST: [&str; 9] = [
    "judge",
    "--principle",
    "The shorter the answer, the better.",
    "--prompt",
    "What is the capital of France?",
    "--response",
    "brief=Paris.",
    "--response",
    "long=The capital of France, a large country in the west of Europe, is the old and famous city of Paris.",
];

fn item(index: usize) -> Value {
    let filler = "and one more thing ".repeat(index % 4);
    json!({
        "id": format!("item-{index}"),
        "principle": if index.is_multiple_of(2) { "Prefer shorter responses." } else { "Prefer longer responses." },
        "prompt": format!("Say something about the number {index}."),
        "responses": {
            "a": format!("It is {index}."),
            "b": format!("It is {index}, {filler}and that is all there is to say about it."),
            "c": format!("The number {index} follows {}.", index as i64 - 1),
        },
    })
}

fn items(count: usize) -> String {
    (0..count).map(|index| item(index).to_string() + "\n").collect()
}

/// A verdict holds every response once, scored on the scale, the ranking in the order of the scores.
#[track_caller]
fn assert_verdict(record: &Value, names: &[&str]) {
    assert_eq!(record["error"], Value::Null, "{record}");
    let scores = record["scores"].as_object().expect("scores");
    assert_eq!(
        scores.keys().map(String::as_str).collect::<Vec<_>>(),
        names,
        "in the order of the item"
    );
    let ranking: Vec<&str> = record["ranking"]
        .as_array()
        .expect("a ranking")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mut sorted = ranking.clone();
    sorted.sort_unstable();
    let mut expect = names.to_vec();
    expect.sort_unstable();
    assert_eq!(sorted, expect);
    let ranked: Vec<f64> = ranking
        .iter()
        .map(|name| scores[*name].as_f64().expect("a number"))
        .collect();
    assert!(ranked.iter().all(|score| (1.0..=5.0).contains(score)), "{record}");
    assert!(ranked.is_sorted_by(|better, worse| better >= worse), "{record}");
    assert_eq!(record["model"], "nano");
    assert!(record["usage"]["prompt_tokens"].as_u64() > Some(0));
    assert!(record["usage"]["completion_tokens"].as_u64() > Some(0));
}

#[test]
fn one_request_is_a_record_or_a_table() {
    let json = run(&[&REQUEST[..], &["--json"]].concat()).expect(0).json();
    assert_eq!(json.len(), 1);
    assert_verdict(&json[0], &["brief", "long"]);
    assert!(
        json[0]["reasoning"].as_str().is_some_and(|text| !text.is_empty()),
        "nano reasons: {}",
        json[0]
    );
    assert!(
        !json[0]["reasoning"].to_string().contains("model-1"),
        "labels became names: {}",
        json[0]
    );

    let shown = run(&REQUEST).expect(0).stdout;
    let best = json[0]["ranking"][0].as_str().expect("a name");
    let first = shown
        .lines()
        .find(|line| line.trim_start().starts_with("1 "))
        .expect("a first rank");
    assert!(first.contains(best) && first.contains('█'), "{shown}");
    assert!(shown.contains("nano · "), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn the_shorter_answer_wins_where_it_is_asked_for() {
    let record = run(&[&REQUEST[..], &["--json"]].concat())
        .expect(0)
        .json()
        .remove(0);
    assert_eq!(record["ranking"], json!(["brief", "long"]), "{record}");
}

#[test]
fn texts_come_from_files_too() {
    let scratch = Scratch::new();
    let brief = format!("brief=@{}", scratch.write("brief.txt", "Paris."));
    let principle = format!(
        "@{}",
        scratch.write("principle.txt", "The shorter the answer, the better.")
    );
    let mut args = [&REQUEST[..], &["--json"]].concat();
    let typed = run(&args).expect(0).stdout;
    (args[2], args[6]) = (&principle, &brief);
    let read = run(&args).expect(0).stdout;
    assert_eq!(timeless(&read), timeless(&typed));
}

#[test]
fn a_file_is_judged_in_its_order_and_alike_however_it_is_cut() {
    let scratch = Scratch::new();
    let input = scratch.write("items.jsonl", items(20));
    let judge = |name: &str, more: &[&str]| {
        let output = scratch.path(name);
        let mut args = vec!["judge", "--input", &input, "--output", &output];
        args.extend(more);
        run(&args)
    };
    judge("whole.jsonl", &[]).expect(0);
    let whole = scratch.read("whole.jsonl");
    let records = parse(&whole);
    assert_eq!(records.len(), 20);
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record["id"], format!("item-{index}"));
        assert_verdict(record, &["a", "b", "c"]);
    }

    judge("single.jsonl", &["--batch", "1"]).expect(0);
    assert_eq!(
        timeless(&scratch.read("single.jsonl")),
        timeless(&whole),
        "one by one as in batches"
    );

    let at = whole.match_indices('\n').nth(6).expect("seven lines").0;
    scratch.write("cut.jsonl", &whole[..at + 30]);
    judge("cut.jsonl", &["--resume"]).expect(0);
    assert_eq!(
        timeless(&scratch.read("cut.jsonl")),
        timeless(&whole),
        "taken up as if never stopped"
    );
}

#[test]
fn a_killed_run_loses_nothing() {
    let scratch = Scratch::new();
    let input = scratch.write("items.jsonl", items(40));
    let output = scratch.path("verdicts.jsonl");
    let args = ["judge", "--input", &input, "--output", &output, "--batch", "2"];
    let mut child = program(&args)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let lines = || std::fs::read_to_string(&output).map_or(0, |text| text.lines().count());
    let start = Instant::now();
    while lines() < 4 && start.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let before = scratch.read("verdicts.jsonl");
    run(&[&args[..], &["--resume"]].concat()).expect(0);
    let after = scratch.read("verdicts.jsonl");
    assert!(after.starts_with(&before[..before.rfind('\n').map_or(0, |at| at + 1)]));
    let ids: Vec<Value> = parse(&after).iter().map(|record| record["id"].clone()).collect();
    assert_eq!(
        ids,
        (0..40)
            .map(|index| json!(format!("item-{index}")))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_seed_repeats_itself() {
    let scratch = Scratch::new();
    let input = scratch.write("items.jsonl", items(6));
    let judge = |name: &str| {
        let output = scratch.path(name);
        run(&["judge", "--input", &input, "--output", &output, "--seed", "1"]).expect(0);
        timeless(&scratch.read(name))
    };
    assert_eq!(judge("first.jsonl"), judge("again.jsonl"));
}

#[test]
fn nano_is_described() {
    let shown = run(&["model", "info", "nano"]).expect(0).stdout;
    assert!(
        shown.contains("nano") && shown.contains("Qwen3ForCausalLM"),
        "{shown}"
    );
}

#[test]
fn a_reply_in_form_tells_how_sure_each_score_is() {
    let record = |flags: &[&str]| {
        let args = [&REQUEST[..], &["--json"], flags].concat();
        run(&args).expect(0).json().remove(0)
    };
    for flags in [&[][..], &["--thinking", "off"]] {
        let record = record(flags);
        for name in ["brief", "long"] {
            let (score, soft) = (record["scores"][name].as_f64(), &record["soft"][name]);
            let (mean, entropy) = (soft["mean"].as_f64(), soft["entropy"].as_f64());
            assert!(score.is_some_and(|score| score.fract() == 0.0), "{record}");
            assert!(mean.is_some_and(|mean| (1.0..=5.0).contains(&mean)), "{record}");
            assert!(
                entropy.is_some_and(|entropy| (0.0..1.61).contains(&entropy)),
                "{record}"
            );
        }
        assert_eq!(record["reasoning"] == "", !flags.is_empty(), "{record}");
    }
    let free = record(&["--decoding", "free"]);
    assert!(
        free.get("soft").is_none() && free["scores"]["brief"] == 5,
        "{free}"
    );
}

#[test]
fn several_orders_and_samples_give_one_verdict() {
    let record = |flags: &[&str]| {
        let args = [&REQUEST[..], &["--json"], flags].concat();
        run(&args).expect(0).json().remove(0)
    };
    let once = record(&[]);
    let both = record(&["--permutations", "all"]);
    assert!(once.get("votes").is_none(), "{once}");
    assert_eq!(
        (&both["votes"]["asked"], &both["votes"]["answered"]),
        (&2.into(), &2.into())
    );
    assert_eq!(both["votes"]["agreement"], 1.0, "{both}");
    assert_eq!(both["ranking"], once["ranking"]);
    let read = |record: &serde_json::Value| record["usage"]["prompt_tokens"].as_u64();
    // What was read of the responses, both orders share.
    let (one, two) = (read(&once).unwrap(), read(&both).unwrap());
    assert!(one < two && two < 2 * one, "{both}");
    let sampled = record(&["--samples", "3", "--temperature", "0.7"]);
    assert_eq!(sampled["votes"]["asked"], 3, "{sampled}");
    let args = [&REQUEST[..], &["--permutations", "2"]].concat();
    let shown = run(&args).expect(0).stdout;
    assert!(
        shown.contains("2 of 2 runs, agreement 100%, confidence 100%"),
        "{shown}"
    );
    let args = [&REQUEST[..], &["--samples", "3"]].concat();
    assert!(run(&args).expect(2).stderr.contains("--temperature"));
}
