//! A run that trains adapters alone.

use rewardanything_engine::{Config, Weights};
use rewardanything_train::layout::{Dims, Layout};
use rewardanything_train::{load, sft};
use std::fs;
use std::path::Path;

const BASE: &str = r#"
seed = 3
output = "base"

[model.scratch]
architectures = ["Qwen3ForCausalLM"]
model_type = "qwen3"
vocab_size = 600
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 1
head_dim = 16
max_position_embeddings = 1024
rms_norm_eps = 1e-6
rope_theta = 10000.0
tie_word_embeddings = true
"#;

const REST: &str = r#"
[profile]
name = "tiny"
system = ""

[[examples.stages]]
until = 1.0
measure = 0.5
name = 0.5
responses = [1, 1]
max_words = [10]
prompt_words = [4]

[optim]
lr = 2e-2
warmup = 2

[run]
steps = 40
batch_tokens = 600
max_tokens = 500
checkpoint_every = 20
threads = 2
compute = "exact"
"#;

const ADAPTED: &str = r#"
seed = 4
output = "OUT"

[model]
from = "base"

[lora]
rank = 4
alpha = 8.0
target_modules = ["q_proj", "v_proj", "down_proj"]
"#;

fn losses(folder: &Path) -> Vec<f64> {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let loss = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"]
            .as_f64()
            .unwrap()
    };
    text.lines().map(loss).collect()
}

#[test]
fn adapters_learn_over_weights_that_stay_and_a_run_resumes_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    // Hardly trained, so that there is something left to learn.
    let base = recipe("base.toml", format!("{BASE}{REST}"));
    let base = sft::run_until(&base, false, Some(4)).unwrap().folder;
    let adapted = |out: &str| {
        recipe(
            &format!("{out}.toml"),
            format!("{}{REST}", ADAPTED.replace("OUT", out)),
        )
    };
    let whole = sft::run(&adapted("whole"), false).unwrap().folder;
    let found = losses(&whole);
    // The same batches without learning: what they differ in is not what was learned.
    let still = recipe(
        "still.toml",
        format!("{}{REST}", ADAPTED.replace("OUT", "still")).replace("lr = 2e-2", "lr = 1e-12"),
    );
    let still = losses(&sft::run(&still, false).unwrap().folder);
    let gain = still.iter().zip(&found).skip(20).map(|(a, b)| a - b).sum::<f64>() / 20.0;
    assert!(gain > 0.05, "{still:?} {found:?}");

    let cut = adapted("cut");
    sft::run_until(&cut, false, Some(5)).unwrap();
    let resumed = sft::run(&cut, true).unwrap().folder;
    let bytes = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(bytes(&resumed), bytes(&whole));

    // What was not adapted is what it was; what was is W + s B A of the adapters beside it.
    let config = Config::from_json(&fs::read(base.join("config.json")).unwrap()).unwrap();
    let layout = Layout::new(Dims::try_from(&config).unwrap());
    let (before, after) = (
        load::parameters(&base, &layout).unwrap(),
        load::parameters(&whole, &layout).unwrap(),
    );
    let adapters = fs::read(whole.join("adapter/adapter_model.safetensors")).unwrap();
    let adapters = Weights::from_bytes(&adapters).unwrap();
    let values = |name: &str| -> Vec<Vec<f32>> {
        let device = candle_core::Device::Cpu;
        let tensor = adapters.tensor(name, candle_core::DType::F32, &device).unwrap();
        tensor.to_vec2().unwrap()
    };
    let mut moved = 0;
    for tensor in &layout.tensors {
        let (before, after) = (&before[tensor.range.clone()], &after[tensor.range.clone()]);
        let module = tensor.name.trim_end_matches(".weight");
        if !["q_proj", "v_proj", "down_proj"]
            .iter()
            .any(|target| module.ends_with(target))
        {
            assert_eq!(before, after, "{}", tensor.name);
            continue;
        }
        let a = values(&format!("base_model.model.{module}.lora_A.weight"));
        let b = values(&format!("base_model.model.{module}.lora_B.weight"));
        let columns = tensor.shape[1];
        for (i, (x, y)) in before.iter().zip(after).enumerate() {
            let (row, column) = (i / columns, i % columns);
            let product: f32 = (0..4).map(|r| b[row][r] * a[r][column]).sum();
            let expect = x + 2.0 * product;
            // The file holds bf16.
            assert!(
                (y - expect).abs() <= 0.005 * expect.abs() + 1e-6,
                "{module} {i}: {y} {expect}"
            );
            moved += usize::from(x != y);
        }
    }
    assert!(moved > 1000, "{moved}");
}
