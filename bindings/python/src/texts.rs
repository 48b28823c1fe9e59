//! Prompts and responses as a judge reads them, out of what training frameworks hold.

use pyo3::prelude::*;
use rewardanything_core::{Message, Role};
use rewardanything_evals::{raw, transcript};

use crate::values::value_error;

/// Messages, as pairs of role and content, as one text.
#[pyfunction]
pub(crate) fn conversation(messages: Vec<(String, String)>) -> PyResult<String> {
    let messages = messages
        .into_iter()
        .enumerate()
        .map(|(index, (role, content))| {
            let role = match role.as_str() {
                // What OpenAI calls its system messages nowadays.
                "system" | "developer" => Role::System,
                "user" => Role::User,
                "assistant" => Role::Assistant,
                other => {
                    return Err(value_error(format!(
                        "messages[{index}].role: expected system, user or assistant, got {other:?}"
                    )));
                }
            };
            Ok(Message { role, content })
        })
        .collect::<PyResult<Vec<_>>>()?;
    Ok(raw::as_text(&messages))
}

/// A prompt out of the text that a chat template made of it; any other text as it is.
#[pyfunction]
pub(crate) fn prompt_of(text: &str) -> String {
    transcript::prompt(text)
}

/// The response in a text that is a prompt and a response.
#[pyfunction]
pub(crate) fn response_of(query: &str, prompt: &str) -> String {
    transcript::response(query, prompt)
}

/// A text without the tokens that end it.
#[pyfunction]
pub(crate) fn without_end(text: &str) -> &str {
    transcript::without_end(text)
}
