//! The loss of group relative policy optimisation, token by token.
//!
//! With ρ the probability of a token under the policy over that under the one that wrote it, and A the advantage of its
//! reply, the objective of a token is `min(ρ A, clip(ρ, 1 - ε_low, 1 + ε_high) A) - β k3`, where
//! `k3 = p_ref/p - ln(p_ref/p) - 1` estimates the divergence from a reference (Schulman, "Approximating KL
//! divergence"). The loss is its negative, weighed by [`Normalise`].

use serde::{Deserialize, Serialize};

/// The constants of the loss. The paper gives none of them: 0.2 on both sides is common, β is ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// ε_low: how far a token may become less likely in one step; in 0..=1.
    pub clip_low: f64,
    /// ε_high: how far it may become likelier; at least 0. More than ε_low leaves rare tokens room to grow (Yu et al.,
    /// arXiv 2503.14476).
    pub clip_high: f64,
    /// β: weight of the divergence from the starting weights; at 0 it is only measured.
    pub beta: f64,
    /// How tokens are weighed.
    pub normalise: Normalise,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            clip_low: 0.2,
            clip_high: 0.2,
            beta: 0.01,
            normalise: Normalise::Sequence,
        }
    }
}

/// How tokens are weighed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Every reply counts the same, its tokens sharing its weight: the paper's form.
    #[default]
    Sequence,
    /// Every token of the batch counts the same, so long replies count more.
    Token,
}

impl Normalise {
    /// The weight of each token of each reply, for replies of these lengths that are one batch. All weights of all
    /// tokens sum to 1.
    pub fn weights(self, lengths: &[usize]) -> Vec<f64> {
        let replies = lengths.len() as f64;
        let tokens: usize = lengths.iter().sum();
        lengths
            .iter()
            .map(|&length| match self {
                Self::Sequence => 1.0 / (replies * length.max(1) as f64),
                Self::Token => 1.0 / tokens.max(1) as f64,
            })
            .collect()
    }
}

/// What is known of a token before the policy is asked again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenFacts {
    /// A, of its reply.
    pub advantage: f64,
    /// Its log-probability under the policy that wrote it; `None` where that is the policy itself, so that ρ is 1.
    pub old: Option<f64>,
    /// Its log-probability under the reference; `None` leaves the divergence out.
    pub reference: Option<f64>,
    /// Its weight; see [`Normalise::weights`].
    pub weight: f64,
}

/// What a token adds to the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenLoss {
    /// Weighed, negative objective.
    pub value: f64,
    /// Its derivative by the token's log-probability.
    pub slope: f64,
    /// Whether the clip held it, so that only the divergence still moves it.
    pub clipped: bool,
    /// k3, not weighed by anything; 0 without a reference.
    pub kl: f64,
}

impl LossConfig {
    /// The loss of a token whose log-probability is `new`.
    pub fn of(&self, new: f64, token: &TokenFacts) -> TokenLoss {
        let TokenFacts {
            advantage, weight, ..
        } = *token;
        let ratio = token.old.map_or(1.0, |old| (new - old).exp());
        let held = ratio.clamp(1.0 - self.clip_low, 1.0 + self.clip_high);
        let clipped = held * advantage < ratio * advantage;
        // Where the smaller of the two is the held one, it no longer depends on the policy.
        let (surrogate, surrogate_slope) = if clipped {
            (held * advantage, 0.0)
        } else {
            (ratio * advantage, ratio * advantage)
        };
        let (kl, kl_slope) = token.reference.map_or((0.0, 0.0), |reference| {
            let difference = reference - new;
            (difference.exp() - difference - 1.0, 1.0 - difference.exp())
        });
        TokenLoss {
            value: -weight * (surrogate - self.beta * kl),
            slope: -weight * (surrogate_slope - self.beta * kl_slope),
            clipped,
            kl,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_two_forms() {
        assert_eq!(Normalise::Sequence.weights(&[4, 1]), [0.125, 0.5]);
        assert_eq!(Normalise::Token.weights(&[4, 1]), [0.2, 0.2]);
    }

    #[test]
    fn the_clip_holds_only_what_has_gone_far_enough() {
        let config = LossConfig {
            clip_high: 0.3,
            ..LossConfig::default()
        };
        let check = |ratio: f64, advantage: f64, expect: bool| {
            let facts = TokenFacts {
                advantage,
                old: Some(-1.0),
                reference: None,
                weight: 1.0,
            };
            let loss = config.of(-1.0 + ratio.ln(), &facts);
            assert_eq!(loss.clipped, expect, "ratio {ratio}, advantage {advantage}");
            assert_eq!(loss.slope == 0.0, expect);
        };
        check(1.0, 1.0, false);
        check(1.29, 1.0, false);
        check(1.31, 1.0, true);
        check(0.1, 1.0, false);
        check(0.79, -1.0, true);
        check(0.81, -1.0, false);
        check(5.0, -1.0, false);
    }

    #[test]
    fn slopes_are_central_differences() {
        for beta in [0.0, 0.7] {
            let config = LossConfig {
                beta,
                ..LossConfig::default()
            };
            for (new, advantage) in [(-0.4, 1.3), (-1.9, 0.2), (-2.5, -0.8), (-0.1, -2.0), (-3.3, 1.0)] {
                let facts = TokenFacts {
                    advantage,
                    old: Some(-1.2),
                    reference: Some(-1.7),
                    weight: 0.3,
                };
                let value = |new| config.of(new, &facts).value;
                let central = (value(new + 1e-6) - value(new - 1e-6)) / 2e-6;
                assert!(
                    (config.of(new, &facts).slope - central).abs() < 1e-6,
                    "{new} {advantage}"
                );
            }
        }
    }
}
