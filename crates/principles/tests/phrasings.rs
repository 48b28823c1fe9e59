//! Promises about the hand-written phrasings.

use std::collections::HashMap;

use rewardanything_principles::{Direction, Measure, phrasings};

#[test]
fn every_principle_has_many_phrasings_and_the_last_four_are_held_out() {
    for &measure in Measure::ALL {
        for direction in Direction::ALL {
            let all = phrasings(measure, direction);
            let name = format!("{} {}", direction.id(), measure.id());
            assert!(all.len() >= 14, "{name}");
            let held: Vec<bool> = all.iter().map(|p| p.held_out).collect();
            let expect: Vec<bool> = (0..all.len()).map(|at| at >= all.len() - 4).collect();
            assert_eq!(held, expect, "{name}");
        }
    }
}

#[test]
fn phrasings_are_clean_and_each_means_one_principle_only() {
    let mut seen = HashMap::new();
    for &measure in Measure::ALL {
        for direction in Direction::ALL {
            for phrasing in phrasings(measure, direction) {
                let text = phrasing.text;
                assert_eq!(text.trim(), text);
                assert!(!text.contains("  ") && text.ends_with(['.', '!', '?']), "{text}");
                let earlier = seen.insert(text.to_lowercase(), (measure, direction));
                assert_eq!(earlier, None, "{text}");
            }
        }
    }
}
