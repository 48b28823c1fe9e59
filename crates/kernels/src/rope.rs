//! Rotary position embedding in the half-split ("NeoX") layout that Qwen3 uses.

use multiversion::multiversion;
use rayon::prelude::*;

/// Positions below which waking another thread costs more than it saves.
const FEW: usize = 64;

/// Cosines and sines for every position and frequency.
#[derive(Clone, Debug)]
pub struct RopeTable {
    half: usize,
    /// `[position, 2, half]`: the cosines of a position, then its sines.
    cos_sin: Vec<f32>,
}

impl RopeTable {
    /// A table for `positions` positions of heads of `head_dim` elements: angle `p * theta^(-2i / head_dim)`, computed
    /// in `f64`.
    pub fn new(positions: usize, head_dim: usize, theta: f64) -> Self {
        let half = head_dim / 2;
        let frequency = |i: usize| theta.powf(-2.0 * i as f64 / head_dim as f64);
        let frequencies: Vec<f64> = (0..half).map(frequency).collect();
        let mut table = Self::zeros(positions, half);
        for (p, row) in table.cos_sin.chunks_exact_mut(2 * half.max(1)).enumerate() {
            let (cos, sin) = row.split_at_mut(half);
            for ((cos, sin), f) in cos.iter_mut().zip(sin).zip(&frequencies) {
                let angle = p as f64 * f;
                (*cos, *sin) = (angle.cos() as f32, angle.sin() as f32);
            }
        }
        table
    }

    /// The rows of the table for `positions` alone, in the `f32` arithmetic of the reference implementation; row `i`
    /// belongs to `positions[i]`. For inference, which needs few positions out of very many.
    pub fn of_positions(positions: impl IntoIterator<Item = usize>, head_dim: usize, theta: f64) -> Self {
        let half = head_dim / 2;
        let frequency = |i: usize| 1.0 / (theta as f32).powf((2 * i) as f32 / head_dim as f32);
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let positions: Vec<usize> = positions.into_iter().collect();
        let mut table = Self::zeros(positions.len(), half);
        let fill = |(row, &p): (&mut [f32], &usize)| {
            let (cos, sin) = row.split_at_mut(half);
            for ((cos, sin), f) in cos.iter_mut().zip(sin).zip(&frequencies) {
                (*sin, *cos) = (p as f32 * f).sin_cos();
            }
        };
        let width = 2 * half.max(1);
        if positions.len() < FEW {
            let rows = table.cos_sin.chunks_exact_mut(width);
            rows.zip(&positions).for_each(fill);
        } else {
            let rows = table.cos_sin.par_chunks_exact_mut(width);
            rows.zip(&positions).with_min_len(FEW / 2).for_each(fill);
        }
        table
    }

    fn zeros(positions: usize, half: usize) -> Self {
        Self {
            half,
            cos_sin: vec![0.0; positions * 2 * half],
        }
    }

    /// Elements of a head.
    pub(crate) fn head_dim(&self) -> usize {
        2 * self.half
    }

    /// Positions.
    pub(crate) fn rows(&self) -> usize {
        self.cos_sin.len() / (2 * self.half.max(1))
    }

    /// Cosines and sines of a row.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> (&[f32], &[f32]) {
        self.cos_sin[row * 2 * self.half..][..2 * self.half].split_at(self.half)
    }
}

/// Rotates `x` `[n, h, k]` in place; `positions` `[n]` gives each row's place in its sequence.
///
/// # Panics
/// When a position lies outside the table or the lengths do not fit.
pub fn rope_forward(x: &mut [f32], heads: usize, positions: &[usize], table: &RopeTable) {
    rotate(x, heads, positions, table, 1.0);
}

/// Backward of [`rope_forward`], in place: the inverse rotation.
///
/// # Panics
/// As [`rope_forward`].
pub fn rope_backward(d_x: &mut [f32], heads: usize, positions: &[usize], table: &RopeTable) {
    rotate(d_x, heads, positions, table, -1.0);
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn rotate(x: &mut [f32], heads: usize, positions: &[usize], table: &RopeTable, sign: f32) {
    let width = heads * table.half * 2;
    assert_eq!(x.len(), positions.len() * width, "rope: lengths do not fit");
    for (row, &position) in x.chunks_exact_mut(width).zip(positions) {
        let (cos, sin) = table.at(position);
        for head in row.chunks_exact_mut(table.half * 2) {
            rotate_head(head, cos, sin, sign);
        }
    }
}

/// Rotates one head in place.
#[inline(always)]
pub(crate) fn rotate_head(head: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
    let (first, second) = head.split_at_mut(cos.len());
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        let (x, y, sin) = (*a, *b, sin * sign);
        *a = x * cos - y * sin;
        *b = y * cos + x * sin;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backward_undoes_forward_and_position_zero_is_the_identity() {
        let table = RopeTable::new(8, 6, 10_000.0);
        let x: Vec<f32> = (0..24).map(|i| i as f32 / 3.0 - 4.0).collect();
        let mut y = x.clone();
        rope_forward(&mut y, 2, &[0, 5], &table);
        assert_eq!(x[..12], y[..12]);
        assert!(x[12..] != y[12..]);
        rope_backward(&mut y, 2, &[0, 5], &table);
        assert!(x.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
