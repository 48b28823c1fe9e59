//! `model pull` and `model list`, and what the environment says of hubs and keys.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use rewardanything_models::{NANO, NANO_WEIGHTS};
use rewardanything_remote::{ApiKey, CacheEntry, Hub, Keys, ModelId};

use crate::Outcome;
use crate::table::pad;

/// The hub that is meant where nobody says.
const ENDPOINT: &str = "https://huggingface.co";

/// The keys for servers.
pub(crate) fn keys() -> Keys {
    let key = |name| variable(name).and_then(|key| ApiKey::new(&key));
    Keys {
        own: key("REWARDANYTHING_API_KEY"),
        openai: key("OPENAI_API_KEY"),
    }
}

/// The hub and its cache, under the names that other programs of this kind go by.
///
/// # Errors
/// Nothing says where the cache is.
pub(crate) fn from_environment() -> Result<Hub> {
    let home = variable("HF_HOME").map(PathBuf::from).or_else(|| {
        let caches = variable("XDG_CACHE_HOME").map(PathBuf::from);
        let caches = caches.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
        Some(caches?.join("huggingface"))
    });
    let cache = variable("HF_HUB_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(home.as_ref()?.join("hub")));
    let token = variable("HF_TOKEN").or_else(|| std::fs::read_to_string(home?.join("token")).ok());
    let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
    Ok(Hub {
        endpoint: endpoint.trim_end_matches('/').to_owned(),
        token: token.and_then(|token| ApiKey::new(&token)),
        cache: cache.context("no cache for models: set HF_HOME to a folder for it")?,
        offline: variable("HF_HUB_OFFLINE")
            .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "on" | "yes" | "true")),
        pause: Duration::from_millis(500),
    })
}

/// A variable of the environment that says something.
#[expect(
    clippy::disallowed_methods,
    reason = "keys do not belong on a command line, and the cache is shared with programs that look here for it"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Runs `model pull`.
///
/// # Errors
/// The model cannot be had; the message says why.
pub(crate) fn pull(id: &ModelId) -> Result<Outcome> {
    let hub = from_environment()?;
    let bar = ProgressBar::no_length().with_style(
        ProgressStyle::with_template(
            "{msg:40!} {bar:30} {bytes}/{total_bytes} · {bytes_per_sec}, {eta} left",
        )
        .expect("the template is fixed. This is a bug."),
    );
    let mut current = String::new();
    let pulled = hub.pull(id, &mut |progress| {
        if current != progress.file {
            progress.file.clone_into(&mut current);
            bar.set_message(current.clone());
            bar.reset_eta();
        }
        if let Some(size) = progress.size {
            bar.set_length(size);
        }
        bar.set_position(progress.have);
    });
    bar.finish_and_clear();
    let pulled = pulled.with_context(|| format!("cannot fetch {id}"))?;
    eprintln!(
        "{id} at {}: {} files fetched, {} were here; {}",
        pulled.commit,
        pulled.fetched,
        pulled.kept,
        pulled.path.display()
    );
    Ok(Outcome::Done)
}

/// Runs `model list`.
///
/// # Errors
/// Nothing says where the cache is, or standard output is closed.
pub(crate) fn list(json: bool) -> Result<Outcome> {
    let nano = NANO_WEIGHTS.len() as u64;
    let mut rows = vec![(NANO.to_owned(), "inside this program".to_owned(), nano)];
    for entry in from_environment()?.list() {
        rows.extend(names(&entry));
    }
    let mut out = io::stdout().lock();
    let width = rows
        .iter()
        .map(|(name, ..)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, place, bytes) in rows {
        if json {
            writeln!(
                out,
                "{}",
                serde_json::json!({ "model": name, "at": place, "bytes": bytes })
            )?;
        } else {
            let size = format!("{:.1} MB", bytes as f64 / 1e6);
            writeln!(out, "{}{size:>12}  {place}", pad(&name, width + 2))?;
        }
    }
    Ok(Outcome::Done)
}

/// What `--model` takes for each model of a snapshot, with its commit and its bytes.
fn names(entry: &CacheEntry) -> Vec<(String, String, u64)> {
    let revision = match &entry.revisions[..] {
        revisions if revisions.iter().any(|revision| revision == "main") => String::new(),
        [first, ..] => format!("@{first}"),
        [] => format!("@{}", entry.commit),
    };
    let file_bytes = |name: &str| std::fs::metadata(entry.path.join(name)).map_or(0, |file| file.len());
    let folder = entry.folder.then(|| {
        let ggufs: u64 = entry.ggufs.iter().map(|name| file_bytes(name)).sum();
        (String::new(), entry.bytes - ggufs)
    });
    let ggufs = entry
        .ggufs
        .iter()
        .map(|name| (format!(":{name}"), file_bytes(name)));
    folder
        .into_iter()
        .chain(ggufs)
        .map(|(file, bytes)| {
            (
                format!("{}{revision}{file}", entry.id),
                entry.commit.clone(),
                bytes,
            )
        })
        .collect()
}
