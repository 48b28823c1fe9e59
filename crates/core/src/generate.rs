//! The one seam between judging and models: messages go in, text comes out.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::interest::Interest;
use crate::profile::Sampling;

/// Who speaks in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The instructions.
    System,
    /// The one who asks.
    User,
    /// The one who answers.
    Assistant,
}

/// One turn of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// One text to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateJob {
    /// The chat so far; the model writes the next assistant turn.
    pub messages: Vec<Message>,
    /// How to decode.
    pub sampling: Sampling,
    /// Whether the model may think first: the `enable_thinking` of chat templates.
    pub thinking: bool,
    /// The form that the reply is to take. A backend that cannot hold a model to it leaves the reply free.
    pub form: Option<VerdictForm>,
}

/// A reply of which all is known but the thinking, the scores and the order of equal scores: what
/// [`render`](crate::render) writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictForm {
    /// What the reply begins with, its thinking tag included; none where the thinking is free from its beginning.
    pub given: Vec<Given>,
    /// The labels under which the responses are shown, in that order; none where the reply ends with what is given.
    pub labels: Vec<String>,
    /// The most tokens of thinking; 0 when the reply begins with the verdict. Known text does not count.
    pub thinking_tokens: usize,
}

/// Known text, and an open place behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: String,
    /// What is behind it.
    pub until: Until,
}

/// How far a model writes behind known text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Not at all: known text follows at once, or the thinking.
    Here,
    /// Until it writes this.
    Text(&'static str),
    /// Until it ends the reply, as it likes.
    End,
}

impl Given {
    /// Text with an open place behind it, which ends with `until`.
    pub fn open(text: impl Into<String>, until: &'static str) -> Self {
        Self {
            text: text.into(),
            until: Until::Text(until),
        }
    }

    /// Text alone.
    pub fn closed(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            until: Until::Here,
        }
    }

    /// Text behind which the rest of the reply is the model's, held to nothing.
    pub fn begun(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            until: Until::End,
        }
    }
}

impl VerdictForm {
    /// The text before the first score.
    ///
    /// # Panics
    /// Without labels.
    pub fn opening(&self) -> String {
        format!("{{\"scores\": {{\"{}\": ", self.labels[0])
    }

    /// The text after the score of a label, by its place.
    pub fn after_score(&self, label: usize) -> String {
        match self.labels.get(label + 1) {
            Some(next) => format!(", \"{next}\": "),
            None => "}, \"best-to-worst\": [\"".to_owned(),
        }
    }

    /// The text after the label at a place of the ranking.
    pub fn after_place(&self, place: usize) -> &'static str {
        if place + 1 < self.labels.len() {
            "\", \""
        } else {
            "\"]}"
        }
    }
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model ended it.
    Stop,
    /// It ran into its limit of new tokens or into the end of the context.
    Length,
}

/// A generated text and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The assistant turn, thinking included, without stop tokens.
    pub text: String,
    /// Tokens read.
    pub prompt_tokens: usize,
    /// Tokens written.
    pub completion_tokens: usize,
    /// Why it ended.
    pub finish: FinishReason,
    /// The model's probabilities of the scores 1 to 5, label after label of the job's form, where they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distributions: Vec<Option<[f64; 5]>>,
}

/// Why a job yielded no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// Prompts are never cut: one that leaves no room for the answer is refused.
    #[error(
        "the prompt has {prompt_tokens} tokens and the answer may have {max_new_tokens}: \
         expected at most {context} together"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens asked for.
        max_new_tokens: usize,
        /// Tokens the model can hold.
        context: usize,
    },
    /// A response that the judge reads by itself has no room.
    #[error(
        "responses.{name}: read out it takes {tokens} tokens with what the judge writes beside it: expected at most {context}"
    )]
    ResponseTooLong {
        /// Its name.
        name: String,
        /// Tokens that it takes.
        tokens: usize,
        /// Tokens the model can hold.
        context: usize,
    },
    /// As [`GenerateError::PromptTooLong`], from a server that gives no numbers.
    #[error("{endpoint} says that the prompt is too long: {message}")]
    Overlong {
        /// Who was asked.
        endpoint: String,
        /// The server's words.
        message: String,
    },
    /// A server answered, and refused.
    #[error("{endpoint} answered {status}: {message}")]
    Refused {
        /// Who was asked.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// There was no answer in time.
    #[error("no answer within {seconds} s after {attempts} attempts; the last one: {last}")]
    Deadline {
        /// How long the job might take.
        seconds: u64,
        /// How often it was sent.
        attempts: u32,
        /// What became of the last attempt.
        last: String,
    },
    /// Nobody waits for the answer any more.
    #[error("nobody waits for the answer any more")]
    Abandoned,
    /// Whatever else went wrong behind the seam, in its own words.
    #[error("{0}")]
    Backend(String),
}

/// A source of text: a local model, a remote one, a script.
pub trait Generate: Send + Sync {
    /// The name that records give as the judge.
    fn name(&self) -> &str;

    /// Whether replies are held to the form of their job. A judge leaves out what it needs such replies for where they
    /// are not.
    fn holds_forms(&self) -> bool {
        false
    }

    /// Answers every job: the result has one entry per job, in the order of the jobs, and a job that fails leaves
    /// the others alone.
    fn generate(&self, jobs: &[GenerateJob]) -> Vec<Result<Completion, GenerateError>>;

    /// As [`Generate::generate`], for somebody who may go away: jobs that are not done by then may be left, with
    /// [`GenerateError::Abandoned`]. Without a way to stop, all are done.
    fn generate_for(
        &self,
        jobs: &[GenerateJob],
        interest: &Interest,
    ) -> Vec<Result<Completion, GenerateError>> {
        let _ = interest;
        self.generate(jobs)
    }
}

type Script = dyn Fn(&GenerateJob) -> Result<Completion, GenerateError> + Send + Sync;

/// A [`Generate`] that answers from a script, for tests and examples.
pub struct Scripted {
    name: String,
    script: Box<Script>,
    seen: Mutex<Vec<GenerateJob>>,
    holds_forms: bool,
}

impl Scripted {
    /// Answers the first job with the first reply, and so on; later jobs get an error.
    pub fn new<R: Into<String>>(replies: impl IntoIterator<Item = R>) -> Self {
        let left: Mutex<std::collections::VecDeque<String>> =
            Mutex::new(replies.into_iter().map(Into::into).collect());
        Self::from_fn(move |job| {
            let reply = left
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .pop_front();
            reply
                .map(|reply| completion(job, reply))
                .ok_or_else(|| GenerateError::Backend("the script has no reply left".to_owned()))
        })
    }

    /// Gives one reply to every job.
    pub fn always(reply: impl Into<String>) -> Self {
        let reply = reply.into();
        Self::from_fn(move |job| Ok(completion(job, reply.clone())))
    }

    /// Answers each job by a function of it.
    pub fn from_fn(
        script: impl Fn(&GenerateJob) -> Result<Completion, GenerateError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: "scripted".to_owned(),
            script: Box::new(script),
            seen: Mutex::new(Vec::new()),
            holds_forms: false,
        }
    }

    /// A script whose replies have the form of their job.
    pub fn holding_forms(self) -> Self {
        Self {
            holds_forms: true,
            ..self
        }
    }

    /// The jobs answered so far, in order.
    pub fn seen(&self) -> Vec<GenerateJob> {
        self.seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}

/// A finished completion; tokens are counted as words, which is all that a script knows.
fn completion(job: &GenerateJob, text: String) -> Completion {
    let words = |text: &str| text.split_whitespace().count();
    Completion {
        prompt_tokens: job.messages.iter().map(|message| words(&message.content)).sum(),
        completion_tokens: words(&text),
        text,
        finish: FinishReason::Stop,
        distributions: Vec::new(),
    }
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Generate for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn holds_forms(&self) -> bool {
        self.holds_forms
    }

    fn generate(&self, jobs: &[GenerateJob]) -> Vec<Result<Completion, GenerateError>> {
        self.seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .extend_from_slice(jobs);
        jobs.iter().map(|job| (self.script)(job)).collect()
    }
}

/// A reply without what was thought before it, and without white space around it. Thinking that never ended leaves no
/// answer.
///
/// ```
/// use rewardanything_core::answer;
///
/// assert_eq!(answer(" plain \n"), "plain");
/// assert_eq!(answer("<think>\nso\n</think>\n\nyes"), "yes");
/// assert_eq!(answer("<think>\nso and"), "");
/// ```
pub fn answer(reply: &str) -> &str {
    match reply.rsplit_once("</think>") {
        Some((_, answer)) => answer.trim(),
        None if reply.trim_start().starts_with("<think>") => "",
        None => reply.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_in_order_and_then_ends() {
        let job = GenerateJob {
            messages: Vec::new(),
            sampling: Sampling::default(),
            thinking: true,
            form: None,
        };
        let model = Scripted::new(["one", "two words"]);
        let texts: Vec<Option<String>> = model
            .generate(&[job.clone(), job.clone(), job])
            .into_iter()
            .map(|result| result.ok().map(|completion| completion.text))
            .collect();
        assert_eq!(
            texts,
            [Some("one".to_owned()), Some("two words".to_owned()), None]
        );
        assert_eq!(model.seen().len(), 3);
    }

    #[test]
    fn a_form_is_what_render_writes() {
        let check = |scores: &[f64], ranking: &[usize]| {
            let n = scores.len();
            let verdict = crate::Verdict::from_scores("why", scores, ranking).unwrap();
            let mask = crate::Mask::identity(n);
            let form = VerdictForm {
                labels: (0..n).map(|place| mask.label(place)).collect(),
                thinking_tokens: 0,
                given: Vec::new(),
            };
            let mut text = form.opening();
            for (label, score) in scores.iter().enumerate() {
                text += &format!("{score}{}", form.after_score(label));
            }
            for (place, &label) in verdict.ranking.iter().enumerate() {
                text += &format!("{}{}", form.labels[label], form.after_place(place));
            }
            let rendered = crate::render(&verdict, &mask);
            assert_eq!(rendered, format!("<think>\nwhy\n</think>\n\n{text}"));
        };
        check(&[3.0], &[0]);
        check(&[1.0, 5.0, 4.0], &[1, 2, 0]);
    }

    #[test]
    fn messages_have_the_wire_shape_of_chat_apis() {
        let message = Message {
            role: Role::System,
            content: "hi".to_owned(),
        };
        assert_eq!(
            serde_json::to_string(&message).unwrap(),
            r#"{"role":"system","content":"hi"}"#
        );
    }
}
