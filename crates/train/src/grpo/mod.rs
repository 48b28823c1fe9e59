//! Group relative preference learning: the judge is the policy, and learns from what its own replies earn.
//!
//! A step samples several replies to each of some cases from the engine, rewards them against the gold verdict, takes
//! how much better each is than the others of its group, and moves the weights by the clipped objective of GRPO with a
//! divergence to the starting weights (DeepSeekMath, arXiv 2402.03300; the judge's form of it is that of RewardAnything,
//! arXiv 2506.03637). Deviations: groups whose rewards are all equal are dropped and others sampled in their place, the
//! policy that ρ compares with is the trainer's own arithmetic and not the engine's (how far the two are apart is in the
//! metrics), and clip bounds may differ above and below.
//!
//! [`trainer`] runs the steps; [`environment`] is where cases and rewards come from, so that the same trainer solves toy
//! tasks in tests; `steps` the same for a judge that takes a judgement in steps; [`rollout`] samples; [`update`] makes the loss a gradient; [`advantages`] and [`LossConfig`] are the
//! formulas; [`preference`] learns from the best and the worst of each group in their place.

mod advantage;
pub mod cases;
mod config;
pub mod environment;
mod loss;
mod metrics;
pub mod preference;
pub mod rollout;
mod steps;
mod template;
pub mod trainer;
pub mod update;
mod validation;

pub use advantage::{EPSILON, Scale, advantages, is_flat};
pub use config::{
    CaseSource, GrplRecipe, GrplRun, LengthPenalty, MadeCases, RewardConfig, RolloutConfig, Start,
    StepsConfig, ValidationConfig,
};
pub use environment::{Alarm, Answered, Seen, Ungraded};
pub use loss::{LossConfig, Normalise, TokenFacts, TokenLoss};
pub use preference::DpoConfig;
pub use template::plain_template;
pub use trainer::{Finished, run, run_until};
pub use validation::Validated;

/// A seed for one of many draws: SplitMix64's finaliser over the parts, one after another.
pub(crate) fn mix(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(seed, |state, &part| {
        let mut z = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}
