//! How a prompt is rendered for a model that holds no conversations.

use super::config::Start;
use crate::TrainError;
use rewardanything_engine::TokenizerConfig;
use std::path::Path;

/// Where the prompt goes.
const PLACE: &str = "{prompt}";
/// What a plain language model reads where nobody says: the prompt, and a line break.
const PLAIN: &str = "{prompt}\n";

/// The chat template (Jinja) that puts a prompt into `text` where it says `{prompt}`.
///
/// ```
/// use rewardanything_train::grpo::plain_template;
///
/// let template = plain_template("Q: {prompt}\nA:").unwrap();
/// assert_eq!(
///     template,
///     r#"{{ "Q: " }}{% for message in messages %}{{ message.content }}{% endfor %}{{ "\nA:" }}"#
/// );
/// assert!(plain_template("no place").is_none());
/// ```
pub fn plain_template(text: &str) -> Option<String> {
    let (before, after) = text.split_once(PLACE)?;
    // A string literal means the same in Jinja and in JSON, and nothing in it is taken for a tag.
    let literal = |text: &str| format!("{{{{ {} }}}}", serde_json::Value::from(text));
    let prompt = "{% for message in messages %}{{ message.content }}{% endfor %}";
    Some(format!("{}{prompt}{}", literal(before), literal(after)))
}

/// The template that a run renders prompts with, where it is not the model's own.
pub(super) fn of(start: &Start, from: &Path) -> Result<Option<String>, TrainError> {
    let text = match &start.template {
        Some(text) => text.as_str(),
        None if has_own(from) => return Ok(None),
        None => PLAIN,
    };
    let template = plain_template(text).ok_or_else(|| TrainError::Recipe {
        field: "model.template",
        message: format!("expected a text with {PLACE} in it, got {text:?}"),
    })?;
    Ok(Some(template))
}

fn has_own(from: &Path) -> bool {
    let config = std::fs::read(from.join("tokenizer_config.json")).ok();
    let config = config.and_then(|bytes| TokenizerConfig::from_json(&bytes).ok());
    from.join("chat_template.jinja").exists() || config.is_some_and(|config| config.chat_template.is_some())
}
