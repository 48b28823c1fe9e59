//! Every measure against texts whose value a person can count.

use std::collections::HashSet;

use rewardanything_principles::{Category, Measure};

#[test]
fn measures_count_what_they_say() {
    use Measure as M;
    let check = |measure: Measure, text: &str, expect: f64| {
        assert_eq!(measure.measure(text), expect, "{} of {text:?}", measure.id());
    };
    check(M::Words, "A well-known fact - really.", 4.0);
    check(M::Words, "", 0.0);
    check(M::Sentences, "Dr. Who is here. Is he? Yes!", 3.0);
    check(M::Sentences, "1. Boil it\n2. Eat it", 2.0);
    check(M::SentenceLength, "One two. Three four five six.", 3.0);
    check(M::SentenceLength, "", 0.0);
    check(M::Lines, "a\n\n  \nb\n", 2.0);
    check(
        M::ListItems,
        "Steps:\n1. go\n 2) stop\n- a\n* b\n\u{2022} c\n-d\n2020 was",
        5.0,
    );
    check(M::ListItems, "**bold** line\n3.5 metres", 0.0);
    check(M::Markup, "# Head\nsome **bold** and `code`\n#hashtag", 3.0);
    check(M::Markup, "```py\nx = `1`\n```\nplain * star", 1.0);
    check(M::Markup, "cut off **bold", 0.0);
    check(M::Commas, "Well, yes, it is.", 2.0);
    check(M::Colons, "Note: at 10:30; bye", 2.0);
    check(M::Parentheses, "one (two) (three", 2.0);
    check(M::Quotes, "\"a\" and \u{201c}b\u{201d} but it's", 2.0);
    check(M::Quotes, "a \"cut off", 1.0);
    check(M::Questions, "Why? Really??", 3.0);
    check(M::Exclamations, "Wow! No!!", 3.0);
    check(M::Numbers, "1,000.5 at 10:30 on day 7.", 4.0);
    check(M::Numbers, "seven", 0.0);
    check(M::Capitals, "The USA and (Rome) iPhone", 3.0);
    check(M::FirstPerson, "I'm sure my dog likes us in the US. Mine!", 4.0);
    check(M::SecondPerson, "You\u{2019}re right, your youth", 2.0);
    check(M::Hedges, "Maybe it could. I think so, mayor.", 3.0);
    check(M::Politeness, "Sorry, please feel free to ask. Thanks!", 4.0);
    check(M::PositiveWords, "A great day, GOOD food, goods.", 2.0);
    check(M::Negations, "I can't, do not, never. Knot now.", 3.0);
    check(M::Contractions, "It's John's; we\u{2019}ll see, don't", 3.0);
    check(M::LongWords, "elephant giraffe well-educated 12345678", 2.0);
    check(M::Connectives, "However, it rained, so we left due to that.", 3.0);
    check(M::Repetition, "Cats like cats. The the Like", 2.0);
    check(
        M::Examples,
        "Fruits such as figs, e.g. ripe, for example this, including that",
        4.0,
    );
}

#[test]
fn levels_are_digits_with_fixed_bounds() {
    let check =
        |measure: Measure, value: f64, expect: u8| assert_eq!(measure.level_of(value), expect, "{value}");
    for count in 0..=8 {
        check(Measure::Commas, f64::from(count), count as u8);
    }
    check(Measure::Commas, 9.0, 9);
    check(Measure::Commas, 1e6, 9);
    for (level, bound) in [2, 5, 8, 12, 16, 21, 27, 36, 48].into_iter().enumerate() {
        check(Measure::Words, f64::from(bound), level as u8);
        check(Measure::Words, f64::from(bound + 1), level as u8 + 1);
    }
    check(Measure::SentenceLength, 0.0, 0);
    check(Measure::SentenceLength, 7.5, 3);
    check(Measure::SentenceLength, 28.5, 9);
    assert_eq!(Measure::Words.level("one two three"), 1);
}

#[test]
fn names_are_stable_short_and_unique() {
    let ids: HashSet<_> = Measure::ALL.iter().map(|m| m.id()).collect();
    let qualities: HashSet<_> = Measure::ALL.iter().map(|m| m.quality()).collect();
    assert_eq!(ids.len(), Measure::ALL.len());
    assert_eq!(qualities.len(), Measure::ALL.len());
    assert!(Measure::ALL.len() >= 20);
    for &measure in Measure::ALL {
        assert_eq!(Measure::from_id(measure.id()), Some(measure));
        assert_eq!(serde_json::to_value(measure).unwrap(), measure.id());
        assert!(measure.quality().split(' ').count() <= 2);
    }
    assert_eq!(Measure::from_id("beauty"), None);
    let held: Vec<_> = Measure::ALL
        .iter()
        .filter(|m| m.held_out())
        .map(|m| m.id())
        .collect();
    assert_eq!(
        held,
        [
            "sentence_length",
            "quotes",
            "negations",
            "contractions",
            "connectives"
        ]
    );
    for category in Category::ALL {
        assert_eq!(
            Measure::ALL.iter().filter(|m| m.category() == category).count(),
            5,
            "{category:?}"
        );
    }
}
