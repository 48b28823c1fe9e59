//! Whatever of a text a program gives as a number: the basic measures, and qualities that only the library asks for.
//!
//! [`Measure`] is a closed set, since data sets drawn by seed depend on its order. Everything newer is here.

use crate::compose::nouns::{Noun, nouns};
use crate::{Measure, detect};

/// A countable quality of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Quality {
    /// One of the basic measures.
    Of(Measure),
    /// Distinct words for every hundred words, the type-token ratio in percent.
    Variety,
    /// Fenced blocks of code.
    CodeBlocks,
    /// Heading lines of Markdown.
    Headings,
    /// Rows of Markdown tables, without the ruler below the head.
    TableRows,
    /// Bold spans.
    Bold,
    /// Web addresses.
    Links,
    /// References such as `[3]` or `(Smith, 2019)`.
    Citations,
    /// Numbers followed by a unit or a percent sign, or led by a currency sign.
    Units,
    /// Years from 1000 to 2099, in four digits.
    Years,
    /// A form of "to be" with a past participle after it, an adverb between them or none.
    Passives,
    /// Pictographs.
    Emoji,
    /// Blocks of text parted by blank lines.
    Paragraphs,
    /// Words of the longest paragraph.
    LongestParagraph,
    /// Words of the longest sentence.
    LongestSentence,
    /// The automated readability index, never below 0: about the school grade that reads the text with ease.
    ReadingGrade,
    /// Words that strengthen (very, really, extremely ...).
    Intensifiers,
    /// Words that allow no exception (always, all, every, must ...); negations are not among them.
    Absolutes,
    /// Words that fill (basically, just, actually ...).
    Fillers,
    /// Semicolons.
    Semicolons,
    /// Dashes between words: long ones, and hyphens with a space on either side.
    Dashes,
    /// Words that put steps in order (first, then, finally ...).
    Sequence,
    /// Words that give a reason (because, since, therefore ...).
    Reasons,
    /// Words that turn against what was said (but, however, although ...).
    Contrasts,
    /// Words of two letters or more written wholly in capitals.
    Shouting,
    /// Remarks about being a program, or sending the reader to a professional.
    Disclaimers,
    /// Lines that open with a number and a full stop or bracket.
    Steps,
    /// Sentences that open with the same word as the one before.
    RepeatedOpenings,
    /// Words of apology.
    Apologies,
    /// 1 where the last sentence is a question, else 0.
    FinalQuestion,
    /// 1 where the text opens with a filler (Sure, Certainly, Great question ...), else 0.
    FillerOpening,
    /// 1 where the first sentence holds a number in digits, else 0.
    NumberFirst,
}

impl Quality {
    /// The qualities beyond [`Measure::ALL`], in a fixed order.
    pub const EXTRA: &[Self] = &[
        Self::Variety,
        Self::CodeBlocks,
        Self::Headings,
        Self::TableRows,
        Self::Bold,
        Self::Links,
        Self::Citations,
        Self::Units,
        Self::Years,
        Self::Passives,
        Self::Emoji,
        Self::Paragraphs,
        Self::LongestParagraph,
        Self::LongestSentence,
        Self::ReadingGrade,
        Self::Intensifiers,
        Self::Absolutes,
        Self::Fillers,
        Self::Semicolons,
        Self::Dashes,
        Self::Sequence,
        Self::Reasons,
        Self::Contrasts,
        Self::Shouting,
        Self::Disclaimers,
        Self::Steps,
        Self::RepeatedOpenings,
        Self::Apologies,
        Self::FinalQuestion,
        Self::FillerOpening,
        Self::NumberFirst,
    ];

    /// How much of the quality the text has, never below 0.
    ///
    /// ```
    /// use rewardanything_principles::Quality;
    /// assert_eq!(Quality::Passives.measure("It was built by hand. It is big."), 1.0);
    /// ```
    pub fn measure(self, text: &str) -> f64 {
        let count = match self {
            Self::Of(measure) => return measure.measure(text),
            Self::Variety => return detect::variety(text),
            Self::ReadingGrade => return detect::reading_grade(text),
            Self::CodeBlocks => detect::code_blocks(text),
            Self::Headings => detect::headings(text),
            Self::TableRows => detect::table_rows(text),
            Self::Bold => detect::bold(text),
            Self::Links => detect::links(text),
            Self::Citations => detect::citations(text),
            Self::Units => detect::units(text),
            Self::Years => detect::years(text),
            Self::Passives => detect::passives(text),
            Self::Emoji => detect::emoji(text),
            Self::Paragraphs => detect::paragraphs(text).count(),
            Self::LongestParagraph => detect::longest_paragraph(text),
            Self::LongestSentence => detect::longest_sentence(text),
            Self::Intensifiers => detect::of_list(text, detect::is_intensifier),
            Self::Absolutes => detect::of_list(text, detect::is_absolute),
            Self::Fillers => detect::of_list(text, detect::is_filler),
            Self::Semicolons => text.matches([';', '\u{ff1b}']).count(),
            Self::Dashes => detect::dashes(text),
            Self::Sequence => detect::of_list(text, detect::is_sequence),
            Self::Reasons => detect::reasons(text),
            Self::Contrasts => detect::of_list(text, detect::is_contrast),
            Self::Shouting => detect::shouting(text),
            Self::Disclaimers => detect::disclaimers(text),
            Self::Steps => detect::steps(text),
            Self::RepeatedOpenings => detect::repeated_openings(text),
            Self::Apologies => detect::of_list(text, detect::is_apology),
            Self::FinalQuestion => usize::from(detect::ends_with_question(text)),
            Self::FillerOpening => usize::from(detect::opens_with_filler(text)),
            Self::NumberFirst => usize::from(detect::number_first(text)),
        };
        count as f64
    }

    /// True for the qualities that no principle for training asks for.
    ///
    /// Beside the [held-out measures](Measure::held_out) these are what overlaps with them (parts of the linking
    /// words, the length of sentences) and some that nothing trained on resembles: passive voice and web addresses.
    pub fn held_out(self) -> bool {
        match self {
            Self::Of(measure) => measure.held_out(),
            Self::Links
            | Self::Passives
            | Self::LongestSentence
            | Self::ReadingGrade
            | Self::Sequence
            | Self::Reasons
            | Self::Contrasts => true,
            _ => false,
        }
    }

    /// A stable name in snake case.
    pub fn id(self) -> &'static str {
        match self {
            Self::Of(measure) => measure.id(),
            Self::Variety => "variety",
            Self::CodeBlocks => "code_blocks",
            Self::Headings => "headings",
            Self::TableRows => "table_rows",
            Self::Bold => "bold",
            Self::Links => "links",
            Self::Citations => "citations",
            Self::Units => "units",
            Self::Years => "years",
            Self::Passives => "passives",
            Self::Emoji => "emoji",
            Self::Paragraphs => "paragraphs",
            Self::LongestParagraph => "longest_paragraph",
            Self::LongestSentence => "longest_sentence",
            Self::ReadingGrade => "reading_grade",
            Self::Intensifiers => "intensifiers",
            Self::Absolutes => "absolutes",
            Self::Fillers => "fillers",
            Self::Semicolons => "semicolons",
            Self::Dashes => "dashes",
            Self::Sequence => "sequence",
            Self::Reasons => "reasons",
            Self::Contrasts => "contrasts",
            Self::Shouting => "shouting",
            Self::Disclaimers => "disclaimers",
            Self::Steps => "steps",
            Self::RepeatedOpenings => "repeated_openings",
            Self::Apologies => "apologies",
            Self::FinalQuestion => "final_question",
            Self::FillerOpening => "filler_opening",
            Self::NumberFirst => "number_first",
        }
    }

    /// What it is called in a sentence; for a yes-or-no quality, `one` is the whole of it.
    pub(crate) fn noun(self) -> Noun {
        let counted = |text, one| Noun {
            text,
            counted: true,
            one,
        };
        let mass = |text, one| Noun {
            text,
            counted: false,
            one,
        };
        match self {
            Self::Of(Measure::ListItems) => counted("list items", "list item"),
            Self::Of(Measure::Capitals) => counted("capitalised words", "capitalised word"),
            Self::Of(Measure::Parentheses) => counted("remarks in brackets", "remark in brackets"),
            Self::Of(Measure::Questions) => counted("question marks", "question mark"),
            Self::Of(Measure::Quotes) => counted("quoted passages", "quoted passage"),
            Self::Of(Measure::LongWords) => {
                counted("words of eight letters or more", "word of eight letters or more")
            }
            Self::Of(Measure::Hedges) => counted("hedging words", "hedging word"),
            Self::Of(Measure::Markup) => counted("formatting marks", "formatting mark"),
            Self::Of(Measure::Politeness) => counted("polite words", "polite word"),
            Self::Of(Measure::FirstPerson) => counted("first person pronouns", "first person pronoun"),
            Self::Of(Measure::SecondPerson) => counted("words like you and your", "you or your"),
            Self::Of(Measure::Numbers) => counted("numbers in digits", "number in digits"),
            Self::Of(measure) => nouns(measure)
                .first()
                .copied()
                .unwrap_or_else(|| mass(measure.quality(), measure.quality())),
            Self::Variety => mass("variety of vocabulary", "word not used before"),
            Self::CodeBlocks => counted("code blocks", "code block"),
            Self::Headings => counted("headings", "heading"),
            Self::TableRows => counted("table rows", "table row"),
            Self::Bold => counted("passages in bold", "passage in bold"),
            Self::Links => counted("web addresses", "web address"),
            Self::Citations => counted("bracketed references", "bracketed reference"),
            Self::Units => counted("numbers with a unit", "number with a unit"),
            Self::Years => counted("years in four digits", "year in four digits"),
            Self::Passives => counted("passive verbs", "passive verb"),
            Self::Emoji => counted("emoji", "emoji"),
            Self::Paragraphs => counted("paragraphs", "paragraph"),
            Self::LongestParagraph => {
                counted("words in the longest paragraph", "word in the longest paragraph")
            }
            Self::LongestSentence => counted("words in the longest sentence", "word in the longest sentence"),
            Self::ReadingGrade => mass(
                "difficulty by the readability index",
                "grade of the readability index",
            ),
            Self::Intensifiers => counted("intensifiers like very or really", "intensifier"),
            Self::Absolutes => counted("absolute words like always or every", "absolute word"),
            Self::Fillers => counted("filler words like just or basically", "filler word"),
            Self::Semicolons => counted("semicolons", "semicolon"),
            Self::Dashes => counted("dashes", "dash"),
            Self::Sequence => counted("ordering words like first or then", "ordering word"),
            Self::Reasons => counted("reason words like because or therefore", "reason word"),
            Self::Contrasts => counted("words of contrast like but or however", "word of contrast"),
            Self::Shouting => counted("words in capitals", "word in capitals"),
            Self::Disclaimers => counted("disclaimers", "disclaimer"),
            Self::Steps => counted("numbered lines", "numbered line"),
            Self::RepeatedOpenings => counted(
                "sentences that open like the one before",
                "sentence that opens like the one before",
            ),
            Self::Apologies => counted("words of apology", "word of apology"),
            Self::FinalQuestion => mass("questions at the very end", "question at the very end"),
            Self::FillerOpening => mass("filler openings", "opening like Sure or Great question"),
            Self::NumberFirst => mass("numbers in the first sentence", "number in the first sentence"),
        }
    }

    /// True for the qualities that a text has or has not.
    pub fn is_yes_or_no(self) -> bool {
        matches!(
            self,
            Self::FinalQuestion | Self::FillerOpening | Self::NumberFirst
        )
    }
}
