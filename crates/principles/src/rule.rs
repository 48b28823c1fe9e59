//! What a verifiable principle demands, in a form that a program can check, and its exact gold.

use rand::Rng;
use rewardanything_core::Gold;

use crate::{Direction, Measure, Quality, Split, around, compose, gold_of_values, wording};

/// How often a phrase for training is in a crowd's frame.
const BY_CROWD: f64 = 0.7;

/// One demand on a response. Its [`worth`](Goal::worth) is larger where it is met better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// The more, or the fewer, the better.
    Amount(Quality, Direction),
    /// Met or not: so many at least.
    AtLeast(Quality, u16),
    /// Met or not: so many at most.
    AtMost(Quality, u16),
    /// The closer to this amount, the better.
    Near(Quality, u16),
}

impl Goal {
    /// The quality that it looks at.
    pub fn quality(self) -> Quality {
        match self {
            Self::Amount(quality, _)
            | Self::AtLeast(quality, _)
            | Self::AtMost(quality, _)
            | Self::Near(quality, _) => quality,
        }
    }

    /// How well the text meets it: the amount, or its negative where fewer are better; 1 or 0 for a demand that is met
    /// or not; the negative distance from the amount wanted.
    ///
    /// ```
    /// use rewardanything_principles::{Goal, Measure, Quality};
    /// let brief = Goal::AtMost(Quality::Of(Measure::Words), 3);
    /// assert_eq!((brief.worth("One, two, three."), brief.worth("One two three four")), (1.0, 0.0));
    /// ```
    pub fn worth(self, text: &str) -> f64 {
        self.worth_of(self.quality().measure(text))
    }

    /// [`worth`](Self::worth) of a text whose amount of the [quality](Self::quality) was measured before.
    pub fn worth_of(self, value: f64) -> f64 {
        match self {
            Self::Amount(_, Direction::More) => value,
            // Not the negative zero, which is ordered below zero.
            Self::Amount(_, Direction::Fewer) => 0.0 - value,
            Self::AtLeast(_, least) => f64::from(u8::from(value >= f64::from(least))),
            Self::AtMost(_, most) => f64::from(u8::from(value <= f64::from(most))),
            Self::Near(_, wanted) => 0.0 - (value - f64::from(wanted)).abs(),
        }
    }
}

/// How the demands of a verifiable principle make one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The first goal decides, and each later one only between responses that are equal in all before it.
    Order(&'static [Goal]),
    /// A sum: each goal's worth times its points. Amounts in it are counted upwards, with points below zero where
    /// they are unwanted.
    Points(&'static [(i8, Goal)]),
}

impl Rule {
    /// Its goals, the most important or first named one first.
    pub fn goals(self) -> Vec<Goal> {
        match self {
            Self::Order(goals) => goals.to_vec(),
            Self::Points(terms) => terms.iter().map(|&(_, goal)| goal).collect(),
        }
    }

    /// The measure and direction of a rule that is nothing but one basic measure.
    pub fn as_measure(self) -> Option<(Measure, Direction)> {
        match self {
            Self::Order([Goal::Amount(Quality::Of(measure), direction)]) => Some((*measure, *direction)),
            _ => None,
        }
    }

    /// True when it asks for a quality that is [held out](Quality::held_out).
    pub fn is_of_new_quality(self) -> bool {
        self.goals().iter().any(|goal| goal.quality().held_out())
    }

    /// A number for each text, larger for a better one, comparable among these texts only.
    ///
    /// A single goal gives its worth and points give their sum. An order of several goals gives places, counted from 0
    /// for the worst: texts that are equal in every goal share one.
    pub fn values(self, texts: &[&str]) -> Vec<f64> {
        let goals = self.goals();
        let amounts: Vec<Vec<f64>> = texts
            .iter()
            .map(|text| goals.iter().map(|goal| goal.quality().measure(text)).collect())
            .collect();
        self.values_of(&amounts)
    }

    /// [`values`](Self::values) of texts that were measured before: for each text, the amount of each goal's quality in
    /// the order of [`goals`](Self::goals).
    ///
    /// # Panics
    /// A row has fewer amounts than there are goals.
    pub fn values_of(self, amounts: &[Vec<f64>]) -> Vec<f64> {
        match self {
            Self::Order(goals) => values_in_order(goals, amounts),
            Self::Points(terms) => values_by_points(terms, amounts),
        }
    }

    /// A random way to say it in one half of its wordings, sometimes with an addition that changes nothing.
    pub fn phrase(self, rng: &mut impl Rng, split: Split) -> String {
        if let Some((measure, direction)) = self.as_measure() {
            return compose::phrase(measure, direction, rng, split);
        }
        if split == Split::Train
            && rng.random_bool(BY_CROWD)
            && let Some(text) = around::say(self, rng)
        {
            return compose::say(&[text], rng, split);
        }
        let texts: Vec<String> = wording::wordings(self)
            .into_iter()
            .filter(|wording| wording.held_out == (split != Split::Train))
            .map(|wording| wording.text)
            .collect();
        match self {
            Self::Order([Goal::Amount(quality, direction)]) if split == Split::Train => {
                compose::say_amount(*quality, *direction, &texts, rng)
            }
            _ => compose::say(&texts, rng, split),
        }
    }

    /// The exact verdict over `texts`, from [`values`](Self::values) as [`gold_of_values`] makes it.
    ///
    /// ```
    /// use rewardanything_principles::{Direction, Goal, Measure, Quality, Rule};
    /// // A list beats none, and among equals the shorter wins.
    /// let rule = Rule::Order(&[
    ///     Goal::AtLeast(Quality::Of(Measure::ListItems), 1),
    ///     Goal::Amount(Quality::Of(Measure::Words), Direction::Fewer),
    /// ]);
    /// let gold = rule.gold(&["short", "- a list\n- of two", "a longer text"]);
    /// assert_eq!(gold.scores, [3.0, 5.0, 1.0]);
    /// ```
    pub fn gold(self, texts: &[&str]) -> Gold {
        gold_of_values(Direction::More, &self.values(texts))
    }
}

/// [`Rule::values_of`] of an order of goals: the worth of a single one, or places where there are several.
///
/// # Panics
/// A row has fewer amounts than there are goals.
pub fn values_in_order(goals: &[Goal], amounts: &[Vec<f64>]) -> Vec<f64> {
    let worths = |row: &Vec<f64>| (0..goals.len()).map(|at| goals[at].worth_of(row[at])).collect();
    let rows: Vec<Vec<f64>> = amounts.iter().map(worths).collect();
    match goals {
        [_] => rows.into_iter().map(|row| row[0]).collect(),
        _ => places(&rows),
    }
}

/// [`Rule::values_of`] of a sum of points.
///
/// # Panics
/// A row has fewer amounts than there are terms.
pub fn values_by_points(terms: &[(i8, Goal)], amounts: &[Vec<f64>]) -> Vec<f64> {
    let made =
        |(at, (points, goal)): (usize, &(i8, Goal)), row: &[f64]| f64::from(*points) * goal.worth_of(row[at]);
    amounts
        .iter()
        .map(|row| terms.iter().enumerate().map(|term| made(term, row)).sum())
        .collect()
}

/// The place of each row among the distinct ones in ascending order.
fn places(rows: &[Vec<f64>]) -> Vec<f64> {
    let compare = |a: &Vec<f64>, b: &Vec<f64>| {
        let differing = a
            .iter()
            .zip(b)
            .map(|(a, b)| a.total_cmp(b))
            .find(|order| order.is_ne());
        differing.unwrap_or(std::cmp::Ordering::Equal)
    };
    let mut distinct = rows.to_vec();
    distinct.sort_by(compare);
    distinct.dedup();
    rows.iter()
        .map(|row| distinct.partition_point(|other| compare(other, row).is_lt()) as f64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Quality = Quality::Of(Measure::Words);
    const COMMAS: Quality = Quality::Of(Measure::Commas);

    #[test]
    fn rules_order_texts_as_they_say() {
        let check = |rule: Rule, texts: &[&str], scores: &[f64], ranking: &[usize]| {
            let gold = rule.gold(texts);
            assert_eq!(gold.scores, scores, "{rule:?} {texts:?}");
            assert_eq!(gold.ranking, ranking, "{rule:?} {texts:?}");
        };
        // Fewest commas; among equals the shorter.
        let order = Rule::Order(&[
            Goal::Amount(COMMAS, Direction::Fewer),
            Goal::Amount(WORDS, Direction::Fewer),
        ]);
        check(
            order,
            &["a, b", "a b c", "a b", "a b"],
            &[1.0, 3.0, 5.0, 5.0],
            &[2, 3, 1, 0],
        );
        let near = Rule::Order(&[Goal::Near(WORDS, 3)]);
        check(near, &["a", "a b c d", "a b c"], &[1.0, 3.0, 5.0], &[2, 1, 0]);
        // Two for a comma, three off beyond two words: -1, 2, 0.
        let points = Rule::Points(&[
            (2, Goal::Amount(COMMAS, Direction::More)),
            (-3, Goal::AtLeast(WORDS, 3)),
        ]);
        check(points, &["a, b c", "a, b", "a b"], &[1.0, 5.0, 2.0], &[1, 2, 0]);
        let gate = Rule::Order(&[Goal::AtMost(WORDS, 1), Goal::AtLeast(COMMAS, 1)]);
        check(
            gate,
            &["a b", "a,", "a", "a, b"],
            &[1.0, 5.0, 4.0, 2.0],
            &[1, 2, 3, 0],
        );
        check(gate, &[], &[], &[]);
    }

    proptest::proptest! {
        #[test]
        fn the_first_goal_that_differs_decides(
            texts in proptest::collection::vec("[ab,. !-]{0,12}", 2..6),
        ) {
            let goals = [
                Goal::AtLeast(COMMAS, 1),
                Goal::Near(WORDS, 2),
                Goal::Amount(Quality::Of(Measure::Exclamations), Direction::Fewer),
            ];
            let rule = Rule::Order(&[
                Goal::AtLeast(COMMAS, 1),
                Goal::Near(WORDS, 2),
                Goal::Amount(Quality::Of(Measure::Exclamations), Direction::Fewer),
            ]);
            let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
            let values = rule.values(&refs);
            for a in 0..texts.len() {
                for b in 0..texts.len() {
                    let first = goals
                        .iter()
                        .map(|goal| goal.worth(refs[a]).total_cmp(&goal.worth(refs[b])))
                        .find(|order| order.is_ne());
                    proptest::prop_assert_eq!(
                        values[a].total_cmp(&values[b]),
                        first.unwrap_or(std::cmp::Ordering::Equal)
                    );
                }
            }
        }
    }
}
