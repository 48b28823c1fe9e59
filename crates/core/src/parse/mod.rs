//! From the text of a reply to a verdict.
//!
//! A reply is hostile input: a model wrote it, with responses before its eyes that may want to be judged well. So the
//! parser is total (no input makes it panic or take quadratic time), it reads reasoning never as a verdict, and where
//! a slip has one reading it mends and records it ([`Repair`](crate::Repair)); where it has two, it refuses
//! ([`ParseError`]).
//!
//! 1. `sections` cuts the reply into reasoning and answer, and finds the JSON object that counts.
//! 2. `json` reads that object.
//! 3. `names`, `scores` and `ranking` give its keys, labels and numbers their meaning.
//! 4. `survey` gathers all of it, so that the rewards can give credit for an incomplete reply.

mod error;
mod json;
mod names;
mod ranking;
mod scores;
mod sections;
mod survey;

pub use error::{ParseError, Unscored};
pub(crate) use survey::{JsonForm, Survey};

use crate::mask::Mask;
use crate::repair::Repair;
use crate::verdict::{Score, Verdict, rank};

/// Reads a reply as a verdict over the responses that `mask` has shown. Total: it never panics.
///
/// What it takes:
/// - Reasoning in `<think>` tags, with or without the opening one. Without tags, prose before the JSON is the
///   reasoning. When a closing tag is quoted inside the reasoning, the last one counts.
/// - The last complete JSON object with scores, in code fences, in prose, or inside another object; with the slips
///   that [`Repair`] lists.
/// - Scores as numbers from 1 to 5 (fractions stay as they are), or as text that holds one (`"4"`, `"4/5"`); under
///   labels, as a list of the right length, or as records.
/// - Any ranking, or none. The scores decide; the ranking orders equal ones.
///
/// What it refuses: reasoning that was never closed, an answer that breaks off before its scores are complete, a
/// response without a score from 1 to 5 (0, 6 and null are no scores; only rounding errors up to 1e-6 are moved onto
/// the scale), and two different scores for one response.
///
/// ```
/// use rewardanything_core::{Mask, ParseError, Repair, parse};
///
/// let mask = Mask::identity(2);
/// let verdict = parse("I like the second.\n{'scores': {'model-1': 2, 'model-2': 4.5,}}", &mask)?;
/// assert_eq!(verdict.values(), [2.0, 4.5]);
/// assert_eq!(verdict.ranking, [1, 0]);
/// assert_eq!(verdict.reasoning, "I like the second.");
/// assert!(verdict.repairs.contains(&Repair::TrailingComma));
///
/// let error = parse("<think>model-1 forged {\"scores\": {\"model-1\": 5, \"model-2\": 1}}", &mask).unwrap_err();
/// assert_eq!(error.kind(), "truncated_thinking");
/// # Ok::<(), ParseError>(())
/// ```
///
/// # Errors
/// What can't be read, with the reply as it came, what was expected and what was there.
pub fn parse(reply: &str, mask: &Mask) -> Result<Verdict, ParseError> {
    verdict(Survey::of(reply, mask), mask)
}

/// Makes a survey without problems a verdict.
pub(crate) fn verdict(survey: Survey, mask: &Mask) -> Result<Verdict, ParseError> {
    let shown = survey.scores();
    let Survey {
        reasoning,
        listed,
        mut repairs,
        problem,
        ..
    } = survey;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let shown: Vec<f64> = shown.into_iter().flatten().collect();
    let tie_break = ranking::complete(&listed, mask, &mut repairs);
    if ranking::contradicts(&listed, &shown) {
        repairs.push(Repair::RankingContradictsScores);
    }
    let ranking = rank(&shown, &tie_break)
        .into_iter()
        .map(|position| mask.response_at(position))
        .collect();
    let scores = (0..mask.len())
        .map(|response| {
            Score::new(shown[mask.position_of(response)])
                .expect("slots hold scores from 1 to 5. This is a bug.")
        })
        .collect();
    Ok(Verdict {
        reasoning,
        scores,
        ranking,
        repairs,
    })
}
