//! The model of a run on a device of candle's: the same loss and gradient as [`crate::candle_twin`], many rows at once.
//!
//! Master weights, their gradient and the optimiser stay in `f32` on the host. The device holds a copy in `f32`; it is
//! narrowed inside the differentiated pass, so that products are in the compute format and the gradient arrives in
//! `f32`. Only tokens that are predicted reach the output layer.

use crate::TrainError;
use crate::fused::Compute;
use crate::layout::Layout;
use crate::recipe::DeviceChoice;
use crate::sequence::Sequence;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use rewardanything_engine::{Batch, Cache, Config, OpsMode, Qwen3, device, ops};
use std::collections::HashMap;

/// Logits of one pass at most, 1 GiB in `f32`; their gradient takes as much again.
const MOST_LOGITS: usize = 1 << 28;
/// Tokens of one pass at most, padding included: what a pass remembers of them for its way back has to fit.
const MOST_TOKENS: usize = 16_384;

/// A device, and the number format of its products.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where.
    pub device: Device,
    /// `F32`, or `BF16` with master weights in `f32`.
    pub dtype: DType,
    /// Tokens of one pass at most, padding included; one row may have more.
    pub pass_tokens: usize,
}

impl Place {
    /// The processors, in `f32`, a row at a time: there, padding costs and company gains nothing.
    pub fn cpu() -> Self {
        Self {
            device: Device::Cpu,
            dtype: DType::F32,
            pass_tokens: 0,
        }
    }

    /// What a recipe asks for, for a vocabulary of so many tokens.
    ///
    /// # Errors
    /// There is no such device, or this build does not know it.
    pub fn of(choice: DeviceChoice, compute: Compute, vocabulary: usize) -> Result<Self, TrainError> {
        Ok(match choice {
            DeviceChoice::Cpu => Self::cpu(),
            DeviceChoice::Cuda => Self {
                device: device::cuda(0)?,
                dtype: match compute {
                    Compute::Native => DType::BF16,
                    Compute::Exact => DType::F32,
                },
                pass_tokens: (MOST_LOGITS / vocabulary.max(1)).min(MOST_TOKENS),
            },
        })
    }
}

/// A copy of the weights where gradients are computed.
#[derive(Debug)]
pub struct Replica {
    config: Config,
    layout: Layout,
    place: Place,
    /// One for each tensor of the layout, `f32`.
    vars: Vec<Var>,
}

impl Replica {
    /// Room for the weights of `layout`, zeros at first.
    ///
    /// # Errors
    /// The device has no room.
    pub fn new(config: &Config, layout: &Layout, place: Place) -> Result<Self, TrainError> {
        let var = |shape: &[usize]| Var::zeros(shape, DType::F32, &place.device);
        let vars = layout.tensors.iter().map(|t| var(&t.shape));
        Ok(Self {
            vars: vars.collect::<Result<_, _>>()?,
            config: config.clone(),
            layout: layout.clone(),
            place,
        })
    }

    /// The weighted mean cross-entropy of the next tokens over `batch` at the weights `params`; `gradient` is replaced.
    ///
    /// # Errors
    /// Whatever candle says; a tensor that got no gradient at all is an error, since candle's fused operations lose
    /// gradients in silence. No token of `batch` is predicted.
    pub fn loss_and_gradient(
        &mut self,
        params: &[f32],
        batch: &[Sequence],
        gradient: &mut [f32],
    ) -> Result<f64, TrainError> {
        let device = &self.place.device;
        for (t, var) in self.layout.tensors.iter().zip(&self.vars) {
            var.set(&Tensor::from_slice(
                &params[t.range.clone()],
                t.shape.as_slice(),
                device,
            )?)?;
        }
        let weights = batch.iter().flat_map(|s| &s.weights[1..]);
        let total: f64 = weights.map(|w| f64::from(*w)).sum();
        let mut sums: Vec<Option<Tensor>> = vec![None; self.vars.len()];
        let mut loss = 0.0;
        for rows in passes(batch, self.place.pass_tokens) {
            let Some(part) = self.loss(&rows, total)? else {
                continue;
            };
            loss += f64::from(part.to_scalar::<f32>()?);
            let store = part.backward()?;
            for ((t, var), sum) in self.layout.tensors.iter().zip(&self.vars).zip(&mut sums) {
                let part = store.get(var.as_tensor()).ok_or_else(|| {
                    let name = &t.name;
                    candle_core::Error::Msg(format!(
                        "{name} got no gradient: an operation on its way has no backward"
                    ))
                })?;
                *sum = Some(match sum.take() {
                    Some(sum) => (sum + part)?,
                    None => part.clone(),
                });
            }
        }
        for (t, sum) in self.layout.tensors.iter().zip(sums) {
            let sum = sum.ok_or_else(|| candle_core::Error::Msg("no token is predicted".into()))?;
            gradient[t.range.clone()].copy_from_slice(&sum.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(loss)
    }

    /// The part of the loss that some rows have, a scalar in `f32`; `None` where they predict nothing.
    fn loss(&self, rows: &[&Sequence], total: f64) -> Result<Option<Tensor>, TrainError> {
        let device = &self.place.device;
        let tokens: Vec<&[u32]> = rows.iter().map(|s| &s.tokens[..s.tokens.len() - 1]).collect();
        let batch = Batch::ragged(&tokens)?;
        let (mut places, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (row, s) in rows.iter().enumerate() {
            for at in 1..s.tokens.len() {
                if s.weights[at] != 0.0 {
                    places.push((row * batch.width() + at - 1) as u32);
                    targets.push(s.tokens[at]);
                    weights.push((f64::from(s.weights[at]) / total) as f32);
                }
            }
        }
        if places.is_empty() {
            return Ok(None);
        }
        let mut tensors = HashMap::new();
        for (t, var) in self.layout.tensors.iter().zip(&self.vars) {
            tensors.insert(t.name.clone(), var.as_tensor().to_dtype(self.place.dtype)?);
        }
        let model = Qwen3::new(
            &self.config,
            VarBuilder::from_tensors(tensors, self.place.dtype, device),
        )?;
        let mode = OpsMode::Differentiable;
        let hidden_bte = model.hidden(&batch, &mut Cache::none(), mode)?;
        let places = Tensor::new(places.as_slice(), device)?;
        let hidden_ne = hidden_bte.flatten_to(1)?.index_select(&places, 0)?;
        let loss = ops::cross_entropy(&model.logits(&hidden_ne)?, &targets, &weights, mode)?;
        Ok(Some(loss))
    }
}

/// The rows of each pass: of like length, and no more than `most` tokens of them with padding, or one.
fn passes(batch: &[Sequence], most: usize) -> Vec<Vec<&Sequence>> {
    let mut rows: Vec<&Sequence> = batch.iter().filter(|s| s.tokens.len() > 1).collect();
    // The longest first: what does not fit is found at once. Stable, so that the order is the batch's.
    rows.sort_by_key(|s| std::cmp::Reverse(s.tokens.len()));
    let mut passes = Vec::new();
    let mut rest = rows.as_slice();
    while let Some(longest) = rest.first() {
        let count = (most / longest.tokens.len()).clamp(1, rest.len());
        let (pass, later) = rest.split_at(count);
        passes.push(pass.to_vec());
        rest = later;
    }
    passes
}
