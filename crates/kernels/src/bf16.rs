//! Operands of training's products in bf16: packed from `f32` right before use, summed in `f32`.
//!
//! A product wants its left side as rows with the inner dimension contiguous ([`Rows`]) and its right side in panels
//! of sixteen columns with pairs of the inner dimension side by side ([`Panels`]), the order of the instructions that
//! multiply pairs. Each can be packed from a matrix as it lies or transposed, which makes the three products of a
//! training step: `x · wᵀ`, `d_y · w` and `d_yᵀ · x`. The inner dimension is filled up with zeros to a multiple of
//! [`INNER`].
//!
//! Shape suffixes: `m` rows and `n` columns of the result, `k` the inner dimension.

use multiversion::multiversion;
use std::ops::Range;

/// Columns of a panel, and the side of the blocks that are transposed.
pub(crate) const SIDE: usize = 16;

/// The inner dimension is a multiple of this: two numbers for each of sixteen lanes.
pub const INNER: usize = 2 * SIDE;

/// Two neighbours along the inner dimension, the first in the lower half.
type Pair = u32;

/// A block of pairs that is turned at once.
type Block = [[Pair; SIDE]; SIDE];

/// The left side of a product: `[m, k]` in bf16, row after row.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pairs: Vec<Pair>,
    rows: usize,
    inner: usize,
}

/// The right side of a product: `[k, n]` in bf16, in panels of sixteen columns.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    pairs: Vec<Pair>,
    columns: usize,
    inner: usize,
}

impl Rows {
    /// Takes `x` `[m, k]` as it lies; its rows begin `stride` elements apart.
    ///
    /// # Panics
    /// When `x` is too short.
    pub fn pack(&mut self, x: &[f32], (m, k): (usize, usize), stride: usize) {
        let (pairs, width) = self.reset(m, k);
        rows_as_they_lie(pairs, width, x, (m, k), stride);
    }

    /// Takes the transpose of `x` `[k, m]`, whose rows begin `stride` elements apart.
    ///
    /// # Panics
    /// When `x` is too short.
    pub fn pack_transposed(&mut self, x: &[f32], (k, m): (usize, usize), stride: usize) {
        let (pairs, width) = self.reset(m, k);
        turned(pairs, Turned::Rows { width }, x, (k, m), stride);
    }

    /// Room for `[rows, inner]`, and the pairs of a row.
    fn reset(&mut self, rows: usize, inner: usize) -> (&mut [Pair], usize) {
        (self.rows, self.inner) = (rows, inner.next_multiple_of(INNER));
        (room(&mut self.pairs, rows * self.inner / 2), self.inner / 2)
    }

    /// All of it, as the left side of a product.
    pub fn all(&self) -> Left<'_> {
        self.part(0..self.rows, 0..self.inner)
    }

    /// Some rows, and the part `inner` of the inner dimension, whose ends are multiples of [`INNER`].
    ///
    /// # Panics
    /// When there is no such part.
    pub fn part(&self, rows: Range<usize>, inner: Range<usize>) -> Left<'_> {
        assert!(
            rows.end <= self.rows && inner.end <= self.inner,
            "rows {rows:?}, inner {inner:?}"
        );
        assert!(
            inner.start.is_multiple_of(INNER) && inner.end.is_multiple_of(INNER),
            "inner {inner:?}"
        );
        let stride = self.inner / 2;
        let start = (rows.start * stride + inner.start / 2).min(self.pairs.len());
        Left {
            pairs: &self.pairs[start..],
            rows: rows.len(),
            width: inner.len() / 2,
            stride,
        }
    }
}

impl Panels {
    /// Takes `x` `[k, n]` as it lies; its rows begin `stride` elements apart.
    ///
    /// # Panics
    /// When `x` is too short.
    pub fn pack(&mut self, x: &[f32], (k, n): (usize, usize), stride: usize) {
        let (pairs, width) = self.reset(k, n);
        panels_as_they_lie(pairs, width, x, (k, n), stride);
    }

    /// Takes the transpose of `x` `[n, k]`, whose rows begin `stride` elements apart.
    ///
    /// # Panics
    /// When `x` is too short.
    pub fn pack_transposed(&mut self, x: &[f32], (n, k): (usize, usize), stride: usize) {
        let (pairs, width) = self.reset(k, n);
        turned(pairs, Turned::Panels { width }, x, (n, k), stride);
    }

    /// Room for `[inner, columns]`, and the pairs of a column.
    fn reset(&mut self, inner: usize, columns: usize) -> (&mut [Pair], usize) {
        (self.columns, self.inner) = (columns, inner.next_multiple_of(INNER));
        let pairs = columns.next_multiple_of(SIDE) * self.inner / 2;
        (room(&mut self.pairs, pairs), self.inner / 2)
    }

    /// All of it, as the right side of a product.
    pub fn all(&self) -> Right<'_> {
        self.part(0..self.columns, 0..self.inner)
    }

    /// Some columns, beginning at a multiple of sixteen, and the part `inner` of the inner dimension, whose ends are
    /// multiples of [`INNER`].
    ///
    /// # Panics
    /// When there is no such part.
    pub fn part(&self, columns: Range<usize>, inner: Range<usize>) -> Right<'_> {
        assert!(
            columns.end <= self.columns && inner.end <= self.inner,
            "columns {columns:?}, inner {inner:?}"
        );
        assert!(columns.start.is_multiple_of(SIDE), "columns {columns:?}");
        assert!(
            inner.start.is_multiple_of(INNER) && inner.end.is_multiple_of(INNER),
            "inner {inner:?}"
        );
        let stride = self.inner / 2 * SIDE;
        let start = (columns.start / SIDE * stride + inner.start / 2 * SIDE).min(self.pairs.len());
        Right {
            pairs: &self.pairs[start..],
            columns: columns.len(),
            width: inner.len() / 2,
            stride,
        }
    }
}

/// A part of [`Rows`].
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    pub(crate) pairs: &'a [Pair],
    pub(crate) rows: usize,
    /// Pairs of a row that take part.
    pub(crate) width: usize,
    /// Pairs from one row to the next.
    pub(crate) stride: usize,
}

/// A part of [`Panels`].
#[derive(Clone, Copy, Debug)]
pub struct Right<'a> {
    pub(crate) pairs: &'a [Pair],
    pub(crate) columns: usize,
    /// Pairs of a column that take part.
    pub(crate) width: usize,
    /// Pairs from one panel to the next.
    pub(crate) stride: usize,
}

/// The first `len` pairs, of any value. The buffer never shrinks: growing it again would clear what is about to be
/// written.
fn room(pairs: &mut Vec<Pair>, len: usize) -> &mut [Pair] {
    if pairs.len() < len {
        pairs.resize(len, 0);
    }
    &mut pairs[..len]
}

/// Pairs as the numbers that they are made of.
pub(crate) fn numbers(pairs: &[Pair]) -> &[u16] {
    // SAFETY: any bits are a number of 16 bits, and the alignment of a pair is enough for it; hence nothing is left
    // over at either end, and the order is that of the pair, as all our targets are little-endian.
    unsafe { pairs.align_to::<u16>().1 }
}

/// The nearest bf16, ties to even, in the upper half.
#[inline(always)]
fn narrow(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    // Rounding could carry a NaN over into zero.
    if x.is_nan() { bits | 0x0040_0000 } else { rounded }
}

#[inline(always)]
fn pair(first: f32, second: f32) -> Pair {
    (narrow(first) >> 16) | (narrow(second) & 0xffff_0000)
}

/// The pairs of one row of `x`; what is beyond its end is zero.
#[inline(always)]
fn pair_neighbours(x: &[f32], out: &mut [Pair]) {
    let (whole, rest) = x.as_chunks::<2>();
    let (paired, filling) = out.split_at_mut(whole.len());
    for (out, [a, b]) in paired.iter_mut().zip(whole) {
        *out = pair(*a, *b);
    }
    filling.fill(0);
    if let ([last], [first, ..]) = (rest, filling) {
        *first = pair(*last, 0.0);
    }
}

/// Sixteen numbers of row `row` of the `k` rows of `x`; what is beyond `columns` or `k` is zero.
#[inline(always)]
fn row_of(x: &[f32], (row, k, stride): (usize, usize, usize), columns: Range<usize>) -> [f32; SIDE] {
    if row >= k {
        return [0.0; SIDE];
    }
    let from = &x[row * stride + columns.start..];
    if columns.len() == SIDE {
        return *from
            .first_chunk()
            .expect("a row has all of its columns. This is a bug.");
    }
    let mut values = [0.0; SIDE];
    for (value, x) in values[..columns.len()].iter_mut().zip(from) {
        *value = *x;
    }
    values
}

/// Pairs of the rows `row` and `row + 1` of the `k` rows of `x`, from `column` on; what is beyond is zero.
#[inline(always)]
fn pair_rows(
    x: &[f32],
    (row, k, stride): (usize, usize, usize),
    columns: Range<usize>,
    out: &mut [Pair; SIDE],
) {
    let (first, second) = (
        row_of(x, (row, k, stride), columns.clone()),
        row_of(x, (row + 1, k, stride), columns),
    );
    for j in 0..SIDE {
        out[j] = pair(first[j], second[j]);
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn rows_as_they_lie(pairs: &mut [Pair], width: usize, x: &[f32], (m, k): (usize, usize), stride: usize) {
    for (i, out) in (0..m).zip(pairs.chunks_exact_mut(width.max(1))) {
        pair_neighbours(&x[i * stride..][..k], out);
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn panels_as_they_lie(pairs: &mut [Pair], width: usize, x: &[f32], (k, n): (usize, usize), stride: usize) {
    for p in 0..width {
        for (column, out) in (0..n).step_by(SIDE).zip(pairs.chunks_exact_mut(width * SIDE)) {
            let out = &mut out.as_chunks_mut().0[p];
            pair_rows(x, (2 * p, k, stride), column..n.min(column + SIDE), out);
        }
    }
}

/// Where transposed pairs go.
#[derive(Clone, Copy)]
enum Turned {
    Rows { width: usize },
    Panels { width: usize },
}

fn turned(pairs: &mut [Pair], to: Turned, x: &[f32], shape: (usize, usize), stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        // SAFETY: both features were just detected.
        unsafe { turned_avx512(pairs, to, x, shape, stride) };
        return;
    }
    turn_all(pairs, to, (x, shape, stride), |block| {
        *block = std::array::from_fn(|i| std::array::from_fn(|j| block[j][i]));
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn turned_avx512(pairs: &mut [Pair], to: Turned, x: &[f32], shape: (usize, usize), stride: usize) {
    turn_all(pairs, to, (x, shape, stride), |block| turn_avx512(block));
}

#[inline(always)]
fn turn_all(
    pairs: &mut [Pair],
    to: Turned,
    (x, shape, stride): (&[f32], (usize, usize), usize),
    turn: impl Fn(&mut Block),
) {
    let mut block: Block = [[0; SIDE]; SIDE];
    match to {
        Turned::Rows { width } => {
            let (k, m) = shape;
            for first in (0..k).step_by(INNER) {
                for column in (0..m).step_by(SIDE) {
                    let columns = column..m.min(column + SIDE);
                    for (p, pairs) in block.iter_mut().enumerate() {
                        pair_rows(x, (first + 2 * p, k, stride), columns.clone(), pairs);
                    }
                    turn(&mut block);
                    for (row, j) in block.iter().zip(columns) {
                        pairs[j * width + first / 2..][..SIDE].copy_from_slice(row);
                    }
                }
            }
        }
        Turned::Panels { width } => {
            let (n, k) = shape;
            for (column, out) in (0..n).step_by(SIDE).zip(pairs.chunks_exact_mut(width * SIDE)) {
                for (first, out) in (0..k).step_by(INNER).zip(out.chunks_exact_mut(SIDE * SIDE)) {
                    for (pairs, j) in block.iter_mut().zip(column..) {
                        if j < n {
                            pair_neighbours(&x[j * stride..][first..k.min(first + INNER)], pairs);
                        } else {
                            pairs.fill(0);
                        }
                    }
                    turn(&mut block);
                    out.copy_from_slice(block.as_flattened());
                }
            }
        }
    }
}

/// Transposes in four rounds of sixteen shuffles.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn turn_avx512(block: &mut Block) {
    use std::arch::x86_64::{
        __m512i, _mm512_loadu_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512, _mm512_unpackhi_epi32,
        _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
    };
    // SAFETY: each address begins an array of sixteen pairs, all of which are read.
    let r: [__m512i; SIDE] = std::array::from_fn(|i| unsafe { _mm512_loadu_si512(block[i].as_ptr().cast()) });
    let mut a = r;
    for i in 0..8 {
        a[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    let mut b = a;
    for i in 0..4 {
        b[4 * i] = _mm512_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm512_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm512_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm512_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
    // b[4 i + j], lane l: rows 4 i to 4 i + 3 of column 4 l + j.
    for j in 0..4 {
        let low = _mm512_shuffle_i32x4::<0x88>(b[j], b[4 + j]);
        let odd = _mm512_shuffle_i32x4::<0xdd>(b[j], b[4 + j]);
        let low2 = _mm512_shuffle_i32x4::<0x88>(b[8 + j], b[12 + j]);
        let odd2 = _mm512_shuffle_i32x4::<0xdd>(b[8 + j], b[12 + j]);
        let columns = [
            (j, _mm512_shuffle_i32x4::<0x88>(low, low2)),
            (4 + j, _mm512_shuffle_i32x4::<0x88>(odd, odd2)),
            (8 + j, _mm512_shuffle_i32x4::<0xdd>(low, low2)),
            (12 + j, _mm512_shuffle_i32x4::<0xdd>(odd, odd2)),
        ];
        for (column, values) in columns {
            // SAFETY: the address begins an array of sixteen pairs, all of which are written.
            unsafe { _mm512_storeu_si512(block[column].as_mut_ptr().cast(), values) };
        }
    }
}
