//! r_f: how well a reply keeps to the format.

use serde::Serialize;

use super::Reading;
use crate::gold::Gold;
use crate::mask::Mask;
use crate::parse::JsonForm;

const THINKING: f64 = 0.15;
const SUBSTANTIAL: f64 = 0.05;
const SUBSTANTIAL_CHARS: usize = 50;
const JSON: f64 = 0.20;
const JSON_CUT_OUT: f64 = 0.15;
const KEY: f64 = 0.10;
const COVERAGE: f64 = 0.20;
const CONSISTENCY: f64 = 0.20;

/// The format reward; every part holds what it adds to `total`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FormatReward {
    /// 0.15 for a reasoning block that was closed and isn't empty.
    pub thinking: f64,
    /// 0.05 when that reasoning has more than 50 characters.
    pub substantial: f64,
    /// 0.20 for valid JSON and nothing else after the reasoning, 0.15 when it had to be cut out of other text.
    pub json: f64,
    /// 0.10 for each of the keys `scores` and `best-to-worst`, spelt exactly so.
    pub keys: f64,
    /// 0.20 times the share of responses that were scored from 1 to 5.
    pub coverage: f64,
    /// 0.20 times the share of pairs whose order in the ranking doesn't contradict the scores.
    pub consistency: f64,
    /// The sum, from 0 to 1.
    pub total: f64,
}

/// The format reward of a raw reply.
///
/// JSON that only the tolerant reader understands isn't valid and earns nothing for being JSON; what was read in it
/// still earns its keys, coverage and consistency. A pair with a response that was not scored or not ranked is not
/// consistent, so that leaving responses out doesn't pay; a single response is consistent when it was scored and
/// ranked.
///
/// ```
/// use rewardanything_core::reward::format_reward;
/// use rewardanything_core::{Gold, Mask};
///
/// let (gold, mask) = (Gold::from_scores(vec![5.0, 3.0, 1.0]), Mask::identity(3));
/// let reply = "<think>Too short to be substantial.</think>\n```json\n\
///     {\"scores\": {\"model-1\": 4, \"model-2\": 5}, \"best-to-worst\": [\"model-1\", \"model-2\"]}\n```";
/// let reward = format_reward(reply, &gold, &mask);
/// assert_eq!((reward.thinking, reward.substantial), (0.15, 0.0));
/// assert_eq!((reward.json, reward.keys), (0.15, 0.2)); // valid, but in a fence
/// assert!((reward.coverage - 0.2 * 2.0 / 3.0).abs() < 1e-12);
/// assert_eq!(reward.consistency, 0.0); // 4 before 5, and model-3 is nowhere
/// ```
///
/// # Panics
/// `gold` and `mask` differ in the number of responses.
pub fn format_reward(reply: &str, gold: &Gold, mask: &Mask) -> FormatReward {
    of(&Reading::of(reply, gold, mask))
}

pub(super) fn of(reading: &Reading) -> FormatReward {
    let Reading {
        survey,
        scores,
        listed,
    } = reading;
    let block = if survey.thinking_block {
        survey.reasoning.as_str()
    } else {
        ""
    };
    let thinking = if block.is_empty() { 0.0 } else { THINKING };
    let substantial = if block.chars().count() > SUBSTANTIAL_CHARS {
        SUBSTANTIAL
    } else {
        0.0
    };
    let json = match survey.json {
        JsonForm::Whole => JSON,
        JsonForm::Cut => JSON_CUT_OUT,
        JsonForm::Invalid => 0.0,
    };
    let keys = KEY * f64::from(u8::from(survey.exact_scores_key))
        + KEY * f64::from(u8::from(survey.exact_ranking_key));
    let scored = scores.iter().flatten().count();
    let coverage = if scores.is_empty() {
        0.0
    } else {
        COVERAGE * scored as f64 / scores.len() as f64
    };
    let consistency = CONSISTENCY * consistent_share(scores, listed);
    let total = thinking + substantial + json + keys + coverage + consistency;
    FormatReward {
        thinking,
        substantial,
        json,
        keys,
        coverage,
        consistency,
        total,
    }
}

fn consistent_share(scores: &[Option<f64>], listed: &[usize]) -> f64 {
    let n = scores.len();
    if n < 2 {
        return if n == 1 && scores[0].is_some() && listed.len() == 1 {
            1.0
        } else {
            0.0
        };
    }
    let mut consistent = 0usize;
    for (place, &before) in listed.iter().enumerate() {
        for &after in &listed[place + 1..] {
            consistent +=
                usize::from(matches!((scores[before], scores[after]), (Some(a), Some(b)) if a >= b));
        }
    }
    consistent as f64 / (n * (n - 1) / 2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "The principle asks for few words, and the first response has the fewest.";

    fn check(reply: &str, expect: [f64; 6]) {
        let gold = Gold::from_scores(vec![5.0, 3.0, 1.0]);
        let got = format_reward(reply, &gold, &Mask::identity(3));
        let parts = [
            got.thinking,
            got.substantial,
            got.json,
            got.keys,
            got.coverage,
            got.consistency,
        ];
        for (got, expect) in parts.iter().zip(expect) {
            assert!((got - expect).abs() < 1e-12, "{reply}\n{parts:?}");
        }
        assert!((got.total - expect.iter().sum::<f64>()).abs() < 1e-12);
    }

    #[test]
    fn every_criterion_earns_its_part() {
        let scores = r#""scores": {"model-1": 5, "model-2": 3, "model-3": 1}"#;
        let full = format!(r#"{{{scores}, "best-to-worst": ["model-1", "model-2", "model-3"]}}"#);
        check(
            &format!("<think>{LONG}</think>{full}"),
            [0.15, 0.05, 0.2, 0.2, 0.2, 0.2],
        );
        check(&format!("{LONG}</think>{full}"), [0.15, 0.05, 0.2, 0.2, 0.2, 0.2]);
        check(
            &format!("<think>{}</think>{full}", "x".repeat(50)),
            [0.15, 0.0, 0.2, 0.2, 0.2, 0.2],
        );
        check(
            &format!("<think>{}</think>{full}", "é".repeat(51)),
            [0.15, 0.05, 0.2, 0.2, 0.2, 0.2],
        );
        check(&format!("<think> </think>{full}"), [0.0, 0.0, 0.2, 0.2, 0.2, 0.2]);
        check(&full, [0.0, 0.0, 0.2, 0.2, 0.2, 0.2]);
        check(&format!("{LONG} {full}"), [0.0, 0.0, 0.15, 0.2, 0.2, 0.2]);
        check(
            &format!("<think>x</think>{full} Done."),
            [0.15, 0.0, 0.15, 0.2, 0.2, 0.2],
        );
        check(&full.replace("1}", "1,}"), [0.0, 0.0, 0.0, 0.2, 0.2, 0.2]);
        check(
            &full.replace("1}", "NaN}"),
            [0.0, 0.0, 0.0, 0.2, 0.2 * 2.0 / 3.0, 0.2 / 3.0],
        );
        check(
            &full.replace("1}", "null}"),
            [0.0, 0.0, 0.2, 0.2, 0.2 * 2.0 / 3.0, 0.2 / 3.0],
        );
        check(
            &full.replace("best-to-worst", "ranking"),
            [0.0, 0.0, 0.2, 0.1, 0.2, 0.2],
        );
        check(&format!("{{{scores}}}"), [0.0, 0.0, 0.2, 0.1, 0.2, 0.0]);
        let reversed = r#""best-to-worst": ["model-3", "model-2", "model-1"]"#;
        check(
            &format!("{{{scores}, {reversed}}}"),
            [0.0, 0.0, 0.2, 0.2, 0.2, 0.0],
        );
    }

    #[test]
    fn replies_without_a_verdict_earn_what_is_there() {
        check("", [0.0; 6]);
        check(&format!("<think>{LONG}"), [0.0; 6]);
        check(
            &format!("<think>{LONG}</think>"),
            [0.15, 0.05, 0.0, 0.0, 0.0, 0.0],
        );
        check(
            &format!("<think>{LONG}</think>I like the first."),
            [0.15, 0.05, 0.0, 0.0, 0.0, 0.0],
        );
    }

    #[test]
    fn one_response_is_consistent_when_scored_and_ranked() {
        let gold = Gold::from_scores(vec![4.0]);
        let consistency = |reply: &str| format_reward(reply, &gold, &Mask::identity(1)).consistency;
        assert_eq!(
            consistency(r#"{"scores": {"model-1": 3}, "best-to-worst": ["model-1"]}"#),
            0.2
        );
        assert_eq!(consistency(r#"{"scores": {"model-1": 3}}"#), 0.0);
    }
}
