//! What a row has seen: pages of keys and values that rows can share.

use std::sync::Arc;

use rewardanything_kernels as kernels;
use rewardanything_kernels::{KvFormat, KvShape, PAGE, PageMut, PageRef};

/// The keys and values of [`PAGE`] positions, layer after layer.
pub(crate) type Page = Arc<kernels::Page>;

/// The cache of one row. A clone shares all pages; a page is copied when one of its owners writes to it.
#[derive(Debug, Clone)]
pub struct Sequence {
    shape: KvShape,
    format: KvFormat,
    layers: usize,
    len: usize,
    pages: Vec<Page>,
}

impl Sequence {
    pub(crate) fn new(shape: KvShape, format: KvFormat, layers: usize) -> Self {
        Self {
            shape,
            format,
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
        kernels::Page::bytes_of(self.shape, self.format, self.layers)
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
        let page = || Arc::new(kernels::Page::new(self.shape, self.format, self.layers));
        self.pages.resize_with(self.len.div_ceil(PAGE), page);
    }

    /// Forgets all but the first `len` tokens.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.pages.truncate(self.len.div_ceil(PAGE));
    }

    /// One layer of the pages from number `first` on, which `extend` has made this row's own.
    pub(crate) fn pages_mut(&mut self, layer: usize, first: usize) -> Vec<PageMut<'_>> {
        let own = |page| Arc::get_mut(page).expect("`extend` has made it this row's own. This is a bug.");
        let pages = self.pages[first..].iter_mut().map(own);
        pages.map(|page| page.layer_mut(layer)).collect()
    }

    pub(crate) fn pages(&self, layer: usize) -> Vec<PageRef<'_>> {
        self.pages.iter().map(|page| page.layer(layer)).collect()
    }
}
