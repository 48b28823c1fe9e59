//! One intent, said four ways: vaguely, as a single goal, with a priority, and as structured rules.
//!
//! How well a judge follows depends on how a principle is built. Sets that differ in their wishes too cannot show that;
//! here the wish is the same, over the same responses. None of these texts is trained on; the qualities are.

use super::*;
use crate::Quality as Q;

/// The same wish in each [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// A word or two, unique.
    pub id: &'static str,
    /// Vague, single, prioritised, structured; all verifiable, each by its own rule. The vague one is held to the rule
    /// of the single one.
    pub principles: [Principle; 4],
}

/// The texts of an intent, in the order of the kinds.
struct Said {
    ids: [&'static str; 4],
    category: Category,
    texts: [&'static str; 4],
    rules: [Rule; 3],
}

const fn intent(id: &'static str, said: Said) -> Intent {
    let Said {
        ids,
        category,
        texts,
        rules,
    } = said;
    Intent {
        id,
        principles: [
            Principle::new(ids[0], category, Kind::Vague, texts[0])
                .checked(rules[0])
                .kept_for_evaluation(),
            Principle::single(ids[1], category, texts[1])
                .checked(rules[0])
                .kept_for_evaluation(),
            Principle::prioritised(ids[2], category, texts[2])
                .checked(rules[1])
                .kept_for_evaluation(),
            Principle::structured(ids[3], category, texts[3])
                .checked(rules[2])
                .kept_for_evaluation(),
        ],
    }
}

macro_rules! ids {
    ($id:literal) => {
        [
            concat!("intent-", $id, "-vague"),
            concat!("intent-", $id, "-single"),
            concat!("intent-", $id, "-prioritised"),
            concat!("intent-", $id, "-structured"),
        ]
    };
}

/// All intents, in a fixed order.
pub const INTENTS: &[Intent] = &[
    intent(
        "brevity",
        Said {
            ids: ids!("brevity"),
            category: Category::Structure,
            texts: [
                "Nobody has time. Keep it snappy.",
                "The fewer words a response takes, the better it is.",
                "The response with fewer words wins. If two have equally many words, fewer sentences decide.",
                "Points: one point off for every sentence, and two points off for a response of 80 words or more.",
            ],
            rules: [
                order![(fewer WORDS)],
                order![(fewer WORDS), (fewer SENTENCES)],
                points![(-1, more SENTENCES), (-2, least 80 WORDS)],
            ],
        },
    ),
    intent(
        "thoroughness",
        Said {
            ids: ids!("thoroughness"),
            category: Category::Structure,
            texts: [
                "Give people the full picture.",
                "The more words a response has, the better it is.",
                "The response with more words wins. If two have equally many words, more sentences decide.",
                "Points: one point for every sentence, and two more for a response of at least 80 words.",
            ],
            rules: [
                order![(more WORDS)],
                order![(more WORDS), (more SENTENCES)],
                points![(1, more SENTENCES), (2, least 80 WORDS)],
            ],
        },
    ),
    intent(
        "lists",
        Said {
            ids: ids!("lists"),
            category: Category::Structure,
            texts: [
                "Make it easy to skim.",
                "The more list items a response has, the better.",
                "More list items come first; between responses with equally many, the one with more lines is better.",
                "Give one point for each list item and one for each heading.",
            ],
            rules: [
                order![(more LIST_ITEMS)],
                order![(more LIST_ITEMS), (more LINES)],
                points![(1, more LIST_ITEMS), (1, more Q::Headings)],
            ],
        },
    ),
    intent(
        "plainness",
        Said {
            ids: ids!("plainness"),
            category: Category::Style,
            texts: [
                "Use plain language.",
                "Fewer words of eight letters or more make a better response.",
                "What counts first is few words of eight letters or more. Only where that is equal, fewer commas count.",
                "Take one point off for each word of eight letters or more and one for each semicolon.",
            ],
            rules: [
                order![(fewer LONG_WORDS)],
                order![(fewer LONG_WORDS), (fewer COMMAS)],
                points![(-1, more LONG_WORDS), (-1, more Q::Semicolons)],
            ],
        },
    ),
    intent(
        "flow",
        Said {
            ids: ids!("flow"),
            category: Category::Style,
            texts: [
                "It should read smoothly, without stumbling.",
                "The fewer commas in a response, the better.",
                "Fewer commas beat more commas. When commas are level, fewer colons win.",
                "One point is taken away for each comma, and one for each remark in brackets.",
            ],
            rules: [
                order![(fewer COMMAS)],
                order![(fewer COMMAS), (fewer COLONS)],
                points![(-1, more COMMAS), (-1, more PARENTHESES)],
            ],
        },
    ),
    intent(
        "figures",
        Said {
            ids: ids!("figures"),
            category: Category::Content,
            texts: [
                "Be concrete.",
                "The more numbers in digits a response gives, the better.",
                "More numbers in digits are what counts; if they are equal, more examples are better.",
                "Add one point for each number in digits and two for each example.",
            ],
            rules: [
                order![(more NUMBERS)],
                order![(more NUMBERS), (more EXAMPLES)],
                points![(1, more NUMBERS), (2, more EXAMPLES)],
            ],
        },
    ),
    intent(
        "confidence",
        Said {
            ids: ids!("confidence"),
            category: Category::Logic,
            texts: [
                "Sound sure of yourself.",
                "The fewer hedging words, such as maybe or could, the better the response.",
                "Fewer hedging words decide. Where they are equal, the response with fewer question marks is better.",
                "Each hedging word costs two points and each question mark one.",
            ],
            rules: [
                order![(fewer HEDGES)],
                order![(fewer HEDGES), (fewer QUESTIONS)],
                points![(-2, more HEDGES), (-1, more QUESTIONS)],
            ],
        },
    ),
    intent(
        "caution",
        Said {
            ids: ids!("caution"),
            category: Category::Logic,
            texts: [
                "Do not overclaim.",
                "The more hedging words, such as maybe or could, the better the response.",
                "More hedging words decide. Where they are equal, the response with fewer absolute words like always or every is better.",
                "Each hedging word earns two points, and each absolute word like always or every costs one.",
            ],
            rules: [
                order![(more HEDGES)],
                order![(more HEDGES), (fewer Q::Absolutes)],
                points![(2, more HEDGES), (-1, more Q::Absolutes)],
            ],
        },
    ),
    intent(
        "calm",
        Said {
            ids: ids!("calm"),
            category: Category::Tone,
            texts: [
                "Stay calm and collected.",
                "The fewer exclamation marks a response has, the better.",
                "Fewer exclamation marks come first. Ties go to the response with fewer intensifiers like very or really.",
                "Take two points off for each exclamation mark and one for each intensifier like very or really.",
            ],
            rules: [
                order![(fewer EXCLAMATIONS)],
                order![(fewer EXCLAMATIONS), (fewer Q::Intensifiers)],
                points![(-2, more EXCLAMATIONS), (-1, more Q::Intensifiers)],
            ],
        },
    ),
    intent(
        "warmth",
        Said {
            ids: ids!("warmth"),
            category: Category::Tone,
            texts: [
                "Be a good companion to the reader.",
                "The more words like you and your a response has, the better.",
                "More words like you and your win; after that, more positive words.",
                "One point for each you or your, and one point for each positive word.",
            ],
            rules: [
                order![(more SECOND_PERSON)],
                order![(more SECOND_PERSON), (more POSITIVE_WORDS)],
                points![(1, more SECOND_PERSON), (1, more POSITIVE_WORDS)],
            ],
        },
    ),
];
