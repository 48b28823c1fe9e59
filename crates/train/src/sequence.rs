//! The unit of training: tokens, and how much each counts.

use crate::examples::Kind;

/// A tokenised example.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Token ids, at least two.
    pub tokens: Vec<u32>,
    /// Weight of predicting each token; the first is ignored, since nothing precedes it.
    pub weights: Vec<f32>,
    /// What each token is, for the metrics.
    pub kinds: Vec<Kind>,
}
