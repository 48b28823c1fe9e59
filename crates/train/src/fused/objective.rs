//! Losses that are computed from each target's log-probability, whatever they are.

use rewardanything_kernels::Likelihood;

/// Which token of which sequence of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Place of the sequence in the batch.
    pub sequence: usize,
    /// Place of the token in the sequence; at least 1, since nothing precedes the first.
    pub token: usize,
}

/// What one token adds to a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Its share of the loss.
    pub value: f64,
    /// The derivative of the loss by the token's log-probability.
    pub slope: f64,
}

/// A loss that is a sum over tokens, each a function of its own log-probability alone.
pub trait Objective: Sync {
    /// The term of one token.
    fn term(&self, place: Place, log_probability: f64) -> Term;
}

/// For each sequence of a batch, the likelihoods of its tokens with a weight other than 0, in order.
pub type Likelihoods = Vec<Vec<Likelihood>>;

/// What the head does with the log-probabilities of the targets.
#[derive(Clone, Copy)]
pub(super) enum Goal<'a> {
    /// Cross-entropy by the sequences' weights, each times this.
    CrossEntropy(f32),
    /// A loss of the caller's; of the weights it only matters which are 0.
    Objective(&'a dyn Objective),
    /// None: they are the result, and there is no backward pass.
    Likelihoods,
}

/// Puts likelihoods that came chunk by chunk where they belong. A sequence is never split over chunks, so its own are
/// in order.
pub(super) fn by_sequence(count: usize, parts: impl Iterator<Item = (Place, Likelihood)>) -> Likelihoods {
    let mut all = vec![Vec::new(); count];
    for (place, likelihood) in parts {
        all[place.sequence].push(likelihood);
    }
    all
}
