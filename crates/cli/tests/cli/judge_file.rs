//! `judge --input` as a user meets it, with a tiny model of random weights: its replies are no verdicts, so every
//! judged item fails, and everything around the judging shows.

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{Ran, Scratch, parse, program, root, run, timeless};
use serde_json::{Value, json};

/// A profile that leaves the tiny model room in its 160 tokens of context, and free to write no verdict.
const PROFILE: &str = "name = 'tiny'\nsystem = ''\ndecoding = 'free'\n[sampling]\nmax_new_tokens = 6\n";

struct Files {
    scratch: Scratch,
    model: String,
    profile: String,
}

impl Files {
    fn new() -> Self {
        let scratch = Scratch::new();
        let profile = scratch.write("profile.toml", PROFILE);
        let model = root().join("fixtures/tiny-tied").to_string_lossy().into_owned();
        Files {
            scratch,
            model,
            profile,
        }
    }

    fn args<'a>(&'a self, input: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["judge", "--input", input, "--output", output];
        args.extend(["--model", &self.model, "--profile", &self.profile]);
        args.extend(more);
        args
    }

    fn judge(&self, input: &str, output: &str, more: &[&str]) -> Ran {
        run(&self.args(input, output, more))
    }
}

fn item(id: impl Into<Value>) -> String {
    let id = id.into();
    json!({"id": id, "principle": "p", "prompt": "q", "responses": {"a": "x", "b": id.to_string()}})
        .to_string()
}

fn items(count: usize) -> String {
    (0..count)
        .map(|index| item(format!("item-{index}")) + "\n")
        .collect()
}

/// A record as a run would have written it, of an item that was judged.
fn verdict(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","scores":{{"a":4,"b":2}},"ranking":["a","b"],"reasoning":"why","error":null,"repairs":[],"model":"tiny-tied","usage":{{"prompt_tokens":9,"completion_tokens":9}},"seconds":0.5}}"#
    ) + "\n"
}

fn ids(text: &str) -> Vec<Value> {
    parse(text).iter().map(|record| record["id"].clone()).collect()
}

#[test]
fn every_line_has_its_record_whatever_is_wrong_with_it() {
    let files = Files::new();
    let lines = [
        item("first"),
        "not json".to_owned(),
        r#"{"principle": "p", "prompt": "q", "responses": {"a": "x"}}"#.to_owned(),
        String::new(),
        item("first"),
        r#"{"id": "empty", "principle": " ", "prompt": "q", "responses": {"a": "x"}}"#.to_owned(),
        r#"{"id": "twins", "principle": "p", "prompt": "q", "responses": {"a": "x", "a": "y"}}"#.to_owned(),
        json!({"id": "long", "principle": "p", "prompt": "word ".repeat(200), "responses": {"a": "x"}})
            .to_string(),
        item(8),
    ];
    let input = files.scratch.write("items.jsonl", lines.join("\n"));
    let output = files.scratch.path("verdicts.jsonl");
    let ran = files.judge(&input, &output, &["--batch", "3"]).expect(1);
    assert_eq!(ran.stdout, "", "nothing but the output file");
    assert!(ran.stderr.contains("0 verdicts, 8 failed"), "{}", ran.stderr);
    assert!(
        !ran.stderr.contains('\u{1b}'),
        "no progress bar in a pipe: {:?}",
        ran.stderr
    );

    let text = files.scratch.read("verdicts.jsonl");
    assert_eq!(
        ids(&text),
        [
            json!("first"),
            json!(null),
            json!(null),
            json!(null),
            json!("empty"),
            json!("twins"),
            json!("long"),
            json!(8)
        ]
    );
    let expect = [
        ("truncated", "the reply was: "),
        ("input", "line 2: expected a JSON object"),
        ("input", "line 3: the id is missing"),
        ("input", "line 5: the id \"first\" is taken by line 1"),
        ("request", "principle"),
        ("request", "\"a\""),
        ("prompt_too_long", "160"),
        ("truncated", ""),
    ];
    for (record, (kind, message)) in parse(&text).iter().zip(expect) {
        assert_eq!(record["error"]["kind"], kind, "{record}");
        let found = record["error"]["message"].as_str().expect("a message");
        assert!(found.contains(message), "{record}");
        let keys: Vec<&str> = record
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        let order = [
            "id",
            "scores",
            "ranking",
            "reasoning",
            "error",
            "repairs",
            "model",
            "usage",
            "seconds",
        ];
        assert_eq!(keys, order);
        assert_eq!(record["scores"], json!({}));
        assert_eq!(record["model"], "tiny-tied");
    }
    assert!(
        parse(&text)[0]["usage"]["completion_tokens"].as_u64() == Some(6),
        "what was written counts: {text}"
    );
}

#[test]
fn an_output_that_exists_is_never_overwritten() {
    let files = Files::new();
    let input = files.scratch.write("items.jsonl", items(1));
    let output = files.scratch.write("verdicts.jsonl", "precious\n");
    let ran = files.judge(&input, &output, &[]).expect(2);
    assert!(ran.stderr.contains("--resume"), "{}", ran.stderr);
    let ran = files.judge(&input, &output, &["--resume"]).expect(2);
    assert!(ran.stderr.contains("line 1 is not a record"), "{}", ran.stderr);
    assert_eq!(files.scratch.read("verdicts.jsonl"), "precious\n");
    let ran = files.judge(&input, &input, &[]).expect(2);
    assert!(ran.stderr.contains("same file"), "{}", ran.stderr);
}

#[test]
fn a_model_that_is_not_there_leaves_nothing_behind() {
    let files = Files::new();
    let input = files.scratch.write("items.jsonl", items(1));
    let output = files.scratch.path("verdicts.jsonl");
    let ran = run(&[
        "judge", "--input", &input, "--output", &output, "--model", "nowhere",
    ])
    .expect(2);
    assert!(
        ran.stderr.contains("no model is called \"nowhere\""),
        "{}",
        ran.stderr
    );
    let ran = files
        .judge(&files.scratch.path("missing.jsonl"), &output, &[])
        .expect(2);
    assert!(ran.stderr.contains("cannot read"), "{}", ran.stderr);
    assert_eq!(files.scratch.names(), ["items.jsonl", "profile.toml"]);
}

#[test]
fn a_run_cut_anywhere_is_taken_up_without_loss() {
    let files = Files::new();
    let broken = items(3) + "broken\n" + &item("item-1") + "\n" + &item("last");
    let input = files.scratch.write("items.jsonl", broken);
    let whole = files.scratch.path("whole.jsonl");
    files.judge(&input, &whole, &[]).expect(1);
    let whole = files.scratch.read("whole.jsonl");
    let lines = whole.match_indices('\n').count();
    assert_eq!(lines, 6);
    // Between records, inside the first, inside a later one, before the last line break, and nothing cut at all.
    let second = whole.find('\n').expect("a line") + 1;
    let cuts = [0, 10, second, second + 40, whole.len() - 1, whole.len()];
    for cut in cuts {
        let output = files.scratch.write("cut.jsonl", &whole[..cut]);
        files.judge(&input, &output, &["--resume"]).expect(1);
        let resumed = files.scratch.read("cut.jsonl");
        assert_eq!(timeless(&resumed), timeless(&whole), "cut at {cut}");
        let kept = whole[..cut].rfind('\n').map_or(0, |at| at + 1);
        assert_eq!(
            resumed[..kept],
            whole[..kept],
            "finished records stay as they are, cut at {cut}"
        );
    }
}

#[test]
fn finished_items_are_not_judged_again_and_order_is_mended() {
    let files = Files::new();
    let input = files.scratch.write("items.jsonl", items(4));
    let output = files
        .scratch
        .write("verdicts.jsonl", verdict("item-3") + &verdict("item-1"));
    let ran = files.judge(&input, &output, &["--resume"]).expect(1);
    assert!(ran.stderr.contains("2 were finished before"), "{}", ran.stderr);
    let text = files.scratch.read("verdicts.jsonl");
    assert_eq!(ids(&text), ["item-0", "item-1", "item-2", "item-3"]);
    assert!(text.contains(&verdict("item-1")) && text.contains(&verdict("item-3")));
    assert_eq!(
        files.scratch.names(),
        ["items.jsonl", "profile.toml", "verdicts.jsonl"],
        "nothing is left beside it"
    );
    // Everything is finished now, failed ones included: nothing is judged, and the exit code still tells.
    let again = files.judge(&input, &output, &["--resume"]).expect(1);
    assert!(
        again.stderr.contains("4 were finished before, 2 of them failed"),
        "{}",
        again.stderr
    );
    assert_eq!(files.scratch.read("verdicts.jsonl"), text);
}

#[test]
fn everything_judged_is_exit_code_zero() {
    let files = Files::new();
    let input = files.scratch.write("items.jsonl", items(2));
    let output = files
        .scratch
        .write("verdicts.jsonl", verdict("item-0") + &verdict("item-1"));
    files.judge(&input, &output, &["--resume"]).expect(0);
}

#[test]
fn retrying_judges_the_failed_alone_and_keeps_the_order() {
    let files = Files::new();
    let input = files
        .scratch
        .write("items.jsonl", items(3) + "broken\n" + &item("item-4") + "\n");
    let failed = |id: Value, message: &str| {
        json!({"id": id, "scores": {}, "ranking": [], "reasoning": "", "error": {"kind": "old", "message": message},
            "repairs": [], "model": "tiny-tied", "usage": {"prompt_tokens": 0, "completion_tokens": 0}, "seconds": 0.0})
        .to_string()
            + "\n"
    };
    let before = verdict("item-0")
        + &failed(json!("item-1"), "once")
        + &verdict("item-2")
        + &failed(json!(null), "line 4: was worse")
        + &verdict("item-4");
    let output = files.scratch.write("verdicts.jsonl", &before);
    files.judge(&input, &output, &["--retry-failed"]).expect(1);
    let text = files.scratch.read("verdicts.jsonl");
    assert_eq!(
        ids(&text),
        [
            json!("item-0"),
            json!("item-1"),
            json!("item-2"),
            json!(null),
            json!("item-4")
        ]
    );
    let kinds: Vec<_> = parse(&text)
        .iter()
        .map(|record| record["error"]["kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            json!(null),
            json!("truncated"),
            json!(null),
            json!("input"),
            json!(null)
        ]
    );
    for id in ["item-0", "item-2", "item-4"] {
        assert!(text.contains(&verdict(id)), "{id} stays as it is");
    }

    // The broken line is mended: its record gives way to the item's.
    let input = files.scratch.write(
        "items.jsonl",
        items(3) + &item("item-3") + "\n" + &item("item-4") + "\n",
    );
    files.judge(&input, &output, &["--resume"]).expect(1);
    let text = files.scratch.read("verdicts.jsonl");
    assert_eq!(ids(&text), ["item-0", "item-1", "item-2", "item-3", "item-4"]);
}

#[test]
fn an_interrupted_retry_loses_nothing() {
    let files = Files::new();
    let input = files.scratch.write("items.jsonl", items(2));
    let old = verdict("item-0").replace("\"error\":null", r#""error":{"kind":"old","message":"once"}"#);
    // A retry that was stopped after its first item: the new record stands behind the old one.
    let output = files
        .scratch
        .write("verdicts.jsonl", old + &verdict("item-1") + &verdict("item-0"));
    files.judge(&input, &output, &["--resume"]).expect(0);
    assert_eq!(
        files.scratch.read("verdicts.jsonl"),
        verdict("item-0") + &verdict("item-1")
    );
}

#[test]
fn an_output_of_something_else_is_not_resumed() {
    let files = Files::new();
    let input = files.scratch.write("items.jsonl", items(2));
    let check = |text: String, expect: &str| {
        let output = files.scratch.write("verdicts.jsonl", &text);
        let ran = files.judge(&input, &output, &["--resume"]).expect(2);
        assert!(ran.stderr.contains(expect), "{}", ran.stderr);
        assert_eq!(files.scratch.read("verdicts.jsonl"), text, "it is left as it was");
    };
    check(
        verdict("item-0").replace("tiny-tied", "other"),
        "judged by the model `other`",
    );
    check(
        verdict("item-0") + &verdict("stranger"),
        "1 records that are not of this input, such as the id \"stranger\"",
    );
    check("{}\n".to_owned() + &verdict("item-0"), "line 1 is not a record");
    check(
        verdict("item-0").replace("\"item-0\"", "null"),
        "names no input line",
    );
}

#[test]
fn two_runs_do_not_write_one_file() {
    let files = Files::new();
    let input = files.scratch.write("items.jsonl", items(1));
    let output = files.scratch.write("verdicts.jsonl", "");
    let held = File::open(&output).expect("a file");
    held.lock().expect("nobody else has it");
    let ran = files.judge(&input, &output, &["--resume"]).expect(2);
    assert!(
        ran.stderr.contains("being written by another run"),
        "{}",
        ran.stderr
    );
    drop(held);
    files.judge(&input, &output, &[]).expect(1);
}

#[test]
fn items_come_from_and_go_to_a_pipe() {
    let files = Files::new();
    let mut child = program(&files.args("-", "-", &[]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(items(3).as_bytes())
        .expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(ids(&text), ["item-0", "item-1", "item-2"]);
    let ran = files.judge("-", "-", &["--resume"]).expect(2);
    assert!(
        ran.stderr.contains("standard output cannot be resumed"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_killed_run_is_taken_up_where_it_was() {
    let files = Files::new();
    let input = files.scratch.write("items.jsonl", items(60));
    let output = files.scratch.path("verdicts.jsonl");
    let mut child = program(&files.args(&input, &output, &["--batch", "1", "--max-new-tokens", "20"]))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let lines = || std::fs::read_to_string(&output).map_or(0, |text| text.lines().count());
    let start = Instant::now();
    while lines() < 3 && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let before = files.scratch.read("verdicts.jsonl");
    assert!(
        (3..60).contains(&before.lines().count()),
        "{} lines when it was killed",
        before.lines().count()
    );
    files
        .judge(
            &input,
            &output,
            &["--resume", "--max-new-tokens", "20", "--batch", "50"],
        )
        .expect(1);
    let after = files.scratch.read("verdicts.jsonl");
    assert!(after.starts_with(&before), "what was judged is kept as it was");
    let expect: Vec<Value> = (0..60).map(|index| json!(format!("item-{index}"))).collect();
    assert_eq!(ids(&after), expect);
}

#[test]
fn one_request_that_fails_says_why() {
    let files = Files::new();
    let mut args = vec![
        "judge",
        "--principle",
        "p",
        "--prompt",
        "q",
        "--response",
        "a=x",
        "--response",
        "b=y",
    ];
    args.extend(["--model", &files.model, "--profile", &files.profile]);
    let ran = run(&args).expect(1);
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("no verdict: "),
        "{}",
        ran.stderr
    );
    args.push("--json");
    let records = run(&args).expect(1).json();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["id"], &records[0]["error"]["kind"]),
        (&json!(null), &json!("truncated"))
    );
}
