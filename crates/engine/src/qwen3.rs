//! Qwen3: a decoder with grouped-query attention, an RMS norm on every query and key head, rotary positions
//! (first half of a head paired with the second) and a gated feed-forward layer. One file for inference and training.
//!
//! Deviations from the reference implementation: queries are scaled before the product with the keys instead of the
//! scores after it; in [`OpsMode::Fast`] attention runs over blocks of queries, each seeing only the keys up to its
//! end, so that a long prompt needs neither the full square of scores nor its upper half.
//!
//! Shape suffixes: `b` rows, `t` new tokens, `s` slots (past and new), `e` hidden width, `h` query heads, `n`
//! key-value heads, `g` query heads per key-value head, `d` head width, `v` vocabulary.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::batch::{Batch, Visibility};
use crate::cache::Cache;
use crate::ops::{self, OpsMode, Rotary};
use crate::{Config, EngineError};

type Result<T> = std::result::Result<T, EngineError>;

/// Queries that attention takes at a time in [`OpsMode::Fast`].
const QUERY_BLOCK: usize = 256;

/// The tokens whose logits a forward pass returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Positions {
    /// The last token of each row: logits `[b, v]`.
    Last,
    /// All tokens, padding included: logits `[b, t, v]`.
    All,
}

/// The model. Cheap to clone; clones share their weights.
#[derive(Debug, Clone)]
pub struct Qwen3 {
    config: Config,
    embedding_ve: Tensor,
    layers: Vec<Layer>,
    norm_e: Tensor,
    head_ve: Tensor,
}

#[derive(Debug, Clone)]
struct Layer {
    input_norm_e: Tensor,
    attention: Attention,
    post_norm_e: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

#[derive(Debug, Clone)]
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    q_norm_d: Tensor,
    k_norm_d: Tensor,
}

#[derive(Debug, Clone)]
struct Linear {
    w_oi: Tensor,
    bias_o: Option<Tensor>,
}

/// What all layers of one forward pass share.
struct Pass<'a> {
    config: &'a Config,
    rotary: Rotary,
    blocks: Vec<Block>,
    /// Whether our kernel does attention: each token sees its own row's earlier tokens of this batch, and those alone.
    causal_kernel: bool,
    mode: OpsMode,
}

/// Queries `start..start + count`, which see the slots `0..slots`.
struct Block {
    start: usize,
    count: usize,
    slots: usize,
    /// Added to the scores, `[1 or b, 1, 1, count, slots]`; absent where nothing is hidden.
    mask: Option<Tensor>,
}

impl Qwen3 {
    /// Takes the weights from `weights`, by their Hugging Face names and in its number format. With a builder over a
    /// `VarMap`, absent tensors are drawn: matrices normal with the configuration's `initializer_range`, norms one.
    ///
    /// # Errors
    /// [`EngineError::Config`], [`EngineError::MissingTensor`] or [`EngineError::WrongShape`].
    pub fn new(config: &Config, weights: VarBuilder<'_>) -> Result<Self> {
        config.validate()?;
        let (e, f, d) = (config.hidden_size, config.intermediate_size, config.head_dim);
        let (q, kv) = (config.num_attention_heads * d, config.num_key_value_heads * d);
        let normal = Init::Randn {
            mean: 0.0,
            stdev: config.initializer_range,
        };
        let norm = |weights: VarBuilder<'_>, width| weights.get_with_hints(width, "weight", Init::Const(1.0));
        let linear = |weights: VarBuilder<'_>, out, inner, biased: bool| -> Result<Linear> {
            let bias_o = biased
                .then(|| weights.get_with_hints(out, "bias", Init::Const(0.0)))
                .transpose()?;
            Ok(Linear {
                w_oi: weights.get_with_hints((out, inner), "weight", normal)?,
                bias_o,
            })
        };
        let model = weights.pp("model");
        let embedding_ve =
            model
                .pp("embed_tokens")
                .get_with_hints((config.vocab_size, e), "weight", normal)?;
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let layer = model.pp("layers").pp(index);
            let (attention, mlp) = (layer.pp("self_attn"), layer.pp("mlp"));
            layers.push(Layer {
                input_norm_e: norm(layer.pp("input_layernorm"), e)?,
                attention: Attention {
                    q: linear(attention.pp("q_proj"), q, e, config.attention_bias)?,
                    k: linear(attention.pp("k_proj"), kv, e, config.attention_bias)?,
                    v: linear(attention.pp("v_proj"), kv, e, config.attention_bias)?,
                    o: linear(attention.pp("o_proj"), e, q, config.attention_bias)?,
                    q_norm_d: norm(attention.pp("q_norm"), d)?,
                    k_norm_d: norm(attention.pp("k_norm"), d)?,
                },
                post_norm_e: norm(layer.pp("post_attention_layernorm"), e)?,
                gate: linear(mlp.pp("gate_proj"), f, e, false)?,
                up: linear(mlp.pp("up_proj"), f, e, false)?,
                down: linear(mlp.pp("down_proj"), e, f, false)?,
            });
        }
        let norm_e = norm(model.pp("norm"), e)?;
        let head_ve = if config.tie_word_embeddings {
            embedding_ve.clone()
        } else {
            weights
                .pp("lm_head")
                .get_with_hints((config.vocab_size, e), "weight", normal)?
        };
        Ok(Self {
            config: config.clone(),
            embedding_ve,
            layers,
            norm_e,
            head_ve,
        })
    }

    /// The configuration that it was built with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where its weights lie.
    pub fn device(&self) -> &Device {
        self.embedding_ve.device()
    }

    /// The number format that it computes in.
    pub fn dtype(&self) -> DType {
        self.embedding_ve.dtype()
    }

    /// Logits in f32 of the next token: `[b, v]` for [`Positions::Last`], `[b, t, v]` for [`Positions::All`]. The
    /// batch continues the rows of `cache`, which then holds it too.
    ///
    /// [`OpsMode::Differentiable`] wants [`Cache::none`]: the cache is written in place, which gradients don't survive.
    ///
    /// # Errors
    /// [`EngineError::TokenOutOfRange`]; [`EngineError::Call`] for a cache with other rows, for one that keeps in
    /// differentiable mode or with packed rows.
    pub fn forward(
        &self,
        batch: &Batch,
        cache: &mut Cache,
        positions: Positions,
        mode: OpsMode,
    ) -> Result<Tensor> {
        let hidden_bte = self.hidden(batch, cache, mode)?;
        match positions {
            Positions::All => self.logits(&hidden_bte),
            Positions::Last => {
                let index = Tensor::new(batch.last_indices(), self.device())?;
                self.logits(&hidden_bte.flatten_to(1)?.index_select(&index, 0)?)
            }
        }
    }

    /// The final, normalised hidden states `[b, t, e]`. With [`Qwen3::logits`] on a selection of them, a caller pays
    /// for the vocabulary only where it needs it.
    ///
    /// # Errors
    /// As [`Qwen3::forward`].
    pub fn hidden(&self, batch: &Batch, cache: &mut Cache, mode: OpsMode) -> Result<Tensor> {
        self.check(batch, cache, mode)?;
        let pass = self.pass(batch, cache, mode)?;
        let eps = self.config.rms_norm_eps;
        let shape = (batch.rows(), batch.width(), self.config.hidden_size);
        let tokens = Tensor::new(batch.tokens(), self.device())?;
        let mut x_bte = self.embedding_ve.index_select(&tokens, 0)?.reshape(shape)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let normed_bte = ops::rms_norm(&x_bte, &layer.input_norm_e, eps, mode)?;
            x_bte = (x_bte + layer.attention.forward(&normed_bte, &pass, cache, index)?)?;
            let normed_bte = ops::rms_norm(&x_bte, &layer.post_norm_e, eps, mode)?;
            let (gate, up) = (layer.gate.forward(&normed_bte)?, layer.up.forward(&normed_bte)?);
            let gated = ops::swiglu(&gate, &up, mode)?;
            x_bte = (x_bte + layer.down.forward(&gated)?)?;
        }
        cache.advance(batch);
        ops::rms_norm(&x_bte, &self.norm_e, eps, mode)
    }

    /// Logits in f32 of hidden states of any leading shape.
    ///
    /// # Errors
    /// When the last dimension is not the hidden width.
    pub fn logits(&self, hidden_xe: &Tensor) -> Result<Tensor> {
        Ok(ops::linear(hidden_xe, &self.head_ve, None)?.to_dtype(DType::F32)?)
    }

    fn check(&self, batch: &Batch, cache: &Cache, mode: OpsMode) -> Result<()> {
        let vocabulary = self.config.vocab_size;
        if let Some(&token) = batch.tokens().iter().find(|&&token| token as usize >= vocabulary) {
            return Err(EngineError::TokenOutOfRange { token, vocabulary });
        }
        let refuse = |message: String| Err(EngineError::Call(message));
        if cache.keeps() && mode != OpsMode::Fast {
            return refuse("a differentiable pass writes no cache: pass Cache::none()".to_owned());
        }
        if cache.keeps() && batch.is_packed() {
            return refuse("packed rows cannot be continued: pass Cache::none()".to_owned());
        }
        if cache.rows() != 0 && cache.rows() != batch.rows() {
            return refuse(format!(
                "the cache holds {} rows, the batch {}",
                cache.rows(),
                batch.rows()
            ));
        }
        Ok(())
    }

    fn pass(&self, batch: &Batch, cache: &Cache, mode: OpsMode) -> Result<Pass<'_>> {
        let past = if cache.rows() == 0 {
            vec![0; batch.rows()]
        } else {
            cache.lengths()
        };
        let positions = batch.positions_after(&past);
        let target = (self.dtype(), self.device());
        let rotary = Rotary::new(
            &positions,
            batch.rows(),
            self.config.head_dim,
            self.config.rope_theta,
            target,
        )?;
        let visibility = Visibility::new(batch, cache.filled());
        let block = match mode {
            OpsMode::Fast => QUERY_BLOCK,
            OpsMode::Differentiable | OpsMode::Kernels => batch.width(),
        };
        let mut blocks = Vec::new();
        for start in (0..batch.width()).step_by(block) {
            let count = block.min(batch.width() - start);
            let mask = match visibility.mask(start, count) {
                Some((values, rows, slots)) => {
                    Some(Tensor::from_vec(values, (rows, 1, 1, count, slots), target.1)?.to_dtype(target.0)?)
                }
                None => None,
            };
            blocks.push(Block {
                start,
                count,
                slots: visibility.past_len() + start + count,
                mask,
            });
        }
        Ok(Pass {
            config: &self.config,
            rotary,
            blocks,
            causal_kernel: mode.kernels_for(&self.embedding_ve)
                && visibility.is_causal()
                && visibility.past_len() == 0,
            mode,
        })
    }
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::linear(x, &self.w_oi, self.bias_o.as_ref())
    }
}

impl Attention {
    fn forward(&self, x_bte: &Tensor, pass: &Pass<'_>, cache: &mut Cache, layer: usize) -> Result<Tensor> {
        let (b, t, _) = x_bte.dims3()?;
        let Config {
            num_attention_heads: h,
            num_key_value_heads: n,
            head_dim: d,
            rms_norm_eps: eps,
            ..
        } = *pass.config;
        let heads = |projection: &Linear, count: usize| -> Result<Tensor> {
            Ok(projection.forward(x_bte)?.reshape((b, t, count, d))?)
        };
        if pass.causal_kernel {
            let turned = |x_bthd: &Tensor, norm_d: &Tensor| -> Result<Tensor> {
                let normed_bthd = ops::rms_norm(x_bthd, norm_d, eps, pass.mode)?;
                pass.rotary.apply_by_token(&normed_bthd, pass.mode)
            };
            let q_bthd = turned(&heads(&self.q, h)?, &self.q_norm_d)?;
            let k_btnd = turned(&heads(&self.k, n)?, &self.k_norm_d)?;
            let y_bthd = ops::causal_attention(&q_bthd, &k_btnd, &heads(&self.v, n)?, pass.mode)?;
            return self.o.forward(&y_bthd.reshape((b, t, h * d))?);
        }
        let turned = |x_bthd: Tensor, norm_d: &Tensor| -> Result<Tensor> {
            let normed_bthd = ops::rms_norm(&x_bthd, norm_d, eps, pass.mode)?;
            pass.rotary
                .apply(&normed_bthd.transpose(1, 2)?.contiguous()?, pass.mode)
        };
        let q_bhtd = (turned(heads(&self.q, h)?, &self.q_norm_d)? * (d as f64).powf(-0.5))?;
        let k_bntd = turned(heads(&self.k, n)?, &self.k_norm_d)?;
        let v_bntd = heads(&self.v, n)?.transpose(1, 2)?.contiguous()?;
        let (k_bnsd, v_bnsd) = cache.append(layer, &k_bntd, &v_bntd)?;

        let mut parts_bhtd = Vec::with_capacity(pass.blocks.len());
        for block in &pass.blocks {
            parts_bhtd.push(attend(&q_bhtd, (&k_bnsd, &v_bnsd), block, pass.mode)?);
        }
        let y_bhtd = if parts_bhtd.len() == 1 {
            parts_bhtd.swap_remove(0)
        } else {
            Tensor::cat(&parts_bhtd, 2)?
        };
        self.o.forward(&y_bhtd.transpose(1, 2)?.reshape((b, t, h * d))?)
    }
}

/// Attention of one block of queries. The query heads that share a key-value head are stacked along the tokens, so
/// keys and values are never repeated.
fn attend(
    q_bhtd: &Tensor,
    (k_bnsd, v_bnsd): (&Tensor, &Tensor),
    block: &Block,
    mode: OpsMode,
) -> Result<Tensor> {
    let &Block {
        start,
        count,
        slots,
        ref mask,
    } = block;
    let (b, h, t, d) = q_bhtd.dims4()?;
    let n = k_bnsd.dim(1)?;
    let g = h / n;
    let q_bhtd = if count == t {
        q_bhtd.clone()
    } else {
        q_bhtd.narrow(2, start, count)?.contiguous()?
    };
    let k_bnds = k_bnsd.narrow(2, 0, slots)?.transpose(2, 3)?;
    let mut scores = q_bhtd.reshape((b, n, g * count, d))?.matmul(&k_bnds)?;
    if let Some(mask) = mask {
        scores = scores.reshape((b, n, g, count, slots))?.broadcast_add(mask)?;
    }
    let weights = ops::softmax(&scores, mode)?.reshape((b, n, g * count, slots))?;
    Ok(weights
        .matmul(&v_bnsd.narrow(2, 0, slots)?)?
        .reshape((b, h, count, d))?)
}
