//! Judging responses by a principle, as pure functions over text: what to ask a model, and what to make of its answer.
//!
//! # The tour, in one minute
//!
//! A [`JudgeRequest`] holds one principle, one prompt and some responses; holding one means that it is valid. A
//! [`Mask`] hides the names of the responses and shuffles them. A [`Profile`] says how the judge is spoken to, and
//! [`messages`] writes the chat. Something that can [`Generate`] (a local model, a remote one, or [`Scripted`])
//! answers. [`parse()`] reads the answer, whatever it looks like, into a [`Verdict`] with every [`Repair`] it took,
//! or says in a [`ParseError`] what was expected and what was there. A [`Judge`] does all of this for one request or
//! many:
//!
//! ```
//! use rewardanything_core::{Judge, JudgeRequest, OrderPolicy, Profile, Response, Scripted};
//!
//! let request = JudgeRequest::new(
//!     "Prefer the answer with fewer words.",
//!     "What is the capital of France?",
//!     vec![Response::new("wordy", "It is the city of Paris."), Response::new("terse", "Paris.")],
//! )?;
//!
//! // Any model goes here. This one knows its line, with the slips that models make.
//! let model = Scripted::always(
//!     "<think>\nmodel-2 needs one word.\n</think>\n\n\
//!      ```json\n{'scores': {'model-1': 2, 'model-2': '5/5'}, 'best-to-worst': ['model-2', 'model-1']}\n```",
//! );
//! let profile = Profile { order: OrderPolicy::Given, ..Profile::rewardanything() };
//! let judgment = Judge::new(&model, profile, 0).judge(&request);
//!
//! let verdict = judgment.verdict?;
//! assert_eq!(verdict.values(), [2.0, 5.0]);
//! assert_eq!(request.responses()[verdict.ranking[0]].name, "terse");
//! assert_eq!(verdict.reasoning, "model-2 needs one word.");
//! let repairs: Vec<String> = verdict.repairs.iter().map(ToString::to_string).collect();
//! assert_eq!(repairs, [
//!     "the JSON had strings in single quotes",
//!     "the JSON stood in a code fence",
//!     "the score of model-2 came as the text \"5/5\"",
//! ]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Beside the judge: [`reward`] scores raw replies against a [`Gold`] verdict for training, [`consensus`] makes gold
//! out of several judges' verdicts, [`metrics`] measures agreement, and [`record`] is what files and replies hold of a
//! judgment.
//!
//! # What this crate never does
//!
//! No input or output, no clock, no environment, no tensors, no random state beyond the seeds it is given. The same
//! arguments give the same answer, here and on every other machine.

pub mod apart;
mod branches;
pub mod consensus;
mod generate;
mod gold;
mod interest;
mod judge;
mod knockout;
mod mask;
pub mod metrics;
mod parse;
pub mod pieces;
mod profile;
mod prompt;
mod published;
pub mod record;
mod repair;
mod request;
pub mod reward;
mod seeded;
pub mod split;
mod verdict;
mod votes;

pub use generate::{
    Completion, FinishReason, Generate, GenerateError, GenerateJob, Given, Message, Role, Scripted, Until,
    VerdictForm, answer,
};
pub use gold::Gold;
pub use interest::{Interest, Waiter};
pub use judge::{Judge, JudgeError, Judgment};
pub use knockout::Knockout;
pub use mask::{Mask, MaskError};
pub use parse::{ParseError, Unscored, parse};
pub use profile::{Decoding, Layout, OrderPolicy, Profile, SYSTEM_PROMPT, Sampling, ThinkingPolicy};
pub use prompt::messages;
pub use repair::Repair;
pub use request::{JudgeRequest, MAX_RESPONSES, RequestError, Response};
pub use seeded::Fnv1a;
pub use verdict::{Score, ScoreError, Verdict, render};
pub use votes::{Repeats, Votes};
