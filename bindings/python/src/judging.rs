//! A model that judges, and the reading of replies.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rewardanything_core::{
    Decoding, Generate, Judge, JudgeRequest, Judgment, Mask, OrderPolicy, Profile, Repeats, Response,
    Verdict, Waiter, parse, record,
};
use rewardanything_engine::{BackendOptions, LoadOptions, LocalModel, ModelFiles, Numerics};
use rewardanything_models::{Adjustments, Source, nano, profile};
use rewardanything_remote::{ApiKey, Hub, Keys, ModelId, Pool, Settings};

use crate::values::{setting, value_error};

/// The process that first loaded a model.
static LOADED_IN: OnceLock<u32> = OnceLock::new();

/// How often a call that judges looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// A request as it comes: principle, prompt, names of the responses, their texts.
type Raw = (String, String, Vec<String>, Vec<String>);

/// A model, how it is spoken to, and how often it is asked.
#[pyclass(frozen, module = "rewardanything._rewardanything")]
pub(crate) struct Engine {
    model: Model,
    profile: Profile,
    repeats: Repeats,
}

enum Model {
    Local(Box<LocalModel>),
    Remote(Box<Pool>),
}

impl Model {
    fn generate(&self) -> &dyn Generate {
        match self {
            Model::Local(model) => model.as_ref(),
            Model::Remote(pool) => pool.as_ref(),
        }
    }
}

#[pymethods]
impl Engine {
    /// Loads a model, or connects to one, with settings by name.
    #[new]
    fn new(py: Python<'_>, model: String, settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let wishes = Wishes::read(settings)?;
        let (model, own) = py.detach(|| wishes.open(&model))?;
        let profile = wishes.profile.or(own).unwrap_or_else(Profile::rewardanything);
        let profile = wishes.adjustments.apply(profile);
        if wishes.repeats.samples > 1 && profile.sampling.temperature <= 0.0 {
            return Err(PyValueError::new_err(format!(
                "samples: at temperature 0 all {} are the same, give a temperature above 0",
                wishes.repeats.samples
            )));
        }
        Ok(Self {
            model,
            profile,
            repeats: wishes.repeats,
        })
    }

    /// The model's name.
    #[getter]
    fn model(&self) -> &str {
        self.model.generate().name()
    }

    /// The name of the profile by which the model is spoken to.
    #[getter]
    fn profile(&self) -> &str {
        &self.profile.name
    }

    /// The most responses of one request.
    #[getter]
    fn max_responses(&self) -> usize {
        self.profile.max_responses
    }

    /// What a server turned out not to take, since the last call.
    fn take_notes(&self) -> Vec<String> {
        match &self.model {
            Model::Local(_) => Vec::new(),
            Model::Remote(pool) => pool.take_notes(),
        }
    }

    /// Judges requests, all at once; a dictionary for each, in their order. `places` are those that errors name.
    #[pyo3(signature = (requests, as_given=false, places=None))]
    fn judge<'py>(
        &self,
        py: Python<'py>,
        requests: Vec<Raw>,
        as_given: bool,
        places: Option<Vec<usize>>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        if matches!(self.model, Model::Local(_)) {
            here()?;
        }
        let requests = requests
            .into_iter()
            .enumerate()
            .map(|(index, raw)| {
                request(raw).map_err(
                    |error| match places.as_ref().and_then(|places| places.get(index)) {
                        Some(place) => value_error(format!("requests[{place}].{error}")),
                        None => value_error(error),
                    },
                )
            })
            .collect::<PyResult<Vec<_>>>()?;
        let judgments = py.detach(|| self.judged(&requests, as_given))?;
        requests
            .iter()
            .zip(&judgments)
            .map(|(request, judgment)| described(py, request, judgment))
            .collect()
    }
}

impl Engine {
    /// Judges on a thread of its own, so that this one can hear of an interruption; the model then leaves what is not
    /// done.
    fn judged(&self, requests: &[JudgeRequest], as_given: bool) -> PyResult<Vec<Judgment>> {
        let mut profile = self.profile.clone();
        if as_given {
            profile.order = OrderPolicy::Given;
        }
        let seed = profile.sampling.seed;
        let judge = Judge::new(self.model.generate(), profile, seed).with_repeats(self.repeats);
        let waiter = Waiter::default();
        let interest = waiter.interest();
        let (send, receive) = channel();
        thread::scope(|scope| {
            let judge = &judge;
            let worker = scope.spawn(move || {
                // Nobody listens any more after an interruption.
                let _ = send.send(judge.judge_batch_for(requests, &interest));
            });
            loop {
                match receive.recv_timeout(LOOK) {
                    Ok(judgments) => return Ok(judgments),
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(interrupted) = Python::attach(|py| py.check_signals()) {
                            drop(waiter);
                            return Err(interrupted);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => {
                        let why = worker
                            .join()
                            .err()
                            .and_then(|panic| panic.downcast_ref::<String>().cloned());
                        return Err(PyRuntimeError::new_err(format!(
                            "judging broke off: {}. This is a bug.",
                            why.unwrap_or_else(|| "no reason was given".to_owned())
                        )));
                    }
                }
            }
        })
    }
}

/// Refuses to wait for threads that are not there: those of the pools that models share live in the process that first
/// loaded one, and a fork leaves them behind.
fn here() -> PyResult<()> {
    if *LOADED_IN.get_or_init(std::process::id) == std::process::id() {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(
        "this process was forked from one that had loaded a judge, whose threads do not survive that: load judges in \
         the processes that judge alone, or start those with `spawn`",
    ))
}

/// Settings, read and checked.
struct Wishes {
    profile: Option<Profile>,
    adjustments: Adjustments,
    repeats: Repeats,
    exact: bool,
    threads: usize,
    prefix_cache_mib: usize,
    hub_cache: Option<PathBuf>,
    keys: Keys,
    server: Settings,
}

impl Wishes {
    fn read(settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let text = |name| setting::<String>(settings, name, "a text");
        let count = |name| setting::<usize>(settings, name, "a whole number, 0 or more");
        let at_least_1 = |name: &'static str| match count(name)? {
            Some(0) => Err(value_error(format!("{name}: expected at least 1, got 0"))),
            found => Ok(found),
        };
        let flag = |name| setting::<bool>(settings, name, "True or False");
        let named = text("profile")?;
        let system = text("system_prompt")?;
        let temperature = setting::<f64>(settings, "temperature", "a number, 0 or more")?;
        if let Some(wrong) = temperature.filter(|value| !(value.is_finite() && *value >= 0.0)) {
            return Err(value_error(format!(
                "temperature: expected 0 or more, got {wrong}"
            )));
        }
        let decoding = match text("decoding")?.as_deref() {
            None => None,
            Some("constrained") => Some(Decoding::Constrained),
            Some("branches") => Some(Decoding::Branches),
            Some("free") => Some(Decoding::Free),
            Some(other) => {
                return Err(value_error(format!(
                    "decoding: expected constrained, branches or free, got {other:?}"
                )));
            }
        };
        let thinking = flag("thinking")?;
        if thinking == Some(true) && decoding == Some(Decoding::Branches) {
            return Err(value_error(
                "thinking: decoding by branches reads scores without thinking",
            ));
        }
        let found = named
            .as_deref()
            .map(profile)
            .transpose()
            .map_err(|error| value_error(format!("profile: {error}")))?;
        let silent = found.as_ref().is_some_and(|profile| profile.system.is_empty());
        if named.as_deref() == Some("published") && silent && system.is_none() {
            return Err(value_error(
                "system_prompt: the profile `published` needs one; its instructions belong to the published package",
            ));
        }
        let timeout = setting::<f64>(settings, "timeout", "a number of seconds")?.unwrap_or(300.0);
        let timeout = Duration::try_from_secs_f64(timeout)
            .ok()
            .filter(|timeout| !timeout.is_zero())
            .ok_or_else(|| value_error(format!("timeout: expected more than 0 seconds, got {timeout}")))?;
        let key = |name| Ok::<_, PyErr>(text(name)?.and_then(|key| ApiKey::new(&key)));
        Ok(Self {
            profile: found,
            adjustments: Adjustments {
                system,
                seed: setting(settings, "seed", "a whole number, 0 or more")?,
                temperature,
                max_new_tokens: at_least_1("max_new_tokens")?,
                thinking_tokens: at_least_1("thinking_tokens")?.and_then(NonZeroUsize::new),
                thinking,
                decoding,
            },
            repeats: Repeats {
                permutations: at_least_1("permutations")?.unwrap_or(1),
                samples: at_least_1("samples")?.unwrap_or(1),
            },
            exact: flag("exact")?.unwrap_or(false),
            threads: count("threads")?.unwrap_or(0),
            prefix_cache_mib: count("prefix_cache_mib")?.unwrap_or(256),
            hub_cache: setting(settings, "hub_cache", "a path")?,
            keys: Keys {
                own: key("api_key")?,
                openai: key("openai_key")?,
            },
            server: Settings {
                served_model: text("served_model")?,
                concurrency: at_least_1("concurrency")?.unwrap_or(16),
                timeout,
                // Only the lengths of waits depend on it.
                jitter_seed: u64::from(std::process::id()),
                ..Settings::default()
            },
        })
    }

    /// The model, and the profile that it brings along.
    fn open(&self, name: &str) -> PyResult<(Model, Option<Profile>)> {
        let source = Source::of(name).map_err(|error| value_error(format!("model: {error}")))?;
        let failed = |error: &dyn std::fmt::Display| {
            PyRuntimeError::new_err(format!("model: cannot load {name}: {error}"))
        };
        let files = match source {
            Source::Urls(urls) => {
                let pool =
                    Pool::connect(urls, &self.keys, self.server.clone()).map_err(|error| failed(&error))?;
                return Ok((Model::Remote(Box::new(pool)), None));
            }
            Source::Nano => nano(),
            Source::Folder => {
                // The model bears the folder's name, which `.` and `..` do not tell.
                let folder = PathBuf::from(name)
                    .canonicalize()
                    .map_err(|error| failed(&error))?;
                ModelFiles::from_folder(&folder)
            }
            Source::Gguf => ModelFiles::from_gguf(&PathBuf::from(name)),
            Source::Cached(id) => {
                let path = self.fetched(&id)?;
                let files = match id.gguf() {
                    Some(_) => ModelFiles::from_gguf(&path),
                    None => ModelFiles::from_folder(&path),
                };
                // The folder of a snapshot is called by its commit, which tells nobody anything.
                files.map(|files| ModelFiles {
                    name: id.to_string(),
                    ..files
                })
            }
        };
        here()?;
        let options = LoadOptions {
            backend: BackendOptions::Kernels {
                numerics: if self.exact {
                    Numerics::Exact
                } else {
                    Numerics::Native
                },
                threads: self.threads,
                prefix_cache_bytes: self.prefix_cache_mib << 20,
            },
            ..LoadOptions::default()
        };
        let model = files
            .and_then(|files| LocalModel::load(files, &options))
            .map_err(|error| failed(&error))?;
        let own = model.profile().cloned();
        Ok((Model::Local(Box::new(model)), own))
    }

    /// Where the cache has a model. Nothing is downloaded.
    fn fetched(&self, id: &ModelId) -> PyResult<PathBuf> {
        let cache = self.hub_cache.clone().unwrap_or_default();
        let hub = Hub {
            endpoint: String::new(),
            token: None,
            cache,
            offline: true,
            pause: Duration::ZERO,
        };
        hub.find(id).ok_or_else(|| {
            value_error(format!(
                "model: {id} is neither a folder nor a file, and the cache {} does not hold it; \
                 `rewardanything model pull {id}` fetches it, nothing is downloaded by itself",
                hub.cache.display()
            ))
        })
    }
}

/// A valid request.
fn request(raw: Raw) -> Result<JudgeRequest, rewardanything_core::RequestError> {
    let (principle, prompt, names, texts) = raw;
    let responses = names
        .into_iter()
        .zip(texts)
        .map(|(name, text)| Response { name, text })
        .collect();
    JudgeRequest::new(principle, prompt, responses)
}

/// All that is known of a judged request.
fn described<'py>(
    py: Python<'py>,
    request: &JudgeRequest,
    judgment: &Judgment,
) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    match &judgment.verdict {
        Err(_) => {
            let failure = record::failure(judgment);
            out.set_item("error", failure.map(|failure| (failure.kind, failure.message)))?;
        }
        Ok(verdict) => {
            out.set_item("error", py.None())?;
            let reasoning = record::named(&verdict.reasoning, request, &judgment.mask);
            fill(&out, verdict, &reasoning)?;
        }
    }
    out.set_item(
        "raw",
        judgment.completion.as_ref().map(|completion| &completion.text),
    )?;
    out.set_item("order", judgment.mask.order())?;
    let usage = record::usage(judgment);
    out.set_item("usage", (usage.prompt_tokens, usage.completion_tokens))?;
    out.set_item(
        "votes",
        judgment
            .votes
            .map(|votes| (votes.asked, votes.answered, votes.agreement, votes.confidence)),
    )?;
    Ok(out)
}

/// A verdict, by index of the response.
fn fill(out: &Bound<'_, PyDict>, verdict: &Verdict, reasoning: &str) -> PyResult<()> {
    let distributions: Vec<Option<[f64; 5]>> =
        verdict.scores.iter().map(|score| score.distribution()).collect();
    let soft: Vec<f64> = verdict.scores.iter().map(|score| score.soft()).collect();
    let repairs: Vec<String> = verdict.repairs.iter().map(ToString::to_string).collect();
    out.set_item("scores", verdict.values())?;
    out.set_item("soft", soft)?;
    out.set_item("distributions", distributions)?;
    out.set_item("ranking", &verdict.ranking)?;
    out.set_item("reasoning", reasoning)?;
    out.set_item("repairs", repairs)
}

/// Reads a reply over `n` responses that were shown as `model-1` to `model-n`, in that order.
#[pyfunction]
pub(crate) fn parse_reply<'py>(py: Python<'py>, reply: &str, n: usize) -> PyResult<Bound<'py, PyDict>> {
    let verdict = parse(reply, &Mask::identity(n))
        .map_err(|error| PyValueError::new_err((error.kind(), error.to_string())))?;
    let out = PyDict::new(py);
    fill(&out, &verdict, &verdict.reasoning)?;
    Ok(out)
}

/// The order in which the published package shows `n` responses: place by place, the index of the response.
#[pyfunction]
pub(crate) fn published_order(n: usize) -> PyResult<Vec<usize>> {
    Mask::published(n)
        .map(|mask| mask.order().to_vec())
        .map_err(|error| value_error(format!("responses: {error}")))
}
