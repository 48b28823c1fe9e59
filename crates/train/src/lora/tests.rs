//! Adapters against PyTorch's numbers, and what the files of PEFT hold.

use super::*;
use crate::layout::Dims;
use rand::SeedableRng;

fn layout() -> Layout {
    Layout::new(Dims {
        vocab: 12,
        hidden: 8,
        feed_forward: 6,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        head_dim: 4,
        tied: true,
        eps: 1e-6,
        rope_theta: 1e4,
        positions: 16,
    })
}

#[derive(Deserialize)]
struct Golden {
    rank: usize,
    alpha: f32,
    base: Vec<f32>,
    a: Vec<f32>,
    b: Vec<f32>,
    d_merged: Vec<f32>,
    merged: Vec<f32>,
    d_a: Vec<f32>,
    d_b: Vec<f32>,
}

fn assert_close(found: &[f32], expect: &[f32]) {
    assert_eq!(found.len(), expect.len());
    for (f, e) in found.iter().zip(expect) {
        assert!((f - e).abs() <= 1e-5 * e.abs().max(1.0), "{f} {e}");
    }
}

#[test]
fn merging_and_gradients_are_those_of_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("../../../../fixtures/lora.json")).unwrap();
    let layout = layout();
    let config = LoraConfig {
        rank: golden.rank,
        alpha: golden.alpha,
        target_modules: vec!["down_proj".to_owned()],
    };
    let lora = Lora::new(&config, &layout).unwrap();
    let first = &lora.adapters[0];
    assert_eq!(first.name, "model.layers.0.mlp.down_proj");
    let mut adapters = vec![0.0; lora.len()];
    adapters[first.a.clone()].copy_from_slice(&golden.a);
    adapters[first.b.clone()].copy_from_slice(&golden.b);
    let mut base = vec![0.5; layout.len()];
    base[first.weight.clone()].copy_from_slice(&golden.base);
    let mut merged = vec![0.0; layout.len()];
    lora.merge(&base, &adapters, &mut merged);
    assert_close(&merged[first.weight.clone()], &golden.merged);
    // The second layer's adapter is zero, and nothing else is adapted.
    assert!(merged[first.weight.end..].iter().all(|x| *x == 0.5));

    let mut gradient = vec![9.0; layout.len()];
    gradient[first.weight.clone()].copy_from_slice(&golden.d_merged);
    let mut own = vec![f32::NAN; lora.len()];
    lora.gradient(&adapters, &gradient, &mut own);
    assert_close(&own[first.a.clone()], &golden.d_a);
    assert_close(&own[first.b.clone()], &golden.d_b);
}

#[test]
fn fresh_adapters_change_nothing_and_can_learn() {
    let layout = layout();
    let lora = Lora::new(&LoraConfig::default(), &layout).unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let adapters = lora.initial(&mut rng);
    let base = layout.initial(&mut rng);
    let mut merged = vec![0.0; base.len()];
    lora.merge(&base, &adapters, &mut merged);
    assert_eq!(merged, base);
    let gradient = vec![1.0; base.len()];
    let mut own = vec![0.0; lora.len()];
    lora.gradient(&adapters, &gradient, &mut own);
    for adapter in &lora.adapters {
        assert!(own[adapter.a.clone()].iter().all(|x| *x == 0.0), "B is zero");
        assert!(own[adapter.b.clone()].iter().any(|x| *x != 0.0), "A is not");
    }
    // Seven matrices in each of two layers: rank times the sum of their sides.
    let sides = 2 * ((8 + 8) + (8 + 4) + (8 + 4) + (8 + 8) + 3 * (6 + 8));
    assert_eq!(lora.len(), 16 * sides);
}

#[test]
fn the_files_have_the_names_of_peft() {
    let layout = layout();
    let config = LoraConfig {
        rank: 2,
        target_modules: vec!["q_proj".to_owned(), "v_proj".to_owned()],
        ..LoraConfig::default()
    };
    let lora = Lora::new(&config, &layout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let adapters = lora.initial(&mut rand_chacha::ChaCha8Rng::seed_from_u64(2));
    lora.export(folder.path(), "base", &adapters).unwrap();
    let content = fs::read(folder.path().join("adapter_model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&content).unwrap();
    assert_eq!(tensors.len(), 8);
    let a = tensors
        .tensor("base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight")
        .unwrap();
    assert_eq!(a.shape(), [2, 8]);
    let text = fs::read_to_string(folder.path().join("adapter_config.json")).unwrap();
    let written: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(written["r"], 2);
    assert_eq!(written["target_modules"], serde_json::json!(["q_proj", "v_proj"]));
}

#[test]
fn what_cannot_be_adapted_is_refused_by_name() {
    let check = |config: LoraConfig, expect: &str| {
        let error = Lora::new(&config, &layout()).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(
        LoraConfig {
            rank: 0,
            ..LoraConfig::default()
        },
        "lora.rank",
    );
    let of = |modules: &[&str]| LoraConfig {
        target_modules: modules.iter().map(|m| (*m).to_owned()).collect(),
        ..LoraConfig::default()
    };
    check(of(&[]), "got none");
    check(of(&["q_proj", "lm_head"]), "lm_head");
}
