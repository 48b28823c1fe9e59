//! What a row has seen: pages of keys and values that rows can share.

use std::sync::Arc;

use rewardanything_kernels::{KvShape, PAGE};

/// The keys and values of [`PAGE`] positions, layer after layer.
pub(crate) type Page = Arc<Vec<f32>>;

/// The cache of one row. A clone shares all pages; a page is copied when one of its owners writes to it.
#[derive(Debug, Clone)]
pub struct Sequence {
    layer_len: usize,
    layers: usize,
    len: usize,
    pages: Vec<Page>,
}

impl Sequence {
    pub(crate) fn new(shape: KvShape, layers: usize) -> Self {
        Self {
            layer_len: shape.page_len(),
            layers,
            len: 0,
            pages: Vec::new(),
        }
    }

    /// Tokens seen.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a row without tokens is of no interest to anyone"
    )]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of one page.
    pub(crate) fn page_bytes(&self) -> usize {
        self.layer_len * self.layers * size_of::<f32>()
    }

    pub(crate) fn all_pages(&self) -> &[Page] {
        &self.pages
    }

    /// Takes over pages that hold the first `len` positions of this row.
    pub(crate) fn adopt(&mut self, pages: Vec<Page>, len: usize) {
        assert!(
            self.len == 0 && len <= pages.len() * PAGE,
            "only a fresh row adopts pages. This is a bug."
        );
        self.pages = pages;
        self.len = len;
    }

    /// Makes room for new tokens, in pages that no other row owns.
    pub(crate) fn extend(&mut self, count: usize) {
        let first = self.len / PAGE;
        self.len += count;
        for page in self.pages.iter_mut().skip(first) {
            Arc::make_mut(page);
        }
        let elements = self.layer_len * self.layers;
        self.pages
            .resize_with(self.len.div_ceil(PAGE), || Arc::new(vec![0f32; elements]));
    }

    pub(crate) fn page_mut(&mut self, layer: usize, page: usize) -> &mut [f32] {
        let page =
            Arc::get_mut(&mut self.pages[page]).expect("`extend` has made it this row's own. This is a bug.");
        &mut page[layer * self.layer_len..][..self.layer_len]
    }

    pub(crate) fn pages(&self, layer: usize) -> Vec<&[f32]> {
        self.pages
            .iter()
            .map(|page| &page[layer * self.layer_len..][..self.layer_len])
            .collect()
    }
}
