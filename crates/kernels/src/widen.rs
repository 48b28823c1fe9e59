//! Narrow weights to `f32`, value for value as the reference of each format gives them.
//!
//! Every function reads a strip of a panel (see [`crate::packed`]) and is compiled for several instruction sets, one of
//! which is chosen at run time. They have no rounding in common with a product, so the choice changes no bit.

use std::ops::Range;

use multiversion::multiversion;

use crate::packed::{BLOCK, SUPER, gather, interleave};
use crate::tile::PANEL;
use crate::tile_int8::{Q4Panel, Q6Panel};

/// Bytes of a super-block in a file: two `f16`, twelve bytes of scales and minima, 256 times four bits.
pub(crate) const Q4K_BYTES: usize = 144;
/// Bytes of a super-block in a file: 256 times four low bits and two high bits, sixteen scales, an `f16`.
pub(crate) const Q6K_BYTES: usize = 210;
/// `q · (scale · s) - minimum · m`, with `s` and `m` for every 32 inputs.
#[derive(Clone, Debug)]
pub(crate) struct Q4K {
    /// `[panel, k / 8, PANEL, 4]`: four inputs in the low halves of the bytes, the next four in the high halves.
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
            quants: gather::<4, _>(&self.quants, outputs, rows),
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
            quants: interleave(rows, k / 8, |row, eight| {
                let (block, first) = (&row[8 * eight / SUPER * Q4K_BYTES..], 8 * eight % SUPER);
                let block = block.first_chunk().expect("a whole block. This is a bug.");
                std::array::from_fn::<u8, 4, _>(|i| {
                    quant(block, first + i) | quant(block, first + 4 + i) << 4
                })
            })
            .into_flattened(),
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

    /// Panel `index` of a matrix with `k` inputs.
    pub(crate) fn panel(&self, index: usize, k: usize) -> Q4Panel<'_> {
        let of = |divisor: usize| index * k * PANEL / divisor..(index + 1) * k * PANEL / divisor;
        Q4Panel {
            quants: &self.quants[of(2)],
            parts: &self.parts[of(BLOCK)],
            minimum_parts: &self.minimum_parts[of(BLOCK)],
            scales: &self.scales[of(SUPER)],
            minima: &self.minima[of(SUPER)],
        }
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

/// `(scale · s) · q`, with `s` for every 16 inputs of 256.
#[derive(Clone, Debug)]
pub(crate) struct Q6K {
    /// `[panel, k / 4, PANEL, 4]`, each 32 more than it stands for: 0 to 63.
    quants: Vec<u8>,
    /// `[panel, k / BLOCK, PANEL, 2]`.
    parts: Vec<i8>,
    /// `[panel, k / SUPER, PANEL]`, `f16`.
    pub(crate) scales: Vec<u16>,
}

impl Q6K {
    /// Some of the `outputs` rows.
    pub(crate) fn select(&self, outputs: usize, rows: &[usize]) -> Self {
        Self {
            quants: gather::<4, _>(&self.quants, outputs, rows),
            parts: gather::<2, _>(&self.parts, outputs, rows),
            scales: gather::<1, _>(&self.scales, outputs, rows),
        }
    }

    pub(crate) fn pack(k: usize, rows: &[&[u8]]) -> Self {
        let quant = |row: &[u8], i: usize| {
            let (block, i) = (&row[i / SUPER * Q6K_BYTES..], i % SUPER);
            // 128 inputs lie in 64 bytes of low bits and 32 of high ones, 32 inputs in each quarter.
            let (half, quarter, place) = (i / 128, i % 128 / 32, i % 32);
            let low = block[half * 64 + quarter % 2 * 32 + place] >> (quarter / 2 * 4) & 15;
            let high = block[128 + half * 32 + place] >> (quarter * 2) & 3;
            low | high << 4
        };
        Self {
            quants: interleave(rows, k / 4, |row, quad| {
                std::array::from_fn::<u8, 4, _>(|i| quant(row, 4 * quad + i))
            })
            .into_flattened(),
            parts: interleave(rows, k / BLOCK, |row, b| {
                let first = b / 8 * Q6K_BYTES + 192 + b % 8 * 2;
                [row[first].cast_signed(), row[first + 1].cast_signed()]
            })
            .into_flattened(),
            scales: interleave(rows, k / SUPER, |row, b| {
                let block: [u8; Q6K_BYTES] = super_block(row, b);
                u16::from_le_bytes([block[208], block[209]])
            }),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.quants.len() + self.parts.len() + 2 * self.scales.len()
    }

    /// Panel `index` of a matrix with `k` inputs.
    pub(crate) fn panel(&self, index: usize, k: usize) -> Q6Panel<'_> {
        let of = |divisor: usize| index * k * PANEL / divisor..(index + 1) * k * PANEL / divisor;
        Q6Panel {
            quants: &self.quants[of(1)],
            parts: &self.parts[of(BLOCK / 2)],
            scales: &self.scales[of(SUPER)],
        }
    }

    /// Widens elements `range` of the panels laid end to end, whole super-blocks.
    pub(crate) fn widen(&self, range: Range<usize>, wide: &mut [f32]) {
        let of = |divisor: usize| range.start / divisor..range.end / divisor;
        q6k(
            &self.quants[range.clone()],
            &self.parts[of(BLOCK / 2)],
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
        _mm256_srlv_epi32, _mm256_storeu_ps, _mm256_sub_epi32, _mm256_sub_ps,
    };

    use crate::packed::BLOCK;
    use crate::tile::PANEL;

    /// A part of a panel of `Q4_K`: 32 inputs.
    #[target_feature(enable = "avx2")]
    pub(super) fn q4k(quants: &[u8], (scale, minimum): (&[f32; PANEL], &[f32; PANEL]), wide: &mut [f32]) {
        let nibble = _mm256_set1_epi32(15);
        for half in [0, 8] {
            // SAFETY: eight columns of sixteen.
            let (scale, minimum) = unsafe {
                (
                    _mm256_loadu_ps(scale[half..].as_ptr()),
                    _mm256_loadu_ps(minimum[half..].as_ptr()),
                )
            };
            let eights = quants.as_chunks::<{ 4 * PANEL }>().0;
            for (wide, eights) in wide.as_chunks_mut::<{ 8 * PANEL }>().0.iter_mut().zip(eights) {
                // SAFETY: eight columns: 32 bytes.
                let eights = unsafe { _mm256_loadu_si256(eights[4 * half..].as_ptr().cast::<__m256i>()) };
                for (i, wide) in wide.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
                    let shift = _mm256_set1_epi32((i % 4 * 8 + i / 4 * 4) as i32);
                    let quant = _mm256_and_si256(_mm256_srlv_epi32(eights, shift), nibble);
                    let value = _mm256_mul_ps(scale, _mm256_cvtepi32_ps(quant));
                    // SAFETY: eight columns of an input.
                    unsafe { _mm256_storeu_ps(wide[half..].as_mut_ptr(), _mm256_sub_ps(value, minimum)) };
                }
            }
        }
    }

    /// Sixteen inputs of a panel of `Q6_K`.
    #[target_feature(enable = "avx2")]
    pub(super) fn q6k(quants: &[u8], scale: &[f32; PANEL], wide: &mut [f32]) {
        let (six_bits, middle) = (_mm256_set1_epi32(63), _mm256_set1_epi32(32));
        for half in [0, 8] {
            // SAFETY: eight columns of sixteen.
            let scale = unsafe { _mm256_loadu_ps(scale[half..].as_ptr()) };
            let fours = quants.as_chunks::<{ 4 * PANEL }>().0;
            for (wide, fours) in wide.as_chunks_mut::<{ 4 * PANEL }>().0.iter_mut().zip(fours) {
                // SAFETY: eight columns: 32 bytes.
                let fours = unsafe { _mm256_loadu_si256(fours[4 * half..].as_ptr().cast::<__m256i>()) };
                for (i, wide) in wide.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
                    let shift = _mm256_set1_epi32(8 * i as i32);
                    let quant = _mm256_and_si256(_mm256_srlv_epi32(fours, shift), six_bits);
                    let quant = _mm256_cvtepi32_ps(_mm256_sub_epi32(quant, middle));
                    // SAFETY: eight columns of an input.
                    unsafe { _mm256_storeu_ps(wide[half..].as_mut_ptr(), _mm256_mul_ps(quant, scale)) };
                }
            }
        }
    }

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
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: just detected.
            unsafe { x86::q4k(quants, (&scale, &minimum), wide) };
            continue;
        }
        let eights = wide
            .as_chunks_mut::<{ 8 * PANEL }>()
            .0
            .iter_mut()
            .zip(quants.as_chunks::<{ 4 * PANEL }>().0);
        for (wide, quants) in eights {
            let lanes = lanes(quants);
            for (i, wide) in wide.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
                let shift = i % 4 * 8 + i / 4 * 4;
                for (column, wide) in wide.iter_mut().enumerate() {
                    let quant = (lanes[column] >> shift & 15) as f32;
                    *wide = scale[column] * quant - minimum[column];
                }
            }
        }
    }
}

/// The four bytes of each column as one number, which shifts take apart for all columns at once.
#[inline(always)]
fn lanes(bytes: &[u8; 4 * PANEL]) -> [i32; PANEL] {
    let mut lanes = [0; PANEL];
    for (lane, bytes) in lanes.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *lane = i32::from_le_bytes(*bytes);
    }
    lanes
}

fn q6k(quants: &[u8], parts: &[i8], scales: &[u16], wide: &mut [f32]) {
    let blocks = wide
        .chunks_exact_mut(BLOCK * PANEL)
        .zip(quants.chunks_exact(BLOCK * PANEL))
        .zip(parts.chunks_exact(2 * PANEL));
    for (index, ((wide, quants), parts)) in blocks.enumerate() {
        let first = index * BLOCK / SUPER * PANEL;
        let mut scale = [[0f32; PANEL]; 2];
        for (half, scale) in scale.iter_mut().enumerate() {
            for (column, scale) in scale.iter_mut().enumerate() {
                *scale = f16_to_f32(scales[first + column]) * f32::from(parts[2 * column + half]);
            }
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            let halves = wide.chunks_exact_mut(BLOCK / 2 * PANEL);
            let halves = halves.zip(quants.chunks_exact(BLOCK / 2 * PANEL));
            for ((wide, quants), scale) in halves.zip(&scale) {
                // SAFETY: just detected.
                unsafe { x86::q6k(quants, scale, wide) };
            }
            continue;
        }
        let quads = wide
            .as_chunks_mut::<{ 4 * PANEL }>()
            .0
            .iter_mut()
            .zip(quants.as_chunks::<{ 4 * PANEL }>().0);
        for (quad, (wide, quants)) in quads.enumerate() {
            let (lanes, scale) = (lanes(quants), &scale[quad / (BLOCK / 8)]);
            for (i, wide) in wide.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
                for (column, wide) in wide.iter_mut().enumerate() {
                    *wide = ((lanes[column] >> (8 * i) & 63) - 32) as f32 * scale[column];
                }
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
