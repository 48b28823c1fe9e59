//! Choice, repetition, limits, deadlines and secrets of a pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use rewardanything_core::{Completion, FinishReason, Generate as _, GenerateError};
use rewardanything_remote::{ApiKey, Keys, Pool, RemoteError, Settings};
use serde_json::{Value, json};

use crate::server::{Response, Server, job, ms, says};

const VERDICT: &str =
    "{\"scores\": {\"model-1\": 5, \"model-2\": 1}, \"best-to-worst\": [\"model-1\", \"model-2\"]}";

fn settings() -> Settings {
    Settings {
        served_model: Some("m".to_owned()),
        timeout: ms(5_000),
        ..Settings::default()
    }
}

fn pool(servers: &[&Server], settings: Settings) -> Pool {
    let addresses = servers.iter().map(|server| server.address()).collect();
    Pool::connect(addresses, &Keys::default(), settings).expect("a pool")
}

fn ask(pool: &Pool, text: &str) -> Result<Completion, GenerateError> {
    pool.generate(&[job(text, false)]).pop().expect("one answer")
}

/// A server that answers from a list, the last one again and again.
fn scripted(responses: Vec<Response>) -> Server {
    let count = AtomicUsize::new(0);
    Server::new(move |_| {
        let index = count.fetch_add(1, Ordering::SeqCst);
        responses[index.min(responses.len() - 1)].clone()
    })
}

fn error(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "error": { "message": message } }))
}

#[test]
fn jobs_keep_their_order_and_a_failure_its_place() {
    let server = Server::new(|request| {
        let text = request.text();
        // Later jobs are answered sooner.
        thread::sleep(ms(60 - 5 * text.parse::<u64>().unwrap_or(0)));
        if text == "3" {
            error(403, "not this one")
        } else {
            says(&text)
        }
    });
    let pool = pool(&[&server], settings());
    let jobs: Vec<_> = (0..10).map(|index: u32| job(&index.to_string(), false)).collect();
    let answers = pool.generate(&jobs);
    for (index, answer) in answers.iter().enumerate() {
        match answer {
            Ok(completion) => assert_eq!(completion.text, index.to_string()),
            Err(error) => assert_eq!(
                (index, error.to_string()),
                (3, format!("{} answered 403: not this one", server.address()))
            ),
        }
    }
    assert!(answers[3].is_err());
    assert_eq!(server.chats().len(), 10, "a refusal is not repeated");
    assert_eq!(
        (
            answers[0].as_ref().unwrap().prompt_tokens,
            answers[0].as_ref().unwrap().completion_tokens
        ),
        (7, 3)
    );
    assert!(pool.generate(&[]).is_empty());
}

#[test]
fn no_more_requests_at_a_time_than_allowed_over_all_callers() {
    let server = Server::new(|_| {
        thread::sleep(ms(20));
        says("x")
    });
    let pool = pool(
        &[&server],
        Settings {
            concurrency: 3,
            ..settings()
        },
    );
    let jobs: Vec<_> = (0..10).map(|_| job("x", false)).collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| pool.generate(&jobs));
        }
    });
    assert_eq!(
        (server.peak.load(Ordering::SeqCst), server.chats().len()),
        (3, 20)
    );
}

#[test]
fn what_passes_is_repeated_and_nothing_else() {
    let check = |status: u16, asked: usize, well: bool| {
        let server = scripted(vec![
            error(status, "so it is"),
            error(status, "so it is"),
            says(VERDICT),
        ]);
        let answer = ask(&pool(&[&server], settings()), "x");
        assert_eq!(answer.is_ok(), well, "{status}: {answer:?}");
        let chats = server
            .seen()
            .iter()
            .filter(|request| request.path.contains("chat"))
            .count();
        assert_eq!(chats, asked, "{status}");
    };
    check(429, 3, true);
    for status in [401, 403, 404, 413] {
        check(status, 1, false);
    }
    // A failure takes the endpoint out, and a probe (answered by the same script) brings it back.
    let failing = |status: u16| {
        let count = AtomicUsize::new(0);
        let server = Server::new(move |request| match request.path.as_str() {
            "/v1/models" => Response::json(200, &json!({ "data": [] })),
            _ if count.fetch_add(1, Ordering::SeqCst) < 2 => error(status, "later"),
            _ => says(VERDICT),
        });
        let answer = ask(&pool(&[&server], settings()), "x");
        assert_eq!(
            answer.map(|completion| completion.text),
            Ok(VERDICT.to_owned()),
            "{status}"
        );
        assert_eq!(server.chats().len(), 3, "{status}");
        assert_eq!(server.seen().len(), 5, "{status}: two probes");
    };
    for status in [408, 500, 503] {
        failing(status);
    }
}

#[test]
fn retry_after_is_honoured_in_seconds_and_as_a_date() {
    let waits = |busy: Response| {
        let server = scripted(vec![busy, says(VERDICT)]);
        ask(&pool(&[&server], settings()), "x").expect("it waits");
        let seen = server.seen();
        seen[1].at - seen[0].at
    };
    let seconds = waits(error(429, "slow down").header("retry-after", "1"));
    assert!((ms(1_000)..ms(1_500)).contains(&seconds), "{seconds:?}");
    let date = error(429, "slow down")
        .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("retry-after", "Sun, 06 Nov 1994 08:49:39 GMT");
    let date = waits(date);
    assert!((ms(2_000)..ms(2_500)).contains(&date), "{date:?}");
}

#[test]
fn while_one_endpoint_asks_to_wait_another_is_asked() {
    let busy = Server::new(|_| error(429, "full").header("retry-after", "60"));
    let free = Server::chat(VERDICT);
    let pool = pool(&[&busy, &free], settings());
    for _ in 0..4 {
        ask(&pool, "x").expect("the other answers");
    }
    assert_eq!((busy.chats().len(), free.chats().len()), (1, 4));
}

#[test]
fn all_of_it_happens_within_one_deadline() {
    let timeout = ms(700);
    let check = |response: fn() -> Response, expect: &str| {
        let server = Server::new(move |_| response());
        let start = Instant::now();
        let error = ask(
            &pool(
                &[&server],
                Settings {
                    timeout,
                    ..settings()
                },
            ),
            "x",
        )
        .expect_err("too late");
        assert!(start.elapsed() < ms(1_300), "{:?}", start.elapsed());
        assert!(matches!(error, GenerateError::Deadline { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(expect) && text.contains("127.0.0.1"), "{text}");
    };
    check(
        || {
            thread::sleep(ms(3_000));
            says("late")
        },
        "timeout",
    );
    check(
        || error(429, "slow down").header("retry-after", "30"),
        "slow down",
    );
    check(|| error(503, "down"), "503: down");
}

#[test]
fn an_endpoint_that_is_gone_is_left_and_comes_back() {
    let steady = Server::chat(VERDICT);
    let flaky = Server::chat(VERDICT);
    let pool = pool(&[&flaky, &steady], settings());
    flaky.set_down(true);
    for _ in 0..5 {
        ask(&pool, "x").expect("the steady one answers");
    }
    assert_eq!((flaky.chats().len(), steady.chats().len()), (0, 5));
    flaky.set_down(false);
    thread::sleep(ms(1_100));
    for _ in 0..4 {
        ask(&pool, "x").expect("both answer");
    }
    let (back, other) = (flaky.chats().len(), steady.chats().len());
    assert!((2..=3).contains(&back) && back + other == 9, "{back}, {other}");
    let probes: Vec<_> = flaky
        .seen()
        .into_iter()
        .filter(|request| request.path == "/v1/models")
        .collect();
    assert!(!probes.is_empty(), "it was probed first");
}

#[test]
fn load_goes_where_there_is_least_of_it() {
    let slow = Server::new(|_| {
        thread::sleep(ms(200));
        says(VERDICT)
    });
    let quick = Server::new(|_| {
        thread::sleep(ms(10));
        says(VERDICT)
    });
    let pool = pool(
        &[&slow, &quick],
        Settings {
            concurrency: 4,
            ..settings()
        },
    );
    let jobs: Vec<_> = (0..24).map(|_| job("x", false)).collect();
    assert!(pool.generate(&jobs).iter().all(Result::is_ok));
    let (slow, quick) = (slow.chats().len(), quick.chats().len());
    assert!(quick > 2 * slow, "slow {slow}, quick {quick}");
}

#[test]
fn the_rate_holds_over_all_endpoints_and_costs_no_deadline() {
    let servers = [Server::chat(VERDICT), Server::chat(VERDICT)];
    let limited = Settings {
        requests_per_minute: Some(240),
        timeout: ms(600),
        ..settings()
    };
    let pool = pool(&[&servers[0], &servers[1]], limited);
    let start = Instant::now();
    // 24 go at once, the rest at 3.6 a second.
    let jobs: Vec<_> = (0..30).map(|_| job("x", false)).collect();
    assert!(pool.generate(&jobs).iter().all(Result::is_ok));
    let took = start.elapsed();
    assert!((ms(1_400)..ms(3_000)).contains(&took), "{took:?}");
}

#[test]
fn what_a_server_does_not_take_is_remembered_and_told_once() {
    let server = Server::new(|request| {
        let body = request.json();
        let unknown = ["response_format", "chat_template_kwargs", "seed"];
        match unknown.iter().find(|name| body.get(**name).is_some()) {
            Some(name) => error(400, &format!("Unrecognized request argument supplied: {name}")),
            None => says(VERDICT),
        }
    });
    let pool = pool(&[&server], settings());
    for _ in 0..3 {
        assert_eq!(ask(&pool, "x").expect("without them").text, VERDICT);
    }
    assert_eq!(server.chats().len(), 6, "three lessons, three answers");
    let notes = pool.take_notes();
    for name in [
        "response_format",
        "chat_template_kwargs",
        "seed",
        "no soft scores",
    ] {
        assert_eq!(
            notes.iter().filter(|note| note.contains(name)).count(),
            1,
            "{name}: {notes:?}"
        );
    }
    assert!(pool.take_notes().is_empty(), "each is told once");
}

#[test]
fn a_server_that_does_not_say_what_it_minds_is_asked_plainly_once() {
    let server = Server::new(|request| {
        if request.json().get("logprobs").is_some() {
            error(422, "Unprocessable")
        } else {
            says(VERDICT)
        }
    });
    let pool = pool(&[&server], settings());
    assert!(ask(&pool, "x").is_ok() && ask(&pool, "x").is_ok());
    assert_eq!(server.chats().len(), 3);
    let stubborn = Server::new(|_| error(400, "no"));
    let error = ask(&self::pool(&[&stubborn], settings()), "x").expect_err("refused");
    assert_eq!(stubborn.chats().len(), 2);
    assert!(
        matches!(error, GenerateError::Refused { status: 400, .. }),
        "{error}"
    );
}

#[test]
fn concurrent_jobs_learn_together() {
    let server = Server::new(|request| {
        thread::sleep(ms(30));
        if request.json().get("seed").is_some() {
            error(400, "seed?")
        } else {
            says(VERDICT)
        }
    });
    let pool = pool(
        &[&server],
        Settings {
            concurrency: 8,
            ..settings()
        },
    );
    let jobs: Vec<_> = (0..8).map(|_| job("x", false)).collect();
    let answers = pool.generate(&jobs);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// A model that thinks unless it is held to a form.
fn swallowing() -> Server {
    Server::new(|request| {
        if request.json().get("response_format").is_some() {
            says(VERDICT)
        } else {
            says(&format!("<think>\nwhy\n</think>\n\n{VERDICT}"))
        }
    })
}

#[test]
fn a_form_that_swallows_the_thinking_is_found_out_once() {
    let server = swallowing();
    let pool = pool(&[&server], settings());
    let think = |pool: &Pool| {
        pool.generate(&[job("x", true)])
            .pop()
            .expect("one")
            .expect("an answer")
    };
    let first = think(&pool);
    assert!(first.text.starts_with("<think>"), "{}", first.text);
    assert_eq!(
        (first.prompt_tokens, first.completion_tokens),
        (14, 6),
        "both requests are counted"
    );
    assert_eq!(server.chats().len(), 2);
    assert!(think(&pool).text.starts_with("<think>"));
    assert_eq!(server.chats().len(), 3, "from then on it is left free");
    assert_eq!(
        ask(&pool, "x").expect("an answer").text,
        VERDICT,
        "without thinking it is held to the form"
    );
    let notes = pool.take_notes();
    assert!(
        notes.iter().any(|note| note.contains("cannot think")),
        "{notes:?}"
    );
}

#[test]
fn a_model_that_never_thinks_is_still_held_to_the_form() {
    let server = Server::chat(VERDICT);
    let pool = pool(&[&server], settings());
    for _ in 0..2 {
        let answer = pool
            .generate(&[job("x", true)])
            .pop()
            .expect("one")
            .expect("an answer");
        assert_eq!(answer.text, VERDICT);
    }
    let formed: Vec<bool> = server
        .chats()
        .iter()
        .map(|chat| chat.json().get("response_format").is_some())
        .collect();
    assert_eq!(formed, [true, false, true]);
    let notes = pool.take_notes();
    assert!(notes.iter().any(|note| note.contains("hold none")), "{notes:?}");
}

#[test]
fn the_served_model_is_the_only_one_or_named() {
    let lists = |models: Value| Server::new(move |_| Response::json(200, &json!({ "data": models })));
    let connect = |servers: &[&Server], name: Option<&str>| {
        let settings = Settings {
            served_model: name.map(str::to_owned),
            ..settings()
        };
        Pool::connect(
            servers.iter().map(|server| server.address()).collect(),
            &Keys::default(),
            settings,
        )
    };
    let one = lists(json!([{ "id": "a" }]));
    let two = lists(json!([{ "id": "a" }, { "id": "b" }]));
    let other = lists(json!([{ "id": "b" }]));
    let pool = connect(&[&one], None).expect("one model");
    assert_eq!(
        (pool.served_model(), pool.name()),
        ("a", format!("a@127.0.0.1:{}", one.port).as_str())
    );
    let error = connect(&[&two], None).expect_err("two models");
    assert!(error.to_string().contains("a, b"), "{error}");
    assert_eq!(connect(&[&two], Some("b")).expect("named").served_model(), "b");
    let error = connect(&[&one, &other], None).expect_err("different ones");
    assert!(matches!(error, RemoteError::DifferentModels { .. }), "{error}");
    one.set_down(true);
    let error = connect(&[&one], None).expect_err("nobody is there");
    assert!(matches!(error, RemoteError::Unreachable(_)), "{error}");
    assert_eq!(
        connect(&[&one, &other], None)
            .expect("the other answers")
            .served_model(),
        "b"
    );
    assert!(matches!(connect(&[], None), Err(RemoteError::NoAddress)));
}

#[test]
fn keys_are_sent_and_never_shown() {
    let server = Server::new(|request| {
        let sent = request.headers.get("authorization").cloned().unwrap_or_default();
        error(401, &format!("Incorrect API key provided: {sent}"))
    });
    let keys = Keys {
        own: ApiKey::new("sk-secret"),
        openai: ApiKey::new("sk-other"),
    };
    let pool = Pool::connect(vec![server.address()], &keys, settings()).expect("a pool");
    let error = ask(&pool, "x").expect_err("refused");
    assert_eq!(server.chats()[0].headers["authorization"], "Bearer sk-secret");
    let unnamed = Settings {
        served_model: None,
        ..settings()
    };
    let listing = Pool::connect(vec![server.address()], &keys, unnamed).expect_err("refused");
    for shown in [
        format!("{error} {error:?}"),
        format!("{pool:?}"),
        format!("{listing} {listing:?}"),
        pool.name().to_owned(),
    ] {
        assert!(
            !shown.contains("secret") && !shown.contains("sk-other"),
            "{shown}"
        );
    }
    assert!(error.to_string().contains("Bearer [key]"), "{error}");
}

#[test]
fn a_reply_that_was_cut_says_so() {
    let body = json!({ "choices": [{ "message": { "content": "{\"sco" }, "finish_reason": "length" }] });
    let server = Server::new(move |_| Response::json(200, &body));
    let completion = ask(&pool(&[&server], settings()), "x").expect("a reply");
    assert_eq!(
        (completion.finish, completion.text.as_str()),
        (FinishReason::Length, "{\"sco")
    );
}

/// With many connections each has small buffers; what passes through them may be of any length, and headers as long as
/// servers send them.
#[test]
fn long_prompts_replies_and_headers_pass_through_any_buffers() {
    let server = Server::new(|request| says(&request.text()).header("x-long", "h".repeat(7_500)));
    for concurrency in [1, 64] {
        let pool = pool(
            &[&server],
            Settings {
                concurrency,
                ..settings()
            },
        );
        let texts: Vec<String> = [1, 10_239, 10_240, 10_241, 1_000_000]
            .map(|length| {
                (0..length)
                    .map(|place| char::from(b'a' + (place % 23) as u8))
                    .collect()
            })
            .to_vec();
        let jobs: Vec<_> = texts.iter().map(|text| job(text, false)).collect();
        for (text, answer) in texts.iter().zip(pool.generate(&jobs)) {
            let answer = answer.expect("a reply").text;
            assert!(answer == *text, "{} of {} bytes", answer.len(), text.len());
        }
    }
}
