//! `principle diff`: the same items under two principles.
//!
//! Only the principle differs: model, profile and seed are those of one run. What a verdict leaves equal is not an
//! order, so a pair that is tied under one of the two is counted apart and not as a flip.

use std::cmp::Ordering;
use std::io::{self, Write as _};

use anyhow::{Result, ensure};
use rewardanything_core::JudgeRequest;
use serde_json::{Value, json};

use super::args::DiffArgs;
use crate::Outcome;
use crate::batch;
use crate::items::{self, Content, Key, ReadOptions};
use crate::judge;
use crate::models;
use crate::records::Record;
use crate::table::{Style, pad, plain, wrap};

/// Runs `principle diff`.
///
/// # Errors
/// A principle or the input cannot be read, the input has no item, or the model is unusable.
pub(crate) fn run(args: &DiffArgs) -> Result<Outcome> {
    let principles = [super::meant(&args.first)?, super::meant(&args.second)?];
    let items = items::read(&args.input, ReadOptions::default(), false)?;
    ensure!(!items.is_empty(), "{} holds no item", args.input.display());
    let speaker = models::resolve(&args.model)?;
    let mut report = Report::new(principles, speaker.name());
    let mut requests = Vec::new();
    for item in items {
        let key = Key::of(&item);
        match item.content {
            Content::Named(_, Ok(item)) => match under(&item.request, &report.principles) {
                Ok(pair) => requests.push((key, pair)),
                Err(why) => report.fail(&key, &why),
            },
            Content::Named(_, Err(why)) | Content::Broken(why) => report.fail(&key, &why),
        }
    }
    let judge = speaker.judge();
    let bar = batch::progress(requests.len(), false);
    let mut requests = requests.into_iter().peekable();
    while requests.peek().is_some() {
        let chunk: Vec<_> = requests.by_ref().take(usize::from(args.batch)).collect();
        let count = chunk.len();
        let both = chunk
            .into_iter()
            .flat_map(|(key, [first, second])| [(key.clone(), first), (key, second)])
            .collect();
        for pair in judge::records(&judge, both, &speaker).chunks(2) {
            if let [(key, first), (_, second)] = pair {
                report.add(key, first, second);
            }
        }
        bar.inc(count as u64);
        bar.suspend(|| speaker.report_notes());
    }
    bar.finish_and_clear();
    report.sort();
    for failure in &report.failures {
        eprintln!("not compared: {}", plain(failure));
    }
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", report.as_json())?;
    } else {
        out.write_all(report.shown(args.top, Style::of_stdout().width).as_bytes())?;
    }
    Ok(Outcome::of(report.failures.is_empty()))
}

/// The request under each of the principles in place of its own.
fn under(request: &JudgeRequest, principles: &[String; 2]) -> Result<[JudgeRequest; 2], String> {
    let with = |principle: &str| {
        JudgeRequest::new(principle, request.prompt(), request.responses().to_vec())
            .map_err(|error| error.to_string())
    };
    Ok([with(&principles[0])?, with(&principles[1])?])
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq)]
struct Change {
    id: Value,
    /// Pairs of its responses.
    pairs: usize,
    /// Pairs in opposite orders.
    flipped: usize,
    /// Pairs that are tied under one principle and ordered under the other.
    untied: usize,
    /// The best response under each.
    winners: [String; 2],
    /// Scores by name under each.
    scores: [Value; 2],
}

impl Change {
    fn of(key: &Key, first: &Record, second: &Record) -> Self {
        let score = |record: &Record, name: &str| {
            record
                .scores
                .get(name)
                .and_then(Value::as_f64)
                .unwrap_or(f64::NAN)
        };
        let names: Vec<&String> = first.scores.keys().collect();
        let mut change = Change {
            id: id(key),
            pairs: 0,
            flipped: 0,
            untied: 0,
            winners: [first, second].map(|record| record.ranking.first().cloned().unwrap_or_default()),
            scores: [first, second].map(|record| Value::Object(record.scores.clone())),
        };
        for (at, a) in names.iter().enumerate() {
            for b in &names[at + 1..] {
                let order = |record: &Record| score(record, a).total_cmp(&score(record, b));
                let (before, after) = (order(first), order(second));
                change.pairs += 1;
                if before == after {
                    continue;
                }
                if before == Ordering::Equal || after == Ordering::Equal {
                    change.untied += 1;
                } else {
                    change.flipped += 1;
                }
            }
        }
        change
    }

    fn winner_flips(&self) -> bool {
        self.winners[0] != self.winners[1]
    }

    /// The share of its pairs that changed, a tie that came or went as half.
    fn share(&self) -> f64 {
        if self.pairs == 0 {
            return 0.0;
        }
        (self.flipped as f64 + 0.5 * self.untied as f64) / self.pairs as f64
    }
}

fn id(key: &Key) -> Value {
    match key {
        Key::Id(id) => serde_json::to_value(id).expect("an id is plain data. This is a bug."),
        Key::Line(line) => json!(format!("line {line}")),
    }
}

/// All items.
#[derive(Debug)]
struct Report {
    principles: [String; 2],
    model: String,
    changes: Vec<Change>,
    /// A sentence for each item that has no verdict under one of the two.
    failures: Vec<String>,
}

impl Report {
    fn new(principles: [String; 2], model: &str) -> Self {
        Report {
            principles,
            model: model.to_owned(),
            changes: Vec::new(),
            failures: Vec::new(),
        }
    }

    fn fail(&mut self, key: &Key, why: &str) {
        let name = match key {
            Key::Id(id) => id.to_string(),
            Key::Line(line) => format!("line {line}"),
        };
        self.failures.push(format!("{name}: {why}"));
    }

    fn add(&mut self, key: &Key, first: &Record, second: &Record) {
        match [first, second].iter().find_map(|record| record.error.as_ref()) {
            Some(failure) => self.fail(key, &failure.message),
            None => self.changes.push(Change::of(key, first, second)),
        }
    }

    /// The most changed first; equal ones stay in the order of the input.
    fn sort(&mut self) {
        self.changes.sort_by(|a, b| {
            let winners = b.winner_flips().cmp(&a.winner_flips());
            b.share().total_cmp(&a.share()).then(winners)
        });
    }

    fn total(&self, of: fn(&Change) -> usize) -> usize {
        self.changes.iter().map(of).sum()
    }

    fn as_json(&self) -> Value {
        let pairs = self.total(|change| change.pairs);
        let flipped = self.total(|change| change.flipped);
        let winners = self.changes.iter().filter(|change| change.winner_flips()).count();
        let items: Vec<Value> = self
            .changes
            .iter()
            .map(|change| {
                json!({
                    "id": change.id,
                    "change": rounded(change.share()),
                    "pairs": change.pairs,
                    "flipped": change.flipped,
                    "untied": change.untied,
                    "winner_flips": change.winner_flips(),
                    "winners": change.winners,
                    "scores": change.scores,
                })
            })
            .collect();
        json!({
            "principles": self.principles,
            "model": self.model,
            "compared": self.changes.len(),
            "failed": self.failures.len(),
            "pairs": pairs,
            "flipped": flipped,
            "flipped_share": share(flipped, pairs),
            "untied": self.total(|change| change.untied),
            "winners_flipped": winners,
            "winners_flipped_share": share(winners, self.changes.len()),
            "items": items,
        })
    }

    fn shown(&self, top: usize, width: usize) -> String {
        let mut out = String::new();
        for (label, principle) in ["first ", "second"].iter().zip(&self.principles) {
            for (at, line) in wrap(&plain(principle), width.saturating_sub(8).max(20))
                .iter()
                .enumerate()
            {
                let label = if at == 0 { label } else { "" };
                out.push_str(&format!("{}{line}\n", pad(label, 8)));
            }
        }
        let pairs = self.total(|change| change.pairs);
        let flipped = self.total(|change| change.flipped);
        let winners = self.changes.iter().filter(|change| change.winner_flips()).count();
        out.push_str(&format!(
            "\n{} items compared, {} not, by {}\n",
            self.changes.len(),
            self.failures.len(),
            self.model
        ));
        out.push_str(&format!(
            "order flips in {flipped} of {pairs} pairs ({}); {} more are tied under one of the two\n",
            percent(flipped, pairs),
            self.total(|change| change.untied)
        ));
        out.push_str(&format!(
            "the winner changes in {winners} of {} items ({})\n",
            self.changes.len(),
            percent(winners, self.changes.len())
        ));
        let rows: Vec<[String; 3]> = self
            .changes
            .iter()
            .take(top)
            .filter(|change| change.share() > 0.0 || change.winner_flips())
            .map(|change| {
                let winner = match change.winner_flips() {
                    true => format!("{} \u{2192} {}", change.winners[0], change.winners[1]),
                    false => change.winners[0].clone(),
                };
                [
                    plain(
                        &change
                            .id
                            .as_str()
                            .map_or_else(|| change.id.to_string(), str::to_owned),
                    ),
                    format!("{} of {}", change.flipped, change.pairs),
                    plain(&winner),
                ]
            })
            .collect();
        if rows.is_empty() {
            return out;
        }
        let header = ["item", "flipped", "winner"].map(str::to_owned);
        out.push('\n');
        let widest = |column: usize| {
            let cells = rows
                .iter()
                .chain([&header])
                .map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths = [widest(0), widest(1)];
        for row in [&header].into_iter().chain(&rows) {
            let line = format!(
                "{}  {}  {}",
                pad(&row[0], widths[0]),
                pad(&row[1], widths[1]),
                row[2]
            );
            out.push_str(line.replace('\n', " ").trim_end());
            out.push('\n');
        }
        out
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// To four places; nothing where there is nothing to have a share of.
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 / whole as f64))
}

fn percent(part: usize, whole: usize) -> String {
    match whole {
        0 => "-".to_owned(),
        _ => format!("{:.1}%", 100.0 * part as f64 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::Id;

    fn record(scores: &[(&str, f64)]) -> Record {
        let key = Key::Id(Id::Text("x".to_owned()));
        let mut ranked: Vec<_> = scores.to_vec();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        Record {
            scores: scores
                .iter()
                .map(|(name, score)| ((*name).to_owned(), json!(score)))
                .collect(),
            ranking: ranked.iter().map(|(name, _)| (*name).to_owned()).collect(),
            error: None,
            ..crate::records::failed(&key, "none", "none", "nano")
        }
    }

    #[test]
    fn flips_ties_and_winners_are_told_apart() {
        let key = Key::Id(Id::Text("x".to_owned()));
        let check = |first: &[(&str, f64)], second: &[(&str, f64)], expect: (usize, usize, bool, f64)| {
            let change = Change::of(&key, &record(first), &record(second));
            let found = (
                change.flipped,
                change.untied,
                change.winner_flips(),
                change.share(),
            );
            assert_eq!(found, expect, "{first:?} {second:?}");
        };
        check(
            &[("a", 5.0), ("b", 1.0)],
            &[("a", 5.0), ("b", 4.0)],
            (0, 0, false, 0.0),
        );
        check(
            &[("a", 5.0), ("b", 1.0)],
            &[("a", 1.0), ("b", 4.0)],
            (1, 0, true, 1.0),
        );
        check(
            &[("a", 5.0), ("b", 1.0)],
            &[("a", 3.0), ("b", 3.0)],
            (0, 1, false, 0.5),
        );
        check(&[("a", 5.0)], &[("a", 1.0)], (0, 0, false, 0.0));
        check(
            &[("a", 5.0), ("b", 3.0), ("c", 1.0), ("d", 1.0)],
            &[("a", 1.0), ("b", 3.0), ("c", 5.0), ("d", 1.0)],
            (3, 2, true, 4.0 / 6.0),
        );
    }

    #[test]
    fn the_most_changed_item_comes_first_and_failures_are_counted() {
        let key = |id: &str| Key::Id(Id::Text(id.to_owned()));
        let mut report = Report::new(["p".to_owned(), "q".to_owned()], "nano");
        let (up, down) = (
            record(&[("a", 5.0), ("b", 1.0)]),
            record(&[("a", 1.0), ("b", 5.0)]),
        );
        report.add(&key("same"), &up, &up);
        report.add(&key("flips"), &up, &down);
        report.add(
            &key("broken"),
            &up,
            &crate::records::failed(&key("broken"), "parse", "no JSON", "nano"),
        );
        report.sort();
        let json = report.as_json();
        assert_eq!(json["items"][0]["id"], "flips");
        assert_eq!(
            (&json["flipped_share"], &json["winners_flipped"]),
            (&json!(0.5), &json!(1))
        );
        assert_eq!((&json["compared"], &json["failed"]), (&json!(2), &json!(1)));
        let shown = report.shown(10, 80);
        assert!(shown.contains("order flips in 1 of 2 pairs (50.0%)"), "{shown}");
        assert!(shown.contains("flips  1 of 1   a \u{2192} b"), "{shown}");
        assert!(
            !shown.contains("same"),
            "an item that did not change is not listed: {shown}"
        );
    }
}
