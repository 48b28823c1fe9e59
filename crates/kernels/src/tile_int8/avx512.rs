//! Products of bytes with AVX-512 VNNI, which multiplies four unsigned with four signed and adds them to a whole number.

use std::arch::asm;
use std::arch::x86_64::{
    __m512, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_add_epi32, _mm512_and_si512,
    _mm512_cvtepi8_epi16, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32, _mm512_cvtph_ps, _mm512_fmadd_ps,
    _mm512_fnmadd_ps, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_mul_ps, _mm512_mullo_epi32,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_slli_epi32, _mm512_srai_epi32, _mm512_srli_epi16, _mm512_storeu_ps, _mm512_xor_si512,
};

use super::{BLOCKS, Block, ByteJob, Q4Panel, Q6Panel, Q8Panel};
use crate::packed::BLOCK;
use crate::tile::PANEL;

/// Adds products of four inputs, from input `4 * quad` of the block on.
///
/// By name, since the compiler loads the fours of all rows first and has no registers left.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply(whole: &mut __m512i, right: __m512i, block: &Block, quad: usize) {
    let four = block.values[4 * quad..].as_ptr();
    // SAFETY: reads four bytes of the block, of which there are eight times as many, and changes a register alone.
    unsafe {
        asm!(
            "vpdpbusd {whole}, {right}, dword ptr [{four}]{{1to16}}",
            whole = inout(zmm_reg) *whole, right = in(zmm_reg) right, four = in(reg) four,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// Sixty-four bytes: four inputs, or twice as many halves of bytes, of sixteen columns.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load<T>(from: *const T) -> __m512i {
    // SAFETY: by the contract.
    unsafe { _mm512_loadu_si512(from.cast()) }
}

/// Sixteen `f16`.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn f16x16(from: *const u16) -> __m512 {
    // SAFETY: by the contract.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(from.cast()) })
}

/// Sixteen bytes.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn u8x16(from: *const u8) -> __m512 {
    // SAFETY: by the contract.
    _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(from.cast()) }))
}

/// Writes the sums of all rows and panels.
///
/// # Safety
/// `out` has `M` rows of `P` panels.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store<const M: usize, const P: usize>(sums: &[[__m512; P]; M], out: &mut [f32], stride: usize) {
    for (i, sums) in sums.iter().enumerate() {
        for (p, sum) in sums.iter().enumerate() {
            // SAFETY: row `i` of the result has the columns of the panels.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(i * stride + p * PANEL), *sum) };
        }
    }
}

/// # Safety
/// `job` has `M` rows on both sides and `P` panels of as many blocks as a row.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn q8_0<const M: usize, const P: usize>(job: ByteJob<'_, Q8Panel<'_>, P>) {
    let flip = _mm512_set1_epi8(i8::MIN);
    let mut sums = [[_mm512_setzero_ps(); P]; M];
    for b in 0..job.blocks {
        // SAFETY: of rows and blocks that there are, here and below.
        let row = |i: usize| unsafe { job.block(i, b) };
        let mut whole = [[_mm512_setzero_si512(); P]; M];
        for (i, whole) in whole.iter_mut().enumerate() {
            whole.fill(_mm512_set1_epi32(row(i).offset));
        }
        for quad in 0..BLOCK / 4 {
            let mut right = [_mm512_setzero_si512(); P];
            for (right, panel) in right.iter_mut().zip(&job.panels) {
                // SAFETY: a panel holds 64 bytes for each four inputs.
                let quants = unsafe { load(panel.quants.as_ptr().add((b * BLOCK + 4 * quad) * PANEL)) };
                *right = _mm512_xor_si512(quants, flip);
            }
            for (i, whole) in whole.iter_mut().enumerate() {
                for (whole, right) in whole.iter_mut().zip(right) {
                    multiply(whole, right, row(i), quad);
                }
            }
        }
        let mut scales = [_mm512_setzero_ps(); P];
        for (scale, panel) in scales.iter_mut().zip(&job.panels) {
            // SAFETY: sixteen `f16` for each block.
            *scale = unsafe { f16x16(panel.scales.as_ptr().add(b * PANEL)) };
        }
        for (i, (sums, whole)) in sums.iter_mut().zip(whole).enumerate() {
            let own = _mm512_set1_ps(row(i).scale);
            for ((sum, whole), scale) in sums.iter_mut().zip(whole).zip(scales) {
                *sum = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(whole), scale), own, *sum);
            }
        }
    }
    // SAFETY: by the contract.
    unsafe { store(&sums, job.out, job.stride) };
}

/// # Safety
/// `job` has `M` rows on both sides and `P` panels of as many blocks as a row.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn q4_k<const M: usize, const P: usize>(job: ByteJob<'_, Q4Panel<'_>, P>) {
    let nibble = _mm512_set1_epi8(15);
    let mut sums = [[_mm512_setzero_ps(); P]; M];
    let mut scales = [[_mm512_setzero_ps(); 2]; P];
    for b in 0..job.blocks {
        // SAFETY: of rows and blocks that there are, here and below.
        let row = |i: usize| unsafe { job.block(i, b) };
        if b.is_multiple_of(BLOCKS) {
            for (scales, panel) in scales.iter_mut().zip(&job.panels) {
                let place = b / BLOCKS * PANEL;
                // SAFETY: sixteen `f16` for each super-block.
                *scales =
                    [panel.scales, panel.minima].map(|from| unsafe { f16x16(from.as_ptr().add(place)) });
            }
        }
        let mut whole = [[_mm512_setzero_si512(); P]; M];
        for eight in 0..BLOCK / 8 {
            let mut right = [[_mm512_setzero_si512(); 2]; P];
            for (right, panel) in right.iter_mut().zip(&job.panels) {
                // SAFETY: a panel holds 64 bytes for each eight inputs.
                let quants = unsafe { load(panel.quants.as_ptr().add((b * BLOCK / 2 + 4 * eight) * PANEL)) };
                *right = [
                    _mm512_and_si512(quants, nibble),
                    _mm512_and_si512(_mm512_srli_epi16::<4>(quants), nibble),
                ];
            }
            for (i, whole) in whole.iter_mut().enumerate() {
                for (whole, right) in whole.iter_mut().zip(right) {
                    multiply(whole, right[0], row(i), 2 * eight);
                    multiply(whole, right[1], row(i), 2 * eight + 1);
                }
            }
        }
        for (p, ([scale, minimum], panel)) in scales.into_iter().zip(&job.panels).enumerate() {
            // SAFETY: sixteen bytes for each block. Six bits times eleven are exact.
            let [scale, minimum] = unsafe {
                [
                    _mm512_mul_ps(scale, u8x16(panel.parts.as_ptr().add(b * PANEL))),
                    _mm512_mul_ps(minimum, u8x16(panel.minimum_parts.as_ptr().add(b * PANEL))),
                ]
            };
            for (i, (sums, whole)) in sums.iter_mut().zip(whole).enumerate() {
                let (own, all) = (_mm512_set1_ps(row(i).scale), _mm512_set1_ps(row(i).sum));
                let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(whole[p]), scale);
                sums[p] = _mm512_fnmadd_ps(minimum, all, _mm512_fmadd_ps(scaled, own, sums[p]));
            }
        }
    }
    // SAFETY: by the contract.
    unsafe { store(&sums, job.out, job.stride) };
}

/// # Safety
/// `job` has `M` rows on both sides and `P` panels of as many blocks as a row.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn q6_k<const M: usize, const P: usize>(job: ByteJob<'_, Q6Panel<'_>, P>) {
    let mut sums = [[_mm512_setzero_ps(); P]; M];
    let mut scales = [_mm512_setzero_ps(); P];
    // Twice the half's sum that stands there, with its sign.
    let starts = [2, 2 << 16].map(|twice| _mm512_set1_epi32(twice));
    for b in 0..job.blocks {
        // SAFETY: of rows and blocks that there are, here and below.
        let row = |i: usize| unsafe { job.block(i, b) };
        if b.is_multiple_of(BLOCKS) {
            for (scale, panel) in scales.iter_mut().zip(&job.panels) {
                // SAFETY: sixteen `f16` for each super-block.
                *scale = unsafe { f16x16(panel.scales.as_ptr().add(b / BLOCKS * PANEL)) };
            }
        }
        let mut parts = [_mm512_setzero_si512(); P];
        for (parts, panel) in parts.iter_mut().zip(&job.panels) {
            // SAFETY: two times sixteen bytes for each block.
            let bytes = unsafe { _mm256_loadu_si256(panel.parts.as_ptr().add(2 * b * PANEL).cast()) };
            *parts = _mm512_cvtepi8_epi16(bytes);
        }
        let mut all = [[_mm512_setzero_si512(); P]; M];
        for (half, start) in starts.into_iter().enumerate() {
            let mut whole = [[_mm512_setzero_si512(); P]; M];
            for (i, whole) in whole.iter_mut().enumerate() {
                let [first, second] = row(i).halves.map(i16::cast_unsigned).map(u32::from);
                let halves = _mm512_set1_epi32((first | second << 16).cast_signed());
                whole.fill(_mm512_madd_epi16(halves, start));
            }
            for quad in 0..BLOCK / 8 {
                let quad = half * BLOCK / 8 + quad;
                let mut right = [_mm512_setzero_si512(); P];
                for (right, panel) in right.iter_mut().zip(&job.panels) {
                    // SAFETY: a panel holds 64 bytes for each four inputs.
                    *right = unsafe { load(panel.quants.as_ptr().add((b * BLOCK + 4 * quad) * PANEL)) };
                }
                for (i, whole) in whole.iter_mut().enumerate() {
                    for (whole, right) in whole.iter_mut().zip(right) {
                        multiply(whole, right, row(i), quad);
                    }
                }
            }
            for (all, whole) in all.iter_mut().zip(whole) {
                for ((all, whole), parts) in all.iter_mut().zip(whole).zip(parts) {
                    let low = _mm512_slli_epi32::<16>(parts);
                    let part = _mm512_srai_epi32::<16>(if half == 0 { low } else { parts });
                    *all = _mm512_add_epi32(*all, _mm512_mullo_epi32(whole, part));
                }
            }
        }
        for (i, (sums, all)) in sums.iter_mut().zip(all).enumerate() {
            let own = _mm512_set1_ps(row(i).scale);
            for ((sum, all), scale) in sums.iter_mut().zip(all).zip(scales) {
                *sum = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(all), scale), own, *sum);
            }
        }
    }
    // SAFETY: by the contract.
    unsafe { store(&sums, job.out, job.stride) };
}
