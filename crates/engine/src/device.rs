//! The devices beside the CPU, for the tensor library.

use candle_core::{DType, Device};

use crate::{BackendOptions, EngineError};

/// An NVIDIA device by its number, from 0.
///
/// # Errors
/// [`EngineError::Device`] where the program was built without CUDA, or there is no such device.
pub fn cuda(number: usize) -> Result<Device, EngineError> {
    if !cfg!(feature = "cuda") {
        return Err(EngineError::Device(
            "this program was built without CUDA; build it with --features cuda, as docs/gpu.md says"
                .to_owned(),
        ));
    }
    Device::new_cuda(number).map_err(|error| EngineError::Device(format!("CUDA device {number}: {error}")))
}

impl BackendOptions {
    /// The tensor library on the first NVIDIA device, in bf16 or, if `exact`, in f32.
    ///
    /// # Errors
    /// As [`cuda`].
    pub fn cuda(exact: bool) -> Result<Self, EngineError> {
        Ok(Self::Candle {
            dtype: if exact { DType::F32 } else { DType::BF16 },
            device: cuda(0)?,
        })
    }
}

#[cfg(all(test, not(feature = "cuda")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_cuda_says_so() {
        let error = BackendOptions::cuda(false).expect_err("there is none");
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }
}
