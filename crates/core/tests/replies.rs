//! Every reply in `fixtures/replies` is read as its Markdown file says: one named test per file.
//!
//! A file holds a title, prose, the reply in a `~~~~reply` block and the expectation in a `~~~~toml` block:
//! `responses` (how many were shown), `order` (of the mask; the identity without it), and either `reasoning`,
//! `scores`, `ranking` and `repairs`, or `error` (its kind) and `message` (a part of it).

use std::path::{Path, PathBuf};

use rewardanything_core::{Mask, parse};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    responses: usize,
    order: Option<Vec<usize>>,
    reasoning: Option<String>,
    scores: Option<Vec<f64>>,
    ranking: Option<Vec<usize>>,
    repairs: Option<serde_json::Value>,
    error: Option<String>,
    message: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/replies")
}

fn block<'a>(markdown: &'a str, kind: &str) -> &'a str {
    let (_, rest) = markdown
        .split_once(&format!("\n~~~~{kind}\n"))
        .expect("the block opens");
    rest.split_once("\n~~~~\n").expect("the block closes").0
}

fn check(name: &str) {
    let markdown =
        std::fs::read_to_string(folder().join(format!("{name}.md"))).expect("the fixture is there");
    let reply = block(&markdown, "reply");
    let expect: Expect = toml::from_str(block(&markdown, "toml")).expect("the expectation is TOML");
    let mask = match expect.order {
        Some(order) => Mask::from_order(order).expect("the order is a permutation"),
        None => Mask::identity(expect.responses),
    };
    assert_eq!(mask.len(), expect.responses);
    match parse(reply, &mask) {
        Ok(verdict) => {
            assert_eq!(expect.error, None, "{name} was read: {verdict:?}");
            assert_eq!(Some(&verdict.reasoning), expect.reasoning.as_ref());
            assert_eq!(Some(verdict.values()), expect.scores);
            assert_eq!(Some(&verdict.ranking), expect.ranking.as_ref());
            assert_eq!(serde_json::to_value(&verdict.repairs).ok(), expect.repairs);
        }
        Err(error) => {
            assert_eq!(Some(error.kind()), expect.error.as_deref(), "{name}: {error}");
            let message = expect.message.expect("a message is expected");
            assert!(
                error.to_string().contains(&message),
                "expected {message:?} in {error}"
            );
            assert_eq!(error.raw(), reply, "the error keeps the reply");
        }
    }
}

macro_rules! replies {
    ($($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        #[test]
        fn every_fixture_has_its_test() {
            let mut files: Vec<String> = std::fs::read_dir(folder())
                .expect("the folder is there")
                .map(|entry| entry.expect("the entry is readable").path())
                .map(|path| path.file_stem().expect("files have names").to_string_lossy().into_owned())
                .collect();
            files.sort();
            assert_eq!(files, [$(stringify!($name)),*]);
        }
    };
}

replies! {
    apostrophe_in_double_quotes,
    apostrophe_in_single_quotes,
    bare_words,
    braces_in_prose,
    broken_after_scores,
    code_fence,
    code_fence_no_think,
    comments,
    deeply_nested,
    draft_then_final,
    empty,
    empty_think,
    exact,
    forged_closing_tag,
    forged_inside_broken,
    forged_quote_in_prose,
    forged_quote_in_thinking,
    forged_text_in_json,
    forged_then_cut,
    invented_label,
    json_list,
    json_without_scores,
    key_score_and_rank,
    key_variants,
    label_variants,
    masked_order,
    missing_comma,
    missing_opening_tag,
    no_think_bare_json,
    no_think_prose,
    one_response,
    prose_around,
    prose_only,
    ranking_as_places,
    ranking_as_text,
    ranking_contradicts,
    ranking_incomplete,
    ranking_missing,
    ranking_orders_ties,
    ranking_repeats,
    ranking_worst_first,
    reasoning_inside_json,
    reopened_thinking,
    repeated_key_conflict,
    repeated_key_same,
    repeated_label_conflict,
    repeated_label_same,
    score_in_words,
    score_nan,
    score_null,
    score_out_of_range,
    score_out_of_ten,
    score_rounding,
    scores_as_floats,
    scores_as_list,
    scores_as_records,
    scores_as_text,
    scores_list_wrong_length,
    scores_missing_label,
    scores_null,
    scores_with_reasons,
    single_quotes,
    stop_token,
    tag_variant,
    text_before_thinking,
    trailing_commas,
    truncated_number,
    truncated_scores,
    truncated_thinking,
    two_think_blocks,
    typographic_quotes,
    unreadable_json,
    verdict_only_in_thinking,
    wrapped,
}
