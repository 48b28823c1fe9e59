//! Qwen3 on the CPU over our own kernels: inference alone, without the tensor library.
//!
//! It computes what [`crate::Qwen3`] computes, which is its tested twin and runs wherever there is a device or a
//! gradient. What it gains: tokens of unequal rows lie side by side without padding, weights stay in the number format
//! of their file, keys and values lie in pages that rows share, and a row's result does not depend, in any bit, on the
//! rows beside it, on the pieces it came in or on what was cached.
//!
//! Shape suffixes: `t` tokens of all rows, `e` hidden width, `h` query heads, `n` key-value heads, `d` head width,
//! `f` feed-forward width, `v` vocabulary.

mod draft;
mod head;
mod layers;
mod pages;
mod prefixes;
mod schedule;
mod worker;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rewardanything_kernels as kernels;
use rewardanything_kernels::{
    Activations, Format, HeadNorm, Isa, KvFormat, KvShape, NewTokens, Numerics, PAGE, PackedMatrix, PageRef,
    PagedQueries, RopeTable,
};

use crate::{Config, EngineError, Weights};

use head::Head;
use layers::{Layer, Loader, add_product};

pub use pages::Sequence;
pub use prefixes::PrefixCache;
pub use schedule::Activity;
pub use worker::{Replies, Worker, WorkerOptions};

type Result<T> = std::result::Result<T, EngineError>;

/// The weights, packed for the kernels.
pub struct CpuModel {
    config: Config,
    isa: Isa,
    numerics: Numerics,
    embedding_ve: PackedMatrix,
    layers: Vec<Layer>,
    norm_e: Vec<f32>,
    /// `None` where the embedding is also the output layer.
    head_ve: Option<PackedMatrix>,
    /// Buffers of passes that are over, for the next.
    scratch: Mutex<Vec<Scratch>>,
}

/// What a pass computes with, kept from one to the next: fresh memory would be cleared, and paged in, each time.
struct Scratch {
    x_te: Vec<f32>,
    q_thd: Vec<f32>,
    k_tnd: Vec<f32>,
    v_tnd: Vec<f32>,
    attended_thd: Vec<f32>,
    /// Normalised rows, `[t, e]`.
    normed: Activations,
    /// `[t, h d]`.
    heads: Activations,
    /// `[t, f]`.
    gated: Activations,
}

/// Which logits a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// None: the tokens are only to be remembered.
    Nothing,
    /// The last position's.
    Last,
    /// The last position's, of these tokens alone; all others are minus infinity. Spares most of the output layer.
    Among(&'a [u32]),
    /// The last so many positions'.
    Tail(usize),
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
    pub wanted: Wanted<'a>,
}

impl CpuModel {
    /// Packs the weights of a model.
    ///
    /// # Errors
    /// As [`Weights::check`], or a failure to read.
    pub fn new(config: &Config, weights: &Weights<'_>, numerics: Numerics) -> Result<Self> {
        weights.check(config)?;
        let load = Loader(weights);
        let (e, v) = (config.hidden_size, config.vocab_size);
        Ok(Self {
            config: config.clone(),
            isa: Isa::active(),
            numerics,
            embedding_ve: load.matrix("model.embed_tokens.weight", (v, e))?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(config, &load, index))
                .collect::<Result<_>>()?,
            norm_e: load.vector("model.norm.weight")?,
            head_ve: if config.tie_word_embeddings {
                None
            } else {
                Some(load.matrix("lm_head.weight", (v, e))?)
            },
            scratch: Mutex::default(),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A row that has seen nothing yet.
    pub fn sequence(&self) -> Sequence {
        Sequence::new(self.kv_shape(), self.kv_format(), self.layers.len())
    }

    /// Keys and values are as precise as the weights that made them.
    fn kv_format(&self) -> KvFormat {
        let wide = |format| matches!(format, Format::F32 | Format::F16);
        if self.layers.iter().flat_map(Layer::formats).all(wide) {
            KvFormat::F32
        } else {
            KvFormat::of(self.isa, self.numerics)
        }
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
        let mut scratch = self.take_scratch();
        let t = tokens.len();
        scratch.x_te.resize(t * e, 0.0);
        for (row, &token) in scratch.x_te.chunks_exact_mut(e).zip(&tokens) {
            self.embedding_ve.row(token as usize, row);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            normalise(&mut scratch.normed, &scratch.x_te, &layer.input_norm_e, eps);
            self.attend((layer, index), (parts, &starts), &rope, &mut scratch);
            scratch
                .heads
                .set(&scratch.attended_thd, scratch.attended_thd.len() / t);
            layer.o.add_to(&scratch.heads, &mut scratch.x_te);
            normalise(&mut scratch.normed, &scratch.x_te, &layer.post_norm_e, eps);
            kernels::gated(&scratch.normed, &layer.gate, &layer.up, &mut scratch.gated);
            add_product(&scratch.gated, &layer.down, &mut scratch.x_te);
        }
        let logits = self.logits(&scratch.x_te, parts);
        self.scratch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(scratch);
        Ok(logits)
    }

    fn take_scratch(&self) -> Scratch {
        let kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| {
            let formats: Vec<_> = self.layers.iter().flat_map(Layer::formats).collect();
            let rows = || Activations::new(self.isa, self.numerics, &formats);
            Scratch {
                x_te: Vec::new(),
                q_thd: Vec::new(),
                k_tnd: Vec::new(),
                v_tnd: Vec::new(),
                attended_thd: Vec::new(),
                normed: rows(),
                heads: rows(),
                gated: rows(),
            }
        })
    }

    /// Attention of one layer over the normalised rows, before the output projection. The new keys and values go into
    /// the pages.
    fn attend(
        &self,
        (layer, index): (&Layer, usize),
        (parts, starts): (&mut [Part<'_>], &[usize]),
        rope: &RopeTable,
        scratch: &mut Scratch,
    ) {
        let shape = self.kv_shape();
        let Scratch {
            q_thd,
            k_tnd,
            v_tnd,
            attended_thd,
            normed,
            ..
        } = scratch;
        let t = normed.rows();
        let mut products = [
            layer.q.product_in(q_thd, t),
            layer.k.product_in(k_tnd, t),
            layer.v.product_in(v_tnd, t),
        ];
        kernels::products(normed, &mut products);
        layer.q.add_bias(q_thd);
        layer.k.add_bias(k_tnd);
        layer.v.add_bias(v_tnd);
        let norm = |weight| HeadNorm {
            weight,
            eps: self.config.rms_norm_eps as f32,
            rope,
        };
        kernels::norm_rope(q_thd, shape.heads, norm(&layer.q_norm_d));
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
        attended_thd.resize(t * width, 0.0);
        kernels::paged_attention(shape, &queries, attended_thd);
    }

    fn logits(&self, x_te: &[f32], parts: &[Part<'_>]) -> Vec<Vec<Vec<f32>>> {
        let (e, eps) = (self.config.hidden_size, self.config.rms_norm_eps as f32);
        let mut rows_ne = Vec::new();
        let mut first = 0;
        for part in parts {
            for position in part.wanted.positions(part.tokens.len()) {
                let row = &x_te[(first + position) * e..][..e];
                let start = rows_ne.len();
                rows_ne.resize(start + e, 0f32);
                kernels::rms_norm_forward(row, &self.norm_e, eps, &mut rows_ne[start..], &mut [0.0]);
            }
            first += part.tokens.len();
        }
        let head = Head {
            weight_ve: self.head_ve.as_ref().unwrap_or(&self.embedding_ve),
            isa: self.isa,
            numerics: self.numerics,
        };
        head.logits(&rows_ne, parts)
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

impl Wanted<'_> {
    /// The positions, of a part of so many tokens, whose logits are wanted.
    fn positions(self, tokens: usize) -> Range<usize> {
        match self {
            Self::Nothing => 0..0,
            Self::Last | Self::Among(_) => tokens - 1..tokens,
            Self::Tail(count) => tokens.saturating_sub(count)..tokens,
            Self::All => 0..tokens,
        }
    }
}

/// Rows `[t, e]`, each divided by its root mean square and weighed, as the left side of products.
fn normalise(normed: &mut Activations, x_te: &[f32], weight_e: &[f32], eps: f32) {
    let e = weight_e.len();
    normed.fill(x_te.len() / e, e, |row, out| {
        kernels::rms_norm_forward(&x_te[row * e..][..e], weight_e, eps, out, &mut [0.0]);
    });
}

impl std::fmt::Debug for CpuModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CpuModel")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
