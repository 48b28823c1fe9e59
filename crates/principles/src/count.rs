//! The measures themselves: each function counts one quality of a text.

use crate::lexicon;
use crate::text::{count_words, is_apostrophe, lines, normal_form, sentences, tokens};

/// Letters from which on a word is long.
const LONG_WORD: usize = 8;
/// Letters from which on a repeated word counts as repetition: shorter ones repeat in every text.
const CONTENT_WORD: usize = 4;

pub(crate) fn chars(text: &str, wanted: &[char]) -> usize {
    text.chars().filter(|c| wanted.contains(c)).count()
}

/// Words for which `single` holds, plus neighbours for which `pair` holds (a pair is one occurrence).
pub(crate) fn listed(text: &str, single: fn(&str) -> bool, pair: fn(&str, &str) -> bool) -> usize {
    let mut previous = String::new();
    let mut count = 0;
    for token in tokens(text) {
        let word = normal_form(token);
        count += usize::from(single(&word)) + usize::from(pair(&previous, &word));
        previous = word;
    }
    count
}

pub(crate) fn no_pair(_: &str, _: &str) -> bool {
    false
}

/// Pronouns of one person; `I'm` and `you've` count, the country `US` does not.
pub(crate) fn pronouns(text: &str, person: fn(&str) -> bool) -> usize {
    tokens(text)
        .filter(|token| *token != "US")
        .filter(|token| person(normal_form(token.split(is_apostrophe).next().unwrap_or_default()).as_str()))
        .count()
}

pub(crate) fn sentence_count(text: &str) -> usize {
    sentences(text).count()
}

/// Average number of words of a sentence; 0 for a text without any.
pub(crate) fn sentence_length(text: &str) -> f64 {
    match sentence_count(text) {
        0 => 0.0,
        n => count_words(text) as f64 / n as f64,
    }
}

pub(crate) fn line_count(text: &str) -> usize {
    lines(text).count()
}

/// Lines that open with a bullet (`-`, `*`, `+`, `•`) or a number (`1.`, `2)`), then a space.
pub(crate) fn list_items(text: &str) -> usize {
    lines(text).filter(|line| is_list_item(line)).count()
}

fn is_list_item(line: &str) -> bool {
    let rest = match line.strip_prefix(['-', '*', '+', '\u{2022}']) {
        Some(rest) => rest,
        None => {
            let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            match line[digits..].strip_prefix(['.', ')']) {
                Some(rest) if (1..=3).contains(&digits) => rest,
                _ => return false,
            }
        }
    };
    rest.starts_with(char::is_whitespace)
}

/// Markdown marks: bold spans, heading lines, inline code and code fences.
pub(crate) fn markup(text: &str) -> usize {
    let headings = lines(text)
        .filter(|line| {
            let rest = line.trim_start_matches('#');
            (1..=6).contains(&(line.len() - rest.len())) && rest.starts_with(' ')
        })
        .count();
    headings + spans(text, "**") + code(text)
}

/// Code: closed or cut-off fences, and inline spans between backticks outside of them.
pub(crate) fn code(text: &str) -> usize {
    let parts: Vec<&str> = text.split("```").collect();
    let fences = parts.len() / 2;
    // Odd pieces lie inside a fence.
    fences
        + parts
            .iter()
            .step_by(2)
            .map(|outside| spans(outside, "`"))
            .sum::<usize>()
}

/// Closed spans between two equal marks on one line.
fn spans(text: &str, mark: &str) -> usize {
    lines(text).map(|line| line.matches(mark).count() / 2).sum()
}

/// Quoted passages: pairs of double quotation marks, straight or curly (a cut-off one counts).
pub(crate) fn quotes(text: &str) -> usize {
    chars(text, &['"']).div_ceil(2) + chars(text, &['\u{201c}', '\u{ab}'])
}

/// Numbers written in digits; `1,000.5` and `10:30` are one and two.
pub(crate) fn numbers(text: &str) -> usize {
    let chars: Vec<char> = text.chars().collect();
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut count = 0;
    let mut at = 0;
    while at < chars.len() {
        if !digit(at) {
            at += 1;
            continue;
        }
        count += 1;
        while digit(at) || (matches!(chars.get(at), Some('.' | ',')) && digit(at + 1)) {
            at += 1;
        }
    }
    count
}

/// Words that begin with a capital letter.
pub(crate) fn capitals(text: &str) -> usize {
    tokens(text)
        .filter(|token| token.chars().next().is_some_and(char::is_uppercase))
        .count()
}

pub(crate) fn long_words(text: &str) -> usize {
    tokens(text).filter(|token| letters(token) >= LONG_WORD).count()
}

fn letters(token: &str) -> usize {
    token.chars().filter(|c| c.is_alphabetic()).count()
}

/// Occurrences of words of at least four letters that the text has used before.
pub(crate) fn repetition(text: &str) -> usize {
    let mut seen = std::collections::HashSet::new();
    tokens(text)
        .filter(|token| letters(token) >= CONTENT_WORD)
        .filter(|token| !seen.insert(normal_form(token)))
        .count()
}

pub(crate) fn examples(text: &str) -> usize {
    listed(text, lexicon::is_example, lexicon::is_example_pair)
}
