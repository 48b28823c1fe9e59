//! `model info`: what a model is, in a few lines.

use std::io::{self, Write as _};

use anyhow::Result;
use rewardanything_core::{Generate as _, Profile};

use crate::Outcome;
use crate::models;
use crate::table::pad;

/// Runs `model info`. The model is loaded in full: what is printed is what would run.
///
/// # Errors
/// The model is not there or unusable.
pub(crate) fn run(model: &str) -> Result<Outcome> {
    let model = models::load(model)?;
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
        ("profile", profile),
    ];
    let mut out = io::stdout().lock();
    for (name, value) in rows {
        writeln!(out, "{}{value}", pad(name, 14))?;
    }
    Ok(Outcome::Done)
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
