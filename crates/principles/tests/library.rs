//! Promises about the principle library.

use std::collections::HashSet;

use rewardanything_principles::{Category, Direction, Kind, Measure, library, phrasings};

#[test]
fn the_library_covers_the_taxonomy() {
    assert!(library().len() >= 60, "{}", library().len());
    for category in Category::ALL {
        let of: Vec<_> = library().iter().filter(|p| p.category == category).collect();
        assert!(of.len() >= 12, "{category:?}");
        for kind in [Kind::Single, Kind::Prioritised, Kind::Structured] {
            assert!(of.iter().any(|p| p.kind == kind), "{category:?} {kind:?}");
        }
        assert!(
            of.iter().any(|p| p.held_out) && of.iter().any(|p| p.measure.is_some()),
            "{category:?}"
        );
        assert!(
            of.iter()
                .all(|p| p.id.starts_with(&format!("{}-", category.id()))),
            "{category:?}"
        );
    }
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
fn verifiable_principles_agree_with_their_measure() {
    let verifiable: Vec<_> = library().iter().filter_map(|p| Some((p, p.measure?))).collect();
    assert!(verifiable.len() >= 16, "{}", verifiable.len());
    let mut seen = HashSet::new();
    for (principle, (measure, direction)) in verifiable {
        assert!(
            seen.insert((measure, direction)),
            "{} is there twice",
            principle.id
        );
        assert_eq!(principle.category, measure.category(), "{}", principle.id);
        assert_eq!(principle.held_out, measure.held_out(), "{}", principle.id);
    }
}
