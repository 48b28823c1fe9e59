//! Models by name: the judge of an alignment, and policies that are sampled and not trained.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rewardanything_core::Generate;
use rewardanything_engine::LocalModel;
use rewardanything_train::grpo::plain_template;

use crate::align::args::JudgeChoice;
use crate::args::{LocalArgs, ModelArgs, ServerArgs};
use crate::models::{self, Speaker};
use crate::value::Text;

/// Loads or reaches a judge.
///
/// # Errors
/// As [`models::resolve`].
pub(crate) fn judge(
    name: &str,
    profile: Option<&str>,
    permutations: usize,
    choice: &JudgeChoice,
) -> Result<Speaker> {
    let args = ModelArgs {
        model: name.to_owned(),
        profile: profile.map(str::to_owned),
        permutations,
        ..ModelArgs::plain(&choice.local, &choice.server)
    };
    models::resolve(&args)
}

/// A model that replies.
pub(crate) struct Policy {
    /// What writes.
    pub(crate) model: Arc<dyn Generate>,
    /// The same, where it is on this machine.
    pub(crate) local: Option<Arc<LocalModel>>,
}

/// Loads or reaches a model that replies to prompts: one behind a URL, or one of this machine. What has no chat template
/// reads the prompt as `template` says, or with a line break after it.
///
/// # Errors
/// There is no such model, or it is unusable.
pub(crate) fn policy(
    name: &str,
    template: Option<&Text>,
    (local, server): (&LocalArgs, &ServerArgs),
) -> Result<Policy> {
    if name.contains("://") {
        let args = ModelArgs {
            model: name.to_owned(),
            ..ModelArgs::plain(local, server)
        };
        let speaker = models::resolve(&args)?;
        return Ok(Policy {
            model: speaker.setup().model,
            local: None,
        });
    }
    let mut files = models::files(name)?;
    let text = template.map(Text::read).transpose()?;
    if text.is_some() || files.settings.chat_template.is_none() {
        let text = text.as_deref().unwrap_or("{prompt}\n");
        let template = plain_template(text).context("--template: expected a text with {prompt} in it")?;
        files.settings.chat_template = Some(template);
    }
    let model = Arc::new(models::loaded(files, name, local)?);
    Ok(Policy {
        model: Arc::clone(&model) as Arc<dyn Generate>,
        local: Some(model),
    })
}
