//! Which files of a repository a judge needs.

use serde::Deserialize;

use crate::hub::HubError;

/// Everything but the weights, at the root of the repository. What is not there is not missed here; loading says so.
const SMALL: [&str; 9] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "judge.toml",
    INDEX,
];

/// Which shard holds which tensor.
const INDEX: &str = "model.safetensors.index.json";

/// Weights in one piece.
const WHOLE: &str = "model.safetensors";

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    /// In bytes, where the hub says it.
    pub(crate) size: Option<u64>,
    /// The SHA-256 of the content in 64 digits, or git's SHA-1 of it in 40.
    pub(crate) hash: Option<String>,
}

/// What a hub says of a repository at a revision.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    /// The commit.
    pub(crate) sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Large>,
}

#[derive(Debug, Deserialize)]
struct Large {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Listing {
    fn files(&self) -> impl Iterator<Item = File> + '_ {
        self.siblings.iter().map(|sibling| {
            let large = sibling.lfs.as_ref();
            File {
                name: sibling.rfilename.clone(),
                size: large.and_then(|large| large.size).or(sibling.size),
                // Git's hash of a large file is that of a pointer to it.
                hash: match large {
                    Some(large) => large.sha256.clone(),
                    None => sibling.blob_id.clone(),
                },
            }
        })
    }

    /// The files to fetch before the shards are known: all of them, unless there is an index.
    ///
    /// # Errors
    /// The file asked for is not there, or there are no weights that could be loaded.
    pub(crate) fn first(&self, gguf: Option<&str>) -> Result<Vec<File>, HubError> {
        if let Some(gguf) = gguf {
            let found = self.files().find(|file| file.name == gguf);
            return Ok(vec![found.ok_or_else(|| HubError::NoFile {
                file: gguf.to_owned(),
                files: self.ggufs(),
            })?]);
        }
        let has = |name: &str| self.siblings.iter().any(|sibling| sibling.rfilename == name);
        if !has(INDEX) && !has(WHOLE) {
            return Err(HubError::NoWeights { ggufs: self.ggufs() });
        }
        let wanted = |name: &str| SMALL.contains(&name) || (name == WHOLE && !has(INDEX));
        Ok(self.files().filter(|file| wanted(&file.name)).collect())
    }

    /// The shards that an index names.
    ///
    /// # Errors
    /// The index cannot be read, or names what is not there.
    pub(crate) fn shards(&self, index: &[u8]) -> Result<Vec<File>, HubError> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: std::collections::BTreeMap<String, String>,
        }
        let index: Index = serde_json::from_slice(index).map_err(|error| HubError::Malformed {
            what: INDEX.to_owned(),
            message: error.to_string(),
        })?;
        let names: std::collections::BTreeSet<String> = index.weight_map.into_values().collect();
        names
            .into_iter()
            .map(|name| {
                let found = self.files().find(|file| file.name == name);
                found.ok_or(HubError::NoFile {
                    file: name,
                    files: Vec::new(),
                })
            })
            .collect()
    }

    fn ggufs(&self) -> Vec<String> {
        let names = self.siblings.iter().map(|sibling| &sibling.rfilename);
        names.filter(|name| name.ends_with(".gguf")).cloned().collect()
    }
}

/// Whether a file is the index of shards.
pub(crate) fn is_index(name: &str) -> bool {
    name == INDEX
}

/// A name that stays inside of the folder it is put into.
pub(crate) fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listing(names: &[&str]) -> Listing {
        let siblings: Vec<_> = names.iter().map(|name| json!({ "rfilename": name })).collect();
        serde_json::from_value(json!({ "sha": "c", "siblings": siblings })).unwrap()
    }

    fn names(files: Result<Vec<File>, HubError>) -> Vec<String> {
        files.unwrap().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn only_what_a_judge_needs_is_fetched() {
        let whole = listing(&[
            "README.md",
            "config.json",
            "model.safetensors",
            "pytorch_model.bin",
            "tf/config.json",
        ]);
        assert_eq!(names(whole.first(None)), ["config.json", "model.safetensors"]);
        let sharded = listing(&[
            "config.json",
            INDEX,
            "a.safetensors",
            "b.safetensors",
            WHOLE,
            "c.safetensors",
        ]);
        assert_eq!(names(sharded.first(None)), ["config.json", INDEX]);
        let index = br#"{"weight_map": {"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"}}"#;
        assert_eq!(names(sharded.shards(index)), ["a.safetensors", "b.safetensors"]);
        assert!(
            sharded
                .shards(br#"{"weight_map": {"x": "d.safetensors"}}"#)
                .is_err()
        );
        let packed = listing(&["a.gguf", "b.gguf", "config.json"]);
        assert_eq!(names(packed.first(Some("b.gguf"))), ["b.gguf"]);
        let error = packed.first(None).unwrap_err().to_string();
        assert!(error.contains("a.gguf, b.gguf"), "{error}");
        assert!(packed.first(Some("c.gguf")).is_err());
    }

    #[test]
    fn names_stay_inside_their_folder() {
        for (name, safe) in [
            ("a", true),
            ("a/b.json", true),
            ("../a", false),
            ("/a", false),
            ("a//b", false),
            ("c:x", false),
        ] {
            assert_eq!(is_safe(name), safe, "{name}");
        }
    }
}
