//! Principles of style: how a response is worded.

use super::Principle;
use crate::{Category, Direction, Measure};

const CATEGORY: Category = Category::Style;

pub(super) const PRINCIPLES: &[Principle] = &[
    Principle::single(
        "style-simple-words",
        CATEGORY,
        "Short words are best: each word of eight letters or more makes a response worse.",
    )
    .verified_by(Measure::LongWords, Direction::Fewer),
    Principle::single(
        "style-learned-words",
        CATEGORY,
        "A learned vocabulary is wanted: each word of eight letters or more makes a response better.",
    )
    .verified_by(Measure::LongWords, Direction::More),
    Principle::single(
        "style-few-commas",
        CATEGORY,
        "Write without commas where possible; the fewer commas, the better.",
    )
    .verified_by(Measure::Commas, Direction::Fewer),
    Principle::single(
        "style-many-commas",
        CATEGORY,
        "Let the text flow in clauses; the more commas, the better.",
    )
    .verified_by(Measure::Commas, Direction::More),
    Principle::single(
        "style-short-sentences",
        CATEGORY,
        "Sentences should be short: the lower the average number of words per sentence, the better.",
    )
    .verified_by(Measure::SentenceLength, Direction::Fewer)
    .kept_for_evaluation(),
    Principle::single(
        "style-full-forms",
        CATEGORY,
        "Write \"it is\", not \"it's\": the fewer contracted forms, the better.",
    )
    .verified_by(Measure::Contractions, Direction::Fewer)
    .kept_for_evaluation(),
    Principle::single(
        "style-no-colons",
        CATEGORY,
        "Let sentences run on to their end: the fewer colons, the better.",
    )
    .verified_by(Measure::Colons, Direction::Fewer),
    Principle::single(
        "style-active-voice",
        CATEGORY,
        "Prefer sentences that say who does what. The more a response leans on the passive voice, the \
         lower it ranks.",
    ),
    Principle::prioritised(
        "style-no-jargon",
        CATEGORY,
        "Technical terms are fine when the reader surely knows them or the text explains them; \
         unexplained jargon is the worst fault of style, and clumsy sentences come second.",
    ),
    Principle::single(
        "style-vivid",
        CATEGORY,
        "Prefer concrete nouns and exact verbs to vague ones; a sentence that lets the reader see \
         something beats one that names an abstraction.",
    ),
    Principle::single(
        "style-one-term-one-thing",
        CATEGORY,
        "The same thing keeps the same name throughout. Synonyms for the sake of variety make a \
         response worse.",
    )
    .kept_for_evaluation(),
    Principle::prioritised(
        "style-clear-then-elegant",
        CATEGORY,
        "Clarity beats elegance and elegance beats brevity. Go to the next only when two responses \
         are equal in the one before.",
    ),
    Principle::structured(
        "style-cliches",
        CATEGORY,
        "Count worn-out phrases. None: no deduction. One or two: one point off. More: the response \
         cannot score above the middle of the scale.",
    ),
    Principle::single(
        "style-read-aloud",
        CATEGORY,
        "Imagine the response read aloud. The easier it is to speak and to follow by ear, the better.",
    )
    .kept_for_evaluation(),
];
