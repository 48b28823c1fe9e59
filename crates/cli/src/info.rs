//! `model info`: what a model is, in a few lines.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anyhow::Result;
use rewardanything_core::{Generate as _, Profile};
use rewardanything_engine::ModelFiles;

use crate::Outcome;
use crate::args::LocalArgs;
use crate::models;
use crate::table::pad;

/// Runs `model info`. The model is loaded in full: what is printed is what would run.
///
/// # Errors
/// The model is not there or unusable.
pub(crate) fn run(model: &str, json: bool) -> Result<Outcome> {
    let files = models::files(model)?;
    let stored = stored(&files)?;
    let model = models::load(model, &LocalArgs::default())?;
    let config = model.config();
    let profile = model
        .profile()
        .map_or_else(|| Profile::rewardanything().name, |profile| profile.name.clone());
    let tied = if config.tie_word_embeddings {
        "tied"
    } else {
        "untied"
    };
    let rows = [
        ("name", model.name().to_owned()),
        ("architecture", config.architectures.join(", ")),
        ("parameters", grouped(config.parameter_count())),
        ("layers", config.num_hidden_layers.to_string()),
        (
            "width",
            format!(
                "{} (feed-forward {})",
                config.hidden_size, config.intermediate_size
            ),
        ),
        (
            "heads",
            format!(
                "{} of {} ({} for keys and values)",
                config.num_attention_heads, config.head_dim, config.num_key_value_heads
            ),
        ),
        (
            "vocabulary",
            format!("{}, output {tied}", grouped(config.vocab_size)),
        ),
        (
            "context",
            format!("{} tokens", grouped(config.max_position_embeddings)),
        ),
        ("weights", stored.describe()),
        ("profile", profile.clone()),
    ];
    let mut out = io::stdout().lock();
    if json {
        let object = serde_json::json!({
            "name": model.name(), "parameters": config.parameter_count(), "weights": stored.formats,
            "weight_bytes": stored.bytes, "profile": profile, "config": config,
        });
        writeln!(out, "{object}")?;
        return Ok(Outcome::Done);
    }
    for (name, value) in rows {
        writeln!(out, "{}{value}", pad(name, 14))?;
    }
    Ok(Outcome::Done)
}

/// How the weights of a model are stored.
struct Stored {
    /// How many tensors there are of each number format.
    formats: BTreeMap<String, usize>,
    bytes: usize,
}

impl Stored {
    fn describe(&self) -> String {
        let formats: Vec<String> = self
            .formats
            .iter()
            .map(|(format, count)| format!("{count} tensors {format}"))
            .collect();
        format!("{} bytes: {}", grouped(self.bytes), formats.join(", "))
    }
}

fn stored(files: &ModelFiles<'_>) -> Result<Stored> {
    let mut stored = Stored {
        formats: BTreeMap::new(),
        bytes: 0,
    };
    for (name, _) in files.config.tensors() {
        let (shape, format) = files.weights.describe(&name)?;
        let rows: usize = shape.iter().rev().skip(1).product();
        let row_bytes = shape.last().and_then(|&width| format.row_bytes(width));
        stored.bytes += rows * row_bytes.unwrap_or(0);
        *stored.formats.entry(format.name().to_owned()).or_default() += 1;
    }
    Ok(stored)
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        let check = |number, expect| assert_eq!(grouped(number), expect);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(12_345_678, "12,345,678");
    }
}
