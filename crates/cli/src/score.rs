//! `score`: verdicts against gold, with intervals, by difficulty and measure, and beside judges that read nothing.
//!
//! An item without a verdict is neither dropped nor given half the points: the headline counts its pairs as wrong,
//! its τ_b as 0 and its NDCG as 0, and the number of such items stands beside it.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rewardanything_core::metrics::{PairCounts, bootstrap_interval, kendall_tau_b, ndcg};
use rewardanything_evals::item::{Labels, difficulty_place};
use rewardanything_evals::principle::BLANK;
use rewardanything_evals::sample::Sample;
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::args::ScoreArgs;
use crate::items::{self, BadLines, Content, Id, ReadOptions, Reader};
use crate::records::Record;
use crate::table::pad;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 2_000;
/// Seed of the bootstrap and of the random baseline, so that the same files give the same figures.
const SEED: u64 = 0;

/// Runs `score`.
///
/// # Errors
/// A file cannot be read, a line is not of its kind, or an item has no record.
pub(crate) fn run(args: &ScoreArgs) -> Result<Outcome> {
    let (items, bad) = read_items(&args.items, args.strict)?;
    let verdicts = read_verdicts(&args.verdicts)?;
    let mut judges = vec![("judge", predictions(&items, verdicts)?)];
    if args.baselines {
        judges.extend(baselines(&items));
    }
    let reports: Vec<(&str, Report)> = judges
        .into_iter()
        .map(|(name, predicted)| (name, Report::new(&items, &predicted)))
        .collect();
    let mut out = io::stdout().lock();
    if args.json {
        let object: Map<String, Value> = reports
            .iter()
            .map(|(name, report)| ((*name).to_owned(), report.as_json()))
            .collect();
        writeln!(out, "{}", Value::Object(object))?;
    } else {
        out.write_all(show(&reports).as_bytes())?;
    }
    if let Some(summary) = bad.summary() {
        eprintln!("{summary}");
    }
    Ok(Outcome::of(bad.is_empty()))
}

/// Scores by item, in the order of its responses; `None` where there is no verdict.
type Predictions = Vec<Option<Vec<f64>>>;

fn read_items(path: &Path, strict: bool) -> Result<(Vec<Sample>, BadLines)> {
    // Scoring needs no principle.
    let options = ReadOptions {
        principle: Some(BLANK.to_owned()),
        ..ReadOptions::default()
    };
    let (mut items, mut bad) = (Vec::new(), BadLines::default());
    for line in Reader::new(items::open(path)?, options) {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        let sample = match line.content {
            Content::Named(id, Ok(item)) => Sample::new(id, &item),
            Content::Named(_, Err(why)) | Content::Broken(why) => Err(why),
        };
        match sample {
            Ok(sample) => items.push(sample),
            Err(why) => bad.report(path, line.number, &why, strict)?,
        }
    }
    ensure!(!items.is_empty(), "{} holds no items with gold", path.display());
    Ok((items, bad))
}

/// The records of a file, one at a time: their reasoning is most of it, and nothing that scoring needs.
fn read_verdicts(path: &Path) -> Result<impl Iterator<Item = Result<Record>>> {
    let lines = items::open(path)?.lines().enumerate();
    Ok(lines.filter_map(move |(index, line)| {
        let place = || format!("{}, line {}", path.display(), index + 1);
        match line.with_context(place) {
            Err(error) => Some(Err(error)),
            Ok(line) if line.trim().is_empty() => None,
            Ok(line) => Some(serde_json::from_str(&line).with_context(place)),
        }
    }))
}

/// The scores of the verdicts; a later record of an item stands for an earlier one. A verdict that leaves a response
/// unscored counts as none.
fn predictions(items: &[Sample], records: impl Iterator<Item = Result<Record>>) -> Result<Predictions> {
    let places: HashMap<&Id, usize> = items
        .iter()
        .enumerate()
        .map(|(place, item)| (&item.id, place))
        .collect();
    let mut found: Vec<Option<Option<Vec<f64>>>> = vec![None; items.len()];
    for record in records {
        let record = record?;
        if let Some(&place) = record.id.as_ref().and_then(|id| places.get(id)) {
            let scores = items[place]
                .names
                .iter()
                .map(|name| record.scores.get(name)?.as_f64())
                .collect();
            found[place] = Some(scores);
        }
    }
    items
        .iter()
        .zip(found)
        .map(|(item, found)| {
            found.with_context(|| format!("the item {} has no record; is the run unfinished?", item.id))
        })
        .collect()
}

/// Judges that read nothing: by the number of characters, either way, and at random.
fn baselines(items: &[Sample]) -> Vec<(&'static str, Predictions)> {
    let lengths = |sign: f64| -> Predictions {
        items
            .iter()
            .map(|item| Some(item.lengths.iter().map(|&length| sign * length as f64).collect()))
            .collect()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let random = items
        .iter()
        .map(|item| Some(item.names.iter().map(|_| f64::from(rng.next_u32())).collect()))
        .collect();
    vec![
        ("longest first", lengths(1.0)),
        ("shortest first", lengths(-1.0)),
        ("random", random),
    ]
}

/// A figure and its interval; `None` where nothing can be said.
type Figure = Option<(f64, Option<(f64, f64)>)>;

/// What one judge earned.
struct Report {
    items: usize,
    unparsed: usize,
    pairs: usize,
    accuracy: Figure,
    /// Accuracy over the items that have a verdict.
    accuracy_of_parsed: Option<f64>,
    tau_b: Figure,
    ndcg: Figure,
    /// By the labels of items, in the order in which they are shown.
    by: Vec<(&'static str, Parts)>,
}

/// Items and accuracy of each part of a breakdown, by its name.
type Parts = BTreeMap<String, (usize, Figure)>;

impl Report {
    fn new(items: &[Sample], predicted: &Predictions) -> Self {
        let (mut counts, mut taus, mut gains) = (Vec::new(), Vec::new(), Vec::new());
        let mut by = Labels::default()
            .parts()
            .map(|(name, _)| (name, Breakdown::default()));
        let mut parsed = PairCounts::default();
        for (item, scores) in items.iter().zip(predicted) {
            let count = item.gold.count(scores.as_deref());
            // Of pairs alone, no order of all responses is known: these metrics are of the items that have scores.
            let gold = item.gold.scores.clone().unwrap_or_default();
            if scores.is_some() {
                parsed += count;
            }
            // τ_b of constant gold is undefined for any judge; of a constant prediction it counts 0.
            if kendall_tau_b(&gold, &gold).is_some() {
                let tau = scores.as_ref().and_then(|scores| kendall_tau_b(scores, &gold));
                taus.push((tau.unwrap_or(0.0), 1.0));
            }
            if ndcg(&gold, &gold).is_some() {
                let gain = scores.as_ref().and_then(|scores| ndcg(scores, &gold));
                gains.push((gain.unwrap_or(0.0), 1.0));
            }
            for ((_, breakdown), (_, part)) in by.iter_mut().zip(item.labels.parts()) {
                breakdown.add(part, count);
            }
            counts.push(count);
        }
        Report {
            items: items.len(),
            unparsed: predicted.iter().filter(|scores| scores.is_none()).count(),
            pairs: counts.iter().copied().sum::<PairCounts>().total(),
            accuracy: accuracy(&counts),
            accuracy_of_parsed: parsed.accuracy(),
            tau_b: figure(&taus),
            ndcg: figure(&gains),
            by: by
                .into_iter()
                .map(|(name, breakdown)| (name, breakdown.figures()))
                .collect(),
        }
    }

    fn as_json(&self) -> Value {
        let show = |figure: Figure| match figure {
            None => Value::Null,
            Some((value, interval)) => {
                json!({ "value": value, "interval": interval.map(|(low, high)| [low, high]) })
            }
        };
        let parts = |parts: &Parts| -> Map<String, Value> {
            let part = |(name, &(items, figure)): (&String, &(usize, Figure))| {
                let part = json!({ "items": items, "pairwise_accuracy": show(figure) });
                (name.clone(), part)
            };
            parts.iter().map(part).collect()
        };
        let mut report = json!({
            "items": self.items,
            "unparsed": self.unparsed,
            "pairs": self.pairs,
            "pairwise_accuracy": show(self.accuracy),
            "pairwise_accuracy_of_parsed": self.accuracy_of_parsed,
            "tau_b": show(self.tau_b),
            "ndcg": show(self.ndcg),
        });
        for (name, found) in &self.by {
            report[format!("by_{name}")] = parts(found).into();
        }
        report
    }
}

/// The pairs of each part.
#[derive(Default)]
struct Breakdown(BTreeMap<String, Vec<PairCounts>>);

impl Breakdown {
    /// Items without the label are in no part.
    fn add(&mut self, part: Option<&str>, count: PairCounts) {
        if let Some(part) = part {
            self.0.entry(part.to_owned()).or_default().push(count);
        }
    }

    fn figures(self) -> Parts {
        let figures = |counts: Vec<PairCounts>| (counts.len(), accuracy(&counts));
        self.0
            .into_iter()
            .map(|(part, counts)| (part, figures(counts)))
            .collect()
    }
}

fn accuracy(counts: &[PairCounts]) -> Figure {
    let ratios: Vec<(f64, f64)> = counts
        .iter()
        .map(|count| (count.points(), count.total() as f64))
        .collect();
    figure(&ratios)
}

/// The ratio of the sums, with its bootstrap interval over items.
fn figure(ratios: &[(f64, f64)]) -> Figure {
    let (numerator, denominator) = ratios
        .iter()
        .fold((0.0, 0.0), |sum, ratio| (sum.0 + ratio.0, sum.1 + ratio.1));
    (denominator > 0.0).then(|| {
        (
            numerator / denominator,
            bootstrap_interval(ratios, RESAMPLES, SEED),
        )
    })
}

fn show(reports: &[(&str, Report)]) -> String {
    const COLUMN: usize = 24;
    let mut out = String::new();
    let header = ["pairwise accuracy", "tau_b", "NDCG"]
        .map(|name| pad(name, COLUMN))
        .concat();
    out.push_str(&format!("{}{}\n", pad("", 16), header.trim_end()));
    for (name, report) in reports {
        let figures = [
            percent(report.accuracy),
            decimal(report.tau_b),
            decimal(report.ndcg),
        ];
        let row = figures.map(|figure| pad(&figure, COLUMN)).concat();
        out.push_str(&format!("{}{}\n", pad(name, 16), row.trim_end()));
    }
    let Some((_, judge)) = reports.first() else {
        return out;
    };
    out.push_str(&format!(
        "\n{} items, {} pairs; {} without a verdict, counted as wrong",
        judge.items, judge.pairs, judge.unparsed
    ));
    if let (true, Some(accuracy)) = (judge.unparsed > 0, judge.accuracy_of_parsed) {
        out.push_str(&format!(" (without them {:.1}%)", accuracy * 100.0));
    }
    out.push_str("\n95% intervals by bootstrap over items\n");
    for (name, parts) in &judge.by {
        if !parts.is_empty() {
            let head = [*name, "pairwise accuracy"]
                .map(|name| pad(name, COLUMN))
                .concat();
            out.push_str(&format!("\n{head}items\n"));
        }
        let mut parts: Vec<_> = parts.iter().collect();
        if *name == "difficulty" {
            parts.sort_by_key(|(part, _)| difficulty_place(part));
        }
        for (part, (items, figure)) in parts {
            let row = [pad(part, COLUMN), pad(&percent(*figure), COLUMN)].concat();
            out.push_str(&format!("{row}{items}\n"));
        }
    }
    out
}

fn percent(figure: Figure) -> String {
    match figure {
        None => "-".to_owned(),
        Some((value, None)) => format!("{:.1}%", value * 100.0),
        Some((value, Some((low, high)))) => {
            format!(
                "{:.1}% ({:.1} to {:.1})",
                value * 100.0,
                low * 100.0,
                high * 100.0
            )
        }
    }
}

fn decimal(figure: Figure) -> String {
    match figure {
        None => "-".to_owned(),
        Some((value, None)) => format!("{value:.3}"),
        Some((value, Some((low, high)))) => format!("{value:.3} ({low:.3} to {high:.3})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Sample> {
        let lines = [
            r#"{"id": "1", "prompt": "q", "responses": {"a": "long text", "b": "short"}, "gold": {"scores": {"b": 5, "a": 1}}, "measure": "words", "difficulty": "hard"}"#,
            r#"{"id": "2", "prompt": "q", "responses": {"a": "x", "b": "xx"}, "gold": {"scores": {"a": 1, "b": 5}}, "measure": "words", "difficulty": "easy"}"#,
            r#"{"id": 3, "prompt": "q", "responses": {"a": "x", "b": "xx"}, "gold": {"pairs": [["a", "b"]], "scores": {"a": 5, "b": 1}}, "measure": "commas", "difficulty": "hard", "new_quality": true}"#,
        ];
        let file = tempfile::NamedTempFile::new().expect("a scratch file");
        std::fs::write(file.path(), lines.join("\n")).expect("the scratch file can be written");
        read_items(file.path(), true).expect("items").0
    }

    #[test]
    fn an_unparsed_item_counts_as_wrong_and_is_shown() {
        let report = Report::new(&items(), &vec![Some(vec![1.0, 5.0]), Some(vec![3.0, 3.0]), None]);
        assert_eq!((report.items, report.pairs, report.unparsed), (3, 3, 1));
        assert_eq!(
            report.accuracy.map(|(value, _)| value),
            Some(0.5),
            "1 + 1/2 + 0 of 3"
        );
        assert_eq!(report.accuracy_of_parsed, Some(0.75));
        assert_eq!(report.tau_b.map(|(value, _)| value), Some(1.0 / 3.0));
        let part = |by: &str, part: &str| {
            let (_, parts) = report
                .by
                .iter()
                .find(|(name, _)| *name == by)
                .expect("a breakdown");
            parts[part].1.map(|(value, _)| value)
        };
        assert_eq!(part("measure", "words"), Some(0.75));
        assert_eq!(part("quality", "a new quality"), Some(0.0));
        let of = |level: &str| part("difficulty", level);
        assert_eq!((of("easy"), of("hard")), (Some(0.5), Some(0.5)));
        let shown = show(&[("judge", report)]);
        assert!(
            shown.contains("1 without a verdict, counted as wrong (without them 75.0%)"),
            "{shown}"
        );
        let [easy, hard] = ["\neasy ", "\nhard "].map(|level| shown.find(level));
        assert!(easy.is_some() && easy < hard, "{shown}");
    }

    #[test]
    fn baselines_read_only_lengths() {
        let items = items();
        let check = |name: &str, expect: f64| {
            let (_, predicted) = baselines(&items)
                .into_iter()
                .find(|(it, _)| *it == name)
                .expect("a baseline");
            let accuracy = Report::new(&items, &predicted).accuracy.map(|(value, _)| value);
            assert_eq!(accuracy, Some(expect), "{name}");
        };
        check("longest first", 1.0 / 3.0);
        check("shortest first", 2.0 / 3.0);
    }

    #[test]
    fn a_missing_record_is_an_error_and_a_failed_one_is_not() {
        let items = items();
        let error = predictions(&items, std::iter::empty())
            .expect_err("no records")
            .to_string();
        assert!(error.contains("has no record"), "{error}");
        let records = items.iter().map(|item| {
            let key = crate::items::Key::Id(item.id.clone());
            Ok(crate::records::failed(&key, "parse", "no", "m"))
        });
        assert_eq!(
            predictions(&items, records).expect("has records"),
            vec![None, None, None]
        );
    }
}
