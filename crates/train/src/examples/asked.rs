//! What a judge says that a principle asks for, read back.

use super::reply::name;
use super::rules::trained;
use rewardanything_core::Gold;
use rewardanything_principles::{
    Direction, Goal, Quality, gold_of_values, values_by_points, values_in_order,
};

/// A rule out of a judge's words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// Goals, the most important one first.
    Order(Vec<Goal>),
    /// A sum of points.
    Points(Vec<(i8, Goal)>),
}

impl Asked {
    /// Reads `at least 1 list items; then fewer words.`, as the judge is taught to write it; `None` for anything else.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let line = line.strip_suffix('.')?;
        if line.starts_with(['+', '-']) {
            let terms = line.split(", ").map(term).collect::<Option<Vec<_>>>()?;
            return Some(Self::Points(terms));
        }
        let goals = line.split("; then ").map(goal).collect::<Option<Vec<_>>>()?;
        Some(Self::Order(goals))
    }

    /// The verdict over some texts that this asks for.
    pub(crate) fn gold(&self, texts: &[&str]) -> Gold {
        let qualities: Vec<Quality> = match self {
            Self::Order(goals) => goals.iter().map(|goal| goal.quality()).collect(),
            Self::Points(terms) => terms.iter().map(|(_, goal)| goal.quality()).collect(),
        };
        let measured = |text: &&str| qualities.iter().map(|quality| quality.measure(text)).collect();
        let amounts: Vec<Vec<f64>> = texts.iter().map(measured).collect();
        let values = match self {
            Self::Order(goals) => values_in_order(goals, &amounts),
            Self::Points(terms) => values_by_points(terms, &amounts),
        };
        gold_of_values(Direction::More, &values)
    }
}

/// `fewer words`, `at least 1 list items`.
fn goal(text: &str) -> Option<Goal> {
    if let Some(bound) = bound(text) {
        return Some(bound);
    }
    let (direction, quality) = text.split_once(' ')?;
    let direction = Direction::ALL.into_iter().find(|d| d.id() == direction)?;
    Some(Goal::Amount(quality_of(quality)?, direction))
}

/// `+2 commas`, `-3 if at least 10 words`.
fn term(text: &str) -> Option<(i8, Goal)> {
    let (points, rest) = text.split_once(' ')?;
    let goal = match rest.strip_prefix("if ") {
        Some(demand) => bound(demand)?,
        None => Goal::Amount(quality_of(rest)?, Direction::More),
    };
    Some((points.parse().ok()?, goal))
}

/// `at least 1 list items`, `at most 3 commas`, `near 50 words`.
fn bound(text: &str) -> Option<Goal> {
    let kinds = [
        ("at least ", Bound::Least),
        ("at most ", Bound::Most),
        ("near ", Bound::Near),
    ];
    let (rest, kind) = kinds
        .into_iter()
        .find_map(|(words, kind)| Some((text.strip_prefix(words)?, kind)))?;
    let (amount, quality) = rest.split_once(' ')?;
    let (quality, amount) = (quality_of(quality)?, amount.parse().ok()?);
    Some(match kind {
        Bound::Least => Goal::AtLeast(quality, amount),
        Bound::Most => Goal::AtMost(quality, amount),
        Bound::Near => Goal::Near(quality, amount),
    })
}

enum Bound {
    Least,
    Most,
    Near,
}

fn quality_of(text: &str) -> Option<Quality> {
    trained().iter().copied().find(|quality| name(*quality) == text)
}

#[cfg(test)]
mod tests {
    use super::super::reply::Reply;
    use super::super::rules;
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rewardanything_principles::Measure;

    #[test]
    fn what_is_taught_is_read_back() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let texts = ["One, two: three!", "- a\n- b, c\n- d?", "I think so. 12 of them."];
        for _ in 0..500 {
            let (rule, _) = rules::draw(&mut rng);
            let line = Reply::thinking().put_plainly(rule);
            let asked = Asked::read(&line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(asked.gold(&texts), rule.gold(&texts), "{line}");
        }
    }

    #[test]
    fn nothing_else_is_read() {
        for line in [
            "",
            "fewer commas",
            "fewer.",
            "less commas.",
            "fewer unicorns.",
            "at least commas.",
            "at least 1.",
            "near x words.",
            "+ commas.",
            "+2 if commas.",
            "+2 commas; then fewer words.",
            "fewer commas; then.",
            "fewer commas; then fewer words",
        ] {
            assert_eq!(Asked::read(line), None, "{line}");
        }
        let order = Asked::Order(vec![Goal::Amount(Quality::Of(Measure::Commas), Direction::Fewer)]);
        assert_eq!(Asked::read("fewer commas."), Some(order));
    }
}
