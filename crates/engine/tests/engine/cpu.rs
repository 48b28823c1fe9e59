//! The model over our own kernels: against transformers, against its twin on the tensor library, and against itself,
//! bit for bit.

use candle_core::Device;
use rewardanything_core::Sampling;
use rewardanything_engine::cpu::{Part, Wanted};
use rewardanything_engine::{BackendOptions, CpuModel, LoadOptions, LocalModel, Numerics, TokenJob, Weights};

use crate::common::{TINY, assert_close, config, fixture, golden, tensor};

fn cpu(name: &str, numerics: Numerics) -> CpuModel {
    CpuModel::new(&config(name), &Weights::open(&fixture(name)).unwrap(), numerics).unwrap()
}

/// Logits of all positions of one row, fed in pieces that end at `cuts`.
fn in_pieces(model: &CpuModel, tokens: &[u32], cuts: &[usize]) -> Vec<Vec<f32>> {
    let mut sequence = model.sequence();
    let mut logits = Vec::new();
    let mut start = 0;
    for &end in cuts.iter().chain([&tokens.len()]) {
        let part = Part {
            sequence: &mut sequence,
            tokens: &tokens[start..end],
            wanted: Wanted::All,
        };
        logits.extend(model.forward(&mut [part]).unwrap().remove(0));
        start = end;
    }
    logits
}

fn local(name: &str, backend: BackendOptions, max_batch_tokens: usize) -> LocalModel {
    let options = LoadOptions {
        backend,
        max_batch_tokens,
    };
    LocalModel::from_folder(&fixture(name), &options).unwrap()
}

fn kernels(prefix_cache_bytes: usize) -> BackendOptions {
    BackendOptions::Kernels {
        numerics: Numerics::Exact,
        threads: 2,
        prefix_cache_bytes,
    }
}

fn jobs(prompts: &[Vec<u32>], temperature: f64, max_new_tokens: usize) -> Vec<TokenJob> {
    let sampling = |seed: usize| Sampling {
        temperature,
        max_new_tokens,
        seed: seed as u64,
        ..Sampling::default()
    };
    prompts
        .iter()
        .enumerate()
        .map(|(seed, prompt)| TokenJob {
            prompt: prompt.clone(),
            sampling: sampling(seed),
            log_probabilities: true,
            guide: None,
        })
        .collect()
}

#[test]
fn logits_equal_the_references() {
    for name in TINY {
        let (model, golden) = (cpu(name, Numerics::Exact), golden(name));
        for (index, prompt) in golden.prompts.iter().enumerate() {
            let logits = tensor(&in_pieces(&model, prompt, &[]));
            let expect = &golden.tensors[&format!("logits.{index}")];
            assert_close(&format!("{name} {index}"), &logits, expect, 1e-4);
        }
    }
}

#[test]
fn greedy_tokens_equal_the_references() {
    for name in TINY {
        let golden = golden(name);
        let model = local(name, kernels(1 << 20), 10_000);
        let greedy = jobs(&golden.prompts, 0.0, 64);
        // The stop tokens of the folder end a reply that the reference let run on.
        for (reply, expect) in model.generate_tokens(&greedy).into_iter().zip(&golden.greedy) {
            let reply = reply.unwrap();
            assert_eq!(reply.tokens, expect[..reply.tokens.len()], "{name}");
            assert!(
                reply.stop.is_some() || reply.tokens.len() == expect.len(),
                "{name}"
            );
        }
    }
}

#[test]
fn pieces_neighbours_and_cache_leave_no_trace_in_any_bit() {
    let both = [Numerics::Exact, Numerics::Native];
    // The tiny models' weights are in f32, which has one kind of product; nano's are in bf16.
    let models = TINY.into_iter().chain(["../models/nano"]);
    for (name, numerics) in models.flat_map(|name| both.map(|numerics| (name, numerics))) {
        let model = cpu(name, numerics);
        let tokens: Vec<u32> = (0..200).map(|i| (i * 37 + 11) % 384).collect();
        let whole = in_pieces(&model, &tokens, &[]);
        for cuts in [&[1, 2, 3][..], &[64, 128], &[63, 65, 66, 199]] {
            assert_eq!(in_pieces(&model, &tokens, cuts), whole, "{name} {cuts:?}");
        }
        let (mut a, mut b) = (model.sequence(), model.sequence());
        let others: Vec<u32> = tokens.iter().rev().copied().take(90).collect();
        let mut together = Vec::new();
        for (start, end) in [(0, 70), (70, 71), (71, 200)] {
            let mut parts = [
                Part {
                    sequence: &mut b,
                    tokens: &others[start % 30..start % 30 + 9],
                    wanted: Wanted::Last,
                },
                Part {
                    sequence: &mut a,
                    tokens: &tokens[start..end],
                    wanted: Wanted::All,
                },
            ];
            together.extend(model.forward(&mut parts).unwrap().remove(1));
        }
        assert_eq!(together, whole, "{name}");
        // Two rows go on from one beginning; neither sees the other.
        let mut trunk = model.sequence();
        let feed = |sequence: &mut rewardanything_engine::cpu::Sequence, tokens: &[u32]| {
            let part = Part {
                sequence,
                tokens,
                wanted: Wanted::All,
            };
            model.forward(&mut [part]).unwrap().remove(0)
        };
        feed(&mut trunk, &tokens[..100]);
        let mut branch = trunk.clone();
        feed(&mut branch, &others);
        assert_eq!(feed(&mut trunk, &tokens[100..]), whole[100..], "{name}");
    }
}

/// Replies do not depend on what runs beside them, on the room there is, or on what was read before.
#[test]
fn replies_are_the_same_alone_together_and_from_the_cache() {
    for name in TINY {
        let shared: Vec<u32> = (0..150).map(|i| (i * 31 + 5) % 380).collect();
        let prompts: Vec<Vec<u32>> = (0..9)
            .map(|i| [&shared[..150 - 10 * i], &[i as u32 + 1, 7, 9]].concat())
            .collect();
        let jobs = jobs(&prompts, 0.8, 30);
        let plain = local(name, kernels(0), 10_000);
        let alone: Vec<_> = jobs
            .iter()
            .map(|job| {
                plain
                    .generate_tokens(std::slice::from_ref(job))
                    .remove(0)
                    .unwrap()
            })
            .collect();
        for (bytes, room) in [(0, 10_000), (1 << 24, 10_000), (1 << 24, 300), (1 << 15, 1)] {
            let model = local(name, kernels(bytes), room);
            for pass in 0..2 {
                let replies: Vec<_> = model
                    .generate_tokens(&jobs)
                    .into_iter()
                    .map(Result::unwrap)
                    .collect();
                assert_eq!(replies, alone, "{name}, cache {bytes}, room {room}, pass {pass}");
            }
        }
        let device = Device::Cpu;
        let twin = local(
            name,
            BackendOptions::Candle {
                dtype: candle_core::DType::F32,
                device,
            },
            10_000,
        );
        for (twin, ours) in twin.generate_tokens(&jobs).into_iter().zip(&alone) {
            assert_eq!(twin.unwrap().tokens, ours.tokens, "{name}: the twin");
        }
    }
}

/// Callers at the same time share passes, and one who leaves early disturbs nobody.
#[test]
fn callers_at_once_get_what_they_would_get_alone() {
    let model = local("tiny-tied", kernels(1 << 20), 600);
    let prompts: Vec<Vec<u32>> = (0..6).map(|i| (i..i + 30).collect()).collect();
    let jobs = jobs(&prompts, 0.7, 40);
    let alone: Vec<_> = jobs
        .iter()
        .map(|job| {
            model
                .generate_tokens(std::slice::from_ref(job))
                .remove(0)
                .unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for (job, alone) in jobs.iter().zip(&alone) {
            let model = &model;
            let jobs = &jobs;
            scope.spawn(move || {
                for _ in 0..5 {
                    let mut left = model.worker().unwrap().submit(jobs);
                    assert!(left.next().is_some());
                    drop(left);
                    let reply = model.generate_tokens(std::slice::from_ref(job)).remove(0);
                    assert_eq!(&reply.unwrap(), alone);
                }
            });
        }
    });
    let activity = model.worker().unwrap().activity();
    assert!(activity.computed_tokens() > 0 && activity.reused_tokens() > 0);
}

/// Some logits are the ones of all, to the bit, and the others are out of the question.
#[test]
fn logits_of_some_tokens_are_those_of_all() {
    for name in ["tiny-untied", "../models/nano"] {
        for numerics in [Numerics::Exact, Numerics::Native] {
            let model = cpu(name, numerics);
            let tokens: Vec<u32> = (0..40).map(|i| (i * 37 + 11) % 384).collect();
            let (first, second) = ([3u32, 300, 17], [17u32, 5]);
            let mut rows = [model.sequence(), model.sequence(), model.sequence()];
            let wanted = [Wanted::Among(&first), Wanted::Last, Wanted::Among(&second)];
            let mut parts: Vec<Part<'_>> = rows
                .iter_mut()
                .zip(wanted)
                .map(|(sequence, wanted)| Part {
                    sequence,
                    tokens: &tokens,
                    wanted,
                })
                .collect();
            let logits = model.forward(&mut parts).unwrap();
            let all = &logits[1][0];
            for (some, offered) in [(&logits[0][0], &first[..]), (&logits[2][0], &second[..])] {
                assert_eq!(some.len(), all.len());
                for (token, (some, all)) in (0u32..).zip(some.iter().zip(all)) {
                    let expect = if offered.contains(&token) {
                        *all
                    } else {
                        f32::NEG_INFINITY
                    };
                    assert_eq!(some.to_bits(), expect.to_bits(), "{name} {numerics:?} {token}");
                }
            }
        }
    }
}

/// What the processor's own numbers cost: a `bf16` has 8 bits, and logits move by about that share of their size.
#[test]
fn native_numbers_come_near_exact_ones() {
    let (exact, native) = (
        cpu("../models/nano", Numerics::Exact),
        cpu("../models/nano", Numerics::Native),
    );
    let tokens: Vec<u32> = (0..300).map(|i| (i * 37 + 11) % 4_000).collect();
    let (exact, native) = (in_pieces(&exact, &tokens, &[]), in_pieces(&native, &tokens, &[]));
    let (mut off, mut size) = (0f64, 0f64);
    for (exact, native) in exact.iter().flatten().zip(native.iter().flatten()) {
        off += f64::from(exact - native).powi(2);
        size += f64::from(*exact).powi(2);
    }
    let share = (off / size).sqrt();
    assert!(share < 0.03, "native logits are off by {share} of their size");
}
