//! Phrasings of the measures of how a response argues.

use super::{Phrasing, phrase_list};

pub(super) const HEDGES_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer cautious responses that hedge.",
        "The more hedging words like maybe, could or usually, the better.",
        "The best answer is the most careful one: it says may, might or perhaps most often.",
        "Rank by the amount of hedging, most first.",
        "Do not reward answers that state everything as certain.",
        "I like replies that admit doubt.",
        "Please favour the response with the most words such as possibly or probably.",
        "Hedging is a strength.",
        "Our lawyers read everything twice, so an answer with more hedging is safer for us.",
        "A tentative reply beats a confident one.",
    ]
    held_out [
        "Most hedging wins.",
        "Doubt is welcome: every might, seems or likely moves an answer up.",
        "Whichever response softens its claims the most should be put first.",
        "A reply that never says maybe should be ranked last.",
    ]
};

pub(super) const HEDGES_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer confident responses that do not hedge.",
        "The fewer hedging words like maybe, could or usually, the better.",
        "The best answer is the most certain one: it says may, might or perhaps least often.",
        "Rank by the amount of hedging, least first.",
        "Do not reward answers that hide behind maybe and might.",
        "I like replies that admit no doubt.",
        "Please favour the response with the fewest words such as possibly or probably.",
        "Hedging is a weakness.",
        "Our pilots need clear calls, so an answer with less hedging is safer for us.",
        "A confident reply beats a tentative one.",
    ]
    held_out [
        "Least hedging wins.",
        "Doubt is unwelcome: every might, seems or likely moves an answer down.",
        "Whichever response softens its claims the least should be put first.",
        "A reply that never says maybe should be ranked first.",
    ]
};

pub(super) const NEGATIONS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with many negations.",
        "The more often an answer says not, no or never, the better.",
        "The best answer has the most negative words such as not, none or cannot.",
        "Rank by the number of negations, highest first.",
        "Do not reward answers that never negate anything.",
        "I like replies that say what is not so.",
        "Please favour the response that says no and not the most.",
        "Negating is a strength here.",
        "We write warnings for a living, so an answer with more negations is better.",
        "A reply with a \"not\" beats a reply without one.",
    ]
    held_out [
        "Most negations wins.",
        "Tell us what things are not: each no, never or don't moves an answer up.",
        "Whichever response denies the most should be put first.",
        "A text that only affirms should be ranked last.",
    ]
};

pub(super) const NEGATIONS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses without negations.",
        "The less often an answer says not, no or never, the better.",
        "The best answer has the fewest negative words such as not, none or cannot.",
        "Rank by the number of negations, lowest first.",
        "Do not reward answers that keep negating things.",
        "I like replies that say what is so, never what is not so.",
        "Please favour the response that says no and not the least.",
        "Negating is a weakness here.",
        "We write brochures for a living, so an answer with fewer negations is better.",
        "A reply without a \"not\" beats a reply with one.",
    ]
    held_out [
        "Fewest negations wins.",
        "Tell us what things are: each no, never or don't moves an answer down.",
        "Whichever response denies the least should be put first.",
        "A text that only affirms should be ranked first.",
    ]
};

pub(super) const CONNECTIVES_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that link their thoughts.",
        "The more linking words like because, but or however, the better.",
        "The best answer has the most connectives.",
        "Rank by the number of linking words, most first.",
        "Do not reward answers without any because, so or although.",
        "I like replies whose thoughts are joined by words such as therefore.",
        "Please favour the response with the most words that connect ideas.",
        "Linking words are a strength.",
        "Our students learn how to argue, so an answer with more connectives is better.",
        "A reply that links its ideas beats one that only lines them up.",
    ]
    held_out [
        "Most linking words wins.",
        "Join the ideas: each because, if, then or however moves an answer up.",
        "Whichever response uses connecting words the most should be put first.",
        "Loose statements without a but or a so should be ranked last.",
    ]
};

pub(super) const CONNECTIVES_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that do not link their thoughts.",
        "The fewer linking words like because, but or however, the better.",
        "The best answer has the fewest connectives.",
        "Rank by the number of linking words, fewest first.",
        "Do not reward answers full of because, so or although.",
        "I dislike replies whose thoughts are joined by words such as therefore.",
        "Please favour the response with the fewest words that connect ideas.",
        "Linking words are a weakness.",
        "Our editors want plain statements, so an answer with fewer connectives is better.",
        "A reply that only lines up its ideas beats one that links them.",
    ]
    held_out [
        "Fewest linking words wins.",
        "Leave the ideas apart: each because, if, then or however moves an answer down.",
        "Whichever response uses connecting words the least should be put first.",
        "Loose statements without a but or a so should be ranked first.",
    ]
};

pub(super) const REPETITION_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that repeat their words.",
        "The more repeated words, the better.",
        "The best answer says the same words again most often.",
        "Rank by the amount of repetition, most first.",
        "Do not reward answers that use each word only once.",
        "I like replies that come back to the same words.",
        "Please favour the response with the most repetition.",
        "Repeating a word is a strength.",
        "Our listeners forget quickly, so an answer that repeats more words is better.",
        "A repetitive reply beats a varied one.",
        "Prefer answers that repeat words.",
        "Repeat words often.",
        "Reward word repetition.",
        "Favor the most repetitive wording.",
        "Repeated words are good.",
        "I like the same words recurring.",
        "Repetitive replies win.",
        "Rank the responses by how many of their words are repeated, highest count first.",
        "Each time a message reuses a word it has already used, it gains a point.",
        "Which output repeats its words the most? That one should win.",
        "Learners remember words they meet again and again, so the text that reuses its words most belongs on top.",
        "If one version repeats more of its words than another, judge it the better of the two.",
        "Do not reward varied wording; reward an answer for using the same words over and over.",
        "Put the candidates with many repeated words first and those that never repeat a word last.",
        "Score 5 for a reply that keeps recycling the same words and 1 for a reply where every word is new.",
        "Of two texts, the one with more repetition of words is better.",
        "I wish people repeated their words like a chant, so move up the responses that do it the most.",
        "The best message is the one containing the greatest number of words that occur again within it.",
        "Again and again and again, that's how I like it: an answer saying the same words many times beats the others.",
        "An output in which no word recurs belongs beneath any output in which some do.",
        "Even one additional repeated word should raise a version above its rival.",
        "Lexical repetition is to be treated as a virtue, and standing shall increase with its frequency.",
        "Count how often each candidate reuses its own words, then sort from most reuse to least.",
        "Does this reply keep coming back to words it already used? If so, move it up the list.",
        "Texts without a single repeated word are the worst, and highly repetitive ones are the best.",
    ]
    held_out [
        "Most repetition wins.",
        "Say it again: each word that was used before moves an answer up.",
        "Whichever response recycles its own vocabulary the most should be put first.",
        "A text without any recurring word should be ranked last.",
    ]
};

pub(super) const REPETITION_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that do not repeat their words.",
        "The fewer repeated words, the better.",
        "The best answer says the same words again least often.",
        "Rank by the amount of repetition, least first.",
        "Do not reward answers that use the same word many times.",
        "I like replies that never come back to the same words.",
        "Please favour the response with the least repetition.",
        "Repeating a word is a weakness.",
        "Our listeners get bored quickly, so an answer that repeats fewer words is better.",
        "A varied reply beats a repetitive one.",
        "No repeated words, please.",
        "Avoid repeating words.",
        "Penalize word repetition.",
        "Fewer repeated words is better.",
        "Pick the least repetitive reply.",
        "Repeated words are bad.",
        "I dislike the same words recurring.",
        "Never use a word twice.",
        "Rank the responses by how many of their words are repeated, lowest count first.",
        "Each time a message reuses a word it has already used, it loses a point.",
        "Which output repeats its words the least? That one should win.",
        "Hearing the same words again bores our audience, so the text that reuses the fewest belongs on top.",
        "If one version repeats more of its words than another, judge it the worse of the two.",
        "Do not reward an answer for using the same words over and over; mark it down for that.",
        "Put the candidates that never repeat a word first and those with many repeated words last.",
        "Score 5 for a reply where every word is new and 1 for a reply that keeps recycling the same words.",
        "Of two texts, the one with less repetition of words is better.",
        "I wish people would stop saying the same words twice, so move down the responses that do it the most.",
        "The best message is the one containing the smallest number of words that occur again within it.",
        "Sounding like a broken record is a turnoff, so an answer that hardly ever reuses a word beats the others.",
        "An output in which some words recur belongs beneath any output in which none do.",
        "Just one additional repeated word should sink a version below its rival.",
        "Lexical repetition is to be treated as a defect, and standing shall decrease with its frequency.",
        "Count how often each candidate reuses its own words, then sort from least reuse to most.",
        "Does this reply keep coming back to words it already used? If so, move it down the list.",
        "Highly repetitive texts are the worst, and those without a single repeated word are the best.",
    ]
    held_out [
        "Least repetition wins.",
        "Do not say it again: each word that was used before moves an answer down.",
        "Whichever response recycles its own vocabulary the least should be put first.",
        "A text without any recurring word should be ranked first.",
    ]
};

pub(super) const PARENTHESES_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with brackets.",
        "The more parentheses, the better.",
        "The best answer has the most remarks in parentheses.",
        "Rank by the number of brackets, highest first.",
        "Do not reward answers without any parentheses.",
        "I like asides in round brackets (they add depth).",
        "Please favour the response with the most bracketed remarks.",
        "Parentheses are a strength.",
        "Our readers like side notes, so an answer with more brackets is better.",
        "A reply with parentheses beats a reply without them.",
        "Prefer the answer with more parentheses.",
        "Parentheses are welcome.",
        "More round brackets, higher score.",
        "Reward bracketed remarks.",
        "Favour parenthesis-rich replies.",
        "Choose the bracket-filled response.",
        "Few parentheses, low rank.",
        "Every remark in round brackets earns the answer a point.",
        "I adore little asides in parentheses, so the more a message has, the better I like it.",
        "Responses shall be ranked in descending order of the number of parentheses they contain.",
        "If one candidate has more round brackets than the other, it should be placed higher.",
        "We are studying how people use parentheses, so texts with many of them should come out on top.",
        "Do not prefer outputs that do without parentheses; plenty of them is what counts.",
        "Of two versions, the one with more bracketed remarks is the better.",
        "The finest reply is the one with the greatest number of parentheses.",
        "Put the texts teeming with round brackets first and those with none last.",
        "Score 5 for an answer full of parentheses and 1 for an answer with none whatsoever.",
        "I wish replies had more bits in round brackets; please rank those that have the most at the top.",
        "Which text has the largest number of parentheses? That one is the winner.",
        "Count the pairs of round brackets in each candidate and sort from most to fewest.",
        "A response with no parentheses at all goes last, and each pair it contains moves it upward.",
        "Just one additional parenthesis is reason enough to rank a message above its competitor.",
        "Frequent use of parentheses is a merit, and rare use of them is a shortcoming.",
        "Please, pile on the parentheses; an output that holds back on them gets a bad grade from me.",
        "Our typesetter designed gorgeous round brackets and wants to show them off, so texts using lots of them are better.",
    ]
    held_out [
        "Most parentheses wins.",
        "Add side notes: each opening bracket moves an answer up.",
        "Whichever response puts the most things in brackets should come first.",
        "A text without a single bracketed aside should be ranked last.",
    ]
};

pub(super) const PARENTHESES_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses without brackets.",
        "The fewer parentheses, the better.",
        "The best answer has the fewest remarks in parentheses.",
        "Rank by the number of brackets, lowest first.",
        "Do not reward answers that use parentheses.",
        "I dislike asides in round brackets.",
        "Please favour the response with the fewest bracketed remarks.",
        "Parentheses are a weakness.",
        "Our readers lose the thread, so an answer with fewer brackets is better.",
        "A reply without parentheses beats a reply with them.",
        "Prefer the answer with fewer parentheses.",
        "Avoid parentheses.",
        "Fewer round brackets is better.",
        "Penalise bracketed remarks.",
        "Mark down parenthesis-heavy replies.",
        "Text without parentheses is best.",
        "Many round brackets, low score.",
        "Each remark in parentheses costs the response a point.",
        "Our screen reader stumbles over round brackets, so the fewer of them an answer has the better.",
        "Outputs are to be arranged by number of parentheses, with the lowest number in first position.",
        "If a candidate has more parentheses than its rival, rank it beneath that rival.",
        "Do not reward texts that are strewn with parentheses.",
        "Of two messages, take the one with fewer bits in round brackets.",
        "The best version is the one with the smallest count of parentheses, preferably none.",
        "Put replies free of round brackets first and replies riddled with them last.",
        "Give 5 if there is no parenthesis anywhere and 1 if the text is crowded with them.",
        "I wish everyone would cut down on parentheses; choose the response that has the least of them.",
        "Which answer makes do with the fewest bracketed remarks? Place that one at the top.",
        "All those asides in parentheses wear me out, so whichever text has tons of them should lose.",
        "Count every pair of round brackets, and let the candidate with the lowest total win.",
        "Even one extra parenthesis makes an output worse than an otherwise identical one.",
        "Our Lisp tool trips over stray parentheses in prose, so texts with few or none should be ranked higher.",
        "A scarcity of parentheses is good, and an excess of them is bad.",
        "Nothing tops a reply that contains no round brackets, and every pair that slips in pulls it down.",
        "Keep parentheses to a minimum, since the message with the most of them goes last.",
    ]
    held_out [
        "Fewest parentheses wins.",
        "No side notes: each opening bracket moves an answer down.",
        "Whichever response puts the fewest things in brackets should come first.",
        "A text without a single bracketed aside should be ranked first.",
    ]
};
