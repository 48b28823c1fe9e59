//! Products of bytes with AVX2, which multiplies unsigned bytes with signed ones and lets sums of two of them saturate.
//!
//! Four bits leave room: eight sums of two stay below 2^15, all of a block's, so that up to its end there is one
//! instruction to multiply and one to add for each four inputs of eight columns. Six bits leave room for two, and eight
//! for one, if signs are taken apart: no offset is left. Nothing has to be widened first.

use std::arch::asm;
use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadl_epi64, _mm_loadu_si128, _mm256_abs_epi8, _mm256_and_si256,
    _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi32,
    _mm256_cvtepu16_epi32, _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_mul_ps, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi16,
    _mm256_slli_epi32, _mm256_srli_epi16, _mm256_srli_epi32, _mm256_storeu_ps,
};
use std::ops::Range;

use super::{BLOCKS, Block, ByteJob, Q4Panel, Q6Panel, Q8Panel};
use crate::packed::BLOCK;
use crate::tile::PANEL;

/// Columns of a vector of sums.
const HALF: usize = PANEL / 2;

/// Adds products of four inputs, from input `4 * quad` of the block on: the weights' magnitudes times the activations,
/// which take over their signs. At most 128 times 127 twice, a sum stays below 2^15.
///
/// All of it by name, here and below: the compiler would rather load the fours of all rows first, and has no registers
/// left.
#[inline]
#[target_feature(enable = "avx2")]
fn add_four(whole: &mut __m256i, (weights, ones): (__m256i, __m256i), block: &Block, quad: usize) {
    let from = block.values[4 * quad..].as_ptr();
    let magnitudes = _mm256_abs_epi8(weights);
    // SAFETY: reads four bytes of the block, of which there are eight times as many, and changes registers alone.
    unsafe {
        asm!(
            "vpbroadcastd {x}, dword ptr [{from}]",
            "vpsignb {x}, {x}, {weights}",
            "vpmaddubsw {x}, {magnitudes}, {x}",
            "vpmaddwd {x}, {x}, {ones}",
            "vpaddd {whole}, {whole}, {x}",
            x = out(ymm_reg) _, from = in(reg) from, weights = in(ymm_reg) weights, ones = in(ymm_reg) ones,
            magnitudes = in(ymm_reg) magnitudes, whole = inout(ymm_reg) *whole,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// Adds products of eight inputs, from input `8 * eight` of the block on, in pairs.
#[inline]
#[target_feature(enable = "avx2")]
fn add_eight(pairs: &mut __m256i, weights: [__m256i; 2], block: &Block, eight: usize) {
    let from = block.values[8 * eight..].as_ptr();
    // SAFETY: reads eight bytes of the block, of which there are four times as many, and changes registers alone.
    unsafe {
        asm!(
            "vpbroadcastd {x}, dword ptr [{from}]",
            "vpbroadcastd {y}, dword ptr [{from} + 4]",
            "vpmaddubsw {x}, {first}, {x}",
            "vpmaddubsw {y}, {second}, {y}",
            "vpaddw {pairs}, {pairs}, {x}",
            "vpaddw {pairs}, {pairs}, {y}",
            x = out(ymm_reg) _, y = out(ymm_reg) _, from = in(reg) from,
            first = in(ymm_reg) weights[0], second = in(ymm_reg) weights[1], pairs = inout(ymm_reg) *pairs,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// Adds products of eight inputs as [`add_eight`] does, times a whole scale. Two sums of two of six bits each, and no
/// more, stay below 2^15.
#[inline]
#[target_feature(enable = "avx2")]
fn add_scaled(whole: &mut __m256i, (weights, part): ([__m256i; 2], __m256i), block: &Block, eight: usize) {
    let from = block.values[8 * eight..].as_ptr();
    // SAFETY: as in `add_eight`.
    unsafe {
        asm!(
            "vpbroadcastd {x}, dword ptr [{from}]",
            "vpbroadcastd {y}, dword ptr [{from} + 4]",
            "vpmaddubsw {x}, {first}, {x}",
            "vpmaddubsw {y}, {second}, {y}",
            "vpaddw {x}, {x}, {y}",
            "vpmaddwd {x}, {x}, {part}",
            "vpaddd {whole}, {whole}, {x}",
            x = out(ymm_reg) _, y = out(ymm_reg) _, from = in(reg) from, part = in(ymm_reg) part,
            first = in(ymm_reg) weights[0], second = in(ymm_reg) weights[1], whole = inout(ymm_reg) *whole,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// Lower and upper halves of bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn nibbles(bytes: __m256i) -> [__m256i; 2] {
    let nibble = _mm256_set1_epi8(15);
    [
        _mm256_and_si256(bytes, nibble),
        _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble),
    ]
}

/// Thirty-two bytes.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load<T>(from: *const T) -> __m256i {
    // SAFETY: by the contract.
    unsafe { _mm256_loadu_si256(from.cast::<__m256i>()) }
}

/// Eight bytes.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn u8x8(from: *const u8) -> __m256i {
    // SAFETY: by the contract.
    _mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(from.cast::<__m128i>()) })
}

/// Eight finite `f16`, as [`crate::widen::f16_to_f32`] widens them.
///
/// # Safety
/// They can be read.
#[inline]
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

/// The sums so far: nothing, or what [`store`] wrote.
///
/// # Safety
/// As of [`store`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn begin<const M: usize, const C: usize>(
    (out, stride): (&[f32], usize),
    half: usize,
    fresh: bool,
) -> [[__m256; C]; M] {
    let mut sums = [[_mm256_setzero_ps(); C]; M];
    if !fresh {
        for (i, sums) in sums.iter_mut().enumerate() {
            for (c, sum) in sums.iter_mut().enumerate() {
                // SAFETY: by the contract.
                *sum = unsafe { _mm256_loadu_ps(out.as_ptr().add(i * stride + (half + c) * HALF)) };
            }
        }
    }
    sums
}

/// Writes the sums of all rows and vectors of columns.
///
/// # Safety
/// `out` has `M` rows of `C` vectors from column `half * HALF` on.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store<const M: usize, const C: usize>(
    sums: &[[__m256; C]; M],
    (out, stride): (&mut [f32], usize),
    half: usize,
) {
    for (i, sums) in sums.iter().enumerate() {
        for (c, sum) in sums.iter().enumerate() {
            // SAFETY: by the contract.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(i * stride + (half + c) * HALF), *sum) };
        }
    }
}

/// # Safety
/// `job` has `M` rows on both sides and a panel of as many blocks as a row, with `C` vectors of columns from `half` on;
/// `part` are some of these blocks.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn q8_0<const M: usize, const C: usize>(
    job: ByteJob<'_, Q8Panel<'_>, 1>,
    (part, half): (Range<usize>, usize),
) {
    let [panel] = job.panels;
    let ones = _mm256_set1_epi16(1);
    // SAFETY: by the contract.
    let mut sums: [[__m256; C]; M] = unsafe { begin((job.out, job.stride), half, part.start == 0) };
    for b in part {
        // SAFETY: of rows and blocks that there are, here and below.
        let row = |i: usize| unsafe { job.block(i, b) };
        let mut whole = [[_mm256_setzero_si256(); C]; M];
        for quad in 0..BLOCK / 4 {
            let mut right = [_mm256_setzero_si256(); C];
            for (c, right) in right.iter_mut().enumerate() {
                let place = (b * BLOCK + 4 * quad) * PANEL + (half + c) * HALF * 4;
                // SAFETY: a panel holds 64 bytes for each four inputs.
                *right = unsafe { load(panel.quants.as_ptr().add(place)) };
            }
            for (i, whole) in whole.iter_mut().enumerate() {
                for (whole, right) in whole.iter_mut().zip(right) {
                    add_four(whole, (right, ones), row(i), quad);
                }
            }
        }
        for c in 0..C {
            // SAFETY: sixteen `f16` for each block.
            let scale = unsafe { f16x8(panel.scales.as_ptr().add(b * PANEL + (half + c) * HALF)) };
            for (i, (sums, whole)) in sums.iter_mut().zip(&whole).enumerate() {
                let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(whole[c]), scale);
                sums[c] = _mm256_fmadd_ps(scaled, _mm256_set1_ps(row(i).scale), sums[c]);
            }
        }
    }
    // SAFETY: by the contract.
    unsafe { store(&sums, (job.out, job.stride), half) };
}

/// # Safety
/// As of [`q8_0`]; `part` begins with a super-block.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn q4_k<const M: usize, const C: usize>(
    job: ByteJob<'_, Q4Panel<'_>, 1>,
    (part, half): (Range<usize>, usize),
) {
    let [panel] = job.panels;
    // SAFETY: by the contract.
    let mut sums: [[__m256; C]; M] = unsafe { begin((job.out, job.stride), half, part.start == 0) };
    let mut scales = [[_mm256_setzero_ps(); 2]; C];
    for b in part {
        // SAFETY: of rows and blocks that there are, here and below.
        let row = |i: usize| unsafe { job.block(i, b) };
        if b.is_multiple_of(BLOCKS) {
            for (c, scales) in scales.iter_mut().enumerate() {
                let place = b / BLOCKS * PANEL + (half + c) * HALF;
                // SAFETY: sixteen `f16` for each super-block.
                *scales = [panel.scales, panel.minima].map(|from| unsafe { f16x8(from.as_ptr().add(place)) });
            }
        }
        let mut pairs = [[_mm256_setzero_si256(); C]; M];
        for eight in 0..BLOCK / 8 {
            let mut right = [[_mm256_setzero_si256(); 2]; C];
            for (c, right) in right.iter_mut().enumerate() {
                let place = (b * BLOCK / 2 + 4 * eight) * PANEL + (half + c) * HALF * 4;
                // SAFETY: a panel holds 64 bytes for each eight inputs.
                *right = nibbles(unsafe { load(panel.quants.as_ptr().add(place)) });
            }
            for (i, pairs) in pairs.iter_mut().enumerate() {
                for (pairs, right) in pairs.iter_mut().zip(right) {
                    add_eight(pairs, right, row(i), eight);
                }
            }
        }
        for (c, [scale, minimum]) in scales.into_iter().enumerate() {
            let place = b * PANEL + (half + c) * HALF;
            // SAFETY: sixteen bytes for each block.
            let [part, minimum_part] =
                [panel.parts, panel.minimum_parts].map(|from| unsafe { u8x8(from.as_ptr().add(place)) });
            let part = _mm256_or_si256(part, _mm256_slli_epi32::<16>(part));
            let minimum = _mm256_mul_ps(minimum, _mm256_cvtepi32_ps(minimum_part));
            for (i, (sums, pairs)) in sums.iter_mut().zip(&pairs).enumerate() {
                let (own, all) = (_mm256_set1_ps(row(i).scale), _mm256_set1_ps(row(i).sum));
                let whole = _mm256_madd_epi16(pairs[c], part);
                let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(whole), scale);
                sums[c] = _mm256_fnmadd_ps(minimum, all, _mm256_fmadd_ps(scaled, own, sums[c]));
            }
        }
    }
    // SAFETY: by the contract.
    unsafe { store(&sums, (job.out, job.stride), half) };
}

/// # Safety
/// As of [`q8_0`]; `part` begins with a super-block.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn q6_k<const M: usize, const C: usize>(
    job: ByteJob<'_, Q6Panel<'_>, 1>,
    (part, half): (Range<usize>, usize),
) {
    let [panel] = job.panels;
    let lower = _mm256_set1_epi32(0xffff);
    // SAFETY: by the contract.
    let mut sums: [[__m256; C]; M] = unsafe { begin((job.out, job.stride), half, part.start == 0) };
    let mut scales = [_mm256_setzero_ps(); C];
    for b in part {
        // SAFETY: of rows and blocks that there are, here and below.
        let row = |i: usize| unsafe { job.block(i, b) };
        if b.is_multiple_of(BLOCKS) {
            for (c, scale) in scales.iter_mut().enumerate() {
                let place = b / BLOCKS * PANEL + (half + c) * HALF;
                // SAFETY: sixteen `f16` for each super-block.
                *scale = unsafe { f16x8(panel.scales.as_ptr().add(place)) };
            }
        }
        let mut parts = [_mm256_setzero_si256(); C];
        for (c, parts) in parts.iter_mut().enumerate() {
            let place = 2 * (b * PANEL + (half + c) * HALF);
            // SAFETY: two times sixteen bytes for each block.
            let bytes = unsafe { _mm_loadu_si128(panel.parts.as_ptr().add(place).cast::<__m128i>()) };
            *parts = _mm256_cvtepi8_epi16(bytes);
        }
        let mut whole = [[_mm256_setzero_si256(); C]; M];
        for (i, whole) in whole.iter_mut().enumerate() {
            let [first, second] = row(i).halves.map(i16::cast_unsigned).map(u32::from);
            let halves = _mm256_set1_epi32((first | second << 16).cast_signed());
            for (whole, parts) in whole.iter_mut().zip(parts) {
                *whole = _mm256_madd_epi16(halves, _mm256_slli_epi16::<1>(parts));
            }
        }
        for eight in 0..BLOCK / 8 {
            let mut right = [[_mm256_setzero_si256(); 2]; C];
            let mut part = [_mm256_setzero_si256(); C];
            for (c, right) in right.iter_mut().enumerate() {
                let place = (b * BLOCK + 8 * eight) * PANEL + (half + c) * HALF * 4;
                // SAFETY: a panel holds 64 bytes for each four inputs.
                *right = [0, 4 * PANEL].map(|four| unsafe { load(panel.quants.as_ptr().add(place + four)) });
                // The half's scale, twice.
                part[c] = if eight < BLOCK / 16 {
                    let low = _mm256_and_si256(parts[c], lower);
                    _mm256_or_si256(low, _mm256_slli_epi32::<16>(low))
                } else {
                    let high = _mm256_srli_epi32::<16>(parts[c]);
                    _mm256_or_si256(high, _mm256_slli_epi32::<16>(high))
                };
            }
            for (i, whole) in whole.iter_mut().enumerate() {
                for ((whole, right), part) in whole.iter_mut().zip(right).zip(part) {
                    add_scaled(whole, (right, part), row(i), eight);
                }
            }
        }
        for (c, scale) in scales.into_iter().enumerate() {
            for (i, (sums, whole)) in sums.iter_mut().zip(&whole).enumerate() {
                let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(whole[c]), scale);
                sums[c] = _mm256_fmadd_ps(scaled, _mm256_set1_ps(row(i).scale), sums[c]);
            }
        }
    }
    // SAFETY: by the contract.
    unsafe { store(&sums, (job.out, job.stride), half) };
}
