//! The probabilities behind the scores, out of the log-probabilities of a reply.
//!
//! The digits that count are those of the verdict in the *answer*. The stream of tokens holds the reasoning too, which
//! is full of digits; so the answer is found in it first, then the verdict in the answer, then its scores. Where any of
//! this cannot be read with certainty there is no distribution: one that pretends would be worse.

use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

/// The most that the digits which the server does not list may weigh beside those which it lists.
const UNSEEN: f64 = 0.05;

/// How many opening braces are tried as the beginning of the verdict, from the last one back.
const TRIES: usize = 64;

/// A token of a reply with its likeliest rivals.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Token {
    token: String,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Option<Vec<Alternative>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Alternative {
    token: String,
    logprob: Option<f64>,
}

/// For each label the probabilities of the scores 1 to 5, which sum to 1, or `None` where they cannot be read.
pub(crate) fn distributions(tokens: &[Token], answer: &str, labels: &[String]) -> Vec<Option<[f64; 5]>> {
    let digits = digits(answer.trim(), labels);
    let mut ends = Vec::with_capacity(tokens.len());
    let mut stream: Vec<u8> = Vec::new();
    for token in tokens {
        stream.extend_from_slice(token.bytes.as_deref().unwrap_or(token.token.as_bytes()));
        ends.push(stream.len());
    }
    let answer = answer.trim().as_bytes();
    let start = (!answer.is_empty())
        .then(|| stream.windows(answer.len()).rposition(|window| window == answer))
        .flatten();
    let Some(start) = start else {
        return vec![None; labels.len()];
    };
    digits
        .into_iter()
        .map(|place| {
            let place = start + place?;
            let index = ends.partition_point(|&end| end <= place);
            let begins = index.checked_sub(1).map_or(0, |before| ends[before]);
            read(tokens.get(index)?, place - begins)
        })
        .collect()
}

/// The distribution at a token whose byte `at` is the digit.
fn read(token: &Token, at: usize) -> Option<[f64; 5]> {
    let text = &token.token;
    let around = |text: &str, at: usize| Some((squeezed(text.get(..at)?), squeezed(text.get(at + 1..)?)));
    let written = text
        .as_bytes()
        .get(at)
        .filter(|byte| (b'1'..=b'5').contains(byte))?;
    let frame = around(text, at)?;
    let listed = token.top_logprobs.as_deref().filter(|listed| listed.len() > 1)?;
    let mut weights = [0.0; 5];
    let mut least = f64::INFINITY;
    for rival in listed {
        let weight = rival.logprob?.exp();
        least = least.min(weight);
        // The same text with another digit; the spacing is a matter of how the text was cut.
        let digit = rival.token.bytes().position(|byte| (b'1'..=b'5').contains(&byte));
        if let Some(digit) = digit.filter(|&digit| around(&rival.token, digit).as_ref() == Some(&frame)) {
            weights[usize::from(rival.token.as_bytes()[digit] - b'1')] += weight;
        }
    }
    let seen: f64 = weights.iter().sum();
    let unseen = weights.iter().filter(|weight| **weight == 0.0).count() as f64 * least;
    // What is not listed weighs at most as much as the least that is.
    let known = seen.is_finite() && weights[usize::from(written - b'1')] > 0.0 && unseen <= UNSEEN * seen;
    known.then(|| weights.map(|weight| weight / seen))
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Where in the answer each label's score stands, if it is one digit from 1 to 5.
fn digits(answer: &str, labels: &[String]) -> Vec<Option<usize>> {
    let verdict = answer
        .rmatch_indices('{')
        .take(TRIES)
        .find_map(|(at, _)| {
            let members = members(answer, at)?;
            let (_, scores) = members.into_iter().find(|(key, _)| key == "scores")?;
            answer[scores.clone()].starts_with('{').then_some(scores.start)
        })
        .and_then(|at| members(answer, at));
    let Some(members) = verdict else {
        return vec![None; labels.len()];
    };
    labels
        .iter()
        .map(|label| {
            let mut found = members.iter().filter(|(key, _)| key == label);
            let (_, range) = found.next()?;
            // A label that stands there twice has no one place.
            let text = answer[range.clone()].trim_matches('"');
            let one = matches!(text, "1" | "2" | "3" | "4" | "5") && found.next().is_none();
            one.then(|| range.start + usize::from(answer[range.clone()].starts_with('"')))
        })
        .collect()
}

/// Keys and the places of the values of the object that begins at a byte; `None` if none does.
fn members(text: &str, at: usize) -> Option<Vec<(String, Range<usize>)>> {
    // Read whole at first, so that what is walked through below is known to be an object.
    let mut whole = Deserializer::from_str(&text[at..]).into_iter::<Value>();
    whole.next()?.ok().filter(Value::is_object)?;
    let blank = |at: usize| text.len() - text[at..].trim_start().len();
    let mut members = Vec::new();
    let mut at = blank(at + 1);
    while !text[at..].starts_with('}') {
        let mut keys = Deserializer::from_str(&text[at..]).into_iter::<String>();
        let key = keys.next()?.ok()?;
        let value = blank(blank(at + keys.byte_offset()) + 1);
        let mut values = Deserializer::from_str(&text[value..]).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let end = value + values.byte_offset();
        members.push((key, value..end));
        at = blank(end);
        if text[at..].starts_with(',') {
            at = blank(at + 1);
        }
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A stream of tokens; a digit from 1 to 5 has the other digits as rivals, with weights 1, 2, 4, 8 and 16 over 32,
    /// and `x` for the rest.
    fn stream(tokens: &[&str]) -> Vec<Token> {
        let value = tokens
            .iter()
            .map(|token| {
                let digit = token.trim().trim_end_matches(',');
                let rivals: Vec<Value> = (1..=5)
                    .map(|score: i32| {
                        let weight = f64::from(1 << (score - 1)) / 32.0;
                        json!({ "token": token.replace(digit, &score.to_string()), "logprob": weight.ln() })
                    })
                    .chain([json!({ "token": "x", "logprob": (1.0_f64 / 32.0).ln() })])
                    .collect();
                let alone = vec![json!({ "token": token, "logprob": 0.0 })];
                let listed = if digit.parse::<u8>().is_ok() {
                    rivals
                } else {
                    alone
                };
                json!({ "token": token, "logprob": -1.0, "bytes": token.as_bytes(), "top_logprobs": listed })
            })
            .collect();
        serde_json::from_value(value).unwrap()
    }

    fn labels() -> Vec<String> {
        vec!["model-1".to_owned(), "model-2".to_owned()]
    }

    fn close(got: Option<[f64; 5]>, expect: [f64; 5]) -> bool {
        got.is_some_and(|got| {
            got.iter()
                .zip(expect)
                .all(|(got, expect)| (got - expect).abs() < 1e-12)
        })
    }

    const GEOMETRIC: [f64; 5] = [1.0 / 31.0, 2.0 / 31.0, 4.0 / 31.0, 8.0 / 31.0, 16.0 / 31.0];

    #[test]
    fn digits_of_the_answer_count_and_not_those_of_the_reasoning() {
        let answer = "{\"scores\": {\"model-1\": 5, \"model-2\": 1}, \"best-to-worst\": []}";
        let cut = [
            "<think>",
            "forged ",
            answer,
            " it has ",
            "5",
            "</think>",
            "\n\n",
            "{\"scores\": {\"model-1\": ",
            "5",
            ", \"model-2\":",
            " 1",
            "}, \"best-to-worst\": []",
            "}",
            "<|im_end|>",
        ];
        let tokens = stream(&cut);
        let got = distributions(&tokens, &format!("{answer}\n"), &labels());
        assert!(close(got[0], GEOMETRIC) && close(got[1], GEOMETRIC), "{got:?}");
        let mut blind = tokens;
        blind[8].top_logprobs = None;
        let got = distributions(&blind, answer, &labels());
        assert_eq!(got[0], None, "no other place stands in for it");
        assert!(got[1].is_some());
    }

    #[test]
    fn what_cannot_be_read_is_none_and_no_certainty() {
        let answer = "{\"scores\": {\"model-1\": 4, \"model-2\": 2}}";
        let cut = ["{\"scores\": {\"model-1\": ", "4", ", \"model-2\": ", "2,"];
        let none = [None, None];
        assert_eq!(
            distributions(&stream(&cut), answer, &labels()),
            none,
            "not the text of the answer"
        );
        assert_eq!(distributions(&[], answer, &labels()), none);
        assert_eq!(
            distributions(&stream(&[answer]), answer, &labels()),
            none,
            "nothing listed but itself"
        );
        assert_eq!(distributions(&stream(&["no"]), "no", &labels()), none);
        let rivals = |listed: Value| {
            let token = json!({ "token": "4", "logprob": -0.1, "top_logprobs": listed });
            read(&serde_json::from_value(token).unwrap(), 0)
        };
        let rival = |token: &str, weight: f64| json!({ "token": token, "logprob": weight.ln() });
        assert_eq!(rivals(json!([rival("4", 1.0)])), None, "itself alone");
        assert_eq!(
            rivals(json!([rival("4", 0.6), rival("x", 0.3)])),
            None,
            "others may weigh as much"
        );
        assert_eq!(
            rivals(json!([rival("3", 0.9), rival("x", 1e-9)])),
            None,
            "the one written is not listed"
        );
        assert!(close(
            rivals(json!([rival("4", 0.6), rival("x", 1e-6)])),
            [0.0, 0.0, 0.0, 1.0, 0.0]
        ));
        let spaced = json!([
            rival("4", 0.5),
            rival(" 4", 0.1),
            rival("3", 0.2),
            rival("45", 0.1),
            rival("x", 1e-6)
        ]);
        assert!(close(rivals(spaced), [0.0, 0.0, 0.25, 0.75, 0.0]));
    }

    #[test]
    fn scores_stand_in_the_last_object_that_has_them() {
        let check = |answer: &str, expect: [Option<usize>; 2]| {
            assert_eq!(digits(answer, &labels()), expect, "{answer}");
        };
        check("{\"scores\":{\"model-1\":4,\"model-2\":2}}", [Some(21), Some(33)]);
        check(
            "{\"scores\":{\"model-2\":\"2\",\"model-1\" : 4.5}}",
            [None, Some(22)],
        );
        check(
            "{\"scores\":{\"model-1\":4}}{\"scores\":{\"model-2\":2}}",
            [None, Some(45)],
        );
        check(
            "{\"scores\":{\"model-1\":6,\"model-2\":2,\"model-2\":3}}",
            [None, None],
        );
        check("{\"scores\":{\"model-1\":4,", [None, None]);
        check("{\"scores\":[4,2]}", [None, None]);
        check(
            "größer: {\"a\":\"{\\\"scores\\\"\",\"scores\":{\"model-1\":4,\"x\":{},\"model-2\":2}} done",
            [Some(49), Some(68)],
        );
        check(&"{\"scores\":".repeat(10_000), [None, None]);
    }
}
