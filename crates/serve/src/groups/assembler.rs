//! Who belongs together, when a group is judged, who is answered: a state machine without clock, thread or connection.
//!
//! Every input comes with the time since some beginning, and gives the actions that follow from it. What a judge says
//! of a group is a `V` that is not looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One call that waits for an answer; unique.
pub type WaiterId = u64;
/// One group; unique.
pub type GroupId = u64;

/// A sample of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its place among its siblings, where the caller names one. A call with the same place and text is then the same
    /// sample, sent again.
    pub index: Option<u64>,
    /// What is to be judged.
    pub text: String,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival<K> {
    /// Who is to be answered.
    pub waiter: WaiterId,
    /// What all siblings have in common.
    pub key: K,
    /// How many siblings the group is to have; at least 1. Of several numbers the largest counts.
    pub size: usize,
    /// The sample.
    pub member: Member,
}

/// How long things last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From a group's first member until it is judged with what came.
    pub wait: Duration,
    /// How long a group that nobody waits for is still judged: callers that lost their connection come back.
    pub grace: Duration,
    /// How long the verdict of a member whose caller was gone is kept for that caller.
    pub keep: Duration,
}

/// What made a group be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// All siblings are there.
    Full,
    /// Its time was over.
    Deadline,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action<K, V> {
    /// These belong together: judge them, and tell [`Assembler::judged`]. Their order is that of their indices and
    /// texts, whatever the order they came in.
    Judge {
        /// The group.
        group: GroupId,
        /// What they have in common.
        key: K,
        /// The texts.
        members: Vec<String>,
        /// Why now.
        by: By,
        /// From the first member until now.
        waited: Duration,
    },
    /// A call has its answer.
    Answer {
        /// Who.
        waiter: WaiterId,
        /// The group's verdict.
        verdict: V,
        /// Where in the group its own sample stands.
        place: usize,
    },
    /// A call names the place of another sample of the same group that is not answered yet.
    Conflict {
        /// Who.
        waiter: WaiterId,
    },
    /// Nobody waits for this group any more: its judging can stop, and its verdict will not be taken.
    Abandon {
        /// The group.
        group: GroupId,
    },
}

#[derive(Debug)]
struct Seat {
    member: Member,
    waiters: Vec<WaiterId>,
    /// Somebody was answered.
    delivered: bool,
    place: usize,
}

#[derive(Debug)]
enum Phase<V> {
    Open,
    Judging,
    Judged(V),
}

#[derive(Debug)]
struct Group<K, V> {
    key: K,
    size: usize,
    opened: Duration,
    seats: Vec<Seat>,
    phase: Phase<V>,
    /// When something happens to it by itself.
    timer: Option<Duration>,
}

impl<K, V> Group<K, V> {
    fn is_awaited(&self) -> bool {
        self.seats.iter().any(|seat| !seat.waiters.is_empty())
    }

    /// The seat that a call returns to, if it is one that was here before.
    fn seat_of(&self, member: &Member) -> Option<usize> {
        self.seats.iter().position(|seat| match member.index {
            Some(_) => seat.member == *member,
            // Two siblings may say the same. So a text alone takes a seat back only where its caller has gone without
            // an answer; beside a caller who waits, it is a sibling.
            None => seat.member == *member && seat.waiters.is_empty() && !seat.delivered,
        })
    }

    fn clashes_with(&self, member: &Member) -> bool {
        member.index.is_some() && self.seats.iter().any(|seat| seat.member.index == member.index)
    }
}

/// Assembles groups.
#[derive(Debug)]
pub struct Assembler<K, V> {
    timing: Timing,
    next: GroupId,
    groups: BTreeMap<GroupId, Group<K, V>>,
    /// Groups by what their members have in common, oldest first. Of these at most one is open.
    by_key: BTreeMap<K, Vec<GroupId>>,
    waiters: BTreeMap<WaiterId, GroupId>,
    timers: BTreeSet<(Duration, GroupId)>,
}

impl<K: Ord + Clone, V: Clone> Assembler<K, V> {
    /// Without any group.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            next: 0,
            groups: BTreeMap::new(),
            by_key: BTreeMap::new(),
            waiters: BTreeMap::new(),
            timers: BTreeSet::new(),
        }
    }

    /// Groups that are not judged yet.
    pub fn unfinished(&self) -> usize {
        let judged = |group: &&Group<K, V>| !matches!(group.phase, Phase::Judged(_));
        self.groups.values().filter(judged).count()
    }

    /// Groups that are remembered, whatever their state.
    pub fn remembered(&self) -> usize {
        self.groups.len()
    }

    /// When [`Assembler::tick`] has something to do.
    pub fn next_time(&self) -> Option<Duration> {
        self.timers.first().map(|&(time, _)| time)
    }

    /// A call comes in.
    pub fn arrive(&mut self, now: Duration, arrival: Arrival<K>) -> Vec<Action<K, V>> {
        let mut actions = self.tick(now);
        let Arrival {
            waiter,
            key,
            size,
            member,
        } = arrival;
        let known = self.by_key.get(&key).cloned().unwrap_or_default();
        for &id in &known {
            let group = self.group(id);
            if let Some(seat) = group.seat_of(&member) {
                self.take_seat(id, seat, waiter, &mut actions);
                return actions;
            }
            if !matches!(group.phase, Phase::Judged(_)) && group.clashes_with(&member) {
                actions.push(Action::Conflict { waiter });
                return actions;
            }
        }
        let open = known
            .into_iter()
            .find(|&id| matches!(self.group(id).phase, Phase::Open));
        let id = open.unwrap_or_else(|| self.open(now, key));
        let group = self.group(id);
        group.size = group.size.max(size);
        group.seats.push(Seat {
            member,
            waiters: vec![waiter],
            delivered: false,
            place: 0,
        });
        let full = group.seats.len() >= group.size;
        self.waiters.insert(waiter, id);
        if full {
            actions.push(self.launch(now, id, By::Full));
        }
        actions
    }

    /// A call is given up by its caller. Its sample stays: it is known, and the caller may come back.
    pub fn leave(&mut self, now: Duration, waiter: WaiterId) -> Vec<Action<K, V>> {
        let actions = self.tick(now);
        let Some(id) = self.waiters.remove(&waiter) else {
            return actions;
        };
        let grace = self.timing.grace;
        let group = self.group(id);
        for seat in &mut group.seats {
            seat.waiters.retain(|&other| other != waiter);
        }
        if matches!(group.phase, Phase::Judging) && !group.is_awaited() {
            self.set_timer(id, Some(now + grace));
        }
        actions
    }

    /// A group has its verdict. One that was abandoned meanwhile is passed over.
    pub fn judged(&mut self, now: Duration, id: GroupId, verdict: V) -> Vec<Action<K, V>> {
        let mut actions = self.tick(now);
        let keep = self.timing.keep;
        let Some(group) = self
            .groups
            .get_mut(&id)
            .filter(|group| matches!(group.phase, Phase::Judging))
        else {
            return actions;
        };
        for seat in &mut group.seats {
            for waiter in seat.waiters.drain(..) {
                seat.delivered = true;
                self.waiters.remove(&waiter);
                actions.push(Action::Answer {
                    waiter,
                    verdict: verdict.clone(),
                    place: seat.place,
                });
            }
        }
        let may_be_asked_again = group
            .seats
            .iter()
            .any(|seat| !seat.delivered || seat.member.index.is_some());
        group.phase = Phase::Judged(verdict);
        if may_be_asked_again {
            self.set_timer(id, Some(now + keep));
        } else {
            self.remove(id);
        }
        actions
    }

    /// Time goes on.
    pub fn tick(&mut self, now: Duration) -> Vec<Action<K, V>> {
        let mut actions = Vec::new();
        while let Some(&(time, id)) = self.timers.first() {
            if time > now {
                break;
            }
            let group = self.group(id);
            match group.phase {
                Phase::Open if group.is_awaited() => actions.push(self.launch(now, id, By::Deadline)),
                Phase::Judging => {
                    actions.push(Action::Abandon { group: id });
                    self.remove(id);
                }
                Phase::Open | Phase::Judged(_) => self.remove(id),
            }
        }
        actions
    }

    fn group(&mut self, id: GroupId) -> &mut Group<K, V> {
        self.groups
            .get_mut(&id)
            .expect("keys, waiters and timers name groups that are there. This is a bug.")
    }

    fn open(&mut self, now: Duration, key: K) -> GroupId {
        let id = self.next;
        self.next += 1;
        self.by_key.entry(key.clone()).or_default().push(id);
        let group = Group {
            key,
            size: 1,
            opened: now,
            seats: Vec::new(),
            phase: Phase::Open,
            timer: None,
        };
        self.groups.insert(id, group);
        self.set_timer(id, Some(now + self.timing.wait));
        id
    }

    fn take_seat(&mut self, id: GroupId, seat: usize, waiter: WaiterId, actions: &mut Vec<Action<K, V>>) {
        let group = self.group(id);
        let seat = &mut group.seats[seat];
        match &group.phase {
            Phase::Judged(verdict) => {
                seat.delivered = true;
                actions.push(Action::Answer {
                    waiter,
                    verdict: verdict.clone(),
                    place: seat.place,
                });
            }
            phase => {
                let judging = matches!(phase, Phase::Judging);
                seat.waiters.push(waiter);
                self.waiters.insert(waiter, id);
                if judging {
                    // Somebody waits again.
                    self.set_timer(id, None);
                }
            }
        }
    }

    fn launch(&mut self, now: Duration, id: GroupId, by: By) -> Action<K, V> {
        self.set_timer(id, None);
        let group = self.group(id);
        let mut order: Vec<usize> = (0..group.seats.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (&group.seats[a].member, &group.seats[b].member);
            (a.index, &a.text).cmp(&(b.index, &b.text))
        });
        for (place, &seat) in order.iter().enumerate() {
            group.seats[seat].place = place;
        }
        let members = order
            .iter()
            .map(|&seat| group.seats[seat].member.text.clone())
            .collect();
        group.phase = Phase::Judging;
        let action = Action::Judge {
            group: id,
            key: group.key.clone(),
            members,
            by,
            waited: now.saturating_sub(group.opened),
        };
        if !self.group(id).is_awaited() {
            let grace = now + self.timing.grace;
            self.set_timer(id, Some(grace));
        }
        action
    }

    fn set_timer(&mut self, id: GroupId, time: Option<Duration>) {
        let group = self.group(id);
        let old = std::mem::replace(&mut group.timer, time);
        if let Some(old) = old {
            self.timers.remove(&(old, id));
        }
        if let Some(time) = time {
            self.timers.insert((time, id));
        }
    }

    fn remove(&mut self, id: GroupId) {
        self.set_timer(id, None);
        let Some(group) = self.groups.remove(&id) else {
            return;
        };
        if let Some(ids) = self.by_key.get_mut(&group.key) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.by_key.remove(&group.key);
            }
        }
    }
}
