//! Guesses at what a row writes next, so that one pass can confirm several tokens.
//!
//! A judge quotes: it names the responses, repeats what it weighs, and writes the same frame around each. Where the last
//! tokens of a row have stood before, in its prompt or in its reply, what followed them there is guessed to follow here
//! (prompt lookup decoding: speculative decoding whose draft is the row's own text). The pass computes the guessed tokens
//! as if they were written; each is then sampled from its own logits, and those up to the first that came out otherwise
//! are kept. Since a row's logits do not depend on the pieces it is computed in, replies are the same, bit for bit, with
//! and without guesses.

use std::collections::HashMap;
use std::ops::Range;

/// Tokens that must agree for a guess: with fewer, chance agreements cost more than they bring.
const GRAM: usize = 3;

/// The most tokens guessed at once. A quotation is seldom longer without a word of the judge's own.
const MOST: usize = 16;

/// One row's guesses.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The place after the latest occurrence of every gram.
    after: HashMap<[u32; GRAM], usize>,
    /// Tokens whose grams are in `after`.
    indexed: usize,
    /// Tokens to guess next time: more after guesses that came true.
    length: usize,
    /// Where the last guess was read.
    guess: Range<usize>,
    /// Where the guesses that have come true so far go on.
    next: Option<usize>,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self {
            after: HashMap::new(),
            indexed: 0,
            length: 4,
            guess: 0..0,
            next: None,
        }
    }

    /// What may follow `tokens`, at most `room` of it.
    pub(crate) fn guess<'t>(&mut self, tokens: &'t [u32], room: usize) -> &'t [u32] {
        // Behind the last guess stands one more token, which was not guessed.
        let goes_on = |&next: &usize| tokens.get(next) == tokens.last();
        let from = match self.next.take().filter(goes_on) {
            Some(next) => Some(next + 1),
            None => self.look_up(tokens),
        };
        self.guess = match from {
            Some(from) => from..(from + self.length.min(room)).min(tokens.len()),
            None => 0..0,
        };
        &tokens[self.guess.clone()]
    }

    /// Where the last gram has stood before. The grams before it are noted on the way.
    fn look_up(&mut self, tokens: &[u32]) -> Option<usize> {
        let last = gram(tokens.get(tokens.len().checked_sub(GRAM)?..)?)?;
        for end in self.indexed.max(GRAM)..tokens.len() {
            self.after
                .extend(gram(&tokens[end - GRAM..end]).map(|gram| (gram, end)));
        }
        self.indexed = tokens.len();
        self.after.get(&last).copied()
    }

    /// Takes note that the first `right` tokens of the last guess came true.
    pub(crate) fn learn(&mut self, right: usize) {
        if self.guess.is_empty() {
            return;
        }
        if right == self.guess.len() {
            self.length = (2 * self.length).min(MOST);
            self.next = Some(self.guess.end);
        } else {
            self.length = right.max(2);
        }
    }
}

fn gram(tokens: &[u32]) -> Option<[u32; GRAM]> {
    tokens.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_guessed_on_from_where_it_stood() {
        let mut draft = Draft::new();
        let mut tokens: Vec<u32> = (0..40).collect();
        assert!(draft.guess(&tokens, 9).is_empty(), "nothing has stood before");
        draft.learn(0);
        tokens.extend([90, 5, 6]);
        assert!(draft.guess(&tokens, 9).is_empty(), "two tokens agree by chance");
        tokens.push(7);
        assert_eq!(draft.guess(&tokens, 9), [8, 9, 10, 11]);
        draft.learn(4);
        tokens.extend([8, 9, 10, 11, 12]);
        assert_eq!(draft.guess(&tokens, 3), [13, 14, 15]);
        draft.learn(1);
        tokens.extend([13, 77, 77, 6, 7, 8]);
        assert_eq!(
            draft.guess(&tokens, 9),
            [9, 10],
            "fewer after a miss, from the latest place"
        );
    }
}
