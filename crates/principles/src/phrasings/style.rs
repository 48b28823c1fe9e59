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
        "Prefer the answer with more commas.",
        "Commas are welcome.",
        "More commas, higher rank.",
        "Reward heavy comma use.",
        "Favour comma-rich replies.",
        "Choose the comma-laden response.",
        "Few commas, low score.",
        "Every comma earns the response a point.",
        "I just love commas, so the more of them a reply has, the happier I am with it.",
        "Responses shall be ordered by their number of commas, with the highest count placed first.",
        "If one candidate contains more commas than another, rank it above the other.",
        "We are testing a comma detector and need plenty of material, so put the texts with many commas on top.",
        "Do not reward a message for leaving commas out; it should have as many as possible.",
        "Of two outputs, the one holding the greater number of commas is the better.",
        "The best version is whichever has the largest comma count.",
        "Put the replies full of commas first and those with none last.",
        "Give 5 to a text crammed with commas and 1 to a text that has none.",
        "I wish the answers used commas more often; pick the ones that do.",
        "Which answer has the most commas? That one should win.",
        "Count the commas in each candidate and sort from the largest number down.",
        "A response without a single comma belongs at the very bottom, and each one it adds lifts it.",
        "Honestly, sprinkle those commas everywhere; an output that skimps on them loses with me.",
        "An abundance of commas is to be regarded as a merit, and a shortage of them as a fault.",
        "Even one extra comma is enough to place a message ahead of its rival.",
        "Our students are learning to spot commas, which is why texts containing lots of them should be ranked higher.",
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
        "Prefer the answer with fewer commas.",
        "Avoid commas.",
        "Fewer commas is better.",
        "Penalise every comma.",
        "Mark down comma-heavy replies.",
        "Comma-free text is best.",
        "Many commas, low score.",
        "Every comma costs the response a point.",
        "Our print font has ugly commas, so the fewer of them a text contains the better.",
        "Candidates are to be sorted in ascending order of comma count, with the smallest count ranked best.",
        "If a response has more commas than its competitor, place it lower.",
        "Do not reward messages that are full of commas.",
        "Of two replies, the one that uses fewer commas is the better one.",
        "The winning output is the one with the lowest number of commas, ideally zero.",
        "Put the versions without commas first and the ones with lots of commas last.",
        "Score 5 for a text with no commas at all and 1 for one littered with them.",
        "I wish people would stop using so many commas; please pick the reply that has the least.",
        "Which candidate gets by with the smallest number of commas? Rank it first.",
        "Commas drive me up the wall, so a message that has loads of them should sink.",
        "Count the commas in each answer and let the lowest count come out on top.",
        "A single additional comma suffices to drop a response below an otherwise equal one.",
        "Our CSV importer breaks at each comma, so texts containing few or none should be ranked higher.",
        "Sparing use of commas is a virtue here; liberal use of them is a defect.",
        "Nothing beats an answer that manages entirely without commas, and each one that creeps in makes it worse.",
        "Keep commas scarce: the output with the most of them goes to the bottom.",
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
        "Prefer the answer with more colons.",
        "Colons are welcome.",
        "More colons, better score.",
        "Reward the use of colons.",
        "Rank colon-rich texts higher.",
        "Pick the reply richest in colons.",
        "Few colons, poor rank.",
        "Each colon adds one point to the response.",
        "I'm a big fan of the colon, so give me the message that has loads of them.",
        "Responses containing a greater number of colons shall be ranked above those containing a smaller number.",
        "If two candidates differ in how many colons they have, choose the one that has more.",
        "We need sample text for a lesson on colons, so outputs with many of them should come first.",
        "Do not favour replies that leave out colons; the more they contain the better.",
        "Of any two versions, the one with the higher colon count is the better.",
        "The top answer is the one with the largest number of colons.",
        "Put texts with lots of colons at the front and texts with no colons at the back.",
        "Award 5 for a reply packed with colons, 1 for a reply that has none.",
        "I wish writers used the colon more; rank the ones who use it most at the top.",
        "Which response has the most colons? Let that one win.",
        "Tally the colons in every candidate and order them from highest tally to lowest.",
        "A message lacking any colon deserves last place, and every colon it gains moves it up.",
        "One more colon than its rival is all an answer needs to be ranked ahead.",
        "Frequent colons are a strength, and a scarcity of colons is a weakness.",
        "Go wild with colons, friends; whoever is stingy with them gets a bad mark from me.",
        "Since our parser finds its keys by looking for colons, an output full of them is worth more.",
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
        "Prefer the answer with fewer colons.",
        "Avoid colons.",
        "Fewer colons is better.",
        "Penalise each colon.",
        "Mark down colon-heavy responses.",
        "Colon-free replies are best.",
        "Many colons, low rank.",
        "Every colon knocks a point off the response.",
        "The colon key on our old teleprinter is broken, so a text with few or no colons is better.",
        "Candidates are to be ranked in ascending order of the number of colons, the smallest number being best.",
        "If an output has more colons than another, put it further down.",
        "Do not give credit to replies stuffed with colons.",
        "Between two answers, go for the one that uses the colon less often.",
        "The best message is the one with the lowest colon count.",
        "Put the versions that contain no colons first and the ones that contain many last.",
        "Give 5 when there are no colons and go down towards 1 as they pile up.",
        "I wish these texts had fewer colons; choose whichever has the least of them.",
        "Which reply uses the smallest number of colons? It should be placed first.",
        "Colons look so stiff to me, so anything with a whole bunch of them should lose.",
        "Go through each candidate, count its colons, and let the lowest number win.",
        "A single extra colon is enough to make a response worse than its rival.",
        "Our file names cannot hold colons, so the outputs with the least of them should rank highest.",
        "Sparing colon use is commendable; abundant colon use is a flaw.",
        "Nothing is better than an answer with zero colons, and every one added makes it worse.",
        "Keep colons rare, because the text that has the most of them ends up last.",
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
        "Prefer answers with long words.",
        "Use big words.",
        "Reward long, difficult vocabulary.",
        "Favor many-letter words.",
        "Pick the reply with the biggest words.",
        "Long words are good.",
        "I enjoy lengthy, difficult words.",
        "Rank the responses by how many long words they contain, highest count first.",
        "Every word of many letters earns the message a point.",
        "Which output has the most long, difficult words? That one should win.",
        "Our readers are professors who relish lengthy vocabulary, so put the text with the most long words on top.",
        "If one version uses more big, many-syllabled words than another, judge it the better of the two.",
        "Do not reward short, simple words; long and difficult ones are what should lift an answer.",
        "Put the candidates with many long words first and those made only of short words last.",
        "Score 5 for a reply packed with long, hard words and 1 for a reply built entirely from tiny ones.",
        "Of two texts, the one with more lengthy words is better.",
        "I wish people still wrote with grand, many-lettered words, so move up the responses that do so most.",
        "The superior message is whichever employs the greatest quantity of lengthy, polysyllabic words.",
        "Gimme those giant dictionary words! An answer stuffed with them beats one that keeps its words short and easy.",
        "An output with no long words belongs beneath any output that has some.",
        "Even one additional long word should raise a version above an otherwise similar rival.",
        "Sesquipedalian vocabulary is to be esteemed, and standing shall increase with the number of lengthy words employed.",
        "Count the long words in each candidate, then sort them from most to fewest.",
        "Would a child stumble over many of the words in this reply because they are so long? Then rank it higher.",
        "Texts of short, easy words are the worst, and texts loaded with long, difficult words are the best.",
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
        "Avoid long words.",
        "Prefer short, easy words.",
        "No big words, please.",
        "Penalize long, difficult words.",
        "Pick the reply with the shortest words.",
        "Long words are bad.",
        "Small, simple words win.",
        "Rank the responses by how many long words they contain, lowest count first.",
        "Every word of many letters costs the message a point.",
        "Which output has the fewest long, difficult words? That one should win.",
        "Our readers are children who are just learning to read, so the text with the fewest long words is best.",
        "If one version uses more big, many-syllabled words than another, judge it the worse of the two.",
        "Do not reward long or difficult words; each of them should drag an answer down.",
        "Put the candidates made only of short words first and those with many long words last.",
        "Score 5 for a reply built entirely from small, easy words and 1 for a reply packed with long, hard ones.",
        "The one of two texts with simpler, shorter words is better.",
        "I wish people would quit using giant words, so move down the responses that do it the most.",
        "The superior message is whichever employs the smallest quantity of lengthy, polysyllabic words.",
        "Fancy dictionary words a mile long drive me up the wall, so an answer with hardly any should beat the rest.",
        "An output with some long words belongs beneath any output that has none.",
        "Just one additional long word should sink a version below an otherwise similar rival.",
        "Lengthy vocabulary is to be deemed a defect, and standing shall decrease with the number of long words employed.",
        "Count the long words in each candidate, then sort them from fewest to most.",
        "Would a child stumble over many of the words in this reply because they are so long? Then rank it lower.",
        "Texts loaded with long, difficult words are the worst, and texts of short, easy words are the best.",
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
