//! Examples to tokens and weights.

use crate::TrainError;
use crate::examples::{Example, Kind};
use crate::recipe::Recipe;
use crate::sequence::Sequence;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_engine::{ChatTemplate, TokenizerConfig};
use std::fs;
use std::path::Path;
use tokenizers::Tokenizer;

/// Weight of what is read out, against 1 for the other tokens of a reply.
const ECHO_WEIGHT: f32 = 0.5;

/// Tokenises examples as the judge will see them at inference.
pub struct Encoder {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    end_of_turn: String,
    context_weight: f32,
    context_share: f32,
    decision_weight: f32,
    seed: u64,
}

impl Encoder {
    /// An encoder for the model in `folder`, which holds its chat template.
    ///
    /// # Errors
    /// [`TrainError::File`] or [`TrainError::Engine`] when the template cannot be read, [`TrainError::Tokenizer`] when
    /// the folder names no token that ends a turn, or one that the tokenizer does not know.
    pub fn new(tokenizer: Tokenizer, folder: &Path, recipe: &Recipe) -> Result<Self, TrainError> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(|e| TrainError::File {
                path,
                message: e.to_string(),
            })
        };
        let config = TokenizerConfig::from_json(&read("tokenizer_config.json")?)?;
        let source = match &config.chat_template {
            Some(source) => source.clone(),
            None => String::from_utf8_lossy(&read("chat_template.jinja")?).into_owned(),
        };
        let missing = || TrainError::Tokenizer("tokenizer_config.json names no eos_token".to_owned());
        let end_of_turn = config.eos_token.clone().ok_or_else(missing)?;
        crate::bpe::id(&tokenizer, &end_of_turn)?;
        let template = ChatTemplate::new(source, &config)?;
        let Recipe { run, seed, .. } = recipe;
        Ok(Self {
            tokenizer,
            template,
            end_of_turn,
            context_weight: run.context_weight,
            context_share: run.context_share,
            decision_weight: run.decision_weight,
            seed: *seed,
        })
    }

    /// Tokens and weights; `place` (step, index) seeds the choice of prompt tokens that are predicted.
    ///
    /// # Errors
    /// [`TrainError::Tokenizer`]; [`TrainError::Engine`] when the template refuses the messages.
    pub fn encode(&self, example: &Example, place: (usize, usize)) -> Result<Sequence, TrainError> {
        let error = |e: tokenizers::Error| TrainError::Tokenizer(e.to_string());
        let prompt = self.template.render(&example.messages, true, true)?;
        let context = self.tokenizer.encode(prompt, false).map_err(error)?;
        let reply = self
            .tokenizer
            .encode(format!("{}{}", example.reply, self.end_of_turn), false)
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
            // A token belongs to the mark that its last byte lies in: a leading space is part of the token.
            let mark = example
                .marks
                .iter()
                .find(|(range, _)| *start < range.end && range.contains(&end.saturating_sub(1)));
            let kind = mark.map_or(Kind::Other, |m| m.1);
            weights.push(match kind {
                Kind::Given => 0.0,
                // Read out once it is learned, a text is easy: there is much of it, and it should not drown the rest.
                Kind::Echo => ECHO_WEIGHT,
                Kind::Other => 1.0,
                _ => self.decision_weight,
            });
            kinds.push(kind);
        }
        Ok(Sequence {
            tokens,
            weights,
            kinds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_core::{Message, Role};

    const RECIPE: &str = r#"
seed = 1
output = "unused"
[model]
from = "unused"
[profile]
name = "tiny"
[run]
steps = 1
batch_tokens = 100
max_tokens = 100
checkpoint_every = 1
decision_weight = 4.0
"#;

    #[test]
    fn decisions_weigh_more_and_what_is_given_weighs_nothing() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-tied");
        let tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
        let encoder = Encoder::new(tokenizer, &folder, &toml::from_str(RECIPE).unwrap()).unwrap();
        let example = Example {
            messages: vec![Message {
                role: Role::User,
                content: "Hi".to_owned(),
            }],
            reply: "7 5 x".to_owned(),
            marks: vec![(0..1, Kind::Given), (2..3, Kind::Score)],
        };
        let sequence = encoder.encode(&example, (0, 0)).unwrap();
        for (kind, weight) in [
            (Kind::Context, 0.0),
            (Kind::Given, 0.0),
            (Kind::Score, 4.0),
            (Kind::Other, 1.0),
        ] {
            let mut of_kind = sequence
                .kinds
                .iter()
                .zip(&sequence.weights)
                .filter(|(k, _)| **k == kind);
            assert!(of_kind.clone().count() > 0, "{kind:?}");
            assert!(of_kind.all(|(_, w)| *w == weight), "{kind:?}: {sequence:?}");
        }
    }
}
