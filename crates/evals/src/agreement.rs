//! How far raters agree: percent, Cohen's κ, Krippendorff's α.
//!
//! Ratings are numbers, one list for each rater over the same items in the same order; `None` where a rater gave none.

/// The distance that α and weighted κ count between two ratings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Equal or not.
    Nominal,
    /// By rank: ratings that lie between two make them further apart.
    Ordinal,
    /// By the square of their difference.
    Interval,
}

/// The share of items that two raters rate alike, of those that both rate; `None` where there is none.
///
/// ```
/// use rewardanything_evals::agreement::percent;
/// assert_eq!(percent(&[Some(1.0), Some(2.0), None], &[Some(1.0), Some(3.0), Some(4.0)]), Some(0.5));
/// ```
///
/// # Panics
/// The lists differ in length.
pub fn percent(a: &[Option<f64>], b: &[Option<f64>]) -> Option<f64> {
    let both = both(a, b);
    let alike = both.iter().filter(|(a, b)| a == b).count();
    (!both.is_empty()).then(|| alike as f64 / both.len() as f64)
}

/// Cohen's κ of two raters over the items that both rate: agreement beyond what their own distributions of ratings
/// would give by chance. With a level beyond nominal, disagreements weigh by the square of the difference
/// (quadratic κ). `None` where chance alone would make them agree throughout.
///
/// # Panics
/// The lists differ in length.
pub fn kappa(a: &[Option<f64>], b: &[Option<f64>], level: Level) -> Option<f64> {
    let both = both(a, b);
    let n = both.len() as f64;
    let distance = |a: f64, b: f64| match level {
        Level::Nominal => f64::from(u8::from(a != b)),
        Level::Ordinal | Level::Interval => (a - b) * (a - b),
    };
    let observed: f64 = both.iter().map(|&(a, b)| distance(a, b)).sum::<f64>() / n;
    let mut expected = 0.0;
    for &(a, _) in &both {
        for &(_, b) in &both {
            expected += distance(a, b);
        }
    }
    expected /= n * n;
    (expected > 0.0).then(|| 1.0 - observed / expected)
}

fn both(a: &[Option<f64>], b: &[Option<f64>]) -> Vec<(f64, f64)> {
    assert_eq!(a.len(), b.len(), "two raters over the same items");
    a.iter()
        .zip(b)
        .filter_map(|(a, b)| Some(((*a)?, (*b)?)))
        .collect()
}

/// Krippendorff's α of any number of raters, who may leave items out: one minus observed over expected disagreement,
/// over all pairs of ratings of one item. Items with fewer than two ratings say nothing. `None` where no disagreement is
/// to be expected: nothing is rated twice, or all ratings are equal.
///
/// # Panics
/// The lists differ in length.
pub fn alpha(raters: &[Vec<Option<f64>>], level: Level) -> Option<f64> {
    let items = raters.first()?.len();
    assert!(
        raters.iter().all(|rater| rater.len() == items),
        "all raters over the same items"
    );
    let units: Vec<Vec<f64>> = (0..items)
        .map(|item| raters.iter().filter_map(|rater| rater[item]).collect())
        .filter(|unit: &Vec<f64>| unit.len() >= 2)
        .collect();
    let mut values: Vec<f64> = units.iter().flatten().copied().collect();
    let n = values.len() as f64;
    values.sort_by(f64::total_cmp);
    let distance = Distance::new(&values, level);
    let observed: f64 = units
        .iter()
        .map(|unit| all_pairs(unit, &distance) / (unit.len() - 1) as f64)
        .sum();
    let expected = all_pairs(&values, &distance) / (n - 1.0);
    (n > 1.0 && expected > 0.0).then(|| 1.0 - observed / expected)
}

/// The sum of the distances over all ordered pairs.
fn all_pairs(values: &[f64], distance: &Distance) -> f64 {
    let mut sum = 0.0;
    for (at, &a) in values.iter().enumerate() {
        for &b in &values[at + 1..] {
            sum += 2.0 * distance.between(a, b);
        }
    }
    sum
}

/// Squared distances of a level, given how often each rating occurs.
struct Distance {
    level: Level,
    /// Each rating and how many ratings are below it, the half of its own added.
    middles: Vec<(f64, f64)>,
}

impl Distance {
    fn new(sorted: &[f64], level: Level) -> Self {
        let mut middles = Vec::new();
        let mut below = 0.0;
        for group in sorted.chunk_by(|a, b| a == b) {
            let count = group.len() as f64;
            middles.push((group[0], below + count / 2.0));
            below += count;
        }
        Distance { level, middles }
    }

    fn between(&self, a: f64, b: f64) -> f64 {
        match self.level {
            Level::Nominal => f64::from(u8::from(a != b)),
            Level::Interval => (a - b) * (a - b),
            // The ratings from a to b, half of those at either end left out.
            Level::Ordinal => {
                let apart = self.middle(a) - self.middle(b);
                apart * apart
            }
        }
    }

    fn middle(&self, value: f64) -> f64 {
        let at = self
            .middles
            .binary_search_by(|(rating, _)| rating.total_cmp(&value))
            .expect("every rating was counted. This is a bug.");
        self.middles[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::of_probabilities;

    #[derive(serde::Deserialize)]
    struct Golden {
        agreement: Vec<Case>,
        calibration: Calibrated,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        ratings: Vec<Vec<Option<f64>>>,
        nominal: f64,
        ordinal: f64,
        interval: f64,
        percent: Option<f64>,
        kappa: Option<f64>,
        kappa_quadratic: Option<f64>,
    }

    #[derive(serde::Deserialize)]
    struct Calibrated {
        probabilities: Vec<f64>,
        error: f64,
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../../fixtures/metrics/golden.json")).expect("the golden file")
    }

    #[test]
    fn agreement_is_the_references() {
        let close = |got: Option<f64>, expect: f64| {
            assert!(
                got.is_some_and(|got| (got - expect).abs() < 1e-9),
                "{got:?} {expect}"
            );
        };
        let cases = golden().agreement;
        assert!(cases.len() >= 4);
        for case in cases {
            close(alpha(&case.ratings, Level::Nominal), case.nominal);
            close(alpha(&case.ratings, Level::Ordinal), case.ordinal);
            close(alpha(&case.ratings, Level::Interval), case.interval);
            if let (Some(same), Some(plain), Some(squared)) = (case.percent, case.kappa, case.kappa_quadratic)
            {
                let (a, b) = (&case.ratings[0], &case.ratings[1]);
                close(percent(a, b), same);
                close(kappa(a, b, Level::Nominal), plain);
                close(kappa(a, b, Level::Interval), squared);
            }
        }
    }

    #[test]
    fn nothing_to_compare_is_no_agreement() {
        let flat = vec![Some(3.0); 4];
        assert_eq!(kappa(&flat, &flat, Level::Nominal), None);
        assert_eq!(percent(&flat, &flat), Some(1.0));
        assert_eq!(alpha(&[flat.clone(), flat], Level::Nominal), None);
        assert_eq!(alpha(&[vec![Some(1.0)], vec![None]], Level::Nominal), None);
        assert_eq!(alpha(&[], Level::Nominal), None);
        assert_eq!(percent(&[None], &[Some(1.0)]), None);
        assert_eq!(kappa(&[None], &[Some(1.0)], Level::Nominal), None);
    }

    #[test]
    fn the_calibration_error_is_the_references() {
        let Calibrated { probabilities, error } = golden().calibration;
        let found = of_probabilities(probabilities.iter().copied()).expect("pairs");
        assert!((found.error - error).abs() < 1e-12, "{} {error}", found.error);
        assert_eq!(found.pairs, probabilities.len());
        assert_eq!(found.bins.iter().map(|bin| bin.pairs).sum::<usize>(), found.pairs);
        assert!(of_probabilities([]).is_none());
    }
}
