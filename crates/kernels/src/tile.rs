//! The one inner loop of all products: a few rows times a panel of sixteen columns.
//!
//! Every element of the result is one chain of multiply-adds over `k` in rising order, continued across calls. So an
//! element depends on its row and its column alone: not on how many rows were computed beside it, where `k` was cut,
//! or how many threads there were.

use crate::isa::Isa;

/// Columns of a panel.
pub const PANEL: usize = 16;

/// Multiply and add, as one rounding or two.
trait Arithmetic {
    fn madd(a: f32, b: f32, c: f32) -> f32;
}

/// For targets with the instruction: one rounding.
struct Fused;
/// For the rest, where a fused operation would be a call of the C library.
struct Separate;

impl Arithmetic for Fused {
    #[inline(always)]
    fn madd(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

impl Arithmetic for Separate {
    #[inline(always)]
    fn madd(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

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
    match isa {
        Isa::Portable => body::<M, Separate>(job),
        // SAFETY (both): the features of `isa` were detected, else `Isa::is_available` would have kept it away.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::<M>(job) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::<M>(job) },
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => body::<M, Fused>(job),
        #[allow(
            unreachable_patterns,
            reason = "which patterns are left depends on the architecture"
        )]
        other => unreachable!("{} is not compiled for this architecture", other.name()),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<const M: usize>(job: Tile<'_>) {
    body::<M, Fused>(job);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn avx512<const M: usize>(job: Tile<'_>) {
    body::<M, Fused>(job);
}

#[inline(always)]
fn body<const M: usize, A: Arithmetic>(job: Tile<'_>) {
    let Tile {
        left_km,
        panel,
        out,
        stride,
        columns,
        fresh,
    } = job;
    assert!(columns <= PANEL && left_km.len() / M == panel.len() / PANEL && left_km.len().is_multiple_of(M));
    let mut sums = [[0f32; PANEL]; M];
    if !fresh {
        for (i, row) in sums.iter_mut().enumerate() {
            row[..columns].copy_from_slice(&out[i * stride..][..columns]);
        }
    }
    for (left, right) in left_km.chunks_exact(M).zip(panel.chunks_exact(PANEL)) {
        let left: &[f32; M] = left.try_into().expect("a chunk of M. This is a bug.");
        let right: &[f32; PANEL] = right.try_into().expect("a chunk of PANEL. This is a bug.");
        for i in 0..M {
            for j in 0..PANEL {
                sums[i][j] = A::madd(left[i], right[j], sums[i][j]);
            }
        }
    }
    for (i, row) in sums.iter().enumerate() {
        out[i * stride..][..columns].copy_from_slice(&row[..columns]);
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
