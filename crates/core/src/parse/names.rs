//! The keys and labels of a verdict, in the spellings that models use.

/// The key of the scores, exactly.
pub(super) const SCORES: &str = "scores";
/// The key of the ranking, exactly.
pub(super) const RANKING: &str = "best-to-worst";

/// Whether a key means the scores.
pub(super) fn is_scores_key(key: &str) -> bool {
    matches!(
        plain(key).as_str(),
        "scores" | "score" | "ratings" | "rating" | "grades" | "grade"
    )
}

/// Whether a key means the ranking, best first.
pub(super) fn is_ranking_key(key: &str) -> bool {
    matches!(
        plain(key).as_str(),
        "besttoworst" | "ranking" | "rankings" | "rank" | "ranks" | "ranked" | "order"
    )
}

/// Whether a key holds reasoning.
pub(super) fn is_reasoning_key(key: &str) -> bool {
    matches!(
        plain(key).as_str(),
        "reasoning" | "reason" | "rationale" | "thoughts" | "thinking" | "explanation" | "analysis"
    )
}

/// Whether a key of a record names the response.
pub(super) fn is_label_key(key: &str) -> bool {
    matches!(
        plain(key).as_str(),
        "model" | "label" | "name" | "response" | "id" | "candidate" | "answer"
    )
}

/// Lower case, letters and digits only.
fn plain(key: &str) -> String {
    key.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .take(64)
        .collect()
}

/// The shown position that a label means, out of `n`: `model-2`, `Model 2`, `response_2`, `2`.
pub(super) fn position_of_label(label: &str, n: usize) -> Option<usize> {
    const WORDS: [&str; 7] = [
        "model",
        "response",
        "answer",
        "candidate",
        "output",
        "assistant",
        "option",
    ];
    let label = label.trim().to_lowercase();
    let rest = WORDS
        .iter()
        .find_map(|word| label.strip_prefix(word))
        .unwrap_or(&label);
    let digits = rest.trim_start_matches([' ', '-', '_', '#', ':', '.', '\u{2010}', '\u{2011}', '\u{2013}']);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let position = digits.parse::<usize>().ok()?.checked_sub(1)?;
    (position < n).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_letters() {
        for key in ["scores", "Scores", "SCORE", "ratings", " rating "] {
            assert!(is_scores_key(key), "{key}");
        }
        for key in [
            "best-to-worst",
            "best_to_worst",
            "Best to worst",
            "bestToWorst",
            "ranking",
            "rank",
        ] {
            assert!(is_ranking_key(key), "{key}");
        }
        for key in ["worst-to-best", "underscores", "scored", ""] {
            assert!(!is_scores_key(key) && !is_ranking_key(key), "{key}");
        }
    }

    #[test]
    fn labels_are_known_by_their_number() {
        let check =
            |label: &str, expect: Option<usize>| assert_eq!(position_of_label(label, 3), expect, "{label}");
        for label in [
            "model-1",
            "Model 1",
            "model_1",
            "MODEL1",
            "response-1",
            "Response 1",
            "1",
            "#1",
            " model-01 ",
        ] {
            check(label, Some(0));
        }
        check("model-3", Some(2));
        for label in [
            "model-0",
            "model-4",
            "model-",
            "",
            "model-A",
            "model-1 (short)",
            "gpt-1",
            "model--",
            "-",
        ] {
            check(label, None);
        }
        check("99999999999999999999999", None);
    }
}
