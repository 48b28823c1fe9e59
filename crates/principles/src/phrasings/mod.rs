//! Hand-written ways to say each verifiable principle, in our own words.
//!
//! A judge trained on few templates learns the templates, so the forms vary on purpose: orders, descriptions,
//! comparisons, negations, wishes, rules, terse and long ones, with and without irrelevant reasons.

mod content;
mod logic;
mod structure;
mod style;
mod tone;

use crate::{Direction, Measure};

/// One way to say a verifiable principle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phrasing {
    /// The principle as a person would write it.
    pub text: &'static str,
    /// True when the phrasing is kept for evaluation and never trained on.
    pub held_out: bool,
}

/// Writes a list of [`Phrasing`]s, the held-out ones last.
macro_rules! phrase_list {
    (train [$($train:expr),+ $(,)?] held_out [$($held:expr),+ $(,)?]) => {
        &[
            $(Phrasing { text: $train, held_out: false },)+
            $(Phrasing { text: $held, held_out: true },)+
        ]
    };
}
use phrase_list;

/// All phrasings of a measure in a direction: at least fourteen, of which the last four are held out.
///
/// ```
/// use rewardanything_principles::{Direction, Measure, phrasings};
/// let all = phrasings(Measure::Words, Direction::Fewer);
/// assert!(all.iter().any(|phrasing| phrasing.text == "Prefer shorter responses." && !phrasing.held_out));
/// ```
pub fn phrasings(measure: Measure, direction: Direction) -> &'static [Phrasing] {
    match (measure, direction) {
        (Measure::Quotes, Direction::More) => content::QUOTES_MORE,
        (Measure::Quotes, Direction::Fewer) => content::QUOTES_FEWER,
        (Measure::Numbers, Direction::More) => content::NUMBERS_MORE,
        (Measure::Numbers, Direction::Fewer) => content::NUMBERS_FEWER,
        (Measure::Capitals, Direction::More) => content::CAPITALS_MORE,
        (Measure::Capitals, Direction::Fewer) => content::CAPITALS_FEWER,
        (Measure::Examples, Direction::More) => content::EXAMPLES_MORE,
        (Measure::Examples, Direction::Fewer) => content::EXAMPLES_FEWER,
        (Measure::Questions, Direction::More) => content::QUESTIONS_MORE,
        (Measure::Questions, Direction::Fewer) => content::QUESTIONS_FEWER,
        (Measure::Words, Direction::More) => structure::WORDS_MORE,
        (Measure::Words, Direction::Fewer) => structure::WORDS_FEWER,
        (Measure::Sentences, Direction::More) => structure::SENTENCES_MORE,
        (Measure::Sentences, Direction::Fewer) => structure::SENTENCES_FEWER,
        (Measure::Lines, Direction::More) => structure::LINES_MORE,
        (Measure::Lines, Direction::Fewer) => structure::LINES_FEWER,
        (Measure::ListItems, Direction::More) => structure::LIST_ITEMS_MORE,
        (Measure::ListItems, Direction::Fewer) => structure::LIST_ITEMS_FEWER,
        (Measure::Markup, Direction::More) => structure::MARKUP_MORE,
        (Measure::Markup, Direction::Fewer) => structure::MARKUP_FEWER,
        (Measure::Exclamations, Direction::More) => tone::EXCLAMATIONS_MORE,
        (Measure::Exclamations, Direction::Fewer) => tone::EXCLAMATIONS_FEWER,
        (Measure::Politeness, Direction::More) => tone::POLITENESS_MORE,
        (Measure::Politeness, Direction::Fewer) => tone::POLITENESS_FEWER,
        (Measure::PositiveWords, Direction::More) => tone::POSITIVE_WORDS_MORE,
        (Measure::PositiveWords, Direction::Fewer) => tone::POSITIVE_WORDS_FEWER,
        (Measure::FirstPerson, Direction::More) => tone::FIRST_PERSON_MORE,
        (Measure::FirstPerson, Direction::Fewer) => tone::FIRST_PERSON_FEWER,
        (Measure::SecondPerson, Direction::More) => tone::SECOND_PERSON_MORE,
        (Measure::SecondPerson, Direction::Fewer) => tone::SECOND_PERSON_FEWER,
        (Measure::Hedges, Direction::More) => logic::HEDGES_MORE,
        (Measure::Hedges, Direction::Fewer) => logic::HEDGES_FEWER,
        (Measure::Negations, Direction::More) => logic::NEGATIONS_MORE,
        (Measure::Negations, Direction::Fewer) => logic::NEGATIONS_FEWER,
        (Measure::Connectives, Direction::More) => logic::CONNECTIVES_MORE,
        (Measure::Connectives, Direction::Fewer) => logic::CONNECTIVES_FEWER,
        (Measure::Repetition, Direction::More) => logic::REPETITION_MORE,
        (Measure::Repetition, Direction::Fewer) => logic::REPETITION_FEWER,
        (Measure::Parentheses, Direction::More) => logic::PARENTHESES_MORE,
        (Measure::Parentheses, Direction::Fewer) => logic::PARENTHESES_FEWER,
        (Measure::Commas, Direction::More) => style::COMMAS_MORE,
        (Measure::Commas, Direction::Fewer) => style::COMMAS_FEWER,
        (Measure::Colons, Direction::More) => style::COLONS_MORE,
        (Measure::Colons, Direction::Fewer) => style::COLONS_FEWER,
        (Measure::Contractions, Direction::More) => style::CONTRACTIONS_MORE,
        (Measure::Contractions, Direction::Fewer) => style::CONTRACTIONS_FEWER,
        (Measure::LongWords, Direction::More) => style::LONG_WORDS_MORE,
        (Measure::LongWords, Direction::Fewer) => style::LONG_WORDS_FEWER,
        (Measure::SentenceLength, Direction::More) => style::SENTENCE_LENGTH_MORE,
        (Measure::SentenceLength, Direction::Fewer) => style::SENTENCE_LENGTH_FEWER,
    }
}
