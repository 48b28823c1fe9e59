//! Tokens per second of a whole training step: forward, backward and AdamW.
//!
//! Qwen3 of 6 layers, 256 wide, 4 heads over 2 key heads of 64, feed-forward 768, tied vocabulary of 8,192; 8 sequences
//! of 512 tokens, a loss at every position. `tools/peers/train_step.py` measures PyTorch on the same. The figure is that
//! of the median step.
//!
//! `step_speed [--steps N] [--threads N] [--chunk TOKENS] [--exact] [--nano] [--json]`
//!
//! `--exact` computes in `f32` instead of bf16; `--nano` takes the model inside the program, with a loss at two of five
//! positions, as its recipes have it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_train::adamw::{AdamW, Optim};
use rewardanything_train::examples::Kind;
use rewardanything_train::fused::{CHUNK_TOKENS, Compute, Fused};
use rewardanything_train::layout::{Dims, Layout};
use rewardanything_train::sequence::Sequence;
use std::time::Instant;

const SEQUENCES: usize = 8;
const TOKENS: usize = 512;

const PEER: Dims = Dims {
    vocab: 8192,
    hidden: 256,
    feed_forward: 768,
    layers: 6,
    heads: 4,
    kv_heads: 2,
    head_dim: 64,
    tied: true,
    eps: 1e-6,
    rope_theta: 10_000.0,
    positions: TOKENS + 1,
};

/// The model inside the program.
const NANO: Dims = Dims {
    vocab: 4096,
    layers: 4,
    ..PEER
};

/// Sequences in which `losses` of every five positions have a loss.
fn sequences(rng: &mut ChaCha8Rng, vocab: usize, losses: usize) -> Vec<Sequence> {
    // One token more than the peer is fed: the last one is only ever a target.
    let n = TOKENS + 1;
    let vocab = u32::try_from(vocab).expect("a vocabulary fits u32. This is a bug.");
    let sequence = |_| Sequence {
        tokens: (0..n).map(|_| rng.random_range(0..vocab)).collect(),
        weights: (0..n).map(|i| if i % 5 < losses { 1.0 } else { 0.0 }).collect(),
        kinds: vec![Kind::Other; n],
    };
    (0..SEQUENCES).map(sequence).collect()
}

fn option(arguments: &[String], name: &str, default: usize) -> usize {
    let at = arguments.iter().position(|a| a == name);
    at.and_then(|i| arguments.get(i + 1)?.parse().ok())
        .unwrap_or(default)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let steps = option(&arguments, "--steps", 12);
    let threads = option(
        &arguments,
        "--threads",
        std::thread::available_parallelism().map_or(1, usize::from),
    );
    let nano = arguments.iter().any(|a| a == "--nano");
    let (dims, losses) = if nano { (NANO, 2) } else { (PEER, 5) };
    let layout = Layout::new(dims);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut params = layout.initial(&mut rng);
    let batch = sequences(&mut rng, dims.vocab, losses);
    let mut gradient = vec![0f32; layout.len()];
    let mut adamw = AdamW::new(layout.len());
    let optim = Optim::default();
    let asked = if arguments.iter().any(|a| a == "--exact") {
        Compute::Exact
    } else {
        Compute::Native
    };
    let chunk = option(&arguments, "--chunk", CHUNK_TOKENS);
    let mut fused = Fused::new(layout.clone(), threads, chunk).computing(asked);
    let (mut whole, mut gradients, mut losses) = (vec![], vec![], vec![]);
    for step in 0..steps + 2 {
        let start = Instant::now();
        losses.push(fused.loss_and_gradient(&params, &batch, &mut gradient));
        let passes = start.elapsed().as_secs_f64();
        adamw.update(
            &optim,
            &layout.decays(),
            (step, optim.lr_at(step, 1000)),
            &mut params,
            &gradient,
        );
        // The first steps pay for the buffers.
        if step >= 2 {
            whole.push(start.elapsed().as_secs_f64());
            gradients.push(passes);
        }
    }
    let (seconds, passes) = (median(whole), median(gradients));
    let rate = (SEQUENCES * TOKENS) as f64 / seconds;
    let last = losses[losses.len() - 1];
    if arguments.iter().any(|a| a == "--json") {
        let line = serde_json::json!({
            "engine": "rewardanything", "threads": threads, "compute": fused.compute(),
            "tokens_per_second": rate, "step_seconds": seconds, "passes_seconds": passes,
            "first_loss": losses[0], "last_loss": last,
        });
        println!("{line}");
    } else {
        println!(
            "{threads} threads: {rate:.0} tokens/s, {seconds:.3} s a step ({passes:.3} s forward and backward)"
        );
        println!("loss {:.4} -> {last:.4} in {} steps", losses[0], steps + 2);
    }
}
