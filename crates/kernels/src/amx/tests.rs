//! The tile kernels, on the processor's tiles or on emulated ones.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{AmxJob, Tiles, emulator};
use crate::activations::Activations;
use crate::isa::{Isa, Numerics};
use crate::linear::{Product, gated, products};
use crate::matmul::Write;
use crate::packed::{Format, PackedMatrix};
use crate::tile::PANEL;
use crate::tile_bf16::to_bf16;

fn random(seed: u64, count: usize) -> Vec<u16> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| to_bf16(random.random_range(-1.0..1.0)))
        .collect()
}

fn wide(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// By hand: a row of ones times a panel whose column `c` holds `c + 1` for each of 32 inputs, on top of a half.
#[test]
fn tiles_multiply_as_by_hand() {
    emulator::install();
    let mut panel = vec![0; 32 * PANEL];
    for (i, bits) in panel.iter_mut().enumerate() {
        *bits = to_bf16((i / 2 % PANEL + 1) as f32);
    }
    let mut left = vec![to_bf16(1.0); 64];
    left[32..].fill(to_bf16(-0.25));
    let mut sums = vec![0.5; 2 * 2 * PANEL];
    // SAFETY: there are tiles, or the handler stands in for them.
    let tiles = unsafe { Tiles::new(1) };
    tiles.product(
        2,
        AmxJob {
            left: &left,
            left_stride: 32,
            k: 32,
            panels: [&panel, &[]],
            sums: &mut sums,
            fresh: false,
        },
    );
    for column in 0..PANEL {
        let whole = 32.0 * (column + 1) as f32;
        assert_eq!(
            (sums[column], sums[32 + column]),
            (whole + 0.5, whole / -4.0 + 0.5)
        );
        assert_eq!(sums[PANEL + column], 0.5);
    }
}

/// The order of the manual in plain Rust: even and odd inputs of a tile apart, then both, then onto the sum.
#[test]
fn products_of_tiles_have_the_bits_of_their_twin() {
    emulator::install();
    for (rows, m) in [(1, 1), (1, 3), (7, 7), (16, 16), (16, 32), (16, 48)] {
        for k in [1usize, 2, 31, 32, 33, 96, 130] {
            for panels in [1, 2] {
                for fresh in [true, false] {
                    let (width, even) = (k.next_multiple_of(32), k.next_multiple_of(2));
                    let stride = width + 6;
                    let mut left = random(1, m * stride);
                    for row in left.chunks_mut(stride) {
                        row[k..width].fill(0);
                    }
                    let right: Vec<Vec<u16>> = (0..panels).map(|p| random(2 + p, even * PANEL)).collect();
                    let before: Vec<f32> = (0..m * 32).map(|i| i as f32 / 64.0).collect();
                    let mut sums = before.clone();
                    let job = AmxJob {
                        left: &left,
                        left_stride: stride,
                        k,
                        panels: [&right[0], right.get(1).map_or(&[], Vec::as_slice)],
                        sums: &mut sums,
                        fresh,
                    };
                    // SAFETY: there are tiles, or the handler stands in for them.
                    unsafe { Tiles::new(rows) }.product(m, job);
                    for i in 0..m {
                        for column in 0..panels as usize * PANEL {
                            let panel = &right[column / PANEL];
                            let mut expect = if fresh { 0.0 } else { before[i * 32 + column] };
                            for tile in 0..width / 32 {
                                let mut halves = [0f32; 2];
                                for input in (tile * 32..tile * 32 + 32).filter(|&input| input < even) {
                                    let weight = panel[(input / 2 * PANEL + column % PANEL) * 2 + input % 2];
                                    halves[input % 2] += wide(left[i * stride + input]) * wide(weight);
                                }
                                expect += halves[0] + halves[1];
                            }
                            assert_eq!(
                                sums[i * 32 + column],
                                expect,
                                "{m} rows, {k} inputs, {i}, {column}"
                            );
                        }
                    }
                }
            }
        }
    }
}

fn matrix(format: Format, n: usize, k: usize) -> PackedMatrix {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut values = || random.random_range(-1.0f32..1.0);
    let bytes: Vec<u8> = match format {
        Format::Bf16 => (0..n * k).flat_map(|_| to_bf16(values()).to_le_bytes()).collect(),
        _ => (0..n * k / 32)
            .flat_map(|_| {
                let scale = half::f16::from_f32(1.0 / 127.0).to_le_bytes();
                let quants: Vec<u8> = (0..32)
                    .map(|_| ((values() * 127.0) as i8).cast_unsigned())
                    .collect();
                scale.into_iter().chain(quants)
            })
            .collect(),
    };
    PackedMatrix::new(format, n, k, &bytes).unwrap()
}

fn converted(x: &[f32], k: usize) -> Activations {
    let mut rows = Activations::unchecked(Isa::Amx, Numerics::Native, &[Format::Bf16]);
    rows.set(x, k);
    rows
}

fn product(x: &Activations, weight: &PackedMatrix) -> Vec<f32> {
    let mut out = vec![f32::NAN; x.rows() * weight.outputs()];
    let write = Write::Replace;
    let out_mn = &mut out[..];
    products(
        x,
        &mut [Product {
            weight,
            out: out_mn,
            write,
        }],
    );
    out
}

#[test]
fn whole_products_agree_with_f64_whatever_their_rows() {
    emulator::install();
    for format in [Format::Bf16, Format::Q8_0] {
        for (n, k) in [(35, 96), (16, 32), (50, 576)] {
            let weight = matrix(format, n, k);
            let x: Vec<f32> = random(6, 150 * k).into_iter().map(wide).collect();
            let whole = product(&converted(&x, k), &weight);
            let mut row = vec![0.0; k];
            for j in 0..n {
                weight.row(j, &mut row);
                for (i, x) in x.chunks(k).enumerate() {
                    let terms = x
                        .iter()
                        .zip(&row)
                        .map(|(x, w)| f64::from(*x) * f64::from(wide(to_bf16(*w))));
                    let (exact, got) = (terms.sum::<f64>(), f64::from(whole[i * n + j]));
                    assert!(
                        (exact - got).abs() < 2e-6 * (k as f64).sqrt() + 1e-6,
                        "{format:?} {i}, {j}: {got}, {exact}"
                    );
                }
            }
            for (start, count) in [(0, 1), (3, 5), (10, 16), (20, 17), (30, 97)] {
                let part = product(&converted(&x[start * k..][..count * k], k), &weight);
                assert!(
                    part == whole[start * n..][..count * n],
                    "{format:?}, rows {start}, {count}"
                );
            }
        }
    }
}

#[test]
fn gated_products_feed_the_next_one() {
    emulator::install();
    let (k, f) = (64, 70);
    let (gate, up, down) = (
        matrix(Format::Q8_0, f, k),
        matrix(Format::Bf16, f, k),
        matrix(Format::Bf16, 20, f),
    );
    let mut hidden = converted(&[0.0; 70], f);
    for m in [130, 4] {
        let x = converted(&random(8, m * k).into_iter().map(wide).collect::<Vec<f32>>(), k);
        let (g, u) = (product(&x, &gate), product(&x, &up));
        let mut both = vec![0.0; m * f];
        crate::swiglu_forward(&g, &u, &mut both);
        gated(&x, &gate, &up, &mut hidden);
        assert_eq!(
            product(&hidden, &down),
            product(&converted(&both, f), &down),
            "{m} rows"
        );
    }
}
