//! `x wᵀ` with packed weights, for one row or thousands.

use rayon::prelude::*;

use crate::isa::Isa;
use crate::packed::{PackedMatrix, STRIP};
use crate::tile::{PANEL, Tile, pack_rows, tile};

/// Most rows that a thread takes through the weights together: with a strip's length, half of an L2 cache.
const ROW_BLOCK: usize = 192;
/// Fewer rows than this are not worth splitting among threads; the outputs are split instead.
const FEW_ROWS: usize = 96;
/// Multiply-adds below which waking another thread costs more than it saves.
const SMALL: usize = 1 << 20;

/// `out [m, n] = x [m, k] · weightᵀ`, in `f32`, on the threads of the current rayon pool.
///
/// Each element is one sum over `k` in rising order, so that a row of the result is the same, bit for bit, beside
/// whatever other rows it is computed.
///
/// # Panics
/// When the lengths do not fit.
pub fn linear(x: &[f32], weight: &PackedMatrix, out: &mut [f32]) {
    linear_with(Isa::active(), x, weight, out);
}

/// [`linear`] with the kernels of one instruction set.
///
/// # Panics
/// As [`linear`], and when this machine lacks it.
pub fn linear_with(isa: Isa, x: &[f32], weight: &PackedMatrix, out: &mut [f32]) {
    let (n, k) = (weight.outputs(), weight.inputs());
    let m = x.len() / k;
    assert!(isa.is_available(), "this machine has no {}", isa.name());
    assert!(
        x.len() == m * k && out.len() == m * n,
        "linear: [m, {k}] times [{n}, {k}] into [m, {n}] expected, got {} and {} elements",
        x.len(),
        out.len()
    );
    if m == 0 || n == 0 {
        return;
    }
    let threads = if m * n * k < SMALL {
        1
    } else {
        rayon::current_num_threads()
    };
    if m >= FEW_ROWS || threads == 1 {
        let share = m.div_ceil(threads).next_multiple_of(isa.tile_rows());
        let rows = share
            .div_ceil(share.div_ceil(ROW_BLOCK))
            .next_multiple_of(isa.tile_rows());
        let block = |(out, x): (&mut [f32], &[f32])| row_block(isa, x, weight, out);
        if threads == 1 {
            out.chunks_mut(rows * n).zip(x.chunks(rows * k)).for_each(block);
        } else {
            out.par_chunks_mut(rows * n)
                .zip(x.par_chunks(rows * k))
                .for_each(block);
        }
        return;
    }
    let mut packed = Vec::new();
    pack_rows(x, m, k, k, isa.tile_rows(), &mut packed);
    // More pieces than threads, so that one that is held up does not hold up all.
    let share = weight.panel_count().div_ceil(4 * threads).max(1);
    let pieces: Vec<(usize, Vec<f32>)> = (0..weight.panel_count())
        .into_par_iter()
        .step_by(share)
        .map(|first| {
            let columns = (share * PANEL).min(n - first * PANEL);
            let mut piece = vec![0.0; m * columns];
            let panels = first..(first + share).min(weight.panel_count());
            few_rows(isa, &packed, weight, panels, &mut piece);
            (first * PANEL, piece)
        })
        .collect();
    for (column, piece) in pieces {
        let columns = piece.len() / m;
        for (out, row) in out.chunks_exact_mut(n).zip(piece.chunks_exact(columns)) {
            out[column..column + columns].copy_from_slice(row);
        }
    }
}

/// Many rows: the strips of `x` stay in L2 while panel after panel passes.
fn row_block(isa: Isa, x: &[f32], weight: &PackedMatrix, out: &mut [f32]) {
    let (n, k) = (weight.outputs(), weight.inputs());
    let m = x.len() / k;
    let mut wide = [0f32; STRIP * PANEL];
    let mut packed = Vec::new();
    for start in (0..k).step_by(STRIP) {
        let count = STRIP.min(k - start);
        pack_rows(&x[start..], m, count, k, isa.tile_rows(), &mut packed);
        for panel in 0..weight.panel_count() {
            let strip = weight.widen(panel, start, count, &mut wide);
            let column = panel * PANEL;
            for (t, left_km) in packed.chunks(isa.tile_rows() * count).enumerate() {
                tile(
                    isa,
                    left_km.len() / count,
                    Tile {
                        left_km,
                        panel: strip,
                        out: &mut out[t * isa.tile_rows() * n + column..],
                        stride: n,
                        columns: PANEL.min(n - column),
                        fresh: start == 0,
                    },
                );
            }
        }
    }
}

/// Few rows: every weight is read once, in the order of the memory.
fn few_rows(
    isa: Isa,
    packed: &[f32],
    weight: &PackedMatrix,
    panels: std::ops::Range<usize>,
    out: &mut [f32],
) {
    let (n, k) = (weight.outputs(), weight.inputs());
    let m = packed.len() / k;
    let stride = out.len() / m;
    let mut wide = [0f32; STRIP * PANEL];
    for (place, panel) in panels.enumerate() {
        for start in (0..k).step_by(STRIP) {
            let count = STRIP.min(k - start);
            let strip = weight.widen(panel, start, count, &mut wide);
            for (t, left_km) in packed.chunks(isa.tile_rows() * k).enumerate() {
                let rows = left_km.len() / k;
                tile(
                    isa,
                    rows,
                    Tile {
                        left_km: &left_km[start * rows..][..count * rows],
                        panel: strip,
                        out: &mut out[t * isa.tile_rows() * stride + place * PANEL..],
                        stride,
                        columns: PANEL.min(n - panel * PANEL),
                        fresh: start == 0,
                    },
                );
            }
        }
    }
}
