//! The left side of products, converted once and read by any number of them.
//!
//! Rows lie in chunks of 96, a chunk in strips of inputs, so that what an inner loop reads lies together: `bf16`
//! as `[chunk, strip, row, input]`, blocks of bytes as `[row, block]`; `f32` as `[chunk, strip, tile, input, row of the tile]`.

use rayon::prelude::*;

use crate::isa::{Isa, Numerics};
use crate::packed::{BLOCK, Format, STRIP};
use crate::tile::pack_rows;
use crate::tile_bf16::row_to_bf16;
use crate::tile_int8::Block;

/// Rows that lie together: a multiple of every tile's height.
pub(crate) const CHUNK: usize = 96;
/// Inputs of a tile of AMX, and of a group of columns that a product may write: `bf16` rows end on a multiple of it.
pub(crate) const GROUP: usize = 32;
/// Rows of a tile of AMX.
pub(crate) const AMX_ROWS: usize = 16;
/// At most so many rows are kept in one strip, whatever their length: one tile reads each of them from end to end.
const FEW: usize = 12;
/// Elements below which waking another thread costs more than it saves.
const SMALL: usize = 1 << 16;

/// In which number format a product takes its left side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    F32,
    Bf16,
    Bytes,
}

impl Form {
    /// A choice by set and format alone, never by the number of rows, lest a row depend on its neighbours.
    pub(crate) fn of(isa: Isa, numerics: Numerics, format: Format) -> Self {
        let bytes = matches!(format, Format::Q8_0 | Format::Q4K | Format::Q6K);
        match numerics {
            Numerics::Native if isa.has_byte_products() && bytes => Self::Bytes,
            Numerics::Native if isa.has_bf16() && (bytes || format == Format::Bf16) => Self::Bf16,
            _ => Self::F32,
        }
    }
}

/// Rows of activations, `[m, k]`, in the form in which products read them. The buffers are kept from one use to the next.
#[derive(Clone, Debug)]
pub struct Activations {
    isa: Isa,
    numerics: Numerics,
    rows: usize,
    inputs: usize,
    /// Whether the form is kept, and its elements.
    wide: Option<Vec<f32>>,
    narrow: Option<Vec<u16>>,
    /// `[row, block]`.
    blocks: Option<Vec<Block>>,
}

impl Activations {
    /// None yet, for products with weights in these formats.
    ///
    /// # Panics
    /// When this machine lacks the instruction set.
    pub fn new(isa: Isa, numerics: Numerics, formats: &[Format]) -> Self {
        assert!(isa.is_available(), "this machine has no {}", isa.name());
        Self::unchecked(isa, numerics, formats)
    }

    /// Without the question whether the machine has the set: tests emulate what it lacks.
    pub(crate) fn unchecked(isa: Isa, numerics: Numerics, formats: &[Format]) -> Self {
        let needs = |form| {
            formats
                .iter()
                .any(|&format| Form::of(isa, numerics, format) == form)
        };
        Self {
            isa,
            numerics,
            rows: 0,
            inputs: 0,
            wide: needs(Form::F32).then(Vec::new),
            narrow: needs(Form::Bf16).then(Vec::new),
            blocks: needs(Form::Bytes).then(Vec::new),
        }
    }

    /// Takes the rows of `x`, `[m, k]`, in place of what was held.
    ///
    /// # Panics
    /// When `k` is 0 or the length is no multiple of it.
    pub fn set(&mut self, x: &[f32], k: usize) {
        assert!(
            k > 0 && x.len().is_multiple_of(k),
            "activations: rows of {k} expected, got {} elements",
            x.len()
        );
        self.fill(x.len() / k, k, |row, out| {
            out.copy_from_slice(&x[row * k..][..k]);
        });
    }

    /// Takes `m` rows of `k` values in place of what was held; `row(i, out)` writes row `i` into `out`, which holds
    /// anything before. Rows are asked for once each, on the threads of the current rayon pool: a normalisation need
    /// not be written out before its product.
    ///
    /// # Panics
    /// When `k` is 0 or the size overflows.
    pub fn fill(&mut self, m: usize, k: usize, row: impl Fn(usize, &mut [f32]) + Sync) {
        self.resize(m, k);
        let layout = self.layout();
        let chunk = |index: usize, wide: &mut [f32], narrow: &mut [u16], blocks: &mut [Block]| {
            layout.fill(index, (wide, narrow, blocks), &row);
        };
        let width = layout.narrow_width();
        let mut wide: Vec<&mut [f32]> = parts(&mut self.wide, CHUNK * k, layout.chunks());
        let mut narrow: Vec<&mut [u16]> = parts(&mut self.narrow, CHUNK * width, layout.chunks());
        let mut blocks: Vec<&mut [Block]> = parts(&mut self.blocks, CHUNK * width / BLOCK, layout.chunks());
        if m * k < SMALL || layout.chunks() == 1 {
            let all = wide.iter_mut().zip(&mut narrow).zip(&mut blocks);
            for (index, ((wide, narrow), blocks)) in all.enumerate() {
                chunk(index, wide, narrow, blocks);
            }
        } else {
            wide.par_iter_mut()
                .zip(&mut narrow)
                .zip(&mut blocks)
                .enumerate()
                .for_each(|(index, ((wide, narrow), blocks))| chunk(index, wide, narrow, blocks));
        }
    }

    /// Makes room for `m` rows of `k`, with any values.
    pub(crate) fn resize(&mut self, m: usize, k: usize) {
        assert!(k > 0, "activations: rows of at least one element expected");
        let elements = |width: usize| m.checked_mul(width).expect("activations: the size overflows");
        (self.rows, self.inputs) = (m, k);
        let layout = self.layout();
        let width = layout.narrow_width();
        if let Some(wide) = &mut self.wide {
            wide.resize(elements(k), 0.0);
        }
        if let Some(narrow) = &mut self.narrow {
            let padding: usize = (0..layout.chunks())
                .map(|chunk| layout.tile_rows(chunk) - layout.chunk_rows(chunk))
                .sum();
            narrow.resize(elements(width) + padding * width, 0);
        }
        if let Some(blocks) = &mut self.blocks {
            blocks.resize(elements(width) / BLOCK, Block::default());
        }
    }

    /// Rows `m`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns `k`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The instruction set of their products.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The arithmetic of their products.
    pub fn numerics(&self) -> Numerics {
        self.numerics
    }

    /// Whether `bf16` is among the forms.
    pub(crate) fn is_narrow(&self) -> bool {
        self.narrow.is_some()
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout {
            isa: self.isa,
            rows: self.rows,
            inputs: self.inputs,
            strip: if self.rows <= FEW {
                self.inputs.next_multiple_of(GROUP)
            } else {
                narrow_strip(self.isa)
            },
        }
    }

    /// The form for weights in a format.
    ///
    /// # Panics
    /// When it was not asked for at the beginning.
    pub(crate) fn form(&self, format: Format) -> Form {
        let form = Form::of(self.isa, self.numerics, format);
        let kept = match form {
            Form::F32 => self.wide.is_some(),
            Form::Bf16 => self.narrow.is_some(),
            Form::Bytes => self.blocks.is_some(),
        };
        assert!(kept, "activations made for weights in {format:?} expected");
        form
    }

    /// A chunk's rows of a strip that begins at input `start`, in `f32`: tiles `[input, row]`.
    pub(crate) fn wide(&self, chunk: usize, start: usize, count: usize) -> &[f32] {
        let rows = self.layout().chunk_rows(chunk);
        let wide = self.wide.as_deref().unwrap_or_default();
        &wide[chunk * CHUNK * self.inputs + start * rows..][..count * rows]
    }

    /// A chunk's rows from input `start` on, in `bf16`, and how far apart they lie. `start` and the inputs that are read
    /// must be in one strip.
    pub(crate) fn narrow(&self, chunk: usize, start: usize) -> (&[u16], usize) {
        let layout = self.layout();
        let begin = start / layout.strip * layout.strip;
        let (offset, length) = layout.narrow_strip(chunk, begin);
        let narrow = self.narrow.as_deref().unwrap_or_default();
        let strip = &narrow[offset..][..length * layout.tile_rows(chunk)];
        (&strip[start - begin..], length)
    }

    /// A chunk's rows in blocks of bytes, `[row, block]`.
    pub(crate) fn blocks(&self, chunk: usize) -> &[Block] {
        let layout = self.layout();
        let width = layout.narrow_width() / BLOCK;
        let blocks = self.blocks.as_deref().unwrap_or_default();
        &blocks[chunk * CHUNK * width..][..layout.chunk_rows(chunk) * width]
    }

    /// Where products may put rows of their own.
    pub(crate) fn places(&mut self) -> Places<'_> {
        Places {
            layout: self.layout(),
            wide: self.wide.as_deref_mut().map(<[f32]>::as_mut_ptr),
            narrow: self.narrow.as_deref_mut().map(<[u16]>::as_mut_ptr),
            blocks: self.blocks.as_deref_mut().map(<[Block]>::as_mut_ptr),
            life: std::marker::PhantomData,
        }
    }
}

/// Slices of a chunk each, or as many empty ones.
fn parts<T>(kept: &mut Option<Vec<T>>, length: usize, chunks: usize) -> Vec<&mut [T]> {
    match kept {
        Some(values) => values.chunks_mut(length).collect(),
        None => (0..chunks).map(|_| <&mut [T]>::default()).collect(),
    }
}

/// Inputs of a strip of `bf16`: a multiple of [`STRIP`]. Tiles are loaded and stored once for each strip, which longer
/// ones make up for.
fn narrow_strip(isa: Isa) -> usize {
    match isa {
        Isa::Amx => 2 * STRIP,
        _ => STRIP,
    }
}

/// Where each element lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    isa: Isa,
    rows: usize,
    inputs: usize,
    /// Inputs of a strip of `bf16`; strips of `f32` are of [`STRIP`].
    strip: usize,
}

impl Layout {
    pub(crate) fn chunks(self) -> usize {
        self.rows.div_ceil(CHUNK)
    }

    pub(crate) fn chunk_rows(self, chunk: usize) -> usize {
        CHUNK.min(self.rows - chunk * CHUNK)
    }

    /// Rows of a chunk in `bf16`: whole tiles, unless there is one alone.
    pub(crate) fn tile_rows(self, chunk: usize) -> usize {
        let rows = self.chunk_rows(chunk);
        if self.isa == Isa::Amx && self.rows > AMX_ROWS {
            rows.next_multiple_of(AMX_ROWS)
        } else {
            rows
        }
    }

    /// Inputs of a strip of `bf16`.
    pub(crate) fn strip(self) -> usize {
        self.strip
    }

    /// Elements of a row of `bf16`, zeros at its end included.
    fn narrow_width(self) -> usize {
        self.inputs.next_multiple_of(GROUP)
    }

    /// Offset and row length of the strip of `bf16` that begins at input `start`.
    fn narrow_strip(self, chunk: usize, start: usize) -> (usize, usize) {
        let length = self.strip.min(self.narrow_width() - start);
        (
            chunk * CHUNK * self.narrow_width() + start * self.tile_rows(chunk),
            length,
        )
    }

    fn fill(
        self,
        chunk: usize,
        (wide, narrow, blocks): (&mut [f32], &mut [u16], &mut [Block]),
        row: &(impl Fn(usize, &mut [f32]) + Sync),
    ) {
        let (k, rows) = (self.inputs, self.chunk_rows(chunk));
        let mut values = vec![0f32; if wide.is_empty() { k } else { rows * k }];
        let base = chunk * CHUNK * self.narrow_width();
        for i in 0..rows {
            let values = if wide.is_empty() {
                &mut values[..]
            } else {
                &mut values[i * k..][..k]
            };
            row(chunk * CHUNK + i, values);
            if !blocks.is_empty() {
                let width = self.narrow_width() / BLOCK;
                for (block, values) in blocks[i * width..][..width].iter_mut().zip(values.chunks(BLOCK)) {
                    let mut whole = [0f32; BLOCK];
                    whole[..values.len()].copy_from_slice(values);
                    *block = Block::of(&whole);
                }
            }
            if narrow.is_empty() {
                continue;
            }
            for start in (0..self.narrow_width()).step_by(self.strip) {
                let (offset, length) = self.narrow_strip(chunk, start);
                let place = &mut narrow[offset - base + i * length..][..length];
                let (place, padding) = place.split_at_mut(length.min(k - start));
                row_to_bf16(self.isa, &values[start..][..place.len()], place);
                padding.fill(0);
            }
        }
        if !wide.is_empty() {
            let mut packed = Vec::new();
            for start in (0..k).step_by(STRIP) {
                let count = STRIP.min(k - start);
                pack_rows(
                    &values[start..],
                    rows,
                    count,
                    k,
                    self.isa.tile_rows(),
                    &mut packed,
                );
                wide[start * rows..][..count * rows].copy_from_slice(&packed);
            }
        }
    }
}

/// The elements of [`Activations`], to be written by several threads, each its own.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    layout: Layout,
    wide: Option<*mut f32>,
    narrow: Option<*mut u16>,
    blocks: Option<*mut Block>,
    life: std::marker::PhantomData<&'a mut ()>,
}

// SAFETY: plain memory of plain numbers; `write` demands that no two threads write the same element.
unsafe impl Send for Places<'_> {}
// SAFETY: as above.
unsafe impl Sync for Places<'_> {}

impl Places<'_> {
    /// Writes a row's columns from `column` on, a multiple of [`GROUP`].
    ///
    /// # Safety
    /// No other thread writes or reads these columns of this row meanwhile.
    ///
    /// # Panics
    /// When the row or the columns do not exist.
    pub(crate) unsafe fn write(&self, row: usize, column: usize, values: &[f32; GROUP]) {
        let layout = self.layout;
        let (k, chunk, i) = (layout.inputs, row / CHUNK, row % CHUNK);
        assert!(
            row < layout.rows && column < k && column.is_multiple_of(GROUP),
            "row {row}, column {column} of [{}, {k}]",
            layout.rows
        );
        let rows = layout.chunk_rows(chunk);
        if let Some(narrow) = self.narrow {
            let begin = column / layout.strip * layout.strip;
            let (offset, length) = layout.narrow_strip(chunk, begin);
            let place = offset + i * length + column - begin;
            // SAFETY: rows end on a multiple of `GROUP`, so that the place has as many elements; they are ours alone by
            // the contract above.
            let place = unsafe { std::slice::from_raw_parts_mut(narrow.add(place), GROUP) };
            row_to_bf16(layout.isa, values, place);
        }
        if let Some(blocks) = self.blocks {
            let place = (row * layout.narrow_width() + column) / BLOCK;
            // SAFETY: a group is a block, `[row, block]`; it is ours alone by the contract above.
            unsafe { blocks.add(place).write(Block::of(values)) };
        }
        if let Some(wide) = self.wide {
            let height = layout.isa.tile_rows();
            let (begin, tile) = (column / STRIP * STRIP, i / height);
            let (count, width) = (STRIP.min(k - begin), height.min(rows - tile * height));
            let first = chunk * CHUNK * k + begin * rows + tile * height * count + i % height;
            for (j, &value) in values.iter().take(k - column).enumerate() {
                // SAFETY: element `[chunk, strip, tile, input, row]` of the layout at the top of the file.
                unsafe { wide.add(first + (column - begin + j) * width).write(value) };
            }
        }
    }
}
