//! Speed of attention over pages at the heads of Qwen3-0.6B, beside the machine's own:
//! `cargo run --release -p rewardanything-kernels --example attention_speed`.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use rewardanything_kernels::{Isa, KvShape, PAGE, PagedQueries, paged_attention};

const SHAPE: KvShape = KvShape {
    heads: 16,
    kv_heads: 8,
    head_dim: 128,
};
/// Layers whose pages decoding reads in turn, so that no cache holds them.
const LAYERS: usize = 12;

/// Best of several runs, in seconds.
fn best(mut run: impl FnMut()) -> f64 {
    run();
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < 1.5 {
        let one = Instant::now();
        run();
        best = best.min(one.elapsed().as_secs_f64());
    }
    best
}

/// Bytes per second that all threads read together.
fn read_speed() -> f64 {
    let memory = vec![1u64; 1 << 25];
    let seconds = best(|| {
        let sum: u64 = memory
            .par_chunks(1 << 18)
            .map(|chunk| chunk.iter().sum::<u64>())
            .sum();
        black_box(sum);
    });
    size_of_val(memory.as_slice()) as f64 / seconds
}

fn noise(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Pages of `tokens` tokens of each of `layers` layers.
fn pages(tokens: usize, layers: usize) -> Vec<Vec<Vec<f32>>> {
    let width = SHAPE.kv_heads * SHAPE.head_dim;
    let (k, v) = (noise(tokens * width), noise(tokens * width));
    let mut pages = vec![vec![0f32; SHAPE.page_len()]; tokens.div_ceil(PAGE)];
    for (token, (k, v)) in k.chunks(width).zip(v.chunks(width)).enumerate() {
        SHAPE.write(&mut pages[token / PAGE], token % PAGE, k, v);
    }
    vec![pages; layers]
}

fn main() {
    println!(
        "{}, {} threads; memory reads at {:.1} GB/s",
        Isa::active().name(),
        rayon::current_num_threads(),
        read_speed() / 1e9
    );
    let width = SHAPE.heads * SHAPE.head_dim;
    for (start, end) in [(0, 512), (0, 2048), (1536, 2048), (0, 8192)] {
        let q = noise((end - start) * width);
        let mut out = vec![0f32; q.len()];
        let pages = pages(end, 1);
        let views: Vec<&[f32]> = pages[0].iter().map(Vec::as_slice).collect();
        let queries = [PagedQueries {
            q: &q,
            start,
            pages: &views,
        }];
        let pairs: usize = (start + 1..=end).sum();
        let seconds = best(|| paged_attention(SHAPE, black_box(&queries), &mut out));
        println!(
            "prefill {start}..{end} f32: {:.1} ms, {:.1} GFLOP/s",
            seconds * 1e3,
            4.0 * (pairs * width) as f64 / seconds / 1e9
        );
    }
    for (batch, context) in [(1, 512), (1, 2048), (1, 8192), (8, 512)] {
        let q = noise(batch * width);
        let mut out = vec![0f32; q.len()];
        let pages = pages(context, LAYERS * batch);
        let views: Vec<Vec<&[f32]>> = pages
            .iter()
            .map(|pages| pages.iter().map(Vec::as_slice).collect())
            .collect();
        let seconds = best(|| {
            for views in views.chunks(batch) {
                let queries: Vec<PagedQueries<'_>> = views
                    .iter()
                    .zip(q.chunks(width))
                    .map(|(pages, q)| PagedQueries {
                        q,
                        start: context - 1,
                        pages,
                    })
                    .collect();
                paged_attention(SHAPE, black_box(&queries), &mut out);
            }
        });
        let bytes = LAYERS * batch * context * SHAPE.kv_heads * SHAPE.head_dim * 2 * size_of::<f32>();
        println!(
            "decode {batch} x {context} f32: {:.1} us a layer, {:.1} GB/s",
            seconds * 1e6 / LAYERS as f64,
            bytes as f64 / seconds / 1e9
        );
    }
}
