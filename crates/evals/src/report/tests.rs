//! What reports say, and what they must never let through.

use super::*;
use crate::gold::ItemGold;
use crate::item::Labels;
use crate::outcome::Outcome;
use crate::sample::Sample;
use crate::statistic::{Figure, Statistic};

fn item(id: &str, gold: &[f64], outcome: Outcome) -> Judged {
    Judged {
        sample: Sample {
            id: Id::Text(id.to_owned()),
            labels: Labels {
                domain: Some("chat".to_owned()),
                ..Labels::default()
            },
            names: (0..gold.len()).map(|index| format!("r{index}")).collect(),
            lengths: (0..gold.len()).collect(),
            gold: ItemGold {
                scores: Some(gold.to_vec()),
                ranking: None,
                pairs: None,
            },
        },
        games: vec![outcome],
    }
}

fn items() -> Vec<Judged> {
    vec![
        item("right", &[1.0, 5.0], Outcome::scored(vec![2.0, 4.0])),
        item("wrong", &[1.0, 5.0], Outcome::scored(vec![4.0, 2.0])),
        item("tied", &[1.0, 5.0], Outcome::scored(vec![3.0, 3.0])),
        item("none", &[1.0, 3.0, 5.0], Outcome::failed("truncated")),
    ]
}

fn report() -> RunReport {
    let counts = Counts {
        items: 5,
        judged: 4,
        failed: BTreeMap::from([("truncated".to_owned(), 1)]),
        bad_lines: 0,
    };
    RunReport {
        run: "a".to_owned(),
        model: "m|n<script>".to_owned(),
        command: "rewardanything bench".to_owned(),
        ..RunReport::of(Benchmark::Items, &items(), counts)
    }
}

#[test]
fn failures_count_as_wrong_and_are_said() {
    let report = report();
    // 1 + 0 + 1/2 + 0 points of 1 + 1 + 1 + 3 pairs.
    assert_eq!(report.figures[0].value, 0.25);
    let text = text(&report);
    assert!(text.contains("| pairwise accuracy | 25.0% |"), "{text}");
    assert!(
        text.contains("4 of 5 items judged; 1 without a verdict (truncated 1), counted as wrong."),
        "{text}"
    );
    assert!(
        text.contains("| pairwise accuracy of items with a verdict | 50.0% |"),
        "{text}"
    );
    assert!(text.contains("m\\|n\\<script\\>"), "{text}");
}

#[test]
fn the_worst_come_first_and_the_right_not_at_all() {
    assert_eq!(worst(&items(), 9), [3, 1, 2]);
    assert_eq!(worst(&items(), 1), [3]);
}

#[test]
fn a_page_keeps_text_text_and_loads_nothing() {
    let evil = "</pre><script>alert(1)</script>\u{202e}";
    let report = RunReport {
        worst: vec![Worst {
            id: Id::Text(evil.to_owned()),
            principle: evil.to_owned(),
            prompt: evil.to_owned(),
            responses: vec![WorstResponse {
                name: evil.to_owned(),
                text: evil.to_owned(),
                gold: Some(1.0),
                score: None,
            }],
            reasoning: evil.to_owned(),
            failure: Some(evil.to_owned()),
        }],
        calibration: crate::calibration::of_probabilities([0.9, 0.8, 0.3]),
        settings: vec![(evil.to_owned(), evil.to_owned())],
        ..report()
    };
    let page = page(&[report.clone(), report], &[]);
    for banned in ["<script", "\u{202e}", "http:", "https:", "src=", "url("] {
        assert!(!page.contains(banned), "{banned}");
    }
    for expect in [
        "<svg",
        "prefers-color-scheme: dark",
        "&lt;script&gt;",
        "judged none",
    ] {
        assert!(page.contains(expect), "{expect}");
    }
    let opened = page.matches("<details").count();
    assert_eq!(opened, page.matches("</details>").count());
}

#[test]
fn runs_are_compared_over_the_items_of_both() {
    let first = items();
    let mut second = items();
    second.remove(0);
    second.reverse();
    let found = compare(Benchmark::Items, ("a", &first), ("b", &second));
    assert_eq!((found.items, found.alike), (3, Some(1.0)));
    assert!(
        found
            .differences
            .iter()
            .all(|found| found.value == 0.0 && found.p == 1.0)
    );
    let text = comparison_text(&found);
    assert!(
        text.contains("a minus b, over the 3 items that both judged"),
        "{text}"
    );
}

#[test]
fn two_wordings_order_pairs_alike_or_not() {
    let run = |scores: [f64; 3]| vec![item("x", &[1.0, 2.0, 3.0], Outcome::scored(scores.to_vec()))];
    let check = |first, second, expect| {
        let found = compare(Benchmark::Items, ("a", &run(first)), ("b", &run(second)));
        assert_eq!(found.alike, Some(expect), "{first:?} {second:?}");
    };
    check([1.0, 2.0, 3.0], [2.0, 3.0, 5.0], 1.0);
    check([1.0, 2.0, 3.0], [1.0, 1.0, 3.0], 2.0 / 3.0);
    check([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], 0.0);
    let none = vec![item("x", &[1.0, 2.0], Outcome::failed("parse"))];
    assert_eq!(compare(Benchmark::Items, ("a", &none), ("b", &none)).alike, None);
}

#[test]
fn a_leaderboard_is_in_order() {
    let of = |run: &str, value: f64| {
        let figure = Figure::share("x", Statistic::mean_of([Some(value)]));
        RunReport {
            run: run.to_owned(),
            figures: measure(&[figure], 1),
            ..report()
        }
    };
    let text = leaderboard(&[of("low", 0.2), of("high", 0.9)]);
    let place = |name: &str| text.find(name).expect("a row");
    assert!(place("| high |") < place("| low |"), "{text}");
}
