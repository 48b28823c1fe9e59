//! What the parser mended. A repair changes how a reply is read, never what it says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that was not as the format asks and could be read all the same.
///
/// In JSON a repair is a string (`"trailing_comma"`) or an object with one key
/// (`{"invented_label": {"label": "model-9"}}`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Repair {
    /// The closing tag of the reasoning came without an opening one (some chat templates write that one themselves).
    MissingOpeningTag,
    /// The tags of the reasoning were spelt otherwise, for example `<thinking>`.
    ThinkTagVariant {
        /// The tag as written.
        found: String,
    },
    /// Text before the opening tag was set aside.
    TextBeforeThinking,
    /// There was no reasoning block; the prose before the JSON was taken for it.
    ReasoningFromProse,
    /// There was no reasoning block; a text inside the JSON was taken for it.
    ReasoningFromKey {
        /// The key of that text.
        key: String,
    },
    /// The JSON stood in a Markdown code fence.
    CodeFence,
    /// Prose around the JSON was set aside.
    ProseAround,
    /// Several objects looked like verdicts; the last one counts.
    SeveralVerdicts {
        /// How many were passed over.
        ignored: usize,
    },
    /// The verdict lay inside another object.
    Unwrapped {
        /// The key it was found under.
        key: String,
    },
    /// A comma before a closing bracket, or two in a row.
    TrailingComma,
    /// No comma between two entries.
    MissingComma,
    /// Strings in single quotes.
    SingleQuotes,
    /// Strings in typographic quotes.
    TypographicQuotes,
    /// A key or a text without quotes.
    BareWord,
    /// A comment inside the JSON.
    Comment,
    /// A line break or another control character inside a string, or an unknown escape.
    LooseString,
    /// The JSON broke off or went wrong after its scores were complete; what followed was not read.
    BrokenAfterScores,
    /// A key stood there twice, with the same value.
    RepeatedKey {
        /// The key.
        key: String,
    },
    /// A key was spelt otherwise.
    RenamedKey {
        /// As written.
        found: String,
        /// As read.
        read_as: String,
    },
    /// A key that the format doesn't know was set aside.
    IgnoredKey {
        /// The key.
        key: String,
    },
    /// A label was spelt otherwise, for example `Model 1`.
    RenamedLabel {
        /// As written.
        found: String,
        /// As read.
        read_as: String,
    },
    /// Scores came as a list, one per label in the order shown.
    PositionalScores,
    /// Scores came as records with a label and a score each.
    ScoreRecords,
    /// A score came as text, for example `"4"` or `"4/5"`.
    ScoreFromText {
        /// The label.
        label: String,
        /// The text.
        found: String,
    },
    /// A score lay off the scale by no more than a rounding error and was moved to its end.
    RoundedOntoScale {
        /// The label.
        label: String,
        /// The score as written.
        found: f64,
    },
    /// Something was scored that had not been shown; it was dropped.
    InventedLabel {
        /// The label.
        label: String,
    },
    /// A response was scored twice, with the same score.
    RepeatedLabel {
        /// The label.
        label: String,
    },
    /// There was no readable ranking; it follows from the scores, equal scores in the order shown.
    RankingFromScores,
    /// The ranking came in another shape, for example as one text or as places by label.
    RankingShape,
    /// The ranking named something that had not been shown; it was dropped.
    RankingInvented {
        /// The label.
        label: String,
    },
    /// The ranking named a response twice; the first place counts.
    RankingRepeated {
        /// The label.
        label: String,
    },
    /// The ranking left responses out; they follow by score, after the named ones of equal score.
    RankingIncomplete {
        /// The labels that were missing.
        labels: Vec<String>,
    },
    /// The ranking put a lower score before a higher one. The scores count; it only orders equal ones.
    RankingContradictsScores,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingOpeningTag => f.write_str("the reasoning had no opening tag"),
            Self::ThinkTagVariant { found } => write!(f, "the reasoning was tagged {found}"),
            Self::TextBeforeThinking => f.write_str("text before the reasoning was set aside"),
            Self::ReasoningFromProse => f.write_str("the prose before the JSON was taken for the reasoning"),
            Self::ReasoningFromKey { key } => write!(f, "the text under {key:?} was taken for the reasoning"),
            Self::CodeFence => f.write_str("the JSON stood in a code fence"),
            Self::ProseAround => f.write_str("prose around the JSON was set aside"),
            Self::SeveralVerdicts { ignored } => {
                write!(
                    f,
                    "the last of {} possible verdicts was read",
                    ignored.saturating_add(1)
                )
            }
            Self::Unwrapped { key } => write!(f, "the verdict was found under {key:?}"),
            Self::TrailingComma => f.write_str("the JSON had a comma too many"),
            Self::MissingComma => f.write_str("the JSON lacked a comma"),
            Self::SingleQuotes => f.write_str("the JSON had strings in single quotes"),
            Self::TypographicQuotes => f.write_str("the JSON had strings in typographic quotes"),
            Self::BareWord => f.write_str("the JSON had a word without quotes"),
            Self::Comment => f.write_str("the JSON held a comment"),
            Self::LooseString => {
                f.write_str("a string in the JSON held a raw control character or a wrong escape")
            }
            Self::BrokenAfterScores => f.write_str("the JSON broke off after its scores were complete"),
            Self::RepeatedKey { key } => write!(f, "the key {key:?} stood there twice, with one value"),
            Self::RenamedKey { found, read_as } => write!(f, "the key {found:?} was read as {read_as:?}"),
            Self::IgnoredKey { key } => write!(f, "the key {key:?} was set aside"),
            Self::RenamedLabel { found, read_as } => write!(f, "the label {found:?} was read as {read_as:?}"),
            Self::PositionalScores => {
                f.write_str("the scores came as a list and were read in the order shown")
            }
            Self::ScoreRecords => f.write_str("the scores came as records"),
            Self::ScoreFromText { label, found } => {
                write!(f, "the score of {label} came as the text {found:?}")
            }
            Self::RoundedOntoScale { label, found } => {
                write!(f, "the score {found} of {label} was rounded onto the scale")
            }
            Self::InventedLabel { label } => {
                write!(f, "the score of {label:?}, which was not shown, was dropped")
            }
            Self::RepeatedLabel { label } => write!(f, "{label} was scored twice, with one score"),
            Self::RankingFromScores => f.write_str("the ranking was derived from the scores"),
            Self::RankingShape => f.write_str("the ranking came in another shape than a list of labels"),
            Self::RankingInvented { label } => {
                write!(f, "{label:?}, which was not shown, was dropped from the ranking")
            }
            Self::RankingRepeated { label } => write!(f, "{label} stood in the ranking twice"),
            Self::RankingIncomplete { labels } => write!(f, "the ranking lacked {}", labels.join(", ")),
            Self::RankingContradictsScores => {
                f.write_str("the ranking contradicted the scores and was derived from them")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_are_strings_or_small_objects() {
        let check = |repair: Repair, json: &str, text: &str| {
            assert_eq!(serde_json::to_string(&repair).unwrap(), json);
            assert_eq!(repair.to_string(), text);
        };
        check(
            Repair::TrailingComma,
            r#""trailing_comma""#,
            "the JSON had a comma too many",
        );
        check(
            Repair::RenamedLabel {
                found: "Model 1".to_owned(),
                read_as: "model-1".to_owned(),
            },
            r#"{"renamed_label":{"found":"Model 1","read_as":"model-1"}}"#,
            r#"the label "Model 1" was read as "model-1""#,
        );
    }
}
