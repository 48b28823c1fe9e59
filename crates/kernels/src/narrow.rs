//! Weights to `bf16` in pairs, `[k / 2, PANEL, 2]`, as products of `bf16` take them: by way of `f32`, or, where most is to
//! be gained, at once in registers, with the same bits.

use crate::packed::BLOCK;
use crate::tile::PANEL;
use crate::tile_bf16::to_bf16;
use crate::widen::f16_to_f32;

/// `[k, PANEL]` to pairs, rounded to the nearest; an odd `k` gets a zero beside its last.
pub(crate) fn from_wide(wide: &[f32], pairs: &mut [u16]) {
    #[cfg(target_arch = "x86_64")]
    if is_fast() {
        // SAFETY: just detected.
        return unsafe { x86::from_wide(wide, pairs) };
    }
    let wide = wide.chunks(2 * PANEL);
    for (pairs, wide) in pairs.as_chunks_mut::<{ 2 * PANEL }>().0.iter_mut().zip(wide) {
        for (i, bits) in pairs.iter_mut().enumerate() {
            *bits = to_bf16(wide.get(i % 2 * PANEL + i / 2).copied().unwrap_or(0.0));
        }
    }
}

/// Bytes `[k / 4, PANEL, 4]` with `f16` scales `[k / BLOCK, PANEL]`.
///
/// # Panics
/// When the lengths do not belong together.
pub(crate) fn q8_0(quants: &[i8], scales: &[u16], pairs: &mut [u16]) {
    assert!(
        quants.len() == pairs.len() && quants.len() == scales.len() * BLOCK,
        "strips of one length expected. This is a bug."
    );
    #[cfg(target_arch = "x86_64")]
    if is_fast() {
        // SAFETY: just detected.
        return unsafe { x86::q8_0(quants, scales, pairs) };
    }
    let blocks = pairs
        .chunks_exact_mut(BLOCK * PANEL)
        .zip(scales.chunks_exact(PANEL));
    for ((pairs, scales), quants) in blocks.zip(quants.chunks_exact(BLOCK * PANEL)) {
        for (quad, quants) in quants.chunks_exact(4 * PANEL).enumerate() {
            for (i, &quant) in quants.iter().enumerate() {
                let (column, input) = (i / 4, 4 * quad + i % 4);
                let value = f32::from(quant) * f16_to_f32(scales[column]);
                pairs[(input / 2 * PANEL + column) * 2 + input % 2] = to_bf16(value);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn is_fast() -> bool {
    is_x86_feature_detected!("avx512bf16")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512f")
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
        _mm512_cvtne2ps_pbh, _mm512_cvtph_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps,
        _mm512_permutex2var_epi32, _mm512_permutexvar_epi16, _mm512_permutexvar_ps, _mm512_setr_epi32,
        _mm512_setzero_ps, _mm512_storeu_si512,
    };

    use crate::packed::BLOCK;
    use crate::tile::PANEL;

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

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn from_wide(wide: &[f32], pairs: &mut [u16]) {
        let wide = wide.chunks(2 * PANEL);
        for (pairs, wide) in pairs.as_chunks_mut::<{ 2 * PANEL }>().0.iter_mut().zip(wide) {
            // SAFETY: a chunk has sixteen values or twice as many; `pairs` and the order are 64 bytes each.
            unsafe {
                let first = _mm512_loadu_ps(wide.as_ptr());
                let second = match wide.get(PANEL..) {
                    Some(second) if !second.is_empty() => _mm512_loadu_ps(second.as_ptr()),
                    _ => _mm512_setzero_ps(),
                };
                let order = _mm512_loadu_si512(IN_TURN.as_ptr().cast());
                let in_turn = _mm512_permutexvar_epi16(order, round(first, second));
                _mm512_storeu_si512(pairs.as_mut_ptr().cast(), in_turn);
            }
        }
    }

    /// Thirty-two `bf16`, those of `first` below.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn round(first: __m512, second: __m512) -> __m512i {
        // SAFETY: the same 64 bytes under another name.
        unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(second, first)) }
    }

    /// A vector of sixteen bytes covers four columns of a quad, so that a scale counts for four lanes.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn q8_0(quants: &[i8], scales: &[u16], pairs: &mut [u16]) {
        let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        let blocks = pairs
            .as_chunks_mut::<{ BLOCK * PANEL }>()
            .0
            .iter_mut()
            .zip(scales.as_chunks::<PANEL>().0);
        for ((pairs, scales), quants) in blocks.zip(quants.as_chunks::<{ BLOCK * PANEL }>().0) {
            // SAFETY: sixteen `f16` are 32 bytes.
            let scale = _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(scales.as_ptr().cast()) });
            let four = |first: i32| {
                let [a, b, c, d] = [first, first + 1, first + 2, first + 3];
                _mm512_permutexvar_ps(
                    _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d),
                    scale,
                )
            };
            let by_columns = [four(0), four(4), four(8), four(12)];
            let quads = quants.as_chunks::<{ 4 * PANEL }>().0;
            for (pairs, quad) in pairs.as_chunks_mut::<{ 4 * PANEL }>().0.iter_mut().zip(quads) {
                let value = |column: usize| {
                    // SAFETY: the sixteen bytes of four columns.
                    let bytes = unsafe { _mm_loadu_si128(quad[16 * column..].as_ptr().cast()) };
                    _mm512_mul_ps(
                        _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)),
                        by_columns[column],
                    )
                };
                let low = round(value(0), value(1));
                let high = round(value(2), value(3));
                // SAFETY: a quad is two vectors of pairs.
                unsafe {
                    let to = pairs.as_mut_ptr().cast::<__m512i>();
                    _mm512_storeu_si512(to, _mm512_permutex2var_epi32(low, even, high));
                    _mm512_storeu_si512(to.add(1), _mm512_permutex2var_epi32(low, odd, high));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A strip in which every value differs, beside the definition.
    #[test]
    fn pairs_are_the_rounded_values() {
        let k = 96;
        let quants: Vec<i8> = (0..k * PANEL).map(|i| (i * 37 % 256) as u8 as i8).collect();
        let scales: Vec<u16> = (0..k / BLOCK * PANEL)
            .map(|i| half::f16::from_f32(0.001 + i as f32 / 300.0).to_bits())
            .collect();
        let value = |input: usize, column: usize| {
            let quant = quants[(input / 4 * PANEL + column) * 4 + input % 4];
            f32::from(quant) * half::f16::from_bits(scales[input / BLOCK * PANEL + column]).to_f32()
        };
        let expect: Vec<u16> = (0..k * PANEL)
            .map(|i| {
                let (pair, column) = (i / (2 * PANEL), i / 2 % PANEL);
                half::bf16::from_f32(value(2 * pair + i % 2, column)).to_bits()
            })
            .collect();
        let mut pairs = vec![0; k * PANEL];
        q8_0(&quants, &scales, &mut pairs);
        assert!(pairs == expect, "at once");
        let wide: Vec<f32> = (0..k * PANEL).map(|i| value(i / PANEL, i % PANEL)).collect();
        pairs.fill(1);
        from_wide(&wide, &mut pairs);
        assert!(pairs == expect, "by way of f32");
        from_wide(&wide[..3 * PANEL], &mut pairs[..4 * PANEL]);
        assert_eq!(
            pairs[2 * PANEL..4 * PANEL].iter().skip(1).step_by(2).max(),
            Some(&0),
            "an odd end"
        );
        assert_eq!(
            pairs[2 * PANEL..4 * PANEL][4],
            expect[2 * PANEL..][4],
            "an odd end"
        );
    }
}
