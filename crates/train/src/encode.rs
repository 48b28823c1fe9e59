//! Examples to tokens and weights.

use crate::TrainError;
use crate::examples::{Example, Kind};
use crate::recipe::Recipe;
use crate::sequence::Sequence;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::Role;
use std::path::Path;
use tokenizers::Tokenizer;

/// Tokenises examples as the judge will see them at inference.
pub struct Encoder {
    tokenizer: Tokenizer,
    context_weight: f32,
    context_share: f32,
    seed: u64,
}

impl Encoder {
    /// An encoder for a model folder.
    ///
    /// # Errors
    /// [`TrainError::Tokenizer`] when ChatML's tokens are missing.
    pub fn new(tokenizer: Tokenizer, _folder: &Path, recipe: &Recipe) -> Result<Self, TrainError> {
        for token in ["<|im_start|>", "<|im_end|>"] {
            crate::bpe::id(&tokenizer, token)?;
        }
        let Recipe { run, seed, .. } = recipe;
        Ok(Self {
            tokenizer,
            context_weight: run.context_weight,
            context_share: run.context_share,
            seed: *seed,
        })
    }

    /// Tokens and weights; `place` (step, index) seeds the choice of prompt tokens that are predicted.
    ///
    /// # Errors
    /// [`TrainError::Tokenizer`].
    pub fn encode(&self, example: &Example, place: (usize, usize)) -> Result<Sequence, TrainError> {
        let error = |e: tokenizers::Error| TrainError::Tokenizer(e.to_string());
        let mut prompt = String::new();
        for message in &example.messages {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            prompt.push_str(&format!("<|im_start|>{role}\n{}<|im_end|>\n", message.content));
        }
        prompt.push_str("<|im_start|>assistant\n");
        let context = self.tokenizer.encode(prompt, false).map_err(error)?;
        let reply = self
            .tokenizer
            .encode(format!("{}<|im_end|>", example.reply), false)
            .map_err(error)?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0xC0_47E8);
        rng.set_stream(((place.0 as u64) << 20) | place.1 as u64);
        let weight = if self.context_share > 0.0 {
            self.context_weight / self.context_share
        } else {
            0.0
        };
        let mut tokens = context.get_ids().to_vec();
        let mut weights: Vec<f32> = tokens
            .iter()
            .map(|_| {
                if weight > 0.0 && rng.random::<f32>() < self.context_share {
                    weight
                } else {
                    0.0
                }
            })
            .collect();
        let mut kinds = vec![Kind::Context; tokens.len()];
        for (id, (start, end)) in reply.get_ids().iter().zip(reply.get_offsets()) {
            tokens.push(*id);
            weights.push(1.0);
            // A token belongs to the mark that its last byte lies in: a leading space is part of the token.
            let mark = example
                .marks
                .iter()
                .find(|(range, _)| *start < range.end && range.contains(&end.saturating_sub(1)));
            kinds.push(mark.map_or(Kind::Other, |m| m.1));
        }
        Ok(Sequence {
            tokens,
            weights,
            kinds,
        })
    }
}
