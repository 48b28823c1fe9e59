//! A byte-level BPE tokenizer of one's own, in the published file format.

use crate::TrainError;
use rewardanything_core::pieces::{self, MAX_PIECES};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer, TokenizerImpl};

/// Tokens that text never becomes: ChatML's and the thinking tags, as Qwen3 spells them.
pub const SPECIAL: &[&str] = &["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// Tags that are one token each but stay in the decoded text.
pub const TAGS: &[&str] = &["<think>", "</think>"];
/// Responses whose pieces have a token for each mark.
pub const MARKED_RESPONSES: usize = 8;

/// The tags, and the marks of the first responses' pieces.
fn added() -> Vec<AddedToken> {
    let marks = (0..MARKED_RESPONSES)
        .flat_map(|response| (0..MAX_PIECES).map(move |piece| pieces::mark(response, piece)));
    let tags = TAGS.iter().map(|tag| (*tag).to_owned());
    tags.chain(marks)
        .map(|token| AddedToken::from(token, false))
        .collect()
}

/// First the joints of a request's and a verdict's JSON, escapes and labels, so that each is one token; then words
/// with their leading space, single digits (levels and scores are digits), single marks (counting marks is easier when
/// each is a token), and white space.
const PATTERN: &str = concat!(
    r#""\}\}?|": "|", "|": |, "|\{"|\["|\\[nrt"\\]| ?model-\p{N}+|"#,
    r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s*[\r\n]|\s+(?!\S)|\s"
);

/// Trains a tokenizer of `vocab` tokens on `texts`.
///
/// # Errors
/// [`TrainError::Tokenizer`] when the library refuses.
pub fn train(texts: impl Iterator<Item = String> + Send, vocab: usize) -> Result<Tokenizer, TrainError> {
    let error = |e: tokenizers::Error| TrainError::Tokenizer(e.to_string());
    let split = Split::new(
        SplitPattern::Regex(PATTERN.into()),
        SplitDelimiterBehavior::Isolated,
        false,
    )
    .map_err(error)?;
    let bytes = ByteLevel::new(false, false, false);
    let mut tokenizer: TokenizerImpl<BPE, _, PreTokenizerWrapper, _, ByteLevel> =
        TokenizerImpl::<BPE, tokenizers::NormalizerWrapper, PreTokenizerWrapper, ByteLevel, ByteLevel>::new(
            BPE::default(),
        );
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![split.into(), bytes.into()])));
    tokenizer.with_decoder(Some(bytes));
    let added = added();
    let special: Vec<AddedToken> = SPECIAL.iter().map(|s| AddedToken::from(*s, true)).collect();
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab.saturating_sub(added.len()))
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(special)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    tokenizer.train(&mut trainer, texts).map_err(error)?;
    tokenizer.add_tokens(added).map_err(error)?;
    let json = tokenizer.to_string(true).map_err(error)?;
    Tokenizer::from_bytes(json.as_bytes()).map_err(error)
}

/// The id of a token that must exist.
///
/// # Errors
/// [`TrainError::Tokenizer`] naming the token.
pub fn id(tokenizer: &Tokenizer, token: &str) -> Result<u32, TrainError> {
    tokenizer
        .token_to_id(token)
        .ok_or_else(|| TrainError::Tokenizer(format!("the tokenizer has no token {token}")))
}
