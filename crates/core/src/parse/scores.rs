//! The scores of a verdict, label by label.

use super::json::{Entries, Value, number};
use super::names::{is_label_key, is_scores_key, position_of_label};
use crate::mask::Mask;
use crate::repair::Repair;

/// Scores this far off the scale are rounding errors of whoever printed them, and belong to its end. A score that is
/// off by more, such as 0 or 6, follows another scale, and nobody knows which: it is not a score.
const ROUNDING: f64 = 1e-6;

/// What one shown position was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slot {
    /// Nothing.
    Empty,
    /// A score from 1 to 5.
    Scored(f64),
    /// Something that is no score, in words.
    Unreadable(String),
    /// Two different things, in words.
    Conflict(String, String),
}

impl Slot {
    /// The score, when there is exactly one.
    pub(super) fn score(&self) -> Option<f64> {
        match self {
            Self::Scored(score) => Some(*score),
            _ => None,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Empty => "nothing".to_owned(),
            Self::Scored(score) => score.to_string(),
            Self::Unreadable(found) => found.clone(),
            Self::Conflict(first, second) => format!("{first} and {second}"),
        }
    }
}

/// Reads the value under the key of the scores into one slot per shown position, or says what it is instead.
pub(super) fn read_scores(
    value: &Value,
    mask: &Mask,
    repairs: &mut Vec<Repair>,
) -> Result<Vec<Slot>, String> {
    let mut reader = Scores {
        mask,
        repairs,
        slots: vec![Slot::Empty; mask.len()],
        noted_records: false,
    };
    match value {
        Value::Object(entries) => {
            for (label, value) in entries {
                reader.labelled(label, value);
            }
        }
        Value::List(items) => {
            if let Some(records) = records(items) {
                reader.repairs.push(Repair::ScoreRecords);
                reader.noted_records = true;
                for (label, value) in records {
                    reader.labelled(&label, value);
                }
            } else if items.len() == mask.len() {
                reader.repairs.push(Repair::PositionalScores);
                for (position, value) in items.iter().enumerate() {
                    let slot = reader.slot(position, value);
                    reader.put(position, slot);
                }
            } else {
                return Err(value.describe());
            }
        }
        _ => return Err(value.describe()),
    }
    Ok(reader.slots)
}

struct Scores<'a> {
    mask: &'a Mask,
    repairs: &'a mut Vec<Repair>,
    slots: Vec<Slot>,
    noted_records: bool,
}

impl Scores<'_> {
    fn labelled(&mut self, label: &str, value: &Value) {
        let Some(position) = position_of_label(label, self.mask.len()) else {
            self.repairs.push(Repair::InventedLabel {
                label: label.to_owned(),
            });
            return;
        };
        let read_as = self.mask.label(position);
        if label != read_as {
            self.repairs.push(Repair::RenamedLabel {
                found: label.to_owned(),
                read_as,
            });
        }
        let slot = self.slot(position, value);
        self.put(position, slot);
    }

    fn put(&mut self, position: usize, new: Slot) {
        let label = self.mask.label(position);
        let slot = &mut self.slots[position];
        match slot {
            Slot::Empty => *slot = new,
            old if *old == new => self.repairs.push(Repair::RepeatedLabel { label }),
            Slot::Conflict(..) => {}
            old => *old = Slot::Conflict(old.describe(), new.describe()),
        }
    }

    fn slot(&mut self, position: usize, value: &Value) -> Slot {
        let (score, text) = match value {
            Value::Number(score) => (Some(*score), None),
            Value::Text(text) | Value::Word(text) => (score_in_text(text), Some(text)),
            Value::Object(entries) => {
                let inner = entries
                    .iter()
                    .find(|(key, _)| is_scores_key(key))
                    .map(|(_, inner)| inner);
                if let Some(inner) = inner.filter(|inner| !matches!(inner, Value::Object(_))) {
                    if !std::mem::replace(&mut self.noted_records, true) {
                        self.repairs.push(Repair::ScoreRecords);
                    }
                    return self.slot(position, inner);
                }
                (None, None)
            }
            _ => (None, None),
        };
        let Some(score) = score else {
            return Slot::Unreadable(value.describe());
        };
        let on_scale = score.clamp(1.0, 5.0);
        if (score - on_scale).abs() > ROUNDING {
            return Slot::Unreadable(value.describe());
        }
        let label = self.mask.label(position);
        if let Some(found) = text {
            self.repairs.push(Repair::ScoreFromText {
                label: label.clone(),
                found: found.clone(),
            });
        }
        if score != on_scale {
            self.repairs
                .push(Repair::RoundedOntoScale { label, found: score });
        }
        Slot::Scored(on_scale)
    }
}

/// `4`, `4.5`, `4/5`, `4 out of 5`; another denominator means another scale.
fn score_in_text(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | '.'))
        .unwrap_or(text.len());
    let rest: String = text[end..].split_whitespace().collect::<String>().to_lowercase();
    matches!(rest.as_str(), "" | "/5" | "/5.0" | "outof5" | "of5")
        .then(|| number(&text[..end]))
        .flatten()
}

/// Lists such as `[{"model": "model-1", "score": 4}, {"model-2": 3}]`; `None` when an item is anything else.
fn records(items: &[Value]) -> Option<Vec<(String, &Value)>> {
    if items.is_empty() {
        return None;
    }
    items
        .iter()
        .map(|item| match item {
            Value::Object(entries) => record(entries),
            _ => None,
        })
        .collect()
}

fn record(entries: &Entries) -> Option<(String, &Value)> {
    let value_of = |is_key: fn(&str) -> bool| {
        entries
            .iter()
            .find(|(key, _)| is_key(key))
            .map(|(_, value)| value)
    };
    match (
        value_of(is_label_key),
        value_of(is_scores_key),
        entries.as_slice(),
    ) {
        (Some(label), Some(score), _) => Some((label_text(label)?, score)),
        (_, _, [(label, score)]) => Some((label.clone(), score)),
        _ => None,
    }
}

/// The label in a value: text, or a whole number that counts the responses from 1.
pub(super) fn label_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Word(text) => Some(text.clone()),
        Value::Number(number) if number.fract() == 0.0 => Some(number.to_string()),
        Value::Object(entries) => {
            let (_, label) = entries.iter().find(|(key, _)| is_label_key(key))?;
            if matches!(label, Value::Object(_)) {
                None
            } else {
                label_text(label)
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_holds_a_score_or_does_not() {
        let check = |text: &str, expect: Option<f64>| assert_eq!(score_in_text(text), expect, "{text}");
        check("4", Some(4.0));
        check(" 3.5 ", Some(3.5));
        check("4/5", Some(4.0));
        check("4 / 5", Some(4.0));
        check("4 out of 5", Some(4.0));
        for text in [
            "8/10", "4/50", "four", "", "4 stars", "NaN", "inf", "1e0", "--4", "4-5", "4, maybe",
        ] {
            check(text, None);
        }
    }
}
