//! From replies and advantages to a gradient.

use super::loss::{LossConfig, TokenFacts, TokenLoss};
use super::rollout::{Group, Rollout};
use crate::TrainError;
use crate::candle_twin::Twin;
use crate::examples::Kind;
use crate::fused::{CHUNK_TOKENS, Compute, Fused, Likelihoods, Objective, Place, Term};
use crate::layout::Layout;
use crate::recipe::Backend;
use crate::sequence::Sequence;
use rewardanything_engine::{Config, OpsMode};

/// Prompts with their replies, ready for the passes.
#[derive(Clone, Debug)]
pub struct Trajectories {
    /// Prompt and reply; tokens of the reply alone have a weight.
    pub sequences: Vec<Sequence>,
    /// What each reply is worth.
    pub advantages: Vec<f64>,
    /// Log-probabilities of each reply's tokens as the engine drew them.
    pub sampled: Vec<Vec<f32>>,
}

impl Trajectories {
    /// Of all groups that are not flat.
    pub fn of<C>(groups: &[Group<C>]) -> Self {
        let mut all = Self {
            sequences: Vec::new(),
            advantages: Vec::new(),
            sampled: Vec::new(),
        };
        for group in groups.iter().filter(|group| !group.is_flat()) {
            for place in 0..group.rollouts.len() {
                all.add(group, place);
            }
        }
        all
    }

    /// Takes up a reply of a group.
    pub(super) fn add<C>(&mut self, group: &Group<C>, place: usize) {
        let rollout = &group.rollouts[place];
        self.sequences.push(sequence(&group.task.prompt, rollout));
        self.advantages.push(group.advantages[place]);
        self.sampled.push(rollout.sampled.clone());
    }
}

fn sequence(prompt: &[u32], rollout: &Rollout) -> Sequence {
    let tokens = [prompt, &rollout.tokens].concat();
    let weights = (0..tokens.len())
        .map(|i| if i < prompt.len() { 0.0 } else { 1.0 })
        .collect();
    Sequence {
        weights,
        kinds: vec![Kind::Other; tokens.len()],
        tokens,
    }
}

/// The loss over some sequences of a batch.
pub struct GrpoLoss<'a> {
    /// The constants.
    pub config: LossConfig,
    /// For each sequence, the facts of each token of its reply.
    pub facts: Vec<Vec<TokenFacts>>,
    /// The sequences.
    pub sequences: &'a [Sequence],
}

impl GrpoLoss<'_> {
    /// The terms of all tokens at these log-probabilities.
    pub fn terms(&self, likelihoods: &Likelihoods) -> Vec<TokenLoss> {
        let facts = self.facts.iter().flatten();
        let all = likelihoods.iter().flatten().zip(facts);
        all.map(|(likelihood, facts)| self.config.of(f64::from(likelihood.log_probability), facts))
            .collect()
    }
}

impl Objective for GrpoLoss<'_> {
    fn term(&self, place: Place, log_probability: f64) -> Term {
        let facts = &self.facts[place.sequence];
        // Replies end their sequences.
        let prompt = self.sequences[place.sequence].tokens.len() - facts.len();
        let TokenLoss { value, slope, .. } = self.config.of(log_probability, &facts[place.token - prompt]);
        Term { value, slope }
    }
}

/// Computes gradients and log-probabilities, by the code that the recipe names.
pub struct Policy {
    backend: Backend,
    config: Config,
    layout: Layout,
    fused: Fused,
}

impl Policy {
    /// For a model of `config`.
    pub fn new(config: Config, layout: Layout, threads: usize, compute: Compute, backend: Backend) -> Self {
        Self {
            backend,
            config,
            fused: Fused::new(layout.clone(), threads, CHUNK_TOKENS).computing(compute),
            layout,
        }
    }

    fn twin(&self) -> Twin<'_> {
        Twin {
            config: &self.config,
            layout: &self.layout,
            mode: OpsMode::Differentiable,
        }
    }

    /// Likelihoods of all tokens of all replies.
    ///
    /// # Errors
    /// candle's.
    pub fn likelihoods(&mut self, params: &[f32], batch: &[Sequence]) -> Result<Likelihoods, TrainError> {
        match self.backend {
            Backend::Fused => Ok(self.fused.likelihoods(params, batch)),
            Backend::Candle => self.twin().likelihoods(params, batch),
        }
    }

    /// Loss and likelihoods; `gradient` is replaced.
    ///
    /// # Errors
    /// candle's.
    pub fn gradient(
        &mut self,
        params: &[f32],
        loss: &GrpoLoss<'_>,
        gradient: &mut [f32],
    ) -> Result<(f64, Likelihoods), TrainError> {
        match self.backend {
            Backend::Fused => {
                let fused = &mut self.fused;
                Ok(fused.objective_and_gradient(params, loss.sequences, loss, gradient))
            }
            Backend::Candle => self
                .twin()
                .objective_and_gradient(params, loss.sequences, loss, gradient),
        }
    }
}
