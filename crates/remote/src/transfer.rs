//! One file from a hub into the cache: whole and right, or not at all.

use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use ring::digest;
use ureq::http::Uri;

use crate::http::{Ask, Http, NoAnswer, Stream};
use crate::hub::HubError;
use crate::key::ApiKey;
use crate::retry::Status;

/// How often a transfer is taken up again without a byte more.
const FRUITLESS: u32 = 5;

/// The longest silence in the middle of a file.
const PATIENCE: Duration = Duration::from_secs(60);

/// A hub redirects a few times at most.
const REDIRECTS: usize = 5;

/// A client that knows the hub's token.
pub(crate) struct Fetcher<'a> {
    pub(crate) http: &'a Http,
    pub(crate) token: Option<&'a ApiKey>,
    /// The wait before a transfer is taken up again; doubles each time.
    pub(crate) pause: Duration,
}

/// Where an answer came from at last, and what the hub itself said of the file.
pub(crate) struct Fetched {
    pub(crate) stream: Stream,
    /// The hash by the hub's own headers.
    pub(crate) etag: Option<String>,
}

/// What is to be had.
pub(crate) struct Wanted<'a> {
    pub(crate) url: &'a str,
    pub(crate) name: &'a str,
    pub(crate) hash: &'a str,
    pub(crate) size: Option<u64>,
}

impl Fetcher<'_> {
    /// Asks for a URL, from a byte on, and follows redirects. The token goes to the hub's own host alone.
    pub(crate) fn open(&self, url: &str, from: u64) -> Result<Fetched, NoAnswer> {
        let mut url = url.to_owned();
        let mut etag = None;
        let home = origin(&url);
        for _ in 0..=REDIRECTS {
            let mut headers = Vec::new();
            if let Some(token) = self.token.filter(|_| origin(&url) == home) {
                headers.push(("authorization", token.bearer()));
            }
            if from > 0 {
                headers.push(("range", format!("bytes={from}-")));
            }
            let ask = Ask {
                headers,
                patience: Some(PATIENCE),
                ..Ask::get(&url)
            };
            let stream = self.http.open(ask)?;
            etag = etag.or_else(|| named_hash(&stream));
            let next = stream
                .headers
                .get("location")
                .filter(|_| (300..400).contains(&stream.status));
            match next.map(|location| joined(&url, location)) {
                Some(location) => url = location,
                None => return Ok(Fetched { stream, etag }),
            }
        }
        Err(NoAnswer {
            message: format!("more than {REDIRECTS} redirects"),
            passing: false,
        })
    }

    /// Brings a file to `blob`. What an earlier call left in `blob` + `.incomplete` is gone on with.
    ///
    /// # Errors
    /// The hub refuses, the connection is cut again and again, or the content is not that of the hash: then what was
    /// brought is thrown away.
    pub(crate) fn bring(
        &self,
        wanted: &Wanted<'_>,
        blob: &Path,
        report: &mut dyn FnMut(u64),
    ) -> Result<(), HubError> {
        let io = |error| HubError::Io {
            path: blob.to_owned(),
            error,
        };
        if let Some(folder) = blob.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let part = blob.with_file_name(format!("{}.incomplete", wanted.hash));
        let mut have = fs::metadata(&part).map_or(0, |metadata| metadata.len());
        let mut fruitless = 0;
        let mut last = "the connection was cut".to_owned();
        while wanted.size.is_none_or(|size| have < size) || have == 0 {
            let before = have;
            match self.piece(wanted, &part, &mut have, report)? {
                Ok(()) if wanted.size.is_none_or(|size| have >= size) => break,
                Ok(()) => {}
                Err(message) => last = message,
            }
            fruitless = if have > before { 0 } else { fruitless + 1 };
            if fruitless >= FRUITLESS {
                return Err(HubError::Cut {
                    file: wanted.name.to_owned(),
                    have,
                    message: last,
                });
            }
            thread::sleep(self.pause.saturating_mul(1 << fruitless));
        }
        let got = hash(&part, wanted.hash.len()).map_err(io)?;
        if got != wanted.hash {
            fs::remove_file(&part).map_err(io)?;
            return Err(HubError::WrongHash {
                file: wanted.name.to_owned(),
                expected: wanted.hash.to_owned(),
                got,
            });
        }
        fs::rename(&part, blob).map_err(io)
    }

    /// One connection's worth of a file. The inner error is one that may pass.
    fn piece(
        &self,
        wanted: &Wanted<'_>,
        part: &Path,
        have: &mut u64,
        report: &mut dyn FnMut(u64),
    ) -> Result<Result<(), String>, HubError> {
        let stream = match self.open(wanted.url, *have) {
            Ok(fetched) => fetched.stream,
            Err(error) if error.passing => return Ok(Err(error.message)),
            Err(error) => {
                return Err(HubError::Unreachable {
                    url: shown(wanted.url),
                    message: error.message,
                });
            }
        };
        let continues = stream.status == 206
            && stream
                .headers
                .get("content-range")
                .is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
        match Status::of(stream.status) {
            // More than the file has, or a server that lost count: from the beginning.
            _ if stream.status == 416 => {
                *have = 0;
                report(0);
                fs::remove_file(part).map_err(|error| HubError::Io {
                    path: part.to_owned(),
                    error,
                })?;
                return Ok(Err("the hub does not go on where the transfer was cut".to_owned()));
            }
            Status::Fine => {}
            Status::Busy | Status::Failed => {
                let status = stream.status;
                return Ok(Err(format!("{status}: {}", stream.text())));
            }
            Status::Refused => return Err(HubError::refused(wanted.name, stream)),
        }
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(part)
            .and_then(|file| {
                if !continues {
                    // A server that does not do ranges sends the whole file.
                    file.set_len(0)?;
                    *have = 0;
                }
                Ok(file)
            });
        let io = |error| HubError::Io {
            path: part.to_owned(),
            error,
        };
        let file = file
            .as_mut()
            .map_err(|error| io(std::io::Error::from(error.kind())))?;
        let mut reader = stream.reader();
        let mut buffer = vec![0; 1 << 17];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => return Ok(Ok(())),
                Ok(read) => read,
                Err(error) => return Ok(Err(error.to_string())),
            };
            file.write_all(&buffer[..read]).map_err(io)?;
            *have += read as u64;
            report(*have);
        }
    }
}

/// SHA-256 of all that a reader gives, in 64 lowercase digits.
///
/// # Errors
/// The reader's.
pub fn sha256(reader: &mut dyn Read) -> std::io::Result<String> {
    digest_of(digest::Context::new(&digest::SHA256), reader)
}

/// The hash of a file: SHA-256 in 64 digits, or in 40 what git calls a blob.
fn hash(path: &Path, digits: usize) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    if digits == 64 {
        return sha256(&mut file);
    }
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(format!("blob {}\0", file.metadata()?.len()).as_bytes());
    digest_of(context, &mut file)
}

fn digest_of(mut context: digest::Context, reader: &mut dyn Read) -> std::io::Result<String> {
    let mut buffer = vec![0; 1 << 17];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            read => context.update(&buffer[..read]),
        }
    }
    Ok(context
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// The hash in the headers of an answer, if one is there.
fn named_hash(stream: &Stream) -> Option<String> {
    ["x-linked-etag", "etag"]
        .iter()
        .filter_map(|name| stream.headers.get(name))
        .map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned())
        .find(|etag| is_hash(etag))
}

/// Whether a text is a hash that [`hash`] can hold a file to.
pub(crate) fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Scheme, host and port: whom a token may be told.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?).to_ascii_lowercase())
}

/// Where a `Location` leads.
fn joined(url: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let origin = origin(url).unwrap_or_default();
    match location.strip_prefix('/') {
        Some(path) => format!("{origin}/{path}"),
        None => {
            let folder = url.split(['?', '#']).next().unwrap_or(url);
            let folder = folder.rsplit_once('/').map_or(folder, |(folder, _)| folder);
            format!("{folder}/{location}")
        }
    }
}

/// A URL without its query, which may be signed.
pub(crate) fn shown(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_git_and_of_sha256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "hello\n").unwrap();
        // `git hash-object` and `sha256sum`.
        assert_eq!(
            hash(&path, 40).unwrap(),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
        assert_eq!(
            hash(&path, 64).unwrap(),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
    }

    #[test]
    fn locations_are_absolute_or_not() {
        let check = |location: &str, expect: &str| {
            assert_eq!(
                joined("https://hub.example:8/a/b?c=d", location),
                expect,
                "{location}"
            );
        };
        check("https://other.example/x?y", "https://other.example/x?y");
        check("/x?y", "https://hub.example:8/x?y");
        check("x", "https://hub.example:8/a/x");
    }
}
