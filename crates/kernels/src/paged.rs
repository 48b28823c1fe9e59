//! Attention over a cache in pages, for sequences of unequal length at once.
//!
//! Softmax runs page by page with a running maximum (arXiv 2205.14135). Pages begin at fixed positions, so that a query's
//! result depends on the tokens before it and on nothing else: not on the chunk it came in, nor on what of its past was
//! cached.

use std::cell::RefCell;

use multiversion::multiversion;
use rayon::prelude::*;

use crate::elementwise::exp;
use crate::isa::Isa;
use crate::paged_bf16;
use crate::pages::{CellsRef, KvFormat, KvShape, PAGE, PageRef, head};
use crate::tile::{PANEL, Tile, pack_rows, tile};

/// Query rows, heads of a group counted singly, that go through the pages together.
const QUERY_ROWS: usize = 48;
/// Multiply-adds below which waking another thread costs more than it saves.
const SMALL: usize = 1 << 19;

/// The new tokens of one sequence.
#[derive(Clone, Copy, Debug)]
pub struct PagedQueries<'a> {
    /// `[t, heads, d]`, normalised and turned to their positions.
    pub q: &'a [f32],
    /// Position of the first of them.
    pub start: usize,
    /// Pages of this layer from position 0 on; those of the new tokens are among them, written before.
    pub pages: &'a [PageRef<'a>],
}

/// A block of queries of one sequence that share a key head.
pub(crate) struct Unit<'a> {
    queries: PagedQueries<'a>,
    pub(crate) kv: usize,
    /// First token and number of tokens.
    first: usize,
    count: usize,
    /// `[group, d]` of every token.
    pub(crate) out: Vec<&'a mut [f32]>,
}

/// Buffers of a thread, kept from one unit to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) q: Vec<f32>,
    pub(crate) packed_q: Vec<f32>,
    pub(crate) packed_p: Vec<f32>,
    pub(crate) narrow_q: Vec<u16>,
    pub(crate) narrow_p: Vec<u16>,
    pub(crate) scores: Vec<f32>,
    pub(crate) out: Vec<f32>,
    /// Of each row, the running maximum and the sum of weights.
    state: Vec<(f32, f32)>,
    pub(crate) softmax: Vec<paged_bf16::State>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// `out = softmax(q kᵀ / √d, causal) v` for every sequence; `out` is `[t, heads, d]` of one after the other.
///
/// # Panics
/// When lengths do not fit the shape, pages are missing or of another shape, or their formats differ.
pub fn paged_attention(shape: KvShape, sequences: &[PagedQueries<'_>], out: &mut [f32]) {
    paged_attention_with(Isa::active(), shape, sequences, out);
}

/// [`paged_attention`] with the kernels of one instruction set. One without products of `bf16` reads such pages in plain
/// Rust, which is slow.
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
        kv_heads > 0 && d > 0 && heads > 0 && heads.is_multiple_of(kv_heads),
        "kv_heads must divide heads, and heads have elements"
    );
    let width = heads * d;
    let tokens: usize = sequences.iter().map(|queries| check(shape, queries)).sum();
    assert_eq!(out.len(), tokens * width, "attention: out is [t, heads, d]");
    let block = (QUERY_ROWS / (heads / kv_heads)).max(1);
    let mut units: Vec<Unit<'_>> = Vec::new();
    let mut work = 0;
    let mut rest = out;
    for &queries in sequences {
        let (own, after) = rest.split_at_mut(queries.q.len());
        rest = after;
        push_units(&mut units, (shape, block), queries, own);
        work += queries.q.len() * (queries.start + queries.q.len() / width);
    }
    let run = |unit: &mut Unit<'_>| {
        SCRATCH.with_borrow_mut(|scratch| match unit.queries.pages[0].format() {
            KvFormat::F32 => attend(isa, shape, unit, scratch),
            KvFormat::Bf16 => paged_bf16::attend(isa, shape, unit, scratch),
        });
    };
    if work < SMALL || units.len() == 1 {
        units.iter_mut().for_each(run);
    } else {
        units.par_iter_mut().with_max_len(1).for_each(run);
    }
}

/// Tokens of a sequence, if everything fits.
fn check(shape: KvShape, queries: &PagedQueries<'_>) -> usize {
    let KvShape {
        heads, head_dim: d, ..
    } = shape;
    let t = queries.q.len() / (heads * d);
    let end = queries
        .start
        .checked_add(t)
        .expect("attention: a position overflows");
    assert!(
        queries.q.len() == t * heads * d
            && queries.pages.len() >= end.div_ceil(PAGE)
            && queries
                .pages
                .iter()
                .all(|page| page.shape == shape && page.format() == queries.pages[0].format()),
        "attention: queries [t, {heads}, {d}] and pages up to position {end} expected, all of one shape and format"
    );
    t
}

/// A head's units come one after the other, so that a thread finds its pages in the cache; the longest come first.
fn push_units<'a>(
    units: &mut Vec<Unit<'a>>,
    (shape, block): (KvShape, usize),
    queries: PagedQueries<'a>,
    out: &'a mut [f32],
) {
    let t = out.len() / (shape.heads * shape.head_dim);
    let (base, blocks) = (units.len(), t.div_ceil(block));
    for kv in 0..shape.kv_heads {
        for first in (0..t).step_by(block).rev() {
            let count = block.min(t - first);
            units.push(Unit {
                queries,
                kv,
                first,
                count,
                out: Vec::with_capacity(count),
            });
        }
    }
    let group = shape.heads / shape.kv_heads;
    for (index, place) in out.chunks_exact_mut(group * shape.head_dim).enumerate() {
        let (token, kv) = (index / shape.kv_heads, index % shape.kv_heads);
        units[base + kv * blocks + (blocks - 1 - token / block)]
            .out
            .push(place);
    }
}

impl Unit<'_> {
    /// Position of the first token.
    pub(crate) fn position(&self) -> usize {
        self.queries.start + self.first
    }

    /// Tokens.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// `[group, d]` of token number `token`.
    pub(crate) fn query(&self, shape: KvShape, token: usize) -> &[f32] {
        let width = shape.heads / shape.kv_heads * shape.head_dim;
        &self.queries.q[((self.first + token) * shape.kv_heads + self.kv) * width..][..width]
    }

    /// The pages that its last token sees, and the position of each.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (PageRef<'_>, usize)> {
        let positions = (0..self.position() + self.count).step_by(PAGE);
        self.queries.pages.iter().copied().zip(positions)
    }
}

/// One unit in `f32`.
fn attend(isa: Isa, shape: KvShape, unit: &mut Unit<'_>, scratch: &mut Scratch) {
    let d = shape.head_dim;
    let group = shape.heads / shape.kv_heads;
    let rows = unit.count * group;
    let height = isa.tile_rows();
    let scale = 1.0 / (d as f32).sqrt();
    let Scratch {
        q,
        packed_q,
        packed_p,
        scores,
        out,
        state,
        ..
    } = scratch;
    q.clear();
    for token in 0..unit.count {
        q.extend(unit.query(shape, token).iter().map(|element| element * scale));
    }
    pack_rows(q, rows, d, d, height, packed_q);
    out.clear();
    out.resize(rows * d, 0.0);
    scores.resize(rows * PAGE, 0.0);
    state.clear();
    state.resize(rows, (f32::NEG_INFINITY, 0.0));
    let position = unit.position();
    let end = position + unit.count;
    for (page, first_key) in unit.pages() {
        let CellsRef::F32(cells) = page.cells else {
            unreachable!("formats were compared. This is a bug.")
        };
        let keys = PAGE.min(end - first_key);
        let (k_panels, v_panels) = head(cells, KvFormat::F32, d, unit.kv);
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
        for (row, (scores, state)) in scores.chunks_exact_mut(PAGE).zip(&mut *state).enumerate() {
            let factor = probabilities(&mut scores[..keys], visible(row), state);
            if factor != 1.0 {
                out[row * d..][..d]
                    .iter_mut()
                    .for_each(|element| *element *= factor);
            }
        }
        pack_rows(scores, rows, keys, PAGE, height, packed_p);
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
    let sums = state.iter().map(|(_, sum)| *sum);
    write_out(out, d, sums, &mut unit.out);
}

/// Divides every row by its sum of weights.
pub(crate) fn write_out(rows: &[f32], d: usize, sums: impl Iterator<Item = f32>, out: &mut [&mut [f32]]) {
    let places = out.iter_mut().flat_map(|out| out.chunks_exact_mut(d));
    for ((row, sum), place) in rows.chunks_exact(d).zip(sums).zip(places) {
        let inverse = 1.0 / sum;
        for (place, element) in place.iter_mut().zip(row) {
            *place = element * inverse;
        }
    }
}

/// Turns the first `visible` scores of a page into weights under the running maximum and zeroes the others. `state`
/// is (maximum, sum of weights); what was summed before has to be multiplied by the result.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
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
