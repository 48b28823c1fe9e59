//! The judge: masking, prompting and parsing, once for every model behind [`Generate`].

use std::num::NonZeroUsize;

use crate::apart::Apart;
use crate::branches;
use crate::generate::{Completion, FinishReason, Generate, GenerateError, GenerateJob, VerdictForm};
use crate::interest::Interest;
use crate::mask::Mask;
use crate::parse::{self, ParseError, Survey};
use crate::profile::{Decoding, Layout, OrderPolicy, Profile, ThinkingPolicy};
use crate::prompt::messages;
use crate::request::JudgeRequest;
use crate::seeded::Fnv1a;
use crate::verdict::Verdict;
use crate::votes::{Repeats, Votes, combine};

/// A model, a way to speak to it, and a seed for the order in which it sees responses.
pub struct Judge<'a> {
    model: &'a dyn Generate,
    profile: Profile,
    seed: u64,
    repeats: Repeats,
}

/// One judged request: the model's text, what was made of it, and the mask that links both.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgment {
    /// What the model wrote; `None` when it wrote nothing. Of several runs, the one whose reasoning is given.
    pub completion: Option<Completion>,
    /// The verdict, or why there is none.
    pub verdict: Result<Verdict, JudgeError>,
    /// Which response was shown under which label.
    pub mask: Mask,
    /// What the runs had in common, where a request is judged more than once.
    pub votes: Option<Votes>,
}

/// Why a request has no verdict.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// The reply can't be read as a verdict.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The model gave no reply.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The profile takes fewer responses.
    #[error("the profile {profile:?}: expected at most {limit} responses, got {got}")]
    TooManyResponses {
        /// Name of the profile.
        profile: String,
        /// How many responses there were.
        got: usize,
        /// How many it takes.
        limit: usize,
    },
    /// The reply was cut off by its limit of tokens before there was a verdict.
    #[error("the reply was cut off after {completion_tokens} tokens: {cause}")]
    Truncated {
        /// Tokens written until then.
        completion_tokens: usize,
        /// What was missing.
        cause: ParseError,
    },
    /// The profile requires reasoning and the reply holds a verdict without any.
    #[error("expected reasoning before the verdict, got none")]
    NoReasoning {
        /// The reply.
        raw: String,
    },
}

impl JudgeError {
    /// A short fixed name, for records and counts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Parse(error) => error.kind(),
            Self::Generate(
                GenerateError::PromptTooLong { .. }
                | GenerateError::ResponseTooLong { .. }
                | GenerateError::Overlong { .. },
            ) => "prompt_too_long",
            Self::Generate(GenerateError::Refused { .. }) => "refused",
            Self::Generate(GenerateError::Deadline { .. }) => "deadline",
            Self::Generate(GenerateError::Abandoned) => "abandoned",
            Self::Generate(GenerateError::Backend(_)) => "backend",
            Self::TooManyResponses { .. } => "too_many_responses",
            Self::Truncated { .. } => "truncated",
            Self::NoReasoning { .. } => "no_reasoning",
        }
    }
}

impl std::fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge")
            .field("model", &self.model.name())
            .field("profile", &self.profile.name)
            .field("seed", &self.seed)
            .finish()
    }
}

impl<'a> Judge<'a> {
    /// A judge. The seed decides the order of responses under [`OrderPolicy::Seeded`], and nothing else.
    pub fn new(model: &'a dyn Generate, profile: Profile, seed: u64) -> Self {
        Self {
            model,
            profile,
            seed,
            repeats: Repeats::ONCE,
        }
    }

    /// This judge, asked several times about each request.
    pub fn with_repeats(self, repeats: Repeats) -> Self {
        Self { repeats, ..self }
    }

    /// How this judge speaks to its model.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The mask this judge uses for a request: the same for the same principle, prompt and response texts, wherever
    /// in a batch they stand and whatever the responses are called.
    ///
    /// # Errors
    /// More responses than the profile or its order takes.
    pub fn mask(&self, request: &JudgeRequest) -> Result<Mask, JudgeError> {
        let got = request.responses().len();
        let too_many = |limit| JudgeError::TooManyResponses {
            profile: self.profile.name.clone(),
            got,
            limit,
        };
        if got > self.profile.max_responses {
            return Err(too_many(self.profile.max_responses));
        }
        match self.profile.order {
            OrderPolicy::Given => Ok(Mask::identity(got)),
            OrderPolicy::Published => Mask::published(got).map_err(|_| too_many(Mask::PUBLISHED_LIMIT)),
            OrderPolicy::Seeded => Ok(Mask::seeded(got, self.mask_seed(request))),
        }
    }

    fn mask_seed(&self, request: &JudgeRequest) -> u64 {
        let mut hash = Fnv1a::new();
        hash.bytes(&self.seed.to_le_bytes());
        hash.text(request.principle());
        hash.text(request.prompt());
        for response in request.responses() {
            hash.text(&response.text);
        }
        hash.finish()
    }

    /// Judges one request.
    pub fn judge(&self, request: &JudgeRequest) -> Judgment {
        only(self.judge_batch(std::slice::from_ref(request)))
    }

    /// Judges many requests with one call of the model. One judgment per request, in their order; a request that
    /// fails leaves the others alone.
    pub fn judge_batch(&self, requests: &[JudgeRequest]) -> Vec<Judgment> {
        self.judge_batch_for(requests, &Interest::default())
    }

    /// As [`Judge::judge_batch`], for somebody who may go away: the model then leaves what is not done.
    pub fn judge_batch_for(&self, requests: &[JudgeRequest], interest: &Interest) -> Vec<Judgment> {
        let plans: Vec<Result<Vec<Mask>, JudgeError>> = requests
            .iter()
            .map(|request| Ok(self.repeats.masks(&self.mask(request)?)))
            .collect();
        let mut replies = if self.reads_apart() {
            self.apart(requests, &plans, interest)
        } else {
            let jobs: Vec<GenerateJob> = requests
                .iter()
                .zip(&plans)
                .filter_map(|(request, masks)| Some(self.jobs(request, masks.as_ref().ok()?)))
                .flatten()
                .collect();
            if jobs.is_empty() {
                Vec::new()
            } else {
                self.model.generate_for(&jobs, interest)
            }
        }
        .into_iter();
        let answered = replies.len();
        let mut reply = || {
            replies.next().unwrap_or_else(|| {
                let message = format!("expected a completion for every job, got {answered}");
                Err(GenerateError::Backend(message))
            })
        };
        requests
            .iter()
            .zip(plans)
            .map(|(request, masks)| match masks {
                Err(error) => Judgment {
                    completion: None,
                    verdict: Err(error),
                    mask: Mask::identity(request.responses().len()),
                    votes: None,
                },
                Ok(masks) => {
                    let runs = masks
                        .into_iter()
                        .flat_map(|mask| std::iter::repeat_n(mask, self.samples()))
                        .map(|mask| {
                            let reply = if self.reads_scores_apart() {
                                let labels = labels(&mask);
                                let replies = labels.iter().map(|_| reply()).collect();
                                branches::join(&labels, replies)
                            } else {
                                reply()
                            };
                            self.read(reply, mask)
                        })
                        .collect();
                    if self.repeats == Repeats::ONCE {
                        only(runs)
                    } else {
                        combine(runs)
                    }
                }
            })
            .collect()
    }

    fn samples(&self) -> usize {
        self.repeats.samples.max(1)
    }

    /// The jobs of one request: every sample of an order, order after order.
    fn jobs(&self, request: &JudgeRequest, masks: &[Mask]) -> Vec<GenerateJob> {
        masks
            .iter()
            .flat_map(|mask| {
                let jobs = self.sampled(self.job(request, mask));
                jobs.into_iter().flat_map(|job| {
                    if self.reads_scores_apart() {
                        branches::split(&job)
                    } else {
                        vec![job]
                    }
                })
            })
            .collect()
    }

    /// Whether a request is taken in the steps of [`apart`].
    fn reads_apart(&self) -> bool {
        self.profile.layout == Layout::Pieces
            && self.profile.decoding != Decoding::Branches
            && self.profile.thinking != ThinkingPolicy::Off
            && self.model.holds_forms()
    }

    /// What [`jobs`](Self::jobs) would be answered, taken in steps.
    fn apart(
        &self,
        requests: &[JudgeRequest],
        plans: &[Result<Vec<Mask>, JudgeError>],
        interest: &Interest,
    ) -> Vec<Result<Completion, GenerateError>> {
        let requests = requests
            .iter()
            .zip(plans)
            .filter_map(|(request, masks)| Some((request, masks.as_ref().ok()?.as_slice())));
        let job = GenerateJob {
            messages: Vec::new(),
            sampling: self.profile.sampling,
            thinking: true,
            form: None,
        };
        let apart = Apart {
            profile: &self.profile,
            requests: requests.collect(),
            samples: self.sampled(job),
            thinking_tokens: self.profile.thinking_tokens.map_or(usize::MAX, NonZeroUsize::get),
        };
        apart.replies(|jobs| self.model.generate_for(jobs, interest))
    }

    /// The job with the seed of every sample.
    fn sampled(&self, job: GenerateJob) -> Vec<GenerateJob> {
        let samples = 0..self.samples() as u64;
        samples
            .map(|sample| {
                let mut job = job.clone();
                // Far apart, so that the samples of two neighbouring seeds are not the same.
                job.sampling.seed ^= sample.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                job
            })
            .collect()
    }

    fn reads_scores_apart(&self) -> bool {
        self.profile.decoding == Decoding::Branches
    }

    fn job(&self, request: &JudgeRequest, mask: &Mask) -> GenerateJob {
        let thinking = self.profile.thinking != ThinkingPolicy::Off && !self.reads_scores_apart();
        GenerateJob {
            messages: messages(&self.profile, request, mask),
            sampling: self.profile.sampling,
            thinking,
            form: (self.profile.decoding != Decoding::Free).then(|| VerdictForm {
                labels: labels(mask),
                thinking_tokens: match self.profile.thinking_tokens {
                    _ if !thinking => 0,
                    Some(budget) => budget.get(),
                    None => usize::MAX,
                },
                given: Vec::new(),
            }),
        }
    }

    fn read(&self, reply: Result<Completion, GenerateError>, mask: Mask) -> Judgment {
        let completion = match reply {
            Ok(completion) => completion,
            Err(error) => {
                return Judgment {
                    completion: None,
                    verdict: Err(error.into()),
                    mask,
                    votes: None,
                };
            }
        };
        let mut verdict = self.verdict(&completion, &mask);
        if let Ok(verdict) = &mut verdict {
            for (&response, distribution) in mask.order().iter().zip(&completion.distributions) {
                // What a backend gives for a distribution may be none.
                let soft = distribution.map(|weights| verdict.scores[response].with_distribution(weights));
                if let Some(Ok(soft)) = soft {
                    verdict.scores[response] = soft;
                }
            }
        }
        Judgment {
            completion: Some(completion),
            verdict,
            mask,
            votes: None,
        }
    }

    fn verdict(&self, completion: &Completion, mask: &Mask) -> Result<Verdict, JudgeError> {
        let survey = Survey::of(&completion.text, mask);
        // Without a reasoning block, prose may quote a verdict that a response forged. When such a reply was cut off
        // after an object, the judge's own verdict may have been still to come.
        let own_verdict = survey.thinking_block || survey.ends_with_json;
        let verdict = parse::verdict(survey, mask);
        if completion.finish == FinishReason::Length {
            let cause = match verdict {
                Ok(verdict) if own_verdict => return self.require_reasoning(verdict, completion),
                Ok(_) => ParseError::TruncatedAnswer {
                    raw: completion.text.clone(),
                },
                Err(cause) => cause,
            };
            return Err(JudgeError::Truncated {
                completion_tokens: completion.completion_tokens,
                cause,
            });
        }
        self.require_reasoning(verdict?, completion)
    }

    fn require_reasoning(&self, verdict: Verdict, completion: &Completion) -> Result<Verdict, JudgeError> {
        if self.profile.thinking == ThinkingPolicy::Required && verdict.reasoning.is_empty() {
            return Err(JudgeError::NoReasoning {
                raw: completion.text.clone(),
            });
        }
        Ok(verdict)
    }
}

fn labels(mask: &Mask) -> Vec<String> {
    (0..mask.len()).map(|position| mask.label(position)).collect()
}

fn only(mut runs: Vec<Judgment>) -> Judgment {
    runs.pop().expect("one run, one judgment. This is a bug.")
}

#[cfg(test)]
mod tests;
