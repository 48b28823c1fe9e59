//! The principle library: what people may want of a response, in our own words.

mod content;
mod logic;
mod structure;
mod style;
mod tone;

use std::sync::LazyLock;

use crate::{Category, Direction, Measure};

/// How a principle is built. Principles that weigh goals or give rules are followed best, vague wishes worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
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
    /// What a program measures to verify it, where one can.
    pub measure: Option<(Measure, Direction)>,
    /// True when it is kept for evaluation on principles never trained on.
    pub held_out: bool,
}

impl Principle {
    const fn new(id: &'static str, category: Category, kind: Kind, text: &'static str) -> Self {
        Self {
            id,
            category,
            kind,
            text,
            measure: None,
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

    const fn verified_by(self, measure: Measure, direction: Direction) -> Self {
        Self {
            measure: Some((measure, direction)),
            ..self
        }
    }

    const fn kept_for_evaluation(self) -> Self {
        Self {
            held_out: true,
            ..self
        }
    }
}

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
/// assert!(principle.is_some_and(|p| p.measure.is_some()));
/// ```
pub fn library() -> &'static [Principle] {
    &LIBRARY
}
