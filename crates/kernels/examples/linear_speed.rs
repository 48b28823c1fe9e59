//! Speed of products with packed weights, beside the `gemm` crate in f32 and the memory's own speed:
//! `cargo run --release -p rewardanything-kernels --example linear_speed`.

use std::hint::black_box;
use std::time::Instant;

use rewardanything_kernels::{Format, Isa, Mat, MatMut, PackedMatrix, Write, linear, matmul};

/// Best of several runs, in seconds.
fn best(mut run: impl FnMut()) -> f64 {
    run();
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < 1.0 {
        let one = Instant::now();
        run();
        best = best.min(one.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    println!(
        "{}, {} threads",
        Isa::active().name(),
        rayon::current_num_threads()
    );
    for (m, n, k) in [
        (2, 3072, 1024),
        (3, 3072, 1024),
        (4, 3072, 1024),
        (5, 3072, 1024),
        (6, 3072, 1024),
        (12, 3072, 1024),
        (48, 3072, 1024),
        (2048, 3072, 1024),
        (2048, 1024, 3072),
        (512, 1024, 256),
        (8, 3072, 1024),
        (1, 3072, 1024),
        (1, 151_936, 1024),
    ] {
        let x = vec![0.5f32; m * k];
        let mut out = vec![0f32; m * n];
        let work = 2.0 * (m * n * k) as f64 / 1e9;
        for format in [Format::F32, Format::Bf16, Format::Q8_0] {
            let bytes = vec![1u8; format.row_bytes(k).expect("a valid length") * n];
            let weight = PackedMatrix::new(format, n, k, &bytes).expect("the right length");
            let seconds = best(|| linear(black_box(&x), &weight, black_box(&mut out)));
            println!(
                "[{m}, {k}] x [{n}, {k}] {format:?}: {:.1} GFLOP/s, {:.1} GB/s of weights",
                work / seconds,
                weight.bytes() as f64 / seconds / 1e9
            );
        }
        if m > 1 {
            let weight = vec![0.5f32; n * k];
            let seconds = best(|| {
                matmul(
                    MatMut::new(black_box(&mut out), m, n),
                    Mat::new(&x, m, k),
                    Mat::new(&weight, n, k).t(),
                    1.0,
                    Write::Replace,
                );
            });
            println!("    gemm crate, f32, one thread: {:.1} GFLOP/s", work / seconds);
        }
    }
}
