//! Models from a hub.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::http::{Http, Stream};
use crate::hub_cache::{self, CacheEntry, Repository};
use crate::hub_files::{self, Listing, is_index, is_safe};
use crate::key::{ApiKey, scrubbed};
use crate::reply::message;
use crate::retry::Status;
use crate::transfer::{Fetcher, Wanted, is_hash, shown};

/// A model of a hub: `ORG/NAME[@REVISION][:FILE.gguf]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelId {
    repository: String,
    revision: String,
    gguf: Option<String>,
}

/// A text that is no [`ModelId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a model id ORG/NAME[@REVISION][:FILE.gguf], got {0:?}")]
pub struct NoModelId(String);

impl FromStr for ModelId {
    type Err = NoModelId;

    fn from_str(text: &str) -> Result<Self, NoModelId> {
        let fault = || NoModelId(text.to_owned());
        let (rest, gguf) = match text.rsplit_once(':') {
            Some((rest, gguf)) => (rest, Some(gguf.to_owned())),
            None => (text, None),
        };
        let (repository, revision) = rest.split_once('@').unwrap_or((rest, "main"));
        let word = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && part.chars().all(|next| next.is_ascii_alphanumeric() || "-_.".contains(next))
                // Two hyphens stand for the slash in names of folders.
                && !part.contains("--")
                && !part.contains("..")
        };
        let two = repository
            .split_once('/')
            .is_some_and(|(org, name)| word(org) && word(name));
        let revision_is_safe = is_safe(revision) && revision.split('/').all(word);
        let gguf_is_safe = gguf
            .as_deref()
            .is_none_or(|file| is_safe(file) && file.ends_with(".gguf"));
        if !two || !revision_is_safe || !gguf_is_safe {
            return Err(fault());
        }
        Ok(Self {
            repository: repository.to_owned(),
            revision: revision.to_owned(),
            gguf,
        })
    }
}

impl ModelId {
    /// `ORG/NAME`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// A branch, tag or commit; `main` unless given.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The one file that is meant, where it is not the whole folder.
    pub fn gguf(&self) -> Option<&str> {
        self.gguf.as_deref()
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if self.revision != "main" {
            write!(f, "@{}", self.revision)?;
        }
        self.gguf.iter().try_for_each(|gguf| write!(f, ":{gguf}"))
    }
}

/// A hub, and the cache that its models go into.
#[derive(Debug, Clone)]
pub struct Hub {
    /// Its address without a slash at the end, such as `https://huggingface.co`.
    pub endpoint: String,
    /// Sent to that address and no other.
    pub token: Option<ApiKey>,
    /// The folder of the cache.
    pub cache: PathBuf,
    /// Whether nothing may be fetched.
    pub offline: bool,
    /// The wait before a transfer that was cut is taken up again; it doubles as long as nothing comes.
    pub pause: Duration,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its name.
    pub file: &'a str,
    /// Bytes that are here, those of earlier calls too.
    pub have: u64,
    /// Bytes of the whole file, where the hub says so.
    pub size: Option<u64>,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The folder of the snapshot, or the one file asked for.
    pub path: PathBuf,
    /// The commit.
    pub commit: String,
    /// Files that came over the network.
    pub fetched: usize,
    /// Files that were here already.
    pub kept: usize,
}

/// Why a model cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Fetching is forbidden.
    #[error("offline mode is on (HF_HUB_OFFLINE), so nothing is fetched")]
    Offline,
    /// The hub does not answer.
    #[error("{url} does not answer: {message}")]
    Unreachable {
        /// What was asked for, without a query.
        url: String,
        /// In the client's words.
        message: String,
    },
    /// There is no such model, or it is not for everybody.
    #[error(
        "the hub has no model {id}, or it is private: check the name, or give a token that may read it as HF_TOKEN"
    )]
    NoModel {
        /// The id.
        id: String,
    },
    /// There is no such revision.
    #[error("the model {id} has no revision {revision:?}")]
    NoRevision {
        /// The id.
        id: String,
        /// The branch, tag or commit.
        revision: String,
    },
    /// The model is given to those who accepted its terms.
    #[error(
        "the model {id} is gated: accept its terms on its page, and give a token of that account as HF_TOKEN ({message})"
    )]
    Gated {
        /// The id.
        id: String,
        /// The hub's words.
        message: String,
    },
    /// The token is not valid.
    #[error("the hub does not accept the token in HF_TOKEN: {message}")]
    Token {
        /// The hub's words.
        message: String,
    },
    /// The hub refuses for another reason.
    #[error("{what}: the hub answered {status}: {message}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The hub's words.
        message: String,
    },
    /// A file of the model is not there.
    #[error("there is no file {file:?} in the model{}", listed(files))]
    NoFile {
        /// Its name.
        file: String,
        /// Files that are there and may be meant.
        files: Vec<String>,
    },
    /// Neither safetensors nor an index of them.
    #[error("the model has no model.safetensors{}", listed(ggufs))]
    NoWeights {
        /// The GGUF files that are there.
        ggufs: Vec<String>,
    },
    /// The hub or the model says something that cannot be read.
    #[error("{what} cannot be read: {message}")]
    Malformed {
        /// What.
        what: String,
        /// Why.
        message: String,
    },
    /// The hub does not say what a file should be.
    #[error("the hub gives no hash for {file}, so it cannot be checked")]
    NoHash {
        /// The file.
        file: String,
    },
    /// What came is not what the hub promised. It is thrown away.
    #[error("{file}: expected the hash {expected}, got {got}; it was thrown away")]
    WrongHash {
        /// The file.
        file: String,
        /// By the hub.
        expected: String,
        /// By its content.
        got: String,
    },
    /// The connection was cut, again and again.
    #[error("{file}: {have} bytes came, then nothing more ({message}); the next try goes on from there")]
    Cut {
        /// The file.
        file: String,
        /// Bytes that are here.
        have: u64,
        /// In the client's words.
        message: String,
    },
    /// Somebody else is fetching the same model.
    #[error("{0} is being fetched by another run")]
    Busy(String),
    /// The cache cannot be written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

fn listed(files: &[String]) -> String {
    if files.is_empty() {
        return String::new();
    }
    format!(
        "; it has these GGUF files, name one as ID:FILE.gguf: {}",
        files.join(", ")
    )
}

impl HubError {
    /// A refusal of a file.
    pub(crate) fn refused(what: &str, stream: Stream) -> Self {
        let status = stream.status;
        Self::Refused {
            what: what.to_owned(),
            status,
            message: message(stream.text().as_bytes()),
        }
    }
}

impl Hub {
    /// The model in the cache: its folder, or the one file of the id. `None` where it is not there. Asks nobody.
    pub fn find(&self, id: &ModelId) -> Option<PathBuf> {
        let repository = Repository::new(&self.cache, id);
        let folder = repository.snapshot(&repository.commit(&id.revision)?);
        match &id.gguf {
            Some(gguf) => Some(folder.join(gguf)).filter(|file| file.is_file()),
            None => Some(folder),
        }
    }

    /// Every model in the cache, by id and commit.
    pub fn list(&self) -> Vec<CacheEntry> {
        hub_cache::list(&self.cache)
    }

    /// Fetches what a judge needs of a model into the cache. What is there already is not fetched again; what was cut is
    /// gone on with; every file is held to its hash. The name of the revision stands for the new commit once all of it
    /// is there.
    ///
    /// # Errors
    /// Every variant of [`HubError`].
    pub fn pull(&self, id: &ModelId, report: &mut dyn FnMut(Progress<'_>)) -> Result<Pulled, HubError> {
        if self.offline {
            return Err(HubError::Offline);
        }
        let http = Http::new(1);
        let fetcher = Fetcher {
            http: &http,
            token: self.token.as_ref(),
            pause: self.pause,
        };
        let repository = Repository::new(&self.cache, id);
        let _lock = lock(&repository.root, id)?;
        let listing = self.listing(&fetcher, id)?;
        if !is_hash(&listing.sha) {
            return Err(HubError::Malformed {
                what: format!("the commit of {id}"),
                message: format!("expected 40 hexadecimal digits, got {:?}", listing.sha),
            });
        }
        let mut pulled = Pulled {
            path: repository.snapshot(&listing.sha),
            commit: listing.sha.clone(),
            fetched: 0,
            kept: 0,
        };
        let mut files = listing.first(id.gguf())?;
        let mut next = 0;
        while let Some(file) = files.get(next).cloned() {
            next += 1;
            let new = self.file(&fetcher, id, (&repository, &pulled.commit), &file, report)?;
            pulled.fetched += usize::from(new);
            pulled.kept += usize::from(!new);
            if is_index(&file.name) {
                let path = pulled.path.join(&file.name);
                let index = fs::read(&path).map_err(|error| HubError::Io { path, error })?;
                files.extend(listing.shards(&index)?);
            }
        }
        repository
            .point(&id.revision, &pulled.commit)
            .map_err(|error| HubError::Io {
                path: repository.root.clone(),
                error,
            })?;
        if let Some(gguf) = id.gguf() {
            pulled.path.push(gguf);
        }
        Ok(pulled)
    }

    fn listing(&self, fetcher: &Fetcher<'_>, id: &ModelId) -> Result<Listing, HubError> {
        let url = format!(
            "{}/api/models/{}/revision/{}?blobs=true",
            self.endpoint,
            id.repository,
            id.revision.replace('/', "%2F")
        );
        let fetched = fetcher.open(&url, 0).map_err(|error| HubError::Unreachable {
            url: shown(&url),
            message: error.message,
        })?;
        let status = fetched.stream.status;
        let code = fetched
            .stream
            .headers
            .get("x-error-code")
            .unwrap_or_default()
            .to_owned();
        let mut text = String::new();
        if Status::of(status) == Status::Fine {
            let mut reader = fetched.stream.reader();
            let read = std::io::Read::read_to_string(&mut reader, &mut text);
            read.map_err(|error| HubError::Unreachable {
                url: shown(&url),
                message: error.to_string(),
            })?;
            return serde_json::from_str(&text).map_err(|error| HubError::Malformed {
                what: shown(&url),
                message: error.to_string(),
            });
        }
        let message = scrubbed(self.token.as_ref(), &message(fetched.stream.text().as_bytes()));
        let name = id.repository.clone();
        let lower = message.to_ascii_lowercase();
        Err(match (status, code.as_str()) {
            (_, "GatedRepo") => HubError::Gated { id: name, message },
            (_, "RevisionNotFound") => HubError::NoRevision {
                id: name,
                revision: id.revision.clone(),
            },
            // Without a token, a hub does not tell what is private from what is not there.
            (401, "") if self.token.is_some() && lower.contains("token") => HubError::Token { message },
            (_, "RepoNotFound") | (401 | 404, _) => HubError::NoModel { id: name },
            _ => HubError::Refused {
                what: name,
                status,
                message,
            },
        })
    }

    /// Sees to it that one file is in the snapshot. False if it was here already.
    fn file(
        &self,
        fetcher: &Fetcher<'_>,
        id: &ModelId,
        place: (&Repository, &str),
        file: &hub_files::File,
        report: &mut dyn FnMut(Progress<'_>),
    ) -> Result<bool, HubError> {
        let (repository, commit) = place;
        let name = &file.name;
        if !is_safe(name) {
            return Err(HubError::Malformed {
                what: format!("the file name {name:?}"),
                message: "it leads out of the folder".to_owned(),
            });
        }
        let url = format!("{}/{}/resolve/{commit}/{name}", self.endpoint, id.repository);
        let listed = file.hash.clone().filter(|hash| is_hash(hash));
        let hash = match listed {
            Some(hash) => hash,
            // A mirror may not list hashes; then the headers of the file itself have to tell.
            None => {
                let fetched = fetcher.open(&url, 0).map_err(|error| HubError::Unreachable {
                    url: shown(&url),
                    message: error.message,
                })?;
                if Status::of(fetched.stream.status) != Status::Fine {
                    return Err(HubError::refused(name, fetched.stream));
                }
                fetched
                    .etag
                    .ok_or_else(|| HubError::NoHash { file: name.clone() })?
            }
        };
        let blob = repository.blob(&hash);
        let here = fs::metadata(&blob).is_ok_and(|found| file.size.is_none_or(|size| size == found.len()));
        if !here {
            let wanted = Wanted {
                url: &url,
                name,
                hash: &hash,
                size: file.size,
            };
            fetcher.bring(&wanted, &blob, &mut |have| {
                report(Progress {
                    file: name,
                    have,
                    size: file.size,
                });
            })?;
        }
        let linked = repository.link(commit, name, &hash);
        linked.map_err(|error| HubError::Io {
            path: repository.snapshot(commit).join(name),
            error,
        })?;
        Ok(!here)
    }
}

/// Keeps other runs off a repository as long as the file lives.
fn lock(root: &Path, id: &ModelId) -> Result<File, HubError> {
    let path = root.join(".rewardanything.lock");
    let open = || -> std::io::Result<File> {
        fs::create_dir_all(root)?;
        File::options().create(true).append(true).open(&path)
    };
    let file = open().map_err(|error| HubError::Io {
        path: path.clone(),
        error,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(HubError::Busy(id.to_string())),
        Err(fs::TryLockError::Error(error)) => Err(HubError::Io { path, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_repository_a_revision_and_a_file() {
        let check = |text: &str, expect: Option<(&str, &str, Option<&str>)>| {
            let id = text.parse::<ModelId>().ok();
            let parts = id.as_ref().map(|id| (id.repository(), id.revision(), id.gguf()));
            assert_eq!(parts, expect, "{text}");
            if let Some(id) = id {
                assert_eq!(id.to_string().parse::<ModelId>(), Ok(id.clone()), "{text}");
            }
        };
        check("org/name", Some(("org/name", "main", None)));
        check("org/name-0.6B@v1/x", Some(("org/name-0.6B", "v1/x", None)));
        check("org/name:q8.gguf", Some(("org/name", "main", Some("q8.gguf"))));
        check(
            "org/name@v2:sub/q8.gguf",
            Some(("org/name", "v2", Some("sub/q8.gguf"))),
        );
        for text in [
            "",
            "name",
            "a/b/c",
            "../x",
            "a/..",
            "a--b/c",
            "a/b@",
            "a/b@../x",
            "a/b:",
            "a/b:../x.gguf",
            "a/b:x.bin",
            "/b",
            "a/b c",
            "nano",
        ] {
            check(text, None);
        }
    }
}
