//! Fetching models from a stand-in of a hub.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rewardanything_remote::{ApiKey, Hub, HubError, ModelId, Pulled};
use serde_json::json;
use tempfile::TempDir;

use crate::server::{Request, Response, Server, ms};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_secret";

/// `git hash-object` of `{}\n`, and `sha256sum` of 300,000 times the letter x.
const CONFIG_HASH: &str = "0967ef424bce6791893e9a57bb952f80fd536e93";
const WEIGHTS_HASH: &str = "29927e273accc68286005017f7fa6e4f27bddb4db3083ff8b8d4c3667905b7fa";

fn weights() -> Vec<u8> {
    vec![b'x'; 300_000]
}

/// How the stand-in misbehaves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Faults {
    /// The first so many transfers of the weights are cut in the middle.
    cuts: usize,
    /// Ranges are ignored.
    no_ranges: bool,
    /// The weights are not those of their hash.
    wrong: bool,
    /// Hashes stand in headers alone.
    no_listing_of_hashes: bool,
}

struct Stage {
    hub: Hub,
    server: Server,
    /// Where large files lie: another host.
    store: Server,
    _cache: TempDir,
}

fn range(request: &Request) -> usize {
    let range = request
        .headers
        .get("range")
        .and_then(|range| range.strip_prefix("bytes="));
    range
        .and_then(|range| range.trim_end_matches('-').parse().ok())
        .unwrap_or(0)
}

fn stage(faults: Faults) -> Stage {
    let transfers = Arc::new(AtomicUsize::new(0));
    let store = Server::new(move |request| {
        let mut bytes = weights();
        if faults.wrong {
            bytes[7] = b'y';
        }
        let from = if faults.no_ranges { 0 } else { range(request) };
        if from >= bytes.len() {
            return Response::new(416, "");
        }
        let all = bytes.len();
        let rest = bytes.split_off(from);
        let mut response = Response::new(if from > 0 { 206 } else { 200 }, rest);
        if from > 0 {
            response = response.header("content-range", format!("bytes {from}-{}/{all}", all - 1));
        }
        if transfers.fetch_add(1, Ordering::SeqCst) < faults.cuts {
            response.cut = Some(100_000);
        }
        response
    });
    let place = format!("http://localhost:{}/signed?secret=yes", store.port);
    let server = Server::new(move |request| answer(request, &place, faults));
    let cache = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub {
        endpoint: format!("http://127.0.0.1:{}", server.port),
        token: ApiKey::new(TOKEN),
        cache: cache.path().join("hub"),
        offline: false,
        pause: ms(1),
    };
    Stage {
        hub,
        server,
        store,
        _cache: cache,
    }
}

fn answer(request: &Request, place: &str, faults: Faults) -> Response {
    let refusal = |status: u16, code: &str, message: &str| {
        Response::json(status, &json!({ "error": message })).header("x-error-code", code)
    };
    let path = request.path.as_str();
    if request.headers.get("authorization").map(String::as_str) != Some("Bearer hf_secret") {
        return refusal(401, "RepoNotFound", "Repository not found");
    }
    if path.starts_with("/api/models/org/gated/") {
        return refusal(403, "GatedRepo", "Access to model org/gated is restricted");
    }
    if path.starts_with("/api/models/org/none/") {
        return refusal(404, "RepoNotFound", "Repository not found");
    }
    let known =
        ["main", "v1", COMMIT].map(|revision| format!("/api/models/org/tiny/revision/{revision}?blobs=true"));
    if known.contains(&request.path) {
        let hashes = !faults.no_listing_of_hashes;
        let small = |name: &str| {
            if hashes {
                json!({ "rfilename": name, "size": 3, "blobId": CONFIG_HASH })
            } else {
                json!({ "rfilename": name })
            }
        };
        let large = |name: &str| {
            if hashes {
                let lfs = json!({ "sha256": WEIGHTS_HASH, "size": 300_000, "pointerSize": 134 });
                json!({ "rfilename": name, "size": 300_000, "blobId": CONFIG_HASH, "lfs": lfs })
            } else {
                json!({ "rfilename": name })
            }
        };
        let siblings = [
            small("README.md"),
            small("config.json"),
            small("tokenizer.json"),
            large("model.safetensors"),
            large("pytorch_model.bin"),
            large("tiny.gguf"),
        ];
        return Response::json(
            200,
            &json!({ "id": "org/tiny", "sha": COMMIT, "siblings": siblings }),
        );
    }
    if path.starts_with("/api/models/org/tiny/") {
        return refusal(404, "RevisionNotFound", "Invalid rev id");
    }
    match path.strip_prefix(&format!("/org/tiny/resolve/{COMMIT}/")) {
        Some("config.json" | "tokenizer.json") => {
            Response::new(200, "{}\n").header("etag", format!("\"{CONFIG_HASH}\""))
        }
        Some("model.safetensors" | "tiny.gguf") => Response::new(302, "")
            .header("location", place)
            .header("x-linked-etag", format!("\"{WEIGHTS_HASH}\"")),
        _ => refusal(404, "EntryNotFound", "Entry not found"),
    }
}

fn pull(stage: &Stage, id: &str) -> Result<Pulled, HubError> {
    stage.hub.pull(&id.parse().expect("an id"), &mut |_| {})
}

fn id(text: &str) -> ModelId {
    text.parse().expect("an id")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn what_a_judge_needs_is_fetched_once_and_found_again() {
    let stage = stage(Faults::default());
    assert_eq!(stage.hub.find(&id("org/tiny")), None);
    let progress = Mutex::new(HashMap::new());
    let pulled = stage.hub.pull(&id("org/tiny"), &mut |step| {
        progress
            .lock()
            .expect("one thread")
            .insert(step.file.to_owned(), (step.have, step.size));
    });
    let pulled = pulled.expect("it is fetched");
    assert_eq!(
        (pulled.fetched + pulled.kept, pulled.commit.as_str()),
        (3, COMMIT)
    );
    assert_eq!(
        names(&pulled.path),
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
    assert_eq!(
        fs::read(pulled.path.join("model.safetensors")).expect("weights"),
        weights()
    );
    assert_eq!(
        fs::read(pulled.path.join("config.json")).expect("a file"),
        b"{}\n"
    );
    let progress = progress.into_inner().expect("one thread");
    assert_eq!(progress["model.safetensors"], (300_000, Some(300_000)));
    for name in ["org/tiny", "org/tiny@main", &format!("org/tiny@{COMMIT}")] {
        assert_eq!(
            stage.hub.find(&id(name)).as_deref(),
            Some(pulled.path.as_path()),
            "{name}"
        );
    }
    assert_eq!(stage.hub.find(&id("org/tiny@v1")), None);
    assert_eq!(stage.hub.find(&id("org/tiny:tiny.gguf")), None);

    let before = stage.store.seen().len();
    let again = pull(&stage, "org/tiny@v1").expect("nothing to fetch");
    assert_eq!(
        (again.fetched, again.kept, stage.store.seen().len()),
        (0, 3, before)
    );
    assert_eq!(stage.hub.find(&id("org/tiny@v1")), Some(again.path));

    let gguf = pull(&stage, "org/tiny:tiny.gguf").expect("one file");
    assert_eq!(stage.hub.find(&id("org/tiny:tiny.gguf")), Some(gguf.path));
    let list = stage.hub.list();
    assert_eq!(list.len(), 1);
    let entry = &list[0];
    assert_eq!(
        (entry.id.as_str(), &entry.revisions[..], entry.bytes),
        ("org/tiny", &["main".to_owned(), "v1".to_owned()][..], 600_006)
    );
    assert_eq!(
        (entry.folder, &entry.ggufs[..]),
        (true, &["tiny.gguf".to_owned()][..])
    );
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let stage = stage(Faults::default());
    pull(&stage, "org/tiny").expect("it is fetched");
    assert!(
        stage
            .server
            .seen()
            .iter()
            .all(|request| request.headers.contains_key("authorization"))
    );
    assert!(!stage.store.seen().is_empty());
    assert!(
        stage
            .store
            .seen()
            .iter()
            .all(|request| !request.headers.contains_key("authorization"))
    );
    assert!(!format!("{:?}", stage.hub).contains("secret"));
}

#[test]
fn a_transfer_that_was_cut_goes_on_where_it_was() {
    let check = |faults: Faults, ranges: &[usize]| {
        let stage = stage(faults);
        let pulled = pull(&stage, "org/tiny").expect("it goes on");
        assert_eq!(
            fs::read(pulled.path.join("model.safetensors")).expect("weights"),
            weights()
        );
        assert_eq!(
            stage.store.seen().iter().map(range).collect::<Vec<_>>(),
            ranges,
            "{faults:?}"
        );
    };
    check(
        Faults {
            cuts: 2,
            ..Faults::default()
        },
        &[0, 100_000, 200_000],
    );
    check(
        Faults {
            cuts: 1,
            no_ranges: true,
            ..Faults::default()
        },
        &[0, 100_000],
    );

    // And in another run.
    let stage = stage(Faults::default());
    let blobs = stage.hub.cache.join("models--org--tiny/blobs");
    fs::create_dir_all(&blobs).expect("a folder");
    fs::write(
        blobs.join(format!("{WEIGHTS_HASH}.incomplete")),
        &weights()[..250_000],
    )
    .expect("a file");
    pull(&stage, "org/tiny").expect("it goes on");
    assert_eq!(
        stage.store.seen().iter().map(range).collect::<Vec<_>>(),
        [250_000]
    );
}

#[test]
fn a_transfer_without_end_is_given_up_and_kept() {
    let stage = stage(Faults {
        cuts: usize::MAX,
        no_ranges: true,
        ..Faults::default()
    });
    let error = pull(&stage, "org/tiny").expect_err("cut each time");
    assert!(matches!(error, HubError::Cut { have: 100_000, .. }), "{error}");
    assert_eq!(stage.hub.find(&id("org/tiny")), None, "half a model is none");
}

#[test]
fn content_that_is_not_what_was_promised_is_thrown_away() {
    let stage = stage(Faults {
        wrong: true,
        ..Faults::default()
    });
    let error = pull(&stage, "org/tiny").expect_err("wrong");
    assert!(error.to_string().contains(WEIGHTS_HASH), "{error}");
    assert!(matches!(error, HubError::WrongHash { .. }));
    assert_eq!(
        names(&stage.hub.cache.join("models--org--tiny/blobs")),
        [CONFIG_HASH]
    );
    assert_eq!(stage.hub.find(&id("org/tiny")), None);
    // A file that was damaged before it was whole is found out too.
    let good = self::stage(Faults::default());
    let blobs = good.hub.cache.join("models--org--tiny/blobs");
    fs::create_dir_all(&blobs).expect("a folder");
    fs::write(blobs.join(format!("{WEIGHTS_HASH}.incomplete")), "damaged").expect("a file");
    assert!(matches!(pull(&good, "org/tiny"), Err(HubError::WrongHash { .. })));
    pull(&good, "org/tiny").expect("the next run begins anew");
}

#[test]
fn hashes_may_stand_in_headers_alone() {
    let stage = stage(Faults {
        no_listing_of_hashes: true,
        ..Faults::default()
    });
    let pulled = pull(&stage, "org/tiny").expect("it is fetched");
    assert_eq!(
        fs::read(pulled.path.join("model.safetensors")).expect("weights"),
        weights()
    );
    let wrong = self::stage(Faults {
        no_listing_of_hashes: true,
        wrong: true,
        ..Faults::default()
    });
    assert!(matches!(
        pull(&wrong, "org/tiny"),
        Err(HubError::WrongHash { .. })
    ));
}

#[test]
fn refusals_say_what_to_do() {
    let stage = stage(Faults::default());
    let check = |stage: &Stage, id: &str, expect: &str| {
        let error = pull(stage, id).expect_err(id).to_string();
        assert!(
            error.contains(expect) && !error.contains("secret"),
            "{id}: {error}"
        );
    };
    check(&stage, "org/gated", "org/gated is gated: accept its terms");
    check(&stage, "org/none", "no model org/none, or it is private");
    check(&stage, "org/tiny@v9", "no revision \"v9\"");
    check(
        &stage,
        "org/tiny:other.gguf",
        "name one as ID:FILE.gguf: tiny.gguf",
    );
    let stranger = Stage {
        hub: Hub {
            token: None,
            ..stage.hub.clone()
        },
        ..self::stage(Faults::default())
    };
    check(&stranger, "org/tiny", "HF_TOKEN");
    let offline = Stage {
        hub: Hub {
            offline: true,
            ..stage.hub.clone()
        },
        ..self::stage(Faults::default())
    };
    let before = stage.server.seen().len();
    check(&offline, "org/tiny", "offline");
    assert_eq!(stage.server.seen().len(), before, "nobody was asked");
    stage.server.set_down(true);
    check(&stage, "org/tiny", "does not answer");
}
