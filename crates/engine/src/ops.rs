//! The operations of the model, in forms that agree in value.
//!
//! The tensor library's fused kernels have no backward pass and say nothing about it: after `backward()` the
//! weights upstream of one have no gradient, or, behind a residual connection, a partial one, and training looks
//! alive. So every fused operation here has a twin made of operations with a backward pass; a third form are our own
//! kernels, forward and backward, where there is a CPU. [`OpsMode`] says which runs. Nothing outside this file calls a
//! fused operation.
//!
//! Shape suffixes: `b` rows of the batch, `t` tokens, `h` heads, `d` head width, `r` half of it, `i` and `o` the
//! input and output of a linear map, `x` any shape.

use std::sync::Arc;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops as fused;
use rewardanything_kernels::RopeTable;

use crate::EngineError;
use crate::kernel_ops::{CausalAttention, CrossEntropy, RmsNorm, Rope, SwiGlu};

type Result<T> = std::result::Result<T, EngineError>;

/// Which form of the operations runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpsMode {
    /// Fused kernels and the key-value cache: inference. Gradients do not flow.
    Fast,
    /// Every operation has a backward pass: training on any device.
    Differentiable,
    /// As [`OpsMode::Differentiable`], with our kernels and their backward passes for `f32` on a CPU.
    Kernels,
}

impl OpsMode {
    /// Whether our kernels take `x`.
    pub(crate) fn kernels_for(self, x: &Tensor) -> bool {
        self == Self::Kernels && x.device().is_cpu() && x.dtype() == DType::F32
    }
}

/// Root mean square norm over the last dimension: `x / sqrt(mean(x^2) + eps) * weight`.
///
/// # Errors
/// When the shapes do not fit.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64, mode: OpsMode) -> Result<Tensor> {
    match mode {
        OpsMode::Fast => Ok(fused::rms_norm(&x.contiguous()?, weight, eps as f32)?),
        _ if mode.kernels_for(x) => {
            let op = RmsNorm { eps: eps as f32 };
            Ok(x.contiguous()?.apply_op2(&weight.contiguous()?, op)?)
        }
        OpsMode::Differentiable | OpsMode::Kernels => {
            let wide = x.to_dtype(DType::F32)?;
            let inverse_root = (wide.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?;
            let normed = wide.broadcast_mul(&inverse_root)?.to_dtype(x.dtype())?;
            // The same value as a product in the narrow format, but the weight's gradient, a sum over all tokens, is
            // taken in f32.
            let weighted = normed
                .to_dtype(DType::F32)?
                .broadcast_mul(&weight.to_dtype(DType::F32)?)?;
            Ok(weighted.to_dtype(x.dtype())?)
        }
    }
}

/// Softmax over the last dimension.
///
/// # Errors
/// When the tensor is a scalar.
pub fn softmax(x: &Tensor, mode: OpsMode) -> Result<Tensor> {
    match mode {
        OpsMode::Fast => Ok(fused::softmax_last_dim(&x.contiguous()?)?),
        OpsMode::Differentiable | OpsMode::Kernels => {
            // In f32, as the fused kernels have it inside: a sum of many small parts in bf16 stands still.
            let wide = x.to_dtype(DType::F32)?;
            // Softmax does not change when a constant is taken off, so no gradient flows through the maximum.
            let max = wide.detach().max_keepdim(D::Minus1)?;
            let exp = wide.broadcast_sub(&max)?.exp()?;
            let sum = exp.sum_keepdim(D::Minus1)?;
            Ok(exp.broadcast_div(&sum)?.to_dtype(x.dtype())?)
        }
    }
}

/// `x * sigmoid(x)`. The library's operation has a backward pass, so both forms are one.
///
/// # Errors
/// When the device fails.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    Ok(x.silu()?)
}

/// `silu(gate) * up`, the gate of the feed-forward layer.
///
/// # Errors
/// When the shapes differ.
pub fn swiglu(gate: &Tensor, up: &Tensor, mode: OpsMode) -> Result<Tensor> {
    if mode.kernels_for(gate) {
        return Ok(gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)?);
    }
    Ok((silu(gate)? * up)?)
}

/// `softmax(q k^T / sqrt(d), causal) v` of rows without padding on the left or a past: `q_bthd` and keys and values
/// `[b, t, n, d]`, where `n` divides `h`. The model calls it for its kernel; elsewhere it has masks and blocks to heed.
///
/// # Errors
/// When the shapes do not fit.
pub fn causal_attention(q_bthd: &Tensor, k_btnd: &Tensor, v_btnd: &Tensor, mode: OpsMode) -> Result<Tensor> {
    if mode.kernels_for(q_bthd) {
        let (k, v) = (k_btnd.contiguous()?, v_btnd.contiguous()?);
        return Ok(q_bthd.contiguous()?.apply_op3(&k, &v, CausalAttention)?);
    }
    let ((b, t, h, d), n) = (q_bthd.dims4()?, k_btnd.dim(2)?);
    let repeated = |x_btnd: &Tensor| -> Result<Tensor> {
        let x = x_btnd.transpose(1, 2)?.unsqueeze(2)?;
        let x = x.broadcast_as((b, n, h / n, t, d))?.contiguous()?;
        Ok(x.reshape((b, h, t, d))?)
    };
    let q_bhtd = (q_bthd.transpose(1, 2)?.contiguous()? * (d as f64).powf(-0.5))?;
    let scores = q_bhtd.matmul(&repeated(k_btnd)?.transpose(2, 3)?)?;
    let hidden = |i: usize| if i % t <= i / t { 0.0 } else { f32::NEG_INFINITY };
    let mask = Tensor::from_vec((0..t * t).map(hidden).collect(), (1, 1, t, t), q_bthd.device())?;
    let weights = softmax(&scores.broadcast_add(&mask.to_dtype(scores.dtype())?)?, mode)?;
    Ok(weights.matmul(&repeated(v_btnd)?)?.transpose(1, 2)?)
}

/// The sum over rows of `weights[i] * -ln softmax(logits_nv[i])[targets[i]]`, a scalar.
///
/// # Errors
/// When the lengths do not fit, or a target lies outside the vocabulary.
pub fn cross_entropy(logits_nv: &Tensor, targets: &[u32], weights: &[f32], mode: OpsMode) -> Result<Tensor> {
    if mode.kernels_for(logits_nv) {
        let op = CrossEntropy {
            targets: targets.to_vec(),
            weights: weights.to_vec(),
        };
        return Ok(logits_nv.contiguous()?.apply_op1(op)?);
    }
    let (n, device) = (targets.len(), logits_nv.device());
    let logprobs_nv = fused::log_softmax(logits_nv, D::Minus1)?;
    let targets_n1 = Tensor::from_slice(targets, (n, 1), device)?;
    let nll_n = logprobs_nv.gather(&targets_n1, 1)?.squeeze(1)?.neg()?;
    let weights_n = Tensor::from_slice(weights, n, device)?.to_dtype(nll_n.dtype())?;
    Ok((nll_n * weights_n)?.sum_all()?)
}

/// `x w^T + bias` over the last dimension; the leading dimensions are kept.
///
/// # Errors
/// When the shapes do not fit.
pub fn linear(x: &Tensor, w_oi: &Tensor, bias_o: Option<&Tensor>) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    let (out, inner) = w_oi.dims2()?;
    // One two-dimensional product: a batched one would repeat the weight for every row.
    let y = x.reshape(((), inner))?.matmul(&w_oi.t()?)?;
    let y = match bias_o {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    };
    *shape
        .last_mut()
        .expect("matmul has refused scalars. This is a bug.") = out;
    Ok(y.reshape(shape)?)
}

/// Rotary position factors of a batch, `cos_btr` and `sin_btr`.
#[derive(Debug, Clone)]
pub struct Rotary {
    cos_btr: Tensor,
    sin_btr: Tensor,
    /// The same as a table for our kernels.
    table: Arc<RopeTable>,
}

impl Rotary {
    /// Factors for `positions` (row after row, `rows` of them), heads of width `head_dim` and base `theta`.
    ///
    /// Computed afresh for every call, in the f32 arithmetic of the reference: it costs nothing beside one layer, and
    /// a table would have to be sized, shared and kept exact past its end.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(
        positions: &[u32],
        rows: usize,
        head_dim: usize,
        theta: f64,
        target: (DType, &Device),
    ) -> Result<Self> {
        let half = head_dim / 2;
        let frequency = |i: usize| 1.0 / (theta as f32).powf((2 * i) as f32 / head_dim as f32);
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let angles = || {
            positions
                .iter()
                .flat_map(|&p| frequencies.iter().map(move |f| p as f32 * f))
        };
        let shape = (rows, positions.len() / rows.max(1), half);
        let build = |values: Vec<f32>| Tensor::from_vec(values, shape, target.1)?.to_dtype(target.0);
        let places = positions.iter().map(|&p| p as usize);
        Ok(Self {
            table: Arc::new(RopeTable::of_positions(places, head_dim, theta)),
            cos_btr: build(angles().map(f32::cos).collect())?,
            sin_btr: build(angles().map(f32::sin).collect())?,
        })
    }

    /// [`Rotary::apply`] before the heads are moved in front of the tokens; [`OpsMode::Kernels`] has a kernel for it.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn apply_by_token(&self, x_bthd: &Tensor, mode: OpsMode) -> Result<Tensor> {
        if mode.kernels_for(x_bthd) {
            let table = Arc::clone(&self.table);
            return Ok(x_bthd.contiguous()?.apply_op1(Rope { table })?);
        }
        let x_bhtd = x_bthd.transpose(1, 2)?.contiguous()?;
        Ok(self.apply(&x_bhtd, mode)?.transpose(1, 2)?)
    }

    /// Turns the heads of `x_bhtd`, whose first half is paired with its second half.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn apply(&self, x_bhtd: &Tensor, mode: OpsMode) -> Result<Tensor> {
        match mode {
            OpsMode::Fast => Ok(candle_nn::rotary_emb::rope(
                &x_bhtd.contiguous()?,
                &self.cos_btr,
                &self.sin_btr,
            )?),
            OpsMode::Differentiable | OpsMode::Kernels => {
                let (cos, sin) = (self.cos_btr.unsqueeze(1)?, self.sin_btr.unsqueeze(1)?);
                let half = x_bhtd.dim(D::Minus1)? / 2;
                let left = x_bhtd.narrow(D::Minus1, 0, half)?;
                let right = x_bhtd.narrow(D::Minus1, half, half)?;
                let turned_left = (left.broadcast_mul(&cos)? - right.broadcast_mul(&sin)?)?;
                let turned_right = (right.broadcast_mul(&cos)? + left.broadcast_mul(&sin)?)?;
                Ok(Tensor::cat(&[turned_left, turned_right], D::Minus1)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    /// A deterministic tensor with values of mixed sign and size.
    fn sample(shape: &[usize]) -> Tensor {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|i| ((i * 7919 + 13) % 101) as f32 / 25.0 - 2.0)
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn check_twins(name: &str, apply: impl Fn(&Tensor, OpsMode) -> Tensor) {
        let x = Var::from_tensor(&sample(&[2, 3, 5, 8])).unwrap();
        let fast = apply(x.as_tensor(), OpsMode::Fast);
        let slow = apply(x.as_tensor(), OpsMode::Differentiable);
        let gap = (fast - &slow)
            .unwrap()
            .abs()
            .unwrap()
            .flatten_all()
            .unwrap()
            .max(0)
            .unwrap();
        let gap = gap.to_scalar::<f32>().unwrap();
        assert!(gap < 1e-6, "{name}: the twins differ by {gap}");

        let gradients = slow.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let gradient = gradients
            .get(&x)
            .unwrap_or_else(|| panic!("{name}: the differentiable twin lost the gradient"));
        let size = gradient
            .abs()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(size > 0.0, "{name}: the gradient is zero");
    }

    #[test]
    fn fused_operations_agree_with_their_differentiable_twins() {
        let weight = sample(&[8]);
        check_twins("rms_norm", |x, mode| rms_norm(x, &weight, 1e-6, mode).unwrap());
        check_twins("softmax", |x, mode| softmax(x, mode).unwrap());
        check_twins("silu", |x, _| silu(x).unwrap());
        let positions: Vec<u32> = (0..10).map(|i| i * 3).collect();
        let rotary = Rotary::new(&positions, 2, 8, 10_000.0, (DType::F32, &Device::Cpu)).unwrap();
        check_twins("rope", |x, mode| rotary.apply(x, mode).unwrap());
    }

    /// Value and all gradients of a kernel and of the differentiable form, of a loss that weighs every output differently.
    fn check_kernel(name: &str, inputs: &[&[usize]], apply: impl Fn(&[Tensor], OpsMode) -> Tensor) {
        let run = |mode: OpsMode| -> (Vec<f32>, Vec<Vec<f32>>) {
            let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let vars: Vec<Var> = inputs
                .iter()
                .map(|shape| Var::from_tensor(&sample(shape)).unwrap())
                .collect();
            let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
            let y = apply(&tensors, mode);
            let weights = sample(&[y.elem_count().max(2)])
                .narrow(0, 0, y.elem_count())
                .unwrap();
            let loss = (y.flatten_all().unwrap() * weights).unwrap().sum_all().unwrap();
            let gradients = loss.backward().unwrap();
            let of = |v: &Var| {
                flat(
                    gradients
                        .get(v)
                        .unwrap_or_else(|| panic!("{name}: a gradient is lost")),
                )
            };
            (flat(&y), vars.iter().map(of).collect())
        };
        let (kernel, plain) = (run(OpsMode::Kernels), run(OpsMode::Differentiable));
        let close = |what: &str, got: &[f32], want: &[f32]| {
            let largest = want.iter().fold(0f32, |a, b| a.max(b.abs()));
            assert!(largest > 0.0, "{name}, {what}: all zero");
            assert_eq!(got.len(), want.len(), "{name}, {what}");
            for (i, (got, want)) in got.iter().zip(want).enumerate() {
                let gap = (got - want).abs();
                assert!(gap <= 1e-5 * largest.max(1.0), "{name}, {what} {i}: {got} {want}");
            }
        };
        close("value", &kernel.0, &plain.0);
        for (i, (got, want)) in kernel.1.iter().zip(&plain.1).enumerate() {
            close(&format!("gradient {i}"), got, want);
        }
    }

    #[test]
    fn kernels_equal_the_differentiable_form_in_value_and_gradient() {
        check_kernel("rms_norm", &[&[2, 3, 5, 8], &[8]], |x, mode| {
            rms_norm(&x[0], &x[1], 1e-6, mode).unwrap()
        });
        check_kernel("swiglu", &[&[3, 4, 7], &[3, 4, 7]], |x, mode| {
            swiglu(&x[0], &x[1], mode).unwrap()
        });
        let positions: Vec<u32> = (0..10).map(|i| i * 3).collect();
        let rotary = Rotary::new(&positions, 2, 8, 10_000.0, (DType::F32, &Device::Cpu)).unwrap();
        check_kernel("rope", &[&[2, 5, 3, 8]], |x, mode| {
            rotary.apply_by_token(&x[0], mode).unwrap()
        });
        let (targets, weights) = ([4u32, 0, 10], [0.5f32, 0.0, 2.0]);
        check_kernel("cross_entropy", &[&[3, 11]], |x, mode| {
            cross_entropy(&x[0], &targets, &weights, mode).unwrap()
        });
        // A view that is not contiguous, and more tokens than a block of the kernel.
        check_kernel(
            "attention",
            &[&[2, 4, 70, 6], &[2, 70, 2, 6], &[2, 70, 2, 6]],
            |x, mode| {
                let q_bthd = x[0].transpose(1, 2).unwrap();
                causal_attention(&q_bthd, &x[1], &x[2], mode).unwrap()
            },
        );
    }

    #[test]
    fn kernels_refuse_shapes_that_do_not_fit() {
        let x = sample(&[2, 3, 4]);
        assert!(rms_norm(&x, &sample(&[3]), 1e-6, OpsMode::Kernels).is_err());
        assert!(swiglu(&x, &sample(&[2, 3, 5]), OpsMode::Kernels).is_err());
        let (q, k) = (sample(&[1, 5, 3, 4]), sample(&[1, 5, 2, 4]));
        assert!(causal_attention(&q, &k, &k, OpsMode::Kernels).is_err());
        let logits = sample(&[2, 5]);
        assert!(cross_entropy(&logits, &[1, 5], &[1.0, 1.0], OpsMode::Kernels).is_err());
        assert!(cross_entropy(&logits, &[1], &[1.0], OpsMode::Kernels).is_err());
    }

    /// The reason this file exists. Should the library ever learn these gradients, the twins can go.
    #[test]
    fn the_fused_operations_still_lose_gradients() {
        let x = Var::from_tensor(&sample(&[2, 8])).unwrap();
        let y = softmax(x.as_tensor(), OpsMode::Fast).unwrap();
        let gradients = y.sqr().unwrap().sum_all().unwrap().backward();
        assert!(gradients.is_err() || gradients.unwrap().get(&x).is_none());
    }
}
