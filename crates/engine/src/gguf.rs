//! One-file models in the GGUF format: configuration, tokenizer, chat template and weights.
//!
//! The container is read by the tensor library; what its fields mean for a Qwen3 model is known here. The fields are
//! those that the converter of llama.cpp writes.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use rewardanything_kernels::Format;
use serde_json::json;

use crate::chat::TokenizerConfig;
use crate::config::{ARCHITECTURE, MODEL_TYPE};
use crate::files::ModelFiles;
use crate::weights::{Listed, Weights};
use crate::{Config, EngineError};

type Result<T> = std::result::Result<T, EngineError>;

/// The field that holds the whole `tokenizer.json`, where a converter kept it.
pub(crate) const TOKENIZER_JSON: &str = "tokenizer.huggingface.json";
/// The field that holds a judge's profile; ours.
pub(crate) const PROFILE: &str = "rewardanything.judge_toml";

/// How Qwen tokenizers cut text into words before they merge bytes.
pub(crate) const QWEN_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The names under which files declare that way of cutting.
const QWEN_WORD_NAMES: [&str; 2] = ["qwen2", "deepseek-r1-qwen"];

/// Kinds of tokens, as `tokenizer.ggml.token_type` numbers them.
pub(crate) mod kind {
    pub(crate) const NORMAL: i32 = 1;
    pub(crate) const CONTROL: i32 = 3;
    pub(crate) const USER_DEFINED: i32 = 4;
    pub(crate) const UNUSED: i32 = 5;
}

/// Hugging Face names of a layer's tensors, and those of GGUF.
pub(crate) const LAYER_NAMES: [(&str, &str); 15] = [
    ("input_layernorm.weight", "attn_norm.weight"),
    ("self_attn.q_proj.weight", "attn_q.weight"),
    ("self_attn.q_proj.bias", "attn_q.bias"),
    ("self_attn.k_proj.weight", "attn_k.weight"),
    ("self_attn.k_proj.bias", "attn_k.bias"),
    ("self_attn.v_proj.weight", "attn_v.weight"),
    ("self_attn.v_proj.bias", "attn_v.bias"),
    ("self_attn.o_proj.weight", "attn_output.weight"),
    ("self_attn.o_proj.bias", "attn_output.bias"),
    ("self_attn.q_norm.weight", "attn_q_norm.weight"),
    ("self_attn.k_norm.weight", "attn_k_norm.weight"),
    ("post_attention_layernorm.weight", "ffn_norm.weight"),
    ("mlp.gate_proj.weight", "ffn_gate.weight"),
    ("mlp.up_proj.weight", "ffn_up.weight"),
    ("mlp.down_proj.weight", "ffn_down.weight"),
];
/// The same for the tensors outside of layers.
pub(crate) const OTHER_NAMES: [(&str, &str); 3] = [
    ("model.embed_tokens.weight", "token_embd.weight"),
    ("model.norm.weight", "output_norm.weight"),
    ("lm_head.weight", "output.weight"),
];

/// Reads everything but the weights themselves.
pub(crate) fn read(path: &Path) -> Result<ModelFiles<'static>> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => EngineError::MissingFile {
            path: path.to_owned(),
        },
        _ => EngineError::Io {
            file: name.clone(),
            source,
        },
    })?;
    let mut reader = BufReader::new(file);
    let content = Content::read(&mut reader).map_err(|error| EngineError::Weights {
        file: name.clone(),
        message: error.to_string(),
    })?;
    let fields = Fields {
        file: &name,
        content: &content,
    };
    let config = config(&fields)?;
    let settings = TokenizerConfig {
        chat_template: fields.text("tokenizer.chat_template")?.map(str::to_owned),
        bos_token: fields.token("tokenizer.ggml.bos_token_id")?,
        eos_token: fields.token("tokenizer.ggml.eos_token_id")?,
    };
    let mut stop = config.eos_token_id.clone();
    stop.extend(fields.number("tokenizer.ggml.eot_token_id")?.map(|id| id as u32));
    let tokenizer = match fields.text(TOKENIZER_JSON)? {
        Some(json) => json.as_bytes().to_vec(),
        None => tokenizer_json(&fields)?,
    };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(ModelFiles {
        name: stem.unwrap_or_else(|| name.clone()),
        tokenizer,
        settings,
        stop,
        profile: fields.text(PROFILE)?.map(str::to_owned),
        weights: Weights::of_file(path, reader.into_inner(), listed(&content))?,
        config,
    })
}

/// Typed reading of the fields, so that every error names its field.
struct Fields<'a> {
    file: &'a str,
    content: &'a Content,
}

impl<'a> Fields<'a> {
    fn wrong(&self, field: &str, message: impl Into<String>) -> EngineError {
        EngineError::Gguf {
            file: self.file.to_owned(),
            field: field.to_owned(),
            message: message.into(),
        }
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.content.metadata.get(field)
    }

    fn text(&self, field: &str) -> Result<Option<&'a str>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(field, "text", other)),
        }
    }

    fn number(&self, field: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let number = match *value {
            Value::I8(number) => u64::try_from(number).ok(),
            Value::I16(number) => u64::try_from(number).ok(),
            Value::I32(number) => u64::try_from(number).ok(),
            Value::I64(number) => u64::try_from(number).ok(),
            Value::U16(number) => Some(u64::from(number)),
            Value::U32(number) => Some(u64::from(number)),
            ref other => other.to_u64().ok(),
        };
        match number.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(Some(number as usize)),
            None => Err(self.expected(field, "a count", value)),
        }
    }

    fn count(&self, field: &str) -> Result<usize> {
        self.number(field)?.ok_or_else(|| self.wrong(field, "missing"))
    }

    /// An `f32`, read by its shortest decimal form: 0.000001 is meant, not the binary number nearest to it.
    fn float(&self, field: &str) -> Result<Option<f64>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::F32(number)) => Ok(number.to_string().parse().ok()),
            Some(Value::F64(number)) => Ok(Some(*number)),
            Some(other) => Err(self.expected(field, "a number", other)),
        }
    }

    fn list(&self, field: &str) -> Result<&'a [Value]> {
        match self.get(field) {
            None => Err(self.wrong(field, "missing")),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(self.expected(field, "a list", other)),
        }
    }

    fn texts(&self, field: &str) -> Result<Vec<&'a str>> {
        let text = |value: &'a Value| match value {
            Value::String(text) => Ok(text.as_str()),
            other => Err(self.expected(field, "texts", other)),
        };
        self.list(field)?.iter().map(text).collect()
    }

    /// The token whose id a field gives.
    fn token(&self, field: &str) -> Result<Option<String>> {
        let Some(id) = self.number(field)? else {
            return Ok(None);
        };
        match self.list("tokenizer.ggml.tokens")?.get(id) {
            Some(Value::String(token)) => Ok(Some(token.clone())),
            _ => Err(self.wrong(field, format!("there is no token {id}"))),
        }
    }

    fn expected(&self, field: &str, expected: &str, got: &Value) -> EngineError {
        self.wrong(field, format!("expected {expected}, got {:?}", got.value_type()))
    }
}

fn config(fields: &Fields<'_>) -> Result<Config> {
    let architecture = fields.text("general.architecture")?.unwrap_or("?");
    if architecture != MODEL_TYPE {
        return Err(EngineError::UnknownArchitecture {
            found: architecture.to_owned(),
        });
    }
    if fields.number("split.count")?.is_some_and(|count| count > 1) {
        let message = "a model in several files is not read: merge them with llama-gguf-split first";
        return Err(fields.wrong("split.count", message));
    }
    let scaling = "qwen3.rope.scaling.type";
    if let Some(kind) = fields.text(scaling)?.filter(|kind| *kind != "none") {
        let message = format!("scaled rotary embeddings ({kind}) are not computed by this engine");
        return Err(fields.wrong(scaling, message));
    }
    let tensors = &fields.content.tensor_infos;
    let vocabulary = match tensors
        .get("token_embd.weight")
        .map(|embedding| embedding.shape.dims())
    {
        Some(&[rows, _]) => rows,
        _ => {
            return Err(EngineError::MissingTensor {
                name: "token_embd.weight".to_owned(),
            });
        }
    };
    let heads = fields.count("qwen3.attention.head_count")?;
    let width = fields.count("qwen3.embedding_length")?;
    let id = |field: &str| Ok::<_, EngineError>(fields.number(field)?.map(|id| id as u32));
    let config = Config {
        architectures: vec![ARCHITECTURE.to_owned()],
        model_type: MODEL_TYPE.to_owned(),
        vocab_size: vocabulary,
        hidden_size: width,
        intermediate_size: fields.count("qwen3.feed_forward_length")?,
        num_hidden_layers: fields.count("qwen3.block_count")?,
        num_attention_heads: heads,
        num_key_value_heads: fields.number("qwen3.attention.head_count_kv")?.unwrap_or(heads),
        head_dim: match fields.number("qwen3.attention.key_length")? {
            Some(length) => length,
            None => width / heads.max(1),
        },
        max_position_embeddings: fields.count("qwen3.context_length")?,
        rms_norm_eps: fields
            .float("qwen3.attention.layer_norm_rms_epsilon")?
            .unwrap_or(1e-6),
        rope_theta: fields.float("qwen3.rope.freq_base")?.unwrap_or(10_000.0),
        tie_word_embeddings: !tensors.contains_key("output.weight"),
        attention_bias: tensors.contains_key("blk.0.attn_q.bias"),
        hidden_act: "silu".to_owned(),
        initializer_range: 0.02,
        torch_dtype: None,
        bos_token_id: id("tokenizer.ggml.bos_token_id")?,
        eos_token_id: id("tokenizer.ggml.eos_token_id")?.into_iter().collect(),
    };
    config.validate().map_err(|error| match error {
        EngineError::Config { field, message } => fields.wrong(&field, message),
        other => other,
    })?;
    Ok(config)
}

/// A `tokenizer.json` from the vocabulary and merges of the file.
fn tokenizer_json(fields: &Fields<'_>) -> Result<Vec<u8>> {
    let model = fields.text("tokenizer.ggml.model")?.unwrap_or("?");
    if model != "gpt2" {
        return Err(fields.wrong(
            "tokenizer.ggml.model",
            format!("expected \"gpt2\" (merged bytes), got {model:?}"),
        ));
    }
    let words = fields.text("tokenizer.ggml.pre")?.unwrap_or("?");
    if !QWEN_WORD_NAMES.contains(&words) {
        let message = format!("expected one of {QWEN_WORD_NAMES:?}, got {words:?}");
        return Err(fields.wrong("tokenizer.ggml.pre", message));
    }
    let tokens = fields.texts("tokenizer.ggml.tokens")?;
    let kinds = fields.list("tokenizer.ggml.token_type")?;
    if kinds.len() != tokens.len() {
        let message = format!(
            "expected {} kinds, one a token, got {}",
            tokens.len(),
            kinds.len()
        );
        return Err(fields.wrong("tokenizer.ggml.token_type", message));
    }
    let (mut vocabulary, mut added) = (serde_json::Map::new(), Vec::new());
    for (id, (token, token_kind)) in tokens.iter().zip(kinds).enumerate() {
        let token_kind = token_kind
            .to_i32()
            .map_err(|error| fields.wrong("tokenizer.ggml.token_type", error.to_string()))?;
        match token_kind {
            // Rows of the embedding that no text has.
            kind::UNUSED => {}
            kind::CONTROL | kind::USER_DEFINED => added.push(json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": token_kind == kind::CONTROL,
            })),
            _ => {
                vocabulary.insert((*token).to_owned(), json!(id));
            }
        }
    }
    let merges = fields.texts("tokenizer.ggml.merges")?;
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false,
    });
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": QWEN_WORDS}, "behavior": "Isolated", "invert": false},
            byte_level,
        ]},
        "post_processor": byte_level, "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges,
        },
    });
    Ok(file.to_string().into_bytes())
}

/// The tensors under their Hugging Face names; unknown ones keep theirs.
fn listed(content: &Content) -> Vec<Listed> {
    let of = |(name, info): (&String, &TensorInfo)| Listed {
        name: hugging_face_name(name),
        format: format(info.ggml_dtype),
        shape: info.shape.dims().to_vec(),
        start: content.tensor_data_offset.saturating_add(info.offset),
    };
    content.tensor_infos.iter().map(of).collect()
}

fn hugging_face_name(name: &str) -> String {
    let known = |table: &[(&'static str, &str)], name: &str| {
        table
            .iter()
            .find(|(_, gguf)| *gguf == name)
            .map(|(hugging_face, _)| *hugging_face)
    };
    let layer = name
        .strip_prefix("blk.")
        .and_then(|rest| rest.split_once('.'))
        .and_then(|(layer, part)| Some(format!("model.layers.{layer}.{}", known(&LAYER_NAMES, part)?)));
    layer
        .or_else(|| known(&OTHER_NAMES, name).map(str::to_owned))
        .unwrap_or_else(|| name.to_owned())
}

fn format(dtype: GgmlDType) -> std::result::Result<Format, String> {
    match dtype {
        GgmlDType::F32 => Ok(Format::F32),
        GgmlDType::F16 => Ok(Format::F16),
        GgmlDType::BF16 => Ok(Format::Bf16),
        GgmlDType::Q8_0 => Ok(Format::Q8_0),
        GgmlDType::Q4K => Ok(Format::Q4K),
        GgmlDType::Q6K => Ok(Format::Q6K),
        other => Err(format!("{other:?}")),
    }
}
