//! Principles of tone: how a response addresses its reader.

use super::*;
use crate::Quality as Q;

const CATEGORY: Category = Category::Tone;

pub(super) const PRINCIPLES: &[Principle] = &[
    Principle::single(
        "tone-courteous",
        CATEGORY,
        "Courtesy counts: the more often a response uses words like please, thanks, sorry or welcome, \
         the better.",
    )
    .checked(order![(more POLITENESS)]),
    Principle::single(
        "tone-no-pleasantries",
        CATEGORY,
        "Skip the pleasantries: the fewer words like please, thanks, sorry or welcome a response \
         uses, the better.",
    )
    .checked(order![(fewer POLITENESS)]),
    Principle::single(
        "tone-cheerful",
        CATEGORY,
        "Be upbeat. Responses with more words of praise and joy, such as great or wonderful, rank \
         higher.",
    )
    .checked(order![(more POSITIVE_WORDS)]),
    Principle::single(
        "tone-calm",
        CATEGORY,
        "Stay calm: fewer exclamation marks are better, none is best.",
    )
    .checked(order![(fewer EXCLAMATIONS)]),
    Principle::single(
        "tone-impersonal",
        CATEGORY,
        "The author should stay out of sight. The fewer pronouns of the first person a response uses, \
         the better.",
    )
    .checked(order![(fewer FIRST_PERSON)]),
    Principle::single(
        "tone-speaks-to-reader",
        CATEGORY,
        "Speak to the reader directly: the more often a response says you or your, the better.",
    )
    .checked(order![(more SECOND_PERSON)]),
    Principle::prioritised(
        "tone-warm-then-firm",
        CATEGORY,
        "Kindness first, firmness second: acknowledge what the person feels, then state plainly what \
         has to be said. Firmness without kindness ranks above kindness without substance, and both \
         rank below the two together.",
    ),
    Principle::single(
        "tone-respects-beginners",
        CATEGORY,
        "Prefer responses that never make a beginner feel foolish: no \"obviously\", no sighing, no \
         showing off.",
    ),
    Principle::single(
        "tone-matches-prompt",
        CATEGORY,
        "The register should mirror the prompt: casual for casual, formal for formal. The closer the \
         match, the better.",
    )
    .kept_for_evaluation(),
    Principle::structured(
        "tone-humour-rules",
        CATEGORY,
        "A light joke is a plus when the prompt is playful, neutral when it is factual, and a serious \
         fault when someone is grieving, ill or in danger.",
    ),
    Principle::single(
        "tone-no-flattery",
        CATEGORY,
        "Responses that compliment the user or the question, instead of answering it, rank lower the \
         more they do so.",
    ),
    Principle::prioritised(
        "tone-honest-disagreement",
        CATEGORY,
        "When the user is wrong, saying so clearly matters most; saying so gently matters next. \
         Agreement with a mistake is the worst outcome, however friendly.",
    )
    .kept_for_evaluation(),
    Principle::single(
        "tone-no-lecture",
        CATEGORY,
        "Do not moralise. Prefer responses that trust the adult who asked, without warnings that \
         nobody needs.",
    ),
    Principle::structured(
        "tone-crisis-order",
        CATEGORY,
        "For a person in distress: first safety, then listening, then options, and last facts. Lower \
         the score for each of these that comes too early, and twice for leaving out safety.",
    )
    .kept_for_evaluation(),
    Principle::single(
        "tone-no-shouting",
        CATEGORY,
        "Capital letters shout: each word written wholly in capitals makes a response worse.",
    )
    .checked(order![(fewer Q::Shouting)]),
    Principle::single(
        "tone-no-intensifiers",
        CATEGORY,
        "Keep the volume down. The fewer intensifiers, such as very, really or extremely, the better \
         the response.",
    )
    .checked(order![(fewer Q::Intensifiers)]),
    Principle::single(
        "tone-relaxed-contractions",
        CATEGORY,
        "Sound relaxed: the more contracted forms, such as it's or don't, the better.",
    )
    .checked(order![(more CONTRACTIONS)])
    .kept_for_evaluation(),
    Principle::single(
        "tone-no-apologies",
        CATEGORY,
        "Nobody needs to be sorry. The fewer words of apology or regret, the better.",
    )
    .checked(order![(fewer Q::Apologies)]),
    Principle::single(
        "tone-adult-to-adult",
        CATEGORY,
        "The reader is an equal. Prefer responses that neither talk down to the reader nor look up to \
         them.",
    )
    .kept_for_evaluation(),
    Principle::prioritised(
        "tone-feeling-then-matter",
        CATEGORY,
        "When a message shows worry, anger or joy, naming that feeling comes first and the matter \
         itself second. A response that skips the feeling ranks below every response that hears it, \
         unless it leaves the matter out.",
    ),
    Principle::structured(
        "tone-advertising-faults",
        CATEGORY,
        "Whatever reads like an advertisement costs points: one for each slogan, one for each \
         superlative without proof, two for each call to buy. Start at five and never go below one.",
    ),
    Principle::single(
        "tone-steady-register",
        CATEGORY,
        "The register should stay the same from the first sentence to the last; a response that slips \
         from formal to chatty, or back, ranks lower for each slip.",
    )
    .kept_for_evaluation(),
    Principle::prioritised(
        "tone-courtesy-then-calm",
        CATEGORY,
        "At least one word of courtesy, such as please or thanks, is required and outranks everything \
         else. Among responses equal in that, fewer exclamation marks are better.",
    )
    .checked(order![(least 1 POLITENESS), (fewer EXCLAMATIONS)]),
    Principle::prioritised(
        "tone-you-before-i",
        CATEGORY,
        "The more a response says you and your, the better. When two are level, the one with fewer \
         pronouns of the first person, such as I or we, goes first.",
    )
    .checked(order![(more SECOND_PERSON), (fewer FIRST_PERSON)]),
    Principle::prioritised(
        "tone-no-filler-then-warm",
        CATEGORY,
        "Openings such as \"Sure\" or \"Great question\" lose to any other opening. Only then do \
         words of praise and joy count: the more, the better.",
    )
    .checked(order![(most 0 Q::FillerOpening), (more POSITIVE_WORDS)]),
    Principle::prioritised(
        "tone-calm-then-personal",
        CATEGORY,
        "No exclamation marks at all is the first demand. Between responses that are equal in it, \
         more pronouns of the first person, such as I and my, are better.",
    )
    .checked(order![(most 0 EXCLAMATIONS), (more FIRST_PERSON)])
    .kept_for_evaluation(),
    Principle::prioritised(
        "tone-emoji-then-praise",
        CATEGORY,
        "First the fewest emoji; then, among equals, the most words of praise or joy; and if that is \
         level as well, the fewest words.",
    )
    .checked(order![(fewer Q::Emoji), (more POSITIVE_WORDS), (fewer WORDS)]),
    Principle::prioritised(
        "tone-respect-over-wit",
        CATEGORY,
        "Wit is welcome and respect is required: a joke at somebody's expense puts a response below \
         every response without one. Among respectful ones, the wittier wins.",
    ),
    Principle::prioritised(
        "tone-frank-before-soothing",
        CATEGORY,
        "Tell the truth about bad news first, and comfort second. A soothing response that leaves the \
         bad news out ranks below a blunt one that states it.",
    ),
    Principle::prioritised(
        "tone-professional-first",
        CATEGORY,
        "In messages to customers, a professional manner comes before friendliness, and friendliness \
         before brevity. Compare the next only where the one before is equal.",
    ),
    Principle::prioritised(
        "tone-child-safe-voice",
        CATEGORY,
        "When the reader is a child, gentle words outrank exact words; an exact term may stand where \
         it is explained at once. A frightening detail loses to both.",
    )
    .kept_for_evaluation(),
    Principle::structured(
        "tone-warmth-points",
        CATEGORY,
        "1. Two points for each polite word, such as please or welcome. 2. One point for each word of \
         praise or joy. 3. Two points off for each exclamation mark. The best sum wins.",
    )
    .checked(points![(2, more POLITENESS), (1, more POSITIVE_WORDS), (-2, more EXCLAMATIONS)]),
    Principle::structured(
        "tone-cool-points",
        CATEGORY,
        "Take one point off for each exclamation mark, one for each emoji and three for an opening \
         such as \"Sure\" or \"Great question\". The response that loses least is best.",
    )
    .checked(points![(-1, more EXCLAMATIONS), (-1, more Q::Emoji), (-3, least 1 Q::FillerOpening)]),
    Principle::structured(
        "tone-invite-back",
        CATEGORY,
        "Four points when the response ends in a question, one point for each time it says you or \
         your, two points off for each apology.",
    )
    .checked(points![(4, least 1 Q::FinalQuestion), (1, more SECOND_PERSON), (-2, more Q::Apologies)]),
    Principle::structured(
        "tone-quiet-certainty",
        CATEGORY,
        "Two points off for each negation, such as not or never; one point off for each intensifier, \
         such as very or really; one point for each word of courtesy. Largest sum first.",
    )
    .checked(points![(-2, more NEGATIONS), (-1, more Q::Intensifiers), (1, more POLITENESS)])
    .kept_for_evaluation(),
    Principle::structured(
        "tone-complaint-reply",
        CATEGORY,
        "For replies to a complaint: 1. the trouble is acknowledged in the first sentence; 2. no \
         excuse comes before the remedy; 3. the remedy has a date; 4. the customer is never blamed. \
         One point each, none at all if rule 4 is broken.",
    ),
    Principle::structured(
        "tone-feedback-recipe",
        CATEGORY,
        "Feedback on somebody's work: name one thing that works, then the change that matters most, \
         then how to make it. Two points off for praise that fits any work, two off for a fault named \
         without a remedy.",
    ),
    Principle::structured(
        "tone-refusal-manner",
        CATEGORY,
        "When a request must be declined: 5 if the response says no in one sentence, without blame, \
         and offers something near that is allowed; 3 if the offer is missing; 1 if it preaches or \
         suspects the user.",
    ),
    Principle::structured(
        "tone-formality-scale",
        CATEGORY,
        "Score formality by address: title and surname 5, first name with a greeting 4, greeting \
         alone 3, no address 2, slang or a nickname 1.",
    ),
    Principle::structured(
        "tone-condolence-rules",
        CATEGORY,
        "On grief: (a) the loss is named, one point; (b) no comparison with another loss, one point; \
         (c) no advice unless asked for, one point; (d) an offer that can be taken up, one point; a \
         joke sets the score to zero.",
    )
    .kept_for_evaluation(),
];
