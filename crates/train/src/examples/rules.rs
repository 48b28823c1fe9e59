//! What an example asks for: one basic quality, a principle of the library, or a rule put together at random.
//!
//! A judge that sees only the library's rules learns them by heart. Rules at random, over the same qualities and in
//! the same frames, teach what a priority, a threshold and points are.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_principles::items::PrincipleSplit;
use rewardanything_principles::{Direction, Goal, Measure, Principle, Quality, Rule, Split, library};
use std::sync::LazyLock;

/// Rules put together at random: drawn once, so that they can live as long as the library's own.
const RANDOM_RULES: usize = 4_000;

static BASIC: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let of = |measure, direction| order(vec![Goal::Amount(Quality::Of(measure), direction)]);
    PrincipleSplit::TrainPrinciples
        .measures()
        .flat_map(|measure| Direction::ALL.map(|direction| of(measure, direction)))
        .collect()
});

static OF_LIBRARY: LazyLock<Vec<&'static Principle>> = LazyLock::new(|| {
    library()
        .iter()
        .filter(|p| !p.held_out && p.rule.is_some())
        .collect()
});

static RANDOM: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let novel: Vec<Rule> = library()
        .iter()
        .filter(|p| p.held_out)
        .filter_map(|p| p.rule)
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(0x0005_21E5);
    std::iter::repeat_with(|| random(&mut rng))
        .filter(|rule| !novel.contains(rule))
        .take(RANDOM_RULES)
        .collect()
});

static QUALITIES: LazyLock<Vec<Quality>> = LazyLock::new(|| {
    let basic = Measure::ALL.iter().copied().map(Quality::Of);
    basic
        .chain(Quality::EXTRA.iter().copied())
        .filter(|quality| !quality.held_out())
        .collect()
});

/// The qualities that are trained on, in a fixed order.
pub(crate) fn trained() -> &'static [Quality] {
    &QUALITIES
}

/// A rule to train on and a wording of it.
pub(super) fn draw(rng: &mut ChaCha8Rng) -> (Rule, String) {
    let (rule, text) = match rng.random_range(0..20) {
        0..7 => (pick(&BASIC, rng), None),
        7..13 => {
            let principle = pick(&OF_LIBRARY, rng);
            let rule = principle
                .rule
                .expect("only verifiable ones were kept. This is a bug.");
            (rule, Some(principle.phrase(rng, Split::Train)))
        }
        _ => (pick(&RANDOM, rng), None),
    };
    let text = text.unwrap_or_else(|| rule.phrase(rng, Split::Train));
    (rule, text)
}

/// A rule to conclude from: of several goals more often than otherwise, since those take the most to conclude.
pub(super) fn to_conclude(rng: &mut ChaCha8Rng) -> Rule {
    let several = rng.random_bool(0.4);
    loop {
        let (rule, _) = draw(rng);
        if !several || matches!(rule, Rule::Order([_, _, ..])) {
            return rule;
        }
    }
}

/// What a judge that is not told the principle has to do; see the ablations.
fn random(rng: &mut ChaCha8Rng) -> Rule {
    match rng.random_range(0..20) {
        0..5 => order(vec![amount(rng)]),
        5..6 => order(vec![near(rng)]),
        6..11 => order(vec![gate(rng), amount(rng)]),
        11..14 => order(vec![amount(rng), amount(rng)]),
        14..15 => order(vec![gate(rng), amount(rng), amount(rng)]),
        _ => {
            let terms = (0..rng.random_range(2..=3))
                .map(|_| term(rng))
                .collect::<Vec<_>>();
            Rule::Points(Box::leak(terms.into_boxed_slice()))
        }
    }
}

fn order(goals: Vec<Goal>) -> Rule {
    Rule::Order(Box::leak(goals.into_boxed_slice()))
}

/// More or less of what a text has an amount of.
fn amount(rng: &mut ChaCha8Rng) -> Goal {
    loop {
        let quality = pick(&QUALITIES, rng);
        if !quality.is_yes_or_no() {
            return Goal::Amount(quality, pick(&Direction::ALL, rng));
        }
    }
}

fn near(rng: &mut ChaCha8Rng) -> Goal {
    match rng.random_range(0..3) {
        0 => Goal::Near(Quality::Of(Measure::Words), 10 * rng.random_range(2..=15)),
        1 => Goal::Near(Quality::Of(Measure::Sentences), rng.random_range(2..=8)),
        _ => Goal::Near(Quality::Of(Measure::Lines), rng.random_range(2..=8)),
    }
}

/// A demand that is met or not.
fn gate(rng: &mut ChaCha8Rng) -> Goal {
    let quality = pick(&QUALITIES, rng);
    let bound = match quality {
        Quality::Of(Measure::Words) | Quality::LongestParagraph => 10 * rng.random_range(2..=15),
        Quality::Variety => 10 * rng.random_range(5..=9),
        Quality::Of(Measure::Capitals | Measure::LongWords | Measure::Repetition) => rng.random_range(3..=12),
        _ => rng.random_range(1..=4),
    };
    if quality.is_yes_or_no() {
        return if rng.random_bool(0.5) {
            Goal::AtLeast(quality, 1)
        } else {
            Goal::AtMost(quality, 0)
        };
    }
    match rng.random_range(0..4) {
        0 if bound < 5 => Goal::AtMost(quality, 0),
        0 | 1 => Goal::AtMost(quality, bound),
        _ if bound < 5 => Goal::AtLeast(quality, 1 + bound / 3),
        _ => Goal::AtLeast(quality, bound),
    }
}

fn term(rng: &mut ChaCha8Rng) -> (i8, Goal) {
    let points = rng.random_range(1..=4) * if rng.random_bool(0.5) { 1 } else { -1 };
    if rng.random_bool(0.25) {
        return (points, gate(rng));
    }
    let few = |quality: &Quality| {
        !matches!(
            quality,
            Quality::Variety
                | Quality::LongestParagraph
                | Quality::Of(Measure::Words | Measure::Capitals | Measure::LongWords | Measure::Repetition)
        )
    };
    loop {
        let quality = pick(&QUALITIES, rng);
        if quality.is_yes_or_no() {
            return (points, Goal::AtLeast(quality, 1));
        }
        if few(&quality) {
            return (points, Goal::Amount(quality, Direction::More));
        }
    }
}

fn pick<T: Copy>(from: &[T], rng: &mut impl Rng) -> T {
    *from
        .choose(rng)
        .expect("every list to draw from has an entry. This is a bug.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_held_out_is_drawn() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let novel: Vec<Rule> = library()
            .iter()
            .filter(|p| p.held_out)
            .filter_map(|p| p.rule)
            .collect();
        let held_out: Vec<String> = library()
            .iter()
            .flat_map(Principle::wordings)
            .filter(|wording| wording.held_out)
            .map(|wording| wording.text.to_lowercase())
            .collect();
        for _ in 0..3_000 {
            let (rule, text) = draw(&mut rng);
            assert!(!rule.is_of_new_quality() && !novel.contains(&rule), "{rule:?}");
            assert!(!held_out.contains(&text.to_lowercase()), "{text}");
        }
    }

    #[test]
    fn every_kind_of_rule_is_drawn() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let rules: Vec<Rule> = (0..500).map(|_| draw(&mut rng).0).collect();
        let points = rules.iter().filter(|r| matches!(r, Rule::Points(_))).count();
        let orders = rules
            .iter()
            .filter(|r| matches!(r, Rule::Order([_, _, ..])))
            .count();
        assert!(
            points > 50 && orders > 100 && points + orders < 400,
            "{points} {orders}"
        );
    }
}
