//! Our own endpoints, and what holds for all: the queue, tokens, limits, ends.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rewardanything_core::record::Record;
use rewardanything_core::{
    Completion, Generate, GenerateError, GenerateJob, Interest, Judge, JudgeRequest, Response,
};
use rewardanything_serve::{Limits, Settings};
use serde_json::{Value, json};

use crate::common::{Server, answer, by_number, call, completion, item, nano, scripted, send};

fn timeless(mut record: Value) -> Value {
    record["seconds"] = Value::Null;
    record
}

/// What files would hold of the same item.
fn judged_alone(item: &Value) -> Value {
    let setup = nano();
    let responses = item["responses"].as_object().unwrap();
    let responses = responses
        .iter()
        .map(|(name, text)| Response::new(name, text.as_str().unwrap()))
        .collect();
    let request = JudgeRequest::new(
        item["principle"].as_str().unwrap(),
        item["prompt"].as_str().unwrap(),
        responses,
    )
    .unwrap();
    let judge = Judge::new(setup.model.as_ref(), setup.profile, setup.seed);
    let record = Record::of(
        Some(item["id"].clone()),
        &request,
        &judge.judge(&request),
        setup.model.name(),
        0.0,
    );
    timeless(serde_json::to_value(record).unwrap())
}

fn items(count: u64) -> Vec<Value> {
    (0..count)
        .map(|id| {
            let long = format!(
                "Rust is a language, and this is answer {id} of several. {}",
                "It goes on. ".repeat(id as usize % 5)
            );
            item(id, &[("long", &long), ("short", &format!("A language {id}."))])
        })
        .collect()
}

#[test]
fn a_verdict_does_not_depend_on_the_way_it_was_asked_for() {
    let server = Server::start(nano(), Settings::default());
    let items = items(12);
    let expected: Vec<Value> = items.iter().map(judged_alone).collect();
    // One by one, all at the same time.
    let alone: Vec<Value> = thread::scope(|scope| {
        let calls: Vec<_> = items
            .iter()
            .map(|item| scope.spawn(|| server.post("/v1/judge", &item.to_string()).ok()))
            .collect();
        calls
            .into_iter()
            .map(|call| timeless(call.join().unwrap()))
            .collect()
    });
    assert_eq!(alone, expected);
    let array = server
        .post("/v1/judge/batch", &Value::from(items.clone()).to_string())
        .ok();
    let array: Vec<Value> = array.as_array().unwrap().iter().cloned().map(timeless).collect();
    assert_eq!(array, expected);
    let lines: String = items.iter().map(|item| format!("{item}\n")).collect();
    let reply = server.post("/v1/judge/batch", &lines);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = reply
        .body
        .lines()
        .map(|line| timeless(serde_json::from_str(line).unwrap()))
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn answers_of_a_batch_keep_its_order_and_a_fault_its_slot() {
    let server = Server::start(by_number(), Settings::default());
    let body = json!([
        item(0, &[("slow", "sleep 300 4"), ("b", "2")]),
        item(1, &[("a", "3")]),
        {"id": 2, "principle": "p"},
        item(3, &[("a", "garbage")]),
        7,
        item(5, &[("a", "5"), ("b", "1")]),
    ]);
    let reply = server.post("/v1/judge/batch", &body.to_string()).ok();
    let records = reply.as_array().unwrap();
    assert_eq!(records.len(), 6);
    let ids: Vec<&Value> = records.iter().map(|record| &record["id"]).collect();
    assert_eq!(
        ids,
        [
            &json!(0),
            &json!(1),
            &json!(2),
            &json!(3),
            &Value::Null,
            &json!(5)
        ]
    );
    let kinds: Vec<&Value> = records.iter().map(|record| &record["error"]["kind"]).collect();
    assert_eq!(kinds[..2], [&Value::Null; 2]);
    assert_eq!((kinds[2], kinds[4]), (&json!("request"), &json!("input")));
    assert_eq!(records[4]["error"]["message"], "item 4: expected a JSON object");
    assert!(kinds[3].is_string() && kinds[5].is_null(), "{kinds:?}");
    assert_eq!(records[0]["scores"], json!({"slow": 4, "b": 2}));
    assert_eq!(records[5]["ranking"], json!(["a", "b"]));
    // Lines answer lines, and name the line that is none.
    let reply = server.post("/v1/judge/batch", &format!("\n{}\nnonsense\n", body[1]));
    let records: Vec<Value> = reply
        .body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records[0]["scores"], json!({"a": 3}));
    assert_eq!(records[1]["error"]["message"], "line 3: expected a JSON object");
    assert_eq!(server.post("/v1/judge/batch", "[]").ok(), json!([]));
}

#[test]
fn statuses_say_whose_fault_it_is() {
    let server = Server::start(by_number(), Settings::default());
    let check = |body: &str, status: u16, kind: &str| {
        let reply = server.post("/v1/judge", body);
        assert_eq!(reply.status, status, "{body}: {reply:?}");
        assert_eq!(reply.json()["error"]["kind"], kind, "{body}");
    };
    check("", 400, "input");
    check("[]", 400, "input");
    check(r#"{"id": {}}"#, 400, "input");
    check(r#"{"principle": "p", "prompt": "q"}"#, 422, "request");
    check(&item(0, &[]).to_string(), 422, "request");
    let garbage = server.post("/v1/judge", &item(1, &[("a", "garbage")]).to_string());
    assert_eq!(garbage.status, 502);
    assert_eq!(garbage.json()["id"], 1, "it is the record all the same");
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.get("/v1/judge").status, 405);
}

/// A judge that answers once it may.
struct Gated(Mutex<mpsc::Receiver<()>>);

impl Generate for Gated {
    fn name(&self) -> &str {
        "gated"
    }

    fn generate(&self, jobs: &[GenerateJob]) -> Vec<Result<Completion, GenerateError>> {
        let _ = self.0.lock().unwrap().recv();
        let reply = r#"<think>x</think>{"scores":{"model-1":3},"best-to-worst":["model-1"]}"#;
        jobs.iter().map(|_| Ok(completion(reply))).collect()
    }
}

fn gated(settings: Settings) -> (Server, mpsc::Sender<()>) {
    let (open, gate) = mpsc::channel();
    (Server::start(scripted(Gated(Mutex::new(gate))), settings), open)
}

fn wait_for(server: &Server, gauge: &str, value: u64) {
    let line = format!("rewardanything_{gauge} {value}");
    let until = Instant::now() + Duration::from_secs(10);
    while !server.get("/metrics").body.lines().any(|found| found == line) {
        assert!(Instant::now() < until, "{line} never came");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_full_queue_says_when_to_come_back() {
    let limits = Limits {
        slots: 1,
        queue: 2,
        deadline: Duration::from_secs(60),
    };
    let (server, open) = gated(Settings {
        limits,
        ..Settings::default()
    });
    let body = item(0, &[("a", "x")]).to_string();
    let first = send(server.address, "POST", "/v1/judge", &[], &body);
    wait_for(&server, "judging", 1);
    let waiting: Vec<_> = (0..2)
        .map(|_| send(server.address, "POST", "/v1/judge", &[], &body))
        .collect();
    wait_for(&server, "queue_depth", 2);
    let refused = server.post("/v1/judge", &body);
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.json()["error"]["kind"], "full");
    for _ in 0..3 {
        open.send(()).unwrap();
    }
    for stream in std::iter::once(first).chain(waiting) {
        assert_eq!(answer(stream).ok()["scores"], json!({"a": 3}));
    }
    open.send(()).unwrap();
    assert_eq!(server.post("/v1/judge", &body).status, 200, "there is room again");
}

/// A judge that works until nobody waits.
struct Patient(Mutex<mpsc::Sender<()>>);

impl Generate for Patient {
    fn name(&self) -> &str {
        "patient"
    }

    fn generate(&self, _: &[GenerateJob]) -> Vec<Result<Completion, GenerateError>> {
        panic!("a server always says who waits")
    }

    fn generate_for(
        &self,
        jobs: &[GenerateJob],
        interest: &Interest,
    ) -> Vec<Result<Completion, GenerateError>> {
        while !interest.is_gone() {
            thread::sleep(Duration::from_millis(1));
        }
        self.0.lock().unwrap().send(()).unwrap();
        jobs.iter().map(|_| Err(GenerateError::Abandoned)).collect()
    }
}

#[test]
fn who_goes_away_takes_the_request_along() {
    let (tell, told) = mpsc::channel();
    let limits = Limits {
        slots: 1,
        queue: 8,
        deadline: Duration::from_millis(400),
    };
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    let server = Server::start(scripted(Patient(Mutex::new(tell))), settings);
    let body = item(0, &[("a", "x")]).to_string();
    let running = send(server.address, "POST", "/v1/judge", &[], &body);
    wait_for(&server, "judging", 1);
    let queued = send(server.address, "POST", "/v1/judge", &[], &body);
    wait_for(&server, "queue_depth", 1);
    drop(queued);
    wait_for(&server, "queue_depth", 0);
    drop(running);
    told.recv_timeout(Duration::from_secs(10)).unwrap();
    wait_for(&server, "judging", 0);
    let gone = server
        .log
        .lock()
        .unwrap()
        .iter()
        .filter(|line| line["status"] == 499)
        .count();
    assert_eq!(gone, 2, "both are in the log");
    // A deadline is the server's own going away.
    let late = server.post("/v1/judge", &body);
    assert_eq!(
        (late.status, &late.json()["error"]["kind"]),
        (504, &json!("deadline"))
    );
    told.recv_timeout(Duration::from_secs(10)).unwrap();
}

#[test]
fn what_has_begun_is_answered_before_the_end() {
    let (mut server, open) = gated(Settings::default());
    let body = item(0, &[("a", "x")]).to_string();
    let begun = send(server.address, "POST", "/v1/judge", &[], &body);
    wait_for(&server, "judging", 1);
    assert_eq!(server.get("/readyz").status, 200);
    let ended = server.end();
    let until = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(server.address).is_ok() {
        assert!(Instant::now() < until, "it goes on taking connections");
        thread::sleep(Duration::from_millis(2));
    }
    assert!(!ended.is_finished());
    open.send(()).unwrap();
    assert_eq!(answer(begun).ok()["scores"], json!({"a": 3}));
    assert!(ended.join().unwrap(), "all was answered");
}

#[test]
fn an_end_does_not_wait_for_ever() {
    let settings = Settings {
        drain: Duration::from_millis(50),
        ..Settings::default()
    };
    let (mut server, open) = gated(settings);
    let _begun = send(
        server.address,
        "POST",
        "/v1/judge",
        &[],
        &item(0, &[("a", "x")]).to_string(),
    );
    wait_for(&server, "judging", 1);
    assert!(!server.end().join().unwrap());
    drop(open);
}

#[test]
fn tokens_close_everything_but_health() {
    let settings = Settings {
        tokens: vec!["a-token-of-ours".to_owned()],
        ..Settings::default()
    };
    let server = Server::start(by_number(), settings);
    let body = item(0, &[("a", "2")]).to_string();
    let refused = server.post("/v1/judge", &body);
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    for path in ["/metrics", "/v1/models"] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let bearer = [
        ("authorization", "Bearer a-token-of-ours"),
        ("x-request-id", "mine"),
    ];
    let reply = call(server.address, "POST", "/v1/judge", &bearer, &body);
    assert_eq!((reply.status, reply.header("x-request-id")), (200, Some("mine")));
    let reply = server.post("/v1/judge?token=a-token-of-ours", &body);
    assert_eq!(reply.status, 200);
    let log = Arc::clone(&server.log);
    let text = Value::from(log.lock().unwrap().clone()).to_string();
    assert!(
        text.contains("\"mine\"") && !text.contains("a-token-of-ours"),
        "{text}"
    );
}

#[test]
fn bodies_have_a_limit_and_all_is_counted() {
    let settings = Settings {
        max_body: 1_000,
        ..Settings::default()
    };
    let server = Server::start(by_number(), settings);
    assert_eq!(server.post("/v1/judge", &"x".repeat(1_001)).status, 413);
    server
        .post("/v1/judge", &item(0, &[("a", "2"), ("b", "4")]).to_string())
        .ok();
    server.post("/v1/judge", &item(0, &[("a", "garbage")]).to_string());
    let text = server.get("/metrics").body;
    let check = |line: &str| assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    for (status, count) in [(200, 1), (413, 1), (502, 1)] {
        check(&format!(
            "rewardanything_http_requests_total{{route=\"/v1/judge\",status=\"{status}\"}} {count}"
        ));
    }
    check("rewardanything_judgments_total{outcome=\"verdict\"} 1");
    check("rewardanything_stage_seconds_count{stage=\"judge\"} 2");
    check("rewardanything_tokens_total{kind=\"completion\"} 2");
    assert_eq!(server.get("/v1/models").ok()["data"][0]["id"], server.app.model());
}

/// The document names every route, and no other: each answers something else than that it is not there.
#[test]
fn the_document_is_of_this_server() {
    let server = Server::start(by_number(), Settings::default());
    server.app.show_runs(String::new);
    let document = server.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap();
    for (path, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{id}", "x").replace("{file}", "main.js");
            let reply = call(server.address, &method.to_uppercase(), &path, &[], "nonsense");
            let known = reply.status != 405 && (reply.status != 404 || path.contains("/x"));
            assert!(known, "{method} {path}: {reply:?}");
        }
    }
    // The routes as the source has them.
    let sources = [
        include_str!("../../src/app.rs"),
        include_str!("../../src/page.rs"),
    ];
    let routes = sources
        .iter()
        .flat_map(|source| source.split(".route(\"").skip(1))
        .filter_map(|rest| rest.split('"').next());
    for route in routes {
        assert!(paths.contains_key(route), "{route} is not in the document");
    }
    // A reference that leads nowhere.
    let text = document.to_string();
    for target in text
        .split("\"$ref\":\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        assert!(document.pointer(target).is_some(), "{target}");
    }
}
