//! The CPU's hot loops: slices in, slices out, no tensor library.
//!
//! Two families. **Inference** ([`products`], [`gated`], [`paged_attention`]) reads weights in the number format of their
//! file and keys and values in pages, spreads over the threads of the current rayon pool, and gives every row the same
//! bits whatever runs beside it. [`Numerics`] says whether in `f32` or in the processor's own narrow numbers.
//! **Training** ([`fn@matmul`] or, in bf16, [`fn@product`]; the pairs of forward and backward) is
//! single-threaded: the caller gives each thread its own sequences, which needs no barrier between layers. A backward
//! function is what PyTorch's autograd would derive; the tests compare each pair with central differences, and the
//! trainer's tests compare the whole model with PyTorch.
//!
//! The instruction set is chosen at run time ([`Isa`]); the environment variable `REWARDANYTHING_ISA` forces one.
//!
//! Shape suffixes: `n` rows (tokens), `d` hidden, `h` heads, `k` head size, `f` feed-forward, `v` vocabulary. All
//! activations are row-major `f32`.
//!
//! This is the only crate of the workspace with `unsafe`: the call of [`fn@matmul`] behind bounds checks, the vectors and
//! tiles of the inner loops, behind run-time detection, results that several threads write, each its own part, and an
//! allocator that counts ([`counted`]), which is no loop and is here for that.

pub mod activations;
#[cfg(target_arch = "x86_64")]
mod amx;
pub mod attention;
pub mod attention_bf16;
pub mod bf16;
pub mod counted;
pub mod elementwise;
pub mod heads;
pub mod isa;
pub mod likelihood;
pub mod linear;
pub mod mapping;
pub mod matmul;
mod narrow;
pub mod norm;
pub mod packed;
pub mod paged;
mod paged_bf16;
pub mod pages;
pub mod product;
pub mod rope;
mod tile;
mod tile_bf16;
mod tile_int8;
mod widen;
pub mod xent;

pub use activations::Activations;
pub use attention::{AttentionShape, attention_backward, attention_forward};
pub use attention_bf16::{AttentionBuffers, attention_backward_bf16, attention_forward_bf16};
pub use bf16::{Left, Panels, Right, Rows};
pub use elementwise::{AdamStep, adamw_update, add_assign, sum_of_squares, swiglu_backward, swiglu_forward};
pub use heads::{HeadNorm, NewTokens, norm_rope, remember};
pub use isa::{Isa, Numerics};
pub use likelihood::{Likelihood, likelihood_gradient, likelihoods};
pub use linear::{Product, gated, linear, linear_with, products};
pub use mapping::Mapping;
pub use matmul::{Mat, MatMut, Write, matmul};
pub use norm::{rms_norm_backward, rms_norm_forward};
pub use packed::{Format, PackError, PackedMatrix};
pub use paged::{PagedQueries, paged_attention};
pub use pages::{KvFormat, KvShape, PAGE, Page, PageMut, PageRef};
pub use product::product;
pub use rope::{RopeTable, rope_backward, rope_forward};
pub use xent::cross_entropy;
