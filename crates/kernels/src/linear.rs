//! `x wᵀ` with packed weights, for one row or thousands.
//!
//! The unit of work is a group of 32 outputs (two panels) for a block of rows: all inputs pass once, the sums stay in
//! a small buffer of their own, and what becomes of them is decided at the end.

use std::ops::Range;

use rayon::prelude::*;

use crate::activations::{AMX_ROWS, Activations, CHUNK, Form, GROUP, Places};
#[cfg(target_arch = "x86_64")]
use crate::amx::{AmxJob, Tiles};
use crate::elementwise::swiglu_forward;
use crate::isa::{Isa, Numerics};
use crate::matmul::Write;
use crate::packed::{BLOCK, InBytes, PackedMatrix, STRIP};
use crate::tile::{PANEL, Tile, tile};
use crate::tile_bf16::{Bf16Job, rows_bf16};
use crate::tile_int8::{ByteJob, BytePanel, rows_int8};

/// Multiply-adds below which waking another thread costs more than it saves.
const SMALL: usize = 1 << 20;
/// More pieces than threads, so that one that is held up does not hold up all.
const PIECES: usize = 4;

/// One of several products with the same left side.
#[derive(Debug)]
pub struct Product<'a> {
    /// `[n, k]`.
    pub weight: &'a PackedMatrix,
    /// `[m, n]`.
    pub out: &'a mut [f32],
    /// What becomes of the values in `out`.
    pub write: Write,
}

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
    let mut converted = Activations::new(isa, Numerics::Exact, &[weight.format()]);
    let k = weight.inputs();
    assert!(
        x.len().is_multiple_of(k) && out.len() == x.len() / k * weight.outputs(),
        "linear: [m, {k}] times [{n}, {k}] into [m, {n}] expected, got {} and {} elements",
        x.len(),
        out.len(),
        n = weight.outputs()
    );
    converted.set(x, k);
    let write = Write::Replace;
    products(&converted, &mut [Product { weight, out, write }]);
}

/// `out = x · weightᵀ`, or `out += `, for each product, on the threads of the current rayon pool.
///
/// As of [`linear`], each element is one sum over `k` in an order that neither the number of rows nor the other products
/// change. An addition to `out` comes after the sum.
///
/// # Panics
/// When a length does not fit, or `x` was not made for a weight's format.
pub fn products(x: &Activations, jobs: &mut [Product<'_>]) {
    let (m, k) = (x.rows(), x.inputs());
    for job in jobs.iter() {
        let n = job.weight.outputs();
        assert!(
            job.weight.inputs() == k && job.out.len() == m * n,
            "products: [{m}, {k}] times [n, {k}] into [{m}, n] expected, got a weight [{n}, {}] and {} elements",
            job.weight.inputs(),
            job.out.len()
        );
    }
    let sinks: Vec<Sink<'_>> = jobs
        .iter_mut()
        .map(|job| Sink::Plain {
            weight: job.weight,
            out: Out(job.out.as_mut_ptr()),
            write: job.write,
        })
        .collect();
    run(x, &sinks);
}

/// `out = silu(x · gateᵀ) ⊙ (x · upᵀ)`, converted at once for the products that read it. What `out` held is gone.
///
/// # Panics
/// When the shapes do not fit, or `x` was not made for a weight's format.
pub fn gated(x: &Activations, gate: &PackedMatrix, up: &PackedMatrix, out: &mut Activations) {
    assert!(
        gate.inputs() == x.inputs() && up.inputs() == x.inputs() && gate.outputs() == up.outputs(),
        "gated: two weights [n, {}] expected, got [{}, {}] and [{}, {}]",
        x.inputs(),
        gate.outputs(),
        gate.inputs(),
        up.outputs(),
        up.inputs()
    );
    out.resize(x.rows(), gate.outputs().max(1));
    let out = out.places();
    run(x, &[Sink::Gated { gate, up, out }]);
}

/// Elsewhere there are none.
#[cfg(not(target_arch = "x86_64"))]
enum Tiles {}
#[cfg(not(target_arch = "x86_64"))]
impl Tiles {
    unsafe fn new(_rows: usize) -> Self {
        crate::tile::not_compiled(Isa::Amx)
    }
}

/// A result that several threads write, each its own elements.
#[derive(Clone, Copy)]
struct Out(*mut f32);
// SAFETY: plain memory of plain numbers; each group of columns of a block of rows is written by one thread.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

/// What is multiplied, and what becomes of it.
#[derive(Clone, Copy)]
enum Sink<'a> {
    Plain {
        weight: &'a PackedMatrix,
        /// `[m, n]`, which [`products`] has checked.
        out: Out,
        write: Write,
    },
    Gated {
        gate: &'a PackedMatrix,
        up: &'a PackedMatrix,
        out: Places<'a>,
    },
}

impl Sink<'_> {
    fn outputs(&self) -> usize {
        match self {
            Self::Plain { weight, .. } => weight.outputs(),
            Self::Gated { gate, .. } => gate.outputs(),
        }
    }

    fn groups(&self) -> usize {
        self.outputs().div_ceil(GROUP)
    }

    fn work(&self, x: &Activations) -> usize {
        let sides = if matches!(self, Self::Gated { .. }) { 2 } else { 1 };
        x.rows() * x.inputs() * self.outputs() * sides
    }

    /// Group `group` of the columns, for the rows of some chunks.
    fn compute(&self, x: &Activations, chunks: Range<usize>, group: usize, buffers: &mut Buffers) {
        let first = chunks.start * CHUNK;
        let rows = (chunks.end * CHUNK).min(x.rows()) - first;
        let columns = GROUP.min(self.outputs() - group * GROUP);
        match *self {
            Self::Plain { weight, out, write } => {
                let (tiles, side, _) = buffers.split();
                let sums = group_sums((x, chunks), (weight, group), tiles, side);
                for (i, sums) in sums.as_chunks::<GROUP>().0[..rows].iter().enumerate() {
                    let place = (first + i) * weight.outputs() + group * GROUP;
                    // SAFETY: `out` has `m` rows of `outputs` elements and outlives the call; these rows and columns
                    // belong to this piece alone.
                    let out = unsafe { std::slice::from_raw_parts_mut(out.0.add(place), columns) };
                    match write {
                        Write::Replace => out.copy_from_slice(&sums[..columns]),
                        Write::Add => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                    }
                }
            }
            Self::Gated { gate, up, out } => {
                let (tiles, left, right) = buffers.split();
                let gate = group_sums((x, chunks.clone()), (gate, group), tiles, left);
                let up = group_sums((x, chunks), (up, group), tiles, right);
                let both = gate.as_chunks::<GROUP>().0.iter().zip(up.as_chunks::<GROUP>().0);
                for (i, (gate, up)) in both.take(rows).enumerate() {
                    let mut values = [0f32; GROUP];
                    swiglu_forward(gate, up, &mut values);
                    // SAFETY: these rows and columns belong to this piece alone.
                    unsafe { out.write(first + i, group * GROUP, &values) };
                }
            }
        }
    }
}

/// All groups of all sinks, for all rows, in pieces over the threads.
fn run(x: &Activations, sinks: &[Sink<'_>]) {
    let chunks = x.layout().chunks();
    let groups: usize = sinks.iter().map(Sink::groups).sum();
    if chunks == 0 || groups == 0 {
        return;
    }
    let work: usize = sinks.iter().map(|sink| sink.work(x)).sum();
    let threads = if work < SMALL {
        1
    } else {
        rayon::current_num_threads()
    };
    // Blocks of rows of about one length that stay in half of an L2 cache while the weights pass.
    let most = (isa_cache(x.isa()) / (CHUNK * x.inputs())).clamp(2, 16);
    let block = chunks.div_ceil(chunks.div_ceil(most));
    let blocks = chunks.div_ceil(block);
    let parts = if threads == 1 {
        1
    } else {
        (PIECES * threads).div_ceil(blocks)
    };
    let share = groups.div_ceil(parts);
    let parts = groups.div_ceil(share);
    let piece = |index: usize| {
        let (part, rows) = (index % parts, index / parts * block);
        let rows = rows..(rows + block).min(chunks);
        // SAFETY: `Activations` exist only for sets that this machine has (in tests, or that a handler stands in for), and
        // a thread works on one piece at a time.
        let tiles =
            (x.isa() == Isa::Amx && x.is_narrow()).then(|| unsafe { Tiles::new(x.rows().min(AMX_ROWS)) });
        let mut buffers = Buffers {
            tiles,
            sides: Default::default(),
        };
        let mut begin = 0;
        for sink in sinks {
            let own = begin..begin + sink.groups();
            let first = own.start.max(part * share);
            let last = own.end.min((part + 1) * share);
            for group in first..last {
                sink.compute(x, rows.clone(), group - own.start, &mut buffers);
            }
            begin = own.end;
        }
    };
    if threads == 1 {
        (0..parts * blocks).for_each(piece);
    } else {
        (0..parts * blocks)
            .into_par_iter()
            .with_max_len(1)
            .for_each(piece);
    }
}

/// Elements of `bf16` that a block of rows may take of the nearest large cache.
fn isa_cache(isa: Isa) -> usize {
    match isa {
        Isa::Amx => 1 << 19,
        _ => 1 << 18,
    }
}

/// What a thread works in.
struct Buffers {
    /// For AMX alone.
    tiles: Option<Tiles>,
    sides: [Side; 2],
}

impl Buffers {
    fn split(&mut self) -> (Option<&Tiles>, &mut Side, &mut Side) {
        let [left, right] = &mut self.sides;
        (self.tiles.as_ref(), left, right)
    }
}

#[derive(Default)]
struct Side {
    /// `[row, GROUP]`.
    sums: Vec<f32>,
    strips: Option<Box<Strips>>,
}

/// A strip of each panel of a group.
struct Strips {
    wide: [f32; STRIP * PANEL],
    narrow: [[u16; STRIP * PANEL]; 2],
}

impl Default for Strips {
    fn default() -> Self {
        Self {
            wide: [0.0; STRIP * PANEL],
            narrow: [[0; STRIP * PANEL]; 2],
        }
    }
}

/// Sums of a group of columns over all inputs, `[row, GROUP]`, for the rows of some chunks.
fn group_sums<'s>(
    (x, chunks): (&Activations, Range<usize>),
    (weight, group): (&PackedMatrix, usize),
    tiles: Option<&Tiles>,
    side: &'s mut Side,
) -> &'s [f32] {
    let first = group * GROUP / PANEL;
    let panels = first..(first + GROUP / PANEL).min(weight.panel_count());
    if panels.len() == 1 {
        // The missing panel's columns are zeros where a product's left side is written to its whole width.
        side.sums.clear();
    }
    side.sums.resize(chunks.len() * CHUNK * GROUP, 0.0);
    let strips = &mut side.strips;
    match x.form(weight.format()) {
        Form::F32 => wide_sums((x, chunks), (weight, panels), strips, &mut side.sums),
        Form::Bytes => byte_sums((x, chunks), (weight, panels), &mut side.sums),
        Form::Bf16 => narrow_sums((x, chunks), (weight, panels), tiles, strips, &mut side.sums),
    }
    &side.sums
}

fn byte_sums(
    (x, chunks): (&Activations, Range<usize>),
    (weight, panels): (&PackedMatrix, Range<usize>),
    sums: &mut [f32],
) {
    let both = [panels.start, panels.end - 1].map(|panel| weight.in_bytes(panel));
    for (chunk, sums) in chunks.zip(sums.chunks_exact_mut(CHUNK * GROUP)) {
        let (x, count) = ((x, chunk), panels.len());
        match both {
            [InBytes::Q8_0(left), InBytes::Q8_0(right)] => byte_rows(x, [left, right], count, sums),
            [InBytes::Q4K(left), InBytes::Q4K(right)] => byte_rows(x, [left, right], count, sums),
            [InBytes::Q6K(left), InBytes::Q6K(right)] => byte_rows(x, [left, right], count, sums),
            _ => unreachable!("a matrix has one format. This is a bug."),
        }
    }
}

/// A chunk's rows times the first `count` of two panels.
fn byte_rows<W: BytePanel>((x, chunk): (&Activations, usize), both: [W; 2], count: usize, out: &mut [f32]) {
    let (left, blocks, stride) = (x.blocks(chunk), x.inputs() / BLOCK, GROUP);
    let m = x.layout().chunk_rows(chunk);
    if count == 2 {
        let job = ByteJob {
            left,
            blocks,
            panels: both,
            out,
            stride,
        };
        rows_int8(x.isa(), m, job);
    } else {
        let job = ByteJob {
            left,
            blocks,
            panels: [both[0]],
            out,
            stride,
        };
        rows_int8(x.isa(), m, job);
    }
}

fn wide_sums(
    (x, chunks): (&Activations, Range<usize>),
    (weight, panels): (&PackedMatrix, Range<usize>),
    strips: &mut Option<Box<Strips>>,
    sums: &mut [f32],
) {
    let k = x.inputs();
    let height = x.isa().tile_rows();
    let strips = strips.get_or_insert_default();
    for (p, panel) in panels.enumerate() {
        for start in (0..k).step_by(STRIP) {
            let count = STRIP.min(k - start);
            let strip = weight.widen(panel, start, count, &mut strips.wide);
            for (chunk, sums) in chunks.clone().zip(sums.chunks_exact_mut(CHUNK * GROUP)) {
                let tiles = x.wide(chunk, start, count).chunks(height * count);
                for (left_km, sums) in tiles.zip(sums.chunks_mut(height * GROUP)) {
                    let job = Tile {
                        left_km,
                        panel: strip,
                        out: &mut sums[p * PANEL..],
                        stride: GROUP,
                        columns: PANEL,
                        fresh: start == 0,
                    };
                    tile(x.isa(), left_km.len() / count, job);
                }
            }
        }
    }
}

fn narrow_sums(
    (x, chunks): (&Activations, Range<usize>),
    (weight, panels): (&PackedMatrix, Range<usize>),
    tiles: Option<&Tiles>,
    strips: &mut Option<Box<Strips>>,
    sums: &mut [f32],
) {
    let k = x.inputs();
    // Stored pairs are read in one go as far as the left side lies in one strip.
    let length = if weight.is_in_pairs() {
        x.layout().strip()
    } else {
        STRIP
    };
    for start in (0..k).step_by(length) {
        let count = length.min(k - start);
        let narrowed;
        let [left, right] = if weight.is_in_pairs() {
            [panels.start, panels.end - 1].map(|panel| weight.pairs(panel, start, count))
        } else {
            let Strips { wide, narrow, .. } = &mut **strips.get_or_insert_default();
            let mut panels = panels.clone();
            narrowed = narrow.each_mut().map(|narrow| {
                panels.next().map_or(&[][..], |panel| {
                    weight.narrow(panel, start, count, (wide, narrow))
                })
            });
            narrowed
        };
        for (chunk, sums) in chunks.clone().zip(sums.chunks_exact_mut(CHUNK * GROUP)) {
            let (rows, left_stride) = x.narrow(chunk, start);
            let m = x.layout().tile_rows(chunk);
            #[cfg(not(target_arch = "x86_64"))]
            let _ = tiles;
            #[cfg(target_arch = "x86_64")]
            if let Some(tiles) = tiles {
                let job = AmxJob {
                    left: rows,
                    left_stride,
                    k: count,
                    panels: [left, if panels.len() == 2 { right } else { &[] }],
                    sums,
                    fresh: start == 0,
                };
                tiles.product(m, job);
                continue;
            }
            let job = Bf16Job {
                left: rows,
                left_stride,
                k: count.next_multiple_of(2),
                panels: [left, right],
                out: sums,
                stride: GROUP,
                columns: GROUP,
                fresh: start == 0,
            };
            if panels.len() == 2 {
                rows_bf16(x.isa(), m, job);
            } else {
                rows_bf16(x.isa(), m, job.first_panel());
            }
        }
    }
}
