//! What the judge is taught to write, with the places that a metric follows.

use super::Kind;
use rewardanything_core::{Mask, Score, Verdict, render};
use rewardanything_principles::{Direction, Measure, gold_of_values};
use std::ops::Range;

/// A reply in the making.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) marks: Vec<(Range<usize>, Kind)>,
}

impl Reply {
    /// A reply that has begun to think.
    pub(super) fn thinking() -> Self {
        Self {
            text: "<think>".to_owned(),
            marks: vec![],
        }
    }

    fn mark(&mut self, text: &str, kind: Kind) {
        let start = self.text.len();
        self.text.push_str(text);
        self.marks.push((start..self.text.len(), kind));
    }

    /// `Asked for: fewer commas.`
    pub(super) fn asked(&mut self, measure: Measure, direction: Direction) {
        self.text.push_str("\nAsked for: ");
        self.mark(direction.id(), Kind::Direction);
        self.text.push(' ');
        self.mark(measure.quality(), Kind::Quality);
        self.text.push('.');
    }

    /// `model-1: commas 3, colons 0.`, a line for each text. Label and quality stand right before the level, so that
    /// what to look for is near where it is needed.
    pub(super) fn levels(&mut self, measures: &[Measure], texts: &[String]) {
        for (i, text) in texts.iter().enumerate() {
            self.text.push_str(&format!("\nmodel-{}:", i + 1));
            for (at, measure) in measures.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                self.text.push_str(&format!("{comma} {} ", measure.quality()));
                self.mark(&measure.level(text).to_string(), Kind::Level);
            }
            self.text.push('.');
        }
    }

    /// As [`levels`](Self::levels) of one quality, with levels that nobody measured.
    pub(super) fn given(&mut self, measure: Measure, levels: &[u8]) {
        for (i, level) in levels.iter().enumerate() {
            self.text
                .push_str(&format!("\nmodel-{}: {} ", i + 1, measure.quality()));
            self.mark(&level.to_string(), Kind::Given);
            self.text.push('.');
        }
    }

    /// Ends the thinking, without a verdict.
    pub(super) fn end(mut self) -> Self {
        self.text.push_str("\n</think>");
        self
    }

    /// Ends the thinking and gives the verdict that follows from the levels.
    ///
    /// `From 0 to 3, best 0.` and a line `model-1: 3 gives 1.` for each response come first: a score finds its level,
    /// compares it with both ends and turns with the direction, and in one step that is not learned.
    pub(super) fn verdict(mut self, direction: Direction, levels: &[f64]) -> Self {
        let lowest = levels.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let best = match direction {
            Direction::More => highest,
            Direction::Fewer => lowest,
        };
        for (before, level) in [("\nFrom ", lowest), (" to ", highest), (", best ", best)] {
            self.text.push_str(before);
            self.mark(&level.to_string(), Kind::Range);
        }
        self.text.push('.');
        let gold = gold_of_values(direction, levels);
        for (i, (level, score)) in levels.iter().zip(&gold.scores).enumerate() {
            self.text.push_str(&format!("\nmodel-{}: ", i + 1));
            self.mark(&level.to_string(), Kind::Recall);
            self.text.push_str(" gives ");
            self.mark(&score.to_string(), Kind::Score);
            self.text.push('.');
        }
        let scores = gold
            .scores
            .iter()
            .map(|s| Score::new(*s).expect("gold scores lie in 1..=5. This is a bug."));
        let verdict = Verdict {
            reasoning: self.text["<think>\n".len()..].to_owned(),
            scores: scores.collect(),
            ranking: gold.ranking,
            repairs: vec![],
        };
        let text = render(&verdict, &Mask::identity(levels.len()));
        let mut marks = self.marks;
        let json = text
            .find("{\"scores\"")
            .expect("a rendered verdict has scores. This is a bug.");
        let end = json + text[json..].find('}').expect("the scores end. This is a bug.");
        for (at, _) in text[json..end].match_indices("\": ") {
            let digit = json + at + 3;
            if text.as_bytes()[digit].is_ascii_digit() {
                marks.push((digit..digit + 1, Kind::Score));
            }
        }
        Self { text, marks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_reads_well_and_its_marks_lie_where_they_should() {
        let texts = ["A, b, c.".to_owned(), "D".to_owned()];
        let mut reply = Reply::thinking();
        reply.asked(Measure::Commas, Direction::Fewer);
        reply.levels(&[Measure::Commas], &texts);
        let reply = reply.verdict(Direction::Fewer, &[2.0, 0.0]);
        assert!(
            reply.text.starts_with(
                "<think>\nAsked for: fewer commas.\nmodel-1: commas 2.\nmodel-2: commas 0.\nFrom 0 to 2, best 0.\nmodel-1: 2 gives 1.\nmodel-2: 0 gives 5.\n</think>"
            ),
            "{}",
            reply.text
        );
        let marked: Vec<(&str, Kind)> = reply
            .marks
            .iter()
            .map(|(range, kind)| (&reply.text[range.clone()], *kind))
            .collect();
        let expect = [
            ("fewer", Kind::Direction),
            ("commas", Kind::Quality),
            ("2", Kind::Level),
            ("0", Kind::Level),
            ("0", Kind::Range),
            ("2", Kind::Range),
            ("0", Kind::Range),
            ("2", Kind::Recall),
            ("1", Kind::Score),
            ("0", Kind::Recall),
            ("5", Kind::Score),
            ("1", Kind::Score),
            ("5", Kind::Score),
        ];
        assert_eq!(marked, expect);
    }
}
