//! From a request to the messages that a model reads.

use std::fmt::Write as _;

use crate::generate::{Message, Role};
use crate::mask::Mask;
use crate::pieces;
use crate::profile::{Layout, Profile};
use crate::request::JudgeRequest;

/// The chat that asks for a verdict: the profile's system text, unless it is empty, then the request.
///
/// # Panics
/// `mask` was made for another number of responses.
pub fn messages(profile: &Profile, request: &JudgeRequest, mask: &Mask) -> Vec<Message> {
    assert_eq!(
        mask.len(),
        request.responses().len(),
        "a mask belongs to one number of responses. This is a bug."
    );
    let content = match profile.layout {
        Layout::Json => json_layout(request, mask),
        Layout::Pieces => {
            let shown = mask.order().iter().enumerate();
            let texts = shown
                .map(|(position, &at)| (mask.label(position), Some(request.responses()[at].text.as_str())));
            in_pieces(
                request.principle(),
                request.prompt(),
                texts,
                profile.piece_words.get(),
            )
        }
    };
    chat(profile, content)
}

/// The profile's system text, unless it is empty, then `content`.
pub(crate) fn chat(profile: &Profile, content: String) -> Vec<Message> {
    let system = Message {
        role: Role::System,
        content: profile.system.clone(),
    };
    let user = Message {
        role: Role::User,
        content,
    };
    let system = (!profile.system.is_empty()).then_some(system);
    system.into_iter().chain([user]).collect()
}

/// `{"principle": ..., "prompt": ..., "responses": {"model-1": ...}}`, responses in the order shown.
fn json_layout(request: &JudgeRequest, mask: &Mask) -> String {
    let mut out = String::from("{\"principle\": ");
    push_json_string(&mut out, request.principle());
    out.push_str(", \"prompt\": ");
    push_json_string(&mut out, request.prompt());
    out.push_str(", \"responses\": {");
    for (position, &response) in mask.order().iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        push_json_string(&mut out, &mask.label(position));
        out.push_str(": ");
        push_json_string(&mut out, &request.responses()[response].text);
    }
    out.push_str("}}");
    out
}

/// Plain text: the principle, the prompt, every response in [`pieces`](crate::pieces), and the principle again, since
/// what is asked for should stand near the answer however long the responses are. Of a response without a text only the
/// label is shown.
pub(crate) fn in_pieces<'t>(
    principle: &str,
    prompt: &str,
    texts: impl IntoIterator<Item = (String, Option<&'t str>)>,
    words: usize,
) -> String {
    let mut out = format!("Principle: {principle}\nPrompt: {prompt}");
    for (position, (label, text)) in texts.into_iter().enumerate() {
        out.push('\n');
        out.push_str(&label);
        out.push_str(": ");
        let cut = text.map(|text| pieces::pieces(text, words)).unwrap_or_default();
        for (piece, text) in cut.into_iter().enumerate() {
            out.push_str(&pieces::mark(position, piece));
            if piece == 0 {
                out.push(' ');
            }
            out.push_str(text);
        }
    }
    out.push_str("\nPrinciple: ");
    out.push_str(principle);
    out
}

/// A JSON string as Python's `json.dumps(..., ensure_ascii=False)` writes it: only the quote, the backslash and what
/// lies below U+0020 are escaped. Spelt out, since the published weights depend on these bytes.
fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes every write. This is a bug.");
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Response;

    fn user_message(principle: &str, prompt: &str, texts: &[&str], mask: &Mask) -> String {
        let responses = texts
            .iter()
            .enumerate()
            .map(|(i, text)| Response::new(format!("n{i}"), *text))
            .collect();
        let request = JudgeRequest::new(principle, prompt, responses).unwrap();
        let messages = messages(&Profile::published(""), &request, mask);
        assert_eq!(messages.len(), 1, "an empty system text is no message");
        messages.into_iter().next_back().unwrap().content
    }

    #[test]
    fn the_user_message_shows_labels_in_order_and_never_names() {
        let mask = Mask::published(3).unwrap();
        assert_eq!(
            user_message("Be brief.", "Why?", &["zero", "one", "two"], &mask),
            r#"{"principle": "Be brief.", "prompt": "Why?", "responses": {"model-1": "one", "model-2": "zero", "model-3": "two"}}"#
        );
    }

    #[test]
    fn pieces_stand_between_the_principle_and_itself() {
        let request = JudgeRequest::new(
            "Be brief.",
            "Why?",
            vec![Response::new("a", "w ".repeat(11)), Response::new("b", "No\nno")],
        )
        .unwrap();
        let profile = Profile {
            layout: Layout::Pieces,
            ..Profile::published("")
        };
        let shown = messages(&profile, &request, &Mask::published(2).unwrap());
        assert_eq!(
            shown[0].content,
            format!(
                "Principle: Be brief.\nPrompt: Why?\nmodel-1: ⟦1a⟧ No\nno\nmodel-2: ⟦2a⟧{}⟦2b⟧ w \nPrinciple: Be brief.",
                " w".repeat(10)
            )
        );
    }

    #[test]
    fn the_user_message_has_the_bytes_of_the_published_package() {
        #[derive(serde::Deserialize)]
        struct Case {
            principle: String,
            prompt: String,
            texts: Vec<String>,
            utf8: String,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../fixtures/user_message.json")).unwrap();
        assert_eq!(cases.len(), 4);
        for Case {
            principle,
            prompt,
            texts,
            utf8,
        } in cases
        {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mask = Mask::published(texts.len()).unwrap();
            let message = user_message(&principle, &prompt, &texts, &mask);
            let hex: String = message.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, utf8, "{message}");
        }
    }

    #[test]
    fn the_system_text_comes_first_unchanged() {
        let request = JudgeRequest::new("p", "q", vec![Response::new("a", "x")]).unwrap();
        let messages = messages(&Profile::published("\nJudge.\n"), &request, &Mask::identity(1));
        assert_eq!(
            (messages[0].role, messages[0].content.as_str()),
            (Role::System, "\nJudge.\n")
        );
        assert_eq!(messages[1].role, Role::User);
    }

    #[test]
    fn our_system_text_describes_what_the_parser_reads() {
        let shape = r#"{"scores": {"model-1": 4, "model-2": 2}, "best-to-worst": ["model-1", "model-2"]}"#;
        let verdict = crate::parse(shape, &Mask::identity(2)).unwrap();
        assert!(crate::profile::SYSTEM_PROMPT.contains(shape));
        assert_eq!(verdict.repairs, []);
    }
}
