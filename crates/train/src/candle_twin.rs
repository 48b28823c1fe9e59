//! The same loss and gradient as [`crate::fused`], by candle's autograd over the engine's model: plain, slow, and on
//! any device candle knows.

use crate::TrainError;
use crate::fused::{Likelihoods, Objective, Place};
use crate::layout::Layout;
use crate::sequence::Sequence;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use rewardanything_engine::{Batch, Cache, Config, OpsMode, Positions, Qwen3, ops};
use rewardanything_kernels::{self as kernels, Likelihood};
use std::collections::HashMap;

/// A model whose gradient candle computes.
#[derive(Clone, Copy, Debug)]
pub struct Twin<'a> {
    /// Its configuration.
    pub config: &'a Config,
    /// The places of its tensors.
    pub layout: &'a Layout,
    /// [`OpsMode::Differentiable`] for candle's own operations, [`OpsMode::Kernels`] for ours under candle's autograd.
    pub mode: OpsMode,
}

/// [`Twin::loss_and_gradient`] by candle's own operations.
///
/// # Errors
/// As there.
pub fn loss_and_gradient(
    config: &Config,
    layout: &Layout,
    params: &[f32],
    batch: &[Sequence],
    gradient: &mut [f32],
) -> Result<f64, TrainError> {
    let mode = OpsMode::Differentiable;
    let twin = Twin { config, layout, mode };
    twin.loss_and_gradient(params, batch, gradient)
}

impl Twin<'_> {
    /// The weighted mean cross-entropy of the next tokens over `batch`; `gradient` is replaced.
    ///
    /// # Errors
    /// Whatever candle says; a tensor that got no gradient at all is an error, since candle's fused operations lose
    /// gradients in silence.
    pub fn loss_and_gradient(
        &self,
        params: &[f32],
        batch: &[Sequence],
        gradient: &mut [f32],
    ) -> Result<f64, TrainError> {
        let loaded = self.load(params)?;
        let total: f64 = batch
            .iter()
            .flat_map(|s| &s.weights[1..])
            .map(|w| f64::from(*w))
            .sum();
        let mut loss = Tensor::new(0f32, &Device::Cpu)?;
        for s in batch {
            let weights: Vec<f32> = s.weights[1..]
                .iter()
                .map(|w| (f64::from(*w) / total) as f32)
                .collect();
            let logits_tv = self.logits(&loaded, s)?;
            loss = (loss + ops::cross_entropy(&logits_tv, &s.tokens[1..], &weights, self.mode)?)?;
        }
        self.backward(&loaded, &loss, gradient)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    /// The sum of `objective`'s terms, and the likelihoods it was computed from; `gradient` is replaced.
    ///
    /// The slopes are taken as numbers and multiplied to the log-probabilities as tensors, which has the same gradient
    /// as the objective itself.
    ///
    /// # Errors
    /// As [`Twin::loss_and_gradient`].
    pub fn objective_and_gradient(
        &self,
        params: &[f32],
        batch: &[Sequence],
        objective: &dyn Objective,
        gradient: &mut [f32],
    ) -> Result<(f64, Likelihoods), TrainError> {
        let loaded = self.load(params)?;
        let (mut value, mut likelihoods) = (0.0, Likelihoods::new());
        let mut surrogate = Tensor::new(0f32, &Device::Cpu)?;
        for (sequence, s) in batch.iter().enumerate() {
            let logits_tv = self.logits(&loaded, s)?;
            let own = likelihoods_of(&logits_tv, s)?;
            let mut weights = vec![0f32; s.tokens.len() - 1];
            let places = (1..s.tokens.len()).filter(|&token| s.weights[token] != 0.0);
            for (token, likelihood) in places.zip(&own) {
                let term = objective.term(Place { sequence, token }, f64::from(likelihood.log_probability));
                value += term.value;
                weights[token - 1] = -term.slope as f32;
            }
            let part = ops::cross_entropy(&logits_tv, &s.tokens[1..], &weights, self.mode)?;
            surrogate = (surrogate + part)?;
            likelihoods.push(own);
        }
        self.backward(&loaded, &surrogate, gradient)?;
        Ok((value, likelihoods))
    }

    /// The likelihoods of all tokens of `batch` whose weight is not 0.
    ///
    /// # Errors
    /// Whatever candle says.
    pub fn likelihoods(&self, params: &[f32], batch: &[Sequence]) -> Result<Likelihoods, TrainError> {
        let loaded = self.load(params)?;
        batch
            .iter()
            .map(|s| likelihoods_of(&self.logits(&loaded, s)?, s))
            .collect()
    }

    fn load(&self, params: &[f32]) -> Result<Loaded, TrainError> {
        let device = Device::Cpu;
        let mut vars = Vec::new();
        let mut tensors = HashMap::new();
        for t in &self.layout.tensors {
            let var = Var::from_slice(&params[t.range.clone()], t.shape.as_slice(), &device)?;
            tensors.insert(t.name.clone(), var.as_tensor().clone());
            vars.push(var);
        }
        let builder = VarBuilder::from_tensors(tensors, DType::F32, &device);
        let model = Qwen3::new(self.config, builder)?;
        Ok(Loaded { model, vars })
    }

    /// After every token but the last, `[t, v]`.
    fn logits(&self, loaded: &Loaded, s: &Sequence) -> Result<Tensor, TrainError> {
        let row = Batch::ragged(&[&s.tokens[..s.tokens.len() - 1]])?;
        let logits_1tv = loaded
            .model
            .forward(&row, &mut Cache::none(), Positions::All, self.mode)?;
        Ok(logits_1tv.squeeze(0)?)
    }

    fn backward(&self, loaded: &Loaded, loss: &Tensor, gradient: &mut [f32]) -> Result<(), TrainError> {
        let store = loss.backward()?;
        for (t, var) in self.layout.tensors.iter().zip(&loaded.vars) {
            let grad = store.get(var.as_tensor()).ok_or_else(|| {
                candle_core::Error::Msg(format!(
                    "{} got no gradient: an operation on its way has no backward",
                    t.name
                ))
            })?;
            gradient[t.range.clone()].copy_from_slice(&grad.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(())
    }
}

/// A model whose weights candle follows.
struct Loaded {
    model: Qwen3,
    vars: Vec<Var>,
}

/// The likelihoods of the tokens of `s` with a weight, from the logits before each of its tokens.
fn likelihoods_of(logits_tv: &Tensor, s: &Sequence) -> Result<Vec<Likelihood>, TrainError> {
    let rows = logits_tv.detach().to_vec2::<f32>()?;
    let of = |(row, (target, _)): (Vec<f32>, (&u32, &f32))| {
        let (mut row, mut out) = (row, [Likelihood::default()]);
        kernels::likelihoods(&mut row, &[*target], &mut out);
        out[0]
    };
    let targets = s.tokens[1..].iter().zip(&s.weights[1..]);
    Ok(rows
        .into_iter()
        .zip(targets)
        .filter(|(_, (_, weight))| **weight != 0.0)
        .map(of)
        .collect())
}
