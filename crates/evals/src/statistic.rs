//! Figures over items: their value, their interval, and how two runs differ.
//!
//! A [`Statistic`] is a function of a sample of items, so that the same definition gives the figure, its bootstrap
//! interval, and the paired bootstrap of two runs over the same items.

use rewardanything_core::metrics::{interval, resample};

use crate::benchmark::ties::Ties;

/// Resamples of every bootstrap.
pub const RESAMPLES: usize = 2_000;
/// Seed of every bootstrap, so that the same verdicts give the same intervals.
pub const SEED: u64 = 0;

/// A number computed from a sample of items; each item is known by its index.
#[derive(Debug, Clone, PartialEq)]
pub enum Statistic {
    /// The sum of the numerators over the sum of the denominators. Items that don't belong have `(0, 0)`.
    Ratio(Vec<(f64, f64)>),
    /// A weighted mean of parts. Parts that are undefined are left out, and the weights of the others scaled up.
    Mean(Vec<(f64, Statistic)>),
    /// The composite score of RewardBench 2's subset of ties.
    Ties(Ties),
}

impl Statistic {
    /// The mean of a number that the items have, or don't.
    pub fn mean_of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let ratio = |value: Option<f64>| value.map_or((0.0, 0.0), |value| (value, 1.0));
        Statistic::Ratio(values.into_iter().map(ratio).collect())
    }

    /// The mean of parts that weigh alike.
    pub fn mean(parts: impl IntoIterator<Item = Statistic>) -> Self {
        Statistic::Mean(parts.into_iter().map(|part| (1.0, part)).collect())
    }

    /// The figure of a sample, in which each item comes as often as its weight says; `None` where no item of it counts.
    pub fn value(&self, weights: &[f64]) -> Option<f64> {
        match self {
            Statistic::Ratio(items) => {
                let (mut numerator, mut denominator) = (0.0, 0.0);
                for (item, weight) in items.iter().zip(weights) {
                    numerator += weight * item.0;
                    denominator += weight * item.1;
                }
                (denominator != 0.0).then(|| numerator / denominator)
            }
            Statistic::Mean(parts) => {
                let (mut sum, mut total) = (0.0, 0.0);
                for (weight, part) in parts {
                    if let Some(value) = part.value(weights) {
                        sum += weight * value;
                        total += weight;
                    }
                }
                (total > 0.0).then(|| sum / total)
            }
            Statistic::Ties(ties) => ties.value(weights),
        }
    }

    /// The figure of all of `items` items.
    pub fn of_all(&self, items: usize) -> Option<f64> {
        self.value(&vec![1.0; items])
    }

    /// How many of `items` items count.
    pub fn counted(&self, items: usize) -> usize {
        (0..items).filter(|&item| self.counts(item)).count()
    }

    fn counts(&self, item: usize) -> bool {
        match self {
            Statistic::Ratio(items) => items[item].1 != 0.0,
            Statistic::Mean(parts) => parts.iter().any(|(_, part)| part.counts(item)),
            Statistic::Ties(ties) => ties.counts(item),
        }
    }
}

/// How a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share from 0 to 1, written as a percentage.
    Share,
    /// A plain number.
    Number,
}

/// A named figure, not yet computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is called, for people.
    pub name: String,
    /// How it is written.
    pub unit: Unit,
    /// What it is.
    pub statistic: Statistic,
}

impl Figure {
    /// A share.
    pub fn share(name: impl Into<String>, statistic: Statistic) -> Self {
        Figure {
            name: name.into(),
            unit: Unit::Share,
            statistic,
        }
    }

    /// A number.
    pub fn number(name: impl Into<String>, statistic: Statistic) -> Self {
        Figure {
            unit: Unit::Number,
            ..Self::share(name, statistic)
        }
    }
}

/// The figures over `items` items, with their intervals; those that are undefined are left out. All are computed on the
/// same resamples.
///
/// ```
/// use rewardanything_evals::statistic::{Figure, Statistic, measure};
///
/// let figure = Figure::share("accuracy", Statistic::mean_of([1.0, 0.0, 1.0, 1.0].map(Some)));
/// let measured = measure(&[figure], 4);
/// assert_eq!(measured[0].value, 0.75);
/// assert!(measured[0].interval.is_some_and(|(low, high)| low < 0.75 && 0.75 < high));
/// ```
pub fn measure(figures: &[Figure], items: usize) -> Vec<Measured> {
    let mut resamples: Vec<Vec<f64>> = vec![Vec::with_capacity(RESAMPLES); figures.len()];
    each_resample(items, |weights| {
        for (figure, values) in figures.iter().zip(&mut resamples) {
            values.extend(figure.statistic.value(weights));
        }
    });
    figures
        .iter()
        .zip(resamples)
        .filter_map(|(figure, mut values)| {
            values.sort_by(f64::total_cmp);
            Some(Measured {
                name: figure.name.clone(),
                unit: figure.unit,
                value: figure.statistic.of_all(items)?,
                interval: interval(&values),
                items: figure.statistic.counted(items),
            })
        })
        .collect()
}

/// Resamples, as how often each item comes. Weights are read in the order of the items, which is several times as fast
/// as to follow indices.
fn each_resample(items: usize, mut each: impl FnMut(&[f64])) {
    let mut weights = vec![0.0; items];
    resample(items, RESAMPLES, SEED, |sample| {
        weights.fill(0.0);
        for &item in sample {
            weights[item] += 1.0;
        }
        each(&weights);
    });
}

/// A figure with its 95% bootstrap interval over items.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Measured {
    /// What it is called.
    pub name: String,
    /// How it is written.
    pub unit: Unit,
    /// Its value.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// How many items it is of.
    pub items: usize,
}

/// How a figure of one run differs from that of another over the same items.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// The figure's name.
    pub name: String,
    /// How it is written.
    pub unit: Unit,
    /// The first run's figure minus the second's.
    pub value: f64,
    /// Its 95% interval by the paired bootstrap: both runs on the same resampled items.
    pub interval: Option<(f64, f64)>,
    /// Two-sided p-value of no difference: twice the share of resamples on the rarer side of 0, ties on both, one
    /// resample added so that it is never 0.
    pub p: f64,
}

/// Compares figures of two runs over the same `items` items, in the same order: each with the one of its name. Figures
/// that only one run has, or that are undefined for one, are left out.
///
/// ```
/// use rewardanything_evals::statistic::{Figure, Statistic, differences};
///
/// let figure = |values: Vec<f64>| vec![Figure::share("accuracy", Statistic::mean_of(values.into_iter().map(Some)))];
/// let (better, worse) = (figure(vec![1.0; 40]), figure([0.0, 1.0].repeat(20)));
/// let found = differences(&better, &worse, 40);
/// assert_eq!(found[0].value, 0.5);
/// assert!(found[0].p < 0.01);
/// ```
pub fn differences(first: &[Figure], second: &[Figure], items: usize) -> Vec<Difference> {
    let pairs: Vec<(&Figure, &Figure)> = first
        .iter()
        .filter_map(|figure| {
            let other = second.iter().find(|other| other.name == figure.name)?;
            Some((figure, other))
        })
        .collect();
    let minus = |(first, second): (&Figure, &Figure), weights: &[f64]| {
        Some(first.statistic.value(weights)? - second.statistic.value(weights)?)
    };
    let mut resamples: Vec<Vec<f64>> = vec![Vec::with_capacity(RESAMPLES); pairs.len()];
    each_resample(items, |weights| {
        for (&pair, values) in pairs.iter().zip(&mut resamples) {
            values.extend(minus(pair, weights));
        }
    });
    let all = vec![1.0; items];
    pairs
        .into_iter()
        .zip(resamples)
        .filter_map(|(pair, mut values)| {
            values.sort_by(f64::total_cmp);
            let below = values.iter().filter(|&&difference| difference <= 0.0).count();
            let above = values.iter().filter(|&&difference| difference >= 0.0).count();
            let p = (2 * below.min(above) + 1) as f64 / (values.len() + 1) as f64;
            Some(Difference {
                name: pair.0.name.clone(),
                unit: pair.0.unit,
                value: minus(pair, &all)?,
                interval: interval(&values),
                p: p.min(1.0),
            })
        })
        .collect()
}
