//! Every quality of the library against texts whose value a person can count.

use std::collections::HashSet;

use rewardanything_principles::{Measure, Quality};

#[test]
fn qualities_count_what_they_say() {
    use Quality as Q;
    let check = |quality: Quality, text: &str, expect: f64| {
        assert_eq!(quality.measure(text), expect, "{} of {text:?}", quality.id());
    };
    check(Q::Of(Measure::Commas), "a, b", 1.0);
    check(Q::Variety, "The cat saw the cat.", 60.0);
    check(Q::Variety, "", 0.0);
    check(Q::CodeBlocks, "```py\nx\n```\nand ```cut off", 2.0);
    check(Q::CodeBlocks, "`inline` only", 0.0);
    check(Q::Headings, "# A\ntext\n### B\n#no\n####### seven", 2.0);
    check(Q::TableRows, "| a | b |\n|---|---|\n| 1 | 2 |\nno | row", 2.0);
    check(Q::Bold, "**a** and **b** but **cut", 2.0);
    check(
        Q::Links,
        "See https://a.org/x, [this](http://b.net) or www.c.com; not https: alone",
        3.0,
    );
    check(
        Q::Citations,
        "As shown [1], [2, 3] and (Smith, 2019), (Lee and Wu 2001a), (in 2019), [sic]",
        4.0,
    );
    check(
        Q::Units,
        "5 km in 20 minutes, 30% off $10, 7 people, 3-day trip, 20\u{b0}",
        6.0,
    );
    check(Q::Years, "In 1999 and the 1980s, but not 3000, 12345 or 99.", 2.0);
    check(
        Q::Passives,
        "It was built. They were quickly taken away. She is tired of it. He has walked. It is red.",
        3.0,
    );
    check(Q::Passives, "It is. Needed things are good.", 0.0);
    check(
        Q::Emoji,
        "Nice \u{1f600}\u{1f600} \u{1f44d}\u{1f3fd} :) \u{2b50}",
        4.0,
    );
    check(Q::Paragraphs, "one\ntwo\n\n\nthree\n\n---\n", 2.0);
    check(Q::LongestParagraph, "one two\nthree\n\nfour five", 3.0);
    check(Q::LongestSentence, "One two. Three four five. Six.", 3.0);
    check(Q::ReadingGrade, "", 0.0);
    check(Q::ReadingGrade, "I am. I am.", 0.0);
    check(Q::Intensifiers, "Very nice, really extremely so; every day.", 3.0);
    check(Q::Absolutes, "Always do all of it, never none. You must.", 3.0);
    check(Q::Fillers, "It is just, basically, simple. Adjust it.", 2.0);
    check(Q::Semicolons, "a; b; c: d", 2.0);
    check(Q::Dashes, "- bullet\nwell-known \u{2014} so - it is", 2.0);
    check(
        Q::Sequence,
        "First boil, then stir. Finally eat. Thenceforth.",
        3.0,
    );
    check(
        Q::Reasons,
        "Because it rained, we left due to that; therefore so that.",
        4.0,
    );
    check(Q::Contrasts, "But yes, however small. Butter.", 2.0);
    check(Q::Shouting, "STOP it NOW, I say. A B2B deal.", 3.0);
    check(
        Q::Disclaimers,
        "As an AI, I say: consult a doctor. I'm not a substitute for one.",
        3.0,
    );
    check(Q::Disclaimers, "As an aim, consult abroad.", 0.0);
    check(Q::Steps, "1. a\n2) b\n- c\n3.5 d", 2.0);
    check(Q::RepeatedOpenings, "It is. It was. He is. it can\nIt may.", 2.0);
    check(Q::Apologies, "Sorry! Unfortunately I regret it.", 3.0);
    check(Q::FinalQuestion, "Yes. Is it?", 1.0);
    check(Q::FinalQuestion, "Is it (really?)\u{201d} ", 1.0);
    check(Q::FinalQuestion, "Is it? Yes.", 0.0);
    check(Q::FinalQuestion, "", 0.0);
    check(Q::FillerOpening, "Sure! Here it is.", 1.0);
    check(Q::FillerOpening, "Great question, thanks.", 1.0);
    check(Q::FillerOpening, "Great cities are old. Sure.", 0.0);
    check(Q::NumberFirst, "There are 3. Yes.", 1.0);
    check(Q::NumberFirst, "There are some. 3 of them.", 0.0);
}

#[test]
fn the_readability_index_is_that_of_its_formula() {
    // Of 31 letters, four words and one sentence.
    let grade = Quality::ReadingGrade.measure("Scholars estimate remote distances.");
    assert!(
        (grade - (4.71 * 31.0 / 4.0 + 2.0 - 21.43)).abs() < 1e-9,
        "{grade}"
    );
}

#[test]
fn names_are_unique() {
    let all: Vec<Quality> = Measure::ALL
        .iter()
        .map(|&measure| Quality::Of(measure))
        .chain(Quality::EXTRA.iter().copied())
        .collect();
    let ids: HashSet<_> = all.iter().map(|quality| quality.id()).collect();
    assert_eq!(ids.len(), all.len());
    assert!(all.iter().all(|quality| quality.measure("").is_finite()));
}
