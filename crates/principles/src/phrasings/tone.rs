//! Phrasings of the measures of how a response addresses its reader.

use super::{Phrasing, phrase_list};

pub(super) const EXCLAMATIONS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with exclamation marks.",
        "The more exclamation marks, the better!",
        "The best answer has the most exclamation points.",
        "Rank by the number of exclamation marks, descending.",
        "Do not reward answers without a single exclamation mark.",
        "I love exclamation marks.",
        "Please favour the response that exclaims the most.",
        "Shouting with exclamation points is a strength.",
        "Our brand is loud and our shop is yellow, so use exclamation marks as often as possible.",
        "A reply with an exclamation mark beats a reply without one.",
        "Prefer the answer with more exclamation marks.",
        "Exclamation marks are welcome.",
        "More exclamation marks, better score.",
        "Reward each exclamation mark.",
        "Favour replies full of exclamation marks.",
        "Pick the most exclamation-mark-laden response.",
        "Few exclamation marks, low rank.",
        "Every exclamation mark adds a point to the answer.",
        "I get a kick out of exclamation marks, so the more a message has, the better.",
        "Responses containing a larger number of exclamation marks shall be placed above those containing a smaller number.",
        "If two candidates differ in their count of exclamation marks, rank the higher count first.",
        "We are making a comic strip, so texts with plenty of exclamation marks should be ranked higher.",
        "Do not favour outputs that do without exclamation marks; lots of them is what we want.",
        "Of two versions, the one with more exclamation marks is the better.",
        "The best reply is the one with the highest number of exclamation marks.",
        "Put texts bursting with exclamation marks first and texts that have none last.",
        "Give 5 for an abundance of exclamation marks and 1 for a complete lack of them.",
        "I wish people used exclamation marks more; choose the response that uses them most.",
        "Which message has the most exclamation marks? That one deserves first place.",
        "Count the exclamation marks in each candidate and sort from the highest count to the lowest.",
        "An answer without any exclamation mark goes to the bottom, and each one it has lifts it.",
        "A single extra exclamation mark suffices to put an output ahead of its rival.",
        "Liberal use of exclamation marks is a strength, and thrift with them is a weakness.",
        "Bring on the exclamation marks, please; a text that is stingy with them scores badly with me.",
        "Our museum of punctuation collects exclamation marks, so a reply that supplies many is worth more than one supplying few.",
    ]
    held_out [
        "Most exclamation marks wins.",
        "Let them shout: more sentences that end in \"!\" put an answer higher.",
        "Count every \"!\" and give the top score to the highest count.",
        "Calm full stops everywhere mean the last place.",
    ]
};

pub(super) const EXCLAMATIONS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses without exclamation marks.",
        "The fewer exclamation marks, the better.",
        "The best answer has the fewest exclamation points.",
        "Rank by the number of exclamation marks, ascending.",
        "Do not reward answers that use exclamation marks.",
        "I hate exclamation marks.",
        "Please favour the response that exclaims the least.",
        "Shouting with exclamation points is a weakness.",
        "Our brand is quiet and our shop is grey, so use exclamation marks as rarely as possible.",
        "A reply without an exclamation mark beats a reply with one.",
        "Prefer the answer with fewer exclamation marks.",
        "Avoid exclamation marks.",
        "Fewer exclamation marks is better.",
        "Penalise every exclamation mark.",
        "Mark down exclamation-mark-heavy replies.",
        "Exclamation marks are unwelcome.",
        "Many exclamation marks, low score.",
        "Each exclamation mark costs the response a point.",
        "Our readers get tired of exclamation marks, so the fewer of them a text contains the better.",
        "Candidates are to be ranked in ascending order of their exclamation marks, with the lowest number in first place.",
        "If one output has more exclamation marks than another, put it lower.",
        "Do not reward messages that are peppered with exclamation marks.",
        "Of two replies, the one using fewer exclamation marks is the better.",
        "The best version is the one with the smallest number of exclamation marks, ideally none.",
        "Put the answers without exclamation marks first and the ones crammed with them last.",
        "Score 5 for a text with zero exclamation marks and 1 for one that is full of them.",
        "I wish folks would ease off the exclamation marks; pick the response with the least of them.",
        "Which candidate contains the fewest exclamation marks? Rank it at the top.",
        "Exclamation marks make my eyes hurt, so anything with tons of them should lose.",
        "Count the exclamation marks in each message and let the lowest count win.",
        "One additional exclamation mark is enough to make a reply worse than its competitor.",
        "The exclamation mark breaks our shell script, so outputs with few or none should be ranked higher.",
        "Restraint with exclamation marks is a virtue, and overuse of exclamation marks is a fault.",
        "Nothing beats a text that has no exclamation marks, and every one that turns up drags it down.",
        "Keep exclamation marks scarce, because the answer with the most of them goes last.",
    ]
    held_out [
        "Fewest exclamation marks wins.",
        "No shouting: more sentences that end in \"!\" put an answer lower.",
        "Count every \"!\" and give the top score to the lowest count.",
        "Calm full stops everywhere mean the first place.",
    ]
};

pub(super) const POLITENESS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer polite responses.",
        "The more polite words, the better.",
        "The best answer is the most courteous one: it says please, thank you or sorry most often.",
        "Rank by how many polite words a reply has, most first.",
        "Do not reward answers without any courtesy.",
        "I like good manners in a reply.",
        "Please favour responses that say please and thank you.",
        "Politeness earns points.",
        "Our guests expect manners from us, so the answer with the most courteous words is best.",
        "A polite reply beats a blunt one.",
    ]
    held_out [
        "Most polite words wins.",
        "Words like thanks, sorry, welcome and glad lift an answer; count them.",
        "Courtesy first: whoever is more polite is ranked higher.",
        "A reply that never bothers with a polite word should come last.",
    ]
};

pub(super) const POLITENESS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses without polite phrases.",
        "The fewer polite words, the better.",
        "The best answer is the least courteous one: it says please, thank you or sorry least often.",
        "Rank by how many polite words a reply has, fewest first.",
        "Do not reward answers for their courtesy.",
        "I have no patience for good manners in a reply.",
        "Favour responses that do not say please or thank you.",
        "Politeness costs points.",
        "Our users want facts from a machine, so the answer with the fewest courteous words is best.",
        "A blunt reply beats a polite one.",
    ]
    held_out [
        "Fewest polite words wins.",
        "Words like thanks, sorry, welcome and glad drag an answer down; count them.",
        "Skip the courtesy: whoever is more polite is ranked lower.",
        "A reply that never bothers with a polite word should come first.",
    ]
};

pub(super) const POSITIVE_WORDS_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with many positive words.",
        "The more positive the words, the better: good, great, love, enjoy.",
        "The best answer has the most words of praise or joy.",
        "Rank by the number of positive words, highest first.",
        "Do not reward answers that lack positive words.",
        "I like enthusiastic, upbeat replies.",
        "Please favour the response with the most cheerful vocabulary.",
        "Happy words such as great or wonderful earn points.",
        "Our clients come to us when they feel down, so answers with more positive words are better.",
        "An enthusiastic reply beats a neutral one.",
    ]
    held_out [
        "Most positive words wins.",
        "Spread joy: each good, nice or amazing moves an answer up.",
        "Whichever response sounds the most enthusiastic should be put first.",
        "A reply without one kind or happy word belongs at the end.",
    ]
};

pub(super) const POSITIVE_WORDS_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses with few positive words.",
        "The fewer positive words, the better: no good, great, love, enjoy.",
        "The best answer has the fewest words of praise or joy.",
        "Rank by the number of positive words, lowest first.",
        "Do not reward answers that gush with positive words.",
        "I dislike enthusiastic, upbeat replies.",
        "Please favour the response with the least cheerful vocabulary.",
        "Happy words such as great or wonderful cost points.",
        "Our clients are sober auditors, so answers with fewer positive words are better.",
        "A neutral reply beats an enthusiastic one.",
    ]
    held_out [
        "Fewest positive words wins.",
        "Spare me the joy: each good, nice or amazing moves an answer down.",
        "Whichever response sounds the least enthusiastic should be put first.",
        "A reply without one kind or happy word belongs at the front.",
    ]
};

pub(super) const FIRST_PERSON_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses written in the first person.",
        "The more often an answer says I, me, my or we, the better.",
        "The best answer speaks of itself the most.",
        "Rank by the number of first person pronouns, most first.",
        "Do not reward answers that never say \"I\" or \"we\".",
        "I like it when a reply talks about its own view with I and my.",
        "Please favour the response that uses the first person most.",
        "Saying \"I\" or \"we\" is a strength.",
        "We print personal columns, so a text with more first person words is better.",
        "A first person reply beats an impersonal one.",
    ]
    held_out [
        "Most first person wins.",
        "Let the writer step forward: each I, me, we or our puts an answer further up.",
        "Whoever talks about himself or herself more should be ranked higher.",
        "An impersonal answer, without I or we, should come last.",
    ]
};

pub(super) const FIRST_PERSON_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that avoid the first person.",
        "The less often an answer says I, me, my or we, the better.",
        "The best answer speaks of itself the least.",
        "Rank by the number of first person pronouns, fewest first.",
        "Do not reward answers that keep saying \"I\" or \"we\".",
        "It bothers me when a reply talks about its own view with I and my.",
        "Please favour the response that uses the first person least.",
        "Saying \"I\" or \"we\" is a weakness.",
        "We print an encyclopedia, so a text with fewer first person words is better.",
        "An impersonal reply beats a first person one.",
    ]
    held_out [
        "Least first person wins.",
        "Let the writer step back: each I, me, we or our puts an answer further down.",
        "Whoever talks about himself or herself more should be ranked lower.",
        "An impersonal answer, without I or we, should come first.",
    ]
};

pub(super) const SECOND_PERSON_MORE: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that address the reader as you.",
        "The more often an answer says you or your, the better.",
        "The best answer speaks to the reader the most.",
        "Rank by the number of second person pronouns, most first.",
        "Do not reward answers that never say \"you\".",
        "I like being spoken to directly, with you and your.",
        "Please favour the response that uses the second person most.",
        "Saying \"you\" is a strength.",
        "Coaches talk to people, so a text with more second person words is better for us.",
        "A reply that talks to you beats one that does not.",
    ]
    held_out [
        "Most second person wins.",
        "Turn to the reader: each you, your or yourself puts an answer further up.",
        "Whoever addresses the person on the other side more should be ranked higher.",
        "An answer that leaves the reader out, without you or your, should come last.",
    ]
};

pub(super) const SECOND_PERSON_FEWER: &[Phrasing] = phrase_list! {
    train [
        "Prefer responses that do not address the reader as you.",
        "The less often an answer says you or your, the better.",
        "The best answer speaks to the reader the least.",
        "Rank by the number of second person pronouns, fewest first.",
        "Do not reward answers that keep saying \"you\".",
        "I dislike being spoken to directly, with you and your.",
        "Please favour the response that uses the second person least.",
        "Saying \"you\" is a weakness.",
        "Reports talk about things, so a text with fewer second person words is better for us.",
        "A reply that does not talk to you beats one that does.",
    ]
    held_out [
        "Least second person wins.",
        "Turn away from the reader: each you, your or yourself puts an answer further down.",
        "Whoever addresses the person on the other side more should be ranked lower.",
        "An answer that leaves the reader out, without you or your, should come first.",
    ]
};
