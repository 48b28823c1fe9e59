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
    ]
    held_out [
        "Fewest parentheses wins.",
        "No side notes: each opening bracket moves an answer down.",
        "Whichever response puts the fewest things in brackets should come first.",
        "A text without a single bracketed aside should be ranked first.",
    ]
};
