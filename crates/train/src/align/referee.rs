//! Groups of replies before a judge.

use crate::grpo::Ungraded;
use crate::grpo::mix;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rewardanything_core::record::usage;
use rewardanything_core::{Generate, Judge, JudgeRequest, Judgment, Profile, Repeats, Response};
use std::sync::Arc;

/// A judge, owned.
#[derive(Clone)]
pub struct Referee {
    /// The model.
    pub model: Arc<dyn Generate>,
    /// How it is spoken to.
    pub profile: Profile,
    /// How often it is asked about each group.
    pub repeats: Repeats,
}

impl std::fmt::Debug for Referee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Referee")
            .field("model", &self.model.name())
            .field("profile", &self.profile.name)
            .finish_non_exhaustive()
    }
}

/// A prompt and the replies to it.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// What they answer, as the judge reads it.
    pub prompt: &'a str,
    /// The replies; not all need to differ.
    pub replies: Vec<&'a str>,
}

/// The scores of a group, reply by reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// From 1 to 5, as written.
    pub values: Vec<f64>,
    /// The means of the probabilities, where the judge gives them.
    pub soft: Vec<Option<f64>>,
    /// Tokens that the judge read and wrote.
    pub tokens: usize,
}

impl Scored {
    /// The soft score where there is one, else the score.
    pub fn softest(&self) -> Vec<f64> {
        let both = self.soft.iter().zip(&self.values);
        both.map(|(soft, value)| soft.unwrap_or(*value)).collect()
    }
}

impl Referee {
    /// The most replies of a group.
    pub fn limit(&self) -> usize {
        self.profile.max_responses
    }

    /// Judges every group in one call each, all of them at once. The judge sees replies that are equal once, in an order
    /// drawn anew for each group from `seed`, whatever order its profile goes on to show them in.
    pub fn judge(&self, principle: &str, groups: &[Group<'_>], seed: u64) -> Vec<Result<Scored, Ungraded>> {
        let shown: Vec<Shown<'_>> = groups
            .iter()
            .enumerate()
            .map(|(index, group)| Shown::new(&group.replies, mix(seed, &[0x0EDE, index as u64])))
            .collect();
        let requests: Vec<Result<JudgeRequest, Ungraded>> = groups
            .iter()
            .zip(&shown)
            .map(|(group, shown)| shown.request(principle, group.prompt))
            .collect();
        let valid: Vec<JudgeRequest> = requests.iter().filter_map(|r| r.as_ref().ok().cloned()).collect();
        let judge = Judge::new(self.model.as_ref(), self.profile.clone(), seed).with_repeats(self.repeats);
        let mut judgments = judge.judge_batch(&valid).into_iter();
        requests
            .into_iter()
            .zip(&shown)
            .map(|(request, shown)| {
                request?;
                let judgment = judgments.next();
                shown.scored(&judgment.expect("every request has a judgment. This is a bug."))
            })
            .collect()
    }
}

/// The different replies of a group in the order in which they are shown.
struct Shown<'a> {
    texts: Vec<&'a str>,
    /// For each reply of the group, the place of its text.
    places: Vec<usize>,
}

impl<'a> Shown<'a> {
    fn new(replies: &[&'a str], seed: u64) -> Self {
        let mut texts: Vec<&str> = Vec::new();
        for reply in replies {
            if !texts.contains(reply) {
                texts.push(reply);
            }
        }
        texts.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let place = |reply: &&str| texts.iter().position(|text| text == reply);
        let places = replies
            .iter()
            .map(|reply| place(reply).expect("every reply was taken up. This is a bug."))
            .collect();
        Self { texts, places }
    }

    fn request(&self, principle: &str, prompt: &str) -> Result<JudgeRequest, Ungraded> {
        let responses = self.texts.iter().enumerate();
        let responses = responses
            .map(|(place, text)| Response::new(format!("r{place}"), *text))
            .collect();
        JudgeRequest::new(principle, prompt, responses).map_err(|error| Ungraded {
            kind: "request",
            message: error.to_string(),
        })
    }

    fn scored(&self, judgment: &Judgment) -> Result<Scored, Ungraded> {
        let verdict = judgment.verdict.as_ref().map_err(|error| Ungraded {
            kind: error.kind(),
            message: error.to_string(),
        })?;
        let usage = usage(judgment);
        let scores = || self.places.iter().map(|&place| verdict.scores[place]);
        Ok(Scored {
            values: scores().map(|score| score.value()).collect(),
            soft: scores()
                .map(|score| score.distribution().map(|_| score.soft()))
                .collect(),
            tokens: usage.prompt_tokens + usage.completion_tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_core::{Completion, FinishReason, Mask, OrderPolicy, Scripted, Verdict, render};

    /// Scores a reply by its last digit, found in the order in which the judge was shown them.
    fn by_digit() -> Scripted {
        Scripted::from_fn(|job| {
            let text = &job.messages.last().unwrap().content;
            let json: serde_json::Value = serde_json::from_str(text).unwrap();
            let shown = json["responses"].as_object().unwrap();
            let scores: Vec<f64> = shown
                .values()
                .map(|text| {
                    text.as_str()
                        .unwrap()
                        .chars()
                        .last()
                        .unwrap()
                        .to_digit(10)
                        .unwrap()
                        .into()
                })
                .collect();
            let order: Vec<usize> = (0..scores.len()).collect();
            let verdict = Verdict::from_scores("So.", &scores, &order).unwrap();
            Ok(Completion {
                text: render(&verdict, &Mask::identity(scores.len())),
                prompt_tokens: 10,
                completion_tokens: 2,
                finish: FinishReason::Stop,
                distributions: vec![Some([0.0, 0.0, 0.0, 0.0, 1.0]); scores.len()],
            })
        })
    }

    #[test]
    fn scores_find_their_replies_and_the_order_changes() {
        let script = Arc::new(by_digit());
        let referee = Referee {
            model: Arc::clone(&script) as Arc<dyn Generate>,
            profile: Profile {
                order: OrderPolicy::Given,
                ..Profile::rewardanything()
            },
            repeats: Repeats::ONCE,
        };
        let group = Group {
            prompt: "Count.",
            replies: vec!["a 1", "b 5", "a 1", "c 3", "d 2"],
        };
        for seed in 0..20 {
            let scored = referee
                .judge("More.", std::slice::from_ref(&group), seed)
                .remove(0)
                .unwrap();
            assert_eq!(scored.values, [1.0, 5.0, 1.0, 3.0, 2.0]);
            assert_eq!((scored.soft[0], scored.tokens), (Some(5.0), 12));
        }
        let orders: std::collections::HashSet<String> = script
            .seen()
            .into_iter()
            .map(|job| job.messages.last().unwrap().content.clone())
            .collect();
        assert!(
            orders.len() > 8,
            "{} orders of four replies in 20 calls",
            orders.len()
        );
        assert!(
            orders.iter().all(|text| text.matches("a 1").count() == 1),
            "equal replies are shown once"
        );
    }

    #[test]
    fn a_group_without_a_verdict_says_why() {
        let referee = Referee {
            model: Arc::new(Scripted::always("No idea.")),
            profile: Profile::rewardanything(),
            repeats: Repeats::ONCE,
        };
        let groups = [
            Group {
                prompt: "Hi?",
                replies: vec!["a", "b"],
            },
            Group {
                prompt: " ",
                replies: vec!["a", "b"],
            },
        ];
        let got = referee.judge("Short.", &groups, 1);
        assert!(
            got[0].is_err() && got[1].as_ref().unwrap_err().kind == "request",
            "{got:?}"
        );
    }
}
