//! What the model is like on prompts that it is not trained on.

use super::Judges;
use super::config::StopBy;
use super::guards::{self, Start};
use super::prompts::Prompt;
use super::referee::{Group, Referee};
use super::sample::{Sampled, Writer};
use crate::TrainError;
use crate::folder::file_error;
use crate::grpo::{Validated, mix};
use crate::texts::Pair;
use rewardanything_core::{Message, Repeats, Role};
use rewardanything_engine::LocalModel;
use rewardanything_principles::{Direction, Quality};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The start's replies, in a run's folder.
const START: &str = "start.jsonl";

/// The held-out prompts, and what the model said to them before it was trained.
pub(super) struct HeldOut {
    pub(super) prompts: Vec<Prompt>,
    pub(super) texts: Vec<Pair>,
    pub(super) stop_by: StopBy,
    pub(super) watched: Vec<Quality>,
    pub(super) principle: String,
    pub(super) judges: Judges,
    file: PathBuf,
    start: Option<Vec<Sampled>>,
}

/// A sample of what is held out, as `start.jsonl` has it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Line {
    id: String,
    prompt: String,
    #[serde(flatten)]
    reply: Sampled,
}

impl HeldOut {
    pub(super) fn new(
        prompts: Vec<Prompt>,
        (principle, judges): (String, Judges),
        (stop_by, watched): (StopBy, Vec<Quality>),
        folder: &Path,
    ) -> Self {
        Self {
            prompts,
            texts: Vec::new(),
            stop_by,
            watched,
            principle,
            judges,
            file: folder.join(START),
            start: None,
        }
    }

    /// Takes the start's replies from where an earlier part of the run left them.
    pub(super) fn resume(&mut self) -> Result<(), TrainError> {
        let error = |message: &str| file_error(&self.file, message);
        // A run that was stopped before its first step has none yet.
        let Ok(text) = std::fs::read_to_string(&self.file) else {
            return Ok(());
        };
        let lines: Vec<Line> = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|e| error(&e.to_string()))?;
        if !lines
            .iter()
            .map(|line| &line.prompt)
            .eq(self.prompts.iter().map(|p| &p.text))
        {
            return Err(error("holds replies to other prompts than those of this recipe"));
        }
        self.start = Some(lines.into_iter().map(|line| line.reply).collect());
        Ok(())
    }

    /// What the model was like before it was trained, where that is known.
    pub(super) fn start(&self) -> Start {
        let replies = self.start.as_deref().unwrap_or_default();
        Start {
            means: guards::means(replies.iter().map(|reply| reply.text.as_str()), &self.watched),
            truncated: share(replies, |reply| reply.truncated),
        }
    }

    /// Measures a model. The first one measured is the start.
    pub(super) fn measure(
        &mut self,
        writer: &Writer<'_>,
        model: &LocalModel,
    ) -> Result<Validated, TrainError> {
        let replies = writer
            .replies(&self.prompts, 1)
            .into_iter()
            .zip(&self.prompts)
            .map(|(replies, prompt)| {
                let message =
                    |why: String| file_error(&self.file, &format!("held-out prompt {}: {why}", prompt.id));
                let reply = replies.map_err(message)?.pop();
                Ok(reply.expect("one reply was asked for. This is a bug."))
            })
            .collect::<Result<Vec<Sampled>, TrainError>>()?;
        if self.start.is_none() {
            self.keep(&replies)?;
            self.start = Some(replies.clone());
        }
        let start = self.start.as_deref().unwrap_or_default();
        let mut measures = guards::means(replies.iter().map(|reply| reply.text.as_str()), &self.watched);
        measures.insert("truncated", share(&replies, |reply| reply.truncated));
        if !self.texts.is_empty() {
            measures.insert("text_loss", text_loss(model, writer.thinking, &self.texts)?);
        }
        let mut unparsed = 0;
        let second = self
            .judges
            .second
            .as_ref()
            .map(|second| ("second_win_rate", second));
        for (name, judge) in [("win_rate", &self.judges.judge)].into_iter().chain(second) {
            let wins = wins(
                judge,
                &self.principle,
                (&self.prompts, start, &replies),
                writer.seed,
            );
            let known: Vec<f64> = wins.iter().filter_map(|win| win.as_ref().ok().copied()).collect();
            unparsed += wins.len() - known.len();
            if let (true, Some(Err(message))) = (known.is_empty(), wins.last()) {
                let message = format!("no held-out pair of replies has a verdict; the last: {message}");
                return Err(file_error(&self.file, &message));
            }
            measures.insert(name, known.iter().sum::<f64>() / known.len() as f64);
        }
        Ok(Validated {
            goodness: self.goodness(&measures)?,
            measures,
            items: replies.len(),
            unparsed,
        })
    }

    fn goodness(&self, measures: &BTreeMap<&'static str, f64>) -> Result<f64, TrainError> {
        let (name, sign) = match self.stop_by {
            StopBy::Judge => ("win_rate", 1.0),
            StopBy::WatchJudge => ("second_win_rate", 1.0),
            StopBy::Quality(Direction::More, quality) => (quality.id(), 1.0),
            StopBy::Quality(Direction::Fewer, quality) => (quality.id(), -1.0),
        };
        let found = measures.get(name).ok_or_else(|| TrainError::Recipe {
            field: "held_out.stop_by",
            message: "there is no second judge: name one, or let the run stop by another measure".to_owned(),
        })?;
        Ok(sign * found)
    }

    fn keep(&self, replies: &[Sampled]) -> Result<(), TrainError> {
        let lines: String = self
            .prompts
            .iter()
            .zip(replies)
            .map(|(prompt, reply)| {
                let line = Line {
                    id: prompt.id.clone(),
                    prompt: prompt.text.clone(),
                    reply: reply.clone(),
                };
                serde_json::to_string(&line).expect("a line is plain data. This is a bug.") + "\n"
            })
            .collect();
        crate::checkpoint::write_atomically(&self.file, lines.as_bytes())
    }
}

/// For each prompt, 1 where the judge prefers `after` to `before`, 0 where it is the other way round, and a half where
/// their scores are equal; or why there is no verdict. Each pair is shown in both orders.
pub(super) fn wins(
    judge: &Referee,
    principle: &str,
    (prompts, before, after): (&[Prompt], &[Sampled], &[Sampled]),
    seed: u64,
) -> Vec<Result<f64, String>> {
    let both = Referee {
        repeats: Repeats {
            permutations: judge.repeats.permutations.max(2),
            ..judge.repeats
        },
        ..judge.clone()
    };
    let groups: Vec<Group<'_>> = prompts
        .iter()
        .zip(before.iter().zip(after))
        .map(|(prompt, (before, after))| Group {
            prompt: &prompt.text,
            replies: vec![&before.text, &after.text],
        })
        .collect();
    // Equal replies need no judge.
    let differ: Vec<Group<'_>> = groups
        .iter()
        .filter(|g| g.replies[0] != g.replies[1])
        .cloned()
        .collect();
    let mut judged = both.judge(principle, &differ, mix(seed, &[0x3125])).into_iter();
    groups
        .iter()
        .map(|group| {
            if group.replies[0] == group.replies[1] {
                return Ok(0.5);
            }
            let scored = judged.next().expect("every group is judged. This is a bug.");
            let scores = scored.map_err(|why| why.message)?.softest();
            Ok(match scores[1].total_cmp(&scores[0]) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => 0.5,
            })
        })
        .collect()
}

/// The mean loss of the responses' tokens, in nats, each pair rendered as the model renders conversations. What would end
/// a response is not counted.
///
/// # Errors
/// The engine's.
pub fn text_loss(model: &LocalModel, thinking: bool, pairs: &[Pair]) -> Result<f64, TrainError> {
    let context = model.config().max_position_embeddings;
    let (mut sum, mut count) = (0.0, 0_usize);
    for pair in pairs {
        let message = Message {
            role: Role::User,
            content: pair.prompt.clone(),
        };
        let mut tokens = model.chat().encode(&[message], true, thinking)?;
        let prompt = tokens.len();
        tokens.extend(model.chat().tokenizer().encode(&pair.response)?);
        if tokens.len() > context || prompt == 0 {
            continue;
        }
        let logits = model.logits(&tokens)?;
        for at in prompt..tokens.len() {
            sum -= f64::from(rewardanything_engine::log_probability(
                &logits[at - 1],
                tokens[at],
            ));
            count += 1;
        }
    }
    Ok(sum / count.max(1) as f64)
}

fn share(replies: &[Sampled], of: impl Fn(&Sampled) -> bool) -> f64 {
    replies.iter().filter(|reply| of(reply)).count() as f64 / replies.len().max(1) as f64
}
