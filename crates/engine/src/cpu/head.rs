//! From the last layer to logits.

use rewardanything_kernels as kernels;
use rewardanything_kernels::{Activations, Isa, Numerics, PackedMatrix, Product, Write};

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
            let rows: Vec<usize> = offered.iter().map(|&token| token as usize).collect();
            self.product(&among, &self.weight_ve.select(&rows))
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
