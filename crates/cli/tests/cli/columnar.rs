//! Parquet where this build has it, and what is said where it has not.

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_it_is_said_where_to_get_it() {
    use crate::common::{Scratch, root, run};

    let scratch = Scratch::new();
    let file = root().join("fixtures/parquet/rm-bench.parquet");
    let file = file.to_string_lossy().into_owned();
    let lines = root().join("fixtures/layouts/rm-bench.jsonl");
    let lines = lines.to_string_lossy().into_owned();
    let (items, table) = (scratch.path("items.jsonl"), scratch.path("items.parquet"));
    for args in [
        [
            "data", "import", "--layout", "rm-bench", &file, "--output", &items,
        ],
        [
            "data", "import", "--layout", "rm-bench", &lines, "--output", &table,
        ],
    ] {
        let refused = run(&args).expect(2);
        assert!(
            refused.stderr.contains("--features parquet"),
            "{args:?}: {}",
            refused.stderr
        );
    }
    assert_eq!(scratch.names(), [""; 0], "nothing was begun");
}

#[cfg(feature = "parquet")]
mod with_the_feature {
    use std::process::Command;

    use serde_json::{Value, json};

    use crate::common::{Scratch, parse, root, run};

    fn fixture(name: &str) -> String {
        root().join("fixtures").join(name).to_string_lossy().into_owned()
    }

    /// What is imported from a file.
    fn imported(scratch: &Scratch, layout: &str, file: &str, name: &str) -> Vec<Value> {
        let out = scratch.path(name);
        run(&["data", "import", "--layout", layout, file, "--output", &out]).expect(0);
        parse(&scratch.read(name))
    }

    #[test]
    fn published_layouts_are_read_as_from_lines() {
        let scratch = Scratch::new();
        for layout in ["rm-bench", "judgebench", "rewardbench", "rewardbench2"] {
            let lines = fixture(&format!("layouts/{layout}.jsonl"));
            let table = fixture(&format!("parquet/{layout}.parquet"));
            let expect = imported(&scratch, layout, &lines, &format!("{layout}-lines.jsonl"));
            assert!(expect.len() >= 2, "{layout}");
            let found = imported(&scratch, layout, &table, &format!("{layout}.jsonl"));
            assert_eq!(found, expect, "{layout}");
        }
        // A benchmark takes the published file as it is.
        let output = scratch.path("run");
        let table = fixture("parquet/rewardbench.parquet");
        let args = [
            "bench",
            "rewardbench",
            "--data",
            &table,
            "--baseline",
            "longest",
            "--output",
            &output,
        ];
        run(&args).expect(0);
    }

    /// What Python's readers say of a file beside the lines that it was written from; nothing where there is no pyarrow.
    fn python_agrees(table: &str, lines: &str) {
        let there = Command::new("python3").args(["-c", "import pyarrow"]).output();
        if !there.is_ok_and(|ran| ran.status.success()) {
            println!("skipped: there is no pyarrow here");
            return;
        }
        let script = root().join("tools/reference/parquet.py");
        let ran = Command::new("python3")
            .arg(script)
            .args([table, lines])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(
            ran.status.success() && said.contains("the same to pyarrow"),
            "{said}{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }

    #[test]
    fn items_go_into_columns_and_come_back() {
        let scratch = Scratch::new();
        let whole = fixture("parquet/items.jsonl");
        let expect = parse(&std::fs::read_to_string(&whole).expect("a fixture"));
        let there = |from: &str, to: &str| {
            let to = scratch.path(to);
            run(&["data", "export", "--layout", "items", from, "--output", &to]).expect(0);
            to
        };
        let table = there(&whole, "items.parquet");
        there(&table, "back.jsonl");
        assert_eq!(parse(&scratch.read("back.jsonl")), expect);
        there(&fixture("parquet/items.parquet"), "published.jsonl");
        assert_eq!(parse(&scratch.read("published.jsonl")), expect);
        python_agrees(&table, &whole);

        // Verifiable items keep what they carry, and texts stand beside messages.
        let responses = scratch.write(
            "responses.jsonl",
            r#"{"prompt": "What is Rust?", "responses": [{"text": "A fine language."}, {"text": "A fast, safe, strict language."}, {"text": "It is a language! Do you know it?"}, {"text": "Iron, oxygen and time: that is rust."}]}"#,
        );
        let (lines, table) = (
            scratch.path("verifiable.jsonl"),
            scratch.path("verifiable.parquet"),
        );
        for output in [&lines, &table] {
            let args = [
                "data",
                "verifiable",
                "--responses",
                &responses,
                "--per-item",
                "2-4",
                "--items",
                "4",
                "--output",
                output,
            ];
            run(&args).expect(0);
        }
        there(&table, "verifiable-back.jsonl");
        let items = parse(&scratch.read("verifiable.jsonl"));
        assert!(items.len() >= 2 && items.iter().all(|item| item["difficulty"].is_string()));
        assert_eq!(parse(&scratch.read("verifiable-back.jsonl")), items);
        let mixed = scratch.write(
            "mixed.jsonl",
            format!(
                "{}\n{}",
                expect[0],
                items[0].to_string().replace("\"id\":", "\"name\":")
            ),
        );
        let table = there(&mixed, "mixed.parquet");
        there(&table, "mixed-back.jsonl");
        let back = parse(&scratch.read("mixed-back.jsonl"));
        assert_eq!(
            back[1]["prompt"],
            json!([{"role": "user", "content": items[0]["prompt"]}])
        );
    }

    #[test]
    fn many_rows_and_pairs_of_an_alignment_are_read_elsewhere() {
        let scratch = Scratch::new();
        let says = |role: &str, text: String| json!([{"role": role, "content": text}]);
        let pairs: String = (0..2_000)
            .map(|n| {
                json!({"prompt": says("user", format!("{n}?")), "chosen": says("assistant", "yes ".repeat(n % 7)),
                    "rejected": says("assistant", format!("no {n}")), "score_chosen": 4.5, "score_rejected": n % 4})
                .to_string()
                    + "\n"
            })
            .collect();
        let lines = scratch.write("pairs.jsonl", &pairs);
        let table = scratch.path("pairs.parquet");
        run(&["data", "export", "--layout", "items", &lines, "--output", &table]).expect(0);
        let back = scratch.path("back.jsonl");
        run(&["data", "export", "--layout", "items", &table, "--output", &back]).expect(0);
        assert_eq!(parse(&scratch.read("back.jsonl")), parse(&pairs));
        python_agrees(&table, &lines);
    }

    #[test]
    fn what_does_not_fit_into_columns_is_named() {
        let scratch = Scratch::new();
        let lines = scratch.write("lines.jsonl", "{\"id\": 1}\n{\"id\": \"one\"}\n");
        let table = scratch.path("lines.parquet");
        let refused = run(&["data", "export", "--layout", "items", &lines, "--output", &table]).expect(2);
        assert!(
            refused
                .stderr
                .contains("row 2: id: found a text, where lines before have a number"),
            "{}",
            refused.stderr
        );
        let nonsense = scratch.write("nonsense.parquet", "PAR1 and no more");
        let refused = run(&["score", "--items", &nonsense, "--verdicts", &lines]).expect(2);
        assert!(refused.stderr.contains("is no Parquet"), "{}", refused.stderr);
    }
}
