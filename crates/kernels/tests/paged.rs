//! Attention over pages against a plain version in `f64`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_kernels::paged::paged_attention_with;
use rewardanything_kernels::{Isa, KvFormat, KvShape, PAGE, Page, PageRef, PagedQueries};

struct Sequence {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    tokens: usize,
    pages: Vec<Page>,
}

fn sequence(shape: KvShape, format: KvFormat, tokens: usize, seed: u64) -> Sequence {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |heads: usize| -> Vec<f32> {
        (0..tokens * heads * shape.head_dim)
            .map(|_| random.random_range(-2.0..2.0))
            .collect()
    };
    let (q, k, v) = (draw(shape.heads), draw(shape.kv_heads), draw(shape.kv_heads));
    let mut pages = vec![Page::new(shape, format, 2); tokens.div_ceil(PAGE)];
    let width = shape.kv_heads * shape.head_dim;
    for (token, (k, v)) in k.chunks(width).zip(v.chunks(width)).enumerate() {
        pages[token / PAGE].layer_mut(1).write(token % PAGE, k, v);
    }
    Sequence {
        q,
        k,
        v,
        tokens,
        pages,
    }
}

fn exact(shape: KvShape, s: &Sequence) -> Vec<f64> {
    let (h, d, n) = (shape.heads, shape.head_dim, shape.kv_heads);
    let mut out = Vec::new();
    for t in 0..s.tokens {
        for head in 0..h {
            let kv = head / (h / n);
            let q = &s.q[(t * h + head) * d..][..d];
            let scores: Vec<f64> = (0..=t)
                .map(|key| {
                    let k = &s.k[(key * n + kv) * d..][..d];
                    let dot: f64 = q.iter().zip(k).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    dot / (d as f64).sqrt()
                })
                .collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for i in 0..d {
                let mix: f64 = weights
                    .iter()
                    .enumerate()
                    .map(|(key, weight)| weight * f64::from(s.v[(key * n + kv) * d + i]))
                    .sum();
                out.push(mix / sum);
            }
        }
    }
    out
}

/// Attention of tokens `from..to` of each sequence.
fn run(isa: Isa, shape: KvShape, parts: &[(&Sequence, usize, usize)]) -> Vec<f32> {
    let pages: Vec<Vec<PageRef<'_>>> = parts
        .iter()
        .map(|(s, _, _)| s.pages.iter().map(|page| page.layer(1)).collect())
        .collect();
    let width = shape.heads * shape.head_dim;
    let queries: Vec<PagedQueries<'_>> = parts
        .iter()
        .zip(&pages)
        .map(|(&(s, from, to), pages)| PagedQueries {
            q: &s.q[from * width..to * width],
            start: from,
            pages,
        })
        .collect();
    let tokens: usize = parts.iter().map(|(_, from, to)| to - from).sum();
    let mut out = vec![f32::NAN; tokens * width];
    paged_attention_with(isa, shape, &queries, &mut out);
    out
}

const fn heads(heads: usize, kv_heads: usize, head_dim: usize) -> KvShape {
    KvShape {
        heads,
        kv_heads,
        head_dim,
    }
}

/// Groups of 1, 2, 4, 6 and 8; widths that fill panels, halves of them, and neither.
const SHAPES: [KvShape; 6] = [
    heads(4, 2, 64),
    heads(6, 1, 10),
    heads(1, 1, 128),
    heads(8, 2, 7),
    heads(8, 1, 33),
    heads(2, 2, 48),
];
const FORMATS: [KvFormat; 2] = [KvFormat::F32, KvFormat::Bf16];

/// Every instruction set of this machine with every format, each shape.
fn everywhere(check: impl Fn(Isa, KvFormat, KvShape)) {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for format in FORMATS {
            for shape in SHAPES {
                check(isa, format, shape);
            }
        }
    }
}

/// In `bf16` query, key, value and weight are each off by up to one part in 256, most by far less, and the sums over them
/// by less again: hence bounds on the worst element and on the mean.
#[test]
fn ragged_sequences_agree_with_f64() {
    everywhere(|isa, format, shape| {
        let sequences = [1, 150, 64, 257].map(|tokens| sequence(shape, format, tokens, tokens as u64));
        let parts: Vec<_> = sequences.iter().map(|s| (s, 0, s.tokens)).collect();
        let got = run(isa, shape, &parts);
        let expect: Vec<f64> = sequences.iter().flat_map(|s| exact(shape, s)).collect();
        let (worst_allowed, mean_allowed) = match format {
            KvFormat::F32 => (2e-5, 2e-6),
            KvFormat::Bf16 => (5e-2, 4e-3),
        };
        let mut sum = 0.0;
        for (i, (got, expect)) in got.iter().zip(&expect).enumerate() {
            let off = (f64::from(*got) - expect).abs();
            assert!(
                off < worst_allowed,
                "{} {format:?} {shape:?} {i}: {got} for {expect}",
                isa.name()
            );
            sum += off;
        }
        let mean = sum / got.len() as f64;
        assert!(mean < mean_allowed, "{} {format:?} {shape:?}: {mean}", isa.name());
    });
}

/// What is rounded before the products is given rounded; then little but the weights is off.
#[test]
fn rounded_operands_leave_only_the_weights_to_round() {
    let round = |x: &mut f32| *x = half::bf16::from_f32(*x).to_f32();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for shape in SHAPES {
            let mut s = sequence(shape, KvFormat::Bf16, 140, 9);
            for values in [&mut s.q, &mut s.k, &mut s.v] {
                values.iter_mut().for_each(round);
            }
            let got = run(isa, shape, &[(&s, 0, 140)]);
            for (i, (got, expect)) in got.iter().zip(exact(shape, &s)).enumerate() {
                let off = (f64::from(*got) - expect).abs();
                assert!(off < 6e-3, "{} {shape:?} {i}: {got} for {expect}", isa.name());
            }
        }
    }
}

/// The twin in plain Rust gives the bits of the vectors.
#[test]
fn sets_agree_in_bf16() {
    for isa in [Isa::Avx512Bf16, Isa::Avx2]
        .into_iter()
        .filter(|isa| isa.is_available())
    {
        for shape in SHAPES {
            let s = sequence(shape, KvFormat::Bf16, 200, 8);
            let expect = run(Isa::Portable, shape, &[(&s, 0, 200)]);
            assert_eq!(
                run(isa, shape, &[(&s, 0, 200)]),
                expect,
                "{} {shape:?}",
                isa.name()
            );
        }
    }
}

#[test]
fn neither_chunks_nor_neighbours_leave_a_trace() {
    everywhere(|isa, format, shape| {
        let (s, other) = (sequence(shape, format, 200, 4), sequence(shape, format, 90, 5));
        let width = shape.heads * shape.head_dim;
        let whole = run(isa, shape, &[(&s, 0, 200)]);
        for (from, to) in [(0, 7), (7, 64), (63, 65), (130, 200), (199, 200)] {
            let both = run(isa, shape, &[(&other, 80, 90), (&s, from, to)]);
            assert_eq!(
                both[10 * width..],
                whole[from * width..to * width],
                "{} {format:?} {shape:?} {from}..{to}",
                isa.name()
            );
        }
    });
}

#[test]
#[should_panic(expected = "pages up to position 65")]
fn a_missing_page_is_refused() {
    let s = sequence(SHAPES[0], KvFormat::Bf16, 65, 6);
    let short = Sequence {
        pages: s.pages[..1].to_vec(),
        ..s
    };
    run(Isa::Portable, SHAPES[0], &[(&short, 0, 65)]);
}

#[test]
#[should_panic(expected = "all of one shape and format")]
fn pages_of_two_formats_are_refused() {
    let s = sequence(SHAPES[0], KvFormat::Bf16, 65, 6);
    let mixed = Sequence {
        pages: vec![s.pages[0].clone(), Page::new(SHAPES[0], KvFormat::F32, 2)],
        ..s
    };
    run(Isa::Portable, SHAPES[0], &[(&mixed, 0, 65)]);
}

#[test]
#[should_panic(expected = "all of one shape and format")]
fn pages_of_another_shape_are_refused() {
    let s = sequence(SHAPES[0], KvFormat::F32, 10, 6);
    let other = Sequence {
        pages: vec![Page::new(SHAPES[2], KvFormat::F32, 2)],
        ..s
    };
    run(Isa::Portable, SHAPES[0], &[(&other, 0, 10)]);
}

#[test]
#[should_panic(expected = "keys and values of 128 elements expected")]
fn a_short_key_is_refused() {
    let mut page = Page::new(SHAPES[0], KvFormat::Bf16, 1);
    page.layer_mut(0).write(0, &[0.0; 127], &[0.0; 128]);
}

#[test]
#[should_panic(expected = "slot 64 of a page of 64")]
fn a_slot_beyond_the_page_is_refused() {
    let mut page = Page::new(SHAPES[0], KvFormat::F32, 1);
    page.layer_mut(0).write(PAGE, &[0.0; 128], &[0.0; 128]);
}
