//! `bench` and `report` as a user meets them: folders, resuming, refusals, and figures that are known beforehand.

use std::fs;

use crate::common::{Ran, Scratch, parse, root, run, timeless};
use serde_json::{Value, json};

/// Items over which "longest" is right three times of four.
fn items() -> String {
    (0..4)
        .map(|index| {
            let (short, long) = if index == 3 { (5, 1) } else { (1, 5) };
            json!({"id": format!("i{index}"), "principle": "The longer, the better.", "prompt": "q", "domain": "chat",
                "responses": {"s": "one", "l": format!("one two three {index}")},
                "gold": {"scores": {"s": short, "l": long}}})
            .to_string()
                + "\n"
        })
        .collect()
}

fn bench(scratch: &Scratch, benchmark: &str, data: &str, name: &str, more: &[&str]) -> Ran {
    let output = scratch.path(name);
    let mut args = vec!["bench", benchmark, "--data", data, "--output", &output];
    args.extend(more);
    run(&args)
}

fn headline(scratch: &Scratch, name: &str) -> Value {
    let report: Value =
        serde_json::from_str(&scratch.read(&format!("{name}/report.json"))).expect("a report");
    report["runs"][0]["figures"][0].clone()
}

#[test]
fn baselines_earn_what_is_known_and_are_compared() {
    let scratch = Scratch::new();
    let data = scratch.write("items.jsonl", items());
    for (baseline, expect) in [("longest", 0.75), ("shortest", 0.25)] {
        bench(&scratch, "items", &data, baseline, &["--baseline", baseline]).expect(0);
        assert_eq!(headline(&scratch, baseline)["value"], expect);
    }
    let (first, second, report) = (
        scratch.path("longest"),
        scratch.path("shortest"),
        scratch.path("report"),
    );
    let shown = run(&["report", &first, &second, "--output", &report])
        .expect(0)
        .stdout;
    assert!(shown.contains("| pairwise accuracy | +50.0 |"), "{shown}");
    let page = scratch.read("report/report.html");
    assert!(
        page.contains("longest minus shortest") && !page.contains("<script"),
        "{page}"
    );
    assert!(
        page.contains("one two three 3"),
        "the worst item is shown in full"
    );
    // The same again is the same to the byte.
    let before = scratch.read("longest/report.json");
    run(&["report", &first]).expect(0);
    assert_eq!(scratch.read("longest/report.json"), before);
}

#[test]
fn a_run_holds_one_setting_and_one_data_set() {
    let scratch = Scratch::new();
    let data = scratch.write("items.jsonl", items());
    bench(&scratch, "items", &data, "run", &["--baseline", "longest"]).expect(0);
    let records = scratch.read("run/records.jsonl");
    let again = bench(&scratch, "items", &data, "run", &["--baseline", "longest"]).expect(2);
    assert!(again.stderr.contains("--resume"), "{}", again.stderr);
    let other = bench(
        &scratch,
        "items",
        &data,
        "run",
        &["--baseline", "shortest", "--resume"],
    )
    .expect(2);
    assert!(
        other
            .stderr
            .contains("model.name was \"baseline longest\" and would be \"baseline shortest\""),
        "{}",
        other.stderr
    );
    let judged_by = ["--baseline", "longest", "--principle", "x", "--resume"];
    let principle = bench(&scratch, "items", &data, "run", &judged_by).expect(2);
    assert!(
        principle.stderr.contains("principle was null"),
        "{}",
        principle.stderr
    );
    bench(
        &scratch,
        "items",
        &data,
        "run",
        &["--baseline", "longest", "--resume"],
    )
    .expect(0);
    assert_eq!(
        scratch.read("run/records.jsonl"),
        records,
        "nothing was judged again"
    );

    // Moved data is found by --data; changed data is refused.
    let moved = scratch.write("moved.jsonl", items());
    fs::remove_file(&data).expect("the data can be removed");
    let folder = scratch.path("run");
    assert!(run(&["report", &folder]).expect(2).stderr.contains("--data"));
    run(&["report", &folder, "--data", &moved]).expect(0);
    let changed = scratch.write("changed.jsonl", items().replace("one two", "two two"));
    let refused = run(&["report", &folder, "--data", &changed]).expect(2);
    assert!(
        refused.stderr.contains("is not the data of this run"),
        "{}",
        refused.stderr
    );

    fs::create_dir(scratch.path("occupied")).expect("a folder");
    scratch.write("occupied/x", "");
    let occupied = bench(&scratch, "items", &moved, "occupied", &["--baseline", "longest"]).expect(2);
    assert!(occupied.stderr.contains("no run"), "{}", occupied.stderr);
}

#[test]
fn a_budget_ends_a_run_that_can_be_gone_on_with() {
    let scratch = Scratch::new();
    let data = scratch.write("items.jsonl", items());
    let flags = ["--batch", "1", "--max-items", "1"];
    let part = bench(&scratch, "items", &data, "run", &flags).expect(1);
    assert!(part.stderr.contains("the budget is spent"), "{}", part.stderr);
    assert!(part.stdout.contains("1 of 4 items judged"), "{}", part.stdout);
    bench(&scratch, "items", &data, "run", &["--resume", "--max-items", "1"]).expect(1);
    bench(
        &scratch,
        "items",
        &data,
        "run",
        &["--resume", "--max-tokens", "1", "--batch", "1"],
    )
    .expect(1);
    assert_eq!(parse(&scratch.read("run/records.jsonl")).len(), 3);
    bench(&scratch, "items", &data, "run", &["--resume"]).expect(0);
    bench(&scratch, "items", &data, "whole", &[]).expect(0);
    assert_eq!(
        timeless(&scratch.read("run/records.jsonl")),
        timeless(&scratch.read("whole/records.jsonl")),
        "cut or not, the records are the same"
    );
    assert_eq!(headline(&scratch, "run"), headline(&scratch, "whole"));
    let header: Value = serde_json::from_str(&scratch.read("whole/header.json")).expect("a header");
    assert_eq!(header["model"]["name"], "nano");
    assert_eq!(header["model"]["revision"].as_str().map(str::len), Some(64));
    assert_eq!(
        header["model"]["template_sha256"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(header["model"]["profile"]["name"], "nano");
    assert_eq!(header["data"]["items"], 4);
}

#[test]
fn published_layouts_are_judged_as_their_authors_do() {
    let scratch = Scratch::new();
    let data = |name: &str| {
        root()
            .join("fixtures/layouts")
            .join(name)
            .to_string_lossy()
            .into_owned()
    };
    bench(
        &scratch,
        "rm-bench",
        &data("rm-bench.jsonl"),
        "rm",
        &["--baseline", "longest"],
    )
    .expect(0);
    assert_eq!(headline(&scratch, "rm")["name"], "overall (mean of domains)");
    let header: Value = serde_json::from_str(&scratch.read("rm/header.json")).expect("a header");
    let principles = header["shipped_principles"].as_object().expect("principles");
    assert_eq!(
        principles.keys().collect::<Vec<_>>(),
        ["chat", "code", "math", "safety"]
    );

    // Two games: the second record is of the answers swapped, and a judge of lengths doesn't care.
    bench(
        &scratch,
        "judgebench",
        &data("judgebench.jsonl"),
        "jb",
        &["--baseline", "longest"],
    )
    .expect(0);
    let records = parse(&scratch.read("jb/records.jsonl"));
    let ids: Vec<&str> = records
        .iter()
        .filter_map(|record| record["id"].as_str())
        .collect();
    assert_eq!(ids, ["p1", "p1#swapped", "p2", "p2#swapped"]);
    let names: Vec<&String> = records[1]["scores"].as_object().expect("scores").keys().collect();
    assert_eq!(names, ["B", "A"]);
    assert_eq!(
        headline(&scratch, "jb")["value"],
        0.5,
        "42 is as long as 41; the gas is longer"
    );
    // The model sees each order once.
    bench(&scratch, "judgebench", &data("judgebench.jsonl"), "nano", &[]);
    assert_eq!(parse(&scratch.read("nano/records.jsonl")).len(), 4);

    bench(
        &scratch,
        "rewardbench2",
        &data("rewardbench2.jsonl"),
        "rb2",
        &["--pointwise"],
    );
    assert_eq!(
        parse(&scratch.read("rb2/records.jsonl")).len(),
        4 + 3 + 4,
        "one for each response"
    );
    assert_eq!(headline(&scratch, "rb2")["items"], 3);
    let wrong = bench(
        &scratch,
        "judgebench",
        &data("rm-bench.jsonl"),
        "wrong",
        &["--baseline", "longest"],
    );
    assert!(wrong.expect(2).stderr.contains("source must be a string"));
}

#[test]
fn published_outputs_are_scored_without_a_model() {
    let scratch = Scratch::new();
    let line = |label: &str, games: Value| {
        let pair = json!({"pair_id": format!("{label}{games}"), "question": "q", "response_A": "a", "response_B": "b",
            "label": label, "source": "livecodebench", "judgments": games});
        pair.to_string() + "\n"
    };
    let decided = |first: &str, second: &str| json!([{"decision": first}, {"decision": second}]);
    let lines = [
        line("A>B", decided("A>B", "B>A")),
        line("A>B", decided("A>B", "A=B")),
        line("A>B", decided("A>B", "A>B")),
        line("B>A", decided("A>B", "B>A")),
        line("B>A", json!([{"decision": "B>A"}, null])),
    ];
    let data = scratch.write("outputs.jsonl", lines.concat());
    bench(&scratch, "judgebench", &data, "run", &["--recorded"]).expect(1);
    assert_eq!(
        headline(&scratch, "run")["value"],
        0.6,
        "both, one and a tie, and one and none are right"
    );
    let report: Value = serde_json::from_str(&scratch.read("run/report.json")).expect("a report");
    assert_eq!(report["runs"][0]["counts"]["failed"], json!({"no_decision": 1}));
    let other = bench(&scratch, "rm-bench", &data, "other", &["--recorded"]).expect(2);
    assert!(
        other.stderr.contains("understood of judgebench"),
        "{}",
        other.stderr
    );
}

#[test]
fn an_ablation_judges_by_three_principles_and_compares() {
    let scratch = Scratch::new();
    let data = scratch.write("items.jsonl", items());
    let given = ["--principle-ablation", "--principle", "The shorter, the better."];
    let shown = bench(&scratch, "items", &data, "ablation", &given)
        .expect(0)
        .stdout;
    for expect in [
        "| default |",
        "| blank |",
        "| given |",
        "default minus blank",
        "default minus given",
    ] {
        assert!(shown.contains(expect), "{expect}: {shown}");
    }
    let header: Value = serde_json::from_str(&scratch.read("ablation/blank/header.json")).expect("a header");
    assert_eq!(header["principle"], "Judge the responses.");
    assert!(scratch.read("ablation/report.md").contains("default minus blank"));
}
