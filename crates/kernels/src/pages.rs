//! Keys and values in pages, already in the panels that products read.
//!
//! A page holds [`PAGE`] tokens, layer after layer and head after head: keys as `[PAGE / 16, d, 16]`, then values as
//! `[d / 16, PAGE, 16]`. In `bf16` two inputs of a product lie side by side: keys `[PAGE / 16, d / 2, 16, 2]`, values
//! `[d / 16, PAGE / 2, 16, 2]`. Where `d` is not a multiple of what a layout counts in, zeros fill the rest.

use crate::isa::{Isa, Numerics};
use crate::tile::PANEL;
use crate::tile_bf16::row_to_bf16;

/// Tokens of a page.
pub const PAGE: usize = 64;

/// The form of the heads of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvShape {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Elements of one head, `d`.
    pub head_dim: usize,
}

/// In which numbers keys and values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KvFormat {
    /// 4 bytes each, as they were computed.
    F32,
    /// 2 bytes each, rounded. Queries and probabilities are rounded too, sums are in `f32`.
    Bf16,
}

/// Keys and values of [`PAGE`] tokens in all layers of a model.
#[derive(Clone, Debug)]
pub struct Page {
    shape: KvShape,
    cells: Cells,
}

#[derive(Clone, Debug)]
enum Cells {
    F32(Vec<f32>),
    Bf16(Vec<u16>),
}

/// One layer of a page.
#[derive(Clone, Copy, Debug)]
pub struct PageRef<'a> {
    pub(crate) shape: KvShape,
    pub(crate) cells: CellsRef<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum CellsRef<'a> {
    F32(&'a [f32]),
    Bf16(&'a [u16]),
}

/// One layer of a page, to write to.
#[derive(Debug)]
pub struct PageMut<'a> {
    shape: KvShape,
    cells: CellsMut<'a>,
}

#[derive(Debug)]
enum CellsMut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [u16]),
}

impl KvFormat {
    /// What an instruction set computes with: [`Numerics::Native`] is `bf16` where the set multiplies it.
    pub fn of(isa: Isa, numerics: Numerics) -> Self {
        if numerics == Numerics::Native && isa.has_bf16() {
            Self::Bf16
        } else {
            Self::F32
        }
    }

    /// Bytes of an element.
    pub fn element_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// Elements of the keys and of the values of one head of a page.
    fn head_len(self, d: usize) -> (usize, usize) {
        let inputs = match self {
            Self::F32 => d,
            Self::Bf16 => d.next_multiple_of(2),
        };
        (PAGE * inputs, PAGE * d.next_multiple_of(PANEL))
    }

    fn layer_len(self, shape: KvShape) -> usize {
        let (keys, values) = self.head_len(shape.head_dim);
        shape.kv_heads * (keys + values)
    }
}

impl Page {
    /// A page of zeros.
    ///
    /// # Panics
    /// When the size overflows.
    pub fn new(shape: KvShape, format: KvFormat, layers: usize) -> Self {
        let len = format
            .layer_len(shape)
            .checked_mul(layers)
            .expect("a page: the size overflows");
        let cells = match format {
            KvFormat::F32 => Cells::F32(vec![0.0; len]),
            KvFormat::Bf16 => Cells::Bf16(vec![0; len]),
        };
        Self { shape, cells }
    }

    /// Bytes of memory that such a page takes.
    pub fn bytes_of(shape: KvShape, format: KvFormat, layers: usize) -> usize {
        format.layer_len(shape) * layers * format.element_bytes()
    }

    /// In which numbers it is kept.
    pub fn format(&self) -> KvFormat {
        match self.cells {
            Cells::F32(_) => KvFormat::F32,
            Cells::Bf16(_) => KvFormat::Bf16,
        }
    }

    /// One layer.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn layer(&self, layer: usize) -> PageRef<'_> {
        let len = self.format().layer_len(self.shape);
        PageRef {
            shape: self.shape,
            cells: match &self.cells {
                Cells::F32(cells) => CellsRef::F32(&cells[layer * len..][..len]),
                Cells::Bf16(cells) => CellsRef::Bf16(&cells[layer * len..][..len]),
            },
        }
    }

    /// One layer, to write to.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn layer_mut(&mut self, layer: usize) -> PageMut<'_> {
        let len = self.format().layer_len(self.shape);
        PageMut {
            shape: self.shape,
            cells: match &mut self.cells {
                Cells::F32(cells) => CellsMut::F32(&mut cells[layer * len..][..len]),
                Cells::Bf16(cells) => CellsMut::Bf16(&mut cells[layer * len..][..len]),
            },
        }
    }
}

impl PageRef<'_> {
    /// In which numbers it is kept.
    pub fn format(&self) -> KvFormat {
        match self.cells {
            CellsRef::F32(_) => KvFormat::F32,
            CellsRef::Bf16(_) => KvFormat::Bf16,
        }
    }
}

/// Keys and values of one head of a layer of a page.
pub(crate) fn head<T>(cells: &[T], format: KvFormat, d: usize, head: usize) -> (&[T], &[T]) {
    let (keys, values) = format.head_len(d);
    cells[head * (keys + values)..(head + 1) * (keys + values)].split_at(keys)
}

impl PageMut<'_> {
    pub(crate) fn shape(&self) -> KvShape {
        self.shape
    }

    /// Writes a token's key and value, both `[kv_heads, d]`, into place `slot`.
    ///
    /// # Panics
    /// When the slot is not on the page or a length does not fit.
    pub fn write(&mut self, slot: usize, key: &[f32], value: &[f32]) {
        let KvShape {
            kv_heads,
            head_dim: d,
            ..
        } = self.shape;
        assert!(
            key.len() == kv_heads * d && value.len() == key.len(),
            "a page: keys and values of {} elements expected, got {} and {}",
            kv_heads * d,
            key.len(),
            value.len()
        );
        for (head, (key, value)) in key.chunks_exact(d).zip(value.chunks_exact(d)).enumerate() {
            self.write_head(slot, head, key, value);
        }
    }

    /// As [`PageMut::write`], of one head.
    pub(crate) fn write_head(&mut self, slot: usize, head: usize, key: &[f32], value: &[f32]) {
        assert!(slot < PAGE, "slot {slot} of a page of {PAGE}");
        let d = self.shape.head_dim;
        match &mut self.cells {
            CellsMut::F32(cells) => {
                let (len, both) = lengths(KvFormat::F32, d);
                let (keys, values) = cells[head * both..][..both].split_at_mut(len);
                let panel = &mut keys[slot / PANEL * d * PANEL + slot % PANEL..];
                for (place, &element) in panel.iter_mut().step_by(PANEL).zip(key) {
                    *place = element;
                }
                for (panel, elements) in values.chunks_exact_mut(PAGE * PANEL).zip(value.chunks(PANEL)) {
                    panel[slot * PANEL..][..elements.len()].copy_from_slice(elements);
                }
            }
            CellsMut::Bf16(cells) => {
                let (len, both) = lengths(KvFormat::Bf16, d);
                let (keys, values) = cells[head * both..][..both].split_at_mut(len);
                let panel = &mut keys[slot / PANEL * (len / PAGE) * PANEL..][..len / PAGE * PANEL];
                let isa = Isa::active();
                // Rounded in vectors first: the places are too far apart for that.
                let mut narrow = [0u16; 2 * PANEL];
                for (places, elements) in panel.chunks_mut(2 * PANEL * PANEL).zip(key.chunks(2 * PANEL)) {
                    narrow.fill(0);
                    row_to_bf16(isa, elements, &mut narrow[..elements.len()]);
                    let places = places.as_chunks_mut::<{ 2 * PANEL }>().0.iter_mut();
                    for (place, pair) in places.zip(narrow.as_chunks::<2>().0) {
                        place[slot % PANEL * 2..][..2].copy_from_slice(pair);
                    }
                }
                for (panel, elements) in values.chunks_exact_mut(PAGE * PANEL).zip(value.chunks(PANEL)) {
                    row_to_bf16(isa, elements, &mut narrow[..elements.len()]);
                    let pair = &mut panel[slot / 2 * 2 * PANEL..][..2 * PANEL];
                    let places = pair.as_chunks_mut::<2>().0.iter_mut();
                    for (place, &element) in places.zip(&narrow[..elements.len()]) {
                        place[slot % 2] = element;
                    }
                }
            }
        }
    }
}

/// Elements of a head's keys, and of its keys and values.
fn lengths(format: KvFormat, d: usize) -> (usize, usize) {
    let (keys, values) = format.head_len(d);
    (keys, keys + values)
}
