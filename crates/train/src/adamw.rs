//! AdamW over one flat vector, and the learning-rate schedule.
//!
//! candle-nn has an AdamW, but keeps its moments private: an exact resume needs them.

use crate::layout::Layout;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

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
    /// `step` counts from 0; `gradient` is left as it came.
    pub fn update(
        &mut self,
        optim: &Optim,
        layout: &Layout,
        (step, lr): (usize, f64),
        params: &mut [f32],
        gradient: &[f32],
    ) -> f64 {
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let scale = if optim.clip > 0.0 && norm > optim.clip {
            (optim.clip / norm) as f32
        } else {
            1.0
        };
        let (b1, b2, eps) = (optim.beta1 as f32, optim.beta2 as f32, optim.eps as f32);
        let t = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let correct1 = (1.0 / (1.0 - optim.beta1.powi(t))) as f32;
        let correct2 = (1.0 / (1.0 - optim.beta2.powi(t))) as f32;
        for (range, decays) in layout.decays() {
            let keep = if decays {
                (1.0 - lr * optim.weight_decay) as f32
            } else {
                1.0
            };
            let moments = self.first[range.clone()]
                .iter_mut()
                .zip(&mut self.second[range.clone()]);
            for ((p, g), (m, v)) in params[range.clone()]
                .iter_mut()
                .zip(&gradient[range])
                .zip(moments)
            {
                let g = g * scale;
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                *p = *p * keep - lr as f32 * (*m * correct1) / ((*v * correct2).sqrt() + eps);
            }
        }
        norm
    }
}
