//! Products of packed bf16 operands, summed in `f32`: blocks that stay in the nearer caches around one inner loop.

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
/// When the shapes do not fit: `left [m, k]`, `right [k, n]`, `dst [m, n]`.
pub fn product(isa: Isa, dst: MatMut<'_>, left: Left<'_>, right: Right<'_>, write: Write) {
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
