//! The files of a model, wherever they lie: a folder, one GGUF file, or bytes inside the binary.

use std::path::Path;

use crate::chat::TokenizerConfig;
use crate::config::OneOrMany;
use crate::{Config, EngineError, Weights, gguf};

type Result<T> = std::result::Result<T, EngineError>;

/// What a model is made of, read and not yet loaded: its weights are still on disk.
pub struct ModelFiles<'a> {
    /// What the model is called.
    pub name: String,
    /// Shape and constants.
    pub config: Config,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// Chat template and special tokens.
    pub settings: TokenizerConfig,
    /// Tokens that end a reply.
    pub stop: Vec<u32>,
    /// Where the tensors lie.
    pub weights: Weights<'a>,
    /// `judge.toml`, where the model has one.
    pub profile: Option<String>,
}

/// The files of a model folder, for a model that is built into the binary.
#[derive(Debug, Clone, Copy)]
pub struct ModelBytes<'a> {
    /// `config.json`.
    pub config: &'a [u8],
    /// `tokenizer.json`.
    pub tokenizer: &'a [u8],
    /// `tokenizer_config.json`, with the chat template.
    pub tokenizer_config: &'a [u8],
    /// `model.safetensors`.
    pub weights: &'a [u8],
    /// `judge.toml`, where the model has one.
    pub profile: Option<&'a str>,
}

impl ModelFiles<'static> {
    /// A folder in the Hugging Face layout: `config.json`, `tokenizer.json`, `tokenizer_config.json`, the chat template
    /// (in the latter or in `chat_template.jinja`, which wins), `model.safetensors` or its shards, and where present
    /// `generation_config.json` and `judge.toml`. The model is named after the folder.
    ///
    /// # Errors
    /// The first file that is missing or malformed.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let config = Config::from_json(&required(folder, "config.json")?)?;
        let tokenizer = required(folder, "tokenizer.json")?;
        let mut settings = TokenizerConfig::from_json(&required(folder, "tokenizer_config.json")?)?;
        if let Some(template) = optional_text(folder, "chat_template.jinja")? {
            settings.chat_template = Some(template);
        }
        let mut stop = config.eos_token_id.clone();
        if let Some(bytes) = optional(folder, "generation_config.json")? {
            stop.extend(generation_stops(&bytes)?);
        }
        let name = folder
            .file_name()
            .map_or_else(|| folder.to_string_lossy(), |name| name.to_string_lossy());
        Ok(Self {
            name: name.into_owned(),
            config,
            tokenizer,
            settings,
            stop,
            weights: Weights::open(folder)?,
            profile: optional_text(folder, "judge.toml")?,
        })
    }

    /// One GGUF file of the architecture `qwen3`, which holds the tokenizer and the chat template too. The model is
    /// named after the file.
    ///
    /// # Errors
    /// [`EngineError::Gguf`] with the first field that is missing or that this engine does not run, or a malformed file.
    pub fn from_gguf(file: &Path) -> Result<Self> {
        gguf::read(file)
    }
}

impl<'a> ModelFiles<'a> {
    /// The same files as bytes, under a name.
    ///
    /// # Errors
    /// As [`ModelFiles::from_folder`].
    pub fn from_bytes(files: ModelBytes<'a>, name: impl Into<String>) -> Result<Self> {
        let config = Config::from_json(files.config)?;
        Ok(Self {
            name: name.into(),
            tokenizer: files.tokenizer.to_vec(),
            settings: TokenizerConfig::from_json(files.tokenizer_config)?,
            stop: config.eos_token_id.clone(),
            config,
            weights: Weights::from_bytes(files.weights)?,
            profile: files.profile.map(str::to_owned),
        })
    }
}

impl std::fmt::Debug for ModelFiles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelFiles")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The stop tokens of a `generation_config.json`.
fn generation_stops(bytes: &[u8]) -> Result<Vec<u32>> {
    #[derive(serde::Deserialize)]
    struct File {
        eos_token_id: Option<OneOrMany>,
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| EngineError::Json {
        file: "generation_config.json".to_owned(),
        message: error.to_string(),
    })?;
    Ok(file.eos_token_id.map(OneOrMany::into_vec).unwrap_or_default())
}

fn optional(folder: &Path, file: &str) -> Result<Option<Vec<u8>>> {
    let path = folder.join(file);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EngineError::Io {
            file: path.display().to_string(),
            source,
        }),
    }
}

fn optional_text(folder: &Path, file: &str) -> Result<Option<String>> {
    let text = optional(folder, file)?.map(String::from_utf8).transpose();
    text.map_err(|error| EngineError::Io {
        file: folder.join(file).display().to_string(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
    })
}

fn required(folder: &Path, file: &str) -> Result<Vec<u8>> {
    optional(folder, file)?.ok_or_else(|| EngineError::MissingFile {
        path: folder.join(file),
    })
}
