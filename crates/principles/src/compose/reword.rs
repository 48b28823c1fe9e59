//! Other words for the same: a judge that has only read "answer" and "best" stumbles over "candidate" and "finest".

use rand::Rng;
use rand::seq::IndexedRandom;

/// Chance that a word with other words is replaced by one of them.
const REPLACED: f64 = 0.4;

/// Words and what may stand for each, in lower case; a key of several words is sought before its parts. No replacement
/// changes the quality or the direction, and none is itself a key, so nothing is replaced twice.
const WORDS: &[(&str, &[&str])] = &[
    (
        "answer",
        &[
            "response",
            "reply",
            "candidate",
            "output",
            "version",
            "message",
            "submission",
            "entry",
        ],
    ),
    (
        "answers",
        &[
            "responses",
            "replies",
            "candidates",
            "outputs",
            "versions",
            "messages",
            "submissions",
            "entries",
        ],
    ),
    (
        "prefer",
        &["choose", "pick", "select", "back", "go for", "opt for"],
    ),
    ("favour", &["support", "promote", "side with", "lean towards"]),
    ("rank", &["grade", "arrange", "list", "place"]),
    ("better", &["superior", "stronger", "nicer", "more valuable"]),
    (
        "the best",
        &["the finest", "the strongest", "my favourite", "the one to pick"],
    ),
    ("the worst", &["the weakest", "the poorest", "the one to drop"]),
    (
        "plenty of",
        &[
            "lots of",
            "loads of",
            "an abundance of",
            "a wealth of",
            "a great deal of",
        ],
    ),
    (
        "hardly any",
        &[
            "scarcely any",
            "almost no",
            "next to no",
            "practically no",
            "barely any",
        ],
    ),
    ("highest", &["largest", "greatest", "maximal"]),
    ("lowest", &["slightest", "tiniest", "minimal"]),
    ("reward", &["honour", "prize", "endorse", "encourage"]),
    ("penalise", &["punish", "mark down", "demote", "discourage"]),
    ("dislike", &["hate", "detest", "loathe", "cannot stand"]),
    ("score", &["mark", "grade", "rating"]),
    ("please", &["kindly", "be so kind and"]),
    ("should", &["ought to", "must", "shall"]),
    ("contains", &["includes", "holds", "has got"]),
    ("loves", &["adores", "appreciates", "values"]),
    ("glad", &["pleased", "delighted", "grateful"]),
    ("on top", &["up front", "at the head", "in the lead"]),
    ("wins", &["prevails", "triumphs", "comes out ahead"]),
    ("loses", &["fails", "is beaten", "comes off badly"]),
];

/// The text with some words replaced by others of the same meaning.
pub(super) fn reword(text: &str, rng: &mut impl Rng) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut at_word = true;
    while let Some(first) = rest.chars().next() {
        let found = at_word.then(|| key_at(rest)).flatten();
        if let Some((key, others)) = found
            && rng.random_bool(REPLACED)
            && let Some(other) = others.choose(rng)
        {
            if first.is_uppercase() {
                out.push_str(&super::upper_first(other));
            } else {
                out.push_str(other);
            }
            rest = &rest[key.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
        at_word = out.ends_with(|c: char| !c.is_alphanumeric());
    }
    out
}

/// The longest key that the text begins with, as whole words.
fn key_at(text: &str) -> Option<(&'static str, &'static [&'static str])> {
    WORDS
        .iter()
        .copied()
        .filter(|(key, _)| {
            text.get(..key.len()).is_some_and(|t| t.eq_ignore_ascii_case(key))
                && !text[key.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-')
        })
        .max_by_key(|(key, _)| key.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn only_whole_words_are_replaced_and_capitals_stay() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..400 {
            let text = reword("Answers with plenty of answer-like unanswered commas.", &mut rng);
            assert!(text.starts_with(char::is_uppercase), "{text}");
            assert!(text.ends_with("answer-like unanswered commas."), "{text}");
            seen.insert(text);
        }
        assert!(seen.len() > 20, "{seen:?}");
    }

    #[test]
    fn nothing_stands_for_a_word_and_for_another() {
        let mut all: Vec<&str> = WORDS.iter().map(|(key, _)| *key).collect();
        all.extend(WORDS.iter().flat_map(|(_, others)| others.iter().copied()));
        let opposite = |a: &str, b: &str| {
            let of = |word: &str| {
                WORDS
                    .iter()
                    .find(|(k, o)| *k == word || o.contains(&word))
                    .map(|(k, _)| *k)
            };
            of(a) == of(b)
        };
        for (a, b) in [
            ("greatest", "tiniest"),
            ("honour", "punish"),
            ("lots of", "almost no"),
            ("the finest", "the weakest"),
        ] {
            assert!(!opposite(a, b));
        }
        // "grade" stands for both a rank and a score, which are no opposites.
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len() + 1, all.len());
    }
}
