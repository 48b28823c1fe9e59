//! What can go wrong between a model folder and its tokens.

use std::path::PathBuf;

/// Every failure of this crate. Each message names the file, field or tensor it is about.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file of the model folder is not there.
    #[error("the model folder lacks {}", path.display())]
    MissingFile {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// A file is there but could not be read.
    #[error("could not read {file}: {source}")]
    Io {
        /// The file, or a short name of the bytes that stand for it.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A JSON file of the model does not parse.
    #[error("{file} is not valid JSON: {message}")]
    Json {
        /// The file.
        file: String,
        /// What the parser said.
        message: String,
    },
    /// A field of `config.json` is missing, of the wrong type, or outside what this engine runs.
    #[error("config.json, field `{field}`: {message}")]
    Config {
        /// The field.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// The folder holds a model of another family.
    #[error("unknown architecture {found:?}: this engine runs \"Qwen3ForCausalLM\" (model_type \"qwen3\")")]
    UnknownArchitecture {
        /// What `config.json` says.
        found: String,
    },
    /// The weights lack a tensor that the configuration calls for.
    #[error("the weights lack the tensor {name}")]
    MissingTensor {
        /// Its Hugging Face name.
        name: String,
    },
    /// A tensor's shape is not the one that the configuration calls for.
    #[error("tensor {name}: expected shape {expected:?}, got {got:?}")]
    WrongShape {
        /// Its Hugging Face name.
        name: String,
        /// The shape by the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        got: Vec<usize>,
    },
    /// A tensor is stored in a number format that this engine does not read.
    #[error("tensor {name} is stored as {dtype}: only F32, F16, BF16, Q8_0, Q4_K and Q6_K are read")]
    UnsupportedDtype {
        /// Its Hugging Face name.
        name: String,
        /// The format by the file's header.
        dtype: String,
    },
    /// A weights file ends before its last tensor does.
    #[error("{file} is truncated: expected {expected} bytes, got {got}")]
    Truncated {
        /// The file.
        file: String,
        /// The length that its header calls for, in bytes.
        expected: u64,
        /// Its length, in bytes.
        got: u64,
    },
    /// A weights file, or the index of its shards, contradicts itself.
    #[error("{file} is malformed: {message}")]
    Weights {
        /// The file.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// A field of a GGUF file is missing, of the wrong type, or outside what this engine runs.
    #[error("{file}, field `{field}`: {message}")]
    Gguf {
        /// The file.
        file: String,
        /// The field's key.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// The tokenizer can produce ids that have no embedding.
    #[error("the tokenizer has ids up to {tokenizer} but the model embeds only {embedding} tokens")]
    VocabularyTooLarge {
        /// One more than the largest id of the tokenizer.
        tokenizer: usize,
        /// Rows of the embedding.
        embedding: usize,
    },
    /// The tokenizer file does not parse, or a text could not be encoded or decoded.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The chat template does not parse, or failed on a conversation.
    #[error("chat template: {0}")]
    Template(String),
    /// `judge.toml` does not parse.
    #[error("judge.toml: {0}")]
    Profile(String),
    /// A token id without an embedding was asked for.
    #[error("token {token} is outside the vocabulary of {vocabulary}")]
    TokenOutOfRange {
        /// The id.
        token: u32,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// The model was called in a way that has no meaning; the message says which.
    #[error("{0}")]
    Call(String),
    /// The logits of a step are not numbers: the weights are damaged or overflow the compute type.
    #[error("the model's logits are not finite")]
    NotFinite,
    /// A device that is not there, or that this build does not know.
    #[error("{0}")]
    Device(String),
    /// A failure inside the tensor library.
    #[error("tensor operation failed: {0}")]
    Tensor(candle_core::Error),
}

impl From<candle_core::Error> for EngineError {
    /// Gives the failures of a `VarBuilder` their typed form, so that a model built from any source of weights
    /// reports a missing or misshapen tensor in the same words.
    fn from(error: candle_core::Error) -> Self {
        match error {
            candle_core::Error::WithBacktrace { inner, .. } => Self::from(*inner),
            candle_core::Error::Context { inner, .. } => Self::from(*inner),
            candle_core::Error::CannotFindTensor { path } => Self::MissingTensor { name: path },
            candle_core::Error::UnexpectedShape { msg, expected, got } => Self::WrongShape {
                name: msg.trim_start_matches("shape mismatch for ").to_owned(),
                expected: expected.into_dims(),
                got: got.into_dims(),
            },
            other => Self::Tensor(other),
        }
    }
}
