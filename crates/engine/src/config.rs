//! `config.json` of a Qwen3 model, in the names of the Hugging Face format.
//!
//! Fields that the file leaves out take the defaults of the reference implementation (`head_dim` 128,
//! `rope_theta` 10,000, ...), except the sizes that say what the model is: those must be stated. What the engine
//! does not compute (scaled rotary embeddings, sliding windows, other activations) is refused here, because
//! ignoring it would give a model that runs and is wrong.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::EngineError;

/// The architecture this engine runs, as `architectures` names it.
pub const ARCHITECTURE: &str = "Qwen3ForCausalLM";
/// The architecture this engine runs, as `model_type` names it.
pub const MODEL_TYPE: &str = "qwen3";

/// Shape and constants of a Qwen3 model. Serialises to a `config.json` that other implementations read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Config {
    /// Always [`ARCHITECTURE`].
    pub architectures: Vec<String>,
    /// Always [`MODEL_TYPE`].
    pub model_type: String,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads.
    pub num_key_value_heads: usize,
    /// Width of one head, even; need not be `hidden_size / num_attention_heads`.
    pub head_dim: usize,
    /// The context: prompt and reply together, in tokens.
    pub max_position_embeddings: usize,
    /// Added to the mean square under the root of every RMS norm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Whether the output layer is the embedding.
    pub tie_word_embeddings: bool,
    /// Whether the four projections of attention carry biases.
    pub attention_bias: bool,
    /// The gate's activation; always `silu`.
    pub hidden_act: String,
    /// Standard deviation of freshly drawn weights.
    pub initializer_range: f64,
    /// Number format that the weights are stored in, as information only (`bfloat16`, `float32`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torch_dtype: Option<String>,
    /// First token of a sequence, where the model has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bos_token_id: Option<u32>,
    /// Tokens that end a reply. The format allows none, one or several.
    #[serde(serialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub eos_token_id: Vec<u32>,
}

impl Config {
    /// Parses and checks a `config.json`.
    ///
    /// # Errors
    /// [`EngineError::Json`] for text that is no JSON object, [`EngineError::UnknownArchitecture`] for another
    /// model family, [`EngineError::Config`] with the field's name for anything else.
    pub fn from_json(bytes: &[u8]) -> Result<Self, EngineError> {
        let fields: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| EngineError::Json {
                file: "config.json".to_owned(),
                message: error.to_string(),
            })?;
        Self::try_from(fields)
    }

    /// Checks what the types can't: counts that are not zero, heads that divide, an even head width.
    ///
    /// # Errors
    /// [`EngineError::Config`] with the first offending field.
    pub fn validate(&self) -> Result<(), EngineError> {
        let counts = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        for (field, count) in counts {
            // The upper bound keeps products of two sizes far from overflow; no real model comes near it.
            if count == 0 || count > 1 << 28 {
                return Err(wrong(field, format!("expected 1 to {}, got {count}", 1 << 28)));
            }
        }
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            let message = format!(
                "{} does not divide num_attention_heads {}",
                self.num_key_value_heads, self.num_attention_heads
            );
            return Err(wrong("num_key_value_heads", message));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(wrong(
                "head_dim",
                format!("expected an even number, got {}", self.head_dim),
            ));
        }
        for (field, number) in [
            ("rms_norm_eps", self.rms_norm_eps),
            ("rope_theta", self.rope_theta),
        ] {
            if !(number.is_finite() && number > 0.0) {
                return Err(wrong(field, format!("expected a positive number, got {number}")));
            }
        }
        if self.hidden_act != "silu" {
            return Err(wrong(
                "hidden_act",
                format!("expected \"silu\", got {:?}", self.hidden_act),
            ));
        }
        Ok(())
    }

    /// Every tensor of a model of this shape: Hugging Face name and shape, in the order of the forward pass.
    /// Matrices are `[out, in]`.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (e, f, d) = (self.hidden_size, self.intermediate_size, self.head_dim);
        let (q, kv) = (self.num_attention_heads * d, self.num_key_value_heads * d);
        let mut tensors = vec![("model.embed_tokens.weight".to_owned(), vec![self.vocab_size, e])];
        for layer in 0..self.num_hidden_layers {
            let mut add = |name: &str, shape: &[usize]| {
                tensors.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
            };
            add("input_layernorm.weight", &[e]);
            for (name, out, inner) in [
                ("q_proj", q, e),
                ("k_proj", kv, e),
                ("v_proj", kv, e),
                ("o_proj", e, q),
            ] {
                add(&format!("self_attn.{name}.weight"), &[out, inner]);
                if self.attention_bias {
                    add(&format!("self_attn.{name}.bias"), &[out]);
                }
            }
            add("self_attn.q_norm.weight", &[d]);
            add("self_attn.k_norm.weight", &[d]);
            add("post_attention_layernorm.weight", &[e]);
            add("mlp.gate_proj.weight", &[f, e]);
            add("mlp.up_proj.weight", &[f, e]);
            add("mlp.down_proj.weight", &[e, f]);
        }
        tensors.push(("model.norm.weight".to_owned(), vec![e]));
        if !self.tie_word_embeddings {
            tensors.push(("lm_head.weight".to_owned(), vec![self.vocab_size, e]));
        }
        tensors
    }

    /// Number of weights, a tied output layer counted once.
    pub fn parameter_count(&self) -> usize {
        self.tensors()
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }
}

impl TryFrom<Map<String, Value>> for Config {
    type Error = EngineError;

    fn try_from(fields: Map<String, Value>) -> Result<Self, EngineError> {
        let fields = Fields(fields);
        fields.check_architecture()?;
        let rope_theta = fields.rope_theta()?;
        if fields.or("use_sliding_window", false)? {
            return Err(wrong(
                "use_sliding_window",
                "sliding windows are not computed by this engine".to_owned(),
            ));
        }
        let heads = fields.required("num_attention_heads")?;
        let config = Self {
            architectures: vec![ARCHITECTURE.to_owned()],
            model_type: MODEL_TYPE.to_owned(),
            vocab_size: fields.required("vocab_size")?,
            hidden_size: fields.required("hidden_size")?,
            intermediate_size: fields.required("intermediate_size")?,
            num_hidden_layers: fields.required("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: fields.or("num_key_value_heads", heads)?,
            head_dim: fields.or("head_dim", 128)?,
            max_position_embeddings: fields.or("max_position_embeddings", 32_768)?,
            rms_norm_eps: fields.or("rms_norm_eps", 1e-6)?,
            rope_theta,
            tie_word_embeddings: fields.or("tie_word_embeddings", false)?,
            attention_bias: fields.or("attention_bias", false)?,
            hidden_act: fields.or("hidden_act", "silu".to_owned())?,
            initializer_range: fields.or("initializer_range", 0.02)?,
            torch_dtype: match fields.optional("torch_dtype")? {
                Some(dtype) => Some(dtype),
                None => fields.optional("dtype")?,
            },
            bos_token_id: fields.optional("bos_token_id")?,
            eos_token_id: fields
                .optional("eos_token_id")?
                .map(OneOrMany::into_vec)
                .unwrap_or_default(),
        };
        config.validate()?;
        Ok(config)
    }
}

/// A token id field that holds one id or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl OneOrMany {
    pub(crate) fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

fn one_or_many<S: serde::Serializer>(ids: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
    match ids {
        [id] => id.serialize(serializer),
        ids => ids.serialize(serializer),
    }
}

/// Typed reading of the raw fields, so that every error can name its field. A `null` counts as left out.
struct Fields(Map<String, Value>);

impl Fields {
    fn optional<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, EngineError> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value)
                .map(Some)
                .map_err(|error| wrong(field, error.to_string())),
        }
    }

    fn required<T: DeserializeOwned>(&self, field: &str) -> Result<T, EngineError> {
        self.optional(field)?
            .ok_or_else(|| wrong(field, "missing".to_owned()))
    }

    fn or<T: DeserializeOwned>(&self, field: &str, default: T) -> Result<T, EngineError> {
        Ok(self.optional(field)?.unwrap_or(default))
    }

    fn check_architecture(&self) -> Result<(), EngineError> {
        let architectures: Vec<String> = self.or("architectures", Vec::new())?;
        let model_type: Option<String> = self.optional("model_type")?;
        let unknown = |found: String| Err(EngineError::UnknownArchitecture { found });
        if let Some(other) = architectures.iter().find(|name| *name != ARCHITECTURE) {
            return unknown(other.clone());
        }
        match model_type {
            Some(name) if name == MODEL_TYPE => Ok(()),
            Some(name) => unknown(name),
            None if !architectures.is_empty() => Ok(()),
            None => Err(wrong("model_type", "missing".to_owned())),
        }
    }

    /// The rotary base: `rope_theta` at the top, or inside `rope_parameters` as newer files have it.
    fn rope_theta(&self) -> Result<f64, EngineError> {
        let mut theta = self.optional("rope_theta")?;
        for field in ["rope_scaling", "rope_parameters"] {
            let Some(rope) = self.optional::<Map<String, Value>>(field)? else {
                continue;
            };
            let kind = rope
                .get("rope_type")
                .or_else(|| rope.get("type"))
                .and_then(Value::as_str);
            if field == "rope_scaling" || !matches!(kind, None | Some("default")) {
                let message = format!(
                    "scaled rotary embeddings ({}) are not computed by this engine",
                    kind.unwrap_or("?")
                );
                return Err(wrong(field, message));
            }
            if let Some(value) = rope.get("rope_theta") {
                theta = Some(
                    value
                        .as_f64()
                        .ok_or_else(|| wrong("rope_theta", format!("expected a number, got {value}")))?,
                );
            }
        }
        Ok(theta.unwrap_or(10_000.0))
    }
}

fn wrong(field: &str, message: String) -> EngineError {
    EngineError::Config {
        field: field.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of the published 0.6B checkpoint.
    const PUBLISHED: &str = r#"{
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
        "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960,
        "max_window_layers": 28, "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000,
        "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false, "vocab_size": 151936}"#;

    #[test]
    fn the_published_configuration_parses_and_survives_writing() {
        let config = Config::from_json(PUBLISHED.as_bytes()).unwrap();
        assert_eq!(
            (config.rope_theta, config.head_dim, config.eos_token_id.as_slice()),
            (1e6, 128, &[151_645][..])
        );
        assert_eq!(config.parameter_count(), 596_049_920);
        let written = serde_json::to_vec(&config).unwrap();
        assert_eq!(Config::from_json(&written).unwrap(), config);
    }

    #[test]
    fn what_a_file_leaves_out_is_as_in_the_reference() {
        let config = Config::from_json(
            br#"{"model_type": "qwen3", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 8,
                 "num_hidden_layers": 1, "num_attention_heads": 2}"#,
        );
        let config = config.unwrap();
        assert_eq!(
            (config.head_dim, config.num_key_value_heads, config.rope_theta),
            (128, 2, 10_000.0)
        );
        assert!(!config.tie_word_embeddings && !config.attention_bias && config.eos_token_id.is_empty());
    }

    #[test]
    fn several_end_tokens_are_read_and_written() {
        let list = PUBLISHED.replace("151645", "[151645, 151643]");
        let config = Config::from_json(list.as_bytes()).unwrap();
        assert_eq!(config.eos_token_id, [151_645, 151_643]);
        let again: Config = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }
}
