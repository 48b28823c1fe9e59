//! Products with packed weights against sums in `f64`, on sizes that fill no tile.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_kernels::{Format, Isa, PackedMatrix, linear_with};

fn random(seed: u64, count: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn available() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

/// Weights in a format, and the values that they stand for.
fn weights(format: Format, n: usize, k: usize) -> (PackedMatrix, Vec<f32>) {
    let values = random(7, n * k);
    let bytes: Vec<u8> = match format {
        Format::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Format::F16 => values
            .iter()
            .flat_map(|&v| half::f16::from_f32(v).to_le_bytes())
            .collect(),
        Format::Bf16 => values
            .iter()
            .flat_map(|&v| half::bf16::from_f32(v).to_le_bytes())
            .collect(),
        Format::Q8_0 => values
            .chunks(32)
            .flat_map(|block| {
                let scale = half::f16::from_f32(1.0 / 127.0);
                let quants = block.iter().map(|v| ((v * 127.0).round() as i8).cast_unsigned());
                scale.to_le_bytes().into_iter().chain(quants).collect::<Vec<u8>>()
            })
            .collect(),
        Format::Q4K | Format::Q6K => super_blocks(format, n * k / 256),
    };
    let matrix = PackedMatrix::new(format, n, k, &bytes).unwrap();
    let mut exact = vec![0.0; n * k];
    for (i, row) in exact.chunks_mut(k).enumerate() {
        matrix.row(i, row);
    }
    (matrix, exact)
}

/// Super-blocks of random bits with scales of about a thousandth; what they stand for is tested with the model files.
fn super_blocks(format: Format, count: usize) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let size = format.row_bytes(256).unwrap();
    let mut bytes: Vec<u8> = (0..count * size).map(|_| random.random()).collect();
    for block in bytes.chunks_mut(size) {
        let scale = half::f16::from_f32(random.random_range(1e-4..2e-4)).to_le_bytes();
        if format == Format::Q4K {
            block[..2].copy_from_slice(&scale);
            block[2..4].copy_from_slice(&scale);
        } else {
            block[size - 2..].copy_from_slice(&scale);
        }
    }
    bytes
}

fn check(format: Format, m: usize, n: usize, k: usize) {
    let (matrix, values) = weights(format, n, k);
    let x = random(8, m * k);
    for isa in available() {
        let mut out = vec![f32::NAN; m * n];
        linear_with(isa, &x, &matrix, &mut out);
        for (i, (x, out)) in x.chunks(k).zip(out.chunks(n)).enumerate() {
            for (j, (w, got)) in values.chunks(k).zip(out).enumerate() {
                let exact: f64 = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let gap = (f64::from(*got) - exact).abs();
                assert!(
                    gap < 2e-6 * (k as f64).sqrt() + 1e-6,
                    "{format:?} {}, [{m}, {k}] x [{n}, {k}], element {i}, {j}: {got} for {exact}",
                    isa.name()
                );
            }
        }
    }
}

#[test]
fn every_format_and_set_agrees_with_f64() {
    for format in [Format::F32, Format::F16, Format::Bf16, Format::Q8_0] {
        for m in [1, 2, 5, 7, 13, 97] {
            check(format, m, 35, 96);
        }
        check(format, 3, 1, 32);
        check(format, 200, 130, 544);
    }
    for format in [Format::Q4K, Format::Q6K] {
        for m in [1, 5, 13, 97] {
            check(format, m, 35, 512);
        }
        check(format, 3, 1, 256);
        check(format, 200, 130, 768);
    }
    for (m, n, k) in [
        (1, 1, 1),
        (2, 17, 3),
        (11, 16, 257),
        (100, 33, 511),
        (230, 48, 700),
    ] {
        check(Format::F32, m, n, k);
        check(Format::Bf16, m, n, k);
    }
}

/// The promise behind reproducible verdicts: what else is in a batch leaves no trace, not in the last bit.
#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let (n, k) = (70, 600);
    let (matrix, _) = weights(Format::Bf16, n, k);
    let x = random(9, 331 * k);
    for isa in available() {
        let mut whole = vec![0.0; 331 * n];
        linear_with(isa, &x, &matrix, &mut whole);
        for (start, count) in [(0, 1), (5, 2), (100, 7), (13, 96), (130, 201)] {
            let mut part = vec![0.0; count * n];
            linear_with(isa, &x[start * k..][..count * k], &matrix, &mut part);
            assert_eq!(
                part,
                whole[start * n..][..count * n],
                "{} {start} {count}",
                isa.name()
            );
        }
    }
}

#[test]
#[should_panic(expected = "linear: [m, 8] times [4, 8]")]
fn a_result_of_the_wrong_length_is_refused() {
    let (matrix, _) = weights(Format::F32, 4, 8);
    linear_with(Isa::Portable, &[0.0; 16], &matrix, &mut [0.0; 7]);
}
