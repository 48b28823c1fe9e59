//! How hard an item is to judge: how far apart its responses are in what the principle asks for.
//!
//! Two responses are apart by the *relative difference* of what decides between them, from 0 (equal) to nearly 1: for an
//! amount |a - b| / (max(a, b) + 1), where the one keeps a single comma against none (a half) from being as far apart
//! as anything can be. A limit or a target is decided by the same amounts, so that 49 and 52 words are close under any of
//! them, whichever side of the limit they are on. In an order of goals the first goal that differs decides. For points
//! it is what the sums differ by, over the most that the terms could have differed by.
//!
//! An item is as far apart as its pairs are on average, over the pairs that count: those whose gold scores differ.

use crate::{Direction, Goal, Measure, Rule};

/// From here on, on average, an item is not hard. Of 31 words against 18 a pair would be.
const NOT_HARD: f64 = 0.4;
/// From here on an item is easy. One against none is half, two against none are two thirds.
const EASY: f64 = 0.6;

/// How hard an item is to judge, by how far apart its responses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difficulty {
    /// A mean relative difference of 0.6 or more.
    Easy,
    /// From 0.4 on.
    Medium,
    /// Below 0.4.
    Hard,
}

impl Difficulty {
    /// `easy`, `medium` or `hard`, as items have it.
    ///
    /// ```
    /// use rewardanything_principles::Difficulty;
    /// assert_eq!(Difficulty::of(0.6).id(), "easy");
    /// ```
    pub fn id(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }

    /// The difficulty of a mean relative difference.
    pub fn of(apart: f64) -> Self {
        if apart >= EASY {
            Self::Easy
        } else if apart >= NOT_HARD {
            Self::Medium
        } else {
            Self::Hard
        }
    }
}

impl Rule {
    /// The mean relative difference of `texts` over the pairs whose gold `scores` differ, from 0 to 1; `None` where there is
    /// no such pair. The module says what it is of each kind of rule.
    ///
    /// ```
    /// use rewardanything_principles::{Direction, Goal, Measure, Quality, Rule};
    /// let rule = Rule::Order(&[Goal::Amount(Quality::Of(Measure::Words), Direction::Fewer)]);
    /// let texts = ["one", "one two", "one two three four"];
    /// // Pairs of 1 and 2, 1 and 4, 2 and 4 words.
    /// assert_eq!(rule.apart(&texts, &[5.0, 4.0, 1.0]), Some((1.0 / 3.0 + 3.0 / 5.0 + 2.0 / 5.0) / 3.0));
    /// ```
    ///
    /// # Panics
    /// There are fewer scores than texts.
    pub fn apart(self, texts: &[&str], scores: &[f64]) -> Option<f64> {
        let goals = self.goals();
        let amounts = amounts(&goals, texts);
        mean(scores, |a, b| match self {
            Self::Order(goals) => by_order(goals, &amounts[a], &amounts[b]),
            Self::Points(terms) => by_points(terms, &amounts[a], &amounts[b]),
        })
    }
}

/// [`Rule::apart`] of the rule that is this measure in this direction.
pub(crate) fn apart_in(
    measure: Measure,
    direction: Direction,
    texts: &[&str],
    scores: &[f64],
) -> Option<f64> {
    let goals = [Goal::Amount(crate::Quality::Of(measure), direction)];
    let amounts = amounts(&goals, texts);
    mean(scores, |a, b| by_order(&goals, &amounts[a], &amounts[b]))
}

/// For each text, the amount of each goal's quality.
fn amounts(goals: &[Goal], texts: &[&str]) -> Vec<Vec<f64>> {
    texts
        .iter()
        .map(|text| goals.iter().map(|goal| goal.quality().measure(text)).collect())
        .collect()
}

fn mean(scores: &[f64], apart: impl Fn(usize, usize) -> f64) -> Option<f64> {
    let (mut sum, mut pairs) = (0.0, 0usize);
    for a in 0..scores.len() {
        for b in (0..a).filter(|&b| scores[a] != scores[b]) {
            sum += apart(a, b);
            pairs += 1;
        }
    }
    (pairs > 0).then(|| sum / pairs as f64)
}

fn by_order(goals: &[Goal], a: &[f64], b: &[f64]) -> f64 {
    goals
        .iter()
        .zip(a.iter().zip(b))
        .find_map(|(goal, (&a, &b))| {
            let (first, second) = (goal.worth_of(a), goal.worth_of(b));
            // The worth of a limit is met or not; how close a call that was, the amounts say.
            let difference = match goal {
                Goal::AtLeast(..) | Goal::AtMost(..) => (a - b).abs(),
                Goal::Amount(..) | Goal::Near(..) => (first - second).abs(),
            };
            (first != second).then(|| difference / (a.max(b) + 1.0))
        })
        .unwrap_or(0.0)
}

fn by_points(terms: &[(i8, Goal)], a: &[f64], b: &[f64]) -> f64 {
    let (mut difference, mut most) = (0.0, 0.0);
    for (&(points, goal), (&a, &b)) in terms.iter().zip(a.iter().zip(b)) {
        let points = f64::from(points);
        difference += points * (goal.worth_of(a) - goal.worth_of(b));
        most += points.abs()
            * match goal {
                Goal::AtLeast(..) | Goal::AtMost(..) => 1.0,
                Goal::Amount(..) | Goal::Near(..) => a.max(b) + 1.0,
            };
    }
    // Without terms, or with terms of no points, everything is equal.
    if most > 0.0 { difference.abs() / most } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Quality, gold};

    const WORDS: Quality = Quality::Of(Measure::Words);
    const COMMAS: Quality = Quality::Of(Measure::Commas);

    #[test]
    fn pairs_are_as_far_apart_as_what_decides_between_them() {
        let check = |rule: Rule, texts: [&str; 2], expect: f64| {
            let found = rule.apart(&texts, &[1.0, 5.0]);
            assert_eq!(found, Some(expect), "{rule:?} {texts:?}");
        };
        let fewer = Rule::Order(&[Goal::Amount(WORDS, Direction::Fewer)]);
        check(fewer, ["a b c d", "a b c"], 0.2);
        check(fewer, ["", "a b c"], 0.75);
        // A limit between 3 and 4 words is as close a call as the amounts are.
        check(Rule::Order(&[Goal::AtMost(WORDS, 3)]), ["a b c d", "a b c"], 0.2);
        // One off and two off, of at most five words.
        check(
            Rule::Order(&[Goal::Near(WORDS, 3)]),
            ["a b c d e", "a b c d"],
            1.0 / 6.0,
        );
        // The first goal ties, the second decides.
        let order = Rule::Order(&[Goal::AtLeast(COMMAS, 1), Goal::Amount(WORDS, Direction::Fewer)]);
        check(order, ["a, b", "a, b c d"], 0.4);
        check(order, ["a, b", "a b c d"], 0.5);
        // Two points for a comma, of which there is at most one, and three off beyond two words: 2·(1 + 1) + 3·1 = 7 are
        // the most to differ by, and 2·1 - 3·0 is 5 more than 2·0 - 3·1, but 2·1 - 3·1 only 1 less than nothing.
        let points = Rule::Points(&[
            (2, Goal::Amount(COMMAS, Direction::More)),
            (-3, Goal::AtLeast(WORDS, 3)),
        ]);
        check(points, ["a, b", "a b c"], 5.0 / 7.0);
        check(points, ["a, b c", "a b"], 1.0 / 7.0);
        check(Rule::Points(&[]), ["a", "b"], 0.0);
    }

    #[test]
    fn pairs_that_do_not_count_are_not_in_the_mean() {
        let texts = ["a", "a b", "a b c d"];
        let rule = Rule::Order(&[Goal::Amount(WORDS, Direction::More)]);
        assert_eq!(rule.apart(&texts, &[1.0, 1.0, 5.0]), Some((0.6 + 0.4) / 2.0));
        assert_eq!(rule.apart(&texts, &[3.0, 3.0, 3.0]), None);
        let scores = gold(Measure::Words, Direction::More, &texts).scores;
        assert_eq!(
            apart_in(Measure::Words, Direction::More, &texts, &scores),
            rule.apart(&texts, &scores)
        );
    }

    #[test]
    fn bounds_are_the_ones_said() {
        let check = |apart: f64, expect: Difficulty| assert_eq!(Difficulty::of(apart), expect, "{apart}");
        check(1.0, Difficulty::Easy);
        check(0.6, Difficulty::Easy);
        check(0.59, Difficulty::Medium);
        check(0.4, Difficulty::Medium);
        check(0.39, Difficulty::Hard);
        check(0.0, Difficulty::Hard);
    }
}
