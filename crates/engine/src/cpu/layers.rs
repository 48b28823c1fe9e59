//! The weights of a model, packed for the kernels.

use rewardanything_kernels as kernels;
use rewardanything_kernels::{Activations, Format, PackedMatrix, Product, Write};

use crate::weights::pack;
use crate::{Config, EngineError, Weights};

type Result<T> = std::result::Result<T, EngineError>;

/// One decoder layer.
pub(super) struct Layer {
    pub(super) input_norm_e: Vec<f32>,
    pub(super) q: Linear,
    pub(super) k: Linear,
    pub(super) v: Linear,
    pub(super) q_norm_d: Vec<f32>,
    pub(super) k_norm_d: Vec<f32>,
    pub(super) o: Linear,
    pub(super) post_norm_e: Vec<f32>,
    pub(super) gate: PackedMatrix,
    pub(super) up: PackedMatrix,
    pub(super) down: PackedMatrix,
}

/// A matrix and, in some models, what is added to its results.
pub(super) struct Linear {
    pub(super) weight: PackedMatrix,
    pub(super) bias: Option<Vec<f32>>,
}

impl Layer {
    /// Reads layer `index`.
    ///
    /// # Errors
    /// A tensor that cannot be read or packed, by name.
    pub(super) fn load(config: &Config, load: &Loader<'_, '_>, index: usize) -> Result<Self> {
        let (e, f, d) = (config.hidden_size, config.intermediate_size, config.head_dim);
        let (h, n) = (config.num_attention_heads, config.num_key_value_heads);
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let attention = |part: &str, o: usize, i: usize| {
            load.linear(&name(&format!("self_attn.{part}")), (o, i), config.attention_bias)
        };
        let mlp = |part: &str, o: usize, i: usize| load.matrix(&name(&format!("mlp.{part}.weight")), (o, i));
        Ok(Self {
            input_norm_e: load.vector(&name("input_layernorm.weight"))?,
            q: attention("q_proj", h * d, e)?,
            k: attention("k_proj", n * d, e)?,
            v: attention("v_proj", n * d, e)?,
            q_norm_d: load.vector(&name("self_attn.q_norm.weight"))?,
            k_norm_d: load.vector(&name("self_attn.k_norm.weight"))?,
            o: attention("o_proj", e, h * d)?,
            post_norm_e: load.vector(&name("post_attention_layernorm.weight"))?,
            gate: mlp("gate_proj", f, e)?,
            up: mlp("up_proj", f, e)?,
            down: mlp("down_proj", e, f)?,
        })
    }

    /// The number formats of its matrices.
    pub(super) fn formats(&self) -> impl Iterator<Item = Format> {
        let linear = [&self.q, &self.k, &self.v, &self.o].map(|linear| linear.weight.format());
        let mlp = [&self.gate, &self.up, &self.down].map(PackedMatrix::format);
        linear.into_iter().chain(mlp)
    }
}

impl Linear {
    /// The product that writes into `out`; its bias is still to be added.
    pub(super) fn product_in<'a>(&'a self, out: &'a mut Vec<f32>, rows: usize) -> Product<'a> {
        // What the buffer held is written over.
        out.resize(rows * self.weight.outputs(), 0.0);
        Product {
            weight: &self.weight,
            out,
            write: Write::Replace,
        }
    }

    pub(super) fn add_bias(&self, out: &mut [f32]) {
        if let Some(bias) = &self.bias {
            out.chunks_exact_mut(bias.len())
                .for_each(|row| kernels::add_assign(row, bias));
        }
    }

    /// `out += x wᵀ (+ b)`.
    pub(super) fn add_to(&self, x: &Activations, out: &mut [f32]) {
        add_product(x, &self.weight, out);
        self.add_bias(out);
    }
}

/// `out += x wᵀ`.
pub(super) fn add_product(x: &Activations, weight: &PackedMatrix, out: &mut [f32]) {
    let write = Write::Add;
    kernels::products(x, &mut [Product { weight, out, write }]);
}

/// Reads tensors by name.
pub(super) struct Loader<'a, 'w>(pub(super) &'a Weights<'w>);

impl Loader<'_, '_> {
    fn linear(&self, name: &str, shape: (usize, usize), bias: bool) -> Result<Linear> {
        let bias = bias.then(|| self.vector(&format!("{name}.bias"))).transpose()?;
        let weight = self.matrix(&format!("{name}.weight"), shape)?;
        Ok(Linear { weight, bias })
    }

    pub(super) fn matrix(&self, name: &str, (outputs, inputs): (usize, usize)) -> Result<PackedMatrix> {
        pack(name, self.0.stored(name)?, (outputs, inputs))
    }

    /// A vector is a matrix of one row.
    pub(super) fn vector(&self, name: &str) -> Result<Vec<f32>> {
        let mut values = vec![0f32; self.0.elements(name)?];
        self.matrix(name, (1, values.len()))?.row(0, &mut values);
        Ok(values)
    }
}
