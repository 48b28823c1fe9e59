//! Training examples with exact gold, made on the fly: real or self-made texts under verifiable principles.
//!
//! Three tasks, mixed by a curriculum. *Judge*: a principle, a prompt and responses; the reply names the quality asked
//! for, writes down how much of it each response has (a level, 0 to 9), and gives the verdict that follows. *Measure*:
//! the same layout, but the principle names several qualities and the reply is their levels alone: many labels for
//! little text, since measuring is the hard part. *Name*: only what
//! the principle asks for, beside next to no text: the direction is one token of a whole verdict, and in whole verdicts
//! alone it stays at chance. An example depends on the seed, the step and its place in the
//! batch, and on nothing before it, so a resumed run sees the same data.

use crate::pool::Pool;
use crate::synth;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::{JudgeRequest, Mask, Profile, Response, Score, Verdict, messages, render};
use rewardanything_principles::{Direction, Measure, Split, gold_of_values, phrase, trim_to_words};
use serde::{Deserialize, Serialize};
use std::ops::Range;

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

/// The curriculum.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExampleConfig {
    /// Stages in order.
    pub stages: Vec<Stage>,
    /// Responses of a judge example, least and most.
    pub responses: (usize, usize),
    /// Share of texts made by the program; 1 where there is no pool.
    pub synthetic: f64,
    /// Share of responses that get sentences added which show the quality asked for.
    pub enrich: f64,
}

/// A part of training with one mix.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The share of training at which it ends, in 0..=1.
    pub until: f64,
    /// Share of measure examples.
    pub measure: f64,
    /// Share of name examples; what both leave are judge examples.
    #[serde(default)]
    pub name: f64,
    /// Longest responses, in words; one of these is drawn for each example.
    pub max_words: Vec<usize>,
}

impl Default for ExampleConfig {
    fn default() -> Self {
        let stage = |until, measure, words: &[usize]| Stage {
            until,
            measure,
            name: 0.1,
            max_words: words.to_vec(),
        };
        Self {
            stages: vec![
                stage(0.15, 0.6, &[8, 14]),
                stage(0.5, 0.4, &[14, 30]),
                stage(1.0, 0.25, &[16, 30, 30, 60]),
            ],
            responses: (2, 5),
            synthetic: 0.15,
            enrich: 0.35,
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

impl Maker<'_> {
    /// Example `index` of `step`, at `progress` in 0..1 of the training.
    pub fn example(&self, step: usize, index: usize, progress: f64) -> Example {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(((step as u64) << 20) | index as u64);
        let stage = self
            .config
            .stages
            .iter()
            .find(|s| progress < s.until)
            .or(self.config.stages.last());
        let stage = stage.expect("the configuration was checked to have a stage. This is a bug.");
        let max_words = stage.max_words.choose(&mut rng).copied().unwrap_or(30);
        let draw: f64 = rng.random();
        if draw < stage.measure {
            self.measure(&mut rng, max_words)
        } else if draw < stage.measure + stage.name {
            self.name(&mut rng)
        } else {
            self.judge(&mut rng, max_words)
        }
    }

    fn judge(&self, rng: &mut ChaCha8Rng, max_words: usize) -> Example {
        let count = rng.random_range(self.config.responses.0..=self.config.responses.1);
        let (measure, direction) = draw_principle(rng);
        let (prompt, mut texts) = self.texts(rng, count, max_words, measure);
        // Items whose responses do not differ teach little; try again a few times, then take what came.
        for _ in 0..4 {
            let first = measure.level(&texts[0]);
            if texts.iter().any(|t| measure.level(t) != first) {
                break;
            }
            texts = self.texts(rng, count, max_words, measure).1;
        }
        let principle = phrase(measure, direction, rng, Split::Train);
        let levels: Vec<f64> = texts.iter().map(|t| f64::from(measure.level(t))).collect();
        let gold = gold_of_values(direction, &levels);
        let mut reply = Reply::default();
        reply.text.push_str("<think>\n");
        reply.mark(
            &format!("{} {}", direction.id(), measure.quality()),
            Kind::Quality,
        );
        reply.text.push_str(".\n");
        reply.levels(measure, &texts);
        reply.text.push_str("\n</think>");
        let reasoning = reply.text["<think>\n".len()..reply.text.len() - "\n</think>".len()].to_owned();
        let scores = gold
            .scores
            .iter()
            .map(|s| Score::new(*s).expect("gold scores lie in 1..=5. This is a bug."));
        let verdict = Verdict {
            reasoning,
            scores: scores.collect(),
            ranking: gold.ranking,
            repairs: vec![],
        };
        let whole = render(&verdict, &Mask::identity(count));
        let json = whole
            .find("{\"scores\"")
            .expect("a rendered verdict has scores. This is a bug.");
        let end = json + whole[json..].find('}').expect("the scores end. This is a bug.");
        for (at, _) in whole[json..end].match_indices("\": ") {
            let digit = json + at + 3;
            if whole.as_bytes()[digit].is_ascii_digit() {
                reply.marks.push((digit..digit + 1, Kind::Score));
            }
        }
        self.finish(
            principle,
            prompt,
            texts,
            Reply {
                text: whole,
                marks: reply.marks,
            },
        )
    }

    /// A principle beside one very short response, and a reply that only says what it asks for.
    fn name(&self, rng: &mut ChaCha8Rng) -> Example {
        let (measure, direction) = draw_principle(rng);
        let principle = phrase(measure, direction, rng, Split::Train);
        let mut reply = Reply::default();
        reply.text.push_str("<think>\n");
        reply.asked(measure, direction);
        reply.text.push_str("\n</think>");
        let text = trim_to_words(&synth::sentence(rng), 3);
        self.finish(
            principle,
            trim_to_words(&synth::prompt(rng), 6),
            vec![text],
            reply,
        )
    }

    fn measure(&self, rng: &mut ChaCha8Rng, max_words: usize) -> Example {
        let count = rng.random_range(1..=3);
        let mut trained: Vec<Measure> = Measure::ALL.iter().copied().filter(|m| !m.held_out()).collect();
        trained.shuffle(rng);
        trained.truncate(rng.random_range(3..=7));
        let (prompt, texts) = self.texts(rng, count, max_words, trained[0]);
        let names: Vec<&str> = trained.iter().map(|m| m.quality()).collect();
        let mut reply = Reply::default();
        reply.text.push_str("<think>");
        for measure in &trained {
            reply.text.push('\n');
            reply.levels(*measure, &texts);
        }
        reply.text.push_str("\n</think>");
        self.finish(format!("Measure {}.", names.join(", ")), prompt, texts, reply)
    }

    fn finish(&self, principle: String, prompt: String, texts: Vec<String>, reply: Reply) -> Example {
        let named = texts.into_iter().enumerate().map(|(i, text)| Response {
            name: format!("r{i}"),
            text,
        });
        let mask = Mask::identity(named.len());
        let request = JudgeRequest::new(principle, prompt, named.collect())
            .expect("principle, prompt and responses were made non-empty. This is a bug.");
        Example {
            messages: messages(self.profile, &request, &mask),
            reply: reply.text,
            marks: reply.marks,
        }
    }

    /// A prompt and `count` texts of at most `max_words` words.
    fn texts(
        &self,
        rng: &mut ChaCha8Rng,
        count: usize,
        max_words: usize,
        measure: Measure,
    ) -> (String, Vec<String>) {
        let real = !self.pool.prompts.is_empty();
        let entry = self.pool.prompts.choose(rng);
        let prompt = match entry {
            Some((prompt, _)) if !prompt.trim().is_empty() && !rng.random_bool(self.config.synthetic) => {
                let short = if rng.random_bool(0.7) { 16 } else { 60 };
                trim_to_words(prompt, short)
            }
            _ => synth::prompt(rng),
        };
        let texts = (0..count)
            .map(|_| {
                let limit = rng.random_range(max_words.div_ceil(3)..=max_words);
                let text = if !real || rng.random_bool(self.config.synthetic) {
                    (0..rng.random_range(1..=6))
                        .map(|_| synth::sentence(rng) + " ")
                        .collect()
                } else {
                    self.window(rng, entry.filter(|_| true).map(|e| &e.1), limit)
                };
                let text = self.enrich(rng, text, measure);
                let text = trim_to_words(restructured(rng, text).trim(), limit);
                if text.trim().is_empty() {
                    "Yes.".to_owned()
                } else {
                    text
                }
            })
            .collect();
        (prompt, texts)
    }

    /// Some consecutive sentences of a text: half the time one that answers the prompt, else any.
    fn window(&self, rng: &mut ChaCha8Rng, own: Option<&Vec<usize>>, limit: usize) -> String {
        let any = rng.random_range(0..self.pool.texts.len());
        let text = match own.and_then(|o| o.choose(rng)) {
            Some(i) if rng.random_bool(0.5) => *i,
            _ => any,
        };
        let sentences = &self.pool.texts[text];
        let start = if rng.random_bool(0.5) {
            0
        } else {
            rng.random_range(0..sentences.len())
        };
        let mut out = String::new();
        let mut words = 0;
        for sentence in &sentences[start..] {
            out.push_str(sentence);
            words += sentence.split_whitespace().count();
            if words >= limit || rng.random_bool(0.15) {
                break;
            }
        }
        out
    }

    /// With some chance, puts sentences that show `measure` in front, after or in place of the text.
    fn enrich(&self, rng: &mut ChaCha8Rng, text: String, measure: Measure) -> String {
        let at = Measure::ALL.iter().position(|m| *m == measure);
        let bank = at
            .and_then(|i| self.pool.showing.get(i))
            .filter(|b| !b.is_empty());
        let Some(bank) = bank.filter(|_| rng.random_bool(self.config.enrich)) else {
            return text;
        };
        let added: String = (0..rng.random_range(1..=3))
            .filter_map(|_| bank.choose(rng))
            .map(|s| format!("{s} "))
            .collect();
        match rng.random_range(0..3) {
            0 => format!("{} {added}", text.trim_end()),
            1 => format!("{added}{text}"),
            _ => added,
        }
    }
}

/// A measure that is trained on, and a direction.
fn draw_principle(rng: &mut ChaCha8Rng) -> (Measure, Direction) {
    let trained: Vec<Measure> = Measure::ALL.iter().copied().filter(|m| !m.held_out()).collect();
    let measure = *trained
        .choose(rng)
        .expect("some measures are trained on. This is a bug.");
    (
        measure,
        *Direction::ALL
            .choose(rng)
            .expect("there are two directions. This is a bug."),
    )
}

/// With some chance, sets the sentences of a text as lines, a list or with emphasis.
fn restructured(rng: &mut ChaCha8Rng, text: String) -> String {
    let parts = crate::pool::sentences(&text);
    let lines = |prefix: &dyn Fn(usize) -> String| -> String {
        parts
            .iter()
            .enumerate()
            .map(|(i, p)| format!("{}{}\n", prefix(i), p.trim()))
            .collect()
    };
    match rng.random_range(0..24) {
        0 => lines(&|_| "- ".to_owned()),
        1 => lines(&|i| format!("{}. ", i + 1)),
        2 => lines(&|_| "* ".to_owned()),
        3 => lines(&|_| String::new()),
        4 => lines(&|i| if i > 0 { "\n".to_owned() } else { String::new() }),
        5 | 6 => {
            let mark = ["**", "`", "*"].choose(rng).copied().unwrap_or("**");
            let share = rng.random_range(0.05..0.3);
            let words = text.split(' ').map(|w| {
                if w.chars().all(char::is_alphanumeric) && !w.is_empty() && rng.random_bool(share) {
                    format!("{mark}{w}{mark}")
                } else {
                    w.to_owned()
                }
            });
            words.collect::<Vec<_>>().join(" ")
        }
        _ => text,
    }
}

#[derive(Default)]
struct Reply {
    text: String,
    marks: Vec<(Range<usize>, Kind)>,
}

impl Reply {
    fn mark(&mut self, text: &str, kind: Kind) {
        let start = self.text.len();
        self.text.push_str(text);
        self.marks.push((start..self.text.len(), kind));
    }

    /// `Asked for: fewer commas.`
    fn asked(&mut self, measure: Measure, direction: Direction) {
        self.text.push_str("Asked for: ");
        self.mark(direction.id(), Kind::Direction);
        self.text.push(' ');
        self.mark(measure.quality(), Kind::Quality);
        self.text.push('.');
    }

    /// `commas: model-1 3, model-2 0.`
    fn levels(&mut self, measure: Measure, texts: &[String]) {
        self.text.push_str(measure.quality());
        self.text.push(':');
        for (i, text) in texts.iter().enumerate() {
            self.text
                .push_str(&format!("{} model-{} ", if i > 0 { "," } else { "" }, i + 1));
            self.mark(&measure.level(text).to_string(), Kind::Level);
        }
        self.text.push('.');
    }
}
