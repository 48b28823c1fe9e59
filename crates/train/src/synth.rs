//! Self-made text: small sentences with many surface qualities, for when no pool of real text is given, and to make
//! qualities that are rare in real text frequent enough to learn.

use rand::Rng;
use rand::seq::IndexedRandom;

const SUBJECTS: &[&str] = &[
    "the river",
    "a careful baker",
    "our old engine",
    "the night train",
    "this recipe",
    "the committee",
    "a good map",
    "the small garden",
    "my neighbour",
    "the report",
    "an early frost",
    "the new teacher",
    "the harbour",
    "her idea",
    "the algorithm",
    "a loose cable",
    "the museum",
    "that violin",
    "the second draft",
    "the winter market",
    "Maria",
    "Dr Okafor",
    "the city of Lyon",
    "Kenji",
    "the Baltic coast",
    "an experienced nurse",
    "the database",
];
const VERBS: &[&str] = &[
    "needs",
    "follows",
    "changes",
    "explains",
    "carries",
    "protects",
    "replaces",
    "improves",
    "shows",
    "opens",
    "repairs",
    "describes",
    "connects",
    "slows down",
    "measures",
    "supports",
    "avoids",
    "considers",
    "produces",
];
const OBJECTS: &[&str] = &[
    "the whole valley",
    "a simple plan",
    "fresh water",
    "every window",
    "the first chapter",
    "three short steps",
    "a considerable improvement",
    "the temperature",
    "two of the rooms",
    "an unexpected question",
    "the main road",
    "the documentation",
    "a warm welcome",
    "its responsibilities",
    "some salt and flour",
    "the loudest section",
    "a remarkable transformation",
    "the budget for 2019",
    "17 litres of paint",
    "a quiet afternoon",
    "the old bridge",
];
const TAILS: &[&str] = &[
    "before sunrise",
    "without any help",
    "in the long run",
    "with great care",
    "after the storm",
    "at 9 o'clock",
    "near the station",
    "for most people",
    "on a tight schedule",
    "twice a week",
    "under normal circumstances",
];
const OPENERS: &[&str] = &[
    "However,",
    "Therefore,",
    "For example,",
    "In short,",
    "Perhaps",
    "Maybe",
    "Thank you,",
    "Please note:",
    "I think",
    "I'm sure",
    "We know that",
    "You can see that",
    "You'll find that",
    "It seems that",
    "Because of this,",
    "As a result,",
    "Unfortunately,",
    "Sorry,",
    "Of course,",
    "First,",
    "Finally,",
    "For instance,",
    "Possibly",
];
const ADDITIONS: &[&str] = &[
    "(such as the smaller one)",
    "(see below)",
    "(about 40 percent)",
    "and not the other way round",
    "but never on Sundays",
    "because it doesn't rain",
    "\"as they say\"",
    "so that you don't have to",
    ", which might help",
    "; the rest follows",
    ": wood, glass, and stone",
    "though I wouldn't insist",
    ", and that is wonderful",
    ", a great and happy surprise",
    ", no doubt",
];

fn pick<'a>(rng: &mut impl Rng, from: &[&'a str]) -> &'a str {
    from.choose(rng)
        .copied()
        .expect("the word lists are not empty. This is a bug.")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}

/// One sentence.
pub fn sentence(rng: &mut impl Rng) -> String {
    if rng.random_bool(0.06) {
        let noun = pick(rng, OBJECTS);
        return match rng.random_range(0..5) {
            0 => format!("Why not {noun}?"),
            1 => format!("What about {noun}, then?"),
            2 => "Yes!".to_owned(),
            3 => format!("Thank you for {noun}!"),
            _ => format!("**{}**", capitalised(noun)),
        };
    }
    let mut text = format!(
        "{} {} {}",
        pick(rng, SUBJECTS),
        pick(rng, VERBS),
        pick(rng, OBJECTS)
    );
    if rng.random_bool(0.3) {
        text = format!("{} {text}", pick(rng, OPENERS));
    }
    if rng.random_bool(0.25) {
        text = format!("{text} {}", pick(rng, TAILS));
    }
    if rng.random_bool(0.25) {
        let addition = pick(rng, ADDITIONS);
        let space = if addition.starts_with([',', ';', ':']) {
            ""
        } else {
            " "
        };
        text = format!("{text}{space}{addition}");
    }
    let end = match rng.random_range(0..20) {
        0..2 => "?",
        2..5 => "!",
        _ => ".",
    };
    format!("{}{end}", capitalised(&text))
}

/// A request that a response could answer.
pub fn prompt(rng: &mut impl Rng) -> String {
    match rng.random_range(0..5) {
        0 => format!("Tell me about {}.", pick(rng, SUBJECTS)),
        1 => format!("Why does {} need {}?", pick(rng, SUBJECTS), pick(rng, OBJECTS)),
        2 => format!("Write a short note on {}.", pick(rng, OBJECTS)),
        3 => format!("How can I get {} {}?", pick(rng, OBJECTS), pick(rng, TAILS)),
        _ => format!("Explain {} to a friend.", pick(rng, OBJECTS)),
    }
}
