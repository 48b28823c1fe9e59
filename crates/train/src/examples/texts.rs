//! Texts with a wanted amount of a quality: windows of real text, and text that the program makes.

use crate::pool::{Pool, sentences};
use crate::{showing, synth};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rewardanything_principles::{Measure, Quality, trim_to_words};

/// Texts tried for one wanted amount; the nearest is taken.
const TRIES: usize = 6;
/// How often amounts 0, 1, ... are wanted. Real text has none of most qualities: learned from that, the amount of every
/// response is "0", and nothing is measured.
const AMOUNTS: [f64; 9] = [0.24, 0.2, 0.16, 0.12, 0.09, 0.07, 0.05, 0.04, 0.03];
/// Share of texts that are taken as they come, whatever they have of the quality.
const AS_THEY_COME: f64 = 0.35;

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

    /// A text whose amount of `quality` is near one drawn evenly enough to be worth reading.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng, own: &[usize], quality: Quality) -> String {
        let limit = rng.random_range(self.max_words.div_ceil(3)..=self.max_words);
        if in_every_text(quality) || rng.random_bool(AS_THEY_COME) {
            return self.candidate(rng, own, (quality, false), limit);
        }
        let mut draw: f64 = rng.random();
        let wanted = AMOUNTS.iter().position(|share| {
            draw -= share;
            draw < 0.0
        });
        let wanted = wanted.unwrap_or(0) as f64;
        let mut best: Option<(f64, String)> = None;
        for _ in 0..TRIES {
            let text = self.candidate(rng, own, (quality, wanted > 0.0), limit);
            let off = (quality.measure(&text) - wanted).abs();
            if best.as_ref().is_none_or(|(least, _)| off < *least) {
                best = Some((off, text));
            }
            if off == 0.0 {
                break;
            }
        }
        best.expect("at least one text was tried. This is a bug.").1
    }

    /// One text of at most `limit` words, more likely to show the quality when some of it is wanted.
    fn candidate(
        &self,
        rng: &mut ChaCha8Rng,
        own: &[usize],
        (quality, wanted): (Quality, bool),
        limit: usize,
    ) -> String {
        let mut text = if self.pool.texts.is_empty() || rng.random_bool(self.synthetic) {
            let most = (limit / 6).clamp(2, 20);
            (0..rng.random_range(1..=most))
                .map(|_| synth::sentence(rng) + " ")
                .collect()
        } else {
            self.window(rng, own, limit)
        };
        if wanted && rng.random_bool(0.7) {
            text = self.enriched(rng, text, quality);
        }
        if quality == Quality::Of(Measure::Repetition) && rng.random_bool(0.6) {
            text = said_again(rng, &text);
        }
        if rng.random_bool(if of_lines(quality) { 0.5 } else { 0.15 }) {
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
            if words >= limit || rng.random_bool(0.05) {
                break;
            }
        }
        out
    }

    /// Puts what shows `quality` between the sentences of the text, at the places where it counts.
    fn enriched(&self, rng: &mut ChaCha8Rng, text: String, quality: Quality) -> String {
        let place = super::rules::trained().iter().position(|q| *q == quality);
        let bank = place
            .and_then(|at| self.pool.showing.get(at))
            .filter(|bank| !bank.is_empty());
        let one = |rng: &mut ChaCha8Rng| match bank.and_then(|bank| bank.choose(rng)) {
            Some(sentence) if rng.random_bool(0.6) => Some(format!("{} ", sentence.trim())),
            found => showing::passage(rng, quality).or(found.map(|s| format!("{} ", s.trim()))),
        };
        let mut parts = sentences(&text);
        let count = if quality.is_yes_or_no() {
            1
        } else {
            rng.random_range(1..=6)
        };
        for _ in 0..count {
            let Some(passage) = one(rng) else { break };
            let at = match quality {
                Quality::FillerOpening | Quality::NumberFirst => 0,
                Quality::FinalQuestion => parts.len(),
                _ => rng.random_range(0..=parts.len()),
            };
            // A line of its own begins on one.
            if showing::is_line(&passage) && at > 0 && !parts[at - 1].ends_with('\n') {
                parts[at - 1].push('\n');
            }
            parts.insert(at, passage);
        }
        // Short texts would lose it to the limit.
        if parts.len() > count && rng.random_bool(0.4) {
            let keep = rng.random_range(count..=parts.len());
            parts.truncate(keep);
        }
        parts.concat()
    }
}

/// A text that says some of its words again and again. In real text few words of a piece were there before: from that
/// alone the amount of every piece is "0".
fn said_again(rng: &mut ChaCha8Rng, text: &str) -> String {
    let share = rng.random_range(0.05..0.6);
    let mut said: Vec<&str> = Vec::new();
    for word in text.split_inclusive(' ') {
        said.push(word);
        if rng.random_bool(share) {
            let run = rng.random_range(1..=3);
            let from = rng.random_range(0..said.len());
            said.extend_from_within(from..said.len().min(from + run));
        }
    }
    said.concat()
}

/// Qualities that every text has much or little of.
fn in_every_text(quality: Quality) -> bool {
    matches!(
        quality,
        Quality::Variety
            | Quality::LongestParagraph
            | Quality::Of(Measure::Words | Measure::Capitals | Measure::LongWords | Measure::Repetition)
    )
}

/// Qualities of how a text is set.
fn of_lines(quality: Quality) -> bool {
    matches!(
        quality,
        Quality::Of(Measure::Lines | Measure::ListItems | Measure::Markup)
            | Quality::Steps
            | Quality::Bold
            | Quality::Paragraphs
            | Quality::LongestParagraph
            | Quality::Headings
    )
}

/// Sets the sentences of a text as lines, paragraphs, a list or with emphasis.
fn restructured(rng: &mut ChaCha8Rng, text: String) -> String {
    let parts = sentences(&text);
    let lines = |prefix: &dyn Fn(usize) -> String| -> String {
        parts
            .iter()
            .enumerate()
            .map(|(i, p)| format!("{}{}\n", prefix(i), p.trim()))
            .collect()
    };
    match rng.random_range(0..10) {
        0 => lines(&|_| "- ".to_owned()),
        1 | 2 => lines(&|i| format!("{}. ", i + 1)),
        3 => lines(&|_| "* ".to_owned()),
        4 => lines(&|_| String::new()),
        5 | 6 => {
            let every = rng.random_range(1..=3);
            lines(&|i| {
                if i > 0 && i % every == 0 {
                    "\n".to_owned()
                } else {
                    String::new()
                }
            })
        }
        7 => {
            let every = rng.random_range(1..=4);
            lines(&|i| {
                if i % every == 0 {
                    "## ".to_owned()
                } else {
                    String::new()
                }
            })
        }
        _ => {
            let mark = ["**", "`", "*", "**"].choose(rng).copied().unwrap_or("**");
            let share = rng.random_range(0.03..0.2);
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
    fn amounts_are_spread_and_no_text_is_too_long() {
        let mut pool = Pool::default();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for _ in 0..4_000 {
            pool.index(&synth::sentence(&mut rng));
        }
        let texts = Texts {
            pool: &pool,
            synthetic: 1.0,
            max_words: 60,
        };
        for quality in super::super::rules::trained() {
            let mut none = 0;
            for _ in 0..200 {
                let text = texts.draw(&mut rng, &[], *quality);
                assert!(rewardanything_principles::count_words(&text) <= 60, "{text}");
                none += usize::from(quality.measure(&text) == 0.0);
            }
            assert!(none < 165, "{quality:?}: none of it in {none} of 200");
        }
    }
}
