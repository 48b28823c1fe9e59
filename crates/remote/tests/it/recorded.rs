//! Replies of real servers, recorded, through the whole client.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rewardanything_core::{
    Completion, FinishReason, Generate as _, GenerateError, Mask, Message, Repair, Role, parse,
};
use rewardanything_remote::{Keys, Pool, Scalar, ScalarApi, ScalarInput, ScalarReply, Settings};
use serde_json::Value;

use crate::server::{Response, Server, job};

fn fixture(server: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/remote/{server}.json"));
    serde_json::from_slice(&fs::read(path).expect("the fixture is there")).expect("it is JSON")
}

/// What the client makes of a recorded answer.
fn replay(
    server: &str,
    case: &str,
    thinking: bool,
) -> (Result<Completion, GenerateError>, Value, Vec<String>) {
    let recorded = fixture(server)["cases"][case].clone();
    let status = recorded["status"].as_u64().expect("a status") as u16;
    let response = Response::json(status, &recorded["reply"]);
    let stand_in = Server::new(move |_| response.clone());
    let settings = Settings {
        served_model: Some("nano".to_owned()),
        ..Settings::default()
    };
    let pool = Pool::connect(vec![stand_in.address()], &Keys::default(), settings).expect("a pool");
    let answer = pool.generate(&[job("x", thinking)]).pop().expect("one answer");
    (answer, recorded, pool.take_notes())
}

#[test]
fn verdicts_reasoning_and_probabilities_are_read() {
    for (server, case, thinking, reasons) in [
        ("llama_cpp", "silent_constrained", false, false),
        ("llama_cpp", "thinking_constrained", true, false),
        ("llama_cpp", "thinking_free", true, true),
        ("vllm", "silent_constrained", false, false),
        ("vllm", "thinking_constrained", true, true),
        ("vllm", "thinking_free", true, true),
        ("sglang", "silent_constrained", false, false),
        ("sglang", "thinking_constrained", true, true),
    ] {
        let (answer, recorded, notes) = replay(server, case, thinking);
        let place = format!("{server} {case}");
        let completion = answer.expect(&place);
        assert_eq!(completion.finish, FinishReason::Stop, "{place}");
        let usage = &recorded["reply"]["usage"];
        // Asked a second time, the stand-in answers the same.
        let times = if thinking && !reasons { 2 } else { 1 };
        assert_eq!(
            usage["prompt_tokens"].as_u64(),
            Some(completion.prompt_tokens as u64 / times),
            "{place}"
        );
        assert_eq!(
            usage["completion_tokens"].as_u64(),
            Some(completion.completion_tokens as u64 / times),
            "{place}"
        );
        assert_eq!(
            notes.iter().any(|note| note.contains("hold none")),
            times == 2,
            "{place}: {notes:?}"
        );

        let verdict = parse(&completion.text, &Mask::identity(2)).expect(&place);
        assert_eq!(!verdict.reasoning.is_empty(), reasons, "{place}");
        // Of a small model that is held to a form it may say so; nothing had to be mended to read it.
        assert!(
            verdict
                .repairs
                .iter()
                .all(|repair| *repair == Repair::RankingContradictsScores),
            "{place}: {:?}",
            verdict.repairs
        );
        assert_eq!(completion.distributions.len(), 2, "{place}");
        for (label, got) in completion.distributions.iter().enumerate() {
            let got = got.expect(&place);
            for (score, got) in got.iter().enumerate() {
                let expect = recorded["distributions"][label][score]
                    .as_f64()
                    .expect("a number");
                assert!(
                    (got - expect).abs() < 1e-9,
                    "{place}: {label} {score}: {got} {expect}"
                );
            }
            let likeliest = (0..5).max_by(|&a, &b| got[a].total_cmp(&got[b])).expect("five") + 1;
            assert_eq!(verdict.scores[label].value(), likeliest as f64, "{place}: greedy");
        }
    }
}

#[test]
fn replies_that_were_cut_have_no_verdict() {
    for server in ["llama_cpp", "vllm", "sglang"] {
        let completion = replay(server, "cut", true).0.expect(server);
        assert_eq!(completion.finish, FinishReason::Length, "{server}");
        assert!(
            completion.text.starts_with("<think>"),
            "{server}: {}",
            completion.text
        );
        let error = parse(&completion.text, &Mask::identity(2)).expect_err(server);
        assert_eq!(error.kind(), "truncated_thinking", "{server}");
    }
}

#[test]
fn prompts_that_are_too_long_are_typed() {
    let check = |server: &str, prompt_tokens: usize| {
        let error = replay(server, "too_long", false).0.expect_err(server);
        let expect = GenerateError::PromptTooLong {
            prompt_tokens,
            max_new_tokens: 400,
            context: 2_048,
        };
        assert_eq!(error, expect, "{server}");
    };
    check("llama_cpp", 6_065);
    check("vllm", 2_049);
    check("sglang", 6_065);
    let error = replay("vllm", "too_much", false).0.expect_err("too much");
    assert!(matches!(error, GenerateError::Overlong { .. }), "{error}");
    assert!(error.to_string().contains("max_tokens=4096"), "{error}");
}

#[test]
fn other_refusals_are_told_in_the_servers_words() {
    for (server, words) in [("llama_cpp", "unrecognized type"), ("vllm", "Grammar error")] {
        let error = replay(server, "bad_schema", false).0.expect_err(server);
        assert!(
            matches!(error, GenerateError::Refused { status: 400, .. }),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// A conversation as `tools/reference/scalar.py` has it.
fn talk(answer: &str) -> Vec<Message> {
    let says = |role, content: &str| Message {
        role,
        content: content.to_owned(),
    };
    vec![
        says(Role::User, "What is the capital of France?"),
        says(Role::Assistant, answer),
    ]
}

/// The recorded answer to what is asked, which must be the recorded question to the byte.
fn scored(case: &str, input: ScalarInput) -> (Result<ScalarReply, GenerateError>, Value) {
    let recorded = fixture("scalar")["cases"][case].clone();
    let text = |key: &str| recorded[key].as_str().expect("a text").to_owned();
    let response = Response::new(
        recorded["status"].as_u64().expect("a status") as u16,
        text("reply"),
    );
    let asked = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&asked);
    let stand_in = Server::new(move |request| {
        let question = (request.path.clone(), request.body.clone());
        *heard.lock().expect("a test") = Some(question);
        response.clone()
    });
    let settings = Settings {
        served_model: Some("reward".to_owned()),
        ..Settings::default()
    };
    let model = Scalar::connect(
        vec![stand_in.address()],
        &Keys::default(),
        settings,
        ScalarApi::Classify,
    )
    .expect("a model");
    let answer = model.score(&[input]).pop().expect("one answer");
    let (path, body) = asked.lock().expect("a test").take().expect("it was asked");
    assert_eq!(path, text("path"), "{case}");
    assert_eq!(String::from_utf8_lossy(&body), text("request"), "{case}");
    (answer, recorded)
}

#[test]
fn scalar_models_are_asked_and_read_as_recorded() {
    let recorded = fixture("scalar");
    let question: Value =
        serde_json::from_str(recorded["cases"]["text"]["request"].as_str().expect("a text")).expect("JSON");
    let rendered = question["input"].as_str().expect("a text").to_owned();
    for (case, input) in [
        ("messages", ScalarInput::Messages(talk("Paris."))),
        ("text", ScalarInput::Text(rendered)),
    ] {
        let (answer, recorded) = scored(case, input);
        let reply = answer.expect(case);
        // The number is the logit that transformers computes with the same weights, and not a probability.
        let logit = recorded["logit"].as_f64().expect("a number");
        assert!((reply.score - logit).abs() < 1e-3, "{case}: {reply:?} {logit}");
        assert_eq!(
            Some(reply.prompt_tokens as u64),
            recorded["tokens"].as_u64(),
            "{case}"
        );
    }
}

#[test]
fn a_scalar_model_that_refuses_is_quoted() {
    let long = "and on ".repeat(600);
    let (answer, _) = scored("too_long", ScalarInput::Messages(talk(&long)));
    match answer {
        Err(GenerateError::Refused { status, message, .. }) => {
            assert_eq!(status, 400);
            assert!(message.contains("1024"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
