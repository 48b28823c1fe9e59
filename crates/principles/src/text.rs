//! Cutting text into lines, sentences and words: the one place that says what each of them is.
//!
//! All functions look at characters, without regular expressions: training measures millions of texts.

/// True for a character that belongs to a word.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric()
}

/// True for both shapes of the apostrophe.
pub(crate) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

/// The whitespace-separated pieces that hold a letter or a digit: what a person counts as words.
///
/// A lone dash, bullet or `**` is no word; `well-known` and `3.14` are one each.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
        .filter(|piece| piece.chars().any(is_word_char))
}

/// Number of words of a text (see [`trim_to_words`] for the same count used as a limit).
pub fn count_words(text: &str) -> usize {
    pieces(text).count()
}

/// The lexical words: runs of letters and digits with apostrophes inside, so `well-known` is two.
///
/// Word lists and letter counts use these, because punctuation never sticks to them.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_word_char(c) && !is_apostrophe(c))
        .map(|token| token.trim_matches(is_apostrophe))
        .filter(|token| !token.is_empty())
}

/// A lexical word in lower case with straight apostrophes: the form that word lists hold.
pub(crate) fn normal_form(token: &str) -> String {
    token
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| if is_apostrophe(c) { '\'' } else { c })
        .collect()
}

/// True for a word of a list that is written as one text, its words parted by blanks.
pub(crate) fn is_in(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == word)
}

/// The lines that are not blank, without surrounding whitespace.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Ends of the sentences of one line, as byte offsets after their closing punctuation.
///
/// A sentence ends at `.`, `!`, `?`, `…` or their full-width forms (with closing quotes, brackets and
/// emphasis), followed by whitespace or the end of the line; a full stop after a common abbreviation, a
/// single letter or nothing but digits (`1.` of a list) does not end one. The end of the line always does.
fn sentence_ends(line: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut start = 0;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !is_terminator(c) {
            continue;
        }
        let mut only_stop = c == '.';
        let mut end = at + c.len_utf8();
        while let Some(&(next_at, next)) = chars.peek() {
            if !is_terminator(next) && !is_closer(next) {
                break;
            }
            only_stop &= !is_terminator(next);
            end = next_at + next.len_utf8();
            chars.next();
        }
        let wide = !matches!(c, '.' | '!' | '?' | '\u{2026}');
        let at_gap = wide || chars.peek().is_none_or(|&(_, next)| next.is_whitespace());
        if at_gap && !(only_stop && stop_is_inside(&line[start..at])) {
            ends.push(end);
            start = end;
        }
    }
    if ends.last() != Some(&line.len()) {
        ends.push(line.len());
    }
    ends
}

fn is_terminator(c: char) -> bool {
    matches!(
        c,
        '.' | '!' | '?' | '\u{2026}' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}'
    )
}

fn is_closer(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '*' | '_' | '\u{201d}' | '\u{2019}')
}

/// True when a full stop right after `before` belongs to its word, not to the sentence.
fn stop_is_inside(before: &str) -> bool {
    let last = before
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or_default();
    let word = last.trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut letters = word.chars();
    let single = letters.next().is_some_and(|c| c.is_uppercase() && c != 'I') && letters.next().is_none();
    let marker = before.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '#' | '-'));
    let number = !marker.is_empty() && marker.chars().all(|c| c.is_ascii_digit());
    let known = matches!(
        word.to_ascii_lowercase().as_str(),
        "e.g"
            | "i.e"
            | "mr"
            | "mrs"
            | "ms"
            | "dr"
            | "prof"
            | "st"
            | "vs"
            | "approx"
            | "u.s"
            | "u.k"
            | "a.m"
            | "p.m"
    );
    single || number || known
}

/// The sentences of a text: pieces between sentence ends that hold a letter or digit. A line break ends one.
pub(crate) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    lines(text).flat_map(|line| {
        let ends = sentence_ends(line);
        let starts = std::iter::once(0).chain(ends.clone());
        starts
            .zip(ends)
            .map(|(start, end)| line[start..end].trim())
            .filter(|piece| count_words(piece) > 0)
    })
}

/// The longest prefix of whole sentences and lines of at most `max` words, surrounding whitespace removed.
///
/// When even the first sentence is longer, it is cut after its `max`-th word. Line breaks inside the prefix
/// are kept, so that lists stay lists; a line that introduces nothing any more (a lone list marker) is
/// dropped.
///
/// ```
/// use rewardanything_principles::trim_to_words;
/// assert_eq!(trim_to_words("One two. Three four five.", 4), "One two.");
/// assert_eq!(trim_to_words("One two three four", 3), "One two three");
/// ```
pub fn trim_to_words(text: &str, max: usize) -> String {
    let text = text.trim();
    let mut kept_words = 0;
    let mut kept_bytes = 0;
    let mut offset = 0;
    'lines: for line in text.split_inclusive('\n') {
        let mut start = 0;
        for end in sentence_ends(line.trim_end()) {
            kept_words += count_words(&line[start..end]);
            if kept_words > max {
                break 'lines;
            }
            kept_bytes = offset + end;
            start = end;
        }
        offset += line.len();
    }
    let kept = text[..kept_bytes].trim_end();
    if count_words(kept) > 0 || max == 0 {
        return kept.to_owned();
    }
    cut_after_word(text, max).to_owned()
}

/// The prefix that ends with the `max`-th word, or the whole text when it has fewer.
fn cut_after_word(text: &str, max: usize) -> &str {
    match pieces(text).nth(max.saturating_sub(1)) {
        Some(last) => {
            let end = last.as_ptr() as usize - text.as_ptr() as usize + last.len();
            &text[..end]
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_pieces_with_a_letter_or_digit() {
        let check = |text: &str, expect: usize| assert_eq!(count_words(text), expect, "{text:?}");
        check("", 0);
        check(" - * ** ", 0);
        check("A well-known fact - really.", 4);
        check("3.14 is\n\npi", 3);
    }

    #[test]
    fn tokens_carry_no_punctuation() {
        let check = |text: &str, expect: &[&str]| assert_eq!(tokens(text).collect::<Vec<_>>(), expect);
        check("'It isn't (well-known)!'", &["It", "isn't", "well", "known"]);
        check("cats' 3.5", &["cats", "3", "5"]);
        assert_eq!(normal_form("Don\u{2019}t"), "don't");
    }

    #[test]
    fn sentences_end_where_a_reader_stops() {
        let check = |text: &str, expect: &[&str]| assert_eq!(sentences(text).collect::<Vec<_>>(), expect);
        check("", &[]);
        check("One. Two! Three?", &["One.", "Two!", "Three?"]);
        check("No end\nnext line", &["No end", "next line"]);
        check(
            "Dr. Who met J. Smith, e.g. at 3.14 p.m. today.",
            &["Dr. Who met J. Smith, e.g. at 3.14 p.m. today."],
        );
        check(
            "1. First thing. It helps.\n2. Second",
            &["1. First thing.", "It helps.", "2. Second"],
        );
        check(
            "He said \"stop.\" Then he left...",
            &["He said \"stop.\"", "Then he left..."],
        );
        check("See a.b.c or x.y now", &["See a.b.c or x.y now"]);
        check("It was I. You know.", &["It was I.", "You know."]);
        check("The year was 2020. Then", &["The year was 2020.", "Then"]);
    }

    #[test]
    fn trimming_keeps_whole_sentences_and_lines() {
        let check = |text: &str, max: usize, expect: &str| {
            assert_eq!(trim_to_words(text, max), expect, "{text:?} {max}")
        };
        check("  Short one.  ", 10, "Short one.");
        check("One two. Three four. Five.", 4, "One two. Three four.");
        check("One two. Three four. Five.", 3, "One two.");
        check("one two three four", 2, "one two");
        check("One, two three.", 1, "One,");
        check("Top:\n\n- a b\n- c d\n", 3, "Top:\n\n- a b");
        check("Top:\n\n- a b\n- c d\n", 2, "Top:");
        check("anything", 0, "");
        check("", 5, "");
    }

    proptest::proptest! {
        #[test]
        fn a_trimmed_text_is_a_prefix_within_the_limit(text in "[ a-c.!\n\u{e9}-]{0,60}", max in 1usize..8) {
            let trimmed = trim_to_words(&text, max);
            proptest::prop_assert!(text.trim().starts_with(&trimmed));
            proptest::prop_assert!(count_words(&trimmed) <= max);
            proptest::prop_assert_eq!(count_words(&trimmed) == 0, count_words(&text) == 0);
        }
    }
}
