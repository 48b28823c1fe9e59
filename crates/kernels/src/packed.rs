//! Weights in the order in which products read them, in the number format of their file.
//!
//! A matrix `[n, k]` (outputs, inputs) becomes panels of sixteen outputs; inside a panel, input after input, the
//! sixteen weights of an input lie side by side. In `bf16` two inputs go together, `[k / 2, 16, 2]`, as products of
//! `bf16` take them (see `tile_bf16.rs`). Products widen a strip of a panel to `f32`, or narrow it to `bf16`, right
//! before they use it, while it is in the nearest cache. Narrow formats therefore save memory and bandwidth: in `f32`
//! each value is the one that the format's reference gives.

use rayon::prelude::*;

use crate::narrow;
use crate::tile::PANEL;
use crate::tile_int8::{Q4Panel, Q6Panel, Q8Panel};
use crate::widen::{self, Q4K, Q6K};

/// Inputs that are widened at once: a strip of `f32` fills half of a 32 KiB cache. A multiple of every block length.
pub(crate) const STRIP: usize = 256;

/// Inputs that share a scale in [`Format::Q8_0`].
pub(crate) const BLOCK: usize = 32;
/// Inputs of a super-block of the K formats.
pub(crate) const SUPER: usize = 256;

/// A number format of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 4 bytes each.
    F32,
    /// 2 bytes each: 5 bits of exponent.
    F16,
    /// 2 bytes each: the upper half of an `f32`.
    Bf16,
    /// Blocks of 32 signed bytes with an `f16` scale.
    Q8_0,
    /// Super-blocks of 256: 4 bits each, with a scale and a minimum of 6 bits for every 32.
    Q4K,
    /// Super-blocks of 256: 6 bits each, with a scale of 8 bits for every 16.
    Q6K,
}

/// A matrix of weights, `[n, k]`, in panels.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    outputs: usize,
    inputs: usize,
    panels: Panels,
}

#[derive(Clone, Debug)]
enum Panels {
    F32(Vec<f32>),
    F16(Vec<u16>),
    /// `[panel, k / 2, PANEL, 2]`, an odd `k` made even by a zero.
    Bf16(Vec<u16>),
    Q8_0 {
        /// `[panel, k / 4, PANEL, 4]`.
        quants: Vec<i8>,
        /// `[panel, k / BLOCK, PANEL]`, `f16`.
        scales: Vec<u16>,
    },
    Q4K(Q4K),
    Q6K(Q6K),
}

/// A panel of the formats whose weights are multiplied as bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InBytes<'a> {
    Q8_0(Q8Panel<'a>),
    Q4K(Q4Panel<'a>),
    Q6K(Q6Panel<'a>),
}

/// Why bytes are not a matrix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a matrix of {outputs} x {inputs} in {format:?}: {reason}")]
pub struct PackError {
    outputs: usize,
    inputs: usize,
    format: Format,
    reason: String,
}

impl Format {
    /// The name by which the field knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Bytes of a row of `k` weights as files hold it; `None` when `k` is not a multiple of the block or overflows.
    pub fn row_bytes(self, k: usize) -> Option<usize> {
        match self {
            Self::F32 => k.checked_mul(4),
            Self::F16 | Self::Bf16 => k.checked_mul(2),
            Self::Q8_0 => (k.is_multiple_of(BLOCK)).then(|| k / BLOCK * (BLOCK + 2)),
            Self::Q4K => k.is_multiple_of(SUPER).then(|| k / SUPER * widen::Q4K_BYTES),
            Self::Q6K => k.is_multiple_of(SUPER).then(|| k / SUPER * widen::Q6K_BYTES),
        }
    }
}

impl PackedMatrix {
    /// Packs rows as files hold them, little-endian, one after the other.
    ///
    /// # Errors
    /// When a length does not fit the shape, the format cannot hold rows of `inputs` weights, or an `f16` is not finite.
    pub fn new(format: Format, outputs: usize, inputs: usize, bytes: &[u8]) -> Result<Self, PackError> {
        let refuse = |reason: String| PackError {
            outputs,
            inputs,
            format,
            reason,
        };
        let row_bytes = format
            .row_bytes(inputs)
            .filter(|&bytes| bytes > 0)
            .ok_or_else(|| refuse("rows of this length cannot be stored".to_owned()))?;
        if outputs.checked_mul(row_bytes) != Some(bytes.len()) {
            return Err(refuse(format!(
                "{outputs} rows of {row_bytes} bytes expected, got {} bytes",
                bytes.len()
            )));
        }
        let rows: Vec<&[u8]> = bytes.chunks_exact(row_bytes).collect();
        let panels = Panels::pack(format, inputs, &rows);
        if panels.has_special_f16() {
            return Err(refuse("an f16 in it is infinite or not a number".to_owned()));
        }
        Ok(Self {
            outputs,
            inputs,
            panels,
        })
    }

    /// Rows `n`.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns `k`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number format.
    pub fn format(&self) -> Format {
        match &self.panels {
            Panels::F32(_) => Format::F32,
            Panels::F16(_) => Format::F16,
            Panels::Bf16(_) => Format::Bf16,
            Panels::Q8_0 { .. } => Format::Q8_0,
            Panels::Q4K(_) => Format::Q4K,
            Panels::Q6K(_) => Format::Q6K,
        }
    }

    /// Bytes of memory that the weights take.
    pub fn bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(values) => size_of_val(values.as_slice()),
            Panels::F16(values) | Panels::Bf16(values) => size_of_val(values.as_slice()),
            Panels::Q8_0 { quants, scales } => quants.len() + size_of_val(scales.as_slice()),
            Panels::Q4K(panels) => panels.bytes(),
            Panels::Q6K(panels) => panels.bytes(),
        }
    }

    /// Writes row `n` as `f32`: the look-up of an embedding.
    ///
    /// # Panics
    /// When there is no such row or `out` is not `k` long.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(
            row < self.outputs && out.len() == self.inputs,
            "row {row} of {} into {}",
            self.outputs,
            out.len()
        );
        let mut strip = [0f32; STRIP * PANEL];
        for (start, out) in (0..self.inputs).step_by(STRIP).zip(out.chunks_mut(STRIP)) {
            let strip = self.widen(row / PANEL, start, out.len(), &mut strip);
            for (value, column) in out.iter_mut().zip(strip[row % PANEL..].iter().step_by(PANEL)) {
                *value = *column;
            }
        }
    }

    /// Some of the rows as a matrix of their own. A product with it has the bits of a product with the whole.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        assert!(
            rows.iter().all(|&row| row < self.outputs),
            "rows below {} expected, got {rows:?}",
            self.outputs
        );
        let panels = match &self.panels {
            Panels::F32(values) => Panels::F32(gather::<1, _>(values, self.outputs, rows)),
            Panels::F16(values) => Panels::F16(gather::<1, _>(values, self.outputs, rows)),
            Panels::Bf16(values) => Panels::Bf16(gather::<2, _>(values, self.outputs, rows)),
            Panels::Q8_0 { quants, scales } => Panels::Q8_0 {
                quants: gather::<4, _>(quants, self.outputs, rows),
                scales: gather::<1, _>(scales, self.outputs, rows),
            },
            Panels::Q4K(panels) => Panels::Q4K(panels.select(self.outputs, rows)),
            Panels::Q6K(panels) => Panels::Q6K(panels.select(self.outputs, rows)),
        };
        Self {
            outputs: rows.len(),
            inputs: self.inputs,
            panels,
        }
    }

    pub(crate) fn panel_count(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// Widens inputs `start..start + count` of a panel into `strip`, and returns the part that was written.
    pub(crate) fn widen<'s>(
        &'s self,
        panel: usize,
        start: usize,
        count: usize,
        strip: &'s mut [f32; STRIP * PANEL],
    ) -> &'s [f32] {
        let range = (panel * self.inputs + start) * PANEL..(panel * self.inputs + start + count) * PANEL;
        // Pairs come whole, an odd last input with its zero.
        let wide = &mut strip[..count.next_multiple_of(2) * PANEL];
        if matches!(self.panels, Panels::Bf16(_)) {
            widen::bf16_pairs(self.pairs(panel, start, count), wide);
            return &wide[..count * PANEL];
        }
        let wide = &mut wide[..count * PANEL];
        match &self.panels {
            Panels::F32(values) => return &values[range],
            Panels::F16(values) => widen::f16(&values[range], wide),
            Panels::Bf16(_) => unreachable!("widened above. This is a bug."),
            Panels::Q8_0 { quants, scales } => {
                let scales = &scales[range.start / BLOCK..range.end / BLOCK];
                widen::q8_0(&quants[range], scales, wide);
            }
            Panels::Q4K(panels) => panels.widen(range, wide),
            Panels::Q6K(panels) => panels.widen(range, wide),
        }
        wide
    }

    /// Narrows inputs `start..start + count` of a panel into `narrow`, `[count / 2, PANEL, 2]`, `start` even and `count`
    /// rounded up to an even number. Returns the part that was written.
    pub(crate) fn narrow<'s>(
        &self,
        panel: usize,
        start: usize,
        count: usize,
        (wide, narrow): (&mut [f32; STRIP * PANEL], &'s mut [u16; STRIP * PANEL]),
    ) -> &'s [u16] {
        let pairs = &mut narrow[..count.next_multiple_of(2) * PANEL];
        if let Panels::Q8_0 { quants, scales } = &self.panels {
            let range = (panel * self.inputs + start) * PANEL..(panel * self.inputs + start + count) * PANEL;
            let scales = &scales[range.start / BLOCK..range.end / BLOCK];
            narrow::q8_0(&quants[range], scales, pairs);
        } else {
            narrow::from_wide(self.widen(panel, start, count, wide), pairs);
        }
        pairs
    }

    /// Whether the weights are stored as products of `bf16` take them.
    pub(crate) fn is_in_pairs(&self) -> bool {
        matches!(self.panels, Panels::Bf16(_))
    }

    /// A panel as products of bytes take it.
    ///
    /// # Panics
    /// When the format has none.
    pub(crate) fn in_bytes(&self, panel: usize) -> InBytes<'_> {
        let (k, length) = (self.inputs, self.inputs * PANEL);
        match &self.panels {
            Panels::Q8_0 { quants, scales } => InBytes::Q8_0(Q8Panel {
                quants: &quants[panel * length..][..length],
                scales: &scales[panel * length / BLOCK..][..length / BLOCK],
            }),
            Panels::Q4K(panels) => InBytes::Q4K(panels.panel(panel, k)),
            Panels::Q6K(panels) => InBytes::Q6K(panels.panel(panel, k)),
            _ => panic!("{:?} has no products of bytes. This is a bug.", self.format()),
        }
    }

    /// What [`Self::narrow`] would give, of weights that are stored so; nothing of any other.
    pub(crate) fn pairs(&self, panel: usize, start: usize, count: usize) -> &[u16] {
        let Panels::Bf16(values) = &self.panels else {
            return &[];
        };
        let even = self.inputs.next_multiple_of(2);
        &values[(panel * even + start) * PANEL..][..count.next_multiple_of(2) * PANEL]
    }
}

impl Panels {
    /// Widening by shifts takes infinities for numbers, so they are kept out.
    fn has_special_f16(&self) -> bool {
        let special = |bits: &[u16]| bits.iter().any(|bits| bits & 0x7c00 == 0x7c00);
        match self {
            Self::F32(_) | Self::Bf16(_) => false,
            Self::F16(bits) | Self::Q8_0 { scales: bits, .. } => special(bits),
            Self::Q4K(panels) => special(&panels.scales) || special(&panels.minima),
            Self::Q6K(panels) => special(&panels.scales),
        }
    }

    fn pack(format: Format, k: usize, rows: &[&[u8]]) -> Self {
        match format {
            Format::F32 => Self::F32(interleave(rows, k, |row, i| {
                f32::from_le_bytes(row[4 * i..4 * i + 4].try_into().expect("4 bytes. This is a bug."))
            })),
            Format::F16 => Self::F16(interleave(rows, k, u16_at)),
            Format::Bf16 => Self::Bf16(
                interleave(rows, k.div_ceil(2), |row, pair| {
                    let second = if 2 * pair + 1 < k {
                        u16_at(row, 2 * pair + 1)
                    } else {
                        0
                    };
                    [u16_at(row, 2 * pair), second]
                })
                .into_flattened(),
            ),
            Format::Q8_0 => {
                let block = BLOCK + 2;
                Self::Q8_0 {
                    quants: interleave(rows, k / 4, |row, quad| {
                        let first = quad * 4 / BLOCK * block + 2 + quad * 4 % BLOCK;
                        std::array::from_fn::<i8, 4, _>(|i| row[first + i].cast_signed())
                    })
                    .into_flattened(),
                    scales: interleave(rows, k / BLOCK, |row, b| {
                        u16::from_le_bytes([row[b * block], row[b * block + 1]])
                    }),
                }
            }
            Format::Q4K => Self::Q4K(Q4K::pack(k, rows)),
            Format::Q6K => Self::Q6K(Q6K::pack(k, rows)),
        }
    }
}

fn u16_at(row: &[u8], i: usize) -> u16 {
    u16::from_le_bytes([row[2 * i], row[2 * i + 1]])
}

/// `[n, count]`, read by `at`, as `[panel, count, PANEL]`; outputs that are missing in the last panel are zero.
pub(crate) fn interleave<T: Copy + Default + Send>(
    rows: &[&[u8]],
    count: usize,
    at: impl Fn(&[u8], usize) -> T + Sync,
) -> Vec<T> {
    let mut packed = vec![T::default(); rows.len().div_ceil(PANEL) * count * PANEL];
    packed
        .par_chunks_exact_mut((count * PANEL).max(1))
        .zip(rows.par_chunks(PANEL))
        .for_each(|(panel, rows)| {
            for (column, row) in rows.iter().enumerate() {
                for (i, slot) in panel[column..].iter_mut().step_by(PANEL).enumerate() {
                    *slot = at(row, i);
                }
            }
        });
    packed
}

/// The columns of some rows, out of panels `[panel, step, PANEL, UNIT]` of `outputs` rows, as panels of their own.
pub(crate) fn gather<const UNIT: usize, T: Copy + Default>(
    values: &[T],
    outputs: usize,
    rows: &[usize],
) -> Vec<T> {
    let units = values.as_chunks::<UNIT>().0;
    let steps = units.len() / (outputs.div_ceil(PANEL) * PANEL).max(1);
    let mut gathered = vec![[T::default(); UNIT]; rows.len().div_ceil(PANEL) * steps * PANEL];
    for (place, &row) in rows.iter().enumerate() {
        let from = units[row / PANEL * steps * PANEL + row % PANEL..]
            .iter()
            .step_by(PANEL);
        let to = gathered[place / PANEL * steps * PANEL + place % PANEL..]
            .iter_mut()
            .step_by(PANEL);
        for (to, from) in to.zip(from).take(steps) {
            *to = *from;
        }
    }
    gathered.into_flattened()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_every_format() {
        let (n, k) = (37, 320);
        let value = |i: usize| ((i * 7919 + 11) % 509) as f32 / 64.0 - 4.0;
        let check = |format: Format, bytes: &[u8], expect: &[f32]| {
            let matrix = PackedMatrix::new(format, n, k, bytes).unwrap();
            let mut row = vec![0.0; k];
            for (i, expect) in expect.chunks(k).enumerate() {
                matrix.row(i, &mut row);
                assert_eq!(row, expect, "{format:?}, row {i}");
            }
        };
        let values: Vec<f32> = (0..n * k).map(value).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        check(Format::F32, &bytes, &values);
        let narrow: Vec<half::f16> = values.iter().map(|&v| half::f16::from_f32(v)).collect();
        let bytes: Vec<u8> = narrow.iter().flat_map(|v| v.to_le_bytes()).collect();
        let wide: Vec<f32> = narrow.iter().map(|v| v.to_f32()).collect();
        check(Format::F16, &bytes, &wide);
        let narrow: Vec<half::bf16> = values.iter().map(|&v| half::bf16::from_f32(v)).collect();
        let bytes: Vec<u8> = narrow.iter().flat_map(|v| v.to_le_bytes()).collect();
        let wide: Vec<f32> = narrow.iter().map(|v| v.to_f32()).collect();
        check(Format::Bf16, &bytes, &wide);
        let (mut bytes, mut wide) = (Vec::new(), Vec::new());
        for block in 0..n * k / BLOCK {
            let scale = half::f16::from_f32(0.01 + block as f32 / 1000.0);
            bytes.extend(scale.to_le_bytes());
            for i in 0..BLOCK {
                let quant = ((block * 31 + i * 17) % 255) as i32 - 127;
                bytes.push((quant as i8).cast_unsigned());
                wide.push(scale.to_f32() * quant as f32);
            }
        }
        check(Format::Q8_0, &bytes, &wide);
    }

    #[test]
    fn bytes_that_do_not_fit_are_refused() {
        let error = PackedMatrix::new(Format::Bf16, 2, 4, &[0; 15]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("2 rows of 8 bytes expected, got 15 bytes"),
            "{error}"
        );
        assert!(PackedMatrix::new(Format::Q8_0, 1, 33, &[0; 36]).is_err());
        let infinite = half::f16::INFINITY.to_le_bytes();
        let error = PackedMatrix::new(Format::F16, 1, 1, &infinite).unwrap_err();
        assert!(error.to_string().contains("infinite"), "{error}");
        assert!(PackedMatrix::new(Format::F32, 1, 0, &[]).is_err());
        assert!(PackedMatrix::new(Format::F32, 2, usize::MAX, &[]).is_err());
    }
}
