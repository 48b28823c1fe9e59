//! The model on candle's devices: in `f32` the numbers of PyTorch and of the plain twin, in bf16 the same up to rounding.

use candle_core::{DType, Device};
use rewardanything_engine::Config;
use rewardanything_train::adamw::{AdamW, Optim};
use rewardanything_train::examples::Kind;
use rewardanything_train::layout::{Dims, Layout};
use rewardanything_train::replica::{Place, Replica};
use rewardanything_train::sequence::Sequence;
use rewardanything_train::{candle_twin, load};
use std::path::PathBuf;

struct Model {
    config: Config,
    layout: Layout,
    params: Vec<f32>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-tied")
}

fn model() -> Model {
    let config = Config::from_json(&std::fs::read(folder().join("config.json")).unwrap()).unwrap();
    let layout = Layout::new(Dims::try_from(&config).unwrap());
    let params = load::parameters(&folder(), &layout).unwrap();
    Model {
        config,
        layout,
        params,
    }
}

fn sequence(tokens: Vec<u32>, weight: impl Fn(usize) -> f32) -> Sequence {
    Sequence {
        weights: (0..tokens.len()).map(weight).collect(),
        kinds: vec![Kind::Other; tokens.len()],
        tokens,
    }
}

/// Ragged rows with weights of every kind, one of them predicting nothing.
fn ragged(vocab: usize) -> Vec<Sequence> {
    let lengths = [2, 97, 5, 64, 150, 33, 40];
    let rows = lengths.iter().enumerate().map(|(salt, n)| {
        let token = |i: usize| u32::try_from((i * 131 + salt * 17 + i * i) % vocab).unwrap();
        let weight = move |i: usize| {
            if salt == 6 {
                0.0
            } else {
                [0.0, 0.05, 1.0, 0.4][i % 4]
            }
        };
        sequence((0..*n).map(token).collect(), weight)
    });
    rows.collect()
}

fn place(dtype: DType, pass_tokens: usize) -> Place {
    Place {
        device: Device::Cpu,
        dtype,
        pass_tokens,
    }
}

fn computed(model: &Model, place: Place, batch: &[Sequence]) -> (f64, Vec<f32>) {
    let mut gradient = vec![f32::NAN; model.layout.len()];
    let mut replica = Replica::new(&model.config, &model.layout, place).unwrap();
    let loss = replica
        .loss_and_gradient(&model.params, batch, &mut gradient)
        .unwrap();
    (loss, gradient)
}

/// The greatest relative distance of any tensor's gradient, in the Euclidean norm, and that tensor.
fn distance(layout: &Layout, got: &[f32], want: &[f32]) -> (f64, String) {
    let norm =
        |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let of = layout.tensors.iter().map(|t| {
        let range = t.range.clone();
        let off = norm(&mut range.clone().map(|i| got[i] - want[i]));
        let size = norm(&mut range.map(|i| want[i]));
        assert!(size > 0.0, "{} has no gradient at all", t.name);
        (off / size, t.name.clone())
    });
    of.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

#[test]
fn it_equals_pytorch_however_rows_are_grouped() {
    let model = model();
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder().join("golden.json")).unwrap()).unwrap();
    let prompts: Vec<Vec<u32>> = serde_json::from_value(json["prompts"].clone()).unwrap();
    let batch: Vec<Sequence> = prompts
        .into_iter()
        .filter(|p| p.len() > 1)
        .map(|p| sequence(p, |_| 1.0))
        .collect();
    let tensors = candle_core::safetensors::load(folder().join("golden.safetensors"), &Device::Cpu).unwrap();
    let mut want = vec![f32::NAN; model.layout.len()];
    for t in &model.layout.tensors {
        let values = tensors[&format!("grad.{}", t.name)].to_dtype(DType::F32).unwrap();
        want[t.range.clone()].copy_from_slice(&values.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }
    for pass_tokens in [0, 64, 10_000] {
        let (loss, gradient) = computed(&model, place(DType::F32, pass_tokens), &batch);
        let golden = json["loss"].as_f64().unwrap();
        assert!((loss - golden).abs() < 1e-5, "{loss} {golden}");
        let (off, name) = distance(&model.layout, &gradient, &want);
        assert!(off < 1e-4, "{pass_tokens} tokens a pass, {name}: {off}");
    }
}

#[test]
fn it_equals_the_plain_twin_on_weighted_ragged_rows() {
    let model = model();
    let batch = ragged(model.config.vocab_size);
    let mut want = vec![0.0; model.layout.len()];
    let want_loss =
        candle_twin::loss_and_gradient(&model.config, &model.layout, &model.params, &batch, &mut want)
            .unwrap();
    for pass_tokens in [0, 200, 10_000] {
        let (loss, gradient) = computed(&model, place(DType::F32, pass_tokens), &batch);
        assert!((loss - want_loss).abs() < 1e-5, "{loss} {want_loss}");
        let (off, name) = distance(&model.layout, &gradient, &want);
        assert!(off < 1e-5, "{pass_tokens} tokens a pass, {name}: {off}");
    }
}

/// Here activations are bf16 too, not only operands of products: some forty roundings a layer, forward and back, each off
/// by 2^-8 / sqrt(3) in the root mean square. Errors are independent and add up as squares; three times that is allowed.
#[test]
fn bf16_is_off_by_its_rounding_alone() {
    let model = model();
    let batch = ragged(model.config.vocab_size);
    let (want_loss, want) = computed(&model, place(DType::F32, 0), &batch);
    let roundings = 40.0 * model.layout.dims.layers as f64 + 4.0;
    let allowed = 3.0 * roundings.sqrt() / 256.0 / 3f64.sqrt();
    for pass_tokens in [0, 10_000] {
        let (loss, gradient) = computed(&model, place(DType::BF16, pass_tokens), &batch);
        assert!((loss - want_loss).abs() < 5e-3 * want_loss, "{loss} {want_loss}");
        let (off, name) = distance(&model.layout, &gradient, &want);
        assert!(off < allowed, "{name}: off by {off:.4}, allowed {allowed:.4}");
        assert!(off > 1e-4, "it is another computation");
    }
}

/// With master weights in f32, updates far below the step of bf16 add up, and a run arrives where f32 does.
#[test]
fn bf16_and_f32_runs_learn_the_same() {
    let model = model();
    let vocab = model.config.vocab_size;
    let batch = |step: usize| -> Vec<Sequence> {
        let row = |row: usize| {
            let next = |t: &mut usize, _| {
                *t = (*t * 5 + 3) % vocab;
                Some(u32::try_from(*t).unwrap())
            };
            sequence((0..40).scan(step * 7 + row * 3, next).collect(), |_| 1.0)
        };
        (0..4).map(row).collect()
    };
    let optim = Optim {
        lr: 5e-3,
        ..Optim::default()
    };
    let run = |dtype| -> (f64, f64) {
        let mut replica = Replica::new(&model.config, &model.layout, place(dtype, 1000)).unwrap();
        let (mut params, mut adamw) = (model.params.clone(), AdamW::new(model.layout.len()));
        let mut gradient = vec![0.0; model.layout.len()];
        let mut losses = Vec::new();
        for step in 0..40 {
            losses.push(
                replica
                    .loss_and_gradient(&params, &batch(step), &mut gradient)
                    .unwrap(),
            );
            adamw.update(
                &optim,
                &model.layout.decays(),
                (step, optim.lr),
                &mut params,
                &gradient,
            );
        }
        (losses[0], losses[30..].iter().sum::<f64>() / 10.0)
    };
    let (narrow, wide) = (run(DType::BF16), run(DType::F32));
    assert!(wide.1 < 0.8 * wide.0, "it learns: {wide:?}");
    assert!(
        (narrow.1 - wide.1).abs() < 0.02 * wide.0,
        "bf16 {narrow:?}, f32 {wide:?}"
    );
}

/// On an NVIDIA device: the same gradients as on the CPU, in f32 and in bf16.
#[cfg(feature = "cuda")]
#[test]
fn cuda_equals_the_cpu() {
    let Ok(device) = rewardanything_engine::device::cuda(0) else {
        println!("skipped: there is no NVIDIA device here");
        return;
    };
    let model = model();
    let batch = ragged(model.config.vocab_size);
    for (dtype, allowed) in [(DType::F32, 1e-3), (DType::BF16, 0.06)] {
        let (want_loss, want) = computed(&model, place(DType::F32, 10_000), &batch);
        let on = Place {
            device: device.clone(),
            dtype,
            pass_tokens: 10_000,
        };
        let (loss, gradient) = computed(&model, on, &batch);
        assert!(
            (loss - want_loss).abs() < 5e-3 * want_loss,
            "{dtype:?}: {loss} {want_loss}"
        );
        let (off, name) = distance(&model.layout, &gradient, &want);
        assert!(off < allowed, "{dtype:?}, {name}: off by {off}");
    }
}
