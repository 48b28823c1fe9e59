//! A judge before scripted models.

use super::*;
use crate::generate::Scripted;
use crate::request::Response;
use crate::verdict::render;

const REPLY: &str = "<think>\nwhy\n</think>\n\n{\"scores\": {\"model-1\": 5, \"model-2\": 1}}";

fn request(texts: &[&str]) -> JudgeRequest {
    let responses = texts
        .iter()
        .enumerate()
        .map(|(i, text)| Response::new(format!("name {i}"), *text))
        .collect();
    JudgeRequest::new("Be brief.", "Why?", responses).unwrap()
}

fn with(order: OrderPolicy) -> Profile {
    Profile {
        order,
        ..Profile::rewardanything()
    }
}

/// A judge that likes short texts, wherever they are shown.
fn shortest_first() -> Scripted {
    Scripted::from_fn(|job| {
        let user = &job.messages.last().unwrap().content;
        let value: serde_json::Value = serde_json::from_str(user).unwrap();
        let shown = value["responses"].as_object().unwrap();
        let scores: Vec<f64> = shown
            .values()
            .map(|text| 5.0 - text.as_str().unwrap().len().min(4) as f64)
            .collect();
        let order: Vec<usize> = (0..scores.len()).collect();
        let verdict = Verdict::from_scores("Short is good.", &scores, &order).unwrap();
        let text = render(&verdict, &Mask::identity(scores.len()));
        Ok(Completion {
            text,
            prompt_tokens: 1,
            completion_tokens: 1,
            finish: FinishReason::Stop,
            distributions: Vec::new(),
        })
    })
}

#[test]
fn verdicts_come_back_by_response_under_every_order() {
    let model = shortest_first();
    let request = request(&["aaaa", "a", "aaa", "aa"]);
    for order in [OrderPolicy::Seeded, OrderPolicy::Published, OrderPolicy::Given] {
        for seed in 0..20 {
            let verdict = Judge::new(&model, with(order), seed)
                .judge(&request)
                .verdict
                .unwrap();
            assert_eq!(verdict.values(), [1.0, 4.0, 2.0, 3.0]);
            assert_eq!(verdict.ranking, [1, 3, 2, 0]);
        }
    }
}

#[test]
fn distributions_come_back_by_response_under_every_order() {
    let sure = |score: f64| {
        let mut weights = [0.0; 5];
        weights[score as usize - 1] = 1.0;
        Some(weights)
    };
    // By label, as the scores of the reply are; the last is not known.
    let model = Scripted::from_fn(move |job| {
        let labels = &job.form.as_ref().expect("constrained is the default").labels;
        let scores: Vec<f64> = (0..labels.len()).map(|label| 5.0 - label as f64).collect();
        let verdict = Verdict::from_scores("", &scores, &[0, 1, 2, 3]).unwrap();
        let mut distributions: Vec<_> = scores.iter().map(|&score| sure(score)).collect();
        distributions[3] = None;
        Ok(Completion {
            text: render(&verdict, &Mask::identity(labels.len())),
            prompt_tokens: 1,
            completion_tokens: 1,
            finish: FinishReason::Stop,
            distributions,
        })
    });
    for seed in 0..20 {
        let judgment =
            Judge::new(&model, Profile::rewardanything(), seed).judge(&request(&["a", "b", "c", "d"]));
        let scores = judgment.verdict.unwrap().scores;
        for (position, &response) in judgment.mask.order().iter().enumerate() {
            let score = scores[response];
            assert_eq!(score.soft(), score.value(), "seed {seed}");
            assert_eq!(score.distribution().is_some(), position < 3, "seed {seed}");
        }
    }
}

#[test]
fn scores_read_apart_come_back_by_response() {
    let model = Scripted::from_fn(|job| {
        let form = job.form.as_ref().expect("branches have a form");
        let [label] = form.labels.as_slice() else {
            panic!("a branch has one label")
        };
        let user = &job.messages.last().unwrap().content;
        let value: serde_json::Value = serde_json::from_str(user).unwrap();
        let length = value["responses"][label].as_str().unwrap().len();
        Ok(Completion {
            text: format!("{{\"scores\": {{\"{label}\": {length}}}, \"best-to-worst\": [\"{label}\"]}}"),
            prompt_tokens: 1,
            completion_tokens: 1,
            finish: FinishReason::Stop,
            distributions: Vec::new(),
        })
    });
    let profile = Profile {
        decoding: Decoding::Branches,
        ..Profile::rewardanything()
    };
    let requests = [request(&["aa", "aaaaa", "a"]), request(&["aaa", "a"])];
    let repeats = Repeats {
        permutations: 2,
        samples: 1,
    };
    let judge = Judge::new(&model, profile, 3).with_repeats(repeats);
    let verdicts: Vec<Verdict> = judge
        .judge_batch(&requests)
        .into_iter()
        .map(|judgment| judgment.verdict.unwrap())
        .collect();
    assert_eq!(verdicts[0].values(), [2.0, 5.0, 1.0]);
    assert_eq!(verdicts[1].values(), [3.0, 1.0]);
    assert_eq!(model.seen().len(), 2 * 3 + 2 * 2);
    assert!(model.seen().iter().all(|job| !job.thinking));
}

/// A judge that likes whatever is shown first.
fn first_is_best() -> Scripted {
    Scripted::from_fn(|job| {
        let labels = &job.form.as_ref().expect("constrained is the default").labels;
        let scores: Vec<f64> = (0..labels.len()).map(|place| 5.0 - place as f64).collect();
        let order: Vec<usize> = (0..scores.len()).collect();
        let verdict = Verdict::from_scores("", &scores, &order).unwrap();
        Ok(Completion {
            text: render(&verdict, &Mask::identity(scores.len())),
            prompt_tokens: 10,
            completion_tokens: 3,
            finish: FinishReason::Stop,
            distributions: Vec::new(),
        })
    })
}

#[test]
fn all_rotations_cancel_a_bias_of_position() {
    let model = first_is_best();
    let all = Repeats {
        permutations: usize::MAX,
        samples: 1,
    };
    let judge = Judge::new(&model, Profile::rewardanything(), 5).with_repeats(all);
    let judgments = judge.judge_batch(&[request(&["a", "b", "c", "d"]), request(&["e"])]);
    let votes = judgments[0].votes.unwrap();
    assert_eq!((votes.asked, votes.answered), (4, 4));
    assert_eq!((votes.prompt_tokens, votes.completion_tokens), (40, 12));
    assert_eq!(judgments[0].verdict.as_ref().unwrap().values(), [3.5; 4]);
    assert_eq!(judgments[1].votes.unwrap().asked, 1);
    assert_eq!(judgments[1].verdict.as_ref().unwrap().values(), [5.0]);
    // The first order is the one of a single run.
    let once = Judge::new(&model, Profile::rewardanything(), 5);
    let seen = model.seen();
    once.judge(&request(&["a", "b", "c", "d"]));
    assert_eq!(model.seen()[5].messages, seen[0].messages);
}

#[test]
fn samples_differ_in_their_seed_alone() {
    let model = first_is_best();
    let repeats = Repeats {
        permutations: 2,
        samples: 3,
    };
    let judgment = Judge::new(&model, Profile::rewardanything(), 5)
        .with_repeats(repeats)
        .judge(&request(&["a", "b"]));
    assert_eq!(judgment.votes.unwrap().asked, 6);
    let seen = model.seen();
    let seeds: std::collections::HashSet<u64> = seen.iter().map(|job| job.sampling.seed).collect();
    assert_eq!((seen.len(), seeds.len(), seen[0].sampling.seed), (6, 3, 0));
    assert_eq!(seen[0].messages, seen[2].messages);
    assert_ne!(seen[2].messages, seen[3].messages);
}

#[test]
fn a_batch_answers_in_order_as_one_by_one() {
    let model = shortest_first();
    let judge = Judge::new(&model, Profile::rewardanything(), 3);
    let requests: Vec<JudgeRequest> = [&["a", "aa"][..], &["aaa", "a", "aa"], &["aa"]]
        .iter()
        .map(|texts| request(texts))
        .collect();
    let batch = judge.judge_batch(&requests);
    let singly: Vec<Judgment> = requests.iter().map(|request| judge.judge(request)).collect();
    assert_eq!(batch, singly);
    assert_eq!(judge.judge_batch(&[]), []);
}

#[test]
fn the_mask_depends_on_seed_and_texts_and_not_on_names() {
    let model = Scripted::always(REPLY);
    let mask = |seed: u64, texts: [&str; 5]| {
        Judge::new(&model, Profile::rewardanything(), seed)
            .mask(&request(&texts))
            .unwrap()
    };
    let texts = ["a", "b", "c", "d", "e"];
    let renamed = texts
        .iter()
        .map(|text| Response::new(format!("other {text}"), *text))
        .collect();
    let renamed = JudgeRequest::new("Be brief.", "Why?", renamed).unwrap();
    assert_eq!(
        Judge::new(&model, Profile::rewardanything(), 1)
            .mask(&renamed)
            .unwrap(),
        mask(1, texts)
    );
    assert_ne!(mask(1, texts), mask(2, texts));
    assert_ne!(mask(1, texts), mask(1, ["a", "b", "c", "d", "f"]));
    assert_eq!(
        mask(1, texts).order(),
        EXPECTED_ORDER,
        "stored verdicts rely on it"
    );
}

const EXPECTED_ORDER: [usize; 5] = [0, 2, 4, 1, 3];

#[test]
fn too_many_responses_fail_alone_and_reach_no_model() {
    let model = Scripted::always(REPLY);
    let profile = Profile {
        max_responses: 2,
        ..with(OrderPolicy::Given)
    };
    let judgments =
        Judge::new(&model, profile, 0).judge_batch(&[request(&["a", "b", "c"]), request(&["a", "b"])]);
    let error = judgments[0].verdict.as_ref().unwrap_err();
    assert_eq!(
        (error.kind(), judgments[0].completion.is_none()),
        ("too_many_responses", true)
    );
    assert!(judgments[1].verdict.is_ok());
    assert_eq!(model.seen().len(), 1);

    let many: Vec<String> = (0..33).map(|i| i.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let judgment = Judge::new(&model, with(OrderPolicy::Published), 0).judge(&request(&many));
    assert_eq!(judgment.verdict.unwrap_err().kind(), "too_many_responses");
}

#[test]
fn errors_say_where_the_verdict_got_lost() {
    use FinishReason::{Length, Stop};
    use ThinkingPolicy::{Optional, Required};
    let check = |text: &str, finish: FinishReason, thinking: ThinkingPolicy, expect: &str| {
        let text = text.to_owned();
        let model = Scripted::from_fn(move |_| {
            Ok(Completion {
                text: text.clone(),
                prompt_tokens: 1,
                completion_tokens: 9,
                finish,
                distributions: Vec::new(),
            })
        });
        let profile = Profile {
            thinking,
            ..with(OrderPolicy::Given)
        };
        let judgment = Judge::new(&model, profile, 0).judge(&request(&["a", "b"]));
        let kind = judgment.verdict.as_ref().err().map_or("none", JudgeError::kind);
        assert_eq!(kind, expect, "{judgment:?}");
        assert!(judgment.completion.is_some());
    };
    let json = "{\"scores\": {\"model-1\": 5, \"model-2\": 1}}";
    check(REPLY, Stop, Required, "none");
    check(json, Stop, Optional, "none");
    check(json, Stop, Required, "no_reasoning");
    check("<think>hm", Stop, Optional, "truncated_thinking");
    check("<think>hm", Length, Optional, "truncated");
    check(REPLY, Length, Optional, "none");
    check(json, Length, Optional, "none");
    check(
        &format!("model-2 forged {json} and I"),
        Length,
        Optional,
        "truncated",
    );
    check(&format!("model-2 forged {json} and I"), Stop, Optional, "none");
}

#[test]
fn a_backend_that_answers_too_little_is_an_error() {
    struct Mute;
    impl Generate for Mute {
        fn name(&self) -> &str {
            "mute"
        }
        fn generate(&self, _: &[GenerateJob]) -> Vec<Result<Completion, GenerateError>> {
            Vec::new()
        }
    }
    let error = Judge::new(&Mute, Profile::rewardanything(), 0)
        .judge(&request(&["a"]))
        .verdict
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        ("backend", "expected a completion for every job, got 0")
    );
}
