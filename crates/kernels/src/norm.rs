//! Root-mean-square normalisation over rows: the hidden state (`d`), and each head's query and key (`k`).

use crate::elementwise::{LANES, dot};
use multiversion::multiversion;

/// `out = x * r * weight` row by row, `r = 1 / sqrt(mean(x²) + eps)`.
///
/// `x` and `out` are `[n, d]`, `weight` is `[d]`; `inv_rms` `[n]` receives `r` for the backward pass.
///
/// # Panics
/// When the lengths do not fit.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn rms_norm_forward(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32], inv_rms: &mut [f32]) {
    let d = weight.len();
    assert!(
        x.len() == out.len() && x.len() == inv_rms.len() * d,
        "rms_norm: lengths do not fit"
    );
    for ((row, out_row), r) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)).zip(inv_rms) {
        *r = 1.0 / (dot(row, row) / d as f32 + eps).sqrt();
        // By index over slices of one length: chained iterators are not always seen through here.
        let (row, out_row, weight) = (&row[..d], &mut out_row[..d], &weight[..d]);
        for i in 0..d {
            out_row[i] = row[i] * *r * weight[i];
        }
    }
}

/// Backward of [`rms_norm_forward`]: `d_x += …`, `d_weight += …`.
///
/// With `g = d_out * weight`: `d_x = r * (g - x * r² * mean(g * x))`.
///
/// # Panics
/// When the lengths do not fit.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn rms_norm_backward(
    (x, weight, inv_rms): (&[f32], &[f32], &[f32]),
    d_out: &[f32],
    d_x: &mut [f32],
    d_weight: &mut [f32],
) {
    let d = weight.len();
    assert!(
        x.len() == d_out.len() && x.len() == d_x.len() && x.len() == inv_rms.len() * d && d_weight.len() == d,
        "rms_norm: lengths do not fit"
    );
    let rows = x
        .chunks_exact(d)
        .zip(d_out.chunks_exact(d))
        .zip(d_x.chunks_exact_mut(d))
        .zip(inv_rms);
    for (((row, d_out_row), d_row), &r) in rows {
        let (row, g, weight) = (&row[..d], &d_out_row[..d], &weight[..d]);
        let (d_row, d_weight) = (&mut d_row[..d], &mut d_weight[..d]);
        let mut sums = [0f32; LANES];
        let whole = d / LANES * LANES;
        for start in (0..whole).step_by(LANES) {
            let end = start + LANES;
            let (v, g, w) = (&row[start..end], &g[start..end], &weight[start..end]);
            for i in 0..LANES {
                sums[i] += v[i] * g[i] * w[i];
            }
        }
        let tail: f32 = (whole..d).map(|i| row[i] * g[i] * weight[i]).sum();
        let coefficient = r * r * (sums.iter().sum::<f32>() + tail) / d as f32;
        for i in 0..d {
            d_row[i] += r * (g[i] * weight[i] - row[i] * coefficient);
            d_weight[i] += g[i] * row[i] * r;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backward_matches_central_differences() {
        let (n, d) = (3, 11);
        let x: Vec<f32> = (0..n * d).map(|i| ((i * 37 % 19) as f32 - 9.0) / 5.0).collect();
        let weight: Vec<f32> = (0..d).map(|i| 0.5 + i as f32 / 7.0).collect();
        let d_out: Vec<f32> = (0..n * d).map(|i| ((i * 53 % 23) as f32 - 11.0) / 9.0).collect();
        let loss = |x: &[f32], w: &[f32]| -> f64 {
            let (mut out, mut r) = (vec![0.0; n * d], vec![0.0; n]);
            rms_norm_forward(x, w, 1e-6, &mut out, &mut r);
            out.iter()
                .zip(&d_out)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        let (mut out, mut r) = (vec![0.0; n * d], vec![0.0; n]);
        rms_norm_forward(&x, &weight, 1e-6, &mut out, &mut r);
        let (mut d_x, mut d_w) = (vec![0.0; n * d], vec![0.0; d]);
        rms_norm_backward((&x, &weight, &r), &d_out, &mut d_x, &mut d_w);
        let h = 1e-2f32;
        let difference = |values: &[f32], i: usize, f: &dyn Fn(&[f32]) -> f64| {
            let (mut up, mut down) = (values.to_vec(), values.to_vec());
            up[i] += h;
            down[i] -= h;
            (f(&up) - f(&down)) / f64::from(up[i] - down[i])
        };
        for (i, got) in d_x.iter().enumerate() {
            let want = difference(&x, i, &|v| loss(v, &weight));
            assert!((f64::from(*got) - want).abs() < 2e-3, "x {i}: {got} {want}");
        }
        for (i, got) in d_w.iter().enumerate() {
            let want = difference(&weight, i, &|v| loss(&x, v));
            assert!((f64::from(*got) - want).abs() < 2e-3, "weight {i}: {got} {want}");
        }
    }
}
