//! Element-wise loops, compiled once per instruction set and chosen at run time.

use multiversion::multiversion;

/// `e^x` to about 2 units in the last place, by range reduction and a degree-6 polynomial.
///
/// Written out, since the standard library's `exp` is a call per element that no compiler turns into vector code.
/// Below -87 the result is 0 to within `f32`'s normal range; above 88 it saturates near `f32::MAX`.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN2_HI: f32 = 0.693_359_4;
    const LN2_LO: f32 = -2.121_944_4e-4;
    /// Added and taken off again, it rounds to the nearest integer; in between, that integer is in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HI - n * LN2_LO;
    let p = 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // 2^n by writing the exponent field; n lies in -126..=127 after the clamp.
    let two_n = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    p * two_n
}

/// `dst += src`.
///
/// # Panics
/// When the lengths differ.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn add_assign(dst: &mut [f32], src: &[f32]) {
    assert_eq!(dst.len(), src.len(), "add_assign needs equal lengths");
    for (d, s) in dst.iter_mut().zip(src) {
        *d += s;
    }
}

/// `out = silu(gate) * up`, all `[n * f]`.
///
/// # Panics
/// When the lengths differ.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn swiglu_forward(gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(
        gate.len() == up.len() && up.len() == out.len(),
        "swiglu needs equal lengths"
    );
    for ((g, u), o) in gate.iter().zip(up).zip(out) {
        *o = g / (1.0 + exp(-g)) * u;
    }
}

/// Backward of [`swiglu_forward`]: on return `gate` and `up` hold their own gradients.
///
/// In place, since nothing needs the activations after their gradients.
///
/// # Panics
/// When the lengths differ.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn swiglu_backward(gate: &mut [f32], up: &mut [f32], d_out: &[f32]) {
    assert!(
        gate.len() == up.len() && up.len() == d_out.len(),
        "swiglu needs equal lengths"
    );
    for ((g, u), d) in gate.iter_mut().zip(up).zip(d_out) {
        let sigmoid = 1.0 / (1.0 + exp(-*g));
        let silu = *g * sigmoid;
        let d_gate = d * *u * (sigmoid + silu * (1.0 - sigmoid));
        *u = d * silu;
        *g = d_gate;
    }
}

/// Partial sums of a reduction, so that it vectorises.
pub(crate) const LANES: usize = 32;

/// Dot product.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    let tail: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + tail
}

/// The largest element; negative infinity of none.
#[inline(always)]
pub(crate) fn largest(x: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut maxima = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            maxima[i] = if chunk[i] > maxima[i] { chunk[i] } else { maxima[i] };
        }
    }
    maxima
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max)
}

/// Replaces every `x` by `e^(scale x - shift)` and returns the sum.
#[inline(always)]
pub(crate) fn exp_all(x: &mut [f32], scale: f32, shift: f32) -> f32 {
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    let mut sums = [0f32; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            chunk[i] = exp(chunk[i] * scale - shift);
            sums[i] += chunk[i];
        }
    }
    let mut sum = sums.iter().sum::<f32>();
    for x in rest {
        *x = exp(*x * scale - shift);
        sum += *x;
    }
    sum
}

/// The sum of squares, in `f64`.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn sum_of_squares(x: &[f32]) -> f64 {
    let (chunks, rest) = x.as_chunks::<16>();
    let mut sums = [0f64; 16];
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>()
}

/// The numbers of one AdamW update.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// The gradient is multiplied by this first.
    pub scale: f32,
    /// Decays of both moments.
    pub betas: (f32, f32),
    /// Both moments are multiplied by these before use: the corrections for their start at zero.
    pub corrections: (f32, f32),
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Learning rate.
    pub lr: f32,
    /// What is kept of the parameter: one less learning rate times weight decay.
    pub keep: f32,
}

/// One AdamW update of parameters and moments in one pass (Loshchilov and Hutter, arXiv 1711.05101).
///
/// # Panics
/// When the lengths differ.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub fn adamw_update(
    step: AdamStep,
    params: &mut [f32],
    gradient: &[f32],
    (first, second): (&mut [f32], &mut [f32]),
) {
    let n = params.len();
    assert!(
        gradient.len() == n && first.len() == n && second.len() == n,
        "adamw needs equal lengths"
    );
    let (b1, b2) = step.betas;
    let moments = first.iter_mut().zip(second);
    for ((p, g), (m, v)) in params.iter_mut().zip(gradient).zip(moments) {
        let g = g * step.scale;
        *m = b1 * *m + (1.0 - b1) * g;
        *v = b2 * *v + (1.0 - b2) * g * g;
        *p = *p * step.keep
            - step.lr * (*m * step.corrections.0) / ((*v * step.corrections.1).sqrt() + step.eps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_standard_library() {
        for i in -8600..=8700 {
            let x = i as f32 / 100.0;
            let want = f64::from(x).exp();
            let relative = (f64::from(exp(x)) - want).abs() / want;
            assert!(relative < 5e-7, "exp({x}): relative error {relative}");
        }
        assert!(exp(-1000.0) < 1e-37);
    }

    #[test]
    fn swiglu_backward_matches_central_differences() {
        let gate = [-3.0f32, -0.5, 0.0, 0.7, 4.0, 1.5, -1.2, 2.2, 0.1];
        let up = [0.3f32, -1.0, 2.0, 0.5, -0.7, 1.1, 0.9, -2.0, 1.0];
        let d_out = [1.0f32, 0.5, -1.0, 2.0, 0.3, -0.8, 1.2, 0.4, -0.6];
        let (mut d_gate, mut d_up) = (gate, up);
        swiglu_backward(&mut d_gate, &mut d_up, &d_out);
        let f = |g: f64, u: f64| g / (1.0 + (-g).exp()) * u;
        for i in 0..gate.len() {
            let (g, u, d) = (f64::from(gate[i]), f64::from(up[i]), f64::from(d_out[i]));
            let h = 1e-5;
            let want_g = d * (f(g + h, u) - f(g - h, u)) / (2.0 * h);
            let want_u = d * (f(g, u + h) - f(g, u - h)) / (2.0 * h);
            assert!(
                (f64::from(d_gate[i]) - want_g).abs() < 1e-5,
                "gate {i}: {} {want_g}",
                d_gate[i]
            );
            assert!(
                (f64::from(d_up[i]) - want_u).abs() < 1e-5,
                "up {i}: {} {want_u}",
                d_up[i]
            );
        }
    }
}
