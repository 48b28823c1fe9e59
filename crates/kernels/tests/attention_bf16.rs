//! Attention with products of bf16 against the `f32` form, on inputs that are bf16 already.

use half::bf16;
use rewardanything_kernels::attention::Saved;
use rewardanything_kernels::{
    AttentionBuffers, AttentionShape, Isa, attention_backward, attention_backward_bf16, attention_forward,
    attention_forward_bf16,
};

/// Half the gap between neighbouring bf16 numbers, relative to them.
const UNIT: f64 = 1.0 / 256.0;

fn values(count: usize, salt: usize) -> Vec<f32> {
    (0..count)
        .map(|i| bf16::from_f32(((i * 7919 + salt * 104_729) % 211) as f32 / 70.0 - 1.5).to_f32())
        .collect()
}

/// What rounding the probabilities and their gradient to bf16 may change at most: sums of absolute terms.
struct Bounds {
    out: Vec<f64>,
    d_q: Vec<f64>,
    d_k: Vec<f64>,
    d_v: Vec<f64>,
}

fn bounds(shape: AttentionShape, saved: Saved<'_>, d_out: &[f32]) -> Bounds {
    let AttentionShape {
        tokens: t,
        heads,
        kv_heads,
        head_dim: d,
    } = shape;
    let (n, m) = (t * heads * d, t * kv_heads * d);
    let mut b = Bounds {
        out: vec![0.0; n],
        d_q: vec![0.0; n],
        d_k: vec![0.0; m],
        d_v: vec![0.0; m],
    };
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let scale = 1.0 / (d as f64).sqrt();
    for head in 0..heads {
        let kv = head / (heads / kv_heads);
        for i in 0..t {
            let q = (i * heads + head) * d..(i * heads + head + 1) * d;
            let delta = dot(&d_out[q.clone()], &saved.out[q.clone()]);
            for j in 0..=i {
                let k = (j * kv_heads + kv) * d..(j * kv_heads + kv + 1) * d;
                let score = dot(&saved.q[q.clone()], &saved.k[k.clone()]) * scale;
                let p = (score - f64::from(saved.lse[head * t + i])).exp();
                let d_score = p * (dot(&d_out[q.clone()], &saved.v[k.clone()]) - delta) * scale;
                for l in 0..d {
                    let (qi, kj) = (q.start + l, k.start + l);
                    b.out[qi] += UNIT * p * f64::from(saved.v[kj]).abs();
                    b.d_q[qi] += UNIT * d_score.abs() * f64::from(saved.k[kj]).abs();
                    b.d_k[kj] += UNIT * d_score.abs() * f64::from(saved.q[qi]).abs();
                    b.d_v[kj] += UNIT * p * f64::from(d_out[qi]).abs();
                }
            }
        }
    }
    b
}

#[track_caller]
fn assert_within(name: &str, got: &[f32], want: &[f32], bounds: &[f64]) {
    for (i, ((got, want), bound)) in got.iter().zip(want).zip(bounds).enumerate() {
        let gap = f64::from((got - want).abs());
        assert!(gap <= bound + 1e-5, "{name} {i}: {got} {want}, allowed {bound:e}");
    }
}

#[test]
fn it_stays_within_the_rounding_of_its_operands() {
    let isas = Isa::ALL.into_iter().filter(|isa| isa.is_available());
    let mut buffers = AttentionBuffers::default();
    for isa in isas {
        for (tokens, heads, kv_heads, head_dim) in
            [(131, 4, 2, 16), (1, 2, 1, 4), (64, 2, 2, 10), (70, 3, 1, 64)]
        {
            let shape = AttentionShape {
                tokens,
                heads,
                kv_heads,
                head_dim,
            };
            let (n, m) = (tokens * heads * head_dim, tokens * kv_heads * head_dim);
            let (q, k, v, d_out) = (values(n, 1), values(m, 2), values(m, 3), values(n, 4));
            let (mut out, mut lse) = (vec![0.0; n], vec![0.0; heads * tokens]);
            attention_forward(shape, (&q, &k, &v), &mut out, &mut lse, &mut Vec::new());
            let saved = Saved {
                q: &q,
                k: &k,
                v: &v,
                out: &out,
                lse: &lse,
            };
            let bounds = bounds(shape, saved, &d_out);
            let (mut got, mut got_lse) = (vec![f32::NAN; n], vec![f32::NAN; heads * tokens]);
            attention_forward_bf16((isa, shape), (&q, &k, &v), &mut got, &mut got_lse, &mut buffers);
            assert_within("out", &got, &out, &bounds.out);
            assert_within("lse", &got_lse, &lse, &vec![0.0; lse.len()]);
            let empty = || [vec![f32::NAN; n], vec![f32::NAN; m], vec![f32::NAN; m]];
            let ([mut d_q, mut d_k, mut d_v], [mut e_q, mut e_k, mut e_v]) = (empty(), empty());
            attention_backward(
                shape,
                saved,
                &d_out,
                (&mut e_q, &mut e_k, &mut e_v),
                &mut Vec::new(),
            );
            let gradients = (&mut d_q[..], &mut d_k[..], &mut d_v[..]);
            attention_backward_bf16((isa, shape), saved, &d_out, gradients, &mut buffers);
            assert_within("d_q", &d_q, &e_q, &bounds.d_q);
            assert_within("d_k", &d_k, &e_k, &bounds.d_k);
            assert_within("d_v", &d_v, &e_v, &bounds.d_v);
        }
    }
}
