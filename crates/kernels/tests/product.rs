//! Packed products against a plain one over operands rounded by another crate.

use half::bf16;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_kernels::{Isa, MatMut, Panels, Rows, Write, product};

fn random(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-2.0..2.0)).collect()
}

fn rounded(x: f32) -> f64 {
    bf16::from_f32(x).to_f64()
}

/// Which sides lie transposed in memory.
#[derive(Clone, Copy, Debug)]
struct Form {
    left: bool,
    right: bool,
}

#[track_caller]
fn check(isa: Isa, (m, k, n): (usize, usize, usize), form: Form, write: Write) {
    let mut rng = ChaCha8Rng::seed_from_u64((m * 31 + k * 7 + n) as u64);
    let (left_width, right_width) = (
        if form.left { m } else { k } + 3,
        if form.right { k } else { n } + 5,
    );
    let left = random(&mut rng, if form.left { k } else { m } * left_width);
    let right = random(&mut rng, if form.right { n } else { k } * right_width);
    // What an earlier use left behind must not be seen.
    let (mut rows, mut panels) = (Rows::default(), Panels::default());
    rows.pack(&[f32::NAN; 4000], (40, 100), 100);
    panels.pack(&[f32::NAN; 4000], (100, 40), 40);
    if form.left {
        rows.pack_transposed(&left, (k, m), left_width);
    } else {
        rows.pack(&left, (m, k), left_width);
    }
    if form.right {
        panels.pack_transposed(&right, (n, k), right_width);
    } else {
        panels.pack(&right, (k, n), right_width);
    }
    let stride = n + 2;
    let mut out = vec![0.5f32; m * stride];
    product(
        isa,
        MatMut::strided(&mut out, m, n, stride),
        rows.all(),
        panels.all(),
        write,
    );
    let start = if write == Write::Add { 0.5 } else { 0.0 };
    for (i, row) in out.chunks(stride).enumerate() {
        for j in 0..n {
            let (mut sum, mut size) = (start, start);
            for l in 0..k {
                let a = left[if form.left {
                    l * left_width + i
                } else {
                    i * left_width + l
                }];
                let b = right[if form.right {
                    j * right_width + l
                } else {
                    l * right_width + j
                }];
                sum += rounded(a) * rounded(b);
                size += (rounded(a) * rounded(b)).abs();
            }
            // Products of two bf16 are exact in f32; each sum loses half a unit in the last place of what it holds.
            let allowed = (k as f64 + 1.0) * f64::from(f32::EPSILON) / 2.0 * size;
            let gap = (f64::from(row[j]) - sum).abs();
            assert!(
                gap <= allowed,
                "{}, {m} x {k} x {n}, {form:?}, [{i}, {j}]: {} {sum}",
                isa.name(),
                row[j]
            );
        }
        assert_eq!(row[n..], [0.5; 2], "what lies between the rows is left alone");
    }
}

#[test]
fn every_form_equals_a_plain_product() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for left in [false, true] {
            for right in [false, true] {
                for shape in [(1, 1, 1), (13, 32, 16), (5, 33, 47), (30, 70, 33), (70, 300, 20)] {
                    check(isa, shape, Form { left, right }, Write::Replace);
                    check(isa, shape, Form { left, right }, Write::Add);
                }
            }
        }
    }
    check(
        Isa::active(),
        (300, 600, 40),
        Form {
            left: true,
            right: false,
        },
        Write::Add,
    );
}

#[test]
fn parts_are_parts_of_the_whole() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (m, k, n) = (20, 96, 48);
    let (left, right) = (random(&mut rng, m * k), random(&mut rng, k * n));
    let (mut rows, mut panels) = (Rows::default(), Panels::default());
    rows.pack(&left, (m, k), k);
    panels.pack(&right, (k, n), n);
    let whole = |a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)| {
        let (mut rows, mut panels, mut out) = (Rows::default(), Panels::default(), vec![0.0; m * n]);
        rows.pack(a, (m, k), k);
        panels.pack(b, (k, n), n);
        product(
            Isa::active(),
            MatMut::new(&mut out, m, n),
            rows.all(),
            panels.all(),
            Write::Replace,
        );
        out
    };
    let mut got = vec![0.0; 7 * 30];
    let (a, b) = (rows.part(4..11, 32..96), panels.part(16..46, 32..96));
    product(Isa::active(), MatMut::new(&mut got, 7, 30), a, b, Write::Replace);
    let a: Vec<f32> = (4..11)
        .flat_map(|i| &left[i * k + 32..(i + 1) * k])
        .copied()
        .collect();
    let b: Vec<f32> = (32..96)
        .flat_map(|l| &right[l * n + 16..l * n + 46])
        .copied()
        .collect();
    assert_eq!(got, whole(&a, &b, (7, 64, 30)));
}

/// Rounding must not turn what is not a number into one.
#[test]
fn what_is_not_a_number_stays_so() {
    for bits in [0x7fff_ffffu32, 0xffff_ffff, 0x7f80_0001, 0x7fc0_0000] {
        let (mut rows, mut panels, mut out) = (Rows::default(), Panels::default(), [0.0]);
        rows.pack(&[f32::from_bits(bits)], (1, 1), 1);
        panels.pack(&[1.0], (1, 1), 1);
        product(
            Isa::active(),
            MatMut::new(&mut out, 1, 1),
            rows.all(),
            panels.all(),
            Write::Replace,
        );
        assert!(out[0].is_nan(), "{bits:x}");
    }
}

#[test]
#[should_panic(expected = "product of [1, 32] and [64, 1] into [1, 1]")]
fn shapes_that_do_not_fit_are_refused() {
    let (mut rows, mut panels) = (Rows::default(), Panels::default());
    rows.pack(&[1.0], (1, 1), 1);
    panels.pack(&[1.0; 33], (33, 1), 1);
    product(
        Isa::active(),
        MatMut::new(&mut [0.0], 1, 1),
        rows.all(),
        panels.all(),
        Write::Replace,
    );
}
