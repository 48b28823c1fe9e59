//! Principles of logic: how a response argues.

use super::Principle;
use crate::{Category, Direction, Measure};

const CATEGORY: Category = Category::Logic;

pub(super) const PRINCIPLES: &[Principle] = &[
    Principle::single(
        "logic-hedged-claims",
        CATEGORY,
        "Caution is a virtue: the more words of doubt, such as may, perhaps or usually, the better.",
    )
    .verified_by(Measure::Hedges, Direction::More),
    Principle::single(
        "logic-plain-claims",
        CATEGORY,
        "Commit yourself: the fewer words of doubt, such as may, perhaps or usually, the better.",
    )
    .verified_by(Measure::Hedges, Direction::Fewer),
    Principle::single(
        "logic-says-what-is",
        CATEGORY,
        "State what is, not what is not: the fewer negations a response contains, the better.",
    )
    .verified_by(Measure::Negations, Direction::Fewer)
    .kept_for_evaluation(),
    Principle::single(
        "logic-linked-thoughts",
        CATEGORY,
        "Thoughts should be joined. The more linking words, such as because, but or therefore, the \
         better.",
    )
    .verified_by(Measure::Connectives, Direction::More)
    .kept_for_evaluation(),
    Principle::single(
        "logic-no-asides",
        CATEGORY,
        "Stay on the line of thought: each remark in brackets makes a response worse.",
    )
    .verified_by(Measure::Parentheses, Direction::Fewer),
    Principle::single(
        "logic-no-repeats",
        CATEGORY,
        "Say nothing twice: the fewer words of four letters or more a response repeats, the better.",
    )
    .verified_by(Measure::Repetition, Direction::Fewer),
    Principle::single(
        "logic-reasons-given",
        CATEGORY,
        "Every claim that could be doubted should come with its reason. Prefer the response that \
         leaves the fewest such claims bare.",
    ),
    Principle::prioritised(
        "logic-valid-before-persuasive",
        CATEGORY,
        "A valid argument outranks a persuasive one. Compare how convincing two responses are only \
         when the reasoning of both holds.",
    ),
    Principle::single(
        "logic-checks-itself",
        CATEGORY,
        "Reward responses that test their own result, by a second method, a rough estimate or a \
         special case.",
    ),
    Principle::structured(
        "logic-no-contradiction",
        CATEGORY,
        "Start from full marks. Take two off for each pair of statements that cannot both be true, \
         and one off for a conclusion that is stronger than its premises.",
    ),
    Principle::single(
        "logic-cause-not-coincidence",
        CATEGORY,
        "Responses that treat things which merely occur together as cause and effect rank below those \
         that keep the two apart.",
    ),
    Principle::prioritised(
        "logic-counterargument",
        CATEGORY,
        "First see whether the strongest objection is met; then whether the main argument is \
         complete. A one-sided case, however full, stays below a two-sided one.",
    )
    .kept_for_evaluation(),
    Principle::single(
        "logic-assumptions-stated",
        CATEGORY,
        "Prefer responses that spell out the assumptions on which their answer depends, and say what \
         would change if one of them failed.",
    ),
    Principle::structured(
        "logic-worked-steps",
        CATEGORY,
        "For calculations: right result with visible steps is best, wrong result with one findable \
         slip comes second, right result without steps third, anything else last.",
    )
    .kept_for_evaluation(),
];
