//! Replies to prompts, from whatever can write: the model that is trained, a folder, a server.

use super::prompts::Prompt;
use crate::grpo::mix;
use rewardanything_core::{FinishReason, Fnv1a, Generate, GenerateJob, Sampling, answer};
use serde::{Deserialize, Serialize};

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampled {
    /// Its text, without what the model thought before it.
    pub text: String,
    /// Whether its limit ended it.
    pub truncated: bool,
}

/// A model and how it is sampled. The same prompt has the same replies, whatever is asked beside it.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// What writes.
    pub model: &'a dyn Generate,
    /// Whether it may think first.
    pub thinking: bool,
    /// 0 takes the likeliest token.
    pub temperature: f64,
    /// The longest reply in tokens.
    pub max_new_tokens: usize,
    /// What draws depend on, beside the prompt.
    pub seed: u64,
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("model", &self.model.name())
            .finish_non_exhaustive()
    }
}

impl Writer<'_> {
    /// `n` replies to each prompt, prompt by prompt; or why a prompt has none.
    pub fn replies(&self, prompts: &[Prompt], n: usize) -> Vec<Result<Vec<Sampled>, String>> {
        let jobs: Vec<GenerateJob> = prompts
            .iter()
            .flat_map(|prompt| (0..n).map(move |reply| self.job(prompt, reply)))
            .collect();
        let mut replies = self.model.generate(&jobs).into_iter();
        prompts
            .iter()
            .map(|_| {
                let own: Vec<_> = replies.by_ref().take(n).collect();
                own.into_iter()
                    .map(|reply| {
                        let reply = reply.map_err(|error| error.to_string())?;
                        Ok(Sampled {
                            text: answer(&reply.text).to_owned(),
                            truncated: reply.finish == FinishReason::Length,
                        })
                    })
                    .collect()
            })
            .collect()
    }

    fn job(&self, prompt: &Prompt, reply: usize) -> GenerateJob {
        GenerateJob {
            messages: prompt.messages.clone(),
            sampling: Sampling {
                temperature: self.temperature,
                top_p: 1.0,
                top_k: 0,
                seed: mix(self.seed, &[0x5A3D, Fnv1a::of(&prompt.text), reply as u64]),
                max_new_tokens: self.max_new_tokens,
            },
            thinking: self.thinking,
            form: None,
        }
    }
}
