//! How many verdicts each key may ask for.
//!
//! A key has so many a minute, and may ask for a whole minute's at once. A call takes one before anything is read; the
//! other items of a batch or a job are owed, and later calls wait for them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Who calls: the place of his key, 0 where there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller(pub(crate) usize);

/// What every key has asked for.
#[derive(Debug)]
pub(crate) struct Rates {
    limit: Option<Limit>,
    began: Instant,
    callers: Vec<Mutex<Spent>>,
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    /// From one verdict to the next at the steady rate.
    interval: Duration,
    /// How far ahead of the steady rate a key may be.
    ahead: Duration,
}

/// The moment until which a key's verdicts last at the steady rate.
#[derive(Debug, Default)]
struct Spent(Duration);

impl Spent {
    /// Takes one, or says how long until there is one.
    fn take(&mut self, limit: Limit, now: Duration) -> Result<(), Duration> {
        let until = self.0.max(now);
        match (until + limit.interval).checked_sub(now + limit.ahead) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.0 = until + limit.interval;
                Ok(())
            }
        }
    }

    fn owe(&mut self, limit: Limit, now: Duration, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.0 = self.0.max(now) + limit.interval.saturating_mul(count);
    }
}

impl Rates {
    /// Rates for so many keys; without any, all callers share one.
    pub(crate) fn new(per_minute: Option<u32>, keys: usize) -> Self {
        let limit = per_minute.map(|count| {
            let interval = Duration::from_secs(60) / count.max(1);
            Limit {
                interval,
                ahead: interval * count.max(1),
            }
        });
        Self {
            limit,
            began: Instant::now(),
            callers: (0..keys.max(1)).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes one verdict for a caller, or says how long it has to wait.
    pub(crate) fn take(&self, caller: Caller) -> Result<(), Duration> {
        let Some(limit) = self.limit else { return Ok(()) };
        let mut spent = self.callers[caller.0]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        spent.take(limit, self.began.elapsed())
    }

    /// Takes more than a caller may have right now.
    pub(crate) fn owe(&self, caller: Caller, count: usize) {
        let Some(limit) = self.limit else { return };
        let mut spent = self.callers[caller.0]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        spent.owe(limit, self.began.elapsed(), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_at_once_and_then_the_steady_rate() {
        let limit = Rates::new(Some(60), 0).limit.unwrap();
        let seconds = Duration::from_secs_f64;
        let mut spent = Spent::default();
        for count in 0..60 {
            assert_eq!(spent.take(limit, seconds(5.0)), Ok(()), "{count}");
        }
        assert_eq!(spent.take(limit, seconds(5.0)), Err(seconds(1.0)));
        assert_eq!(spent.take(limit, seconds(5.25)), Err(seconds(0.75)));
        assert_eq!(spent.take(limit, seconds(6.0)), Ok(()));
        assert_eq!(spent.take(limit, seconds(6.0)), Err(seconds(1.0)));
        // A batch of 31: thirty are owed.
        assert_eq!(spent.take(limit, seconds(7.0)), Ok(()));
        spent.owe(limit, seconds(7.0), 30);
        assert_eq!(spent.take(limit, seconds(7.0)), Err(seconds(31.0)));
        assert_eq!(spent.take(limit, seconds(38.0)), Ok(()));
        // What is not asked for does not add up.
        for _ in 0..60 {
            assert_eq!(spent.take(limit, seconds(10_000.0)), Ok(()));
        }
        assert!(spent.take(limit, seconds(10_000.0)).is_err());
    }

    #[test]
    fn keys_do_not_take_from_each_other() {
        let rates = Rates::new(Some(1), 2);
        assert_eq!(rates.take(Caller(0)), Ok(()));
        assert!(rates.take(Caller(0)).is_err());
        assert_eq!(rates.take(Caller(1)), Ok(()));
        let free = Rates::new(None, 2);
        free.owe(Caller(1), 1_000_000);
        assert_eq!(free.take(Caller(1)), Ok(()));
    }
}
