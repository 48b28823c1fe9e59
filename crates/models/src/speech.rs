//! How a model is spoken to, where somebody wants it otherwise: profiles by name, and single settings over a profile.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use rewardanything_core::{Decoding, Profile, ThinkingPolicy};

/// Why a name means no profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Neither a built-in profile nor a file.
    #[error(
        "no profile is called {0:?} and no such file is there: expected `rewardanything`, `published` or a TOML file"
    )]
    Unknown(String),
    /// A file that cannot be read.
    #[error("cannot read {file}: {cause}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// A file that is no profile.
    #[error("{file} is no profile: {cause}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, and where.
        cause: Box<toml::de::Error>,
    },
}

/// A built-in profile by its name, or one in a TOML file. `published` comes without its system text.
///
/// # Errors
/// There is no such profile, or the file is none.
pub fn profile(name: &str) -> Result<Profile, ProfileError> {
    match name {
        "rewardanything" => Ok(Profile::rewardanything()),
        "published" => Ok(Profile::published("")),
        file if Path::new(file).is_file() => {
            let text = fs::read_to_string(file).map_err(|cause| ProfileError::Unreadable {
                file: file.to_owned(),
                cause,
            })?;
            toml::from_str(&text).map_err(|cause| ProfileError::Malformed {
                file: file.to_owned(),
                cause: Box::new(cause),
            })
        }
        other => Err(ProfileError::Unknown(other.to_owned())),
    }
}

/// Settings that come before what a profile says; `None` leaves the profile's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Adjustments {
    /// Text of the system message, byte for byte.
    pub system: Option<String>,
    /// Seed of the order of responses and of sampling.
    pub seed: Option<u64>,
    /// 0 takes the likeliest token; from 0 upwards.
    pub temperature: Option<f64>,
    /// The most tokens to write.
    pub max_new_tokens: Option<usize>,
    /// The most tokens of thinking.
    pub thinking_tokens: Option<NonZeroUsize>,
    /// Whether the model may think. It makes a profile that forbids it allow it, and leaves one that demands it.
    pub thinking: Option<bool>,
    /// Whether the reply is held to the form of a verdict.
    pub decoding: Option<Decoding>,
}

impl Adjustments {
    /// The profile with these settings. Scores that are read apart are read without thinking.
    ///
    /// ```
    /// use rewardanything_core::{Decoding, Profile, ThinkingPolicy};
    /// use rewardanything_models::Adjustments;
    ///
    /// let branches = Adjustments { decoding: Some(Decoding::Branches), ..Adjustments::default() };
    /// assert_eq!(branches.apply(Profile::rewardanything()).thinking, ThinkingPolicy::Off);
    /// assert_eq!(Adjustments::default().apply(Profile::rewardanything()), Profile::rewardanything());
    /// ```
    pub fn apply(self, mut profile: Profile) -> Profile {
        if let Some(system) = self.system {
            profile.system = system;
        }
        if let Some(seed) = self.seed {
            profile.sampling.seed = seed;
        }
        if let Some(temperature) = self.temperature {
            profile.sampling.temperature = temperature;
        }
        if let Some(limit) = self.max_new_tokens {
            profile.sampling.max_new_tokens = limit;
        }
        if self.thinking_tokens.is_some() {
            profile.thinking_tokens = self.thinking_tokens;
        }
        match self.thinking {
            Some(false) => profile.thinking = ThinkingPolicy::Off,
            Some(true) if profile.thinking == ThinkingPolicy::Off => {
                profile.thinking = ThinkingPolicy::Optional;
            }
            Some(true) | None => {}
        }
        if let Some(decoding) = self.decoding {
            profile.decoding = decoding;
        }
        if profile.decoding == Decoding::Branches {
            profile.thinking = ThinkingPolicy::Off;
        }
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_built_in_or_files() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let file = folder.path().join("mine.toml");
        fs::write(&file, "name = 'mine'\nmax_responses = 3").expect("a file");
        let name = file.to_string_lossy();
        let limit = |name: &str| profile(name).map(|profile| profile.max_responses).ok();
        assert_eq!((limit(&name), limit("published")), (Some(3), Some(32)));
        assert!(profile("rewardanything").is_ok());
        fs::write(&file, "name = 'mine'\nlength = 3").expect("a file");
        let check = |name: &str, expect: &str| {
            let error = profile(name).expect_err("refused").to_string();
            assert!(error.contains(expect), "{name}: {error}");
        };
        check(&name, "length");
        check("unheard-of", "no profile is called");
    }
}
