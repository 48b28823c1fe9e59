//! RABench and every other file of items: pairwise accuracy, Kendall's τ_b, NDCG and the variance of scores.

use rewardanything_core::metrics::{PairCounts, kendall_tau_b, ndcg, score_variance};

use super::parts;
use crate::item::{Labels, difficulty_place};
use crate::outcome::Judged;
use crate::sample::Sample;
use crate::statistic::{Figure, Statistic};

fn counts(item: &Judged) -> PairCounts {
    item.sample.gold.count(item.scores())
}

fn ratio(counts: PairCounts) -> (f64, f64) {
    (counts.points(), counts.total() as f64)
}

fn accuracy(items: &[Judged], inside: impl Fn(&Judged) -> bool) -> Statistic {
    let of = |item: &Judged| {
        if inside(item) {
            ratio(counts(item))
        } else {
            (0.0, 0.0)
        }
    };
    Statistic::Ratio(items.iter().map(of).collect())
}

/// A number of the items whose gold has scores; 0 where there is no verdict, or the number is undefined for it.
fn with_gold(items: &[Judged], number: impl Fn(&[f64], &[f64]) -> Option<f64>) -> Statistic {
    Statistic::mean_of(items.iter().map(|item| {
        let gold = item.sample.gold.scores.as_deref()?;
        // Of gold that has no order the number says nothing about the judge.
        number(gold, gold)?;
        Some(
            item.scores()
                .and_then(|scores| number(scores, gold))
                .unwrap_or(0.0),
        )
    }))
}

pub(super) fn figures(items: &[Judged]) -> Vec<Figure> {
    let mut figures = vec![
        Figure::share("pairwise accuracy", accuracy(items, |_| true)),
        Figure::number("Kendall's tau_b", with_gold(items, kendall_tau_b)),
        Figure::number("NDCG", with_gold(items, ndcg)),
        Figure::number(
            "variance of scores",
            Statistic::mean_of(items.iter().map(|item| item.scores().and_then(score_variance))),
        ),
    ];
    if items.iter().any(|item| !item.has_verdict()) {
        figures.push(Figure::share(
            "pairwise accuracy of items with a verdict",
            accuracy(items, Judged::has_verdict),
        ));
    }
    let tied = |item: &Judged| {
        let counts = counts(item);
        (counts.tied as f64, counts.total() as f64)
    };
    figures.push(Figure::share(
        "pairs left tied",
        Statistic::Ratio(items.iter().map(tied).collect()),
    ));
    figures
}

/// The label of an item in the breakdown that has this place among [`Labels::parts`].
fn label_at(place: usize) -> impl for<'a> Fn(&'a Judged) -> Option<&'a str> {
    move |item| item.sample.labels.parts()[place].1
}

pub(super) fn breakdowns(items: &[Judged]) -> Vec<(&'static str, Vec<Figure>)> {
    let names = Labels::default().parts().map(|(name, _)| name);
    names
        .into_iter()
        .enumerate()
        .map(|(place, name)| {
            let label = label_at(place);
            let mut parts = parts(items, &label);
            if name == "difficulty" {
                parts.sort_by_key(|part| difficulty_place(part));
            }
            let figures = parts
                .into_iter()
                .map(|part| Figure::share(part, accuracy(items, |item| label(item) == Some(part))))
                .collect();
            (name, figures)
        })
        .collect()
}

/// Pairwise accuracy, a tie as half, where the better response is the shorter one, and where it is the longer one. A
/// judge that only likes length has 0 and 1.
pub(super) fn by_length(items: &[Judged]) -> Vec<Figure> {
    let of = |wanted: fn(usize, usize) -> bool| {
        let ratios = items.iter().map(|item| {
            let Sample { lengths, gold, .. } = &item.sample;
            let pairs = gold.ordered_pairs();
            let pairs = pairs
                .iter()
                .filter(|&&(better, worse)| wanted(lengths[better], lengths[worse]));
            let (mut points, mut total) = (0.0, 0.0);
            for &(better, worse) in pairs {
                total += 1.0;
                points += match item.scores().map(|scores| (scores[better], scores[worse])) {
                    Some((better, worse)) if better > worse => 1.0,
                    Some((better, worse)) if better == worse => 0.5,
                    _ => 0.0,
                };
            }
            (points, total)
        });
        Statistic::Ratio(ratios.collect())
    };
    vec![
        Figure::share(
            "the better response is shorter",
            of(|better, worse| better < worse),
        ),
        Figure::share(
            "the better response is longer",
            of(|better, worse| better > worse),
        ),
    ]
}
