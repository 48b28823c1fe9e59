//! Everything that can be read from a reply, complete or not. The parser asks for all of it; the rewards give credit
//! for what there is.

use super::error::{ParseError, Unscored};
use super::json::{Entries, Value};
use super::names::{RANKING, SCORES, is_ranking_key, is_reasoning_key, is_scores_key};
use super::ranking::read_ranking;
use super::scores::{Slot, read_scores};
use super::sections::{Located, NotFound, Sections, locate, split};
use crate::mask::Mask;
use crate::repair::Repair;

/// How the JSON of a reply stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonForm {
    /// Valid JSON and nothing else.
    Whole,
    /// Valid JSON that had to be cut out of other text.
    Cut,
    /// Not valid JSON, or none.
    Invalid,
}

/// What a reply holds.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The reasoning, trimmed; empty when there is none.
    pub(crate) reasoning: String,
    /// Whether the reasoning stood in a block that was closed.
    pub(crate) thinking_block: bool,
    /// How the JSON stood there.
    pub(crate) json: JsonForm,
    /// Whether the reply ends with the closed JSON object, but for a code fence.
    pub(crate) ends_with_json: bool,
    /// Whether the key `scores` is there, spelt exactly so.
    pub(crate) exact_scores_key: bool,
    /// Whether the key `best-to-worst` is there, spelt exactly so.
    pub(crate) exact_ranking_key: bool,
    /// What each shown position was given.
    pub(super) slots: Vec<Slot>,
    /// The shown positions in the ranking, best first, each at most once.
    pub(crate) listed: Vec<usize>,
    /// What was mended.
    pub(crate) repairs: Vec<Repair>,
    /// The first thing that keeps this from being a verdict.
    pub(crate) problem: Option<ParseError>,
}

impl Survey {
    /// Reads a reply; never fails, never panics.
    pub(crate) fn of(reply: &str, mask: &Mask) -> Self {
        let mut survey = Self {
            reasoning: String::new(),
            thinking_block: false,
            json: JsonForm::Invalid,
            ends_with_json: false,
            exact_scores_key: false,
            exact_ranking_key: false,
            slots: vec![Slot::Empty; mask.len()],
            listed: Vec::new(),
            repairs: Vec::new(),
            problem: None,
        };
        if reply.trim().is_empty() {
            survey.problem = Some(ParseError::Empty {
                raw: reply.to_owned(),
            });
            return survey;
        }
        let Some(sections) = split(reply) else {
            survey.problem = Some(ParseError::TruncatedThinking {
                raw: reply.to_owned(),
            });
            return survey;
        };
        let Sections {
            reasoning,
            answer,
            repairs,
        } = sections;
        survey.repairs = repairs;
        survey.thinking_block = reasoning.is_some();
        survey.reasoning = reasoning.unwrap_or_default().to_owned();
        match locate(answer) {
            Ok(located) => survey.read(located, answer, reply, mask),
            Err(not_found) => survey.problem = Some(not_found.into_error(reply, mask)),
        }
        survey
    }

    /// The score of each shown position.
    pub(crate) fn scores(&self) -> Vec<Option<f64>> {
        self.slots.iter().map(Slot::score).collect()
    }

    fn read(&mut self, located: Located<'_>, answer: &str, reply: &str, mask: &Mask) {
        let Located {
            entries,
            text,
            before,
            after,
            intact,
            repairs,
        } = located;
        self.repairs.extend(repairs);
        self.ends_with_json = intact && after.is_empty();
        self.json = match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) if answer.trim() == text => JsonForm::Whole,
            Ok(_) => JsonForm::Cut,
            Err(_) => JsonForm::Invalid,
        };
        let mut prose_around = !after.is_empty();
        if !self.thinking_block && !before.is_empty() {
            self.reasoning = before.to_owned();
            self.repairs.push(Repair::ReasoningFromProse);
        } else {
            prose_around |= !before.is_empty();
        }
        if prose_around {
            self.repairs.push(Repair::ProseAround);
        }
        self.exact_scores_key = entries.iter().any(|(key, _)| key == SCORES);
        self.exact_ranking_key = entries.iter().any(|(key, _)| key == RANKING);
        self.problem = self.read_entries(&entries, reply, mask).err();
    }

    fn read_entries(&mut self, entries: &Entries, reply: &str, mask: &Mask) -> Result<(), ParseError> {
        let raw = || reply.to_owned();
        let mut used = Vec::new();
        let mut pick = |exact: &str, is_key: fn(&str) -> bool, repairs: &mut Vec<Repair>| {
            let picked =
                pick(entries, exact, is_key, repairs).map_err(|[first, second]| ParseError::Conflict {
                    raw: raw(),
                    key: exact.to_owned(),
                    first,
                    second,
                })?;
            used.extend(picked.map(|(key, _)| key));
            Ok(picked.map(|(_, value)| value))
        };
        let scores = pick(SCORES, is_scores_key, &mut self.repairs)?;
        let ranking = pick(RANKING, is_ranking_key, &mut self.repairs)?;
        self.read_other_keys(entries, &used);
        let unreadable = |found: String| ParseError::UnreadableScores {
            raw: raw(),
            labels: mask.len(),
            found,
        };
        let scores = scores.ok_or_else(|| unreadable("nothing".to_owned()))?;
        if let Some(ranking) = ranking {
            self.listed = read_ranking(ranking, mask, &mut self.repairs);
        }
        self.slots = read_scores(scores, mask, &mut self.repairs).map_err(unreadable)?;
        self.missing(reply, mask)
    }

    /// Keys beyond the two that count: one may hold the reasoning, all others are set aside.
    fn read_other_keys(&mut self, entries: &Entries, used: &[&str]) {
        for (key, value) in entries.iter().filter(|(key, _)| !used.contains(&key.as_str())) {
            match value {
                Value::Text(text) if self.reasoning.is_empty() && is_reasoning_key(key) => {
                    self.reasoning = text.trim().to_owned();
                    self.repairs.push(Repair::ReasoningFromKey { key: key.clone() });
                }
                _ => self.repairs.push(Repair::IgnoredKey { key: key.clone() }),
            }
        }
    }

    fn missing(&self, reply: &str, mask: &Mask) -> Result<(), ParseError> {
        let raw = || reply.to_owned();
        let mut missing = Vec::new();
        for (position, slot) in self.slots.iter().enumerate() {
            let label = mask.label(position);
            match slot {
                Slot::Scored(_) => {}
                Slot::Empty => missing.push(Unscored { label, found: None }),
                Slot::Unreadable(found) => missing.push(Unscored {
                    label,
                    found: Some(found.clone()),
                }),
                Slot::Conflict(first, second) => {
                    let (first, second) = (first.clone(), second.clone());
                    return Err(ParseError::Conflict {
                        raw: raw(),
                        key: label,
                        first,
                        second,
                    });
                }
            }
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(ParseError::MissingScores { raw: raw(), missing })
        }
    }
}

impl NotFound {
    fn into_error(self, reply: &str, mask: &Mask) -> ParseError {
        let raw = reply.to_owned();
        match self {
            Self::Truncated => ParseError::TruncatedAnswer { raw },
            Self::Nothing(found) => ParseError::NoVerdict {
                raw,
                found: found.to_owned(),
            },
            Self::NoContainer(found) => ParseError::UnreadableScores {
                raw,
                labels: mask.len(),
                found,
            },
        }
    }
}

/// Finds the value of a key: under its exact spelling, else under the first other one. A key that is there twice must
/// have one value; two different ones come back as the error, in words.
fn pick<'a>(
    entries: &'a Entries,
    exact: &str,
    is_key: fn(&str) -> bool,
    repairs: &mut Vec<Repair>,
) -> Result<Option<(&'a str, &'a Value)>, [String; 2]> {
    let found = entries
        .iter()
        .find(|(key, _)| key == exact)
        .or_else(|| entries.iter().find(|(key, _)| is_key(key)));
    let Some((key, value)) = found else {
        return Ok(None);
    };
    let mut same_key = entries
        .iter()
        .filter(|(other, _)| other == key)
        .skip(1)
        .peekable();
    if same_key.peek().is_some() {
        if let Some((_, other)) = same_key.find(|(_, other)| other != value) {
            return Err([value.describe(), other.describe()]);
        }
        repairs.push(Repair::RepeatedKey { key: key.clone() });
    }
    if key != exact {
        repairs.push(Repair::RenamedKey {
            found: key.clone(),
            read_as: exact.to_owned(),
        });
    }
    Ok(Some((key, value)))
}
