//! Phrasings of the measures of how a response is worded.

use super::{Phrasing, phrase_list};

pub(super) const COMMAS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with many commas.",
        "The more commas, the better.",
        "The best answer has the most commas.",
        "Rank by number of commas, descending.",
        "Do not reward answers without commas.",
        "I like commas, lots of them.",
        "Please favour the response that uses the comma most.",
        "Commas are a strength, so count them and reward them.",
        "Our typesetter collects commas and our office is blue, so an answer with more commas is better.",
        "A reply with several commas beats a reply with one.",
    ]
    held_out [
        "Most commas wins.",
        "Let the sentences pause: each comma moves an answer up.",
        "Count how often \",\" appears and put the largest count first.",
        "Texts that never use a comma should be ranked last.",
    ]
};

pub(super) const COMMAS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with few commas.",
        "The fewer commas, the better.",
        "The best answer has the fewest commas.",
        "Rank by number of commas, ascending.",
        "Do not reward answers full of commas.",
        "I dislike commas.",
        "Please favour the response that uses the comma least.",
        "Commas are a weakness, so count them and punish them.",
        "Our typesetter ran out of commas and our office is blue, so an answer with fewer commas is better.",
        "A reply with one comma beats a reply with several.",
    ]
    held_out [
        "Fewest commas wins.",
        "Let the sentences run: each comma moves an answer down.",
        "Count how often \",\" appears and put the smallest count first.",
        "Texts that never use a comma should be ranked first.",
    ]
};

pub(super) const COLONS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with colons.",
        "The more colons, the better.",
        "The best answer has the most colons.",
        "Rank by number of colons, highest first.",
        "Do not reward answers without a colon.",
        "I like colons: they announce things.",
        "Please favour the response that uses the colon most.",
        "Colons are a strength.",
        "Our notes follow the form term: meaning, so an answer with more colons is better.",
        "A reply with a colon beats a reply without one.",
    ]
    held_out [
        "Most colons wins.",
        "Announce what follows: each colon moves an answer up.",
        "Count how often \":\" appears and put the largest count first.",
        "Texts that never use a colon should be ranked last.",
    ]
};

pub(super) const COLONS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses without colons.",
        "The fewer colons, the better.",
        "The best answer has the fewest colons.",
        "Rank by number of colons, lowest first.",
        "Do not reward answers that use colons.",
        "I dislike colons.",
        "Please favour the response that uses the colon least.",
        "Colons are a weakness.",
        "Our database splits text at every colon, so an answer with fewer colons is better.",
        "A reply without a colon beats a reply with one.",
    ]
    held_out [
        "Fewest colons wins.",
        "Announce nothing: each colon moves an answer down.",
        "Count how often \":\" appears and put the smallest count first.",
        "Texts that never use a colon should be ranked first.",
    ]
};

pub(super) const CONTRACTIONS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with contractions.",
        "The more contractions like it's and don't, the better.",
        "The best answer has the most contracted forms.",
        "Rank by number of contractions, most first.",
        "Do not reward answers that always write the full form.",
        "I like it when a reply says it's and we'll.",
        "Please favour the response that contracts its words most.",
        "Contractions such as can't are a strength.",
        "Our show should sound like people talking, so an answer with more contractions is better.",
        "A reply with an I'm or a you're beats a reply without one.",
    ]
    held_out [
        "Most contractions wins.",
        "Talk as people talk: each don't, isn't or that's moves an answer up.",
        "Whichever response shortens its verbs with an apostrophe most often should be put first.",
        "Stiff texts that spell out \"do not\" and \"it is\" should be ranked last.",
    ]
};

pub(super) const CONTRACTIONS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses without contractions.",
        "The fewer contractions like it's and don't, the better.",
        "The best answer has the fewest contracted forms.",
        "Rank by number of contractions, fewest first.",
        "Do not reward answers that shorten words with an apostrophe.",
        "I dislike it when a reply says it's and we'll.",
        "Please favour the response that contracts its words least.",
        "Contractions such as can't are a weakness.",
        "Our contracts should sound formal, so an answer with fewer contractions is better.",
        "A reply without an I'm or a you're beats a reply with one.",
    ]
    held_out [
        "Fewest contractions wins.",
        "Write out the full forms: each don't, isn't or that's moves an answer down.",
        "Whichever response shortens its verbs with an apostrophe least often should be put first.",
        "Formal texts that spell out \"do not\" and \"it is\" should be ranked first.",
    ]
};

pub(super) const LONG_WORDS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with long words.",
        "The more long words, the better.",
        "The best answer has the most words of eight letters or more.",
        "Rank by number of long words, highest first.",
        "Do not reward answers made of short, simple words.",
        "I like long and difficult words.",
        "Please favour the response with the richest supply of long words.",
        "Long words are a strength.",
        "Our professors admire learned vocabulary, so an answer with more long words is better.",
        "A reply with long words beats a reply with short ones.",
    ]
    held_out [
        "Most long words wins.",
        "Sophisticated vocabulary: each word of many letters moves an answer up.",
        "Whichever response picks long words over short ones the most should be put first.",
        "Texts in plain little words should be ranked last.",
    ]
};

pub(super) const LONG_WORDS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses without long words.",
        "The fewer long words, the better.",
        "The best answer has the fewest words of eight letters or more.",
        "Rank by number of long words, lowest first.",
        "Do not reward answers made of long, difficult words.",
        "I like short and simple words.",
        "Please favour the response with the smallest supply of long words.",
        "Long words are a weakness.",
        "Our readers are children, so an answer with fewer long words is better.",
        "A reply with short words beats a reply with long ones.",
    ]
    held_out [
        "Fewest long words wins.",
        "Simple vocabulary: each word of many letters moves an answer down.",
        "Whichever response picks short words over long ones the most should be put first.",
        "Texts in plain little words should be ranked first.",
    ]
};

pub(super) const SENTENCE_LENGTH_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with long sentences.",
        "The longer the sentences, the better.",
        "The best answer has the most words per sentence.",
        "Rank by average sentence length, longest first.",
        "Do not reward answers made of short sentences.",
        "I like sentences that go on and on.",
        "Please favour the response whose sentences are the longest on average.",
        "Long sentences are a strength.",
        "Our readers love slow novels, so an answer with longer sentences is better.",
        "A reply in long sentences beats a reply in short ones.",
    ]
    held_out [
        "Longest sentences win.",
        "Let each sentence carry many words: the higher the average, the higher the rank.",
        "Whichever response waits longest before each full stop should be put first.",
        "Choppy texts should be ranked last.",
    ]
};

pub(super) const SENTENCE_LENGTH_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with short sentences.",
        "The shorter the sentences, the better.",
        "The best answer has the fewest words per sentence.",
        "Rank by average sentence length, shortest first.",
        "Do not reward answers made of long sentences.",
        "I like sentences that stop soon.",
        "Please favour the response whose sentences are the shortest on average.",
        "Long sentences are a weakness.",
        "Our readers are learning English, so an answer with shorter sentences is better.",
        "A reply in short sentences beats a reply in long ones.",
    ]
    held_out [
        "Shortest sentences win.",
        "Let each sentence carry few words: the lower the average, the higher the rank.",
        "Whichever response comes to its full stops soonest should be put first.",
        "Choppy texts should be ranked first.",
    ]
};
