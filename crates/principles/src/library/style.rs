//! Principles of style: how a response is worded.

use super::*;
use crate::Quality as Q;

const CATEGORY: Category = Category::Style;

pub(super) const PRINCIPLES: &[Principle] = &[
    Principle::single(
        "style-simple-words",
        CATEGORY,
        "Short words are best: each word of eight letters or more makes a response worse.",
    )
    .checked(order![(fewer LONG_WORDS)]),
    Principle::single(
        "style-learned-words",
        CATEGORY,
        "A learned vocabulary is wanted: each word of eight letters or more makes a response better.",
    )
    .checked(order![(more LONG_WORDS)]),
    Principle::single(
        "style-few-commas",
        CATEGORY,
        "Write without commas where possible; the fewer commas, the better.",
    )
    .checked(order![(fewer COMMAS)]),
    Principle::single(
        "style-many-commas",
        CATEGORY,
        "Let the text flow in clauses; the more commas, the better.",
    )
    .checked(order![(more COMMAS)]),
    Principle::single(
        "style-short-sentences",
        CATEGORY,
        "Sentences should be short: the lower the average number of words per sentence, the better.",
    )
    .checked(order![(fewer SENTENCE_LENGTH)])
    .kept_for_evaluation(),
    Principle::single(
        "style-full-forms",
        CATEGORY,
        "Write \"it is\", not \"it's\": the fewer contracted forms, the better.",
    )
    .checked(order![(fewer CONTRACTIONS)])
    .kept_for_evaluation(),
    Principle::single(
        "style-no-colons",
        CATEGORY,
        "Let sentences run on to their end: the fewer colons, the better.",
    )
    .checked(order![(fewer COLONS)]),
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
    Principle::single(
        "style-varied-words",
        CATEGORY,
        "A rich vocabulary is wanted: the higher the share of different words among all words, the \
         better.",
    )
    .checked(order![(more Q::Variety)]),
    Principle::single(
        "style-no-fillers",
        CATEGORY,
        "Cut the padding. Each filler word, such as basically, actually or just, makes a response \
         worse.",
    )
    .checked(order![(fewer Q::Fillers)]),
    Principle::structured(
        "style-plain-research",
        CATEGORY,
        "For research told to the public: (a) no term without its meaning, two points; (b) the \
         finding before the method, one point; (c) one comparison from daily life, one point. Every \
         exclamation of wonder costs a point.",
    ),
    Principle::single(
        "style-no-repeated-openings",
        CATEGORY,
        "Sentences should begin in different ways. The fewer sentences that open with the same word \
         as the one before, the better.",
    )
    .checked(order![(fewer Q::RepeatedOpenings)]),
    Principle::single(
        "style-show-the-verb",
        CATEGORY,
        "Prefer verbs to nouns made from verbs: \"decide\", not \"make a decision\". The more such \
         pairs are resolved, the better.",
    ),
    Principle::single(
        "style-metaphors",
        CATEGORY,
        "One picture carried through beats three that clash. Responses that mix metaphors rank lower.",
    ),
    Principle::prioritised(
        "style-grade-then-short",
        CATEGORY,
        "Readability outranks length: take the response with the lower readability index, which grows \
         with the letters per word and the words per sentence. Only at the same index does the \
         shorter response win.",
    )
    .checked(order![(fewer Q::ReadingGrade), (fewer WORDS)])
    .kept_for_evaluation(),
    Principle::prioritised(
        "style-plain-words-then-commas",
        CATEGORY,
        "Long words, of eight letters or more, come first: fewer are better. Among responses with \
         equally many, the one with fewer commas wins.",
    )
    .checked(order![(fewer LONG_WORDS), (fewer COMMAS)]),
    Principle::prioritised(
        "style-no-dash-then-varied",
        CATEGORY,
        "A response without a single dash outranks any response that has one. Inside each group, the \
         higher share of different words is better.",
    )
    .checked(order![(most 0 Q::Dashes), (more Q::Variety)]),
    Principle::prioritised(
        "style-semicolon-then-colon",
        CATEGORY,
        "Semicolons are what we enjoy most, so the response with more of them leads; between equals, \
         more colons decide, and after that fewer commas.",
    )
    .checked(order![(more Q::Semicolons), (more COLONS), (fewer COMMAS)]),
    Principle::prioritised(
        "style-commas-then-capitals",
        CATEGORY,
        "Fewer commas first. Where two responses have the same number, the one with more capitalised \
         words is the better one.",
    )
    .checked(order![(fewer COMMAS), (more CAPITALS)])
    .kept_for_evaluation(),
    Principle::prioritised(
        "style-short-words-in-budget",
        CATEGORY,
        "Keeping to sixty words comes first; a response beyond that ranks below all that keep to it. \
         Then fewer words of eight letters or more are better.",
    )
    .checked(order![(most 60 WORDS), (fewer LONG_WORDS)]),
    Principle::prioritised(
        "style-voice-over-rule",
        CATEGORY,
        "The author's own voice matters more than a textbook rule. Bend grammar for effect and it is \
         no fault; bend it without effect and it ranks below correct but plain writing.",
    ),
    Principle::prioritised(
        "style-exact-before-short",
        CATEGORY,
        "An exact word outranks a short one, and a short one outranks a fashionable one. Apply the \
         later wish only where the earlier leaves a choice.",
    ),
    Principle::prioritised(
        "style-rhythm-last",
        CATEGORY,
        "Grammar first, then meaning at first reading, then rhythm. A sentence that sings but must be \
         read twice loses to one that is understood at once.",
    )
    .kept_for_evaluation(),
    Principle::prioritised(
        "style-reader-language",
        CATEGORY,
        "The language of the prompt comes before all else: an answer in another language ranks last. \
         After that, prefer idiom over literal translation.",
    ),
    Principle::structured(
        "style-polish-points",
        CATEGORY,
        "Take one point off for each filler word, such as just or basically, one for each \
         intensifier, such as very, and two for each pair of neighbouring sentences that open alike.",
    )
    .checked(points![(-1, more Q::Fillers), (-1, more Q::Intensifiers), (-2, more Q::RepeatedOpenings)]),
    Principle::structured(
        "style-punctuation-points",
        CATEGORY,
        "Two points for each semicolon, one point for each colon, one point off for each dash, three \
         points off for each exclamation mark. Most points first.",
    )
    .checked(
        points![(2, more Q::Semicolons), (1, more COLONS), (-1, more Q::Dashes), (-3, more EXCLAMATIONS)],
    ),
    Principle::structured(
        "style-plain-style-points",
        CATEGORY,
        "1. Three points for at most five words of eight letters or more. 2. Three points for at most \
         six commas. 3. One point off for each bracket.",
    )
    .checked(points![(3, most 5 LONG_WORDS), (3, most 6 COMMAS), (-1, more PARENTHESES)]),
    Principle::structured(
        "style-quoted-and-contracted",
        CATEGORY,
        "One point for each passage in quotation marks, one for each contraction, two points off for \
         each word written wholly in capitals.",
    )
    .checked(points![(1, more QUOTES), (1, more CONTRACTIONS), (-2, more Q::Shouting)])
    .kept_for_evaluation(),
    Principle::structured(
        "style-sentence-limits",
        CATEGORY,
        "Four points when the average sentence has at most fifteen words, two points off for each \
         verb in the passive voice, one point off for each semicolon.",
    )
    .checked(points![(4, most 15 SENTENCE_LENGTH), (-2, more Q::Passives), (-1, more Q::Semicolons)])
    .kept_for_evaluation(),
    Principle::structured(
        "style-proofreading",
        CATEGORY,
        "Each slip of spelling costs one point, each slip of grammar two, and a sentence that cannot \
         be understood three. Start at ten and never go below zero.",
    ),
    Principle::structured(
        "style-poem-rules",
        CATEGORY,
        "For poems: (a) the form that was asked for is kept, two points; (b) no line is there for its \
         rhyme alone, two points; (c) one image that surprises, one point. A rhyme of a word with \
         itself costs a point.",
    ),
    Principle::structured(
        "style-headline-rules",
        CATEGORY,
        "Headlines: at most ten words; a verb in the present; the newest fact in front; no question \
         and no pun on a name. Full marks for all, one off for each breach.",
    ),
    Principle::structured(
        "style-dialogue-rules",
        CATEGORY,
        "For dialogue: 1. each speaker can be told by their words alone; 2. nobody explains what both \
         speakers know; 3. tags are \"said\" or none. Two points for the first, one each for the \
         others.",
    ),
    Principle::structured(
        "style-technical-docs",
        CATEGORY,
        "For manuals, reward one term for one thing (30%), commands that can be copied (30%), \
         sentences in the present tense (20%) and no appeal to feelings (20%).",
    )
    .kept_for_evaluation(),
];
