//! The exact verdict of a verifiable principle.

use rewardanything_core::Gold;

use crate::{Direction, Measure};

/// The gold verdict over `texts`: scores 1..=5 and a ranking of their indices, best first.
///
/// With `v_i` the measured values, score `i` is `1 + round(4 (v_i - min) / (max - min))`, mirrored for
/// [`Direction::Fewer`]; when all values are equal every score is 3. The ranking goes by value, so that it
/// also orders texts of equal score; equal values stay in the given order.
///
/// ```
/// use rewardanything_principles::{Direction, Measure, gold};
/// let gold = gold(Measure::Words, Direction::Fewer, &["one two three", "one", "one two"]);
/// assert_eq!(gold.scores, [1.0, 5.0, 3.0]);
/// assert_eq!(gold.ranking, [1, 2, 0]);
/// ```
pub fn gold(measure: Measure, direction: Direction, texts: &[&str]) -> Gold {
    let values: Vec<f64> = texts.iter().map(|text| measure.measure(text)).collect();
    gold_of_values(direction, &values)
}

/// The gold verdict of values that were measured before; see [`gold`].
pub fn gold_of_values(direction: Direction, values: &[f64]) -> Gold {
    let worth = |value: f64| match direction {
        Direction::More => value,
        Direction::Fewer => -value,
    };
    let worths: Vec<f64> = values.iter().copied().map(worth).collect();
    let min = worths.iter().copied().fold(f64::INFINITY, f64::min);
    let max = worths.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let score = |worth: &f64| {
        if max > min {
            1.0 + (4.0 * (worth - min) / (max - min)).round()
        } else {
            3.0
        }
    };
    let mut ranking: Vec<usize> = (0..worths.len()).collect();
    // Stable, so equal values keep the given order.
    ranking.sort_by(|&a, &b| worths[b].total_cmp(&worths[a]));
    Gold {
        scores: worths.iter().map(score).collect(),
        ranking,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_span_the_scale_and_the_ranking_follows_the_values() {
        let check = |direction, values: &[f64], scores: &[f64], ranking: &[usize]| {
            let gold = gold_of_values(direction, values);
            assert_eq!(gold.scores, scores, "{values:?}");
            assert_eq!(gold.ranking, ranking, "{values:?}");
        };
        check(
            Direction::More,
            &[0.0, 4.0, 1.0, 2.0],
            &[1.0, 5.0, 2.0, 3.0],
            &[1, 3, 2, 0],
        );
        check(
            Direction::Fewer,
            &[0.0, 4.0, 1.0, 2.0],
            &[5.0, 1.0, 4.0, 3.0],
            &[0, 2, 3, 1],
        );
        check(Direction::More, &[7.0, 7.0, 7.0], &[3.0, 3.0, 3.0], &[0, 1, 2]);
        check(Direction::Fewer, &[2.0, 1.0, 2.0], &[1.0, 5.0, 1.0], &[1, 0, 2]);
        // 100 and 101 share a score, and the ranking still tells them apart.
        check(
            Direction::More,
            &[100.0, 0.0, 101.0],
            &[5.0, 1.0, 5.0],
            &[2, 0, 1],
        );
        check(Direction::More, &[0.0], &[3.0], &[0]);
        check(Direction::More, &[], &[], &[]);
    }

    #[test]
    fn texts_are_measured() {
        let gold = gold(Measure::Questions, Direction::More, &["Why? How?", "No.", "Why?"]);
        assert_eq!((gold.scores, gold.ranking), (vec![5.0, 1.0, 3.0], vec![0, 2, 1]));
    }
}
