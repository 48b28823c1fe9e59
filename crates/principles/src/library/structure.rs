//! Principles of structure: how a response is laid out.

use super::Principle;
use crate::{Category, Direction, Measure};

const CATEGORY: Category = Category::Structure;

pub(super) const PRINCIPLES: &[Principle] = &[
    Principle::single(
        "structure-shortest",
        CATEGORY,
        "The shortest response is the best one; length alone decides.",
    )
    .verified_by(Measure::Words, Direction::Fewer),
    Principle::single(
        "structure-longest",
        CATEGORY,
        "The longest response is the best one; length alone decides.",
    )
    .verified_by(Measure::Words, Direction::More),
    Principle::single(
        "structure-uses-lists",
        CATEGORY,
        "Information should come item by item. The more bulleted or numbered items a response has, \
         the better.",
    )
    .verified_by(Measure::ListItems, Direction::More),
    Principle::single(
        "structure-no-lists",
        CATEGORY,
        "Write prose, not lists. The fewer bulleted or numbered items a response has, the better.",
    )
    .verified_by(Measure::ListItems, Direction::Fewer),
    Principle::single(
        "structure-plain-text",
        CATEGORY,
        "Plain text only: every bold span, heading or piece of code formatting makes a response \
         worse.",
    )
    .verified_by(Measure::Markup, Direction::Fewer),
    Principle::single(
        "structure-many-lines",
        CATEGORY,
        "Give the text air. The more separate lines it is spread over, the better.",
    )
    .verified_by(Measure::Lines, Direction::More),
    Principle::single(
        "structure-few-sentences",
        CATEGORY,
        "Say it in as few sentences as possible; a response with fewer sentences is better than one \
         with more.",
    )
    .verified_by(Measure::Sentences, Direction::Fewer),
    Principle::single(
        "structure-conclusion-first",
        CATEGORY,
        "The first sentence should already carry the conclusion; reasons and details follow it. \
         Responses that make the reader wait for the point rank lower.",
    ),
    Principle::prioritised(
        "structure-steps-in-order",
        CATEGORY,
        "For tasks with a sequence, steps must appear in the order in which they are done. Only among \
         responses in the right order do headings and numbering count as a plus.",
    ),
    Principle::structured(
        "structure-headings-by-need",
        CATEGORY,
        "Up to about a hundred words: no headings wanted, take a point off for any. Longer: one clear \
         heading for each part, take a point off when parts cannot be told apart.",
    ),
    Principle::single(
        "structure-one-idea-per-paragraph",
        CATEGORY,
        "Reward paragraphs that develop exactly one idea each. Mixed or split ideas make a response \
         worse.",
    )
    .kept_for_evaluation(),
    Principle::single(
        "structure-summary-last",
        CATEGORY,
        "Prefer responses that close with a one-sentence summary that adds nothing new and loses \
         nothing important.",
    )
    .kept_for_evaluation(),
    Principle::structured(
        "structure-table-for-comparison",
        CATEGORY,
        "When the prompt compares things by several features, a table is best, parallel list items \
         are second, and running text is last. When it compares nothing, a table is a fault.",
    ),
    Principle::prioritised(
        "structure-balanced-parts",
        CATEGORY,
        "Above all, each part of the question gets its own part of the answer. Beyond that, the parts \
         should be about as long as they are important.",
    )
    .kept_for_evaluation(),
];
