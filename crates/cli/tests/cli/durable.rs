//! Jobs of `serve` under SIGKILL: whatever the moment, every item has its record, once.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use serde_json::{Map, Value, json};

use crate::common::{Scratch, program};
use crate::server::{Request, Response, Server, says};

/// Items of a job.
const ITEMS: u64 = 40;

/// A response is worth the number at its end, from 1 to 5. It takes three milliseconds.
fn judge(request: &Request) -> Response {
    if request.path == "/v1/models" {
        return Response::json(200, &json!({ "data": [{ "id": "m" }] }));
    }
    thread::sleep(Duration::from_millis(3));
    let shown: Value = serde_json::from_str(&request.text()).expect("the layout is JSON");
    let scores: Map<String, Value> = shown["responses"]
        .as_object()
        .expect("responses")
        .iter()
        .map(|(label, text)| {
            let worth = text
                .as_str()
                .and_then(|text| text.rsplit(' ').next()?.parse::<u64>().ok());
            (label.clone(), worth.expect("a number").into())
        })
        .collect();
    let mut ranking: Vec<&String> = scores.keys().collect();
    ranking.sort_by_key(|label| std::cmp::Reverse(scores[*label].as_u64()));
    says(&format!(
        "<think>\nby number\n</think>\n\n{}",
        json!({ "scores": scores, "best-to-worst": ranking })
    ))
}

/// What the response `a` of an item is worth.
fn worth(job: u64, place: u64) -> u64 {
    (job * 7 + place * 3) % 5 + 1
}

fn body(job: u64) -> String {
    let items: Vec<Value> = (0..ITEMS)
        .map(|place| {
            json!({ "id": place, "principle": "By number.", "prompt": format!("{job}, {place}?"),
                "responses": { "a": format!("worth {}", worth(job, place)), "b": "worth 3" } })
        })
        .collect();
    json!({ "items": items, "key": format!("job {job}") }).to_string()
}

/// An answer, if there is one: the server may be dead, or die.
fn ask(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    // Of this version, so that the end of the body is the end of the connection.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: test\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn json_of(port: u16, path: &str) -> Value {
    let (status, body) = ask(port, "GET", path, "").expect("it answers");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

fn start(port: u16, backend: u16, store: &str, more: &[&str]) -> Child {
    let (port, url) = (port.to_string(), format!("http://127.0.0.1:{backend}"));
    let args = [
        "serve", "--port", &port, "--model", &url, "--store", store, "--log", "off",
    ];
    program(&[&args[..], more].concat())
        .env_remove("REWARDANYTHING_SERVER_TOKEN")
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

fn wait_until_ready(port: u16) -> Duration {
    let began = Instant::now();
    while ask(port, "GET", "/readyz", "").is_none_or(|(status, _)| status != 200) {
        assert!(began.elapsed() < Duration::from_secs(60), "it never serves");
        thread::sleep(Duration::from_millis(5));
    }
    began.elapsed()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// Kills the server so many times while somebody hands in jobs, and then looks at what became of them.
fn survive(kills: usize, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scratch = Scratch::new();
    let (store, port) = (scratch.path("store"), free_port());
    let began = Instant::now();
    let (asked, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let backend = {
        let (asked, last) = (Arc::clone(&asked), Arc::clone(&last));
        Server::new(move |request| {
            asked.fetch_add(u64::from(request.path.ends_with("completions")), Ordering::SeqCst);
            let answer = judge(request);
            last.store(began.elapsed().as_millis() as u64, Ordering::SeqCst);
            answer
        })
    };
    let mut child = start(port, backend.port, &store, &[]);
    let slow = wait_until_ready(port);
    let over = AtomicBool::new(false);
    let (submitted, busy) = thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            let mut jobs = 0;
            while !over.load(Ordering::SeqCst) || jobs == 0 {
                let body = body(jobs);
                // Again and again under one key, until it is known to be there.
                while ask(port, "POST", "/v1/jobs", &body)
                    .is_none_or(|(status, _)| !matches!(status, 200 | 202))
                {
                    thread::sleep(Duration::from_millis(5));
                }
                jobs += 1;
                thread::sleep(Duration::from_millis(30));
            }
            jobs
        });
        let mut busy = 0;
        for _ in 0..kills {
            // From the first moment of its life to some time after it could serve.
            let span = (2 * slow + Duration::from_millis(150)).as_micros() as u64;
            thread::sleep(Duration::from_micros(random.next_u64() % span));
            let idle = (began.elapsed().as_millis() as u64).saturating_sub(last.load(Ordering::SeqCst));
            busy += usize::from(idle < 10);
            child.kill().expect("it lives");
            child.wait().expect("it was killed");
            child = start(port, backend.port, &store, &[]);
        }
        over.store(true, Ordering::SeqCst);
        (submitter.join().expect("it submits"), busy)
    });
    wait_until_ready(port);
    let jobs = json_of(port, "/v1/jobs");
    let jobs = jobs["jobs"].as_array().expect("a list");
    assert_eq!(jobs.len() as u64, submitted, "each key is there once");
    for (number, job) in (0..).zip(jobs) {
        assert_eq!(job["key"], format!("job {number}"));
        let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
        let job = json_of(port, &format!("{path}?wait=60"));
        assert_eq!(
            (&job["state"], &job["judged"]),
            (&json!("done"), &json!(ITEMS)),
            "{job}"
        );
        let (_, lines) = ask(port, "GET", &format!("{path}/results"), "").expect("it answers");
        let records: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let places: Vec<u64> = records
            .iter()
            .filter_map(|record| record["index"].as_u64())
            .collect();
        assert_eq!(
            places,
            (0..ITEMS).collect::<Vec<_>>(),
            "every item once, in order"
        );
        for (place, record) in (0..).zip(&records) {
            assert_eq!(record["id"], place);
            assert_eq!(record["scores"]["a"], worth(number, place), "{record}");
        }
    }
    child.kill().expect("it lives");
    child.wait().expect("it was killed");
    let asked = asked.load(Ordering::SeqCst);
    eprintln!(
        "{kills} kills ({busy} within 10 ms of a reply), {submitted} jobs of {ITEMS} items: each item has one record; \
         {} were judged again because the kill came before their record was on the disk",
        asked.saturating_sub(submitted * ITEMS)
    );
}

#[test]
fn no_kill_loses_an_item_or_doubles_it() {
    survive(10, 1);
}

#[test]
#[ignore = "takes minutes: two hundred kills"]
fn no_kill_of_two_hundred_loses_an_item_or_doubles_it() {
    survive(200, 2);
}

#[test]
fn jobs_expire_and_backends_are_watched() {
    let scratch = Scratch::new();
    let (store, port) = (scratch.path("store"), free_port());
    let backend = Server::new(judge);
    let mut child = start(port, backend.port, &store, &["--keep", "1s"]);
    wait_until_ready(port);
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it lives");
        assert!(
            !status.contains("THP_enabled:\t1"),
            "its pages are large: {status}"
        );
    }
    let (status, job) = ask(port, "POST", "/v1/jobs", &body(0)).expect("it answers");
    assert_eq!(status, 202, "{job}");
    let id = serde_json::from_str::<Value>(&job).expect("JSON")["id"].clone();
    let path = format!("/v1/jobs/{}", id.as_str().expect("an id"));
    assert_eq!(json_of(port, &format!("{path}?wait=60"))["state"], "done");
    let until = Instant::now() + Duration::from_secs(20);
    while ask(port, "GET", &path, "").is_some_and(|(status, _)| status == 200) {
        assert!(Instant::now() < until, "it never expires");
        thread::sleep(Duration::from_millis(50));
    }
    let (_, metrics) = ask(port, "GET", "/metrics", "").expect("it answers");
    let label = format!("{{backend=\"127.0.0.1:{}\"}}", backend.port);
    for line in ["circuit", "in_flight"].map(|name| format!("rewardanything_backend_{name}{label} 0")) {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
    let answered = format!("rewardanything_backend_answered_total{label} ");
    assert!(metrics.contains(&answered), "{metrics}");
    // A second server does not take the file from the first.
    let mut second = start(free_port(), backend.port, &store, &[]);
    assert_eq!(second.wait().expect("it ends").code(), Some(2));
    child.kill().expect("it lives");
    child.wait().expect("it was killed");
}
