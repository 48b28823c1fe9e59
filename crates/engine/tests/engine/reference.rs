//! The model against transformers: logits, greedy tokens, gradients. And against itself: a row must not notice the
//! batch, the cache, the padding or the packing that it runs in.

use crate::common::{TINY, assert_close, fixture, golden, model};
use candle_core::{DType, Device, IndexOp, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use rewardanything_core::Sampling;
use rewardanything_engine::{
    Batch, Cache, EngineError, OpsMode, Positions, Qwen3, TokenJob, Weights, generate, log_probability,
};

const MODES: [OpsMode; 3] = [OpsMode::Fast, OpsMode::Differentiable, OpsMode::Kernels];

/// Logits of one sequence alone, without a cache: `[t, v]`.
fn alone(model: &Qwen3, tokens: &[u32], mode: OpsMode) -> Tensor {
    let batch = Batch::ragged(&[tokens]).unwrap();
    model
        .forward(&batch, &mut Cache::none(), Positions::All, mode)
        .unwrap()
        .i(0)
        .unwrap()
}

fn greedy_jobs(prompts: &[Vec<u32>]) -> Vec<TokenJob> {
    let sampling = Sampling {
        max_new_tokens: 64,
        ..Sampling::default()
    };
    prompts
        .iter()
        .map(|prompt| TokenJob {
            prompt: prompt.clone(),
            sampling,
            log_probabilities: false,
            guide: None,
        })
        .collect()
}

#[test]
fn logits_equal_the_references() {
    for name in TINY {
        let (model, golden) = (model(name), golden(name));
        for mode in MODES {
            for (index, prompt) in golden.prompts.iter().enumerate() {
                let logits = alone(&model, prompt, mode);
                assert_close(
                    &format!("{name} {mode:?} {index}"),
                    &logits,
                    &golden.tensors[&format!("logits.{index}")],
                    1e-4,
                );
            }
        }
    }
}

#[test]
fn greedy_tokens_equal_the_references() {
    for name in TINY {
        let (model, golden) = (model(name), golden(name));
        let replies = generate(&model, &greedy_jobs(&golden.prompts), &[], 10_000);
        for (reply, expect) in replies.iter().zip(&golden.greedy) {
            assert_eq!(&reply.as_ref().unwrap().tokens, expect, "{name}");
        }
    }
}

#[test]
fn a_ragged_batch_equals_its_rows_alone() {
    for name in TINY {
        let (model, golden) = (model(name), golden(name));
        for mode in MODES {
            let batch = Batch::ragged(&golden.prompts).unwrap();
            let all = model
                .forward(&batch, &mut Cache::none(), Positions::All, mode)
                .unwrap();
            let last = model
                .forward(&batch, &mut Cache::none(), Positions::Last, mode)
                .unwrap();
            for (row, prompt) in golden.prompts.iter().enumerate() {
                let expect = alone(&model, prompt, mode);
                let what = format!("{name} {mode:?} row {row}");
                assert_close(&what, &all.i((row, ..prompt.len())).unwrap(), &expect, 1e-5);
                assert_close(
                    &what,
                    &last.i(row).unwrap(),
                    &expect.i(prompt.len() - 1).unwrap(),
                    1e-5,
                );
            }
        }
    }
}

#[test]
fn a_cached_pass_equals_an_uncached_one_however_it_is_cut() {
    for name in TINY {
        let (model, golden) = (model(name), golden(name));
        // Three rows, fed in pieces of unequal lengths, so that padding ends up between their tokens.
        let rows: Vec<&[u32]> = [0..20, 3..30, 10..36]
            .into_iter()
            .map(|r| &golden.prompts[2][r])
            .collect();
        let cuts: [&[usize]; 3] = [&[1, 2, 9, 20], &[10, 11, 12, 27], &[5, 19, 20, 26]];
        let mut cache = Cache::new();
        for step in 0..4 {
            let piece = |row: usize| {
                let start = if step == 0 { 0 } else { cuts[row][step - 1] };
                &rows[row][start..cuts[row][step]]
            };
            let batch = Batch::ragged(&[piece(0), piece(1), piece(2)]).unwrap();
            let last = model
                .forward(&batch, &mut cache, Positions::Last, OpsMode::Fast)
                .unwrap();
            for row in 0..3 {
                let expect = alone(&model, &rows[row][..cuts[row][step]], OpsMode::Fast);
                let expect = expect.i(cuts[row][step] - 1).unwrap();
                assert_close(
                    &format!("{name} step {step} row {row}"),
                    &last.i(row).unwrap(),
                    &expect,
                    1e-5,
                );
            }
        }
        assert_eq!(cache.lengths(), [20, 27, 26]);
    }
}

#[test]
fn a_forked_cache_equals_a_fresh_one_and_leaves_the_first_alone() {
    let (model, golden) = (model("tiny-tied"), golden("tiny-tied"));
    let tokens = &golden.prompts[2];
    let step = |cache: &mut Cache, tokens: &[[u32; 1]]| {
        model
            .forward(
                &Batch::ragged(tokens).unwrap(),
                cache,
                Positions::Last,
                OpsMode::Fast,
            )
            .unwrap()
    };
    let mut trunk = Cache::new();
    let start = Batch::ragged(&[&tokens[..9], &tokens[..4]]).unwrap();
    model
        .forward(&start, &mut trunk, Positions::Last, OpsMode::Fast)
        .unwrap();
    let mut branch = trunk.fork(&[1, 0, 0]).unwrap();
    let forked = step(&mut branch, &[[7], [8], [9]]);
    let trunk_logits = step(&mut trunk, &[[5], [6]]);
    let expect = |prefix: usize, token: u32| {
        let sequence = [&tokens[..prefix], &[token]].concat();
        alone(&model, &sequence, OpsMode::Fast).i(prefix).unwrap()
    };
    for (row, (prefix, token)) in [(4, 7), (9, 8), (9, 9)].into_iter().enumerate() {
        assert_close("branch", &forked.i(row).unwrap(), &expect(prefix, token), 1e-5);
    }
    for (row, (prefix, token)) in [(9, 5), (4, 6)].into_iter().enumerate() {
        assert_close(
            "trunk",
            &trunk_logits.i(row).unwrap(),
            &expect(prefix, token),
            1e-5,
        );
    }
    assert!(matches!(trunk.fork(&[2]), Err(EngineError::Call(_))));
}

#[test]
fn packed_sequences_equal_sequences_alone() {
    let (model, golden) = (model("tiny-untied"), golden("tiny-untied"));
    let [a, b, c] = &golden.prompts[..] else {
        panic!("three prompts")
    };
    for mode in MODES {
        let batch = Batch::packed(&[vec![b, a, c], vec![c]]).unwrap();
        let all = model
            .forward(&batch, &mut Cache::none(), Positions::All, mode)
            .unwrap();
        let mut start = 0;
        for sequence in [b, a, c] {
            let got = all.i((0, start..start + sequence.len())).unwrap();
            assert_close("packed", &got, &alone(&model, sequence, mode), 1e-5);
            start += sequence.len();
        }
        assert_close(
            "second row",
            &all.i((1, ..c.len())).unwrap(),
            &alone(&model, c, mode),
            1e-5,
        );
    }
}

/// Long enough for several query blocks, whose seams must not show.
#[test]
fn query_blocks_do_not_show() {
    let model = model("tiny-tied");
    let tokens: Vec<u32> = (0..600).map(|i| (i * 37 + 11) % 384).collect();
    let rows = [&tokens[..], &tokens[100..400]];
    let run = |mode| {
        model
            .forward(
                &Batch::ragged(&rows).unwrap(),
                &mut Cache::none(),
                Positions::All,
                mode,
            )
            .unwrap()
    };
    let (fast, whole) = (run(OpsMode::Fast), run(OpsMode::Differentiable));
    assert_close("row 0", &fast.i(0).unwrap(), &whole.i(0).unwrap(), 1e-4);
    assert_close(
        "row 1",
        &fast.i((1, ..300)).unwrap(),
        &whole.i((1, ..300)).unwrap(),
        1e-4,
    );
}

#[test]
fn batched_generation_equals_single_whatever_the_budget() {
    for name in TINY {
        let (model, golden) = (model(name), golden(name));
        let sampling = Sampling {
            temperature: 0.9,
            top_p: 0.95,
            max_new_tokens: 40,
            ..Sampling::default()
        };
        let job = |(index, prompt): (usize, &Vec<u32>)| TokenJob {
            prompt: prompt.clone(),
            sampling: Sampling {
                seed: index as u64 / 2,
                ..sampling
            },
            log_probabilities: true,
            guide: None,
        };
        let prompts = [&golden.prompts[..], &golden.prompts[..], &[vec![9; 159]]].concat();
        let jobs: Vec<TokenJob> = prompts.iter().enumerate().map(job).collect();
        let stop = [golden.greedy[0][20], golden.greedy[1][30]];
        let single: Vec<_> = jobs
            .iter()
            .map(|job| {
                generate(&model, std::slice::from_ref(job), &stop, 1)
                    .remove(0)
                    .unwrap()
            })
            .collect();
        assert!(
            single.iter().any(|reply| reply.stop.is_some()),
            "{name}: the test wants a reply that stops"
        );
        assert_eq!(single[6].computed(), 1, "one token of room");
        // The small budgets force groups to be split while they run.
        for budget in [100_000, 400, 130, 1] {
            for (index, (reply, expect)) in generate(&model, &jobs, &stop, budget)
                .into_iter()
                .zip(&single)
                .enumerate()
            {
                let reply = reply.unwrap();
                assert_eq!(
                    (&reply.tokens, reply.stop),
                    (&expect.tokens, expect.stop),
                    "{name} budget {budget} job {index}"
                );
                assert_eq!(reply.log_probabilities.len(), reply.computed());
                for (a, b) in reply.log_probabilities.iter().zip(&expect.log_probabilities) {
                    assert!((a - b).abs() < 1e-4, "{name}: log-probability {a}, alone {b}");
                }
            }
        }
    }
}

#[test]
fn log_probabilities_are_those_of_a_fresh_pass() {
    let (model, golden) = (model("tiny-untied"), golden("tiny-untied"));
    let sampling = Sampling {
        temperature: 0.7,
        top_k: 20,
        max_new_tokens: 30,
        ..Sampling::default()
    };
    let prompt = golden.prompts[1].clone();
    let job = TokenJob {
        prompt: prompt.clone(),
        sampling,
        log_probabilities: true,
        guide: None,
    };
    let reply = generate(&model, &[job], &[], 1_000).remove(0).unwrap();
    let sequence = [&prompt[..], &reply.tokens].concat();
    let logits: Vec<Vec<f32>> = alone(&model, &sequence, OpsMode::Fast).to_vec2().unwrap();
    for (index, (&token, got)) in reply.tokens.iter().zip(&reply.log_probabilities).enumerate() {
        let expect = log_probability(&logits[prompt.len() + index - 1], token);
        assert!(
            (got - expect).abs() < 1e-4,
            "token {index}: {got}, fresh {expect}"
        );
    }
}

#[test]
fn a_job_that_fails_leaves_the_others_alone() {
    let (model, golden) = (model("tiny-tied"), golden("tiny-tied"));
    let jobs = greedy_jobs(&[
        vec![],
        golden.prompts[1].clone(),
        vec![384],
        vec![0; 160],
        golden.prompts[2].clone(),
    ]);
    let replies = generate(&model, &jobs, &[], 10_000);
    assert!(matches!(&replies[0], Err(EngineError::Call(message)) if message.contains("0 tokens")));
    assert_eq!(replies[1].as_ref().unwrap().tokens, golden.greedy[1]);
    assert!(matches!(
        replies[2],
        Err(EngineError::TokenOutOfRange {
            token: 384,
            vocabulary: 384
        })
    ));
    assert!(matches!(&replies[3], Err(EngineError::Call(message)) if message.contains("160")));
    assert_eq!(replies[4].as_ref().unwrap().tokens, golden.greedy[2]);
}

/// Weights as trainable variables, as training has them.
fn trainable(name: &str) -> (VarMap, Qwen3) {
    let config = crate::common::config(name);
    let weights = Weights::open(&fixture(name)).unwrap();
    let variables = VarMap::new();
    for (tensor, _) in config.tensors() {
        let value = weights.tensor(&tensor, DType::F32, &Device::Cpu).unwrap();
        variables
            .data()
            .lock()
            .unwrap()
            .insert(tensor, Var::from_tensor(&value).unwrap());
    }
    let model = Qwen3::new(
        &config,
        VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu),
    )
    .unwrap();
    assert_eq!(
        variables.all_vars().len(),
        config.tensors().len(),
        "the model invented a tensor"
    );
    (variables, model)
}

/// The mean next-token loss over all prompts, from logits `[rows * width, v]` and the index of each sequence's start.
fn check_gradients(name: &str, batch: &Batch, starts: &[usize]) {
    for mode in [OpsMode::Differentiable, OpsMode::Kernels] {
        check_gradients_in(mode, name, batch, starts);
    }
}

fn check_gradients_in(mode: OpsMode, name: &str, batch: &Batch, starts: &[usize]) {
    let golden = golden(name);
    let (variables, model) = trainable(name);
    let logits = model
        .forward(batch, &mut Cache::none(), Positions::All, mode)
        .unwrap();
    let logits = logits.flatten_to(1).unwrap();
    let (mut positions, mut targets) = (Vec::new(), Vec::new());
    for (start, prompt) in starts.iter().zip(&golden.prompts) {
        positions.extend((0..prompt.len() - 1).map(|t| (start + t) as u32));
        targets.extend_from_slice(&prompt[1..]);
    }
    let positions = Tensor::new(positions, &Device::Cpu).unwrap();
    let targets = Tensor::new(targets, &Device::Cpu).unwrap();
    let loss =
        candle_nn::loss::cross_entropy(&logits.index_select(&positions, 0).unwrap(), &targets).unwrap();
    let value = f64::from(loss.to_scalar::<f32>().unwrap());
    assert!(
        (value - golden.json["loss"].as_f64().unwrap()).abs() < 1e-4,
        "{name}: loss {value}"
    );
    let gradients = loss.backward().unwrap();
    for (tensor, variable) in variables.data().lock().unwrap().iter() {
        let expect = &golden.tensors[&format!("grad.{tensor}")];
        let got = gradients
            .get(variable)
            .unwrap_or_else(|| panic!("{name}: {tensor} has no gradient"));
        // Absolute for small gradients, relative to the tensor's largest for others.
        let scale: f32 = expect
            .abs()
            .unwrap()
            .flatten_all()
            .unwrap()
            .max(0)
            .unwrap()
            .to_scalar()
            .unwrap();
        assert!(
            scale > 1e-6,
            "{name}: the reference's gradient of {tensor} says nothing"
        );
        assert_close(
            &format!("{name}: gradient of {tensor}"),
            got,
            expect,
            1e-4 * scale.min(1.0),
        );
    }
}

#[test]
fn every_gradient_equals_the_references() {
    for name in TINY {
        let prompts = golden(name).prompts;
        let width = prompts.iter().map(Vec::len).max().unwrap();
        check_gradients(name, &Batch::ragged(&prompts).unwrap(), &[0, width, 2 * width]);
    }
}

#[test]
fn packing_does_not_change_a_gradient() {
    for name in TINY {
        let prompts = golden(name).prompts;
        let ends = prompts[0].len() + prompts[1].len();
        check_gradients(
            name,
            &Batch::packed(&[&prompts]).unwrap(),
            &[0, prompts[0].len(), ends],
        );
    }
}

#[test]
fn calls_without_meaning_are_refused() {
    let model = model("tiny-tied");
    let check = |batch: Batch, cache: &mut Cache, mode, expect: &str| {
        let error = model
            .forward(&batch, cache, Positions::Last, mode)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expect), "{error}");
    };
    let one = || Batch::ragged(&[[1_u32]]).unwrap();
    for mode in [OpsMode::Differentiable, OpsMode::Kernels] {
        check(one(), &mut Cache::new(), mode, "differentiable");
    }
    check(
        Batch::packed(&[[[1_u32]]]).unwrap(),
        &mut Cache::new(),
        OpsMode::Fast,
        "packed",
    );
    check(
        Batch::ragged(&[[384_u32]]).unwrap(),
        &mut Cache::new(),
        OpsMode::Fast,
        "token 384",
    );
    let mut cache = Cache::new();
    model
        .forward(&one(), &mut cache, Positions::Last, OpsMode::Fast)
        .unwrap();
    check(
        Batch::ragged(&[[1_u32], [2]]).unwrap(),
        &mut cache,
        OpsMode::Fast,
        "1 rows, the batch 2",
    );
}

#[test]
fn a_var_map_without_weights_is_filled() {
    let config = crate::common::config("tiny-tied");
    let variables = VarMap::new();
    Qwen3::new(
        &config,
        VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu),
    )
    .unwrap();
    let data = variables.data().lock().unwrap();
    let mut got: Vec<_> = data
        .iter()
        .map(|(name, var)| (name.clone(), var.dims().to_vec()))
        .collect();
    let mut expect = config.tensors();
    got.sort();
    expect.sort();
    assert_eq!(got, expect);
    let norm: Vec<f32> = data["model.norm.weight"].to_vec1().unwrap();
    assert!(norm.iter().all(|&w| w == 1.0));
}
