//! `principle`: filters, faults with their exit codes, and the same items under two principles.

use serde_json::json;

use crate::common::{Scratch, parse, run};

#[test]
fn the_library_is_filtered() {
    let count = |args: &[&str]| {
        let args: Vec<&str> = ["principle", "list", "--json"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        run(&args).expect(0).json().len()
    };
    assert_eq!(count(&["--split", "novel"]), 50);
    assert_eq!(count(&["--split", "train"]), 150);
    assert_eq!(count(&["--kind", "single", "--category", "logic"]), 16);
    assert!(count(&["--verifiable"]) >= 60);
    let shown = run(&[
        "principle",
        "show",
        "--verifiable",
        "--split",
        "novel",
        "--wordings",
        "--json",
    ])
    .expect(0)
    .json();
    for principle in &shown {
        assert_eq!(
            (&principle["verifiable"], &principle["split"]),
            (&json!(true), &json!("novel"))
        );
        assert!(principle["wordings"].as_array().is_some_and(|all| all.len() > 12));
    }
    let text = run(&["principle", "show", "structure-list-then-short"])
        .expect(0)
        .stdout;
    assert!(
        text.contains("Verified by a program: at least one list item; then fewer words"),
        "{text}"
    );
    run(&["principle", "show"]).expect(2);
    run(&["principle", "list", "--kind", "vague"]).expect(2);
}

#[test]
fn lint_has_three_exit_codes() {
    let scratch = Scratch::new();
    let file = scratch.write("p.txt", "Prefer responses that are brief and detailed.\n");
    let shown = run(&["principle", "lint", &format!("@{file}")]).expect(1).stdout;
    assert!(
        shown.starts_with("no_priority: \u{201c}brief\u{201d}, \u{201c}detailed\u{201d}"),
        "{shown}"
    );
    let report = &run(&["principle", "lint", "Be helpful.", "--json"])
        .expect(1)
        .json()[0];
    assert_eq!(report["findings"][0]["fault"], "vague");
    assert_eq!(report["findings"][0]["evidence"][0]["text"], "helpful");
    let report = &run(&["principle", "lint", "structure-shortest", "--json"])
        .expect(0)
        .json()[0];
    assert_eq!(
        (&report["clean"], &report["findings"]),
        (&json!(true), &json!([]))
    );
    for wrong in ["structure-unheard-of", " ", "@no such file"] {
        let stderr = run(&["principle", "lint", wrong]).expect(2).stderr;
        assert!(stderr.starts_with("error: "), "{wrong}: {stderr}");
    }
}

#[test]
fn a_diff_judges_as_judge_does() {
    let scratch = Scratch::new();
    let item = |id: u32, principle: &str| {
        json!({"id": id, "principle": principle, "prompt": "What is rust?", "responses": {
            "short": "Iron oxide.",
            "long": "Rust is the reddish layer that forms on iron when it meets water and air for a long time.",
            "middle": format!("It is iron that met water {id} times."),
        }})
    };
    let lines = |principle: &str| format!("{}\n{}\n", item(1, principle), item(2, principle));
    let input = scratch.write("items.jsonl", lines("p"));
    let (first, second) = ("Prefer shorter responses.", "Prefer longer responses.");
    let report = &run(&["principle", "diff", first, second, "--input", &input, "--json"])
        .expect(0)
        .json()[0];
    assert_eq!((&report["compared"], &report["pairs"]), (&json!(2), &json!(6)));
    // The same verdicts as two runs of `judge`.
    for (at, principle) in [first, second].into_iter().enumerate() {
        let items = scratch.write(&format!("{at}.jsonl"), lines(principle));
        let output = scratch.path(&format!("{at}.out"));
        run(&["judge", "--input", &items, "--output", &output]).expect(0);
        for record in parse(&scratch.read(&format!("{at}.out"))) {
            let found = report["items"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|item| item["id"] == record["id"]);
            let found = found.expect("every item is compared");
            assert_eq!(found["scores"][at], record["scores"]);
            assert_eq!(found["winners"][at], record["ranking"][0]);
        }
    }
    let same = &run(&["principle", "diff", first, first, "--input", &input, "--json"])
        .expect(0)
        .json()[0];
    assert_eq!(
        (&same["flipped"], &same["untied"], &same["winners_flipped"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!(same["items"].as_array().map(Vec::len), Some(2));

    let broken = scratch.write("broken.jsonl", format!("{}no item\n", lines("p")));
    let ran = run(&["principle", "diff", first, second, "--input", &broken]).expect(1);
    assert!(
        ran.stdout.contains("2 items compared, 1 not, by nano"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr.contains("line 3: expected a JSON object"),
        "{}",
        ran.stderr
    );
    let empty = scratch.write("empty.jsonl", "\n");
    run(&["principle", "diff", first, second, "--input", &empty]).expect(2);
}

#[test]
fn items_of_the_library_are_built_and_scored() {
    let scratch = Scratch::new();
    let response = |prompt: usize, author: usize| {
        let parts = [
            "Perhaps it is 3 km.",
            "Please buy:\n- milk\n- tea",
            "It was seen in 1999!",
            "You may ask, but why?",
        ];
        let text: Vec<&str> = (0..=author).map(|at| parts[(prompt + at) % 4]).collect();
        json!({"text": text.join(" "), "model": format!("m{author}")})
    };
    let lines: String = (0..20)
        .map(|prompt| {
            let responses: Vec<_> = (0..4).map(|author| response(prompt, author)).collect();
            format!(
                "{}\n",
                json!({"prompt": format!("Question {prompt}?"), "responses": responses})
            )
        })
        .collect();
    let answers = scratch.write("answers.jsonl", lines);
    for (share, split) in [("library-train", "train"), ("library-novel", "novel")] {
        let output = scratch.path(share);
        let args = [
            "data",
            "verifiable",
            "--responses",
            &answers,
            "--items",
            "30",
            "--principles",
            share,
            "--output",
            &output,
        ];
        run(&args).expect(0);
        let items = parse(&scratch.read(share));
        assert_eq!(items.len(), 30, "{share}");
        let ids: Vec<_> = run(&["principle", "list", "--verifiable", "--split", split, "--json"])
            .expect(0)
            .json();
        for item in &items {
            assert!(
                ids.iter().any(|principle| principle["id"] == item["measure"]),
                "{item}"
            );
            assert!(split == "novel" || item["new_quality"] == false, "{item}");
        }
    }
}
