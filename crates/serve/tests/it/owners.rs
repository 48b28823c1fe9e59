//! A job is its token's: to another it is not there.

use rewardanything_serve::Settings;
use serde_json::{Value, json};

use crate::common::{Reply, Server, by_number, call, item};
use crate::jobs::opened;

const FIRST: &str = "first-token";
const SECOND: &str = "second-token";

fn with_tokens() -> Settings {
    Settings {
        tokens: vec![FIRST.to_owned(), SECOND.to_owned()],
        ..Settings::default()
    }
}

fn ask(server: &Server, token: &str, (method, path): (&str, &str), body: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    call(server.address, method, path, &[("authorization", &bearer)], body)
}

/// A job of two items; its id and whether it is new.
fn hand_in(server: &Server, token: &str, text: &str, key: Option<&str>) -> (String, bool) {
    let items: Vec<Value> = (0..2)
        .map(|id| item(id, &[("a", &format!("{text} 2")), ("b", "3")]))
        .collect();
    let body = json!({"items": items, "key": key}).to_string();
    let reply = ask(server, token, ("POST", "/v1/jobs"), &body);
    let new = reply.status == 202;
    let job = reply.ok_with(if new { 202 } else { 200 });
    assert_eq!(job.get("owner"), None, "a digest is nobody's to see");
    (job["id"].as_str().unwrap().to_owned(), new)
}

fn listed(server: &Server, token: &str) -> Vec<String> {
    let jobs = ask(server, token, ("GET", "/v1/jobs"), "").ok();
    let jobs = jobs["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_job_is_not_there_for_another_token() {
    let server = Server::start(by_number(), with_tokens());
    let (mine, _) = hand_in(&server, FIRST, "sleep 300", None);
    let path = format!("/v1/jobs/{mine}");
    let unknown = ask(&server, SECOND, ("GET", "/v1/jobs/x"), "");
    for (method, end) in [
        ("GET", ""),
        ("GET", "?wait=1"),
        ("GET", "/results"),
        ("POST", "/resume"),
        ("POST", "/resume?failed=true"),
        ("DELETE", ""),
    ] {
        let reply = ask(&server, SECOND, (method, &format!("{path}{end}")), "");
        let said = (reply.status, &reply.body);
        assert_eq!(
            said,
            (404, &unknown.body),
            "as one that never was: {method} {end}"
        );
    }
    let fetched = format!("/api/batch_request/{mine}?max_timeout=0");
    assert_eq!(ask(&server, SECOND, ("GET", &fetched), "").status, 404);
    assert_eq!(ask(&server, FIRST, ("GET", &fetched), "").status, 408);
    assert_eq!(listed(&server, SECOND), [""; 0]);
    assert_eq!(listed(&server, FIRST), [mine.as_str()]);
    let job = ask(&server, FIRST, ("GET", &format!("{path}?wait=30")), "").ok();
    assert_eq!((&job["state"], &job["judged"]), (&json!("done"), &json!(2)));
    for token in [SECOND, FIRST] {
        let status = ask(&server, token, ("DELETE", &path), "").status;
        assert_eq!(status, if token == FIRST { 200 } else { 404 }, "{token}");
    }
    assert_eq!(listed(&server, FIRST), [""; 0], "forgotten by who may");
}

#[test]
fn a_name_is_its_owners() {
    let server = Server::start(by_number(), with_tokens());
    let (mine, new) = hand_in(&server, FIRST, "x", Some("run 1"));
    assert!(new);
    let (other, new) = hand_in(&server, SECOND, "y", Some("run 1"));
    assert!(new && other != mine, "the same name, another's job");
    for (token, id) in [(FIRST, &mine), (SECOND, &other)] {
        let again = hand_in(&server, token, "z", Some("run 1"));
        assert_eq!(again, (id.clone(), false), "{token}");
        assert_eq!(listed(&server, token), [id.as_str()]);
    }
    // A name is free again with its job, and no other's.
    ask(&server, FIRST, ("GET", &format!("/v1/jobs/{mine}?wait=30")), "").ok();
    ask(&server, FIRST, ("DELETE", &format!("/v1/jobs/{mine}")), "").ok();
    assert!(hand_in(&server, FIRST, "x", Some("run 1")).1);
    assert_eq!(
        hand_in(&server, SECOND, "y", Some("run 1")),
        (other.clone(), false)
    );
}

#[test]
fn tasks_of_the_published_package_are_cleared_for_one() {
    let server = Server::start(by_number(), with_tokens());
    let requests: Vec<Value> = vec![item(0, &[("a", "1"), ("b", "4")])];
    let body = json!({"requests": requests}).to_string();
    let [mine, other] = [FIRST, SECOND].map(|token| {
        let job = ask(&server, token, ("POST", "/api/batch_request"), &body).ok();
        job["batch_request_id"].as_str().unwrap().to_owned()
    });
    let tasks = |token: &str| -> Vec<String> {
        let tasks = ask(&server, token, ("GET", "/api/list_tasks"), "").ok();
        tasks.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!((tasks(FIRST), tasks(SECOND)), (vec![mine.clone()], vec![other]));
    ask(&server, SECOND, ("POST", "/api/clear_tasks"), "").ok();
    assert_eq!((tasks(FIRST), tasks(SECOND)), (vec![mine.clone()], vec![]));
    let verdicts = ask(&server, FIRST, ("GET", &format!("/api/batch_request/{mine}")), "").ok();
    assert_eq!(verdicts[0]["results"]["scores"]["b"], 4);
}

/// Jobs from before there were tokens have no owner; nor has a server without tokens anybody to keep jobs from.
#[test]
fn jobs_without_an_owner_are_everybodys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    let old = {
        let server = Server::over(by_number(), Settings::default(), opened(&file));
        let (id, _) = hand_in(&server, "", "x", Some("old"));
        server.get(&format!("/v1/jobs/{id}?wait=30")).ok();
        id
    };
    let mine = {
        let server = Server::over(by_number(), with_tokens(), opened(&file));
        for token in [FIRST, SECOND] {
            assert_eq!(listed(&server, token), [old.as_str()]);
            let results = ask(&server, token, ("GET", &format!("/v1/jobs/{old}/results")), "");
            assert_eq!((results.status, results.body.lines().count()), (200, 2));
            let again = hand_in(&server, token, "x", Some("old"));
            assert_eq!(again, (old.clone(), false), "still the same job by its name");
        }
        hand_in(&server, FIRST, "x", Some("new")).0
    };
    // An owner is the same after the server came back, wherever his token stands by now.
    let turned = Settings {
        tokens: vec![SECOND.to_owned(), FIRST.to_owned()],
        ..Settings::default()
    };
    let server = Server::over(by_number(), turned, opened(&file));
    assert_eq!(listed(&server, FIRST), [old.as_str(), mine.as_str()]);
    assert_eq!(listed(&server, SECOND), [old.as_str()]);
    drop(server);
    let server = Server::over(by_number(), Settings::default(), opened(&file));
    assert_eq!(listed(&server, ""), [old.as_str(), mine.as_str()]);
    drop(server);
    let bytes = std::fs::read(&file).unwrap();
    let holds = |token: &str| bytes.windows(token.len()).any(|found| found == token.as_bytes());
    assert!(!holds(FIRST) && !holds(SECOND), "no token is in the file");
}
