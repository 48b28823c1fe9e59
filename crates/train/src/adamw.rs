//! AdamW over one flat vector, and the learning-rate schedule.
//!
//! candle-nn has an AdamW, but keeps its moments private: an exact resume needs them.

use rewardanything_kernels::{self as kernels, AdamStep};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::ops::Range;

/// Elements whose squares are summed on their own.
const NORM_BLOCK: usize = 1 << 16;

/// How parameters move.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optim {
    /// Highest learning rate, reached at the end of the warm-up.
    pub lr: f64,
    /// Learning rate at the last step, as a share of `lr`.
    pub final_lr: f64,
    /// Steps of linear warm-up.
    pub warmup: usize,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay; applies to matrices, not to norms.
    pub weight_decay: f64,
    /// The gradient's norm is scaled down to this; 0 leaves it.
    pub clip: f64,
}

impl Default for Optim {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            final_lr: 0.05,
            warmup: 100,
            beta1: 0.9,
            beta2: 0.98,
            eps: 1e-9,
            weight_decay: 0.05,
            clip: 1.0,
        }
    }
}

impl Optim {
    /// The learning rate of `step` (from 0) of `steps`: linear warm-up, then a cosine down to `final_lr * lr`.
    pub fn lr_at(&self, step: usize, steps: usize) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        let span = steps.saturating_sub(self.warmup).max(1);
        let progress = ((step - self.warmup) as f64 / span as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (PI * progress).cos());
        self.lr * (self.final_lr + (1.0 - self.final_lr) * cosine)
    }
}

/// Both moments.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Running mean of the gradient.
    pub first: Vec<f32>,
    /// Running mean of its square.
    pub second: Vec<f32>,
}

impl AdamW {
    /// Moments at zero.
    pub fn new(len: usize) -> Self {
        Self {
            first: vec![0.0; len],
            second: vec![0.0; len],
        }
    }

    /// One update (Loshchilov and Hutter, arXiv 1711.05101); returns the gradient's norm before clipping.
    ///
    /// `decays` covers the parameters with ranges that weight decay applies to, or not. `step` counts from 0; `gradient`
    /// is left as it came.
    pub fn update(
        &mut self,
        optim: &Optim,
        decays: &[(Range<usize>, bool)],
        (step, lr): (usize, f64),
        params: &mut [f32],
        gradient: &[f32],
    ) -> f64 {
        // Blocks of fixed size, so that the norm does not depend on the number of threads.
        let mut squares = vec![0f64; gradient.len().div_ceil(NORM_BLOCK)];
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = squares.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for (squares, part) in squares.chunks_mut(share).zip(gradient.chunks(share * NORM_BLOCK)) {
                scope.spawn(move || {
                    for (square, block) in squares.iter_mut().zip(part.chunks(NORM_BLOCK)) {
                        *square = kernels::sum_of_squares(block);
                    }
                });
            }
        });
        let norm = squares.iter().sum::<f64>().sqrt();
        let scale = if optim.clip > 0.0 && norm > optim.clip {
            (optim.clip / norm) as f32
        } else {
            1.0
        };
        let t = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let correct = |beta: f64| (1.0 / (1.0 - beta.powi(t))) as f32;
        let of = |decays: bool| AdamStep {
            scale,
            betas: (optim.beta1 as f32, optim.beta2 as f32),
            corrections: (correct(optim.beta1), correct(optim.beta2)),
            eps: optim.eps as f32,
            lr: lr as f32,
            keep: if decays {
                (1.0 - lr * optim.weight_decay) as f32
            } else {
                1.0
            },
        };
        // Each element stands alone, so the share of a thread may begin anywhere.
        let share = params.len().div_ceil(threads).max(1);
        let shares = params.chunks_mut(share).zip(gradient.chunks(share));
        let moments = self.first.chunks_mut(share).zip(self.second.chunks_mut(share));
        std::thread::scope(|scope| {
            for (i, ((params, gradient), (first, second))) in shares.zip(moments).enumerate() {
                let of = &of;
                scope.spawn(move || {
                    let (start, end) = (i * share, i * share + params.len());
                    for (range, decays) in decays {
                        let (from, to) = (range.start.clamp(start, end), range.end.clamp(start, end));
                        let own = from - start..to - start;
                        let moments = (&mut first[own.clone()], &mut second[own.clone()]);
                        kernels::adamw_update(of(*decays), &mut params[own.clone()], &gradient[own], moments);
                    }
                });
            }
        });
        norm
    }
}
