//! Principle-following judging, pure: no IO, no clock, no environment, no tensors, no global random state.

pub mod consensus;
mod generate;
mod gold;
mod judge;
mod mask;
pub mod metrics;
mod parse;
mod profile;
mod prompt;
mod published;
mod repair;
mod request;
pub mod reward;
mod seeded;
mod verdict;

pub use generate::{Completion, FinishReason, Generate, GenerateError, GenerateJob, Message, Role, Scripted};
pub use gold::Gold;
pub use judge::{Judge, JudgeError, Judgment};
pub use mask::{Mask, MaskError};
pub use parse::{ParseError, Unscored, parse};
pub use profile::{Layout, OrderPolicy, Profile, SYSTEM_PROMPT, Sampling, ThinkingPolicy};
pub use prompt::messages;
pub use repair::Repair;
pub use request::{JudgeRequest, MAX_RESPONSES, RequestError, Response};
pub use verdict::{Score, ScoreError, Verdict, render};
