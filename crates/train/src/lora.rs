//! Low-rank adapters: a model is trained through `W = W0 + (alpha / rank) B A`, with `W0` fixed.
//!
//! Hu et al., arXiv 2106.09685. An adapter is a reparameterisation of the flat vector that all training works on: the
//! merged weights go into the same pass as ever, and the gradient that comes back is turned into the adapters' own,
//! `dB = s dW Aᵀ` and `dA = s Bᵀ dW`. So every loss, and every fast path under it, serves both. What is spared is the
//! optimiser's state and the checkpoint, which hold adapters alone.

use crate::TrainError;
use crate::checkpoint::write_atomically;
use crate::layout::{Layout, Tensor, standard_normal};
use rand::Rng;
use rewardanything_kernels::{Mat, MatMut, Write, matmul};
use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

/// The matrices that may be adapted, as PEFT names them.
pub const MODULES: [&str; 7] = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
];

/// What is adapted, and how freely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Rank of `B A`, at least 1.
    pub rank: usize,
    /// `B A` is scaled by `alpha / rank`, so that the rank can change without the learning rate.
    pub alpha: f32,
    /// Which matrices of every layer, of [`MODULES`].
    pub target_modules: Vec<String>,
}

impl Default for LoraConfig {
    /// Rank 16, alpha 32, all matrices of every layer.
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            target_modules: MODULES.iter().map(|m| (*m).to_owned()).collect(),
        }
    }
}

/// One adapted matrix: `W` `[out, in]`, `A` `[rank, in]`, `B` `[out, rank]`.
#[derive(Clone, Debug)]
struct Adapter {
    name: String,
    weight: Range<usize>,
    shape: (usize, usize),
    a: Range<usize>,
    b: Range<usize>,
}

/// Where every adapter lies in a flat vector of its own.
#[derive(Clone, Debug)]
pub struct Lora {
    config: LoraConfig,
    adapters: Vec<Adapter>,
    len: usize,
}

impl Lora {
    /// Adapters for a model.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for a rank of 0, no target, or one that is none of [`MODULES`].
    pub fn new(config: &LoraConfig, layout: &Layout) -> Result<Self, TrainError> {
        let refuse = |field, message: String| Err(TrainError::Recipe { field, message });
        if config.rank == 0 || !config.alpha.is_finite() {
            let got = format!(
                "expected a rank of at least 1 and a finite alpha, got {} and {}",
                config.rank, config.alpha
            );
            return refuse("lora.rank", got);
        }
        if config.target_modules.is_empty() {
            return refuse(
                "lora.target_modules",
                format!("expected some of {MODULES:?}, got none"),
            );
        }
        if let Some(other) = config
            .target_modules
            .iter()
            .find(|m| !MODULES.contains(&m.as_str()))
        {
            return refuse(
                "lora.target_modules",
                format!("expected some of {MODULES:?}, got {other:?}"),
            );
        }
        let mut len = 0;
        let mut take = |size: usize| {
            len += size;
            len - size..len
        };
        let adapted = |tensor: &&Tensor| {
            config
                .target_modules
                .iter()
                .any(|module| tensor.name.ends_with(&format!("{module}.weight")))
        };
        let adapters = layout
            .tensors
            .iter()
            .filter(adapted)
            .map(|tensor| {
                let (rows, columns) = (tensor.shape[0], tensor.shape[1]);
                Adapter {
                    name: tensor.name.trim_end_matches(".weight").to_owned(),
                    weight: tensor.range.clone(),
                    shape: (rows, columns),
                    a: take(config.rank * columns),
                    b: take(rows * config.rank),
                }
            })
            .collect();
        Ok(Self {
            config: config.clone(),
            adapters,
            len,
        })
    }

    /// Number of trained parameters.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is adapted.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adapters that change nothing yet: `A` normal with deviation `1 / sqrt(in)`, `B` zero.
    pub fn initial(&self, rng: &mut impl Rng) -> Vec<f32> {
        let mut values = vec![0.0; self.len];
        for adapter in &self.adapters {
            let deviation = 1.0 / (adapter.shape.1 as f32).sqrt();
            for x in &mut values[adapter.a.clone()] {
                *x = deviation * standard_normal(rng);
            }
        }
        values
    }

    fn scale(&self) -> f32 {
        self.config.alpha / self.config.rank as f32
    }

    /// The weights of the adapted model, into `merged`.
    ///
    /// # Panics
    /// A slice has another length than its model or these adapters.
    pub fn merge(&self, base: &[f32], adapters: &[f32], merged: &mut [f32]) {
        assert_eq!(
            adapters.len(),
            self.len,
            "adapters of another shape. This is a bug."
        );
        merged.copy_from_slice(base);
        let rank = self.config.rank;
        for part in &self.adapters {
            let (rows, columns) = part.shape;
            let a = Mat::new(&adapters[part.a.clone()], rank, columns);
            let b = Mat::new(&adapters[part.b.clone()], rows, rank);
            let weight = MatMut::new(&mut merged[part.weight.clone()], rows, columns);
            matmul(weight, b, a, self.scale(), Write::Add);
        }
    }

    /// The gradient of the adapters, into `own`, from the `gradient` of the merged weights.
    ///
    /// # Panics
    /// As [`merge`](Self::merge).
    pub fn gradient(&self, adapters: &[f32], gradient: &[f32], own: &mut [f32]) {
        assert_eq!(
            adapters.len(),
            self.len,
            "adapters of another shape. This is a bug."
        );
        let rank = self.config.rank;
        for part in &self.adapters {
            let (rows, columns) = part.shape;
            let a = Mat::new(&adapters[part.a.clone()], rank, columns);
            let b = Mat::new(&adapters[part.b.clone()], rows, rank);
            let d_weight = Mat::new(&gradient[part.weight.clone()], rows, columns);
            let d_a = MatMut::new(&mut own[part.a.clone()], rank, columns);
            matmul(d_a, b.t(), d_weight, self.scale(), Write::Replace);
            let d_b = MatMut::new(&mut own[part.b.clone()], rows, rank);
            matmul(d_b, d_weight, a.t(), self.scale(), Write::Replace);
        }
    }

    /// Writes the adapters as PEFT does: `adapter_model.safetensors` in f32 and `adapter_config.json`.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn export(&self, folder: &Path, base_model: &str, adapters: &[f32]) -> Result<(), TrainError> {
        let path = folder.join("adapter_model.safetensors");
        let error = |message: String| TrainError::File {
            path: path.clone(),
            message,
        };
        let bytes = |range: &Range<usize>| -> Vec<u8> {
            adapters[range.clone()]
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect()
        };
        let rank = self.config.rank;
        let parts: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .adapters
            .iter()
            .flat_map(|part| {
                let name = |letter: &str| format!("base_model.model.{}.lora_{letter}.weight", part.name);
                [
                    (name("A"), vec![rank, part.shape.1], bytes(&part.a)),
                    (name("B"), vec![part.shape.0, rank], bytes(&part.b)),
                ]
            })
            .collect();
        let views: Result<Vec<_>, _> = parts
            .iter()
            .map(|(name, shape, data)| {
                TensorView::new(Dtype::F32, shape.clone(), data).map(|view| (name.clone(), view))
            })
            .collect();
        let note = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let content = serialize(views.map_err(|e| error(e.to_string()))?, Some(note))
            .map_err(|e| error(e.to_string()))?;
        fs::create_dir_all(folder).map_err(|e| error(e.to_string()))?;
        write_atomically(&path, &content)?;
        let config = serde_json::json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base_model,
            "r": rank, "lora_alpha": self.config.alpha, "target_modules": self.config.target_modules,
            "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false, "inference_mode": true,
        });
        let text = serde_json::to_string_pretty(&config).expect("a configuration is JSON. This is a bug.");
        write_atomically(&folder.join("adapter_config.json"), text.as_bytes())
    }

    /// Which of the trained parameters weight decay applies to: all, since all are matrices.
    pub fn decays(&self) -> Vec<(Range<usize>, bool)> {
        vec![(0..self.len, true)]
    }
}

#[cfg(test)]
mod tests;
