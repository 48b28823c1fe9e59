//! Judges behind URLs, and models from a hub, through the real program.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Scratch, parse, program, root};
use crate::server::{Request, Response, Server, says};

const VERDICT: &str =
    "{\"scores\": {\"model-1\": 5, \"model-2\": 1}, \"best-to-worst\": [\"model-1\", \"model-2\"]}";

/// The program, in an environment without keys and with a cache of its own.
fn alone(args: &[&str], cache: &Scratch) -> Command {
    let mut command = program(args);
    for name in [
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "HF_HUB_CACHE",
    ] {
        command.env_remove(name);
    }
    command
        .env("HF_HOME", cache.path("hf"))
        .env("REWARDANYTHING_API_KEY", "sk-secret");
    command
}

fn run(args: &[&str], cache: &Scratch) -> (i32, String, String) {
    let output = alone(args, cache).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code().expect("it ends"),
        text(output.stdout),
        text(output.stderr),
    )
}

fn items(count: usize) -> String {
    (0..count)
        .map(|index| {
            let item = json!({ "id": index, "principle": "Short.", "prompt": format!("{index}?"),
                "responses": { "a": "one", "b": "one two" } });
            format!("{item}\n")
        })
        .collect()
}

/// A judge that thinks and lists one model; the third item it refuses.
fn judge(request: &Request) -> Response {
    match request.path.as_str() {
        "/v1/models" => Response::json(200, &json!({ "data": [{ "id": "served" }] })),
        _ if request.text().contains("\"2?\"") => {
            Response::json(403, &json!({ "error": { "message": "not that" } }))
        }
        _ => says(&format!("<think>\nwhy\n</think>\n\n{VERDICT}")),
    }
}

#[test]
fn a_file_is_judged_by_a_server() {
    let server = Server::new(judge);
    let scratch = Scratch::new();
    let input = scratch.write("items.jsonl", items(40));
    let output = scratch.path("verdicts.jsonl");
    let url = format!("http://127.0.0.1:{}", server.port);
    let args = [
        "judge",
        "--model",
        &url,
        "--concurrency",
        "4",
        "--input",
        &input,
        "--output",
        &output,
    ];
    let (code, _, stderr) = run(&args, &scratch);
    assert_eq!(code, 1, "{stderr}");
    let records = parse(&scratch.read("verdicts.jsonl"));
    assert_eq!(records.len(), 40);
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record["id"], json!(index));
        assert_eq!(
            record["model"],
            json!(format!("served@127.0.0.1:{}", server.port))
        );
        if index == 2 {
            assert_eq!(record["error"]["kind"], json!("refused"), "{record}");
        } else {
            assert_eq!(
                (&record["error"], &record["reasoning"]),
                (&Value::Null, &json!("why")),
                "{record}"
            );
        }
    }
    let authorised = |request: &Request| request.headers["authorization"] == "Bearer sk-secret";
    assert!(server.chats().iter().all(authorised));
    assert!(!stderr.contains("secret") && !scratch.read("verdicts.jsonl").contains("secret"));
    assert_eq!(stderr.matches("no soft scores").count(), 1, "{stderr}");
    assert!(stderr.contains("39 verdicts, 1 failed (refused 1)"), "{stderr}");
}

#[test]
fn a_server_of_several_models_is_told_which() {
    let list = json!({ "data": [{ "id": "one" }, { "id": "two" }] });
    let server = Server::new(move |request| match request.path.as_str() {
        "/v1/models" => Response::json(200, &list),
        _ => says(VERDICT),
    });
    let scratch = Scratch::new();
    let url = format!("http://127.0.0.1:{}/v1", server.port);
    let mut args = vec![
        "judge", "--model", &url, "-p", "Short.", "-q", "?", "-r", "a=x", "-r", "b=y", "--json",
    ];
    let (code, _, stderr) = run(&args, &scratch);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("--served-model") && stderr.contains("one, two"),
        "{stderr}"
    );
    args.extend(["--served-model", "two", "--thinking", "off"]);
    let (code, stdout, stderr) = run(&args, &scratch);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        parse(&stdout)[0]["model"]
            .as_str()
            .is_some_and(|name| name.starts_with("two@")),
        "{stdout}"
    );
    let (code, _, stderr) = run(&["model", "info", &url], &scratch);
    assert!(code == 2 && stderr.contains("is a server"), "{stderr}");
}

#[test]
fn a_model_is_fetched_listed_and_judges() {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const FILES: [&str; 5] = [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
        "judge.toml",
    ];
    // The hashes are git's own, of the files as they are committed.
    let ids = Command::new("git")
        .arg("-C")
        .arg(root().join("models/nano"))
        .arg("hash-object")
        .args(FILES)
        .output();
    let Ok(ids) = ids.map(|output| String::from_utf8(output.stdout).expect("hashes")) else {
        eprintln!("skipped: there is no git to take hashes from");
        return;
    };
    let siblings: Vec<Value> = FILES
        .iter()
        .zip(ids.lines())
        .map(|(name, hash)| json!({ "rfilename": name, "blobId": hash }))
        .collect();
    assert_eq!(siblings.len(), FILES.len(), "{ids}");
    let server = Server::new(move |request| {
        match request.path.strip_prefix(&format!("/our/nano/resolve/{COMMIT}/")) {
            Some(name) => Response::new(
                200,
                fs::read(root().join("models/nano").join(name)).expect("a file"),
            ),
            None => Response::json(200, &json!({ "sha": COMMIT, "siblings": siblings })),
        }
    });
    let scratch = Scratch::new();
    let endpoint = format!("http://127.0.0.1:{}", server.port);
    let hub = |args: &[&str], name: &str, value: &str| {
        let output = alone(args, &scratch)
            .env(name, value)
            .output()
            .expect("the program starts");
        let code = output.status.code().expect("it ends");
        (code, String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let judge = [
        "judge",
        "--model",
        "our/nano",
        "-p",
        "The shorter, the better.",
        "-q",
        "?",
        "-r",
        "a=x",
        "-r",
        "b=y z",
        "--json",
    ];
    let (code, _, stderr) = run(&judge, &scratch);
    assert!(
        code == 2 && stderr.contains("rewardanything model pull our/nano"),
        "{stderr}"
    );
    let (code, stderr) = hub(&["model", "pull", "our/nano"], "HF_HUB_OFFLINE", "1");
    assert!(code == 2 && stderr.contains("offline"), "{stderr}");
    let (code, stderr) = hub(&["model", "pull", "our/nano"], "HF_ENDPOINT", &endpoint);
    assert!(code == 0 && stderr.contains("5 files fetched"), "{stderr}");

    let (code, stdout, _) = run(&["model", "list", "--json"], &scratch);
    let models: Vec<Value> = parse(&stdout).iter().map(|line| line["model"].clone()).collect();
    assert_eq!((code, models), (0, vec![json!("nano"), json!("our/nano")]));
    let (code, stdout, stderr) = run(&["model", "info", "our/nano"], &scratch);
    assert!(code == 0 && stdout.contains("our/nano"), "{stdout}{stderr}");
    let (code, stdout, stderr) = run(&judge, &scratch);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(parse(&stdout)[0]["model"], json!("our/nano"));
}

#[test]
fn what_was_tried_is_listed() {
    let scratch = Scratch::new();
    let check = |model: &str, expect: &[&str]| {
        let (code, _, stderr) = run(&["model", "info", model], &scratch);
        assert_eq!(code, 2);
        for expect in expect {
            assert!(stderr.contains(expect), "{model}: {stderr}");
        }
    };
    check("nowhere", &["nano", "folder", "GGUF", "URL", "ORG/NAME"]);
    check(
        "org/nowhere",
        &["nano", "folder", "GGUF", "URL", "cache", "model pull org/nowhere"],
    );
    check("ftp://x", &["http"]);
}

/// A reward model of which longer text is better, by both of its doors.
fn reward_model(request: &Request) -> Response {
    let json = || request.json();
    match request.path.as_str() {
        "/v1/models" => Response::json(200, &json!({ "data": [{ "id": "rm" }] })),
        "/classify" => {
            let messages = json()["messages"].clone();
            let length = messages[1]["content"].as_str().map_or(0, str::len) as f64;
            let entry = json!({ "index": 0, "label": null, "probs": [length / 4.0 - 3.0], "num_classes": 1 });
            Response::json(200, &json!({ "data": [entry], "usage": { "prompt_tokens": 5 } }))
        }
        "/v1/embeddings" => {
            let length = json()["input"].as_str().map_or(0, str::len) as f64;
            Response::json(200, &json!({ "data": [{ "embedding": [length] }] }))
        }
        _ => Response::json(404, &json!({ "error": { "message": "no such door" } })),
    }
}

#[test]
fn scalar_reward_models_are_in_the_same_table() {
    let server = Server::new(reward_model);
    let scratch = Scratch::new();
    let url = format!("http://127.0.0.1:{}", server.port);
    let data = root()
        .join("fixtures/layouts/rm-bench.jsonl")
        .to_string_lossy()
        .into_owned();
    let template = scratch.write(
        "template.jinja",
        "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}",
    );
    let folder = |name: &str| scratch.path(name);
    let bench = |name: &str, more: &[&str]| {
        let output = folder(name);
        let args = [
            "bench", "rm-bench", "--data", &data, "--output", &output, "--model", &url,
        ];
        run(&[&args[..], more].concat(), &scratch)
    };
    let (code, _, stderr) = bench("classify", &["--scalar", "classify"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = bench(
        "embeddings",
        &["--scalar", "embeddings", "--chat-template", &template],
    );
    assert_eq!(code, 0, "{stderr}");
    let asked: Vec<Value> = server
        .seen()
        .iter()
        .filter(|request| request.path == "/classify")
        .map(Request::json)
        .collect();
    assert_eq!(asked.len(), 24, "one for each response");
    assert!(
        asked
            .iter()
            .all(|body| body["use_activation"] == false && body["model"] == "rm")
    );
    let texts: Vec<Value> = server
        .seen()
        .iter()
        .filter(|request| request.path == "/v1/embeddings")
        .map(Request::json)
        .collect();
    assert!(
        texts
            .iter()
            .any(|body| body["input"] == "<user>What is 6 times 7?<assistant>42"),
        "{texts:?}"
    );
    // Both order as the baseline of length does, for whatever the numbers are.
    let (code, _, stderr) = run(
        &[
            "bench",
            "rm-bench",
            "--data",
            &data,
            "--output",
            &folder("longest"),
            "--baseline",
            "longest",
        ],
        &scratch,
    );
    assert_eq!(code, 0, "{stderr}");
    let (code, shown, stderr) = run(
        &[
            "report",
            &folder("longest"),
            &folder("classify"),
            &folder("embeddings"),
        ],
        &scratch,
    );
    assert_eq!(code, 0, "{stderr}");
    for name in ["classify", "embeddings"] {
        assert!(
            shown.contains(&format!("| {name} | rm@127.0.0.1:{} |", server.port)),
            "{shown}"
        );
    }
    assert_eq!(
        shown
            .matches("| overall (mean of domains) | 0.0 | 0.0 to 0.0 | 1.000 |")
            .count(),
        2,
        "{shown}"
    );

    let (code, _, stderr) = bench("none", &["--scalar", "embeddings"]);
    assert!(
        code == 2 && stderr.contains("--chat-template is needed"),
        "{stderr}"
    );
}
