//! Narrow weights to `f32`, value for value as the reference of each format gives them.
//!
//! Every function reads a strip of a panel (see [`crate::packed`]) and is compiled for several instruction sets, one of
//! which is chosen at run time. They have no rounding in common with a product, so the choice changes no bit.

use std::ops::Range;

use multiversion::multiversion;

use crate::packed::{BLOCK, SUPER, interleave};
use crate::tile::PANEL;
use crate::tile_bf16::to_bf16;

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
fn f16_to_f32(bits: u16) -> f32 {
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
#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
pub(crate) fn bf16_pairs(pairs: &[u16], wide: &mut [f32]) {
    let pairs = pairs.as_chunks::<{ 2 * PANEL }>().0;
    for (wide, pairs) in wide.as_chunks_mut::<{ 2 * PANEL }>().0.iter_mut().zip(pairs) {
        for (column, &[first, second]) in pairs.as_chunks::<2>().0.iter().enumerate() {
            wide[column] = f32::from_bits(u32::from(first) << 16);
            wide[PANEL + column] = f32::from_bits(u32::from(second) << 16);
        }
    }
}

/// `[k, PANEL]` to `bf16` in pairs, `[k / 2, PANEL, 2]`, rounded to the nearest; an odd `k` gets a zero beside its last.
pub(crate) fn to_pairs(wide: &[f32], pairs: &mut [u16]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw") {
        // SAFETY: just detected.
        return unsafe { to_pairs_avx512(wide, pairs) };
    }
    to_pairs_plain(wide, pairs);
}

fn to_pairs_plain(wide: &[f32], pairs: &mut [u16]) {
    let wide = wide.chunks(2 * PANEL);
    for (pairs, wide) in pairs.as_chunks_mut::<{ 2 * PANEL }>().0.iter_mut().zip(wide) {
        for (i, bits) in pairs.iter_mut().enumerate() {
            *bits = to_bf16(wide.get(i % 2 * PANEL + i / 2).copied().unwrap_or(0.0));
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn to_pairs_avx512(wide: &[f32], pairs: &mut [u16]) {
    use std::arch::x86_64::{
        __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutexvar_epi16,
        _mm512_setzero_ps, _mm512_storeu_si512,
    };
    /// Two halves of sixteen, one of each in turn.
    const IN_TURN: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };
    let wide = wide.chunks(2 * PANEL);
    for (pairs, wide) in pairs.as_chunks_mut::<{ 2 * PANEL }>().0.iter_mut().zip(wide) {
        // SAFETY: a chunk has sixteen values or twice as many; `pairs` and the order are 64 bytes each, and so are the
        // two types of the vector.
        unsafe {
            let first = _mm512_loadu_ps(wide.as_ptr());
            let second = match wide.get(PANEL..) {
                Some(second) if !second.is_empty() => _mm512_loadu_ps(second.as_ptr()),
                _ => _mm512_setzero_ps(),
            };
            let both: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(second, first));
            let order = _mm512_loadu_si512(IN_TURN.as_ptr().cast());
            _mm512_storeu_si512(pairs.as_mut_ptr().cast(), _mm512_permutexvar_epi16(order, both));
        }
    }
}

#[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
pub(crate) fn q8_0(quants: &[i8], scales: &[u16], wide: &mut [f32]) {
    let blocks = wide
        .chunks_exact_mut(BLOCK * PANEL)
        .zip(quants.chunks_exact(BLOCK * PANEL))
        .zip(scales.chunks_exact(PANEL));
    for ((wide, quants), scales) in blocks {
        let mut scale = [0f32; PANEL];
        for (scale, &bits) in scale.iter_mut().zip(scales) {
            *scale = f16_to_f32(bits);
        }
        for (wide, quants) in wide.chunks_exact_mut(PANEL).zip(quants.chunks_exact(PANEL)) {
            for ((wide, &quant), scale) in wide.iter_mut().zip(quants).zip(&scale) {
                *wide = f32::from(quant) * scale;
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
