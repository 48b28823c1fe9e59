//! Watching runs: what is read of a folder while a trainer writes into it, and the page in a real browser.

use rewardanything_train::watch::{Ended, Run, RunNote, State, Summary, page, write_page};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

const EVERY: Duration = Duration::from_secs(3);

/// The only clock of these tests, against the times of files.
#[expect(
    clippy::disallowed_methods,
    reason = "a run is silent by the time of its file"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn append(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn metrics(steps: std::ops::Range<usize>, loss: impl Fn(usize) -> f64) -> String {
    steps
        .map(|step| json!({"step": step, "loss": loss(step), "seconds": 0.5}).to_string() + "\n")
        .collect()
}

fn note(folder: &Path, steps: usize, ended: Option<Ended>) {
    let kind = "sft".to_owned();
    RunNote { kind, steps, ended }.write(folder).unwrap();
}

/// The data inside a page, as its script finds it.
fn data(page: &str) -> Value {
    let start = page.find("id=\"data\">").expect("the page has data") + "id=\"data\">".len();
    let end = start + page[start..].find("</script>").expect("the data end");
    serde_json::from_str(&page[start..end]).expect("the data are JSON")
}

#[test]
fn a_run_is_followed_from_before_its_first_step_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let now = now();
    let mut run = Run::open(folder.path()).unwrap();
    assert_eq!(
        (run.state(now), run.done(), run.steps()),
        (State::Waiting, 0, None)
    );
    assert!(!run.refresh().unwrap(), "nothing is new");

    note(folder.path(), 40, None);
    append(
        folder.path(),
        "metrics.jsonl",
        &metrics(0..10, |step| step as f64),
    );
    append(folder.path(), "metrics.jsonl", "{\"step\":10,\"lo");
    assert!(run.refresh().unwrap());
    assert_eq!((run.done(), run.steps(), run.unreadable()), (10, Some(40), 0));
    assert_eq!(run.state(now), State::Running);
    assert_eq!(run.seconds_left(now), Some(15.0), "thirty steps of half a second");
    assert!(!run.refresh().unwrap(), "half a line is no news");
    append(folder.path(), "metrics.jsonl", "ss\":7,\"seconds\":0.5}\n");
    assert!(run.refresh().unwrap());
    assert_eq!(run.curves().values("loss").unwrap()[10], 7.0);

    let later = now + Duration::from_secs(3600);
    assert_eq!(run.state(later), State::Silent);
    note(folder.path(), 40, Some(Ended::Stopped));
    assert!(run.refresh().unwrap());
    assert_eq!(
        (run.state(later), run.seconds_left(later)),
        (State::Stopped, None)
    );
    note(folder.path(), 40, None);
    append(folder.path(), "metrics.jsonl", &metrics(11..40, |_| 1.0));
    run.refresh().unwrap();
    assert_eq!(
        run.state(later),
        State::Finished,
        "all steps are done, whatever the note says"
    );
}

#[test]
fn the_pace_may_be_told_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    note(folder.path(), 5, None);
    append(
        folder.path(),
        "metrics.jsonl",
        "{\"step\":0,\"seconds\":{\"rollout\":3,\"total\":4}}\n",
    );
    let run = Run::open(folder.path()).unwrap();
    assert_eq!(run.seconds_left(now()), Some(16.0));
}

#[test]
fn a_resumed_run_loses_the_steps_that_it_does_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    append(folder.path(), "metrics.jsonl", &metrics(0..30, |_| 1.0));
    let mut run = Run::open(folder.path()).unwrap();
    // As the trainer does it: cut to the checkpoint, then go on; by the time we look there are more lines than before.
    fs::write(&path, metrics(0..20, |_| 1.0) + &metrics(20..35, |_| 2.0)).unwrap();
    assert!(run.refresh().unwrap());
    let fresh = Run::open(folder.path()).unwrap();
    assert_eq!(run.curves(), fresh.curves(), "as if read for the first time");
    assert_eq!((run.done(), run.rewinds(), fresh.rewinds()), (35, 1, 0));
    // A trainer that appends instead repeats steps.
    append(folder.path(), "metrics.jsonl", &metrics(33..34, |_| 3.0));
    run.refresh().unwrap();
    assert_eq!((run.done(), run.rewinds()), (34, 2));
    assert_eq!(run.curves().values("loss").unwrap()[33], 3.0);
}

#[test]
fn what_cannot_be_read_is_counted_and_what_is_no_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    append(
        folder.path(),
        "metrics.jsonl",
        "{\"step\":0,\"loss\":1}\nnot json\n\n[1]\n{\"loss\":2}\n{\"step\":1,\"loss\":NaN}\n{\"step\":2,\"loss\":null}\n",
    );
    append(folder.path(), "samples.jsonl", "{\"step\":0}\n7\n");
    let run = Run::open(folder.path()).unwrap();
    assert_eq!((run.unreadable(), run.done()), (5, 3));
    let summary = serde_json::to_value(Summary::new(&run, now())).unwrap();
    assert_eq!(summary["unreadable"], 5);
    assert_eq!(summary["curves"]["loss"]["count"], 1);
    let refused = |path: PathBuf| Run::open(&path).unwrap_err().to_string();
    let gone = refused(folder.path().join("nowhere"));
    assert!(gone.contains("nowhere: there is no such folder"), "{gone}");
    let file = refused(folder.path().join("metrics.jsonl"));
    assert!(file.contains("is a file"), "{file}");
}

#[test]
fn a_page_holds_texts_as_data_alone() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "</script><script>document.title='taken'</script>/*DATA*/<!--";
    append(folder.path(), "metrics.jsonl", &metrics(0..3, |_| 1.0));
    append(
        folder.path(),
        "samples.jsonl",
        &(json!({"step": 0, "principle": hostile, "reward": 0.5}).to_string() + "\n"),
    );
    let runs = [Run::open(folder.path()).unwrap()];
    let text = page(&runs, EVERY, now());
    assert_eq!(text.matches("</script>").count(), 2, "its own two");
    assert_eq!(data(&text)["runs"][0]["samples"][0]["principle"], hostile);
    for address in ["http:", "https:", "//cdn", "@import", "url("] {
        let uses = text
            .replace("http://www.w3.org/2000/svg", "")
            .replace("url(#", "");
        assert!(!uses.contains(address), "the page loads nothing: {address}");
    }
}

#[test]
fn long_runs_make_small_pages_that_keep_their_extremes() {
    let folder = tempfile::tempdir().unwrap();
    let spike = |step: usize| {
        if step == 61_234 {
            99.0
        } else {
            1.0 + (step % 7) as f64
        }
    };
    append(folder.path(), "metrics.jsonl", &metrics(0..100_000, spike));
    let file = folder.path().join("watch.html");
    let runs = [Run::open(folder.path()).unwrap()];
    write_page(&file, &runs, EVERY, now()).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.len() < 150_000, "{} bytes", text.len());
    let run = &data(&text)["runs"][0];
    let loss = run["curves"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["name"] == "loss")
        .unwrap();
    let most = loss["most"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap());
    assert_eq!(most.fold(0.0, f64::max), 99.0);
    assert_eq!(run["to"].as_array().unwrap().last().unwrap(), 99_999);
    assert!(!folder.path().join("watch.part").exists());
}

#[test]
fn runs_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Vec<Run> = ["a/run", "b/run", "b/other"]
        .iter()
        .map(|name| {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).unwrap();
            Run::open(&path).unwrap()
        })
        .collect();
    let text = page(&runs, EVERY, now());
    let names: Vec<Value> = (0..3).map(|at| data(&text)["runs"][at]["name"].clone()).collect();
    assert!(names[0].as_str().unwrap().ends_with("a/run"), "{names:?}");
    assert_ne!(names[0], names[1]);
    assert_eq!(names[2], "other");
}

fn browser() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| {
            Command::new(name)
                .arg("--version")
                .output()
                .is_ok_and(|ran| ran.status.success())
        })
}

/// The page as a browser's script has left it after a while.
fn opened(browser: &str, file: &Path, profile: &Path) -> String {
    let ran = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=6000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    String::from_utf8(ran.stdout).unwrap()
}

/// Everything between a `<` and its `>` that opens an element called `name`.
fn tags<'a>(dom: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!("<{name} ");
    dom.match_indices(&open)
        .map(|(at, _)| &dom[at..at + dom[at..].find('>').unwrap_or(0)])
        .collect()
}

#[test]
fn a_browser_draws_the_page() {
    let Some(browser) = browser() else {
        println!("skipped: there is no Chromium here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, steps: usize, ended| {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        append(
            &path,
            "metrics.jsonl",
            &metrics(0..steps, |step| 5.0 / (step + 1) as f64 - 0.01),
        );
        append(
            &path,
            "samples.jsonl",
            &(json!({"step": 4, "principle": "Be <b>brief</b>.", "reward": 0.25}).to_string() + "\n"),
        );
        note(&path, 2000, ended);
        Run::open(&path).unwrap()
    };
    let runs = [
        run("first", 1500, Some(Ended::Stopped)),
        run("second", 50, Some(Ended::Stopped)),
    ];
    let file = folder.path().join("watch.html");
    write_page(&file, &runs, EVERY, now()).unwrap();
    let dom = opened(browser, &file, &folder.path().join("profile"));
    assert_eq!(tags(&dom, "figure").len(), 2, "{dom}");
    let paths = tags(&dom, "path");
    let of = |class: &str| {
        paths
            .iter()
            .filter(|tag| tag.contains(&format!("class=\"{class}\"")))
            .count()
    };
    assert_eq!((of("curve"), of("band")), (4, 2), "only the long run has bands");
    assert!(paths.iter().all(|tag| !tag.contains("NaN")), "{paths:?}");
    assert!(dom.contains("Be &lt;b&gt;brief&lt;/b&gt;."), "texts are text");
    assert!(dom.contains("all runs have ended"), "it does not look for news");
    assert!(dom.contains("<title>75% · first, second</title>"));
}

/// A page that was opened while its run went on reads its own file again, and shows the end.
#[test]
fn a_browser_shows_news_without_a_reload() {
    let Some(browser) = browser() else {
        println!("skipped: there is no Chromium here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), "metrics.jsonl", &metrics(0..10, |_| 1.0));
    note(folder.path(), 20, None);
    let runs = [Run::open(folder.path()).unwrap()];
    let old = page(&runs, Duration::from_secs(1), now());
    append(folder.path(), "metrics.jsonl", &metrics(10..20, |_| 1.0));
    let runs = [Run::open(folder.path()).unwrap()];
    // The old page, told to look into another file for itself: so the test need not race with a browser.
    let newer = folder.path().join("newer.html");
    write_page(&newer, &runs, Duration::from_secs(1), now()).unwrap();
    let own = "new URL(location.href)";
    assert_eq!(old.matches(own).count(), 1);
    let file = folder.path().join("watch.html");
    fs::write(&file, old.replace(own, "new URL('newer.html', location.href)")).unwrap();
    let dom = opened(browser, &file, &folder.path().join("profile"));
    assert!(dom.contains("step 20 of 20"), "{dom}");
    assert!(dom.contains("the run has ended"));
    assert!(tags(&dom, "iframe").is_empty());
}
