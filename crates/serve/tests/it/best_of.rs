//! Samples of a policy, and the best of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rewardanything_core::{GenerateError, Scripted};
use rewardanything_serve::{Policy, Settings, Setup};
use serde_json::json;

use crate::common::{Server, by_number, completion};

/// A policy whose samples say `text 1`, `text 2`, up to 5 and again, in the order in which they are asked for.
fn counting(broken: usize) -> Settings {
    let count = AtomicUsize::new(0);
    let model = Scripted::from_fn(move |_| {
        let index = count.fetch_add(1, Ordering::Relaxed);
        if index < broken {
            return Err(GenerateError::Backend("out of words".to_owned()));
        }
        Ok(completion(&format!("text {}", index % 5 + 1)))
    });
    Settings {
        policy: Some(Policy(Arc::new(model))),
        ..Settings::default()
    }
}

fn few(limit: usize) -> Setup {
    let mut setup = by_number();
    setup.profile.max_responses = limit;
    setup
}

fn ask(n: usize) -> String {
    json!({"principle": "High numbers.", "prompt": "Say a number.", "n": n, "samples": true}).to_string()
}

#[test]
fn the_best_sample_wins_in_one_call_or_in_a_knockout() {
    for (limit, n, calls, rounds) in [(8, 5, 1, 1), (2, 5, 4, 3), (3, 10, 7, 3), (8, 1, 0, 0)] {
        let server = Server::start(few(limit), counting(0));
        let answer = server.post("/v1/best-of", &ask(n)).ok();
        let best = if n == 1 { "text 1" } else { "text 5" };
        assert_eq!(answer["best"]["text"], best, "{answer}");
        assert_eq!(
            (&answer["judge_calls"], &answer["rounds"]),
            (&json!(calls), &json!(rounds)),
            "{answer}"
        );
        assert_eq!(answer["samples"].as_object().unwrap().len(), n, "{answer}");
        if n > 1 {
            assert_eq!(
                answer["verdict"]["ranking"][0], answer["best"]["name"],
                "{answer}"
            );
        }
    }
}

#[test]
fn thoughts_are_no_part_of_a_sample() {
    let thinks = Scripted::from_fn(|job| {
        // What is thought would win, what is said would not.
        let said = job.sampling.seed == 0;
        Ok(completion(if said {
            "text 3"
        } else {
            "<think>text 9</think>\ntext 1"
        }))
    });
    let settings = Settings {
        policy: Some(Policy(Arc::new(thinks))),
        ..Settings::default()
    };
    let answer = Server::start(by_number(), settings)
        .post("/v1/best-of", &ask(2))
        .ok();
    assert_eq!(answer["best"]["text"], "text 3", "{answer}");
    assert_eq!(answer["samples"]["sample-2"], "text 1", "{answer}");
}

#[test]
fn what_fails_is_counted_or_refused() {
    let server = Server::start(by_number(), counting(2));
    let answer = server.post("/v1/best-of", &ask(5)).ok();
    assert_eq!(
        (&answer["failed"], &answer["best"]["text"]),
        (&json!(2), &json!("text 5")),
        "{answer}"
    );

    let check = |settings: Settings, body: &str, status: u16, expect: &str| {
        let server = Server::start(by_number(), settings);
        let reply = server.post("/v1/best-of", body);
        assert!(reply.status == status && reply.body.contains(expect), "{reply:?}");
    };
    check(Settings::default(), &ask(5), 422, "names none");
    check(counting(9), &ask(5), 502, "out of words");
    check(counting(0), &ask(65), 422, "n: expected 1 to 64");
    check(counting(0), "{\"prompt\": \"Hi?\"}", 422, "principle");
    check(counting(0), "{", 400, "not a best-of request");
    let garbage = Scripted::always("garbage");
    let settings = Settings {
        policy: Some(Policy(Arc::new(garbage))),
        ..Settings::default()
    };
    check(settings, &ask(2), 502, "error");
}
