//! The cache that programs of this kind share: blobs by their hash, snapshots of links to them, names of revisions.
//!
//! ```text
//! models--ORG--NAME/blobs/HASH
//! models--ORG--NAME/refs/main                     the commit, as text
//! models--ORG--NAME/snapshots/COMMIT/config.json  a link to the blob
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::hub::ModelId;

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// `ORG/NAME`.
    pub id: String,
    /// The names under which this commit goes, `main` as a rule; may be empty.
    pub revisions: Vec<String>,
    /// The commit.
    pub commit: String,
    /// Bytes of all its files.
    pub bytes: u64,
    /// The GGUF files in it, which are models of their own.
    pub ggufs: Vec<String>,
    /// Whether there are weights of a folder.
    pub folder: bool,
    /// The folder of the snapshot.
    pub path: PathBuf,
}

/// The folder of one repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) root: PathBuf,
}

impl Repository {
    pub(crate) fn new(cache: &Path, id: &ModelId) -> Self {
        Self {
            root: cache.join(format!("models--{}", id.repository().replace('/', "--"))),
        }
    }

    pub(crate) fn blob(&self, hash: &str) -> PathBuf {
        self.root.join("blobs").join(hash)
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The commit that a revision stands for.
    pub(crate) fn commit(&self, revision: &str) -> Option<String> {
        let named = fs::read_to_string(self.root.join("refs").join(revision));
        let commit = named.map_or_else(|_| revision.to_owned(), |commit| commit.trim().to_owned());
        self.snapshot(&commit).is_dir().then_some(commit)
    }

    /// Lets a revision stand for a commit.
    pub(crate) fn point(&self, revision: &str, commit: &str) -> io::Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        fs::write(path, commit)
    }

    /// Puts a blob into a snapshot under a name.
    pub(crate) fn link(&self, commit: &str, name: &str, hash: &str) -> io::Result<()> {
        let link = self.snapshot(commit).join(name);
        if let Some(folder) = link.parent() {
            fs::create_dir_all(folder)?;
        }
        if fs::symlink_metadata(&link).is_ok() {
            fs::remove_file(&link)?;
        }
        // A relative link, so that the cache can be moved.
        let up = "../".repeat(2 + name.matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{hash}"));
        #[cfg(unix)]
        return std::os::unix::fs::symlink(target, link);
        #[cfg(not(unix))]
        {
            let _ = target;
            fs::copy(self.blob(hash), link).map(|_| ())
        }
    }
}

/// Every model in a cache, by id and commit. Folders that cannot be read are passed over.
pub(crate) fn list(cache: &Path) -> Vec<CacheEntry> {
    let mut entries: Vec<CacheEntry> = children(cache)
        .into_iter()
        .filter_map(|root| {
            let name = root.file_name()?.to_str()?.strip_prefix("models--")?;
            Some((name.replacen("--", "/", 1), root.clone()))
        })
        .flat_map(|(id, root)| {
            let refs = revisions(&root.join("refs"), "");
            children(&root.join("snapshots"))
                .into_iter()
                .filter_map(move |path| entry(&id, &refs, path))
        })
        .collect();
    entries.sort_by(|a, b| (&a.id, &a.commit).cmp(&(&b.id, &b.commit)));
    entries
}

fn entry(id: &str, refs: &[(String, String)], path: PathBuf) -> Option<CacheEntry> {
    let commit = path.file_name()?.to_str()?.to_owned();
    let files = children(&path);
    let names: Vec<&str> = files
        .iter()
        .filter_map(|file| file.file_name()?.to_str())
        .collect();
    let ggufs = names.iter().filter(|name| name.ends_with(".gguf"));
    Some(CacheEntry {
        id: id.to_owned(),
        revisions: refs
            .iter()
            .filter(|(_, named)| *named == commit)
            .map(|(revision, _)| revision.clone())
            .collect(),
        bytes: files
            .iter()
            .filter_map(|file| Some(fs::metadata(file).ok()?.len()))
            .sum(),
        ggufs: ggufs.map(|name| (*name).to_owned()).collect(),
        folder: names.iter().any(|name| name.ends_with(".safetensors")),
        commit,
        path,
    })
}

/// Names of revisions with their commits. Names may hold slashes.
fn revisions(folder: &Path, prefix: &str) -> Vec<(String, String)> {
    children(folder)
        .into_iter()
        .filter_map(|path| Some((format!("{prefix}{}", path.file_name()?.to_str()?), path)))
        .flat_map(|(name, path)| {
            if path.is_dir() {
                revisions(&path, &format!("{name}/"))
            } else {
                let commit = fs::read_to_string(&path).unwrap_or_default();
                vec![(name, commit.trim().to_owned())]
            }
        })
        .collect()
}

/// What a folder holds, by name; nothing where it cannot be read.
fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}
