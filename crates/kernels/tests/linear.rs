//! Products with packed weights against sums in `f64`, on sizes that fill no tile.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_kernels::{
    Activations, Format, Isa, Numerics, PackedMatrix, Product, Write, gated, linear_with, products,
    swiglu_forward,
};

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

fn native(isa: Isa, x: &[f32], weight: &PackedMatrix) -> Vec<f32> {
    let mut rows = Activations::new(isa, Numerics::Native, &[weight.format()]);
    rows.set(x, weight.inputs());
    let mut out = vec![f32::NAN; rows.rows() * weight.outputs()];
    let write = Write::Replace;
    let (weight, out_mn) = (weight, &mut out[..]);
    products(
        &rows,
        &mut [Product {
            weight,
            out: out_mn,
            write,
        }],
    );
    out
}

/// The arithmetic of `bf16` has exact products; what is left is the rounding of both sides and of the sums.
fn check_native(format: Format, m: usize, n: usize, k: usize) {
    let round = |values: &[f32]| -> Vec<f32> {
        values
            .iter()
            .map(|&value| half::bf16::from_f32(value).to_f32())
            .collect()
    };
    let (matrix, values) = weights(format, n, k);
    let x = random(8, m * k);
    for isa in available().filter(|isa| isa.has_bf16() || isa.has_byte_products()) {
        let wide = matches!(format, Format::F32 | Format::F16);
        let in_bytes = matches!(format, Format::Q8_0 | Format::Q4K | Format::Q6K);
        let (x_used, values) = if in_bytes && isa.has_byte_products() {
            (bytes(&x), values.clone())
        } else if wide || !isa.has_bf16() {
            (x.clone(), values.clone())
        } else {
            (round(&x), round(&values))
        };
        let out = native(isa, &x, &matrix);
        compare(
            &out,
            (&x_used, &values),
            k,
            &format!("{format:?} native {}", isa.name()),
        );
    }
}

/// Activations as products of bytes take them: the nearest of 255 steps, for every 32.
fn bytes(x: &[f32]) -> Vec<f32> {
    x.chunks(32)
        .flat_map(|block| {
            let most = block.iter().fold(0f32, |most, x| most.max(x.abs()));
            let step = |x: &f32| (x * (127.0 / most)).round_ties_even() * (most / 127.0);
            block.iter().map(step).collect::<Vec<f32>>()
        })
        .collect()
}

fn compare(out: &[f32], (x, values): (&[f32], &[f32]), k: usize, what: &str) {
    let n = values.len() / k;
    for (i, (x, out)) in x.chunks(k).zip(out.chunks(n)).enumerate() {
        for (j, (w, got)) in values.chunks(k).zip(out).enumerate() {
            let exact: f64 = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let gap = (f64::from(*got) - exact).abs();
            assert!(
                gap < 2e-6 * (k as f64).sqrt() + 1e-6,
                "{what}, {k} inputs, {n} outputs, element {i}, {j}: {got} for {exact}"
            );
        }
    }
}

fn check(format: Format, m: usize, n: usize, k: usize) {
    let (matrix, values) = weights(format, n, k);
    let x = random(8, m * k);
    for isa in available() {
        let mut out = vec![f32::NAN; m * n];
        linear_with(isa, &x, &matrix, &mut out);
        compare(&out, (&x, &values), k, &format!("{format:?} {}", isa.name()));
    }
    check_native(format, m, n, k);
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

/// Products of bytes are whole numbers and their sums one sequence, so that the sets agree in the last bit.
#[test]
fn products_of_bytes_have_the_same_bits_in_every_set() {
    let sizes = [(1, 35, 96), (13, 16, 32), (97, 70, 544)].map(|size| (Format::Q8_0, size));
    let super_sizes = [(1, 35, 256), (13, 16, 512), (97, 70, 768)];
    let super_sizes = [Format::Q4K, Format::Q6K].map(|format| super_sizes.map(|size| (format, size)));
    for (format, (m, n, k)) in sizes
        .into_iter()
        .chain(super_sizes.as_flattened().iter().copied())
    {
        let (matrix, _) = weights(format, n, k);
        let x = random(11, m * k);
        let of = |isa: Isa| native(isa, &x, &matrix);
        let outs: Vec<_> = available()
            .filter(|isa| isa.has_byte_products())
            .map(of)
            .collect();
        for out in &outs {
            assert_eq!(out, &outs[0], "{format:?} [{m}, {k}] x [{n}, {k}]");
        }
    }
}

/// The promise behind reproducible verdicts: what else is in a batch leaves no trace, not in the last bit.
#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let (n, k) = (70, 768);
    let x = random(9, 331 * k);
    for format in [Format::F32, Format::Bf16, Format::Q8_0, Format::Q4K, Format::Q6K] {
        let (matrix, _) = weights(format, n, k);
        for isa in available() {
            let exact = |x: &[f32]| {
                let mut out = vec![0.0; x.len() / k * n];
                linear_with(isa, x, &matrix, &mut out);
                out
            };
            let native = |x: &[f32]| native(isa, x, &matrix);
            for (name, product) in [
                ("exact", &exact as &dyn Fn(&[f32]) -> Vec<f32>),
                ("native", &native),
            ] {
                let whole = product(&x);
                for (start, count) in [(0, 1), (5, 2), (100, 7), (13, 96), (130, 201)] {
                    let part = product(&x[start * k..][..count * k]);
                    assert!(
                        part == whole[start * n..][..count * n],
                        "{format:?}, {}, {name}, rows {start}, {count}",
                        isa.name()
                    );
                }
            }
        }
    }
}

#[test]
fn products_of_one_left_side_are_those_of_each() {
    let k = 300;
    let (one, _) = weights(Format::Bf16, 70, k);
    let (other, _) = weights(Format::F32, 16, k);
    for isa in available() {
        for numerics in [Numerics::Exact, Numerics::Native] {
            for m in [1, 9, 61, 200] {
                let x = random(5, m * k);
                let mut rows = Activations::new(isa, numerics, &[Format::Bf16, Format::F32]);
                rows.fill(m, k, |row, out| out.copy_from_slice(&x[row * k..][..k]));
                let mut alone = [vec![0.0; m * 70], vec![0.0; m * 16]];
                for (weight, out) in [&one, &other].into_iter().zip(&mut alone) {
                    let write = Write::Replace;
                    products(&rows, &mut [Product { weight, out, write }]);
                }
                let before = random(6, m * 70);
                let mut together = [before.clone(), vec![0.0; m * 16]];
                let [out, other_out] = &mut together;
                let mut jobs = [
                    Product {
                        weight: &one,
                        out,
                        write: Write::Add,
                    },
                    Product {
                        weight: &other,
                        out: other_out,
                        write: Write::Replace,
                    },
                ];
                products(&rows, &mut jobs);
                let added: Vec<f32> = before.iter().zip(&alone[0]).map(|(a, b)| a + b).collect();
                assert_eq!(together, [added, alone[1].clone()], "{}, {m} rows", isa.name());
            }
        }
    }
}

/// Gate, up and the conversion for the next product in one call, beside the same in separate steps.
#[test]
fn gated_products_feed_the_next_one() {
    let k = 96;
    for format in [Format::Bf16, Format::Q8_0, Format::F32] {
        for f in [32, 35, 48, 256, 288] {
            let (gate, _) = weights(format, f, k);
            let (up, _) = weights(Format::Bf16, f, k);
            let downs = [Format::F32, Format::Bf16, Format::Q8_0, Format::Q4K, Format::Q6K];
            let downs = downs.map(|format| format.row_bytes(f).map(|_| weights(format, 20, f).0));
            let downs: Vec<PackedMatrix> = downs.into_iter().flatten().collect();
            let forms: Vec<Format> = downs.iter().map(PackedMatrix::format).collect();
            for isa in available() {
                for numerics in [Numerics::Exact, Numerics::Native] {
                    // Twice with the same buffers, the second time fewer rows.
                    let mut hidden = Activations::new(isa, numerics, &forms);
                    for m in [150, 5] {
                        let mut rows = Activations::new(isa, numerics, &[format, Format::Bf16]);
                        rows.set(&random(4, m * k), k);
                        let run = |x: &Activations, weight: &PackedMatrix| {
                            let mut out = vec![0.0; m * weight.outputs()];
                            let write = Write::Replace;
                            let (weight, out_mn) = (weight, &mut out[..]);
                            products(
                                x,
                                &mut [Product {
                                    weight,
                                    out: out_mn,
                                    write,
                                }],
                            );
                            out
                        };
                        let (g, u) = (run(&rows, &gate), run(&rows, &up));
                        let mut both = vec![0.0; m * f];
                        swiglu_forward(&g, &u, &mut both);
                        let mut apart = Activations::new(isa, numerics, &forms);
                        apart.set(&both, f);
                        gated(&rows, &gate, &up, &mut hidden);
                        for weight in &downs {
                            assert_eq!(
                                run(&hidden, weight),
                                run(&apart, weight),
                                "{format:?}, {f} wide, {m} rows, {:?}, {}, {numerics:?}",
                                weight.format(),
                                isa.name()
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "linear: [m, 8] times [4, 8]")]
fn a_result_of_the_wrong_length_is_refused() {
    let (matrix, _) = weights(Format::F32, 4, 8);
    linear_with(Isa::Portable, &[0.0; 16], &matrix, &mut [0.0; 7]);
}

#[test]
#[should_panic(expected = "made for weights in Bf16 expected")]
fn activations_without_the_form_are_refused() {
    let (matrix, _) = weights(Format::Bf16, 4, 8);
    let mut rows = Activations::new(Isa::Portable, Numerics::Exact, &[]);
    rows.set(&[0.0; 8], 8);
    let (weight, out, write) = (&matrix, &mut [0.0; 4][..], Write::Replace);
    products(&rows, &mut [Product { weight, out, write }]);
}

/// Some rows of a matrix give the bits that they give among all others, in every format, set and arithmetic.
#[test]
fn selected_rows_have_the_bits_of_the_whole() {
    let (n, k, m) = (70, 512, 5);
    let rows = [69usize, 3, 17, 16, 40, 3, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let x = random(9, m * k);
    let formats = [
        Format::F32,
        Format::F16,
        Format::Bf16,
        Format::Q8_0,
        Format::Q4K,
        Format::Q6K,
    ];
    for (format, isa) in formats
        .into_iter()
        .flat_map(|format| available().map(move |isa| (format, isa)))
    {
        let (matrix, _) = weights(format, n, k);
        let some = matrix.select(&rows);
        for numerics in [Numerics::Exact, Numerics::Native] {
            let mut left = Activations::new(isa, numerics, &[format]);
            left.set(&x, k);
            let product = |weight: &PackedMatrix| {
                let mut out = vec![f32::NAN; m * weight.outputs()];
                let write = Write::Replace;
                let job = Product {
                    weight,
                    out: &mut out,
                    write,
                };
                products(&left, &mut [job]);
                out
            };
            let (all, some) = (product(&matrix), product(&some));
            for (all, some) in all.chunks(n).zip(some.chunks(rows.len())) {
                for (&row, some) in rows.iter().zip(some) {
                    assert_eq!(
                        some.to_bits(),
                        all[row].to_bits(),
                        "{format:?} {} {numerics:?}",
                        isa.name()
                    );
                }
            }
        }
    }
}
