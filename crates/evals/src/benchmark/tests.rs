//! The figures beside those of an independent reference (`tools/reference/benchmarks.py`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::gold::ItemGold;
use crate::item::{Id, Labels};
use crate::layout::judgebench_decisions;
use crate::outcome::Outcome;
use crate::sample::Sample;
use crate::statistic::{differences, measure};

#[derive(Deserialize)]
struct Golden {
    #[serde(rename = "rm-bench")]
    rm_bench: Set,
    judgebench: Set,
    rewardbench: Set,
    rewardbench2: Set,
    items: Set,
}

#[derive(Deserialize)]
struct Set {
    items: Vec<Case>,
    figures: BTreeMap<String, f64>,
    bootstrap: Option<Resampled>,
}

#[derive(Deserialize)]
struct Resampled {
    points: Vec<f64>,
    totals: Vec<f64>,
    other: Vec<f64>,
    interval: (f64, f64),
    difference: (f64, f64),
    p: f64,
}

#[derive(Deserialize)]
struct Case {
    id: Option<String>,
    domain: Option<String>,
    subset: Option<String>,
    label: Option<String>,
    right: Option<usize>,
    gold: Option<Vec<f64>>,
    lengths: Option<Vec<usize>>,
    games: Vec<Option<Vec<f64>>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../../fixtures/metrics/golden.json")).expect("the golden file")
}

fn judged(case: &Case, index: usize, names: &[String], gold: Vec<f64>) -> Judged {
    Judged {
        sample: Sample {
            id: Id::Text(case.id.clone().unwrap_or_else(|| index.to_string())),
            labels: Labels {
                domain: case.domain.clone(),
                subset: case.subset.clone(),
                ..Labels::default()
            },
            names: names.to_vec(),
            lengths: case.lengths.clone().unwrap_or_else(|| vec![1; names.len()]),
            gold: ItemGold {
                scores: Some(gold),
                ranking: None,
                pairs: None,
            },
        },
        games: case
            .games
            .iter()
            .map(|game| match game {
                Some(scores) => Outcome::scored(scores.clone()),
                None => Outcome::failed("parse"),
            })
            .collect(),
    }
}

fn set(set: &Set, shape: impl Fn(&Case) -> (Vec<String>, Vec<f64>)) -> Vec<Judged> {
    let items = set.items.iter().enumerate().map(|(index, case)| {
        let (names, gold) = shape(case);
        judged(case, index, &names, gold)
    });
    items.collect()
}

fn names(right: usize, wrong: usize) -> (Vec<String>, Vec<f64>) {
    let names = (1..=right)
        .map(|number| format!("chosen-{number}"))
        .chain((1..=wrong).map(|number| format!("rejected-{number}")));
    (names.collect(), [vec![1.0; right], vec![0.0; wrong]].concat())
}

#[track_caller]
fn agree(benchmark: Benchmark, items: &[Judged], golden: &Set) {
    let mut figures = benchmark.figures(items);
    for (_, parts) in benchmark.breakdowns(items) {
        figures.extend(parts);
    }
    for (name, expect) in &golden.figures {
        let figure = figures
            .iter()
            .find(|figure| figure.name == *name)
            .unwrap_or_else(|| panic!("no figure {name:?}"));
        let got = figure.statistic.of_all(items.len()).expect("it is defined");
        assert!(
            (got - expect).abs() < 1e-12,
            "{}, {name}: {got} and not {expect}",
            benchmark.name()
        );
    }
    assert!(figures.len() >= golden.figures.len());
}

#[test]
fn rm_bench_is_the_references() {
    let golden = golden().rm_bench;
    let items = set(&golden, |_| names(3, 3));
    agree(Benchmark::RmBench, &items, &golden);
}

#[test]
fn judgebench_is_the_references() {
    let golden = golden().judgebench;
    let items = set(&golden, |case| {
        let gold = match case.label.as_deref() {
            Some("A>B") => vec![1.0, 0.0],
            _ => vec![0.0, 1.0],
        };
        (vec!["A".to_owned(), "B".to_owned()], gold)
    });
    agree(Benchmark::JudgeBench, &items, &golden);
}

#[derive(Deserialize)]
struct Published {
    ids: String,
    domains: String,
    labels: String,
    judges: Vec<PublishedJudge>,
}

#[derive(Deserialize)]
struct PublishedJudge {
    judge: String,
    /// A letter for each pair and game: A, B, = or -.
    games: [String; 2],
    /// Percent as printed: knowledge, reasoning, math, coding, overall.
    published: [String; 5],
}

/// Published decisions of JudgeBench as items of the benchmark.
fn decided(set: &Published, judge: &PublishedJudge) -> Vec<Judged> {
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    let (domains, labels) = (letters(&set.domains), letters(&set.labels));
    let games = judge.games.each_ref().map(|game| letters(game));
    let decision = |letter: char| match letter {
        'A' => json!("A>B"),
        'B' => json!("B>A"),
        '=' => json!("A=B"),
        _ => Value::Null,
    };
    let item = |(at, id): (usize, &str)| {
        let judgments =
            json!({"judgments": games.each_ref().map(|game| json!({"decision": decision(game[at])}))});
        let case = Case {
            id: Some(id.to_owned()),
            domain: Some(
                match domains[at] {
                    'r' => "reasoning",
                    'm' => "math",
                    'c' => "coding",
                    _ => "knowledge",
                }
                .to_owned(),
            ),
            subset: None,
            label: None,
            right: None,
            gold: None,
            lengths: None,
            games: judgebench_decisions(&judgments)
                .expect("decisions")
                .into_iter()
                .map(|game| game.map(|scores| scores.to_vec()))
                .collect(),
        };
        let gold = if labels[at] == 'A' { [1.0, 0.0] } else { [0.0, 1.0] };
        judged(&case, at, &["A", "B"].map(str::to_owned), gold.to_vec())
    };
    set.ids.split(' ').enumerate().map(item).collect()
}

#[test]
fn published_figures_come_out_of_published_decisions() {
    let set: Published = serde_json::from_str(include_str!(
        "../../../../fixtures/metrics/judgebench-published.json"
    ))
    .expect("the golden file");
    assert_eq!(set.judges.len(), 5);
    for judge in &set.judges {
        let items = decided(&set, judge);
        assert_eq!(items.len(), 350);
        let figures = Benchmark::JudgeBench.figures(&items);
        let names = ["knowledge", "reasoning", "math", "coding", "accuracy (two games)"];
        for (name, published) in names.into_iter().zip(&judge.published) {
            let figure = figures
                .iter()
                .find(|figure| figure.name == name)
                .unwrap_or_else(|| panic!("no figure {name:?}"));
            let ours = figure.statistic.of_all(items.len()).expect("it is defined");
            assert_eq!(
                format!("{:.2}", 100.0 * ours),
                *published,
                "{}, {name}",
                judge.judge
            );
        }
    }
}

#[test]
fn both_rewardbenches_are_the_references() {
    let golden = golden();
    let items = set(&golden.rewardbench, |_| {
        (vec!["chosen".to_owned(), "rejected".to_owned()], vec![1.0, 0.0])
    });
    agree(Benchmark::RewardBench, &items, &golden.rewardbench);
    let second = &golden.rewardbench2;
    let items = set(second, |case| names(case.right.expect("a count"), 3));
    agree(Benchmark::RewardBench2, &items, second);
}

#[test]
fn items_are_the_references() {
    let golden = golden().items;
    let items = set(&golden, |case| {
        let gold = case.gold.clone().expect("gold");
        ((0..gold.len()).map(|index| index.to_string()).collect(), gold)
    });
    agree(Benchmark::Items, &items, &golden);
}

#[test]
fn intervals_and_p_values_are_the_references_up_to_resampling() {
    let golden = golden().items.bootstrap.expect("a bootstrap");
    let items = golden.points.len();
    let of = |points: &[f64]| {
        let ratios = points.iter().copied().zip(golden.totals.iter().copied());
        Figure::share("accuracy", Statistic::Ratio(ratios.collect()))
    };
    let (first, second) = (of(&golden.points), of(&golden.other));
    let close = |got: Option<(f64, f64)>, expect: (f64, f64)| {
        let got = got.expect("an interval");
        let width = expect.1 - expect.0;
        // A quantile of 2,000 resamples is off by about a twentieth of the width.
        assert!(
            (got.0 - expect.0).abs() < 0.1 * width && (got.1 - expect.1).abs() < 0.1 * width,
            "{got:?} {expect:?}"
        );
    };
    close(
        measure(std::slice::from_ref(&first), items)[0].interval,
        golden.interval,
    );
    let found = differences(std::slice::from_ref(&first), std::slice::from_ref(&second), items).remove(0);
    close(found.interval, golden.difference);
    assert!(golden.p > 0.001, "a p-value that tells something");
    assert!((found.p - golden.p).abs() < 0.02, "{} {}", found.p, golden.p);
    // The other way round is the mirror.
    let back = differences(&[second], &[first], items).remove(0);
    assert_eq!((back.value, back.p), (-found.value, found.p));
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let figure = Figure::share(
        "x",
        Statistic::mean_of((0..50).map(|item| Some(f64::from(item % 3)))),
    );
    let found = differences(std::slice::from_ref(&figure), std::slice::from_ref(&figure), 50).remove(0);
    assert_eq!(
        (found.value, found.interval, found.p),
        (0.0, Some((0.0, 0.0)), 1.0)
    );
}

#[test]
fn explicit_pairs_are_the_only_ones_that_count() {
    let case = Case {
        id: None,
        domain: None,
        subset: None,
        label: None,
        right: None,
        gold: None,
        lengths: None,
        games: vec![Some(vec![5.0, 1.0, 3.0])],
    };
    let mut item = judged(&case, 0, &["a", "b", "c"].map(str::to_owned), vec![1.0, 2.0, 3.0]);
    item.sample.gold.pairs = Some(vec![(0, 1), (2, 0)]);
    let figures = Benchmark::Items.figures(&[item]);
    assert_eq!(figures[0].statistic.of_all(1), Some(0.5));
}

#[test]
fn a_mean_of_fewer_parts_is_not_called_overall() {
    let golden = golden().rm_bench;
    let mut items = set(&golden, |_| names(3, 3));
    assert_eq!(
        Benchmark::RmBench.figures(&items)[0].name,
        "overall (mean of domains)"
    );
    items.retain(|item| item.sample.labels.domain.as_deref() != Some("math"));
    let name = &Benchmark::RmBench.figures(&items)[0].name;
    assert_eq!(name, "mean of chat, code, safety of the 4 domains");
}

#[test]
fn names_are_read_back() {
    for benchmark in Benchmark::ALL {
        assert_eq!(benchmark.name().parse(), Ok(benchmark));
    }
    assert!(
        "rmbench"
            .parse::<Benchmark>()
            .is_err_and(|error| error.contains("rm-bench"))
    );
}
