//! Weights of a model folder into the flat vector.

use crate::TrainError;
use crate::layout::Layout;
use candle_core::{DType, Device};
use rewardanything_engine::Weights;
use std::path::Path;

/// The parameters of the model in `folder`, in the order of `layout`.
///
/// # Errors
/// The engine's errors: a missing tensor, a wrong shape, a damaged file.
pub fn parameters(folder: &Path, layout: &Layout) -> Result<Vec<f32>, TrainError> {
    let weights = Weights::open(folder)?;
    let mut params = vec![0f32; layout.len()];
    for t in &layout.tensors {
        let tensor = weights.tensor(&t.name, DType::F32, &Device::Cpu)?;
        params[t.range.clone()].copy_from_slice(&tensor.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(params)
}
