//! Scores read apart: every response's score in a branch of its own, which knows no other score.
//!
//! A verdict in turn is one reply whose every score follows from those before it. Apart, the branches begin alike and
//! part after the prompt, so a backend that shares what prompts have in common reads all scores in one short pass. The
//! ranking follows the means of the distributions, or the scores where there are none.

use crate::generate::{Completion, FinishReason, GenerateError, GenerateJob, VerdictForm};

/// One job for each label of the job's form.
pub(crate) fn split(job: &GenerateJob) -> Vec<GenerateJob> {
    let labels = job.form.iter().flat_map(|form| &form.labels);
    labels
        .map(|label| GenerateJob {
            form: Some(VerdictForm {
                labels: vec![label.clone()],
                thinking_tokens: 0,
                given: Vec::new(),
            }),
            ..job.clone()
        })
        .collect()
}

/// The verdict that the branches give together, as one reply. The first branch that failed fails all.
///
/// # Errors
/// A branch's own, or [`GenerateError::Backend`] for one that holds no score of its label.
pub(crate) fn join(
    labels: &[String],
    branches: Vec<Result<Completion, GenerateError>>,
) -> Result<Completion, GenerateError> {
    let branches: Vec<Completion> = branches.into_iter().collect::<Result<_, _>>()?;
    let scores: Vec<f64> = labels
        .iter()
        .zip(&branches)
        .map(|(label, branch)| score(label, &branch.text))
        .collect::<Result<_, _>>()?;
    let distributions: Vec<Option<[f64; 5]>> = branches
        .iter()
        .map(|branch| branch.distributions.first().copied().flatten())
        .collect();
    let means: Vec<f64> = scores
        .iter()
        .zip(&distributions)
        .map(|(&score, distribution)| distribution.map_or(score, |weights| mean(&weights)))
        .collect();
    let mut ranking: Vec<usize> = (0..labels.len()).collect();
    // Scores first: a mean may lie on the other side of another's, and a ranking never contradicts its scores.
    ranking.sort_by(|&a, &b| {
        let by_score = scores[b].total_cmp(&scores[a]);
        by_score.then(means[b].total_cmp(&means[a]))
    });
    let form = VerdictForm {
        labels: labels.to_vec(),
        thinking_tokens: 0,
        given: Vec::new(),
    };
    let mut text = form.opening();
    for (label, score) in scores.iter().enumerate() {
        text += &format!("{score}{}", form.after_score(label));
    }
    for (place, &label) in ranking.iter().enumerate() {
        text += &format!("{}{}", labels[label], form.after_place(place));
    }
    let cut = branches
        .iter()
        .any(|branch| branch.finish == FinishReason::Length);
    Ok(Completion {
        text,
        prompt_tokens: branches.first().map_or(0, |branch| branch.prompt_tokens),
        completion_tokens: branches.iter().map(|branch| branch.completion_tokens).sum(),
        finish: if cut {
            FinishReason::Length
        } else {
            FinishReason::Stop
        },
        distributions,
    })
}

fn mean(weights: &[f64; 5]) -> f64 {
    (1..)
        .zip(weights)
        .map(|(score, weight)| f64::from(score) * weight)
        .sum()
}

/// The score of a label in `{"scores": {label: …}, …}`, after whatever thinking there is.
fn score(label: &str, text: &str) -> Result<f64, GenerateError> {
    let answer = text.rsplit("</think>").next().unwrap_or(text).trim();
    let value: Option<serde_json::Value> = serde_json::from_str(answer).ok();
    let score = value.and_then(|value| value["scores"][label].as_f64());
    score.filter(|score| (1.0..=5.0).contains(score)).ok_or_else(|| {
        GenerateError::Backend(format!("expected a score of {label} from 1 to 5, got {answer:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Sampling;

    fn branch(label: &str, score: &str, distribution: Option<[f64; 5]>) -> Result<Completion, GenerateError> {
        Ok(Completion {
            text: format!("{{\"scores\": {{\"{label}\": {score}}}, \"best-to-worst\": [\"{label}\"]}}"),
            prompt_tokens: 10,
            completion_tokens: 3,
            finish: FinishReason::Stop,
            distributions: vec![distribution],
        })
    }

    fn labels(n: usize) -> Vec<String> {
        (1..=n).map(|i| format!("model-{i}")).collect()
    }

    #[test]
    fn every_label_gets_a_job_and_all_jobs_one_prompt() {
        let job = GenerateJob {
            messages: Vec::new(),
            sampling: Sampling::default(),
            thinking: false,
            form: Some(VerdictForm {
                labels: labels(3),
                thinking_tokens: 0,
                given: Vec::new(),
            }),
        };
        let jobs = split(&job);
        let asked: Vec<_> = jobs.iter().map(|job| job.form.clone().unwrap().labels).collect();
        assert_eq!(asked, [["model-1"], ["model-2"], ["model-3"]]);
        assert!(jobs.iter().all(|own| own.messages == job.messages));
    }

    #[test]
    fn branches_make_one_verdict_whose_equals_are_ordered_by_their_means() {
        let sure = Some([0.0, 0.0, 0.0, 1.0, 0.0]);
        let more = Some([0.0, 0.0, 0.0, 0.6, 0.4]);
        let joined = join(
            &labels(3),
            vec![
                branch("model-1", "4", sure),
                branch("model-2", "2", None),
                branch("model-3", "4", more),
            ],
        )
        .unwrap();
        assert_eq!(
            joined.text,
            "{\"scores\": {\"model-1\": 4, \"model-2\": 2, \"model-3\": 4}, \
             \"best-to-worst\": [\"model-3\", \"model-1\", \"model-2\"]}"
        );
        assert_eq!(joined.distributions, [sure, None, more]);
        assert_eq!((joined.prompt_tokens, joined.completion_tokens), (10, 9));
    }

    #[test]
    fn a_branch_without_a_score_fails_all() {
        for bad in ["6", "null", "\"4\""] {
            let error = join(
                &labels(2),
                vec![branch("model-1", "3", None), branch("model-2", bad, None)],
            );
            let message = error.unwrap_err().to_string();
            assert!(
                message.contains("a score of model-2 from 1 to 5"),
                "{bad}: {message}"
            );
        }
        let failed = Err(GenerateError::Backend("gone".to_owned()));
        assert!(join(&labels(2), vec![branch("model-1", "3", None), failed]).is_err());
    }
}
