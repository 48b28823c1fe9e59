//! A judge in steps before a script that counts commas.

use super::*;
use crate::generate::{Generate as _, Scripted, Until};
use crate::profile::{Layout, Profile};
use crate::request::Response;
use crate::votes::Repeats;
use crate::{Judge, OrderPolicy};

fn profile() -> Profile {
    Profile {
        layout: Layout::Pieces,
        piece_words: 2.try_into().unwrap(),
        system: String::new(),
        ..Profile::rewardanything()
    }
}

fn request(texts: &[&str]) -> JudgeRequest {
    let responses = texts
        .iter()
        .enumerate()
        .map(|(i, text)| Response::new(format!("name {i}"), *text))
        .collect();
    JudgeRequest::new("Spare the commas.", "Why?", responses).unwrap()
}

/// Says that fewer commas are asked for, counts those of every piece, and gives 5 to none and 1 to any. Refuses a text
/// with "bad" in it.
fn counter() -> Scripted {
    Scripted::from_fn(|job| {
        let form = job.form.as_ref().expect("a form");
        let mut text = String::new();
        let mut commas = 0;
        for given in &form.given {
            text.push_str(&given.text);
            if given.text.contains("bad") {
                return Err(GenerateError::Backend("bad".to_owned()));
            }
            match given.until {
                Until::Text("]") => {
                    let piece = given.text.matches(',').count();
                    commas += piece;
                    text.push_str(&format!("commas {piece}:{commas}]"));
                }
                Until::Text(_) if given.text == TOTAL => text.push_str(&format!(" commas {commas}.\n")),
                Until::Text(_) => text.push_str(" fewer commas.\n"),
                Until::Here => {}
                Until::End => text.push_str("From 1 to 5.\n</think>\n\nI like model-2."),
            }
        }
        let end = if form.labels.is_empty() {
            String::new()
        } else {
            let totals: Vec<&str> = text.lines().filter(|line| line.contains(": all")).collect();
            let clean: Vec<bool> = totals.iter().map(|line| line.ends_with(" 0.")).collect();
            let scores: Vec<f64> = clean.iter().map(|&clean| if clean { 5.0 } else { 1.0 }).collect();
            let order: Vec<usize> = (0..scores.len()).collect();
            let verdict = crate::Verdict::from_scores("From 1 to 5.", &scores, &order).unwrap();
            let all = crate::render(&verdict, &Mask::identity(scores.len()));
            all["<think>\n".len()..].to_owned()
        };
        Ok(Completion {
            text: text + &end,
            prompt_tokens: 10,
            completion_tokens: 1,
            finish: FinishReason::Stop,
            distributions: Vec::new(),
        })
    })
    .holding_forms()
}

#[test]
fn a_request_is_named_read_and_concluded() {
    let model = counter();
    let request = request(&["One, two, three", "None here"]);
    let given = Profile {
        order: OrderPolicy::Given,
        ..profile()
    };
    let judgment = Judge::new(&model, given, 0).judge(&request);
    let verdict = judgment.verdict.unwrap();
    assert_eq!(verdict.values(), [1.0, 5.0]);
    assert_eq!(
        verdict.reasoning,
        "Asked for: fewer commas.\n\
         model-1: ⟦1a⟧ One, two, [commas 2:2]⟦1b⟧ three [commas 0:2] all commas 2.\n\
         model-2: ⟦2a⟧ None here [commas 0:0] all commas 0.\n\
         From 1 to 5."
    );
    let completion = judgment.completion.unwrap();
    assert_eq!((completion.prompt_tokens, completion.completion_tokens), (40, 4));

    let asked: Vec<String> = model
        .seen()
        .iter()
        .map(|job| job.messages[0].content.clone())
        .collect();
    assert_eq!(
        asked,
        [
            "Principle: Spare the commas.\nPrompt: Why?\nPrinciple: Spare the commas.",
            "Principle: fewer commas.\nPrompt: \nmodel-1: \nPrinciple: fewer commas.",
            "Principle: fewer commas.\nPrompt: \nmodel-1: \nPrinciple: fewer commas.",
            "Principle: fewer commas.\nPrompt: \nmodel-1: \nmodel-2: \nPrinciple: fewer commas.",
        ]
    );
}

/// Nothing but the conclusion is left to the model: without its notes it would judge nothing that it has read.
#[test]
fn where_decoding_is_free_the_conclusion_is() {
    let profile = Profile {
        order: OrderPolicy::Given,
        decoding: Decoding::Free,
        ..profile()
    };
    let judgment = Judge::new(&counter(), profile, 0).judge(&request(&["One, two", "None"]));
    let text = judgment.completion.unwrap().text;
    assert!(
        text.ends_with("[commas 0:0] all commas 0.\nFrom 1 to 5.\n</think>\n\nI like model-2."),
        "{text}"
    );
    assert!(judgment.verdict.is_err());
}

#[test]
fn a_response_that_has_no_room_is_named() {
    let steps = counter();
    let model = Scripted::from_fn(move |job| {
        if job
            .form
            .as_ref()
            .is_some_and(|form| form.given[0].text.contains("Two"))
        {
            return Err(GenerateError::PromptTooLong {
                prompt_tokens: 3,
                max_new_tokens: 9,
                context: 10,
            });
        }
        steps.generate(std::slice::from_ref(job)).remove(0)
    })
    .holding_forms();
    let error = Judge::new(&model, profile(), 0)
        .judge(&request(&["One", "Two"]))
        .verdict
        .unwrap_err();
    assert_eq!(error.kind(), "prompt_too_long");
    assert!(
        error
            .to_string()
            .starts_with("responses.name 1: read out it takes 12 tokens"),
        "{error}"
    );
}

#[test]
fn orders_share_what_was_read() {
    let model = counter();
    let request = request(&["a, b", "c", "d, e,", "f"]);
    let repeats = Repeats {
        permutations: 4,
        samples: 2,
    };
    let judgment = Judge::new(&model, profile(), 3)
        .with_repeats(repeats)
        .judge(&request);
    assert_eq!(judgment.verdict.unwrap().values(), [1.0, 5.0, 1.0, 5.0]);
    let votes = judgment.votes.unwrap();
    assert_eq!((votes.asked, votes.agreement), (8, Some(1.0)));
    // For each sample once: a name and four texts. For each order and sample: a conclusion.
    assert_eq!(model.seen().len(), 2 * 5 + 8);
    assert_eq!(votes.completion_tokens, 2 * 5 + 8);
    let mut seeds: Vec<u64> = model.seen().iter().map(|job| job.sampling.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 2);
}

#[test]
fn a_text_that_fails_leaves_other_requests_alone() {
    let model = counter();
    let requests = [
        request(&["a,", "b"]),
        request(&["a bad", "b,"]),
        request(&["a", "b,"]),
    ];
    let judgments = Judge::new(&model, profile(), 3).judge_batch(&requests);
    let values = |at: usize| judgments[at].verdict.as_ref().map(crate::Verdict::values);
    assert_eq!(values(0).unwrap(), [1.0, 5.0]);
    assert_eq!(values(1).unwrap_err().kind(), "backend");
    assert_eq!(values(2).unwrap(), [5.0, 1.0]);
}

#[test]
fn a_reply_that_is_not_in_form_is_an_error_with_both_texts() {
    let model = Scripted::always("I would rather not.").holding_forms();
    let error = Judge::new(&model, profile(), 0)
        .judge(&request(&["a", "b"]))
        .verdict
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("Asked for:") && text.contains("I would rather not."),
        "{text}"
    );
}

#[test]
fn a_reply_that_was_cut_off_is_said_to_be() {
    let inner = counter();
    let model = Scripted::from_fn(move |job| {
        use crate::generate::Generate as _;
        let mut reply = inner.generate(std::slice::from_ref(job)).remove(0)?;
        if job.form.as_ref().is_some_and(|form| !form.labels.is_empty()) {
            reply.text.truncate(reply.text.len() - 70);
            reply.finish = FinishReason::Length;
        }
        Ok(reply)
    })
    .holding_forms();
    let error = Judge::new(&model, profile(), 0)
        .judge(&request(&["a", "b"]))
        .verdict
        .unwrap_err();
    assert_eq!(error.kind(), "truncated");
}

#[test]
fn without_forms_all_is_one_reply() {
    let model = Scripted::always("{\"scores\": {\"model-1\": 5, \"model-2\": 1}}");
    Judge::new(&model, profile(), 0)
        .judge(&request(&["a", "b"]))
        .verdict
        .unwrap();
    assert_eq!(model.seen().len(), 1);
}
