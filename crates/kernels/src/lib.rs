//! The CPU's hot loops of the training path: slices in, slices out, no tensor library.
//!
//! Every function is single-threaded: the caller gives each thread its own sequences, which needs no barrier between
//! layers. Forward functions come with the backward function that PyTorch's autograd would derive; the tests compare
//! each pair with central differences, and the trainer's tests compare the whole model with PyTorch.
//!
//! Shape suffixes: `n` rows (tokens), `d` hidden, `h` heads, `k` head size, `f` feed-forward, `v` vocabulary. All
//! matrices are row-major `f32`.
//!
//! This is the only crate of the workspace with `unsafe`: the two calls of [`mod@matmul`], each behind bounds checks.

pub mod attention;
pub mod elementwise;
pub mod isa;
pub mod linear;
pub mod matmul;
pub mod norm;
pub mod packed;
pub mod paged;
pub mod rope;
mod tile;
pub mod xent;

pub use attention::{AttentionShape, attention_backward, attention_forward};
pub use elementwise::{add_assign, swiglu_backward, swiglu_forward};
pub use isa::Isa;
pub use linear::{linear, linear_with};
pub use matmul::{Mat, MatMut, Write, matmul};
pub use norm::{rms_norm_backward, rms_norm_forward};
pub use packed::{Format, PackError, PackedMatrix};
pub use paged::{KvShape, PAGE, PagedQueries, paged_attention};
pub use rope::{RopeTable, rope_backward, rope_forward};
pub use xent::cross_entropy;
