//! Training examples with exact gold, made on the fly: real or self-made texts under verifiable principles.
//!
//! Four tasks, mixed by a curriculum of stages. *Judge*: a principle, a prompt and responses; the reply names the
//! quality asked for and whether more or fewer of it is wanted, writes down how much of it each response has (a level,
//! 0 to 9), where the levels begin and end and which end is the best, and gives the verdict that follows. *Measure*: the same layout, but the principle names several qualities
//! and the reply is their levels alone: many labels for little text, since measuring is the hard part. *Name*: only
//! what the principle asks for, beside next to no text. *Decide*: a judge example over next to no text with levels out of
//! the air, which are not taught; the verdict that follows from them is. Each skill has a plateau that whole verdicts do not leave, so
//! each is first taught by itself.
//!
//! An example depends on the seed, the step and its place in the batch, and on nothing before it, so a resumed run
//! sees the same data.

mod reply;
mod texts;

use crate::pool::Pool;
use crate::synth;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reply::Reply;
use rewardanything_core::{Gold, JudgeRequest, Mask, Profile, Response, messages};
use rewardanything_principles::items::PrincipleSplit;
use rewardanything_principles::{Direction, Measure, Split, gold_of_values, phrase, trim_to_words};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use texts::Texts;

/// What a token of the reply is, for accuracies in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The prompt.
    Context,
    /// Says whether more or fewer of it is asked for.
    Direction,
    /// Names the quality that the principle asks for.
    Quality,
    /// How much of a quality a response has.
    Level,
    /// A level that is given, not taught: it has no weight in the loss.
    Given,
    /// The lowest and the highest level, and which of them is the best.
    Range,
    /// A level said again, beside the score that follows from it.
    Recall,
    /// A score of the verdict.
    Score,
    /// All else in the reply.
    Other,
}

/// One example as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The messages that the judge reads.
    pub messages: Vec<rewardanything_core::Message>,
    /// What it should write.
    pub reply: String,
    /// Byte ranges of the reply that a metric follows.
    pub marks: Vec<(Range<usize>, Kind)>,
}

/// A request with its exact answer, to which nobody has replied yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is to be judged.
    pub request: JudgeRequest,
    /// In which order the responses are shown.
    pub mask: Mask,
    /// The right verdict.
    pub gold: Gold,
}

/// The curriculum.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExampleConfig {
    /// Stages in order.
    pub stages: Vec<Stage>,
    /// Share of texts made by the program; 1 where there is no pool.
    pub synthetic: f64,
}

/// A part of training with one mix.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The share of training at which it ends, in 0..=1.
    pub until: f64,
    /// Share of measure examples.
    pub measure: f64,
    /// Share of name examples.
    #[serde(default)]
    pub name: f64,
    /// Share of decide examples; what the three leave are judge examples.
    #[serde(default)]
    pub decide: f64,
    /// Responses of an example, least and most; a judge example has at least two.
    pub responses: (usize, usize),
    /// Longest responses, in words; one of these is drawn for each example.
    pub max_words: Vec<usize>,
    /// Longest prompts, in words; one of these is drawn for each example.
    pub prompt_words: Vec<usize>,
}

impl Default for ExampleConfig {
    fn default() -> Self {
        let stage = |until, measure, most, words: &[usize], prompt_words: &[usize]| Stage {
            until,
            measure,
            name: 0.1,
            decide: 0.2,
            responses: (1, most),
            max_words: words.to_vec(),
            prompt_words: prompt_words.to_vec(),
        };
        Self {
            stages: vec![
                stage(0.3, 0.8, 2, &[8, 14], &[4]),
                stage(0.6, 0.4, 4, &[14, 30], &[16]),
                stage(1.0, 0.25, 5, &[16, 30, 30, 60], &[16, 60]),
            ],
            synthetic: 0.15,
        }
    }
}

/// Makes examples.
pub struct Maker<'a> {
    /// The mix.
    pub config: &'a ExampleConfig,
    /// Real text.
    pub pool: &'a Pool,
    /// How the judge is spoken to.
    pub profile: &'a Profile,
    /// Seed of the run.
    pub seed: u64,
}

/// A principle and texts, before they are a request.
struct Material {
    principle: String,
    prompt: String,
    texts: Vec<String>,
}

impl Material {
    fn request(self) -> JudgeRequest {
        let named = self.texts.into_iter().enumerate().map(|(i, text)| Response {
            name: format!("r{i}"),
            text,
        });
        JudgeRequest::new(self.principle, self.prompt, named.collect())
            .expect("principle, prompt and responses were made non-empty. This is a bug.")
    }
}

impl Maker<'_> {
    /// Example `index` of `step`, at `progress` in 0..1 of the training.
    pub fn example(&self, step: usize, index: usize, progress: f64) -> Example {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(((step as u64) << 20) | index as u64);
        let stage = self.stage(progress);
        let draw: f64 = rng.random();
        if draw < stage.measure {
            self.measure(&mut rng, stage)
        } else if draw < stage.measure + stage.name {
            self.name(&mut rng)
        } else if draw < stage.measure + stage.name + stage.decide {
            self.decide(&mut rng, stage)
        } else {
            self.judge(&mut rng, stage)
        }
    }

    fn judge(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> Example {
        let (material, measure, direction) = self.judged(rng, stage);
        let levels: Vec<f64> = material
            .texts
            .iter()
            .map(|t| f64::from(measure.level(t)))
            .collect();
        let mut reply = Reply::thinking();
        reply.asked(measure, direction);
        reply.levels(&[measure], &material.texts);
        self.finish(material, reply.verdict(direction, &levels))
    }

    /// Case `index` of `step`, at `progress` in 0..1 of the training: what a judge example asks, without a reply.
    pub fn case(&self, step: usize, index: usize, progress: f64) -> Case {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(((step as u64) << 20) | index as u64);
        let (material, measure, direction) = self.judged(&mut rng, self.stage(progress));
        let levels: Vec<f64> = material
            .texts
            .iter()
            .map(|t| f64::from(measure.level(t)))
            .collect();
        let request = material.request();
        Case {
            mask: Mask::identity(request.responses().len()),
            request,
            gold: gold_of_values(direction, &levels),
        }
    }

    fn judged(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> (Material, Measure, Direction) {
        let (least, most) = (stage.responses.0.max(2), stage.responses.1.max(2));
        let count = rng.random_range(least..=most);
        let (measure, direction) = draw_principle(rng);
        let (prompt, texts) = self.texts(rng, stage, count, measure);
        let material = Material {
            principle: self.principle(rng, measure, direction),
            prompt,
            texts,
        };
        (material, measure, direction)
    }

    fn stage(&self, progress: f64) -> &Stage {
        let stages = &self.config.stages;
        let stage = stages.iter().find(|s| progress < s.until).or(stages.last());
        stage.expect("the configuration was checked to have a stage. This is a bug.")
    }

    /// A principle beside one very short response, and a reply that only says what it asks for.
    fn name(&self, rng: &mut ChaCha8Rng) -> Example {
        let (measure, direction) = draw_principle(rng);
        let mut reply = Reply::thinking();
        reply.asked(measure, direction);
        let material = Material {
            principle: self.principle(rng, measure, direction),
            prompt: trim_to_words(&synth::prompt(rng), 6),
            texts: vec![trim_to_words(&synth::sentence(rng), 3)],
        };
        self.finish(material, reply.end())
    }

    fn decide(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> Example {
        let (least, most) = (stage.responses.0.max(2), stage.responses.1.max(2));
        let count = rng.random_range(least..=most);
        let (measure, direction) = draw_principle(rng);
        // Narrow ranges too: most real levels are close to each other.
        let lowest = rng.random_range(0..=4);
        let highest = rng.random_range(lowest + 1..=9);
        let levels: Vec<u8> = (0..count).map(|_| rng.random_range(lowest..=highest)).collect();
        let mut reply = Reply::thinking();
        reply.asked(measure, direction);
        reply.given(measure, &levels);
        let levels: Vec<f64> = levels.into_iter().map(f64::from).collect();
        let mut text = || {
            let words = rng.random_range(1..=3);
            trim_to_words(&synth::sentence(rng), words)
        };
        let texts = (0..count).map(|_| text()).collect();
        let material = Material {
            principle: self.principle(rng, measure, direction),
            prompt: trim_to_words(&synth::prompt(rng), 4),
            texts,
        };
        self.finish(material, reply.verdict(direction, &levels))
    }

    fn measure(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> Example {
        let count = rng.random_range(stage.responses.0..=stage.responses.1);
        let mut trained = trained();
        trained.shuffle(rng);
        let (prompt, texts) = self.texts(rng, stage, count, trained[0]);
        // What was drawn for, then qualities that the texts show before those that they lack.
        trained[1..].sort_by_key(|m| texts.iter().all(|t| m.level(t) == 0));
        trained.truncate(rng.random_range(1..=4));
        trained.shuffle(rng);
        let names: Vec<&str> = trained.iter().map(|m| m.quality()).collect();
        let mut reply = Reply::thinking();
        reply.levels(&trained, &texts);
        let material = Material {
            principle: format!("Measure {}.", names.join(", ")),
            prompt,
            texts,
        };
        self.finish(material, reply.end())
    }

    fn texts(
        &self,
        rng: &mut ChaCha8Rng,
        stage: &Stage,
        count: usize,
        measure: Measure,
    ) -> (String, Vec<String>) {
        let texts = Texts {
            pool: self.pool,
            synthetic: if self.pool.texts.is_empty() {
                1.0
            } else {
                self.config.synthetic
            },
            max_words: stage.max_words.choose(rng).copied().unwrap_or(30),
        };
        let prompt_words = stage.prompt_words.choose(rng).copied().unwrap_or(16);
        let (prompt, own) = texts.prompt(rng, prompt_words);
        let all = (0..count).map(|_| texts.draw(rng, own, measure)).collect();
        (prompt, all)
    }

    fn finish(&self, material: Material, reply: Reply) -> Example {
        let request = material.request();
        let mask = Mask::identity(request.responses().len());
        Example {
            messages: messages(self.profile, &request, &mask),
            reply: reply.text,
            marks: reply.marks,
        }
    }

    /// A phrasing for training. Sometimes it is said twice in different words, sometimes a word is missing, sometimes it
    /// stands beside a sentence of any text: a judge that sees phrasings only whole and alone knows them by heart and
    /// reads no other.
    fn principle(&self, rng: &mut ChaCha8Rng, measure: Measure, direction: Direction) -> String {
        let mut text = phrase(measure, direction, rng, Split::Train);
        match rng.random_range(0..20) {
            0..3 => {
                text.push(' ');
                text.push_str(&phrase(measure, direction, rng, Split::Train));
            }
            3..6 => {
                let mut words: Vec<&str> = text.split(' ').collect();
                if words.len() > 5 {
                    words.remove(rng.random_range(0..words.len()));
                }
                text = words.join(" ");
            }
            6..12 => {
                let beside = match self.pool.texts.choose(rng).and_then(|t| t.choose(rng)) {
                    Some(sentence) if rng.random_bool(0.8) => trim_to_words(sentence, 10),
                    _ => synth::sentence(rng),
                };
                text = if rng.random_bool(0.5) {
                    format!("{} {text}", beside.trim())
                } else {
                    format!("{text} {}", beside.trim())
                };
            }
            _ => {}
        }
        text
    }
}

/// The measures that are trained on.
fn trained() -> Vec<Measure> {
    PrincipleSplit::TrainPrinciples.measures().collect()
}

/// A measure that is trained on, and a direction.
fn draw_principle(rng: &mut ChaCha8Rng) -> (Measure, Direction) {
    let measure = *trained()
        .choose(rng)
        .expect("some measures are trained on. This is a bug.");
    (
        measure,
        *Direction::ALL
            .choose(rng)
            .expect("there are two directions. This is a bug."),
    )
}
