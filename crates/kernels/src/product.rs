//! Products of packed bf16 operands, summed in `f32`: blocks that stay in the nearer caches around one inner loop.

#[cfg(target_arch = "x86_64")]
use crate::activations::AMX_ROWS;
#[cfg(target_arch = "x86_64")]
use crate::amx::{AmxJob, Tiles};
use crate::bf16::{Left, Right, SIDE, numbers};
use crate::isa::Isa;
use crate::matmul::{MatMut, Write};
use crate::tile_bf16::{Bf16Job, rows_bf16};

/// Pairs of the inner dimension that are multiplied at once: two panels of them fill half of a 32 KiB cache.
const DEPTH: usize = 128;

/// Rows that pass by one pair of panels before the next: with `DEPTH`, 192 KiB. A multiple of the rows of a tile.
const HEIGHT: usize = 384;

/// `dst = left · right`, or `dst += left · right` with [`Write::Add`].
///
/// The operands are bf16, the sums `f32`, each element's in the order of the inner dimension. Single-threaded. Where
/// `isa` has no products of bf16, [`Isa::Portable`] computes the same bits, slowly.
///
/// # Panics
/// When the shapes do not fit: `left [m, k]`, `right [k, n]`, `dst [m, n]`; or when this machine lacks `isa`.
pub fn product(isa: Isa, dst: MatMut<'_>, left: Left<'_>, right: Right<'_>, write: Write) {
    assert!(isa.is_available(), "this machine has no {}", isa.name());
    // SAFETY: it was just asked for.
    unsafe { product_on(isa, dst, left, right, write) };
}

/// # Safety
/// This machine has `isa`, or a handler stands in for its tiles.
unsafe fn product_on(isa: Isa, dst: MatMut<'_>, left: Left<'_>, right: Right<'_>, write: Write) {
    let isa = if isa.has_bf16() { isa } else { Isa::Portable };
    let (out, rows, columns, stride) = dst.into_parts();
    assert!(
        left.width == right.width && rows == left.rows && columns == right.columns,
        "product of [{}, {}] and [{}, {}] into [{rows}, {columns}]",
        left.rows,
        left.width * 2,
        right.width * 2,
        right.columns,
    );
    #[cfg(target_arch = "x86_64")]
    let (out, rows, left) = if isa == Isa::Amx && rows >= AMX_ROWS && columns > 0 && left.width > 0 {
        // Whole tiles of rows; the few that are left over go the other way.
        let whole = rows - rows % AMX_ROWS;
        // SAFETY: by the contract.
        unsafe { in_tiles(&mut *out, stride, Left { rows: whole, ..left }, right, write) };
        if whole == rows {
            return;
        }
        let rest = Left {
            pairs: &left.pairs[whole * left.stride..],
            ..left
        };
        (&mut out[whole * stride..], rows - whole, rest)
    } else {
        (out, rows, left)
    };
    for row in (0..rows).step_by(HEIGHT) {
        let m = HEIGHT.min(rows - row);
        for start in (0..left.width).step_by(DEPTH) {
            let depth = DEPTH.min(left.width - start);
            for column in (0..columns).step_by(2 * SIDE) {
                let panel = |p: usize| {
                    let at = (column / SIDE + p) * right.stride + start * SIDE;
                    numbers(&right.pairs[at..at + depth * SIDE])
                };
                let out = &mut out[row * stride + column..];
                let left_rows = numbers(&left.pairs[row * left.stride + start..]);
                macro_rules! job {
                    ($panels:expr) => {
                        Bf16Job {
                            left: left_rows,
                            left_stride: 2 * left.stride,
                            k: 2 * depth,
                            panels: $panels,
                            out,
                            stride,
                            columns: (columns - column).min(2 * SIDE),
                            fresh: start == 0 && write == Write::Replace,
                        }
                    };
                }
                if columns - column > SIDE {
                    rows_bf16::<2>(isa, m, job!([panel(0), panel(1)]));
                } else {
                    rows_bf16::<1>(isa, m, job!([panel(0)]));
                }
            }
        }
    }
}

/// Pairs of the inner dimension between two visits of the result: visits are dear beside products in tiles.
#[cfg(target_arch = "x86_64")]
const TILE_DEPTH: usize = 384;

/// [`product`] of whole tiles of rows.
///
/// # Safety
/// There are tiles, or a handler stands in for them.
#[cfg(target_arch = "x86_64")]
unsafe fn in_tiles(out: &mut [f32], stride: usize, left: Left<'_>, right: Right<'_>, write: Write) {
    // SAFETY: by the contract; nothing below makes others.
    let tiles = unsafe { Tiles::new(AMX_ROWS) };
    let mut sums = vec![0f32; HEIGHT.min(left.rows) * 2 * SIDE];
    for row in (0..left.rows).step_by(HEIGHT) {
        let m = HEIGHT.min(left.rows - row);
        for start in (0..left.width).step_by(TILE_DEPTH) {
            let depth = TILE_DEPTH.min(left.width - start);
            for column in (0..right.columns).step_by(2 * SIDE) {
                let count = (right.columns - column).min(2 * SIDE);
                let panel = |p: usize| {
                    let at = (column / SIDE + p) * right.stride + start * SIDE;
                    numbers(&right.pairs[at..at + depth * SIDE])
                };
                let job = AmxJob {
                    left: numbers(&left.pairs[row * left.stride + start..]),
                    left_stride: 2 * left.stride,
                    k: 2 * depth,
                    panels: [panel(0), if count > SIDE { panel(1) } else { &[] }],
                    sums: &mut sums,
                    fresh: true,
                };
                tiles.product(m, job);
                let replace = start == 0 && write == Write::Replace;
                let rows = out[row * stride + column..].chunks_mut(stride).take(m);
                for (out, sums) in rows.zip(sums.chunks_exact(2 * SIDE)) {
                    let pairs = out[..count].iter_mut().zip(sums);
                    if replace {
                        pairs.for_each(|(out, sum)| *out = *sum);
                    } else {
                        pairs.for_each(|(out, sum)| *out += sum);
                    }
                }
            }
        }
    }
}

#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::amx::emulator;
    use crate::bf16::{Panels, Rows};

    /// On the processor's tiles or on emulated ones, against the plain twin.
    #[test]
    fn tiles_give_the_product_up_to_the_order_of_the_sums() {
        emulator::install();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (m, k, n) in [
            (16, 32, 16),
            (37, 70, 50),
            (400, 64, 20),
            (18, 900, 33),
            (5, 40, 16),
        ] {
            // The rows that are left over are computed by other instructions, which no handler stands in for.
            if m % AMX_ROWS != 0 && !Isa::Avx512Bf16.is_available() {
                continue;
            }
            let mut random =
                |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
            let (left, right) = (random(m * k), random(k * n));
            let (mut rows, mut panels) = (Rows::default(), Panels::default());
            rows.pack(&left, (m, k), k);
            panels.pack(&right, (k, n), n);
            for write in [Write::Replace, Write::Add] {
                let run = |isa: Isa| {
                    let mut out = vec![0.25f32; m * (n + 3)];
                    let dst = MatMut::strided(&mut out, m, n, n + 3);
                    // SAFETY: the twin needs nothing; for tiles a handler was installed, and the rest was asked for.
                    unsafe { product_on(isa, dst, rows.all(), panels.all(), write) };
                    out
                };
                let (got, want) = (run(Isa::Amx), run(Isa::Portable));
                // Each of `k` sums loses at most half a unit in the last place of what it holds, below `k + 1`; twice.
                let allowed = k as f32 * f32::EPSILON * (k as f32 + 1.0);
                for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                    assert!(
                        (got - want).abs() <= allowed,
                        "{m} x {k} x {n} {write:?} {i}: {got} {want}"
                    );
                }
                assert!(
                    got[n..n + 3].iter().all(|x| *x == 0.25),
                    "between the rows nothing is written"
                );
            }
        }
    }
}
