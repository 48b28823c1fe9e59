//! Wordings put together from parts: how much of the quality, how it fares, and a sentence around both.
//!
//! A list of frames, however long, is learned by heart. Here every part has a sign: an amount is large or small, a
//! fate good or bad, and what is asked for is their product. No sentence comes twice, so that a judge has to read the
//! parts. Training alone draws from here; the frames kept for evaluation are of other words.

mod parts;

use rand::Rng;

use super::nouns::Noun;
use super::pick;
use crate::Direction;
use parts::{
    ALL_OF_THEM, BETWEEN, CASE, CHANGE, CHANGES, COMMAND, COUNTED, DO, EVERY, EVERY_ONE, FATE, FEEL, HAS,
    HEAD, KIND, MASS, NO_ONE, NONE_AT_ALL, Pair, WHO, WHO_MANY,
};

/// Draws the parts of one wording.
pub(super) struct Grammar<'a, R> {
    pub(super) noun: Noun,
    /// Whether every text has some of it.
    pub(super) in_every_text: bool,
    pub(super) rng: &'a mut R,
}

impl<R: Rng> Grammar<'_, R> {
    /// A wording that asks for the `wanted` end of the noun, without a capital at its beginning.
    pub(super) fn wording(&mut self, wanted: Direction) -> String {
        let wanted = wanted == Direction::More;
        // Whether the amount that is spoken of first is large; it is good where it is the one that is wanted.
        let much = self.rng.random_bool(0.5);
        let good = much == wanted;
        match self.rng.random_range(0..26) {
            0..4 => self.fares(much, good),
            4..7 => {
                let (first, second) = (self.fares(much, good), self.fares(!much, !good));
                format!("{first}{}{second}", pick(BETWEEN, self.rng))
            }
            7..9 => self.done(much, good),
            9 => format!("{}; {}", self.done(much, good), self.done(!much, !good)),
            10..12 => self.headed(much, good),
            12..15 => self.felt(much, good),
            15..17 => self.kind(much, good),
            17 => format!(
                "{}{}{}",
                self.kind(much, good),
                pick(BETWEEN, self.rng),
                self.kind(!much, !good)
            ),
            18..20 => {
                let command = self.of(&COMMAND, good);
                format!("{command} {}", self.who_many(much))
            }
            20 => self.placed(much, good),
            21 => self.compared(much, good),
            22 => self.sign(much, good),
            _ => self.changed(wanted),
        }
    }

    fn of(&mut self, pair: &Pair, first: bool) -> &'static str {
        pick(pair[usize::from(!first)], self.rng)
    }

    fn amount(&mut self, much: bool) -> String {
        let amounts = if self.noun.counted { COUNTED } else { MASS }[usize::from(!much)];
        let spare = if self.in_every_text && !much {
            NONE_AT_ALL
        } else {
            0
        };
        pick(&amounts[..amounts.len() - spare], self.rng).replace('#', self.noun.text)
    }

    fn who(&mut self, much: bool) -> String {
        if !much && !self.in_every_text && self.rng.random_bool(0.15) {
            let none = [
                "an answer without a single #",
                "an answer that has not one #",
                "an answer without any #",
            ];
            return pick(&none, self.rng).replace('#', self.noun.one);
        }
        let amount = self.amount(much);
        pick(WHO, self.rng).replace('#', &amount)
    }

    fn who_many(&mut self, much: bool) -> String {
        let amount = self.amount(much);
        pick(WHO_MANY, self.rng).replace('#', &amount)
    }

    fn fares(&mut self, much: bool, good: bool) -> String {
        let fate = pick(FATE[usize::from(!good)], self.rng);
        if self.rng.random_bool(0.6) {
            format!("{} {}", self.who(much), fate[0])
        } else {
            format!("{} {}", self.who_many(much), fate[1])
        }
    }

    fn done(&mut self, much: bool, good: bool) -> String {
        let amount = self.amount(much);
        format!(
            "{}{}",
            pick(CASE, self.rng).replace('#', &amount),
            self.of(&DO, good)
        )
    }

    fn headed(&mut self, much: bool, good: bool) -> String {
        let (head, amount) = (self.of(&HEAD, good), self.amount(much));
        let (other, rest) = (self.of(&HEAD, !good), self.amount(!much));
        match self.rng.random_range(0..4) {
            0 => format!("{head}: {amount}"),
            1 => format!("{head}: {amount}; {other}: {rest}"),
            2 => format!("{amount}: {head}"),
            _ => format!("{amount}: {head}; {rest}: {other}"),
        }
    }

    fn felt(&mut self, much: bool, good: bool) -> String {
        let amount = self.amount(much);
        let feel = |good: bool, rng: &mut R| pick(FEEL[usize::from(!good)], rng);
        match self.rng.random_range(0..3) {
            0 => format!(
                "{} {} {amount}",
                pick(ALL_OF_THEM, self.rng),
                feel(good, self.rng)[0]
            ),
            1 => format!(
                "{} {} {amount}",
                pick(EVERY_ONE, self.rng),
                feel(good, self.rng)[1]
            ),
            _ => format!("{} {} {amount}", pick(NO_ONE, self.rng), feel(!good, self.rng)[1]),
        }
    }

    fn kind(&mut self, much: bool, good: bool) -> String {
        let amount = self.amount(much);
        format!("{} {} {amount}", self.of(&KIND, good), pick(HAS, self.rng))
    }

    fn placed(&mut self, much: bool, good: bool) -> String {
        let (first, second) = (self.who_many(much), self.who_many(!much));
        let put = pick(&["put", "place", "list", "rank", "order"], self.rng);
        let places: Pair = [
            &["before", "above", "ahead of", "in front of"],
            &["after", "below", "behind", "under"],
        ];
        format!("{put} {first} {} {second}", self.of(&places, good))
    }

    fn compared(&mut self, much: bool, good: bool) -> String {
        let (better, worse) = if good { (much, !much) } else { (!much, much) };
        let (better, worse) = (self.amount(better), self.amount(worse));
        match self.rng.random_range(0..6) {
            0 => format!("I would rather have {better} than {worse}"),
            1 => format!("{better} instead of {worse}"),
            2 => format!("not {worse} but {better}"),
            3 => format!("{better} beats {worse}"),
            4 => format!("{worse} loses to {better}"),
            _ => format!("move away from {worse} and towards {better}"),
        }
    }

    fn sign(&mut self, much: bool, good: bool) -> String {
        let amount = self.amount(much);
        let what: Pair = [
            &[
                "quality",
                "a good answer",
                "success",
                "good writing",
                "the best answer",
                "skill",
            ],
            &[
                "poor quality",
                "a bad answer",
                "failure",
                "bad writing",
                "the worst answer",
                "carelessness",
            ],
        ];
        let what = self.of(&what, good);
        match self.rng.random_range(0..4) {
            0 => format!("{amount}: a sign of {what}"),
            1 => format!("{what} means {amount}"),
            2 => format!("what makes for {what} is {amount}"),
            _ => format!("by {what} I understand {amount}"),
        }
    }

    fn changed(&mut self, up: bool) -> String {
        let of = pick(
            &[
                "the score",
                "the mark",
                "the rank",
                "quality",
                "an answer",
                "its place",
            ],
            self.rng,
        );
        let (one, n) = (self.noun.one, self.noun.text);
        let every = pick(EVERY, self.rng);
        let kinds = if self.in_every_text { 4 } else { 5 };
        match self.rng.random_range(0..kinds) {
            0 => format!("{of} {} with {every} {one}", self.of(&CHANGE, up)),
            1 => format!("with {n} {of} {}", self.of(&CHANGE, up)),
            2 => format!("{every} {one} {} {of}", self.of(&CHANGES, up)),
            3 => format!("as {n} get more frequent, {of} {}", self.of(&CHANGE, up)),
            _ => format!("without {n} {of} {}", self.of(&CHANGE, !up)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::Measure;
    use crate::compose::nouns::nouns;

    fn draw(measure: Measure, wanted: Direction, count: usize) -> HashSet<String> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let noun = nouns(measure)[0];
        let mut grammar = Grammar {
            noun,
            in_every_text: measure == Measure::Words,
            rng: &mut rng,
        };
        (0..count).map(|_| grammar.wording(wanted)).collect()
    }

    #[test]
    fn hardly_a_wording_comes_twice_and_none_says_both_ends() {
        for measure in [Measure::Commas, Measure::Politeness, Measure::Words] {
            let more = draw(measure, Direction::More, 3_000);
            let fewer = draw(measure, Direction::Fewer, 3_000);
            assert!(
                more.len() > 2_500 && fewer.len() > 2_500,
                "{} {}",
                more.len(),
                fewer.len()
            );
            let both: Vec<_> = more.intersection(&fewer).collect();
            assert!(both.is_empty(), "{both:?}");
            assert!(more.union(&fewer).all(|text| !text.contains('#')));
        }
    }

    #[test]
    fn what_every_text_has_is_never_wished_away() {
        for text in draw(Measure::Words, Direction::Fewer, 3_000) {
            assert!(!text.contains("no words") && !text.contains("without"), "{text}");
        }
    }
}
