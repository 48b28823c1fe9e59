//! Sentence frames with slots, and the words that fill the slots.
//!
//! Slots: `{n}` the noun. Amounts that agree with the noun and point to the wanted end: `{much}` many,
//! `{more}`, `{most}`, `{lots}` plenty of, `{high}`, `{higher}`, `{highest}`, `{desc}`ending; to the other
//! end: `{unmuch}`, `{less}`, `{least}`, `{few}` hardly any. Verbs and values of the wanted end: `{reward}`,
//! `{like}`, `{gains}`, `{strength}`, `{good}`, `{with}`, `{up}`, `{maximise}`, `{welcome}`. Agreement:
//! `{amount}` number or amount, `{is}`, `{them}`.

use super::nouns::Noun;
use crate::Direction;

/// Frames for training.
pub(super) const TRAIN: &[&str] = &[
    "Prefer the response with {more} {n}.",
    "The response with the {most} {n} is the best.",
    "Rank the responses by {amount} of {n}, {highest} first.",
    "Use as {much} {n} as possible.",
    "{more} {n} {is} better.",
    "I {like} {n}.",
    "Answers {with} {n} should come first.",
    "{reward} {n}.",
    "Give the top score to the answer that has the {most} {n}.",
    "Keep the {amount} of {n} {high}.",
    "When it comes to {n}, the {more} the better.",
    "Please look for {lots} {n}.",
    "The best answer has the {most} {n}, the worst has the {least}.",
    "An answer {gains} points for {n}.",
    "Do not reward an answer with {less} {n} over an answer with {more}.",
    "Put responses with {less} {n} further down.",
    "Judge only by {n}: the {highest} {amount} comes first.",
    "Sort by {amount} of {n}, {desc}.",
    "A good reply contains {lots} {n}.",
    "Score each answer by its {n}; {more} {is} better.",
    "Between two replies, take the one that has {more} {n}.",
    "We want {more} {n} and nothing else matters.",
    "My only wish: {more} {n}.",
    "{maximise} the {amount} of {n}.",
    "The {more} {n}, the higher the score.",
    "The {less} {n}, the lower the score.",
    "If two answers differ in {n}, choose the one with {more}.",
    "Would you kindly favour {lots} {n}?",
    "A response should contain {much} {n}.",
    "Texts {with} {n} are what we are after.",
    "Treat {n} as a {strength}.",
    "Nothing counts but {n}: {more} {is} better than {less}.",
    "Top marks go to {lots} {n}.",
    "Answers with {lots} {n} deserve a 5, answers with {few} {n} deserve a 1.",
    "Mark an answer {up} for {n}.",
    "It is a {strength} of an answer to have {n}.",
    "Look at the {n} and rank from {most} to {least}.",
    "Choose the reply whose {amount} of {n} is {highest}.",
    "The {amount} of {n} decides, and {higher} is better.",
    "Ideal: {lots} {n}.",
    "Whoever writes {more} {n} is ranked higher.",
    "What matters is having {much} {n}.",
    "Find the reply that shows the {most} {n}.",
    "Having {lots} {n} beats having {few} {n}.",
    "Take points off when an answer has too {unmuch} {n}.",
    "Criterion: {n}. Direction: {more}.",
    "In this contest {n} {is} {good}.",
    "{n} {is} {welcome} here, so {reward} {them}.",
    "An answer that has {few} {n} cannot beat one that has {lots} {n}.",
    "Compare the {amount} of {n} and put the {highest} on top.",
];

/// Frames kept for evaluation.
pub(super) const HELD_OUT: &[&str] = &[
    "{most} {n}: first place; {least} {n}: last place.",
    "How would I choose? By counting {n}; {more} of {them} means a better rank.",
    "The winner is whoever manages the {most} {n}.",
    "Responses ought to be judged on {n}, where a {higher} {amount} is preferable.",
    "Could you order these so that those with {lots} {n} lead and those with {few} {n} trail?",
    "Scores should rise as the {amount} of {n} gets closer to the {highest}.",
    "A reply with {unmuch} {n} disappoints me.",
    "Our rule is simple, {more} {n} means more quality.",
    "Adherence here means {lots} {n}.",
    "Nobody complains about {lots} {n}, everybody complains about {few}.",
    "Let {n} settle it: {much} {is} what I want to see.",
    "One thing separates good from bad replies: good ones have {more} {n}.",
];

/// A frame with its slots filled for the `wanted` end of the noun, the first letter in upper case.
pub(super) fn fill(frame: &str, noun: Noun, wanted: Direction) -> String {
    let mut text = String::with_capacity(frame.len() + 3 * noun.text.len());
    let mut rest = frame;
    while let Some((before, after)) = rest.split_once('{') {
        let (slot, after) = after
            .split_once('}')
            .expect("a frame closes its slots. This is a bug.");
        text.push_str(before);
        text.push_str(word(slot, noun, wanted));
        rest = after;
    }
    text.push_str(rest);
    super::upper_first(&text)
}

/// The word for a slot, when `wanted` is the better end of the noun.
fn word(slot: &str, noun: Noun, wanted: Direction) -> &'static str {
    let more = wanted == Direction::More;
    let either = |if_more, if_fewer| if more { if_more } else { if_fewer };
    let counted = |if_counted, if_mass| if noun.counted { if_counted } else { if_mass };
    match slot {
        "n" => noun.text,
        "amount" => counted("number", "amount"),
        "is" => counted("are", "is"),
        "them" => counted("them", "it"),
        "much" => either(counted("many", "much"), counted("few", "little")),
        "unmuch" => either(counted("few", "little"), counted("many", "much")),
        "more" => either("more", counted("fewer", "less")),
        "less" => either(counted("fewer", "less"), "more"),
        "most" => either("most", counted("fewest", "least")),
        "least" => either(counted("fewest", "least"), "most"),
        "lots" => either("plenty of", "hardly any"),
        "few" => either("hardly any", "plenty of"),
        "high" => either("high", "low"),
        "higher" => either("higher", "lower"),
        "highest" => either("highest", "lowest"),
        "desc" => either("descending", "ascending"),
        "reward" => either("reward", "penalise"),
        "like" => either("like", "dislike"),
        "gains" => either("gains", "loses"),
        "strength" => either("strength", "weakness"),
        "good" => either("good", "bad"),
        "welcome" => either("welcome", "unwelcome"),
        "with" => either("with", "without"),
        "up" => either("up", "down"),
        "maximise" => either("maximise", "minimise"),
        unknown => unreachable!("no word for the slot {unknown}. This is a bug."),
    }
}
