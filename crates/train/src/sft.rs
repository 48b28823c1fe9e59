//! Supervised fine-tuning: recipe in, model folder out.

use crate::adamw::AdamW;
use crate::checkpoint::{State, write_atomically};
use crate::encode::Encoder;
use crate::examples::{Kind, Maker, Shown};
use crate::folder::{Journal, RunFolder, progress, threads};
use crate::fused::{CHUNK_TOKENS, Fused};
use crate::layout::{Dims, Layout};
use crate::pool::Pool;
use crate::recipe::{Backend, ModelSource, Recipe};
use crate::replica::{Place, Replica};
use crate::sequence::Sequence;
use crate::texts::Pair;
use crate::trainable::Trainable;
use crate::watch::{Ended, RunNote};
use crate::{TrainError, bpe, texts};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rewardanything_engine::Config;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One line of `metrics.jsonl`.
#[derive(Debug, Serialize)]
struct Metrics {
    step: usize,
    loss: f64,
    lr: f64,
    gradient_norm: f64,
    tokens: usize,
    examples: usize,
    too_long: usize,
    /// Share of tokens of each kind that the model would have written, before this step's update.
    accuracy: BTreeMap<Kind, f64>,
    tokens_per_second: f64,
    seconds: f64,
}

/// What a finished run made.
#[derive(Debug)]
pub struct Finished {
    /// The model folder.
    pub folder: PathBuf,
    /// Steps done in all.
    pub steps: usize,
    /// Loss of the last step.
    pub loss: f64,
}

/// Trains as `path` says; with `resume`, goes on from the last checkpoint in the output folder.
///
/// # Errors
/// [`TrainError`]; what was trained until the last checkpoint is kept.
pub fn run(path: &Path, resume: bool) -> Result<Finished, TrainError> {
    run_until(path, resume, None)
}

/// [`run`], stopped with a checkpoint once `until` steps are done in all; schedules stay those of the whole run.
///
/// # Errors
/// As [`run`].
pub fn run_until(path: &Path, resume: bool, until: Option<usize>) -> Result<Finished, TrainError> {
    let recipe = Recipe::read(path)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let mut trainer = Trainer::prepare(&recipe, base, resume)?;
    trainer.train(until.unwrap_or(recipe.run.steps))
}

/// What a tokenizer of one's own is made from.
struct Source<'a> {
    pool: &'a Pool,
    pairs: &'a [Pair],
}

struct Trainer<'a> {
    recipe: &'a Recipe,
    folder: RunFolder,
    config: Config,
    layout: Layout,
    trainable: Trainable,
    encoder: Encoder,
    pool: Pool,
    shown: Shown,
    pairs: Vec<Pair>,
    state: State,
}

impl<'a> Trainer<'a> {
    fn prepare(recipe: &'a Recipe, base: &Path, resume: bool) -> Result<Self, TrainError> {
        let folder = RunFolder::open(base.join(&recipe.output), resume)?;
        let mut pool = Pool::read(&recipe.pool, base)?;
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
        let pairs = match &recipe.text {
            Some(text) => texts::read(text, base)?,
            None => Vec::new(),
        };
        if recipe.text.is_none() {
            pool.index_made_up(recipe.seed);
        }
        let source = Source {
            pool: &pool,
            pairs: &pairs,
        };
        let (config, tokenizer) = Self::model(recipe, base, &folder, &source, resume)?;
        let layout = Layout::new(Dims::try_from(&config)?);
        let (from, weights) = match &recipe.model {
            ModelSource::Scratch(_) => (String::new(), layout.initial(&mut rng)),
            ModelSource::From(folder) => (
                folder.display().to_string(),
                crate::load::parameters(&base.join(folder), &layout)?,
            ),
        };
        let trainable = Trainable::new(&layout, (&from, &weights), recipe.lora.as_ref())?;
        let state = if resume {
            State::load(&folder.checkpoint(), trainable.len())?
        } else {
            State {
                step: 0,
                params: trainable.initial(&weights, &mut rng),
                adamw: AdamW::new(trainable.len()),
                notes: Vec::new(),
            }
        };
        let encoder = Encoder::new(tokenizer, folder.path(), recipe)?;
        Ok(Self {
            recipe,
            folder,
            config,
            layout,
            trainable,
            encoder,
            pool,
            shown: Shown::read(&recipe.items, base)?,
            pairs,
            state,
        })
    }

    /// Configuration and tokenizer, and writes the parts of the model folder that training does not change.
    fn model(
        recipe: &Recipe,
        base: &Path,
        output: &RunFolder,
        source: &Source<'_>,
        resume: bool,
    ) -> Result<(Config, tokenizers::Tokenizer), TrainError> {
        let file = |name: &str| output.file(name);
        let tokenizer_error = |e: tokenizers::Error| TrainError::Tokenizer(e.to_string());
        match &recipe.model {
            ModelSource::Scratch(config) => {
                let mut config = (**config).clone();
                let tokenizer = if resume {
                    tokenizers::Tokenizer::from_file(file("tokenizer.json")).map_err(tokenizer_error)?
                } else if recipe.text.is_some() {
                    let texts = source.pairs.iter();
                    bpe::train(
                        texts.map(|pair| format!("{}\n{}", pair.prompt, pair.response)),
                        config.vocab_size,
                    )?
                } else {
                    let pool = source.pool;
                    let maker = Maker {
                        config: &recipe.examples,
                        pool,
                        profile: &recipe.profile,
                        seed: recipe.seed ^ 0xB9E,
                    };
                    let texts = (0..12_000).map(|i| {
                        let example = maker.example(0, i, (i % 100) as f64 / 100.0);
                        let user: String = example.messages.iter().map(|m| m.content.as_str()).collect();
                        format!("{user}\n{}", example.reply)
                    });
                    // Bare texts count more than their wrapping.
                    let bare = pool.texts.iter().map(|t| t.concat());
                    let bare = bare.map(|t| serde_json::to_string(&t).unwrap_or_default());
                    let all: Vec<String> = texts.chain(bare).collect();
                    bpe::train(all.into_iter(), config.vocab_size)?
                };
                config.eos_token_id = vec![
                    bpe::id(&tokenizer, "<|im_end|>")?,
                    bpe::id(&tokenizer, "<|endoftext|>")?,
                ];
                if tokenizer.get_vocab_size(true) > config.vocab_size {
                    let message = format!("{} tokens do not fit vocab_size", tokenizer.get_vocab_size(true));
                    return Err(TrainError::Tokenizer(message));
                }
                config.torch_dtype = Some("bfloat16".into());
                tokenizer
                    .save(file("tokenizer.json"), true)
                    .map_err(tokenizer_error)?;
                let json =
                    serde_json::to_string_pretty(&config).expect("a configuration is JSON. This is a bug.");
                write_atomically(&file("config.json"), json.as_bytes())?;
                let template = if recipe.text.is_some() {
                    include_str!("text_template.jinja")
                } else {
                    include_str!("chat_template.jinja")
                };
                let chat = serde_json::json!({
                    "tokenizer_class": "PreTrainedTokenizerFast",
                    "chat_template": template,
                    "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
                    "model_max_length": config.max_position_embeddings, "clean_up_tokenization_spaces": false,
                });
                let text = serde_json::to_string_pretty(&chat).expect("a template is JSON. This is a bug.");
                write_atomically(&file("tokenizer_config.json"), text.as_bytes())?;
                if recipe.text.is_none() {
                    let text = toml::to_string_pretty(&recipe.profile)
                        .map_err(|e| TrainError::Tokenizer(e.to_string()))?;
                    write_atomically(&file("judge.toml"), text.as_bytes())?;
                }
                Ok((config, tokenizer))
            }
            ModelSource::From(folder) => output.take_model(&base.join(folder)),
        }
    }

    fn train(&mut self, until: usize) -> Result<Finished, TrainError> {
        let run = &self.recipe.run;
        let mut fused =
            Fused::new(self.layout.clone(), threads(run.threads), CHUNK_TOKENS).computing(run.compute);
        let mut gradient = vec![0f32; self.layout.len()];
        let (mut own, decays) = (Vec::new(), self.trainable.decays());
        let mut replica: Option<Replica> = None;
        let mut metrics = Journal::open(self.folder.file("metrics.jsonl"), self.state.step)?;
        let bar = progress(run.steps, self.state.step);
        let mut last_loss = f64::NAN;
        let mut note = RunNote {
            kind: "sft".into(),
            steps: until.min(run.steps),
            ended: None,
        };
        note.write(self.folder.path())?;
        while self.state.step < until.min(run.steps) {
            let started = Instant::now();
            let step = self.state.step;
            let (batch, too_long) = self.batch(step)?;
            let weights = self.trainable.weights(&self.state.params);
            let loss = match run.backend {
                Backend::Fused => fused.loss_and_gradient(weights, &batch, &mut gradient),
                Backend::Candle => {
                    let replica = match &mut replica {
                        Some(replica) => replica,
                        empty => {
                            let place = Place::of(run.device, run.compute, self.config.vocab_size)?;
                            empty.insert(Replica::new(&self.config, &self.layout, place)?)
                        }
                    };
                    replica.loss_and_gradient(weights, &batch, &mut gradient)?
                }
            };
            if !loss.is_finite() {
                return Err(TrainError::Diverged { step, loss });
            }
            let tally = fused.tally();
            let lr = self.recipe.optim.lr_at(step, run.steps);
            let state = &mut self.state;
            let by_trained = self.trainable.gradient(&state.params, &gradient, &mut own);
            let gradient_norm = state.adamw.update(
                &self.recipe.optim,
                &decays,
                (step, lr),
                &mut state.params,
                by_trained,
            );
            state.step += 1;
            last_loss = loss;
            let seconds = started.elapsed().as_secs_f64();
            let tokens = batch.iter().map(|s| s.tokens.len()).sum();
            let line = Metrics {
                step,
                loss,
                lr,
                gradient_norm,
                tokens,
                examples: batch.len(),
                too_long,
                accuracy: tally
                    .into_iter()
                    .map(|(k, (hit, all))| (k, hit as f64 / all as f64))
                    .collect(),
                tokens_per_second: tokens as f64 / seconds,
                seconds,
            };
            metrics.write(&line)?;
            bar.set_message(format!("loss {loss:.3}, {:.0} tokens/s", line.tokens_per_second));
            bar.inc(1);
            if self.state.step.is_multiple_of(run.checkpoint_every) || self.state.step == run.steps {
                self.folder.save(&self.state, &mut self.trainable)?;
            }
        }
        bar.finish();
        self.folder.save(&self.state, &mut self.trainable)?;
        note.ended = Some(if self.state.step < run.steps {
            Ended::Stopped
        } else {
            Ended::Finished
        });
        note.write(self.folder.path())?;
        Ok(Finished {
            folder: self.folder.path().to_owned(),
            steps: self.state.step,
            loss: last_loss,
        })
    }

    /// The examples of a step, and how many were too long.
    fn batch(&self, step: usize) -> Result<(Vec<Sequence>, usize), TrainError> {
        let recipe = self.recipe;
        let maker = Maker {
            config: &recipe.examples,
            pool: &self.pool,
            profile: &recipe.profile,
            seed: recipe.seed,
        };
        let progress = step as f64 / recipe.run.steps as f64;
        let (mut batch, mut tokens, mut too_long) = (Vec::new(), 0, 0);
        for index in 0.. {
            let example = if self.pairs.is_empty() {
                let shown = self.shown.example(&recipe.profile, recipe.seed, (step, index));
                shown.unwrap_or_else(|| maker.example(step, index, progress))
            } else {
                texts::example(&self.pairs, recipe.seed, (step, index))
            };
            let sequence = self.encoder.encode(&example, (step, index))?;
            if sequence.tokens.len() > recipe.run.max_tokens {
                too_long += 1;
                if too_long > 1000 {
                    let message = format!("no example fits {} tokens", recipe.run.max_tokens);
                    return Err(TrainError::Recipe {
                        field: "run.max_tokens",
                        message,
                    });
                }
                continue;
            }
            tokens += sequence.tokens.len();
            batch.push(sequence);
            if tokens >= recipe.run.batch_tokens {
                break;
            }
        }
        Ok((batch, too_long))
    }
}
