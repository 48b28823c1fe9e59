//! Draws from a seeded generator, spelt out here so that no new version of a library changes a shuffle or an interval.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A generator whose stream depends on the seed alone.
pub(crate) fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A draw from `0..n` by the multiply-and-shift method; its bias is below `n / 2^64`.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// FNV-1a over 64 bits: tiny, fixed for ever, and good enough to spread requests over shuffles and to name things by their
/// texts. Whoever could gain by a collision finds one.
///
/// ```
/// use rewardanything_core::Fnv1a;
/// assert_eq!(Fnv1a::of("foobar"), 0x8594_4171_f739_67e8);
/// assert_ne!(Fnv1a::of_all(["a", "bc"]), Fnv1a::of_all(["ab", "c"]));
/// ```
pub struct Fnv1a(u64);

impl Fnv1a {
    /// The published hash of one text.
    pub fn of(text: &str) -> u64 {
        let mut hash = Self::new();
        hash.bytes(text.as_bytes());
        hash.finish()
    }

    /// A hash of several texts and their lengths, so that moving a character between neighbours changes it.
    pub fn of_all<'t>(texts: impl IntoIterator<Item = &'t str>) -> u64 {
        let mut hash = Self::new();
        for text in texts {
            hash.text(text);
        }
        hash.finish()
    }

    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_has_its_published_values() {
        for (text, expect) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(Fnv1a::of(text), expect, "{text}");
        }
    }

    #[test]
    fn below_covers_its_range_evenly() {
        let mut rng = generator(1);
        let mut counts = [0usize; 5];
        for _ in 0..5_000 {
            counts[below(&mut rng, 5)] += 1;
        }
        assert!(
            counts.iter().all(|&count| (900..1_100).contains(&count)),
            "{counts:?}"
        );
    }
}
