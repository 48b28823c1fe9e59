//! The page at the root of a server, in a browser: what is typed, shown, linked and copied.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::common::Scratch;
use crate::serve::Serving;

/// A browser, or word that there is none.
fn browser() -> Option<Browser> {
    let found = Browser::start();
    if found.is_none() {
        println!("skipped: there is no Chromium here");
    }
    found
}

/// Texts that end tags, quotes, lines, links and commands where somebody forgot to quote them.
const BRIEF: &str = "Paris & \"no\" more: it's <b>$(echo that)</b> \u{1f5fc}#1?\\";
const LONG: &str = "It is the old and famous city of Paris,\non the river Seine, in the north of France.";
const FEWER: &str = "The fewer words, the better.";
const MORE: &str = "The more words, the better.";

/// What a command says that reads `input`, or `None` where there is no such command.
fn said(program: &str, args: &[&str], input: &str) -> Option<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let ran = child.wait_with_output().expect("it ends");
    assert!(ran.status.success(), "{program} {args:?}: {input}");
    Some(String::from_utf8(ran.stdout).expect("it is text"))
}

/// Types a sheet of two principles, a prompt and two responses, whose names are numbers, by the keyboard.
fn type_sheet(page: &mut Browser) {
    page.type_in("#principle", FEWER);
    page.focus("#compare");
    page.press("Enter", false);
    page.until("document.activeElement.id === 'versus'");
    page.type_in("#versus", MORE);
    page.type_in("#prompt", "What is the capital of France?");
    for (at, (name, text)) in [("2", LONG), ("1", BRIEF)].iter().enumerate() {
        let row = format!("#responses li:nth-child({})", at + 1);
        page.type_in(&format!("{row} .name"), name);
        page.type_in(&format!("{row} textarea"), text);
    }
}

/// The names in a card, best first.
fn ranking(page: &mut Browser, card: usize) -> Value {
    page.value(&format!(
        "[...document.querySelectorAll('.verdict')[{card}].querySelectorAll('.who')].map((who) => who.firstChild.data)"
    ))
}

#[test]
fn two_principles_are_compared_linked_and_taken_along() {
    let Some(mut page) = browser() else { return };
    let serving = Serving::start(&[]);
    let root = format!("http://{}/", serving.address);
    page.open(&root);
    page.until("document.getElementById('model').textContent === 'judged by nano'");
    type_sheet(&mut page);
    page.press("Enter", true);
    page.until("document.querySelectorAll('.verdict').length === 2");

    // What is shown is what the server says.
    let ask = |principle: &str| -> Value {
        let responses = json!([{"name": "2", "text": LONG}, {"name": "1", "text": BRIEF}]);
        let item = json!({"principle": principle, "prompt": "What is the capital of France?", "responses": responses});
        let (status, body) = serving.post("/v1/judge", &item.to_string());
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("a record")
    };
    let (fewer, more) = (ask(FEWER), ask(MORE));
    assert_eq!(fewer["ranking"], json!(["1", "2"]), "{fewer}");
    assert_eq!(more["ranking"], json!(["2", "1"]), "{more}");
    assert_eq!(ranking(&mut page, 0), fewer["ranking"]);
    assert_eq!(ranking(&mut page, 1), more["ranking"]);
    let shown = page.text("document.getElementById('results').innerText");
    for part in [
        BRIEF,
        "▲ 1 place up",
        "Reasoning",
        "What flips",
        "1 of the 1 pair",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(
        page.value("document.querySelectorAll('.flipped').length"),
        json!(4)
    );
    let chances = page.value("[...document.querySelectorAll('.chances')].map((one) => one.children.length)");
    assert_eq!(chances, json!([5, 5, 5, 5]));
    assert_eq!(
        page.value("document.querySelector('#results b b') === null"),
        json!(true),
        "texts are text"
    );

    // The address alone shows the same to somebody else, and holds nothing that a server would log.
    let link = page.text("location.href");
    assert!(link.starts_with(&format!("{root}#judge?")), "{link}");
    let reasoning = page.text("document.querySelector('.reasoning p').textContent");
    page.open(&link);
    page.until("document.querySelectorAll('.verdict').length === 2");
    assert_eq!(
        page.text("document.querySelector('.reasoning p').textContent"),
        reasoning
    );
    assert_eq!(
        page.text("document.querySelector('#responses li:nth-child(2) textarea').value"),
        BRIEF
    );
    assert_eq!(page.text("location.href"), link);

    // What is taken along says the same elsewhere.
    let mut taken = |form: &str| {
        page.focus(&format!("[data-form={form}]"));
        page.press("Enter", false);
        page.until("document.getElementById('taken').textContent");
        page.text("document.getElementById('code').textContent")
    };
    assert_eq!(taken("link"), link);
    let records: Vec<Value> = serde_json::from_str(&taken("json")).expect("records");
    for (record, expect) in records.iter().zip([&fewer, &more]) {
        assert_eq!(
            (&record["scores"], &record["soft"]),
            (&expect["scores"], &expect["soft"])
        );
    }
    let curl = taken("curl");
    if said("curl", &["--version"], "").is_some() {
        let answers = said("sh", &["-s"], &curl).expect("there is a shell");
        let rankings: Vec<Value> = serde_json::Deserializer::from_str(&answers)
            .into_iter::<Value>()
            .map(|record| record.expect("a record")["ranking"].take())
            .collect();
        assert_eq!(
            rankings,
            [fewer["ranking"].clone(), more["ranking"].clone()],
            "{curl}"
        );
    }
    let program = taken("python");
    let reading = "import ast, json, sys\n\
                   names = {part.targets[0].id: part.value for part in ast.parse(sys.stdin.read()).body if isinstance(part, ast.Assign)}\n\
                   print(json.dumps([ast.literal_eval(names['principles']), list(ast.literal_eval(names['responses']).items())]))";
    if let Some(read) = said("python3", &["-c", reading], &program) {
        let read: Value = serde_json::from_str(&read).expect("JSON");
        assert_eq!(
            read,
            json!([[FEWER, MORE], [["2", LONG], ["1", BRIEF]]]),
            "{program}"
        );
    }
    assert_eq!(page.complaints, [""; 0]);
}

#[test]
fn what_is_typed_is_looked_at_and_what_is_missing_is_named() {
    let Some(mut page) = browser() else { return };
    let serving = Serving::start(&[]);
    page.open(&format!("http://{}/", serving.address));
    page.focus("#send");
    page.press("Enter", false);
    page.until("document.getElementById('form-fault').textContent.includes('principle is missing')");
    page.until("document.activeElement.id === 'principle'");
    page.type_in("#principle", "Prefer responses that are brief and detailed.");
    page.until("document.querySelectorAll('#principle-lint mark').length >= 2");
    let remark = page.text("document.getElementById('principle-lint').innerText");
    assert!(
        remark.contains("No order") && remark.contains("detailed"),
        "{remark}"
    );
    page.type_in(
        "#principle",
        "Brevity first; among equally brief responses the more detailed one wins.",
    );
    page.until("document.getElementById('principle-lint').children.length === 0");
    page.type_in("#prompt", "Why?");
    page.type_in("#responses li:nth-child(1) .name", "b");
    page.focus("#send");
    page.press("Enter", false);
    page.until("document.getElementById('form-fault').textContent.includes('“b”')");
    page.type_in("#responses li:nth-child(1) .name", "a");
    // An empty response is one too.
    page.press("Enter", true);
    page.until("document.querySelectorAll('.verdict').length === 1");
    page.type_in("#prompt", "Why not?");
    page.until("document.getElementById('verdicts').classList.contains('stale')");
    page.until("!location.hash.includes('judged')");
    assert_eq!(page.complaints, [""; 0]);
}

#[test]
fn the_library_the_jobs_and_the_runs_are_views_of_their_own() {
    let Some(mut page) = browser() else { return };
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.path("runs/first")).expect("a folder");
    scratch.write(
        "runs/first/metrics.jsonl",
        "{\"step\":0,\"loss\":2.5,\"seconds\":1}\n{\"step\":1,\"loss\":2,\"seconds\":1}\n",
    );
    let serving = Serving::start(&["--runs", &scratch.path("runs")]);
    let root = format!("http://{}/", serving.address);
    page.open(&format!("{root}#library?find=commas&category=style"));
    page.until("document.querySelectorAll('#principles li').length > 0");
    let found: Vec<String> = serde_json::from_value(
        page.value("[...document.querySelectorAll('#principles .id')].map((id) => id.textContent)"),
    )
    .expect("ids");
    assert!(found.iter().any(|id| id == "style-few-commas"), "{found:?}");
    assert!(found.iter().all(|id| id.starts_with("style-")), "{found:?}");
    page.type_in("#find", "no such principle");
    page.until("document.querySelectorAll('#principles li').length === 0");
    assert!(page.text("location.hash").contains("no+such"));
    page.type_in("#find", "style-few-commas");
    page.until("document.querySelectorAll('#principles li').length === 1");
    let text = page.text("document.querySelector('#principles p').textContent");
    page.focus("#principles .links a");
    page.press("Enter", false);
    page.until("!document.getElementById('judge').hidden");
    assert_eq!(page.text("document.getElementById('principle').value"), text);
    page.value("history.back()");
    page.until("document.getElementById('judge').hidden");
    assert_eq!(
        page.text("document.getElementById('find').value"),
        "style-few-commas"
    );

    let requests =
        json!([{"principle": FEWER, "prompt": "Capital of France?", "responses": {"a": BRIEF, "b": LONG}}]);
    let (status, body) = serving.post("/api/batch_request", &json!({"requests": requests}).to_string());
    assert_eq!(status, 200, "{body}");
    page.focus("#to-jobs");
    page.press("Enter", false);
    page.until("document.querySelector('#job-table tbody')?.innerText.includes('1 of 1')");
    assert_eq!(page.text("document.title"), "Jobs · RewardAnything");
    let complaints = std::mem::take(&mut page.complaints);
    assert!(
        complaints.iter().all(|line| line.contains("v1/jobs")),
        "{complaints:?}"
    );

    let curves = page.text("document.getElementById('to-runs').href");
    page.open(&curves);
    page.until("document.querySelectorAll('figure path.curve').length === 2");
    // That page names no picture of itself, so the browser looks for the usual one.
    page.complaints.retain(|line| !line.contains("favicon.ico"));
    assert_eq!(page.complaints, [""; 0]);
}

#[test]
fn it_fits_a_phone_and_every_control_has_a_name() {
    let Some(mut page) = browser() else { return };
    let serving = Serving::start(&[]);
    let root = format!("http://{}/", serving.address);
    page.open(&root);
    let example = page.text("document.getElementById('example').href");
    let (library, jobs) = (format!("{root}#library"), format!("{root}#jobs"));
    for (place, shown) in [
        (&example, "document.querySelectorAll('.verdict').length === 2"),
        (
            &library,
            "document.querySelectorAll('#principles li').length > 100",
        ),
        (&jobs, "document.getElementById('jobs-note').textContent"),
    ] {
        page.open(place);
        page.until(shown);
        let tree = page.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().expect("nodes");
        let controls = ["button", "textbox", "searchbox", "link", "checkbox", "combobox"];
        let named = nodes
            .iter()
            .filter(|node| controls.iter().any(|role| node["role"]["value"] == *role))
            .inspect(|node| {
                let name = node["name"]["value"].as_str().unwrap_or_default();
                assert!(
                    !name.trim().is_empty(),
                    "a {} without a name: {node}",
                    node["role"]["value"]
                );
            })
            .count();
        assert!(named >= 4, "{named} controls of {place}");
        for width in [320, 390, 768, 1920] {
            page.resize((width, 800));
            let wide = page.value("document.scrollingElement.scrollWidth");
            assert!(
                wide.as_u64() <= Some(u64::from(width)),
                "{place} is {wide} wide in {width}"
            );
        }
    }
    // The first thing that Tab finds leads past the header, and leaves the view as it is.
    page.open(&format!("{root}#library?category=style"));
    page.until("document.querySelectorAll('#principles li').length > 10");
    page.press("Tab", false);
    assert_eq!(page.text("document.activeElement.id"), "skip");
    page.press("Enter", false);
    page.until("document.activeElement.id === 'view'");
    assert_eq!(page.text("location.hash"), "#library?category=style");
}

#[test]
fn a_server_with_tokens_asks_for_one_and_no_link_holds_it() {
    let Some(mut page) = browser() else { return };
    let scratch = Scratch::new();
    let serving = Serving::start(&["--token-file", &scratch.write("tokens", "open-sesame\n")]);
    page.open(&format!("http://{}/#library", serving.address));
    for (given, then) in [
        ("wrong-words", "document.getElementById('door').open"),
        ("open-sesame", "!document.getElementById('door').open"),
    ] {
        page.until("document.getElementById('door').open");
        page.type_in("#token", given);
        page.press("Enter", false);
        page.until(then);
    }
    page.until("document.querySelectorAll('#principles li').length > 100");
    assert!(
        !page
            .text("location.href + document.getElementById('to-judge').href")
            .contains("sesame")
    );
}

/// `ui` opens the page with the system's own command, of which there is one here that writes down what it is given.
#[cfg(target_os = "linux")]
#[test]
fn ui_opens_the_page() {
    use std::os::unix::fs::PermissionsExt as _;

    let scratch = Scratch::new();
    let opened = scratch.path("opened");
    std::fs::create_dir(scratch.path("bin")).expect("a folder");
    let opener = scratch.write(
        "bin/xdg-open",
        format!("#!/bin/sh\necho \"$1\" > '{opened}.part' && mv '{opened}.part' '{opened}'\n"),
    );
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755))
        .expect("it can be made a program");
    let path = format!("{}:/usr/bin:/bin", scratch.path("bin"));
    let serving = Serving::by("ui", &["--port", "0"], &[("PATH", &path)]);
    let began = std::time::Instant::now();
    let url = loop {
        if let Ok(url) = std::fs::read_to_string(&opened) {
            break url;
        }
        assert!(began.elapsed().as_secs() < 60, "nothing was opened");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(url.trim(), format!("http://{}/", serving.address));
    let (status, page) = serving.ask("GET", "/", "");
    assert_eq!(status, 200);
    assert!(page.contains("<title>RewardAnything</title>"), "{page}");
    let (status, remarks) = serving.post("/v1/lint", "{\"principle\": \"Be brief and detailed.\"}");
    assert!(status == 200 && remarks.contains("no_priority"), "{remarks}");
    assert_eq!(serving.post("/v1/lint", "{}").0, 400);
    let (code, said) = serving.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        said.trim(),
        format!("the page is {}", url.trim()),
        "no log: {said}"
    );
}
