//! From the last layer to logits.

use half::bf16;
use rewardanything_kernels as kernels;
use rewardanything_kernels::{Activations, Format, Isa, Numerics, PackedMatrix, Product, Write};

use super::{Part, Wanted};

/// The output layer of a model.
pub(super) struct Head<'a> {
    /// `[v, e]`.
    pub(super) weight_ve: &'a PackedMatrix,
    pub(super) isa: Isa,
    pub(super) numerics: Numerics,
}

impl Head<'_> {
    /// Logits of each part's wanted positions, from the normalised rows `[n, e]` of these positions, part after part.
    pub(super) fn logits(&self, rows_ne: &[f32], parts: &[Part<'_>]) -> Vec<Vec<Vec<f32>>> {
        let e = self.weight_ve.inputs();
        let mut rows = rows_ne.chunks_exact(e);
        let (mut all, mut among, mut offered) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            for row in rows.by_ref().take(part.wanted.positions(part.tokens.len()).len()) {
                match part.wanted {
                    Wanted::Among(tokens) => {
                        among.extend_from_slice(row);
                        offered.extend_from_slice(tokens);
                    }
                    _ => all.extend_from_slice(row),
                }
            }
        }
        offered.sort_unstable();
        offered.dedup();
        let mut all = self.product(&all, self.weight_ve).into_iter();
        let mut among = if offered.is_empty() {
            Vec::new()
        } else {
            self.product(&among, &self.select(&offered))
        }
        .into_iter();
        parts
            .iter()
            .map(|part| match part.wanted {
                Wanted::Among(tokens) => {
                    let some = among.next().expect("a row for each part. This is a bug.");
                    vec![self.spread(&some, &offered, tokens)]
                }
                wanted => all
                    .by_ref()
                    .take(wanted.positions(part.tokens.len()).len())
                    .collect(),
            })
            .collect()
    }

    fn product(&self, rows: &[f32], weight: &PackedMatrix) -> Vec<Vec<f32>> {
        if rows.is_empty() {
            return Vec::new();
        }
        let mut x = Activations::new(self.isa, self.numerics, &[weight.format()]);
        x.set(rows, weight.inputs());
        let n = weight.outputs();
        let mut out = vec![0f32; x.rows() * n];
        let write = Write::Replace;
        let product = Product {
            weight,
            out: &mut out,
            write,
        };
        kernels::products(&x, &mut [product]);
        out.chunks_exact(n).map(<[f32]>::to_vec).collect()
    }

    /// The rows of these tokens as a matrix of its own. Its products have the bits of the whole matrix's: it holds the
    /// very numbers that those are taken with.
    fn select(&self, tokens: &[u32]) -> PackedMatrix {
        let e = self.weight_ve.inputs();
        let narrow = self.numerics == Numerics::Native
            && self.isa.has_bf16()
            && !matches!(self.weight_ve.format(), Format::F32 | Format::F16);
        let format = if narrow { Format::Bf16 } else { Format::F32 };
        let mut bytes = Vec::new();
        let mut row = vec![0f32; e];
        for &token in tokens {
            self.weight_ve.row(token as usize, &mut row);
            for &value in &row {
                if narrow {
                    bytes.extend(bf16::from_f32(value).to_le_bytes());
                } else {
                    bytes.extend(value.to_le_bytes());
                }
            }
        }
        PackedMatrix::new(format, tokens.len(), e, &bytes).expect("whole rows of a format. This is a bug.")
    }

    /// The logits of `tokens`, found among those of `offered`, at their places in the vocabulary.
    fn spread(&self, some: &[f32], offered: &[u32], tokens: &[u32]) -> Vec<f32> {
        let mut logits = vec![f32::NEG_INFINITY; self.weight_ve.outputs()];
        for &token in tokens {
            let place = offered
                .binary_search(&token)
                .expect("every token was offered. This is a bug.");
            logits[token as usize] = some[place];
        }
        logits
    }
}
