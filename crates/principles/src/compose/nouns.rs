//! Names of the qualities, as they stand in frames.
//!
//! A name must mean the measure and nothing else: the gold of "short words" is not that of long ones
//! reversed, so no opposites are listed.

use crate::Measure;

/// A name of a quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noun {
    pub(crate) text: &'static str,
    /// True for a plural that is counted (many commas), false for a mass (much politeness).
    pub(crate) counted: bool,
    /// A single instance, as in "every comma" or "not one comma".
    pub(crate) one: &'static str,
}

/// The names of a measure's quality.
pub(crate) fn nouns(measure: Measure) -> Vec<Noun> {
    let (counted, mass) = names(measure);
    let all = counted.iter().map(|text| (text, true));
    let all = all.chain(mass.iter().map(|text| (text, false)));
    all.flat_map(|(text, counted)| ones(measure).iter().map(move |one| Noun { text, counted, one }))
        .collect()
}

/// Single instances.
fn ones(measure: Measure) -> &'static [&'static str] {
    match measure {
        Measure::Words => &["word", "additional word"],
        Measure::Sentences => &["sentence", "complete sentence"],
        Measure::SentenceLength => &["word in the average sentence"],
        Measure::Lines => &["line", "line break"],
        Measure::ListItems => &["bullet point", "list item", "bulleted line"],
        Measure::Markup => &["bold word", "heading or bold word", "Markdown mark"],
        Measure::Commas => &["comma", "comma sign"],
        Measure::Colons => &["colon", "colon sign"],
        Measure::Parentheses => &["bracket", "remark in brackets", "parenthesis"],
        Measure::Quotes => &["quotation", "quoted passage"],
        Measure::Questions => &["question", "question mark", "\"?\""],
        Measure::Exclamations => &["exclamation mark", "exclamation", "\"!\""],
        Measure::Numbers => &["number", "figure", "numeral", "digit"],
        Measure::Capitals => &["capital", "capitalised word", "upper-case initial"],
        Measure::FirstPerson => &["I or we", "mention of me or us", "my or our"],
        Measure::SecondPerson => &["you or your", "mention of you", "you"],
        Measure::Hedges => &["maybe or perhaps", "hedge", "could or might", "doubtful word"],
        Measure::Politeness => &["please or thanks", "polite word", "sorry or welcome"],
        Measure::PositiveWords => &["positive word", "good or great", "happy or lovely word"],
        Measure::Negations => &["negation", "not or never"],
        Measure::Contractions => &["contraction", "shortened form"],
        Measure::LongWords => &["long word", "word of many letters", "difficult word"],
        Measure::Connectives => &["linking word", "because or however"],
        Measure::Repetition => &["repeated word", "word used twice", "recurring word"],
        Measure::Examples => &["example", "for example", "illustration", "such as"],
    }
}

/// Counted and mass names.
fn names(measure: Measure) -> (&'static [&'static str], &'static [&'static str]) {
    match measure {
        Measure::Words => (&["words", "words in total"], &["text", "length"]),
        Measure::Sentences => (
            &[
                "sentences",
                "separate sentences",
                "full sentences",
                "complete sentences",
            ],
            &[],
        ),
        Measure::SentenceLength => (
            &["words per sentence", "words in each sentence"],
            &["sentence length", "average sentence length"],
        ),
        Measure::Lines => (
            &[
                "lines",
                "line breaks",
                "separate lines",
                "lines of text",
                "new lines",
            ],
            &[],
        ),
        Measure::ListItems => (
            &[
                "list items",
                "bullet points",
                "bullets",
                "listed items",
                "items in lists",
            ],
            &[],
        ),
        Measure::Markup => (
            &["formatting marks", "Markdown marks", "bold words and headings"],
            &["formatting", "Markdown"],
        ),
        Measure::Commas => (&["commas", "comma signs", "comma marks"], &["comma use"]),
        Measure::Colons => (&["colons", "colon signs", "colon marks"], &["colon use"]),
        Measure::Parentheses => (
            &[
                "parentheses",
                "brackets",
                "round brackets",
                "asides in brackets",
                "bracketed remarks",
            ],
            &[],
        ),
        Measure::Quotes => (
            &[
                "quotes",
                "quotation marks",
                "quoted passages",
                "quotations",
                "passages in quotation marks",
            ],
            &[],
        ),
        Measure::Questions => (
            &["questions", "question marks", "things asked", "queries"],
            &["asking back"],
        ),
        Measure::Exclamations => (
            &["exclamation marks", "exclamation points", "exclamations"],
            &["shouting with exclamation marks"],
        ),
        Measure::Numbers => (
            &[
                "numbers",
                "figures",
                "numerals",
                "numbers in digits",
                "numbers written as figures",
            ],
            &[],
        ),
        Measure::Capitals => (
            &[
                "capitals",
                "capitalised words",
                "words with a capital letter",
                "initial capitals",
                "words that start in upper case",
            ],
            &[],
        ),
        Measure::FirstPerson => (
            &[
                "first person words",
                "first person pronouns",
                "words like I and my",
            ],
            &["first person", "talk of I and we"],
        ),
        Measure::SecondPerson => (
            &[
                "second person words",
                "second person pronouns",
                "words like you and your",
            ],
            &["second person", "use of the word you"],
        ),
        Measure::Hedges => (
            &[
                "hedges",
                "hedging words",
                "words of doubt",
                "words like maybe and could",
            ],
            &["hedging", "uncertainty"],
        ),
        Measure::Politeness => (
            &["polite words", "words like please and thanks", "courteous words"],
            &["politeness", "courtesy"],
        ),
        Measure::PositiveWords => (
            &[
                "positive words",
                "happy words",
                "words like good and great",
                "cheerful words",
            ],
            &["enthusiasm", "praise"],
        ),
        Measure::Negations => (
            &[
                "negations",
                "words like not and never",
                "negative words",
                "denials",
            ],
            &["negation"],
        ),
        Measure::Contractions => (
            &[
                "contractions",
                "contracted words",
                "forms like it's and don't",
                "words shortened with an apostrophe",
            ],
            &[],
        ),
        Measure::LongWords => (
            &[
                "long words",
                "words of many letters",
                "big words",
                "words of eight letters or more",
            ],
            &["difficult vocabulary"],
        ),
        Measure::Connectives => (
            &[
                "linking words",
                "connectives",
                "words like because and but",
                "connecting words",
                "words that join ideas",
            ],
            &[],
        ),
        Measure::Repetition => (
            &["repeated words", "words used again", "recurring words"],
            &["repetition"],
        ),
        Measure::Examples => (
            &[
                "examples",
                "phrases like for example",
                "concrete examples",
                "illustrations",
            ],
            &["illustration by example"],
        ),
    }
}
