//! Prompts that begin alike are read once: a tree of pages by the tokens they hold.
//!
//! A node is a page and the tokens on it; the path from the root is a prompt. A look-up walks down as far as tokens
//! agree, and takes the last page even where only its beginning does: the row that goes on from there copies it.

use rewardanything_kernels::PAGE;

use super::pages::{Page, Sequence};

/// Shared beginnings of prompts, within a budget of bytes. The least recently used leaves go first.
#[derive(Debug)]
pub struct PrefixCache {
    nodes: Vec<Option<Node>>,
    roots: Vec<usize>,
    budget: usize,
    bytes: usize,
    clock: u64,
    hits: u64,
}

#[derive(Debug)]
struct Node {
    tokens: Vec<u32>,
    page: Page,
    parent: Option<usize>,
    children: Vec<usize>,
    used: u64,
}

impl PrefixCache {
    /// An empty cache; with a budget of 0 it stays empty.
    pub fn new(budget: usize) -> Self {
        Self {
            nodes: Vec::new(),
            roots: Vec::new(),
            budget,
            bytes: 0,
            clock: 0,
            hits: 0,
        }
    }

    /// Bytes of the pages kept, each counted whole.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Tokens that did not have to be read again, since the beginning.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// How many tokens of a prompt are here, at most `tokens.len() - 1`, since something must be left to compute.
    pub(crate) fn matching(&self, tokens: &[u32]) -> usize {
        let path = self.path(tokens);
        path.last().map_or(0, |&(_, until)| until)
    }

    /// Gives a fresh row what is here of its prompt.
    pub(crate) fn restore(&mut self, tokens: &[u32], row: &mut Sequence) {
        let path = self.path(tokens);
        let Some(&(_, len)) = path.last() else { return };
        self.clock += 1;
        let mut pages = Vec::with_capacity(path.len());
        for (index, _) in path {
            let node = self.node_mut(index);
            pages.push(Page::clone(&node.page));
            let clock = self.clock;
            self.node_mut(index).used = clock;
        }
        self.hits += len as u64;
        row.adopt(pages, len);
    }

    /// Whether a prompt of so many tokens would be kept at all.
    pub(crate) fn has_room_for(&self, tokens: usize, row: &Sequence) -> bool {
        row.page_bytes() * tokens.div_ceil(PAGE) <= self.budget
    }

    /// Keeps the pages of a prompt that a row has read whole.
    pub(crate) fn insert(&mut self, tokens: &[u32], row: &Sequence) {
        if !self.has_room_for(tokens.len(), row) {
            return;
        }
        self.clock += 1;
        let mut parent = None;
        for (tokens, page) in tokens.chunks(PAGE).zip(row.all_pages()) {
            let children = self.children(parent);
            let known = children
                .iter()
                .copied()
                .find(|&child| self.node(child).tokens.starts_with(tokens));
            let index = known.unwrap_or_else(|| self.add(parent, tokens, page, row.page_bytes()));
            let clock = self.clock;
            self.node_mut(index).used = clock;
            parent = Some(index);
        }
        self.evict(row.page_bytes());
    }

    /// The nodes that agree with a prompt, and for each how many tokens of the prompt agree up to its end.
    fn path(&self, tokens: &[u32]) -> Vec<(usize, usize)> {
        let usable = &tokens[..tokens.len().saturating_sub(1)];
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut children = self.roots.as_slice();
        loop {
            let done = path.last().map_or(0, |&(_, until)| until);
            let rest = &usable[done..];
            let agreeing = |&child: &usize| {
                let own = self.node(child).tokens.iter();
                (own.zip(rest).take_while(|(a, b)| a == b).count(), child)
            };
            match children.iter().map(agreeing).max() {
                Some((count, child)) if count > 0 => {
                    path.push((child, done + count));
                    if count < PAGE {
                        return path;
                    }
                    children = &self.node(child).children;
                }
                _ => return path,
            }
        }
    }

    fn add(&mut self, parent: Option<usize>, tokens: &[u32], page: &Page, bytes: usize) -> usize {
        let node = Node {
            tokens: tokens.to_vec(),
            page: Page::clone(page),
            parent,
            children: Vec::new(),
            used: 0,
        };
        let index = self
            .nodes
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.nodes.len());
        if index == self.nodes.len() {
            self.nodes.push(Some(node));
        } else {
            self.nodes[index] = Some(node);
        }
        match parent {
            Some(parent) => self.node_mut(parent).children.push(index),
            None => self.roots.push(index),
        }
        self.bytes += bytes;
        index
    }

    fn evict(&mut self, page_bytes: usize) {
        while self.bytes > self.budget {
            let leaves = self.nodes.iter().enumerate().filter_map(|(index, node)| {
                let node = node.as_ref()?;
                node.children.is_empty().then_some((node.used, index))
            });
            let Some((_, index)) = leaves.min() else { return };
            let node = self.nodes[index]
                .take()
                .expect("a leaf was just found. This is a bug.");
            match node.parent {
                Some(parent) => self.node_mut(parent).children.retain(|&child| child != index),
                None => self.roots.retain(|&root| root != index),
            }
            self.bytes -= page_bytes;
        }
    }

    fn children(&self, parent: Option<usize>) -> &[usize] {
        parent.map_or(&self.roots, |parent| &self.node(parent).children)
    }

    fn node(&self, index: usize) -> &Node {
        self.nodes[index]
            .as_ref()
            .expect("links lead to live nodes. This is a bug.")
    }

    fn node_mut(&mut self, index: usize) -> &mut Node {
        self.nodes[index]
            .as_mut()
            .expect("links lead to live nodes. This is a bug.")
    }
}

#[cfg(test)]
mod tests {
    use rewardanything_kernels::{KvFormat, KvShape};

    use super::*;

    const SHAPE: KvShape = KvShape {
        heads: 1,
        kv_heads: 1,
        head_dim: 2,
    };

    fn row(tokens: usize) -> Sequence {
        let mut row = Sequence::new(SHAPE, KvFormat::F32, 1);
        row.extend(tokens);
        row
    }

    fn prompt(shared: usize, own: u32, length: usize) -> Vec<u32> {
        let shared_part = 0..shared as u32;
        shared_part
            .chain((shared..length).map(|i| 1_000 * own + i as u32))
            .collect()
    }

    #[test]
    fn prompts_are_found_as_far_as_they_agree() {
        let mut cache = PrefixCache::new(usize::MAX);
        for (own, shared) in [(1, 0), (2, 100), (3, 100)] {
            cache.insert(&prompt(shared, own, 200), &row(200));
        }
        let check = |tokens: &[u32], expect: usize| assert_eq!(cache.matching(tokens), expect);
        check(&prompt(100, 2, 200), 199);
        check(&prompt(100, 2, 150), 149);
        check(&prompt(100, 4, 200), 100);
        check(&prompt(64, 4, 200), 64);
        check(&prompt(30, 4, 200), 30);
        check(&prompt(0, 9, 200), 0);
        check(&[], 0);
        let mut fresh = Sequence::new(SHAPE, KvFormat::F32, 1);
        cache.restore(&prompt(100, 4, 200), &mut fresh);
        assert_eq!((fresh.len(), cache.hits()), (100, 100));
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let page = row(1).page_bytes();
        let mut cache = PrefixCache::new(3 * page);
        for own in 1..=3 {
            cache.insert(&prompt(0, own, 40), &row(40));
        }
        cache.restore(&prompt(0, 1, 40), &mut Sequence::new(SHAPE, KvFormat::F32, 1));
        cache.insert(&prompt(0, 4, 40), &row(40));
        let kept = |own: u32| cache.matching(&prompt(0, own, 40)) > 0;
        assert_eq!([1, 2, 3, 4].map(kept), [true, false, true, true]);
        assert_eq!(cache.bytes(), 3 * page);
        cache.insert(&prompt(0, 5, 400), &row(400));
        assert_eq!(cache.matching(&prompt(0, 5, 400)), 0, "it would not fit");
    }
}
