//! Text to token ids and back, by the published `tokenizer.json`.

use crate::EngineError;

/// A tokenizer that neither cuts nor pads, whatever its file says.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    specials: Vec<String>,
    size: usize,
}

impl Tokenizer {
    /// Parses a `tokenizer.json`.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] when it does not parse.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(failed)?;
        // A file may carry the truncation it was trained with; a prompt is refused here, never cut.
        inner.with_truncation(None).map_err(failed)?;
        inner.with_padding(None);
        let added = inner.get_added_tokens_decoder();
        let mut specials: Vec<String> = added
            .into_values()
            .filter(|token| token.special)
            .map(|token| token.content)
            .collect();
        specials.sort();
        let size = inner
            .get_vocab(true)
            .into_values()
            .max()
            .map_or(0, |id| id as usize + 1);
        Ok(Self {
            inner,
            specials,
            size,
        })
    }

    /// The ids of a text; special tokens written in it become their ids, none are added.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] when the text has no ids.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        Ok(self
            .inner
            .encode_fast(text, false)
            .map_err(failed)?
            .get_ids()
            .to_vec())
    }

    /// The ids of a text in which special tokens are nothing but text: whoever spells one out must not be able to end a
    /// turn with it.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] when the text has no ids.
    pub fn encode_as_text(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        let mut ids = Vec::new();
        let mut rest = text;
        // Cut behind the first character of each, no tokenizer recognises it.
        while let Some(at) = self.first_special(rest) {
            let first = rest[at..].chars().next().map_or(1, char::len_utf8);
            let (head, tail) = rest.split_at(at + first);
            ids.extend(self.encode(head)?);
            rest = tail;
        }
        ids.extend(self.encode(rest)?);
        Ok(ids)
    }

    /// Where the first special token of a text begins.
    fn first_special(&self, text: &str) -> Option<usize> {
        self.specials
            .iter()
            .filter_map(|special| text.find(special.as_str()))
            .min()
    }

    /// The text of some ids, without special tokens.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] when the ids have no text.
    pub fn decode(&self, ids: &[u32]) -> Result<String, EngineError> {
        self.inner.decode(ids, true).map_err(failed)
    }

    /// The id of a token, written as in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// One more than the largest id.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The special tokens as text, sorted.
    pub fn specials(&self) -> &[String] {
        &self.specials
    }

    /// The tokenizer underneath.
    pub fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

fn failed(error: tokenizers::Error) -> EngineError {
    EngineError::Tokenizer(error.to_string())
}
