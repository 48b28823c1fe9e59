//! Which endpoint is asked next. Time is an argument: durations since any fixed moment.

use std::time::Duration;

/// How long an endpoint is left alone after its first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(250);

/// The longest that an endpoint is left alone for its failures.
const LONGEST: Duration = Duration::from_secs(30);

/// What is known of one endpoint.
#[derive(Debug, Clone, Default)]
struct State {
    in_flight: usize,
    failures: u32,
    /// Nothing is sent before this moment.
    not_before: Duration,
    /// Somebody finds out whether it is back.
    probing: bool,
}

/// The endpoints of a pool.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    states: Vec<State>,
    /// Where the search begins, so that equals take turns.
    turn: usize,
}

/// Whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This one; it counts as asked.
    Ask(usize),
    /// This one has failed: whether it is back is to be found out first. It counts as asked.
    Probe(usize),
    /// Nobody before this moment.
    Wait(Duration),
}

impl Health {
    pub(crate) fn new(endpoints: usize) -> Self {
        Self {
            states: vec![State::default(); endpoints],
            turn: 0,
        }
    }

    /// The endpoint with the fewest requests in flight, of those that may be asked. One that failed and whose time is
    /// over is probed by the first who comes, while the others go on elsewhere.
    pub(crate) fn choose(&mut self, now: Duration) -> Choice {
        let count = self.states.len();
        let turns = (0..count).map(|step| (self.turn + step) % count);
        let open = |&index: &usize| self.states[index].not_before <= now && !self.states[index].probing;
        let back = turns
            .clone()
            .filter(open)
            .find(|&index| self.states[index].failures > 0);
        if let Some(index) = back {
            self.states[index].probing = true;
            self.states[index].in_flight += 1;
            return Choice::Probe(index);
        }
        let best = turns
            .filter(open)
            .min_by_key(|&index| self.states[index].in_flight);
        if let Some(index) = best {
            self.turn = (index + 1) % count;
            self.states[index].in_flight += 1;
            return Choice::Ask(index);
        }
        // Those that are being probed may be back any moment.
        let soon = now + Duration::from_millis(20);
        let until = |state: &State| if state.probing { soon } else { state.not_before };
        Choice::Wait(self.states.iter().map(until).min().unwrap_or(soon))
    }

    /// The endpoint answered sensibly.
    pub(crate) fn succeeded(&mut self, index: usize) {
        let state = &mut self.states[index];
        state.failures = 0;
        state.probing = false;
    }

    /// The endpoint failed or did not answer. Requests that failed together count once.
    pub(crate) fn failed(&mut self, index: usize, now: Duration) {
        let state = &mut self.states[index];
        if state.not_before <= now {
            let out = FIRST.saturating_mul(1 << state.failures.min(16)).min(LONGEST);
            state.failures += 1;
            state.not_before = now + out;
        }
        state.probing = false;
    }

    /// The endpoint asks to be left alone until then. It is no failure.
    pub(crate) fn pause(&mut self, index: usize, until: Duration) {
        let state = &mut self.states[index];
        state.not_before = state.not_before.max(until);
        state.probing = false;
    }

    /// The request that was chosen for has ended.
    pub(crate) fn ended(&mut self, index: usize) {
        self.states[index].in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_least_loaded_is_asked_and_equals_take_turns() {
        let mut health = Health::new(3);
        let asked: Vec<Choice> = (0..6).map(|_| health.choose(ms(0))).collect();
        assert_eq!(asked, [0, 1, 2, 0, 1, 2].map(Choice::Ask));
        health.ended(1);
        health.ended(1);
        health.ended(2);
        let asked: Vec<Choice> = (0..3).map(|_| health.choose(ms(0))).collect();
        assert_eq!(asked, [1, 2, 1].map(Choice::Ask));
    }

    #[test]
    fn failures_take_out_for_a_growing_time_and_a_probe_brings_back() {
        let mut health = Health::new(1);
        let mut now = ms(0);
        assert_eq!(health.choose(now), Choice::Ask(0));
        for out in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            health.failed(0, now);
            health.ended(0);
            assert_eq!(health.choose(now), Choice::Wait(now + ms(out)));
            now += ms(out);
            assert_eq!(health.choose(now), Choice::Probe(0), "after {out}");
        }
        health.succeeded(0);
        health.ended(0);
        assert_eq!(health.choose(now), Choice::Ask(0));
        health.failed(0, now);
        assert_eq!(health.choose(now), Choice::Wait(now + ms(250)), "all is forgiven");
    }

    #[test]
    fn while_one_is_probed_the_others_are_asked() {
        let mut health = Health::new(2);
        assert_eq!(health.choose(ms(0)), Choice::Ask(0));
        health.failed(0, ms(0));
        health.ended(0);
        assert_eq!(health.choose(ms(100)), Choice::Ask(1));
        assert_eq!(health.choose(ms(300)), Choice::Probe(0));
        assert_eq!(health.choose(ms(300)), Choice::Ask(1));
    }

    #[test]
    fn failures_of_one_moment_count_once() {
        let mut health = Health::new(1);
        for _ in 0..8 {
            assert_eq!(health.choose(ms(0)), Choice::Ask(0));
        }
        for _ in 0..8 {
            health.failed(0, ms(10));
            health.ended(0);
        }
        assert_eq!(health.choose(ms(20)), Choice::Wait(ms(260)));
    }

    #[test]
    fn a_pause_is_no_failure() {
        let mut health = Health::new(2);
        assert_eq!(health.choose(ms(0)), Choice::Ask(0));
        health.pause(0, ms(5_000));
        health.ended(0);
        assert_eq!(health.choose(ms(10)), Choice::Ask(1));
        assert_eq!(health.choose(ms(10)), Choice::Ask(1));
        assert_eq!(health.choose(ms(5_000)), Choice::Ask(0), "without a probe");
    }
}
