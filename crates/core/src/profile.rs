//! How a judge is spoken to, as data: a model folder or a user can replace any of it without touching code.

use std::num::NonZeroUsize;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::mask::Mask;
use crate::pieces::PIECE_WORDS;
use crate::request::MAX_RESPONSES;

/// Our own instructions for a general chat model that is to act as the judge.
pub const SYSTEM_PROMPT: &str = include_str!("system_prompt.md");

/// Everything that differs between judges except their weights.
///
/// Readable from TOML or JSON. Only `name` is required: what a file leaves out is as in [`Profile::rewardanything`],
/// and a key that nobody knows is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name that flags and records use.
    pub name: String,
    /// Text of the system message; empty means that there is none.
    #[serde(default = "default_system")]
    pub system: String,
    /// How the request becomes the user message.
    #[serde(default)]
    pub layout: Layout,
    /// Words of a piece, at least 1, where the layout is in [pieces](crate::pieces).
    #[serde(default = "default_piece_words", deserialize_with = "read_piece_words")]
    pub piece_words: NonZeroUsize,
    /// Whether the judge thinks before the verdict.
    #[serde(default)]
    pub thinking: ThinkingPolicy,
    /// The most tokens of thinking before it is closed and the verdict begins, at least 1; `None` leaves it as long as
    /// the reply may be. It binds where the reply is held to a form.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "read_thinking_tokens"
    )]
    pub thinking_tokens: Option<NonZeroUsize>,
    /// In which order the responses are shown.
    #[serde(default)]
    pub order: OrderPolicy,
    /// Whether the reply is held to the form of a verdict.
    #[serde(default)]
    pub decoding: Decoding,
    /// How to decode.
    #[serde(default)]
    pub sampling: Sampling,
    /// The most responses this judge takes in one request, from 1 to [`MAX_RESPONSES`].
    #[serde(default = "default_max_responses", deserialize_with = "read_max_responses")]
    pub max_responses: usize,
}

/// How the request becomes the user message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Layout {
    /// One JSON object `{"principle", "prompt", "responses": {"model-1": ...}}`, byte for byte as Python's
    /// `json.dumps(..., ensure_ascii=False)` writes it.
    #[default]
    Json,
    /// Plain text in which every response stands in marked [pieces](crate::pieces), with the principle before and after:
    /// for small models that count piece by piece.
    Pieces,
}

/// Whether the judge thinks before the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingPolicy {
    /// It must: a verdict without any reasoning is refused.
    Required,
    /// It may, and is invited to.
    #[default]
    Optional,
    /// It is told not to (`enable_thinking = false` in the chat template); reasoning that comes anyway is kept.
    Off,
}

/// In which order the responses are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderPolicy {
    /// Shuffled by the judge's seed and the request's own text, so that position bias averages out over requests.
    #[default]
    Seeded,
    /// The fixed order of the published package ([`Mask::published`]).
    Published,
    /// The caller's order.
    Given,
}

/// Whether the reply is held to the form of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoding {
    /// The thinking is free; of the verdict, only the scores and the order of equal ones are the model's. Every reply
    /// then has a verdict, and the probabilities behind each score are known.
    #[default]
    Constrained,
    /// As constrained, without thinking, and every score is read apart: it knows no other score. Faster, since all are
    /// read at once.
    Branches,
    /// The model writes what it will.
    Free,
}

/// How to decode. The defaults are greedy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// 0 takes the likeliest token; from 0 upwards.
    #[serde(deserialize_with = "read_temperature")]
    pub temperature: f64,
    /// Nucleus: the smallest set of tokens with at least this probability; above 0, 1 is off.
    #[serde(deserialize_with = "read_top_p")]
    pub top_p: f64,
    /// Only so many of the likeliest tokens; 0 is off.
    pub top_k: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// The most tokens to write, at least 1.
    #[serde(deserialize_with = "read_max_new_tokens")]
    pub max_new_tokens: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            seed: 0,
            max_new_tokens: 4_096,
        }
    }
}

impl Profile {
    /// Ours: our system text, a seeded order, greedy decoding, up to 4,096 new tokens.
    pub fn rewardanything() -> Self {
        Self {
            name: "rewardanything".to_owned(),
            system: default_system(),
            layout: Layout::Json,
            piece_words: default_piece_words(),
            thinking: ThinkingPolicy::Optional,
            thinking_tokens: None,
            order: OrderPolicy::Seeded,
            decoding: Decoding::Constrained,
            sampling: Sampling::default(),
            max_responses: MAX_RESPONSES,
        }
    }

    /// Speaks to the published weights as the published package does. The system text belongs to that package and
    /// is the caller's to supply, unchanged down to its first and last line break.
    pub fn published(system_text: impl Into<String>) -> Self {
        Self {
            name: "published".to_owned(),
            system: system_text.into(),
            order: OrderPolicy::Published,
            decoding: Decoding::Free,
            max_responses: Mask::PUBLISHED_LIMIT,
            ..Self::rewardanything()
        }
    }
}

fn default_system() -> String {
    SYSTEM_PROMPT.trim_end().to_owned()
}

fn default_piece_words() -> NonZeroUsize {
    const { NonZeroUsize::new(PIECE_WORDS).expect("a piece has words") }
}

fn read_piece_words<'de, D: Deserializer<'de>>(input: D) -> Result<NonZeroUsize, D::Error> {
    NonZeroUsize::new(usize::deserialize(input)?)
        .ok_or_else(|| D::Error::custom("piece_words: expected at least 1, got 0"))
}

fn default_max_responses() -> usize {
    MAX_RESPONSES
}

fn read_max_responses<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    let value = usize::deserialize(input)?;
    if (1..=MAX_RESPONSES).contains(&value) {
        Ok(value)
    } else {
        Err(D::Error::custom(format!(
            "max_responses: expected 1 to {MAX_RESPONSES}, got {value}"
        )))
    }
}

fn read_temperature<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(input)?;
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(D::Error::custom(format!(
            "temperature: expected 0 or more, got {value}"
        )))
    }
}

fn read_top_p<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(input)?;
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err(D::Error::custom(format!(
            "top_p: expected above 0 and at most 1, got {value}"
        )))
    }
}

fn read_thinking_tokens<'de, D: Deserializer<'de>>(input: D) -> Result<Option<NonZeroUsize>, D::Error> {
    match NonZeroUsize::new(usize::deserialize(input)?) {
        None => Err(D::Error::custom("thinking_tokens: expected at least 1, got 0")),
        some => Ok(some),
    }
}

fn read_max_new_tokens<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    match usize::deserialize(input)? {
        0 => Err(D::Error::custom("max_new_tokens: expected at least 1, got 0")),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_a_profile() {
        let profile: Profile = toml::from_str("name = 'mine'").unwrap();
        assert_eq!(
            profile,
            Profile {
                name: "mine".to_owned(),
                ..Profile::rewardanything()
            }
        );
    }

    #[test]
    fn every_part_can_be_set() {
        let profile: Profile = toml::from_str(
            "name = 'nano'\nsystem = ''\nlayout = 'json'\nthinking = 'required'\nthinking_tokens = 40\norder = 'given'\nmax_responses = 4\n\
             [sampling]\ntemperature = 0.5\ntop_p = 0.9\ntop_k = 20\nseed = 7\nmax_new_tokens = 96",
        )
        .unwrap();
        let sampling = Sampling {
            temperature: 0.5,
            top_p: 0.9,
            top_k: 20,
            seed: 7,
            max_new_tokens: 96,
        };
        assert_eq!(
            (profile.thinking, profile.thinking_tokens, profile.order),
            (
                ThinkingPolicy::Required,
                NonZeroUsize::new(40),
                OrderPolicy::Given
            )
        );
        assert_eq!(
            (profile.system.as_str(), profile.max_responses, profile.sampling),
            ("", 4, sampling)
        );
    }

    #[test]
    fn profiles_survive_toml() {
        for profile in [Profile::rewardanything(), Profile::published("\nJudge.\n")] {
            let text = toml::to_string(&profile).unwrap();
            assert_eq!(toml::from_str::<Profile>(&text).unwrap(), profile, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let check = |text: &str, expect: &str| {
            let error = toml::from_str::<Profile>(text).unwrap_err().to_string();
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("system = 'x'", "name");
        check("name = 'x'\ntemprature = 1", "temprature");
        check("name = 'x'\nthinking = 'maybe'", "maybe");
        check("name = 'x'\nthinking_tokens = 0", "thinking_tokens");
        check("name = 'x'\npiece_words = 0", "piece_words");
        check("name = 'x'\nmax_responses = 0", "max_responses");
        check("name = 'x'\nmax_responses = 65", "max_responses");
        check("name = 'x'\n[sampling]\ntemperature = -1.0", "temperature");
        check("name = 'x'\n[sampling]\ntemperature = nan", "temperature");
        check("name = 'x'\n[sampling]\ntop_p = 0.0", "top_p");
        check("name = 'x'\n[sampling]\nmax_new_tokens = 0", "max_new_tokens");
        check("name = 'x'\n[sampling]\ntop_q = 1", "top_q");
    }

    #[test]
    fn the_published_profile_takes_its_system_text_unchanged() {
        let profile = Profile::published("\n text \n");
        assert_eq!(
            (profile.system.as_str(), profile.max_responses),
            ("\n text \n", 32)
        );
    }
}
