//! Scalar reward models on a benchmark: every response alone, without a principle, which such models do not read.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rewardanything_core::{JudgeRequest, Message, Role};
use rewardanything_engine::{ChatTemplate, TokenizerConfig};
use rewardanything_remote::{Address, Scalar, ScalarApi, ScalarInput, Settings, sha256};
use serde_json::Map;

use super::args::{BenchArgs, ScalarArg};
use super::data::Task;
use crate::hub;
use crate::items::Key;
use crate::records::{Record, failed};
use rewardanything_core::record::{Failure, Usage};

/// A scalar model, and the template that makes text of a conversation where the server does not.
pub(crate) struct ScalarJudge {
    model: Scalar,
    template: Option<ChatTemplate>,
    /// SHA-256 of the template's file.
    pub(crate) template_sha256: Option<String>,
}

impl ScalarJudge {
    /// Connects to the servers of `--model`.
    ///
    /// # Errors
    /// `--model` is no URL, no server answers, or the template is missing or unusable.
    pub(crate) fn connect(args: &BenchArgs, api: ScalarArg) -> Result<Self> {
        ensure!(
            args.model.model.contains("://"),
            "--scalar asks a server: --model must be its URL, found {:?}",
            args.model.model
        );
        ensure!(
            api == ScalarArg::Classify || args.chat_template.is_some(),
            "--scalar embeddings sends text, so the model's --chat-template is needed"
        );
        let urls = args
            .model
            .model
            .split(',')
            .map(Address::parse)
            .collect::<Result<_, _>>();
        let server = &args.model.server;
        let settings = Settings {
            served_model: server.served_model.clone(),
            concurrency: usize::from(server.concurrency),
            timeout: Duration::from_secs(u64::from(server.timeout)),
            jitter_seed: u64::from(std::process::id()),
            ..Settings::default()
        };
        let api = match api {
            ScalarArg::Classify => ScalarApi::Classify,
            ScalarArg::Embeddings => ScalarApi::Embeddings,
        };
        let (template, template_sha256) = match &args.chat_template {
            None => (None, None),
            Some(path) => {
                let (template, hash) = template(path)?;
                (Some(template), Some(hash))
            }
        };
        Ok(ScalarJudge {
            model: Scalar::connect(urls.context("--model")?, &hub::keys(), settings, api)?,
            template,
            template_sha256,
        })
    }

    /// As records bear it.
    pub(crate) fn name(&self) -> &str {
        self.model.name()
    }

    /// What the server was asked for.
    pub(crate) fn served_model(&self) -> &str {
        self.model.served_model()
    }

    /// Scores requests of one response each.
    ///
    /// # Errors
    /// The template refuses a conversation.
    pub(crate) fn records(&self, tasks: Vec<Task>) -> Result<Vec<(Key, Record)>> {
        let start = std::time::Instant::now();
        let inputs: Vec<ScalarInput> = tasks
            .iter()
            .map(|task| self.input(&task.request))
            .collect::<Result<_>>()?;
        let replies = self.model.score(&inputs);
        let seconds = start.elapsed().as_secs_f64() / tasks.len().max(1) as f64;
        Ok(tasks
            .into_iter()
            .zip(replies)
            .map(|(task, reply)| {
                let key = Key::Id(task.id);
                let mut record = failed(&key, "", "", self.name());
                record.seconds = (seconds * 1e3).round() / 1e3;
                match reply {
                    Err(error) => {
                        let error = rewardanything_core::JudgeError::from(error);
                        record.error = Some(Failure {
                            kind: error.kind().to_owned(),
                            message: error.to_string(),
                        });
                    }
                    Ok(reply) => {
                        let names = task
                            .request
                            .responses()
                            .iter()
                            .map(|response| response.name.clone());
                        record.error = None;
                        record.ranking = names.clone().collect();
                        record.scores = names
                            .map(|name| (name, reply.score.into()))
                            .collect::<Map<_, _>>();
                        record.usage = Usage {
                            prompt_tokens: reply.prompt_tokens,
                            completion_tokens: 0,
                        };
                    }
                }
                (key, record)
            })
            .collect())
    }

    fn input(&self, request: &JudgeRequest) -> Result<ScalarInput> {
        let says = |role, content: &str| Message {
            role,
            content: content.to_owned(),
        };
        let answer = request.responses().first().map_or("", |response| &response.text);
        let messages = vec![says(Role::User, request.prompt()), says(Role::Assistant, answer)];
        Ok(match &self.template {
            None => ScalarInput::Messages(messages),
            Some(template) => ScalarInput::Text(template.render(&messages, false, false)?),
        })
    }
}

/// A template from a `tokenizer_config.json` or a file of Jinja.
fn template(path: &Path) -> Result<(ChatTemplate, String)> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let hash = sha256(&mut bytes.as_slice())?;
    let of = |error| anyhow::Error::new(error).context(format!("{} is no chat template", path.display()));
    let settings = if path.extension().is_some_and(|extension| extension == "json") {
        TokenizerConfig::from_json(&bytes).map_err(of)?
    } else {
        TokenizerConfig {
            chat_template: Some(
                String::from_utf8(bytes).with_context(|| format!("{} is no text", path.display()))?,
            ),
            ..TokenizerConfig::default()
        }
    };
    let source = settings
        .chat_template
        .clone()
        .with_context(|| format!("{} holds no chat template", path.display()))?;
    Ok((ChatTemplate::new(source, &settings).map_err(of)?, hash))
}
