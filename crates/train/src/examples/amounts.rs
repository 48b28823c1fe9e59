//! How much of a quality a text has, piece by piece, in whole numbers.

use rewardanything_core::pieces::pieces;
use rewardanything_principles::Quality;

/// What a reply writes down of one text: the amount up to the end of each piece, the last of the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Amounts {
    /// Never empty.
    pub(super) running: Vec<u32>,
    /// Whether each is the one before and what the piece adds. Of an average, or of the longest paragraph, it is not.
    pub(super) adds_up: bool,
}

impl Amounts {
    /// Measures a text in pieces of so many words.
    ///
    /// A piece may seem to have what the whole text does not (half of a bold span, a question that is not the last
    /// sentence), so no amount that adds up exceeds the last.
    pub(super) fn of(quality: Quality, text: &str, piece_words: usize) -> Self {
        let adds_up = adds_up(quality);
        let whole = rounded(quality.measure(text));
        let mut end = 0;
        let mut most = 0;
        let running = pieces(text, piece_words)
            .into_iter()
            .map(|piece| {
                end += piece.len();
                let here = rounded(quality.measure(&text[..end]));
                most = here.max(most);
                if adds_up { most.min(whole) } else { here }
            })
            .collect();
        let mut amounts = Self { running, adds_up };
        if let Some(last) = amounts.running.last_mut() {
            *last = whole;
        }
        amounts
    }

    /// The whole text's.
    pub(super) fn whole(&self) -> u32 {
        self.running.last().copied().unwrap_or(0)
    }
}

fn rounded(amount: f64) -> u32 {
    amount.round() as u32
}

fn adds_up(quality: Quality) -> bool {
    use rewardanything_principles::Measure::SentenceLength;
    !matches!(
        quality,
        Quality::Variety
            | Quality::LongestParagraph
            | Quality::LongestSentence
            | Quality::ReadingGrade
            | Quality::Of(SentenceLength)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_principles::Measure;

    #[test]
    fn amounts_run_up_to_the_whole() {
        let text = "one, ".repeat(45);
        let commas = Amounts::of(Quality::Of(Measure::Commas), &text, 20);
        assert_eq!(commas.running, [20, 40, 45]);
        // The first twenty words close no span, and the text has one.
        let bold = format!("{}**bold words** and more", "word ".repeat(19));
        assert_eq!(Amounts::of(Quality::Bold, &bold, 20).running, [0, 1]);
        let variety = Amounts::of(Quality::Variety, "a b a b", 20);
        assert_eq!((variety.running, variety.adds_up), (vec![50], false));
    }
}
