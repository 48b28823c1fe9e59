//! Which model a name means, and the judge inside the program: the same for the command and for the bindings.
//!
//! Nothing is fetched here. What a name means depends on the name and on what files are there.

mod speech;

pub use speech::{Adjustments, ProfileError, profile};

use std::path::Path;

use rewardanything_engine::{EngineError, ModelBytes, ModelFiles};
use rewardanything_remote::{Address, AddressError, ModelId};

/// The name of the model inside the program.
pub const NANO: &str = "nano";

/// The weights of the model inside the program, as their file is.
pub const NANO_WEIGHTS: &[u8] = include_bytes!("../../../models/nano/model.safetensors");

/// What the name of a model may mean, in the order in which it is tried.
#[derive(Debug)]
pub enum Source {
    /// [`NANO`].
    Nano,
    /// A folder in the Hugging Face layout.
    Folder,
    /// One file.
    Gguf,
    /// Servers.
    Urls(Vec<Address>),
    /// A model that was fetched, by its id.
    Cached(ModelId),
}

/// Why a name means no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Something with `://` that is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nothing that could be a model.
    #[error(
        "no model is called {0:?}: expected `{NANO}`, a folder that holds config.json, a GGUF file, a URL \
         http://HOST:PORT, or the id ORG/NAME of a model that was fetched"
    )]
    Unknown(String),
}

impl Source {
    /// Reads a name: `nano`, a folder or a file that is there, URLs with commas between them, or `ORG/NAME`.
    ///
    /// ```
    /// use rewardanything_models::Source;
    ///
    /// assert!(matches!(Source::of("nano"), Ok(Source::Nano)));
    /// assert!(matches!(Source::of("http://one:8000,http://two:8000"), Ok(Source::Urls(urls)) if urls.len() == 2));
    /// assert!(matches!(Source::of("some-org/some-model"), Ok(Source::Cached(_))));
    /// assert!(Source::of("no such thing").is_err());
    /// ```
    ///
    /// # Errors
    /// It is none of these, or one of the URLs is no address.
    pub fn of(name: &str) -> Result<Self, SourceError> {
        if name == NANO {
            return Ok(Source::Nano);
        }
        if Path::new(name).is_dir() {
            return Ok(Source::Folder);
        }
        if Path::new(name).is_file() {
            return Ok(Source::Gguf);
        }
        if name.contains("://") {
            let urls = name.split(',').map(Address::parse).collect::<Result<_, _>>()?;
            return Ok(Source::Urls(urls));
        }
        name.parse()
            .map(Source::Cached)
            .map_err(|_| SourceError::Unknown(name.to_owned()))
    }
}

/// The files of the model inside the program.
///
/// # Errors
/// One of them is malformed, which its tests would have found.
pub fn nano() -> Result<ModelFiles<'static>, EngineError> {
    let files = ModelBytes {
        config: include_bytes!("../../../models/nano/config.json"),
        tokenizer: include_bytes!("../../../models/nano/tokenizer.json"),
        tokenizer_config: include_bytes!("../../../models/nano/tokenizer_config.json"),
        weights: NANO_WEIGHTS,
        profile: Some(include_str!("../../../models/nano/judge.toml")),
    };
    ModelFiles::from_bytes(files, NANO)
}
