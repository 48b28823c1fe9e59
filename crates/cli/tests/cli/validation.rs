//! The page for people to rate pairs on, in a browser: what is chosen is kept, downloaded and counted.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::common::{Scratch, run};

/// A build whose gold is nano's, with six pairs for people.
fn build(scratch: &Scratch) -> String {
    let lines: String = (0..6)
        .map(|prompt| {
            let texts: Vec<Value> = (0..3)
                .map(|author: usize| {
                    let text = format!(
                        "Well {prompt}. {}",
                        "It is <b>so</b>, perhaps. ".repeat(author * 3)
                    );
                    json!({"text": text.trim(), "model": format!("author-{author}")})
                })
                .collect();
            json!({"prompt": format!("Question \"{prompt}\", </script>?"), "responses": texts}).to_string()
                + "\n"
        })
        .collect();
    let answers = scratch.write("answers.jsonl", lines);
    let output = scratch.path("build");
    let mut args = vec!["data", "build", "--responses", &answers, "--output", &output];
    args.extend([
        "--draft",
        "30",
        "--per-item",
        "3",
        "--judge",
        "nano",
        "--agree",
        "0",
        "--validate",
        "6",
    ]);
    run(&args).expect(0);
    output
}

fn wait_for(path: &Path) -> String {
    let began = Instant::now();
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if !text.is_empty() => return text,
            _ => assert!(began.elapsed() < Duration::from_secs(60), "no {}", path.display()),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn people_rate_without_the_network_and_what_they_say_is_counted() {
    let Some(mut page) = Browser::start() else {
        println!("skipped: there is no Chromium here");
        return;
    };
    let scratch = Scratch::new();
    let folder = build(&scratch);
    let key = format!("{folder}/validation-key.csv");
    let gold: Vec<String> = std::fs::read_to_string(&key)
        .expect("a key")
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().expect("a field").to_owned())
        .collect();
    assert_eq!(gold.len(), 6);

    let url = format!("file://{folder}/validation.html");
    page.open(&url);
    assert_eq!(
        page.text("document.getElementById('place').textContent"),
        "Pair 1 of 6"
    );
    assert!(
        page.text("document.getElementById('prompt').textContent")
            .contains("\", </script>?"),
        "texts are texts"
    );
    assert_eq!(
        page.value("document.querySelector('main b') === null"),
        json!(true),
        "and no markup"
    );
    assert_eq!(page.value("document.getElementById('csv').disabled"), json!(true));
    page.type_in("#name", "Änne O'Hara");
    // The first by its button, as the gold has it; the others by keys: two as the gold has them, one against it, one tie
    // and one left open.
    page.value(&format!(
        "document.querySelector('[data-choice={}]').click()",
        gold[0]
    ));
    page.until("document.getElementById('place').textContent === 'Pair 2 of 6'");
    let against = if gold[3] == "a" { "b" } else { "a" };
    for key in [&gold[1], &gold[2], against, "t", "d"] {
        page.value(&format!(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}))"
        ));
    }
    page.until("document.getElementById('count').textContent.includes('all of them done')");

    // Closed and opened again, it is where it was; a choice can be changed and changed back.
    page.open(&url);
    page.until("document.getElementById('place').textContent === 'Pair 6 of 6'");
    assert_eq!(page.text("document.getElementById('name').value"), "Änne O'Hara");
    let pressed = "document.querySelector('[aria-pressed=true]').dataset.choice";
    assert_eq!(page.text(pressed), "open");
    page.value("document.getElementById('back').click()");
    assert_eq!(page.text(pressed), "tie");
    page.value("document.querySelector('[data-choice=a]').click()");
    assert_eq!(page.text(pressed), "a");
    page.value("document.querySelector('[data-choice=tie]').click()");

    page.call(
        "Page.setDownloadBehavior",
        json!({"behavior": "allow", "downloadPath": folder}),
    );
    page.value("document.getElementById('csv').click()");
    let table = Path::new(&folder).join("ratings-änne-o-hara.csv");
    let expect: Vec<&str> = [&gold[0], &gold[1], &gold[2], against, "tie", ""].to_vec();
    let rated: Vec<String> = wait_for(&table)
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().expect("a field").to_owned())
        .collect();
    assert_eq!(rated, expect);
    page.value("document.getElementById('json').click()");
    let object = Path::new(&folder).join("ratings-änne-o-hara.json");
    let read: Value = serde_json::from_str(&wait_for(&object)).expect("JSON");
    assert_eq!(read["rater"], "Änne O'Hara");
    assert_eq!(read["ratings"][5]["preferred"], Value::Null);
    assert_eq!(page.complaints, [""; 0]);

    // Three of the five that were rated agree with the gold, in either file, and both files are one rater.
    let (table, object) = (table.to_string_lossy(), object.to_string_lossy());
    let found = run(&["data", "agreement", "--key", &key, &table, &object, "--json"])
        .expect(0)
        .json()
        .remove(0);
    for (pair, expect) in [(0, 0.6), (1, 0.6), (2, 1.0)] {
        assert_eq!(found["pairs"][pair]["agreement"], expect, "{found}");
    }
    assert_eq!((&found["alpha"], &found["ratings"]), (&json!(1.0), &json!(10)));

    page.value("window.confirm = () => true; document.getElementById('clear').click()");
    assert_eq!(
        page.text("document.getElementById('count').textContent"),
        "0 done"
    );
}
