//! Rates per minute, as token buckets. Time is an argument: durations since any fixed moment.

use std::time::Duration;

/// Seconds of a period.
const PERIOD: f64 = 60.0;

/// The share of a period's amount that may go at once after a rest.
const BURST: f64 = 0.1;

/// A bucket of one limit. What goes through in any minute is at most the limit, a whole unit that overdraws the bucket
/// aside: the bucket holds a tenth of it, and the rest comes evenly.
///
/// An amount is taken as soon as the bucket is not overdrawn, and may overdraw it: so an amount larger than the whole
/// bucket goes through too, and whoever comes next waits until it is paid off.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bucket {
    size: f64,
    per_second: f64,
    level: f64,
    at: Duration,
}

impl Bucket {
    /// A full bucket for so many units per minute, at least 1.
    pub(crate) fn new(per_minute: u64, now: Duration) -> Self {
        let limit = per_minute.max(1) as f64;
        let size = (limit * BURST).max(1.0);
        Self {
            size,
            // With the bucket full at its beginning a minute yields `size` and what flows in meanwhile; the last unit
            // of that falls on the minute's end, which belongs to the next.
            per_second: (limit - size + 1.0) / PERIOD,
            level: size,
            at: now,
        }
    }

    /// How long from `now` until `amount` may be taken: until all of it is there, or the bucket is full.
    pub(crate) fn wait(&mut self, amount: u64, now: Duration) -> Duration {
        self.refill(now);
        let missing = (amount as f64).min(self.size) - self.level;
        // Refilling adds up small numbers; a bucket that lacks a billionth is full.
        if missing <= 1e-9 * self.size {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(missing / self.per_second).max(Duration::from_millis(1))
    }

    /// Takes `amount`, there or not.
    pub(crate) fn take(&mut self, amount: u64, now: Duration) {
        self.refill(now);
        self.level -= amount as f64;
    }

    /// Puts right what was taken for something that turned out to cost `actual` instead of `taken`.
    pub(crate) fn settle(&mut self, taken: u64, actual: u64) {
        self.level = (self.level + taken as f64 - actual as f64).min(self.size);
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.level = (self.level + passed.as_secs_f64() * self.per_second).min(self.size);
    }
}

/// The limits of a pool: requests and tokens, both or neither.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) requests: Option<Bucket>,
    pub(crate) tokens: Option<Bucket>,
}

impl Limits {
    /// Takes one request of so many tokens if both limits allow it; otherwise takes nothing and says how long to wait.
    pub(crate) fn take(&mut self, tokens: u64, now: Duration) -> Result<(), Duration> {
        let asked = [(&mut self.requests, 1), (&mut self.tokens, tokens)];
        let mut buckets: Vec<(&mut Bucket, u64)> = asked
            .into_iter()
            .filter_map(|(bucket, amount)| Some((bucket.as_mut()?, amount)))
            .collect();
        let wait = buckets
            .iter_mut()
            .map(|(bucket, amount)| bucket.wait(*amount, now))
            .max();
        match wait {
            Some(wait) if wait > Duration::ZERO => Err(wait),
            _ => {
                for (bucket, amount) in buckets {
                    bucket.take(amount, now);
                }
                Ok(())
            }
        }
    }

    /// Puts the tokens of a request right.
    pub(crate) fn settle(&mut self, taken: u64, actual: u64) {
        if let Some(bucket) = &mut self.tokens {
            bucket.settle(taken, actual);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `amounts` goes through, everybody asking as early as can be.
    fn times(limits: &mut Limits, amounts: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        let mut now = Duration::ZERO;
        amounts
            .into_iter()
            .map(|amount| {
                while let Err(wait) = limits.take(amount, now) {
                    now += wait;
                }
                now
            })
            .collect()
    }

    fn requests(per_minute: u64) -> Limits {
        Limits {
            requests: Some(Bucket::new(per_minute, Duration::ZERO)),
            tokens: None,
        }
    }

    #[test]
    fn no_minute_holds_more_requests_than_allowed_however_late() {
        for limit in [1_u64, 2, 7, 60, 500] {
            let times = times(
                &mut requests(limit),
                std::iter::repeat_n(1, 5 * limit as usize + 3),
            );
            for first in 0..times.len() {
                let minute = times[first..]
                    .iter()
                    .take_while(|time| **time < times[first] + Duration::from_secs(60))
                    .count();
                assert!(
                    minute as u64 <= limit,
                    "{minute} of {limit} from number {first} on"
                );
            }
            // Nor much fewer: five minutes' worth takes five minutes.
            let last = times[5 * limit as usize].as_secs_f64();
            assert!((200.0..=340.0).contains(&last), "{limit}: {last}");
        }
    }

    #[test]
    fn those_who_wait_do_not_all_go_at_once() {
        let mut limits = requests(60);
        let times = times(&mut limits, std::iter::repeat_n(1, 30));
        let later: Vec<f64> = times[6..]
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs_f64())
            .collect();
        assert!(later.iter().all(|gap| *gap > 0.9), "{later:?}");
    }

    #[test]
    fn more_than_the_bucket_holds_goes_through_and_is_paid_off() {
        let mut limits = Limits {
            requests: None,
            tokens: Some(Bucket::new(6_000, Duration::ZERO)),
        };
        let times: Vec<f64> = times(&mut limits, [3_000; 4])
            .iter()
            .map(Duration::as_secs_f64)
            .collect();
        for pair in times.windows(2) {
            assert!((25.0..40.0).contains(&(pair[1] - pair[0])), "{times:?}");
        }
    }

    #[test]
    fn what_was_not_used_comes_back() {
        let mut limits = Limits {
            requests: None,
            tokens: Some(Bucket::new(6_000, Duration::ZERO)),
        };
        limits.take(600, Duration::ZERO).expect("full");
        let wait = limits.take(600, Duration::ZERO).expect_err("empty");
        assert!(wait > Duration::from_secs(5));
        limits.settle(600, 0);
        limits.take(600, Duration::ZERO).expect("full again");
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_is_harmless() {
        let mut bucket = Bucket::new(1, Duration::from_secs(9));
        bucket.take(1, Duration::from_secs(9));
        assert!(bucket.wait(1, Duration::from_secs(3)) > Duration::from_secs(50));
    }
}
