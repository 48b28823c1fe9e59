//! The products of a training step, in `f32` or with operands of bf16.
//!
//! In bf16, weights are packed once a step and for both directions; activations and gradients where they arise, each
//! once for all products that read it in the same form. Master weights, sums and gradients are `f32` in both.

use super::Compute;
use crate::layout::Layout;
use rewardanything_kernels::{Isa, Mat, MatMut, Panels, Rows, Write, matmul, product};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

/// One matrix of weights `[out, in]`, ready for both directions.
#[derive(Debug, Default)]
struct Packed {
    forward: Panels,
    backward: Panels,
}

/// All matrices of a model, by where they begin in the flat vector.
#[derive(Debug, Default)]
pub(super) struct PackedWeights(BTreeMap<usize, Packed>);

impl PackedWeights {
    /// Takes the weights of this step.
    pub(super) fn refresh(&mut self, layout: &Layout, params: &[f32], threads: usize) {
        let mut jobs = Vec::new();
        for tensor in layout.tensors.iter().filter(|t| t.shape.len() == 2) {
            self.0.entry(tensor.range.start).or_default();
        }
        for (start, packed) in &mut self.0 {
            let tensor = layout.tensors.iter().find(|t| t.range.start == *start);
            let tensor = tensor.expect("only tensors of the layout have entries. This is a bug.");
            let shape = (tensor.shape[0], tensor.shape[1]);
            let values = &params[tensor.range.clone()];
            let Packed { forward, backward } = packed;
            jobs.push((forward, true, values, shape));
            jobs.push((backward, false, values, shape));
        }
        // The largest first, so that the threads end together.
        jobs.sort_by_key(|job| job.2.len());
        let jobs = Mutex::new(jobs);
        let next = || jobs.lock().map_or(None, |mut jobs| jobs.pop());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((panels, transposed, values, (out, inner))) = next() {
                        if transposed {
                            panels.pack_transposed(values, (out, inner), inner);
                        } else {
                            panels.pack(values, (out, inner), inner);
                        }
                    }
                });
            }
        });
    }
}

/// The weights of a step, and how they are multiplied.
#[derive(Clone, Copy)]
pub(super) struct Products<'a> {
    pub(super) compute: Compute,
    pub(super) isa: Isa,
    pub(super) params: &'a [f32],
    pub(super) packed: &'a PackedWeights,
}

/// `[n, width]` as the left side of products; the rows are packed in bf16 alone.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    values: Mat<'a>,
    rows: &'a Rows,
}

/// `[n, width]` as the left side of a product that sums over `n`.
#[derive(Clone, Copy)]
pub(super) struct Turned<'a> {
    values: Mat<'a>,
    rows: &'a Rows,
}

/// `[n, width]` as the right side of a product that sums over `n`.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    values: Mat<'a>,
    panels: &'a Panels,
}

impl Products<'_> {
    fn native(&self) -> bool {
        self.compute == Compute::Native
    }

    pub(super) fn input<'b>(&self, x: &'b [f32], width: usize, rows: &'b mut Rows) -> Input<'b> {
        let n = x.len() / width;
        if self.native() {
            rows.pack(x, (n, width), width);
        }
        Input {
            values: Mat::new(x, n, width),
            rows,
        }
    }

    pub(super) fn turned<'b>(&self, x: &'b [f32], width: usize, rows: &'b mut Rows) -> Turned<'b> {
        let n = x.len() / width;
        if self.native() {
            rows.pack_transposed(x, (n, width), width);
        }
        Turned {
            values: Mat::new(x, n, width),
            rows,
        }
    }

    pub(super) fn right<'b>(&self, x: &'b [f32], width: usize, panels: &'b mut Panels) -> Right<'b> {
        let n = x.len() / width;
        if self.native() {
            panels.pack(x, (n, width), width);
        }
        Right {
            values: Mat::new(x, n, width),
            panels,
        }
    }

    fn weights(&self, weight: &Range<usize>) -> &Packed {
        let packed = self.packed.0.get(&weight.start);
        packed.expect("every matrix was packed before the pass. This is a bug.")
    }

    /// `out = x wᵀ`, `w` `[width, x.cols]`; or `out += …`.
    pub(super) fn project(&self, x: Input<'_>, weight: &Range<usize>, out: &mut [f32], write: Write) {
        let (n, inner) = (x.values.rows(), x.values.cols());
        let width = weight.len() / inner;
        let out = MatMut::new(out, n, width);
        if self.native() {
            product(
                self.isa,
                out,
                x.rows.all(),
                self.weights(weight).forward.all(),
                write,
            );
        } else {
            let w = Mat::new(&self.params[weight.clone()], width, inner);
            matmul(out, x.values, w.t(), 1.0, write);
        }
    }

    /// Gradient of a projection's input: `d_x = d_y w`, or `d_x += …`.
    pub(super) fn back(&self, d_y: Input<'_>, weight: &Range<usize>, d_x: &mut [f32], write: Write) {
        let (n, inner) = (d_y.values.rows(), d_y.values.cols());
        let width = weight.len() / inner;
        let d_x = MatMut::new(d_x, n, width);
        if self.native() {
            product(
                self.isa,
                d_x,
                d_y.rows.all(),
                self.weights(weight).backward.all(),
                write,
            );
        } else {
            let w = Mat::new(&self.params[weight.clone()], inner, width);
            matmul(d_x, d_y.values, w, 1.0, write);
        }
    }

    /// Gradient of a projection's weight: `d_w += d_yᵀ x`.
    pub(super) fn weight(&self, d_y: Turned<'_>, x: Right<'_>, d_w: &mut [f32]) {
        let d_w = MatMut::new(d_w, d_y.values.cols(), x.values.cols());
        if self.native() {
            product(self.isa, d_w, d_y.rows.all(), x.panels.all(), Write::Add);
        } else {
            matmul(d_w, d_y.values.t(), x.values, 1.0, Write::Add);
        }
    }
}
