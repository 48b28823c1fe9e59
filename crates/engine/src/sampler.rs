//! From logits to the next token.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::Sampling;

use crate::EngineError;

/// Draws the tokens of one row. Its stream depends on the seed alone, so a row's text does not depend on the batch
/// it runs in.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
}

impl Sampler {
    /// Starts the stream of `sampling.seed`.
    pub fn new(sampling: Sampling) -> Self {
        Self {
            sampling,
            random: ChaCha8Rng::seed_from_u64(sampling.seed),
        }
    }

    /// The next token: the likeliest at temperature 0 (the first of equals), else a draw from the softmax of
    /// `logits / temperature`, cut to `top_k` and then to `top_p` as transformers does it. Logits of minus infinity
    /// are never drawn.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`] when a logit is NaN or plus infinity, or none is finite.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, EngineError> {
        let best = argmax(logits)?;
        let temperature = self.sampling.temperature;
        if temperature <= 0.0 {
            return Ok(best as u32);
        }
        let top = f64::from(logits[best]);
        let weigh =
            |(token, &logit): (usize, &f32)| (token as u32, ((f64::from(logit) - top) / temperature).exp());
        let mut candidates: Vec<(u32, f64)> = logits.iter().enumerate().map(weigh).collect();
        let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));

        let top_k = self.sampling.top_k;
        if top_k > 0 && top_k < candidates.len() {
            candidates.select_nth_unstable_by(top_k - 1, order);
            candidates.truncate(top_k);
        }
        let top_p = self.sampling.top_p;
        if top_p < 1.0 {
            let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
            // All tokens below this weight are together lighter than what the nucleus leaves out: no need to sort them.
            let negligible = (1.0 - top_p) * total / candidates.len() as f64;
            candidates.retain(|&(_, weight)| weight >= negligible);
            candidates.sort_unstable_by(order);
            let mut mass = 0.0;
            let inside = candidates.iter().position(|&(_, weight)| {
                mass += weight;
                mass >= top_p * total
            });
            candidates.truncate(inside.map_or(candidates.len(), |last| last + 1).max(1));
        }
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        let mut left = self.random.random::<f64>() * total;
        for &(token, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return Ok(token);
            }
        }
        // Rounding can leave a crumb after the last token.
        Ok(candidates
            .iter()
            .rev()
            .find(|&&(_, weight)| weight > 0.0)
            .map_or(best as u32, |&(token, _)| token))
    }

    /// As [`Sampler::sample`], from these tokens alone.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn sample_among(&mut self, logits: &[f32], options: &[u32]) -> Result<u32, EngineError> {
        let offered: Vec<f32> = options.iter().map(|&token| logits[token as usize]).collect();
        Ok(options[self.sample(&offered)? as usize])
    }
}

/// The natural logarithm of a token's probability under the whole distribution at temperature 1: what the model
/// thinks of it, whatever the sampling settings were.
pub fn log_probability(logits: &[f32], token: u32) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
    (f64::from(logits[token as usize] - max) - sum.ln()) as f32
}

fn argmax(logits: &[f32]) -> Result<usize, EngineError> {
    let mut best = None;
    for (index, &logit) in logits.iter().enumerate() {
        if logit.is_nan() || logit == f32::INFINITY {
            return Err(EngineError::NotFinite);
        }
        if logit > best.map_or(f32::NEG_INFINITY, |(_, value)| value) {
            best = Some((index, logit));
        }
    }
    best.map(|(index, _)| index).ok_or(EngineError::NotFinite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(temperature: f64, top_p: f64, top_k: usize) -> Sampling {
        Sampling {
            temperature,
            top_p,
            top_k,
            seed: 5,
            ..Sampling::default()
        }
    }

    /// Shares of 20,000 draws against the expected probabilities, 5 standard errors apart at most.
    fn check(sampling: Sampling, probabilities: &[f64], expect: &[f64]) {
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln() as f32 + 3.0).collect();
        let mut sampler = Sampler::new(sampling);
        let mut counts = vec![0_usize; logits.len()];
        let draws = 20_000;
        for _ in 0..draws {
            counts[sampler.sample(&logits).unwrap() as usize] += 1;
        }
        for (token, (&count, &p)) in counts.iter().zip(expect).enumerate() {
            let share = count as f64 / f64::from(draws);
            let error = 5.0 * (p * (1.0 - p) / f64::from(draws)).sqrt();
            assert!(
                (share - p).abs() <= error,
                "{sampling:?}: token {token} drawn {share}, expected {p}"
            );
        }
    }

    #[test]
    fn draws_follow_the_distribution_that_the_settings_leave() {
        let p = [0.1, 0.4, 0.2, 0.3];
        check(settings(1.0, 1.0, 0), &p, &p);
        check(settings(0.0, 1.0, 0), &p, &[0.0, 1.0, 0.0, 0.0]);
        check(settings(1.0, 1.0, 2), &p, &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        check(settings(1.0, 1.0, 9), &p, &p);
        check(settings(1.0, 0.65, 0), &p, &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        check(
            settings(1.0, 0.75, 0),
            &p,
            &[0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0],
        );
        check(settings(1.0, 1e-9, 0), &p, &[0.0, 1.0, 0.0, 0.0]);
        // First top-k, then top-p of what is left: 4/7 alone is above 0.5.
        check(settings(1.0, 0.5, 2), &p, &[0.0, 1.0, 0.0, 0.0]);
        let squares = p.map(|p| p * p / 0.30);
        check(settings(0.5, 1.0, 0), &p, &squares);
        check(settings(1.0, 1.0, 0), &[0.5, 0.0, 0.5], &[0.5, 0.0, 0.5]);
    }

    #[test]
    fn a_seed_fixes_the_stream() {
        let logits = [0.0_f32; 50];
        let draw = |seed| -> Vec<u32> {
            let mut sampler = Sampler::new(Sampling {
                seed,
                ..settings(1.0, 1.0, 0)
            });
            (0..20).map(|_| sampler.sample(&logits).unwrap()).collect()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn equals_go_to_the_first_and_broken_logits_are_errors() {
        let greedy = |logits: &[f32]| Sampler::new(settings(0.0, 1.0, 0)).sample(logits);
        assert_eq!(greedy(&[1.0, 2.0, 2.0]).unwrap(), 1);
        for broken in [
            &[0.0, f32::NAN][..],
            &[f32::INFINITY, 0.0],
            &[f32::NEG_INFINITY; 2],
            &[],
        ] {
            assert!(
                matches!(greedy(broken), Err(EngineError::NotFinite)),
                "{broken:?}"
            );
        }
    }

    #[test]
    fn log_probabilities_are_those_of_the_softmax() {
        let logits = [1.0_f32, 2.0, 3.0, f32::NEG_INFINITY];
        let sum: f32 = [1.0_f32, 2.0, 3.0].iter().map(|x| x.exp()).sum();
        for token in 0..3 {
            let expect = (logits[token as usize].exp() / sum).ln();
            assert!((log_probability(&logits, token) - expect).abs() < 1e-6);
        }
        assert_eq!(log_probability(&logits, 3), f32::NEG_INFINITY);
    }
}
