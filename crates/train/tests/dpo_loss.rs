//! The loss of direct preference optimisation and its gradient against PyTorch's.

use rewardanything_engine::Config;
use rewardanything_kernels::Likelihood;
use rewardanything_train::examples::Kind;
use rewardanything_train::fused::{Fused, Likelihoods};
use rewardanything_train::grpo::preference::{DpoConfig, weigh};
use rewardanything_train::grpo::update::GrpoLoss;
use rewardanything_train::grpo::{LossConfig, Normalise};
use rewardanything_train::layout::{Dims, Layout};
use rewardanything_train::load;
use rewardanything_train::sequence::Sequence;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Golden {
    beta: f64,
    pairs: Vec<PairGolden>,
    loss: f64,
    margin: f64,
    accuracy: f64,
}

#[derive(Deserialize)]
struct PairGolden {
    prompt: Vec<u32>,
    chosen: ReplyGolden,
    rejected: ReplyGolden,
    margin: f64,
}

#[derive(Deserialize)]
struct ReplyGolden {
    reply: Vec<u32>,
    #[serde(rename = "ref")]
    reference: Vec<f32>,
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance, "expected {want}, got {got}");
}

struct Model {
    layout: Layout,
    params: Vec<f32>,
    batch: Vec<Sequence>,
    reference: Likelihoods,
    golden: Golden,
}

fn model() -> Model {
    let folder = fixtures().join("tiny-tied");
    let config = Config::from_json(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    let layout = Layout::new(Dims::try_from(&config).unwrap());
    let params = load::parameters(&folder, &layout).unwrap();
    let golden: Golden =
        serde_json::from_slice(&std::fs::read(fixtures().join("dpo/golden.json")).unwrap()).unwrap();
    let (mut batch, mut reference) = (Vec::new(), Likelihoods::new());
    for pair in &golden.pairs {
        for reply in [&pair.chosen, &pair.rejected] {
            let tokens = [&pair.prompt[..], &reply.reply].concat();
            batch.push(Sequence {
                weights: (0..tokens.len())
                    .map(|i| f32::from(u8::from(i >= pair.prompt.len())))
                    .collect(),
                kinds: vec![Kind::Other; tokens.len()],
                tokens,
            });
            let known = reply.reference.iter().map(|&log_probability| {
                let mut known = Likelihood::default();
                known.log_probability = log_probability;
                known
            });
            reference.push(known.collect());
        }
    }
    Model {
        layout,
        params,
        batch,
        reference,
        golden,
    }
}

impl Model {
    /// The gradient of the pairs that `part` names, through the passes of group relative optimisation.
    fn gradient(&self, part: &[usize], config: LossConfig) -> Vec<f32> {
        let mut fused = Fused::new(self.layout.clone(), 2, 32);
        let policy = fused.likelihoods(&self.params, &self.batch);
        let config_of_pairs = DpoConfig {
            beta: self.golden.beta,
        };
        let weighed = weigh(config_of_pairs, (&policy, &self.reference), part);
        let loss = GrpoLoss {
            config,
            facts: (0..self.batch.len())
                .map(|at| weighed.facts(at, policy[at].len()))
                .collect(),
            sequences: &self.batch,
        };
        let mut gradient = vec![f32::NAN; self.layout.len()];
        fused.objective_and_gradient(&self.params, &self.batch, &loss, &mut gradient);
        gradient
    }
}

#[test]
fn loss_margins_and_gradient_equal_pytorch() {
    let m = model();
    let all: Vec<usize> = (0..m.batch.len()).collect();
    let policy = Fused::new(m.layout.clone(), 1, 1000).likelihoods(&m.params, &m.batch);
    let config = DpoConfig { beta: m.golden.beta };
    let pairs = weigh(config, (&policy, &m.reference), &all).pairs;
    assert_eq!(pairs.pairs, m.golden.pairs.len());
    close(pairs.loss, m.golden.loss, 1e-5);
    close(pairs.margin, m.golden.margin, 1e-5);
    close(pairs.accuracy, m.golden.accuracy, 1e-6);
    for (at, pair) in m.golden.pairs.iter().enumerate() {
        let one = weigh(config, (&policy, &m.reference), &[2 * at, 2 * at + 1]);
        close(one.pairs.margin, pair.margin, 2e-5);
    }

    let got = m.gradient(&all, LossConfig::default());
    let path = fixtures().join("dpo/golden.safetensors");
    let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap();
    assert!(tensors.len() > 8, "{} tensors are compared", tensors.len());
    for (name, want) in tensors {
        let tensor = m
            .layout
            .tensors
            .iter()
            .find(|t| name == format!("grad.{}", t.name));
        let range = tensor
            .unwrap_or_else(|| panic!("no tensor for {name}"))
            .range
            .clone();
        let want: Vec<f32> = want.flatten_all().unwrap().to_vec1().unwrap();
        let largest = want.iter().fold(0f32, |a, b| a.max(b.abs()));
        assert!(largest > 0.0, "{name} has no gradient");
        for (got, want) in got[range].iter().zip(&want) {
            assert!((got - want).abs() < 1e-4 * largest + 1e-6, "{name}: {got} {want}");
        }
    }
}

/// The mean over all pairs is the mean of the parts' means, and the constants of the clipped objective mean nothing.
#[test]
fn parts_add_up_and_other_constants_mean_nothing() {
    let m = model();
    let other = LossConfig {
        clip_low: 0.0,
        clip_high: 0.0,
        beta: 3.0,
        normalise: Normalise::Token,
    };
    let whole = m.gradient(&[0, 1, 2, 3, 4, 5, 6, 7], LossConfig::default());
    let parts = [m.gradient(&[6, 7, 0, 1], other), m.gradient(&[2, 3, 4, 5], other)];
    let largest = whole.iter().fold(0f32, |a, b| a.max(b.abs()));
    for (at, whole) in whole.iter().enumerate() {
        let mean = f32::midpoint(parts[0][at], parts[1][at]);
        assert!((whole - mean).abs() < 1e-5 * largest, "{at}: {whole} {mean}");
    }
}
