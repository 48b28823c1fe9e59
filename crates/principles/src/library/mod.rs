//! The principle library: what people may want of a response, in our own words.
//!
//! Two hundred principles, forty in each [`Category`]: sixteen with a [single](Kind::Single) goal, twelve with goals in
//! an order of [priority](Kind::Prioritised) and twelve that are [structured](Kind::Structured) rules. What a program
//! can check carries a [`Rule`]: an amount, demands in an order, or points, over the qualities that a [`Quality`]
//! counts. Such a principle is verifiable: it has many [wordings](Principle::wordings), and over any responses an exact
//! [gold](Rule::gold).
//!
//! The split is fixed: in each category four single, three prioritised and three structured principles are novel, kept
//! for evaluation and never trained on, fifty in all. Novel ones that are verifiable either ask for a quality that no
//! training principle asks for, or combine qualities of training in a way that none does;
//! [`Rule::is_of_new_quality`] tells which. Of the others, each has wordings that are held out from training.
//!
//! The texts are written to be used: they name what can be seen in a response, say what wins where goals conflict, and
//! pass [`lint`](crate::lint::lint).

// The macros that the five files below write rules with come first: macros are in scope from where they stand.

/// One goal: `more Q`, `fewer Q`, `least N Q`, `most N Q` or `near N Q`.
macro_rules! goal {
    (more $quality:expr) => {
        crate::Goal::Amount($quality, crate::Direction::More)
    };
    (fewer $quality:expr) => {
        crate::Goal::Amount($quality, crate::Direction::Fewer)
    };
    (least $least:literal $quality:expr) => {
        crate::Goal::AtLeast($quality, $least)
    };
    (most $most:literal $quality:expr) => {
        crate::Goal::AtMost($quality, $most)
    };
    (near $wanted:literal $quality:expr) => {
        crate::Goal::Near($quality, $wanted)
    };
}

/// Goals in their order of priority.
macro_rules! order {
    ($(($($goal:tt)+)),+ $(,)?) => {
        crate::Rule::Order(&[$(goal!($($goal)+)),+])
    };
}

/// Points and what they are given for.
macro_rules! points {
    ($(($points:expr, $($goal:tt)+)),+ $(,)?) => {
        crate::Rule::Points(&[$(($points, goal!($($goal)+))),+])
    };
}

mod content;
mod intents;
mod logic;
mod structure;
mod style;
mod tone;

pub use intents::{INTENTS, Intent};

use std::sync::LazyLock;

use rand::Rng;

use crate::wording::{self, Wording};
use crate::{Category, Direction, Measure, Quality, Rule, Split, compose};

/// How a principle is built. Principles that weigh goals or give rules are followed best, vague wishes worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A wish that leaves open what to look for. The library has none; [`INTENTS`] do, to be compared with.
    Vague,
    /// One goal.
    Single,
    /// Several goals and which of them comes first.
    Prioritised,
    /// Rules for cases, deductions or ranks.
    Structured,
}

/// A principle of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principle {
    /// Category, hyphen and a few words: unique and stable.
    pub id: &'static str,
    /// What side of a response it speaks about.
    pub category: Category,
    /// How it is built.
    pub kind: Kind,
    /// The principle as a judge reads it.
    pub text: &'static str,
    /// What a program checks to verify it, where one can.
    pub rule: Option<Rule>,
    /// True for the fifty that are novel: kept for evaluation and never trained on.
    pub held_out: bool,
}

impl Principle {
    const fn new(id: &'static str, category: Category, kind: Kind, text: &'static str) -> Self {
        Self {
            id,
            category,
            kind,
            text,
            rule: None,
            held_out: false,
        }
    }

    const fn single(id: &'static str, category: Category, text: &'static str) -> Self {
        Self::new(id, category, Kind::Single, text)
    }

    const fn prioritised(id: &'static str, category: Category, text: &'static str) -> Self {
        Self::new(id, category, Kind::Prioritised, text)
    }

    const fn structured(id: &'static str, category: Category, text: &'static str) -> Self {
        Self::new(id, category, Kind::Structured, text)
    }

    const fn checked(self, rule: Rule) -> Self {
        Self {
            rule: Some(rule),
            ..self
        }
    }

    const fn kept_for_evaluation(self) -> Self {
        Self {
            held_out: true,
            ..self
        }
    }

    /// The basic measure and direction that the principle is, where it is nothing else.
    pub fn measure(&self) -> Option<(Measure, Direction)> {
        self.rule.and_then(Rule::as_measure)
    }

    /// A few words for what a program checks, where one can.
    pub fn check(&self) -> Option<String> {
        self.rule.map(wording::describe)
    }

    /// All ways to say a verifiable principle, its own text first; only that text for another.
    ///
    /// The last four of a verifiable principle are held out from training.
    pub fn wordings(&self) -> Vec<Wording> {
        let own = Wording {
            text: self.text.to_owned(),
            held_out: false,
        };
        let others = self.rule.map(wording::wordings).unwrap_or_default();
        std::iter::once(own).chain(others).collect()
    }

    /// A random way to say it. A principle that is one basic measure is said as [`phrase`](crate::phrase) says it; any
    /// other in one of its [wordings](Self::wordings) of the half asked for, sometimes with an addition that changes
    /// nothing; for training also as any [rule](Rule::phrase) is said. One that is not verifiable has its text alone, for both halves.
    pub fn phrase(&self, rng: &mut impl Rng, split: Split) -> String {
        if let Some((measure, direction)) = self.measure() {
            return compose::phrase(measure, direction, rng, split);
        }
        if let (Split::Train, Some(rule), true) = (split, self.rule, rng.random_bool(BY_RULE)) {
            return rule.phrase(rng, split);
        }
        let held_out = split != Split::Train && self.rule.is_some();
        let texts: Vec<String> = self
            .wordings()
            .into_iter()
            .filter(|wording| wording.held_out == held_out)
            .map(|wording| wording.text)
            .collect();
        compose::say(&texts, rng, split)
    }
}

/// How often a principle is said as its rule is, in training: in more ways than it has of its own.
const BY_RULE: f64 = 0.5;

// Short names of the basic measures, for the rules.
const WORDS: Quality = Quality::Of(Measure::Words);
const SENTENCES: Quality = Quality::Of(Measure::Sentences);
const SENTENCE_LENGTH: Quality = Quality::Of(Measure::SentenceLength);
const LINES: Quality = Quality::Of(Measure::Lines);
const LIST_ITEMS: Quality = Quality::Of(Measure::ListItems);
const MARKUP: Quality = Quality::Of(Measure::Markup);
const COMMAS: Quality = Quality::Of(Measure::Commas);
const COLONS: Quality = Quality::Of(Measure::Colons);
const PARENTHESES: Quality = Quality::Of(Measure::Parentheses);
const QUOTES: Quality = Quality::Of(Measure::Quotes);
const QUESTIONS: Quality = Quality::Of(Measure::Questions);
const EXCLAMATIONS: Quality = Quality::Of(Measure::Exclamations);
const NUMBERS: Quality = Quality::Of(Measure::Numbers);
const CAPITALS: Quality = Quality::Of(Measure::Capitals);
const FIRST_PERSON: Quality = Quality::Of(Measure::FirstPerson);
const SECOND_PERSON: Quality = Quality::Of(Measure::SecondPerson);
const HEDGES: Quality = Quality::Of(Measure::Hedges);
const POLITENESS: Quality = Quality::Of(Measure::Politeness);
const POSITIVE_WORDS: Quality = Quality::Of(Measure::PositiveWords);
const NEGATIONS: Quality = Quality::Of(Measure::Negations);
const CONTRACTIONS: Quality = Quality::Of(Measure::Contractions);
const LONG_WORDS: Quality = Quality::Of(Measure::LongWords);
const CONNECTIVES: Quality = Quality::Of(Measure::Connectives);
const REPETITION: Quality = Quality::Of(Measure::Repetition);
const EXAMPLES: Quality = Quality::Of(Measure::Examples);

static LIBRARY: LazyLock<Vec<Principle>> = LazyLock::new(|| {
    [
        content::PRINCIPLES,
        structure::PRINCIPLES,
        tone::PRINCIPLES,
        logic::PRINCIPLES,
        style::PRINCIPLES,
    ]
    .concat()
});

/// All principles, category by category in the order of [`Category::ALL`].
///
/// ```
/// let principle = rewardanything_principles::library().iter().find(|p| p.id == "style-few-commas");
/// assert!(principle.is_some_and(|p| p.rule.is_some()));
/// ```
pub fn library() -> &'static [Principle] {
    &LIBRARY
}
