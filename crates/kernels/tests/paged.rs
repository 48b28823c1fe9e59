//! Attention over pages against a plain version in `f64`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rewardanything_kernels::paged::paged_attention_with;
use rewardanything_kernels::{Isa, KvShape, PAGE, PagedQueries};

struct Sequence {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    tokens: usize,
    pages: Vec<Vec<f32>>,
}

fn sequence(shape: KvShape, tokens: usize, seed: u64) -> Sequence {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |heads: usize| -> Vec<f32> {
        (0..tokens * heads * shape.head_dim)
            .map(|_| random.random_range(-2.0..2.0))
            .collect()
    };
    let (q, k, v) = (draw(shape.heads), draw(shape.kv_heads), draw(shape.kv_heads));
    let mut pages = vec![vec![0.0; shape.page_len()]; tokens.div_ceil(PAGE)];
    let width = shape.kv_heads * shape.head_dim;
    for (token, (k, v)) in k.chunks(width).zip(v.chunks(width)).enumerate() {
        shape.write(&mut pages[token / PAGE], token % PAGE, k, v);
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
    let pages: Vec<Vec<&[f32]>> = parts
        .iter()
        .map(|(s, _, _)| s.pages.iter().map(Vec::as_slice).collect())
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

const SHAPES: [KvShape; 3] = [
    KvShape {
        heads: 4,
        kv_heads: 2,
        head_dim: 64,
    },
    KvShape {
        heads: 6,
        kv_heads: 1,
        head_dim: 10,
    },
    KvShape {
        heads: 1,
        kv_heads: 1,
        head_dim: 128,
    },
];

#[test]
fn ragged_sequences_agree_with_f64() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for shape in SHAPES {
            let sequences = [
                sequence(shape, 1, 1),
                sequence(shape, 150, 2),
                sequence(shape, 64, 3),
            ];
            let parts: Vec<_> = sequences.iter().map(|s| (s, 0, s.tokens)).collect();
            let got = run(isa, shape, &parts);
            let expect: Vec<f64> = sequences.iter().flat_map(|s| exact(shape, s)).collect();
            for (i, (got, expect)) in got.iter().zip(&expect).enumerate() {
                assert!(
                    (f64::from(*got) - expect).abs() < 2e-5,
                    "{} {shape:?} {i}: {got} for {expect}",
                    isa.name()
                );
            }
        }
    }
}

#[test]
fn neither_chunks_nor_neighbours_leave_a_trace() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for shape in SHAPES {
            let (s, other) = (sequence(shape, 200, 4), sequence(shape, 90, 5));
            let width = shape.heads * shape.head_dim;
            let whole = run(isa, shape, &[(&s, 0, 200)]);
            for (from, to) in [(0, 7), (7, 64), (63, 65), (130, 200), (199, 200)] {
                let both = run(isa, shape, &[(&other, 80, 90), (&s, from, to)]);
                assert_eq!(
                    both[10 * width..],
                    whole[from * width..to * width],
                    "{from}..{to}"
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "pages up to position 65")]
fn a_missing_page_is_refused() {
    let s = sequence(SHAPES[0], 65, 6);
    let short = Sequence {
        pages: s.pages[..1].to_vec(),
        ..s
    };
    run(Isa::Portable, SHAPES[0], &[(&short, 0, 65)]);
}
