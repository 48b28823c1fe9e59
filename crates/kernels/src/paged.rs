//! Attention over a cache in pages, for sequences of unequal length at once.
//!
//! A page holds the keys and values of [`PAGE`] tokens of one layer, already in the panels that products read: keys
//! as `[head, PAGE / 16, d, 16]`, values as `[head, d / 16, PAGE, 16]`. Softmax runs page by page with a
//! running maximum (arXiv 2205.14135). Pages begin at fixed positions, so that a query's result depends on the tokens
//! before it and on nothing else: not on the chunk it came in, nor on what of its past was cached.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::elementwise::exp;
use crate::isa::Isa;
use crate::tile::{PANEL, Tile, pack_rows, tile};

/// Tokens of a page.
pub const PAGE: usize = 64;

/// Query rows, heads of a group counted singly, that go through the pages together.
const QUERY_ROWS: usize = 48;
/// Multiply-adds below which waking another thread costs more than it saves.
const SMALL: usize = 1 << 19;

/// The form of the heads of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvShape {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Elements of one head, `d`.
    pub head_dim: usize,
}

/// The new tokens of one sequence.
#[derive(Clone, Copy, Debug)]
pub struct PagedQueries<'a> {
    /// `[t, heads, d]`, normalised and turned to their positions.
    pub q: &'a [f32],
    /// Position of the first of them.
    pub start: usize,
    /// Pages of this layer from position 0 on; those of the new tokens are among them, written before.
    pub pages: &'a [&'a [f32]],
}

impl KvShape {
    /// Elements of one page of one layer.
    pub fn page_len(self) -> usize {
        self.kv_heads * (self.keys_len() + self.values_len())
    }

    fn keys_len(self) -> usize {
        PAGE * self.head_dim
    }

    fn values_len(self) -> usize {
        PAGE * self.head_dim.next_multiple_of(PANEL)
    }

    /// Keys and values of one head.
    fn head(self, page: &[f32], head: usize) -> (&[f32], &[f32]) {
        let both = self.keys_len() + self.values_len();
        page[head * both..(head + 1) * both].split_at(self.keys_len())
    }

    /// Writes a token's key and value, both `[kv_heads, d]`, into place `slot` of a page.
    ///
    /// # Panics
    /// When the slot is not on the page or a length does not fit.
    pub fn write(self, page: &mut [f32], slot: usize, key: &[f32], value: &[f32]) {
        let d = self.head_dim;
        assert!(
            slot < PAGE
                && page.len() == self.page_len()
                && key.len() == self.kv_heads * d
                && value.len() == key.len(),
            "a page of {} with keys of {} expected, got {} and {}",
            self.page_len(),
            self.kv_heads * d,
            page.len(),
            key.len()
        );
        let heads = page.chunks_exact_mut(self.keys_len() + self.values_len());
        for ((page, key), value) in heads.zip(key.chunks_exact(d)).zip(value.chunks_exact(d)) {
            let (keys, values) = page.split_at_mut(self.keys_len());
            let panel = &mut keys[slot / PANEL * d * PANEL + slot % PANEL..];
            for (place, &element) in panel.iter_mut().step_by(PANEL).zip(key) {
                *place = element;
            }
            for (panel, elements) in values.chunks_exact_mut(PAGE * PANEL).zip(value.chunks(PANEL)) {
                panel[slot * PANEL..][..elements.len()].copy_from_slice(elements);
            }
        }
    }
}

/// A block of queries of one sequence that share a key head.
struct Unit<'a> {
    queries: PagedQueries<'a>,
    kv: usize,
    first: usize,
    count: usize,
}

/// `out = softmax(q kᵀ / √d, causal) v` for every sequence; `out` is `[t, heads, d]` of one after the other.
///
/// # Panics
/// When lengths do not fit the shape or pages are missing.
pub fn paged_attention(shape: KvShape, sequences: &[PagedQueries<'_>], out: &mut [f32]) {
    paged_attention_with(Isa::active(), shape, sequences, out);
}

/// [`paged_attention`] with the kernels of one instruction set.
///
/// # Panics
/// As [`paged_attention`], and when this machine lacks it.
pub fn paged_attention_with(isa: Isa, shape: KvShape, sequences: &[PagedQueries<'_>], out: &mut [f32]) {
    let KvShape {
        heads,
        kv_heads,
        head_dim: d,
    } = shape;
    assert!(isa.is_available(), "this machine has no {}", isa.name());
    assert!(
        kv_heads > 0 && heads.is_multiple_of(kv_heads),
        "kv_heads must divide heads"
    );
    let width = heads * d;
    let group = heads / kv_heads;
    let block = (QUERY_ROWS / group).max(1);
    let mut units = Vec::new();
    let mut tokens = 0;
    let mut work = 0;
    for &queries in sequences {
        let t = queries.q.len() / width;
        let end = queries.start + t;
        assert!(
            queries.q.len() == t * width
                && queries.pages.len() * PAGE >= end
                && queries.pages.iter().all(|page| page.len() == shape.page_len()),
            "attention: queries [t, {heads}, {d}] and pages up to position {end} expected"
        );
        for first in (0..t).step_by(block) {
            for kv in 0..kv_heads {
                units.push(Unit {
                    queries,
                    kv,
                    first,
                    count: block.min(t - first),
                });
            }
        }
        work += t * width * end;
        tokens += t;
    }
    assert_eq!(out.len(), tokens * width, "attention: out is [t, heads, d]");
    let run = |unit: &Unit<'_>| attend(isa, shape, unit);
    let results: Vec<Vec<f32>> = if work < SMALL || units.len() == 1 {
        units.iter().map(run).collect()
    } else {
        units.par_iter().map(run).collect()
    };
    let mut results = units.iter().zip(results);
    let mut rest = out;
    for queries in sequences {
        let (own, after) = rest.split_at_mut(queries.q.len());
        let count = (own.len() / width).div_ceil(block) * kv_heads;
        for (unit, result) in results.by_ref().take(count) {
            let rows = own[unit.first * width..].chunks_exact_mut(width);
            for (row, result) in rows.zip(result.chunks_exact(group * d)) {
                row[unit.kv * group * d..][..group * d].copy_from_slice(result);
            }
        }
        rest = after;
    }
}

/// One unit; returns `[count, group, d]`.
fn attend(isa: Isa, shape: KvShape, unit: &Unit<'_>) -> Vec<f32> {
    let d = shape.head_dim;
    let group = shape.heads / shape.kv_heads;
    let rows = unit.count * group;
    let height = isa.tile_rows();
    let scale = 1.0 / (d as f32).sqrt();
    let mut q = Vec::with_capacity(rows * d);
    for token in unit.first..unit.first + unit.count {
        let heads = &unit.queries.q[(token * shape.heads + unit.kv * group) * d..][..group * d];
        q.extend(heads.iter().map(|element| element * scale));
    }
    let (mut packed_q, mut packed_p) = (Vec::new(), Vec::new());
    pack_rows(&q, rows, d, d, height, &mut packed_q);

    let mut out = vec![0f32; rows * d];
    let mut scores = vec![0f32; rows * PAGE];
    let mut state = vec![(f32::NEG_INFINITY, 0f32); rows];
    let position = unit.queries.start + unit.first;
    let end = position + unit.count;
    for (page, first_key) in unit.queries.pages.iter().zip((0..end).step_by(PAGE)) {
        let keys = PAGE.min(end - first_key);
        let (k_panels, v_panels) = shape.head(page, unit.kv);
        for (t, left_km) in packed_q.chunks(height * d).enumerate() {
            for (p, panel) in k_panels
                .chunks_exact(d * PANEL)
                .take(keys.div_ceil(PANEL))
                .enumerate()
            {
                let job = Tile {
                    left_km,
                    panel,
                    out: &mut scores[t * height * PAGE + p * PANEL..],
                    stride: PAGE,
                    columns: PANEL,
                    fresh: true,
                };
                tile(isa, left_km.len() / d, job);
            }
        }
        let visible = |row: usize| (position + row / group + 1).saturating_sub(first_key).min(keys);
        for (row, (scores, state)) in scores.chunks_exact_mut(PAGE).zip(&mut state).enumerate() {
            let factor = probabilities(&mut scores[..keys], visible(row), state);
            if factor != 1.0 {
                out[row * d..][..d]
                    .iter_mut()
                    .for_each(|element| *element *= factor);
            }
        }
        pack_rows(&scores, rows, keys, PAGE, height, &mut packed_p);
        for (t, left_km) in packed_p.chunks(height * keys).enumerate() {
            for (p, panel) in v_panels.chunks_exact(PAGE * PANEL).enumerate() {
                let job = Tile {
                    left_km,
                    panel: &panel[..keys * PANEL],
                    out: &mut out[t * height * d + p * PANEL..],
                    stride: d,
                    columns: PANEL.min(d - p * PANEL),
                    fresh: false,
                };
                tile(isa, left_km.len() / keys, job);
            }
        }
    }
    for (out, (_, sum)) in out.chunks_exact_mut(d).zip(&state) {
        let inverse = 1.0 / sum;
        out.iter_mut().for_each(|element| *element *= inverse);
    }
    out
}

/// Turns the first `visible` scores of a page into weights under the running maximum and zeroes the others. `state`
/// is (maximum, sum of weights); what was summed before has to be multiplied by the result.
#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
fn probabilities(scores: &mut [f32], visible: usize, state: &mut (f32, f32)) -> f32 {
    let (seen, hidden) = scores.split_at_mut(visible);
    hidden.fill(0.0);
    if seen.is_empty() {
        return 1.0;
    }
    let (chunks, tail) = seen.as_chunks_mut::<8>();
    let mut maxima = [f32::NEG_INFINITY; 8];
    for chunk in chunks.iter() {
        for (max, &x) in maxima.iter_mut().zip(chunk) {
            *max = if x > *max { x } else { *max };
        }
    }
    let max = maxima
        .into_iter()
        .chain(tail.iter().copied())
        .fold(state.0, f32::max);
    let mut sums = [0f32; 8];
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *x = exp(*x - max);
            *sum += *x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(tail) {
        *x = exp(*x - max);
        *sum += *x;
    }
    let factor = if max == state.0 { 1.0 } else { exp(state.0 - max) };
    *state = (max, state.1 * factor + sums.iter().sum::<f32>());
    factor
}
