//! Files of items: published layouts in and out, and bad lines with and without `--strict`.

use crate::common::{Scratch, parse, root, run};

#[test]
fn a_published_layout_becomes_items_and_comes_back() {
    let scratch = Scratch::new();
    let published = root().join("fixtures/layouts/rm-bench.jsonl");
    let published = published.to_string_lossy().into_owned();
    let (items, back) = (scratch.path("items.jsonl"), scratch.path("back.jsonl"));
    run(&[
        "data", "import", "--layout", "rm-bench", &published, "--output", &items,
    ])
    .expect(0);
    assert_eq!(
        parse(&scratch.read("items.jsonl"))[3]["domain"],
        "safety-response"
    );
    run(&[
        "data", "export", "--layout", "rm-bench", &items, "--output", &back,
    ])
    .expect(0);
    let text = std::fs::read_to_string(&published).expect("a fixture");
    assert_eq!(parse(&scratch.read("back.jsonl")), parse(&text));

    // The whole set as one array is read alike.
    let array = format!("[{}]", text.trim().replace('\n', ",\n"));
    let array = scratch.write("array.json", array);
    let from_array = scratch.path("from-array.jsonl");
    run(&[
        "data",
        "import",
        "--layout",
        "rm-bench",
        &array,
        "--output",
        &from_array,
    ])
    .expect(0);
    assert_eq!(scratch.read("from-array.jsonl"), scratch.read("items.jsonl"));
    let taken = run(&[
        "data",
        "import",
        "--layout",
        "rm-bench",
        &array,
        "--output",
        &from_array,
    ])
    .expect(2);
    assert!(taken.stderr.contains("cannot create"), "{}", taken.stderr);
}

#[test]
fn a_bad_line_is_counted_or_stops() {
    let scratch = Scratch::new();
    let good = r#"{"id": 1, "principle": "p", "prompt": "q", "responses": {"a": "x", "b": "y"}, "gold": {"scores": {"a": 1, "b": 2}}}"#;
    let items = scratch.write(
        "items.jsonl",
        format!(
            "{good}\n\nnonsense\n{}\n",
            good.replace("\"id\": 1", "\"id\": 2")
                .replace("\"b\": 2", "\"c\": 2")
        ),
    );
    let verdicts = scratch.write(
        "verdicts.jsonl",
        r#"{"id":1,"scores":{"a":1,"b":4},"ranking":["b","a"],"reasoning":"","error":null,"repairs":[],"model":"m","usage":{"prompt_tokens":1,"completion_tokens":1},"seconds":0.1}"#,
    );
    let args = ["score", "--items", &items, "--verdicts", &verdicts];
    let counted = run(&args).expect(1);
    assert!(counted.stdout.contains("1 items, 1 pairs"), "{}", counted.stdout);
    for expect in [
        "line 3: expected a JSON object",
        "line 4: gold.scores names \"c\"",
        "2 bad lines left out",
    ] {
        assert!(counted.stderr.contains(expect), "{}", counted.stderr);
    }
    let stopped = run(&[&args[..], &["--strict"]].concat()).expect(2);
    assert!(
        stopped.stderr.contains("line 3: expected a JSON object"),
        "{}",
        stopped.stderr
    );

    let output = scratch.path("out.jsonl");
    let stopped = run(&["judge", "--input", &items, "--output", &output, "--strict"]).expect(2);
    assert!(
        stopped.stderr.contains("line 3: expected a JSON object"),
        "{}",
        stopped.stderr
    );
    assert!(!std::path::Path::new(&output).exists(), "nothing was begun");
    let stopped = run(&[
        "data",
        "verifiable",
        "--responses",
        &items,
        "--output",
        &output,
        "--strict",
    ])
    .expect(2);
    assert!(stopped.stderr.contains("line 3"), "{}", stopped.stderr);
}
