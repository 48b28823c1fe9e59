//! JudgeBench: one of two answers is right, and each pair is judged twice with the answers swapped.
//!
//! Each decision for the right answer counts +1, each for the wrong one -1, a tie or no verdict 0; a pair is right
//! where the sum is positive. So one right decision and a tie are right, one right and one wrong are not.

use super::by;
use crate::outcome::{Judged, Outcome};
use crate::statistic::{Figure, Statistic};

/// +1, 0 or -1 for each game.
fn points(item: &Judged) -> Vec<i32> {
    let pairs = item.sample.gold.ordered_pairs();
    let Some(&(better, worse)) = pairs.first() else {
        return Vec::new();
    };
    let of = |game: &Outcome| {
        game.scores.as_ref().map_or(0, |scores| {
            i32::from(scores[better] > scores[worse]) - i32::from(scores[better] < scores[worse])
        })
    };
    item.games.iter().map(of).collect()
}

pub(super) fn right(item: &Judged) -> f64 {
    f64::from(u8::from(points(item).iter().sum::<i32>() > 0))
}

pub(super) fn figures(items: &[Judged]) -> Vec<Figure> {
    let share = |number: &dyn Fn(&Judged) -> bool| {
        Statistic::mean_of(items.iter().map(|item| Some(f64::from(u8::from(number(item))))))
    };
    let two = items.iter().any(|item| item.games.len() > 1);
    let mut figures = vec![Figure::share(
        if two {
            "accuracy (two games)"
        } else {
            "accuracy (one game)"
        },
        Statistic::mean_of(items.iter().map(|item| Some(right(item)))),
    )];
    figures.extend(by(items, |item| item.sample.labels.domain.as_deref(), right));
    if !two {
        return figures;
    }
    figures.push(Figure::share(
        "right in both games",
        share(&|item| points(item).iter().all(|&point| point == 1)),
    ));
    figures.push(Figure::share(
        "wrong in both games",
        share(&|item| points(item).iter().all(|&point| point == -1)),
    ));
    figures.push(Figure::share(
        "decided differently when swapped",
        share(&|item| {
            let points = points(item);
            points.windows(2).any(|pair| pair[0] != pair[1])
        }),
    ));
    figures
}
