//! Masking: the judge sees `model-1..model-k` in a shuffled order, never the real names.

use serde::{Deserialize, Serialize};

use crate::published::PUBLISHED_ORDERS;
use crate::seeded::{below, generator};

/// Which response is shown at which position.
///
/// ```
/// use rewardanything_core::Mask;
///
/// let mask = Mask::published(3)?;
/// assert_eq!(mask.label(0), "model-1");
/// assert_eq!(mask.response_at(0), 1);           // the second response is shown first
/// assert_eq!(mask.resolve("model-1"), Some(1));
/// assert_eq!(mask.resolve("model-4"), None);
/// # Ok::<(), rewardanything_core::MaskError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<usize>", into = "Vec<usize>")]
pub struct Mask {
    order: Vec<usize>,
    position: Vec<usize>,
}

/// Why a mask can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// The published order is known for a limited number of responses.
    #[error("the published order: expected at most {limit} responses, got {got}")]
    TooManyForPublished {
        /// How many responses there are.
        got: usize,
        /// How many the published order knows.
        limit: usize,
    },
    /// The given order isn't a permutation.
    #[error("mask: expected every index of 0..{n} once, got {order:?}")]
    NotAPermutation {
        /// Length of the order.
        n: usize,
        /// The order as given.
        order: Vec<usize>,
    },
}

impl Mask {
    /// The most responses for which the published order is known.
    pub const PUBLISHED_LIMIT: usize = PUBLISHED_ORDERS.len();

    /// Shows the responses in the caller's order.
    pub fn identity(n: usize) -> Self {
        Self::from_permutation((0..n).collect())
    }

    /// A uniform shuffle (Fisher and Yates) that depends on `n` and `seed` alone, and not on any library's shuffle.
    pub fn seeded(n: usize, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..n).collect();
        let mut rng = generator(seed);
        for last in (1..n).rev() {
            order.swap(last, below(&mut rng, last + 1));
        }
        Self::from_permutation(order)
    }

    /// The fixed order of the published package. It never averages out position bias (two responses are always
    /// swapped): only the profile that reproduces that package uses it.
    ///
    /// # Errors
    /// More than [`Mask::PUBLISHED_LIMIT`] responses.
    pub fn published(n: usize) -> Result<Self, MaskError> {
        match n.checked_sub(1) {
            None => Ok(Self::identity(0)),
            Some(row) => PUBLISHED_ORDERS
                .get(row)
                .map(|order| Self::from_permutation(order.to_vec()))
                .ok_or(MaskError::TooManyForPublished {
                    got: n,
                    limit: Self::PUBLISHED_LIMIT,
                }),
        }
    }

    /// A mask from `order[position] = response index`.
    ///
    /// # Errors
    /// `order` isn't a permutation of `0..order.len()`.
    pub fn from_order(order: Vec<usize>) -> Result<Self, MaskError> {
        if is_permutation(&order) {
            Ok(Self::from_permutation(order))
        } else {
            Err(MaskError::NotAPermutation {
                n: order.len(),
                order,
            })
        }
    }

    fn from_permutation(order: Vec<usize>) -> Self {
        let mut position = vec![0; order.len()];
        for (shown, &response) in order.iter().enumerate() {
            position[response] = shown;
        }
        Self { order, position }
    }

    /// The same circle of responses, begun `by` positions later.
    pub fn rotated(&self, by: usize) -> Self {
        let mut order = self.order.clone();
        let by = by % order.len().max(1);
        order.rotate_left(by);
        Self::from_permutation(order)
    }

    /// How many responses there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no response at all.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The label at a shown position: `model-1` at position 0.
    pub fn label(&self, position: usize) -> String {
        format!("model-{}", position + 1)
    }

    /// The label under which a response is shown.
    ///
    /// # Panics
    /// `response` is not below [`Mask::len`].
    pub fn label_of(&self, response: usize) -> String {
        self.label(self.position_of(response))
    }

    /// The response shown at `position`.
    ///
    /// # Panics
    /// `position` is not below [`Mask::len`].
    pub fn response_at(&self, position: usize) -> usize {
        self.order[position]
    }

    /// The position at which `response` is shown.
    ///
    /// # Panics
    /// `response` is not below [`Mask::len`].
    pub fn position_of(&self, response: usize) -> usize {
        self.position[response]
    }

    /// The response behind an exact label; other spellings are the parser's business.
    pub fn resolve(&self, label: &str) -> Option<usize> {
        let digits = label.strip_prefix("model-")?;
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: usize = digits.parse().ok()?;
        self.order.get(number.checked_sub(1)?).copied()
    }

    /// `order()[position]` is the response shown there.
    pub fn order(&self) -> &[usize] {
        &self.order
    }
}

impl TryFrom<Vec<usize>> for Mask {
    type Error = MaskError;

    fn try_from(order: Vec<usize>) -> Result<Self, MaskError> {
        Self::from_order(order)
    }
}

impl From<Mask> for Vec<usize> {
    fn from(mask: Mask) -> Self {
        mask.order
    }
}

/// Whether `order` holds every index of `0..order.len()` once.
pub(crate) fn is_permutation(order: &[usize]) -> bool {
    let mut seen = vec![false; order.len()];
    order.iter().all(|&index| {
        seen.get_mut(index)
            .is_some_and(|slot| !std::mem::replace(slot, true))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_table_holds_permutations() {
        for (row, order) in PUBLISHED_ORDERS.iter().enumerate() {
            assert_eq!(order.len(), row + 1);
            assert!(is_permutation(order), "{order:?}");
        }
    }

    #[test]
    fn the_published_order_ends_at_thirty_two() {
        assert_eq!(Mask::published(2).unwrap().order(), [1, 0]);
        assert_eq!(Mask::published(7).unwrap().order(), [1, 3, 4, 2, 6, 0, 5]);
        assert_eq!(Mask::published(32).unwrap().response_at(31), 7);
        assert_eq!(
            Mask::published(33),
            Err(MaskError::TooManyForPublished { got: 33, limit: 32 })
        );
    }

    #[test]
    fn a_seed_fixes_the_shuffle_for_ever() {
        assert_eq!(Mask::seeded(5, 7), Mask::seeded(5, 7));
        let orders: Vec<Vec<usize>> = (0..3)
            .map(|seed| Mask::seeded(5, seed).order().to_vec())
            .collect();
        assert_eq!(
            orders, EXPECTED_SEEDED,
            "stored verdicts were masked by these orders"
        );
    }

    const EXPECTED_SEEDED: [[usize; 5]; 3] = [[4, 0, 2, 1, 3], [4, 3, 1, 0, 2], [0, 1, 3, 2, 4]];

    #[test]
    fn every_order_of_three_comes_up_about_as_often() {
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..6_000 {
            *counts.entry(Mask::seeded(3, seed).order().to_vec()).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|count| (850..1_150).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn only_exact_labels_resolve() {
        let mask = Mask::from_order(vec![2, 0, 1]).unwrap();
        let check = |label: &str, expect: Option<usize>| assert_eq!(mask.resolve(label), expect, "{label}");
        check("model-1", Some(2));
        check("model-3", Some(1));
        for label in [
            "model-0",
            "model-4",
            "model-01",
            "model-+1",
            "Model-1",
            "model-",
            "1",
            "model-99999999999999999999",
        ] {
            check(label, None);
        }
        for response in 0..3 {
            assert_eq!(mask.response_at(mask.position_of(response)), response);
            assert_eq!(mask.resolve(&mask.label_of(response)), Some(response));
        }
    }

    #[test]
    fn what_is_no_permutation_is_refused() {
        for order in [vec![1], vec![0, 0], vec![0, 2]] {
            assert!(Mask::from_order(order.clone()).is_err(), "{order:?}");
        }
        assert!(serde_json::from_str::<Mask>("[1, 1]").is_err());
        let mask: Mask = serde_json::from_str("[1, 0]").unwrap();
        assert_eq!(serde_json::to_string(&mask).unwrap(), "[1,0]");
    }
}
