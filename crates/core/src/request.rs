//! What is to be judged: one principle, one prompt, some responses.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The most responses that one request may hold.
pub const MAX_RESPONSES: usize = 64;

/// One candidate answer, under the caller's name for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The caller's name; never shown to the judge.
    pub name: String,
    /// The text to judge. May be empty: answering nothing is an answer too.
    pub text: String,
}

impl Response {
    /// A response from its name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// A valid request: holding one means that every check has passed.
///
/// ```
/// use rewardanything_core::{JudgeRequest, RequestError, Response};
///
/// let request = JudgeRequest::new(
///     "Prefer the shorter answer.",
///     "What is 2 + 2?",
///     vec![Response::new("a", "4"), Response::new("b", "The answer is 4.")],
/// )?;
/// assert_eq!(request.responses()[1].name, "b");
///
/// let twice = vec![Response::new("a", "4"), Response::new("a", "four")];
/// let error = JudgeRequest::new("Be brief.", "2 + 2?", twice).unwrap_err();
/// assert_eq!(error.field(), "responses[1].name");
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeRequest {
    principle: String,
    prompt: String,
    responses: Vec<Response>,
}

impl JudgeRequest {
    /// Checks and keeps the parts, unchanged: nothing is trimmed or cut.
    ///
    /// # Errors
    /// The first fault in reading order: an empty or blank principle or prompt, no response or more than
    /// [`MAX_RESPONSES`], an empty or blank name, a name that was used before.
    pub fn new(
        principle: impl Into<String>,
        prompt: impl Into<String>,
        responses: Vec<Response>,
    ) -> Result<Self, RequestError> {
        let (principle, prompt) = (principle.into(), prompt.into());
        for (field, text) in [("principle", &principle), ("prompt", &prompt)] {
            if text.trim().is_empty() {
                return Err(RequestError::Empty {
                    field: field.to_owned(),
                });
            }
        }
        if responses.is_empty() {
            return Err(RequestError::Empty {
                field: "responses".to_owned(),
            });
        }
        if responses.len() > MAX_RESPONSES {
            return Err(RequestError::TooManyResponses { got: responses.len() });
        }
        let mut first_use = HashMap::new();
        for (index, response) in responses.iter().enumerate() {
            let field = format!("responses[{index}].name");
            if response.name.trim().is_empty() {
                return Err(RequestError::Empty { field });
            }
            if let Some(first) = first_use.insert(response.name.as_str(), index) {
                return Err(RequestError::DuplicateName {
                    field,
                    name: response.name.clone(),
                    first,
                });
            }
        }
        Ok(Self {
            principle,
            prompt,
            responses,
        })
    }

    /// The rule to judge by.
    pub fn principle(&self) -> &str {
        &self.principle
    }

    /// What the responses answer.
    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// The responses in the caller's order; verdicts refer to them by index.
    pub fn responses(&self) -> &[Response] {
        &self.responses
    }
}

/// Why a request was refused. The message begins with the field at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The field holds nothing, or nothing but white space.
    #[error("{field}: expected something to judge by, got nothing or only white space")]
    Empty {
        /// Path of the field, for example `responses[2].name`.
        field: String,
    },
    /// Two responses go by one name.
    #[error("{field}: expected a name used once, got {name:?}, which responses[{first}] has already")]
    DuplicateName {
        /// Path of the second use.
        field: String,
        /// The name.
        name: String,
        /// Index of the first response with that name.
        first: usize,
    },
    /// More than [`MAX_RESPONSES`] responses.
    #[error("responses: expected at most {MAX_RESPONSES}, got {got}")]
    TooManyResponses {
        /// How many there were.
        got: usize,
    },
}

impl RequestError {
    /// Path of the field at fault, for example `principle` or `responses[2].name`.
    pub fn field(&self) -> &str {
        match self {
            Self::Empty { field } | Self::DuplicateName { field, .. } => field,
            Self::TooManyResponses { .. } => "responses",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(principle: &str, prompt: &str, names: &[&str], expect: Option<&str>) {
        let responses = names.iter().map(|name| Response::new(*name, "text")).collect();
        let got = JudgeRequest::new(principle, prompt, responses);
        assert_eq!(got.as_ref().err().map(RequestError::field), expect, "{got:?}");
        if let Err(error) = got {
            assert!(error.to_string().starts_with(error.field()), "{error}");
        }
    }

    #[test]
    fn refusals_name_the_field() {
        check("p", "q", &["a", "b"], None);
        check("", "q", &["a"], Some("principle"));
        check(" \n\t", "q", &["a"], Some("principle"));
        check("p", "", &["a"], Some("prompt"));
        check("p", "\u{2003}", &["a"], Some("prompt"));
        check("p", "q", &[], Some("responses"));
        check("p", "q", &["a", "b", ""], Some("responses[2].name"));
        check("p", "q", &["a", " ", "c"], Some("responses[1].name"));
        check("p", "q", &["a", "b", "a"], Some("responses[2].name"));
        check("p", "q", &["a", "A"], None);
    }

    #[test]
    fn sixty_four_responses_are_the_limit() {
        let names: Vec<String> = (0..=MAX_RESPONSES).map(|i| format!("m{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        check("p", "q", &names[..MAX_RESPONSES], None);
        check("p", "q", &names, Some("responses"));
    }

    #[test]
    fn an_empty_response_text_is_an_answer() {
        let request = JudgeRequest::new("p", "q", vec![Response::new("a", "")]).unwrap();
        assert_eq!(request.responses()[0].text, "");
    }
}
