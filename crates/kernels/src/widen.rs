//! Narrow weights to `f32`, value for value as the reference of each format gives them.
//!
//! Every function reads a strip of a panel (see [`crate::packed`]) and is compiled for several instruction sets, one of
//! which is chosen at run time. They have no rounding in common with a product, so the choice changes no bit.

use std::ops::Range;

use multiversion::multiversion;

use crate::packed::{BLOCK, SUPER, gather, interleave};
use crate::tile::PANEL;

/// Bytes of a super-block in a file: two `f16`, twelve bytes of scales and minima, 256 times four bits.
pub(crate) const Q4K_BYTES: usize = 144;
/// Bytes of a super-block in a file: 256 times four low bits and two high bits, sixteen scales, an `f16`.
pub(crate) const Q6K_BYTES: usize = 210;
/// Inputs that share a scale in [`Q6K`].
const SIXTEENTH: usize = 16;

/// `q · (scale · s) - minimum · m`, with `s` and `m` for every 32 inputs.
#[derive(Clone, Debug)]
pub(crate) struct Q4K {
    /// `[panel, k / 2, PANEL]`: an input in the low half of a byte, the next in the high half.
    quants: Vec<u8>,
    /// `[panel, k / BLOCK, PANEL]`, 6 bits each.
    parts: Vec<u8>,
    /// Like `parts`.
    minimum_parts: Vec<u8>,
    /// `[panel, k / SUPER, PANEL]`, `f16`.
    pub(crate) scales: Vec<u16>,
    /// Like `scales`.
    pub(crate) minima: Vec<u16>,
}

impl Q4K {
    /// Some of the `outputs` rows.
    pub(crate) fn select(&self, outputs: usize, rows: &[usize]) -> Self {
        Self {
            quants: gather::<1, _>(&self.quants, outputs, rows),
            parts: gather::<1, _>(&self.parts, outputs, rows),
            minimum_parts: gather::<1, _>(&self.minimum_parts, outputs, rows),
            scales: gather::<1, _>(&self.scales, outputs, rows),
            minima: gather::<1, _>(&self.minima, outputs, rows),
        }
    }

    pub(crate) fn pack(k: usize, rows: &[&[u8]]) -> Self {
        let block = |row: &[u8], i: usize| -> [u8; Q4K_BYTES] { super_block(row, i) };
        // 64 inputs lie in 32 bytes: the first half of them in the low bits.
        let quant = |block: &[u8; Q4K_BYTES], i: usize| {
            let byte = block[16 + i / 64 * 32 + i % 32];
            if i % 64 < 32 { byte & 15 } else { byte >> 4 }
        };
        Self {
            quants: interleave(rows, k / 2, |row, pair| {
                let (block, i) = (&row[2 * pair / SUPER * Q4K_BYTES..], 2 * pair % SUPER);
                let block = block.first_chunk().expect("a whole block. This is a bug.");
                quant(block, i) | quant(block, i + 1) << 4
            }),
            parts: interleave(rows, k / BLOCK, |row, b| six_bits(&block(row, b / 8), b % 8).0),
            minimum_parts: interleave(rows, k / BLOCK, |row, b| six_bits(&block(row, b / 8), b % 8).1),
            scales: interleave(rows, k / SUPER, |row, b| {
                let block = block(row, b);
                u16::from_le_bytes([block[0], block[1]])
            }),
            minima: interleave(rows, k / SUPER, |row, b| {
                let block = block(row, b);
                u16::from_le_bytes([block[2], block[3]])
            }),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.quants.len() + 2 * self.parts.len() + 4 * self.scales.len()
    }

    /// Widens elements `range` of the panels laid end to end, whole super-blocks.
    pub(crate) fn widen(&self, range: Range<usize>, wide: &mut [f32]) {
        let of = |divisor: usize| range.start / divisor..range.end / divisor;
        q4k(
            &self.quants[of(2)],
            (&self.parts[of(BLOCK)], &self.minimum_parts[of(BLOCK)]),
            (&self.scales[of(SUPER)], &self.minima[of(SUPER)]),
            wide,
        );
    }
}

fn super_block<const BYTES: usize>(row: &[u8], block: usize) -> [u8; BYTES] {
    *row[block * BYTES..]
        .first_chunk()
        .expect("a whole block. This is a bug.")
}

/// Scale and minimum of a part of a [`Q4K`] super-block: the first four lie in the low six bits of a byte each, the
/// others are put together from four bits of a later byte and the two bits that the first four leave over.
fn six_bits(block: &[u8; Q4K_BYTES], part: usize) -> (u8, u8) {
    let packed = &block[4..16];
    if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        (
            packed[part + 4] & 15 | packed[part - 4] >> 6 << 4,
            packed[part + 4] >> 4 | packed[part] >> 6 << 4,
        )
    }
}

/// `(scale · s) · q`, with `s` for every 16 inputs.
#[derive(Clone, Debug)]
pub(crate) struct Q6K {
    /// `[panel, k, PANEL]`, -32 to 31.
    quants: Vec<i8>,
    /// `[panel, k / SIXTEENTH, PANEL]`.
    parts: Vec<i8>,
    /// `[panel, k / SUPER, PANEL]`, `f16`.
    pub(crate) scales: Vec<u16>,
}

impl Q6K {
    /// Some of the `outputs` rows.
    pub(crate) fn select(&self, outputs: usize, rows: &[usize]) -> Self {
        Self {
            quants: gather::<1, _>(&self.quants, outputs, rows),
            parts: gather::<1, _>(&self.parts, outputs, rows),
            scales: gather::<1, _>(&self.scales, outputs, rows),
        }
    }

    pub(crate) fn pack(k: usize, rows: &[&[u8]]) -> Self {
        Self {
            quants: interleave(rows, k, |row, i| {
                let (block, i) = (&row[i / SUPER * Q6K_BYTES..], i % SUPER);
                // 128 inputs lie in 64 bytes of low bits and 32 of high ones, 32 inputs in each quarter.
                let (half, quarter, place) = (i / 128, i % 128 / 32, i % 32);
                let low = block[half * 64 + quarter % 2 * 32 + place] >> (quarter / 2 * 4) & 15;
                let high = block[128 + half * 32 + place] >> (quarter * 2) & 3;
                (low | high << 4).cast_signed() - 32
            }),
            parts: interleave(rows, k / SIXTEENTH, |row, part| {
                row[part / 16 * Q6K_BYTES + 192 + part % 16].cast_signed()
            }),
            scales: interleave(rows, k / SUPER, |row, b| {
                let block: [u8; Q6K_BYTES] = super_block(row, b);
                u16::from_le_bytes([block[208], block[209]])
            }),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.quants.len() + self.parts.len() + 2 * self.scales.len()
    }

    /// Widens elements `range` of the panels laid end to end, whole super-blocks.
    pub(crate) fn widen(&self, range: Range<usize>, wide: &mut [f32]) {
        let of = |divisor: usize| range.start / divisor..range.end / divisor;
        q6k(
            &self.quants[range.clone()],
            &self.parts[of(SIXTEENTH)],
            &self.scales[of(SUPER)],
            wide,
        );
    }
}

/// An `f16` as `f32`, by shifting the bits into place and correcting the exponent's bias with one exact product. For
/// finite numbers, subnormal ones included.
#[inline(always)]
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
    f32::from_bits(magnitude.to_bits() | u32::from(bits & 0x8000) << 16)
}

#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
pub(crate) fn f16(narrow: &[u16], wide: &mut [f32]) {
    for (wide, &bits) in wide.iter_mut().zip(narrow) {
        *wide = f16_to_f32(bits);
    }
}

/// `[k / 2, PANEL, 2]` to `[k, PANEL]`.
pub(crate) fn bf16_pairs(pairs: &[u16], wide: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: just detected.
        return unsafe { x86::bf16_pairs(pairs, wide) };
    }
    let pairs = pairs.as_chunks::<{ 2 * PANEL }>().0;
    for (wide, pairs) in wide.as_chunks_mut::<{ 2 * PANEL }>().0.iter_mut().zip(pairs) {
        for (column, &[first, second]) in pairs.as_chunks::<2>().0.iter().enumerate() {
            wide[column] = f32::from_bits(u32::from(first) << 16);
            wide[PANEL + column] = f32::from_bits(u32::from(second) << 16);
        }
    }
}

/// Bytes `[k / 4, PANEL, 4]` with `f16` scales `[k / BLOCK, PANEL]` to `[k, PANEL]`.
pub(crate) fn q8_0(quants: &[i8], scales: &[u16], wide: &mut [f32]) {
    let blocks = wide
        .as_chunks_mut::<{ BLOCK * PANEL }>()
        .0
        .iter_mut()
        .zip(quants.as_chunks::<{ BLOCK * PANEL }>().0)
        .zip(scales.as_chunks::<PANEL>().0);
    for ((wide, quants), scales) in blocks {
        let scales = scales.map(f16_to_f32);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: just detected.
            unsafe { x86::q8_0(quants, &scales, wide) };
            continue;
        }
        for (i, &quant) in quants.iter().enumerate() {
            let (column, input) = (i / 4 % PANEL, i / (4 * PANEL) * 4 + i % 4);
            wide[input * PANEL + column] = f32::from(quant) * scales[column];
        }
    }
}

/// Several values of a column lie in one lane, whence shifts take them; left to itself, the compiler takes them singly.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_castsi256_ps, _mm256_cvtepi32_ps, _mm256_loadu_ps,
        _mm256_loadu_si256, _mm256_mul_ps, _mm256_set1_epi32, _mm256_slli_epi32, _mm256_srai_epi32,
        _mm256_storeu_ps,
    };

    use crate::packed::BLOCK;
    use crate::tile::PANEL;

    #[target_feature(enable = "avx2")]
    pub(super) fn bf16_pairs(pairs: &[u16], wide: &mut [f32]) {
        let upper = _mm256_set1_epi32(i32::MIN >> 15);
        let pairs = pairs.as_chunks::<{ 2 * PANEL }>().0;
        for (wide, pairs) in wide.as_chunks_mut::<{ 2 * PANEL }>().0.iter_mut().zip(pairs) {
            for half in [0, 8] {
                // SAFETY: eight columns: 32 bytes of pairs, and of each of two inputs.
                unsafe {
                    let both = _mm256_loadu_si256(pairs[2 * half..].as_ptr().cast::<__m256i>());
                    let to = wide[half..].as_mut_ptr();
                    _mm256_storeu_ps(to, _mm256_castsi256_ps(_mm256_slli_epi32::<16>(both)));
                    _mm256_storeu_ps(to.add(PANEL), _mm256_castsi256_ps(_mm256_and_si256(both, upper)));
                }
            }
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn q8_0(quants: &[i8; BLOCK * PANEL], scales: &[f32; PANEL], wide: &mut [f32; BLOCK * PANEL]) {
        for half in [0, 8] {
            // SAFETY: eight scales.
            let scale = unsafe { _mm256_loadu_ps(scales[half..].as_ptr()) };
            let quads = quants.as_chunks::<{ 4 * PANEL }>().0;
            for (wide, quads) in wide.as_chunks_mut::<{ 4 * PANEL }>().0.iter_mut().zip(quads) {
                // SAFETY: eight columns: 32 bytes of fours, and of each of four inputs.
                unsafe {
                    let quads = _mm256_loadu_si256(quads[4 * half..].as_ptr().cast::<__m256i>());
                    let to = wide[half..].as_mut_ptr();
                    let value =
                        |quads| _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srai_epi32::<24>(quads)), scale);
                    _mm256_storeu_ps(to, value(_mm256_slli_epi32::<24>(quads)));
                    _mm256_storeu_ps(to.add(PANEL), value(_mm256_slli_epi32::<16>(quads)));
                    _mm256_storeu_ps(to.add(2 * PANEL), value(_mm256_slli_epi32::<8>(quads)));
                    _mm256_storeu_ps(to.add(3 * PANEL), value(quads));
                }
            }
        }
    }
}

#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
fn q4k(quants: &[u8], parts: (&[u8], &[u8]), scales: (&[u16], &[u16]), wide: &mut [f32]) {
    let blocks = wide
        .chunks_exact_mut(BLOCK * PANEL)
        .zip(quants.chunks_exact(BLOCK / 2 * PANEL))
        .zip(parts.0.chunks_exact(PANEL).zip(parts.1.chunks_exact(PANEL)));
    for (index, ((wide, quants), (parts, minimum_parts))) in blocks.enumerate() {
        let first = index * BLOCK / SUPER * PANEL;
        let (mut scale, mut minimum) = ([0f32; PANEL], [0f32; PANEL]);
        for (column, (scale, minimum)) in scale.iter_mut().zip(&mut minimum).enumerate() {
            *scale = f16_to_f32(scales.0[first + column]) * f32::from(parts[column]);
            *minimum = f16_to_f32(scales.1[first + column]) * f32::from(minimum_parts[column]);
        }
        let pairs = wide.chunks_exact_mut(2 * PANEL).zip(quants.chunks_exact(PANEL));
        for (wide, quants) in pairs {
            let (low, high) = wide.split_at_mut(PANEL);
            for (column, &quants) in quants.iter().enumerate() {
                low[column] = scale[column] * f32::from(quants & 15) - minimum[column];
                high[column] = scale[column] * f32::from(quants >> 4) - minimum[column];
            }
        }
    }
}

#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
fn q6k(quants: &[i8], parts: &[i8], scales: &[u16], wide: &mut [f32]) {
    let blocks = wide
        .chunks_exact_mut(SIXTEENTH * PANEL)
        .zip(quants.chunks_exact(SIXTEENTH * PANEL))
        .zip(parts.chunks_exact(PANEL));
    for (index, ((wide, quants), parts)) in blocks.enumerate() {
        let first = index * SIXTEENTH / SUPER * PANEL;
        let mut scale = [0f32; PANEL];
        for (column, scale) in scale.iter_mut().enumerate() {
            *scale = f16_to_f32(scales[first + column]) * f32::from(parts[column]);
        }
        for (wide, quants) in wide.chunks_exact_mut(PANEL).zip(quants.chunks_exact(PANEL)) {
            for ((wide, &quant), scale) in wide.iter_mut().zip(quants).zip(&scale) {
                *wide = f32::from(quant) * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_f16_widens_exactly() {
        for bits in 0..=u16::MAX {
            if bits & 0x7c00 != 0x7c00 {
                let expect = half::f16::from_bits(bits).to_f32();
                assert_eq!(f16_to_f32(bits).to_bits(), expect.to_bits(), "{bits:#06x}");
            }
        }
    }
}
