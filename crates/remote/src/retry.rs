//! When to try again.

use std::time::Duration;

use rand::Rng;

/// The wait before the first repetition is at most so long, and doubles from there.
const FIRST: Duration = Duration::from_millis(500);

/// No wait is longer than this, unless the server asks for it.
const LONGEST: Duration = Duration::from_secs(30);

/// How often a job is sent to servers that do not answer or fail. Those that only ask to wait are asked until the
/// deadline.
pub(crate) const MOST_FAILURES: u32 = 6;

/// What an HTTP status asks of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// There is an answer.
    Fine,
    /// Too many requests: nothing is wrong with the server.
    Busy,
    /// The server failed.
    Failed,
    /// The request will not do, now or later.
    Refused,
}

impl Status {
    pub(crate) fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Fine,
            429 => Self::Busy,
            408 | 500..=599 => Self::Failed,
            _ => Self::Refused,
        }
    }
}

/// How long to wait after so many failures, from 1: anything up to a bound that doubles ("full jitter"), so that those
/// who failed together do not come back together.
pub(crate) fn backoff(failures: u32, random: &mut impl Rng) -> Duration {
    let bound = FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST);
    bound.mul_f64(random.random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn waits_are_spread_evenly_below_a_bound_that_doubles() {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut check = |failures: u32, bound: f64| {
            let waits: Vec<f64> = (0..2_000)
                .map(|_| backoff(failures, &mut random).as_secs_f64())
                .collect();
            let mean = waits.iter().sum::<f64>() / waits.len() as f64;
            let largest = waits.iter().copied().fold(0.0, f64::max);
            assert!(
                largest <= bound && largest > 0.99 * bound,
                "{failures}: {largest}"
            );
            assert!((mean / bound - 0.5).abs() < 0.03, "{failures}: {mean}");
        };
        check(1, 0.5);
        check(2, 1.0);
        check(5, 8.0);
        check(7, 30.0);
        check(u32::MAX, 30.0);
    }

    #[test]
    fn only_what_passes_is_repeated() {
        let check = |statuses: &[u16], expect: Status| {
            for &status in statuses {
                assert_eq!(Status::of(status), expect, "{status}");
            }
        };
        check(&[200, 201], Status::Fine);
        check(&[429], Status::Busy);
        check(&[408, 500, 502, 503, 504, 529], Status::Failed);
        check(&[301, 307, 400, 401, 403, 404, 409, 413, 422], Status::Refused);
    }
}
