//! Counting the qualities that only the library asks for: one function for each, and their word lists.

use crate::count;
use crate::text::{count_words, is_in, lines, normal_form, sentences, tokens};

/// Words that a list holds.
pub(crate) fn of_list(text: &str, list: fn(&str) -> bool) -> usize {
    count::listed(text, list, count::no_pair)
}

pub(crate) fn is_intensifier(word: &str) -> bool {
    is_in(
        "very really extremely incredibly highly totally completely absolutely truly deeply hugely \
         utterly super especially remarkably exceptionally tremendously insanely entirely",
        word,
    )
}

pub(crate) fn is_absolute(word: &str) -> bool {
    is_in(
        "always all every everyone everybody everything everywhere must certainly definitely \
         undoubtedly guaranteed invariably entirely completely absolutely",
        word,
    )
}

pub(crate) fn is_filler(word: &str) -> bool {
    is_in(
        "basically just actually simply literally essentially honestly really quite anyway obviously \
         clearly",
        word,
    )
}

pub(crate) fn is_sequence(word: &str) -> bool {
    is_in(
        "first firstly second secondly third thirdly next then finally lastly afterwards afterward \
         meanwhile before after",
        word,
    )
}

pub(crate) fn is_contrast(word: &str) -> bool {
    is_in(
        "but however although though whereas nevertheless nonetheless yet despite conversely instead",
        word,
    )
}

pub(crate) fn is_apology(word: &str) -> bool {
    is_in(
        "sorry apologize apologise apologies apology regret unfortunately forgive pardon",
        word,
    )
}

fn is_reason(word: &str) -> bool {
    is_in(
        "because since therefore thus hence consequently accordingly reason reasons",
        word,
    )
}

fn is_reason_pair(first: &str, second: &str) -> bool {
    matches!(
        (first, second),
        ("due", "to") | ("a", "result") | ("so", "that") | ("thanks", "to") | ("owing", "to")
    )
}

pub(crate) fn reasons(text: &str) -> usize {
    count::listed(text, is_reason, is_reason_pair)
}

/// Distinct words for every hundred; 0 for a text without words.
pub(crate) fn variety(text: &str) -> f64 {
    let words: Vec<String> = tokens(text).map(normal_form).collect();
    let distinct: std::collections::HashSet<&String> = words.iter().collect();
    if words.is_empty() {
        return 0.0;
    }
    100.0 * distinct.len() as f64 / words.len() as f64
}

/// The automated readability index (Smith and Senter, 1967): 4.71 characters per word + 0.5 words per sentence - 21.43,
/// at least 0.
pub(crate) fn reading_grade(text: &str) -> f64 {
    let words = count_words(text);
    let sentences = sentences(text).count();
    if words == 0 || sentences == 0 {
        return 0.0;
    }
    let characters = text.chars().filter(|c| c.is_alphanumeric()).count();
    let words = words as f64;
    (4.71 * characters as f64 / words + 0.5 * words / sentences as f64 - 21.43).max(0.0)
}

/// Closed or cut-off fences.
pub(crate) fn code_blocks(text: &str) -> usize {
    text.matches("```").count().div_ceil(2)
}

pub(crate) fn headings(text: &str) -> usize {
    lines(text)
        .filter(|line| {
            let rest = line.trim_start_matches('#');
            (1..=6).contains(&(line.len() - rest.len())) && rest.starts_with(' ')
        })
        .count()
}

pub(crate) fn table_rows(text: &str) -> usize {
    lines(text)
        .filter(|line| line.len() > 2 && line.starts_with('|') && line.ends_with('|'))
        .filter(|line| line.chars().any(char::is_alphanumeric))
        .count()
}

pub(crate) fn bold(text: &str) -> usize {
    lines(text).map(|line| line.matches("**").count() / 2).sum()
}

pub(crate) fn links(text: &str) -> usize {
    text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '<' | '>' | '[' | ']' | '"'))
        .filter(|piece| {
            let piece = piece.to_ascii_lowercase();
            ["https://", "http://", "www."]
                .iter()
                .any(|start| piece.strip_prefix(start).is_some_and(|rest| rest.contains('.')))
        })
        .count()
}

/// `[3]`, `[3, 4]`, `(Smith, 2019)`, `(Smith and Lee 2019)`: brackets of digits alone, or ones that end in a year
/// after a name.
pub(crate) fn citations(text: &str) -> usize {
    let inside = |open: char, close: char| {
        text.split(open)
            .skip(1)
            .filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
    };
    let numbered = inside('[', ']')
        .filter(|inside| {
            inside.chars().any(|c| c.is_ascii_digit())
                && inside
                    .chars()
                    .all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ' | '-' | '\u{2013}'))
        })
        .count();
    let named = inside('(', ')')
        .filter(|inside| {
            inside.chars().next().is_some_and(char::is_uppercase)
                && inside.chars().count() <= 60
                && inside
                    .rsplit([' ', ','])
                    .next()
                    .is_some_and(|last| is_year(last.trim_end_matches(char::is_alphabetic)))
                && inside.contains([' ', ','])
        })
        .count();
    numbered + named
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.parse::<u32>().is_ok_and(|year| (1000..2100).contains(&year))
}

/// Years that stand as words of their own, alone or with an `s` (`1990s`).
pub(crate) fn years(text: &str) -> usize {
    tokens(text)
        .filter(|token| is_year(token) || token.strip_suffix('s').is_some_and(is_year))
        .count()
}

fn is_unit(word: &str) -> bool {
    is_in(
        "% percent per km m cm mm mile miles feet foot ft inch inches kg g mg gram grams lb lbs pound \
         pounds oz ounces l ml liter liters litre litres cup cups tablespoon tablespoons teaspoon \
         teaspoons second seconds minute minutes min hour hours day days week weeks month months year \
         years degree degrees kb mb gb tb hz mhz ghz watt watts kw kwh volt volts mph kph dollar \
         dollars euro euros usd calories kcal meters metres meter metre kilometers kilometres \
         kilograms million billion",
        &word.to_ascii_lowercase(),
    )
}

pub(crate) fn units(text: &str) -> usize {
    let chars: Vec<char> = text.chars().collect();
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut count = 0;
    let mut at = 0;
    while at < chars.len() {
        if !digit(at) {
            at += 1;
            continue;
        }
        let money = at > 0 && matches!(chars[at - 1], '$' | '\u{20ac}' | '\u{a3}' | '\u{a5}');
        while digit(at) || (matches!(chars.get(at), Some('.' | ',')) && digit(at + 1)) {
            at += 1;
        }
        let gap = usize::from(matches!(chars.get(at), Some(' ' | '-' | '\u{a0}')));
        let sign = matches!(chars.get(at + gap), Some('%' | '\u{b0}' | '\u{20ac}'));
        let word: String = chars[at + gap..]
            .iter()
            .take_while(|c| c.is_alphabetic())
            .collect();
        count += usize::from(money || sign || is_unit(&word));
    }
    count
}

/// Participles that do not end in `ed`.
fn is_participle(word: &str) -> bool {
    (word.len() > 3
        && word.ends_with("ed")
        && !matches!(word, "need" | "indeed" | "speed" | "seed" | "feed" | "breed"))
        || is_in(
            "been born borne bought brought broken built caught chosen cut dealt done drawn driven eaten \
         fallen fed felt forbidden forgotten fought found frozen given grown heard held hidden hit \
         hurt kept known laid led left lent lost made meant met paid put read run said seen sent set \
         shown shut sold spent split spoken spread stolen sung taken taught thought thrown told torn \
         understood won worn written",
            word,
        )
}

fn is_form_of_be(word: &str) -> bool {
    is_in(
        "is are was were be been being am isn't aren't wasn't weren't it's they're that's",
        word,
    )
}

pub(crate) fn passives(text: &str) -> usize {
    sentences(text)
        .map(|sentence| {
            let words: Vec<String> = tokens(sentence).map(normal_form).collect();
            (0..words.len())
                .filter(|&at| is_form_of_be(&words[at]))
                .filter(|&at| {
                    let between = |word: &String| {
                        word.ends_with("ly") || matches!(word.as_str(), "not" | "also" | "often")
                    };
                    match words.get(at + 1) {
                        Some(next) if between(next) => {
                            words.get(at + 2).is_some_and(|word| is_participle(word))
                        }
                        // "has been being": the second form counts for itself.
                        Some(next) => !is_form_of_be(next) && is_participle(next),
                        None => false,
                    }
                })
                .count()
        })
        .sum()
}

pub(crate) fn emoji(text: &str) -> usize {
    text.chars()
        .filter(|&c| {
            matches!(u32::from(c), 0x1f300..=0x1f5ff | 0x1f600..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1f9ff
                | 0x1fa70..=0x1faff | 0x2600..=0x26ff | 0x2705 | 0x2728 | 0x274c | 0x2764 | 0x2b50)
                // Skin tones colour the one before.
                && !matches!(u32::from(c), 0x1f3fb..=0x1f3ff)
        })
        .count()
}

/// Blocks of lines between blank lines that hold a word.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match (line.trim().is_empty(), blocks.last_mut()) {
            (false, Some(last)) => {
                last.push_str(line);
                last.push('\n');
            }
            _ => blocks.push(String::new()),
        }
    }
    blocks.into_iter().filter(|block| count_words(block) > 0)
}

pub(crate) fn longest_paragraph(text: &str) -> usize {
    paragraphs(text)
        .map(|block| count_words(&block))
        .max()
        .unwrap_or(0)
}

pub(crate) fn longest_sentence(text: &str) -> usize {
    sentences(text).map(count_words).max().unwrap_or(0)
}

pub(crate) fn dashes(text: &str) -> usize {
    let long = text.matches(['\u{2013}', '\u{2014}']).count();
    // A hyphen that opens a line is a bullet.
    long + lines(text)
        .map(|line| line.matches(" - ").count() + line.matches(" -- ").count())
        .sum::<usize>()
}

pub(crate) fn shouting(text: &str) -> usize {
    tokens(text)
        .filter(|token| token.chars().filter(|c| c.is_alphabetic()).count() >= 2)
        .filter(|token| token.chars().all(|c| c.is_uppercase() || !c.is_alphabetic()))
        .count()
}

const DISCLAIMERS: &[&str] = &[
    "as an ai",
    "as a language model",
    "i am an ai",
    "i'm an ai",
    "an ai assistant",
    "consult a",
    "consult with a",
    "consult your",
    "seek professional",
    "seek medical",
    "not a substitute for",
    "not medical advice",
    "not legal advice",
    "not financial advice",
    "i cannot guarantee",
    "i can't guarantee",
];

pub(crate) fn disclaimers(text: &str) -> usize {
    let text: String = text.to_lowercase().replace('\u{2019}', "'");
    DISCLAIMERS
        .iter()
        .map(|phrase| {
            text.match_indices(phrase)
                .filter(|(at, _)| {
                    let end = at + phrase.len();
                    !text[end..].starts_with(char::is_alphanumeric)
                        && !text[..*at].ends_with(|c: char| c.is_alphanumeric())
                })
                .count()
        })
        .sum()
}

pub(crate) fn steps(text: &str) -> usize {
    lines(text)
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(count::list_items)
        .sum()
}

pub(crate) fn repeated_openings(text: &str) -> usize {
    let openings: Vec<String> = sentences(text)
        .filter_map(|sentence| tokens(sentence).find(|token| token.chars().any(char::is_alphabetic)))
        .map(normal_form)
        .collect();
    openings.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

pub(crate) fn ends_with_question(text: &str) -> bool {
    text.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '!' | '?' | '\u{ff1f}'))
        .ends_with(['?', '\u{ff1f}'])
}

pub(crate) fn opens_with_filler(text: &str) -> bool {
    let words: Vec<String> = tokens(text).take(2).map(normal_form).collect();
    let first = words.first().map(String::as_str).unwrap_or_default();
    let second = words.get(1).map(String::as_str).unwrap_or_default();
    is_in(
        "sure certainly absolutely okay ok well definitely hello hi",
        first,
    ) || matches!(
        (first, second),
        ("of", "course")
            | ("great", "question")
            | ("good", "question")
            | ("no", "problem")
            | ("thank", "you")
            | ("thanks", "for")
            | ("happy", "to")
            | ("i'd", "be")
    )
}

pub(crate) fn number_first(text: &str) -> bool {
    sentences(text)
        .next()
        .is_some_and(|first| count::numbers(first) > 0)
}
