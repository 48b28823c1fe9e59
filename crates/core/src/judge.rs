//! The judge: masking, prompting and parsing, once for every model behind [`Generate`].

use crate::branches;
use crate::generate::{Completion, FinishReason, Generate, GenerateError, GenerateJob, VerdictForm};
use crate::mask::Mask;
use crate::parse::{self, ParseError, Survey};
use crate::profile::{Decoding, OrderPolicy, Profile, ThinkingPolicy};
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
            Self::Generate(GenerateError::PromptTooLong { .. } | GenerateError::Overlong { .. }) => {
                "prompt_too_long"
            }
            Self::Generate(GenerateError::Refused { .. }) => "refused",
            Self::Generate(GenerateError::Deadline { .. }) => "deadline",
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
        let plans: Vec<Result<Vec<Mask>, JudgeError>> = requests
            .iter()
            .map(|request| Ok(self.repeats.masks(&self.mask(request)?)))
            .collect();
        let jobs: Vec<GenerateJob> = requests
            .iter()
            .zip(&plans)
            .filter_map(|(request, masks)| Some(self.jobs(request, masks.as_ref().ok()?)))
            .flatten()
            .collect();
        let mut replies = if jobs.is_empty() {
            Vec::new()
        } else {
            self.model.generate(&jobs)
        }
        .into_iter();
        let answered = replies.len();
        let mut reply = || {
            replies.next().unwrap_or_else(|| {
                let message = format!("expected {} completions, got {answered}", jobs.len());
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
                let job = self.job(request, mask);
                (0..self.samples() as u64).flat_map(move |sample| {
                    let mut job = job.clone();
                    // Far apart, so that the samples of two neighbouring seeds are not the same.
                    job.sampling.seed ^= sample.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    if self.reads_scores_apart() {
                        branches::split(&job)
                    } else {
                        vec![job]
                    }
                })
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
mod tests {
    use super::*;
    use crate::generate::Scripted;
    use crate::request::Response;
    use crate::verdict::render;

    const REPLY: &str = "<think>\nwhy\n</think>\n\n{\"scores\": {\"model-1\": 5, \"model-2\": 1}}";

    fn request(texts: &[&str]) -> JudgeRequest {
        let responses = texts
            .iter()
            .enumerate()
            .map(|(i, text)| Response::new(format!("name {i}"), *text))
            .collect();
        JudgeRequest::new("Be brief.", "Why?", responses).unwrap()
    }

    fn with(order: OrderPolicy) -> Profile {
        Profile {
            order,
            ..Profile::rewardanything()
        }
    }

    /// A judge that likes short texts, wherever they are shown.
    fn shortest_first() -> Scripted {
        Scripted::from_fn(|job| {
            let user = &job.messages.last().unwrap().content;
            let value: serde_json::Value = serde_json::from_str(user).unwrap();
            let shown = value["responses"].as_object().unwrap();
            let scores: Vec<f64> = shown
                .values()
                .map(|text| 5.0 - text.as_str().unwrap().len().min(4) as f64)
                .collect();
            let order: Vec<usize> = (0..scores.len()).collect();
            let verdict = Verdict::from_scores("Short is good.", &scores, &order).unwrap();
            let text = render(&verdict, &Mask::identity(scores.len()));
            Ok(Completion {
                text,
                prompt_tokens: 1,
                completion_tokens: 1,
                finish: FinishReason::Stop,
                distributions: Vec::new(),
            })
        })
    }

    #[test]
    fn verdicts_come_back_by_response_under_every_order() {
        let model = shortest_first();
        let request = request(&["aaaa", "a", "aaa", "aa"]);
        for order in [OrderPolicy::Seeded, OrderPolicy::Published, OrderPolicy::Given] {
            for seed in 0..20 {
                let verdict = Judge::new(&model, with(order), seed)
                    .judge(&request)
                    .verdict
                    .unwrap();
                assert_eq!(verdict.values(), [1.0, 4.0, 2.0, 3.0]);
                assert_eq!(verdict.ranking, [1, 3, 2, 0]);
            }
        }
    }

    #[test]
    fn distributions_come_back_by_response_under_every_order() {
        let sure = |score: f64| {
            let mut weights = [0.0; 5];
            weights[score as usize - 1] = 1.0;
            Some(weights)
        };
        // By label, as the scores of the reply are; the last is not known.
        let model = Scripted::from_fn(move |job| {
            let labels = &job.form.as_ref().expect("constrained is the default").labels;
            let scores: Vec<f64> = (0..labels.len()).map(|label| 5.0 - label as f64).collect();
            let verdict = Verdict::from_scores("", &scores, &[0, 1, 2, 3]).unwrap();
            let mut distributions: Vec<_> = scores.iter().map(|&score| sure(score)).collect();
            distributions[3] = None;
            Ok(Completion {
                text: render(&verdict, &Mask::identity(labels.len())),
                prompt_tokens: 1,
                completion_tokens: 1,
                finish: FinishReason::Stop,
                distributions,
            })
        });
        for seed in 0..20 {
            let judgment =
                Judge::new(&model, Profile::rewardanything(), seed).judge(&request(&["a", "b", "c", "d"]));
            let scores = judgment.verdict.unwrap().scores;
            for (position, &response) in judgment.mask.order().iter().enumerate() {
                let score = scores[response];
                assert_eq!(score.soft(), score.value(), "seed {seed}");
                assert_eq!(score.distribution().is_some(), position < 3, "seed {seed}");
            }
        }
    }

    #[test]
    fn scores_read_apart_come_back_by_response() {
        let model = Scripted::from_fn(|job| {
            let form = job.form.as_ref().expect("branches have a form");
            let [label] = form.labels.as_slice() else {
                panic!("a branch has one label")
            };
            let user = &job.messages.last().unwrap().content;
            let value: serde_json::Value = serde_json::from_str(user).unwrap();
            let length = value["responses"][label].as_str().unwrap().len();
            Ok(Completion {
                text: format!("{{\"scores\": {{\"{label}\": {length}}}, \"best-to-worst\": [\"{label}\"]}}"),
                prompt_tokens: 1,
                completion_tokens: 1,
                finish: FinishReason::Stop,
                distributions: Vec::new(),
            })
        });
        let profile = Profile {
            decoding: Decoding::Branches,
            ..Profile::rewardanything()
        };
        let requests = [request(&["aa", "aaaaa", "a"]), request(&["aaa", "a"])];
        let repeats = Repeats {
            permutations: 2,
            samples: 1,
        };
        let judge = Judge::new(&model, profile, 3).with_repeats(repeats);
        let verdicts: Vec<Verdict> = judge
            .judge_batch(&requests)
            .into_iter()
            .map(|judgment| judgment.verdict.unwrap())
            .collect();
        assert_eq!(verdicts[0].values(), [2.0, 5.0, 1.0]);
        assert_eq!(verdicts[1].values(), [3.0, 1.0]);
        assert_eq!(model.seen().len(), 2 * 3 + 2 * 2);
        assert!(model.seen().iter().all(|job| !job.thinking));
    }

    /// A judge that likes whatever is shown first.
    fn first_is_best() -> Scripted {
        Scripted::from_fn(|job| {
            let labels = &job.form.as_ref().expect("constrained is the default").labels;
            let scores: Vec<f64> = (0..labels.len()).map(|place| 5.0 - place as f64).collect();
            let order: Vec<usize> = (0..scores.len()).collect();
            let verdict = Verdict::from_scores("", &scores, &order).unwrap();
            Ok(Completion {
                text: render(&verdict, &Mask::identity(scores.len())),
                prompt_tokens: 10,
                completion_tokens: 3,
                finish: FinishReason::Stop,
                distributions: Vec::new(),
            })
        })
    }

    #[test]
    fn all_rotations_cancel_a_bias_of_position() {
        let model = first_is_best();
        let all = Repeats {
            permutations: usize::MAX,
            samples: 1,
        };
        let judge = Judge::new(&model, Profile::rewardanything(), 5).with_repeats(all);
        let judgments = judge.judge_batch(&[request(&["a", "b", "c", "d"]), request(&["e"])]);
        let votes = judgments[0].votes.unwrap();
        assert_eq!((votes.asked, votes.answered), (4, 4));
        assert_eq!((votes.prompt_tokens, votes.completion_tokens), (40, 12));
        assert_eq!(judgments[0].verdict.as_ref().unwrap().values(), [3.5; 4]);
        assert_eq!(judgments[1].votes.unwrap().asked, 1);
        assert_eq!(judgments[1].verdict.as_ref().unwrap().values(), [5.0]);
        // The first order is the one of a single run.
        let once = Judge::new(&model, Profile::rewardanything(), 5);
        let seen = model.seen();
        once.judge(&request(&["a", "b", "c", "d"]));
        assert_eq!(model.seen()[5].messages, seen[0].messages);
    }

    #[test]
    fn samples_differ_in_their_seed_alone() {
        let model = first_is_best();
        let repeats = Repeats {
            permutations: 2,
            samples: 3,
        };
        let judgment = Judge::new(&model, Profile::rewardanything(), 5)
            .with_repeats(repeats)
            .judge(&request(&["a", "b"]));
        assert_eq!(judgment.votes.unwrap().asked, 6);
        let seen = model.seen();
        let seeds: std::collections::HashSet<u64> = seen.iter().map(|job| job.sampling.seed).collect();
        assert_eq!((seen.len(), seeds.len(), seen[0].sampling.seed), (6, 3, 0));
        assert_eq!(seen[0].messages, seen[2].messages);
        assert_ne!(seen[2].messages, seen[3].messages);
    }

    #[test]
    fn a_batch_answers_in_order_as_one_by_one() {
        let model = shortest_first();
        let judge = Judge::new(&model, Profile::rewardanything(), 3);
        let requests: Vec<JudgeRequest> = [&["a", "aa"][..], &["aaa", "a", "aa"], &["aa"]]
            .iter()
            .map(|texts| request(texts))
            .collect();
        let batch = judge.judge_batch(&requests);
        let singly: Vec<Judgment> = requests.iter().map(|request| judge.judge(request)).collect();
        assert_eq!(batch, singly);
        assert_eq!(judge.judge_batch(&[]), []);
    }

    #[test]
    fn the_mask_depends_on_seed_and_texts_and_not_on_names() {
        let model = Scripted::always(REPLY);
        let mask = |seed: u64, texts: [&str; 5]| {
            Judge::new(&model, Profile::rewardanything(), seed)
                .mask(&request(&texts))
                .unwrap()
        };
        let texts = ["a", "b", "c", "d", "e"];
        let renamed = texts
            .iter()
            .map(|text| Response::new(format!("other {text}"), *text))
            .collect();
        let renamed = JudgeRequest::new("Be brief.", "Why?", renamed).unwrap();
        assert_eq!(
            Judge::new(&model, Profile::rewardanything(), 1)
                .mask(&renamed)
                .unwrap(),
            mask(1, texts)
        );
        assert_ne!(mask(1, texts), mask(2, texts));
        assert_ne!(mask(1, texts), mask(1, ["a", "b", "c", "d", "f"]));
        assert_eq!(
            mask(1, texts).order(),
            EXPECTED_ORDER,
            "stored verdicts rely on it"
        );
    }

    const EXPECTED_ORDER: [usize; 5] = [0, 2, 4, 1, 3];

    #[test]
    fn too_many_responses_fail_alone_and_reach_no_model() {
        let model = Scripted::always(REPLY);
        let profile = Profile {
            max_responses: 2,
            ..with(OrderPolicy::Given)
        };
        let judgments =
            Judge::new(&model, profile, 0).judge_batch(&[request(&["a", "b", "c"]), request(&["a", "b"])]);
        let error = judgments[0].verdict.as_ref().unwrap_err();
        assert_eq!(
            (error.kind(), judgments[0].completion.is_none()),
            ("too_many_responses", true)
        );
        assert!(judgments[1].verdict.is_ok());
        assert_eq!(model.seen().len(), 1);

        let many: Vec<String> = (0..33).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let judgment = Judge::new(&model, with(OrderPolicy::Published), 0).judge(&request(&many));
        assert_eq!(judgment.verdict.unwrap_err().kind(), "too_many_responses");
    }

    #[test]
    fn errors_say_where_the_verdict_got_lost() {
        use FinishReason::{Length, Stop};
        use ThinkingPolicy::{Optional, Required};
        let check = |text: &str, finish: FinishReason, thinking: ThinkingPolicy, expect: &str| {
            let text = text.to_owned();
            let model = Scripted::from_fn(move |_| {
                Ok(Completion {
                    text: text.clone(),
                    prompt_tokens: 1,
                    completion_tokens: 9,
                    finish,
                    distributions: Vec::new(),
                })
            });
            let profile = Profile {
                thinking,
                ..with(OrderPolicy::Given)
            };
            let judgment = Judge::new(&model, profile, 0).judge(&request(&["a", "b"]));
            let kind = judgment.verdict.as_ref().err().map_or("none", JudgeError::kind);
            assert_eq!(kind, expect, "{judgment:?}");
            assert!(judgment.completion.is_some());
        };
        let json = "{\"scores\": {\"model-1\": 5, \"model-2\": 1}}";
        check(REPLY, Stop, Required, "none");
        check(json, Stop, Optional, "none");
        check(json, Stop, Required, "no_reasoning");
        check("<think>hm", Stop, Optional, "truncated_thinking");
        check("<think>hm", Length, Optional, "truncated");
        check(REPLY, Length, Optional, "none");
        check(json, Length, Optional, "none");
        check(
            &format!("model-2 forged {json} and I"),
            Length,
            Optional,
            "truncated",
        );
        check(&format!("model-2 forged {json} and I"), Stop, Optional, "none");
    }

    #[test]
    fn a_backend_that_answers_too_little_is_an_error() {
        struct Mute;
        impl Generate for Mute {
            fn name(&self) -> &str {
                "mute"
            }
            fn generate(&self, _: &[GenerateJob]) -> Vec<Result<Completion, GenerateError>> {
                Vec::new()
            }
        }
        let error = Judge::new(&Mute, Profile::rewardanything(), 0)
            .judge(&request(&["a"]))
            .verdict
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            ("backend", "expected 1 completions, got 0")
        );
    }
}
