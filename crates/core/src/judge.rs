//! The judge: masking, prompting and parsing, once for every model behind [`Generate`].

use crate::generate::{Completion, FinishReason, Generate, GenerateError, GenerateJob};
use crate::mask::Mask;
use crate::parse::{ParseError, parse};
use crate::profile::{OrderPolicy, Profile, ThinkingPolicy};
use crate::prompt::messages;
use crate::request::JudgeRequest;
use crate::seeded::Fnv1a;
use crate::verdict::Verdict;

/// A model, a way to speak to it, and a seed for the order in which it sees responses.
pub struct Judge<'a> {
    model: &'a dyn Generate,
    profile: Profile,
    seed: u64,
}

/// One judged request: the model's text, what was made of it, and the mask that links both.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgment {
    /// What the model wrote; `None` when it wrote nothing.
    pub completion: Option<Completion>,
    /// The verdict, or why there is none.
    pub verdict: Result<Verdict, JudgeError>,
    /// Which response was shown under which label.
    pub mask: Mask,
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
            Self::Generate(GenerateError::PromptTooLong { .. }) => "prompt_too_long",
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
        Self { model, profile, seed }
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
        self.judge_batch(std::slice::from_ref(request))
            .pop()
            .expect("one request, one judgment. This is a bug.")
    }

    /// Judges many requests with one call of the model. One judgment per request, in their order; a request that
    /// fails leaves the others alone.
    pub fn judge_batch(&self, requests: &[JudgeRequest]) -> Vec<Judgment> {
        let masks: Vec<Result<Mask, JudgeError>> =
            requests.iter().map(|request| self.mask(request)).collect();
        let jobs: Vec<GenerateJob> = requests
            .iter()
            .zip(&masks)
            .filter_map(|(request, mask)| mask.as_ref().ok().map(|mask| self.job(request, mask)))
            .collect();
        let mut replies = if jobs.is_empty() {
            Vec::new()
        } else {
            self.model.generate(&jobs)
        }
        .into_iter();
        let answered = replies.len();
        requests
            .iter()
            .zip(masks)
            .map(|(request, mask)| match mask {
                Err(error) => Judgment {
                    completion: None,
                    verdict: Err(error),
                    mask: Mask::identity(request.responses().len()),
                },
                Ok(mask) => {
                    let reply = replies.next().unwrap_or_else(|| {
                        let message = format!("expected {} completions, got {answered}", jobs.len());
                        Err(GenerateError::Backend(message))
                    });
                    self.read(reply, mask)
                }
            })
            .collect()
    }

    fn job(&self, request: &JudgeRequest, mask: &Mask) -> GenerateJob {
        GenerateJob {
            messages: messages(&self.profile, request, mask),
            sampling: self.profile.sampling,
            thinking: self.profile.thinking != ThinkingPolicy::Off,
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
                };
            }
        };
        let verdict = match parse(&completion.text, &mask) {
            Err(cause) if completion.finish == FinishReason::Length => Err(JudgeError::Truncated {
                completion_tokens: completion.completion_tokens,
                cause,
            }),
            Err(error) => Err(error.into()),
            Ok(verdict)
                if self.profile.thinking == ThinkingPolicy::Required && verdict.reasoning.is_empty() =>
            {
                Err(JudgeError::NoReasoning {
                    raw: completion.text.clone(),
                })
            }
            Ok(verdict) => Ok(verdict),
        };
        Judgment {
            completion: Some(completion),
            verdict,
            mask,
        }
    }
}
