//! The ranking of a verdict, and its agreement with the scores.

use super::json::{Value, number};
use super::names::position_of_label;
use super::scores::label_text;
use crate::mask::Mask;
use crate::repair::Repair;

/// The shown positions that a ranking names, best first, each once. Empty when nothing in it can be read.
pub(super) fn read_ranking(value: &Value, mask: &Mask, repairs: &mut Vec<Repair>) -> Vec<usize> {
    let mut labels = Vec::new();
    let as_asked =
        matches!(value, Value::List(items) if items.iter().all(|item| matches!(item, Value::Text(_))));
    match value {
        Value::Object(entries) => labels_by_place(entries, &mut labels),
        _ => flatten(value, &mut labels),
    }
    let mut listed = Vec::new();
    let mut seen = vec![false; mask.len()];
    let mut noted = Vec::new();
    for label in labels {
        let Some(position) = position_of_label(&label, mask.len()) else {
            noted.push(Repair::RankingInvented { label });
            continue;
        };
        let read_as = mask.label(position);
        if std::mem::replace(&mut seen[position], true) {
            noted.push(Repair::RankingRepeated { label: read_as });
            continue;
        }
        if label != read_as {
            noted.push(Repair::RenamedLabel {
                found: label,
                read_as,
            });
        }
        listed.push(position);
    }
    if !listed.is_empty() && !as_asked {
        repairs.push(Repair::RankingShape);
    }
    repairs.append(&mut noted);
    listed
}

/// `["model-2", ["model-1", "model-3"]]`, `"model-2 > model-1"`, `[2, 1, 3]`, records with a label.
fn flatten(value: &Value, labels: &mut Vec<String>) {
    match value {
        Value::List(items) => items.iter().for_each(|item| flatten(item, labels)),
        Value::Text(text) | Value::Word(text) => labels.extend(
            text.split(['>', ',', '=', ';', '\n'])
                .map(str::trim)
                .filter(|label| !label.is_empty())
                .map(str::to_owned),
        ),
        _ => labels.extend(label_text(value)),
    }
}

/// `{"model-1": 2, "model-2": 1}`: places, 1 the best.
fn labels_by_place(entries: &[(String, Value)], labels: &mut Vec<String>) {
    let mut places: Vec<(f64, &String)> = entries
        .iter()
        .filter_map(|(label, place)| match place {
            Value::Number(place) => Some((*place, label)),
            Value::Text(place) => Some((number(place.trim())?, label)),
            _ => None,
        })
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    labels.extend(places.into_iter().map(|(_, label)| label.clone()));
}

/// All shown positions in the order that breaks ties: those listed, then the others in the order shown.
pub(super) fn complete(listed: &[usize], mask: &Mask, repairs: &mut Vec<Repair>) -> Vec<usize> {
    if listed.is_empty() && !mask.is_empty() {
        repairs.push(Repair::RankingFromScores);
        return (0..mask.len()).collect();
    }
    let left_out: Vec<usize> = (0..mask.len())
        .filter(|position| !listed.contains(position))
        .collect();
    if !left_out.is_empty() {
        let labels = left_out.iter().map(|&position| mask.label(position)).collect();
        repairs.push(Repair::RankingIncomplete { labels });
    }
    [listed, &left_out].concat()
}

/// Whether a lower score stands before a higher one.
pub(super) fn contradicts(listed: &[usize], scores: &[f64]) -> bool {
    listed.windows(2).any(|pair| scores[pair[0]] < scores[pair[1]])
}
