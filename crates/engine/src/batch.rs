//! Rows of tokens for one forward pass, and which token may look at which.

use crate::EngineError;

/// The segment of a padding token.
const PADDING: u32 = 0;

/// Rows of unequal length, padded on the right to the longest.
///
/// Every token belongs to a segment of its row and attends to earlier tokens of the same segment, so a row may also
/// hold several independent sequences ([`Batch::packed`]). Padding is a segment of its own: it never reaches a token.
#[derive(Debug, Clone)]
pub struct Batch {
    rows: usize,
    width: usize,
    tokens: Vec<u32>,
    /// Position within the segment, counted from the start of this batch.
    positions: Vec<u32>,
    segments: Vec<u32>,
    lengths: Vec<usize>,
    packed: bool,
}

impl Batch {
    /// One sequence per row, continuing whatever the cache holds for the row.
    ///
    /// # Errors
    /// [`EngineError::Call`] when there is no row, or a row has no token.
    pub fn ragged<T: AsRef<[u32]>>(rows: &[T]) -> Result<Self, EngineError> {
        let rows: Vec<[&[u32]; 1]> = rows.iter().map(|row| [row.as_ref()]).collect();
        Self::build(&rows, false)
    }

    /// Several independent sequences per row, one after the other, each from position 0. For training and scoring:
    /// a cache that keeps would not know the sequences apart, so the forward pass refuses one.
    ///
    /// # Errors
    /// [`EngineError::Call`] when there is no row, or a sequence has no token.
    pub fn packed<S: AsRef<[u32]>, R: AsRef<[S]>>(rows: &[R]) -> Result<Self, EngineError> {
        let rows: Vec<Vec<&[u32]>> = rows
            .iter()
            .map(|row| row.as_ref().iter().map(|sequence| sequence.as_ref()).collect())
            .collect();
        Self::build(&rows, true)
    }

    fn build<'a, R: AsRef<[&'a [u32]]>>(rows: &[R], packed: bool) -> Result<Self, EngineError> {
        let call = |message: &str| Err(EngineError::Call(message.to_owned()));
        if rows.is_empty() {
            return call("a batch needs at least one row");
        }
        if rows
            .iter()
            .any(|row| row.as_ref().is_empty() || row.as_ref().iter().any(|sequence| sequence.is_empty()))
        {
            return call("every row and sequence of a batch needs at least one token");
        }
        let lengths: Vec<usize> = rows
            .iter()
            .map(|row| row.as_ref().iter().map(|s| s.len()).sum())
            .collect();
        let width = lengths.iter().copied().max().unwrap_or(0);
        let mut batch = Self {
            rows: rows.len(),
            width,
            tokens: Vec::with_capacity(rows.len() * width),
            positions: Vec::with_capacity(rows.len() * width),
            segments: Vec::with_capacity(rows.len() * width),
            lengths,
            packed,
        };
        for (row, length) in rows.iter().zip(&batch.lengths) {
            for (segment, sequence) in (PADDING + 1..).zip(row.as_ref()) {
                batch.tokens.extend_from_slice(sequence);
                batch.positions.extend(0..sequence.len() as u32);
                batch
                    .segments
                    .extend(std::iter::repeat_n(segment, sequence.len()));
            }
            let padding = width - length;
            batch.tokens.extend(std::iter::repeat_n(0, padding));
            batch.positions.extend(std::iter::repeat_n(0, padding));
            batch.segments.extend(std::iter::repeat_n(PADDING, padding));
        }
        Ok(batch)
    }

    /// Number of rows, `b`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Tokens of the longest row, `t`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Tokens of each row, padding not counted.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Token ids, row after row, padding included (as id 0): `rows * width` of them.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Whether the rows hold several sequences.
    pub fn is_packed(&self) -> bool {
        self.packed
    }

    /// Positions of all tokens when each row already holds `past[row]` of them.
    pub(crate) fn positions_after(&self, past: &[u32]) -> Vec<u32> {
        let rows = self.positions.chunks(self.width).zip(past);
        rows.flat_map(|(row, &start)| row.iter().map(move |&p| start + p))
            .collect()
    }

    /// Index of each row's last token among all `rows * width`.
    pub(crate) fn last_indices(&self) -> Vec<u32> {
        self.lengths
            .iter()
            .enumerate()
            .map(|(row, length)| (row * self.width + length - 1) as u32)
            .collect()
    }

    fn segments_of(&self, row: usize) -> &[u32] {
        &self.segments[row * self.width..(row + 1) * self.width]
    }
}

/// Which of the slots (past ones first, then this batch's) each token of a batch may look at.
pub(crate) struct Visibility<'a> {
    batch: &'a Batch,
    /// Per row, whether a past slot holds a token (and not padding).
    past: &'a [Vec<bool>],
    past_len: usize,
}

impl<'a> Visibility<'a> {
    /// `past` has one list per row, all of one length, or no list at all for an empty cache.
    pub(crate) fn new(batch: &'a Batch, past: &'a [Vec<bool>]) -> Self {
        Self {
            batch,
            past,
            past_len: past.first().map_or(0, Vec::len),
        }
    }

    /// Whether "every earlier slot" is the right answer for all rows. Padding on the right needs no mask: no token
    /// comes after it, and what padding itself sees does not matter.
    pub(crate) fn is_causal(&self) -> bool {
        !self.batch.packed && self.past.iter().flatten().all(|&token| token)
    }

    /// The additive mask of the queries `start..start + count` over the slots up to the last of them, as
    /// `(values, rows, slots)` with `rows` 1 where all rows share one mask; `None` when nothing is hidden.
    pub(crate) fn mask(&self, start: usize, count: usize) -> Option<(Vec<f32>, usize, usize)> {
        let slots = self.past_len + start + count;
        let causal = self.is_causal();
        if causal && count == 1 {
            return None;
        }
        let rows = if causal { 1 } else { self.batch.rows };
        let mut values = Vec::with_capacity(rows * count * slots);
        for row in 0..rows {
            let segments = self.batch.segments_of(row);
            for query in start..start + count {
                let visible = |slot: usize| {
                    if causal {
                        return slot <= self.past_len + query;
                    }
                    match slot.checked_sub(self.past_len) {
                        // Padding looks at padding slots, so that its softmax has something to sum over.
                        None => self.past[row][slot] == (segments[query] != PADDING),
                        Some(key) => key <= query && segments[key] == segments[query],
                    }
                };
                values.extend((0..slots).map(|slot| if visible(slot) { 0.0 } else { f32::NEG_INFINITY }));
            }
        }
        Some((values, rows, slots))
    }

    pub(crate) fn past_len(&self) -> usize {
        self.past_len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(batch: &Batch, past: &[Vec<bool>]) -> String {
        let Some((values, rows, slots)) = Visibility::new(batch, past).mask(0, batch.width()) else {
            return "none".to_owned();
        };
        let lines: Vec<String> = values
            .chunks(slots)
            .map(|line| line.iter().map(|&v| if v == 0.0 { 'x' } else { '.' }).collect())
            .collect();
        format!("{rows}: {}", lines.join(" "))
    }

    #[test]
    fn masks_hide_the_future_padding_and_other_sequences() {
        let check =
            |batch: &Batch, past: &[Vec<bool>], expect: &str| assert_eq!(picture(batch, past), expect);
        let ragged = Batch::ragged(&[vec![1, 2, 3], vec![4]]).unwrap();
        check(&ragged, &[], "1: x.. xx. xxx");
        check(&ragged, &[vec![true], vec![true]], "1: xx.. xxx. xxxx");
        check(
            &ragged,
            &[vec![true, false], vec![true, true]],
            "2: x.x.. x.xx. x.xxx xxx.. ...x. ...xx",
        );
        let step = Batch::ragged(&[[1], [2]]).unwrap();
        check(&step, &[vec![true], vec![true]], "none");
        check(&step, &[vec![true, true], vec![true, false]], "2: xxx x.x");
        let packed = Batch::packed(&[vec![vec![1, 2], vec![3]]]).unwrap();
        check(&packed, &[], "1: x.. xx. ..x");
    }

    #[test]
    fn positions_restart_in_every_sequence_and_continue_after_a_cache() {
        let packed = Batch::packed(&[vec![vec![1, 2], vec![3, 4]], vec![vec![5], vec![]]]);
        assert!(packed.is_err(), "an empty sequence is refused");
        let packed = Batch::packed(&[vec![vec![1, 2], vec![3, 4]], vec![vec![5]]]).unwrap();
        assert_eq!(packed.positions_after(&[0, 0]), [0, 1, 0, 1, 0, 0, 0, 0]);
        let ragged = Batch::ragged(&[vec![1, 2], vec![3]]).unwrap();
        assert_eq!(ragged.positions_after(&[5, 7]), [5, 6, 7, 7]);
        assert_eq!(ragged.last_indices(), [1, 2]);
        assert!(Batch::ragged::<Vec<u32>>(&[]).is_err());
    }
}
