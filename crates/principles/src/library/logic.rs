//! Principles of logic: how a response argues.

use super::*;
use crate::Quality as Q;

const CATEGORY: Category = Category::Logic;

pub(super) const PRINCIPLES: &[Principle] = &[
    Principle::single(
        "logic-hedged-claims",
        CATEGORY,
        "Caution is a virtue: the more words of doubt, such as may, perhaps or usually, the better.",
    )
    .checked(order![(more HEDGES)]),
    Principle::single(
        "logic-plain-claims",
        CATEGORY,
        "Commit yourself: the fewer words of doubt, such as may, perhaps or usually, the better.",
    )
    .checked(order![(fewer HEDGES)]),
    Principle::single(
        "logic-says-what-is",
        CATEGORY,
        "State what is, not what is not: the fewer negations a response contains, the better.",
    )
    .checked(order![(fewer NEGATIONS)])
    .kept_for_evaluation(),
    Principle::single(
        "logic-linked-thoughts",
        CATEGORY,
        "Thoughts should be joined. The more linking words, such as because, but or therefore, the \
         better.",
    )
    .checked(order![(more CONNECTIVES)])
    .kept_for_evaluation(),
    Principle::single(
        "logic-no-asides",
        CATEGORY,
        "Stay on the line of thought: each remark in brackets makes a response worse.",
    )
    .checked(order![(fewer PARENTHESES)]),
    Principle::single(
        "logic-no-repeats",
        CATEGORY,
        "Say nothing twice: the fewer words of four letters or more a response repeats, the better.",
    )
    .checked(order![(fewer REPETITION)]),
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
    Principle::single(
        "logic-no-absolutes",
        CATEGORY,
        "Leave room for exceptions: each absolute word, such as always, every or must, makes a \
         response worse.",
    )
    .checked(order![(fewer Q::Absolutes)]),
    Principle::single(
        "logic-gives-reasons",
        CATEGORY,
        "A response should argue: the more words that give a reason, such as because, since or \
         therefore, the better.",
    )
    .checked(order![(more Q::Reasons)])
    .kept_for_evaluation(),
    Principle::single(
        "logic-asides-welcome",
        CATEGORY,
        "Side remarks show thought: the more remarks in round brackets, the better.",
    )
    .checked(order![(more PARENTHESES)]),
    Principle::single(
        "logic-definitions-first",
        CATEGORY,
        "A term on which the conclusion rests has to be defined before it is used. The fewer \
         undefined terms of that kind, the higher the rank.",
    ),
    Principle::structured(
        "logic-estimate-steps",
        CATEGORY,
        "For estimates: 1. the numbers it starts from are stated; 2. each step between is shown; 3. \
         the result is rounded to what the start allows; 4. a range is given. Score 1 plus the number \
         of rules kept.",
    ),
    Principle::prioritised(
        "logic-base-rate-before-case",
        CATEGORY,
        "How common a thing is in general comes first, the details of the single case second. A \
         response that gives the details alone ranks below one that gives the general rate alone.",
    ),
    Principle::single(
        "logic-no-circle",
        CATEGORY,
        "A conclusion must not serve as its own support. Responses that restate the claim in other \
         words and call it a reason rank last.",
    ),
    Principle::single(
        "logic-falsifiable",
        CATEGORY,
        "Rank higher what could be shown to be wrong: a claim with a test, a date or a threshold \
         beats a claim that fits whatever happens.",
    )
    .kept_for_evaluation(),
    Principle::prioritised(
        "logic-fewest-hedges-then-short",
        CATEGORY,
        "The fewest words of doubt, such as may or perhaps, win. Among equals the shorter response, \
         counted in words, is the better one.",
    )
    .checked(order![(fewer HEDGES), (fewer WORDS)]),
    Principle::prioritised(
        "logic-cautious-then-open",
        CATEGORY,
        "Words of doubt first, and more of them are better. Where two responses have equally many, \
         the one with fewer absolute words, such as always or all, goes ahead.",
    )
    .checked(order![(more HEDGES), (fewer Q::Absolutes)]),
    Principle::prioritised(
        "logic-no-repeats-then-examples",
        CATEGORY,
        "Repeating comes first: the fewer words of four letters or more a response uses again, the \
         better. Between equals, more examples decide.",
    )
    .checked(order![(fewer REPETITION), (more EXAMPLES)]),
    Principle::prioritised(
        "logic-one-hedge-then-numbers",
        CATEGORY,
        "At most one word of doubt is allowed, and responses within that limit outrank the others. \
         After that, the number of figures in digits decides, most first.",
    )
    .checked(order![(most 1 HEDGES), (more NUMBERS)])
    .kept_for_evaluation(),
    Principle::prioritised(
        "logic-contrast-then-length",
        CATEGORY,
        "Both sides should speak: responses with at least one word of contrast, such as but or \
         however, come before responses without. In each group the longer is better.",
    )
    .checked(order![(least 1 Q::Contrasts), (more WORDS)])
    .kept_for_evaluation(),
    Principle::prioritised(
        "logic-premises-over-conclusion",
        CATEGORY,
        "Sound premises outrank a welcome conclusion. If two responses start from equally sound \
         premises, take the one whose steps are easier to follow.",
    ),
    Principle::prioritised(
        "logic-proof-then-intuition",
        CATEGORY,
        "A proof beats an intuition, and a proof with an intuition beats a bare proof. An intuition \
         that contradicts the proof beside it ranks below both.",
    ),
    Principle::prioritised(
        "logic-question-the-question",
        CATEGORY,
        "If the question rests on a false assumption, correcting it comes first and answering what \
         was meant second. An answer that plays along ranks last.",
    ),
    Principle::prioritised(
        "logic-simplest-explanation",
        CATEGORY,
        "First discard explanations that leave a stated fact out; among those left, the one that \
         needs the fewest new assumptions is best.",
    ),
    Principle::structured(
        "logic-argument-points",
        CATEGORY,
        "Add two points for each example that is introduced as one. Take one point off for each \
         absolute word, such as every or must, and one for each question. Highest total first.",
    )
    .checked(points![(2, more EXAMPLES), (-1, more Q::Absolutes), (-1, more QUESTIONS)]),
    Principle::structured(
        "logic-caution-budget",
        CATEGORY,
        "1. Three points for at least one word of doubt. 2. Five points off for at least five of \
         them. 3. One point off for each remark in round brackets.",
    )
    .checked(points![(3, least 1 HEDGES), (-5, least 5 HEDGES), (-1, more PARENTHESES)]),
    Principle::structured(
        "logic-certainty-account",
        CATEGORY,
        "Words of doubt cost two points each, absolute words cost one point each, numbers in digits \
         earn one point each. The fullest account wins.",
    )
    .checked(points![(-2, more HEDGES), (-1, more Q::Absolutes), (1, more NUMBERS)]),
    Principle::structured(
        "logic-reasoned-and-linked",
        CATEGORY,
        "One point for each word that gives a reason, such as because; one for each word of contrast, \
         such as but; three off when more than ninety words are used.",
    )
    .checked(points![(1, more Q::Reasons), (1, more Q::Contrasts), (-3, least 91 WORDS)])
    .kept_for_evaluation(),
    Principle::structured(
        "logic-debate-judge",
        CATEGORY,
        "Judge like a debate: 40% for the strength of the best argument, 40% for answering the other \
         side's best argument, 20% for staying on the motion. An argument that was refuted and is \
         repeated counts nothing.",
    ),
    Principle::structured(
        "logic-math-marks",
        CATEGORY,
        "For mathematics: method right and result right, 5; method right with a slip of arithmetic, \
         4; right result by a method that works only here, 3; a start that leads somewhere, 2; \
         otherwise 1.",
    ),
    Principle::structured(
        "logic-forecast-rules",
        CATEGORY,
        "A forecast needs (1) a probability in digits, (2) a date, (3) what would change it. Each \
         counts two points; a forecast that is hedged in words alone gets one point in all.",
    ),
    Principle::structured(
        "logic-comparison-grid",
        CATEGORY,
        "When options are compared: 1. the same criteria are applied to each option; 2. each \
         criterion gets a reason; 3. the winner follows from the grid. Two points off for a criterion \
         applied to one side only, three off for a winner that the grid does not support.",
    ),
    Principle::structured(
        "logic-fallacy-list",
        CATEGORY,
        "Look for these faults: attack on a person, appeal to popularity, false choice, slippery \
         slope, straw man. Each one found costs a point; pointing out such a fault in the prompt \
         earns one.",
    )
    .kept_for_evaluation(),
];
