//! A model folder as one GGUF file, for us and for every program that reads the format.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device};
use serde_json::Value as Json;

use crate::files::ModelFiles;
use crate::gguf::{LAYER_NAMES, OTHER_NAMES, PROFILE, QWEN_WORDS, TOKENIZER_JSON, kind};
use crate::{EngineError, Tokenizer};

type Result<T> = std::result::Result<T, EngineError>;

/// The number format of the matrices in a GGUF file that we write. Norms and biases are always `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GgufFormat {
    /// 8 bits and a scale for every 32 weights; matrices whose rows are no multiple of that stay `F16`.
    Q8_0,
    /// 16 bits, as most checkpoints are published.
    Bf16,
    /// 16 bits with more precision and less range.
    F16,
}

impl GgufFormat {
    fn matrix(self, inputs: usize) -> GgmlDType {
        match self {
            Self::Q8_0 if inputs.is_multiple_of(GgmlDType::Q8_0.block_size()) => GgmlDType::Q8_0,
            Self::Q8_0 | Self::F16 => GgmlDType::F16,
            Self::Bf16 => GgmlDType::BF16,
        }
    }

    /// The number by which `general.file_type` calls a file that is mostly of this format.
    fn file_type(self) -> u32 {
        match self {
            Self::F16 => 1,
            Self::Q8_0 => 7,
            Self::Bf16 => 32,
        }
    }
}

/// Writes a model as one GGUF file; `progress` is told how many tensors of how many are done. All weights are in
/// memory in the new format while the file is written.
///
/// # Errors
/// A file of the model is unusable, a weight does not fit the format, or the output cannot be written.
pub fn write_gguf(
    files: &ModelFiles<'_>,
    format: GgufFormat,
    output: &Path,
    mut progress: impl FnMut(usize, usize),
) -> Result<()> {
    let fields = fields(files, format)?;
    let names: Vec<String> = files.config.tensors().into_iter().map(|(name, _)| name).collect();
    files.weights.check(&files.config)?;
    let mut tensors = Vec::with_capacity(names.len());
    for (done, name) in names.iter().enumerate() {
        tensors.push((gguf_name(name), quantized(files, name, format)?));
        progress(done + 1, names.len());
    }
    let failed = |source| EngineError::Io {
        file: output.display().to_string(),
        source,
    };
    let mut file = BufWriter::new(File::create(output).map_err(failed)?);
    let fields: Vec<(&str, &Value)> = fields.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    gguf_file::write(&mut file, &fields, &tensors)?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}

fn quantized(files: &ModelFiles<'_>, name: &str, format: GgufFormat) -> Result<QTensor> {
    let tensor = files.weights.tensor(name, DType::F32, &Device::Cpu)?;
    let dtype = match tensor.dims() {
        &[_, inputs] => format.matrix(inputs),
        _ => GgmlDType::F32,
    };
    let widest: f32 = tensor.abs()?.flatten_all()?.max(0)?.to_scalar()?;
    // An f16 ends at 65,504; beyond it a conversion would write infinity.
    let limit = match dtype {
        GgmlDType::F16 => 65_504.0,
        GgmlDType::Q8_0 => 127.0 * 65_504.0,
        _ => f32::MAX,
    };
    if widest.is_nan() || widest > limit {
        return Err(EngineError::Weights {
            file: name.to_owned(),
            message: format!("a weight of {widest} does not fit {dtype:?}"),
        });
    }
    Ok(QTensor::quantize(&tensor, dtype)?)
}

fn gguf_name(name: &str) -> String {
    let known = |table: &[(&str, &'static str)], name: &str| {
        let row = table.iter().find(|(hugging_face, _)| *hugging_face == name);
        row.map(|(_, gguf)| *gguf)
            .expect("every tensor of a configuration has a name there. This is a bug.")
    };
    match name
        .strip_prefix("model.layers.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((layer, part)) => format!("blk.{layer}.{}", known(&LAYER_NAMES, part)),
        None => known(&OTHER_NAMES, name).to_owned(),
    }
}

fn fields(files: &ModelFiles<'_>, format: GgufFormat) -> Result<Vec<(&'static str, Value)>> {
    let config = &files.config;
    let count = |number: usize| Value::U32(u32::try_from(number).unwrap_or(u32::MAX));
    let text = |text: &str| Value::String(text.to_owned());
    let mut fields = vec![
        ("general.architecture", text("qwen3")),
        ("general.type", text("model")),
        ("general.name", text(&files.name)),
        ("general.file_type", Value::U32(format.file_type())),
        ("general.quantization_version", Value::U32(2)),
        ("qwen3.block_count", count(config.num_hidden_layers)),
        ("qwen3.context_length", count(config.max_position_embeddings)),
        ("qwen3.embedding_length", count(config.hidden_size)),
        ("qwen3.feed_forward_length", count(config.intermediate_size)),
        ("qwen3.attention.head_count", count(config.num_attention_heads)),
        ("qwen3.attention.head_count_kv", count(config.num_key_value_heads)),
        ("qwen3.attention.key_length", count(config.head_dim)),
        ("qwen3.attention.value_length", count(config.head_dim)),
        (
            "qwen3.attention.layer_norm_rms_epsilon",
            Value::F32(config.rms_norm_eps as f32),
        ),
        ("qwen3.rope.freq_base", Value::F32(config.rope_theta as f32)),
    ];
    let json = std::str::from_utf8(&files.tokenizer)
        .map_err(|error| EngineError::Tokenizer(format!("tokenizer.json: {error}")))?;
    fields.push((TOKENIZER_JSON, text(json)));
    fields.extend(vocabulary(files, json)?);
    if let Some(template) = &files.settings.chat_template {
        fields.push(("tokenizer.chat_template", text(template)));
    }
    if let Some(profile) = &files.profile {
        fields.push((PROFILE, text(profile)));
    }
    Ok(fields)
}

/// The fields by which programs without a reader of `tokenizer.json` know the tokenizer.
fn vocabulary(files: &ModelFiles<'_>, json: &str) -> Result<Vec<(&'static str, Value)>> {
    let file: Json = serde_json::from_str(json).map_err(|error| EngineError::Tokenizer(error.to_string()))?;
    let tokenizer = Tokenizer::from_bytes(&files.tokenizer)?;
    let mut tokens: Vec<(String, i32)> = (0..files.config.vocab_size)
        .map(|id| (format!("[PAD{id}]"), kind::UNUSED))
        .collect();
    for (token, id) in tokenizer.inner().get_vocab(false) {
        if let Some(slot) = tokens.get_mut(id as usize) {
            *slot = (token, kind::NORMAL);
        }
    }
    for (id, token) in tokenizer.inner().get_added_tokens_decoder() {
        let token_kind = if token.special {
            kind::CONTROL
        } else {
            kind::USER_DEFINED
        };
        if let Some(slot) = tokens.get_mut(id as usize) {
            *slot = (token.content, token_kind);
        }
    }
    // Newer files hold a merge as a pair, older ones as two tokens with a blank between.
    let merge = |merge: &Json| match merge {
        Json::Array(pair) => {
            let parts: Vec<&str> = pair.iter().filter_map(Json::as_str).collect();
            parts.join(" ")
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let merges = file["model"]["merges"].as_array().map_or(&[][..], Vec::as_slice);
    let qwen = file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] == QWEN_WORDS;
    let (tokens, kinds): (Vec<String>, Vec<i32>) = tokens.into_iter().unzip();
    let mut fields = vec![
        ("tokenizer.ggml.model", Value::String("gpt2".to_owned())),
        // A name that no program knows, so that none cuts words in another way than the model learned.
        (
            "tokenizer.ggml.pre",
            Value::String(if qwen { "qwen2" } else { "custom" }.to_owned()),
        ),
        (
            "tokenizer.ggml.tokens",
            Value::Array(tokens.into_iter().map(Value::String).collect()),
        ),
        (
            "tokenizer.ggml.token_type",
            Value::Array(kinds.into_iter().map(Value::I32).collect()),
        ),
        (
            "tokenizer.ggml.merges",
            Value::Array(merges.iter().map(merge).map(Value::String).collect()),
        ),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
    ];
    // The format has room for two tokens that end a reply: that of the settings comes first.
    let by_settings = files
        .settings
        .eos_token
        .as_deref()
        .and_then(|token| tokenizer.id(token));
    let mut stops: Vec<u32> = by_settings
        .into_iter()
        .chain(files.stop.iter().copied())
        .collect();
    let mut seen = std::collections::HashSet::new();
    stops.retain(|id| seen.insert(*id));
    let keys = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"];
    if stops.len() > keys.len() {
        let message = format!(
            "{} tokens end a reply, and the format holds {}",
            stops.len(),
            keys.len()
        );
        return Err(EngineError::Tokenizer(message));
    }
    fields.extend(keys.into_iter().zip(stops.into_iter().map(Value::U32)));
    let bos = files.settings.bos_token.as_deref();
    if let Some(id) = bos
        .and_then(|token| tokenizer.id(token))
        .or(files.config.bos_token_id)
    {
        fields.push(("tokenizer.ggml.bos_token_id", Value::U32(id)));
    }
    Ok(fields)
}
