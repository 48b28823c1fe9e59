//! The assembler among real callers: connections, a clock, and the judge.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rewardanything_core::record::{Failure, failure};
use rewardanything_core::{JudgeRequest, MAX_RESPONSES, Response};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use crate::app::App;
use crate::fault::Fault;
use crate::groups::{Action, Arrival, Assembler, By, GroupId, Member, Timing, WaiterId, split};
use crate::judging::WhenFull;
use crate::metrics::Stage;
use crate::spans;

/// How groups are assembled and judged.
#[derive(Debug, Clone, Copy)]
pub struct GroupSettings {
    /// How long things last.
    pub timing: Timing,
    /// Members that stand in every part of a group too large for the judge.
    pub anchors: usize,
    /// The largest group.
    pub most: usize,
}

impl Default for GroupSettings {
    /// 30 seconds for siblings to come, 5 for callers to come back, verdicts kept for a minute, two anchors, 512 members.
    fn default() -> Self {
        Self {
            timing: Timing {
                wait: Duration::from_secs(30),
                grace: Duration::from_secs(5),
                keep: Duration::from_secs(60),
            },
            anchors: 2,
            most: 512,
        }
    }
}

/// What siblings have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The caller's name for the group, where there is one.
    pub(crate) id: Option<String>,
    /// What they are judged by.
    pub(crate) principle: String,
    /// What they answer.
    pub(crate) prompt: String,
}

/// What the judge says of all members of a group, by their place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GroupVerdict {
    /// From 1 to 5, the mean of the probabilities where they are known; `None` without a verdict.
    pub(crate) scores: Vec<Option<f64>>,
    /// From 0 for the best; equal scores in the judge's order.
    pub(crate) ranks: Vec<usize>,
    /// Why some have no score.
    pub(crate) failure: Option<Failure>,
}

/// The answer to one sample.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The group's verdict, and the sample's place in it.
    Verdict(Arc<GroupVerdict>, usize),
    /// The caller named the place of another sample.
    Conflict,
}

/// The groups of a server.
#[derive(Debug)]
pub(crate) struct Gather {
    state: Mutex<State>,
    wake: Notify,
    began: Instant,
}

#[derive(Debug)]
struct State {
    assembler: Assembler<Key, Arc<GroupVerdict>>,
    waiting: HashMap<WaiterId, oneshot::Sender<Answer>>,
    judging: HashMap<GroupId, AbortHandle>,
    next: WaiterId,
}

impl Gather {
    pub(crate) fn new(settings: GroupSettings) -> Self {
        Self {
            state: Mutex::new(State {
                assembler: Assembler::new(settings.timing),
                waiting: HashMap::new(),
                judging: HashMap::new(),
                next: 0,
            }),
            wake: Notify::new(),
            began: Instant::now(),
        }
    }

    /// Groups that are not judged yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.state().assembler.unfinished()
    }

    /// Groups that are remembered, judged or not, and calls that wait for one.
    pub(crate) fn held(&self) -> (usize, usize) {
        let state = self.state();
        (state.assembler.remembered(), state.waiting.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Judges a sample among its siblings, once they are there or its time is over. Dropping the future takes the call
/// back.
pub(crate) async fn ask(app: &Arc<App>, key: Key, size: usize, member: Member) -> Answer {
    let (sender, receiver) = oneshot::channel();
    let waiter = {
        let mut state = app.gather.state();
        let waiter = state.next;
        state.next += 1;
        state.waiting.insert(waiter, sender);
        let arrival = Arrival {
            waiter,
            key,
            size: size.clamp(1, app.settings.groups.most),
            member,
        };
        let actions = state.assembler.arrive(app.gather.now(), arrival);
        perform(app, &mut state, actions);
        waiter
    };
    app.gather.wake.notify_one();
    let _leaves = Leaves { app, waiter };
    let _assemble = spans::stage("assemble");
    receiver
        .await
        .expect("whoever waits is answered before the sender goes. This is a bug.")
}

/// Tells the assembler when a call is over, however it ends; one that was answered is not known there any more.
struct Leaves<'a> {
    app: &'a Arc<App>,
    waiter: WaiterId,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let mut state = self.app.gather.state();
        state.waiting.remove(&self.waiter);
        let actions = state.assembler.leave(self.app.gather.now(), self.waiter);
        perform(self.app, &mut state, actions);
        drop(state);
        self.app.gather.wake.notify_one();
    }
}

/// Lets time go on for the groups, until it is dropped.
pub(crate) async fn keep_time(app: Arc<App>) {
    loop {
        let next = app.gather.state().assembler.next_time();
        match next {
            None => app.gather.wake.notified().await,
            Some(time) => {
                let at = tokio::time::Instant::from_std(app.gather.began + time);
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = app.gather.wake.notified() => {}
                }
            }
        }
        let mut state = app.gather.state();
        let actions = state.assembler.tick(app.gather.now());
        perform(&app, &mut state, actions);
    }
}

fn perform(app: &Arc<App>, state: &mut State, actions: Vec<Action<Key, Arc<GroupVerdict>>>) {
    for action in actions {
        match action {
            Action::Judge {
                group,
                key,
                members,
                by,
                waited,
            } => {
                let why = match by {
                    By::Full => "full",
                    By::Deadline => "deadline",
                };
                app.metrics.group(why, members.len());
                app.metrics.stage(Stage::Assemble, waited);
                let span = spans::here("group");
                span.number("rewardanything.group.samples", members.len() as u64);
                let task = tokio::spawn(span.carry(run(Arc::clone(app), group, key, members)));
                state.judging.insert(group, task.abort_handle());
            }
            Action::Answer {
                waiter,
                verdict,
                place,
            } => answer(state, waiter, Answer::Verdict(verdict, place)),
            Action::Conflict { waiter } => answer(state, waiter, Answer::Conflict),
            Action::Abandon { group } => {
                if let Some(task) = state.judging.remove(&group) {
                    task.abort();
                }
            }
        }
    }
}

fn answer(state: &mut State, waiter: WaiterId, answer: Answer) {
    if let Some(sender) = state.waiting.remove(&waiter) {
        // Whoever is just going away needs no answer.
        let _ = sender.send(answer);
    }
}

async fn run(app: Arc<App>, group: GroupId, key: Key, members: Vec<String>) {
    let verdict = judge_all(&app, &key.principle, &key.prompt, &members).await;
    let mut state = app.gather.state();
    state.judging.remove(&group);
    let actions = state.assembler.judged(app.gather.now(), group, Arc::new(verdict));
    perform(&app, &mut state, actions);
    drop(state);
    app.gather.wake.notify_one();
}

/// Judges any number of responses to one prompt, in parts where they are more than the judge takes.
pub(crate) async fn judge_all(app: &App, principle: &str, prompt: &str, texts: &[String]) -> GroupVerdict {
    let limit = app.judging.setup().profile.max_responses.min(MAX_RESPONSES);
    let parts = split::plan(texts.len(), limit, app.settings.groups.anchors);
    let judged = join_all(parts.iter().map(|part| async move {
        let responses = part
            .iter()
            .map(|&member| Response::new(format!("response-{}", member + 1), texts[member].clone()))
            .collect();
        let request = JudgeRequest::new(principle, prompt, responses)
            .map_err(|error| Fault::request(error.to_string()).failure)?;
        let judged = app.judging.judge(Arc::new(request), WhenFull::Wait).await;
        let judgment = judged.map_err(|why| Fault::from(why).failure)?.judgment;
        match (judgment.verdict.as_ref(), failure(&judgment)) {
            (Ok(verdict), _) => {
                let soft: Vec<f64> = verdict.scores.iter().map(|score| score.soft()).collect();
                Ok((soft, verdict.ranking.clone()))
            }
            (Err(error), why) => Err(why.unwrap_or_else(|| Failure {
                kind: error.kind().to_owned(),
                message: error.to_string(),
            })),
        }
    }))
    .await;
    let scores: Vec<Option<Vec<f64>>> = judged
        .iter()
        .map(|part| part.as_ref().ok().map(|(scores, _)| scores.clone()))
        .collect();
    let scores = split::merge(texts.len(), &parts, &scores);
    let order: Vec<usize> = match &judged[..] {
        [Ok((_, ranking))] => ranking.clone(),
        _ => by_score(&scores),
    };
    let mut ranks = vec![0; texts.len()];
    for (rank, &member) in order.iter().enumerate() {
        ranks[member] = rank;
    }
    GroupVerdict {
        scores,
        ranks,
        failure: judged.into_iter().find_map(Result::err),
    }
}

/// Members by falling score, those without one last; equal ones as they stand.
fn by_score(scores: &[Option<f64>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let value = |member: usize| scores[member].unwrap_or(f64::NEG_INFINITY);
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    order
}
