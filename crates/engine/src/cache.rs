//! Keys and values of the tokens seen so far.
//!
//! Shape suffixes: `b` rows, `n` key-value heads, `s` slots, `d` head width.

use candle_core::Tensor;

use crate::EngineError;
use crate::batch::Batch;

type Result<T> = std::result::Result<T, EngineError>;

/// Slots that a buffer starts with; it doubles when full.
const FIRST_CAPACITY: usize = 64;

/// What a batch of rows has already seen. One cache belongs to one batch; it is an argument of the forward pass, so
/// one model serves any number of them.
///
/// All rows share one slot counter. A row that was shorter than its batch has padding in some slots; those are
/// remembered and never attended to.
#[derive(Debug, Default)]
pub struct Cache {
    layers: Vec<Layer>,
    /// Per row and slot, whether a token (and not padding) lies there.
    filled: Vec<Vec<bool>>,
    keeps: bool,
}

#[derive(Debug)]
struct Layer {
    k_bnsd: Tensor,
    v_bnsd: Tensor,
}

impl Cache {
    /// An empty cache that grows with every forward pass.
    pub fn new() -> Self {
        Self {
            keeps: true,
            ..Self::default()
        }
    }

    /// A cache that stays empty: for scoring and training, where nothing comes after.
    pub fn none() -> Self {
        Self::default()
    }

    /// Slots in use, padding included.
    pub fn slots(&self) -> usize {
        self.filled.first().map_or(0, Vec::len)
    }

    /// Rows held; 0 while empty.
    pub fn rows(&self) -> usize {
        self.filled.len()
    }

    /// Tokens held for each row, which is the position of its next token.
    pub fn lengths(&self) -> Vec<u32> {
        self.filled
            .iter()
            .map(|row| row.iter().filter(|&&token| token).count() as u32)
            .collect()
    }

    /// A cache of copies of the given rows, in the given order; a row may be taken several times. Both caches can
    /// then be continued independently.
    ///
    /// # Errors
    /// [`EngineError::Call`] for a row that is not there.
    pub fn fork(&self, rows: &[usize]) -> Result<Self> {
        if let Some(row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(EngineError::Call(format!(
                "the cache holds {} rows, row {row} was asked for",
                self.rows()
            )));
        }
        let index: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        let pick = |buffer: &Tensor| -> Result<Tensor> {
            let index = Tensor::new(index.as_slice(), buffer.device())?;
            // Whole buffers: the room for growth comes along, and the copy is one.
            Ok(buffer.index_select(&index, 0)?)
        };
        let copy = |layer: &Layer| {
            Ok(Layer {
                k_bnsd: pick(&layer.k_bnsd)?,
                v_bnsd: pick(&layer.v_bnsd)?,
            })
        };
        Ok(Self {
            layers: self.layers.iter().map(copy).collect::<Result<_>>()?,
            filled: rows.iter().map(|&row| self.filled[row].clone()).collect(),
            keeps: self.keeps,
        })
    }

    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(crate) fn filled(&self) -> &[Vec<bool>] {
        &self.filled
    }

    /// Adds one layer's keys and values of a batch and returns all of that layer's. [`Cache::advance`] must follow
    /// once all layers are added.
    pub(crate) fn append(
        &mut self,
        layer: usize,
        k_bntd: &Tensor,
        v_bntd: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        if !self.keeps {
            return Ok((k_bntd.clone(), v_bntd.clone()));
        }
        let used = self.slots();
        let all = used + k_bntd.dim(2)?;
        if layer == self.layers.len() {
            let capacity = all.max(FIRST_CAPACITY);
            self.layers.push(Layer {
                k_bnsd: with_slots(k_bntd, capacity)?,
                v_bnsd: with_slots(v_bntd, capacity)?,
            });
        }
        let Layer { k_bnsd, v_bnsd } = &mut self.layers[layer];
        for (buffer, new) in [(&mut *k_bnsd, k_bntd), (&mut *v_bnsd, v_bntd)] {
            if buffer.dim(2)? < all {
                let grown = with_slots(buffer, all.max(2 * used))?;
                if used > 0 {
                    grown.slice_set(&buffer.narrow(2, 0, used)?.contiguous()?, 2, 0)?;
                }
                *buffer = grown;
            }
            buffer.slice_set(&new.contiguous()?, 2, used)?;
        }
        Ok((k_bnsd.narrow(2, 0, all)?, v_bnsd.narrow(2, 0, all)?))
    }

    /// Counts the batch's tokens as seen.
    pub(crate) fn advance(&mut self, batch: &Batch) {
        if !self.keeps {
            return;
        }
        self.filled.resize(batch.rows(), Vec::new());
        for (row, &length) in self.filled.iter_mut().zip(batch.lengths()) {
            row.extend((0..batch.width()).map(|slot| slot < length));
        }
    }
}

/// Zeros of the tensor's shape, but with `slots` slots.
fn with_slots(like_bnsd: &Tensor, slots: usize) -> Result<Tensor> {
    let (b, n, _, d) = like_bnsd.dims4()?;
    Ok(Tensor::zeros(
        (b, n, slots, d),
        like_bnsd.dtype(),
        like_bnsd.device(),
    )?)
}
