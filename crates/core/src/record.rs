//! What files and replies hold of a judgment: one flat object under the caller's names.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::judge::Judgment;
use crate::mask::Mask;
use crate::request::JudgeRequest;

/// What became of one request, by an id of the caller's kind. The order of the fields is the order on the line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record<I> {
    /// The caller's id; `None` where the caller names none.
    pub id: Option<I>,
    /// Score of each response by its name, in the request's order; empty where there is an error.
    pub scores: Map<String, Value>,
    /// Names of the responses, best first.
    pub ranking: Vec<String>,
    /// What the judge wrote before its verdict, with the caller's names in the place of labels.
    pub reasoning: String,
    /// Why there is no verdict.
    pub error: Option<Failure>,
    /// What had to be repaired to read the reply.
    pub repairs: Vec<Value>,
    /// The model that was asked.
    pub model: String,
    /// What the model read and wrote.
    pub usage: Usage,
    /// Seconds spent.
    pub seconds: f64,
    /// For each response whose score the model's probabilities are known of: their mean, their entropy in nats, and
    /// themselves, from 1 to 5.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub soft: Map<String, Value>,
    /// What several runs over the request had in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<Tally>,
    /// The verdict was given before and is remembered; the model was not asked again. What stands as usage is what it
    /// took then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
}

/// Several runs over one request. Shares are from 0 to 1, to four places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// How many runs there were.
    pub asked: usize,
    /// How many gave a verdict.
    pub answered: usize,
    /// The chance that two of them order two responses alike.
    pub agreement: Option<f64>,
    /// The share of them that give the winner the highest score.
    pub confidence: Option<f64>,
}

/// Why a request has no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A word for programs: `input` (no request at all), `request` (an unusable one), or the kind of the judge's error.
    pub kind: String,
    /// A sentence for people.
    pub message: String,
}

/// Tokens of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens the model read.
    pub prompt_tokens: usize,
    /// Tokens it wrote.
    pub completion_tokens: usize,
}

impl<I> Record<I> {
    /// A judgment as a record; `seconds` is kept to the millisecond.
    ///
    /// ```
    /// use rewardanything_core::record::Record;
    /// use rewardanything_core::{Judge, JudgeRequest, OrderPolicy, Profile, Response, Scripted};
    ///
    /// let request = JudgeRequest::new("p", "q", vec![Response::new("a", "x"), Response::new("b", "y")])?;
    /// let model = Scripted::always("<think>model-2 wins</think>{\"scores\":{\"model-1\":2,\"model-2\":4},\
    ///     \"best-to-worst\":[\"model-2\",\"model-1\"]}");
    /// let profile = Profile { order: OrderPolicy::Given, ..Profile::rewardanything() };
    /// let judgment = Judge::new(&model, profile, 0).judge(&request);
    /// let record: Record<u64> = Record::of(Some(7), &request, &judgment, "scripted", 0.12345);
    /// assert_eq!((record.ranking.join(" "), record.reasoning), ("b a".to_owned(), "b wins".to_owned()));
    /// assert_eq!((record.scores["b"].as_i64(), record.seconds), (Some(4), 0.123));
    /// # Ok::<(), rewardanything_core::RequestError>(())
    /// ```
    pub fn of(id: Option<I>, request: &JudgeRequest, judgment: &Judgment, model: &str, seconds: f64) -> Self {
        let name = |&index: &usize| request.responses()[index].name.clone();
        let (scores, ranking, reasoning, repairs) = match &judgment.verdict {
            Err(_) => Default::default(),
            Ok(verdict) => (
                request
                    .responses()
                    .iter()
                    .zip(&verdict.scores)
                    .map(|(response, score)| (response.name.clone(), number(rounded(score.value()))))
                    .collect::<Map<String, Value>>(),
                verdict.ranking.iter().map(name).collect(),
                named(&verdict.reasoning, request, &judgment.mask),
                verdict
                    .repairs
                    .iter()
                    .map(|repair| {
                        serde_json::to_value(repair).expect("a repair is plain data. This is a bug.")
                    })
                    .collect(),
            ),
        };
        Record {
            id,
            scores,
            ranking,
            reasoning,
            error: failure(judgment),
            repairs,
            model: model.to_owned(),
            usage: usage(judgment),
            seconds: (seconds * 1e3).round() / 1e3,
            soft: soft(request, judgment),
            votes: judgment.votes.map(|votes| Tally {
                asked: votes.asked,
                answered: votes.answered,
                agreement: votes.agreement.map(rounded),
                confidence: votes.confidence.map(rounded),
            }),
            cached: false,
        }
    }

    /// A record without a verdict.
    pub fn without_verdict(id: Option<I>, kind: &str, message: String, model: &str) -> Self {
        Record {
            id,
            scores: Map::new(),
            ranking: Vec::new(),
            reasoning: String::new(),
            error: Some(Failure {
                kind: kind.to_owned(),
                message,
            }),
            repairs: Vec::new(),
            model: model.to_owned(),
            usage: Usage::default(),
            seconds: 0.0,
            soft: Map::new(),
            votes: None,
            cached: false,
        }
    }
}

impl<I: Serialize> Record<I> {
    /// The record as a line, with its line break.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("a record is plain data. This is a bug.");
        line.push('\n');
        line
    }
}

/// A score as JSON: a whole number without a decimal point.
pub fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

/// To four places: the model's own noise is larger.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// The probabilities of 1 to 5 behind each score, their mean and their entropy, where they are known.
fn soft(request: &JudgeRequest, judgment: &Judgment) -> Map<String, Value> {
    let Ok(verdict) = &judgment.verdict else {
        return Map::new();
    };
    let responses = request.responses().iter().zip(&verdict.scores);
    responses
        .filter_map(|(response, score)| {
            let entropy = score.entropy()?;
            let probabilities = score.distribution()?.map(rounded);
            let value = serde_json::json!({
                "mean": rounded(score.soft()), "entropy": rounded(entropy), "probabilities": probabilities,
            });
            Some((response.name.clone(), value))
        })
        .collect()
}

/// Why there is no verdict. Where there is a reply its whole text stands in the message: the record is the only
/// place that keeps it.
pub fn failure(judgment: &Judgment) -> Option<Failure> {
    let error = judgment.verdict.as_ref().err()?;
    let message = match &judgment.completion {
        None => error.to_string(),
        Some(completion) => format!("{error}; the reply was: {}", completion.text),
    };
    Some(Failure {
        kind: error.kind().to_owned(),
        message,
    })
}

/// What the model read and wrote, over all runs.
pub fn usage(judgment: &Judgment) -> Usage {
    if let Some(votes) = judgment.votes {
        return Usage {
            prompt_tokens: votes.prompt_tokens,
            completion_tokens: votes.completion_tokens,
        };
    }
    judgment
        .completion
        .as_ref()
        .map_or_else(Usage::default, |completion| Usage {
            prompt_tokens: completion.prompt_tokens,
            completion_tokens: completion.completion_tokens,
        })
}

/// Puts the caller's names where the judge wrote the labels it was shown (`model-1`), which mean nothing outside
/// of the one request.
pub fn named(text: &str, request: &JudgeRequest, mask: &Mask) -> String {
    const LABEL: &str = "model-";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(LABEL) {
        let digits = rest[at + LABEL.len()..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let end = at + LABEL.len() + digits;
        let inside_a_word =
            |character: char| character.is_alphanumeric() || character == '-' || character == '_';
        // A label that stands inside a longer word is part of somebody's own name.
        let whole = !out_tail(&out, &rest[..at]).is_some_and(inside_a_word)
            && !rest[end..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        out.push_str(&rest[..at]);
        match mask.resolve(&rest[at..end]).filter(|_| whole) {
            Some(index) => out.push_str(&request.responses()[index].name),
            None => out.push_str(&rest[at..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The character before the place where `text` ends, `done` standing before it.
fn out_tail(done: &str, text: &str) -> Option<char> {
    text.chars().next_back().or_else(|| done.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Response;

    #[test]
    fn labels_become_names_in_one_pass() {
        let responses = ["model-2", "b"].map(|name| Response {
            name: name.to_owned(),
            text: "x".to_owned(),
        });
        let request = JudgeRequest::new("p", "q", responses.to_vec()).expect("a valid request");
        // Two responses of the published order are swapped: model-1 is b, model-2 is the one called `model-2`.
        let mask = Mask::published(2).expect("two are few enough");
        let check = |text: &str, expect: &str| assert_eq!(named(text, &request, &mask), expect, "{text}");
        check("", "");
        check("model-1 beats model-2.", "b beats model-2.");
        check("`model-2`,model-1", "`model-2`,b");
        check("model-3 model-12 model-", "model-3 model-12 model-");
        check("submodel-1 my-model-1 model-1x", "submodel-1 my-model-1 model-1x");
        check("model-1 größer", "b größer");
    }
}
