//! Responses in pieces of a few words, each behind a mark that no two share.
//!
//! A small model that is to say how much of something a long text has does better step by step: it names a piece by its
//! mark, says how much that piece has, adds it to what it had, and goes on to the next. The text itself is unchanged;
//! pieces joined give it back.

/// Words of a piece, unless a profile says otherwise.
pub const PIECE_WORDS: usize = 10;
/// Pieces of a response at most, one for each letter of the alphabet; a longer text has longer pieces.
pub const MAX_PIECES: usize = 26;

/// How the thinking of a judge begins that reads responses out: a line with what is asked for, and then every response.
pub const OPENING: &str = "<think>\nAsked for:";
/// What stands behind the last piece of a response: amounts of the whole follow, to the end of the line.
pub const TOTAL: &str = " all";

/// The mark before piece `piece` of the response at `position`, both counted from 0: `⟦1a⟧` for the first of the first.
///
/// # Panics
/// `piece` is not below [`MAX_PIECES`].
pub fn mark(position: usize, piece: usize) -> String {
    assert!(
        piece < MAX_PIECES,
        "a text has at most {MAX_PIECES} pieces. This is a bug."
    );
    let letter = char::from(b"abcdefghijklmnopqrstuvwxyz"[piece]);
    format!("⟦{}{letter}⟧", position + 1)
}

/// The pieces of a text, of `words` words each, at least one and at most [`MAX_PIECES`], cut right after a word: a
/// tokenizer reads the white space before a word as part of it.
///
/// ```
/// use rewardanything_core::pieces::pieces;
/// let text = "one two\n".repeat(15);
/// let cut = pieces(&text, 20);
/// assert_eq!((cut.len(), cut.concat()), (2, text.clone()));
/// assert_eq!(cut[0], "one two\n".repeat(10).trim_end());
/// ```
pub fn pieces(text: &str, words: usize) -> Vec<&str> {
    let ends: Vec<usize> = word_ends(text).collect();
    let words = ends.len().div_ceil(MAX_PIECES).max(words).max(1);
    let mut cuts = vec![0];
    // The last piece takes what follows its last word, and is not an empty one.
    cuts.extend(ends.chunks(words).map(|piece| piece[piece.len() - 1]));
    cuts.truncate(ends.len().div_ceil(words).max(1));
    cuts.push(text.len());
    cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
}

/// A response as a judge reads it out before it counts: for each piece the text up to the bracket in which the amounts
/// of that piece are written, the label before the first.
///
/// ```
/// use rewardanything_core::pieces::read_out;
/// let text = read_out("model-2", 1, "One, two, three", 2);
/// assert_eq!(text, ["model-2: ⟦2a⟧ One, two, [", "⟦2b⟧ three ["]);
/// ```
pub fn read_out(label: &str, position: usize, text: &str, words: usize) -> Vec<String> {
    let cut = pieces(text, words).into_iter().enumerate();
    cut.map(|(piece, words)| match piece {
        0 => format!("{label}: {} {words} [", mark(position, piece)),
        _ => format!("{}{words} [", mark(position, piece)),
    })
    .collect()
}

/// Where each word ends, in bytes; white space parts words.
fn word_ends(text: &str) -> impl Iterator<Item = usize> {
    let mut in_word = false;
    let ends = text.char_indices().map(Some).chain([None]);
    ends.filter_map(move |next| {
        let (at, inside) = next.map_or((text.len(), false), |(at, c)| (at, !c.is_whitespace()));
        let ended = in_word && !inside;
        in_word = inside;
        ended.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_count_from_one_and_a() {
        assert_eq!(
            (mark(0, 0), mark(11, 25)),
            ("⟦1a⟧".to_owned(), "⟦12z⟧".to_owned())
        );
    }

    #[test]
    fn a_long_text_has_long_pieces() {
        let text = "word ".repeat(1_000);
        let cut = pieces(&text, 20);
        assert_eq!(cut.len(), 26);
        assert_eq!(cut[0].split_whitespace().count(), 39);
        assert_eq!(pieces("", 20).len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn pieces_joined_are_the_text(text in "[a\u{e4} \n]{0,400}", words in 1usize..30) {
            let cut = pieces(&text, words);
            proptest::prop_assert_eq!(cut.concat(), text.as_str());
            proptest::prop_assert!((1..=MAX_PIECES).contains(&cut.len()));
        }
    }
}
