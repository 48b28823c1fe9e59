//! The inner loop of products of bytes: rows in blocks of 32 signed bytes with a scale, times panels of `Q8_0`.
//!
//! Inside a block products and sums are whole numbers and exact; then a block's sum is multiplied by the weight's scale
//! and, fused with the sum over the blocks in rising order, by the row's. So an element depends on its row and its
//! column alone. [`Isa::Portable`] stands for the same arithmetic in plain Rust: the same bits, for tests and nothing
//! else. Which way goes a set with two of them ([`avx2`]) may therefore depend on the number of rows.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;

use multiversion::multiversion;

use crate::isa::Isa;
use crate::packed::BLOCK;
use crate::tile::{PANEL, not_compiled};
use crate::widen::f16_to_f32;

/// Thirty-two activations.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Block {
    scale: f32,
    /// Minus 128 times the sum of the values: instructions take one side unsigned, so that weights are given 128 more.
    offset: i32,
    values: [i8; BLOCK],
}

impl Block {
    /// The nearest, with the largest magnitude at 127. What is not finite makes the scale, and with it every product,
    /// not a number.
    #[multiversion(targets("x86_64+avx2+fma", "aarch64+neon"))]
    pub(crate) fn of(values: &[f32; BLOCK]) -> Block {
        let mut most = 0f32;
        let mut zero = 0f32;
        for value in values {
            most = if value.abs() > most { value.abs() } else { most };
            zero += value * 0.0;
        }
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        let mut block = Block {
            // Adds nothing, or not a number.
            scale: most / 127.0 + zero,
            ..Block::default()
        };
        let mut sum = 0;
        for (to, value) in block.values.iter_mut().zip(values) {
            *to = (value * inverse).round_ties_even() as i8;
            sum += i32::from(*to);
        }
        block.offset = -128 * sum;
        block
    }
}

/// Most rows of a tile: as many as keep every accumulator in a register.
const TILE_ROWS: usize = 6;

/// Rows times panels.
pub(crate) struct ByteJob<'a, const P: usize> {
    /// `[row, block]`.
    pub(crate) left: &'a [Block],
    /// Blocks of a row.
    pub(crate) blocks: usize,
    /// `[k / 4, PANEL, 4]` and `f16` scales `[k / BLOCK, PANEL]` each.
    pub(crate) panels: [(&'a [i8], &'a [u16]); P],
    /// Rows are `stride` apart, the columns of the panels one after the other.
    pub(crate) out: &'a mut [f32],
    pub(crate) stride: usize,
}

/// `out [m, P * PANEL] = left · panels`, for any number of rows and one panel or two.
///
/// # Panics
/// When the slices do not fit, or `isa` has no products of bytes and is not [`Isa::Portable`].
pub(crate) fn rows_int8<const P: usize>(isa: Isa, m: usize, job: ByteJob<'_, P>) {
    const { assert!(P == 1 || P == 2) };
    let ByteJob { blocks, stride, .. } = job;
    assert!(
        m > 0
            && job.left.len() >= m * blocks
            && stride >= P * PANEL
            && job.out.len() >= (m - 1) * stride + P * PANEL
            && job.panels.iter().all(|(quants, scales)| {
                scales.len() == blocks * PANEL && quants.len() == scales.len() * BLOCK
            }),
        "products of bytes: {m} rows and panels of {blocks} blocks expected"
    );
    for first in (0..m).step_by(TILE_ROWS) {
        let tile = ByteJob {
            left: &job.left[first * blocks..],
            out: &mut job.out[first * stride..],
            ..job
        };
        match m - first {
            1 => tile_of::<1, P>(isa, tile),
            2 => tile_of::<2, P>(isa, tile),
            3 => tile_of::<3, P>(isa, tile),
            4 => tile_of::<4, P>(isa, tile),
            5 => tile_of::<5, P>(isa, tile),
            _ => tile_of::<6, P>(isa, tile),
        }
    }
}

/// Slices long enough for `M` rows and `P` panels, as [`rows_int8`] has checked.
#[inline]
fn tile_of<const M: usize, const P: usize>(isa: Isa, job: ByteJob<'_, P>) {
    match isa {
        Isa::Portable => portable::<M, P>(job),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instructions were detected, else `Isa::is_available` would have kept the caller away; the
        // lengths were checked by the only caller.
        Isa::Avx512Bf16 => unsafe { avx512::<M, P>(job) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { avx2::few::<M, P>(job) },
        _ => not_compiled(isa),
    }
}

fn portable<const M: usize, const P: usize>(job: ByteJob<'_, P>) {
    for i in 0..M {
        let row = &job.left[i * job.blocks..][..job.blocks];
        let out = &mut job.out[i * job.stride..][..P * PANEL];
        for ((quants, scales), out) in job.panels.iter().zip(out.chunks_exact_mut(PANEL)) {
            for (column, out) in out.iter_mut().enumerate() {
                *out = 0.0;
                for (b, block) in row.iter().enumerate() {
                    let weight = |input: usize| {
                        i32::from(quants[((b * BLOCK + input) / 4 * PANEL + column) * 4 + input % 4])
                    };
                    let terms = block.values.iter().enumerate();
                    let sum: i32 = terms
                        .map(|(input, &value)| i32::from(value) * weight(input))
                        .sum();
                    *out = (sum as f32 * f16_to_f32(scales[b * PANEL + column])).mul_add(block.scale, *out);
                }
            }
        }
    }
}

/// # Safety
/// `job` has `M` rows on both sides and `P` panels of as many blocks as a row.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn avx512<const M: usize, const P: usize>(job: ByteJob<'_, P>) {
    use std::arch::asm;
    use std::arch::x86_64::{
        _mm256_loadu_si256, _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_fmadd_ps, _mm512_loadu_si512,
        _mm512_mul_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_setzero_si512, _mm512_storeu_ps, _mm512_xor_si512,
    };
    let flip = _mm512_set1_epi8(i8::MIN);
    let mut sums = [[_mm512_setzero_ps(); P]; M];
    let row = |i: usize, b: usize| &job.left[i * job.blocks + b];
    for b in 0..job.blocks {
        let mut whole = [[_mm512_setzero_si512(); P]; M];
        for (i, whole) in whole.iter_mut().enumerate() {
            whole.fill(_mm512_set1_epi32(row(i, b).offset));
        }
        for quad in 0..BLOCK / 4 {
            let mut right = [_mm512_setzero_si512(); P];
            for (right, (quants, _)) in right.iter_mut().zip(&job.panels) {
                // SAFETY: a panel holds 64 bytes for each four inputs.
                let quants =
                    unsafe { _mm512_loadu_si512(quants.as_ptr().add((b * BLOCK + 4 * quad) * PANEL).cast()) };
                *right = _mm512_xor_si512(quants, flip);
            }
            for (i, whole) in whole.iter_mut().enumerate() {
                let four = row(i, b).values[4 * quad..].as_ptr();
                for (whole, right) in whole.iter_mut().zip(right) {
                    // By name, since the compiler loads the fours of all rows first and has no registers left.
                    // SAFETY: reads four bytes of the block and changes a register alone.
                    unsafe {
                        asm!(
                            "vpdpbusd {whole}, {right}, dword ptr [{four}]{{1to16}}",
                            whole = inout(zmm_reg) *whole, right = in(zmm_reg) right, four = in(reg) four,
                            options(nostack, preserves_flags, readonly),
                        );
                    }
                }
            }
        }
        let mut scales = [_mm512_setzero_ps(); P];
        for (scale, (_, scales)) in scales.iter_mut().zip(&job.panels) {
            // SAFETY: sixteen `f16` for each block.
            *scale = _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(scales.as_ptr().add(b * PANEL).cast()) });
        }
        for (i, (sums, whole)) in sums.iter_mut().zip(whole).enumerate() {
            let own = _mm512_set1_ps(row(i, b).scale);
            for ((sum, whole), scale) in sums.iter_mut().zip(whole).zip(scales) {
                *sum = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(whole), scale), own, *sum);
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        for (p, sum) in sums.iter().enumerate() {
            // SAFETY: row `i` of the result has the columns of the panels.
            unsafe { _mm512_storeu_ps(job.out.as_mut_ptr().add(i * job.stride + p * PANEL), *sum) };
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn blocks_are_rounded_to_the_nearest() {
        let mut values = [0f32; BLOCK];
        values[..5].copy_from_slice(&[127.0, -127.0, 2.5, 3.5, -0.4]);
        let block = Block::of(&values);
        assert_eq!((block.scale, block.offset), (1.0, -128 * 6));
        assert_eq!(block.values[..6], [127, -127, 2, 4, 0, 0]);
        assert_eq!(Block::of(&[0.0; BLOCK]), Block::default());
        values[31] = f32::NAN;
        assert!(Block::of(&values).scale.is_nan());
        values[31] = f32::INFINITY;
        assert!(Block::of(&values).scale.is_nan());
    }

    #[test]
    fn the_instruction_and_its_twin_give_the_same_bits() {
        fn check<const P: usize>(m: usize, blocks: usize) {
            let mut random = ChaCha8Rng::seed_from_u64((m * 100 + blocks) as u64);
            let mut left: Vec<Block> = (0..m * blocks)
                .map(|_| Block::of(&std::array::from_fn(|_| random.random_range(-3.0..3.0))))
                .collect();
            let mut quants: Vec<Vec<i8>> = (0..P)
                .map(|_| (0..blocks * BLOCK * PANEL).map(|_| random.random()).collect())
                .collect();
            // What sixteen bits would not hold, were one side unsigned by an offset.
            left[0] = Block::of(&[3.0; BLOCK]);
            quants[0][..BLOCK * PANEL / 2].fill(i8::MIN);
            let scales: Vec<Vec<u16>> = (0..P)
                .map(|_| {
                    let scale = || half::f16::from_f32(random.random_range(0.001..0.1)).to_bits();
                    std::iter::repeat_with(scale).take(blocks * PANEL).collect()
                })
                .collect();
            let stride = P * PANEL + 3;
            let run = |isa: Isa| {
                let mut out = vec![7.0; m * stride];
                let job = ByteJob {
                    left: &left,
                    blocks,
                    panels: std::array::from_fn::<_, P, _>(|p| (&quants[p][..], &scales[p][..])),
                    out: &mut out,
                    stride,
                };
                rows_int8(isa, m, job);
                out
            };
            #[cfg(target_arch = "x86_64")]
            let widened = || {
                let mut out = vec![7.0; m * stride];
                let mut pairs = vec![vec![0i16; blocks * BLOCK * PANEL]; P];
                for (pairs, quants) in pairs.iter_mut().zip(&quants) {
                    avx2::widen(quants, pairs);
                }
                // In two parts, as strips follow each other.
                for (start, count) in [(0, 1), (1, blocks - 1)] {
                    let job = avx2::PairJob {
                        left: &left,
                        blocks,
                        part: start..start + count,
                        panels: std::array::from_fn::<_, P, _>(|p| {
                            let pairs = &pairs[p][start * BLOCK * PANEL..][..count * BLOCK * PANEL];
                            (pairs, &scales[p][start * PANEL..][..count * PANEL])
                        }),
                        out: &mut out,
                        stride,
                    };
                    avx2::rows(m, job);
                }
                out
            };
            let exact = run(Isa::Portable);
            assert!(exact.iter().any(|&x| x != 7.0 && x != 0.0));
            for isa in [Isa::Avx2, Isa::Avx512Bf16] {
                if isa.is_available() {
                    let what = format!("{}, {m} rows, {blocks} blocks, {P} panels", isa.name());
                    assert_eq!(run(isa), exact, "{what}");
                }
            }
            #[cfg(target_arch = "x86_64")]
            if Isa::Avx2.is_available() {
                assert_eq!(widened(), exact, "{m} rows, {blocks} blocks, {P} panels, widened");
            }
        }
        for m in [1, 2, 3, 4, 5, 6, 7, 15] {
            for blocks in [1, 3] {
                check::<1>(m, blocks);
                check::<2>(m, blocks);
            }
        }
    }
}
