//! Texts with a wanted amount of a quality: windows of real text, and text that the program makes.

use crate::pool::{Pool, sentences};
use crate::synth;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rewardanything_principles::{Measure, trim_to_words};

/// Texts tried for one wanted level; the nearest is taken.
const TRIES: usize = 8;
/// How often levels 0, 1, ... are wanted. Real text has none of most qualities: learned from that, the level of every
/// response is "0", and nothing is measured.
const LEVELS: [f64; 7] = [0.27, 0.25, 0.19, 0.12, 0.08, 0.05, 0.04];

/// Draws texts.
pub(super) struct Texts<'a> {
    pub(super) pool: &'a Pool,
    /// Share of texts made by the program.
    pub(super) synthetic: f64,
    /// Longest text in words.
    pub(super) max_words: usize,
}

impl Texts<'_> {
    /// A prompt of at most `max_words` words, and the place of its own texts in the pool.
    pub(super) fn prompt(&self, rng: &mut ChaCha8Rng, max_words: usize) -> (String, &[usize]) {
        match self.pool.prompts.choose(rng) {
            Some((prompt, own)) if !prompt.trim().is_empty() && !rng.random_bool(self.synthetic) => {
                (trim_to_words(prompt, max_words), own)
            }
            _ => (trim_to_words(&synth::prompt(rng), max_words), &[]),
        }
    }

    /// A text whose level of `measure` is near one drawn evenly enough for the level to be worth reading.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng, own: &[usize], measure: Measure) -> String {
        let limit = rng.random_range(self.max_words.div_ceil(3)..=self.max_words);
        if matches!(measure, Measure::Words | Measure::SentenceLength) {
            return self.candidate(rng, own, (measure, 0), limit);
        }
        let mut draw: f64 = rng.random();
        let wanted = LEVELS.iter().position(|share| {
            draw -= share;
            draw < 0.0
        });
        // No text is without a line or a sentence, so these begin at one.
        let least = u8::from(matches!(measure, Measure::Lines | Measure::Sentences));
        let wanted = wanted.unwrap_or(0) as u8 + least;
        let mut best: Option<(u8, String)> = None;
        for _ in 0..TRIES {
            let text = self.candidate(rng, own, (measure, wanted), limit);
            let off = measure.level(&text).abs_diff(wanted);
            if best.as_ref().is_none_or(|(least, _)| off < *least) {
                best = Some((off, text));
            }
            if off == 0 {
                break;
            }
        }
        best.expect("at least one text was tried. This is a bug.").1
    }

    /// One text of at most `limit` words, more likely to show the measure when some of it is wanted.
    fn candidate(
        &self,
        rng: &mut ChaCha8Rng,
        own: &[usize],
        (measure, wanted): (Measure, u8),
        limit: usize,
    ) -> String {
        let mut text = if self.pool.texts.is_empty() || rng.random_bool(self.synthetic) {
            (0..rng.random_range(1..=6))
                .map(|_| synth::sentence(rng) + " ")
                .collect()
        } else {
            self.window(rng, own, limit)
        };
        if wanted > 0 && rng.random_bool(0.6) {
            text = self.enrich(rng, text, measure);
        }
        let of_lines = matches!(measure, Measure::Lines | Measure::ListItems | Measure::Markup);
        let share = if of_lines { 0.6 } else { 0.2 };
        if rng.random_bool(share) {
            text = restructured(rng, text);
        }
        let text = trim_to_words(text.trim(), limit);
        if text.trim().is_empty() {
            "Yes.".to_owned()
        } else {
            text
        }
    }

    /// Some consecutive sentences of a text: half the time one of `own`, else any.
    fn window(&self, rng: &mut ChaCha8Rng, own: &[usize], limit: usize) -> String {
        let any = rng.random_range(0..self.pool.texts.len());
        let text = match own.choose(rng) {
            Some(i) if rng.random_bool(0.5) => *i,
            _ => any,
        };
        let sentences = &self.pool.texts[text];
        let start = if rng.random_bool(0.5) {
            0
        } else {
            rng.random_range(0..sentences.len())
        };
        let mut out = String::new();
        let mut words = 0;
        for sentence in &sentences[start..] {
            out.push_str(sentence);
            words += sentence.split_whitespace().count();
            if words >= limit || rng.random_bool(0.12) {
                break;
            }
        }
        out
    }

    /// Puts sentences that show `measure` in front, after or in place of the text.
    fn enrich(&self, rng: &mut ChaCha8Rng, text: String, measure: Measure) -> String {
        let at = Measure::ALL.iter().position(|m| *m == measure);
        let bank = at.and_then(|i| self.pool.showing.get(i));
        let Some(bank) = bank.filter(|b| !b.is_empty()) else {
            return text;
        };
        let added: String = (0..rng.random_range(1..=4))
            .filter_map(|_| bank.choose(rng))
            .map(|s| format!("{s} "))
            .collect();
        match rng.random_range(0..3) {
            0 => format!("{} {added}", text.trim_end()),
            1 => format!("{added}{text}"),
            _ => added,
        }
    }
}

/// Sets the sentences of a text as lines, a list or with emphasis.
fn restructured(rng: &mut ChaCha8Rng, text: String) -> String {
    let parts = sentences(&text);
    let lines = |prefix: &dyn Fn(usize) -> String| -> String {
        parts
            .iter()
            .enumerate()
            .map(|(i, p)| format!("{}{}\n", prefix(i), p.trim()))
            .collect()
    };
    match rng.random_range(0..8) {
        0 => lines(&|_| "- ".to_owned()),
        1 => lines(&|i| format!("{}. ", i + 1)),
        2 => lines(&|_| "* ".to_owned()),
        3 => lines(&|_| String::new()),
        4 => lines(&|i| if i > 0 { "\n".to_owned() } else { String::new() }),
        _ => {
            let mark = ["**", "`", "*"].choose(rng).copied().unwrap_or("**");
            let share = rng.random_range(0.05..0.3);
            let words = text.split(' ').map(|w| {
                if w.chars().all(char::is_alphanumeric) && !w.is_empty() && rng.random_bool(share) {
                    format!("{mark}{w}{mark}")
                } else {
                    w.to_owned()
                }
            });
            words.collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn levels_are_spread_and_no_text_is_too_long() {
        let mut pool = Pool::default();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for _ in 0..4_000 {
            pool.index(&synth::sentence(&mut rng));
        }
        let texts = Texts {
            pool: &pool,
            synthetic: 1.0,
            max_words: 30,
        };
        for measure in [
            Measure::Commas,
            Measure::Questions,
            Measure::Hedges,
            Measure::Lines,
            Measure::Sentences,
        ] {
            let mut seen = [0; 10];
            for _ in 0..400 {
                let text = texts.draw(&mut rng, &[], measure);
                assert!(rewardanything_principles::count_words(&text) <= 30, "{text}");
                seen[usize::from(measure.level(&text))] += 1;
            }
            let most = seen.iter().max().copied().unwrap_or_default();
            assert!(most < 220, "{measure:?}: {seen:?}");
        }
    }
}
