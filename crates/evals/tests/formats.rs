//! The item format beside its schema, and the published layouts there and back.

use std::collections::BTreeSet;

use rewardanything_evals::item::{Content, Line, ReadOptions, Reader};
use rewardanything_evals::layout::Layout;
use rewardanything_evals::principle;
use rewardanything_evals::raw::KEYS;
use serde_json::{Value, json};

fn read(text: &str, layout: Layout) -> Vec<Line> {
    let options = ReadOptions {
        layout,
        principle: None,
    };
    Reader::new(text.as_bytes(), options)
        .collect::<Result<_, _>>()
        .expect("memory can be read")
}

#[test]
fn the_reader_and_the_schema_agree() {
    let cases = include_str!("../../../fixtures/items/cases.jsonl");
    assert!(cases.lines().count() >= 50);
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).expect("a case");
        let line = case["line"].as_str().expect("a line");
        let read = read(line, Layout::Items).remove(0).content;
        let usable = match &read {
            Content::Named(_, Ok(item)) => item.gold.is_ok(),
            _ => false,
        };
        let expect = case["valid"] == true && case["beyond"] == false;
        assert_eq!(usable, expect, "{line}: {read:?}");
    }
}

#[test]
fn the_schema_names_the_keys_that_the_reader_knows() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/formats/item.schema.json")).expect("JSON");
    let named: BTreeSet<&str> = schema["properties"]
        .as_object()
        .expect("properties")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(named, BTreeSet::from(KEYS));
    let prose = include_str!("../../../docs/formats/item.md");
    for key in KEYS {
        assert!(
            prose.contains(&format!("`{key}`")),
            "item.md says nothing of {key}"
        );
    }
}

const LAYOUTS: [(Layout, &str); 4] = [
    (
        Layout::RmBench,
        include_str!("../../../fixtures/layouts/rm-bench.jsonl"),
    ),
    (
        Layout::JudgeBench,
        include_str!("../../../fixtures/layouts/judgebench.jsonl"),
    ),
    (
        Layout::RewardBench,
        include_str!("../../../fixtures/layouts/rewardbench.jsonl"),
    ),
    (
        Layout::RewardBench2,
        include_str!("../../../fixtures/layouts/rewardbench2.jsonl"),
    ),
];

#[test]
fn published_layouts_go_there_and_back() {
    for (layout, text) in LAYOUTS {
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).expect("a record");
            let item = layout.to_item(&record).expect("an item");
            let mut back = layout.from_item(&item).expect("a record");
            if let (true, Value::Number(_)) = (back["id"].is_string(), &record["id"]) {
                back["id"] = record["id"].clone();
            }
            assert_eq!(back, record);
        }
        for line in read(text, layout) {
            let Content::Named(_, Ok(item)) = line.content else {
                panic!("{layout:?}: {line:?}")
            };
            assert!(item.gold().is_ok_and(|gold| !gold.ordered_pairs().is_empty()));
        }
    }
}

#[test]
fn an_imported_item_carries_the_principle_of_its_domain() {
    let principles = |layout: usize| -> Vec<String> {
        let (layout, text) = LAYOUTS[layout];
        read(text, layout)
            .into_iter()
            .map(|line| match line.content {
                Content::Named(_, Ok(item)) => item.request.principle().to_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(
        principles(0),
        ["chat", "code", "math", "safety"].map(principle::rm_bench)
    );
    assert_eq!(principles(1), ["math", "knowledge"].map(principle::judgebench));
    assert_eq!(principles(2), ["Chat", "Reasoning"].map(principle::rewardbench));
    assert_eq!(
        principles(3),
        ["Factuality", "Ties", "Ties"].map(principle::rewardbench2)
    );
}

#[test]
fn a_record_of_another_shape_names_the_field() {
    let check = |layout: Layout, record: Value, expect: &str| {
        let error = layout.to_item(&record).expect_err("refused");
        assert!(error.contains(expect), "{record}: {error}");
    };
    check(Layout::RmBench, json!({"id": 1, "prompt": "q"}), "domain");
    check(
        Layout::RmBench,
        json!({"id": 1, "prompt": "q", "domain": "chat", "chosen": ["a"], "rejected": ["b"]}),
        "expected 3 chosen",
    );
    check(
        Layout::JudgeBench,
        json!({"pair_id": "p", "source": "s", "response_A": "a", "response_B": "b", "label": "A=B"}),
        "A=B",
    );
    check(Layout::RewardBench, json!({"subset": "s"}), "id");
    check(
        Layout::RewardBench2,
        json!({"id": "1", "subset": "Math", "chosen": [], "rejected": ["x"]}),
        "at least one",
    );
    check(Layout::Items, json!([1]), "JSON object");
    assert!(
        "rmbench"
            .parse::<Layout>()
            .is_err_and(|error| error.contains("rm-bench"))
    );
}
