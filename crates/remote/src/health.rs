//! Which endpoint is asked next: the least loaded whose circuit is closed. Time is an argument: durations since any fixed
//! moment.
//!
//! An endpoint that fails is left alone for a while, then asked for its list of models, which costs it nothing. That it
//! gives one does not mean that it judges: after [`OPEN_AFTER`] failures without an answer between, its circuit is open,
//! and of the requests that come after the next such list only one is sent on; the others wait for what becomes of it,
//! or go elsewhere.

use std::time::Duration;

/// How long an endpoint is left alone after its first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(250);

/// The longest that an endpoint is left alone for its failures.
const LONGEST: Duration = Duration::from_secs(30);

/// So many failures in a row open the circuit: until then each may be a request's own bad luck.
const OPEN_AFTER: u32 = 5;

/// What an endpoint is trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// All requests.
    Closed,
    /// None: it failed too often.
    Open,
    /// One, to find out whether it is back.
    HalfOpen,
}

/// What is known of one endpoint.
#[derive(Debug, Clone, Default)]
struct State {
    in_flight: usize,
    /// Failures since the last answer.
    failures: u32,
    /// It failed, and has not been found to be there since.
    suspect: bool,
    /// Nothing is sent before this moment.
    not_before: Duration,
    /// Somebody finds out whether it is back.
    probing: bool,
    answered: u64,
    failed: u64,
    opened: u64,
}

/// An endpoint's state and counts, to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vitals {
    pub(crate) circuit: Circuit,
    pub(crate) in_flight: usize,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) opened: u64,
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
            .find(|&index| self.states[index].suspect);
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

    /// The endpoint answered a request sensibly.
    pub(crate) fn succeeded(&mut self, index: usize) {
        let state = &mut self.states[index];
        state.failures = 0;
        state.suspect = false;
        state.probing = false;
        state.answered += 1;
    }

    /// The endpoint is there again, which is found out before it is trusted with a request; the one who found out sends
    /// the first.
    pub(crate) fn is_there(&mut self, index: usize) {
        let state = &mut self.states[index];
        state.suspect = false;
        // With an open circuit the first request is a trial, and the rest wait for its end.
        state.probing = state.failures >= OPEN_AFTER;
    }

    /// The endpoint failed or did not answer. Requests that failed together count once.
    pub(crate) fn failed(&mut self, index: usize, now: Duration) {
        let state = &mut self.states[index];
        state.failed += 1;
        if state.not_before <= now {
            let out = FIRST.saturating_mul(1 << state.failures.min(16)).min(LONGEST);
            state.failures += 1;
            state.opened += u64::from(state.failures == OPEN_AFTER);
            state.not_before = now + out;
        }
        state.suspect = true;
        state.probing = false;
    }

    /// What is to be shown of all endpoints.
    pub(crate) fn vitals(&self, now: Duration) -> Vec<Vitals> {
        let circuit = |state: &State| match state {
            state if state.failures < OPEN_AFTER => Circuit::Closed,
            state if state.probing || state.not_before <= now => Circuit::HalfOpen,
            _ => Circuit::Open,
        };
        self.states
            .iter()
            .map(|state| Vitals {
                circuit: circuit(state),
                in_flight: state.in_flight,
                answered: state.answered,
                failed: state.failed,
                opened: state.opened,
            })
            .collect()
    }

    /// The endpoint asks to be left alone until then. It is no failure.
    pub(crate) fn pause(&mut self, index: usize, until: Duration) {
        let state = &mut self.states[index];
        state.not_before = state.not_before.max(until);
        state.suspect |= state.probing;
        state.probing = false;
    }

    /// The endpoint was chosen, and nothing was sent.
    pub(crate) fn unsent(&mut self, index: usize) {
        let state = &mut self.states[index];
        // A trial that was not made leaves the question open.
        state.suspect |= state.probing;
        state.probing = false;
        self.ended(index);
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

    /// An endpoint that gives its list of models and judges nothing.
    #[test]
    fn behind_an_open_circuit_one_request_is_tried() {
        let mut health = Health::new(1);
        let mut now = ms(0);
        assert_eq!(health.choose(now), Choice::Ask(0));
        for failures in 1..=OPEN_AFTER {
            let circuit = |health: &Health, now| health.vitals(now)[0].circuit;
            assert_eq!(circuit(&health, now), Circuit::Closed, "{failures}");
            health.failed(0, now);
            health.ended(0);
            let Choice::Wait(until) = health.choose(now) else {
                panic!("it is left alone")
            };
            let expect = if failures < OPEN_AFTER {
                Circuit::Closed
            } else {
                Circuit::Open
            };
            assert_eq!(circuit(&health, now), expect, "{failures}");
            now = until;
            assert_eq!(health.choose(now), Choice::Probe(0));
            health.is_there(0);
            let others = health.choose(now);
            if failures < OPEN_AFTER {
                assert_eq!(others, Choice::Ask(0), "it is trusted again");
                health.ended(0);
            } else {
                assert_eq!(circuit(&health, now), Circuit::HalfOpen);
                assert_eq!(others, Choice::Wait(now + ms(20)), "one is enough");
            }
        }
        // The trial fails: open, for longer. The next one is not even sent, the one after it is answered.
        health.failed(0, now);
        health.ended(0);
        now += ms(250 << OPEN_AFTER);
        assert_eq!(health.choose(now - ms(1)), Choice::Wait(now));
        assert_eq!(health.choose(now), Choice::Probe(0));
        health.is_there(0);
        health.unsent(0);
        assert_eq!(health.choose(now), Choice::Probe(0));
        health.is_there(0);
        health.succeeded(0);
        health.ended(0);
        let vitals = health.vitals(now)[0];
        assert_eq!((vitals.circuit, vitals.in_flight), (Circuit::Closed, 0));
        assert_eq!((vitals.answered, vitals.failed, vitals.opened), (1, 6, 1));
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
