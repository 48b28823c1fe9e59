//! What a run moves: all weights, or adapters over fixed ones.

use crate::TrainError;
use crate::checkpoint::export;
use crate::layout::Layout;
use crate::lora::{Lora, LoraConfig};
use rand::Rng;
use std::ops::Range;
use std::path::Path;

/// The vector that the optimiser sees, and how it makes the weights of a model.
pub(crate) struct Trainable {
    layout: Layout,
    adapters: Option<Adapters>,
}

struct Adapters {
    lora: Lora,
    /// The model that they are over, as it was named.
    from: String,
    base: Vec<f32>,
    merged: Vec<f32>,
}

impl Trainable {
    /// All weights of a model, or adapters over `base`, the weights of the model named `from`.
    ///
    /// # Errors
    /// As [`Lora::new`].
    pub(crate) fn new(
        layout: &Layout,
        (from, base): (&str, &[f32]),
        lora: Option<&LoraConfig>,
    ) -> Result<Self, TrainError> {
        let adapters = lora.map(|config| -> Result<Adapters, TrainError> {
            Ok(Adapters {
                lora: Lora::new(config, layout)?,
                from: from.to_owned(),
                base: base.to_vec(),
                merged: base.to_vec(),
            })
        });
        Ok(Self {
            layout: layout.clone(),
            adapters: adapters.transpose()?,
        })
    }

    /// Numbers that are trained.
    pub(crate) fn len(&self) -> usize {
        self.adapters.as_ref().map_or(self.layout.len(), |a| a.lora.len())
    }

    /// Where training begins: the weights themselves, or adapters that change nothing.
    pub(crate) fn initial(&self, base: &[f32], rng: &mut impl Rng) -> Vec<f32> {
        match &self.adapters {
            Some(adapters) => adapters.lora.initial(rng),
            None => base.to_vec(),
        }
    }

    /// The weights that `trained` makes.
    pub(crate) fn weights<'a>(&'a mut self, trained: &'a [f32]) -> &'a [f32] {
        match &mut self.adapters {
            None => trained,
            Some(Adapters {
                lora, base, merged, ..
            }) => {
                lora.merge(base, trained, merged);
                merged
            }
        }
    }

    /// The gradient by `trained`, from that by the weights, which is overwritten where they are the same.
    pub(crate) fn gradient<'a>(
        &self,
        trained: &[f32],
        weights: &'a [f32],
        own: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        match &self.adapters {
            None => weights,
            Some(adapters) => {
                own.resize(self.len(), 0.0);
                adapters.lora.gradient(trained, weights, own);
                own
            }
        }
    }

    /// Which trained numbers weight decay applies to.
    pub(crate) fn decays(&self) -> Vec<(Range<usize>, bool)> {
        match &self.adapters {
            Some(adapters) => adapters.lora.decays(),
            None => self.layout.decays(),
        }
    }

    /// Writes the model that `trained` makes into a run's folder, and beside it the adapters, where there are any.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub(crate) fn export(&mut self, folder: &Path, trained: &[f32]) -> Result<(), TrainError> {
        let layout = self.layout.clone();
        export(&folder.join("model.safetensors"), &layout, self.weights(trained))?;
        match &self.adapters {
            Some(Adapters { lora, from, .. }) => lora.export(&folder.join("adapter"), from, trained),
            None => Ok(()),
        }
    }
}
