//! The one inner loop of all products: a few rows times a panel of sixteen columns.
//!
//! Every element of the result is one chain of multiply-adds over `k` in rising order, continued across calls. So an
//! element depends on its row and its column alone: not on how many rows were computed beside it, where `k` was cut,
//! or how many threads there were.

use crate::isa::Isa;

/// Columns of a panel.
pub const PANEL: usize = 16;

/// What a tile works on.
pub(crate) struct Tile<'a> {
    /// `[k, m]`: the rows of the left side, transposed.
    pub(crate) left_km: &'a [f32],
    /// `[k, PANEL]`.
    pub(crate) panel: &'a [f32],
    /// The result begins here; its rows are `stride` apart.
    pub(crate) out: &'a mut [f32],
    pub(crate) stride: usize,
    /// Columns of the panel that the result has, at most [`PANEL`].
    pub(crate) columns: usize,
    /// Whether the result starts at zero instead of what is in `out`.
    pub(crate) fresh: bool,
}

/// `out [m, columns] += leftᵀ · panel`.
///
/// # Panics
/// When `m` is 0 or above `isa.tile_rows()`, or the slices do not fit.
#[inline]
pub(crate) fn tile(isa: Isa, m: usize, job: Tile<'_>) {
    match m {
        1 => rows::<1>(isa, job),
        2 => rows::<2>(isa, job),
        3 => rows::<3>(isa, job),
        4 => rows::<4>(isa, job),
        5 => rows::<5>(isa, job),
        6 => rows::<6>(isa, job),
        7 => rows::<7>(isa, job),
        8 => rows::<8>(isa, job),
        9 => rows::<9>(isa, job),
        10 => rows::<10>(isa, job),
        11 => rows::<11>(isa, job),
        12 => rows::<12>(isa, job),
        _ => panic!("a tile of {m} rows"),
    }
}

fn rows<const M: usize>(isa: Isa, job: Tile<'_>) {
    let Tile {
        left_km,
        panel,
        out,
        stride,
        columns,
        fresh,
    } = job;
    assert!(columns <= PANEL && left_km.len().is_multiple_of(M) && left_km.len() / M == panel.len() / PANEL);
    let mut sums = [[0f32; PANEL]; M];
    if !fresh {
        for (i, row) in sums.iter_mut().enumerate() {
            row[..columns].copy_from_slice(&out[i * stride..][..columns]);
        }
    }
    let steps = left_km.as_chunks().0.iter().zip(panel.as_chunks().0);
    match isa {
        Isa::Portable => portable(steps, &mut sums),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: AVX2 and FMA were detected, else `Isa::is_available` would have kept the caller away.
        Isa::Avx2 => unsafe { avx2(steps, &mut sums) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above, of AVX-512 F.
        Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => unsafe { avx512(steps, &mut sums) },
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => neon(steps, &mut sums),
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => not_compiled(isa),
        #[cfg(not(target_arch = "aarch64"))]
        Isa::Neon => not_compiled(isa),
    }
    for (i, row) in sums.iter().enumerate() {
        out[i * stride..][..columns].copy_from_slice(&row[..columns]);
    }
}

pub(crate) fn not_compiled(isa: Isa) -> ! {
    unreachable!(
        "{} is not compiled for this architecture, and never available. This is a bug.",
        isa.name()
    )
}

/// A column of the left side and a row of the panel, for every `k`.
type Step<'a, const M: usize> = (&'a [f32; M], &'a [f32; PANEL]);

fn portable<'a, const M: usize>(steps: impl Iterator<Item = Step<'a, M>>, sums: &mut [[f32; PANEL]; M]) {
    for (left, right) in steps {
        for (sums, left) in sums.iter_mut().zip(left) {
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum += left * right;
            }
        }
    }
}

// Left to itself, the compiler turns some heights into scalar code. Hence the vectors by name.

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<'a, const M: usize>(steps: impl Iterator<Item = Step<'a, M>>, sums: &mut [[f32; PANEL]; M]) {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps};
    // SAFETY: each address begins one half of an array of sixteen, of which eight are read.
    let load = |from: &[f32; PANEL]| unsafe {
        [
            _mm256_loadu_ps(from.as_ptr()),
            _mm256_loadu_ps(from[8..].as_ptr()),
        ]
    };
    let mut wide = sums.map(|row| load(&row));
    for (left, right) in steps {
        let [low, high] = load(right);
        for (sum, &left) in wide.iter_mut().zip(left) {
            let left = _mm256_set1_ps(left);
            *sum = [
                _mm256_fmadd_ps(left, low, sum[0]),
                _mm256_fmadd_ps(left, high, sum[1]),
            ];
        }
    }
    for (row, [low, high]) in sums.iter_mut().zip(wide) {
        // SAFETY: each address begins one half of an array of sixteen, of which eight are written.
        unsafe {
            _mm256_storeu_ps(row.as_mut_ptr(), low);
            _mm256_storeu_ps(row[8..].as_mut_ptr(), high);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512<'a, const M: usize>(steps: impl Iterator<Item = Step<'a, M>>, sums: &mut [[f32; PANEL]; M]) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps};
    // SAFETY: the address begins an array of sixteen, all of which are read.
    let load = |from: &[f32; PANEL]| unsafe { _mm512_loadu_ps(from.as_ptr()) };
    let mut wide = sums.map(|row| load(&row));
    for (left, right) in steps {
        let right = load(right);
        for (sum, &left) in wide.iter_mut().zip(left) {
            *sum = _mm512_fmadd_ps(_mm512_set1_ps(left), right, *sum);
        }
    }
    for (row, sum) in sums.iter_mut().zip(wide) {
        // SAFETY: the address begins an array of sixteen, all of which are written.
        unsafe { _mm512_storeu_ps(row.as_mut_ptr(), sum) };
    }
}

#[cfg(target_arch = "aarch64")]
fn neon<'a, const M: usize>(steps: impl Iterator<Item = Step<'a, M>>, sums: &mut [[f32; PANEL]; M]) {
    for (left, right) in steps {
        for (sums, &left) in sums.iter_mut().zip(left) {
            for (sum, &right) in sums.iter_mut().zip(right) {
                *sum = left.mul_add(right, *sum);
            }
        }
    }
}

/// Writes `rows` of `x` (each `k` long, `stride` apart) as consecutive tiles `[k, m]` of up to `height` rows.
pub(crate) fn pack_rows(
    x: &[f32],
    rows: usize,
    k: usize,
    stride: usize,
    height: usize,
    packed: &mut Vec<f32>,
) {
    packed.clear();
    packed.resize(rows * k, 0.0);
    let mut rest = packed.as_mut_slice();
    for first in (0..rows).step_by(height) {
        let m = height.min(rows - first);
        let (tile, after) = rest.split_at_mut(m * k);
        for i in 0..m {
            let row = &x[(first + i) * stride..][..k];
            for (slot, &value) in tile[i..].iter_mut().step_by(m).zip(row) {
                *slot = value;
            }
        }
        rest = after;
    }
}
