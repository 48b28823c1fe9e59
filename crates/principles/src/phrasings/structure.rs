//! Phrasings of the measures of how a response is laid out.

use super::{Phrasing, phrase_list};

pub(super) const WORDS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer longer responses.",
        "The longest answer is the best.",
        "The more words, the better.",
        "Rank by length, longest first.",
        "Do not reward short answers.",
        "I like long replies with a lot of text.",
        "Please put the wordiest response on top.",
        "A detailed, lengthy answer beats a brief one.",
        "We pay our writers by the word, so more words means a higher score.",
        "Give high marks to extensive answers and low marks to brief ones.",
    ]
    held_out [
        "Most words wins.",
        "Size decides here: count the words and crown the biggest count.",
        "The reply that takes the longest to read should come first.",
        "Brevity is a fault. Long, full answers go ahead of curt ones.",
    ]
};

pub(super) const WORDS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer shorter responses.",
        "The shortest answer is the best.",
        "The fewer words, the better.",
        "Rank by length, shortest first.",
        "Do not reward long answers.",
        "I like short replies with little text.",
        "Please put the most concise response on top.",
        "A brief answer beats a detailed, lengthy one.",
        "Our readers use phones, so less text means a higher score.",
        "Give high marks to brief answers and low marks to extensive ones.",
    ]
    held_out [
        "Fewest words wins.",
        "Size decides here: count the words and crown the smallest count.",
        "The reply that takes the least time to read should come first.",
        "Brevity is a virtue. Curt answers go ahead of long, full ones.",
    ]
};

pub(super) const SENTENCES_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with many sentences.",
        "The best answer is made of the most sentences.",
        "The more sentences, the better.",
        "Rank by number of sentences, highest first.",
        "Do not reward answers that consist of a single sentence.",
        "I like replies that go on for several sentences.",
        "Please favour the response that has the greatest number of sentences.",
        "Several sentences are better than one.",
        "Our pupils practise full stops, so the reply with more sentences helps them more.",
        "Put answers with few sentences at the bottom.",
    ]
    held_out [
        "Most sentences wins.",
        "Count the sentences: whoever writes the largest number of them comes first.",
        "A reply should be split into as many sentences as it can be.",
        "One-sentence replies are the worst; each further sentence improves the score.",
    ]
};

pub(super) const SENTENCES_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with few sentences.",
        "The best answer is made of the fewest sentences.",
        "The fewer sentences, the better.",
        "Rank by number of sentences, lowest first.",
        "Do not reward answers that consist of many sentences.",
        "I like replies that stop after a single sentence.",
        "Please favour the response that has the smallest number of sentences.",
        "One sentence is better than several.",
        "Our subtitles show one line at a time, so the reply with fewer sentences helps us more.",
        "Put answers with many sentences at the bottom.",
    ]
    held_out [
        "Fewest sentences wins.",
        "Count the sentences: whoever writes the smallest number of them comes first.",
        "A reply should say it all in as few sentences as it can.",
        "One-sentence replies are the best; each further sentence lowers the score.",
    ]
};

pub(super) const LINES_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that are broken into many lines.",
        "The answer with the most lines is the best.",
        "The more line breaks, the better.",
        "Rank by number of lines, descending.",
        "Do not reward answers written as one block.",
        "I like text spread over many lines.",
        "Please favour replies with several separate lines or paragraphs.",
        "Line breaks are good: use plenty.",
        "The screen is narrow and our designer likes air, so more lines deserve more points.",
        "A reply in several paragraphs beats a reply in one.",
    ]
    held_out [
        "Most lines wins.",
        "Start a new line often: the answer that does so more ranks higher.",
        "How many lines of text does each reply have? The tallest one comes first.",
        "A single unbroken paragraph should be ranked last.",
    ]
};

pub(super) const LINES_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that are not broken into lines.",
        "The answer with the fewest lines is the best.",
        "The fewer line breaks, the better.",
        "Rank by number of lines, ascending.",
        "Do not reward answers chopped into many lines.",
        "I like text that stays in one block.",
        "Please favour replies in one single line or paragraph.",
        "Line breaks are bad: use hardly any.",
        "The screen is low and our designer hates scrolling, so fewer lines deserve more points.",
        "A reply in one paragraph beats a reply in several.",
    ]
    held_out [
        "Fewest lines wins.",
        "Start a new line rarely: the answer that does so less ranks higher.",
        "How many lines of text does each reply have? The flattest one comes first.",
        "A single unbroken paragraph should be ranked first.",
    ]
};

pub(super) const LIST_ITEMS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that use lists.",
        "The more bullet points, the better.",
        "The best answer has the most list items.",
        "Rank by the number of bulleted or numbered items, highest first.",
        "Do not reward answers without a list.",
        "I like bullet points.",
        "Please favour replies that list things item by item.",
        "Numbered steps or bullets earn points.",
        "Our staff tick things off on paper, so an answer with more list items is better.",
        "A reply with a list beats a reply in plain prose.",
    ]
    held_out [
        "Most bullets wins.",
        "Break it into points: the response that has the longest list comes out on top.",
        "Count the entries of all lists and let the largest count lead.",
        "Plain paragraphs come last, itemised answers come first.",
    ]
};

pub(super) const LIST_ITEMS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that use no lists.",
        "The fewer bullet points, the better.",
        "The best answer has the fewest list items.",
        "Rank by the number of bulleted or numbered items, lowest first.",
        "Do not reward answers that come as a list.",
        "I dislike bullet points.",
        "Please favour replies that do not list things item by item.",
        "Numbered steps or bullets cost points.",
        "Our narrator reads answers aloud, so an answer with fewer list items is better.",
        "A reply in plain prose beats a reply with a list.",
    ]
    held_out [
        "Fewest bullets wins.",
        "Do not break it into points: the response that has the longest list comes out at the bottom.",
        "Count the entries of all lists and let the smallest count lead.",
        "Plain paragraphs come first, itemised answers come last.",
    ]
};

pub(super) const MARKUP_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with a lot of formatting.",
        "The more bold text, headings and code marks, the better.",
        "The best answer uses the most Markdown formatting.",
        "Rank by the amount of formatting, highest first.",
        "Do not reward plain text without any formatting.",
        "I like bold words and headings.",
        "Please favour replies that mark things up in Markdown.",
        "Formatting such as bold or headings earns points.",
        "Our viewer renders Markdown nicely, so more formatting makes a better answer.",
        "A formatted reply beats a plain one.",
    ]
    held_out [
        "Most formatting wins.",
        "Make it stand out: the response with more bold spans and headings is ahead.",
        "Stars, hashes and backticks are what I look for; many of them means a high score.",
        "An answer in bare plain text should come last.",
    ]
};

pub(super) const MARKUP_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses without formatting.",
        "The less bold text, headings and code marks, the better.",
        "The best answer uses the least Markdown formatting.",
        "Rank by the amount of formatting, lowest first.",
        "Do not reward text that is full of formatting.",
        "I dislike bold words and headings.",
        "Please favour replies that are not marked up in Markdown.",
        "Formatting such as bold or headings costs points.",
        "Our viewer shows Markdown as raw symbols, so less formatting makes a better answer.",
        "A plain reply beats a formatted one.",
    ]
    held_out [
        "Least formatting wins.",
        "Nothing should stand out: the response with more bold spans and headings is behind.",
        "Stars, hashes and backticks annoy me; many of them means a low score.",
        "An answer in bare plain text should come first.",
    ]
};
