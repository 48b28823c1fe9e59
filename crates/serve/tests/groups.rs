//! The assembler against random arrivals, retries, drops and cancellations, and its rules one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use rewardanything_serve::groups::{Action, Arrival, Assembler, By, Member, Timing};

const TIMING: Timing = Timing {
    wait: Duration::from_millis(100),
    grace: Duration::from_millis(20),
    keep: Duration::from_millis(50),
};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn member(index: Option<u64>, text: &str) -> Member {
    Member {
        index,
        text: text.to_owned(),
    }
}

/// The verdict of a group in these tests: its members, so that an answer shows whose it is.
type Verdict = Vec<String>;
type Act = Action<u8, Verdict>;

#[derive(Debug, Clone)]
enum Event {
    Arrive {
        key: u8,
        size: usize,
        index: Option<u64>,
        text: u8,
    },
    /// One of those who wait goes away, and maybe comes back later with the same.
    Leave {
        which: usize,
        back: bool,
    },
    /// One of those who went away comes back.
    Return {
        which: usize,
    },
    /// One of the groups that are being judged gets its verdict.
    Judged {
        which: usize,
    },
    Advance(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => (0_u8..3, 1_usize..6, prop::option::weighted(0.3, 0_u64..5), 0_u8..4)
            .prop_map(|(key, size, index, text)| Event::Arrive { key, size, index, text }),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, back)| Event::Leave { which, back }),
        1 => any::<usize>().prop_map(|which| Event::Return { which }),
        2 => any::<usize>().prop_map(|which| Event::Judged { which }),
        2 => (0_u64..60).prop_map(Event::Advance),
    ];
    prop::collection::vec(event, 0..120)
}

#[derive(Debug, Clone)]
struct Call {
    key: u8,
    size: usize,
    member: Member,
    since: Duration,
}

/// The world around an assembler, which notices whatever must not happen.
struct World {
    assembler: Assembler<u8, Verdict>,
    now: Duration,
    next: u64,
    waiting: BTreeMap<u64, Call>,
    away: Vec<Call>,
    judging: BTreeMap<u64, Verdict>,
    ever_judged: BTreeSet<u64>,
    calls: usize,
    judged_members: usize,
    /// Verdicts come at once.
    instant: bool,
}

impl World {
    fn new(instant: bool) -> Self {
        Self {
            assembler: Assembler::new(TIMING),
            now: Duration::ZERO,
            next: 0,
            waiting: BTreeMap::new(),
            away: Vec::new(),
            judging: BTreeMap::new(),
            ever_judged: BTreeSet::new(),
            calls: 0,
            judged_members: 0,
            instant,
        }
    }

    fn call(&mut self, call: Call) {
        let waiter = self.next;
        self.next += 1;
        self.calls += 1;
        let arrival = Arrival {
            waiter,
            key: call.key,
            size: call.size,
            member: call.member.clone(),
        };
        self.waiting.insert(
            waiter,
            Call {
                since: self.now,
                ..call
            },
        );
        let actions = self.assembler.arrive(self.now, arrival);
        self.take(actions);
    }

    fn take(&mut self, actions: Vec<Act>) {
        for action in actions {
            match action {
                Action::Judge { group, members, .. } => {
                    assert!(self.ever_judged.insert(group), "group {group} is judged twice");
                    assert!(!members.is_empty());
                    self.judged_members += members.len();
                    self.judging.insert(group, members);
                }
                Action::Answer {
                    waiter,
                    verdict,
                    place,
                } => {
                    let call = self
                        .waiting
                        .remove(&waiter)
                        .expect("it waits, and is answered once");
                    assert_eq!(verdict[place], call.member.text, "another's answer");
                }
                Action::Conflict { waiter } => {
                    let call = self.waiting.remove(&waiter).expect("it waits");
                    assert!(call.member.index.is_some());
                }
                Action::Abandon { group } => {
                    assert!(self.judging.remove(&group).is_some(), "{group} is not judged");
                }
            }
        }
        if self.instant {
            while let Some(&group) = self.judging.keys().next() {
                self.judge(group);
            }
        }
    }

    fn judge(&mut self, group: u64) {
        let verdict = self.judging.remove(&group).expect("it is judged");
        let actions = self.assembler.judged(self.now, group, verdict);
        self.take(actions);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Arrive {
                key,
                size,
                index,
                text,
            } => self.call(Call {
                key,
                size,
                member: member(index, &text.to_string()),
                since: self.now,
            }),
            Event::Leave { which, back } => {
                let Some(&waiter) = nth(self.waiting.keys(), which) else {
                    return;
                };
                let call = self.waiting.remove(&waiter).expect("it was found");
                if back {
                    self.away.push(call);
                }
                let actions = self.assembler.leave(self.now, waiter);
                self.take(actions);
            }
            Event::Return { which } => {
                if !self.away.is_empty() {
                    let call = self.away.swap_remove(which % self.away.len());
                    self.call(call);
                }
            }
            Event::Judged { which } => {
                if let Some(&group) = nth(self.judging.keys(), which) {
                    self.judge(group);
                }
            }
            Event::Advance(milliseconds) => {
                self.now += ms(milliseconds);
                let actions = self.assembler.tick(self.now);
                self.take(actions);
                assert!(self.assembler.next_time().is_none_or(|time| time > self.now));
            }
        }
        assert!(
            self.judged_members <= self.calls,
            "no sample is judged that was not sent, and none twice"
        );
        if self.instant {
            for call in self.waiting.values() {
                assert!(self.now < call.since + TIMING.wait, "{call:?} waits for too long");
            }
        }
    }

    fn finish(mut self) {
        // Whoever waits is answered, without anybody's doing more.
        self.event(Event::Advance(100));
        while let Some(&group) = self.judging.keys().next() {
            self.judge(group);
        }
        assert!(self.waiting.is_empty(), "not answered: {:?}", self.waiting);
        self.event(Event::Advance(200));
        while let Some(&group) = self.judging.keys().next() {
            self.judge(group);
        }
        self.event(Event::Advance(200));
        assert_eq!(
            (self.assembler.remembered(), self.assembler.next_time()),
            (0, None),
            "nothing is kept for ever"
        );
    }
}

fn nth<T>(mut all: impl ExactSizeIterator<Item = T>, which: usize) -> Option<T> {
    let count = all.len();
    (count > 0).then(|| all.nth(which % count)).flatten()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn whatever_happens_everybody_is_answered_once_and_with_his_own(events in events(), instant in any::<bool>()) {
        let mut world = World::new(instant);
        for event in events {
            world.event(event);
        }
        world.finish();
    }

    /// What a judge is shown depends on the samples, not on who came first.
    #[test]
    fn the_order_of_arrival_changes_nothing(
        texts in prop::collection::vec("[a-c]{1,2}", 1..9),
        order in prop::collection::vec(any::<usize>(), 9),
        numbered in any::<bool>(),
    ) {
        let judged = |shuffled: &[(u64, String)]| {
            let mut assembler: Assembler<u8, Verdict> = Assembler::new(TIMING);
            let mut actions = Vec::new();
            for (waiter, (index, text)) in shuffled.iter().enumerate() {
                prop_assert!(actions.is_empty(), "it waits for all");
                actions = assembler.arrive(ms(waiter as u64), Arrival {
                    waiter: waiter as u64,
                    key: 0,
                    size: shuffled.len(),
                    member: member(numbered.then_some(*index), text),
                });
            }
            match &actions[..] {
                [Action::Judge { members, by: By::Full, .. }] => Ok(members.clone()),
                other => Err(TestCaseError::fail(format!("{other:?}"))),
            }
        };
        let mut all: Vec<(u64, String)> = (0..).zip(texts).collect();
        let first = judged(&all)?;
        for place in (1..all.len()).rev() {
            all.swap(place, order[place] % (place + 1));
        }
        prop_assert_eq!(judged(&all)?, first);
    }
}

/// A short way to write what happens.
struct Story(Assembler<u8, Verdict>);

impl Story {
    fn new() -> Self {
        Self(Assembler::new(TIMING))
    }

    #[track_caller]
    fn arrives(&mut self, at: u64, waiter: u64, text: &str, expect: &str) {
        let (index, text) = match text.split_once('#') {
            Some((index, text)) => (index.parse().ok(), text),
            None => (None, text),
        };
        let actions = self.0.arrive(
            ms(at),
            Arrival {
                waiter,
                key: 0,
                size: 3,
                member: member(index, text),
            },
        );
        assert_eq!(told(&actions), expect);
    }

    #[track_caller]
    fn leaves(&mut self, at: u64, waiter: u64, expect: &str) {
        assert_eq!(told(&self.0.leave(ms(at), waiter)), expect);
    }

    #[track_caller]
    fn judged(&mut self, at: u64, group: u64, members: &str, expect: &str) {
        let verdict = members.chars().map(String::from).collect();
        assert_eq!(told(&self.0.judged(ms(at), group, verdict)), expect);
    }

    #[track_caller]
    fn passes(&mut self, at: u64, expect: &str) {
        assert_eq!(told(&self.0.tick(ms(at))), expect);
    }
}

fn told(actions: &[Act]) -> String {
    let words: Vec<String> = actions
        .iter()
        .map(|action| match action {
            Action::Judge { members, by, .. } => format!("judge {} {by:?}", members.concat()),
            Action::Answer {
                waiter,
                verdict,
                place,
            } => format!("{waiter}={}", verdict[*place]),
            Action::Conflict { waiter } => format!("{waiter} clashes"),
            Action::Abandon { group } => format!("abandon {group}"),
        })
        .collect();
    words.join(", ")
}

#[test]
fn a_full_group_is_judged_at_once_and_a_late_one_with_what_came() {
    let mut story = Story::new();
    story.arrives(0, 1, "b", "");
    story.arrives(5, 2, "a", "");
    story.arrives(9, 3, "c", "judge abc Full");
    story.judged(20, 0, "abc", "1=b, 2=a, 3=c");
    assert_eq!(story.0.remembered(), 0, "nobody can ask again");
    story.arrives(30, 4, "a", "");
    story.arrives(40, 5, "b", "");
    story.passes(129, "");
    story.passes(130, "judge ab Deadline");
    story.arrives(131, 6, "c", "");
    story.judged(140, 1, "ab", "4=a, 5=b");
    story.passes(231, "judge c Deadline");
}

#[test]
fn siblings_may_say_the_same() {
    let mut story = Story::new();
    story.arrives(0, 1, "a", "");
    story.arrives(0, 2, "a", "");
    story.arrives(0, 3, "b", "judge aab Full");
    story.judged(1, 0, "aab", "1=a, 2=a, 3=b");
}

#[test]
fn a_retry_takes_its_seat_back() {
    let mut story = Story::new();
    story.arrives(0, 1, "a", "");
    story.leaves(10, 1, "");
    story.arrives(20, 2, "a", "");
    story.arrives(30, 3, "b", "");
    story.arrives(40, 4, "c", "judge abc Full");
    // While it is judged …
    story.leaves(50, 3, "");
    story.arrives(55, 5, "b", "");
    story.leaves(60, 2, "");
    story.judged(70, 0, "abc", "5=b, 4=c");
    // … and afterwards, for as long as it is kept. Who was answered is a new sample.
    story.arrives(80, 6, "a", "6=a");
    story.arrives(81, 7, "a", "");
    assert_eq!(story.0.unfinished(), 1);
}

#[test]
fn a_named_place_is_the_same_sample_however_often_it_is_sent() {
    let mut story = Story::new();
    story.arrives(0, 1, "2#a", "");
    story.arrives(1, 2, "2#a", "");
    story.arrives(2, 3, "2#b", "3 clashes");
    story.arrives(3, 4, "0#c", "");
    story.arrives(4, 5, "1#a", "judge caa Full");
    story.judged(9, 0, "caa", "1=a, 2=a, 4=c, 5=a");
    story.arrives(12, 6, "0#c", "6=c");
    // Kept for 50 ms; then the same place opens another group.
    story.arrives(60, 7, "0#c", "");
}

#[test]
fn who_does_not_come_back_is_judged_along_while_others_wait() {
    let mut story = Story::new();
    story.arrives(0, 1, "a", "");
    story.arrives(0, 2, "b", "");
    story.leaves(1, 1, "");
    story.passes(100, "judge ab Deadline");
    story.judged(105, 0, "ab", "2=b");
}

#[test]
fn what_nobody_waits_for_costs_nothing() {
    let mut story = Story::new();
    story.arrives(0, 1, "a", "");
    story.leaves(1, 1, "");
    story.passes(100, "");
    assert_eq!(story.0.remembered(), 0);
    for waiter in 2..5 {
        let text = ["a", "b", "c"][waiter as usize - 2];
        story.arrives(200, waiter, text, if waiter == 4 { "judge abc Full" } else { "" });
    }
    story.leaves(201, 2, "");
    story.leaves(201, 3, "");
    story.leaves(205, 4, "");
    story.passes(224, "");
    story.passes(225, "abandon 1");
    story.judged(226, 1, "abc", "");
    // One who comes back in time keeps it alive.
    for waiter in 5..8 {
        let text = ["a", "b", "c"][waiter as usize - 5];
        story.arrives(300, waiter, text, if waiter == 7 { "judge abc Full" } else { "" });
        story.0.leave(ms(300), waiter);
    }
    story.arrives(319, 8, "b", "");
    story.passes(400, "");
    story.judged(401, 2, "abc", "8=b");
}
