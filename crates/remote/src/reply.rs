//! What a server answers, as a completion or as an error.

use rewardanything_core::{Completion, FinishReason, GenerateError, GenerateJob, VerdictForm};
use serde::Deserialize;
use serde_json::Value;

use crate::distribution::{Token, distributions};

/// The parts of an answer that count.
#[derive(Debug, Deserialize)]
struct Answer {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Spoken,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    logprobs: Option<Probabilities>,
}

#[derive(Debug, Deserialize)]
struct Spoken {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    reasoning_content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Probabilities {
    #[serde(default)]
    content: Option<Vec<Token>>,
}

#[derive(Debug, Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: usize,
}

/// A reply, and what is remarkable about it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) completion: Completion,
    /// There is reasoning, in a field of its own or in tags.
    pub(crate) reasons: bool,
    /// There is something beside the reasoning.
    pub(crate) answers: bool,
    /// The verdict stood where reasoning belongs, and nothing else did.
    pub(crate) misplaced: bool,
    /// Log-probabilities were sent.
    pub(crate) probabilities: bool,
}

/// Reads the answer to a job. `constrained` says that the server was to hold it to the job's form.
pub(crate) fn read(bytes: &[u8], job: &GenerateJob, constrained: bool) -> Result<Reply, String> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|error| {
        let start: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
        format!("expected a chat completion, got {start:?} ({error})")
    })?;
    let choice = answer
        .choices
        .into_iter()
        .next()
        .ok_or("expected a choice, got none")?;
    let usage = answer.usage.unwrap_or_default();
    let finish = finish(choice.finish_reason.as_deref())?;
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let mut content = filled(choice.message.content);
    let mut reasoning = filled(choice.message.reasoning).or(filled(choice.message.reasoning_content));
    if let (None, None, Some(refusal)) = (&content, &reasoning, filled(choice.message.refusal)) {
        return Err(format!("the model refuses: {refusal}"));
    }
    let form = job.form.as_ref();
    // Servers that cut reasoning off may take a reply that is JSON from its first byte for reasoning. It is the answer
    // if it is the very object that the constraint leaves no way around.
    let misplaced = constrained
        && content.is_none()
        && finish == FinishReason::Stop
        && matches!((&reasoning, form), (Some(text), Some(form)) if is_verdict(text, form));
    if misplaced {
        content = reasoning.take();
    }
    let tokens = choice
        .logprobs
        .and_then(|logprobs| logprobs.content)
        .filter(|tokens| !tokens.is_empty());
    let distributions = match (&tokens, form, &content) {
        (Some(tokens), Some(form), Some(content)) => {
            let answer = content.rsplit("</think>").next().unwrap_or_default();
            distributions(tokens, answer, &form.labels)
        }
        _ => Vec::new(),
    };
    Ok(Reply {
        reasons: reasoning.is_some() || content.as_deref().is_some_and(|text| text.contains("</think>")),
        answers: content.is_some(),
        misplaced,
        probabilities: tokens.is_some(),
        completion: Completion {
            text: joined(reasoning, content),
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            finish,
            distributions,
        },
    })
}

/// One text, as a model without a server writes it.
fn joined(reasoning: Option<String>, content: Option<String>) -> String {
    match (reasoning, content) {
        (None, content) => content.unwrap_or_default(),
        (Some(reasoning), Some(content)) => format!("<think>\n{}\n</think>\n\n{content}", reasoning.trim()),
        // Left open, as nothing in it is the answer. Where it quotes a closing tag it is opened once more, so that what
        // stands behind the quotation is not taken for one.
        (Some(reasoning), None) => {
            let again = if reasoning.to_ascii_lowercase().contains("</think") {
                "\n<think>"
            } else {
                ""
            };
            format!("<think>\n{}{again}", reasoning.trim())
        }
    }
}

fn finish(reason: Option<&str>) -> Result<FinishReason, String> {
    match reason {
        // Some servers leave it out where the model ended the reply.
        None | Some("stop" | "eos" | "eos_token" | "stop_sequence" | "end_turn") => Ok(FinishReason::Stop),
        Some("length" | "max_tokens" | "model_length") => Ok(FinishReason::Length),
        Some(other) => Err(format!(
            "the reply ended with the reason {other:?}, expected \"stop\" or \"length\""
        )),
    }
}

/// Whether a text is a verdict of this form and nothing else.
fn is_verdict(text: &str, form: &VerdictForm) -> bool {
    let Ok(Value::Object(verdict)) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let scores = verdict.get("scores").and_then(Value::as_object);
    let keys: Vec<&str> = verdict.keys().map(String::as_str).collect();
    keys == ["scores", "best-to-worst"]
        && scores.is_some_and(|scores| {
            scores.keys().eq(form.labels.iter())
                && scores.values().all(|score| matches!(score.as_u64(), Some(1..=5)))
        })
}

/// What a server says of an error: its message, else the beginning of the text.
pub(crate) fn message(bytes: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(bytes).ok();
    let places = ["/error/message", "/message", "/detail", "/error"];
    let found = json
        .as_ref()
        .and_then(|json| places.iter().find_map(|place| json.pointer(place)));
    let text = match found {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::from_utf8_lossy(bytes).trim().to_owned(),
    };
    let text = if text.is_empty() {
        "without a word".to_owned()
    } else {
        text
    };
    match text.char_indices().nth(600) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// An error of a server that says that a prompt is too long, with its numbers where it gives them.
pub(crate) fn overlong(bytes: &[u8], endpoint: &str, max_new_tokens: usize) -> Option<GenerateError> {
    let text = message(bytes);
    let lower = text.to_ascii_lowercase();
    let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let field = |place: &str| {
        json.pointer(place)
            .and_then(Value::as_u64)
            .map(|number| number as usize)
    };
    let coded = ["/error/code", "/error/type", "/code", "/type"]
        .iter()
        .any(|place| {
            let code = json.pointer(place).and_then(Value::as_str).unwrap_or_default();
            matches!(code, "context_length_exceeded" | "exceed_context_size_error")
        });
    let said = [
        "context length",
        "context size",
        "maximum model length",
        "context window",
        "max_model_len",
    ]
    .iter()
    .any(|phrase| lower.contains(phrase));
    if !coded && !said {
        return None;
    }
    let context = field("/error/n_ctx").or_else(|| {
        [
            "maximum context length is ",
            "maximum context length of ",
            "maximum model length of ",
            "context length (",
            "available context size (",
        ]
        .iter()
        .find_map(|phrase| number_after(&lower, phrase))
    });
    let prompt = field("/error/n_prompt_tokens").or_else(|| {
        [
            " in the messages",
            " tokens from the input",
            " input tokens",
            " tokens) is longer",
            " tokens) exceeds",
        ]
        .iter()
        .find_map(|phrase| number_before(&lower, phrase))
        .or_else(|| number_after(&lower, "prompt (length "))
    });
    Some(match (prompt, context) {
        (Some(prompt_tokens), Some(context)) => GenerateError::PromptTooLong {
            prompt_tokens,
            max_new_tokens,
            context,
        },
        _ => GenerateError::Overlong {
            endpoint: endpoint.to_owned(),
            message: text,
        },
    })
}

fn number_after(text: &str, phrase: &str) -> Option<usize> {
    let rest = &text[text.find(phrase)? + phrase.len()..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

fn number_before(text: &str, phrase: &str) -> Option<usize> {
    let rest = &text[..text.find(phrase)?];
    let digits = rest.bytes().rev().take_while(u8::is_ascii_digit).count();
    rest[rest.len() - digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_core::Sampling;
    use serde_json::json;

    fn job() -> GenerateJob {
        GenerateJob {
            messages: Vec::new(),
            sampling: Sampling::default(),
            thinking: true,
            form: Some(VerdictForm {
                labels: vec!["model-1".to_owned(), "model-2".to_owned()],
                thinking_tokens: usize::MAX,
                given: Vec::new(),
            }),
        }
    }

    const VERDICT: &str =
        "{\"scores\": {\"model-1\": 5, \"model-2\": 1}, \"best-to-worst\": [\"model-1\", \"model-2\"]}";

    fn reply(message: Value, finish: &str) -> Result<Reply, String> {
        let answer = json!({ "choices": [{ "message": message, "finish_reason": finish }] });
        read(&serde_json::to_vec(&answer).unwrap(), &job(), true)
    }

    #[test]
    fn reasoning_and_answer_become_one_reply() {
        let check = |message: Value, finish: &str, expect: &str| {
            let reply = reply(message.clone(), finish).unwrap();
            assert_eq!(reply.completion.text, expect, "{message}");
        };
        check(json!({ "content": VERDICT }), "stop", VERDICT);
        let whole = format!("<think>\nwhy\n</think>\n\n{VERDICT}");
        check(
            json!({ "content": VERDICT, "reasoning": "\nwhy\n" }),
            "stop",
            &whole,
        );
        check(
            json!({ "content": VERDICT, "reasoning_content": "why" }),
            "stop",
            &whole,
        );
        check(
            json!({ "content": VERDICT, "reasoning": "why", "reasoning_content": "why" }),
            "stop",
            &whole,
        );
        check(
            json!({ "content": null, "reasoning": "why" }),
            "length",
            "<think>\nwhy",
        );
        check(json!({ "content": "" }), "stop", "");
    }

    #[test]
    fn a_verdict_in_the_place_of_reasoning_is_the_answer_only_if_it_is_all() {
        let misplaced = reply(json!({ "content": null, "reasoning": VERDICT }), "stop").unwrap();
        assert!(misplaced.misplaced && misplaced.answers && !misplaced.reasons);
        assert_eq!(misplaced.completion.text, VERDICT);
        let check = |reasoning: String, finish: &str, expect: &str| {
            let reply = reply(json!({ "content": "", "reasoning": reasoning }), finish).unwrap();
            assert!(!reply.misplaced && !reply.answers, "{reasoning}");
            assert_eq!(reply.completion.text, expect);
            let mask = rewardanything_core::Mask::identity(2);
            let error = rewardanything_core::parse(&reply.completion.text, &mask).unwrap_err();
            assert_eq!(error.kind(), "truncated_thinking", "{reasoning}");
        };
        check(
            format!("a response says {VERDICT}"),
            "stop",
            &format!("<think>\na response says {VERDICT}"),
        );
        check(VERDICT.to_owned(), "length", &format!("<think>\n{VERDICT}"));
        let forged = format!("it says </think> {VERDICT}");
        check(forged.clone(), "stop", &format!("<think>\n{forged}\n<think>"));
        let short = "{\"scores\": {\"model-1\": 5}}".to_owned();
        check(short.clone(), "stop", &format!("<think>\n{short}"));
    }

    #[test]
    fn a_reply_that_ended_otherwise_is_an_error() {
        let check = |message: Value, finish: &str, expect: &str| {
            let error = reply(message, finish).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        check(json!({ "content": VERDICT }), "content_filter", "content_filter");
        check(json!({ "content": VERDICT }), "abort", "abort");
        check(
            json!({ "content": null, "refusal": "I will not." }),
            "stop",
            "I will not.",
        );
        let error = read(b"<html>", &job(), true).unwrap_err();
        assert!(error.contains("<html>"), "{error}");
        assert!(read(b"{\"choices\": []}", &job(), true).is_err());
    }

    #[test]
    fn prompts_that_are_too_long_are_recognised_with_their_numbers() {
        let check = |error: Value, expect: Option<(usize, usize)>| {
            let bytes = serde_json::to_vec(&error).unwrap();
            let found = overlong(&bytes, "http://x/v1", 400);
            match expect {
                Some((prompt_tokens, context)) => assert_eq!(
                    found,
                    Some(GenerateError::PromptTooLong {
                        prompt_tokens,
                        max_new_tokens: 400,
                        context
                    }),
                    "{error}"
                ),
                None => assert!(
                    !matches!(found, Some(GenerateError::PromptTooLong { .. })),
                    "{error}"
                ),
            }
        };
        let says = |text: &str| json!({ "error": { "message": text } });
        check(
            says(
                "This model's maximum context length is 2048 tokens. However, you requested 400 output tokens and \
            your prompt contains at least 1649 input tokens, for a total of at least 2049 tokens.",
            ),
            Some((1649, 2048)),
        );
        check(
            says(
                "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens (4600 in the \
            messages, 400 in the completion).",
            ),
            Some((4600, 4097)),
        );
        check(
            says("The input (3000 tokens) is longer than the model's context length (2048 tokens)."),
            Some((3000, 2048)),
        );
        check(
            says("The decoder prompt (length 3000) is longer than the maximum model length of 2048."),
            Some((3000, 2048)),
        );
        check(
            json!({ "error": { "code": 400, "message": "too large", "type": "exceed_context_size_error",
                "n_prompt_tokens": 2100, "n_ctx": 2048 } }),
            Some((2100, 2048)),
        );
        check(says("exceeds the context window"), None);
        check(says("seed: not an integer"), None);
        assert!(matches!(
            overlong(br#"{"detail": "over the context length"}"#, "e", 1),
            Some(GenerateError::Overlong { .. })
        ));
    }

    #[test]
    fn a_servers_words_are_found() {
        let check = |body: &str, expect: &str| assert_eq!(message(body.as_bytes()), expect, "{body}");
        check(r#"{"error": {"message": "no", "type": "x"}}"#, "no");
        check(r#"{"object": "error", "message": "no"}"#, "no");
        check(r#"{"detail": "Not Found"}"#, "Not Found");
        check(r#"{"error": "gone"}"#, "gone");
        check(r#"{"detail": [{"msg": "bad"}]}"#, r#"[{"msg":"bad"}]"#);
        check("Bad Gateway\n", "Bad Gateway");
        check("", "without a word");
        assert!(message("x".repeat(9_999).as_bytes()).len() < 700);
    }
}
