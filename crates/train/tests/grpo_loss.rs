//! The loss of group relative policy optimisation and its gradient against PyTorch's.

use rewardanything_engine::{Config, OpsMode};
use rewardanything_train::candle_twin::Twin;
use rewardanything_train::examples::Kind;
use rewardanything_train::fused::{Compute, Fused, Likelihoods, Objective, Place, Term};
use rewardanything_train::grpo::update::GrpoLoss;
use rewardanything_train::grpo::{LossConfig, Normalise, Scale, TokenFacts, advantages};
use rewardanything_train::layout::{Dims, Layout};
use rewardanything_train::load;
use rewardanything_train::sequence::Sequence;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Golden {
    groups: Vec<GroupGolden>,
    model: ModelGolden,
}

#[derive(Deserialize)]
struct GroupGolden {
    rewards: Vec<f64>,
    replies: Vec<LogProbabilities>,
    cases: Vec<CaseGolden>,
}

#[derive(Deserialize)]
struct LogProbabilities {
    new: Vec<f64>,
    old: Vec<f64>,
    #[serde(rename = "ref")]
    reference: Vec<f64>,
}

#[derive(Deserialize)]
struct CaseGolden {
    scale: Scale,
    normalise: Normalise,
    clip_low: f64,
    clip_high: f64,
    beta: f64,
    advantages: Vec<f64>,
    loss: f64,
    kl: f64,
    slopes: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct ModelGolden {
    prompt: Vec<u32>,
    replies: Vec<ReplyGolden>,
    rewards: Vec<f64>,
    clip_low: f64,
    clip_high: f64,
    beta: f64,
    loss: std::collections::BTreeMap<Normalise, f64>,
}

#[derive(Deserialize)]
struct ReplyGolden {
    reply: Vec<u32>,
    new: Vec<f64>,
    old: Vec<f64>,
    #[serde(rename = "ref")]
    reference: Vec<f64>,
    entropy: Vec<f64>,
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn golden() -> Golden {
    serde_json::from_slice(&std::fs::read(fixtures().join("grpo/golden.json")).unwrap()).unwrap()
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance, "expected {want}, got {got}");
}

#[test]
fn advantages_losses_and_slopes_equal_pytorch() {
    let mut clipped = 0;
    for group in golden().groups {
        for case in &group.cases {
            let config = LossConfig {
                clip_low: case.clip_low,
                clip_high: case.clip_high,
                beta: case.beta,
                normalise: case.normalise,
            };
            let values = advantages(&group.rewards, case.scale);
            let lengths: Vec<usize> = group.replies.iter().map(|r| r.new.len()).collect();
            let weights = config.normalise.weights(&lengths);
            let (mut loss, mut kl) = (0.0, 0.0);
            for (i, reply) in group.replies.iter().enumerate() {
                close(values[i], case.advantages[i], 1e-9);
                for token in 0..reply.new.len() {
                    let facts = TokenFacts {
                        advantage: values[i],
                        old: Some(reply.old[token]),
                        reference: Some(reply.reference[token]),
                        weight: weights[i],
                    };
                    let of = config.of(reply.new[token], &facts);
                    close(of.slope, case.slopes[i][token], 1e-9);
                    loss += of.value;
                    kl += of.kl;
                    clipped += usize::from(of.clipped);
                }
            }
            close(loss, case.loss, 1e-9);
            close(kl / lengths.iter().sum::<usize>() as f64, case.kl, 1e-9);
        }
    }
    assert!(clipped > 20, "the clip holds {clipped} tokens: it is tested");
}

struct Model {
    config: Config,
    layout: Layout,
    params: Vec<f32>,
    batch: Vec<Sequence>,
    golden: ModelGolden,
}

fn model() -> Model {
    let folder = fixtures().join("tiny-tied");
    let config = Config::from_json(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    let layout = Layout::new(Dims::try_from(&config).unwrap());
    let params = load::parameters(&folder, &layout).unwrap();
    let golden = golden().model;
    let prompt = golden.prompt.len();
    let sequence = |reply: &ReplyGolden| {
        let tokens = [&golden.prompt[..], &reply.reply].concat();
        Sequence {
            weights: (0..tokens.len())
                .map(|i| f32::from(u8::from(i >= prompt)))
                .collect(),
            kinds: vec![Kind::Other; tokens.len()],
            tokens,
        }
    };
    let batch = golden.replies.iter().map(sequence).collect();
    Model {
        config,
        layout,
        params,
        batch,
        golden,
    }
}

impl Model {
    fn loss(&self, normalise: Normalise) -> GrpoLoss<'_> {
        let golden = &self.golden;
        let lengths: Vec<usize> = golden.replies.iter().map(|r| r.reply.len()).collect();
        let weights = normalise.weights(&lengths);
        let values = advantages(&golden.rewards, Scale::Std);
        let facts = golden.replies.iter().enumerate().map(|(i, reply)| {
            let of = |token: usize| TokenFacts {
                advantage: values[i],
                old: Some(reply.old[token]),
                reference: Some(reply.reference[token]),
                weight: weights[i],
            };
            (0..reply.reply.len()).map(of).collect()
        });
        GrpoLoss {
            config: LossConfig {
                clip_low: golden.clip_low,
                clip_high: golden.clip_high,
                beta: golden.beta,
                normalise,
            },
            facts: facts.collect(),
            sequences: &self.batch,
        }
    }

    fn check_likelihoods(&self, got: &Likelihoods) {
        assert_eq!(got.len(), self.golden.replies.len());
        for (got, want) in got.iter().zip(&self.golden.replies) {
            assert_eq!(got.len(), want.new.len());
            for (token, got) in got.iter().enumerate() {
                close(f64::from(got.log_probability), want.new[token], 1e-4);
                close(f64::from(got.entropy), want.entropy[token], 1e-4);
            }
        }
    }

    #[track_caller]
    fn check_gradient(&self, got: &[f32]) {
        let path = fixtures().join("grpo/golden.safetensors");
        let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap();
        for t in &self.layout.tensors {
            let want = tensors[&format!("grad.{}", t.name)].flatten_all().unwrap();
            let want: Vec<f32> = want.to_vec1().unwrap();
            let largest = want.iter().fold(0f32, |a, b| a.max(b.abs()));
            assert!(largest > 0.0, "{} has no gradient", t.name);
            for (got, want) in got[t.range.clone()].iter().zip(&want) {
                assert!(
                    (got - want).abs() < 1e-4 * largest + 1e-6,
                    "{}: {got} {want}",
                    t.name
                );
            }
        }
    }
}

#[test]
fn the_fused_gradient_of_a_model_equals_pytorch() {
    let m = model();
    for (threads, chunk) in [(1, 1000), (2, 32), (3, 1)] {
        let mut fused = Fused::new(m.layout.clone(), threads, chunk);
        m.check_likelihoods(&fused.likelihoods(&m.params, &m.batch));
        let mut gradient = vec![f32::NAN; m.layout.len()];
        let loss = m.loss(Normalise::Token);
        let (value, _) = fused.objective_and_gradient(&m.params, &m.batch, &loss, &mut gradient);
        close(value, m.golden.loss[&Normalise::Token], 1e-5);
        let loss = m.loss(Normalise::Sequence);
        let (value, got) = fused.objective_and_gradient(&m.params, &m.batch, &loss, &mut gradient);
        close(value, m.golden.loss[&Normalise::Sequence], 1e-5);
        m.check_likelihoods(&got);
        m.check_gradient(&gradient);
    }
}

#[test]
fn candle_s_gradient_of_a_model_equals_pytorch() {
    let m = model();
    for mode in [OpsMode::Differentiable, OpsMode::Kernels] {
        let twin = Twin {
            config: &m.config,
            layout: &m.layout,
            mode,
        };
        m.check_likelihoods(&twin.likelihoods(&m.params, &m.batch).unwrap());
        let mut gradient = vec![f32::NAN; m.layout.len()];
        let loss = m.loss(Normalise::Sequence);
        let (value, _) = twin
            .objective_and_gradient(&m.params, &m.batch, &loss, &mut gradient)
            .unwrap();
        close(value, m.golden.loss[&Normalise::Sequence], 1e-5);
        m.check_gradient(&gradient);
    }
}

/// Cross-entropy written as an objective.
struct Plain<'a> {
    batch: &'a [Sequence],
    total: f64,
}

impl Objective for Plain<'_> {
    fn term(&self, place: Place, log_probability: f64) -> Term {
        let weight = f64::from(self.batch[place.sequence].weights[place.token]) / self.total;
        Term {
            value: -weight * log_probability,
            slope: -weight,
        }
    }
}

/// Cross-entropy is one objective among others: both ways give the same gradient, in both numbers.
#[test]
fn cross_entropy_as_an_objective_is_cross_entropy() {
    let m = model();
    for compute in [Compute::Exact, Compute::Native] {
        let mut fused = Fused::new(m.layout.clone(), 2, 64).computing(compute);
        let (mut one, mut two) = (vec![0.0; m.layout.len()], vec![0.0; m.layout.len()]);
        let loss = fused.loss_and_gradient(&m.params, &m.batch, &mut one);
        let plain = Plain {
            batch: &m.batch,
            total: m
                .batch
                .iter()
                .flat_map(|s| &s.weights)
                .map(|w| f64::from(*w))
                .sum(),
        };
        let (again, _) = fused.objective_and_gradient(&m.params, &m.batch, &plain, &mut two);
        close(again, loss, 1e-5);
        let largest = one.iter().fold(0f32, |a, b| a.max(b.abs()));
        for (a, b) in one.iter().zip(&two) {
            assert!((a - b).abs() < 1e-5 * largest, "{a} {b}");
        }
        // A forward pass alone sees what the whole pass saw.
        let alone = fused.likelihoods(&m.params, &m.batch);
        let (_, whole) = fused.objective_and_gradient(&m.params, &m.batch, &plain, &mut two);
        assert_eq!(alone, whole);
    }
}

/// Without a policy of old, ρ is 1: what the first update after sampling is, whose policy is the one that sampled.
#[test]
fn the_first_update_needs_no_old_policy() {
    let m = model();
    let mut fused = Fused::new(m.layout.clone(), 2, 64);
    let now = fused.likelihoods(&m.params, &m.batch);
    let mut with = m.loss(Normalise::Sequence);
    for (facts, now) in with.facts.iter_mut().zip(&now) {
        for (facts, now) in facts.iter_mut().zip(now) {
            facts.old = Some(f64::from(now.log_probability));
        }
    }
    let mut without = m.loss(Normalise::Sequence);
    without
        .facts
        .iter_mut()
        .flatten()
        .for_each(|facts| facts.old = None);
    let (mut one, mut two) = (vec![0.0; m.layout.len()], vec![0.0; m.layout.len()]);
    let (a, _) = fused.objective_and_gradient(&m.params, &m.batch, &with, &mut one);
    let (b, _) = fused.objective_and_gradient(&m.params, &m.batch, &without, &mut two);
    assert_eq!((a, one), (b, two));
}
