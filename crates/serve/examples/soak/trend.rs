//! Whether a series rises: the straight line through it, and how sure one can be of its slope.

/// The slope of the line that fits best, and the interval of 95% around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trend {
    pub(crate) slope: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What a slope says of "flat".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// If it rises at all, by less than what is allowed.
    Flat,
    /// It may rise by more than that, and may not.
    Unsure,
    /// It rises by more than that.
    Rises,
}

impl Trend {
    /// The trend of values at even distances, by the distance; `None` of fewer than eight.
    ///
    /// What memory takes in one minute depends on what it took in the minute before, so that 30 values tell less than 30
    /// independent ones: they count as `n (1 - r) / (1 + r)`, `r` the correlation of neighbouring residuals, and where that
    /// is less than five nothing can be said of the slope.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        if values.len() < 8 {
            return None;
        }
        let centre = (count - 1.0) / 2.0;
        let level = values.iter().sum::<f64>() / count;
        let away = |place: usize| place as f64 - centre;
        let run: f64 = (0..values.len()).map(|place| away(place).powi(2)).sum();
        let rise = (0..values.len()).map(|place| away(place) * (values[place] - level));
        let slope = rise.sum::<f64>() / run;
        let left: Vec<f64> = (0..values.len())
            .map(|place| values[place] - level - slope * away(place))
            .collect();
        let squares: f64 = left.iter().map(|left| left * left).sum();
        if squares == 0.0 {
            let (low, high) = (slope, slope);
            return Some(Self { slope, low, high });
        }
        let neighbours: f64 = left.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let correlation = (neighbours / squares).max(0.0);
        let independent = count * (1.0 - correlation) / (1.0 + correlation);
        let around = if independent < 5.0 {
            f64::INFINITY
        } else {
            student(independent - 2.0) * (squares / (independent - 2.0) / run).sqrt()
        };
        Some(Self {
            slope,
            low: slope - around,
            high: slope + around,
        })
    }

    pub(crate) fn finding(&self, allowed: f64) -> Finding {
        if self.low > allowed {
            Finding::Rises
        } else if self.high <= allowed {
            Finding::Flat
        } else {
            Finding::Unsure
        }
    }
}

/// The number below which Student's t lies 97.5 times in a hundred, for 3 degrees of freedom or more: Fisher's expansion
/// around the normal distribution's, to a thousandth.
fn student(degrees: f64) -> f64 {
    let normal = 1.959_963_984_540_054_f64;
    let power = |exponent: i32| normal.powi(exponent);
    let terms = [
        normal,
        (power(3) + normal) / 4.0,
        (5.0 * power(5) + 16.0 * power(3) + 3.0 * normal) / 96.0,
        (3.0 * power(7) + 19.0 * power(5) + 17.0 * power(3) - 15.0 * normal) / 384.0,
        (79.0 * power(9) + 776.0 * power(7) + 1_482.0 * power(5) - 1_920.0 * power(3) - 945.0 * normal)
            / 92_160.0,
    ];
    let each = (0..).zip(terms);
    each.map(|(place, term)| term / degrees.powi(place)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against scipy 1's `linregress` and `t.ppf`.
    #[test]
    fn slopes_and_their_intervals_are_those_of_scipy() {
        let check = |values: &[f64], expect: [f64; 3], within: f64| {
            let trend = Trend::of(values).unwrap();
            for (got, expect) in [trend.slope, trend.low, trend.high].into_iter().zip(expect) {
                assert!((got - expect).abs() < within, "{trend:?}, not {expect}");
            }
        };
        let even = [
            98.71, 100.02, 99.96, 99.7, 98.95, 99.6, 98.91, 98.64, 100.22, 98.89, 101.17, 100.72,
        ];
        check(&even, [0.090_734_3, -0.057_764_6, 0.239_233_1], 1e-5);
        let wandering = [
            249.2, 248.24, 248.77, 249.77, 251.11, 250.91, 250.14, 249.47, 250.62, 252.22, 251.83, 250.12,
            249.38, 251.52, 251.42, 249.45, 249.94, 249.17, 249.26, 249.48, 249.4, 250.65, 250.79, 250.38,
            251.15, 252.05, 250.14, 250.39, 249.85, 250.34,
        ];
        check(&wandering, [0.024_062_3, -0.057_100_8, 0.105_225_4], 1e-5);
        for (degrees, expect) in [
            (3.0, 3.182_446),
            (4.5, 2.658_912),
            (8.0, 2.306_004),
            (28.0, 2.048_407),
        ] {
            let got = student(degrees);
            assert!((got / expect - 1.0).abs() < 2e-3, "{degrees}: {got}");
        }
    }

    #[test]
    fn a_rise_is_seen_and_noise_is_no_rise() {
        let series = |slope: f64| -> Vec<f64> {
            let noise = |place: usize| [0.4, -0.3, 0.1, -0.5, 0.3][place % 5];
            (0..30)
                .map(|place| 250.0 + slope * place as f64 + noise(place))
                .collect()
        };
        let finding = |slope: f64, allowed: f64| Trend::of(&series(slope)).unwrap().finding(allowed);
        assert_eq!(finding(0.0, 0.2), Finding::Flat);
        assert_eq!(finding(-1.0, 0.2), Finding::Flat);
        assert_eq!(finding(0.2, 0.2), Finding::Unsure);
        assert_eq!(finding(1.0, 0.2), Finding::Rises);
        assert_eq!(Trend::of(&series(0.0)[..7]), None);
        // What climbs in one step says nothing of what comes.
        let step: Vec<f64> = (0..30).map(|place| f64::from(u8::from(place > 14))).collect();
        assert_eq!(Trend::of(&step).unwrap().finding(0.01), Finding::Unsure);
        let level = Trend::of(&[5.0; 10]).unwrap();
        assert_eq!((level.slope, level.finding(0.0)), (0.0, Finding::Flat));
    }
}
