//! Prompt and response out of the text that a chat template made of them.
//!
//! Training frameworks send what their model read and wrote, special tokens included; the judge wants the prompt and
//! the response as people wrote them.

use rewardanything_core::{Message, Role, answer};

use crate::raw::as_text;

/// How a family of templates marks turns.
struct Marks {
    /// Before the speaker's name.
    opens: &'static str,
    /// Between the name and what is said.
    then: &'static str,
    /// After what is said.
    closes: &'static str,
}

const FAMILIES: [Marks; 3] = [
    Marks {
        opens: "<|im_start|>",
        then: "\n",
        closes: "<|im_end|>",
    },
    Marks {
        opens: "<|start_header_id|>",
        then: "<|end_header_id|>\n\n",
        closes: "<|eot_id|>",
    },
    Marks {
        opens: "<start_of_turn>",
        then: "\n",
        closes: "<end_of_turn>",
    },
];

/// What ends replies, in the vocabularies of common models.
const ENDS: [&str; 10] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<|end|>",
    "<|eom_id|>",
    "<eos>",
    "</s>",
    "<pad>",
];

/// A text without the tokens that end it.
///
/// ```
/// # use rewardanything_evals::transcript::without_end;
/// assert_eq!(without_end("Yes.<|im_end|>\n<|endoftext|>"), "Yes.");
/// assert_eq!(without_end("It ends in </s> itself."), "It ends in </s> itself.");
/// ```
pub fn without_end(text: &str) -> &str {
    let mut text = text;
    let mut found = false;
    while let Some(rest) = ENDS.iter().find_map(|end| text.trim_end().strip_suffix(end)) {
        text = rest;
        found = true;
    }
    // White space before an end belongs to the template as often as to the response; without an end nothing is touched.
    if found { text.trim_end() } else { text }
}

/// A prompt as a judge reads it: the turns of a templated text, or the text itself where there are none.
///
/// ```
/// # use rewardanything_evals::transcript::prompt;
/// assert_eq!(prompt("<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n"), "Hi.");
/// assert_eq!(prompt("<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"), "Hi.");
/// assert_eq!(prompt("Hi."), "Hi.");
/// ```
pub fn prompt(text: &str) -> String {
    let Some(mut turns) = turns(text) else {
        return text.to_owned();
    };
    // The turn that the model was to write; some templates open its thinking, or close it at once where there is to be none.
    if turns
        .last()
        .is_some_and(|turn| turn.role == Role::Assistant && answer(&turn.content).is_empty())
    {
        turns.pop();
    }
    as_text(&turns)
}

/// Prompt and response of a templated text, whose last turn is the response; `None` where there are no turns, or the
/// last is not the assistant's.
///
/// ```
/// # use rewardanything_evals::transcript::split;
/// let text = "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n";
/// assert_eq!(split(text), Some(("Hi.".to_owned(), "Hello!".to_owned())));
/// assert_eq!(split("Hi. Hello!"), None);
/// ```
pub fn split(text: &str) -> Option<(String, String)> {
    let mut turns = turns(text)?;
    let last = turns.pop().filter(|turn| turn.role == Role::Assistant)?;
    (!turns.is_empty()).then(|| (as_text(&turns), last.content))
}

/// The response in `query`, which is `prompt` and a response. A prompt may have been cut at its beginning: then as much
/// of its end as the query begins with is taken off.
///
/// ```
/// # use rewardanything_evals::transcript::response;
/// assert_eq!(response("Q: 2+2?\nA: 4</s>", "Q: 2+2?\nA:"), "4");
/// assert_eq!(response("2+2?\nA: 4", "Q: 2+2?\nA:"), "4");
/// assert_eq!(response("4", "Q: 2+2?\nA:"), "4");
/// ```
pub fn response(query: &str, prompt: &str) -> String {
    let rest = match query.strip_prefix(prompt) {
        Some(rest) => rest.to_owned(),
        None => {
            let overlap = overlap(prompt, query);
            match split(query).filter(|_| overlap == 0) {
                Some((_, response)) => response,
                None => query[overlap..].to_owned(),
            }
        }
    };
    without_end(rest.trim_start_matches([' ', '\n'])).to_owned()
}

/// Bytes of the longest end of `a` with which `b` begins.
fn overlap(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // The failure function of Knuth, Morris and Pratt, over `b`, then over `a`.
    let mut back = vec![0; b.len()];
    let mut length = 0;
    for place in 1..b.len() {
        while length > 0 && b[place] != b[length] {
            length = back[length - 1];
        }
        length += usize::from(b[place] == b[length]);
        back[place] = length;
    }
    length = 0;
    for &byte in a {
        if length == b.len() {
            length = back.last().copied().unwrap_or(0);
        }
        while length > 0 && b[length] != byte {
            length = back[length - 1];
        }
        length += usize::from(b.get(length) == Some(&byte));
    }
    length
}

fn turns(text: &str) -> Option<Vec<Message>> {
    let marks = FAMILIES.iter().find(|marks| text.contains(marks.opens))?;
    let mut turns = Vec::new();
    for turn in text.split(marks.opens).skip(1) {
        let (name, said) = turn.split_once(marks.then)?;
        let role = match name {
            "system" => Role::System,
            "user" | "tool" | "ipython" => Role::User,
            "assistant" | "model" => Role::Assistant,
            _ => return None,
        };
        let said = said.split_once(marks.closes).map_or(said, |(said, _)| said);
        turns.push(Message {
            role,
            content: without_end(said).to_owned(),
        });
    }
    (!turns.is_empty()).then_some(turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_common_models_are_read() {
        let check = |text: &str, prompt: &str, response: &str| {
            assert_eq!(
                split(text),
                Some((prompt.to_owned(), response.to_owned())),
                "{text}"
            );
        };
        check(
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\nHello\nyou<|im_end|>",
            "System: Be kind.\n\nUser: Hi.",
            "Hello\nyou",
        );
        check(
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>",
            "Hi.",
            "Hello",
        );
        check(
            "<bos><start_of_turn>user\nHi.<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n",
            "Hi.",
            "Hello",
        );
        check(
            "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\nwas cut of",
            "Hi.",
            "was cut of",
        );
        assert_eq!(split("<|im_start|>user\nHi.<|im_end|>\n"), None);
        assert_eq!(split("<|im_start|>narrator\nHi.<|im_end|>\n"), None);
    }

    #[test]
    fn overlaps_are_the_longest() {
        let check = |a: &str, b: &str, expect: usize| assert_eq!(overlap(a, b), expect, "{a} {b}");
        check("abcab", "abx", 2);
        check("aaa", "aab", 2);
        check("abab", "abab", 4);
        check("xabab", "ababab", 4);
        check("ab", "", 0);
        check("", "ab", 0);
        check("abc", "xyz", 0);
        check("ababa", "ab", 1);
        check("aab", "ab", 2);
    }

    #[test]
    fn a_cut_prompt_leaves_the_response() {
        let prompt = "<|im_start|>user\nA long question about Rust.<|im_end|>\n<|im_start|>assistant\n";
        for cut in [0, 5, 14, 30, prompt.len() - 3] {
            let query = format!("{}A language.<|im_end|>", &prompt[cut..]);
            assert_eq!(response(&query, prompt), "A language.", "{cut}");
        }
    }
}
