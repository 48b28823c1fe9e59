//! The steps of a judge that [reads apart](rewardanything_core::apart), trained by what they lead to.
//!
//! A judgement in steps is several short replies, and only two of them decide: what the principle asks for, and what follows
//! from the notes. So a case asks for one of the two. *Naming* earns what the exact verdict over what was named would earn;
//! *concluding*, from notes that are right, earns what its own verdict earns. Replies are held to no form, as everywhere in
//! this training.

use super::config::{GrplRecipe, StepsConfig};
use super::environment::{Answered, Environment, Grade, Grades, Judging, Reply, Task, each};
use super::mix;
use super::validation::Validated;
use crate::TrainError;
use crate::examples::{Asked, Case};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::pieces::OPENING;
use rewardanything_core::reward::{RewardWeights, accuracy_of};
use rewardanything_core::{Gold, Layout, apart};
use rewardanything_engine::LocalModel;

/// How the thinking of a naming reply ends.
const END: &str = "\n</think>";

/// A judge's cases, a step at a time.
pub(super) struct InSteps {
    judging: Judging,
    config: StepsConfig,
    seed: u64,
}

/// A step of a case.
pub(super) enum StepCase {
    /// What does the principle ask for?
    Name(Case),
    /// What follows from these notes, which the reply begins with?
    Conclude(Case, String),
}

impl InSteps {
    /// # Errors
    /// A judge that takes no steps.
    pub(super) fn new(
        judging: Judging,
        recipe: &GrplRecipe,
        config: StepsConfig,
    ) -> Result<Self, TrainError> {
        if judging.profile().layout != Layout::Pieces {
            return Err(TrainError::Recipe {
                field: "steps",
                message: "expected a judge whose profile has the layout \"pieces\": no other judges in steps"
                    .to_owned(),
            });
        }
        Ok(Self {
            judging,
            config,
            seed: recipe.seed,
        })
    }
}

/// What a reply to "what is asked for?" earns: the shape of the line is its format, and its accuracy is that of the exact
/// verdict over what it names. What cannot be read earns nothing.
fn named(case: &Case, text: &str, weights: &RewardWeights) -> Grade {
    let line = text.strip_prefix(OPENING).and_then(|rest| rest.strip_suffix(END));
    let asked = line.and_then(|line| Asked::read(line.strip_prefix(' ')?));
    let Some(asked) = asked else {
        return Grade {
            parts: vec![("named", 0.0), ("accuracy", 0.0)],
            ..Grade::default()
        };
    };
    let texts: Vec<&str> = case.request.responses().iter().map(|r| r.text.as_str()).collect();
    let Gold { scores, ranking } = asked.gold(&texts);
    let scores: Vec<Option<f64>> = scores.into_iter().map(Some).collect();
    let accuracy = accuracy_of(&scores, &ranking, &case.gold, &weights.metrics).total;
    Grade {
        total: weights.format + weights.accuracy * accuracy,
        in_format: true,
        parts: vec![("named", 1.0), ("accuracy", accuracy)],
    }
}

impl Environment for InSteps {
    type Case = StepCase;

    fn task(&self, step: usize, index: usize, progress: f64) -> Result<Task<StepCase>, TrainError> {
        let (id, case) = self.judging.case(step, index, progress);
        let profile = self.judging.profile();
        let mut rng = ChaCha8Rng::seed_from_u64(mix(self.seed, &[0x57E9, step as u64, index as u64]));
        let noted = if rng.random_bool(self.config.conclude) {
            case.noted()
        } else {
            None
        };
        let Some((asked, notes)) = noted else {
            let messages = apart::to_name(profile, case.request.principle(), case.request.prompt());
            return Ok(Task {
                id: format!("{id}-name"),
                prompt: self.judging.encode(&messages)?,
                case: StepCase::Name(case),
            });
        };
        let mut prompt = self
            .judging
            .encode(&apart::to_note(profile, &asked, case.mask.len()))?;
        prompt.extend(self.judging.tokenizer().encode_as_text(&notes)?);
        Ok(Task {
            id: format!("{id}-conclude"),
            prompt,
            case: StepCase::Conclude(case, notes),
        })
    }

    fn grades(&self, _: usize, answered: &[Answered<'_, StepCase>]) -> Result<Vec<Grades>, TrainError> {
        Ok(each(answered, |case, reply| match case {
            StepCase::Name(case) => named(case, reply.text, self.judging.weights()),
            StepCase::Conclude(case, notes) => {
                let text = format!("{notes}{}", reply.text);
                let whole = Reply {
                    text: &text,
                    ..*reply
                };
                self.judging.grade(case, &whole)
            }
        }))
    }

    fn validate(&mut self, model: &LocalModel) -> Result<Option<Validated>, TrainError> {
        self.judging.validate(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_core::{JudgeRequest, Mask, Response};
    use rewardanything_principles::{Direction, Measure, gold};

    #[test]
    fn a_name_earns_what_the_verdict_over_it_would() {
        let texts = ["One, two, three.", "One and two.", "One, two and three of them!"];
        let responses = texts.iter().enumerate();
        let responses = responses.map(|(i, text)| Response::new(format!("r{i}"), *text));
        let case = Case {
            request: JudgeRequest::new("Spare the commas.", "Count.", responses.collect()).unwrap(),
            mask: Mask::identity(3),
            gold: gold(Measure::Commas, Direction::Fewer, &texts),
            rule: None,
        };
        let weights = RewardWeights::default();
        let earned = |line: &str| named(&case, &format!("<think>\nAsked for: {line}\n</think>"), &weights);
        let right = earned("fewer commas.");
        assert!((right.total - 1.0).abs() < 1e-12 && right.in_format, "{right:?}");
        // A limit that parts the same responses less finely earns less, the other end and another quality less yet.
        let [limit, quality, end] =
            ["at most 0 commas.", "fewer words.", "more commas."].map(|line| earned(line).total);
        assert!(
            1.0 > limit && limit > quality && quality > end && end > weights.format,
            "{limit} {quality} {end}"
        );
        for unread in ["fewer commas", "fewer things.", "fewer commas.\nmodel-1: 2"] {
            assert_eq!(earned(unread).total, 0.0, "{unread}");
        }
        assert_eq!(named(&case, " fewer commas.", &weights).total, 0.0);
    }
}
