//! The published package's client: recordings of it, and itself where it is installed (`just clients`).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rewardanything_serve::Settings;
use serde_json::{Value, json};

use crate::common::{Server, by_number};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Sends a recording as it is and reads one answer; the connection stays open, as that client leaves it.
fn replay(server: &Server, name: &str) -> (u16, Value) {
    let bytes = std::fs::read(root().join("fixtures/clients").join(name)).unwrap();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(&bytes).unwrap();
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap().to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[test]
fn recordings_of_the_client_are_answered() {
    let settings = Settings {
        tokens: vec!["a-token-of-ours".to_owned()],
        ..Settings::default()
    };
    let closed = Server::start(by_number(), settings);
    let expect = json!({"thoughts": "by number",
        "results": {"scores": {"it's x": 1, "größe": 3}, "best-to-worst": ["größe", "it's x"]}});
    assert_eq!(replay(&closed, "published-judge.http"), (200, expect.clone()));
    let (status, _) = replay(&closed, "published-judge_batch.http");
    assert_eq!(status, 401, "that recording has no token");
    let open = Server::start(by_number(), Settings::default());
    let (status, batch) = replay(&open, "published-judge_batch.http");
    assert_eq!((status, &batch[0]), (200, &expect));
    let scores: Vec<&Value> = batch
        .as_array()
        .unwrap()
        .iter()
        .map(|verdict| &verdict["results"]["scores"]["it's x"])
        .collect();
    assert_eq!(
        scores,
        [&json!(1), &json!(2), &json!(3)],
        "in the order of the requests"
    );
    let (status, health) = replay(&open, "published-health_check.http");
    assert_eq!((status, &health["status"]), (200, &json!("healthy")));
}

#[test]
fn the_installed_client_is_served() {
    let python = root().join("target/clients/venv/bin/python");
    if !python.is_file() {
        eprintln!("skipped: `just clients` installs the published client");
        return;
    }
    let run = |server: &Server| -> Value {
        let ran = Command::new(&python)
            .arg(root().join("tools/clients/published.py"))
            .arg(format!("http://{}", server.address))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).unwrap()
    };
    let report = run(&Server::start(by_number(), Settings::default()));
    assert_eq!(report["healthy"], true);
    for one in ["one", "kept"] {
        assert_eq!(report[one]["scores"], json!({"it's x": 1, "größe": 3}), "{one}");
        assert_eq!(report[one]["ranking"], json!(["größe", "it's x"]), "{one}");
        assert_eq!(report[one]["reasoning"], "by number", "{one}");
    }
    let batch = report["batch"].as_array().unwrap();
    assert_eq!(batch.len(), 20);
    for (index, result) in batch.iter().enumerate() {
        assert_eq!(result["scores"]["it's x"], index % 5 + 1, "request {index}");
    }
    assert_eq!(
        (&report["failed"], &report["failed_batch"]),
        (&json!(502), &json!(502))
    );
    assert_eq!(
        (&report["empty"], &report["unusable"]),
        (&json!(400), &json!(422))
    );
    let neutral = Settings {
        neutral: true,
        ..Settings::default()
    };
    let report = run(&Server::start(by_number(), neutral));
    assert_eq!(report["failed"]["scores"], json!({"a": 3}));
    assert_eq!(report["failed_batch"][0]["scores"]["it's x"], 1);
    assert_eq!(report["failed_batch"][1]["ranking"], json!(["a"]));
    assert_eq!(report["unusable"], 422, "what can never be judged stays an error");
}

fn requests(count: u64) -> Vec<Value> {
    (0..count)
        .map(|index| {
            let text = format!("sleep {} worth {}", 5 * (count - index), index % 5 + 1);
            json!({"principle": "p", "prompt": format!("{index}?"), "responses": {"mine": text, "other": "3"}})
        })
        .collect()
}

#[test]
fn a_failure_is_seen_and_never_an_empty_verdict() {
    let server = Server::start(by_number(), Settings::default());
    let garbage = json!({"principle": "p", "prompt": "q", "responses": {"a": "garbage"}});
    let one = server.post("/api/rewardanything", &garbage.to_string());
    assert_eq!(one.status, 502);
    assert!(
        one.json()["detail"].as_str().unwrap().starts_with("Error: "),
        "{one:?}"
    );
    let mut many = requests(3);
    many.insert(1, garbage);
    let many = server.post("/api/rewardanything_batch", &Value::from(many).to_string());
    assert_eq!(many.status, 502);
    assert!(
        many.json()["detail"].as_str().unwrap().contains("request 1: "),
        "{many:?}"
    );
    assert_eq!(server.post("/api/rewardanything_batch", "[]").status, 400);
    assert_eq!(server.post("/api/rewardanything_batch", "[{}]").status, 422);
    assert_eq!(server.post("/api/rewardanything", "nonsense").status, 422);
}

#[test]
fn a_job_keeps_names_and_order_and_chooses_nothing() {
    let server = Server::start(by_number(), Settings::default());
    let body = json!({"requests": requests(12), "output_path": "/tmp/anywhere", "api_base": "http://169.254.0.1/",
        "api_key": "theirs", "num_workers": null});
    let job = server.post("/api/batch_request", &body.to_string()).ok();
    assert_eq!(job["requests"], 12);
    assert_eq!(job["ignored"], json!(["output_path", "api_base", "api_key"]));
    assert_eq!(job["start_time"], "2023-11-14T22:13:20Z");
    let id = job["batch_request_id"].as_str().unwrap();
    assert_eq!(
        server
            .get(&format!("/api/batch_request/{id}?max_timeout=0"))
            .status,
        408
    );
    let verdicts = server
        .get(&format!("/api/batch_request/{id}?max_timeout=30"))
        .ok();
    for (index, verdict) in verdicts.as_array().unwrap().iter().enumerate() {
        let scores = json!({"mine": index % 5 + 1, "other": 3});
        assert_eq!(verdict["results"]["scores"], scores, "{index}");
    }
    assert_eq!(
        verdicts,
        server.get(&format!("/api/fetch_results/{id}")).ok(),
        "it can be had again"
    );
    let task = &server.get("/api/list_tasks").ok()[id];
    assert_eq!(
        (&task["complete"], &task["has_error"], &task["num_requests"]),
        (&json!(true), &json!(false), &json!(12))
    );
    let garbage = json!({"requests": [{"principle": "p", "prompt": "q", "responses": {"a": "garbage"}}]});
    let failed = server.post("/api/new_batch_request", &garbage.to_string()).ok();
    let failed = failed["batch_request_id"].as_str().unwrap().to_owned();
    let reply = server.get(&format!("/api/batch_request/{failed}"));
    assert_eq!(reply.status, 502);
    assert!(
        reply.json()["detail"].as_str().unwrap().contains("Task failed"),
        "{reply:?}"
    );
    assert_eq!(server.get("/api/batch_request/no-such-job").status, 404);
    server.post("/api/clear_tasks", "").ok();
    assert_eq!(server.get(&format!("/api/batch_request/{id}")).status, 404);
    assert_eq!(server.get("/api/list_tasks").ok(), json!({}));
}
