//! The same loss and gradient as [`crate::fused`], by candle's autograd over the engine's model: plain, slow, and on
//! any device candle knows.

use crate::TrainError;
use crate::layout::Layout;
use crate::sequence::Sequence;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use rewardanything_engine::{Batch, Cache, Config, OpsMode, Positions, Qwen3, ops};
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
        let Self { config, layout, mode } = *self;
        let device = Device::Cpu;
        let mut vars = Vec::new();
        let mut tensors = HashMap::new();
        for t in &layout.tensors {
            let var = Var::from_slice(&params[t.range.clone()], t.shape.as_slice(), &device)?;
            tensors.insert(t.name.clone(), var.as_tensor().clone());
            vars.push(var);
        }
        let model = Qwen3::new(config, VarBuilder::from_tensors(tensors, DType::F32, &device))?;
        let total: f64 = batch
            .iter()
            .flat_map(|s| &s.weights[1..])
            .map(|w| f64::from(*w))
            .sum();
        let mut loss = Tensor::new(0f32, &device)?;
        for s in batch {
            let n = s.tokens.len() - 1;
            let row = Batch::ragged(&[&s.tokens[..n]])?;
            let logits_1tv = model.forward(&row, &mut Cache::none(), Positions::All, mode)?;
            let weights: Vec<f32> = s.weights[1..]
                .iter()
                .map(|w| (f64::from(*w) / total) as f32)
                .collect();
            loss = (loss + ops::cross_entropy(&logits_1tv.squeeze(0)?, &s.tokens[1..], &weights, mode)?)?;
        }
        let store = loss.backward()?;
        for (t, var) in layout.tensors.iter().zip(&vars) {
            let grad = store.get(var.as_tensor()).ok_or_else(|| {
                candle_core::Error::Msg(format!(
                    "{} got no gradient: an operation on its way has no backward",
                    t.name
                ))
            })?;
            gradient[t.range.clone()].copy_from_slice(&grad.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }
}
