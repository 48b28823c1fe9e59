//! What a step leaves in `metrics.jsonl` and `samples.jsonl`.

use super::environment::{Alarm, Seen};
use super::preference::Pairs;
use super::rollout::{Group, Rollout, Sampled};
use super::validation::Validated;
use crate::fused::Likelihoods;
use serde::Serialize;
use std::collections::BTreeMap;

/// One line of `metrics.jsonl`. Shares and means are over what was sampled before the step's updates; flat groups count
/// in those of rewards and lengths, and nowhere else.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Metrics {
    pub(super) step: usize,
    pub(super) updates: usize,
    /// The mean over the step's updates.
    pub(super) loss: f64,
    pub(super) lr: f64,
    pub(super) gradient_norm: f64,
    #[serde(flatten)]
    pub(super) replies: Replies,
    /// Mean entropy of the policy where it chose a token, in nats.
    pub(super) entropy: Option<f64>,
    /// Mean k3 divergence from the starting weights.
    pub(super) kl: Option<f64>,
    /// Share of tokens that the clip held, over all updates.
    pub(super) clip_share: f64,
    pub(super) mismatch: Option<Mismatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dpo: Option<Pairs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) validation: Option<Validated>,
    /// Before the first step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<Validated>,
    /// Numbers beyond their bounds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) alarms: BTreeMap<&'static str, f64>,
    pub(super) rollout_tokens_per_second: f64,
    pub(super) training_tokens_per_second: f64,
    pub(super) seconds: Seconds,
}

/// Where the time of a step went.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Seconds {
    pub(super) publish: f64,
    /// Sampling and grading.
    pub(super) rollout: f64,
    /// Grading alone: for an alignment, the judge.
    pub(super) grading: f64,
    /// Log-probabilities under the reference and the policy before its updates.
    pub(super) likelihoods: f64,
    pub(super) update: f64,
    pub(super) validation: f64,
    pub(super) total: f64,
}

/// What the replies of a step were like.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Replies {
    /// Mean reward, and its deviation within a group.
    pub(super) reward: f64,
    pub(super) reward_std: f64,
    /// Means of the parts, over the replies that have them.
    pub(super) parts: BTreeMap<&'static str, f64>,
    pub(super) format_share: f64,
    pub(super) replies: usize,
    pub(super) groups: usize,
    pub(super) flat_groups: usize,
    pub(super) too_long: usize,
    /// Groups without grades, which count nowhere else.
    pub(super) ungraded_groups: usize,
    /// The same by what kept them from having some.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) ungraded: BTreeMap<&'static str, usize>,
    pub(super) truncated: usize,
    pub(super) length: f64,
    pub(super) longest: usize,
    pub(super) prompt_length: f64,
}

impl Replies {
    pub(super) fn of<C>(sampled: &Sampled<C>) -> Self {
        let groups = &sampled.groups;
        let rollouts = || groups.iter().flat_map(|group| &group.rollouts);
        let count = rollouts().count();
        let mean = |sum: f64| sum / count.max(1) as f64;
        let mut sums: BTreeMap<&'static str, (f64, usize)> = BTreeMap::new();
        for (name, value) in rollouts().flat_map(|r| &r.grade.parts) {
            let entry = sums.entry(name).or_default();
            entry.0 += value;
            entry.1 += 1;
        }
        let variances = groups.iter().map(|group| variance(&group.rollouts));
        Self {
            reward: mean(rollouts().map(|r| r.grade.total).sum()),
            reward_std: (variances.sum::<f64>() / groups.len().max(1) as f64).sqrt(),
            parts: sums
                .into_iter()
                .map(|(name, (sum, n))| (name, sum / n as f64))
                .collect(),
            format_share: mean(rollouts().filter(|r| r.grade.in_format).count() as f64),
            replies: count,
            groups: groups.len(),
            flat_groups: groups.iter().filter(|g| g.is_flat()).count(),
            too_long: sampled.too_long,
            ungraded_groups: sampled.ungraded.values().sum(),
            ungraded: sampled.ungraded.clone(),
            truncated: rollouts().filter(|r| r.truncated).count(),
            length: mean(rollouts().map(|r| r.tokens.len()).sum::<usize>() as f64),
            longest: rollouts().map(|r| r.tokens.len()).max().unwrap_or(0),
            prompt_length: groups.iter().map(|g| g.task.prompt.len()).sum::<usize>() as f64
                / groups.len().max(1) as f64,
        }
    }
}

impl Metrics {
    /// What alarms go by.
    pub(super) fn seen(&self) -> Seen<'_> {
        let replies = &self.replies;
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        Seen {
            parts: replies.parts.clone(),
            kl: self.kl,
            truncated: share(replies.truncated, replies.replies),
            ungraded: share(replies.ungraded_groups, replies.groups + replies.ungraded_groups),
            validated: self.validation.as_ref(),
        }
    }

    /// Notes the numbers of alarms.
    pub(super) fn note(&mut self, alarms: &[Alarm]) {
        self.alarms = alarms.iter().map(|alarm| (alarm.name, alarm.value)).collect();
    }
}

fn variance(rollouts: &[Rollout]) -> f64 {
    let n = rollouts.len() as f64;
    let mean = rollouts.iter().map(|r| r.grade.total).sum::<f64>() / n;
    rollouts
        .iter()
        .map(|r| (r.grade.total - mean).powi(2))
        .sum::<f64>()
        / n
}

/// How far the engine's log-probabilities of the tokens it drew are from the trainer's. Both round, each in its own
/// way; more than that is a fault.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Mismatch {
    /// Mean absolute difference.
    pub(super) mean: f64,
    pub(super) max: f64,
}

impl Mismatch {
    pub(super) fn of(sampled: &[Vec<f32>], recomputed: &Likelihoods) -> Self {
        let recomputed = recomputed.iter().flatten().map(|l| l.log_probability);
        let differences = sampled.iter().flatten().zip(recomputed);
        let (mut sum, mut max, mut count) = (0.0, 0.0_f64, 0);
        for (a, b) in differences {
            let difference = f64::from((a - b).abs());
            sum += difference;
            max = max.max(difference);
            count += 1;
        }
        Self {
            mean: sum / f64::from(count.max(1)),
            max,
        }
    }
}

/// The mean of the entropies of all tokens.
pub(super) fn entropy(likelihoods: &Likelihoods) -> f64 {
    let all = likelihoods.iter().flatten();
    let count = all.clone().count().max(1) as f64;
    all.map(|l| f64::from(l.entropy)).sum::<f64>() / count
}

/// One line of `samples.jsonl`.
#[derive(Debug, Serialize)]
pub(super) struct Sample<'a> {
    pub(super) step: usize,
    pub(super) id: &'a str,
    pub(super) reply: usize,
    pub(super) reward: f64,
    pub(super) parts: BTreeMap<&'static str, f64>,
    /// `None` in a flat group.
    pub(super) advantage: Option<f64>,
    pub(super) truncated: bool,
    pub(super) tokens: usize,
    pub(super) text: &'a str,
}

/// The lines of the first `cases` groups.
pub(super) fn samples<C>(step: usize, groups: &[Group<C>], cases: usize) -> impl Iterator<Item = Sample<'_>> {
    groups.iter().take(cases).flat_map(move |group| {
        group
            .rollouts
            .iter()
            .enumerate()
            .map(move |(reply, rollout)| Sample {
                step,
                id: &group.task.id,
                reply,
                reward: rollout.grade.total,
                parts: rollout.grade.parts.iter().copied().collect(),
                advantage: group.advantages.get(reply).copied(),
                truncated: rollout.truncated,
                tokens: rollout.tokens.len(),
                text: &rollout.text,
            })
    })
}
