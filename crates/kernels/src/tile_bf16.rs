//! The inner loop of products in `bf16`: a few rows times panels of sixteen columns, summed in `f32`.
//!
//! The left side is plain rows of `bf16`. The right side is in panels of *pairs*, `[k / 2, PANEL, 2]`: for two inputs the
//! sixteen columns, each column's two values side by side, which is what one instruction takes.
//!
//! Every element of the result is one chain over the pairs in rising order, continued across calls; in a pair the second
//! product is added first, then the first, each sum rounded. So an element depends on its row and its column alone.
//! Numbers below `f32`'s normal range count as zero, in operands and in sums, as the instruction has it.
//! [`Isa::Portable`] stands for the same arithmetic in plain Rust: the same bits, for tests and nothing else.

use crate::isa::Isa;
use crate::tile::{PANEL, not_compiled};

/// Most rows of a tile: with two panels, as many as keep every accumulator in a register.
pub(crate) const TILE_ROWS: usize = 12;

/// At most so many rows wait for the panels, and not the panels for the rows.
#[cfg(target_arch = "x86_64")]
const FEW: usize = 4;

/// Rows times panels.
pub(crate) struct Bf16Job<'a, const P: usize> {
    /// `bf16`, row-major; a row begins every `left_stride` elements.
    pub(crate) left: &'a [u16],
    pub(crate) left_stride: usize,
    /// Inputs of the product; even.
    pub(crate) k: usize,
    /// `[k / 2, PANEL, 2]` each.
    pub(crate) panels: [&'a [u16]; P],
    /// The result begins here; its rows are `stride` apart, the columns of the panels one after the other.
    pub(crate) out: &'a mut [f32],
    pub(crate) stride: usize,
    /// Columns that the result has: all of the panels', or fewer in the last.
    pub(crate) columns: usize,
    /// Whether the result starts at zero instead of what is in `out`.
    pub(crate) fresh: bool,
}

impl<'a> Bf16Job<'a, 2> {
    /// The same for the first panel alone.
    pub(crate) fn first_panel(self) -> Bf16Job<'a, 1> {
        Bf16Job {
            left: self.left,
            left_stride: self.left_stride,
            k: self.k,
            panels: [self.panels[0]],
            out: self.out,
            stride: self.stride,
            columns: self.columns.min(PANEL),
            fresh: self.fresh,
        }
    }
}

/// `out [m, columns] += left · panels`, for any number of rows and one panel or two; two are faster.
///
/// # Panics
/// When the slices do not fit, or `isa` has no products of `bf16` and is not [`Isa::Portable`].
#[inline]
pub(crate) fn rows_bf16<const P: usize>(isa: Isa, m: usize, job: Bf16Job<'_, P>) {
    const { assert!(P == 1 || P == 2) };
    let Bf16Job { k, columns, .. } = job;
    assert!(
        k.is_multiple_of(2)
            && columns <= P * PANEL
            && columns > (P - 1) * PANEL
            && job.panels.iter().all(|panel| panel.len() == k * PANEL),
        "products in bf16: panels of {k} inputs, an even number, and at most {} columns",
        P * PANEL
    );
    if m == 0 {
        return;
    }
    let fits = |len: usize, stride: usize, width: usize| {
        stride
            .checked_mul(m - 1)
            .and_then(|start| start.checked_add(width))
            .is_some_and(|end| end <= len)
    };
    assert!(
        fits(job.left.len(), job.left_stride, k) && fits(job.out.len(), job.stride, columns),
        "products in bf16: {m} rows expected on both sides"
    );
    for first in (0..m).step_by(TILE_ROWS) {
        let rows = TILE_ROWS.min(m - first);
        let tile = Bf16Job {
            left: &job.left[first * job.left_stride..],
            out: &mut job.out[first * job.stride..],
            ..job
        };
        match rows {
            1 => tile_of::<1, P>(isa, tile),
            2 => tile_of::<2, P>(isa, tile),
            3 => tile_of::<3, P>(isa, tile),
            4 => tile_of::<4, P>(isa, tile),
            5 => tile_of::<5, P>(isa, tile),
            6 => tile_of::<6, P>(isa, tile),
            7 => tile_of::<7, P>(isa, tile),
            8 => tile_of::<8, P>(isa, tile),
            9 => tile_of::<9, P>(isa, tile),
            10 => tile_of::<10, P>(isa, tile),
            11 => tile_of::<11, P>(isa, tile),
            _ => tile_of::<12, P>(isa, tile),
        }
    }
}

/// Slices long enough for `M` rows and `P` panels, as [`rows_bf16`] has checked.
#[inline]
fn tile_of<const M: usize, const P: usize>(isa: Isa, job: Bf16Job<'_, P>) {
    match isa {
        Isa::Portable => portable::<M, P>(job),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instructions were detected, else `Isa::is_available` would have kept the caller away; the
        // lengths were checked by the only caller.
        Isa::Avx512Bf16 | Isa::Amx => unsafe { avx512::<M, P>(job) },
        _ => not_compiled(isa),
    }
}

/// Zero for what is below the normal range.
#[inline(always)]
fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE {
        0f32.copysign(x)
    } else {
        x
    }
}

fn portable<const M: usize, const P: usize>(job: Bf16Job<'_, P>) {
    let widen = |bits: u16| flush(f32::from_bits(u32::from(bits) << 16));
    for i in 0..M {
        let row = &job.left[i * job.left_stride..][..job.k];
        let out = &mut job.out[i * job.stride..][..job.columns];
        for (panel, out) in job.panels.iter().zip(out.chunks_mut(PANEL)) {
            let mut sums = [0f32; PANEL];
            if !job.fresh {
                sums[..out.len()].copy_from_slice(out);
            }
            let steps = panel
                .as_chunks::<{ 2 * PANEL }>()
                .0
                .iter()
                .zip(row.as_chunks::<2>().0);
            for (right, &[first, second]) in steps {
                for (sum, &[right_first, right_second]) in sums.iter_mut().zip(right.as_chunks::<2>().0) {
                    // Products of two bf16 are exact in f32, so that a fused sum is this one.
                    *sum = flush(flush(*sum) + widen(second) * widen(right_second));
                    *sum = flush(*sum + widen(first) * widen(right_first));
                }
            }
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// # Safety
/// `job` has `M` rows on both sides, `P` panels of `k` inputs, and more than `(P - 1) * PANEL` columns.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn avx512<const M: usize, const P: usize>(job: Bf16Job<'_, P>) {
    use std::arch::x86_64::{
        _MM_HINT_T1, _mm_prefetch, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
        _mm512_setzero_ps, _mm512_setzero_si512,
    };
    let mask = |p: usize| {
        if p + 1 == P {
            u16::MAX >> (P * PANEL - job.columns)
        } else {
            u16::MAX
        }
    };
    let mut sums = [[_mm512_setzero_ps(); P]; M];
    if !job.fresh {
        for (i, sums) in sums.iter_mut().enumerate() {
            for (p, sum) in sums.iter_mut().enumerate() {
                let from = job.out.as_ptr().wrapping_add(i * job.stride + p * PANEL);
                // SAFETY: row `i` of the result has the columns that the mask lets through.
                *sum = unsafe { _mm512_maskz_loadu_ps(mask(p), from) };
            }
        }
    }
    let rows: [*const u16; M] = std::array::from_fn(|i| job.left.as_ptr().wrapping_add(i * job.left_stride));
    for pair in 0..job.k / 2 {
        let mut right = [_mm512_setzero_si512(); P];
        for (right, panel) in right.iter_mut().zip(&job.panels) {
            // SAFETY: a panel holds 32 values for each pair.
            *right = unsafe { _mm512_loadu_si512(panel.as_ptr().add(pair * 2 * PANEL).cast()) };
            if const { M <= FEW } {
                // What comes after the panels is what is wanted next, as a rule, and a processor that reads ahead by
                // itself stops at every 4 KiB. A hint, which reads nothing: any address will do.
                let next = panel.as_ptr().wrapping_add(pair * 2 * PANEL + P * job.k * PANEL);
                _mm_prefetch::<_MM_HINT_T1>(next.cast());
            }
        }
        for (sums, row) in sums.iter_mut().zip(rows) {
            // SAFETY: every row of the left side has `k` values; two of them are read.
            unsafe { step(sums, right, row, pair) };
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        for (p, sum) in sums.iter().enumerate() {
            let to = job.out.as_mut_ptr().wrapping_add(i * job.stride + p * PANEL);
            // SAFETY: as for the load.
            unsafe { _mm512_mask_storeu_ps(to, mask(p), *sum) };
        }
    }
}

/// `sums += pair · right`, for pair number `pair` of a row.
///
/// By name, since the compiler loads the pairs of all rows first and then has no registers left for the sums.
///
/// # Safety
/// The row has two values at `2 * pair`.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn step<const P: usize>(
    sums: &mut [std::arch::x86_64::__m512; P],
    right: [std::arch::x86_64::__m512i; P],
    row: *const u16,
    pair: usize,
) {
    use std::arch::asm;
    // SAFETY: the instructions read four bytes at the address, which the caller vouches for, and change registers alone.
    unsafe {
        match sums.as_mut_slice() {
            [a] => asm!(
                "vdpbf16ps {a}, {r}, dword ptr [{row} + 4 * {pair}]{{1to16}}",
                a = inout(zmm_reg) *a, r = in(zmm_reg) right[0], row = in(reg) row, pair = in(reg) pair,
                options(nostack, preserves_flags),
            ),
            [a, b] => asm!(
                "vpbroadcastd {t}, dword ptr [{row} + 4 * {pair}]",
                "vdpbf16ps {a}, {r}, {t}",
                "vdpbf16ps {b}, {s}, {t}",
                a = inout(zmm_reg) *a, b = inout(zmm_reg) *b, t = out(zmm_reg) _,
                r = in(zmm_reg) right[0], s = in(zmm_reg) right[1],
                row = in(reg) row, pair = in(reg) pair,
                options(nostack, preserves_flags),
            ),
            _ => unreachable!("one or two panels. This is a bug."),
        }
    }
}

/// A `bf16` for an `f32`, rounded to the nearest, ties to even; what is below the normal range becomes zero.
#[inline(always)]
pub(crate) fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let upper = bits >> 16;
    if bits & 0x7f80_0000 == 0 {
        return (upper & 0x8000) as u16;
    }
    if x.is_nan() {
        return (upper | 0x40) as u16;
    }
    ((bits + 0x7fff + (upper & 1)) >> 16) as u16
}

/// [`to_bf16`] of every element.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub(crate) fn row_to_bf16(isa: Isa, from: &[f32], to: &mut [u16]) {
    assert_eq!(from.len(), to.len(), "bf16: equal lengths expected");
    #[cfg(target_arch = "x86_64")]
    // Asked again where a set is named that should have it: tests emulate tiles where there is nothing of the kind.
    if isa.has_bf16()
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bf16")
    {
        // SAFETY: just detected.
        return unsafe { narrow(from, to) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = isa;
    for (to, &from) in to.iter_mut().zip(from) {
        *to = to_bf16(from);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
fn narrow(from: &[f32], to: &mut [u16]) {
    use std::arch::x86_64::{__m256i, _mm256_mask_storeu_epi16, _mm512_cvtneps_pbh, _mm512_maskz_loadu_ps};
    for (from, to) in from.chunks(16).zip(to.chunks_mut(16)) {
        let mask = u16::MAX >> (16 - from.len());
        // SAFETY: the mask lets through as many elements as both slices have.
        unsafe {
            let rounded: __m256i =
                std::mem::transmute(_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from.as_ptr())));
            _mm256_mask_storeu_epi16(to.as_mut_ptr().cast(), mask, rounded);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn available() -> impl Iterator<Item = Isa> {
        [Isa::Avx512Bf16, Isa::Amx]
            .into_iter()
            .filter(|isa| isa.is_available())
    }

    fn random(random: &mut ChaCha8Rng, count: usize) -> Vec<u16> {
        (0..count)
            .map(|_| to_bf16(random.random_range(-1.0..1.0)))
            .collect()
    }

    fn run<const P: usize>(isa: Isa, (m, k, columns): (usize, usize, usize), fresh: bool) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64((m * 1000 + k) as u64);
        let left_stride = k + 3;
        let left = random(&mut rng, (m - 1) * left_stride + k);
        let panels: [Vec<u16>; P] = std::array::from_fn(|_| random(&mut rng, k * PANEL));
        let stride = P * PANEL + 1;
        let mut out: Vec<f32> = (0..(m - 1) * stride + columns).map(|i| i as f32 / 7.0).collect();
        let job: Bf16Job<'_, P> = Bf16Job {
            left: &left,
            left_stride,
            k,
            panels: panels.each_ref().map(Vec::as_slice),
            out: &mut out,
            stride,
            columns,
            fresh,
        };
        rows_bf16(isa, m, job);
        out
    }

    #[test]
    fn the_instruction_and_its_twin_give_the_same_bits() {
        fn check<const P: usize>(isa: Isa) {
            for m in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25] {
                for (k, columns) in [(2, P * PANEL), (14, P * PANEL - 5), (130, P * PANEL - 15)] {
                    for fresh in [true, false] {
                        let shape = (m, k, columns);
                        let expect = run::<P>(Isa::Portable, shape, fresh);
                        assert_eq!(run::<P>(isa, shape, fresh), expect, "{shape:?}, {P} panels");
                    }
                }
            }
        }
        for isa in available() {
            check::<1>(isa);
            check::<2>(isa);
        }
    }

    /// By hand: 1·3 + 2·4 = 11, and the next pair on top of it.
    #[test]
    fn pairs_are_multiplied_and_summed() {
        let bits = |x: f32| to_bf16(x);
        for isa in available().chain([Isa::Portable]) {
            let mut panel = vec![0; 4 * PANEL];
            panel[..2].copy_from_slice(&[bits(3.0), bits(4.0)]);
            panel[2 * PANEL..][..2].copy_from_slice(&[bits(-0.5), bits(8.0)]);
            panel[4 * PANEL - 2..].copy_from_slice(&[bits(1.0), bits(-1.0)]);
            let mut out = [100.0; PANEL];
            let job = Bf16Job {
                left: &[1.0, 2.0, 6.0, 0.25].map(bits),
                left_stride: 4,
                k: 4,
                panels: [&panel],
                out: &mut out,
                stride: PANEL,
                columns: PANEL,
                fresh: false,
            };
            rows_bf16(isa, 1, job);
            assert_eq!(
                (out[0], out[1], out[15]),
                (110.0, 100.0, 105.75),
                "{}",
                isa.name()
            );
        }
    }

    #[test]
    fn rounding_is_to_the_nearest_even() {
        let check = |x: f32, expect: u16| {
            assert_eq!(to_bf16(x), expect, "{x:e}");
            for isa in available() {
                let mut out = [7; 21];
                row_to_bf16(isa, &[x; 21], &mut out);
                assert_eq!(out, [expect; 21], "{x:e}, {}", isa.name());
            }
        };
        check(1.0, 0x3f80);
        check(f32::from_bits(0x3f80_8000), 0x3f80);
        check(f32::from_bits(0x3f81_8000), 0x3f82);
        check(f32::from_bits(0x3f80_8001), 0x3f81);
        check(f32::MAX, 0x7f80);
        check(f32::NEG_INFINITY, 0xff80);
        check(f32::from_bits(0x8040_0000), 0x8000);
        check(f32::NAN, 0x7fc0);
    }

    #[test]
    #[should_panic(expected = "3 rows expected on both sides")]
    fn rows_that_are_not_there_are_refused() {
        let job = Bf16Job {
            left: &[0; 11],
            left_stride: 4,
            k: 4,
            panels: [&[0; 64]],
            out: &mut [0.0; 48],
            stride: 16,
            columns: 16,
            fresh: true,
        };
        rows_bf16(Isa::Portable, 3, job);
    }
}
