//! `serve --config`: our TOML, or the JSON that the published package's server takes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rewardanything_remote::ApiKey;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::serve::args::{LogForm, ServeArgs, span};
use crate::value::Text;

/// Settings in TOML; every one is the flag of its name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    model: Option<String>,
    profile: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    token_file: Option<PathBuf>,
    rate_limit: Option<u32>,
    store: Option<PathBuf>,
    cache: Option<u32>,
    #[serde(default)]
    jobs: Jobs,
    slots: Option<u16>,
    queue: Option<u32>,
    deadline: Option<u32>,
    max_body: Option<u32>,
    drain: Option<u32>,
    log: Option<LogForm>,
    #[serde(default)]
    neutral: bool,
    principle: Option<String>,
    samples_per_prompt: Option<u16>,
    group_wait: Option<u32>,
    runs: Option<PathBuf>,
    policy: Option<String>,
    policy_model: Option<String>,
}

/// How jobs are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    keep: Option<String>,
}

impl File {
    /// Holds numbers to the ranges that their flags have.
    fn checked(self) -> Result<Self> {
        let most = u64::from(u32::MAX);
        for (name, value, range) in [
            ("rate-limit", self.rate_limit.map(u64::from), 1..=most),
            ("slots", self.slots.map(u64::from), 1..=4_096),
            ("deadline", self.deadline.map(u64::from), 1..=most),
            ("max-body", self.max_body.map(u64::from), 1..=4_096),
            (
                "samples-per-prompt",
                self.samples_per_prompt.map(u64::from),
                1..=512,
            ),
            ("group-wait", self.group_wait.map(u64::from), 1..=most),
        ] {
            if let Some(value) = value {
                let (least, most) = (range.start(), range.end());
                ensure!(
                    range.contains(&value),
                    "{name}: expected {least} to {most}, got {value}"
                );
            }
        }
        Ok(self)
    }
}

/// The arguments with what the file says where they say nothing, and what is to be told of either.
///
/// # Errors
/// The file cannot be read, or holds what nobody knows.
pub(crate) fn applied(mut args: ServeArgs) -> Result<(ServeArgs, Vec<String>)> {
    let mut notes = Vec::new();
    if args.base_output_path.is_some() {
        notes.push("--base-output-path means nothing here: jobs write no files".to_owned());
    }
    let Some(path) = args.config.clone() else {
        return Ok((args, notes));
    };
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if text.trim_start().starts_with('{') {
        let own = published(&text, &mut args).with_context(|| format!("cannot use {}", path.display()))?;
        notes.extend(own.iter().map(|note| format!("{}: {note}", path.display())));
        return Ok((args, notes));
    }
    let file = toml::from_str(&text)
        .map_err(anyhow::Error::from)
        .and_then(File::checked)
        .with_context(|| format!("{} is no configuration", path.display()))?;
    if let Some(model) = file.model.filter(|_| !args.given.contains("model")) {
        args.model.model = model;
    }
    args.model.profile = args.model.profile.or(file.profile);
    args.host = args.host.or(file.host);
    args.port = args.port.or(file.port);
    let beside = |file: PathBuf| path.parent().unwrap_or(Path::new("")).join(file);
    args.token_file = args.token_file.or_else(|| file.token_file.map(beside));
    args.rate_limit = args.rate_limit.or(file.rate_limit);
    args.store = args.store.or_else(|| file.store.map(beside));
    args.cache = args.cache.or(file.cache);
    if let (None, Some(keep)) = (args.keep, file.jobs.keep) {
        args.keep = Some(span(&keep).map_err(|why| anyhow!("{}: jobs.keep: {why}", path.display()))?);
    }
    args.runs = args.runs.or_else(|| file.runs.map(beside));
    args.slots = args.slots.or(file.slots);
    args.queue = args.queue.or(file.queue);
    args.deadline = args.deadline.or(file.deadline);
    args.max_body = args.max_body.or(file.max_body);
    args.drain = args.drain.or(file.drain);
    args.log = args.log.or(file.log);
    args.neutral |= file.neutral;
    args.principle = args.principle.or(file.principle.map(Text::Typed));
    args.samples_per_prompt = args.samples_per_prompt.or(file.samples_per_prompt);
    args.group_wait = args.group_wait.or(file.group_wait);
    args.policy = args.policy.or(file.policy);
    args.policy_model = args.policy_model.or(file.policy_model);
    Ok((args, notes))
}

/// Takes over what the published package's JSON says, and tells which of its keys mean nothing here.
fn published(text: &str, args: &mut ServeArgs) -> Result<Vec<String>> {
    let mut config: Map<String, Value> = serde_json::from_str(text).context("expected a JSON object")?;
    let mut take = |key: &str| config.remove(key).filter(|value| !value.is_null());
    let mut notes = Vec::new();
    let bases = take("api_base").map(texts).transpose()?.unwrap_or_default();
    let given = |name: &str| args.given.contains(name);
    if !bases.is_empty() && !given("model") {
        args.model.model = bases.join(",");
    }
    if let Some(model) = take("api_model").as_ref().and_then(Value::as_str) {
        args.model
            .server
            .served_model
            .get_or_insert_with(|| model.to_owned());
    }
    let keys = take("api_key").map(texts).transpose()?.unwrap_or_default();
    if let Some(key) = keys.first() {
        ensure!(
            keys.iter().all(|other| other == key),
            "api_key: expected one key for all endpoints, got several"
        );
        args.model.server.key = ApiKey::new(key);
    }
    let number = |value: Value, key: &str| {
        value
            .as_u64()
            .with_context(|| format!("{key}: expected a number"))
    };
    if let Some(seconds) = take("api_timeout").filter(|_| !args.given.contains("timeout")) {
        args.model.server.timeout = u32::try_from(number(seconds, "api_timeout")?)?.max(1);
    }
    if let Some(workers) = take("num_workers").filter(|_| !args.given.contains("concurrency")) {
        args.model.server.concurrency = u16::try_from(number(workers, "num_workers")?)?.clamp(1, 1024);
    }
    let period = take("request_limit_period")
        .map(|value| number(value, "request_limit_period"))
        .transpose()?
        .unwrap_or(60)
        .max(1);
    if let Some(limit) = take("request_limit") {
        let limit = number(limit, "request_limit")?;
        args.model
            .server
            .requests_per_minute
            .get_or_insert((limit * 60 / period).max(1));
    }
    match take("generation_config") {
        None => {}
        Some(Value::Object(mut generation)) => {
            if let Some(limit) = generation.remove("max_tokens").and_then(|value| value.as_u64()) {
                args.model.max_new_tokens.get_or_insert(usize::try_from(limit)?);
            }
            if let Some(temperature) = generation.remove("temperature").and_then(|value| value.as_f64()) {
                args.model.temperature.get_or_insert(temperature);
            }
            if let Some(seed) = generation.remove("seed").and_then(|value| value.as_u64()) {
                args.model.seed.get_or_insert(seed);
            }
            notes.extend(
                generation
                    .keys()
                    .map(|key| format!("generation_config.{key} means nothing here")),
            );
        }
        Some(other) => bail!("generation_config: expected an object, got {other}"),
    }
    for (key, why) in [
        ("api_proxy", "the published server never used it either"),
        ("api_max_retries", "a request is repeated until its time is over"),
        ("max_error_count", "every failure is answered by itself"),
        ("dump_individual_rsp", "nothing is written to files"),
    ] {
        if take(key).is_some() {
            notes.push(format!("{key} means nothing here: {why}"));
        }
    }
    if let Some(stranger) = config.keys().next() {
        bail!("no key is called {stranger}");
    }
    Ok(notes)
}

/// A text, or several.
fn texts(value: Value) -> Result<Vec<String>> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(list) => list
            .into_iter()
            .map(|text| text.as_str().map(str::to_owned).context("expected texts"))
            .collect(),
        other => bail!("expected a text or a list of texts, got {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};

    fn args(extra: &[&str]) -> ServeArgs {
        let all = ["rewardanything", "serve"].iter().chain(extra);
        match Cli::read(all).unwrap().command {
            Command::Serve(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_come_before_the_file_and_slips_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.toml");
        let path = file.to_str().unwrap();
        fs::write(
            &file,
            "port = 7\nqueue = 3\nlog = 'off'\nmodel = 'mine'\ntoken-file = 'tokens'",
        )
        .unwrap();
        let applied_to =
            |extra: &[&str]| applied(args(&[&["--config", path], extra].concat())).map(|(args, _)| args);
        let got = applied_to(&["--port", "9"]).unwrap();
        assert_eq!(
            (got.port, got.queue, got.log),
            (Some(9), Some(3), Some(LogForm::Off))
        );
        assert_eq!(got.model.model, "mine");
        assert_eq!(got.token_file, Some(folder.path().join("tokens")));
        // Also a flag that says what would be without it.
        assert_eq!(applied_to(&["--model", "nano"]).unwrap().model.model, "nano");
        fs::write(
            &file,
            "store = 'jobs'\ncache = 5\nrate-limit = 60\n[jobs]\nkeep = '2h'",
        )
        .unwrap();
        let got = applied_to(&["--cache", "0"]).unwrap();
        assert_eq!((got.cache, got.rate_limit), (Some(0), Some(60)));
        assert_eq!(got.store, Some(folder.path().join("jobs")));
        assert_eq!(got.keep, Some(std::time::Duration::from_secs(7_200)));
        fs::write(&file, "[jobs]\nkeep = '2 weeks'").unwrap();
        let error = format!("{:#}", applied_to(&[]).unwrap_err());
        assert!(error.contains("jobs.keep: expected a number"), "{error}");
        for (text, expect) in [
            ("prot = 7", "prot"),
            ("slots = 0", "slots: expected 1 to 4096, got 0"),
            ("rate-limit = 0", "rate-limit: expected 1"),
            ("max-body = 5000", "max-body: expected 1 to 4096, got 5000"),
        ] {
            fs::write(&file, text).unwrap();
            let error = format!("{:#}", applied_to(&[]).unwrap_err());
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    #[test]
    fn the_published_json_is_understood_and_what_means_nothing_is_named() {
        let mut args = args(&["--temperature", "0.5"]);
        let notes = published(
            r#"{"api_model": "judge", "api_key": ["k", "k"], "api_base": ["http://a/v1", "http://b/v1"],
                "api_timeout": 60, "num_workers": 32, "request_limit": 100, "request_limit_period": 30,
                "api_proxy": null, "max_error_count": 5, "dump_individual_rsp": true,
                "generation_config": {"max_tokens": 900, "temperature": 0.0, "seed": 4, "n": 1}}"#,
            &mut args,
        )
        .unwrap();
        let model = &args.model;
        assert_eq!(model.model, "http://a/v1,http://b/v1");
        assert_eq!(model.server.served_model.as_deref(), Some("judge"));
        assert_eq!(model.server.key, ApiKey::new("k"));
        assert_eq!((model.server.timeout, model.server.concurrency), (60, 32));
        assert_eq!(model.server.requests_per_minute, Some(200));
        assert_eq!(
            (model.max_new_tokens, model.seed, model.temperature),
            (Some(900), Some(4), Some(0.5)),
            "the flag wins"
        );
        let named: Vec<&str> = notes.iter().filter_map(|note| note.split(' ').next()).collect();
        assert_eq!(
            named,
            ["generation_config.n", "max_error_count", "dump_individual_rsp"]
        );
        let mut typed = self::args(&["--model", "nano", "--timeout", "7", "--concurrency", "3"]);
        let json = r#"{"api_base": ["http://a/v1"], "api_timeout": 60, "num_workers": 32}"#;
        published(json, &mut typed).unwrap();
        let server = &typed.model.server;
        assert_eq!((server.timeout, server.concurrency), (7, 3));
        assert_eq!(typed.model.model, "nano");
        let error = published(r#"{"api_modle": "x"}"#, &mut args).unwrap_err();
        assert!(error.to_string().contains("api_modle"), "{error}");
        assert!(published(r#"{"api_key": ["a", "b"]}"#, &mut args).is_err());
    }
}
