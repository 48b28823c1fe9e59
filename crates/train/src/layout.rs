//! Where each tensor of a model lies in the one flat vector that training works on.
//!
//! Parameters, gradients and both AdamW moments share this layout, so that the optimiser, the checkpoint and the
//! gradient sum of several threads are loops over slices, and two implementations of the gradient can be compared
//! number by number.

use crate::TrainError;
use std::ops::Range;

/// The numbers that fix a Qwen3 model's tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dims {
    /// Vocabulary size, `v`.
    pub vocab: usize,
    /// Hidden size, `d`.
    pub hidden: usize,
    /// Feed-forward size, `f`.
    pub feed_forward: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Elements of a head, `k`.
    pub head_dim: usize,
    /// Whether the output projection is the embedding.
    pub tied: bool,
    /// Added to the mean square before its root.
    pub eps: f32,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Longest sequence.
    pub positions: usize,
}

impl TryFrom<&rewardanything_engine::Config> for Dims {
    type Error = TrainError;

    /// Refuses projections with biases, which no Qwen3 model has.
    fn try_from(c: &rewardanything_engine::Config) -> Result<Self, TrainError> {
        if c.attention_bias {
            let message = "training expects false, as in every Qwen3 model, got true".to_owned();
            return Err(TrainError::Recipe {
                field: "model.attention_bias",
                message,
            });
        }
        Ok(Self {
            vocab: c.vocab_size,
            hidden: c.hidden_size,
            feed_forward: c.intermediate_size,
            layers: c.num_hidden_layers,
            heads: c.num_attention_heads,
            kv_heads: c.num_key_value_heads,
            head_dim: c.head_dim,
            tied: c.tie_word_embeddings,
            eps: c.rms_norm_eps as f32,
            rope_theta: c.rope_theta,
            positions: c.max_position_embeddings,
        })
    }
}

/// One tensor: its Hugging Face name, shape and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Name in `model.safetensors`.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// Place in the flat vector.
    pub range: Range<usize>,
}

/// The places of one decoder layer's tensors.
#[derive(Clone, Debug)]
pub(crate) struct LayerRanges {
    pub(crate) norm1: Range<usize>,
    pub(crate) q: Range<usize>,
    pub(crate) k: Range<usize>,
    pub(crate) v: Range<usize>,
    pub(crate) q_norm: Range<usize>,
    pub(crate) k_norm: Range<usize>,
    pub(crate) o: Range<usize>,
    pub(crate) norm2: Range<usize>,
    pub(crate) gate: Range<usize>,
    pub(crate) up: Range<usize>,
    pub(crate) down: Range<usize>,
}

/// All tensors of a model in a fixed order.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The model's numbers.
    pub dims: Dims,
    /// Every tensor, in the order of the flat vector.
    pub tensors: Vec<Tensor>,
    pub(crate) embed: Range<usize>,
    pub(crate) layers: Vec<LayerRanges>,
    pub(crate) norm: Range<usize>,
    /// The output projection: the embedding's range when tied.
    pub(crate) head: Range<usize>,
}

impl Layout {
    /// The layout of a model of these dimensions.
    pub fn new(dims: Dims) -> Self {
        let mut tensors: Vec<Tensor> = Vec::new();
        let mut end = 0;
        let mut add = |name: String, shape: &[usize]| -> Range<usize> {
            let range = end..end + shape.iter().product::<usize>();
            end = range.end;
            tensors.push(Tensor {
                name,
                shape: shape.to_vec(),
                range: range.clone(),
            });
            range
        };
        let Dims {
            hidden: d,
            feed_forward: f,
            head_dim: k,
            ..
        } = dims;
        let (q_width, kv_width) = (dims.heads * k, dims.kv_heads * k);
        let embed = add("model.embed_tokens.weight".into(), &[dims.vocab, d]);
        let layers = (0..dims.layers)
            .map(|i| {
                let mut layer =
                    |name: &str, shape: &[usize]| add(format!("model.layers.{i}.{name}.weight"), shape);
                LayerRanges {
                    norm1: layer("input_layernorm", &[d]),
                    q: layer("self_attn.q_proj", &[q_width, d]),
                    k: layer("self_attn.k_proj", &[kv_width, d]),
                    v: layer("self_attn.v_proj", &[kv_width, d]),
                    q_norm: layer("self_attn.q_norm", &[k]),
                    k_norm: layer("self_attn.k_norm", &[k]),
                    o: layer("self_attn.o_proj", &[d, q_width]),
                    norm2: layer("post_attention_layernorm", &[d]),
                    gate: layer("mlp.gate_proj", &[f, d]),
                    up: layer("mlp.up_proj", &[f, d]),
                    down: layer("mlp.down_proj", &[d, f]),
                }
            })
            .collect();
        let norm = add("model.norm.weight".into(), &[d]);
        let head = if dims.tied {
            embed.clone()
        } else {
            add("lm_head.weight".into(), &[dims.vocab, d])
        };
        Self {
            dims,
            tensors,
            embed,
            layers,
            norm,
            head,
        }
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.tensors.last().map_or(0, |t| t.range.end)
    }

    /// Whether there is no parameter at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fresh parameters: norms 1, matrices normal with deviation 0.02, the projections that write into the residual
    /// stream scaled down by `1 / sqrt(2 layers)` (the GPT-2 initialisation).
    pub fn initial(&self, rng: &mut impl rand::Rng) -> Vec<f32> {
        let mut values = vec![0f32; self.len()];
        let residual = 0.02 / (2.0 * self.dims.layers as f32).sqrt();
        for tensor in &self.tensors {
            let slice = &mut values[tensor.range.clone()];
            if tensor.shape.len() == 1 {
                slice.fill(1.0);
                continue;
            }
            let writes_residual =
                tensor.name.ends_with("o_proj.weight") || tensor.name.ends_with("down_proj.weight");
            let deviation = if writes_residual { residual } else { 0.02 };
            for x in slice {
                *x = deviation * standard_normal(rng);
            }
        }
        values
    }

    /// Which parameters weight decay applies to: matrices, not norms.
    pub fn decays(&self) -> Vec<(Range<usize>, bool)> {
        self.tensors
            .iter()
            .map(|t| (t.range.clone(), t.shape.len() > 1))
            .collect()
    }
}

/// Box and Muller's transform of two uniform draws.
pub(crate) fn standard_normal(rng: &mut impl rand::Rng) -> f32 {
    let (u, v): (f32, f32) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}
