//! Products of bytes with AVX2, which multiplies bytes only where one side is unsigned, and lets sums of two saturate.
//!
//! For a few rows the weights are read as they lie: their magnitudes times the activations, which take over their signs.
//! At most 128 times 127 twice, a sum stays below 2^15. For many rows they are widened to sixteen bits first, once for
//! all of them, which spares every row the signs: from registers, 95 multiply-adds in a nanosecond of a core, not 71.

use std::arch::asm;
use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadu_si128, _mm256_abs_epi8, _mm256_add_epi32, _mm256_and_si256,
    _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps,
    _mm256_cvtepu16_epi32, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_or_si256, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setr_epi8, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_sign_epi8, _mm256_slli_epi32, _mm256_srai_epi16, _mm256_storeu_ps, _mm256_storeu_si256,
};
use std::ops::Range;

use super::{Block, ByteJob};
use crate::isa::Isa;
use crate::packed::BLOCK;
use crate::tile::PANEL;

/// Rows from which on it pays to widen the weights.
pub(crate) const MANY: usize = 4;
/// Rows of a tile: with two vectors of columns, as many as keep every sum in a register.
const ROWS: usize = 6;
/// Columns of a vector of sums.
const HALF: usize = PANEL / 2;

/// Rows times some blocks of widened panels.
pub(crate) struct PairJob<'a, const P: usize> {
    /// `[row, block]`.
    pub(crate) left: &'a [Block],
    /// Blocks of a row.
    pub(crate) blocks: usize,
    /// Those of them that are multiplied here. The sums start at zero where this does.
    pub(crate) part: Range<usize>,
    /// Of these blocks, what [`widen`] gives, and `f16` scales `[block, PANEL]`.
    pub(crate) panels: [(&'a [i16], &'a [u16]); P],
    /// Rows are `stride` apart, the columns of the panels one after the other.
    pub(crate) out: &'a mut [f32],
    pub(crate) stride: usize,
}

/// Bytes `[k / 4, PANEL, 4]` to `[k / 2, PANEL, 2]` of sixteen bits.
///
/// # Panics
/// When the lengths do not fit or are no whole fours, or this machine lacks AVX2.
pub(crate) fn widen(quants: &[i8], pairs: &mut [i16]) {
    assert!(
        Isa::Avx2.is_available() && quants.len() == pairs.len() && quants.len().is_multiple_of(4 * PANEL),
        "widening of {} bytes to {} pairs",
        quants.len(),
        pairs.len()
    );
    // SAFETY: just asked for.
    unsafe { widen_all(quants, pairs) };
}

#[target_feature(enable = "avx2")]
fn widen_all(quants: &[i8], pairs: &mut [i16]) {
    // Two bytes of each four into the upper halves of sixteen bits, whence a shift spreads their signs.
    let low = _mm256_setr_epi8(
        -1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9,
        -1, 12, -1, 13,
    );
    let high = _mm256_setr_epi8(
        -1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15, -1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1,
        11, -1, 14, -1, 15,
    );
    let fours = quants.as_chunks::<{ 4 * PANEL }>().0;
    for (pairs, fours) in pairs.as_chunks_mut::<{ 4 * PANEL }>().0.iter_mut().zip(fours) {
        for half in [0, 1] {
            // SAFETY: eight columns: 32 bytes of fours, and as many of each of two pairs.
            unsafe {
                let four = _mm256_loadu_si256(fours[half * 4 * HALF..].as_ptr().cast::<__m256i>());
                let spread = |order| _mm256_srai_epi16::<8>(_mm256_shuffle_epi8(four, order));
                let to = pairs[half * 2 * HALF..].as_mut_ptr();
                _mm256_storeu_si256(to.cast::<__m256i>(), spread(low));
                _mm256_storeu_si256(to.add(2 * PANEL).cast::<__m256i>(), spread(high));
            }
        }
    }
}

/// `out [m, P * PANEL] += left · panels`, or without what it held where the part is the first: the bits of
/// [`super::rows_int8`].
///
/// # Panics
/// When the slices do not fit, or this machine lacks AVX2.
pub(crate) fn rows<const P: usize>(m: usize, job: PairJob<'_, P>) {
    let (PairJob { blocks, stride, .. }, count) = (&job, job.part.len());
    assert!(
        Isa::Avx2.is_available()
            && m > 0
            && job.left.len() >= m * blocks
            && job.part.end <= *blocks
            && *stride >= P * PANEL
            && job.out.len() >= (m - 1) * stride + P * PANEL
            && job.panels.iter().all(|(pairs, scales)| {
                pairs.len() == count * BLOCK * PANEL && scales.len() == count * PANEL
            }),
        "products of widened bytes: {m} rows and panels of {count} blocks expected"
    );
    // SAFETY: just asked for, as were the lengths.
    unsafe { all_rows(m, job) };
}

/// # Safety
/// As [`rows`] checks.
#[target_feature(enable = "avx2,fma")]
unsafe fn all_rows<const P: usize>(m: usize, job: PairJob<'_, P>) {
    for first in (0..m).step_by(ROWS) {
        let count = ROWS.min(m - first);
        let out = &mut job.out[first * job.stride..];
        let mut sums = [[[_mm256_setzero_ps(); 2]; P]; ROWS];
        if job.part.start > 0 {
            for (sums, out) in sums.iter_mut().zip(out.chunks(job.stride)).take(count) {
                for (sum, out) in sums.as_flattened_mut().iter_mut().zip(out.as_chunks::<HALF>().0) {
                    // SAFETY: eight columns.
                    *sum = unsafe { _mm256_loadu_ps(out.as_ptr()) };
                }
            }
        }
        // Rows that are missing are zeros, and their sums are left alone.
        let mut left = [[0i16; BLOCK]; ROWS];
        let mut own = [0f32; ROWS];
        for (index, b) in job.part.clone().enumerate() {
            for (i, (left, own)) in left.iter_mut().zip(&mut own).enumerate().take(count) {
                let block = &job.left[(first + i) * job.blocks + b];
                *own = block.scale;
                for half in [0, BLOCK / 2] {
                    // SAFETY: sixteen values each.
                    unsafe {
                        let bytes = _mm_loadu_si128(block.values[half..].as_ptr().cast::<__m128i>());
                        let to = left[half..].as_mut_ptr().cast::<__m256i>();
                        _mm256_storeu_si256(to, _mm256_cvtepi8_epi16(bytes));
                    }
                }
            }
            for (p, (pairs, scales)) in job.panels.iter().enumerate() {
                // SAFETY: the pairs of a block.
                let whole = unsafe { block_of(&left, pairs[index * BLOCK * PANEL..].as_ptr()) };
                let scales = [0, HALF].map(|half| {
                    // SAFETY: sixteen `f16` for each block.
                    unsafe { f16x8(scales.as_ptr().add(index * PANEL + half)) }
                });
                for (i, (sums, whole)) in sums.iter_mut().zip(whole).enumerate() {
                    let own = _mm256_set1_ps(own[i]);
                    for ((sum, whole), scale) in sums[p].iter_mut().zip(whole).zip(scales) {
                        *sum = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(whole), scale), own, *sum);
                    }
                }
            }
        }
        for (sums, out) in sums.iter().zip(out.chunks_mut(job.stride)).take(count) {
            for (sum, out) in sums.as_flattened().iter().zip(out.as_chunks_mut::<HALF>().0) {
                // SAFETY: eight columns.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr(), *sum) };
            }
        }
    }
}

/// Six rows of a block times a panel's.
///
/// # Safety
/// There are `BLOCK * PANEL` elements of `pairs`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn block_of(left: &[[i16; BLOCK]; ROWS], pairs: *const i16) -> [[__m256i; 2]; ROWS] {
    let mut whole = [[_mm256_setzero_si256(); 2]; ROWS];
    let [[a0, a1], [b0, b1], [c0, c1], [d0, d1], [e0, e1], [f0, f1]] = &mut whole;
    // All of it by name: every register is taken, and the compiler would rather load all rows first.
    // SAFETY: reads sixteen pairs of inputs of both sides; no flags but those of the count are changed.
    unsafe {
        asm!(
            "2:",
            "vmovdqu {w0}, [{right}]",
            "vmovdqu {w1}, [{right} + 32]",
            "vpbroadcastd {x}, dword ptr [{left}]",
            "vpmaddwd {y}, {x}, {w0}", "vpaddd {a0}, {a0}, {y}", "vpmaddwd {x}, {x}, {w1}", "vpaddd {a1}, {a1}, {x}",
            "vpbroadcastd {x}, dword ptr [{left} + 64]",
            "vpmaddwd {y}, {x}, {w0}", "vpaddd {b0}, {b0}, {y}", "vpmaddwd {x}, {x}, {w1}", "vpaddd {b1}, {b1}, {x}",
            "vpbroadcastd {x}, dword ptr [{left} + 128]",
            "vpmaddwd {y}, {x}, {w0}", "vpaddd {c0}, {c0}, {y}", "vpmaddwd {x}, {x}, {w1}", "vpaddd {c1}, {c1}, {x}",
            "vpbroadcastd {x}, dword ptr [{left} + 192]",
            "vpmaddwd {y}, {x}, {w0}", "vpaddd {d0}, {d0}, {y}", "vpmaddwd {x}, {x}, {w1}", "vpaddd {d1}, {d1}, {x}",
            "vpbroadcastd {x}, dword ptr [{left} + 256]",
            "vpmaddwd {y}, {x}, {w0}", "vpaddd {e0}, {e0}, {y}", "vpmaddwd {x}, {x}, {w1}", "vpaddd {e1}, {e1}, {x}",
            "vpbroadcastd {x}, dword ptr [{left} + 320]",
            "vpmaddwd {y}, {x}, {w0}", "vpaddd {f0}, {f0}, {y}", "vpmaddwd {x}, {x}, {w1}", "vpaddd {f1}, {f1}, {x}",
            "add {right}, 64",
            "add {left}, 4",
            "dec {count:e}",
            "jnz 2b",
            left = inout(reg) left.as_ptr() => _, right = inout(reg) pairs => _, count = inout(reg) BLOCK / 2 => _,
            w0 = out(ymm_reg) _, w1 = out(ymm_reg) _, x = out(ymm_reg) _, y = out(ymm_reg) _,
            a0 = inout(ymm_reg) *a0, a1 = inout(ymm_reg) *a1, b0 = inout(ymm_reg) *b0, b1 = inout(ymm_reg) *b1,
            c0 = inout(ymm_reg) *c0, c1 = inout(ymm_reg) *c1, d0 = inout(ymm_reg) *d0, d1 = inout(ymm_reg) *d1,
            e0 = inout(ymm_reg) *e0, e1 = inout(ymm_reg) *e1, f0 = inout(ymm_reg) *f0, f1 = inout(ymm_reg) *f1,
            options(nostack, readonly),
        );
    }
    whole
}

/// # Safety
/// `job` has `M` rows on both sides and `P` panels of as many blocks as a row.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn few<const M: usize, const P: usize>(job: ByteJob<'_, P>) {
    let ones = _mm256_set1_epi16(1);
    // Halves of panels.
    let mut sums = [[[_mm256_setzero_ps(); 2]; P]; M];
    for b in 0..job.blocks {
        // Side by side, so that one register finds them all.
        let mut left = [[0i32; BLOCK / 4]; M];
        let mut own = [0f32; M];
        for (i, (left, own)) in left.iter_mut().zip(&mut own).enumerate() {
            let block = &job.left[i * job.blocks + b];
            *own = block.scale;
            for (four, values) in left.iter_mut().zip(block.values.as_chunks::<4>().0) {
                *four = i32::from_le_bytes(values.map(i8::cast_unsigned));
            }
        }
        for (p, (quants, scales)) in job.panels.iter().enumerate() {
            for half in 0..2 {
                let mut whole = [_mm256_setzero_si256(); M];
                for quad in 0..BLOCK / 4 {
                    let place = (b * BLOCK + 4 * quad) * PANEL + half * (4 * PANEL / 2);
                    // SAFETY: a panel holds 64 bytes for each four inputs.
                    let right = unsafe { _mm256_loadu_si256(quants.as_ptr().add(place).cast::<__m256i>()) };
                    let magnitude = _mm256_abs_epi8(right);
                    for (whole, fours) in whole.iter_mut().zip(&left) {
                        let four = _mm256_sign_epi8(_mm256_set1_epi32(fours[quad]), right);
                        let pairs = _mm256_maddubs_epi16(magnitude, four);
                        *whole = _mm256_add_epi32(*whole, _mm256_madd_epi16(pairs, ones));
                    }
                }
                // SAFETY: sixteen `f16` for each block.
                let scale = unsafe { f16x8(scales.as_ptr().add(b * PANEL + half * PANEL / 2)) };
                for (i, (sums, whole)) in sums.iter_mut().zip(whole).enumerate() {
                    let sum = &mut sums[p][half];
                    let whole = _mm256_mul_ps(_mm256_cvtepi32_ps(whole), scale);
                    *sum = _mm256_fmadd_ps(whole, _mm256_set1_ps(own[i]), *sum);
                }
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        for (half, sum) in sums.as_flattened().iter().enumerate() {
            // SAFETY: row `i` of the result has the columns of the panels.
            unsafe { _mm256_storeu_ps(job.out.as_mut_ptr().add(i * job.stride + half * PANEL / 2), *sum) };
        }
    }
}

/// Eight finite `f16`, as [`f16_to_f32`] widens them.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "avx2")]
unsafe fn f16x8(bits: *const u16) -> __m256 {
    // SAFETY: by the contract.
    let bits = _mm256_cvtepu16_epi32(unsafe { _mm_loadu_si128(bits.cast::<__m128i>()) });
    let magnitude = _mm256_slli_epi32::<13>(_mm256_and_si256(bits, _mm256_set1_epi32(0x7fff)));
    let bias = _mm256_castsi256_ps(_mm256_set1_epi32((127 + 112) << 23));
    let magnitude = _mm256_mul_ps(_mm256_castsi256_ps(magnitude), bias);
    let sign = _mm256_slli_epi32::<16>(_mm256_and_si256(bits, _mm256_set1_epi32(0x8000)));
    _mm256_castsi256_ps(_mm256_or_si256(_mm256_castps_si256(magnitude), sign))
}
