//! Rules in a crowd's frames, for training: priorities, points and single demands as many different people put them.
//!
//! The frames of [`wordings`](crate::wording::wordings) are few, and few are learned by heart: a judge then reads a
//! priority in a stranger's words as the last wish alone. Their last four stay what evaluation uses.

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::compose::{crowd, upper_first};
use crate::wording::{command, listed, number, term, unit, want};
use crate::{Direction, Goal, Rule};

/// How often a goal is said in another way than the other frames say it.
const OTHERWISE: f64 = 0.4;

/// The rule in one of the crowd's frames; none for an amount of one quality, which has wordings of its own.
pub(crate) fn say(rule: Rule, rng: &mut impl Rng) -> Option<String> {
    let frame = |section, rng: &mut _| {
        let frames = crowd::frames(section).choose(rng);
        *frames.expect("every kind of rule has frames. This is a bug.")
    };
    match rule {
        Rule::Order([] | [Goal::Amount(..)]) => None,
        Rule::Order([goal]) => {
            let wish = wish(*goal, rng);
            Some(fill(frame("single", rng), &[("{A}", wish)]))
        }
        Rule::Order([first, rest @ ..]) => {
            let first = wish(*first, rng);
            let rest: Vec<String> = rest.iter().map(|goal| wish(*goal, rng)).collect();
            let then = if rng.random_bool(0.5) {
                ", then "
            } else {
                ", and after that "
            };
            let slots = [("{A}", first), ("{B}", rest.join(then))];
            Some(fill(frame("order", rng), &slots))
        }
        Rule::Points(terms) => {
            let said = |say: fn(i8, Goal) -> String| -> Vec<String> {
                terms.iter().map(|&(points, goal)| say(points, goal)).collect()
            };
            let signed = said(|points, goal| format!("{} {points:+}", unit(goal)));
            let slots = [
                ("{T}", listed(&said(term))),
                ("{T;}", said(term).join("; ")),
                ("{O}", said(command).join(". ")),
                ("{S}", signed.join(", ")),
            ];
            Some(fill(frame("points", rng), &slots))
        }
    }
}

/// The frame with its slots filled; a slot at the beginning of the frame or of a sentence begins with a capital.
fn fill(frame: &str, slots: &[(&str, String)]) -> String {
    let mut text = frame.to_owned();
    for (slot, said) in slots {
        while let Some(at) = text.find(slot) {
            let begins = at == 0 || text[..at].ends_with(". ");
            let said = if begins { upper_first(said) } else { said.clone() };
            text.replace_range(at..at + slot.len(), &said);
        }
    }
    text
}

/// What a goal asks for, as a noun phrase: mostly as the other frames say it.
fn wish(goal: Goal, rng: &mut impl Rng) -> String {
    if !rng.random_bool(OTHERWISE) {
        return want(goal);
    }
    let quality = goal.quality();
    let (noun, yes_or_no) = (quality.noun(), quality.is_yes_or_no());
    let frames: &[&str] = match goal {
        Goal::Amount(_, Direction::More) if noun.counted => &[
            "as many {n} as possible",
            "a higher number of {n}",
            "plenty of {n}",
            "the most {n}",
            "lots of {n}",
        ],
        Goal::Amount(_, Direction::More) => &["as much {n} as possible", "the most {n}", "plenty of {n}"],
        Goal::Amount(_, Direction::Fewer) if noun.counted => &[
            "as few {n} as possible",
            "a lower number of {n}",
            "hardly any {n}",
            "the fewest {n}",
            "not many {n}",
        ],
        Goal::Amount(_, Direction::Fewer) => &["as little {n} as possible", "the least {n}", "not much {n}"],
        Goal::AtMost(_, 0) if yes_or_no => &["not having {a}", "the absence of {a}"],
        Goal::AtLeast(_, 1) if yes_or_no => &["having {a}", "the presence of {a}"],
        Goal::AtLeast(_, 1) => &["one {one} or more", "some {n}", "the presence of {n}"],
        Goal::AtLeast(..) => &["{k} or more {n}", "no fewer than {k} {n}", "a minimum of {k} {n}"],
        Goal::AtMost(_, 0) => &["not a single {one}", "zero {n}", "the absence of {n}"],
        Goal::AtMost(_, 1) => &["no more than one {one}", "one {one} at the very most"],
        Goal::AtMost(..) => &["no more than {k} {n}", "{k} {n} or fewer", "a maximum of {k} {n}"],
        Goal::Near(..) => &["roughly {k} {n}", "close to {k} {n}", "a number of {n} near {k}"],
    };
    let amount = match goal {
        Goal::AtLeast(_, amount) | Goal::AtMost(_, amount) | Goal::Near(_, amount) => number(amount),
        Goal::Amount(..) => String::new(),
    };
    let frame = frames.choose(rng).copied().unwrap_or("{n}");
    frame
        .replace("{a}", &want(Goal::AtLeast(quality, 1)))
        .replace("{one}", noun.one)
        .replace("{n}", noun.text)
        .replace("{k}", &amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Measure, Quality, library};
    use rand::SeedableRng;

    const WORDS: Quality = Quality::Of(Measure::Words);

    #[test]
    fn slots_are_filled_and_sentences_begin_with_a_capital() {
        let slots = [("{A}", "no emoji".to_owned()), ("{B}", "fewer words".to_owned())];
        let check = |frame, expect: &str| assert_eq!(fill(frame, &slots), expect);
        check("{A} first, {B} second.", "No emoji first, fewer words second.");
        check(
            "Wanted: {A}. {B} settles ties.",
            "Wanted: no emoji. Fewer words settles ties.",
        );
    }

    #[test]
    fn every_rule_that_is_no_amount_is_said_whole() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for rule in library().iter().filter_map(|principle| principle.rule) {
            for _ in 0..40 {
                let Some(text) = say(rule, &mut rng) else {
                    assert!(matches!(rule, Rule::Order([Goal::Amount(..)])));
                    break;
                };
                assert!(!text.contains(['{', '}']), "{text}");
                for goal in rule.goals() {
                    let noun = goal.quality().noun();
                    let named = [noun.text, noun.one]
                        .iter()
                        .any(|name| text.to_lowercase().contains(&name.to_lowercase()));
                    assert!(named, "{} in {text}", noun.text);
                }
            }
        }
        assert_eq!(
            say(Rule::Order(&[Goal::Amount(WORDS, Direction::More)]), &mut rng),
            None
        );
    }
}
