//! Jobs, what is remembered, and how often a token may ask.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rewardanything_core::Scripted;
use rewardanything_serve::groups::Timing;
use rewardanything_serve::{CacheSettings, Settings, Store};
use serde_json::{Value, json};

use crate::common::{Reply, Server, by_number, call, completion, item, nano, scripted, send};

fn items(count: u64, text: &str) -> Vec<Value> {
    (0..count)
        .map(|id| item(id, &[("a", &format!("{text} worth {}", id % 5 + 1)), ("b", "3")]))
        .collect()
}

fn submit(server: &Server, items: &[Value], key: Option<&str>) -> Reply {
    server.post("/v1/jobs", &json!({"items": items, "key": key}).to_string())
}

fn id(job: &Value) -> String {
    job["id"].as_str().unwrap().to_owned()
}

fn results(server: &Server, id: &str) -> Vec<Value> {
    let reply = server.get(&format!("/v1/jobs/{id}/results"));
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    reply
        .body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The item of each place, once and in order, with its own verdict.
fn check(results: &[Value], count: u64) {
    assert_eq!(results.len() as u64, count);
    for (place, record) in results.iter().enumerate() {
        assert_eq!((&record["index"], &record["id"]), (&json!(place), &json!(place)));
        assert_eq!(record["scores"]["a"], place % 5 + 1, "{record}");
    }
}

#[test]
fn a_job_is_judged_as_a_batch_is() {
    let server = Server::start(nano(), Settings::default());
    let items: Vec<Value> = (0..6)
        .map(|id| {
            item(
                id,
                &[
                    ("long", "Rust is a language of many words."),
                    ("short", &format!("Rust {id}.")),
                ],
            )
        })
        .collect();
    let timeless = |mut record: Value| {
        record["seconds"] = Value::Null;
        record.as_object_mut().unwrap().shift_remove("index");
        record
    };
    let batch = server
        .post("/v1/judge/batch", &Value::from(items.clone()).to_string())
        .ok();
    let job = submit(&server, &items, None);
    assert_eq!(job.status, 202);
    let id = id(&job.json());
    let job = server.get(&format!("/v1/jobs/{id}?wait=60")).ok();
    assert_eq!(
        (&job["state"], &job["judged"], &job["failed"]),
        (&json!("done"), &json!(6), &json!(0))
    );
    assert_eq!(job["model"], server.app.model());
    let judged: Vec<Value> = results(&server, &id).into_iter().map(timeless).collect();
    let batch: Vec<Value> = batch.as_array().unwrap().iter().cloned().map(timeless).collect();
    assert_eq!(judged, batch);
}

#[test]
fn a_key_names_one_job_and_faults_keep_their_places() {
    let server = Server::start(by_number(), Settings::default());
    let mut mixed = items(4, "x");
    mixed[1] = json!(7);
    mixed[2]["responses"]["a"] = "garbage".into();
    let first = submit(&server, &mixed, Some("mine")).ok_with(202);
    let again = submit(&server, &mixed, Some("mine")).ok();
    assert_eq!(first["id"], again["id"]);
    let id = id(&first);
    let job = server.get(&format!("/v1/jobs/{id}?wait=30")).ok();
    assert_eq!(
        (&job["judged"], &job["failed"], &job["key"]),
        (&json!(4), &json!(2), &json!("mine"))
    );
    let found = results(&server, &id);
    let kinds: Vec<bool> = found.iter().map(|record| record["error"].is_null()).collect();
    assert_eq!(kinds, [true, false, false, true]);
    assert_eq!(found[1]["error"]["kind"], "input");
    assert_eq!(server.get("/v1/jobs").ok()["jobs"].as_array().unwrap().len(), 1);
    // What is no job.
    let check = |body: &str, status: u16| assert_eq!(server.post("/v1/jobs", body).status, status, "{body}");
    check("[]", 400);
    check(r#"{"items": [], "key": "x"}"#, 422);
    check(r#"{"items": [1], "kye": "x"}"#, 400);
    check(r#"{"items": [1], "key": ""}"#, 422);
    for path in ["/v1/jobs/x", "/v1/jobs/x/results"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.post("/v1/jobs/x/resume", "").status, 404);
}

#[test]
fn a_job_stops_goes_on_and_is_forgotten() {
    let settings = Settings {
        limits: rewardanything_serve::Limits {
            slots: 2,
            ..Settings::default().limits
        },
        ..Settings::default()
    };
    let server = Server::start(by_number(), settings);
    let job = submit(&server, &items(60, "sleep 20"), None).ok_with(202);
    let path = format!("/v1/jobs/{}", id(&job));
    let until = Instant::now() + Duration::from_secs(20);
    while server.get(&path).ok()["judged"].as_u64().unwrap() < 3 {
        assert!(Instant::now() < until, "it never begins");
        thread::sleep(Duration::from_millis(5));
    }
    let stopped = call(server.address, "DELETE", &path, &[], "").ok();
    assert_eq!(stopped["state"], "cancelled");
    thread::sleep(Duration::from_millis(100));
    let before = server.get(&path).ok()["judged"].as_u64().unwrap();
    thread::sleep(Duration::from_millis(200));
    assert_eq!(server.get(&path).ok()["judged"], before, "nothing goes on");
    assert!(before < 60);
    assert_eq!(results(&server, &id(&job)).len() as u64, before);
    assert_eq!(
        server.post(&format!("{path}/resume"), "").ok()["state"],
        "running"
    );
    assert_eq!(server.get(&format!("{path}?wait=60")).ok()["state"], "done");
    check(&results(&server, &id(&job)), 60);
    assert_eq!(call(server.address, "DELETE", &path, &[], "").status, 200);
    assert_eq!(server.get(&path).status, 404);
}

#[test]
fn what_failed_can_be_judged_again() {
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let fails = Arc::clone(&broken);
    let model = Scripted::from_fn(move |job| {
        let second = job.messages.last().unwrap().content.contains("worth 2");
        if second && fails.load(std::sync::atomic::Ordering::SeqCst) {
            return Ok(completion("no verdict today"));
        }
        Ok(completion(
            "<think>x</think>{\"scores\":{\"model-1\":2,\"model-2\":4},\"best-to-worst\":[\"model-2\",\"model-1\"]}",
        ))
    });
    let server = Server::start(scripted(model), Settings::default());
    let job = submit(&server, &items(10, "x"), None).ok_with(202);
    let path = format!("/v1/jobs/{}", id(&job));
    assert_eq!(server.get(&format!("{path}?wait=30")).ok()["failed"], 2);
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(
        server.post(&format!("{path}/resume"), "").ok()["state"],
        "done",
        "nothing is left"
    );
    assert_eq!(
        server.post(&format!("{path}/resume?failed=true"), "").ok()["judged"],
        8
    );
    let job = server.get(&format!("{path}?wait=30")).ok();
    assert_eq!((&job["judged"], &job["failed"]), (&json!(10), &json!(0)));
}

/// A server that ends, in order, and another over its store; a kill is tried on the real program.
#[test]
fn another_server_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    let settings = || Settings {
        limits: rewardanything_serve::Limits {
            slots: 2,
            ..Settings::default().limits
        },
        drain: Duration::from_millis(10),
        ..Settings::default()
    };
    let job = {
        let server = Server::over(by_number(), settings(), opened(&file));
        submit(&server, &items(40, "sleep 15"), Some("k")).ok_with(202)
    };
    let server = Server::over(by_number(), settings(), opened(&file));
    let path = format!("/v1/jobs/{}", id(&job));
    assert_eq!(server.get(&format!("{path}?wait=60")).ok()["state"], "done");
    check(&results(&server, &id(&job)), 40);
    drop(server);
    // Another model does not go on unasked with what this one began.
    let job = {
        let server = Server::over(by_number(), settings(), opened(&file));
        submit(&server, &items(40, "sleep 15"), Some("l")).ok_with(202)
    };
    let server = Server::over(nano(), settings(), opened(&file));
    let path = format!("/v1/jobs/{}", id(&job));
    let until = Instant::now() + Duration::from_secs(20);
    while server.get(&path).ok()["state"] != "cancelled" {
        assert!(Instant::now() < until, "it goes on");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The tasks of a server that has ended go some time after it.
pub(crate) fn opened(file: &Path) -> Arc<Store> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match Store::open(file) {
            Ok(store) => return Arc::new(store),
            Err(why) => assert!(Instant::now() < until, "{why}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn remembering() -> Settings {
    Settings {
        cache: CacheSettings {
            bytes: 1 << 20,
            identity: "m".to_owned(),
            sampled: false,
        },
        ..Settings::default()
    }
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").body;
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("rewardanything_{name} ")));
    found
        .unwrap_or_else(|| panic!("{name} in\n{text}"))
        .parse()
        .unwrap()
}

#[test]
fn a_verdict_that_was_given_is_given_again() {
    let server = Server::start(nano(), remembering());
    let asked = |names: [&str; 2]| {
        let item = item(
            1,
            &[
                (names[0], "Rust is a language of many words."),
                (names[1], "Rust."),
            ],
        );
        server.post("/v1/judge", &item.to_string()).ok()
    };
    let first = asked(["a", "b"]);
    assert_eq!(first.get("cached"), None);
    let until = Instant::now() + Duration::from_secs(10);
    while metric(&server, "cache_entries") == 0 {
        assert!(Instant::now() < until, "it is never kept");
        thread::sleep(Duration::from_millis(5));
    }
    // Under other names too: it is the texts that are judged.
    let again = asked(["x", "y"]);
    assert_eq!(again["cached"], true);
    assert_eq!(again["scores"]["x"], first["scores"]["a"]);
    assert_eq!(again["scores"]["y"], first["scores"]["b"]);
    assert_eq!(
        (
            metric(&server, "cache_hits_total"),
            metric(&server, "cache_misses_total")
        ),
        (1, 1)
    );
    let mut same = asked(["a", "b"]);
    same.as_object_mut().unwrap().shift_remove("cached");
    let timeless = |mut record: Value| {
        record["seconds"] = Value::Null;
        record
    };
    assert_eq!(
        timeless(same),
        timeless(first),
        "but for the note, it is the same record"
    );
    let job = submit(
        &server,
        &[item(
            1,
            &[("a", "Rust is a language of many words."), ("b", "Rust.")],
        )],
        None,
    );
    let id = id(&job.json());
    server.get(&format!("/v1/jobs/{id}?wait=30")).ok();
    assert_eq!(results(&server, &id)[0]["cached"], true);
}

#[test]
fn what_is_no_verdict_is_not_remembered() {
    let server = Server::start(by_number(), remembering());
    for _ in 0..3 {
        let body = item(1, &[("a", "garbage")]).to_string();
        assert_eq!(server.post("/v1/judge", &body).status, 502);
    }
    assert_eq!(
        (
            metric(&server, "cache_hits_total"),
            metric(&server, "cache_entries")
        ),
        (0, 0)
    );
}

#[test]
fn a_token_that_asks_too_often_is_told_when_to_come_back() {
    let settings = Settings {
        tokens: vec!["first-token".to_owned(), "second-token".to_owned()],
        rate: Some(6),
        ..Settings::default()
    };
    let server = Server::start(by_number(), settings);
    let ask = |token: &str, path: &str, body: &str| {
        let bearer = format!("Bearer {token}");
        call(server.address, "POST", path, &[("authorization", &bearer)], body)
    };
    let one = item(0, &[("a", "2")]).to_string();
    for _ in 0..3 {
        ask("first-token", "/v1/judge", &one).ok();
    }
    // Three are left, and a batch of four owes one.
    let four = Value::from(items(4, "x")).to_string();
    ask("first-token", "/v1/judge/batch", &four).ok();
    let refused = ask("first-token", "/v1/judge", &one);
    assert_eq!(
        (refused.status, &refused.json()["error"]["kind"]),
        (429, &json!("rate"))
    );
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((15..=20).contains(&wait), "{wait}");
    ask("second-token", "/v1/judge", &one).ok();
    // Of the five that the second has left, vLLM's PUT takes one and owes two; then three of four are owed.
    let turn =
        |text: &str| format!("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n{text}<|im_end|>\n");
    let chats = json!({"input": [turn("1"), turn("2"), turn("3")]}).to_string();
    let bearer = [("authorization", "Bearer second-token")];
    let path = "/classify?principle=p";
    call(server.address, "PUT", path, &bearer, &chats).ok();
    let pairs = json!({"text_1": ["a", "b", "c", "d"], "text_2": ["1", "2", "3", "4"]}).to_string();
    ask("second-token", "/score?principle=p", &pairs).ok();
    assert_eq!(call(server.address, "PUT", path, &bearer, &chats).status, 429);
    let bearer = [("authorization", "Bearer first-token")];
    assert_eq!(
        call(server.address, "GET", "/v1/jobs", &bearer, "").status,
        200,
        "looking is free"
    );
}

#[test]
fn who_wants_no_masks_is_refused() {
    let server = Server::start(by_number(), Settings::default());
    let ask = |masks: Value| json!({"principle": "p", "prompt": "q", "responses": {"a": "2", "b": "4"}, "mask_responses": masks});
    let check = |path: &str, body: Value, status: u16| {
        let reply = server.post(path, &body.to_string());
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.body);
        let says = reply.body.contains("mask_responses: expected true");
        assert_eq!(says, status == 422, "{}", reply.body);
    };
    for (masks, status) in [(true.into(), 200), (false.into(), 422), (Value::Null, 200)] {
        check("/api/rewardanything", ask(masks), status);
    }
    let both = json!([ask(true.into()), ask(false.into())]);
    check("/api/rewardanything_batch", both.clone(), 422);
    check("/api/batch_request", json!({ "requests": both }), 422);
    assert_eq!(
        server.get("/v1/jobs").ok()["jobs"],
        json!([]),
        "nothing was taken in"
    );
}

/// The moment at which a caller goes away may lie between what is on the disk and what follows from it.
#[test]
fn who_goes_away_leaves_no_job_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(
        by_number(),
        Settings::default(),
        opened(&folder.path().join("store")),
    );
    let count = 40;
    for job in 0..count {
        let body = json!({"items": items(2, "x"), "key": format!("job {job}")}).to_string();
        let stream = send(server.address, "POST", "/v1/jobs", &[], &body);
        thread::sleep(Duration::from_micros(job * 100));
        drop(stream);
    }
    for job in 0..count {
        // One that was not heard is handed in now.
        let body = json!({"items": items(2, "x"), "key": format!("job {job}")}).to_string();
        let id = id(&server.post("/v1/jobs", &body).json());
        let job = server.get(&format!("/v1/jobs/{id}?wait=10")).ok();
        assert_eq!(
            (&job["state"], &job["judged"]),
            (&json!("done"), &json!(2)),
            "{job}"
        );
    }
    // Nor does one that was to be stopped stay on as if it ran.
    for turn in 0..count {
        let job = submit(&server, &items(8, "sleep 2"), None).ok_with(202);
        let path = format!("/v1/jobs/{}", id(&job));
        let stream = send(server.address, "DELETE", &path, &[], "");
        thread::sleep(Duration::from_micros(turn * 100));
        drop(stream);
        let job = server.get(&format!("{path}?wait=10"));
        assert!(job.status == 404 || job.json()["state"] != "running", "{job:?}");
    }
}

/// Whatever callers leave behind, in groups, batches and jobs, goes by itself.
#[test]
fn nothing_is_held_once_nobody_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = remembering();
    settings.groups.timing = Timing {
        wait: Duration::from_millis(100),
        grace: Duration::from_millis(50),
        keep: Duration::from_millis(300),
    };
    let server = Server::over(by_number(), settings, opened(&folder.path().join("store")));
    let held = |what: &str| metric(&server, &format!("held{{what=\"{what}\"}}"));
    let mut most = 0;
    for turn in 0..60 {
        let sample = |index: u64| {
            let path = format!("/get_reward?n=3&principle=p&group=g{turn}&index={index}");
            let body = json!({"query": [format!("q? sleep 5 {index}")], "prompts": ["q?"]}).to_string();
            send(server.address, "POST", &path, &[], &body)
        };
        let batch = [
            item(turn, &[("a", "sleep 20 1"), ("b", "2")]).to_string(),
            "{}".to_owned(),
        ]
        .join("\n");
        let left = [
            sample(0),
            sample(1),
            send(server.address, "POST", "/v1/judge/batch", &[], &batch),
            send(
                server.address,
                "POST",
                "/v1/jobs",
                &[],
                &json!({"items": items(3, "sleep 2"), "key": format!("job {turn}")}).to_string(),
            ),
        ];
        thread::sleep(Duration::from_micros(turn * 200));
        most = most.max(held("groups") + held("job_tasks"));
        drop(left);
    }
    assert!(most > 0, "there was something to hold");
    let until = Instant::now() + Duration::from_secs(20);
    for what in ["groups", "group_calls", "job_tasks", "store_changes", "replies"] {
        while held(what) > 0 {
            assert!(Instant::now() < until, "{} {what} stay", held(what));
            thread::sleep(Duration::from_millis(10));
        }
    }
    // The call that asks for it is a connection of its own, and the server's clocks and accepting are tasks too.
    while held("tasks") > 8 {
        assert!(Instant::now() < until, "{} tasks stay", held("tasks"));
        thread::sleep(Duration::from_millis(10));
    }
    assert!(metric(&server, "store_page_bytes") > 0);
}
