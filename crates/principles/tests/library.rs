//! Promises about the principle library.

use std::collections::{HashMap, HashSet};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rewardanything_principles::{
    Category, Direction, Goal, Kind, Measure, Quality, Rule, Split, library, phrasings,
};

/// The novel principles. None may ever leave this list: judges were, and will be, trained on the others.
const NOVEL: [&str; 50] = [
    "content-quotes-nothing",
    "content-local-detail",
    "content-no-invention",
    "content-links",
    "content-plain-risk",
    "content-figures-no-questions",
    "content-depth-over-breadth",
    "content-reference-ledger",
    "content-code-answer",
    "content-partial-answers",
    "structure-one-idea-per-paragraph",
    "structure-summary-last",
    "structure-balanced-parts",
    "structure-no-long-sentence",
    "structure-grouped-by-topic",
    "structure-short-no-list",
    "structure-code-block-first",
    "structure-steps-and-order",
    "structure-lines-against-words",
    "structure-faq-form",
    "tone-matches-prompt",
    "tone-honest-disagreement",
    "tone-crisis-order",
    "tone-relaxed-contractions",
    "tone-adult-to-adult",
    "tone-steady-register",
    "tone-calm-then-personal",
    "tone-child-safe-voice",
    "tone-quiet-certainty",
    "tone-condolence-rules",
    "logic-says-what-is",
    "logic-linked-thoughts",
    "logic-counterargument",
    "logic-worked-steps",
    "logic-gives-reasons",
    "logic-falsifiable",
    "logic-one-hedge-then-numbers",
    "logic-contrast-then-length",
    "logic-reasoned-and-linked",
    "logic-fallacy-list",
    "style-short-sentences",
    "style-full-forms",
    "style-one-term-one-thing",
    "style-read-aloud",
    "style-grade-then-short",
    "style-commas-then-capitals",
    "style-rhythm-last",
    "style-quoted-and-contracted",
    "style-sentence-limits",
    "style-technical-docs",
];

#[test]
fn the_library_covers_the_taxonomy_evenly() {
    assert_eq!(library().len(), 200);
    for category in Category::ALL {
        let of: Vec<_> = library().iter().filter(|p| p.category == category).collect();
        assert_eq!(of.len(), 40, "{category:?}");
        for (kind, all, novel) in [
            (Kind::Single, 16, 4),
            (Kind::Prioritised, 12, 3),
            (Kind::Structured, 12, 3),
        ] {
            let of_kind = of.iter().filter(|p| p.kind == kind);
            assert_eq!(of_kind.clone().count(), all, "{category:?} {kind:?}");
            assert_eq!(
                of_kind.filter(|p| p.held_out).count(),
                novel,
                "{category:?} {kind:?}"
            );
        }
        assert!(
            of.iter()
                .all(|p| p.id.starts_with(&format!("{}-", category.id()))),
            "{category:?}"
        );
    }
}

#[test]
fn the_split_is_what_it_always_was() {
    let novel: Vec<_> = library().iter().filter(|p| p.held_out).map(|p| p.id).collect();
    assert_eq!(novel, NOVEL);
}

#[test]
fn ids_and_texts_are_unique_and_clean() {
    let ids: HashSet<_> = library().iter().map(|p| p.id).collect();
    let mut texts: HashSet<_> = library().iter().map(|p| p.text).collect();
    assert_eq!((ids.len(), texts.len()), (library().len(), library().len()));
    for principle in library() {
        let text = principle.text;
        assert!(text.ends_with('.') && text.len() >= 40, "{}", principle.id);
        assert!(!text.contains("  ") && !text.contains('\n'), "{}", principle.id);
        assert!(
            principle.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
            "{}",
            principle.id
        );
    }
    for &measure in Measure::ALL {
        for direction in Direction::ALL {
            assert!(
                phrasings(measure, direction)
                    .iter()
                    .all(|phrasing| texts.insert(phrasing.text))
            );
        }
    }
}

#[test]
fn nothing_held_out_is_in_a_rule_for_training() {
    let mut seen = HashMap::new();
    let mut verifiable = 0;
    let (mut new_quality, mut composed) = (0, 0);
    for principle in library() {
        let Some(rule) = principle.rule else { continue };
        verifiable += 1;
        assert_eq!(
            seen.insert(rule, principle.id),
            None,
            "{} is there twice",
            principle.id
        );
        if let Some((measure, _)) = principle.measure() {
            assert_eq!(principle.held_out, measure.held_out(), "{}", principle.id);
        }
        match (principle.held_out, rule.is_of_new_quality()) {
            (false, new) => assert!(!new, "{}", principle.id),
            (true, true) => new_quality += 1,
            (true, false) => {
                composed += 1;
                assert!(
                    rule.goals().len() > 1,
                    "{}: one trained quality is not novel",
                    principle.id
                );
            }
        }
    }
    assert!(verifiable >= 60, "{verifiable}");
    assert!(new_quality >= 10 && composed >= 5, "{new_quality} {composed}");
}

#[test]
fn rules_are_of_their_kind() {
    for principle in library() {
        let id = principle.id;
        match (principle.kind, principle.rule) {
            (_, None) => {}
            (Kind::Vague, _) => panic!("{id}: the library has no vague wishes"),
            (Kind::Single, Some(rule)) => assert_eq!(rule.goals().len(), 1, "{id}"),
            (Kind::Prioritised, Some(rule)) => {
                assert!(matches!(rule, Rule::Order(goals) if goals.len() > 1), "{id}");
            }
            (Kind::Structured, Some(rule)) => {
                assert!(matches!(rule, Rule::Points(terms) if terms.len() > 1), "{id}");
            }
        }
        if let Some(Rule::Points(terms)) = principle.rule {
            assert!(
                terms
                    .iter()
                    .all(|&(points, goal)| points != 0 && !matches!(goal, Goal::Amount(_, Direction::Fewer))),
                "{id}: amounts are counted upwards"
            );
        }
        // A demand that every text meets, or none, would decide nothing.
        for goal in principle.rule.map(Rule::goals).unwrap_or_default() {
            match goal {
                Goal::AtLeast(quality, least) => {
                    assert!(least > 0 && (!quality.is_yes_or_no() || least == 1), "{id}")
                }
                Goal::AtMost(quality, most) => assert!(!quality.is_yes_or_no() || most == 0, "{id}"),
                Goal::Amount(quality, _) | Goal::Near(quality, _) => assert!(!quality.is_yes_or_no(), "{id}"),
            }
        }
    }
}

#[test]
fn every_extra_quality_is_asked_for() {
    let asked: HashSet<Quality> = library()
        .iter()
        .filter_map(|principle| principle.rule)
        .flat_map(Rule::goals)
        .map(Goal::quality)
        .collect();
    for quality in Quality::EXTRA {
        assert!(asked.contains(quality), "{}", quality.id());
    }
}

#[test]
fn verifiable_principles_have_many_wordings_and_the_last_four_are_held_out() {
    let mut seen = HashMap::new();
    for principle in library() {
        let wordings = principle.wordings();
        assert_eq!(wordings[0].text, principle.text);
        if principle.rule.is_none() {
            assert_eq!(wordings.len(), 1, "{}", principle.id);
            continue;
        }
        assert!(wordings.len() >= 15, "{}", principle.id);
        let held: Vec<bool> = wordings.iter().map(|wording| wording.held_out).collect();
        let expect: Vec<bool> = (0..held.len()).map(|at| at >= held.len() - 4).collect();
        assert_eq!(held, expect, "{}", principle.id);
        for wording in wordings {
            let text = wording.text;
            assert!(!text.contains("  ") && !text.contains(['{', '}']), "{text}");
            let plain = text.to_lowercase();
            let earlier = seen.insert(plain, principle.id);
            assert_eq!(earlier, None, "{}: {text}", principle.id);
        }
    }
}

#[test]
fn phrases_keep_to_their_half() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let principle = |id: &str| library().iter().find(|p| p.id == id).expect("it is there");
    for id in ["structure-list-then-short", "tone-warmth-points", "content-units"] {
        let principle = principle(id);
        let mut drawn = HashSet::new();
        for _ in 0..60 {
            let text = principle.phrase(&mut rng, Split::HeldOut).to_lowercase();
            let held = principle
                .wordings()
                .into_iter()
                .filter(|wording| wording.held_out)
                .any(|wording| text.contains(wording.text.to_lowercase().trim_end_matches('.')));
            assert!(held, "{text}");
            drawn.insert(text);
        }
        assert!(drawn.len() > 6, "{id}");
    }
    let plain = principle("content-cites-sources");
    assert!(plain.phrase(&mut rng, Split::HeldOut).len() >= plain.text.len() - 1);
}
