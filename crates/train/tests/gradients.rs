//! Both gradients against PyTorch's, and against each other.

use candle_core::{DType, Device};
use rewardanything_engine::{Config, OpsMode};
use rewardanything_train::adamw::{AdamW, Optim};
use rewardanything_train::candle_twin::{self, Twin};
use rewardanything_train::examples::Kind;
use rewardanything_train::fused::{Compute, Fused};
use rewardanything_train::layout::{Dims, Layout};
use rewardanything_train::load;
use rewardanything_train::sequence::Sequence;
use std::path::PathBuf;

struct Golden {
    config: Config,
    layout: Layout,
    params: Vec<f32>,
    batch: Vec<Sequence>,
    loss: f64,
    gradient: Vec<f32>,
}

fn sequence(tokens: &[u32], weight: impl Fn(usize) -> f32) -> Sequence {
    Sequence {
        tokens: tokens.to_vec(),
        weights: (0..tokens.len()).map(weight).collect(),
        kinds: vec![Kind::Other; tokens.len()],
    }
}

fn golden(name: &str) -> Golden {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name);
    let config = Config::from_json(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    let layout = Layout::new(Dims::try_from(&config).unwrap());
    let params = load::parameters(&folder, &layout).unwrap();
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("golden.json")).unwrap()).unwrap();
    let prompts: Vec<Vec<u32>> = serde_json::from_value(json["prompts"].clone()).unwrap();
    let batch = prompts
        .iter()
        .filter(|p| p.len() > 1)
        .map(|p| sequence(p, |_| 1.0))
        .collect();
    let tensors = candle_core::safetensors::load(folder.join("golden.safetensors"), &Device::Cpu).unwrap();
    let mut gradient = vec![f32::NAN; layout.len()];
    for t in &layout.tensors {
        let values = tensors[&format!("grad.{}", t.name)].to_dtype(DType::F32).unwrap();
        let values: Vec<f32> = values.flatten_all().unwrap().to_vec1().unwrap();
        gradient[t.range.clone()].copy_from_slice(&values);
    }
    Golden {
        config,
        layout,
        params,
        batch,
        loss: json["loss"].as_f64().unwrap(),
        gradient,
    }
}

#[track_caller]
fn assert_equal(layout: &Layout, got: &[f32], want: &[f32], tolerance: f32) {
    for t in &layout.tensors {
        let largest = want[t.range.clone()].iter().fold(0f32, |a, b| a.max(b.abs()));
        assert!(largest > 0.0, "{} has no gradient at all", t.name);
        for i in t.range.clone() {
            let difference = (got[i] - want[i]).abs();
            assert!(
                difference <= tolerance * largest.max(1e-3),
                "{} [{}]: {} {}",
                t.name,
                i,
                got[i],
                want[i]
            );
        }
    }
}

#[test]
fn fused_equals_pytorch() {
    let g = golden("tiny-tied");
    {
        for threads in [1, 2] {
            let mut gradient = vec![f32::NAN; g.layout.len()];
            let mut fused = Fused::new(g.layout.clone(), threads, 32);
            let loss = fused.loss_and_gradient(&g.params, &g.batch, &mut gradient);
            assert!((loss - g.loss).abs() < 1e-5, "{loss} {}", g.loss);
            assert_equal(&g.layout, &gradient, &g.gradient, 1e-4);
        }
    }
}

#[test]
fn candle_equals_pytorch() {
    let g = golden("tiny-tied");
    for mode in [OpsMode::Differentiable, OpsMode::Kernels] {
        let mut gradient = vec![f32::NAN; g.layout.len()];
        let twin = Twin {
            config: &g.config,
            layout: &g.layout,
            mode,
        };
        let loss = twin
            .loss_and_gradient(&g.params, &g.batch, &mut gradient)
            .unwrap();
        assert!((loss - g.loss).abs() < 1e-5, "{loss} {}", g.loss);
        assert_equal(&g.layout, &gradient, &g.gradient, 1e-4);
    }
}

/// Ragged lengths past one attention block, weights of every kind, a reused workspace.
#[test]
fn fused_equals_candle_on_weighted_ragged_batches() {
    let g = golden("tiny-tied");
    let vocab = g.config.vocab_size;
    let tokens = |n: usize, salt: usize| -> Vec<u32> {
        (0..n)
            .map(|i| u32::try_from((i * 131 + salt * 17 + i * i) % vocab).unwrap())
            .collect()
    };
    let weight = |i: usize| [0.0, 0.05, 1.0, 0.4][i % 4];
    let lengths = [2, 97, 5, 64, 150, 33];
    let batch: Vec<Sequence> = lengths
        .iter()
        .enumerate()
        .map(|(salt, n)| sequence(&tokens(*n, salt), weight))
        .collect();
    let mut fused = Fused::new(g.layout.clone(), 2, 128);
    let mut got = vec![0.0; g.layout.len()];
    fused.loss_and_gradient(&g.params, &batch[..3], &mut got);
    let loss = fused.loss_and_gradient(&g.params, &batch, &mut got);
    let mut want = vec![0.0; g.layout.len()];
    let want_loss =
        candle_twin::loss_and_gradient(&g.config, &g.layout, &g.params, &batch, &mut want).unwrap();
    assert!((loss - want_loss).abs() < 1e-5, "{loss} {want_loss}");
    assert_equal(&g.layout, &got, &want, 2e-4);
    let counted: usize = fused.tally().values().map(|(_, all)| all).sum();
    let expected = batch
        .iter()
        .flat_map(|s| &s.weights[1..])
        .filter(|w| **w != 0.0)
        .count();
    assert_eq!(counted, expected);
}

/// Operands of bf16 are off by at most 2^-8 of themselves, evenly spread, hence by 2^-8 / sqrt(3) in the root mean square.
/// A gradient passes some 14 products a layer, forward and back, and two of the head, each of two rounded operands; the
/// errors are independent and add up as squares. Three times that is allowed.
#[test]
fn native_equals_exact_up_to_the_rounding_of_operands() {
    let g = golden("tiny-tied");
    let vocab = g.config.vocab_size;
    let tokens = |n: usize, salt: usize| -> Vec<u32> {
        (0..n)
            .map(|i| u32::try_from((i * 131 + salt * 17 + i * i) % vocab).unwrap())
            .collect()
    };
    let batch: Vec<Sequence> = [2, 97, 5, 64, 150, 33]
        .iter()
        .enumerate()
        .map(|(salt, n)| sequence(&tokens(*n, salt), |i| [0.0, 0.05, 1.0, 0.4][i % 4]))
        .collect();
    let roundings = 2.0 * (14.0 * g.layout.dims.layers as f64 + 2.0);
    let allowed = 3.0 * roundings.sqrt() / 256.0 / 3f64.sqrt();
    let mut exact = vec![0.0; g.layout.len()];
    let loss = Fused::new(g.layout.clone(), 2, 128).loss_and_gradient(&g.params, &batch, &mut exact);
    for threads in [1, 2] {
        let mut fused = Fused::new(g.layout.clone(), threads, 128).computing(Compute::Native);
        let mut native = vec![0.0; g.layout.len()];
        fused.loss_and_gradient(&g.params, &batch[..2], &mut native);
        let native_loss = fused.loss_and_gradient(&g.params, &batch, &mut native);
        assert!((native_loss - loss).abs() < 2e-3 * loss, "{native_loss} {loss}");
        for t in &g.layout.tensors {
            let norm = |f: &dyn Fn(usize) -> f32| {
                t.range
                    .clone()
                    .map(|i| f64::from(f(i)).powi(2))
                    .sum::<f64>()
                    .sqrt()
            };
            let relative = norm(&|i| native[i] - exact[i]) / norm(&|i| exact[i]);
            assert!(
                relative < allowed,
                "{}: off by {relative:.4}, allowed {allowed:.4}",
                t.name
            );
        }
        // The same batch on as many threads gives the same bits.
        let mut again = vec![f32::NAN; g.layout.len()];
        fused.loss_and_gradient(&g.params, &batch, &mut again);
        assert!(again == native);
        if fused.compute() == Compute::Native {
            assert!(
                native != exact,
                "a twin that is never another computation tests nothing"
            );
        }
    }
}

/// In bf16 a run goes its own way in the last digits, and arrives at the same place.
#[test]
fn native_and_exact_runs_learn_the_same() {
    let g = golden("tiny-tied");
    let vocab = g.config.vocab_size;
    let batch = |step: usize| -> Vec<Sequence> {
        let tokens = |row: usize| -> Vec<u32> {
            // Each token follows from the one before.
            (0..40)
                .scan(step * 7 + row * 3, |t, _| {
                    *t = (*t * 5 + 3) % vocab;
                    Some(u32::try_from(*t).unwrap())
                })
                .collect()
        };
        (0..4).map(|row| sequence(&tokens(row), |_| 1.0)).collect()
    };
    let optim = Optim {
        lr: 5e-3,
        ..Optim::default()
    };
    let run = |compute: Compute| -> (f64, f64) {
        let mut fused = Fused::new(g.layout.clone(), 2, 64).computing(compute);
        let (mut params, mut adamw) = (g.params.clone(), AdamW::new(g.layout.len()));
        let mut gradient = vec![0.0; g.layout.len()];
        let mut losses = Vec::new();
        for step in 0..60 {
            losses.push(fused.loss_and_gradient(&params, &batch(step), &mut gradient));
            adamw.update(
                &optim,
                &g.layout.decays(),
                (step, optim.lr),
                &mut params,
                &gradient,
            );
        }
        (losses[0], losses[50..].iter().sum::<f64>() / 10.0)
    };
    let (native, exact) = (run(Compute::Native), run(Compute::Exact));
    assert!(exact.1 < 0.7 * exact.0, "it learns: {exact:?}");
    assert!(
        (native.1 - exact.1).abs() < 0.02 * exact.0,
        "native {native:?}, exact {exact:?}"
    );
}

/// Splitting a batch over threads and chunks changes nothing but the last bits.
#[test]
fn chunks_do_not_matter() {
    let g = golden("tiny-tied");
    let mut whole = vec![0.0; g.layout.len()];
    let loss = Fused::new(g.layout.clone(), 1, 10_000).loss_and_gradient(&g.params, &g.batch, &mut whole);
    let mut parts = vec![0.0; g.layout.len()];
    let again = Fused::new(g.layout.clone(), 3, 1).loss_and_gradient(&g.params, &g.batch, &mut parts);
    assert!((loss - again).abs() < 1e-6);
    assert_equal(&g.layout, &parts, &whole, 1e-5);
}

/// PyTorch's own untied fixture has biases, which training refuses; the untied head is held to the twin instead.
#[test]
fn an_untied_head_has_its_own_gradient() {
    let mut g = golden("tiny-tied");
    g.config.tie_word_embeddings = false;
    g.layout = Layout::new(Dims::try_from(&g.config).unwrap());
    let head: Vec<f32> = (0..g.layout.len() - g.params.len())
        .map(|i| ((i * 7919) % 97) as f32 / 900.0 - 0.05)
        .collect();
    g.params.extend(head);
    let (mut got, mut want) = (vec![0.0; g.layout.len()], vec![0.0; g.layout.len()]);
    Fused::new(g.layout.clone(), 2, 64).loss_and_gradient(&g.params, &g.batch, &mut got);
    candle_twin::loss_and_gradient(&g.config, &g.layout, &g.params, &g.batch, &mut want).unwrap();
    assert_equal(&g.layout, &got, &want, 1e-4);
}

#[test]
fn biases_are_refused() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-untied/config.json");
    let config = Config::from_json(&std::fs::read(path).unwrap()).unwrap();
    let message = Dims::try_from(&config).unwrap_err().to_string();
    assert!(message.contains("model.attention_bias"), "{message}");
}
