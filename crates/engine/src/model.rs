//! A model's files, loaded, as a [`Generate`].

use std::path::Path;

use candle_core::{DType, Device};
use rewardanything_core::{Completion, Generate, GenerateError, GenerateJob, Interest, Profile};
use rewardanything_kernels::Numerics;

use crate::chat::{Chat, ChatTemplate};
use crate::cpu::{CpuModel, Part, Wanted, Worker, WorkerOptions};
use crate::files::{ModelBytes, ModelFiles};
use crate::generate::generate;
use crate::guide::Guide;
use crate::row::{TokenJob, TokenReply};
use crate::{Batch, Cache, Config, EngineError, OpsMode, Positions, Qwen3, Tokenizer, Weights};

type Result<T> = std::result::Result<T, EngineError>;

/// How to load and run a model.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// What computes.
    pub backend: BackendOptions,
    /// Bound on the tokens of all rows that run together. The cache of one token takes `2 * layers * key-value heads *
    /// head width` numbers.
    pub max_batch_tokens: usize,
}

/// What computes.
#[derive(Debug, Clone)]
pub enum BackendOptions {
    /// Our own kernels, on this machine's CPU. Weights stay in the number format of their file; sums are `f32`.
    Kernels {
        /// In which numbers products are taken.
        numerics: Numerics,
        /// Threads that compute; 0 means one for each processor.
        threads: usize,
        /// Bytes for the beginnings of prompts that later prompts may share.
        prefix_cache_bytes: usize,
    },
    /// The tensor library.
    Candle {
        /// The number format to compute in, whatever is on disk. On a CPU only f32 is fast: the library widens
        /// narrower formats again at every product.
        dtype: DType,
        /// Where to compute.
        device: Device,
    },
}

impl Default for BackendOptions {
    fn default() -> Self {
        Self::Kernels {
            numerics: Numerics::Native,
            threads: 0,
            prefix_cache_bytes: 256 << 20,
        }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            backend: BackendOptions::default(),
            max_batch_tokens: 16_384,
        }
    }
}

enum Backend {
    Kernels(Worker),
    Candle(Box<Qwen3>),
}

impl Backend {
    fn load(config: &Config, weights: Weights<'_>, stop: &[u32], options: &LoadOptions) -> Result<Self> {
        match &options.backend {
            &BackendOptions::Kernels {
                numerics,
                threads,
                prefix_cache_bytes,
            } => {
                let options = WorkerOptions {
                    threads,
                    max_tokens: options.max_batch_tokens,
                    prefix_cache_bytes,
                };
                let model = CpuModel::new(config, &weights, numerics)?;
                Worker::start(model, stop.to_vec(), options).map(Self::Kernels)
            }
            BackendOptions::Candle { dtype, device } => {
                weights.check(config)?;
                let model = Qwen3::new(config, weights.into_builder(*dtype, device))?;
                Ok(Self::Candle(Box::new(model)))
            }
        }
    }

    fn config(&self) -> &Config {
        match self {
            Self::Kernels(worker) => worker.model().config(),
            Self::Candle(model) => model.config(),
        }
    }
}

/// A model on this machine: messages in, text out.
pub struct LocalModel {
    name: String,
    backend: Backend,
    chat: Chat,
    stop: Vec<u32>,
    max_batch_tokens: usize,
    profile: Option<Profile>,
}

impl LocalModel {
    /// Loads a model from its files.
    ///
    /// # Errors
    /// Every variant of [`EngineError`] that names a file, field or tensor.
    pub fn load(files: ModelFiles<'_>, options: &LoadOptions) -> Result<Self> {
        let tokenizer = Tokenizer::from_bytes(&files.tokenizer)?;
        files.weights.check(&files.config)?;
        check_vocabulary(&tokenizer, &files.config)?;
        let profile = files.profile.as_deref().map(parse_profile).transpose()?;
        let Some(source) = &files.settings.chat_template else {
            let message = "there is neither chat_template.jinja nor a chat_template in tokenizer_config.json";
            return Err(EngineError::Template(message.to_owned()));
        };
        let template = ChatTemplate::new(source.as_str(), &files.settings)?;
        let mut stop = files.stop;
        let end = files.settings.eos_token.as_deref();
        stop.extend(end.and_then(|token| tokenizer.id(token)));
        stop.sort_unstable();
        stop.dedup();
        Ok(Self {
            name: files.name,
            backend: Backend::load(&files.config, files.weights, &stop, options)?,
            chat: Chat::new(tokenizer, template),
            stop,
            max_batch_tokens: options.max_batch_tokens,
            profile,
        })
    }

    /// Loads a folder; see [`ModelFiles::from_folder`].
    ///
    /// # Errors
    /// As [`LocalModel::load`].
    pub fn from_folder(folder: &Path, options: &LoadOptions) -> Result<Self> {
        Self::load(ModelFiles::from_folder(folder)?, options)
    }

    /// Loads a GGUF file; see [`ModelFiles::from_gguf`].
    ///
    /// # Errors
    /// As [`LocalModel::load`].
    pub fn from_gguf(file: &Path, options: &LoadOptions) -> Result<Self> {
        Self::load(ModelFiles::from_gguf(file)?, options)
    }

    /// Loads a model from the bytes of its files. The bytes are not needed afterwards.
    ///
    /// # Errors
    /// As [`LocalModel::load`].
    pub fn from_bytes(files: ModelBytes<'_>, name: impl Into<String>, options: &LoadOptions) -> Result<Self> {
        Self::load(ModelFiles::from_bytes(files, name)?, options)
    }

    /// Puts a model and a chat together, for weights that are in memory already. It stops at `stop`.
    pub fn from_parts(name: impl Into<String>, model: Qwen3, chat: Chat, stop: Vec<u32>) -> Self {
        Self {
            name: name.into(),
            backend: Backend::Candle(Box::new(model)),
            chat,
            stop,
            max_batch_tokens: LoadOptions::default().max_batch_tokens,
            profile: None,
        }
    }

    /// The profile that the model's `judge.toml` gives, where it has one.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        self.backend.config()
    }

    /// Logits after every token of a sequence, `[t, v]`.
    ///
    /// # Errors
    /// No token, or one that the model does not have.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>> {
        match &self.backend {
            Backend::Kernels(worker) => {
                let model = worker.model();
                let mut sequence = model.sequence();
                let part = Part {
                    sequence: &mut sequence,
                    tokens,
                    wanted: Wanted::All,
                };
                Ok(model.forward(&mut [part])?.remove(0))
            }
            Backend::Candle(model) => {
                let batch = Batch::ragged(&[tokens])?;
                let logits = model.forward(&batch, &mut Cache::none(), Positions::All, OpsMode::Fast)?;
                Ok(logits.squeeze(0)?.to_vec2()?)
            }
        }
    }

    /// Its tokenizer and chat template.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    /// The tokens that end a reply: of `generation_config.json`, `config.json` and `tokenizer_config.json` together.
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop
    }

    /// Continues prompts of tokens; see [`crate::generate`](fn@crate::generate). On our own kernels, the rows of calls
    /// made at the same time run together.
    ///
    /// # Errors
    /// Per job, as there.
    pub fn generate_tokens(&self, jobs: &[TokenJob]) -> Vec<Result<TokenReply>> {
        self.generate_tokens_for(jobs, &Interest::default())
    }

    /// As [`LocalModel::generate_tokens`]; on our own kernels rows end, too, when the interest in them is gone.
    ///
    /// # Errors
    /// Per job, as there.
    pub fn generate_tokens_for(&self, jobs: &[TokenJob], interest: &Interest) -> Vec<Result<TokenReply>> {
        match &self.backend {
            Backend::Kernels(worker) => worker.submit_for(jobs, interest).wait(),
            Backend::Candle(model) => generate(model, jobs, &self.stop, self.max_batch_tokens),
        }
    }

    /// The thread that computes, on our own kernels.
    pub fn worker(&self) -> Option<&Worker> {
        match &self.backend {
            Backend::Kernels(worker) => Some(worker),
            Backend::Candle(_) => None,
        }
    }

    fn encode(&self, job: &GenerateJob) -> std::result::Result<TokenJob, GenerateError> {
        let prompt = self
            .chat
            .encode(&job.messages, true, job.thinking)
            .map_err(backend)?;
        let guide = job
            .form
            .clone()
            .map(|form| Guide::new(self.chat.shared_tokenizer(), form).map_err(backend))
            .transpose()?;
        let context = self.config().max_position_embeddings;
        // A reply in form needs room for all of it, any other for a token.
        let needed = guide.as_ref().map_or(1, Guide::reserve);
        if prompt.len() + needed > context {
            return Err(GenerateError::PromptTooLong {
                prompt_tokens: prompt.len(),
                max_new_tokens: guide.map_or(job.sampling.max_new_tokens, |_| needed),
                context,
            });
        }
        Ok(TokenJob {
            prompt,
            sampling: job.sampling,
            log_probabilities: false,
            guide,
        })
    }

    fn complete(
        &self,
        prompt_tokens: usize,
        reply: TokenReply,
    ) -> std::result::Result<Completion, GenerateError> {
        Ok(Completion {
            text: self.chat.decode(&reply.tokens).map_err(backend)?,
            prompt_tokens,
            completion_tokens: reply.computed(),
            finish: reply.finish(),
            distributions: reply.distributions,
        })
    }
}

impl Generate for LocalModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn holds_forms(&self) -> bool {
        true
    }

    /// A prompt that fills the context is refused. One that fits but leaves less room than `max_new_tokens` is
    /// answered in the room there is, and a reply that reaches the end of it finishes as `Length`.
    fn generate(&self, jobs: &[GenerateJob]) -> Vec<std::result::Result<Completion, GenerateError>> {
        self.generate_for(jobs, &Interest::default())
    }

    fn generate_for(
        &self,
        jobs: &[GenerateJob],
        interest: &Interest,
    ) -> Vec<std::result::Result<Completion, GenerateError>> {
        let encoded: Vec<_> = jobs.iter().map(|job| self.encode(job)).collect();
        let valid: Vec<TokenJob> = encoded
            .iter()
            .filter_map(|job| job.as_ref().ok().cloned())
            .collect();
        let mut replies = self.generate_tokens_for(&valid, interest).into_iter();
        let answer = |job: std::result::Result<TokenJob, GenerateError>| {
            let prompt_tokens = job?.prompt.len();
            let reply = replies
                .next()
                .expect("every valid job has a reply. This is a bug.")
                .map_err(|error| {
                    if interest.is_gone() {
                        GenerateError::Abandoned
                    } else {
                        backend(error)
                    }
                })?;
            self.complete(prompt_tokens, reply)
        };
        encoded.into_iter().map(answer).collect()
    }
}

impl std::fmt::Debug for LocalModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalModel")
            .field("name", &self.name)
            .field("config", self.config())
            .finish_non_exhaustive()
    }
}

fn backend(error: EngineError) -> GenerateError {
    GenerateError::Backend(error.to_string())
}

fn check_vocabulary(tokenizer: &Tokenizer, config: &Config) -> Result<()> {
    if tokenizer.size() > config.vocab_size {
        return Err(EngineError::VocabularyTooLarge {
            tokenizer: tokenizer.size(),
            embedding: config.vocab_size,
        });
    }
    Ok(())
}

fn parse_profile(text: &str) -> Result<Profile> {
    toml::from_str(text).map_err(|error| EngineError::Profile(error.to_string()))
}
