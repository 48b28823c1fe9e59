//! Figures over items: their value, their interval, and how two runs differ.
//!
//! A [`Statistic`] is a function of a sample of items, so that the same definition gives the figure, its bootstrap
//! interval, and the paired bootstrap of two runs over the same items.

use rewardanything_core::metrics::{bootstrap, interval};

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

    /// The figure of a sample; `None` where no item of it counts.
    pub fn value(&self, sample: &[usize]) -> Option<f64> {
        match self {
            Statistic::Ratio(items) => {
                let (mut numerator, mut denominator) = (0.0, 0.0);
                for &item in sample {
                    numerator += items[item].0;
                    denominator += items[item].1;
                }
                (denominator != 0.0).then(|| numerator / denominator)
            }
            Statistic::Mean(parts) => {
                let (mut sum, mut weights) = (0.0, 0.0);
                for (weight, part) in parts {
                    if let Some(value) = part.value(sample) {
                        sum += weight * value;
                        weights += weight;
                    }
                }
                (weights > 0.0).then(|| sum / weights)
            }
            Statistic::Ties(ties) => ties.value(sample),
        }
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

    /// The figure over `items` items, with its interval.
    pub fn measure(&self, items: usize) -> Option<Measured> {
        let all: Vec<usize> = (0..items).collect();
        let value = self.statistic.value(&all)?;
        let resamples = bootstrap(items, RESAMPLES, SEED, |sample| self.statistic.value(sample));
        Some(Measured {
            name: self.name.clone(),
            unit: self.unit,
            value,
            interval: interval(&resamples),
            items: self.statistic.counted(items),
        })
    }
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

/// Compares a figure of two runs over the same `items` items, in the same order.
///
/// ```
/// use rewardanything_evals::statistic::{Figure, Statistic, difference};
///
/// let figure = |values: Vec<f64>| Figure::share("accuracy", Statistic::mean_of(values.into_iter().map(Some)));
/// let (better, worse) = (figure(vec![1.0; 40]), figure([0.0, 1.0].repeat(20)));
/// let found = difference(&better, &worse, 40).unwrap();
/// assert_eq!(found.value, 0.5);
/// assert!(found.p < 0.01);
/// ```
pub fn difference(first: &Figure, second: &Figure, items: usize) -> Option<Difference> {
    let all: Vec<usize> = (0..items).collect();
    let minus = |sample: &[usize]| Some(first.statistic.value(sample)? - second.statistic.value(sample)?);
    let value = minus(&all)?;
    let resamples = bootstrap(items, RESAMPLES, SEED, minus);
    let below = resamples.iter().filter(|&&difference| difference <= 0.0).count();
    let above = resamples.iter().filter(|&&difference| difference >= 0.0).count();
    let p = (2 * below.min(above) + 1) as f64 / (resamples.len() + 1) as f64;
    Some(Difference {
        name: first.name.clone(),
        unit: first.unit,
        value,
        interval: interval(&resamples),
        p: p.min(1.0),
    })
}
