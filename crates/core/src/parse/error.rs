//! Why a reply can't be read.

/// Why a reply is no verdict. Every variant keeps the reply as it came, says what was expected and what was there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Nothing, or nothing but white space.
    #[error("expected a verdict, got an empty reply")]
    Empty {
        /// The reply.
        raw: String,
    },
    /// The reasoning was opened and never closed. What stands inside it is never read as a verdict.
    #[error("expected the reasoning to end with </think>, got the end of the reply inside it")]
    TruncatedThinking {
        /// The reply.
        raw: String,
    },
    /// No JSON object with scores.
    #[error("expected a JSON object with the key \"scores\", got {found}")]
    NoVerdict {
        /// The reply.
        raw: String,
        /// What was there instead.
        found: String,
    },
    /// The reply ends inside the JSON object.
    #[error("expected a complete JSON object, got the end of the reply inside it")]
    TruncatedAnswer {
        /// The reply.
        raw: String,
    },
    /// The value under the key of the scores is neither an object nor a list that fits.
    #[error("scores: expected one score for each of {labels} labels, got {found}")]
    UnreadableScores {
        /// The reply.
        raw: String,
        /// How many responses were shown.
        labels: usize,
        /// What was there instead.
        found: String,
    },
    /// Some responses have no readable score from 1 to 5.
    #[error(
        "scores: expected a number from 1 to 5 for every label, got {}",
        list(missing)
    )]
    MissingScores {
        /// The reply.
        raw: String,
        /// What is wrong with each of them, in the order shown.
        missing: Vec<Unscored>,
    },
    /// One response, or one key, has two different values.
    #[error("{key}: expected one value, got {first} and {second}")]
    Conflict {
        /// The reply.
        raw: String,
        /// The label or key.
        key: String,
        /// The first value.
        first: String,
        /// A value that differs from it.
        second: String,
    },
}

/// A response without a readable score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unscored {
    /// The label under which it was shown.
    pub label: String,
    /// What stood in the place of the score, if anything did.
    pub found: Option<String>,
}

impl ParseError {
    /// The reply as it came.
    pub fn raw(&self) -> &str {
        match self {
            Self::Empty { raw }
            | Self::TruncatedThinking { raw }
            | Self::NoVerdict { raw, .. }
            | Self::TruncatedAnswer { raw }
            | Self::UnreadableScores { raw, .. }
            | Self::MissingScores { raw, .. }
            | Self::Conflict { raw, .. } => raw,
        }
    }

    /// A short fixed name, for records and counts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "empty",
            Self::TruncatedThinking { .. } => "truncated_thinking",
            Self::NoVerdict { .. } => "no_verdict",
            Self::TruncatedAnswer { .. } => "truncated_answer",
            Self::UnreadableScores { .. } => "unreadable_scores",
            Self::MissingScores { .. } => "missing_scores",
            Self::Conflict { .. } => "conflict",
        }
    }
}

fn list(missing: &[Unscored]) -> String {
    let parts: Vec<String> = missing
        .iter()
        .map(|Unscored { label, found }| match found {
            Some(found) => format!("{found} for {label}"),
            None => format!("nothing for {label}"),
        })
        .collect();
    parts.join(", ")
}
