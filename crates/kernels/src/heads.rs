//! From projections to attention: queries and keys are normalised and turned in one pass, keys and values go into pages.
//!
//! The same bits as [`crate::rms_norm_forward`] and [`crate::rope_forward`] one after the other.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::elementwise::dot;
use crate::pages::{KvShape, PAGE, PageMut};
use crate::rope::{RopeTable, rotate_head};

/// Elements that a thread takes at once; fewer do not wake another.
const ELEMENTS: usize = 1 << 14;

/// What is done to each head of a query or a key.
#[derive(Clone, Copy, Debug)]
pub struct HeadNorm<'a> {
    /// Weight of the root-mean-square normalisation, `[d]`.
    pub weight: &'a [f32],
    /// Added to the mean square.
    pub eps: f32,
    /// The turn: row `i` of the table belongs to token `i` of the pass.
    pub rope: &'a RopeTable,
}

/// New keys and values of one sequence on their way into its pages.
#[derive(Debug)]
pub struct NewTokens<'a> {
    /// Position of the first of them in its sequence.
    pub start: usize,
    /// Number of the first of them in the pass: its row of the [`RopeTable`].
    pub row: usize,
    /// Keys as projected, `[t, kv_heads, d]`.
    pub k: &'a [f32],
    /// Values, `[t, kv_heads, d]`.
    pub v: &'a [f32],
    /// This layer's pages from that of `start` on, up to that of the last token.
    pub pages: Vec<PageMut<'a>>,
}

/// Normalises and turns every head of `x`, `[t, heads, d]`, in place.
///
/// # Panics
/// When lengths do not fit, or the table has fewer than `t` rows.
pub fn norm_rope(x: &mut [f32], heads: usize, norm: HeadNorm<'_>) {
    norm.check();
    let width = heads * norm.weight.len();
    assert!(
        width > 0 && x.len().is_multiple_of(width) && x.len() / width <= norm.rope.rows(),
        "norm_rope: [t, {heads}, {}] and {} rows of the table expected, got {} elements",
        norm.weight.len(),
        x.len() / width.max(1),
        x.len()
    );
    let rows = (ELEMENTS / width).max(1);
    if x.len() <= rows * width {
        turn_rows(x, width, norm, 0);
    } else {
        x.par_chunks_mut(rows * width)
            .enumerate()
            .for_each(|(index, x)| turn_rows(x, width, norm, index * rows));
    }
}

/// Normalises and turns the keys of new tokens and writes them and the values into the pages.
///
/// # Panics
/// When lengths do not fit, pages are missing or of another shape, or the table has too few rows.
pub fn remember(shape: KvShape, norm: HeadNorm<'_>, sequences: &mut [NewTokens<'_>]) {
    norm.check();
    let width = shape.kv_heads * shape.head_dim;
    let mut jobs = Vec::new();
    let mut elements = 0;
    for tokens in sequences {
        let t = tokens.k.len() / width.max(1);
        let first_page = tokens.start / PAGE;
        assert!(
            width > 0
                && norm.weight.len() == shape.head_dim
                && tokens.k.len() == t * width
                && tokens.v.len() == t * width
                && tokens.pages.len() >= (tokens.start + t).div_ceil(PAGE).saturating_sub(first_page)
                && tokens.pages.iter().all(|page| page.shape() == shape)
                && tokens.row + t <= norm.rope.rows(),
            "remember: keys and values [t, {}, {}], a page for each and rows of the table expected",
            shape.kv_heads,
            shape.head_dim
        );
        elements += tokens.k.len();
        let mut done = 0;
        for page in &mut tokens.pages {
            let slot = (tokens.start + done) % PAGE;
            let count = (PAGE - slot).min(t - done);
            let part = done * width..(done + count) * width;
            let rows = (&tokens.k[part.clone()], &tokens.v[part]);
            jobs.push((page, slot, tokens.row + done, rows));
            done += count;
        }
    }
    let run = |(page, slot, row, (k, v)): &mut (&mut PageMut<'_>, usize, usize, (&[f32], &[f32]))| {
        let tokens = k.chunks_exact(width).zip(v.chunks_exact(width));
        let mut key = vec![0f32; width];
        for (i, (k, v)) in tokens.enumerate() {
            key.copy_from_slice(k);
            turn_rows(&mut key, width, norm, *row + i);
            page.write(*slot + i, &key, v);
        }
    };
    if elements <= ELEMENTS {
        jobs.iter_mut().for_each(run);
    } else {
        jobs.par_iter_mut().for_each(run);
    }
}

impl HeadNorm<'_> {
    fn check(&self) {
        assert_eq!(
            self.weight.len(),
            self.rope.head_dim(),
            "a norm and a table for heads of one width expected"
        );
    }
}

/// Rows of heads; the first belongs to row `first` of the table.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn turn_rows(x: &mut [f32], width: usize, norm: HeadNorm<'_>, first: usize) {
    let d = norm.weight.len();
    for (index, row) in x.chunks_exact_mut(width).enumerate() {
        let (cos, sin) = norm.rope.at(first + index);
        for head in row.chunks_exact_mut(d) {
            let r = 1.0 / (dot(head, head) / d as f32 + norm.eps).sqrt();
            for (x, w) in head.iter_mut().zip(norm.weight) {
                *x = *x * r * w;
            }
            rotate_head(head, cos, sin, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::{KvFormat, Page};
    use crate::{rms_norm_forward, rope_forward};

    const SHAPE: KvShape = KvShape {
        heads: 4,
        kv_heads: 2,
        head_dim: 34,
    };

    fn noise(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 37 % 101) as f32 - 50.0) / 20.0).collect()
    }

    fn plain(x: &[f32], heads: usize, norm: HeadNorm<'_>) -> Vec<f32> {
        let d = norm.weight.len();
        let mut out = vec![0.0; x.len()];
        rms_norm_forward(x, norm.weight, norm.eps, &mut out, &mut vec![0.0; x.len() / d]);
        let rows: Vec<usize> = (0..x.len() / (heads * d)).collect();
        rope_forward(&mut out, heads, &rows, norm.rope);
        out
    }

    /// Enough tokens for several threads, and one alone.
    #[test]
    fn one_pass_gives_the_bits_of_two() {
        let d = SHAPE.head_dim;
        let weight: Vec<f32> = (0..d).map(|i| 0.5 + i as f32 / 7.0).collect();
        for t in [1, 3, 700] {
            let rope = RopeTable::of_positions(90..90 + t, d, 1e6);
            let norm = HeadNorm {
                weight: &weight,
                eps: 1e-6,
                rope: &rope,
            };
            let mut x = noise(t * SHAPE.heads * d);
            let expect = plain(&x, SHAPE.heads, norm);
            norm_rope(&mut x, SHAPE.heads, norm);
            assert_eq!(x, expect, "{t} tokens");
        }
    }

    /// Two sequences in one pass, one of which goes on in the middle of a page.
    #[test]
    fn pages_hold_what_was_turned() {
        let width = SHAPE.kv_heads * SHAPE.head_dim;
        let weight = vec![0.7; SHAPE.head_dim];
        for format in [KvFormat::F32, KvFormat::Bf16] {
            let (counts, starts) = ([150, 300], [0, 40]);
            let positions = (0..150).chain(40..340);
            let rope = RopeTable::of_positions(positions, SHAPE.head_dim, 1e4);
            let norm = HeadNorm {
                weight: &weight,
                eps: 1e-6,
                rope: &rope,
            };
            let (k, v) = (noise(450 * width), noise(450 * width));
            let pages = || -> Vec<Vec<Page>> {
                let ends = [150, 340_usize].map(|end| end.div_ceil(PAGE));
                ends.map(|count| vec![Page::new(SHAPE, format, 2); count])
                    .to_vec()
            };
            let (mut got, mut expect) = (pages(), pages());
            let turned = plain(&k, SHAPE.kv_heads, norm);
            let mut sequences = Vec::new();
            let mut row = 0;
            for (((got, expect), count), start) in got.iter_mut().zip(&mut expect).zip(counts).zip(starts) {
                for i in 0..count {
                    let at = (row + i) * width;
                    let page = &mut expect[(start + i) / PAGE];
                    let key = &turned[at..at + width];
                    page.layer_mut(1)
                        .write((start + i) % PAGE, key, &v[at..at + width]);
                }
                let part = row * width..(row + count) * width;
                sequences.push(NewTokens {
                    start,
                    row,
                    k: &k[part.clone()],
                    v: &v[part],
                    pages: got[start / PAGE..]
                        .iter_mut()
                        .map(|page| page.layer_mut(1))
                        .collect(),
                });
                row += count;
            }
            remember(SHAPE, norm, &mut sequences);
            assert_eq!(format!("{got:?}"), format!("{expect:?}"), "{format:?}");
        }
    }
}
