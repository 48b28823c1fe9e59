//! Which instruction set the kernels use, decided once per process.

use std::sync::OnceLock;

/// Names an instruction set for the whole process, for tests and comparisons: `portable`, `avx2`, `avx512`,
/// `avx512bf16`, `amx`, `neon`.
pub const FORCE: &str = "REWARDANYTHING_ISA";

/// An instruction set for which the kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// What the compilation target guarantees, without fused multiply-add.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F.
    Avx512,
    /// x86-64 with AVX-512 F, BW, VL, DQ, BF16 and VNNI: products of `bf16` and of bytes.
    Avx512Bf16,
    /// [`Isa::Avx512Bf16`] with tiles of `bf16` and of bytes, which the kernel has to grant to the process.
    Amx,
    /// AArch64, which always has NEON.
    Neon,
}

/// In which numbers a product is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numerics {
    /// Activations in `f32`, weights as their format gives them, products and sums in `f32`.
    Exact,
    /// Activations and weights rounded to `bf16`, products exact, sums in `f32`, where the set has instructions for it
    /// ([`Isa::has_bf16`]); elsewhere, and for weights in `F32` and `F16`, the same as [`Numerics::Exact`]. Where the set
    /// multiplies bytes well ([`Isa::has_byte_products`]) weights in `Q8_0`, `Q4_K` and `Q6_K` are taken as they are and
    /// activations rounded to bytes, with a scale for every 32.
    Native,
}

impl Isa {
    /// Every one, the plainest first.
    pub const ALL: [Self; 6] = [
        Self::Portable,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512Bf16,
        Self::Amx,
        Self::Neon,
    ];

    /// The name that [`FORCE`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
            Self::Amx => "amx",
            Self::Neon => "neon",
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Self::Avx2.is_available() && is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => {
                Self::Avx512.is_available()
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bf16")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Amx => Self::Avx512Bf16.is_available() && crate::amx::is_granted(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 | Self::Avx512Bf16 | Self::Amx => false,
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
        }
    }

    /// Whether it multiplies `bf16` without widening it.
    pub fn has_bf16(self) -> bool {
        matches!(self, Self::Avx512Bf16 | Self::Amx)
    }

    /// Whether weights in `Q8_0`, `Q4_K` and `Q6_K` are multiplied with activations in bytes. Those that do give the same
    /// bits.
    pub fn has_byte_products(self) -> bool {
        matches!(self, Self::Avx2 | Self::Avx512Bf16)
    }

    /// Rows of a tile of `f32`: as many as keep every accumulator in a register.
    pub(crate) fn tile_rows(self) -> usize {
        match self {
            Self::Portable => 4,
            Self::Avx2 | Self::Neon => 6,
            Self::Avx512 | Self::Avx512Bf16 | Self::Amx => 12,
        }
    }

    /// The one in use: the best there is, or the one that [`FORCE`] names.
    ///
    /// # Panics
    /// When [`FORCE`] names one that does not exist or that this machine lacks.
    pub fn active() -> Self {
        static ACTIVE: OnceLock<Isa> = OnceLock::new();
        *ACTIVE.get_or_init(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "a switch for tests that must reach every kernel below any caller"
            )]
            let forced = std::env::var(FORCE).ok();
            Self::choose(forced.as_deref()).unwrap_or_else(|message| panic!("{FORCE}: {message}"))
        })
    }

    fn choose(forced: Option<&str>) -> Result<Self, String> {
        let available = || Self::ALL.into_iter().filter(|isa| isa.is_available());
        match forced {
            None | Some("") => Ok(available().next_back().unwrap_or(Self::Portable)),
            Some(name) => available().find(|isa| isa.name() == name).ok_or_else(|| {
                let names: Vec<&str> = available().map(Self::name).collect();
                format!("expected one of {}, got {name:?}", names.join(", "))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forced_set_must_exist_and_be_there() {
        assert_eq!(Isa::choose(Some("portable")), Ok(Isa::Portable));
        assert!(Isa::choose(None).unwrap().is_available());
        assert_eq!(Isa::choose(Some("")), Isa::choose(None));
        let error = Isa::choose(Some("sse9")).unwrap_err();
        assert!(
            error.contains("portable") && error.contains("\"sse9\""),
            "{error}"
        );
    }
}
