//! The benchmarks and the figures that each is reported by, as their authors define them.
//!
//! | name | an item is right when | headline |
//! | --- | --- | --- |
//! | rm-bench | a right response scores strictly above a wrong one, in a 3x3 matrix of styles | mean of the domains |
//! | judgebench | over two games with the places swapped, more decisions are right than wrong | share of pairs |
//! | rewardbench | the chosen response scores strictly above the rejected one | mean of the sections |
//! | rewardbench2 | the one right response of four scores highest; of ties, see [`ties`] | mean of the subsets |
//! | rabench, verifiable, items | pairs with different gold are in its order, a tie is half right | share of pairs |
//!
//! An item without a verdict counts as wrong in every headline. Where the authors give it something, a second figure
//! says what that makes, by name.

mod judgebench;
mod pairs;
mod rewardbench;
mod rm_bench;
pub mod ties;

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::layout::Layout;
use crate::outcome::Judged;
use crate::statistic::{Figure, Statistic};

/// A benchmark, or any file of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Benchmark {
    /// RABench: principles, ten responses, gold by consensus.
    RaBench,
    /// Verifiable principles with exact gold.
    Verifiable,
    /// RM-Bench.
    RmBench,
    /// JudgeBench.
    JudgeBench,
    /// RewardBench, first version.
    RewardBench,
    /// RewardBench 2.
    RewardBench2,
    /// Any file in the item format.
    Items,
}

impl FromStr for Benchmark {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Benchmark::ALL
            .into_iter()
            .find(|benchmark| benchmark.name() == name);
        found.ok_or_else(|| {
            format!(
                "no benchmark is called {name:?}: expected one of {}",
                Benchmark::ALL.map(Benchmark::name).join(", ")
            )
        })
    }
}

impl Benchmark {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::RaBench,
        Self::Verifiable,
        Self::RmBench,
        Self::JudgeBench,
        Self::RewardBench,
        Self::RewardBench2,
        Self::Items,
    ];

    /// The version of the definitions here. Figures of different versions can't be compared.
    pub const VERSION: u32 = 1;

    /// The name that flags and records use.
    pub fn name(self) -> &'static str {
        match self {
            Self::RaBench => "rabench",
            Self::Verifiable => "verifiable",
            Self::RmBench => "rm-bench",
            Self::JudgeBench => "judgebench",
            Self::RewardBench => "rewardbench",
            Self::RewardBench2 => "rewardbench2",
            Self::Items => "items",
        }
    }

    /// The layout in which its data is published.
    pub fn layout(self) -> Layout {
        match self {
            Self::RaBench | Self::Verifiable | Self::Items => Layout::Items,
            Self::RmBench => Layout::RmBench,
            Self::JudgeBench => Layout::JudgeBench,
            Self::RewardBench => Layout::RewardBench,
            Self::RewardBench2 => Layout::RewardBench2,
        }
    }

    /// How often each item is judged: twice with the responses swapped, or once.
    pub fn games(self) -> usize {
        if self == Self::JudgeBench { 2 } else { 1 }
    }

    /// Its figures over these items, the headline first.
    pub fn figures(self, items: &[Judged]) -> Vec<Figure> {
        match self {
            Self::RmBench => rm_bench::figures(items),
            Self::JudgeBench => judgebench::figures(items),
            Self::RewardBench => rewardbench::first(items),
            Self::RewardBench2 => rewardbench::second(items),
            Self::RaBench | Self::Verifiable | Self::Items => pairs::figures(items),
        }
    }

    /// What the benchmark is broken down by: the name of each breakdown, and a figure for each part of it.
    pub fn breakdowns(self, items: &[Judged]) -> Vec<(&'static str, Vec<Figure>)> {
        let mut all = match self {
            Self::RmBench => rm_bench::breakdowns(items),
            Self::RewardBench => vec![("subset", rewardbench::subsets(items))],
            Self::RewardBench2 => vec![("ties", rewardbench::ties_parts(items))],
            Self::JudgeBench => vec![(
                "source",
                by(
                    items,
                    |item| item.sample.labels.subset.as_deref(),
                    judgebench::right,
                ),
            )],
            Self::RaBench | Self::Verifiable | Self::Items => pairs::breakdowns(items),
        };
        all.push(("length", pairs::by_length(items)));
        all.retain(|(_, figures)| !figures.is_empty());
        all
    }
}

/// The mean of a number over the items of each part, in the order of the parts' names. Items without the label are in
/// no part.
fn by<'a>(
    items: &'a [Judged],
    part: impl Fn(&'a Judged) -> Option<&'a str>,
    number: impl Fn(&Judged) -> f64,
) -> Vec<Figure> {
    parts(items, &part)
        .into_iter()
        .map(|name| {
            let values = items
                .iter()
                .map(|item| (part(item) == Some(name)).then(|| number(item)));
            Figure::share(name, Statistic::mean_of(values))
        })
        .collect()
}

/// What the headline is called: where parts are missing from the data it is no overall figure, and says so.
fn overall(what: &str, present: &[&str], all: &[&str]) -> String {
    if all.iter().all(|part| present.contains(part)) {
        return format!("overall (mean of {what})");
    }
    format!("mean of {} of the {} {what}", present.join(", "), all.len())
}

fn parts<'a>(items: &'a [Judged], part: &impl Fn(&'a Judged) -> Option<&'a str>) -> Vec<&'a str> {
    let names: BTreeMap<&str, ()> = items.iter().filter_map(|item| Some((part(item)?, ()))).collect();
    names.into_keys().collect()
}

#[cfg(test)]
mod tests;
