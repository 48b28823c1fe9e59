//! Attention over pages in `bf16`: queries and probabilities rounded to `bf16`, scores, running maximum, sums and output
//! in `f32`.
//!
//! The scale `1 / √d` stays out of the queries and is applied to the scores, where it costs nothing and is not rounded.
//! What is summed under the fraction's bar are the rounded probabilities, those that multiply the values, so that the
//! weights of a row sum to one however they were rounded.

use crate::isa::Isa;
use crate::paged::{Scratch, Unit, write_out};
use crate::pages::{CellsRef, KvFormat, KvShape, PAGE, head};
use crate::tile::PANEL;
use crate::tile_bf16::{Bf16Job, row_to_bf16, rows_bf16, to_bf16};

/// Partial sums of a row.
const LANES: usize = 16;

/// What is known of a row's softmax after some pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// The greatest score so far, without scale.
    max: f32,
    /// Sums of the weights of every sixteenth pair of keys.
    sums: [f32; LANES],
}

impl State {
    const NONE: Self = Self {
        max: f32::NEG_INFINITY,
        sums: [0.0; LANES],
    };
}

/// The rows of a unit that see something of a page.
struct Softmax<'a> {
    /// `[rows, PAGE]`.
    scores: &'a [f32],
    /// `[rows, PAGE]`; becomes the weights, zero where a key is hidden.
    weights: &'a mut [u16],
    /// `[rows, d]`, of earlier pages; scaled down where the maximum rises.
    out: &'a mut [f32],
    state: &'a mut [State],
    /// Keys that each token sees of the page, and how many rows a token has.
    visible: usize,
    keys: usize,
    group: usize,
    /// `log2(e) / √d`.
    coefficient: f32,
}

impl Softmax<'_> {
    /// Keys that a row sees, at least one.
    #[inline(always)]
    fn visible(&self, row: usize) -> usize {
        (self.visible + row / self.group).min(self.keys)
    }
}

/// One unit.
pub(crate) fn attend(isa: Isa, shape: KvShape, unit: &mut Unit<'_>, scratch: &mut Scratch) {
    let isa = if isa.has_bf16() { isa } else { Isa::Portable };
    let d = shape.head_dim;
    let inputs = d.next_multiple_of(2);
    let group = shape.heads / shape.kv_heads;
    let rows = unit.count() * group;
    let Scratch {
        narrow_q: q,
        narrow_p: weights,
        scores,
        out,
        softmax: state,
        ..
    } = scratch;
    q.clear();
    q.resize(rows * inputs, 0);
    for (token, q) in q.chunks_exact_mut(group * inputs).enumerate() {
        for (query, q) in unit
            .query(shape, token)
            .chunks_exact(d)
            .zip(q.chunks_exact_mut(inputs))
        {
            row_to_bf16(isa, query, &mut q[..d]);
        }
    }
    out.clear();
    out.resize(rows * d, 0.0);
    scores.resize(rows * PAGE, 0.0);
    weights.resize(rows * PAGE, 0);
    state.clear();
    state.resize(rows, State::NONE);
    let position = unit.position();
    let end = position + unit.count();
    // Rows of tokens before a key do not see it.
    let hidden = |key: usize| key.saturating_sub(position) * group;
    for (page, first_key) in unit.pages() {
        let CellsRef::Bf16(cells) = page.cells else {
            unreachable!("formats were compared. This is a bug.")
        };
        let keys = PAGE.min(end - first_key);
        let (k_cells, v_cells) = head(cells, KvFormat::Bf16, d, unit.kv);
        let mut column = 0;
        for panels in k_cells.chunks_exact(2 * inputs * PANEL) {
            if column >= keys {
                break;
            }
            let skipped = hidden(first_key + column);
            let job = Bf16Job {
                left: &q[skipped * inputs..],
                left_stride: inputs,
                k: inputs,
                panels: halves(panels),
                out: &mut scores[skipped * PAGE + column..],
                stride: PAGE,
                columns: 2 * PANEL,
                fresh: true,
            };
            rows_bf16(isa, rows - skipped, job);
            column += 2 * PANEL;
        }
        let skipped = hidden(first_key);
        let softmax = Softmax {
            scores: &scores[skipped * PAGE..],
            weights: &mut weights[skipped * PAGE..],
            out: &mut out[skipped * d..],
            state: &mut state[skipped..],
            visible: position + skipped / group + 1 - first_key,
            keys,
            group,
            coefficient: std::f32::consts::LOG2_E / (d as f32).sqrt(),
        };
        softmax_rows(isa, d, softmax);
        let inputs = keys.next_multiple_of(2);
        for (p, panels) in v_cells.chunks(2 * PAGE * PANEL).enumerate() {
            let columns = (d - p * 2 * PANEL).min(2 * PANEL);
            let second = if columns > PANEL { PAGE * PANEL } else { 0 };
            let job = Bf16Job {
                left: &weights[skipped * PAGE..],
                left_stride: PAGE,
                k: inputs,
                panels: [&panels[..inputs * PANEL], &panels[second..][..inputs * PANEL]],
                out: &mut out[skipped * d + p * 2 * PANEL..],
                stride: d,
                columns,
                fresh: false,
            };
            if columns > PANEL {
                rows_bf16(isa, rows - skipped, job);
            } else {
                rows_bf16(isa, rows - skipped, job.first_panel());
            }
        }
    }
    let sums = state.iter().map(|state| state.sums.iter().sum());
    write_out(out, d, sums, &mut unit.out);
}

fn halves(panels: &[u16]) -> [&[u16]; 2] {
    let (first, second) = panels.split_at(panels.len() / 2);
    [first, second]
}

/// Turns scores into weights under the running maximum.
fn softmax_rows(isa: Isa, d: usize, job: Softmax<'_>) {
    let rows = job.state.len();
    assert!(
        job.scores.len() == rows * PAGE
            && job.weights.len() == rows * PAGE
            && job.out.len() == rows * d
            && job.visible > 0
            && job.keys <= PAGE,
        "softmax: {rows} rows of scores, weights and output expected. This is a bug."
    );
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instructions were detected, else `Isa::is_available` would have kept the caller away; the lengths
        // were checked above.
        Isa::Avx512Bf16 | Isa::Amx => unsafe { avx512(d, job) },
        _ => portable(d, job),
    }
}

/// `2^x` for `x <= 0` to about 3 parts in a million, far below what `bf16` tells apart; 0 below the normal range.
#[inline(always)]
fn exp2(x: f32) -> f32 {
    if x < -126.0 {
        return 0.0;
    }
    let n = x.round_ties_even();
    let f = x - n;
    let p = COEFFICIENTS[1..]
        .iter()
        .fold(COEFFICIENTS[0], |p, &coefficient| p.mul_add(f, coefficient));
    p * f32::from_bits((((n as i32) + 127) as u32) << 23)
}

/// Of `2^f` for `|f| <= 1/2`, the highest power first: the least greatest relative error among polynomials of degree 4
/// that are 1 at 0.
const COEFFICIENTS: [f32; 5] = [0.009_582_853, 0.055_906_426, 0.240_240_99, 0.693_124_2, 1.0];

/// The plain twin of the vectors below: the same bits, for tests, and for sets that do not multiply `bf16`.
fn portable(d: usize, job: Softmax<'_>) {
    for row in 0..job.state.len() {
        let visible = job.visible(row);
        let scores = &job.scores[row * PAGE..][..visible];
        let weights = &mut job.weights[row * PAGE..][..PAGE];
        let state = &mut job.state[row];
        let max = scores.iter().copied().fold(state.max, f32::max);
        if max > state.max {
            raise(state, max, job.coefficient, &mut job.out[row * d..][..d]);
        }
        let shift = -(max * job.coefficient);
        weights[visible..].fill(0);
        for (weight, &score) in weights.iter_mut().zip(scores) {
            *weight = to_bf16(exp2(score.mul_add(job.coefficient, shift)));
        }
        for weights in weights.as_chunks::<{ 2 * LANES }>().0 {
            for parity in [0, 1] {
                for (sum, pair) in state.sums.iter_mut().zip(weights.as_chunks::<2>().0) {
                    *sum += f32::from_bits(u32::from(pair[parity]) << 16);
                }
            }
        }
    }
}

/// Gives a row a new maximum, and what was summed under the old one its new scale.
#[inline(always)]
fn raise(state: &mut State, max: f32, coefficient: f32, out: &mut [f32]) {
    let factor = if state.max == f32::NEG_INFINITY {
        0.0
    } else {
        exp2(state.max.mul_add(coefficient, -(max * coefficient)))
    };
    state.max = max;
    for element in state.sums.iter_mut().chain(out) {
        *element *= factor;
    }
}

/// # Safety
/// Scores and weights have [`PAGE`] elements for each row of the state.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn avx512(d: usize, job: Softmax<'_>) {
    use std::arch::x86_64::{
        __m512i, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm512_add_ps, _mm512_and_si512,
        _mm512_castsi512_ps, _mm512_cvtne2ps_pbh, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_loadu_ps,
        _mm512_maskz_scalef_ps, _mm512_max_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps, _mm512_set1_epi32,
        _mm512_set1_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
    };
    const VECTORS: usize = PAGE / LANES;
    let coefficient = _mm512_set1_ps(job.coefficient);
    let nothing = _mm512_set1_ps(f32::NEG_INFINITY);
    let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
    for row in 0..job.state.len() {
        let seen = u64::MAX >> (PAGE - job.visible(row));
        let mask = |vector: usize| (seen >> (vector * LANES)) as u16;
        let scores: [_; VECTORS] = std::array::from_fn(|vector| {
            let from = job.scores.as_ptr().wrapping_add(row * PAGE + vector * LANES);
            // SAFETY: a row has `PAGE` scores, by the contract above.
            unsafe { _mm512_mask_loadu_ps(nothing, mask(vector), from) }
        });
        let state = &mut job.state[row];
        let greatest = scores
            .into_iter()
            .reduce(|a, b| _mm512_max_ps(a, b))
            .map_or(state.max, |max| _mm512_reduce_max_ps(max));
        if greatest > state.max {
            raise(state, greatest, job.coefficient, &mut job.out[row * d..][..d]);
        }
        let shift = _mm512_set1_ps(-(state.max * job.coefficient));
        let weights: [_; VECTORS] = std::array::from_fn(|vector| {
            let x = _mm512_fmadd_ps(scores[vector], coefficient, shift);
            let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
            let f = _mm512_sub_ps(x, n);
            let mut p = _mm512_set1_ps(COEFFICIENTS[0]);
            for &coefficient in &COEFFICIENTS[1..] {
                p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(coefficient));
            }
            // Hidden keys make no number of `p`, which the mask leaves out.
            _mm512_maskz_scalef_ps(mask(vector), p, n)
        });
        // SAFETY: the state holds as many sums as a vector has lanes.
        let mut sums = unsafe { _mm512_loadu_ps(state.sums.as_ptr()) };
        for (pair, weights) in weights.as_chunks::<2>().0.iter().enumerate() {
            // SAFETY: 64 bytes are 64 bytes.
            let narrow: __m512i = unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(weights[1], weights[0])) };
            sums = _mm512_add_ps(sums, _mm512_castsi512_ps(_mm512_slli_epi32::<16>(narrow)));
            sums = _mm512_add_ps(sums, _mm512_castsi512_ps(_mm512_and_si512(narrow, upper)));
            let to = job
                .weights
                .as_mut_ptr()
                .wrapping_add(row * PAGE + pair * 2 * LANES);
            // SAFETY: a row has `PAGE` weights, by the contract above.
            unsafe { _mm512_storeu_si512(to.cast(), narrow) };
        }
        // SAFETY: as for the load.
        unsafe { _mm512_storeu_ps(state.sums.as_mut_ptr(), sums) };
    }
}
