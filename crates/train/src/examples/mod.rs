//! Training examples with exact gold, made on the fly: real or self-made texts under verifiable principles.
//!
//! Five tasks, mixed by a curriculum of stages. Three are the steps of a judge that [reads apart](rewardanything_core::apart).
//! *Name*: what does the principle ask for? *Count*: a response is read out piece by piece, and what is asked for counted
//! in it. *Decide*: what follows from notes; the amounts are out of the air and not taught, the verdict that follows is.
//! Beside them, *measure*: as count, but of several qualities at once, which makes many labels of little text, since
//! measuring is the hard part. And *judge*: all in one reply, for decoding that is not held to a form. Each skill has a
//! plateau that whole verdicts do not leave, so each is first taught by itself.
//!
//! An example depends on the seed, the step and its place in the batch, and on nothing before it, so a resumed run
//! sees the same data.

mod amounts;
mod asked;
mod reply;
mod rules;
mod shown;
mod texts;

use crate::pool::Pool;
use crate::synth;
use amounts::Amounts;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reply::Reply;
use rewardanything_core::pieces::PIECE_WORDS;
use rewardanything_core::{Gold, JudgeRequest, Mask, Profile, Response, apart, messages};
use rewardanything_principles::{Goal, Measure, Quality, Rule, trim_to_words};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::ops::Range;
use texts::Texts;

pub use shown::{Shown, ShownConfig};

pub(crate) use asked::Asked;
pub(crate) use rules::trained;

/// What a token of the reply is, for accuracies in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The prompt.
    Context,
    /// Says which end or which amount is asked for.
    Direction,
    /// Names the quality that the principle asks for.
    Quality,
    /// A piece of a response, read out.
    Echo,
    /// How much of a quality a piece of a response has.
    Piece,
    /// How much of it the response has up to the end of a piece.
    Running,
    /// A text or an amount that is given, not taught: it has no weight in the loss.
    Given,
    /// The ends of what the scores follow from.
    Range,
    /// Something said again, beside what follows from it.
    Recall,
    /// What a goal makes of an amount, and the order of the responses.
    Worth,
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
    /// What the principle demands, where a program can check it.
    pub rule: Option<Rule>,
}

impl Case {
    /// What the last step of a judge that reads apart is given, if all before it went right: what is asked for, as it
    /// would say it, and its notes; `None` without a rule.
    pub(crate) fn noted(&self) -> Option<(String, String)> {
        let rule = self.rule?;
        let texts: Vec<String> = (0..self.mask.len())
            .map(|position| {
                self.request.responses()[self.mask.response_at(position)]
                    .text
                    .clone()
            })
            .collect();
        let qualities = distinct(rule);
        let row = |text: &String| {
            let amounts = qualities.iter();
            amounts
                .map(|quality| Amounts::of(*quality, text, PIECE_WORDS).whole())
                .collect()
        };
        let rows: Vec<Vec<u32>> = texts.iter().map(row).collect();
        let mut reply = Reply::thinking();
        let asked = reply.put_plainly(rule);
        reply.given(&qualities, &rows);
        Some((asked, reply.text + "\n"))
    }
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
    /// Share of count examples.
    #[serde(default)]
    pub count: f64,
    /// Share of decide examples; what the four leave are judge examples.
    #[serde(default)]
    pub decide: f64,
    /// Responses of an example, least and most; a judge example has at least two.
    pub responses: (usize, usize),
    /// Qualities that a measure example counts, least and most. A text costs its tokens once, however much is counted
    /// in it.
    #[serde(default = "one_to_three")]
    pub qualities: (usize, usize),
    /// Words of the pieces that responses are shown in; one of these is drawn for each example, and none means the
    /// profile's own. Which mark belongs to which words is learned on pieces of a few.
    #[serde(default)]
    pub piece_words: Vec<usize>,
    /// Longest responses, in words; one of these is drawn for each example.
    pub max_words: Vec<usize>,
    /// Longest prompts, in words; one of these is drawn for each example.
    pub prompt_words: Vec<usize>,
}

fn one_to_three() -> (usize, usize) {
    (1, 3)
}

impl Default for ExampleConfig {
    fn default() -> Self {
        let stage = |until, measure, most, words: &[usize], prompt_words: &[usize]| Stage {
            until,
            measure,
            name: 0.1,
            count: 0.0,
            decide: 0.2,
            responses: (1, most),
            qualities: one_to_three(),
            piece_words: Vec::new(),
            max_words: words.to_vec(),
            prompt_words: prompt_words.to_vec(),
        };
        Self {
            stages: vec![
                stage(0.3, 0.7, 2, &[8, 14], &[4]),
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
    piece_words: usize,
}

impl Material {
    fn into_request(self) -> JudgeRequest {
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
        let (mut rng, stage) = self.place(step, index, progress);
        let mut draw: f64 = rng.random();
        let mut falls = |share: f64| {
            draw -= share;
            draw < 0.0
        };
        if falls(stage.measure) {
            self.measure(&mut rng, stage)
        } else if falls(stage.name) {
            self.name(&mut rng, stage)
        } else if falls(stage.count) {
            self.count(&mut rng, stage)
        } else if falls(stage.decide) {
            self.decide(&mut rng, stage)
        } else {
            self.judge(&mut rng, stage)
        }
    }

    /// Case `index` of `step`, at `progress` in 0..1 of the training: what a judge example asks, without a reply.
    pub fn case(&self, step: usize, index: usize, progress: f64) -> Case {
        let (mut rng, stage) = self.place(step, index, progress);
        let (rule, material) = self.to_judge(&mut rng, stage);
        let texts: Vec<&str> = material.texts.iter().map(String::as_str).collect();
        let gold = rule.gold(&texts);
        let request = material.into_request();
        Case {
            mask: Mask::identity(request.responses().len()),
            request,
            gold,
            rule: Some(rule),
        }
    }

    fn place(&self, step: usize, index: usize, progress: f64) -> (ChaCha8Rng, &Stage) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(((step as u64) << 20) | index as u64);
        let stage = self
            .config
            .stages
            .iter()
            .find(|s| progress < s.until)
            .or(self.config.stages.last());
        let stage = stage.expect("the configuration was checked to have a stage. This is a bug.");
        (rng, stage)
    }

    fn judge(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> Example {
        let (rule, material) = self.to_judge(rng, stage);
        let amounts = measured(rule, &material.texts);
        let mut reply = Reply::thinking();
        reply.asked(rule);
        reply.counted(&distinct(rule), &material.texts, material.piece_words);
        self.finish(material, reply.verdict(rule, &amounts))
    }

    fn to_judge(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> (Rule, Material) {
        let (rule, principle) = rules::draw(rng);
        let least = stage.responses.0.max(2);
        let count = rng.random_range(least..=stage.responses.1.max(least));
        let (prompt, texts) = self.texts(rng, stage, count, &distinct(rule));
        let material = Material {
            principle: self.beside(rng, principle),
            prompt,
            texts,
            piece_words: self.piece_words(rng, stage),
        };
        (rule, material)
    }

    /// The first step.
    fn name(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> Example {
        let (rule, principle) = rules::draw(rng);
        let principle = self.beside(rng, principle);
        let (prompt, _) = self.texts(rng, stage, 0, &[]);
        let mut reply = Reply::thinking();
        reply.asked(rule);
        reply
            .end()
            .behind(apart::to_name(self.profile, &principle, &prompt))
    }

    /// The second step.
    fn count(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> Example {
        let (rule, _) = rules::draw(rng);
        let piece_words = self.piece_words(rng, stage);
        let (_, texts) = self.texts(rng, stage, 1, &distinct(rule));
        let mut reply = Reply::thinking();
        let asked = reply.put_plainly(rule);
        reply.counted_as_given(&distinct(rule), &texts[0], piece_words);
        reply.end().behind(apart::to_note(self.profile, &asked, 1))
    }

    /// The last step.
    fn decide(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> Example {
        let (least, most) = (stage.responses.0.max(2), stage.responses.1.max(2));
        // Pairs are what judges are asked for most.
        let count = if rng.random_bool(0.3) {
            least
        } else {
            rng.random_range(least..=most)
        };
        let rule = rules::to_conclude(rng);
        let qualities = distinct(rule);
        let mut columns = qualities
            .iter()
            .map(|quality| made_up(rng, rule, *quality, count));
        let columns: Vec<Vec<u32>> = columns.by_ref().collect();
        let given: Vec<Vec<u32>> = (0..count)
            .map(|i| columns.iter().map(|c| c[i]).collect())
            .collect();
        let mut reply = Reply::thinking();
        let asked = reply.put_plainly(rule);
        reply.given(&qualities, &given);
        let goals = rule.goals();
        let at = |goal: &Goal| qualities.iter().position(|q| *q == goal.quality()).unwrap_or(0);
        let amounts: Vec<Vec<u32>> = given
            .iter()
            .map(|row| goals.iter().map(|goal| row[at(goal)]).collect())
            .collect();
        let reply = reply.verdict(rule, &amounts);
        reply.behind(apart::to_note(self.profile, &asked, count))
    }

    fn measure(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> Example {
        let mut trained = trained().to_vec();
        trained.shuffle(rng);
        let (_, texts) = self.texts(rng, stage, 1, &trained[..1]);
        // What was drawn for, then qualities that the texts show before those that they lack.
        trained[1..].sort_by_key(|q| texts.iter().all(|t| q.measure(t) == 0.0));
        trained.truncate(rng.random_range(stage.qualities.0..=stage.qualities.1));
        trained.shuffle(rng);
        let names: Vec<String> = trained.iter().map(|q| reply::name(*q)).collect();
        let piece_words = self.piece_words(rng, stage);
        let mut reply = Reply::thinking();
        reply.counted_as_given(&trained, &texts[0], piece_words);
        let asked = format!("Measure {}.", names.join(", "));
        reply.end().behind(apart::to_note(self.profile, &asked, 1))
    }

    /// A prompt and so many texts, each drawn for one of `qualities`.
    fn texts(
        &self,
        rng: &mut ChaCha8Rng,
        stage: &Stage,
        count: usize,
        qualities: &[Quality],
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
        let mut draw = || {
            let quality = qualities
                .choose(rng)
                .copied()
                .unwrap_or(Quality::Of(Measure::Words));
            texts.draw(rng, own, quality)
        };
        let all = (0..count).map(|_| draw()).collect();
        (prompt, all)
    }

    /// As the stage says, else as the profile does.
    fn piece_words(&self, rng: &mut ChaCha8Rng, stage: &Stage) -> usize {
        let own = || self.profile.piece_words.get();
        stage.piece_words.choose(rng).copied().unwrap_or_else(own)
    }

    fn finish(&self, material: Material, reply: Reply) -> Example {
        let profile = self.in_pieces_of(material.piece_words);
        let request = material.into_request();
        let mask = Mask::identity(request.responses().len());
        reply.behind(messages(&profile, &request, &mask))
    }

    fn in_pieces_of(&self, words: usize) -> Profile {
        Profile {
            piece_words: NonZeroUsize::new(words).unwrap_or(self.profile.piece_words),
            ..self.profile.clone()
        }
    }

    /// A principle as people leave it. Sometimes a word is missing, sometimes it stands beside a sentence of any text: a
    /// judge that sees wordings only whole and alone knows them by heart and reads no other.
    fn beside(&self, rng: &mut ChaCha8Rng, mut text: String) -> String {
        match rng.random_range(0..20) {
            0..2 => {
                let mut words: Vec<&str> = text.split(' ').collect();
                if words.len() > 5 {
                    words.remove(rng.random_range(0..words.len()));
                }
                text = words.join(" ");
            }
            2..6 => {
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

/// The qualities of a rule, each once, in the order in which it names them.
fn distinct(rule: Rule) -> Vec<Quality> {
    let mut qualities = Vec::new();
    for goal in rule.goals() {
        if !qualities.contains(&goal.quality()) {
            qualities.push(goal.quality());
        }
    }
    qualities
}

/// For each text, the amount of each goal's quality.
fn measured(rule: Rule, texts: &[String]) -> Vec<Vec<u32>> {
    let row = |text: &String| {
        let goals = rule.goals().into_iter();
        goals
            .map(|goal| Amounts::of(goal.quality(), text, PIECE_WORDS).whole())
            .collect()
    };
    texts.iter().map(row).collect()
}

/// Amounts out of the air, as far apart as real ones, and on both sides of a bound that the rule sets.
fn made_up(rng: &mut ChaCha8Rng, rule: Rule, quality: Quality, count: usize) -> Vec<u32> {
    if quality.is_yes_or_no() {
        return (0..count).map(|_| rng.random_range(0..=1)).collect();
    }
    let bound = rule.goals().into_iter().find_map(|goal| match goal {
        Goal::AtLeast(q, n) | Goal::AtMost(q, n) | Goal::Near(q, n) if q == quality => Some(u32::from(n)),
        _ => None,
    });
    let own: &[u32] = match quality {
        Quality::Of(Measure::Words) | Quality::LongestParagraph => &[10, 40, 120, 250],
        Quality::Variety => &[40],
        Quality::Of(Measure::Capitals | Measure::LongWords | Measure::Repetition) => &[6, 15, 40, 80],
        _ => &[2, 4, 8, 20],
    };
    // Which of two numbers is larger does not hang on what was counted: few qualities come in hundreds, and from those
    // alone it is not learned.
    let any: &[u32] = &[10, 40, 80, 120, 250];
    let scales = if rng.random_bool(0.45) { any } else { own };
    let scale = scales.choose(rng).copied().unwrap_or(4);
    // Narrow ranges too: many real amounts are close to each other.
    let spread = rng.random_range(1..=scale);
    let lowest = match bound {
        Some(bound) if rng.random_bool(0.7) => bound.saturating_sub(rng.random_range(0..=spread)),
        _ if quality == Quality::Variety => 100_u32.saturating_sub(spread + rng.random_range(0..=20)),
        _ if rng.random_bool(0.35) => 0,
        // Short texts have one of something more often than eleven.
        _ if rng.random_bool(0.2) => 1,
        _ => rng.random_range(0..=scale),
    };
    (0..count)
        .map(|_| lowest + rng.random_range(0..=spread))
        .collect()
}

#[cfg(test)]
mod tests;
