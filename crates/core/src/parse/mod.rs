//! From the text of a reply to a verdict.

mod error;

pub use error::{ParseError, Unscored};

use crate::mask::Mask;
use crate::verdict::Verdict;

/// Reads a reply.
///
/// # Errors
/// See [`ParseError`].
pub fn parse(reply: &str, mask: &Mask) -> Result<Verdict, ParseError> {
    let raw = || reply.to_owned();
    let (reasoning, answer) = reply.rsplit_once("</think>").unwrap_or(("", reply));
    let value: serde_json::Value = serde_json::from_str(answer).map_err(|error| ParseError::NoVerdict {
        raw: raw(),
        found: error.to_string(),
    })?;
    let missing = |label: String| ParseError::MissingScores {
        raw: raw(),
        missing: vec![Unscored { label, found: None }],
    };
    let mut scores = vec![0.0; mask.len()];
    for position in 0..mask.len() {
        let label = mask.label(position);
        scores[mask.response_at(position)] =
            value["scores"][&label].as_f64().ok_or_else(|| missing(label))?;
    }
    let reasoning = reasoning.trim().trim_start_matches("<think>");
    Verdict::from_scores(reasoning, &scores, mask.order()).map_err(|_| missing(String::new()))
}
