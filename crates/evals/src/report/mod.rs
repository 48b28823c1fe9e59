//! What is said of a run, and of several side by side: as data, as Markdown, and as one page of HTML.

mod chart;
mod html;
mod markdown;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::benchmark::Benchmark;
use crate::calibration::{Calibration, calibration};
use crate::item::Id;
use crate::outcome::Judged;
use crate::statistic::{Difference, Measured, Unit, differences, measure};

pub use html::page;
pub use markdown::{comparison_text, leaderboard, text};

/// How many items came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Items of the data that can be scored.
    pub items: usize,
    /// Those that were judged, with or without a verdict.
    pub judged: usize,
    /// Those without a verdict, by the kind of failure; they count as wrong.
    pub failed: BTreeMap<String, usize>,
    /// Lines of the data that are no usable items; they count nowhere.
    pub bad_lines: usize,
}

/// What a run cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Tokens read.
    pub prompt_tokens: usize,
    /// Tokens written.
    pub completion_tokens: usize,
    /// Seconds spent.
    pub seconds: f64,
}

/// An item that went wrong, with its texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// The item.
    pub id: Id,
    /// What it was judged by.
    pub principle: String,
    /// What the responses answer.
    pub prompt: String,
    /// Its responses.
    pub responses: Vec<WorstResponse>,
    /// What the judge wrote before its verdict.
    pub reasoning: String,
    /// Why there is no verdict.
    pub failure: Option<String>,
}

/// A response of an item that went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorstResponse {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its gold score.
    pub gold: Option<f64>,
    /// The judge's score.
    pub score: Option<f64>,
}

/// The parts of one breakdown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// What the items are told apart by.
    pub by: String,
    /// A figure for each part.
    pub figures: Vec<Measured>,
}

/// All that is said of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// What the run is called here.
    pub run: String,
    /// The benchmark.
    pub benchmark: String,
    /// The model.
    pub model: String,
    /// How it was judged, as names and values.
    pub settings: Vec<(String, String)>,
    /// How many items came to what.
    pub counts: Counts,
    /// The headline first.
    pub figures: Vec<Measured>,
    /// By domain, category, length and so on.
    pub breakdowns: Vec<Breakdown>,
    /// How far several orders or samples of one item agree, from 0 to 1, where items were judged more than once.
    pub position_agreement: Option<f64>,
    /// The reliability of the probabilities behind scores, where they are known.
    pub calibration: Option<Calibration>,
    /// What it cost.
    pub cost: Cost,
    /// The command that repeats it.
    pub command: String,
    /// Items that went wrong.
    pub worst: Vec<Worst>,
}

impl RunReport {
    /// The figures of the items that were judged. Names, settings, cost and the worst items are the caller's to fill in.
    pub fn of(benchmark: Benchmark, items: &[Judged], counts: Counts) -> Self {
        let agreements: Vec<f64> = items
            .iter()
            .flat_map(|item| &item.games)
            .filter_map(|game| game.agreement)
            .collect();
        RunReport {
            run: String::new(),
            benchmark: benchmark.name().to_owned(),
            model: String::new(),
            settings: Vec::new(),
            counts,
            figures: measure(&benchmark.figures(items), items.len()),
            breakdowns: benchmark
                .breakdowns(items)
                .into_iter()
                .map(|(by, figures)| Breakdown {
                    by: by.to_owned(),
                    figures: measure(&figures, items.len()),
                })
                .filter(|breakdown| !breakdown.figures.is_empty())
                .collect(),
            position_agreement: (!agreements.is_empty())
                .then(|| agreements.iter().sum::<f64>() / agreements.len() as f64),
            calibration: calibration(items),
            cost: Cost::default(),
            command: String::new(),
            worst: Vec::new(),
        }
    }
}

/// Two runs over the same items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The first run.
    pub first: String,
    /// The second one, whose figures are taken away from the first one's.
    pub second: String,
    /// Items that both judged; the others are left out.
    pub items: usize,
    /// The share of pairs of responses that both order alike (above, below or tied), from 0 to 1: over two wordings of
    /// one principle, how little the judge minds the wording. `None` where no item has a verdict in both.
    pub alike: Option<f64>,
    /// Figure by figure.
    pub differences: Vec<Difference>,
}

/// Compares two runs, each with its name, over the items that both judged.
pub fn compare(benchmark: Benchmark, first: (&str, &[Judged]), second: (&str, &[Judged])) -> Comparison {
    let places: HashMap<&Id, usize> = second
        .1
        .iter()
        .enumerate()
        .map(|(place, item)| (&item.sample.id, place))
        .collect();
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for item in first.1 {
        if let Some(&place) = places.get(&item.sample.id) {
            here.push(item.clone());
            there.push(second.1[place].clone());
        }
    }
    let differences = differences(&benchmark.figures(&here), &benchmark.figures(&there), here.len());
    Comparison {
        first: first.0.to_owned(),
        second: second.0.to_owned(),
        items: here.len(),
        alike: alike(&here, &there),
        differences,
    }
}

fn alike(here: &[Judged], there: &[Judged]) -> Option<f64> {
    let (mut alike, mut pairs) = (0usize, 0usize);
    for (first, second) in here.iter().zip(there) {
        let (Some(first), Some(second)) = (first.scores(), second.scores()) else {
            continue;
        };
        for a in 0..first.len().min(second.len()) {
            for b in 0..a {
                pairs += 1;
                let order = |scores: &[f64]| scores[a].total_cmp(&scores[b]);
                alike += usize::from(order(first) == order(second));
            }
        }
    }
    (pairs > 0).then(|| alike as f64 / pairs as f64)
}

/// Indices of the items that went most wrong, worst first, at most `count`: by the share of their pairs that are wrong,
/// then by how many those are. Items that are right throughout are not among them.
pub fn worst(items: &[Judged], count: usize) -> Vec<usize> {
    let mut wrong: Vec<(f64, usize, usize)> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let counts = item.sample.gold.count(item.scores());
            let lost = counts.total() as f64 - counts.points();
            (lost > 0.0).then(|| (lost / counts.total() as f64, counts.total(), index))
        })
        .collect();
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
    wrong.into_iter().take(count).map(|(_, _, index)| index).collect()
}

/// A figure as text: `71.5%` or `0.653`.
pub fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.1}%", value * 100.0),
        Unit::Number => format!("{value:.3}"),
    }
}

/// An interval as text: `70.2 to 72.9`; empty where there is none.
pub fn shown_interval(interval: Option<(f64, f64)>, unit: Unit) -> String {
    match (interval, unit) {
        (None, _) => String::new(),
        (Some((low, high)), Unit::Share) => format!("{:.1} to {:.1}", low * 100.0, high * 100.0),
        (Some((low, high)), Unit::Number) => format!("{low:.3} to {high:.3}"),
    }
}

/// What became of the items, in one sentence.
pub fn shown_counts(counts: &Counts) -> String {
    let mut text = format!("{} of {} items judged", counts.judged, counts.items);
    let failed: usize = counts.failed.values().sum();
    if failed > 0 {
        let kinds: Vec<String> = counts
            .failed
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        text.push_str(&format!(
            "; {failed} without a verdict ({}), counted as wrong",
            kinds.join(", ")
        ));
    }
    if counts.bad_lines > 0 {
        text.push_str(&format!("; {} lines were no usable items", counts.bad_lines));
    }
    text
}

#[cfg(test)]
mod tests;
