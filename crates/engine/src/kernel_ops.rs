//! Our kernels as operations of the tensor library, forward and backward, for `f32` on a CPU.
//!
//! The library's own fused operations have no backward pass; these have one, written out by hand in `kernels`. A
//! backward pass computes again what the forward pass did not keep (the root mean squares, the log-sum-exps): an
//! operation here has at most three inputs and one output and saves nothing. Each call runs on the calling thread.
//!
//! Shape suffixes as in [`crate::ops`], and `n` rows, `v` vocabulary, `k` heads of keys and values.

use std::sync::Arc;

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Error, Layout, Result, Shape, Tensor, bail,
};
use rewardanything_kernels::attention::Saved;
use rewardanything_kernels::{self as kernels, AttentionShape, RopeTable};

/// The numbers of a contiguous tensor.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("a contiguous tensor expected, got strides {:?}", layout.stride());
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

fn tensor(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), &Device::Cpu)
}

/// `x / sqrt(mean(x²) + eps) * weight` over the last dimension.
pub(crate) struct RmsNorm {
    pub(crate) eps: f32,
}

impl RmsNorm {
    /// The output, and the inverse root mean square of each row.
    fn forward(&self, x: &[f32], weight: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        if weight.is_empty() || !x.len().is_multiple_of(weight.len()) {
            bail!("rms-norm: a weight of {} for {} numbers", weight.len(), x.len());
        }
        let (mut out, mut inverse) = (vec![0.0; x.len()], vec![0.0; x.len() / weight.len()]);
        kernels::rms_norm_forward(x, weight, self.eps, &mut out, &mut inverse);
        Ok((out, inverse))
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm-kernel"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if l1.dims().last() != l2.dims().last() || l2.dims().len() != 1 {
            bail!("rms-norm: a weight {:?} for {:?}", l2.dims(), l1.dims());
        }
        let (out, _) = self.forward(slice(s1, l1)?, slice(s2, l2)?)?;
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        d_out: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x_values, w) = (values(x)?, values(weight)?);
        let (_, inverse) = self.forward(&x_values, &w)?;
        let (mut d_x, mut d_w) = (vec![0.0; x_values.len()], vec![0.0; w.len()]);
        kernels::rms_norm_backward((&x_values, &w, &inverse), &values(d_out)?, &mut d_x, &mut d_w);
        Ok((Some(tensor(d_x, x)?), Some(tensor(d_w, weight)?)))
    }
}

/// Turns the heads of `x_bthd`; the table has one row for each of the `b t` tokens.
pub(crate) struct Rope {
    pub(crate) table: Arc<RopeTable>,
}

impl Rope {
    fn turn(&self, x: &mut [f32], dims: &[usize], forward: bool) -> Result<()> {
        let &[b, t, heads, _] = dims else {
            bail!("rope: four dimensions expected, got {dims:?}");
        };
        let rows: Vec<usize> = (0..b * t).collect();
        if forward {
            kernels::rope_forward(x, heads, &rows, &self.table);
        } else {
            kernels::rope_backward(x, heads, &rows, &self.table);
        }
        Ok(())
    }
}

impl CustomOp1 for Rope {
    fn name(&self) -> &'static str {
        "rope-kernel"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = slice(storage, layout)?.to_vec();
        self.turn(&mut out, layout.dims(), true)?;
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, d_out: &Tensor) -> Result<Option<Tensor>> {
        let mut d_x = values(d_out)?;
        self.turn(&mut d_x, x.dims(), false)?;
        Ok(Some(tensor(d_x, x)?))
    }
}

/// `silu(gate) * up`.
pub(crate) struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu-kernel"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if l1.dims() != l2.dims() {
            bail!("swiglu: {:?} and {:?}", l1.dims(), l2.dims());
        }
        let (gate, up) = (slice(s1, l1)?, slice(s2, l2)?);
        let mut out = vec![0.0; gate.len()];
        kernels::swiglu_forward(gate, up, &mut out);
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        d_out: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (mut d_gate, mut d_up) = (values(gate)?, values(up)?);
        kernels::swiglu_backward(&mut d_gate, &mut d_up, &values(d_out)?);
        Ok((Some(tensor(d_gate, gate)?), Some(tensor(d_up, up)?)))
    }
}

/// `softmax(q kᵀ / √d, causal) v` of each row: `q_bthd` and keys and values `[b, t, k, d]`.
pub(crate) struct CausalAttention;

impl CausalAttention {
    /// The form of one row, and how many rows there are.
    fn shape(q: &[usize], k: &[usize]) -> Result<(AttentionShape, usize)> {
        match (q, k) {
            (&[b, t, heads, d], &[b2, t2, kv_heads, d2])
                if b == b2 && t == t2 && d == d2 && kv_heads > 0 && heads.is_multiple_of(kv_heads) =>
            {
                let shape = AttentionShape {
                    tokens: t,
                    heads,
                    kv_heads,
                    head_dim: d,
                };
                Ok((shape, b))
            }
            _ => Err(Error::Msg(format!("attention: queries {q:?}, keys {k:?}")).bt()),
        }
    }

    /// The output and the log-sum-exps of all rows.
    fn forward(
        shape: AttentionShape,
        rows: usize,
        (q, k, v): (&[f32], &[f32], &[f32]),
    ) -> (Vec<f32>, Vec<f32>) {
        let (mut out, mut lse) = (vec![0.0; q.len()], vec![0.0; rows * shape.heads * shape.tokens]);
        let mut scratch = Vec::new();
        for row in 0..rows {
            let (q_row, k_row) = (part(q.len(), rows, row), part(k.len(), rows, row));
            let inputs = (&q[q_row.clone()], &k[k_row.clone()], &v[k_row]);
            let lse_row = part(lse.len(), rows, row);
            kernels::attention_forward(shape, inputs, &mut out[q_row], &mut lse[lse_row], &mut scratch);
        }
        (out, lse)
    }
}

/// Row `row` of `rows` that make up `len`.
fn part(len: usize, rows: usize, row: usize) -> std::ops::Range<usize> {
    let width = len / rows;
    row * width..(row + 1) * width
}

impl CustomOp3 for CausalAttention {
    fn name(&self) -> &'static str {
        "causal-attention-kernel"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (shape, rows) = Self::shape(l1.dims(), l2.dims())?;
        if l2.dims() != l3.dims() {
            bail!("attention: keys {:?}, values {:?}", l2.dims(), l3.dims());
        }
        let inputs = (slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        let (out, _) = Self::forward(shape, rows, inputs);
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        d_out: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (shape, rows) = Self::shape(q.dims(), k.dims())?;
        let (q_values, k_values, v_values, d_values) = (values(q)?, values(k)?, values(v)?, values(d_out)?);
        let (out, lse) = Self::forward(shape, rows, (&q_values, &k_values, &v_values));
        let (mut d_q, mut d_k) = (vec![0.0; q_values.len()], vec![0.0; k_values.len()]);
        let mut d_v = d_k.clone();
        let mut scratch = Vec::new();
        for row in 0..rows {
            let (qr, kr) = (part(q_values.len(), rows, row), part(k_values.len(), rows, row));
            let saved = Saved {
                q: &q_values[qr.clone()],
                k: &k_values[kr.clone()],
                v: &v_values[kr.clone()],
                out: &out[qr.clone()],
                lse: &lse[part(lse.len(), rows, row)],
            };
            let gradients = (&mut d_q[qr.clone()], &mut d_k[kr.clone()], &mut d_v[kr]);
            kernels::attention_backward(shape, saved, &d_values[qr], gradients, &mut scratch);
        }
        Ok((
            Some(tensor(d_q, q)?),
            Some(tensor(d_k, k)?),
            Some(tensor(d_v, v)?),
        ))
    }
}

/// The weighted sum of the cross-entropies of `logits_nv`, a scalar.
pub(crate) struct CrossEntropy {
    pub(crate) targets: Vec<u32>,
    pub(crate) weights: Vec<f32>,
}

impl CrossEntropy {
    /// The loss; `logits` become the gradient of `scale` times it.
    fn loss(&self, logits: &mut [f32], scale: f32) -> f64 {
        let weights: Vec<f32> = self.weights.iter().map(|w| w * scale).collect();
        kernels::cross_entropy(
            logits,
            &self.targets,
            &weights,
            &mut vec![false; self.targets.len()],
        )
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy-kernel"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let &[n, v] = layout.dims() else {
            bail!("cross-entropy: logits [n, v] expected, got {:?}", layout.dims());
        };
        let inside = self.targets.iter().all(|&target| (target as usize) < v);
        if n == 0 || n != self.targets.len() || n != self.weights.len() || !inside {
            bail!(
                "cross-entropy: {n} rows of {v} logits, {} targets below that and {} weights",
                self.targets.len(),
                self.weights.len()
            );
        }
        let loss = self.loss(&mut slice(storage, layout)?.to_vec(), 1.0);
        Ok((CpuStorage::F32(vec![loss as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, d_loss: &Tensor) -> Result<Option<Tensor>> {
        let mut gradient = values(logits)?;
        self.loss(&mut gradient, d_loss.to_scalar()?);
        Ok(Some(tensor(gradient, logits)?))
    }
}
