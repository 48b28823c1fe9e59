//! `--model`, `--profile` and their companions become a judge.

use std::fs;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rewardanything_core::{Decoding, Generate, Judge, Layout, Message, OrderPolicy, Profile, Repeats, Role};
use rewardanything_engine::{BackendOptions, LoadOptions, LocalModel, ModelFiles, Numerics};
use rewardanything_models::{self as models, Adjustments, NANO, NANO_WEIGHTS, Source, nano};
use rewardanything_remote::{Address, Keys, Pool, Settings, sha256};
use rewardanything_serve::Setup;

use crate::args::{DecodingArg, DeviceArg, LocalArgs, ModelArgs, ServerArgs, Thinking};
use crate::hub;
use crate::table;

/// A model, how it is spoken to, and the seed of the order it sees responses in.
#[derive(Debug)]
pub(crate) struct Speaker {
    model: Model,
    profile: Profile,
    seed: u64,
    repeats: Repeats,
}

/// A model here, or one behind URLs.
#[derive(Debug)]
enum Model {
    Local(Arc<LocalModel>),
    Remote { pool: Arc<Pool>, concurrency: usize },
}

impl Model {
    fn generate(&self) -> &dyn Generate {
        match self {
            Model::Local(model) => model.as_ref(),
            Model::Remote { pool, .. } => pool.as_ref(),
        }
    }
}

impl Speaker {
    /// How many items to judge at once, where nobody says.
    pub(crate) fn batch(&self) -> usize {
        match &self.model {
            // A judgement in steps is many short replies, of which a pass takes more.
            Model::Local(_) if self.profile.layout == Layout::Pieces => 64,
            Model::Local(_) => 8,
            // Enough to keep every place filled until the slowest of a batch are left.
            Model::Remote { concurrency, .. } => 4 * concurrency,
        }
    }

    /// How many requests a server may have judged at a time, where nobody says; `local` on this machine.
    pub(crate) fn slots(&self, local: usize) -> usize {
        match &self.model {
            Model::Local(_) => local,
            Model::Remote { concurrency, .. } => *concurrency,
        }
    }

    /// The model on this machine, where it is one.
    pub(crate) fn local(&self) -> Option<Arc<LocalModel>> {
        match &self.model {
            Model::Local(model) => Some(Arc::clone(model)),
            Model::Remote { .. } => None,
        }
    }

    /// The servers that are asked, where the model is behind URLs.
    pub(crate) fn pool(&self) -> Option<Arc<Pool>> {
        match &self.model {
            Model::Local(_) => None,
            Model::Remote { pool, .. } => Some(Arc::clone(pool)),
        }
    }

    /// The judge, for a server to keep.
    pub(crate) fn setup(&self) -> Setup {
        Setup {
            model: match &self.model {
                Model::Local(model) => Arc::clone(model) as Arc<dyn Generate>,
                Model::Remote { pool, .. } => Arc::clone(pool) as Arc<dyn Generate>,
            },
            profile: self.profile.clone(),
            seed: self.seed,
            repeats: self.repeats,
        }
    }

    /// Says what a server turned out not to take.
    pub(crate) fn report_notes(&self) {
        if let Model::Remote { pool, .. } = &self.model {
            for note in pool.take_notes() {
                eprintln!("note: {}", table::plain(&note));
            }
        }
    }

    /// The judge that these settings describe.
    pub(crate) fn judge(&self) -> Judge<'_> {
        Judge::new(self.model.generate(), self.profile.clone(), self.seed).with_repeats(self.repeats)
    }

    /// The same judge, which shows responses in the order in which they are given.
    pub(crate) fn judge_as_given(&self) -> Judge<'_> {
        let profile = Profile {
            order: OrderPolicy::Given,
            ..self.profile.clone()
        };
        Judge::new(self.model.generate(), profile, self.seed).with_repeats(self.repeats)
    }

    /// The model itself, for text that is no verdict.
    pub(crate) fn generator(&self) -> &dyn Generate {
        self.model.generate()
    }

    /// How the model is spoken to, flags applied.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What its chat template makes of a fixed conversation, thinking on and off: two templates that differ where it
    /// matters differ here. `None` for a server, whose template is its own affair.
    pub(crate) fn template_sample(&self) -> Option<String> {
        let Model::Local(model) = &self.model else {
            return None;
        };
        let says = |role, content: &str| Message {
            role,
            content: content.to_owned(),
        };
        let talk = [says(Role::System, "system"), says(Role::User, "user")];
        let render = |thinking| model.chat().template().render(&talk, true, thinking).ok();
        Some([render(true)?, render(false)?].concat())
    }

    /// The model that a server was asked for.
    pub(crate) fn served_model(&self) -> Option<&str> {
        match &self.model {
            Model::Local(_) => None,
            Model::Remote { pool, .. } => Some(pool.served_model()),
        }
    }

    /// The model's name, as records bear it.
    pub(crate) fn name(&self) -> &str {
        self.model.generate().name()
    }
}

/// Loads the model and settles how it is spoken to: a flag comes before the model's own profile, and that before
/// the built-in one.
///
/// # Errors
/// The model or a file is not there or unusable, or the profile `published` has no system text.
pub(crate) fn resolve(args: &ModelArgs) -> Result<Speaker> {
    // The profile first: it is read in no time, and a slip in its name should not cost the loading of a model.
    let named = args.profile.as_deref().map(models::profile).transpose()?;
    let system = args.system_prompt_file.as_deref().map(read).transpose()?;
    if matches!(&named, Some(profile) if profile.name == "published") {
        ensure!(
            system.is_some() || named.as_ref().is_some_and(|profile| !profile.system.is_empty()),
            "the profile `published` needs --system-prompt-file: its instructions belong to the published package, \
             take them from an installed one"
        );
    }
    let (model, own) = match Source::of(&args.model).context("--model")? {
        Source::Urls(urls) => {
            ensure!(
                !args.deterministic,
                "--deterministic: what a server computes may depend on what it computes beside it; judge on this \
                 machine, or leave the flag out"
            );
            let concurrency = usize::from(args.server.concurrency);
            let pool = Arc::new(connect(&urls, &args.server)?);
            (Model::Remote { pool, concurrency }, None)
        }
        _ => {
            ensure!(
                !(args.deterministic && args.local.device != DeviceArg::Cpu),
                "--deterministic: on a device beside the processors the last bits depend on what is computed together; \
                 leave out one of the two"
            );
            let model = load(&args.model, &args.local)?;
            let own = model.profile().cloned();
            (Model::Local(Arc::new(model)), own)
        }
    };
    let profile = named.or(own).unwrap_or_else(Profile::rewardanything);
    let profile = adjust(profile, system, args);
    ensure!(
        args.samples == 1 || profile.sampling.temperature > 0.0,
        "--samples {}: at temperature 0 all samples are the same, give a --temperature above 0",
        args.samples
    );
    ensure!(
        !(matches!(args.thinking, Some(Thinking::On)) && profile.decoding == Decoding::Branches),
        "--decoding branches reads scores without thinking: leave out --thinking on"
    );
    let seed = profile.sampling.seed;
    let repeats = Repeats {
        permutations: args.permutations,
        samples: usize::from(args.samples),
    };
    Ok(Speaker {
        model,
        profile,
        seed,
        repeats,
    })
}

fn connect(urls: &[Address], args: &ServerArgs) -> Result<Pool> {
    let settings = Settings {
        served_model: args.served_model.clone(),
        concurrency: usize::from(args.concurrency),
        timeout: Duration::from_secs(u64::from(args.timeout)),
        requests_per_minute: args.requests_per_minute,
        tokens_per_minute: args.tokens_per_minute,
        // Only the lengths of waits depend on it.
        jitter_seed: u64::from(std::process::id()),
    };
    let keys = match &args.key {
        None => hub::keys(),
        Some(key) => Keys {
            own: Some(key.clone()),
            openai: None,
        },
    };
    Ok(Pool::connect(urls.to_vec(), &keys, settings)?)
}

/// Loads a model by the name, folder, file or id given to `--model`.
///
/// # Errors
/// There is no such model here, or it is unusable; the message names the file, field or tensor.
pub(crate) fn load(name: &str, args: &LocalArgs) -> Result<LocalModel> {
    loaded(files(name)?, name, args)
}

/// Loads a model from files that were opened already; `name` is for the message where that fails.
///
/// # Errors
/// As [`load`].
pub(crate) fn loaded(files: ModelFiles<'_>, name: &str, args: &LocalArgs) -> Result<LocalModel> {
    let backend = match args.device {
        DeviceArg::Cpu => BackendOptions::Kernels {
            numerics: if args.exact {
                Numerics::Exact
            } else {
                Numerics::Native
            },
            threads: usize::from(args.threads),
            prefix_cache_bytes: (args.prefix_cache as usize) << 20,
        },
        DeviceArg::Cuda => BackendOptions::cuda(args.exact).context("--device cuda")?,
    };
    let options = LoadOptions {
        backend,
        ..LoadOptions::default()
    };
    LocalModel::load(files, &options).with_context(|| format!("cannot load the model {name}"))
}

/// The files of a model by the name, folder, file or id given to `--model`.
///
/// # Errors
/// As [`load`].
pub(crate) fn files(name: &str) -> Result<ModelFiles<'static>> {
    let opened = match Source::of(name)? {
        Source::Nano => nano(),
        Source::Folder => {
            // The model bears the folder's name, which `.` and `..` do not tell.
            let folder = Path::new(name).canonicalize();
            ModelFiles::from_folder(&folder.with_context(|| format!("cannot read {name}"))?)
        }
        Source::Gguf => ModelFiles::from_gguf(Path::new(name)),
        Source::Urls(_) => bail!("{name} is a server: its files are not here"),
        Source::Cached(id) => {
            let hub = hub::from_environment()?;
            let path = hub.find(&id).with_context(|| {
                format!(
                    "no model is called {name:?}: it is neither `{NANO}`, nor a folder, a GGUF file or a URL, and the \
                     cache {} does not hold it; `rewardanything model pull {id}` fetches it",
                    hub.cache.display()
                )
            })?;
            let files = match id.gguf() {
                Some(_) => ModelFiles::from_gguf(&path),
                None => ModelFiles::from_folder(&path),
            };
            // The folder of a snapshot is called by its commit, which tells a reader of records nothing.
            files.map(|files| ModelFiles {
                name: id.to_string(),
                ..files
            })
        }
    };
    opened.with_context(|| format!("cannot load the model {name}"))
}

/// SHA-256 over the weights of a model on this machine; `None` for a server.
///
/// # Errors
/// There is no such model, or its files cannot be read.
pub(crate) fn revision(name: &str) -> Result<Option<String>> {
    let folder = |folder: &Path| -> Result<Option<String>> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .with_context(|| format!("cannot read {}", folder.display()))?
            .into_iter()
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "safetensors")
            })
            .collect();
        files.sort();
        hash_of(&files).map(Some)
    };
    match Source::of(name)? {
        Source::Nano => {
            let mut weights = NANO_WEIGHTS;
            Ok(Some(sha256(&mut weights)?))
        }
        Source::Folder => folder(Path::new(name)),
        Source::Gguf => hash_of(&[Path::new(name).to_owned()]).map(Some),
        Source::Urls(_) => Ok(None),
        Source::Cached(id) => match hub::from_environment()?.find(&id) {
            Some(path) if path.is_dir() => folder(&path),
            Some(path) => hash_of(&[path]).map(Some),
            None => Ok(None),
        },
    }
}

/// SHA-256 over files, one after the other.
fn hash_of(files: &[PathBuf]) -> Result<String> {
    let mut chain: Box<dyn Read> = Box::new(std::io::empty());
    for path in files {
        let file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        chain = Box::new(chain.chain(file));
    }
    Ok(sha256(&mut chain)?)
}

fn adjust(profile: Profile, system: Option<String>, args: &ModelArgs) -> Profile {
    let adjustments = Adjustments {
        system,
        seed: args.seed,
        temperature: args.temperature,
        max_new_tokens: args.max_new_tokens,
        thinking_tokens: args
            .thinking_tokens
            .and_then(|budget| NonZeroUsize::new(budget as usize)),
        thinking: args.thinking.map(|thinking| matches!(thinking, Thinking::On)),
        decoding: args.decoding.map(|decoding| match decoding {
            DecodingArg::Constrained => Decoding::Constrained,
            DecodingArg::Branches => Decoding::Branches,
            DecodingArg::Free => Decoding::Free,
        }),
    };
    adjustments.apply(profile)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests;
