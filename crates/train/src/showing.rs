//! Self-made passages that show a quality which real text seldom has.

use rand::Rng;
use rand::seq::IndexedRandom;
use rewardanything_principles::{Measure, Quality};

const THINGS: &[&str] = &[
    "the pump",
    "the second draft",
    "our budget",
    "the garden",
    "this method",
    "the bridge",
    "a loose cable",
    "the recipe",
    "the northern route",
    "the new rule",
    "that window",
    "the archive",
    "my answer",
    "the sample",
    "the last chapter",
    "the engine",
];
const STATES: &[&str] = &[
    "is ready",
    "works well",
    "needs more time",
    "looks fine",
    "was moved",
    "costs less",
    "is old",
    "can wait",
    "comes first",
    "stays closed",
    "is safe",
    "runs late",
    "fits the plan",
    "saves space",
];
const EMOJI: &[&str] = &[
    "😀", "🎉", "👍", "🌱", "🚀", "❤️", "🔥", "😊", "✅", "🌍", "💡", "🙏",
];
const UNITS: &[&str] = &[
    "kg", "km", "%", " minutes", " litres", " degrees", "cm", " hours", " grams", "ml",
];
const NAMES: &[&str] = &["Okafor", "Lindqvist", "Moreau", "Tanaka", "Silva", "Novak"];
const INTENSIFIERS: &[&str] = &[
    "very",
    "really",
    "extremely",
    "incredibly",
    "highly",
    "totally",
    "completely",
    "truly",
    "deeply",
    "hugely",
    "utterly",
    "super",
    "especially",
    "remarkably",
    "exceptionally",
    "entirely",
];
const ABSOLUTES: &[&str] = &[
    "always",
    "certainly",
    "definitely",
    "undoubtedly",
    "invariably",
    "absolutely",
];
const EVERYONE: &[&str] = &["everyone", "everybody", "all", "every one of us"];
const FILLERS: &[&str] = &[
    "Basically,",
    "Actually,",
    "Honestly,",
    "Essentially,",
    "Anyway,",
    "Obviously,",
    "Clearly,",
    "Simply put,",
];
const APOLOGIES: &[&str] = &[
    "I am sorry about",
    "I apologise for",
    "My apologies for",
    "We regret",
    "Please forgive",
    "Unfortunately, it is",
];
const DISCLAIMERS: &[&str] = &[
    "As an AI, I have no view on",
    "I am an AI and know little of",
    "Please consult a specialist about",
    "This is not a substitute for advice on",
    "Seek professional help with",
    "As a language model, I cannot check",
];
const OPENERS: &[&str] = &[
    "Sure!",
    "Certainly!",
    "Of course!",
    "Great question!",
    "Okay,",
    "Hello!",
    "Absolutely!",
    "Good question.",
    "Hi!",
];
const HEDGES: &[&str] = &["perhaps", "maybe", "possibly", "probably", "usually", "it seems"];
const PRAISE: &[&str] = &[
    "great",
    "good",
    "wonderful",
    "excellent",
    "happy",
    "lovely",
    "amazing",
    "beautiful",
];

fn pick<'a>(rng: &mut impl Rng, from: &[&'a str]) -> &'a str {
    from.choose(rng)
        .copied()
        .expect("the word lists are not empty. This is a bug.")
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// A short passage with at least one instance of the quality, ending in white space; `None` where real text has enough.
pub fn passage(rng: &mut impl Rng, quality: Quality) -> Option<String> {
    let thing = pick(rng, THINGS);
    let state = pick(rng, STATES);
    let number = rng.random_range(2..90);
    let sentence = format!("{} {state}", upper(thing));
    Some(match quality {
        Quality::CodeBlocks => format!(
            "```\n{} = {number}\n```\n",
            pick(rng, &["x", "size", "let y", "count"])
        ),
        Quality::Headings => format!("{} {}\n", pick(rng, &["#", "##", "###"]), upper(thing)),
        Quality::TableRows => (0..rng.random_range(1..=3))
            .map(|i| format!("| {} | {} |\n", pick(rng, THINGS), number + i))
            .collect(),
        Quality::Bold => format!("{} **{state}**. ", upper(thing)),
        Quality::Citations if rng.random_bool(0.5) => format!("{sentence} [{}]. ", number % 12 + 1),
        Quality::Citations => {
            format!(
                "{sentence} ({}, {}). ",
                pick(rng, NAMES),
                rng.random_range(1950..2024)
            )
        }
        Quality::Units if rng.random_bool(0.25) => format!("It costs ${number}. "),
        Quality::Units => format!("{} takes {number}{}. ", upper(thing), pick(rng, UNITS)),
        Quality::Years => format!("In {} {thing} {state}. ", rng.random_range(1800..2030)),
        Quality::Emoji => format!("{sentence} {} ", pick(rng, EMOJI)),
        Quality::Intensifiers => {
            format!(
                "{} is {} {}. ",
                upper(thing),
                pick(rng, INTENSIFIERS),
                pick(rng, PRAISE)
            )
        }
        Quality::Absolutes if rng.random_bool(0.3) => {
            format!("{} must see {thing}. ", upper(pick(rng, EVERYONE)))
        }
        Quality::Absolutes => format!("{} {} {state}. ", upper(thing), pick(rng, ABSOLUTES)),
        Quality::Fillers => format!("{} {thing} {state}. ", pick(rng, FILLERS)),
        Quality::Semicolons => format!("{sentence}; {} {}. ", pick(rng, THINGS), pick(rng, STATES)),
        Quality::Dashes => format!(
            "{} {} {} {} {state}. ",
            upper(thing),
            pick(rng, &["—", "–", "-"]),
            pick(rng, &["as we saw", "at last", "for now", "in part"]),
            pick(rng, &["—", "–", "-"]),
        ),
        Quality::Shouting => format!("{} {}! ", upper(thing), state.to_uppercase()),
        Quality::Disclaimers => format!("{} {thing}. ", pick(rng, DISCLAIMERS)),
        Quality::Steps => (1..=rng.random_range(1..=3))
            .map(|i| format!("{i}. {} {}.\n", upper(pick(rng, THINGS)), pick(rng, STATES)))
            .collect(),
        Quality::RepeatedOpenings => format!("{sentence}. {} {}. ", upper(thing), pick(rng, STATES)),
        Quality::Apologies => format!("{} {thing}. ", pick(rng, APOLOGIES)),
        Quality::FinalQuestion => format!("{}? ", upper(&format!("what of {thing}"))),
        Quality::FillerOpening => format!("{} ", pick(rng, OPENERS)),
        Quality::NumberFirst => format!("About {number} of them stay. "),
        Quality::Paragraphs => format!("{sentence}.\n\n"),
        Quality::Of(Measure::Questions) => format!("Is it true that {thing} {state}? "),
        Quality::Of(Measure::Exclamations) => format!("{sentence}! "),
        Quality::Of(Measure::Parentheses) => format!(
            "{sentence} ({}). ",
            pick(rng, &["see above", "at last", "in part"])
        ),
        Quality::Of(Measure::Colons) => format!("One thing: {thing} {state}. "),
        Quality::Of(Measure::Examples) => format!(
            "Take some of them, {} {thing}. ",
            pick(rng, &["for example", "such as", "for instance,", "including"])
        ),
        Quality::Of(Measure::Hedges) => format!("{} {thing} {state}. ", upper(pick(rng, HEDGES))),
        Quality::Of(Measure::Politeness) => format!(
            "{} {thing}. ",
            pick(
                rng,
                &[
                    "Please note",
                    "Thank you for",
                    "Thanks for",
                    "Kindly check",
                    "I appreciate"
                ]
            )
        ),
        Quality::Of(Measure::PositiveWords) => format!("{} is {}. ", upper(thing), pick(rng, PRAISE)),
        Quality::Of(Measure::FirstPerson) => {
            format!(
                "{} {thing}. ",
                pick(
                    rng,
                    &["I saw", "We like", "I think of", "My view is of", "Our plan is"]
                )
            )
        }
        Quality::Of(Measure::SecondPerson) => {
            format!(
                "{} {thing}. ",
                pick(
                    rng,
                    &["You can see", "Check your copy of", "You need", "Your choice is"]
                )
            )
        }
        Quality::Of(Measure::ListItems) => (0..rng.random_range(1..=3))
            .map(|_| format!("- {} {}\n", pick(rng, THINGS), pick(rng, STATES)))
            .collect(),
        Quality::Of(Measure::Numbers) => format!("{} has {number} parts. ", upper(thing)),
        _ => return None,
    })
}

/// Whether a passage is to stand on lines of its own.
pub fn is_line(passage: &str) -> bool {
    passage.ends_with('\n') && !passage.ends_with("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rewardanything_principles::Quality;

    #[test]
    fn a_passage_has_what_it_shows() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let basic = Measure::ALL.iter().copied().map(Quality::Of);
        for quality in basic.chain(Quality::EXTRA.iter().copied()) {
            for _ in 0..40 {
                if let Some(text) = passage(&mut rng, quality) {
                    let text = if quality == Quality::FillerOpening {
                        text + "It is so."
                    } else {
                        text
                    };
                    assert!(quality.measure(&text) > 0.0, "{quality:?}: {text}");
                    assert!(
                        text.ends_with(char::is_whitespace) || quality == Quality::FillerOpening,
                        "{text}"
                    );
                }
            }
        }
    }
}
