//! Weights on disk: one safetensors file, or shards with an index, or a GGUF file, or bytes inside the binary.
//!
//! Only the headers are read at once. Each tensor is mapped into memory when the model asks for it and converted to the
//! compute type on the way, so loading never holds more than the model and one tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};
use rewardanything_kernels::{Format, Mapping, PackedMatrix};
use safetensors::Dtype;
use serde::Deserialize;

use crate::{Config, EngineError};

type Result<T> = std::result::Result<T, EngineError>;

/// Name of the only weights file of a small model.
const SINGLE: &str = "model.safetensors";
/// Name of the list of shards of a large one.
const INDEX: &str = "model.safetensors.index.json";
/// Longest header that is believed; the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// Where the tensors of a model lie.
pub struct Weights<'a> {
    sources: Vec<Source<'a>>,
    tensors: BTreeMap<String, Entry>,
}

struct Source<'a> {
    name: String,
    data: Data<'a>,
}

enum Data<'a> {
    File(File),
    Bytes(&'a [u8]),
}

#[derive(Debug)]
struct Entry {
    source: usize,
    /// The number format, or the name of one that is not read.
    format: std::result::Result<Format, String>,
    shape: Vec<usize>,
    /// First byte in the file, and number of bytes.
    start: u64,
    len: usize,
}

/// A tensor in the header of a file, in the Hugging Face layout.
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) format: std::result::Result<Format, String>,
    pub(crate) shape: Vec<usize>,
    pub(crate) start: u64,
}

/// A tensor as a file holds it.
pub(crate) struct Stored<'a> {
    pub(crate) format: Format,
    pub(crate) bytes: Bytes<'a>,
}

/// Bytes of a file, wherever they are.
pub(crate) enum Bytes<'a> {
    Held(&'a [u8]),
    Mapped(Mapping),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Mapped(mapping) => mapping,
        }
    }
}

/// One tensor in the header of a safetensors file.
#[derive(Deserialize)]
struct Header {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// The list of shards.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights<'static> {
    /// Reads the headers of a model folder's weights: `model.safetensors`, or else the shards that
    /// `model.safetensors.index.json` lists.
    ///
    /// # Errors
    /// A missing, truncated or malformed file, by name.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut weights = Self {
            sources: Vec::new(),
            tensors: BTreeMap::new(),
        };
        let single = folder.join(SINGLE);
        let index = folder.join(INDEX);
        if single.exists() || !index.exists() {
            weights.add_file(single)?;
            return Ok(weights);
        }
        let file = index.display().to_string();
        let bytes = std::fs::read(&index).map_err(|source| EngineError::Io {
            file: file.clone(),
            source,
        })?;
        let Index { weight_map } = serde_json::from_slice(&bytes).map_err(|error| EngineError::Json {
            file: file.clone(),
            message: error.to_string(),
        })?;
        let shards: BTreeSet<&String> = weight_map.values().collect();
        for shard in shards {
            // A shard is a neighbour of its index: a path elsewhere is a mistake or an attack.
            if Path::new(shard)
                .file_name()
                .is_none_or(|name| name != shard.as_str())
            {
                let message = format!("{shard:?} is not a plain file name");
                return Err(EngineError::Weights { file, message });
            }
            weights.add_file(folder.join(shard))?;
        }
        match weight_map
            .keys()
            .find(|name| !weights.tensors.contains_key(*name))
        {
            Some(name) => Err(EngineError::MissingTensor { name: name.clone() }),
            None => Ok(weights),
        }
    }

    fn add_file(&mut self, path: PathBuf) -> Result<()> {
        let name = path.display().to_string();
        let failed = |source| EngineError::Io {
            file: name.clone(),
            source,
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(EngineError::MissingFile { path });
            }
            Err(error) => return Err(failed(error)),
        };
        let length = file.metadata().map_err(failed)?.len();
        self.add(name, Data::File(file), length)
    }
}

impl Weights<'static> {
    /// The tensors of a file whose header was read already.
    ///
    /// # Errors
    /// A tensor that lies outside of the file, or whose length its format cannot have.
    pub(crate) fn of_file(path: &Path, file: File, tensors: Vec<Listed>) -> Result<Self> {
        let name = path.display().to_string();
        let length = file
            .metadata()
            .map_err(|source| EngineError::Io {
                file: name.clone(),
                source,
            })?
            .len();
        let mut entries = BTreeMap::new();
        for tensor in tensors {
            let len = match tensor.format {
                Ok(format) => bytes_of(format, &tensor.shape).ok_or_else(|| EngineError::Weights {
                    file: name.clone(),
                    message: format!(
                        "tensor {} of shape {:?} cannot be stored as {format:?}",
                        tensor.name, tensor.shape
                    ),
                })?,
                Err(_) => 0,
            };
            let end = tensor.start.saturating_add(len as u64);
            if end > length {
                return Err(EngineError::Truncated {
                    file: name,
                    expected: end,
                    got: length,
                });
            }
            let entry = Entry {
                source: 0,
                format: tensor.format,
                shape: tensor.shape,
                start: tensor.start,
                len,
            };
            entries.insert(tensor.name, entry);
        }
        let data = Data::File(file);
        Ok(Self {
            sources: vec![Source { name, data }],
            tensors: entries,
        })
    }
}

/// Bytes of a tensor, row after row along its last axis.
fn bytes_of(format: Format, shape: &[usize]) -> Option<usize> {
    let (&inner, outer) = shape.split_last()?;
    let rows = outer
        .iter()
        .try_fold(1_usize, |product, &n| product.checked_mul(n))?;
    format.row_bytes(inner)?.checked_mul(rows)
}

impl<'a> Weights<'a> {
    /// Reads the header of the bytes of one safetensors file.
    ///
    /// # Errors
    /// When the bytes are truncated or malformed.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        let mut weights = Self {
            sources: Vec::new(),
            tensors: BTreeMap::new(),
        };
        weights.add(SINGLE.to_owned(), Data::Bytes(bytes), bytes.len() as u64)?;
        Ok(weights)
    }

    fn add(&mut self, name: String, data: Data<'a>, length: u64) -> Result<()> {
        let source = Source { name, data };
        let malformed = |message: String| EngineError::Weights {
            file: source.name.clone(),
            message,
        };
        let truncated = |expected| EngineError::Truncated {
            file: source.name.clone(),
            expected,
            got: length,
        };
        if length < 8 {
            return Err(truncated(8));
        }
        let size = source.read(0, 8)?;
        let header_len = u64::from_le_bytes((*size).try_into().expect("8 bytes were read. This is a bug."));
        if header_len > MAX_HEADER {
            return Err(malformed(format!(
                "a header of {header_len} bytes is not believable"
            )));
        }
        let base = 8 + header_len;
        if length < base {
            return Err(truncated(base));
        }
        let header = source.read(8, header_len as usize)?;
        let mut entries: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&header).map_err(|error| malformed(format!("its header: {error}")))?;
        entries.remove("__metadata__");
        for (name, entry) in entries {
            let header = Header::deserialize(entry)
                .map_err(|error| malformed(format!("its header, tensor {name}: {error}")))?;
            let len = header
                .byte_len()
                .ok_or_else(|| malformed(format!("tensor {name}: shape and offsets disagree")))?;
            let end = base
                .checked_add(header.data_offsets.1)
                .ok_or_else(|| malformed(format!("tensor {name}: offsets")))?;
            if end > length {
                return Err(truncated(end));
            }
            let start = base + header.data_offsets.0;
            let entry = Entry {
                source: self.sources.len(),
                format: safetensors_format(header.dtype),
                shape: header.shape,
                start,
                len,
            };
            self.tensors.insert(name, entry);
        }
        self.sources.push(source);
        Ok(())
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether every tensor that a model of this configuration needs is there, in its shape and a readable format.
    /// Tensors that it does not need are ignored.
    ///
    /// # Errors
    /// [`EngineError::MissingTensor`], [`EngineError::WrongShape`] or [`EngineError::UnsupportedDtype`].
    pub fn check(&self, config: &Config) -> Result<()> {
        for (name, expected) in config.tensors() {
            let Some(entry) = self.tensors.get(&name) else {
                return Err(EngineError::MissingTensor { name });
            };
            if entry.shape != expected {
                return Err(EngineError::WrongShape {
                    name,
                    expected,
                    got: entry.shape.clone(),
                });
            }
            entry.format(&name)?;
        }
        Ok(())
    }

    /// Reads one tensor, in the given compute type.
    ///
    /// # Errors
    /// [`EngineError::MissingTensor`], [`EngineError::UnsupportedDtype`], or a failure to read.
    pub fn tensor(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let entry = self.entry(name)?;
        let Stored { format, bytes } = self.stored(name)?;
        let tensor = match candle_dtype(format) {
            Some(stored) => Tensor::from_raw_buffer(&bytes, stored, &entry.shape, &Device::Cpu)?,
            // Blocks are the kernels' business: the tensor library's own are tied to its CPU products.
            None => {
                let inner = entry.shape.last().copied().unwrap_or(0);
                let rows = entry.shape.iter().product::<usize>() / inner.max(1);
                let matrix = pack(name, Stored { format, bytes }, (rows, inner))?;
                let mut values = vec![0f32; rows * inner];
                for (row, values) in values.chunks_exact_mut(inner).enumerate() {
                    matrix.row(row, values);
                }
                Tensor::from_vec(values, entry.shape.as_slice(), &Device::Cpu)?
            }
        };
        // Converted before it moves: a device may lack the conversion.
        Ok(tensor.to_dtype(dtype)?.to_device(device)?)
    }

    /// Reads one tensor as it is stored.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub(crate) fn stored(&self, name: &str) -> Result<Stored<'_>> {
        let entry = self.entry(name)?;
        let format = entry.format(name)?;
        let bytes = self.sources[entry.source].read(entry.start, entry.len)?;
        Ok(Stored { format, bytes })
    }

    /// The shape of a tensor, and the format that it is stored in.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn describe(&self, name: &str) -> Result<(&[usize], Format)> {
        let entry = self.entry(name)?;
        Ok((&entry.shape, entry.format(name)?))
    }

    /// How many numbers a tensor holds.
    ///
    /// # Errors
    /// [`EngineError::MissingTensor`].
    pub(crate) fn elements(&self, name: &str) -> Result<usize> {
        Ok(self.entry(name)?.shape.iter().product())
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.tensors.get(name).ok_or_else(|| EngineError::MissingTensor {
            name: name.to_owned(),
        })
    }

    /// A builder that hands these tensors to a model, in the given compute type.
    pub fn into_builder(self, dtype: DType, device: &Device) -> VarBuilder<'a> {
        VarBuilder::from_backend(Box::new(self), dtype, device.clone())
    }
}

impl Source<'_> {
    fn read(&self, start: u64, len: usize) -> Result<Bytes<'_>> {
        let failed = |source| EngineError::Io {
            file: self.name.clone(),
            source,
        };
        match &self.data {
            Data::Bytes(bytes) => {
                let range = usize::try_from(start)
                    .ok()
                    .and_then(|start| Some(start..start.checked_add(len)?));
                let part = range.and_then(|range| bytes.get(range));
                let part = part.ok_or_else(|| failed(std::io::ErrorKind::UnexpectedEof.into()))?;
                Ok(Bytes::Held(part))
            }
            Data::File(file) => Mapping::new(file, start, len).map(Bytes::Mapped).map_err(failed),
        }
    }
}

impl Header {
    /// Length by the offsets, if it is also the length by shape and format.
    fn byte_len(&self) -> Option<usize> {
        let elements = self
            .shape
            .iter()
            .try_fold(1_usize, |product, &n| product.checked_mul(n))?;
        let bytes = elements.checked_mul(self.dtype.bitsize())?.checked_div(8)?;
        let by_offsets = self.data_offsets.1.checked_sub(self.data_offsets.0)?;
        (by_offsets == bytes as u64).then_some(bytes)
    }
}

impl Entry {
    fn format(&self, name: &str) -> Result<Format> {
        self.format
            .clone()
            .map_err(|dtype| EngineError::UnsupportedDtype {
                name: name.to_owned(),
                dtype,
            })
    }
}

/// Packs a matrix `[outputs, inputs]` for the kernels.
pub(crate) fn pack(
    name: &str,
    stored: Stored<'_>,
    (outputs, inputs): (usize, usize),
) -> Result<PackedMatrix> {
    PackedMatrix::new(stored.format, outputs, inputs, &stored.bytes).map_err(|error| EngineError::Weights {
        file: name.to_owned(),
        message: error.to_string(),
    })
}

fn safetensors_format(dtype: Dtype) -> std::result::Result<Format, String> {
    match dtype {
        Dtype::F32 => Ok(Format::F32),
        Dtype::F16 => Ok(Format::F16),
        Dtype::BF16 => Ok(Format::Bf16),
        other => Err(format!("{other:?}")),
    }
}

/// The tensor library's name of a format without blocks.
fn candle_dtype(format: Format) -> Option<DType> {
    match format {
        Format::F32 => Some(DType::F32),
        Format::F16 => Some(DType::F16),
        Format::Bf16 => Some(DType::BF16),
        Format::Q8_0 | Format::Q4K | Format::Q6K => None,
    }
}

impl SimpleBackend for Weights<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if *tensor.shape() != shape {
            let msg = format!("shape mismatch for {name}");
            return Err(candle_core::Error::UnexpectedShape {
                msg,
                expected: shape,
                got: tensor.shape().clone(),
            });
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        self.tensor(name, dtype, device).map_err(|error| match error {
            EngineError::MissingTensor { name } => candle_core::Error::CannotFindTensor { path: name },
            EngineError::Tensor(error) => error,
            other => candle_core::Error::wrap(other),
        })
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}
