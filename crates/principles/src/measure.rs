//! Verifiable qualities of a text: what a program can count exactly.

use serde::{Deserialize, Serialize};

use crate::text::count_words;
use crate::{Category, count, lexicon};

/// A quality of a text that a program measures exactly.
///
/// The measures that are [held out](Measure::held_out) are never used in training: they show whether a judge
/// understands a principle that it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// Whitespace-separated words.
    Words,
    /// Sentences; a line break ends one.
    Sentences,
    /// Average words per sentence.
    SentenceLength,
    /// Lines that are not blank.
    Lines,
    /// Bulleted or numbered lines.
    ListItems,
    /// Bold spans, headings, inline code and code fences of Markdown.
    Markup,
    /// Commas.
    Commas,
    /// Colons.
    Colons,
    /// Opening round brackets.
    Parentheses,
    /// Passages in double quotation marks.
    Quotes,
    /// Question marks.
    Questions,
    /// Exclamation marks.
    Exclamations,
    /// Numbers written in digits.
    Numbers,
    /// Words that begin with a capital letter.
    Capitals,
    /// Pronouns of the first person (I, me, my, we, our ...).
    FirstPerson,
    /// Pronouns of the second person (you, your ...).
    SecondPerson,
    /// Words that soften a claim (maybe, could, usually ...).
    Hedges,
    /// Words of courtesy (please, thanks, sorry, happy to ...).
    Politeness,
    /// Words of praise or joy (good, great, love ...).
    PositiveWords,
    /// Words that negate (not, never, can't ...).
    Negations,
    /// Contracted forms (it's, don't ...).
    Contractions,
    /// Words of eight letters or more.
    LongWords,
    /// Words that link thoughts (because, but, however ...).
    Connectives,
    /// Words of four letters or more that were used before.
    Repetition,
    /// Openings of an example (for example, such as, including ...).
    Examples,
}

/// Which end of a measure is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The higher the value, the better.
    More,
    /// The lower the value, the better.
    Fewer,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::More, Self::Fewer];

    /// `more` or `fewer`.
    pub fn id(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Fewer => "fewer",
        }
    }

    /// The other direction.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::More => Self::Fewer,
            Self::Fewer => Self::More,
        }
    }
}

/// Upper bounds of the levels 0..=8 of the number of words: about equal steps for the eye.
const WORD_BOUNDS: [f64; 9] = [2.0, 5.0, 8.0, 12.0, 16.0, 21.0, 27.0, 36.0, 48.0];
/// Upper bounds of the levels 0..=8 of the average sentence.
const SENTENCE_LENGTH_BOUNDS: [f64; 9] = [3.0, 5.0, 7.0, 9.0, 12.0, 15.0, 18.0, 22.0, 28.0];
/// Upper bounds of the levels 0..=8 of a count: exact, nine or more is level 9.
const COUNT_BOUNDS: [f64; 9] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

impl Measure {
    /// Every measure, in a fixed order.
    pub const ALL: &[Self] = &[
        Self::Words,
        Self::Sentences,
        Self::SentenceLength,
        Self::Lines,
        Self::ListItems,
        Self::Markup,
        Self::Commas,
        Self::Colons,
        Self::Parentheses,
        Self::Quotes,
        Self::Questions,
        Self::Exclamations,
        Self::Numbers,
        Self::Capitals,
        Self::FirstPerson,
        Self::SecondPerson,
        Self::Hedges,
        Self::Politeness,
        Self::PositiveWords,
        Self::Negations,
        Self::Contractions,
        Self::LongWords,
        Self::Connectives,
        Self::Repetition,
        Self::Examples,
    ];

    /// A stable name in snake case, equal to the serialised form.
    pub fn id(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Sentences => "sentences",
            Self::SentenceLength => "sentence_length",
            Self::Lines => "lines",
            Self::ListItems => "list_items",
            Self::Markup => "markup",
            Self::Commas => "commas",
            Self::Colons => "colons",
            Self::Parentheses => "parentheses",
            Self::Quotes => "quotes",
            Self::Questions => "questions",
            Self::Exclamations => "exclamations",
            Self::Numbers => "numbers",
            Self::Capitals => "capitals",
            Self::FirstPerson => "first_person",
            Self::SecondPerson => "second_person",
            Self::Hedges => "hedges",
            Self::Politeness => "politeness",
            Self::PositiveWords => "positive_words",
            Self::Negations => "negations",
            Self::Contractions => "contractions",
            Self::LongWords => "long_words",
            Self::Connectives => "connectives",
            Self::Repetition => "repetition",
            Self::Examples => "examples",
        }
    }

    /// One or two common English words for the quality, as a reasoning names it.
    pub fn quality(self) -> &'static str {
        match self {
            Self::SentenceLength => "sentence length",
            Self::ListItems => "list items",
            Self::Markup => "formatting",
            Self::Parentheses => "brackets",
            Self::FirstPerson => "first person",
            Self::SecondPerson => "second person",
            Self::Hedges => "hedging",
            Self::Politeness => "polite words",
            Self::PositiveWords => "positive words",
            Self::LongWords => "long words",
            Self::Connectives => "linking words",
            Self::Repetition => "repeated words",
            other => other.id(),
        }
    }

    /// The measure with this [`id`](Self::id).
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|measure| measure.id() == id)
    }

    /// The room of the taxonomy that the quality belongs to.
    pub fn category(self) -> Category {
        match self {
            Self::Quotes | Self::Numbers | Self::Capitals | Self::Examples | Self::Questions => {
                Category::Content
            }
            Self::Words | Self::Sentences | Self::Lines | Self::ListItems | Self::Markup => {
                Category::Structure
            }
            Self::Exclamations
            | Self::Politeness
            | Self::PositiveWords
            | Self::FirstPerson
            | Self::SecondPerson => Category::Tone,
            Self::Hedges | Self::Negations | Self::Connectives | Self::Repetition | Self::Parentheses => {
                Category::Logic
            }
            Self::Commas | Self::Colons | Self::Contractions | Self::LongWords | Self::SentenceLength => {
                Category::Style
            }
        }
    }

    /// True for the measures kept whole for evaluation on principles never trained on.
    ///
    /// They are `sentence_length`, `quotes`, `negations`, `connectives` and `contractions`: each differs
    /// often enough between real short answers to make a set, one is a composition of training qualities
    /// (words and sentences), one is punctuation like several that are trained on, three are word lists like
    /// others that are. The commonest wishes of people (length, lists, questions, politeness, numbers) stay
    /// in training.
    pub fn held_out(self) -> bool {
        matches!(
            self,
            Self::SentenceLength | Self::Quotes | Self::Negations | Self::Connectives | Self::Contractions
        )
    }

    /// How much of the quality the text has: a count, or an average for [`Measure::SentenceLength`].
    ///
    /// ```
    /// use rewardanything_principles::Measure;
    /// assert_eq!(Measure::Commas.measure("Well, yes, it is."), 2.0);
    /// assert_eq!(Measure::SentenceLength.measure("One two. Three four five six."), 3.0);
    /// ```
    pub fn measure(self, text: &str) -> f64 {
        let count = match self {
            Self::SentenceLength => return count::sentence_length(text),
            Self::Words => count_words(text),
            Self::Sentences => count::sentence_count(text),
            Self::Lines => count::line_count(text),
            Self::ListItems => count::list_items(text),
            Self::Markup => count::markup(text),
            Self::Commas => count::chars(text, &[',', '\u{ff0c}']),
            Self::Colons => count::chars(text, &[':', '\u{ff1a}']),
            Self::Parentheses => count::chars(text, &['(', '\u{ff08}']),
            Self::Quotes => count::quotes(text),
            Self::Questions => count::chars(text, &['?', '\u{ff1f}']),
            Self::Exclamations => count::chars(text, &['!', '\u{ff01}']),
            Self::Numbers => count::numbers(text),
            Self::Capitals => count::capitals(text),
            Self::FirstPerson => count::pronouns(text, lexicon::is_first_person),
            Self::SecondPerson => count::pronouns(text, lexicon::is_second_person),
            Self::Hedges => count::listed(text, lexicon::is_hedge, lexicon::is_hedge_pair),
            Self::Politeness => count::listed(text, lexicon::is_polite, lexicon::is_polite_pair),
            Self::PositiveWords => count::listed(text, lexicon::is_positive, count::no_pair),
            Self::Negations => count::listed(text, lexicon::is_negation, count::no_pair),
            Self::Contractions => count::listed(text, lexicon::is_contraction, count::no_pair),
            Self::LongWords => count::long_words(text),
            Self::Connectives => count::listed(text, lexicon::is_connective, lexicon::is_connective_pair),
            Self::Repetition => count::repetition(text),
            Self::Examples => count::examples(text),
        };
        count as f64
    }

    /// The value of [`measure`](Self::measure) as one digit, 0..=9.
    ///
    /// Counts are exact up to 8 and 9 means nine or more. Words have the upper bounds 2, 5, 8, 12, 16, 21,
    /// 27, 36, 48, and average sentences 3, 5, 7, 9, 12, 15, 18, 22, 28; level 9 lies above.
    pub fn level(self, text: &str) -> u8 {
        self.level_of(self.measure(text))
    }

    /// The level of a value that was measured before; see [`level`](Self::level).
    pub fn level_of(self, value: f64) -> u8 {
        let bounds = match self {
            Self::Words => &WORD_BOUNDS,
            Self::SentenceLength => &SENTENCE_LENGTH_BOUNDS,
            _ => &COUNT_BOUNDS,
        };
        bounds.iter().filter(|bound| value > **bound).count() as u8
    }
}
