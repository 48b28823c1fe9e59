//! The taxonomy of principles.

use serde::{Deserialize, Serialize};

/// What side of a response a principle speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// What is said: facts, sources, relevance, examples.
    Content,
    /// How it is laid out: length, order, lists, headings.
    Structure,
    /// How it addresses the reader: warmth, formality, humour.
    Tone,
    /// How it argues: reasons, steps, caution, consistency.
    Logic,
    /// How it is worded: vocabulary, sentences, punctuation.
    Style,
}

impl Category {
    /// All five, in the order of the method.
    pub const ALL: [Self; 5] = [
        Self::Content,
        Self::Structure,
        Self::Tone,
        Self::Logic,
        Self::Style,
    ];

    /// The name in lower case, with which the ids of its principles begin.
    pub fn id(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Structure => "structure",
            Self::Tone => "tone",
            Self::Logic => "logic",
            Self::Style => "style",
        }
    }
}
