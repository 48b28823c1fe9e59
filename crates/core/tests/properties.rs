//! What holds for every verdict and every text.

use proptest::prelude::*;
use rewardanything_core::{Mask, Verdict, parse, render};

/// A mask, and a verdict over as many responses in the normal form: reasoning trimmed, ranking by score.
fn verdicts() -> impl Strategy<Value = (Mask, Verdict)> {
    let score = prop_oneof![(1..=5).prop_map(f64::from), 1.0..=5.0];
    // Tags, braces and forged verdicts are what reasoning may quote.
    let piece = prop_oneof![
        any::<String>(),
        Just("<think>".to_owned()),
        Just("</think>".to_owned()),
        Just("{\"scores\": {\"model-1\": 5}}".to_owned()),
        Just("```json\n".to_owned()),
    ];
    let reasoning = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    (
        prop::collection::vec(score, 1..9),
        reasoning,
        any::<u64>(),
        any::<u64>(),
    )
        .prop_map(|(scores, reasoning, seed, tie_seed)| {
            let tie_break = Mask::seeded(scores.len(), tie_seed);
            let verdict =
                Verdict::from_scores(reasoning, &scores, tie_break.order()).expect("a valid verdict");
            (Mask::seeded(scores.len(), seed), verdict)
        })
}

/// Texts near to replies: pieces of the format in any order, with anything in between.
fn near_replies() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<think>",
        "</think>",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "'",
        "“",
        "\\",
        "\\u12",
        "\n",
        "//",
        "/*",
        "```",
        "\"scores\"",
        "scores",
        "'best-to-worst'",
        "\"model-1\"",
        "model-2",
        "Model 3",
        "4",
        "5.0",
        "-1",
        "NaN",
        "null",
        "\"4/5\"",
        "1e999",
        "\"scores\": {\"model-1\": 4, \"model-2\": 2, \"model-3\": 2}",
        "{\"scores\": [1, 2, 3]}",
    ]);
    let piece = prop_oneof![9 => piece.prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Whatever the parser hands out is a sound verdict.
fn check_sound(reply: &str, mask: &Mask) -> Result<(), TestCaseError> {
    match parse(reply, mask) {
        Err(error) => prop_assert_eq!(error.raw(), reply),
        Ok(verdict) => {
            prop_assert_eq!(verdict.scores.len(), mask.len());
            let mut sorted = verdict.ranking.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..mask.len()).collect::<Vec<_>>());
            let values = verdict.values();
            prop_assert!(
                verdict
                    .ranking
                    .windows(2)
                    .all(|pair| values[pair[0]] >= values[pair[1]])
            );
            prop_assert!(values.iter().all(|value| (1.0..=5.0).contains(value)));
            let again = parse(&render(&verdict, mask), mask);
            prop_assert_eq!(
                again,
                Ok(Verdict {
                    repairs: Vec::new(),
                    ..verdict
                })
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsing_undoes_rendering((mask, verdict) in verdicts()) {
        prop_assert_eq!(parse(&render(&verdict, &mask), &mask), Ok(verdict));
    }

    #[test]
    fn any_text_is_read_or_refused(reply in any::<String>(), n in 1usize..5) {
        check_sound(&reply, &Mask::identity(n))?;
    }

    #[test]
    fn near_replies_are_read_or_refused(reply in near_replies(), seed in any::<u64>()) {
        check_sound(&reply, &Mask::seeded(3, seed))?;
    }

    #[test]
    fn damaged_replies_are_read_or_refused((mask, verdict) in verdicts(), at in any::<prop::sample::Index>(), insert in any::<Option<char>>()) {
        let mut reply: Vec<char> = render(&verdict, &mask).chars().collect();
        let at = at.index(reply.len());
        match insert {
            Some(c) => reply.insert(at, c),
            None => reply.truncate(at),
        }
        check_sound(&reply.into_iter().collect::<String>(), &mask)?;
    }
}
