//! What scoring needs of an item: its gold and where it belongs, without its texts.

use crate::gold::ItemGold;
use crate::item::{Id, Item, Labels};

/// An item's gold by the names of its responses. A set of any size fits in memory, since the texts are left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The item.
    pub id: Id,
    /// Where it belongs.
    pub labels: Labels,
    /// Names of the responses, in the item's order.
    pub names: Vec<String>,
    /// Characters of each response.
    pub lengths: Vec<usize>,
    /// The right answer.
    pub gold: ItemGold,
}

impl Sample {
    /// What scoring needs of an item.
    ///
    /// # Errors
    /// The item has no usable gold; the message says why.
    pub fn new(id: Id, item: &Item) -> Result<Self, String> {
        let responses = item.request.responses();
        Ok(Sample {
            id,
            labels: item.labels.clone(),
            names: responses.iter().map(|response| response.name.clone()).collect(),
            lengths: responses
                .iter()
                .map(|response| response.text.chars().count())
                .collect(),
            gold: item.gold()?.clone(),
        })
    }

    /// Index of the response with this name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own == name)
    }
}
