//! Principles of structure: how a response is laid out.

use super::*;
use crate::Quality as Q;

const CATEGORY: Category = Category::Structure;

pub(super) const PRINCIPLES: &[Principle] = &[
    Principle::single(
        "structure-shortest",
        CATEGORY,
        "The shortest response is the best one; length alone decides.",
    )
    .checked(order![(fewer WORDS)]),
    Principle::single(
        "structure-longest",
        CATEGORY,
        "The longest response is the best one; length alone decides.",
    )
    .checked(order![(more WORDS)]),
    Principle::single(
        "structure-uses-lists",
        CATEGORY,
        "Information should come item by item. The more bulleted or numbered items a response has, \
         the better.",
    )
    .checked(order![(more LIST_ITEMS)]),
    Principle::single(
        "structure-no-lists",
        CATEGORY,
        "Write prose, not lists. The fewer bulleted or numbered items a response has, the better.",
    )
    .checked(order![(fewer LIST_ITEMS)]),
    Principle::single(
        "structure-plain-text",
        CATEGORY,
        "Plain text only: every bold span, heading or piece of code formatting makes a response \
         worse.",
    )
    .checked(order![(fewer MARKUP)]),
    Principle::single(
        "structure-many-lines",
        CATEGORY,
        "Give the text air. The more separate lines it is spread over, the better.",
    )
    .checked(order![(more LINES)]),
    Principle::single(
        "structure-few-sentences",
        CATEGORY,
        "Say it in as few sentences as possible; a response with fewer sentences is better than one \
         with more.",
    )
    .checked(order![(fewer SENTENCES)]),
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
    Principle::single(
        "structure-near-fifty-words",
        CATEGORY,
        "Aim at fifty words. The closer the length of a response comes to fifty words, above or \
         below, the better.",
    )
    .checked(order![(near 50 WORDS)]),
    Principle::single(
        "structure-headings",
        CATEGORY,
        "Guide the eye: a response with more Markdown headings is better than one with fewer.",
    )
    .checked(order![(more Q::Headings)]),
    Principle::single(
        "structure-short-longest-paragraph",
        CATEGORY,
        "No blocks of text. Rank by the number of words in the longest paragraph, smallest first.",
    )
    .checked(order![(fewer Q::LongestParagraph)]),
    Principle::single(
        "structure-no-long-sentence",
        CATEGORY,
        "One endless sentence spoils a page: the fewer words the longest sentence has, the better the \
         response.",
    )
    .checked(order![(fewer Q::LongestSentence)])
    .kept_for_evaluation(),
    Principle::single(
        "structure-parallel-items",
        CATEGORY,
        "Items of a list should be built alike: all full sentences, or all noun phrases, or all \
         commands. The fewer items that break the pattern, the better.",
    ),
    Principle::prioritised(
        "structure-signposts-then-length",
        CATEGORY,
        "A response must say at the start what is coming and in which order; those that do rank above \
         those that do not. Among them, the one that keeps to its own announcement best wins.",
    ),
    Principle::single(
        "structure-grouped-by-topic",
        CATEGORY,
        "What belongs together stands together. A response that returns to a topic it had left ranks \
         below one that treats each topic once.",
    )
    .kept_for_evaluation(),
    Principle::prioritised(
        "structure-list-then-short",
        CATEGORY,
        "A response with at least one list item beats one without. Among responses that are equal in \
         this, the shortest, counted in words, is best.",
    )
    .checked(order![(least 1 LIST_ITEMS), (fewer WORDS)]),
    Principle::prioritised(
        "structure-budget-then-items",
        CATEGORY,
        "Stay within eighty words; every response that does ranks above every response that does not. \
         Inside each group, more list items are better.",
    )
    .checked(order![(most 80 WORDS), (more LIST_ITEMS)]),
    Principle::prioritised(
        "structure-plain-then-lines",
        CATEGORY,
        "Formatting comes first: the fewer formatting marks, such as bold, headings and code, the \
         better. Where two responses are equal in this, prefer the one with more lines.",
    )
    .checked(order![(fewer MARKUP), (more LINES)]),
    Principle::prioritised(
        "structure-paragraphs-then-brevity",
        CATEGORY,
        "Two paragraphs or more are required, so responses that have them come before those that do \
         not. Ties are broken by sentence count, fewest first.",
    )
    .checked(order![(least 2 Q::Paragraphs), (fewer SENTENCES)]),
    Principle::prioritised(
        "structure-short-no-list",
        CATEGORY,
        "Fewer sentences win. Only when two responses have equally many does the number of list items \
         matter, and there fewer are better as well.",
    )
    .checked(order![(fewer SENTENCES), (fewer LIST_ITEMS)])
    .kept_for_evaluation(),
    Principle::prioritised(
        "structure-request-over-habit",
        CATEGORY,
        "The layout that the user asks for outranks any habit of good layout. Where nothing is asked \
         for, short paragraphs come before lists, and lists before tables.",
    ),
    Principle::prioritised(
        "structure-answer-warnings-rest",
        CATEGORY,
        "Order matters: the answer first, warnings second, background last. A response that keeps \
         this order ranks above any that does not, whatever its length.",
    ),
    Principle::prioritised(
        "structure-scannable-then-complete",
        CATEGORY,
        "A reader in a hurry comes first: key facts must be found in ten seconds. Completeness breaks \
         ties and never excuses a wall of text.",
    ),
    Principle::prioritised(
        "structure-code-block-first",
        CATEGORY,
        "For requests of code, the complete code comes before any explanation. If both responses do \
         that, the one whose comments explain the unobvious lines wins over one that comments every \
         line.",
    )
    .kept_for_evaluation(),
    Principle::structured(
        "structure-layout-points",
        CATEGORY,
        "Start at zero. Two points for each heading, one point for each list item, and three points \
         off when there are no paragraphs beyond the first. Highest total first.",
    )
    .checked(points![(2, more Q::Headings), (1, more LIST_ITEMS), (-3, most 1 Q::Paragraphs)]),
    Principle::structured(
        "structure-table-and-code-points",
        CATEGORY,
        "Add four points for each row of a table and two for each code block. Take one point off for \
         every bold passage. Rank by the total.",
    )
    .checked(points![(4, more Q::TableRows), (2, more Q::CodeBlocks), (-1, more Q::Bold)]),
    Principle::structured(
        "structure-length-bands",
        CATEGORY,
        "Three points for keeping to at most 120 words, two more for keeping to at most sixty, and \
         one point for each numbered line.",
    )
    .checked(points![(3, most 120 WORDS), (2, most 60 WORDS), (1, more Q::Steps)]),
    Principle::structured(
        "structure-steps-and-order",
        CATEGORY,
        "1. One point for each numbered line. 2. One point for each ordering word, such as first, \
         then or finally. 3. Two points off for each remark in round brackets. Sort by the sum.",
    )
    .checked(points![(1, more Q::Steps), (1, more Q::Sequence), (-2, more PARENTHESES)])
    .kept_for_evaluation(),
    Principle::structured(
        "structure-lines-against-words",
        CATEGORY,
        "A point for each line, five points off for going over one hundred words, two points off when \
         it ends in a question.",
    )
    .checked(points![(1, more LINES), (-5, least 101 WORDS), (-2, least 1 Q::FinalQuestion)])
    .kept_for_evaluation(),
    Principle::structured(
        "structure-email-form",
        CATEGORY,
        "For e-mails: (1) a subject line that names the matter; (2) a greeting; (3) the request \
         within the first two sentences; (4) a closing with a name. Take a point off for each that is \
         missing, and two off for a request that comes last.",
    ),
    Principle::structured(
        "structure-report-parts",
        CATEGORY,
        "For reports the parts are summary, findings, evidence, next steps. A part that is missing \
         costs two points, a part out of order costs one, and a part with no text under its heading \
         counts as missing.",
    ),
    Principle::structured(
        "structure-how-to-layout",
        CATEGORY,
        "1. What is needed stands before the first step. 2. Each step holds one action. 3. Steps are \
         numbered when there are three or more. 4. The expected result closes the text. Score 1 plus \
         the number of rules kept.",
    ),
    Principle::structured(
        "structure-depth-limit",
        CATEGORY,
        "Lists may have two levels. Each deeper level costs a point, a list with a single item costs \
         a point, and a list that interrupts a sentence costs two.",
    ),
    Principle::structured(
        "structure-faq-form",
        CATEGORY,
        "When several questions are asked: 5 if each is repeated and answered under its own heading, \
         4 if the answers stand in the order of the questions, 3 if all are answered in some other \
         order, 1 if any is left out.",
    )
    .kept_for_evaluation(),
];
