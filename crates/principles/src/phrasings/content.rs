//! Phrasings of the measures of what is said.

use super::{Phrasing, phrase_list};

pub(super) const QUOTES_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that quote.",
        "The more quotation marks, the better.",
        "Rank by the number of quoted passages, most first.",
        "An answer earns its place by putting words in quotes.",
        "Do not reward answers without any quotation.",
        "I like seeing quoted words in a reply.",
        "Please favour the response with the most quoted phrases.",
        "Quotes are welcome; a reply with none belongs at the bottom.",
        "Our paper loves a good citation in double quotes, so count them and put the highest count on top.",
        "Better answers put more of their words between quotation marks.",
    ]
    held_out [
        "Most quotes wins.",
        "Look for quote marks: the response that has the greatest number of them should come first.",
        "We are collecting sayings and titles this week. Pick the answer that quotes the most.",
        "A reply that never opens a quotation should lose to one that does.",
    ]
};

pub(super) const QUOTES_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that quote nothing.",
        "The fewer quotation marks, the better.",
        "Rank by the number of quoted passages, fewest first.",
        "Avoid quotation marks wherever possible.",
        "Do not reward answers that put words in quotes.",
        "I dislike quoted words in a reply.",
        "Please favour the response with the fewest quoted phrases.",
        "Quotes are a fault; a reply full of them belongs at the bottom.",
        "Our reader app breaks on double quotes, so the answer with the least of them is the one we want.",
        "Better answers put fewer of their words between quotation marks.",
    ]
    held_out [
        "Fewest quotes wins.",
        "Look for quote marks: the response that has the smallest number of them should come first.",
        "Say it in your own words. Every quotation makes an answer worse.",
        "A reply that opens one quotation after another should lose to one that opens none.",
    ]
};

pub(super) const NUMBERS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with many numbers.",
        "The best answer is the one with the most figures.",
        "Give me digits: the more numbers in a reply, the higher it ranks.",
        "Rank by how many numbers are written in digits, descending.",
        "Do not reward answers that contain no numbers.",
        "I like hard figures, dates and amounts.",
        "Please put the response with the greatest count of numbers on top.",
        "Answers should be full of figures.",
        "Our analysts paste replies into a sheet, so an answer with more numbers is more useful to them.",
        "A reply that gives numbers beats a reply that gives none.",
    ]
    held_out [
        "Most digits wins.",
        "Quantities, years, percentages: whoever states more of them in figures is ahead.",
        "When choosing between two replies, count the numerals and keep the one with more.",
        "Score high for plenty of numerals and low for none.",
    ]
};

pub(super) const NUMBERS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with few numbers.",
        "The best answer is the one with the fewest figures.",
        "No digits, please: the fewer numbers in a reply, the higher it ranks.",
        "Rank by how many numbers are written in digits, ascending.",
        "Do not reward answers that are stuffed with numbers.",
        "I find figures, dates and amounts tiring.",
        "Please put the response with the smallest count of numbers on top.",
        "Answers should be free of figures.",
        "Our readers hear the replies spoken aloud, so an answer with fewer numbers is easier on them.",
        "A reply that gives no numbers beats a reply that gives several.",
    ]
    held_out [
        "Fewest digits wins.",
        "Quantities, years, percentages: whoever states more of them in figures falls behind.",
        "When choosing between two replies, count the numerals and drop the one with more.",
        "Score low for plenty of numerals and high for none.",
    ]
};

pub(super) const CAPITALS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with many capitalised words.",
        "The answer with the most words starting with a capital letter is the best.",
        "More capital letters at the start of words means a better answer.",
        "Rank by the count of capitalised words, highest first.",
        "Do not reward answers that have hardly any capitals.",
        "I enjoy replies full of proper names and other capitalised words.",
        "Please favour text in which many words begin with a capital.",
        "Upper case initials are good: count the words that have one.",
        "The sign maker is paid per capital letter, so she wants as many words with a capital as possible.",
        "A reply with more capitals beats a reply with fewer.",
    ]
    held_out [
        "Most capitals wins.",
        "Names, titles, sentence starts: every word with an upper-case first letter lifts an answer.",
        "Count words whose first letter is upper case and put the largest count on top.",
        "The ideal reply is rich in words that open with a big letter.",
    ]
};

pub(super) const CAPITALS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with few capitalised words.",
        "The answer with the fewest words starting with a capital letter is the best.",
        "Fewer capital letters at the start of words means a better answer.",
        "Rank by the count of capitalised words, lowest first.",
        "Do not reward answers that have a lot of capitals.",
        "I am tired of replies full of proper names and other capitalised words.",
        "Please favour text in which hardly any word begins with a capital.",
        "Upper case initials are bad: count the words that have one.",
        "The sign maker is short of capital letters, so she wants as few words with a capital as possible.",
        "A reply with fewer capitals beats a reply with more.",
    ]
    held_out [
        "Fewest capitals wins.",
        "Names, titles, sentence starts: every word with an upper-case first letter drags an answer down.",
        "Count words whose first letter is upper case and put the smallest count on top.",
        "The ideal reply keeps nearly all of its words in lower case.",
    ]
};

pub(super) const EXAMPLES_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that give examples.",
        "The more examples, the better the answer.",
        "Rank by how often a reply says \"for example\" or \"such as\", most often first.",
        "A good answer illustrates its points with examples.",
        "Do not reward answers without an example.",
        "I understand things through examples, so I want many of them.",
        "Please favour replies that name concrete instances with words like \"such as\" or \"including\".",
        "Examples earn points; having none costs points.",
        "New staff read these answers and they learn by example, so the reply with the most examples is best.",
        "Answers with more \"for instance\" moments should rank higher.",
    ]
    held_out [
        "Most examples wins.",
        "Show, do not just tell: a reply that introduces more examples goes ahead of one that has fewer.",
        "Whichever response illustrates most often deserves the top spot.",
        "An abstract answer that never says \"for example\" should come last.",
    ]
};

pub(super) const EXAMPLES_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that give no examples.",
        "The fewer examples, the better the answer.",
        "Rank by how often a reply says \"for example\" or \"such as\", least often first.",
        "A good answer states its points and leaves examples out.",
        "Do not reward answers for giving examples.",
        "I get lost in examples, so I want hardly any of them.",
        "Please favour replies that do not list instances with words like \"such as\" or \"including\".",
        "Examples cost points; having none earns points.",
        "Senior staff read these answers and they know the cases already, so the reply with the fewest examples is best.",
        "Answers with more \"for instance\" moments should rank lower.",
    ]
    held_out [
        "Fewest examples wins.",
        "Just tell, do not illustrate: a reply that introduces more examples goes behind one that has fewer.",
        "Whichever response illustrates least often deserves the top spot.",
        "An answer that keeps saying \"for example\" should come last.",
    ]
};

pub(super) const QUESTIONS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that ask questions.",
        "The more question marks, the better.",
        "The best answer is the one that asks the most questions.",
        "Rank by number of questions asked, descending.",
        "Do not reward answers that ask nothing.",
        "I like it when a reply asks me something.",
        "Please favour the response with the most questions.",
        "Asking the user back is a strength.",
        "We train interviewers here, so whoever asks more questions should be ranked higher.",
        "A reply with a question beats a reply without one.",
    ]
    held_out [
        "Most questions wins.",
        "Curiosity counts: put the response that puts the most questions to the reader first.",
        "Count the question marks. The larger the count, the larger the score.",
        "An answer that only states and never asks should come last.",
    ]
};

pub(super) const QUESTIONS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that ask no questions.",
        "The fewer question marks, the better.",
        "The best answer is the one that asks the fewest questions.",
        "Rank by number of questions asked, ascending.",
        "Do not reward answers that ask things.",
        "I dislike it when a reply asks me something.",
        "Please favour the response with the fewest questions.",
        "Asking the user back is a weakness.",
        "The user cannot reply to us, so whoever asks more questions should be ranked lower.",
        "A reply without a question beats a reply with one.",
    ]
    held_out [
        "Fewest questions wins.",
        "Statements only: put the response that puts the fewest questions to the reader first.",
        "Count the question marks. The larger the count, the smaller the score.",
        "An answer that keeps asking instead of stating should come last.",
    ]
};
