//! Products of bytes: rows in blocks of 32 signed bytes with a scale, times panels of `Q8_0`, `Q4_K` or `Q6_K`.
//!
//! Inside a block products and sums are whole numbers and exact, the format's small whole scales among them; then a
//! block's sum is multiplied by the weight's scale and, fused with the sum over the blocks in rising order, by the row's.
//! A minimum, which a format may subtract from each of its weights, is multiplied by what the row sums up to. So an
//! element depends on its row and its column alone, and a set may go about it in the way that suits the number of rows.
//! [`Isa::Portable`] stands for the same arithmetic in plain Rust: the same bits, for tests and nothing else.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
use std::ops::Range;

use multiversion::multiversion;

use crate::isa::Isa;
use crate::packed::{BLOCK, SUPER};
use crate::tile::{PANEL, not_compiled};
use crate::widen::f16_to_f32;

/// Inputs that share a scale in `Q6_K`.
const HALF_BLOCK: usize = BLOCK / 2;
/// Blocks of a super-block.
const BLOCKS: usize = SUPER / BLOCK;

/// Thirty-two activations.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Block {
    scale: f32,
    /// What the values stand for, summed up.
    sum: f32,
    /// Minus 128 times the sum of the values: instructions take one side unsigned, so that weights are given 128 more.
    offset: i32,
    /// Minus 16 times the sums of either half, for weights that are given 32 more and have half as wide scales.
    halves: [i16; 2],
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
        for (to, value) in block.values.iter_mut().zip(values) {
            *to = (value * inverse).round_ties_even() as i8;
        }
        let (first, second) = block.values.split_at(HALF_BLOCK);
        let sums = [first, second].map(|half| half.iter().map(|&value| i16::from(value)).sum::<i16>());
        let sum = i32::from(sums[0]) + i32::from(sums[1]);
        block.sum = block.scale * sum as f32;
        block.offset = -128 * sum;
        // At most 16 times 127, 16 times.
        block.halves = sums.map(|sum| -16 * sum);
        block
    }
}

/// A panel whose weights are multiplied as bytes.
pub(crate) trait BytePanel: Copy {
    /// Whether there are so many blocks of it.
    fn holds(&self, blocks: usize) -> bool;

    /// The sum of a column over the blocks before `b`, and over `b`: what instructions are to give, bit for bit.
    fn add(&self, sum: f32, block: &Block, b: usize, column: usize) -> f32;

    /// # Safety
    /// `job` has `M` rows on both sides and `P` panels of as many blocks as a row, and there are the instructions.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512<const M: usize, const P: usize>(job: ByteJob<'_, Self, P>);

    /// Eight columns or sixteen, for some blocks: the first of all, or those that follow what `out` holds.
    ///
    /// # Safety
    /// As above, of the `C` vectors of columns from `half` on; `part` begins with a super-block.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2<const M: usize, const C: usize>(job: ByteJob<'_, Self, 1>, place: (Range<usize>, usize));
}

/// Of `Q8_0`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Q8Panel<'a> {
    /// `[k / 4, PANEL, 4]`.
    pub(crate) quants: &'a [i8],
    /// `[k / BLOCK, PANEL]`, `f16`.
    pub(crate) scales: &'a [u16],
}

/// Of `Q4_K`; see [`crate::widen::Q4K`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Q4Panel<'a> {
    pub(crate) quants: &'a [u8],
    pub(crate) parts: &'a [u8],
    pub(crate) minimum_parts: &'a [u8],
    pub(crate) scales: &'a [u16],
    pub(crate) minima: &'a [u16],
}

/// Of `Q6_K`; see [`crate::widen::Q6K`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Q6Panel<'a> {
    pub(crate) quants: &'a [u8],
    pub(crate) parts: &'a [i8],
    pub(crate) scales: &'a [u16],
}

/// The four that lie together in `[k / 4, PANEL, 4]`, for each four inputs of a block.
fn fours<T: Copy>(quants: &[T], b: usize, column: usize) -> impl Iterator<Item = T> {
    let columns = quants[b * BLOCK * PANEL..][..BLOCK * PANEL].as_chunks::<4>().0;
    columns.iter().skip(column).step_by(PANEL).flatten().copied()
}

fn dot(values: &[i8], weights: impl Iterator<Item = i32>) -> i32 {
    values
        .iter()
        .zip(weights)
        .map(|(&value, weight)| i32::from(value) * weight)
        .sum()
}

impl BytePanel for Q8Panel<'_> {
    fn holds(&self, blocks: usize) -> bool {
        self.quants.len() == blocks * BLOCK * PANEL && self.scales.len() == blocks * PANEL
    }

    fn add(&self, sum: f32, block: &Block, b: usize, column: usize) -> f32 {
        let whole = dot(&block.values, fours(self.quants, b, column).map(i32::from));
        (whole as f32 * f16_to_f32(self.scales[b * PANEL + column])).mul_add(block.scale, sum)
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512<const M: usize, const P: usize>(job: ByteJob<'_, Self, P>) {
        // SAFETY: the same contract.
        unsafe { avx512::q8_0::<M, P>(job) }
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2<const M: usize, const C: usize>(job: ByteJob<'_, Self, 1>, place: (Range<usize>, usize)) {
        // SAFETY: the same contract.
        unsafe { avx2::q8_0::<M, C>(job, place) }
    }
}

impl BytePanel for Q4Panel<'_> {
    fn holds(&self, blocks: usize) -> bool {
        self.quants.len() == blocks * BLOCK / 2 * PANEL
            && [self.parts, self.minimum_parts].map(<[u8]>::len) == [blocks * PANEL; 2]
            && [self.scales, self.minima].map(<[u16]>::len) == [blocks / BLOCKS * PANEL; 2]
            && blocks.is_multiple_of(BLOCKS)
    }

    fn add(&self, sum: f32, block: &Block, b: usize, column: usize) -> f32 {
        let lanes = self.quants[b * BLOCK / 2 * PANEL..][..BLOCK / 2 * PANEL]
            .as_chunks::<4>()
            .0;
        let lanes = lanes.iter().skip(column).step_by(PANEL);
        let weights = lanes.flat_map(|lane| {
            let low = lane.map(|byte| i32::from(byte & 15));
            low.into_iter().chain(lane.map(|byte| i32::from(byte >> 4)))
        });
        let whole = dot(&block.values, weights) * i32::from(self.parts[b * PANEL + column]);
        let place = b / BLOCKS * PANEL + column;
        let sum = (whole as f32 * f16_to_f32(self.scales[place])).mul_add(block.scale, sum);
        let minimum = f16_to_f32(self.minima[place]) * f32::from(self.minimum_parts[b * PANEL + column]);
        (-minimum).mul_add(block.sum, sum)
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512<const M: usize, const P: usize>(job: ByteJob<'_, Self, P>) {
        // SAFETY: the same contract.
        unsafe { avx512::q4_k::<M, P>(job) }
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2<const M: usize, const C: usize>(job: ByteJob<'_, Self, 1>, place: (Range<usize>, usize)) {
        // SAFETY: the same contract.
        unsafe { avx2::q4_k::<M, C>(job, place) }
    }
}

impl BytePanel for Q6Panel<'_> {
    fn holds(&self, blocks: usize) -> bool {
        self.quants.len() == blocks * BLOCK * PANEL
            && self.parts.len() == blocks * PANEL * 2
            && self.scales.len() == blocks / BLOCKS * PANEL
            && blocks.is_multiple_of(BLOCKS)
    }

    fn add(&self, sum: f32, block: &Block, b: usize, column: usize) -> f32 {
        let mut weights = fours(self.quants, b, column).map(|quant| i32::from(quant) - 32);
        let mut whole = 0;
        for (half, values) in block.values.chunks(HALF_BLOCK).enumerate() {
            let part = self.parts[(b * PANEL + column) * 2 + half];
            whole += i32::from(part) * dot(values, weights.by_ref().take(HALF_BLOCK));
        }
        // Below 2^24, and so exact.
        let scale = f16_to_f32(self.scales[b / BLOCKS * PANEL + column]);
        (whole as f32 * scale).mul_add(block.scale, sum)
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512<const M: usize, const P: usize>(job: ByteJob<'_, Self, P>) {
        // SAFETY: the same contract.
        unsafe { avx512::q6_k::<M, P>(job) }
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2<const M: usize, const C: usize>(job: ByteJob<'_, Self, 1>, place: (Range<usize>, usize)) {
        // SAFETY: the same contract.
        unsafe { avx2::q6_k::<M, C>(job, place) }
    }
}

/// Most rows of a tile: as many as keep every accumulator in a register.
const TILE_ROWS: usize = 6;

/// Rows times panels.
pub(crate) struct ByteJob<'a, W, const P: usize> {
    /// `[row, block]`.
    pub(crate) left: &'a [Block],
    /// Blocks of a row.
    pub(crate) blocks: usize,
    pub(crate) panels: [W; P],
    /// Rows are `stride` apart, the columns of the panels one after the other.
    pub(crate) out: &'a mut [f32],
    pub(crate) stride: usize,
}

/// `out [m, P * PANEL] = left · panels`, for any number of rows and one panel or two.
///
/// # Panics
/// When the slices do not fit, or `isa` has no products of bytes and is not [`Isa::Portable`].
pub(crate) fn rows_int8<W: BytePanel, const P: usize>(isa: Isa, m: usize, job: ByteJob<'_, W, P>) {
    const { assert!(P == 1 || P == 2) };
    let ByteJob { blocks, stride, .. } = job;
    assert!(
        m > 0
            && job.left.len() >= m * blocks
            && stride >= P * PANEL
            && job.out.len() >= (m - 1) * stride + P * PANEL
            && job.panels.iter().all(|panel| panel.holds(blocks)),
        "products of bytes: {m} rows and panels of {blocks} blocks expected"
    );
    #[cfg(target_arch = "x86_64")]
    let mut job = job;
    match isa {
        Isa::Portable => portable(m, job),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => in_tiles(m, |rows| {
            let tile = job.rows(rows.start);
            // SAFETY: the instructions were detected, else `Isa::is_available` would have kept the caller away; the
            // lengths were checked above, and `tile` begins `M` rows before the end.
            unsafe {
                match rows.len() {
                    1 => W::avx512::<1, P>(tile),
                    2 => W::avx512::<2, P>(tile),
                    3 => W::avx512::<3, P>(tile),
                    4 => W::avx512::<4, P>(tile),
                    5 => W::avx512::<5, P>(tile),
                    _ => W::avx512::<6, P>(tile),
                }
            }
        }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { avx2_rows(m, &mut job) },
        _ => not_compiled(isa),
    }
}

/// Blocks of a strip: of all columns they stay in the nearest cache while the rows pass.
#[cfg(target_arch = "x86_64")]
const STRIP_BLOCKS: usize = 2 * BLOCKS;

/// [`rows_int8`] with AVX2.
///
/// # Safety
/// There is AVX2, and the slices fit.
#[cfg(target_arch = "x86_64")]
unsafe fn avx2_rows<W: BytePanel, const P: usize>(m: usize, job: &mut ByteJob<'_, W, P>) {
    let blocks = job.blocks;
    let strip = if m <= TILE_ROWS { blocks } else { STRIP_BLOCKS };
    for start in (0..blocks).step_by(strip.max(1)) {
        let part = start..(start + strip).min(blocks);
        in_tiles(m, |rows| {
            for p in 0..P {
                let mut tile = job.rows(rows.start).panel(p);
                // SAFETY: the contract; a panel has two halves, and strips are whole super-blocks where there are any.
                unsafe {
                    match rows.len() {
                        // Their sums fit the registers for a whole panel, which is then read once.
                        1 => W::avx2::<1, 2>(tile, (part.clone(), 0)),
                        2 => W::avx2::<2, 2>(tile, (part.clone(), 0)),
                        count => {
                            for half in [0, 1] {
                                let (tile, place) = (tile.rows(0), (part.clone(), half));
                                match count {
                                    3 => W::avx2::<3, 1>(tile, place),
                                    4 => W::avx2::<4, 1>(tile, place),
                                    5 => W::avx2::<5, 1>(tile, place),
                                    _ => W::avx2::<6, 1>(tile, place),
                                }
                            }
                        }
                    }
                }
            }
        });
    }
}

/// All of `m` rows in tiles of about one height.
#[cfg(target_arch = "x86_64")]
fn in_tiles(m: usize, mut tile: impl FnMut(Range<usize>)) {
    let tiles = m.div_ceil(TILE_ROWS);
    let (mut start, short, longer) = (0, m / tiles, m % tiles);
    for index in 0..tiles {
        let end = start + short + usize::from(index < longer);
        tile(start..end);
        start = end;
    }
}

impl<'a, W: BytePanel, const P: usize> ByteJob<'a, W, P> {
    /// From row `first` on.
    #[cfg(target_arch = "x86_64")]
    fn rows(&mut self, first: usize) -> ByteJob<'_, W, P> {
        ByteJob {
            left: &self.left[first * self.blocks..],
            out: &mut self.out[first * self.stride..],
            ..*self
        }
    }

    /// With panel `p` alone.
    #[cfg(target_arch = "x86_64")]
    fn panel(self, p: usize) -> ByteJob<'a, W, 1> {
        ByteJob {
            panels: [self.panels[p]],
            out: &mut self.out[p * PANEL..],
            left: self.left,
            blocks: self.blocks,
            stride: self.stride,
        }
    }

    /// Block `b` of row `i`.
    ///
    /// # Safety
    /// There is one.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn block(&self, i: usize, b: usize) -> &Block {
        // SAFETY: by the contract.
        unsafe { self.left.get_unchecked(i * self.blocks + b) }
    }
}

fn portable<W: BytePanel, const P: usize>(m: usize, job: ByteJob<'_, W, P>) {
    for (row, out) in job.out.chunks_mut(job.stride).enumerate().take(m) {
        let row = &job.left[row * job.blocks..][..job.blocks];
        for (panel, out) in job.panels.iter().zip(out.chunks_exact_mut(PANEL)) {
            for (column, out) in out.iter_mut().enumerate() {
                let blocks = row.iter().enumerate();
                *out = blocks.fold(0.0, |sum, (b, block)| panel.add(sum, block, b, column));
            }
        }
    }
}
