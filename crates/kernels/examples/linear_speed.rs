//! Speed of products with packed weights in both numerics, beside the memory's own speed and the `gemm` crate in f32:
//! `cargo run --release -p rewardanything-kernels --example linear_speed [bf16|f32|q8_0|q4_k|q6_k|ROWS]...`.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use rewardanything_kernels::{
    Activations, Format, Isa, Mat, MatMut, Numerics, PackedMatrix, Product, Write, matmul, products,
};

/// Best of several runs, in seconds.
fn best(mut run: impl FnMut()) -> f64 {
    run();
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < 0.4 {
        let one = Instant::now();
        run();
        best = best.min(one.elapsed().as_secs_f64());
    }
    best
}

/// Bytes that all threads together read in a second from one long array.
fn stream() -> f64 {
    let words = vec![1u64; 1 << 25];
    let share = words.len().div_ceil(rayon::current_num_threads());
    let seconds = best(|| {
        let sum: u64 = words
            .par_chunks(share)
            .map(|words| {
                let mut sums = [0u64; 32];
                for words in words.as_chunks::<32>().0 {
                    sums.iter_mut().zip(words).for_each(|(sum, word)| *sum ^= word);
                }
                sums.iter().fold(0, |all, sum| all ^ sum)
            })
            .sum();
        black_box(sum);
    });
    size_of_val(words.as_slice()) as f64 / seconds
}

/// As many matrices as together leave every cache, one after the other, as the layers of a model.
fn matrices(format: Format, n: usize, k: usize) -> Vec<PackedMatrix> {
    let bytes = vec![1u8; format.row_bytes(k).expect("a valid length") * n];
    let count = (96_usize << 20).div_ceil(bytes.len()).max(2);
    (0..count)
        .map(|_| PackedMatrix::new(format, n, k, &bytes).expect("the right length"))
        .collect()
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let ceiling = stream();
    println!(
        "{}, {} threads, memory reads {:.1} GB/s",
        Isa::active().name(),
        rayon::current_num_threads(),
        ceiling / 1e9
    );
    let (counts, formats): (Vec<&str>, Vec<&str>) = asked
        .iter()
        .map(String::as_str)
        .partition(|word| word.parse::<usize>().is_ok());
    let counts: Vec<usize> = counts.iter().filter_map(|word| word.parse().ok()).collect();
    for format in [Format::Bf16, Format::Q8_0, Format::Q4K, Format::Q6K, Format::F32] {
        if !formats.is_empty() && !formats.contains(&format.name().to_lowercase().as_str()) {
            continue;
        }
        for (n, k) in [(3072, 1024), (1024, 3072), (2048, 2048)] {
            let weights = matrices(format, n, k);
            for m in [1, 2, 4, 8, 16, 64, 256, 2048] {
                if !counts.is_empty() && !counts.contains(&m) {
                    continue;
                }
                let (x, mut out) = (vec![0.5f32; m * k], vec![0f32; m * n]);
                for numerics in [Numerics::Exact, Numerics::Native] {
                    let mut rows = Activations::new(Isa::active(), numerics, &[format]);
                    let passes = if m <= 64 { weights.len() } else { 2 };
                    let seconds = best(|| {
                        for weight in &weights[..passes] {
                            rows.set(black_box(&x), k);
                            let (out, write) = (&mut out[..], Write::Replace);
                            products(&rows, &mut [Product { weight, out, write }]);
                        }
                    }) / passes as f64;
                    let bytes = weights[0].bytes() as f64 / seconds;
                    println!(
                        "{} [{m}, {k}] x [{n}, {k}] {numerics:?}: {:.1} GFLOP/s, {:.1} GB/s of weights ({:.0}%)",
                        format.name(),
                        2.0 * (m * n * k) as f64 / seconds / 1e9,
                        bytes / 1e9,
                        bytes / ceiling * 100.0
                    );
                }
            }
        }
    }
    if !counts.is_empty() && !counts.contains(&2048) {
        return;
    }
    let (m, n, k) = (2048, 3072, 1024);
    let (x, weight, mut out) = (vec![0.5f32; m * k], vec![0.5f32; n * k], vec![0f32; m * n]);
    let seconds = best(|| {
        matmul(
            MatMut::new(black_box(&mut out), m, n),
            Mat::new(&x, m, k),
            Mat::new(&weight, n, k).t(),
            1.0,
            Write::Replace,
        );
    });
    println!(
        "gemm crate, f32, one thread, [{m}, {k}] x [{n}, {k}]: {:.1} GFLOP/s",
        2.0 * (m * n * k) as f64 / seconds / 1e9
    );
}
