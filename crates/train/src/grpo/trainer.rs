//! The steps of a run: sample, reward, update, publish.

use super::config::GrplRecipe;
use super::environment::{Alarm, Environment, Judging};
use super::loss::TokenFacts;
use super::metrics::{Metrics, Mismatch, Replies, entropy, samples};
use super::mix;
use super::preference::{Pairs, Weighed, weigh};
use super::rollout::{Publisher, Sampler};
use super::steps::InSteps;
use super::template;
use super::update::{GrpoLoss, Policy, Trajectories};
use super::validation::Validated;
use crate::TrainError;
use crate::adamw::AdamW;
use crate::checkpoint::{State, write_atomically};
use crate::folder::{Journal, RunFolder, copy_model_files, file_error, progress, threads};
use crate::fused::Likelihoods;
use crate::layout::{Dims, Layout};
use crate::sequence::Sequence;
use crate::trainable::Trainable;
use crate::watch::{Ended, RunNote};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rewardanything_core::Profile;
use rewardanything_engine::{Chat, LocalModel};
use rewardanything_kernels as kernels;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a finished run made.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The model folder.
    pub folder: PathBuf,
    /// Steps done in all.
    pub steps: usize,
    /// Mean reward of the last step's replies; not a number when no step was done.
    pub reward: f64,
    /// The step after which validation was best, and the [goodness](Validated::goodness) then; that model is in the folder `best`.
    pub best: Option<(usize, f64)>,
    /// Whether the run ended early because validation got no better.
    pub stopped_early: bool,
    /// What somebody should look at, each with its step.
    pub alarms: Vec<(usize, Alarm)>,
}

/// Trains as the recipe at `path` says; with `resume`, goes on from the last checkpoint in the output folder.
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
    let recipe = GrplRecipe::read(path)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let span = Span { resume, until };
    let judging = |profile, chat| Judging::new(&recipe, base, profile, chat);
    match recipe.steps {
        None => run_in(&recipe, base, span, judging),
        Some(steps) => run_in(&recipe, base, span, |profile, chat| {
            InSteps::new(judging(profile, chat)?, &recipe, steps)
        }),
    }
}

/// Which part of a run is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// From the last checkpoint on, instead of from the beginning.
    pub resume: bool,
    /// Up to so many steps in all, instead of to the end.
    pub until: Option<usize>,
}

/// A run in an environment of the caller's, who is given the profile and the chat of the model. Of the recipe, cases,
/// rewards and validation then mean what that environment makes of them.
///
/// # Errors
/// As [`run`].
pub fn run_in<E: Environment>(
    recipe: &GrplRecipe,
    base: &Path,
    span: Span,
    environment: impl FnOnce(Profile, Chat) -> Result<E, TrainError>,
) -> Result<Finished, TrainError> {
    let mut trainer = Trainer::prepare(recipe, base, span.resume, environment)?;
    trainer.train(span.until.unwrap_or(recipe.run.steps))
}

/// What a checkpoint holds beside weights and moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Course {
    /// Updates done; a step has none, one or several.
    updates: usize,
    /// Step and accuracy of the best validation.
    best: Option<(usize, f64)>,
    /// Validations since then.
    without_best: usize,
}

impl Course {
    fn notes(self) -> Vec<f64> {
        let (step, accuracy) = self.best.map_or((-1.0, 0.0), |(s, a)| (s as f64, a));
        vec![self.updates as f64, step, accuracy, self.without_best as f64]
    }

    fn of(notes: &[f64]) -> Option<Self> {
        let &[updates, step, accuracy, without_best] = notes else {
            return None;
        };
        Some(Self {
            updates: updates as usize,
            best: (step >= 0.0).then_some((step as usize, accuracy)),
            without_best: without_best as usize,
        })
    }
}

struct Trainer<'a, E> {
    recipe: &'a GrplRecipe,
    folder: RunFolder,
    layout: Layout,
    trainable: Trainable,
    policy: Policy,
    publisher: Publisher,
    environment: E,
    /// The starting weights.
    reference: Vec<f32>,
    state: State,
    course: Course,
    engine: LocalModel,
    gradient: Vec<f32>,
}

impl<'a, E: Environment> Trainer<'a, E> {
    fn prepare(
        recipe: &'a GrplRecipe,
        base: &Path,
        resume: bool,
        environment: impl FnOnce(Profile, Chat) -> Result<E, TrainError>,
    ) -> Result<Self, TrainError> {
        let run = &recipe.run;
        let from = base.join(&recipe.model.from);
        let folder = RunFolder::open(base.join(&recipe.output), resume)?;
        let (config, _) = folder.take_model(&from)?;
        if let Some(profile) = &recipe.profile {
            let text = toml::to_string_pretty(profile).map_err(|e| file_error(&from, &e.to_string()))?;
            write_atomically(&folder.file("judge.toml"), text.as_bytes())?;
        }
        let template = template::of(&recipe.model, &from)?;
        if let Some(template) = &template {
            // Beside the trained weights, so that whoever loads them renders as they were trained.
            write_atomically(&folder.file("chat_template.jinja"), template.as_bytes())?;
        }
        check_lengths(recipe, config.max_position_embeddings)?;
        let layout = Layout::new(Dims::try_from(&config)?);
        let reference = crate::load::parameters(&from, &layout)?;
        let from_name = recipe.model.from.display().to_string();
        let mut trainable = Trainable::new(&layout, (&from_name, &reference), recipe.lora.as_ref())?;
        let state = if resume {
            State::load(&folder.checkpoint(), trainable.len())?
        } else {
            let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
            State {
                step: 0,
                params: trainable.initial(&reference, &mut rng),
                adamw: AdamW::new(trainable.len()),
                notes: Course::default().notes(),
            }
        };
        let course = Course::of(&state.notes)
            .ok_or_else(|| file_error(&folder.checkpoint(), "is the checkpoint of another kind of run"))?;
        let publisher = Publisher::new(&from, template.as_deref(), run.threads, &recipe.rollout)?;
        let engine = publisher.publish(&layout, trainable.weights(&state.params))?;
        let own = || engine.profile().cloned().unwrap_or_else(Profile::rewardanything);
        let profile = recipe.profile.clone().unwrap_or_else(own);
        Ok(Self {
            recipe,
            environment: environment(profile, engine.chat().clone())?,
            policy: Policy::new(
                config,
                layout.clone(),
                threads(run.threads),
                run.compute,
                run.backend,
            ),
            gradient: vec![0.0; layout.len()],
            folder,
            layout,
            trainable,
            publisher,
            reference,
            state,
            course,
            engine,
        })
    }

    fn train(&mut self, until: usize) -> Result<Finished, TrainError> {
        let run = &self.recipe.run;
        let mut metrics = Journal::open(self.folder.file("metrics.jsonl"), self.state.step)?;
        let mut kept = Journal::open(self.folder.file("samples.jsonl"), self.state.step)?;
        let bar = progress(run.steps, self.state.step);
        let mut note = RunNote {
            kind: E::KIND.into(),
            steps: until.min(run.steps),
            ended: None,
        };
        note.write(self.folder.path())?;
        let (mut reward, mut alarms) = (f64::NAN, Vec::new());
        while self.state.step < until.min(run.steps) && !self.has_stopped() {
            let step = self.state.step;
            let mut line = self.step(&mut kept)?;
            let seen = self.environment.alarms(&line.seen());
            line.note(&seen);
            metrics.write(&line)?;
            for alarm in seen {
                bar.println(format!("step {step}: {}", alarm.message));
                alarms.push((step, alarm));
            }
            reward = line.replies.reward;
            bar.set_message(format!(
                "reward {reward:.3}, {:.0} sampled and {:.0} trained tokens/s",
                line.rollout_tokens_per_second, line.training_tokens_per_second
            ));
            bar.inc(1);
            if self.state.step.is_multiple_of(run.checkpoint_every) || self.state.step == run.steps {
                self.save()?;
            }
        }
        bar.finish();
        self.save()?;
        let over = self.state.step >= run.steps || self.has_stopped();
        note.ended = Some(if over { Ended::Finished } else { Ended::Stopped });
        note.write(self.folder.path())?;
        Ok(Finished {
            folder: self.folder.path().to_owned(),
            steps: self.state.step,
            reward,
            best: self.course.best,
            alarms,
            stopped_early: self.has_stopped() && self.state.step < run.steps,
        })
    }

    fn save(&mut self) -> Result<(), TrainError> {
        self.state.notes = self.course.notes();
        self.folder.save(&self.state, &mut self.trainable)
    }

    fn has_stopped(&self) -> bool {
        let patience = self.recipe.validation.as_ref().map_or(0, |v| v.patience);
        patience > 0 && self.course.without_best >= patience
    }

    fn step(&mut self, kept: &mut Journal) -> Result<Metrics, TrainError> {
        let (recipe, step) = (self.recipe, self.state.step);
        let started = Instant::now();
        let mut clock = Clock::default();
        let start = if step == 0 { self.validate()? } else { None };
        clock.lap();
        let sampler = Sampler {
            recipe,
            environment: &self.environment,
            model: &self.engine,
        };
        let sampled = sampler.step(step)?;
        let rollout = clock.lap();
        if recipe.run.samples_every > 0 && step.is_multiple_of(recipe.run.samples_every) {
            for sample in samples(step, &sampled.groups, recipe.run.samples_cases) {
                kept.write(&sample)?;
            }
        }
        let trajectories = match recipe.dpo {
            Some(_) => Trajectories::pairs(&sampled.groups),
            None => Trajectories::of(&sampled.groups),
        };
        clock.lap();
        let mut line = self.update(&trajectories)?;
        line.seconds.update = clock.lap() - line.seconds.likelihoods;
        self.state.step += 1;
        let weights = self.trainable.weights(&self.state.params);
        self.engine = self.publisher.publish(&self.layout, weights)?;
        line.seconds.publish = clock.lap();
        let due = |every: usize| self.state.step.is_multiple_of(every) || self.state.step == recipe.run.steps;
        if recipe.validation.as_ref().is_some_and(|v| due(v.every)) {
            line.validation = self.validate()?;
        }
        line.seconds.validation = clock.lap();
        line.seconds.rollout = rollout;
        line.seconds.grading = sampled.graded_seconds;
        line.seconds.total = started.elapsed().as_secs_f64();
        let replies = Replies::of(&sampled);
        line.rollout_tokens_per_second = replies.length * replies.replies as f64 / rollout;
        let trained: usize = trajectories.sequences.iter().map(|s| s.tokens.len()).sum();
        line.training_tokens_per_second =
            (trained * recipe.run.epochs) as f64 / (line.seconds.update + line.seconds.likelihoods);
        Ok(Metrics {
            step,
            start,
            replies,
            ..line
        })
    }

    /// Measures, and keeps the model if it is the best so far.
    fn validate(&mut self) -> Result<Option<Validated>, TrainError> {
        let Some(found) = self.environment.validate(&self.engine)? else {
            return Ok(None);
        };
        if self.course.best.is_some_and(|(_, best)| found.goodness <= best) {
            self.course.without_best += 1;
            return Ok(Some(found));
        }
        self.course.best = Some((self.state.step, found.goodness));
        self.course.without_best = 0;
        let best = self.folder.file("best");
        std::fs::create_dir_all(&best).map_err(|e| file_error(&best, &e.to_string()))?;
        copy_model_files(self.folder.path(), &best)?;
        self.trainable.export(&best, &self.state.params)?;
        Ok(Some(found))
    }

    /// All updates of a step.
    fn update(&mut self, all: &Trajectories) -> Result<Metrics, TrainError> {
        let (recipe, run) = (self.recipe, &self.recipe.run);
        let (step, lr) = (
            self.state.step,
            self.recipe.optim.lr_at(self.state.step, run.steps),
        );
        let mut line = Metrics {
            lr,
            ..Metrics::default()
        };
        if all.sequences.is_empty() {
            return Ok(line);
        }
        let started = Instant::now();
        let reference = self.policy.likelihoods(&self.reference, &all.sequences)?;
        // The only update of a step is made by the very policy that it compares with.
        let lone = run.epochs * run.mini_batches == 1;
        let old = if lone {
            None
        } else {
            let weights = self.trainable.weights(&self.state.params);
            Some(self.policy.likelihoods(weights, &all.sequences)?)
        };
        line.seconds.likelihoods = started.elapsed().as_secs_f64();
        let mut known = Known {
            all,
            old: old.as_ref(),
            reference: &reference,
            preferred: None,
        };
        let (mut tokens, mut clipped, mut own) = (0, 0, None);
        let (decays, mut own_gradient) = (self.trainable.decays(), Vec::new());
        for epoch in 0..run.epochs {
            // A pair stays together.
            let unit = if recipe.dpo.is_some() { 2 } else { 1 };
            let mut order: Vec<usize> = (0..all.sequences.len() / unit).collect();
            if run.mini_batches > 1 {
                let seed = mix(recipe.seed, &[0xE90C, step as u64, epoch as u64]);
                order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            }
            for part in split(&order, run.mini_batches) {
                let part: Vec<usize> = part.iter().flat_map(|&at| at * unit..(at + 1) * unit).collect();
                if let Some(dpo) = recipe.dpo {
                    let weights = self.trainable.weights(&self.state.params);
                    let policy = self.policy.likelihoods(weights, &all.sequences)?;
                    let weighed = weigh(dpo, (&policy, &reference), &part);
                    line.dpo.get_or_insert_default().add(&weighed.pairs, 1.0);
                    known.preferred = Some(weighed);
                }
                let (loss, likelihoods, held) = self.gradient(&known, &part)?;
                let State { params, adamw, .. } = &mut self.state;
                let gradient = self.trainable.gradient(params, &self.gradient, &mut own_gradient);
                let norm = adamw.update(
                    &recipe.optim,
                    &decays,
                    (self.course.updates, lr),
                    params,
                    gradient,
                );
                if !(loss.is_finite() && norm.is_finite()) {
                    return Err(TrainError::Diverged { step, loss });
                }
                self.course.updates += 1;
                line.updates += 1;
                line.loss += loss;
                line.gradient_norm += norm;
                tokens += likelihoods.iter().map(Vec::len).sum::<usize>();
                clipped += held;
                own = Some(likelihoods);
            }
        }
        line.loss /= line.updates as f64;
        if let Some(sum) = line.dpo.take() {
            let mut pairs = Pairs::default();
            pairs.add(&sum, 1.0 / line.updates as f64);
            pairs.pairs = all.sequences.len() / 2;
            line.loss = pairs.loss;
            line.dpo = Some(pairs);
        }
        line.gradient_norm /= line.updates as f64;
        line.clip_share = clipped as f64 / tokens as f64;
        if let Some(recomputed) = old.or(own) {
            line.entropy = Some(entropy(&recomputed));
            line.kl = Some(self.divergence(&recomputed, &reference));
            line.mismatch = Some(Mismatch::of(&all.sampled, &recomputed));
        }
        Ok(line)
    }

    /// The gradient of one update, summed over its parts; also its loss, the likelihoods and how many tokens the clip
    /// held.
    fn gradient(
        &mut self,
        known: &Known<'_>,
        part: &[usize],
    ) -> Result<(f64, Likelihoods, usize), TrainError> {
        let config = self.recipe.loss;
        let lengths: Vec<usize> = part.iter().map(|&i| known.reference[i].len()).collect();
        let weights = config.normalise.weights(&lengths);
        let weighed: Vec<(usize, f64)> = part.iter().copied().zip(weights).collect();
        let (mut loss, mut likelihoods, mut held) = (0.0, Likelihoods::new(), 0);
        let mut sum: Option<Vec<f32>> = None;
        for micro in split(&weighed, self.recipe.run.accumulation) {
            let sequences: Vec<Sequence> = micro
                .iter()
                .map(|(i, _)| known.all.sequences[*i].clone())
                .collect();
            let objective = GrpoLoss {
                config,
                facts: micro.iter().map(|&(i, weight)| known.facts(i, weight)).collect(),
                sequences: &sequences,
            };
            let weights = self.trainable.weights(&self.state.params);
            let (value, own) = self.policy.gradient(weights, &objective, &mut self.gradient)?;
            held += objective.terms(&own).iter().filter(|term| term.clipped).count();
            loss += value;
            likelihoods.extend(own);
            match &mut sum {
                None if micro.len() < weighed.len() => sum = Some(self.gradient.clone()),
                None => {}
                Some(sum) => kernels::add_assign(sum, &self.gradient),
            }
        }
        if let Some(sum) = sum {
            self.gradient = sum;
        }
        Ok((loss, likelihoods, held))
    }

    /// The mean of k3 over all tokens.
    fn divergence(&self, policy: &Likelihoods, reference: &Likelihoods) -> f64 {
        let pairs = policy.iter().flatten().zip(reference.iter().flatten());
        let count = pairs.clone().count().max(1) as f64;
        let sum: f64 = pairs
            .map(|(policy, reference)| {
                let facts = TokenFacts {
                    advantage: 0.0,
                    old: None,
                    reference: Some(f64::from(reference.log_probability)),
                    weight: 1.0,
                };
                self.recipe.loss.of(f64::from(policy.log_probability), &facts).kl
            })
            .sum();
        sum / count
    }
}

/// What stays the same during the updates of a step.
struct Known<'a> {
    all: &'a Trajectories,
    old: Option<&'a Likelihoods>,
    reference: &'a Likelihoods,
    /// What the replies of pairs weigh; nothing else of a token then counts.
    preferred: Option<Weighed>,
}

impl Known<'_> {
    fn facts(&self, sequence: usize, weight: f64) -> Vec<TokenFacts> {
        let log_probability =
            |all: &Likelihoods, token: usize| f64::from(all[sequence][token].log_probability);
        let tokens = self.reference[sequence].len();
        if let Some(preferred) = &self.preferred {
            return preferred.facts(sequence, tokens);
        }
        (0..tokens)
            .map(|token| TokenFacts {
                advantage: self.all.advantages[sequence],
                old: self.old.map(|old| log_probability(old, token)),
                reference: Some(log_probability(self.reference, token)),
                weight,
            })
            .collect()
    }
}

/// As many parts as asked for, as equal as can be; none is empty.
fn split<T>(all: &[T], parts: usize) -> impl Iterator<Item = &[T]> {
    let bound = move |i: usize| i * all.len() / parts;
    (0..parts)
        .map(move |i| &all[bound(i)..bound(i + 1)])
        .filter(|part| !part.is_empty())
}

fn check_lengths(recipe: &GrplRecipe, context: usize) -> Result<(), TrainError> {
    let rollout = &recipe.rollout;
    let refuse = |field, message| Err(TrainError::Recipe { field, message });
    if rollout.max_new_tokens >= context {
        let got = rollout.max_new_tokens;
        let message = format!("expected less than the model's context of {context}, got {got}");
        return refuse("rollout.max_new_tokens", message);
    }
    match rollout.max_prompt_tokens {
        Some(prompt) if prompt == 0 || prompt >= context => {
            let message = format!(
                "expected 1 to {} in a context of {context}, got {prompt}",
                context - 1
            );
            refuse("rollout.max_prompt_tokens", message)
        }
        _ => Ok(()),
    }
}

/// Seconds from one look to the next.
struct Clock(Instant);

impl Default for Clock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock {
    fn lap(&mut self) -> f64 {
        let seconds = self.0.elapsed().as_secs_f64();
        self.0 = Instant::now();
        seconds
    }
}
