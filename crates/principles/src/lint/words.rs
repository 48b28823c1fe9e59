//! A principle cut into words that know where they stand.

use super::Evidence;
use crate::text::{is_apostrophe, is_in, normal_form};

/// A word with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// In lower case, with straight apostrophes.
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Which sentence it is in; a line break ends one.
    pub(super) sentence: usize,
    /// Which clause it is in, counted over the whole text: between commas, brackets, colons and the like.
    pub(super) clause: usize,
}

/// All words of a text.
#[derive(Debug)]
pub(super) struct Words<'a> {
    source: &'a str,
    all: Vec<Word>,
}

impl<'a> Words<'a> {
    pub(super) fn of(source: &'a str) -> Self {
        let mut all: Vec<Word> = Vec::new();
        let (mut sentence, mut clause) = (0, 0);
        let mut start = None;
        let mut chars = source.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let next = chars.peek().map(|&(_, next)| next);
            let inside_number = matches!(c, '.' | ',') && next.is_some_and(|next| next.is_ascii_digit());
            let is_word =
                c.is_alphanumeric() || is_apostrophe(c) || c == '%' || (inside_number && start.is_some());
            if is_word {
                start.get_or_insert(at);
            }
            let ends = !is_word || next.is_none();
            if let Some(from) = start.filter(|_| ends) {
                let end = if is_word { at + c.len_utf8() } else { at };
                let text = normal_form(source[from..end].trim_matches(is_apostrophe));
                if !text.is_empty() {
                    all.push(Word {
                        text,
                        start: from,
                        end,
                        sentence,
                        clause,
                    });
                }
                start = None;
            }
            if !is_word {
                sentence += usize::from(matches!(c, '.' | '!' | '?' | '\n'));
                clause += usize::from(
                    !c.is_whitespace()
                        && !matches!(c, '-' | '"' | '/' | '\u{2018}' | '\u{201c}' | '\u{201d}'),
                );
                clause += usize::from(c == '\n');
            }
        }
        Words { source, all }
    }

    pub(super) fn all(&self) -> &[Word] {
        &self.all
    }

    /// The word at a place, or nothing beyond either end.
    pub(super) fn text(&self, at: usize) -> &str {
        self.all.get(at).map_or("", |word| word.text.as_str())
    }

    /// The words of the sentence that the word stands in.
    pub(super) fn sentence_of(&self, at: usize) -> impl Iterator<Item = &str> {
        let sentence = self.all[at].sentence;
        self.all
            .iter()
            .filter(move |word| word.sentence == sentence)
            .map(|word| word.text.as_str())
    }

    /// True when the word is followed by nothing in its clause.
    pub(super) fn ends_clause(&self, at: usize) -> bool {
        self.all
            .get(at + 1)
            .is_none_or(|next| next.clause != self.all[at].clause)
    }

    pub(super) fn has(&self, wanted: &[&str]) -> bool {
        self.all.iter().any(|word| wanted.contains(&word.text.as_str()))
    }

    pub(super) fn has_of(&self, list: &str) -> bool {
        self.all.iter().any(|word| is_in(list, &word.text))
    }

    /// Where the words of a phrase stand next to each other in one sentence: the place of its first word.
    pub(super) fn find(&self, phrase: &str) -> Option<usize> {
        let parts: Vec<&str> = phrase.split(' ').collect();
        self.all.windows(parts.len()).position(|window| {
            window[0].sentence == window[window.len() - 1].sentence
                && window.iter().zip(&parts).all(|(word, part)| word.text == *part)
        })
    }

    /// The source from the first of the words to the last.
    pub(super) fn evidence(&self, first: usize, last: usize) -> Evidence {
        let (start, end) = (self.all[first].start, self.all[last].end);
        Evidence {
            start,
            end,
            text: self.source[start..end].to_owned(),
        }
    }

    pub(super) fn source(&self) -> &str {
        self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_know_their_place() {
        let words = Words::of("Short, not \u{2018}long\u{2019}. 2.5% it\u{2019}s\nend");
        let all: Vec<(&str, usize, usize)> = words
            .all()
            .iter()
            .map(|word| (word.text.as_str(), word.sentence, word.clause))
            .collect();
        assert_eq!(
            all,
            [
                ("short", 0, 0),
                ("not", 0, 1),
                ("long", 0, 1),
                ("2.5%", 1, 2),
                ("it's", 1, 2),
                ("end", 2, 3)
            ]
        );
        assert_eq!(words.find("not long"), Some(1));
        assert_eq!(words.find("long 2.5%"), None, "not in one sentence");
        assert_eq!(words.evidence(4, 5).text, "it\u{2019}s\nend");
        assert!(words.ends_clause(0) && !words.ends_clause(1) && words.ends_clause(5));
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_cut_and_linted(text in "\\PC{0,60}") {
            let words = Words::of(&text);
            for word in words.all() {
                proptest::prop_assert!(word.start < word.end && text.is_char_boundary(word.end));
            }
            for finding in super::super::lint(&text) {
                proptest::prop_assert!(!finding.evidence.is_empty());
                for evidence in finding.evidence {
                    proptest::prop_assert_eq!(&text[evidence.start..evidence.end], evidence.text);
                }
            }
        }
    }
}
