//! What fixes a run: two runs of one header give the same figures, and a folder holds records of one header alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rewardanything_evals::benchmark::Benchmark;
use rewardanything_evals::item::VERSION;
use rewardanything_evals::layout::Layout;
use rewardanything_remote::sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Answers;
use super::args::BenchArgs;
use super::data::Survey;
use crate::models;

/// The version of run folders.
const FORMAT: &str = "rewardanything.run/1";
/// The name of the file.
const FILE: &str = "header.json";

/// `header.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) format: String,
    pub(crate) benchmark: String,
    pub(crate) data: Data,
    /// The principle that stood in place of the items' own.
    pub(crate) principle: Option<String>,
    /// The principles that ship for the benchmark, by domain, where the data was in its published layout.
    pub(crate) shipped_principles: BTreeMap<String, String>,
    pub(crate) model: ModelOf,
    pub(crate) settings: Settings,
    pub(crate) versions: Versions,
    /// The command that began the run.
    pub(crate) command: String,
}

/// The data, which must be the same to the byte when the run is gone on with or reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Data {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) layout: String,
    pub(crate) items: usize,
    pub(crate) bad_lines: usize,
}

/// Who judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelOf {
    /// As records bear it.
    pub(crate) name: String,
    /// As it was asked for.
    pub(crate) given: String,
    /// What a server was asked for.
    pub(crate) served: Option<String>,
    /// SHA-256 of the weights, for a model on this machine.
    pub(crate) revision: Option<String>,
    /// SHA-256 of the system text and of what the model's chat template makes of a fixed conversation.
    pub(crate) template_sha256: Option<String>,
    /// How it was spoken to; the seed and the sampling are in it.
    pub(crate) profile: Option<Value>,
}

impl ModelOf {
    /// A model of which nothing else is known.
    fn called(name: &str, given: &str) -> Self {
        ModelOf {
            name: name.to_owned(),
            given: given.to_owned(),
            served: None,
            revision: None,
            template_sha256: None,
            profile: None,
        }
    }
}

/// How it was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) seed: Option<u64>,
    pub(crate) permutations: usize,
    pub(crate) samples: usize,
    pub(crate) pointwise: bool,
    /// How a scalar model was asked.
    #[serde(default)]
    pub(crate) scalar: Option<String>,
    pub(crate) games: usize,
    pub(crate) exact: bool,
}

/// By what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Versions {
    pub(crate) rewardanything: String,
    pub(crate) benchmark: u32,
    pub(crate) item_format: u64,
}

impl Header {
    pub(crate) fn new(
        args: &BenchArgs,
        survey: &Survey,
        answers: &Answers,
        principle: Option<&str>,
    ) -> Result<Self> {
        let speaker = answers.speaker();
        let model = match answers {
            Answers::Judge(speaker) => {
                let profile = speaker.profile();
                let template = speaker.template_sample().unwrap_or_default();
                let spoken = format!("{}\u{0}{template}", profile.system);
                ModelOf {
                    name: speaker.name().to_owned(),
                    given: args.model.model.clone(),
                    served: speaker.served_model().map(str::to_owned),
                    revision: models::revision(&args.model.model)?,
                    template_sha256: Some(sha256(&mut spoken.as_bytes())?),
                    profile: Some(serde_json::to_value(profile)?),
                }
            }
            Answers::Scalar(scalar) => ModelOf {
                served: Some(scalar.served_model().to_owned()),
                template_sha256: scalar.template_sha256.clone(),
                ..ModelOf::called(scalar.name(), &args.model.model)
            },
            Answers::Baseline(baseline, _) => ModelOf::called(baseline.name(), baseline.name()),
            Answers::Recorded(_) => ModelOf::called("recorded", "recorded"),
        };
        Ok(Header {
            format: FORMAT.to_owned(),
            benchmark: args.benchmark.name().to_owned(),
            data: Data {
                path: args.data.clone(),
                sha256: survey.sha256.clone(),
                layout: survey.layout.name().to_owned(),
                items: survey.items,
                bad_lines: survey.bad_lines,
            },
            principle: principle.map(str::to_owned),
            shipped_principles: survey.principles.clone(),
            model,
            settings: Settings {
                seed: speaker
                    .map(|speaker| speaker.profile().sampling.seed)
                    .or(args.model.seed),
                permutations: args.model.permutations,
                samples: usize::from(args.model.samples),
                pointwise: args.alone(),
                scalar: args.scalar.map(|api| format!("{api:?}").to_lowercase()),
                games: super::games(args.benchmark, args.alone()),
                exact: args.model.local.exact,
            },
            versions: Versions {
                rewardanything: env!("CARGO_PKG_VERSION").to_owned(),
                benchmark: Benchmark::VERSION,
                item_format: VERSION,
            },
            command: command(),
        })
    }

    /// Reads the header of a run.
    ///
    /// # Errors
    /// The folder is no run, or one of another version.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} is no run: cannot read {FILE} in it", folder.display()))?;
        let header: Header =
            serde_json::from_str(&text).with_context(|| format!("{} is no header", path.display()))?;
        if header.format != FORMAT {
            bail!(
                "{}: expected the format {FORMAT}, found {}",
                path.display(),
                header.format
            );
        }
        Ok(header)
    }

    /// Writes the header of a new run.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Refuses to go on with a run of another header. Where the data lies and how the command was typed may differ.
    ///
    /// # Errors
    /// Names the first setting that differs, with both values.
    pub(crate) fn same_as(&self, begun: &Header) -> Result<()> {
        let fixed = |header: &Header| -> Result<Value> {
            let mut value = serde_json::to_value(header)?;
            value["data"]["path"] = Value::Null;
            value["model"]["given"] = Value::Null;
            value["command"] = Value::Null;
            Ok(value)
        };
        match first_difference("", &fixed(self)?, &fixed(begun)?) {
            None => Ok(()),
            Some((field, now, then)) => bail!(
                "the run was begun with other settings, and a run holds one: {field} was {then} and would be {now}"
            ),
        }
    }

    /// The benchmark.
    pub(crate) fn benchmark(&self) -> Result<Benchmark> {
        self.benchmark.parse().map_err(anyhow::Error::msg)
    }

    /// The layout of the data.
    pub(crate) fn layout(&self) -> Result<Layout> {
        self.data.layout.parse().map_err(anyhow::Error::msg)
    }

    /// Names and values for a report.
    pub(crate) fn shown(&self) -> Vec<(String, String)> {
        let mut rows: Vec<(&str, String)> = vec![("model", self.model.name.clone())];
        let short = |hash: &String| hash.chars().take(16).collect::<String>();
        if let Some(revision) = &self.model.revision {
            rows.push(("weights", short(revision)));
        }
        if let Some(template) = &self.model.template_sha256 {
            rows.push(("template", short(template)));
        }
        if let Some(name) = self
            .model
            .profile
            .as_ref()
            .and_then(|profile| profile["name"].as_str())
        {
            rows.push(("profile", name.to_owned()));
        }
        rows.push((
            "data",
            format!("{} ({})", self.data.path.display(), short(&self.data.sha256)),
        ));
        rows.push((
            "principle",
            match &self.principle {
                Some(principle) => principle.clone(),
                None if self.shipped_principles.is_empty() => "each item's own".to_owned(),
                None => "the one that ships for the benchmark and domain".to_owned(),
            },
        ));
        for (domain, principle) in &self.shipped_principles {
            if self.principle.is_none() {
                rows.push(("principle of a domain", format!("{domain}: {principle}")));
            }
        }
        let Settings {
            seed,
            permutations,
            samples,
            pointwise,
            scalar,
            games,
            exact,
        } = &self.settings;
        if let Some(seed) = seed {
            rows.push(("seed", seed.to_string()));
        }
        rows.push(("orders and samples", format!("{permutations} and {samples}")));
        if let Some(api) = scalar {
            rows.push(("scalar model", format!("asked by {api}, without a principle")));
        }
        if *pointwise {
            rows.push(("mode", "every response alone".to_owned()));
        }
        if *games > 1 {
            rows.push(("games", format!("{games}, with the places swapped")));
        }
        if *exact {
            rows.push(("numbers", "exact".to_owned()));
        }
        rows.push((
            "versions",
            format!(
                "rewardanything {}, benchmark definitions {}",
                self.versions.rewardanything, self.versions.benchmark
            ),
        ));
        rows.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// The first field in which two values differ, with both.
pub(crate) fn first_difference(field: &str, now: &Value, then: &Value) -> Option<(String, Value, Value)> {
    match (now, then) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let inner = if field.is_empty() {
                    key.clone()
                } else {
                    format!("{field}.{key}")
                };
                let null = Value::Null;
                first_difference(&inner, a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null))
            })
        }
        _ => (now != then).then(|| (field.to_owned(), now.clone(), then.clone())),
    }
}

/// The command as it was typed, quoted for a shell.
fn command() -> String {
    let quoted = std::env::args_os().skip(1).map(|argument| {
        let argument = argument.to_string_lossy().into_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
        if !argument.is_empty() && argument.chars().all(plain) {
            argument
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        }
    });
    std::iter::once("rewardanything".to_owned())
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named() {
        let now = json!({"a": {"b": 1, "c": [1]}, "d": null});
        assert_eq!(first_difference("", &now, &now), None);
        let then = json!({"a": {"b": 1, "c": [2]}, "d": null});
        assert_eq!(
            first_difference("", &now, &then),
            Some(("a.c".to_owned(), json!([1]), json!([2])))
        );
        let less = json!({"a": {"b": 1, "c": [1]}, "e": 2});
        assert_eq!(
            first_difference("", &now, &less),
            Some(("e".to_owned(), json!(null), json!(2)))
        );
    }
}
