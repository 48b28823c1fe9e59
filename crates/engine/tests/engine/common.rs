//! The fixtures, as all tests of this crate read them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use rewardanything_engine::{BackendOptions, Config, LoadOptions, Numerics, Qwen3, Weights};
use serde_json::Value;

/// The two tiny checkpoints.
pub(crate) const TINY: [&str; 2] = ["tiny-tied", "tiny-untied"];

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name)
}

pub(crate) fn config(name: &str) -> Config {
    Config::from_json(&std::fs::read(fixture(name).join("config.json")).unwrap()).unwrap()
}

pub(crate) fn model(name: &str) -> Qwen3 {
    let weights = Weights::open(&fixture(name)).unwrap();
    Qwen3::new(&config(name), weights.into_builder(DType::F32, &Device::Cpu)).unwrap()
}

/// Our own kernels in the numbers that the reference computes in.
pub(crate) fn exact() -> LoadOptions {
    LoadOptions {
        backend: BackendOptions::Kernels {
            numerics: Numerics::Exact,
            threads: 0,
            prefix_cache_bytes: 1 << 24,
        },
        ..LoadOptions::default()
    }
}

/// The reference's numbers for a checkpoint.
pub(crate) struct Golden {
    pub(crate) prompts: Vec<Vec<u32>>,
    pub(crate) greedy: Vec<Vec<u32>>,
    pub(crate) json: Value,
    pub(crate) tensors: HashMap<String, Tensor>,
}

pub(crate) fn golden(name: &str) -> Golden {
    let json = json(&fixture(name).join("golden.json"));
    Golden {
        prompts: serde_json::from_value(json["prompts"].clone()).unwrap(),
        greedy: serde_json::from_value(json["greedy"].clone()).unwrap(),
        tensors: candle_core::safetensors::load(fixture(name).join("golden.safetensors"), &Device::Cpu)
            .unwrap(),
        json,
    }
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The largest difference of two tensors of one shape.
pub(crate) fn gap(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let gap = (a - b)
        .unwrap()
        .abs()
        .unwrap()
        .flatten_all()
        .unwrap()
        .max(0)
        .unwrap()
        .to_scalar()
        .unwrap();
    // A maximum passes over NaN.
    let sum: f32 = a.sum_all().unwrap().to_scalar().unwrap();
    assert!(sum.is_finite(), "not all numbers are finite");
    gap
}

#[track_caller]
pub(crate) fn assert_close(what: &str, a: &Tensor, b: &Tensor, tolerance: f32) {
    let gap = gap(a, b);
    assert!(
        gap <= tolerance,
        "{what}: the largest difference is {gap}, expected at most {tolerance}"
    );
}

/// Rows of numbers as a tensor.
pub(crate) fn tensor(rows: &[Vec<f32>]) -> Tensor {
    Tensor::new(rows.to_vec(), &Device::Cpu).unwrap()
}
