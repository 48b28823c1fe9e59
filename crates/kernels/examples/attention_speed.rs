//! Speed of attention over pages at the heads of Qwen3-0.6B, beside the machine's own:
//! `cargo run --release -p rewardanything-kernels --example attention_speed [bf16|f32]`.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use rewardanything_kernels::{Isa, KvFormat, KvShape, PAGE, Page, PageRef, PagedQueries, paged_attention};

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

/// Multiply-adds of `bf16` from registers, counted twice, per second and thread.
#[cfg(target_arch = "x86_64")]
fn bf16_peak() -> Option<f64> {
    use std::arch::x86_64::{__m512, __m512bh, _mm512_dpbf16_ps, _mm512_setzero_ps};
    const ROUNDS: usize = 1 << 18;
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn rounds() -> [__m512; 12] {
        // SAFETY: all bits zero is a vector.
        let right: __m512bh = black_box(unsafe { std::mem::zeroed() });
        let mut sums = [_mm512_setzero_ps(); 12];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, right, right);
            }
        }
        sums
    }
    if !Isa::Avx512Bf16.is_available() {
        return None;
    }
    let seconds = best(|| {
        // SAFETY: the instructions were detected.
        black_box(unsafe { rounds() });
    });
    Some((ROUNDS * 12 * 64) as f64 / seconds)
}

#[cfg(not(target_arch = "x86_64"))]
fn bf16_peak() -> Option<f64> {
    None
}

/// Pages of `tokens` tokens of each of `layers` layers.
fn pages(tokens: usize, layers: usize, format: KvFormat) -> Vec<Vec<Page>> {
    let width = SHAPE.kv_heads * SHAPE.head_dim;
    let (k, v) = (noise(tokens * width), noise(tokens * width));
    let mut pages = vec![Page::new(SHAPE, format, 1); tokens.div_ceil(PAGE)];
    for (token, (k, v)) in k.chunks(width).zip(v.chunks(width)).enumerate() {
        pages[token / PAGE].layer_mut(0).write(token % PAGE, k, v);
    }
    vec![pages; layers]
}

fn views(pages: &[Page]) -> Vec<PageRef<'_>> {
    pages.iter().map(|page| page.layer(0)).collect()
}

fn main() {
    println!(
        "{}, {} threads; memory reads at {:.1} GB/s; bf16 from registers {:.0} GFLOP/s a thread",
        Isa::active().name(),
        rayon::current_num_threads(),
        read_speed() / 1e9,
        bf16_peak().unwrap_or(0.0) / 1e9,
    );
    let only = std::env::args().nth(1);
    for (name, format) in [("f32", KvFormat::F32), ("bf16", KvFormat::Bf16)] {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        for (start, end) in [(0, 512), (0, 2048), (1536, 2048), (0, 8192)] {
            prefill(format, start, end);
        }
        for (batch, context) in [(1, 512), (1, 2048), (1, 8192), (8, 512)] {
            decode(format, batch, context);
        }
    }
}

fn prefill(format: KvFormat, start: usize, end: usize) {
    let width = SHAPE.heads * SHAPE.head_dim;
    let q = noise((end - start) * width);
    let mut out = vec![0f32; q.len()];
    let pages = pages(end, 1, format);
    let queries = [PagedQueries {
        q: &q,
        start,
        pages: &views(&pages[0]),
    }];
    let pairs: usize = (start + 1..=end).sum();
    let seconds = best(|| paged_attention(SHAPE, black_box(&queries), &mut out));
    println!(
        "{format:?} prefill {start}..{end}: {:.1} ms, {:.1} GFLOP/s",
        seconds * 1e3,
        4.0 * (pairs * width) as f64 / seconds / 1e9
    );
}

fn decode(format: KvFormat, batch: usize, context: usize) {
    let width = SHAPE.heads * SHAPE.head_dim;
    let q = noise(batch * width);
    let mut out = vec![0f32; q.len()];
    let pages = pages(context, LAYERS * batch, format);
    let views: Vec<Vec<PageRef<'_>>> = pages.iter().map(|pages| views(pages)).collect();
    let seconds = best(|| {
        for views in views.chunks(batch) {
            let rows = views.iter().zip(q.chunks(width));
            let queries: Vec<PagedQueries<'_>> = rows
                .map(|(pages, q)| PagedQueries {
                    q,
                    start: context - 1,
                    pages,
                })
                .collect();
            paged_attention(SHAPE, black_box(&queries), &mut out);
        }
    });
    let elements = LAYERS * batch * context * SHAPE.kv_heads * SHAPE.head_dim * 2;
    println!(
        "{format:?} decode {batch} x {context}: {:.1} us a layer, {:.1} GB/s",
        seconds * 1e6 / LAYERS as f64,
        (elements * format.element_bytes()) as f64 / seconds / 1e9
    );
}
