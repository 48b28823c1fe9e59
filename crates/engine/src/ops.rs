//! The operations of the model, each in two forms that agree in value.
//!
//! The tensor library's fused kernels have no backward pass and say nothing about it: after `backward()` the
//! weights upstream of one have no gradient, or, behind a residual connection, a partial one, and training looks
//! alive. So every fused operation here has a twin made of operations with a backward pass, and [`OpsMode`] says
//! which of the two runs. Nothing outside this file calls a fused operation.
//!
//! Shape suffixes: `b` rows of the batch, `t` tokens, `h` heads, `d` head width, `r` half of it, `i` and `o` the
//! input and output of a linear map, `x` any shape.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops as fused;

use crate::EngineError;

type Result<T> = std::result::Result<T, EngineError>;

/// Which form of the operations runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpsMode {
    /// Fused kernels and the key-value cache: inference. Gradients do not flow.
    Fast,
    /// Every operation has a backward pass: training.
    Differentiable,
}

/// Root mean square norm over the last dimension: `x / sqrt(mean(x^2) + eps) * weight`.
///
/// # Errors
/// When the shapes do not fit.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64, mode: OpsMode) -> Result<Tensor> {
    match mode {
        OpsMode::Fast => Ok(fused::rms_norm(&x.contiguous()?, weight, eps as f32)?),
        OpsMode::Differentiable => {
            let wide = x.to_dtype(DType::F32)?;
            let inverse_root = (wide.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?;
            let normed = wide.broadcast_mul(&inverse_root)?.to_dtype(x.dtype())?;
            Ok(normed.broadcast_mul(weight)?)
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
        OpsMode::Differentiable => {
            // Softmax does not change when a constant is taken off, so no gradient flows through the maximum.
            let max = x.detach().max_keepdim(D::Minus1)?;
            let exp = x.broadcast_sub(&max)?.exp()?;
            let sum = exp.sum_keepdim(D::Minus1)?;
            Ok(exp.broadcast_div(&sum)?)
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
        Ok(Self {
            cos_btr: build(angles().map(f32::cos).collect())?,
            sin_btr: build(angles().map(f32::sin).collect())?,
        })
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
            OpsMode::Differentiable => {
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

    /// The reason this file exists. Should the library ever learn these gradients, the twins can go.
    #[test]
    fn the_fused_operations_still_lose_gradients() {
        let x = Var::from_tensor(&sample(&[2, 8])).unwrap();
        let y = softmax(x.as_tensor(), OpsMode::Fast).unwrap();
        let gradients = y.sqr().unwrap().sum_all().unwrap().backward();
        assert!(gradients.is_err() || gradients.unwrap().get(&x).is_none());
    }
}
