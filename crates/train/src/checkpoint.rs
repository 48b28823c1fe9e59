//! Weights and the optimiser's state on disk.

use crate::TrainError;
use crate::adamw::AdamW;
use crate::layout::Layout;
use half::bf16;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// A point in training that a run can go on from.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Steps done.
    pub step: usize,
    /// Parameters.
    pub params: Vec<f32>,
    /// The optimiser's moments.
    pub adamw: AdamW,
    /// Numbers that a trainer keeps beside these; supervised training has none.
    pub notes: Vec<f64>,
}

fn file_error(path: &Path) -> impl Fn(String) -> TrainError + '_ {
    move |message| TrainError::File {
        path: path.to_owned(),
        message,
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

fn doubles(bytes: &[u8]) -> Vec<f64> {
    let of = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    bytes.chunks_exact(8).map(of).collect()
}

/// Writes a file whole or not at all.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), TrainError> {
    let part = path.with_extension("part");
    fs::write(&part, content)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|e| file_error(path)(e.to_string()))
}

impl State {
    /// Writes `checkpoint.safetensors` whole or not at all.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let error = file_error(path);
        let parts = [
            ("params", &self.params),
            ("first", &self.adamw.first),
            ("second", &self.adamw.second),
        ];
        let buffers: Vec<(&str, Vec<u8>)> = parts.iter().map(|(name, v)| (*name, bytes(v))).collect();
        let mut views = buffers
            .iter()
            .map(|(name, b)| TensorView::new(Dtype::F32, vec![b.len() / 4], b).map(|v| (*name, v)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| error(e.to_string()))?;
        let notes: Vec<u8> = self.notes.iter().flat_map(|x| x.to_le_bytes()).collect();
        if !notes.is_empty() {
            let view = TensorView::new(Dtype::F64, vec![self.notes.len()], &notes);
            views.push(("notes", view.map_err(|e| error(e.to_string()))?));
        }
        let note = HashMap::from([("step".to_owned(), self.step.to_string())]);
        let content = serialize(views, Some(note)).map_err(|e| error(e.to_string()))?;
        write_atomically(path, &content)
    }

    /// Reads what [`State::save`] wrote for a model of `len` parameters.
    ///
    /// # Errors
    /// [`TrainError::File`] for a damaged file or one of another model.
    pub fn load(path: &Path, len: usize) -> Result<Self, TrainError> {
        let error = file_error(path);
        let content = fs::read(path).map_err(|e| error(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&content).map_err(|e| error(e.to_string()))?;
        let step = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get("step"))
            .and_then(|s| s.parse().ok());
        let step = step.ok_or_else(|| error("no step is recorded in it".into()))?;
        let tensors = SafeTensors::deserialize(&content).map_err(|e| error(e.to_string()))?;
        let read = |name: &str| -> Result<Vec<f32>, TrainError> {
            let values = floats(tensors.tensor(name).map_err(|e| error(e.to_string()))?.data());
            if values.len() != len {
                return Err(error(format!(
                    "{name} has {} values, the recipe's model has {len}",
                    values.len()
                )));
            }
            Ok(values)
        };
        let adamw = AdamW {
            first: read("first")?,
            second: read("second")?,
        };
        Ok(Self {
            step,
            params: read("params")?,
            adamw,
            notes: tensors
                .tensor("notes")
                .map_or_else(|_| Vec::new(), |t| doubles(t.data())),
        })
    }
}

/// Writes `model.safetensors` in bf16, in the names of the Hugging Face layout.
///
/// # Errors
/// [`TrainError::File`].
pub fn export(path: &Path, layout: &Layout, params: &[f32]) -> Result<(), TrainError> {
    let content = exported(layout, params).map_err(|e| file_error(path)(e.to_string()))?;
    write_atomically(path, &content)
}

/// The bytes that [`export`] writes.
///
/// # Errors
/// What the format refuses.
pub(crate) fn exported(layout: &Layout, params: &[f32]) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let rounded: Vec<u8> = params
        .iter()
        .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
        .collect();
    let views: Vec<_> = layout
        .tensors
        .iter()
        .map(|t| {
            let data = &rounded[t.range.start * 2..t.range.end * 2];
            TensorView::new(Dtype::BF16, t.shape.clone(), data).map(|v| (t.name.clone(), v))
        })
        .collect::<Result<_, _>>()?;
    let note = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    serialize(views, Some(note))
}
