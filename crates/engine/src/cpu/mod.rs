//! Qwen3 on the CPU over our own kernels: inference alone, without the tensor library.
//!
//! It computes what [`crate::Qwen3`] computes, which is its tested twin and runs wherever there is a device or a
//! gradient. What it gains: tokens of unequal rows lie side by side without padding, weights stay in the number format
//! of their file, keys and values lie in pages that rows share, and a row's result does not depend, in any bit, on the
//! rows beside it, on the pieces it came in or on what was cached.
//!
//! Shape suffixes: `t` tokens of all rows, `e` hidden width, `h` query heads, `n` key-value heads, `d` head width,
//! `f` feed-forward width, `v` vocabulary.

mod pages;
mod prefixes;
mod schedule;

use rayon::prelude::*;
use rewardanything_kernels as kernels;
use rewardanything_kernels::{
    HeadNorm, KvFormat, KvShape, NewTokens, PAGE, PackedMatrix, PageRef, PagedQueries, RopeTable,
};

use crate::weights::pack;
use crate::{Config, EngineError, Weights};

pub use pages::Sequence;
pub use prefixes::PrefixCache;
pub(crate) use schedule::generate;

type Result<T> = std::result::Result<T, EngineError>;

/// Rows that a thread takes at once in loops over elements.
const ROWS: usize = 32;

/// The weights, packed for the kernels.
pub struct CpuModel {
    config: Config,
    embedding_ve: PackedMatrix,
    layers: Vec<Layer>,
    norm_e: Vec<f32>,
    /// `None` where the embedding is also the output layer.
    head_ve: Option<PackedMatrix>,
}

struct Layer {
    input_norm_e: Vec<f32>,
    q: Linear,
    k: Linear,
    v: Linear,
    q_norm_d: Vec<f32>,
    k_norm_d: Vec<f32>,
    o: Linear,
    post_norm_e: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
}

struct Linear {
    weight: PackedMatrix,
    bias: Option<Vec<f32>>,
}

/// Which positions' logits a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// None: the tokens are only to be remembered.
    Nothing,
    /// The last position's.
    Last,
    /// Every position's.
    All,
}

/// The new tokens of one row.
#[derive(Debug)]
pub struct Part<'a> {
    /// What the row has seen so far; the tokens are appended to it.
    pub sequence: &'a mut Sequence,
    /// At least one.
    pub tokens: &'a [u32],
    /// Which logits are wanted.
    pub wanted: Wanted,
}

impl CpuModel {
    /// Packs the weights of a model.
    ///
    /// # Errors
    /// As [`Weights::check`], or a failure to read.
    pub fn new(config: &Config, weights: &Weights<'_>) -> Result<Self> {
        weights.check(config)?;
        let load = Loader(weights);
        let (e, f, d) = (config.hidden_size, config.intermediate_size, config.head_dim);
        let (h, n) = (config.num_attention_heads, config.num_key_value_heads);
        let layer = |index: usize| -> Result<Layer> {
            let name = |part: &str| format!("model.layers.{index}.{part}");
            let attention = |part: &str, o: usize, i: usize| {
                load.linear(&name(&format!("self_attn.{part}")), (o, i), config.attention_bias)
            };
            let mlp =
                |part: &str, o: usize, i: usize| load.linear(&name(&format!("mlp.{part}")), (o, i), false);
            Ok(Layer {
                input_norm_e: load.vector(&name("input_layernorm.weight"))?,
                q: attention("q_proj", h * d, e)?,
                k: attention("k_proj", n * d, e)?,
                v: attention("v_proj", n * d, e)?,
                q_norm_d: load.vector(&name("self_attn.q_norm.weight"))?,
                k_norm_d: load.vector(&name("self_attn.k_norm.weight"))?,
                o: attention("o_proj", e, h * d)?,
                post_norm_e: load.vector(&name("post_attention_layernorm.weight"))?,
                gate: mlp("gate_proj", f, e)?,
                up: mlp("up_proj", f, e)?,
                down: mlp("down_proj", e, f)?,
            })
        };
        Ok(Self {
            config: config.clone(),
            embedding_ve: load.matrix("model.embed_tokens.weight", (config.vocab_size, e))?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            norm_e: load.vector("model.norm.weight")?,
            head_ve: if config.tie_word_embeddings {
                None
            } else {
                Some(load.matrix("lm_head.weight", (config.vocab_size, e))?)
            },
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A row that has seen nothing yet.
    pub fn sequence(&self) -> Sequence {
        Sequence::new(self.kv_shape(), KvFormat::F32, self.layers.len())
    }

    fn kv_shape(&self) -> KvShape {
        KvShape {
            heads: self.config.num_attention_heads,
            kv_heads: self.config.num_key_value_heads,
            head_dim: self.config.head_dim,
        }
    }

    /// Appends each part's tokens to its row. Returns, for each part, the logits of the wanted positions, `[v]` each.
    ///
    /// # Errors
    /// [`EngineError::TokenOutOfRange`], or [`EngineError::Call`] for a part without tokens. Nothing is appended then.
    pub fn forward(&self, parts: &mut [Part<'_>]) -> Result<Vec<Vec<Vec<f32>>>> {
        self.check(parts)?;
        let (e, eps) = (self.config.hidden_size, self.config.rms_norm_eps as f32);
        let starts: Vec<usize> = parts.iter().map(|part| part.sequence.len()).collect();
        for part in parts.iter_mut() {
            part.sequence.extend(part.tokens.len());
        }
        let tokens: Vec<u32> = parts.iter().flat_map(|part| part.tokens).copied().collect();
        let positions = parts
            .iter()
            .zip(&starts)
            .flat_map(|(part, &start)| start..start + part.tokens.len());
        let rope = RopeTable::of_positions(positions, self.config.head_dim, self.config.rope_theta);
        let mut x_te = vec![0f32; tokens.len() * e];
        for (row, &token) in x_te.chunks_exact_mut(e).zip(&tokens) {
            self.embedding_ve.row(token as usize, row);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let normed_te = rms_norm(&x_te, &layer.input_norm_e, eps);
            let attended = self.attend(layer, index, &normed_te, (parts, &starts), &rope);
            kernels::add_assign(&mut x_te, &layer.o.forward(&attended));
            let normed_te = rms_norm(&x_te, &layer.post_norm_e, eps);
            let gated_tf = swiglu(&layer.gate.forward(&normed_te), &layer.up.forward(&normed_te));
            kernels::add_assign(&mut x_te, &layer.down.forward(&gated_tf));
        }
        Ok(self.logits(&x_te, parts))
    }

    /// Attention of one layer, `[t, h, d]`, before the output projection. The new keys and values go into the pages.
    fn attend(
        &self,
        layer: &Layer,
        index: usize,
        normed_te: &[f32],
        (parts, starts): (&mut [Part<'_>], &[usize]),
        rope: &RopeTable,
    ) -> Vec<f32> {
        let shape = self.kv_shape();
        let norm = |weight| HeadNorm {
            weight,
            eps: self.config.rms_norm_eps as f32,
            rope,
        };
        let mut q_thd = layer.q.forward(normed_te);
        kernels::norm_rope(&mut q_thd, shape.heads, norm(&layer.q_norm_d));
        let (k_tnd, v_tnd) = (layer.k.forward(normed_te), layer.v.forward(normed_te));
        let (width, kv_width) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        let mut row = 0;
        let mut new = Vec::with_capacity(parts.len());
        for (part, &start) in parts.iter_mut().zip(starts) {
            let end = row + part.tokens.len();
            new.push(NewTokens {
                start,
                row,
                k: &k_tnd[row * kv_width..end * kv_width],
                v: &v_tnd[row * kv_width..end * kv_width],
                pages: part.sequence.pages_mut(index, start / PAGE),
            });
            row = end;
        }
        kernels::remember(shape, norm(&layer.k_norm_d), &mut new);
        let pages: Vec<Vec<PageRef<'_>>> = parts.iter().map(|part| part.sequence.pages(index)).collect();
        let mut rest = q_thd.as_slice();
        let mut queries = Vec::with_capacity(parts.len());
        for ((part, &start), pages) in parts.iter().zip(starts).zip(&pages) {
            let (q, after) = rest.split_at(part.tokens.len() * width);
            queries.push(PagedQueries { q, start, pages });
            rest = after;
        }
        let mut attended = vec![0f32; q_thd.len()];
        kernels::paged_attention(shape, &queries, &mut attended);
        attended
    }

    fn logits(&self, x_te: &[f32], parts: &[Part<'_>]) -> Vec<Vec<Vec<f32>>> {
        let (e, v) = (self.config.hidden_size, self.config.vocab_size);
        let mut selected = Vec::new();
        let mut first = 0;
        for part in parts {
            let count = part.tokens.len();
            let wanted = match part.wanted {
                Wanted::Nothing => first..first,
                Wanted::Last => first + count - 1..first + count,
                Wanted::All => first..first + count,
            };
            selected.extend_from_slice(&x_te[wanted.start * e..wanted.end * e]);
            first += count;
        }
        let normed = rms_norm(&selected, &self.norm_e, self.config.rms_norm_eps as f32);
        let head_ve = self.head_ve.as_ref().unwrap_or(&self.embedding_ve);
        let mut logits = vec![0f32; normed.len() / e * v];
        kernels::linear(&normed, head_ve, &mut logits);
        let mut rows = logits.chunks_exact(v).map(<[f32]>::to_vec);
        parts
            .iter()
            .map(|part| {
                let count = match part.wanted {
                    Wanted::Nothing => 0,
                    Wanted::Last => 1,
                    Wanted::All => part.tokens.len(),
                };
                rows.by_ref().take(count).collect()
            })
            .collect()
    }

    fn check(&self, parts: &[Part<'_>]) -> Result<()> {
        let vocabulary = self.config.vocab_size;
        if parts.iter().any(|part| part.tokens.is_empty()) {
            return Err(EngineError::Call(
                "every row of a pass needs at least one token".to_owned(),
            ));
        }
        let mut tokens = parts.iter().flat_map(|part| part.tokens);
        match tokens.find(|&&token| token as usize >= vocabulary) {
            Some(&token) => Err(EngineError::TokenOutOfRange { token, vocabulary }),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for CpuModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CpuModel")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Linear {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let (o, i) = (self.weight.outputs(), self.weight.inputs());
        let mut out = vec![0f32; x.len() / i * o];
        kernels::linear(x, &self.weight, &mut out);
        if let Some(bias) = &self.bias {
            out.chunks_exact_mut(o)
                .for_each(|row| kernels::add_assign(row, bias));
        }
        out
    }
}

fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let width = weight.len();
    let mut out = vec![0f32; x.len()];
    let block = |(out, x): (&mut [f32], &[f32])| {
        kernels::rms_norm_forward(x, weight, eps, out, &mut vec![0f32; x.len() / width]);
    };
    if x.len() <= ROWS * width {
        block((&mut out, x));
    } else {
        out.par_chunks_mut(ROWS * width)
            .zip(x.par_chunks(ROWS * width))
            .for_each(block);
    }
    out
}

fn swiglu(gate: &[f32], up: &[f32]) -> Vec<f32> {
    const ELEMENTS: usize = 1 << 15;
    let mut out = vec![0f32; gate.len()];
    if gate.len() <= ELEMENTS {
        kernels::swiglu_forward(gate, up, &mut out);
    } else {
        out.par_chunks_mut(ELEMENTS)
            .zip(gate.par_chunks(ELEMENTS).zip(up.par_chunks(ELEMENTS)))
            .for_each(|(out, (gate, up))| kernels::swiglu_forward(gate, up, out));
    }
    out
}

/// Reads tensors by name.
struct Loader<'a, 'w>(&'a Weights<'w>);

impl Loader<'_, '_> {
    fn linear(&self, name: &str, shape: (usize, usize), bias: bool) -> Result<Linear> {
        let bias = bias.then(|| self.vector(&format!("{name}.bias"))).transpose()?;
        let weight = self.matrix(&format!("{name}.weight"), shape)?;
        Ok(Linear { weight, bias })
    }

    fn matrix(&self, name: &str, (outputs, inputs): (usize, usize)) -> Result<PackedMatrix> {
        pack(name, self.0.stored(name)?, (outputs, inputs))
    }

    /// A vector is a matrix of one row.
    fn vector(&self, name: &str) -> Result<Vec<f32>> {
        let mut values = vec![0f32; self.0.elements(name)?];
        self.matrix(name, (1, values.len()))?.row(0, &mut values);
        Ok(values)
    }
}
