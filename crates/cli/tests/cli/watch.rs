//! `train watch`, as a process.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use crate::common::{program, run};

fn begin(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join("run.json"), r#"{"kind":"sft","steps":3}"#).expect("a note");
    fs::write(
        folder.join("metrics.jsonl"),
        "{\"step\":0,\"loss\":2.5,\"seconds\":1}\n",
    )
    .expect("metrics");
}

#[test]
fn once_prints_a_view_and_json_a_line_for_each_run() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (first, second) = (scratch.path().join("first"), scratch.path().join("second"));
    begin(&first);
    begin(&second);
    let (first, second) = (first.display().to_string(), second.display().to_string());
    let ran = run(&["train", "watch", &first, "--once"]).expect(0);
    assert!(
        ran.stdout.contains("step 1 of 3 · 1 s a step · about 2 s left"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("loss"), "{}", ran.stdout);
    let ran = run(&["train", "watch", &first, &second, "--json"]).expect(0);
    let lines = ran.json();
    assert_eq!(
        (lines.len(), &lines[1]["curves"]["loss"]["last"]),
        (2, &2.5.into())
    );
    assert!(
        !Path::new(&first).join("watch.html").exists(),
        "nothing is written unasked"
    );
    let page = scratch.path().join("both.html");
    run(&[
        "train",
        "watch",
        &first,
        &second,
        "--json",
        &format!("--page={}", page.display()),
    ])
    .expect(0);
    assert!(
        fs::read_to_string(page)
            .expect("a page")
            .contains("<!doctype html>")
    );
}

#[test]
fn what_is_no_run_is_exit_code_two() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let check = |args: &[&str], expect: &str| {
        let ran = run(args).expect(2);
        assert!(ran.stderr.contains(expect), "{args:?}: {}", ran.stderr);
    };
    let folder = scratch.path().display().to_string();
    check(
        &["train", "watch", "no/such/run"],
        "no/such/run: there is no such folder",
    );
    check(&["train", "watch"], "<RUN>");
    check(&["train", "watch", &folder, &folder, "--once"], "named twice");
    check(
        &["train", "watch", &folder, "--once", "--json"],
        "cannot be used with",
    );
    check(
        &["train", "watch", &folder, "--once", "--page=no/such/page.html"],
        "no/such/page.html",
    );
}

#[test]
fn it_follows_a_run_to_its_end() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path().join("nano");
    begin(&folder);
    let path = folder.display().to_string();
    let mut watching = program(&["train", "watch", &path, "--every", "1", "--page"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().map(|line| line.expect("a line"));
    assert_eq!(
        next().as_deref(),
        Some("nano  step 1 of 3  running  loss 2.5  about 2 s left")
    );
    let mut metrics = fs::OpenOptions::new()
        .append(true)
        .open(folder.join("metrics.jsonl"))
        .expect("metrics");
    metrics
        .write_all(b"{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":1.5}\n")
        .expect("more steps");
    let last = std::iter::from_fn(next).last();
    assert_eq!(last.as_deref(), Some("nano  step 3 of 3  finished  loss 1.5"));
    assert!(watching.wait().expect("it ends").success());
    let page = fs::read_to_string(folder.join("watch.html")).expect("a page");
    assert!(page.contains("\"state\":\"finished\""), "the page shows the end");
}
